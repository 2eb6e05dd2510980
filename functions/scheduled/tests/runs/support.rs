//! A shop whose schedules fire, over tables and a queue in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use chrono::{DateTime, Utc};
use loyalty_audit::{Audit, Table};
use loyalty_contract::identity::MemberKey;
use loyalty_contract::phone::normalise;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_contract::queue::QueueMessage;
use loyalty_domain::ids::MemberId;
use loyalty_domain::programme::Programme;
use loyalty_messaging::{Bus, Outbox};
use loyalty_store::engine::{Engine, Fault};
use loyalty_store::index::shard_of;
use loyalty_store::{Coder, OrderEvent};
use scheduled::{Runs, Scheduled};
use serde_json::{Value, json};

const KEY: &str = "an installation's key of 32 bytes";
/// The default preset without vouchers: a test gives those it is about.
pub static RETAIL: LazyLock<String> = LazyLock::new(|| {
    let vouchers = |line: &&str| ["on_reaching", "monthly", "birthday"].iter().any(|key| line.starts_with(key));
    let preset = include_str!("../../../../infra/programmes/cnv-retail.toml");
    preset.lines().filter(|line| !vouchers(line)).map(|line| format!("{line}\n")).collect()
});
/// Members of a page here, so that few members make many pages.
const PAGE_MAX: i32 = 2;
/// Far more pages than any run here has.
const PAGES_MAX: usize = 10_000;

/// The rows of every table, and what is on the bus.
pub type Everything = Vec<(&'static str, Vec<Value>)>;

pub struct Shop {
    pub engine: Engine,
    pub scheduled: Scheduled,
    pub wire: Wire,
    key: MemberKey,
}

/// What is outside the tables: the queue of pages, and the bus.
#[derive(Clone, Debug, Default)]
pub struct Wire(Arc<Mutex<World>>);

#[derive(Debug, Default)]
pub struct World {
    pub pages: VecDeque<String>,
    /// The details of the events taken, in the order they came: repeats included.
    pub events: Vec<Value>,
    /// How many events the bus still refuses.
    pub refusals: u32,
    life: Option<Life>,
}

/// Requests that are still answered, and what happens to the one after them; then nothing arrives any more.
#[derive(Debug)]
struct Life {
    left: u64,
    last: Fault,
    over: bool,
}

impl World {
    fn fate(&mut self) -> Fault {
        match &mut self.life {
            None => Fault::None,
            Some(life) if life.over => Fault::RequestLost,
            Some(life) if life.left == 0 => {
                life.over = true;
                life.last
            }
            Some(life) => {
                life.left -= 1;
                Fault::None
            }
        }
    }
}

impl Wire {
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let lost = || Err(ConnectorError::io("the connection broke".into()));
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let world = &mut *self.world();
        let fate = world.fate();
        if fate == Fault::RequestLost {
            return lost();
        }
        let answer = match target.as_str() {
            "AmazonSQS.SendMessageBatch" => send_pages(world, &body),
            "AWSEvents.PutEvents" => put_events(world, &body),
            other => panic!("the function called {other}"),
        };
        if fate == Fault::ResponseLost { lost() } else { Ok(HttpResponse::new(200.try_into().unwrap(), answer)) }
    }
}

fn send_pages(world: &mut World, body: &Value) -> SdkBody {
    let entries = body["Entries"].as_array().unwrap();
    assert!((1..=10).contains(&entries.len()), "{} messages in one call", entries.len());
    world.pages.extend(entries.iter().map(|entry| entry["MessageBody"].as_str().unwrap().to_owned()));
    let taken = |entry: &Value| json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": ""});
    let taken: Vec<_> = entries.iter().map(taken).collect();
    SdkBody::from(json!({"Successful": taken, "Failed": []}).to_string())
}

fn put_events(world: &mut World, body: &Value) -> SdkBody {
    let mut answers = Vec::new();
    for entry in body["Entries"].as_array().unwrap() {
        assert_eq!((&entry["EventBusName"], &entry["Source"]), (&json!("shop-bus"), &json!("loyalty")));
        if world.refusals > 0 {
            world.refusals -= 1;
            answers.push(json!({"ErrorCode": "ThrottlingException", "ErrorMessage": "too fast"}));
        } else {
            let mut detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
            detail["detail-type"] = entry["DetailType"].clone();
            world.events.push(detail);
            answers.push(json!({"EventId": format!("e-{}", world.events.len())}));
        }
    }
    let failed = answers.iter().filter(|answer| answer["ErrorCode"].is_string()).count();
    SdkBody::from(json!({"FailedEntryCount": failed, "Entries": answers}).to_string())
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(self.answer(&request))
    }
}

