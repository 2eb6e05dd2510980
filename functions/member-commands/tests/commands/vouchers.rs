//! Vouchers bought with points, used once, withdrawn with their redemption.

use std::sync::Arc;

use loyalty_store::engine::Fault;
use serde_json::{Value, json};

use crate::support::Shop;

async fn bought(key: &str) -> (Arc<Shop>, String, String) {
    let shop = Shop::with_points(362).await;
    let (status, answer) = shop.redeem(key, json!({"reward": "voucher-10"})).await;
    assert_eq!((status, &answer["points"], &answer["redeemable_points"]), (201, &json!(100), &json!(262)), "{answer}");
    assert_eq!(shop.redeem(key, json!({"reward": "voucher-10"})).await, (200, answer.clone()), "with its voucher");
    let code = answer["voucher"]["code"].as_str().unwrap().to_owned();
    let row = &shop.engine.rows("vouchers")[0];
    assert_eq!((&row["code"], &row["voucher_id"]), (&json!(code), &answer["voucher"]["voucher_id"]));
    (shop, code, answer["redemption_id"].as_str().unwrap().to_owned())
}

/// What an order above the voucher's smallest is worth.
fn worth() -> Value {
    json!({"order_amount": "500000"})
}

#[tokio::test]
async fn a_voucher_is_used_once() {
    let (shop, code, _) = bought("k").await;
    let path = format!("/vouchers/{code}/use");
    let small = shop.post(&path, json!({"order_amount": "199999"}));
    let detail = shop.refused(small, 422, "order-too-small").await;
    assert!(detail.contains("200000 VND"), "{detail}");
    for unsaid in ["", "{}", r#"{"order_id":"DH-7"}"#] {
        let detail = shop.refused(shop.post(&path, unsaid), 422, "order-amount-missing").await;
        assert!(detail.contains("200000 VND") && detail.contains("order_amount"), "{detail}");
    }
    assert_eq!(shop.engine.rows("vouchers")[0]["state"], "issued");
    shop.refused(shop.post(&path, json!({"amount": 1})), 400, "unreadable").await;

    let typed = format!("/vouchers/{}-{}/use", &code[..6].to_lowercase(), &code[6..]);
    let (status, used) = shop.post(&typed, json!({"order_amount": "500000", "order_id": "DH-7"})).send().await;
    assert_eq!(status, 200, "{used}");
    assert_eq!(
        used,
        json!({"code": code, "name": "Giảm 10%", "worth": {"kind": "percent", "percent": 10, "up_to": "100000"},
            "order_min": "200000", "currency": "VND", "state": "used", "valid_from": "2026-11-23",
            "valid_until": "2026-12-22", "issued_at": "2026-11-23T08:15:07+07:00",
            "used_at": "2026-11-23T08:15:07+07:00", "used_for": "standard:DH-7"})
    );
    // Who lost the answer reads that it was theirs.
    let again = shop.refused(shop.post(&path, json!({"order_id": "standard:DH-7"})), 409, "voucher-used").await;
    assert_eq!(again, "This voucher has been used already, at 2026-11-23T08:15:07+07:00, for the order standard:DH-7.");
    shop.refused(shop.post(&path, ""), 409, "voucher-used").await;
    shop.refused(shop.post(&path, json!({"order_id": "DH-8"})), 409, "voucher-used").await;
    for unknown in ["AAAABBBBCCCC", "%20", "ộ", "x"] {
        shop.refused(shop.post(&format!("/vouchers/{unknown}/use"), ""), 404, "unknown-voucher").await;
    }
}

/// The till knows the order, and the order does not name the code.
#[tokio::test]
async fn a_voucher_comes_back_with_the_order_it_was_used_for() {
    let (shop, code, _) = bought("k").await;
    let path = format!("/vouchers/{code}/use");
    assert_eq!(
        shop.post(&path, json!({"order_id": "DH-7", "order_amount": "500000"})).send().await.0,
        200,
        "before the order is reported"
    );
    shop.order("DH-7", 10, "2026-11-23T01:15:00Z").await;
    shop.refused(shop.post(&path, ""), 409, "voucher-used").await;
    shop.order_is("cancelled", "DH-7", 10, "2026-11-23T01:15:05Z").await;
    shop.refused(shop.post(&path, json!({"order_id": "DH-7"})), 409, "order-undone").await;
    let row = &shop.engine.rows("vouchers")[0];
    assert_eq!((&row["state"], &row["used_for"]), (&json!("issued"), &json!(null)));
    assert_eq!(
        shop.post(&path, json!({"order_id": "DH-8", "order_amount": "500000"})).send().await.0,
        200,
        "for another order"
    );
}

