//! `measure`: how fast and how dear the built functions are on this machine, against the budget.
//!
//! It starts a stack of its own with durable data, posts credited orders through the door at full speed and reads what
//! the kernel and DynamoDB say of it. `measure enrol` does the same for the weekly run of a campaign. Build with `--release`
//! for figures that mean something.

mod enrol;

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::cli::serve::workspace;
use crate::demo::shop::Shop;
use crate::demo::story::Delivery;
use crate::error::{Context, Result, StackError};
use crate::functions::Launch;
use crate::package;
use crate::processes::children;
use crate::progress;
use crate::stack::{Drained, Options, Stack};

/// How to measure.
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct MeasureArgs {
    #[command(subcommand)]
    pub what: Option<What>,
    /// Orders to credit
    #[arg(long, default_value_t = 5_000, value_name = "N")]
    pub orders: usize,
    /// Members they belong to
    #[arg(long, default_value_t = 2_000, value_name = "N")]
    pub members: usize,
    /// Measure the packages that `package --processor native` made, as they would be deployed
    #[arg(long, value_name = "DIR")]
    pub packages: Option<PathBuf>,
}

/// What to measure instead of orders.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum What {
    /// Enrol members who ordered once, by one weekly run of a campaign
    Enrol(enrol::EnrolArgs),
}

/// Starts of each binary that are timed.
const STARTS: usize = 11;
/// The orders before the count begins: connections, caches and pages are warm then.
const WARM_UP: usize = 200;
const DRAIN_MAX: Duration = Duration::from_secs(600);

/// Measures and prints.
///
/// # Errors
/// When the stack does not start, refuses an order or does not work it off.
pub async fn run(args: &MeasureArgs) -> Result<ExitCode> {
    if let Some(What::Enrol(args)) = &args.what {
        return enrol::run(args).await;
    }
    if args.members == 0 || args.orders == 0 {
        return Err(StackError::new("--orders and --members must be at least 1"));
    }
    let unpacked = tempfile::tempdir().context(|| "cannot make a temporary directory".to_owned())?;
    let packages = args.packages.as_ref().map(|packages| package::unpack(packages, unpacked.path())).transpose()?;
    let stack = Stack::start(Options { executables: packages.unwrap_or_default(), ..quiet() }).await?;
    let measured = match credit(args, &stack).await {
        Ok(()) => start_ups(&stack).await,
        failed => failed,
    };
    stack.stop().await;
    measured?;
    note_the_build();
    Ok(ExitCode::SUCCESS)
}

/// A stack of its own that is asked for nothing else.
fn quiet() -> Options {
    Options {
        settle_seconds: Some(0),
        sends: false,
        environment: crate::demo::logs(),
        ..Options::ephemeral(&workspace())
    }
}

fn note_the_build() {
    if cfg!(debug_assertions) {
        println!("(a development build; for figures that mean something: cargo run --release -- measure)");
    }
}