impl Shop {
    pub fn new(programme: &str) -> Self {
        let (engine, wire) = (Engine::new(), Wire::default());
        let programmes = ProgrammeFile::parse(programme).unwrap_or_else(|problems| panic!("{problems:?}"));
        let connector = SharedHttpConnector::new(wire.clone());
        let http = http_client_fn(move |_, _| connector.clone());
        let credentials = Credentials::new("local", "local", None, None, "tests");
        let sqs = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("local"))
            .credentials_provider(credentials.clone())
            .retry_config(RetryConfig::disabled())
            .endpoint_url("http://queue.local")
            .http_client(http.clone())
            .build();
        let events = aws_sdk_eventbridge::Config::builder()
            .behavior_version(aws_sdk_eventbridge::config::BehaviorVersion::latest())
            .region(Region::from_static("local"))
            .credentials_provider(credentials)
            .retry_config(RetryConfig::disabled())
            .http_client(http)
            .build();
        let key = MemberKey::new(KEY).unwrap();
        let codes = key.clone();
        let scheduled = Scheduled {
            books: engine.books().with_coder(Coder::new(move |grant_id| codes.voucher(grant_id))),
            programmes: Arc::new(programmes),
            outbox: Outbox::new(engine.client(), engine.prefix()),
            bus: Bus::new(aws_sdk_eventbridge::Client::from_conf(events), "shop-bus"),
            runs: Runs::new(aws_sdk_sqs::Client::from_conf(sqs), "http://queue.local/runs".to_owned()),
            page_max: PAGE_MAX,
        };
        Self { engine, scheduled, wire, key }
    }

    pub fn programme(&self, at: &str) -> &Programme {
        &self.scheduled.programmes.at(instant(at)).programme
    }

    pub fn member_id(&self, phone: &str) -> MemberId {
        self.key.by_phone(&normalise(phone).unwrap())
    }

    /// Phones of members who share a shard: their run has pages after pages.
    pub fn neighbours(&self, shard: &str, count: usize) -> Vec<String> {
        let phones = (0..10_000_000).map(|number| format!("8490{number:07}"));
        phones.filter(|phone| shard_of(&self.member_id(phone)) == shard).take(count).collect()
    }

    /// An order of so many points, delivered and paid, with what else the snapshot is to say.
    pub async fn order(&self, id: &str, phone: &str, points: i64, at: &str, more: Value) {
        let mut order = json!({
            "source": "standard", "order_id": id, "placed_at": at, "updated_at": at,
            "status": "delivered", "payment_status": "paid", "currency": "VND",
            "due_minor": points * 10_000, "shipping_minor": 0, "refunded_minor": 0, "customer": {"phone": phone}});
        for (name, value) in more.as_object().into_iter().flatten() {
            order[name] = value.clone();
        }
        let message = serde_json::from_value(json!({"kind": "order", "order": order})).unwrap();
        let QueueMessage::Order { order } = message else { panic!("an order") };
        let event = OrderEvent { snapshot: order.into_snapshot(&self.key), now: instant(at) };
        let programme = |now| &self.scheduled.programmes.at(now).programme;
        self.scheduled.books.apply_orders(programme, vec![event]).await.remove(0).unwrap();
    }

    /// A schedule fires.
    pub async fn fire(&self, schedule: &str, at: &str) -> bool {
        self.scheduled.answer(json!({"schedule": schedule, "at": instant(at)})).await.is_ok()
    }

    /// The oldest page of the queue is handed over, and comes again if it is not done. `None` when there is none.
    pub async fn work(&self) -> Option<bool> {
        let page = self.wire.world().pages.pop_front()?;
        let event = json!({"Records": [{"messageId": "page", "body": page, "eventSource": "aws:sqs"}]});
        let done = self.scheduled.answer(event).await.unwrap().batch_item_failures.is_empty();
        if !done {
            self.wire.world().pages.push_back(page);
        }
        Some(done)
    }

    pub async fn work_off(&self) {
        for _ in 0..PAGES_MAX {
            if self.work().await.is_none() {
                return;
            }
        }
        panic!("the run does not end");
    }

    /// A schedule fires, and all of its pages are worked.
    pub async fn run(&self, schedule: &str, at: &str) {
        assert!(self.fire(schedule, at).await);
        self.work_off().await;
    }

    /// The schedule fires twice, and four handlers work the pages of both runs at once.
    pub async fn overlapping(self: &Arc<Self>, schedule: &str, at: &str, seed: u64) {
        self.hurry(seed);
        assert!(self.fire(schedule, at).await && self.fire(schedule, at).await);
        let mut handlers = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let shop = self.clone();
            handlers.spawn(async move { shop.work_off().await });
        }
        handlers.join_all().await;
        self.engine.heal();
        self.prove();
    }

    /// The daily run of every day from one to another, both included.
    pub async fn days(&self, from: &str, to: &str) {
        let (mut day, to): (chrono::NaiveDate, chrono::NaiveDate) = (from.parse().unwrap(), to.parse().unwrap());
        while day <= to {
            self.run("daily", &format!("{day}T00:05:00+07:00")).await;
            day = day.succ_opt().unwrap();
        }
        self.prove();
    }

    /// After so many more requests the function is dead: the last one happened or not, and nothing arrives after it.
    pub fn dies_after(&self, requests: u64, last: Fault) {
        self.wire.world().life = Some(Life { left: requests, last, over: false });
        let wire = self.wire.clone();
        self.engine.inject(move |_| wire.world().fate());
    }

    /// Whether it has died by now; from now on it lives.
    pub fn revived(&self) -> bool {
        self.engine.heal();
        self.wire.world().life.take().is_some_and(|life| life.over)
    }

    /// Counts the requests to the tables from now on.
    pub fn requests(&self) -> Arc<AtomicU64> {
        let requests = Arc::new(AtomicU64::new(0));
        let count = requests.clone();
        self.engine.inject(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Fault::None
        });
        requests
    }

    /// Requests take a while of their own each, so that handlers meet in another order with every seed.
    pub fn hurry(&self, seed: u64) {
        let mut step = seed;
        self.engine.pace(move || {
            step = step.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Duration::from_millis(step >> 59)
        });
    }

    /// The runs know the programme before anything is in the tables.
    pub async fn knows_its_programme(&self) {
        assert!(self.fire("daily", "2026-11-01T00:05:00+07:00").await);
        assert_eq!(self.wire.world().pages.len(), 0);
    }

    /// All rows of a table, without what tells one writer from another, and what runs note for the next.
    pub fn rows(&self, table: &str) -> Vec<Value> {
        let mut rows = self.engine.rows(table);
        rows.retain(|row| !row["request_id"].as_str().is_some_and(|id| id.starts_with('(')));
        for row in &mut rows {
            let row = row.as_object_mut().unwrap();
            if row.remove("write_token").is_some() {
                row.remove("digest");
            }
        }
        rows.sort_by_key(Value::to_string);
        rows
    }

    /// All rows, and all events, each once.
    pub fn everything(&self) -> Everything {
        let mut events = self.wire.world().events.clone();
        events.sort_by_key(Value::to_string);
        events.dedup();
        let rows = Table::ALL.map(|table| (table.name(), self.rows(table.name())));
        rows.into_iter().chain([("the bus", events)]).collect()
    }

    /// Every row is what it is in the other books.
    pub fn check(&self, expected: &Everything, why: &str) {
        for ((table, rows), (_, expected)) in self.everything().iter().zip(expected) {
            assert_eq!(rows.len(), expected.len(), "rows of {table}: {why}");
            for (row, expected) in rows.iter().zip(expected) {
                assert_eq!(row, expected, "in {table}: {why}");
            }
        }
    }

    /// Messages by template: each as the rest of its id, the member and the template left out.
    pub fn told(&self) -> BTreeMap<String, Vec<String>> {
        let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in self.rows("messages") {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            let (template, id) = (text("template"), text("message_id"));
            let about = id.trim_start_matches(&text("member_id")).trim_end_matches(&template).trim_matches(':');
            told.entry(template).or_default().push(about.to_owned());
        }
        told
    }

    pub fn told_of(&self, template: &str) -> Vec<String> {
        self.told().remove(template).unwrap_or_default()
    }

    /// The books hold, as an operator would check them.
    pub fn prove(&self) {
        let mut audit = Audit::new();
        for table in Table::ALL {
            let mut rows = self.engine.rows(table.name());
            rows.sort_by_key(|row| (row["member_id"].as_str().map(str::to_owned), row["seq"].as_u64()));
            for row in rows {
                audit.row(table, &loyalty_audit::Value::from(row).into_row().expect("a row is a map"));
            }
        }
        let report = audit.finish();
        assert!(report.clean(), "{:#?}", &report.findings[..report.findings.len().min(3)]);
    }
}

pub fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
