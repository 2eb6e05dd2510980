//! The verifier notices every figure that is changed by hand: always by the row's digest, and, where the digest was
//! computed again, by everything that history and orders can tell.

use chrono::Duration;
use loyalty_audit::{Audit, Report, Row, Table, Value};
use loyalty_domain::adjust::{Adjustment, adjust};
use loyalty_domain::behaviour::{Behaved, Behaviour, BehaviourRows, behave};
use loyalty_domain::campaign::{Campaign, enrol};
use loyalty_domain::daily::run_day;
use loyalty_domain::decision::Decision;
use loyalty_domain::ids::MemberId;
use loyalty_domain::ledger::Note;
use loyalty_domain::member::Member;
use loyalty_domain::order::{OrderStatus, PaymentStatus};
use loyalty_domain::points::Legs;
use loyalty_domain::programme::{NegativeBalance, Programme, RefundRule, Welcome, WelcomeWhen};
use loyalty_domain::redeem::{Redemption, confirm, redeem, undo};
use loyalty_domain::request::Asked;
use loyalty_domain::time::Instant;
use loyalty_domain::topup::{Brings, TopupStep, top_up};
use loyalty_domain::voucher::{Grant, Offer, Voucher, VoucherState, Worth};
use loyalty_domain::welcome::welcome;
use loyalty_tests::book::Book;
use loyalty_tests::build::{at, cnv_retail_by_tier, delivered, fast_promotion};
use loyalty_tests::rows::{seal, voucher as voucher_row};

/// Attributes that nothing else in the books tells, by table and path. Whoever changes one of these *and* computes the
/// digest again is not found out; everything else is.
const UNTOLD: &[&str] = &[
    // How often a row was written, and when it was last decided about.
    "members revision",
    "orders revision",
    "members as_of",
    "members activated_at",
    // The person; no rule reads it.
    "members currency",
    // Facts that do not change what the order deserves: parts of a point, and dates before the entry's.
    "points-history facts due_minor",
    "points-history facts shipping_minor",
    "points-history facts refunded_minor",
    "points-history facts refunded_lines_minor",
    "points-history facts items_minor",
    "points-history facts currency",
    "points-history facts placed_at",
    // A shop without a wallet here may have one of its own.
    "points-history facts wallet_minor",
    "points-history facts updated_at",
    "points-history facts status",
    "points-history facts payment_status",
    // What an operator said.
    "points-history note operator",
    "points-history note subject",
    "points-history note text",
    "points-history occurred_at",
    "points-history recorded_at",
    // Of a reversal that finds nothing of any cycle to take.
    "points-history cycle_start",
    "orders facts due_minor",
    "orders facts shipping_minor",
    "orders facts refunded_minor",
    "orders facts refunded_lines_minor",
    "orders facts items_minor",
    "orders facts placed_at",
    "orders facts wallet_minor",
    "orders facts updated_at",
    "orders facts status",
    "orders facts payment_status",
    "orders facts currency",
    "orders named_at",
    "orders ever_undone",
    "orders credits first_expires_on",
    "orders credits expired_written_off",
    // Why, in words.
    "points-history programme_version",
    "points-history rule",
    // How long the member was told of what comes, and when they last ordered; by what filters a campaign chose them.
    "members noticed_to",
    "members last_ordered_at",
    "members first_ordered_at",
    // When the review comes and whether it has been put off are the programme's to say, until it has come.
    "members review_on",
    "members in_grace",
    // A cycle that ends with nothing earned leaves no entry.
    "members cycle_start",
    "participations revision",
    "participations enrolled_at",
    "participations messages",
    "requests revision",
    "requests fingerprint",
    // What a discount was worth, and until when it could have been confirmed.
    "requests worth_minor",
    "requests hold_until",
];

/// What is only promised has no entries yet that could tell: `standard:5` here. By what terms somebody was welcomed before
/// they ordered is told by the first entry of their first order. An order of nobody, `standard:4`, is told by its own row
/// alone.
fn told_by_nobody(key: &str, path: &str) -> bool {
    match key {
        "m_welcomed" => ["terms ", "first_expires_on", "in_cycle "]
            .iter()
            .any(|part| path.strip_prefix("members welcome ").is_some_and(|rest| rest.starts_with(part))),
        "standard:6" => path.starts_with("orders credits terms ") || path.starts_with("orders credits in_cycle "),
        "standard:5" => path.starts_with("orders credits "),
        "standard:4" => path == "orders order_id",
        _ => false,
    }
}

