//! What the official account at Zalo tells, from the queue of the webhook's door: whatever the order, the newest word stays.

use chrono::{DateTime, TimeDelta, Utc};
use loyalty_contract::phone::normalise;
use loyalty_contract::zalo::{FromZalo, ZaloEvent};
use loyalty_domain::sending::Channel;
use loyalty_messaging::{Message, Outbox, Template, Value as Variable, Variables};
use loyalty_store::engine::Fault;
use loyalty_store::{Claim, Contact, Ending, Note};
use serde_json::{Value, json};

use crate::support::{NOW, PHONE, Shop};

const USER: &str = "24684588352919792";

fn at(seconds: i64) -> DateTime<Utc> {
    NOW.parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
}

fn follow(seconds: i64) -> ZaloEvent {
    ZaloEvent::Follow { user_id: USER.into(), follows: true, at: at(seconds) }
}

fn unfollow(seconds: i64) -> ZaloEvent {
    ZaloEvent::Follow { user_id: USER.into(), follows: false, at: at(seconds) }
}

fn wrote(seconds: i64) -> ZaloEvent {
    ZaloEvent::Interacted { user_id: USER.into(), at: at(seconds) }
}

fn submitted(user_id: &str, phone: &str, seconds: i64) -> ZaloEvent {
    ZaloEvent::Submitted { user_id: user_id.into(), phone: normalise(phone).unwrap(), at: at(seconds) }
}

fn received(key: &str, seconds: i64) -> ZaloEvent {
    ZaloEvent::Received { keys: vec!["another's".into(), key.into()], at: at(seconds) }
}

/// Hands the function a batch, as Lambda does; how many messages of it are to come again.
async fn failures(shop: &Shop, bodies: Vec<String>) -> usize {
    let sent = shop.now().timestamp_millis().to_string();
    let message = |(at, body): (usize, String)| -> Value {
        json!({"messageId": format!("message-{at}"), "body": body, "attributes": {"SentTimestamp": sent}})
    };
    let records: Vec<_> = bodies.into_iter().enumerate().map(message).collect();
    let answer = shop.commands.invoke(json!({"Records": records})).await.expect("a batch");
    serde_json::to_value(answer).unwrap()["batchItemFailures"].as_array().expect("a batch's answer").len()
}

async fn tell(shop: &Shop, events: impl IntoIterator<Item = ZaloEvent>) {
    let bodies = events.into_iter().map(|event| FromZalo::Event(event).to_json()).collect();
    assert_eq!(failures(shop, bodies).await, 0);
}

async fn contact(shop: &Shop, phone: &str) -> Contact {
    shop.commands.books.contact(&shop.member_with(phone)).await.unwrap().row
}

/// All orders of a list.
fn orders<T: Clone>(list: &[T]) -> Vec<Vec<T>> {
    if list.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in 0..list.len() {
        let mut rest = list.to_vec();
        let head = rest.remove(first);
        all.extend(orders(&rest).into_iter().map(|mut tail| {
            tail.insert(0, head.clone());
            tail
        }));
    }
    all
}

/// I5: each once or twice, in every order, they leave the same.
#[tokio::test]
async fn every_order_of_events_leaves_the_same_contact() {
    let events = [follow(1), unfollow(2), follow(3), wrote(4), submitted(USER, PHONE, 5)];
    let mut left = Vec::new();
    for order in orders(&events) {
        let shop = Shop::new();
        tell(&shop, order.clone()).await;
        let rows = (shop.engine.rows("contacts"), shop.engine.rows("zalo-users"));
        tell(&shop, order).await;
        assert!((shop.engine.rows("contacts"), shop.engine.rows("zalo-users")) == rows, "a repetition wrote something");
        left.push(contact(&shop, PHONE).await);
    }
    let first = left[0].clone();
    assert_eq!((first.follows_oa, first.follows_as_of), (Some(true), Some(at(3))));
    assert_eq!((first.interacted_at, first.linked_at), (Some(at(5)), Some(at(5))));
    assert_eq!(first.zalo_user_id.as_deref(), Some(USER));
    assert!(left.iter().all(|contact| *contact == first));
}

