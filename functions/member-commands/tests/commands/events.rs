//! What earns without an order.

use loyalty_domain::request::Asked;
use serde_json::{Value, json};

use crate::support::{NAME, NOW, PHONE, SECRET, Shop};

fn behaviour(id: &str, behaviour: &str, phone: &str) -> Value {
    json!({"event_id": id, "behaviour": behaviour, "customer": {"phone": phone, "name": NAME},
        "occurred_at": "2026-11-23T08:00:00+07:00"})
}

fn event<'a>(shop: &'a Shop, kind: &str, data: Value) -> crate::support::Sending<'a> {
    shop.post("/events", json!({"type": kind, "data": data})).signed(SECRET)
}

#[tokio::test]
async fn a_behaviour_is_rewarded_once_and_registers_whoever_is_new() {
    let shop = Shop::new();
    let (status, first) = shop.event("behaviour", behaviour("e1", "review", PHONE)).await;
    let member_id = shop.member_id();
    let expected = json!({"type": "behaviour", "member_id": member_id.as_str(), "redeemable": 20, "qualifying": 0,
        "balance_after": {"redeemable": 20, "qualifying": 0}, "friend": null});
    assert_eq!((status, &first), (201, &expected));
    assert_eq!((&shop.member()["name"], &shop.member()["redeemable_points"]), (&json!(NAME), &json!(20)));
    let rows = shop.everything();
    assert_eq!(shop.event("behaviour", behaviour("e1", "review", PHONE)).await, (200, expected));
    assert!(shop.everything() == rows);

    shop.refused(event(&shop, "behaviour", behaviour("e2", "review", PHONE)), 409, "limit-reached").await;
    let for_another = behaviour("e1", "review", "0912345678");
    shop.refused(event(&shop, "behaviour", for_another), 409, "key-used-otherwise").await;
    let detail =
        shop.refused(event(&shop, "behaviour", behaviour("e3", "dance", PHONE)), 422, "unknown-behaviour").await;
    assert!(detail.contains("review, referral"), "{detail}");
    shop.at("2026-11-23T17:00:00Z");
    shop.refused(event(&shop, "behaviour", behaviour("e2", "review", PHONE)), 409, "limit-reached").await;
    let mut next_day = behaviour("e2", "review", PHONE);
    next_day["occurred_at"] = json!("2026-11-24T00:00:00+07:00");
    assert_eq!(shop.event("behaviour", next_day).await.0, 201);
    // What happened on another day counts there, though it is told today.
    let mut day_before = behaviour("e4", "review", PHONE);
    day_before["occurred_at"] = json!("2026-11-22T23:59:00+07:00");
    assert_eq!(shop.event("behaviour", day_before.clone()).await.0, 201);
    day_before["event_id"] = json!("e5");
    shop.refused(event(&shop, "behaviour", day_before), 409, "limit-reached").await;
}

#[tokio::test]
async fn a_referral_rewards_both_sides_or_none() {
    let shop = Shop::new();
    let referral = |id: &str, friend: &str| {
        let mut data = behaviour(id, "referral", PHONE);
        data["friend"] = json!({"phone": friend});
        data
    };
    let (status, answer) = shop.event("behaviour", referral("r1", "0912345678")).await;
    assert_eq!((status, &answer["redeemable"], &answer["friend"]["redeemable"]), (201, &json!(50), &json!(30)));
    assert_eq!(answer["friend"]["member_id"], shop.member_with("0912345678").as_str());
    assert_eq!(shop.event("behaviour", referral("r1", "0912345678")).await, (200, answer));
    shop.refused(event(&shop, "behaviour", referral("r2", PHONE)), 422, "same-person").await;
    assert_eq!(shop.event("behaviour", referral("r2", "0912345679")).await.0, 201);
    // Who has been referred is not referred again, by whomever and under whatever event.
    shop.refused(event(&shop, "behaviour", referral("r4", "0912345678")), 409, "limit-reached").await;
    let mut by_another = referral("r5", "0912345678");
    by_another["customer"] = json!({"phone": "0912345677"});
    shop.refused(event(&shop, "behaviour", by_another), 409, "limit-reached").await;
    // Being referred takes nothing of how often one may refer others.
    let mut onwards = referral("r6", "0912345676");
    onwards["customer"] = json!({"phone": "0912345678"});
    assert_eq!(shop.event("behaviour", onwards.clone()).await.0, 201);
    onwards["event_id"] = json!("r7");
    onwards["friend"] = json!({"phone": "0912345675"});
    assert_eq!(shop.event("behaviour", onwards).await.0, 201);
    // The member has been rewarded twice, as often as there is: the third friend gets nothing either.
    shop.refused(event(&shop, "behaviour", referral("r3", "0912345670")), 409, "limit-reached").await;
    assert_eq!(shop.engine.rows("members").len(), 5);
}

