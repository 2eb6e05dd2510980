//! A running stack seen from inside: addresses, counters, draining, dead letters, invoking.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use serde_json::{Value, json};

use super::options::Options;
use crate::bus::{Bus, Outlet};
use crate::clock::{self, Clock};
use crate::engine::streams;
use crate::engine::{Engine, Usage};
use crate::error::{Result, StackError};
use crate::functions::{Functions, Launch};
use crate::gateway::Gateway;
use crate::queue::{Lying, QueueStore};
use crate::schedule::{Fired, Scheduler, Settle};
use crate::secrets::Secrets;
use crate::sources::Follower;
use crate::template::{Target, Template};
use crate::zalo::StandIn;

/// Everything that runs, with its counters.
pub struct Running {
    /// Where the HTTP API listens.
    pub http: SocketAddr,
    /// Where SQS, EventBridge and the Runtime API listen.
    pub services: SocketAddr,
    /// The stand-in for Zalo, unless messages go through the shop's own account.
    pub zalo: Option<StandIn>,
    pub options: Options,
    pub settle_seconds: u32,
    pub template: Template,
    pub secrets: Secrets,
    pub clock: Arc<Clock>,
    pub store: QueueStore,
    pub engine: Engine,
    pub functions: Arc<Functions>,
    pub gateway: Arc<Gateway>,
    pub bus: Arc<Bus>,
    pub scheduler: Arc<Scheduler>,
    pub followers: Vec<Arc<Follower>>,
    pub outlets: Vec<Outlet>,
}

/// Whether everything was handled in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drained {
    Empty,
    /// What is left, in words.
    Left(Vec<String>),
}

/// What a function answered when it was invoked by hand.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Invocation {
    pub function: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How often it is looked whether everything has been handled.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Work at one moment of the stack's clock may take this long on the machine's.
const READY_MAX: Duration = Duration::from_secs(300);

impl Running {
    /// Base address of the HTTP API.
    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Base address of DynamoDB.
    pub fn dynamodb_url(&self) -> String {
        self.engine.url()
    }

    /// What each function is started with.
    pub fn launches(&self) -> impl Iterator<Item = &Launch> {
        self.functions.values().map(|pool| &pool.launch)
    }

    /// Everything that can be counted, as one JSON document.
    pub fn stats(&self) -> Value {
        let usage = self.engine.usage();
        let counts = self.store.counts();
        let functions: Value = self
            .functions
            .iter()
            .map(|(name, pool)| (name.clone(), json!(pool.counts())))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let work: Vec<Value> = self
            .template
            .queue_sources
            .iter()
            .map(|source| {
                let handled = counts.get(&source.queue).map_or(0, |counts| counts.deleted);
                let mut total = Usage::default();
                for one in usage.get(&source.function).into_iter().flat_map(|by| by.values()) {
                    total.requests += one.requests;
                    total.read_units += one.read_units;
                    total.write_units += one.write_units;
                }
                // No more messages than a float can count: the division is for people.
                let each = |sum: f64| if handled == 0 { 0.0 } else { sum / handled as f64 };
                json!({
                    "queue": source.queue,
                    "function": source.function,
                    "messages_handled": handled,
                    "requests_per_message": each(total.requests as f64),
                    "read_units_per_message": each(total.read_units),
                    "write_units_per_message": each(total.write_units),
                })
            })
            .collect();
        let streams: Vec<Value> = self
            .followers
            .iter()
            .map(|follower| {
                json!({
                    "table": follower.source.table,
                    "function": follower.source.function,
                    "counts": follower.counts(),
                })
            })
            .collect();
        let (accepted, refused) = self.bus.counts();
        json!({
            "clock": clock::iso(self.clock.now_ms()),
            "http": self.gateway.counts(),
            "functions": functions,
            "queues": counts,
            "work": work,
            "streams": streams,
            "events": {"accepted": accepted, "refused": refused},
            "dynamodb": usage,
            "schedules": self.scheduler.upcoming(),
        })
    }

    /// Waits until every queue with a consumer is empty and every stream is consumed.
    pub async fn drain(&self, limit: Duration) -> Result<Drained> {
        let deadline = Instant::now() + limit;
        self.wait_until(deadline, true).await
    }

    /// Moves the clock, firing every schedule on the way in order.
    pub async fn advance(&self, to_ms: i64) -> Result<Vec<Fired>> {
        self.scheduler.advance(to_ms, self).await
    }

    /// The dead letters of every dead-letter queue.
    pub async fn dead_letters(&self) -> Result<Vec<Lying>> {
        let mut letters = Vec::new();
        for queue in self.template.dead_letter_queues() {
            letters.extend(self.store.list(&queue).await?);
        }
        Ok(letters)
    }

