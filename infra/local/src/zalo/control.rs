//! `/_zalo/…`: what was sent, the script, and events of the Official Account as a person's phone would cause them.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use axum::response::Response;
use loyalty_signatures::sign_zalo;
use serde_json::{Value, json};

use super::account::{DEVELOPMENT, User};
use super::answers::json_response;
use super::record::Record;
use super::script::Script;
use super::server::Call;
use super::{Shared, account::Account};
use crate::problem::problem;

/// Calls listed unless the caller says otherwise.
const LIMIT: usize = 100;

pub async fn answer(shared: &Arc<Shared>, call: &Call) -> Response {
    match (&call.method, call.path.as_str()) {
        (&Method::GET, "/_zalo/messages") => list(shared, call, |record| record.kind.is_message()),
        (&Method::GET, "/_zalo/calls") => list(shared, call, |_| true),
        (&Method::DELETE, "/_zalo/messages") => {
            shared.account.lock().expect("not poisoned").records.clear();
            json_response(&json!({"cleared": true}))
        }
        (&Method::GET, "/_zalo/script") => json_response(&script(&shared.account.lock().expect("not poisoned"))),
        (&Method::POST, "/_zalo/script") => match serde_json::from_slice::<Script>(&call.body) {
            Err(error) => refused(&format!("The script cannot be read: {error}.")),
            Ok(given) => {
                let mut account = shared.account.lock().expect("not poisoned");
                match account.follow_script(given) {
                    Ok(()) => json_response(&script(&account)),
                    Err(detail) => refused(&detail),
                }
            }
        },
        (&Method::POST, "/_zalo/events") => event(shared, call).await,
        _ => {
            let detail = "There are GET and DELETE /_zalo/messages, GET /_zalo/calls, GET and POST /_zalo/script, and \
                          POST /_zalo/events.";
            problem(StatusCode::NOT_FOUND, "unknown-address", detail)
        }
    }
}

/// `?phone=`, `?user_id=`, `?after=` a number and `?limit=`.
fn list(shared: &Shared, call: &Call, wanted: impl Fn(&Record) -> bool) -> Response {
    let query = |name: &str| Call::form(&call.query, name);
    let number = |name: &str| query(name).and_then(|text| text.parse::<u64>().ok());
    let (phone, user_id, after) = (query("phone"), query("user_id"), number("after").unwrap_or(0));
    let limit = number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(LIMIT);
    let same = |asked: &Option<String>, known: &Option<String>| asked.is_none() || asked == known;
    let account = shared.account.lock().expect("not poisoned");
    let found = account.records.list(limit, |record| {
        wanted(record) && same(&phone, &record.phone) && same(&user_id, &record.user_id) && record.number > after
    });
    json_response(&json!({"messages": found, "counts": account.records.counts()}))
}

fn script(account: &Account) -> Value {
    json!({
        "rules": account.rules.list(), "templates": account.templates, "receipts": account.receipts,
        "token_seconds": account.token_seconds, "rate_per_minute": account.rate_per_minute,
        "daily_quota": account.daily_quota, "users": account.users,
    })
}

/// An event of the Official Account. What every event has is filled in, the stand-in takes note of it as Zalo would, and
/// it is signed and delivered; the answer says what the door answered.
async fn event(shared: &Arc<Shared>, call: &Call) -> Response {
    let Ok(Value::Object(given)) = serde_json::from_slice(&call.body) else {
        return refused(
            "Send an event, such as {\"event_name\": \"follow\", \"follower\": {\"id\": \"24684588352919792\"}}.",
        );
    };
    let now_ms = shared.clock.now_ms();
    let mut event = json!({"app_id": DEVELOPMENT.app_id, "oa_id": DEVELOPMENT.oa_id, "timestamp": now_ms.to_string()});
    for (name, value) in given {
        event[name] = value;
    }
    if let Some(at_ms) = event["timestamp"].as_str().and_then(|text| text.parse().ok()) {
        note(&mut shared.account.lock().expect("not poisoned"), &event, at_ms);
    }
    match deliver(shared, &event).await {
        Ok(status) => json_response(&json!({"delivered": event, "status": status})),
        Err(error) => problem(StatusCode::BAD_GATEWAY, "not-delivered", &format!("The door did not answer: {error}.")),
    }
}

/// What Zalo itself knows after an event.
fn note(account: &mut Account, event: &Value, at_ms: i64) {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let name = event["event_name"].as_str().unwrap_or_default();
    let id = text(&event["follower"]["id"]).or_else(|| text(&event["sender"]["id"]));
    let Some(id) = id.filter(|_| !name.starts_with("user_received") && !name.starts_with("user_seen")) else { return };
    let user: &mut User = account.users.entry(id).or_default();
    match name {
        "follow" => user.follows = true,
        "unfollow" => user.follows = false,
        "user_submit_info" => {
            user.last_interaction_ms = Some(at_ms);
            user.phone = match &event["info"]["phone"] {
                Value::Number(number) => Some(number.to_string()),
                other => text(other),
            };
        }
        _ => user.last_interaction_ms = Some(at_ms),
    }
}

/// Tells the door that a message was received: by the phone number and our own tracking id, or by the user.
pub async fn receipt(shared: Arc<Shared>, record: Record) {
    let now = shared.clock.now_ms().to_string();
    let event = json!({
        "event_name": "user_received_message", "app_id": DEVELOPMENT.app_id, "sender": {"id": DEVELOPMENT.oa_id},
        "recipient": {"id": record.phone.or(record.user_id)}, "timestamp": now,
        "message": {"delivery_time": now, "msg_id": record.msg_id, "tracking_id": record.tracking_id},
    });
    if let Err(error) = deliver(&shared, &event).await {
        tracing::warn!(error = %error.without_url(), "a receipt of the Zalo stand-in was not delivered");
    }
}

async fn deliver(shared: &Shared, event: &Value) -> reqwest::Result<u16> {
    let body = event.to_string();
    let timestamp = event["timestamp"].as_str().unwrap_or_default();
    let mac = sign_zalo(DEVELOPMENT.oa_secret.as_bytes(), DEVELOPMENT.app_id, timestamp, body.as_bytes());
    let request = shared.http.post(&shared.door).header("X-ZEvent-Signature", format!("mac={mac}")).body(body);
    Ok(request.header("content-type", "application/json").send().await?.status().as_u16())
}

fn refused(detail: &str) -> Response {
    problem(StatusCode::BAD_REQUEST, "bad-request", detail)
}
