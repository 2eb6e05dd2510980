//! What a shop reports beside orders, through the local stack: at the webhook's door, on the bus, and into the dead
//! letters.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};
use thang_hang::cli::serve::workspace;
use thang_hang::stack::Drained;
use thang_hang::tables::{TablesArgs, client};
use thang_hang::{Options, Stack, verify};

const PHONE: &str = "0901234567";
const AT: &str = "2026-11-23T08:00:00+07:00";

struct Shop {
    stack: Stack,
    http: reqwest::Client,
}

impl Shop {
    async fn post(&self, kind: &str, data: Value) -> u16 {
        let body = json!({"type": kind, "timestamp": AT, "data": data}).to_string();
        let request = crate::signed(self.stack.running(), &self.http, format!("msg_{kind}"), body);
        request.send().await.expect("the stack answers").status().as_u16()
    }

    /// Calls a service of the stack as the SDK would.
    async fn call(&self, target: &str, request: Value) {
        let url = format!("http://{}/", self.stack.running().services);
        let request = self.http.post(url).header("x-amz-target", target).body(request.to_string());
        let answer = request.header("content-type", "application/x-amz-json-1.0").send().await.expect("it answers");
        assert!(answer.status().is_success(), "{target}: {:?}", answer.text().await);
    }

    async fn drain(&self) {
        let drained = self.stack.running().drain(Duration::from_secs(60)).await.expect("drained");
        assert_eq!(drained, Drained::Empty);
    }

    async fn card(&self) -> Value {
        let url = format!("{}/members?phone={PHONE}", self.stack.running().url());
        self.http.get(url).send().await.expect("the stack answers").json().await.expect("JSON")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_shop_reports_beside_orders_is_done_once() {
    let _turn = crate::TURN.lock().await;
    let preset = std::fs::read_to_string(workspace().join("infra/programmes/cnv-retail.toml")).expect("a preset");
    let mut programme = tempfile::NamedTempFile::with_suffix(".toml").expect("a temporary file");
    write!(programme, "tier_authority = \"outside\"\n{preset}").expect("the programme is written");
    let options = Options {
        programme: programme.path().to_owned(),
        settle_seconds: Some(0),
        environment: crate::quiet(),
        clock_ms: Some(1_795_396_510_000),
        ..Options::ephemeral(&workspace())
    };
    let stack = Stack::start(options).await.unwrap_or_else(|error| panic!("{}", error.report()));
    let shop = Shop { stack, http: reqwest::Client::new() };

    let who = json!({"phone": PHONE, "name": "Lan"});
    let events = [
        ("behaviour", json!({"event_id": "e1", "behaviour": "review", "customer": who, "occurred_at": AT})),
        ("topup", json!({"event_id": "t1", "customer": who, "amount": "1000000", "currency": "VND", "paid_at": AT})),
        ("customer.registered", json!({"customer": who})),
        ("customer.tier_changed", json!({"customer": who, "tier": "Gold"})),
    ];
    for (kind, data) in events.iter().chain(&events) {
        assert_eq!(shop.post(kind, data.clone()).await, 202, "{kind}");
    }
    shop.drain().await;
    assert_eq!(shop.post("customer.changed", json!({"phone": PHONE, "name": "Nguyễn Lan"})).await, 202);
    shop.drain().await;
    let card = shop.card().await;
    assert_eq!((&card["name"], &card["tier"]["id"]), (&json!("Nguyễn Lan"), &json!("gold")), "{card}");
    assert_eq!((&card["redeemable_points"], &card["wallet"]), (&json!(5), &json!("1030000")), "{card}");

    // Refused at the door, before anything is queued.
    assert_eq!(shop.post("customer.tier_changed", json!({"customer": who, "tier": "bronze"})).await, 422);
    assert_eq!(
        shop.post("behaviour", json!({"event_id": "e2", "behaviour": "dance", "customer": who, "occurred_at": AT}))
            .await,
        422
    );
    assert_eq!(shop.post("customer.changed", json!({"name": "Lan"})).await, 400);

    // The shop's system may tell the bus instead.
    let detail = json!({"phone": PHONE, "tier": "diamond"}).to_string();
    let entry = json!({"Source": "my-crm", "DetailType": "CustomerTierChanged", "EventBusName": "loyalty-bus",
        "Detail": detail});
    shop.call("AWSEvents.PutEvents", json!({"Entries": [entry]})).await;
    shop.drain().await;
    assert_eq!(shop.card().await["tier"]["id"], "diamond");
    let told = shop.stack.running().bus.recent(100);
    let told: Vec<&Value> = told.iter().filter(|event| event["detail-type"] == "TierChanged").collect();
    let tiers: Vec<&str> = told.iter().rev().filter_map(|event| event["detail"]["tier_after"].as_str()).collect();
    assert_eq!(tiers, ["gold", "diamond"], "what follows comes from the ledger");

    // What cannot be read is kept, and can be tried again.
    let message = json!({"QueueUrl": "local/loyalty-Events", "MessageBody": "not JSON"});
    shop.call("AmazonSQS.SendMessage", message).await;
    for replays in 0..2 {
        shop.drain().await;
        let letters = shop.stack.running().dead_letters().await.expect("listed");
        assert_eq!(letters.len(), 1, "after {replays} replays");
        assert_eq!(shop.stack.running().replay(None).await.expect("replayed"), 1);
    }

    let running = shop.stack.running();
    let tables = TablesArgs {
        endpoint_url: running.dynamodb_url(),
        region: None,
        table_prefix: running.options.table_prefix.clone(),
    };
    let report = verify::prove(&client(&tables).await, &tables).await.expect("read");
    assert!(report.clean(), "{:#?}", report.findings);
    shop.stack.stop().await;
}
