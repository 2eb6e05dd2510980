//! Hands the messages of a queue to a function in batches.

use std::sync::Arc;

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Failures, failures};
use crate::functions::Pool;
use crate::queue::{QueueStore, Receipt, Received};
use crate::template::{ACCOUNT, Queue, REGION};

/// What the function finds in its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// An SQS event of up to this many records, answered in part when the flag says so.
    Batch { size: u32, partial_responses: bool },
    /// The body of one message: bus and schedule deliveries.
    Body,
}

/// Starts `concurrency` workers, which run until the store stops.
pub fn spawn(
    tasks: &mut JoinSet<()>,
    store: &QueueStore,
    queue: &Queue,
    function: &Arc<Pool>,
    delivered: Delivered,
    concurrency: u32,
) {
    for _ in 0..concurrency {
        let (store, queue, function) = (store.clone(), queue.clone(), Arc::clone(function));
        tasks.spawn(async move {
            let size = match delivered {
                Delivered::Batch { size, .. } => size,
                Delivered::Body => 1,
            };
            while let Ok(batch) = store.receive(&queue.name, size, queue.visibility_seconds).await {
                let (done, failed) = run(&queue.name, &function, delivered, &batch).await;
                if let Err(error) = store.settle(&queue.name, done, failed).await {
                    tracing::error!(queue = queue.name, %error, "a batch could not be settled");
                }
            }
        });
    }
}

/// Runs the function on a batch; which messages are done and which failed.
async fn run(
    queue: &str,
    function: &Arc<Pool>,
    delivered: Delivered,
    batch: &[Received],
) -> (Vec<Receipt>, Vec<Receipt>) {
    let payload = match delivered {
        Delivered::Batch { .. } => event(queue, batch),
        Delivered::Body => Bytes::from(batch[0].body.clone()),
    };
    let all = || batch.iter().map(|message| message.receipt).collect::<Vec<_>>();
    let answer = match function.invoke(payload).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(queue, messages = batch.len(), %error, "a batch failed");
            return (Vec::new(), all());
        }
    };
    let partial = matches!(delivered, Delivered::Batch { partial_responses: true, .. });
    let failed = match partial.then(|| failures(&answer)) {
        None => return (all(), Vec::new()),
        Some(Failures::Items(failed)) => failed,
        Some(Failures::Everything) => {
            tracing::warn!(queue, "the answer to a batch was not understood");
            return (Vec::new(), all());
        }
    };
    // An identifier that is not in the batch fails the whole batch, as on AWS.
    if failed.iter().any(|id| batch.iter().all(|message| message.message_id != *id)) {
        return (Vec::new(), all());
    }
    let (failed, done): (Vec<&Received>, Vec<&Received>) =
        batch.iter().partition(|message| failed.contains(&message.message_id));
    let receipts = |messages: Vec<&Received>| messages.iter().map(|one| one.receipt).collect();
    (receipts(done), receipts(failed))
}

fn event(queue: &str, batch: &[Received]) -> Bytes {
    let records: Vec<Value> = batch
        .iter()
        .map(|message| {
            json!({
                "messageId": message.message_id,
                "receiptHandle": message.receipt.to_handle(),
                "body": message.body,
                "attributes": {
                    "ApproximateReceiveCount": message.receives.to_string(),
                    "SentTimestamp": message.sent_ms.to_string(),
                    "SenderId": ACCOUNT,
                    "ApproximateFirstReceiveTimestamp": message.first_received_ms.to_string(),
                },
                "messageAttributes": {},
                "md5OfBody": format!("{:x}", md5::compute(&message.body)),
                "eventSource": "aws:sqs",
                "eventSourceARN": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"),
                "awsRegion": REGION,
            })
        })
        .collect();
    Bytes::from(json!({ "Records": records }).to_string())
}
