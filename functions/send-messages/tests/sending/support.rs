//! A shop whose messages are sent: tables and queue in memory, a provider on loopback, and a clock to set.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use chrono::{DateTime, TimeDelta, Utc};
use loyalty_audit::{Audit, Table};
use loyalty_contract::identity::MemberKey;
use loyalty_contract::phone::normalise;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_contract::queue::QueueMessage;
use loyalty_domain::ids::{MemberId, RuleId};
use loyalty_messaging::{Message, Outbox, Template, Value as Variable, Variables};
use loyalty_runtime::calls::Caller;
use loyalty_runtime::clock::Clock;
use loyalty_store::engine::Engine;
use loyalty_store::{Books, Coder, OrderEvent, ZaloKey};
use send_messages::{Job, Pace, SendMessages, Sends, Shop as ShopSystem, TokenKeeper, ZaloSender};
use serde_json::{Value, json};

use crate::provider::{Provider, refresh_token};

const KEY: &str = "an installation's key of 32 bytes";
/// As they are while one takes the other's place.
const SHOP_SECRETS: &str = "whsec_YW5vdGhlci1sb3lhbHR5LXRlc3Qtc2VjcmV0LTAwMDI= whsec_bG95YWx0eS10ZXN0LXNlY3JldC0wMDAx";
pub const SHOP_SECRET: &str = "whsec_bG95YWx0eS10ZXN0LXNlY3JldC0wMDAx";
/// Noon of a Wednesday in Viet Nam.
pub const NOON: &str = "2026-11-25T12:00:00+07:00";
pub const PHONE: &str = "0901234567";
pub const NAME: &str = "Chim Hoàng Yến";
pub const USER: &str = "2512523625412515";

const TEMPLATES: &str = r#"
[zalo.templates.order_points_credited]
id = "1001"
params = { customer = "name", order = "order", points = "points.number", balance = "balance" }
max_chars = { customer = 8 }
[zalo.templates.tier_kept]
id = "1002"
oa_id = "2002"
params = { text = "text" }
[zalo.templates.campaign_invitation]
id = "1003"
params = { campaign = "campaign" }
[zalo.templates.voucher_reminder]
id = "1004"
params = { code = "code" }
[zalo.templates.birthday_vouchers]
id = "1005"
params = { customer = "name" }
"#;

pub fn programme(more: &str) -> String {
    format!("{}\n{TEMPLATES}\n{more}", include_str!("../../../../infra/programmes/cnv-retail.toml"))
}

/// The queue: jobs and when they are handed out.
#[derive(Clone, Debug, Default)]
pub struct Queue(Arc<Mutex<VecDeque<(i64, String)>>>);

impl HttpConnector for Queue {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let entries = body["Entries"].as_array().unwrap();
        let mut taken = Vec::new();
        for entry in entries {
            let job = entry["MessageBody"].as_str().unwrap().to_owned();
            self.0.lock().unwrap().push_back((entry["DelaySeconds"].as_i64().unwrap_or(0), job));
            taken.push(json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": ""}));
        }
        let answer = json!({"Successful": taken, "Failed": []}).to_string();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(200.try_into().unwrap(), SdkBody::from(answer))))
    }
}

#[derive(Clone)]
pub struct Shop {
    pub engine: Engine,
    pub provider: Provider,
    pub queue: Queue,
    pub sender: SendMessages,
    pub key: MemberKey,
    now: Arc<Mutex<DateTime<Utc>>>,
}

impl Shop {
    pub async fn new() -> Self {
        Self::with(&programme("")).await
    }

    pub async fn with(programme: &str) -> Self {
        let (engine, provider) = (Engine::new(), Provider::start().await);
        let now = Arc::new(Mutex::new(instant(NOON)));
        let (queue, key) = (Queue::default(), MemberKey::new(KEY).unwrap());
        let sender = sender(&engine, &provider, &queue, &now, programme, &refresh_token(0));
        Self { engine, provider, queue, sender, key, now }
    }

    /// Another instance of the function over the same tables, with memory of its own.
    pub fn another(&self, programme: &str, first: &str) -> SendMessages {
        sender(&self.engine, &self.provider, &self.queue, &self.now, programme, first)
    }

