//! Orders from before these books: an opening holds their points, and a later word moves only what has changed since.

use loyalty_audit::Table;
use loyalty_domain::decision::{Outcome, Rejection};
use loyalty_domain::ids::{MemberId, OrderId};
use loyalty_domain::lots::Expiry;
use loyalty_domain::member::Profile;
use loyalty_domain::opening::{Expires, Opening};
use loyalty_domain::order::{OrderSnapshot, OrderStatus, PaymentStatus};
use loyalty_domain::past::PastProblem;
use loyalty_domain::points::Legs;
use loyalty_domain::request::Asked;
use loyalty_store::{Consistency, Mode, StoreError};
use serde_json::json;

use crate::support::{AN, BINH, Shop, at, audit, check, programme, version, with_welcome};

const DAY: i64 = 86_400;

/// Opens a member now, with figures that hold `orders` orders of 50 points each.
pub async fn opened(shop: &Shop, member_id: &str, orders: i64) {
    let points = orders * 50;
    let asked = Asked { request_id: format!("r_open_{member_id}").as_str().into(), fingerprint: String::new() };
    let opening = Opening {
        asked,
        profile: Profile::default(),
        legs: Legs::new(points, points),
        expires: Expires::Alike(Expiry::On("2027-10-31".parse().unwrap())),
        tier: None,
        joined_on: Some("2026-10-01".parse().unwrap()),
        tier_since: None,
        last_ordered_on: None,
        spent_minor: orders * 500_000,
        orders_count: orders,
        cycle_spent_minor: orders * 500_000,
        cycle_orders: orders,
        wallet_minor: 0,
    };
    let member_id = MemberId::from(member_id);
    shop.books.open_member(&shop.programme, &member_id, &opening, false, Mode::Write, at(0)).await.unwrap();
}

/// An order of 50 points, placed and last changed so many seconds after the shop opened.
pub fn past(member_id: &str, id: &str, seconds: i64, status: OrderStatus) -> OrderSnapshot {
    let mut snapshot = version(id, seconds, status);
    snapshot.facts.placed_at = at(-20 * DAY);
    snapshot.member_id = Some(member_id.into());
    snapshot
}

pub async fn brought(shop: &Shop, snapshot: OrderSnapshot) -> Result<bool, StoreError> {
    shop.books.bring_order(&shop.programme, &snapshot, Mode::Write, at(60)).await
}

async fn has(shop: &Shop, member_id: &str, points: i64) {
    check(shop);
    assert_eq!(shop.member(member_id).await.balance, Legs::new(points, points));
}

#[tokio::test]
async fn an_order_that_an_opening_holds_is_not_credited_again() {
    let shop = Shop::new(with_welcome());
    opened(&shop, AN, 3).await;
    let order = past(AN, "1", -19 * DAY, OrderStatus::Delivered);
    assert!(brought(&shop, order.clone()).await.unwrap());
    assert!(!brought(&shop, order.clone()).await.unwrap(), "a second time");
    has(&shop, AN, 150).await;
    let rows = shop.engine.rows("points-history");
    assert_eq!(shop.one(order.clone()).await, Outcome::Duplicate);
    // The shop touches it, and reports it again.
    assert_eq!(shop.one(past(AN, "1", 100, OrderStatus::Delivered)).await, Outcome::Noted);
    assert_eq!(shop.engine.rows("points-history"), rows);
    has(&shop, AN, 150).await;
    assert_eq!(shop.member(AN).await.orders_count, 3);
}

#[tokio::test]
async fn r1_x24_a_later_return_takes_what_the_opening_holds_for_it() {
    let shop = Shop::new(programme());
    opened(&shop, AN, 3).await;
    brought(&shop, past(AN, "1", -19 * DAY, OrderStatus::Delivered)).await.unwrap();
    let mut returned = past(AN, "1", 100, OrderStatus::Delivered);
    returned.facts.payment = PaymentStatus::PartiallyRefunded;
    returned.facts.refunded_minor = 200_000;
    shop.one(returned).await;
    has(&shop, AN, 130).await;
    shop.one(past(AN, "1", 200, OrderStatus::Cancelled)).await;
    has(&shop, AN, 100).await;
    let an = shop.member(AN).await;
    assert_eq!((an.spent_minor, an.orders_count, an.cycle.orders), (1_000_000, 2, 2));
    let first = shop.books.whole_history(&AN.into()).await.unwrap();
    assert_eq!(first[1].reverses, Some(1), "the opening");
    shop.one(past(AN, "1", 300, OrderStatus::Delivered)).await;
    has(&shop, AN, 150).await;
    assert_eq!(shop.member(AN).await.orders_count, 3);
}

#[tokio::test]
async fn who_was_not_opened_is_given_nothing_for_it_and_loses_nothing_by_it() {
    let shop = Shop::new(with_welcome());
    brought(&shop, past(BINH, "1", -19 * DAY, OrderStatus::Delivered)).await.unwrap();
    for (seconds, status) in
        [(100, OrderStatus::Delivered), (200, OrderStatus::Cancelled), (300, OrderStatus::Delivered)]
    {
        shop.one(past(BINH, "1", seconds, status)).await;
        has(&shop, BINH, 0).await;
    }
    assert!(shop.engine.rows("points-history").is_empty());
}

#[tokio::test]
async fn what_had_not_earned_yet_earns_when_it_is_delivered() {
    let shop = Shop::new(programme());
    opened(&shop, AN, 3).await;
    brought(&shop, past(AN, "1", -19 * DAY, OrderStatus::Shipping)).await.unwrap();
    brought(&shop, past(AN, "2", -19 * DAY, OrderStatus::Cancelled)).await.unwrap();
    has(&shop, AN, 150).await;
    shop.one(past(AN, "1", 100, OrderStatus::Delivered)).await;
    has(&shop, AN, 200).await;
}

