//! L0: properties of the pure domain, 10,000 cases each.

use chrono::{DateTime, Duration, Utc};
use loyalty_domain::decision::Verdict;
use loyalty_domain::ids::{MemberId, OrderId, RuleId};
use loyalty_domain::lots::Expiry;
use loyalty_domain::member::{Member, Profile};
use loyalty_domain::money::Currency;
use loyalty_domain::order::{Credit, Order, OrderFacts, OrderSnapshot, OrderStatus, PaymentStatus};
use loyalty_domain::points::{Legs, Rounding};
use loyalty_domain::programme::{
    Basis, EarnWhen, NegativeBalance, Programme, RefundRule, RoundStage, TierMultiplier, Welcome, WelcomeWhen,
};
use loyalty_domain::reconcile::{OrderRows, reconcile_order};
use loyalty_domain::redeem::{Redemption, redeem};
use loyalty_domain::request::Asked;
use loyalty_domain::time::Instant;
use loyalty_tests::book::Book;
use loyalty_tests::build::{at, cnv_miniapp, cnv_retail_by_tier, delivered, ladder, programme, ratio};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const CASES: u32 = 10_000;

fn config() -> ProptestConfig {
    ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() }
}

fn start() -> Instant {
    at("2026-01-15T03:00:00Z")
}

fn statuses() -> impl Strategy<Value = OrderStatus> {
    select(vec![
        OrderStatus::Pending,
        OrderStatus::Confirmed,
        OrderStatus::Shipping,
        OrderStatus::Delivered,
        OrderStatus::Delivered,
        OrderStatus::Delivered,
        OrderStatus::Returned,
        OrderStatus::Cancelled,
    ])
}

fn payments() -> impl Strategy<Value = PaymentStatus> {
    select(vec![
        PaymentStatus::Unpaid,
        PaymentStatus::PartiallyPaid,
        PaymentStatus::Paid,
        PaymentStatus::Paid,
        PaymentStatus::PartiallyRefunded,
        PaymentStatus::Refunded,
        PaymentStatus::Voided,
    ])
}

prop_compose! {
    /// A snapshot of one order of one member, within a few instants of the others.
    fn snapshots()(
        second in 0_i64..4,
        status in statuses(),
        payment in payments(),
        due_minor in 0_i64..3_000_000,
        shipping_minor in 0_i64..50_000,
        refunded_minor in 0_i64..1_000_000,
        lines in proptest::option::of(0_i64..1_000_000),
        items in proptest::option::of(0_i64..3_000_000),
        named in prop::bool::weighted(0.8),
    ) -> OrderSnapshot {
        let mut snapshot = delivered("o", due_minor, start() + Duration::seconds(second));
        snapshot.facts = OrderFacts {
            status,
            payment,
            shipping_minor,
            refunded_minor,
            refunded_lines_minor: lines,
            items_minor: items,
            placed_at: start(),
            ..snapshot.facts
        };
        snapshot.member_id = named.then(|| MemberId::from("m_test"));
        snapshot
    }
}

