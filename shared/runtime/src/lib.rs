//! What every function needs before its first event and after its last line: configuration, clients, logs, answers.
//!
//! All of it is made once, at start, or again when a secret has changed. Only [`clock`] reads a clock, for what happens at
//! the moment of sending, and [`secrets`], for how old they are; nothing here knows about points.

pub mod access;
pub mod aws;
pub mod calls;
pub mod clock;
pub mod config;
pub mod http;
pub mod queue;
pub mod secrets;

pub use loyalty_metrics as metrics;

use std::error::Error;

use mimalloc::MiMalloc;
use tracing_subscriber::EnvFilter;

/// Of every function, by being linked: a call of the SDK allocates hundreds of small pieces, and the system's allocator
/// took a fifth of the time an order costs.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The variable that Lambda sets in every function, also on the local stack.
const IN_LAMBDA: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// Logs go to standard error: one JSON object a line inside a function, plain text elsewhere. `RUST_LOG` says how much;
/// `info` where it is not set.
pub fn start_tracing() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::env::var_os(IN_LAMBDA).is_some() {
        // The log service stamps the time itself.
        logs.json().flatten_event(true).without_time().with_target(false).init();
    } else {
        logs.init();
    }
}

/// An error with all its causes, in one line, for the one place that logs it.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
