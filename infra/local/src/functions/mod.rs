//! The Lambda functions, run as the unmodified binaries that are deployed.
//!
//! A function is a [`Pool`] of processes that long-poll the Runtime API. Never answers an
//! invocation twice, and never leaves one unanswered: a crash or a timeout fails it.

pub mod build;
mod pool;
mod process;
pub mod runtime_api;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use pool::{FunctionCounts, Invoked, Launch, Pool};
pub use process::Watchdog;

/// Why an invocation did not end well.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InvokeError {
    /// The function answered with an error; the text is Lambda's error object.
    #[error("the function failed: {0}")]
    Failed(String),
    #[error("the function ran longer than its {0} seconds and was killed")]
    TimedOut(u32),
    #[error("the function's process ended: {0}")]
    Crashed(String),
    #[error("the stack is stopping")]
    Stopping,
}

/// The functions of the stack by binary.
pub type Functions = BTreeMap<String, Arc<Pool>>;
