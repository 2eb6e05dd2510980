//! Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, with a key of 24 to 64 random bytes.
//!
//! The timestamp is signed, so a delivery that was overheard can be sent again for five minutes only. Signatures of a
//! version this does not know are skipped, so that a shop may send a newer one beside `v1`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;

use crate::{Refusal, SECRETS_MAX, SecretError, hmac, pieces};

/// How far the signed timestamp may be from now, either way.
pub const TOLERANCE_SECONDS: i64 = 300;

/// How many signatures of the header are looked at: a shop sends one for each of its live secrets.
const SIGNATURES_MAX: usize = 16;

const KEY_BYTES_MIN: usize = 24;
const KEY_BYTES_MAX: usize = 64;

/// The one or two live keys.
#[derive(Clone)]
pub struct StandardSecrets(Vec<Vec<u8>>);

impl StandardSecrets {
    /// The keys of a configuration value: one `whsec_…`, or two separated by white space or a comma. The prefix may be
    /// left out, as the reference libraries allow.
    ///
    /// # Errors
    /// [`SecretError`] when it is empty, there are more than two, or one is not the base64 of 24 to 64 bytes.
    pub fn parse(value: &str) -> Result<Self, SecretError> {
        let keys = pieces(value).map(key).collect::<Result<Vec<_>, _>>()?;
        match keys.len() {
            0 => Err(SecretError::Empty),
            1..=SECRETS_MAX => Ok(Self(keys)),
            _ => Err(SecretError::TooMany),
        }
    }

    /// # Errors
    /// [`Refusal`] when a header is missing or unreadable, the timestamp is out of tolerance of `now_seconds` (Unix
    /// time), or no signature of a known version is by a live key.
    pub fn verify(&self, delivery: StandardDelivery<'_>, now_seconds: i64) -> Result<(), Refusal> {
        let id = present(delivery.id)?;
        let timestamp = present(delivery.timestamp)?;
        let signatures = present(delivery.signature)?;
        let sent_at: i64 = timestamp.parse().map_err(|_| Refusal::Malformed)?;
        if sent_at.abs_diff(now_seconds) > TOLERANCE_SECONDS.unsigned_abs() {
            return Err(Refusal::Stale);
        }
        let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", delivery.body];
        let matches = signatures
            .split_whitespace()
            .take(SIGNATURES_MAX)
            .filter_map(|signature| signature.strip_prefix("v1,"))
            .filter_map(|digest| STANDARD.decode(digest).ok())
            .any(|digest| self.0.iter().any(|key| hmac(key, &signed).verify_slice(&digest).is_ok()));
        if matches { Ok(()) } else { Err(Refusal::Mismatch) }
    }

    /// The `webhook-signature` of what is sent: a `v1` by every live key, so that a receiver who has either believes it.
    pub fn sign(&self, id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
        let timestamp = timestamp_seconds.to_string();
        let by = |key: &Vec<u8>| {
            let mac = hmac(key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        };
        self.0.iter().map(by).collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Debug for StandardSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StandardSecrets({} live)", self.0.len())
    }
}

/// A delivery as it arrived: the three headers and the raw body.
#[derive(Clone, Copy)]
pub struct StandardDelivery<'a> {
    pub id: Option<&'a str>,
    pub timestamp: Option<&'a str>,
    pub signature: Option<&'a str>,
    pub body: &'a [u8],
}

/// [`StandardSecrets::sign`] by the keys of a configuration value.
///
/// # Errors
/// [`SecretError`] as [`StandardSecrets::parse`].
pub fn sign_standard(secret: &str, id: &str, timestamp_seconds: i64, body: &[u8]) -> Result<String, SecretError> {
    Ok(StandardSecrets::parse(secret)?.sign(id, timestamp_seconds, body))
}

fn key(secret: &str) -> Result<Vec<u8>, SecretError> {
    let encoded = secret.strip_prefix("whsec_").unwrap_or(secret);
    let key = STANDARD.decode(encoded).map_err(|_| SecretError::NotStandard)?;
    if (KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key.len()) { Ok(key) } else { Err(SecretError::NotStandard) }
}

