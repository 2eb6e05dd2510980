//! The sections of a programme file, word for word. Every default is the decided answer of the requirement it names.

use std::collections::BTreeMap;

use super::living::Voucher;
use super::numbers::Exact;
use loyalty_domain::programme as domain;
use serde::{Deserialize, Serialize};

pub const DEFAULT_ZONE: &str = "Asia/Ho_Chi_Minh";

/// What stands before the first section.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Head {
    /// Stands in every entry's programme version: lower-case letters, digits and hyphens.
    pub id: Option<String>,
    pub name: Option<String>,
    /// ISO 4217.
    pub currency: String,
    /// IANA name (X7).
    pub time_zone: String,
    /// P15, X29.
    pub settle_seconds: u32,
    /// Major units of the currency (X4).
    pub average_order_value: Option<Exact>,
    pub tier_authority: TierAuthority,
    /// X50.
    pub paused: bool,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            id: None,
            name: None,
            currency: "VND".into(),
            time_zone: DEFAULT_ZONE.into(),
            settle_seconds: 7,
            average_order_value: None,
            tier_authority: TierAuthority::default(),
            paused: false,
        }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { #[default] $($(#[$variant_doc])* $variant),+ }
    };
}
pub(super) use words;

words!(
    /// P8: exactly one of the two.
    Mechanism {
        /// Cơ chế 1: everybody earns alike, no multiplier at all (P5, P6).
        Fixed,
        /// Cơ chế 2: by tier: the higher, the faster (P7, P18, P19).
        ByTier,
    }
);
words!(
    /// X47.
    TierAuthority { Engine, Outside }
);
words!(
    /// X1: whether "0.2" means ×1,2 or ×0,2.
    MultiplierMode { Additive, Absolute }
);
words!(
    /// X2.
    TierMultiplier { None, Same }
);
words!(
    /// X30.
    Basis { DueMinusShipping, Paid, Items }
);
words!(
    /// X10.
    EarnWhen { DeliveredAndPaid, Delivered, Placed }
);
words!(
    /// X31.
    Round { Floor, HalfUp, Ceil }
);
words!(
    /// X31.
    RoundStage { End, BaseThenEnd }
);
words!(
    /// All rules, the one that brings most, or the first.
    SeveralRules { All, Best, First }
);
words!(
    /// X24.
    Refund { AmountProrata, LineExact }
);
words!(
    /// X21.
    LateReversalTier { Ignore, DebitCurrent }
);
words!(
    /// X20.
    ReversalDemotes { ToFloor, Never, ByBalance }
);
words!(
    /// X25.
    WelcomeWhen { Immediate, PendingUntilFirstDelivery }
);
words!(
    /// E4: exactly one.
    ExpiryModel { Months, Never, Quarters }
);
words!(
    /// X39.
    RoundTo { MonthEnd, Day, QuarterEnd, YearEnd }
);
words!(
    /// X7.
    CycleModel { RollingDays, AnniversaryMonths, CalendarYear }
);

/// How orders earn.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Earning {
    /// Major units of the programme's currency for one point (X3).
    #[serde(alias = "amount_per_point")]
    pub vnd_per_point: Option<Exact>,
    pub mechanism: Mechanism,
    pub multiplier_mode: MultiplierMode,
    pub tier_multiplier: TierMultiplier,
    pub basis: Basis,
    pub earn_when: EarnWhen,
    pub round: Round,
    pub round_stage: RoundStage,
    /// What holds where several `[[earning_rules]]` are about one order.
    pub several_rules: SeveralRules,
}

/// How what was credited is taken back.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reversal {
    pub reverse_requires_paid: bool,
    pub refund: Refund,
    /// `allow`, `clamp`, `pending_only` or `limit(n)` (X22).
    pub negative_balance: String,
    pub reverse_expired: bool,
    pub late_reversal_tier: LateReversalTier,
    pub reversal_demotes: ReversalDemotes,
    pub recredit_after_cancel: bool,
}

impl Default for Reversal {
    fn default() -> Self {
        Self {
            reverse_requires_paid: false,
            refund: Refund::default(),
            negative_balance: "allow".into(),
            reverse_expired: false,
            late_reversal_tier: LateReversalTier::default(),
            reversal_demotes: ReversalDemotes::default(),
            recredit_after_cancel: true,
        }
    }
}

/// Welcome points: off unless `points` is above zero (P14).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Welcome {
    pub points: u32,
    pub when: WelcomeWhen,
    pub regrant: bool,
}

