//! The function's own queue: messages that are looked at again after a pause, and pages of those that wait.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use chrono::TimeDelta;
use loyalty_domain::time::Instant;
use serde::{Deserialize, Serialize};

/// SQS takes so many messages in one call, and holds one back for so long.
const MESSAGES_PER_CALL_MAX: usize = 10;
pub const DELAY_SECONDS_MAX: i64 = 900;

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Job {
    /// Look at a message.
    Message { message_id: String },
    /// Queue the messages of a shard that wait until an instant; `round` counts the pages so far.
    Page { at: Instant, shard: String, round: u32 },
    /// Look for what waits, once a pause is over.
    Resume { at: Instant },
}

/// Why jobs are not queued.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    #[error("a job cannot be written")]
    Job(#[from] serde_json::Error),
    #[error("the queue cannot be reached")]
    Call(#[source] Box<aws_sdk_sqs::Error>),
    #[error("the queue refused {0} jobs")]
    Refused(usize),
}

/// The queue.
#[derive(Clone, Debug)]
pub struct Sends {
    client: Client,
    url: String,
}

impl Sends {
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// Queues jobs, to be done after a pause of at most 15 minutes.
    ///
    /// # Errors
    /// When not all of them are queued; some may be, which does no harm.
    pub async fn queue(&self, jobs: &[Job], pause: TimeDelta) -> Result<(), QueueError> {
        let delay = i32::try_from(pause.num_seconds().clamp(0, DELAY_SECONDS_MAX)).unwrap_or_default();
        for few in jobs.chunks(MESSAGES_PER_CALL_MAX) {
            let mut call = self.client.send_message_batch().queue_url(&self.url);
            for (at, job) in few.iter().enumerate() {
                let entry = SendMessageBatchRequestEntry::builder()
                    .id(at.to_string())
                    .delay_seconds(delay)
                    .message_body(serde_json::to_string(job)?)
                    .build()
                    .map_err(|error| QueueError::Call(Box::new(error.into())))?;
                call = call.entries(entry);
            }
            let answer = call.send().await.map_err(|error| QueueError::Call(Box::new(error.into())))?;
            if !answer.failed.is_empty() {
                return Err(QueueError::Refused(answer.failed.len()));
            }
        }
        Ok(())
    }
}
