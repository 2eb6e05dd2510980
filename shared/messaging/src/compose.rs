//! Which entry makes which message, and what the message says.
//!
//! Everything comes from the entry and the programme in force when it was posted, so the same entry always makes the
//! same message (I8). The balance and the tier are those right after the entry: a message that is sent late tells the
//! truth of its moment.

use chrono::{Datelike, NaiveDate};
use loyalty_contract::events::Why;
use loyalty_domain::advance::projected_tier;
use loyalty_domain::campaign::{Invitation, ParticipationState};
use loyalty_domain::daily::{About, Notice};
use loyalty_domain::ids::{MemberId, OrderId, RuleId, TierId};
use loyalty_domain::ledger::{Entry, EntryKind, Reason};
use loyalty_domain::member::Member;
use loyalty_domain::points::Legs;
use loyalty_domain::programme::Programme;
use loyalty_domain::standing::{NextTier, next_tier};
use loyalty_domain::time::Instant;
use loyalty_domain::voucher::Voucher;

use crate::template::{Template, Value, Variables};

/// How many benefits of a tier a message names at most: it stays short (C9), and its row small.
pub const LIST_ITEMS_MAX: usize = 6;

/// A message to a member, not yet sent: a row of `messages`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `member_id:seq:template`, or with the day or the voucher it is about instead of the entry: the same thing is told
    /// once, however often it is seen.
    pub message_id: String,
    pub member_id: MemberId,
    pub template: Template,
    /// The campaign that says it, where one does.
    pub campaign: Option<RuleId>,
    pub variables: Variables,
    /// `seq` of the entry it tells about; `None` for what no entry is behind.
    pub seq: Option<u64>,
    /// When what it tells was decided.
    pub created_at: Instant,
}

/// The messages that entries make, each beside the place of its entry; `programme` is the version in force when one was
/// posted. What one decision took back of an order is told once, with its last entry: the order's own points, and what
/// campaigns gave for it (R9). Entries of a decision that come apart are told apart.
pub fn messages_of<'a, 'p>(
    entries: &'a [&'a Entry],
    programme: impl Fn(&Entry) -> &'p Programme + 'a,
) -> impl Iterator<Item = (usize, Message)> + 'a {
    entries.iter().enumerate().filter_map(move |(at, entry)| {
        let taken: Vec<&Entry> = entries.iter().copied().filter(|other| is_told_with(other, entry)).collect();
        if taken.iter().any(|other| other.seq > entry.seq) {
            return None;
        }
        let first = taken.iter().min_by_key(|other| other.seq).copied().unwrap_or(entry);
        let legs = taken.iter().try_fold(Legs::ZERO, |sum, other| sum.plus(other.legs)).ok();
        let told = Entry {
            legs: legs.filter(|_| !taken.is_empty()).unwrap_or(entry.legs),
            reason: first.reason,
            tier_before: first.tier_before.clone(),
            ..(*entry).clone()
        };
        Some((at, message_of(&told, programme(entry))?))
    })
}

/// Whether two entries took back of the same order by the same decision.
fn is_told_with(one: &Entry, other: &Entry) -> bool {
    let decision = |entry: &Entry| (entry.member_id.clone(), entry.order_id.clone(), entry.recorded_at);
    let takes = [one, other].iter().all(|entry| entry.kind == EntryKind::Reversal && entry.order_id.is_some());
    takes && decision(one) == decision(other)
}

/// The message an entry makes. `None` where no points moved, and for movements that the member made themselves or is
/// told of in another way: redemptions, restorations and expiries. Where a member stood before these books is no news.
fn message_of(entry: &Entry, programme: &Programme) -> Option<Message> {
    if entry.legs.is_zero() && entry.kind != EntryKind::Reset {
        return None;
    }
    let (template, own) = match entry.kind {
        EntryKind::Accrual => (Template::OrderPointsCredited, credited(entry)),
        EntryKind::Reversal => (Template::CancelledOrderPointsDeducted, deducted(entry, programme)),
        EntryKind::Welcome => (Template::WelcomePointsCredited, welcomed(entry)),
        EntryKind::Bonus => (Template::CampaignBonusCredited, bonus(entry)),
        EntryKind::Behaviour => (Template::BehaviourRewarded, rewarded(entry, programme)),
        EntryKind::Reset => match entry.reason {
            Reason::TierKept => (Template::TierKept, kept(entry, programme)),
            Reason::TierMissed => {
                let reviewed_on = programme.day(entry.occurred_at);
                (Template::TierLowered, lowered(&entry.tier_before, Some(reviewed_on), programme))
            }
            _ => (Template::QualifyingPointsReset, Vec::new()),
        },
        EntryKind::Redemption
        | EntryKind::Restoration
        | EntryKind::Expiration
        | EntryKind::Adjustment
        | EntryKind::Topup
        | EntryKind::Payment
        | EntryKind::Tier
        | EntryKind::Opening
        | EntryKind::MergeIn
        | EntryKind::MergeOut => return None,
    };
    let standing = standing(programme, &entry.tier_after, entry.balance_after);
    let message_id = format!("{}:{}:{}", entry.member_id, entry.seq, template.name());
    let variables = own.into_iter().chain(standing);
    let mut message = message(message_id, &entry.member_id, template, variables, entry.recorded_at);
    message.seq = Some(entry.seq);
    message.campaign = (entry.kind == EntryKind::Bonus).then(|| entry.rule.clone());
    Some(message)
}

