//! Past orders brought along and two members merged, through the local stack: the real commands beside the real functions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use thang_hang::books::import::import;
use thang_hang::books::import::orders::Orders;
use thang_hang::books::merge::{self, MergeArgs};
use thang_hang::{Stack, verify};

use crate::books::{NOW_MS, arguments, books, imported, stack, told};

const MEMBERS: &str = "\
phone,name,redeemable_points,qualifying_points,spent,orders_count,joined_on
0901234567,Lan,100,100,1000000,2,2026-10-01
0907654321,Lan (cũ),30,30,300000,1,2026-10-01
";

const ORDERS: &str = "\
order_id,placed_at,status,payment_status,amount_due,phone
OLD-1,2026-10-20 09:00,delivered,paid,500000,0901234567
OLD-2,2026-10-21 09:00,delivered,paid,300000,0907654321
OLD-3,2026-10-21 09:00,done,paid,300000,0907654321
";

async fn brought(stack: &Stack, file: &Path) -> (u64, u64, u64) {
    told(import(Orders, file, &arguments(stack, false)).await)
}

async fn reported(stack: &Stack, id: &str, phone: &str, status: &str, amount: &str, minute: u32) {
    let body = json!({"type":"order.changed","timestamp":format!("2026-11-23T10:{minute:02}:00+07:00"),
        "data":{"order_id":id,"placed_at":"2026-10-20T09:00:00+07:00",
        "updated_at":format!("2026-11-23T10:{minute:02}:00+07:00"),"status":status,"payment_status":"paid",
        "amount_due":amount,"shipping_fee":"0","refunded":"0","currency":"VND","customer":{"phone":phone}}});
    let sent = crate::signed(stack.running(), &reqwest::Client::new(), format!("{id}-{minute}"), body.to_string());
    let answer = sent.send().await.expect("the stack answers");
    assert!(answer.status().is_success(), "{answer:?}");
    stack.running().drain(Duration::from_secs(60)).await.expect("drained");
}

async fn get(stack: &Stack, path: &str) -> Value {
    reqwest::get(format!("{}{path}", stack.running().url())).await.expect("an answer").json().await.expect("JSON")
}

async fn prove(stack: &Stack) {
    let args = books(stack).tables;
    let report = verify::prove(&thang_hang::tables::client(&args).await, &args).await.expect("the tables are read");
    assert!(report.clean(), "{:#?}", report.findings);
}

async fn points(stack: &Stack, phone: &str) -> i64 {
    get(stack, &format!("/members?phone={phone}")).await["redeemable_points"].as_i64().expect("a card")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_orders_move_only_what_changes_and_two_numbers_are_one_person() {
    let _turn = crate::TURN.lock().await;
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| -> PathBuf {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("it is written");
        path
    };
    let stack = stack().await;
    assert_eq!(imported(&stack, &write("members.csv", MEMBERS), false).await, (2, 0, 0));
    let file = write("orders.csv", ORDERS);
    assert_eq!(brought(&stack, &file).await, (2, 0, 1));
    assert_eq!(brought(&stack, &file).await, (0, 2, 1), "a second time changes nothing");
    prove(&stack).await;
    // The shop reports both again, as they were.
    reported(&stack, "OLD-1", "0901234567", "delivered", "500000", 1).await;
    reported(&stack, "OLD-2", "0907654321", "delivered", "300000", 2).await;
    assert_eq!((points(&stack, "0901234567").await, points(&stack, "0907654321").await), (100, 30));

    let card = get(&stack, "/members?phone=0907654321").await;
    let old = card["member_id"].as_str().expect("an id").to_owned();
    let merge = MergeArgs {
        into: "0901234567".to_owned(),
        from: "090 765 43 21".to_owned(),
        yes: true,
        at: Some(NOW_MS + 60_000),
        books: books(&stack),
    };
    for _ in 0..2 {
        merge::run(&merge).await.unwrap_or_else(|error| panic!("{}", error.report()));
    }
    prove(&stack).await;
    assert_eq!(points(&stack, "0907654321").await, 130, "either number is the one person");
    let gone = get(&stack, &format!("/members/{old}")).await;
    let lan = get(&stack, "/members?phone=0901234567").await;
    assert_eq!((&gone["merged_into"], &gone["redeemable_points"]), (&lan["member_id"], &json!(0)), "{gone}");
    assert_eq!((&lan["name"], &lan["phone"]), (&json!("Lan"), &json!("+84901234567")));
    // An old order of the old number is cancelled: its points leave whoever has them.
    reported(&stack, "OLD-2", "0907654321", "cancelled", "300000", 5).await;
    assert_eq!(points(&stack, "0901234567").await, 100);
    prove(&stack).await;
    let swapped = MergeArgs { into: merge.from.clone(), from: merge.into.clone(), ..merge };
    let refused = merge::run(&swapped).await.unwrap_err().report();
    assert!(refused.contains("was merged into"), "{refused}");
    stack.stop().await;
}
