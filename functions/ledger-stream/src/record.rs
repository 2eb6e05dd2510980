//! Reads an entry from a stream record of `points-history`.
//!
//! Only the attributes that events and messages need are read, and unknown ones are passed over: a row that a newer
//! version wrote is still an entry (F27).

use aws_lambda_events::dynamodb::EventRecord;
use chrono::{DateTime, NaiveDate, Utc};
use loyalty_contract::events::{Kind, ParticipationWord, Points, Why};
use loyalty_domain::campaign::ParticipationNote;
use loyalty_domain::ledger::Entry;
use loyalty_domain::lots::{Expiry, Lot};
use loyalty_domain::points::Legs;
use serde::Deserialize;

/// A record that should hold an entry and does not. It is never passed over: its points would stay untold.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("the record has no new image: the stream of points-history must be NEW_IMAGE")]
    NoImage,
    #[error("an attribute is missing or not of the kind it should be")]
    Attribute(#[from] serde_dynamo::Error),
    #[error("`{0}` is no expiry: a day or `never`")]
    Expiry(String),
}

/// The attributes of a row of `points-history` that follow-ups need.
#[derive(Deserialize)]
struct Image {
    member_id: String,
    seq: u64,
    kind: Kind,
    reason: Why,
    rule: String,
    order_id: Option<String>,
    reverses: Option<u64>,
    #[serde(default)]
    participations: Vec<ImageNote>,
    redeemable: i64,
    qualifying: i64,
    balance_after: Points,
    #[serde(default)]
    lots: Vec<ImageLot>,
    written_off: Option<Points>,
    tier_before: String,
    tier_after: String,
    programme_version: String,
    occurred_at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct ImageNote {
    campaign: String,
    granted: u32,
    used: u32,
    state: ParticipationWord,
}

#[derive(Deserialize)]
struct ImageLot {
    expires_on: String,
    points: i64,
}

/// The entry that a record brings, without the figures it was computed from. `None` for a record that brings none: an
/// entry is only ever inserted, so anything else is somebody's doing by hand, and said loudly.
///
/// # Errors
/// [`RecordError`] for an inserted row that cannot be read.
pub fn entry_of(record: EventRecord) -> Result<Option<Entry>, RecordError> {
    if record.event_name != "INSERT" {
        let sequence = record.change.sequence_number.as_deref().unwrap_or_default();
        let what = record.event_name.as_str();
        tracing::error!(
            sequence,
            what,
            "points-history is append-only, but a row was changed; nothing follows from it"
        );
        return Ok(None);
    }
    if record.change.new_image.is_empty() {
        return Err(RecordError::NoImage);
    }
    let image: Image = serde_dynamo::from_item(record.change.new_image)?;
    Ok(Some(Entry {
        member_id: image.member_id.as_str().into(),
        seq: image.seq,
        kind: image.kind.into(),
        legs: Legs::new(image.redeemable, image.qualifying),
        balance_after: legs(image.balance_after),
        lots: image.lots.into_iter().map(lot).collect::<Result<_, _>>()?,
        written_off: image.written_off.map_or(Legs::ZERO, legs),
        tier_before: image.tier_before.as_str().into(),
        tier_after: image.tier_after.as_str().into(),
        order_id: image.order_id.as_deref().map(Into::into),
        rule: image.rule.as_str().into(),
        reason: image.reason.into(),
        reverses: image.reverses,
        request_id: None,
        note: None,
        wallet: None,
        participations: image.participations.into_iter().map(note).collect(),
        explanation: None,
        programme_version: image.programme_version.as_str().into(),
        occurred_at: image.occurred_at,
        recorded_at: image.recorded_at,
    }))
}

fn note(ImageNote { campaign, granted, used, state }: ImageNote) -> ParticipationNote {
    ParticipationNote { campaign: campaign.as_str().into(), granted, used, state: state.into() }
}

fn legs(points: Points) -> Legs {
    Legs::new(points.redeemable, points.qualifying)
}

fn lot(ImageLot { expires_on, points }: ImageLot) -> Result<Lot, RecordError> {
    let expiry = match expires_on.as_str() {
        "never" => Expiry::Never,
        day => Expiry::On(day.parse::<NaiveDate>().map_err(|_| RecordError::Expiry(expires_on))?),
    };
    Ok(Lot { expiry, points })
}
