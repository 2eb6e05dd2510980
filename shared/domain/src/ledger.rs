//! The ledger: entries, and the one way to post them.
//!
//! An entry is never edited. `seq` has no gaps and `balance_after` is the running sum, so a member can be rebuilt from
//! their entries (I4). Posting moves balance, lots and tier together, so no rule can move one and forget another (I6).

use crate::ids::{MemberId, OrderId, ProgrammeVersion, RuleId, TierId};
use crate::lots::{Expiry, Lot};
use crate::member::Member;
use crate::order::{OrderFacts, Terms};
use crate::points::{Legs, Overflow};
use crate::programme::{NegativeBalance, Programme, ReversalDemotes};
use crate::time::Instant;

/// What kind of movement an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// An order earned, or earned more (P2–P4).
    Accrual,
    /// Welcome points (P14).
    Welcome,
    /// What an order was credited is taken back, whole or in part (R1, R3, R6).
    Reversal,
    /// Points were spent.
    Redemption,
    /// A redemption was undone: its points are back in the lots they came from.
    Restoration,
    /// The last valid day of points has passed (E1–E3).
    Expiration,
}

/// Why the points moved. Customers read it in their own language; this is its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    OrderEarned,
    /// The order came back after it had been undone (X28).
    OrderEarnedAgain,
    OrderAmountRaised,
    OrderAmountLowered,
    OrderPartlyReturned,
    OrderCancelled,
    OrderReturned,
    OrderRefunded,
    /// The newest snapshot no longer says delivered (and paid).
    OrderNoLongerEarns,
    WelcomePoints,
    FirstOrderUndone,
    PointsSpent,
    RedemptionUndone,
    PointsExpired,
}

/// One movement of points: one row of `points-history`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub member_id: MemberId,
    /// 1 for a member's first entry, then without gaps.
    pub seq: u64,
    pub kind: EntryKind,
    pub legs: Legs,
    pub balance_after: Legs,
    /// How the redeemable leg moved the lots; what is missing to the leg paid or made debt.
    pub lots: Vec<Lot>,
    /// What a reversal should have taken but did not (X21–X23). Negative on the entry of an order that came back: so much
    /// of what it deserves it never lost.
    pub written_off: Legs,
    pub tier_before: TierId,
    pub tier_after: TierId,
    pub order_id: Option<OrderId>,
    pub rule: RuleId,
    pub reason: Reason,
    /// `seq` of the entry this one takes back.
    pub reverses: Option<u64>,
    /// The figures it was computed from; `None` where no order is behind it.
    pub explanation: Option<Explanation>,
    /// The programme in force when it was posted.
    pub programme_version: ProgrammeVersion,
    /// When it happened, by whoever reported it.
    pub occurred_at: Instant,
    /// When it was posted: points are earned then.
    pub recorded_at: Instant,
}

/// From what an order's points were computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub terms: Terms,
    pub facts: OrderFacts,
    /// What the order deserves by these terms and facts.
    pub deserves: Legs,
}

/// Everything about an entry that its rule decides; posting fills in the rest.
#[derive(Clone, Debug)]
pub struct Posting {
    pub kind: EntryKind,
    pub order_id: Option<OrderId>,
    pub rule: RuleId,
    pub reason: Reason,
    pub reverses: Option<u64>,
    pub explanation: Option<Explanation>,
    pub occurred_at: Instant,
}

/// The member being written and the entries posted so far in this decision.
pub struct Ledger<'a> {
    programme: &'a Programme,
    pub member: &'a mut Member,
    pub entries: &'a mut Vec<Entry>,
}

impl<'a> Ledger<'a> {
    pub fn new(programme: &'a Programme, member: &'a mut Member, entries: &'a mut Vec<Entry>) -> Self {
        Self { programme, member, entries }
    }

    /// The day, in the programme's zone, that the decision is taken on.
    pub fn today(&self) -> chrono::NaiveDate {
        self.programme.day(self.member.as_of)
    }

    /// Posts points given. Debt is paid first; the rest goes to the lot of its expiry (X22, ST6).
    ///
    /// # Errors
    /// [`Overflow`] beyond 64 bits; the member is then to be thrown away.
    pub fn credit(&mut self, posting: Posting, legs: Legs, written_off: Legs, expiry: Expiry) -> Result<(), Overflow> {
        let to_lot = legs.redeemable.0.saturating_sub(self.member.debt()).max(0);
        let lot = Lot { expiry, points: to_lot };
        self.member.lots.put(lot)?;
        let lots = if to_lot > 0 { vec![lot] } else { Vec::new() };
        self.post(posting, legs, written_off, lots)
    }

