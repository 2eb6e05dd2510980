//! The programme: every choice a shop makes, resolved and exact.
//!
//! One value is one version of the programme, in force from one instant to the next version's. Where the sources
//! disagree, the decided answer is the default of the programme file; nothing here is a hidden constant (X3).

use crate::behaviour::Behaviour;
use crate::campaign::Campaign;
use crate::criteria::Criterion;
pub use crate::expiry::{ExpiryRule, RoundTo};
use crate::ids::{ProgrammeVersion, RuleId, TierId};
use crate::item_rules::{OfferedRule, Several};
use crate::member::Member;
use crate::money::Currency;
use crate::points::{Ratio, Rounding};
use crate::redeem::Reward;
use crate::time::{Instant, Tz, day_in, months_between, plus_days, plus_months, year_end};
use crate::topup::TopupStep;
use crate::voucher::Offer;
use chrono::NaiveDate;
use std::sync::Arc;

/// One version of a shop's programme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programme {
    pub version: ProgrammeVersion,
    pub currency: Currency,
    pub zone: Tz,
    pub earning: Earning,
    pub reversal: ReversalRules,
    pub welcome: Option<Welcome>,
    pub expiry: ExpiryRule,
    pub cycle: Cycle,
    pub review: ReviewRules,
    pub notices: Notices,
    /// X20.
    pub reversal_demotes: ReversalDemotes,
    /// Lowest threshold first; the first is the base tier, at 0 points. Never empty (T1, T6).
    pub tiers: Tiers,
    pub tier_authority: TierAuthority,
    /// A voucher can be used again when the order that used it is undone.
    pub vouchers_return: bool,
    /// X50: nothing is decided; what arrives is kept until it is decided again.
    pub paused: bool,
    /// What an order is usually worth, minor units of the programme's currency (X4, X33).
    pub average_order_minor: Option<i64>,
    /// Rules about what is in an order, and what holds where several do.
    pub item_rules: Vec<OfferedRule>,
    pub several_rules: Several,
    pub campaigns: Vec<Campaign>,
    pub rewards: Vec<Reward>,
    /// How long a held redemption can be confirmed, minutes.
    pub hold_minutes: u32,
    pub behaviours: Vec<Behaviour>,
    /// What a top-up brings beside the money itself, lowest amount first; empty where the shop takes none (B2–B4).
    pub topups: Vec<TopupStep>,
    /// The version before this one: what fell due in its time is decided by it, however late.
    pub earlier: Option<Arc<Earlier>>,
}

/// A version of the programme that another one has followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    pub programme: Programme,
    /// The first instant that is no longer its own.
    pub until: Instant,
}

/// Who decides which tier a member holds (X47).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TierAuthority {
    /// This engine, by the programme.
    #[default]
    Engine,
    /// The shop's own system: it is followed, and the programme's thresholds only inform.
    Outside,
}

/// How a tier is kept (T8–T15, X6–X9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReviewRules {
    pub downgrade: Downgrade,
    /// Days a missed tier is still held before it is lost; 0 for none (X6).
    pub grace_days: u32,
    pub anchor: Anchor,
    /// The end of a cycle takes the redeemable points too (X42).
    pub reset_redeemable: bool,
}

/// What a missed tier costs (X6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Downgrade {
    /// One level, never more in one review (T10, T13).
    #[default]
    OneLevel,
    /// Down to what the points of the cycle reach.
    BalanceBased,
    ToBase,
    None,
}

/// Where a cycle begins (X7, X9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anchor {
    /// On the day of activation, and then where the last one ended.
    #[default]
    Activation,
    /// A promotion gives the new tier a whole cycle.
    TierStart,
}

/// What members are told before it happens, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notices {
    /// So many days before the last valid day of points; `None` to say nothing (E5).
    pub expiring_days: Option<u32>,
    /// So many days before the review of a tier that would be missed (D3).
    pub keep_tier_days: Option<u32>,
    /// So many days after a voucher was given, while it is unused (N4, X35).
    pub voucher_days: Option<u32>,
    pub tier_changed: NotifyTier,
}

impl Default for Notices {
    fn default() -> Self {
        Self {
            expiring_days: Some(30),
            keep_tier_days: Some(30),
            voucher_days: Some(25),
            tier_changed: NotifyTier::default(),
        }
    }
}

/// X34.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NotifyTier {
    #[default]
    Upgrade,
    Both,
    None,
}

