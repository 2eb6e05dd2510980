//! Fires the template's schedules as the stack's clock passes them.
//!
//! Advancing the clock never jumps over a schedule or over work under way: queues and streams are
//! drained before each schedule fires, and delayed messages come out when their time has come.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{Mutex, Notify};

use super::expression::Expression;
use crate::bus::{Outlet, outlet};
use crate::clock::{self, Clock};
use crate::error::{Result, StackError};
use crate::queue::{Outgoing, QueueStore};
use crate::template::{ACCOUNT, REGION, Schedule};

/// Steps of one `advance`: schedules fired and rounds of delayed messages.
const STEPS_MAX: usize = 100_000;
/// The longest sleep; a schedule further away is looked at again.
const SLEEP_MAX: Duration = Duration::from_secs(3_600);
const CLOCK_FACT: &str = "clock offset in milliseconds";

/// Waits until there is nothing left to do at the present time of the stack's clock.
pub trait Settle: Send + Sync {
    /// Drains what is ready; delayed messages may remain.
    fn ready(&self) -> impl Future<Output = Result<()>> + Send;
    /// The latest moment up to an instant at which something delayed comes out.
    fn last_due(&self, limit_ms: i64) -> impl Future<Output = Result<Option<i64>>> + Send;
}

/// The schedules of the template.
pub struct Scheduler {
    schedules: Vec<Wired>,
    store: QueueStore,
    clock: Arc<Clock>,
    moved: Notify,
    /// Held while schedules fire, so that the ticking clock and an advance do not both fire one.
    turn: Mutex<()>,
}

struct Wired {
    schedule: Schedule,
    expression: Expression,
    queue: String,
}

/// A schedule that fired, for the answer to an advance.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fired {
    pub schedule: String,
    pub at: String,
}

impl Scheduler {
    /// Reads the schedules; the queues their deliveries need.
    pub fn new(schedules: &[Schedule], store: &QueueStore, clock: &Arc<Clock>) -> Result<(Arc<Self>, Vec<Outlet>)> {
        let mut outlets = Vec::new();
        let mut wired = Vec::new();
        for schedule in schedules {
            let expression = Expression::read(&schedule.expression, &schedule.time_zone)
                .map_err(|problem| StackError::new(format!("schedule {}: {problem}", schedule.name)))?;
            let name = format!("schedule-{}", schedule.name);
            let (queue, outlet) = outlet(&name, 0, &schedule.delivery);
            outlets.extend(outlet);
            wired.push(Wired { schedule: schedule.clone(), expression, queue });
        }
        let scheduler = Arc::new(Self {
            schedules: wired,
            store: store.clone(),
            clock: Arc::clone(clock),
            moved: Notify::new(),
            turn: Mutex::new(()),
        });
        Ok((scheduler, outlets))
    }

    /// Names, and when each is due next.
    pub fn upcoming(&self) -> Vec<Value> {
        let now = self.clock.now_ms();
        self.schedules
            .iter()
            .map(|wired| {
                json!({
                    "schedule": wired.schedule.name,
                    "expression": wired.schedule.expression,
                    "time_zone": wired.schedule.time_zone,
                    "enabled": wired.schedule.enabled,
                    "next": wired.expression.next_after(now).map(clock::iso),
                })
            })
            .collect()
    }

    /// The payload of a schedule by name, as if it were due at an instant.
    pub fn payload(&self, name: &str, at_ms: i64) -> Option<(Schedule, String)> {
        let wired = self.schedules.iter().find(|wired| wired.schedule.name == name)?;
        Some((wired.schedule.clone(), payload(&wired.schedule, at_ms)))
    }

