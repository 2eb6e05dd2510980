//! What a run costs, from what DynamoDB says it consumed.

use std::sync::atomic::Ordering;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use loyalty_store::Consumed;
use loyalty_store::units::{ENROLLED, LOOKED_AT, MESSAGE_KEPT};
use serde_json::json;

use crate::campaign::{MONDAY, members};
use crate::support::{RETAIL, Shop};

/// What the books consumed for the oldest page of the queue; the messages are not among it.
async fn page(shop: &Shop) -> Consumed {
    let before = shop.scheduled.books.consumed();
    assert_eq!(shop.work().await, Some(true));
    shop.scheduled.books.consumed() - before
}

fn cost(requests: u64, read_units: f64, write_units: f64) -> Consumed {
    Consumed { requests, read_units, write_units }
}

/// Finding a page's members: one query.
const FOUND: f64 = 0.5;

/// What one kept message cost: its row is put once more, under another key.
async fn message_units(shop: &Shop) -> f64 {
    let client = shop.engine.client();
    let table = format!("{}messages", shop.engine.prefix());
    let mut row = client.scan().table_name(&table).send().await.unwrap().items.unwrap().remove(0);
    let AttributeValue::S(id) = &row["message_id"] else { panic!("an id") };
    row.insert("message_id".to_owned(), AttributeValue::S(id.replace("m_", "n_")));
    let put = client.put_item().table_name(&table).set_item(Some(row));
    let answer = put.return_consumed_capacity(ReturnConsumedCapacity::Total).send().await.unwrap();
    answer.consumed_capacity.unwrap().capacity_units.unwrap()
}

#[tokio::test]
async fn an_enrolled_member_costs_four_writes_and_a_message() {
    let mut shop = Shop::new(&RETAIL);
    shop.scheduled.page_max = 5;
    shop.knows_its_programme().await;
    members(&shop, [5, 2]).await;
    assert!(shop.fire("weekly-campaign", MONDAY).await);
    // Each of the five: half a unit for the member and half for their participation, and two rows in a transaction.
    assert_eq!(page(&shop).await, cost(2, FOUND, 0.0) + ENROLLED * 5.0);
    assert_eq!(shop.told_of("campaign_invitation").len(), 5);
    assert_eq!(message_units(&shop).await, MESSAGE_KEPT.write_units);
}

/// Members whose participations are used up stay in the audience, and are looked at every week.
#[tokio::test]
async fn a_page_that_changes_nothing_costs_two_requests() {
    let mut shop = Shop::new(&RETAIL.replace("bonus_points = 150", "bonus_points = 50"));
    shop.scheduled.page_max = 5;
    shop.knows_its_programme().await;
    let phones = members(&shop, [5, 2]).await;
    shop.run("weekly-campaign", MONDAY).await;
    // The same page again: everybody is enrolled, and their messages are there.
    assert!(shop.fire("weekly-campaign", MONDAY).await);
    assert_eq!(page(&shop).await, cost(2, FOUND, 0.0) + LOOKED_AT * 5.0);
    shop.work_off().await;
    for (order, phone) in phones.iter().flat_map(|phone| [("a", phone), ("b", phone)]) {
        let unpaid = json!({"status": "pending", "payment_status": "unpaid"});
        shop.order(&format!("{order}-{phone}"), phone, 1, "2026-11-24T03:00:00Z", unpaid).await;
    }
    assert!(shop.rows("participations").iter().all(|row| row["state"] == "exhausted"));
    let rows = shop.everything();
    assert!(shop.fire("weekly-campaign", "2026-11-30T08:00:00+07:00").await);
    let requests = shop.requests();
    assert_eq!(page(&shop).await, cost(2, FOUND, 0.0) + LOOKED_AT * 5.0);
    assert_eq!(requests.load(Ordering::Relaxed), 2, "and no message is tried");
    shop.work_off().await;
    shop.check(&rows, "nothing is left to do");
}

#[tokio::test]
async fn a_day_without_anything_due_costs_a_look_at_each_shard() {
    let shop = Shop::new(&RETAIL);
    shop.knows_its_programme().await;
    members(&shop, [5, 2]).await;
    let before = shop.scheduled.books.consumed();
    assert!(shop.fire("daily", "2026-11-24T00:05:00+07:00").await);
    // And at what the run before knew, and whether orders wait for the campaign.
    assert_eq!(shop.scheduled.books.consumed() - before, cost(2 + 32, 2.0 + 16.0, 0.0));
    assert_eq!(shop.wire.world().pages.len(), 0);
}

#[tokio::test]
async fn a_notice_costs_one_write_and_a_message() {
    let mut shop = Shop::new(&RETAIL);
    shop.scheduled.page_max = 5;
    shop.knows_its_programme().await;
    members(&shop, [5, 2]).await;
    // Points of 20 November are good until the end of the month a year later, and told of 30 days before.
    let day = "2027-10-31T00:05:00+07:00";
    assert!(shop.fire("daily", day).await);
    assert_eq!(page(&shop).await, cost(2 + 5, FOUND + 2.5, 5.0 * (1.0 + INDEX)));
    assert_eq!(shop.told_of("points_expiring").len(), 5);
    // Whoever was told is no longer found, and whoever is found once more is not told again.
    assert!(shop.fire("daily", day).await);
    shop.work_off().await;
    assert_eq!(shop.told_of("points_expiring").len(), 7);
    assert_eq!(message_units(&shop).await, 1.0);
}

/// The row moves within the index of what is due: taken out where it was, and put in where it is.
const INDEX: f64 = 2.0;
