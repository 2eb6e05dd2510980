//! The rows that a batch of order events concerns, read with as few requests as there can be, and brought along in
//! memory while several events are decided one after another.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnConsumedCapacity};
use loyalty_domain::campaign::{Participation, read_too_early};
use loyalty_domain::ids::{MemberId, OrderId, RuleId, VoucherId};
use loyalty_domain::member::Member;
use loyalty_domain::order::{Order, OrderSnapshot};
use loyalty_domain::voucher::Voucher;

use crate::commit::pause;
use crate::consumed::Consumed;
use crate::item::Item;
use crate::read::{readable, reading};
use crate::records::{Unreadable, decode_member, decode_order};
use crate::{Books, Consistency, StoreError, Stored, Table};

/// Keys in one BatchGetItem.
const KEYS_MAX: usize = 100;
/// How often keys that DynamoDB left unprocessed are asked for again.
const UNPROCESSED_ATTEMPTS_MAX: u32 = 6;

/// A row, or that there is none (revision 0).
#[derive(Clone, Debug)]
pub(crate) struct Slot<T> {
    pub row: Option<T>,
    pub revision: u64,
}

impl<T> Slot<T> {
    const EMPTY: Self = Self { row: None, revision: 0 };
}

impl<T> From<Stored<T>> for Slot<T> {
    fn from(stored: Stored<T>) -> Self {
        Self { row: Some(stored.row), revision: stored.revision }
    }
}

/// The key of a row: the second part where the table has one, which is then a member.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    pub table: Table,
    pub key: &'a str,
    pub member_id: Option<&'a str>,
}

impl<'a> Key<'a> {
    pub fn of(table: Table, key: &'a str) -> Self {
        Self { table, key, member_id: None }
    }

    pub fn participation(campaign: &'a RuleId, member_id: &'a MemberId) -> Self {
        Self { table: Table::Participations, key: campaign.as_str(), member_id: Some(member_id.as_str()) }
    }

    pub fn item(self) -> Item {
        let part = |name: &str, value: &str| (name.to_owned(), AttributeValue::S(value.to_owned()));
        let second = self.table.sort_key().zip(self.member_id).map(|(name, value)| part(name, value));
        [part(self.table.partition_key(), self.key)].into_iter().chain(second).collect()
    }
}

/// Rows that were read, by their keys.
pub(crate) type Found = HashMap<(Table, String, Option<String>), Item>;

/// The row of a key, out of those that were read.
pub(crate) fn slot_of<T>(
    found: &mut Found,
    Key { table, key, member_id }: Key<'_>,
    decode: impl FnOnce(Item) -> Result<Stored<T>, Unreadable>,
) -> Result<Slot<T>, StoreError> {
    match found.remove(&(table, key.to_owned(), member_id.map(str::to_owned))) {
        Some(item) => readable(table, key, decode(item)).map(Slot::from),
        None => Ok(Slot::EMPTY),
    }
}

type Slots<K, T> = BTreeMap<K, Result<Slot<T>, StoreError>>;

/// What was read. A row that cannot be read is kept as its error: it concerns only the events that need it.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    orders: Slots<OrderId, Order>,
    members: Slots<MemberId, Member>,
    participations: BTreeMap<ParticipationKey, Slot<Participation>>,
    vouchers: BTreeMap<VoucherId, Slot<Voucher>>,
}

/// A row of `participations`: campaign and member.
pub(crate) type ParticipationKey = (RuleId, MemberId);

impl Rows {
    pub fn order(&self, order_id: &OrderId) -> Result<&Slot<Order>, StoreError> {
        slot(&self.orders, order_id)
    }

    pub fn member(&self, member_id: &MemberId) -> Result<&Slot<Member>, StoreError> {
        slot(&self.members, member_id)
    }

    /// The member an order belongs to, as far as it can be read.
    pub fn owner(&self, order_id: &OrderId) -> Option<&MemberId> {
        let order = self.orders.get(order_id)?.as_ref().ok()?.row.as_ref()?;
        order.owner.as_ref().map(|owner| &owner.member_id)
    }

    /// Who a member is now: whom they joined, as far as it can be read, or themselves.
    pub fn now<'a>(&'a self, member_id: &'a MemberId) -> &'a MemberId {
        let row = self.members.get(member_id).and_then(|slot| slot.as_ref().ok()?.row.as_ref());
        row.and_then(|member| member.merged.as_ref()).map_or(member_id, |merged| &merged.into)
    }

    /// The rows of members who joined others.
    pub fn merged(&self) -> Vec<&Member> {
        let rows = self.members.values().filter_map(|slot| slot.as_ref().ok()?.row.as_ref());
        rows.filter(|member| member.merged.is_some()).collect()
    }

