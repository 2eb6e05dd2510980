//! The stand-in's port. Its own loop, because a web framework always answers, and this server must be able not to.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use super::{Shared, answers, control};
use crate::error::{Context, Result};
use crate::problem::problem;

/// Larger than anything Zalo takes.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// A call, read whole.
pub struct Call {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Call {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A value of the query, or of a form.
    pub fn form(text: &str, name: &str) -> Option<String> {
        let url = reqwest::Url::parse(&format!("http://form/?{text}")).ok()?;
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// What a caller gets.
pub enum Reply {
    Answer(Response<Body>),
    /// The connection is closed.
    Nothing,
}

/// The connection is to be closed.
#[derive(Debug, thiserror::Error)]
#[error("the script says not to answer")]
struct Closed;

pub fn spawn(tasks: &mut JoinSet<()>, listener: TcpListener, shared: Arc<Shared>) -> Result<SocketAddr> {
    let about = || "cannot use the port of the Zalo stand-in".to_owned();
    let address = listener.local_addr().context(about)?;
    listener.set_nonblocking(true).context(about)?;
    let listener = tokio::net::TcpListener::from_std(listener).context(about)?;
    tasks.spawn(async move {
        // Ends with this task: every connection is one of its own.
        let mut connections = JoinSet::new();
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            let _ = stream.set_nodelay(true);
            while connections.try_join_next().is_some() {}
            let shared = Arc::clone(&shared);
            connections.spawn(async move {
                let service = service_fn(move |request| {
                    let shared = Arc::clone(&shared);
                    async move {
                        match answer(&shared, request).await {
                            Ok(Reply::Answer(response)) => Ok(response),
                            Ok(Reply::Nothing) => Err(Closed),
                            Err(never) => match never {},
                        }
                    }
                });
                // A caller that goes away, or is sent away, is no fault of the stack.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Ok(address)
}

async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> std::result::Result<Reply, Infallible> {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(Body::new(body), BODY_BYTES_MAX).await else {
        let detail = format!("The body is longer than {BODY_BYTES_MAX} bytes, or was cut off.");
        return Ok(Reply::Answer(problem(StatusCode::PAYLOAD_TOO_LARGE, "too-large", &detail)));
    };
    let call = Call {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: body.to_vec(),
    };
    if call.path.starts_with("/_zalo/") {
        return Ok(Reply::Answer(control::answer(shared, &call).await));
    }
    Ok(answers::answer(shared, &call).await)
}
