//! Rows of `members`.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use loyalty_domain::campaign::in_an_audience;
use loyalty_domain::criteria::CycleSums;
use loyalty_domain::daily::due_on;
use loyalty_domain::ids::{MemberId, OrderId, RequestId, RuleId, TierId};
use loyalty_domain::lots::{Expiry, Lot, Lots};
use loyalty_domain::member::{Hold, Member, Profile};
use loyalty_domain::merge::Merged;
use loyalty_domain::money::Currency;
use loyalty_domain::order::Credit;
use loyalty_domain::points::Legs;
use loyalty_domain::programme::Programme;
use loyalty_domain::time::Instant;
use serde::{Deserialize, Serialize};

use super::order::CreditRecord;
use super::{LotRecord, Unreadable, is_default};
use crate::Stored;
use crate::index::shard_of;
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
    /// Open points by their last valid day. An attribute for each day and not a list of pairs: a member has up to 13, and
    /// the row is to stay within one write unit.
    lots: BTreeMap<Text<Expiry>, i64>,
    pending_points: i64,
    spent_minor: i64,
    currency: Text<Currency>,
    orders_count: i64,
    tier: Text<TierId>,
    tier_since: Text<Instant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    month_tier: Option<Text<TierId>>,
    tier_floor: Text<TierId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lost_tier: Option<Text<TierId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tier_asked: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tier_told_at: Option<Text<Instant>>,
    cycle_start: Text<NaiveDate>,
    #[serde(default, skip_serializing_if = "is_default")]
    cycle_spent_minor: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    cycle_orders: i64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    cycle_behaviours: BTreeMap<String, u32>,
    review_on: Text<NaiveDate>,
    #[serde(default, skip_serializing_if = "is_default")]
    in_grace: bool,
    noticed_to: Text<NaiveDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiring_told_to: Option<Text<NaiveDate>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    risk_told_for: Option<Text<NaiveDate>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    active_campaigns: Vec<Text<RuleId>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    waits_for: Vec<Text<RuleId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_ordered_at: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_ordered_at: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    holds: Vec<HoldRecord>,
    #[serde(default, skip_serializing_if = "is_default")]
    wallet_minor: i64,
    /// Where the indexes find the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_shard: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_on: Option<Text<NaiveDate>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audience_shard: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_order: Option<Text<OrderId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    welcome: Option<CreditRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    erased_at: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    merged: Option<MergedRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    merged_from: Vec<Text<MemberId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    birthday: Option<Text<NaiveDate>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile_told_at: Option<Text<Instant>>,
}

#[derive(Serialize, Deserialize)]
struct MergedRecord {
    into: Text<MemberId>,
    at: Text<Instant>,
    cycle_start: Text<NaiveDate>,
}

#[derive(Serialize, Deserialize)]
struct HoldRecord {
    request_id: Text<RequestId>,
    seq: u64,
    lots: Vec<LotRecord>,
    until: Text<Instant>,
}

