//! An in-memory store with the conditions of the real one: revisions, and rows of the ledger that must not exist yet.
//!
//! It keeps every version of every row, so that a read can be as stale as a fault wants it.

use std::collections::BTreeMap;
use std::ops::Range;

use loyalty_domain::campaign::Participation;
use loyalty_domain::decision::Decision;
use loyalty_domain::ids::{MemberId, OrderId, RequestId, RuleId, VoucherId};
use loyalty_domain::ledger::Entry;
use loyalty_domain::member::Member;
use loyalty_domain::order::Order;
use loyalty_domain::request::Request;
use loyalty_domain::voucher::Voucher;

/// All versions of one row, oldest first; the revision of a row is its place.
type Versions<T> = Vec<T>;

/// The books.
#[derive(Clone, Debug, Default)]
pub struct Store {
    members: BTreeMap<MemberId, Versions<Member>>,
    orders: BTreeMap<OrderId, Versions<Order>>,
    histories: BTreeMap<MemberId, Vec<Entry>>,
    participations: BTreeMap<(RuleId, MemberId), Versions<Participation>>,
    requests: BTreeMap<RequestId, Versions<Request>>,
    vouchers: BTreeMap<VoucherId, Versions<Voucher>>,
    /// Whether it remembers its transactions one by one.
    pub keeps_log: bool,
    log: Vec<Commit>,
    /// Which conditions hold; all but in a seeded bug.
    pub conditions: Conditions,
}

/// One transaction as it was written: the rows it left, by their revisions.
#[derive(Clone, Debug)]
pub struct Commit {
    pub member: Option<(MemberId, usize)>,
    pub order: Option<(OrderId, usize)>,
    /// Where its entries stand in the member's history.
    pub entries: Range<usize>,
}

#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    pub order_revision: bool,
    pub member_revision: bool,
    pub entry_absent: bool,
    pub participation_revision: bool,
    pub voucher_revision: bool,
    /// What a command wrote is remembered in the same transaction, so it is done once.
    pub request_revision: bool,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            order_revision: true,
            member_revision: true,
            entry_absent: true,
            participation_revision: true,
            voucher_revision: true,
            request_revision: true,
        }
    }
}

/// A row as it was read: absent at revision 0.
#[derive(Clone, Debug)]
pub struct Read<T> {
    pub row: Option<T>,
    pub revision: usize,
}

impl<T> Default for Read<T> {
    fn default() -> Self {
        Self { row: None, revision: 0 }
    }
}

/// One transaction: what was decided, and the revisions of the rows it was decided by.
#[derive(Clone, Debug)]
pub struct Write {
    pub decision: Decision,
    pub order_revision: usize,
    pub member_revision: usize,
    pub left_revision: usize,
    pub request_revision: usize,
    /// Of campaigns; 0 for those that are not here.
    pub participation_revisions: Vec<(RuleId, usize)>,
    pub voucher_revisions: Vec<(VoucherId, usize)>,
}

impl Write {
    /// A decision about rows that were not there.
    pub fn new(decision: Decision) -> Self {
        Self {
            decision,
            order_revision: 0,
            member_revision: 0,
            left_revision: 0,
            request_revision: 0,
            participation_revisions: Vec::new(),
            voucher_revisions: Vec::new(),
        }
    }

    fn participation_revision(&self, campaign: &RuleId) -> usize {
        self.participation_revisions.iter().find(|(known, _)| known == campaign).map_or(0, |(_, revision)| *revision)
    }
}

/// Somebody else was faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict;

fn read<T: Clone>(versions: Option<&Versions<T>>, behind: u8) -> Read<T> {
    let Some(versions) = versions else { return Read::default() };
    let revision = versions.len().saturating_sub(usize::from(behind));
    Read { row: revision.checked_sub(1).and_then(|at| versions.get(at)).cloned(), revision }
}

/// The last version of every row, with its revision.
fn last<'a, K: 'a, T>(rows: &'a BTreeMap<K, Versions<T>>) -> impl Iterator<Item = (&'a T, usize)> {
    rows.values().filter_map(|versions| Some((versions.last()?, versions.len())))
}

impl Store {
    /// Books in which vouchers have been given, and which remember how they came about.
    pub fn with(vouchers: &[Voucher]) -> Self {
        let row = |voucher: &Voucher| (voucher.voucher_id.clone(), vec![voucher.clone()]);
        Self { vouchers: vouchers.iter().map(row).collect(), keeps_log: true, ..Self::default() }
    }

    pub fn voucher(&self, voucher_id: &VoucherId) -> Read<Voucher> {
        read(self.vouchers.get(voucher_id), 0)
    }

    pub fn vouchers(&self) -> impl Iterator<Item = (&Voucher, usize)> {
        last(&self.vouchers)
    }

    /// What was written, transaction after transaction.
    pub fn log(&self) -> &[Commit] {
        &self.log
    }

    /// `seq` of the first entry of the decision that posted an entry; 1 in books without a log.
    pub fn decided_from(&self, entry: &Entry) -> u64 {
        let place = usize::try_from(entry.seq).unwrap_or(usize::MAX).saturating_sub(1);
        let own = |commit: &&Commit| commit.member.as_ref().is_some_and(|(member_id, _)| *member_id == entry.member_id);
        let commit = self.log.iter().filter(own).find(|commit| commit.entries.contains(&place));
        commit.map_or(1, |commit| commit.entries.start as u64 + 1)
    }

    /// A member's row as a transaction left it.
    pub fn member_at(&self, (member_id, revision): &(MemberId, usize)) -> Option<&Member> {
        self.members.get(member_id)?.get(revision.checked_sub(1)?)
    }