fn books() -> Book {
    let offered = Welcome { points: 100, when: WelcomeWhen::Immediate, regrant: false };
    let mut programme = Programme { welcome: Some(offered), ..cnv_retail_by_tier() };
    programme.reversal.refund = RefundRule::LineExact;
    let start = at("2026-01-15T03:00:00Z");
    let day = |days: i64| start + Duration::days(days);
    let mut book = Book::default();
    // Promoted, partly returned, with lines.
    let mut order = delivered("standard:1", 9_000_000, start);
    order.facts.items_minor = Some(9_000_000);
    book.deliver(&programme, &order, start);
    order.facts.refunded_minor = 1_000_000;
    order.facts.refunded_lines_minor = Some(900_000);
    order.facts.payment = PaymentStatus::PartiallyRefunded;
    order.facts.updated_at = day(1);
    book.deliver(&programme, &order, day(1));
    // Earned at a higher tier, spent from, cancelled with a write-off, and delivered again.
    let mut clamping = programme.clone();
    clamping.reversal.negative_balance = NegativeBalance::Clamp;
    let second = delivered("standard:2", 2_000_000, day(2));
    book.deliver(&clamping, &second, day(2));
    let redemption = book.spend(&programme, "m_test", 50, day(3));
    book.undo(&programme, &redemption, day(4));
    book.spend(&programme, "m_test", 1_000, day(5));
    let mut cancelled = second.clone();
    cancelled.facts.status = OrderStatus::Cancelled;
    cancelled.facts.updated_at = day(6);
    book.deliver(&clamping, &cancelled, day(6));
    let mut again = second;
    again.facts.updated_at = day(7);
    book.deliver(&clamping, &again, day(7));
    // Another member, a debt, an expiry, a late cancel; an order of nobody; one that only promises.
    let mut third = delivered("standard:3", 1_000_000, day(8));
    third.member_id = Some(MemberId::from("m_other"));
    book.deliver(&programme, &third, day(8));
    book.spend(&programme, "m_other", 30, day(9));
    third.facts.status = OrderStatus::Returned;
    third.facts.updated_at = day(500);
    book.deliver(&programme, &third, day(500));
    let mut nobody = delivered("standard:4", 1_000_000, day(10));
    nobody.member_id = None;
    book.deliver(&programme, &nobody, day(10));
    let mut waiting = programme.clone();
    waiting.welcome = Some(Welcome { when: WelcomeWhen::PendingUntilFirstDelivery, ..offered });
    let mut placed = delivered("standard:5", 300_000, day(11));
    placed.member_id = Some(MemberId::from("m_new"));
    placed.facts.status = OrderStatus::Confirmed;
    book.deliver(&waiting, &placed, day(11));
    // Welcomed on registering: waiting for a first order, with one, and with one that was cancelled.
    for member in ["m_welcomed", "m_tied", "m_undone"] {
        let mut row = Member::registered(&programme, member.into(), day(12)).unwrap();
        let entries = welcome(&programme, &mut row, day(12), day(12)).unwrap();
        book.apply(&Decision::posted(row, entries));
    }
    for (order_id, member) in [("standard:6", "m_tied"), ("standard:7", "m_undone")] {
        let mut placed = delivered(order_id, 300_000, day(13));
        placed.member_id = Some(member.into());
        placed.facts.status = OrderStatus::Confirmed;
        book.deliver(&programme, &placed, day(13));
        if member == "m_undone" {
            placed.facts.status = OrderStatus::Cancelled;
            placed.facts.updated_at = day(14);
            book.deliver(&programme, &placed, day(14));
        }
    }
    book
}

