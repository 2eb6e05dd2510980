//! L2 and L5: the real handler and store, through the real SDK, on an embedded DynamoDB.
//!
//! L2 plays seeded schedules of faults and proves what they left: the verifier reads the rows as they are, and the oracle
//! of the simulation, which knows nothing but the scenario, says what every order and member must have come to. L5 does
//! the same operations one at a time in memory and on the engine, and finds no difference.
//!
//! `LOYALTY_SCHEDULES` sets how many schedules L2 plays (`LOYALTY_SCHEDULES=2000` on demand), `LOYALTY_SEED` plays one
//! and tells it.

mod faults;
mod hostile;
mod in_step;
mod queue;
mod schedule;
mod wire;

use loyalty_tests::sim::scenario::Scenario;
use loyalty_tests::sim::shrink;

use crate::seeds::{first_failing, number};

/// Schedules of a usual run.
const SCHEDULES: u64 = 500;
/// Deliveries in a schedule, before any is repeated.
const DELIVERIES: usize = 50;
/// Schedules in which the two books go in step, and their operations.
const SCHEDULES_IN_STEP: u64 = 200;
const OPERATIONS_IN_STEP: usize = 15;

fn one_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

/// L2: whatever the queue, the network and the tables do, every order and member ends as they should.
#[test]
fn the_tables_survive_every_fault() {
    let scenario = |seed| Scenario::of_orders(seed, DELIVERIES);
    let plays = |seed| schedule::play(seed, &scenario(seed), false).is_ok();
    let failing = match number("LOYALTY_SEED") {
        Some(seed) => (!plays(seed)).then_some(seed),
        None => first_failing(number("LOYALTY_SCHEDULES").unwrap_or(SCHEDULES), |seed| !plays(seed)),
    };
    if let Some(seed) = failing {
        panic!("{}", tell(seed, scenario(seed)));
    }
}

/// L5: the books in memory and the tables are the same after every operation.
#[test]
fn memory_and_tables_go_in_step() {
    let walk = |seed| in_step::walk(seed, Scenario::of_orders(seed, OPERATIONS_IN_STEP));
    let failing = match number("LOYALTY_SEED") {
        Some(seed) => Some(seed),
        None => first_failing(SCHEDULES_IN_STEP, |seed| walk(seed).is_err()),
    };
    if let Some(Err(why)) = failing.map(walk) {
        panic!("seed {}: {why}", failing.unwrap_or_default());
    }
}

/// A failing schedule with as few events as still fail, and what happened in it.
fn tell(seed: u64, mut scenario: Scenario) -> String {
    let fails = |scenario: &Scenario| schedule::play(seed, scenario, false).is_err();
    let mut at = 0;
    while at < scenario.events.len() {
        let mut fewer = scenario.clone();
        fewer.events.remove(at);
        if fails(&fewer) {
            scenario = fewer;
        } else {
            at += 1;
        }
    }
    let failure = schedule::play(seed, &scenario, true).expect_err("it fails as it did before");
    let mut lines = vec![format!("seed {seed}: {}", failure.why)];
    let events = scenario.events.iter().enumerate();
    lines.extend(events.map(|(at, event)| format!("e{at}: {}", shrink::line(&scenario, event))));
    lines.extend(failure.trace);
    lines.join("\n")
}
