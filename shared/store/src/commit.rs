//! Writes: every row whole, and only if it is still as it was read.

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem,
};

use crate::consumed::Consumed;
use crate::item::{DIGEST, Item};
use crate::{Books, StoreError, Table};

/// The longest pause before the first retry; it doubles with each.
const PAUSE_MS_FIRST: u64 = 20;
/// The longest pause there is.
const PAUSE_MS_MAX: u64 = 1_000;

/// Waits before an attempt: not before the first one (0), then a random part of a time that doubles, so that those who
/// met once do not meet again.
pub(crate) async fn pause(attempt: u32) {
    let Some(doublings) = attempt.checked_sub(1) else { return };
    let longest = PAUSE_MS_FIRST.saturating_mul(1 << doublings.min(10)).min(PAUSE_MS_MAX);
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..=longest))).await;
}

/// One row to be put.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub table: Table,
    pub item: Item,
    pub condition: Condition,
}

/// What must hold of the row that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Absent,
    /// There or not, it has not changed since it was first put.
    Unrevised,
    Revision(u64),
}

impl Condition {
    /// Revision 0 means that there was no row.
    pub fn as_read(revision: u64) -> Self {
        if revision == 0 { Self::Absent } else { Self::Revision(revision) }
    }
}

/// How a write that did not happen failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Somebody else wrote, is writing, or the table is busy: read, decide and try again.
    Lost,
    /// Not by trying again here.
    Fault(StoreError),
}

impl Books {
    /// Puts one row. Half the price of a transaction, so it is used whenever one row is all there is.
    pub(crate) async fn put(&self, write: &Write) -> Result<(), Failure> {
        *self.meter() += Consumed::request();
        let (condition, name, value) = expression(write);
        let sent = self
            .client
            .put_item()
            .table_name(self.table(write.table))
            .set_item(Some(write.item.clone()))
            .condition_expression(condition)
            .expression_attribute_names("#checked", name)
            .set_expression_attribute_values(value.map(|value| Item::from([(":revision".to_owned(), value)])))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match sent {
            Ok(answer) => {
                *self.meter() += Consumed::write(answer.consumed_capacity.as_slice());
                Ok(())
            }
            Err(error) if already_ours(&error, write) => Ok(()),
            Err(error) => Err(put_failure(error)),
        }
    }

    /// Puts all rows or none. The SDK gives each call a token of its own and keeps it over its own retries, so a lost
    /// answer does not write twice.
    pub(crate) async fn transact(&self, writes: Vec<Write>) -> Result<(), Failure> {
        *self.meter() += Consumed::request();
        // The rows are handed over: a copy of one is hundreds of allocations.
        let expected: Vec<_> = writes.iter().map(|write| (write.table, write.condition)).collect();
        let items = writes.into_iter().map(|write| self.transact_item(write)).collect();
        let sent = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match sent {
            Ok(answer) => {
                *self.meter() += Consumed::write(answer.consumed_capacity.as_deref().unwrap_or_default());
                Ok(())
            }
            Err(error) => Err(transaction_failure(error, &expected)),
        }
    }

    fn transact_item(&self, write: Write) -> TransactWriteItem {
        let (condition, name, value) = expression(&write);
        let put = Put::builder()
            .table_name(self.table(write.table))
            .set_item(Some(write.item))
            .condition_expression(condition)
            .expression_attribute_names("#checked", name)
            .set_expression_attribute_values(value.map(|value| Item::from([(":revision".to_owned(), value)])))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .expect("table and item are set");
        TransactWriteItem::builder().put(put).build()
    }
}

fn expression(write: &Write) -> (&'static str, &'static str, Option<AttributeValue>) {
    match write.condition {
        Condition::Absent => ("attribute_not_exists(#checked)", write.table.partition_key(), None),
        Condition::Unrevised => ("attribute_not_exists(#checked)", "revision", None),
        Condition::Revision(revision) => {
            ("#checked = :revision", "revision", Some(AttributeValue::N(revision.to_string())))
        }
    }
}

/// A single put has no token: when its answer was lost, the SDK's own retry meets the row it has just written.
fn already_ours(error: &SdkError<PutItemError>, write: &Write) -> bool {
    match error.as_service_error() {
        Some(PutItemError::ConditionalCheckFailedException(failed)) => {
            let theirs = failed.item().and_then(|item| item.get(DIGEST));
            theirs.is_some() && theirs == write.item.get(DIGEST)
        }
        _ => false,
    }
}

fn put_failure(error: SdkError<PutItemError>) -> Failure {
    match error.as_service_error() {
        Some(
            PutItemError::ConditionalCheckFailedException(_)
            | PutItemError::TransactionConflictException(_)
            | PutItemError::ProvisionedThroughputExceededException(_)
            | PutItemError::RequestLimitExceeded(_)
            | PutItemError::ThrottlingException(_),
        ) => Failure::Lost,
        _ => Failure::Fault(StoreError::unavailable("write a row", error)),
    }
}

fn transaction_failure(error: SdkError<TransactWriteItemsError>, expected: &[(Table, Condition)]) -> Failure {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled))
            if may_go_through(cancelled.cancellation_reasons()) =>
        {
            log_lost(cancelled.cancellation_reasons(), expected);
            Failure::Lost
        }
        Some(
            TransactWriteItemsError::TransactionInProgressException(_)
            | TransactWriteItemsError::ProvisionedThroughputExceededException(_)
            | TransactWriteItemsError::RequestLimitExceeded(_)
            | TransactWriteItemsError::ThrottlingException(_),
        ) => Failure::Lost,
        _ => Failure::Fault(StoreError::unavailable("write a transaction", error)),
    }
}

/// Whether every reason is one that may be gone the next time. The SDK does not retry these itself.
fn may_go_through(reasons: &[CancellationReason]) -> bool {
    let passing =
        ["None", "ConditionalCheckFailed", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
    !reasons.is_empty() && reasons.iter().all(|reason| reason.code().is_none_or(|code| passing.contains(&code)))
}

fn log_lost(reasons: &[CancellationReason], expected: &[(Table, Condition)]) {
    for (reason, (table, expected)) in reasons.iter().zip(expected) {
        if let Some(code) = reason.code().filter(|code| *code != "None") {
            let found = reason.item().and_then(|item| item.get("revision")).and_then(|value| value.as_n().ok());
            tracing::debug!(
                table = table.suffix(),
                code,
                ?expected,
                found_revision = found.map(String::as_str),
                "a write was lost"
            );
        }
    }
}
