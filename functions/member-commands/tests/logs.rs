//! What the logs never say. Alone in its process: which lines are written is settled for all threads together.

#[expect(dead_code, reason = "one test needs a part of it")]
#[path = "commands/support.rs"]
mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use loyalty_store::engine::Fault;
use serde_json::json;

use support::{NAME, NOW, SECRET, Shop};

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

fn zalo(event: serde_json::Value) -> String {
    json!({"type": "zalo.event", "data": event}).to_string()
}

/// At the finest level that an operator can choose.
#[tokio::test(start_paused = true)]
async fn logs_name_nobody_and_hold_no_code_and_no_key() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let shop = Shop::with_points(362).await;
    let (_, bought) = shop.redeem("canary-key", json!({"reward": "voucher-10"})).await;
    let code = bought["voucher"]["code"].as_str().unwrap().to_owned();
    shop.redeem("canary-key", json!({"points": 1})).await;
    shop.adjust("canary-key", json!({"redeemable": 1, "reason": "chim-hoàng-yến", "operator": "Chị Yến"})).await;
    let data = json!({"event_id": "canary-event", "behaviour": "review", "customer": {"phone": "0901234567", "name": NAME},
        "occurred_at": "2026-11-23T08:00:00+07:00"});
    shop.event("behaviour", data.clone()).await;
    shop.post("/events", json!({"type": "behaviour", "data": data})).send().await;
    let tier = json!({"customer": {"phone": "0901234567", "name": NAME}, "tier": "canary-tier"});
    for body in [
        json!({"type": "behaviour", "data": data}).to_string(),
        json!({"type": "behaviour", "data": data}).to_string().replace("canary-event", "canary-other"),
        json!({"type": "customer.changed", "data": {"phone": "0901234567", "name": NAME}}).to_string(),
        json!({"type": "customer.tier_changed", "data": tier}).to_string(),
        format!("canary {NAME} 0901234567"),
        json!({"type": "canary", "data": NAME}).to_string(),
        zalo(json!({"event": "follow", "user_id": "24684588352919792", "follows": true, "at": NOW})),
        zalo(json!({"event": "submitted", "user_id": "24684588352919792", "phone": "84901234567", "at": NOW})),
        zalo(json!({"event": "received", "keys": ["canary-receipt"], "at": NOW})),
        json!({"type": "zalo.unread", "data": {"body": format!("{NAME} 0901234567")}}).to_string(),
    ] {
        let sent = json!({"SentTimestamp": shop.now().timestamp_millis().to_string()});
        shop.commands.invoke(json!({"Records": [{"messageId": "m", "body": body, "attributes": sent}]})).await.unwrap();
    }
    shop.post(&format!("/vouchers/{code}/use"), json!({"order_amount": "500000"})).send().await;
    shop.post(&format!("/vouchers/{code}/use"), json!({"order_amount": "500000"})).send().await;
    shop.post("/vouchers/CANARYCODE12/use", "").send().await;
    shop.engine.inject(|_| Fault::RequestLost);
    shop.redeem("canary-key-2", json!({"points": 1})).await;
    shop.post(&format!("/vouchers/{code}/use"), json!({"order_amount": "500000"})).send().await;

    let shop = Shop::with_tokens(10).await;
    let body = json!({"redeemable": 1, "reason": "chim-hoàng-yến", "operator": "Chị Yến"});
    let claims = json!({"sub": "canary-subject", "cognito:groups": "[operator]"});
    let adjusted = shop.post("/members/{id}/adjustments", body).key("canary-key-3").token(claims).send().await;
    assert_eq!(adjusted.0, 201, "{adjusted:?}");

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for said in [
        "a command is not carried out",
        "a signed command was not believed",
        "an event is done",
        "an event is refused",
        "an event is not done",
        "an event of the official account is kept",
        "the event of the official account cannot be read",
        "use_voucher",
        "DEBUG",
    ] {
        assert!(log.contains(said), "the logs do not say “{said}”, so the search proves nothing: {log}");
    }
    for canary in ["901234567", "24684588352919792", NAME, "canary", "CANARY", &code, "Yến", "hoàng", &SECRET[6..]] {
        assert!(!log.contains(canary), "{canary} in {log}");
    }
}
