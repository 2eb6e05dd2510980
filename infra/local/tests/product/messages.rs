//! Messages through the local stack, by the way that is open when they are sent: to who follows the account, by phone to
//! who does not, and to nobody who does not want them; receipts come back (N3, N4, X36).

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use loyalty_signatures::sign_zalo;
use serde_json::{Value, json};
use thang_hang::books::BooksArgs;
use thang_hang::books::erase::{self, EraseArgs};
use thang_hang::cli::serve::workspace;
use thang_hang::stack::Drained;
use thang_hang::tables::{TablesArgs, client};
use thang_hang::zalo::DEVELOPMENT;
use thang_hang::{Options, Stack, verify};

const FOLLOWER: &str = "0901234567";
const OTHER: &str = "0907654321";
const USER: &str = "24684588352919792";
/// 23 November 2026, 08:15 in the programme's time zone.
const START_MS: i64 = 1_795_396_510_000;
const TEMPLATES: &str = r#"
[zalo.templates.order_points_credited]
id = "100"
oa_id = "200"
params = { customer = "name", order = "order", points = "points" }
max_chars = { customer = 30, order = 30, points = 20 }
"#;

struct Shop {
    stack: Stack,
    http: reqwest::Client,
    _programme: tempfile::NamedTempFile,
}

impl Shop {
    async fn start() -> Self {
        let preset = std::fs::read_to_string(workspace().join("infra/programmes/cnv-retail.toml")).expect("a preset");
        let mut programme = tempfile::NamedTempFile::with_suffix(".toml").expect("a temporary file");
        write!(programme, "{preset}\n{TEMPLATES}").expect("the programme is written");
        let options = Options {
            programme: programme.path().to_owned(),
            settle_seconds: Some(0),
            environment: crate::quiet(),
            clock_ms: Some(START_MS),
            ..Options::ephemeral(&workspace())
        };
        let stack = Stack::start(options).await.unwrap_or_else(|error| panic!("{}", error.report()));
        Self { stack, http: reqwest::Client::new(), _programme: programme }
    }

    fn zalo(&self) -> String {
        format!("http://{}", self.stack.running().zalo.as_ref().expect("a stand-in").address)
    }

    async fn post(&self, kind: &str, data: Value) -> u16 {
        let running = self.stack.running();
        let at = chrono::DateTime::from_timestamp_millis(running.clock.now_ms()).expect("a time").to_rfc3339();
        let body = json!({"type": kind, "timestamp": at, "data": data}).to_string();
        let request = crate::signed(running, &self.http, format!("msg_{kind}_{at}"), body);
        request.send().await.expect("the stack answers").status().as_u16()
    }

    /// An order of 530.000đ, delivered and paid; what follows from it is done.
    async fn order(&self, number: &str, phone: &str, name: &str) {
        let now = chrono::DateTime::from_timestamp_millis(self.stack.running().clock.now_ms()).expect("a time");
        let data = json!({"order_id": number, "placed_at": now.to_rfc3339(), "updated_at": now.to_rfc3339(),
            "status": "delivered", "payment_status": "paid", "amount_due": "530000", "shipping_fee": "30000",
            "refunded": "0", "currency": "VND", "customer": {"phone": phone, "name": name}});
        assert_eq!(self.post("order.changed", data).await, 202, "{number}");
        // Receipts wait a moment in their queue.
        self.pass(20).await;
    }

    /// Something a person does with the account; the door has taken it, and it is kept.
    async fn event(&self, event: Value) {
        let request = self.http.post(format!("{}/_zalo/events", self.zalo())).body(event.to_string());
        let answer: Value = request.send().await.expect("it answers").json().await.expect("JSON");
        assert_eq!(answer["status"], 200, "{answer}");
        self.drain().await;
    }

    async fn drain(&self) {
        let drained = self.stack.running().drain(Duration::from_secs(90)).await.expect("drained");
        assert_eq!(drained, Drained::Empty);
    }

    async fn pass(&self, seconds: i64) {
        let running = self.stack.running();
        running.advance(running.clock.now_ms() + seconds * 1_000).await.expect("the clock moves");
        self.drain().await;
    }

    /// What reached Zalo about an order, oldest first: how it was sent, and the record of it.
    async fn sent(&self, number: &str) -> Vec<(String, Value)> {
        let answer = self.http.get(format!("{}/_zalo/messages?limit=1000", self.zalo())).send().await;
        let answer: Value = answer.expect("it answers").json().await.expect("JSON");
        let messages = answer["messages"].as_array().expect("a list").clone();
        let about = |record: &Value| record["template_data"].to_string() + record["text"].as_str().unwrap_or_default();
        let wanted = messages.into_iter().filter(|record| about(record).contains(number));
        wanted.map(|record| (record["kind"].as_str().expect("a kind").to_owned(), record)).collect()
    }

    fn tables(&self) -> TablesArgs {
        let running = self.stack.running();
        TablesArgs {
            endpoint_url: running.dynamodb_url(),
            region: None,
            table_prefix: running.options.table_prefix.clone(),
        }
    }

    async fn rows(&self, table: &str) -> Vec<std::collections::HashMap<String, AttributeValue>> {
        let answer = client(&self.tables()).await.scan().table_name(format!("loyalty-{table}")).send().await;
        answer.expect("a table").items.unwrap_or_default()
    }

