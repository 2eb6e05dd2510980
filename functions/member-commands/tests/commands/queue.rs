//! Events from the queue of the webhook's door: done as at `POST /events`, and once.

use loyalty_store::engine::Fault;
use serde_json::{Value, json};

use crate::support::{NAME, NOW, PHONE, Shop};

/// Hands the function a batch, as Lambda does; the messages that are to come again.
async fn failed(shop: &Shop, bodies: &[String]) -> Vec<String> {
    let sent = shop.now().timestamp_millis().to_string();
    let message = |(at, body): (usize, &String)| -> Value {
        json!({"messageId": format!("message-{at}"), "body": body, "attributes": {"SentTimestamp": sent}})
    };
    let records: Vec<_> = bodies.iter().enumerate().map(message).collect();
    let answer = shop.commands.invoke(json!({"Records": records})).await.expect("a batch");
    let answer = serde_json::to_value(answer).unwrap();
    let failures = answer["batchItemFailures"].as_array().expect("a batch's answer");
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

fn body(kind: &str, data: Value) -> String {
    json!({"type": kind, "timestamp": NOW, "data": data}).to_string()
}

fn review(id: &str) -> String {
    let at = "2026-11-23T08:00:00+07:00";
    let customer = json!({"phone": PHONE, "name": NAME});
    body("behaviour", json!({"event_id": id, "behaviour": "review", "customer": customer, "occurred_at": at}))
}

const NONE: [&str; 0] = [];

#[tokio::test]
async fn what_comes_twice_is_done_once_by_either_way() {
    let shop = Shop::new();
    let (review, customer) = (review("e1"), json!({"phone": PHONE, "name": NAME}));
    let topup = body(
        "topup",
        json!({"event_id": "t1", "customer": customer, "amount": "1000000", "currency": "VND", "paid_at": NOW}),
    );
    let batch = [review.clone(), topup.clone(), review.clone()];
    assert_eq!(failed(&shop, &batch).await, NONE);
    let member = shop.member();
    assert_eq!((&member["redeemable_points"], &member["wallet_minor"]), (&json!(20), &json!(1_030_000)));
    assert_eq!(member["name"], NAME);
    let rows = shop.everything();
    assert_eq!(failed(&shop, &batch).await, NONE);
    assert!(shop.everything() == rows, "a redelivery wrote something");
    let (status, answer) = shop.post("/events", &topup).signed(crate::support::SECRET).send().await;
    assert_eq!((status, &answer["wallet"]), (200, &json!("1030000")), "the other way knows of it");
    assert!(shop.everything() == rows);
}

/// Nobody waits for the answer, and the same again would be refused again.
#[tokio::test]
async fn a_refusal_is_done() {
    let shop = Shop::new();
    assert_eq!(failed(&shop, &[review("e1")]).await, NONE);
    let rows = shop.everything();
    let customer = json!({"phone": PHONE});
    let refused = [
        review("e2"),
        review("e1").replace(PHONE, "0912345678"),
        review("e3").replace("review", "dance"),
        body("customer.tier_changed", json!({"customer": customer, "tier": "gold"})),
    ];
    assert_eq!(failed(&shop, &refused).await, NONE);
    assert!(shop.everything() == rows);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_or_written_comes_again() {
    let shop = Shop::new();
    let odd = [
        "not JSON".to_owned(),
        body("order.changed", json!({})),
        body("customer.changed", json!({"customer": {"name": NAME}})),
        review("e1"),
    ];
    assert_eq!(failed(&shop, &odd).await, ["message-0", "message-1", "message-2"]);
    assert_eq!(shop.member()["redeemable_points"], 20);
    let unsent = json!({"Records": [{"messageId": "m", "body": review("e2")}]});
    let answer = shop.commands.invoke(unsent).await.expect("a batch");
    assert_eq!(serde_json::to_value(answer).unwrap()["batchItemFailures"][0]["itemIdentifier"], "m");

    shop.engine.inject(|_| Fault::RequestLost);
    let changed = body("customer.changed", json!({"customer": {"phone": PHONE, "name": "Nguyễn An"}}));
    assert_eq!(failed(&shop, std::slice::from_ref(&changed)).await, ["message-0"]);
    shop.engine.heal();
    assert_eq!(failed(&shop, &[changed]).await, NONE);
    assert_eq!(shop.member()["name"], "Nguyễn An");
}

/// "Now" is when the message was sent, however late it is read.
#[tokio::test]
async fn an_event_is_done_when_it_was_sent() {
    let shop = Shop::new();
    assert_eq!(failed(&shop, &[review("e1")]).await, NONE);
    let entry = &shop.engine.rows("points-history")[0];
    assert_eq!(entry["recorded_at"], NOW);
}

#[tokio::test]
async fn what_invokes_the_function_is_told_apart() {
    let shop = Shop::new();
    let request = json!({"version": "2.0", "routeKey": "POST /events", "rawPath": "/events", "rawQueryString": "",
        "headers": {"content-type": "application/json"}, "body": "{}", "isBase64Encoded": false,
        "requestContext": {"timeEpoch": shop.now().timestamp_millis(), "http": {"method": "POST", "path": "/events"}}});
    let answer = serde_json::to_value(shop.commands.invoke(request).await.expect("a request")).unwrap();
    assert_eq!(answer["statusCode"], 401, "{answer}");
    let empty = serde_json::to_value(shop.commands.invoke(json!({"Records": []})).await.unwrap()).unwrap();
    assert_eq!(empty, json!({"batchItemFailures": []}));
    for other in [json!(null), json!([]), json!("0901234567")] {
        let error = shop.commands.invoke(other).await.expect_err("refused").to_string();
        assert!(!error.contains("0901234567"), "{error}");
    }
}
