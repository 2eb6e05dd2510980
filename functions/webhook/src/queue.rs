//! Handing messages to SQS: all of them, or an error.

use std::fmt;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use loyalty_contract::queue::QueueMessage;

use crate::config::Queues;

/// SQS takes no more messages in one call.
const BATCH_MAX: usize = 10;
/// And no more bytes; a single message above it is sent alone.
const BATCH_BYTES_MAX: usize = 256 * 1024;
/// Shops wait five seconds at most.
const CALL_TIMEOUT: Duration = Duration::from_millis(3500);
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1500);

/// Why a message is not in the queue.
#[derive(Debug, thiserror::Error)]
pub enum NotQueued {
    #[error("the call to the queue failed")]
    Call(#[source] Box<aws_sdk_sqs::Error>),
    #[error("the queue refused {failed} of {sent} messages")]
    Refused { failed: usize, sent: usize },
}

/// A body that holds an event, as it was signed: its consumer reads it again. It names a customer, so `Debug` shows
/// nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct EventBody {
    pub body: String,
    /// Seconds until it is handed out.
    pub delay_seconds: i32,
}

impl EventBody {
    /// One to be handed out at once.
    pub fn now(body: String) -> Self {
        Self { body, delay_seconds: 0 }
    }
}

impl fmt::Debug for EventBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventBody({} bytes)", self.body.len())
    }
}

/// The order queue and its dead letters, and the queue of events.
pub struct Queue {
    client: Client,
    queues: Queues,
}

impl Queue {
    /// With one client, built before the first delivery.
    pub fn new(sdk: &SdkConfig, queues: Queues) -> Self {
        let timeouts =
            TimeoutConfig::builder().operation_timeout(CALL_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
        let config = aws_sdk_sqs::config::Builder::from(sdk).timeout_config(timeouts).build();
        Self { client: Client::from_conf(config), queues }
    }

    /// Orders go to the order queue, quarantined parts straight to its dead letters, an event to a queue of its own.
    ///
    /// # Errors
    /// [`NotQueued`] unless every message was stored. Some may have been; they do no harm when they come again.
    pub async fn send(
        &self,
        orders: &[QueueMessage],
        quarantined: &[QueueMessage],
        event: Option<EventBody>,
    ) -> Result<(), NotQueued> {
        let written = |message| serde_json::to_string(message).expect("queue messages are plain data");
        self.send_to(&self.queues.orders, orders.iter().map(written).collect(), 0).await?;
        self.send_to(&self.queues.dead_letters, quarantined.iter().map(written).collect(), 0).await?;
        let Some(EventBody { body, delay_seconds }) = event else { return Ok(()) };
        self.send_to(&self.queues.events, vec![body], delay_seconds).await
    }

    /// `delay_seconds` of 0 leaves each to the delay of its queue.
    async fn send_to(&self, url: &str, bodies: Vec<String>, delay_seconds: i32) -> Result<(), NotQueued> {
        let delay_seconds = (delay_seconds > 0).then_some(delay_seconds);
        for batch in batches(bodies) {
            let sent = batch.len();
            let entries = batch.into_iter().enumerate().map(|(at, body)| {
                SendMessageBatchRequestEntry::builder()
                    .id(at.to_string())
                    .message_body(body)
                    .set_delay_seconds(delay_seconds)
                    .build()
                    .expect("id and body are set")
            });
            let call = self.client.send_message_batch().queue_url(url).set_entries(Some(entries.collect()));
            let answer = call.send().await.map_err(|error| NotQueued::Call(Box::new(error.into())))?;
            let failed = sent.saturating_sub(answer.successful().len());
            if failed > 0 || !answer.failed().is_empty() {
                return Err(NotQueued::Refused { failed, sent });
            }
        }
        Ok(())
    }
}

/// As few calls as SQS allows, in order.
fn batches(bodies: Vec<String>) -> Vec<Vec<String>> {
    let mut batches: Vec<Vec<String>> = Vec::new();
    let mut bytes = 0_usize;
    for body in bodies {
        bytes = bytes.saturating_add(body.len());
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH_MAX && bytes <= BATCH_BYTES_MAX => batch.push(body),
            _ => {
                bytes = body.len();
                batches.push(vec![body]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_as_full_as_sqs_allows() {
        let sizes = |bodies: Vec<String>| batches(bodies).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(vec![]), Vec::<usize>::new());
        assert_eq!(sizes(vec!["x".into(); 23]), [10, 10, 3]);
        assert_eq!(sizes(vec!["x".repeat(100 * 1024); 5]), [2, 2, 1]);
        assert_eq!(sizes(vec!["x".repeat(600 * 1024), "x".into()]), [1, 1]);
    }
}
