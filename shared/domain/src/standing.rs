//! What a member is told about their tier: the next one and what is missing (D1, D2).

use chrono::NaiveDate;

use crate::criteria::Missing;
use crate::ids::TierId;
use crate::member::Member;
use crate::points::{Ratio, Rounding};
use crate::programme::{Programme, Tier, TierAuthority, TierMultiplier};

/// The tier above and the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextTier<'a> {
    pub tier: &'a Tier,
    pub missing: Missing,
    /// What has to be spent: for the missing points at today's rate and the member's multiplier, rounded up, or as the
    /// tier's rules say. Minor units of the programme's currency; `None` when it does not fit 64 bits or nothing is
    /// earned by spending.
    pub spend_needed_minor: Option<i64>,
}

/// What the member still misses to keep the tier at its review (T8); nothing in the base tier.
pub fn missing_to_keep(programme: &Programme, member: &Member) -> Missing {
    let Some(held) = programme.tiers.get(&member.tier) else { return Missing::default() };
    match &held.rules {
        Some(rules) => rules.keep.missing(programme, member),
        None => Missing { points: held.keep.saturating_sub(member.balance.qualifying.0).max(0), ..Missing::default() },
    }
}

/// The tier above the member's and the way to it, as its rules or its threshold say; `None` at the top (D1, T17).
pub fn next_of_member<'a>(programme: &'a Programme, member: &Member) -> Option<NextTier<'a>> {
    let above = programme.tiers.above(&member.tier)?;
    let again = programme.tiers.rank(&above.id) <= programme.rank_lost(member);
    Some(match &above.rules {
        None => by_points(
            programme,
            &member.tier,
            above,
            if again { above.reenter } else { above.threshold },
            member.balance.qualifying.0,
        ),
        Some(rules) => {
            let missing = if again { &rules.reenter } else { &rules.enter }.missing(programme, member);
            NextTier { tier: above, missing, spend_needed_minor: Some(missing.spent_minor) }
        }
    })
}

/// The next tier for somebody who holds `tier` and has so many qualifying points, as far as points tell; `None` at the
/// top.
pub fn next_tier<'a>(programme: &'a Programme, tier: &TierId, qualifying: i64) -> Option<NextTier<'a>> {
    let above = programme.tiers.above(tier)?;
    Some(by_points(programme, tier, above, above.threshold, qualifying))
}

fn by_points<'a>(programme: &Programme, held: &TierId, above: &'a Tier, wanted: i64, qualifying: i64) -> NextTier<'a> {
    let points = wanted.saturating_sub(qualifying).max(0);
    let multiplier = match programme.earning.tier_multiplier {
        TierMultiplier::RedeemableOnly => Ratio::ONE,
        TierMultiplier::Both => programme.multiplier(held),
    };
    let missing = Missing { points, ..Missing::default() };
    NextTier { tier: above, missing, spend_needed_minor: spend_for(programme, multiplier, points) }
}

/// How many more orders of the usual size lead to the next tier: the member's own average, else the programme's (X33).
/// `None` at the top, or where nothing says how large an order is.
pub fn orders_to_next(programme: &Programme, member: &Member) -> Option<i64> {
    let next = next_of_member(programme, member)?;
    let needed = next.spend_needed_minor?;
    let own = member.spent_minor.checked_div(member.orders_count).filter(|average| *average > 0);
    let average = own.or(programme.average_order_minor).filter(|average| *average > 0)?;
    let by_spend = needed.checked_add(average.checked_sub(1)?)?.checked_div(average)?;
    Some(by_spend.max(next.missing.orders))
}

fn spend_for(programme: &Programme, multiplier: Ratio, points: i64) -> Option<i64> {
    let rate = programme.earning.rate;
    let price = Ratio::new(rate.denominator.get(), rate.numerator)?;
    let divided = Ratio::new(multiplier.denominator.get(), multiplier.numerator)?;
    price.times(divided, points, Rounding::Ceil).ok()
}

/// Until which day the tier is safe; `None` in the base tier, which cannot be lost, and where the shop's own system decides
/// (T8, T10, X47).
pub fn keep_until(programme: &Programme, member: &Member) -> Option<NaiveDate> {
    let base = programme.tiers.base()?;
    let ours = programme.tier_authority == TierAuthority::Engine;
    (ours && member.tier != base.id).then_some(member.review_on)
}
