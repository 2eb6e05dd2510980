//! The function on batches of the stream, through the real SDK to a bus and a table that can fail.

mod figures;
mod wire;

use aws_lambda_events::dynamodb::{Event, EventRecord};
use ledger_stream::{RecordError, entry_of};
use loyalty_contract::events::{Kind, Why};
use loyalty_domain::ledger::{EntryKind, Reason};
use loyalty_domain::lots::Expiry;
use loyalty_domain::points::Legs;
use loyalty_messaging::{EVENTS_PER_CALL_MAX, PUBLISH_ATTEMPTS_MAX};
use loyalty_store::words::Word;
use serde_json::{Value, json};
use wire::Wire;

const POSTED: &str = include_str!("../fixtures/posted.json");

/// The record of the fixture as entry `seq`, with some attributes of its row replaced; null takes one away.
fn record(seq: u64, attributes: Value) -> Value {
    let mut record: Value = serde_json::from_str(POSTED).unwrap();
    record["dynamodb"]["SequenceNumber"] = json!(format!("70000000000{seq}"));
    let row = record["dynamodb"]["NewImage"].as_object_mut().unwrap();
    row.insert("seq".to_owned(), json!({"N": seq.to_string()}));
    for (name, value) in attributes.as_object().unwrap() {
        match value {
            Value::Null => row.remove(name),
            value => row.insert(name.clone(), value.clone()),
        };
    }
    record
}

/// An order that earned and left the tier alone.
fn earned(seq: u64) -> Value {
    record(seq, json!({"tier_after": {"S": "member"}}))
}

fn read(record: Value) -> EventRecord {
    serde_json::from_value(record).unwrap()
}

/// Sends a batch; answers what Lambda is told: the `batchItemFailures`.
async fn send(wire: &Wire, records: &[Value]) -> Value {
    let event: Event = serde_json::from_value(json!({"Records": records})).unwrap();
    let answer = wire.ledger_stream().answer(event).await;
    serde_json::to_value(answer).unwrap()["batchItemFailures"].take()
}

fn failed_at(seq: u64) -> Value {
    json!([{"itemIdentifier": format!("70000000000{seq}")}])
}

fn event_ids(wire: &Wire) -> Vec<String> {
    let id = |event: &Value| {
        let detail: Value = serde_json::from_str(event["Detail"].as_str().unwrap()).unwrap();
        detail["event_id"].as_str().unwrap().trim_start_matches("m_4f0c2d9e8b7a6153:").to_owned()
    };
    wire.world().bus.iter().map(id).collect()
}

fn kept(wire: &Wire) -> Vec<String> {
    wire.world().rows.keys().map(|key| key.trim_start_matches("m_4f0c2d9e8b7a6153:").to_owned()).collect()
}

