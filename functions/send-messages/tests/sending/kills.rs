//! Killed, answered by nobody, tried by two: one message, or a row that says what is known (F9, F13, F18).

use loyalty_messaging::Template;
use loyalty_store::engine::Fault;
use serde_json::{Value, json};

use crate::provider::Act;
use crate::support::{PHONE, Shop, programme};

/// After so many writes to `messages` nothing is answered any more: what a kill looks like from outside.
fn dies_after(shop: &Shop, writes: usize, last: Fault) {
    let (mut written, mut dead) = (0, false);
    shop.engine.inject(move |call| {
        if dead {
            return Fault::RequestLost;
        }
        let write = matches!(call.operation, "PutItem" | "TransactWriteItems");
        if write && call.body.to_string().contains("-messages\"") {
            written += 1;
            if written > writes {
                dead = true;
                return last;
            }
        }
        Fault::None
    });
}

/// How often the message arrived, and how its row ends, when its sender is killed at a point.
async fn killed(template: Template, more: &str, writes: usize, last: Fault) -> (usize, Value) {
    let shop = Shop::with(&programme(more)).await;
    let member = shop.member(PHONE).await;
    let id = shop.message(&member, template, "2026").await;
    dies_after(&shop, writes, last);
    assert_eq!(shop.stream(&[&id]).await.len(), 1, "a kill is no success");
    shop.engine.heal();
    // The stream hands it over again at once, and the queue later.
    assert_eq!(shop.stream(&[&id]).await, Vec::<Value>::new());
    shop.work_off().await;
    assert_eq!(shop.findings(), Vec::<String>::new());
    (shop.taken().len(), shop.row(&id))
}

#[tokio::test]
async fn killed_before_the_claim_it_is_sent_once() {
    for template in [Template::OrderPointsCredited, Template::BirthdayVouchers] {
        let (arrived, row) = killed(template, "", 0, Fault::RequestLost).await;
        assert_eq!((arrived, &row["state"]), (1, &json!("sent")), "{template:?}");
    }
}

#[tokio::test]
async fn killed_between_claim_and_call_a_transaction_is_sent_and_a_promotion_is_not() {
    // The claim is carried out and its answer lost.
    let (arrived, row) = killed(Template::OrderPointsCredited, "", 0, Fault::ResponseLost).await;
    assert_eq!((arrived, &row["state"], &row["sent_again"]), (1, &json!("sent"), &json!(true)));
    let (arrived, row) = killed(Template::BirthdayVouchers, "", 0, Fault::ResponseLost).await;
    assert_eq!((arrived, &row["state"], &row["reason"]), (0, &json!("unknown"), &json!("claim_lapsed")));
}

#[tokio::test]
async fn killed_between_call_and_record_a_transaction_comes_twice_at_most() {
    let (arrived, row) = killed(Template::OrderPointsCredited, "", 1, Fault::RequestLost).await;
    assert_eq!((arrived, &row["state"]), (2, &json!("sent")));
    let (arrived, row) = killed(Template::BirthdayVouchers, "", 1, Fault::RequestLost).await;
    assert_eq!((arrived, &row["state"]), (1, &json!("unknown")));
    // The rule is the programme's.
    let never = "[messages]\nresend_unknown = []\n";
    let (arrived, row) = killed(Template::OrderPointsCredited, never, 1, Fault::RequestLost).await;
    assert_eq!((arrived, &row["state"]), (1, &json!("unknown")));
}

#[tokio::test]
async fn killed_after_the_record_it_is_done() {
    let (arrived, row) = killed(Template::OrderPointsCredited, "", 1, Fault::ResponseLost).await;
    assert_eq!((arrived, &row["state"]), (1, &json!("sent")));
}