#[tokio::test]
async fn x23_what_has_expired_since_is_not_owed() {
    let shop = Shop::new(programme());
    opened(&shop, AN, 1).await;
    brought(&shop, past(AN, "1", -19 * DAY, OrderStatus::Delivered)).await.unwrap();
    shop.one(past(AN, "1", 2 * 366 * DAY, OrderStatus::Cancelled)).await;
    has(&shop, AN, 0).await;
}

#[tokio::test]
async fn what_is_none_from_before_is_refused_and_trying_writes_nothing() {
    let shop = Shop::new(programme());
    opened(&shop, AN, 1).await;
    let mut late = past(AN, "1", 30, OrderStatus::Delivered);
    late.facts.placed_at = at(30);
    let refused = brought(&shop, late).await.unwrap_err();
    assert!(matches!(refused, StoreError::Rejected(Rejection::CannotBring(PastProblem::AfterOpening))), "{refused:?}");
    let order = past(BINH, "1", -19 * DAY, OrderStatus::Delivered);
    assert!(shop.books.bring_order(&shop.programme, &order, Mode::Try, at(60)).await.unwrap());
    let known = shop.books.order(&OrderId::from("standard:1"), Consistency::Strong).await.unwrap();
    assert!(known.is_none() && shop.engine.rows("members").len() == 1);
}

#[tokio::test]
async fn what_was_brought_along_is_known_again_and_other_figures_are_refused() {
    let shop = Shop::new(programme());
    opened(&shop, AN, 1).await;
    let first = past(AN, "1", -19 * DAY, OrderStatus::Delivered);
    assert!(brought(&shop, first.clone()).await.unwrap());
    assert!(!brought(&shop, first.clone()).await.unwrap());
    let (mut dearer, mut cancelled) = (first.clone(), first);
    dearer.facts.due_minor += 400_000;
    cancelled.facts.status = OrderStatus::Cancelled;
    let before = shop.engine.rows("orders");
    for other in [dearer, cancelled] {
        for mode in [Mode::Try, Mode::Write] {
            let refused = shop.books.bring_order(&shop.programme, &other, mode, at(60)).await.unwrap_err();
            let expected = StoreError::Rejected(Rejection::CannotBring(PastProblem::OtherFigures));
            assert_eq!(format!("{refused:?}"), format!("{expected:?}"));
        }
    }
    assert_eq!(shop.engine.rows("orders"), before);
}

#[tokio::test]
async fn what_an_opening_holds_for_an_order_cannot_be_changed_unseen() {
    let shop = Shop::new(programme());
    opened(&shop, AN, 3).await;
    brought(&shop, past(AN, "1", -19 * DAY, OrderStatus::Delivered)).await.unwrap();
    brought(&shop, past(AN, "2", -19 * DAY, OrderStatus::Delivered)).await.unwrap();
    shop.one(past(AN, "2", 200, OrderStatus::Cancelled)).await;
    check(&shop);
    let values = [
        ("redeemable", json!(51)),
        ("qualifying", json!(49)),
        ("spent_minor", json!(1)),
        ("counted", json!(false)),
        ("cycle_start", json!("2026-01-01")),
        ("expires_on", json!("2029-01-31")),
    ];
    for (table, key) in
        [(Table::Orders, "standard:1"), (Table::Orders, "standard:2"), (Table::PointsHistory, "standard:2")]
    {
        for (name, value) in &values {
            let report = audit(&shop, |of, row| {
                if of == table && row["order_id"] == key && row["imported"].is_object() {
                    row["imported"][*name] = value.clone();
                }
            });
            assert!(!report.clean(), "{name} of {key} in {}", table.name());
        }
        let report = audit(&shop, |of, row| {
            if of == table && row["order_id"] == key {
                row.as_object_mut().unwrap().remove("imported");
            }
        });
        assert!(!report.clean(), "{key} in {} without it", table.name());
    }
    // A baseline without an opening would let a cancel take what was never given.
    let shop = Shop::new(programme());
    brought(&shop, past(AN, "1", -19 * DAY, OrderStatus::Delivered)).await.unwrap();
    let report = audit(&shop, |of, row| {
        if of == Table::Orders {
            row["imported"]["redeemable"] = json!(50);
            row["credits"][0]["posted"]["redeemable"] = json!(50);
        }
    });
    assert!(!report.clean());
}

/// No opening holds what they ordered before: it counts from now on, and a cancel takes off what was counted.
#[tokio::test]
async fn x44_past_orders_of_who_was_not_opened_are_counted_once_and_taken_off_once() {
    let shop = Shop::new(programme());
    for id in ["1", "2"] {
        assert!(brought(&shop, past(AN, id, -19 * DAY, OrderStatus::Delivered)).await.unwrap());
    }
    has(&shop, AN, 0).await;
    let member = shop.member(AN).await;
    assert_eq!((member.orders_count, member.spent_minor), (2, 1_000_000));
    assert_eq!(shop.one(past(AN, "1", 100, OrderStatus::Cancelled)).await, Outcome::Posted);
    has(&shop, AN, 0).await;
    let member = shop.member(AN).await;
    assert_eq!((member.orders_count, member.spent_minor, member.cycle.orders), (1, 500_000, 0));
    shop.one(past(AN, "2", 100, OrderStatus::Cancelled)).await;
    has(&shop, AN, 0).await;
    assert_eq!(shop.member(AN).await.orders_count, 0);
    assert!(shop.engine.rows("points-history").is_empty());
}
