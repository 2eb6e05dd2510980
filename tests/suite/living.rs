//! The worked examples about time: cycles, expiry, holds, vouchers. Each by its id. Campaigns have a file of their own.

use chrono::{Duration, NaiveDate};
use loyalty_contract::programme::ProgrammeFile;
use loyalty_domain::adjust::{Adjustment, adjust};
use loyalty_domain::behaviour::{Behaved, BehaviourRows, behave};
use loyalty_domain::campaign::{ParticipationState, enrol};
use loyalty_domain::daily::{About, due_on, raise, run_day};
use loyalty_domain::decision::Rejection;
use loyalty_domain::ids::{RuleId, TierId};
use loyalty_domain::ledger::{Entry, EntryKind, Note, Reason};
use loyalty_domain::member::Member;
use loyalty_domain::order::{OrderSnapshot, OrderStatus, PaymentStatus};
use loyalty_domain::points::Legs;
use loyalty_domain::programme::{Cycle, Downgrade, Programme, Tier, TierAuthority, Tiers};
use loyalty_domain::redeem::{Redemption, confirm, redeem, undo};
use loyalty_domain::request::Asked;
use loyalty_domain::time::Instant;
use loyalty_domain::topup::top_up;
use loyalty_tests::book::Book;
use loyalty_tests::build::{at, cnv_miniapp, delivered, member_in};

