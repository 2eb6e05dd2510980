//! An order is reconciled, not added.
//!
//! What the newest snapshot deserves, minus what has been settled for the order, is what is posted now. A duplicate or a
//! stale snapshot posts nothing, a cancel the exact negative, a partial return the exact part (R1–R5, X10–X12, X21–X28).
//! "Trừ điểm với công thức tương ứng đã cộng" (R4) is the same: the terms are pinned on the order when it first earns.
//! Every order of deliveries of one order's snapshots ends in the same books (I5).

use chrono::NaiveDate;

use crate::advance::advance;
use crate::again::{concerned, give_back, gives_back, reopen};
use crate::campaign::{BonusWhen, Campaign, Participation, TierSnapshot, join, may_join, may_wait, settle, wait};
use crate::decision::{Decision, Outcome, Rejection, Verdict};
use crate::ids::{MemberId, RuleId, TierId};
use crate::item_rules::PinnedRules;
use crate::ledger::{Entry, EntryKind, Explanation, Ledger, Posting, Reason, TierCause, takeable};
use crate::lots::Expiry;
use crate::member::Member;
use crate::order::{Credit, InCycle, Order, OrderFacts, OrderSnapshot, OrderStatus, Owner, Terms, TermsAmount};
use crate::paying::{Used, pay_with_wallet, use_vouchers, wallet_due};
use crate::points::{Legs, Overflow, Ratio};
use crate::programme::{Programme, ReversalRules, TierMultiplier, Welcome, WelcomeWhen};
use crate::replay::expired_of;
use crate::time::Instant;
use crate::voucher::Voucher;

/// The rows an order event concerns, as read. A row that does not exist is `None`.
#[derive(Clone, Debug, Default)]
pub struct OrderRows<'a> {
    pub order: Option<Order>,
    /// The member the decision will write: [`member_of`] says which.
    pub member: Option<Member>,
    /// The member an order that is not bound belongs to now, when a newer snapshot names another.
    pub left_member: Option<Member>,
    /// The member's whole history by rising `seq`, behind those of the members who joined them; only when a verdict asked
    /// for it.
    pub history: Option<&'a [Entry]>,
    /// The member's participations in the campaigns that a verdict asked for.
    pub participations: Option<Vec<Participation>>,
    /// Those vouchers that the verdict asked for and that exist.
    pub vouchers: Option<Vec<Voucher>>,
}

/// The member whose row decides about a snapshot: the order's own once it is bound to them, else whom the newest snapshot
/// that names anybody names (X43, F23). `None` while nobody is known.
pub fn member_of<'a>(order: Option<&'a Order>, snapshot: &'a OrderSnapshot) -> Option<&'a MemberId> {
    let Some((order, owner)) = order.and_then(|order| Some((order, order.owner.as_ref()?))) else {
        return snapshot.member_id.as_ref();
    };
    match &snapshot.member_id {
        Some(named) if !order.bound() && owner.yields_to(named, snapshot.facts.updated_at) => Some(named),
        _ => Some(&owner.member_id),
    }
}

