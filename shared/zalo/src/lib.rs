//! Zalo as messages are sent by it: templates to a phone number, templates and texts to a follower, tokens.
//!
//! It knows addresses, bodies and codes, and nothing of members or of when a message may be sent. Nothing here is ever
//! logged with a phone number, a name, a user id or a token in it, and no error repeats one.

mod codes;

use std::collections::BTreeMap;
use std::fmt;

use chrono::TimeDelta;
use loyalty_runtime::calls::{Call, CallError, Caller, Reply};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use codes::{CODES, Class, NOT_FOLLOWING, RATE_LIMIT, class_of};

/// Where Zalo is, unless the environment says otherwise.
pub const OPENAPI_URL: &str = "https://openapi.zalo.me";
pub const BUSINESS_URL: &str = "https://business.openapi.zalo.me";
pub const OAUTH_URL: &str = "https://oauth.zaloapp.com";

/// The most characters of a text to a follower.
pub const TEXT_CHARS_MAX: usize = 2_000;
/// The longest a token is believed to last: what is told is in seconds, and text.
const TOKEN_SECONDS_MAX: i64 = 100 * 24 * 3600;
/// Of the SHA-256 of a message's id, as its tracking id: 32 of the 48 characters that are allowed.
const TRACKING_BYTES: usize = 16;

/// The addresses of Zalo and the application that calls.
#[derive(Clone)]
pub struct Account {
    pub openapi_url: String,
    pub business_url: String,
    pub oauth_url: String,
    pub app_id: String,
    pub app_secret: String,
}

/// Zalo.
#[derive(Clone)]
pub struct Zalo {
    caller: Caller,
    account: Account,
}

impl fmt::Debug for Zalo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Zalo(hidden)")
    }
}

/// A message that Zalo took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Zalo's id of the message.
    pub message_id: Option<String>,
    /// How many messages are left of the quota.
    pub quota_remaining: Option<i64>,
}

/// What Zalo knows of a user of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserDetail {
    pub follows: bool,
}

/// A new pair of tokens. The old refresh token is worth nothing from now on.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    pub access_token: String,
    pub refresh_token: String,
    pub lasts: TimeDelta,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(hidden)")
    }
}

/// Why a message is not surely taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Zalo says no.
    Code {
        number: i64,
        class: Class,
        /// How long to be quiet, where Zalo says it with the limit of its rate.
        quiet: Option<TimeDelta>,
    },
    /// It was surely not sent.
    NotSent,
    /// It may have been (F18).
    Lost,
}

impl From<CallError> for Refused {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotSent => Self::NotSent,
            CallError::Lost => Self::Lost,
        }
    }
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default, deserialize_with = "lenient")]
    error: Option<i64>,
    #[serde(default)]
    data: Option<Value>,
}

/// A number, or text that is one: Zalo writes both.
fn lenient<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(number(&Value::deserialize(deserializer)?))
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The tracking id of a message: what its receipt names. Derived, so that a receipt is known even where the answer to
/// the call was lost; only hexadecimal digits.
pub fn tracking_id(message_id: &str) -> String {
    hex::encode(&Sha256::digest(message_id)[..TRACKING_BYTES])
}

impl Zalo {
    pub fn new(caller: Caller, account: Account) -> Self {
        Self { caller, account }
    }

