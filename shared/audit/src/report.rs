//! What an audit found.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use crate::Table;

/// How many findings are kept; the rest is only counted. Books this broken are not read finding by finding.
const FINDINGS_MAX: usize = 10_000;

/// How many rows were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub members: u64,
    pub entries: u64,
    pub orders: u64,
    pub participations: u64,
    pub requests: u64,
    pub vouchers: u64,
    pub messages: u64,
    pub contacts: u64,
    pub zalo_users: u64,
}

impl Counts {
    pub(crate) fn of(&mut self, table: Table) -> &mut u64 {
        match table {
            Table::Members => &mut self.members,
            Table::PointsHistory => &mut self.entries,
            Table::Orders => &mut self.orders,
            Table::Participations => &mut self.participations,
            Table::Requests => &mut self.requests,
            Table::Vouchers => &mut self.vouchers,
            Table::Messages => &mut self.messages,
            Table::Contacts => &mut self.contacts,
            Table::ZaloUsers => &mut self.zalo_users,
        }
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Finding {
    pub table: Table,
    /// The row's key; the parts of a composed one are joined by `/`.
    pub key: String,
    pub what: String,
    /// The member whose row is written with this one, where that is known: while theirs stays as it is, so does this.
    pub member_id: Option<String>,
}

impl Finding {
    /// The row that it is about.
    pub fn row(&self) -> (Table, String) {
        (self.table, self.key.clone())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.table.name(), self.key, self.what)
    }
}

/// Where all members stand together, as their rows say. Who has joined another stands where that one does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub members: u64,
    /// Redeemable points that members may still spend: what the shop owes them.
    pub outstanding_points: i128,
    /// Redeemable points that members owe, above zero.
    pub owed_points: i128,
    /// Members by tier.
    pub tiers: BTreeMap<String, u64>,
}

/// The outcome of one audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub counts: Counts,
    pub standing: Standing,
    /// Sorted by table and key; at most 10,000.
    pub findings: Vec<Finding>,
    /// Findings beyond those kept.
    pub left_out: u64,
    /// Members about whom nothing is said: they were written during every reading. Sorted.
    pub unproved: Vec<String>,
}

impl Report {
    /// `whose` is the member that a row belongs to.
    pub(crate) fn new(
        counts: Counts,
        standing: Standing,
        findings: Findings,
        whose: impl Fn(&Finding) -> Option<String>,
    ) -> Self {
        let Findings { mut kept, left_out } = findings;
        kept.sort_unstable();
        kept.dedup();
        kept.iter_mut().for_each(|found| found.member_id = whose(found));
        Self { counts, standing, findings: kept, left_out, unproved: Vec::new() }
    }

    /// How many findings there are, kept or not.
    pub fn found(&self) -> u64 {
        self.findings.len() as u64 + self.left_out
    }

    /// The books are in order.
    pub fn clean(&self) -> bool {
        self.found() == 0
    }

    /// What a second reading of the same tables finds wrong with the same rows: a row that only one of them saw broken
    /// was in motion. Counts and standing are those of the second.
    pub fn confirmed_by(&self, second: Self) -> Self {
        let left_out = self.left_out.min(second.left_out);
        let broken: HashSet<(Table, &str)> =
            self.findings.iter().map(|found| (found.table, found.key.as_str())).collect();
        let findings = if left_out > 0 {
            second.findings
        } else {
            second.findings.into_iter().filter(|found| broken.contains(&(found.table, found.key.as_str()))).collect()
        };
        Self { counts: second.counts, standing: second.standing, findings, left_out, unproved: Vec::new() }
    }
}

/// Findings as they are collected.
#[derive(Default)]
pub(crate) struct Findings {
    kept: Vec<Finding>,
    left_out: u64,
}

impl Findings {
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub fn add(&mut self, table: Table, key: String, what: String) {
        if self.kept.len() < FINDINGS_MAX {
            self.kept.push(Finding { table, key, what, member_id: None });
        } else {
            self.left_out += 1;
        }
    }
}