/// Decides what one delivery of an order changes.
///
/// # Errors
/// A [`Rejection`] changes nothing.
pub fn reconcile_order(
    programme: &Programme,
    rows: OrderRows<'_>,
    snapshot: OrderSnapshot,
    now: Instant,
) -> Result<Verdict, Rejection> {
    let OrderRows { order: known, member: loaded, left_member, history, participations, vouchers } = rows;
    let member_id = member_of(known.as_ref(), &snapshot).cloned();
    let was_undone = known.as_ref().is_some_and(|order| order.facts.undone());
    let (mut order, left) = match merge(programme, known, &snapshot, member_id.as_ref()) {
        Merged::Nothing(outcome) => return Ok(Verdict::Decided(Decision::nothing(outcome))),
        Merged::Changed { order, left } => (order, left),
    };
    let newest = order.facts == snapshot.facts;
    let mut used = Used::Is(Vec::new());
    if newest {
        keep_items(programme, &mut order, &snapshot);
        used = use_vouchers(programme, &mut order, &snapshot, was_undone, vouchers, now);
    }
    let vouchers = match used {
        Used::Is(vouchers) => vouchers,
        Used::Needs { named, used_for } => return Ok(Verdict::NeedsVouchers { named, used_for }),
    };
    let Some(member_id) = member_id else {
        let waiting = Decision { order: Some(order), vouchers, ..Decision::nothing(Outcome::Waiting) };
        return Ok(Verdict::Decided(waiting));
    };
    // Whoever has joined another is followed before anything is decided (`merge::follow`).
    if let Some(wrong) = loaded.as_ref().filter(|loaded| loaded.member_id != member_id || loaded.merged.is_some()) {
        return Err(Rejection::WrongMember(wrong.member_id.clone()));
    }
    let left_member = match (left, left_member) {
        (None, _) => None,
        (Some(left), Some(mut member)) if member.member_id == left => {
            leave(&mut member, &mut order);
            Some(member)
        }
        (Some(left), _) => return Ok(Verdict::NeedsMember(left)),
    };
    let mut member = match loaded {
        Some(member) if left_member.is_none() && !snapshot.again && settled(programme, &order, &member)? => {
            let noted = Decision { order: Some(order), vouchers, ..Decision::nothing(Outcome::Noted) };
            return Ok(Verdict::Decided(noted));
        }
        Some(member) => member,
        None => Member::registered(programme, member_id, now).ok_or(Rejection::NoTiers)?,
    };
    let mut entries = Vec::new();
    advance(programme, &mut member, now, &mut entries)?;
    member.last_ordered_at = member.last_ordered_at.max(Some(order.facts.placed_at));
    if member.first_order.is_none() {
        member.first_order = Some(order.order_id.clone());
        order.credits.extend(programme.welcome.map(|welcome| promised(programme, &member, welcome)));
    }
    if snapshot.member_id.as_ref() == Some(&member.member_id) && member.is_known_by(order.facts.placed_at) {
        member.tell_by_order(snapshot.profile, snapshot.facts.updated_at, newest);
    }
    let tier_before = member.tier.clone();
    let counted_before = cycle_part(&order, &member);
    let posted = post_dues(programme, &mut order, &mut member, &mut entries, history)?;
    if let Posted::NeedsHistory = posted {
        return Ok(Verdict::NeedsHistory(member.member_id));
    }
    pay_with_wallet(programme, &mut order, &mut member, &mut entries)?;
    let counts_less = count(programme, &mut order, &mut member, counted_before)?;
    // A rule about points hears of those that are taken, whatever was spent (R5).
    let takes = |entry: &Entry| entry.kind == EntryKind::Reversal && entry.legs.qualifying.0 < 0;
    let undone = counts_less || entries.iter().any(takes);
    follow_rules(programme, &order, &mut member, &mut entries, undone)?;
    let campaigns = programme.campaigns.iter().filter(|campaign| may_join(programme, campaign, &order, &member));
    let joinable: Vec<_> = campaigns.collect();
    let waits_for = programme.campaigns.iter().filter(|campaign| may_wait(programme, campaign, &order, &member));
    let waits_for: Vec<_> = waits_for.collect();
    let participations = match participations {
        Some(known) => known,
        None => {
            let joins = !joinable.is_empty() || !waits_for.is_empty() || snapshot.again;
            let concerned = concerned(programme, &order, &member, &tier_before, joins)?;
            if !concerned.is_empty() {
                return Ok(Verdict::NeedsParticipations(member.member_id, concerned));
            }
            Vec::new()
        }
    };
    let mut next = participations.clone();
    give_back(&mut order, &mut member, &mut next)?;
    let judged_by = |campaign: &Campaign, member: &Member| match campaign.tier_snapshot {
        TierSnapshot::Before => tier_before.clone(),
        TierSnapshot::After => member.tier.clone(),
    };
    for campaign in waits_for {
        wait(campaign, &order, &judged_by(campaign, &member), &mut next);
    }
    let mut joined = false;
    for campaign in joinable {
        let tier = &judged_by(campaign, &member);
        if let Some(bonus) = join(campaign, &order, tier, &mut next) {
            let credit = match order.credit(&campaign.id) {
                // An order that comes back has the bonus it had (X12, X46).
                Some(known) => Credit { released: false, ..known.clone() },
                None => Credit::new(campaign.id.clone(), bonus_terms(programme, (campaign, bonus), &member, tier)),
            };
            order.put_credit(credit);
            joined = true;
        }
    }
    if joined && let Posted::NeedsHistory = post_dues(programme, &mut order, &mut member, &mut entries, history)? {
        return Ok(Verdict::NeedsHistory(member.member_id));
    }
    if joined {
        // A bonus may be what a rule about points waited for.
        follow_rules(programme, &order, &mut member, &mut entries, false)?;
    }
    if snapshot.again {
        let live = |id: &RuleId| programme.campaign(id).is_none_or(|campaign| campaign.live(member.as_of));
        let gone_on = next.iter_mut().filter(|participation| live(&participation.campaign));
        gone_on.for_each(|participation| participation.waiting.retain(|waiting| *waiting != order.order_id));
    }
    reopen(programme, &mut member, &tier_before, &mut next);
    let participations = settle(programme, &mut member, &mut entries, &participations, next);
    count_pending(&mut order, &mut member)?;
    Ok(Verdict::Decided(Decision {
        outcome: Outcome::Posted,
        member: Some(member),
        left_member,
        order: Some(order),
        entries,
        participations,
        vouchers,
        ..Decision::nothing(Outcome::Posted)
    }))
}

