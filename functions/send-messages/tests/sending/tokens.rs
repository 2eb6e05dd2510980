//! The token that works once: refreshed by one, stored before it is used, and a human called when it may be lost.

use std::time::Duration;

use loyalty_messaging::Template;
use loyalty_store::Stored;
use loyalty_store::engine::Fault;
use serde_json::{Value, json};

use crate::provider::{Act, refresh_token};
use crate::support::{PHONE, Shop, programme};

const ZALO_ONLY: &str = "[messages.channels]\ntransactional = [\"zalo_phone\"]\n";

async fn zalo_only() -> Shop {
    Shop::with(&programme(ZALO_ONLY)).await
}

#[tokio::test]
async fn two_who_refresh_at_once_refresh_once_and_both_send() {
    let shop = zalo_only().await;
    let member = shop.member(PHONE).await;
    shop.provider.world().refresh_takes = Duration::from_millis(300);
    let mut running = tokio::task::JoinSet::new();
    for instance in 0..4 {
        let id = shop.message(&member, Template::OrderPointsCredited, &instance.to_string()).await;
        let other = shop.another(&programme(ZALO_ONLY), &refresh_token(0));
        running.spawn(async move { other.send(&id).await });
    }
    for done in running.join_all().await {
        done.unwrap();
    }
    assert_eq!(shop.taken().len(), 4);
    assert_eq!(shop.provider.world().refreshes, 1);
}

#[tokio::test]
async fn a_token_that_ends_within_a_batch_is_refreshed_once() {
    let shop = zalo_only().await;
    let member = shop.member(PHONE).await;
    let mut ids = Vec::new();
    for about in 0..25 {
        ids.push(shop.message(&member, Template::OrderPointsCredited, &about.to_string()).await);
    }
    shop.sends(&member, Template::OrderPointsCredited, "first").await;
    shop.provider.world().token_calls = Some(10);
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    assert_eq!(shop.stream(&ids).await, Vec::<Value>::new());
    assert_eq!(shop.taken().len(), 26);
    assert_eq!(shop.provider.world().refreshes, 2);
}

#[tokio::test]
async fn a_token_is_not_used_after_its_time() {
    let shop = zalo_only().await;
    let member = shop.member(PHONE).await;
    shop.sends(&member, Template::OrderPointsCredited, "1").await;
    shop.pass(25 * 3600 - 61);
    shop.sends(&member, Template::OrderPointsCredited, "2").await;
    assert_eq!(shop.provider.world().refreshes, 1);
    shop.pass(1);
    shop.sends(&member, Template::OrderPointsCredited, "3").await;
    assert_eq!((shop.provider.counts().0, shop.taken().len()), (2, 3));
}

#[tokio::test]
async fn the_new_pair_is_stored_before_it_is_used() {
    let shop = zalo_only().await;
    let member = shop.member(PHONE).await;
    let id = shop.message(&member, Template::OrderPointsCredited, "1").await;
    // The lease is taken; whatever else is written to `senders` never arrives.
    let mut puts = 0;
    shop.engine.inject(move |call| {
        let senders = call.operation == "PutItem" && call.body["TableName"].as_str().unwrap().ends_with("senders");
        puts += usize::from(senders);
        if senders && puts > 1 { Fault::RequestLost } else { Fault::None }
    });
    assert_eq!(shop.stream(&[&id]).await.len(), 1);
    assert_eq!(shop.provider.counts(), (1, 0));
    shop.engine.heal();

    // The lease lapses; the old token is tried once more, and then a human is called. Nothing loops.
    shop.pass(31);
    for _ in 0..3 {
        assert_eq!(shop.stream(&[&id]).await, Vec::<Value>::new());
        shop.pass(3600);
    }
    assert_eq!(shop.provider.counts(), (2, 0));
    let sender = &shop.engine.rows("senders")[0];
    assert_eq!(sender["stopped"], "the refresh token was refused with -14014");
    assert_eq!(shop.row(&id)["state"], "pending");

    // They put a new token in place, and what waited goes out.
    let mut fresh = shop.clone();
    fresh.sender = shop.another(&programme(ZALO_ONLY), &refresh_token(1));
    fresh.due("2026-11-26T06:05:00+07:00").await;
    assert_eq!(fresh.row(&id)["state"], "sent");
}

#[tokio::test]
async fn who_was_killed_before_the_call_costs_nothing_but_time() {
    let shop = zalo_only().await;
    let member = shop.member(PHONE).await;
    let mut dead = loyalty_store::Sender::seeded("zalo", &refresh_token(0), "of-before");
    dead.lease = Some(loyalty_store::Lease { holder: "dead".to_owned(), until: shop.now() });
    assert!(shop.books().put_sender(&dead, 0).await.unwrap());
    assert_eq!(shop.sends(&member, Template::OrderPointsCredited, "1").await["state"], "sent");
    assert_eq!(shop.engine.rows("senders")[0]["doubts"], Value::Null);
}

#[tokio::test]
async fn a_refresh_whose_answer_is_lost_twice_needs_a_human() {
    let shop = zalo_only().await;
    let member = shop.member(PHONE).await;
    shop.provider.world().drop_refreshes = 1;
    let row = shop.sends(&member, Template::OrderPointsCredited, "1").await;
    assert_eq!(row["state"], "pending");
    shop.work_off().await;
    assert_eq!(shop.engine.rows("senders")[0]["stopped"], "the refresh token was refused with -14014");
    assert_eq!(shop.provider.world().refreshes, 2);
    let row = shop.row(row["message_id"].as_str().unwrap());
    assert_eq!((&row["state"], &row["reason"]), (&json!("pending"), &json!("sender_paused")));
}

/// Another instance that is told to pause writes the row of the one that refreshes.
#[tokio::test]
async fn a_pause_that_comes_during_a_refresh_costs_no_tokens() {
    let shop = zalo_only().await;
    let member = shop.member(PHONE).await;
    shop.provider.world().refresh_takes = Duration::from_millis(300);
    let id = shop.message(&member, Template::OrderPointsCredited, "1").await;
    let sender = shop.sender.clone();
    let sending = tokio::spawn(async move { sender.send(&id).await });
    let until = shop.now() + chrono::TimeDelta::hours(1);
    loop {
        if let Some(Stored { mut row, revision }) = shop.books().sender("zalo").await.unwrap()
            && row.lease.is_some()
        {
            row.paused_until = Some(until);
            assert!(shop.books().put_sender(&row, revision).await.unwrap());
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sending.await.unwrap().unwrap();
    let row = shop.books().sender("zalo").await.unwrap().unwrap().row;
    assert_eq!((row.refresh_token, row.lease), (refresh_token(1), None));
    assert_eq!(row.paused_until, Some(until), "nor is the pause forgotten");
}

#[tokio::test]
async fn a_door_that_is_busy_keeps_the_refresh_token() {
    let shop = zalo_only().await;
    let member = shop.member(PHONE).await;
    shop.provider.world().refresh_script = [Act::Status(503), Act::Status(429), Act::Code(-32)].into();
    let row = shop.sends(&member, Template::OrderPointsCredited, "1").await;
    assert_eq!(row["state"], "pending");
    shop.work_off().await;
    assert_eq!(shop.row(row["message_id"].as_str().unwrap())["state"], "sent");
    assert_eq!(shop.engine.rows("senders")[0]["doubts"], Value::Null, "the token was never in doubt");
}
