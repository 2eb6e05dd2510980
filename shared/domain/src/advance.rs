//! Brings a member up to an instant: what fell due since is posted before anything else is decided.
//!
//! So a schedule that runs late, twice or never leaves the books the same.

use crate::ids::RuleId;
use crate::ledger::{Entry, EntryKind, Ledger, Posting, Reason};
use crate::member::Member;
use crate::points::Overflow;
use crate::programme::Programme;
use crate::time::Instant;

/// Posts what fell due until `now`: points whose last valid day has passed (E1–E3, X39).
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
    member.as_of = member.as_of.max(now);
    let expired = member.lots.take_expired(programme.day(member.as_of));
    if expired.is_empty() {
        return Ok(());
    }
    let posting = Posting {
        kind: EntryKind::Expiration,
        order_id: None,
        rule: RuleId::new("expiry"),
        reason: Reason::PointsExpired,
        reverses: None,
        explanation: None,
        occurred_at: member.as_of,
    };
    Ledger::new(programme, member, entries).expire(posting, expired)
}
