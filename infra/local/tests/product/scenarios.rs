//! The scenario files, through the local stack: signed webhooks at the HTTP door, the real binaries, the member API.
//!
//! `tests/suite` plays the same files in process. `SCENARIOS=decided` in the environment plays one file alone.

use std::io::Write;
use std::time::Duration;

use chrono::{DateTime, Utc};
use loyalty_audit::{Row, Table};
use loyalty_contract::programme::ProgrammeFile;
use loyalty_tests::scenarios::{Movement, Player, Standing, play_all};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use thang_hang::cli::serve::workspace;
use thang_hang::stack::Drained;
use thang_hang::tables::{TablesArgs, client, scan};
use thang_hang::{Options, Stack};

/// After so long a message that fails every time lies in the dead letters: five tries, three minutes apart.
const TRIED_FOR_MS: i64 = 20 * 60 * 1_000;

/// A whole stack with one programme.
struct ThroughTheStack {
    stack: Stack,
    http: reqwest::Client,
    versions: ProgrammeFile,
    /// Deleted with the scenario.
    _programme: NamedTempFile,
}

impl ThroughTheStack {
    async fn get(&self, path: &str) -> Option<Value> {
        let url = format!("{}{path}", self.stack.running().url());
        let answer = self.http.get(url).send().await.expect("the stack answers");
        match answer.status().as_u16() {
            200 => Some(answer.json().await.expect("JSON")),
            404 => None,
            status => panic!("GET {path}: {status} {:?}", answer.text().await),
        }
    }

    async fn member_id(&self, phone: &str) -> String {
        let card = self.get(&format!("/members?phone={phone}")).await.expect("a member");
        card["member_id"].as_str().expect("an id").to_owned()
    }

    async fn drained(&self) {
        let running = self.stack.running();
        assert_eq!(running.drain(Duration::from_secs(60)).await.expect("drained"), Drained::Empty);
        assert!(running.dead_letters().await.expect("listed").is_empty());
    }

    /// The stack's clock follows the scenario's.
    async fn at(&self, now: DateTime<Utc>) {
        if now.timestamp_millis() > self.stack.running().clock.now_ms() {
            self.stack.running().advance(now.timestamp_millis()).await.expect("the clock moves");
        }
    }
}

impl Player for ThroughTheStack {
    async fn start(programme: &str, now: DateTime<Utc>) -> Self {
        let mut file = NamedTempFile::with_suffix(".toml").expect("a temporary file");
        file.write_all(programme.as_bytes()).expect("the programme is written");
        let options = Options {
            programme: file.path().to_owned(),
            settle_seconds: Some(0),
            environment: crate::quiet(),
            clock_ms: Some(now.timestamp_millis()),
            // Every night of years would only take its time: the books are proved once, at the end.
            schedules: |schedule| schedule != "verify",
            ..Options::ephemeral(&workspace())
        };
        let stack = Stack::start(options).await.unwrap_or_else(|error| panic!("{}", error.report()));
        let versions = ProgrammeFile::parse(programme).expect("a programme without problems");
        stack.running().engine.keep_asked();
        Self { stack, http: reqwest::Client::new(), versions, _programme: file }
    }

    async fn deliver(&mut self, webhook_id: &str, body: &str, now: DateTime<Utc>) {
        self.at(now).await;
        let running = self.stack.running();
        let request = crate::signed(running, &self.http, webhook_id.to_owned(), body.to_owned());
        let answer = request.send().await.expect("the stack answers");
        assert!(answer.status().is_success(), "{} {:?}", answer.status(), answer.text().await);
        if self.versions.at(now).programme.paused {
            // It is tried until it lies where an operator finds it.
            let tried = running.clock.now_ms() + TRIED_FOR_MS;
            running.advance(tried).await.expect("the clock moves");
            assert!(!running.dead_letters().await.expect("listed").is_empty());
        } else {
            self.drained().await;
        }
    }

    async fn take_up(&mut self, now: DateTime<Utc>) {
        self.at(now).await;
        assert!(self.stack.running().replay(None).await.expect("replayed") > 0, "nothing was kept");
        self.drained().await;
    }

    async fn offer(&mut self, webhook_id: &str, body: &str, now: DateTime<Utc>) -> bool {
        self.at(now).await;
        let request = crate::signed(self.stack.running(), &self.http, webhook_id.to_owned(), body.to_owned());
        let status = request.send().await.expect("the stack answers").status();
        assert!(status.is_success() || [400, 409, 422].contains(&status.as_u16()), "{status}");
        if status.is_success() {
            self.drained().await;
        }
        status.is_success()
    }

    async fn spend(&mut self, phone: &str, points: i64, now: DateTime<Utc>) -> bool {
        self.at(now).await;
        let member_id = self.member_id(phone).await;
        let url = format!("{}/members/{member_id}/redemptions", self.stack.running().url());
        let key = now.timestamp().to_string();
        let request = self.http.post(url).header("Idempotency-Key", key).json(&json!({"points": points}));
        let status = request.send().await.expect("the stack answers").status();
        assert!(status == 201 || status == 409, "{status}");
        status == 201
    }