    /// Brings an order along; its revision is still the one it was read with.
    pub fn put_order(&mut self, order: Order) {
        if let Some(Ok(slot)) = self.orders.get_mut(&order.order_id) {
            slot.row = Some(order);
        }
    }

    /// Brings a member along; their revision is still the one it was read with.
    pub fn put_member(&mut self, member: Member) {
        if let Some(Ok(slot)) = self.members.get_mut(&member.member_id) {
            slot.row = Some(member);
        }
    }

    /// A participation; none where it was not read.
    pub fn participation(&self, key: &ParticipationKey) -> &Slot<Participation> {
        self.participations.get(key).unwrap_or(&Slot::EMPTY)
    }

    /// Brings a participation along; its revision is still the one it was read with.
    pub fn put_participation(&mut self, participation: Participation) {
        let key = (participation.campaign.clone(), participation.member_id.clone());
        self.participations.entry(key).or_insert(Slot::EMPTY).row = Some(participation);
    }

    /// The participation has been written as it was brought along.
    pub fn participation_written(&mut self, key: &ParticipationKey) {
        if let Some(slot) = self.participations.get_mut(key) {
            slot.revision += 1;
        }
    }

    /// The revision a voucher was read with.
    pub fn voucher_revision(&self, voucher_id: &VoucherId) -> u64 {
        self.vouchers.get(voucher_id).map_or(0, |slot| slot.revision)
    }

    /// Brings a voucher along; its revision is still the one it was read with.
    pub fn put_voucher(&mut self, voucher: Voucher) {
        if let Some(slot) = self.vouchers.get_mut(&voucher.voucher_id) {
            slot.row = Some(voucher);
        }
    }

    /// The voucher has been written as it was brought along.
    pub fn voucher_written(&mut self, voucher_id: &VoucherId) {
        if let Some(slot) = self.vouchers.get_mut(voucher_id) {
            slot.revision += 1;
        }
    }

    /// The order has been written as it was brought along.
    pub fn order_written(&mut self, order_id: &OrderId) {
        if let Some(Ok(slot)) = self.orders.get_mut(order_id) {
            slot.revision += 1;
        }
    }

    /// The member has been written as it was brought along.
    pub fn member_written(&mut self, member_id: &MemberId) {
        if let Some(Ok(slot)) = self.members.get_mut(member_id) {
            slot.revision += 1;
        }
    }
}

fn slot<'a, K: Ord, T>(slots: &'a Slots<K, T>, key: &K) -> Result<&'a Slot<T>, StoreError> {
    match slots.get(key) {
        Some(Ok(slot)) => Ok(slot),
        Some(Err(error)) => Err(error.clone()),
        None => unreachable!("every order, every member a snapshot names and every owner of an order is read"),
    }
}

#[derive(Default)]
struct Wanted {
    orders: BTreeSet<OrderId>,
    members: BTreeSet<MemberId>,
}

impl Books {
    /// Reads the orders and members of the snapshots: one request, and one more only when an order belongs to a member
    /// that no snapshot names, or one of them has joined another.
    pub(crate) async fn load(
        &self,
        snapshots: impl Iterator<Item = &OrderSnapshot>,
        consistency: Consistency,
    ) -> Result<Rows, StoreError> {
        let mut wanted = Wanted::default();
        for snapshot in snapshots {
            wanted.orders.insert(snapshot.order_id.clone());
            wanted.members.extend(snapshot.member_id.clone());
        }
        let mut rows = Rows::default();
        self.fill(&mut rows, &wanted, consistency).await?;
        let owners = wanted.orders.iter().filter_map(|order_id| rows.owner(order_id));
        let unread = owners.filter(|owner| !wanted.members.contains(*owner)).cloned().collect();
        let unread = Wanted { orders: BTreeSet::new(), members: unread };
        self.fill(&mut rows, &unread, consistency).await?;
        let joined = rows.merged().into_iter().filter_map(|member| Some(member.merged.as_ref()?.into.clone()));
        let unread = joined.filter(|into| !rows.members.contains_key(into)).collect();
        let unread = Wanted { orders: BTreeSet::new(), members: unread };
        self.fill(&mut rows, &unread, consistency).await?;
        Ok(rows)
    }

    /// Reads a member's participations in campaigns that were not read before. `false` when what was read is older than
    /// the member's and the order's rows. Of a campaign that the member is not active in those rows cannot always tell, and
    /// no condition of a write would: it is read as it really is.
    pub(crate) async fn load_participations(
        &self,
        rows: &mut Rows,
        (member_id, member, order): (&MemberId, Option<&Member>, Option<&Order>),
        campaigns: &[RuleId],
        consistency: Consistency,
    ) -> Result<bool, StoreError> {
        for campaign in campaigns {
            let key = (campaign.clone(), member_id.clone());
            if rows.participations.contains_key(&key) {
                continue;
            }
            let is_active = member.is_some_and(|member| member.active_campaigns.contains(campaign));
            let consistency = if is_active { consistency } else { Consistency::Strong };
            let slot = self.participation(campaign, member_id, consistency).await?.unwrap_or(Slot::EMPTY);
            if read_too_early(slot.row.as_ref(), campaign, member, order) {
                return Ok(false);
            }
            rows.participations.insert(key, slot);
        }
        Ok(true)
    }

