//! Seeded bugs of rules about items and of tiers by rules.

use loyalty_domain::criteria::Criterion;
use loyalty_domain::item_rules::{Effect, PinnedRules, Several, When};
use loyalty_domain::ledger::{Entry, EntryKind};
use loyalty_domain::member::Member;
use loyalty_domain::order::Order;
use loyalty_domain::programme::{Programme, Tier, Tiers};

use super::Mutant;
use crate::sim::store::{Read, Store, Write};

impl Mutant {
    pub(super) fn rules_programme(self, changed: &mut Programme) {
        let rules = &mut changed.item_rules;
        match self {
            Self::EarnsOnExcludedItems => rules.retain(|offered| offered.rule.effect != Effect::Exclude),
            Self::ForgetsTheSmallestOrder => rules.iter_mut().for_each(|offered| offered.rule.order_min_minor = 0),
            Self::TakesEveryOrderForTheFirst => rules.iter_mut().for_each(|offered| offered.when.first_order = false),
            Self::ForgetsTheWindow => rules.iter_mut().for_each(|offered| {
                offered.when = When { first_order: offered.when.first_order, ..When::default() };
            }),
            Self::AppliesAllRules => changed.several_rules = Several::All,
            Self::AppliesTheFirstRule => changed.several_rules = Several::First,
            Self::RulesReachQualifying => rules.iter_mut().for_each(|offered| {
                if let Effect::Multiply { qualifying_too, .. } = &mut offered.rule.effect {
                    *qualifying_too = true;
                }
            }),
            Self::ForgetsCategories => rules.retain(|offered| offered.rule.categories.is_empty()),
            Self::KeepsByTheRuleOfEntering => change_tiers(changed, |tier| {
                tier.keep = tier.threshold;
                tier.rules.iter_mut().for_each(|rules| rules.keep.clone_from(&rules.enter));
            }),
            Self::EntersByTheRuleOfKeeping => change_tiers(changed, |tier| {
                tier.rules.iter_mut().for_each(|rules| rules.enter.clone_from(&rules.keep));
            }),
            Self::ReentersByTheRuleOfEntering => change_tiers(changed, |tier| {
                tier.reenter = tier.threshold;
                tier.rules.iter_mut().for_each(|rules| rules.reenter.clone_from(&rules.enter));
            }),
            Self::MissesTiersOfTime => change_tiers(changed, |tier| {
                if let Some(rules) = &mut tier.rules {
                    [&mut rules.enter, &mut rules.reenter].into_iter().for_each(forget_membership);
                }
            }),
            Self::TakesAnyForAll => change_tiers(changed, |tier| {
                if let Some(rules) = &mut tier.rules {
                    [&mut rules.enter, &mut rules.keep, &mut rules.reenter].into_iter().for_each(any_for_all);
                }
            }),
            _ => {}
        }
    }

    pub(super) fn rules_rows(self, programme: &Programme, order: &mut Read<Order>, member: &Member) {
        let Some(order) = &mut order.row else { return };
        let first = member.first_order.as_ref() == Some(&order.order_id);
        if self == Self::RepricesItemsByTodaysRules {
            let today = PinnedRules::of(programme, &order.facts, &order.items, first);
            let base = order.credits.iter_mut().filter(|credit| credit.rule.as_str() == "base");
            base.for_each(|credit| credit.terms.rules = today.clone());
        }
    }

    pub(super) fn rules_decision(self, store: &Store, write: &mut Write) {
        let behaves = write.decision.entries.iter().any(|entry| entry.kind == EntryKind::Behaviour);
        let undone = write.decision.order.as_ref().is_some_and(|order| order.facts.undone());
        let by_time = |entry: &Entry| entry.kind == EntryKind::Tier && entry.occurred_at < entry.recorded_at;
        match self {
            Self::DatesTiersByTheLook => {
                let tiers = write.decision.entries.iter_mut().filter(|entry| by_time(entry));
                tiers.for_each(|entry| entry.occurred_at = entry.recorded_at);
            }
            Self::GoesOnAfterATierOfTime if write.decision.entries.iter().any(by_time) => {
                write.decision.participations.clear();
            }
            _ => {}
        }
        let Some(member) = &mut write.decision.member else { return };
        let Some(known) = store.member(&member.member_id, 0).row else { return };
        let new_cycle = member.cycle_start != known.cycle_start;
        match self {
            Self::CarriesSpendingOver if new_cycle => {
                member.cycle.spent_minor += known.cycle.spent_minor;
                member.cycle.orders += known.cycle.orders;
            }
            Self::ForgetsTheLostTier => member.lost_tier = known.lost_tier,
            Self::CountsBehavioursTwice if behaves => {
                member.cycle.behaviours.values_mut().for_each(|times| *times += 1);
            }
            Self::CountsUndoneOrders if undone && !new_cycle => member.cycle = known.cycle,
            _ => {}
        }
    }
}

fn change_tiers(programme: &mut Programme, change: impl Fn(&mut Tier)) {
    let mut tiers = programme.tiers.as_slice().to_vec();
    tiers.iter_mut().for_each(change);
    programme.tiers = Tiers::new(tiers).unwrap_or_else(|_| programme.tiers.clone());
}

/// Nobody belongs for so long.
fn forget_membership(criterion: &mut Criterion) {
    match criterion {
        Criterion::MemberDays { days } => *days = u32::from(u16::MAX),
        Criterion::All(several) | Criterion::Any(several) => several.iter_mut().for_each(forget_membership),
        _ => {}
    }
}

fn any_for_all(criterion: &mut Criterion) {
    if let Criterion::All(all) = criterion {
        *criterion = Criterion::Any(std::mem::take(all));
    }
}