    /// Posts points taken: from the lot of `own` first, then soonest-expiring first (X40); what the lots do not hold
    /// becomes debt. `legs` is negative.
    ///
    /// # Errors
    /// [`Overflow`] beyond 64 bits; the member is then to be thrown away.
    pub fn debit(
        &mut self,
        posting: Posting,
        legs: Legs,
        written_off: Legs,
        own: Option<Expiry>,
    ) -> Result<(), Overflow> {
        let lots = self.member.lots.take(legs.redeemable.0.checked_neg().ok_or(Overflow)?, own);
        self.post(posting, legs, written_off, lots)
    }

    /// Posts points put back into the lots they came from; debt takes its part first.
    ///
    /// # Errors
    /// [`Overflow`] beyond 64 bits; the member is then to be thrown away.
    pub fn put_back(&mut self, posting: Posting, points: i64, came_from: &[Lot]) -> Result<(), Overflow> {
        let mut left = points.saturating_sub(self.member.debt()).max(0);
        let mut lots = Vec::new();
        for lot in came_from.iter().rev() {
            let back = Lot { expiry: lot.expiry, points: lot.points.saturating_abs().min(left) };
            if back.points > 0 {
                self.member.lots.put(back)?;
                left = left.saturating_sub(back.points);
                lots.push(back);
            }
        }
        self.post(posting, Legs::new(points, 0), Legs::ZERO, lots)
    }

    /// Posts points whose last valid day has passed; they have left the lots already (E1).
    ///
    /// # Errors
    /// [`Overflow`] beyond 64 bits; the member is then to be thrown away.
    pub fn expire(&mut self, posting: Posting, lots: Vec<Lot>) -> Result<(), Overflow> {
        let points = lots.iter().try_fold(0_i64, |sum, lot| sum.checked_add(lot.points)).ok_or(Overflow)?;
        self.post(posting, Legs::new(points, 0), Legs::ZERO, lots)
    }

    fn post(&mut self, posting: Posting, legs: Legs, written_off: Legs, lots: Vec<Lot>) -> Result<(), Overflow> {
        let member = &mut *self.member;
        member.balance = member.balance.plus(legs)?;
        member.last_seq = member.last_seq.checked_add(1).ok_or(Overflow)?;
        let tier_before = member.tier.clone();
        settle_tier(self.programme, member, legs.qualifying.0 < 0);
        self.entries.push(Entry {
            member_id: member.member_id.clone(),
            seq: member.last_seq,
            kind: posting.kind,
            legs,
            balance_after: member.balance,
            lots,
            written_off,
            tier_before,
            tier_after: member.tier.clone(),
            order_id: posting.order_id,
            rule: posting.rule,
            reason: posting.reason,
            reverses: posting.reverses,
            explanation: posting.explanation,
            programme_version: self.programme.version.clone(),
            occurred_at: posting.occurred_at,
            recorded_at: member.as_of,
        });
        Ok(())
    }
}

/// Upgrades as soon as a threshold is reached (T7); a reversal may undo what the points it took had earned (R5, X20).
fn settle_tier(programme: &Programme, member: &mut Member, reversed: bool) {
    let tiers = &programme.tiers;
    let (Some(reached), Some(held)) =
        (tiers.reached(member.balance.qualifying.0).and_then(|tier| tiers.rank(&tier.id)), tiers.rank(&member.tier))
    else {
        return; // A tier this version does not have is left as it is until its review.
    };
    let floor = tiers.rank(&member.tier_floor).unwrap_or(0);
    let next = if reached > held {
        reached
    } else if !reversed {
        held
    } else {
        match programme.reversal_demotes {
            ReversalDemotes::Never => held,
            ReversalDemotes::ToFloor => reached.max(floor).min(held),
            ReversalDemotes::ByBalance => reached,
        }
    };
    if let Some(tier) = tiers.as_slice().get(next).filter(|_| next != held) {
        member.tier = tier.id.clone();
        member.tier_since = member.as_of;
    }
}

/// How much of a reversal of `wanted` redeemable points may be taken from a balance (X22). Both are points; `wanted` is
/// positive, and so is the answer, which is never more than `wanted`.
pub fn takeable(policy: NegativeBalance, balance: i64, wanted: i64) -> i64 {
    let above = |limit: i64| balance.saturating_add(limit).max(0).min(wanted);
    match policy {
        NegativeBalance::Allow => wanted,
        NegativeBalance::Clamp => above(0),
        NegativeBalance::PendingOnly => 0,
        NegativeBalance::Limit(points) => above(i64::from(points)),
    }
}
