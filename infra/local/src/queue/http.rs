//! The SQS endpoint in AWS's JSON protocol, for the functions and for the AWS CLI.
//!
//! Never pretends: an operation or a parameter it does not have is refused by name.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Outgoing, QueueStore, Receipt};
use crate::template::{ACCOUNT, Queue, REGION};

/// SQS takes this many messages in one batch.
const BATCH_MAX: usize = 10;
/// SQS's limit of one message and of one batch.
const BYTES_MAX: usize = 1024 * 1024;

/// The endpoint over a store.
#[derive(Clone)]
pub struct SqsEndpoint {
    pub store: QueueStore,
    pub queues: std::sync::Arc<Vec<Queue>>,
    /// Base address, for queue URLs.
    pub url: String,
}

struct Refusal {
    code: &'static str,
    message: String,
}

type Answer = std::result::Result<Value, Refusal>;

fn refuse(code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal { code, message: message.into() }
}

impl SqsEndpoint {
    /// Answers one operation (the part of `X-Amz-Target` after `AmazonSQS.`).
    pub async fn answer(&self, operation: &str, request: &Value) -> Response {
        let answer = match operation {
            "SendMessage" => self.send(request).await,
            "SendMessageBatch" => self.send_batch(request).await,
            "ReceiveMessage" => self.receive(request).await,
            "DeleteMessage" => self.delete(request).await,
            "DeleteMessageBatch" => self.delete_batch(request).await,
            "ChangeMessageVisibility" => self.change_visibility(request).await,
            "GetQueueAttributes" => self.attributes(request).await,
            "GetQueueUrl" => self.queue_url(request),
            "ListQueues" => Ok(self.list()),
            other => {
                Err(refuse("com.amazonaws.sqs#UnsupportedOperation", format!("the local stack does not have {other}")))
            }
        };
        let (status, body) = match answer {
            Ok(body) => (StatusCode::OK, body),
            Err(refusal) => (StatusCode::BAD_REQUEST, json!({"__type": refusal.code, "message": refusal.message})),
        };
        (status, [("content-type", "application/x-amz-json-1.0")], body.to_string()).into_response()
    }

    fn queue(&self, request: &Value) -> std::result::Result<&Queue, Refusal> {
        let url = request["QueueUrl"].as_str().unwrap_or_default();
        let name = url.rsplit('/').next().unwrap_or_default();
        self.queues.iter().find(|queue| queue.name == name).ok_or_else(|| {
            refuse("com.amazonaws.sqs#QueueDoesNotExist", format!("The specified queue does not exist: {url}"))
        })
    }

    async fn send(&self, request: &Value) -> Answer {
        let queue = self.queue(request)?;
        let message = outgoing(request)?;
        let md5 = md5_of(&message.body);
        let ids = self.store.send(&queue.name, vec![message]).await.map_err(internal)?;
        Ok(json!({"MessageId": ids[0], "MD5OfMessageBody": md5}))
    }