#[tokio::test]
async fn a_top_up_fills_the_wallet_and_brings_what_its_step_says() {
    let shop = Shop::new();
    let topup = |id: &str, amount: &str| {
        json!({"event_id": id, "customer": {"id": "KH-7"}, "amount": amount, "currency": "VND",
            "paid_at": "2026-11-23T08:00:00+07:00"})
    };
    let (status, first) = shop.event("topup", topup("t1", "1000000")).await;
    assert_eq!((status, &first["added"], &first["wallet"]), (201, &json!("1030000"), &json!("1030000")));
    assert_eq!((&first["voucher"], &first["currency"]), (&json!(null), &json!("VND")));
    let (_, second) = shop.event("topup", topup("t2", "3000000")).await;
    assert_eq!((&second["added"], &second["wallet"]), (&json!("3000000"), &json!("4030000")));
    let code = second["voucher"]["code"].as_str().unwrap().to_owned();
    assert_eq!(shop.event("topup", topup("t2", "3000000")).await, (200, second));
    assert_eq!(shop.event("topup", topup("t1", "1000000")).await, (200, first));
    shop.refused(event(&shop, "topup", topup("t2", "3000001")), 409, "key-used-otherwise").await;
    assert_eq!(shop.post(&format!("/vouchers/{code}/use"), json!({"order_amount": "500000"})).send().await.0, 200);
    shop.refused(event(&shop, "topup", topup("t3", "0")), 422, "no-amount").await;
    shop.refused(event(&shop, "topup", topup("t3", "-1")), 400, "unreadable").await;
    let mut dollars = topup("t3", "1");
    dollars["currency"] = json!("USD");
    shop.refused(event(&shop, "topup", dollars), 400, "unreadable").await;
}

#[tokio::test]
async fn a_customer_is_registered_once_and_keeps_what_is_known() {
    let shop = Shop::new();
    let registered = |name: &str| json!({"customer": {"phone": PHONE, "name": name, "birthday": "1990-05-20"}});
    let (status, answer) = shop.event("customer.registered", registered(NAME)).await;
    assert_eq!((status, &answer["member_id"]), (201, &json!(shop.member_id().as_str())));
    let rows = shop.everything();
    assert_eq!(shop.event("customer.registered", registered("Ai đó")).await.0, 200);
    assert!(shop.everything() == rows);
}

/// X25: who registers is welcomed then, once, and their first order takes that over.
#[tokio::test]
async fn who_registers_is_welcomed_once() {
    for (when, points, pending) in [("immediate", 100, 0), ("pending_until_first_delivery", 0, 100)] {
        let shop = Shop::welcoming(when);
        let customer = json!({"customer": {"phone": PHONE}});
        assert_eq!(shop.event("behaviour", behaviour("e1", "review", PHONE)).await.0, 201);
        assert_eq!(shop.member()["redeemable_points"], 20, "who is only heard of has not registered");
        assert_eq!(shop.event("customer.registered", customer.clone()).await.0, 200);
        let row = shop.member();
        assert_eq!(
            (&row["redeemable_points"], &row["pending_points"]),
            (&json!(20 + points), &json!(pending)),
            "{when}"
        );
        let rows = shop.everything();
        assert_eq!(shop.event("customer.registered", customer.clone()).await.0, 200);
        assert!(shop.everything() == rows, "{when}");
        shop.order("1", 50, NOW).await;
        let row = shop.member();
        assert_eq!((&row["redeemable_points"], &row["pending_points"]), (&json!(170), &json!(0)), "{when}");
        let rows = shop.everything();
        assert_eq!(shop.event("customer.registered", customer).await.0, 200);
        assert!(shop.everything() == rows, "{when}: who has ordered is welcomed");
    }
}

