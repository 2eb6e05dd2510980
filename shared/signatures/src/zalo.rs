//! Zalo's `X-ZEvent-Signature`: the plain SHA-256 of application id, raw body, timestamp and OA secret key, one after the
//! other. Not an HMAC, whatever some of the code that runs against it is called.
//!
//! The key is the Official Account's own, not the application's. The header is `mac=` and hexadecimal digits, with spaces
//! around the sign or without the name in deliveries that have been seen.

use hmac::Mac;
use sha2::{Digest, Sha256};

use crate::{Refusal, Secrets, hmac};

/// The digits of the signature that Zalo sends.
pub fn sign_zalo(oa_secret: &[u8], app_id: &str, timestamp: &str, body: &[u8]) -> String {
    hex::encode(digest(oa_secret, app_id, timestamp, body))
}

/// `timestamp` is the one the body names, or that of the header `X-ZEvent-Timestamp`: it is part of what is signed.
///
/// # Errors
/// [`Refusal`] when the header is missing, is no SHA-256 in hexadecimal, or no live secret made it.
pub fn verify_zalo(
    secrets: &Secrets,
    app_id: &str,
    timestamp: &str,
    body: &[u8],
    signature: Option<&str>,
) -> Result<(), Refusal> {
    let signature = signature.map(str::trim).filter(|s| !s.is_empty()).ok_or(Refusal::Missing)?;
    let given = hex::decode(digits(signature)).map_err(|_| Refusal::Malformed)?;
    if given.len() != <Sha256 as Digest>::output_size() {
        return Err(Refusal::Malformed);
    }
    // Both sides are hashed once more under the secret, and the HMACs compared: in constant time.
    let matches = secrets.iter().any(|secret| {
        let expected = hmac(secret, &[&digest(secret, app_id, timestamp, body)]).finalize().into_bytes();
        hmac(secret, &[&given]).verify_slice(&expected).is_ok()
    });
    if matches { Ok(()) } else { Err(Refusal::Mismatch) }
}

fn digest(oa_secret: &[u8], app_id: &str, timestamp: &str, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [app_id.as_bytes(), body, timestamp.as_bytes(), oa_secret] {
        hash.update(part);
    }
    hash.finalize().into()
}

/// What follows `mac=`, however it is spaced, or all of it.
fn digits(signature: &str) -> &str {
    match signature.split_once('=') {
        Some((name, digits)) if name.trim().eq_ignore_ascii_case("mac") => digits.trim(),
        _ => signature,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "an-oa-secret-key";
    const APP: &str = "1000000000000000001";
    const TIME: &str = "1795396510000";
    const BODY: &[u8] = br#"{"event_name":"follow","timestamp":"1795396510000"}"#;
    /// By `printf '%s' "$APP$BODY$TIME$SECRET" | sha256sum`.
    const DIGITS: &str = "ff9ed6d111c143f1cd7412f355a7eae90da5c43681e125afa0036520f55a93ec";
    /// By `openssl dgst -sha256 -hmac` over the first three: what code that calls it a MAC computes.
    const HMAC: &str = "e06e983ce81dfa34eb59aac32621e80dce1b4d3e0405098363f73958811947bc";

    fn verify(secrets: &str, body: &[u8], time: &str, signature: &str) -> Result<(), Refusal> {
        verify_zalo(&Secrets::parse(secrets).unwrap(), APP, time, body, Some(signature))
    }

    #[test]
    fn it_is_the_plain_hash_of_everything_in_a_row() {
        assert_eq!(sign_zalo(SECRET.as_bytes(), APP, TIME, BODY), DIGITS);
        for header in [format!("mac={DIGITS}"), format!(" mac = {DIGITS} "), DIGITS.to_uppercase()] {
            assert_eq!(verify(SECRET, BODY, TIME, &header), Ok(()), "{header}");
            assert_eq!(verify(&format!("another {SECRET}"), BODY, TIME, &header), Ok(()), "{header}");
        }
        assert_eq!(verify(SECRET, BODY, TIME, HMAC), Err(Refusal::Mismatch));
    }

    #[test]
    fn every_part_counts() {
        assert_eq!(verify("another", BODY, TIME, DIGITS), Err(Refusal::Mismatch));
        assert_eq!(verify(SECRET, &BODY[1..], TIME, DIGITS), Err(Refusal::Mismatch));
        assert_eq!(verify(SECRET, BODY, "1795396510001", DIGITS), Err(Refusal::Mismatch));
        let other_app = verify_zalo(&Secrets::parse(SECRET).unwrap(), "2", TIME, BODY, Some(DIGITS));
        assert_eq!(other_app, Err(Refusal::Mismatch));
    }

    #[test]
    fn nonsense_is_refused() {
        let secrets = Secrets::parse(SECRET).unwrap();
        assert_eq!(verify_zalo(&secrets, APP, TIME, BODY, None), Err(Refusal::Missing));
        for (header, refusal) in [
            ("  ", Refusal::Missing),
            ("mac=", Refusal::Malformed),
            ("mac=xyz", Refusal::Malformed),
            (&DIGITS[2..], Refusal::Malformed),
            ("md5=00", Refusal::Malformed),
        ] {
            assert_eq!(verify(SECRET, BODY, TIME, header), Err(refusal), "{header}");
        }
    }
}
