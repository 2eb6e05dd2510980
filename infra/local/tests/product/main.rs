//! The product as it is deployed, through the local stack: the real binaries, signed webhooks, the member API.

mod canaries;
mod door;
mod kills;
mod scenarios;

/// One test at a time: the one that kills functions would kill the others' too.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Functions say only what goes wrong.
fn quiet() -> std::collections::BTreeMap<String, String> {
    [("RUST_LOG".to_owned(), "error".to_owned())].into()
}
