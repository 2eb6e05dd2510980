//! The HTTP API: what API Gateway does between a shop and a function.
//!
//! Never looks into a body and never invents a header: functions see what they would see in the
//! cloud, with the stack's clock as the request time.

mod body;
mod cors;
mod event;
mod routes;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::clock::Clock;
use crate::error::Result;
use crate::functions::{Functions, InvokeError};
use crate::problem::problem;
use crate::template::{Cors, Route};

/// Lambda's limit of a synchronous payload, the event around the body included.
const EVENT_BYTES_MAX: usize = 6 * 1024 * 1024;
/// A client that announces a body and sends none is not waited for any longer.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// API Gateway gives up on a function after this long.
const INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// The door and what has come through it.
pub struct Gateway {
    routes: routes::Routes,
    functions: Arc<Functions>,
    clock: Arc<Clock>,
    /// `METHOD path` of the route → status → requests.
    counts: Mutex<BTreeMap<String, BTreeMap<u16, u64>>>,
}

impl Gateway {
    /// A door with the template's routes.
    pub fn new(routes: &[Route], functions: Arc<Functions>, clock: Arc<Clock>) -> Arc<Self> {
        Arc::new(Self { routes: routes::Routes::new(routes), functions, clock, counts: Mutex::default() })
    }

    /// Requests by route and status since the stack started.
    pub fn counts(&self) -> BTreeMap<String, BTreeMap<u16, u64>> {
        self.counts.lock().expect("not poisoned").clone()
    }

    /// A router that answers everything.
    ///
    /// # Errors
    /// When the template's words on web pages of other origins are none of HTTP.
    pub fn router(self: Arc<Self>, cors: Option<&Cors>) -> Result<Router> {
        let router = Router::new().fallback(handle).with_state(self);
        Ok(match cors {
            Some(cors) => router.layer(cors::layer(cors)?),
            None => router,
        })
    }

    fn count(&self, route: &str, status: StatusCode) {
        let mut counts = self.counts.lock().expect("not poisoned");
        let statuses = counts.entry(route.to_owned()).or_default();
        *statuses.entry(status.as_u16()).or_default() += 1;
    }
}

async fn handle(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let method = request.method().as_str().to_owned();
    let Some(matched) = gateway.routes.find(&method, request.uri().path()) else {
        gateway.count("(no route)", StatusCode::NOT_FOUND);
        return problem(
            StatusCode::NOT_FOUND,
            "no-route",
            &format!("There is nothing at {method} {}.", request.uri().path()),
        );
    };
    let key = matched.key.clone();
    let response = answer(&gateway, matched, client, request).await;
    gateway.count(&key, response.status());
    response
}

async fn answer(gateway: &Gateway, matched: routes::Matched, client: SocketAddr, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = match tokio::time::timeout(BODY_TIMEOUT, body::read(body)).await {
        Ok(Ok(body)) => body,
        Err(_) => {
            let detail = "The request body did not come within 30 seconds of its headers.";
            return problem(StatusCode::REQUEST_TIMEOUT, "slow-body", detail);
        }
        Ok(Err(body::Unread::TooLarge)) => return too_large(),
        Ok(Err(body::Unread::Broken)) => {
            return problem(StatusCode::BAD_REQUEST, "broken-body", "The request body ended before it was complete.");
        }
    };
    let payload = event::request(&matched, &head, &body, client, gateway.clock.now_ms());
    if payload.len() > EVENT_BYTES_MAX {
        return too_large();
    }
    let Some(pool) = gateway.functions.get(&matched.function) else {
        return problem(
            StatusCode::BAD_GATEWAY,
            "no-function",
            &format!("The route names a function {} that does not exist.", matched.function),
        );
    };
    let invoked = tokio::time::timeout(INTEGRATION_TIMEOUT, pool.invoke(Bytes::from(payload)));
    match invoked.await {
        Ok(Ok(answer)) => event::response(&answer).unwrap_or_else(|| {
            problem(
                StatusCode::BAD_GATEWAY,
                "unreadable-answer",
                &format!("The function {} answered with something that is not an HTTP response.", matched.function),
            )
        }),
        Ok(Err(InvokeError::TimedOut(seconds))) => timed_out(&matched.function, u64::from(seconds)),
        Err(_) => timed_out(&matched.function, INTEGRATION_TIMEOUT.as_secs()),
        Ok(Err(InvokeError::Stopping)) => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "stopping", "The stack is stopping; send the request again.")
        }
        Ok(Err(error @ (InvokeError::Failed(_) | InvokeError::Crashed(_)))) => {
            tracing::warn!(function = matched.function, %error, "invocation failed");
            problem(
                StatusCode::BAD_GATEWAY,
                "function-failed",
                &format!("The function {} failed; its log says why.", matched.function),
            )
        }
    }
}

fn too_large() -> Response {
    problem(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        "The request body is larger than the gateway takes (10 MB, or 6 MB as an event).",
    )
}

fn timed_out(function: &str, seconds: u64) -> Response {
    problem(
        StatusCode::GATEWAY_TIMEOUT,
        "function-timed-out",
        &format!("The function {function} did not answer within {seconds} seconds."),
    )
}
