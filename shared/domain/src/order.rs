//! Orders: what a shop says of one now, and what it has been credited.
//!
//! A snapshot is the whole order as of `updated_at`. Of two snapshots the greater one counts, by the order of the fields
//! of [`OrderFacts`]: newer first; then, at the same instant, the one further along (I5).

use crate::ids::{MemberId, OrderId, ProgrammeVersion, RuleId, TierId, VoucherId};
use crate::item_rules::{Item, PinnedRules};
use crate::lots::Expiry;
use crate::member::Profile;
use crate::money::Currency;
use crate::points::{Legs, Overflow, Ratio, Rounding};
use crate::programme::{Basis, EarnWhen, Earning, RefundRule, ReversalRules, RoundStage};
use crate::time::Instant;

/// How far an order is. Rises as an order moves along; at the same instant the later one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrderStatus {
    Pending,
    Confirmed,
    Shipping,
    Delivered,
    Returned,
    Cancelled,
}

/// How far its payment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PaymentStatus {
    Unpaid,
    PartiallyPaid,
    Paid,
    PartiallyRefunded,
    Refunded,
    Voided,
}

/// What a snapshot says that matters to points. The order of the fields is the order of precedence (I5): of two
/// snapshots of one order the greater counts. Amounts are minor units of `currency`, gross of later refunds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderFacts {
    /// The shop's version of the order: an instant (X29).
    pub updated_at: Instant,
    pub status: OrderStatus,
    pub payment: PaymentStatus,
    /// Goods money given back so far (X24).
    pub refunded_minor: i64,
    /// The price of the returned lines, where the shop names them (X24).
    pub refunded_lines_minor: Option<i64>,
    /// The whole amount to be paid, shipping included; gross of later refunds.
    pub due_minor: i64,
    pub shipping_minor: i64,
    /// The sum of the order's lines, where the shop sends them.
    pub items_minor: Option<i64>,
    pub currency: Currency,
    pub placed_at: Instant,
    /// Paid with the wallet that top-ups fill. It is a way to pay: the order earns as if it were cash (X30).
    pub wallet_minor: i64,
}

impl OrderFacts {
    /// Cancelled, returned, or its money given back or never taken: it deserves nothing (R1).
    pub fn undone(&self) -> bool {
        matches!(self.status, OrderStatus::Cancelled | OrderStatus::Returned)
            || matches!(self.payment, PaymentStatus::Refunded | PaymentStatus::Voided)
    }

    /// It is one of its member's orders: seen, and not cancelled or returned. One whose money was given back deserves nothing
    /// and is an order still (X44).
    pub fn counts(&self) -> bool {
        !matches!(self.status, OrderStatus::Cancelled | OrderStatus::Returned)
    }

    fn paid(&self) -> bool {
        matches!(self.payment, PaymentStatus::Paid | PaymentStatus::PartiallyRefunded)
    }

    /// Money was taken at some time: what R2 calls paid, on an order that is cancelled.
    fn was_paid(&self) -> bool {
        self.paid() || self.payment == PaymentStatus::Refunded
    }

    /// Whether the order has earned by the given rule (P10, P11, X10).
    pub fn earns(&self, rule: EarnWhen) -> bool {
        let delivered = self.status == OrderStatus::Delivered;
        !self.undone()
            && match rule {
                EarnWhen::Delivered => delivered,
                EarnWhen::DeliveredAndPaid => delivered && self.paid(),
                EarnWhen::Placed => true,
            }
    }

    /// Amount due minus shipping minus what was given back, never below zero: what the member spent on it (X44).
    pub fn spent_minor(&self) -> i64 {
        self.due_minor.saturating_sub(self.shipping_minor).saturating_sub(self.refunded_minor.max(0)).max(0)
    }

    /// The amount that earns, never below zero (X24, X30).
    pub fn net_minor(&self, basis: Basis, refund: RefundRule) -> i64 {
        let goods = self.due_minor.saturating_sub(self.shipping_minor);
        let gross = match basis {
            Basis::DueMinusShipping => goods,
            Basis::Paid => self.due_minor,
            Basis::Items => self.items_minor.unwrap_or(goods),
        };
        let given_back = match refund {
            RefundRule::AmountProrata => self.refunded_minor,
            RefundRule::LineExact => self.refunded_lines_minor.unwrap_or(self.refunded_minor),
        };
        gross.saturating_sub(given_back.max(0)).max(0)
    }
}

