//! What the door makes of those who mean harm, of mistakes in setting it up, and of shops that punish an answer.

use loyalty_contract::queue::{QueueMessage, Source};
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// What KiotViet never forgives.
const KIOTVIET_GIVES_UP_AT: [u16; 5] = [400, 401, 403, 404, 405];

fn unbelieved(source: Source) -> u16 {
    if source == Source::KiotViet { 503 } else { 401 }
}

#[test]
fn what_is_not_signed_leaves_nothing_behind() {
    for source in Source::ALL {
        let text = body(source).to_string();
        let signed = Post::signed(source, &text);
        let forged = Post { body: text.replace("530000", "999000").into_bytes(), ..signed.clone() };
        let is_token = matches!(source, Source::Pancake | Source::Nhanh);
        if !is_token {
            assert_ne!(forged.body, signed.body, "{source}");
            assert_refused(&forged.to(&door()), unbelieved(source));
        }
        assert_refused(&Post::unsigned(source, &text).to(&door()), unbelieved(source));
        let other = match source {
            Source::Standard => "whsec_YW5vdGhlci1sb3lhbHR5LXRlc3Qtc2VjcmV0LTAwMDI=",
            _ => "somebody else's secret",
        };
        assert_refused(&Post::signed_with(source, other, &text).to(&door()), unbelieved(source));
        // Not even a body that no parser would get through is looked at before it is believed.
        assert_refused(&Post::unsigned(source, "[".repeat(100_000)).to(&door()), unbelieved(source));
    }
}

#[test]
fn the_digest_in_hexadecimal_is_not_base64() {
    let text = body(Source::Shopify).to_string();
    let hexadecimal = sign_kiotviet(secret(Source::Shopify).as_bytes(), text.as_bytes()).replace("sha1=", "");
    let post = Post::unsigned(Source::Shopify, &text).header("x-shopify-hmac-sha256", &hexadecimal);
    assert_refused(&post.to(&door()), 401);
    // And another shop's scheme does not open this shop's door.
    let post = Post::unsigned(Source::Shopify, &text)
        .header("x-haravan-hmacsha256", &sign_base64(secret(Source::Shopify).as_bytes(), text.as_bytes()));
    assert_refused(&post.to(&door()), 401);
}

#[test]
fn a_standard_delivery_is_good_for_five_minutes_of_the_gateways_time() {
    let post = Post::signed(Source::Standard, body(Source::Standard).to_string());
    for (shift_s, status) in [(0, 202), (300, 202), (-300, 202), (301, 401), (-301, 401), (86_400, 401)] {
        let later = Post { now_ms: NOW_MS + shift_s * 1000, ..post.clone() };
        assert_eq!(later.status(&door()), status, "{shift_s}");
    }
    let moved = post.clone().header("webhook-timestamp", &(NOW_MS / 1000 + 1).to_string());
    assert_refused(&moved.to(&door()), 401);
    for header in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        assert_refused(&post.clone().without(header).to(&door()), 401);
    }
}

#[test]
fn size_is_checked_before_anything_else() {
    for source in Source::ALL {
        for bytes in [256 * 1024 + 1, 10 * 1024 * 1024] {
            let post = Post::signed(source, "x".repeat(bytes));
            assert_refused(&post.to(&door()), 413);
            assert_refused(&door().receive(&Request::of(&post.event("POST", true, &json!({})))), 413);
        }
    }
    let full = format!("{}{}", body(Source::Shopify), " ".repeat(256 * 1024));
    let full = Post::signed(Source::Shopify, &full.as_bytes()[..256 * 1024]);
    assert_eq!(orders(&full.to(&door())).len(), 1);
    assert_eq!(orders(&door().receive(&Request::of(&full.event("POST", true, &json!({}))))).len(), 1);
}

