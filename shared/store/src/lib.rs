//! The tables: reads the rows an event concerns, and writes what the domain decided, whole or not at all (I3).
//!
//! Nothing here knows what a point is worth. A decision is written exactly as it came: one conditional transaction for
//! the rows of a member, on the condition that none of them has changed since it was read. A lost race is read and
//! decided again. What DynamoDB charged is counted, because what an order costs is part of the product.

mod apply;
mod budget;
mod commands;
mod commit;
mod consumed;
mod contacts;
#[cfg(feature = "test-engine")]
pub mod engine;
mod erasure;
mod error;
pub mod index;
mod item;
mod merge;
mod opening;
mod outgoing;
mod outside;
mod past;
mod read;
mod records;
mod rows;
pub mod runs;
mod senders;
mod staged;
pub mod units;
mod vouchers;
mod waiting;
pub mod words;

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::Client;

pub use apply::{Applied, OrderEvent};
pub use commands::{Concerns, Loaded, Pending, Seen};
pub use consumed::Consumed;
pub use contacts::{Contact, Wish, ZaloKey};
pub use error::StoreError;
pub use merge::Merging;
pub use opening::Mode;
pub use outgoing::{Claim, Ending, MessageState, Note, Outgoing, RECEIPT, SEND};
pub use outside::Followed;
pub use read::{HISTORY_PAGE_MAX, HistoryPage};
pub use senders::{Lease, Sender};
pub use vouchers::{Code, Coder};

/// A row as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    pub row: T,
    /// Rises with every write of the row; 1 for its first.
    pub revision: u64,
}

/// Whether a read may miss what was written a moment ago. The conditions of a write check again whatever it rests on,
/// so only what is shown or concluded without a write needs more than `Eventual`, which costs half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    Eventual,
    Strong,
}

/// The tables that hold the books, and those that messages are sent by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Table {
    Members,
    PointsHistory,
    Orders,
    Participations,
    Requests,
    Vouchers,
    Messages,
    Contacts,
    ZaloUsers,
    Senders,
}

impl Table {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Members => "members",
            Self::PointsHistory => "points-history",
            Self::Orders => "orders",
            Self::Participations => "participations",
            Self::Requests => "requests",
            Self::Vouchers => "vouchers",
            Self::Messages => "messages",
            Self::Contacts => "contacts",
            Self::ZaloUsers => "zalo-users",
            Self::Senders => "senders",
        }
    }

    const fn partition_key(self) -> &'static str {
        match self {
            Self::Members | Self::PointsHistory => "member_id",
            Self::Orders => "order_id",
            Self::Participations => "campaign",
            Self::Requests => "request_id",
            Self::Vouchers => "voucher_id",
            Self::Messages => "message_id",
            Self::Contacts => "member_id",
            Self::ZaloUsers => "user_id",
            Self::Senders => "sender",
        }
    }

    const fn sort_key(self) -> Option<&'static str> {
        match self {
            Self::PointsHistory => Some("seq"),
            Self::Participations => Some("member_id"),
            Self::Members | Self::Orders | Self::Requests | Self::Vouchers => None,
            Self::Messages | Self::Contacts | Self::ZaloUsers | Self::Senders => None,
        }
    }
}

/// The books of one installation. Cheap to clone; clones count what they consume together.
#[derive(Clone, Debug)]
pub struct Books {
    client: Client,
    table_prefix: Arc<str>,
    consumed: Arc<Mutex<Consumed>>,
    coder: Option<Coder>,
}

impl Books {
    /// `table_prefix` stands before the name of every table: `loyalty-`.
    pub fn new(client: Client, table_prefix: &str) -> Self {
        Self { client, table_prefix: table_prefix.into(), consumed: Arc::default(), coder: None }
    }

    /// The same books, able to give vouchers.
    #[must_use]
    pub fn with_coder(self, coder: Coder) -> Self {
        Self { coder: Some(coder), ..self }
    }

    /// What all calls so far have consumed.
    pub fn consumed(&self) -> Consumed {
        *self.meter()
    }

    fn meter(&self) -> std::sync::MutexGuard<'_, Consumed> {
        self.consumed.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn table(&self, table: Table) -> String {
        format!("{}{}", self.table_prefix, table.suffix())
    }
}
