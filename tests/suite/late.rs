//! What comes late: reversals of points that were spent, expired or came back (X21–X23, X28), and orders that change
//! hands (F23).

use loyalty_contract::programme::ProgrammeFile;
use loyalty_domain::ids::MemberId;
use loyalty_domain::member::Profile;
use loyalty_domain::order::{OrderSnapshot, OrderStatus};
use loyalty_domain::points::Legs;
use loyalty_domain::programme::{NegativeBalance, Programme, Welcome, WelcomeWhen};
use loyalty_domain::time::Instant;
use loyalty_tests::book::Book;
use loyalty_tests::build::{at, cnv_retail, delivered};

fn cancelled(mut order: OrderSnapshot, updated_at: Instant) -> OrderSnapshot {
    order.facts.status = OrderStatus::Cancelled;
    order.facts.updated_at = updated_at;
    order
}

fn returned(mut order: OrderSnapshot, refunded_minor: i64, updated_at: Instant) -> OrderSnapshot {
    order.facts.refunded_minor = refunded_minor;
    order.facts.updated_at = updated_at;
    order
}

fn proved(book: &Book) {
    assert_eq!(book.audit().findings, []);
}

/// An order of January that earned 100 points.
fn earned(programme: &Programme) -> (Book, OrderSnapshot) {
    let mut book = Book::default();
    let order = delivered("o", 1_000_000, at("2026-01-15T03:00:00Z"));
    book.deliver(programme, &order, at("2026-01-15T03:00:00Z"));
    (book, order)
}

/// The same, some of whose points were spent in February and given back later.
fn given_back(programme: &Programme, points: i64, given_back_at: Instant) -> (Book, OrderSnapshot) {
    let (mut book, order) = earned(programme);
    let redemption = book.spend(programme, "m_test", points, at("2026-02-01T03:00:00Z"));
    book.undo(programme, &redemption, given_back_at);
    (book, order)
}

/// X23: points that were spent, given back and then expired have been removed once; a late cancel takes nothing more.
#[test]
fn points_restored_and_then_expired_are_not_owed_again() {
    let programme = cnv_retail();
    let (mut book, order) = given_back(&programme, 100, at("2026-02-02T03:00:00Z"));
    let late = at("2027-03-01T03:00:00Z");
    book.deliver(&programme, &cancelled(order, late), late);
    assert_eq!(book.member().balance, Legs::ZERO);
    proved(&book);
}

/// X40: what is undone after its lot's last day returns to that lot, and goes with it at once.
#[test]
fn points_restored_after_their_last_day_cannot_be_spent() {
    let (book, _) = given_back(&cnv_retail(), 60, at("2027-03-01T03:00:00Z"));
    assert_eq!(book.member().balance.redeemable.0, 0);
    proved(&book);
}

/// X23: points that expired have been removed once, also when the order was raised afterwards and got new ones.
#[test]
fn points_that_expired_before_a_raise_are_not_owed_again() {
    let programme = cnv_retail();
    let (mut book, order) = earned(&programme);
    let raised_at = at("2027-03-01T03:00:00Z");
    let mut raised = delivered("o", 1_500_000, raised_at);
    raised.facts.placed_at = order.facts.placed_at;
    book.deliver(&programme, &raised, raised_at);
    assert_eq!(book.member().balance.redeemable.0, 50);
    let late = at("2027-03-02T03:00:00Z");
    book.deliver(&programme, &cancelled(raised, late), late);
    assert_eq!(book.member().balance.redeemable.0, 0);
    proved(&book);
}

/// X22, X28: an order whose reversal was written off in part is not paid twice when it comes back.
#[test]
fn what_was_written_off_is_not_credited_again() {
    let mut programme = cnv_retail();
    programme.reversal.negative_balance = NegativeBalance::Clamp;
    let mut book = Book::default();
    let order = delivered("o", 1_500_000, at("2026-01-15T03:00:00Z"));
    book.deliver(&programme, &order, at("2026-01-15T03:00:00Z"));
    book.spend(&programme, "m_test", 100, at("2026-01-16T03:00:00Z"));
    book.deliver(&programme, &cancelled(order.clone(), at("2026-01-17T03:00:00Z")), at("2026-01-17T03:00:00Z"));
    let again = delivered("o", 1_500_000, at("2026-01-18T03:00:00Z"));
    book.deliver(&programme, &again, at("2026-01-18T03:00:00Z"));
    // 150 earned in all, 100 of them spent.
    assert_eq!(book.member().balance.redeemable.0, 50);
    proved(&book);
}