    /// A template to a phone number: E.164 digits without the plus sign.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn template_to_phone(
        &self,
        token: &str,
        phone: &str,
        template_id: &str,
        data: &BTreeMap<String, String>,
        tracking_id: &str,
    ) -> Result<Taken, Refused> {
        #[derive(Serialize)]
        struct Body<'a> {
            phone: &'a str,
            template_id: &'a str,
            template_data: &'a BTreeMap<String, String>,
            tracking_id: &'a str,
        }
        let body = Body { phone, template_id, template_data: data, tracking_id };
        let data = self.post(&self.account.business_url, "/message/template", token, &body).await?;
        Ok(taken(&data, "msg_id", &["quota", "remainingQuota"]))
    }

    /// A template to a follower of the account.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn template_to_user(
        &self,
        token: &str,
        user_id: &str,
        template_id: &str,
        data: &BTreeMap<String, String>,
    ) -> Result<Taken, Refused> {
        #[derive(Serialize)]
        struct Body<'a> {
            user_id: &'a str,
            template_id: &'a str,
            template_data: &'a BTreeMap<String, String>,
        }
        let body = Body { user_id, template_id, template_data: data };
        let data = self.post(&self.account.openapi_url, "/v3.0/oa/message/template", token, &body).await?;
        Ok(taken(&data, "message_id", &["quota", "remain"]))
    }

    /// A text to a user who did something in the account within two days, with a picture if there is one; it costs nothing.
    /// At most [`TEXT_CHARS_MAX`] characters.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn text_to_user(
        &self,
        token: &str,
        user_id: &str,
        text: &str,
        picture: Option<&str>,
    ) -> Result<Taken, Refused> {
        let text: String = text.chars().take(TEXT_CHARS_MAX).collect();
        let mut message = serde_json::json!({"text": text});
        if let Some(url) = picture {
            let payload =
                serde_json::json!({"template_type": "media", "elements": [{"media_type": "image", "url": url}]});
            message["attachment"] = serde_json::json!({"type": "template", "payload": payload});
        }
        let body = serde_json::json!({"recipient": {"user_id": user_id}, "message": message});
        let data = self.post(&self.account.openapi_url, "/v3.0/oa/message/cs", token, &body).await?;
        Ok(taken(&data, "message_id", &["quota", "remain"]))
    }

    /// Whether a user follows the account, as Zalo says.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn user_detail(&self, token: &str, user_id: &str) -> Result<UserDetail, Refused> {
        let asked = serde_json::json!({"user_id": user_id}).to_string();
        let url = format!("{}/v3.0/oa/user/detail?data={}", self.account.openapi_url, percent_encoded(&asked));
        let headers = vec![("access_token", token.to_owned())];
        let reply = self.caller.call(Call { method: "GET", url, headers, body: String::new() }).await?;
        let data: Value = answer(&reply)?;
        Ok(UserDetail { follows: data["user_is_follower"].as_bool().unwrap_or(false) })
    }

    /// Gives up the refresh token for a new pair. It works once: keep what comes before anything is done with it.
    ///
    /// # Errors
    /// [`Refused`]; after [`Refused::Lost`] nobody knows whether the token still works.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Tokens, Refused> {
        let url = format!("{}/v4/oa/access_token", self.account.oauth_url);
        let form =
            [("refresh_token", refresh_token), ("app_id", &self.account.app_id), ("grant_type", "refresh_token")];
        let pairs = form.map(|(name, value)| format!("{name}={}", percent_encoded(value)));
        let headers = vec![
            ("secret_key", self.account.app_secret.clone()),
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ];
        let reply = self.caller.call(Call { method: "POST", url, headers, body: pairs.join("&") }).await?;
        not_busy(&reply)?;
        let told: Value = read(&reply)?;
        let pair = text(&told["access_token"]).zip(text(&told["refresh_token"]));
        match pair {
            Some((access_token, refresh_token)) => {
                let seconds = number(&told["expires_in"]).unwrap_or(0).clamp(0, TOKEN_SECONDS_MAX);
                Ok(Tokens { access_token, refresh_token, lasts: TimeDelta::seconds(seconds) })
            }
            None => match number(&told["error"]) {
                Some(number) if number != 0 => Err(Refused::Code { number, class: class_of(number), quiet: None }),
                _ => Err(Refused::Lost),
            },
        }
    }

    async fn post<B: Serialize>(&self, base: &str, path: &str, token: &str, body: &B) -> Result<Value, Refused> {
        let headers = vec![("access_token", token.to_owned()), ("content-type", "application/json".to_owned())];
        let body = serde_json::to_string(body).map_err(|_| Refused::NotSent)?;
        let reply = self.caller.call(Call { method: "POST", url: format!("{base}{path}"), headers, body }).await?;
        answer(&reply)
    }
}

/// How long an answer asks to be quiet. Some write the seconds that are left, some an instant; an instant is no pause.
fn quiet(reply: &Reply) -> Option<TimeDelta> {
    let seconds = reply.header("x-ratelimit-reset").or(reply.header("retry-after"))?.trim().parse().ok()?;
    (0..=3_600).contains(&seconds).then(|| TimeDelta::seconds(seconds))
}

/// Some are refused before anything was done with them; what stands in the body is a proxy's.
fn not_busy(reply: &Reply) -> Result<(), Refused> {
    let number = match reply.status {
        429 => RATE_LIMIT,
        503 => 503,
        _ => return Ok(()),
    };
    Err(Refused::Code { number, class: Class::Passing, quiet: quiet(reply) })
}

/// The data of an answer, or what Zalo says instead.
fn answer(reply: &Reply) -> Result<Value, Refused> {
    not_busy(reply)?;
    let envelope: Envelope = read(reply)?;
    match envelope.error {
        Some(0) => Ok(envelope.data.unwrap_or_default()),
        Some(number) => {
            let quiet = (number == RATE_LIMIT).then(|| quiet(reply)).flatten();
            Err(Refused::Code { number, class: class_of(number), quiet })
        }
        // Neither success nor an error: nobody knows.
        None => Err(Refused::Lost),
    }
}

fn read<T: DeserializeOwned>(reply: &Reply) -> Result<T, Refused> {
    serde_json::from_slice(&reply.body).map_err(|_| Refused::Lost)
}

fn taken(data: &Value, id: &str, quota: &[&str; 2]) -> Taken {
    Taken { message_id: text(&data[id]), quota_remaining: number(&data[quota[0]][quota[1]]) }
}

fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests;
