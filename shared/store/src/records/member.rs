//! Rows of `members`.

use chrono::NaiveDate;
use loyalty_domain::ids::{MemberId, OrderId, TierId};
use loyalty_domain::lots::Lots;
use loyalty_domain::member::{Member, Profile};
use loyalty_domain::money::Currency;
use loyalty_domain::points::Legs;
use loyalty_domain::time::Instant;
use serde::{Deserialize, Serialize};

use super::{LotRecord, Unreadable};
use crate::Stored;
use crate::item::{Item, sealed};
use crate::words::Text;

#[derive(Serialize, Deserialize)]
struct MemberRecord {
    member_id: Text<MemberId>,
    revision: u64,
    last_seq: u64,
    activated_at: Text<Instant>,
    as_of: Text<Instant>,
    /// Signed: below zero it is a debt (X22).
    redeemable_points: i64,
    qualifying_points: i64,
    lots: Vec<LotRecord>,
    pending_points: i64,
    spent_minor: i64,
    currency: Text<Currency>,
    orders_count: i64,
    tier: Text<TierId>,
    tier_since: Text<Instant>,
    tier_floor: Text<TierId>,
    cycle_start: Text<NaiveDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_order: Option<Text<OrderId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    birthday: Option<Text<NaiveDate>>,
}

/// The row of a member at a revision. `currency` is the programme's: what `spent_minor` counts.
pub(crate) fn encode(member: &Member, revision: u64, currency: Currency) -> Item {
    let Member {
        member_id,
        last_seq,
        activated_at,
        as_of,
        balance,
        lots,
        pending_points,
        spent_minor,
        orders_count,
        tier,
        tier_since,
        tier_floor,
        cycle_start,
        first_order,
        profile: Profile { name, phone, email, birthday },
    } = member;
    sealed(&MemberRecord {
        member_id: Text(member_id.clone()),
        revision,
        last_seq: *last_seq,
        activated_at: Text(*activated_at),
        as_of: Text(*as_of),
        redeemable_points: balance.redeemable.0,
        qualifying_points: balance.qualifying.0,
        lots: lots.as_slice().iter().map(LotRecord::from).collect(),
        pending_points: *pending_points,
        spent_minor: *spent_minor,
        currency: Text(currency),
        orders_count: *orders_count,
        tier: Text(tier.clone()),
        tier_since: Text(*tier_since),
        tier_floor: Text(tier_floor.clone()),
        cycle_start: Text(*cycle_start),
        first_order: first_order.clone().map(Text),
        name: name.clone(),
        phone: phone.clone(),
        email: email.clone(),
        birthday: birthday.map(Text),
    })
}

pub(crate) fn decode(item: Item) -> Result<Stored<Member>, Unreadable> {
    let record: MemberRecord = serde_dynamo::aws_sdk_dynamodb_1::from_item(item)?;
    let member = Member {
        member_id: record.member_id.0,
        last_seq: record.last_seq,
        activated_at: record.activated_at.0,
        as_of: record.as_of.0,
        balance: Legs::new(record.redeemable_points, record.qualifying_points),
        lots: Lots::from_rows(record.lots.into_iter().map(Into::into))?,
        pending_points: record.pending_points,
        spent_minor: record.spent_minor,
        orders_count: record.orders_count,
        tier: record.tier.0,
        tier_since: record.tier_since.0,
        tier_floor: record.tier_floor.0,
        cycle_start: record.cycle_start.0,
        first_order: record.first_order.map(|text| text.0),
        profile: Profile {
            name: record.name,
            phone: record.phone,
            email: record.email,
            birthday: record.birthday.map(|text| text.0),
        },
    };
    Ok(Stored { row: member, revision: record.revision })
}
