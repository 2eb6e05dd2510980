//! L4: everything that can happen in a small world. Two orders of one member, each delivered, cancelled and delivered
//! twice over, two handlers, at most two faults: all interleavings of reading, committing, losing and redelivering.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::Duration;
use loyalty_audit::{Audit, Table};
use loyalty_domain::decision::Verdict;
use loyalty_domain::ids::MemberId;
use loyalty_domain::order::{OrderSnapshot, OrderStatus};
use loyalty_domain::points::Legs;
use loyalty_domain::programme::{Programme, Welcome, WelcomeWhen};
use loyalty_domain::reconcile::{OrderRows, member_of, reconcile_order};
use loyalty_tests::build::{at, cnv_miniapp, delivered};
use loyalty_tests::rows;
use loyalty_tests::sim::store::{Conditions, Store, Write};

const HANDLERS: usize = 2;
const FAULTS_MAX: u8 = 2;

/// A handler that has read and decided, and has not committed: the message, and what it would write.
type Busy = (usize, Write);

#[derive(Clone)]
struct State {
    store: Store,
    /// Messages that wait to be delivered, sorted.
    queue: Vec<usize>,
    handlers: Vec<Busy>,
    faults: u8,
}

struct Search<'a> {
    programme: &'a Programme,
    messages: &'a [OrderSnapshot],
    seen: HashSet<u64>,
    ends: u64,
    /// What every end must have come to.
    expected: Legs,
    wrong: Option<String>,
}

impl Search<'_> {
    fn explore(&mut self, state: State) {
        if self.wrong.is_some() || !self.seen.insert(print_of(&state)) {
            return;
        }
        if state.queue.is_empty() && state.handlers.is_empty() {
            self.ends += 1;
            self.wrong = self.judge(&state.store).err();
            return;
        }
        if state.handlers.len() < HANDLERS {
            for at in 0..state.queue.len() {
                if at == 0 || self.messages[state.queue[at]] != self.messages[state.queue[at - 1]] {
                    self.explore(self.opened(&state, at));
                }
            }
        }
        for handler in 0..state.handlers.len() {
            self.commit(&state, handler);
        }
    }

    /// A handler takes a message up, reads and decides; with nothing to write it is done at once.
    fn opened(&self, state: &State, at: usize) -> State {
        let mut next = state.clone();
        let message = next.queue.remove(at);
        if let Some(write) = self.decide(&next.store, message) {
            next.handlers.push((message, write));
        }
        next
    }

    fn decide(&self, store: &Store, message: usize) -> Option<Write> {
        let snapshot = &self.messages[message];
        let order = store.order(&snapshot.order_id, 0);
        let member = member_of(order.row.as_ref(), snapshot).map(|id| store.member(id, 0)).unwrap_or_default();
        let vouchers = Some(Vec::new());
        let rows = OrderRows { order: order.row, member: member.row, vouchers, ..OrderRows::default() };
        let now = at("2026-01-15T04:00:00Z");
        match reconcile_order(self.programme, rows, snapshot.clone(), now) {
            Ok(Verdict::Decided(decision)) if decision.order.is_some() || decision.member.is_some() => {
                Some(Write { order_revision: order.revision, member_revision: member.revision, ..Write::new(decision) })
            }
            Ok(Verdict::Decided(_)) => None,
            other => panic!("not a decision: {other:?}"),
        }
    }

    /// A handler commits, or a fault befalls it.
    fn commit(&mut self, state: &State, handler: usize) {
        let mut next = state.clone();
        let (message, write) = next.handlers.remove(handler);
        if next.faults > 0 {
            // Killed, throttled or unheard before the commit (F8, F11, F13).
            let mut lost = next.clone();
            lost.faults -= 1;
            lost.redeliver(message);
            self.explore(lost);
            // The queue gives up waiting: delivered again while the first attempt still goes on (F14).
            let mut zombie = state.clone();
            zombie.faults -= 1;
            zombie.redeliver(message);
            self.explore(zombie);
        }
        if next.store.commit(write).is_err() {
            // A lost race: read and decide again, and anything may happen before that is committed.
            if let Some(write) = self.decide(&next.store, message) {
                next.handlers.push((message, write));
            }
            self.explore(next);
            return;
        }
        if next.faults > 0 {
            // Written, and nobody learns (F9, F13).
            let mut unheard = next.clone();
            unheard.faults -= 1;
            unheard.redeliver(message);
            self.explore(unheard);
        }
        self.explore(next);
    }

    fn judge(&self, store: &Store) -> Result<(), String> {
        let mut audit = Audit::new();
        store.orders().for_each(|(order, revision)| audit.row(Table::Orders, &rows::order(order, revision as u64)));
        store.histories().flatten().for_each(|entry| audit.row(Table::PointsHistory, &rows::entry(entry)));
        store
            .members()
            .for_each(|(member, revision)| audit.row(Table::Members, &rows::member(member, revision as u64)));
        let report = audit.finish();
        if let Some(finding) = report.findings.first() {
            return Err(finding.to_string());
        }
        let balance = store.member(&MemberId::from("m_test"), 0).row.map(|member| member.balance);
        if balance == Some(self.expected) { Ok(()) } else { Err(format!("ends at {balance:?}")) }
    }
}

