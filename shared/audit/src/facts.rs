//! What a shop said of an order, as it stands on order rows and entries.

use chrono::{DateTime, Utc};

use crate::Row;
use crate::fields::{Read, instant, number, number_if_any, text};
use crate::terms::within_64_bits;

/// How far an order is, as far as points care. Rises as it moves along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Status {
    Pending,
    Confirmed,
    Shipping,
    Delivered,
    Returned,
    Cancelled,
}

/// How far its payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Payment {
    Unpaid,
    PartiallyPaid,
    Paid,
    PartiallyRefunded,
    Refunded,
    Voided,
}

/// A snapshot's figures, in the order of precedence: of two snapshots of one order the greater counts (I5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Facts<'a> {
    pub updated_at: DateTime<Utc>,
    pub status: Status,
    pub payment: Payment,
    pub refunded_minor: i128,
    pub refunded_lines_minor: Option<i128>,
    pub due_minor: i128,
    pub shipping_minor: i128,
    pub items_minor: Option<i128>,
    pub currency: &'a str,
    pub placed_at: DateTime<Utc>,
    /// Paid with the wallet.
    pub wallet_minor: i128,
}

impl<'a> Facts<'a> {
    pub fn read(row: &'a Row) -> Read<Self> {
        let facts = Self {
            updated_at: instant(row, "updated_at")?,
            status: status(text(row, "status")?)?,
            payment: payment(text(row, "payment_status")?)?,
            refunded_minor: number(row, "refunded_minor")?,
            refunded_lines_minor: number_if_any(row, "refunded_lines_minor")?,
            due_minor: number(row, "due_minor")?,
            shipping_minor: number(row, "shipping_minor")?,
            items_minor: number_if_any(row, "items_minor")?,
            currency: text(row, "currency")?,
            placed_at: instant(row, "placed_at")?,
            wallet_minor: number_if_any(row, "wallet_minor")?.unwrap_or(0),
        };
        Ok(facts)
    }

    /// Cancelled, returned, given back or never taken (R1).
    pub fn undone(&self) -> bool {
        matches!(self.status, Status::Returned | Status::Cancelled)
            || matches!(self.payment, Payment::Refunded | Payment::Voided)
    }

    /// Neither cancelled nor returned (X44).
    pub fn counts(&self) -> bool {
        !matches!(self.status, Status::Returned | Status::Cancelled)
    }

    /// Paid now (contract: a partial refund still counts as paid).
    pub fn paid(&self) -> bool {
        matches!(self.payment, Payment::Paid | Payment::PartiallyRefunded)
    }

    /// Amount due minus shipping minus refunds, never below zero (X44).
    pub fn spent_minor(&self) -> i128 {
        (within_64_bits(self.due_minor - self.shipping_minor) - self.refunded_minor.max(0)).max(0)
    }
}

fn status(word: &str) -> Read<Status> {
    Ok(match word {
        "pending" => Status::Pending,
        "confirmed" => Status::Confirmed,
        "shipping" => Status::Shipping,
        "delivered" => Status::Delivered,
        "returned" => Status::Returned,
        "cancelled" => Status::Cancelled,
        _ => return Err(format!("`status` is {word:?}")),
    })
}

fn payment(word: &str) -> Read<Payment> {
    Ok(match word {
        "unpaid" => Payment::Unpaid,
        "partially_paid" => Payment::PartiallyPaid,
        "paid" => Payment::Paid,
        "partially_refunded" => Payment::PartiallyRefunded,
        "refunded" => Payment::Refunded,
        "voided" => Payment::Voided,
        _ => return Err(format!("`payment_status` is {word:?}")),
    })
}
