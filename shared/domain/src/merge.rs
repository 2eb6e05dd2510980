//! Merges: two members turn out to be one person, and one of them goes on (X43).
//!
//! Everything that counts moves in one decision: points with the days they expire on, the qualifying points and sums of
//! the running cycle, the wallet, what was spent. The member who joins keeps their row, which says where they went, and
//! their history, whose last entry takes away what the other's entry brings. Orders stay where they are: the next word
//! about one finds it under the member who goes on, and what it takes back is taken from them.
//!
//! A merge is one step deep and for good. Whoever has taken somebody in joins nobody, so an alias is never followed twice.

use chrono::NaiveDate;

use crate::advance::advance;
use crate::campaign::{Campaign, Participation, settle};
use crate::criteria::CycleSums;
use crate::decision::{Decision, Outcome, Rejection};
use crate::ids::{MemberId, RuleId};
use crate::ledger::{EntryKind, Ledger, MergeNote, Posting, Reason, TierCause};
use crate::member::{Member, Profile};
use crate::order::{Credit, Order, OrderSnapshot};
use crate::points::Overflow;
use crate::programme::Programme;
use crate::request::{Asked, Request, RequestKind};
use crate::time::Instant;
use crate::welcome;

/// Members that one member can take in, so that the row stays small and their histories can be read.
pub const MERGES_MAX: usize = 10;

/// Where a member went: stands on the row of who joined another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    pub into: MemberId,
    pub at: Instant,
    /// The first day of the cycle that the other was in: what belonged to the joining member's running cycle belongs to
    /// that one from then on.
    pub cycle_start: NaiveDate,
}

/// The rows a merge concerns.
#[derive(Clone, Debug)]
pub struct MergeRows<'a> {
    /// The member who goes on.
    pub into: Member,
    /// The member who joins.
    pub from: Member,
    pub known: Option<&'a Request>,
    /// The participations of who goes on in the campaigns they are active in.
    pub participations: Vec<Participation>,
    /// Those of who joins, which end with the merge.
    pub ends: &'a [Participation],
}

/// Why two members cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeProblem {
    #[error("a member cannot be merged into themselves")]
    SameMember,
    #[error("{member} was merged into {into} before")]
    MergedBefore { member: MemberId, into: MemberId },
    #[error("{member} has taken in {others} other members and cannot join another: merge the other way round")]
    HasTakenIn { member: MemberId, others: usize },
    #[error("{member} has taken in {MERGES_MAX} members, and no more can be followed")]
    TooMany { member: MemberId },
    #[error("{member} has redemptions that wait to be confirmed: confirm or release them first")]
    HoldsWait { member: MemberId },
    #[error(
        "{member} has orders that wait for the paused campaign {campaign}: end its pause first, or merge the other way round"
    )]
    OrdersWait { member: MemberId, campaign: RuleId },
}

impl From<MergeProblem> for Rejection {
    fn from(problem: MergeProblem) -> Self {
        Self::CannotMerge(problem)
    }
}

