//! The stand-in for Zalo: its answers, its tokens and its misbehaviour.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use thang_hang::clock::{Clock, parse_instant};
use thang_hang::zalo::{DEVELOPMENT, StandIn, Zalo};
use tokio::task::JoinSet;

const PHONE: &str = "84901234567";
const USER: &str = "24684588352919792";

struct Client {
    url: String,
    http: reqwest::Client,
    access: String,
    refresh: String,
    clock: Arc<Clock>,
    /// End with the test.
    _tasks: JoinSet<()>,
}

impl Client {
    /// A stand-in at 10:00 on a Monday in Vietnam.
    fn start(data: &Path) -> Self {
        let clock = Arc::new(Clock::default());
        clock.set_ms(parse_instant("2026-11-23T10:00:00+07:00").unwrap());
        let mut tasks = JoinSet::new();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        // Nobody listens at the discard port: events are not delivered here.
        let door = "http://127.0.0.1:9/webhooks/zalo".to_owned();
        let stand_in = StandIn::start(&mut tasks, listener, &clock, data.join("tokens.json"), door).expect("it starts");
        let url = format!("http://{}", stand_in.address);
        let refresh = DEVELOPMENT.refresh_token.to_owned();
        Self { url, http: reqwest::Client::new(), access: String::new(), refresh, clock, _tasks: tasks }
    }

    async fn ready(data: &Path) -> Self {
        let mut client = Self::start(data);
        assert_eq!(client.new_tokens().await["expires_in"], "90000");
        client
    }

    async fn token(&self, refresh: &str) -> Value {
        let form = format!("refresh_token={refresh}&app_id={}&grant_type=refresh_token", DEVELOPMENT.app_id);
        let request = self.http.post(format!("{}/v4/oa/access_token", self.url)).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.header("secret_key", DEVELOPMENT.app_secret).send().await.expect("it answers");
        assert_eq!(answer.status(), 200);
        answer.json().await.expect("JSON")
    }

    async fn new_tokens(&mut self) -> Value {
        let tokens = self.token(&self.refresh.clone()).await;
        if let (Some(access), Some(refresh)) = (tokens["access_token"].as_str(), tokens["refresh_token"].as_str()) {
            (self.access, self.refresh) = (access.to_owned(), refresh.to_owned());
        }
        tokens
    }

    async fn send(&self, path: &str, body: &Value) -> reqwest::Result<reqwest::Response> {
        let request = self.http.post(format!("{}{path}", self.url)).header("access_token", &self.access);
        request.body(body.to_string()).send().await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.send(path, &body).await.expect("it answers");
        assert_eq!(answer.status(), 200, "an error has status 200 too");
        answer.json().await.expect("JSON")
    }

    async fn template(&self, changed: Value) -> Value {
        let mut body = json!({"phone": PHONE, "template_id": "100", "tracking_id": "m1",
            "template_data": {"points": "50 điểm"}});
        for (name, value) in changed.as_object().expect("fields") {
            body[name] = value.clone();
        }
        self.post("/message/template", body).await
    }

    async fn text(&self, text: &str) -> i64 {
        let body = json!({"recipient": {"user_id": USER}, "message": {"text": text}});
        self.post("/v3.0/oa/message/cs", body).await["error"].as_i64().expect("a code")
    }

    async fn script(&self, script: Value) {
        let answer = self.send("/_zalo/script", &script).await.expect("it answers");
        assert!(answer.status().is_success(), "{:?}", answer.text().await);
    }

    /// Something a person did; nobody is told of it here.
    async fn event(&self, event: Value) {
        self.send("/_zalo/events", &event).await.expect("it answers");
    }

    async fn sent(&self, query: &str) -> Vec<Value> {
        let answer = self.http.get(format!("{}/_zalo/messages?{query}", self.url)).send().await.expect("it answers");
        let answer: Value = answer.json().await.expect("JSON");
        answer["messages"].as_array().expect("a list").clone()
    }
}

