//! Rules about what is in an order: items that earn more, nothing, or something on top; orders above an amount, first
//! orders, hours of the day.

use chrono::{Datelike, NaiveTime, Weekday};

use crate::ids::RuleId;
use crate::order::OrderFacts;
use crate::points::{Legs, Overflow, Ratio, Rounding};
use crate::programme::{Programme, RefundRule};
use crate::time::Instant;

/// Kinds of lines that an order keeps; what is beyond counts as an item that no rule is about.
pub const ITEMS_MAX: usize = 100;

/// The lines of an order that are alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    pub sku: Option<String>,
    pub category: Option<String>,
    /// What all of them cost together, minor units of the order's currency.
    pub minor: i64,
    /// What of them came back, at its price; minor units.
    pub returned_minor: i64,
}

impl Item {
    /// What counts of them in an order, minor units: all of them, or those that the customer keeps (X24).
    fn counted(&self, refund: RefundRule) -> i64 {
        let returned = match refund {
            RefundRule::AmountProrata => 0,
            RefundRule::LineExact => self.returned_minor.max(0),
        };
        self.minor.saturating_sub(returned).max(0)
    }
}

/// A rule about the items of an order. It is pinned with the order's terms when it first earns, so what a programme says
/// later changes nothing about it (I9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRule {
    pub id: RuleId,
    /// Items with one of these, or of one of these categories; the whole order when both are empty.
    pub skus: Vec<String>,
    pub categories: Vec<String>,
    /// The smallest amount that earns, minor units of the programme's currency.
    pub order_min_minor: i64,
    pub effect: Effect,
}

/// What a rule does with the items it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Their amount counts so many times. Qualifying points only where `qualifying_too` says so, as with the multipliers
    /// of tiers (X2).
    Multiply { factor: Ratio, qualifying_too: bool },
    /// They earn nothing.
    Exclude,
    /// So many points on top, once for an order.
    Add { legs: Legs },
}

/// When a rule holds at all: seen once, when the order first earns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// Only the member's first order (X26).
    pub first_order: bool,
    /// Orders placed from the first of these instants on, and before the second.
    pub from: Option<Instant>,
    pub until: Option<Instant>,
    /// Orders placed on these days of the week, in the programme's zone; any when empty.
    pub weekdays: Vec<Weekday>,
    /// Orders placed from the first of these times of day on, and before the second, in the programme's zone.
    pub hours: Option<(NaiveTime, NaiveTime)>,
}

/// A rule and when it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedRule {
    pub rule: ItemRule,
    pub when: When,
}

/// What holds where several rules are about one order. Excluded items earn nothing in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Several {
    /// All of them, each on the plain amount.
    #[default]
    All,
    /// The one that brings most redeemable points.
    Best,
    /// The first in the order they are written.
    First,
}

/// The rules pinned on an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PinnedRules {
    pub several: Several,
    pub rules: Vec<ItemRule>,
}

impl When {
    fn holds(&self, programme: &Programme, placed_at: Instant, first: bool) -> bool {
        let local = placed_at.with_timezone(&programme.zone);
        (first || !self.first_order)
            && self.from.is_none_or(|from| from <= placed_at)
            && self.until.is_none_or(|until| placed_at < until)
            && (self.weekdays.is_empty() || self.weekdays.contains(&local.weekday()))
            && self.hours.is_none_or(|(from, until)| {
                let time = local.time();
                // From 22:00 to 02:00 is over midnight.
                if from <= until { from <= time && time < until } else { from <= time || time < until }
            })
    }
}

impl ItemRule {
    fn is_about(&self, item: &Item) -> bool {
        let named = |names: &[String], name: &Option<String>| name.as_ref().is_some_and(|name| names.contains(name));
        named(&self.skus, &item.sku) || named(&self.categories, &item.category)
    }

    fn is_about_all(&self) -> bool {
        self.skus.is_empty() && self.categories.is_empty()
    }

    /// What the items it is about cost together, minor units; `None` for the whole order.
    fn matched(&self, items: &[Item], refund: RefundRule) -> Option<i64> {
        (!self.is_about_all()).then(|| together(items.iter().filter(|item| self.is_about(item)), refund))
    }
}

fn together<'a>(items: impl Iterator<Item = &'a Item>, refund: RefundRule) -> i64 {
    items.fold(0, |sum, item| sum.saturating_add(item.counted(refund)))
}

impl PinnedRules {
    /// The rules that hold for an order and are about something in it, whether or not it came back since.
    pub fn of(programme: &Programme, facts: &OrderFacts, items: &[Item], first: bool) -> Self {
        let holds = |offered: &&OfferedRule| {
            offered.when.holds(programme, facts.placed_at, first)
                && offered.rule.matched(items, RefundRule::AmountProrata).is_none_or(|matched| matched > 0)
        };
        let rules = programme.item_rules.iter().filter(holds).map(|offered| offered.rule.clone()).collect();
        Self { several: programme.several_rules, rules }
    }

