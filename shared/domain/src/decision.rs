//! What a verb answers: everything that is to be written, or a refusal. Plain data, complete (I2).

use crate::campaign::{Participation, settle};
use crate::ids::{MemberId, OrderId, RequestId, RuleId, VoucherId};
use crate::ledger::Entry;
use crate::member::Member;
use crate::merge::MergeProblem;
use crate::opening::OpeningProblem;
use crate::order::Order;
use crate::past::PastProblem;
use crate::points::Overflow;
use crate::programme::Programme;
use crate::request::Request;
use crate::voucher::{Grant, Voucher};

/// Everything one event changes: written in one transaction or not at all (I3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub outcome: Outcome,
    /// The member's next state; `None` leaves the row alone.
    pub member: Option<Member>,
    /// The next state of the member whom an order has left that was not bound to them (F23), or of one who has joined another.
    pub left_member: Option<Member>,
    /// The order's next state; `None` leaves the row alone.
    pub order: Option<Order>,
    /// New rows of the ledger, by rising `seq`. They are all of `member`, save those with which `left_member` joins them.
    pub entries: Vec<Entry>,
    /// The next states of participations. They are all of `member`.
    pub participations: Vec<Participation>,
    /// The next state of the request that asked for it.
    pub request: Option<Request>,
    /// Redeemable points to set aside from the budget of the campaign it enrols in.
    pub reserved_points: i64,
    /// The next states of vouchers that the order uses or gives back.
    pub vouchers: Vec<Voucher>,
    /// Vouchers to give: each is put once, under an id that its grant decides.
    pub grants: Vec<Grant>,
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
        Self {
            outcome,
            member: None,
            left_member: None,
            order: None,
            entries: Vec::new(),
            participations: Vec::new(),
            request: None,
            reserved_points: 0,
            vouchers: Vec::new(),
            grants: Vec::new(),
        }
    }

    /// This decision, and what it ends of a member's campaigns: a promotion completes the participations in those whose
    /// audience is left by it (C3, C4), whatever brought it. `active` are the participations that go on, as far as the
    /// decision does not say itself what becomes of them.
    #[must_use]
    pub fn ending(mut self, programme: &Programme, active: &[Participation]) -> Self {
        let Some(member) = self.member.as_mut().filter(|_| !self.entries.is_empty()) else { return self };
        let own = |one: &&Participation| self.participations.iter().any(|known| known.campaign == one.campaign);
        let before: Vec<Participation> = active.iter().filter(|one| !own(one)).cloned().collect();
        let ended = settle(programme, member, &mut self.entries, &before, before.clone());
        self.participations.extend(ended);
        self
    }

    /// Whether an entry raises the tier.
    pub fn raises_the_tier(&self, programme: &Programme) -> bool {
        let rank = |tier| programme.tiers.rank(tier);
        self.entries.iter().any(|entry| rank(&entry.tier_before) < rank(&entry.tier_after))
    }

    /// A member's next state and the entries that led to it.
    pub fn posted(member: Member, entries: Vec<Entry>) -> Self {
        Self { member: Some(member), entries, ..Self::nothing(Outcome::Posted) }
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
    #[error("the request {0} is not a redemption of this member")]
    NotARedemption(RequestId),
    #[error("the redemption was released, undone or has lapsed: its points are back")]
    RedemptionOver,
    #[error("the same key was used for another request")]
    KeyUsedOtherwise,
    #[error("the member already has {0} redemptions that wait to be confirmed")]
    TooManyHolds(usize),
    #[error("the programme has no reward {0:?}")]
    UnknownReward(String),
    #[error("the reward takes {least} points or more, in steps of {step}, up to {most}")]
    NotAStep { least: i64, step: i64, most: i64 },
    #[error("the order is worth {order_minor} minor units; the reward asks for {least_minor} or more")]
    OrderTooSmall { order_minor: i64, least_minor: i64 },
    #[error("the reward pays at most {most} points of this order")]
    OverCap { most: i64 },
    #[error("the programme rewards no behaviour {0:?}")]
    UnknownBehaviour(String),
    #[error("the behaviour has been rewarded as often as the programme allows")]
    LimitReached,
    #[error("an adjustment moves at least one point")]
    NothingToAdjust,
    #[error("an amount must be above zero")]
    NoAmount,
    #[error("the programme takes no top-ups")]
    NoTopups,
    #[error("this programme decides tiers itself")]
    TiersAreOurs,
    #[error("the programme has no tier {0:?}")]
    UnknownTier(String),
    #[error("the order names a member that was not loaded: {0}")]
    WrongMember(MemberId),
    #[error("the member cannot begin like this: {0}")]
    CannotOpen(OpeningProblem),
    #[error("the members cannot be merged: {0}")]
    CannotMerge(MergeProblem),
    #[error("the order cannot be brought along: {0}")]
    CannotBring(PastProblem),
}

/// A decision, or the rows that must be read before it can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "the decision is the common case and is moved once")]
pub enum Verdict {
    Decided(Decision),
    /// Read this member too and ask again: the order still belongs to them.
    NeedsMember(MemberId),
    /// Read this member's whole history, and in front of it those of the members who joined them, and ask again (X23).
    NeedsHistory(MemberId),
    /// Read this member's participations in these campaigns, those that exist, and ask again (C5, X18, X19). What is older
    /// than the member's and the order's rows ([`read_too_early`](crate::campaign::read_too_early)) is no answer.
    NeedsParticipations(MemberId, Vec<RuleId>),
    /// Read those of these vouchers that exist, and all that were used for the order if there is one, and ask again.
    NeedsVouchers {
        named: Vec<VoucherId>,
        used_for: Option<OrderId>,
    },
}
