//! The daily run: what falls due is done and told once, whenever the run comes (D3, E5, T9–T14, B1).

use loyalty_messaging::PUBLISH_ATTEMPTS_MAX;
use serde_json::{Value, json};

use crate::support::{RETAIL, Shop};

const PHONE: &str = "84901234567";

/// A Silver who earned it once and will not keep it at the review of November 2027, with points that are good until the
/// end of that month, and others that are long over.
async fn silver() -> Shop {
    let shop = Shop::new(&RETAIL);
    shop.order("1", PHONE, 250, "2025-11-20T03:00:00Z", json!({})).await;
    shop.order("2", PHONE, 60, "2026-11-25T03:00:00Z", json!({})).await;
    shop
}

/// What the ledger says, whenever it was written down.
fn movements(shop: &Shop) -> Vec<Value> {
    let mut entries = shop.rows("points-history");
    entries.sort_by_key(|entry| entry["seq"].as_u64());
    let what = ["seq", "kind", "reason", "redeemable", "qualifying", "balance_after", "tier_after", "occurred_at"];
    entries.iter().map(|entry| what.iter().map(|name| entry[*name].clone()).collect()).collect()
}

/// Days on which something is due, and those around them.
const SPANS: [(&str, &str); 4] = [
    ("2027-10-19", "2027-10-27"),
    ("2027-10-30", "2027-11-06"),
    ("2027-11-19", "2027-11-26"),
    ("2027-11-30", "2027-12-07"),
];

/// What they are told: 30 days before the review and before the last valid day.
fn told() -> Value {
    json!({"points_expiring": ["2027-11-30"], "tier_at_risk": ["2027-10-21"]})
}

#[tokio::test]
async fn t7_a_threshold_that_is_lowered_raises_who_has_enough_on_its_day() {
    let lower = "\n[[changes]]\neffective_from = \"2026-12-01\"\n[[changes.tiers]]\nid = \"member\"\nname = \"Member\"\n\
                 threshold = 0\n[[changes.tiers]]\nid = \"silver\"\nname = \"Silver\"\nthreshold = 100\n";
    let shop = Shop::new(&format!("{}{lower}", &*RETAIL));
    for (at, points) in [150, 60, 100, 99, 120].into_iter().enumerate() {
        shop.order(&at.to_string(), &format!("8490123456{at}"), points, "2026-11-25T03:00:00Z", json!({})).await;
    }
    let silver = || shop.rows("members").iter().filter(|row| row["tier"] == "silver").count();
    shop.days("2026-11-30", "2026-11-30").await;
    assert_eq!(silver(), 0);
    shop.days("2026-12-01", "2026-12-01").await;
    assert_eq!(silver(), 3);
    let before = shop.everything();
    shop.days("2026-12-01", "2026-12-02").await;
    shop.check(&before, "they were raised already");
}

#[tokio::test]
async fn every_day_twice_does_and_tells_everything_once() {
    let (once, twice) = (silver().await, silver().await);
    for (from, to) in SPANS {
        once.days(from, to).await;
        twice.days(from, to).await;
        twice.days(to, to).await;
        twice.days(from, to).await;
    }
    assert_eq!(json!(once.told()), told());
    let told_at_risk = |row: &Value| row["template"] == "tier_at_risk";
    let at_risk = once.rows("messages").into_iter().find(told_at_risk).unwrap();
    let said = |name: &str| at_risk["variables"][name].clone();
    assert_eq!(said("projected_tier"), "Member", "where they will be if nothing is added (D3)");
    assert_eq!(said("qualifying_balance"), json!(60), "{at_risk}");
    let kinds: Vec<_> = movements(&once).iter().map(|entry| entry[1].clone()).collect();
    assert_eq!(kinds, ["accrual", "reset", "accrual", "expiration", "reset", "expiration"]);
    twice.check(&once.everything(), "every day came twice");
    assert_eq!(twice.wire.world().events.len(), 1);
}

#[tokio::test]
async fn a_run_that_is_a_week_late_leaves_the_same_books_and_tells_nothing_twice() {
    let (on_time, late) = (silver().await, silver().await);
    for (from, to) in SPANS {
        on_time.days(from, to).await;
        late.days(to, to).await;
        late.days(to, to).await;
        assert_eq!(movements(&on_time), movements(&late), "on {to}");
        let member = |shop: &Shop| shop.rows("members")[0].clone();
        for name in ["redeemable_points", "qualifying_points", "tier", "review_on", "due_on", "lots"] {
            assert_eq!(member(&on_time)[name], member(&late)[name], "{name} on {to}");
        }
    }
    assert_eq!((json!(on_time.told()), json!(late.told())), (told(), told()));
}

