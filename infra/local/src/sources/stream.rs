//! Hands the records of a table's stream to a function, in order, and remembers how far it came.
//!
//! Never passes a record before the function has it or its attempts are used up; then the
//! on-failure queue is told which records, without their contents, as on AWS.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Failures, failures};
use crate::bus::pattern::Pattern;
use crate::clock::{self, Clock};
use crate::engine::Engine;
use crate::engine::streams::{self, StreamRecord};
use crate::error::{Result, StackError};
use crate::functions::Pool;
use crate::queue::{Outgoing, QueueStore};
use crate::template::{ACCOUNT, REGION, StreamSource};

/// Records consumed before the consumed ones are deleted from the file.
const TRIM_EVERY: usize = 2_000;
/// First wait before a failed batch is tried again; it doubles up to the longest.
const RETRY_WAIT: Duration = Duration::from_millis(100);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(5);
/// Without a limit in the template Lambda retries for as long as the records live.
const RETRIES_UNLIMITED: u32 = u32::MAX;

/// Where a consumer stands.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct StreamCounts {
    pub records: u64,
    pub batches: u64,
    pub failures: u64,
    /// Records given up.
    pub dead: u64,
}

/// A consumer of one table's stream.
pub struct Follower {
    pub source: StreamSource,
    filters: Vec<Pattern>,
    engine: Engine,
    store: QueueStore,
    function: Arc<Pool>,
    clock: Arc<Clock>,
    /// Whether nobody else reads this stream, so that what was handled here is not needed.
    trims: bool,
    state: Mutex<State>,
    counts: Mutex<StreamCounts>,
}

#[derive(Default)]
struct State {
    /// Everything up to this number has been handled.
    checkpoint: i64,
    /// Ranges that dead letters point to; the file keeps their records.
    kept: Vec<(i64, i64)>,
    untrimmed: usize,
}

/// Starts a consumer, which runs until the engine stops.
pub async fn spawn(
    tasks: &mut JoinSet<()>,
    source: StreamSource,
    engine: &Engine,
    store: &QueueStore,
    function: &Arc<Pool>,
    clock: &Arc<Clock>,
    trims: bool,
) -> Result<Arc<Follower>> {
    let writes = engine.writes_to(&source.table).ok_or_else(|| {
        StackError::new(format!(
            "{} follows the stream of {}, a table that has none in the template",
            source.function, source.table
        ))
    })?;
    let unreadable =
        |reason: String| StackError::new(format!("a filter of {} is not understood: {reason}", source.function));
    let filters = source.filters.iter().map(|filter| Pattern::read(filter).map_err(unreadable));
    let filters = filters.collect::<Result<Vec<_>>>()?;
    let follower = Arc::new(Follower {
        source,
        filters,
        engine: engine.clone(),
        store: store.clone(),
        function: Arc::clone(function),
        clock: Arc::clone(clock),
        trims,
        state: Mutex::default(),
        counts: Mutex::default(),
    });
    follower.restore().await?;
    let running = Arc::clone(&follower);
    tasks.spawn(async move {
        if let Err(error) = running.run(writes).await {
            tracing::debug!(table = running.source.table, %error, "the stream consumer ended");
        }
    });
    Ok(follower)
}

impl Follower {
    /// What has gone through the consumer since the stack started.
    pub fn counts(&self) -> StreamCounts {
        self.counts.lock().expect("not poisoned").clone()
    }

    /// Records written that the function has not had yet.
    pub async fn behind(&self) -> Result<bool> {
        let table = self.source.table.clone();
        let newest = self.engine.with_file(move |file| streams::newest(file, &table)).await?;
        Ok(newest > self.state.lock().expect("not poisoned").checkpoint)
    }

