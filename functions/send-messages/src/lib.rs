//! Messages reach people: rows of `messages` go out by the way that is open when they are sent (N3, N4, X36).
//!
//! A new row comes by the table's stream; what has to wait comes back by the function's own queue, or, where it waits for
//! longer than a queue can, by a schedule that looks through an index. A message is claimed before the provider is called
//! and recorded after it, so of any number of tries one sends, and whoever is killed in between leaves a claim that lapses.
//!
//! Phone and name are joined only here, for the call. No log has either.

mod facts;
mod pace;
mod queue;
mod send;
mod shop;
mod token;
mod way;

use std::sync::Arc;
use std::time::{Duration, Instant as Machine};

use chrono::TimeDelta;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_domain::time::Instant;
use loyalty_runtime::calls::Caller;
use loyalty_runtime::clock::{Clock, ClockError};
use loyalty_runtime::config::ConfigError;
use loyalty_runtime::{chain, secrets};
use loyalty_store::index::{SHARDS, shard};
use loyalty_store::{Books, StoreError};
use loyalty_zalo::{Account, BUSINESS_URL, OAUTH_URL, OPENAPI_URL, Zalo};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinSet};

pub use pace::Pace;
pub use queue::{Job, QueueError, Sends};
pub use shop::Shop;
pub use token::{BELIEVED_SECONDS, LEASE_SECONDS, NoToken, SENDER, TokenKeeper};

/// The variable that names the queue.
pub const SENDS_QUEUE_URL: &str = "SENDS_QUEUE_URL";
/// Calls to Zalo a minute, of one instance of the function: all instances together may make 4,000.
pub const ZALO_CALLS_PER_MINUTE: &str = "ZALO_CALLS_PER_MINUTE";
const CALLS_PER_MINUTE: u32 = 900;
/// How many messages are on their way at once.
const AT_ONCE_MAX: usize = 8;
/// No message is begun after this part of an invocation: what is left goes to the queue.
const BEGIN_WITHIN: Duration = Duration::from_secs(15);
/// Messages that a page of the index queues, and how often one shard is looked through in one run.
const PAGE_MAX: i32 = 200;
const ROUNDS_MAX: u32 = 500;
/// Until the next look at a shard: those of the last one are on their way by then.
const NEXT_PAGE_SECONDS: i64 = 30;

/// What the function needs, made once and borrowed by every call.
#[derive(Clone)]
pub struct SendMessages {
    pub books: Books,
    pub programmes: Arc<ProgrammeFile>,
    pub sends: Sends,
    pub clock: Clock,
    /// Missing where no Zalo account is configured.
    pub zalo: Option<Arc<ZaloSender>>,
    /// Missing where the shop takes no messages itself.
    pub shop: Option<Arc<Shop>>,
    /// It would, but the secret is not set up: what would go there waits, and nothing else does.
    pub shop_unready: bool,
}

/// Zalo, with its token and its pace.
pub struct ZaloSender {
    pub zalo: Zalo,
    pub tokens: TokenKeeper,
    pub pace: Pace,
    /// The last pause at whose end this process has the queue look for what waited.
    resumes: Mutex<Option<Instant>>,
    /// Until when the day's quota of templates to phones is used up, as Zalo said. Only this process knows it: another
    /// finds out by one call of its own, and a row would have to be read for every message.
    spent_until: Mutex<Option<Instant>>,
}

impl ZaloSender {
    pub fn new(zalo: Zalo, tokens: TokenKeeper, pace: Pace) -> Self {
        Self { zalo, tokens, pace, resumes: Mutex::default(), spent_until: Mutex::default() }
    }
}