/// One delivery of an order, as the shop says it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderSnapshot {
    pub order_id: OrderId,
    pub facts: OrderFacts,
    /// `None` when the customer cannot be identified: the order waits (X43).
    pub member_id: Option<MemberId>,
    pub profile: Profile,
    /// Its lines, alike ones together.
    pub items: Vec<Item>,
    /// Vouchers whose codes the order names; some may be no vouchers of ours.
    pub vouchers: Vec<VoucherId>,
    /// Nothing new is said: the order is decided again because what it waited for goes on (X50).
    pub again: bool,
}

impl OrderSnapshot {
    /// What is known of an order, to be decided again (X50).
    pub fn again(order: &Order) -> Self {
        Self {
            order_id: order.order_id.clone(),
            facts: order.facts,
            member_id: None,
            profile: Profile::default(),
            items: order.items.clone(),
            vouchers: order.vouchers.clone(),
            again: true,
        }
    }

    /// An order that its shop has deleted: it counts as cancelled. `deleted_at` is when that was heard, because a deletion
    /// has no version. One that was never seen is kept as cancelled, worth nothing of `currency`: what comes late and is
    /// older earns nothing (X27).
    pub fn deleted(order_id: OrderId, known: Option<&Order>, deleted_at: Instant, currency: Currency) -> Self {
        let nothing = OrderFacts {
            updated_at: deleted_at,
            status: OrderStatus::Cancelled,
            payment: PaymentStatus::Unpaid,
            refunded_minor: 0,
            refunded_lines_minor: None,
            due_minor: 0,
            shipping_minor: 0,
            items_minor: None,
            currency,
            placed_at: deleted_at,
            wallet_minor: 0,
        };
        let unseen = Order::unseen(order_id, nothing);
        let order = known.unwrap_or(&unseen);
        Self { facts: order.facts_when_deleted(deleted_at), again: false, ..Self::again(order) }
    }
}

/// What an order is now and what it has been credited: one row of `orders`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub order_id: OrderId,
    pub facts: OrderFacts,
    pub owner: Option<Owner>,
    /// The member it was with before they joined its owner. Its participations are theirs, and it uses none of the owner's.
    pub from: Option<MemberId>,
    /// What it is credited, one row for each rule, in the order they first earned.
    pub credits: Vec<Credit>,
    /// What it adds to its member's spent amount, minor units of the programme's currency (X44).
    pub spent_minor: i64,
    /// Whether it is one of its member's orders: [`OrderFacts::counts`].
    pub counted: bool,
    /// What it adds to its member's pending points (X25).
    pub pending_points: i64,
    /// Some snapshot, stale ones included, was undone (X25, X28).
    pub ever_undone: bool,
    /// Its lines, where rules about items concern it.
    pub items: Vec<Item>,
    /// What it has taken from its member's wallet, minor units of the programme's currency.
    pub wallet_minor: i64,
    /// Our vouchers that it has used.
    pub vouchers: Vec<VoucherId>,
    /// What it was when it was brought along from another system: figures of its member hold that already.
    pub imported: Option<Imported>,
}

/// What an order that was there before these books was worth then. Its member's opening holds it, so the order moves only
/// what changes against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    pub legs: Legs,
    /// Minor units of the programme's currency (X44).
    pub spent_minor: i64,
    pub counted: bool,
    /// The cycle that it counts in, and until when its points are good.
    pub cycle_start: chrono::NaiveDate,
    pub expiry: Expiry,
}

/// The member an order belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub member_id: MemberId,
    /// The version of the newest snapshot that named this member: a newer one may name another until the order is bound
    /// ([`Order::bound`]), and then none may (F23). At the same instant the greater member id counts, so that arrival does not.
    pub named_at: Instant,
}

impl Owner {
    /// Whether a snapshot of that instant takes the order from this member to the named one.
    pub fn yields_to(&self, named: &MemberId, named_at: Instant) -> bool {
        (named_at, named) > (self.named_at, &self.member_id)
    }
}

impl Order {
    /// An order not seen before.
    pub fn unseen(order_id: OrderId, facts: OrderFacts) -> Self {
        Self {
            order_id,
            facts,
            owner: None,
            from: None,
            credits: Vec::new(),
            spent_minor: 0,
            counted: false,
            pending_points: 0,
            ever_undone: false,
            items: Vec::new(),
            wallet_minor: 0,
            vouchers: Vec::new(),
            imported: None,
        }
    }

