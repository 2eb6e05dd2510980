//! By which way a message goes (N3, X36).

use std::sync::Arc;

use loyalty_domain::ids::MemberId;
use loyalty_messaging::Template;
use loyalty_runtime::calls::Caller;
use loyalty_signatures::{StandardDelivery, StandardSecrets};
use loyalty_store::Consumed;
use loyalty_store::units::MESSAGE_SENT;
use send_messages::{BELIEVED_SECONDS, Shop as ShopSystem};
use serde_json::{Value, json};

use crate::provider::Act;
use crate::support::{NAME, PHONE, SHOP_SECRET, Shop, USER, programme};

#[tokio::test]
async fn who_does_not_follow_gets_a_template_by_phone() {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    let row = shop.sends(&member, Template::OrderPointsCredited, "1").await;
    assert_eq!((&row["state"], &row["channel"]), (&json!("sent"), &json!("zalo_phone")));
    assert_eq!(row["provider_message_id"], "z1");
    let (path, body) = shop.taken().remove(0);
    assert_eq!((path.as_str(), &body["phone"]), ("/message/template", &json!("84901234567")));
    // The name is cut to what the template takes; a number is one.
    let data = json!({"customer": "Chim Ho…", "order": "DH-1", "points": "50", "balance": "1.234 điểm"});
    assert_eq!((&body["template_id"], &body["template_data"]), (&json!("1001"), &data));
    assert_eq!(body["tracking_id"], row["receipt_key"]);
    assert_eq!(shop.findings(), Vec::<String>::new());
}

#[tokio::test]
async fn a_follower_gets_a_message_of_the_account_and_a_text_within_two_days() {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    shop.follower(&member).await;
    let row = shop.sends(&member, Template::TierKept, "1").await;
    assert_eq!((&row["channel"], &row["receipt_key"]), (&json!("zalo_oa"), &json!("z1")));
    shop.books().interacted(&shop.zalo_key(), shop.now()).await.unwrap();
    shop.pass(48 * 3600 - 1);
    shop.sends(&member, Template::TierKept, "2").await;
    shop.pass(1);
    shop.sends(&member, Template::TierKept, "3").await;
    let paths: Vec<_> = shop.taken().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["/v3.0/oa/message/template", "/v3.0/oa/message/cs", "/v3.0/oa/message/template"]);
    let (_, template) = &shop.taken()[0];
    assert_eq!((&template["user_id"], &template["template_id"]), (&json!(USER), &json!("2002")));
    assert!(template["template_data"]["text"].as_str().unwrap().contains("25/11/2027"));
}

#[tokio::test]
async fn c9_a_picture_goes_with_a_text_and_to_the_shops_own_system() {
    let more = "[messages.pictures]\ntier_kept = \"https://cdn.example.vn/bac.jpg\"\n";
    let shop = Shop::with(&programme(more)).await;
    let follower = shop.member(PHONE).await;
    shop.follower(&follower).await;
    shop.books().interacted(&shop.zalo_key(), shop.now()).await.unwrap();
    shop.sends(&follower, Template::TierKept, "1").await;
    let (path, body) = shop.taken().remove(0);
    let element = &body["message"]["attachment"]["payload"]["elements"][0];
    assert_eq!((path.as_str(), &element["url"]), ("/v3.0/oa/message/cs", &json!("https://cdn.example.vn/bac.jpg")));

    let to_the_shop = "[messages.channels]\ncare = [\"webhook\"]\n";
    let shop = Shop::with(&programme(&format!("{to_the_shop}{more}"))).await;
    let member = shop.member(PHONE).await;
    shop.sends(&member, Template::TierKept, "1").await;
    shop.sends(&member, Template::TierReached, "2").await;
    let pictures: Vec<_> = shop.provider.world().webhooks.iter().map(|(_, body)| body.clone()).collect();
    let pictures = pictures.iter().map(|body| serde_json::from_str::<Value>(body).unwrap()["data"]["picture"].clone());
    assert_eq!(pictures.collect::<Vec<_>>(), [json!("https://cdn.example.vn/bac.jpg"), Value::Null]);
}