/// F23: a later snapshot that names somebody else does not put that person's phone on the member who was credited.
#[test]
fn a_credited_order_does_not_carry_a_stranger_into_the_members_profile() {
    let programme = cnv_retail();
    let mut book = Book::default();
    let phone = |phone: &str| Profile { phone: Some(phone.to_owned()), ..Profile::default() };
    let mut order = delivered("o", 1_000_000, at("2026-01-15T03:00:00Z"));
    order.profile = phone("84900000001");
    book.deliver(&programme, &order, at("2026-01-15T03:00:00Z"));
    let mut moved = cancelled(order, at("2026-01-16T03:00:00Z"));
    moved.member_id = Some(MemberId::from("m_other"));
    moved.profile = phone("84900000002");
    book.deliver(&programme, &moved, at("2026-01-16T03:00:00Z"));
    assert_eq!(book.member().profile, phone("84900000001"));
    proved(&book);
}

/// I5: of two snapshots of the same version that name different members, the same one counts whichever comes first.
#[test]
fn two_names_at_the_same_instant_are_settled_by_content_not_by_arrival() {
    let programme = cnv_retail();
    let placed = at("2026-01-15T03:00:00Z");
    let mut first = delivered("o", 1_000_000, placed);
    first.facts.status = OrderStatus::Confirmed;
    let mut second = first.clone();
    second.member_id = Some(MemberId::from("m_other"));
    second.facts.status = OrderStatus::Shipping;
    let owner = |snapshots: [&OrderSnapshot; 2]| {
        let mut book = Book::default();
        for snapshot in snapshots {
            book.deliver(&programme, snapshot, placed);
        }
        proved(&book);
        book.orders.values().next().unwrap().owner.clone()
    };
    assert_eq!(owner([&first, &second]), owner([&second, &first]));
}

/// R6, X25: an old "cancelled" that arrives late bars welcome points whenever it arrives, also when it arrives before the
/// order becomes somebody's first one.
#[test]
fn a_late_cancel_bars_welcome_points_in_any_order() {
    let programme = welcoming();
    let (t1, t2, t3, t4) = (
        at("2026-01-15T03:00:00Z"),
        at("2026-01-15T04:00:00Z"),
        at("2026-01-15T05:00:00Z"),
        at("2026-01-15T06:00:00Z"),
    );
    let mut pending = delivered("o", 1_000_000, t1);
    pending.facts.status = OrderStatus::Pending;
    let cancelled = cancelled(pending.clone(), t2);
    let mut reopened = pending.clone();
    reopened.facts.updated_at = t3;
    let mut moved = delivered("o", 1_000_000, t4);
    moved.member_id = Some(MemberId::from("m_other"));
    let posted = |snapshots: [&OrderSnapshot; 4]| {
        let mut book = Book::default();
        book.deliver(&programme, &delivered("older", 100_000, t1), t1);
        for snapshot in snapshots {
            book.deliver(&programme, snapshot, t4);
        }
        proved(&book);
        book.posted("o")
    };
    let in_order = posted([&pending, &cancelled, &reopened, &moved]);
    assert_eq!(posted([&pending, &reopened, &cancelled, &moved]), in_order);
}

/// A part that had expired is the first that a partial return gives up: the customer owes only what they spent beyond
/// what the order still deserves (X23, X24).
#[test]
fn a_partial_return_takes_the_expired_part_first() {
    let programme = cnv_retail();
    let (mut book, order) = earned(&programme);
    book.spend(&programme, "m_test", 40, at("2026-02-01T03:00:00Z"));
    let late = at("2027-03-01T03:00:00Z");
    book.deliver(&programme, &returned(order, 500_000, late), late);
    // 50 deserved, 40 spent, the other 10 expired: nothing is owed.
    assert_eq!(book.member().balance.redeemable.0, 0);
    proved(&book);
}

