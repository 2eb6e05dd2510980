//! For tests: a DynamoDB behind the real SDK, with faults to inject between the two.
//!
//! Every request goes through the SDK's own serialisation, signing and retries, and meets the engine or a fault instead
//! of a socket. The engine is embedded, fully serialised and never stale by itself; conflicts, throttling, lost answers
//! and stale reads are what the faults are for. Or it is another process at an address, so that the books do not rest
//! on one reading of DynamoDB's rules.

mod endpoint;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use dynoxide::{Database, DynoxideError};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::index::{AUDIENCE, DUE};
use crate::outgoing::{RECEIPT, SEND};
use crate::vouchers::{BY_MEMBER, BY_ORDER};
use crate::{Books, Table};
use endpoint::Endpoint;

/// Stands before the tables of an embedded engine.
const PREFIX: &str = "test-";

/// Name and partition key of every table.
const TABLES: [(&str, &str); 10] = [
    books(Table::Members),
    books(Table::Orders),
    books(Table::PointsHistory),
    books(Table::Participations),
    books(Table::Requests),
    books(Table::Vouchers),
    books(Table::Messages),
    books(Table::Contacts),
    books(Table::ZaloUsers),
    books(Table::Senders),
];

const fn books(table: Table) -> (&'static str, &'static str) {
    (table.suffix(), table.partition_key())
}

/// How often the SDK tries a request.
const SDK_ATTEMPTS_MAX: u32 = 3;

/// One request as it arrives at the engine; a retry of the SDK is a request of its own.
#[derive(Debug)]
pub struct Call<'a> {
    /// `TransactWriteItems`, `PutItem` …
    pub operation: &'a str,
    pub body: &'a Value,
    /// How many requests came before it.
    pub number: u64,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    /// It never arrives.
    RequestLost,
    /// It is carried out, but the answer never arrives.
    ResponseLost,
    /// A transaction or a single put is refused: a transaction is going on.
    Conflict,
    /// A transaction is cancelled, or another request refused, because the table is busy.
    Throttled,
    /// An eventually consistent read is answered with the version before the last: of the keys whose bit is set.
    Stale { keys: u64 },
    /// Refused as invalid: it will never succeed.
    Invalid,
}

type Faults = Box<dyn FnMut(&Call<'_>) -> Fault + Send>;
type Pace = Box<dyn FnMut() -> Duration + Send>;

/// Fresh tables of its own. Clones are the same ones.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    backend: Backend,
    state: Mutex<State>,
}

enum Backend {
    Embedded(Box<Database>),
    Endpoint(Endpoint),
}

#[derive(Default)]
struct State {
    faults: Option<Faults>,
    pace: Option<Pace>,
    calls: u64,
    /// Every version that was put of an item, by table and key.
    versions: HashMap<(String, String), Vec<Value>>,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new()
    }
}

impl Engine {
    /// An engine in memory with empty tables.
    ///
    /// # Panics
    /// When the engine cannot make its tables.
    pub fn new() -> Self {
        let database = Database::memory().expect("a database in memory");
        for table in TABLES {
            let request = serde_json::from_value(definition(table)).expect("a table definition");
            database.create_table(request).expect("a new table");
        }
        Self::of(Backend::Embedded(Box::new(database)))
    }

    /// Empty tables under a name of their own in the DynamoDB at an address, such as `http://127.0.0.1:4566`. They are
    /// deleted with the engine.
    ///
    /// # Panics
    /// When it cannot make its tables there.
    pub fn at(url: &str) -> Self {
        Self::of(Backend::Endpoint(Endpoint::new(url)))
    }

    fn of(backend: Backend) -> Self {
        Self(Arc::new(Inner { backend, state: Mutex::default() }))
    }

    /// Books over the engine, which count for themselves.
    pub fn books(&self) -> Books {
        Books::new(self.client(), self.prefix())
    }

    /// Stands before the names of its tables.
    pub fn prefix(&self) -> &str {
        match &self.0.backend {
            Backend::Embedded(_) => PREFIX,
            Backend::Endpoint(endpoint) => &endpoint.prefix,
        }
    }

