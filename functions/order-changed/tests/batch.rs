//! Batches of the queue, as Lambda hands them over.

use aws_lambda_events::sqs::SqsEvent;
use loyalty_contract::identity::MemberKey;
use loyalty_contract::phone::normalise;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_store::Consistency;
use loyalty_store::engine::{Engine, Fault};
use order_changed::OrderChanged;
use serde_json::{Value, json};

const KEY: &str = "an installation's key of 32 bytes";
/// 2026-11-23T01:15:07Z.
const SENT: &str = "1795396507000";

fn function(engine: &Engine) -> OrderChanged {
    let programmes = ProgrammeFile::parse(include_str!("../../../infra/programmes/cnv-retail.toml")).unwrap();
    OrderChanged { books: engine.books(), programmes, key: MemberKey::new(KEY).unwrap() }
}

fn order(id: &str, phone: &str, due: i64) -> String {
    json!({"kind": "order", "order": {
        "source": "standard", "order_id": id,
        "placed_at": "2026-11-23T01:00:00Z", "updated_at": "2026-11-23T01:15:00Z",
        "status": "delivered", "payment_status": "paid", "currency": "VND",
        "due_minor": due, "shipping_minor": 30_000, "refunded_minor": 0,
        "customer": {"phone": phone, "name": "Nguyễn Văn An"}}})
    .to_string()
}

fn batch(bodies: &[String]) -> SqsEvent {
    let message = |(at, body): (usize, &String)| -> Value {
        json!({"messageId": format!("message-{at}"), "body": body, "attributes": {"SentTimestamp": SENT}})
    };
    let records: Vec<_> = bodies.iter().enumerate().map(message).collect();
    serde_json::from_value(json!({"Records": records})).unwrap()
}

async fn failed(function: &OrderChanged, event: SqsEvent) -> Vec<String> {
    let answer = function.answer(event).await;
    answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
}

async fn check_points(function: &OrderChanged, phone: &str, points: i64) {
    let member_id = function.key.by_phone(&normalise(phone).unwrap());
    let member = function.books.member(&member_id, Consistency::Strong).await.unwrap().expect("a member").row;
    assert_eq!(member.balance.redeemable.0, points);
}

#[tokio::test]
async fn orders_are_credited_when_they_were_sent() {
    let engine = Engine::new();
    let function = function(&engine);
    let bodies = [order("1", "84901234567", 530_000), order("2", "84901234567", 130_000)];
    assert_eq!(failed(&function, batch(&bodies)).await, [""; 0]);
    check_points(&function, "0901234567", 60).await;
    assert_eq!(engine.rows("points-history")[0]["recorded_at"], "2026-11-23T01:15:07Z");
}

