//! Which entry makes which message, and what the message says.
//!
//! Everything comes from the entry and the programme in force when it was posted, so the same entry always makes the
//! same message (I8). The balance and the tier are those right after the entry: a message that is sent late tells the
//! truth of its moment.

use loyalty_contract::events::Why;
use loyalty_domain::ids::{MemberId, OrderId, TierId};
use loyalty_domain::ledger::{Entry, EntryKind};
use loyalty_domain::lots::Expiry;
use loyalty_domain::programme::Programme;
use loyalty_domain::standing::{NextTier, next_tier};
use loyalty_domain::time::Instant;

use crate::template::{Template, Value, Variables};

/// How many benefits of a tier a message names at most: it stays short (C9), and its row small.
pub const LIST_ITEMS_MAX: usize = 6;

/// A message to a member, not yet sent: a row of `messages`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `member_id:seq:template`: one entry makes a message once, however often it is seen.
    pub message_id: String,
    pub member_id: MemberId,
    pub template: Template,
    pub variables: Variables,
    /// `seq` of the entry it tells about.
    pub seq: u64,
    /// When the entry was posted.
    pub created_at: Instant,
}

/// The message an entry makes. `None` where no points moved, and for movements that the member made themselves or is
/// told of in another way: redemptions, restorations and expiries.
///
/// `programme` is the version in force when the entry was posted.
pub fn message_of(entry: &Entry, programme: &Programme) -> Option<Message> {
    if entry.legs.is_zero() {
        return None;
    }
    let (template, own) = match entry.kind {
        EntryKind::Accrual => (Template::OrderPointsCredited, credited(entry)),
        EntryKind::Reversal => (Template::CancelledOrderPointsDeducted, deducted(entry, programme)),
        EntryKind::Welcome => (Template::WelcomePointsCredited, welcomed(entry)),
        EntryKind::Redemption | EntryKind::Restoration | EntryKind::Expiration => return None,
    };
    let variables = own.into_iter().chain(standing(entry, programme));
    Some(Message {
        message_id: format!("{}:{}:{}", entry.member_id, entry.seq, template.name()),
        member_id: entry.member_id.clone(),
        template,
        variables: variables.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect(),
        seq: entry.seq,
        created_at: entry.recorded_at,
    })
}

/// A variable that does not apply has no value.
type Given = (&'static str, Option<Value>);

fn credited(entry: &Entry) -> Vec<Given> {
    vec![
        ("order", order(entry)),
        ("points", moved(entry.legs.redeemable.0)),
        ("qualifying_points", moved(entry.legs.qualifying.0)),
        ("expires_on", expires_on(entry)),
    ]
}

fn deducted(entry: &Entry, programme: &Programme) -> Vec<Given> {
    let changed = entry.tier_before != entry.tier_after;
    vec![
        ("order", order(entry)),
        ("cause", Some(Value::Text(Why::from(entry.reason).word().to_owned()))),
        ("points", moved(entry.legs.redeemable.0)),
        ("qualifying_points", moved(entry.legs.qualifying.0)),
        ("tier_before", changed.then(|| tier_name(programme, &entry.tier_before))),
    ]
}

fn welcomed(entry: &Entry) -> Vec<Given> {
    vec![("points", moved(entry.legs.redeemable.0)), ("expires_on", expires_on(entry))]
}

/// Where the member stands after the entry and what is ahead (D1, D2).
fn standing(entry: &Entry, programme: &Programme) -> Vec<Given> {
    let balance = entry.balance_after.redeemable.0;
    let held = programme.tiers.get(&entry.tier_after);
    let next = next_tier(programme, &entry.tier_after, entry.balance_after.qualifying.0);
    let at_top = held.is_some() && next.is_none();
    // Nothing is missing when a tier was kept by a review or by hand: then there is nothing to strive for yet.
    let ahead = next.filter(|next| next.points_needed > 0);
    vec![
        ("balance", Some(Value::Number(balance.max(0)))),
        ("debt", moved(balance.min(0))),
        ("tier", Some(tier_name(programme, &entry.tier_after))),
        ("benefits", held.and_then(|tier| benefits(&tier.benefits))),
        ("next_tier", ahead.map(|next| Value::Text(next.tier.name.clone()))),
        ("next_tier_benefits", ahead.and_then(|next| benefits(&next.tier.benefits))),
        ("points_to_next_tier", ahead.map(|next| Value::Number(next.points_needed))),
        ("spend_to_next_tier", ahead.and_then(|next| spend(programme, next))),
        ("top_tier", at_top.then(|| tier_name(programme, &entry.tier_after))),
    ]
}

/// How many points moved, without the sign; nothing when none did.
fn moved(points: i64) -> Option<Value> {
    (points != 0).then_some(Value::Number(points.saturating_abs()))
}

/// The order's number as the customer knows it: without the shop system that sent it.
fn order(entry: &Entry) -> Option<Value> {
    let number = |id: &OrderId| id.as_str().split_once(':').map_or(id.as_str(), |(_, number)| number).to_owned();
    entry.order_id.as_ref().map(|id| Value::Text(number(id)))
}

/// The last valid day of the points credited; nothing when they never expire, or all of them paid a debt.
fn expires_on(entry: &Entry) -> Option<Value> {
    match entry.lots.first()?.expiry {
        Expiry::On(day) => Some(Value::Text(day.to_string())),
        Expiry::Never => None,
    }
}

fn tier_name(programme: &Programme, id: &TierId) -> Value {
    Value::Text(programme.tiers.get(id).map_or_else(|| id.to_string(), |tier| tier.name.clone()))
}

fn benefits(names: &[String]) -> Option<Value> {
    (!names.is_empty()).then(|| Value::List(names.iter().take(LIST_ITEMS_MAX).cloned().collect()))
}

fn spend(programme: &Programme, next: NextTier<'_>) -> Option<Value> {
    let currency = programme.currency.code().to_owned();
    next.spend_needed_minor.map(|amount_minor| Value::Money { amount_minor, currency })
}
