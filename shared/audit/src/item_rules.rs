//! Rules about items, pinned on an order's terms, in own arithmetic.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::Row;
use crate::fields::{Legs, Read, flag_if_any, legs_if_any, list, number, number_if_any, text_if_any};
use crate::terms::Fraction;
use crate::value::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Several {
    All,
    Best,
    First,
}

/// The rules as they stand on a row, and what tells them from others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    several: Several,
    rows: &'a [Value],
    pinned: u64,
}

impl PartialEq for Rules<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.several, self.pinned) == (other.several, other.pinned)
    }
}

impl Eq for Rules<'_> {}

impl Hash for Rules<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.several, self.pinned).hash(state);
    }
}

/// One rule, read.
struct Rule<'a> {
    skus: Vec<&'a str>,
    categories: Vec<&'a str>,
    least: i128,
    effect: Effect,
}

enum Effect {
    Multiply(Fraction, bool),
    Exclude,
    Add(Legs),
}

impl<'a> Rules<'a> {
    pub fn read(row: &'a Row) -> Read<Self> {
        let several = match text_if_any(row, "several_rules")?.unwrap_or("all") {
            "all" => Several::All,
            "best" => Several::Best,
            "first" => Several::First,
            word => return Err(format!("`several_rules` is {word:?}")),
        };
        let rows = list(row, "rules")?;
        let mut hasher = DefaultHasher::new();
        if !rows.is_empty() {
            format!("{rows:?}").hash(&mut hasher);
        }
        Ok(Self { several, rows, pinned: hasher.finish() })
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What all items of an order cost, and then those that each rule is about; `by_lines`, without what came back of them.
    pub fn matched(&self, order: &Row, by_lines: bool) -> Read<Vec<i128>> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        let mut items = Vec::new();
        for item in list(order, "items")? {
            let Value::M(item) = item else { return Err("`items` is not a list of items".to_owned()) };
            let returned = number_if_any(item, "returned_minor")?.filter(|_| by_lines).unwrap_or(0);
            let minor = (number(item, "minor")? - returned.max(0)).max(0);
            items.push((text_if_any(item, "sku")?, text_if_any(item, "category")?, minor));
        }
        let all = items.iter().map(|(_, _, minor)| minor).sum();
        let mut matched = vec![all];
        for row in self.rows {
            let rule = Rule::read(row)?;
            let about = |names: &[&str], name: Option<&str>| name.is_some_and(|name| names.contains(&name));
            let minor = items.iter().filter(|(sku, category, _)| {
                rule.is_about_all() || about(&rule.skus, *sku) || about(&rule.categories, *category)
            });
            matched.push(minor.map(|(_, _, minor)| minor).sum());
        }
        Ok(matched)
    }

    /// The points of an amount by the rules; `points` works out those of two amounts, one for each kind.
    pub fn apply(&self, net: i128, matched: &[i128], points: impl Fn(i128, i128) -> Read<Legs>) -> Read<Legs> {
        let [all, matched @ ..] = matched else {
            return Err("has rules about items and no figures of them".to_owned());
        };
        if matched.len() != self.rows.len() {
            return Err("has not one figure for each rule about items".to_owned());
        }
        let mut plain = net;
        let mut others = Vec::new();
        for (row, matched) in self.rows.iter().zip(matched) {
            let rule = Rule::read(row)?;
            let part = if rule.is_about_all() {
                net
            } else if *all == 0 {
                0
            } else {
                net * matched / all
            };
            if net < rule.least || part <= 0 {
                continue;
            }
            match rule.effect {
                Effect::Exclude => plain -= part,
                _ => others.push((part, rule.effect)),
            }
        }
        let plain = plain.max(0);
        let with = |chosen: &[(i128, Effect)]| {
            let (mut redeemable, mut qualifying, mut added) = (plain, plain, Legs::ZERO);
            for (part, effect) in chosen {
                match effect {
                    Effect::Multiply(factor, qualifying_too) => {
                        let amount = (*part).min(plain);
                        let more = factor.floor_of(amount) - amount;
                        redeemable += more;
                        qualifying += if *qualifying_too { more } else { 0 };
                    }
                    Effect::Add(legs) => added = added.plus(*legs),
                    Effect::Exclude => {}
                }
            }
            Ok::<_, String>(points(redeemable.max(0), qualifying.max(0))?.plus(added))
        };
        match self.several {
            Several::All => with(&others),
            Several::First => with(others.get(..1).unwrap_or(&[])),
            Several::Best => {
                let each = others.into_iter().map(|one| with(&[one])).collect::<Read<Vec<_>>>()?;
                // The first of those that bring as much.
                let best =
                    each.into_iter().reduce(|best, one| if one.redeemable > best.redeemable { one } else { best });
                best.map_or_else(|| with(&[]), Ok)
            }
        }
    }
}

impl<'a> Rule<'a> {
    fn read(row: &'a Value) -> Read<Self> {
        let Value::M(row) = row else { return Err("`rules` is not a list of rules".to_owned()) };
        let names = |name: &str| -> Read<Vec<&'a str>> {
            let name_of = |value: &'a Value| match value {
                Value::S(text) => Ok(text.as_str()),
                _ => Err(format!("`{name}` is not a list of names")),
            };
            list(row, name)?.iter().map(name_of).collect()
        };
        let effect = match (row.contains_key("factor"), legs_if_any(row, "adds")?) {
            (true, None) => {
                Effect::Multiply(Fraction::read(row, "factor")?, flag_if_any(row, "qualifying_too")?.unwrap_or(false))
            }
            (false, Some(legs)) => Effect::Add(legs),
            (false, None) if flag_if_any(row, "excludes")? == Some(true) => Effect::Exclude,
            _ => return Err("a rule about items has no effect, or several".to_owned()),
        };
        Ok(Self {
            skus: names("skus")?,
            categories: names("categories")?,
            least: number_if_any(row, "order_min_minor")?.unwrap_or(0),
            effect,
        })
    }

    fn is_about_all(&self) -> bool {
        self.skus.is_empty() && self.categories.is_empty()
    }
}

/// The figures as an entry states them.
pub(crate) fn matched(row: &Row) -> Read<Vec<i128>> {
    let figure = |value: &Value| match value {
        Value::N(text) => text.parse::<i64>().map(i128::from).map_err(|_| "`matched` is not whole numbers".to_owned()),
        _ => Err("`matched` is not whole numbers".to_owned()),
    };
    list(row, "matched")?.iter().map(figure).collect()
}
