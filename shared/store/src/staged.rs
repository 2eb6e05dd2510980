//! What has been decided for the orders of a member and not yet been written.

use std::collections::BTreeMap;

use loyalty_domain::decision::Decision;
use loyalty_domain::ids::{MemberId, OrderId, VoucherId};
use loyalty_domain::ledger::Entry;
use loyalty_domain::programme::Programme;

use crate::apply::Applied;
use crate::commit::{Condition, Write};
use crate::item::{Item, size};
use crate::records::{encode_entry, encode_member, encode_order, encode_participation, encode_voucher};
use crate::rows::{ParticipationKey, Rows};
use crate::{StoreError, Table};

/// DynamoDB's limits on one transaction.
const ITEMS_MAX: usize = 100;
const BYTES_MAX: usize = 4_000_000;

/// Rows to be written together, and the events that are done once they are.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    members: BTreeMap<MemberId, Write>,
    orders: BTreeMap<OrderId, StagedOrder>,
    participations: BTreeMap<ParticipationKey, Write>,
    vouchers: BTreeMap<VoucherId, Write>,
    pub entries: Vec<Entry>,
    entry_writes: Vec<Write>,
}

#[derive(Debug)]
pub(crate) struct StagedOrder {
    pub write: Write,
    pub events: Vec<(usize, Applied)>,
    /// Nothing else depends on it: it is put by itself.
    alone: bool,
}

/// The rows of one decision.
pub(crate) struct Addition {
    members: Vec<(MemberId, Write)>,
    order: Option<(OrderId, Write)>,
    participations: Vec<(ParticipationKey, Write)>,
    vouchers: Vec<(VoucherId, Write)>,
    entry_writes: Vec<Write>,
}

impl Addition {
    /// Each row follows the revision it was read with.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] when no transaction can hold it.
    pub fn new(decision: &Decision, rows: &Rows, programme: &Programme) -> Result<Self, StoreError> {
        let mut members = Vec::new();
        for member in decision.member.iter().chain(&decision.left_member) {
            let revision = rows.member(&member.member_id)?.revision;
            let item = encode_member(member, revision + 1, programme);
            let condition = Condition::as_read(revision);
            members.push((member.member_id.clone(), Write { table: Table::Members, item, condition }));
        }
        let mut order = None;
        if let Some(next) = &decision.order {
            let revision = rows.order(&next.order_id)?.revision;
            let item = encode_order(next, revision + 1);
            let condition = Condition::as_read(revision);
            order = Some((next.order_id.clone(), Write { table: Table::Orders, item, condition }));
        }
        let mut participations = Vec::new();
        for participation in &decision.participations {
            let key = (participation.campaign.clone(), participation.member_id.clone());
            let revision = rows.participation(&key).revision;
            let item = encode_participation(participation, revision + 1);
            let condition = Condition::as_read(revision);
            participations.push((key, Write { table: Table::Participations, item, condition }));
        }
        let mut vouchers = Vec::new();
        for voucher in &decision.vouchers {
            let revision = rows.voucher_revision(&voucher.voucher_id);
            let item = encode_voucher(voucher, revision + 1);
            let condition = Condition::as_read(revision);
            vouchers.push((voucher.voucher_id.clone(), Write { table: Table::Vouchers, item, condition }));
        }
        let entry_writes = decision.entries.iter().map(entry_write).collect();
        let addition = Self { members, order, participations, vouchers, entry_writes };
        let (items, bytes) = measure(addition.writes());
        if items > ITEMS_MAX || bytes > BYTES_MAX { Err(StoreError::TooLarge { items, bytes }) } else { Ok(addition) }
    }

    fn writes(&self) -> impl Iterator<Item = &Write> {
        let members = self.members.iter().map(|(_, write)| write);
        let participations = self.participations.iter().map(|(_, write)| write);
        let vouchers = self.vouchers.iter().map(|(_, write)| write);
        let order = self.order.iter().map(|(_, write)| write);
        members.chain(order).chain(participations).chain(vouchers).chain(&self.entry_writes)
    }
}

fn entry_write(entry: &Entry) -> Write {
    Write { table: Table::PointsHistory, item: encode_entry(entry), condition: Condition::Absent }
}

fn measure<'a>(writes: impl Iterator<Item = &'a Write>) -> (usize, usize) {
    writes.fold((0, 0), |(items, bytes), write| (items + 1, bytes + size(&write.item)))
}

