//! The Lambda function of these tests: it does what its events tell it to, and writes what it saw
//! to a file.

use std::io::Write;
use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

/// Not a test: what a process of the function runs (see [`crate::fixture::function`]).
#[test]
fn role() {
    if std::env::var("FIXTURE_ROLE").as_deref() != Ok("function") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.expect("a runtime").block_on(lambda_runtime::run(service_fn(handle)));
    ended.expect("the stack lets the function run");
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let event = event.payload;
    if let Some(records) = event["Records"].as_array() {
        return batch(records).await;
    }
    if event.get("requestContext").is_some() {
        return http(&event).await;
    }
    note(&json!({"event": event}));
    Ok(json!({"ok": true}))
}

/// Every record carries an order: `ok`, `fail` (reported), `error`, `crash` or `sleep`.
async fn batch(records: &[Value]) -> Result<Value, Error> {
    let mut failed = Vec::new();
    for record in records {
        let from_stream = record.get("dynamodb").is_some();
        let (id, order) = if from_stream {
            let id = record["dynamodb"]["SequenceNumber"].clone();
            (id, record["dynamodb"]["NewImage"]["order"]["S"].clone())
        } else {
            (record["messageId"].clone(), record["body"].clone())
        };
        note(&json!({"record": record, "order": order}));
        let order = order.as_str().unwrap_or_default();
        obey(order).await?;
        if order.starts_with("fail") && !mended() {
            failed.push(json!({"itemIdentifier": id}));
            if from_stream {
                break;
            }
        }
    }
    Ok(json!({"batchItemFailures": failed}))
}

async fn http(event: &Value) -> Result<Value, Error> {
    let order = event["pathParameters"]["order"].as_str().unwrap_or_default();
    obey(order).await?;
    Ok(json!({
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": event.to_string(),
    }))
}

async fn obey(order: &str) -> Result<(), Error> {
    if order.starts_with("error") {
        return Err("told to".into());
    }
    if order.starts_with("crash") {
        std::process::exit(3);
    }
    if order.starts_with("sleep") {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
    }
    Ok(())
}

/// Whether the test has mended what made `fail` fail.
fn mended() -> bool {
    std::env::var("FIXTURE_LOG").is_ok_and(|log| std::path::Path::new(&log).with_extension("mended").exists())
}

fn note(line: &Value) {
    let log = std::env::var("FIXTURE_LOG").expect("the test names a log");
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(log).expect("the log can be opened");
    let name = std::env::var("AWS_LAMBDA_FUNCTION_NAME").expect("the function has a name");
    let line = json!({"function": name, "pid": std::process::id(), "saw": line});
    file.write_all(format!("{line}\n").as_bytes()).expect("the log can be written");
}