#[tokio::test]
async fn the_account_is_asked_where_no_event_said() {
    for (follows, path) in [(true, "/v3.0/oa/message/template"), (false, "/message/template")] {
        let shop = Shop::new().await;
        let member = shop.member(PHONE).await;
        shop.books().link(&shop.zalo_key(), USER, &member, shop.now()).await.unwrap();
        shop.provider.world().follows = Some(follows);
        shop.sends(&member, Template::TierKept, "1").await;
        assert_eq!(shop.taken()[0].0, path);
        assert_eq!(shop.books().contact(&member).await.unwrap().row.follows_oa, Some(follows));
    }
}

#[tokio::test]
async fn who_unfollowed_is_reached_by_phone_whichever_word_came_first() {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    shop.follower(&member).await;
    let (key, now) = (shop.zalo_key(), shop.now());
    let later = now + chrono::TimeDelta::seconds(10);
    assert!(shop.books().follow(&key, false, later).await.unwrap());
    assert!(!shop.books().follow(&key, true, now + chrono::TimeDelta::seconds(5)).await.unwrap());
    shop.sends(&member, Template::TierKept, "1").await;
    assert_eq!(shop.taken()[0].0, "/message/template");
}

#[tokio::test]
async fn what_zalo_has_no_template_for_goes_to_the_shop_signed() {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    let row = shop.sends(&member, Template::WelcomePointsCredited, "1").await;
    assert_eq!((&row["state"], &row["channel"]), (&json!("sent"), &json!("webhook")));
    let (headers, body) = shop.provider.world().webhooks.remove(0);
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, timestamp, signature) = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    assert_eq!(id, row["message_id"]);
    let delivery = StandardDelivery {
        id: Some(&id),
        timestamp: Some(&timestamp),
        signature: Some(&signature),
        body: body.as_bytes(),
    };
    StandardSecrets::parse(SHOP_SECRET).unwrap().verify(delivery, shop.now().timestamp()).unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["data"]["phone"], "+84901234567");
    assert_eq!((&body["data"]["name"], &body["data"]["template"]), (&json!(NAME), &json!("welcome_points_credited")));
    assert_eq!(body["data"]["kind"], "care");
}

#[tokio::test]
async fn a_shop_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    shop.provider.script([Act::Status(503), Act::TakeAndDrop]);
    let row = shop.sends(&member, Template::WelcomePointsCredited, "1").await;
    assert_eq!((&row["state"], &row["reason"]), (&json!("pending"), &json!("shop_busy")));
    shop.work_off().await;
    assert_eq!(shop.row(row["message_id"].as_str().unwrap())["state"], "sent");
    let ids: Vec<_> = shop.provider.world().webhooks.iter().map(|(headers, _)| headers["webhook-id"].clone()).collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "a shop that got one twice knows it: {ids:?}");
    shop.provider.script([Act::Status(410)]);
    let row = shop.sends(&member, Template::WelcomePointsCredited, "2").await;
    assert_eq!((&row["state"], &row["reason"]), (&json!("failed"), &json!("every_channel_refused")));
}

/// With the shop's own system first, and a phone after it.
async fn shop_first() -> (Shop, MemberId) {
    let order = "[messages.channels]\ncare = [\"webhook\", \"zalo_phone\"]\n\
                 promotional = [\"webhook\", \"zalo_phone\"]\n";
    let shop = Shop::with(&programme(order)).await;
    let member = shop.member(PHONE).await;
    (shop, member)
}

fn webhooks(shop: &Shop) -> usize {
    shop.provider.world().webhooks.len()
}

#[tokio::test]
async fn what_the_shop_may_have_taken_is_unknown_and_goes_by_no_other_channel() {
    // A promotion is not sent again.
    let (shop, member) = shop_first().await;
    shop.provider.script([Act::TakeAndDrop]);
    let row = shop.sends(&member, Template::BirthdayVouchers, "2026").await;
    assert_eq!((&row["state"], &row["reason"]), (&json!("unknown"), &json!("reply_lost")));
    shop.work_off().await;
    assert_eq!((webhooks(&shop), shop.taken()), (1, vec![]));

    // All else is, once, whether that is lost as well or meets a shop that is busy for long.
    for (then, taken) in [(Act::TakeAndDrop, 2), (Act::Status(503), 1)] {
        let (shop, member) = shop_first().await;
        shop.provider.script([Act::TakeAndDrop]);
        shop.provider.script([then; 100]);
        let row = shop.sends(&member, Template::OrderPointsCredited, "1").await;
        assert_eq!((&row["state"], &row["reason"]), (&json!("pending"), &json!("reply_lost")));
        shop.work_off().await;
        assert_eq!(shop.row(row["message_id"].as_str().unwrap())["state"], "unknown", "{then:?}");
        assert_eq!((webhooks(&shop), shop.taken()), (taken, vec![]), "{then:?}");
        assert_eq!(shop.findings(), Vec::<String>::new());
    }
}