#[tokio::test]
async fn an_unfollow_older_than_the_follow_changes_nothing() {
    let shop = Shop::new();
    tell(&shop, [submitted(USER, PHONE, 0), follow(10)]).await;
    tell(&shop, [unfollow(9)]).await;
    assert_eq!(contact(&shop, PHONE).await.follows_oa, Some(true));
    tell(&shop, [unfollow(11), follow(10)]).await;
    assert_eq!(contact(&shop, PHONE).await.follows_oa, Some(false));
}

/// A member is who the phone says, however it is spelled; no row has the phone, and no key the user's id.
#[tokio::test]
async fn a_submitted_phone_links_user_and_member() {
    let shop = Shop::with_points(100).await;
    tell(&shop, [follow(0)]).await;
    assert_eq!(contact(&shop, PHONE).await.zalo_user_id, None, "nobody knows who follows yet");
    tell(&shop, [submitted(USER, "+84 901-234-567", 1)]).await;
    let linked = contact(&shop, PHONE).await;
    assert_eq!((linked.zalo_user_id.as_deref(), linked.follows_oa), (Some(USER), Some(true)));
    let contacts = shop.engine.rows("contacts");
    assert_eq!(contacts[0]["member_id"], shop.member()["member_id"]);
    let users = json!(shop.engine.rows("zalo-users")).to_string();
    assert!(!users.contains(USER) && !users.contains("901234567"), "{users}");
    assert!(!json!(contacts).to_string().contains("901234567"));

    // Another phone, said later, is who they are now; a phone that somebody else told before is older.
    tell(&shop, [submitted(USER, "0912345678", 3), submitted("7", PHONE, 0)]).await;
    assert_eq!(contact(&shop, "0912345678").await.zalo_user_id.as_deref(), Some(USER));
    assert_eq!(contact(&shop, PHONE).await.zalo_user_id, None);
}

