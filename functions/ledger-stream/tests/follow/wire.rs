//! A bus and a table of messages behind the real SDK: what goes over the wire is read, answered and kept, and either can
//! be told to fail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use ledger_stream::LedgerStream;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_messaging::{Bus, Outbox};
use serde_json::{Value, json};

const PROGRAMME: &str = include_str!("../../../../infra/programmes/cnv-retail.toml");

/// What the two services hold, and what they are told to do.
#[derive(Debug, Default)]
pub struct World {
    /// Events taken, in the order they came: repeats included.
    pub bus: Vec<Value>,
    /// How many entries each `PutEvents` carried.
    pub calls: Vec<usize>,
    /// Rows of `messages` by key.
    pub rows: BTreeMap<String, Value>,
    /// How often each event is still refused.
    pub refusals: BTreeMap<String, u32>,
    /// The next so many answers say that nothing failed, and name no event.
    pub mute_answers: u32,
    /// The next so many answers name an id for every event, and say that one failed.
    pub contradictions: u32,
    /// The bus answers with a server error.
    pub bus_down: bool,
    /// Keys that the table refuses.
    pub unwritable: BTreeSet<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Wire(Arc<Mutex<World>>);

impl Wire {
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// The function over this wire, with the default programme.
    pub fn ledger_stream(&self) -> LedgerStream {
        let connector = SharedHttpConnector::new(self.clone());
        let http = http_client_fn(move |_, _| connector.clone());
        let credentials = Credentials::new("key", "secret", None, None, "tests");
        let dynamodb = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("ap-southeast-1"))
            .credentials_provider(credentials.clone())
            .retry_config(RetryConfig::disabled())
            .http_client(http.clone())
            .build();
        let events = aws_sdk_eventbridge::Config::builder()
            .behavior_version(aws_sdk_eventbridge::config::BehaviorVersion::latest())
            .region(Region::new("ap-southeast-1"))
            .credentials_provider(credentials)
            .retry_config(RetryConfig::disabled())
            .http_client(http)
            .build();
        LedgerStream {
            programmes: ProgrammeFile::parse(PROGRAMME).unwrap(),
            bus: Bus::new(aws_sdk_eventbridge::Client::from_conf(events), "shop-bus"),
            messages: Outbox::new(aws_sdk_dynamodb::Client::from_conf(dynamodb), "shop-"),
        }
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let world = &mut *self.world();
        let (status, answer) = match target.as_str() {
            "AWSEvents.PutEvents" => put_events(world, &body),
            "DynamoDB_20120810.PutItem" => put_item(world, &body),
            other => panic!("the function called {other}"),
        };
        let answer = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(answer.to_string()));
        HttpConnectorFuture::ready(Ok(answer))
    }
}

fn put_events(world: &mut World, body: &Value) -> (u16, Value) {
    let entries = body["Entries"].as_array().unwrap();
    assert!((1..=10).contains(&entries.len()), "{} entries in one call", entries.len());
    world.calls.push(entries.len());
    if world.bus_down {
        return (500, json!({"__type": "InternalException"}));
    }
    if world.mute_answers > 0 {
        world.mute_answers -= 1;
        return (200, json!({"FailedEntryCount": 0, "Entries": []}));
    }
    if world.contradictions > 0 {
        world.contradictions -= 1;
        let answers: Vec<_> = entries.iter().map(|_| json!({"EventId": "e"})).collect();
        return (200, json!({"FailedEntryCount": 1, "Entries": answers}));
    }
    let mut failed = 0;
    let mut answers = Vec::new();
    for entry in entries {
        assert_eq!((&entry["EventBusName"], &entry["Source"]), (&json!("shop-bus"), &json!("loyalty")));
        let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
        let refusals = world.refusals.entry(detail["event_id"].as_str().unwrap().to_owned()).or_default();
        if *refusals > 0 {
            *refusals -= 1;
            failed += 1;
            answers.push(json!({"ErrorCode": "ThrottlingException", "ErrorMessage": "too fast"}));
        } else {
            answers.push(json!({"EventId": format!("e-{}", world.bus.len())}));
            world.bus.push(entry.clone());
        }
    }
    (200, json!({"FailedEntryCount": failed, "Entries": answers}))
}

fn put_item(world: &mut World, body: &Value) -> (u16, Value) {
    assert_eq!(body["TableName"], "shop-messages");
    assert_eq!(body["ConditionExpression"], "attribute_not_exists(message_id)");
    let key = body["Item"]["message_id"]["S"].as_str().unwrap().to_owned();
    let fault = |name: &str| (400, json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{name}")}));
    if world.unwritable.contains(&key) {
        return fault("ResourceNotFoundException");
    }
    if world.rows.contains_key(&key) {
        return fault("ConditionalCheckFailedException");
    }
    world.rows.insert(key, body["Item"].clone());
    (200, json!({}))
}