    /// The real SDK, talking to this engine.
    pub fn client(&self) -> Client {
        // By default all clients of a process share what retries they may make, and one test would starve another.
        let retries = RetryPartition::custom("tests").token_bucket(TokenBucket::default()).build();
        let config = config().retry_partition(retries).http_client(self.clone());
        let config = match &self.0.backend {
            Backend::Embedded(_) => config,
            Backend::Endpoint(endpoint) => config.endpoint_url(&endpoint.url),
        };
        Client::from_conf(config.build())
    }

    /// Asks for the fault of every request from now on.
    pub fn inject(&self, faults: impl FnMut(&Call<'_>) -> Fault + Send + 'static) {
        self.state().faults = Some(Box::new(faults));
    }

    /// Asks how long every request is on its way from now on, and again for its answer. On a paused clock that costs
    /// nothing, and decides which of several handlers comes first; a handler dropped meanwhile was killed there.
    pub fn pace(&self, pace: impl FnMut() -> Duration + Send + 'static) {
        self.state().pace = Some(Box::new(pace));
    }

    /// No faults and no delays from now on.
    pub fn heal(&self) {
        let mut state = self.state();
        (state.faults, state.pace) = (None, None);
    }

    /// All rows of a table as plain JSON, sorted by their text. `table` is the name without the prefix.
    ///
    /// # Panics
    /// When there is no such table.
    pub fn rows(&self, table: &str) -> Vec<Value> {
        let mut rows = match &self.0.backend {
            Backend::Embedded(database) => scan(database, table),
            Backend::Endpoint(endpoint) => endpoint.rows(table),
        };
        rows.sort_by_key(Value::to_string);
        rows
    }

    /// Lets time pass, where there is any.
    async fn travel(&self) {
        let time = self.state().pace.as_mut().map(|pace| pace());
        if let Some(time) = time {
            tokio::time::sleep(time).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, operation: &str, body: &Value) -> Fault {
        let mut state = self.state();
        let call = Call { operation, body, number: state.calls };
        let mut faults = state.faults.take();
        let fault = faults.as_mut().map_or(Fault::None, |faults| faults(&call));
        state.faults = state.faults.take().or(faults);
        state.calls += 1;
        fault
    }

    async fn answer(&self, request: HttpRequest, wire: Option<SharedHttpConnector>) -> Answer {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default();
        let body: Value = serde_json::from_slice(body).map_err(|error| ConnectorError::user(error.into()))?;
        let fault = self.fault(&operation, &body);
        match fault {
            Fault::RequestLost => return Err(lost()),
            Fault::Conflict if operation == "TransactWriteItems" => {
                return Ok(cancelled(&body, "TransactionConflict"));
            }
            Fault::Conflict => {
                return Ok(refused("com.amazonaws.dynamodb.v20120810#TransactionConflictException"));
            }
            Fault::Throttled if operation == "TransactWriteItems" => return Ok(cancelled(&body, "ThrottlingError")),
            Fault::Throttled => return Ok(refused("com.amazonaws.dynamodb.v20120810#ThrottlingException")),
            Fault::Invalid => return Ok(refused("com.amazon.coral.validate#ValidationException")),
            Fault::None | Fault::ResponseLost | Fault::Stale { .. } => {}
        }
        let (status, mut answer) = match (&self.0.backend, wire) {
            (Backend::Embedded(database), _) => match carry_out(database, &operation, &body) {
                Ok(answer) => (200, answer),
                Err(error) => (error.status_code(), error.to_json()),
            },
            (Backend::Endpoint(_), Some(wire)) => endpoint::send(wire, request).await?,
            (Backend::Endpoint(_), None) => unreachable!("a connector to an endpoint has a wire"),
        };
        let mut state = self.state();
        if status == 200 {
            remember(&mut state.versions, &operation, &body);
        }
        match fault {
            Fault::ResponseLost => return Err(lost()),
            Fault::Stale { keys } if operation == "BatchGetItem" => {
                answer = stale(&state.versions, &body, &answer, keys);
            }
            _ => {}
        }
        Ok(response(status, answer))
    }
}

type Answer = Result<HttpResponse, ConnectorError>;

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}

/// The way of one client to its engine.
#[derive(Debug)]
struct Connector {
    engine: Engine,
    /// Where requests go that meet no fault, unless the engine is embedded.
    wire: Option<SharedHttpConnector>,
}

impl HttpClient for Engine {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let wire = match &self.0.backend {
            Backend::Embedded(_) => None,
            Backend::Endpoint(endpoint) => Some(endpoint.http.http_connector(settings, components)),
        };
        SharedHttpConnector::new(Connector { engine: self.clone(), wire })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (engine, wire) = (self.engine.clone(), self.wire.clone());
        HttpConnectorFuture::new(async move {
            // Other handlers get their turn, as they would while a request is on its way.
            tokio::task::yield_now().await;
            engine.travel().await;
            let answer = engine.answer(request, wire).await;
            engine.travel().await;
            answer
        })
    }
}

