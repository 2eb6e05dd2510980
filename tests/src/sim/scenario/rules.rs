//! Rules about items, and tiers that are reached, kept and reached again by something else than one threshold.

use chrono::{Duration, NaiveTime, Weekday};
use loyalty_domain::criteria::Criterion;
use loyalty_domain::ids::RuleId;
use loyalty_domain::item_rules::{Effect, ItemRule, OfferedRule, Several, When};
use loyalty_domain::points::Legs;
use loyalty_domain::programme::{Programme, Tier, TierRules, Tiers};
use loyalty_domain::time::Instant;
use rand::RngExt;

use super::{Draw, start};
use crate::build::ratio;

const RULES_MAX: usize = 3;

impl Draw {
    /// Puts rules about items into the versions of a programme, each version its own (F24).
    pub(super) fn item_rules(&mut self, versions: &mut [(Instant, Programme)]) {
        for (_, programme) in versions {
            if self.one_in(2) {
                let count = self.0.random_range(1..=RULES_MAX);
                programme.item_rules = (0..count).map(|number| self.item_rule(number)).collect();
                programme.several_rules = self.pick(&[Several::All, Several::All, Several::Best, Several::First]);
            }
        }
    }

    fn item_rule(&mut self, number: usize) -> OfferedRule {
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (skus, categories): (&[&str], &[&str]) = match self.0.random_range(0..5) {
            0 => (&["A"], &[]),
            1 => (&["B", "C"], &[]),
            2 => (&[], &["tea"]),
            3 => (&["C"], &["cake"]),
            _ => (&[], &[]),
        };
        let effect = match self.0.random_range(0..6) {
            0 | 1 => Effect::Multiply { factor: ratio(2, 1), qualifying_too: self.one_in(2) },
            2 => Effect::Multiply { factor: self.pick(&[ratio(3, 2), ratio(1, 2)]), qualifying_too: false },
            3 if !(skus.is_empty() && categories.is_empty()) => Effect::Exclude,
            _ => Effect::Add { legs: self.pick(&[Legs::new(5, 0), Legs::new(30, 30)]) },
        };
        OfferedRule {
            rule: ItemRule {
                id: RuleId::new(format!("rule-{number}")),
                skus: named(skus),
                categories: named(categories),
                order_min_minor: self.pick(&[0, 0, 120_000, 900_000]),
                effect,
            },
            when: self.when(),
        }
    }

    fn when(&mut self) -> When {
        let mut when = When { first_order: self.one_in(5), ..When::default() };
        match self.0.random_range(0..6) {
            0 => when.from = Some(start() + Duration::days(self.0.random_range(0..200))),
            1 => when.until = Some(start() + Duration::days(self.0.random_range(100..400))),
            2 => when.weekdays = vec![Weekday::Sat, Weekday::Sun, Weekday::Mon],
            3 => {
                let hour = |hour| NaiveTime::from_hms_opt(hour, 0, 0).expect("an hour");
                when.hours = Some(self.pick(&[(hour(8), hour(18)), (hour(20), hour(4))]));
            }
            _ => {}
        }
        when
    }

    /// Tiers by rules (T17), or by points with thresholds of their own for keeping and coming back. Lasting policy here:
    /// what a member has done in a cycle is judged by one set of rules.
    pub(super) fn tiers(&mut self, versions: &mut [(Instant, Programme)]) {
        let by_rules = self.one_in(3);
        let own_thresholds = self.one_in(3);
        let rules: Vec<_> = (1..4).map(|rung| self.tier_rules(rung)).collect();
        let (keep, reenter) = (self.pick(&[50, 100]), self.pick(&[50, 200]));
        for (_, programme) in versions {
            let mut tiers: Vec<Tier> = programme.tiers.as_slice().to_vec();
            for (tier, rules) in tiers.iter_mut().skip(1).zip(&rules) {
                if by_rules {
                    tier.rules = Some(rules.clone());
                } else if own_thresholds {
                    tier.keep = tier.threshold * keep / 100;
                    tier.reenter = tier.threshold * reenter / 100;
                }
            }
            programme.tiers = Tiers::new(tiers).expect("a ladder");
        }
    }

    fn tier_rules(&mut self, rung: i64) -> TierRules {
        TierRules { enter: self.criterion(rung), keep: self.criterion(rung), reenter: self.criterion(rung) }
    }

    /// What a rung asks for: alone, all of several, or any.
    fn criterion(&mut self, rung: i64) -> Criterion {
        match self.0.random_range(0..6) {
            0 => Criterion::All(vec![self.condition(rung), self.condition(rung)]),
            1 => Criterion::Any(vec![self.condition(rung), self.condition(rung)]),
            _ => self.condition(rung),
        }
    }

    fn condition(&mut self, rung: i64) -> Criterion {
        match self.0.random_range(0..8) {
            0..3 => Criterion::Spent { minor: rung * self.pick(&[100_000, 450_000, 1_000_000]) },
            3 | 4 => Criterion::Orders { count: rung },
            5 => Criterion::Points { points: rung * self.pick(&[20, 150]) },
            6 => Criterion::MemberDays { days: u32::try_from(rung).unwrap_or(1) * self.pick(&[30, 120, 365]) },
            _ => Criterion::Behaviour { rule: "share".into(), times: u32::try_from(rung).unwrap_or(1) },
        }
    }
}
