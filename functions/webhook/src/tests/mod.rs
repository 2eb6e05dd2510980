//! The door, in process: requests as API Gateway sends them, answers as shops see them.

mod believed;
mod events;
mod hostile;
mod queued;
mod zalo;

use std::collections::BTreeMap;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_contract::queue::{CanonicalOrder, Deletion, QueueMessage, Source};
use loyalty_runtime::config::{ConfigError, Environment};
use loyalty_signatures::{sign_base64, sign_kiotviet, sign_standard};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::config::{Config, secret_variable};
use crate::door::{Door, Verdict};
use crate::request::Request;

/// 2026-11-23T01:15:10Z, when every test's delivery arrives.
const NOW_MS: i64 = 1_795_396_510_000;
const PROGRAMME: &str = include_str!("../../../../infra/programmes/cnv-retail.toml");
const PROGRAMME_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/programmes/cnv-retail.toml");

/// The secret of a source in these tests.
fn secret(source: Source) -> String {
    match source {
        Source::Standard => "whsec_bG95YWx0eS10ZXN0LXNlY3JldC0wMDAx".into(),
        _ => format!("secret-of-{source}"),
    }
}

/// The environment of a door where every shop is connected.
fn environment() -> BTreeMap<String, String> {
    let mut variables: BTreeMap<String, String> =
        Source::ALL.into_iter().map(|source| (secret_variable(source).to_owned(), secret(source))).collect();
    for (name, value) in [
        ("WEBHOOK_VERIFY_TOKEN_HARAVAN", "agreed-token"),
        ("ORDER_QUEUE_URL", "http://queue/orders"),
        ("ORDER_DEAD_LETTER_QUEUE_URL", "http://queue/dead"),
        ("EVENT_QUEUE_URL", "http://queue/events"),
        ("ZALO_APP_ID", zalo::APP_ID),
        ("ZALO_OA_SECRET", zalo::SECRET),
        ("PROGRAMME_FILE", PROGRAMME_FILE),
    ] {
        variables.insert(name.into(), value.into());
    }
    variables
}

/// The door, with some variables changed; an empty one is as good as unset.
fn door_with(changes: &[(&str, &str)], programme: &str) -> Door {
    let mut variables = environment();
    variables.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let Config { door, .. } = read(&variables).expect("a configuration");
    door.with_programme(ProgrammeFile::parse(programme).expect("a programme"))
}

fn read(variables: &BTreeMap<String, String>) -> Result<Config, ConfigError> {
    Config::read(&Environment::new(|name: &str| variables.get(name).cloned()))
}

fn door() -> Door {
    door_with(&[], PROGRAMME)
}

/// A request of a shop.
#[derive(Clone)]
struct Post {
    source: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
    now_ms: i64,
}

impl Post {
    /// The body, unsigned.
    fn unsigned(source: Source, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref().to_vec();
        Self { source: source.as_str().into(), headers: BTreeMap::new(), body, now_ms: NOW_MS }
    }

    /// The body, signed as the shop would with its secret.
    fn signed(source: Source, body: impl AsRef<[u8]>) -> Self {
        Self::signed_with(source, &secret(source), body)
    }

    fn signed_with(source: Source, secret: &str, body: impl AsRef<[u8]>) -> Self {
        let post = Self::unsigned(source, body);
        let base64 = sign_base64(secret.as_bytes(), &post.body);
        match source {
            Source::Standard => {
                let signature = sign_standard(secret, "msg_1", NOW_MS / 1000, &post.body).expect("a good secret");
                post.header("webhook-id", "msg_1")
                    .header("webhook-timestamp", &(NOW_MS / 1000).to_string())
                    .header("webhook-signature", &signature)
            }
            Source::Shopify => post.header("X-Shopify-Hmac-Sha256", &base64),
            Source::WooCommerce => post.header("X-WC-Webhook-Signature", &base64),
            Source::Haravan => post.header("X-Haravan-HmacSha256", &base64),
            Source::Sapo => post.header("X-Sapo-Hmac-SHA256", &base64),
            Source::KiotViet => {
                let signature = sign_kiotviet(secret.as_bytes(), &post.body);
                post.header("X-Hub-Signature", &signature)
            }
            Source::Pancake | Source::Nhanh => post.header("Authorization", &format!("Bearer {secret}")),
        }
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.remove(name).expect(name);
        self
    }

    fn event(&self, method: &str, base64: bool, query: &Value) -> ApiGatewayV2httpRequest {
        let body = match std::str::from_utf8(&self.body) {
            Ok(text) if !base64 => text.to_owned(),
            _ => STANDARD.encode(&self.body),
        };
        let encoded = base64 || std::str::from_utf8(&self.body).is_err();
        let path = format!("/webhooks/{}", self.source);
        serde_json::from_value(json!({
            "version": "2.0", "routeKey": format!("{method} /webhooks/{{source}}"), "rawPath": path, "rawQueryString": "",
            "headers": self.headers, "queryStringParameters": query, "pathParameters": {"source": self.source},
            "requestContext": {"timeEpoch": self.now_ms, "http": {"method": method, "path": path}},
            "body": body, "isBase64Encoded": encoded}))
        .expect("an event of API Gateway")
    }