/// A message that was handed to Zalo, under the key that its receipt will name.
async fn handed_over(shop: &Shop, about: &str, ending: Option<Ending>) -> String {
    let member_id = shop.member_id();
    let variables: Variables = [
        ("order", Variable::Text("DH-1".into())),
        ("balance", Variable::Number(1)),
        ("tier", Variable::Text("Bạc".into())),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let message = Message {
        message_id: format!("{member_id}:{about}:order_points_credited"),
        member_id,
        template: Template::OrderPointsCredited,
        campaign: None,
        variables,
        seq: None,
        created_at: shop.now(),
    };
    let outbox = Outbox::new(shop.engine.client(), shop.engine.prefix());
    outbox.put(std::slice::from_ref(&message)).await.unwrap();
    let books = &shop.commands.books;
    let pending = books.outgoing(&message.message_id).await.unwrap().unwrap();
    let claim = Claim { channel: Channel::ZaloPhone, receipt_key: Some(format!("t-{about}")), now: shop.now() };
    let claimed = books.claim(pending, claim, None).await.unwrap().unwrap();
    if let Some(ending) = ending {
        books.record(claimed, ending, Note::default(), shop.now()).await.unwrap().unwrap();
    }
    message.message_id
}

fn row(shop: &Shop, message_id: &str) -> Value {
    shop.engine.rows("messages").into_iter().find(|row| row["message_id"] == message_id).unwrap()
}

#[tokio::test]
async fn a_receipt_says_that_a_message_arrived_and_when() {
    let shop = Shop::new();
    let sent = Ending::Sent { provider_message_id: Some("15a0".into()), receipt_key: None };
    let message = handed_over(&shop, "1", Some(sent)).await;
    // Its fate was not known: it was sent, then.
    let unknown = handed_over(&shop, "2", Some(Ending::Unknown)).await;
    // The one who sent it has not recorded it yet, or was killed.
    let claimed = handed_over(&shop, "3", None).await;
    for about in ["1", "2", "3"] {
        tell(&shop, [received(&format!("t-{about}"), 20)]).await;
    }
    for id in [&message, &unknown, &claimed] {
        let row = row(&shop, id);
        assert_eq!((&row["state"], &row["delivered_at"]), (&json!("sent"), &json!("2026-11-23T01:15:27Z")), "{row}");
    }
    let rows = shop.engine.rows("messages");
    tell(&shop, [received("t-1", 90), received("t-1", 20), received("nobody's", 1)]).await;
    assert!(shop.engine.rows("messages") == rows, "a repetition wrote something");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_or_read_comes_again() {
    let shop = Shop::new();
    shop.engine.inject(|_| Fault::RequestLost);
    let event = FromZalo::Event(submitted(USER, PHONE, 0)).to_json();
    assert_eq!(failures(&shop, vec![event.clone()]).await, 1);
    shop.engine.heal();
    assert_eq!(failures(&shop, vec![event]).await, 0);
    assert_eq!(contact(&shop, PHONE).await.zalo_user_id.as_deref(), Some(USER));
    // Newer code may read what this cannot; what it can, it does.
    let unread = |body: &str| FromZalo::Unread { body: body.into() }.to_json();
    assert_eq!(failures(&shop, vec![unread("{"), unread(r#"{"event_name":"follow"}"#)]).await, 2);
    let readable = format!(r#"{{"event_name":"follow","follower":{{"id":"{USER}"}}}}"#);
    assert_eq!(failures(&shop, vec![unread(&readable), unread(r#"{"event_name":"new"}"#)]).await, 0);
    assert_eq!(contact(&shop, PHONE).await.follows_oa, Some(true));
}

/// It says nothing of points, and nobody needs to replay it afterwards.
#[tokio::test]
async fn a_pause_does_not_stop_it() {
    let shop = Shop::paused();
    tell(&shop, [submitted(USER, PHONE, 0)]).await;
    assert_eq!(contact(&shop, PHONE).await.zalo_user_id.as_deref(), Some(USER));
}

/// A forgotten member is nobody at the account, and only what they do there afterwards makes them known again.
#[tokio::test]
async fn an_event_from_before_an_erasure_links_nobody() {
    let shop = Shop::with_points(100).await;
    let books = &shop.commands.books;
    tell(&shop, [follow(0), wrote(1), submitted(USER, PHONE, 2)]).await;
    let erase = |seconds| {
        let programme = &shop.commands.programmes.at(shop.now()).programme;
        let id = shop.member_id();
        async move { books.erase_member(programme, &id, at(seconds)).await.unwrap() }
    };
    assert_eq!(erase(60).await, Some(true));
    let gone = |contact: &Contact| {
        assert_eq!((&contact.zalo_user_id, contact.follows_oa, contact.interacted_at), (&None, None, None));
        let rows = (shop.engine.rows("contacts"), shop.engine.rows("zalo-users"));
        assert!(!json!(rows.0).to_string().contains(USER));
        assert!(rows.1.iter().all(|user| user["member_id"].is_null()), "{rows:?}");
    };
    gone(&contact(&shop, PHONE).await);
    tell(
        &shop,
        [submitted(USER, PHONE, 2), submitted(USER, PHONE, 59), submitted("7", PHONE, 60), follow(70), wrote(71)],
    )
    .await;
    gone(&contact(&shop, PHONE).await);
    assert_eq!(erase(65).await, Some(false));
    tell(&shop, [submitted(USER, PHONE, 80)]).await;
    assert_eq!(contact(&shop, PHONE).await.zalo_user_id.as_deref(), Some(USER));

    // Whoever was only ever known at the account can be forgotten too; nobody is forgotten who is nobody.
    let stranger = shop.member_with("0912345678");
    let programme = &shop.commands.programmes.at(shop.now()).programme;
    assert_eq!(books.erase_member(programme, &stranger, at(90)).await.unwrap(), None);
    tell(&shop, [submitted("7", "0912345678", 91)]).await;
    assert_eq!(books.erase_member(programme, &stranger, at(92)).await.unwrap(), Some(true));
    tell(&shop, [submitted("7", "0912345678", 91)]).await;
    assert_eq!(contact(&shop, "0912345678").await.zalo_user_id, None);
}
