//! Everything that follows from a committed ledger entry or an issued voucher: events on the bus, and messages to be
//! sent.
//!
//! The function reads the streams of `points-history` and `vouchers`. It decides nothing about points, and it writes
//! nothing that is not derived from the row: ids included, so that a record may come again, late or among others (F16),
//! and nothing changes. A record is done when its events are on the bus *and* its message is kept. The first record that
//! is not done is reported, and the stream comes again from there; the function never answers well after a failed publish
//! (F17).

mod figures;
mod record;

use std::error::Error;

use aws_lambda_events::dynamodb::Event;
use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use loyalty_contract::events::{BusEvent, VoucherIssued};
use loyalty_contract::programme::ProgrammeFile;
use loyalty_domain::ledger::Entry;
use loyalty_messaging::{BUS_NAME, Bus, Outbox, messages_of};
use loyalty_runtime::config::{ConfigError, Environment};
use loyalty_runtime::metrics::Metric;
use loyalty_runtime::{chain, metrics};

pub use figures::{figures_of, used};
pub use record::{Issued, RecordError, Written, entry_of, written};

/// What the function needs, made once and borrowed by every call.
#[derive(Debug)]
pub struct LedgerStream {
    pub programmes: ProgrammeFile,
    pub bus: Bus,
    pub messages: Outbox,
}

/// A row and the stream record that brought it.
struct Posted {
    /// Names the record when it has to come again. Without one, the whole batch comes again.
    sequence_number: Option<String>,
    written: Written,
}

/// What follows from rows, each thing beside the place of its row; places rise.
struct Places<T> {
    items: Vec<T>,
    of: Vec<usize>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { items: Vec::new(), of: Vec::new() }
    }
}

impl<T> Places<T> {
    fn extend(&mut self, at: usize, items: impl IntoIterator<Item = T>) {
        self.items.extend(items);
        self.of.resize(self.items.len(), at);
    }
}

impl LedgerStream {
    /// # Errors
    /// [`ConfigError`] naming the variable that is missing or wrong.
    pub async fn from_environment() -> Result<Self, ConfigError> {
        let environment = Environment::of_process();
        let table_prefix = environment.table_prefix()?;
        let bus_name = environment.required(BUS_NAME)?;
        let programmes = environment.programmes()?;
        let sdk = loyalty_runtime::aws::sdk_config().await;
        Ok(Self {
            programmes,
            bus: Bus::new(aws_sdk_eventbridge::Client::new(&sdk), bus_name),
            messages: Outbox::new(aws_sdk_dynamodb::Client::new(&sdk), &table_prefix),
        })
    }

    /// Works a batch of the stream. The answer names the first record that is not done, if there is one; every record
    /// before it is.
    pub async fn answer(&self, event: Event) -> DynamoDbEventResponse {
        metrics::count(Metric::VouchersUsed, event.records.iter().filter(|record| figures::used(record)).count());
        let (posted, unreadable) = read(event);
        let failed = match self.follow(&posted).await {
            Ok(()) => unreadable,
            Err(at) => posted.into_iter().nth(at).map(|posted| posted.sequence_number),
        };
        let mut response = DynamoDbEventResponse::default();
        response.batch_item_failures.extend(failed.map(|sequence_number| {
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = sequence_number;
            failure
        }));
        response
    }

    /// Publishes and keeps everything that follows from the rows.
    ///
    /// # Errors
    /// The place of the first row whose effects are not all there; the reason is logged.
    async fn follow(&self, posted: &[Posted]) -> Result<(), usize> {
        let mut events = Places::default();
        let mut messages = Places::default();
        let entries = posted.iter().enumerate().filter_map(|(at, Posted { written, .. })| match written {
            Written::Entry(entry) => Some((at, &**entry)),
            Written::Voucher(_) => None,
        });
        let (places, entries): (Vec<usize>, Vec<&Entry>) = entries.unzip();
        // The programme in force when it was written: now is never the machine's (D2).
        let programme = |entry: &Entry| &self.programmes.at(entry.recorded_at).programme;
        let mut told = BusEvent::of_entries(&entries, |entry| &programme(entry).tiers).peekable();
        for (at, Posted { written, .. }) in posted.iter().enumerate() {
            while let Some((_, event)) = told.next_if(|(place, _)| places[*place] == at) {
                events.extend(at, [event]);
            }
            if let Written::Voucher(issued) = written {
                let Issued { voucher_id, grant, issued_at } = &**issued;
                let currency = self.programmes.at(*issued_at).programme.currency;
                let event = VoucherIssued::of(voucher_id, grant, *issued_at, currency);
                events.extend(at, [BusEvent::VoucherIssued(event)]);
            }
        }
        messages_of(&entries, programme).for_each(|(at, message)| messages.extend(places[at], [message]));
        let published = self.bus.publish(&events.items).await.map_err(|(failed, error)| {
            let at = events.of[failed];
            log_failure("its events are not on the bus", &posted[at], &error);
            at
        });
        // What comes after a row that has failed comes again: its messages wait until then.
        let done = published.err().unwrap_or(posted.len());
        let wanted = messages.of.partition_point(|at| *at < done);
        self.messages.put(&messages.items[..wanted]).await.map_err(|(failed, error)| {
            let at = messages.of[failed];
            log_failure("its message is not kept", &posted[at], &error);
            at
        })?;
        self.count(&posted[..done]);
        published
    }

    /// What is done is counted; what comes again is counted then.
    fn count(&self, done: &[Posted]) {
        for Posted { written, .. } in done {
            metrics::count_all(&figures_of(written, &self.programmes.at(written.at()).programme.tiers));
        }
    }
}

/// The rows of a batch up to the first record that cannot be read, and that record's sequence number.
fn read(event: Event) -> (Vec<Posted>, Option<Option<String>>) {
    let mut posted = Vec::with_capacity(event.records.len());
    for record in event.records {
        let sequence_number = record.change.sequence_number.clone();
        match written(record) {
            Ok(Some(written)) => posted.push(Posted { sequence_number, written }),
            Ok(None) => {}
            Err(error) => {
                let sequence = sequence_number.as_deref().unwrap_or_default();
                tracing::error!(sequence, error = chain(&error), "a record of a stream cannot be read");
                return (posted, Some(sequence_number));
            }
        }
    }
    (posted, None)
}

fn log_failure(what: &str, Posted { sequence_number, written }: &Posted, error: &dyn Error) {
    let sequence = sequence_number.as_deref().unwrap_or_default();
    tracing::error!(sequence, row = %written, error = chain(error), "a row is not done: {what}");
}
