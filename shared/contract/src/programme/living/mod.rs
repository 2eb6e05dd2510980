//! The sections about what a programme does over time: reviews, notices, campaigns, vouchers, rewards, behaviours and
//! top-ups. Word for word as a shop writes them, and how they are resolved.

mod campaigns;
mod earning;
mod vouchers;

use chrono::{DateTime, Utc};
use loyalty_domain::ids::{RuleId, TierId};
use loyalty_domain::money::Currency;
use loyalty_domain::points::Rounding;
use loyalty_domain::programme as domain;
use serde::{Deserialize, Serialize};

pub use campaigns::Campaign;
pub use earning::{Behaviour, EarningRule};
pub use vouchers::{Redemption, Reward, Topup, Voucher, Vouchers};

use super::file::{to_domain, words};
use super::numbers::Exact;
use super::resolve::{Problems, is_id};

const POINTS_MAX: i64 = 1_000_000_000;
const DAYS_MAX: u32 = 3660;
const LIST_MAX: usize = 50;
/// Ids with a meaning of their own on entries.
const TAKEN: [&str; 12] = [
    "base",
    "welcome",
    "expiry",
    "tier-review",
    "tier-rules",
    "tier-membership",
    "tier-programme",
    "tier-told",
    "hold",
    "points",
    "adjustment",
    "topup",
];

words!(
    /// X6.
    Downgrade { OneLevel, BalanceBased, ToBase, None }
);
words!(
    /// X7, X9.
    Anchor { Activation, TierStart }
);
words!(
    /// X34.
    Notify { Upgrade, Both, None }
);
to_domain! {
    Downgrade as domain::Downgrade {
        OneLevel => OneLevel, BalanceBased => BalanceBased, ToBase => ToBase, None => None
    }
    Anchor as domain::Anchor { Activation => Activation, TierStart => TierStart }
    Notify as domain::NotifyTier { Upgrade => Upgrade, Both => Both, None => None }
}

/// How a tier is kept.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Review {
    pub downgrade: Downgrade,
    pub grace_days: u32,
    pub anchor: Anchor,
    pub reset_reward_points: bool,
}

/// What members are told before it happens; 0 days says nothing.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notices {
    /// Before the last valid day of points (E5).
    pub points_expiring_days: u32,
    /// Before the review of a tier that would be missed (D3).
    pub keep_tier_days: u32,
    /// After a voucher was given, while it is unused (N4, X35).
    pub voucher_reminder_days: u32,
    /// A message for a new tier: for upgrades, for both ways, or none, since the card shows it anyway (D5, X34).
    pub tier_changed: Notify,
}

impl Default for Notices {
    fn default() -> Self {
        Self {
            points_expiring_days: 30,
            keep_tier_days: 30,
            voucher_reminder_days: 25,
            tier_changed: Notify::default(),
        }
    }
}

pub fn review(section: &Review, found: &mut Problems) -> domain::ReviewRules {
    found.require(section.grace_days <= DAYS_MAX, "review.grace_days", "at most 3660");
    domain::ReviewRules {
        downgrade: section.downgrade.into(),
        grace_days: section.grace_days,
        anchor: section.anchor.into(),
        reset_redeemable: section.reset_reward_points,
    }
}

pub fn notices(section: &Notices, found: &mut Problems) -> domain::Notices {
    let mut days = |value: u32, key: &str| {
        found.require(value <= DAYS_MAX, key, "at most 3660 days; 0 says nothing");
        (value > 0).then_some(value)
    };
    domain::Notices {
        expiring_days: days(section.points_expiring_days, "notices.points_expiring_days"),
        keep_tier_days: days(section.keep_tier_days, "notices.keep_tier_days"),
        voucher_days: days(section.voucher_reminder_days, "notices.voucher_reminder_days"),
        tier_changed: section.tier_changed.into(),
    }
}

/// What the sections refer to, and where problems go.
pub struct Context<'a> {
    pub currency: Currency,
    pub tiers: &'a [TierId],
    pub found: &'a mut Problems,
}

impl Context<'_> {
    /// An id that no entry's rule is called by already.
    fn id(&mut self, id: &Option<String>, path: &str, seen: &mut Vec<String>) -> RuleId {
        let id = id.clone().unwrap_or_default();
        let what = "missing, taken, or not of lower-case letters, digits and hyphens, like \"fast-promotion\"";
        let fits = is_id(&id) && !TAKEN.contains(&id.as_str()) && !seen.contains(&id);
        self.found.require(fits, &format!("{path}.id"), what);
        seen.push(id.clone());
        RuleId::new(id)
    }

    fn name(&mut self, name: &Option<String>, path: &str) -> String {
        let name = name.clone().unwrap_or_default();
        self.found.require(!name.trim().is_empty(), &format!("{path}.name"), "missing: the name customers see");
        name
    }

    /// Major units as written, in minor units; zero where nothing is written.
    fn minor(&mut self, amount: Option<Exact>, path: &str) -> i64 {
        let Some(Exact(amount)) = amount else { return 0 };
        let minor = amount.of(self.currency.minor_per_major(), Rounding::Floor);
        self.found.require(minor.is_ok(), path, "too large");
        minor.unwrap_or(0)
    }

    fn points(&mut self, points: i64, path: &str) -> i64 {
        self.found.require((0..=POINTS_MAX).contains(&points), path, "a whole number of points, 0 to 1000000000");
        points
    }

    fn instant(&mut self, text: &Option<String>, path: &str) -> Option<DateTime<Utc>> {
        let text = text.as_ref()?;
        let at = DateTime::parse_from_rfc3339(text).ok();
        self.found.require(at.is_some(), path, "a date and time with its zone, like 2026-12-01T00:00:00+07:00");
        at.map(|at| at.to_utc())
    }
}
