//! What a message of a queue says of itself.

use aws_lambda_events::sqs::SqsMessage;
use chrono::{DateTime, Utc};

/// When the message was sent: its "now". `SentTimestamp` is the queue's, in milliseconds, and a redelivery keeps it.
pub fn sent_at(message: &SqsMessage) -> Option<DateTime<Utc>> {
    let millis = message.attributes.get("SentTimestamp")?.parse().ok()?;
    DateTime::from_timestamp_millis(millis)
}
