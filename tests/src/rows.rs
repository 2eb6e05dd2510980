//! Rows as the tables hold them, written for the verifier by the tests themselves.
//!
//! The store has its own writer, on purpose not this one: the verifier must accept what either writes.

use std::collections::BTreeMap;
use std::fmt::Debug;

use chrono::SecondsFormat;
use loyalty_audit::{DIGEST, Row, Value, digest_of};
use loyalty_domain::campaign::{Participation, ParticipationNote};
use loyalty_domain::ids::RuleId;
use loyalty_domain::item_rules::{Effect, Item, ItemRule};
use loyalty_domain::ledger::{Entry, Note, Opened};
use loyalty_domain::lots::{Expiry, Lot};
use loyalty_domain::member::{Hold, Member};
use loyalty_domain::order::{Credit, Imported, InCycle, Order, OrderFacts, Terms, TermsAmount};
use loyalty_domain::points::{Legs, Ratio};
use loyalty_domain::programme::{NegativeBalance, ReversalRules};
use loyalty_domain::request::Request;
use loyalty_domain::time::Instant;
use loyalty_domain::voucher::{Voucher, Worth};

fn text(text: impl AsRef<str>) -> Value {
    Value::S(text.as_ref().into())
}

fn number(number: impl ToString) -> Value {
    Value::N(number.to_string().into())
}

