//! Reading: members, orders and histories as they were written.

use loyalty_domain::ids::MemberId;
use loyalty_domain::ledger::{EntryKind, Reason};
use loyalty_domain::order::OrderStatus;
use loyalty_store::Consistency;

use crate::support::{AN, Shop, order, programme, version};

#[tokio::test]
async fn nobody_has_neither_row_nor_history() {
    let shop = Shop::new(programme());
    let nobody = MemberId::from("m_nobody");
    assert_eq!(shop.books.member(&nobody, Consistency::Eventual).await.unwrap(), None);
    assert_eq!(shop.books.history(&nobody, 20, None).await.unwrap().entries, []);
}

#[tokio::test]
async fn history_comes_newest_first_in_pages_without_gaps() {
    let shop = Shop::new(programme());
    for number in 0..5 {
        shop.one(order(&number.to_string())).await;
    }
    let an = MemberId::from(AN);
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = shop.books.history(&an, 2, before).await.unwrap();
        assert!(page.entries.len() <= 2);
        seen.extend(page.entries.iter().map(|entry| entry.seq));
        before = page.next_before;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn an_entry_is_read_as_it_was_posted() {
    let shop = Shop::new(programme());
    shop.one(order("1")).await;
    shop.one(version("1", 60, OrderStatus::Cancelled)).await;
    let history = shop.books.whole_history(&MemberId::from(AN)).await.unwrap();
    let [credit, reversal] = history.as_slice() else { panic!("two entries: {history:?}") };
    assert_eq!((credit.kind, credit.reason), (EntryKind::Accrual, Reason::OrderEarned));
    assert_eq!((reversal.kind, reversal.reason), (EntryKind::Reversal, Reason::OrderCancelled));
    assert_eq!(reversal.reverses, Some(1));
    let explained = credit.explanation.as_ref().expect("the figures behind it");
    assert_eq!(explained.facts, order("1").facts);
    assert_eq!(explained.deserves, credit.legs);
    let stored = shop.books.order(&order("1").order_id, Consistency::Strong).await.unwrap().unwrap();
    assert_eq!(stored.row.credits[0].terms, explained.terms);
}

/// Operators and the verifier read the rows by these names.
#[tokio::test]
async fn rows_are_named_as_documented() {
    let shop = Shop::new(programme());
    shop.one(order("1")).await;
    let entry = &shop.engine.rows("points-history")[0];
    assert_eq!(entry["balance_after"], serde_json::json!({"redeemable": 50, "qualifying": 50}));
    assert_eq!(entry["lots"], serde_json::json!([{"expires_on": "2027-11-30", "points": 50}]));
    assert_eq!(entry["occurred_at"], "2026-11-23T01:00:00Z");
    assert_eq!(entry["terms"]["rate"], "1/10000");
    assert!(entry["terms"].get("basis").is_none(), "defaults are left out: {entry}");
    let order = &shop.engine.rows("orders")[0];
    assert_eq!(order["facts"]["payment_status"], "paid");
    assert_eq!(order["credits"][0]["rule"], "base");
    let member = &shop.engine.rows("members")[0];
    assert_eq!(member["phone"], "84901234567");
    assert_eq!((&member["revision"], &member["last_seq"]), (&1.into(), &1.into()));
}
