//! A token the shop sends along instead of a signature: Nhanh and Pancake.
//!
//! It proves only that the sender knows the token; whoever reads one delivery can write the next. Both sides are hashed
//! under the same key before they are compared, so neither the content nor the length shows in the time it takes.

use hmac::Mac;

use crate::{Refusal, Secrets, hmac};

/// # Errors
/// [`Refusal::Missing`] when there is no token, [`Refusal::Mismatch`] when it is not a live one.
pub fn verify_token(secrets: &Secrets, token: Option<&str>) -> Result<(), Refusal> {
    let token = token.map(str::trim).filter(|token| !token.is_empty()).ok_or(Refusal::Missing)?;
    let matches = secrets.iter().any(|secret| {
        let expected = hmac(secret, &[secret]).finalize().into_bytes();
        hmac(secret, &[token.as_bytes()]).verify_slice(&expected).is_ok()
    });
    if matches { Ok(()) } else { Err(Refusal::Mismatch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_token_matches_and_nothing_else_does() {
        let secrets = Secrets::parse("old-token new-token").unwrap();
        assert_eq!(verify_token(&secrets, Some("old-token")), Ok(()));
        assert_eq!(verify_token(&secrets, Some(" new-token ")), Ok(()));
        for wrong in ["old-toke", "old-tokenn", "OLD-TOKEN", "old-token new-token"] {
            assert_eq!(verify_token(&secrets, Some(wrong)), Err(Refusal::Mismatch), "{wrong}");
        }
        assert_eq!(verify_token(&secrets, Some("")), Err(Refusal::Missing));
        assert_eq!(verify_token(&secrets, None), Err(Refusal::Missing));
    }
}
