//! A shop with a till, an operator and a back end, over tables in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::encodings::Body;
use chrono::{DateTime, Utc};
use loyalty_contract::identity::MemberKey;
use loyalty_contract::phone::normalise;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_contract::queue::QueueMessage;
use loyalty_domain::ids::MemberId;
use loyalty_runtime::access::{ACCESS, Gate};
use loyalty_runtime::config::Environment;
use loyalty_signatures::sign_standard;
use loyalty_store::OrderEvent;
use loyalty_store::engine::Engine;
use member_commands::MemberCommands;
use serde_json::{Value, json};

pub const PHONE: &str = "0901234567";
pub const NAME: &str = "Nguyễn Văn An";
const KEY: &str = "an installation's key of 32 bytes";
pub const SECRET: &str = "whsec_bG95YWx0eS10ZXN0LXNlY3JldC0wMDAx";
pub const NEXT_SECRET: &str = "whsec_YW5vdGhlci1sb3lhbHR5LXRlc3Qtc2VjcmV0LTAwMDI=";
pub const NOW: &str = "2026-11-23T01:15:07Z";
const TABLES: [&str; 6] = ["members", "orders", "points-history", "participations", "requests", "vouchers"];

const PROGRAMME: &str = concat!(
    include_str!("../../../../infra/programmes/cnv-retail.toml"),
    r#"
[[changes]]
effective_from = "2000-01-01"
[[changes.rewards]]
id = "voucher-10"
name = "Voucher 10%"
points = 100
voucher = { id = "ten", name = "Giảm 10%", percent = 10, max_amount = 100000, valid_days = 30, min_order = 200000 }

[[changes.rewards]]
id = "discount"
name = "Trừ tiền"
points = 50
amount_off = 5000
min_points = 100
max_points = 500
min_order = 30000
max_percent = 50

[[changes.behaviours]]
id = "review"
name = "Đánh giá"
points = 20
max_per_day = 1

[[changes.behaviours]]
id = "referral"
name = "Giới thiệu bạn"
points = 50
friend_points = 30
max_ever = 2

[[changes.topups]]
amount = 1000000
money = 30000

[[changes.topups]]
amount = 3000000
voucher = { id = "topup-three", name = "Giảm 10%", percent = 10, valid_days = 30 }
"#
);

pub struct Shop {
    pub engine: Engine,
    pub commands: MemberCommands,
    now: AtomicI64,
    sent: AtomicU64,
}

/// What is sent, before it is.
pub struct Sending<'a> {
    shop: &'a Shop,
    method: &'static str,
    path: String,
    headers: serde_json::Map<String, Value>,
    body: String,
    base64: bool,
    claims: Option<Value>,
}

impl Shop {
    pub fn new() -> Self {
        Self::under(PROGRAMME)
    }

    /// A shop in the cloud, whose doors ask for tokens.
    pub async fn with_tokens(points: i64) -> Self {
        let mut shop = Self::new();
        shop.order("1", points, NOW).await;
        let environment = Environment::new(|name: &str| (name == ACCESS).then(|| "tokens".to_owned()));
        shop.commands.gate = Gate::of(&environment).unwrap();
        shop
    }

    /// A shop whose own system decides tiers.
    pub fn told_tiers() -> Self {
        Self::under(&format!("tier_authority = \"outside\"\n{PROGRAMME}"))
    }

    /// A shop that welcomes who is new, with 100 points (P14).
    pub fn welcoming(when: &str) -> Self {
        Self::under(&format!("{PROGRAMME}\n[changes.welcome]\npoints = 100\nwhen = \"{when}\"\n"))
    }

    /// A shop whose programme is paused (X50).
    pub fn paused() -> Self {
        Self::under(&format!("paused = true\n{PROGRAMME}"))
    }

    fn under(programme: &str) -> Self {
        let engine = Engine::new();
        let programmes = ProgrammeFile::parse(programme).unwrap_or_else(|problems| panic!("{problems:?}"));
        let secrets = format!("{SECRET} {NEXT_SECRET}");
        let commands =
            MemberCommands::new(engine.books(), programmes, MemberKey::new(KEY).unwrap(), Gate::Open, Some(&secrets));
        let shop = Self { engine, commands, now: AtomicI64::new(0), sent: AtomicU64::new(0) };
        shop.at(NOW);
        shop
    }

    /// A member with so many points that expire on 30 November 2027.
    pub async fn with_points(points: i64) -> Arc<Self> {
        let shop = Self::new();
        shop.order("1", points, NOW).await;
        Arc::new(shop)
    }

    pub fn at(&self, now: &str) {
        self.now.store(now.parse::<DateTime<Utc>>().unwrap().timestamp_millis(), Ordering::Relaxed);
    }

