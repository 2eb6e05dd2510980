//! Members who were there before these books: opened once, written in one transaction, proved like everybody else.

use loyalty_audit::Table;
use loyalty_domain::decision::Rejection;
use loyalty_domain::ids::MemberId;
use loyalty_domain::ledger::EntryKind;
use loyalty_domain::member::Profile;
use loyalty_domain::opening::{Expires, Opening, OpeningProblem};
use loyalty_domain::order::OrderStatus;
use loyalty_domain::points::Legs;
use loyalty_domain::request::Asked;
use loyalty_store::{Mode, StoreError};
use serde_json::json;

use crate::support::{AN, BINH, Shop, at, audit, check, order, version, with_welcome};

fn opening(redeemable: i64) -> Opening {
    Opening {
        asked: Asked { request_id: "r_opening".into(), fingerprint: format!("says {redeemable}") },
        profile: Profile { name: Some("An".to_owned()), ..Profile::default() },
        legs: Legs::new(redeemable, 250),
        expires: Expires::ByProgramme,
        tier: Some("Silver".to_owned()),
        joined_on: Some("2024-01-31".parse().unwrap()),
        tier_since: Some("2025-06-01".parse().unwrap()),
        last_ordered_on: None,
        spent_minor: 7_000_000,
        orders_count: 9,
        cycle_spent_minor: 2_500_000,
        cycle_orders: 3,
        wallet_minor: 40_000,
    }
}

async fn open(shop: &Shop, member_id: &str, redeemable: i64, new_here: bool) -> Result<bool, StoreError> {
    let (member_id, opening) = (MemberId::from(member_id), opening(redeemable));
    shop.books.open_member(&shop.programme, &member_id, &opening, new_here, Mode::Write, at(0)).await
}

fn check_refusal(refused: &StoreError, problem: &OpeningProblem) {
    let StoreError::Rejected(Rejection::CannotOpen(found)) = refused else { panic!("{refused:?}") };
    assert_eq!(found, problem);
}

#[tokio::test]
async fn an_opening_is_written_once_with_its_request_and_proved() {
    let shop = Shop::new(with_welcome());
    assert!(open(&shop, AN, 120, true).await.unwrap());
    assert!(!open(&shop, AN, 120, true).await.unwrap(), "believed to be new, and found");
    assert!(!open(&shop, AN, 120, false).await.unwrap());
    let refused = open(&shop, AN, 121, true).await.unwrap_err();
    check_refusal(&refused, &OpeningProblem::OtherFigures);
    check(&shop);
    let an = shop.member(AN).await;
    assert_eq!((an.balance, an.tier.as_str(), an.wallet_minor), (Legs::new(120, 250), "silver", 40_000));
    assert_eq!(shop.books.whole_history(&MemberId::from(AN)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn trying_writes_nothing() {
    let shop = Shop::new(with_welcome());
    let member_id = MemberId::from(AN);
    let tried = shop.books.open_member(&shop.programme, &member_id, &opening(1), true, Mode::Try, at(0)).await;
    assert!(tried.unwrap());
    assert!(shop.engine.rows("members").is_empty() && shop.engine.rows("requests").is_empty());
}

#[tokio::test]
async fn p14_x26_a_member_brought_along_goes_on_and_is_not_welcomed_as_new() {
    let shop = Shop::new(with_welcome());
    open(&shop, AN, 100, true).await.unwrap();
    shop.one(order("1")).await;
    check(&shop);
    shop.one(version("1", 60, OrderStatus::Cancelled)).await;
    check(&shop);
    let history = shop.books.whole_history(&MemberId::from(AN)).await.unwrap();
    let kinds: Vec<_> = history.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::Opening, EntryKind::Accrual, EntryKind::Reversal]);
    let an = shop.member(AN).await;
    assert_eq!((an.orders_count, an.spent_minor, an.tier.as_str()), (9, 7_000_000, "silver"));
}

#[tokio::test]
async fn who_has_a_history_is_refused_and_who_only_ordered_is_not() {
    let shop = Shop::new(with_welcome());
    shop.one(version("1", 0, OrderStatus::Confirmed)).await;
    let an = shop.member(AN).await;
    if an.last_seq > 0 {
        // Welcomed with the first order: the history has begun.
        let refused = open(&shop, AN, 10, false).await.unwrap_err();
        check_refusal(&refused, &OpeningProblem::HasHistory { entries: an.last_seq });
    }
    let shop = Shop::new(crate::support::programme());
    shop.one(version("1", 0, OrderStatus::Confirmed)).await;
    assert!(open(&shop, AN, 10, false).await.unwrap());
    shop.one(version("1", 60, OrderStatus::Delivered)).await;
    check(&shop);
    assert_eq!(shop.member(AN).await.balance, Legs::new(60, 300));
}

#[tokio::test]
async fn what_was_brought_along_cannot_be_changed_unseen() {
    let shop = Shop::new(with_welcome());
    open(&shop, AN, 120, true).await.unwrap();
    shop.one(order("1")).await;
    let attributes = ["spent_minor", "orders_count", "cycle_spent_minor", "cycle_orders"];
    for name in attributes {
        let report = audit(&shop, |table, row| {
            if table == Table::PointsHistory && row["opened"].is_object() {
                row["opened"][name] = json!(row["opened"][name].as_i64().unwrap() + 1);
            }
        });
        assert!(!report.clean(), "{name} of the entry");
        let report = audit(&shop, |table, row| {
            if table == Table::Members {
                row[name] = json!(row[name].as_i64().unwrap() + 1);
            }
        });
        assert!(!report.clean(), "{name} of the row");
    }
    let texts = [("tier_since", "2025-06-02T17:00:00Z"), ("cycle_start", "2026-02-01")];
    for (name, value) in texts {
        let report = audit(&shop, |table, row| {
            if table == Table::Members {
                row[name] = json!(value);
            }
        });
        assert!(!report.clean(), "{name} of the row");
    }
    for (name, value) in [("first_order", json!("standard:gone")), ("tier_floor", json!("member"))] {
        let report = audit(&shop, |table, row| {
            if table == Table::Members {
                row[name] = value.clone();
            }
        });
        assert!(!report.clean(), "{name} of the row");
    }
}

#[tokio::test]
async fn who_is_erased_is_known_again_only_by_a_later_order() {
    let shop = Shop::new(with_welcome());
    shop.one(order("1")).await;
    let an = MemberId::from(AN);
    assert_eq!(shop.books.erase_member(&shop.programme, &an, at(30)).await.unwrap(), Some(true));
    assert_eq!(shop.books.erase_member(&shop.programme, &an, at(40)).await.unwrap(), Some(false));
    assert_eq!(shop.books.erase_member(&shop.programme, &BINH.into(), at(40)).await.unwrap(), None);
    check(&shop);
    // A later word about an order from before says nothing of the person; the points still follow it.
    shop.one(version("1", 60, OrderStatus::Cancelled)).await;
    let erased = shop.member(AN).await;
    assert_eq!((&erased.profile, erased.balance.qualifying.0), (&Profile::default(), 0));
    assert!(shop.engine.rows("members").iter().all(|row| !row.to_string().contains("84901234567")));
    check(&shop);
    let mut later = order("2");
    (later.facts.placed_at, later.facts.updated_at) = (at(90), at(120));
    shop.one(later).await;
    assert_eq!(shop.member(AN).await.profile.phone.as_deref(), Some("84901234567"));
    check(&shop);
}
