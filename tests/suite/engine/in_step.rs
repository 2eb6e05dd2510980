//! The same operations in memory and on the engine, compared after each.

use std::collections::HashMap;

use loyalty_domain::decision::Decision;
use loyalty_domain::ids::MemberId;
use loyalty_store::StoreError;
use loyalty_store::engine::Engine;
use loyalty_tests::book::Book;
use loyalty_tests::sim::scenario::{Scenario, What, member};
use order_changed::OrderChanged;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::wire::{self, HOSTILE, Reader};
use super::{hostile, one_thread};

/// The two books, and how often each row of them was written.
struct Walk {
    function: OrderChanged,
    reader: Reader,
    book: Book,
    revisions: HashMap<String, u64>,
}

/// Goes through a scenario, one delivery after another.
///
/// # Errors
/// The first difference.
pub fn walk(seed: u64, mut scenario: Scenario) -> Result<(), String> {
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    add_hostile(&mut scenario, &mut draw);
    one_thread().block_on(async {
        let engine = Engine::new();
        let function = wire::function(&engine, &mut scenario);
        let reader = Reader::new(&engine);
        let mut walk = Walk { function, reader, book: Book::default(), revisions: HashMap::new() };
        for at in 0..scenario.events.len() {
            walk.step(&scenario, at).await.map_err(|why| format!("event {at}: {why}\n{:#?}", scenario.events[at]))?;
        }
        walk.compare_all().await
    })
}

/// Here the extremes may fall to anybody: both books must refuse the same.
fn add_hostile(scenario: &mut Scenario, draw: &mut ChaCha8Rng) {
    let Some(event) = scenario.events.first().cloned() else { return };
    let number = draw.random_range(0..HOSTILE);
    for snapshot in hostile::orders(draw, number, event.now) {
        scenario.snapshots.push(snapshot);
        let mut event = event.clone();
        event.what = What::Order(scenario.snapshots.len() - 1);
        let place = draw.random_range(0..=scenario.events.len());
        scenario.events.insert(place, event);
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, memory: T, tables: T) -> Result<(), String> {
    if memory == tables { Ok(()) } else { Err(format!("{what}\nin memory: {memory:#?}\nin the tables: {tables:#?}")) }
}

fn unreadable(error: StoreError) -> String {
    format!("cannot be read: {error}")
}

impl Walk {
    async fn step(&mut self, scenario: &Scenario, at: usize) -> Result<(), String> {
        let event = &scenario.events[at];
        let What::Order(snapshot) = event.what else { panic!("a walk has orders only") };
        let snapshot = &scenario.snapshots[snapshot];
        let decided = self.book.try_deliver(scenario.programme_at(event.now), snapshot, event.now);
        let body = wire::body(snapshot);
        let answer = self.function.answer(wire::batch([("it", body.as_str(), event.now)].into_iter())).await;
        same("given back", decided.is_err(), !answer.batch_item_failures.is_empty())?;
        if let Ok(decision) = &decided {
            self.count(decision);
        }
        self.compare_order(snapshot.order_id.as_str()).await?;
        let Ok(Decision { member: Some(member), left_member, .. }) = decided else { return Ok(()) };
        for member in std::iter::once(member).chain(left_member) {
            self.compare_member(&member.member_id).await?;
        }
        Ok(())
    }

    fn count(&mut self, decision: &Decision) {
        let members = decision.member.iter().chain(&decision.left_member).map(|member| member.member_id.to_string());
        for key in members.chain(decision.order.iter().map(|order| order.order_id.to_string())) {
            *self.revisions.entry(key).or_default() += 1;
        }
    }

    fn revision(&self, key: &str) -> u64 {
        self.revisions.get(key).copied().unwrap_or_default()
    }

    async fn compare_order(&self, order_id: &str) -> Result<(), String> {
        let stored = self.reader.order(&order_id.into()).await.map_err(unreadable)?;
        let revision = stored.as_ref().map_or(0, |stored| stored.revision);
        same(&format!("order {order_id}"), self.book.orders.get(&order_id.into()).cloned(), stored.map(|it| it.row))?;
        same(&format!("revision of order {order_id}"), self.revision(order_id), revision)
    }

    async fn compare_member(&self, member_id: &MemberId) -> Result<(), String> {
        let stored = self.reader.member(member_id).await.map_err(unreadable)?;
        let revision = stored.as_ref().map_or(0, |stored| stored.revision);
        same(&format!("member {member_id}"), self.book.members.get(member_id).cloned(), stored.map(|it| it.row))?;
        same(&format!("revision of member {member_id}"), self.revision(member_id.as_str()), revision)?;
        let history = self.reader.history(member_id).await.map_err(unreadable)?;
        same(
            &format!("history of {member_id}"),
            self.book.histories.get(member_id).cloned().unwrap_or_default(),
            history,
        )
    }

    /// Rows that no operation was about have not changed either.
    async fn compare_all(&self) -> Result<(), String> {
        for order_id in self.book.orders.keys() {
            self.compare_order(order_id.as_str()).await?;
        }
        for number in 0..HOSTILE {
            self.compare_member(&member(number)).await?;
        }
        Ok(())
    }
}
