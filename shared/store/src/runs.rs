//! What scheduled runs know from one to the next, and how they find everybody when the programme has changed.
//!
//! Rows carry what the indexes find them by, as the programme saw them when they were written. A run that finds another
//! programme than the run before goes through all rows once, and rewrites those that it finds at another place.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use loyalty_domain::ids::{MemberId, RequestId, RuleId};
use loyalty_domain::member::Member;
use loyalty_domain::programme::Programme;
use serde::{Deserialize, Serialize};

use crate::apply::ATTEMPTS_MAX;
use crate::commit::{Condition, Failure, Write, pause};
use crate::consumed::Consumed;
use crate::index::{SHARDS, keys};
use crate::item::{Item, sealed};
use crate::read::{readable, reading};
use crate::records::{decode_member, encode_member};
use crate::rows::Key;
use crate::words::Text;
use crate::{Books, Consistency, StoreError, Table};

/// Ids of rows of `requests` that nobody has asked for.
const RUNS: &str = "(runs)";
const WAITING: &str = "(waiting)";
/// What the indexes of `members` find a row by.
const PLACE: [&str; 3] = ["due_shard", "due_on", "audience_shard"];

/// What the run before this one knew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The version of the programme by which every row can be found; empty before the first run.
    pub programme_version: String,
    /// By campaign, how many marks of waiting orders have been followed (X50).
    pub taken_up: BTreeMap<String, u64>,
    revision: u64,
}

/// A member, and whether the indexes find them where the programme says.
#[derive(Clone, Debug)]
pub struct Found {
    pub member: Member,
    pub in_place: bool,
}

#[derive(Serialize, Deserialize)]
struct KnownRecord {
    request_id: Text<RequestId>,
    revision: u64,
    programme_version: String,
    taken_up: BTreeMap<String, u64>,
}

/// How often an order has begun to wait for the campaign: the revision.
#[derive(Serialize, Deserialize)]
struct MarkRecord {
    request_id: Text<RequestId>,
    revision: u64,
}

impl Books {
    /// # Errors
    /// [`StoreError::Unavailable`], or [`StoreError::Corrupt`] for a row this version cannot read.
    pub async fn known_to_runs(&self) -> Result<Known, StoreError> {
        let known = self.note(&RequestId::new(RUNS)).await?;
        let Some(KnownRecord { revision, programme_version, taken_up, .. }) = known else {
            return Ok(Known::default());
        };
        Ok(Known { programme_version, taken_up, revision })
    }

    /// Keeps what a run knows, once its pages are queued. Where another run was faster, what this one knew is forgotten,
    /// and what it found is found once more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn tell_runs(&self, known: Known) -> Result<(), StoreError> {
        let record = KnownRecord {
            request_id: Text(RequestId::new(RUNS)),
            revision: known.revision + 1,
            programme_version: known.programme_version,
            taken_up: known.taken_up,
        };
        match self.put_note(&record, known.revision).await {
            Ok(()) | Err(Failure::Lost) => Ok(()),
            Err(Failure::Fault(error)) => Err(error),
        }
    }

    /// How many marks of waiting orders a campaign has (X50).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], or [`StoreError::Corrupt`] for a row this version cannot read.
    pub async fn marks(&self, campaign: &RuleId) -> Result<u64, StoreError> {
        let mark: Option<MarkRecord> = self.note(&waiting(campaign)).await?;
        Ok(mark.map_or(0, |mark| mark.revision))
    }

    /// Marks that an order begins to wait for a campaign, so that a run looks for it once the campaign goes on.
    pub(crate) async fn mark(&self, campaign: &RuleId) -> Result<(), StoreError> {
        for attempt in 0..ATTEMPTS_MAX {
            pause(attempt).await;
            let revision = self.marks(campaign).await?;
            let record = MarkRecord { request_id: Text(waiting(campaign)), revision: revision + 1 };
            match self.put_note(&record, revision).await {
                Ok(()) => return Ok(()),
                Err(Failure::Lost) => {}
                Err(Failure::Fault(error)) => return Err(error),
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX })
    }

    async fn note<T: for<'a> Deserialize<'a>>(&self, id: &RequestId) -> Result<Option<T>, StoreError> {
        let item = self.get(Key::of(Table::Requests, id.as_str()), Consistency::Strong).await?;
        let record = |item| serde_dynamo::aws_sdk_dynamodb_1::from_item(item).map_err(Into::into);
        item.map(|item| readable(Table::Requests, id.as_str(), record(item))).transpose()
    }

    async fn put_note(&self, record: &impl Serialize, revision: u64) -> Result<(), Failure> {
        let condition = Condition::as_read(revision);
        self.put(&Write { table: Table::Requests, item: sealed(record), condition }).await
    }

    /// Members of one shard of the whole table, after a place, and the place where it goes on.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], or [`StoreError::Corrupt`] for a row this version cannot read.
    pub async fn members_in(
        &self,
        shard: &str,
        after: Option<&MemberId>,
        limit: i32,
        programme: &Programme,
    ) -> Result<(Vec<Found>, Option<MemberId>), StoreError> {
        *self.meter() += Consumed::request();
        let answer = self
            .client
            .scan()
            .table_name(self.table(Table::Members))
            .segment(shard.parse().unwrap_or_default())
            .total_segments(i32::try_from(SHARDS).unwrap_or(1))
            .limit(limit)
            .set_exclusive_start_key(after.map(|after| Key::of(Table::Members, after.as_str()).item()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(reading)?;
        *self.meter() += Consumed::read(answer.consumed_capacity.as_slice());
        let last = answer.last_evaluated_key.into_iter().collect();
        let last = keys(last, Table::Members.partition_key()).pop().map(MemberId::new);
        let found = |item: Item| -> Result<Found, StoreError> {
            let id =
                item.get(Table::Members.partition_key()).and_then(|id| id.as_s().ok()).cloned().unwrap_or_default();
            let place = PLACE.map(|name| item.get(name).cloned());
            let stored = readable(Table::Members, &id, decode_member(item))?;
            let right = encode_member(&stored.row, stored.revision, programme);
            let in_place = place == PLACE.map(|name| right.get(name).cloned());
            Ok(Found { member: stored.row, in_place })
        };
        let found = answer.items.unwrap_or_default().into_iter().map(found).collect::<Result<_, _>>()?;
        Ok((found, last))
    }
}

/// The row that marks orders which wait for a campaign.
fn waiting(campaign: &RuleId) -> RequestId {
    RequestId::new(format!("{WAITING}{campaign}"))
}
