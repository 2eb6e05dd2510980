//! What a campaign may choose otherwise: a cancelled order gives its participation back (X18), a member who falls back
//! goes on (X19).

use chrono::Duration;
use loyalty_domain::campaign::{BonusWhen, ParticipationState, gone_on};
use loyalty_domain::ledger::EntryKind;
use loyalty_domain::order::{OrderSnapshot, OrderStatus, PaymentStatus};
use loyalty_domain::points::Legs;
use loyalty_domain::programme::{NegativeBalance, Programme};
use loyalty_domain::redeem::{Redemption, confirm, redeem, undo};
use loyalty_domain::request::Asked;
use loyalty_domain::time::Instant;

use crate::living::{Shop, bonus, later, monday, order, preset};

use ParticipationState::{Active, Completed, Exhausted};

/// S2's programme, whose campaign gives back (X18), lets go on (X19), or both.
fn programme(restores: bool, reopens: bool) -> Programme {
    let mut programme = preset("cnv-miniapp", "");
    programme.campaigns[0].restores_on_reversal = restores;
    programme.campaigns[0].reopens_on_demotion = reopens;
    programme
}

/// A shop whose one member has ordered once and been enrolled.
fn enrolled(programme: Programme) -> Shop {
    let mut shop = Shop::with_old_order(programme, 10_000);
    assert!(shop.monday(monday()), "the member is invited");
    shop
}

fn paid(id: &str, net_minor: i64, hours: i64) -> OrderSnapshot {
    let mut order = order(id, net_minor, OrderStatus::Delivered, PaymentStatus::Paid, later(hours));
    order.facts.placed_at = later(1);
    order
}

fn cancelled(id: &str, net_minor: i64, hours: i64) -> OrderSnapshot {
    let mut order = paid(id, net_minor, hours);
    order.facts.status = OrderStatus::Cancelled;
    order
}

fn base(points: i64) -> (EntryKind, Legs) {
    (EntryKind::Accrual, Legs::new(points, points))
}

fn taken(points: i64) -> (EntryKind, Legs) {
    (EntryKind::Reversal, Legs::new(-points, -points))
}

#[test]
fn x18_a_cancelled_order_gives_its_participation_back() {
    let mut shop = enrolled(programme(true, false));
    shop.deliver(&paid("A", 20_000, 2));
    assert_eq!(shop.participation(), (1, 1, Active));
    assert_eq!(shop.deliver(&cancelled("A", 20_000, 3)), [taken(20), taken(150)]);
    assert_eq!(shop.participation(), (0, 2, Active));
    assert_eq!(shop.deliver(&cancelled("A", 20_000, 3)), [], "the same again");
    assert_eq!(shop.deliver(&paid("A", 20_000, 2)), [], "an older word");
    assert_eq!(shop.deliver(&paid("B", 20_000, 4)), [base(20), bonus(150)]);
    assert_eq!(shop.deliver(&paid("C", 20_000, 5)), [base(20), bonus(150)]);
    assert_eq!(shop.participation(), (2, 0, Exhausted));
    assert_eq!(shop.deliver(&paid("A", 20_000, 6)), [base(20)], "nothing is left for the order that comes back");
    assert_eq!(shop.balance(), (370, 370));
}

#[test]
fn x18_who_was_exhausted_is_active_again_and_an_order_that_comes_back_uses_one_again() {
    let mut shop = enrolled(programme(true, false));
    shop.deliver(&paid("A", 20_000, 2));
    shop.deliver(&paid("B", 20_000, 3));
    assert_eq!(shop.participation(), (2, 0, Exhausted));
    shop.deliver(&cancelled("A", 20_000, 4));
    assert_eq!(shop.participation(), (1, 1, Active));
    assert_eq!(shop.book.member().active_campaigns, ["fast-promotion".into()]);
    assert!(shop.monday(later(7 * 24)), "who has one left is written to");
    assert_eq!(shop.deliver(&paid("A", 20_000, 170)), [base(20), bonus(150)], "X28, X46");
    assert_eq!(shop.participation(), (2, 0, Exhausted));
    assert_eq!(shop.last().participations[0].state, Exhausted);
    shop.deliver(&cancelled("A", 20_000, 171));
    assert_eq!(shop.deliver(&paid("C", 20_000, 172)), [base(20), bonus(150)]);
    assert_eq!(shop.participation(), (2, 0, Exhausted));
}

