//! Cards and histories, as API Gateway asks for them.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use loyalty_contract::identity::MemberKey;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_contract::queue::{CanonicalOrder, QueueMessage};
use loyalty_domain::adjust::{Adjustment, adjust};
use loyalty_domain::campaign::enrol;
use loyalty_domain::ids::MemberId;
use loyalty_domain::ledger::Note;
use loyalty_domain::points::Legs;
use loyalty_domain::request::Asked;
use loyalty_domain::voucher::{Grant, Offer, Worth};
use loyalty_runtime::access::{ACCESS, Gate};
use loyalty_runtime::config::Environment;
use loyalty_store::engine::{Engine, Fault};
use loyalty_store::{Code, Coder, Concerns, Loaded, OrderEvent};
use member_api::MemberApi;
use serde_json::{Value, json};

const KEY: &str = "an installation's key of 32 bytes";
const NOW: &str = "2026-11-23T01:15:07Z";

struct Shop {
    engine: Engine,
    api: MemberApi,
    now: chrono::DateTime<chrono::Utc>,
}

impl Shop {
    fn new() -> Self {
        let engine = Engine::new();
        let programmes = ProgrammeFile::parse(include_str!("../../../infra/programmes/cnv-retail.toml")).unwrap();
        let api = MemberApi { books: engine.books(), programmes, key: MemberKey::new(KEY).unwrap(), gate: Gate::Open };
        Self { engine, api, now: NOW.parse().unwrap() }
    }

    /// An order of so many points, delivered and paid.
    async fn order(&self, id: &str, points: i64, status: &str, updated_at: &str) {
        self.order_of("84901234567", id, points, status, updated_at).await;
    }

    async fn order_of(&self, phone: &str, id: &str, points: i64, status: &str, updated_at: &str) {
        let order = json!({"kind": "order", "order": {
            "source": "standard", "order_id": id, "placed_at": "2026-11-23T01:00:00Z", "updated_at": updated_at,
            "status": status, "payment_status": "paid", "currency": "VND",
            "due_minor": points * 10_000 + 30_000, "shipping_minor": 30_000, "refunded_minor": 0,
            "customer": {"phone": phone, "name": "Nguyễn Văn An", "email": "an@example.com"}}});
        let QueueMessage::Order { order } = serde_json::from_value(order).unwrap() else { panic!("an order") };
        let order: CanonicalOrder = *order;
        let event = OrderEvent { snapshot: order.into_snapshot(&self.api.key), now: self.now };
        let programme = |now| &self.api.programmes.at(now).programme;
        self.api.books.apply_orders(programme, vec![event]).await.remove(0).unwrap();
    }

    fn member_id(&self) -> MemberId {
        self.by_phone("0901234567")
    }

    fn by_phone(&self, phone: &str) -> MemberId {
        self.api.key.by_phone(&loyalty_contract::phone::normalise(phone).unwrap())
    }

    async fn ask(&self, method: &str, path: &str, query: &[(&str, &str)], language: &str) -> (i64, Value) {
        self.ask_with(method, path, query, language, Value::Null).await
    }

    async fn ask_with(
        &self,
        method: &str,
        path: &str,
        query: &[(&str, &str)],
        language: &str,
        authorizer: Value,
    ) -> (i64, Value) {
        let (path, member_id) = (path.to_owned(), self.member_id());
        let path = path.replace("{id}", member_id.as_str());
        let query: serde_json::Map<_, _> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let request: ApiGatewayV2httpRequest = serde_json::from_value(json!({
            "version": "2.0", "rawPath": path, "headers": {"accept-language": language},
            "queryStringParameters": query, "isBase64Encoded": false,
            "requestContext": {"timeEpoch": self.now.timestamp_millis(), "authorizer": authorizer,
                "http": {"method": method, "path": path}}}))
        .unwrap();
        let answer = self.api.answer(request).await;
        check_headers(&answer);
        let Some(Body::Text(body)) = answer.body else { panic!("a text") };
        (answer.status_code, serde_json::from_str(&body).unwrap())
    }