/// A member in a campaign: enrolled with an old order behind them, and so many orders placed since.
fn in_campaign(book: &mut Book, programme: &Programme, member: &str, orders: usize, day: impl Fn(i64) -> Instant) {
    let of = |id: &str, net_minor, at| {
        let mut order = delivered(&format!("standard:{member}-{id}"), net_minor, at);
        order.member_id = Some(MemberId::from(member));
        order
    };
    book.deliver(programme, &of("old", 100_000, day(0)), day(0));
    let row = book.members[&MemberId::from(member)].clone();
    let enrolment = enrol(programme, &programme.campaigns[0], row, None, 0, day(1)).unwrap();
    book.apply(&enrolment.decision);
    for at in 0..orders {
        let at = i64::try_from(at).unwrap() + 2;
        let mut order = of(&at.to_string(), 400_000, day(at));
        order.facts.status = OrderStatus::Confirmed;
        book.deliver(programme, &order, day(at));
        order.facts.status = OrderStatus::Delivered;
        order.facts.updated_at = day(at) + Duration::hours(1);
        book.deliver(programme, &order, order.facts.updated_at);
    }
}

/// A member whose tier is reviewed, who tops up, is adjusted and behaves, and whose redemptions wait, stay, come back and
/// lapse.
fn in_every_way(book: &mut Book, programme: &Programme, day: impl Fn(i64) -> Instant) {
    let id = MemberId::from("m_every");
    let mut order = delivered("standard:every", 8_000_000, day(0));
    order.member_id = Some(id.clone());
    book.deliver(programme, &order, day(0));
    let asked = |key: &str| Asked { request_id: key.into(), fingerprint: format!("of {key}") };
    let member = |book: &Book| book.members[&id].clone();
    for (key, amount) in [("t_1", 3_000_000), ("t_2", 10_000)] {
        let (_, decision) = top_up(programme, member(book), None, asked(key), amount, day(10)).unwrap();
        book.apply(&decision);
    }
    for (key, legs) in [("a_1", Legs::new(90, 30)), ("a_2", Legs::new(-20, -10))] {
        let subject = (key == "a_2").then(|| "9f1c-sub".to_owned());
        let note = Note { operator: "lan".to_owned(), text: "bù điểm".to_owned(), subject };
        let adjustment = Adjustment { asked: asked(key), legs, note };
        let (_, decision) = adjust(programme, member(book), None, adjustment, day(20)).unwrap();
        book.apply(&decision);
    }
    let history = book.histories[&id].clone();
    let rows = BehaviourRows { member: member(book), known: None, history: &history };
    let shared = Behaved { asked: asked("b_1"), behaviour: "share".into(), other_side: false, occurred_at: day(30) };
    book.apply(&behave(programme, rows, shared, day(30)).unwrap().1);
    // The cycle of 365 days ends with Gold kept; nothing more is earned, and the next one ends with Silver.
    book.apply(&run_day(programme, member(book), day(800)).unwrap().decision);
    let again = day(805);
    let mut order = delivered("standard:every-2", 6_000_000, again);
    order.member_id = Some(id.clone());
    book.deliver(programme, &order, again);
    for (key, at) in [("h_lapsed", 806), ("h_confirmed", 807), ("h_undone", 808), ("h_waits", 809)] {
        let redemption =
            Redemption { asked: asked(key), reward: None, points: Some(40), order_minor: None, hold: true };
        let (request, decision) = redeem(programme, member(book), None, redemption, day(at)).unwrap();
        book.apply(&decision);
        let entry = decision.entries.last().unwrap();
        let soon = day(at) + Duration::minutes(5);
        let decided = match key {
            "h_confirmed" => Some(confirm(programme, member(book), request, soon).unwrap().1),
            "h_undone" => Some(undo(programme, member(book), request, entry, soon).unwrap().1),
            _ => None,
        };
        decided.iter().for_each(|decision| book.apply(decision));
    }
}

fn lively_books() -> Book {
    let mut programme = cnv_retail_by_tier();
    programme.campaigns = vec![Campaign { budget_points: Some(10_000), ..fast_promotion(Legs::new(120, 120)) }];
    programme.behaviours = vec![Behaviour {
        id: "share".into(),
        name: "Chia sẻ".to_owned(),
        legs: Legs::new(15, 5),
        other_side: None,
        limits: Vec::new(),
    }];
    programme.topups = vec![TopupStep { amount_minor: 1_000_000, brings: Brings::Money { minor: 30_000 } }];
    let day = |days: i64| at("2026-01-15T03:00:00Z") + Duration::days(days);
    let mut book = Book::default();
    in_campaign(&mut book, &programme, "m_active", 1, day);
    in_campaign(&mut book, &programme, "m_promoted", 2, day);
    programme.campaigns[0].bonus = Legs::new(20, 20);
    programme.campaigns[0].budget_points = None;
    in_campaign(&mut book, &programme, "m_exhausted", 2, day);
    in_every_way(&mut book, &programme, day);
    book
}

