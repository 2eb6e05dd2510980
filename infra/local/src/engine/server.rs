//! The DynamoDB endpoint: counts every request, answers the hot ones at once, and passes the rest
//! to the engine's own server, so that any SDK and the AWS CLI find the whole protocol.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;
use dynoxide::Database;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use super::tokens::Tokens;
use super::{Job, hot, usage};

/// What the endpoint needs besides the database.
pub struct Parts {
    pub listener: TcpListener,
    pub usage: Arc<usage::Book>,
    pub writes: Arc<HashMap<String, watch::Sender<u64>>>,
}

#[derive(Clone)]
struct Endpoint {
    database: Database,
    tokens: Arc<Mutex<Tokens>>,
    usage: Arc<usage::Book>,
    writes: Arc<HashMap<String, watch::Sender<u64>>>,
    /// The engine's own server, on a port only this process knows.
    whole: String,
    client: reqwest::Client,
}

/// DynamoDB takes bodies up to 16 MB.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
const TARGET_PREFIX: &str = "DynamoDB_20120810.";

/// Serves until told to stop. Blocks the calling thread, which belongs to the engine alone.
pub fn run(
    parts: Parts,
    database: Database,
    connection: Connection,
    mut jobs: mpsc::UnboundedReceiver<Job>,
    stop: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    let served: std::io::Result<()> = runtime.block_on(async {
        let whole = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = whole.local_addr()?;
        tokio::spawn(dynoxide::server::serve_on(whole, database.clone()));
        parts.listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(parts.listener)?;
        let endpoint = Endpoint {
            database: database.clone(),
            tokens: Arc::default(),
            usage: parts.usage,
            writes: parts.writes,
            whole: format!("http://{address}/"),
            client: reqwest::Client::new(),
        };
        let router = Router::new().fallback(handle).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).with_state(endpoint);
        let serve = async { axum::serve(listener, router).await };
        let work = async {
            while let Some(job) = jobs.recv().await {
                job(&database, &connection);
            }
        };
        tokio::select! {
            result = serve => result,
            () = work => Ok(()),
            _ = stop => Ok(()),
        }
    });
    if let Err(error) = served {
        tracing::error!(%error, "the DynamoDB endpoint stopped");
    }
}

async fn handle(
    State(endpoint): State<Endpoint>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let operation = text("x-amz-target").and_then(|target| target.strip_prefix(TARGET_PREFIX));
    let caller = usage::caller(text("user-agent"));
    if let Some(operation) = operation {
        endpoint.usage.look(caller, operation, &body);
    }
    if let Some(operation) = operation
        && let Some(answer) = hot::answer(&endpoint.database, &endpoint.tokens, operation, &body)
    {
        let failed = answer.status != 200;
        endpoint.usage.note(caller, operation, answer.units, failed);
        if !failed && !usage::is_read(operation) {
            announce(&endpoint.writes, Some(&body));
        }
        return response(answer.status, "application/x-amz-json-1.0", answer.body.into());
    }
    let answer = pass_on(&endpoint, method, uri, &headers, body).await;
    if let Some(operation) = operation {
        endpoint.usage.note(caller, operation, 0.0, answer.status() != StatusCode::OK);
        if !usage::is_read(operation) {
            announce(&endpoint.writes, None);
        }
    }
    answer
}

/// Wakes the consumers of the streams that a write may have reached: those whose table the
/// request names, or all when the request was not looked into.
fn announce(writes: &HashMap<String, watch::Sender<u64>>, request: Option<&[u8]>) {
    for (table, signal) in writes {
        let named = request.is_none_or(|request| {
            let name = table.as_bytes();
            request.windows(name.len()).any(|window| window == name)
        });
        if named {
            signal.send_modify(|writes| *writes += 1);
        }
    }
}

async fn pass_on(endpoint: &Endpoint, method: Method, uri: Uri, headers: &HeaderMap, body: Bytes) -> Response {
    let url = format!("{}{}", endpoint.whole, uri.to_string().trim_start_matches('/'));
    let mut request = endpoint.client.request(method, url).body(body);
    for (name, value) in headers {
        if name != header::HOST && name != header::CONTENT_LENGTH {
            request = request.header(name, value);
        }
    }
    match request.send().await {
        Ok(answer) => {
            let mut response = Response::builder().status(answer.status());
            for (name, value) in answer.headers() {
                if name != header::TRANSFER_ENCODING && name != header::CONNECTION {
                    response = response.header(name, value);
                }
            }
            let body = answer.bytes().await.unwrap_or_default();
            response.body(Body::from(body)).unwrap_or_else(|_| Response::new(Body::empty()))
        }
        Err(error) => {
            tracing::error!(%error, "the DynamoDB engine did not answer");
            response(500, "application/json", Bytes::from_static(b"{}"))
        }
    }
}

fn response(status: u16, content_type: &str, body: Bytes) -> Response {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, content_type)
        .header("x-amzn-requestid", crate::queue::message_id())
        .body(Body::from(body))
        .unwrap_or_else(|_| Response::new(Body::empty()))
}
