//! Two members who are one person: everything moves once, and whatever is said of the one from then on concerns the other.

use loyalty_audit::Table;
use loyalty_domain::adjust::{Adjustment, adjust};
use loyalty_domain::campaign::BonusWhen;
use loyalty_domain::decision::{Decision, Outcome, Rejection};
use loyalty_domain::ids::MemberId;
use loyalty_domain::ledger::{EntryKind, Note};
use loyalty_domain::lots::{Expiry, Lot};
use loyalty_domain::member::{Member, Profile};
use loyalty_domain::merge::MergeProblem;
use loyalty_domain::order::{OrderSnapshot, OrderStatus, PaymentStatus};
use loyalty_domain::points::Legs;
use loyalty_domain::programme::Programme;
use loyalty_domain::redeem::{Redemption, redeem};
use loyalty_domain::request::Asked;
use loyalty_domain::time::Instant;
use loyalty_domain::welcome::welcome;
use loyalty_store::engine::Fault;
use loyalty_store::{Concerns, Loaded, Merging, StoreError, ZaloKey};
use serde_json::{Value, json};

use crate::merge_campaigns::{campaign, enrolled};
use crate::past::{brought, opened, past};
use crate::support::{AN, BINH, Shop, at, audit, check, order, programme, version, with_welcome};

const CHI: &str = "m_chi";

/// An order of another member.
pub fn by(member_id: &str, snapshot: OrderSnapshot) -> OrderSnapshot {
    let profile = Profile { phone: Some("84907654321".to_owned()), name: Some("B".to_owned()), ..Profile::default() };
    OrderSnapshot { member_id: Some(member_id.into()), profile, ..snapshot }
}

pub async fn merge(shop: &Shop, from: &str, into: &str, now: Instant) -> Result<Merging, StoreError> {
    let (from, into) = (MemberId::from(from), MemberId::from(into));
    let asked = Asked { request_id: format!("r_{from}_{into}").as_str().into(), fingerprint: from.to_string() };
    let merged = shop.books.merge_members(&shop.programme, (&from, &into), &asked, now).await;
    if merged.is_ok() {
        shop.books.merge_contacts(&from, &into).await.unwrap();
    }
    merged
}

pub async fn merged(shop: &Shop, from: &str, into: &str, now: Instant) {
    let merged = merge(shop, from, into, now).await.unwrap();
    assert!(matches!(merged, Merging::Done(_)), "{merged:?}");
    check(shop);
}

