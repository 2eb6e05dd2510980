//! What an order may cost, from what DynamoDB says it consumed.

use loyalty_domain::decision::Outcome;
use loyalty_domain::order::{OrderSnapshot, OrderStatus, PaymentStatus};
use loyalty_store::Consumed;
use loyalty_store::units::{CREDITED, DUPLICATE, FIRST_SIGHT, FURTHER_ENTRY, INDEXED, NEWER_VERSION, REVERSED};

use crate::second_engine;
use crate::support::{Shop, order, programme, version, with_welcome};

fn check(consumed: Consumed, expected: Consumed) {
    // Most reads are one BatchGetItem, of which the second engine does not say what it consumed.
    let read_units = if second_engine::is_chosen() { consumed.read_units } else { expected.read_units };
    assert_eq!(consumed, Consumed { read_units, ..expected });
}

fn placed(id: &str) -> OrderSnapshot {
    let mut snapshot = order(id);
    snapshot.facts.status = OrderStatus::Confirmed;
    snapshot.facts.payment = PaymentStatus::Unpaid;
    snapshot
}

#[tokio::test]
async fn a_credited_order_costs_six_writes_and_one_read_in_two_requests() {
    let shop = Shop::new(programme());
    check(shop.cost(vec![order("1")]).await, CREDITED + INDEXED);
    check(shop.cost(vec![order("2")]).await, CREDITED);
    shop.check_balance("m_an", 100).await;
}

#[tokio::test]
async fn and_the_same_after_a_thousand_earlier_ones() {
    let shop = Shop::new(programme());
    let earlier: Vec<_> = (0..1000).map(|at| order(&format!("earlier-{at:04}"))).collect();
    for batch in earlier.chunks(20) {
        shop.cost(batch.to_vec()).await;
    }
    check(shop.cost(vec![order("DH-1001")]).await, CREDITED);
    shop.check_balance("m_an", 50_050).await;
}

#[tokio::test]
async fn the_first_sight_of_an_order_that_has_not_earned_costs_four() {
    let shop = Shop::new(programme());
    check(shop.cost(vec![placed("1")]).await, FIRST_SIGHT);
    check(shop.cost(vec![placed("2")]).await, FIRST_SIGHT);
}

#[tokio::test]
async fn a_newer_snapshot_that_moves_no_points_costs_one() {
    let shop = Shop::new(programme());
    shop.one(placed("1")).await;
    let mut shipping = version("1", 60, OrderStatus::Shipping);
    shipping.facts.payment = PaymentStatus::Unpaid;
    check(shop.cost(vec![shipping]).await, NEWER_VERSION);

    shop.one(version("1", 120, OrderStatus::Delivered)).await;
    check(shop.cost(vec![version("1", 180, OrderStatus::Delivered)]).await, NEWER_VERSION);
}

#[tokio::test]
async fn a_duplicate_and_a_stale_snapshot_write_nothing() {
    let shop = Shop::new(programme());
    shop.one(version("1", 60, OrderStatus::Delivered)).await;
    check(shop.cost(vec![version("1", 60, OrderStatus::Delivered)]).await, DUPLICATE);
    check(shop.cost(vec![version("1", 30, OrderStatus::Shipping)]).await, DUPLICATE);
}

#[tokio::test]
async fn a_reversal_costs_what_the_credit_did_and_a_look_for_vouchers() {
    let shop = Shop::new(programme());
    shop.one(order("1")).await;
    check(shop.cost(vec![version("1", 60, OrderStatus::Cancelled)]).await, REVERSED + INDEXED);
    shop.check_balance("m_an", 0).await;
}

#[tokio::test]
async fn each_further_entry_costs_two() {
    let shop = Shop::new(with_welcome());
    check(shop.cost(vec![order("1")]).await, CREDITED + FURTHER_ENTRY + INDEXED);
}

#[tokio::test]
async fn k_orders_of_one_member_cost_four_and_two_by_k_each() {
    for k in [2_u32, 5, 10] {
        let shop = Shop::new(programme());
        let batch = (0..k).map(|at| order(&at.to_string())).collect();
        let consumed = shop.cost(batch).await;
        let expected = (4.0 + 2.0 / f64::from(k)) * f64::from(k);
        let read_units = f64::from(k + 1) / 2.0;
        check(consumed, Consumed { requests: 2, read_units, write_units: expected } + INDEXED);
    }
}

#[tokio::test]
async fn an_order_without_a_customer_waits_for_one_unit() {
    let shop = Shop::new(programme());
    let nobodys = OrderSnapshot { member_id: None, ..order("1") };
    assert_eq!(shop.one(nobodys.clone()).await, Outcome::Waiting);
    let again = OrderSnapshot { member_id: None, ..order("2") };
    let waits = Consumed { requests: 2, read_units: 0.5, write_units: 1.0 };
    check(shop.cost(vec![again]).await, waits);
    check(shop.cost(vec![order("1")]).await, CREDITED + INDEXED);
}
