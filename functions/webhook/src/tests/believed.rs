//! What a shop's own delivery leads to, and how it proves that it is.

use loyalty_contract::queue::Source;
use loyalty_domain::order::{OrderStatus, PaymentStatus};
use serde_json::{Value, json};

use super::*;

#[test]
fn every_shops_delivery_becomes_the_same_order() {
    for source in Source::ALL {
        let verdict = Post::signed(source, body(source).to_string()).to(&door());
        assert_eq!(answer(&verdict).status, if source == Source::Standard { 202 } else { 200 }, "{source}");
        assert_eq!(answer(&verdict).body, r#"{"ignored":[],"queued":1,"set_aside":0}"#);
        let [order] = orders(&verdict)[..] else { panic!("{source}: {verdict:?}") };
        assert_eq!((order.status, order.payment_status), (OrderStatus::Delivered, PaymentStatus::Paid), "{source}");
        assert_eq!((order.due_minor, order.shipping_minor, order.refunded_minor), (530_000, 30_000, 0), "{source}");
        assert_eq!(order.customer.phone.as_ref().map(|p| p.digits()), Some("84901234567"), "{source}");
        let times = (order.placed_at.to_rfc3339(), order.updated_at.to_rfc3339());
        assert_eq!(times, ("2026-11-23T01:00:00+00:00".into(), "2026-11-23T01:15:00+00:00".into()), "{source}");
    }
}

#[test]
fn the_gateways_base64_is_undone_before_anything_is_checked() {
    for source in Source::ALL {
        let post = Post::signed(source, body(source).to_string());
        let event = post.event("POST", true, &json!({}));
        assert_eq!(orders(&door().receive(&Request::of(&event))).len(), 1, "{source}");
    }
    let mut event = Post::signed(Source::Shopify, "{}").event("POST", true, &json!({}));
    event.body = Some("not base64".into());
    assert_refused(&door().receive(&Request::of(&event)), 400);
}

#[test]
fn header_names_have_no_case() {
    for (source, name) in [
        (Source::Shopify, "x-shopify-hmac-sha256"),
        (Source::Haravan, "X-HARAVAN-HMACSHA256"),
        (Source::WooCommerce, "x-wc-webhook-signature"),
        (Source::Sapo, "x-sapo-hmac-sha256"),
        (Source::KiotViet, "x-hub-signature"),
    ] {
        let signed = Post::signed(source, body(source).to_string());
        let signature = signed.headers.values().next().expect("a signature").clone();
        let post = Post::unsigned(source, body(source).to_string()).header(name, &signature);
        assert_eq!(orders(&post.to(&door())).len(), 1, "{source}");
    }
}

#[test]
fn two_secrets_are_live_while_they_are_changed_over() {
    for source in Source::ALL {
        let next = match source {
            Source::Standard => "whsec_YW5vdGhlci1sb3lhbHR5LXRlc3Qtc2VjcmV0LTAwMDI=".to_owned(),
            _ => format!("next-secret-of-{source}"),
        };
        let variable = secret_variable(source);
        let both = door_with(&[(variable, &format!("{next} {}", secret(source)))], PROGRAMME);
        let new_only = door_with(&[(variable, &next)], PROGRAMME);
        let text = body(source).to_string();
        assert_eq!(orders(&Post::signed(source, &text).to(&both)).len(), 1, "{source}");
        assert_eq!(orders(&Post::signed_with(source, &next, &text).to(&both)).len(), 1, "{source}");
        assert_refused(&Post::signed(source, &text).to(&new_only), if source == Source::KiotViet { 503 } else { 401 });
    }
}

#[test]
fn a_secret_of_words_and_commas_is_woocommerces_own() {
    let odd = "k, [w}8 ~x,";
    let door = door_with(&[("WEBHOOK_SECRET_WOOCOMMERCE", odd)], PROGRAMME);
    let text = body(Source::WooCommerce).to_string();
    assert_eq!(orders(&Post::signed_with(Source::WooCommerce, odd, &text).to(&door)).len(), 1);
    assert_refused(&Post::signed_with(Source::WooCommerce, "k", &text).to(&door), 401);
}

#[test]
fn nhanh_may_send_its_token_in_the_body() {
    let mut call = body(Source::Nhanh);
    call["webhooksVerifyToken"] = json!(secret(Source::Nhanh));
    assert_eq!(orders(&Post::unsigned(Source::Nhanh, call.to_string()).to(&door())).len(), 1);
    call["webhooksVerifyToken"] = json!("another token");
    assert_refused(&Post::unsigned(Source::Nhanh, call.to_string()).to(&door()), 401);
    // Pancake's is a header only: its body is whatever a shop's customer may have typed.
    let mut order = body(Source::Pancake);
    order["webhooksVerifyToken"] = json!(secret(Source::Pancake));
    assert_refused(&Post::unsigned(Source::Pancake, order.to_string()).to(&door()), 401);
}

#[test]
fn woocommerces_ping_gets_exactly_200_and_does_nothing() {
    let ping = Post::unsigned(Source::WooCommerce, "webhook_id=123")
        .header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(ping.to(&door()), Verdict::Answer(crate::answer::nothing()));
    assert_eq!(ping.status(&door()), 200);
    assert_eq!(orders(&ping.to(&door())).len(), 0);
    assert_refused(&ping.clone().header("x-wc-webhook-signature", "AAAA").to(&door()), 401);
    assert_refused(&Post::unsigned(Source::WooCommerce, "webhook_id=1&x=2").to(&door()), 401);
    assert_refused(&Post::unsigned(Source::Shopify, "webhook_id=123").to(&door()), 401);
}

#[test]
fn hints_and_tests_are_acknowledged_without_effect() {
    let mut test = body(Source::Shopify);
    test["test"] = json!(true);
    for post in [
        Post::signed(Source::Shopify, test.to_string()),
        Post::signed(Source::Shopify, r#"{"id":1,"order_id":2}"#).header("x-shopify-topic", "refunds/create"),
        Post::signed(Source::KiotViet, r#"{"Id":"1","Notifications":[{"Action":"order.update.1","Data":[]}]}"#),
    ] {
        let verdict = post.to(&door());
        let Verdict::Answer(answer) = &verdict else { panic!("{verdict:?}") };
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains(r#""queued":0"#) && !answer.body.contains(r#""ignored":[]"#), "{}", answer.body);
    }
}

#[test]
fn a_test_notification_is_acknowledged_without_effect() {
    for (source, name) in
        [(Source::Shopify, "X-Shopify-Test"), (Source::Shopify, "shopify-test"), (Source::Sapo, "x-sapo-test")]
    {
        let marked = |mark: &str| Post::signed(source, body(source).to_string()).header(name, mark);
        let Verdict::Answer(answer) = marked("true").to(&door()) else { panic!("{source}: it was queued") };
        assert!(answer.status == 200 && answer.body.contains("a test notification"), "{}", answer.body);
        assert_eq!(orders(&marked("false").to(&door())).len(), 1);
        let accepts = format!("{PROGRAMME}\n[sources.{source}]\naccept_test_orders = true\n");
        assert_eq!(orders(&marked("true").to(&door_with(&[], &accepts))).len(), 1);
        let forged = Post::unsigned(source, body(source).to_string()).header(name, "true");
        assert_refused(&forged.to(&door()), 401);
    }
    let elsewhere = Post::signed(Source::Haravan, body(Source::Haravan).to_string()).header("x-shopify-test", "true");
    assert_eq!(orders(&elsewhere.to(&door())).len(), 1);
}

#[test]
fn a_deletion_is_queued_where_it_is_believed() {
    for (source, topic, body) in [
        (Source::WooCommerce, "x-wc-webhook-topic: order.deleted", r#"{"id":1}"#),
        (Source::Shopify, "x-shopify-topic: orders/delete", r#"{"id":1}"#),
        (Source::Haravan, "x-haravan-topic: orders/delete", r#"{"id":1}"#),
        (Source::Sapo, "x-sapo-topic: orders/delete", r#"{"id":1}"#),
        (Source::Nhanh, "x-none: ", r#"{"event":"orderDelete","data":[1]}"#),
    ] {
        let (name, value) = topic.split_once(": ").expect("a header");
        let verdict = Post::signed(source, body).header(name, value).to(&door());
        let Verdict::Queue { orders, then, .. } = &verdict else { panic!("{verdict:?}") };
        let deleted_at = chrono::DateTime::from_timestamp_millis(NOW_MS).expect("an instant");
        assert_eq!(orders[..], [QueueMessage::Deleted(Deletion { source, order_id: "1".into(), deleted_at })]);
        assert!(then.status == 200 && then.body.contains(r#""queued":1"#), "{}", then.body);
        assert_refused(&Post::unsigned(source, body).header(name, value).to(&door()), 401);
    }
}

fn challenge(query: Value, door: &Door) -> Answer {
    let event = Post::unsigned(Source::Haravan, "").event("GET", false, &query);
    answer(&door.receive(&Request::of(&event))).clone()
}

#[test]
fn haravans_challenge_is_echoed_to_whoever_knows_the_token() {
    let asked = |token: &str| json!({"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "<42>"});
    let echoed = challenge(asked("agreed-token"), &door());
    assert_eq!((echoed.status, echoed.body.as_str()), (200, "<42>"));
    assert_eq!(echoed.content_type, "text/plain; charset=utf-8");
    assert_eq!(challenge(asked("guessed"), &door()).status, 403);
    assert_eq!(challenge(json!({"hub.mode": "subscribe", "hub.challenge": "1"}), &door()).status, 403);
    assert_eq!(challenge(json!({"hub.mode": "unsubscribe", "hub.challenge": "1"}), &door()).status, 400);
    assert_eq!(challenge(json!({}), &door()).status, 400);
    let long = json!({"hub.mode": "subscribe", "hub.verify_token": "agreed-token", "hub.challenge": "x".repeat(257)});
    assert_eq!(challenge(long, &door()).status, 400);
    let unset = door_with(&[("WEBHOOK_VERIFY_TOKEN_HARAVAN", "")], PROGRAMME);
    assert_eq!(challenge(asked("agreed-token"), &unset).status, 404);
}

#[test]
fn the_programme_says_how_a_source_is_read() {
    let programme = format!("{PROGRAMME}\n[sources.shopify]\ndelivered_when = \"shipment_delivered\"\n");
    let mut order = body(Source::Shopify);
    order["fulfillments"] = json!([{"status": "success", "shipment_status": "in_transit"}]);
    let post = Post::signed(Source::Shopify, order.to_string());
    assert_eq!(orders(&post.to(&door()))[0].status, OrderStatus::Delivered);
    assert_eq!(orders(&post.to(&door_with(&[], &programme)))[0].status, OrderStatus::Shipping);
}
