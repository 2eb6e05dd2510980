//! Many messages, no faster than the provider takes them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use loyalty_messaging::Template;
use send_messages::{Job, Pace, TokenKeeper, ZaloSender};
use serde_json::Value;

use crate::provider::refresh_token;
use crate::support::{Shop, message, programme};

/// All are sent, each once; the provider allows `calls` within `within`, and the pace is set for it.
async fn all_arrive(messages: usize, calls: usize, within: Duration) {
    let shop = Shop::with(&programme("[messages.channels]\ncare = [\"zalo_phone\"]\n")).await;
    let member = shop.member(crate::support::PHONE).await;
    let mut ids = Vec::new();
    for chunk in (0..messages).collect::<Vec<_>>().chunks(100) {
        let put: Vec<_> = chunk
            .iter()
            .map(|about| message(&member, Template::OrderPointsCredited, &about.to_string(), shop.now()))
            .collect();
        shop.outbox().put(&put).await.unwrap();
        ids.extend(put.into_iter().map(|message| message.message_id));
    }
    shop.provider.world().rate = Some((calls, within));
    // A little below what is allowed, as the template's figure is.
    let per_minute = u32::try_from(calls as u128 * 60_000 / within.as_millis() * 9 / 10).unwrap();
    let zalo = shop.provider.zalo();
    let tokens = TokenKeeper::new(shop.books().clone(), zalo.clone(), shop.sender.clock.clone(), refresh_token(0));
    let mut paced = shop.clone();
    paced.sender.zalo = Some(Arc::new(ZaloSender::new(zalo, tokens, Pace::per_minute(per_minute))));
    let began = Instant::now();
    for batch in ids.chunks(25) {
        let batch: Vec<_> = batch.iter().map(String::as_str).collect();
        assert_eq!(paced.stream(&batch).await, Vec::<Value>::new());
    }
    paced.work_off().await;
    let took = began.elapsed();
    let world = paced.provider.world();
    println!("{messages} messages in {took:?}, {} refused for the rate", world.limited);
    assert_eq!(world.taken.len(), messages);
    let distinct: std::collections::HashSet<_> = world.taken.iter().map(|(_, body)| &body["tracking_id"]).collect();
    assert_eq!(distinct.len(), messages);
    // At the edge of two windows a few may fall into the second one's share.
    assert!(world.limited * 50 <= messages, "{} of {messages} were too fast", world.limited);
    drop(world);
    assert!(paced.engine.rows("messages").iter().all(|row| row["state"] == "sent"));
}

#[tokio::test]
async fn five_hundred_keep_to_the_rate() {
    all_arrive(500, 100, Duration::from_millis(250)).await;
}

#[tokio::test]
async fn ten_thousand_keep_to_the_rate() {
    all_arrive(10_000, 400, Duration::from_secs(1)).await;
}

/// The function's time is over long before the provider's pause: a message that was claimed would be lost to doubt.
#[tokio::test]
async fn nothing_is_claimed_while_the_provider_wants_quiet() {
    let shop = Shop::new().await;
    let member = shop.member(crate::support::PHONE).await;
    let pace = &shop.sender.zalo.as_ref().unwrap().pace;
    pace.quiet(Duration::from_secs(300)).await;
    let began = Instant::now();
    let row = shop.sends(&member, Template::OrderPointsCredited, "1").await;
    assert!(began.elapsed() < Duration::from_secs(60), "it does not wait");
    assert_eq!((&row["state"], &row["claimed_at"]), (&Value::from("pending"), &Value::Null));
    let queued = shop.queued();
    assert!(matches!(queued[..], [(295..=301, Job::Message { .. })]), "{queued:?}");
}
