//! Tiers by rules, coming back to a tier, and tiers that an outside system decides (T17, T18, X37, X47).

use chrono::Duration;
use loyalty_contract::events::{BusEvent, Direction};
use loyalty_domain::adjust::{Adjustment, adjust};
use loyalty_domain::behaviour::{Behaved, BehaviourRows, behave};
use loyalty_domain::daily::run_day;
use loyalty_domain::decision::{Outcome, Rejection};
use loyalty_domain::ids::RuleId;
use loyalty_domain::ledger::{Entry, EntryKind, Note, Reason};
use loyalty_domain::order::{OrderSnapshot, OrderStatus};
use loyalty_domain::outside::{Told, follow};
use loyalty_domain::points::Legs;
use loyalty_domain::programme::{Programme, RefundRule, ReversalDemotes, TierAuthority};
use loyalty_domain::request::Asked;
use loyalty_domain::standing::next_of_member;
use loyalty_domain::time::Instant;
use loyalty_tests::book::Book;
use loyalty_tests::build::{at, delivered};

use crate::living::{monday, preset};

struct Shop {
    programme: Programme,
    book: Book,
}

impl Shop {
    fn panda() -> Self {
        Self { programme: preset("panda-rules", ""), book: Book::default() }
    }

    fn deliver(&mut self, id: &str, net_minor: i64, now: Instant) -> Vec<(EntryKind, Reason)> {
        self.say(&delivered(id, net_minor, now))
    }

    fn say(&mut self, order: &OrderSnapshot) -> Vec<(EntryKind, Reason)> {
        let entries = self.book.deliver(&self.programme, order, order.facts.updated_at);
        self.prove();
        entries.iter().map(|entry| (entry.kind, entry.reason)).collect()
    }

    fn cancel(&mut self, id: &str, net_minor: i64, now: Instant) -> Vec<(EntryKind, Reason)> {
        let mut order = delivered(id, net_minor, now);
        order.facts.status = OrderStatus::Cancelled;
        self.say(&order)
    }

    fn behave(&mut self, behaviour: &str, key: &str, now: Instant) {
        let asked = Asked { request_id: key.into(), fingerprint: key.to_owned() };
        let rows = BehaviourRows { member: self.book.member().clone(), known: None, history: self.entries() };
        let behaved = Behaved { asked, behaviour: RuleId::from(behaviour), other_side: false, occurred_at: now };
        let (request, decision) = behave(&self.programme, rows, behaved, now).unwrap();
        self.book.apply(&decision);
        let rewarded = self.entries().iter().find(|entry| entry.seq == request.seq).unwrap();
        assert_eq!(rewarded.kind, EntryKind::Behaviour, "the request names what it earned");
        self.prove();
    }

    fn day(&mut self, now: Instant) {
        let day = run_day(&self.programme, self.book.member().clone(), now).unwrap();
        self.book.apply(&day.decision);
        self.prove();
    }

    fn tell(&mut self, tier: &str, changed_at: Instant) -> Result<Outcome, Rejection> {
        self.tell_at(tier, changed_at, changed_at)
    }

    fn tell_at(&mut self, tier: &str, changed_at: Instant, now: Instant) -> Result<Outcome, Rejection> {
        let told = Told { tier: tier.to_owned(), changed_at };
        let decision = follow(&self.programme, self.book.member().clone(), &told, now)?;
        self.book.apply(&decision);
        self.prove();
        Ok(decision.outcome)
    }

    fn entries(&self) -> &[Entry] {
        self.book.histories.values().next().map_or(&[], Vec::as_slice)
    }

    fn tier(&self) -> &str {
        self.book.member().tier.as_str()
    }

    fn prove(&self) {
        assert_eq!(self.book.audit().findings, []);
    }
}

fn hour(hours: i64) -> Instant {
    monday() + Duration::hours(hours)
}