    /// Fires schedules as time passes; never ends.
    pub async fn tick(self: Arc<Self>) {
        let mut from = self.clock.now_ms();
        loop {
            let next = self.next_after(from);
            let now = self.clock.now_ms();
            let wait = next
                .map_or(SLEEP_MAX, |due| Duration::from_millis(u64::try_from(due - now).unwrap_or(0)).min(SLEEP_MAX));
            tokio::select! {
                () = tokio::time::sleep(wait) => {
                    let _turn = self.turn.lock().await;
                    let now = self.clock.now_ms();
                    while let Some(due) = self.next_after(from).filter(|due| *due <= now) {
                        if let Err(error) = self.fire(due).await {
                            tracing::error!(error = error.report(), "a schedule could not fire");
                        }
                        from = due;
                    }
                }
                () = self.moved.notified() => from = self.clock.now_ms(),
            }
        }
    }

    /// Moves the clock to an instant, firing every schedule on the way in order.
    pub async fn advance(&self, to_ms: i64, settle: &impl Settle) -> Result<Vec<Fired>> {
        let _turn = self.turn.lock().await;
        let mut fired = Vec::new();
        let mut from = self.clock.now_ms();
        for _ in 0..STEPS_MAX {
            settle.ready().await?;
            let due = self.next_after(from).filter(|due| *due <= to_ms);
            let limit = due.unwrap_or(to_ms);
            if let Some(delayed) = settle.last_due(limit).await?.filter(|at| *at > self.clock.now_ms()) {
                self.move_clock(delayed).await?;
                continue;
            }
            let Some(due) = due else {
                self.move_clock(to_ms).await?;
                settle.ready().await?;
                return Ok(fired);
            };
            self.move_clock(due).await?;
            fired.extend(self.fire(due).await?);
            from = due;
        }
        Err(StackError::new(format!(
            "the clock stopped at {} after {STEPS_MAX} steps; advance again to go on",
            clock::iso(self.clock.now_ms())
        )))
    }

    async fn move_clock(&self, to_ms: i64) -> Result<()> {
        let offset = self.clock.advance_ms(to_ms);
        keep_clock(&self.store, offset).await?;
        self.store.wake();
        self.moved.notify_one();
        Ok(())
    }

    fn next_after(&self, from_ms: i64) -> Option<i64> {
        self.schedules
            .iter()
            .filter(|wired| wired.schedule.enabled)
            .filter_map(|wired| wired.expression.next_after(from_ms))
            .min()
    }

    async fn fire(&self, due_ms: i64) -> Result<Vec<Fired>> {
        let mut fired = Vec::new();
        for wired in &self.schedules {
            let is_due = wired.expression.next_after(due_ms - 1) == Some(due_ms);
            if !wired.schedule.enabled || !is_due {
                continue;
            }
            tracing::info!(schedule = wired.schedule.name, at = clock::iso(due_ms), "schedule fires");
            let message = Outgoing::new(payload(&wired.schedule, due_ms));
            self.store.send(&wired.queue, vec![message]).await?;
            fired.push(Fired { schedule: wired.schedule.name.clone(), at: clock::iso(due_ms) });
        }
        Ok(fired)
    }
}

/// Keeps the clock's offset for the next start.
pub async fn keep_clock(store: &QueueStore, offset_ms: i64) -> Result<()> {
    store.set_fact(CLOCK_FACT, offset_ms.to_string()).await
}

/// The clock's offset when the stack last ran.
pub async fn kept_clock(store: &QueueStore) -> Result<Option<i64>> {
    let offset = store.fact(CLOCK_FACT).await?;
    Ok(offset.and_then(|text| text.parse().ok()))
}

/// What the target gets: the schedule's input with its placeholders filled, or the scheduler's
/// own event when the template gives no input.
fn payload(schedule: &Schedule, at_ms: i64) -> String {
    let arn = format!("arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{}", schedule.name);
    let at = clock::iso(at_ms);
    let id = crate::queue::message_id();
    match &schedule.input {
        Some(input) => input
            .replace("<aws.scheduler.schedule-arn>", &arn)
            .replace("<aws.scheduler.scheduled-time>", &at)
            .replace("<aws.scheduler.execution-id>", &id)
            .replace("<aws.scheduler.attempt-number>", "1"),
        None => json!({
            "version": "0",
            "id": id,
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": ACCOUNT,
            "time": at,
            "region": REGION,
            "resources": [arn],
            "detail": "{}",
        })
        .to_string(),
    }
}
