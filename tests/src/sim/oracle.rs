//! What every order and member must have come to, worked out from the scenario and the requirements alone.
//!
//! The verifier proves that the books agree with themselves. The oracle proves that they are the right books: that no
//! event was lost, that the newest snapshot counts, that points follow from the programme as the shop wrote it, that
//! dates are days of the programme's zone, and that tiers are what the thresholds say.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, FixedOffset, Months, NaiveDate};
use loyalty_audit::{Audit, Table};
use loyalty_domain::ids::{OrderId, RuleId};
use loyalty_domain::item_rules::OfferedRule;
use loyalty_domain::ledger::{Entry, EntryKind, Reason};
use loyalty_domain::lots::Expiry;
use loyalty_domain::member::Member;
use loyalty_domain::order::{Credit, Order, OrderFacts, OrderSnapshot, OrderStatus, PaymentStatus};
use loyalty_domain::points::{Legs, Ratio, Rounding};
use loyalty_domain::programme::{
    Basis, EarnWhen, ExpiryRule, Programme, RefundRule, RoundStage, RoundTo, TierMultiplier,
};
use loyalty_domain::time::Instant;

use super::scenario::{Scenario, What, holder, phone};
use super::store::Store;
use crate::rows;
use items::Basket;

mod campaigns;
mod commands;
mod items;
mod late;
mod paying;
mod reviews;
mod welcome;

/// Hồ Chí Minh City is seven hours ahead of UTC, all year round.
const ZONE_HOURS: i32 = 7;

type Judgement = Result<(), String>;

fn claim(holds: bool, what: impl FnOnce() -> String) -> Judgement {
    if holds { Ok(()) } else { Err(what()) }
}

/// Judges the outcome of a scenario.
///
/// # Errors
/// The first thing that is wrong.
pub fn judge(scenario: &Scenario, store: &Store) -> Judgement {
    audit(scenario, store)?;
    let seen = seen(scenario);
    for (order_id, snapshots) in &seen {
        Case { scenario, store, order_id, snapshots }.judge()?;
    }
    claim(store.orders().count() == seen.len(), || "there are orders that nobody delivered".to_owned())?;
    for (member, _) in store.members() {
        judge_member(scenario, store, &seen, member)?;
    }
    campaigns::judge(scenario, store, &seen)?;
    paying::judge(scenario, store, &seen)?;
    commands::judge(scenario, store)
}

fn audit(scenario: &Scenario, store: &Store) -> Judgement {
    let mut audit = Audit::new();
    for (order, revision) in store.orders() {
        audit.row(Table::Orders, &rows::order(order, revision as u64));
    }
    for entry in store.histories().flatten() {
        audit.row(Table::PointsHistory, &rows::entry(entry));
    }
    for (member, revision) in store.members() {
        audit.row(Table::Members, &rows::member(member, revision as u64));
    }
    for (participation, revision) in store.participations() {
        audit.row(Table::Participations, &rows::participation(participation, revision as u64));
    }
    for budget in rows::budgets(store.participations().map(|(participation, _)| participation)) {
        audit.row(Table::Participations, &budget);
    }
    for (request, revision) in store.requests() {
        audit.row(Table::Requests, &rows::request(request, revision as u64));
    }
    for (voucher, revision) in store.vouchers() {
        audit.row(Table::Vouchers, &rows::voucher(voucher, revision as u64));
    }
    // Whoever was given the vouchers has done nothing else.
    let holder = Member::registered(&scenario.programmes[0].1, holder(), scenario.programmes[0].0);
    if let (Some(holder), false) = (holder, scenario.vouchers.is_empty()) {
        audit.row(Table::Members, &rows::member(&holder, 1));
    }
    let report = audit.finish();
    claim(report.clean(), || format!("the verifier finds {}", report.findings[0]))
}

/// A snapshot that was delivered, and the instants it was decided at.
struct Seen<'a> {
    snapshot: &'a OrderSnapshot,
    decided_at: Vec<Instant>,
}

fn seen(scenario: &Scenario) -> BTreeMap<OrderId, Vec<Seen<'_>>> {
    let mut orders: BTreeMap<OrderId, Vec<Seen<'_>>> = BTreeMap::new();
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    for event in &scenario.events {
        let What::Order(at) = event.what else { continue };
        let snapshot = &scenario.snapshots[at];
        let list = orders.entry(snapshot.order_id.clone()).or_default();
        let place = *places.entry(at).or_insert_with(|| {
            list.push(Seen { snapshot, decided_at: Vec::new() });
            list.len() - 1
        });
        list[place].decided_at.push(event.now);
    }
    orders
}

