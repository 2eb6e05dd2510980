//! Adjustments: an operator gives or takes points, and says why.

use crate::advance::advance;
use crate::decision::{Decision, Outcome, Rejection};
use crate::ids::RuleId;
use crate::ledger::{EntryKind, Ledger, Note, Posting, Reason, TierCause, takeable};
use crate::member::Member;
use crate::points::Legs;
use crate::programme::Programme;
use crate::request::{Asked, Request, RequestKind};
use crate::time::Instant;

/// What an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustment {
    pub asked: Asked,
    /// Signed, both kinds; given and taken at once is refused as no adjustment a person can explain.
    pub legs: Legs,
    pub note: Note,
}

/// Posts an adjustment. What it takes beyond the balance becomes debt, or is refused, as the programme's rule for
/// negative balances says (X22).
///
/// # Errors
/// A [`Rejection`] changes nothing.
pub fn adjust(
    programme: &Programme,
    mut member: Member,
    known: Option<&Request>,
    adjustment: Adjustment,
    now: Instant,
) -> Result<(Request, Decision), Rejection> {
    let Adjustment { asked, legs, note } = adjustment;
    if let Some(request) = asked.answered(known)? {
        return Ok((request, Decision::nothing(Outcome::Duplicate)));
    }
    let (gives, takes) = (any(legs, |points| points > 0), any(legs, |points| points < 0));
    if gives == takes {
        return Err(Rejection::NothingToAdjust);
    }
    let mut entries = Vec::new();
    advance(programme, &mut member, now, &mut entries)?;
    let rule = RuleId::new("adjustment");
    let posting = Posting::new(EntryKind::Adjustment, rule.clone(), Reason::AdjustedByOperator, now);
    let posting = Posting { note: Some(note), ..posting.asked_by(&asked) };
    if takes {
        let wanted = legs.redeemable.0.saturating_neg();
        let available = member.balance.redeemable.0;
        if takeable(programme.reversal.negative_balance, available, wanted) < wanted {
            return Err(Rejection::NotEnoughPoints { available, wanted });
        }
        let least = member.balance.qualifying.0.max(0);
        if legs.qualifying.0.saturating_neg() > least {
            return Err(Rejection::NotEnoughPoints { available: least, wanted: legs.qualifying.0.saturating_neg() });
        }
        Ledger::new(programme, &mut member, &mut entries).debit(posting, legs, Legs::ZERO, None)?;
    } else {
        let expiry = programme.expiry.of(programme.day(member.as_of));
        Ledger::new(programme, &mut member, &mut entries).credit(posting, legs, Legs::ZERO, expiry)?;
    }
    let request = Request { points: legs.redeemable.0, ..asked.accepted(RequestKind::Adjustment, rule, &member) };
    // Points to spend are no part of a tier: taking them costs none (P1).
    let undone = legs.qualifying.0 < 0;
    Ledger::new(programme, &mut member, &mut entries).follow_rules(undone, &TierCause::at(now))?;
    let decision = Decision { request: Some(request.clone()), ..Decision::posted(member, entries) };
    Ok((request, decision))
}

fn any(legs: Legs, holds: impl Fn(i64) -> bool) -> bool {
    holds(legs.redeemable.0) || holds(legs.qualifying.0)
}
