//! Plays a scenario: opens events on handlers, commits what they decided, delivers again what was not acknowledged.

use std::collections::BTreeMap;

use loyalty_domain::campaign::{Participation, read_too_early};
use loyalty_domain::decision::Verdict;
use loyalty_domain::ids::{MemberId, RuleId};
use loyalty_domain::member::Member;
use loyalty_domain::order::{Order, OrderSnapshot};
use loyalty_domain::programme::Programme;
use loyalty_domain::reconcile::{OrderRows, member_of, reconcile_order};

use super::mutant::Mutant;
use super::scenario::{Event, Fault, Scenario, What};
use super::store::{Read, Store, Write};

mod commands;

/// How often one delivery may decide again after a lost race before the queue takes it back.
const ATTEMPTS_MAX: usize = 3;
/// How often a verdict may ask for more rows.
const QUESTIONS_MAX: usize = 5;
/// How often the queue delivers one message.
const DELIVERIES_MAX: u8 = 20;

/// Between two events there is room for the commits and redeliveries of others.
const STEP: usize = 10;

/// What happens next, by when.
#[derive(Debug)]
enum Action {
    /// A handler takes up an event; `delivery` counts from 0.
    Open { event: usize, delivery: u8 },
    /// A handler commits what it decided.
    Commit { event: usize, delivery: u8, write: Box<Write> },
}

struct World<'a> {
    scenario: &'a Scenario,
    mutant: Option<Mutant>,
    store: Store,
    agenda: BTreeMap<(usize, usize), Action>,
    step: usize,
    added: usize,
}

/// Plays a scenario to its end.
///
/// # Errors
/// When an event is never done.
pub fn run(scenario: &Scenario, mutant: Option<Mutant>) -> Result<Store, String> {
    let mut store = Store::with(&scenario.vouchers);
    if let Some(mutant) = mutant {
        mutant.conditions(&mut store.conditions);
    }
    let mut world = World { scenario, mutant, store, agenda: BTreeMap::new(), step: 0, added: 0 };
    for event in 0..scenario.events.len() {
        world.plan(event * STEP, Action::Open { event, delivery: 0 });
    }
    while let Some(((step, _), action)) = world.agenda.pop_first() {
        world.step = step;
        world.act(action)?;
    }
    Ok(world.store)
}

/// A row was not as it was read, or not enough of it was read: read again.
struct ReadAgain;

