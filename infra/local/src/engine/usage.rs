//! What the tables were asked, and what it would have cost: requests and capacity units by caller.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

/// Requests and units of one caller and one operation.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Usage {
    pub requests: u64,
    /// Read units, halves included.
    pub read_units: f64,
    /// Write units.
    pub write_units: f64,
    /// Requests answered with an error; a failed condition counts.
    pub errors: u64,
}

/// Caller (a function's name, or `other`) → operation → usage.
pub type UsageByCaller = BTreeMap<String, BTreeMap<String, Usage>>;

/// What a caller asked in the terms of a role: the action, and the table, with `/` and the index where it is one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    pub caller: String,
    /// `dynamodb:PutItem`; the parts of a transaction each have their own.
    pub action: String,
    pub on: String,
}

/// The running totals.
#[derive(Debug, Default)]
pub struct Book {
    usage: Mutex<UsageByCaller>,
    keeps_asked: AtomicBool,
    asked: Mutex<BTreeSet<Asked>>,
}

impl Book {
    /// From now on requests are looked into for what they ask.
    pub fn keep_asked(&self) {
        self.keeps_asked.store(true, Ordering::Relaxed);
    }

    /// What was asked since then.
    pub fn asked(&self) -> BTreeSet<Asked> {
        self.asked.lock().expect("not poisoned").clone()
    }

    /// Looks into a request, if that is wanted: it costs more than to count it.
    pub fn look(&self, caller: &str, operation: &str, body: &[u8]) {
        if self.keeps_asked.load(Ordering::Relaxed)
            && let Ok(body) = serde_json::from_slice(body)
        {
            let rights = asked(operation, &body).into_iter();
            let asked = rights.map(|(action, on)| Asked { caller: caller.to_owned(), action, on });
            self.asked.lock().expect("not poisoned").extend(asked);
        }
    }

    /// Notes one request.
    pub fn note(&self, caller: &str, operation: &str, units: f64, failed: bool) {
        let mut book = self.usage.lock().expect("not poisoned");
        if !book.contains_key(caller) {
            book.insert(caller.to_owned(), BTreeMap::new());
        }
        let operations = book.get_mut(caller).expect("just inserted");
        let usage = operations.entry(operation.to_owned()).or_default();
        usage.requests += 1;
        usage.errors += u64::from(failed);
        if is_read(operation) {
            usage.read_units += units;
        } else {
            usage.write_units += units;
        }
    }

    /// A copy of the totals.
    pub fn snapshot(&self) -> UsageByCaller {
        self.usage.lock().expect("not poisoned").clone()
    }
}

/// The caller a user agent names: the SDK puts `AWS_SDK_UA_APP_ID` there as `app/<id>`.
pub fn caller(user_agent: Option<&str>) -> &str {
    user_agent.and_then(|agent| agent.split(' ').find_map(|part| part.strip_prefix("app/"))).unwrap_or("other")
}

/// The actions of a request, each with what it is on.
fn asked(operation: &str, body: &Value) -> Vec<(String, String)> {
    let action = |operation: &str| format!("dynamodb:{operation}");
    let table = |of: &Value| of["TableName"].as_str().unwrap_or_default().to_owned();
    match operation {
        "TransactWriteItems" | "TransactGetItems" => {
            let items = body["TransactItems"].as_array().into_iter().flatten();
            let parts = items.filter_map(Value::as_object).flatten();
            parts
                .map(|(kind, part)| match kind.as_str() {
                    "ConditionCheck" => (action("ConditionCheckItem"), table(part)),
                    kind => (action(&format!("{kind}Item")), table(part)),
                })
                .collect()
        }
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            tables.map(|(table, _)| (action(operation), table.clone())).collect()
        }
        _ => match body["IndexName"].as_str() {
            Some(index) => vec![(action(operation), format!("{}/{index}", table(body)))],
            None => vec![(action(operation), table(body))],
        },
    }
}

/// Whether the operation's units are read units.
pub fn is_read(operation: &str) -> bool {
    matches!(operation, "GetItem" | "BatchGetItem" | "Query" | "Scan" | "TransactGetItems")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_comes_from_the_application_id() {
        let agent = "aws-sdk-rust/1.3 os/linux lang/rust/1.95 app/order-changed";
        assert_eq!(caller(Some(agent)), "order-changed");
        assert_eq!(caller(Some("Boto3/1.43")), "other");
        assert_eq!(caller(None), "other");
    }

    #[test]
    fn a_request_is_what_a_role_would_have_to_allow() {
        let right = |operation, body| asked(operation, &body);
        let pair = |action: &str, on: &str| (format!("dynamodb:{action}"), on.to_owned());
        let transaction = serde_json::json!({"TransactItems": [
            {"Put": {"TableName": "a"}}, {"Update": {"TableName": "b"}}, {"ConditionCheck": {"TableName": "c"}}]});
        assert_eq!(
            right("TransactWriteItems", transaction),
            [pair("PutItem", "a"), pair("UpdateItem", "b"), pair("ConditionCheckItem", "c")]
        );
        let batch = serde_json::json!({"RequestItems": {"a": {}, "b": {}}});
        assert_eq!(right("BatchGetItem", batch), [pair("BatchGetItem", "a"), pair("BatchGetItem", "b")]);
        let query = serde_json::json!({"TableName": "a", "IndexName": "due"});
        assert_eq!(right("Query", query), [pair("Query", "a/due")]);
        let book = Book::default();
        book.look("f", "GetItem", br#"{"TableName":"a"}"#);
        assert!(book.asked().is_empty(), "nobody wanted to know");
        book.keep_asked();
        book.look("f", "GetItem", br#"{"TableName":"a"}"#);
        assert_eq!(book.asked().len(), 1);
    }

    #[test]
    fn reads_and_writes_are_counted_apart() {
        let book = Book::default();
        book.note("f", "BatchGetItem", 1.0, false);
        book.note("f", "TransactWriteItems", 6.0, false);
        book.note("f", "TransactWriteItems", 0.0, true);
        let usage = book.snapshot();
        assert_eq!(usage["f"]["BatchGetItem"].read_units, 1.0);
        assert_eq!(usage["f"]["TransactWriteItems"].write_units, 6.0);
        assert_eq!(usage["f"]["TransactWriteItems"].requests, 2);
        assert_eq!(usage["f"]["TransactWriteItems"].errors, 1);
    }
}
