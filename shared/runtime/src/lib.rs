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
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::layer;
use tracing_subscriber::prelude::*;

/// Of every function, by being linked: a call of the SDK allocates hundreds of small pieces, and the system's allocator
/// took a fifth of the time an order costs.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The variable that Lambda sets in every function, also on the local stack.
const IN_LAMBDA: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// Logs go to standard error: one JSON object a line inside a function, plain text elsewhere. `RUST_LOG` says how much;
/// `info` where it does not. By targets and levels, such as `info,order_changed=debug`: what else an `EnvFilter` can do
/// takes regular expressions, a twentieth of a function's size.
pub fn start_tracing() {
    let asked = std::env::var("RUST_LOG").ok().and_then(|asked| asked.parse::<Targets>().ok());
    let asked = asked.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    // Below that level libraries write whole bodies: people, tokens and all.
    let logs = tracing_subscriber::registry().with(asked).with(LevelFilter::DEBUG);
    let lines = layer().with_writer(std::io::stderr);
    if std::env::var_os(IN_LAMBDA).is_some() {
        // The log service stamps the time itself.
        logs.with(lines.json().flatten_event(true).without_time().with_target(false)).init();
    } else {
        logs.with(lines).init();
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
