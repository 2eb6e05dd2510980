//! What an order's credits are due is posted: given by the terms that are pinned on each, or taken back exactly (R1–R5,
//! X21–X24).

use chrono::NaiveDate;

use crate::ids::RuleId;
use crate::ledger::{Entry, EntryKind, Explanation, Ledger, Posting, Reason, takeable};
use crate::lots::Expiry;
use crate::member::Member;
use crate::order::{Credit, InCycle, Order, OrderFacts, OrderStatus};
use crate::points::{Legs, Overflow};
use crate::programme::Programme;
use crate::reconcile::base_terms;
use crate::replay::expired_of;

/// How far [`post_dues`] got.
pub(crate) enum Posted {
    All,
    /// The member's history has to be read first: [`crate::decision::Verdict::NeedsHistory`].
    NeedsHistory,
}

/// Posts, for every rule that credits the order, what it is due less what it has settled.
pub(crate) fn post_dues(
    programme: &Programme,
    order: &mut Order,
    member: &mut Member,
    entries: &mut Vec<Entry>,
    history: Option<&[Entry]>,
) -> Result<Posted, Overflow> {
    let base = base_terms(programme, order, member);
    if order.credit(&RuleId::base()).is_none() && base.earned(&order.facts, order.ever_undone) {
        order.credits.push(Credit::new(RuleId::base(), base));
    }
    for at in 0..order.credits.len() {
        let Some(mut credit) = order.credits.get(at).cloned() else { continue };
        let delta = due(order, &credit)?.minus(credit.settled()?)?;
        // Another rule about its items may hold for another amount, and move the two kinds against each other: what is
        // taken goes first, and what is given is an entry of its own.
        let part = |of: fn(i64, i64) -> i64| Legs::new(of(delta.redeemable.0, 0), of(delta.qualifying.0, 0));
        for delta in [part(i64::min), part(i64::max)] {
            if delta.is_zero() {
                continue;
            }
            let takes = delta.redeemable.0 < 0 || delta.qualifying.0 < 0;
            if !takes {
                date(programme, &mut credit, member)?;
            }
            let explained = explain(order, &credit, takes, member.cycle_start)?;
            let mut ledger = Ledger::new(programme, member, entries);
            if takes {
                let Some(expired) = expired(&credit, &ledger, history, order) else { return Ok(Posted::NeedsHistory) };
                reverse(&mut ledger, explained, &mut credit, delta, expired)?;
            } else {
                grant(&mut ledger, explained, &mut credit, delta)?;
            }
        }
        if let Some(place) = order.credits.get_mut(at) {
            *place = credit;
        }
    }
    Ok(Posted::All)
}

/// What a credit should have settled at by its pinned terms: nothing while its participation is given back (X18). With
/// the literal filter of R2, what was credited stays until the cancelled order is also paid (X11).
pub(crate) fn due(order: &Order, credit: &Credit) -> Result<Legs, Overflow> {
    if credit.released {
        Ok(Legs::ZERO)
    } else if credit.terms.may_reverse(&order.facts) {
        credit.terms.deserved(&order.facts, &credit.terms.matched(&order.items), order.ever_undone)
    } else {
        credit.settled()
    }
}

/// Points live from the day they are posted: an order that comes back gets new points, of the current cycle, and points
/// added after the first ones expired do not expire with them.
fn date(programme: &Programme, credit: &mut Credit, member: &Member) -> Result<(), Overflow> {
    let today = programme.day(member.as_of);
    let comes_back = credit.settled()?.is_zero();
    if comes_back || credit.terms.expiry < Expiry::On(today) {
        credit.terms.expiry = programme.expiry.of(today);
        credit.first_expiry = credit.first_expiry.min(credit.terms.expiry);
    }
    if comes_back {
        credit.terms.cycle_start = member.cycle_start;
    }
    Ok(())
}

fn explain(order: &Order, credit: &Credit, takes: bool, cycle_start: NaiveDate) -> Result<Posting, Overflow> {
    let given = if credit.rule == RuleId::base() {
        EntryKind::Accrual
    } else if credit.rule == RuleId::welcome() {
        EntryKind::Welcome
    } else {
        EntryKind::Bonus
    };
    let reason = match (takes, given) {
        (true, EntryKind::Welcome) => Reason::FirstOrderUndone,
        (true, _) => taken_because(&order.facts, credit.terms.earned(&order.facts, order.ever_undone)),
        (false, EntryKind::Welcome) => Reason::WelcomePoints,
        (false, EntryKind::Bonus) if credit.generation == 0 => Reason::CampaignBonus,
        (false, _) if credit.generation == 0 => Reason::OrderEarned,
        (false, _) if credit.settled()?.is_zero() => Reason::OrderEarnedAgain,
        (false, _) => Reason::OrderAmountRaised,
    };
    let matched = credit.terms.matched(&order.items);
    Ok(Posting {
        kind: if takes { EntryKind::Reversal } else { given },
        order_id: Some(order.order_id.clone()),
        rule: credit.rule.clone(),
        reason,
        reverses: takes.then_some(credit.last_credit_seq),
        request_id: None,
        note: None,
        explanation: Some(Explanation {
            deserves: credit.terms.deserved(&order.facts, &matched, order.ever_undone)?,
            terms: credit.terms.clone(),
            facts: order.facts,
            matched,
            cycle_start,
            imported: order.imported.filter(|_| credit.rule == RuleId::base()),
        }),
        occurred_at: order.facts.updated_at,
    })
}