    /// An order's row as a transaction left it.
    pub fn order_at(&self, (order_id, revision): &(OrderId, usize)) -> Option<&Order> {
        self.orders.get(order_id)?.get(revision.checked_sub(1)?)
    }

    pub fn order(&self, order_id: &OrderId, behind: u8) -> Read<Order> {
        read(self.orders.get(order_id), behind)
    }

    pub fn member(&self, member_id: &MemberId, behind: u8) -> Read<Member> {
        read(self.members.get(member_id), behind)
    }

    pub fn participation(&self, campaign: &RuleId, member_id: &MemberId, behind: u8) -> Read<Participation> {
        read(self.participations.get(&(campaign.clone(), member_id.clone())), behind)
    }

    pub fn request(&self, request_id: &RequestId, behind: u8) -> Read<Request> {
        read(self.requests.get(request_id), behind)
    }

    pub fn history(&self, member_id: &MemberId, behind: u8) -> &[Entry] {
        let all = self.histories.get(member_id).map_or(&[][..], Vec::as_slice);
        &all[..all.len().saturating_sub(usize::from(behind))]
    }

    pub fn members(&self) -> impl Iterator<Item = (&Member, usize)> {
        last(&self.members)
    }

    pub fn orders(&self) -> impl Iterator<Item = (&Order, usize)> {
        last(&self.orders)
    }

    pub fn participations(&self) -> impl Iterator<Item = (&Participation, usize)> {
        last(&self.participations)
    }

    pub fn requests(&self) -> impl Iterator<Item = (&Request, usize)> {
        last(&self.requests)
    }

    pub fn histories(&self) -> impl Iterator<Item = &[Entry]> {
        self.histories.values().map(Vec::as_slice)
    }

    /// Writes all of it or nothing.
    ///
    /// # Errors
    /// [`Conflict`] when a row is not as it was read.
    pub fn commit(&mut self, write: Write) -> Result<(), Conflict> {
        self.check(&write)?;
        let Decision { member, left_member, order, entries, participations, request, vouchers, .. } = write.decision;
        let written = member.as_ref().map(|member| member.member_id.clone());
        let ordered = order.as_ref().map(|order| order.order_id.clone());
        let first = written.as_ref().map_or(0, |member_id| self.history(member_id, 0).len());
        for member in member.into_iter().chain(left_member) {
            self.members.entry(member.member_id.clone()).or_default().push(member);
        }
        if let Some(order) = order {
            self.orders.entry(order.order_id.clone()).or_default().push(order);
        }
        for participation in participations {
            let key = (participation.campaign.clone(), participation.member_id.clone());
            self.participations.entry(key).or_default().push(participation);
        }
        if let Some(request) = request {
            self.requests.entry(request.request_id.clone()).or_default().push(request);
        }
        for voucher in vouchers {
            self.vouchers.entry(voucher.voucher_id.clone()).or_default().push(voucher);
        }
        for entry in entries {
            let history = self.histories.entry(entry.member_id.clone()).or_default();
            match history.iter_mut().find(|known| known.seq == entry.seq) {
                // Only without its condition can a row of the ledger be written over.
                Some(known) => *known = entry,
                None => history.push(entry),
            }
        }
        if !self.keeps_log {
            return Ok(());
        }
        let entries = first..written.as_ref().map_or(0, |member_id| self.history(member_id, 0).len());
        let member = written.map(|member_id| (self.member(&member_id, 0).revision, member_id));
        let order = ordered.map(|order_id| (self.order(&order_id, 0).revision, order_id));
        self.log.push(Commit {
            member: member.map(|(revision, member_id)| (member_id, revision)),
            order: order.map(|(revision, order_id)| (order_id, revision)),
            entries,
        });
        Ok(())
    }

    fn check(&self, write: &Write) -> Result<(), Conflict> {
        let Write { decision, order_revision, member_revision, left_revision, request_revision, .. } = write;
        let conditions = self.conditions;
        let as_read = |found: usize, read: usize| if found == read { Ok(()) } else { Err(Conflict) };
        if let Some(order) = decision.order.as_ref().filter(|_| conditions.order_revision) {
            as_read(self.order(&order.order_id, 0).revision, *order_revision)?;
        }
        if let Some(member) = decision.member.as_ref().filter(|_| conditions.member_revision) {
            as_read(self.member(&member.member_id, 0).revision, *member_revision)?;
        }
        if let Some(member) = decision.left_member.as_ref().filter(|_| conditions.member_revision) {
            as_read(self.member(&member.member_id, 0).revision, *left_revision)?;
        }
        for row in decision.participations.iter().filter(|_| conditions.participation_revision) {
            let found = self.participation(&row.campaign, &row.member_id, 0).revision;
            as_read(found, write.participation_revision(&row.campaign))?;
        }
        for row in decision.vouchers.iter().filter(|_| conditions.voucher_revision) {
            let read = write.voucher_revisions.iter().find(|(known, _)| *known == row.voucher_id);
            as_read(self.voucher(&row.voucher_id).revision, read.map_or(0, |(_, revision)| *revision))?;
        }
        if let Some(request) = decision.request.as_ref().filter(|_| conditions.request_revision) {
            as_read(self.request(&request.request_id, 0).revision, *request_revision)?;
        }
        let exists = |entry: &Entry| self.history(&entry.member_id, 0).iter().any(|known| known.seq == entry.seq);
        if conditions.entry_absent && decision.entries.iter().any(exists) {
            return Err(Conflict);
        }
        Ok(())
    }
}