/// One order: what was said of it, and what became of it.
struct Case<'a> {
    scenario: &'a Scenario,
    store: &'a Store,
    order_id: &'a OrderId,
    snapshots: &'a [Seen<'a>],
}

impl Case<'_> {
    fn judge(&self) -> Judgement {
        let row = self.store.order(self.order_id, 0).row;
        let order = row.ok_or_else(|| format!("order {} was lost", self.order_id))?;
        let best = self.best();
        claim(order.facts == best.snapshot.facts, || {
            format!("order {} stands at {:?}, not at {:?}", self.order_id, order.facts, best.snapshot.facts)
        })?;
        self.judge_owner(&order)?;
        if order.owner.is_some() {
            self.judge_base(&order)?;
        }
        order.credits.iter().try_for_each(|credit| self.judge_dates(credit))
    }

    fn wrong(&self, what: impl std::fmt::Display) -> String {
        format!("order {}: {what}", self.order_id)
    }

    /// The newest snapshot; at the same instant the one further along (I5).
    fn best(&self) -> &Seen<'_> {
        let best = self.snapshots.iter().max_by_key(|seen| (precedence(&seen.snapshot.facts), &seen.snapshot.items));
        best.expect("an order is seen by a snapshot")
    }

    fn ever_undone(&self) -> bool {
        self.snapshots.iter().any(|seen| undone(&seen.snapshot.facts))
    }

    /// Nobody until named; the newest name, at the same instant the greater one, until credited or paid from a wallet;
    /// then one of those named (X43, F23).
    fn judge_owner(&self, order: &Order) -> Judgement {
        let named = self.snapshots.iter().map(|seen| seen.snapshot);
        let named = named.filter_map(|snapshot| Some((snapshot.facts.updated_at, snapshot.member_id.as_ref()?)));
        let owner = order.owner.as_ref().map(|owner| &owner.member_id);
        let bound = !order.credits.is_empty() || self.paid_with_wallet();
        let right = match owner {
            Some(owner) if bound => named.clone().any(|(_, name)| name == owner),
            _ => named.max().map(|(_, name)| name) == owner,
        };
        claim(right, || self.wrong(format!("belongs to {owner:?}")))
    }

    /// Whether the order has ever moved a wallet.
    fn paid_with_wallet(&self) -> bool {
        let own = |entry: &Entry| entry.kind == EntryKind::Payment && entry.order_id.as_ref() == Some(self.order_id);
        self.store.histories().flatten().any(own)
    }

    fn judge_base(&self, order: &Order) -> Judgement {
        let facts = &self.best().snapshot.facts;
        let Some(credit) = order.credit(&RuleId::base()) else {
            // Whoever decided about the order with its newest facts should have credited it, under any version of the
            // programme that it met: it may have waited for its customer meanwhile (X43).
            let due = |now: &Instant| {
                let programme = self.scenario.programme_at(*now);
                let barred = programme.reversal.no_recredit_after_cancel && self.ever_undone();
                earns(facts, programme.earning.earn_when) && facts.currency == programme.currency && !barred
            };
            let due = self.snapshots.iter().flat_map(|seen| &seen.decided_at).all(due);
            return claim(!due, || self.wrong("earned points and was never credited"));
        };
        let programme = self.scenario.programme(&credit.terms.programme_version);
        let programme = programme.ok_or_else(|| self.wrong("was credited by an unknown programme"))?;
        let settled = settled(credit);
        if programme.reversal.requires_paid && undone(facts) && !was_paid(facts) {
            return Ok(()); // The literal filter keeps whatever it had (X11).
        }
        let barred = programme.reversal.no_recredit_after_cancel && self.ever_undone();
        let rules = self.rules(order, credit, programme)?;
        let items = &order.items;
        let by_lines = programme.reversal.refund == RefundRule::LineExact;
        let basket = Basket { items, by_lines, rules: &rules, several: programme.several_rules };
        let deserved = match barred || facts.currency != programme.currency {
            true => (0, 0),
            false => own_points(facts, programme, programme.multiplier(&credit.terms.tier), basket),
        };
        claim(settled == deserved, || {
            self.wrong(format!("settled at {settled:?} and deserves {deserved:?} (redeemable, qualifying)"))
        })?;
        // Terms are pinned when the order first earns, though it be nothing yet.
        let of_nothing = |seen: &Seen<'_>| {
            let (facts, items) = (&seen.snapshot.facts, &seen.snapshot.items);
            [basket, Basket { items, ..basket }]
                .iter()
                .any(|it| own_points(facts, programme, Ratio::ONE, *it) == (0, 0))
        };
        let first = self.entries_of(&RuleId::base()).next().filter(|_| !self.snapshots.iter().any(of_nothing));
        claim(first.is_none_or(|(tier, _)| tier == credit.terms.tier.as_str()), || {
            self.wrong("was not credited by the tier held before it")
        })
    }

    /// The rules about items that the order earns by: of the version that credited it, those that held for it as the shop
    /// told it at some time. What it keeps of its lines is what the shop says last.
    fn rules<'p>(
        &self,
        order: &Order,
        credit: &Credit,
        programme: &'p Programme,
    ) -> Result<Vec<&'p OfferedRule>, String> {
        let owner = order.owner.as_ref().map(|owner| &owner.member_id);
        let member = owner.and_then(|owner| self.store.member(owner, 0).row);
        let first = member.is_some_and(|member| member.first_order.as_ref() == Some(self.order_id));
        // Lines are kept where rules may concern them: a version without any did not.
        let unkept = self.scenario.programmes.iter().any(|(_, version)| version.item_rules.is_empty());
        let told = self.snapshots.iter().map(|seen| seen.snapshot.items.as_slice());
        let mut told = told.chain(unkept.then_some(&[][..]));
        let pinned: Vec<_> = credit.terms.rules.rules.iter().map(|rule| &rule.id).collect();
        let held = told.find_map(|items| {
            let rules = items::holding(programme, order, items, first);
            (rules.iter().map(|offered| &offered.rule.id).collect::<Vec<_>>() == pinned).then_some(rules)
        });
        let held = held.ok_or_else(|| self.wrong(format!("earns by {pinned:?}, which never held for it")))?;
        let kept = held.is_empty() || unkept || order.items == self.best().snapshot.items;
        claim(kept, || self.wrong(format!("has the lines {:?}", order.items)))?;
        Ok(held)
    }

    /// The order's entries of a rule, each with the tier held before anything of this order was posted with it.
    fn entries_of(&self, rule: &RuleId) -> impl Iterator<Item = (&str, &Entry)> {
        self.store.histories().flat_map(move |history| {
            let own = move |entry: &&Entry| entry.order_id.as_ref() == Some(self.order_id);
            history.iter().filter(own).filter(move |entry| entry.rule == *rule).map(move |entry| {
                let from = self.store.decided_from(entry);
                let together =
                    |other: &&Entry| other.seq >= from && other.recorded_at == entry.recorded_at && own(other);
                let first = history.iter().filter(|other| other.seq <= entry.seq).find(together).unwrap_or(entry);
                (first.tier_before.as_str(), entry)
            })
        })
    }

    /// Points that an order gets from nothing are good from the day they are posted, in the programme's zone (X7, X39).
    fn judge_dates(&self, credit: &Credit) -> Judgement {
        let mut settled = Legs::ZERO;
        for (_, entry) in self.entries_of(&credit.rule) {
            let from_nothing = settled == Legs::ZERO;
            if from_nothing && entry.kind == EntryKind::Reversal {
                // What its member was welcomed with before there was an order (X25).
                continue;
            }
            settled =
                settled.plus(entry.legs).and_then(|sum| sum.minus(entry.written_off)).map_err(|e| e.to_string())?;
            let (Some(explained), true) = (&entry.explanation, from_nothing) else { continue };
            let programme = self.scenario.programme(&entry.programme_version);
            let programme = programme.ok_or_else(|| self.wrong("has an entry of an unknown programme"))?;
            let right = expiry(programme.expiry, local_day(entry.recorded_at));
            claim(explained.terms.expiry == right, || {
                self.wrong(format!("entry {} expires {:?}, not {right:?}", entry.seq, explained.terms.expiry))
            })?;
        }
        Ok(())
    }
}