/// The newest snapshot's lines, where rules about items may concern them: today's, or those the order has earned by.
pub(crate) fn keep_items(programme: &Programme, order: &mut Order, snapshot: &OrderSnapshot) {
    let pinned = order.credits.iter().any(|credit| !credit.terms.rules.rules.is_empty());
    if pinned || !programme.item_rules.is_empty() {
        order.items.clone_from(&snapshot.items);
    }
}

#[expect(clippy::large_enum_variant, reason = "a changed order is the common case and is moved once")]
enum Merged {
    Nothing(Outcome),
    Changed {
        order: Order,
        /// The member the order leaves.
        left: Option<MemberId>,
    },
}

/// Puts the snapshot into the order: the greater facts count, the newest snapshot that names a member names it, and
/// having ever been undone is remembered.
fn merge(
    programme: &Programme,
    known: Option<Order>,
    snapshot: &OrderSnapshot,
    member_id: Option<&MemberId>,
) -> Merged {
    let seen = known.is_some();
    let mut order = known.unwrap_or_else(|| Order::unseen(snapshot.order_id.clone(), snapshot.facts));
    let newer = !seen || snapshot.facts > order.facts;
    let newly_undone =
        snapshot.facts.undone() && !order.ever_undone && (newer || stale_undo_matters(programme, &order));
    let owner = order.owner.clone();
    let left = rename(&mut order, snapshot, member_id);
    let renamed = order.owner != owner;
    let same = snapshot.facts == order.facts;
    let changes = newer || newly_undone || renamed || (snapshot.again && same);
    if !changes {
        return Merged::Nothing(if same { Outcome::Duplicate } else { Outcome::Stale });
    }
    if newer {
        order.facts = snapshot.facts;
    }
    order.ever_undone |= newly_undone;
    Merged::Changed { order, left }
}

/// Gives the order the member its newest naming snapshot names, until it is bound to one. Returns the member it leaves.
fn rename(order: &mut Order, snapshot: &OrderSnapshot, member_id: Option<&MemberId>) -> Option<MemberId> {
    let named = snapshot.member_id.as_ref()?;
    let named_at = snapshot.facts.updated_at;
    let owner = || Owner { member_id: named.clone(), named_at };
    let bound = order.bound();
    match &mut order.owner {
        None => order.owner = Some(owner()),
        Some(known) if Some(named) == member_id && !bound && known.yields_to(named, named_at) => {
            let before = std::mem::replace(known, owner());
            if before.member_id == *named {
                return None;
            }
            order.from = None;
            return Some(before.member_id);
        }
        Some(_) => {}
    }
    None
}

/// A late, older "cancelled" counts where having ever been cancelled does: welcome points, and orders that may not earn
/// again (X25, X28).
fn stale_undo_matters(programme: &Programme, order: &Order) -> bool {
    let barring = |rules: ReversalRules| rules.no_recredit_after_cancel;
    barring(programme.reversal)
        || order.credits.iter().any(|credit| barring(credit.terms.reversal))
        || (order.credits.is_empty() && programme.welcome.is_some())
}

/// The member is no longer the order's: what it added to them goes with it. It was not bound, so no points or money move.
fn leave(member: &mut Member, order: &mut Order) {
    if std::mem::take(&mut order.counted) {
        member.orders_count = member.orders_count.saturating_sub(1);
    }
    member.spent_minor = member.spent_minor.saturating_sub(std::mem::take(&mut order.spent_minor));
    member.pending_points = member.pending_points.saturating_sub(std::mem::take(&mut order.pending_points));
}

