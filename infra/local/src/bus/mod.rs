//! EventBridge: takes events from functions and delivers those a rule of the template wants.
//!
//! A delivery is put into a queue of the stack before the sender hears that its event was taken,
//! so an event that was accepted is delivered at least once, also after a crash.

pub mod pattern;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::clock::{self, Clock};
use crate::error::{Result, StackError};
use crate::queue::{Outgoing, QueueStore, internal};
use crate::template::{ACCOUNT, Delivery, Queue, REGION, Rule, Target};

/// Events kept for `/_local/events`.
const RECENT_MAX: usize = 1_000;
/// `PutEvents` takes this many entries.
const ENTRIES_MAX: usize = 10;
/// … of this many bytes together.
const ENTRY_BYTES_MAX: usize = 256 * 1024;

/// The buses of the template and their rules.
pub struct Bus {
    names: Vec<String>,
    rules: Vec<Wired>,
    store: QueueStore,
    clock: Arc<Clock>,
    recent: Mutex<Recent>,
}

struct Wired {
    bus: String,
    pattern: pattern::Pattern,
    /// The queue of each delivery.
    queues: Vec<String>,
}

#[derive(Default)]
struct Recent {
    events: VecDeque<Value>,
    accepted: u64,
    refused: u64,
}

/// A queue the stack keeps for one delivery, and where it goes.
#[derive(Debug, Clone)]
pub struct Outlet {
    pub queue: Queue,
    pub delivery: Delivery,
}

/// The queue name of a delivery; a queue target is its own.
pub fn outlet(name: &str, index: usize, delivery: &Delivery) -> (String, Option<Outlet>) {
    match &delivery.target {
        Target::Queue(queue) => (queue.clone(), None),
        Target::Function(_) => {
            let name = format!("~{name}-{index}");
            let queue = internal(&name, delivery.retries_max, delivery.dead_letters.as_deref());
            let outlet = Outlet { queue, delivery: delivery.clone() };
            (name, Some(outlet))
        }
    }
}

impl Bus {
    /// The buses, and the queues their rules need.
    pub fn new(
        names: &[String],
        rules: &[Rule],
        store: &QueueStore,
        clock: &Arc<Clock>,
    ) -> Result<(Arc<Self>, Vec<Outlet>)> {
        let mut outlets = Vec::new();
        let mut wired = Vec::new();
        for rule in rules {
            let mut queues = Vec::new();
            for (index, delivery) in rule.deliveries.iter().enumerate() {
                let (queue, outlet) = outlet(&format!("rule-{}", rule.name), index, delivery);
                queues.push(queue);
                outlets.extend(outlet);
            }
            wired.push(Wired {
                bus: rule.bus.clone(),
                pattern: pattern::Pattern::read(&rule.pattern)
                    .map_err(|problem| StackError::new(format!("rule {}: {problem}", rule.name)))?,
                queues,
            });
        }
        let bus = Arc::new(Self {
            names: names.to_vec(),
            rules: wired,
            store: store.clone(),
            clock: Arc::clone(clock),
            recent: Mutex::default(),
        });
        Ok((bus, outlets))
    }

    /// The newest events first, at most `limit`.
    pub fn recent(&self, limit: usize) -> Vec<Value> {
        let recent = self.recent.lock().expect("not poisoned");
        recent.events.iter().rev().take(limit).cloned().collect()
    }

    /// Events accepted and refused since the stack started.
    pub fn counts(&self) -> (u64, u64) {
        let recent = self.recent.lock().expect("not poisoned");
        (recent.accepted, recent.refused)
    }

    /// Answers `PutEvents`.
    pub async fn put_events(&self, request: &Value) -> Response {
        let Some(entries) = request["Entries"].as_array() else {
            return refusal("ValidationException", "Entries is missing");
        };
        if entries.is_empty() || entries.len() > ENTRIES_MAX {
            return refusal("ValidationException", "Entries takes 1 to 10 entries");
        }
        let bytes: usize = entries.iter().map(|entry| entry.to_string().len()).sum();
        if bytes > ENTRY_BYTES_MAX {
            return refusal("ValidationException", "Total size of the entries is over 256 KB");
        }
        let mut results = Vec::with_capacity(entries.len());
        let mut failed = 0;
        for entry in entries {
            match self.put(entry).await {
                Ok(id) => results.push(json!({"EventId": id})),
                Err((code, message)) => {
                    failed += 1;
                    results.push(json!({"ErrorCode": code, "ErrorMessage": message}));
                }
            }
        }
        let mut recent = self.recent.lock().expect("not poisoned");
        recent.refused += failed;
        recent.accepted += entries.len() as u64 - failed;
        drop(recent);
        (
            [("content-type", "application/x-amz-json-1.1")],
            json!({"FailedEntryCount": failed, "Entries": results}).to_string(),
        )
            .into_response()
    }

    async fn put(&self, entry: &Value) -> std::result::Result<String, (&'static str, String)> {
        let text = |key: &'static str| {
            entry[key]
                .as_str()
                .filter(|text| !text.is_empty())
                .ok_or(("InvalidArgument", format!("{key} is not valid")))
        };
        let (source, kind) = (text("Source")?, text("DetailType")?);
        let detail: Value = serde_json::from_str(text("Detail")?)
            .ok()
            .filter(Value::is_object)
            .ok_or(("MalformedDetail", "Detail is malformed.".to_owned()))?;
        let bus = entry["EventBusName"].as_str().unwrap_or("default");
        let bus = bus.rsplit('/').next().unwrap_or(bus);
        if bus != "default" && !self.names.iter().any(|name| name == bus) {
            let message = format!("Event bus {bus} does not exist.");
            return Err(("ResourceNotFoundException", message));
        }
        let id = crate::queue::message_id();
        let event = json!({
            "version": "0",
            "id": id,
            "detail-type": kind,
            "source": source,
            "account": ACCOUNT,
            "time": clock::iso(self.clock.now_ms()),
            "region": REGION,
            "resources": entry.get("Resources").cloned().unwrap_or(json!([])),
            "detail": detail,
        });
        self.deliver(bus, &event).await.map_err(|error| ("InternalFailure", error.report()))?;
        let mut recent = self.recent.lock().expect("not poisoned");
        if recent.events.len() == RECENT_MAX {
            recent.events.pop_front();
        }
        recent.events.push_back(event);
        Ok(id)
    }

    async fn deliver(&self, bus: &str, event: &Value) -> Result<()> {
        let wanted = self.rules.iter().filter(|rule| rule.bus == bus && rule.pattern.matches(event));
        for queue in wanted.flat_map(|rule| &rule.queues) {
            self.store.send(queue, vec![Outgoing::new(event.to_string())]).await?;
        }
        Ok(())
    }
}

fn refusal(code: &str, message: &str) -> Response {
    (
        StatusCode::BAD_REQUEST,
        [("content-type", "application/x-amz-json-1.1")],
        json!({"__type": code, "message": message}).to_string(),
    )
        .into_response()
}