/// A secret that is not set up holds up nothing but what it is for.
#[tokio::test]
async fn only_what_goes_to_the_shop_waits_for_its_secret() {
    let mut shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    let ready = shop.sender.shop.take();
    shop.sender.shop_unready = true;
    assert_eq!(shop.sends(&member, Template::OrderPointsCredited, "1").await["channel"], "zalo_phone");
    let row = shop.sends(&member, Template::WelcomePointsCredited, "1").await;
    assert_eq!(row["state"], "pending");
    (shop.sender.shop, shop.sender.shop_unready) = (ready, false);
    shop.work_off().await;
    assert_eq!(shop.row(row["message_id"].as_str().unwrap())["state"], "sent");
}

#[tokio::test]
async fn a_shop_that_cannot_be_reached_has_taken_nothing() {
    let (mut shop, member) = shop_first().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let system = ShopSystem::new(Caller::new(None).unwrap(), format!("http://{closed}/shop"), SHOP_SECRET);
    shop.sender.shop = Some(Arc::new(system.unwrap()));
    let row = shop.sends(&member, Template::OrderPointsCredited, "1").await;
    assert_eq!(
        (&row["state"], &row["reason"], &row["sent_again"]),
        (&json!("pending"), &json!("not_reached"), &Value::Null)
    );
    shop.work_off().await;
    let row = shop.row(row["message_id"].as_str().unwrap());
    assert_eq!((&row["state"], &row["channel"]), (&json!("sent"), &json!("zalo_phone")));
}

#[tokio::test]
async fn the_order_of_channels_is_the_programmes() {
    let order = "[messages.channels]\ncare = [\"webhook\", \"zalo_oa\"]\ntransactional = []\n\
                 [messages.kinds]\norder_points_credited = \"transactional\"\n";
    let shop = Shop::with(&programme(order)).await;
    let member = shop.member(PHONE).await;
    shop.follower(&member).await;
    assert_eq!(shop.sends(&member, Template::TierKept, "1").await["channel"], "webhook");
    let row = shop.sends(&member, Template::OrderPointsCredited, "1").await;
    assert_eq!((&row["state"], &row["reason"]), (&json!("skipped"), &json!("no_channel")));
    assert_eq!(shop.taken(), []);
}

#[tokio::test]
async fn a_receipt_finds_its_message() {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    let row = shop.sends(&member, Template::OrderPointsCredited, "1").await;
    let key = row["receipt_key"].as_str().unwrap();
    assert!(shop.books().delivered(key, shop.now()).await.unwrap());
    assert!(!shop.books().delivered(key, shop.now()).await.unwrap());
    assert!(!shop.books().delivered("nobody's", shop.now()).await.unwrap());
    let row = shop.row(row["message_id"].as_str().unwrap());
    assert_eq!((&row["state"], &row["delivered_at"]), (&json!("sent"), &json!("2026-11-25T05:00:00Z")));
    assert_eq!(shop.findings(), Vec::<String>::new());
}

#[tokio::test]
async fn a_row_changed_by_hand_is_not_sent() {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    let id = shop.message(&member, Template::OrderPointsCredited, "1").await;
    let client = shop.engine.client();
    let key = |id: &str| aws_sdk_dynamodb::types::AttributeValue::S(id.to_owned());
    let table = format!("{}messages", shop.engine.prefix());
    let item = client.get_item().table_name(&table).key("message_id", key(&id)).send().await.unwrap().item.unwrap();
    let tampered = client.put_item().table_name(&table).set_item(Some(item));
    tampered.item("created_at", key("2026-11-25T05:00:01Z")).send().await.unwrap();
    assert_eq!(shop.stream(&[&id]).await.len(), 1);
    assert_eq!(shop.taken(), []);
    assert_eq!(shop.row(&id)["state"], "pending");
    assert_eq!(shop.findings().len(), 1);
}

