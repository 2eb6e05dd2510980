//! What invokes functions besides HTTP: queues and streams, as Lambda's event source mappings do.
//!
//! Never acknowledges what a function did not handle, and never drops what it could not: after
//! the attempts of the template it goes to the dead letters.

mod queue;
mod stream;

pub use queue::{Delivered, spawn as spawn_queue};
pub use stream::{Follower, StreamCounts, spawn as spawn_stream};

use serde_json::Value;

/// The items a function says it could not handle; an answer that cannot be understood counts as
/// a failure of the whole batch, as on AWS.
enum Failures {
    Items(Vec<String>),
    Everything,
}

/// Reads `batchItemFailures`.
fn failures(answer: &[u8]) -> Failures {
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else {
        return Failures::Everything;
    };
    match answer.get("batchItemFailures") {
        None | Some(Value::Null) => Failures::Items(Vec::new()),
        Some(Value::Array(items)) => {
            let identifiers: Option<Vec<String>> =
                items.iter().map(|item| item["itemIdentifier"].as_str().map(str::to_owned)).collect();
            match identifiers {
                Some(identifiers) if identifiers.iter().all(|id| !id.is_empty()) => Failures::Items(identifiers),
                _ => Failures::Everything,
            }
        }
        Some(_) => Failures::Everything,
    }
}