    pub fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.now.load(Ordering::Relaxed)).unwrap()
    }

    /// An order of so many points, delivered and paid.
    pub async fn order(&self, id: &str, points: i64, updated_at: &str) {
        self.order_is("delivered", id, points, updated_at).await;
    }

    pub async fn order_is(&self, status: &str, id: &str, points: i64, updated_at: &str) {
        let order = json!({"kind": "order", "order": {
            "source": "standard", "order_id": id, "placed_at": updated_at, "updated_at": updated_at,
            "status": status, "payment_status": "paid", "currency": "VND",
            "due_minor": points * 10_000 + 30_000, "shipping_minor": 30_000, "refunded_minor": 0,
            "customer": {"phone": "84901234567", "name": NAME}}});
        let QueueMessage::Order { order } = serde_json::from_value(order).unwrap() else { panic!("an order") };
        let event = OrderEvent { snapshot: order.into_snapshot(&self.commands.key), now: self.now() };
        let programme = |now| &self.commands.programmes.at(now).programme;
        self.commands.books.apply_orders(programme, vec![event]).await.remove(0).unwrap();
    }

    pub fn member_id(&self) -> MemberId {
        self.member_with(PHONE)
    }

    pub fn member_with(&self, phone: &str) -> MemberId {
        self.commands.key.by_phone(&normalise(phone).unwrap())
    }

    /// `{id}` in the path is the member.
    pub fn post(&self, path: &str, body: impl ToString) -> Sending<'_> {
        let path = path.replace("{id}", self.member_id().as_str());
        let headers = serde_json::Map::from_iter([("content-type".to_owned(), "application/json".into())]);
        Sending { shop: self, method: "POST", path, headers, body: body.to_string(), base64: false, claims: None }
    }

    pub fn delete(&self, path: &str) -> Sending<'_> {
        Sending { method: "DELETE", ..self.post(path, "") }
    }

    pub async fn redeem(&self, key: &str, body: Value) -> (i64, Value) {
        self.post("/members/{id}/redemptions", body).key(key).send().await
    }

    pub async fn adjust(&self, key: &str, body: Value) -> (i64, Value) {
        self.post("/members/{id}/adjustments", body).key(key).signed(SECRET).send().await
    }

    pub async fn event(&self, kind: &str, data: Value) -> (i64, Value) {
        let body = json!({"type": kind, "timestamp": NOW, "data": data});
        self.post("/events", body).signed(SECRET).send().await
    }

    /// The row of the member.
    pub fn member(&self) -> Value {
        let rows = self.engine.rows("members");
        rows.into_iter().find(|row| row["member_id"] == self.member_id().as_str()).expect("a member")
    }

    pub fn everything(&self) -> Vec<Vec<Value>> {
        TABLES.iter().map(|table| self.engine.rows(table)).collect()
    }

    /// A command that is refused, and leaves nothing behind.
    pub async fn refused(&self, sending: Sending<'_>, status: i64, slug: &str) -> String {
        let before = self.everything();
        let (answered, problem) = sending.send().await;
        let kind = format!("urn:loyalty:problem:{slug}");
        assert_eq!((answered, problem["type"].as_str().unwrap_or_default()), (status, kind.as_str()), "{problem}");
        assert!(self.everything() == before, "a refusal wrote something: {problem}");
        problem["detail"].as_str().unwrap().to_owned()
    }
}

impl Sending<'_> {
    pub fn key(mut self, key: &str) -> Self {
        self.headers.insert("idempotency-key".to_owned(), key.into());
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }

    /// With the claims of a verified token, as the gateway hands them on.
    pub fn token(mut self, claims: Value) -> Self {
        self.claims = Some(claims);
        self
    }

    pub fn base64(mut self) -> Self {
        use base64::Engine as _;
        self.body = base64::engine::general_purpose::STANDARD.encode(&self.body);
        self.base64 = true;
        self
    }

    pub fn signed(self, secret: &str) -> Self {
        let at = self.shop.now().timestamp();
        self.signed_at(secret, at)
    }

    pub fn signed_at(self, secret: &str, at: i64) -> Self {
        let id = format!("msg_{}", self.shop.sent.fetch_add(1, Ordering::Relaxed));
        let signature = sign_standard(secret, &id, at, self.body.as_bytes()).unwrap();
        self.header("webhook-id", &id)
            .header("webhook-timestamp", &at.to_string())
            .header("webhook-signature", &signature)
    }

    pub async fn send(self) -> (i64, Value) {
        let Self { shop, method, path, headers, body, base64, claims } = self;
        let authorizer = claims.map(|claims| json!({"jwt": {"claims": claims, "scopes": null}}));
        let request: ApiGatewayV2httpRequest = serde_json::from_value(json!({
            "version": "2.0", "rawPath": path, "headers": headers, "body": body, "isBase64Encoded": base64,
            "requestContext": {"timeEpoch": shop.now().timestamp_millis(), "authorizer": authorizer,
                "http": {"method": method, "path": path}}}))
        .unwrap();
        let answer = shop.commands.answer(request).await;
        assert_eq!(answer.headers["cache-control"], "no-store");
        let problem = answer.status_code >= 400;
        let content_type = if problem { "application/problem+json" } else { "application/json" };
        assert_eq!(answer.headers["content-type"], content_type);
        let Some(Body::Text(body)) = answer.body else { panic!("a text") };
        (answer.status_code, serde_json::from_str(&body).unwrap())
    }
}
