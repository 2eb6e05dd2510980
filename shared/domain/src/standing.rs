//! What a member is told about their tier: the next one and what is missing (D1, D2).

use chrono::NaiveDate;

use crate::member::Member;
use crate::points::{Ratio, Rounding};
use crate::programme::{Programme, Tier, TierMultiplier};

/// The tier above and the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextTier<'a> {
    pub tier: &'a Tier,
    /// Qualifying points still missing; never below zero.
    pub points_needed: i64,
    /// What has to be spent for them at today's rate and the member's multiplier, rounded up: minor units of the
    /// programme's currency. `None` when it does not fit 64 bits or nothing is earned by spending.
    pub spend_needed_minor: Option<i64>,
}

/// The next tier for somebody who holds `tier` and has so many qualifying points; `None` at the top.
pub fn next_tier<'a>(programme: &'a Programme, tier: &crate::ids::TierId, qualifying: i64) -> Option<NextTier<'a>> {
    let above = programme.tiers.above(tier)?;
    let points_needed = above.threshold.saturating_sub(qualifying).max(0);
    let multiplier = match programme.earning.tier_multiplier {
        TierMultiplier::RedeemableOnly => Ratio::ONE,
        TierMultiplier::Both => programme.multiplier(tier),
    };
    Some(NextTier { tier: above, points_needed, spend_needed_minor: spend_for(programme, multiplier, points_needed) })
}

/// How many more orders of the usual size lead to the next tier: the member's own average, else the programme's (X33).
/// `None` at the top, or where nothing says how large an order is.
pub fn orders_to_next(programme: &Programme, member: &Member) -> Option<i64> {
    let needed = next_tier(programme, &member.tier, member.balance.qualifying.0)?.spend_needed_minor?;
    let own = member.spent_minor.checked_div(member.orders_count).filter(|average| *average > 0);
    let average = own.or(programme.average_order_minor).filter(|average| *average > 0)?;
    needed.checked_add(average.checked_sub(1)?)?.checked_div(average)
}

fn spend_for(programme: &Programme, multiplier: Ratio, points: i64) -> Option<i64> {
    let rate = programme.earning.rate;
    let price = Ratio::new(rate.denominator.get(), rate.numerator)?;
    let divided = Ratio::new(multiplier.denominator.get(), multiplier.numerator)?;
    price.times(divided, points, Rounding::Ceil).ok()
}

/// Until which day the tier is safe; `None` in the base tier, which cannot be lost (T8, T10).
pub fn keep_until(programme: &Programme, member: &Member) -> Option<NaiveDate> {
    let base = programme.tiers.base()?;
    (member.tier != base.id).then_some(member.review_on)
}