#[test]
fn what_cannot_be_read_is_said_so_or_put_aside() {
    let deep = "[".repeat(1000);
    let bad: [&[u8]; 6] =
        [b"", b"not JSON", b"\xff\xfe{}", b"[]", deep.as_bytes(), br#"{"Notifications":7,"event":7,"status":1}"#];
    for source in Source::ALL {
        for text in bad {
            let verdict = Post::signed(source, text).to(&door());
            if !matches!(source, Source::KiotViet | Source::Nhanh) {
                assert_refused(&verdict, 400);
                continue;
            }
            if source == Source::Nhanh && answer(&verdict).body.contains("not an order") {
                continue;
            }
            let Verdict::Queue { orders, quarantined, then, .. } = &verdict else { panic!("{source} {verdict:?}") };
            assert_eq!((orders.len(), then.status), (0, 200), "{source}");
            let [QueueMessage::Quarantined(aside)] = &quarantined[..] else { panic!("{source} {verdict:?}") };
            let kept =
                if aside.base64 { STANDARD.decode(&aside.body).unwrap() } else { aside.body.clone().into_bytes() };
            assert_eq!(kept, text, "{source}");
        }
    }
}

#[test]
fn the_generic_door_names_what_is_wrong() {
    let refused = |path: &str, value: Value, status: u16, says: &str| {
        let mut order = body(Source::Standard);
        *order.pointer_mut(path).expect(path) = value;
        let verdict = Post::signed(Source::Standard, order.to_string()).to(&door());
        assert_refused(&verdict, status);
        assert!(answer(&verdict).body.contains(says), "{says}: {}", answer(&verdict).body);
    };
    refused("/data/status", json!("done"), 400, "pending, confirmed, shipping, delivered, cancelled, returned");
    refused("/data/payment_status", json!("done"), 400, "partially_refunded");
    refused("/data/currency", json!("EUR"), 400, "VND");
    refused("/data/amount_due", json!("-530000"), 400, "amount_due is negative");
    refused("/data/amount_due", json!("1000000000000000000"), 400, "amount_due");
    refused("/data/placed_at", json!("2026-11-23T08:00:00"), 400, "offset from UTC");
    refused("/type", json!("order.updated"), 422, "order.changed, behaviour, topup");
}

#[test]
fn other_currencies_of_shops_are_queued_as_they_are() {
    let mut order = body(Source::Shopify);
    order["currency"] = json!("EUR");
    order["total_price"] = json!("238.47");
    let verdict = Post::signed(Source::Shopify, order.to_string()).to(&door());
    assert_eq!((orders(&verdict)[0].due_minor, orders(&verdict)[0].currency.code()), (23_847, "EUR"));
}

#[test]
fn sources_that_are_unknown_or_not_set_up() {
    let door = door_with(
        &[
            ("WEBHOOK_SECRET_SHOPIFY", ""),
            ("WEBHOOK_SECRET_KIOTVIET", " "),
            ("WEBHOOK_SECRET_STANDARD", "whsec_c2hvcnQ="),
            ("WEBHOOK_SECRET_HARAVAN", "a b c"),
        ],
        PROGRAMME,
    );
    for (source, status) in
        [(Source::Shopify, 404), (Source::KiotViet, 503), (Source::Standard, 503), (Source::Haravan, 503)]
    {
        assert_refused(&Post::signed(source, body(source).to_string()).to(&door), status);
    }
    // One bad secret does not close the other doors.
    assert_eq!(orders(&Post::signed(Source::Sapo, body(Source::Sapo).to_string()).to(&door)).len(), 1);
    for name in ["tiktok", "", "Shopify", "../shopify"] {
        let post = Post { source: name.into(), ..Post::signed(Source::Shopify, "{}") };
        assert_refused(&post.to(&door), 404);
    }
}

#[test]
fn deliveries_come_by_post() {
    for method in ["GET", "PUT", "DELETE", "HEAD"] {
        for source in Source::ALL {
            let event = Post::signed(source, body(source).to_string()).event(method, false, &json!({}));
            let verdict = door().receive(&Request::of(&event));
            let expected = match (source, method) {
                (Source::KiotViet, _) => 200,
                (Source::Haravan, "GET") => 400,
                _ => 405,
            };
            assert_eq!((answer(&verdict).status, orders(&verdict).len()), (expected, 0), "{method} {source}");
        }
    }
}

#[test]
fn what_the_function_needs_is_named_when_it_is_missing() {
    for name in ["ORDER_QUEUE_URL", "ORDER_DEAD_LETTER_QUEUE_URL", "EVENT_QUEUE_URL", "PROGRAMME_FILE"] {
        let mut variables = environment();
        variables.remove(name);
        assert!(read(&variables).err().expect("refused").to_string().contains(name));
    }
}

/// A log may be read by people who may not see customers: it carries neither persons nor secrets.
#[test]
fn logs_carry_no_person_and_no_secret() {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    let everything = || {
        let door = door_with(&[("WEBHOOK_SECRET_HARAVAN", "canary-secret canary-secret canary-secret")], PROGRAMME);
        for source in Source::ALL {
            let text = body(source).to_string();
            for post in [
                Post::signed(source, &text),
                Post::unsigned(source, &text),
                Post::signed(source, text.replace("530000", "gọi 0901234567")),
                Post::signed(source, text.replace(':', "0901234567")),
                Post::signed_with(source, &secret(Source::Standard), &text),
            ] {
                let verdict = post.to(&door);
                tracing::debug!(?verdict);
            }
        }
        for kind in ["customer.changed", "customer.tier_changed", "topup", "behaviour"] {
            let data = json!({"customer": {"phone": "0901234567", "name": "Trần Thị Bình"}, "tier": "gọi 0901234567",
                "behaviour": "gọi 0901234567", "event_id": "1", "occurred_at": "2026-11-23T08:00:00+07:00"});
            let verdict = Post::signed(Source::Standard, json!({"type": kind, "data": data}).to_string()).to(&door);
            tracing::debug!(?verdict);
        }
        for post in super::zalo::about_a_person("24684588352919792", "0901234567", "Trần Thị Bình") {
            let verdict = post.to(&door);
            tracing::debug!(?verdict);
        }
    };
    tracing::subscriber::with_default(subscriber.finish(), || {
        everything();
        // A line that another test met at the same moment may have been taken for one that nobody listens to.
        tracing::callsite::rebuild_interest_cache();
        everything();
    });
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("a delivery was not believed") && log.contains("cannot be read"), "{log}");
    assert!(log.contains("an event is refused") && log.contains("EventBody"), "{log}");
    let lines = || log.lines().filter(|line| line.contains("a delivery was not believed"));
    assert!(lines().any(|line| line.contains("not-believed")), "a wrong signature rings: {log}");
    assert!(lines().any(|line| !line.contains("not-believed")), "none at all does not: {log}");
    for canary in ["901234567", "Bình", "24684588352919792", "canary-secret", "secret-of-", "bG95YWx0eS"] {
        assert!(!log.contains(canary), "{canary} in {log}");
    }
}

