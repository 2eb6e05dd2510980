//! What was asked for was done once, as it was asked, and as often as the programme allows (P17, B2).

use std::collections::BTreeMap;

use chrono::Duration;
use loyalty_domain::ledger::{Entry, EntryKind};
use loyalty_domain::points::Legs;
use loyalty_domain::request::{Request, RequestState};

use super::{Judgement, claim, local_day};
use crate::sim::scenario::{Event, Scenario, What, member, request_id};
use crate::sim::store::Store;

pub(super) fn judge(scenario: &Scenario, store: &Store) -> Judgement {
    for (request, _) in store.requests() {
        let entry = store.history(&request.member_id, 0).iter().find(|entry| entry.seq == request.seq);
        let entry = entry.ok_or_else(|| format!("request {} posted nothing", request.request_id))?;
        let asked = scenario.events.iter().any(|event| answers(event, request, entry));
        claim(asked, || format!("request {} did what nobody asked: {entry:?}", request.request_id))?;
        judge_state(scenario, request).map_err(|what| format!("request {}: {what}", request.request_id))?;
    }
    let asked = [EntryKind::Redemption, EntryKind::Adjustment, EntryKind::Behaviour, EntryKind::Topup];
    let posted = store.histories().flatten().filter(|entry| asked.contains(&entry.kind)).count();
    claim(posted == store.requests().count(), || "something was done more than once".to_owned())?;
    store.histories().try_for_each(judge_limits)
}

/// Whether the request and its entry are what the event asked for.
fn answers(event: &Event, request: &Request, entry: &Entry) -> bool {
    let (key, number, legs, worth_minor) = match event.what {
        What::Redeem { key, member, points, hold } if hold == request.hold_until.is_some() => {
            (key, member, Legs::new(-points, 0), 0)
        }
        What::Adjust { key, member, redeemable, qualifying } => {
            let both_ways = (redeemable > 0 || qualifying > 0) && (redeemable < 0 || qualifying < 0);
            if both_ways || (redeemable, qualifying) == (0, 0) {
                return false;
            }
            (key, member, Legs::new(redeemable, qualifying), 0)
        }
        What::TopUp { key, member, amount_minor } => {
            let added = match amount_minor {
                3_000_000.. => 100_000,
                1_000_000.. => 30_000,
                _ => 0,
            };
            (key, member, Legs::ZERO, amount_minor + added)
        }
        What::Behave { key, member } => (key, member, Legs::new(15, 5), 0),
        _ => return false,
    };
    let own = request.request_id == request_id(key) && request.member_id == member(number);
    let content = entry.legs == legs && request.worth_minor == worth_minor;
    own && content && request.fingerprint == format!("{:?}", event.what)
}

/// Confirmed in time, undone because somebody undid it.
fn judge_state(scenario: &Scenario, request: &Request) -> Judgement {
    let of = |what: What| matches!(what, What::Confirm { key } | What::Undo { key } if request_id(key) == request.request_id);
    let mut events = scenario.events.iter().filter(|event| of(event.what));
    let minutes = i64::from(scenario.programmes[0].1.hold_minutes);
    let until = request.hold_until;
    claim(until.is_none_or(|until| until == request.created_at + Duration::minutes(minutes)), || {
        format!("is held until {until:?}")
    })?;
    match (request.state, until) {
        (RequestState::Confirmed, Some(until)) => {
            let in_time = |event: &Event| matches!(event.what, What::Confirm { .. }) && event.now < until;
            claim(events.any(in_time), || "was confirmed though nobody did in time".to_owned())
        }
        (RequestState::Undone, _) => {
            claim(events.any(|event| matches!(event.what, What::Undo { .. })), || "nobody undid it".to_owned())
        }
        (RequestState::Held | RequestState::Confirmed, _) => Ok(()),
    }
}

/// Once on a day it happened on, and three times in all.
fn judge_limits(history: &[Entry]) -> Judgement {
    let mut days = BTreeMap::new();
    for entry in history.iter().filter(|entry| entry.kind == EntryKind::Behaviour) {
        *days.entry(local_day(entry.occurred_at.min(entry.recorded_at))).or_insert(0) += 1;
    }
    let within = days.values().all(|times| *times <= 1) && days.len() <= 3;
    claim(within, || format!("a behaviour was rewarded more often than the programme allows: {days:?}"))
}