fn message(
    message_id: String,
    member_id: &MemberId,
    template: Template,
    variables: impl Iterator<Item = Given>,
    created_at: Instant,
) -> Message {
    Message {
        message_id,
        member_id: member_id.clone(),
        template,
        campaign: None,
        variables: variables.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect(),
        seq: None,
        created_at,
    }
}

/// A campaign's message of one run, to a member who was just found to have participations left (C9, C10).
pub fn invitation(invitation: &Invitation, programme: &Programme, run: Instant) -> Message {
    let campaign = programme.campaign(&invitation.campaign).map_or("", |campaign| &campaign.name);
    let own = vec![
        ("campaign", Some(Value::Text(campaign.to_owned()))),
        ("bonus_points", Some(Value::Number(invitation.bonus_points))),
        ("orders_left", Some(Value::Number(i64::from(invitation.remaining)))),
        ("orders_to_next_tier", invitation.orders_to_next.map(Value::Number)),
    ];
    let day = programme.day(run);
    let key = format!("{}:{day}", invitation.campaign);
    let message = told(&invitation.member, programme, Template::CampaignInvitation, &key, own, run);
    Message { campaign: Some(invitation.campaign.clone()), ..message }
}

/// What a day's run tells a member. `vouchers` are those that the day gives.
pub fn notice(member: &Member, notice: &Notice, vouchers: &[Voucher], programme: &Programme, now: Instant) -> Message {
    let key = notice.on.to_string();
    let date = |day: chrono::NaiveDate| Some(Value::Text(day.to_string()));
    match notice.about {
        About::PointsExpiring { points, last_day } => {
            let own = vec![("points", Some(Value::Number(points))), ("last_day", date(last_day))];
            told(member, programme, Template::PointsExpiring, &last_day.to_string(), own, now)
        }
        About::TierAtRisk { missing, review_on } => {
            let currency = programme.currency.code().to_owned();
            let spend = Value::Money { amount_minor: missing.spent_minor, currency };
            let own = vec![
                ("points_missing", moved(missing.points)),
                ("spend_missing", (missing.spent_minor > 0).then_some(spend)),
                ("orders_missing", moved(missing.orders)),
                ("review_on", date(review_on)),
                ("qualifying_balance", (missing.points > 0).then_some(Value::Number(member.balance.qualifying.0))),
                ("projected_tier", Some(tier_name(programme, &projected_tier(programme, member)))),
            ];
            told(member, programme, Template::TierAtRisk, &key, own, now)
        }
        // By its year: an edited birthday is not told again in a year that has had one (B1).
        About::Birthday => {
            told(member, programme, Template::BirthdayVouchers, &notice.on.year().to_string(), given(vouchers), now)
        }
        About::Monthly => told(member, programme, Template::MonthlyVouchers, &key, given(vouchers), now),
    }
}

/// The congratulation on a tier, and what it brings (N2, N6). `seq` is the entry that reached it.
pub fn tier_reached(member: &Member, seq: u64, vouchers: &[Voucher], programme: &Programme, now: Instant) -> Message {
    let message = told(member, programme, Template::TierReached, &seq.to_string(), given(vouchers), now);
    Message { seq: Some(seq), ..message }
}

/// That a tier was lost between two reviews, to who is told of more than upgrades (X34).
pub fn tier_lowered(member: &Member, seq: u64, before: &TierId, programme: &Programme, now: Instant) -> Message {
    let message =
        told(member, programme, Template::TierLowered, &seq.to_string(), lowered(before, None, programme), now);
    Message { seq: Some(seq), ..message }
}