#[tokio::test]
async fn a_lost_answer_is_not_known_and_a_transaction_is_sent_once_more() {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    shop.provider.script([Act::TakeAndDrop, Act::TakeAndDrop]);
    let row = shop.sends(&member, Template::OrderPointsCredited, "1").await;
    assert_eq!((&row["state"], &row["reason"]), (&json!("pending"), &json!("reply_lost")));
    shop.work_off().await;
    // The second answer was lost as well: it is not sent a third time.
    let id = row["message_id"].as_str().unwrap();
    assert_eq!((&shop.row(id)["state"], shop.taken().len()), (&json!("unknown"), 2));
    // Both have the same tracking id, and its receipt says what came of it.
    let tracking: Vec<_> = shop.taken().iter().map(|(_, body)| body["tracking_id"].clone()).collect();
    assert_eq!(tracking[0], tracking[1]);
    assert!(shop.books().delivered(tracking[0].as_str().unwrap(), shop.now()).await.unwrap());
    assert_eq!((&shop.row(id)["state"], &shop.row(id)["reason"]), (&json!("sent"), &json!("receipt")));
}

#[tokio::test]
async fn a_receipt_in_time_saves_the_second_sending() {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    shop.provider.script([Act::TakeAndDrop]);
    shop.sends(&member, Template::OrderPointsCredited, "1").await;
    let tracking = shop.taken()[0].1["tracking_id"].as_str().unwrap().to_owned();
    assert!(shop.books().delivered(&tracking, shop.now()).await.unwrap());
    shop.work_off().await;
    assert_eq!(shop.taken().len(), 1);
}

#[tokio::test]
async fn a_lost_answer_to_a_promotion_is_final() {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    shop.provider.script([Act::TakeAndDrop]);
    let row = shop.sends(&member, Template::BirthdayVouchers, "2026").await;
    assert_eq!((&row["state"], &row["reason"]), (&json!("unknown"), &json!("reply_lost")));
    shop.work_off().await;
    shop.stream(&[row["message_id"].as_str().unwrap()]).await;
    assert_eq!(shop.taken().len(), 1);
}

#[tokio::test]
async fn of_several_who_try_one_sends() {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    let id = shop.message(&member, Template::BirthdayVouchers, "2026").await;
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (shop, id) = (shop.clone(), id.clone());
        running.spawn(async move { shop.stream(&[&id, &id]).await });
    }
    for failures in running.join_all().await {
        assert_eq!(failures, Vec::<Value>::new());
    }
    shop.work_off().await;
    assert_eq!((shop.taken().len(), &shop.row(&id)["attempt"]), (1, &json!(1)));
    assert_eq!(shop.engine.rows("contacts")[0]["promotional_sent"], 1);
}

#[tokio::test]
async fn only_new_rows_are_sent_by_the_stream() {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    let id = shop.message(&member, Template::OrderPointsCredited, "1").await;
    let mut changed = shop.inserted(&id);
    changed["eventName"] = json!("MODIFY");
    shop.sender.answer(json!({"Records": [changed]})).await.unwrap();
    assert_eq!(shop.taken(), []);
}

/// What Zalo said of a message is recorded, whatever else could not be written.
#[tokio::test]
async fn an_answer_is_recorded_though_what_follows_from_it_is_not() {
    let loses = |shop: &Shop, table: &'static str| {
        shop.engine.inject(move |call| {
            let write = matches!(call.operation, "PutItem" | "UpdateItem" | "TransactWriteItems");
            if write && call.body.to_string().contains(table) { Fault::RequestLost } else { Fault::None }
        });
    };
    // They do not follow: the next way is taken all the same.
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    shop.follower(&member).await;
    shop.provider.script([Act::Code(-213)]);
    loses(&shop, "-contacts\"");
    let row = shop.sends(&member, Template::TierKept, "1").await;
    assert_eq!((&row["state"], &row["channel"]), (&json!("sent"), &json!("zalo_phone")));

    // A human is needed: it waits for one, and is not of unknown fate.
    let shop = Shop::with(&programme("[messages.channels]\ncare = [\"zalo_phone\"]\n")).await;
    let member = shop.member(PHONE).await;
    shop.sends(&member, Template::OrderPointsCredited, "1").await;
    shop.provider.script([Act::Code(-219)]);
    loses(&shop, "-senders\"");
    let row = shop.sends(&member, Template::OrderPointsCredited, "2").await;
    assert_eq!((&row["state"], &row["reason"]), (&json!("pending"), &json!("sender_paused")));
}