/// Until when points are good.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expiry {
    pub model: ExpiryModel,
    pub months: u32,
    pub round_to: RoundTo,
    pub quarters_to_live: u32,
    /// X38: of what a quarter brought, the part that goes at the end of each quarter after the next. Hashed only where it is
    /// said, so that no programme that was there before it is another version now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
}

impl Default for Expiry {
    fn default() -> Self {
        Self {
            model: ExpiryModel::default(),
            months: 12,
            round_to: RoundTo::default(),
            quarters_to_live: 1,
            percent: None,
        }
    }
}

/// How long a tier is held.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cycle {
    pub model: CycleModel,
    pub days: u32,
    pub months: u32,
}

impl Default for Cycle {
    fn default() -> Self {
        Self { model: CycleModel::default(), days: 365, months: 12 }
    }
}

/// One `[[tiers]]`, lowest first.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tier {
    pub id: Option<String>,
    pub name: Option<String>,
    /// Qualifying points.
    pub threshold: Option<i64>,
    /// Qualifying points of a cycle that keep it; the threshold when left out (T8).
    pub keep_threshold: Option<i64>,
    /// Qualifying points that bring back a member who lost the tier in a review; the threshold when left out.
    pub reenter_threshold: Option<i64>,
    /// What the tier asks for instead of points (T17); `keep` and `reenter` are the same when left out.
    pub enter: Option<Criteria>,
    pub keep: Option<Criteria>,
    pub reenter: Option<Criteria>,
    /// Other names that outside systems have for the tier (X37).
    pub aliases: Vec<String>,
    /// By `earning.multiplier_mode`; only with `earning.mechanism = "by_tier"`.
    pub multiplier: Option<Exact>,
    /// Shown to customers, so in their language.
    pub benefits: Vec<String>,
    /// Vouchers on reaching the tier, on the first of each month, and on the birthday (N2, B1).
    pub on_reaching: Vec<Voucher>,
    pub monthly: Vec<Voucher>,
    pub birthday: Vec<Voucher>,
}

/// What a tier by rules asks for within a cycle: everything that is named, and one of `any` (T17, T18).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Criteria {
    /// Spent, major units.
    pub spend: Option<Exact>,
    /// Orders that earned.
    pub orders: Option<i64>,
    /// Qualifying points.
    pub points: Option<i64>,
    /// Days since the member was first seen.
    pub member_days: Option<u32>,
    /// How often each behaviour was rewarded.
    pub behaviours: BTreeMap<String, u32>,
    pub any: Vec<Criteria>,
}

/// Reads `negative_balance` (X22); `None` when it is none of the four.
pub fn negative_balance(text: &str) -> Option<domain::NegativeBalance> {
    use domain::NegativeBalance as To;
    Some(match text {
        "allow" => To::Allow,
        "clamp" => To::Clamp,
        "pending_only" => To::PendingOnly,
        _ => To::Limit(text.strip_prefix("limit(")?.strip_suffix(')')?.trim().parse().ok()?),
    })
}

/// The domain's value of each word.
macro_rules! to_domain {
    ($($name:ident as $domain:ty { $($word:ident => $value:ident),+ $(,)? })+) => {
        $(impl From<$name> for $domain {
            fn from(word: $name) -> Self {
                match word { $($name::$word => Self::$value),+ }
            }
        })+
    };
}
pub(super) use to_domain;

to_domain! {
    TierMultiplier as domain::TierMultiplier { None => RedeemableOnly, Same => Both }
    Basis as domain::Basis { DueMinusShipping => DueMinusShipping, Paid => Paid, Items => Items }
    EarnWhen as domain::EarnWhen { DeliveredAndPaid => DeliveredAndPaid, Delivered => Delivered, Placed => Placed }
    RoundStage as domain::RoundStage { End => End, BaseThenEnd => BaseThenEnd }
    ReversalDemotes as domain::ReversalDemotes { ToFloor => ToFloor, Never => Never, ByBalance => ByBalance }
    WelcomeWhen as domain::WelcomeWhen { Immediate => Immediate, PendingUntilFirstDelivery => PendingUntilFirstDelivery }
    TierAuthority as domain::TierAuthority { Engine => Engine, Outside => Outside }
    RoundTo as domain::RoundTo { MonthEnd => MonthEnd, Day => Day, QuarterEnd => QuarterEnd, YearEnd => YearEnd }
    Round as loyalty_domain::points::Rounding { Floor => Floor, HalfUp => HalfUp, Ceil => Ceil }
    SeveralRules as loyalty_domain::item_rules::Several { All => All, Best => Best, First => First }
    Refund as domain::RefundRule { AmountProrata => AmountProrata, LineExact => LineExact }
}
