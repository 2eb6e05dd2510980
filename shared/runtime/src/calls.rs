//! Calls to services outside AWS, by the HTTP client that the SDK uses: it is in every function already, with its TLS.
//!
//! What matters about a call that failed is whether it may have been carried out. An error says only that; it repeats
//! neither the address nor anything that was sent.

use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// One call, its answer included.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Makes calls. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Caller(SharedHttpConnector);

/// An address that cannot be called, or a proxy that cannot be used. It may hold a password: nothing of it is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not the address of a proxy, like http://proxy.example:3128")]
pub struct NoProxy;

/// A request.
#[derive(Clone)]
pub struct Call {
    pub method: &'static str,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// What a service answered.
#[derive(Clone)]
pub struct Reply {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It was surely not carried out: there was no connection, or nothing that could be sent.
    #[error("the service cannot be reached")]
    NotSent,
    /// It may have been carried out (F18).
    #[error("the service did not answer")]
    Lost,
}

impl Caller {
    /// `proxy` is the address of an HTTP proxy, for a service that answers only to some countries.
    ///
    /// # Errors
    /// [`NoProxy`].
    pub fn new(proxy: Option<&str>) -> Result<Self, NoProxy> {
        let settings =
            HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(CALL_TIMEOUT).build();
        let builder: ConnectorBuilder = Connector::builder().connector_settings(settings);
        let builder = match proxy {
            Some(proxy) => builder.proxy_config(ProxyConfig::all(proxy).map_err(|_| NoProxy)?),
            None => builder,
        };
        let tls = Provider::Rustls(CryptoMode::Ring);
        Ok(Self(SharedHttpConnector::new(builder.tls_provider(tls).build())))
    }

    /// # Errors
    /// [`CallError`] when there is no answer. Whatever status an answer has, it is an answer.
    pub async fn call(&self, call: Call) -> Result<Reply, CallError> {
        let mut request = HttpRequest::new(SdkBody::from(call.body));
        request.set_method(call.method).map_err(|_| CallError::NotSent)?;
        request.set_uri(call.url).map_err(|_| CallError::NotSent)?;
        for (name, value) in call.headers {
            request.headers_mut().try_insert(name, value).map_err(|_| CallError::NotSent)?;
        }
        let answered = tokio::time::timeout(CALL_TIMEOUT, self.exchange(request)).await;
        answered.unwrap_or(Err(CallError::Lost))
    }

    async fn exchange(&self, request: HttpRequest) -> Result<Reply, CallError> {
        let response = self.0.call(request).await.map_err(|error| failure(&error))?;
        let status = response.status().as_u16();
        let headers = headers(&response);
        let body = ByteStream::new(response.into_body()).collect().await.map_err(|_| CallError::Lost)?.into_bytes();
        if body.len() > ANSWER_BYTES_MAX {
            return Err(CallError::Lost);
        }
        Ok(Reply { status, headers, body: body.to_vec() })
    }
}

fn headers(response: &HttpResponse) -> Vec<(String, String)> {
    let pairs = response.headers().iter();
    pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect()
}

/// Only what surely happened before anything was written counts as not sent.
fn failure(error: &ConnectorError) -> CallError {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(client) = cause.downcast_ref::<hyper_util::client::legacy::Error>() {
            return if client.is_connect() { CallError::NotSent } else { CallError::Lost };
        }
        // The client's own type for this is not public.
        if cause.to_string().starts_with("HTTP connect timeout") {
            return CallError::NotSent;
        }
        source = cause.source();
    }
    CallError::Lost
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn call(url: String) -> Call {
        Call { method: "POST", url, headers: vec![("content-type", "application/json".into())], body: "{}".into() }
    }

    #[tokio::test]
    async fn nobody_listening_is_not_sent_and_a_dropped_answer_is_lost() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/x", listener.local_addr().unwrap());
        let caller = Caller::new(None).unwrap();
        let served = tokio::spawn(async move {
            let (mut first, _) = listener.accept().await.unwrap();
            let mut bytes = [0; 1024];
            let _ = first.read(&mut bytes).await.unwrap();
            drop(first);
            let (mut second, _) = listener.accept().await.unwrap();
            let _ = second.read(&mut bytes).await.unwrap();
            second.write_all(b"HTTP/1.1 503 Busy\r\nX-Left: 3\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
        });
        assert_eq!(caller.call(call(url.clone())).await.err(), Some(CallError::Lost));
        let reply = caller.call(call(url.clone())).await.unwrap();
        assert_eq!((reply.status, reply.header("x-left"), reply.body.as_slice()), (503, Some("3"), &b"no"[..]));
        served.await.unwrap();
        assert_eq!(Caller::new(None).unwrap().call(call(url)).await.err(), Some(CallError::NotSent));
        assert_eq!(caller.call(call("no address".into())).await.err(), Some(CallError::NotSent));
    }

    #[tokio::test]
    async fn a_proxy_is_asked_instead() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        let served = tokio::spawn(async move {
            let (mut asked, _) = listener.accept().await.unwrap();
            let mut bytes = vec![0; 1024];
            let read = asked.read(&mut bytes).await.unwrap();
            asked.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            String::from_utf8_lossy(&bytes[..read]).into_owned()
        });
        let caller = Caller::new(Some(&proxy)).unwrap();
        let reply = caller.call(call("http://service.invalid/path".into())).await.unwrap();
        assert_eq!(reply.status, 200);
        assert!(served.await.unwrap().starts_with("POST http://service.invalid/path HTTP/1.1\r\n"));
    }
}
