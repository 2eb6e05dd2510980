//! Faults between the handler and the tables: nothing lost, nothing credited twice, nothing half-written.

use std::sync::Arc;

use loyalty_domain::decision::Outcome;
use loyalty_domain::order::{OrderSnapshot, OrderStatus};
use loyalty_domain::programme::{Programme, ReversalRules};
use loyalty_store::StoreError;
use loyalty_store::engine::Fault;

use crate::support::{AN, Shop, order, programme, version};

/// F6: both see the order as new; one of them learns better.
#[tokio::test(start_paused = true)]
async fn two_handlers_with_the_same_order_credit_it_once() {
    let shop = Shop::new(programme());
    let (one, two) = (shop.engine.books(), shop.engine.books());
    let (first, second) =
        tokio::join!(shop.apply_with(&one, vec![order("1")]), shop.apply_with(&two, vec![order("1")]));
    let mut outcomes = [first[0].as_ref().unwrap().outcome, second[0].as_ref().unwrap().outcome];
    outcomes.sort_by_key(|outcome| format!("{outcome:?}"));
    assert_eq!(outcomes, [Outcome::Duplicate, Outcome::Posted]);
    shop.check_balance(AN, 50).await;
}

/// F7: different orders of one member.
#[tokio::test(start_paused = true)]
async fn two_handlers_with_the_same_member_credit_both_orders() {
    let shop = Shop::new(programme());
    let (one, two) = (shop.engine.books(), shop.engine.books());
    let (first, second) =
        tokio::join!(shop.apply_with(&one, vec![order("1")]), shop.apply_with(&two, vec![order("2")]));
    assert!(first[0].is_ok() && second[0].is_ok());
    assert!(one.consumed().requests + two.consumed().requests > 4, "they did race: {:?}", two.consumed());
    shop.check_balance(AN, 100).await;
    assert_eq!(shop.member(AN).await.orders_count, 2);
}

/// F7 without an entry whose number could collide: only the member's revision tells.
#[tokio::test(start_paused = true)]
async fn two_handlers_with_the_same_member_count_both_orders() {
    let shop = Shop::new(programme());
    shop.one(order("0")).await;
    let placed = |id| version(id, 60, OrderStatus::Confirmed);
    let (one, two) = (shop.engine.books(), shop.engine.books());
    let (first, second) =
        tokio::join!(shop.apply_with(&one, vec![placed("1")]), shop.apply_with(&two, vec![placed("2")]));
    assert!(first[0].is_ok() && second[0].is_ok());
    assert_eq!(shop.member(AN).await.orders_count, 3);
}

/// F7, many at once.
#[tokio::test(start_paused = true)]
async fn five_handlers_with_the_same_member_credit_all_orders() {
    let shop = std::rc::Rc::new(Shop::new(programme()));
    let local = tokio::task::LocalSet::new();
    for number in 0..5 {
        let shop = shop.clone();
        local.spawn_local(async move {
            let books = shop.engine.books();
            let result = shop.apply_with(&books, vec![order(&number.to_string())]).await.remove(0);
            assert_eq!(result.unwrap().outcome, Outcome::Posted);
        });
    }
    local.await;
    shop.check_balance(AN, 250).await;
}

/// F9: the transaction was carried out, and the SDK asks again with the same token.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_does_not_credit_twice() {
    let shop = Shop::new(programme());
    shop.nth("TransactWriteItems", 1, Fault::ResponseLost);
    assert_eq!(shop.one(order("1")).await, Outcome::Posted);
    shop.check_balance(AN, 50).await;
}

/// F9 on the single put, which has no token: the SDK's retry finds our own row.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_single_put_is_recognised() {
    let shop = Shop::new(programme());
    shop.nth("PutItem", 1, Fault::ResponseLost);
    let before = shop.books.consumed();
    let nobodys = OrderSnapshot { member_id: None, ..order("1") };
    assert_eq!(shop.one(nobodys).await, Outcome::Waiting);
    assert_eq!((shop.books.consumed() - before).requests, 2, "nothing had to be read again");
}

/// F8, F11: every answer is lost, so nobody knows; the next delivery finds out.
#[tokio::test(start_paused = true)]
async fn a_handler_that_never_hears_back_fails_and_the_redelivery_is_a_duplicate() {
    let shop = Shop::new(programme());
    shop.always("TransactWriteItems", Fault::ResponseLost);
    let result = shop.apply(vec![order("1")]).await.remove(0);
    assert!(matches!(result, Err(StoreError::Unavailable { .. })), "{result:?}");
    shop.engine.heal();
    assert_eq!(shop.one(order("1")).await, Outcome::Duplicate);
    shop.check_balance(AN, 50).await;
}