/// X21: an order that was raised in a later cycle and is then cancelled gives back what that cycle saw of it, and nothing
/// else of that cycle's.
#[test]
fn a_raise_of_a_later_cycle_is_taken_from_that_cycle() {
    let (earned, raised_at, late) =
        (at("2026-01-15T03:00:00Z"), at("2027-03-01T03:00:00Z"), at("2027-03-02T03:00:00Z"));
    let after = |late_debits_current: bool| {
        let mut programme = cnv_retail();
        programme.reversal.late_debits_current = late_debits_current;
        let mut book = Book::default();
        book.deliver(&programme, &delivered("o", 1_000_000, earned), earned);
        let mut raised = delivered("o", 1_500_000, raised_at);
        raised.facts.placed_at = earned;
        book.deliver(&programme, &raised, raised_at);
        book.deliver(&programme, &delivered("other", 800_000, raised_at), raised_at);
        assert_eq!(book.member().balance.qualifying.0, 50 + 80, "the first 100 are of the cycle that is over");
        proved(&book);
        let part = returned(raised.clone(), 300_000, late);
        book.deliver(&programme, &part, late);
        assert_eq!(book.member().balance.qualifying.0, 20 + 80, "what came last goes first");
        book.deliver(&programme, &cancelled(raised, at("2027-03-03T03:00:00Z")), at("2027-03-03T03:00:00Z"));
        proved(&book);
        book.member().balance.qualifying.0
    };
    assert_eq!(after(false), 80);
    assert_eq!(after(true), 80 - 100, "late_reversal_tier = debit_current");
}

/// X21, X28: an order whose points were of an earlier cycle, and that comes back and goes again, takes nothing from the
/// current one either time.
#[test]
fn an_order_of_an_earlier_cycle_comes_and_goes_without_the_current_one() {
    let programme = cnv_retail();
    let mut book = Book::default();
    let (earned, late) = (at("2026-01-15T03:00:00Z"), at("2027-03-01T03:00:00Z"));
    let order = delivered("o", 1_000_000, earned);
    book.deliver(&programme, &order, earned);
    book.deliver(&programme, &delivered("other", 800_000, late), late);
    for day in [2, 4] {
        let gone = late + chrono::Duration::days(day);
        book.deliver(&programme, &cancelled(order.clone(), gone), gone);
        assert_eq!(book.member().balance.qualifying.0, 80, "gone on day {day}");
        let back = gone + chrono::Duration::days(1);
        let mut again = delivered("o", 1_000_000, back);
        again.facts.placed_at = earned;
        book.deliver(&programme, &again, back);
        assert_eq!(book.member().balance.qualifying.0, 80, "it had its points in the cycle that is over");
        proved(&book);
    }
}

fn welcoming() -> Programme {
    let welcome = Welcome { points: 100, when: WelcomeWhen::Immediate, regrant: false };
    Programme { welcome: Some(welcome), ..cnv_retail() }
}

/// T10, F24: a review that is done late is decided by the version of its day, and the tier it leaves is held since then.
#[test]
fn a_late_review_is_decided_by_the_version_that_was_in_force() {
    let change = "[[changes]]\neffective_from = \"2027-01-18\"\n[changes.review]\ndowngrade = \"to_base\"\n";
    let file = format!("{}\n{change}", include_str!("../../infra/programmes/cnv-retail.toml"));
    let file = ProgrammeFile::parse(&file).unwrap();
    let (first, due) = (at("2026-01-15T03:00:00Z"), at("2027-01-14T17:00:00Z"));
    for looked_at in [due, at("2027-01-16T03:00:00Z"), at("2027-01-20T03:00:00Z"), at("2027-05-01T03:00:00Z")] {
        let mut book = Book::default();
        book.deliver(&file.at(first).programme, &delivered("o", 8_000_000, first), first);
        assert_eq!(book.member().tier.as_str(), "gold");
        // It was reached a year before, in the cycle that is over now.
        book.deliver(&file.at(looked_at).programme, &delivered("p", 10_000, looked_at), looked_at);
        let member = book.member();
        assert_eq!(member.tier.as_str(), "gold", "the first cycle's points keep it");
        proved(&book);
        let (second, now) = (at("2028-01-14T17:00:00Z"), at("2028-02-01T03:00:00Z"));
        book.deliver(&file.at(now).programme, &delivered("q", 10_000, now), now);
        assert_eq!((book.member().tier.as_str(), book.member().tier_since), ("member", second), "{looked_at}");
        proved(&book);
    }
    // Missed while one level was the rule: late or not, it is one level, since the day it was due.
    let (start, due) = (at("2025-01-16T03:00:00Z"), at("2027-01-15T17:00:00Z"));
    for looked_at in [due, at("2027-01-16T03:00:00Z"), at("2027-01-20T03:00:00Z"), at("2027-05-01T03:00:00Z")] {
        let mut book = Book::default();
        book.deliver(&file.at(start).programme, &delivered("o", 8_000_000, start), start);
        book.deliver(&file.at(looked_at).programme, &delivered("p", 10_000, looked_at), looked_at);
        let member = book.member();
        assert_eq!((member.tier.as_str(), member.tier_since), ("silver", due), "{looked_at}");
        proved(&book);
    }
}
