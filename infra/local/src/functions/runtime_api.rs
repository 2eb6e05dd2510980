//! Lambda's Runtime API, one path prefix per process: `/runtime/{function}/{instance}/…`.
//!
//! `/next` is held open until there is work: an empty answer is an error to the client.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::sync::Arc;

use super::{Functions, InvokeError};
use crate::clock;
use crate::template::{ACCOUNT, REGION};

/// Lambda's limit of a synchronous answer.
const RESPONSE_BYTES_MAX: usize = 6 * 1024 * 1024;
const PREFIX: &str = "/runtime/{function}/{instance}/2018-06-01/runtime";

/// Routes of the Runtime API.
pub fn router(functions: Arc<Functions>) -> Router {
    Router::new()
        .route(&format!("{PREFIX}/invocation/next"), get(next))
        .route(&format!("{PREFIX}/invocation/{{request}}/response"), post(response))
        .route(&format!("{PREFIX}/invocation/{{request}}/error"), post(error))
        .route(&format!("{PREFIX}/init/error"), post(init_error))
        .layer(DefaultBodyLimit::max(RESPONSE_BYTES_MAX))
        .with_state(functions)
}

async fn next(State(functions): State<Arc<Functions>>, Path((function, instance)): Path<(String, u32)>) -> Response {
    let Some(pool) = functions.get(&function) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Some((request_id, payload)) = pool.next(instance).await else {
        return StatusCode::GONE.into_response();
    };
    let timeout_ms = i64::from(pool.launch.timeout_seconds) * 1_000;
    let headers = [
        ("lambda-runtime-aws-request-id", request_id),
        (
            "lambda-runtime-deadline-ms",
            // The client compares the deadline with the machine's clock.
            (clock::machine_ms() + timeout_ms).to_string(),
        ),
        ("lambda-runtime-invoked-function-arn", format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}")),
        ("content-type", "application/json".to_owned()),
    ];
    let mut response = Response::new(payload.into());
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

async fn response(
    State(functions): State<Arc<Functions>>,
    Path((function, instance, request)): Path<(String, u32, String)>,
    body: Bytes,
) -> StatusCode {
    complete(&functions, &function, instance, &request, Ok(body))
}

async fn error(
    State(functions): State<Arc<Functions>>,
    Path((function, instance, request)): Path<(String, u32, String)>,
    body: Bytes,
) -> StatusCode {
    let text = String::from_utf8_lossy(&body).into_owned();
    let outcome = Err(InvokeError::Failed(text));
    complete(&functions, &function, instance, &request, outcome)
}

async fn init_error(Path((function, _)): Path<(String, u32)>, body: Bytes) -> StatusCode {
    let error = String::from_utf8_lossy(&body).into_owned();
    tracing::error!(function, error, "the function could not start");
    StatusCode::ACCEPTED
}

fn complete(
    functions: &Functions,
    function: &str,
    instance: u32,
    request: &str,
    outcome: super::Invoked,
) -> StatusCode {
    let known = functions.get(function).is_some_and(|pool| pool.complete(instance, request, outcome));
    if known { StatusCode::ACCEPTED } else { StatusCode::BAD_REQUEST }
}