/// The reminder of a voucher that is still unused (N4).
pub fn voucher_reminder(member: &Member, voucher: &Voucher, programme: &Programme, now: Instant) -> Message {
    let own = vec![
        ("voucher", Some(Value::Text(voucher.grant.offer.name.clone()))),
        ("code", Some(Value::Text(voucher.code.clone()))),
        ("last_day", Some(Value::Text(voucher.grant.valid_until.to_string()))),
    ];
    told(member, programme, Template::VoucherReminder, voucher.voucher_id.as_str(), own, now)
}

fn told(
    member: &Member,
    programme: &Programme,
    template: Template,
    key: &str,
    own: Vec<Given>,
    now: Instant,
) -> Message {
    let message_id = format!("{}:{key}:{}", member.member_id, template.name());
    let variables = own.into_iter().chain(standing(programme, &member.tier, member.balance));
    message(message_id, &member.member_id, template, variables, now)
}

/// The vouchers by name, each with the code that the member shows for it.
fn given(vouchers: &[Voucher]) -> Vec<Given> {
    let shown = vouchers.iter().map(|voucher| shown(&voucher.grant.offer.name, &voucher.code));
    vec![("vouchers", (!vouchers.is_empty()).then(|| Value::List(shown.collect())))]
}

/// A voucher among others.
pub fn shown(name: &str, code: &str) -> String {
    format!("{name} ({code})")
}

fn bonus(entry: &Entry) -> Vec<Given> {
    let left = entry.participations.iter().find(|note| note.campaign == entry.rule);
    let left = left.filter(|note| note.state == ParticipationState::Active);
    let left = left.map(|note| Value::Number(i64::from(note.granted.saturating_sub(note.used))));
    credited(entry).into_iter().chain([("orders_left", left)]).collect()
}

fn rewarded(entry: &Entry, programme: &Programme) -> Vec<Given> {
    let behaviour = programme.behaviours.iter().find(|behaviour| behaviour.id == entry.rule);
    let name = behaviour.map_or_else(|| entry.rule.to_string(), |behaviour| behaviour.name.clone());
    vec![
        ("behaviour", Some(Value::Text(name))),
        ("points", moved(entry.legs.redeemable.0)),
        ("qualifying_points", moved(entry.legs.qualifying.0)),
        ("expires_on", expires_on(entry)),
    ]
}

/// The review an entry tells of fell due when it occurred, and the next cycle began then. After a month that was too short
/// for the anchor's day (X7) it ends some days later than is told here, where no member is known: never earlier.
fn kept(entry: &Entry, programme: &Programme) -> Vec<Given> {
    let until = programme.cycle.end(programme.day(entry.occurred_at));
    vec![("keep_until", Some(Value::Text(until.to_string())))]
}

/// By a review of a day, or without one.
fn lowered(before: &TierId, reviewed_on: Option<NaiveDate>, programme: &Programme) -> Vec<Given> {
    let name = tier_name(programme, before);
    let adjusted_from = reviewed_on.is_none().then(|| name.clone());
    vec![
        ("tier_before", Some(name)),
        ("reviewed_on", reviewed_on.map(|day| Value::Text(day.to_string()))),
        ("adjusted_from", adjusted_from),
    ]
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

/// Where the member stands and what is ahead (D1, D2).
fn standing(programme: &Programme, tier: &TierId, balance: Legs) -> Vec<Given> {
    let held = programme.tiers.get(tier);
    let next = next_tier(programme, tier, balance.qualifying.0);
    let balance = balance.redeemable.0;
    let at_top = held.is_some() && next.is_none();
    // Nothing is missing when a tier was kept by a review or by hand: then there is nothing to strive for yet.
    let ahead = next.filter(|next| next.missing.points > 0);
    vec![
        ("balance", Some(Value::Number(balance.max(0)))),
        ("debt", moved(balance.min(0))),
        ("tier", Some(tier_name(programme, tier))),
        ("benefits", held.and_then(|tier| benefits(&tier.benefits))),
        ("next_tier", ahead.map(|next| Value::Text(next.tier.name.clone()))),
        ("next_tier_benefits", ahead.and_then(|next| benefits(&next.tier.benefits))),
        ("points_to_next_tier", ahead.map(|next| Value::Number(next.missing.points))),
        ("spend_to_next_tier", ahead.and_then(|next| spend(programme, next))),
        ("top_tier", at_top.then(|| tier_name(programme, tier))),
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
    entry.lots.first()?.expiry.day().map(|day| Value::Text(day.to_string()))
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