    /// With the claims of a verified token, as the gateway hands them on.
    async fn with_token(&self, path: &str, query: &[(&str, &str)], claims: Value) -> (i64, Value) {
        self.ask_with("GET", path, query, "vi", json!({"jwt": {"claims": claims, "scopes": null}})).await
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> (i64, Value) {
        self.ask("GET", path, query, "vi-VN,vi;q=0.9").await
    }

    async fn refused(&self, path: &str, query: &[(&str, &str)], status: i64, kind: &str) {
        let (answered, problem) = self.get(path, query).await;
        assert_eq!((answered, problem["type"].as_str().unwrap()), (status, kind), "{problem}");
        assert!(!problem.to_string().contains("0901234567x"), "what was sent is not repeated: {problem}");
    }
}

/// C4: a tier that time alone has brought is on the card before anything is posted, and so is that it ends the campaign.
#[tokio::test]
async fn a_look_shows_what_has_fallen_due() {
    let lower = "[[changes]]\neffective_from = \"2026-12-01\"\n[[changes.tiers]]\nid = \"member\"\nname = \"Member\"\n\
                 [[changes.tiers]]\nid = \"silver\"\nname = \"Silver\"\nthreshold = 50\n";
    let mut shop = Shop::new();
    let preset = include_str!("../../../infra/programmes/cnv-retail.toml");
    shop.api.programmes = ProgrammeFile::parse(&format!("{preset}\n{lower}")).unwrap();
    shop.order("1", 50, "delivered", NOW).await;
    let (programme, campaign) = (&shop.api.programmes.at(shop.now).programme, "fast-promotion");
    let concerns = Concerns { campaign: Some(campaign.into()), ..Concerns::member(shop.member_id()) };
    let decide = |rows: Loaded| {
        let campaign = programme.campaign(&campaign.into()).unwrap();
        Ok(((), enrol(programme, campaign, rows.member.unwrap(), None, 0, shop.now)?.decision))
    };
    shop.api.books.command(programme, &concerns, shop.now, decide).await.unwrap();
    let card = shop.ask("GET", &format!("/members/{}", shop.member_id()), &[], "en").await.1;
    assert_eq!((&card["tier"]["id"], &card["participations"][0]["state"]), (&json!("member"), &json!("active")));
    shop.now = "2026-12-01T00:00:00Z".parse().unwrap();
    let card = shop.ask("GET", &format!("/members/{}", shop.member_id()), &[], "en").await.1;
    assert_eq!((&card["tier"]["id"], &card["participations"][0]["state"]), (&json!("silver"), &json!("completed")));
}

#[tokio::test]
async fn an_adjustment_says_why_and_not_who() {
    let shop = Shop::new();
    shop.order("1", 50, "delivered", NOW).await;
    let programme = &shop.api.programmes.at(shop.now).programme;
    let asked = Asked { request_id: "r_1".into(), fingerprint: String::new() };
    let note = Note { operator: "Hoa".to_owned(), text: "bù quà".to_owned(), subject: None };
    let adjustment = Adjustment { asked, legs: Legs::new(5, 3), note };
    let concerns = Concerns::request(shop.member_id(), adjustment.asked.request_id.clone());
    let decide = |rows: Loaded| {
        let member = rows.member.expect("a member");
        Ok(((), adjust(programme, member, rows.request.as_ref(), adjustment.clone(), shop.now)?.1))
    };
    shop.api.books.command(programme, &concerns, shop.now, decide).await.unwrap();
    let (_, history) = shop.get("/members/{id}/history", &[("limit", "1")]).await;
    assert_eq!(history["entries"][0]["reason"], "Cửa hàng điều chỉnh điểm: bù quà", "{history}");
    assert!(!history.to_string().contains("Hoa"));
}

#[tokio::test]
async fn what_is_no_id_is_nobodys() {
    let shop = Shop::new();
    for path in ["", "/history", "/vouchers"] {
        shop.refused(&format!("/members/{}{path}", "x".repeat(3_000)), &[], 404, "urn:loyalty:problem:unknown-member")
            .await;
    }
}

fn check_headers(answer: &ApiGatewayV2httpResponse) {
    assert_eq!(answer.headers["cache-control"], "no-store");
    let problem = answer.status_code >= 400;
    let content_type = if problem { "application/problem+json" } else { "application/json" };
    assert_eq!(answer.headers["content-type"], content_type);
}

#[tokio::test]
async fn a_card_says_where_the_member_stands() {
    let shop = Shop::new();
    shop.order("1", 362, "delivered", NOW).await;
    let (status, card) = shop.get("/members/{id}", &[]).await;
    assert_eq!(status, 200);
    let tiers = &shop.api.programmes.at(shop.now).programme.tiers;
    let benefits = |id: &str| tiers.get(&id.into()).unwrap().benefits.clone();
    assert_eq!(
        card,
        json!({
            "member_id": shop.member_id().as_str(), "name": "Nguyễn Văn An", "phone": "+84901234567",
            "tier": {"id": "silver", "name": "Silver", "since": "2026-11-23T08:15:07+07:00", "keep_until": "2027-11-23"},
            "redeemable_points": 362, "qualifying_points": 362, "pending_points": 0, "debt": 0,
            "spent": "3620000", "currency": "VND", "orders_count": 1,
            "next_tier": {"id": "gold", "name": "Gold", "points_needed": 338, "spend_needed": "3380000",
                          "benefits": benefits("gold")},
            "benefits": benefits("silver"),
            "expiring": [{"points": 362, "on": "2027-11-30"}],
            "participations": []})
    );
}

#[tokio::test]
async fn a_card_is_found_by_phone_in_any_usual_spelling() {
    let shop = Shop::new();
    shop.order("1", 50, "delivered", NOW).await;
    let (_, by_id) = shop.get("/members/{id}", &[]).await;
    for phone in ["0901234567", "+84901234567", " 84 901 234 567", "090.123.4567"] {
        assert_eq!(shop.get("/members", &[("phone", phone)]).await, (200, by_id.clone()), "{phone}");
    }
    assert_eq!(by_id["tier"]["keep_until"], Value::Null, "the base tier cannot be lost");
}

/// Nothing has been written since, and yet nobody is shown points that are gone.
#[tokio::test]
async fn points_whose_last_day_has_passed_are_not_shown() {
    let mut shop = Shop::new();
    shop.order("1", 50, "delivered", NOW).await;
    let rows = shop.engine.rows("members");
    shop.now = "2027-11-30T16:59:59Z".parse().unwrap();
    assert_eq!(shop.get("/members/{id}", &[]).await.1["redeemable_points"], 50, "the last day is still good");
    shop.now = "2027-11-30T17:00:00Z".parse().unwrap();
    let (_, card) = shop.get("/members/{id}", &[]).await;
    assert_eq!((&card["redeemable_points"], &card["expiring"]), (&json!(0), &json!([])));
    assert_eq!(shop.engine.rows("members"), rows, "a look writes nothing");
}

#[tokio::test]
async fn history_is_told_newest_first_in_the_readers_language() {
    let shop = Shop::new();
    shop.order("1", 50, "delivered", NOW).await;
    shop.order("1", 50, "cancelled", "2026-11-23T02:00:00Z").await;
    let (status, history) = shop.get("/members/{id}/history", &[]).await;
    assert_eq!((status, &history["next_cursor"]), (200, &Value::Null));
    let version = shop.api.programmes.at(shop.now).programme.version.to_string();
    let vietnamese = loyalty_messaging::text(loyalty_messaging::Language::Vietnamese, "order_cancelled").unwrap();
    assert_eq!(
        history["entries"][0],
        json!({"seq": 2, "kind": "reversal", "order_id": "standard:1", "redeemable": -50, "qualifying": -50,
               "balance_after": {"redeemable": 0, "qualifying": 0}, "reason": vietnamese, "rule": "base",
               "programme_version": version, "occurred_at": "2026-11-23T09:00:00+07:00",
               "recorded_at": "2026-11-23T08:15:07+07:00", "reverses": 1, "wallet": null})
    );
    assert_eq!(history["entries"][1]["reverses"], Value::Null);

    let (_, in_english) = shop.ask("GET", "/members/{id}/history", &[], "fr, en-GB;q=0.8, vi;q=0.5").await;
    assert_eq!(in_english["entries"][1]["reason"], "Earned with an order");
}

#[tokio::test]
async fn history_goes_on_from_its_cursor() {
    let shop = Shop::new();
    for id in ["1", "2", "3"] {
        shop.order(id, 10, "delivered", NOW).await;
    }
    let (_, first) = shop.get("/members/{id}/history", &[("limit", "2")]).await;
    let cursor = first["next_cursor"].as_str().expect("there is more");
    let (_, second) = shop.get("/members/{id}/history", &[("limit", "2"), ("cursor", cursor)]).await;
    let seqs = |page: &Value| -> Vec<u64> {
        page["entries"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!((seqs(&first), seqs(&second)), (vec![3, 2], vec![1]));
    assert_eq!(second["next_cursor"], Value::Null);
}

#[tokio::test]
async fn a_member_whose_orders_have_not_earned_has_an_empty_history() {
    let shop = Shop::new();
    shop.order("1", 50, "confirmed", NOW).await;
    let (status, history) = shop.get("/members/{id}/history", &[]).await;
    assert_eq!((status, history), (200, json!({"entries": [], "next_cursor": null})));
    assert_eq!(shop.get("/members/{id}", &[]).await.1["orders_count"], 1);
}

#[tokio::test]
async fn vouchers_are_shown_newest_first_as_they_stand_today() {
    let mut shop = Shop::new();
    shop.order("1", 50, "confirmed", NOW).await;
    assert_eq!(shop.get("/members/{id}/vouchers", &[]).await, (200, json!({"vouchers": []})));
    let key = shop.api.key.clone();
    let coder = Coder::new(move |grant_id| {
        let (code, voucher_id) = key.voucher(grant_id);
        Code { code, voucher_id }
    });
    let books = shop.engine.books().with_coder(coder);
    let worths = [
        Worth::Percent { percent: 10, most_minor: Some(100_000) },
        Worth::Amount { minor: 50_000 },
        Worth::Gift { what: "Túi vải".into() },
        Worth::GameTurn { turns: 2 },
    ];
    for (at, worth) in worths.into_iter().enumerate() {
        let offer = Offer { id: "offer".into(), name: "Quà".into(), worth, valid_days: 30, order_min_minor: 0 };
        let given_at = shop.now + chrono::TimeDelta::days(at as i64);
        let programme = &shop.api.programmes.at(shop.now).programme;
        let grant = Grant::new(&shop.member_id(), &format!("test/{at}"), &offer, programme.day(given_at));
        assert!(books.give_voucher(&grant, given_at).await.unwrap());
    }
    shop.now += chrono::TimeDelta::days(30);
    let (status, shown) = shop.get("/members/{id}/vouchers", &[]).await;
    let vouchers = shown["vouchers"].as_array().unwrap();
    let worths: Vec<_> = vouchers.iter().map(|voucher| voucher["worth"].clone()).collect();
    let expected = [
        json!({"kind": "game_turns", "turns": 2}),
        json!({"kind": "gift", "what": "Túi vải"}),
        json!({"kind": "amount", "amount": "50000"}),
        json!({"kind": "percent", "percent": 10, "up_to": "100000"}),
    ];
    assert_eq!((status, &worths[..]), (200, &expected[..]));
    let states: Vec<_> = vouchers.iter().map(|voucher| voucher["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["issued", "issued", "issued", "expired"], "nobody wrote it down, and yet it is over");
    assert_eq!(
        vouchers[3],
        json!({"code": shop.api.key.voucher(&format!("{}/test/0/offer", shop.member_id())).0, "name": "Quà",
            "worth": expected[3], "order_min": null, "currency": "VND", "state": "expired", "valid_from": "2026-11-23",
            "valid_until": "2026-12-22", "issued_at": "2026-11-23T08:15:07+07:00", "used_at": null, "used_for": null})
    );
}

#[tokio::test(start_paused = true)]
async fn refusals_say_what_to_do() {
    let shop = Shop::new();
    let kind = |slug: &str| format!("urn:loyalty:problem:{slug}");
    shop.refused("/members/{id}", &[], 404, &kind("unknown-member")).await;
    shop.refused("/members/{id}/history", &[], 404, &kind("unknown-member")).await;
    shop.refused("/members/{id}/vouchers", &[], 404, &kind("unknown-member")).await;
    shop.refused("/members", &[("phone", "0901234567")], 404, &kind("unknown-member")).await;
    shop.refused("/members", &[], 400, &kind("bad-phone")).await;
    shop.refused("/members", &[("phone", "0901234567x")], 400, &kind("bad-phone")).await;
    shop.refused("/members/{id}/secrets", &[], 404, &kind("unknown-address")).await;
    for limit in ["0", "101", "-1", "x", "1.5"] {
        shop.refused("/members/{id}/history", &[("limit", limit)], 400, &kind("bad-limit")).await;
    }
    shop.refused("/members/{id}/history", &[("cursor", "17")], 400, &kind("bad-cursor")).await;

    let (status, problem) = shop.ask("POST", "/members/{id}", &[], "vi").await;
    assert_eq!((status, problem["detail"].as_str().unwrap()), (405, "This address takes GET only."));

    shop.engine.inject(|_| Fault::RequestLost);
    shop.refused("/members/{id}", &[], 503, &kind("not-readable")).await;
}

/// D1: what a member sees is their own, and only a till looks people up.
#[tokio::test]
async fn a_member_sees_their_own_points_and_a_till_everybodys() {
    let mut shop = Shop::new();
    shop.order("1", 50, "delivered", NOW).await;
    shop.api.gate = Gate::of(&Environment::new(|name: &str| (name == ACCESS).then(|| "tokens".to_owned()))).unwrap();
    let own = json!({"sub": "1", "custom:member_id": shop.member_id().as_str()});
    let phone = json!({"sub": "1", "phone_number": "+84901234567", "phone_number_verified": "true"});
    let other = json!({"sub": "2", "custom:member_id": "m_other"});
    let till = json!({"sub": "3", "cognito:groups": "[till]"});
    let operator = json!({"sub": "4", "cognito:groups": "[operator]"});
    for path in ["/members/{id}", "/members/{id}/history", "/members/{id}/vouchers"] {
        for claims in [&own, &phone, &till, &operator] {
            assert_eq!(shop.with_token(path, &[], claims.clone()).await.0, 200, "{path} {claims}");
        }
        let (status, problem) = shop.with_token(path, &[], other.clone()).await;
        assert_eq!((status, &problem["type"]), (403, &json!("urn:loyalty:problem:not-allowed")), "{path}");
        let (status, problem) = shop.get(path, &[]).await;
        assert_eq!((status, &problem["type"]), (401, &json!("urn:loyalty:problem:no-token")), "{path}");
    }
    // Whether somebody is a member is nobody else's business either.
    assert_eq!(shop.with_token("/members/m_nobody", &[], other.clone()).await.0, 403);
    let search = [("phone", "0901234567")];
    for (claims, expected) in [(till, 200), (operator, 200), (own, 403), (phone, 403), (other, 403)] {
        assert_eq!(shop.with_token("/members", &search, claims.clone()).await.0, expected, "{claims}");
    }
}

/// Whoever joined another may have a token of the old number for long: they are one person, who sees one card.
#[tokio::test]
async fn who_joined_another_sees_whom_they_joined_and_a_till_what_became_of_them() {
    let mut shop = Shop::new();
    shop.order("1", 50, "delivered", NOW).await;
    shop.order_of("84907654321", "2", 30, "delivered", NOW).await;
    let (old, into) = (shop.member_id(), shop.by_phone("0907654321"));
    let asked = Asked { request_id: "r_merge".into(), fingerprint: String::new() };
    let programme = &shop.api.programmes.at(shop.now).programme;
    shop.api.books.merge_members(programme, (&old, &into), &asked, shop.now).await.unwrap();
    shop.api.gate = Gate::of(&Environment::new(|name: &str| (name == ACCESS).then(|| "tokens".to_owned()))).unwrap();
    let own = json!({"sub": "1", "phone_number": "+84901234567", "phone_number_verified": "true"});
    let till = json!({"sub": "3", "cognito:groups": "[till]"});

    let (status, card) = shop.with_token("/members/{id}", &[], own.clone()).await;
    assert_eq!((status, &card["member_id"], &card["redeemable_points"]), (200, &json!(into.as_str()), &json!(80)));
    let (status, history) = shop.with_token("/members/{id}/history", &[("limit", "1")], own.clone()).await;
    assert_eq!((status, &history["entries"][0]["balance_after"]["redeemable"]), (200, &json!(80)), "{history}");
    let cursor = history["next_cursor"].as_str().unwrap();
    let next = shop.with_token("/members/{id}/history", &[("cursor", cursor)], own.clone()).await.1;
    assert_eq!(next["entries"][0]["order_id"], "standard:2", "{next}");
    assert_eq!(shop.with_token("/members/{id}/vouchers", &[], own.clone()).await.0, 200);
    // The token is of the old number alone.
    let (status, _) = shop.with_token(&format!("/members/{into}"), &[], own).await;
    assert_eq!(status, 403);

    let (_, card) = shop.with_token("/members/{id}", &[], till.clone()).await;
    assert_eq!((&card["member_id"], &card["merged_into"]), (&json!(old.as_str()), &json!(into.as_str())), "{card}");
    let (_, history) = shop.with_token("/members/{id}/history", &[], till).await;
    assert_eq!(history["entries"][0]["balance_after"]["redeemable"], 0, "{history}");
}