/// What the order is given back by was decided when it used one (I9): the campaign may be gone by then.
#[test]
fn x18_does_not_depend_on_the_programme_of_today() {
    let mut shop = enrolled(programme(true, false));
    shop.deliver(&paid("A", 20_000, 2));
    let campaign = shop.programme.campaigns.remove(0);
    shop.deliver(&cancelled("A", 20_000, 3));
    assert_eq!(shop.participation(), (0, 2, Active));
    shop.programme.campaigns.push(campaign);
    shop.programme.campaigns[0].restores_on_reversal = false;
    shop.deliver(&paid("B", 20_000, 4));
    shop.deliver(&cancelled("B", 20_000, 5));
    assert_eq!(shop.participation(), (1, 1, Active), "B was promised nothing");
}

/// Bonus points that the member keeps used the participation up, whatever becomes of the order.
#[test]
fn x18_what_was_kept_was_used() {
    let mut shop = enrolled(programme(true, false));
    shop.programme.reversal.negative_balance = NegativeBalance::Clamp;
    shop.deliver(&paid("A", 20_000, 2));
    shop.book.spend(&shop.programme, "m_test", 100, later(3));
    shop.deliver(&cancelled("A", 20_000, 4));
    assert_eq!(shop.balance().0, 0, "80 of 170 were there to be taken");
    assert_eq!(shop.participation(), (1, 1, Active));

    let mut shop = enrolled(programme(true, false));
    shop.deliver(&paid("A", 20_000, 2));
    shop.book.spend(&shop.programme, "m_test", 100, later(3));
    shop.deliver(&cancelled("A", 20_000, 4));
    assert_eq!((shop.balance().0, shop.participation()), (-90, (0, 2, Active)), "a debt is nothing kept (X22)");
}

/// With the literal filter of R2 a cancelled order that was never paid keeps its bonus, and with it its participation.
#[test]
fn x18_waits_for_what_x11_waits_for() {
    let mut programme = programme(true, false);
    programme.reversal.requires_paid = true;
    let mut shop = enrolled(programme);
    let mut placed = order("A", 20_000, OrderStatus::Pending, PaymentStatus::Unpaid, later(2));
    assert_eq!(shop.deliver(&placed), [bonus(150)]);
    (placed.facts.status, placed.facts.updated_at) = (OrderStatus::Cancelled, later(3));
    assert_eq!(shop.deliver(&placed), []);
    assert_eq!(shop.participation(), (1, 1, Active));
    (placed.facts.payment, placed.facts.updated_at) = (PaymentStatus::Refunded, later(4));
    assert_eq!(shop.deliver(&placed), [taken(150)]);
    assert_eq!(shop.participation(), (0, 2, Active));
}

/// A bonus that waits until its order earns may be given back while nothing of it is posted.
#[test]
fn x18_a_bonus_that_waits_is_given_back_too() {
    let mut programme = programme(true, false);
    programme.campaigns[0].bonus_when = BonusWhen::Earned;
    let mut shop = enrolled(programme);
    assert_eq!(shop.deliver(&paid("A", 20_000, 2)), [base(20), bonus(150)]);
    let mut unpaid = paid("A", 20_000, 3);
    unpaid.facts.payment = PaymentStatus::Unpaid;
    assert_eq!(shop.deliver(&unpaid), [taken(20), taken(150)]);
    assert_eq!((shop.participation(), shop.book.member().pending_points), ((1, 1, Active), 150), "not cancelled yet");
    unpaid.facts.status = OrderStatus::Cancelled;
    unpaid.facts.updated_at = later(4);
    assert_eq!(shop.deliver(&unpaid), []);
    assert_eq!((shop.participation(), shop.book.member().pending_points), ((0, 2, Active), 0));
    assert_eq!(shop.deliver(&paid("A", 20_000, 5)), [base(20), bonus(150)]);
    assert_eq!(shop.participation(), (1, 1, Active));
}

/// 10, then 840 and the bonus: exactly enough for Silver.
fn promoted(programme: Programme) -> Shop {
    let mut shop = enrolled(programme);
    shop.deliver(&paid("A", 840_000, 2));
    assert_eq!((shop.tier(), shop.participation()), ("silver", (1, 1, Completed)));
    shop
}