fn code(answer: &Value) -> i64 {
    answer["error"].as_i64().expect("a code")
}

#[tokio::test]
async fn a_template_is_checked_recorded_and_counted() {
    let data = TempDir::new().unwrap();
    let client = Client::ready(data.path()).await;
    let answer = client.template(json!({})).await;
    assert_eq!((code(&answer), &answer["message"]), (0, &json!("Success")), "{answer}");
    assert_eq!(answer["data"]["quota"], json!({"dailyQuota": "50000", "remainingQuota": "49999"}));
    for (changed, expected) in [
        (json!({"phone": "0901234567"}), -108),
        (json!({"tracking_id": ""}), -1121),
        (json!({"tracking_id": "x".repeat(49)}), -1121),
        (json!({"tracking_id": "a:b"}), -1121),
        (json!({"template_data": {"points": 50}}), -1122),
        (json!({"template_data": {"points": ""}}), -1122),
        (json!({"template_data": null}), -1121),
    ] {
        assert_eq!(code(&client.template(changed.clone()).await), expected, "{changed}");
    }
    client.script(json!({"templates": {"100": {"tag": 3, "parameters": {"points": 7, "tier": 30}}}})).await;
    assert_eq!(code(&client.template(json!({})).await), -1121, "a parameter is missing");
    let long = json!({"template_data": {"points": "5.000 điểm", "tier": "Gold"}});
    assert_eq!(code(&client.template(long).await), -1122, "ten characters where seven are allowed");

    let sent = client.sent(&format!("phone={PHONE}&limit=1000")).await;
    assert_eq!((sent.len(), &sent[0]["msg_id"]), (9, &answer["data"]["msg_id"]));
    assert_eq!(sent[0]["template_data"], json!({"points": "50 điểm"}));
    assert!(!format!("{sent:?}").contains(&client.access));
}

/// N9: promotion has its hours, in Vietnam.
#[tokio::test]
async fn promotion_is_sent_by_day_only() {
    let data = TempDir::new().unwrap();
    let client = Client::ready(data.path()).await;
    client.script(json!({"templates": {"100": {"tag": 3, "parameters": {"points": 30}}}})).await;
    for (time, expected) in [("21:59:59", 0), ("22:00:00", -133), ("05:59:59", -133), ("06:00:00", 0)] {
        client.clock.set_ms(parse_instant(&format!("2026-11-23T{time}+07:00")).unwrap());
        assert_eq!(code(&client.template(json!({})).await), expected, "{time}");
    }
}

#[tokio::test]
async fn a_text_needs_a_follower_who_was_there_within_seven_days() {
    let data = TempDir::new().unwrap();
    let mut client = Client::ready(data.path()).await;
    assert_eq!(client.text("Xin chào").await, -213);
    client.event(json!({"event_name": "follow", "follower": {"id": USER}})).await;
    assert_eq!(client.text("Xin chào").await, -230);
    client.event(json!({"event_name": "user_send_text", "sender": {"id": USER}})).await;
    assert_eq!(client.text(&"ă".repeat(2_000)).await, 0);
    assert_eq!(client.text(&"ă".repeat(2_001)).await, -201);
    client.clock.set_ms(parse_instant("2026-12-01T10:00:00+07:00").unwrap());
    client.new_tokens().await;
    let body = json!({"user_id": USER, "template_id": "100", "template_data": {"points": "5"}});
    assert_eq!(client.text("Xin chào").await, -230);
    assert_eq!(code(&client.post("/v3.0/oa/message/template", body.clone()).await), 0);

    let detail = format!("{}/v3.0/oa/user/detail?data={}", client.url, format_args!("{{\"user_id\":\"{USER}\"}}"));
    let get = || client.http.get(&detail).header("access_token", &client.access).send();
    let told: Value = get().await.unwrap().json().await.unwrap();
    assert_eq!((&told["data"]["user_is_follower"], &told["data"]["shared_info"]["phone"]), (&json!(true), &json!(0)));
    assert_eq!(told["data"]["user_last_interaction_date"], "23/11/2026");
    client.event(json!({"event_name": "unfollow", "follower": {"id": USER}})).await;
    assert_eq!(code(&client.post("/v3.0/oa/message/template", body).await), -213);
    let told: Value = get().await.unwrap().json().await.unwrap();
    assert_eq!((&told["data"]["user_is_follower"], &told["data"]["shared_info"]), (&json!(false), &Value::Null));
}

