//! By what each shop proves that a delivery is its own.

use std::collections::BTreeMap;

use loyalty_contract::queue::Source;
use loyalty_contract::webhook::checked_object;
use loyalty_contract::webhook::json::{Field, Read};
use loyalty_signatures::{
    Refusal, SecretError, Secrets, StandardDelivery, StandardSecrets, Variant, verify_base64, verify_kiotviet,
    verify_token,
};
use serde::Deserialize;

use crate::request::Request;

/// The keys of the sources that are set up, or why one of them cannot be used.
pub type Keys = BTreeMap<Source, Result<Key, SecretError>>;

/// The live secrets of one source, in the form its scheme needs.
#[derive(Clone, Debug)]
pub enum Key {
    Standard(StandardSecrets),
    /// The base64 HMAC of the raw body, under one of these headers.
    RawBody {
        secrets: Secrets,
        headers: &'static [&'static str],
    },
    KiotViet(Secrets),
    /// A token in a header whose name the shop chose, or in the body where `in_body`.
    Token {
        secrets: Secrets,
        in_body: bool,
    },
}

impl Key {
    /// # Errors
    /// [`SecretError`] when the value is no secret of this source's kind.
    pub fn parse(source: Source, value: &str) -> Result<Self, SecretError> {
        let raw_body = |secrets, headers| Self::RawBody { secrets, headers };
        Ok(match source {
            Source::Standard => Self::Standard(StandardSecrets::parse(value)?),
            Source::Shopify => raw_body(Secrets::parse(value)?, &["x-shopify-hmac-sha256", "shopify-hmac-sha256"]),
            Source::WooCommerce => raw_body(Secrets::parse_punctuated(value)?, &["x-wc-webhook-signature"]),
            Source::Haravan => raw_body(Secrets::parse(value)?, &["x-haravan-hmacsha256", "x-haravan-hmac-sha256"]),
            Source::Sapo => raw_body(Secrets::parse(value)?, &["x-sapo-hmac-sha256", "x-sapo-hmacsha256"]),
            Source::KiotViet => Self::KiotViet(Secrets::parse(value)?),
            Source::Pancake => Self::Token { secrets: Secrets::parse(value)?, in_body: false },
            Source::Nhanh => Self::Token { secrets: Secrets::parse(value)?, in_body: true },
        })
    }

    /// Whether the delivery is the shop's. `body` is what it sent, byte for byte. KiotViet's scheme is not settled, so
    /// the reading that matched is reported.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn verify(&self, request: &Request<'_>, body: &[u8]) -> Result<Option<Variant>, Refusal> {
        match self {
            Self::Standard(secrets) => {
                let delivery = StandardDelivery {
                    id: request.header("webhook-id"),
                    timestamp: request.header("webhook-timestamp"),
                    signature: request.header("webhook-signature"),
                    body,
                };
                secrets.verify(delivery, request.received_at().timestamp()).map(|()| None)
            }
            Self::RawBody { secrets, headers } => {
                let signature = headers.iter().find_map(|name| request.header(name));
                verify_base64(secrets, body, signature).map(|()| None)
            }
            Self::KiotViet(secrets) => verify_kiotviet(secrets, body, request.header("x-hub-signature")).map(Some),
            Self::Token { secrets, in_body } => token(secrets, *in_body, request, body).map(|()| None),
        }
    }
}

/// The token is where the shop's owner put it: in the value of some header, `Bearer` or bare, or in the body.
fn token(secrets: &Secrets, in_body: bool, request: &Request<'_>, body: &[u8]) -> Result<(), Refusal> {
    let bare = |value: &'_ str| value.strip_prefix("Bearer ").unwrap_or(value).to_owned();
    let in_header = request.header_values().any(|value| verify_token(secrets, Some(&bare(value))).is_ok());
    if in_header {
        return Ok(());
    }
    let token = if in_body { token_in(body) } else { None };
    verify_token(secrets, token.as_deref())
}

/// The field of Nhanh's body that holds its token.
const TOKEN_FIELD: &[u8] = b"\"webhooksVerifyToken\"";

/// A body that will be kept, with an empty text where its token was. The body need not be JSON: it is kept because it
/// could not be read.
pub fn without_token(body: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.windows(TOKEN_FIELD.len()).position(|window| window == TOKEN_FIELD) {
        let (before, after) = rest.split_at(at + TOKEN_FIELD.len());
        clean.extend_from_slice(before);
        rest = match scalar_after_colon(after) {
            Some(end) => {
                clean.extend_from_slice(b":\"\"");
                &after[end..]
            }
            None => after,
        };
    }
    clean.extend_from_slice(rest);
    clean
}

/// Where the JSON text or number that follows a colon ends, at the latest with the body.
fn scalar_after_colon(after: &[u8]) -> Option<usize> {
    let skip = |from: usize| from + after[from..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let colon = skip(0);
    let start = skip((after.get(colon) == Some(&b':')).then_some(colon + 1)?);
    if after.get(start) != Some(&b'"') {
        let number = after[start..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
        return Some(start + number.count()).filter(|end| *end > start);
    }
    let mut at = start + 1;
    while let Some(byte) = after.get(at) {
        match byte {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    Some(after.len())
}

/// The one scheme where the body has to be opened first; only the token is taken out of it.
fn token_in(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Call {
        #[serde(default, rename = "webhooksVerifyToken")]
        token: Field,
    }
    let call: Call = serde_json::from_str(checked_object(body).ok()?).ok()?;
    call.token.text()
}

#[cfg(test)]
mod tests {
    use super::without_token;

    #[test]
    fn the_token_goes_and_the_rest_stays_byte_for_byte() {
        for (body, clean) in [
            (r#"{"webhooksVerifyToken":"s3cret","event":1}"#, r#"{"webhooksVerifyToken":"","event":1}"#),
            ("{ \"webhooksVerifyToken\" :\n \"a\\\"b\\\\\" }", "{ \"webhooksVerifyToken\":\"\" }"),
            (
                r#"{"webhooksVerifyToken":"a","webhooksVerifyToken":"b"}"#,
                r#"{"webhooksVerifyToken":"","webhooksVerifyToken":""}"#,
            ),
            (r#"{"webhooksVerifyToken":"cut sho"#, r#"{"webhooksVerifyToken":"""#),
            (r#"{"webhooksVerifyToken":"cut\"#, r#"{"webhooksVerifyToken":"""#),
            (r#"["webhooksVerifyToken", 1.50]"#, r#"["webhooksVerifyToken", 1.50]"#),
            (r#"{"webhooksVerifyToken":-7.5e+3}"#, r#"{"webhooksVerifyToken":""}"#),
            (r#"{"webhooksVerifyToken":[7]}"#, r#"{"webhooksVerifyToken":[7]}"#),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8(without_token(body.as_bytes())).unwrap(), clean, "{body}");
        }
    }
}
