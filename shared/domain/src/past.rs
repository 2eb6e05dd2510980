//! Orders from before these books: kept, so that what the shop says of them later is compared with what was known of them,
//! and moving nothing by themselves.
//!
//! Who was opened with figures has the points of these orders already. Such an order is taken for credited by its opening,
//! under today's terms and the order's own time: a later report of it as it was credits nothing, and a cancel takes from
//! the member what it would have taken. Who was not opened was never given anything for these orders, and is given nothing
//! by them later; they count among what the member ordered and spent, and in no cycle. An order that has not earned yet is in no figure: it earns when it is delivered, like any other.

use crate::decision::{Decision, Outcome, Rejection};
use crate::ids::RuleId;
use crate::member::Member;
use crate::order::{Credit, Imported, InCycle, Order, OrderFacts, OrderSnapshot, Owner, Terms, TermsAmount};
use crate::points::{Legs, Overflow};
use crate::programme::Programme;
use crate::reconcile::{base_terms, keep_items, spent};
use crate::time::Instant;

/// `seq` of an opening: it is a member's first entry.
const OPENING_SEQ: u64 = 1;

/// The rows that an order from before concerns.
#[derive(Clone, Debug, Default)]
pub struct PastRows {
    pub order: Option<Order>,
    pub member: Option<Member>,
    /// When the member was opened, if they were.
    pub opened_at: Option<Instant>,
}

/// Why an order is none from before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PastProblem {
    #[error("it names no customer")]
    Nobody,
    #[error("it was placed after its member was opened: the shop reports it")]
    AfterOpening,
    #[error("it is of the future")]
    InFuture,
    #[error("it was brought along with other figures: the shop reports what changed since")]
    OtherFigures,
}

impl From<PastProblem> for Rejection {
    fn from(problem: PastProblem) -> Self {
        Self::CannotBring(problem)
    }
}

/// Keeps an order from before these books. One that is known already changes nothing, whoever brought it.
///
/// # Errors
/// A [`Rejection`] changes nothing. [`PastProblem::OtherFigures`] where it was brought along as something else and the shop has
/// not told of it since.
pub fn bring_order(
    programme: &Programme,
    rows: PastRows,
    snapshot: OrderSnapshot,
    now: Instant,
) -> Result<Decision, Rejection> {
    if let Some(known) = &rows.order {
        let told_since = known.imported.is_none() || known.facts.updated_at > snapshot.facts.updated_at;
        return match told_since || same_figures(&known.facts, &snapshot.facts) {
            true => Ok(Decision::nothing(Outcome::Duplicate)),
            false => Err(PastProblem::OtherFigures.into()),
        };
    }
    let member_id = snapshot.member_id.clone().ok_or(PastProblem::Nobody)?;
    if snapshot.facts.placed_at > now || snapshot.facts.updated_at > now {
        return Err(PastProblem::InFuture.into());
    }
    if rows.opened_at.is_some_and(|opened_at| snapshot.facts.placed_at > opened_at) {
        return Err(PastProblem::AfterOpening.into());
    }
    let registered = || Member::registered(programme, member_id.clone(), now).ok_or(Rejection::NoTiers);
    let known = rows.member.is_some();
    let before = rows.member.map_or_else(registered, Ok)?;
    let mut member = before.clone();
    let mut order = Order::unseen(snapshot.order_id.clone(), snapshot.facts);
    order.owner = Some(Owner { member_id: member.member_id.clone(), named_at: snapshot.facts.updated_at });
    order.ever_undone = order.facts.undone();
    order.counted = order.facts.counts();
    keep_items(programme, &mut order, &snapshot);
    // Who ordered before is no new customer, and is not welcomed as one (P14, X26); what they were given stays.
    member.first_order.get_or_insert_with(|| order.order_id.clone());
    crate::welcome::take(&mut member);
    member.ordered(order.facts.placed_at);
    if member.is_known_by(order.facts.placed_at) {
        member.profile = std::mem::take(&mut member.profile).or(snapshot.profile);
    }
    let opened = rows.opened_at.is_some();
    credit(programme, &mut order, &member, opened)?;
    if !opened {
        // No opening holds it: it is an order of theirs from now on, and a cancel takes off what was added here (X44).
        member.orders_count = member.orders_count.checked_add(i64::from(order.counted)).ok_or(Overflow)?;
        member.spent_minor = member.spent_minor.checked_add(order.spent_minor).ok_or(Overflow)?;
    }
    let changed = !known || member != before;
    let outcome = if changed { Outcome::Posted } else { Outcome::Noted };
    Ok(Decision { member: changed.then_some(member), order: Some(order), ..Decision::nothing(outcome) })
}

/// Whether both say the same of an order, as far as a file of past orders can.
fn same_figures(known: &OrderFacts, brought: &OrderFacts) -> bool {
    let said = |facts: &OrderFacts| {
        let amounts = (facts.due_minor, facts.shipping_minor, facts.refunded_minor, facts.currency);
        (facts.status, facts.payment, amounts, facts.placed_at)
    };
    said(known) == said(brought)
}

