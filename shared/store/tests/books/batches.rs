//! Batches: one transaction for a member, and neighbours that do not harm each other.

use loyalty_domain::decision::Outcome;
use loyalty_domain::money::Currency;
use loyalty_domain::order::{OrderSnapshot, OrderStatus, PaymentStatus};
use loyalty_store::engine::Fault;
use loyalty_store::{Consistency, StoreError};

use crate::second_engine;
use crate::support::{AN, BINH, Shop, at, order, programme, version, with_welcome};

#[tokio::test]
async fn x27_what_an_order_was_before_its_newest_version_earns_nothing_whatever_order_they_came_in() {
    for cancelled_first in [true, false] {
        let shop = Shop::new(programme());
        let mut batch = vec![
            version("1", 120, OrderStatus::Cancelled),
            version("1", 60, OrderStatus::Delivered),
            version("1", 60, OrderStatus::Delivered),
        ];
        if !cancelled_first {
            batch.reverse();
        }
        let outcomes: Vec<_> = shop.apply(batch).await.into_iter().map(|result| result.unwrap().outcome).collect();
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Posted).count(), 1, "{outcomes:?}");
        shop.check_balance(AN, 0).await;
        assert_eq!(shop.member(AN).await.last_seq, 0);
    }
}

#[tokio::test]
async fn members_of_one_batch_are_written_apart() {
    let shop = Shop::new(programme());
    let of_binh = OrderSnapshot { member_id: Some(BINH.into()), ..order("2") };
    shop.nth("TransactWriteItems", 1, Fault::Invalid);
    let results = shop.apply(vec![order("1"), of_binh]).await;
    assert!(matches!(results[0], Err(StoreError::Unavailable { .. })), "{results:?}");
    assert_eq!(results[1].as_ref().unwrap().outcome, Outcome::Posted);
    shop.check_balance(BINH, 50).await;
}

#[tokio::test]
async fn a_refused_order_does_not_take_its_neighbours_with_it() {
    let shop = Shop::new(programme());
    let mut hostile = order("2");
    hostile.facts.due_minor = i64::MAX;
    hostile.facts.shipping_minor = 0;
    let results = shop.apply(vec![order("1"), hostile, order("3")]).await;
    assert!(matches!(results[1], Err(StoreError::Rejected(_))), "the spent amounts together do not fit: {results:?}");
    assert!(results[0].is_ok() && results[2].is_ok(), "{results:?}");
    shop.check_balance(AN, 100).await;
}

#[tokio::test]
async fn one_row_that_cannot_be_written_fails_alone() {
    let shop = Shop::new(programme());
    let bad = order("bad");
    shop.engine.inject(|call| {
        let touches = call.operation == "TransactWriteItems" && call.body.to_string().contains("standard:bad");
        if touches { Fault::Invalid } else { Fault::None }
    });
    let results = shop.apply(vec![order("1"), bad, order("2")]).await;
    assert!(results[0].is_ok() && results[1].is_err() && results[2].is_ok(), "{results:?}");
    shop.check_balance(AN, 100).await;
}

#[tokio::test]
async fn a_batch_above_a_hundred_rows_is_split() {
    let shop = Shop::new(with_welcome());
    let batch: Vec<_> = (0..120).map(|number| order(&number.to_string())).collect();
    // 120 orders and one member to read; up to 49 orders with their entries, and the member, to write at a time.
    assert_eq!(shop.cost(batch).await.requests, 2 + 3);
    // The welcome points are redeemable only.
    let member = shop.member(AN).await;
    assert_eq!((member.balance.redeemable.0, member.balance.qualifying.0), (6100, 6000));
    assert_eq!((member.orders_count, member.last_seq), (120, 121));
}

