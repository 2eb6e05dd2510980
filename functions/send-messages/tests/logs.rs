//! What the logs never say. Alone in its process: which lines are written is settled for all threads together.

#[expect(dead_code, reason = "one test needs a part of it")]
#[path = "sending/provider.rs"]
mod provider;
#[expect(dead_code, reason = "one test needs a part of it")]
#[path = "sending/support.rs"]
mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use loyalty_messaging::Template;
use loyalty_runtime::metrics::{self, Metric};
use loyalty_store::engine::Fault;
use loyalty_zalo::CODES;

use provider::Act;
use support::{NAME, PHONE, SHOP_SECRET, Shop, USER};

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

/// At the finest level that an operator can choose.
#[tokio::test]
async fn logs_name_nobody_and_hold_no_token() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let shop = Shop::new().await;
    let member = shop.member(PHONE).await;
    shop.follower(&member).await;
    for (at, (code, _)) in CODES.into_iter().enumerate() {
        shop.provider.script([Act::Code(code)]);
        shop.sends(&member, Template::TierKept, &format!("{at}")).await;
        shop.pass(3601);
        shop.work_off().await;
    }
    shop.provider.script([Act::TakeAndDrop, Act::Status(503)]);
    shop.sends(&member, Template::OrderPointsCredited, "a").await;
    shop.sends(&member, Template::WelcomePointsCredited, "b").await;
    shop.work_off().await;
    shop.pass(26 * 3600);
    shop.provider.world().drop_refreshes = 1;
    shop.sends(&member, Template::OrderPointsCredited, "c").await;
    shop.work_off().await;
    // Of a voucher that there is not.
    shop.sends(&member, Template::VoucherReminder, "e").await;
    let id = shop.message(&member, Template::OrderPointsCredited, "d").await;
    shop.engine.inject(|_| Fault::RequestLost);
    shop.stream(&[&id]).await;

    // Every message that ended is counted once, under what became of it.
    let (counted, rows) = (metrics::take(), shop.engine.rows("messages"));
    for (metric, state) in [
        (Metric::MessagesSent, "sent"),
        (Metric::MessagesFailed, "failed"),
        (Metric::MessagesSkipped, "skipped"),
        (Metric::MessagesUnknown, "unknown"),
    ] {
        let ended = rows.iter().filter(|row| row["state"] == state).count();
        assert_eq!(counted.of(metric), i64::try_from(ended).unwrap(), "{state}");
    }
    assert!(counted.of(Metric::MessagesSent) > 0 && counted.of(Metric::MessagesSkipped) > 0, "{counted:?}");

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for said in ["message", "the token is refreshed", "a message is not done", "is paused", "has stopped", "DEBUG"] {
        assert!(log.contains(said), "the logs do not say “{said}”, so the search proves nothing: {log}");
    }
    for canary in ["901234567", NAME, "Hoàng", USER, "canary", "CANARY", &SHOP_SECRET[6..]] {
        let at = log.find(canary);
        assert!(at.is_none(), "{canary} in {}", &log[at.unwrap_or(0).saturating_sub(200)..][..400]);
    }
}
