//! One message of the queue: which orders it brings or takes away, and when it was sent.

use aws_lambda_events::sqs::SqsMessage;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use loyalty_contract::identity::MemberKey;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_contract::queue::{CanonicalOrder, Deletion, Quarantined, QueueMessage, Source};
use loyalty_contract::webhook::settings::SourceSettings;
use loyalty_contract::webhook::{Delivery, ParseError, parse};
use loyalty_domain::money::Currency;
use loyalty_domain::time::Instant;
use loyalty_runtime::queue::sent_at;
use loyalty_store::OrderEvent;

/// Why a message cannot be taken. It repeats nothing of the body.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    #[error("the programme is paused: the delivery is kept, and replayed from the dead letters afterwards (X50)")]
    Paused,
    #[error("the message has no time at which it was sent")]
    NotSent,
    #[error("the message is not one of ours: line {line}, column {column}")]
    NotOurs { line: usize, column: usize },
    #[error("the delivery that was set aside is not base64")]
    NotBase64,
    #[error("the delivery that was set aside still cannot be read")]
    StillUnreadable(#[source] ParseError),
    #[error("{0} parts of the delivery that was set aside still cannot be read")]
    PartlyUnreadable(usize),
}

/// What a message brings.
#[derive(Debug, Default)]
pub struct Brought {
    pub events: Vec<OrderEvent>,
    pub deleted: Vec<Deleted>,
    /// Some of it cannot be read: the rest is applied, but the message is not done.
    pub unreadable: Option<MessageError>,
}

impl From<MessageError> for Brought {
    /// Nothing.
    fn from(error: MessageError) -> Self {
        Self { unreadable: Some(error), ..Self::default() }
    }
}

/// An order that was deleted: what it was has to be read before anything can be decided about it.
#[derive(Debug)]
pub struct Deleted {
    pub deletion: Deletion,
    /// That of an order nobody knows.
    pub currency: Currency,
    pub now: Instant,
}

/// Reads a message. A delivery that was set aside is read again as its shop's door would: the code, or the programme's
/// settings, may have learnt to since.
///
/// # Errors
/// [`MessageError`] when nothing of it can be read.
pub fn read(message: &SqsMessage, programmes: &ProgrammeFile, key: &MemberKey) -> Result<Brought, MessageError> {
    let now = sent_at(message).ok_or(MessageError::NotSent)?;
    if programmes.at(now).programme.paused {
        return Err(MessageError::Paused);
    }
    let body = message.body.as_deref().unwrap_or_default();
    let event = |order: CanonicalOrder| OrderEvent { snapshot: order.into_snapshot(key), now };
    let deleted =
        |deletion: Deletion| Deleted { currency: settings(programmes, deletion.source, now).currency(), deletion, now };
    match serde_json::from_str(body) {
        Ok(QueueMessage::Order { order }) => Ok(Brought { events: vec![event(*order)], ..Brought::default() }),
        Ok(QueueMessage::Deleted(deletion)) => Ok(Brought { deleted: vec![deleted(deletion)], ..Brought::default() }),
        Ok(QueueMessage::Quarantined(set_aside)) => {
            let delivery = read_again(set_aside, programmes, now)?;
            // An event that is no order is not for this function.
            let unreadable = delivery.quarantined.len() + usize::from(delivery.event.is_some());
            Ok(Brought {
                events: delivery.orders.into_iter().map(event).collect(),
                deleted: delivery.deletions.into_iter().map(deleted).collect(),
                unreadable: (unreadable > 0).then_some(MessageError::PartlyUnreadable(unreadable)),
            })
        }
        Err(error) => Err(MessageError::NotOurs { line: error.line(), column: error.column() }),
    }
}

fn settings(programmes: &ProgrammeFile, source: Source, now: Instant) -> SourceSettings {
    let version = programmes.at(now);
    SourceSettings::of(&version.sources, source, version.programme.currency)
}

fn read_again(set_aside: Quarantined, programmes: &ProgrammeFile, now: Instant) -> Result<Delivery, MessageError> {
    let Quarantined { source, body, base64, reason: _ } = set_aside;
    let body =
        if base64 { BASE64_STANDARD.decode(body).map_err(|_| MessageError::NotBase64)? } else { body.into_bytes() };
    parse(source, None, &body, &settings(programmes, source, now), now).map_err(MessageError::StillUnreadable)
}
