//! Whose token opens which command.

use serde_json::{Value, json};

use crate::support::{NOW, SECRET, Shop};

fn till() -> Value {
    json!({"sub": "1", "cognito:groups": "[till]"})
}

fn operator() -> Value {
    json!({"sub": "2", "cognito:groups": "[operator]"})
}

#[tokio::test]
async fn a_member_spends_their_own_points_and_a_till_anybodys() {
    let shop = Shop::with_tokens(300).await;
    let own = json!({"sub": "3", "custom:member_id": shop.member_id().as_str()});
    let other = json!({"sub": "4", "custom:member_id": "m_other"});
    let spend =
        |key: &'static str| shop.post("/members/{id}/redemptions", json!({"points": 10, "hold": true})).key(key);
    for (key, claims) in [("1", &own), ("2", &till()), ("3", &operator())] {
        assert_eq!(spend(key).token(claims.clone()).send().await.0, 201, "{claims}");
    }
    shop.refused(spend("4").token(other), 403, "not-allowed").await;
    shop.refused(spend("5"), 401, "no-token").await;
    // A signature is no token.
    shop.refused(spend("6").signed(SECRET), 401, "no-token").await;
}

#[tokio::test]
async fn what_ends_a_redemption_or_uses_a_voucher_is_a_tills() {
    let shop = Shop::with_tokens(300).await;
    let own = json!({"sub": "3", "custom:member_id": shop.member_id().as_str()});
    let hold = |key: &'static str| {
        shop.post("/members/{id}/redemptions", json!({"points": 10, "hold": true})).key(key).token(till()).send()
    };
    let id = |answer: Value| answer["redemption_id"].as_str().expect("an id").to_owned();
    let (first, second) = (id(hold("1").await.1), id(hold("2").await.1));
    let confirm = || shop.post(&format!("/members/{{id}}/redemptions/{first}/confirm"), "");
    let undo = || shop.delete(&format!("/members/{{id}}/redemptions/{second}"));
    for refused in [confirm(), undo(), shop.post("/vouchers/ABCD/use", "{}")] {
        shop.refused(refused.token(own.clone()), 403, "not-allowed").await;
    }
    shop.refused(confirm(), 401, "no-token").await;
    assert_eq!(confirm().token(till()).send().await.0, 200);
    assert_eq!(undo().token(operator()).send().await.0, 200);
    shop.refused(shop.post("/vouchers/ABCD/use", "{}").token(till()), 404, "unknown-voucher").await;
}

#[tokio::test]
async fn an_adjustment_is_an_operators_and_their_token_is_proof_enough() {
    let shop = Shop::with_tokens(300).await;
    let body = json!({"redeemable": 5, "qualifying": 0, "reason": "goodwill", "operator": "Mai"});
    let adjust = |key: &'static str| shop.post("/members/{id}/adjustments", body.clone()).key(key);
    shop.refused(adjust("1").signed(SECRET), 401, "no-token").await;
    shop.refused(adjust("2").signed(SECRET).token(till()), 403, "not-allowed").await;
    assert_eq!(adjust("3").token(operator()).send().await.0, 201);
    assert_eq!(adjust("4").token(operator()).signed(SECRET).send().await.0, 201);
    // The name is what they say; whose token it was is what was proved.
    let noted: Vec<_> =
        shop.engine.rows("points-history").into_iter().filter(|entry| !entry["note"].is_null()).collect();
    assert_eq!(noted.len(), 2);
    for entry in noted {
        assert_eq!(entry["note"], json!({"operator": "Mai", "text": "goodwill", "subject": "2"}));
    }
    let wrong = adjust("5").token(operator()).signed("whsec_d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmc=");
    shop.refused(wrong, 401, "bad-signature").await;
}

#[tokio::test]
async fn the_shops_back_end_signs_and_needs_no_token() {
    let shop = Shop::with_tokens(300).await;
    let (status, answer) = shop
        .event(
            "behaviour",
            json!({"event_id": "r1", "behaviour": "review", "customer": {"phone": "0901234567"}, "occurred_at": NOW}),
        )
        .await;
    assert_eq!(status, 201, "{answer}");
    let unsigned = shop.post("/events", json!({"type": "behaviour", "timestamp": NOW, "data": {}})).token(operator());
    shop.refused(unsigned, 401, "no-signature").await;
}
