//! Rows of `orders`.

use chrono::NaiveDate;
use loyalty_domain::ids::{MemberId, OrderId, RuleId, VoucherId};
use loyalty_domain::item_rules;
use loyalty_domain::lots::Expiry;
use loyalty_domain::order::{Credit, Imported, InCycle, Order, Owner, Terms};
use loyalty_domain::points::Legs;
use loyalty_domain::time::Instant;
use serde::{Deserialize, Serialize};

use super::terms::{FactsRecord, TermsRecord};
use super::{LegsRecord, Unreadable, is_default};
use crate::Stored;
use crate::item::{Item, sealed};
use crate::words::Text;

#[derive(Serialize, Deserialize)]
struct OrderRecord {
    order_id: Text<OrderId>,
    revision: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    member_id: Option<Text<MemberId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    named_at: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from_member: Option<Text<MemberId>>,
    facts: FactsRecord,
    credits: Vec<CreditRecord>,
    spent_minor: i64,
    counted: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pending_points: i64,
    ever_undone: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    items: Vec<ItemRecord>,
    #[serde(default, skip_serializing_if = "is_default")]
    wallet_minor: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    vouchers: Vec<Text<VoucherId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    imported: Option<ImportedRecord>,
}

/// What an order was when it was brought along.
#[derive(Serialize, Deserialize)]
pub(super) struct ImportedRecord {
    redeemable: i64,
    qualifying: i64,
    spent_minor: i64,
    counted: bool,
    cycle_start: Text<NaiveDate>,
    expires_on: Text<Expiry>,
}

impl From<Imported> for ImportedRecord {
    fn from(imported: Imported) -> Self {
        let Imported { legs, spent_minor, counted, cycle_start, expiry } = imported;
        let (cycle_start, expires_on) = (Text(cycle_start), Text(expiry));
        Self {
            redeemable: legs.redeemable.0,
            qualifying: legs.qualifying.0,
            spent_minor,
            counted,
            cycle_start,
            expires_on,
        }
    }
}