fn vouchers() -> Vec<Row> {
    let offer = |id: &str, worth| Offer {
        id: id.into(),
        name: "Voucher".to_owned(),
        worth,
        valid_days: 30,
        order_min_minor: 100_000,
    };
    let today = "2026-01-20".parse().unwrap();
    let issued_at = at("2026-01-20T03:00:00Z");
    let given = |id: &str, why: &str, offer: &Offer| Voucher {
        voucher_id: id.into(),
        code: format!("CODE-{id}"),
        grant: Grant::new(&MemberId::from("m_test"), why, offer, today),
        state: VoucherState::Issued,
        issued_at,
        used_at: None,
        used_for: None,
        reminded: false,
    };
    let mut waiting = given("v_1", "tier/silver", &offer("silver", Worth::Percent { percent: 10, most_minor: None }));
    waiting.grant = waiting.grant.for_tier(&"silver".into(), Some(25));
    let used = given("v_2", "month/2026-01", &offer("monthly", Worth::Amount { minor: 50_000 }));
    let used = used.used(Some("standard:1".into()), Some(9_000_000), today, issued_at + Duration::hours(1)).unwrap();
    // A till may be ahead of the shop's webhook.
    let ahead = given("v_3", "month/2026-02", &offer("monthly", Worth::Amount { minor: 50_000 }));
    let ahead =
        ahead.used(Some("standard:unseen".into()), Some(9_000_000), today, issued_at + Duration::hours(1)).unwrap();
    [waiting, used, ahead].iter().map(|voucher| voucher_row(voucher, 1)).collect()
}

fn message() -> Row {
    let text = r#"{"message_id":"m1","member_id":"m_test","template":"order_points_credited","variables":{"points":900},
        "state":"pending","source_entry":{"member_id":"m_test","seq":2},"created_at":"2026-01-15T03:00:00Z"}"#;
    seal(Value::from(serde_json::from_str::<serde_json::Value>(text).unwrap()).into_row().unwrap())
}

/// Two sets of books, so that each change is held against half as many rows.
fn all_rows() -> [Vec<(Table, Row)>; 2] {
    let mut rows = books().rows();
    rows.push((Table::Messages, message()));
    rows.extend(vouchers().into_iter().map(|row| (Table::Vouchers, row)));
    [rows, lively_books().rows()]
}

fn audited(rows: &[(Table, Row)]) -> Report {
    let mut audit = Audit::new();
    rows.iter().for_each(|(table, row)| audit.row(*table, row));
    audit.finish()
}

/// Every way to change one attribute of a row a little, each with the attribute's path.
fn changes(value: &Value, path: &str, changed: &mut Vec<(String, Value)>) {
    match value {
        Value::N(text) => {
            let number: i64 = text.parse().unwrap();
            changed.extend([1, -1].map(|by| (path.to_owned(), Value::N((number + by).to_string().into()))));
        }
        Value::S(text) => changed.extend(other_texts(text).map(|other| (path.to_owned(), Value::S(other.into())))),
        Value::Bool(flag) => changed.push((path.to_owned(), Value::Bool(!flag))),
        Value::M(row) => {
            for (name, inner) in row.iter().filter(|(name, _)| *name != "digest") {
                let mut inside = Vec::new();
                let path = if path.is_empty() { name.to_owned() } else { format!("{path} {name}") };
                changes(inner, &path, &mut inside);
                changed.extend(inside.into_iter().map(|(path, value)| {
                    let mut row = row.clone();
                    row.insert(name, value);
                    (path, Value::M(row))
                }));
            }
        }
        Value::L(values) => {
            for (at, inner) in values.iter().enumerate() {
                let mut inside = Vec::new();
                changes(inner, path, &mut inside);
                inside.push((format!("{path} (left out)"), inner.clone()));
                inside.push((format!("{path} (twice)"), inner.clone()));
                for (path, value) in inside {
                    let mut values = values.clone();
                    if path.ends_with("(left out)") {
                        values.remove(at);
                    } else if path.ends_with("(twice)") {
                        values.push(value);
                    } else {
                        values[at] = value;
                    }
                    changed.push((path, Value::L(values)));
                }
            }
        }
        Value::Foreign => {}
    }
}

