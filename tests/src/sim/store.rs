//! An in-memory store with the conditions of the real one: revisions, and rows of the ledger that must not exist yet.
//!
//! It keeps every version of every row, so that a read can be as stale as a fault wants it.

use std::collections::BTreeMap;

use loyalty_domain::decision::Decision;
use loyalty_domain::ids::{MemberId, OrderId};
use loyalty_domain::ledger::Entry;
use loyalty_domain::member::Member;
use loyalty_domain::order::Order;

/// All versions of one row, oldest first; the revision of a row is its place.
type Versions<T> = Vec<T>;

/// The books.
#[derive(Clone, Debug, Default)]
pub struct Store {
    members: BTreeMap<MemberId, Versions<Member>>,
    orders: BTreeMap<OrderId, Versions<Order>>,
    histories: BTreeMap<MemberId, Vec<Entry>>,
    /// Redemptions and restorations that were done, by their key, and the entry of each.
    commands: BTreeMap<Command, (MemberId, u64)>,
    /// Which conditions hold; all but in a seeded bug.
    pub conditions: Conditions,
}

/// What a command wrote is remembered in the same transaction, so it is done once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Command {
    Redeem(u32),
    Restore(u32),
}

#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    pub order_revision: bool,
    pub member_revision: bool,
    pub entry_absent: bool,
    pub command_absent: bool,
}

impl Default for Conditions {
    fn default() -> Self {
        Self { order_revision: true, member_revision: true, entry_absent: true, command_absent: true }
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

/// One transaction.
#[derive(Clone, Debug)]
pub struct Write {
    pub decision: Decision,
    pub order_revision: usize,
    pub member_revision: usize,
    pub left_revision: usize,
    pub command: Option<Command>,
}

/// Somebody else was faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict;

fn read<T: Clone>(versions: Option<&Versions<T>>, behind: u8) -> Read<T> {
    let Some(versions) = versions else { return Read::default() };
    let revision = versions.len().saturating_sub(usize::from(behind));
    Read { row: revision.checked_sub(1).and_then(|at| versions.get(at)).cloned(), revision }
}

impl Store {
    pub fn order(&self, order_id: &OrderId, behind: u8) -> Read<Order> {
        read(self.orders.get(order_id), behind)
    }

    pub fn member(&self, member_id: &MemberId, behind: u8) -> Read<Member> {
        read(self.members.get(member_id), behind)
    }

    pub fn history(&self, member_id: &MemberId, behind: u8) -> &[Entry] {
        let all = self.histories.get(member_id).map_or(&[][..], Vec::as_slice);
        &all[..all.len().saturating_sub(usize::from(behind))]
    }

    pub fn command(&self, command: Command) -> Option<&(MemberId, u64)> {
        self.commands.get(&command)
    }

    pub fn commands(&self) -> impl Iterator<Item = (&Command, &(MemberId, u64))> {
        self.commands.iter()
    }

    /// The last version of every member, with its revision.
    pub fn members(&self) -> impl Iterator<Item = (&Member, usize)> {
        self.members.values().filter_map(|versions| Some((versions.last()?, versions.len())))
    }

    /// The last version of every order, with its revision.
    pub fn orders(&self) -> impl Iterator<Item = (&Order, usize)> {
        self.orders.values().filter_map(|versions| Some((versions.last()?, versions.len())))
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
        let Write { decision, command, .. } = write;
        if let (Some(command), Some(entry)) = (command, decision.entries.last()) {
            self.commands.insert(command, (entry.member_id.clone(), entry.seq));
        }
        for member in decision.member.into_iter().chain(decision.left_member) {
            self.members.entry(member.member_id.clone()).or_default().push(member);
        }
        if let Some(order) = decision.order {
            self.orders.entry(order.order_id.clone()).or_default().push(order);
        }
        for entry in decision.entries {
            let history = self.histories.entry(entry.member_id.clone()).or_default();
            match history.iter_mut().find(|known| known.seq == entry.seq) {
                // Only without its condition can a row of the ledger be written over.
                Some(known) => *known = entry,
                None => history.push(entry),
            }
        }
        Ok(())
    }

    fn check(&self, write: &Write) -> Result<(), Conflict> {
        let Write { decision, order_revision, member_revision, left_revision, command } = write;
        let Conditions { order_revision: check_order, member_revision: check_member, .. } = self.conditions;
        let as_read = |found: usize, read: usize| if found == read { Ok(()) } else { Err(Conflict) };
        if let Some(order) = decision.order.as_ref().filter(|_| check_order) {
            as_read(self.order(&order.order_id, 0).revision, *order_revision)?;
        }
        if let Some(member) = decision.member.as_ref().filter(|_| check_member) {
            as_read(self.member(&member.member_id, 0).revision, *member_revision)?;
        }
        if let Some(member) = decision.left_member.as_ref().filter(|_| check_member) {
            as_read(self.member(&member.member_id, 0).revision, *left_revision)?;
        }
        let exists = |entry: &Entry| self.history(&entry.member_id, 0).iter().any(|known| known.seq == entry.seq);
        if self.conditions.entry_absent && decision.entries.iter().any(exists) {
            return Err(Conflict);
        }
        if self.conditions.command_absent && command.is_some_and(|command| self.commands.contains_key(&command)) {
            return Err(Conflict);
        }
        Ok(())
    }
}
