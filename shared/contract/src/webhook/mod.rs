//! Shop bodies to canonical orders.
//!
//! Each adapter reads what its shop really sends and says what it means; none of them knows a point. A body is a
//! snapshot of a whole order, or says that one was deleted, or it is nothing: hints never move the ledger. Whatever is
//! wrong with a body is an error that names the field but repeats nothing of what was sent, and no input makes an adapter
//! panic.

mod context;
pub mod event;
mod haravan;
pub mod json;
mod kiotviet;
mod nhanh;
mod pancake;
mod rest_order;
mod sapo;
pub mod settings;
mod shopify;
mod standard;
pub mod time;
mod woocommerce;

use chrono::{DateTime, Utc};

use crate::amount::AmountError;
use crate::queue::{CanonicalOrder, Deletion, Quarantined, Source};
use context::Context;
use event::ShopEvent;
use settings::SourceSettings;

/// The longest body that is read, in bytes.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// The deepest nesting of arrays and objects; real orders have about ten.
pub const DEPTH_MAX: usize = 64;
/// The longest list of lines, refunds or orders in one body.
pub const LIST_MAX: usize = 2000;

/// What one delivery holds: nothing, or any of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    pub orders: Vec<CanonicalOrder>,
    pub deletions: Vec<Deletion>,
    /// Parts that are the shop's but cannot be read, where the shop must not be told so.
    pub quarantined: Vec<Quarantined>,
    /// What a shop reports beside orders; only the generic webhook carries it.
    pub event: Option<ShopEvent>,
    /// Why something was acknowledged without effect: a test, a hint, another topic.
    pub ignored: Vec<&'static str>,
}

impl Delivery {
    fn order(order: CanonicalOrder) -> Self {
        Self { orders: vec![order], ..Self::default() }
    }

    fn deletion(deletion: Deletion) -> Self {
        Self { deletions: vec![deletion], ..Self::default() }
    }

    fn event(event: ShopEvent) -> Self {
        Self { event: Some(event), ..Self::default() }
    }

    fn ignored(reason: &'static str) -> Self {
        Self { ignored: vec![reason], ..Self::default() }
    }
}

/// Why a body cannot be taken. It names fields of ours or the shop's format, and nothing the body says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("the body is longer than {BODY_BYTES_MAX} bytes")]
    TooLong,
    #[error("the body is not UTF-8")]
    NotUtf8,
    #[error("the body is nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    #[error("a list is longer than {LIST_MAX}")]
    TooMany,
    #[error("the body is not JSON at line {line}, column {column}")]
    NotJson { line: usize, column: usize },
    #[error("the body is not a JSON object")]
    NoObject,
    #[error("a field is repeated or has the wrong type before line {line}, column {column}")]
    WrongShape { line: usize, column: usize },
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{field} {why}")]
    Invalid { field: &'static str, why: &'static str },
    #[error("{field}: the amount {why}")]
    Amount { field: &'static str, why: AmountError },
    #[error("{field} is not one of {known}")]
    UnknownWord { field: &'static str, known: &'static str },
    #[error("currency is not {expected}, the only one this programme takes here")]
    OtherCurrency { expected: &'static str },
    #[error(
        "type is not one this door takes: it takes order.changed, behaviour, topup, customer.registered, \
         customer.changed, customer.tier_changed and customer.consent"
    )]
    UnsupportedType,
    #[error(
        "type is not one this address takes: it takes behaviour, topup, customer.registered, customer.changed, \
         customer.tier_changed and customer.consent"
    )]
    UnknownEvent,
    #[error(
        "a field is unknown, repeated or of the wrong type before line {line}, column {column}; the fields are {fields}"
    )]
    WrongFields { line: usize, column: usize, fields: &'static str },
}

/// What a delivery of `source` holds. `topic` is the shop's topic header, where it has one: it may only say that the
/// body is no order at all, or that it names an order that was deleted. `received_at` stands in where a shop sends no time.
///
/// # Errors
/// [`ParseError`]; nothing of the body has been taken then.
pub fn parse(
    source: Source,
    topic: Option<&str>,
    body: &[u8],
    settings: &SourceSettings,
    received_at: DateTime<Utc>,
) -> Result<Delivery, ParseError> {
    let text = checked_object(body)?;
    let context = Context { source, settings, received_at };
    match source {
        Source::Standard => standard::parse(&context, text),
        Source::Shopify => shopify::parse(&context, topic, text),
        Source::WooCommerce => woocommerce::parse(&context, topic, text),
        Source::Haravan => haravan::parse(&context, topic, text),
        Source::Sapo => sapo::parse(&context, topic, text),
        Source::KiotViet => kiotviet::parse(&context, text),
        Source::Pancake => pancake::parse(&context, text),
        Source::Nhanh => nhanh::parse(&context, text),
    }
}

/// The text of a body that is safe to parse, without byte order mark and white space around it: an object, because a list
/// would be read as the fields one after the other.
///
/// # Errors
/// [`ParseError`] for what is none, or is too long or too deep to look at.
pub fn checked_object(body: &[u8]) -> Result<&str, ParseError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(ParseError::TooLong);
    }
    let text = std::str::from_utf8(body).map_err(|_| ParseError::NotUtf8)?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if json::depth(text) > DEPTH_MAX {
        return Err(ParseError::TooDeep);
    }
    if !text.starts_with('{') {
        serde_json::from_str::<serde::de::IgnoredAny>(text)?;
        return Err(ParseError::NoObject);
    }
    Ok(text)
}

impl From<serde_json::Error> for ParseError {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        if error.is_data() { Self::WrongShape { line, column } } else { Self::NotJson { line, column } }
    }
}

#[cfg(test)]
mod tests;