fn time(at: Instant) -> Value {
    text(at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// The name of a variant in snake_case.
pub fn snake_case(variant: impl Debug) -> String {
    let name = format!("{variant:?}");
    let mut word = String::with_capacity(name.len() + 4);
    for (at, letter) in name.chars().enumerate() {
        if at > 0 && letter.is_ascii_uppercase() {
            word.push('_');
        }
        word.push(letter.to_ascii_lowercase());
    }
    word
}

fn word(variant: impl Debug) -> Value {
    text(snake_case(variant))
}

fn row(attributes: impl IntoIterator<Item = (&'static str, Value)>) -> Row {
    attributes.into_iter().collect()
}

/// Puts the right digest on a row.
pub fn seal(mut row: Row) -> Row {
    row.insert(DIGEST, Value::S(digest_of(&row).into()));
    row
}

fn put(row: &mut Row, name: &str, value: Value) {
    row.insert(name, value);
}

fn legs(legs: Legs) -> Value {
    Value::M(row([("redeemable", number(legs.redeemable.0)), ("qualifying", number(legs.qualifying.0))]))
}

fn expiry(expiry: Expiry) -> Value {
    match expiry {
        Expiry::On(day) => text(day.to_string()),
        Expiry::Never => text("never"),
    }
}

fn lot_by_day(lot: &Lot) -> (String, Value) {
    let day = match lot.expiry {
        Expiry::On(day) => day.to_string(),
        Expiry::Never => "never".to_owned(),
    };
    (day, number(lot.points))
}

fn lots(lots: &[Lot]) -> Value {
    let lot = |lot: &Lot| Value::M(row([("expires_on", expiry(lot.expiry)), ("points", number(lot.points))]));
    Value::L(lots.iter().map(lot).collect())
}

fn ratio(ratio: Ratio) -> Value {
    match ratio.denominator.get() {
        1 => text(ratio.numerator.to_string()),
        denominator => text(format!("{}/{denominator}", ratio.numerator)),
    }
}

/// A row of `members`.
pub fn member(member: &Member, revision: u64) -> Row {
    let mut row = row([
        ("member_id", text(member.member_id.as_str())),
        ("revision", number(revision)),
        ("last_seq", number(member.last_seq)),
        ("activated_at", time(member.activated_at)),
        ("as_of", time(member.as_of)),
        ("redeemable_points", number(member.balance.redeemable.0)),
        ("qualifying_points", number(member.balance.qualifying.0)),
        ("lots", Value::M(member.lots.as_slice().iter().map(lot_by_day).collect())),
        ("pending_points", number(member.pending_points)),
        ("spent_minor", number(member.spent_minor)),
        ("currency", text("VND")),
        ("orders_count", number(member.orders_count)),
        ("tier", text(member.tier.as_str())),
        ("tier_since", time(member.tier_since)),
        ("tier_floor", text(member.tier_floor.as_str())),
        ("cycle_start", text(member.cycle_start.to_string())),
    ]);
    put(&mut row, "cycle_spent_minor", number(member.cycle.spent_minor));
    put(&mut row, "cycle_orders", number(member.cycle.orders));
    put(&mut row, "review_on", text(member.review_on.to_string()));
    put(&mut row, "noticed_to", text(member.noticed_to.to_string()));
    if let Some(day) = member.expiring_told_to {
        put(&mut row, "expiring_told_to", text(day.to_string()));
    }
    if let Some(day) = member.risk_told_for {
        put(&mut row, "risk_told_for", text(day.to_string()));
    }
    put(&mut row, "in_grace", Value::Bool(member.in_grace));
    put(&mut row, "wallet_minor", number(member.wallet_minor));
    let campaigns = member.active_campaigns.iter().map(|campaign| text(campaign.as_str()));
    put(&mut row, "active_campaigns", Value::L(campaigns.collect()));
    let waits_for = member.waits_for.iter().map(|campaign| text(campaign.as_str()));
    put(&mut row, "waits_for", Value::L(waits_for.collect()));
    put(&mut row, "holds", Value::L(member.holds.iter().map(hold).collect()));
    if let Some(at) = member.last_ordered_at {
        put(&mut row, "last_ordered_at", time(at));
    }
    if let Some(at) = member.first_ordered_at {
        put(&mut row, "first_ordered_at", time(at));
    }
    if let Some(order_id) = &member.first_order {
        put(&mut row, "first_order", text(order_id.as_str()));
    }
    if let Some(welcome) = &member.welcome {
        put(&mut row, "welcome", credit(welcome));
    }
    if let Some(merged) = &member.merged {
        let merged = row_of_merged(merged.into.as_str(), merged.at, merged.cycle_start);
        put(&mut row, "merged", Value::M(merged));
    }
    if !member.merged_from.is_empty() {
        put(&mut row, "merged_from", Value::L(member.merged_from.iter().map(|id| text(id.as_str())).collect()));
    }
    if let Some(erased_at) = member.erased_at {
        put(&mut row, "erased_at", time(erased_at));
    }
    seal(row)
}

fn row_of_merged(into: &str, at: Instant, cycle_start: chrono::NaiveDate) -> Row {
    row([("into", text(into)), ("at", time(at)), ("cycle_start", text(cycle_start.to_string()))])
}

fn hold(hold: &Hold) -> Value {
    Value::M(row([
        ("request_id", text(hold.request_id.as_str())),
        ("seq", number(hold.seq)),
        ("lots", lots(&hold.lots)),
        ("until", time(hold.until)),
    ]))
}

/// A row of `participations`.
pub fn participation(participation: &Participation, revision: u64) -> Row {
    seal(row([
        ("campaign", text(participation.campaign.as_str())),
        ("member_id", text(participation.member_id.as_str())),
        ("revision", number(revision)),
        ("granted", number(participation.granted)),
        ("used", number(participation.used())),
        ("remaining", number(participation.remaining())),
        ("state", word(participation.state)),
        ("enrolled_at", time(participation.enrolled_at)),
        ("orders", Value::L(participation.orders.iter().map(|order| text(order.as_str())).collect())),
        ("waiting", Value::L(participation.waiting.iter().map(|order| text(order.as_str())).collect())),
        ("reserved_points", number(participation.reserved_points)),
        ("messages", number(participation.messages)),
    ]))
}

/// The rows of the campaigns' budgets, as large as what was promised.
pub fn budgets<'a>(participations: impl Iterator<Item = &'a Participation>) -> Vec<Row> {
    let mut reserved = BTreeMap::<&RuleId, i64>::new();
    for participation in participations.filter(|row| row.reserved_points > 0) {
        *reserved.entry(&participation.campaign).or_default() += participation.reserved_points;
    }
    let budget = |(campaign, points): (&RuleId, i64)| {
        seal(row([
            ("campaign", text(campaign.as_str())),
            ("member_id", text("(budget)")),
            ("revision", number(1)),
            ("reserved_points", number(points)),
        ]))
    };
    reserved.into_iter().map(budget).collect()
}

/// A row of `requests`.
pub fn request(request: &Request, revision: u64) -> Row {
    let mut row = row([
        ("request_id", text(request.request_id.as_str())),
        ("member_id", text(request.member_id.as_str())),
        ("revision", number(revision)),
        ("kind", word(request.kind)),
        ("fingerprint", text(request.fingerprint.as_str())),
        ("state", word(request.state)),
        ("rule", text(request.rule.as_str())),
        ("points", number(request.points)),
        ("worth_minor", number(request.worth_minor)),
        ("seq", number(request.seq)),
        ("created_at", time(request.created_at)),
    ]);
    if let Some(until) = request.hold_until {
        put(&mut row, "hold_until", time(until));
    }
    seal(row)
}

/// A row of `vouchers`.
pub fn voucher(voucher: &Voucher, revision: u64) -> Row {
    let Voucher { voucher_id, code, grant, state, issued_at, used_at, used_for, reminded } = voucher;
    let worth = match &grant.offer.worth {
        Worth::Percent { percent, .. } => ("percent", Value::M(self::row([("percent", number(percent))]))),
        Worth::Amount { minor } => ("amount_minor", number(minor)),
        Worth::Gift { what } => ("gift", text(what)),
        Worth::GameTurn { turns } => ("game_turns", number(turns)),
        Worth::Combo { what } => ("combo", text(what)),
    };
    let mut row = row([
        ("voucher_id", text(voucher_id.as_str())),
        ("revision", number(revision)),
        ("code", text(code)),
        ("member_id", text(grant.member_id.as_str())),
        ("grant_id", text(&grant.grant_id)),
        ("offer", text(grant.offer.id.as_str())),
        ("name", text(&grant.offer.name)),
        ("worth", Value::M(self::row([worth]))),
        ("valid_days", number(grant.offer.valid_days)),
        ("order_min_minor", number(grant.offer.order_min_minor)),
        ("valid_from", text(grant.valid_from.to_string())),
        ("valid_until", text(grant.valid_until.to_string())),
        ("reminded", Value::Bool(*reminded)),
        ("state", word(state)),
        ("issued_at", time(*issued_at)),
    ]);
    let optional = [
        ("tier", grant.tier.as_ref().map(|tier| text(tier.as_str()))),
        ("remind_on", grant.remind_on.map(|day| text(day.to_string()))),
        ("used_at", used_at.map(time)),
        ("used_for", used_for.as_ref().map(|order_id| text(order_id.as_str()))),
        ("due_shard", voucher.due_on().map(|_| text("0"))),
        ("due_on", voucher.due_on().map(|day| text(day.to_string()))),
    ];
    optional.into_iter().for_each(|(name, value)| value.into_iter().for_each(|value| put(&mut row, name, value)));
    seal(row)
}

/// A row of `points-history`.
pub fn entry(entry: &Entry) -> Row {
    let mut row = row([
        ("member_id", text(entry.member_id.as_str())),
        ("seq", number(entry.seq)),
        ("kind", word(entry.kind)),
        ("redeemable", number(entry.legs.redeemable.0)),
        ("qualifying", number(entry.legs.qualifying.0)),
        ("balance_after", legs(entry.balance_after)),
        ("tier_before", text(entry.tier_before.as_str())),
        ("tier_after", text(entry.tier_after.as_str())),
        ("rule", text(entry.rule.as_str())),
        ("reason", word(entry.reason)),
        ("programme_version", text(entry.programme_version.as_str())),
        ("occurred_at", time(entry.occurred_at)),
        ("recorded_at", time(entry.recorded_at)),
    ]);
    if let Some(order_id) = &entry.order_id {
        put(&mut row, "order_id", text(order_id.as_str()));
    }
    if !entry.lots.is_empty() {
        put(&mut row, "lots", lots(&entry.lots));
    }
    if !entry.written_off.is_zero() {
        put(&mut row, "written_off", legs(entry.written_off));
    }
    if let Some(seq) = entry.reverses {
        put(&mut row, "reverses", number(seq));
    }
    if let Some(request_id) = &entry.request_id {
        put(&mut row, "request_id", text(request_id.as_str()));
    }
    if let Some(Note { operator, text: why, subject }) = &entry.note {
        let mut note = self::row([("operator", text(operator.as_str())), ("text", text(why.as_str()))]);
        if let Some(subject) = subject {
            put(&mut note, "subject", text(subject.as_str()));
        }
        put(&mut row, "note", Value::M(note));
    }
    if let Some(wallet) = entry.wallet {
        let moved = [("moved_minor", number(wallet.moved_minor)), ("after_minor", number(wallet.after_minor))];
        put(&mut row, "wallet", Value::M(self::row(moved)));
    }
    if let Some(merge) = &entry.merge {
        let merge = self::row([
            ("member_id", text(merge.member_id.as_str())),
            ("seq", number(merge.seq)),
            ("from_cycle", text(merge.from_cycle.to_string())),
            ("into_cycle", text(merge.into_cycle.to_string())),
        ]);
        put(&mut row, "merge", Value::M(merge));
    }
    if let Some(opened) = &entry.opened {
        put(&mut row, "opened", Value::M(self::opened(opened)));
    }
    if !entry.participations.is_empty() {
        put(&mut row, "participations", Value::L(entry.participations.iter().map(note).collect()));
    }
    if let Some(explained) = &entry.explanation {
        if let Some(imported) = &explained.imported {
            put(&mut row, "imported", self::imported(imported));
        }
        put(&mut row, "terms", terms(&explained.terms));
        put(&mut row, "facts", facts(&explained.facts));
        put(&mut row, "matched", Value::L(explained.matched.iter().map(number).collect()));
        put(&mut row, "deserves", legs(explained.deserves));
        put(&mut row, "cycle_start", text(explained.cycle_start.to_string()));
    }
    seal(row)
}

fn opened(opened: &Opened) -> Row {
    row([
        ("tier_since", time(opened.tier_since)),
        ("cycle_start", text(opened.cycle_start.to_string())),
        ("spent_minor", number(opened.spent_minor)),
        ("orders_count", number(opened.orders_count)),
        ("cycle_spent_minor", number(opened.cycle_spent_minor)),
        ("cycle_orders", number(opened.cycle_orders)),
    ])
}

fn note(note: &ParticipationNote) -> Value {
    Value::M(row([
        ("campaign", text(note.campaign.as_str())),
        ("granted", number(note.granted)),
        ("used", number(note.used)),
        ("state", word(note.state)),
    ]))
}

/// A row of `orders`.
pub fn order(order: &Order, revision: u64) -> Row {
    let mut row = row([
        ("order_id", text(order.order_id.as_str())),
        ("revision", number(revision)),
        ("facts", facts(&order.facts)),
        ("credits", Value::L(order.credits.iter().map(credit).collect())),
        ("spent_minor", number(order.spent_minor)),
        ("counted", Value::Bool(order.counted)),
        ("ever_undone", Value::Bool(order.ever_undone)),
        ("pending_points", number(order.pending_points)),
        ("wallet_minor", number(order.wallet_minor)),
        ("items", Value::L(order.items.iter().map(item).collect())),
        ("vouchers", Value::L(order.vouchers.iter().map(|voucher| text(voucher.as_str())).collect())),
    ]);
    if let Some(imported) = &order.imported {
        put(&mut row, "imported", self::imported(imported));
    }
    if let Some(from) = &order.from {
        put(&mut row, "from_member", text(from.as_str()));
    }
    if let Some(owner) = &order.owner {
        put(&mut row, "member_id", text(owner.member_id.as_str()));
        put(&mut row, "named_at", time(owner.named_at));
    }
    seal(row)
}

fn imported(imported: &Imported) -> Value {
    Value::M(row([
        ("redeemable", number(imported.legs.redeemable.0)),
        ("qualifying", number(imported.legs.qualifying.0)),
        ("spent_minor", number(imported.spent_minor)),
        ("counted", Value::Bool(imported.counted)),
        ("cycle_start", text(imported.cycle_start.to_string())),
        ("expires_on", expiry(imported.expiry)),
    ]))
}

fn item(item: &Item) -> Value {
    let mut row = row([("minor", number(item.minor))]);
    for (name, value) in [("sku", &item.sku), ("category", &item.category)] {
        value.iter().for_each(|value| put(&mut row, name, text(value)));
    }
    if item.returned_minor != 0 {
        put(&mut row, "returned_minor", number(item.returned_minor));
    }
    Value::M(row)
}

fn item_rule(rule: &ItemRule) -> Value {
    let names = |names: &[String]| Value::L(names.iter().map(text).collect());
    let mut row = row([
        ("rule", text(rule.id.as_str())),
        ("skus", names(&rule.skus)),
        ("categories", names(&rule.categories)),
        ("order_min_minor", number(rule.order_min_minor)),
    ]);
    match rule.effect {
        Effect::Multiply { factor, qualifying_too } => {
            put(&mut row, "factor", ratio(factor));
            put(&mut row, "qualifying_too", Value::Bool(qualifying_too));
        }
        Effect::Exclude => put(&mut row, "excludes", Value::Bool(true)),
        Effect::Add { legs: added } => put(&mut row, "adds", legs(added)),
    }
    Value::M(row)
}

fn in_cycle(InCycle { cycle_start, qualifying }: InCycle) -> Row {
    row([("cycle_start", text(cycle_start.to_string())), ("qualifying", number(qualifying))])
}

fn credit(credit: &Credit) -> Value {
    Value::M(row([
        ("rule", text(credit.rule.as_str())),
        ("terms", terms(&credit.terms)),
        ("posted", legs(credit.posted)),
        ("written_off", legs(credit.written_off)),
        ("expired_written_off", number(credit.expired_written_off)),
        ("first_expires_on", expiry(credit.first_expiry)),
        ("in_cycle", Value::M(in_cycle(credit.in_cycle))),
        ("last_credit_seq", number(credit.last_credit_seq)),
        ("generation", number(credit.generation)),
        ("released", Value::Bool(credit.released)),
    ]))
}

fn facts(facts: &OrderFacts) -> Value {
    let mut row = row([
        ("updated_at", time(facts.updated_at)),
        ("status", word(facts.status)),
        ("payment_status", word(facts.payment)),
        ("due_minor", number(facts.due_minor)),
        ("shipping_minor", number(facts.shipping_minor)),
        ("refunded_minor", number(facts.refunded_minor)),
        ("currency", text(facts.currency.code())),
        ("placed_at", time(facts.placed_at)),
        ("wallet_minor", number(facts.wallet_minor)),
    ]);
    if let Some(lines) = facts.refunded_lines_minor {
        put(&mut row, "refunded_lines_minor", number(lines));
    }
    if let Some(items) = facts.items_minor {
        put(&mut row, "items_minor", number(items));
    }
    Value::M(row)
}

/// Terms are written out in full here: the verifier must read them with and without what is at its default.
fn terms(terms: &Terms) -> Value {
    let mut row = row([
        ("programme_version", text(terms.programme_version.as_str())),
        ("currency", text(terms.currency.code())),
        ("tier", text(terms.tier.as_str())),
        ("expires_on", expiry(terms.expiry)),
        ("cycle_start", text(terms.cycle_start.to_string())),
    ]);
    match terms.amount {
        TermsAmount::Earned {
            rate,
            redeemable_multiplier,
            qualifying_multiplier,
            basis,
            earn_when,
            round,
            round_stage,
        } => {
            put(&mut row, "rate", ratio(rate));
            put(&mut row, "redeemable_multiplier", ratio(redeemable_multiplier));
            put(&mut row, "qualifying_multiplier", ratio(qualifying_multiplier));
            put(&mut row, "basis", word(basis));
            put(&mut row, "earn_when", word(earn_when));
            put(&mut row, "round", word(round));
            put(&mut row, "round_stage", word(round_stage));
        }
        TermsAmount::Fixed { legs: fixed, pending_until } => {
            put(&mut row, "fixed", legs(fixed));
            if let Some(rule) = pending_until {
                put(&mut row, "pending_until", word(rule));
            }
        }
    }
    reversal(&mut row, &terms.reversal);
    put(&mut row, "several_rules", word(terms.rules.several));
    put(&mut row, "rules", Value::L(terms.rules.rules.iter().map(item_rule).collect()));
    Value::M(row)
}

fn reversal(row: &mut Row, rules: &ReversalRules) {
    put(row, "requires_paid", Value::Bool(rules.requires_paid));
    put(row, "refund", word(rules.refund));
    let negative_balance = match rules.negative_balance {
        NegativeBalance::Limit(points) => text(format!("limit({points})")),
        policy => word(policy),
    };
    put(row, "negative_balance", negative_balance);
    put(row, "reverse_expired", Value::Bool(rules.reverse_expired));
    put(row, "no_recredit_after_cancel", Value::Bool(rules.no_recredit_after_cancel));
    put(row, "late_debits_current", Value::Bool(rules.late_debits_current));
    put(row, "restores_participation", Value::Bool(rules.restores_participation));
}
