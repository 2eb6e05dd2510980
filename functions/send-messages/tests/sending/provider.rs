//! A Zalo and a shop of our own on this machine: one server that does as it is told and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use loyalty_runtime::calls::Caller;
use loyalty_zalo::{Account, Zalo};
use serde_json::{Value, json};

/// What happens to one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Take,
    Code(i64),
    /// It is taken, and the answer never arrives.
    TakeAndDrop,
    Status(u16),
}

#[derive(Default)]
pub struct World {
    /// Acts for the next messages; after them every one is taken.
    pub script: VecDeque<Act>,
    /// Messages that were taken: path and body.
    pub taken: Vec<(String, Value)>,
    /// Every call for a message, taken or not.
    pub calls: usize,
    pub webhooks: Vec<(HeaderMap, String)>,
    pub generation: u64,
    pub refreshes: usize,
    /// Refreshes whose answer never arrives; the token is used up all the same.
    pub drop_refreshes: usize,
    pub refresh_takes: Duration,
    /// Acts for the next refreshes that are not looked at, and for the next questions about a user.
    pub refresh_script: VecDeque<Act>,
    pub detail_script: VecDeque<Act>,
    /// The access token ends after so many more calls.
    pub token_calls: Option<usize>,
    pub follows: Option<bool>,
    /// What is said to be left of the quota; 499 unless it says so.
    pub quota_left: Option<u64>,
    /// So many calls within so long; what is beyond is refused.
    pub rate: Option<(usize, Duration)>,
    window: Option<(Instant, usize)>,
    pub limited: usize,
}

#[derive(Clone, Default)]
pub struct Provider {
    world: Arc<Mutex<World>>,
    pub url: String,
}

/// The first refresh token; each refresh gives the next.
pub fn refresh_token(generation: u64) -> String {
    format!("refresh-canary-{generation}")
}

fn access_token(generation: u64) -> String {
    format!("access-canary-{generation}")
}

impl Provider {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let provider = Self { world: Arc::default(), url };
        let router = Router::new().fallback(answer).with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Refreshes, and calls for messages.
    pub fn counts(&self) -> (usize, usize) {
        let world = self.world();
        (world.refreshes, world.calls)
    }

    pub fn script(&self, acts: impl IntoIterator<Item = Act>) {
        self.world().script.extend(acts);
    }

    pub fn zalo(&self) -> Zalo {
        let account = Account {
            openapi_url: self.url.clone(),
            business_url: self.url.clone(),
            oauth_url: self.url.clone(),
            app_id: "360".to_owned(),
            app_secret: "secret-canary".to_owned(),
        };
        Zalo::new(Caller::new(None).unwrap(), account)
    }
}

/// Breaks the connection without an answer, and without a word on standard error.
fn drop_connection() -> ! {
    std::panic::resume_unwind(Box::new("the connection is dropped"))
}

async fn answer(State(provider): State<Provider>, uri: Uri, headers: HeaderMap, body: String) -> Response {
    match uri.path() {
        "/v4/oa/access_token" => refresh(&provider, &headers, &body).await,
        "/v3.0/oa/user/detail" => {
            let world = &mut *provider.world();
            if headers["access_token"] != access_token(world.generation) {
                return json_of(json!({"error": -216, "message": "Access token is invalid"}));
            }
            if let Some(refusal) = world.detail_script.pop_front().and_then(refusal) {
                return refusal;
            }
            let follows = world.follows.unwrap_or(false);
            json_of(json!({"error": 0, "data": {"user_is_follower": follows}}))
        }
        "/shop" => {
            let world = &mut *provider.world();
            let act = world.script.pop_front().unwrap_or(Act::Take);
            if let Act::Status(status) = act {
                return (axum::http::StatusCode::from_u16(status).unwrap(), "").into_response();
            }
            world.webhooks.push((headers, body));
            if act == Act::TakeAndDrop { drop_connection() } else { "ok".into_response() }
        }
        path => message(&provider, path, &headers, &body),
    }
}

async fn refresh(provider: &Provider, headers: &HeaderMap, body: &str) -> Response {
    let takes = provider.world().refresh_takes;
    tokio::time::sleep(takes).await;
    let world = &mut *provider.world();
    if let Some(refusal) = world.refresh_script.pop_front().and_then(refusal) {
        return refusal;
    }
    world.refreshes += 1;
    assert_eq!(headers["secret_key"], "secret-canary");
    if !body.contains(&format!("refresh_token={}&", refresh_token(world.generation))) {
        return json_of(json!({"error": -14014, "error_name": "Invalid refresh token."}));
    }
    world.generation += 1;
    world.token_calls = None;
    if world.drop_refreshes > 0 {
        world.drop_refreshes -= 1;
        drop_connection();
    }
    let generation = world.generation;
    json_of(json!({
        "access_token": access_token(generation), "refresh_token": refresh_token(generation), "expires_in": "90000"}))
}

fn message(provider: &Provider, path: &str, headers: &HeaderMap, body: &str) -> Response {
    let world = &mut *provider.world();
    world.calls += 1;
    if let Some((calls, within)) = world.rate {
        let (since, count) = world.window.filter(|(since, _)| since.elapsed() < within).unwrap_or((Instant::now(), 0));
        world.window = Some((since, count + 1));
        if count >= calls {
            world.limited += 1;
            return json_of(json!({"error": -32, "message": "rate"}));
        }
    }
    if headers["access_token"] != access_token(world.generation) {
        return json_of(json!({"error": -216, "message": "Access token is invalid"}));
    }
    if let Some(left) = &mut world.token_calls {
        if *left == 0 {
            return json_of(json!({"error": -220, "message": "Access token has expired"}));
        }
        *left -= 1;
    }
    let act = world.script.pop_front().unwrap_or(Act::Take);
    match act {
        Act::Code(_) | Act::Status(_) => refusal(act).expect("it is one"),
        Act::Take | Act::TakeAndDrop => {
            world.taken.push((path.to_owned(), serde_json::from_str(body).unwrap()));
            if act == Act::TakeAndDrop {
                drop_connection();
            }
            let id = format!("z{}", world.taken.len());
            let left = world.quota_left.unwrap_or(499);
            json_of(json!({"error": 0, "message": "Success", "data": {
                "msg_id": id, "message_id": id, "quota": {"remainingQuota": left.to_string(), "remain": left}}}))
        }
    }
}

/// What is answered instead of doing it.
fn refusal(act: Act) -> Option<Response> {
    match act {
        Act::Take => None,
        Act::Code(code) => Some(json_of(json!({"error": code, "message": "refused", "data": null}))),
        Act::Status(status) => Some((axum::http::StatusCode::from_u16(status).unwrap(), "busy").into_response()),
        Act::TakeAndDrop => drop_connection(),
    }
}

fn json_of(body: Value) -> Response {
    ([("content-type", "application/json")], body.to_string()).into_response()
}
