//! `base64(HMAC-SHA256(secret, raw body))`: Shopify, WooCommerce, Haravan and Sapo, each under a header of its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;

use crate::{Refusal, Secrets, hmac};

/// The signature these shops send.
pub fn sign_base64(secret: &[u8], body: &[u8]) -> String {
    STANDARD.encode(hmac(secret, &[body]).finalize().into_bytes())
}

/// # Errors
/// [`Refusal`] when the header is missing, is not base64, or no live secret made it. The digest in hexadecimal is
/// refused: it is base64 of something else.
pub fn verify_base64(secrets: &Secrets, body: &[u8], signature: Option<&str>) -> Result<(), Refusal> {
    let signature = signature.map(str::trim).filter(|s| !s.is_empty()).ok_or(Refusal::Missing)?;
    let given = STANDARD.decode(signature).map_err(|_| Refusal::Malformed)?;
    let matches = secrets.iter().any(|secret| hmac(secret, &[body]).verify_slice(&given).is_ok());
    if matches { Ok(()) } else { Err(Refusal::Mismatch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"what do ya want for nothing?";
    /// RFC 4231, test case 2, in base64 and in hexadecimal.
    const DIGEST: &str = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
    const DIGEST_HEX: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

    fn verify(secrets: &str, body: &[u8], signature: Option<&str>) -> Result<(), Refusal> {
        verify_base64(&Secrets::parse(secrets).unwrap(), body, signature)
    }

    #[test]
    fn a_known_digest_matches_under_either_live_secret() {
        assert_eq!(sign_base64(b"Jefe", BODY), DIGEST);
        assert_eq!(verify("Jefe", BODY, Some(DIGEST)), Ok(()));
        assert_eq!(verify("Jefe new", BODY, Some(DIGEST)), Ok(()));
        assert_eq!(verify("new,Jefe", BODY, Some(DIGEST)), Ok(()));
        assert_eq!(verify("new", BODY, Some(DIGEST)), Err(Refusal::Mismatch));
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(verify("Jefe", b"what do ya want for nothing!", Some(DIGEST)), Err(Refusal::Mismatch));
        assert_eq!(verify("Jefe", BODY, Some(DIGEST_HEX)), Err(Refusal::Mismatch));
        assert_eq!(verify("Jefe", BODY, Some(&DIGEST[..40])), Err(Refusal::Mismatch));
        assert_eq!(verify("Jefe", BODY, Some("not base64!")), Err(Refusal::Malformed));
        assert_eq!(verify("Jefe", BODY, Some(" ")), Err(Refusal::Missing));
        assert_eq!(verify("Jefe", BODY, None), Err(Refusal::Missing));
    }
}