#[tokio::test]
async fn a_voucher_is_good_from_its_first_day_to_its_last() {
    let (shop, code, _) = bought("k").await;
    let path = format!("/vouchers/{code}/use");
    shop.at("2026-11-22T16:59:59Z");
    shop.refused(shop.post(&path, ""), 409, "voucher-not-yet").await;
    shop.at("2026-12-22T17:00:00Z");
    shop.refused(shop.post(&path, ""), 409, "voucher-expired").await;
    shop.at("2026-12-22T16:59:59Z");
    assert_eq!(shop.post(&path, worth()).send().await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn of_twenty_tills_at_once_one_uses_it() {
    let (shop, code, _) = bought("k").await;
    let tills: Vec<_> = (0..20)
        .map(|_| {
            let (shop, path) = (shop.clone(), format!("/vouchers/{code}/use"));
            tokio::spawn(async move {
                for _ in 0..50 {
                    let (status, _) = shop.post(&path, worth()).send().await;
                    if status != 503 {
                        return status;
                    }
                }
                panic!("no answer")
            })
        })
        .collect();
    let mut answers = Vec::new();
    for till in tills {
        answers.push(till.await.unwrap());
    }
    answers.sort_unstable();
    assert_eq!((answers[0], &answers[1..]), (200, &[409; 19][..]));
}

/// The answer to the till's write is lost on its way: the SDK's own retry meets what was written, and knows it.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_not_taken_for_another_tills_use() {
    let (shop, code, _) = bought("k").await;
    let mut lost = false;
    shop.engine.inject(move |call| {
        let first = call.operation == "PutItem" && !std::mem::replace(&mut lost, true);
        if first { Fault::ResponseLost } else { Fault::None }
    });
    assert_eq!(shop.post(&format!("/vouchers/{code}/use"), worth()).send().await.0, 200);
    shop.refused(shop.post(&format!("/vouchers/{code}/use"), ""), 409, "voucher-used").await;
}

#[tokio::test]
async fn a_held_voucher_is_given_when_it_is_confirmed() {
    let shop = Shop::with_points(362).await;
    let (_, held) = shop.redeem("k", json!({"reward": "voucher-10", "hold": true})).await;
    assert_eq!((&held["voucher"], shop.engine.rows("vouchers").len()), (&json!(null), 0));
    shop.at("2026-11-23T01:20:00Z");
    let path = format!("/members/{{id}}/redemptions/{}/confirm", held["redemption_id"].as_str().unwrap());
    let (_, confirmed) = shop.post(&path, "").send().await;
    let code = confirmed["voucher"]["code"].as_str().unwrap().to_owned();
    assert_eq!(shop.post(&path, "").send().await, (200, confirmed), "the same voucher again");
    assert_eq!(shop.post(&format!("/vouchers/{code}/use"), worth()).send().await.0, 200);
}

#[tokio::test]
async fn nobody_keeps_the_voucher_and_the_points() {
    let (shop, code, id) = bought("k").await;
    let undo = format!("/members/{{id}}/redemptions/{id}");
    let (status, undone) = shop.delete(&undo).send().await;
    assert_eq!((status, &undone["redeemable_points"], &undone["voucher"]), (200, &json!(362), &json!(null)));
    shop.refused(shop.post(&format!("/vouchers/{code}/use"), ""), 409, "voucher-voided").await;
    assert_eq!(shop.delete(&undo).send().await.0, 200);

    let (shop, code, id) = bought("k").await;
    assert_eq!(shop.post(&format!("/vouchers/{code}/use"), worth()).send().await.0, 200);
    shop.refused(shop.delete(&format!("/members/{{id}}/redemptions/{id}")), 409, "voucher-used").await;
}

/// The till uses the voucher while the points are given back: one of the two.
#[tokio::test(start_paused = true)]
async fn using_and_undoing_at_once_do_not_both_happen() {
    for seed in 0..20_u64 {
        let (shop, code, id) = bought("k").await;
        let mut step = seed;
        shop.engine.pace(move || {
            step = step.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            std::time::Duration::from_millis(step >> 60)
        });
        let (use_path, undo_path) = (format!("/vouchers/{code}/use"), format!("/members/{{id}}/redemptions/{id}"));
        let (used, undone) = tokio::join!(shop.post(&use_path, worth()).send(), shop.delete(&undo_path).send());
        let points = shop.member()["redeemable_points"].as_i64().unwrap();
        assert!(matches!((used.0, undone.0, points), (200, 409, 262) | (409, 200, 362)), "{seed}: {used:?} {undone:?}");
    }
}