    /// What all items cost, and then those that each rule is about, minor units: the figures by which an entry explains
    /// itself. Of `LineExact` returns, what the customer keeps (X24). Empty where there is no rule.
    pub fn matched(&self, items: &[Item], refund: RefundRule) -> Vec<i64> {
        if self.rules.is_empty() {
            return Vec::new();
        }
        let all = together(items.iter(), refund);
        std::iter::once(all).chain(self.rules.iter().map(|rule| rule.matched(items, refund).unwrap_or(all))).collect()
    }

    /// Applies the rules to an amount. `matched` are the figures of [`PinnedRules::matched`]; `points` works out the
    /// points of two amounts, one for each kind.
    ///
    /// # Errors
    /// [`Overflow`] when a figure does not fit 64 bits.
    pub fn apply(
        &self,
        net_minor: i64,
        matched: &[i64],
        points: impl Fn(i64, i64) -> Result<Legs, Overflow>,
    ) -> Result<Legs, Overflow> {
        let (items_minor, matched) = matched.split_first().map_or((0, matched), |(all, matched)| (*all, matched));
        let part = |rule: &ItemRule, matched: i64| part_of(rule, net_minor, items_minor, matched);
        let applies = |rule: &ItemRule, matched: i64| net_minor >= rule.order_min_minor && part(rule, matched) > 0;
        let mut excluded = 0_i64;
        for (rule, matched) in self.rules.iter().zip(matched) {
            if rule.effect == Effect::Exclude && applies(rule, *matched) {
                excluded = excluded.checked_add(part(rule, *matched)).ok_or(Overflow)?;
            }
        }
        let plain = net_minor.saturating_sub(excluded).max(0);
        let others = self.rules.iter().zip(matched.iter().copied());
        let others = others.filter(|(rule, matched)| rule.effect != Effect::Exclude && applies(rule, *matched));
        let with = |chosen: &[(&ItemRule, i64)]| -> Result<Legs, Overflow> {
            let (mut redeemable, mut qualifying, mut added) = (plain, plain, Legs::ZERO);
            for (rule, matched) in chosen {
                match rule.effect {
                    Effect::Multiply { factor, qualifying_too } => {
                        let amount = part(rule, *matched).min(plain);
                        let more = factor.of(amount, Rounding::Floor)?.checked_sub(amount).ok_or(Overflow)?;
                        redeemable = redeemable.checked_add(more).ok_or(Overflow)?;
                        let more = if qualifying_too { more } else { 0 };
                        qualifying = qualifying.checked_add(more).ok_or(Overflow)?;
                    }
                    Effect::Add { legs } => added = added.plus(legs)?,
                    Effect::Exclude => {}
                }
            }
            points(redeemable.max(0), qualifying.max(0))?.plus(added)
        };
        match self.several {
            Several::All => with(&others.collect::<Vec<_>>()),
            Several::First => with(&others.take(1).collect::<Vec<_>>()),
            Several::Best => {
                let mut best = with(&[])?;
                let mut found = false;
                for one in others {
                    let legs = with(&[one])?;
                    if !found || legs.redeemable > best.redeemable {
                        (best, found) = (legs, true);
                    }
                }
                Ok(best)
            }
        }
    }
}

/// The part of the amount that earns which a rule is about, whole minor units, rounded down: as the items' prices stand to
/// each other, so discounts are shared by all of them, and returns where no line says that it came back.
fn part_of(rule: &ItemRule, net_minor: i64, items_minor: i64, matched: i64) -> i64 {
    if rule.is_about_all() {
        return net_minor;
    }
    let part = i128::from(net_minor).saturating_mul(i128::from(matched)).checked_div(i128::from(items_minor));
    part.and_then(|part| i64::try_from(part).ok()).unwrap_or(0)
}

/// Lines that are alike counted together, at most [`ITEMS_MAX`] of them.
pub fn gathered(items: impl IntoIterator<Item = Item>) -> Vec<Item> {
    let mut all: Vec<Item> = Vec::new();
    for item in items {
        let alike = |known: &&mut Item| known.sku == item.sku && known.category == item.category;
        if let Some(known) = all.iter_mut().find(alike) {
            known.minor = known.minor.saturating_add(item.minor);
            known.returned_minor = known.returned_minor.saturating_add(item.returned_minor);
        } else if all.len() < ITEMS_MAX {
            all.push(item);
        }
    }
    all
}