    /// Whether it holds anything of its member's, points or money of their wallet, or is in the figures they began with:
    /// then it stays theirs, whomever a newer snapshot names (F23).
    pub fn bound(&self) -> bool {
        !self.credits.is_empty() || self.wallet_minor != 0 || self.imported.is_some()
    }

    /// What is known of the order, cancelled. The shop's clock may run ahead of the one that heard of the deletion: what was
    /// known by then was there before it, so that it counts as of the later of both instants; of one instant, cancelled is
    /// further along. Only an order that was undone before and stands by a version after the deletion has come back since:
    /// there the same deletion, come again, is an old one. One that is undone already stays what it is, and older news of
    /// it is old from now on.
    fn facts_when_deleted(&self, deleted_at: Instant) -> OrderFacts {
        let (known, undone) = (self.facts, self.facts.undone());
        let came_back = self.ever_undone && !undone && known.updated_at > deleted_at;
        OrderFacts {
            updated_at: if came_back { deleted_at } else { known.updated_at.max(deleted_at) },
            status: if undone { known.status } else { OrderStatus::Cancelled },
            ..known
        }
    }

    pub fn credit(&self, rule: &RuleId) -> Option<&Credit> {
        self.credits.iter().find(|credit| credit.rule == *rule)
    }

    /// Replaces the credit of the same rule, or adds it.
    pub fn put_credit(&mut self, credit: Credit) {
        match self.credits.iter_mut().find(|known| known.rule == credit.rule) {
            Some(known) => *known = credit,
            None => self.credits.push(credit),
        }
    }
}

/// What one rule has credited for one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    pub rule: RuleId,
    pub terms: Terms,
    /// The sum of the entries posted for this rule and order.
    pub posted: Legs,
    /// What reversals should have taken but did not, and the entries say so (X21–X23). Never below zero. The order has
    /// settled at `posted − written_off`; one that comes back uses up what was written off before it is credited again.
    pub written_off: Legs,
    /// Of `written_off`, the redeemable points that had expired (X23).
    pub expired_written_off: i64,
    /// The newest cycle into which it posted qualifying points, and how many of `posted` are still of that cycle (X21).
    pub in_cycle: InCycle,
    /// The earliest expiry that any of its points ever had: before that day none of them can have expired (X23).
    pub first_expiry: Expiry,
    /// `seq` of the last entry that credited: what a reversal names.
    pub last_credit_seq: u64,
    /// How often it was credited from nothing: 1, and one more each time an order came back (X28).
    pub generation: u32,
    /// The participation it used was given back: it deserves nothing until the order uses one again (X18).
    pub released: bool,
}

/// Qualifying points of one cycle of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InCycle {
    /// The first day of the cycle.
    pub cycle_start: chrono::NaiveDate,
    pub qualifying: i64,
}

impl InCycle {
    /// How many of them are of the cycle that began on a day.
    pub fn of(self, cycle_start: chrono::NaiveDate) -> i64 {
        if self.cycle_start == cycle_start { self.qualifying } else { 0 }
    }
}

impl Credit {
    pub fn new(rule: RuleId, terms: Terms) -> Self {
        let first_expiry = terms.expiry;
        let in_cycle = InCycle { cycle_start: terms.cycle_start, qualifying: 0 };
        Self {
            rule,
            terms,
            posted: Legs::ZERO,
            written_off: Legs::ZERO,
            expired_written_off: 0,
            in_cycle,
            first_expiry,
            last_credit_seq: 0,
            generation: 0,
            released: false,
        }
    }

    /// Whether the order counts as having been given anything.
    pub fn stands(&self) -> bool {
        self.posted != self.written_off
    }

    /// What the order counts as having been given: posted less what was written off.
    ///
    /// # Errors
    /// [`Overflow`] beyond 64 bits.
    pub fn settled(&self) -> Result<Legs, Overflow> {
        self.posted.minus(self.written_off)
    }
}

/// Under which terms a credit was given: pinned when it is first given and used for every later correction, so that no
/// correction depends on today's programme (I9, X12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    pub programme_version: ProgrammeVersion,
    pub currency: Currency,
    /// The member's tier when the order was first processed, before its own points (P9, X17).
    pub tier: TierId,
    pub amount: TermsAmount,
    pub reversal: ReversalRules,
    /// Rules about its items, for its own points.
    pub rules: PinnedRules,
    /// Until when the redeemable points are good.
    pub expiry: Expiry,
    /// The first day of the member's cycle in which the order counts: that in which it was last credited from nothing.
    pub cycle_start: chrono::NaiveDate,
}

