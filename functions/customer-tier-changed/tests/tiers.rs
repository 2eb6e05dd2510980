//! Tier events as the bus hands them over: what they give and tell, once (S1: N1–N8, X34, X47).

use std::sync::LazyLock;

use aws_lambda_events::eventbridge::EventBridgeEvent;
use chrono::{DateTime, TimeDelta, Utc};
use customer_tier_changed::{CustomerTierChanged, TierError};
use loyalty_contract::identity::MemberKey;
use loyalty_contract::phone::normalise;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_contract::queue::CanonicalOrder;
use loyalty_domain::ids::{MemberId, RequestId, VoucherId};
use loyalty_domain::order::OrderStatus;
use loyalty_domain::request::Asked;
use loyalty_domain::voucher::Voucher;
use loyalty_messaging::Outbox;
use loyalty_store::engine::{Engine, Fault};
use loyalty_store::{Coder, OrderEvent};
use serde_json::{Value, json};

const KEY: &str = "an installation's key of 32 bytes";
/// The default preset without vouchers: a test gives those it is about.
static RETAIL: LazyLock<String> = LazyLock::new(|| {
    let vouchers = |line: &&str| ["on_reaching", "monthly", "birthday"].iter().any(|key| line.starts_with(key));
    let preset = include_str!("../../../infra/programmes/cnv-retail.toml");
    preset.lines().filter(|line| !vouchers(line)).map(|line| format!("{line}\n")).collect()
});
const NOW: &str = "2026-11-23T01:15:07Z";

struct Shop {
    engine: Engine,
    tiers: CustomerTierChanged,
    member_id: String,
}

/// What made the member Silver.
fn order() -> CanonicalOrder {
    let order = json!({"source": "standard", "order_id": "1", "placed_at": NOW, "updated_at": NOW, "status": "delivered",
        "payment_status": "paid", "currency": "VND", "due_minor": 2_500_000, "shipping_minor": 0, "refunded_minor": 0,
        "customer": {"phone": "84901234567", "name": "Nguyễn Văn An"}});
    serde_json::from_value(order).unwrap()
}

impl Shop {
    /// A Silver of a programme that gives two vouchers on reaching Silver.
    async fn new(notify: &str) -> Self {
        let gifts = "on_reaching = [{ id = \"ten\", name = \"Giảm 10%\", percent = 10, valid_days = 30 }, \
                     { id = \"bag\", name = \"Túi\", gift = \"Túi vải\", valid_days = 10 }]\n";
        let programme = RETAIL.replace("tier_changed = \"upgrade\"", &format!("tier_changed = \"{notify}\""));
        let programme = programme.replace("id = \"silver\"\n", &format!("id = \"silver\"\n{gifts}"));
        let programmes = ProgrammeFile::parse(&programme).unwrap_or_else(|problems| panic!("{problems:?}"));
        let (engine, key) = (Engine::new(), MemberKey::new(KEY).unwrap());
        let now: DateTime<Utc> = NOW.parse().unwrap();
        let event = OrderEvent { snapshot: order().into_snapshot(&key), now };
        let books = engine.books().with_coder(Coder::new(move |grant_id| key.voucher(grant_id)));
        books.apply_orders(|now| &programmes.at(now).programme, vec![event]).await.remove(0).unwrap();
        let member_id = engine.rows("members")[0]["member_id"].as_str().unwrap().to_owned();
        let outbox = Outbox::new(engine.client(), engine.prefix());
        Self {
            engine,
            tiers: CustomerTierChanged { books, programmes, key: MemberKey::new(KEY).unwrap(), outbox },
            member_id,
        }
    }

    fn event(&self, before: &str, after: &str, direction: &str) -> Value {
        json!({"id": "e", "source": "loyalty", "detail-type": "TierChanged", "account": "1", "region": "local",
            "time": NOW, "resources": [], "detail": {
                "event_id": format!("{}:1:TierChanged", self.member_id), "schema_version": 1,
                "member_id": self.member_id, "seq": 1, "tier_before": before, "tier_after": after,
                "direction": direction, "reason": "order_earned", "qualifying": 250,
                "programme_version": "cnv-retail@1", "recorded_at": NOW}})
    }

    async fn answer(&self, event: Value) -> Result<(), TierError> {
        let event: EventBridgeEvent<Value> = serde_json::from_value(event).unwrap();
        self.tiers.answer(event).await
    }

    /// The order that made the member Silver is cancelled.
    async fn cancel(&self) {
        let (programmes, key) = (&self.tiers.programmes, MemberKey::new(KEY).unwrap());
        let mut order = order();
        (order.status, order.updated_at) = (OrderStatus::Cancelled, order.updated_at + TimeDelta::minutes(1));
        let event = OrderEvent { snapshot: order.into_snapshot(&key), now: NOW.parse().unwrap() };
        self.tiers.books.apply_orders(|now| &programmes.at(now).programme, vec![event]).await.remove(0).unwrap();
    }