impl Staged {
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// Whether the addition can be written in one transaction with what is staged. Rows that are staged already count
    /// twice, which only splits a little early.
    pub fn has_room_for(&self, addition: &Addition) -> bool {
        let (items, bytes) = measure(self.together().into_iter().chain(addition.writes()));
        items <= ITEMS_MAX && bytes <= BYTES_MAX
    }

    /// Takes a decision in, and brings the rows along. A row that is staged already keeps the condition it was read
    /// with: only its last state is written.
    pub fn add(&mut self, addition: Addition, decision: Decision, event: usize, applied: Applied, rows: &mut Rows) {
        let Addition { members, order, participations, vouchers, entry_writes } = addition;
        let touches_more = !members.is_empty() || !vouchers.is_empty();
        // An order of a member who is not written yet must not be there without them.
        let of_new_member = applied.member_id.as_ref().is_some_and(|member_id| self.begins(member_id));
        for (member_id, write) in members {
            self.members.entry(member_id).and_modify(|staged| staged.item = write.item.clone()).or_insert(write);
        }
        for (key, write) in participations {
            self.participations.entry(key).and_modify(|staged| staged.item = write.item.clone()).or_insert(write);
        }
        for (voucher_id, write) in vouchers {
            self.vouchers.entry(voucher_id).and_modify(|staged| staged.item = write.item.clone()).or_insert(write);
        }
        if let Some((order_id, write)) = order {
            let staged = self.orders.entry(order_id).or_insert_with(|| StagedOrder {
                write: Write { item: Item::new(), ..write },
                events: Vec::new(),
                alone: true,
            });
            staged.write.item = write.item;
            staged.events.push((event, applied));
            staged.alone &= !touches_more && !of_new_member;
        }
        for member in decision.member.into_iter().chain(decision.left_member) {
            rows.put_member(member);
        }
        if let Some(next) = decision.order {
            rows.put_order(next);
        }
        for participation in decision.participations {
            rows.put_participation(participation);
        }
        for voucher in decision.vouchers {
            rows.put_voucher(voucher);
        }
        self.entries.extend(decision.entries);
        self.entry_writes.extend(entry_writes);
    }

    /// An event that changes nothing is done when what it was compared with is. `false` when that is written already.
    pub fn follow(&mut self, order_id: &OrderId, event: usize, applied: Applied) -> bool {
        match self.orders.get_mut(order_id) {
            Some(staged) => {
                staged.events.push((event, applied));
                true
            }
            None => false,
        }
    }

    /// The orders that are put by themselves.
    pub fn alone(&self) -> impl Iterator<Item = &StagedOrder> {
        self.orders.values().filter(|order| order.alone)
    }

    /// The rows of the transaction, handed over.
    pub fn take_together(&mut self) -> Vec<Write> {
        let orders = self.orders.values_mut().filter(|order| !order.alone).map(|order| &mut order.write);
        let more = self.participations.values_mut().chain(self.vouchers.values_mut());
        let rows = self.members.values_mut().chain(orders).chain(more);
        let take = |write: &mut Write| Write { item: std::mem::take(&mut write.item), ..*write };
        rows.chain(&mut self.entry_writes).map(take).collect()
    }

    /// The rows of the transaction: members, orders, participations, vouchers, entries.
    fn together(&self) -> Vec<&Write> {
        let orders = self.orders.values().filter(|order| !order.alone).map(|order| &order.write);
        let more = self.participations.values().chain(self.vouchers.values());
        self.members.values().chain(orders).chain(more).chain(&self.entry_writes).collect()
    }

    /// The events of the transaction.
    pub fn events_together(&self) -> Vec<(usize, Applied)> {
        self.orders.values().filter(|order| !order.alone).flat_map(|order| order.events.iter().cloned()).collect()
    }

    /// Once all is written, the rows stand at the next revision.
    pub fn written(&self, rows: &mut Rows) {
        self.members.keys().for_each(|member_id| rows.member_written(member_id));
        self.orders.keys().for_each(|order_id| rows.order_written(order_id));
        self.participations.keys().for_each(|key| rows.participation_written(key));
        self.vouchers.keys().for_each(|voucher_id| rows.voucher_written(voucher_id));
    }

    fn begins(&self, member_id: &MemberId) -> bool {
        self.members.get(member_id).is_some_and(|write| write.condition == Condition::Absent)
    }
}
