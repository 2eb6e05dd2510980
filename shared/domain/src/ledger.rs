//! The ledger: entries, and the one way to post them.
//!
//! An entry is never edited. `seq` has no gaps and `balance_after` is the running sum, so a member can be rebuilt from
//! their entries (I4). Posting moves balance, lots and tier together, so no rule can move one and forget another (I6).

use crate::campaign::ParticipationNote;
use crate::ids::{MemberId, OrderId, ProgrammeVersion, RequestId, RuleId, TierId};
use crate::lots::{Expiry, Lot, Lots};
use crate::member::Member;
use crate::order::{Imported, OrderFacts, Terms};
use crate::points::{Legs, Overflow};
use crate::programme::{NegativeBalance, Programme, TierAuthority};
use crate::request::Asked;
use crate::tiering::{hold_tier, next_rank, promoted, settle_tier};
use crate::time::Instant;

/// What kind of movement an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// An order earned, or earned more (P2–P4).
    Accrual,
    /// An order of a campaign was credited its bonus (C6).
    Bonus,
    /// Welcome points (P14).
    Welcome,
    /// Something else than an order earned: a review, a referral, a check-in (P17).
    Behaviour,
    /// What an order was credited is taken back, whole or in part (R1, R3, R6).
    Reversal,
    /// Points were spent.
    Redemption,
    /// A redemption was undone, released or has lapsed: its points are back in the lots they came from.
    Restoration,
    /// The last valid day of points has passed (E1–E3).
    Expiration,
    /// The tier was reviewed and a new cycle began: qualifying points start at 0 (T12–T15).
    Reset,
    /// An operator gave or took points, with a reason.
    Adjustment,
    /// Money was paid into the wallet (B2–B4).
    Topup,
    /// An order was paid with the wallet, or gave it back.
    Payment,
    /// The tier changed by something else than points: by rules (T17), or as an outside system says (X47).
    Tier,
    /// A member who was there before these books begins with what another system says of them. Nothing is told of it.
    Opening,
    /// Another member joined this one and brought what they had (X43).
    MergeIn,
    /// The member joined another one, who has what they had: their last entry.
    MergeOut,
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
    /// An order of a campaign (C7).
    CampaignBonus,
    BehaviourRewarded,
    PointsSpent,
    RedemptionUndone,
    /// A held redemption was not confirmed in time.
    HoldLapsed,
    PointsExpired,
    /// The tier was earned again and is held for another cycle (T9).
    TierKept,
    /// The tier was not earned again (T10).
    TierMissed,
    /// A cycle ended in the base tier, which cannot be lost (T12).
    CycleEnded,
    AdjustedByOperator,
    WalletToppedUp,
    WalletSpent,
    /// The order that was paid with the wallet was undone, or took less after all.
    WalletReturned,
    /// The rules of a higher tier are met (T17).
    TierReached,
    /// What had met the rules of the tier was undone (R5, X20).
    TierUndone,
    /// The shop's own system says so (X47).
    TierTold,
    /// Where the member stood before these books.
    OpeningBalance,
    /// Two members are one person.
    MembersMerged,
}

/// One movement of points: one row of `points-history`, and no point moves without one (R7).
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
    /// The command that asked for it, where one did.
    pub request_id: Option<RequestId>,
    /// Who adjusted, and why.
    pub note: Option<Note>,
    /// How the wallet moved, and what it then held: minor units of the programme's currency (B2).
    pub wallet: Option<WalletMove>,
    /// What an opening says beside points.
    pub opened: Option<Opened>,
    /// The other side of a merge.
    pub merge: Option<MergeNote>,
    /// The participations that this entry used up, completed or exhausted, as it left them (C3, C7).
    pub participations: Vec<ParticipationNote>,
    /// The figures it was computed from; `None` where no order is behind it.
    pub explanation: Option<Explanation>,
    /// The programme in force when it was posted.
    pub programme_version: ProgrammeVersion,
    /// When it happened, by whoever reported it.
    pub occurred_at: Instant,
    /// When it was posted: points are earned then.
    pub recorded_at: Instant,
}

/// Why a tier was reached that nobody did anything for just then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FellDue {
    /// The membership was long enough (T18).
    Membership,
    /// A version of the programme came into force that asks less (T7).
    Programme,
}

impl FellDue {
    /// The rule that stands on the entry.
    pub fn rule(self) -> &'static str {
        match self {
            Self::Membership => "tier-membership",
            Self::Programme => "tier-programme",
        }
    }
}

