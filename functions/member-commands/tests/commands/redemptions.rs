//! Points spent, held, confirmed, given back.

use loyalty_store::engine::Fault;
use serde_json::{Value, json};

use crate::support::Shop;

#[tokio::test]
async fn points_are_spent_once_however_often_it_is_asked() {
    let shop = Shop::with_points(362).await;
    let (status, answer) = shop.redeem("k1", json!({"points": 100})).await;
    let id = answer["redemption_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("r_"), "{answer}");
    let expected = json!({"redemption_id": id, "state": "confirmed", "points": 100, "worth": null, "currency": "VND",
        "hold_until": null, "voucher": null, "redeemable_points": 262});
    assert_eq!((status, &answer), (201, &expected));
    assert_eq!((&shop.member()["redeemable_points"], &shop.member()["qualifying_points"]), (&json!(262), &json!(362)));

    let rows = shop.everything();
    for _ in 0..3 {
        assert_eq!(shop.redeem("k1", json!({"points": 100})).await, (200, expected.clone()));
    }
    let spaced = " { \"hold\" : false , \"points\" : 100 } ";
    let repeated = shop.post("/members/{id}/redemptions", spaced).key(" k1 ").base64().send().await;
    assert_eq!(repeated, (200, expected.clone()), "the same command, written otherwise");
    assert!(shop.everything() == rows, "a repetition writes nothing");

    // Whatever happens meanwhile, a repetition is told what the first one was.
    assert_eq!(shop.redeem("k2", json!({"points": 62})).await.1["redeemable_points"], 200);
    assert_eq!(shop.redeem("k1", json!({"points": 100})).await, (200, expected));
    for other in [json!({"points": 101}), json!({"points": 100, "hold": true}), json!({"reward": "voucher-10"})] {
        let other = shop.post("/members/{id}/redemptions", other).key("k1");
        shop.refused(other, 409, "key-used-otherwise").await;
    }
}

#[tokio::test]
async fn a_refusal_says_what_to_do_and_leaves_nothing() {
    let shop = Shop::with_points(150).await;
    let redeem = |body: Value| shop.post("/members/{id}/redemptions", body).key("k");
    let detail = shop.refused(redeem(json!({"points": 151})), 409, "not-enough-points").await;
    assert!(detail.contains("150 points are available and 151"), "{detail}");
    for (body, slug) in [
        (json!({}), "nothing-to-spend"),
        (json!({"points": 0}), "nothing-to-spend"),
        (json!({"points": -5}), "nothing-to-spend"),
        (json!({"points": 10, "reward": "gold-bar"}), "unknown-reward"),
        (json!({"points": 99, "reward": "voucher-10"}), "not-a-step"),
        (json!({"points": 110, "reward": "discount", "order_amount": "500000"}), "not-a-step"),
        (json!({"points": 550, "reward": "discount", "order_amount": "500000"}), "not-a-step"),
        (json!({"points": 100, "reward": "discount"}), "order-too-small"),
        (json!({"points": 100, "reward": "discount", "order_amount": "29999"}), "order-too-small"),
        (json!({"points": 500, "reward": "discount", "order_amount": "30000"}), "over-cap"),
    ] {
        shop.refused(redeem(body), 422, slug).await;
    }
    for body in
        ["", "{", "[]", r#"{"points":"1"}"#, r#"{"points":1,"pionts":2}"#, r#"{"points":1,"order_amount":"1.5"}"#]
    {
        shop.refused(shop.post("/members/{id}/redemptions", body).key("k"), 400, "unreadable").await;
    }
    let detail = shop.refused(redeem(json!({"points": 1, "note": "x"})), 400, "unreadable").await;
    assert!(detail.contains("points, reward, order_amount and hold"), "{detail}");
    let large = json!({"points": 1, "reward": "x".repeat(64 * 1024)});
    shop.refused(redeem(large.clone()), 413, "too-large").await;
    shop.refused(redeem(large).base64(), 413, "too-large").await;
    for key in ["", "  ", &"k".repeat(201)] {
        shop.refused(redeem(json!({"points": 1})).key(key), 400, "bad-idempotency-key").await;
    }
    let no_key = shop.post("/members/{id}/redemptions", json!({"points": 1}));
    shop.refused(no_key, 400, "bad-idempotency-key").await;
    for path in ["/members/m_nobody/redemptions", "/members/{id}x/redemptions"] {
        let nobody = shop.post(path, json!({"points": 1})).key("k");
        shop.refused(nobody, 404, "unknown-member").await;
    }
    shop.refused(shop.post("/members/{id}/gifts", "").key("k"), 404, "unknown-address").await;
    let long = format!("/members/{}/redemptions", "m".repeat(3000));
    shop.refused(shop.post(&long, "").key("k"), 404, "unknown-address").await;
    shop.refused(shop.delete("/members/{id}/redemptions"), 405, "method-not-allowed").await;
    // The key was refused with all of that, so it is still good.
    assert_eq!(shop.redeem("k", json!({"points": 150})).await.0, 201);
}

#[tokio::test(start_paused = true)]
async fn twenty_tills_at_once_never_spend_more_than_there_is() {
    for (balance, points) in [(362, 100), (100, 7), (99, 100), (1000, 50)] {
        let shop = Shop::with_points(balance).await;
        let tills = (0..20).map(|till| {
            let shop = shop.clone();
            tokio::spawn(async move {
                // A till that is told to try again does, with the same key.
                for _ in 0..50 {
                    let (status, answer) = shop.redeem(&format!("till-{till}"), json!({"points": points})).await;
                    if status != 503 {
                        return (status, answer);
                    }
                }
                panic!("till {till} never got an answer")
            })
        });
        let (mut spent, mut refused, mut left) = (0, 0, Vec::new());
        for till in tills.collect::<Vec<_>>() {
            match till.await.unwrap() {
                (200 | 201, answer) => {
                    spent += 1;
                    left.push(answer["redeemable_points"].as_i64().unwrap());
                }
                (409, _) => refused += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((spent, spent + refused), ((balance / points).min(20), 20), "{balance} by {points}");
        left.sort_unstable();
        let expected: Vec<i64> = (1..=spent).rev().map(|times| balance - times * points).collect();
        assert_eq!(left, expected, "each was told the balance it left");
        assert_eq!(shop.member()["redeemable_points"], balance - spent * points);
    }
}

#[tokio::test]
async fn a_discount_says_what_it_takes_off() {
    let shop = Shop::with_points(362).await;
    let body = json!({"reward": "discount", "points": 150, "order_amount": "500000"});
    let (status, answer) = shop.redeem("k", body).await;
    assert_eq!((status, &answer["worth"], &answer["redeemable_points"]), (201, &json!("15000"), &json!(212)));
}

#[tokio::test]
async fn a_hold_is_confirmed_once_and_then_final() {
    let shop = Shop::with_points(362).await;
    let (status, held) = shop.redeem("k", json!({"points": 100, "hold": true})).await;
    assert_eq!((status, &held["state"]), (201, &json!("held")));
    assert_eq!(held["hold_until"], "2026-11-23T08:45:07+07:00");
    assert_eq!(held["redeemable_points"], 262, "what is held cannot be spent again");
    assert_eq!(shop.redeem("k", json!({"points": 100, "hold": true})).await, (200, held.clone()));
    let confirm = format!("/members/{{id}}/redemptions/{}/confirm", held["redemption_id"].as_str().unwrap());
    shop.at("2026-11-23T01:45:06Z");
    let (status, confirmed) = shop.post(&confirm, "").send().await;
    assert_eq!((status, &confirmed["state"]), (200, &json!("confirmed")));
    let rows = shop.everything();
    shop.at("2026-11-24T00:00:00Z");
    assert_eq!(shop.post(&confirm, "").send().await.0, 200, "again, even later");
    assert!(shop.everything() == rows);
    assert_eq!(shop.member()["redeemable_points"], 262);
    let unknown = shop.post("/members/{id}/redemptions/r_unknown/confirm", "");
    shop.refused(unknown, 404, "unknown-redemption").await;
}

#[tokio::test]
async fn a_hold_that_is_not_confirmed_lapses_by_itself() {
    let shop = Shop::with_points(362).await;
    let (_, held) = shop.redeem("k", json!({"points": 300, "hold": true})).await;
    let id = held["redemption_id"].as_str().unwrap().to_owned();
    let second = shop.post("/members/{id}/redemptions", json!({"points": 100})).key("k2");
    shop.refused(second, 409, "not-enough-points").await;
    shop.at("2026-11-23T01:45:07Z");
    let late = shop.post(&format!("/members/{{id}}/redemptions/{id}/confirm"), "");
    shop.refused(late, 409, "redemption-over").await;
    let (status, over) = shop.redeem("k", json!({"points": 300, "hold": true})).await;
    assert_eq!((status, &over["state"], &over["redeemable_points"]), (200, &json!("undone"), &json!(362)));
    let (status, released) = shop.delete(&format!("/members/{{id}}/redemptions/{id}")).send().await;
    assert_eq!((status, &released["state"], &released["redeemable_points"]), (200, &json!("undone"), &json!(362)));
    let (status, answer) = shop.redeem("k2", json!({"points": 100})).await;
    assert_eq!((status, &answer["redeemable_points"]), (201, &json!(262)), "the points were back");
}

#[tokio::test]
async fn what_is_undone_returns_to_its_lots_once() {
    let shop = Shop::with_points(100).await;
    shop.at("2027-01-10T03:00:00Z");
    shop.order("2", 100, "2027-01-10T03:00:00Z").await;
    let lots = shop.member()["lots"].clone();
    assert_eq!(lots.as_object().unwrap().len(), 2, "{lots}");
    for hold in [false, true] {
        let (_, spent) = shop.redeem(&format!("k{hold}"), json!({"points": 150, "hold": hold})).await;
        let path = format!("/members/{{id}}/redemptions/{}", spent["redemption_id"].as_str().unwrap());
        assert_eq!(shop.member()["lots"].as_object().unwrap().len(), 1, "the older lot is used up first (X40)");
        let (status, undone) = shop.delete(&path).send().await;
        assert_eq!((status, &undone["state"], &undone["redeemable_points"]), (200, &json!("undone"), &json!(200)));
        assert_eq!(shop.member()["lots"], lots);
        let rows = shop.everything();
        assert_eq!(shop.delete(&path).send().await, (200, undone.clone()));
        assert!(shop.everything() == rows);
        let over = shop.post(&format!("{path}/confirm"), "");
        shop.refused(over, 409, "redemption-over").await;
    }
    shop.refused(shop.delete("/members/{id}/redemptions/r_unknown"), 404, "unknown-redemption").await;
}

#[tokio::test]
async fn nobody_touches_the_redemption_of_another_member() {
    let shop = Shop::with_points(362).await;
    let (_, spent) = shop.redeem("k", json!({"points": 100, "hold": true})).await;
    let (status, other) = shop.event("customer.registered", json!({"customer": {"phone": "0912345678"}})).await;
    assert_eq!(status, 201, "{other}");
    let other = other["member_id"].as_str().unwrap();
    let path = format!("/members/{other}/redemptions/{}", spent["redemption_id"].as_str().unwrap());
    shop.refused(shop.delete(&path), 404, "unknown-redemption").await;
    shop.refused(shop.post(&format!("{path}/confirm"), ""), 404, "unknown-redemption").await;
    // The same key of another member is another command.
    let theirs = shop.post(&format!("/members/{other}/redemptions"), json!({"points": 1})).key("k");
    shop.refused(theirs, 409, "not-enough-points").await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_to_be_done_is_done_once() {
    let shop = Shop::with_points(362).await;
    shop.engine.inject(|call| if call.operation == "TransactWriteItems" { Fault::ResponseLost } else { Fault::None });
    let (status, problem) = shop.redeem("k", json!({"points": 100})).await;
    assert_eq!((status, problem["type"].as_str().unwrap()), (503, "urn:loyalty:problem:not-available"));
    shop.engine.heal();
    let (status, answer) = shop.redeem("k", json!({"points": 100})).await;
    assert_eq!((status, &answer["redeemable_points"]), (200, &json!(262)));
    assert_eq!(shop.member()["redeemable_points"], 262);
}