#[test]
fn t17_spending_alone_reaches_a_tier_and_an_entry_says_so() {
    let mut shop = Shop::panda();
    assert_eq!(shop.deliver("A", 1_999_999, hour(0)), [(EntryKind::Accrual, Reason::OrderEarned)]);
    assert_eq!(shop.tier(), "member");
    let next = next_of_member(&shop.programme, shop.book.member()).unwrap();
    assert_eq!((next.spend_needed_minor, next.missing.orders), (Some(1), 0), "one đồng is nearer than four orders");
    let posted = shop.deliver("B", 5_000, hour(1));
    assert_eq!(posted, [(EntryKind::Tier, Reason::TierReached)], "an order too small for a point still counts");
    assert_eq!((shop.tier(), shop.book.member().balance), ("silver", Legs::new(199, 199)));
    let entry = shop.entries().last().unwrap();
    assert_eq!((entry.tier_before.as_str(), entry.tier_after.as_str()), ("member", "silver"));
    assert_eq!(entry.order_id.as_ref().map(|id| id.as_str()), Some("B"));
}

#[test]
fn t17_conditions_are_combined_with_and_and_or() {
    let mut shop = Shop::panda();
    for at in 0..4 {
        shop.deliver(&format!("{at}"), 10_000, hour(at));
    }
    assert_eq!(shop.tier(), "member");
    shop.deliver("fifth", 10_000, hour(4));
    assert_eq!(shop.tier(), "silver", "five orders, however small");
    let mut shop = Shop::panda();
    shop.deliver("A", 10_000, hour(0));
    shop.behave("combo", "r_1", hour(1));
    assert_eq!(shop.tier(), "member", "two orders and a combo: one order is missing");
    shop.deliver("B", 10_000, hour(2));
    assert_eq!(shop.tier(), "silver");
    let mut shop = Shop::panda();
    shop.deliver("A", 9_000_000, hour(0));
    assert_eq!(shop.tier(), "silver", "gold asks for 7.000.000đ and five orders");
    for at in 1..5 {
        shop.deliver(&format!("{at}"), 10_000, hour(at));
    }
    assert_eq!(shop.tier(), "gold");
    let mut shop = Shop::panda();
    shop.deliver("A", 10_000, hour(0));
    shop.deliver("B", 10_000, hour(1));
    shop.behave("combo", "r_1", hour(2));
    assert_eq!(shop.tier(), "silver", "the behaviour may come last");
}

#[test]
fn t17_an_order_that_is_undone_counts_no_more() {
    let mut shop = Shop::panda();
    shop.deliver("A", 2_500_000, hour(0));
    assert_eq!(shop.tier(), "silver");
    let posted = shop.cancel("A", 2_500_000, hour(1));
    assert_eq!(
        posted,
        [(EntryKind::Reversal, Reason::OrderCancelled), (EntryKind::Tier, Reason::TierUndone)],
        "R5: what the order had brought goes with it"
    );
    assert_eq!((shop.tier(), shop.book.member().cycle.spent_minor, shop.book.member().cycle.orders), ("member", 0, 0));
}

#[test]
fn t8_a_rule_tier_is_kept_by_its_own_rule_and_missed_without() {
    let mut shop = Shop::panda();
    for at in 0..5 {
        shop.deliver(&format!("{at}"), 2_000_000, hour(at));
    }
    assert_eq!(shop.tier(), "gold");
    shop.deliver("next", 5_000_000, at("2027-12-01T10:00:00+07:00"));
    assert_eq!((shop.tier(), shop.book.member().cycle.spent_minor), ("gold", 5_000_000), "T12: the sums began again");
    shop.day(at("2028-11-22T00:05:00+07:00"));
    assert_eq!(shop.tier(), "gold", "kept with 5.000.000đ");
    shop.day(at("2029-11-22T00:05:00+07:00"));
    assert_eq!((shop.tier(), shop.entries().last().unwrap().reason), ("silver", Reason::TierMissed));
}

