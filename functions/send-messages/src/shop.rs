//! The shop's own system, as the last way to a member: a webhook signed by Standard Webhooks.
//!
//! The webhook's id is the message's, so a shop that gets one twice knows it. A call whose answer was lost may have been
//! taken (F18): what becomes of such a message is the programme's choice, and never a reason to try another channel.

use loyalty_domain::time::Instant;
use loyalty_messaging::{Language, Template, Variables};
use loyalty_runtime::calls::{Call, CallError, Caller};
use loyalty_signatures::{SecretError, StandardSecrets};
use serde::Serialize;

/// The status by which a receiver says that it wants no more.
const GONE: u16 = 410;

/// Where the shop takes messages.
#[derive(Clone)]
pub struct Shop {
    caller: Caller,
    url: String,
    secrets: StandardSecrets,
}

/// What the shop is sent.
pub struct ForShop<'a> {
    pub message_id: &'a str,
    pub member_id: &'a str,
    pub phone: Option<&'a str>,
    pub name: Option<&'a str>,
    pub template: Template,
    pub kind: &'static str,
    pub language: Language,
    pub text: &'a str,
    pub picture: Option<&'a str>,
    pub variables: &'a Variables,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Taken,
    /// Not now.
    Passing(u16),
    /// Not this message.
    Refused(u16),
    /// It was surely not sent.
    NotReached,
    /// It may have been taken.
    Lost,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    timestamp: Instant,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    message_id: &'a str,
    member_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    template: &'static str,
    kind: &'static str,
    language: &'static str,
    text: &'a str,
    /// The address of the picture beside it (C9).
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<&'a str>,
    variables: &'a Variables,
}

impl Shop {
    /// # Errors
    /// [`SecretError`] when the secret is not one of Standard Webhooks.
    pub fn new(caller: Caller, url: String, secret: &str) -> Result<Self, SecretError> {
        Ok(Self { caller, url, secrets: StandardSecrets::parse(secret)? })
    }

    /// Sends one message.
    pub async fn send(&self, message: ForShop<'_>, now: Instant) -> Delivery {
        let data = Data {
            message_id: message.message_id,
            member_id: message.member_id,
            phone: message.phone.map(|digits| format!("+{digits}")),
            name: message.name,
            template: message.template.name(),
            kind: message.kind,
            language: message.language.code(),
            text: message.text,
            picture: message.picture,
            variables: message.variables,
        };
        let body = Body { r#type: "message.send", timestamp: now, data };
        let Ok(body) = serde_json::to_string(&body) else { return Delivery::Refused(0) };
        let seconds = now.timestamp();
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", message.message_id.to_owned()),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", self.secrets.sign(message.message_id, seconds, body.as_bytes())),
        ];
        match self.caller.call(Call { method: "POST", url: self.url.clone(), headers, body }).await {
            Err(CallError::NotSent) => Delivery::NotReached,
            Err(CallError::Lost) => Delivery::Lost,
            Ok(reply) => match reply.status {
                200..300 => Delivery::Taken,
                GONE => Delivery::Refused(GONE),
                408 | 425 | 429 | 500.. => Delivery::Passing(reply.status),
                status => Delivery::Refused(status),
            },
        }
    }
}