    /// Runs the function again on records that were given up. Whether it handled them all.
    pub async fn replay(&self, start: i64, end: i64) -> Result<bool> {
        let table = self.source.table.clone();
        let records = self.engine.with_file(move |file| streams::read(file, &table, start - 1, REPLAY_MAX)).await?;
        let records: Vec<StreamRecord> = records.into_iter().filter(|record| record.sequence <= end).collect();
        if records.is_empty() {
            return Ok(false);
        }
        if self.attempt(&records).await != Outcome::Handled {
            return Ok(false);
        }
        let kept = {
            let mut state = self.state.lock().expect("not poisoned");
            state.kept.retain(|range| *range != (start, end));
            serde_json::to_string(&state.kept).unwrap_or_default()
        };
        self.store.set_fact(&self.fact("kept"), kept).await?;
        Ok(true)
    }

    async fn restore(&self) -> Result<()> {
        let checkpoint = self.store.fact(&self.fact("checkpoint")).await?;
        let kept = self.store.fact(&self.fact("kept")).await?;
        let mut state = self.state.lock().expect("not poisoned");
        state.checkpoint = checkpoint.and_then(|text| text.parse().ok()).unwrap_or(0);
        state.kept = kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        Ok(())
    }

    async fn run(&self, mut writes: watch::Receiver<u64>) -> Result<()> {
        loop {
            writes.mark_unchanged();
            let records = self.next_records().await?;
            if records.is_empty() {
                writes.changed().await.map_err(|_| StackError::new("the engine has stopped"))?;
                continue;
            }
            let last = records[records.len() - 1].sequence;
            let count = records.len();
            let wanted: Vec<_> = records.into_iter().filter(|record| self.wants(record)).collect();
            if !wanted.is_empty() {
                self.handle(wanted).await?;
            }
            self.passed(last, count).await?;
        }
    }

    async fn next_records(&self) -> Result<Vec<StreamRecord>> {
        let table = self.source.table.clone();
        let after = self.state.lock().expect("not poisoned").checkpoint;
        let limit = self.source.batch_size;
        self.engine.with_file(move |file| streams::read(file, &table, after, limit)).await
    }

    /// Sees records through: handled, or given up after the attempts of the template.
    async fn handle(&self, records: Vec<StreamRecord>) -> Result<()> {
        let retries_max = self.source.retries_max.unwrap_or(RETRIES_UNLIMITED);
        let mut batches = VecDeque::from([(records, 0_u32, Instant::now())]);
        while let Some((batch, retries, since)) = batches.pop_front() {
            let left = match self.attempt(&batch).await {
                Outcome::Handled => continue,
                Outcome::FailedFrom(index) => batch[index..].to_vec(),
                Outcome::Failed => batch,
            };
            self.counts.lock().expect("not poisoned").failures += 1;
            let too_old = self
                .source
                .record_age_seconds_max
                .is_some_and(|seconds| since.elapsed().as_secs() >= u64::from(seconds));
            if retries >= retries_max || too_old {
                self.give_up(&left, retries + 1, too_old).await?;
                continue;
            }
            let doubled = RETRY_WAIT.saturating_mul(1 << retries.min(10));
            tokio::time::sleep(doubled.min(RETRY_WAIT_MAX)).await;
            // Splitting a batch finds the record that fails; on AWS it costs no retry of its own.
            if self.source.bisect && left.len() > 1 {
                let half = left.len() / 2;
                batches.push_front((left[half..].to_vec(), retries, since));
                batches.push_front((left[..half].to_vec(), retries, since));
            } else {
                batches.push_front((left, retries + 1, since));
            }
        }
        Ok(())
    }

