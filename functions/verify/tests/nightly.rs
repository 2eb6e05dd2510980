//! What a night's proof says, and that it never says more than it read.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use loyalty_audit::{Report, Standing};
use loyalty_contract::identity::MemberKey;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_contract::queue::{Deletion, QueueMessage, Source};
use loyalty_domain::money::Currency;
use loyalty_runtime::chain;
use loyalty_runtime::metrics::{Metric, Metrics};
use loyalty_store::engine::{Engine, Fault};
use loyalty_store::{Consistency, OrderEvent};
use serde_json::json;
use verify::{Proved, Verify, VerifyError, figures};

const NAME: &str = "Nguyễn Văn An";
const AT: &str = "2026-11-23T01:15:07Z";

/// A shop with one member and so many orders of 50 points.
async fn shop(orders: usize) -> Engine {
    let engine = Engine::new();
    let programmes =
        ProgrammeFile::parse(include_str!("../../../infra/programmes/cnv-retail.toml")).expect("a programme");
    let key = MemberKey::new("an installation's key of 32 bytes").expect("a key");
    for number in 0..orders {
        let order = json!({"kind": "order", "order": {
            "source": "standard", "order_id": number.to_string(), "placed_at": AT, "updated_at": AT,
            "status": "delivered", "payment_status": "paid", "currency": "VND",
            "due_minor": 530_000, "shipping_minor": 30_000, "refunded_minor": 0,
            "customer": {"phone": "84901234567", "name": NAME}}});
        let Ok(QueueMessage::Order { order }) = serde_json::from_value(order) else { panic!("an order") };
        let event = OrderEvent { snapshot: order.into_snapshot(&key), now: AT.parse().expect("a time") };
        let applied = engine.books().apply_orders(|now| &programmes.at(now).programme, vec![event]).await;
        assert!(applied.iter().all(Result::is_ok), "{applied:?}");
    }
    engine
}

fn nightly(engine: &Engine) -> Verify {
    Verify { client: engine.client(), table_prefix: engine.prefix().to_owned(), metrics: Metrics::default() }
}

fn in_minutes(minutes: u64) -> SystemTime {
    SystemTime::now() + Duration::from_secs(60 * minutes)
}

/// Gives every member a point by hand.
async fn tamper(engine: &Engine) -> String {
    let client = engine.client();
    let table = format!("{}members", engine.prefix());
    let mut row = client.scan().table_name(&table).send().await.expect("read").items.expect("rows").remove(0);
    let AttributeValue::N(points) = &row["redeemable_points"] else { panic!("points") };
    let more = points.parse::<i64>().expect("a number") + 1;
    row.insert("redeemable_points".to_owned(), AttributeValue::N(more.to_string()));
    let AttributeValue::S(member_id) = row["member_id"].clone() else { panic!("an id") };
    client.put_item().table_name(table).set_item(Some(row)).send().await.expect("written");
    member_id
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn books_in_order_are_proved() {
    let engine = shop(3).await;
    let proved = nightly(&engine).answer(in_minutes(15)).await.expect("proved");
    assert_eq!(proved, Proved { findings: 0, rows: 1 + 3 + 3 });
}

/// One that was credited, and one that nobody had heard of.
#[tokio::test]
async fn deleted_orders_are_proved() {
    let engine = shop(1).await;
    let books = engine.books();
    let programmes =
        ProgrammeFile::parse(include_str!("../../../infra/programmes/cnv-retail.toml")).expect("a programme");
    for order_id in ["0", "unknown"] {
        let now = AT.parse().expect("a time");
        let deletion = Deletion { source: Source::Standard, order_id: order_id.into(), deleted_at: now };
        let known = books.order(&deletion.full_order_id(), Consistency::Strong).await.expect("read");
        let snapshot = deletion.into_snapshot(known.as_ref().map(|stored| &stored.row), Currency::VND);
        let applied = books.apply_orders(|now| &programmes.at(now).programme, vec![OrderEvent { snapshot, now }]).await;
        assert!(applied.iter().all(Result::is_ok), "{applied:?}");
    }
    let proved = nightly(&engine).answer(in_minutes(15)).await.expect("proved");
    assert_eq!(proved, Proved { findings: 0, rows: 1 + 2 + 2 });
}

/// Alone in its thread: the log is that of this test.
#[tokio::test]
async fn what_is_broken_is_named_by_its_key_and_nothing_else() {
    let engine = shop(1).await;
    let member_id = tamper(&engine).await;
    let log = Log::default();
    let writer = log.clone();
    let lines = tracing_subscriber::fmt()
        .with_ansi(false)
        // Its digits are nobody's points.
        .without_time()
        .with_max_level(tracing::Level::INFO)
        .with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(lines.finish());
    let proved = nightly(&engine).answer(in_minutes(15)).await.expect("an answer");
    assert!(proved.findings >= 2, "{proved:?}");
    let log = String::from_utf8(log.0.lock().unwrap().clone()).expect("text");
    assert_eq!(log.matches("a row is broken").count(), 1, "each row once: {log}");
    assert!(log.contains(&member_id) && log.contains("members=1"), "{log}");
    for personal in [NAME, "901234567", "51"] {
        assert!(!log.contains(personal), "{personal} in {log}");
    }
}

#[tokio::test]
async fn a_proof_that_is_not_finished_is_an_error() {
    let engine = shop(2).await;
    let error = nightly(&engine).answer(SystemTime::now()).await.expect_err("no time");
    assert!(matches!(error, VerifyError::OutOfTime { unconfirmed: 0, .. }), "{error}");

    // Broken at the first reading, and no time for the second.
    tamper(&engine).await;
    let slow = nightly(&engine);
    engine.inject(|call| {
        if call.body["ConsistentRead"] == true {
            std::thread::sleep(Duration::from_millis(400));
        }
        Fault::None
    });
    let error = slow.answer(SystemTime::now() + Duration::from_millis(10_600)).await.expect_err("too little time");
    assert!(matches!(error, VerifyError::OutOfTime { unconfirmed, .. } if unconfirmed > 0), "{error}");
    assert!(error.to_string().contains("run `verify` from a machine"), "{error}");
    engine.heal();

    engine.inject(|call| if call.body["TableName"] == "test-orders" { Fault::Invalid } else { Fault::None });
    let error = nightly(&engine).answer(in_minutes(15)).await.expect_err("a table less");
    let VerifyError::Read { rows, .. } = &error else { panic!("{error}") };
    assert_eq!(*rows, 1 + 2, "members and entries were read before");
    assert!(chain(&error).contains("test-orders cannot be read"), "{}", chain(&error));
}

#[test]
fn a_night_says_that_it_ran_what_is_owed_and_who_stands_where() {
    let tiers = [("member".to_owned(), 5), ("gold".to_owned(), 2)].into();
    let standing = Standing { members: 7, outstanding_points: 1_234, owed_points: 9, tiers };
    let report = Report { standing, ..Report::default() };
    assert_eq!(
        figures(&report),
        [
            (vec![(Metric::VerifyFindings, 0), (Metric::PointsOutstanding, 1_234)], None),
            (vec![(Metric::MembersInTier, 2)], Some("gold")),
            (vec![(Metric::MembersInTier, 5)], Some("member")),
        ]
    );
}