    pub fn books(&self) -> &Books {
        &self.sender.books
    }

    pub fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap()
    }

    pub fn set(&self, at: &str) {
        *self.now.lock().unwrap() = instant(at);
    }

    pub fn pass(&self, seconds: i64) {
        *self.now.lock().unwrap() += TimeDelta::seconds(seconds);
    }

    pub fn member_id(&self, phone: &str) -> MemberId {
        self.key.by_phone(&normalise(phone).unwrap())
    }

    /// A member by an order of theirs.
    pub async fn member(&self, phone: &str) -> MemberId {
        let at = "2026-11-20T08:00:00+07:00";
        let order = json!({
            "source": "standard", "order_id": format!("DH-{phone}"), "placed_at": at, "updated_at": at,
            "status": "delivered", "payment_status": "paid", "currency": "VND", "due_minor": 500_000,
            "shipping_minor": 0, "refunded_minor": 0,
            "customer": {"phone": normalise(phone).unwrap().digits(), "name": NAME}});
        let message = serde_json::from_value(json!({"kind": "order", "order": order})).unwrap();
        let QueueMessage::Order { order } = message else { panic!("an order") };
        let event = OrderEvent { snapshot: order.into_snapshot(&self.key), now: instant(at) };
        let programme = |now| &self.sender.programmes.at(now).programme;
        self.books().apply_orders(programme, vec![event]).await.remove(0).unwrap();
        self.member_id(phone)
    }

    pub fn zalo_key(&self) -> ZaloKey {
        ZaloKey::new(self.key.zalo_user(USER))
    }

    /// The member follows the official account.
    pub async fn follower(&self, member_id: &MemberId) {
        self.books().follow(&self.zalo_key(), true, self.now()).await.unwrap();
        self.books().link(&self.zalo_key(), USER, member_id, self.now()).await.unwrap();
    }

    /// Keeps a message, as the rest of the product does; the answer is its id.
    pub async fn message(&self, member_id: &MemberId, template: Template, about: &str) -> String {
        let message = message(member_id, template, about, self.now());
        self.outbox().put(std::slice::from_ref(&message)).await.unwrap();
        message.message_id
    }

    pub fn outbox(&self) -> Outbox {
        Outbox::new(self.engine.client(), self.engine.prefix())
    }

    /// A record of the stream, as a new row makes one.
    pub fn inserted(&self, message_id: &str) -> Value {
        json!({"eventSource": "aws:dynamodb", "eventName": "INSERT", "dynamodb": {
            "SequenceNumber": message_id, "NewImage": {"message_id": {"S": message_id}, "state": {"S": "pending"}}}})
    }

    /// The stream hands rows over; the answer are those that are not done.
    pub async fn stream(&self, message_ids: &[&str]) -> Vec<Value> {
        let records: Vec<_> = message_ids.iter().map(|id| self.inserted(id)).collect();
        let answer = self.sender.answer(json!({"Records": records})).await.unwrap();
        answer["batchItemFailures"].as_array().unwrap().clone()
    }

    /// A message is put and the stream hands it over; the answer is its row.
    pub async fn sends(&self, member_id: &MemberId, template: Template, about: &str) -> Value {
        let id = self.message(member_id, template, about).await;
        assert_eq!(self.stream(&[&id]).await, Vec::<Value>::new());
        self.row(&id)
    }

    /// The queue hands out what is in it; time passes until it may.
    pub async fn work_off(&self) {
        for _ in 0..2_000 {
            let next = self.queue.0.lock().unwrap().pop_front();
            let Some((delay, body)) = next else { return };
            self.pass(delay);
            let record = json!({"eventSource": "aws:sqs", "messageId": "m", "body": body});
            let answer = self.sender.answer(json!({"Records": [record]})).await.unwrap();
            assert_eq!(answer, json!({"batchItemFailures": []}), "{body}");
        }
        panic!("the queue does not end");
    }

    pub fn queued(&self) -> Vec<(i64, Job)> {
        let queue = self.queue.0.lock().unwrap();
        queue.iter().map(|(delay, body)| (*delay, serde_json::from_str(body).unwrap())).collect()
    }

    /// The schedule fires, and what it finds is worked.
    pub async fn due(&self, at: &str) {
        self.set(at);
        self.sender.answer(json!({"schedule": "send-due", "at": instant(at)})).await.unwrap();
        self.work_off().await;
    }

    pub fn row(&self, message_id: &str) -> Value {
        let rows = self.engine.rows("messages");
        rows.into_iter().find(|row| row["message_id"] == message_id).unwrap_or_default()
    }

    /// Paths and bodies of the messages that were taken.
    pub fn taken(&self) -> Vec<(String, Value)> {
        self.provider.world().taken.clone()
    }

    /// What `verify` finds.
    pub fn findings(&self) -> Vec<String> {
        let mut audit = Audit::new();
        for table in Table::ALL {
            let mut rows = self.engine.rows(table.name());
            rows.sort_by_key(|row| (row["member_id"].as_str().map(str::to_owned), row["seq"].as_u64()));
            for row in rows {
                audit.row(table, &loyalty_audit::Value::from(row).into_row().expect("a row is a map"));
            }
        }
        audit.finish().findings.iter().map(|finding| format!("{finding:?}")).collect()
    }
}