fn present(header: Option<&str>) -> Result<&str, Refusal> {
    header.map(str::trim).filter(|value| !value.is_empty()).ok_or(Refusal::Missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    // 24 and 32 bytes, made up for these tests.
    const SECRET: &str = "whsec_bG95YWx0eS10ZXN0LXNlY3JldC0wMDAx";
    const NEXT: &str = "whsec_YW5vdGhlci1sb3lhbHR5LXRlc3Qtc2VjcmV0LTAwMDI=";
    const NOW: i64 = 1_795_000_000;
    const BODY: &[u8] = b"{\"type\":\"order.changed\"}";

    fn verify_at(secrets: &str, signature: &str, sent_at: i64, now: i64) -> Result<(), Refusal> {
        let timestamp = sent_at.to_string();
        StandardSecrets::parse(secrets).unwrap().verify(
            StandardDelivery { id: Some("msg_1"), timestamp: Some(&timestamp), signature: Some(signature), body: BODY },
            now,
        )
    }

    fn signed() -> String {
        sign_standard(SECRET, "msg_1", NOW, BODY).unwrap()
    }

    #[test]
    fn a_signature_matches_under_either_live_secret() {
        assert_eq!(verify_at(SECRET, &signed(), NOW, NOW), Ok(()));
        assert_eq!(verify_at(&format!("{SECRET} {NEXT}"), &signed(), NOW, NOW), Ok(()));
        assert_eq!(verify_at(&format!("{NEXT},{SECRET}"), &signed(), NOW, NOW), Ok(()));
        assert_eq!(verify_at(NEXT, &signed(), NOW, NOW), Err(Refusal::Mismatch));
    }

    #[test]
    fn what_is_signed_while_a_secret_is_replaced_is_believed_by_either() {
        let both = sign_standard(&format!("{NEXT} {SECRET}"), "msg_1", NOW, BODY).unwrap();
        assert_eq!(both, format!("{} {}", sign_standard(NEXT, "msg_1", NOW, BODY).unwrap(), signed()));
        for secret in [SECRET, NEXT] {
            assert_eq!(verify_at(secret, &both, NOW, NOW), Ok(()));
        }
    }

    #[test]
    fn the_right_signature_is_found_anywhere_in_the_list() {
        let right = signed();
        let wrong = sign_standard(NEXT, "msg_1", NOW, BODY).unwrap();
        for list in [format!("{right} {wrong}"), format!("v1a,AAAA v2,{} {wrong} {right}", &right[3..])] {
            assert_eq!(verify_at(SECRET, &list, NOW, NOW), Ok(()), "{list}");
        }
        for list in [wrong, format!("v2,{}", &right[3..]), "v1,".into(), right[3..].into(), "v1,???".into()] {
            assert_eq!(verify_at(SECRET, &list, NOW, NOW), Err(Refusal::Mismatch), "{list}");
        }
    }

    #[test]
    fn a_replay_is_refused_beyond_five_minutes_either_way() {
        assert_eq!(verify_at(SECRET, &signed(), NOW, NOW + 300), Ok(()));
        assert_eq!(verify_at(SECRET, &signed(), NOW, NOW - 300), Ok(()));
        assert_eq!(verify_at(SECRET, &signed(), NOW, NOW + 301), Err(Refusal::Stale));
        assert_eq!(verify_at(SECRET, &signed(), NOW, NOW - 301), Err(Refusal::Stale));
        assert_eq!(verify_at(SECRET, &signed(), NOW + 60, NOW + 60), Err(Refusal::Mismatch));
        assert_eq!(verify_at(SECRET, &signed(), i64::MIN, i64::MAX), Err(Refusal::Stale));
    }

    #[test]
    fn every_header_is_needed() {
        let signature = signed();
        let timestamp = NOW.to_string();
        let secrets = StandardSecrets::parse(SECRET).unwrap();
        let whole = StandardDelivery {
            id: Some("msg_1"),
            timestamp: Some(&timestamp),
            signature: Some(&signature),
            body: BODY,
        };
        assert_eq!(secrets.verify(whole, NOW), Ok(()));
        for (refusal, delivery) in [
            (Refusal::Missing, StandardDelivery { id: None, ..whole }),
            (Refusal::Missing, StandardDelivery { timestamp: None, ..whole }),
            (Refusal::Missing, StandardDelivery { signature: Some(""), ..whole }),
            (Refusal::Malformed, StandardDelivery { timestamp: Some("2026-11-23T08:15:00Z"), ..whole }),
            (Refusal::Mismatch, StandardDelivery { id: Some("msg_2"), ..whole }),
            (Refusal::Mismatch, StandardDelivery { body: b"{\"type\": \"order.changed\"}", ..whole }),
        ] {
            assert_eq!(secrets.verify(delivery, NOW), Err(refusal));
        }
    }

    #[test]
    fn weak_secrets_are_refused() {
        assert_eq!(StandardSecrets::parse("").unwrap_err(), SecretError::Empty);
        for weak in ["whsec_", "whsec_c2hvcnQ=", "whsec_not base64", "plain words"] {
            assert_eq!(StandardSecrets::parse(weak).unwrap_err(), SecretError::NotStandard, "{weak}");
        }
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        assert_eq!(StandardSecrets::parse(&long).unwrap_err(), SecretError::NotStandard);
        assert_eq!(StandardSecrets::parse(&[SECRET; 3].join(" ")).unwrap_err(), SecretError::TooMany);
        assert_eq!(sign_standard("whsec_c2hvcnQ=", "a", 0, b"").unwrap_err(), SecretError::NotStandard);
    }
}