/// How many points a credit is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermsAmount {
    /// By the order's amount.
    Earned {
        rate: Ratio,
        redeemable_multiplier: Ratio,
        qualifying_multiplier: Ratio,
        basis: Basis,
        earn_when: EarnWhen,
        round: Rounding,
        round_stage: RoundStage,
    },
    /// A fixed number, whole as long as the order stands (P14).
    Fixed {
        legs: Legs,
        /// Pending until the order earns by this rule; at once when `None` (X25).
        pending_until: Option<EarnWhen>,
    },
}

impl TermsAmount {
    /// The amount of an order's own points by a programme and the multiplier of the member's tier.
    pub fn earned(earning: &Earning, redeemable_multiplier: Ratio, qualifying_multiplier: Ratio) -> Self {
        Self::Earned {
            rate: earning.rate,
            redeemable_multiplier,
            qualifying_multiplier,
            basis: earning.basis,
            earn_when: earning.earn_when,
            round: earning.round,
            round_stage: earning.round_stage,
        }
    }
}

impl Terms {
    /// Whether the order has earned by these terms (P10, P11, X10). One that was ever undone may be barred for good
    /// (X25, X28).
    pub fn earned(&self, facts: &OrderFacts, ever_undone: bool) -> bool {
        let barred = ever_undone && self.reversal.no_recredit_after_cancel;
        let stands = match self.amount {
            TermsAmount::Earned { earn_when, .. } => facts.earns(earn_when) && facts.currency == self.currency,
            TermsAmount::Fixed { pending_until, .. } => pending_until.map_or(!facts.undone(), |rule| facts.earns(rule)),
        };
        stands && !barred
    }

    /// What the items of an order cost that each pinned rule is about ([`PinnedRules::matched`]).
    pub fn matched(&self, items: &[Item]) -> Vec<i64> {
        self.rules.matched(items, self.reversal.refund)
    }

    /// What the order deserves by these terms (P4, X24, X31). `matched` is what the items of each pinned rule cost
    /// ([`Terms::matched`]).
    ///
    /// # Errors
    /// [`Overflow`] when the points do not fit 64 bits.
    pub fn deserved(&self, facts: &OrderFacts, matched: &[i64], ever_undone: bool) -> Result<Legs, Overflow> {
        if !self.earned(facts, ever_undone) {
            return Ok(Legs::ZERO);
        }
        match self.amount {
            TermsAmount::Fixed { legs, .. } => Ok(legs),
            TermsAmount::Earned {
                rate,
                redeemable_multiplier,
                qualifying_multiplier,
                basis,
                round,
                round_stage,
                ..
            } => {
                let net = facts.net_minor(basis, self.reversal.refund);
                let points = |multiplier: Ratio, net: i64| match round_stage {
                    RoundStage::End => rate.times(multiplier, net, round),
                    RoundStage::BaseThenEnd => multiplier.of(rate.of(net, round)?, round),
                };
                let legs = |redeemable: i64, qualifying: i64| {
                    let redeemable = points(redeemable_multiplier, redeemable)?;
                    Ok(Legs::new(redeemable, points(qualifying_multiplier, qualifying)?))
                };
                if self.rules.rules.is_empty() {
                    return legs(net, net);
                }
                self.rules.apply(net, matched, legs)
            }
        }
    }

    /// Redeemable points promised but not yet due (X25).
    pub fn pending_points(&self, facts: &OrderFacts, ever_undone: bool) -> i64 {
        match self.amount {
            TermsAmount::Fixed { legs, pending_until: Some(rule) } => {
                let barred = ever_undone && self.reversal.no_recredit_after_cancel;
                if facts.undone() || barred || facts.earns(rule) { 0 } else { legs.redeemable.0 }
            }
            _ => 0,
        }
    }

    /// Whether these terms let the snapshot take points back: with the literal filter of R2, a cancelled order that was
    /// never paid keeps what it has (X11).
    pub fn may_reverse(&self, facts: &OrderFacts) -> bool {
        !self.reversal.requires_paid || !facts.undone() || facts.was_paid()
    }
}