/// Whether the order's own row is all there is to write: nothing to post, and nothing it adds to its member changes.
fn settled(programme: &Programme, order: &Order, member: &Member) -> Result<bool, Overflow> {
    let base = base_terms(programme, order, member);
    let begins = order.credit(&RuleId::base()).is_none() && base.earned(&order.facts, order.ever_undone);
    let first = member.first_order.is_none();
    let concerns = |campaign: &Campaign| {
        may_join(programme, campaign, order, member) || may_wait(programme, campaign, order, member)
    };
    let joins = programme.campaigns.iter().any(concerns);
    let unpaid = order.wallet_minor != wallet_due(programme, order);
    if begins
        || first
        || joins
        || unpaid
        || order.counted == order.facts.undone()
        || order.spent_minor != spent(order, &base)
    {
        return Ok(false);
    }
    for credit in &order.credits {
        if credit.settled()? != due(order, credit)? || gives_back(order, credit)? {
            return Ok(false);
        }
    }
    Ok(order.pending_points == pending(order))
}

/// What a credit should have settled at by its pinned terms: nothing while its participation is given back (X18). With
/// the literal filter of R2, what was credited stays until the cancelled order is also paid (X11).
fn due(order: &Order, credit: &Credit) -> Result<Legs, Overflow> {
    if credit.released {
        Ok(Legs::ZERO)
    } else if credit.terms.may_reverse(&order.facts) {
        credit.terms.deserved(&order.facts, &credit.terms.rules.matched(&order.items), order.ever_undone)
    } else {
        credit.settled()
    }
}

pub(crate) fn spent(order: &Order, base: &Terms) -> i64 {
    if base.earned(&order.facts, order.ever_undone) { order.facts.spent_minor() } else { 0 }
}

fn pending(order: &Order) -> i64 {
    let of = |credit: &Credit| credit.terms.pending_points(&order.facts, order.ever_undone);
    order.credits.iter().filter(|credit| !credit.released).fold(0, |sum, credit| sum.saturating_add(of(credit)))
}

/// The terms of the order's own points: the pinned ones, or today's for the member's tier before the order (P9, X17).
pub(crate) fn base_terms(programme: &Programme, order: &Order, member: &Member) -> Terms {
    if let Some(credit) = order.credit(&RuleId::base()) {
        return credit.terms.clone();
    }
    let redeemable = programme.multiplier(&member.tier);
    let qualifying = match programme.earning.tier_multiplier {
        TierMultiplier::RedeemableOnly => Ratio::ONE,
        TierMultiplier::Both => redeemable,
    };
    let amount = TermsAmount::earned(&programme.earning, redeemable, qualifying);
    let first = member.first_order.as_ref() == Some(&order.order_id);
    let rules = PinnedRules::of(programme, &order.facts, &order.items, first);
    Terms { rules, ..terms(programme, member, amount, programme.reversal) }
}

fn terms(programme: &Programme, member: &Member, amount: TermsAmount, reversal: ReversalRules) -> Terms {
    Terms {
        programme_version: programme.version.clone(),
        currency: programme.currency,
        tier: member.tier.clone(),
        amount,
        reversal,
        rules: PinnedRules::default(),
        expiry: programme.expiry.of(programme.day(member.as_of)),
        cycle_start: member.cycle_start,
    }
}

/// The terms of a campaign's bonus, for an order that is judged by `tier` (C6, X17).
fn bonus_terms(programme: &Programme, (campaign, legs): (&Campaign, Legs), member: &Member, tier: &TierId) -> Terms {
    let pending_until = match campaign.bonus_when {
        BonusWhen::Placed => None,
        BonusWhen::Earned => Some(programme.earning.earn_when),
    };
    let amount = TermsAmount::Fixed { legs, pending_until };
    let reversal = ReversalRules { restores_participation: campaign.restores_on_reversal, ..programme.reversal };
    Terms { tier: tier.clone(), ..terms(programme, member, amount, reversal) }
}