    async fn send_batch(&self, request: &Value) -> Answer {
        let queue = self.queue(request)?;
        let entries = batch(request)?;
        let bytes: usize = entries.iter().filter_map(|entry| entry["MessageBody"].as_str()).map(str::len).sum();
        if bytes > BYTES_MAX {
            return Err(refuse(
                "com.amazonaws.sqs#BatchRequestTooLong",
                format!("Batch requests cannot be longer than {BYTES_MAX} bytes."),
            ));
        }
        let (mut messages, mut accepted, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for entry in entries {
            match outgoing(entry) {
                Ok(message) => {
                    accepted.push((entry["Id"].clone(), md5_of(&message.body)));
                    messages.push(message);
                }
                Err(refusal) => failed.push(json!({
                    "Id": entry["Id"], "SenderFault": true,
                    "Code": refusal.code, "Message": refusal.message,
                })),
            }
        }
        let ids = self.store.send(&queue.name, messages).await.map_err(internal)?;
        let successful: Vec<Value> = accepted
            .into_iter()
            .zip(ids)
            .map(|((entry, md5), id)| json!({"Id": entry, "MessageId": id, "MD5OfMessageBody": md5}))
            .collect();
        Ok(json!({"Successful": successful, "Failed": failed}))
    }

    async fn receive(&self, request: &Value) -> Answer {
        let queue = self.queue(request)?;
        let limit = integer(request, "MaxNumberOfMessages")?.unwrap_or(1);
        let visibility = integer(request, "VisibilityTimeout")?.unwrap_or(queue.visibility_seconds);
        let wait = integer(request, "WaitTimeSeconds")?.unwrap_or(0);
        let messages = if wait == 0 {
            self.store.receive_now(&queue.name, limit, visibility).await
        } else {
            let waiting = self.store.receive(&queue.name, limit, visibility);
            let wait = std::time::Duration::from_secs(u64::from(wait));
            tokio::time::timeout(wait, waiting).await.unwrap_or(Ok(Vec::new()))
        };
        let messages: Vec<Value> = messages
            .map_err(internal)?
            .into_iter()
            .map(|message| {
                json!({
                    "MessageId": message.message_id,
                    "ReceiptHandle": message.receipt.to_handle(),
                    "MD5OfBody": md5_of(&message.body),
                    "Body": message.body,
                    "Attributes": {
                        "ApproximateReceiveCount": message.receives.to_string(),
                        "SentTimestamp": message.sent_ms.to_string(),
                        "SenderId": ACCOUNT,
                        "ApproximateFirstReceiveTimestamp": message.first_received_ms.to_string(),
                    },
                })
            })
            .collect();
        Ok(json!({"Messages": messages}))
    }

    async fn delete(&self, request: &Value) -> Answer {
        let queue = self.queue(request)?;
        let receipt = receipt(request)?;
        self.store.delete(&queue.name, receipt).await.map_err(internal)?;
        Ok(json!({}))
    }

    async fn delete_batch(&self, request: &Value) -> Answer {
        let queue = self.queue(request)?;
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in batch(request)? {
            match receipt(entry) {
                Ok(receipt) => {
                    self.store.delete(&queue.name, receipt).await.map_err(internal)?;
                    successful.push(json!({"Id": entry["Id"]}));
                }
                Err(refusal) => failed.push(json!({
                    "Id": entry["Id"], "SenderFault": true,
                    "Code": refusal.code, "Message": refusal.message,
                })),
            }
        }
        Ok(json!({"Successful": successful, "Failed": failed}))
    }

    async fn change_visibility(&self, request: &Value) -> Answer {
        self.queue(request)?;
        let seconds = integer(request, "VisibilityTimeout")?.unwrap_or(0);
        let receipt = receipt(request)?;
        let changed = self.store.change_visibility(receipt, seconds).await.map_err(internal)?;
        if changed {
            Ok(json!({}))
        } else {
            Err(refuse("com.amazonaws.sqs#MessageNotInflight", "The message is not in flight."))
        }
    }

    async fn attributes(&self, request: &Value) -> Answer {
        let queue = self.queue(request)?;
        let (delayed, in_flight) = self.store.delayed_and_in_flight(&queue.name).await.map_err(internal)?;
        let present = self.store.present(&queue.name).unwrap_or(0);
        let visible = present.saturating_sub(delayed + in_flight);
        let mut attributes = json!({
            "QueueArn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", queue.name),
            "DelaySeconds": queue.delay_seconds.to_string(),
            "VisibilityTimeout": queue.visibility_seconds.to_string(),
            "ApproximateNumberOfMessages": visible.to_string(),
            "ApproximateNumberOfMessagesDelayed": delayed.to_string(),
            "ApproximateNumberOfMessagesNotVisible": in_flight.to_string(),
        });
        if let Some(redrive) = &queue.redrive {
            let policy = json!({
                "deadLetterTargetArn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", redrive.queue),
                "maxReceiveCount": redrive.receives_max,
            });
            attributes["RedrivePolicy"] = policy.to_string().into();
        }
        Ok(json!({"Attributes": attributes}))
    }

    fn queue_url(&self, request: &Value) -> Answer {
        let name = request["QueueName"].as_str().unwrap_or_default();
        let queue = self.queue(&json!({"QueueUrl": name}))?;
        Ok(json!({"QueueUrl": self.url_of(queue)}))
    }

    fn list(&self) -> Value {
        let urls: Vec<String> = self.queues.iter().map(|queue| self.url_of(queue)).collect();
        json!({"QueueUrls": urls})
    }

    fn url_of(&self, queue: &Queue) -> String {
        format!("{}/{ACCOUNT}/{}", self.url, queue.name)
    }
}

fn outgoing(entry: &Value) -> std::result::Result<Outgoing, Refusal> {
    let body = entry["MessageBody"]
        .as_str()
        .filter(|body| !body.is_empty())
        .ok_or_else(|| refuse("MissingParameter", "MessageBody must not be empty"))?;
    if body.len() > BYTES_MAX {
        return Err(refuse(
            "InvalidParameterValue",
            format!("One or more parameters are invalid. Reason: Message must be shorter than {BYTES_MAX} bytes."),
        ));
    }
    let attributes = entry.get("MessageAttributes").and_then(Value::as_object);
    if attributes.is_some_and(|attributes| !attributes.is_empty()) {
        return Err(refuse(
            "com.amazonaws.sqs#UnsupportedOperation",
            "the local stack's queues carry no message attributes",
        ));
    }
    Ok(Outgoing { body: body.to_owned(), delay_seconds: integer(entry, "DelaySeconds")? })
}

fn batch(request: &Value) -> std::result::Result<&Vec<Value>, Refusal> {
    let entries = request["Entries"]
        .as_array()
        .filter(|entries| !entries.is_empty())
        .ok_or_else(|| refuse("com.amazonaws.sqs#EmptyBatchRequest", "There should be at least one entry."))?;
    if entries.len() > BATCH_MAX {
        return Err(refuse(
            "com.amazonaws.sqs#TooManyEntriesInBatchRequest",
            format!("Maximum number of entries per request are {BATCH_MAX}."),
        ));
    }
    Ok(entries)
}

fn receipt(entry: &Value) -> std::result::Result<Receipt, Refusal> {
    entry["ReceiptHandle"]
        .as_str()
        .and_then(Receipt::from_handle)
        .ok_or_else(|| refuse("com.amazonaws.sqs#ReceiptHandleIsInvalid", "The input receipt handle is invalid."))
}

fn integer(request: &Value, name: &str) -> std::result::Result<Option<u32>, Refusal> {
    match request.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_u64()
            .and_then(|value| u32::try_from(value).ok())
            .map(Some)
            .ok_or_else(|| refuse("InvalidParameterValue", format!("{name} is out of range"))),
    }
}

fn internal(error: crate::error::StackError) -> Refusal {
    refuse("InternalError", error.report())
}

fn md5_of(body: &str) -> String {
    format!("{:x}", md5::compute(body))
}
