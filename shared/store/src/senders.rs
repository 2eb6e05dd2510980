//! Rows of `senders`: the tokens a provider gave us, and whether sending by it goes on.
//!
//! The row holds secrets. Nothing of it is ever logged, and `Debug` shows none.

use loyalty_domain::time::Instant;
use serde::{Deserialize, Serialize};

use crate::commit::{Condition, Failure, Write};
use crate::item::{Item, of_one_writer, sealed};
use crate::read::readable;
use crate::records::{Unreadable, is_default};
use crate::rows::Key;
use crate::words::Text;
use crate::{Books, Consistency, StoreError, Stored, Table};

/// A provider's account that messages are sent by.
#[derive(Clone, PartialEq, Eq)]
pub struct Sender {
    /// `zalo`.
    pub sender: String,
    pub access_token: Option<String>,
    /// Works once.
    pub refresh_token: String,
    /// A digest of the configured token that the first pair came from: another one there means that a human has put a
    /// new one in place.
    pub seed: String,
    pub expires_at: Option<Instant>,
    /// Who refreshes, and until when they must be done.
    pub lease: Option<Lease>,
    /// Refreshes in a row of which it is not known whether they used up the refresh token.
    pub doubts: u32,
    /// Since when the token could not be refreshed.
    pub busy_since: Option<Instant>,
    /// Only a human can go on: why.
    pub stopped: Option<String>,
    pub paused_until: Option<Instant>,
    pub paused_reason: Option<String>,
}

/// The right to refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub holder: String,
    pub until: Instant,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sender({}, hidden)", self.sender)
    }
}

impl Sender {
    /// One that has only its first refresh token yet.
    pub fn seeded(sender: &str, refresh_token: &str, seed: &str) -> Self {
        Self {
            sender: sender.to_owned(),
            access_token: None,
            refresh_token: refresh_token.to_owned(),
            seed: seed.to_owned(),
            expires_at: None,
            lease: None,
            doubts: 0,
            busy_since: None,
            stopped: None,
            paused_until: None,
            paused_reason: None,
        }
    }
}

impl Books {
    /// Strongly consistent.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], or [`StoreError::Corrupt`] for a row this version cannot read.
    pub async fn sender(&self, sender: &str) -> Result<Option<Stored<Sender>>, StoreError> {
        let item = self.get(Key::of(Table::Senders, sender), Consistency::Strong).await?;
        item.map(|item| readable(Table::Senders, sender, decode(item))).transpose()
    }

    /// Writes the row if it is still as it was read with `revision` (0: there was none). `false` when it is not.
    ///
    /// # Errors
    /// [`StoreError`] when it is not known whether it was written.
    pub async fn put_sender(&self, sender: &Sender, revision: u64) -> Result<bool, StoreError> {
        let item = of_one_writer(encode(sender, revision + 1));
        let write = Write { table: Table::Senders, item, condition: Condition::as_read(revision) };
        match self.put(&write).await {
            Ok(()) => Ok(true),
            Err(Failure::Lost) => Ok(false),
            Err(Failure::Fault(error)) => Err(error),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct SenderRecord {
    sender: String,
    revision: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    refresh_token: String,
    seed: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease_holder: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease_until: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "is_default")]
    doubts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    busy_since: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paused_until: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paused_reason: Option<String>,
}

fn encode(sender: &Sender, revision: u64) -> Item {
    sealed(&SenderRecord {
        sender: sender.sender.clone(),
        revision,
        access_token: sender.access_token.clone(),
        refresh_token: sender.refresh_token.clone(),
        seed: sender.seed.clone(),
        expires_at: sender.expires_at.map(Text),
        lease_holder: sender.lease.as_ref().map(|lease| lease.holder.clone()),
        lease_until: sender.lease.as_ref().map(|lease| Text(lease.until)),
        doubts: sender.doubts,
        busy_since: sender.busy_since.map(Text),
        stopped: sender.stopped.clone(),
        paused_until: sender.paused_until.map(Text),
        paused_reason: sender.paused_reason.clone(),
    })
}

fn decode(item: Item) -> Result<Stored<Sender>, Unreadable> {
    let record: SenderRecord = serde_dynamo::aws_sdk_dynamodb_1::from_item(item)?;
    let lease = record.lease_holder.zip(record.lease_until);
    let sender = Sender {
        sender: record.sender,
        access_token: record.access_token,
        refresh_token: record.refresh_token,
        seed: record.seed,
        expires_at: record.expires_at.map(|text| text.0),
        lease: lease.map(|(holder, until)| Lease { holder, until: until.0 }),
        doubts: record.doubts,
        busy_since: record.busy_since.map(|text| text.0),
        stopped: record.stopped,
        paused_until: record.paused_until.map(|text| text.0),
        paused_reason: record.paused_reason,
    };
    Ok(Stored { row: sender, revision: record.revision })
}
