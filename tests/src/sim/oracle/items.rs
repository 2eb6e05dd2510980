//! Rules about items, as the shop wrote them: which of them hold for an order, and what they make of its points.

use chrono::{Datelike, FixedOffset};
use loyalty_domain::item_rules::{Effect, Item, OfferedRule, Several};
use loyalty_domain::order::Order;
use loyalty_domain::programme::Programme;

use super::ZONE_HOURS;

/// Redeemable and qualifying points.
type Points = (i64, i64);

/// What rules there are for an order, and what is in it.
#[derive(Clone, Copy)]
pub(super) struct Basket<'a> {
    pub items: &'a [Item],
    /// What came back is told line by line, and what the customer keeps counts.
    pub by_lines: bool,
    pub rules: &'a [&'a OfferedRule],
    pub several: Several,
}

/// The rules of a programme that hold for an order with such items. `first`: it is its member's first (X26).
pub(super) fn holding<'a>(
    programme: &'a Programme,
    order: &Order,
    items: &[Item],
    first: bool,
) -> Vec<&'a OfferedRule> {
    let zone = FixedOffset::east_opt(ZONE_HOURS * 3_600).expect("an offset");
    let placed = order.facts.placed_at.with_timezone(&zone);
    let in_window = |offered: &OfferedRule| {
        let when = &offered.when;
        let in_hours = when.hours.is_none_or(|(from, until)| {
            let (after, before) = (placed.time() >= from, placed.time() < until);
            if until < from { after || before } else { after && before }
        });
        let begun = when.from.is_none_or(|from| order.facts.placed_at >= from);
        let over = when.until.is_some_and(|until| order.facts.placed_at >= until);
        let on_day = when.weekdays.is_empty() || when.weekdays.contains(&placed.weekday());
        begun && !over && on_day && in_hours && (first || !when.first_order)
    };
    let concerns = |offered: &OfferedRule| whole(offered) || cost(offered, items, false) > 0;
    programme.item_rules.iter().filter(|offered| in_window(offered) && concerns(offered)).collect()
}

fn whole(offered: &OfferedRule) -> bool {
    offered.rule.skus.is_empty() && offered.rule.categories.is_empty()
}

/// What an item counts for.
fn worth(item: &Item, by_lines: bool) -> i128 {
    let gone = if by_lines { i128::from(item.returned_minor) } else { 0 };
    (i128::from(item.minor) - gone).max(0)
}

/// What the items that a rule names cost.
fn cost(offered: &OfferedRule, items: &[Item], by_lines: bool) -> i128 {
    let rule = &offered.rule;
    let mut sum = 0;
    for item in items {
        let by_sku = rule.skus.iter().any(|sku| item.sku.as_deref() == Some(sku));
        let by_category = rule.categories.iter().any(|category| item.category.as_deref() == Some(category));
        if by_sku || by_category {
            sum += worth(item, by_lines);
        }
    }
    sum
}

impl Basket<'_> {
    /// The points of an amount of money; `points` are those of one amount for each kind. What is excluded earns nothing,
    /// a factor is on the part of the money that its items are of all, and additions come once.
    pub fn points(&self, net: i128, points: impl Fn(i128, i128) -> Points) -> Points {
        let all: i128 = self.items.iter().map(|item| worth(item, self.by_lines)).sum();
        let share = |offered: &OfferedRule| match (whole(offered), all) {
            (true, _) => net,
            (false, 0) => 0,
            (false, all) => net * cost(offered, self.items, self.by_lines) / all,
        };
        let works = |offered: &&&OfferedRule| net >= i128::from(offered.rule.order_min_minor) && share(offered) > 0;
        let working: Vec<&OfferedRule> = self.rules.iter().filter(works).copied().collect();
        let excludes = |offered: &OfferedRule| matches!(offered.rule.effect, Effect::Exclude);
        let excluded: i128 = working.iter().filter(|it| excludes(it)).map(|it| share(it)).sum();
        let plain = (net - excluded).max(0);
        let under = |chosen: &[&OfferedRule]| {
            let (mut spendable, mut ranking, mut extra) = (plain, plain, (0, 0));
            for offered in chosen {
                match offered.rule.effect {
                    Effect::Multiply { factor, qualifying_too } => {
                        let of = share(offered).min(plain);
                        let times = of * i128::from(factor.numerator) / i128::from(factor.denominator.get());
                        spendable += times - of;
                        ranking += if qualifying_too { times - of } else { 0 };
                    }
                    Effect::Add { legs } => {
                        extra = (extra.0 + legs.redeemable.0, extra.1 + legs.qualifying.0);
                    }
                    Effect::Exclude => {}
                }
            }
            let (redeemable, qualifying) = points(spendable.max(0), ranking.max(0));
            (redeemable + extra.0, qualifying + extra.1)
        };
        let bringing: Vec<&OfferedRule> = working.into_iter().filter(|it| !excludes(it)).collect();
        match self.several {
            Several::All => under(&bringing),
            Several::First => under(bringing.get(..1).unwrap_or_default()),
            Several::Best => {
                let each: Vec<Points> = bringing.iter().map(|one| under(&[one])).collect();
                let most = each.iter().map(|legs| legs.0).max();
                each.into_iter().find(|legs| Some(legs.0) == most).unwrap_or_else(|| under(&[]))
            }
        }
    }
}