/// Takes the order for credited, where it has earned: with what it deserves where an opening holds it, else with nothing.
fn credit(programme: &Programme, order: &mut Order, member: &Member, opened: bool) -> Result<(), Rejection> {
    let placed_on = programme.day(order.facts.placed_at);
    // What no opening holds tells nothing of the running cycle: its sums move by entries alone (T17).
    let newest = if opened { Some(member.cycle_start) } else { member.cycle_start.pred_opt() };
    let cycle_start = placed_on.min(newest.unwrap_or(placed_on));
    let expiry = programme.expiry.of(placed_on);
    let base = Terms { expiry, cycle_start, ..base_terms(programme, order, member) };
    let mut legs = Legs::ZERO;
    if base.earned(&order.facts, order.ever_undone) {
        let nothing = TermsAmount::Fixed { legs: Legs::ZERO, pending_until: None };
        let terms = if opened { base } else { Terms { amount: nothing, ..base } };
        legs = terms.deserved(&order.facts, &terms.matched(&order.items), order.ever_undone)?;
        order.spent_minor = spent(order, &terms);
        let given = !legs.is_zero();
        order.credits.push(Credit {
            posted: legs,
            in_cycle: InCycle { cycle_start, qualifying: legs.qualifying.0 },
            first_expiry: expiry,
            last_credit_seq: if given { OPENING_SEQ } else { 0 },
            generation: u32::from(given),
            ..Credit::new(RuleId::base(), terms)
        });
    }
    let (spent_minor, counted) = if opened { (order.spent_minor, order.counted) } else { (0, false) };
    order.imported = Some(Imported { legs, spent_minor, counted, cycle_start, expiry });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lots::Expiry;
    use crate::money::Currency;
    use crate::order::{OrderStatus, PaymentStatus};
    use crate::points::Ratio;
    use crate::programme::{Tier, Tiers};

    fn programme() -> Programme {
        let tiers = Tiers::new(vec![Tier::new("member".into(), "Member", 0, Ratio::ONE)]).unwrap();
        let rate = Ratio::new(1, 10_000).unwrap();
        Programme::new("test@1".into(), Currency::VND, chrono_tz::Asia::Ho_Chi_Minh, rate, tiers)
    }

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    fn snapshot(placed: &str) -> OrderSnapshot {
        OrderSnapshot {
            order_id: "standard:1".into(),
            facts: OrderFacts {
                updated_at: at(placed),
                status: OrderStatus::Delivered,
                payment: PaymentStatus::Paid,
                refunded_minor: 0,
                refunded_lines_minor: None,
                due_minor: 500_000,
                shipping_minor: 0,
                items_minor: None,
                currency: Currency::VND,
                placed_at: at(placed),
                wallet_minor: 70_000,
            },
            member_id: Some("m_1".into()),
            profile: crate::member::Profile::default(),
            items: Vec::new(),
            vouchers: Vec::new(),
            again: false,
        }
    }

    #[test]
    fn an_order_is_worth_what_its_opening_holds_and_nothing_where_there_is_none() {
        let now = at("2026-11-25T01:00:00Z");
        let bring = |opened_at| {
            let rows = PastRows { opened_at, ..PastRows::default() };
            bring_order(&programme(), rows, snapshot("2026-03-01T01:00:00Z"), now)
        };
        let order = bring(Some(now)).unwrap().order.unwrap();
        assert_eq!(order.imported.unwrap().legs, Legs::new(50, 50));
        assert_eq!(order.credits[0].terms.expiry, Expiry::On("2027-03-31".parse().unwrap()));
        let decision = bring(None).unwrap();
        let (order, member) = (decision.order.unwrap(), decision.member.unwrap());
        assert_eq!((decision.entries.len(), order.imported.unwrap().legs), (0, Legs::ZERO));
        assert_eq!((member.orders_count, member.spent_minor, member.cycle.orders), (1, order.spent_minor, 0));
        assert!(order.spent_minor > 0);
        let refused = bring(Some(at("2026-02-28T01:00:00Z"))).unwrap_err();
        assert_eq!(refused, PastProblem::AfterOpening.into());
    }

    #[test]
    fn a_file_that_comes_again_with_other_figures_is_refused_unless_the_shop_has_told_since() {
        let now = at("2026-11-25T01:00:00Z");
        let first = snapshot("2026-03-01T01:00:00Z");
        let rows = PastRows { opened_at: Some(now), ..PastRows::default() };
        let order = bring_order(&programme(), rows, first.clone(), now).unwrap().order.unwrap();
        let again = |order: &Order, snapshot: &OrderSnapshot| {
            let rows = PastRows { order: Some(order.clone()), ..PastRows::default() };
            bring_order(&programme(), rows, snapshot.clone(), now).map(|decision| decision.outcome)
        };
        assert_eq!(again(&order, &first), Ok(Outcome::Duplicate));
        let mut other = first;
        other.facts.due_minor = 600_000;
        assert_eq!(again(&order, &other), Err(PastProblem::OtherFigures.into()));
        let mut told = order;
        told.facts.updated_at = now;
        assert_eq!(again(&told, &other), Ok(Outcome::Duplicate));
        told.imported = None;
        other.facts.updated_at = now;
        assert_eq!(again(&told, &other), Ok(Outcome::Duplicate), "the shop reported it first");
    }
}
