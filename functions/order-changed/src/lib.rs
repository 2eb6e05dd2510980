//! Order events become ledger entries: a batch of the queue is decoded, applied to the books and answered.
//!
//! Only messages that are not done are given back (F15), so one bad message ends in the dead letters alone. A message
//! may come any number of times, late and out of order; the books decide what it still changes, and nobody else (P16). A
//! message carries the whole order as the shop has it, so no shop is asked for one by its id (P12); that of a deletion has
//! the id alone, and what the order was is in the books. Logs name orders and members by id and never say who a customer
//! is or what a body held.

mod message;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use loyalty_contract::identity::MemberKey;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_domain::decision::Outcome;
use loyalty_domain::ids::OrderId;
use loyalty_runtime::config::ConfigError;
use loyalty_runtime::metrics::{self, Metric};
use loyalty_runtime::{chain, secrets};
use loyalty_store::{Applied, Books, Consistency, Consumed, OrderEvent, StoreError};

pub use message::MessageError;
use message::{Brought, Deleted};

/// What the function needs, made once and borrowed by every call.
pub struct OrderChanged {
    pub books: Books,
    pub programmes: ProgrammeFile,
    pub key: MemberKey,
}

impl OrderChanged {
    /// Reads the environment and builds the client.
    ///
    /// # Errors
    /// [`ConfigError`] naming what is missing or wrong.
    pub async fn from_environment() -> Result<Self, ConfigError> {
        let environment = secrets::environment().await?;
        let (programmes, key) = (environment.programmes()?, environment.member_key()?);
        let table_prefix = environment.table_prefix()?;
        let client = aws_sdk_dynamodb::Client::new(&loyalty_runtime::aws::sdk_config().await);
        Ok(Self { books: Books::new(client, &table_prefix), programmes, key })
    }

    /// Works a batch. The answer names the messages that are to come again.
    pub async fn answer(&self, batch: SqsEvent) -> SqsBatchResponse {
        let before = self.books.consumed();
        let mut failed = vec![false; batch.records.len()];
        let mut events = Vec::new();
        let mut from = Vec::new();
        for (at, message) in batch.records.iter().enumerate() {
            let (brought, all) = self.bring(message).await;
            failed[at] = !all;
            events.extend(brought);
            from.resize(events.len(), at);
        }
        let order_ids: Vec<_> = events.iter().map(|event| event.snapshot.order_id.clone()).collect();
        let results = self.books.apply_orders(|now| &self.programmes.at(now).programme, events).await;
        for ((result, order_id), at) in results.iter().zip(&order_ids).zip(from) {
            log_result(order_id, result);
            failed[at] |= result.is_err();
        }
        metrics::count(Metric::OrdersIn, results.iter().filter(|result| news(result)).count());
        log_consumed(order_ids.len(), self.books.consumed() - before);
        let mut answer = SqsBatchResponse::default();
        let messages = batch.records.into_iter().zip(failed).filter(|(_, failed)| *failed);
        messages.for_each(|(message, _)| answer.add_failure(message.message_id.unwrap_or_default()));
        answer
    }

    /// The orders that a message brings, and whether these are all that it is about.
    async fn bring(&self, message: &SqsMessage) -> (Vec<OrderEvent>, bool) {
        let read = message::read(message, &self.programmes, &self.key);
        let Brought { mut events, deleted, unreadable } = read.unwrap_or_else(Brought::from);
        let mut all = unreadable.is_none();
        if let Some(error) = unreadable {
            log_unreadable(message.message_id.as_deref(), &error);
        }
        for deleted in deleted {
            let order_id = deleted.deletion.full_order_id();
            match self.cancelled(deleted, &order_id).await {
                Ok(event) => events.push(event),
                Err(error) => {
                    log_result(&order_id, &Err(error));
                    all = false;
                }
            }
        }
        (events, all)
    }

    /// What the books know of a deleted order, as one that is cancelled, to be decided with the snapshots of the batch.
    /// Others may be written between this read and that decision, and the order ends cancelled all the same: it is so as of
    /// the deletion or later, and whatever the shop said before is older. What has a later version than the deletion and
    /// comes after this read is the order restored.
    async fn cancelled(&self, deleted: Deleted, order_id: &OrderId) -> Result<OrderEvent, StoreError> {
        let Deleted { deletion, currency, now } = deleted;
        let known = self.books.order(order_id, Consistency::Strong).await?;
        let snapshot = deletion.into_snapshot(known.as_ref().map(|stored| &stored.row), currency);
        Ok(OrderEvent { snapshot, now })
    }
}

/// Whether a version of an order said something that the books did not know.
fn news(result: &Result<Applied, StoreError>) -> bool {
    result.as_ref().is_ok_and(|applied| !matches!(applied.outcome, Outcome::Duplicate | Outcome::Stale))
}

fn log_unreadable(message_id: Option<&str>, error: &MessageError) {
    tracing::error!(message_id, error = chain(error), "a message cannot be read");
}

fn log_result(order_id: &OrderId, result: &Result<Applied, StoreError>) {
    let order_id = order_id.as_str();
    match result {
        Ok(Applied { outcome, member_id, entries }) => {
            let member_id = member_id.as_ref().map(|member_id| member_id.as_str());
            tracing::info!(order_id, member_id, ?outcome, entries, "an order is applied");
        }
        Err(error) => tracing::error!(order_id, error = chain(error), "an order is not applied"),
    }
}

fn log_consumed(orders: usize, consumed: Consumed) {
    let Consumed { requests, read_units, write_units } = consumed;
    tracing::info!(orders, requests, read_units, write_units, "a batch is done");
}