/// Merges one member into another, once: a merge that was done before changes nothing.
///
/// The tier of who goes on follows from their points as after any other entry (T7); the other's tier is not carried over.
/// Participations stay with the member they were granted to, and those of who joins end there.
///
/// # Errors
/// A [`Rejection`] changes nothing.
pub fn merge(
    programme: &Programme,
    rows: MergeRows<'_>,
    asked: Asked,
    now: Instant,
) -> Result<(Request, Decision), Rejection> {
    let MergeRows { mut into, mut from, known, participations, ends } = rows;
    if let Some(request) = asked.answered(known)? {
        return Ok((request, Decision::nothing(Outcome::Duplicate)));
    }
    check(&into, &from)?;
    // Both stand at one instant, so that neither entry is older than what is in front of it.
    let at = now.max(into.as_of).max(from.as_of);
    // What waits for a campaign that is over waits for nothing.
    let may_go_on = |campaign: &&Campaign| campaign.until.is_none_or(|until| at < until);
    let waits = |part: &&Participation| {
        !part.waiting.is_empty() && programme.campaign(&part.campaign).filter(may_go_on).is_some()
    };
    if let Some(waits) = ends.iter().find(waits) {
        let (member, campaign) = (from.member_id, waits.campaign.clone());
        return Err(MergeProblem::OrdersWait { member, campaign }.into());
    }
    let (mut left, mut entries) = (Vec::new(), Vec::new());
    advance(programme, &mut from, at, &mut left)?;
    advance(programme, &mut into, at, &mut entries)?;
    // A redemption that was not confirmed has lapsed by now, or it waits.
    if !from.holds.is_empty() {
        return Err(MergeProblem::HoldsWait { member: from.member_id }.into());
    }
    let (legs, wallet_minor) = (from.balance, from.wallet_minor);
    let lots = from.lots.as_slice().to_vec();
    let cycles = (from.cycle_start, into.cycle_start);
    let next = |member: &Member| member.last_seq.checked_add(1).ok_or(Overflow);
    let (seq_out, seq_in) = (next(&from)?, next(&into)?);
    let note = |member_id: &MemberId, seq| MergeNote {
        member_id: member_id.clone(),
        seq,
        from_cycle: cycles.0,
        into_cycle: cycles.1,
    };
    let rule = RuleId::new("merge");
    let posting = |kind| Posting::new(kind, rule.clone(), Reason::MembersMerged, now);
    let note_out = note(&into.member_id, seq_in);
    Ledger::new(programme, &mut from, &mut left).merge_out(posting(EntryKind::MergeOut), note_out)?;
    let note_in = note(&from.member_id, seq_out);
    let posting_in = posting(EntryKind::MergeIn).asked_by(&asked);
    bring(&mut into, &mut from)?;
    Ledger::new(programme, &mut into, &mut entries).merge_in(posting_in, (legs, &lots), wallet_minor, note_in)?;
    let accepted = asked.accepted(RequestKind::Merge, rule, &into);
    let request = Request { points: legs.redeemable.0, worth_minor: wallet_minor, ..accepted };
    from.merged = Some(Merged { into: into.member_id.clone(), at, cycle_start: cycles.1 });
    into.merged_from.push(from.member_id.clone());
    Ledger::new(programme, &mut into, &mut entries).follow_rules(false, &TierCause::at(now))?;
    let participations = settle(programme, &mut into, &mut entries, &participations, participations.clone());
    left.extend(entries);
    let decision = Decision {
        left_member: Some(from),
        participations,
        request: Some(request.clone()),
        ..Decision::posted(into, left)
    };
    Ok((request, decision))
}

fn check(into: &Member, from: &Member) -> Result<(), MergeProblem> {
    if into.member_id == from.member_id {
        return Err(MergeProblem::SameMember);
    }
    for member in [from, into] {
        if let Some(merged) = &member.merged {
            let (member, into) = (member.member_id.clone(), merged.into.clone());
            return Err(MergeProblem::MergedBefore { member, into });
        }
    }
    if !from.merged_from.is_empty() {
        return Err(MergeProblem::HasTakenIn { member: from.member_id.clone(), others: from.merged_from.len() });
    }
    if into.merged_from.len() >= MERGES_MAX {
        return Err(MergeProblem::TooMany { member: into.member_id.clone() });
    }
    Ok(())
}

