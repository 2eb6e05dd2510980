//! Stream consumers: order, partial failures, bisecting, dead letters without payload, trimming.

use serde_json::Value;
use thang_hang::engine::streams;

use crate::fixture::Fixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_come_in_order_with_their_image() {
    let fixture = Fixture::start().await;
    for number in 0..20 {
        fixture.put(&format!("t{number}"), &format!("ok {number}")).await;
    }
    fixture.drain().await;
    let expected: Vec<String> = (0..20).map(|number| format!("ok {number}")).collect();
    assert_eq!(fixture.orders("follower"), expected);
    let record = &fixture.seen("follower")[0]["record"];
    assert_eq!(record["eventName"], "INSERT");
    assert_eq!(record["dynamodb"]["Keys"]["id"]["S"], "t0");
    fixture.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_record_is_given_up_and_the_rest_goes_on() {
    let fixture = Fixture::start().await;
    for order in ["ok 1", "fail 2", "ok 3"] {
        fixture.put(order, order).await;
    }
    fixture.drain().await;
    let seen = fixture.orders("follower");
    assert_eq!(seen.last().map(String::as_str), Some("ok 3"), "{seen:?}");
    assert!(seen.iter().filter(|one| *one == "fail 2").count() >= 2, "{seen:?}");
    let letters = fixture.stack.running().dead_letters().await.unwrap();
    assert_eq!(letters.len(), 1);
    let letter: Value = serde_json::from_str(&letters[0].body).unwrap();
    let info = &letter["DDBStreamBatchInfo"];
    assert_eq!(info["batchSize"], 1);
    assert_eq!(info["startSequenceNumber"], info["endSequenceNumber"]);
    assert!(!letters[0].body.contains("fail 2"), "no payload in the record");
    fixture.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_bisects_until_the_culprit_is_alone() {
    let fixture = Fixture::start().await;
    for order in ["ok 1", "crash 2", "ok 3", "ok 4"] {
        fixture.put(order, order).await;
    }
    fixture.drain().await;
    let letters = fixture.stack.running().dead_letters().await.unwrap();
    let bodies: Vec<Value> = letters.iter().map(|letter| serde_json::from_str(&letter.body).unwrap()).collect();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(bodies[0]["DDBStreamBatchInfo"]["batchSize"], 1);
    let seen = fixture.orders("follower");
    assert!(seen.contains(&"ok 3".to_owned()) && seen.contains(&"ok 4".to_owned()));
    fixture.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_letter_gets_its_records_back() {
    let fixture = Fixture::start().await;
    fixture.put("a", "fail").await;
    fixture.drain().await;
    fixture.put("b", "ok").await;
    fixture.drain().await;
    // The function still fails: the letter stays.
    assert_eq!(fixture.stack.running().replay(None).await.unwrap(), 0);
    assert_eq!(fixture.stack.running().dead_letters().await.unwrap().len(), 1);
    std::fs::write(fixture.log.with_extension("mended"), "").unwrap();
    assert_eq!(fixture.stack.running().replay(None).await.unwrap(), 1);
    assert_eq!(fixture.stack.running().dead_letters().await.unwrap().len(), 0);
    let times = fixture.orders("follower").iter().filter(|one| *one == "fail").count();
    assert_eq!(times, 4, "two attempts and two replays");
    fixture.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbering_stays_cheap_at_a_hundred_thousand_records() {
    let fixture = Fixture::start().await;
    let engine = &fixture.stack.running().engine;
    let plan = engine
        .with_file(|file| {
            file.execute_batch(
                "BEGIN;
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
                 INSERT INTO _stream_records (table_name, event_name, keys_json, sequence_number, shard_id, created_at)
                 SELECT 'other', 'INSERT', '{}', CAST(i AS TEXT), 's', 0 FROM n;
                 COMMIT;",
            )?;
            // The engine's own statement, as of the version the workspace pins.
            let plan: String = file.query_row(
                "EXPLAIN QUERY PLAN SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1
                 FROM _stream_records WHERE table_name = 'other'",
                [],
                |row| row.get(3),
            )?;
            Ok((plan, streams::newest(file, "other")?))
        })
        .await
        .unwrap();
    assert_eq!(plan.1, 100_000);
    assert!(plan.0.contains("stream_records_by_number"), "{}", plan.0);
    fixture.put("after", "ok").await;
    fixture.drain().await;
    assert_eq!(fixture.orders("follower"), ["ok"]);
    fixture.stack.stop().await;
}