/// Another text of the same kind: a day or an instant later, another tier, another fraction, another name.
fn other_texts(text: &str) -> impl Iterator<Item = String> + use<> {
    let tiers = ["member", "silver", "gold", "diamond"];
    let other = if let Ok(instant) = text.parse::<chrono::DateTime<chrono::Utc>>() {
        vec![(instant + Duration::days(1)), (instant - Duration::days(1))]
            .into_iter()
            .map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
            .collect()
    } else if let Ok(day) = text.parse::<chrono::NaiveDate>() {
        vec![(day + Duration::days(1)).to_string(), (day - Duration::days(1)).to_string()]
    } else if let Some((above, below)) = fraction(text) {
        vec![format!("{}/{below}", above + 1)]
    } else if tiers.contains(&text) {
        tiers.into_iter().filter(|tier| *tier != text).map(str::to_owned).collect()
    } else {
        vec![format!("{text}x")]
    };
    other.into_iter()
}

fn fraction(text: &str) -> Option<(u64, u64)> {
    let (above, below) = text.split_once('/')?;
    Some((above.parse().ok()?, below.parse().ok()?))
}

/// Every single change, with the attribute's path and the books that have it.
fn each_change(rows: &[(Table, Row)], sealed: bool, mut seen: impl FnMut(&str, String, Report)) {
    for at in 0..rows.len() {
        let (table, row) = &rows[at];
        let key = match row.get("order_id").or(row.get("member_id")) {
            Some(Value::S(key)) => key.to_string(),
            _ => String::new(),
        };
        let mut changed = Vec::new();
        changes(&Value::M(row.clone()), "", &mut changed);
        for (path, value) in changed {
            let mut row = value.into_row().unwrap();
            if sealed {
                row = seal(row);
            }
            let mut rows = rows.to_vec();
            rows[at] = (*table, row);
            seen(&key, format!("{} {path}", table.name()), audited(&rows));
        }
    }
}

#[test]
fn the_books_are_in_order_before_anybody_touches_them() {
    all_rows().iter().for_each(|rows| assert_eq!(audited(rows).findings, []));
}

#[test]
fn every_change_of_every_attribute_is_noticed() {
    let mut changes = 0;
    for rows in all_rows() {
        each_change(&rows, false, |_, path, report| {
            changes += 1;
            assert!(!report.clean(), "not noticed: {path}");
        });
    }
    assert!(changes > 1_000, "only {changes} changes were tried");
}

#[test]
fn a_digest_computed_again_hides_only_what_nothing_else_tells() {
    let mut hidden = Vec::new();
    let mut changes = 0;
    for rows in all_rows() {
        each_change(&rows, true, |key, path, report| {
            changes += 1;
            if report.clean() && !told_by_nobody(key, &path) {
                hidden.push(path);
            }
        });
    }
    hidden.sort_unstable();
    hidden.dedup();
    println!("{changes} changes; hidden: {hidden:#?}");
    let told = |path: &&String| !UNTOLD.contains(&path.as_str()) && !other_tables(path);
    let unexpected: Vec<_> = hidden.iter().filter(told).collect();
    assert_eq!(unexpected, Vec::<&String>::new());
}

/// Messages and vouchers say more than the books can prove: words, what a message told, what a voucher is worth.
fn other_tables(path: &str) -> bool {
    ["messages ", "vouchers "].iter().any(|table| path.starts_with(table))
}

#[test]
fn a_missing_or_repeated_row_is_noticed() {
    for rows in all_rows() {
        for at in 0..rows.len() {
            let name = format!("{} {:?}", rows[at].0.name(), rows[at].1.get("order_id"));
            let mut twice = rows.clone();
            twice.push(rows[at].clone());
            assert!(!audited(&twice).clean(), "not noticed twice: {name}");
            let mut missing = rows.clone();
            let (table, row) = missing.remove(at);
            // Nothing names these: an order that never counted, what follows from the books.
            let alone = matches!(table, Table::Messages | Table::Vouchers)
                || (table == Table::Orders && !row.contains_key("member_id"));
            assert!(alone || !audited(&missing).clean(), "not missed: {name}");
        }
    }
}
