//! A member: where they stand now, one row of `members` (C11).

use chrono::{Days, NaiveDate};

use crate::criteria::CycleSums;
use crate::ids::{MemberId, OrderId, RequestId, RuleId, TierId};
use crate::lots::{Lot, Lots};
use crate::merge::Merged;
use crate::order::Credit;
use crate::points::Legs;
use crate::programme::Programme;
use crate::time::{Instant, minus_days};

/// The person behind a member. It rests on the member's row only, and no rule reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    pub name: Option<String>,
    /// E.164 digits without the plus sign: `84901234567`.
    pub phone: Option<String>,
    pub email: Option<String>,
    pub birthday: Option<NaiveDate>,
}

impl Profile {
    /// This profile, with what it leaves out taken from the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            name: self.name.or(other.name),
            phone: self.phone.or(other.phone),
            email: self.email.or(other.email),
            birthday: self.birthday.or(other.birthday),
        }
    }
}

/// A redemption that lapses unless it is confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub request_id: RequestId,
    /// `seq` of its entry.
    pub seq: u64,
    /// What it took from each lot, as negative movements: where its points return to.
    pub lots: Vec<Lot>,
    /// It lapses at this instant.
    pub until: Instant,
}

impl Hold {
    /// The redeemable points it holds, above zero.
    pub fn points(&self) -> i64 {
        self.lots.iter().fold(0, |sum, lot| sum.saturating_sub(lot.points))
    }
}

/// Where one member stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub member_id: MemberId,
    /// `seq` of the member's last entry; 0 before the first.
    pub last_seq: u64,
    /// When the member was first seen (T1, T15).
    pub activated_at: Instant,
    /// The latest instant a decision about this member was taken at: time never goes back for a member.
    pub as_of: Instant,
    /// Signed: the redeemable balance may be a debt (X22).
    pub balance: Legs,
    pub lots: Lots,
    /// Redeemable points promised but not yet credited (X25).
    pub pending_points: i64,
    /// Minor units of the programme's currency (X44).
    pub spent_minor: i64,
    /// Orders seen and not undone (X44).
    pub orders_count: i64,
    pub tier: TierId,
    pub tier_since: Instant,
    /// The tier that was held when the month of `tier_since` began, until that month's vouchers are given (B1).
    pub month_tier: Option<TierId>,
    /// The tier carried into the current cycle: a reversal does not go below it (X20).
    pub tier_floor: TierId,
    /// The highest tier ever lost in a review: coming back to it may ask for something else.
    pub lost_tier: Option<TierId>,
    /// The qualifying points for which the held tier was reached in this cycle: a version that asks more takes nothing away
    /// from who had reached it (X20, I9). `None` where it was not reached by points.
    pub tier_asked: Option<i64>,
    /// When the outside system said which tier this is, where one decides (X47).
    pub tier_told_at: Option<Instant>,
    /// First day of the current cycle, in the programme's zone (X7).
    pub cycle_start: NaiveDate,
    /// The day the tier is reviewed: the first after the cycle (T8, X7). Fixed when the cycle begins, so that a changed
    /// programme changes the next cycle and not this one.
    pub review_on: NaiveDate,
    /// What was done in the current cycle (T17).
    pub cycle: CycleSums,
    /// The tier was missed and is kept for the programme's days of grace: `review_on` is their end (X6).
    pub in_grace: bool,
    /// Until the end of which day the daily run has told the member what is coming (E5).
    pub noticed_to: NaiveDate,
    /// The latest last valid day of points that they were told of (E5).
    pub expiring_told_to: Option<NaiveDate>,
    /// The review for which they were told that their tier is at risk (D3).
    pub risk_told_for: Option<NaiveDate>,
    /// Campaigns in which the member has an active participation.
    pub active_campaigns: Vec<RuleId>,
    /// Those of them for which orders of the member wait, because they were paused (X50).
    pub waits_for: Vec<RuleId>,
    /// When the newest order seen was placed (C1).
    pub last_ordered_at: Option<Instant>,
    /// When the oldest order seen was placed, where that was more than a day before the membership began (C1).
    pub first_ordered_at: Option<Instant>,
    /// Redemptions that wait to be confirmed; their points have left the balance.
    pub holds: Vec<Hold>,
    /// The wallet that top-ups fill, minor units of the programme's currency (B2).
    pub wallet_minor: i64,
    /// The order the member was first seen with; fixed from then on (X26).
    pub first_order: Option<OrderId>,
    /// What they were welcomed with on registering, until the first order takes it over (X25).
    pub welcome: Option<Box<Credit>>,
    /// When the person was forgotten: orders placed until then tell nothing of them any more.
    pub erased_at: Option<Instant>,
    /// Where they went, once they have joined another member: nothing is decided about them any more.
    pub merged: Option<Merged>,
    /// Who has joined them, in that order.
    pub merged_from: Vec<MemberId>,
    pub profile: Profile,
    /// Since when the newest word about the person holds, once the shop has reported them by themselves.
    pub profile_told_at: Option<Instant>,
}