/// Welcome points, promised on registration and tied to the first order: they go when it is undone, and come back only
/// where the programme says so (P14, R6, X25, X26).
fn promised(programme: &Programme, member: &Member, welcome: Welcome) -> Credit {
    let pending_until = match welcome.when {
        WelcomeWhen::Immediate => None,
        WelcomeWhen::PendingUntilFirstDelivery => Some(programme.earning.earn_when),
    };
    let amount = TermsAmount::Fixed { legs: Legs::new(i64::from(welcome.points), 0), pending_until };
    let reversal =
        ReversalRules { requires_paid: false, no_recredit_after_cancel: !welcome.regrant, ..programme.reversal };
    Credit::new(RuleId::welcome(), terms(programme, member, amount, reversal))
}

enum Posted {
    All,
    NeedsHistory,
}

/// Posts, for every rule that credits the order, what it is due less what it has settled.
fn post_dues(
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
    let matched = credit.terms.rules.matched(&order.items);
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

/// How many redeemable points of this credit have expired and were not yet written off (X23). `None` when that takes
/// the member's history.
fn expired(credit: &Credit, ledger: &Ledger<'_>, history: Option<&[Entry]>, order: &Order) -> Option<i64> {
    if credit.terms.reversal.reverse_expired || credit.first_expiry >= Expiry::On(ledger.today()) {
        return Some(0);
    }
    // Whose points of an opening's lot were spent and whose expired nobody can tell any more: they are not owed.
    if order.imported.is_some() && credit.rule == RuleId::base() {
        return Some(i64::MAX);
    }
    let all = history?.iter().chain(ledger.entries.iter());
    let expired = expired_of(all, &order.order_id, &credit.rule);
    Some(expired.saturating_sub(credit.expired_written_off).max(0))
}

/// Gives points. What earlier reversals wrote off the order never lost: that is used up first, and only the rest is
/// posted.
fn grant(ledger: &mut Ledger<'_>, posting: Posting, credit: &mut Credit, delta: Legs) -> Result<(), Overflow> {
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

/// The tier that rules say, after what the order has changed (T17).
fn follow_rules(
    programme: &Programme,
    order: &Order,
    member: &mut Member,
    entries: &mut Vec<Entry>,
    undone: bool,
) -> Result<(), Overflow> {
    let cause = TierCause { order_id: Some(&order.order_id), occurred_at: order.facts.updated_at };
    Ledger::new(programme, member, entries).follow_rules(undone, &cause)
}

/// What the order adds to the sums of its member's cycle: what was spent on it, and itself where that is anything (T17).
/// It counts in the cycle in which its points do.
fn cycle_part(order: &Order, member: &Member) -> (i64, i64) {
    let counts = order.credit(&RuleId::base()).is_some_and(|base| base.terms.cycle_start == member.cycle_start);
    if counts { (order.spent_minor, i64::from(order.spent_minor > 0)) } else { (0, 0) }
}

/// Brings up to date what the order adds to its member (X44) and to their cycle, to which it added `before`. Says whether
/// it adds less than it did.
fn count(programme: &Programme, order: &mut Order, member: &mut Member, before: (i64, i64)) -> Result<bool, Overflow> {
    let counts = !order.facts.undone();
    let step = i64::from(counts).saturating_sub(i64::from(order.counted));
    member.orders_count = member.orders_count.checked_add(step).ok_or(Overflow)?;
    order.counted = counts;
    let spent = spent(order, &base_terms(programme, order, member));
    let change = spent.checked_sub(order.spent_minor).ok_or(Overflow)?;
    member.spent_minor = member.spent_minor.checked_add(change).ok_or(Overflow)?;
    order.spent_minor = spent;
    let now = cycle_part(order, member);
    let moved =
        |sum: i64, before: i64, now: i64| sum.checked_sub(before).and_then(|sum| sum.checked_add(now)).ok_or(Overflow);
    member.cycle.spent_minor = moved(member.cycle.spent_minor, before.0, now.0)?;
    member.cycle.orders = moved(member.cycle.orders, before.1, now.1)?;
    Ok(now < before)
}

/// Brings up to date what the order adds to its member's pending points (X25).
fn count_pending(order: &mut Order, member: &mut Member) -> Result<(), Overflow> {
    let pending = pending(order);
    let change = pending.checked_sub(order.pending_points).ok_or(Overflow)?;
    member.pending_points = member.pending_points.checked_add(change).ok_or(Overflow)?;
    order.pending_points = pending;
    Ok(())
}