#[tokio::test]
async fn what_is_no_event_is_refused_by_name() {
    let shop = Shop::new();
    let detail = shop.refused(event(&shop, "order.changed", json!({})), 422, "unsupported-type").await;
    assert!(detail.contains("behaviour, topup, customer.registered, customer.changed"), "{detail}");
    for data in [
        json!(null),
        json!({}),
        json!({"event_id": "e", "behaviour": "review", "customer": {}, "occurred_at": "2026-11-23T08:00:00+07:00"}),
        json!({"event_id": "e", "behaviour": "review", "customer": {"phone": "1"}, "occurred_at": "2026-11-23T08:00:00+07:00"}),
        json!({"behaviour": "review", "customer": {"phone": PHONE}, "occurred_at": "2026-11-23T08:00:00+07:00"}),
        json!({"event_id": "e", "behaviour": "review", "customer": {"phone": PHONE}, "occurred_at": "2026-11-23"}),
    ] {
        shop.refused(event(&shop, "behaviour", data), 400, "unreadable").await;
    }
}

/// What the shop says now replaces what was known; what it leaves out stays, and no points move.
#[tokio::test]
async fn a_customer_is_as_the_shop_says_now() {
    let shop = Shop::with_points(100).await;
    let said = json!({"id": "KH-7", "phone": PHONE, "email": "an@example.vn", "birthday": "1990-05-20"});
    let (status, answer) = shop.event("customer.changed", json!({"customer": said})).await;
    let member_id = shop.member_id();
    let expected = json!({"type": "customer.changed", "member_id": member_id.as_str()});
    assert_eq!((status, &answer), (200, &expected));
    let row = shop.member();
    assert_eq!((&row["name"], &row["email"]), (&json!(NAME), &json!("an@example.vn")));
    assert_eq!((&row["birthday"], &row["redeemable_points"]), (&json!("1990-05-20"), &json!(100)));
    let rows = shop.everything();
    assert_eq!(shop.event("customer.changed", json!({"customer": said})).await, (200, expected));
    assert!(shop.everything() == rows, "the same again changes nothing");

    let renamed = json!({"phone": PHONE, "name": "Nguyễn An", "birthday": "1991-05-20"});
    assert_eq!(shop.event("customer.changed", renamed).await.0, 200, "the fields may be the data itself");
    let row = shop.member();
    assert_eq!((&row["name"], &row["birthday"]), (&json!("Nguyễn An"), &json!("1991-05-20")));
    assert_eq!((&row["email"], &row["redeemable_points"]), (&json!("an@example.vn"), &json!(100)));
    assert_eq!(shop.engine.rows("points-history").len(), 1);

    // NOW is when all of this was said. An older word replaces nothing, and a newer one does.
    let said = |name: &str, at: &str| json!({"customer": {"phone": PHONE, "name": name}, "updated_at": at});
    assert_eq!(shop.event("customer.changed", said("Older", "2026-11-23T01:14:00Z")).await.0, 200);
    assert_eq!(shop.member()["name"], json!("Nguyễn An"));
    shop.at("2026-11-23T01:17:00Z");
    assert_eq!(shop.event("customer.changed", said("Newer", "2026-11-23T01:16:00Z")).await.0, 200);
    assert_eq!(shop.event("customer.changed", said("Between", "2026-11-23T01:15:30Z")).await.0, 200);
    shop.order("old", 1, "2026-11-23T01:15:40Z").await;
    assert_eq!(shop.member()["name"], json!("Newer"), "nor does an order's older word");
    shop.order("new", 1, "2026-11-23T01:16:30Z").await;
    assert_eq!(shop.member()["name"], json!(NAME));

    let (status, new) = shop.event("customer.changed", json!({"customer": {"phone": "0912345678"}})).await;
    assert_eq!((status, &new["member_id"]), (201, &json!(shop.member_with("0912345678").as_str())));
    shop.refused(event(&shop, "customer.changed", json!({"customer": {"name": NAME}})), 400, "unreadable").await;
    shop.refused(event(&shop, "customer.changed", json!({"name": NAME})), 400, "unreadable").await;
}