#[test]
fn x19_who_falls_back_goes_on_where_the_campaign_says_so() {
    let mut shop = promoted(programme(false, true));
    shop.deliver(&cancelled("A", 840_000, 3));
    assert_eq!((shop.tier(), shop.participation()), ("member", (1, 1, Active)));
    assert_eq!(shop.book.member().active_campaigns, ["fast-promotion".into()]);
    assert_eq!(shop.deliver(&cancelled("A", 840_000, 3)), []);
    assert!(shop.monday(later(7 * 24)));
    assert_eq!(shop.deliver(&paid("B", 20_000, 170)), [base(20), bonus(150)]);
    assert_eq!(shop.participation(), (2, 0, Exhausted));

    let mut shop = promoted(programme(false, false));
    shop.deliver(&cancelled("A", 840_000, 3));
    assert_eq!((shop.tier(), shop.participation()), ("member", (1, 1, Completed)), "the default");
}

#[test]
fn x18_and_x19_together_give_all_back() {
    let mut shop = promoted(programme(true, true));
    shop.deliver(&cancelled("A", 840_000, 3));
    assert_eq!((shop.tier(), shop.participation()), ("member", (0, 2, Active)));
    assert_eq!(shop.deliver(&paid("A", 840_000, 4)), [base(840), bonus(150)]);
    assert_eq!((shop.tier(), shop.participation()), ("silver", (1, 1, Completed)));
}

#[test]
fn x18_alone_leaves_the_campaign_completed() {
    let mut shop = promoted(programme(true, false));
    shop.deliver(&cancelled("A", 840_000, 3));
    assert_eq!((shop.tier(), shop.participation()), ("member", (0, 2, Completed)));
    assert_eq!(shop.deliver(&paid("B", 20_000, 4)), [base(20)]);
}

#[test]
fn x19_needs_one_left_and_a_reversal() {
    let mut programme = programme(false, true);
    programme.campaigns[0].participations = 1;
    let mut shop = enrolled(programme.clone());
    shop.deliver(&paid("A", 840_000, 2));
    shop.deliver(&cancelled("A", 840_000, 3));
    assert_eq!((shop.tier(), shop.participation()), ("member", (1, 0, Completed)), "none is left");

    programme.campaigns[0].participations = 2;
    let mut shop = promoted(programme);
    let a_year = Duration::days(366);
    shop.run_day(monday() + a_year);
    shop.run_day(monday() + a_year + a_year);
    assert_eq!((shop.tier(), shop.participation()), ("member", (1, 1, Completed)), "a missed cycle begins nothing");
}

/// A partial return may cost the tier as well (R5, X24).
#[test]
fn x19_counts_a_partial_return() {
    let mut shop = promoted(programme(true, true));
    let mut returned = paid("A", 840_000, 3);
    returned.facts.refunded_minor = 40_000;
    assert_eq!(shop.deliver(&returned), [taken(40)]);
    assert_eq!((shop.tier(), shop.participation()), ("member", (1, 1, Active)), "the order stands and keeps its own");
}

/// X50: orders of a pause wait and are decided once when the campaign goes on; one that was undone meanwhile brings nothing.
#[test]
fn x50_orders_of_a_pause_get_their_bonus_when_the_campaign_goes_on() {
    let mut shop = enrolled(programme(false, false));
    let again = |shop: &mut Shop, id: &str, hours: i64| {
        let order = OrderSnapshot::again(&shop.book.orders[&id.into()]);
        let entries = shop.book.deliver(&shop.programme.clone(), &order, later(hours));
        entries.iter().map(|entry| (entry.kind, entry.legs)).collect::<Vec<_>>()
    };
    let waiting = |shop: &Shop| shop.book.participations.values().next().unwrap().waiting.clone();
    shop.programme.campaigns[0].paused = true;
    assert_eq!(shop.deliver(&paid("A", 20_000, 2)), [base(20)]);
    shop.deliver(&paid("B", 20_000, 3));
    shop.deliver(&cancelled("B", 20_000, 4));
    assert_eq!(shop.deliver(&paid("C", 20_000, 5)), [base(20)]);
    shop.deliver(&paid("C", 21_000, 6));
    assert_eq!(again(&mut shop, "A", 7), [], "still paused");
    assert_eq!(waiting(&shop), ["A".into(), "B".into(), "C".into()]);
    assert_eq!(shop.participation(), (0, 2, Active));

    shop.programme.campaigns[0].paused = false;
    assert_eq!(shop.deliver(&paid("A", 20_000, 2)), [], "the shop says nothing new");
    assert_eq!(again(&mut shop, "A", 8), [bonus(150)]);
    assert_eq!(again(&mut shop, "A", 8), [], "killed before it was written down, and once more");
    assert_eq!(again(&mut shop, "B", 8), []);
    assert_eq!(waiting(&shop), ["C".into()]);
    assert_eq!(again(&mut shop, "C", 8), [bonus(150)]);
    assert_eq!((waiting(&shop), shop.participation()), (Vec::new(), (2, 0, Exhausted)));
    assert_eq!(shop.book.audit().findings, []);
    assert_eq!(shop.deliver(&cancelled("A", 20_000, 9)), [taken(20), taken(150)], "as any other bonus");
}

