//! Orders of a pause: whoever comes first when the campaign has gone on decides them, as of that instant (X50).

use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use loyalty_domain::campaign::{BonusWhen, ParticipationState};
use loyalty_domain::ids::OrderId;
use loyalty_domain::ledger::{Entry, EntryKind};
use loyalty_domain::order::OrderStatus;
use loyalty_domain::points::Legs;
use loyalty_domain::programme::Programme;
use loyalty_store::OrderEvent;
use loyalty_store::engine::Fault;

use crate::merge::{adjusted, by, merged};
use crate::merge_campaigns::{campaign, enrolled, small};
use crate::support::{AN, BINH, Shop, at, check, programme};

/// From when on the campaign is paused, and goes on.
const PAUSED: i64 = 50;
const GOES_ON: i64 = 100;

/// An, who takes part and whose order came in the pause; the programme is the one since when the campaign goes on.
async fn waiting() -> Shop {
    let live = Programme { campaigns: vec![campaign(false, BonusWhen::Placed)], ..programme() };
    let mut paused = live.clone().after(live.clone(), at(PAUSED));
    paused.campaigns[0].paused = true;
    let mut shop = Shop::new(live.clone());
    shop.one(small("1", 0, OrderStatus::Delivered)).await;
    enrolled(&shop, AN, at(10)).await;
    shop.programme = Arc::new(paused.clone());
    shop.one(small("2", 60, OrderStatus::Delivered)).await;
    assert_eq!(shop.member(AN).await.waits_for, ["fast-promotion".into()]);
    check(&shop);
    shop.programme = Arc::new(live.after(paused, at(GOES_ON)));
    shop
}

async fn history(shop: &Shop) -> Vec<Entry> {
    shop.books.whole_history(&AN.into()).await.unwrap()
}

/// What the history says after the order of the pause has earned its own points.
async fn since(shop: &Shop) -> Vec<(EntryKind, Option<OrderId>, i64, i64)> {
    let told = |entry: &Entry| {
        let seconds = (entry.recorded_at - at(0)).num_seconds();
        (entry.kind, entry.order_id.clone(), entry.legs.redeemable.0, seconds)
    };
    history(shop).await.iter().skip(2).map(told).collect()
}

#[tokio::test]
async fn x50_a_command_decides_them_first() {
    let shop = waiting().await;
    adjusted(&shop, AN, Legs::new(500, 500), at(300)).await.unwrap();
    let bonus = (EntryKind::Bonus, Some("standard:2".into()), 20, GOES_ON);
    assert_eq!(since(&shop).await, [bonus, (EntryKind::Adjustment, None, 500, 300)]);
    let used = shop.books.participations(&["fast-promotion".into()], &AN.into()).await.unwrap().remove(0);
    assert_eq!((used.used(), used.state, used.waiting), (1, ParticipationState::Completed, Vec::new()));
    check(&shop);
}

/// One batch of the queue may hold what was decided in the pause and what promotes after it, and may lose a race.
#[tokio::test]
async fn x50_an_order_that_promotes_comes_after_them_in_one_batch_too() {
    for lost in [0, 1, 2] {
        let shop = waiting().await;
        let mut large = small("4", 200, OrderStatus::Delivered);
        large.facts.due_minor = 50_000_000;
        let events = [(small("3", 70, OrderStatus::Delivered), 70), (large, 200)];
        let events = events.map(|(snapshot, seconds)| OrderEvent { snapshot, now: at(seconds) });
        let programme = shop.programme.clone();
        shop.nth("TransactWriteItems", lost, Fault::Conflict);
        for applied in shop.books.apply_orders(|now| programme.in_force(now), events.to_vec()).await {
            applied.unwrap();
        }
        let posted = since(&shop).await;
        let bonuses: Vec<_> = posted.iter().filter(|posted| posted.0 == EntryKind::Bonus).collect();
        assert_eq!(bonuses.iter().map(|bonus| bonus.3).collect::<Vec<_>>(), [GOES_ON, GOES_ON], "{lost}: {posted:?}");
        assert_eq!(
            posted.last().map(|last| last.0),
            Some(EntryKind::Accrual),
            "both are used, and the last has its own"
        );
        check(&shop);
    }
}

#[tokio::test]
async fn x50_a_merge_comes_after_them() {
    let shop = waiting().await;
    shop.one(by(BINH, small("5", 150, OrderStatus::Delivered))).await;
    merged(&shop, AN, BINH, at(300)).await;
    let bonus = (EntryKind::Bonus, Some("standard:2".into()), 20, GOES_ON);
    assert_eq!(since(&shop).await.first(), Some(&bonus));
    assert_eq!(shop.member(BINH).await.balance.redeemable.0, 50);
}

/// F23: an order whose newer word in the pause names somebody else waits for them, and holds up nobody.
#[tokio::test]
async fn x50_an_order_that_has_gone_to_somebody_else_waits_no_longer() {
    let mut shop = waiting().await;
    let goes_on = shop.programme.clone();
    shop.programme = Arc::new(goes_on.in_force(at(PAUSED)).clone());
    shop.one(small("7", 80, OrderStatus::Confirmed)).await;
    shop.one(by(BINH, small("7", 90, OrderStatus::Confirmed))).await;
    shop.programme = goes_on;
    adjusted(&shop, AN, Legs::new(5, 5), at(300)).await.unwrap();
    assert_eq!(shop.member(AN).await.waits_for, []);
    let part = shop.books.participations(&["fast-promotion".into()], &AN.into()).await.unwrap().remove(0);
    assert_eq!((part.orders, part.waiting), (vec!["standard:2".into()], Vec::new()));
    check(&shop);
    merged(&shop, AN, BINH, at(400)).await;
}

/// An order that cannot be read goes on waiting, and holds up nothing but itself.
#[tokio::test]
async fn x50_one_that_cannot_be_decided_stops_nobody() {
    let shop = waiting().await;
    let key = AttributeValue::S("standard:2".to_owned());
    let orders = format!("{}orders", shop.engine.prefix());
    shop.engine.client().put_item().table_name(orders).item("order_id", key).send().await.unwrap();
    adjusted(&shop, AN, Legs::new(5, 5), at(300)).await.unwrap();
    shop.one(small("6", 310, OrderStatus::Delivered)).await;
    assert_eq!(shop.member(AN).await.waits_for, ["fast-promotion".into()]);
    assert_eq!(history(&shop).await.iter().filter(|entry| entry.kind == EntryKind::Bonus).count(), 1);
}