fn judge_member(
    scenario: &Scenario,
    store: &Store,
    seen: &BTreeMap<OrderId, Vec<Seen<'_>>>,
    member: &Member,
) -> Judgement {
    let wrong = |what: &str| format!("member {}: {what}", member.member_id);
    let (mut orders_count, mut spent_minor) = (0, 0);
    for (order, _) in store.orders().filter(|(order, _)| owns(member, order)) {
        orders_count += i64::from(![OrderStatus::Cancelled, OrderStatus::Returned].contains(&order.facts.status));
        let Some(credit) = order.credit(&RuleId::base()) else { continue };
        let programme =
            scenario.programme(&credit.terms.programme_version).ok_or_else(|| wrong("unknown programme"))?;
        let ever_undone =
            seen.get(&order.order_id).is_some_and(|list| list.iter().any(|seen| undone(&seen.snapshot.facts)));
        let barred = programme.reversal.no_recredit_after_cancel && ever_undone;
        if earns(&order.facts, programme.earning.earn_when) && order.facts.currency == programme.currency && !barred {
            let goods = order.facts.due_minor - order.facts.shipping_minor;
            spent_minor += (goods - order.facts.refunded_minor.max(0)).max(0);
        }
    }
    claim(member.orders_count == orders_count, || wrong("orders_count is not the number of their orders"))?;
    claim(member.spent_minor == spent_minor, || wrong("spent_minor is not what their orders say"))?;
    let phone = phone(&member.member_id);
    claim(member.profile.phone.as_ref().is_none_or(|known| *known == phone), || wrong("has a stranger's phone"))?;
    welcome::judge(scenario, store, seen, member)?;
    let history = store.history(&member.member_id, 0);
    judge_history(history)?;
    reviews::judge(scenario, store, history, member)?;
    late::judge(history, member)
}

