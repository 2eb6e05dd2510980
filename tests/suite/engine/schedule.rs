//! One schedule: bad weather until every message was tried, peace until every message is done, then judgement.

use loyalty_audit::{Audit, Table, Value};
use loyalty_domain::decision::{Decision, Outcome};
use loyalty_domain::ids::OrderId;
use loyalty_store::engine::Engine;
use loyalty_tests::sim::oracle;
use loyalty_tests::sim::scenario::{Event, Scenario, What};
use loyalty_tests::sim::store::{Store, Write};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value as Json;

use super::faults::{Trace, Weather};
use super::queue::{Message, Queue};
use super::wire::{self, HOSTILE, Reader};
use super::{hostile, one_thread};

/// What is wrong with the outcome, and what led to it.
#[derive(Debug)]
pub struct Failure {
    pub why: String,
    pub trace: Vec<String>,
}

/// Plays a scenario in the weather of a seed.
///
/// # Errors
/// The first thing that is wrong.
pub fn play(seed: u64, scenario: &Scenario, traced: bool) -> Result<(), Failure> {
    // Pauses between attempts come from here, the store's and the SDK's own.
    fastrand::seed(seed);
    let mut scenario = scenario.clone();
    one_thread().block_on(async {
        let trace = Trace::new(traced);
        let outcome = storm_and_peace(seed, &mut scenario, trace.clone()).await;
        outcome.map_err(|why| Failure { why, trace: trace.lines() })
    })
}

async fn storm_and_peace(seed: u64, scenario: &mut Scenario, trace: Trace) -> Result<(), String> {
    let engine = Engine::new();
    let function = wire::function(&engine, scenario);
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    let weather = Weather::of(&mut draw);
    trace.note(|| format!("{weather:?}"));
    engine.inject(weather.faults(draw.random(), trace.clone()));
    engine.pace(weather.pace(draw.random()));
    let messages = messages(scenario, &mut draw);
    let queue = Queue::new(&function, messages, draw.random(), trace);

    queue.deliver(weather).await;
    engine.heal();
    // Whoever was killed left whole transactions behind (I3), not only what the next delivery puts right.
    audit(&rows(&engine)).map_err(|why| format!("after the storm {why}"))?;
    queue.deliver_rest().await?;
    let done = rows(&engine);
    audit(&done)?;
    let store = read(&engine, &done[2]).await?;
    oracle::judge(scenario, &store)?;
    queue.deliver_again().await?;
    if rows(&engine) == done { Ok(()) } else { Err("what was all done is done again".to_owned()) }
}

/// The scenario's events, and between them what no queue should hold (F25, F26).
fn messages(scenario: &Scenario, draw: &mut ChaCha8Rng) -> Vec<Message> {
    let message = |(at, event): (usize, &Event)| {
        let What::Order(snapshot) = event.what else { panic!("a schedule has orders only") };
        let body = wire::body(&scenario.snapshots[snapshot]);
        Message { id: format!("e{at}"), body, sent: event.now, refusable: false }
    };
    let mut messages: Vec<_> = scenario.events.iter().enumerate().map(message).collect();
    let Some(first) = scenario.events.first() else { return messages };
    let extremes = hostile::orders(draw, HOSTILE, first.now);
    let bodies = extremes.iter().map(wire::body).chain(draw.random_ratio(1, 4).then(|| "not JSON".to_owned()));
    for (at, body) in bodies.collect::<Vec<_>>().into_iter().enumerate() {
        let place = draw.random_range(0..=messages.len());
        messages.insert(place, Message { id: format!("bad{at}"), body, sent: first.now, refusable: true });
    }
    messages
}

const TABLES: [Table; 3] = [Table::Members, Table::PointsHistory, Table::Orders];

/// The rows as they are; a member's entries by rising `seq`.
fn rows(engine: &Engine) -> [Vec<Json>; TABLES.len()] {
    TABLES.map(|table| {
        let mut rows = engine.rows(table.name());
        rows.sort_by_key(|row| (row["member_id"].as_str().map(str::to_owned), row["seq"].as_u64()));
        rows
    })
}

/// The verifier, as an operator would run it.
fn audit(rows: &[Vec<Json>; TABLES.len()]) -> Result<(), String> {
    let mut audit = Audit::new();
    for (table, rows) in TABLES.into_iter().zip(rows) {
        rows.iter().for_each(|row| audit.row(table, &Value::from(row.clone()).into_row().expect("a row is a map")));
    }
    let report = audit.finish();
    if report.clean() { Ok(()) } else { Err(format!("the verifier finds {}", report.findings[0])) }
}

/// The books as the product reads them, without the orders that are no part of the scenario.
async fn read(engine: &Engine, orders: &[Json]) -> Result<Store, String> {
    let reader = Reader::new(engine);
    let mut store = Store::default();
    let mut put =
        |decision: Decision| store.commit(Write::new(decision)).map_err(|_| "two rows have one key".to_owned());
    for row in orders {
        let order_id = OrderId::new(row["order_id"].as_str().unwrap_or_default());
        if order_id.as_str().contains("hostile") {
            continue;
        }
        let order = reader.order(&order_id).await.map_err(|error| error.to_string())?;
        put(Decision { order: order.map(|stored| stored.row), ..Decision::nothing(Outcome::Noted) })?;
    }
    for (member_id, stored) in reader.members().await.map_err(|error| error.to_string())? {
        let entries = reader.history(&member_id).await.map_err(|error| error.to_string())?;
        put(Decision { member: Some(stored.row), entries, ..Decision::nothing(Outcome::Posted) })?;
    }
    Ok(store)
}
