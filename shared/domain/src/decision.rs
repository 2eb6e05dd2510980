//! What a verb answers: everything that is to be written, or a refusal. Plain data, complete (I2).

use crate::ids::MemberId;
use crate::ledger::Entry;
use crate::member::Member;
use crate::order::Order;
use crate::points::Overflow;

/// Everything one event changes: written in one transaction or not at all (I3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub outcome: Outcome,
    /// The member's next state; `None` leaves the row alone.
    pub member: Option<Member>,
    /// The next state of the member an uncredited order has left (F23).
    pub left_member: Option<Member>,
    /// The order's next state; `None` leaves the row alone.
    pub order: Option<Order>,
    /// New rows of the ledger, by rising `seq`. They are all of `member`.
    pub entries: Vec<Entry>,
}

/// What a decision comes to, for logs, metrics and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The same snapshot again: nothing to write (P15, X15).
    Duplicate,
    /// An older snapshot than the one known: nothing to write (X27, X29).
    Stale,
    /// Kept until a snapshot says who the customer is (X43).
    Waiting,
    /// The order's row is brought up to date; no points move.
    Noted,
    /// The member's row changes.
    Posted,
}

impl Decision {
    pub fn nothing(outcome: Outcome) -> Self {
        Self { outcome, member: None, left_member: None, order: None, entries: Vec::new() }
    }
}

/// A command that changes nothing, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("a figure leaves the range of points and money")]
    OutOfRange(#[from] Overflow),
    #[error("the programme has no tiers")]
    NoTiers,
    #[error("points to spend must be above zero")]
    NothingToSpend,
    #[error("not enough points: {available} available, {wanted} wanted")]
    NotEnoughPoints { available: i64, wanted: i64 },
    #[error("entry {seq} is not a redemption of this member")]
    NotARedemption { seq: u64 },
    #[error("the order names a member that was not loaded: {0}")]
    WrongMember(MemberId),
}

/// A decision, or the rows that must be read before it can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "the decision is the common case and is moved once")]
pub enum Verdict {
    Decided(Decision),
    /// Read this member too and ask again: the order still belongs to them.
    NeedsMember(MemberId),
    /// Read this member's whole history and ask again (X23).
    NeedsHistory(MemberId),
}
