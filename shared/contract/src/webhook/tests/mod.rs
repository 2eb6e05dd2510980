//! What each shop's body means, and that no body breaks an adapter. The bodies are made up here, field for field as the
//! shops' documentation describes them.

mod generic;
mod hostile;
mod merchants;
mod rest_shops;
mod samples;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::settings::SourceSettings;
use super::{Delivery, ParseError, parse};
use crate::queue::{CanonicalOrder, Deletion, Source};

/// When every test's delivery arrives.
fn received_at() -> DateTime<Utc> {
    at("2026-11-23T02:00:00Z")
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn try_with(source: Source, settings: &str, topic: Option<&str>, body: &Value) -> Result<Delivery, ParseError> {
    let settings: SourceSettings = toml::from_str(settings).expect("settings");
    parse(source, topic, body.to_string().as_bytes(), &settings, received_at())
}

fn try_parse(source: Source, body: &Value) -> Result<Delivery, ParseError> {
    try_with(source, "", None, body)
}

/// The one order of a body.
fn order(source: Source, body: &Value) -> CanonicalOrder {
    order_with(source, "", body)
}

fn order_with(source: Source, settings: &str, body: &Value) -> CanonicalOrder {
    let mut delivery = try_with(source, settings, None, body).expect("the body is readable");
    assert!(delivery.quarantined.is_empty() && delivery.ignored.is_empty(), "{delivery:?}");
    assert_eq!(delivery.orders.len(), 1, "{delivery:?}");
    delivery.orders.remove(0)
}

/// The body with some fields replaced; a path is `a.b.0.c`, and null as the new value means null.
fn with(body: &Value, changes: &[(&str, Value)]) -> Value {
    let mut body = body.clone();
    for (path, value) in changes {
        let pointer = format!("/{}", path.replace('.', "/"));
        match body.pointer_mut(&pointer) {
            Some(place) => *place = value.clone(),
            None => {
                let (parent, name) = pointer.rsplit_once('/').expect("a path");
                body.pointer_mut(parent).expect(path)[name] = value.clone();
            }
        }
    }
    body
}

fn without(body: &Value, name: &str) -> Value {
    let mut body = body.clone();
    body.as_object_mut().expect("an object").remove(name).expect(name);
    body
}

fn assert_ignored(source: Source, topic: Option<&str>, body: &Value) {
    let delivery = try_with(source, "", topic, body).expect("acknowledged");
    assert!(
        delivery.orders.is_empty() && delivery.deletions.is_empty() && delivery.quarantined.is_empty(),
        "{delivery:?}"
    );
    assert!(!delivery.ignored.is_empty());
}
