//! Events that the webhook's door has queued: those of shops, read again as they were sent and signed and done like those
//! of `POST /events`, and those of the official account at Zalo.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use loyalty_contract::webhook::ParseError;
use loyalty_contract::zalo::FromZalo;
use loyalty_runtime::chain;
use loyalty_runtime::queue::sent_at;

use crate::MemberCommands;
use crate::zalo::NotKept;

/// Why an event is not done. It comes again, and then lies in the dead letters until it is replayed. It repeats nothing of
/// the body.
#[derive(Debug, thiserror::Error)]
enum NotDone {
    #[error("the programme is paused: the event is kept, and replayed from the dead letters afterwards (X50)")]
    Paused,
    #[error("the message has no time at which it was sent")]
    NotSent,
    #[error("the message cannot be read")]
    Unreadable(#[from] ParseError),
    #[error("the books cannot be read or written")]
    Unavailable,
    #[error(transparent)]
    NotKept(#[from] NotKept),
}

impl MemberCommands {
    /// Works a batch. The answer names the messages that are to come again.
    pub async fn work(&self, batch: SqsEvent) -> SqsBatchResponse {
        let before = self.books.consumed();
        let (mut answer, events) = (SqsBatchResponse::default(), batch.records.len());
        for message in batch.records {
            if let Err(error) = Box::pin(self.work_one(&message)).await {
                let message_id = message.message_id.as_deref();
                tracing::error!(message_id, error = chain(&error), "an event is not done");
                answer.add_failure(message.message_id.unwrap_or_default());
            }
        }
        let consumed = self.books.consumed() - before;
        tracing::info!(
            events,
            read_units = consumed.read_units,
            write_units = consumed.write_units,
            "a batch of events is done"
        );
        answer
    }

    /// A refusal is done too: the same event again would be refused again, and nobody waits for an answer.
    async fn work_one(&self, message: &SqsMessage) -> Result<(), NotDone> {
        let now = sent_at(message).ok_or(NotDone::NotSent)?;
        let body = message.body.as_deref().unwrap_or_default();
        if let Some(told) = FromZalo::of(body) {
            return Ok(self.keep_zalo(told, now).await?);
        }
        if self.programme(now).paused {
            return Err(NotDone::Paused);
        }
        let event = self.read_event(body.as_bytes(), now)?;
        let kind = event.kind();
        match self.take(event, now).await {
            Ok(answer) => tracing::info!(kind, new = answer.status_code == 201, "an event is done"),
            Err(problem) if problem.status == 503 => return Err(NotDone::Unavailable),
            Err(problem) => tracing::warn!(kind, refused = problem.kind, "an event is refused"),
        }
        Ok(())
    }
}