    fn rows(&self) -> (Vec<Value>, Vec<Value>) {
        (self.engine.rows("vouchers"), self.engine.rows("messages"))
    }

    fn counts(&self) -> (usize, usize) {
        let (vouchers, messages) = self.rows();
        (vouchers.len(), messages.len())
    }
}

#[tokio::test]
async fn an_upgrade_gives_the_vouchers_of_the_tier_and_one_message() {
    let shop = Shop::new("upgrade").await;
    shop.answer(shop.event("member", "silver", "upgrade")).await.unwrap();
    let (vouchers, messages) = shop.rows();
    assert_eq!((vouchers.len(), messages.len()), (2, 1));
    let ten = vouchers.iter().find(|row| row["offer"] == "ten").unwrap();
    assert_eq!((&ten["tier"], &ten["valid_from"]), (&json!("silver"), &json!("2026-11-23")));
    assert_eq!((&ten["valid_until"], &ten["remind_on"]), (&json!("2026-12-22"), &json!("2026-12-18")), "N4");
    let bag = vouchers.iter().find(|row| row["offer"] == "bag").unwrap();
    assert_eq!(bag["remind_on"], json!(null), "over before it would be reminded of");
    assert_eq!(messages[0]["message_id"], format!("{}:1:tier_reached", shop.member_id));
    let told = messages[0]["variables"]["vouchers"].to_string();
    assert!(vouchers.iter().all(|row| told.contains(row["code"].as_str().unwrap())), "{told}");
}

/// A tier that fell due before anybody came brings what it would have brought on its day, as far as that is still good.
#[tokio::test]
async fn what_a_tier_brings_begins_on_the_day_on_which_it_was_reached() {
    let shop = Shop::new("upgrade").await;
    let mut event = shop.event("member", "silver", "upgrade");
    event["detail"]["since"] = json!("2026-10-28T17:00:00Z");
    shop.answer(event.clone()).await.unwrap();
    let (vouchers, _) = shop.rows();
    let days: Vec<_> = vouchers.iter().map(|row| (&row["offer"], &row["valid_from"], &row["valid_until"])).collect();
    assert_eq!(days, [(&json!("ten"), &json!("2026-10-29"), &json!("2026-11-27"))], "the bag was over by then");
    event["detail"]["since"] = json!("2025-10-28T17:00:00Z");
    let late = Shop::new("upgrade").await;
    event["detail"]["member_id"] = json!(late.member_id);
    late.answer(event).await.unwrap();
    assert_eq!(late.counts(), (0, 1), "told all the same");
}

#[tokio::test]
async fn the_same_event_gives_nothing_again() {
    let shop = Shop::new("upgrade").await;
    let event = shop.event("member", "silver", "upgrade");
    shop.answer(event.clone()).await.unwrap();
    let rows = shop.rows();
    shop.answer(event).await.unwrap();
    assert_eq!(shop.rows(), rows);
}

/// Killed between the vouchers and the message: the event comes again and does what is missing.
#[tokio::test]
async fn an_event_that_was_cut_short_is_finished_by_the_next() {
    for requests in 0..4 {
        let shop = Shop::new("upgrade").await;
        let (event, mut left) = (shop.event("member", "silver", "upgrade"), requests);
        shop.engine.inject(move |_| {
            let dead = left == 0;
            left = if dead { 0 } else { left - 1 };
            if dead { Fault::RequestLost } else { Fault::None }
        });
        assert!(shop.answer(event.clone()).await.is_err(), "dead after {requests} requests");
        shop.engine.heal();
        shop.answer(event).await.unwrap();
        assert_eq!(shop.counts(), (2, 1));
    }
}

