//! What an order is paid with beside money: vouchers it names, and the wallet (B2, B3, X30).

use chrono::Duration;
use loyalty_domain::ledger::{EntryKind, Reason};
use loyalty_domain::order::{OrderSnapshot, OrderStatus};
use loyalty_domain::points::Legs;
use loyalty_domain::programme::Programme;
use loyalty_domain::request::Asked;
use loyalty_domain::time::Instant;
use loyalty_domain::topup::top_up;
use loyalty_domain::voucher::{Grant, Voucher, VoucherState};
use loyalty_tests::book::Book;
use loyalty_tests::build::{at, delivered, member_in};

use crate::living::{monday, preset};

fn hour(hours: i64) -> Instant {
    monday() + Duration::hours(hours)
}

/// A book with one member and a voucher of theirs, good from Monday on for 30 days.
fn book(programme: &Programme) -> Book {
    let member = member_in(programme, "member", hour(-1));
    let offer = &programme.tiers.as_slice()[1].monthly[0];
    let voucher = Voucher {
        voucher_id: "v_1".into(),
        code: "ABCDEFGH2345".to_owned(),
        grant: Grant::new(&member.member_id, "month/2026-11", offer, programme.day(monday())),
        state: VoucherState::Issued,
        issued_at: hour(-1),
        used_at: None,
        used_for: None,
        reminded: false,
    };
    let mut book = Book::of(member);
    book.vouchers.insert(voucher.voucher_id.clone(), voucher);
    book
}

fn naming(id: &str, now: Instant, vouchers: &[&str]) -> OrderSnapshot {
    let mut order = delivered(id, 200_000, now);
    order.vouchers = vouchers.iter().map(|id| (*id).into()).collect();
    order
}

fn say(book: &mut Book, programme: &Programme, order: &OrderSnapshot) {
    book.deliver(programme, order, order.facts.updated_at);
    assert_eq!(book.audit().findings, []);
}

fn voucher(book: &Book) -> (VoucherState, Option<&str>) {
    let voucher = &book.vouchers[&"v_1".into()];
    (voucher.state, voucher.used_for.as_ref().map(|order| order.as_str()))
}

#[test]
fn a_code_in_an_order_uses_the_voucher_and_a_cancelled_order_gives_it_back() {
    let programme = preset("cnv-retail", "");
    let mut book = book(&programme);
    say(&mut book, &programme, &naming("A", hour(0), &["v_1", "v_nobody"]));
    assert_eq!(voucher(&book), (VoucherState::Used, Some("A")));
    say(&mut book, &programme, &naming("B", hour(1), &["v_1"]));
    assert_eq!(voucher(&book), (VoucherState::Used, Some("A")), "once");
    let mut cancelled = naming("A", hour(2), &["v_1"]);
    cancelled.facts.status = OrderStatus::Cancelled;
    say(&mut book, &programme, &cancelled);
    assert_eq!(voucher(&book), (VoucherState::Issued, None));
    say(&mut book, &programme, &naming("A", hour(1), &["v_1"]));
    assert_eq!(voucher(&book), (VoucherState::Issued, None), "a stale snapshot uses nothing");
    say(&mut book, &programme, &naming("A", hour(3), &["v_1"]));
    assert_eq!(voucher(&book), (VoucherState::Used, Some("A")), "X28: the order came back");
    say(&mut book, &programme, &naming("A", hour(4), &[]));
    assert_eq!(voucher(&book), (VoucherState::Issued, None), "the shop took the code off");
}

fn used_by_till(book: &mut Book, order: &str, now: Instant) {
    let voucher = book.vouchers.get_mut(&"v_1".into()).unwrap();
    let used = voucher.clone().used(Some(order.into()), None, now.date_naive(), now);
    *voucher = used.unwrap();
}

