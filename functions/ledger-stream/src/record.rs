//! Reads what a stream record brings: an entry of `points-history`, or a voucher that was issued.
//!
//! Only the attributes that events and messages need are read, and unknown ones are passed over: a row that a newer
//! version wrote is still an entry (F27). The code of a voucher is not among them, so nothing here can tell it.

use std::fmt;

use aws_lambda_events::dynamodb::EventRecord;
use chrono::{DateTime, NaiveDate, Utc};
use loyalty_contract::events::{Kind, ParticipationWord, Points, Why};
use loyalty_domain::campaign::ParticipationNote;
use loyalty_domain::ids::VoucherId;
use loyalty_domain::ledger::Entry;
use loyalty_domain::lots::{Expiry, Lot};
use loyalty_domain::points::Legs;
use loyalty_domain::time::Instant;
use loyalty_domain::voucher::{Grant, Offer, Worth};
use serde::Deserialize;

/// A row that was written and that something follows from.
#[derive(Debug, PartialEq, Eq)]
pub enum Written {
    Entry(Box<Entry>),
    Voucher(Box<Issued>),
}

/// A voucher that was issued, without its code.
#[derive(Debug, PartialEq, Eq)]
pub struct Issued {
    pub voucher_id: VoucherId,
    pub grant: Grant,
    pub issued_at: Instant,
}

impl Written {
    /// The instant whose programme it was written under.
    pub fn at(&self) -> Instant {
        match self {
            Self::Entry(entry) => entry.recorded_at,
            Self::Voucher(voucher) => voucher.issued_at,
        }
    }
}

/// The key of the row.
impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(entry) => write!(f, "{}/{}", entry.member_id, entry.seq),
            Self::Voucher(voucher) => write!(f, "{}", voucher.voucher_id),
        }
    }
}

/// A record that should hold a row and does not. It is never passed over: what it is about would stay untold.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("the record has no new image: the stream of its table must be NEW_IMAGE")]
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

/// The attributes of a row of `vouchers` that the event needs.
#[derive(Deserialize)]
struct VoucherImage {
    voucher_id: String,
    member_id: String,
    grant_id: String,
    offer: String,
    name: String,
    worth: ImageWorth,
    valid_days: u32,
    #[serde(default)]
    order_min_minor: i64,
    valid_from: NaiveDate,
    valid_until: NaiveDate,
    tier: Option<String>,
    issued_at: DateTime<Utc>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ImageWorth {
    Percent { percent: u32, most_minor: Option<i64> },
    AmountMinor(i64),
    Gift(String),
    GameTurns(u32),
    Combo(String),
}

/// What a record brings, if anything.
///
/// # Errors
/// [`RecordError`] for an inserted row that cannot be read.
pub fn written(record: EventRecord) -> Result<Option<Written>, RecordError> {
    if record.change.keys.contains_key("voucher_id") {
        let voucher = issued(record)?;
        Ok(voucher.map(|voucher| Written::Voucher(Box::new(voucher))))
    } else {
        let entry = entry_of(record)?;
        Ok(entry.map(|entry| Written::Entry(Box::new(entry))))
    }
}

/// The voucher that a record issues. `None` when one was used, reminded of or is over: its row is the same voucher.
fn issued(record: EventRecord) -> Result<Option<Issued>, RecordError> {
    if record.event_name != "INSERT" {
        return Ok(None);
    }
    if record.change.new_image.is_empty() {
        return Err(RecordError::NoImage);
    }
    let image: VoucherImage = serde_dynamo::from_item(record.change.new_image)?;
    let offer = Offer {
        id: image.offer.as_str().into(),
        name: image.name,
        worth: match image.worth {
            ImageWorth::Percent { percent, most_minor } => Worth::Percent { percent, most_minor },
            ImageWorth::AmountMinor(minor) => Worth::Amount { minor },
            ImageWorth::Gift(what) => Worth::Gift { what },
            ImageWorth::GameTurns(turns) => Worth::GameTurn { turns },
            ImageWorth::Combo(what) => Worth::Combo { what },
        },
        valid_days: image.valid_days,
        order_min_minor: image.order_min_minor,
    };
    let grant = Grant {
        grant_id: image.grant_id,
        member_id: image.member_id.as_str().into(),
        offer,
        valid_from: image.valid_from,
        valid_until: image.valid_until,
        tier: image.tier.as_deref().map(Into::into),
        remind_on: None,
    };
    Ok(Some(Issued { voucher_id: VoucherId::new(image.voucher_id), grant, issued_at: image.issued_at }))
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
        opened: None,
        merge: None,
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
