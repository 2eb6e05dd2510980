//! What the tables were asked, and what it would have cost: requests and capacity units by caller.

use std::collections::BTreeMap;
use std::sync::Mutex;

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

/// The running totals.
#[derive(Debug, Default)]
pub struct Book {
    usage: Mutex<UsageByCaller>,
}

impl Book {
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