#[test]
fn x20_a_late_return_takes_no_tier_that_was_carried_in() {
    let mut shop = Shop::panda();
    shop.deliver("A", 2_500_000, hour(0));
    shop.deliver("B", 2_500_000, at("2027-12-01T10:00:00+07:00"));
    assert_eq!(shop.tier(), "silver", "it was kept, for the first order of the cycle before");
    shop.cancel("B", 2_500_000, at("2027-12-02T10:00:00+07:00"));
    assert_eq!(shop.tier(), "silver", "carried into this cycle");
    shop.cancel("A", 2_500_000, at("2027-12-03T10:00:00+07:00"));
    assert_eq!((shop.tier(), shop.book.member().cycle.spent_minor), ("silver", 0), "of a cycle that is over");
}

/// Entering, keeping and coming back may each ask for something else.
#[test]
fn coming_back_to_a_tier_has_its_own_threshold() {
    let mut shop = Shop::panda();
    let tiers = "[[tiers]]\nid = \"member\"\nname = \"Member\"\n[[tiers]]\nid = \"silver\"\nname = \"Silver\"\n\
                 threshold = 200\nkeep_threshold = 100\nreenter_threshold = 50\n";
    shop.programme = preset("cnv-retail", tiers);
    shop.deliver("A", 1_000_000, hour(0));
    assert_eq!(shop.tier(), "member", "100 points are half of what entering takes");
    shop.deliver("B", 1_000_000, hour(1));
    assert_eq!(shop.tier(), "silver");
    shop.deliver("C", 1_000_000, at("2027-12-01T10:00:00+07:00"));
    shop.day(at("2028-11-22T00:05:00+07:00"));
    assert_eq!(shop.tier(), "silver", "kept with 100 points");
    shop.day(at("2029-11-22T00:05:00+07:00"));
    assert_eq!(shop.tier(), "member");
    shop.deliver("D", 490_000, at("2029-12-01T10:00:00+07:00"));
    assert_eq!(next_of_member(&shop.programme, shop.book.member()).unwrap().missing.points, 1);
    shop.deliver("E", 10_000, at("2029-12-02T10:00:00+07:00"));
    assert_eq!(shop.tier(), "silver", "50 points bring back who had it");
}

/// T18: the length of a membership is met by time alone, and the daily run finds it.
#[test]
fn t18_a_membership_grows_by_itself() {
    let tiers = "[[tiers]]\nid = \"member\"\nname = \"Member\"\n[[tiers]]\nid = \"silver\"\nname = \"Silver\"\n\
                 enter = { member_days = 30, orders = 1 }\n";
    let mut shop = Shop::panda();
    shop.programme = preset("panda-rules", tiers);
    shop.deliver("A", 100_000, hour(0));
    assert_eq!(loyalty_domain::daily::due_on(&shop.programme, shop.book.member()), "2026-12-23".parse().ok());
    shop.day(at("2026-12-22T00:05:00+07:00"));
    assert_eq!(shop.tier(), "member");
    shop.day(at("2026-12-23T00:05:00+07:00"));
    assert_eq!((shop.tier(), shop.entries().last().unwrap().kind), ("silver", EntryKind::Tier));

    // Where no run came, the next order finds a Silver, and earns as one (P9).
    let earned = |ran: bool| {
        let mut shop = Shop::panda();
        let twice = tiers.replace("enter", "multiplier = \"2\"\nenter");
        let by_tier = "[changes.earning]\nmechanism = \"by_tier\"\nmultiplier_mode = \"absolute\"\n";
        shop.programme = preset("panda-rules", &format!("{by_tier}{twice}"));
        shop.deliver("A", 100_000, hour(0));
        if ran {
            shop.day(at("2026-12-23T00:05:00+07:00"));
        }
        shop.deliver("B", 500_000, at("2026-12-30T10:00:00+07:00"));
        assert_eq!(shop.book.audit().findings, []);
        let kinds: Vec<_> = shop.entries().iter().map(|entry| (entry.kind, entry.legs)).collect();
        (shop.tier().to_owned(), kinds)
    };
    assert_eq!(earned(false), earned(true));
    assert_eq!(earned(true).1.last().unwrap().1.redeemable.0, 100);
}

