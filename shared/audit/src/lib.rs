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
//! credit. Of every review: the qualifying points are gone, and cycle and floor are those it began. Of every campaign:
//! what was used are the distinct orders credited. Of every opening: it is the first entry, and what it says was before
//! these books is on the row beside what the orders add up to. Of every merge: what one member gave up the other got, and
//! their orders and sums are one person's. Of every order
//! from before: its member was opened where it holds points, and it counts by what changed since. Of every command: one entry, and points that wait, stay away or came
//! back. Vouchers and messages are held against what they name. Of every contact and every user of the official account:
//! what is not wanted follows from the wishes, and the two agree on who is who. What was said before it was said again
//! stands nowhere, so that the newest word won cannot be proved. The table `senders` holds secrets and is not read.
//!
//! Feed every row once, in any order of tables; the entries of one member by rising `seq`, as a scan or a query returns
//! them. Memory grows with members, orders and credits, not with entries. [`Audit::rows`] is the fast way to feed them.
//!
//! **While the books move** a scan is no snapshot: rows written between two pages look broken although they are not.
//! Verify again and keep what [`Report::confirmed_by`] the second reading. Of a finding that two readings share, its member
//! says whether it is real: it is, if that one's row was not written during the second.

mod contacts;
mod credits;
mod cycles;
mod digest;
mod digests;
mod entry;
mod facts;
mod fields;
mod history;
mod imported;
mod item_rules;
mod members;
mod merges;
mod messages;
mod opening;
mod orders;
mod participations;
mod report;
mod requests;
mod row;
mod terms;
mod value;
mod vouchers;
mod welcome;

pub use digest::{DIGEST, canonical, digest_of};
pub use report::{Counts, Finding, Report, Standing};
pub use row::Row;
pub use value::Value;

use std::collections::BTreeMap;
use std::thread;

use chrono::NaiveDate;

use contacts::Contacts;
use digests::Digests;
use foldhash::HashMap;
use history::Histories;
use members::Members;
use messages::Messages;
use orders::Orders;
use participations::Participations;
use report::Findings;
use requests::Requests;
use vouchers::Vouchers;

/// A table of the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    Members,
    PointsHistory,
    Orders,
    Participations,
    Requests,
    Vouchers,
    Messages,
    Contacts,
    ZaloUsers,
}

impl Table {
    pub const ALL: [Self; 9] = [
        Self::Members,
        Self::PointsHistory,
        Self::Orders,
        Self::Participations,
        Self::Requests,
        Self::Vouchers,
        Self::Messages,
        Self::Contacts,
        Self::ZaloUsers,
    ];

    /// The table's name without the installation's prefix.
    pub fn name(self) -> &'static str {
        match self {
            Self::Members => "members",
            Self::PointsHistory => "points-history",
            Self::Orders => "orders",
            Self::Participations => "participations",
            Self::Requests => "requests",
            Self::Vouchers => "vouchers",
            Self::Messages => "messages",
            Self::Contacts => "contacts",
            Self::ZaloUsers => "zalo-users",
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
    participations: Participations,
    requests: Requests,
    vouchers: Vouchers,
    messages: Messages,
    contacts: Contacts,
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
        // What runs note for the next ones stands beside the requests.
        if table == Table::Requests && requests::is_note(row) {
            return;
        }
        *self.counts.of(table) += 1;
        let read = match table {
            Table::Members => self.members.row(row, &mut self.findings),
            Table::PointsHistory => self.histories.row(row, &mut self.orders, &mut self.findings),
            Table::Orders => self.orders.row(row, &mut self.findings),
            Table::Participations => self.participations.row(row, &mut self.findings),
            Table::Requests => self.requests.row(row, &mut self.findings),
            Table::Vouchers => self.vouchers.row(row, &mut self.findings),
            Table::Messages => self.messages.row(row, &mut self.findings),
            Table::Contacts => self.contacts.contact(row, &mut self.findings),
            Table::ZaloUsers => self.contacts.user(row, &mut self.findings),
        };
        if let Err(problem) = read {
            self.findings.add(table, key_of(table, row), format!("cannot be read: {problem}"));
        }
    }

    /// Holds the tables against each other and reports.
    pub fn finish(self) -> Report {
        let Self {
            counts,
            mut findings,
            mut histories,
            mut orders,
            members,
            participations,
            requests,
            vouchers,
            messages,
            contacts,
            ..
        } = self;
        let merges = histories.finish(&mut orders, &mut findings);
        merges.prove(&histories, &members, &mut findings);
        let sums = orders.finish(&members, (&histories, &merges), &mut findings);
        members.finish((&histories, &merges), &orders, &sums, &mut findings);
        for (member_id, _) in histories.all().filter(|(member_id, _)| !members.has(member_id)) {
            findings.add(Table::PointsHistory, member_id.to_owned(), "has no row in members".into());
        }
        participations.finish(&members, (&histories, &merges), &orders, &mut findings);
        requests.finish(&members, &histories, &mut findings);
        vouchers.finish(&members, &orders, &requests, &mut findings);
        messages.finish(&members, &histories, &mut findings);
        contacts.finish(&mut findings);
        let whose = |found: &Finding| {
            let key = found.key.as_str();
            let member_id = match found.table {
                Table::Members => Some(key),
                Table::PointsHistory => key.split('/').next(),
                Table::Participations => key.rsplit('/').next(),
                Table::Messages => key.split(':').next(),
                Table::Orders => orders.member_of(key),
                Table::Requests => requests.member_of(key),
                Table::Vouchers => vouchers.member_of(key),
                // Written without the member's row.
                Table::Contacts | Table::ZaloUsers => None,
            };
            member_id.map(str::to_owned)
        };
        Report::new(counts, members.standing(), findings, whose)
    }
}

/// The row's key as far as it can be read, for findings.
fn key_of(table: Table, row: &Row) -> String {
    let names: &[&str] = match table {
        Table::Members => &["member_id"],
        Table::PointsHistory => &["member_id", "seq"],
        Table::Orders => &["order_id"],
        Table::Participations => &["campaign", "member_id"],
        Table::Requests => &["request_id"],
        Table::Vouchers => &["voucher_id"],
        Table::Messages => &["message_id"],
        Table::Contacts => &["member_id"],
        Table::ZaloUsers => &["user_id"],
    };
    let part = |name: &&str| match row.get(name) {
        Some(Value::S(text) | Value::N(text)) => text.to_string(),
        _ => "?".to_owned(),
    };
    names.iter().map(part).collect::<Vec<_>>().join("/")
}

/// What the orders of one member add up to.
#[derive(Clone, Debug, Default)]
struct MemberSums {
    orders_count: i128,
    spent_minor: i128,
    pending_points: i128,
    /// Spent, and orders on which anything was, by the cycle that their own points count in.
    cycles: BTreeMap<NaiveDate, (i128, i128)>,
}

impl MemberSums {
    /// The same, and what was before these books.
    fn with(&self, opened: &opening::Opened) -> Self {
        let mut sums = self.clone();
        sums.orders_count += opened.orders_count;
        sums.spent_minor += opened.spent_minor;
        let cycle = sums.cycles.entry(opened.cycle_start).or_default();
        *cycle = (cycle.0 + opened.cycle.0, cycle.1 + opened.cycle.1);
        sums
    }
}

type SumsByMember<'a> = HashMap<&'a str, MemberSums>;
