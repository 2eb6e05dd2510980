//! Reads the product's tables for the verifier, wherever it runs: at night as a function, or by hand from a machine.
//!
//! Each table is read by a few readers side by side, page by page, while the pages before are proved; so memory grows with
//! what the verifier keeps and not with what the rows say. A report is of all tables or there is none: whoever is
//! interrupted half way has an error and never half a proof.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::scan::ScanError;
use aws_sdk_dynamodb::types::AttributeValue;
use loyalty_audit::{Audit, Report, Row, Table, Value};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Readers of one table. A segment holds whole keys, so the entries of a member come by rising `seq` whoever reads them.
const SEGMENTS: i32 = 4;
/// Pages of at most 1 MB that wait to be proved.
const PAGES_WAITING: usize = 4;
/// How many rows are proved together: enough to share among processors, few enough to be near them still.
const ROWS_AT_ONCE: usize = 256;
/// How often books that move are read before what looks broken is taken for it.
pub const READINGS_MAX: u32 = 5;
/// Before the second reading, and four, nine and sixteen times as long before those after it.
const PAUSE: Duration = Duration::from_millis(250);

/// How a table is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// For half the price; a row may be a moment old.
    Eventual,
    Consistent,
}

/// A table that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the table {table} cannot be read")]
pub struct ReadError {
    pub table: String,
    #[source]
    source: Box<SdkError<ScanError>>,
}

/// Who follows a proof: what is read just now, and what the first reading came to.
pub trait Watch {
    /// So many more rows of a table.
    fn rows(&mut self, _table: Table, _rows: usize) {}

    /// So many findings of a reading are looked at again.
    fn again(&mut self, _findings: u64) {}
}

/// Nobody.
impl Watch for () {}

/// Reads all tables whose names begin with `prefix` and holds them against each other. While a row looks broken everything
/// is read again, from then on consistently: books that move while they are read are no finding.
///
/// An event is one transaction, which writes its member's row with all others. So what looks broken of a member is broken
/// where their row was not written during a reading, and nothing is known of a member whose row was written during every
/// one. What is nobody's is broken when it looks so twice.
///
/// # Errors
/// [`ReadError`] when any page of any table cannot be read.
pub async fn prove(client: &Client, prefix: &str, watch: &mut impl Watch) -> Result<Report, ReadError> {
    let mut report = read(client, prefix, Reading::Eventual, watch).await?;
    let mut broken = HashSet::new();
    for again in 1..READINGS_MAX {
        if report.clean() {
            break;
        }
        watch.again(report.found());
        // What was one event is over soon; a queue that is being worked off takes longer.
        tokio::time::sleep(PAUSE * again * again).await;
        let suspects: HashSet<String> = report.findings.iter().filter_map(|found| found.member_id.clone()).collect();
        let before = revisions(client, prefix, &suspects).await?;
        let mut next = report.confirmed_by(read(client, prefix, Reading::Consistent, watch).await?);
        let after = revisions(client, prefix, &suspects).await?;
        let rests = |member_id: &String| Some(before.get(member_id)? == after.get(member_id)?);
        let mut settled = true;
        for found in &next.findings {
            match found.member_id.as_ref().and_then(rests) {
                Some(true) => _ = broken.insert(found.row()),
                Some(false) if !broken.contains(&found.row()) => {
                    next.unproved.extend(found.member_id.clone());
                    settled = false;
                }
                Some(false) => {}
                None => settled &= report.findings.contains(found),
            }
        }
        next.unproved.sort_unstable();
        next.unproved.dedup();
        report = next;
        if settled {
            break;
        }
    }
    let Report { findings, unproved, .. } = &mut report;
    findings.retain(|found| {
        let moved = found.member_id.as_ref().is_some_and(|member_id| unproved.contains(member_id));
        broken.contains(&found.row()) || !moved
    });
    Ok(report)
}