/// T18: a membership is long enough on its day, in order with the reviews, however late anybody comes; and each tier is
/// told for itself, with the gift that it brings.
#[test]
fn t18_a_membership_counts_from_its_day_however_late_it_is_met() {
    let tiers = "[[tiers]]\nid = \"member\"\nname = \"Member\"\n\
                 [[tiers]]\nid = \"silver\"\nname = \"Silver\"\nenter = { member_days = 30 }\nkeep = { orders = 2 }\n\
                 reenter = { member_days = 500 }\n\
                 [[tiers]]\nid = \"gold\"\nname = \"Gold\"\nenter = { any = [{ member_days = 60 }, { member_days = 90, orders = 3 }] }\n\
                 keep = { orders = 2 }\nreenter = { any = [{ member_days = 700, orders = 1 }, { member_days = 800 }] }\n";
    let days = ["2026-12-23", "2027-01-22", "2027-11-23", "2028-04-06", "2028-11-22", "2029-01-31", "2029-02-01"];
    let what = |runs: &[&str]| {
        let mut shop = Shop::panda();
        shop.programme = preset("panda-rules", tiers);
        shop.deliver("A", 100_000, hour(0));
        let first = shop.entries().len();
        runs.iter().for_each(|run| shop.day(at(&format!("{run}T00:05:00+07:00"))));
        let told = |entry: &Entry| (entry.kind, entry.tier_after.clone(), entry.occurred_at);
        let posted: Vec<_> = shop.entries()[first..].iter().map(told).collect();
        let entries: Vec<&Entry> = shop.entries().iter().collect();
        let events = BusEvent::of_entries(&entries, |_| &shop.programme.tiers);
        let ups = events.filter(|(_, event)| match event {
            BusEvent::TierChanged(changed) => changed.direction == Direction::Upgrade,
            _ => false,
        });
        (posted, ups.count(), shop.book.member().tier_since, shop.book.member().review_on)
    };
    let on_time = what(&days);
    let moved: Vec<_> = on_time.0.iter().filter(|told| told.0 != EntryKind::Expiration).collect();
    let tiers: Vec<_> = moved.iter().map(|told| told.1.as_str()).collect();
    let begun = |day: &str| at(&format!("{day}T00:00:00+07:00"));
    assert_eq!(tiers, ["silver", "gold", "silver", "member", "silver", "gold"]);
    let since: Vec<_> = moved.iter().map(|told| told.2).collect();
    let right = ["2026-12-23", "2027-01-22", "2027-11-23", "2028-11-22", "2028-11-22", "2029-01-31"];
    assert_eq!(since, right.map(begun));
    assert_eq!(on_time.1, 4, "each tier is told");
    assert_eq!(on_time, what(&["2029-02-01"]), "all of it two years late");
    assert_eq!(on_time, what(&["2027-05-05", "2028-12-01", "2029-02-01"]));
}

#[test]
fn x47_an_outside_system_is_followed_where_it_decides_and_refused_where_not() {
    let mut shop = Shop { programme: preset("cnv-retail", ""), book: Book::default() };
    shop.deliver("A", 1_000_000, hour(0));
    assert_eq!(shop.tell("gold", hour(1)), Err(Rejection::TiersAreOurs));
    shop.programme.tier_authority = TierAuthority::Outside;
    assert_eq!(shop.tell("emerald", hour(1)), Err(Rejection::UnknownTier("emerald".to_owned())), "X37");
    assert_eq!(shop.tell("Gold", hour(2)), Ok(Outcome::Posted));
    assert_eq!((shop.tier(), shop.entries().last().unwrap().reason), ("gold", Reason::TierTold));
    assert_eq!(shop.tell("diamond", hour(1)), Ok(Outcome::Stale), "an older word");
    assert_eq!(shop.tell("gold", hour(3)), Ok(Outcome::Posted));
    assert_eq!(shop.entries().last().unwrap().occurred_at, hour(2), "no entry for the tier that is held");
    shop.deliver("B", 90_000_000, hour(4));
    assert_eq!(shop.tier(), "gold", "thresholds only inform");
    assert_eq!(shop.tell_at("silver", hour(900), hour(5)), Ok(Outcome::Posted), "by a clock that is ahead");
    assert_eq!(shop.tell("gold", hour(6)), Ok(Outcome::Posted), "and the next word counts all the same");
    shop.day(at("2027-11-24T00:05:00+07:00"));
    assert_eq!((shop.tier(), shop.book.member().balance.qualifying.0), ("gold", 0), "points begin again all the same");
    assert_eq!(shop.entries().last().unwrap().reason, Reason::CycleEnded, "nothing was judged");
    let entries = shop.entries().len();
    shop.day(at("2028-11-24T00:05:00+07:00"));
    assert_eq!(shop.entries().iter().filter(|entry| entry.kind == EntryKind::Reset).count(), 1, "nor is it again");
    assert!(shop.entries().len() > entries, "but what has expired has");
    assert_eq!(loyalty_domain::standing::keep_until(&shop.programme, shop.book.member()), None);
}

