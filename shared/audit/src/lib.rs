//! Proves the books: reads the tables' rows as they are and says what is wrong with them.
//!
//! It shares no code with what writes the books, so that one mistake cannot be in both: its own reading of a row, its
//! own arithmetic, its own rounding. It must never decide anything, write anything or know today's programme: all it
//! needs stands on the rows (I4, I6, I9, X12).
//!
//! What is proved of every row: its digest. Of every member: `seq` without gaps, `balance_after` as the running sum, the
//! lots moved against the legs and the debt, spending in the order of expiry (X40), nothing left to expire, the chain of
//! tiers, and the row rebuilt from its history and its orders. Of every entry: what the order deserved by the terms
//! pinned on it, in own arithmetic, and that nothing was written off without the terms allowing it (X21–X24). Of every
//! order: posted and written off against its entries, the sum against what its final facts deserve, generation and last
//! credit. Participations, vouchers and messages are held against members and orders.
//!
//! Feed every row once, in any order of tables; the entries of one member by rising `seq`, as a scan or a query returns
//! them. Memory grows with members, orders and credits, not with entries. [`Audit::rows`] is the fast way to feed them.
//!
//! **While the books move** a scan is no snapshot: rows written between two pages look broken although they are not.
//! Verify again and keep what [`Report::confirmed_by`] the second reading; a finding that two readings share is real.

mod digest;
mod digests;
mod facts;
mod fields;
mod history;
mod members;
mod orders;
mod others;
mod report;
mod row;
mod terms;
mod value;

pub use digest::{DIGEST, canonical, digest_of};
pub use report::{Counts, Finding, Report};
pub use row::Row;
pub use value::Value;

use std::collections::HashMap;
use std::thread;

use digests::Digests;
use history::Histories;
use members::Members;
use orders::Orders;
use others::Others;
use report::Findings;

/// A table of the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    Members,
    PointsHistory,
    Orders,
    Participations,
    Vouchers,
    Messages,
}

impl Table {
    pub const ALL: [Self; 6] =
        [Self::Members, Self::PointsHistory, Self::Orders, Self::Participations, Self::Vouchers, Self::Messages];

    /// The table's name without the installation's prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::Members => "members",
            Self::PointsHistory => "points-history",
            Self::Orders => "orders",
            Self::Participations => "participations",
            Self::Vouchers => "vouchers",
            Self::Messages => "messages",
        }
    }
}

/// One reading of all tables.
#[derive(Default)]
pub struct Audit {
    counts: Counts,
    findings: Findings,
    histories: Histories,
    orders: Orders,
    members: Members,
    others: Others,
    text: Vec<u8>,
}

impl Audit {
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads one row. What is wrong with it is found now or by [`Audit::finish`].
    pub fn row(&mut self, table: Table, row: &Row) {
        if let Some(what) = digest::prove(row, &mut self.text) {
            self.findings.add(table, key_of(table, row), what.into());
        }
        self.read(table, row);
    }

    /// Reads many rows, one after the other. Nothing depends on their digests, and those take most of the time: they are
    /// proved meanwhile, by all processors.
    pub fn rows(&mut self, rows: &[(Table, Row)]) {
        let digests = Digests::of(rows);
        thread::scope(|scope| {
            for _ in 1..digests.shares() {
                scope.spawn(|| digests.prove());
            }
            rows.iter().for_each(|(table, row)| self.read(*table, row));
            digests.prove();
        });
        for (at, what) in digests.wrong() {
            let (table, row) = &rows[at];
            self.findings.add(*table, key_of(*table, row), what.into());
        }
    }

    fn read(&mut self, table: Table, row: &Row) {
        *self.counts.of(table) += 1;
        let read = match table {
            Table::Members => self.members.row(row, &mut self.findings),
            Table::PointsHistory => self.histories.row(row, &mut self.orders, &mut self.findings),
            Table::Orders => self.orders.row(row, &mut self.findings),
            Table::Participations => self.others.participation(row, &mut self.findings),
            Table::Vouchers => self.others.voucher(row, &mut self.findings),
            Table::Messages => self.others.message(row, &mut self.findings),
        };
        if let Err(problem) = read {
            self.findings.add(table, key_of(table, row), format!("cannot be read: {problem}"));
        }
    }

    /// Holds the tables against each other and reports.
    pub fn finish(mut self) -> Report {
        let sums = self.orders.finish(&self.members, &mut self.findings);
        self.members.finish(&self.histories, &self.orders, &sums, &mut self.findings);
        for member_id in self.histories.ids().filter(|id| !self.members.has(id)) {
            self.findings.add(Table::PointsHistory, member_id.to_owned(), "has no row in members".into());
        }
        self.others.finish(&self.members, &self.histories, &self.orders, &mut self.findings);
        Report::new(self.counts, self.findings)
    }
}

/// The row's key as far as it can be read, for findings.
fn key_of(table: Table, row: &Row) -> String {
    let names: &[&str] = match table {
        Table::Members => &["member_id"],
        Table::PointsHistory => &["member_id", "seq"],
        Table::Orders => &["order_id"],
        Table::Participations => &["campaign", "member_id"],
        Table::Vouchers => &["voucher_id"],
        Table::Messages => &["message_id"],
    };
    let part = |name: &&str| match row.get(name) {
        Some(Value::S(text) | Value::N(text)) => text.clone(),
        _ => "?".to_owned(),
    };
    names.iter().map(part).collect::<Vec<_>>().join("/")
}

/// What the orders of one member add up to.
#[derive(Clone, Copy, Debug, Default)]
struct MemberSums {
    orders_count: i128,
    spent_minor: i128,
    pending_points: i128,
}

type SumsByMember = HashMap<String, MemberSums>;
