//! Spending points, and undoing it: points return to the lots they came from.

use crate::advance::advance;
use crate::decision::{Decision, Outcome, Rejection};
use crate::ids::RuleId;
use crate::ledger::{Entry, EntryKind, Ledger, Posting, Reason};
use crate::member::Member;
use crate::points::Legs;
use crate::programme::Programme;
use crate::time::Instant;

/// Spends redeemable points, soonest-expiring first (X40).
///
/// # Errors
/// [`Rejection::NothingToSpend`] for zero or fewer points, [`Rejection::NotEnoughPoints`] when the member has less.
pub fn redeem(
    programme: &Programme,
    mut member: Member,
    points: i64,
    rule: RuleId,
    now: Instant,
) -> Result<Decision, Rejection> {
    if points <= 0 {
        return Err(Rejection::NothingToSpend);
    }
    let mut entries = Vec::new();
    advance(programme, &mut member, now, &mut entries)?;
    let available = member.redeemable_points();
    if available < points {
        return Err(Rejection::NotEnoughPoints { available, wanted: points });
    }
    let posting = posting(EntryKind::Redemption, rule, Reason::PointsSpent, None, now);
    let legs = Legs::new(points.saturating_neg(), 0);
    Ledger::new(programme, &mut member, &mut entries).debit(posting, legs, Legs::ZERO, None)?;
    Ok(written(member, entries))
}

/// Undoes a redemption: its points go back to the lots they came from; debt takes its part first.
///
/// # Errors
/// [`Rejection::NotARedemption`] when the entry is none of this member's.
pub fn restore(
    programme: &Programme,
    mut member: Member,
    redemption: &Entry,
    now: Instant,
) -> Result<Decision, Rejection> {
    if redemption.kind != EntryKind::Redemption || redemption.member_id != member.member_id {
        return Err(Rejection::NotARedemption { seq: redemption.seq });
    }
    let mut entries = Vec::new();
    advance(programme, &mut member, now, &mut entries)?;
    let posting =
        posting(EntryKind::Restoration, redemption.rule.clone(), Reason::RedemptionUndone, Some(redemption.seq), now);
    let points = redemption.legs.redeemable.0.saturating_neg();
    Ledger::new(programme, &mut member, &mut entries).put_back(posting, points, &redemption.lots)?;
    Ok(written(member, entries))
}

fn posting(kind: EntryKind, rule: RuleId, reason: Reason, reverses: Option<u64>, now: Instant) -> Posting {
    Posting { kind, order_id: None, rule, reason, reverses, explanation: None, occurred_at: now }
}

fn written(member: Member, entries: Vec<Entry>) -> Decision {
    Decision { outcome: Outcome::Posted, member: Some(member), left_member: None, order: None, entries }
}