/// X50: since when a campaign goes on is what the programme says, whoever comes when; where it says nothing, it is now.
#[test]
fn x50_a_campaign_goes_on_when_the_programme_says() {
    let live = programme(false, false);
    let version = |change: &dyn Fn(&mut Programme)| {
        let mut version = live.clone();
        change(&mut version);
        version
    };
    let paused = version(&|it| it.campaigns[0].paused = true);
    let closed = version(&|it| it.paused = true);
    let opens = version(&|it| it.campaigns[0].from = Some(later(25)));
    let ended = version(&|it| it.campaigns[0].until = Some(later(20)));
    let chain = |versions: &[(&Programme, i64)]| {
        let (first, rest) = versions.split_first().unwrap();
        rest.iter().fold(first.0.clone(), |earlier, (next, from)| (*next).clone().after(earlier, later(*from)))
    };
    let pause = [(&live, 0), (&paused, 10), (&live, 20)];
    for (versions, as_of, now, expected) in [
        (&pause[..], 15, 30, Some(20)),
        (&pause[..2], 15, 30, None),
        (&pause[..], 20, 30, Some(20)),
        (&pause[..], 22, 30, Some(30)),
        (&[(&live, 0)][..], 15, 30, Some(30)),
        (&[(&live, 0), (&live, 5)][..], 15, 30, Some(30)),
        (&[(&live, 0), (&live, 20)][..], 15, 30, Some(30)),
        (&[(&live, 0), (&paused, 3), (&live, 5)][..], 15, 30, Some(30)),
        (&[(&live, 0)][..], 15, 12, None),
        (&[(&live, 0), (&paused, 10), (&live, 20), (&paused, 22), (&live, 28)][..], 15, 30, Some(20)),
        (&[(&live, 0), (&paused, 10), (&closed, 20), (&live, 25)][..], 15, 30, Some(25)),
        (&[(&live, 0), (&paused, 10), (&opens, 20)][..], 15, 30, Some(25)),
        (&[(&live, 0), (&paused, 10), (&opens, 20)][..], 15, 24, None),
        (&[(&live, 0), (&paused, 10), (&ended, 20)][..], 15, 30, None),
    ] {
        let mut member = enrolled(live.clone()).book.member().clone();
        (member.as_of, member.waits_for) = (later(as_of), vec!["fast-promotion".into()]);
        let since = gone_on(&chain(versions), &member, later(now));
        let expected: Vec<_> = expected.into_iter().map(|at| ("fast-promotion".into(), later(at))).collect();
        assert_eq!(since, expected, "{} versions, as of {as_of}, at {now}", versions.len());
    }
}

/// Whatever three orders go through, in whatever order it is heard of: the books are proved after every step, no
/// participation is used by more orders than were granted, and each order that holds one is credited its bonus.
#[test]
fn any_course_of_orders_leaves_right_books() {
    for seed in 0..400_u64 {
        let mut draw = seed;
        let mut next = move |below: u64| {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (draw >> 33) % below
        };
        let mut programme = programme(next(2) == 0, next(2) == 0);
        programme.campaigns[0].bonus_when = if next(3) == 0 { BonusWhen::Earned } else { BonusWhen::Placed };
        programme.reversal.requires_paid = next(4) == 0;
        programme.reversal.negative_balance =
            if next(3) == 0 { NegativeBalance::Clamp } else { NegativeBalance::Allow };
        let mut shop = enrolled(programme);
        for step in 0..24 {
            let name = ["A", "B", "C"][next(3) as usize];
            let mut snapshot = paid(name, [20_000, 400_000, 840_000][next(3) as usize], 1);
            // Some are older than what was heard before.
            let at: Instant = later(10 + step) - Duration::hours(if next(4) == 0 { 3 } else { 0 });
            snapshot.facts.updated_at = at;
            (snapshot.facts.status, snapshot.facts.payment) = match next(6) {
                0..3 => (OrderStatus::Delivered, PaymentStatus::Paid),
                3 => (OrderStatus::Cancelled, PaymentStatus::Unpaid),
                4 => (OrderStatus::Returned, PaymentStatus::Refunded),
                _ => (OrderStatus::Shipping, PaymentStatus::Unpaid),
            };
            shop.deliver(&snapshot);
            let (used, remaining, _) = shop.participation();
            assert_eq!(used + remaining, 2, "seed {seed}");
        }
    }
}

