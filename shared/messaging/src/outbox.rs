//! Keeps messages to be sent: rows of `messages`, each put once and never twice.
//!
//! A row's key is derived from its entry, and the put asks that the key is new, so a replay writes nothing. Conditional
//! puts go side by side, one write unit for each KiB, and a replayed one costs as much. A transaction of many would cost
//! twice that and fail whole as soon as one message is already there; a batch write cannot carry a condition.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use chrono::SecondsFormat;
use loyalty_domain::ids::RuleId;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use crate::{Message, Variables};

/// How many puts are under way at once.
pub const PUTS_AT_ONCE_MAX: usize = 10;
/// How much of the SHA-256 stands in a row's `digest`.
const DIGEST_BYTES: usize = 16;

/// Why a message is not kept.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    #[error("the message cannot be written as a row")]
    Row(#[from] serde_dynamo::Error),
    #[error("the message cannot be written as text")]
    Text(#[from] serde_json::Error),
    #[error("the table cannot be written")]
    Call(#[source] Box<aws_sdk_dynamodb::Error>),
}

/// The table of messages.
#[derive(Clone, Debug)]
pub struct Outbox {
    client: Client,
    table: String,
}

/// A row, its attributes in the order of their names: as JSON text it is what the digest is taken of.
#[derive(Serialize)]
struct Record<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign: Option<&'a str>,
    created_at: String,
    member_id: &'a str,
    message_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_entry: Option<Source<'a>>,
    state: &'static str,
    template: &'static str,
    variables: &'a Variables,
}

#[derive(Serialize)]
struct Source<'a> {
    member_id: &'a str,
    seq: u64,
}

impl Outbox {
    /// `table_prefix` stands before the name of every table: `loyalty-`.
    pub fn new(client: Client, table_prefix: &str) -> Self {
        Self { client, table: format!("{table_prefix}messages") }
    }

    /// Keeps messages. One that is already there stays as it is, and is as good as put.
    ///
    /// # Errors
    /// The place of the first message that is not kept, and why. Messages after it may be there or not.
    pub async fn put(&self, messages: &[Message]) -> Result<(), (usize, PutError)> {
        for (round, few) in messages.chunks(PUTS_AT_ONCE_MAX).enumerate() {
            let mut puts = JoinSet::new();
            for (at, message) in few.iter().enumerate() {
                let at = round * PUTS_AT_ONCE_MAX + at;
                let request = self.request(message).map_err(|error| (at, error))?;
                puts.spawn(async move { send(request).await.map_err(|error| (at, error)) });
            }
            let failures = puts.join_all().await.into_iter().filter_map(Result::err);
            if let Some(first) = failures.min_by_key(|(at, _)| *at) {
                return Err(first);
            }
        }
        Ok(())
    }

    fn request(&self, message: &Message) -> Result<PutItemFluentBuilder, PutError> {
        let record = Record {
            campaign: message.campaign.as_ref().map(RuleId::as_str),
            created_at: message.created_at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            member_id: message.member_id.as_str(),
            message_id: &message.message_id,
            source_entry: message.seq.map(|seq| Source { member_id: message.member_id.as_str(), seq }),
            state: "pending",
            template: message.template.name(),
            variables: &message.variables,
        };
        let digest = &Sha256::digest(serde_json::to_string(&record)?)[..DIGEST_BYTES];
        Ok(self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(serde_dynamo::aws_sdk_dynamodb_1::to_item(&record)?))
            .item("digest", AttributeValue::S(hex::encode(digest)))
            .condition_expression("attribute_not_exists(message_id)"))
    }
}

async fn send(request: PutItemFluentBuilder) -> Result<(), PutError> {
    match request.send().await.map_err(aws_sdk_dynamodb::Error::from) {
        Ok(_) | Err(aws_sdk_dynamodb::Error::ConditionalCheckFailedException(_)) => Ok(()),
        Err(error) => Err(PutError::Call(Box::new(error))),
    }
}