/// One order that passes through many hands, each with a name as long as a row can be.
#[tokio::test]
async fn a_batch_above_four_megabytes_is_split() {
    let shop = Shop::new(programme());
    // The second engine counts the bytes of JSON in ASCII, where this letter takes six and not two.
    let long = if second_engine::is_chosen() { "aa" } else { "ă" };
    let of = |number: i64, member: i64, seconds: i64| {
        let mut snapshot = version(&number.to_string(), seconds, OrderStatus::Confirmed);
        snapshot.member_id = Some(format!("m_{member}").as_str().into());
        snapshot
    };
    for number in 0..12 {
        shop.one(of(number, number, number)).await;
    }
    // Each order goes to the next member, so all belong together.
    let moved = |number: i64| {
        let mut snapshot = of(number, number + 1, 100 + number);
        snapshot.profile.name = Some(long.repeat(190_000));
        snapshot
    };
    // The orders and whom they name, the members they leave, and two transactions.
    assert_eq!(shop.cost((0..11).map(moved).collect()).await.requests, 2 + 2);
    assert_eq!(shop.member("m_0").await.orders_count, 0);
    assert_eq!(shop.member("m_11").await.orders_count, 2);
}

/// F23: until it is credited, an order goes where its newest snapshot says.
#[tokio::test]
async fn an_order_that_changes_hands_is_written_with_both_members() {
    let shop = Shop::new(programme());
    let mut placed = order("1");
    placed.facts.status = OrderStatus::Confirmed;
    shop.one(placed).await;
    assert_eq!(shop.member(AN).await.orders_count, 1);

    let mut moved = version("1", 60, OrderStatus::Delivered);
    moved.member_id = Some(BINH.into());
    assert_eq!(shop.one(moved).await, Outcome::Posted);
    assert_eq!(shop.member(AN).await.orders_count, 0);
    shop.check_balance(BINH, 50).await;

    // Once credited it stays, and the row of the one named later is not even made.
    let mut claimed = version("1", 120, OrderStatus::Cancelled);
    claimed.member_id = Some("m_chi".into());
    assert_eq!(shop.one(claimed).await, Outcome::Posted);
    shop.check_balance(BINH, 0).await;
    assert_eq!(shop.engine.rows("members").len(), 2);
}

/// F23 within one batch, with the order's former member named by no snapshot.
#[tokio::test]
async fn a_snapshot_that_names_nobody_finds_the_orders_member() {
    let shop = Shop::new(programme());
    let mut placed = order("1");
    placed.facts.status = OrderStatus::Confirmed;
    shop.one(placed).await;
    let mut delivered = version("1", 60, OrderStatus::Delivered);
    delivered.member_id = None;
    assert_eq!(shop.one(delivered).await, Outcome::Posted);
    shop.check_balance(AN, 50).await;
}

/// X23: the history tells what of an old credit was spent before it expired.
#[tokio::test]
async fn a_cancel_after_the_points_expired_reads_the_history() {
    let shop = Shop::new(programme());
    shop.one(order("1")).await;
    let two_years = 2 * 366 * 24 * 3600;
    shop.one(version("2", two_years, OrderStatus::Delivered)).await;
    assert_eq!(shop.one(version("1", two_years + 60, OrderStatus::Cancelled)).await, Outcome::Posted);
    let member = shop.member(AN).await;
    assert_eq!(member.balance.redeemable.0, 50, "what had expired is not taken again");
}

#[tokio::test]
async fn the_programme_is_the_one_in_force_at_the_events_now() {
    let shop = Shop::new(programme());
    let asked = std::cell::RefCell::new(Vec::new());
    let event = loyalty_store::OrderEvent { snapshot: order("1"), now: at(99) };
    let programme = |now| {
        asked.borrow_mut().push(now);
        &*shop.programme
    };
    shop.books.apply_orders(programme, vec![event]).await.remove(0).unwrap();
    assert!(asked.borrow().iter().all(|now| *now == at(99)) && !asked.borrow().is_empty());
}

#[tokio::test]
async fn other_currencies_and_states_come_back_as_they_were_written() {
    let shop = Shop::new(with_welcome());
    let mut dollars = order("1");
    dollars.facts.currency = Currency::from_code("USD").unwrap();
    dollars.facts.payment = PaymentStatus::PartiallyRefunded;
    dollars.facts.refunded_minor = 1234;
    dollars.facts.refunded_lines_minor = Some(1200);
    dollars.facts.items_minor = Some(500_000);
    shop.one(dollars.clone()).await;
    let stored = shop.books.order(&dollars.order_id, Consistency::Strong).await.unwrap().unwrap();
    assert_eq!(stored.row.facts, dollars.facts);
    assert_eq!(stored.revision, 1);
    assert_eq!(stored.row.credits.len(), 1, "only the welcome points: the order itself earns nothing");
}
