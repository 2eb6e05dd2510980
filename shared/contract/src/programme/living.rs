//! The sections about what a programme does over time: reviews, notices, campaigns, vouchers, rewards, behaviours and
//! top-ups. Word for word as a shop writes them, and how they are resolved.

use chrono::{DateTime, NaiveTime, Utc, Weekday};
use loyalty_domain::behaviour as behaviours;
use loyalty_domain::campaign as campaigns;
use loyalty_domain::ids::{RuleId, TierId};
use loyalty_domain::item_rules::{Effect, ItemRule, OfferedRule, When};
use loyalty_domain::money::Currency;
use loyalty_domain::points::{Legs, Rounding};
use loyalty_domain::programme as domain;
use loyalty_domain::redeem as rewards;
use loyalty_domain::topup as topups;
use loyalty_domain::voucher as vouchers;
use serde::{Deserialize, Serialize};

use super::file::{to_domain, words};
use super::numbers::Exact;
use super::resolve::{Problems, is_id};

const POINTS_MAX: i64 = 1_000_000_000;
const PARTICIPATIONS_MAX: u32 = 10;
const DAYS_MAX: u32 = 3660;
const LIST_MAX: usize = 50;
/// SKUs and categories of one rule: they stand on every order that it concerns.
const NAMED_MAX: usize = 50;
const HOLD_MINUTES_MAX: u32 = 7 * 24 * 60;
/// Ids with a meaning of their own on entries.
const TAKEN: [&str; 10] =
    ["base", "welcome", "expiry", "tier-review", "tier-rules", "tier-told", "hold", "points", "adjustment", "topup"];

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
words!(
    /// X13.
    BonusLegs { Both, Redeemable }
);
words!(
    /// X10.
    BonusWhen { Placed, Earned }
);
words!(
    /// X16.
    CountOrders { AfterEnrolment, Any }
);
words!(
    /// X17.
    TierSnapshot { Before, After }
);

to_domain! {
    Downgrade as domain::Downgrade {
        OneLevel => OneLevel, BalanceBased => BalanceBased, ToBase => ToBase, None => None
    }
    Anchor as domain::Anchor { Activation => Activation, TierStart => TierStart }
    Notify as domain::NotifyTier { Upgrade => Upgrade, Both => Both, None => None }
    BonusWhen as campaigns::BonusWhen { Placed => Placed, Earned => Earned }
    CountOrders as campaigns::CountOrders { AfterEnrolment => AfterEnrolment, Any => Any }
    TierSnapshot as campaigns::TierSnapshot { Before => Before, After => After }
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

/// One `[[campaigns]]` (S0).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Campaign {
    pub id: Option<String>,
    pub name: Option<String>,
    pub starts_at: Option<String>,
    pub ends_at: Option<String>,
    /// The base tier when none is named (C1).
    pub tiers: Vec<String>,
    pub min_orders: i64,
    pub not_bought_for_days: u32,
    pub buying_less_often: bool,
    pub near_tier_only: bool,
    pub max_credits: u32,
    pub bonus_points: i64,
    pub bonus_legs: BonusLegs,
    pub bonus_when: BonusWhen,
    pub count_orders: CountOrders,
    pub tier_snapshot: TierSnapshot,
    pub budget_points: Option<i64>,
    pub max_messages: Option<u32>,
    /// X18.
    pub restore_quota_on_reversal: bool,
    /// X19.
    pub reopen_on_demotion: bool,
    pub paused: bool,
}

impl Default for Campaign {
    fn default() -> Self {
        Self {
            id: None,
            name: None,
            starts_at: None,
            ends_at: None,
            tiers: Vec::new(),
            min_orders: 1,
            not_bought_for_days: 0,
            buying_less_often: false,
            near_tier_only: false,
            max_credits: 2,
            bonus_points: 150,
            bonus_legs: BonusLegs::default(),
            bonus_when: BonusWhen::default(),
            count_orders: CountOrders::default(),
            tier_snapshot: TierSnapshot::default(),
            budget_points: None,
            max_messages: None,
            restore_quota_on_reversal: false,
            reopen_on_demotion: false,
            paused: false,
        }
    }
}