    /// Those of the vouchers that exist, and all that were used for the order if one is named. They are rare, and a code
    /// is used once: each is read as it really is.
    pub(crate) async fn load_vouchers(
        &self,
        rows: &mut Rows,
        mut voucher_ids: Vec<VoucherId>,
        used_for: Option<&OrderId>,
    ) -> Result<Vec<Voucher>, StoreError> {
        if let Some(order_id) = used_for {
            let used = self.vouchers_used_for(order_id).await?;
            voucher_ids.extend(used.into_iter().filter(|id| !voucher_ids.contains(id)).collect::<Vec<_>>());
        }
        let mut found = Vec::new();
        for voucher_id in voucher_ids {
            if !rows.vouchers.contains_key(&voucher_id) {
                let slot = self.voucher(&voucher_id).await?.map_or(Slot::EMPTY, Slot::from);
                rows.vouchers.insert(voucher_id.clone(), slot);
            }
            found.extend(rows.vouchers.get(&voucher_id).and_then(|slot| slot.row.clone()));
        }
        Ok(found)
    }

    async fn fill(&self, rows: &mut Rows, wanted: &Wanted, consistency: Consistency) -> Result<(), StoreError> {
        let orders = wanted.orders.iter().map(|id| Key::of(Table::Orders, id.as_str()));
        let members = wanted.members.iter().map(|id| Key::of(Table::Members, id.as_str()));
        let keys: Vec<_> = orders.chain(members).collect();
        let mut found = self.batch_get(&keys, consistency).await?;
        for order_id in &wanted.orders {
            let key = Key::of(Table::Orders, order_id.as_str());
            rows.orders.insert(order_id.clone(), slot_of(&mut found, key, decode_order));
        }
        for member_id in &wanted.members {
            let key = Key::of(Table::Members, member_id.as_str());
            rows.members.insert(member_id.clone(), slot_of(&mut found, key, decode_member));
        }
        Ok(())
    }

    /// Rows by their keys, those that exist, in as few requests as there can be.
    pub(crate) async fn batch_get(&self, keys: &[Key<'_>], consistency: Consistency) -> Result<Found, StoreError> {
        let mut found = HashMap::new();
        for keys in keys.chunks(KEYS_MAX) {
            self.batch_get_few(keys, consistency, &mut found).await?;
        }
        Ok(found)
    }

    async fn batch_get_few(
        &self,
        keys: &[Key<'_>],
        consistency: Consistency,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let mut request = Some(self.batch_of(keys, consistency));
        for attempt in 0..UNPROCESSED_ATTEMPTS_MAX {
            pause(attempt).await;
            *self.meter() += Consumed::request();
            let answer = self
                .client
                .batch_get_item()
                .set_request_items(request.take())
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(reading)?;
            *self.meter() += Consumed::read(answer.consumed_capacity.as_deref().unwrap_or_default());
            for (table, items) in answer.responses.unwrap_or_default() {
                self.collect(&table, items, found);
            }
            request = answer.unprocessed_keys.filter(|keys| !keys.is_empty());
            if request.is_none() {
                return Ok(());
            }
        }
        Err(StoreError::unavailable("read", Unprocessed))
    }

    fn batch_of(&self, keys: &[Key<'_>], consistency: Consistency) -> HashMap<String, KeysAndAttributes> {
        let mut of_tables: BTreeMap<Table, Vec<Item>> = BTreeMap::new();
        for key in keys {
            of_tables.entry(key.table).or_default().push(key.item());
        }
        let strong = consistency == Consistency::Strong;
        let of_table = |(table, keys)| {
            let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(strong).build();
            (self.table(table), keys.expect("the keys are set"))
        };
        of_tables.into_iter().map(of_table).collect()
    }

    fn collect(&self, table_name: &str, items: Vec<Item>, found: &mut Found) {
        let read = [Table::Orders, Table::Members, Table::Participations];
        let Some(table) = read.into_iter().find(|table| self.table(*table) == table_name) else { return };
        for item in items {
            let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
            if let Some(key) = text(table.partition_key()) {
                found.insert((table, key, table.sort_key().and_then(text)), item);
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("DynamoDB left keys unprocessed {UNPROCESSED_ATTEMPTS_MAX} times")]
struct Unprocessed;
