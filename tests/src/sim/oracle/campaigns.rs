//! Who was enrolled, which orders were credited their bonus, and when it ended (C1–C5, X13–X19).

use std::collections::BTreeMap;

use chrono::Duration;
use loyalty_domain::campaign::{
    BonusWhen, Campaign, CountOrders, Participation, ParticipationNote, ParticipationState, TierSnapshot,
};
use loyalty_domain::ids::OrderId;
use loyalty_domain::ledger::Entry;
use loyalty_domain::order::Order;
use loyalty_domain::programme::Programme;

use super::{Judgement, Seen, claim, earns, settled, undone, was_paid};
use crate::sim::scenario::{Scenario, What, member};
use crate::sim::store::Store;

/// Clocks differ by no more than this (F19).
const SKEW_SECONDS: i64 = 600;

pub(super) fn judge(scenario: &Scenario, store: &Store, seen: &BTreeMap<OrderId, Vec<Seen<'_>>>) -> Judgement {
    for (participation, _) in store.participations() {
        let history = store.history(&participation.member_id, 0);
        let case = Case { scenario, store, seen, participation, history };
        let key = format!("participation {}/{}", participation.campaign, participation.member_id);
        case.judge().map_err(|what| format!("{key}: {what}"))?;
    }
    Ok(())
}

struct Case<'a> {
    scenario: &'a Scenario,
    store: &'a Store,
    seen: &'a BTreeMap<OrderId, Vec<Seen<'a>>>,
    participation: &'a Participation,
    history: &'a [Entry],
}

