//! Reminders of vouchers after 25 days: only of those that are unused, still good, and of a tier still held (N4, X35).

use chrono::NaiveDate;
use loyalty_domain::ids::VoucherId;
use loyalty_domain::voucher::{Grant, Offer, Worth};
use serde_json::json;

use crate::support::{RETAIL, Shop, instant};

const PHONE: &str = "84901234567";
const GIVEN: &str = "2026-11-23T03:00:00Z";
/// 25 days later.
const DAY: &str = "2026-12-18";

/// A Silver with a voucher of the tier, good for so many days.
async fn given(valid_days: u32) -> (Shop, VoucherId) {
    let shop = Shop::new(&RETAIL);
    shop.order("promoting", PHONE, 250, GIVEN, json!({})).await;
    let offer = Offer {
        id: "silver-welcome".into(),
        name: "Voucher 10%".to_owned(),
        worth: Worth::Percent { percent: 10, most_minor: None },
        valid_days,
        order_min_minor: 0,
    };
    let programme = shop.programme(GIVEN);
    let grant = Grant::new(&shop.member_id(PHONE), "tier/1", &offer, programme.day(instant(GIVEN)));
    let grant = grant.for_tier(&"silver".into(), programme.notices.voucher_days);
    let voucher_id = shop.scheduled.books.voucher_of(&grant, instant(GIVEN)).voucher_id;
    shop.scheduled.books.give_voucher(&grant, instant(GIVEN)).await.unwrap();
    (shop, voucher_id)
}

fn reminders(shop: &Shop) -> usize {
    shop.told_of("voucher_reminder").len()
}

fn voucher_state(shop: &Shop) -> (String, bool) {
    let row = &shop.rows("vouchers")[0];
    (row["state"].as_str().unwrap().to_owned(), row["reminded"] == true)
}

#[tokio::test]
async fn n4_an_unused_voucher_is_reminded_of_once_after_25_days() {
    let (shop, _) = given(30).await;
    shop.days("2026-12-10", "2026-12-17").await;
    assert_eq!(reminders(&shop), 0);
    shop.days(DAY, DAY).await;
    assert_eq!((reminders(&shop), voucher_state(&shop)), (1, ("issued".to_owned(), true)));
    shop.days(DAY, "2026-12-26").await;
    assert_eq!((reminders(&shop), voucher_state(&shop)), (1, ("expired".to_owned(), true)));
}

#[tokio::test]
async fn n4_a_reminder_that_is_late_comes_while_the_voucher_is_good() {
    let (shop, _) = given(30).await;
    shop.days("2026-12-22", "2026-12-22").await;
    assert_eq!(reminders(&shop), 1, "its last day");
    let (shop, _) = given(30).await;
    shop.days("2026-12-23", "2026-12-23").await;
    assert_eq!((reminders(&shop), voucher_state(&shop)), (0, ("expired".to_owned(), false)));
    let (shop, _) = given(25).await;
    shop.days(DAY, "2026-12-26").await;
    assert_eq!(reminders(&shop), 0, "over before it would be reminded of");
}

#[tokio::test]
async fn x35_no_reminder_of_a_voucher_that_was_used_or_withdrawn() {
    let used = |voucher: loyalty_domain::voucher::Voucher| {
        let today: NaiveDate = "2026-12-01".parse().unwrap();
        voucher.used(None, None, today, instant("2026-12-01T03:00:00Z"))
    };
    let (shop, voucher_id) = given(30).await;
    shop.scheduled.books.change_voucher(&voucher_id, used).await.unwrap().unwrap().unwrap();
    shop.days(DAY, "2026-12-26").await;
    assert_eq!((reminders(&shop), voucher_state(&shop)), (0, ("used".to_owned(), false)));
    let (shop, voucher_id) = given(30).await;
    shop.scheduled.books.change_voucher(&voucher_id, |voucher| voucher.voided()).await.unwrap().unwrap().unwrap();
    shop.days(DAY, "2026-12-26").await;
    assert_eq!((reminders(&shop), voucher_state(&shop)), (0, ("voided".to_owned(), false)));
}

#[tokio::test]
async fn x35_no_reminder_once_the_tier_is_lost_and_one_when_a_higher_one_is_held() {
    let (shop, _) = given(30).await;
    let cancelled = json!({"status": "cancelled", "placed_at": GIVEN});
    shop.order("promoting", PHONE, 250, "2026-12-01T03:00:00Z", cancelled).await;
    assert_eq!(shop.rows("members")[0]["tier"], "member");
    shop.days(DAY, "2026-12-20").await;
    assert_eq!((reminders(&shop), voucher_state(&shop)), (0, ("issued".to_owned(), true)));
    let (shop, _) = given(30).await;
    shop.order("more", PHONE, 500, "2026-12-01T03:00:00Z", json!({})).await;
    assert_eq!(shop.rows("members")[0]["tier"], "gold");
    shop.days(DAY, "2026-12-20").await;
    assert_eq!(reminders(&shop), 1);
}
