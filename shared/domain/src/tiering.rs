//! Which tier a member holds between two reviews: reached as soon as there is enough for it, and lost where a reversal takes
//! what it was reached by (P13, T7, R5, X20).

use crate::ids::TierId;
use crate::member::Member;
use crate::programme::{Anchor, Programme, ReversalDemotes, TierAuthority};
use crate::time::{Instant, day_start, month_start};

/// Upgrades as soon as a threshold is reached (P13, T7), `since` the points that reach it count; a reversal may undo what the
/// points it took had earned (R5, X20).
pub(crate) fn settle_tier(programme: &Programme, member: &mut Member, reversed: bool, since: Instant) {
    if programme.tiers.by_rules() || programme.tier_authority == TierAuthority::Outside {
        return;
    }
    let Some((held, next)) = next_rank(programme, member, reversed) else { return };
    if let Some(tier) = programme.tiers.as_slice().get(next) {
        let asked = programme.asked(next, tier, member);
        hold_tier(programme, member, &tier.id, since);
        if next > held {
            member.tier_asked = Some(asked);
            promoted(programme, member, since);
        }
    }
}

/// A promotion ends the days of grace, and may give the new tier a whole cycle (X6, X9).
pub(crate) fn promoted(programme: &Programme, member: &mut Member, since: Instant) {
    member.in_grace = false;
    if programme.review.anchor == Anchor::TierStart {
        member.review_on = programme.cycle.end(programme.day(since));
    }
}

/// The rank that is held and the one that should be. `None` for a tier this version does not have: it is left as it is
/// until its review.
pub(crate) fn next_rank(programme: &Programme, member: &Member, reversed: bool) -> Option<(usize, usize)> {
    let tiers = &programme.tiers;
    let (reached, held) = (programme.reached(member), tiers.rank(&member.tier)?);
    let floor = tiers.rank(&member.tier_floor).unwrap_or(0);
    // What is left still has what was asked for the tier, whatever is asked for it today.
    let earned = member.tier_asked.filter(|_| !tiers.by_rules());
    let earned = earned.is_some_and(|asked| member.balance.qualifying.0 >= asked);
    let next = if reached > held {
        reached
    } else if !reversed || earned {
        held
    } else {
        match programme.reversal_demotes {
            ReversalDemotes::Never => held,
            ReversalDemotes::ToFloor => reached.max(floor).min(held),
            ReversalDemotes::ByBalance => reached,
        }
    };
    Some((held, next))
}

/// Holds another tier `since` an instant that is not after now, and keeps which one that month began with (B1).
pub(crate) fn hold_tier(programme: &Programme, member: &mut Member, tier: &TierId, since: Instant) {
    if member.tier == *tier {
        return;
    }
    let month = month_start(programme.day(since));
    if since <= day_start(programme.zone, month) {
        member.month_tier = Some(tier.clone());
    } else if programme.day(member.tier_since) < month {
        member.month_tier = Some(member.tier.clone());
    }
    member.tier = tier.clone();
    member.tier_asked = None;
    member.tier_since = since;
}
