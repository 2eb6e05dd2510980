//! Single reads: a member, an order, a member's history.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use loyalty_domain::ids::{MemberId, OrderId};
use loyalty_domain::ledger::Entry;
use loyalty_domain::member::Member;
use loyalty_domain::order::Order;

use crate::consumed::Consumed;
use crate::item::Item;
use crate::records::{Unreadable, decode_entry, decode_member, decode_order};
use crate::rows::Key;
use crate::{Books, Consistency, StoreError, Stored, Table};

/// Entries on one page of history.
pub const HISTORY_PAGE_MAX: u32 = 100;

/// Pages of a member's whole history, of 1 MB each: some 1.5 million entries.
const HISTORY_READS_MAX: usize = 1000;

/// Part of a member's history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryPage {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// `seq` to go on before; `None` when there are no older entries.
    pub next_before: Option<u64>,
}

impl Books {
    /// # Errors
    /// [`StoreError::Unavailable`], or [`StoreError::Corrupt`] for a row this version cannot read.
    pub async fn member(
        &self,
        member_id: &MemberId,
        consistency: Consistency,
    ) -> Result<Option<Stored<Member>>, StoreError> {
        let item = self.get(Key::of(Table::Members, member_id.as_str()), consistency).await?;
        item.map(|item| readable(Table::Members, member_id.as_str(), decode_member(item))).transpose()
    }

    /// # Errors
    /// [`StoreError::Unavailable`], or [`StoreError::Corrupt`] for a row this version cannot read.
    pub async fn order(
        &self,
        order_id: &OrderId,
        consistency: Consistency,
    ) -> Result<Option<Stored<Order>>, StoreError> {
        let item = self.get(Key::of(Table::Orders, order_id.as_str()), consistency).await?;
        item.map(|item| readable(Table::Orders, order_id.as_str(), decode_order(item))).transpose()
    }

    /// Up to `limit` entries before `seq` `before`, or the newest ones. `limit` is taken into 1..=[`HISTORY_PAGE_MAX`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], or [`StoreError::Corrupt`] for a row this version cannot read.
    pub async fn history(
        &self,
        member_id: &MemberId,
        limit: u32,
        before: Option<u64>,
    ) -> Result<HistoryPage, StoreError> {
        let limit = limit.clamp(1, HISTORY_PAGE_MAX);
        let start = before.map(|seq| history_key(member_id, seq));
        let query = self.history_query(member_id).scan_index_forward(false).limit(limit as i32);
        let answer = query.set_exclusive_start_key(start).send().await.map_err(reading)?;
        *self.meter() += Consumed::read(answer.consumed_capacity.as_slice());
        let entries = entries(member_id, answer.items.unwrap_or_default())?;
        // seq 1 is the first there is, so the page that ends with it needs no look at another one.
        let next_before =
            entries.last().map(|entry| entry.seq).filter(|seq| entries.len() >= limit as usize && *seq > 1);
        Ok(HistoryPage { entries, next_before })
    }

    /// The whole history by rising `seq`, strongly consistent.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], or [`StoreError::Corrupt`] for a row this version cannot read.
    pub async fn whole_history(&self, member_id: &MemberId) -> Result<Vec<Entry>, StoreError> {
        let mut all = Vec::new();
        let mut start = None;
        for _ in 0..HISTORY_READS_MAX {
            let query = self.history_query(member_id).consistent_read(true).set_exclusive_start_key(start.take());
            let answer = query.send().await.map_err(reading)?;
            *self.meter() += Consumed::read(answer.consumed_capacity.as_slice());
            all.extend(entries(member_id, answer.items.unwrap_or_default())?);
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(all);
            }
        }
        Err(StoreError::unavailable("read a whole history", HistoryTooLong))
    }

    /// The whole histories of members who joined another, and then that one's own.
    pub(crate) async fn whole_histories(
        &self,
        joined: &[MemberId],
        member_id: &MemberId,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut all = Vec::new();
        for member_id in joined.iter().chain([member_id]) {
            all.extend(self.whole_history(member_id).await?);
        }
        Ok(all)
    }

    /// The member who goes on: this one, or whom they joined.
    ///
    /// # Errors
    /// As [`Books::member`].
    pub async fn member_now(
        &self,
        member_id: &MemberId,
        consistency: Consistency,
    ) -> Result<Option<Stored<Member>>, StoreError> {
        let stored = self.member(member_id, consistency).await?;
        match stored.as_ref().and_then(|stored| stored.row.merged.as_ref()) {
            Some(merged) => self.member(&merged.into, consistency).await,
            None => Ok(stored),
        }
    }

    fn history_query(&self, member_id: &MemberId) -> aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder {
        *self.meter() += Consumed::request();
        self.client
            .query()
            .table_name(self.table(Table::PointsHistory))
            .key_condition_expression("#member = :member")
            .expression_attribute_names("#member", Table::PointsHistory.partition_key())
            .expression_attribute_values(":member", AttributeValue::S(member_id.as_str().to_owned()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
    }

    /// One entry, strongly consistent.
    pub(crate) async fn entry(&self, member_id: &MemberId, seq: u64) -> Result<Option<Entry>, StoreError> {
        *self.meter() += Consumed::request();
        let answer = self
            .client
            .get_item()
            .table_name(self.table(Table::PointsHistory))
            .set_key(Some(history_key(member_id, seq)))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(reading)?;
        *self.meter() += Consumed::read(answer.consumed_capacity.as_slice());
        let entry = |item| readable(Table::PointsHistory, member_id.as_str(), decode_entry(item));
        answer.item.map(entry).transpose()
    }

    /// One row by its key.
    pub(crate) async fn get(&self, key: Key<'_>, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        *self.meter() += Consumed::request();
        let answer = self
            .client
            .get_item()
            .table_name(self.table(key.table))
            .set_key(Some(key.item()))
            .consistent_read(consistency == Consistency::Strong)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(reading)?;
        *self.meter() += Consumed::read(answer.consumed_capacity.as_slice());
        Ok(answer.item)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the history has more than {HISTORY_READS_MAX} pages")]
struct HistoryTooLong;

fn history_key(member_id: &MemberId, seq: u64) -> Item {
    Item::from([
        ("member_id".to_owned(), AttributeValue::S(member_id.as_str().to_owned())),
        ("seq".to_owned(), AttributeValue::N(seq.to_string())),
    ])
}

fn entries(member_id: &MemberId, items: Vec<Item>) -> Result<Vec<Entry>, StoreError> {
    items.into_iter().map(|item| readable(Table::PointsHistory, member_id.as_str(), decode_entry(item))).collect()
}

pub(crate) fn readable<T>(table: Table, key: &str, decoded: Result<T, Unreadable>) -> Result<T, StoreError> {
    decoded.map_err(|source| StoreError::Corrupt {
        table: table.suffix(),
        key: key.to_owned(),
        source: std::sync::Arc::new(source),
    })
}

pub(crate) fn reading<E>(error: SdkError<E>) -> StoreError
where
    E: std::error::Error + Send + Sync + 'static,
{
    StoreError::unavailable("read", error)
}
