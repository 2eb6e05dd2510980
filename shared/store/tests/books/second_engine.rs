//! A second DynamoDB, independent of the embedded one: where both agree, neither's mistake is what the books rest on.
//!
//! With `LOYALTY_DYNAMODB_URL` set, all tests of the books run over the engine at that address, and those below hold the
//! two engines against each other. `.ci/second-engine` starts one and sets it.
//!
//! Where ministack 1.5 differs from DynamoDB: it does not say what a BatchGetItem consumed, and it counts the size of a
//! transaction in the bytes of its JSON.

use std::io::Write;

use loyalty_audit::{Audit, Table, Value};
use loyalty_domain::decision::Outcome;
use loyalty_domain::ids::MemberId;
use loyalty_domain::money::Currency;
use loyalty_domain::order::{OrderSnapshot, OrderStatus, PaymentStatus};
use loyalty_store::Consistency;
use loyalty_store::engine::{Engine, Fault};

use crate::support::{AN, BINH, Shop, order, programme, version, with_welcome};

const URL: &str = "LOYALTY_DYNAMODB_URL";
const WRITERS: usize = 6;
const ORDERS_EACH: usize = 4;

fn url() -> Option<String> {
    std::env::var(URL).ok().filter(|url| !url.is_empty())
}

/// Whether this run is over the second engine.
pub fn is_chosen() -> bool {
    url().is_some()
}

/// The engine that the tests of this run are over.
pub fn chosen() -> Engine {
    url().map_or_else(Engine::new, |url| Engine::at(&url))
}

/// The second engine, or a word on standard error past the test harness, which keeps what a passing test prints.
fn second(test: &str) -> Option<Engine> {
    let url = url();
    if url.is_none() {
        let said = format!("NOT RUN: {test}: {URL} names no second DynamoDB; .ci/second-engine starts one\n");
        std::io::stderr().write_all(said.as_bytes()).expect("standard error is open");
    }
    url.map(|url| Engine::at(&url))
}

/// Every row that the verifier reads, once it has found nothing wrong.
fn proved(shop: &Shop) -> Vec<(Table, Vec<serde_json::Value>)> {
    let tables = [Table::Members, Table::PointsHistory, Table::Orders];
    let rows: Vec<_> = tables.into_iter().map(|table| (table, shop.engine.rows(table.name()))).collect();
    let mut audit = Audit::new();
    for (table, rows) in &rows {
        // Entries by rising seq, as a scan of DynamoDB returns them.
        let mut rows = rows.clone();
        rows.sort_by_key(|row| row["seq"].as_u64());
        for row in rows {
            audit.row(*table, &Value::from(row).into_row().expect("a row"));
        }
    }
    let report = audit.finish();
    assert!(report.clean(), "{:#?}", report.findings);
    rows
}

/// One of everything the store does. What is told of it, for comparison.
async fn told(shop: &Shop) -> Vec<String> {
    let mut told = Vec::new();
    let mut batches = vec![
        vec![order("1")],
        vec![order("1")],
        vec![version("1", -30, OrderStatus::Confirmed)],
        vec![version("1", 60, OrderStatus::Cancelled)],
        vec![order("2"), order("3"), version("2", 60, OrderStatus::Delivered), order("4")],
        vec![OrderSnapshot { member_id: None, ..order("5") }],
        vec![version("5", 60, OrderStatus::Delivered)],
        vec![OrderSnapshot { member_id: Some(BINH.into()), ..version("6", 0, OrderStatus::Confirmed) }],
        vec![version("6", 60, OrderStatus::Delivered)],
    ];
    let mut returned = version("3", 120, OrderStatus::Delivered);
    returned.facts.payment = PaymentStatus::PartiallyRefunded;
    returned.facts.refunded_minor = 120_000;
    batches.push(vec![returned]);
    let mut dollars = OrderSnapshot { member_id: Some("m_chi".into()), ..order("7") };
    dollars.facts.currency = Currency::from_code("USD").expect("a currency");
    dollars.profile.name = Some("Chi \"Đỗ\"\n\u{1}😀".to_owned());
    batches.push(vec![dollars]);
    // Long after: what was credited has expired, and one of it is cancelled (X23).
    let later = 2 * 366 * 24 * 3600;
    batches.push(vec![version("8", later, OrderStatus::Delivered)]);
    batches.push(vec![version("2", later + 60, OrderStatus::Cancelled)]);
    for batch in batches {
        let before = shop.books.consumed();
        let applied = shop.apply(batch).await;
        let consumed = shop.books.consumed() - before;
        told.push(format!("{applied:?} {} requests {} write units", consumed.requests, consumed.write_units));
    }
    // Other handlers believe an old row, and a transaction is refused with the row it met.
    shop.always("BatchGetItem", Fault::Stale { keys: u64::MAX });
    told.push(format!("{:?}", shop.apply(vec![version("4", 180, OrderStatus::Cancelled), order("9")]).await));
    shop.engine.heal();
    for member_id in [AN, BINH, "m_chi", "m_nobody"] {
        let member_id = MemberId::from(member_id);
        told.push(format!("{:?}", shop.books.member(&member_id, Consistency::Strong).await));
        let mut before = None;
        loop {
            let page = shop.books.history(&member_id, 2, before).await.expect("a page");
            before = page.next_before;
            told.push(format!("{page:?}"));
            if before.is_none() {
                break;
            }
        }
    }
    told
}

#[tokio::test(start_paused = true)]
async fn the_same_operations_leave_the_same_rows_in_both_engines() {
    for programme in [programme(), with_welcome()] {
        let Some(second) = second("the same operations over two engines") else { return };
        let (one, two) = (Shop::over(Engine::new(), programme.clone()), Shop::over(second, programme));
        let (told_one, told_two) = (told(&one).await, told(&two).await);
        for (one, two) in told_one.iter().zip(&told_two) {
            assert_eq!(one, two);
        }
        assert_eq!(proved(&one), proved(&two));
    }
}

/// F6, F7: handlers that really run at once, over real sockets, all with orders of one member and some with the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_at_once_lose_races_and_no_points() {
    let Some(second) = second("writers at once over the second engine") else { return };
    let shop = std::sync::Arc::new(Shop::over(second, programme()));
    shop.one(order("first")).await;
    let writers = (0..WRITERS).map(|writer| {
        let shop = shop.clone();
        tokio::spawn(async move {
            let books = shop.engine.books();
            let mut posted = 0;
            for number in 0..ORDERS_EACH {
                // Each order comes to two handlers.
                let mut delivery = vec![order(&format!("{}-{number}", writer / 2))];
                while let Some(snapshot) = delivery.pop() {
                    match shop.apply_with(&books, vec![snapshot.clone()]).await.remove(0) {
                        Ok(applied) => posted += usize::from(applied.outcome == Outcome::Posted),
                        Err(loyalty_store::StoreError::Contended { .. }) => delivery.push(snapshot),
                        Err(error) => panic!("{error:?}"),
                    }
                }
            }
            (posted, books.consumed().requests)
        })
    });
    let (mut posted, mut requests) = (0, 0);
    for writer in writers.collect::<Vec<_>>() {
        let (of_it, sent) = writer.await.expect("a writer ends");
        posted += of_it;
        requests += sent;
    }
    let orders = WRITERS / 2 * ORDERS_EACH;
    assert_eq!(posted, orders, "each order is posted once");
    // Two requests to post, one to find a duplicate: all above that were lost races.
    assert!(requests > 3 * orders as u64, "nobody met anybody: {requests} requests");
    shop.check_balance(AN, 50 * (orders as i64 + 1)).await;
    proved(&shop);
}