impl Member {
    /// A member as they begin: base tier, nothing earned (T1). `None` only for a programme without tiers.
    pub fn registered(programme: &Programme, member_id: MemberId, now: Instant) -> Option<Self> {
        let base = programme.tiers.base()?.id.clone();
        Some(Self {
            member_id,
            last_seq: 0,
            activated_at: now,
            as_of: now,
            balance: Legs::ZERO,
            lots: Lots::default(),
            pending_points: 0,
            spent_minor: 0,
            orders_count: 0,
            tier: base.clone(),
            tier_since: now,
            month_tier: None,
            tier_floor: base,
            lost_tier: None,
            tier_asked: None,
            tier_told_at: None,
            cycle_start: programme.day(now),
            review_on: programme.cycle.end(programme.day(now)),
            cycle: CycleSums::default(),
            in_grace: false,
            // The day they begin is told like any other: it may be their birthday (B1).
            noticed_to: minus_days(programme.day(now), 1),
            expiring_told_to: None,
            risk_told_for: None,
            active_campaigns: Vec::new(),
            waits_for: Vec::new(),
            last_ordered_at: None,
            first_ordered_at: None,
            holds: Vec::new(),
            wallet_minor: 0,
            first_order: None,
            welcome: None,
            erased_at: None,
            merged: None,
            merged_from: Vec::new(),
            profile: Profile::default(),
            profile_told_at: None,
        })
    }

    /// Whether what was said at an instant, or an order that was placed then, may tell who the member is: not where they
    /// have been forgotten since.
    pub fn is_known_by(&self, at: Instant) -> bool {
        self.erased_at.is_none_or(|erased_at| at > erased_at)
    }

    /// Keeps what the shop reports of the person, which was so at `said_at`. What is newer than anything reported before
    /// replaces what is known, and what is older only adds what is not known yet; what is left out stays. Of two words of
    /// the same instant the one that is done last counts. Nothing is kept that was so before the person was forgotten.
    pub fn tell(&mut self, profile: Profile, said_at: Instant, now: Instant) {
        // A clock that is ahead must not make true words old for as long.
        let said_at = said_at.min(now);
        if !self.is_known_by(said_at) {
            return;
        }
        let known = std::mem::take(&mut self.profile);
        if self.told_later_than(said_at) {
            self.profile = known.or(profile);
        } else {
            self.profile = profile.or(known);
            self.profile_told_at = Some(said_at);
        }
    }

    /// Keeps what an order says of the person, as of its version. `newest`: it is what the order says last.
    pub(crate) fn tell_by_order(&mut self, profile: Profile, said_at: Instant, newest: bool) {
        let known = std::mem::take(&mut self.profile);
        let replaces = newest && !self.told_later_than(said_at);
        self.profile = if replaces { profile.or(known) } else { known.or(profile) };
        // The row of a member who was only ever named by orders stays without it: it has to stay small.
        if replaces && self.profile_told_at.is_some() {
            self.profile_told_at = Some(said_at.min(self.as_of));
        }
    }

    /// Keeps when an order was placed.
    pub(crate) fn ordered(&mut self, placed_at: Instant) {
        self.last_ordered_at = self.last_ordered_at.max(Some(placed_at));
        if placed_at.checked_add_days(Days::new(1)).is_some_and(|next_day| next_day < self.activated_at) {
            self.first_ordered_at = Some(self.first_ordered_at.map_or(placed_at, |first| first.min(placed_at)));
        }
    }

    fn told_later_than(&self, said_at: Instant) -> bool {
        self.profile_told_at.is_some_and(|told_at| told_at > said_at)
    }

    /// Points the member can spend: never below zero.
    pub fn redeemable_points(&self) -> i64 {
        self.balance.redeemable.0.max(0)
    }

    /// What the member owes, as a positive number of points (X22).
    pub fn debt(&self) -> i64 {
        self.balance.redeemable.0.saturating_neg().max(0)
    }
}