fn taken_because(facts: &OrderFacts, still_earns: bool) -> Reason {
    match facts.status {
        OrderStatus::Cancelled => Reason::OrderCancelled,
        OrderStatus::Returned => Reason::OrderReturned,
        _ if facts.undone() => Reason::OrderRefunded,
        _ if !still_earns => Reason::OrderNoLongerEarns,
        _ if facts.refunded_minor > 0 => Reason::OrderPartlyReturned,
        _ => Reason::OrderAmountLowered,
    }
}

/// How many redeemable points of this credit have expired, or went with a review that takes them (X42), and were not yet
/// written off (X23). `None` when that takes the member's history.
fn expired(credit: &Credit, ledger: &Ledger<'_>, history: Option<&[Entry]>, order: &Order) -> Option<i64> {
    let passed = credit.first_expiry < Expiry::On(ledger.today());
    // Whether the review between two cycles took any is for the history to tell. An order that came back may count what it
    // was given in an earlier cycle.
    let reviewed = credit.generation > 1 || credit.terms.cycle_start < ledger.member.cycle_start;
    if credit.terms.reversal.reverse_expired || !(passed || reviewed) {
        return Some(0);
    }
    // Whose points of an opening's lot were spent and whose are gone nobody can tell any more: they are not owed.
    let opened = order.imported.is_some() && credit.rule == RuleId::base();
    if opened && passed {
        return Some(i64::MAX);
    }
    let mut all = history?.iter().chain(ledger.entries.iter());
    if opened {
        let gone = all.any(|entry| entry.kind == EntryKind::Reset && entry.legs.redeemable.0 < 0);
        return Some(if gone { i64::MAX } else { 0 });
    }
    let expired = expired_of(all, order, &credit.rule);
    Some(expired.saturating_sub(credit.expired_written_off).max(0))
}

/// Gives a credit's points. What earlier reversals wrote off the order never lost: that is used up first, and only the rest is
/// posted.
pub(crate) fn grant(
    ledger: &mut Ledger<'_>,
    posting: Posting,
    credit: &mut Credit,
    delta: Legs,
) -> Result<(), Overflow> {
    let kept = Legs::new(
        delta.redeemable.0.min(credit.written_off.redeemable.0),
        delta.qualifying.0.min(credit.written_off.qualifying.0),
    );
    let given = delta.minus(kept)?;
    if credit.settled()?.is_zero() {
        credit.generation = credit.generation.saturating_add(1);
    }
    ledger.credit(posting, given, Legs::ZERO.minus(kept)?, credit.terms.expiry)?;
    credit.posted = credit.posted.plus(given)?;
    let cycle_start = ledger.member.cycle_start;
    let qualifying = credit.in_cycle.of(cycle_start).checked_add(given.qualifying.0).ok_or(Overflow)?;
    credit.in_cycle = InCycle { cycle_start, qualifying };
    credit.written_off = credit.written_off.minus(kept)?;
    credit.expired_written_off = credit.expired_written_off.min(credit.written_off.redeemable.0);
    credit.last_credit_seq = ledger.member.last_seq;
    Ok(())
}

/// Takes points back. What has expired was removed once already (X23), what the balance may not bear is written off
/// (X22), and qualifying points of an earlier cycle are gone (X21); the entry records all of it. What was added last goes
/// first, so a raise that came in the current cycle is taken from it.
fn reverse(
    ledger: &mut Ledger<'_>,
    posting: Posting,
    credit: &mut Credit,
    delta: Legs,
    expired: i64,
) -> Result<(), Overflow> {
    let wanted = Legs::ZERO.minus(delta)?;
    let rules = credit.terms.reversal;
    let owed = wanted.redeemable.0.saturating_sub(expired).max(0);
    let redeemable = takeable(rules.negative_balance, ledger.member.balance.redeemable.0, owed);
    let of_this_cycle = wanted.qualifying.0.min(credit.in_cycle.of(ledger.member.cycle_start));
    let qualifying = if rules.late_debits_current { wanted.qualifying.0 } else { of_this_cycle };
    let taken = Legs::new(redeemable, qualifying);
    let written_off = wanted.minus(taken)?;
    ledger.debit(posting, Legs::ZERO.minus(taken)?, written_off, Some(credit.terms.expiry))?;
    credit.posted = credit.posted.minus(taken)?;
    if credit.in_cycle.cycle_start == ledger.member.cycle_start {
        credit.in_cycle.qualifying = credit.in_cycle.qualifying.saturating_sub(of_this_cycle);
    }
    credit.in_cycle.qualifying = credit.in_cycle.qualifying.min(credit.posted.qualifying.0);
    credit.written_off = credit.written_off.plus(written_off)?;
    let lapsed = wanted.redeemable.0.saturating_sub(owed);
    credit.expired_written_off = credit.expired_written_off.checked_add(lapsed).ok_or(Overflow)?;
    Ok(())
}