#[tokio::test]
async fn a_refresh_token_works_once_and_a_second_use_locks_the_shop_out() {
    let data = TempDir::new().unwrap();
    let mut client = Client::ready(data.path()).await;
    // Another start of the stack knows the tokens of this one.
    let mut again = Client::start(data.path());
    (again.access, again.refresh) = (client.access.clone(), client.refresh.clone());
    assert_eq!(code(&again.template(json!({})).await), 0);
    drop(again);

    client.script(json!({"expire_tokens": true})).await;
    assert_eq!(code(&client.template(json!({})).await), -124);
    assert_eq!(client.text("Xin chào").await, -220);
    let used = client.refresh.clone();
    assert_eq!(client.new_tokens().await["error"], Value::Null);
    assert_eq!(code(&client.template(json!({})).await), 0);
    assert_eq!(code(&client.token(&used).await), -14014);
    assert_eq!(client.text("Xin chào").await, -216, "the pair of the first use is revoked too");
    assert_eq!(code(&client.new_tokens().await), -14014);
    client.script(json!({"refresh_token": "from-the-console"})).await;
    client.refresh = "from-the-console".to_owned();
    assert_eq!(client.new_tokens().await["error"], Value::Null);
}

#[tokio::test]
async fn a_token_ends_when_the_stacks_clock_says_so() {
    let data = TempDir::new().unwrap();
    let mut client = Client::ready(data.path()).await;
    client.script(json!({"token_seconds": 3_600})).await;
    assert_eq!(client.new_tokens().await["expires_in"], "3600");
    client.clock.set_ms(parse_instant("2026-11-23T10:59:50+07:00").unwrap());
    assert_eq!(code(&client.template(json!({})).await), 0);
    client.clock.set_ms(parse_instant("2026-11-23T11:00:30+07:00").unwrap());
    assert_eq!(code(&client.template(json!({})).await), -124);
}

#[tokio::test]
async fn rate_and_quota_are_kept_and_told() {
    let data = TempDir::new().unwrap();
    let client = Client::ready(data.path()).await;
    client.clock.set_ms(parse_instant("2026-11-23T10:00:10+07:00").unwrap());
    client.script(json!({"rate_per_minute": 2, "daily_quota": 3})).await;
    let body = json!({"phone": PHONE, "template_id": "1", "tracking_id": "m", "template_data": {}});
    let answer = client.send("/message/template", &body).await.unwrap();
    assert_eq!(answer.headers()["x-ratelimit-limit"], "2");
    assert_eq!(answer.headers()["x-ratelimit-remaining"], "1");
    assert_eq!(code(&client.template(json!({})).await), 0);
    assert_eq!(code(&client.template(json!({})).await), -32);
    client.clock.set_ms(parse_instant("2026-11-23T10:01:10+07:00").unwrap());
    let last = client.template(json!({})).await;
    assert_eq!(last["data"]["quota"]["remainingQuota"], "0");
    assert_eq!(code(&client.template(json!({})).await), -144);
    // A day ends at midnight in Vietnam.
    client.clock.set_ms(parse_instant("2026-11-24T00:00:10+07:00").unwrap());
    assert_eq!(code(&client.template(json!({})).await), 0);
}