/// The order does not name the code: only the till knew it.
#[test]
fn a_voucher_that_a_till_used_comes_back_with_the_order() {
    let programme = preset("cnv-retail", "");
    let mut book = book(&programme);
    used_by_till(&mut book, "A", hour(0));
    say(&mut book, &programme, &naming("A", hour(1), &[]));
    say(&mut book, &programme, &naming("B", hour(1), &[]));
    assert_eq!(voucher(&book), (VoucherState::Used, Some("A")));
    let cancelled = |id: &str, hours: i64| {
        let mut order = naming(id, hour(hours), &[]);
        order.facts.status = OrderStatus::Cancelled;
        order
    };
    say(&mut book, &programme, &cancelled("B", 2));
    assert_eq!(voucher(&book), (VoucherState::Used, Some("A")), "another order's");
    say(&mut book, &programme, &cancelled("A", 2));
    assert_eq!(voucher(&book), (VoucherState::Issued, None));
    used_by_till(&mut book, "C", hour(3));
    say(&mut book, &programme, &cancelled("C", 4));
    assert_eq!(voucher(&book), (VoucherState::Issued, None), "the cancel is all that was heard of the order");
}

#[test]
fn a_programme_may_keep_the_voucher_of_a_cancelled_order_used() {
    let programme = Programme { vouchers_return: false, ..preset("cnv-retail", "") };
    let mut book = book(&programme);
    say(&mut book, &programme, &naming("A", hour(0), &["v_1"]));
    let mut cancelled = naming("A", hour(1), &["v_1"]);
    cancelled.facts.status = OrderStatus::Cancelled;
    say(&mut book, &programme, &cancelled);
    assert_eq!(voucher(&book), (VoucherState::Used, Some("A")));
}

#[test]
fn it_may_keep_used_what_a_till_used_for_a_cancelled_order() {
    let programme = Programme { vouchers_return: false, ..preset("cnv-retail", "") };
    let mut book = book(&programme);
    used_by_till(&mut book, "A", hour(0));
    let mut cancelled = naming("A", hour(1), &[]);
    cancelled.facts.status = OrderStatus::Cancelled;
    say(&mut book, &programme, &cancelled);
    assert_eq!(voucher(&book), (VoucherState::Used, Some("A")));
}

#[test]
fn a_voucher_is_good_by_the_day_the_order_was_placed() {
    let programme = preset("cnv-retail", "");
    let mut book = book(&programme);
    let late = at("2027-01-10T08:00:00+07:00");
    say(&mut book, &programme, &naming("late", late, &["v_1"]));
    assert_eq!(voucher(&book).0, VoucherState::Issued, "placed after its last day");
    let mut order = naming("A", late, &["v_1"]);
    order.facts.placed_at = at("2026-12-22T23:59:00+07:00");
    say(&mut book, &programme, &order);
    assert_eq!(voucher(&book), (VoucherState::Used, Some("A")), "its last day, however late the order comes");
}

#[test]
fn a_voucher_of_an_order_that_waits_for_its_customer_is_used_all_the_same() {
    let programme = preset("cnv-retail", "");
    let mut book = book(&programme);
    let mut nobodys = naming("A", hour(0), &["v_1"]);
    nobodys.member_id = None;
    say(&mut book, &programme, &nobodys);
    assert_eq!(voucher(&book), (VoucherState::Used, Some("A")));
}

/// X30: the wallet is a way to pay, so the order earns in full; the wallet is an entry of its own.
#[test]
fn an_order_takes_from_the_wallet_what_it_was_paid_with() {
    let programme = preset("cnv-retail", "");
    let mut book = topped_up(&programme);
    assert_eq!(book.member().wallet_minor, 1_030_000);
    let mut order = delivered("A", 500_000, hour(1));
    order.facts.wallet_minor = 300_000;
    say(&mut book, &programme, &order);
    assert_eq!((book.member().wallet_minor, book.posted("A")), (730_000, Legs::new(50, 50)));
    say(&mut book, &programme, &order);
    assert_eq!(book.member().wallet_minor, 730_000, "the same again");
    let mut cancelled = delivered("A", 500_000, hour(2));
    (cancelled.facts.status, cancelled.facts.wallet_minor) = (OrderStatus::Cancelled, 300_000);
    say(&mut book, &programme, &cancelled);
    assert_eq!((book.member().wallet_minor, book.posted("A")), (1_030_000, Legs::ZERO));
    let entries = &book.histories[&"m_test".into()];
    let told: Vec<_> = entries.iter().filter(|entry| entry.kind == EntryKind::Payment).map(|it| it.reason).collect();
    assert_eq!(told, [Reason::WalletSpent, Reason::WalletReturned]);
}