/// Which version of their rows members have, consistently read.
async fn revisions(
    client: &Client,
    prefix: &str,
    of: &HashSet<String>,
) -> Result<HashMap<String, Option<Value>>, ReadError> {
    let mut revisions = HashMap::new();
    if !of.is_empty() {
        scan(client, prefix, Table::Members, |row| {
            if let Some(Value::S(member_id)) =
                row.get("member_id").filter(|id| matches!(id, Value::S(id) if of.contains(&**id)))
            {
                revisions.insert(member_id.to_string(), row.get("revision").cloned());
            }
        })
        .await?;
    }
    Ok(revisions)
}

async fn read(client: &Client, prefix: &str, how: Reading, watch: &mut impl Watch) -> Result<Report, ReadError> {
    let mut audit = Audit::new();
    for table in Table::ALL {
        let mut pages = Pages::of(client, format!("{prefix}{}", table.name()), SEGMENTS, how);
        while let Some(page) = pages.next().await? {
            watch.rows(table, page.len());
            let rows: Vec<_> = page.into_iter().map(|row| (table, row)).collect();
            rows.chunks(ROWS_AT_ONCE).for_each(|rows| audit.rows(rows));
        }
    }
    Ok(audit.finish())
}

/// Every row of a table, in the order in which the table holds them. Consistent.
///
/// # Errors
/// [`ReadError`] when a page cannot be read.
pub async fn scan(client: &Client, prefix: &str, table: Table, mut each: impl FnMut(Row)) -> Result<(), ReadError> {
    let mut pages = Pages::of(client, format!("{prefix}{}", table.name()), 1, Reading::Consistent);
    while let Some(page) = pages.next().await? {
        page.into_iter().for_each(&mut each);
    }
    Ok(())
}

/// The pages of a table, read ahead by readers of their own. Dropped, they stop.
struct Pages {
    read: mpsc::Receiver<Result<Vec<Row>, ReadError>>,
    readers: JoinSet<()>,
}

impl Pages {
    fn of(client: &Client, table: String, segments: i32, how: Reading) -> Self {
        let (send, read) = mpsc::channel(PAGES_WAITING);
        let mut readers = JoinSet::new();
        for segment in 0..segments {
            let scan = client.scan().table_name(&table).consistent_read(how == Reading::Consistent);
            // One segment is none: the engine of this machine, and AWS, then read in the table's order.
            let scan = if segments > 1 { scan.segment(segment).total_segments(segments) } else { scan };
            let (send, table) = (send.clone(), table.clone());
            readers.spawn(async move {
                let mut pages = scan.into_paginator().send();
                while let Some(page) = pages.next().await {
                    let page = match page {
                        Ok(page) => Ok(page.items.unwrap_or_default().into_iter().map(row).collect()),
                        Err(source) => Err(ReadError { table: table.clone(), source: Box::new(source) }),
                    };
                    let failed = page.is_err();
                    if send.send(page).await.is_err() || failed {
                        break;
                    }
                }
            });
        }
        Self { read, readers }
    }

    /// The next page; `None` when every reader has come to its end.
    async fn next(&mut self) -> Result<Option<Vec<Row>>, ReadError> {
        if let Some(page) = self.read.recv().await {
            return page.map(Some);
        }
        // A reader that ended in any other way read a part: that is a bug, and must not pass for the whole.
        while let Some(ended) = self.readers.join_next().await {
            ended.unwrap_or_else(|error| panic!("a reader of a table ended before its end: {error}"));
        }
        Ok(None)
    }
}

fn row(item: std::collections::HashMap<String, AttributeValue>) -> Row {
    item.into_iter().map(|(name, value)| (name, plain(value))).collect()
}

fn plain(value: AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => Value::S(text.into()),
        AttributeValue::N(number) => Value::N(number.into()),
        AttributeValue::Bool(value) => Value::Bool(value),
        AttributeValue::L(values) => Value::L(values.into_iter().map(plain).collect()),
        AttributeValue::M(values) => Value::M(values.into_iter().map(|(name, value)| (name, plain(value))).collect()),
        _ => Value::Foreign,
    }
}
