//! Vouchers: given once for each grant, used once.

use std::fmt;
use std::sync::Arc;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use chrono::NaiveDate;
use loyalty_domain::ids::{MemberId, OrderId, VoucherId};
use loyalty_domain::member::Member;
use loyalty_domain::time::Instant;
use loyalty_domain::voucher::{Grant, Voucher, VoucherState};

use crate::apply::ATTEMPTS_MAX;
use crate::commit::{Condition, Failure, Write, pause};
use crate::consumed::Consumed;
use crate::index::keys;
use crate::item::of_one_writer;
use crate::read::{readable, reading};
use crate::records::{decode_voucher, encode_voucher};
use crate::rows::Key;
use crate::{Books, Consistency, StoreError, Stored, Table};

/// The index of a member's vouchers.
pub const BY_MEMBER: &str = "by-member";
/// The index of the vouchers that were used for an order.
pub const BY_ORDER: &str = "by-order";
/// Vouchers that a member is shown.
pub const VOUCHERS_SHOWN_MAX: usize = 100;
/// Pages of a member's vouchers, of 1 MB each: some thousands of vouchers.
const VOUCHER_READS_MAX: usize = 10;

/// Vouchers of one order that come back with it: far more than a till takes, and few enough for one transaction.
const VOUCHERS_OF_ORDER_MAX: i32 = 50;

/// Makes the code of a voucher from its grant: the same grant has the same code, and nobody without the installation's
/// key can guess one.
#[derive(Clone)]
pub struct Coder(Arc<dyn Fn(&str) -> Code + Send + Sync>);

/// A voucher's code, and the id of its row, which is derived from the code and does not tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    pub code: String,
    pub voucher_id: VoucherId,
}

impl From<(String, VoucherId)> for Code {
    fn from((code, voucher_id): (String, VoucherId)) -> Self {
        Self { code, voucher_id }
    }
}

impl Coder {
    pub fn new<C: Into<Code>>(code_of: impl Fn(&str) -> C + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |grant_id| code_of(grant_id).into()))
    }

    fn code(&self, grant_id: &str) -> Code {
        (self.0)(grant_id)
    }
}

impl fmt::Debug for Coder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Coder(hidden)")
    }
}

impl Books {
    /// The voucher of a grant, as it is when it is given.
    ///
    /// # Panics
    /// When these books were not told how to make codes: they cannot give vouchers.
    pub fn voucher_of(&self, grant: &Grant, issued_at: Instant) -> Voucher {
        let coder = self.coder.as_ref().expect("books that give vouchers have a coder");
        let Code { code, voucher_id } = coder.code(&grant.grant_id);
        Voucher {
            voucher_id,
            code,
            grant: grant.clone(),
            state: VoucherState::Issued,
            issued_at,
            used_at: None,
            used_for: None,
            reminded: false,
        }
    }

    /// Gives a voucher once: `false` when the grant was given before.
    ///
    /// # Errors
    /// [`StoreError`] when it is not known whether it was.
    pub async fn give_voucher(&self, grant: &Grant, now: Instant) -> Result<bool, StoreError> {
        let item = encode_voucher(&self.voucher_of(grant, now), 1);
        self.put_once(&Write { table: Table::Vouchers, item, condition: Condition::Absent }).await
    }

    /// # Errors
    /// [`StoreError::Unavailable`], or [`StoreError::Corrupt`] for a row this version cannot read.
    pub async fn voucher(&self, voucher_id: &VoucherId) -> Result<Option<Stored<Voucher>>, StoreError> {
        let item = self.get(Key::of(Table::Vouchers, voucher_id.as_str()), Consistency::Strong).await?;
        item.map(|item| readable(Table::Vouchers, voucher_id.as_str(), decode_voucher(item))).transpose()
    }

