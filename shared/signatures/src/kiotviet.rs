//! KiotViet's `X-Hub-Signature`: hexadecimal HMAC-SHA256 of the raw body.
//!
//! Its documentation and the code that runs against it differ in two points, so both readings of each are accepted and
//! the one that matched is reported, to be logged and one day narrowed down: the prefix before the digits, and whether
//! the key is the secret as registered or what its base64 decodes to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;

use crate::{Refusal, Secrets, hmac};

/// What stood before the hexadecimal digits. `sha1=` is what live deliveries carry, though the digest is SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    None,
    Sha1,
    Sha256,
}

/// How the registered secret became the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    AsGiven,
    Base64Decoded,
}

/// The reading of the scheme that matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    pub prefix: Prefix,
    pub key: KeyForm,
}

/// The signature as live deliveries carry it: `sha1=` and the digest keyed with the secret as given.
pub fn sign_kiotviet(secret: &[u8], body: &[u8]) -> String {
    format!("sha1={}", hex::encode(hmac(secret, &[body]).finalize().into_bytes()))
}

/// # Errors
/// [`Refusal`] when the header is missing, is not hexadecimal, or matches in no reading under any live secret.
pub fn verify_kiotviet(secrets: &Secrets, body: &[u8], signature: Option<&str>) -> Result<Variant, Refusal> {
    let signature = signature.map(str::trim).filter(|s| !s.is_empty()).ok_or(Refusal::Missing)?;
    let (prefix, digits) = split_prefix(signature);
    let given = hex::decode(digits).map_err(|_| Refusal::Malformed)?;
    let matches = |key: &[u8]| hmac(key, &[body]).verify_slice(&given).is_ok();
    for secret in secrets.iter() {
        if matches(secret) {
            return Ok(Variant { prefix, key: KeyForm::AsGiven });
        }
        if STANDARD.decode(secret).is_ok_and(|key| matches(&key)) {
            return Ok(Variant { prefix, key: KeyForm::Base64Decoded });
        }
    }
    Err(Refusal::Mismatch)
}

fn split_prefix(signature: &str) -> (Prefix, &str) {
    for (text, prefix) in [("sha1=", Prefix::Sha1), ("sha256=", Prefix::Sha256)] {
        match signature.split_at_checked(text.len()) {
            Some((head, digits)) if head.eq_ignore_ascii_case(text) => return (prefix, digits),
            _ => {}
        }
    }
    (Prefix::None, signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"{\"Id\":\"1\"}";

    fn verify(secrets: &str, signature: &str) -> Result<Variant, Refusal> {
        verify_kiotviet(&Secrets::parse(secrets).unwrap(), BODY, Some(signature))
    }

    fn digits(key: &[u8]) -> String {
        hex::encode(hmac(key, &[BODY]).finalize().into_bytes())
    }

    #[test]
    fn every_reading_matches_and_is_reported() {
        let secret = "bXlzZWNyZXRrZXk=";
        for (text, prefix) in [("", Prefix::None), ("sha1=", Prefix::Sha1), ("SHA256=", Prefix::Sha256)] {
            let as_given = format!("{text}{}", digits(secret.as_bytes()));
            assert_eq!(verify(secret, &as_given), Ok(Variant { prefix, key: KeyForm::AsGiven }));
            let decoded = format!("{text}{}", digits(b"mysecretkey").to_uppercase());
            assert_eq!(verify(secret, &decoded), Ok(Variant { prefix, key: KeyForm::Base64Decoded }));
        }
        assert_eq!(sign_kiotviet(secret.as_bytes(), BODY), format!("sha1={}", digits(secret.as_bytes())));
    }

    #[test]
    fn either_live_secret_matches_and_no_other() {
        let signature = sign_kiotviet(b"first-secret", BODY);
        assert!(verify("first-secret second-secret", &signature).is_ok());
        assert!(verify("second-secret first-secret", &signature).is_ok());
        assert_eq!(verify("second-secret", &signature), Err(Refusal::Mismatch));
    }

    #[test]
    fn base64_and_nonsense_are_refused() {
        let base64 = crate::sign_base64(b"first-secret", BODY);
        assert_eq!(verify("first-secret", &base64), Err(Refusal::Malformed));
        assert_eq!(verify("first-secret", "md5=00"), Err(Refusal::Malformed));
        assert_eq!(verify("first-secret", "sha1="), Err(Refusal::Mismatch));
        assert_eq!(verify("first-secret", "é"), Err(Refusal::Malformed));
        assert_eq!(verify_kiotviet(&Secrets::parse("x").unwrap(), BODY, None), Err(Refusal::Missing));
    }
}
