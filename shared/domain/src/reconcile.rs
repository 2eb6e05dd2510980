//! An order is reconciled, not added.
//!
//! What the newest snapshot deserves, minus what has been settled for the order, is what is posted now. A duplicate or a
//! stale snapshot posts nothing, a cancel the exact negative, a partial return the exact part (R1–R5, X10–X12, X21–X28).
//! "Trừ điểm với công thức tương ứng đã cộng" (R4) is the same: the terms are pinned on the order when it first earns.
//! Every order of deliveries of one order's snapshots ends in the same books (I5).

use crate::advance::advance;
use crate::again::{concerned, give_back, gives_back, reopen};
use crate::campaign::{BonusWhen, Campaign, Participation, TierSnapshot, join, may_join, may_wait, settle, wait};
use crate::decision::{Decision, Outcome, Rejection, Verdict};
use crate::dues::{Posted, due, post_dues};
use crate::ids::{MemberId, RuleId, TierId};
use crate::item_rules::PinnedRules;
use crate::ledger::{Entry, EntryKind, Ledger, TierCause};
use crate::member::Member;
use crate::order::{Credit, Order, OrderSnapshot, Owner, Terms, TermsAmount};
use crate::paying::{Used, pay_with_wallet, use_vouchers, wallet_due};
use crate::points::{Legs, Overflow, Ratio};
use crate::programme::{Programme, ReversalRules, TierMultiplier};
use crate::time::Instant;
use crate::voucher::Voucher;
use crate::welcome;

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
    let used = match newest {
        true => use_vouchers(programme, &mut order, &snapshot, was_undone, vouchers, now),
        false => Used::Is(Vec::new()),
    };
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
    member.ordered(order.facts.placed_at);
    if member.first_order.is_none() {
        member.first_order = Some(order.order_id.clone());
        let promised = |member: &Member| programme.welcome.map(|welcome| welcome::promised(programme, member, welcome));
        let welcome = welcome::take(&mut member).or_else(|| promised(&member));
        order.credits.extend(welcome);
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
            let raised = entries.iter().any(Entry::raised_by_time);
            let joins = !joinable.is_empty() || !waits_for.is_empty() || snapshot.again || raised;
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

/// The newest snapshot's lines, where rules about items may concern them.
pub(crate) fn keep_items(programme: &Programme, order: &mut Order, snapshot: &OrderSnapshot) {
    if may_concern_items(programme, order) {
        order.items.clone_from(&snapshot.items);
    }
}

/// Whether there are rules about items for an order: today's, or those it has earned by.
fn may_concern_items(programme: &Programme, order: &Order) -> bool {
    let pinned = order.credits.iter().any(|credit| !credit.terms.rules.rules.is_empty());
    pinned || !programme.item_rules.is_empty()
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

/// Puts the snapshot into the order: the greater facts count, and of equal ones the greater lines where these matter; the
/// newest snapshot that names a member names it, and having ever been undone is remembered.
fn merge(
    programme: &Programme,
    known: Option<Order>,
    snapshot: &OrderSnapshot,
    member_id: Option<&MemberId>,
) -> Merged {
    let seen = known.is_some();
    let mut order = known.unwrap_or_else(|| Order::unseen(snapshot.order_id.clone(), snapshot.facts));
    let same = snapshot.facts == order.facts;
    let other_lines = same && may_concern_items(programme, &order) && snapshot.items > order.items;
    let newer = !seen || snapshot.facts > order.facts || other_lines;
    let newly_undone =
        snapshot.facts.undone() && !order.ever_undone && (newer || stale_undo_matters(programme, &order));
    let owner = order.owner.clone();
    let left = rename(&mut order, snapshot, member_id);
    let renamed = order.owner != owner;
    let changes = newer || newly_undone || renamed || (snapshot.again && same);
    if !changes {
        return Merged::Nothing(if same { Outcome::Duplicate } else { Outcome::Stale });
    }
    if newer {
        order.facts = snapshot.facts;
        keep_items(programme, &mut order, snapshot);
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
        || order.counted != order.facts.counts()
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

pub(crate) fn terms(programme: &Programme, member: &Member, amount: TermsAmount, reversal: ReversalRules) -> Terms {
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
    let counts = order.facts.counts();
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