    /// Sends dead letters back to where they failed: all, or the one with an id. Returns how many
    /// were taken up again; a stream's letter only counts once the function handled its records.
    pub async fn replay(&self, message_id: Option<&str>) -> Result<u64> {
        let wanted: Vec<String> = message_id.map(str::to_owned).into_iter().collect();
        let mut replayed = 0;
        let internal = self.outlets.iter().map(|outlet| &outlet.queue);
        for queue in self.template.queues.iter().chain(internal) {
            if let Some(redrive) = &queue.redrive {
                replayed += self.store.move_messages(&redrive.queue, &queue.name, wanted.clone()).await?;
            }
        }
        for follower in &self.followers {
            let Some(queue) = &follower.source.on_failure else {
                continue;
            };
            for letter in self.store.list(queue).await? {
                if !wanted.is_empty() && !wanted.contains(&letter.message_id) {
                    continue;
                }
                if let Some((table, start, end)) = stream_range(&letter.body)
                    && table == follower.source.table
                    && follower.replay(start, end).await?
                {
                    self.store.remove(queue, vec![letter.message_id]).await?;
                    replayed += 1;
                }
            }
        }
        Ok(replayed)
    }

    /// Runs a schedule by name as if it were due at an instant, or a function on a payload.
    pub async fn invoke(&self, name: &str, at_ms: i64, payload: Option<Value>) -> Result<Invocation> {
        let (function, payload) = match self.scheduler.payload(name, at_ms) {
            Some((schedule, input)) => match schedule.delivery.target {
                Target::Function(function) => (function, input),
                Target::Queue(queue) => {
                    return Err(StackError::new(format!(
                        "the schedule {name} sends to the queue {queue}; advance the clock instead"
                    )));
                }
            },
            None => (name.to_owned(), payload.unwrap_or_else(|| json!({})).to_string()),
        };
        let Some(pool) = self.functions.get(&function) else {
            let schedules = self.template.schedules.iter().map(|one| one.name.clone());
            let known: Vec<String> = schedules.chain(self.functions.keys().cloned()).collect();
            return Err(StackError::new(format!(
                "there is no schedule or function “{name}”; there are: {}",
                known.join(", ")
            )));
        };
        Ok(match pool.invoke(Bytes::from(payload)).await {
            Ok(answer) => Invocation {
                function,
                answer: Some(serde_json::from_slice(&answer).unwrap_or(Value::Null)),
                error: None,
            },
            Err(error) => Invocation { function, answer: None, error: Some(error.to_string()) },
        })
    }

    /// The queues something reads from.
    fn consumed_queues(&self) -> Vec<String> {
        let sources = self.template.queue_sources.iter();
        let sources = sources.map(|source| source.queue.clone());
        let outlets = self.outlets.iter().map(|outlet| outlet.queue.name.clone());
        sources.chain(outlets).collect()
    }

    /// Everything that has happened, as one number: it stands still when nothing does.
    fn activity(&self) -> u64 {
        let invocations: u64 = self.functions.values().map(|pool| pool.counts().invocations).sum();
        let sent: u64 = self.store.counts().values().map(|counts| counts.sent).sum();
        invocations + sent
    }

    /// Looks until nothing is left, twice in a row with nothing happening in between.
    async fn wait_until(&self, deadline: Instant, delayed_too: bool) -> Result<Drained> {
        let mut quiet_since: Option<u64> = None;
        loop {
            let activity = self.activity();
            let left = self.left(delayed_too).await?;
            if left.is_empty() {
                if quiet_since == Some(activity) {
                    return Ok(Drained::Empty);
                }
                quiet_since = Some(activity);
                tokio::task::yield_now().await;
                continue;
            }
            quiet_since = None;
            if Instant::now() >= deadline {
                return Ok(Drained::Left(left));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn left(&self, delayed_too: bool) -> Result<Vec<String>> {
        let mut left = Vec::new();
        for queue in self.consumed_queues() {
            let mut present = self.store.present(&queue).unwrap_or(0);
            if present > 0 && !delayed_too {
                let (delayed, _) = self.store.delayed_and_in_flight(&queue).await?;
                present = present.saturating_sub(delayed);
            }
            if present > 0 {
                left.push(format!("{present} messages in {queue}"));
            }
        }
        for (name, pool) in self.functions.iter() {
            if !pool.is_idle() {
                left.push(format!("{name} is working"));
            }
        }
        for follower in &self.followers {
            if follower.behind().await? {
                left.push(format!("records of {} for {}", follower.source.table, follower.source.function));
            }
        }
        Ok(left)
    }
}

impl Settle for Running {
    async fn ready(&self) -> Result<()> {
        match self.wait_until(Instant::now() + READY_MAX, false).await? {
            Drained::Empty => Ok(()),
            Drained::Left(left) => Err(StackError::new(format!(
                "the clock stopped at {}: work there takes too long ({})",
                clock::iso(self.clock.now_ms()),
                left.join(", ")
            ))),
        }
    }

    async fn last_due(&self, limit_ms: i64) -> Result<Option<i64>> {
        self.store.last_visible_until(self.consumed_queues(), limit_ms).await
    }
}

/// The records a stream's dead letter points to: the table whose stream it is, the first and the last.
fn stream_range(body: &str) -> Option<(String, i64, i64)> {
    let letter: Value = serde_json::from_str(body).ok()?;
    let info = &letter["DDBStreamBatchInfo"];
    let number = |name: &str| streams::stored(info[name].as_str()?);
    let table = info["streamArn"].as_str()?.split('/').nth(1)?;
    Some((table.to_owned(), number("startSequenceNumber")?, number("endSequenceNumber")?))
}
