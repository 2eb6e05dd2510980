//! Vouchers: what a member is given beside points (N2, N8, B1–B5).

use chrono::NaiveDate;

use crate::ids::{MemberId, OrderId, RuleId, TierId, VoucherId};
use crate::programme::{Programme, Tiers};
use crate::time::{Instant, plus_days};

/// A voucher as the programme describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub id: RuleId,
    /// The name customers see.
    pub name: String,
    pub worth: Worth,
    /// It can be used on so many days, the day it is given included; at least 1.
    pub valid_days: u32,
    /// The smallest order it can be used for, minor units of the programme's currency.
    pub order_min_minor: i64,
}

/// What a voucher is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Worth {
    /// Of the order, 1 to 100, up to an amount if one is set (minor units of the programme's currency).
    Percent { percent: u32, most_minor: Option<i64> },
    /// Minor units of the programme's currency.
    Amount { minor: i64 },
    /// A thing, in the customer's language.
    Gift { what: String },
    /// Turns of the shop's mini-game (B4).
    GameTurn { turns: u32 },
    /// Several things together, in the customer's language.
    Combo { what: String },
}

/// A voucher given to a member. The same grant is the same voucher, however often it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Why it was given and to whom; unique for ever: `tier/m_…/7/silver-welcome`.
    pub grant_id: String,
    pub member_id: MemberId,
    pub offer: Offer,
    pub valid_from: NaiveDate,
    /// The last day it can be used, in the programme's zone.
    pub valid_until: NaiveDate,
    /// The tier it was given for: the reminder asks that it is still held (X35).
    pub tier: Option<TierId>,
    /// The day to remind the member on if it is still unused (N4).
    pub remind_on: Option<NaiveDate>,
}

impl Grant {
    /// A voucher that begins on `today`. `why` tells it apart from any other of this member's.
    pub fn new(member_id: &MemberId, why: &str, offer: &Offer, today: NaiveDate) -> Self {
        Self {
            grant_id: format!("{member_id}/{why}/{}", offer.id),
            member_id: member_id.clone(),
            offer: offer.clone(),
            valid_from: today,
            valid_until: plus_days(today, offer.valid_days.saturating_sub(1)),
            tier: None,
            remind_on: None,
        }
    }

    /// The vouchers of a tier that was reached by the entry `seq`, from the day on which that counts (N2). `programme` is the
    /// version that was in force then. What was over when the entry was posted, on `today`, is not given any more.
    pub fn of_tier(
        programme: &Programme,
        (member_id, seq): (&MemberId, u64),
        tier: &TierId,
        since: Instant,
        today: NaiveDate,
    ) -> Vec<Self> {
        let why = format!("tier/{seq}");
        let given = |offer| {
            let grant = Self::new(member_id, &why, offer, programme.day(since));
            grant.for_tier(tier, programme.notices.voucher_days)
        };
        let offers = programme.tiers.get(tier).map_or(&[][..], |tier| &tier.on_reaching);
        offers.iter().map(given).filter(|grant| grant.valid_until >= today).collect()
    }

    /// The voucher of a tier that was reached: reminded of after so many days, as long as it is valid (N4, X35).
    #[must_use]
    pub fn for_tier(self, tier: &TierId, remind_after_days: Option<u32>) -> Self {
        let remind_on = remind_after_days.map(|days| plus_days(self.valid_from, days));
        Self { remind_on: remind_on.filter(|day| *day <= self.valid_until), tier: Some(tier.clone()), ..self }
    }
}

/// A voucher as it stands: one row of `vouchers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    pub voucher_id: VoucherId,
    /// What the customer shows. It cannot be guessed.
    pub code: String,
    pub grant: Grant,
    pub state: VoucherState,
    pub issued_at: Instant,
    pub used_at: Option<Instant>,
    /// The order it was used for; none when the till used it without one.
    pub used_for: Option<OrderId>,
    pub reminded: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VoucherState {
    Issued,
    Used,
    Expired,
    Voided,
}

/// Why a voucher cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoucherRejection {
    #[error("the voucher has been used already")]
    AlreadyUsed { at: Option<Instant>, order: Option<OrderId> },
    #[error("the voucher was good until {0}")]
    Expired(NaiveDate),
    #[error("the voucher is good from {0} on")]
    NotYet(NaiveDate),
    #[error("the voucher was withdrawn")]
    Voided,
    #[error("the order is worth {order_minor} minor units; the voucher asks for {least_minor} or more")]
    OrderTooSmall { order_minor: i64, least_minor: i64 },
    #[error(
        "the voucher asks for an order of {least_minor} minor units or more, and nobody says what this one is worth"
    )]
    OrderUnknown { least_minor: i64 },
}