/// X47, X37.
#[tokio::test]
async fn a_tier_is_followed_where_the_programme_leaves_it_to_the_shop() {
    let told = |tier: &str, changed_at: &str| json!({"customer": {"phone": PHONE, "name": NAME}, "tier": tier, "changed_at": changed_at});
    let ours = Shop::with_points(100).await;
    let detail = ours.refused(event(&ours, "customer.tier_changed", told("gold", NOW)), 409, "tiers-are-ours").await;
    assert!(detail.contains("tier_authority"), "{detail}");

    let shop = Shop::told_tiers();
    let (status, answer) = shop.event("customer.tier_changed", told("Gold", NOW)).await;
    let expected = json!({"type": "customer.tier_changed", "member_id": shop.member_id().as_str(), "tier": "gold"});
    assert_eq!((status, &answer), (201, &expected));
    let rows = shop.everything();
    assert_eq!(shop.event("customer.tier_changed", told("Gold", NOW)).await, (200, expected.clone()));
    let older = told("silver", "2026-11-22T01:15:07Z");
    assert_eq!(shop.event("customer.tier_changed", older).await, (200, expected), "an older word changes nothing");
    assert!(shop.everything() == rows);
    let entries = shop.engine.rows("points-history");
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((&entry["kind"], &entry["tier_after"]), (&json!("tier"), &json!("gold")));
    let detail = shop.refused(event(&shop, "customer.tier_changed", told("bronze", NOW)), 422, "unknown-tier").await;
    assert!(detail.contains("gold (Gold") && !detail.contains("bronze"), "{detail}");
}

/// Which kinds a member wants is kept by kind; the newest word stays, and of one instant the refusal.
#[tokio::test]
async fn wishes_are_kept_by_kind_and_the_newest_stays() {
    let shop = Shop::new();
    let said =
        |messages: Value, at: &str| json!({"customer": {"phone": PHONE}, "messages": messages, "changed_at": at});
    let (early, noon, late) = ("2026-11-20T08:00:00+07:00", "2026-11-20T12:00:00+07:00", "2026-11-20T13:00:00+07:00");
    let (status, answer) =
        shop.event("customer.consent", said(json!({"promotional": false, "care": true}), noon)).await;
    let all = |care, promotional| json!({"transactional": true, "care": care, "promotional": promotional});
    assert_eq!((status, &answer["messages"]), (201, &all(true, false)), "{answer}");
    for (messages, at) in [
        (json!({"promotional": true}), early),
        (json!({"promotional": true}), noon),
        (json!({"promotional": false}), noon),
    ] {
        let (status, answer) = shop.event("customer.consent", said(messages, at)).await;
        assert_eq!((status, &answer["messages"]), (200, &all(true, false)), "{answer}");
    }
    let (_, answer) = shop.event("customer.consent", said(json!({"care": false}), noon)).await;
    assert_eq!(answer["messages"], all(false, false), "of one instant the refusal stays");
    let (status, answer) = shop.event("customer.consent", said(json!({"care": true, "promotional": true}), late)).await;
    assert_eq!((status, &answer["messages"]), (201, &all(true, true)));
    // A clock that is ahead does not close the member's mouth for as long.
    shop.event("customer.consent", said(json!({"care": false}), "2030-01-01T00:00:00+07:00")).await;
    shop.at("2026-11-23T01:20:00Z");
    let (_, answer) = shop.event("customer.consent", said(json!({"care": true}), "2026-11-23T08:19:00+07:00")).await;
    assert_eq!(answer["messages"], all(true, true));
    // One that is ahead by a minute keeps the order of what it says.
    shop.event("customer.consent", said(json!({"care": false}), "2026-11-23T08:21:00+07:00")).await;
    let (_, answer) = shop.event("customer.consent", said(json!({"care": true}), "2026-11-23T08:20:40+07:00")).await;
    assert_eq!(answer["messages"], all(false, true));
    assert_eq!(shop.engine.rows("members"), Vec::<Value>::new(), "a wish makes nobody a member");
}