/// F10.
#[tokio::test(start_paused = true)]
async fn a_cancelled_transaction_is_decided_again() {
    for fault in [Fault::Conflict, Fault::Throttled] {
        let shop = Shop::new(programme());
        shop.nth("TransactWriteItems", 1, fault);
        assert_eq!(shop.one(order("1")).await, Outcome::Posted);
        assert_eq!(shop.books.consumed().requests, 4, "read, refused, read again, written");
        shop.check_balance(AN, 50).await;
    }
}

/// F10, F11: bounded, and nothing half-written.
#[tokio::test(start_paused = true)]
async fn endless_conflicts_end_in_an_error_and_write_nothing() {
    let shop = Shop::new(programme());
    shop.always("TransactWriteItems", Fault::Conflict);
    let result = shop.apply(vec![order("1"), order("2")]).await;
    for result in result {
        assert!(matches!(result, Err(StoreError::Contended { attempts: 8 })), "{result:?}");
    }
    assert_eq!(shop.books.consumed().requests, 16);
    for table in ["members", "orders", "points-history"] {
        assert_eq!(shop.engine.rows(table).len(), 0, "{table}");
    }
}

/// F8, F11.
#[tokio::test(start_paused = true)]
async fn tables_that_cannot_be_read_fail_every_event() {
    let shop = Shop::new(programme());
    shop.always("BatchGetItem", Fault::RequestLost);
    let results = shop.apply(vec![order("1"), order("2")]).await;
    assert!(results.iter().all(|result| matches!(result, Err(StoreError::Unavailable { .. }))), "{results:?}");
}

/// F12: whichever of the two rows is old, the conditions notice.
#[tokio::test(start_paused = true)]
async fn stale_reads_are_noticed_by_the_conditions() {
    for keys in [0b01, 0b10, 0b11] {
        for (next, points) in [
            (version("1", 120, OrderStatus::Cancelled), 50),
            (version("1", 120, OrderStatus::Delivered), 100),
            (version("2", 120, OrderStatus::Cancelled), 50),
            (order("3"), 150),
        ] {
            let shop = Shop::new(programme());
            shop.one(order("1")).await;
            shop.one(order("2")).await;
            shop.one(version("1", 60, OrderStatus::Delivered)).await;
            shop.always("BatchGetItem", Fault::Stale { keys });
            shop.one(next).await;
            shop.engine.heal();
            shop.check_balance(AN, points).await;
        }
    }
}

/// F12 and F3: an old row has not heard of the credit, by whose terms an order that was ever cancelled earns nothing.
#[tokio::test(start_paused = true)]
async fn nothing_to_write_is_not_concluded_from_a_row_that_may_be_stale() {
    let barring = ReversalRules { no_recredit_after_cancel: true, ..ReversalRules::default() };
    let mut shop = Shop::new(programme());
    shop.one(version("1", 60, OrderStatus::Confirmed)).await;
    shop.programme = Arc::new(Programme { reversal: barring, ..programme() });
    shop.one(version("1", 120, OrderStatus::Delivered)).await;
    shop.programme = Arc::new(programme());
    shop.always("BatchGetItem", Fault::Stale { keys: 0b11 });
    let late = shop.one(version("1", 30, OrderStatus::Cancelled)).await;
    shop.engine.heal();
    assert_eq!(late, Outcome::Posted);
    shop.check_balance(AN, 0).await;
}

/// F13: killed after the commit and before the acknowledgement, then redelivered together with something new.
#[tokio::test(start_paused = true)]
async fn a_redelivery_after_commit_changes_nothing() {
    let shop = Shop::new(programme());
    shop.one(order("1")).await;
    let rows = shop.engine.rows("points-history");
    let outcomes: Vec<_> =
        shop.apply(vec![order("1"), order("2")]).await.into_iter().map(|result| result.unwrap().outcome).collect();
    assert_eq!(outcomes, [Outcome::Duplicate, Outcome::Posted]);
    assert!(shop.engine.rows("points-history").contains(&rows[0]));
    shop.check_balance(AN, 100).await;
}
