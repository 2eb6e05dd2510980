//! Puts events on the bus, and takes no silence for success.
//!
//! `PutEvents` answers 200 even when it refused some entries (F17): every entry is looked at, those refused are tried
//! again a few times, and what is still refused then fails.

use std::time::Duration;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use loyalty_contract::events::{BusEvent, SOURCE};

/// The variable that names the bus.
pub const BUS_NAME: &str = "BUS_NAME";
/// How many events one `PutEvents` takes: the service's limit.
pub const EVENTS_PER_CALL_MAX: usize = 10;
/// How often an event is offered before it fails; the SDK's own retries of a whole call are apart from it.
pub const PUBLISH_ATTEMPTS_MAX: u32 = 3;
/// The wait before the second attempt; it doubles with each one.
const RETRY_MS_FIRST: u64 = 50;

/// Why an event is not on the bus.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("the event cannot be written as JSON")]
    Detail(#[from] serde_json::Error),
    #[error("the bus cannot be called")]
    Call(#[source] Box<aws_sdk_eventbridge::Error>),
    #[error("the bus refused the event {PUBLISH_ATTEMPTS_MAX} times, the last time with {code}: {message}")]
    Refused { code: String, message: String },
}

/// The event bus.
#[derive(Clone, Debug)]
pub struct Bus {
    client: Client,
    name: String,
}

impl Bus {
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }

    /// Publishes events in their order, in as few calls as there can be.
    ///
    /// # Errors
    /// The place of the first event that is not on the bus, and why. Events after it may be there or not.
    pub async fn publish(&self, events: &[BusEvent]) -> Result<(), (usize, PublishError)> {
        for (call, events) in events.chunks(EVENTS_PER_CALL_MAX).enumerate() {
            let begins = call * EVENTS_PER_CALL_MAX;
            self.publish_few(events).await.map_err(|(at, error)| (begins + at, error))?;
        }
        Ok(())
    }

    /// At most [`EVENTS_PER_CALL_MAX`] events, each offered until it is taken or has been refused too often.
    async fn publish_few(&self, events: &[BusEvent]) -> Result<(), (usize, PublishError)> {
        let mut pending = Vec::with_capacity(events.len());
        for (at, event) in events.iter().enumerate() {
            pending.push((at, self.entry(event).map_err(|error| (at, error))?));
        }
        let mut attempt = 1;
        loop {
            let Some((first, code, message)) = self.offer(&mut pending).await? else { return Ok(()) };
            tracing::warn!(attempt, refused = pending.len(), code, message, "the bus refused events");
            if attempt == PUBLISH_ATTEMPTS_MAX {
                return Err((first, PublishError::Refused { code, message }));
            }
            tokio::time::sleep(Duration::from_millis(RETRY_MS_FIRST << (attempt - 1))).await;
            attempt += 1;
        }
    }

    /// One call. What the bus takes is no longer pending; the answer is the first refusal: its place, code and message.
    async fn offer(
        &self,
        pending: &mut Vec<(usize, PutEventsRequestEntry)>,
    ) -> Result<Option<(usize, String, String)>, (usize, PublishError)> {
        let first = pending.first().map_or(0, |(at, _)| *at);
        let entries = pending.iter().map(|(_, entry)| entry.clone()).collect();
        let call = self.client.put_events().set_entries(Some(entries)).send().await;
        let answer = call.map_err(|error| (first, PublishError::Call(Box::new(error.into()))))?;
        let results = answer.entries();
        let taken = |result: &&PutEventsResultEntry| result.event_id().is_some() && result.error_code().is_none();
        let refused = pending.len() - results.iter().filter(taken).count().min(pending.len());
        // An answer that contradicts itself proves nothing: all of it is offered again, and an event may come twice.
        let sound = usize::try_from(answer.failed_entry_count()) == Ok(refused);
        let mut results = results.iter();
        let mut refusal = None;
        pending.retain(|(at, _)| {
            let result = results.next();
            if sound && result.as_ref().is_some_and(taken) {
                return false;
            }
            let code = result.and_then(|result| result.error_code()).unwrap_or("no code");
            let message = result.and_then(|result| result.error_message()).unwrap_or("no message");
            refusal.get_or_insert_with(|| (*at, code.to_owned(), message.to_owned()));
            true
        });
        Ok(refusal)
    }

    fn entry(&self, event: &BusEvent) -> Result<PutEventsRequestEntry, PublishError> {
        Ok(PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(event.detail_type())
            .detail(event.detail()?)
            .time(DateTime::from_millis(event.recorded_at().timestamp_millis()))
            .build())
    }
}