impl State {
    fn redeliver(&mut self, message: usize) {
        self.queue.push(message);
        self.queue.sort_unstable();
    }
}

/// Two states with the same print go on the same way: what is stored, what waits, and what each handler will write.
fn print_of(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut handlers: Vec<_> = state.handlers.iter().map(|busy| format!("{busy:?}")).collect();
    handlers.sort_unstable();
    (state.faults, &state.queue, handlers).hash(&mut hasher);
    for (order, revision) in state.store.orders() {
        (revision, format!("{order:?}")).hash(&mut hasher);
    }
    for (member, revision) in state.store.members() {
        (revision, format!("{member:?}")).hash(&mut hasher);
    }
    for entry in state.store.histories().flatten() {
        (entry.seq, entry.legs, entry.written_off, entry.order_id.as_ref()).hash(&mut hasher);
    }
    hasher.finish()
}

/// Deliveries of an order: delivered, cancelled, delivered once more, and the last of them twice.
fn order(order_id: &str, net: i64, comes_back: bool) -> Vec<OrderSnapshot> {
    let placed = at("2026-01-15T03:00:00Z");
    let first = delivered(order_id, net, placed);
    let mut cancelled = first.clone();
    cancelled.facts.status = OrderStatus::Cancelled;
    cancelled.facts.updated_at += Duration::minutes(1);
    let mut last = first.clone();
    if comes_back {
        last.facts.updated_at += Duration::minutes(2);
    }
    vec![first, cancelled, last]
}

fn explore(programme: &Programme, comes_back: bool, expected: Legs, conditions: Conditions) -> Search<'_> {
    let mut messages = order("A", 129_900, comes_back);
    messages.extend(order("B", 2_000_000, comes_back));
    let messages = Box::leak(messages.into_boxed_slice());
    let mut search = Search { programme, messages, seen: HashSet::new(), ends: 0, expected, wrong: None };
    let mut store = Store::default();
    store.conditions = conditions;
    let queue = (0..messages.len()).collect();
    search.explore(State { store, queue, handlers: Vec::new(), faults: FAULTS_MAX });
    search
}

#[test]
fn every_interleaving_of_cancelled_orders_ends_at_nothing() {
    let welcome = Welcome { points: 100, when: WelcomeWhen::Immediate, regrant: false };
    let programme = Programme { welcome: Some(welcome), ..cnv_miniapp() };
    let search = explore(&programme, false, Legs::ZERO, Conditions::default());
    assert_eq!(search.wrong, None);
    println!("{} states, {} ends", search.seen.len(), search.ends);
    assert!(search.seen.len() > 10_000, "the search is not exhaustive: {} states", search.seen.len());
}

/// Which of the two orders meets the higher tier differs from one interleaving to the other (P9), so both are worth the
/// same here.
#[test]
fn every_interleaving_of_orders_that_come_back_is_credited_once() {
    let mut programme = cnv_miniapp();
    programme.tiers = loyalty_tests::build::ladder([1_000, 2_000, 3_000], [loyalty_tests::build::ratio(1, 1); 4]);
    let search = explore(&programme, true, Legs::new(2_129, 2_129), Conditions::default());
    assert_eq!(search.wrong, None);
    println!("{} states, {} ends", search.seen.len(), search.ends);
    assert!(search.seen.len() > 10_000, "the search is not exhaustive: {} states", search.seen.len());
}

#[test]
fn without_the_member_condition_some_interleaving_is_wrong() {
    let conditions = Conditions { member_revision: false, entry_absent: false, ..Conditions::default() };
    let programme = cnv_miniapp();
    assert!(explore(&programme, false, Legs::ZERO, conditions).wrong.is_some());
}