/// Who was forgotten stays so, whatever was said before and comes late.
#[tokio::test]
async fn nothing_said_before_an_erasure_brings_the_person_back() {
    let shop = Shop::told_tiers();
    let customer = json!({"phone": PHONE, "name": NAME});
    shop.event("customer.registered", json!({"customer": customer})).await;
    shop.at("2026-11-24T01:00:00Z");
    let books = &shop.commands.books;
    let programme = &shop.commands.programmes.at(shop.now()).programme;
    assert_eq!(books.erase_member(programme, &shop.member_id(), shop.now()).await.unwrap(), Some(true));
    shop.at("2026-11-24T02:00:00Z");
    let before = "2026-11-23T08:00:00+07:00";
    for (kind, data) in [
        ("customer.changed", json!({"customer": customer, "updated_at": before})),
        ("customer.tier_changed", json!({"customer": customer, "tier": "gold", "changed_at": before})),
        ("behaviour", json!({"event_id": "e1", "behaviour": "review", "customer": customer, "occurred_at": before})),
        (
            "topup",
            json!({"event_id": "t1", "customer": customer, "amount": "1000000", "currency": "VND", "paid_at": before}),
        ),
        // Said at the time of its envelope.
        ("customer.registered", json!({"customer": customer})),
    ] {
        let (status, answer) = shop.event(kind, data).await;
        assert!(status < 300, "{kind}: {answer}");
        let row = shop.member();
        assert!(row["name"].is_null() && row["phone"].is_null(), "{kind}: {row}");
    }
    let later = json!({"type": "customer.registered", "timestamp": "2026-11-24T08:30:00+07:00", "data": {"customer": customer}});
    shop.post("/events", later).signed(crate::support::SECRET).send().await;
    assert_eq!(shop.member()["name"], NAME, "who registers again is known again");
}

/// Two numbers, one person: the old one rewards nobody for referring themselves, and brings no number back.
#[tokio::test]
async fn who_joined_another_is_the_same_person_under_the_old_number() {
    let shop = Shop::with_points(50).await;
    let old = "0912345678";
    assert_eq!(shop.event("behaviour", behaviour("e1", "review", old)).await.0, 201);
    let asked = Asked { request_id: "r_merge".into(), fingerprint: String::new() };
    let (programme, both) =
        (&shop.commands.programmes.at(shop.now()).programme, (shop.member_with(old), shop.member_id()));
    shop.commands.books.merge_members(programme, (&both.0, &both.1), &asked, shop.now()).await.unwrap();

    let mut referral = behaviour("r1", "referral", PHONE);
    referral["friend"] = json!({"phone": old});
    shop.refused(event(&shop, "behaviour", referral), 422, "same-person").await;

    shop.at("2026-11-23T05:00:00Z");
    let said =
        json!({"customer": {"phone": old, "name": "Nguyễn Văn Bình"}, "updated_at": "2026-11-23T11:30:00+07:00"});
    assert_eq!(shop.event("customer.changed", said).await.0, 200);
    let member = shop.member();
    assert_eq!((&member["name"], &member["phone"]), (&json!("Nguyễn Văn Bình"), &json!("84901234567")), "{member}");
}