    fn to(&self, door: &Door) -> Verdict {
        door.receive(&Request::of(&self.event("POST", false, &json!({}))))
    }

    fn status(&self, door: &Door) -> u16 {
        answer(&self.to(door)).status
    }
}

/// The answer, once everything is queued.
fn answer(verdict: &Verdict) -> &Answer {
    match verdict {
        Verdict::Answer(answer) | Verdict::Queue { then: answer, .. } => answer,
    }
}

fn orders(verdict: &Verdict) -> Vec<&CanonicalOrder> {
    let Verdict::Queue { orders, .. } = verdict else { return Vec::new() };
    orders
        .iter()
        .map(|message| match message {
            QueueMessage::Order { order } => &**order,
            QueueMessage::Deleted(_) | QueueMessage::Quarantined(_) => panic!("an order was sent"),
        })
        .collect()
}

/// The delivery leaves nothing behind, and the answer has this status.
#[track_caller]
fn assert_refused(verdict: &Verdict, status: u16) {
    match verdict {
        Verdict::Answer(answer) => {
            assert_eq!(answer.status, status, "{}", answer.body);
            assert_eq!(answer.content_type, "application/problem+json");
            let problem: Value = serde_json::from_str(&answer.body).expect("JSON");
            assert_eq!(problem["status"], status);
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{problem}");
        }
        Verdict::Queue { .. } => panic!("it was queued: {verdict:?}"),
    }
}

/// A delivered and paid order in the shop's own words: 530.000đ, of which 30.000đ shipping.
fn body(source: Source) -> Value {
    let (early, late) = ("2026-11-23T08:00:00+07:00", "2026-11-23T08:15:00+07:00");
    match source {
        Source::Standard => json!({"type": "order.changed", "timestamp": late, "data": {"order_id": "DH-1",
            "placed_at": early, "updated_at": late, "status": "delivered", "payment_status": "paid",
            "amount_due": "530000", "shipping_fee": "30000", "refunded": "0", "currency": "VND",
            "customer": {"phone": "0901234567", "name": "Trần Thị Bình"}}}),
        Source::Shopify | Source::Haravan => json!({"id": 1, "created_at": early, "updated_at": late,
            "currency": "VND", "financial_status": "paid", "fulfillment_status": "fulfilled",
            "total_price": "530000", "shipping_lines": [{"price": "30000"}],
            "fulfillments": [{"status": "success", "carrier_status_code": "delivered"}],
            "customer": {"id": 5, "phone": "0901234567", "first_name": "Bình", "last_name": "Trần"}}),
        Source::Sapo => json!({"id": 1, "created_on": early, "modified_on": late, "status": "completed",
            "payment_status": "paid", "total": 530_000, "delivery_fee": {"fee": 30_000},
            "customer_data": {"id": 5, "phone_number": "0901234567", "name": "Trần Thị Bình"}}),
        Source::WooCommerce => json!({"id": 1, "status": "completed", "currency": "VND", "total": "530000.00",
            "shipping_total": "30000.00", "customer_id": 0, "date_created_gmt": "2026-11-23T01:00:00",
            "date_modified_gmt": "2026-11-23T01:15:00", "date_paid_gmt": "2026-11-23T01:01:00",
            "billing": {"phone": "0901234567", "first_name": "Bình"}, "refunds": []}),
        Source::KiotViet => json!({"Id": "n1", "Attempt": 1, "Notifications": [{"Action": "invoice.update.1",
            "Data": [{"Id": 1, "PurchaseDate": "2026-11-23T08:00:00", "ModifiedDate": "2026-11-23T08:15:00",
                "Total": 530_000, "TotalPayment": 530_000, "Status": 1, "CustomerName": "Trần Thị Bình",
                "InvoiceDelivery": {"Status": 3, "Price": 30_000, "ContactNumber": "0901234567"}}]}]}),
        Source::Pancake => json!({"id": 1, "inserted_at": "2026-11-23T01:00:00", "updated_at": "2026-11-23T01:15:00",
            "status": 16, "bill_phone_number": "0901234567", "bill_full_name": "Trần Thị Bình", "shipping_fee": 30_000,
            "items": [{"quantity": 1, "variation_info": {"retail_price": 500_000}}]}),
        Source::Nhanh => json!({"event": "orderAdd", "businessId": 10, "data": {"orderId": 1,
            "createdDateTime": "2026-11-23 08:00:00", "updatedDateTime": "2026-11-23 08:15:00", "status": "Success",
            "calcTotalMoney": 530_000, "customerShipFee": 30_000, "moneyTransfer": 530_000,
            "customerMobile": "0901234567", "customerName": "Trần Thị Bình"}}),
    }
}
