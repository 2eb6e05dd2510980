//! What the rows look like: the only place that knows the attributes of the tables.
//!
//! A row is always written whole. Attributes are absent rather than null; times are RFC 3339 in UTC; amounts are minor
//! units and their names say so. Names and words here are part of the product's outside: operators read them, and the
//! verifier checks them without sharing any code with this crate.

mod entry;
mod member;
mod order;
mod participation;
mod request;
mod terms;
#[cfg(test)]
mod tests;
mod voucher;

use loyalty_domain::lots::{Expiry, Lot};
use loyalty_domain::points::Legs;
use serde::{Deserialize, Serialize};

use crate::words::Text;

pub(crate) use entry::{decode as decode_entry, encode as encode_entry};
pub(crate) use member::{decode as decode_member, encode as encode_member};
pub(crate) use order::{decode as decode_order, encode as encode_order};
pub(crate) use participation::{decode as decode_participation, encode as encode_participation};
pub(crate) use request::{decode as decode_request, encode as encode_request};
pub(crate) use voucher::{decode as decode_voucher, encode as encode_voucher};

/// A row that exists is not what this version can read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("an attribute is missing or not of the kind it should be")]
    Attribute(#[from] serde_dynamo::Error),
    #[error("the lots do not fit 64 bits")]
    Lots(#[from] loyalty_domain::points::Overflow),
    #[error("{0} and {1} are both or neither there")]
    Pair(&'static str, &'static str),
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct LegsRecord {
    redeemable: i64,
    qualifying: i64,
}

impl LegsRecord {
    fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

impl From<Legs> for LegsRecord {
    fn from(legs: Legs) -> Self {
        Self { redeemable: legs.redeemable.0, qualifying: legs.qualifying.0 }
    }
}

impl From<LegsRecord> for Legs {
    fn from(record: LegsRecord) -> Self {
        Legs::new(record.redeemable, record.qualifying)
    }
}

#[derive(Serialize, Deserialize)]
struct LotRecord {
    expires_on: Text<Expiry>,
    points: i64,
}

impl From<&Lot> for LotRecord {
    fn from(lot: &Lot) -> Self {
        Self { expires_on: Text(lot.expiry), points: lot.points }
    }
}

impl From<LotRecord> for Lot {
    fn from(record: LotRecord) -> Self {
        Lot { expiry: record.expires_on.0, points: record.points }
    }
}

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