fn config() -> aws_sdk_dynamodb::config::Builder {
    aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("local"))
        .credentials_provider(Credentials::new("local", "local", None, None, "tests"))
        .retry_config(
            RetryConfig::standard().with_max_attempts(SDK_ATTEMPTS_MAX).with_initial_backoff(Duration::from_millis(1)),
        )
}

fn sort_key(table: &str) -> Option<(&'static str, &'static str)> {
    match table {
        "points-history" => Some(("seq", "N")),
        "participations" => Some(("member_id", "S")),
        _ => None,
    }
}

/// Name, partition key, sort key and projection of every index; the keys are text.
fn indexes(table: &str) -> &'static [(&'static str, &'static str, &'static str, &'static str)] {
    const DUE_INDEX: (&str, &str, &str, &str) = (DUE, "due_shard", "due_on", "KEYS_ONLY");
    match table {
        "members" => &[DUE_INDEX, (AUDIENCE, "audience_shard", "member_id", "KEYS_ONLY")],
        "messages" => {
            &[(SEND, "send_shard", "send_after", "KEYS_ONLY"), (RECEIPT, "receipt_key", "message_id", "KEYS_ONLY")]
        }
        "vouchers" => &[
            DUE_INDEX,
            (BY_MEMBER, "member_id", "voucher_id", "ALL"),
            (BY_ORDER, "used_for", "voucher_id", "KEYS_ONLY"),
        ],
        _ => &[],
    }
}

fn scan(database: &Database, table: &str) -> Vec<Value> {
    let request = serde_json::from_value(json!({"TableName": format!("{PREFIX}{table}")})).expect("a scan");
    let answer = database.scan(request).expect("a known table");
    let answer = serde_json::to_value(answer).expect("an answer is JSON");
    answer["Items"].as_array().into_iter().flatten().map(plain_map).collect()
}

fn definition((table, partition_key): (&str, &str)) -> Value {
    let mut attributes = vec![json!({"AttributeName": partition_key, "AttributeType": "S"})];
    let mut keys = vec![json!({"AttributeName": partition_key, "KeyType": "HASH"})];
    if let Some((name, kind)) = sort_key(table) {
        attributes.push(json!({"AttributeName": name, "AttributeType": kind}));
        keys.push(json!({"AttributeName": name, "KeyType": "RANGE"}));
    }
    let mut definition = json!({
        "TableName": format!("{PREFIX}{table}"),
        "KeySchema": keys,
        "BillingMode": "PAY_PER_REQUEST",
    });
    let mut made = Vec::new();
    for (name, hash, range, projection) in indexes(table) {
        let keys = [(hash, "HASH"), (range, "RANGE")];
        for (name, _) in keys {
            let attribute = json!({"AttributeName": name, "AttributeType": "S"});
            if !attributes.contains(&attribute) {
                attributes.push(attribute);
            }
        }
        let keys = keys.map(|(name, kind)| json!({"AttributeName": name, "KeyType": kind}));
        let projection = json!({"ProjectionType": projection});
        made.push(json!({"IndexName": name, "KeySchema": keys, "Projection": projection}));
    }
    if !made.is_empty() {
        definition["GlobalSecondaryIndexes"] = made.into();
    }
    definition["AttributeDefinitions"] = attributes.into();
    definition
}

