//! Who is new is welcomed once, with their first order or by registering before it, and loses it when that order is undone
//! (P14, R6, X25, X26).

use std::collections::BTreeMap;

use loyalty_domain::ids::{OrderId, RuleId};
use loyalty_domain::ledger::EntryKind;
use loyalty_domain::member::Member;
use loyalty_domain::order::Order;
use loyalty_domain::programme::{EarnWhen, Programme, WelcomeWhen};

use super::{Judgement, Seen, claim, earns, owns, settled, undone};
use crate::sim::scenario::{Scenario, What, member as id_of};
use crate::sim::store::Store;

pub(super) fn judge(
    scenario: &Scenario,
    store: &Store,
    seen: &BTreeMap<OrderId, Vec<Seen<'_>>>,
    member: &Member,
) -> Judgement {
    let wrong = |what: &str| format!("member {}: {what}", member.member_id);
    let registers = |what: What| matches!(what, What::Register { member: number } if id_of(number) == member.member_id);
    let registered = scenario.events.iter().filter(|event| registers(event.what));
    let mut offers: Vec<&Programme> = registered.map(|event| scenario.programme_at(event.now)).collect();
    let given = posted(store, member);
    let Some(first) = &member.first_order else {
        claim(!offers.is_empty(), || wrong("has no first order and never registered"))?;
        let right = |offer: &&Programme| match offer.welcome {
            Some(welcome) if welcome.when == WelcomeWhen::Immediate => {
                (given, member.pending_points) == (i64::from(welcome.points), 0)
            }
            Some(welcome) => (given, member.pending_points) == (0, i64::from(welcome.points)),
            None => offers.iter().all(|offer| offer.welcome.is_none()) && (given, member.pending_points) == (0, 0),
        };
        return claim(offers.iter().any(right), || wrong("registered and was welcomed with something else"));
    };
    let welcomed = |order: &&Order| owns(member, order) && order.credit(&RuleId::welcome()).is_some();
    let welcomed: Vec<_> = store.orders().map(|(order, _)| order).filter(welcomed).collect();
    claim(welcomed.iter().all(|order| order.order_id == *first), || wrong("was welcomed by another order"))?;
    let Some(order) = store.orders().map(|(order, _)| order).find(|order| order.order_id == *first) else {
        return Err(wrong("has a first order that does not exist"));
    };
    let list = &seen[first];
    // The first order comes when the member does, unless they have registered.
    if offers.is_empty() {
        offers.push(scenario.programme_at(member.activated_at));
    } else {
        offers.extend(list.iter().flat_map(|seen| &seen.decided_at).map(|at| scenario.programme_at(*at)));
    }
    let Some(credit) = order.credit(&RuleId::welcome()).filter(|_| owns(member, order)) else {
        let none = offers.iter().any(|offer| offer.welcome.is_none());
        return claim((none && given == 0) || !owns(member, order), || wrong("was not welcomed"));
    };
    claim(credit.posted.redeemable.0 == given, || wrong("was welcomed more than once"))?;
    let offered = offers.iter().find(|offer| offer.version == credit.terms.programme_version);
    let Some(welcome) = offered.and_then(|offer| offer.welcome) else {
        return Err(wrong("was welcomed without a programme for it"));
    };
    let (undone_ever, facts) = (list.iter().any(|seen| undone(&seen.snapshot.facts)), &order.facts);
    let barred = undone_ever && !welcome.regrant;
    let stands = match welcome.when {
        WelcomeWhen::Immediate => !undone(facts),
        WelcomeWhen::PendingUntilFirstDelivery => earns(facts, EarnWhen::Delivered),
    };
    let points = if stands && !barred { i64::from(welcome.points) } else { 0 };
    // Before the order was anybody's, a cancel may have come and gone under a programme without welcome points.
    let forgotten = scenario.programmes.len() > 1 && !order.ever_undone;
    claim(settled(credit) == (points, 0) || forgotten, || wrong("does not have the right welcome points"))
}

/// What all their entries about it have moved.
fn posted(store: &Store, member: &Member) -> i64 {
    let entries = store.history(&member.member_id, 0).iter();
    let welcomes = entries.filter(|entry| entry.rule == RuleId::welcome() || entry.kind == EntryKind::Welcome);
    welcomes.map(|entry| entry.legs.redeemable.0).sum()
}
