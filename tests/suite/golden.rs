//! The worked examples, each by its id, over the domain and the shipped presets. "Legs" are redeemable and qualifying.

use chrono::Duration;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_domain::ledger::EntryKind;
use loyalty_domain::lots::{Expiry, Lot};
use loyalty_domain::order::{OrderSnapshot, OrderStatus, PaymentStatus};
use loyalty_domain::points::{Legs, Ratio, Rounding};
use loyalty_domain::programme::{ExpiryRule, NegativeBalance, Programme, RoundTo, Tier, Tiers, Welcome, WelcomeWhen};
use loyalty_domain::time::Instant;
use loyalty_tests::book::Book;
use loyalty_tests::build::{at, delivered, member_in, ratio};

fn preset(name: &str) -> Programme {
    let path = format!("{}/../infra/programmes/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let file = ProgrammeFile::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    file.at(start()).programme.clone()
}

fn start() -> Instant {
    at("2026-01-15T03:00:00Z")
}

fn after_hours(hours: i64) -> Instant {
    start() + Duration::hours(hours)
}

/// The order as it is so many hours later.
fn then(order: &OrderSnapshot, hours: i64, change: impl FnOnce(&mut OrderSnapshot)) -> OrderSnapshot {
    let mut next = order.clone();
    next.facts.updated_at = after_hours(hours);
    change(&mut next);
    next
}

fn cancel(order: &mut OrderSnapshot) {
    order.facts.status = OrderStatus::Cancelled;
}

/// A book whose only member holds a tier.
fn book_in(programme: &Programme, tier: &str) -> Book {
    Book::of(member_in(programme, tier, start()))
}

/// Delivers at the snapshot's own instant, proves the book, and answers the legs posted.
fn deliver(book: &mut Book, programme: &Programme, order: &OrderSnapshot) -> Vec<Legs> {
    let entries = book.deliver(programme, order, order.facts.updated_at);
    assert_eq!(book.audit().findings, []);
    entries.iter().map(|entry| entry.legs).collect()
}

fn earned(programme: &Programme, tier: &str, order: &OrderSnapshot) -> (i64, i64) {
    let mut book = book_in(programme, tier);
    deliver(&mut book, programme, order);
    let balance = book.member().balance;
    (balance.redeemable.0, balance.qualifying.0)
}

const TIERS: [&str; 4] = ["member", "silver", "gold", "diamond"];

#[test]
fn sd1_the_mini_app_programme_multiplies_redeemable_points() {
    let programme = preset("cnv-miniapp");
    let mut order = delivered("A", 530_000, start());
    order.facts.shipping_minor = 30_000;
    let legs = TIERS.map(|tier| earned(&programme, tier, &order));
    assert_eq!(legs, [(500, 500), (600, 500), (650, 500), (750, 500)]);
}

#[test]
fn sd2_a_fraction_is_dropped_once_at_the_end() {
    let order = delivered("A", 129_900, start());
    let legs = TIERS.map(|tier| earned(&preset("cnv-miniapp"), tier, &order));
    assert_eq!(legs, [(129, 129), (155, 129), (168, 129), (194, 129)]);
}

#[test]
fn sd3_mechanism_two_adds_to_redeemable_points() {
    let order = delivered("A", 500_000, start());
    let legs = TIERS.map(|tier| earned(&preset("cnv-retail-by-tier"), tier, &order));
    assert_eq!(legs, [(50, 50), (60, 50), (65, 50), (75, 50)]);
}

#[test]
fn sd7_a_cancelled_order_gives_back_exactly_what_it_got() {
    let programme = preset("cnv-miniapp");
    let mut book = book_in(&programme, "gold");
    let order = delivered("A", 129_900, start());
    assert_eq!(deliver(&mut book, &programme, &order), [Legs::new(168, 129)]);
    assert_eq!(deliver(&mut book, &programme, &then(&order, 1, cancel)), [Legs::new(-168, -129)]);
    assert_eq!(book.member().balance, Legs::ZERO);
}

#[test]
fn sd8_an_order_promotes_as_soon_as_the_threshold_is_met() {
    let programme = preset("cnv-retail");
    let mut book = Book::default();
    deliver(&mut book, &programme, &delivered("old", 1_500_000, start()));
    assert_eq!(book.member().tier.as_str(), "member");
    deliver(&mut book, &programme, &delivered("A", 600_000, after_hours(1)));
    assert_eq!((book.member().balance.qualifying.0, book.member().tier.as_str()), (210, "silver"));
}

#[test]
fn sd9_cancelling_it_takes_the_tier_unless_it_was_carried_in() {
    let programme = preset("cnv-retail");
    let order = delivered("A", 600_000, after_hours(1));
    let run = |mut book: Book| {
        deliver(&mut book, &programme, &delivered("old", 1_500_000, start()));
        deliver(&mut book, &programme, &order);
        deliver(&mut book, &programme, &then(&order, 2, cancel));
        book.member().tier.clone()
    };
    assert_eq!(run(Book::default()).as_str(), "member");
    assert_eq!(run(book_in(&programme, "silver")).as_str(), "silver");
}

#[test]
fn sd10_welcome_points_go_with_the_first_order_once() {
    let welcome = Welcome { points: 100, when: WelcomeWhen::Immediate, regrant: false };
    let programme = Programme { welcome: Some(welcome), ..preset("cnv-retail") };
    let mut book = Book::default();
    let order = then(&delivered("A", 500_000, start()), 0, |order| order.facts.status = OrderStatus::Pending);
    assert_eq!(deliver(&mut book, &programme, &order), [Legs::new(100, 0)]);
    assert_eq!(deliver(&mut book, &programme, &then(&order, 1, cancel)), [Legs::new(-100, 0)]);
    assert_eq!(deliver(&mut book, &programme, &then(&order, 2, cancel)), []);
    assert_eq!(deliver(&mut book, &programme, &then(&order, 3, |_| {})), []);
}

#[test]
fn sd11_a_cancel_that_comes_first_leaves_nothing_to_credit() {
    let programme = preset("cnv-retail");
    let mut book = Book::default();
    let order = delivered("A", 500_000, start());
    assert_eq!(deliver(&mut book, &programme, &then(&order, 1, cancel)), []);
    assert_eq!(deliver(&mut book, &programme, &order), []);
}

#[test]
fn sd12_delivered_again_is_credited_again_once() {
    let programme = preset("cnv-retail");
    let mut book = Book::default();
    let order = delivered("A", 500_000, start());
    deliver(&mut book, &programme, &order);
    deliver(&mut book, &programme, &then(&order, 1, cancel));
    let again = then(&order, 2, |_| {});
    assert_eq!(deliver(&mut book, &programme, &again), [Legs::new(50, 50)]);
    assert_eq!(deliver(&mut book, &programme, &again), []);
    assert_eq!(book.orders.values().next().unwrap().credits[0].generation, 2);
}

#[test]
fn sd13_five_partial_returns_add_up_exactly() {
    let programme = preset("cnv-retail");
    let mut book = Book::default();
    let order = delivered("A", 95_000, start());
    assert_eq!(deliver(&mut book, &programme, &order), [Legs::new(9, 9)]);
    let debits = [1, 2, 3, 4, 5].map(|part| {
        let returned = then(&order, part, |order| order.facts.refunded_minor = 19_000 * part);
        deliver(&mut book, &programme, &returned)[0].redeemable.0
    });
    assert_eq!(debits, [-2, -2, -2, -2, -1]);
}

/// One đồng is one point, nothing expires, and amounts are points.
fn one_to_one() -> Programme {
    let mut programme = preset("cnv-retail");
    programme.earning.rate = Ratio::ONE;
    programme.expiry = ExpiryRule::Never;
    programme
}

fn lot(day: &str, points: i64) -> Lot {
    Lot { expiry: Expiry::On(day.parse().unwrap()), points }
}

fn never(points: i64) -> Lot {
    Lot { expiry: Expiry::Never, points }
}

#[test]
fn st1_earning_and_spending_leave_one_lot() {
    let (programme, mut book) = (one_to_one(), Book::default());
    deliver(&mut book, &programme, &delivered("A", 100, start()));
    book.spend(&programme, "m_test", 30, after_hours(1));
    assert_eq!((book.member().balance.redeemable.0, book.member().lots.as_slice()), (70, &[never(70)][..]));
}

#[test]
fn st2_the_lot_that_expires_sooner_is_used_first() {
    let month_end = ExpiryRule::Months { months: 12, round_to: RoundTo::MonthEnd };
    let (programme, mut book) = (Programme { expiry: month_end, ..one_to_one() }, Book::default());
    deliver(&mut book, &programme, &delivered("January", 100, start()));
    deliver(&mut book, &programme, &delivered("June", 100, at("2026-06-10T03:00:00Z")));
    book.spend(&programme, "m_test", 100, at("2026-06-11T03:00:00Z"));
    assert_eq!(book.member().lots.as_slice(), [lot("2027-06-30", 100)]);
}

#[test]
fn st3_never_expiring_points_are_used_last() {
    let month_end = ExpiryRule::Months { months: 12, round_to: RoundTo::MonthEnd };
    let (forever, mut book) = (one_to_one(), Book::default());
    let expiring = Programme { expiry: month_end, ..one_to_one() };
    deliver(&mut book, &forever, &delivered("A", 100, start()));
    deliver(&mut book, &expiring, &delivered("B", 100, after_hours(1)));
    book.spend(&expiring, "m_test", 100, after_hours(2));
    assert_eq!(book.member().lots.as_slice(), [never(100)]);
}

#[test]
fn st6_a_debt_is_paid_before_a_lot_is_opened() {
    let (programme, mut book) = (one_to_one(), Book::default());
    let order = delivered("A", 80, start());
    deliver(&mut book, &programme, &order);
    book.spend(&programme, "m_test", 30, after_hours(1));
    assert_eq!(book.member().balance.redeemable.0, 50);
    assert_eq!(deliver(&mut book, &programme, &then(&order, 2, cancel)), [Legs::new(-80, -80)]);
    assert_eq!((book.member().debt(), book.member().redeemable_points()), (30, 0));
    deliver(&mut book, &programme, &delivered("B", 100, after_hours(3)));
    let member = book.member();
    assert_eq!((member.balance.redeemable.0, member.debt(), member.lots.as_slice()), (70, 0, &[never(70)][..]));
}

#[test]
fn st9_a_reversal_of_spent_points_makes_debt_or_is_written_off() {
    let reversed = |policy| {
        let (mut programme, mut book) = (one_to_one(), Book::default());
        programme.reversal.negative_balance = policy;
        let order = delivered("A", 150, start());
        deliver(&mut book, &programme, &order);
        book.spend(&programme, "m_test", 100, after_hours(1));
        let entries = book.deliver(&programme, &then(&order, 2, cancel), after_hours(2));
        assert_eq!(book.audit().findings, []);
        let member = book.member();
        let entry = &entries[0];
        let took = (entry.legs.redeemable.0, entry.written_off.redeemable.0);
        (member.balance.redeemable.0, member.redeemable_points(), member.debt(), took)
    };
    assert_eq!(reversed(NegativeBalance::Allow), (-100, 0, 100, (-150, 0)));
    assert_eq!(reversed(NegativeBalance::Clamp), (0, 0, 0, (-50, 100)));
}

/// A ladder with one tier, whose factor is given.
fn flat(multiplier: Ratio) -> Tiers {
    let tier = Tier::new("member".into(), "Member", 0, multiplier);
    Tiers::new(vec![tier]).unwrap()
}

#[test]
fn st11_nineteen_points_times_one_and_a_half() {
    let points = [Rounding::Floor, Rounding::HalfUp, Rounding::Ceil].map(|round| {
        let mut programme = Programme { tiers: flat(ratio(3, 2)), ..one_to_one() };
        programme.earning.round = round;
        earned(&programme, "member", &delivered("A", 19, start())).0
    });
    assert_eq!(points, [28, 29, 29]);
}

#[test]
fn ha1_one_and_a_half_points() {
    let points = [Rounding::Floor, Rounding::HalfUp].map(|round| {
        let mut programme = preset("cnv-retail");
        programme.earning.round = round;
        earned(&programme, "member", &delivered("A", 15_000, start())).0
    });
    assert_eq!(points, [1, 2]);
}

#[test]
fn ol18_half_the_order_back_is_half_the_points_back() {
    let (mut programme, mut book) = (one_to_one(), Book::default());
    programme.earning.rate = ratio(70, 40);
    let order = delivered("A", 40, start());
    assert_eq!(deliver(&mut book, &programme, &order), [Legs::new(70, 70)]);
    let half = then(&order, 1, |order| {
        order.facts.refunded_minor = 20;
        order.facts.payment = PaymentStatus::PartiallyRefunded;
    });
    assert_eq!(deliver(&mut book, &programme, &half), [Legs::new(-35, -35)]);
}

#[test]
fn en1_the_tier_is_the_highest_whose_threshold_is_reached() {
    let mut tiers = flat(Ratio::ONE).as_slice().to_vec();
    for (id, threshold) in [("second", 10_000), ("third", 20_000)] {
        tiers.push(Tier { id: id.into(), threshold, ..tiers[0].clone() });
    }
    let programme = Programme { tiers: Tiers::new(tiers).unwrap(), ..one_to_one() };
    let tier = |before: i64, this: i64| {
        let mut book = Book::default();
        deliver(&mut book, &programme, &delivered("before", before, start()));
        deliver(&mut book, &programme, &delivered("this", this, after_hours(1)));
        book.member().tier.as_str().to_owned()
    };
    let cases = [(0, 6_000), (0, 15_000), (4_000, 500), (8_000, 3_000), (18_000, 3_000)];
    assert_eq!(cases.map(|(before, this)| tier(before, this)), ["member", "second", "member", "second", "third"]);
}

#[test]
fn nc2_a_cancel_and_a_returned_redemption_leave_what_was_earned() {
    let (programme, mut book) = (one_to_one(), Book::default());
    deliver(&mut book, &programme, &delivered("A", 50, start()));
    let redemption = book.spend(&programme, "m_test", 50, after_hours(1));
    let order = delivered("B", 21, after_hours(2));
    deliver(&mut book, &programme, &order);
    deliver(&mut book, &programme, &then(&order, 3, cancel));
    let restored = book.undo(&programme, &redemption, after_hours(4));
    assert_eq!(restored[0].kind, EntryKind::Restoration);
    assert_eq!((book.member().balance.redeemable.0, book.member().lots.as_slice()), (50, &[never(50)][..]));
    assert_eq!(book.audit().findings, []);
}

#[test]
fn sm1_a_refund_does_not_ask_todays_rule() {
    for rate in [ratio(2, 1), ratio(0, 1)] {
        let (programme, mut book) = (one_to_one(), Book::default());
        let order = delivered("A", 50, start());
        deliver(&mut book, &programme, &order);
        let mut changed = one_to_one();
        changed.earning.rate = rate;
        assert_eq!(deliver(&mut book, &changed, &then(&order, 1, cancel)), [Legs::new(-50, -50)]);
    }
}
