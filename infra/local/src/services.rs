//! The AWS endpoints functions call besides DynamoDB: SQS, EventBridge and Lambda's `Invoke`,
//! told apart by `X-Amz-Target`, on one port together with the Runtime API.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use crate::bus::Bus;
use crate::functions::{Functions, InvokeError, runtime_api};
use crate::queue::http::SqsEndpoint;

/// Larger than any request the services take.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

#[derive(Clone)]
struct Services {
    sqs: SqsEndpoint,
    bus: Arc<Bus>,
    functions: Arc<Functions>,
}

/// Routes of the services and of the Runtime API.
pub fn router(sqs: SqsEndpoint, bus: Arc<Bus>, functions: Arc<Functions>) -> Router {
    let runtime = runtime_api::router(Arc::clone(&functions));
    Router::new()
        .route("/", post(answer))
        .route("/2015-03-31/functions/{function}/invocations", post(invoke))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Services { sqs, bus, functions })
        .merge(runtime)
}

async fn answer(State(services): State<Services>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        return refusal("SerializationException", "the body is not JSON");
    };
    match target.split_once('.') {
        Some(("AmazonSQS", operation)) => services.sqs.answer(operation, &request).await,
        Some(("AWSEvents", "PutEvents")) => services.bus.put_events(&request).await,
        _ => refusal("UnknownOperationException", &format!("the local stack does not have “{target}”")),
    }
}

async fn invoke(State(services): State<Services>, Path(function): Path<String>, body: Bytes) -> Response {
    let Some(pool) = services.functions.get(&function) else {
        return (
            StatusCode::NOT_FOUND,
            json!({"__type": "ResourceNotFoundException", "Message": format!("Function not found: {function}")})
                .to_string(),
        )
            .into_response();
    };
    let payload = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
    match pool.invoke(payload).await {
        Ok(answer) => answer.into_response(),
        Err(InvokeError::Failed(error)) => ([("x-amz-function-error", "Unhandled")], error).into_response(),
        Err(error) => ([("x-amz-function-error", "Unhandled")], json!({"errorMessage": error.to_string()}).to_string())
            .into_response(),
    }
}

fn refusal(code: &str, message: &str) -> Response {
    (StatusCode::BAD_REQUEST, json!({"__type": code, "message": message}).to_string()).into_response()
}