#[tokio::test]
async fn e5_points_that_will_be_gone_are_told_to_the_bus() {
    let shop = silver().await;
    shop.days("2027-10-31", "2027-10-31").await;
    let expected = json!({
        "detail-type": "PointsExpiring", "schema_version": 1, "member_id": shop.member_id(PHONE).as_str(),
        "event_id": format!("{}:2027-11-30:PointsExpiring", shop.member_id(PHONE)),
        "points": 60, "last_day": "2027-11-30", "recorded_at": "2027-10-30T17:05:00Z"});
    assert_eq!(shop.wire.world().events, [expected]);
}

/// F17: a day is not done while its event is not on the bus, and the member's row does not say that it was told.
#[tokio::test(start_paused = true)]
async fn f17_an_event_that_the_bus_refuses_is_published_by_the_next_try() {
    let (calm, shop) = (silver().await, silver().await);
    for shop in [&calm, &shop] {
        shop.run("daily", "2026-12-01T00:05:00+07:00").await;
    }
    calm.run("daily", "2027-10-31T00:05:00+07:00").await;
    shop.wire.world().refusals = PUBLISH_ATTEMPTS_MAX;
    assert!(shop.fire("daily", "2027-10-31T00:05:00+07:00").await);
    let rows = shop.everything();
    assert_eq!(shop.work().await, Some(false));
    shop.check(&rows, "nothing was told");
    shop.wire.world().refusals = PUBLISH_ATTEMPTS_MAX - 1;
    shop.work_off().await;
    shop.check(&calm.everything(), "it was told at last");
}

fn with_birthdays() -> String {
    let gift = "birthday = [{ id = \"gift\", name = \"Quà\", gift = \"Khăn\", valid_days = 10 }]\n";
    RETAIL.replace("id = \"member\"\n", &format!("id = \"member\"\n{gift}"))
}

async fn born(shop: &Shop, order: &str, at: &str, birthday: &str) {
    shop.order(order, PHONE, 1, at, json!({"customer": {"phone": PHONE, "birthday": birthday}})).await;
}

#[tokio::test]
async fn b1_a_birthday_comes_once_a_year_however_it_is_edited() {
    let shop = Shop::new(&with_birthdays());
    born(&shop, "1", "2027-01-10T03:00:00Z", "1990-05-20").await;
    shop.days("2027-05-18", "2027-05-22").await;
    assert_eq!((shop.rows("vouchers").len(), shop.told_of("birthday_vouchers").len()), (1, 1));
    born(&shop, "2", "2027-05-23T03:00:00Z", "1990-06-10").await;
    shop.days("2027-06-08", "2027-06-12").await;
    assert_eq!((shop.rows("vouchers").len(), shop.told_of("birthday_vouchers").len()), (1, 1), "one this year");
    shop.days("2028-05-18", "2028-05-22").await;
    assert_eq!(shop.rows("vouchers").len(), 1, "no longer the birthday");
    shop.days("2028-06-08", "2028-06-12").await;
    assert_eq!((shop.rows("vouchers").len(), shop.told_of("birthday_vouchers").len()), (2, 2), "the next year");
}

#[tokio::test]
async fn b1_the_29th_of_february_is_the_28th_in_other_years() {
    let shop = Shop::new(&with_birthdays());
    born(&shop, "1", "2027-01-10T03:00:00Z", "2000-02-29").await;
    let given =
        |shop: &Shop| -> Vec<Value> { shop.rows("vouchers").iter().map(|row| row["valid_from"].clone()).collect() };
    shop.days("2027-02-25", "2027-02-27").await;
    assert_eq!(given(&shop), [""; 0]);
    shop.days("2027-02-28", "2027-03-02").await;
    assert_eq!(given(&shop), ["2027-02-28"]);
    shop.days("2028-02-27", "2028-02-28").await;
    assert_eq!(given(&shop), ["2027-02-28"]);
    shop.days("2028-02-29", "2028-03-01").await;
    let mut given = given(&shop);
    given.sort_by_key(Value::to_string);
    assert_eq!(given, ["2027-02-28", "2028-02-29"]);
    assert_eq!(shop.told_of("birthday_vouchers").len(), 2);
}
