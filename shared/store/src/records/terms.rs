//! Pinned terms and the facts of an order, as they stand on order rows and ledger rows.
//!
//! A term at the product's decided default is left out, so that a row stays under 1 KB, the size of one write unit. The
//! defaults are therefore part of the format: a changed default would change what old rows say.

use chrono::NaiveDate;
use loyalty_domain::ids::{ProgrammeVersion, RuleId, TierId};
use loyalty_domain::item_rules::{Effect, ItemRule, PinnedRules, Several};
use loyalty_domain::lots::Expiry;
use loyalty_domain::money::Currency;
use loyalty_domain::order::{OrderFacts, OrderStatus, PaymentStatus, Terms, TermsAmount};
use loyalty_domain::points::{Ratio, Rounding};
use loyalty_domain::programme::{Basis, EarnWhen, NegativeBalance, RefundRule, ReversalRules, RoundStage};
use loyalty_domain::time::Instant;
use serde::{Deserialize, Serialize};

use super::{LegsRecord, Unreadable, is_default};
use crate::words::Text;

#[derive(Serialize, Deserialize)]
pub(super) struct TermsRecord {
    programme_version: Text<ProgrammeVersion>,
    currency: Text<Currency>,
    tier: Text<TierId>,
    expires_on: Text<Expiry>,
    cycle_start: Text<NaiveDate>,
    /// Present when the credit is worked out from the order's amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<Text<Ratio>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redeemable_multiplier: Option<Text<Ratio>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    qualifying_multiplier: Option<Text<Ratio>>,
    #[serde(default, skip_serializing_if = "is_default")]
    basis: Text<Basis>,
    #[serde(default, skip_serializing_if = "is_default")]
    earn_when: Text<EarnWhen>,
    #[serde(default, skip_serializing_if = "is_default")]
    round: Text<Rounding>,
    #[serde(default, skip_serializing_if = "is_default")]
    round_stage: Text<RoundStage>,
    /// Present when the credit is a fixed number of points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fixed: Option<LegsRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending_until: Option<Text<EarnWhen>>,
    #[serde(default, skip_serializing_if = "is_default")]
    requires_paid: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    refund: Text<RefundRule>,
    #[serde(default, skip_serializing_if = "is_default")]
    negative_balance: Text<NegativeBalance>,
    #[serde(default, skip_serializing_if = "is_default")]
    reverse_expired: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    no_recredit_after_cancel: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    late_debits_current: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    restores_participation: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    several_rules: Text<Several>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rules: Vec<RuleRecord>,
}

/// A rule about items: exactly one of `factor`, `excludes` and `adds`.
#[derive(Serialize, Deserialize)]
struct RuleRecord {
    rule: Text<RuleId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    skus: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    categories: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    order_min_minor: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    factor: Option<Text<Ratio>>,
    #[serde(default, skip_serializing_if = "is_default")]
    qualifying_too: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    excludes: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    adds: Option<LegsRecord>,
}

impl From<&ItemRule> for RuleRecord {
    fn from(rule: &ItemRule) -> Self {
        let ItemRule { id, skus, categories, order_min_minor, effect } = rule;
        let mut record = Self {
            rule: Text(id.clone()),
            skus: skus.clone(),
            categories: categories.clone(),
            order_min_minor: *order_min_minor,
            factor: None,
            qualifying_too: false,
            excludes: false,
            adds: None,
        };
        match *effect {
            Effect::Multiply { factor, qualifying_too } => {
                (record.factor, record.qualifying_too) = (Some(Text(factor)), qualifying_too);
            }
            Effect::Exclude => record.excludes = true,
            Effect::Add { legs } => record.adds = Some(legs.into()),
        }
        record
    }
}

impl TryFrom<RuleRecord> for ItemRule {
    type Error = Unreadable;

    fn try_from(record: RuleRecord) -> Result<Self, Unreadable> {
        let effect = match (record.factor, record.excludes, record.adds) {
            (Some(factor), false, None) => Effect::Multiply { factor: factor.0, qualifying_too: record.qualifying_too },
            (None, true, None) => Effect::Exclude,
            (None, false, Some(legs)) => Effect::Add { legs: legs.into() },
            _ => return Err(Unreadable::Pair("factor", "adds")),
        };
        let RuleRecord { rule, skus, categories, order_min_minor, .. } = record;
        Ok(Self { id: rule.0, skus, categories, order_min_minor, effect })
    }
}

fn multiplier(ratio: Ratio) -> Option<Text<Ratio>> {
    (ratio != Ratio::ONE).then_some(Text(ratio))
}

