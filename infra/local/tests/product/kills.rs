//! Functions die at any moment, and the books are right all the same (F13).
//!
//! Processes are killed with SIGKILL while a shop's story is being posted, again and again. Whatever was refused is
//! posted again, as shops do; then every table is audited and held against what the purchases must come to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::ProgressBar;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use thang_hang::cli::serve::workspace;
use thang_hang::demo::{BEGINS, purchases, shop::Shop, story, summary};
use thang_hang::processes::children;
use thang_hang::stack::Drained;
use thang_hang::tables::{TablesArgs, client};
use thang_hang::{Options, Stack, verify};

/// Kills in one run; more on demand: `LOYALTY_KILLS=1000`.
const KILLS: usize = 50;
const CUSTOMERS: usize = 60;
const SEED: u64 = 13;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_killed_at_any_moment_lose_nothing_and_credit_nothing_twice() {
    let _turn = crate::TURN.lock().await;
    let kills = std::env::var("LOYALTY_KILLS").ok().map_or(KILLS, |text| text.parse().expect("a number of kills"));
    let begins: chrono::DateTime<chrono::Utc> = BEGINS.parse().expect("an instant");
    let options = Options {
        clock_ms: Some(begins.timestamp_millis()),
        settle_seconds: Some(0),
        environment: crate::quiet(),
        ..Options::ephemeral(&workspace())
    };
    let stack = Stack::start(options).await.unwrap_or_else(|error| panic!("{}", error.report()));
    let running = stack.running();
    let secret = running.secrets.get("WEBHOOK_SECRET_STANDARD").expect("a secret");
    let shop = Shop::open(&running.url(), secret).await.expect("the stack answers");
    let story = story::tell(&purchases::of_first(CUSTOMERS).expect("purchases"), SEED, 0);

    let enough = Arc::new(AtomicBool::new(false));
    let killer = tokio::spawn(kill(kills, Arc::clone(&enough)));
    let mut rounds = 0;
    // The same story again and again: whatever was refused comes again, and so does everything else.
    while rounds == 0 || !enough.load(Ordering::Relaxed) {
        let _refused = shop.post(&story.deliveries, &ProgressBar::hidden()).await;
        rounds += 1;
    }
    killer.await.expect("the killer is done");
    shop.post(&story.deliveries, &ProgressBar::hidden()).await.expect("nobody is killed any more");

    assert_eq!(running.drain(Duration::from_secs(120)).await.expect("drained"), Drained::Empty);
    while !running.dead_letters().await.expect("listed").is_empty() {
        running.replay(None).await.expect("replayed");
        assert_eq!(running.drain(Duration::from_secs(120)).await.expect("drained"), Drained::Empty);
    }
    let tables = TablesArgs {
        endpoint_url: running.dynamodb_url(),
        region: None,
        table_prefix: running.options.table_prefix.clone(),
    };
    let client = client(&tables).await;
    let report = verify::prove(&client, &tables).await.expect("read");
    assert!(report.clean(), "after {rounds} rounds: {:#?}", report.findings);
    assert_eq!(report.counts.orders, story.orders as u64);
    let sheets = summary::read(&client, &tables).await.expect("read");
    assert_eq!(sheets.points_of_orders(), story.points_in_the_end());
    stack.stop().await;
}

/// Kills a function's process at random moments.
async fn kill(kills: usize, enough: Arc<AtomicBool>) {
    let mut chance = ChaCha8Rng::seed_from_u64(SEED);
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(chance.random_range(5..150))).await;
        let functions = children(&["webhook", "order-changed", "ledger-stream"]);
        if !functions.is_empty() {
            let pid = functions[chance.random_range(0..functions.len())].pid.to_string();
            let killed = std::process::Command::new("kill").args(["-9", &pid]).status();
            assert!(killed.is_ok(), "kill can be run");
        }
    }
    enough.store(true, Ordering::Relaxed);
}