    async fn top_up(&mut self, phone: &str, amount: i64, now: DateTime<Utc>) {
        let data = json!({"event_id": now.timestamp().to_string(), "customer": {"phone": phone}, "currency": "VND",
            "amount": amount.to_string(), "paid_at": now});
        let body = json!({"type": "topup", "timestamp": now, "data": data});
        self.deliver(&format!("topup-{}", now.timestamp()), &body.to_string(), now).await;
    }

    async fn use_voucher(&mut self, phone: &str, name: &str, now: DateTime<Utc>) {
        self.at(now).await;
        let member_id = self.member_id(phone).await;
        let answer = self.get(&format!("/members/{member_id}/vouchers")).await.expect("a member");
        let mut vouchers = answer["vouchers"].as_array().expect("a list").iter();
        let fits = |voucher: &&Value| voucher["name"] == *name && voucher["state"] == "issued";
        let voucher = vouchers.find(fits).expect("the voucher");
        let code = voucher["code"].as_str().expect("a code");
        let url = format!("{}/vouchers/{code}/use", self.stack.running().url());
        let request = self.http.post(url).header("Idempotency-Key", now.timestamp().to_string()).json(&json!({}));
        let answer = request.send().await.expect("the stack answers");
        assert!(answer.status().is_success(), "{} {:?}", answer.status(), answer.text().await);
    }

    async fn told(&mut self, phone: &str, now: DateTime<Utc>) -> Vec<String> {
        self.at(now).await;
        let member_id = self.member_id(phone).await;
        self.drained().await;
        let running = self.stack.running();
        let table_prefix = running.options.table_prefix.clone();
        let tables = TablesArgs { endpoint_url: running.dynamodb_url(), region: None, table_prefix };
        let mut told = Vec::new();
        let keep = |row: Row| {
            let text = |name: &str| match &row[name] {
                loyalty_audit::Value::S(text) => text.to_string(),
                other => panic!("{name} is {other:?}"),
            };
            if text("member_id") == member_id {
                told.push(text("template"));
            }
        };
        scan(&client(&tables).await, &tables, Table::Messages, keep).await.expect("the table is read");
        told
    }

    async fn vouchers(&mut self, phone: &str, now: DateTime<Utc>) -> Vec<(String, String)> {
        self.at(now).await;
        let member_id = self.member_id(phone).await;
        let answer = self.get(&format!("/members/{member_id}/vouchers")).await.expect("a member");
        let vouchers = answer["vouchers"].as_array().expect("a list");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        vouchers.iter().map(|voucher| (text(&voucher["name"]), text(&voucher["state"]))).collect()
    }

    async fn standing(&mut self, phone: &str, now: DateTime<Utc>) -> Option<Standing> {
        self.at(now).await;
        let card = self.get(&format!("/members?phone={}", phone.replace('+', "%2B"))).await?;
        let number = |value: &Value| value.as_i64().expect("a number");
        let decimal = |value: &Value| value.as_str().expect("a decimal").parse().expect("whole đồng");
        let next = &card["next_tier"];
        Some(Standing {
            redeemable: number(&card["redeemable_points"]),
            qualifying: number(&card["qualifying_points"]),
            pending: number(&card["pending_points"]),
            tier: card["tier"]["name"].as_str().expect("a name").to_owned(),
            orders: number(&card["orders_count"]),
            spent: decimal(&card["spent"]),
            next: next["name"]
                .as_str()
                .map(|name| (name.to_owned(), number(&next["points_needed"]), decimal(&next["spend_needed"]))),
            participations: card["participations"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|part| {
                    let text = |name: &str| part[name].as_str().expect("a word").to_owned();
                    (text("campaign"), number(&part["used"]), number(&part["granted"]), text("state"))
                })
                .collect(),
            wallet: card["wallet"].as_str().map_or(0, |wallet| wallet.parse().expect("whole đồng")),
        })
    }

    async fn history(&mut self, phone: &str, now: DateTime<Utc>) -> Vec<Movement> {
        self.at(now).await;
        let Some(card) = self.get(&format!("/members?phone={phone}")).await else { return Vec::new() };
        let member_id = card["member_id"].as_str().expect("an id");
        let page = self.get(&format!("/members/{member_id}/history?limit=100")).await.expect("a history");
        assert_eq!(page["next_cursor"], Value::Null, "a scenario fits one page");
        let text = |entry: &Value, name: &str| entry[name].as_str().map(str::to_owned);
        let mut history: Vec<Movement> = page["entries"]
            .as_array()
            .expect("entries")
            .iter()
            .map(|entry| Movement {
                kind: text(entry, "kind").expect("a kind"),
                redeemable: entry["redeemable"].as_i64().expect("points"),
                qualifying: entry["qualifying"].as_i64().expect("points"),
                order_id: text(entry, "order_id"),
                rule: text(entry, "rule").expect("a rule"),
                programme_version: text(entry, "programme_version").expect("a version"),
            })
            .collect();
        history.reverse();
        history
    }

    async fn end(self) {
        let running = self.stack.running();
        let proof = running.invoke("verify", running.clock.now_ms(), None).await.expect("it is a schedule");
        assert_eq!(proof.answer.unwrap_or_default()["findings"], 0, "{:?}", proof.error);
        crate::rights::check(self.stack.running());
        self.stack.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_holds_through_the_stack() {
    let _turn = crate::TURN.lock().await;
    play_all::<ThroughTheStack>().await;
    crate::rights::check_coverage();
}
