//! Commands that prove who sends them.

use serde_json::json;

use crate::support::{NEXT_SECRET, SECRET, Shop};

#[tokio::test]
async fn an_operator_gives_and_takes_with_a_reason() {
    let shop = Shop::with_points(100).await;
    let body = json!({"redeemable": 50, "qualifying": 0, "reason": "Bù đơn hỏng", "operator": "Hoa"});
    let (status, given) = shop.adjust("a1", body.clone()).await;
    assert_eq!(status, 201, "{given}");
    assert_eq!(
        (&given["seq"], &given["redeemable"], &given["balance_after"]),
        (&json!(2), &json!(50), &json!({"redeemable": 150, "qualifying": 100}))
    );
    let rows = shop.everything();
    assert_eq!(shop.adjust("a1", body.clone()).await, (200, given));
    assert!(shop.everything() == rows);
    let entry = shop.engine.rows("points-history").into_iter().find(|entry| entry["seq"] == 2).unwrap();
    assert_eq!(entry["note"], json!({"operator": "Hoa", "text": "Bù đơn hỏng"}));

    let adjust = |key: &str, body| shop.post("/members/{id}/adjustments", body).key(key).signed(SECRET);
    let other = json!({"redeemable": 51, "reason": "Bù đơn hỏng", "operator": "Hoa"});
    shop.refused(adjust("a1", other), 409, "key-used-otherwise").await;
    let too_many = json!({"qualifying": -101, "reason": "r", "operator": "Hoa"});
    shop.refused(adjust("a2", too_many), 409, "not-enough-points").await;
    for nothing in [
        json!({"reason": "r", "operator": "o"}),
        json!({"redeemable": 5, "qualifying": -5, "reason": "r", "operator": "o"}),
    ] {
        shop.refused(adjust("a2", nothing), 422, "nothing-to-adjust").await;
    }
    for body in [
        json!({"redeemable": 5, "operator": "o"}),
        json!({"redeemable": 5, "reason": "r"}),
        json!({"redeemable": 5, "reason": "r", "operator": "o", "x": 1}),
    ] {
        shop.refused(adjust("a2", body), 400, "unreadable").await;
    }
    let nobody = shop.post("/members/m_nobody/adjustments", body.clone()).key("a").signed(SECRET);
    shop.refused(nobody, 404, "unknown-member").await;
    let no_key = shop.post("/members/{id}/adjustments", body).signed(SECRET);
    shop.refused(no_key, 400, "bad-idempotency-key").await;
    let (status, taken) = shop.adjust("a3", json!({"redeemable": -150, "reason": "r", "operator": "o"})).await;
    assert_eq!((status, &taken["balance_after"]["redeemable"]), (201, &json!(0)));
}

/// A signature covers the body. One that names its member and its key cannot be carried out for another, by whoever
/// overheard it; one that names none is taken as ever.
#[tokio::test]
async fn what_was_signed_for_one_member_and_key_is_for_no_other() {
    let shop = Shop::with_points(100).await;
    let member_id = shop.member_id();
    let says = |member_id: &str, key: &str| json!({"redeemable": 5, "reason": "r", "operator": "o", "member_id": member_id, "idempotency_key": key});
    let adjust = |key: &str, body| shop.post("/members/{id}/adjustments", body).key(key).signed(SECRET);
    shop.refused(adjust("k", says("m_other", "k")), 400, "other-member").await;
    shop.refused(adjust("k", says(member_id.as_str(), "other")), 400, "other-key").await;
    assert_eq!(adjust("k", says(member_id.as_str(), "k")).send().await.0, 201);
    assert_eq!(shop.adjust("k", json!({"redeemable": 5, "reason": "r", "operator": "o"})).await.0, 200, "the same");
}

#[tokio::test]
async fn what_is_not_signed_is_not_believed() {
    let shop = Shop::with_points(100).await;
    let now = shop.now().timestamp();
    let body = json!({"redeemable": 50, "reason": "r", "operator": "o"});
    let event = json!({"type": "behaviour", "data": {"event_id": "e", "behaviour": "review",
        "customer": {"phone": "0901234567"}, "occurred_at": "2026-11-23T08:00:00+07:00"}});
    for (path, body) in [("/members/{id}/adjustments", body), ("/events", event)] {
        let send = || shop.post(path, &body).key("k");
        shop.refused(send(), 401, "no-signature").await;
        let guessed = "whsec_Z3Vlc3NlZC1sb3lhbHR5LXRlc3Qtc2VjcmV0LTE=";
        shop.refused(send().signed(guessed), 401, "bad-signature").await;
        shop.refused(send().signed(SECRET).header("webhook-id", "msg_other"), 401, "bad-signature").await;
        let other = shop.post(path, body.to_string() + " ").key("k");
        let signature = loyalty_signatures::sign_standard(SECRET, "m", now, body.to_string().as_bytes()).unwrap();
        let other = other.header("webhook-id", "m").header("webhook-timestamp", &now.to_string());
        shop.refused(other.header("webhook-signature", &signature), 401, "bad-signature").await;
        for late in [-301, 301] {
            shop.refused(send().signed_at(SECRET, now + late), 401, "stale-timestamp").await;
        }
        // A body that is not believed is not read either.
        shop.refused(shop.post(path, "{").key("k"), 401, "no-signature").await;
        let (status, answer) = send().signed_at(NEXT_SECRET, now + 300).send().await;
        assert_eq!(status, 201, "either live secret, within five minutes: {answer}");
    }
}
