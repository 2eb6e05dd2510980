//! Rules about what is in an order: multiplied, excluded and added to; above an amount, first orders, hours of the day.

use chrono::Duration;
use loyalty_domain::item_rules::{Item, Several, gathered};
use loyalty_domain::ledger::EntryKind;
use loyalty_domain::order::{OrderSnapshot, OrderStatus};
use loyalty_domain::points::Legs;
use loyalty_domain::programme::{Programme, RefundRule};
use loyalty_domain::time::Instant;
use loyalty_tests::book::Book;
use loyalty_tests::build::{at, delivered};

use crate::living::{monday, preset};

fn programme(rules: &str) -> Programme {
    preset("cnv-retail", rules)
}

fn rule(id: &str, what: &str) -> String {
    format!("[[earning_rules]]\nid = \"{id}\"\nname = \"{id}\"\n{what}\n")
}

/// An order of these lines: SKU, category, amount.
fn order(id: &str, lines: &[(&str, &str, i64)], now: Instant) -> OrderSnapshot {
    let mut order = delivered(id, lines.iter().map(|(_, _, minor)| minor).sum(), now);
    let item = |(sku, category, minor): &(&str, &str, i64)| Item {
        sku: Some((*sku).to_owned()),
        category: Some((*category).to_owned()),
        minor: *minor,
        returned_minor: 0,
    };
    order.items = gathered(lines.iter().map(item));
    order
}

/// What one order is posted, by a book that is proved.
fn earned(programme: &Programme, order: &OrderSnapshot) -> (i64, i64) {
    let mut book = Book::default();
    posted(&mut book, programme, order)
}

fn posted(book: &mut Book, programme: &Programme, order: &OrderSnapshot) -> (i64, i64) {
    book.deliver(programme, order, order.facts.updated_at);
    assert_eq!(book.audit().findings, []);
    let Legs { redeemable, qualifying } = book.posted(order.order_id.as_str());
    (redeemable.0, qualifying.0)
}

const SHIRT_AND_BOOK: [(&str, &str, i64); 2] = [("A1", "shirts", 300_000), ("B1", "books", 200_000)];

#[test]
fn a_category_or_an_sku_earns_more() {
    let shirts = programme(&rule("shirts", "categories = [\"shirts\"]\nmultiply = 2"));
    assert_eq!(earned(&shirts, &order("o", &SHIRT_AND_BOOK, monday())), (80, 50), "30 × 2 + 20; tier points stay (X2)");
    let both = "skus = [\"B1\"]\nmultiply = \"1.5\"\nmultiply_qualifying = true";
    assert_eq!(earned(&programme(&rule("b", both)), &order("o", &SHIRT_AND_BOOK, monday())), (60, 60));
    assert_eq!(earned(&shirts, &order("o", &[("B1", "books", 200_000)], monday())), (20, 20));
}

/// X31: floored once, at the end. 129.900đ × 1,5 on 64.950đ of it: 16,2375 points.
#[test]
fn rules_floor_once_at_the_end() {
    let half = programme(&rule("half", "skus = [\"A\"]\nmultiply = \"1.5\""));
    assert_eq!(earned(&half, &order("o", &[("A", "", 64_950), ("B", "", 64_950)], monday())), (16, 12));
}

#[test]
fn excluded_items_earn_nothing_whatever_else_holds() {
    let rules = rule("cards", "categories = [\"gift-cards\"]\nexclude = true") + &rule("all", "multiply = 2");
    let programme = programme(&rules);
    let lines = [("A1", "shirts", 300_000), ("G", "gift-cards", 200_000)];
    assert_eq!(earned(&programme, &order("o", &lines, monday())), (60, 30), "the rest is doubled");
    assert_eq!(earned(&programme, &order("o", &[("G", "gift-cards", 200_000)], monday())), (0, 0));
}

#[test]
fn points_on_top_come_once_and_go_with_the_order() {
    let programme = programme(&rule("new", "skus = [\"A1\"]\nadd_points = 25\nadd_qualifying_points = 5"));
    let mut book = Book::default();
    assert_eq!(posted(&mut book, &programme, &order("o", &SHIRT_AND_BOOK, monday())), (75, 55));
    let mut cancelled = order("o", &SHIRT_AND_BOOK, monday() + Duration::hours(1));
    cancelled.facts.status = OrderStatus::Cancelled;
    assert_eq!(posted(&mut book, &programme, &cancelled), (0, 0));
}