fn carry_out(database: &Database, operation: &str, body: &Value) -> Result<String, DynoxideError> {
    macro_rules! run {
        ($method:ident) => {{
            let request = Deserialize::deserialize(body)
                .map_err(|error: serde_json::Error| DynoxideError::SerializationException(error.to_string()))?;
            serde_json::to_string(&database.$method(request)?)
        }};
    }
    let answer = match operation {
        "BatchGetItem" => run!(batch_get_item),
        "GetItem" => run!(get_item),
        "PutItem" => run!(put_item),
        "Query" => run!(query),
        "Scan" => run!(scan),
        "TransactWriteItems" => run!(transact_write_items),
        _ => return Err(DynoxideError::UnsupportedCapability(operation.to_owned())),
    };
    answer.map_err(|error| DynoxideError::SerializationException(error.to_string()))
}

fn remember(versions: &mut HashMap<(String, String), Vec<Value>>, operation: &str, body: &Value) {
    let puts = match operation {
        "PutItem" => vec![body],
        "TransactWriteItems" => {
            body["TransactItems"].as_array().into_iter().flatten().map(|item| &item["Put"]).collect()
        }
        _ => Vec::new(),
    };
    for put in puts {
        let table = put["TableName"].as_str().unwrap_or_default();
        let key = key_of(table, &put["Item"]);
        versions.entry((table.to_owned(), key)).or_default().push(put["Item"].clone());
    }
}

/// The key of an item: two orders, or two members, are told apart by it.
fn key_of(table: &str, attributes: &Value) -> String {
    let name = if table.ends_with(Table::Orders.suffix()) { "order_id" } else { "member_id" };
    attributes[name]["S"].as_str().unwrap_or_default().to_owned()
}

/// The answer with some items as they were before their last write, or missing when that was their first.
fn stale(versions: &HashMap<(String, String), Vec<Value>>, body: &Value, answer: &str, keys: u64) -> String {
    let mut answer: Value = serde_json::from_str(answer).unwrap_or_default();
    let mut bit = 0;
    for (table, wanted) in body["RequestItems"].as_object().into_iter().flatten() {
        for key in wanted["Keys"].as_array().into_iter().flatten() {
            let chosen = keys >> (bit % u64::BITS) & 1 == 1;
            bit += 1;
            if !chosen || wanted["ConsistentRead"] == true {
                continue;
            }
            let key = key_of(table, key);
            let before = versions.get(&(table.clone(), key.clone())).and_then(|all| all.iter().rev().nth(1));
            if let Some(items) = answer["Responses"][table].as_array_mut() {
                items.retain(|item| key_of(table, item) != key);
                items.extend(before.cloned());
            }
        }
    }
    answer.to_string()
}

fn lost() -> ConnectorError {
    ConnectorError::io("the connection broke".into())
}

fn cancelled(body: &Value, code: &str) -> HttpResponse {
    let items = body["TransactItems"].as_array().map_or(1, Vec::len);
    let reasons: Vec<_> = (0..items).map(|at| json!({"Code": if at == 0 { code } else { "None" }})).collect();
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    response(400, json!({"__type": kind, "Message": "injected", "CancellationReasons": reasons}).to_string())
}

fn refused(kind: &str) -> HttpResponse {
    response(400, json!({"__type": kind, "message": "injected"}).to_string())
}

fn response(status: u16, body: String) -> HttpResponse {
    HttpResponse::new(status.try_into().expect("a status"), SdkBody::from(body))
}

fn plain_map(attributes: &Value) -> Value {
    let attributes = attributes.as_object().into_iter().flatten();
    Value::Object(attributes.map(|(name, value)| (name.clone(), plain(value))).collect())
}

fn plain(value: &Value) -> Value {
    let Some((kind, value)) = value.as_object().and_then(|typed| typed.iter().next()) else { return Value::Null };
    match kind.as_str() {
        "N" => value.as_str().and_then(|number| serde_json::from_str(number).ok()).unwrap_or_default(),
        "M" => plain_map(value),
        "L" => value.as_array().into_iter().flatten().map(plain).collect(),
        _ => value.clone(),
    }
}
