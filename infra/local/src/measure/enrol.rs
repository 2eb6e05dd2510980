//! `measure enrol`: what a weekly run costs that enrols everybody.
//!
//! The members are written by the store itself and not through the door. Each has placed one order that is not paid yet:
//! that makes them a member who ordered (C1, X44) and posts nothing, so only the run is measured and no stream. The run is
//! the real one: the schedule's event, the function's binary, its queue and its pages.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use indicatif::ProgressBar;
use loyalty_contract::identity::MemberKey;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_contract::queue::QueueMessage;
use loyalty_store::{Books, OrderEvent};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{note_the_build, quiet, usage};
use crate::error::{Context, Result, StackError};
use crate::progress;
use crate::stack::{Drained, Running, Stack};
use crate::tables::{self, TablesArgs};

/// How many members.
#[derive(Clone, Debug, clap::Args)]
pub struct EnrolArgs {
    /// Members to enrol
    #[arg(long, default_value_t = 5_000, value_name = "N")]
    pub members: usize,
}

/// Orders written in one call, and calls under way at once.
const ORDERS_PER_CALL: usize = 50;
const CALLS_AT_ONCE: usize = 4;
const LOOK_EVERY: Duration = Duration::from_millis(500);
const RUN_MAX: Duration = Duration::from_secs(3_600);
/// The key of the ids: nobody else reads these members.
const KEY: &str = "measured-measured-measured-measured";

/// Measures and prints.
///
/// # Errors
/// When the stack does not start, or not everybody is enrolled.
pub async fn run(args: &EnrolArgs) -> Result<ExitCode> {
    if args.members == 0 {
        return Err(StackError::new("--members must be at least 1"));
    }
    let stack = Stack::start(quiet()).await?;
    let measured = measure(args.members, stack.running()).await;
    stack.stop().await;
    measured?;
    note_the_build();
    Ok(ExitCode::SUCCESS)
}

async fn measure(members: usize, running: &Running) -> Result<()> {
    let now = Utc::now();
    write_members(members, running, now).await?;
    let used = |figure: &str| usage(&running.stats(), "scheduled", figure);
    let before = ["requests", "read_units", "write_units"].map(|figure| (figure, used(figure)));
    let (bar, began) = (bar("enrolled", members), Instant::now());
    // After the orders were placed: only later ones count (X16).
    let at = now + chrono::Duration::hours(1);
    let answer = running.invoke("weekly-campaign", at.timestamp_millis(), None).await?;
    if let Some(error) = answer.error {
        return Err(StackError::new(format!("the run does not begin: {error}")));
    }
    loop {
        let drained = running.drain(LOOK_EVERY).await?;
        bar.set_position(enrolled(running));
        match drained {
            Drained::Empty => break,
            Drained::Left(left) if began.elapsed() > RUN_MAX => {
                return Err(StackError::new(format!("there are still {}", left.join(", "))));
            }
            Drained::Left(_) => {}
        }
    }
    let took = began.elapsed();
    bar.finish_and_clear();
    if enrolled(running) != members as u64 {
        return Err(StackError::new(format!("{} of {members} members are enrolled", enrolled(running))));
    }
    let each = members as f64;
    println!("{members} members, enrolled and written to by one weekly run:");
    println!("  in                      {:>9.1} s", took.as_secs_f64());
    println!("                          {:>9.0} members/s", each / took.as_secs_f64());
    for (figure, before) in before {
        println!("  DynamoDB, {figure:<13} {:>9.2} a member", (used(figure) - before) / each);
    }
    Ok(())
}

/// Transactions of the function that went through: each is one member.
fn enrolled(running: &Running) -> u64 {
    let transactions = &running.stats()["dynamodb"]["scheduled"]["TransactWriteItems"];
    let count = |name: &str| transactions[name].as_u64().unwrap_or(0);
    count("requests") - count("errors")
}

async fn write_members(members: usize, running: &Running, now: DateTime<Utc>) -> Result<()> {
    let options = &running.options;
    let tables =
        TablesArgs { endpoint_url: running.dynamodb_url(), region: None, table_prefix: options.table_prefix.clone() };
    let books = Books::new(tables::client(&tables).await, &options.table_prefix);
    let text = std::fs::read_to_string(&options.programme)
        .context(|| format!("cannot read {}", options.programme.display()))?;
    let programmes = ProgrammeFile::parse(&text).map_err(|_| StackError::new("the programme has problems"))?;
    let (programmes, key) = (Arc::new(programmes), MemberKey::new(KEY).context(|| "no key".to_owned())?);
    let bar = bar("written", members);
    let mut calls = JoinSet::new();
    for begin in (0..members).step_by(ORDERS_PER_CALL) {
        if calls.len() == CALLS_AT_ONCE
            && let Some(written) = calls.join_next().await
        {
            bar.inc(finished(written)?);
        }
        let events = (begin..members.min(begin + ORDERS_PER_CALL)).map(|number| event(number, &key, now));
        let (events, books, programmes) = (events.collect::<Result<Vec<_>>>()?, books.clone(), Arc::clone(&programmes));
        calls.spawn(async move {
            let applied = books.apply_orders(|now| &programmes.at(now).programme, events).await;
            applied.into_iter().filter(std::result::Result::is_ok).count() as u64
        });
    }
    while let Some(written) = calls.join_next().await {
        bar.inc(finished(written)?);
    }
    let written = bar.position();
    bar.finish_and_clear();
    if written == members as u64 { Ok(()) } else { Err(StackError::new(format!("only {written} members are written"))) }
}

fn finished<T>(call: std::result::Result<T, tokio::task::JoinError>) -> Result<T> {
    call.context(|| "a call was interrupted".to_owned())
}

/// An order that was placed and is not paid yet.
fn event(number: usize, key: &MemberKey, now: DateTime<Utc>) -> Result<OrderEvent> {
    let message = order(number, now);
    let message = serde_json::from_value(message).context(|| "an order of ours is unreadable".to_owned())?;
    match message {
        QueueMessage::Order { order } => Ok(OrderEvent { snapshot: order.into_snapshot(key), now }),
        _ => Err(StackError::new("an order of ours is none")),
    }
}

fn order(number: usize, now: DateTime<Utc>) -> Value {
    json!({"kind": "order", "order": {
        "source": "standard", "order_id": format!("M-{number}"), "placed_at": now, "updated_at": now,
        "status": "confirmed", "payment_status": "unpaid", "currency": "VND", "due_minor": 280_000,
        "shipping_minor": 30_000, "refunded_minor": 0,
        "customer": {"phone": format!("849{number:08}"), "name": format!("Khách {number}")}}})
}

fn bar(what: &'static str, members: usize) -> ProgressBar {
    let style = "{msg} {wide_bar} {pos}/{len} members, {per_sec}, {eta} left";
    progress::bar("measure", Some(members as u64), style).with_message(what)
}
