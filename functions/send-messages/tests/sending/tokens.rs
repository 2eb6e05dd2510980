//! The token that works once: refreshed by one, stored before it is used, and a human called when it may be lost.

use std::time::Duration;

use loyalty_messaging::Template;
use loyalty_store::engine::Fault;
use loyalty_store::{Sender, Stored};
use send_messages::BELIEVED_SECONDS;
use serde_json::{Value, json};

use crate::provider::{Act, refresh_token};
use crate::support::{PHONE, Shop, programme};

const ZALO_ONLY: &str = "[messages.channels]\ncare = [\"zalo_phone\"]\n";

async fn zalo_only() -> Shop {
    Shop::with(&programme(ZALO_ONLY)).await
}

/// What happens to the writes of `senders` whose number, from 1 on, is one of those.
fn writes_of_senders(shop: &Shop, which: fn(usize) -> bool, fault: Fault) {
    let mut puts = 0;
    shop.engine.inject(move |call| {
        let senders = call.operation == "PutItem" && call.body["TableName"].as_str().unwrap().ends_with("senders");
        puts += usize::from(senders);
        if senders && which(puts) { fault } else { Fault::None }
    });
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
    writes_of_senders(&shop, |puts| puts > 1, Fault::RequestLost);
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

/// Another instance writes the row while one refreshes for its message; the answer are the row and the message after it.
async fn while_refreshing(shop: &Shop, change: impl Fn(&mut Sender)) -> (Sender, Value) {
    let member = shop.member(PHONE).await;
    shop.provider.world().refresh_takes = Duration::from_millis(300);
    let id = shop.message(&member, Template::OrderPointsCredited, "1").await;
    let (sender, message_id) = (shop.sender.clone(), id.clone());
    let sending = tokio::spawn(async move { sender.send(&message_id).await });
    loop {
        if let Some(Stored { mut row, revision }) = shop.books().sender("zalo").await.unwrap()
            && row.lease.is_some()
        {
            change(&mut row);
            assert!(shop.books().put_sender(&row, revision).await.unwrap());
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sending.await.unwrap().unwrap();
    (shop.books().sender("zalo").await.unwrap().unwrap().row, shop.row(&id))
}

#[tokio::test]
async fn a_pause_that_comes_during_a_refresh_costs_no_tokens_and_lets_nothing_go() {
    let shop = zalo_only().await;
    let until = shop.now() + chrono::TimeDelta::hours(1);
    let (row, message) = while_refreshing(&shop, |row| row.paused_until = Some(until)).await;
    assert_eq!((row.refresh_token, row.lease), (refresh_token(1), None));
    assert_eq!(row.paused_until, Some(until), "nor is the pause forgotten");
    assert_eq!((shop.provider.counts(), &message["reason"]), ((1, 0), &json!("sender_paused")));
}

#[tokio::test]
async fn a_new_pair_is_kept_though_another_has_taken_the_lease() {
    let shop = zalo_only().await;
    let theirs = loyalty_store::Lease { holder: "other".to_owned(), until: shop.now() + chrono::TimeDelta::days(1) };
    let (row, message) = while_refreshing(&shop, |row| row.lease = Some(theirs.clone())).await;
    // What the other holds is used up: it will be refused, and finds this.
    assert_eq!((row.refresh_token, row.lease, &message["state"]), (refresh_token(1), None, &json!("sent")));
}

#[tokio::test]
async fn who_is_refused_because_another_was_faster_stops_nothing() {
    let shop = zalo_only().await;
    let faster = |row: &mut Sender| {
        // Their refresh used the token up, and their pair is stored.
        shop.provider.world().generation = 7;
        *row = Sender {
            access_token: Some("access-canary-7".to_owned()),
            refresh_token: refresh_token(7),
            lease: None,
            expires_at: Some(shop.now() + chrono::TimeDelta::hours(25)),
            ..row.clone()
        };
    };
    let (row, message) = while_refreshing(&shop, faster).await;
    assert_eq!((row.refresh_token, row.stopped, &message["state"]), (refresh_token(7), None, &json!("pending")));
    shop.pass(20);
    shop.work_off().await;
    assert_eq!(shop.taken().len(), 1);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_found() {
    let shop = zalo_only().await;
    let member = shop.member(PHONE).await;
    writes_of_senders(&shop, |puts| puts == 2, Fault::ResponseLost);
    assert_eq!(shop.sends(&member, Template::OrderPointsCredited, "1").await["state"], "sent");
    assert_eq!(shop.provider.counts(), (1, 1));
}

#[tokio::test]
async fn a_door_that_is_busy_is_not_asked_by_every_message_and_rings_after_an_hour() {
    let shop = zalo_only().await;
    let member = shop.member(PHONE).await;
    shop.provider.world().refresh_script = vec![Act::Status(503); 1_000].into();
    for about in 0..20 {
        shop.sends(&member, Template::OrderPointsCredited, &about.to_string()).await;
    }
    let asked = || 1_000 - shop.provider.world().refresh_script.len();
    assert_eq!(asked(), 1);
    shop.pass(3_590);
    assert_eq!(shop.sends(&member, Template::OrderPointsCredited, "soon").await["state"], "pending");
    assert_eq!(shop.engine.rows("senders")[0]["paused_until"], Value::Null);
    shop.pass(16);
    let row = shop.sends(&member, Template::OrderPointsCredited, "late").await;
    assert_eq!((asked(), &row["reason"]), (3, &json!("sender_paused")));
    assert_eq!(
        shop.engine.rows("senders")[0]["paused_reason"],
        "no token could be refreshed since 2026-11-25 05:00:00 UTC"
    );
    // What was told to come again waits too, and all of it goes out once tokens are to be had.
    shop.provider.world().refresh_script.clear();
    shop.work_off().await;
    assert_eq!(shop.taken().len(), 22);
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

/// Two instances have sent; then one meets a refusal, and the other sends after a while. The answer are the calls that
/// reached Zalo and the other's message.
async fn while_another_was_refused(act: Act, refreshes: &[Act], seconds: i64) -> (usize, Value) {
    let shop = zalo_only().await;
    let member = shop.member(PHONE).await;
    let mut other = shop.clone();
    other.sender = shop.another(&programme(ZALO_ONLY), &refresh_token(0));
    shop.sends(&member, Template::OrderPointsCredited, "1").await;
    other.sends(&member, Template::OrderPointsCredited, "2").await;
    shop.provider.script([act]);
    shop.provider.world().refresh_script = refreshes.to_vec().into();
    assert_eq!(shop.sends(&member, Template::OrderPointsCredited, "3").await["reason"], "sender_paused");
    let before = shop.provider.world().calls;
    shop.pass(seconds);
    let row = other.sends(&member, Template::OrderPointsCredited, "4").await;
    (shop.provider.world().calls - before, row)
}

#[tokio::test]
async fn a_pause_holds_in_every_process_within_seconds() {
    for (act, refreshes) in [(Act::Code(-219), &[][..]), (Act::Code(-216), &[Act::Code(-14014)])] {
        let (calls, row) = while_another_was_refused(act, refreshes, BELIEVED_SECONDS - 1).await;
        assert_eq!((calls, &row["state"]), (1, &json!("sent")), "{act:?}: nobody reads for each message");
        let (calls, row) = while_another_was_refused(act, refreshes, BELIEVED_SECONDS).await;
        assert_eq!((calls, &row["reason"]), (0, &json!("sender_paused")), "{act:?}");
    }
}