proptest! {
    #[test]
    fn nothing_breaks_a_door(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        text in ".{0,80}",
        method in prop::sample::select(vec!["GET", "POST", "PUT"]),
        believed in any::<bool>(),
        base64 in any::<bool>(),
        header in "[ -~]{0,60}",
    ) {
        let door = door();
        for source in Source::ALL {
            for body in [&bytes[..], text.as_bytes()] {
                let post = if believed { Post::signed(source, body) } else {
                    let mut post = Post::unsigned(source, body);
                    for name in ["webhook-id", "webhook-timestamp", "webhook-signature", "x-shopify-hmac-sha256",
                        "x-hub-signature", "x-wc-webhook-signature", "authorization", "x-shopify-topic"] {
                        post = post.header(name, &header);
                    }
                    post
                };
                let verdict = door.receive(&Request::of(&post.event(method, base64, &json!({"hub.mode": text}))));
                let queued = matches!(verdict, Verdict::Queue { .. });
                prop_assert!(believed || !queued, "an unsigned delivery was queued");
                let zalo = Post { source: "zalo".into(), ..post.clone() }.header("x-zevent-signature", &header);
                let as_zalo = door.receive(&Request::of(&zalo.event(method, base64, &json!({}))));
                prop_assert!(!matches!(as_zalo, Verdict::Queue { .. }), "nobody signed it as Zalo");
                if source == Source::KiotViet {
                    prop_assert!(!KIOTVIET_GIVES_UP_AT.contains(&answer(&verdict).status));
                }
            }
        }
    }
}