fn sender(
    engine: &Engine,
    provider: &Provider,
    queue: &Queue,
    now: &Arc<Mutex<DateTime<Utc>>>,
    programme: &str,
    first: &str,
) -> SendMessages {
    let programmes = ProgrammeFile::parse(programme).unwrap_or_else(|problems| panic!("{problems:?}"));
    let connector = SharedHttpConnector::new(queue.clone());
    let sqs = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("local"))
        .credentials_provider(Credentials::new("local", "local", None, None, "tests"))
        .retry_config(RetryConfig::disabled())
        .endpoint_url("http://queue.local")
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    let (clock, zalo) = (Clock::Fixed(now.clone()), provider.zalo());
    let codes = MemberKey::new(KEY).unwrap();
    let books = engine.books().with_coder(Coder::new(move |grant_id| codes.voucher(grant_id)));
    let tokens = TokenKeeper::new(books.clone(), zalo.clone(), clock.clone(), first.to_owned());
    let shop = ShopSystem::new(Caller::new(None).unwrap(), format!("{}/shop", provider.url), SHOP_SECRETS);
    SendMessages {
        books,
        programmes: Arc::new(programmes),
        sends: Sends::new(aws_sdk_sqs::Client::from_conf(sqs), "http://queue.local/sends".to_owned()),
        clock,
        zalo: Some(Arc::new(ZaloSender::new(zalo, tokens, Pace::per_minute(600_000)))),
        shop: Some(Arc::new(shop.unwrap())),
        shop_unready: false,
    }
}

/// A message with every variable that its template always has.
pub fn message(member_id: &MemberId, template: Template, about: &str, created_at: DateTime<Utc>) -> Message {
    let text = |text: &str| Variable::Text(text.to_owned());
    let mut variables =
        Variables::from([("balance".to_owned(), Variable::Number(1_234)), ("tier".to_owned(), text("Bạc"))]);
    let own: Vec<(&str, Variable)> = match template {
        Template::OrderPointsCredited => vec![("order", text("DH-1")), ("points", Variable::Number(50))],
        Template::TierKept => vec![("keep_until", text("2027-11-25"))],
        Template::CampaignInvitation => vec![
            ("campaign", text("Lên Bạc")),
            ("bonus_points", Variable::Number(150)),
            ("orders_left", Variable::Number(2)),
        ],
        Template::VoucherReminder => {
            vec![("voucher", text("Giảm 10%")), ("code", text("CODECANARY23")), ("last_day", text("2026-12-24"))]
        }
        Template::WelcomePointsCredited => vec![("points", Variable::Number(100))],
        _ => vec![],
    };
    variables.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value)));
    Message {
        message_id: format!("{member_id}:{about}:{}", template.name()),
        member_id: member_id.clone(),
        template,
        campaign: (template == Template::CampaignInvitation).then(|| RuleId::new("fast-promotion")),
        variables,
        seq: None,
        created_at,
    }
}

pub fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
