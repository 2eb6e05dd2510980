//! `demo`: a year and a half of a real shop, through the webhook door, in about two minutes.
//!
//! Real purchases become signed webhooks, some late, twice, in the wrong order, cancelled or partly returned. They are
//! posted at full speed while the stack's clock runs through the time they happened in. In the end the books are shown,
//! proved, and held against plain arithmetic.

mod phone;
pub mod purchases;
pub mod shop;
pub mod story;
pub mod summary;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chrono::{DateTime, Days, NaiveDate, Utc};
use loyalty_metrics::METRICS_NAMESPACE;

use crate::cli::serve::workspace;
use crate::error::{Result, StackError};
use crate::progress;
use crate::secrets::Secrets;
use crate::stack::{Options, Stack, read_programme};
use crate::tables::{self, TablesArgs};
use crate::verify;
use shop::Shop;
use story::{Delivery, Story};

/// How the demo runs.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// How many of the 2,357 customers take part; 50 take a few seconds
    #[arg(long, default_value_t = 2_357, value_name = "N")]
    pub customers: usize,
    /// The same seed tells the same story
    #[arg(long, default_value_t = 1_997, value_name = "N")]
    pub seed: u64,
    /// Use a running stack instead of one of the demo's own. Its clock moves a year and a half ahead
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// The day before the first purchase, in the morning.
pub const BEGINS: &str = "1996-12-31T08:00:00+07:00";

/// Runs the demo and prints what came of it.
///
/// # Errors
/// When the stack does not start, refuses a webhook or cannot be read.
pub async fn run(args: &DemoArgs) -> Result<ExitCode> {
    if args.customers == 0 {
        return Err(StackError::new("--customers must be at least 1"));
    }
    match &args.url {
        Some(url) => play(args, url).await,
        None => {
            let begins: DateTime<Utc> = BEGINS.parse().map_err(|_| StackError::new("the demo's first day"))?;
            // Eighteen months of daily runs would only take their time: one of each is enough, since a run that comes late
            // leaves the same books.
            let options = Options {
                clock_ms: Some(begins.timestamp_millis()),
                schedules: |_| false,
                // The messages of a year and a half are kept and shown, not sent: sending them would take longer than the
                // story.
                sends: false,
                environment: logs(),
                ..Options::ephemeral(&workspace())
            };
            let stack = Stack::start(options).await?;
            let url = stack.running().url();
            let played = play(args, &url).await;
            stack.stop().await;
            played
        }
    }
}

/// Thousands of orders would log a line each, and a line of metrics; whoever wants them says so.
pub(crate) fn logs() -> BTreeMap<String, String> {
    let asked = std::env::var_os("RUST_LOG").is_some();
    let quiet =
        [("RUST_LOG", "warn"), (METRICS_NAMESPACE, "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    if asked { BTreeMap::new() } else { quiet.into() }
}

async fn play(args: &DemoArgs, url: &str) -> Result<ExitCode> {
    let secrets = Secrets::from_lookup(|name| std::env::var(name).ok());
    let shop = Shop::open(url, secrets.get("WEBHOOK_SECRET_STANDARD").unwrap_or_default()).await?;
    let purchases = purchases::of_first(args.customers)?;
    let story = story::tell(&purchases, args.seed, shop.days_since_the_first_purchase());
    println!(
        "{} purchases of {} customers become {} webhooks: {} late, {} duplicated, {} out of order, {} cancelled, \
         {} partly returned.",
        story.orders,
        args.customers.min(purchases::CUSTOMERS),
        story.deliveries.len(),
        story.late,
        story.duplicated,
        story.out_of_order,
        story.cancelled,
        story.partly_returned
    );
    let before = shop.stats().await?;
    let began = Instant::now();
    let runs: &[_] = if args.url.is_none() { &RUNS } else { &[] };
    post_all(&shop, &story, runs).await?;
    let took = began.elapsed();
    let tables = TablesArgs {
        endpoint_url: shop.dynamodb_url().to_owned(),
        region: None,
        table_prefix: shop.table_prefix().to_owned(),
    };
    let client = tables::client(&tables).await;
    let sheets = summary::read(&client, &tables).await?;
    summary::print_sheets(&sheets);
    summary::print_figures(&sheets, &story, took, &before, &shop.stats().await?);
    phone::print(&client, &tables, &read_programme(shop.programme())?).await?;
    let report = verify::prove(&client, &tables).await?;
    verify::print(&report);
    // A running stack may hold more than this story.
    let as_computed = args.url.is_some() || summary::print_arithmetic(&sheets, &story);
    Ok(if report.clean() && as_computed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A day, and the schedule that the demo lets fire on it.
type Run = (NaiveDate, &'static str);

/// What the demo lets fall due on a stack of its own: the fast promotion once everybody has ordered, and the reviews and
/// expiries a year after the first orders.
const RUNS: [Run; 2] = [
    (NaiveDate::from_ymd_opt(1997, 4, 7).unwrap(), "weekly-campaign"),
    (NaiveDate::from_ymd_opt(1998, 4, 1).unwrap(), "daily"),
];

/// Days are posted together until so many webhooks, or so many days, are under way: a quiet month is not waited out day
/// by day.
const WEBHOOKS_AT_ONCE: usize = 300;
const DAYS_AT_ONCE: u64 = 7;

/// Posts everything while the clock runs through the story.
async fn post_all(shop: &Shop, story: &Story, mut runs: &[Run]) -> Result<()> {
    let style = "{msg} {wide_bar} {pos}/{len} webhooks, {per_sec}, {eta} left";
    let bar = progress::bar("demo", Some(story.deliveries.len() as u64), style);
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut rest: &[Delivery] = &story.deliveries;
    while !rest.is_empty() {
        let together = days_together(rest);
        let (now, later) = rest.split_at(together);
        let last = now.last().map_or(NaiveDate::MAX, |delivery| delivery.at.date_naive());
        bar.set_message(last.to_string());
        let next = last.succ_opt().unwrap_or(last);
        shop.advance(next).await?;
        while let Some(((_, schedule), more)) = runs.split_first().filter(|((day, _), _)| *day <= next) {
            bar.set_message(format!("{last} {schedule}"));
            shop.fire(schedule).await?;
            runs = more;
        }
        shop.post(now, &bar).await?;
        rest = later;
    }
    bar.set_message("waiting for the last to settle");
    shop.settle().await?;
    bar.finish_and_clear();
    Ok(())
}

/// How many of the next deliveries go out together: whole days.
fn days_together(rest: &[Delivery]) -> usize {
    let Some(first) = rest.first() else { return 0 };
    let limit = first.at.date_naive() + Days::new(DAYS_AT_ONCE);
    let day = |at: usize| rest.get(at).map(|delivery| delivery.at.date_naive());
    (1..rest.len())
        .find(|at| day(*at) != day(at - 1) && (*at >= WEBHOOKS_AT_ONCE || day(*at) >= Some(limit)))
        .unwrap_or(rest.len())
}
