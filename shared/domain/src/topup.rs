//! Top-ups: money paid into the member's wallet, and what the programme adds (B2–B4).

use chrono::NaiveDate;

use crate::advance::advance;
use crate::decision::{Decision, Rejection};
use crate::ids::RuleId;
use crate::ledger::{EntryKind, Ledger, Posting, Reason};
use crate::member::Member;
use crate::programme::Programme;
use crate::request::{Asked, Request, RequestKind};
use crate::time::Instant;
use crate::voucher::{Grant, Offer};

/// From which amount on a top-up brings something more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopupStep {
    /// Minor units of the programme's currency, above zero.
    pub amount_minor: i64,
    pub brings: Brings,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Brings {
    /// More money in the wallet, minor units of the programme's currency (B2).
    Money { minor: i64 },
    /// A voucher (B3) or turns of the mini-game (B4).
    Voucher(Offer),
}

/// Posts a top-up: the amount, and what the highest step it reaches adds.
///
/// # Errors
/// A [`Rejection`] changes nothing.
pub fn top_up(
    programme: &Programme,
    mut member: Member,
    known: Option<&Request>,
    asked: Asked,
    amount_minor: i64,
    now: Instant,
) -> Result<(Request, Decision), Rejection> {
    if let Some(request) = asked.answered(known)? {
        return Ok((request, Decision::nothing(crate::decision::Outcome::Duplicate)));
    }
    if amount_minor <= 0 {
        return Err(Rejection::NoAmount);
    }
    if programme.topups.is_empty() {
        return Err(Rejection::NoTopups);
    }
    let mut entries = Vec::new();
    advance(programme, &mut member, now, &mut entries)?;
    let added = match step(programme, amount_minor) {
        Some(Brings::Money { minor }) => *minor,
        Some(Brings::Voucher(_)) | None => 0,
    };
    let moved_minor = amount_minor.checked_add(added).ok_or(crate::points::Overflow)?;
    let rule = RuleId::new("topup");
    let posting = Posting::new(EntryKind::Topup, rule.clone(), Reason::WalletToppedUp, now).asked_by(&asked);
    Ledger::new(programme, &mut member, &mut entries).move_wallet(posting, moved_minor)?;
    let request = Request { worth_minor: moved_minor, ..asked.accepted(RequestKind::Topup, rule, &member) };
    let grant = voucher_brought(programme, &request, amount_minor, programme.day(member.as_of));
    let decision = Decision {
        request: Some(request.clone()),
        grants: grant.into_iter().collect(),
        ..Decision::posted(member, entries)
    };
    Ok((request, decision))
}

/// What the highest step that an amount reaches brings.
fn step(programme: &Programme, amount_minor: i64) -> Option<&Brings> {
    let step = programme.topups.iter().rev().find(|step| step.amount_minor <= amount_minor);
    step.map(|step| &step.brings)
}

/// The voucher that a top-up posted on `today` brings, if it does (B3, B4).
pub fn voucher_brought(programme: &Programme, request: &Request, amount_minor: i64, today: NaiveDate) -> Option<Grant> {
    match step(programme, amount_minor)? {
        Brings::Voucher(offer) if request.kind == RequestKind::Topup => {
            Some(Grant::new(&request.member_id, &format!("topup/{}", request.request_id), offer, today))
        }
        Brings::Voucher(_) | Brings::Money { .. } => None,
    }
}