impl World<'_> {
    fn plan(&mut self, step: usize, action: Action) {
        self.added += 1;
        self.agenda.insert((step, self.added), action);
    }

    fn act(&mut self, action: Action) -> Result<(), String> {
        match action {
            Action::Open { event, delivery } => {
                // Only the first delivery meets the faults; what comes later is calm, so that every scenario ends.
                let calm = Event { fault: Fault::None, lag: [0; 4], hold: 0, ..self.scenario.events[event].clone() };
                let fate = if delivery == 0 { &self.scenario.events[event] } else { &calm };
                self.open(event, delivery, fate)
            }
            Action::Commit { event, delivery, write } => self.commit(event, delivery, *write),
        }
    }

    fn open(&mut self, event: usize, delivery: u8, fate: &Event) -> Result<(), String> {
        let write = match self.decide(fate) {
            Ok(Some(write)) => write,
            Ok(None) => return Ok(()),
            Err(ReadAgain) => return self.deliver_again(event, delivery),
        };
        let due = self.step + usize::from(fate.hold) * STEP + 5;
        if fate.fault == Fault::Zombie {
            self.deliver_again(event, delivery)?;
        }
        if delivery == 0 && fate.fault == Fault::LostBefore {
            if self.mutant != Some(Mutant::AcknowledgesBeforeCommit) {
                self.deliver_again(event, delivery)?;
            }
            return Ok(());
        }
        self.plan(due, Action::Commit { event, delivery, write: Box::new(write) });
        Ok(())
    }

    fn deliver_again(&mut self, event: usize, delivery: u8) -> Result<(), String> {
        if delivery >= DELIVERIES_MAX {
            return Err(format!("event {event} was delivered {delivery} times and is not done"));
        }
        self.plan(self.step + STEP + 1, Action::Open { event, delivery: delivery + 1 });
        Ok(())
    }

    fn commit(&mut self, event: usize, delivery: u8, write: Write) -> Result<(), String> {
        let fault = if delivery == 0 { self.scenario.events[event].fault } else { Fault::None };
        if fault == Fault::LostAfter {
            self.deliver_again(event, delivery)?;
        }
        let mut write = write;
        if let Some(mutant) = self.mutant {
            mutant.write(fault, &mut write);
        }
        if self.store.commit(write.clone()).is_ok() {
            return Ok(());
        }
        if let Some(mutant) = self.mutant
            && mutant.gives_up(&mut self.store, write)
        {
            return Ok(());
        }
        let calm = Event { lag: [0; 4], ..self.scenario.events[event].clone() };
        for _ in 0..ATTEMPTS_MAX {
            match self.decide(&calm) {
                Ok(None) => return Ok(()),
                Ok(Some(write)) => {
                    if self.store.commit(write).is_ok() {
                        return Ok(());
                    }
                }
                Err(ReadAgain) => {}
            }
        }
        self.deliver_again(event, delivery)
    }

    /// Reads and decides. `None` when there is nothing to write.
    fn decide(&self, event: &Event) -> Result<Option<Write>, ReadAgain> {
        let programme = self.scenario.programme_at(event.now);
        let changed = self.mutant.map(|mutant| mutant.programme(programme, event.what));
        let programme = changed.as_ref().unwrap_or(programme);
        let (write, snapshot) = match event.what {
            What::Order(at) => {
                let snapshot = &self.scenario.snapshots[at];
                (self.decide_order(programme, snapshot, event)?, Some(snapshot))
            }
            _ => (self.decide_command(programme, event)?, None),
        };
        Ok(write.map(|write| match self.mutant {
            Some(mutant) => mutant.decision(programme, &self.store, &self.scenario.vouchers, snapshot, write),
            None => write,
        }))
    }

    /// The member's participations in the campaigns they are active in.
    fn active(&self, member: &Member, behind: u8) -> Result<Active, ReadAgain> {
        self.part(member, None, &member.active_campaigns, behind)
    }

    /// The member's participations in campaigns, unless they were read too early. One that the member is not active in is
    /// read as it is: no condition would say so.
    fn part(
        &self,
        member: &Member,
        order: Option<&Order>,
        campaigns: &[RuleId],
        behind: u8,
    ) -> Result<Active, ReadAgain> {
        let mut active = Active::default();
        for campaign in campaigns {
            let is_active = member.active_campaigns.contains(campaign);
            let read = self.store.participation(campaign, &member.member_id, if is_active { behind } else { 0 });
            if read_too_early(read.row.as_ref(), campaign, Some(member), order) {
                return Err(ReadAgain);
            }
            active.rows.extend(read.row);
            active.revisions.push((campaign.clone(), read.revision));
        }
        Ok(active)
    }

    fn member(&self, programme: &Programme, member_id: &MemberId, event: &Event) -> Read<Member> {
        let mut read = self.store.member(member_id, event.lag[1]);
        if let Some(mutant) = self.mutant {
            mutant.rows(programme, &mut Read::default(), &mut read, event.now);
        }
        read
    }

    fn decide_order(
        &self,
        programme: &Programme,
        snapshot: &OrderSnapshot,
        event: &Event,
    ) -> Result<Option<Write>, ReadAgain> {
        let [order_lag, member_lag, left_lag, history_lag] = event.lag;
        let mut snapshot = snapshot.clone();
        let mut order = self.store.order(&snapshot.order_id, order_lag);
        if let Some(mutant) = self.mutant {
            mutant.snapshot(programme, &mut snapshot, &mut order);
            mutant.paying_snapshot(&mut snapshot, &mut order);
        }
        let member_id = member_of(order.row.as_ref(), &snapshot).cloned();
        let mut member = member_id.as_ref().map(|id| self.store.member(id, member_lag)).unwrap_or_default();
        if let Some(mutant) = self.mutant {
            mutant.rows(programme, &mut order, &mut member, event.now);
        }
        let mut left = Read::default();
        let mut history = None;
        let mut active = None;
        let mut vouchers = None;
        let mut voucher_revisions = Vec::new();
        for _ in 0..QUESTIONS_MAX {
            let rows = OrderRows {
                order: order.row.clone(),
                member: member.row.clone(),
                left_member: left.row.clone(),
                history,
                participations: active.as_ref().map(|active: &Active| active.rows.clone()),
                vouchers: vouchers.clone(),
            };
            let verdict = reconcile_order(programme, rows, snapshot.clone(), event.now);
            match verdict {
                Ok(Verdict::Decided(decision)) => {
                    if decision.order.is_none() && decision.member.is_none() {
                        return Ok(None);
                    }
                    return Ok(Some(Write {
                        order_revision: order.revision,
                        member_revision: member.revision,
                        left_revision: left.revision,
                        participation_revisions: active.unwrap_or_default().revisions,
                        voucher_revisions,
                        ..Write::new(decision)
                    }));
                }
                Ok(Verdict::NeedsMember(id)) => left = self.store.member(&id, left_lag),
                Ok(Verdict::NeedsVouchers { mut named, used_for }) => {
                    // A code is used once: each is read as it really is.
                    let used = self.store.vouchers().map(|(voucher, _)| voucher);
                    let used = used.filter(|voucher| used_for.is_some() && voucher.used_for == used_for);
                    let more: Vec<_> = used.map(|voucher| voucher.voucher_id.clone()).collect();
                    named.extend(more);
                    named.sort();
                    named.dedup();
                    let mut found = Vec::new();
                    for voucher_id in named {
                        let mut read = self.store.voucher(&voucher_id);
                        if let Some(mutant) = self.mutant {
                            mutant.voucher(&snapshot, &mut read);
                        }
                        voucher_revisions.push((voucher_id, read.revision));
                        found.extend(read.row);
                    }
                    vouchers = Some(found);
                }
                Ok(Verdict::NeedsParticipations(_, campaigns)) => {
                    let Some(row) = &member.row else { return Err(ReadAgain) };
                    active = Some(self.part(row, order.row.as_ref(), &campaigns, left_lag)?);
                }
                Ok(Verdict::NeedsHistory(id)) => {
                    let read = self.store.history(&id, history_lag);
                    let ends = member.row.as_ref().map_or(0, |member| member.last_seq);
                    let whole = read.last().map_or(0, |entry| entry.seq) == ends;
                    if !whole && self.mutant != Some(Mutant::TrustsAStaleHistory) {
                        return Err(ReadAgain);
                    }
                    history = Some(read);
                }
                // Refused: for an operator, not for the books.
                Err(_) => return Ok(None),
            }
        }
        Err(ReadAgain)
    }
}

/// Participations as they were read.
#[derive(Default)]
struct Active {
    rows: Vec<Participation>,
    revisions: Vec<(RuleId, usize)>,
}
