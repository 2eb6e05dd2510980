//! The worked examples about campaigns, each by its id.

use chrono::Duration;
use loyalty_domain::campaign::ParticipationState;
use loyalty_domain::ledger::EntryKind;
use loyalty_domain::order::{OrderStatus, PaymentStatus};
use loyalty_domain::points::Legs;
use loyalty_tests::book::Book;

use crate::living::{Shop, bonus, later, monday, order, preset};

#[test]
fn sd5_one_order_seen_five_times_brings_one_bonus() {
    let mut shop = Shop::with_old_order(preset("cnv-retail", ""), 100_000);
    assert!(shop.monday(monday()), "the member is invited");
    assert_eq!(shop.participation(), (0, 2, ParticipationState::Active));
    let placed = order("A", 300_000, OrderStatus::Pending, PaymentStatus::Unpaid, later(1));
    let mut posted = Vec::new();
    for (hours, status, payment) in [
        (1, OrderStatus::Pending, PaymentStatus::Unpaid),
        (2, OrderStatus::Confirmed, PaymentStatus::Unpaid),
        (3, OrderStatus::Shipping, PaymentStatus::Unpaid),
        (4, OrderStatus::Delivered, PaymentStatus::Paid),
        (5, OrderStatus::Delivered, PaymentStatus::Paid),
    ] {
        let mut seen = placed.clone();
        (seen.facts.status, seen.facts.payment, seen.facts.updated_at) = (status, payment, later(hours));
        posted.push(shop.deliver(&seen));
    }
    let base = (EntryKind::Accrual, Legs::new(30, 30));
    assert_eq!(posted, [vec![bonus(150)], vec![], vec![], vec![base], vec![]]);
    assert_eq!(shop.participation(), (1, 1, ParticipationState::Active));
}

#[test]
fn sd6_the_second_order_uses_the_last_participation() {
    let mut shop = Shop::with_old_order(preset("cnv-miniapp", ""), 10_000);
    shop.monday(monday());
    let paid = |id: &str, hours| order(id, 20_000, OrderStatus::Delivered, PaymentStatus::Paid, later(hours));
    let base = (EntryKind::Accrual, Legs::new(20, 20));
    assert_eq!(shop.deliver(&paid("A", 1)), [base, bonus(150)]);
    assert_eq!(shop.deliver(&paid("B", 2)), [base, bonus(150)]);
    assert_eq!(shop.participation(), (2, 0, ParticipationState::Exhausted));
    assert_eq!(shop.last().participations[0].state, ParticipationState::Exhausted);
    assert_eq!(shop.deliver(&paid("C", 3)), [base], "no bonus after the last participation");
    assert_eq!(shop.tier(), "member");
    assert!(!shop.monday(later(7 * 24)), "who is exhausted is not written to (C3)");
}

#[test]
fn sd7_a_cancel_takes_back_what_the_order_got() {
    let mut shop = Shop::with_old_order(preset("cnv-miniapp", ""), 10_000);
    shop.monday(monday());
    let paid = order("A", 20_000, OrderStatus::Delivered, PaymentStatus::Paid, later(1));
    shop.deliver(&paid);
    let mut cancelled = paid.clone();
    (cancelled.facts.status, cancelled.facts.updated_at) = (OrderStatus::Cancelled, later(2));
    let taken = shop.deliver(&cancelled);
    assert_eq!(taken, [(EntryKind::Reversal, Legs::new(-20, -20)), (EntryKind::Reversal, Legs::new(-150, -150))]);
    assert_eq!(shop.participation(), (1, 1, ParticipationState::Active), "participations stay (X18)");
    let mut again = paid.clone();
    again.facts.updated_at = later(3);
    assert_eq!(shop.deliver(&again), [(EntryKind::Accrual, Legs::new(20, 20)), bonus(150)], "SD12, X46");
    assert_eq!(shop.participation(), (1, 1, ParticipationState::Active));
}