#[tokio::test]
async fn a_script_decides_for_whom_how_often_and_how() {
    let data = TempDir::new().unwrap();
    let client = Client::ready(data.path()).await;
    client
        .script(json!({"rules": [
            {"phone": PHONE, "error": -118, "calls": 2},
            {"on": "template_phone", "after": 1, "drop": "after", "calls": 1},
            {"on": "template_phone", "after": 1, "drop": "before", "calls": 1},
        ]}))
        .await;
    let other = json!({"phone": "84987654321", "tracking_id": "m2"});
    assert_eq!(code(&client.template(other.clone()).await), 0);
    assert_eq!(code(&client.template(json!({})).await), -118);
    assert_eq!(code(&client.template(json!({})).await), -118);
    let body = json!({"phone": PHONE, "template_id": "1", "tracking_id": "m3", "template_data": {}});
    assert!(client.send("/message/template", &body).await.is_err(), "the reply is lost");
    assert!(client.send("/message/template", &body).await.is_err(), "it broke off");
    assert_eq!(code(&client.template(json!({})).await), 0);
    let sent = client.sent("limit=1000").await;
    let lost: Vec<&Value> = sent.iter().filter(|message| message["tracking_id"] == "m3").collect();
    assert_eq!(lost.len(), 1, "what broke off did not arrive: {lost:?}");
    assert_eq!((&lost[0]["answered"], lost[0]["msg_id"].is_string()), (&json!(false), true));

    let started = std::time::Instant::now();
    client.script(json!({"rules": [{"delay_ms": 300, "calls": 1}]})).await;
    assert_eq!(code(&client.template(json!({})).await), 0);
    assert!(started.elapsed().as_millis() >= 300);
    let wrong = client.send("/_zalo/script", &json!({"rule": []})).await.unwrap();
    assert_eq!(wrong.status(), 400);
}

#[test]
fn the_shops_own_account_is_used_whole_or_not_at_all() {
    let from = |given: &'static [(&str, &str)]| {
        Zalo::from_lookup(|name| given.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    };
    assert_eq!(from(&[]).unwrap(), Zalo::StandIn);
    assert_eq!(from(&[("ZALO_APP_ID", " ")]).unwrap(), Zalo::StandIn);
    let half = from(&[("ZALO_APP_ID", "7"), ("ZALO_REFRESH_TOKEN", "hidden")]).unwrap_err().to_string();
    assert!(half.contains("ZALO_APP_SECRET") && !half.contains("hidden"), "{half}");
    let own = from(&[("ZALO_APP_ID", "7"), ("ZALO_APP_SECRET", "s"), ("ZALO_REFRESH_TOKEN", "r")]).unwrap();
    let Zalo::Own(variables) = own else { panic!("the shop's own") };
    assert!(!variables.contains_key("ZALO_OPENAPI_URL"), "Zalo's own address stays");
    assert!(!variables.contains_key("ZALO_CALLS_PER_MINUTE"), "what the template says stays");
    assert_eq!(variables["ZALO_EGRESS_PROXY"], "", "there is no secret store here to look for one in");
}

#[test]
fn how_the_shops_own_account_is_called_reaches_the_functions() {
    let manners = [("ZALO_EGRESS_PROXY", "http://proxy.example:3128"), ("ZALO_CALLS_PER_MINUTE", "60")];
    let from = |account: &[(&str, &str)]| {
        let given: BTreeMap<_, _> = account.iter().chain(&manners).copied().collect();
        Zalo::from_lookup(|name| given.get(name).map(|value| (*value).to_owned())).unwrap()
    };
    assert_eq!(from(&[]), Zalo::StandIn, "they name no account");
    let own = from(&[("ZALO_APP_ID", "7"), ("ZALO_APP_SECRET", "s"), ("ZALO_REFRESH_TOKEN", "r")]);
    let Zalo::Own(variables) = own else { panic!("the shop's own") };
    for (name, value) in manners {
        assert_eq!(variables.get(name).map(String::as_str), Some(value), "{name}");
    }
}