/// How an order earns (P2–P11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earning {
    /// Points for one minor unit of the programme's currency: 1/10000 is "10.000đ = 1 điểm" (P3).
    pub rate: Ratio,
    pub basis: Basis,
    pub earn_when: EarnWhen,
    /// Whether the tier's multiplier reaches qualifying points too (X2).
    pub tier_multiplier: TierMultiplier,
    pub round: Rounding,
    pub round_stage: RoundStage,
}

/// Which part of an order earns (X30). Vouchers have already reduced it; paying with points or the wallet has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// Amount due minus shipping (P2).
    #[default]
    DueMinusShipping,
    /// The whole payment, shipping included (P3).
    Paid,
    /// The sum of the order's lines; amount due minus shipping where the shop sends none.
    Items,
}

/// When an order has earned (X10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarnWhen {
    /// P10.
    Delivered,
    /// P11.
    #[default]
    DeliveredAndPaid,
    /// As soon as it is seen and not undone.
    Placed,
}

/// X2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TierMultiplier {
    /// Only redeemable points are multiplied (P7).
    #[default]
    RedeemableOnly,
    /// Both kinds are (S2's single formula, P4).
    Both,
}

/// Where the one rounding of X31 happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoundStage {
    /// Once, after the multiplier.
    #[default]
    End,
    /// Before the multiplier and after it.
    BaseThenEnd,
}

/// How what was credited is taken back. Pinned on the order with its terms (I9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReversalRules {
    /// Only an order that is cancelled *and* was paid is reversed: the literal filter of R2 (X11).
    pub requires_paid: bool,
    /// X24.
    pub refund: RefundRule,
    /// X22.
    pub negative_balance: NegativeBalance,
    /// Also take back the points that have expired meanwhile (X23).
    pub reverse_expired: bool,
    /// An order that was ever cancelled never earns again (X28, turned off).
    pub no_recredit_after_cancel: bool,
    /// Qualifying points earned in an earlier cycle are taken from the current one (X21).
    pub late_debits_current: bool,
    /// The participation that the credit used comes back when its order is undone (X18). Only for a campaign's bonus; the
    /// campaign says it.
    pub restores_participation: bool,
}

/// Which amount a partial return takes from the basis (X24).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefundRule {
    /// The goods money given back.
    #[default]
    AmountProrata,
    /// The price of the returned lines where the shop names them, else the goods money given back.
    LineExact,
}

/// What happens when a reversal is larger than what the member has left (X22).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NegativeBalance {
    /// The balance goes below zero; the next credits pay the debt.
    #[default]
    Allow,
    /// Never below zero; the rest is recorded as written off.
    Clamp,
    /// Only pending points are taken; what was already credited is written off.
    PendingOnly,
    /// Below zero down to minus this many points; the rest is written off.
    Limit(u32),
}

/// Welcome points (P14, R6, X25): redeemable only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Redeemable points, above zero.
    pub points: u32,
    pub when: WelcomeWhen,
    /// Grant again when the cancelled first order comes back.
    pub regrant: bool,
}

/// X25.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WelcomeWhen {
    /// On registration, linked to the first order.
    #[default]
    Immediate,
    /// Pending until the first order earns.
    PendingUntilFirstDelivery,
}

/// How long a tier is held before it must have been earned again (T8, T15, X7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cycle {
    /// So many days from the day of activation.
    RollingDays(u32),
    /// So many months from the day of activation.
    AnniversaryMonths(u32),
    /// To the end of the calendar year (T14).
    CalendarYear,
}

impl Cycle {
    /// The first day after a cycle that began on `start`: the day the tier must be kept until.
    pub fn end(self, start: NaiveDate) -> NaiveDate {
        match self {
            Self::RollingDays(days) => plus_days(start, days),
            Self::AnniversaryMonths(months) => plus_months(start, months),
            Self::CalendarYear => plus_days(year_end(start), 1),
        }
    }

    /// [`Cycle::end`] of a cycle that follows others since `anchor`. A month that was too short for the anchor's day moves
    /// the end of its own cycle and no later one: of 31 August half a year at a time, 28 February, then 31 August again.
    pub fn end_since(self, anchor: NaiveDate, start: NaiveDate) -> NaiveDate {
        let passed = months_between(anchor, start);
        match self {
            Self::AnniversaryMonths(months)
                if passed.checked_rem(months) == Some(0) && plus_months(anchor, passed) == start =>
            {
                plus_months(anchor, passed.saturating_add(months))
            }
            _ => self.end(start),
        }
    }
}