#[test]
fn sd8_and_sd9_promotion_completes_and_a_cancel_undoes_the_tier() {
    let mut shop = Shop::with_old_order(preset("cnv-retail", ""), 5_000);
    shop.monday(monday());
    let placed = order("A", 600_000, OrderStatus::Pending, PaymentStatus::Unpaid, later(1));
    assert_eq!(shop.deliver(&placed), [bonus(150)]);
    let mut paid = placed.clone();
    (paid.facts.status, paid.facts.payment) = (OrderStatus::Delivered, PaymentStatus::Paid);
    paid.facts.updated_at = later(2);
    assert_eq!(shop.deliver(&paid), [(EntryKind::Accrual, Legs::new(60, 60))]);
    assert_eq!((shop.tier(), shop.balance()), ("silver", (210, 210)));
    assert_eq!(shop.participation(), (1, 1, ParticipationState::Completed));
    assert_eq!(shop.last().participations[0].state, ParticipationState::Completed, "the entry tells it");
    let next = order("B", 100_000, OrderStatus::Pending, PaymentStatus::Unpaid, later(3));
    assert_eq!(shop.deliver(&next), [], "no further bonus (C4)");
    assert!(!shop.monday(later(7 * 24)), "no further message (C4)");
    let mut cancelled = paid.clone();
    (cancelled.facts.status, cancelled.facts.updated_at) = (OrderStatus::Cancelled, later(200));
    shop.deliver(&cancelled);
    assert_eq!((shop.tier(), shop.balance()), ("member", (0, 0)), "R5");
    assert_eq!(shop.participation(), (1, 1, ParticipationState::Completed), "X19");
    assert!(!shop.monday(later(14 * 24)));
}

#[test]
fn x16_the_order_that_made_the_member_eligible_is_not_paid() {
    let mut shop = Shop::with_old_order(preset("cnv-retail", ""), 100_000);
    shop.monday(monday());
    let mut touched = order("old", 100_000, OrderStatus::Delivered, PaymentStatus::Paid, later(-7 * 24));
    touched.facts.updated_at = later(1);
    assert_eq!(shop.deliver(&touched), []);
    assert_eq!(shop.participation(), (0, 2, ParticipationState::Active));
}

/// A page of the run that is carried out late may meet a member who became one after the run had begun (X16).
#[test]
fn x16_holds_for_a_run_that_comes_late() {
    let mut shop = Shop { programme: preset("cnv-retail", ""), book: Book::default() };
    let placed_at = monday() + Duration::minutes(5);
    let first = order("first", 100_000, OrderStatus::Pending, PaymentStatus::Unpaid, placed_at);
    shop.deliver(&first);
    assert!(shop.monday(monday()));
    let mut paid = first;
    (paid.facts.status, paid.facts.payment) = (OrderStatus::Delivered, PaymentStatus::Paid);
    paid.facts.updated_at = later(1);
    assert_eq!(shop.deliver(&paid), [(EntryKind::Accrual, Legs::new(10, 10))]);
}

#[test]
fn x17_the_promoting_order_brings_its_bonus_too() {
    let mut shop = Shop::with_old_order(preset("cnv-retail", ""), 1_000);
    shop.monday(monday());
    let paid = order("A", 3_000_000, OrderStatus::Delivered, PaymentStatus::Paid, later(1));
    assert_eq!(shop.deliver(&paid), [(EntryKind::Accrual, Legs::new(300, 300)), bonus(150)]);
    assert_eq!(shop.participation(), (1, 1, ParticipationState::Completed));
}

/// An order that never earns again after a cancel (X28, turned off) does not use a participation up for nothing.
#[test]
fn an_order_that_is_barred_uses_no_participation() {
    let mut programme = preset("cnv-retail", "");
    programme.reversal.no_recredit_after_cancel = true;
    let mut shop = Shop::with_old_order(programme, 100_000);
    shop.monday(monday());
    shop.deliver(&order("A", 100_000, OrderStatus::Cancelled, PaymentStatus::Paid, later(1)));
    let mut again = order("A", 100_000, OrderStatus::Delivered, PaymentStatus::Paid, later(1));
    again.facts.updated_at = later(2);
    assert_eq!(shop.deliver(&again), []);
    assert_eq!(shop.participation(), (0, 2, ParticipationState::Active));
}

#[test]
fn a_run_twice_enrols_once() {
    let mut shop = Shop::with_old_order(preset("cnv-retail", ""), 100_000);
    assert!(shop.monday(monday()));
    let once = shop.book.participations.clone();
    assert!(shop.monday(monday()), "the same message again, under the same id");
    assert_eq!(shop.book.participations, once);
}