#[tokio::test]
async fn a_link_that_moves_leaves_nobody_else_with_it() {
    let shop = Shop::new().await;
    let (one, other) = (shop.member(PHONE).await, shop.member("0907654321").await);
    shop.follower(&one).await;
    let (key, later) = (shop.zalo_key(), shop.now() + chrono::TimeDelta::seconds(1));
    assert!(!shop.books().link(&key, USER, &other, shop.now()).await.unwrap(), "no newer than the link there is");
    assert!(shop.books().link(&key, USER, &other, later).await.unwrap());
    assert_eq!(shop.books().contact(&one).await.unwrap().row.zalo_user_id, None);
    let contact = shop.books().contact(&other).await.unwrap().row;
    assert_eq!((contact.zalo_user_id.as_deref(), contact.follows_oa), (Some(USER), Some(true)));
    // What happens to the user from now on happens to the other.
    let last = later + chrono::TimeDelta::seconds(1);
    assert!(shop.books().follow(&key, false, last).await.unwrap());
    assert_eq!(shop.books().contact(&other).await.unwrap().row.follows_oa, Some(false));
    // And a member with another user leaves the first one to nobody.
    let second = loyalty_store::ZaloKey::new(shop.key.zalo_user("777"));
    assert!(shop.books().link(&second, "777", &other, last).await.unwrap());
    let contact = shop.books().contact(&other).await.unwrap().row;
    assert_eq!((contact.zalo_user_id.as_deref(), contact.follows_oa), (Some("777"), None));
    assert!(shop.books().follow(&key, true, last + chrono::TimeDelta::seconds(1)).await.unwrap());
    assert_eq!(shop.books().contact(&other).await.unwrap().row.follows_oa, None);
    assert!(shop.engine.rows("zalo-users").iter().all(|row| !row["user_id"].as_str().unwrap().contains(USER)));
}

/// What the shop's costs are computed from. The first message also reads the token.
#[tokio::test]
async fn a_message_costs_what_the_books_say() {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    shop.sends(&member, Template::OrderPointsCredited, "1").await;
    let before = shop.books().consumed();
    let row = shop.sends(&member, Template::OrderPointsCredited, "2").await;
    assert_eq!(row["state"], "sent");
    assert_eq!(shop.books().consumed() - before, MESSAGE_SENT);
    // Some seconds later the row of the token is read once more, for all messages of the next seconds.
    shop.pass(BELIEVED_SECONDS);
    let before = shop.books().consumed();
    shop.sends(&member, Template::OrderPointsCredited, "3").await;
    shop.sends(&member, Template::OrderPointsCredited, "4").await;
    let read = Consumed { requests: 1, read_units: 1.0, write_units: 0.0 };
    assert_eq!(shop.books().consumed() - before, MESSAGE_SENT * 2.0 + read);
}

/// How a message to somebody who follows arrives when Zalo answers this to the questions whether they do.
async fn asked_with(script: impl IntoIterator<Item = Act>) -> (Shop, String) {
    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    shop.books().link(&shop.zalo_key(), USER, &member, shop.now()).await.unwrap();
    shop.provider.world().follows = Some(true);
    shop.provider.world().detail_script = script.into_iter().collect();
    shop.sends(&member, Template::TierKept, "1").await;
    shop.work_off().await;
    let path = shop.taken()[0].0.clone();
    (shop, path)
}

#[tokio::test]
async fn a_question_that_zalo_cannot_answer_now_is_asked_again() {
    for script in [vec![Act::Status(503)], vec![Act::Code(-32), Act::TakeAndDrop, Act::Code(-100)]] {
        let (_, path) = asked_with(script.clone()).await;
        assert_eq!(path, "/v3.0/oa/message/template", "{script:?}");
    }
    // A token that is no longer good says nothing of the member either.
    let (shop, path) = asked_with([Act::Code(-216)]).await;
    assert_eq!((path.as_str(), shop.provider.counts().0), ("/v3.0/oa/message/template", 2));
}

#[tokio::test]
async fn a_question_that_zalo_will_not_answer_leaves_the_phone() {
    let (_, path) = asked_with([Act::Code(-201)]).await;
    assert_eq!(path, "/message/template");
    // Nor is it asked for ever.
    let (shop, path) = asked_with([Act::Status(503); 1_000]).await;
    assert_eq!(path, "/message/template");
    assert!(shop.now() < crate::support::instant(crate::support::NOON) + chrono::TimeDelta::minutes(11));
}