/// What a reversal may do to the tier (X20).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReversalDemotes {
    Never,
    /// Down to what the points left allow, never below the tier carried into the cycle.
    #[default]
    ToFloor,
    /// Down to what the points left allow.
    ByBalance,
}

/// A tier (T1–T7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    pub id: TierId,
    /// The name customers see.
    pub name: String,
    /// Qualifying points from which a member has the tier.
    pub threshold: i64,
    /// Qualifying points of a cycle with which a member keeps it (T8).
    pub keep: i64,
    /// Qualifying points from which a member who once lost the tier in a review has it again.
    pub reenter: i64,
    /// What it asks for instead of points, where the programme's tiers are by rules (T17).
    pub rules: Option<TierRules>,
    /// Other names that outside systems have for it (X37).
    pub aliases: Vec<String>,
    /// The factor on redeemable points, already absolute (X1): 12/10 for "+0,2".
    pub multiplier: Ratio,
    /// What the tier brings, in the customer's language (C10, D1).
    pub benefits: Vec<String>,
    /// Vouchers on reaching the tier (N2, N8), on the first of each month, and on the birthday (B1).
    pub on_reaching: Vec<Offer>,
    pub monthly: Vec<Offer>,
    pub birthday: Vec<Offer>,
}

impl Tier {
    /// Whether an outside system may call it so: by its id, its name or an alias, in any case (X37).
    pub fn is_called(&self, word: &str) -> bool {
        let word = word.trim().to_lowercase();
        let mut words =
            [self.id.as_str(), self.name.as_str()].into_iter().chain(self.aliases.iter().map(String::as_str));
        words.any(|own| own.to_lowercase() == word)
    }

    /// A tier that is kept with the points that reach it and brings nothing but its multiplier.
    pub fn new(id: TierId, name: &str, threshold: i64, multiplier: Ratio) -> Self {
        Self {
            id,
            name: name.to_owned(),
            threshold,
            keep: threshold,
            reenter: threshold,
            rules: None,
            aliases: Vec::new(),
            multiplier,
            benefits: Vec::new(),
            on_reaching: Vec::new(),
            monthly: Vec::new(),
            birthday: Vec::new(),
        }
    }
}

/// What a tier by rules asks for (T17, T18).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierRules {
    pub enter: Criterion,
    /// At the review.
    pub keep: Criterion,
    /// Of a member who once lost the tier in a review.
    pub reenter: Criterion,
}

/// The tiers, lowest first; at least one. The first is everybody's, at threshold 0. Above it either every tier is
/// reached by points, and the thresholds rise (T16), or every one by rules (T17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiers(Vec<Tier>);

/// A list that cannot be a ladder of tiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tiers need a first one at 0 points, rising thresholds or rules above it, and different ids")]
pub struct NotALadder;

impl Tiers {
    /// # Errors
    /// [`NotALadder`] when the list is empty, does not begin at 0, does not rise, mixes points and rules, or repeats an
    /// id.
    pub fn new(tiers: Vec<Tier>) -> Result<Self, NotALadder> {
        let begins_at_zero = tiers.first().is_some_and(|first| first.threshold == 0 && first.rules.is_none());
        let by_rules = tiers.iter().skip(1).all(|tier| tier.rules.is_some());
        let by_points = tiers.iter().all(|tier| tier.rules.is_none())
            && tiers.iter().zip(tiers.iter().skip(1)).all(|(low, high)| low.threshold < high.threshold);
        let distinct = tiers.iter().enumerate().all(|(at, tier)| tiers.iter().take(at).all(|seen| seen.id != tier.id));
        if begins_at_zero && (by_points || by_rules) && distinct { Ok(Self(tiers)) } else { Err(NotALadder) }
    }

    pub fn as_slice(&self) -> &[Tier] {
        &self.0
    }

    /// The tier everybody begins with (T1).
    pub fn base(&self) -> Option<&Tier> {
        self.0.first()
    }

    pub fn get(&self, id: &TierId) -> Option<&Tier> {
        self.0.iter().find(|tier| tier.id == *id)
    }

    /// The tier that an outside system calls by this name: its id, its name or an alias, in any case (X37).
    pub fn called(&self, name: &str) -> Option<&Tier> {
        self.0.iter().find(|tier| tier.is_called(name))
    }