/// F25, F15: one of many is bad, and only it comes again.
#[tokio::test]
async fn only_what_cannot_be_read_is_given_back() {
    let engine = Engine::new();
    let function = function(&engine);
    let mut event = batch(&[
        order("1", "84901234567", 530_000),
        "not JSON".to_owned(),
        json!({"kind": "something else"}).to_string(),
        order("2", "84907654321", 530_000),
        order("3", "84907654321", 530_000),
    ]);
    event.records[4].attributes.clear();
    assert_eq!(failed(&function, event).await, ["message-1", "message-2", "message-4"]);
    check_points(&function, "0901234567", 50).await;
    check_points(&function, "0907654321", 50).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_not_written_is_given_back() {
    let engine = Engine::new();
    let function = function(&engine);
    engine.inject(|call| {
        let touches = call.operation == "TransactWriteItems" && call.body.to_string().contains("standard:1");
        if touches { Fault::RequestLost } else { Fault::None }
    });
    let bodies = [order("1", "84901234567", 530_000), order("2", "84907654321", 530_000)];
    assert_eq!(failed(&function, batch(&bodies)).await, ["message-0"]);
    engine.heal();
    assert_eq!(failed(&function, batch(&bodies)).await, [""; 0]);
    check_points(&function, "0901234567", 50).await;
    check_points(&function, "0907654321", 50).await;
}

/// A delivery that was set aside and is replayed is read again.
#[tokio::test]
async fn a_delivery_that_was_set_aside_is_read_again() {
    let engine = Engine::new();
    let function = function(&engine);
    let delivery = json!({"type": "order.changed", "timestamp": "2026-11-23T08:15:00+07:00", "data": {
        "order_id": "DH-1001", "placed_at": "2026-11-23T08:00:00+07:00", "updated_at": "2026-11-23T08:15:00+07:00",
        "status": "delivered", "payment_status": "paid", "amount_due": "530000", "shipping_fee": "30000",
        "refunded": "0", "currency": "VND", "customer": {"phone": "0901234567"}}});
    let set_aside = |body: String| {
        json!({"kind": "quarantined", "source": "standard", "reason": "not readable", "body": body}).to_string()
    };
    let bodies = [set_aside(delivery.to_string()), set_aside("still not JSON".to_owned())];
    assert_eq!(failed(&function, batch(&bodies)).await, ["message-1"]);
    check_points(&function, "0901234567", 50).await;
    let deleted = json!({"kind": "quarantined", "source": "nhanh", "reason": "not readable", "body":
        json!({"event": "orderDelete", "data": [1, 2]}).to_string()});
    assert_eq!(failed(&function, batch(&[deleted.to_string()])).await, [""; 0]);
    assert_eq!(engine.rows("orders").len(), 3);
}

/// The order of [`order`], said again at another time of that day.
fn said_at(time: &str) -> String {
    order("1", "84901234567", 530_000).replace("01:15:00Z", time)
}

fn deletion(time: &str) -> String {
    let deleted_at = format!("2026-11-23T{time}");
    json!({"kind": "deleted", "source": "standard", "order_id": "1", "deleted_at": deleted_at}).to_string()
}

/// Each message is a batch of its own. Returns the redeemable points of every entry that they made.
async fn entries_of(messages: &[String]) -> Vec<i64> {
    let engine = Engine::new();
    let function = function(&engine);
    for message in messages {
        assert_eq!(failed(&function, batch(std::slice::from_ref(message))).await, [""; 0]);
    }
    let mut entries = engine.rows("points-history");
    entries.sort_by_key(|entry| entry["seq"].as_i64());
    entries.iter().map(|entry| entry["redeemable"].as_i64().expect("points")).collect()
}

/// R3: what a deleted order was credited is taken back exactly, and once.
#[tokio::test]
async fn a_deleted_order_loses_what_it_was_credited() {
    let (credited, deleted) = (said_at("01:15:00Z"), deletion("01:20:00Z"));
    let late = said_at("01:19:00Z");
    assert_eq!(entries_of(&[credited.clone(), deleted.clone(), deleted.clone(), late]).await, [50, -50]);
    let same_instant = [said_at("01:20:00Z"), deleted.clone()];
    assert_eq!(entries_of(&same_instant).await, [50, -50]);
    let ahead = [said_at("03:00:00Z"), deleted.clone(), deleted, said_at("03:00:00Z")];
    assert_eq!(entries_of(&ahead).await, [50, -50], "a shop whose clock runs ahead");
}

/// X27: a deletion that comes first is kept, and what the shop said before it earns nothing.
#[tokio::test]
async fn a_deletion_of_an_unknown_order_is_kept() {
    assert_eq!(entries_of(&[deletion("01:20:00Z"), said_at("01:15:00Z")]).await, [0; 0]);
    let engine = Engine::new();
    let function = function(&engine);
    let together = [said_at("01:15:00Z"), deletion("01:20:00Z")];
    assert_eq!(failed(&function, batch(&together)).await, [""; 0]);
    check_points(&function, "0901234567", 0).await;
    assert!(engine.rows("points-history").is_empty());
}

/// X28: a shop that restores an order says so in a newer snapshot, and the same deletion is old from then on.
#[tokio::test]
async fn a_deleted_order_may_be_restored() {
    let (deleted, restored) = (deletion("01:20:00Z"), said_at("01:30:00Z"));
    assert_eq!(entries_of(&[deleted.clone(), restored.clone(), deleted.clone()]).await, [50]);
    let known = [said_at("01:15:00Z"), deleted.clone(), restored.clone(), deleted.clone()];
    assert_eq!(entries_of(&known).await, [50, -50, 50]);
    let again = [said_at("01:15:00Z"), deleted, restored, deletion("01:40:00Z")];
    assert_eq!(entries_of(&again).await, [50, -50, 50, -50]);
}

/// What was cancelled before it was deleted stays as it is, and news from between the two is old.
#[tokio::test]
async fn a_cancelled_order_that_is_deleted_stays_cancelled() {
    let cancelled = said_at("01:16:00Z").replace("delivered", "cancelled");
    let between = said_at("01:18:00Z");
    let messages = [said_at("01:15:00Z"), cancelled, deletion("01:20:00Z"), between];
    assert_eq!(entries_of(&messages).await, [50, -50]);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_whose_order_cannot_be_read_comes_again() {
    let engine = Engine::new();
    let function = function(&engine);
    assert_eq!(failed(&function, batch(&[said_at("01:15:00Z")])).await, [""; 0]);
    engine.inject(|call| if call.operation == "GetItem" { Fault::RequestLost } else { Fault::None });
    let bodies = [deletion("01:20:00Z"), order("2", "84907654321", 530_000)];
    assert_eq!(failed(&function, batch(&bodies)).await, ["message-0"]);
    engine.heal();
    assert_eq!(failed(&function, batch(&bodies)).await, [""; 0]);
    check_points(&function, "0901234567", 0).await;
    check_points(&function, "0907654321", 50).await;
}

#[tokio::test]
async fn an_empty_batch_asks_for_nothing() {
    let engine = Engine::new();
    let function = function(&engine);
    assert_eq!(failed(&function, batch(&[])).await, [""; 0]);
    assert_eq!(function.books.consumed().requests, 0);
}

/// X50: what arrives during a pause comes again until it lies in the dead letters; replayed afterwards, it is credited.
#[tokio::test]
async fn a_pause_keeps_what_arrives_and_nothing_is_lost() {
    let engine = Engine::new();
    let pause = "[[changes]]\neffective_from = \"2026-11-23T08:00:00+07:00\"\npaused = true\n\
                 [[changes]]\neffective_from = \"2026-11-24T08:00:00+07:00\"\npaused = false\n";
    let programme = format!("{}\n{pause}", include_str!("../../../infra/programmes/cnv-retail.toml"));
    let function = OrderChanged { programmes: ProgrammeFile::parse(&programme).unwrap(), ..function(&engine) };
    let bodies = [order("1", "84901234567", 530_000)];
    for _ in 0..5 {
        assert_eq!(failed(&function, batch(&bodies)).await, ["message-0"]);
    }
    assert!(engine.rows("members").is_empty() && engine.rows("orders").is_empty());
    let mut replayed = batch(&bodies);
    let a_day_later = (SENT.parse::<i64>().unwrap() + 24 * 60 * 60 * 1000).to_string();
    replayed.records[0].attributes.insert("SentTimestamp".to_owned(), a_day_later);
    assert_eq!(failed(&function, replayed).await, [""; 0]);
    check_points(&function, "0901234567", 50).await;
}