impl From<ImportedRecord> for Imported {
    fn from(record: ImportedRecord) -> Self {
        let ImportedRecord { redeemable, qualifying, spent_minor, counted, cycle_start, expires_on } = record;
        let legs = Legs::new(redeemable, qualifying);
        Self { legs, spent_minor, counted, cycle_start: cycle_start.0, expiry: expires_on.0 }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct CreditRecord {
    rule: Text<RuleId>,
    terms: TermsRecord,
    /// Left out when it is the day the terms name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_expires_on: Option<Text<Expiry>>,
    posted: LegsRecord,
    #[serde(default, skip_serializing_if = "LegsRecord::is_zero")]
    written_off: LegsRecord,
    #[serde(default, skip_serializing_if = "is_default")]
    expired_written_off: i64,
    /// Left out when all that was posted is of the cycle the terms name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_cycle: Option<InCycleRecord>,
    last_credit_seq: u64,
    generation: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    released: bool,
}

#[derive(Serialize, Deserialize)]
struct InCycleRecord {
    cycle_start: Text<NaiveDate>,
    qualifying: i64,
}

#[derive(Serialize, Deserialize)]
struct ItemRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sku: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    minor: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    returned_minor: i64,
}

impl From<&item_rules::Item> for ItemRecord {
    fn from(item: &item_rules::Item) -> Self {
        let item_rules::Item { sku, category, minor, returned_minor } = item.clone();
        Self { sku, category, minor, returned_minor }
    }
}

impl From<ItemRecord> for item_rules::Item {
    fn from(record: ItemRecord) -> Self {
        let ItemRecord { sku, category, minor, returned_minor } = record;
        Self { sku, category, minor, returned_minor }
    }
}

pub(crate) fn encode(order: &Order, revision: u64) -> Item {
    let Order {
        order_id,
        facts,
        owner,
        from,
        credits,
        spent_minor,
        counted,
        pending_points,
        ever_undone,
        items,
        wallet_minor,
        vouchers,
        imported,
    } = order;
    sealed(&OrderRecord {
        order_id: Text(order_id.clone()),
        revision,
        member_id: owner.as_ref().map(|owner| Text(owner.member_id.clone())),
        named_at: owner.as_ref().map(|owner| Text(owner.named_at)),
        from_member: from.clone().map(Text),
        facts: (*facts).into(),
        credits: credits.iter().map(CreditRecord::from).collect(),
        spent_minor: *spent_minor,
        counted: *counted,
        pending_points: *pending_points,
        ever_undone: *ever_undone,
        items: items.iter().map(ItemRecord::from).collect(),
        wallet_minor: *wallet_minor,
        vouchers: vouchers.iter().cloned().map(Text).collect(),
        imported: imported.map(ImportedRecord::from),
    })
}

pub(crate) fn decode(item: Item) -> Result<Stored<Order>, Unreadable> {
    let record: OrderRecord = serde_dynamo::aws_sdk_dynamodb_1::from_item(item)?;
    let owner = match (record.member_id, record.named_at) {
        (Some(member_id), Some(named_at)) => Some(Owner { member_id: member_id.0, named_at: named_at.0 }),
        (None, None) => None,
        _ => return Err(Unreadable::Pair("member_id", "named_at")),
    };
    let order = Order {
        order_id: record.order_id.0,
        facts: record.facts.into(),
        owner,
        from: record.from_member.map(|text| text.0),
        credits: record.credits.into_iter().map(Credit::try_from).collect::<Result<_, _>>()?,
        spent_minor: record.spent_minor,
        counted: record.counted,
        pending_points: record.pending_points,
        ever_undone: record.ever_undone,
        items: record.items.into_iter().map(Into::into).collect(),
        wallet_minor: record.wallet_minor,
        vouchers: record.vouchers.into_iter().map(|text| text.0).collect(),
        imported: record.imported.map(Imported::from),
    };
    Ok(Stored { row: order, revision: record.revision })
}

impl From<&Credit> for CreditRecord {
    fn from(credit: &Credit) -> Self {
        let Credit {
            rule,
            terms,
            first_expiry,
            posted,
            written_off,
            expired_written_off,
            in_cycle,
            last_credit_seq,
            generation,
            released,
        } = credit;
        let plain = InCycle { cycle_start: terms.cycle_start, qualifying: posted.qualifying.0 };
        let InCycle { cycle_start, qualifying } = *in_cycle;
        Self {
            first_expires_on: (*first_expiry != terms.expiry).then_some(Text(*first_expiry)),
            rule: Text(rule.clone()),
            terms: terms.into(),
            posted: (*posted).into(),
            written_off: (*written_off).into(),
            expired_written_off: *expired_written_off,
            in_cycle: (*in_cycle != plain).then_some(InCycleRecord { cycle_start: Text(cycle_start), qualifying }),
            last_credit_seq: *last_credit_seq,
            generation: *generation,
            released: *released,
        }
    }
}

impl TryFrom<CreditRecord> for Credit {
    type Error = Unreadable;

    fn try_from(record: CreditRecord) -> Result<Self, Unreadable> {
        let terms = Terms::try_from(record.terms)?;
        let plain = InCycle { cycle_start: terms.cycle_start, qualifying: record.posted.qualifying };
        let read = |InCycleRecord { cycle_start, qualifying }| InCycle { cycle_start: cycle_start.0, qualifying };
        Ok(Self {
            rule: record.rule.0,
            first_expiry: record.first_expires_on.map_or(terms.expiry, |text| text.0),
            terms,
            posted: record.posted.into(),
            written_off: record.written_off.into(),
            expired_written_off: record.expired_written_off,
            in_cycle: record.in_cycle.map_or(plain, read),
            last_credit_seq: record.last_credit_seq,
            generation: record.generation,
            released: record.released,
        })
    }
}