impl From<&Terms> for TermsRecord {
    fn from(terms: &Terms) -> Self {
        let Terms { programme_version, currency, tier, amount, reversal, rules, expiry, cycle_start } = terms;
        let mut record = Self {
            programme_version: Text(programme_version.clone()),
            currency: Text(*currency),
            tier: Text(tier.clone()),
            expires_on: Text(*expiry),
            cycle_start: Text(*cycle_start),
            rate: None,
            redeemable_multiplier: None,
            qualifying_multiplier: None,
            basis: Text::default(),
            earn_when: Text::default(),
            round: Text::default(),
            round_stage: Text::default(),
            fixed: None,
            pending_until: None,
            requires_paid: reversal.requires_paid,
            refund: Text(reversal.refund),
            negative_balance: Text(reversal.negative_balance),
            reverse_expired: reversal.reverse_expired,
            no_recredit_after_cancel: reversal.no_recredit_after_cancel,
            late_debits_current: reversal.late_debits_current,
            restores_participation: reversal.restores_participation,
            several_rules: Text(rules.several),
            rules: rules.rules.iter().map(RuleRecord::from).collect(),
        };
        match *amount {
            TermsAmount::Earned {
                rate,
                redeemable_multiplier,
                qualifying_multiplier,
                basis,
                earn_when,
                round,
                round_stage,
            } => {
                record.rate = Some(Text(rate));
                record.redeemable_multiplier = multiplier(redeemable_multiplier);
                record.qualifying_multiplier = multiplier(qualifying_multiplier);
                record.basis = Text(basis);
                record.earn_when = Text(earn_when);
                record.round = Text(round);
                record.round_stage = Text(round_stage);
            }
            TermsAmount::Fixed { legs, pending_until } => {
                record.fixed = Some(legs.into());
                record.pending_until = pending_until.map(Text);
            }
        }
        record
    }
}

impl TryFrom<TermsRecord> for Terms {
    type Error = Unreadable;

    fn try_from(record: TermsRecord) -> Result<Self, Unreadable> {
        let ratio = |kept: Option<Text<Ratio>>| kept.map_or(Ratio::ONE, |text| text.0);
        let amount = match (record.rate, record.fixed) {
            (Some(rate), None) => TermsAmount::Earned {
                rate: rate.0,
                redeemable_multiplier: ratio(record.redeemable_multiplier),
                qualifying_multiplier: ratio(record.qualifying_multiplier),
                basis: record.basis.0,
                earn_when: record.earn_when.0,
                round: record.round.0,
                round_stage: record.round_stage.0,
            },
            (None, Some(legs)) => {
                TermsAmount::Fixed { legs: legs.into(), pending_until: record.pending_until.map(|text| text.0) }
            }
            _ => return Err(Unreadable::Pair("rate", "fixed")),
        };
        Ok(Terms {
            programme_version: record.programme_version.0,
            currency: record.currency.0,
            tier: record.tier.0,
            amount,
            reversal: ReversalRules {
                requires_paid: record.requires_paid,
                refund: record.refund.0,
                negative_balance: record.negative_balance.0,
                reverse_expired: record.reverse_expired,
                no_recredit_after_cancel: record.no_recredit_after_cancel,
                late_debits_current: record.late_debits_current,
                restores_participation: record.restores_participation,
            },
            rules: PinnedRules {
                several: record.several_rules.0,
                rules: record.rules.into_iter().map(ItemRule::try_from).collect::<Result<_, _>>()?,
            },
            expiry: record.expires_on.0,
            cycle_start: record.cycle_start.0,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct FactsRecord {
    updated_at: Text<Instant>,
    status: Text<OrderStatus>,
    payment_status: Text<PaymentStatus>,
    due_minor: i64,
    shipping_minor: i64,
    refunded_minor: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refunded_lines_minor: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    items_minor: Option<i64>,
    currency: Text<Currency>,
    placed_at: Text<Instant>,
    #[serde(default, skip_serializing_if = "is_default")]
    wallet_minor: i64,
}

impl From<OrderFacts> for FactsRecord {
    fn from(facts: OrderFacts) -> Self {
        let OrderFacts {
            updated_at,
            status,
            payment,
            refunded_minor,
            refunded_lines_minor,
            due_minor,
            shipping_minor,
            items_minor,
            currency,
            placed_at,
            wallet_minor,
        } = facts;
        Self {
            updated_at: Text(updated_at),
            status: Text(status),
            payment_status: Text(payment),
            due_minor,
            shipping_minor,
            refunded_minor,
            refunded_lines_minor,
            items_minor,
            currency: Text(currency),
            placed_at: Text(placed_at),
            wallet_minor,
        }
    }
}

impl From<FactsRecord> for OrderFacts {
    fn from(record: FactsRecord) -> Self {
        OrderFacts {
            updated_at: record.updated_at.0,
            status: record.status.0,
            payment: record.payment_status.0,
            refunded_minor: record.refunded_minor,
            refunded_lines_minor: record.refunded_lines_minor,
            due_minor: record.due_minor,
            shipping_minor: record.shipping_minor,
            items_minor: record.items_minor,
            currency: record.currency.0,
            placed_at: record.placed_at.0,
            wallet_minor: record.wallet_minor,
        }
    }
}