/// A voucher, wherever one is named: exactly one of `percent`, `amount`, `gift`, `game_turns` and `combo`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Voucher {
    pub id: Option<String>,
    pub name: Option<String>,
    pub percent: Option<u32>,
    /// The most a percentage takes off, major units.
    pub max_amount: Option<Exact>,
    /// Major units.
    pub amount: Option<Exact>,
    pub gift: Option<String>,
    pub game_turns: Option<u32>,
    pub combo: Option<String>,
    pub valid_days: u32,
    /// Major units.
    pub min_order: Option<Exact>,
}

impl Default for Voucher {
    fn default() -> Self {
        Self {
            id: None,
            name: None,
            percent: None,
            max_amount: None,
            amount: None,
            gift: None,
            game_turns: None,
            combo: None,
            valid_days: 30,
            min_order: None,
        }
    }
}

/// What may be said of vouchers as a whole.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vouchers {
    /// A voucher can be used again when the order that used it is cancelled or returned.
    pub return_on_cancel: bool,
}

impl Default for Vouchers {
    fn default() -> Self {
        Self { return_on_cancel: true }
    }
}

/// What may be said of redemptions as a whole.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redemption {
    pub hold_minutes: u32,
}

impl Default for Redemption {
    fn default() -> Self {
        Self { hold_minutes: 30 }
    }
}

/// One `[[rewards]]`: a voucher for `points`, or money off an order by steps.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reward {
    pub id: Option<String>,
    pub name: Option<String>,
    /// What a voucher costs, or one step of a discount.
    pub points: i64,
    pub voucher: Option<Voucher>,
    /// What one step takes off an order, major units.
    pub amount_off: Option<Exact>,
    pub min_points: Option<i64>,
    pub max_points: Option<i64>,
    /// Major units.
    pub min_order: Option<Exact>,
    pub max_percent: Option<u32>,
}

/// One `[[behaviours]]` (P17). A limit of 0 is no limit.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    pub id: Option<String>,
    pub name: Option<String>,
    pub points: i64,
    pub qualifying_points: i64,
    /// What the other side of a referral gets.
    pub friend_points: i64,
    pub friend_qualifying_points: i64,
    pub max_per_day: u32,
    pub max_per_week: u32,
    pub max_per_month: u32,
    pub max_ever: u32,
}

/// One `[[topups]]`: from this amount on, this is added (B2–B4).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Topup {
    /// Major units.
    pub amount: Option<Exact>,
    /// Major units.
    pub money: Option<Exact>,
    pub voucher: Option<Voucher>,
}