/// F24: a bonus that was raised after members were enrolled, or a budget that came later, spends no point that was not set
/// aside.
#[test]
fn f24_a_raised_bonus_stays_within_what_was_set_aside() {
    let mut budgeted = programme(true, false);
    budgeted.campaigns[0].budget_points = Some(300);
    let mut shop = enrolled(budgeted);
    shop.programme.campaigns[0].bonus = Legs::new(400, 400);
    assert_eq!(shop.deliver(&paid("A", 20_000, 2)), [base(20), bonus(150)]);
    shop.programme.campaigns[0].budget_points = None;
    assert_eq!(shop.deliver(&paid("B", 20_000, 3)), [base(20), bonus(150)]);

    let mut shop = enrolled(programme(false, false));
    shop.programme.campaigns[0].budget_points = Some(1_000);
    assert_eq!(shop.deliver(&paid("A", 20_000, 2)), [base(20)], "nothing was set aside before there was a budget");
    assert_eq!(shop.participation(), (0, 2, Active), "and none is used up for nothing");
    assert!(!shop.monday(later(7 * 24)), "nor is anybody invited to nothing");

    let mut lowered = programme(false, false);
    lowered.campaigns[0].budget_points = Some(300);
    let mut shop = enrolled(lowered);
    shop.programme.campaigns[0].bonus = Legs::new(100, 0);
    assert_eq!(shop.deliver(&paid("A", 20_000, 2)), [base(20), (EntryKind::Bonus, Legs::new(100, 0))]);
}

/// An order whose points were written off and that no longer earns uses no participation for a bonus that waits.
#[test]
fn x10_an_order_that_no_longer_earns_uses_no_participation() {
    let mut programme = programme(false, false);
    programme.campaigns[0].bonus_when = BonusWhen::Earned;
    programme.reversal.negative_balance = NegativeBalance::Clamp;
    let mut shop = Shop::with_old_order(programme, 10_000);
    let mut early = paid("A", 20_000, -2);
    early.facts.placed_at = later(2);
    shop.deliver(&early);
    shop.book.spend(&shop.programme, "m_test", 30, later(-1));
    let mut unpaid = early.clone();
    (unpaid.facts.payment, unpaid.facts.updated_at) = (PaymentStatus::Unpaid, later(-1));
    shop.deliver(&unpaid);
    assert!(shop.monday(monday()));
    (unpaid.facts.status, unpaid.facts.updated_at) = (OrderStatus::Shipping, later(1));
    assert_eq!(shop.deliver(&unpaid), []);
    assert_eq!(shop.participation(), (0, 2, Active));
    let mut again = early;
    again.facts.updated_at = later(3);
    assert_eq!(shop.deliver(&again).last(), Some(&bonus(150)));
    assert_eq!(shop.participation(), (1, 1, Active));
}

/// What was held is confirmed, undone or lapses as it was asked for, whatever the programme offers by then (I9).
#[test]
fn a_held_reward_does_not_need_to_be_offered_any_more() {
    let rewards = "[[rewards]]\nid = \"ten\"\nname = \"Voucher 10%\"\npoints = 50\n\
                   voucher = { id = \"v-ten\", name = \"Giảm 10%\", percent = 10 }\n";
    let mut shop = Shop::with_old_order(preset("cnv-retail", rewards), 4_000_000);
    let asked = Asked { request_id: "r_1".into(), fingerprint: String::new() };
    let redemption = Redemption { asked, reward: Some("ten".into()), points: None, order_minor: None, hold: true };
    let (held, decision) = redeem(&shop.programme, shop.book.member().clone(), None, redemption, monday()).unwrap();
    shop.book.apply(&decision);
    let entry = shop.last();
    shop.programme.rewards.clear();
    let minute = monday() + Duration::minutes(1);
    let (_, confirmed) = confirm(&shop.programme, shop.book.member().clone(), held.clone(), minute).unwrap();
    assert_eq!(confirmed.grants[0].offer.id.as_str(), "v-ten", "what was paid for is given");
    let (_, undone) = undo(&shop.programme, shop.book.member().clone(), held, &entry, minute).unwrap();
    assert_eq!(undone.member.unwrap().balance.redeemable.0, 400);
    shop.run_day(monday() + Duration::days(1));
    assert_eq!(shop.balance().0, 400, "lapsed");
}