impl Entry {
    /// From when on it counts: what fell due since then, however late it was posted, anything else since it was posted.
    pub fn counts_from(&self) -> Instant {
        let fell_due = matches!(self.kind, EntryKind::Reset | EntryKind::Expiration)
            || self.reason == Reason::HoldLapsed
            || self.raised_by_time();
        if fell_due { self.occurred_at } else { self.recorded_at }
    }

    /// A tier that nobody did anything for when it was reached (T7, T18).
    pub fn raised_by_time(&self) -> bool {
        let by_time = |why: FellDue| self.rule.as_str() == why.rule();
        self.kind == EntryKind::Tier && (by_time(FellDue::Membership) || by_time(FellDue::Programme))
    }
}

/// Who adjusted points, and why: an operator's own words, and whose token proved that they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub operator: String,
    pub text: String,
    /// The subject of the token; missing where the adjustment was signed instead.
    pub subject: Option<String>,
}

/// A movement of the wallet: minor units of the programme's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletMove {
    pub moved_minor: i64,
    pub after_minor: i64,
}

/// What a member begins with beside points, where they were there before these books. Amounts are minor units of the
/// programme's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    pub tier_since: Instant,
    /// The cycle that was running then.
    pub cycle_start: chrono::NaiveDate,
    /// Over all time (X44).
    pub spent_minor: i64,
    pub orders_count: i64,
    /// Of that cycle (T17).
    pub cycle_spent_minor: i64,
    pub cycle_orders: i64,
}

/// The other entry of a merge, and in which cycles the two members were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeNote {
    pub member_id: MemberId,
    /// `seq` of its entry.
    pub seq: u64,
    /// The first day of the cycle of who joins, and of who goes on.
    pub from_cycle: chrono::NaiveDate,
    pub into_cycle: chrono::NaiveDate,
}

/// From what an order's points were computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub terms: Terms,
    pub facts: OrderFacts,
    /// What the items of each rule of the terms cost, minor units.
    pub matched: Vec<i64>,
    /// What the order deserves by these terms and facts.
    pub deserves: Legs,
    /// What an opening holds for the order already.
    pub imported: Option<Imported>,
    /// The first day of the member's cycle in which the entry was posted: its qualifying points are of that one (X21).
    pub cycle_start: chrono::NaiveDate,
}

/// Everything about an entry that its rule decides; posting fills in the rest.
#[derive(Clone, Debug)]
pub struct Posting {
    pub kind: EntryKind,
    pub order_id: Option<OrderId>,
    pub rule: RuleId,
    pub reason: Reason,
    pub reverses: Option<u64>,
    pub request_id: Option<RequestId>,
    pub note: Option<Note>,
    pub explanation: Option<Explanation>,
    pub occurred_at: Instant,
}

impl Posting {
    /// A posting with no order or request behind it.
    pub fn new(kind: EntryKind, rule: RuleId, reason: Reason, occurred_at: Instant) -> Self {
        Self {
            kind,
            order_id: None,
            rule,
            reason,
            reverses: None,
            request_id: None,
            note: None,
            explanation: None,
            occurred_at,
        }
    }

    /// The same, asked for by a command.
    #[must_use]
    pub fn asked_by(self, asked: &Asked) -> Self {
        Self { request_id: Some(asked.request_id.clone()), ..self }
    }
}