/// One `[[earning_rules]]`: exactly one of `multiply`, `exclude` and `add_points`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EarningRule {
    pub id: Option<String>,
    pub name: Option<String>,
    /// Items it is about; the whole order when both are empty.
    pub skus: Vec<String>,
    pub categories: Vec<String>,
    /// The amount of these items counts so many times.
    pub multiply: Option<Exact>,
    /// `multiply` reaches qualifying points too (X2).
    pub multiply_qualifying: bool,
    pub exclude: bool,
    pub add_points: i64,
    pub add_qualifying_points: i64,
    /// The smallest amount that earns, major units.
    pub min_order: Option<Exact>,
    pub first_order: bool,
    pub starts_at: Option<String>,
    pub ends_at: Option<String>,
    /// `mon` to `sun`; any day when empty.
    pub weekdays: Vec<String>,
    /// Times of day like `22:00`.
    pub from_hour: Option<String>,
    pub until_hour: Option<String>,
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
    pub currency: Option<Currency>,
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
        let Some(currency) = self.currency else { return 0 };
        let minor = amount.of(currency.minor_per_major(), Rounding::Floor);
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

    pub fn item_rules(&mut self, sections: &[EarningRule], seen: &mut Vec<String>) -> Vec<OfferedRule> {
        self.found.require(sections.len() <= LIST_MAX, "earning_rules", "at most 50");
        sections.iter().enumerate().map(|(at, section)| self.item_rule(section, at, seen)).collect()
    }

    fn item_rule(&mut self, section: &EarningRule, at: usize, seen: &mut Vec<String>) -> OfferedRule {
        let path = format!("earning_rules[{at}]");
        let key = |key: &str| format!("{path}.{key}");
        let id = self.id(&section.id, &path, seen);
        self.name(&section.name, &path);
        let adds = section.add_points != 0 || section.add_qualifying_points != 0;
        let effects = [section.multiply.is_some(), section.exclude, adds].into_iter().filter(|says| *says).count();
        self.found.require(effects == 1, &path, "exactly one of multiply, exclude and add_points");
        let legs = Legs::new(
            self.points(section.add_points, &key("add_points")),
            self.points(section.add_qualifying_points, &key("add_qualifying_points")),
        );
        let effect = match section.multiply {
            Some(Exact(factor)) => Effect::Multiply { factor, qualifying_too: section.multiply_qualifying },
            None if section.exclude => Effect::Exclude,
            None => Effect::Add { legs },
        };
        let listed = section.skus.len() + section.categories.len();
        self.found.require(
            listed <= NAMED_MAX,
            &key("skus"),
            "at most 50 SKUs and categories: name categories instead",
        );
        let when = When {
            first_order: section.first_order,
            from: self.instant(&section.starts_at, &key("starts_at")),
            until: self.instant(&section.ends_at, &key("ends_at")),
            weekdays: section.weekdays.iter().filter_map(|day| self.weekday(day, &key("weekdays"))).collect(),
            hours: self.hours(section, &path),
        };
        let (skus, categories) = (section.skus.clone(), section.categories.clone());
        let order_min_minor = self.minor(section.min_order, &key("min_order"));
        OfferedRule { rule: ItemRule { id, skus, categories, order_min_minor, effect }, when }
    }

    fn weekday(&mut self, text: &str, path: &str) -> Option<Weekday> {
        let day = text.parse().ok();
        self.found.require(day.is_some(), path, "days like \"mon\", \"sat\"");
        day
    }

    fn hours(&mut self, section: &EarningRule, path: &str) -> Option<(NaiveTime, NaiveTime)> {
        let time = |text: &Option<String>| NaiveTime::parse_from_str(text.as_deref()?, "%H:%M").ok();
        let (from, until) = (time(&section.from_hour), time(&section.until_hour));
        let read = from.is_some() == section.from_hour.is_some() && until.is_some() == section.until_hour.is_some();
        let both = section.from_hour.is_some() == section.until_hour.is_some();
        self.found.require(read && both, &format!("{path}.from_hour"), "both from_hour and until_hour, like \"22:00\"");
        from.zip(until)
    }

    pub fn campaigns(&mut self, sections: &[Campaign], seen: &mut Vec<String>) -> Vec<campaigns::Campaign> {
        self.found.require(sections.len() <= LIST_MAX, "campaigns", "at most 50");
        sections.iter().enumerate().map(|(at, section)| self.campaign(section, at, seen)).collect()
    }

    fn campaign(&mut self, section: &Campaign, at: usize, seen: &mut Vec<String>) -> campaigns::Campaign {
        let path = format!("campaigns[{at}]");
        let key = |key: &str| format!("{path}.{key}");
        let id = self.id(&section.id, &path, seen);
        let name = self.name(&section.name, &path);
        let (from, until) =
            (self.instant(&section.starts_at, &key("starts_at")), self.instant(&section.ends_at, &key("ends_at")));
        let ordered = from.zip(until).is_none_or(|(from, until)| from < until);
        self.found.require(ordered, &key("ends_at"), "must be after starts_at");
        let mut tiers: Vec<TierId> = section.tiers.iter().map(|tier| TierId::new(tier.as_str())).collect();
        for tier in &tiers {
            let known = self.tiers.contains(tier);
            self.found.require(known, &key("tiers"), &format!("there is no tier {tier:?}", tier = tier.as_str()));
        }
        if tiers.is_empty() {
            tiers.extend(self.tiers.first().cloned());
        }
        let credits = (1..=PARTICIPATIONS_MAX).contains(&section.max_credits);
        self.found.require(credits, &key("max_credits"), "1 to 10 orders (S0: 2)");
        self.found.require(section.min_orders >= 0, &key("min_orders"), "0 or more");
        self.found.require(section.bonus_points > 0, &key("bonus_points"), "above 0 (S0: 150)");
        let bonus = self.points(section.bonus_points, &key("bonus_points"));
        let legs = match section.bonus_legs {
            BonusLegs::Both => Legs::new(bonus, bonus),
            BonusLegs::Redeemable => Legs::new(bonus, 0),
        };
        let budget = section.budget_points.is_none_or(|budget| budget > 0);
        self.found.require(budget, &key("budget_points"), "above 0, or left out");
        campaigns::Campaign {
            id,
            name,
            audience: campaigns::Audience {
                tiers,
                orders_min: section.min_orders,
                quiet_days_min: (section.not_bought_for_days > 0).then_some(section.not_bought_for_days),
                buying_less_often: section.buying_less_often,
                near_tier_only: section.near_tier_only,
            },
            from,
            until,
            participations: section.max_credits,
            bonus: legs,
            bonus_when: section.bonus_when.into(),
            count_orders: section.count_orders.into(),
            tier_snapshot: section.tier_snapshot.into(),
            budget_points: section.budget_points,
            messages_max: section.max_messages,
            restores_on_reversal: section.restore_quota_on_reversal,
            reopens_on_demotion: section.reopen_on_demotion,
            paused: section.paused,
        }
    }

    pub fn vouchers(&mut self, sections: &[Voucher], path: &str) -> Vec<vouchers::Offer> {
        self.found.require(sections.len() <= LIST_MAX, path, "at most 50");
        let mut seen = Vec::new();
        let offer = |(at, section)| self.voucher(section, &format!("{path}[{at}]"), &mut seen);
        sections.iter().enumerate().map(offer).collect()
    }

    fn voucher(&mut self, section: &Voucher, path: &str, seen: &mut Vec<String>) -> vouchers::Offer {
        let key = |key: &str| format!("{path}.{key}");
        let amount = section.amount.map(|amount| self.minor(Some(amount), &key("amount")));
        let most = section.max_amount.map(|most| self.minor(Some(most), &key("max_amount")));
        let worths: Vec<vouchers::Worth> = [
            section.percent.map(|percent| vouchers::Worth::Percent { percent, most_minor: most }),
            amount.map(|minor| vouchers::Worth::Amount { minor }),
            section.gift.clone().map(|what| vouchers::Worth::Gift { what }),
            section.game_turns.map(|turns| vouchers::Worth::GameTurn { turns }),
            section.combo.clone().map(|what| vouchers::Worth::Combo { what }),
        ]
        .into_iter()
        .flatten()
        .collect();
        let one = worths.len() == 1;
        self.found.require(one, path, "exactly one of percent, amount, gift, game_turns and combo");
        let percent = section.percent.is_none_or(|percent| (1..=100).contains(&percent));
        self.found.require(percent, &key("percent"), "1 to 100");
        self.found.require(amount.is_none_or(|minor| minor > 0), &key("amount"), "above 0");
        self.found.require(section.game_turns.is_none_or(|turns| turns > 0), &key("game_turns"), "above 0");
        self.found.require((1..=DAYS_MAX).contains(&section.valid_days), &key("valid_days"), "1 to 3660");
        vouchers::Offer {
            id: self.id(&section.id, path, seen),
            name: self.name(&section.name, path),
            worth: worths.into_iter().next().unwrap_or(vouchers::Worth::Gift { what: String::new() }),
            valid_days: section.valid_days,
            order_min_minor: self.minor(section.min_order, &key("min_order")),
        }
    }

    pub fn rewards(&mut self, sections: &[Reward], seen: &mut Vec<String>) -> Vec<rewards::Reward> {
        self.found.require(sections.len() <= LIST_MAX, "rewards", "at most 50");
        sections.iter().enumerate().map(|(at, section)| self.reward(section, at, seen)).collect()
    }

    fn reward(&mut self, section: &Reward, at: usize, seen: &mut Vec<String>) -> rewards::Reward {
        let path = format!("rewards[{at}]");
        let key = |key: &str| format!("{path}.{key}");
        self.found.require(section.points > 0, &key("points"), "above 0");
        let points = self.points(section.points, &key("points"));
        let kind = match (&section.voucher, section.amount_off) {
            (Some(voucher), None) => {
                let offer = self.voucher(voucher, &key("voucher"), &mut Vec::new());
                rewards::RewardKind::Voucher { points, offer }
            }
            (None, Some(amount)) => {
                let step_minor = self.minor(Some(amount), &key("amount_off"));
                self.found.require(step_minor > 0, &key("amount_off"), "above 0");
                let order_percent_max = section.max_percent.unwrap_or(100);
                self.found.require((1..=100).contains(&order_percent_max), &key("max_percent"), "1 to 100");
                rewards::RewardKind::Discount(rewards::Discount {
                    step_points: points,
                    step_minor,
                    points_min: section.min_points.unwrap_or(points),
                    points_max: section.max_points,
                    order_min_minor: self.minor(section.min_order, &key("min_order")),
                    order_percent_max,
                })
            }
            _ => {
                self.found.add(path.clone(), "either a voucher, or amount_off for money off an order");
                rewards::RewardKind::Discount(rewards::Discount {
                    step_points: 1,
                    step_minor: 1,
                    points_min: 1,
                    points_max: None,
                    order_min_minor: 0,
                    order_percent_max: 100,
                })
            }
        };
        rewards::Reward { id: self.id(&section.id, &path, seen), name: self.name(&section.name, &path), kind }
    }

    pub fn behaviours(&mut self, sections: &[Behaviour], seen: &mut Vec<String>) -> Vec<behaviours::Behaviour> {
        self.found.require(sections.len() <= LIST_MAX, "behaviours", "at most 50");
        let mut all = Vec::new();
        for (at, section) in sections.iter().enumerate() {
            let path = format!("behaviours[{at}]");
            let key = |key: &str| format!("{path}.{key}");
            let legs = Legs::new(
                self.points(section.points, &key("points")),
                self.points(section.qualifying_points, &key("qualifying_points")),
            );
            self.found.require(!legs.is_zero(), &key("points"), "missing: what it earns");
            let friend = Legs::new(
                self.points(section.friend_points, &key("friend_points")),
                self.points(section.friend_qualifying_points, &key("friend_qualifying_points")),
            );
            let limits = [
                (section.max_per_day, behaviours::Per::Day),
                (section.max_per_week, behaviours::Per::Week),
                (section.max_per_month, behaviours::Per::Month),
                (section.max_ever, behaviours::Per::Ever),
            ];
            let limits = limits.into_iter().filter(|(times, _)| *times > 0);
            all.push(behaviours::Behaviour {
                id: self.id(&section.id, &path, seen),
                name: self.name(&section.name, &path),
                legs,
                other_side: (!friend.is_zero()).then_some(friend),
                limits: limits.map(|(times, per)| behaviours::Limit { times, per }).collect(),
            });
        }
        all
    }

    pub fn topups(&mut self, sections: &[Topup]) -> Vec<topups::TopupStep> {
        self.found.require(sections.len() <= LIST_MAX, "topups", "at most 50");
        let mut steps: Vec<topups::TopupStep> = Vec::new();
        for (at, section) in sections.iter().enumerate() {
            let path = format!("topups[{at}]");
            let amount_minor = self.minor(section.amount, &format!("{path}.amount"));
            let rises = steps.last().map_or(0, |step| step.amount_minor) < amount_minor;
            self.found.require(rises, &format!("{path}.amount"), "above 0, and above the step before it");
            let brings = match (section.money, &section.voucher) {
                (Some(money), None) => {
                    topups::Brings::Money { minor: self.minor(Some(money), &format!("{path}.money")) }
                }
                (None, Some(voucher)) => {
                    topups::Brings::Voucher(self.voucher(voucher, &format!("{path}.voucher"), &mut Vec::new()))
                }
                _ => {
                    self.found.add(path, "either money or a voucher");
                    topups::Brings::Money { minor: 0 }
                }
            };
            steps.push(topups::TopupStep { amount_minor, brings });
        }
        steps
    }

    pub fn hold_minutes(&mut self, section: &Redemption) -> u32 {
        let fits = (1..=HOLD_MINUTES_MAX).contains(&section.hold_minutes);
        self.found.require(fits, "redemption.hold_minutes", "1 to 10080, a week");
        section.hold_minutes
    }
}