impl Case<'_> {
    fn judge(&self) -> Judgement {
        self.judge_enrolment()?;
        for order_id in &self.participation.orders {
            let order = self.store.order(order_id, 0).row.ok_or("was used by an order that does not exist")?;
            self.judge_bonus(&order).map_err(|what| format!("order {order_id}: {what}"))?;
        }
        for (order, _) in self.store.orders().filter(|(order, _)| self.is_own(order)) {
            self.judge_return(order).map_err(|what| format!("order {}: {what}", order.order_id))?;
        }
        let one_version = self.scenario.programmes.len() == 1;
        if one_version { self.judge_end() } else { Ok(()) }
    }

    /// A run must have come to the member, while they were in a tier of the audience (C1, C2).
    fn judge_enrolment(&self) -> Judgement {
        let Participation { granted, enrolled_at, reserved_points, messages, .. } = *self.participation;
        let runs = self.scenario.events.iter().filter(|event| match event.what {
            What::Enrol { member: number } => member(number) == self.participation.member_id,
            _ => false,
        });
        let came = |campaign: &&Campaign| {
            let reserved = campaign.budget_points.map_or(0, |_| campaign.bonus.redeemable.0 * i64::from(granted));
            campaign.participations == granted && reserved == reserved_points && !campaign.paused
        };
        let campaigns = runs.filter(|event| event.now <= enrolled_at);
        let campaigns = campaigns.filter_map(|event| self.scenario.programme_at(event.now).campaigns.first());
        claim(campaigns.filter(came).count() > 0, || "no run enrolled them so".to_owned())?;
        claim(messages <= 2, || format!("was written to {messages} times"))?;
        let before = self.history.iter().rev().find(|entry| entry.recorded_at < enrolled_at);
        let held = before.map_or("member", |entry| entry.tier_after.as_str());
        let then = self.history.iter().filter(|entry| entry.recorded_at == enrolled_at);
        let mut tiers = then.map(|entry| entry.tier_after.as_str()).chain([held]);
        claim(tiers.any(|tier| tier == "member"), || format!("was enrolled as {held}"))
    }

    /// An order that used a participation was placed after it began, came to a Member, and has the bonus as long as it
    /// stands (X13, X16, X17, X46).
    fn judge_bonus(&self, order: &Order) -> Judgement {
        let credit = order.credit(&self.participation.campaign).ok_or("has no credit")?;
        let programme = self.scenario.programme(&credit.terms.programme_version).ok_or("an unknown programme")?;
        let campaign = programme.campaigns.first().ok_or("a programme without a campaign")?;
        let late = campaign.count_orders == CountOrders::Any || order.facts.placed_at > self.participation.enrolled_at;
        claim(late, || "was placed before they were enrolled".to_owned())?;
        let keeps = programme.reversal.requires_paid && undone(&order.facts) && !was_paid(&order.facts);
        let points = if self.stands(programme, campaign, order) {
            (campaign.bonus.redeemable.0, campaign.bonus.qualifying.0)
        } else {
            (0, 0)
        };
        claim(keeps || settled(credit) == points, || format!("settled at {:?}, not {points:?}", settled(credit)))?;
        // A bonus that waited was decided before it was posted.
        if campaign.bonus_when == BonusWhen::Earned {
            return Ok(());
        }
        let own = |entry: &&Entry| entry.order_id.as_ref() == Some(&order.order_id);
        let first = self.history.iter().find(|entry| own(entry) && entry.rule == self.participation.campaign);
        let Some(first) = first else { return Ok(()) };
        let from = self.store.decided_from(first);
        let together = |entry: &&Entry| entry.seq >= from && own(entry) && entry.recorded_at == first.recorded_at;
        let judged_by = match campaign.tier_snapshot {
            TierSnapshot::Before => self.history.iter().find(together).unwrap_or(first),
            TierSnapshot::After => first,
        };
        let tier = judged_by.tier_before.as_str();
        claim(tier == "member", || format!("was paid a bonus as {tier}"))
    }

    fn is_own(&self, order: &Order) -> bool {
        order.owner.as_ref().is_some_and(|owner| owner.member_id == self.participation.member_id)
    }

    /// An order that used a participation holds it, unless the campaign takes it back from who is undone and nothing of
    /// the bonus is left with the member (X18).
    fn judge_return(&self, order: &Order) -> Judgement {
        let Some(credit) = order.credit(&self.participation.campaign) else { return Ok(()) };
        let programme = self.scenario.programme(&credit.terms.programme_version).ok_or("an unknown programme")?;
        let campaign = programme.campaigns.first().ok_or("a programme without a campaign")?;
        let holds = self.participation.orders.contains(&order.order_id);
        let own = |entry: &&Entry| {
            entry.order_id.as_ref() == Some(&order.order_id) && entry.rule == self.participation.campaign
        };
        let (mut kept, mut settled) = (0, (0, 0));
        for Entry { legs, written_off, .. } in self.history.iter().filter(own) {
            kept += legs.redeemable.0;
            settled.0 += legs.redeemable.0 - written_off.redeemable.0;
            settled.1 += legs.qualifying.0 - written_off.qualifying.0;
        }
        let nothing_left = kept == 0 && settled == (0, 0);
        if !campaign.restores_on_reversal {
            return claim(holds, || "gave back what it had used up for good".to_owned());
        }
        let gives_back = undone(&order.facts) && nothing_left;
        claim(!gives_back || !holds, || "is undone and keeps its participation".to_owned())?;
        claim(holds || settled == (0, 0), || "has a bonus and uses no participation".to_owned())?;
        claim(holds || nothing_left, || "gave back what it had used up".to_owned())
    }

    fn stands(&self, programme: &Programme, campaign: &Campaign, order: &Order) -> bool {
        let barred = self.ever_undone(order) && programme.reversal.no_recredit_after_cancel;
        let reached = match campaign.bonus_when {
            BonusWhen::Placed => !undone(&order.facts),
            BonusWhen::Earned => earns(&order.facts, programme.earning.earn_when),
        };
        reached && !barred
    }

    fn ever_undone(&self, order: &Order) -> bool {
        self.seen.get(&order.order_id).is_some_and(|list| list.iter().any(|it| undone(&it.snapshot.facts)))
    }

    /// Promotion completes it, the last order exhausts it, and until then no order that counts goes without (C3, C4). It
    /// goes on where the campaign says so: with what an undone order gives back (X18), and when an order drops the member
    /// back (X19).
    fn judge_end(&self) -> Judgement {
        let Participation { state, granted, enrolled_at, .. } = *self.participation;
        let used = self.participation.orders.len();
        let above = |entry: &&Entry| entry.tier_after.as_str() != "member";
        let chosen =
            |chooses: fn(&Campaign) -> bool| self.scenario.programmes[0].1.campaigns.first().is_some_and(chooses);
        let reopens = chosen(|it| it.reopens_on_demotion);
        let at_once = self.history.iter().filter(|entry| entry.recorded_at >= enrolled_at).any(|it| above(&it));
        let holds_more = self.history.last().is_some_and(|entry| above(&entry));
        let drop = |entry: &&Entry| entry.tier_before.as_str() != "member" && entry.tier_after.as_str() == "member";
        let dropped = self.history.iter().rposition(|entry| drop(&entry));
        let dropped_by_order = dropped.is_some_and(|at| self.history[at].order_id.is_some());
        let own = |note: &&ParticipationNote| note.campaign == self.participation.campaign;
        let mut told = self.history.iter().flat_map(|entry| &entry.participations).filter(own);
        // An order that no longer earns drops the member, and gives back what it used only when it is undone: by then there
        // was nothing left to go on with.
        let until_then = self.history.iter().take(dropped.map_or(0, |at| at + 1));
        let last = until_then.flat_map(|entry| &entry.participations).rfind(own);
        let nothing_left = last.is_some_and(|note| note.used == note.granted);
        let given_back_late = nothing_left && chosen(|it| it.restores_on_reversal);
        match state {
            ParticipationState::Active => {
                claim(!holds_more, || "goes on after a promotion".to_owned())?;
                claim(used < granted as usize, || "goes on with nothing left".to_owned())?;
                let completed = told.clone().any(|note| note.state == ParticipationState::Completed);
                claim(!completed || reopens, || "was completed and goes on".to_owned())?;
            }
            ParticipationState::Completed => {
                claim(at_once, || "is completed without a promotion".to_owned())?;
                let goes_on = reopens && !given_back_late && used < granted as usize && !holds_more && dropped_by_order;
                return claim(!goes_on, || "stays completed though an order dropped them back".to_owned());
            }
            ParticipationState::Exhausted => {
                return claim(used == granted as usize, || "is exhausted early".to_owned());
            }
        }
        // Orders that came while it was over go without, also when it goes on afterwards (X18, X19).
        if told.any(|note| note.state != ParticipationState::Active) {
            return Ok(());
        }
        let programme = &self.scenario.programmes[0].1;
        let Some(campaign) = programme.campaigns.first().filter(|campaign| !campaign.paused) else { return Ok(()) };
        let counts = |order: &&Order| {
            let base = order.credit(&"base".into()).is_some_and(|base| settled(base) != (0, 0));
            let reached = match campaign.bonus_when {
                BonusWhen::Placed => true,
                BonusWhen::Earned => base && earns(&order.facts, programme.earning.earn_when),
            };
            let late = order.facts.placed_at > enrolled_at + Duration::seconds(SKEW_SECONDS);
            let barred = programme.reversal.no_recredit_after_cancel && self.ever_undone(order);
            self.is_own(order)
                && reached
                && late
                && !barred
                && !undone(&order.facts)
                && !self.participation.orders.contains(&order.order_id)
        };
        let without = self.store.orders().map(|(order, _)| order).find(counts);
        claim(without.is_none(), || format!("order {:?} goes without", without.map(|order| &order.order_id)))
    }
}