    /// The row of the message about an order: its texts by name.
    async fn row(&self, number: &str) -> BTreeMap<String, String> {
        let about = |row: &std::collections::HashMap<String, AttributeValue>| {
            let variables = row.get("variables").and_then(|value| value.as_m().ok()).cloned().unwrap_or_default();
            let points = row.get("template").and_then(|value| value.as_s().ok());
            points.is_some_and(|name| name == "order_points_credited")
                && variables.get("order").and_then(|value| value.as_s().ok()).is_some_and(|order| order == number)
        };
        let rows: Vec<_> = self.rows("messages").await.into_iter().filter(about).collect();
        assert_eq!(rows.len(), 1, "{number}");
        let texts = rows[0].iter().filter_map(|(name, value)| Some((name.clone(), value.as_s().ok()?.clone())));
        texts.collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_message_takes_the_way_that_is_open_when_it_is_sent() {
    let _turn = crate::TURN.lock().await;
    let shop = Shop::start().await;
    let script = shop.http.post(format!("{}/_zalo/script", shop.zalo())).body(json!({"receipts": true}).to_string());
    assert!(script.send().await.expect("it answers").status().is_success());

    // Who follows and says who they are gets it in the account; within two days as a text.
    shop.event(json!({"event_name": "follow", "follower": {"id": USER}})).await;
    let info = json!({"name": "Lan", "phone": FOLLOWER, "address": "Hà Nội"});
    shop.event(json!({"event_name": "user_submit_info", "sender": {"id": USER}, "info": info})).await;
    shop.order("DH-1", FOLLOWER, "Lan").await;
    let sent = shop.sent("DH-1").await;
    let [(kind, record)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((kind.as_str(), &record["user_id"], &record["error"]), ("text", &json!(USER), &json!(0)), "{record}");
    assert!(record["text"].as_str().is_some_and(|text| text.contains("DH-1") && text.contains("50 điểm")), "{record}");

    // Who does not follow is told by phone.
    shop.order("DH-2", OTHER, "Hoa").await;
    let sent = shop.sent("DH-2").await;
    let [(kind, record)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((kind.as_str(), &record["phone"]), ("template_phone", &json!("84907654321")));
    assert_eq!(record["template_data"], json!({"customer": "Hoa", "order": "DH-2", "points": "50 điểm"}), "{record}");
    assert_eq!(record["template_id"], "100");

    // Their receipts have come, each to its message.
    for (number, channel) in [("DH-1", "zalo_oa"), ("DH-2", "zalo_phone")] {
        let row = shop.row(number).await;
        assert_eq!((row["state"].as_str(), row["channel"].as_str()), ("sent", channel), "{row:?}");
        assert!(row.contains_key("delivered_at"), "{row:?}");
    }

    // Three days later a text is no longer free: a follower gets a template in the account.
    shop.pass(3 * 86_400).await;
    shop.order("DH-3", FOLLOWER, "Lan").await;
    let sent = shop.sent("DH-3").await;
    let [(kind, record)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((kind.as_str(), &record["template_id"]), ("template_user", &json!("200")), "{record}");

    // Once they unfollow, the phone is the way, whatever older word comes late.
    shop.event(json!({"event_name": "unfollow", "follower": {"id": USER}})).await;
    let early = json!({"event_name": "follow", "follower": {"id": USER}, "timestamp": START_MS.to_string()});
    let body = early.to_string();
    for _ in 0..2 {
        let mac =
            sign_zalo(DEVELOPMENT.oa_secret.as_bytes(), DEVELOPMENT.app_id, &START_MS.to_string(), body.as_bytes());
        let door = format!("{}/webhooks/zalo", shop.stack.running().url());
        let request = shop.http.post(door).header("X-ZEvent-Signature", format!("mac={mac}")).body(body.clone());
        assert_eq!(request.send().await.expect("the stack answers").status(), 200);
    }
    shop.drain().await;
    shop.order("DH-4", FOLLOWER, "Lan").await;
    let sent = shop.sent("DH-4").await;
    let [(kind, record)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((kind.as_str(), &record["phone"]), ("template_phone", &json!("84901234567")), "{record}");

    // Who does not want it is not told, and the row says why.
    let no = json!({"customer": {"phone": OTHER}, "messages": {"care": false}});
    assert_eq!(shop.post("customer.consent", no).await, 202);
    shop.drain().await;
    shop.order("DH-5", OTHER, "Hoa").await;
    assert_eq!(shop.sent("DH-5").await, []);
    let row = shop.row("DH-5").await;
    assert_eq!((row["state"].as_str(), row["reason"].as_str()), ("skipped", "opted_out"), "{row:?}");

    forgotten(&shop).await;
    let report = verify::prove(&client(&shop.tables()).await, &shop.tables()).await.expect("read");
    assert!(report.clean(), "{:#?}", report.findings);
    shop.stack.stop().await;
}

/// Who is erased is nobody at Zalo either, and what was said before does not bring them back.
async fn forgotten(shop: &Shop) {
    let running = shop.stack.running();
    let held = |rows: Vec<std::collections::HashMap<String, AttributeValue>>| format!("{rows:?}").contains(USER);
    assert!(held(shop.rows("contacts").await));
    let args = EraseArgs {
        member: None,
        phone: Some(FOLLOWER.to_owned()),
        yes: true,
        at: Some(running.clock.now_ms()),
        books: BooksArgs { tables: shop.tables(), programme: None, data: Some(shop.stack.data().path().to_owned()) },
    };
    erase::run(&args).await.unwrap_or_else(|error| panic!("{}", error.report()));
    let before = (running.clock.now_ms() - 60_000).to_string();
    let info = json!({"name": "Lan", "phone": FOLLOWER});
    shop.event(json!({"event_name": "user_submit_info", "sender": {"id": USER}, "info": info, "timestamp": before}))
        .await;
    shop.event(json!({"event_name": "follow", "follower": {"id": USER}, "timestamp": before})).await;
    assert!(!held(shop.rows("contacts").await) && !held(shop.rows("zalo-users").await));
}
