//! The queue of pages.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;

use crate::page::Page;

/// SQS takes so many messages in one call.
const MESSAGES_PER_CALL_MAX: usize = 10;

/// Why pages are not queued.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    #[error("a page cannot be written")]
    Page(#[from] serde_json::Error),
    #[error("the queue cannot be reached")]
    Call(#[source] Box<aws_sdk_sqs::Error>),
    #[error("the queue refused {0} pages")]
    Refused(usize),
}

/// The queue.
#[derive(Clone, Debug)]
pub struct Runs {
    client: Client,
    url: String,
}

impl Runs {
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// Queues pages.
    ///
    /// # Errors
    /// When not all of them are queued; some may be, which does no harm.
    pub async fn queue(&self, pages: &[Page]) -> Result<(), QueueError> {
        for few in pages.chunks(MESSAGES_PER_CALL_MAX) {
            let mut call = self.client.send_message_batch().queue_url(&self.url);
            for (at, page) in few.iter().enumerate() {
                let entry = SendMessageBatchRequestEntry::builder()
                    .id(at.to_string())
                    .message_body(serde_json::to_string(page)?)
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