/// Why a message is not done. It comes again.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("the event is neither of the stream, nor of the queue, nor a schedule that fired")]
    NotOurs(#[source] serde_json::Error),
    #[error("the books cannot be read or written")]
    Books(#[from] StoreError),
    #[error("the queue cannot be written")]
    Queue(#[from] QueueError),
    #[error("the time is not known")]
    Clock(#[from] ClockError),
    #[error("the tokens cannot be kept")]
    Token(#[source] NoToken),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Invocation {
    Fired {
        at: Instant,
    },
    Records {
        #[serde(rename = "Records")]
        records: Vec<Value>,
    },
}

impl SendMessages {
    /// Reads the environment and builds the clients.
    ///
    /// # Errors
    /// [`ConfigError`] naming what is missing or wrong.
    pub async fn from_environment() -> Result<Self, ConfigError> {
        let environment = secrets::environment().await?;
        let (programmes, table_prefix) = (environment.programmes()?, environment.table_prefix()?);
        let queue_url = environment.required(SENDS_QUEUE_URL)?;
        let sdk = loyalty_runtime::aws::sdk_config().await;
        let books = Books::new(aws_sdk_dynamodb::Client::new(&sdk), &table_prefix);
        let caller = Caller::new(None).map_err(|_| ConfigError::Unusable("the HTTP client"))?;
        let clock = Clock::of(&environment, &caller);
        let optional = |name| environment.required(name).ok();
        let zalo = match optional("ZALO_REFRESH_TOKEN") {
            None => None,
            Some(first) => {
                let proxy = optional("ZALO_EGRESS_PROXY");
                let caller = Caller::new(proxy.as_deref()).map_err(|_| ConfigError::Unusable("ZALO_EGRESS_PROXY"))?;
                let account = Account {
                    openapi_url: optional("ZALO_OPENAPI_URL").unwrap_or_else(|| OPENAPI_URL.to_owned()),
                    business_url: optional("ZALO_BUSINESS_URL").unwrap_or_else(|| BUSINESS_URL.to_owned()),
                    oauth_url: optional("ZALO_OAUTH_URL").unwrap_or_else(|| OAUTH_URL.to_owned()),
                    app_id: environment.required("ZALO_APP_ID")?,
                    app_secret: environment.required("ZALO_APP_SECRET")?,
                };
                let zalo = Zalo::new(caller, account);
                let tokens = TokenKeeper::new(books.clone(), zalo.clone(), clock.clone(), first);
                let calls = match optional(ZALO_CALLS_PER_MINUTE) {
                    Some(calls) => calls.parse().map_err(|_| ConfigError::Unusable(ZALO_CALLS_PER_MINUTE))?,
                    None => CALLS_PER_MINUTE,
                };
                Some(Arc::new(ZaloSender::new(zalo, tokens, Pace::per_minute(calls))))
            }
        };
        let url = optional("OUTGOING_WEBHOOK_URL");
        let asked = url.is_some();
        let shop = url
            .zip(optional("OUTGOING_WEBHOOK_SECRET"))
            .and_then(|(url, secret)| Shop::new(caller, url, &secret).map(Arc::new).ok());
        let shop_unready = asked && shop.is_none();
        if shop_unready {
            tracing::error!(
                "messages to the shop's own system wait: OUTGOING_WEBHOOK_SECRET is missing, or is no secret"
            );
        }
        let sends = Sends::new(aws_sdk_sqs::Client::new(&sdk), queue_url);
        Ok(Self { books, programmes: Arc::new(programmes), sends, clock, zalo, shop, shop_unready })
    }

    /// Answers a batch of the stream or of the queue with what of it is not done, and a schedule with its first pages in
    /// the queue.
    ///
    /// # Errors
    /// [`SendError`] when nothing of it is done.
    pub async fn answer(&self, event: Value) -> Result<Value, SendError> {
        let failures = match serde_json::from_value(event).map_err(SendError::NotOurs)? {
            Invocation::Fired { at } => {
                self.fired(at).await?;
                Vec::new()
            }
            Invocation::Records { records } => self.records(&records).await,
        };
        let failures: Vec<_> = failures.into_iter().map(|id| json!({"itemIdentifier": id})).collect();
        Ok(json!({"batchItemFailures": failures}))
    }

    async fn fired(&self, at: Instant) -> Result<(), SendError> {
        let version = self.programmes.at(at);
        // What waits goes on waiting, and is found by the first run after the pause (X50).
        if version.programme.paused || version.messaging.sending.paused {
            return Ok(());
        }
        let mut pages = Vec::new();
        for number in 0..SHARDS {
            let shard = shard(number);
            if !self.books.messages_due(&shard, at, 1).await?.is_empty() {
                pages.push(Job::Page { at, shard, round: 0 });
            }
        }
        self.sends.queue(&pages, TimeDelta::zero()).await?;
        tracing::info!(%at, pages = pages.len(), "messages that waited are looked for");
        Ok(())
    }

    /// Works records side by side; the answer are those that are not done.
    async fn records(&self, records: &[Value]) -> Vec<String> {
        let begun = Machine::now();
        let (mut running, mut failures) = (JoinSet::new(), Vec::new());
        for record in records {
            if running.len() >= AT_ONCE_MAX
                && let Some(done) = running.join_next().await
            {
                failures.extend(failed(done, records));
            }
            let (id, job) = match read(record) {
                (_, Ok(None)) => continue,
                (id, Ok(Some(job))) => (id, job),
                (id, Err(error)) => {
                    tracing::error!(error = chain(&error), "a record cannot be read");
                    failures.push(id);
                    continue;
                }
            };
            let (this, late) = (self.clone(), begun.elapsed() > BEGIN_WITHIN);
            running.spawn(async move {
                let done = if late { this.later(&job, TimeDelta::zero()).await } else { this.work(&job).await };
                done.err().map(|error| {
                    tracing::error!(error = chain(&error), "a message is not done");
                    id
                })
            });
        }
        while let Some(done) = running.join_next().await {
            failures.extend(failed(done, records));
        }
        failures.sort();
        failures.dedup();
        failures
    }

    async fn later(&self, job: &Job, pause: TimeDelta) -> Result<(), SendError> {
        Ok(self.sends.queue(std::slice::from_ref(job), pause).await?)
    }

    /// Does one job.
    ///
    /// # Errors
    /// [`SendError`]; the same job again does what is missing.
    pub async fn work(&self, job: &Job) -> Result<(), SendError> {
        match job {
            Job::Message { message_id } => self.send(message_id).await,
            Job::Page { at, shard, round } => self.page(*at, shard, *round).await,
            Job::Resume { at } => {
                let now = self.clock.now().await?;
                if now < *at { self.later(job, *at - now).await } else { self.fired(now).await }
            }
        }
    }

    /// Queues the messages of a shard that wait until an instant, each as a job of its own: so one that is killed with its
    /// message claimed comes again.
    async fn page(&self, at: Instant, shard: &str, round: u32) -> Result<(), SendError> {
        let due = self.books.messages_due(shard, at, PAGE_MAX).await?;
        let full = due.len() >= PAGE_MAX as usize;
        let jobs: Vec<_> = due.into_iter().map(|message_id| Job::Message { message_id }).collect();
        self.sends.queue(&jobs, TimeDelta::zero()).await?;
        tracing::info!(shard, round, queued = jobs.len(), "a page of waiting messages is queued");
        if full && round < ROUNDS_MAX {
            let next = Job::Page { at, shard: shard.to_owned(), round: round + 1 };
            self.later(&next, TimeDelta::seconds(NEXT_PAGE_SECONDS)).await?;
        }
        Ok(())
    }
}

/// The ids of what a task did not do. One that panicked says nothing of its record: the batch comes again whole.
fn failed(done: Result<Option<String>, JoinError>, records: &[Value]) -> Vec<String> {
    match done {
        Ok(failed) => failed.into_iter().collect(),
        Err(_) => records.iter().map(|record| read(record).0).collect(),
    }
}

/// The id by which a record is said to have failed, and what it asks for; nothing, for a row that was not just put.
fn read(record: &Value) -> (String, Result<Option<Job>, SendError>) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if record["eventSource"] == "aws:sqs" {
        let job = serde_json::from_str(record["body"].as_str().unwrap_or_default());
        return (text(&record["messageId"]), job.map(Some).map_err(SendError::NotOurs));
    }
    let id = text(&record["dynamodb"]["SequenceNumber"]);
    let new = &record["dynamodb"]["NewImage"];
    let pending = record["eventName"] == "INSERT" && new["state"]["S"] == "pending";
    let job = pending.then(|| Job::Message { message_id: text(&new["message_id"]["S"]) });
    (id, Ok(job))
}