/// The row of a member at a revision, as a programme sees it: `spent_minor` counts its currency, and the indexes find
/// the row by what it says is due and whom its campaigns address.
pub(crate) fn encode(member: &Member, revision: u64, programme: &Programme) -> Item {
    let shard = shard_of(&member.member_id);
    // Nothing is due for who has joined another, and no campaign addresses them.
    let here = member.merged.is_none();
    let due_on = due_on(programme, member).filter(|_| here);
    let addressed = here && in_an_audience(programme, member);
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
        month_tier,
        tier_floor,
        lost_tier,
        tier_asked,
        tier_told_at,
        cycle_start,
        cycle: CycleSums { spent_minor: cycle_spent_minor, orders: cycle_orders, behaviours },
        review_on,
        in_grace,
        noticed_to,
        expiring_told_to,
        risk_told_for,
        active_campaigns,
        waits_for,
        last_ordered_at,
        first_ordered_at,
        holds,
        wallet_minor,
        first_order,
        welcome,
        erased_at,
        merged,
        merged_from,
        profile: Profile { name, phone, email, birthday },
        profile_told_at,
    } = member;
    sealed(&MemberRecord {
        member_id: Text(member_id.clone()),
        revision,
        last_seq: *last_seq,
        activated_at: Text(*activated_at),
        as_of: Text(*as_of),
        redeemable_points: balance.redeemable.0,
        qualifying_points: balance.qualifying.0,
        lots: lots.as_slice().iter().map(|lot| (Text(lot.expiry), lot.points)).collect(),
        pending_points: *pending_points,
        spent_minor: *spent_minor,
        currency: Text(programme.currency),
        orders_count: *orders_count,
        tier: Text(tier.clone()),
        tier_since: Text(*tier_since),
        month_tier: month_tier.clone().map(Text),
        tier_floor: Text(tier_floor.clone()),
        lost_tier: lost_tier.clone().map(Text),
        tier_asked: *tier_asked,
        tier_told_at: tier_told_at.map(Text),
        cycle_start: Text(*cycle_start),
        cycle_spent_minor: *cycle_spent_minor,
        cycle_orders: *cycle_orders,
        cycle_behaviours: behaviours.iter().map(|(rule, times)| (rule.to_string(), *times)).collect(),
        review_on: Text(*review_on),
        in_grace: *in_grace,
        noticed_to: Text(*noticed_to),
        expiring_told_to: expiring_told_to.map(Text),
        risk_told_for: risk_told_for.map(Text),
        active_campaigns: active_campaigns.iter().cloned().map(Text).collect(),
        waits_for: waits_for.iter().cloned().map(Text).collect(),
        last_ordered_at: last_ordered_at.map(Text),
        first_ordered_at: first_ordered_at.map(Text),
        holds: holds.iter().map(HoldRecord::from).collect(),
        wallet_minor: *wallet_minor,
        due_shard: due_on.is_some().then(|| shard.clone()),
        due_on: due_on.map(Text),
        audience_shard: addressed.then_some(shard),
        first_order: first_order.clone().map(Text),
        welcome: welcome.as_deref().map(CreditRecord::from),
        erased_at: erased_at.map(Text),
        merged: merged.as_ref().map(|Merged { into, at, cycle_start }| MergedRecord {
            into: Text(into.clone()),
            at: Text(*at),
            cycle_start: Text(*cycle_start),
        }),
        merged_from: merged_from.iter().cloned().map(Text).collect(),
        name: name.clone(),
        phone: phone.clone(),
        email: email.clone(),
        birthday: birthday.map(Text),
        profile_told_at: profile_told_at.map(Text),
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
        lots: Lots::from_rows(record.lots.into_iter().map(|(expiry, points)| Lot { expiry: expiry.0, points }))?,
        pending_points: record.pending_points,
        spent_minor: record.spent_minor,
        orders_count: record.orders_count,
        tier: record.tier.0,
        tier_since: record.tier_since.0,
        month_tier: record.month_tier.map(|text| text.0),
        tier_floor: record.tier_floor.0,
        lost_tier: record.lost_tier.map(|text| text.0),
        tier_asked: record.tier_asked,
        tier_told_at: record.tier_told_at.map(|text| text.0),
        cycle_start: record.cycle_start.0,
        cycle: CycleSums {
            spent_minor: record.cycle_spent_minor,
            orders: record.cycle_orders,
            behaviours: record.cycle_behaviours.into_iter().map(|(rule, times)| (RuleId::new(rule), times)).collect(),
        },
        review_on: record.review_on.0,
        in_grace: record.in_grace,
        noticed_to: record.noticed_to.0,
        expiring_told_to: record.expiring_told_to.map(|text| text.0),
        risk_told_for: record.risk_told_for.map(|text| text.0),
        active_campaigns: record.active_campaigns.into_iter().map(|text| text.0).collect(),
        waits_for: record.waits_for.into_iter().map(|text| text.0).collect(),
        last_ordered_at: record.last_ordered_at.map(|text| text.0),
        first_ordered_at: record.first_ordered_at.map(|text| text.0),
        holds: record.holds.into_iter().map(Hold::from).collect(),
        wallet_minor: record.wallet_minor,
        first_order: record.first_order.map(|text| text.0),
        welcome: record.welcome.map(Credit::try_from).transpose()?.map(Box::new),
        erased_at: record.erased_at.map(|text| text.0),
        merged: record.merged.map(|MergedRecord { into, at, cycle_start }| Merged {
            into: into.0,
            at: at.0,
            cycle_start: cycle_start.0,
        }),
        merged_from: record.merged_from.into_iter().map(|text| text.0).collect(),
        profile: Profile {
            name: record.name,
            phone: record.phone,
            email: record.email,
            birthday: record.birthday.map(|text| text.0),
        },
        profile_told_at: record.profile_told_at.map(|text| text.0),
    };
    Ok(Stored { row: member, revision: record.revision })
}

impl From<&Hold> for HoldRecord {
    fn from(hold: &Hold) -> Self {
        Self {
            request_id: Text(hold.request_id.clone()),
            seq: hold.seq,
            lots: hold.lots.iter().map(LotRecord::from).collect(),
            until: Text(hold.until),
        }
    }
}

impl From<HoldRecord> for Hold {
    fn from(record: HoldRecord) -> Self {
        Self {
            request_id: record.request_id.0,
            seq: record.seq,
            lots: record.lots.into_iter().map(Into::into).collect(),
            until: record.until.0,
        }
    }
}
