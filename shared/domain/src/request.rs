//! Commands that come with an idempotency key, and what became of them.
//!
//! The row is written in the same transaction as what the command posted, and it stays for good: a repeated command is
//! answered from it, and the same key with another content is refused.

use crate::decision::Rejection;
use crate::ids::{MemberId, RequestId, RuleId};
use crate::member::Member;
use crate::time::Instant;
use crate::voucher::Offer;

/// One accepted command: one row of `requests`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub request_id: RequestId,
    pub member_id: MemberId,
    pub kind: RequestKind,
    /// Digest of the command's content, under which the key was first used.
    pub fingerprint: String,
    pub state: RequestState,
    /// The behaviour, the reward or the model of top-up it names.
    pub rule: RuleId,
    /// Redeemable points it moved; negative when it took them.
    pub points: i64,
    /// What it is worth in money, minor units of the programme's currency: the discount of a redemption, what a top-up
    /// added to the wallet.
    pub worth_minor: i64,
    /// `seq` of the entry it posted.
    pub seq: u64,
    /// Until when a held redemption can be confirmed.
    pub hold_until: Option<Instant>,
    /// The voucher that a redemption buys, as it was offered when it was asked for: what is held does not depend on
    /// whether the programme still offers it.
    pub buys: Option<Offer>,
    pub created_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    Redemption,
    Adjustment,
    Behaviour,
    Topup,
    Opening,
    Merge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestState {
    /// A redemption that waits to be confirmed until `hold_until`.
    Held,
    /// Final, though a redemption can be undone.
    Confirmed,
    /// A redemption that was released or undone.
    Undone,
}

/// A command as it is asked for: what makes two of them the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub request_id: RequestId,
    pub fingerprint: String,
}

impl Asked {
    /// The request that was accepted under this key, if there is one.
    ///
    /// # Errors
    /// [`Rejection::KeyUsedOtherwise`] when its content was another.
    pub fn answered(&self, known: Option<&Request>) -> Result<Option<Request>, Rejection> {
        match known {
            None => Ok(None),
            Some(request) if request.fingerprint == self.fingerprint => Ok(Some(request.clone())),
            Some(_) => Err(Rejection::KeyUsedOtherwise),
        }
    }

    /// The request as it is written once the member's last entry has been posted for it: final, moving no points and
    /// worth nothing unless the caller says otherwise.
    pub(crate) fn accepted(self, kind: RequestKind, rule: RuleId, member: &Member) -> Request {
        Request {
            request_id: self.request_id,
            member_id: member.member_id.clone(),
            kind,
            fingerprint: self.fingerprint,
            state: RequestState::Confirmed,
            rule,
            points: 0,
            worth_minor: 0,
            seq: member.last_seq,
            hold_until: None,
            buys: None,
            created_at: member.as_of,
        }
    }
}

impl Request {
    /// Where a redemption stands at an instant: a hold that was not confirmed in time is over, whether or not its points
    /// have been put back yet.
    pub fn state_at(&self, now: Instant) -> RequestState {
        match (self.state, self.hold_until) {
            (RequestState::Held, Some(until)) if until <= now => RequestState::Undone,
            (state, _) => state,
        }
    }
}
