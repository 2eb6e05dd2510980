//! A Lambda function for the tests of the local stack: it does what its events tell it to, and
//! writes what it saw to a file. Never part of the product.

use std::io::Write;
use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(handle)).await
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
        if order.starts_with("fail") {
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

fn note(line: &Value) {
    let Ok(file) = std::env::var("FIXTURE_LOG") else {
        return;
    };
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file).expect("the log can be opened");
    let name = std::env::var("AWS_LAMBDA_FUNCTION_NAME").expect("the function has a name");
    let line = json!({"function": name, "pid": std::process::id(), "saw": line});
    writeln!(file, "{line}").expect("the log can be written");
}
