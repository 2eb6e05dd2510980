//! The terms pinned on a credit, and what an order deserves by them, in own arithmetic.

use std::hash::{BuildHasher, Hash};

use chrono::NaiveDate;
use foldhash::quality::FixedState;

use crate::Row;
use crate::facts::{Facts, Status};
use crate::fields::{Expiry, Legs, Read, day, expiry, flag_if_any, legs_if_any, text, text_if_any};
use crate::item_rules::Rules;

/// `amount × numerator / denominator`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fraction {
    numerator: i128,
    denominator: i128,
}

/// The largest part of a fraction: with it no product of an amount and two fractions leaves 128 bits.
const PART_MAX: i128 = 1_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Round {
    Floor,
    HalfUp,
    Ceil,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Basis {
    DueMinusShipping,
    Paid,
    Items,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum EarnWhen {
    Delivered,
    DeliveredAndPaid,
    Placed,
}

/// What happens when a reversal is larger than what is left (X22).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum NegativeBalance {
    Allow,
    Clamp,
    PendingOnly,
    Limit(i128),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Amount {
    Earned {
        rate: Fraction,
        redeemable: Fraction,
        qualifying: Fraction,
        basis: Basis,
        earn_when: EarnWhen,
        round: Round,
        base_first: bool,
    },
    Fixed {
        legs: Legs,
        pending_until: Option<EarnWhen>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Terms<'a> {
    programme_version: &'a str,
    currency: &'a str,
    pub tier: &'a str,
    amount: Amount,
    requires_paid: bool,
    by_lines: bool,
    pub negative_balance: NegativeBalance,
    pub reverse_expired: bool,
    no_recredit_after_cancel: bool,
    pub late_debits_current: bool,
    /// The participation that the credit used comes back when its order is undone (X18).
    pub restores_participation: bool,
    pub rules: Rules<'a>,
    pub expiry: Expiry,
    pub cycle_start: NaiveDate,
}

impl<'a> Terms<'a> {
    pub fn read(row: &'a Row) -> Read<Self> {
        Ok(Self {
            programme_version: text(row, "programme_version")?,
            currency: text_if_any(row, "currency")?.unwrap_or("VND"),
            tier: text(row, "tier")?,
            amount: amount(row)?,
            requires_paid: flag_if_any(row, "requires_paid")?.unwrap_or(false),
            by_lines: match text_if_any(row, "refund")?.unwrap_or("amount_prorata") {
                "amount_prorata" => false,
                "line_exact" => true,
                word => return Err(format!("`refund` is {word:?}")),
            },
            negative_balance: negative_balance(text_if_any(row, "negative_balance")?.unwrap_or("allow"))?,
            reverse_expired: flag_if_any(row, "reverse_expired")?.unwrap_or(false),
            no_recredit_after_cancel: flag_if_any(row, "no_recredit_after_cancel")?.unwrap_or(false),
            late_debits_current: flag_if_any(row, "late_debits_current")?.unwrap_or(false),
            restores_participation: flag_if_any(row, "restores_participation")?.unwrap_or(false),
            rules: Rules::read(row)?,
            expiry: expiry(row, "expires_on")?,
            cycle_start: day(row, "cycle_start")?,
        })
    }

    /// What never changes once it is pinned: all but the dates, which begin anew with points posted later.
    pub fn pinned(&self) -> u64 {
        FixedState::default().hash_one(Self { expiry: Expiry::Never, cycle_start: NaiveDate::MIN, ..*self })
    }

    /// What the items of an order cost that each rule is about.
    pub fn matched(&self, order: &Row) -> Read<Vec<i128>> {
        self.rules.matched(order, self.by_lines)
    }

    /// What the order deserves (P4, X24, X31), were it never barred.
    pub fn deserved(&self, facts: &Facts<'_>, matched: &[i128]) -> Read<Legs> {
        if !self.earns(facts) {
            return Ok(Legs::ZERO);
        }
        match self.amount {
            Amount::Fixed { legs, .. } => Ok(legs),
            Amount::Earned { rate, redeemable, qualifying, basis, round, base_first, .. } => {
                let net = self.net_minor(facts, basis);
                let points = |multiplier: Fraction, net: i128| {
                    let points = if base_first {
                        multiplier.of(rate.of(net, round), round)
                    } else {
                        round.divide(
                            net * rate.numerator * multiplier.numerator,
                            rate.denominator * multiplier.denominator,
                        )
                    };
                    i64::try_from(points).map(i128::from).map_err(|_| "points leave 64 bits".to_owned())
                };
                let legs = |of: i128, towards: i128| {
                    Ok(Legs { redeemable: points(redeemable, of)?, qualifying: points(qualifying, towards)? })
                };
                if self.rules.is_empty() { legs(net, net) } else { self.rules.apply(net, matched, legs) }
            }
        }
    }

    /// The same, with its history: an order that was ever undone may be barred for good (X25, X28).
    pub fn deserved_with(&self, facts: &Facts<'_>, matched: &[i128], ever_undone: bool) -> Read<Legs> {
        if self.barred(ever_undone) { Ok(Legs::ZERO) } else { self.deserved(facts, matched) }
    }

    /// Whether an order that was ever undone deserves nothing by these terms (X25, X28).
    pub fn may_be_barred(&self) -> bool {
        self.no_recredit_after_cancel
    }

    fn barred(&self, ever_undone: bool) -> bool {
        ever_undone && self.no_recredit_after_cancel
    }

    /// The order's money counts as spent (X44).
    pub fn counts_spent(&self, facts: &Facts<'_>, ever_undone: bool) -> bool {
        self.earns(facts) && !self.barred(ever_undone)
    }

    /// Promised, not yet due (X25).
    pub fn pending(&self, facts: &Facts<'_>, ever_undone: bool) -> i128 {
        match self.amount {
            Amount::Fixed { legs, pending_until: Some(rule) }
                if !facts.undone() && !self.barred(ever_undone) && !earns(facts, rule) =>
            {
                legs.redeemable
            }
            _ => 0,
        }
    }

    /// A fixed number of points, whole as long as its order stands.
    pub fn fixed(&self) -> Option<Legs> {
        if let Amount::Fixed { legs, .. } = self.amount { Some(legs) } else { None }
    }

    /// A promise: it may be given later than its order used a participation.
    pub fn waits(&self) -> bool {
        matches!(self.amount, Amount::Fixed { pending_until: Some(_), .. })
    }

    /// The participation that the credit used may come back while nothing of it is posted: before a bonus that waits was
    /// given, or after an order that was ever undone lost it (X18, X28).
    pub fn may_give_back_unseen(&self) -> bool {
        self.restores_participation && (self.waits() || self.no_recredit_after_cancel)
    }

    /// Under the literal filter of R2 an undone order that was never paid keeps what it has (X11).
    pub fn keeps(&self, facts: &Facts<'_>) -> bool {
        let was_paid = facts.paid() || facts.payment == crate::facts::Payment::Refunded;
        self.requires_paid && facts.undone() && !was_paid
    }

    fn earns(&self, facts: &Facts<'_>) -> bool {
        match self.amount {
            Amount::Earned { earn_when, .. } => facts.currency == self.currency && earns(facts, earn_when),
            Amount::Fixed { pending_until: Some(rule), .. } => earns(facts, rule),
            Amount::Fixed { pending_until: None, .. } => !facts.undone(),
        }
    }

    fn net_minor(&self, facts: &Facts<'_>, basis: Basis) -> i128 {
        let goods = within_64_bits(facts.due_minor - facts.shipping_minor);
        let gross = match basis {
            Basis::DueMinusShipping => goods,
            Basis::Paid => facts.due_minor,
            Basis::Items => facts.items_minor.unwrap_or(goods),
        };
        let lines = if self.by_lines { facts.refunded_lines_minor } else { None };
        (gross - lines.unwrap_or(facts.refunded_minor).max(0)).max(0)
    }
}

/// Amounts are 64-bit: a hostile difference beyond them stops at the end of the range (F26).
pub(crate) fn within_64_bits(amount: i128) -> i128 {
    amount.clamp(i128::from(i64::MIN), i128::from(i64::MAX))
}

fn earns(facts: &Facts<'_>, rule: EarnWhen) -> bool {
    let delivered = facts.status == Status::Delivered;
    let reached = match rule {
        EarnWhen::Placed => true,
        EarnWhen::Delivered => delivered,
        EarnWhen::DeliveredAndPaid => delivered && facts.paid(),
    };
    reached && !facts.undone()
}

impl Fraction {
    const ONE: Self = Self { numerator: 1, denominator: 1 };

    pub fn read(row: &Row, name: &str) -> Read<Self> {
        let text = text(row, name)?;
        let (above, below) = text.split_once('/').unwrap_or((text, "1"));
        let part = |text: &str| text.parse::<i64>().ok().map(i128::from).filter(|part| (0..=PART_MAX).contains(part));
        match (part(above), part(below).filter(|below| *below > 0)) {
            (Some(numerator), Some(denominator)) => Ok(Self { numerator, denominator }),
            _ => Err(format!("`{name}` is {text:?}, not a fraction")),
        }
    }

    fn read_or_one(row: &Row, name: &str) -> Read<Self> {
        if row.contains_key(name) { Self::read(row, name) } else { Ok(Self::ONE) }
    }

    /// The part of an amount that is not below zero, rounded down.
    pub fn floor_of(self, amount: i128) -> i128 {
        self.of(amount, Round::Floor)
    }

    fn of(self, amount: i128, round: Round) -> i128 {
        round.divide(amount.saturating_mul(self.numerator), self.denominator)
    }
}

impl Round {
    /// Both are not negative, and the divisor is above zero.
    fn divide(self, above: i128, below: i128) -> i128 {
        let (whole, rest) = (above / below, above % below);
        let up = match self {
            Self::Floor => false,
            Self::HalfUp => rest >= below - rest,
            Self::Ceil => rest > 0,
        };
        whole + i128::from(up)
    }
}

fn amount(row: &Row) -> Read<Amount> {
    if let Some(legs) = legs_if_any(row, "fixed")? {
        let pending_until = text_if_any(row, "pending_until")?.map(earn_when).transpose()?;
        return Ok(Amount::Fixed { legs, pending_until });
    }
    Ok(Amount::Earned {
        rate: Fraction::read(row, "rate")?,
        redeemable: Fraction::read_or_one(row, "redeemable_multiplier")?,
        qualifying: Fraction::read_or_one(row, "qualifying_multiplier")?,
        basis: match text_if_any(row, "basis")?.unwrap_or("due_minus_shipping") {
            "due_minus_shipping" => Basis::DueMinusShipping,
            "paid" => Basis::Paid,
            "items" => Basis::Items,
            word => return Err(format!("`basis` is {word:?}")),
        },
        earn_when: earn_when(text_if_any(row, "earn_when")?.unwrap_or("delivered_and_paid"))?,
        round: match text_if_any(row, "round")?.unwrap_or("floor") {
            "floor" => Round::Floor,
            "half_up" => Round::HalfUp,
            "ceil" => Round::Ceil,
            word => return Err(format!("`round` is {word:?}")),
        },
        base_first: match text_if_any(row, "round_stage")?.unwrap_or("end") {
            "end" => false,
            "base_then_end" => true,
            word => return Err(format!("`round_stage` is {word:?}")),
        },
    })
}

fn earn_when(word: &str) -> Read<EarnWhen> {
    match word {
        "delivered" => Ok(EarnWhen::Delivered),
        "delivered_and_paid" => Ok(EarnWhen::DeliveredAndPaid),
        "placed" => Ok(EarnWhen::Placed),
        _ => Err(format!("the time of earning is {word:?}")),
    }
}

fn negative_balance(word: &str) -> Read<NegativeBalance> {
    let limit = || word.strip_prefix("limit(")?.strip_suffix(')')?.parse::<u32>().ok();
    match word {
        "allow" => Ok(NegativeBalance::Allow),
        "clamp" => Ok(NegativeBalance::Clamp),
        "pending_only" => Ok(NegativeBalance::PendingOnly),
        _ => limit()
            .map(|points| NegativeBalance::Limit(i128::from(points)))
            .ok_or_else(|| format!("`negative_balance` is {word:?}")),
    }
}

impl NegativeBalance {
    /// The most that a reversal of `wanted` points may take from a balance.
    pub fn most(self, balance: i128, wanted: i128) -> i128 {
        match self {
            Self::Allow => wanted,
            Self::Clamp => balance.clamp(0, wanted),
            Self::PendingOnly => 0,
            Self::Limit(points) => (balance + points).clamp(0, wanted),
        }
    }
}