    /// The vouchers of a member and of whoever has joined them, newest first, up to [`VOUCHERS_SHOWN_MAX`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], or [`StoreError::Corrupt`] for a row this version cannot read.
    pub async fn vouchers_of_member(&self, member: &Member) -> Result<Vec<Voucher>, StoreError> {
        let mut all: Vec<Voucher> = Vec::new();
        for member_id in [&member.member_id].into_iter().chain(&member.merged_from) {
            self.vouchers_given_to(member_id, &mut all).await?;
        }
        // The index is in the order of ids, which are digests and know no time.
        all.sort_by(|one, other| (other.issued_at, &one.voucher_id).cmp(&(one.issued_at, &other.voucher_id)));
        all.truncate(VOUCHERS_SHOWN_MAX);
        Ok(all)
    }

    async fn vouchers_given_to(&self, member_id: &MemberId, all: &mut Vec<Voucher>) -> Result<(), StoreError> {
        let mut start = None;
        for _ in 0..VOUCHER_READS_MAX {
            *self.meter() += Consumed::request();
            let answer = self
                .client
                .query()
                .table_name(self.table(Table::Vouchers))
                .index_name(BY_MEMBER)
                .key_condition_expression("member_id = :member")
                .expression_attribute_values(":member", AttributeValue::S(member_id.as_str().to_owned()))
                .set_exclusive_start_key(start.take())
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(reading)?;
            *self.meter() += Consumed::read(answer.consumed_capacity.as_slice());
            for item in answer.items.unwrap_or_default() {
                all.push(readable(Table::Vouchers, member_id.as_str(), decode_voucher(item))?.row);
            }
            start = answer.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// The vouchers that were used for an order, by their ids: those its codes name, and those a till used for it. The
    /// index may be a moment behind the rows.
    pub(crate) async fn vouchers_used_for(&self, order_id: &OrderId) -> Result<Vec<VoucherId>, StoreError> {
        *self.meter() += Consumed::request();
        let answer = self
            .client
            .query()
            .table_name(self.table(Table::Vouchers))
            .index_name(BY_ORDER)
            .key_condition_expression("used_for = :order")
            .expression_attribute_values(":order", AttributeValue::S(order_id.as_str().to_owned()))
            .limit(VOUCHERS_OF_ORDER_MAX)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(reading)?;
        *self.meter() += Consumed::read(answer.consumed_capacity.as_slice());
        let ids = keys(answer.items.unwrap_or_default(), Table::Vouchers.partition_key());
        Ok(ids.into_iter().map(VoucherId::new).collect())
    }

    /// Changes a voucher, if there is one and the change says so; answers it as it is then. `change` is asked again after
    /// a lost race.
    ///
    /// # Errors
    /// What `change` refuses with, inside; outside, [`StoreError`] when nothing is known to have changed.
    pub async fn change_voucher<E>(
        &self,
        voucher_id: &VoucherId,
        change: impl Fn(Voucher) -> Result<Voucher, E>,
    ) -> Result<Option<Result<Voucher, E>>, StoreError> {
        for attempt in 0..ATTEMPTS_MAX {
            pause(attempt).await;
            let Some(Stored { row, revision }) = self.voucher(voucher_id).await? else { return Ok(None) };
            let next = match change(row.clone()) {
                Ok(next) if next == row => return Ok(Some(Ok(next))),
                Ok(next) => next,
                Err(refusal) => return Ok(Some(Err(refusal))),
            };
            let item = of_one_writer(encode_voucher(&next, revision + 1));
            match self.put(&Write { table: Table::Vouchers, item, condition: Condition::Revision(revision) }).await {
                Ok(()) => return Ok(Some(Ok(next))),
                Err(Failure::Lost) => {}
                Err(Failure::Fault(error)) => return Err(error),
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX })
    }

    /// Vouchers for which something is due until a day, of one shard: their ids.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn vouchers_due(&self, shard: &str, until: NaiveDate, limit: i32) -> Result<Vec<VoucherId>, StoreError> {
        let (keys, _) = self.due(Table::Vouchers, shard, until, None, limit).await?;
        Ok(keys.into_iter().map(VoucherId::new).collect())
    }
}