#[test]
fn an_entry_is_read_from_the_row_that_was_inserted() {
    let entry = entry_of(read(serde_json::from_str(POSTED).unwrap())).unwrap().unwrap();
    assert_eq!((entry.member_id.as_str(), entry.seq), ("m_4f0c2d9e8b7a6153", 7));
    assert_eq!((entry.kind, entry.reason), (EntryKind::Accrual, Reason::OrderEarned));
    assert_eq!((entry.legs, entry.balance_after), (Legs::new(50, 50), Legs::new(212, 212)));
    assert_eq!(entry.written_off, Legs::ZERO);
    assert_eq!(entry.lots[0].expiry, Expiry::On("2027-11-30".parse().unwrap()));
    assert_eq!((entry.tier_before.as_str(), entry.tier_after.as_str()), ("member", "silver"));
    assert_eq!(entry.order_id.unwrap().as_str(), "standard:DH-1001");
    assert_eq!(entry.recorded_at, "2026-11-23T01:15:07.250Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap());
}

#[test]
fn a_reversal_is_read_with_what_it_wrote_off() {
    let reversal = record(
        8,
        json!({
            "kind": {"S": "reversal"}, "reason": {"S": "order_cancelled"}, "reverses": {"N": "7"},
            "redeemable": {"N": "-20"}, "lots": {"L": [{"M": {"expires_on": {"S": "never"}, "points": {"N": "-20"}}}]},
            "written_off": {"M": {"redeemable": {"N": "30"}, "qualifying": {"N": "0"}}},
            "terms": null, "facts": null, "deserves": null, "made_by_a_newer_version": {"BOOL": true}
        }),
    );
    let entry = entry_of(read(reversal)).unwrap().unwrap();
    assert_eq!((entry.kind, entry.reverses), (EntryKind::Reversal, Some(7)));
    assert_eq!((entry.legs, entry.written_off), (Legs::new(-20, 50), Legs::new(30, 0)));
    assert_eq!(entry.lots[0].expiry, Expiry::Never);
}

/// The store writes a row's words by its own list: every word it can write is one that is read here.
#[test]
fn the_words_of_a_row_are_those_the_store_writes() {
    for kind in Kind::ALL {
        assert_eq!(EntryKind::from(*kind).to_word(), kind.word());
    }
    for why in Why::ALL {
        assert_eq!(Reason::from(*why).to_word(), why.word());
    }
    assert_eq!(Expiry::Never.to_word(), "never");
}

#[test]
fn a_row_that_is_no_entry_is_an_error() {
    let wrong = |attributes| entry_of(read(record(7, attributes))).unwrap_err();
    assert!(matches!(wrong(json!({"seq": {"S": "seven"}})), RecordError::Attribute(_)));
    assert!(matches!(wrong(json!({"kind": {"S": "gift"}})), RecordError::Attribute(_)));
    assert!(matches!(wrong(json!({"recorded_at": null})), RecordError::Attribute(_)));
    let lots = json!({"lots": {"L": [{"M": {"expires_on": {"S": "soon"}, "points": {"N": "1"}}}]}});
    assert!(matches!(wrong(lots), RecordError::Expiry(_)));
    let mut keys_only = record(7, json!({}));
    keys_only["dynamodb"].as_object_mut().unwrap().remove("NewImage");
    assert!(matches!(entry_of(read(keys_only)).unwrap_err(), RecordError::NoImage));
}

#[tokio::test]
async fn an_entry_becomes_its_events_and_its_message() {
    let wire = Wire::default();
    assert_eq!(send(&wire, &[record(7, json!({}))]).await, json!([]));
    assert_eq!(event_ids(&wire), ["7:PointsPosted", "7:TierChanged"]);
    let world = wire.world();
    let detail: Value = serde_json::from_str(world.bus[1]["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(world.bus[1]["DetailType"], "TierChanged");
    assert_eq!(world.bus[1]["Time"], 1795396507.25);
    assert_eq!(detail["direction"], "upgrade");
    let row = &world.rows["m_4f0c2d9e8b7a6153:7:order_points_credited"];
    assert_eq!(
        *row,
        json!({
            "message_id": {"S": "m_4f0c2d9e8b7a6153:7:order_points_credited"},
            "member_id": {"S": "m_4f0c2d9e8b7a6153"},
            "template": {"S": "order_points_credited"},
            "variables": {"M": {
                "order": {"S": "DH-1001"},
                "points": {"N": "50"},
                "qualifying_points": {"N": "50"},
                "expires_on": {"S": "2027-11-30"},
                "balance": {"N": "212"},
                "tier": {"S": "Silver"},
                "benefits": {"L": [
                    {"S": "Mã giảm giá nhỏ mỗi tháng"}, {"S": "Quà nhẹ hoặc voucher khi lên hạng"},
                    {"S": "Voucher sinh nhật 5–10%"}]},
                "next_tier": {"S": "Gold"},
                "next_tier_benefits": {"L": [
                    {"S": "Mã giảm giá 10–15% mỗi tháng"}, {"S": "Voucher 10% hoặc 50.000–100.000đ khi lên hạng"},
                    {"S": "Voucher sinh nhật 10–15% và quà nhỏ"}]},
                "points_to_next_tier": {"N": "488"},
                "spend_to_next_tier": {"M": {"amount_minor": {"N": "4880000"}, "currency": {"S": "VND"}}}
            }},
            "state": {"S": "pending"},
            "source_entry": {"M": {"member_id": {"S": "m_4f0c2d9e8b7a6153"}, "seq": {"N": "7"}}},
            "created_at": {"S": "2026-11-23T01:15:07.250Z"},
            "digest": row["digest"]
        })
    );
}

/// DynamoDB's typed attributes as a plain value.
fn plain(attribute: &Value) -> loyalty_audit::Value {
    let (kind, value) = attribute.as_object().unwrap().iter().next().unwrap();
    let text = || value.as_str().unwrap().into();
    match kind.as_str() {
        "S" => loyalty_audit::Value::S(text()),
        "N" => loyalty_audit::Value::N(text()),
        "L" => loyalty_audit::Value::L(value.as_array().unwrap().iter().map(plain).collect()),
        "M" => loyalty_audit::Value::M(plain_row(value)),
        other => panic!("an attribute of type {other}"),
    }
}

fn plain_row(row: &Value) -> loyalty_audit::Row {
    row.as_object().unwrap().iter().map(|(name, value)| (name, plain(value))).collect()
}

#[tokio::test]
async fn the_digest_of_a_message_is_what_the_verifier_computes() {
    let wire = Wire::default();
    send(&wire, &[record(7, json!({"order_id": {"S": "standard:a\"\\\n\t\u{1}đ"}}))]).await;
    for row in wire.world().rows.values() {
        let row = plain_row(row);
        assert_eq!(row["digest"], loyalty_audit::Value::S(loyalty_audit::digest_of(&row).into()));
    }
}

#[tokio::test]
async fn f16_a_replay_changes_nothing() {
    let wire = Wire::default();
    let batch = [record(1, json!({})), earned(2), earned(3)];
    send(&wire, &batch).await;
    let rows = wire.world().rows.clone();
    let first = std::mem::take(&mut wire.world().bus);
    assert_eq!(send(&wire, &batch).await, json!([]));
    assert_eq!(wire.world().rows, rows);
    assert_eq!(wire.world().bus, first);
}

#[tokio::test]
async fn f17_a_refused_event_is_offered_again_alone() {
    let wire = Wire::default();
    wire.world().refusals.insert("m_4f0c2d9e8b7a6153:2:PointsPosted".to_owned(), PUBLISH_ATTEMPTS_MAX - 1);
    assert_eq!(send(&wire, &[earned(1), earned(2), earned(3)]).await, json!([]));
    assert_eq!(wire.world().calls, [3, 1, 1]);
    assert_eq!(event_ids(&wire), ["1:PointsPosted", "3:PointsPosted", "2:PointsPosted"]);
    assert_eq!(kept(&wire).len(), 3);
}

#[tokio::test]
async fn f17_an_event_refused_too_often_fails_its_record() {
    let wire = Wire::default();
    wire.world().refusals.insert("m_4f0c2d9e8b7a6153:2:PointsPosted".to_owned(), PUBLISH_ATTEMPTS_MAX);
    let batch = [earned(1), earned(2), earned(3)];
    assert_eq!(send(&wire, &batch).await, failed_at(2));
    assert_eq!(wire.world().calls, [3, 1, 1]);
    assert_eq!(kept(&wire), ["1:order_points_credited"]);
    // The stream comes again from there.
    assert_eq!(send(&wire, &batch[1..]).await, json!([]));
    assert_eq!(kept(&wire).len(), 3);
}

#[tokio::test]
async fn an_answer_that_contradicts_itself_proves_nothing() {
    let wire = Wire::default();
    wire.world().mute_answers = 1;
    assert_eq!(send(&wire, &[earned(1)]).await, json!([]));
    assert_eq!(event_ids(&wire), ["1:PointsPosted"]);
    wire.world().mute_answers = PUBLISH_ATTEMPTS_MAX;
    assert_eq!(send(&wire, &[earned(2)]).await, failed_at(2));
    wire.world().contradictions = 1;
    assert_eq!(send(&wire, &[earned(3)]).await, json!([]));
    assert_eq!(event_ids(&wire), ["1:PointsPosted", "3:PointsPosted"]);
}

#[tokio::test]
async fn while_the_bus_is_down_nothing_is_done() {
    let wire = Wire::default();
    wire.world().bus_down = true;
    assert_eq!(send(&wire, &[earned(1), earned(2)]).await, failed_at(1));
    assert_eq!(kept(&wire).len(), 0);
}

#[tokio::test]
async fn a_message_that_cannot_be_kept_fails_its_record() {
    let wire = Wire::default();
    wire.world().unwritable.insert("m_4f0c2d9e8b7a6153:2:order_points_credited".to_owned());
    assert_eq!(send(&wire, &[earned(1), earned(2), earned(3)]).await, failed_at(2));
    wire.world().unwritable.clear();
    assert_eq!(send(&wire, &[earned(2), earned(3)]).await, json!([]));
    assert_eq!(kept(&wire).len(), 3);
}

#[tokio::test]
async fn the_earliest_failure_is_the_one_reported() {
    let wire = Wire::default();
    wire.world().refusals.insert("m_4f0c2d9e8b7a6153:3:PointsPosted".to_owned(), PUBLISH_ATTEMPTS_MAX);
    wire.world().unwritable.insert("m_4f0c2d9e8b7a6153:1:order_points_credited".to_owned());
    let unreadable = record(4, json!({"kind": null}));
    assert_eq!(send(&wire, &[earned(1), earned(2), earned(3), unreadable]).await, failed_at(1));
}

#[tokio::test]
async fn an_unreadable_record_holds_up_only_what_comes_after_it() {
    let wire = Wire::default();
    let unreadable = record(2, json!({"kind": null}));
    assert_eq!(send(&wire, &[earned(1), unreadable, earned(3)]).await, failed_at(2));
    assert_eq!(event_ids(&wire), ["1:PointsPosted"]);
    assert_eq!(kept(&wire), ["1:order_points_credited"]);
}

#[tokio::test]
async fn a_record_without_a_number_brings_the_whole_batch_again() {
    let wire = Wire::default();
    let mut unreadable = record(2, json!({"kind": null}));
    unreadable["dynamodb"].as_object_mut().unwrap().remove("SequenceNumber");
    assert_eq!(send(&wire, &[earned(1), unreadable]).await, json!([{"itemIdentifier": null}]));
}

#[tokio::test]
async fn a_row_changed_or_removed_by_hand_has_no_effects() {
    let wire = Wire::default();
    let mut batch = [earned(1), earned(2)];
    batch[0]["eventName"] = json!("MODIFY");
    batch[1]["eventName"] = json!("REMOVE");
    assert_eq!(send(&wire, &batch).await, json!([]));
    assert_eq!((event_ids(&wire).len(), kept(&wire).len()), (0, 0));
}

#[tokio::test]
async fn many_entries_share_few_calls() {
    let wire = Wire::default();
    let batch: Vec<_> = (1..=25).map(earned).collect();
    assert_eq!(send(&wire, &batch).await, json!([]));
    assert_eq!(wire.world().calls, [EVENTS_PER_CALL_MAX, EVENTS_PER_CALL_MAX, 5]);
    assert_eq!(kept(&wire).len(), 25);
    // An entry's two events may fall into two calls; its record is found all the same.
    wire.world().refusals.insert("m_4f0c2d9e8b7a6153:10:TierChanged".to_owned(), PUBLISH_ATTEMPTS_MAX);
    let mut batch: Vec<_> = (1..=12).map(earned).collect();
    batch[9] = record(10, json!({}));
    assert_eq!(send(&wire, &batch).await, failed_at(10));
}

#[tokio::test]
async fn a_movement_without_a_message_still_tells_the_bus() {
    let wire = Wire::default();
    let spent = json!({
        "kind": {"S": "redemption"}, "reason": {"S": "points_spent"}, "redeemable": {"N": "-20"},
        "qualifying": {"N": "0"}, "tier_before": {"S": "silver"}, "order_id": null
    });
    assert_eq!(send(&wire, &[record(8, spent)]).await, json!([]));
    assert_eq!(event_ids(&wire), ["8:PointsPosted"]);
    assert_eq!(kept(&wire).len(), 0);
}

/// A row of `vouchers` as the stream brings it.
fn voucher(number: u64, event: &str, worth: Value) -> Value {
    let id = json!({"S": format!("v_{number}")});
    json!({"eventID": "e", "eventName": event, "eventVersion": "1.1", "eventSource": "aws:dynamodb",
        "awsRegion": "local", "dynamodb": {
            "ApproximateCreationDateTime": 1_795_396_508, "SequenceNumber": format!("70000000000{number}"),
            "SizeBytes": 1, "StreamViewType": "NEW_IMAGE", "Keys": {"voucher_id": id}, "NewImage": {
                "voucher_id": id, "revision": {"N": "1"}, "code": {"S": "CANARYCODE12"},
                "member_id": {"S": "m_4f0c2d9e8b7a6153"}, "grant_id": {"S": "m_4f0c2d9e8b7a6153/tier/7/ten"},
                "offer": {"S": "ten"}, "name": {"S": "Giảm 10%"}, "worth": {"M": worth},
                "valid_days": {"N": "30"}, "order_min_minor": {"N": "200000"},
                "valid_from": {"S": "2026-11-23"}, "valid_until": {"S": "2026-12-22"}, "tier": {"S": "silver"},
                "remind_on": {"S": "2026-12-18"}, "state": {"S": "issued"}, "issued_at": {"S": "2026-11-23T01:15:07Z"},
                "due_shard": {"S": "03"}, "due_on": {"S": "2026-12-18"}, "digest": {"S": "d"}}}})
}

fn percent() -> Value {
    json!({"percent": {"M": {"percent": {"N": "10"}, "most_minor": {"N": "100000"}}}})
}

#[tokio::test]
async fn a_voucher_that_was_issued_is_told_without_its_code() {
    let wire = Wire::default();
    assert_eq!(send(&wire, &[voucher(1, "INSERT", percent())]).await, json!([]));
    let world = wire.world();
    assert_eq!(world.bus[0]["DetailType"], "VoucherIssued");
    let detail: Value = serde_json::from_str(world.bus[0]["Detail"].as_str().unwrap()).unwrap();
    assert_eq!(
        detail,
        json!({"event_id": "v_1:VoucherIssued", "schema_version": 1, "voucher_id": "v_1",
            "member_id": "m_4f0c2d9e8b7a6153", "offer": "ten", "name": "Giảm 10%",
            "worth": {"kind": "percent", "percent": 10, "up_to": "100000"}, "order_min": "200000", "currency": "VND",
            "tier": "silver", "valid_from": "2026-11-23", "valid_until": "2026-12-22",
            "issued_at": "2026-11-23T01:15:07Z"})
    );
    assert!(!format!("{:?}{:?}", world.bus, world.rows).contains("CANARY"));
    assert_eq!(world.rows.len(), 0, "whoever gave it tells the member");
}

#[tokio::test]
async fn a_voucher_is_told_whatever_it_is_worth_and_only_when_it_is_issued() {
    let worths = [
        json!({"percent": {"M": {"percent": {"N": "5"}}}}),
        json!({"amount_minor": {"N": "50000"}}),
        json!({"gift": {"S": "Túi vải"}}),
        json!({"game_turns": {"N": "1"}}),
        json!({"combo": {"S": "Quà và voucher"}}),
    ];
    let wire = Wire::default();
    let mut batch: Vec<_> = (1..).zip(worths).map(|(number, worth)| voucher(number, "INSERT", worth)).collect();
    batch.extend([voucher(8, "MODIFY", percent()), voucher(9, "REMOVE", percent())]);
    assert_eq!(send(&wire, &batch).await, json!([]));
    let told = |event: &Value| -> Value { serde_json::from_str(event["Detail"].as_str().unwrap()).unwrap() };
    let told: Vec<_> = wire.world().bus.iter().map(|event| told(event)["worth"]["kind"].clone()).collect();
    assert_eq!(told, ["percent", "amount", "gift", "game_turns", "combo"]);
}

#[tokio::test]
async fn f17_a_voucher_whose_event_is_refused_fails_its_record() {
    let wire = Wire::default();
    wire.world().refusals.insert("v_2:VoucherIssued".to_owned(), PUBLISH_ATTEMPTS_MAX);
    let batch = [1, 2, 3].map(|number| voucher(number, "INSERT", percent()));
    assert_eq!(send(&wire, &batch).await, failed_at(2));
    assert_eq!(send(&wire, &batch[1..]).await, json!([]));
    assert_eq!(send(&wire, &[voucher(4, "INSERT", json!({"wish": {"S": "x"}}))]).await, failed_at(4), "unreadable");
}

#[tokio::test]
async fn nothing_personal_leaves_even_when_a_row_holds_it() {
    let canary = json!({"S": "CANARY-0901234567"});
    let personal = json!({"name": canary, "phone": canary, "email": canary, "birthday": canary, "customer": {"M": {
        "name": canary, "phone": canary}}});
    let wire = Wire::default();
    assert_eq!(send(&wire, &[record(7, personal)]).await, json!([]));
    let world = wire.world();
    assert_eq!((world.bus.len(), world.rows.len()), (2, 1));
    let everything = format!("{:?}{:?}", world.bus, world.rows);
    assert!(!everything.contains("CANARY"), "{everything}");
}

/// What a message costs: one write unit for each KiB of its row.
#[tokio::test]
async fn a_message_of_the_default_programme_takes_one_write_unit() {
    let wire = Wire::default();
    send(&wire, &[record(7, json!({}))]).await;
    let bytes: usize = wire.world().rows.values().map(|row| row_bytes(&plain_row(row))).sum();
    assert!(bytes <= 1024, "{bytes} bytes");
}

/// Names and values, and 3 for each map or list with 1 more for each element; a number as its digits, which is more.
fn row_bytes(row: &loyalty_audit::Row) -> usize {
    row.iter().map(|(name, value)| name.len() + value_bytes(value)).sum()
}

fn value_bytes(value: &loyalty_audit::Value) -> usize {
    match value {
        loyalty_audit::Value::S(text) | loyalty_audit::Value::N(text) => text.len(),
        loyalty_audit::Value::L(items) => 3 + items.iter().map(|item| 1 + value_bytes(item)).sum::<usize>(),
        loyalty_audit::Value::M(row) => 3 + row.len() + row_bytes(row),
        other => panic!("{other:?}"),
    }
}