impl Voucher {
    /// Whether a grant would give once more what this one gave: a tier that is reached again in its cycle, which began on
    /// `since`, brings nothing that it has brought already, used or not (X19).
    pub fn stands_for(&self, grant: &Grant, since: NaiveDate) -> bool {
        let Grant { grant_id, offer, tier, valid_from, .. } = &self.grant;
        let same = tier.is_some() && (tier, &offer.id) == (&grant.tier, &grant.offer.id);
        let in_it = [*valid_from, grant.valid_from].iter().all(|day| *day >= since);
        same && *grant_id != grant.grant_id && in_it && self.state != VoucherState::Voided
    }

    /// Whether it was given for a tier above the one that is held.
    pub fn is_above(&self, tiers: &Tiers, held: &TierId) -> bool {
        self.grant.tier.as_ref().is_some_and(|tier| tiers.rank(tier) > tiers.rank(held))
    }

    /// Where it stands on a day: an unused one is over after its last day, whether or not anybody has written that down.
    pub fn state_on(&self, today: NaiveDate) -> VoucherState {
        match self.state {
            VoucherState::Issued if self.grant.valid_until < today => VoucherState::Expired,
            state => state,
        }
    }

    /// Uses it, once, be it for the same order. `order_minor` is what the order is worth, minor units; it may be unknown
    /// where the voucher asks for no smallest order.
    ///
    /// # Errors
    /// A [`VoucherRejection`] changes nothing.
    pub fn used(
        mut self,
        order: Option<OrderId>,
        order_minor: Option<i64>,
        today: NaiveDate,
        now: Instant,
    ) -> Result<Self, VoucherRejection> {
        match self.state_on(today) {
            VoucherState::Used => return Err(self.already_used()),
            VoucherState::Expired => return Err(VoucherRejection::Expired(self.grant.valid_until)),
            VoucherState::Voided => return Err(VoucherRejection::Voided),
            VoucherState::Issued if today < self.grant.valid_from => {
                return Err(VoucherRejection::NotYet(self.grant.valid_from));
            }
            VoucherState::Issued => {}
        }
        let least_minor = self.grant.offer.order_min_minor;
        match order_minor {
            None if least_minor > 0 => return Err(VoucherRejection::OrderUnknown { least_minor }),
            Some(order_minor) if order_minor < least_minor => {
                return Err(VoucherRejection::OrderTooSmall { order_minor, least_minor });
            }
            _ => {}
        }
        self.state = VoucherState::Used;
        self.used_at = Some(now);
        self.used_for = order;
        Ok(self)
    }

    fn already_used(self) -> VoucherRejection {
        VoucherRejection::AlreadyUsed { at: self.used_at, order: self.used_for }
    }

    /// Uses it for an order that names its code: by the day the order was placed, however late the order comes. The shop
    /// has taken the code already, so what it is worth and asks for is not judged again. `None` when it cannot be used, or
    /// was used for something else.
    pub fn used_by(mut self, order: &OrderId, placed_on: NaiveDate, now: Instant) -> Option<Self> {
        let good = self.grant.valid_from <= placed_on && placed_on <= self.grant.valid_until;
        match self.state {
            VoucherState::Used => (self.used_for.as_ref() == Some(order)).then_some(self),
            VoucherState::Issued | VoucherState::Expired if good => {
                self.state = VoucherState::Used;
                self.used_at = Some(now);
                self.used_for = Some(order.clone());
                Some(self)
            }
            VoucherState::Issued | VoucherState::Expired | VoucherState::Voided => None,
        }
    }

    /// Gives it back when the order that used it is undone.
    #[must_use]
    pub fn returned_by(mut self, order: &OrderId) -> Self {
        if self.state == VoucherState::Used && self.used_for.as_ref() == Some(order) {
            self.state = VoucherState::Issued;
            self.used_at = None;
            self.used_for = None;
        }
        self
    }

    /// Withdraws it, when what it was given for is undone. One that is over stays as it is.
    ///
    /// # Errors
    /// [`VoucherRejection::AlreadyUsed`] changes nothing.
    pub fn voided(mut self) -> Result<Self, VoucherRejection> {
        match self.state {
            VoucherState::Used => return Err(self.already_used()),
            VoucherState::Issued => self.state = VoucherState::Voided,
            VoucherState::Expired | VoucherState::Voided => {}
        }
        Ok(self)
    }

    /// The next day on which something is due for it: its reminder, or its end. `None` once it is over.
    pub fn due_on(&self) -> Option<NaiveDate> {
        if self.state != VoucherState::Issued {
            return None;
        }
        let reminder = self.grant.remind_on.filter(|_| !self.reminded);
        reminder.into_iter().chain([plus_days(self.grant.valid_until, 1)]).min()
    }
}
