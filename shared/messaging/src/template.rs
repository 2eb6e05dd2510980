//! The messages there are, and the variables each is filled with.

use std::collections::BTreeMap;

use loyalty_contract::events::Why;
use loyalty_domain::sending::MessageKind;
use serde::{Deserialize, Serialize};

use ValueKind::{Cause, Count, Date, List, Money, Points, Text};

/// A message of the programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Template {
    /// After every order that earned: what it brought, and what can be reached (D2, C7).
    OrderPointsCredited,
    /// After an order's points were taken back, in whole or in part, and why (R9, X32).
    CancelledOrderPointsDeducted,
    /// After welcome points (P14).
    WelcomePointsCredited,
    /// After an order of a campaign was placed: its bonus, and how many orders more bring one (C7).
    CampaignBonusCredited,
    /// After a behaviour was rewarded (P17).
    BehaviourRewarded,
    /// After a review: the tier is held for another cycle (T9).
    TierKept,
    /// After a review: the tier was not earned again (T10).
    TierLowered,
    /// After a cycle in the base tier: qualifying points start at 0 (T14).
    QualifyingPointsReset,
    /// A campaign's weekly message to who has participations left (C9, C10).
    CampaignInvitation,
    /// Some days before points expire (E5).
    PointsExpiring,
    /// Some days before the review of a tier that would be missed (D3).
    TierAtRisk,
    /// A tier was reached: congratulation, benefits and vouchers (N2, N6).
    TierReached,
    /// A voucher of a tier is still unused (N4).
    VoucherReminder,
    /// The vouchers of a birthday (B1).
    BirthdayVouchers,
    /// The vouchers of a month (B1).
    MonthlyVouchers,
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
    /// A plain count: of orders, of participations.
    Count,
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

/// Where the member stands and what is ahead (D1, D2): every message tells it.
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

const CAMPAIGN_BONUS_CREDITED: &[Variable] = &[
    always("order", Text),
    sometimes("points", Points),
    sometimes("qualifying_points", Points),
    sometimes("expires_on", Date),
    sometimes("orders_left", Count),
];

const BEHAVIOUR_REWARDED: &[Variable] = &[
    always("behaviour", Text),
    sometimes("points", Points),
    sometimes("qualifying_points", Points),
    sometimes("expires_on", Date),
];

const TIER_KEPT: &[Variable] = &[always("keep_until", Date)];

/// By a review of that day, or else between two of them from a tier.
const TIER_LOWERED: &[Variable] =
    &[always("tier_before", Text), sometimes("reviewed_on", Date), sometimes("adjusted_from", Text)];

const CAMPAIGN_INVITATION: &[Variable] = &[
    always("campaign", Text),
    always("bonus_points", Points),
    always("orders_left", Count),
    sometimes("orders_to_next_tier", Count),
];

const POINTS_EXPIRING: &[Variable] = &[always("points", Points), always("last_day", Date)];

const TIER_AT_RISK: &[Variable] = &[
    sometimes("points_missing", Points),
    sometimes("spend_missing", Money),
    sometimes("orders_missing", Count),
    always("review_on", Date),
    sometimes("qualifying_balance", Points),
    always("projected_tier", Text),
];

const VOUCHERS: &[Variable] = &[sometimes("vouchers", List)];

const VOUCHER_REMINDER: &[Variable] = &[always("voucher", Text), always("code", Text), always("last_day", Date)];

impl Template {
    pub const ALL: [Self; 15] = [
        Self::OrderPointsCredited,
        Self::CancelledOrderPointsDeducted,
        Self::WelcomePointsCredited,
        Self::CampaignBonusCredited,
        Self::BehaviourRewarded,
        Self::TierKept,
        Self::TierLowered,
        Self::QualifyingPointsReset,
        Self::CampaignInvitation,
        Self::PointsExpiring,
        Self::TierAtRisk,
        Self::TierReached,
        Self::VoucherReminder,
        Self::BirthdayVouchers,
        Self::MonthlyVouchers,
    ];

    /// The name on message rows and in message files.
    pub fn name(self) -> &'static str {
        match self {
            Self::OrderPointsCredited => "order_points_credited",
            Self::CancelledOrderPointsDeducted => "cancelled_order_points_deducted",
            Self::WelcomePointsCredited => "welcome_points_credited",
            Self::CampaignBonusCredited => "campaign_bonus_credited",
            Self::BehaviourRewarded => "behaviour_rewarded",
            Self::TierKept => "tier_kept",
            Self::TierLowered => "tier_lowered",
            Self::QualifyingPointsReset => "qualifying_points_reset",
            Self::CampaignInvitation => "campaign_invitation",
            Self::PointsExpiring => "points_expiring",
            Self::TierAtRisk => "tier_at_risk",
            Self::TierReached => "tier_reached",
            Self::VoucherReminder => "voucher_reminder",
            Self::BirthdayVouchers => "birthday_vouchers",
            Self::MonthlyVouchers => "monthly_vouchers",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.name() == name)
    }

    /// What it is to its reader, unless a programme says otherwise (N9). Zalo has points and tiers under its tag 2, so the
    /// product says nothing of the first kind by itself.
    pub fn kind(self) -> MessageKind {
        match self {
            Self::OrderPointsCredited
            | Self::CancelledOrderPointsDeducted
            | Self::WelcomePointsCredited
            | Self::CampaignBonusCredited
            | Self::BehaviourRewarded
            | Self::TierKept
            | Self::TierLowered
            | Self::QualifyingPointsReset
            | Self::PointsExpiring
            | Self::TierAtRisk
            | Self::TierReached => MessageKind::Care,
            Self::CampaignInvitation | Self::VoucherReminder | Self::BirthdayVouchers | Self::MonthlyVouchers => {
                MessageKind::Promotional
            }
        }
    }

    /// Every variable the template may be filled with.
    pub fn variables(self) -> impl Iterator<Item = Variable> {
        let own = match self {
            Self::OrderPointsCredited => ORDER_POINTS_CREDITED,
            Self::CancelledOrderPointsDeducted => CANCELLED_ORDER_POINTS_DEDUCTED,
            Self::WelcomePointsCredited => WELCOME_POINTS_CREDITED,
            Self::CampaignBonusCredited => CAMPAIGN_BONUS_CREDITED,
            Self::BehaviourRewarded => BEHAVIOUR_REWARDED,
            Self::TierKept => TIER_KEPT,
            Self::TierLowered => TIER_LOWERED,
            Self::QualifyingPointsReset => &[],
            Self::CampaignInvitation => CAMPAIGN_INVITATION,
            Self::PointsExpiring => POINTS_EXPIRING,
            Self::TierAtRisk => TIER_AT_RISK,
            Self::TierReached | Self::BirthdayVouchers | Self::MonthlyVouchers => VOUCHERS,
            Self::VoucherReminder => VOUCHER_REMINDER,
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
        | Why::CampaignBonus
        | Why::BehaviourRewarded
        | Why::PointsSpent
        | Why::RedemptionUndone
        | Why::HoldLapsed
        | Why::PointsExpired
        | Why::TierKept
        | Why::TierMissed
        | Why::CycleEnded
        | Why::WalletSpent
        | Why::WalletReturned
        | Why::TierReached
        | Why::TierUndone
        | Why::TierTold
        | Why::OpeningBalance
        | Why::MembersMerged
        | Why::AdjustedByOperator
        | Why::WalletToppedUp => false,
    }
}