prop_compose! {
    /// Any programme but those whose outcome depends on arrival on purpose: the literal filter of R2 keeps what a
    /// cancelled, unpaid order happened to have (X11).
    fn programmes()(
        rate in select(vec![1_000_u64, 10_000, 7_000]),
        thresholds in select(vec![[200, 700, 1_800], [50, 100, 150]]),
        (round, round_stage) in (
            select(vec![Rounding::Floor, Rounding::HalfUp, Rounding::Ceil]),
            select(vec![RoundStage::End, RoundStage::BaseThenEnd]),
        ),
        basis in select(vec![Basis::DueMinusShipping, Basis::Paid, Basis::Items]),
        earn_when in select(vec![EarnWhen::Delivered, EarnWhen::DeliveredAndPaid, EarnWhen::Placed]),
        both in any::<bool>(),
        lines in any::<bool>(),
        barred in any::<bool>(),
        welcome in proptest::option::of((any::<bool>(), any::<bool>())),
        negative_balance in select(vec![
            NegativeBalance::Allow, NegativeBalance::Clamp, NegativeBalance::Limit(30),
        ]),
    ) -> Programme {
        let multipliers = [ratio(1, 1), ratio(12, 10), ratio(13, 10), ratio(3, 2)];
        let mut drawn = programme("drawn", rate, ladder(thresholds, multipliers));
        drawn.earning.round = round;
        drawn.earning.round_stage = round_stage;
        drawn.earning.basis = basis;
        drawn.earning.earn_when = earn_when;
        drawn.earning.tier_multiplier = if both { TierMultiplier::Both } else { TierMultiplier::RedeemableOnly };
        drawn.reversal.refund = if lines { RefundRule::LineExact } else { RefundRule::AmountProrata };
        drawn.reversal.no_recredit_after_cancel = barred;
        drawn.reversal.negative_balance = negative_balance;
        drawn.welcome = welcome.map(|(pending, regrant)| Welcome {
            points: 100,
            when: if pending { WelcomeWhen::PendingUntilFirstDelivery } else { WelcomeWhen::Immediate },
            regrant,
        });
        drawn
    }
}

/// What one order has come to, as far as it must not depend on arrival.
fn outcome(book: &Book) -> impl PartialEq + std::fmt::Debug + use<> {
    let order = book.orders.values().next().cloned();
    let settled = |order: &Order| {
        let mut credits: Vec<_> = order.credits.iter().map(|credit| (credit.rule.clone(), credit.posted)).collect();
        credits.retain(|(_, posted)| !posted.is_zero());
        credits.sort();
        (order.facts, credits, order.spent_minor, order.counted, order.pending_points)
    };
    let member = book.members.get(&MemberId::from("m_test"));
    let stands = |member: &Member| {
        (member.balance, member.tier.clone(), member.spent_minor, member.orders_count, member.pending_points)
    };
    (order.as_ref().map(settled), member.map(stands))
}

