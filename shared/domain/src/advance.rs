//! Brings a member up to an instant: what fell due since is posted before anything else is decided, in the order in
//! which it fell due.
//!
//! So a schedule that runs late, twice or never leaves the books the same.

use chrono::NaiveDate;

use crate::criteria::CycleSums;
use crate::daily::belonging_days;
use crate::ids::{RuleId, TierId};
use crate::ledger::{Entry, EntryKind, FellDue, Ledger, Posting, Reason};
use crate::member::{Hold, Member};
use crate::points::Overflow;
use crate::programme::{Anchor, Downgrade, Programme, TierAuthority};
use crate::redeem::{Returned, give_back};
use crate::standing::missing_to_keep;
use crate::time::{Instant, day_start, just_before, plus_days};

/// Steps that one decision catches up with: cycles, and days on which a membership was long enough for a tier. Beyond them
/// the rest waits for the next decision about the member; with the shortest cycle there is, they are more than a century.
const STEPS_MAX: usize = 128;

/// Days of expiry that one decision posts an entry for; what expired before them goes with the first of these. More than a
/// month of them is due only where points expire by the day and nothing ran for as long.
const EXPIRIES_MAX: usize = 31;

/// Posts what fell due until `now`: holds that were not confirmed, points whose last valid day has passed (E1–E3, X39),
/// reviews of the tier (T8–T15, X6–X9), tiers for having belonged for long enough (T18), and those for which a version of
/// the programme asks less than the one before (T7). What fell due before this version is decided by the one before.
///
/// Time never goes back: an earlier `now` than the member's latest is taken as that one.
///
/// # Errors
/// [`Overflow`] beyond 64 bits; the member is then to be thrown away.
pub fn advance(
    programme: &Programme,
    member: &mut Member,
    now: Instant,
    entries: &mut Vec<Entry>,
) -> Result<(), Overflow> {
    let (since, until, first) = (member.as_of, member.as_of.max(now), entries.len());
    catch_up(programme, member, since, until, entries)?;
    // Each was decided as of when it fell due, and is posted now.
    member.as_of = until;
    entries.iter_mut().skip(first).for_each(|entry| entry.recorded_at = until);
    Ok(())
}

/// What fell due between two instants, each by the version of the programme that was in force then. The member is moved
/// along to when it did.
fn catch_up(
    programme: &Programme,
    member: &mut Member,
    since: Instant,
    until: Instant,
    entries: &mut Vec<Entry>,
) -> Result<(), Overflow> {
    let mut done = since;
    if let Some(earlier) =
        programme.earlier.as_deref().filter(|earlier| since < earlier.until && earlier.until <= until)
    {
        catch_up(&earlier.programme, member, since, just_before(earlier.until), entries)?;
        done = earlier.until;
        // What ends with the day before belongs to that version still, and stands before what this one changes.
        release(&earlier.programme, member, done, entries)?;
        expire(&earlier.programme, member, programme.day(done), entries)?;
        member.as_of = done;
        Ledger::new(programme, member, entries).raise_when_due(FellDue::Programme, done)?;
    }
    for _ in 0..STEPS_MAX {
        let review = day_start(programme.zone, member.review_on);
        let belongs = belonging_days(programme, member).map(|day| day_start(programme.zone, day));
        let belongs = belongs.filter(|at| done < *at && *at < review).min();
        let due = belongs.unwrap_or(review);
        if due > until {
            break;
        }
        release(programme, member, due, entries)?;
        expire(programme, member, programme.day(due), entries)?;
        done = done.max(due);
        member.as_of = done;
        if belongs.is_none() {
            review_tier(programme, member, member.review_on, entries)?;
        }
        if programme.tiers.by_rules() {
            Ledger::new(programme, member, entries).raise_when_due(FellDue::Membership, done)?;
        }
    }
    member.as_of = until;
    release(programme, member, until, entries)?;
    expire(programme, member, programme.day(until), entries)
}

/// Puts back the points of holds that were not confirmed by `until`. What has expired meanwhile is back for as long as
/// it takes to expire.
fn release(
    programme: &Programme,
    member: &mut Member,
    until: Instant,
    entries: &mut Vec<Entry>,
) -> Result<(), Overflow> {
    let (mut lapsed, open): (Vec<Hold>, Vec<Hold>) =
        std::mem::take(&mut member.holds).into_iter().partition(|hold| hold.until <= until);
    member.holds = open;
    lapsed.sort_by_key(|hold| (hold.until, hold.seq));
    for hold in lapsed {
        expire(programme, member, programme.day(hold.until), entries)?;
        let returned = Returned {
            request_id: Some(hold.request_id.clone()),
            seq: hold.seq,
            points: hold.points(),
            lots: &hold.lots,
            at: hold.until,
        };
        let mut ledger = Ledger::new(programme, member, entries);
        give_back(&mut ledger, &RuleId::new("hold"), Reason::HoldLapsed, returned)?;
    }
    Ok(())
}