#[test]
fn points_may_be_one_of_the_rules() {
    let tiers = "[[tiers]]\nid = \"member\"\nname = \"Member\"\n[[tiers]]\nid = \"silver\"\nname = \"Silver\"\n\
                 enter = { points = 50 }\n";
    let mut shop = Shop::panda();
    shop.programme = preset("panda-rules", tiers);
    shop.deliver("A", 100_000, hour(0));
    let note = Note { operator: "lan".to_owned(), text: "bù điểm".to_owned(), subject: None };
    let asked = Asked { request_id: "r_1".into(), fingerprint: String::new() };
    let adjustment = Adjustment { asked, legs: Legs::new(0, 40), note };
    let (request, decision) = adjust(&shop.programme, shop.book.member().clone(), None, adjustment, hour(1)).unwrap();
    shop.book.apply(&decision);
    shop.prove();
    assert_eq!((shop.tier(), request.seq), ("silver", 2));
}

/// R5: a tier that points had reached is lost with them, also where what was spent stays as it was.
#[test]
fn points_that_are_taken_cost_the_tier_that_they_had_reached() {
    let tiers = "[[tiers]]\nid = \"member\"\nname = \"Member\"\n[[tiers]]\nid = \"silver\"\nname = \"Silver\"\n\
                 enter = { points = 50 }\n";
    let mut shop = Shop::panda();
    shop.programme = preset("panda-rules", tiers);
    shop.programme.reversal.refund = RefundRule::LineExact;
    shop.deliver("A", 600_000, hour(0));
    assert_eq!(shop.tier(), "silver");
    let mut returned = delivered("A", 600_000, hour(1));
    returned.facts.refunded_lines_minor = Some(200_000);
    let posted = shop.say(&returned);
    assert_eq!(posted.last(), Some(&(EntryKind::Tier, Reason::TierUndone)), "the money is not given back yet");
    assert_eq!((shop.tier(), shop.book.member().spent_minor), ("member", 600_000));
}

/// P1: points to spend are no part of a tier, so an operator who takes some takes no tier with them.
#[test]
fn taking_points_to_spend_costs_no_tier_that_was_carried_in() {
    let mut shop = Shop::panda();
    shop.programme.reversal_demotes = ReversalDemotes::ByBalance;
    shop.deliver("A", 2_500_000, hour(0));
    shop.deliver("B", 2_500_000, at("2027-11-20T10:00:00+07:00"));
    shop.day(at("2027-11-24T00:05:00+07:00"));
    assert_eq!((shop.tier(), shop.book.member().cycle.spent_minor), ("silver", 0), "carried into a new cycle");
    let note = Note { operator: "lan".to_owned(), text: "trừ điểm".to_owned(), subject: None };
    let asked = Asked { request_id: "r_1".into(), fingerprint: String::new() };
    let adjustment = Adjustment { asked, legs: Legs::new(-15, 0), note };
    let now = at("2027-11-24T10:00:00+07:00");
    let (_, decision) = adjust(&shop.programme, shop.book.member().clone(), None, adjustment, now).unwrap();
    shop.book.apply(&decision);
    shop.prove();
    assert_eq!(shop.tier(), "silver");
}
