//! The product as it is deployed, through the local stack: the real binaries, signed webhooks, the member API.

mod books;
mod canaries;
mod door;
mod guides;
mod kills;
mod measuring;
mod messages;
mod parquet;
mod persons;
mod rights;
mod scenarios;

use thang_hang::sample::sign;
use thang_hang::stack::Running;

/// One test at a time: the one that kills functions would kill the others' too.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A webhook of the generic door, signed at the stack's time.
fn signed(running: &Running, http: &reqwest::Client, webhook_id: String, body: String) -> reqwest::RequestBuilder {
    let secret = running.secrets.get("WEBHOOK_SECRET_STANDARD").expect("a secret");
    let signed = sign(body, webhook_id, running.clock.now_ms() / 1_000, secret).expect("signed");
    http.post(format!("{}/webhooks/standard", running.url()))
        .header("webhook-id", signed.webhook_id)
        .header("webhook-timestamp", signed.timestamp)
        .header("webhook-signature", signed.signature)
        .body(signed.body)
}

/// Functions say only what goes wrong.
fn quiet() -> std::collections::BTreeMap<String, String> {
    [("RUST_LOG".to_owned(), "error".to_owned())].into()
}