#[tokio::test]
async fn x19_a_tier_that_is_undone_takes_its_unused_vouchers_along_in_whatever_order_that_is_heard() {
    let at = |seq: u64, mut event: Value, reason: &str| {
        (event["detail"]["seq"], event["detail"]["reason"]) = (json!(seq), json!(reason));
        event
    };
    let shop = Shop::new("upgrade").await;
    let up = |seq| at(seq, shop.event("member", "silver", "upgrade"), "order_earned");
    let down = |reason| at(2, shop.event("silver", "member", "downgrade"), reason);
    let states = || {
        let mut states: Vec<_> = shop.rows().0.iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect();
        states.sort();
        states
    };
    shop.answer(up(1)).await.unwrap();
    // It is reached again before the fall is heard of: they are there still.
    shop.answer(up(3)).await.unwrap();
    shop.answer(down("order_cancelled")).await.unwrap();
    assert_eq!(states(), ["issued"; 2]);

    shop.cancel().await;
    shop.answer(down("tier_missed")).await.unwrap();
    assert_eq!(states(), ["issued"; 2], "a review ends a tier that was held");
    let vouchers = shop.rows().0;
    let used = vouchers.iter().find(|row| row["offer"] == "ten").unwrap()["voucher_id"].as_str().unwrap();
    let today = "2026-11-23".parse().unwrap();
    let use_it = |voucher: Voucher| voucher.used(None, None, today, NOW.parse().unwrap());
    shop.tiers.books.change_voucher(&VoucherId::new(used), use_it).await.unwrap().unwrap().unwrap();
    shop.answer(down("order_cancelled")).await.unwrap();
    assert_eq!(states(), ["used", "voided"]);
    // An event of the promotion that comes late finds that it is over.
    shop.answer(up(5)).await.unwrap();
    assert_eq!(states(), ["used", "voided"]);
}

/// Two numbers of one person, one of them Silver with its vouchers: Silver by the merge brings none a second time.
#[tokio::test]
async fn what_whoever_joined_was_given_is_not_given_again() {
    let mut shop = Shop::new("upgrade").await;
    shop.answer(shop.event("member", "silver", "upgrade")).await.unwrap();
    let given = shop.rows().0;
    let (programmes, key, now) = (&shop.tiers.programmes, MemberKey::new(KEY).unwrap(), NOW.parse().unwrap());
    let mut other = order();
    (other.order_id, other.customer.phone) = ("2".to_owned(), Some(normalise("84907654321").unwrap()));
    other.due_minor = 500_000;
    let event = OrderEvent { snapshot: other.into_snapshot(&key), now };
    shop.tiers.books.apply_orders(|now| &programmes.at(now).programme, vec![event]).await.remove(0).unwrap();
    let members = shop.engine.rows("members");
    let ids = members.iter().map(|row| row["member_id"].as_str().unwrap());
    let into = ids.clone().find(|id| *id != shop.member_id).unwrap().to_owned();
    let asked = Asked { request_id: RequestId::new("merge"), fingerprint: "f".to_owned() };
    let (silver, member) = (MemberId::new(shop.member_id.as_str()), MemberId::new(into.as_str()));
    let programme = &programmes.at(now).programme;
    shop.tiers.books.merge_members(programme, (&silver, &member), &asked, now).await.unwrap();
    shop.member_id = into;
    shop.answer(shop.event("member", "silver", "upgrade")).await.unwrap();
    let (vouchers, messages) = shop.rows();
    assert_eq!(vouchers, given);
    assert_eq!(messages.len(), 2, "each is congratulated");
}

#[tokio::test]
async fn x34_what_is_told_is_a_choice_and_what_a_tier_gives_is_not() {
    for (notify, upgrade, downgrade) in
        [("upgrade", (2, 1), (0, 0)), ("both", (2, 1), (0, 1)), ("none", (2, 0), (0, 0))]
    {
        let shop = Shop::new(notify).await;
        shop.answer(shop.event("gold", "silver", "downgrade")).await.unwrap();
        assert_eq!(shop.counts(), downgrade, "{notify}");
        for message in shop.rows().1 {
            assert_eq!(
                (&message["template"], &message["variables"]["tier_before"]),
                (&json!("tier_lowered"), &json!("Gold"))
            );
        }
        let shop = Shop::new(notify).await;
        shop.answer(shop.event("member", "silver", "upgrade")).await.unwrap();
        assert_eq!(shop.counts(), upgrade, "{notify}");
        // The entry of a review tells that one lost a tier by it.
        let shop = Shop::new(notify).await;
        let mut reviewed = shop.event("gold", "silver", "downgrade");
        reviewed["detail"]["reason"] = json!("tier_missed");
        shop.answer(reviewed).await.unwrap();
        assert_eq!(shop.counts(), (0, 0), "{notify}");
    }
}

#[tokio::test]
async fn an_event_that_is_neither_ours_nor_the_shops_is_kept_for_a_person() {
    let shop = Shop::new("upgrade").await;
    for (name, value) in [("source", "shop.crm"), ("detail-type", "CustomerTierChanged")] {
        let mut event = shop.event("member", "silver", "upgrade");
        event[name] = json!(value);
        let refusal = shop.answer(event).await.unwrap_err();
        assert!(matches!(refusal, TierError::Unknown { .. }), "{refusal}");
    }
    let mut nobody = shop.event("member", "silver", "upgrade");
    nobody["detail"]["member_id"] = json!("m_nobody");
    assert!(matches!(shop.answer(nobody).await.unwrap_err(), TierError::NoMember(_)));
    assert_eq!(shop.counts(), (0, 0));
}