/// X24: a discount or a return is shared by the lines as their prices stand to each other.
#[test]
fn a_partial_return_takes_its_part_of_what_the_rules_brought() {
    let programme = programme(&rule("shirts", "categories = [\"shirts\"]\nmultiply = 2"));
    let mut book = Book::default();
    assert_eq!(posted(&mut book, &programme, &order("o", &SHIRT_AND_BOOK, monday())), (80, 50));
    let mut returned = order("o", &SHIRT_AND_BOOK, monday() + Duration::hours(1));
    returned.facts.refunded_minor = 250_000;
    assert_eq!(posted(&mut book, &programme, &returned), (40, 25), "half of it");
    let mut returned = order("o", &SHIRT_AND_BOOK, monday() + Duration::hours(2));
    returned.facts.refunded_minor = 500_000;
    assert_eq!(posted(&mut book, &programme, &returned), (0, 0));
}

/// The order once a line came back, as a shop says it that knows its lines.
fn without(mut order: OrderSnapshot, sku: &str) -> OrderSnapshot {
    let line = order.items.iter_mut().find(|item| item.sku.as_deref() == Some(sku)).unwrap();
    line.returned_minor = line.minor;
    (order.facts.refunded_minor, order.facts.refunded_lines_minor) = (line.minor, Some(line.minor));
    order
}

/// X24: where the shop says which line came back, its own points go, and what is kept earns as if it were all.
#[test]
fn a_line_that_comes_back_takes_what_the_rules_made_of_it() {
    let shirts = rule("shirts", "categories = [\"shirts\"]\nmultiply = 3");
    let gifts = rule("gifts", "categories = [\"gifts\"]\nexclude = true");
    let lines = [("S", "shirts", 100_000), ("G", "gifts", 100_000), ("C", "caps", 100_000)];
    // What stays of lines of which one came back: by its price, or by the money shared over all of them.
    for (came_back, exact, shared) in [("S", (10, 10), (26, 13)), ("G", (40, 20), (26, 13)), ("C", (30, 10), (26, 13))]
    {
        for (refund, left) in [(RefundRule::LineExact, exact), (RefundRule::AmountProrata, shared)] {
            let mut programme = programme(&format!("{shirts}{gifts}"));
            programme.reversal.refund = refund;
            let mut book = Book::default();
            assert_eq!(posted(&mut book, &programme, &order("o", &lines, monday())), (40, 20));
            let returned = order("o", &lines, monday() + Duration::hours(1));
            let returned = without(returned, came_back);
            assert_eq!(posted(&mut book, &programme, &returned), left, "{came_back} came back, {refund:?}");
        }
    }
}

/// I5: which of two words of one instant comes first changes nothing.
#[test]
fn of_two_words_of_one_instant_the_same_lines_count() {
    let mut programme = programme(&rule("shirts", "skus = [\"S\"]\nmultiply = 3"));
    programme.reversal.refund = RefundRule::LineExact;
    let lines = [("S", "", 100_000), ("C", "", 100_000)];
    let after = |words: [&str; 3]| {
        let mut book = Book::default();
        words.map(|sku| posted(&mut book, &programme, &without(order("o", &lines, monday()), sku)))[2]
    };
    assert_eq!(after(["S", "C", "C"]), after(["C", "S", "C"]));
    assert_eq!(after(["S", "C", "S"]), after(["C", "S", "S"]));
}