fn owns(member: &Member, order: &Order) -> bool {
    order.owner.as_ref().is_some_and(|owner| owner.member_id == member.member_id)
}

/// Expiry by the calendar, entry after entry (X39).
fn judge_history(history: &[Entry]) -> Judgement {
    let mut open: BTreeMap<Expiry, i64> = BTreeMap::new();
    for entry in history {
        let wrong = |what: &str| format!("entry {}/{}: {what}", entry.member_id, entry.seq);
        let today = Expiry::On(local_day(counts_from(entry)));
        let expires = entry.kind == EntryKind::Expiration;
        claim(expires || open.keys().all(|expiry| *expiry >= today), || wrong("left overdue points"))?;
        let recorded = Expiry::On(local_day(entry.recorded_at));
        claim(!expires || entry.lots.iter().all(|lot| lot.expiry < recorded), || wrong("expired points too early"))?;
        for lot in &entry.lots {
            let points = open.entry(lot.expiry).or_default();
            *points += lot.points;
            if *points == 0 {
                open.remove(&lot.expiry);
            }
        }
    }
    Ok(())
}

/// What a day brought counts from that day, what somebody did from when it was recorded.
fn counts_from(entry: &Entry) -> Instant {
    let by_time = ["tier-membership", "tier-programme"].contains(&entry.rule.as_str());
    let fell_due = matches!(entry.kind, EntryKind::Reset | EntryKind::Expiration)
        || entry.reason == Reason::HoldLapsed
        || (entry.kind == EntryKind::Tier && by_time);
    if fell_due { entry.occurred_at } else { entry.recorded_at }
}

fn settled(credit: &Credit) -> (i64, i64) {
    let (posted, off) = (credit.posted, credit.written_off);
    (posted.redeemable.0 - off.redeemable.0, posted.qualifying.0 - off.qualifying.0)
}

fn undone(facts: &OrderFacts) -> bool {
    [OrderStatus::Cancelled, OrderStatus::Returned].contains(&facts.status)
        || [PaymentStatus::Refunded, PaymentStatus::Voided].contains(&facts.payment)
}

fn paid(facts: &OrderFacts) -> bool {
    [PaymentStatus::Paid, PaymentStatus::PartiallyRefunded].contains(&facts.payment)
}

fn was_paid(facts: &OrderFacts) -> bool {
    paid(facts) || facts.payment == PaymentStatus::Refunded
}

fn earns(facts: &OrderFacts, when: EarnWhen) -> bool {
    let delivered = facts.status == OrderStatus::Delivered;
    !undone(facts)
        && match when {
            EarnWhen::Placed => true,
            EarnWhen::Delivered => delivered,
            EarnWhen::DeliveredAndPaid => delivered && paid(facts),
        }
}