    /// Whether they are reached by rules and not by points alone (T17).
    pub fn by_rules(&self) -> bool {
        self.0.iter().any(|tier| tier.rules.is_some())
    }

    /// The tier above, if there is one.
    pub fn above(&self, id: &TierId) -> Option<&Tier> {
        self.0.get(self.rank(id)?.saturating_add(1))
    }

    /// Place on the ladder, the base tier being 0; `None` for a tier this version does not have.
    pub fn rank(&self, id: &TierId) -> Option<usize> {
        self.0.iter().position(|tier| tier.id == *id)
    }
}

impl Programme {
    /// A programme at the decided defaults: so many points for one minor unit, and tiers.
    pub fn new(version: ProgrammeVersion, currency: Currency, zone: Tz, rate: Ratio, tiers: Tiers) -> Self {
        Self {
            version,
            currency,
            zone,
            earning: Earning {
                rate,
                basis: Basis::default(),
                earn_when: EarnWhen::default(),
                tier_multiplier: TierMultiplier::default(),
                round: Rounding::Floor,
                round_stage: RoundStage::default(),
            },
            reversal: ReversalRules::default(),
            welcome: None,
            expiry: ExpiryRule::Months { months: 12, round_to: RoundTo::default() },
            cycle: Cycle::RollingDays(365),
            review: ReviewRules::default(),
            notices: Notices::default(),
            reversal_demotes: ReversalDemotes::default(),
            tiers,
            tier_authority: TierAuthority::default(),
            vouchers_return: true,
            paused: false,
            average_order_minor: None,
            item_rules: Vec::new(),
            several_rules: Several::default(),
            campaigns: Vec::new(),
            rewards: Vec::new(),
            hold_minutes: 30,
            behaviours: Vec::new(),
            topups: Vec::new(),
            earlier: None,
        }
    }

    /// This version as the one that follows another, from an instant on (F24).
    #[must_use]
    pub fn after(self, earlier: Self, until: Instant) -> Self {
        Self { earlier: Some(Arc::new(Earlier { programme: earlier, until })), ..self }
    }

    /// The version in force at an instant: this one, or one before it.
    pub fn in_force(&self, at: Instant) -> &Self {
        match self.earlier.as_deref().filter(|earlier| at < earlier.until) {
            Some(earlier) => earlier.programme.in_force(at),
            None => self,
        }
    }

    /// The day of the programme's zone on which an instant falls (X7).
    pub fn day(&self, at: Instant) -> NaiveDate {
        day_in(self.zone, at)
    }

    pub fn campaign(&self, id: &RuleId) -> Option<&Campaign> {
        self.campaigns.iter().find(|campaign| campaign.id == *id)
    }

    /// Place on the ladder of the highest tier that the member has reached; 0, the base tier, where there is no other
    /// (T7, T17). Who once lost a tier in a review meets its condition for coming back.
    pub fn reached(&self, member: &Member) -> usize {
        let lost = self.rank_lost(member);
        let reached = |(rank, tier): &(usize, &Tier)| match &tier.rules {
            None => member.balance.qualifying.0 >= self.asked(*rank, tier, member),
            Some(rules) => if Some(*rank) <= lost { &rules.reenter } else { &rules.enter }.met(self, member),
        };
        self.tiers.as_slice().iter().enumerate().rev().find(reached).map_or(0, |(rank, _)| rank)
    }

    /// The qualifying points for which a member reaches a tier, by its place on the ladder.
    pub(crate) fn asked(&self, rank: usize, tier: &Tier, member: &Member) -> i64 {
        if Some(rank) <= self.rank_lost(member) { tier.reenter } else { tier.threshold }
    }

    /// Place on the ladder of the highest tier that the member ever lost in a review.
    pub(crate) fn rank_lost(&self, member: &Member) -> Option<usize> {
        member.lost_tier.as_ref().and_then(|tier| self.tiers.rank(tier))
    }

    /// The multiplier of a tier; one for a tier this version does not know.
    pub fn multiplier(&self, tier: &TierId) -> Ratio {
        self.tiers.get(tier).map_or(Ratio::ONE, |tier| tier.multiplier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn cycles_end_where_they_should_across_a_leap_day() {
        let start = day("2027-06-01");
        assert_eq!(Cycle::RollingDays(365).end(start), day("2028-05-31"));
        assert_eq!(Cycle::AnniversaryMonths(12).end(start), day("2028-06-01"));
        assert_eq!(Cycle::CalendarYear.end(start), day("2028-01-01"));
    }
}