proptest! {
    #![proptest_config(config())]

    /// I5: any order of arrival, with any repetitions, of the same snapshots ends in the same books.
    #[test]
    fn arrival_does_not_matter(
        programme in programmes(),
        snapshots in prop::collection::vec(snapshots(), 1..6),
        repeats in prop::collection::vec(any::<Index>(), 0..4),
        shuffle in prop::collection::vec(any::<u64>(), 16),
    ) {
        let mut arrivals: Vec<_> = snapshots.iter().collect();
        arrivals.extend(repeats.iter().map(|index| index.get(&snapshots)));
        let play = |arrivals: &[&OrderSnapshot]| {
            let mut book = Book::default();
            for snapshot in arrivals {
                book.deliver(&programme, snapshot, start() + Duration::days(1));
            }
            book
        };
        let in_order = play(&arrivals);
        let mut keyed: Vec<_> = shuffle.iter().zip(&arrivals).collect();
        keyed.sort_by_key(|(key, _)| **key);
        let shuffled: Vec<_> = keyed.into_iter().map(|(_, snapshot)| *snapshot).collect();
        let shuffled = play(&shuffled);
        prop_assert_eq!(outcome(&in_order), outcome(&shuffled));
        prop_assert_eq!(shuffled.audit().findings, []);
    }

    /// X24: however a return is split, the parts add up to what the whole would have taken.
    #[test]
    fn partial_returns_add_up(
        programme in programmes(),
        net in 0_i64..5_000_000,
        parts in prop::collection::vec(0_i64..1_000_000, 1..8),
    ) {
        let order = delivered("o", net, start());
        let returned = |refunded: i64, second: i64| {
            let mut next = order.clone();
            next.facts.refunded_minor = refunded;
            next.facts.updated_at = start() + Duration::seconds(second);
            next
        };
        let mut split = Book::default();
        split.deliver(&programme, &order, start());
        let mut refunded = 0;
        for (at, part) in parts.iter().enumerate() {
            refunded += part;
            split.deliver(&programme, &returned(refunded, at as i64 + 1), start());
        }
        let mut whole = Book::default();
        whole.deliver(&programme, &order, start());
        whole.deliver(&programme, &returned(refunded, 100), start());
        prop_assert_eq!(split.member().balance, whole.member().balance);
        prop_assert_eq!(split.posted("o"), whole.posted("o"));
    }

    /// T7: while points only come in, the tier is the highest whose threshold they reach.
    #[test]
    fn the_tier_is_the_highest_reached(nets in prop::collection::vec(0_i64..9_000_000, 1..12)) {
        let programme = cnv_retail_by_tier();
        let mut book = Book::default();
        for (at, net) in nets.iter().enumerate() {
            book.deliver(&programme, &delivered(&format!("o{at}"), *net, start()), start());
            let member = book.member();
            let mut falling = programme.tiers.as_slice().iter().rev();
            let reached = falling.find(|tier| tier.threshold <= member.balance.qualifying.0);
            prop_assert_eq!(Some(&member.tier), reached.map(|tier| &tier.id));
        }
    }

    /// I6, I4: whatever a member does over years, the open lots add up to what they can spend, and the books can be
    /// proved from the history alone.
    #[test]
    fn lots_add_up_over_years(
        programme in programmes(),
        steps in prop::collection::vec((0_u8..5, 0_usize..3, 1_i64..200, 0_i64..200), 1..14),
    ) {
        let mut book = Book::default();
        let mut now = start();
        let mut redemptions = Vec::new();
        for (at, (what, order, figure, days)) in steps.into_iter().enumerate() {
            now += Duration::days(days);
            let mut snapshot = delivered(&format!("o{order}"), figure * 10_000, now + Duration::seconds(at as i64));
            match what {
                0 | 1 => drop(book.deliver(&programme, &snapshot, now)),
                2 => {
                    snapshot.facts.status = OrderStatus::Cancelled;
                    book.deliver(&programme, &snapshot, now);
                }
                3 => {
                    let known = book.members.values().next().cloned();
                    let spendable = known.map_or(0, |member| {
                        let mut member = member;
                        let mut entries = Vec::new();
                        loyalty_domain::advance::advance(&programme, &mut member, now, &mut entries).unwrap();
                        member.redeemable_points()
                    });
                    if spendable > 0 {
                        redemptions.push(book.spend(&programme, "m_test", figure.min(spendable), now));
                    }
                }
                _ => drop(redemptions.pop().map(|redemption| book.undo(&programme, &redemption, now))),
            }
            for member in book.members.values() {
                prop_assert_eq!(member.lots.total(), member.balance.redeemable.0.max(0));
            }
        }
        prop_assert_eq!(book.audit().findings, []);
    }

    /// I9, X12: what the shop changed meanwhile changes nothing about what a cancel takes back.
    #[test]
    fn a_reversal_never_asks_todays_programme(earlier in programmes(), today in programmes(), net in 0_i64..5_000_000) {
        let order = delivered("o", net, start());
        let mut cancelled = order.clone();
        cancelled.facts.status = OrderStatus::Cancelled;
        cancelled.facts.updated_at += Duration::days(1);
        let taken = |programme: &Programme| {
            let mut book = Book::default();
            book.deliver(&earlier, &order, start());
            let entries = book.deliver(programme, &cancelled, start() + Duration::days(1));
            (book.member().balance, entries.iter().map(|entry| (entry.legs, entry.written_off)).collect::<Vec<_>>())
        };
        prop_assert_eq!(taken(&earlier), taken(&today));
    }

    /// I8: the same rows, snapshot and instant give the same decision.
    #[test]
    fn the_same_inputs_give_the_same_decision(
        programme in programmes(),
        snapshots in prop::collection::vec(snapshots(), 1..5),
    ) {
        let play = || {
            let mut book = Book::default();
            snapshots.iter().map(|snapshot| book.try_deliver(&programme, snapshot, start())).collect::<Vec<_>>()
        };
        prop_assert_eq!(play(), play());
    }

    /// I1, F26: hostile figures are refused or survived; nothing panics.
    #[test]
    fn hostile_figures_do_not_panic(
        figures in prop::collection::vec(hostile(), 16),
        times in prop::collection::vec(select(vec![
            DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::UNIX_EPOCH, start(),
        ]), 5),
        (status, payment) in (statuses(), payments()),
        mut programme in programmes(),
        zone in select(vec![chrono_tz::Asia::Ho_Chi_Minh, chrono_tz::Pacific::Kiritimati, chrono_tz::Pacific::Niue]),
        credited in any::<bool>(),
    ) {
        programme.zone = zone;
        let snapshot = OrderSnapshot {
            order_id: OrderId::from("o"),
            facts: OrderFacts {
                updated_at: times[0],
                status,
                payment,
                refunded_minor: figures[0],
                refunded_lines_minor: Some(figures[1]),
                due_minor: figures[2],
                shipping_minor: figures[3],
                items_minor: Some(figures[4]),
                currency: Currency::VND,
                placed_at: times[1],
                wallet_minor: 0,
            },
            member_id: Some(MemberId::from("m_test")),
            items: Vec::new(),
            vouchers: Vec::new(),
            again: false,
            profile: Profile::default(),
        };
        let first = reconcile_order(&programme, OrderRows::default(), snapshot.clone(), times[2]);
        let Ok(Verdict::Decided(first)) = first else { return Ok(()) };
        let (Some(mut member), Some(mut order)) = (first.member, first.order) else { return Ok(()) };
        member.balance = Legs::new(figures[5], figures[6]);
        member.orders_count = figures[7];
        member.spent_minor = figures[8];
        member.pending_points = figures[9];
        member.last_seq = figures[10] as u64;
        member.as_of = times[3];
        order.spent_minor = figures[11];
        if credited {
            if let Some(credit) = order.credits.first_mut() {
                credit.posted = Legs::new(figures[12], figures[13]);
                credit.written_off = Legs::new(figures[14], figures[15]);
                credit.expired_written_off = figures[10];
                credit.first_expiry = Expiry::Never;
            }
        } else if let Some(credit) = order.credits.first().cloned() {
            order.put_credit(Credit { rule: RuleId::from("other"), ..credit });
        }
        let mut next = snapshot;
        next.facts.status = OrderStatus::Cancelled;
        next.facts.due_minor = figures[12];
        next.facts.updated_at = times[4];
        let rows = OrderRows { order: Some(order), member: Some(member.clone()), left_member: None, history: Some(&[]), participations: Some(Vec::new()), vouchers: None };
        let _ = reconcile_order(&programme, rows, next, times[3]);
        let asked = Asked { request_id: "r_1".into(), fingerprint: String::new() };
        let redemption = Redemption { asked, reward: None, points: Some(figures[0]), order_minor: None, hold: true };
        let _ = redeem(&programme, member, None, redemption, times[4]);
    }
}

fn hostile() -> impl Strategy<Value = i64> {
    prop_oneof![
        select(vec![i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX, 1_000_000_000_000_000_000]),
        any::<i64>(),
        -1_000_000_i64..1_000_000,
    ]
}

/// The literal filter of R2 is the one setting whose outcome depends on arrival: stated here so that it stays the only one.
#[test]
fn the_literal_filter_depends_on_arrival_on_purpose() {
    let mut programme = cnv_miniapp();
    programme.reversal.requires_paid = true;
    let order = delivered("o", 100_000, start());
    let mut cancelled = order.clone();
    cancelled.facts.status = OrderStatus::Cancelled;
    cancelled.facts.payment = PaymentStatus::Unpaid;
    cancelled.facts.updated_at += Duration::seconds(1);
    let posted = |snapshots: [&OrderSnapshot; 2]| {
        let mut book = Book::default();
        for snapshot in snapshots {
            book.deliver(&programme, snapshot, start());
        }
        assert_eq!(book.audit().findings, []);
        book.posted("o").redeemable.0
    };
    assert_eq!((posted([&order, &cancelled]), posted([&cancelled, &order])), (100, 0));
}
