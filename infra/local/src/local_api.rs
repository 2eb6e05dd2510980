//! `/_local/…`: what only the local stack has. Operators and tests use it; functions never do.
//!
//! Answers only to a loopback `Host`, so that a tunnel opened for a shop's webhooks, or a web page
//! that points a name at this machine, reaches the product but not these controls.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::parse_instant;
use crate::error::StackError;
use crate::problem::problem;
use crate::sample::{SampleOrder, curl_config};
use crate::stack::{Drained, Running};

type Shared = State<Arc<Running>>;

/// Events listed unless the caller says otherwise.
const EVENTS: usize = 100;
/// Seconds a drain waits unless the caller says otherwise.
const DRAIN_SECONDS: u64 = 60;

/// Routes under `/_local`.
pub fn router(running: Arc<Running>) -> Router {
    Router::new()
        .route("/_local/health", get(health))
        .route("/_local/clock", get(clock))
        .route("/_local/stats", get(stats))
        .route("/_local/events", get(events))
        .route("/_local/drain", post(drain))
        .route("/_local/advance", post(advance))
        .route("/_local/invoke", post(invoke))
        .route("/_local/dead-letters", get(dead_letters))
        .route("/_local/dead-letters/replay", post(replay))
        .route("/_local/sample-order", get(sample_order))
        .route_layer(middleware::from_fn(loopback_only))
        .with_state(running)
}

async fn loopback_only(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if matches!(name, "127.0.0.1" | "localhost" | "[::1]") {
        return next.run(request).await;
    }
    problem(StatusCode::FORBIDDEN, "loopback-only", "The controls of the local stack answer on this machine only.")
}

async fn health(State(running): Shared) -> Response {
    json_response(&json!({
        "status": "ok",
        "http": running.url(),
        "dynamodb": running.dynamodb_url(),
        "services": format!("http://{}", running.services),
        "zalo": running.zalo.as_ref().map(|zalo| format!("http://{}", zalo.address)),
        "table_prefix": running.options.table_prefix,
        "programme": std::path::absolute(&running.options.programme).ok(),
        "settle_seconds": running.settle_seconds,
        "clock": crate::clock::iso(running.clock.now_ms()),
    }))
}

/// What senders of messages take as now.
async fn clock(State(running): Shared) -> Response {
    let now = crate::clock::instant(running.clock.now_ms()).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    json_response(&json!({"now": now}))
}

async fn stats(State(running): Shared) -> Response {
    json_response(&running.stats())
}

#[derive(Deserialize)]
struct EventsQuery {
    limit: Option<usize>,
}

async fn events(State(running): Shared, Query(query): Query<EventsQuery>) -> Response {
    json_response(&json!({"events": running.bus.recent(query.limit.unwrap_or(EVENTS))}))
}

#[derive(Deserialize)]
struct DrainQuery {
    timeout_seconds: Option<u64>,
}

async fn drain(State(running): Shared, Query(query): Query<DrainQuery>) -> Response {
    let limit = Duration::from_secs(query.timeout_seconds.unwrap_or(DRAIN_SECONDS));
    match running.drain(limit).await {
        Ok(Drained::Empty) => json_response(&json!({"drained": true})),
        Ok(Drained::Left(left)) => problem(
            StatusCode::GATEWAY_TIMEOUT,
            "not-drained",
            &format!("After {} seconds there are still: {}.", limit.as_secs(), left.join(", ")),
        ),
        Err(error) => failed(&error),
    }
}

async fn advance(State(running): Shared, body: Bytes) -> Response {
    let to = match instant(&body, "to") {
        Ok(Some(to)) => to,
        Ok(None) => return refused("Send {\"to\": \"2026-11-23T08:00:00+07:00\"}."),
        Err(detail) => return refused(&detail),
    };
    if to < running.clock.now_ms() {
        let now = crate::clock::iso(running.clock.now_ms());
        return refused(&format!("The clock is at {now} already and never goes back."));
    }
    match running.advance(to).await {
        Ok(fired) => json_response(&json!({
            "clock": crate::clock::iso(running.clock.now_ms()),
            "fired": fired,
        })),
        Err(error) => failed(&error),
    }
}

async fn invoke(State(running): Shared, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Some(name) = request["name"].as_str() else {
        return refused("Send {\"name\": \"weekly-campaign\", \"at\": \"2026-11-23T08:00:00+07:00\"}.");
    };
    let at = match instant(&body, "at") {
        Ok(at) => at.unwrap_or_else(|| running.clock.now_ms()),
        Err(detail) => return refused(&detail),
    };
    let payload = request.get("payload").cloned();
    match running.invoke(name, at, payload).await {
        Ok(invocation) => json_response(&json!(invocation)),
        Err(error) => refused(&error.report()),
    }
}

async fn dead_letters(State(running): Shared) -> Response {
    match running.dead_letters().await {
        Ok(letters) => json_response(&json!({"dead_letters": letters})),
        Err(error) => failed(&error),
    }
}

async fn replay(State(running): Shared, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    match running.replay(request["message_id"].as_str()).await {
        Ok(replayed) => json_response(&json!({"replayed": replayed})),
        Err(error) => failed(&error),
    }
}

async fn sample_order(State(running): Shared, Query(order): Query<SampleOrder>) -> Response {
    let variable = format!("WEBHOOK_SECRET_{}", order.source.as_str().to_uppercase());
    let secrets = running.secrets.get(&variable).unwrap_or_default();
    match curl_config(&order, &running.url(), running.clock.now_ms(), secrets) {
        Some(config) => config.into_response(),
        None => refused(&format!("{variable} cannot sign a sample order: it must be whsec_ and base64.")),
    }
}

fn instant(body: &[u8], field: &str) -> Result<Option<i64>, String> {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    request[field].as_str().map(parse_instant).transpose()
}

fn json_response(body: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], format!("{body:#}\n")).into_response()
}

fn refused(detail: &str) -> Response {
    problem(StatusCode::BAD_REQUEST, "bad-request", detail)
}

fn failed(error: &StackError) -> Response {
    problem(StatusCode::INTERNAL_SERVER_ERROR, "stack", &error.report())
}
