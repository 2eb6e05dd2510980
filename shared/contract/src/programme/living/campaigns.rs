//! `[[campaigns]]`: whom they ask to come back, when, and with what (S0).

use loyalty_domain::campaign as campaigns;
use loyalty_domain::ids::TierId;
use loyalty_domain::points::Legs;
use serde::{Deserialize, Serialize};

use super::super::file::{to_domain, words};
use super::super::messages::{Pictures, Texts};
use super::{Context, LIST_MAX};

const PARTICIPATIONS_MAX: u32 = 10;

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
    BonusWhen as campaigns::BonusWhen { Placed => Placed, Earned => Earned }
    CountOrders as campaigns::CountOrders { AfterEnrolment => AfterEnrolment, Any => Any }
    TierSnapshot as campaigns::TierSnapshot { Before => Before, After => After }
}

/// One `[[campaigns]]` (S0): a section that may be copied, changed, and switched off and on by `paused` (C12, X50).
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
    /// Its messages in words of their own (C9, C12). They decide nothing about points, so no version depends on them.
    #[serde(skip_serializing)]
    pub texts: Texts,
    #[serde(skip_serializing)]
    pub pictures: Pictures,
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
            texts: Texts::new(),
            pictures: Pictures::new(),
        }
    }
}

impl Context<'_> {
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
}
