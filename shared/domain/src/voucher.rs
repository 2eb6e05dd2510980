//! Vouchers: what a member is given beside points (N2, N8, B1–B5).

use chrono::NaiveDate;

use crate::ids::{MemberId, RuleId};
use crate::time::plus_days;

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
        }
    }
}
