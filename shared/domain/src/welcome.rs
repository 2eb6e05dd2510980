//! Welcome points: for who is new, once, and tied to their first order (P14, R6, X25, X26).
//!
//! Whoever registers without an order is welcomed then, and their row keeps the credit until the first order takes it
//! over. Whoever is first heard of by an order is welcomed with it.

use crate::advance::advance;
use crate::dues::grant;
use crate::ids::RuleId;
use crate::ledger::{Entry, EntryKind, Ledger, Posting, Reason};
use crate::member::Member;
use crate::order::{Credit, TermsAmount};
use crate::points::{Legs, Overflow};
use crate::programme::{EarnWhen, Programme, ReversalRules, Welcome, WelcomeWhen};
use crate::reconcile::terms;
use crate::time::Instant;

/// Welcomes a member who has registered at `occurred_at`: points at once, or promised until the first delivery (X25).
/// Nothing where they were welcomed before, have ordered, or came along from another system. Answers what was posted.
///
/// # Errors
/// [`Overflow`] beyond 64 bits; the member is then to be thrown away.
pub fn welcome(
    programme: &Programme,
    member: &mut Member,
    occurred_at: Instant,
    now: Instant,
) -> Result<Vec<Entry>, Overflow> {
    let mut entries = Vec::new();
    let Some(welcome) = programme.welcome.filter(|_| member.first_order.is_none() && member.welcome.is_none()) else {
        return Ok(entries);
    };
    advance(programme, member, now, &mut entries)?;
    let mut credit = promised(programme, member, welcome);
    if let TermsAmount::Fixed { legs, pending_until: None } = credit.terms.amount {
        let posting = Posting::new(EntryKind::Welcome, RuleId::welcome(), Reason::WelcomePoints, occurred_at);
        grant(&mut Ledger::new(programme, member, &mut entries), posting, &mut credit, legs)?;
    }
    keep(member, credit)?;
    Ok(entries)
}

/// What a programme promises who is new. The points go when the first order is undone, and come back only where the
/// programme says so (R6, X25).
pub(crate) fn promised(programme: &Programme, member: &Member, welcome: Welcome) -> Credit {
    let pending_until = match welcome.when {
        WelcomeWhen::Immediate => None,
        WelcomeWhen::PendingUntilFirstDelivery => Some(EarnWhen::Delivered),
    };
    let amount = TermsAmount::Fixed { legs: Legs::new(i64::from(welcome.points), 0), pending_until };
    let reversal =
        ReversalRules { requires_paid: false, no_recredit_after_cancel: !welcome.regrant, ..programme.reversal };
    Credit::new(RuleId::welcome(), terms(programme, member, amount, reversal))
}

/// Puts the credit of a welcome on the row of a member who has not ordered.
pub(crate) fn keep(member: &mut Member, credit: Credit) -> Result<(), Overflow> {
    member.pending_points = member.pending_points.checked_add(pending(&credit)).ok_or(Overflow)?;
    member.welcome = Some(Box::new(credit));
    Ok(())
}

/// Takes the credit of a welcome from a member's row, if one waits there: the first order takes it over, or nothing will
/// and what was credited stays.
pub(crate) fn take(member: &mut Member) -> Option<Credit> {
    let credit = *member.welcome.take()?;
    member.pending_points = member.pending_points.saturating_sub(pending(&credit));
    Some(credit)
}

/// Redeemable points that a welcome promises while no order is there.
fn pending(credit: &Credit) -> i64 {
    match credit.terms.amount {
        TermsAmount::Fixed { legs, pending_until: Some(_) } => legs.redeemable.0,
        _ => 0,
    }
}