async fn credit(args: &MeasureArgs, stack: &Stack) -> Result<()> {
    let running = stack.running();
    let secret = running.secrets.get("WEBHOOK_SECRET_STANDARD").unwrap_or_default();
    let shop = Shop::open(&running.url(), secret).await?;
    let now = Utc::now();
    let order = |number: usize| delivery(number, number % args.members, now);
    let bar =
        progress::bar("measure", Some(args.orders as u64), "{wide_bar} {pos}/{len} orders, {per_sec}, {eta} left");
    shop.post(&(0..WARM_UP).map(order).collect::<Vec<_>>(), &ProgressBar::hidden()).await?;
    drained(stack).await?;
    let before = running.stats();
    let cpu = || -> f64 { children(&["order-changed"]).iter().filter_map(|process| process.cpu_seconds()).sum() };
    let (cpu_before, began) = (cpu(), Instant::now());
    let orders: Vec<Delivery> = (WARM_UP..WARM_UP + args.orders).map(order).collect();
    shop.post(&orders, &bar).await?;
    drained(stack).await?;
    let (took, cpu_used) = (began.elapsed(), cpu() - cpu_before);
    bar.finish_and_clear();
    let each = args.orders as f64;
    println!("{} orders of {} members, credited:", args.orders, args.members);
    println!("  door to card               {:>8.0} orders/s        (target ≥ 300)", each / took.as_secs_f64());
    println!("  order-changed, CPU         {:>8.2} ms an order     (target ≤ 0.6)", cpu_used * 1_000.0 / each);
    let resident = children(&["order-changed"]).iter().filter_map(|one| one.resident_mib_max()).fold(0.0, f64::max);
    println!("  order-changed, resident    {resident:>8.1} MiB             (target ≤ 16)");
    let after = running.stats();
    for (figure, budget) in
        [("requests", "2"), ("read_units", "1"), ("write_units", "6, +1 for each index entered or left")]
    {
        let used = usage(&after, "order-changed", figure) - usage(&before, "order-changed", figure);
        println!("  DynamoDB, {figure:<16} {:>8.2} an order        (budget ≤ {budget})", used / each);
    }
    Ok(())
}

/// What a function has used of the tables.
fn usage(stats: &Value, function: &str, figure: &str) -> f64 {
    let operations = stats["dynamodb"][function].as_object();
    operations.into_iter().flatten().filter_map(|(_, usage)| usage[figure].as_f64()).sum()
}

async fn drained(stack: &Stack) -> Result<()> {
    match stack.running().drain(DRAIN_MAX).await? {
        Drained::Empty => Ok(()),
        Drained::Left(left) => Err(StackError::new(format!("there are still {}", left.join(", ")))),
    }
}

/// An order that is delivered and paid when it is first seen, worth 25 points by the default programme.
fn delivery(number: usize, member: usize, now: DateTime<Utc>) -> Delivery {
    let body = json!({
        "type": "order.changed",
        "timestamp": now,
        "data": {
            "order_id": format!("M-{number}"),
            "placed_at": now,
            "updated_at": now,
            "status": "delivered",
            "payment_status": "paid",
            "amount_due": "280000",
            "shipping_fee": "30000",
            "refunded": "0",
            "currency": "VND",
            "customer": {"phone": format!("09{member:08}"), "name": format!("Khách {member}")},
        },
    });
    Delivery { at: now, webhook_id: format!("measure-{number}"), body: body.to_string() }
}

/// Starts each function beside the running stack, as the stack itself would start it.
async fn start_ups(stack: &Stack) -> Result<()> {
    println!("spawn to first poll, median of {STARTS} (target ≤ 15 ms):");
    for launch in stack.running().launches() {
        println!("  {:<22} {:>6.1} ms", launch.binary, first_poll(launch).await?.as_secs_f64() * 1_000.0);
    }
    Ok(())
}

/// The median time from starting a binary to its first request for work.
async fn first_poll(launch: &Launch) -> Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context(|| "no free port".to_owned())?;
    let address = listener.local_addr().context(|| "no address".to_owned())?;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        let mut child = tokio::process::Command::new(&launch.executable)
            .env_clear()
            .envs(&launch.environment)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context(|| format!("cannot run {}", launch.executable.display()))?;
        let polled = tokio::select! {
            accepted = listener.accept() => accepted.map(|_| ()).map_err(|error| error.to_string()),
            status = child.wait() => Err(status.map_or_else(|error| error.to_string(), |status| status.to_string())),
            () = tokio::time::sleep(Duration::from_secs(10)) => Err("waited for 10 s".to_owned()),
        };
        times.push(began.elapsed());
        let _ = child.kill().await;
        polled.map_err(|why| StackError::new(format!("{} did not ask for work: {why}", launch.binary)))?;
    }
    times.sort_unstable();
    Ok(times[STARTS / 2])
}
