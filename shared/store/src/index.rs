//! The sparse indexes of `members` (and `vouchers`): where they find a row, and how they are read.
//!
//! Two indexes, both of them keys only: `due` holds the members for whom a day's run has something to do, by the first
//! day it has, and `audience` those whom a campaign may address. A row that is in neither costs nothing. Rows are spread
//! over shards, so that no key of an index is hot.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use chrono::NaiveDate;
use loyalty_domain::ids::MemberId;
use serde::{Deserialize, Serialize};

use crate::consumed::Consumed;
use crate::item::Item;
use crate::read::reading;
use crate::{Books, StoreError, Table};

/// How many shards an index has.
pub const SHARDS: u32 = 16;

/// The shard of a member: the same in every index.
pub fn shard_of(member_id: &MemberId) -> String {
    // Member ids are digests already; any fold of their letters spreads them.
    let sum = member_id.as_str().bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    shard(sum % SHARDS)
}

/// The name of a shard, by its number.
pub fn shard(number: u32) -> String {
    format!("{number:02}")
}

/// The index of rows for which a day's run has something to do.
pub const DUE: &str = "due";
/// The index of members whom a campaign may address.
pub const AUDIENCE: &str = "audience";

/// A place in the index of what is due, whether or not the row is still there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DuePlace {
    due_on: String,
    key: String,
}

impl Books {
    /// Members for whom something is due until a day, that day included, of one shard: whoever waits longest first. A
    /// member leaves the list when their row says that it is done, so the same question goes on where it stopped; who does
    /// nothing that is due asks for those after a place, and is told where it goes on.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn members_due(
        &self,
        shard: &str,
        until: NaiveDate,
        after: Option<&DuePlace>,
        limit: i32,
    ) -> Result<(Vec<MemberId>, Option<DuePlace>), StoreError> {
        let (keys, last) = self.due(Table::Members, shard, until, after, limit).await?;
        Ok((keys.into_iter().map(MemberId::new).collect(), last))
    }

    pub(crate) async fn due(
        &self,
        table: Table,
        shard: &str,
        until: NaiveDate,
        after: Option<&DuePlace>,
        limit: i32,
    ) -> Result<(Vec<String>, Option<DuePlace>), StoreError> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let start = after.map(|after| {
            let key = [("due_shard", shard), ("due_on", &after.due_on), (table.partition_key(), &after.key)];
            key.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect()
        });
        *self.meter() += Consumed::request();
        let answer = self
            .client
            .query()
            .table_name(self.table(table))
            .index_name(DUE)
            .key_condition_expression("due_shard = :shard and due_on <= :until")
            .expression_attribute_values(":shard", text(shard))
            .expression_attribute_values(":until", text(&until.to_string()))
            .set_exclusive_start_key(start)
            .limit(limit)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(reading)?;
        *self.meter() += Consumed::read(answer.consumed_capacity.as_slice());
        let last = answer.last_evaluated_key.and_then(|last| {
            let part = |name: &str| Some(last.get(name)?.as_s().ok()?.clone());
            Some(DuePlace { due_on: part("due_on")?, key: part(table.partition_key())? })
        });
        Ok((keys(answer.items.unwrap_or_default(), table.partition_key()), last))
    }

    /// Members of one shard whom a campaign may address, after a member, and whether there may be more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn audience(
        &self,
        shard: &str,
        after: Option<&MemberId>,
        limit: i32,
    ) -> Result<(Vec<MemberId>, bool), StoreError> {
        *self.meter() += Consumed::request();
        let mut query = self
            .client
            .query()
            .table_name(self.table(Table::Members))
            .index_name(AUDIENCE)
            .expression_attribute_values(":shard", AttributeValue::S(shard.to_owned()))
            .limit(limit)
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        // By a condition and not by a start key: the member the last page ended with may have left the index.
        query = match after {
            None => query.key_condition_expression("audience_shard = :shard"),
            Some(after) => query
                .key_condition_expression("audience_shard = :shard and member_id > :after")
                .expression_attribute_values(":after", AttributeValue::S(after.as_str().to_owned())),
        };
        let answer = query.send().await.map_err(reading)?;
        *self.meter() += Consumed::read(answer.consumed_capacity.as_slice());
        let more = answer.last_evaluated_key.is_some();
        let members = keys(answer.items.unwrap_or_default(), Table::Members.partition_key());
        Ok((members.into_iter().map(MemberId::new).collect(), more))
    }
}

pub(crate) fn keys(items: Vec<Item>, name: &str) -> Vec<String> {
    let key = |item: Item| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    items.into_iter().filter_map(key).collect()
}