pub async fn refusal(shop: &Shop, from: &str, into: &str) -> MergeProblem {
    match merge(shop, from, into, at(500)).await.unwrap_err() {
        StoreError::Rejected(Rejection::CannotMerge(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

pub async fn adjusted(shop: &Shop, member_id: &str, legs: Legs, now: Instant) -> Result<(), StoreError> {
    let note = Note { operator: "op".to_owned(), text: "why".to_owned(), subject: None };
    let request_id = format!("r_{member_id}_{}_{}", now.timestamp(), legs.redeemable.0);
    let asked = Asked { request_id: request_id.as_str().into(), fingerprint: String::new() };
    let concerns = Concerns::request(member_id.into(), asked.request_id.clone());
    let adjustment = Adjustment { asked, legs, note };
    let decide = |rows: Loaded| {
        let member = rows.member.expect("a member");
        let known = rows.request.as_ref();
        let (_, decision) = adjust(&shop.programme, member, known, adjustment.clone(), now)?;
        Ok(((), decision))
    };
    shop.books.command(&shop.programme, &concerns, now, decide).await
}

async fn redeemed(shop: &Shop, member_id: &str, points: i64, hold: bool, now: Instant) -> Result<(), StoreError> {
    let request_id = format!("r_{member_id}_{}_redeem", now.timestamp());
    let asked = Asked { request_id: request_id.as_str().into(), fingerprint: String::new() };
    let concerns = Concerns::request(member_id.into(), asked.request_id.clone());
    let redemption = Redemption { asked, reward: None, points: Some(points), order_minor: None, hold };
    let decide = |rows: Loaded| {
        let member = rows.member.expect("a member");
        let (_, decision) = redeem(&shop.programme, member, rows.request.as_ref(), redemption.clone(), now)?;
        Ok(((), decision))
    };
    shop.books.command(&shop.programme, &concerns, now, decide).await
}

/// A member says they are one, by the shop's own word (X25).
async fn registered(shop: &Shop, member_id: &str, now: Instant) {
    let decide = |rows: Loaded| {
        let new = || Member::registered(&shop.programme, member_id.into(), now).expect("tiers");
        let mut member = rows.member.unwrap_or_else(new);
        let entries = welcome(&shop.programme, &mut member, now, now)?;
        Ok(((), Decision::posted(member, entries)))
    };
    shop.books.command(&shop.programme, &Concerns::member(member_id.into()), now, decide).await.unwrap();
}

/// Somebody is in the books without having registered or ordered.
async fn wordless(shop: &Shop, member_id: &str, now: Instant) {
    let decide = |_: Loaded| {
        let member = Member::registered(&shop.programme, member_id.into(), now).expect("tiers");
        Ok(((), Decision::posted(member, Vec::new())))
    };
    shop.books.command(&shop.programme, &Concerns::member(member_id.into()), now, decide).await.unwrap();
}

/// X25, X43: one person has one first order, and it takes back what one of them was welcomed with.
#[tokio::test]
async fn x25_a_welcome_that_waits_for_a_first_order_joins_too() {
    for (also_welcomed, left) in [(false, 0), (true, 100)] {
        let shop = Shop::new(with_welcome());
        registered(&shop, BINH, at(0)).await;
        if also_welcomed {
            registered(&shop, AN, at(5)).await;
        } else {
            wordless(&shop, AN, at(5)).await;
        }
        merged(&shop, BINH, AN, at(10)).await;
        registered(&shop, BINH, at(20)).await;
        check(&shop);
        assert_eq!(shop.member(AN).await.balance, Legs::new(100 + left, 0), "nobody is welcomed again");
        shop.one(version("1", 30, OrderStatus::Confirmed)).await;
        check(&shop);
        shop.one(version("1", 40, OrderStatus::Cancelled)).await;
        check(&shop);
        assert_eq!(shop.member(AN).await.balance, Legs::new(left, 0));
    }
    // Who has ordered keeps what the other was welcomed with.
    let shop = Shop::new(with_welcome());
    registered(&shop, BINH, at(0)).await;
    shop.one(version("1", 5, OrderStatus::Confirmed)).await;
    merged(&shop, BINH, AN, at(10)).await;
    shop.one(version("1", 40, OrderStatus::Cancelled)).await;
    check(&shop);
    assert_eq!(shop.member(AN).await.balance, Legs::new(100, 0));
}

#[tokio::test]
async fn everything_moves_once_and_both_histories_say_so() {
    let shop = Shop::new(with_welcome());
    shop.one(order("1")).await;
    shop.one(by(BINH, version("2", 60, OrderStatus::Delivered))).await;
    shop.one(by(BINH, version("3", 120, OrderStatus::Confirmed))).await;
    merged(&shop, BINH, AN, at(200)).await;
    let (an, binh) = (shop.member(AN).await, shop.member(BINH).await);
    assert_eq!((an.balance, an.spent_minor, an.orders_count), (Legs::new(300, 100), 1_000_000, 3));
    assert_eq!((binh.balance, binh.spent_minor, binh.orders_count), (Legs::ZERO, 0, 0));
    assert_eq!(binh.merged.as_ref().map(|merged| merged.into.as_str()), Some(AN));
    assert_eq!((&binh.profile, an.profile.phone.as_deref()), (&Profile::default(), Some("84901234567")));
    assert_eq!(an.lots.as_slice().len(), 1, "the same last day is one lot");
    let (history, gone) = (shop.books.whole_history(&AN.into()).await, shop.books.whole_history(&BINH.into()).await);
    let (brought, left) = (history.unwrap().pop().unwrap(), gone.unwrap().pop().unwrap());
    assert_eq!((brought.kind, brought.legs), (EntryKind::MergeIn, Legs::new(150, 50)));
    assert_eq!((left.kind, left.legs), (EntryKind::MergeOut, Legs::new(-150, -50)));
    let rows = shop.engine.rows("points-history");
    let again = merge(&shop, BINH, AN, at(900)).await.unwrap();
    assert!(matches!(again, Merging::Before(_)), "{again:?}");
    assert_eq!(shop.engine.rows("points-history"), rows);
    // An order that was only placed earns where its member is now.
    shop.one(by(BINH, version("3", 960, OrderStatus::Delivered))).await;
    check(&shop);
    shop.check_orders(AN, 350, 150).await;
    assert_eq!(shop.member(AN).await.profile.phone.as_deref(), Some("84901234567"));
}

impl Shop {
    pub async fn check_orders(&self, member_id: &str, redeemable: i64, qualifying: i64) {
        assert_eq!(self.member(member_id).await.balance, Legs::new(redeemable, qualifying));
    }
}

#[tokio::test]
async fn r1_an_order_of_who_joined_takes_its_points_from_who_goes_on() {
    let shop = Shop::new(programme());
    shop.one(order("1")).await;
    shop.one(by(BINH, order("2"))).await;
    merged(&shop, BINH, AN, at(200)).await;
    let mut returned = by(BINH, version("2", 300, OrderStatus::Delivered));
    returned.facts.payment = PaymentStatus::PartiallyRefunded;
    returned.facts.refunded_minor = 100_000;
    shop.one(returned.clone()).await;
    check(&shop);
    shop.check_orders(AN, 90, 90).await;
    assert_eq!(shop.one(returned).await, Outcome::Duplicate);
    shop.one(by(BINH, version("2", 400, OrderStatus::Cancelled))).await;
    check(&shop);
    shop.check_orders(AN, 50, 50).await;
    shop.one(by(BINH, version("2", 500, OrderStatus::Delivered))).await;
    check(&shop);
    shop.check_orders(AN, 100, 100).await;
    shop.one(by(BINH, version("9", 600, OrderStatus::Delivered))).await;
    check(&shop);
    shop.check_orders(AN, 150, 150).await;
    assert_eq!(shop.member(BINH).await.balance, Legs::ZERO);
    // Both names in one batch are one member's transaction.
    let both = vec![version("10", 700, OrderStatus::Delivered), by(BINH, version("11", 700, OrderStatus::Delivered))];
    assert!(shop.apply(both).await.iter().all(Result::is_ok));
    check(&shop);
    shop.check_orders(AN, 250, 250).await;
}

#[tokio::test]
async fn x22_debts_are_paid_on_either_side_with_what_expires_soonest() {
    let shop = Shop::new(programme());
    shop.one(order("1")).await;
    shop.one(by(BINH, order("2"))).await;
    redeemed(&shop, AN, 50, false, at(10)).await.unwrap();
    shop.one(version("1", 60, OrderStatus::Cancelled)).await;
    assert_eq!(shop.member(AN).await.balance.redeemable.0, -50);
    adjusted(&shop, BINH, Legs::new(30, 0), at(100 + 40 * 86_400)).await.unwrap();
    merged(&shop, BINH, AN, at(200 + 40 * 86_400)).await;
    let an = shop.member(AN).await;
    // 50 until November 2027 paid the debt; 30 until January 2028 are left.
    let until = Expiry::On("2028-01-31".parse().unwrap());
    assert_eq!((an.balance.redeemable.0, an.lots.as_slice()), (30, &[Lot { expiry: until, points: 30 }][..]));
    // The other way round: who joins owes.
    let shop = Shop::new(programme());
    shop.one(order("1")).await;
    shop.one(by(BINH, order("2"))).await;
    redeemed(&shop, BINH, 40, false, at(10)).await.unwrap();
    shop.one(by(BINH, version("2", 60, OrderStatus::Cancelled))).await;
    merged(&shop, BINH, AN, at(200)).await;
    shop.check_orders(AN, 10, 50).await;
}

#[tokio::test]
async fn x23_what_expired_after_the_merge_is_not_owed_and_what_was_spent_is() {
    for spent in [0, 30] {
        let shop = Shop::new(programme());
        shop.one(order("1")).await;
        shop.one(by(BINH, order("2"))).await;
        merged(&shop, BINH, AN, at(200)).await;
        if spent > 0 {
            // The oldest of the lot: 20 of An's own 50 stay, and all of Bình's.
            redeemed(&shop, AN, spent, false, at(300)).await.unwrap();
        }
        let later = 2 * 366 * 86_400;
        shop.one(by(BINH, version("2", later, OrderStatus::Cancelled))).await;
        check(&shop);
        shop.check_orders(AN, 0, 0).await;
    }
    // Spent from who joined, before: that is owed.
    let shop = Shop::new(programme());
    shop.one(by(BINH, order("2"))).await;
    shop.one(order("1")).await;
    redeemed(&shop, BINH, 35, false, at(100)).await.unwrap();
    merged(&shop, BINH, AN, at(200)).await;
    shop.one(by(BINH, version("2", 2 * 366 * 86_400, OrderStatus::Cancelled))).await;
    check(&shop);
    assert_eq!(shop.member(AN).await.balance.redeemable.0, -35);
}

#[tokio::test]
async fn commands_to_who_joined_are_carried_out_on_who_goes_on() {
    let shop = Shop::new(programme());
    shop.one(order("1")).await;
    shop.one(by(BINH, order("2"))).await;
    merged(&shop, BINH, AN, at(200)).await;
    adjusted(&shop, BINH, Legs::new(7, 0), at(300)).await.unwrap();
    redeemed(&shop, BINH, 100, false, at(400)).await.unwrap();
    check(&shop);
    shop.check_orders(AN, 7, 100).await;
    assert_eq!(shop.books.erase_member(&shop.programme, &BINH.into(), at(500)).await.unwrap(), Some(true));
    assert_eq!(shop.member(AN).await.profile, Profile::default());
    let mut early = by(BINH, version("3", 600, OrderStatus::Delivered));
    early.facts.placed_at = at(100);
    shop.one(early).await;
    assert_eq!(shop.member(AN).await.profile, Profile::default(), "placed before the erasure");
    check(&shop);
}

#[tokio::test]
async fn what_cannot_be_merged_is_refused_by_name_and_changes_nothing() {
    let shop = Shop::new(programme());
    shop.one(order("1")).await;
    for (member_id, number) in [(BINH, "2"), (CHI, "3"), ("m_dung", "4")] {
        shop.one(by(member_id, order(number))).await;
    }
    assert_eq!(merge(&shop, "m_nobody", AN, at(1)).await.unwrap(), Merging::Unknown("m_nobody".into()));
    assert_eq!(merge(&shop, AN, "m_nobody", at(1)).await.unwrap(), Merging::Unknown("m_nobody".into()));
    assert_eq!(refusal(&shop, AN, AN).await, MergeProblem::SameMember);
    redeemed(&shop, BINH, 10, true, at(10)).await.unwrap();
    assert_eq!(refusal(&shop, BINH, AN).await, MergeProblem::HoldsWait { member: BINH.into() });
    assert_eq!(shop.books.whole_history(&BINH.into()).await.unwrap().len(), 2);
    // An hour later the hold has lapsed.
    merged(&shop, BINH, AN, at(7_200)).await;
    let before = |into: &str| MergeProblem::MergedBefore { member: BINH.into(), into: into.into() };
    assert_eq!(refusal(&shop, BINH, CHI).await, before(AN));
    assert_eq!(refusal(&shop, CHI, BINH).await, before(AN));
    assert_eq!(refusal(&shop, AN, BINH).await, before(AN));
    assert_eq!(refusal(&shop, AN, CHI).await, MergeProblem::HasTakenIn { member: AN.into(), others: 1 });
    merged(&shop, CHI, AN, at(7_300)).await;
    shop.check_orders(AN, 150, 150).await;
    shop.one(by(CHI, version("3", 7_400, OrderStatus::Cancelled))).await;
    shop.one(by(BINH, version("2", 7_400, OrderStatus::Cancelled))).await;
    check(&shop);
    shop.check_orders(AN, 50, 50).await;
}

/// F8, F9, F13: whatever is lost, the same command goes on from there and moves nothing twice.
#[tokio::test(start_paused = true)]
async fn killed_at_any_step_the_same_command_goes_on() {
    for fault in [Fault::RequestLost, Fault::ResponseLost, Fault::Conflict, Fault::Throttled, Fault::Invalid] {
        for n in 1..=2 {
            let shop = Shop::new(programme());
            shop.one(order("1")).await;
            shop.one(by(BINH, order("2"))).await;
            shop.books.link(&ZaloKey::new("z_binh"), "zalo-7", &BINH.into(), at(10)).await.unwrap();
            shop.nth("TransactWriteItems", n, fault);
            let (from, into) = (MemberId::from(BINH), MemberId::from(AN));
            let asked = Asked { request_id: "r_merge".into(), fingerprint: String::new() };
            let first = shop.books.merge_members(&shop.programme, (&from, &into), &asked, at(100)).await;
            if first.is_ok() {
                let _ = shop.books.merge_contacts(&from, &into).await;
            }
            shop.engine.heal();
            shop.books.merge_members(&shop.programme, (&from, &into), &asked, at(200)).await.unwrap();
            shop.books.merge_contacts(&from, &into).await.unwrap();
            check(&shop);
            shop.check_orders(AN, 100, 100).await;
            let contact = shop.books.contact(&into).await.unwrap().row;
            assert_eq!(contact.zalo_user_id.as_deref(), Some("zalo-7"), "{fault:?} {n}");
        }
    }
}

/// F12: other handlers believe that nobody joined anybody.
#[tokio::test(start_paused = true)]
async fn a_stale_read_of_who_joined_writes_nothing() {
    let shop = Shop::new(programme());
    shop.one(order("1")).await;
    shop.one(by(BINH, order("2"))).await;
    merged(&shop, BINH, AN, at(100)).await;
    shop.always("BatchGetItem", Fault::Stale { keys: u64::MAX });
    shop.one(by(BINH, version("2", 200, OrderStatus::Cancelled))).await;
    shop.one(by(BINH, version("3", 200, OrderStatus::Delivered))).await;
    shop.engine.heal();
    check(&shop);
    shop.check_orders(AN, 100, 100).await;
}

#[tokio::test]
async fn no_side_of_a_merge_can_be_changed_unseen() {
    let shop = Shop::new(Programme { topups: Vec::new(), ..programme() });
    shop.one(order("1")).await;
    shop.one(by(BINH, order("2"))).await;
    shop.one(by(BINH, order("4"))).await;
    shop.one(by(CHI, order("3"))).await;
    merged(&shop, BINH, AN, at(200)).await;
    shop.one(by(BINH, version("2", 300, OrderStatus::Cancelled))).await;
    check(&shop);
    let seen = |what: &str, change: &dyn Fn(Table, &mut Value)| {
        let changed = std::cell::Cell::new(false);
        let report = audit(&shop, |table, row| {
            let before = row.clone();
            change(table, row);
            changed.set(changed.get() || *row != before);
        });
        assert!(changed.get(), "{what}: nothing was changed");
        assert!(!report.clean(), "{what} goes unseen");
    };
    for side in ["merge_in", "merge_out"] {
        let values = [
            ("member_id", json!(CHI)),
            ("seq", json!(9)),
            ("from_cycle", json!("2026-11-01")),
            ("into_cycle", json!("2026-11-02")),
        ];
        for (name, value) in values {
            seen(&format!("{name} of {side}"), &|_, row| {
                if row["kind"] == side {
                    row["merge"][name] = value.clone();
                }
            });
        }
        seen(&format!("redeemable of {side}"), &|_, row| {
            if row["kind"] == side {
                row["redeemable"] = json!(row["redeemable"].as_i64().unwrap() + 1);
            }
        });
        seen(&format!("another kind than {side}"), &|_, row| {
            if row["kind"] == side {
                row["kind"] = json!("adjustment");
            }
        });
    }
    for (name, value) in
        [("into", json!(CHI)), ("at", json!("2026-11-23T01:00:00Z")), ("cycle_start", json!("2026-11-01"))]
    {
        seen(&format!("merged.{name}"), &|table, row| {
            if table == Table::Members && row["merged"].is_object() {
                row["merged"][name] = value.clone();
            }
        });
    }
    seen("nobody came", &|table, row| {
        if table == Table::Members && row["merged_from"].is_array() {
            row["merged_from"] = json!([]);
        }
    });
    seen("somebody else came", &|table, row| {
        if table == Table::Members && row["member_id"] == CHI {
            row["merged_from"] = json!([BINH]);
        }
    });
    seen("they joined nobody", &|table, row| {
        if table == Table::Members && row["merged"].is_object() {
            row.as_object_mut().unwrap().remove("merged");
        }
    });
    seen("an order of somebody else", &|table, row| {
        if table == Table::Orders && row["from_member"] == BINH {
            row["from_member"] = json!(CHI);
        }
    });
    seen("an order without where it came from", &|table, row| {
        if table == Table::Orders && row["from_member"] == BINH {
            row.as_object_mut().unwrap().remove("from_member");
        }
    });
    seen("an order that did not move is given to another", &|table, row| {
        if table == Table::Orders && row["order_id"] == "standard:4" {
            row["member_id"] = json!(CHI);
        }
    });
    for name in ["spent_minor", "orders_count", "cycle_spent_minor", "cycle_orders", "redeemable_points"] {
        seen(name, &|table, row| {
            if table == Table::Members && row["member_id"] == AN {
                row[name] = json!(row[name].as_i64().unwrap() + 1);
            }
        });
    }
    seen("points that stay with who joined", &|table, row| {
        if table == Table::Members && row["member_id"] == BINH {
            row["spent_minor"] = json!(500_000);
        }
    });
    seen("the request", &|table, row| {
        if table == Table::Requests && row["kind"] == "merge" {
            row["member_id"] = json!(CHI);
        }
    });
}

/// Random lives of three members who turn out to be one, over years: proved at every end, and as rich as one would be who
/// had always been one where nothing depends on when.
#[tokio::test]
async fn random_lives_merge_and_stay_provable() {
    for seed in 0..40_u64 {
        let mut random = fastrand::Rng::with_seed(seed);
        let restores = random.bool();
        let when = if random.bool() { BonusWhen::Placed } else { BonusWhen::Earned };
        let mut rules = if random.bool() { with_welcome() } else { programme() };
        if random.bool() {
            rules.campaigns = vec![campaign(restores, when)];
        }
        let shop = Shop::new(rules);
        let people = [AN, BINH, CHI];
        // Some were there before, with orders that their openings hold.
        for who in people {
            if random.bool() {
                opened(&shop, who, 2).await;
            }
            for number in 0..random.usize(0..3) {
                let statuses = [OrderStatus::Shipping, OrderStatus::Delivered, OrderStatus::Cancelled];
                let status = statuses[random.usize(0..3)];
                let before = past(who, &format!("{who}{number}"), -random.i64(1..30) * 86_400, status);
                brought(&shop, before).await.unwrap();
            }
        }
        let (mut now, mut lasts) = (0_i64, vec![None; 12]);
        let mut joined = [false; 3];
        for _ in 0..random.usize(12..40) {
            now += if random.u8(0..8) == 0 { random.i64(1..200) * 86_400 } else { random.i64(1..5_000) };
            match random.u8(0..13) {
                0 if !shop.programme.campaigns.is_empty() => {
                    let who = random.usize(0..3);
                    if shop
                        .books
                        .member(&people[who].into(), loyalty_store::Consistency::Strong)
                        .await
                        .unwrap()
                        .is_some()
                    {
                        enrolled(&shop, people[who], at(now)).await;
                    }
                }
                1 => {
                    let who = people[random.usize(0..3)];
                    if shop.books.member(&who.into(), loyalty_store::Consistency::Strong).await.unwrap().is_some() {
                        let _ = redeemed(&shop, who, random.i64(1..60), random.bool(), at(now)).await;
                    }
                }
                2 => {
                    let who = people[random.usize(0..3)];
                    if shop.books.member(&who.into(), loyalty_store::Consistency::Strong).await.unwrap().is_some() {
                        let _ = adjusted(&shop, who, Legs::new(random.i64(-40..40), 0), at(now)).await;
                    }
                }
                5 => registered(&shop, people[random.usize(0..3)], at(now)).await,
                3 => {
                    let who = random.usize(1..3);
                    let done = merge(&shop, people[who], AN, at(now)).await;
                    joined[who] |= matches!(done, Ok(Merging::Done(_)));
                }
                4 => {
                    let who = people[random.usize(0..3)];
                    let id = format!("{who}{}", random.usize(0..3));
                    let status = if random.bool() { OrderStatus::Delivered } else { OrderStatus::Cancelled };
                    shop.one(past(who, &id, now, status)).await;
                }
                _ => {
                    let number = random.usize(0..12);
                    let who = *lasts[number].get_or_insert_with(|| people[random.usize(0..3)]);
                    let statuses = [
                        OrderStatus::Confirmed,
                        OrderStatus::Delivered,
                        OrderStatus::Delivered,
                        OrderStatus::Cancelled,
                    ];
                    let mut snapshot = by(who, version(&number.to_string(), now, statuses[random.usize(0..4)]));
                    snapshot.facts.due_minor = 30_000 + random.i64(1..80) * 10_000;
                    snapshot.facts.placed_at = at(now - 60);
                    shop.one(snapshot).await;
                }
            }
            let report = audit(&shop, |_, _| {});
            assert!(report.clean(), "seed {seed} at {now}: {:#?}", report.findings);
        }
    }
}

/// B1: what either of them was told or given already, the person had.
#[tokio::test]
async fn b1_a_day_that_one_of_them_was_told_of_is_not_told_again() {
    let shop = Shop::new(programme());
    shop.one(version("1", 0, OrderStatus::Delivered)).await;
    let later = 40 * 86_400;
    shop.one(by(BINH, version("2", later, OrderStatus::Delivered))).await;
    let told = shop.member(BINH).await.noticed_to;
    assert!(shop.member(AN).await.noticed_to < told);
    merged(&shop, BINH, AN, at(later + 60)).await;
    assert_eq!(shop.member(AN).await.noticed_to, told);
}
