//! How fast the books are decided and proved: `cargo bench -p loyalty-tests`.
//!
//! Targets: `reconcile_order` within 2 µs, `verify` at 200,000 entries a second or more.

use chrono::Duration;
use divan::Bencher;
use divan::counter::ItemsCount;
use loyalty_audit::{Audit, Row, Table};
use loyalty_domain::member::Member;
use loyalty_domain::reconcile::{OrderRows, reconcile_order};
use loyalty_tests::book::Book;
use loyalty_tests::build::{at, cnv_retail_by_tier, delivered};
use loyalty_tests::rows;

const ENTRIES: usize = 1_000;
const ORDERS_OF_A_MEMBER: usize = 10;

fn main() {
    divan::main();
}

/// Books of many members with ten credited orders each.
fn books() -> Vec<(Table, Row)> {
    let programme = cnv_retail_by_tier();
    let now = at("2026-01-15T03:00:00Z");
    let mut rows = Vec::new();
    for member in 0..ENTRIES / ORDERS_OF_A_MEMBER {
        let mut book = Book::default();
        for order in 0..ORDERS_OF_A_MEMBER {
            let mut snapshot = delivered(&format!("standard:{member}-{order}"), 650_000, now);
            snapshot.member_id = Some(format!("m_{member}").as_str().into());
            book.deliver(&programme, &snapshot, now + Duration::days(order as i64));
        }
        rows.extend(book.rows());
    }
    rows
}

#[divan::bench]
fn verify(bencher: Bencher<'_, '_>) {
    let rows = books();
    bencher.counter(ItemsCount::new(ENTRIES)).bench(|| {
        let mut audit = Audit::new();
        audit.rows(&rows);
        let report = audit.finish();
        assert!(report.clean());
        report
    });
}

#[divan::bench]
fn reconcile_a_new_order(bencher: Bencher<'_, '_>) {
    let programme = cnv_retail_by_tier();
    let now = at("2026-01-15T03:00:00Z");
    let snapshot = delivered("standard:1", 530_000, now);
    let member = Member::registered(&programme, "m_test".into(), now);
    bencher
        .with_inputs(|| (OrderRows { member: member.clone(), ..OrderRows::default() }, snapshot.clone()))
        .bench_values(|(rows, snapshot)| reconcile_order(&programme, rows, snapshot, now));
}

#[divan::bench]
fn reconcile_a_cancel(bencher: Bencher<'_, '_>) {
    let programme = cnv_retail_by_tier();
    let now = at("2026-01-15T03:00:00Z");
    let mut book = Book::default();
    let mut snapshot = delivered("standard:1", 530_000, now);
    book.deliver(&programme, &snapshot, now);
    let (order, member) = (book.orders.values().next().cloned(), book.members.values().next().cloned());
    snapshot.facts.status = loyalty_domain::order::OrderStatus::Cancelled;
    snapshot.facts.updated_at += Duration::hours(1);
    bencher
        .with_inputs(|| {
            (OrderRows { order: order.clone(), member: member.clone(), ..OrderRows::default() }, snapshot.clone())
        })
        .bench_values(|(rows, snapshot)| reconcile_order(&programme, rows, snapshot, now));
}

#[divan::bench]
fn write_an_entry_row(bencher: Bencher<'_, '_>) {
    let programme = cnv_retail_by_tier();
    let now = at("2026-01-15T03:00:00Z");
    let entry = Book::default().deliver(&programme, &delivered("standard:1", 530_000, now), now).remove(0);
    bencher.bench(|| rows::entry(&entry));
}
