//! What earns points without an order: reviews, shares, referrals, surveys, check-ins (P17).

use chrono::NaiveDate;

use crate::advance::advance;
use crate::decision::{Decision, Outcome, Rejection};
use crate::ids::{MemberId, RequestId, RuleId};
use crate::ledger::{Entry, EntryKind, Ledger, Posting, Reason, TierCause};
use crate::member::Member;
use crate::points::Legs;
use crate::programme::Programme;
use crate::request::{Asked, Request, RequestKind};
use crate::time::{Instant, month_start, week_start};

/// A behaviour the programme rewards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    pub id: RuleId,
    pub name: String,
    /// What it earns. Neither leg is below zero, and not both are zero.
    pub legs: Legs,
    /// What the other side of a referral earns, where there is one.
    pub other_side: Option<Legs>,
    pub limits: Vec<Limit>,
}

/// At most so many times in each period of the programme's calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub times: u32,
    pub per: Per,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    Day,
    /// From Monday on.
    Week,
    Month,
    Ever,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaved {
    pub asked: Asked,
    pub behaviour: RuleId,
    /// The member is the other side of a referral.
    pub other_side: bool,
    /// When it happened, by the shop.
    pub occurred_at: Instant,
}

/// The rows a behaviour concerns.
#[derive(Clone, Debug)]
pub struct BehaviourRows<'a> {
    pub member: Member,
    pub known: Option<&'a Request>,
    /// The member's whole history by rising `seq`.
    pub history: &'a [Entry],
}

/// Rewards a behaviour, as often as the programme allows.
///
/// # Errors
/// A [`Rejection`] changes nothing.
pub fn behave(
    programme: &Programme,
    rows: BehaviourRows<'_>,
    behaved: Behaved,
    now: Instant,
) -> Result<(Request, Decision), Rejection> {
    let BehaviourRows { mut member, known, history } = rows;
    let Behaved { asked, behaviour, other_side, occurred_at } = behaved;
    if let Some(request) = asked.answered(known)? {
        return Ok((request, Decision::nothing(Outcome::Duplicate)));
    }
    let unknown = || Rejection::UnknownBehaviour(behaviour.to_string());
    let rule = programme.behaviours.iter().find(|rule| rule.id == behaviour).ok_or_else(unknown)?;
    let legs = if other_side { rule.other_side.ok_or_else(unknown)? } else { rule.legs };
    let mut entries = Vec::new();
    advance(programme, &mut member, now, &mut entries)?;
    let day = programme.day(occurred_at.min(member.as_of));
    // Who is referred is new only once, whoever refers them; how often one may refer others is another matter.
    let limits = if other_side { &[Limit { times: 1, per: Per::Ever }] } else { rule.limits.as_slice() };
    let rewarded = |entry: &&Entry| {
        entry.kind == EntryKind::Behaviour && entry.rule == rule.id && is_other_side(entry) == other_side
    };
    if limits.iter().any(|limit| reached(programme, *limit, day, history.iter().filter(rewarded))) {
        return Err(Rejection::LimitReached);
    }
    let posting = Posting::new(EntryKind::Behaviour, rule.id.clone(), Reason::BehaviourRewarded, occurred_at);
    let posting = posting.asked_by(&asked);
    let expiry = programme.expiry.of(programme.day(member.as_of));
    Ledger::new(programme, &mut member, &mut entries).credit(posting, legs, Legs::ZERO, expiry)?;
    let accepted = asked.accepted(RequestKind::Behaviour, rule.id.clone(), &member);
    let request = Request { points: legs.redeemable.0, ..accepted };
    if !other_side {
        member.cycle.count(&rule.id);
    }
    Ledger::new(programme, &mut member, &mut entries).follow_rules(false, &TierCause::at(occurred_at))?;
    let decision = Decision { request: Some(request.clone()), ..Decision::posted(member, entries) };
    Ok((request, decision))
}

/// Whether a behaviour was rewarded as often as the limit allows in the period of the day it happened on, however late it
/// is told.
fn reached<'a>(programme: &Programme, limit: Limit, day: NaiveDate, rewarded: impl Iterator<Item = &'a Entry>) -> bool {
    let period = |day| match limit.per {
        Per::Day => Some(day),
        Per::Week => Some(week_start(day)),
        Per::Month => Some(month_start(day)),
        Per::Ever => None,
    };
    let happened = |entry: &Entry| programme.day(entry.occurred_at.min(entry.recorded_at));
    let times = rewarded.filter(|entry| period(happened(entry)) == period(day)).count();
    u32::try_from(times).unwrap_or(u32::MAX) >= limit.times
}

/// The two requests of one referral: the member's own, and the friend's, whose id alone has a slash.
pub fn other_side_of(asked: &Asked, friend: &MemberId) -> Asked {
    let request_id = RequestId::new(format!("{}{OTHER_SIDE}{friend}", asked.request_id));
    Asked { request_id, fingerprint: asked.fingerprint.clone() }
}

const OTHER_SIDE: char = '/';

/// Whether the entry rewards who was referred.
fn is_other_side(entry: &Entry) -> bool {
    entry.request_id.as_ref().is_some_and(|request_id| request_id.as_str().contains(OTHER_SIDE))
}