/// A preset, with whole lists replaced by those in `more`.
pub fn preset(name: &str, more: &str) -> Programme {
    let path = format!("{}/../infra/programmes/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let mut text = std::fs::read_to_string(path).unwrap();
    if !more.is_empty() {
        let change = more.replace("[[", "[[changes.");
        text = format!("{text}\n[[changes]]\neffective_from = \"2000-01-01\"\n{change}");
    }
    ProgrammeFile::parse(&text).unwrap().at(monday()).programme.clone()
}

/// Monday 08:00 in Ho Chi Minh City.
pub fn monday() -> Instant {
    at("2026-11-23T08:00:00+07:00")
}

pub fn later(hours: i64) -> Instant {
    monday() + Duration::hours(hours)
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// An order as it is at an instant.
pub fn order(id: &str, net_minor: i64, status: OrderStatus, payment: PaymentStatus, now: Instant) -> OrderSnapshot {
    let mut order = delivered(id, net_minor, now);
    (order.facts.status, order.facts.payment) = (status, payment);
    order
}

/// A book that is proved after every step.
pub struct Shop {
    pub programme: Programme,
    pub book: Book,
}

impl Shop {
    /// A member with one delivered order of an amount, a week before Monday.
    pub fn with_old_order(programme: Programme, net_minor: i64) -> Self {
        let mut shop = Self { programme, book: Book::default() };
        shop.deliver(&order("old", net_minor, OrderStatus::Delivered, PaymentStatus::Paid, later(-7 * 24)));
        shop
    }

    pub fn deliver(&mut self, order: &OrderSnapshot) -> Vec<(EntryKind, Legs)> {
        let entries = self.book.deliver(&self.programme, order, order.facts.updated_at);
        self.prove();
        entries.iter().map(|entry| (entry.kind, entry.legs)).collect()
    }

    fn prove(&self) {
        assert_eq!(self.book.audit().findings, []);
    }

    /// Runs the campaign for the member; whether they are written to.
    pub fn monday(&mut self, now: Instant) -> bool {
        let campaign = self.programme.campaigns[0].clone();
        let member = self.book.member().clone();
        let known = self.book.participations.values().next().cloned();
        let enrolment = enrol(&self.programme, &campaign, member, known.clone(), 0, now).unwrap();
        self.book.apply(&enrolment.decision.ending(&self.programme, known.as_slice()));
        self.prove();
        enrolment.invitation.is_some()
    }

    pub fn participation(&self) -> (u32, u32, ParticipationState) {
        let participation = self.book.participations.values().next().unwrap();
        (participation.used(), participation.remaining(), participation.state)
    }

    pub fn tier(&self) -> &str {
        self.book.member().tier.as_str()
    }

    pub fn run_day(&mut self, now: Instant) -> Vec<About> {
        let day = run_day(&self.programme, self.book.member().clone(), now).unwrap();
        self.book.apply(&day.decision);
        self.prove();
        day.notices.into_iter().map(|notice| notice.about).collect()
    }

    pub fn balance(&self) -> (i64, i64) {
        let balance = self.book.member().balance;
        (balance.redeemable.0, balance.qualifying.0)
    }

    pub fn last(&self) -> Entry {
        self.book.histories.values().next().unwrap().last().unwrap().clone()
    }
}

const BONUS: (EntryKind, Legs) = (EntryKind::Bonus, Legs::ZERO);

pub fn bonus(points: i64) -> (EntryKind, Legs) {
    (BONUS.0, Legs::new(points, points))
}

/// A member of a tier with points of the current cycle.
fn holding(programme: &Programme, tier: &str, points: i64) -> Shop {
    let member = member_in(programme, tier, monday());
    let mut shop = Shop { programme: programme.clone(), book: Book::of(member) };
    if points > 0 {
        let rate = i64::try_from(programme.earning.rate.denominator.get()).unwrap();
        shop.deliver(&order("A", points * rate, OrderStatus::Delivered, PaymentStatus::Paid, later(1)));
    }
    shop
}

#[test]
fn sd4_a_missed_cycle_costs_one_level_and_the_qualifying_points() {
    let mut shop = holding(&cnv_miniapp(), "gold", 300);
    let spendable = shop.balance().0;
    shop.run_day(at("2027-11-22T00:05:00+07:00"));
    assert_eq!((shop.tier(), shop.balance()), ("gold", (spendable, 300)), "the last day is the member's");
    shop.run_day(at("2027-11-23T00:05:00+07:00"));
    assert_eq!((shop.tier(), shop.balance()), ("silver", (spendable, 0)));
    assert_eq!((shop.last().kind, shop.last().reason), (EntryKind::Reset, Reason::TierMissed));
    shop.run_day(at("2028-11-22T00:05:00+07:00"));
    assert_eq!(shop.tier(), "member", "365 days later, one more level; 2028 is a leap year");
}

#[test]
fn t9_a_tier_that_was_earned_again_is_extended() {
    let mut shop = holding(&cnv_miniapp(), "gold", 2_500);
    shop.run_day(at("2027-11-23T00:05:00+07:00"));
    assert_eq!((shop.tier(), shop.balance().1), ("gold", 0));
    assert_eq!(shop.last().reason, Reason::TierKept);
    assert_eq!(shop.book.member().review_on, day("2028-11-22"));
}

#[test]
fn x6_the_other_downgrades() {
    for (downgrade, tier) in [
        (Downgrade::ToBase, "member"),
        (Downgrade::BalanceBased, "silver"),
        (Downgrade::None, "diamond"),
        (Downgrade::OneLevel, "gold"),
    ] {
        let mut programme = cnv_miniapp();
        programme.review.downgrade = downgrade;
        let mut shop = holding(&programme, "diamond", 1_200);
        shop.run_day(at("2027-11-23T00:05:00+07:00"));
        assert_eq!(shop.tier(), tier, "{downgrade:?}");
    }
    let mut programme = cnv_miniapp();
    programme.review.grace_days = 30;
    let mut shop = holding(&programme, "gold", 300);
    shop.run_day(at("2027-11-23T00:05:00+07:00"));
    assert_eq!((shop.tier(), shop.balance().1), ("gold", 300), "grace");
    shop.run_day(at("2027-12-23T00:05:00+07:00"));
    assert_eq!((shop.tier(), shop.balance().1), ("silver", 0), "after the grace");
}

#[test]
fn t14_a_calendar_year_ends_at_midnight_of_the_programme() {
    let programme = Programme { cycle: Cycle::CalendarYear, ..cnv_miniapp() };
    let mut shop = holding(&programme, "member", 300);
    shop.run_day(at("2026-12-31T23:59:59+07:00"));
    assert_eq!(shop.balance().1, 300);
    shop.run_day(at("2027-01-01T00:00:00+07:00"));
    assert_eq!((shop.balance().1, shop.last().reason), (0, Reason::CycleEnded));
}

#[test]
fn x7_a_month_that_is_too_short_moves_no_later_anniversary() {
    for (months, first, ends) in [
        (6, "2027-08-31", ["2028-02-29", "2028-08-31", "2029-02-28", "2029-08-31", "2030-02-28"]),
        (12, "2028-02-29", ["2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29", "2033-02-28"]),
    ] {
        let programme = Programme { cycle: Cycle::AnniversaryMonths(months), ..cnv_miniapp() };
        let mut shop = Shop { programme, book: Book::default() };
        let placed = at(&format!("{first}T10:00:00+07:00"));
        shop.deliver(&order("A", 500_000, OrderStatus::Delivered, PaymentStatus::Paid, placed));
        for end in ends {
            assert_eq!(shop.book.member().review_on, day(end), "from {first}");
            shop.run_day(at(&format!("{end}T00:05:00+07:00")));
        }
    }
}

#[test]
fn t7_who_has_enough_when_a_threshold_is_lowered_is_raised_once() {
    let mut shop = holding(&cnv_miniapp(), "member", 900);
    let again =
        |shop: &Shop| raise(&shop.programme, shop.book.member().clone(), at("2026-12-01T00:05:00+07:00")).unwrap();
    assert_eq!(again(&shop).entries, [], "nothing is asked otherwise");
    let less = |tier: &Tier| Tier { threshold: tier.threshold * 8 / 10, ..tier.clone() };
    let tiers = Tiers::new(shop.programme.tiers.as_slice().iter().map(less).collect()).unwrap();
    shop.programme = Programme { tiers, ..shop.programme };
    let raised = again(&shop);
    shop.book.apply(&raised);
    shop.prove();
    assert_eq!((shop.tier(), shop.last().reason, shop.balance().1), ("silver", Reason::TierReached, 900));
    assert_eq!(again(&shop).entries, []);
    let outside = Programme { tier_authority: TierAuthority::Outside, ..shop.programme.clone() };
    let told = Member { tier: TierId::new("member"), ..shop.book.member().clone() };
    assert_eq!(raise(&outside, told, at("2026-12-01T00:05:00+07:00")).unwrap().entries, []);
}

#[test]
fn x20_a_reversal_takes_no_tier_that_other_points_have_earned_whatever_is_asked_for_it_since() {
    let mut shop = Shop { programme: cnv_miniapp(), book: Book::default() };
    let placed = at("2026-11-24T10:00:00+07:00");
    let mut orders = [("A", 1_400_000), ("B", 100_000)].map(|(id, due)| {
        let order = order(id, due, OrderStatus::Delivered, PaymentStatus::Paid, placed);
        shop.deliver(&order);
        order
    });
    let more = |tier: &Tier| Tier { threshold: tier.threshold * 2, ..tier.clone() };
    let tiers = Tiers::new(shop.programme.tiers.as_slice().iter().map(more).collect()).unwrap();
    shop.programme = Programme { tiers, ..shop.programme };
    for (order, tier) in orders.iter_mut().rev().zip(["silver", "member"]) {
        order.facts.status = OrderStatus::Cancelled;
        order.facts.updated_at += Duration::days(1);
        shop.deliver(order);
        assert_eq!(shop.tier(), tier, "without {}", order.order_id);
    }
}

/// C4: a run of the campaign that meets a tier which a version has brought meanwhile ends it, and writes to nobody.
#[test]
fn c4_the_weekly_run_ends_what_a_lower_threshold_has_ended() {
    let mut shop = Shop::with_old_order(preset("cnv-retail", ""), 1_500_000);
    assert!(shop.monday(monday()), "invited as a Member");
    let less = |tier: &Tier| Tier { threshold: tier.threshold / 2, ..tier.clone() };
    let tiers = Tiers::new(shop.programme.tiers.as_slice().iter().map(less).collect()).unwrap();
    let lower = Programme { version: "lower".into(), tiers, ..shop.programme.clone() };
    shop.programme = lower.after(shop.programme.clone(), later(24));
    assert!(!shop.monday(later(7 * 24)));
    assert_eq!((shop.tier(), shop.participation()), ("silver", (0, 2, ParticipationState::Completed)));
    assert_eq!(shop.book.member().tier_since, later(24));
    assert!(!shop.monday(later(14 * 24)));
}

/// Who is safe when the day of notice comes, and is not any more by an order that is undone, is told the next morning.
#[test]
fn d3_who_falls_at_risk_after_the_day_of_notice_is_told_once() {
    let mut shop = holding(&cnv_miniapp(), "silver", 1_000);
    let told = |abouts: Vec<About>| abouts.iter().filter(|about| matches!(about, About::TierAtRisk { .. })).count();
    assert_eq!(told(shop.run_day(at("2027-10-24T00:05:00+07:00"))), 0, "nothing is missing");
    assert_ne!(due_on(&shop.programme, shop.book.member()), Some(day("2027-10-25")), "nor does anybody look every day");
    let mut undone = order("A", 0, OrderStatus::Cancelled, PaymentStatus::Paid, at("2027-11-10T09:00:00+07:00"));
    undone.facts.due_minor = 1_000 * 10_000;
    shop.deliver(&undone);
    assert_eq!((shop.tier(), shop.balance().1), ("silver", 0));
    assert!(due_on(&shop.programme, shop.book.member()) <= Some(day("2027-11-11")), "the next run finds them");
    assert_eq!(told(shop.run_day(at("2027-11-11T00:05:00+07:00"))), 1);
    assert_eq!(due_on(&shop.programme, shop.book.member()), Some(day("2027-11-23")), "the review");
    assert_eq!(told(shop.run_day(at("2027-11-12T00:05:00+07:00"))), 0, "once");
}

/// A lower threshold counts from when it came into force: the review after it finds who had enough in the tier, whether or
/// not a run came between the two.
#[test]
fn t7_a_lowered_threshold_counts_from_its_day_however_late_it_is_met() {
    let what = |runs: &[&str]| {
        let mut shop = holding(&cnv_miniapp(), "member", 900);
        let less = |tier: &Tier| Tier { threshold: tier.threshold * 8 / 10, keep: tier.keep * 8 / 10, ..tier.clone() };
        let tiers = Tiers::new(shop.programme.tiers.as_slice().iter().map(less).collect()).unwrap();
        let lower = Programme { version: "lower".into(), tiers, ..shop.programme.clone() };
        shop.programme = lower.after(shop.programme.clone(), at("2027-11-01T00:00:00+07:00"));
        runs.iter().for_each(|run| _ = shop.run_day(at(&format!("{run}T00:05:00+07:00"))));
        assert_eq!(shop.book.member().tier_since, at("2027-11-01T00:00:00+07:00"));
        let entries = &shop.book.histories.values().next().unwrap()[..];
        let told = |entry: &Entry| (entry.kind, entry.reason, entry.legs, entry.tier_after.clone(), entry.occurred_at);
        entries.iter().map(told).collect::<Vec<_>>()
    };
    let late = what(&["2027-12-01"]);
    assert_eq!(late, what(&["2027-11-01", "2027-11-23", "2027-12-01"]));
    let tiers = late.iter().rev().filter(|told| told.0 != EntryKind::Expiration);
    let kinds: Vec<_> = tiers.take(2).map(|told| (told.0, told.3.as_str())).collect();
    assert_eq!(kinds, [(EntryKind::Reset, "silver"), (EntryKind::Tier, "silver")], "kept with 900 points");
}

#[test]
fn a_run_that_is_a_week_late_leaves_the_same_books() {
    let mut on_time = holding(&cnv_miniapp(), "gold", 300);
    let mut late = holding(&cnv_miniapp(), "gold", 300);
    let mut twice = holding(&cnv_miniapp(), "gold", 300);
    on_time.run_day(at("2027-11-23T00:05:00+07:00"));
    twice.run_day(at("2027-11-23T00:05:00+07:00"));
    twice.run_day(at("2027-11-23T00:05:00+07:00"));
    on_time.run_day(at("2027-11-30T00:05:00+07:00"));
    late.run_day(at("2027-11-30T00:05:00+07:00"));
    let what = |shop: &Shop| {
        let entries = &shop.book.histories.values().next().unwrap()[..];
        entries.iter().map(|entry| (entry.kind, entry.legs, entry.occurred_at)).collect::<Vec<_>>()
    };
    assert_eq!(what(&on_time), what(&late));
    assert_eq!(what(&on_time), what(&twice));
    assert_eq!(on_time.book.member().review_on, late.book.member().review_on);
}

#[test]
fn points_of_several_days_expire_each_on_its_own_however_late_the_run() {
    let programme = preset("cnv-retail", "[changes.expiry]\nmonths = 1\nround_to = \"day\"\n");
    let expired = |runs: &[&str]| {
        let mut shop = Shop { programme: programme.clone(), book: Book::default() };
        for (id, placed) in ["2026-01-28", "2026-02-01", "2026-02-03"].iter().enumerate() {
            let placed = at(&format!("{placed}T10:00:00+07:00"));
            shop.deliver(&order(&id.to_string(), 1_000_000, OrderStatus::Delivered, PaymentStatus::Paid, placed));
        }
        runs.iter().for_each(|run| _ = shop.run_day(at(&format!("{run}T00:05:00+07:00"))));
        let entries = shop.book.histories.values().next().unwrap().iter();
        let gone = entries.filter(|entry| entry.kind == EntryKind::Expiration);
        gone.map(|entry| (entry.legs, entry.balance_after, entry.occurred_at)).collect::<Vec<_>>()
    };
    let on_time = expired(&["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"]);
    assert_eq!(on_time.len(), 3);
    assert_eq!(expired(&["2026-03-10"]), on_time);
    assert_eq!(expired(&["2026-03-02", "2026-03-02", "2026-03-09"]), on_time);
}

#[test]
fn sd14_points_are_good_until_the_end_of_the_month_a_year_later() {
    let mut shop = Shop { programme: preset("cnv-retail", ""), book: Book::default() };
    let earned = at("2026-01-15T10:00:00+07:00");
    shop.deliver(&order("A", 4_000_000, OrderStatus::Delivered, PaymentStatus::Paid, earned));
    let about = About::PointsExpiring { points: 400, last_day: day("2027-01-31") };
    assert!(!shop.run_day(at("2026-12-31T00:05:00+07:00")).contains(&about), "a day early");
    let told = shop.run_day(at("2027-01-01T00:05:00+07:00"));
    assert!(told.contains(&about), "30 days before the last valid day: {told:?}");
    assert_eq!(shop.run_day(at("2027-01-01T00:05:00+07:00")), [], "told once");
    shop.run_day(at("2027-01-31T23:59:00+07:00"));
    assert_eq!(shop.balance().0, 400, "the last valid day is inclusive");
    shop.run_day(at("2027-02-01T00:00:00+07:00"));
    assert_eq!((shop.balance().0, shop.last().kind), (0, EntryKind::Expiration));
}

#[test]
fn b1_a_month_is_given_to_who_held_the_tier_when_it_began() {
    let mut shop = Shop::with_old_order(preset("cnv-retail", ""), 1_000_000);
    let paid = (OrderStatus::Delivered, PaymentStatus::Paid);
    shop.deliver(&order("A", 1_000_000, paid.0, paid.1, at("2026-12-02T09:00:00+07:00")));
    assert_eq!(shop.tier(), "silver");
    let told = shop.run_day(at("2026-12-03T00:05:00+07:00"));
    assert!(!told.contains(&About::Monthly), "December began in the tier below: {told:?}");
    assert!(shop.run_day(at("2027-01-04T00:05:00+07:00")).contains(&About::Monthly), "January, three days late");
}

/// B1: the run of the first comes late, and the tier has changed since. Who was Silver when January began gets Silver's
/// voucher of January, whatever they are when the run finds them, and once.
#[test]
fn b1_a_late_run_gives_the_month_of_the_tier_that_was_held_when_it_began() {
    let paid = (OrderStatus::Delivered, PaymentStatus::Paid);
    let silver = || {
        let mut shop = Shop::with_old_order(preset("cnv-retail", ""), 2_000_000);
        assert_eq!(shop.tier(), "silver");
        shop.run_day(at("2026-12-30T00:05:00+07:00"));
        shop
    };
    let given = |shop: &mut Shop, now: &str| -> Vec<String> {
        let day = run_day(&shop.programme, shop.book.member().clone(), at(now)).unwrap();
        shop.book.apply(&day.decision);
        day.decision.grants.iter().map(|grant| format!("{} {}", grant.valid_from, grant.offer.name)).collect()
    };
    let january = ["2027-01-01 Mã giảm 20.000đ mỗi tháng"];
    let february = ["2027-02-01 Mã giảm 10% mỗi tháng"];

    let mut shop = silver();
    shop.deliver(&order("A", 5_000_000, paid.0, paid.1, at("2027-01-02T09:00:00+07:00")));
    assert_eq!((shop.tier(), due_on(&shop.programme, shop.book.member())), ("gold", "2027-01-01".parse().ok()));
    assert_eq!(given(&mut shop, "2027-01-03T00:05:00+07:00"), january, "promoted on the second, run on the third");
    assert_eq!(given(&mut shop, "2027-01-04T00:05:00+07:00"), [""; 0]);
    assert_eq!(given(&mut shop, "2027-02-01T00:05:00+07:00"), february);

    let mut shop = silver();
    shop.deliver(&order("A", 5_000_000, paid.0, paid.1, at("2027-01-01T09:00:00+07:00")));
    shop.deliver(&order("B", 11_000_000, paid.0, paid.1, at("2027-01-02T09:00:00+07:00")));
    assert_eq!(shop.tier(), "diamond");
    assert_eq!(given(&mut shop, "2027-01-03T00:05:00+07:00"), january, "promoted twice");

    let mut shop = silver();
    shop.deliver(&order("A", 5_000_000, paid.0, paid.1, at("2026-12-31T23:00:00+07:00")));
    let gold = ["2027-01-01 Mã giảm 10% mỗi tháng"];
    assert_eq!(given(&mut shop, "2027-01-03T00:05:00+07:00"), gold, "promoted the day before");
}

/// A review that fell due on the first decides with which tier the month begins, however late it is posted.
#[test]
fn b1_a_review_of_the_first_decides_the_month_that_begins_then() {
    let calendar = "[changes.cycle]\nmodel = \"calendar_year\"\n";
    let mut shop = Shop::with_old_order(preset("cnv-retail", calendar), 7_000_000);
    shop.run_day(at("2027-12-30T00:05:00+07:00"));
    assert_eq!(shop.tier(), "gold", "kept at the end of 2026");
    let day = run_day(&shop.programme, shop.book.member().clone(), at("2028-01-03T00:05:00+07:00")).unwrap();
    assert_eq!(day.decision.member.as_ref().unwrap().tier.as_str(), "silver");
    let names: Vec<&str> = day.decision.grants.iter().map(|grant| grant.offer.name.as_str()).collect();
    assert_eq!(names, ["Mã giảm 20.000đ mỗi tháng"]);
}

fn asked(key: &str) -> Asked {
    Asked { request_id: key.into(), fingerprint: key.to_owned() }
}

fn spending(key: &str, points: i64, hold: bool) -> Redemption {
    Redemption { asked: asked(key), reward: None, points: Some(points), order_minor: None, hold }
}

#[test]
fn a_hold_is_confirmed_released_or_lapses() {
    let programme = preset("cnv-retail", "");
    let mut shop = Shop::with_old_order(programme, 4_000_000);
    let held = |shop: &mut Shop, key: &str, now| {
        let member = shop.book.member().clone();
        let (request, decision) = redeem(&shop.programme, member, None, spending(key, 100, true), now).unwrap();
        shop.book.apply(&decision);
        shop.prove();
        request
    };
    let first = held(&mut shop, "r_1", monday());
    assert_eq!(shop.balance().0, 300);
    let (request, decision) =
        confirm(&shop.programme, shop.book.member().clone(), first, monday() + Duration::minutes(29)).unwrap();
    shop.book.apply(&decision);
    let over = confirm(&shop.programme, shop.book.member().clone(), request, later(5));
    assert_eq!(over.unwrap().1.entries, [], "confirming again changes nothing");
    let second = held(&mut shop, "r_2", later(6));
    let lapsed = confirm(&shop.programme, shop.book.member().clone(), second, later(7)).unwrap_err();
    assert_eq!(lapsed, Rejection::RedemptionOver);
    shop.run_day(later(7));
    assert_eq!((shop.balance().0, shop.last().reason), (300, Reason::HoldLapsed));
    let third = held(&mut shop, "r_3", later(8));
    let entry = shop.last();
    let (_, decision) = undo(&shop.programme, shop.book.member().clone(), third, &entry, later(8)).unwrap();
    shop.book.apply(&decision);
    shop.prove();
    assert_eq!((shop.balance().0, shop.book.member().holds.len()), (300, 0));
}

/// A hold that lapses after the review gives its points back after it, so a reset that takes redeemable points too (X42)
/// does not take these, however late the run comes.
#[test]
fn what_falls_due_is_posted_in_the_order_it_fell_due() {
    let mut programme = Programme { hold_minutes: 48 * 60, ..cnv_miniapp() };
    programme.review.reset_redeemable = true;
    let held = || {
        let mut shop = holding(&programme, "gold", 300);
        let now = at("2027-11-22T12:00:00+07:00");
        let (_, decision) =
            redeem(&programme, shop.book.member().clone(), None, spending("r_1", 100, true), now).unwrap();
        shop.book.apply(&decision);
        shop
    };
    let (mut on_time, mut late) = (held(), held());
    on_time.run_day(at("2027-11-23T00:05:00+07:00"));
    on_time.run_day(at("2027-11-25T00:05:00+07:00"));
    late.run_day(at("2027-11-25T00:05:00+07:00"));
    assert_eq!(on_time.balance(), (100, 0));
    assert_eq!(late.balance(), (100, 0));
}

/// X42, X23: what a review took of an order's points is not taken again with the order; what was spent before it is owed.
#[test]
fn what_a_review_took_is_not_taken_again() {
    for (spent, owed) in [(0, 0), (40, 40), (100, 100)] {
        let mut programme = preset("cnv-retail", "[changes.cycle]\nmodel = \"calendar_year\"\n");
        programme.review.reset_redeemable = true;
        let mut shop = Shop::with_old_order(programme.clone(), 1_000_000);
        if spent > 0 {
            let asked = spending("r_1", spent, false);
            let (_, decision) = redeem(&programme, shop.book.member().clone(), None, asked, monday()).unwrap();
            shop.book.apply(&decision);
        }
        shop.run_day(at("2027-01-01T00:05:00+07:00"));
        assert_eq!(shop.balance(), (0, 0));
        let cancelled =
            order("old", 1_000_000, OrderStatus::Cancelled, PaymentStatus::Paid, at("2027-01-02T09:00:00+07:00"));
        shop.deliver(&cancelled);
        assert_eq!(shop.balance(), (-owed, 0), "{spent} were spent");
        // However often it comes back and goes again.
        let again = |status, hour: &str| {
            order("old", 1_000_000, status, PaymentStatus::Paid, at(&format!("2027-01-03T{hour}:00:00+07:00")))
        };
        shop.deliver(&again(OrderStatus::Delivered, "09"));
        assert_eq!(shop.balance().0, 0, "{spent} were spent");
        shop.deliver(&again(OrderStatus::Cancelled, "10"));
        assert_eq!(shop.balance().0, -owed, "{spent} were spent");
    }
}

/// E5: points that come when their day of notice is over are told of by the next run, once.
#[test]
fn points_that_come_after_their_day_of_notice_are_told_of_by_the_next_run() {
    let programme = preset("cnv-retail", "[changes.expiry]\nmonths = 1\nround_to = \"month_end\"\n");
    let mut shop = Shop::with_old_order(programme, 400_000);
    let expiring = |points, last_day| [About::PointsExpiring { points, last_day: day(last_day) }];
    assert_eq!(shop.run_day(at("2026-12-01T00:05:00+07:00"))[..1], expiring(40, "2026-12-31"));
    shop.run_day(at("2027-01-30T00:05:00+07:00"));
    let late = at("2027-01-30T12:00:00+07:00");
    shop.deliver(&order("late", 1_000_000, OrderStatus::Delivered, PaymentStatus::Paid, late));
    assert_eq!(due_on(&shop.programme, shop.book.member()), Some(day("2027-01-31")));
    assert_eq!(shop.run_day(at("2027-01-31T00:05:00+07:00")), expiring(100, "2027-02-28"));
    assert!(shop.run_day(at("2027-02-02T00:05:00+07:00")).iter().all(|about| *about == About::Monthly));
}

#[test]
fn a_key_is_for_one_request() {
    let shop = Shop::with_old_order(preset("cnv-retail", ""), 4_000_000);
    let member = || -> Member { shop.book.member().clone() };
    let (request, _) = redeem(&shop.programme, member(), None, spending("r_1", 100, false), monday()).unwrap();
    let again = redeem(&shop.programme, member(), Some(&request), spending("r_1", 100, false), monday()).unwrap();
    assert_eq!((again.0, again.1.entries.len()), (request.clone(), 0));
    let mut other = spending("r_1", 50, false);
    other.asked.fingerprint = "other".to_owned();
    let refused = redeem(&shop.programme, member(), Some(&request), other, monday());
    assert_eq!(refused.unwrap_err(), Rejection::KeyUsedOtherwise);
    let most = redeem(&shop.programme, member(), None, spending("r_2", 401, false), monday());
    assert_eq!(most.unwrap_err(), Rejection::NotEnoughPoints { available: 400, wanted: 401 });
}

#[test]
fn sd16_the_three_models_of_top_up() {
    let minor = |programme: Programme, amount| {
        let member = member_in(&programme, "member", monday());
        let (request, decision) = top_up(&programme, member, None, asked("r_1"), amount, monday()).unwrap();
        (request.worth_minor, decision.grants.len(), decision.member.unwrap().wallet_minor)
    };
    let money = "[[topups]]\namount = 1000000\nmoney = 30000\n[[topups]]\namount = 3000000\nmoney = 100000\n";
    assert_eq!(minor(preset("cnv-retail", money), 3_000_000), (3_100_000, 0, 3_100_000));
    assert_eq!(minor(preset("cnv-retail", money), 999_999), (999_999, 0, 999_999));
    let voucher = "[[topups]]\namount = 3000000\nvoucher = { id = \"v\", name = \"V\", percent = 10 }\n";
    assert_eq!(minor(preset("cnv-retail", voucher), 3_000_000), (3_000_000, 1, 3_000_000));
    let game = "[[topups]]\namount = 3000000\nvoucher = { id = \"v\", name = \"V\", game_turns = 1 }\n";
    assert_eq!(minor(preset("cnv-retail", game), 3_500_000), (3_500_000, 1, 3_500_000));
}

#[test]
fn a_behaviour_is_rewarded_as_often_as_allowed() {
    let review =
        "[[behaviours]]\nid = \"review\"\nname = \"Đánh giá\"\npoints = 20\nmax_per_day = 1\nmax_per_month = 2\n";
    let mut shop = Shop::with_old_order(preset("cnv-retail", review), 100_000);
    let mut reward = |key: &str, now| {
        let rows = BehaviourRows {
            member: shop.book.member().clone(),
            known: None,
            history: &shop.book.histories.values().next().unwrap().clone(),
        };
        let behaved =
            Behaved { asked: asked(key), behaviour: RuleId::from("review"), other_side: false, occurred_at: now };
        let decided = behave(&shop.programme, rows, behaved, now);
        decided.map(|(_, decision)| {
            shop.book.apply(&decision);
            shop.prove();
            shop.balance().0
        })
    };
    assert_eq!(reward("r_1", monday()), Ok(30));
    assert_eq!(reward("r_2", later(2)), Err(Rejection::LimitReached));
    assert_eq!(reward("r_3", later(24)), Ok(50));
    assert_eq!(reward("r_4", later(72)), Err(Rejection::LimitReached));
    assert_eq!(reward("r_5", at("2026-12-01T00:00:00+07:00")), Ok(70));
}

#[test]
fn an_adjustment_says_who_and_why_and_never_moves_nothing() {
    let shop = Shop::with_old_order(preset("cnv-retail", ""), 100_000);
    let adjusted = |legs| {
        let note = Note { operator: "lan".to_owned(), text: "bù điểm".to_owned(), subject: None };
        let adjustment = Adjustment { asked: asked("r_1"), legs, note };
        adjust(&shop.programme, shop.book.member().clone(), None, adjustment, monday())
    };
    let (_, decision) = adjusted(Legs::new(190, 190)).unwrap();
    assert_eq!(decision.member.unwrap().tier.as_str(), "silver");
    assert_eq!(decision.entries[0].note.as_ref().map(|note| note.operator.as_str()), Some("lan"));
    assert_eq!(adjusted(Legs::ZERO).unwrap_err(), Rejection::NothingToAdjust);
    assert_eq!(adjusted(Legs::new(5, -5)).unwrap_err(), Rejection::NothingToAdjust);
    assert!(adjusted(Legs::new(0, -11)).is_err(), "more qualifying points than there are");
}

#[test]
fn b1_who_joins_on_their_birthday_has_it_the_same_year() {
    let mut shop = Shop { programme: preset("cnv-retail", ""), book: Book::default() };
    let begun = at("2026-11-30T10:00:00+07:00");
    shop.deliver(&order("A", 100_000, OrderStatus::Delivered, PaymentStatus::Paid, begun));
    let mut member = shop.book.member().clone();
    member.profile.birthday = Some(day("1990-11-30"));
    shop.book = Book { members: [(member.member_id.clone(), member)].into(), ..shop.book };
    assert_eq!(due_on(&shop.programme, shop.book.member()), Some(day("2026-11-30")));
    let (next_day, next_year) = (at("2026-12-01T00:05:00+07:00"), at("2027-11-30T00:05:00+07:00"));
    let birthdays = |run: Vec<About>| run.iter().filter(|about| **about == About::Birthday).count();
    assert_eq!(birthdays(shop.run_day(next_day)), 1);
    assert_eq!(birthdays(shop.run_day(next_day)), 0);
    assert_eq!(birthdays(shop.run_day(next_year)), 1);
}

#[test]
fn a_birthday_comes_once_a_year_and_on_the_28th_without_a_29th() {
    let mut shop = Shop::with_old_order(preset("cnv-retail", ""), 100_000);
    let mut member = shop.book.member().clone();
    member.profile.birthday = Some(day("2000-02-29"));
    shop.book = Book { members: [(member.member_id.clone(), member)].into(), ..shop.book };
    assert_eq!(due_on(&shop.programme, shop.book.member()), Some(day("2027-02-28")));
    let run = run_day(&shop.programme, shop.book.member().clone(), at("2027-02-28T00:05:00+07:00")).unwrap();
    let birthdays = run.notices.iter().filter(|notice| notice.about == About::Birthday).count();
    assert_eq!((birthdays, run.decision.grants.len()), (1, 1));
    assert!(run.decision.grants[0].grant_id.contains("birthday/2027"), "an edited birthday is the same grant");
    assert_eq!(run.decision.grants[0].valid_until, day("2027-03-29"));
}