/// Moves what no entry states: sums of orders (X44, T17), and the person. What is known of who goes on stays.
fn bring(into: &mut Member, from: &mut Member) -> Result<(), Overflow> {
    let sum = |one: &mut i64, other: &mut i64| -> Result<(), Overflow> {
        *one = one.checked_add(std::mem::take(other)).ok_or(Overflow)?;
        Ok(())
    };
    sum(&mut into.spent_minor, &mut from.spent_minor)?;
    sum(&mut into.orders_count, &mut from.orders_count)?;
    let brought = welcome::take(from).map(|credit| credit_moved(credit, (from.cycle_start, into.cycle_start)));
    let welcomes = [welcome::take(into), brought];
    sum(&mut into.pending_points, &mut from.pending_points)?;
    let CycleSums { mut spent_minor, mut orders, behaviours } = std::mem::take(&mut from.cycle);
    sum(&mut into.cycle.spent_minor, &mut spent_minor)?;
    sum(&mut into.cycle.orders, &mut orders)?;
    for (rule, times) in behaviours {
        let known = into.cycle.behaviours.entry(rule).or_default();
        *known = known.saturating_add(times);
    }
    into.last_ordered_at = into.last_ordered_at.max(from.last_ordered_at);
    into.first_ordered_at = [into.first_ordered_at, from.first_ordered_at].into_iter().flatten().min();
    // What either was told or given, such as the year's birthday voucher, the person had.
    into.noticed_to = into.noticed_to.max(from.noticed_to);
    // Rather told twice of points that will be gone than never.
    into.expiring_told_to = into.expiring_told_to.min(from.expiring_told_to);
    if into.first_order.is_none() {
        into.first_order.clone_from(&from.first_order);
    }
    // One person has one first order, and that takes back one welcome: rather one that was given than one promised.
    let waiting = welcomes.into_iter().flatten().filter(|_| into.first_order.is_none());
    if let Some(credit) = waiting.min_by_key(|credit| credit.posted.is_zero()) {
        welcome::keep(into, credit)?;
    }
    let person = std::mem::take(&mut from.profile);
    if into.erased_at.is_none() {
        into.profile = std::mem::take(&mut into.profile).or(person);
    }
    // What was said before either was forgotten tells nothing of the one person they are.
    into.erased_at = into.erased_at.max(from.erased_at);
    Ok(())
}

/// The cycle of who goes on that a cycle of who joined is from then on: the running one is the running one, and one that
/// was over stays over.
fn cycle_after(cycle_start: NaiveDate, (from_cycle, into_cycle): (NaiveDate, NaiveDate)) -> NaiveDate {
    if cycle_start >= from_cycle {
        return into_cycle;
    }
    let before = into_cycle.pred_opt().unwrap_or(into_cycle);
    cycle_start.min(before)
}

fn credit_moved(mut credit: Credit, cycles: (NaiveDate, NaiveDate)) -> Credit {
    credit.terms.cycle_start = cycle_after(credit.terms.cycle_start, cycles);
    credit.in_cycle.cycle_start = cycle_after(credit.in_cycle.cycle_start, cycles);
    credit
}

/// An order and a snapshot of it as they concern those who go on: what names a member of `merged` names whom they joined.
/// A snapshot under the old number tells nothing of the number, and nothing at all of who was forgotten before it.
pub fn follow(order: Option<Order>, mut snapshot: OrderSnapshot, merged: &[&Member]) -> (Option<Order>, OrderSnapshot) {
    let joined = |member_id: &MemberId| {
        let member = merged.iter().find(|member| member.member_id == *member_id)?;
        Some((*member, member.merged.as_ref()?))
    };
    if let Some((member, merged)) = snapshot.member_id.as_ref().and_then(joined) {
        snapshot.member_id = Some(merged.into.clone());
        snapshot.profile.phone = None;
        if !member.is_known_by(snapshot.facts.placed_at) {
            snapshot.profile = Profile::default();
        }
    }
    let order = order.map(|order| match order.owner.as_ref().and_then(|owner| joined(&owner.member_id)) {
        Some((member, merged)) => moved(order, member, merged),
        None => order,
    });
    (order, snapshot)
}

fn moved(mut order: Order, from: &Member, merged: &Merged) -> Order {
    if let Some(owner) = &mut order.owner {
        owner.member_id = merged.into.clone();
    }
    order.from = Some(from.member_id.clone());
    let cycles = (from.cycle_start, merged.cycle_start);
    if let Some(imported) = &mut order.imported {
        imported.cycle_start = cycle_after(imported.cycle_start, cycles);
    }
    order.credits = order.credits.into_iter().map(|credit| credit_moved(credit, cycles)).collect();
    order
}
