//! The SDK's configuration: one HTTP client with TLS by ring, built once, before the first event.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::Credentials;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use tokio::sync::OnceCell;

/// The variables that send the SDK somewhere else than AWS.
const ENDPOINTS: [&str; 5] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ENDPOINT_URL_EVENTBRIDGE",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
];

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// One try of a call, and the whole call: they leave time within a function's timeout to answer what was done.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
const CALL_TIMEOUT: Duration = Duration::from_secs(6);
const ATTEMPTS_MAX: u32 = 3;

/// The configuration for every client of a function: made once.
pub async fn sdk_config() -> SdkConfig {
    static MADE: OnceCell<SdkConfig> = OnceCell::const_new();
    MADE.get_or_init(load).await.clone()
}

async fn load() -> SdkConfig {
    let endpoints: Vec<_> = ENDPOINTS.iter().filter_map(|name| std::env::var(name).ok()).collect();
    let plain = !endpoints.is_empty() && endpoints.iter().all(|url| url.starts_with("http://"));
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX));
    loader = if plain {
        loader.http_client(Builder::new().build_http())
    } else {
        loader.http_client(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https())
    };
    if !endpoints.is_empty() && endpoints.iter().all(|url| is_loopback(url)) {
        // An engine on this machine checks neither; nobody should need an account to try the product.
        loader = loader
            .region(Region::new(std::env::var("AWS_REGION").unwrap_or_else(|_| "local".to_owned())))
            .credentials_provider(Credentials::new("local", "local", None, None, "local endpoint"));
    }
    loader.load().await
}

fn is_loopback(url: &str) -> bool {
    let host = url.strip_prefix("http://").unwrap_or_default();
    ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|name| host.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        assert!(
            is_loopback("http://127.0.0.1:8000") && is_loopback("http://localhost") && is_loopback("http://[::1]:1/")
        );
        assert!(
            !is_loopback("http://127.0.0.1.example.com") && !is_loopback("https://dynamodb.eu-west-1.amazonaws.com")
        );
    }
}