/// Redeemable and qualifying points by the programme as the shop wrote it (P2–P7, X1, X2, X24, X30, X31).
fn own_points(facts: &OrderFacts, programme: &Programme, multiplier: Ratio, basket: Basket<'_>) -> (i64, i64) {
    let earning = &programme.earning;
    if !earns(facts, earning.earn_when) {
        return (0, 0);
    }
    let goods = facts.due_minor - facts.shipping_minor;
    let gross = match earning.basis {
        Basis::DueMinusShipping => goods,
        Basis::Paid => facts.due_minor,
        Basis::Items => facts.items_minor.unwrap_or(goods),
    };
    let returned = match (programme.reversal.refund, facts.refunded_lines_minor) {
        (RefundRule::LineExact, Some(lines)) => lines,
        _ => facts.refunded_minor,
    };
    // Nobody is given points for a refund below zero (F26).
    let net = i128::from((gross - returned.max(0)).max(0));
    let part = |ratio: Ratio| (i128::from(ratio.numerator), i128::from(ratio.denominator.get()));
    let points = |factor: Ratio, net: i128| {
        let ((rate, per), (factor, of)) = (part(earning.rate), part(factor));
        let exact = match earning.round_stage {
            RoundStage::End => rounded(net * rate * factor, per * of, earning.round),
            RoundStage::BaseThenEnd => rounded(rounded(net * rate, per, earning.round) * factor, of, earning.round),
        };
        i64::try_from(exact).unwrap_or(i64::MAX)
    };
    let qualifying = match earning.tier_multiplier {
        TierMultiplier::RedeemableOnly => Ratio::ONE,
        TierMultiplier::Both => multiplier,
    };
    basket.points(net, |redeemable, ranking| (points(multiplier, redeemable), points(qualifying, ranking)))
}

fn rounded(above: i128, below: i128, rounding: Rounding) -> i128 {
    match rounding {
        Rounding::Floor => above / below,
        Rounding::Ceil => (above + below - 1) / below,
        Rounding::HalfUp => (2 * above + below) / (2 * below),
    }
}

fn local_day(at: Instant) -> NaiveDate {
    let zone = FixedOffset::east_opt(ZONE_HOURS * 3_600).expect("an offset");
    at.with_timezone(&zone).date_naive()
}

fn expiry(rule: ExpiryRule, posted_on: NaiveDate) -> Expiry {
    // The last day of a month is the day before the first of the next.
    let end_of_month = |day: NaiveDate| {
        let first = day.with_day(1).expect("a first day");
        first + Months::new(1) - Days::new(1)
    };
    let end_of = |day: NaiveDate, months: u32| {
        let rest = (months - 1) - day.month0() % months;
        end_of_month(day.with_day(1).expect("a first day") + Months::new(rest))
    };
    match rule {
        ExpiryRule::Never => Expiry::Never,
        // The first of the parts.
        ExpiryRule::QuarterParts { .. } => expiry(ExpiryRule::Quarters { quarters: 1 }, posted_on),
        ExpiryRule::Quarters { quarters } => {
            Expiry::On(end_of(end_of(posted_on, 3).with_day(1).expect("a first day") + Months::new(3 * quarters), 3))
        }
        ExpiryRule::Months { months, round_to } => {
            let day = posted_on + Months::new(months);
            Expiry::On(match round_to {
                RoundTo::Day => day,
                RoundTo::MonthEnd => end_of_month(day),
                RoundTo::QuarterEnd => end_of(day, 3),
                RoundTo::YearEnd => end_of(day, 12),
            })
        }
    }
}

/// Newer first; then further along, then more given back, then by every other figure (I5).
fn precedence(facts: &OrderFacts) -> impl Ord + use<> {
    let status = match facts.status {
        OrderStatus::Pending => 0,
        OrderStatus::Confirmed => 1,
        OrderStatus::Shipping => 2,
        OrderStatus::Delivered => 3,
        OrderStatus::Returned => 4,
        OrderStatus::Cancelled => 5,
    };
    let payment = match facts.payment {
        PaymentStatus::Unpaid => 0,
        PaymentStatus::PartiallyPaid => 1,
        PaymentStatus::Paid => 2,
        PaymentStatus::PartiallyRefunded => 3,
        PaymentStatus::Refunded => 4,
        PaymentStatus::Voided => 5,
    };
    let money = (facts.refunded_minor, facts.refunded_lines_minor, facts.due_minor, facts.shipping_minor);
    let placed = (facts.placed_at, facts.wallet_minor);
    (facts.updated_at, status, payment, money, facts.items_minor, facts.currency.code(), placed)
}