/// A book whose member has 1.030.000đ in their wallet.
fn topped_up(programme: &Programme) -> Book {
    let mut book = Book::of(member_in(programme, "member", hour(-1)));
    let asked = Asked { request_id: "r_1".into(), fingerprint: String::new() };
    let (_, decision) = top_up(programme, book.member().clone(), None, asked, 1_000_000, hour(0)).unwrap();
    book.apply(&decision);
    book
}

fn paid_with_wallet(id: &str, wallet_minor: i64, now: Instant) -> OrderSnapshot {
    let mut order = delivered(id, 500_000, now);
    (order.facts.wallet_minor, order.facts.status) = (wallet_minor, OrderStatus::Pending);
    order
}

/// F23: an order that was paid from a wallet and has earned nothing yet stays with whose wallet it was, so that what a
/// cancelled order gives back goes where it came from.
#[test]
fn an_order_paid_with_a_wallet_stays_with_whose_wallet_it_was() {
    let programme = preset("cnv-retail", "");
    let mut book = topped_up(&programme);
    say(&mut book, &programme, &paid_with_wallet("A", 300_000, hour(1)));
    assert!(book.orders[&"A".into()].credits.is_empty(), "it has not earned yet");
    let mut others = paid_with_wallet("A", 300_000, hour(2));
    others.member_id = Some("m_other".into());
    say(&mut book, &programme, &others);
    let owner = book.orders[&"A".into()].owner.as_ref().map(|owner| owner.member_id.as_str());
    assert_eq!((owner, book.members.len()), (Some("m_test"), 1));
    let mut nobodys = paid_with_wallet("A", 300_000, hour(3));
    (nobodys.member_id, nobodys.facts.status) = (None, OrderStatus::Cancelled);
    say(&mut book, &programme, &nobodys);
    assert_eq!((book.member().wallet_minor, book.member().orders_count), (1_030_000, 0));
}

/// I9: what an order took is given back when the order says so, and not because top-ups have ended.
#[test]
fn a_shop_that_ends_its_topups_gives_no_order_its_money_back() {
    let programme = preset("cnv-retail", "");
    let mut book = topped_up(&programme);
    say(&mut book, &programme, &paid_with_wallet("A", 300_000, hour(1)));
    let ended = Programme { topups: Vec::new(), ..programme };
    let mut delivered = paid_with_wallet("A", 300_000, hour(2));
    delivered.facts.status = OrderStatus::Delivered;
    say(&mut book, &ended, &delivered);
    assert_eq!((book.member().wallet_minor, book.posted("A")), (730_000, Legs::new(50, 50)));
    delivered.facts.updated_at = hour(3);
    delivered.facts.status = OrderStatus::Cancelled;
    say(&mut book, &ended, &delivered);
    assert_eq!((book.member().wallet_minor, book.posted("A")), (1_030_000, Legs::ZERO));
}

/// I5: a cancel that overtakes its order leaves the code as used as one that comes behind it.
#[test]
fn a_programme_that_keeps_vouchers_used_does_so_for_a_cancel_that_comes_first() {
    let programme = Programme { vouchers_return: false, ..preset("cnv-retail", "") };
    let mut book = book(&programme);
    let mut cancelled = naming("A", hour(1), &["v_1"]);
    cancelled.facts.status = OrderStatus::Cancelled;
    say(&mut book, &programme, &cancelled);
    say(&mut book, &programme, &naming("A", hour(0), &["v_1"]));
    assert_eq!(voucher(&book), (VoucherState::Used, Some("A")));
}

#[test]
fn a_shop_without_a_wallet_here_may_have_one_of_its_own() {
    let programme = Programme { topups: Vec::new(), ..preset("cnv-retail", "") };
    let mut book = Book::default();
    let mut order = delivered("A", 500_000, hour(1));
    order.facts.wallet_minor = 300_000;
    say(&mut book, &programme, &order);
    assert_eq!((book.member().wallet_minor, book.posted("A")), (0, Legs::new(50, 50)));
}