#[test]
fn the_smallest_order_the_first_order_and_the_hours() {
    let least = programme(&rule("least", "multiply = 2\nmin_order = 500000"));
    assert_eq!(earned(&least, &order("o", &SHIRT_AND_BOOK, monday())), (100, 50));
    assert_eq!(earned(&least, &order("o", &[("A1", "shirts", 499_999)], monday())), (49, 49));
    let first = programme(&rule("first", "multiply = 3\nfirst_order = true"));
    let mut book = Book::default();
    assert_eq!(posted(&mut book, &first, &order("1", &SHIRT_AND_BOOK, monday())), (150, 50));
    assert_eq!(posted(&mut book, &first, &order("2", &SHIRT_AND_BOOK, monday() + Duration::hours(1))), (50, 50));
    let night = programme(&rule("night", "multiply = 2\nfrom_hour = \"22:00\"\nuntil_hour = \"02:00\""));
    for (time, points) in [("21:59", 50), ("22:00", 100), ("01:59", 100), ("02:00", 50)] {
        let placed = at(&format!("2026-11-23T{time}:00+07:00"));
        assert_eq!(earned(&night, &order("o", &SHIRT_AND_BOOK, placed)).0, points, "{time} in the programme's zone");
    }
    let weekend = programme(&rule("weekend", "multiply = 2\nweekdays = [\"sat\", \"sun\"]"));
    assert_eq!(earned(&weekend, &order("o", &SHIRT_AND_BOOK, monday())).0, 50);
    assert_eq!(earned(&weekend, &order("o", &SHIRT_AND_BOOK, monday() + Duration::days(5))).0, 100);
    let window = "starts_at = \"2026-11-23T00:00:00+07:00\"\nends_at = \"2026-11-24T00:00:00+07:00\"";
    let day = programme(&rule("day", &format!("multiply = 2\n{window}")));
    assert_eq!(earned(&day, &order("o", &SHIRT_AND_BOOK, monday())).0, 100);
    assert_eq!(earned(&day, &order("o", &SHIRT_AND_BOOK, at("2026-11-24T00:00:00+07:00"))).0, 50, "X7: local midnight");
}

#[test]
fn several_rules_all_the_best_or_the_first() {
    let rules = rule("all-double", "multiply = 2") + &rule("shirts", "categories = [\"shirts\"]\nmultiply = 5");
    let by = |several| {
        let mut programme = programme(&rules);
        programme.several_rules = several;
        earned(&programme, &order("o", &SHIRT_AND_BOOK, monday())).0
    };
    use loyalty_domain::item_rules::Several;
    assert_eq!(by(Several::All), 50 + 50 + 120);
    assert_eq!(by(Several::Best), 50 + 120);
    assert_eq!(by(Several::First), 50 + 50);
}

/// I9: what the programme says later changes nothing about an order that has earned.
#[test]
fn rules_are_pinned_with_the_order() {
    let mut book = Book::default();
    let before = programme(&rule("shirts", "categories = [\"shirts\"]\nmultiply = 2"));
    let after = programme(&rule("shirts", "categories = [\"shirts\"]\nmultiply = 7"));
    assert_eq!(posted(&mut book, &before, &order("o", &SHIRT_AND_BOOK, monday())), (80, 50));
    let raised = [("A1", "shirts", 400_000), ("B1", "books", 200_000)];
    let later = monday() + Duration::hours(1);
    assert_eq!(posted(&mut book, &after, &order("o", &raised, later)), (100, 60));
    let none = preset("cnv-retail", "");
    let mut returned = order("o", &raised, later + Duration::hours(1));
    returned.facts.refunded_minor = 300_000;
    assert_eq!(posted(&mut book, &none, &returned), (50, 30));
}

/// Another rule may be the best for another amount, and bring more of one kind of points and less of the other: both are
/// posted, each way as its own entry.
#[test]
fn another_best_rule_moves_both_kinds_of_points() {
    let rules = rule("double", "multiply = 2") + &rule("thirty", "add_points = 30\nadd_qualifying_points = 30");
    let programme = Programme { several_rules: Several::Best, ..programme(&rules) };
    let mut book = Book::default();
    let of = |minor: i64, hours: i64| order("o", &[("A1", "shirts", minor)], monday() + Duration::hours(hours));
    assert_eq!(posted(&mut book, &programme, &of(200_000, 0)), (50, 50), "20 + 30 rather than 20 × 2");
    assert_eq!(posted(&mut book, &programme, &of(350_000, 1)), (70, 35), "35 × 2 rather than 35 + 30");
    assert_eq!(posted(&mut book, &programme, &of(200_000, 2)), (50, 50));
    let entries = &book.histories[&"m_test".into()];
    let told: Vec<_> = entries.iter().map(|entry| (entry.kind, entry.legs)).collect();
    let (taken, given) = (EntryKind::Reversal, EntryKind::Accrual);
    let legs = Legs::new;
    assert_eq!(
        told,
        [
            (given, legs(50, 50)),
            (taken, legs(0, -15)),
            (given, legs(20, 0)),
            (taken, legs(-20, 0)),
            (given, legs(0, 15))
        ]
    );
    let mut cancelled = of(200_000, 3);
    cancelled.facts.status = OrderStatus::Cancelled;
    assert_eq!(posted(&mut book, &programme, &cancelled), (0, 0));
}