/// Posts points whose last valid day was before `day`: an entry for each such day, as if a run had come on every one.
fn expire(
    programme: &Programme,
    member: &mut Member,
    day: NaiveDate,
    entries: &mut Vec<Entry>,
) -> Result<(), Overflow> {
    // In the order of their days, each once.
    let days = member.lots.as_slice().iter().filter_map(|lot| lot.expiry.day());
    let over: Vec<NaiveDate> = days.take_while(|last| *last < day).collect();
    let together = over.len().saturating_sub(EXPIRIES_MAX);
    for last in over.into_iter().skip(together) {
        let gone = plus_days(last, 1);
        let (expired, at) = (member.lots.take_expired(gone), day_start(programme.zone, gone));
        let posting = Posting::new(EntryKind::Expiration, RuleId::new("expiry"), Reason::PointsExpired, at);
        Ledger::new(programme, member, entries).expire(posting, expired)?;
    }
    Ok(())
}

/// Reviews the tier on the day its cycle is over: evaluate, extend or lower it, zero the qualifying points, begin the
/// next cycle (X8). A cycle in which nothing happened ends without an entry.
fn review_tier(
    programme: &Programme,
    member: &mut Member,
    due: NaiveDate,
    entries: &mut Vec<Entry>,
) -> Result<(), Overflow> {
    let verdict = verdict(programme, member);
    if verdict.reason == Reason::TierMissed && programme.review.grace_days > 0 && !member.in_grace {
        member.in_grace = true;
        member.review_on = plus_days(due, programme.review.grace_days);
        return Ok(());
    }
    member.in_grace = false;
    member.cycle_start = due;
    let anchor = match programme.review.anchor {
        Anchor::Activation => member.activated_at,
        Anchor::TierStart => member.tier_since,
    };
    member.review_on = programme.cycle.end_since(programme.day(anchor), due);
    let takes = programme.review.reset_redeemable && member.redeemable_points() > 0;
    let held = programme.tiers.rank(&member.tier);
    if held > programme.tiers.rank(&verdict.tier) && held > programme.rank_lost(member) {
        member.lost_tier = Some(member.tier.clone());
    }
    member.cycle = CycleSums::default();
    if verdict.reason != Reason::CycleEnded || member.balance.qualifying.0 != 0 || takes {
        let at = day_start(programme.zone, due);
        let posting = Posting::new(EntryKind::Reset, RuleId::new("tier-review"), verdict.reason, at);
        Ledger::new(programme, member, entries).reset(posting, verdict.tier, programme.review.reset_redeemable)?;
    }
    member.tier_floor = member.tier.clone();
    member.tier_asked = None;
    Ok(())
}

struct Verdict {
    tier: TierId,
    reason: Reason,
}

/// The tier that the next review leaves a member in who earns nothing more, days of grace over (T9, T10).
pub fn projected_tier(programme: &Programme, member: &Member) -> TierId {
    verdict(programme, member).tier
}

/// What a review says of a member's tier (T9, T10, X6). A tier that this version of the programme does not have is as
/// good as the base tier.
fn verdict(programme: &Programme, member: &Member) -> Verdict {
    let tiers = &programme.tiers;
    let keeps = |reason| Verdict { tier: member.tier.clone(), reason };
    let Some(rank) = tiers.rank(&member.tier) else {
        return Verdict { tier: base(programme, member), reason: Reason::TierMissed };
    };
    if rank == 0 {
        return keeps(Reason::CycleEnded);
    }
    if programme.tier_authority == TierAuthority::Outside {
        return keeps(Reason::CycleEnded);
    }
    if missing_to_keep(programme, member).is_nothing() {
        return keeps(Reason::TierKept);
    }
    let below = || tiers.as_slice().get(rank.saturating_sub(1)).map(|tier| tier.id.clone());
    let next = match programme.review.downgrade {
        Downgrade::None => return keeps(Reason::TierKept),
        Downgrade::OneLevel => below(),
        Downgrade::ToBase => Some(base(programme, member)),
        Downgrade::BalanceBased => tiers.as_slice().get(programme.reached(member)).map(|tier| tier.id.clone()),
    };
    Verdict { tier: next.unwrap_or_else(|| base(programme, member)), reason: Reason::TierMissed }
}

fn base(programme: &Programme, member: &Member) -> TierId {
    programme.tiers.base().map_or_else(|| member.tier.clone(), |tier| tier.id.clone())
}