/// What an entry may do to the tier.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TierMove {
    /// As the points say (T7, X20).
    ByPoints,
    /// A review has decided (T9, T10).
    To(TierId),
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

    /// Posts points given. Debt is paid first; the rest goes to the lot of its expiry (X22, ST6), or to those of its parts
    /// where the programme lets points go in parts (X38).
    ///
    /// # Errors
    /// [`Overflow`] beyond 64 bits; the member is then to be thrown away.
    pub fn credit(&mut self, posting: Posting, legs: Legs, written_off: Legs, expiry: Expiry) -> Result<(), Overflow> {
        let to_lot = legs.redeemable.0.saturating_sub(self.member.debt()).max(0);
        let lots = if to_lot > 0 { self.programme.expiry.lots(to_lot, expiry) } else { Vec::new() };
        for lot in &lots {
            self.member.lots.put(*lot)?;
        }
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

    /// Posts the end of a cycle: the qualifying points are gone and the tier is what the review says (T9–T12).
    /// Redeemable points stay (T11) unless the programme takes them too (X42).
    ///
    /// # Errors
    /// [`Overflow`] beyond 64 bits; the member is then to be thrown away.
    pub fn reset(&mut self, posting: Posting, tier: TierId, redeemable_too: bool) -> Result<(), Overflow> {
        let spendable = if redeemable_too { self.member.redeemable_points() } else { 0 };
        let lots = self.member.lots.take(spendable, None);
        let qualifying = self.member.balance.qualifying.0;
        let legs = Legs::ZERO.minus(Legs::new(spendable, qualifying))?;
        self.post_with(posting, legs, Legs::ZERO, lots, TierMove::To(tier))
    }

    /// Posts money into the wallet, or out of it where it is negative; no points move (B2).
    ///
    /// # Errors
    /// [`Overflow`] beyond 64 bits; the member is then to be thrown away.
    pub fn move_wallet(&mut self, posting: Posting, moved_minor: i64) -> Result<(), Overflow> {
        let after_minor = self.member.wallet_minor.checked_add(moved_minor).ok_or(Overflow)?;
        self.member.wallet_minor = after_minor;
        self.post(posting, Legs::ZERO, Legs::ZERO, Vec::new())?;
        if let Some(entry) = self.entries.last_mut() {
            entry.wallet = Some(WalletMove { moved_minor, after_minor });
        }
        Ok(())
    }

    /// Posts what a member begins with, in the tier that they hold: no rule moves it.
    ///
    /// # Errors
    /// [`Overflow`] beyond 64 bits; the member is then to be thrown away.
    pub fn open(
        &mut self,
        posting: Posting,
        legs: Legs,
        lots: Lots,
        wallet_minor: i64,
        opened: Opened,
    ) -> Result<(), Overflow> {
        let moved = lots.as_slice().to_vec();
        self.member.lots = lots;
        self.member.wallet_minor = wallet_minor;
        let tier = TierMove::To(self.member.tier.clone());
        self.post_with(posting, legs, Legs::ZERO, moved, tier)?;
        if let Some(entry) = self.entries.last_mut() {
            entry.wallet =
                (wallet_minor != 0).then_some(WalletMove { moved_minor: wallet_minor, after_minor: wallet_minor });
            entry.opened = Some(opened);
        }
        Ok(())
    }

    /// Posts that the member joins another: points, lots and wallet are empty then, and the tier stays.
    ///
    /// # Errors
    /// [`Overflow`] beyond 64 bits; the member is then to be thrown away.
    pub fn merge_out(&mut self, posting: Posting, note: MergeNote) -> Result<(), Overflow> {
        let lots = self.member.lots.take(i64::MAX, None);
        let (legs, wallet_minor) = (Legs::ZERO.minus(self.member.balance)?, self.member.wallet_minor);
        let tier = TierMove::To(self.member.tier.clone());
        self.post_with(posting, legs, Legs::ZERO, lots, tier)?;
        self.merged(wallet_minor.checked_neg().ok_or(Overflow)?, note)
    }

    /// Posts what a member who joins brings: `legs`, and the lots that hold their redeemable points. Debt is paid first,
    /// on either side, with the points that expire soonest (X22, X40).
    ///
    /// # Errors
    /// [`Overflow`] beyond 64 bits; the member is then to be thrown away.
    pub fn merge_in(
        &mut self,
        posting: Posting,
        (legs, lots): (Legs, &[Lot]),
        wallet_minor: i64,
        note: MergeNote,
    ) -> Result<(), Overflow> {
        let moved = if legs.redeemable.0 < 0 {
            self.member.lots.take(legs.redeemable.0.checked_neg().ok_or(Overflow)?, None)
        } else {
            let mut brought = Lots::from_rows(lots.iter().copied())?;
            brought.take(self.member.debt(), None);
            for lot in brought.as_slice() {
                self.member.lots.put(*lot)?;
            }
            brought.as_slice().to_vec()
        };
        self.post(posting, legs, Legs::ZERO, moved)?;
        self.merged(wallet_minor, note)
    }

    fn merged(&mut self, moved_minor: i64, note: MergeNote) -> Result<(), Overflow> {
        let after_minor = self.member.wallet_minor.checked_add(moved_minor).ok_or(Overflow)?;
        self.member.wallet_minor = after_minor;
        if let Some(entry) = self.entries.last_mut() {
            entry.wallet = (moved_minor != 0).then_some(WalletMove { moved_minor, after_minor });
            entry.merge = Some(note);
        }
        Ok(())
    }

    /// Posts the tier that the programme's rules say, where tiers are by rules and it is another one (T17). `undone`:
    /// something that counted is gone, which may cost a tier earned in this cycle (R5, X20).
    ///
    /// # Errors
    /// [`Overflow`] beyond 64 bits; the member is then to be thrown away.
    pub fn follow_rules(&mut self, undone: bool, cause: &TierCause<'_>) -> Result<(), Overflow> {
        if self.programme.tiers.by_rules() { self.follow(undone, cause) } else { Ok(()) }
    }

    /// Posts the tier that what there is comes to, where the programme asks less for one than before (T7).
    ///
    /// # Errors
    /// [`Overflow`] beyond 64 bits; the member is then to be thrown away.
    pub fn raise(&mut self, cause: &TierCause<'_>) -> Result<(), Overflow> {
        self.follow(false, cause)
    }

    /// Posts the tier that there was enough for at an instant, if it is a higher one; the member stands at that instant.
    ///
    /// # Errors
    /// [`Overflow`] beyond 64 bits; the member is then to be thrown away.
    pub(crate) fn raise_when_due(&mut self, why: FellDue, at: Instant) -> Result<(), Overflow> {
        self.follow_by(RuleId::new(why.rule()), false, &TierCause::at(at))
    }

    fn follow(&mut self, undone: bool, cause: &TierCause<'_>) -> Result<(), Overflow> {
        self.follow_by(RuleId::new("tier-rules"), undone, cause)
    }

    fn follow_by(&mut self, rule: RuleId, undone: bool, cause: &TierCause<'_>) -> Result<(), Overflow> {
        if self.programme.tier_authority == TierAuthority::Outside {
            return Ok(());
        }
        let Some((held, next)) = next_rank(self.programme, self.member, undone).filter(|(held, next)| held != next)
        else {
            return Ok(());
        };
        let Some(tier) = self.programme.tiers.as_slice().get(next) else { return Ok(()) };
        let reason = if next > held { Reason::TierReached } else { Reason::TierUndone };
        let asked = self.programme.asked(next, tier, self.member);
        self.change_tier(rule, reason, tier.id.clone(), cause)?;
        self.member.tier_asked = (next > held && !self.programme.tiers.by_rules()).then_some(asked);
        Ok(())
    }

    /// Posts another tier; no points move.
    ///
    /// # Errors
    /// [`Overflow`] beyond 64 bits; the member is then to be thrown away.
    pub fn change_tier(
        &mut self,
        rule: RuleId,
        reason: Reason,
        tier: TierId,
        cause: &TierCause<'_>,
    ) -> Result<(), Overflow> {
        let mut posting = Posting::new(EntryKind::Tier, rule, reason, cause.occurred_at);
        posting.order_id = cause.order_id.cloned();
        let rank = |tier| self.programme.tiers.rank(tier);
        let rises = rank(&tier) > rank(&self.member.tier);
        self.post_with(posting, Legs::ZERO, Legs::ZERO, Vec::new(), TierMove::To(tier))?;
        if rises {
            let since = self.member.tier_since;
            promoted(self.programme, self.member, since);
        }
        Ok(())
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
        self.post_with(posting, legs, written_off, lots, TierMove::ByPoints)
    }

    fn post_with(
        &mut self,
        posting: Posting,
        legs: Legs,
        written_off: Legs,
        lots: Vec<Lot>,
        tier: TierMove,
    ) -> Result<(), Overflow> {
        let member = &mut *self.member;
        member.balance = member.balance.plus(legs)?;
        member.last_seq = member.last_seq.checked_add(1).ok_or(Overflow)?;
        let mut entry = Entry {
            member_id: member.member_id.clone(),
            seq: member.last_seq,
            kind: posting.kind,
            legs,
            balance_after: member.balance,
            lots,
            written_off,
            tier_before: member.tier.clone(),
            tier_after: member.tier.clone(),
            order_id: posting.order_id,
            rule: posting.rule,
            reason: posting.reason,
            reverses: posting.reverses,
            request_id: posting.request_id,
            note: posting.note,
            wallet: None,
            opened: None,
            merge: None,
            participations: Vec::new(),
            explanation: posting.explanation,
            programme_version: self.programme.version.clone(),
            occurred_at: posting.occurred_at,
            recorded_at: member.as_of,
        };
        // What fell due holds since then, however late it is posted.
        let since = entry.counts_from();
        match tier {
            TierMove::ByPoints => settle_tier(self.programme, member, legs.qualifying.0 < 0, since),
            TierMove::To(tier) => hold_tier(self.programme, member, &tier, since),
        }
        entry.tier_after.clone_from(&member.tier);
        self.entries.push(entry);
        Ok(())
    }
}

/// What changed a tier without moving points.
#[derive(Clone, Copy, Debug)]
pub struct TierCause<'a> {
    pub order_id: Option<&'a OrderId>,
    pub occurred_at: Instant,
}

impl TierCause<'_> {
    /// No order: a behaviour, an operator, time, or an outside system.
    pub fn at(occurred_at: Instant) -> Self {
        Self { order_id: None, occurred_at }
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
