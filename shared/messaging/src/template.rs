//! The messages there are, and the variables each is filled with.

use std::collections::BTreeMap;

use loyalty_contract::events::Why;
use serde::{Deserialize, Serialize};

use ValueKind::{Cause, Date, List, Money, Points, Text};

/// A message of the programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Template {
    /// After every order that earned: what it brought, and what can be reached (D2, C7).
    OrderPointsCredited,
    /// After an order's points were taken back, in whole or in part, and why (R9, X32).
    CancelledOrderPointsDeducted,
    /// After welcome points (P14).
    WelcomePointsCredited,
}

/// One variable of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: &'static str,
    pub kind: ValueKind,
    pub presence: Presence,
}

/// What a variable means, and so how it is written for the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// Whole points, zero or more: "1.234 điểm".
    Points,
    /// Minor units of a currency: "3.380.000đ".
    Money,
    /// A day of the programme's time zone: "23/11/2026".
    Date,
    /// Text that is shown as it is: an order's number, a tier's name.
    Text,
    /// Several such texts.
    List,
    /// The word of the reason for a reversal, which each language tells in its own words.
    Cause,
}

/// Whether every message of the template has the variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// A message without it is a fault.
    Always,
    /// A line with it is left out where it does not apply.
    Sometimes,
}

/// The value of a variable, as it stands on a message's row. What it means is declared by its template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Number(i64),
    Text(String),
    List(Vec<String>),
    Money { amount_minor: i64, currency: String },
}

/// The variables of one message by name.
pub type Variables = BTreeMap<String, Value>;

const fn always(name: &'static str, kind: ValueKind) -> Variable {
    Variable { name, kind, presence: Presence::Always }
}

const fn sometimes(name: &'static str, kind: ValueKind) -> Variable {
    Variable { name, kind, presence: Presence::Sometimes }
}

/// Where the member stands and what is ahead (D1, D2): every message of this release tells it.
const STANDING: &[Variable] = &[
    always("balance", Points),
    sometimes("debt", Points),
    always("tier", Text),
    sometimes("benefits", List),
    sometimes("next_tier", Text),
    sometimes("next_tier_benefits", List),
    sometimes("points_to_next_tier", Points),
    sometimes("spend_to_next_tier", Money),
    sometimes("top_tier", Text),
];

const ORDER_POINTS_CREDITED: &[Variable] = &[
    always("order", Text),
    sometimes("points", Points),
    sometimes("qualifying_points", Points),
    sometimes("expires_on", Date),
];

const CANCELLED_ORDER_POINTS_DEDUCTED: &[Variable] = &[
    always("order", Text),
    always("cause", Cause),
    sometimes("points", Points),
    sometimes("qualifying_points", Points),
    sometimes("tier_before", Text),
];

const WELCOME_POINTS_CREDITED: &[Variable] = &[always("points", Points), sometimes("expires_on", Date)];

impl Template {
    pub const ALL: [Self; 3] =
        [Self::OrderPointsCredited, Self::CancelledOrderPointsDeducted, Self::WelcomePointsCredited];

    /// The name on message rows and in message files.
    pub fn name(self) -> &'static str {
        match self {
            Self::OrderPointsCredited => "order_points_credited",
            Self::CancelledOrderPointsDeducted => "cancelled_order_points_deducted",
            Self::WelcomePointsCredited => "welcome_points_credited",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.name() == name)
    }

    /// Every variable the template may be filled with.
    pub fn variables(self) -> impl Iterator<Item = Variable> {
        let own = match self {
            Self::OrderPointsCredited => ORDER_POINTS_CREDITED,
            Self::CancelledOrderPointsDeducted => CANCELLED_ORDER_POINTS_DEDUCTED,
            Self::WelcomePointsCredited => WELCOME_POINTS_CREDITED,
        };
        own.iter().chain(STANDING).copied()
    }

    pub fn variable(self, name: &str) -> Option<Variable> {
        self.variables().find(|variable| variable.name == name)
    }
}

/// Whether an order's points can be taken back for this reason, so that a message has to tell it (R9).
pub fn is_cause(reason: Why) -> bool {
    match reason {
        Why::OrderAmountLowered
        | Why::OrderPartlyReturned
        | Why::OrderCancelled
        | Why::OrderReturned
        | Why::OrderRefunded
        | Why::OrderNoLongerEarns
        | Why::FirstOrderUndone => true,
        Why::OrderEarned
        | Why::OrderEarnedAgain
        | Why::OrderAmountRaised
        | Why::WelcomePoints
        | Why::PointsSpent
        | Why::RedemptionUndone
        | Why::PointsExpired => false,
    }
}