    async fn attempt(&self, batch: &[StreamRecord]) -> Outcome {
        {
            let mut counts = self.counts.lock().expect("not poisoned");
            counts.batches += 1;
            counts.records += batch.len() as u64;
        }
        let answer = match self.function.invoke(self.event(batch)).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(table = self.source.table, records = batch.len(), %error, "a stream batch failed");
                return Outcome::Failed;
            }
        };
        if !self.source.partial_responses {
            return Outcome::Handled;
        }
        match failures(&answer) {
            Failures::Everything => Outcome::Failed,
            Failures::Items(failed) if failed.is_empty() => Outcome::Handled,
            // Everything from the first failed record on is delivered again.
            Failures::Items(failed) => batch
                .iter()
                .position(|record| failed.contains(&record.public_sequence()))
                .map_or(Outcome::Failed, Outcome::FailedFrom),
        }
    }

    fn wants(&self, record: &StreamRecord) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| filter.matches(&self.record(record)))
    }

    fn event(&self, batch: &[StreamRecord]) -> Bytes {
        let records: Vec<Value> = batch.iter().map(|record| self.record(record)).collect();
        Bytes::from(json!({ "Records": records }).to_string())
    }

    fn record(&self, record: &StreamRecord) -> Value {
        let image = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
        let mut change = json!({
            "ApproximateCreationDateTime": self.clock.now_ms() / 1_000,
            "Keys": image(&record.keys),
            "SequenceNumber": record.public_sequence(),
            "SizeBytes": record.keys.len() + record.new_image.as_deref().map_or(0, str::len),
            "StreamViewType": "NEW_IMAGE",
        });
        if let Some(new) = &record.new_image {
            change["NewImage"] = image(new);
        }
        if let Some(old) = &record.old_image {
            change["OldImage"] = image(old);
            change["StreamViewType"] = json!("NEW_AND_OLD_IMAGES");
        }
        json!({
            "eventID": record.event_id,
            "eventName": record.event_name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": REGION,
            "dynamodb": change,
            "eventSourceARN": self.stream_arn(),
        })
    }

    /// Tells the on-failure queue, in Lambda's words, which records were given up.
    async fn give_up(&self, batch: &[StreamRecord], attempts: u32, too_old: bool) -> Result<()> {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
            return Ok(());
        };
        self.counts.lock().expect("not poisoned").dead += batch.len() as u64;
        tracing::error!(
            table = self.source.table,
            records = batch.len(),
            "stream records were given up; see `thang-hang dead-letters list`"
        );
        let Some(queue) = &self.source.on_failure else {
            return Ok(());
        };
        let now = clock::iso(self.clock.now_ms());
        let record = json!({
            "version": "1.0",
            "timestamp": now,
            "requestContext": {
                "requestId": crate::queue::message_id(),
                "functionArn": format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", self.source.function),
                "condition": if too_old { "RecordAgeExceeded" } else { "RetryAttemptsExhausted" },
                "approximateInvokeCount": attempts,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "DDBStreamBatchInfo": {
                "shardId": format!("shardId-00000001-{}", self.source.table),
                "startSequenceNumber": first.public_sequence(),
                "endSequenceNumber": last.public_sequence(),
                "approximateArrivalOfFirstRecord": now,
                "approximateArrivalOfLastRecord": now,
                "batchSize": batch.len(),
                "streamArn": self.stream_arn(),
            },
        });
        let kept = {
            let mut state = self.state.lock().expect("not poisoned");
            state.kept.push((first.sequence, last.sequence));
            serde_json::to_string(&state.kept).unwrap_or_default()
        };
        self.store.set_fact(&self.fact("kept"), kept).await?;
        self.store.send(queue, vec![Outgoing::new(record.to_string())]).await?;
        Ok(())
    }

    async fn passed(&self, last: i64, count: usize) -> Result<()> {
        self.store.set_fact(&self.fact("checkpoint"), last.to_string()).await?;
        let trim = {
            let mut state = self.state.lock().expect("not poisoned");
            state.checkpoint = last;
            state.untrimmed += count;
            let due = self.trims && state.untrimmed >= TRIM_EVERY;
            if due {
                state.untrimmed = 0;
            }
            due.then(|| state.kept.clone())
        };
        if let Some(kept) = trim {
            let table = self.source.table.clone();
            self.engine.with_file(move |file| streams::trim(file, &table, last, &kept)).await?;
        }
        Ok(())
    }

    fn stream_arn(&self) -> String {
        format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{}/stream/local", self.source.table)
    }

    fn fact(&self, what: &str) -> String {
        format!("stream {} {} {what}", self.source.table, self.source.function)
    }
}

/// Records read back for one replay.
const REPLAY_MAX: u32 = 10_000;

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Handled,
    /// Records before this index were handled.
    FailedFrom(usize),
    Failed,
}
