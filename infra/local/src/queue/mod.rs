//! SQS on a SQLite file: delays, visibility, receive counts and redrive, durable across `kill -9`.
//!
//! Never answers a send before it is on disk; many sends share one commit.

pub mod http;
mod sql;
mod store;

pub use store::{QueueStore, message_id};

use crate::template::Queue;

/// A message to send.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub body: String,
    /// Overrides the queue's delay.
    pub delay_seconds: Option<u32>,
}

impl Outgoing {
    /// A message that waits as long as its queue says.
    pub fn new(body: impl Into<String>) -> Self {
        Self { body: body.into(), delay_seconds: None }
    }
}

/// A message handed out; times in milliseconds of the stack's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub receipt: Receipt,
    pub message_id: String,
    pub body: String,
    pub sent_ms: i64,
    pub first_received_ms: i64,
    pub receives: u32,
}

/// The right to delete or return a message, good for one receive of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    pub row: i64,
    /// The receive this receipt came from; an older one no longer counts.
    pub receive: u32,
}

impl Receipt {
    /// As a receipt handle.
    pub fn to_handle(self) -> String {
        format!("{}-{}", self.row, self.receive)
    }

    /// From a receipt handle.
    pub fn from_handle(handle: &str) -> Option<Self> {
        let (row, receive) = handle.split_once('-')?;
        Some(Self { row: row.parse().ok()?, receive: receive.parse().ok()? })
    }
}

/// A message lying in a queue, as operators see it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Lying {
    pub message_id: String,
    pub queue: String,
    pub body: String,
    pub sent_at: String,
    pub receives: u32,
}

/// What has gone through one queue since the stack started, and what lies in it now.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct QueueCounts {
    pub sent: u64,
    pub received: u64,
    pub deleted: u64,
    /// Moved to the dead-letter queue.
    pub dead: u64,
    /// Waiting, delayed or in flight.
    pub present: u64,
}

/// Wait before a failed message is handed out again, by how often it was received.
///
/// SQS waits for the visibility timeout, minutes here; nobody wants to watch that on a desk, and
/// no function may depend on it.
pub fn retry_wait_ms(receives: u32) -> i64 {
    RETRY_WAIT_MS << receives.saturating_sub(1).min(RETRY_DOUBLINGS_MAX)
}

const RETRY_WAIT_MS: i64 = 200;
const RETRY_DOUBLINGS_MAX: u32 = 5;

/// A queue the local stack keeps for itself: it makes bus and schedule deliveries durable.
pub fn internal(name: &str, retries_max: u32, dead_letters: Option<&str>) -> Queue {
    Queue {
        name: name.to_owned(),
        delay_seconds: 0,
        visibility_seconds: INTERNAL_VISIBILITY_SECONDS,
        redrive: dead_letters.map(|queue| crate::template::Redrive {
            queue: queue.to_owned(),
            receives_max: retries_max.saturating_add(1).min(INTERNAL_ATTEMPTS_MAX),
        }),
    }
}

/// Longer than any function may run.
const INTERNAL_VISIBILITY_SECONDS: u32 = 900;
/// EventBridge's 185 retries over 24 hours are for outages; a desk learns no more after these.
const INTERNAL_ATTEMPTS_MAX: u32 = 6;
