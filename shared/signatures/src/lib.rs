//! Proof that a webhook comes from the shop it claims to come from.
//!
//! Every function looks at the body exactly as it arrived and compares in constant time. Nothing here parses a body,
//! reads a clock or an environment, or says in an error what was expected: `now` and the secrets are handed in, and a
//! refusal names only its kind, so that it may be logged.

mod kiotviet;
mod raw_body;
mod standard;
mod token;
mod zalo;

pub use kiotviet::{KeyForm, Prefix, Variant, sign_kiotviet, verify_kiotviet};
pub use raw_body::{sign_base64, verify_base64};
pub use standard::{StandardDelivery, StandardSecrets, TOLERANCE_SECONDS, sign_standard};
pub use token::verify_token;
pub use zalo::{sign_zalo, verify_zalo};

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How many secrets of one shop may be live at once: the old and the new one while they are changed over.
pub const SECRETS_MAX: usize = 2;

/// Why a delivery is not believed. It never carries what was sent or expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the signature is missing")]
    Missing,
    #[error("the signature cannot be read")]
    Malformed,
    #[error("the signature does not match")]
    Mismatch,
    #[error("the timestamp is more than five minutes from now")]
    Stale,
}

/// Why a secret cannot be used. It never carries the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("the secret is empty")]
    Empty,
    #[error("more than {SECRETS_MAX} secrets are given")]
    TooMany,
    #[error("the secret is not `whsec_` and the base64 of 24 to 64 bytes")]
    NotStandard,
}

/// The one or two live secrets of a shop, as the bytes that key the signature.
#[derive(Clone)]
pub struct Secrets(Vec<Vec<u8>>);

impl Secrets {
    /// # Errors
    /// [`SecretError::Empty`] when there is none or one of them is empty, [`SecretError::TooMany`] for a third.
    pub fn new<S: Into<Vec<u8>>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, SecretError> {
        let secrets: Vec<Vec<u8>> = secrets.into_iter().map(Into::into).collect();
        if secrets.is_empty() || secrets.iter().any(Vec::is_empty) {
            return Err(SecretError::Empty);
        }
        if secrets.len() > SECRETS_MAX {
            return Err(SecretError::TooMany);
        }
        Ok(Self(secrets))
    }

    /// The secrets of a configuration value: one, or two separated by white space or a comma.
    ///
    /// # Errors
    /// As [`Secrets::new`].
    pub fn parse(value: &str) -> Result<Self, SecretError> {
        Self::new(pieces(value))
    }

    /// The secrets of a shop that makes up secrets with spaces and commas in them, as WooCommerce does: the value as it
    /// stands, and its two pieces only where each is long enough not to be guessed.
    ///
    /// # Errors
    /// [`SecretError::Empty`] for a blank value.
    pub fn parse_punctuated(value: &str) -> Result<Self, SecretError> {
        const PIECE_CHARS_MIN: usize = 8;
        let whole = value.trim();
        let pieces: Vec<&str> = pieces(value).collect();
        let mut secrets = Self::new([whole])?;
        if pieces.len() == SECRETS_MAX && pieces.iter().all(|piece| piece.len() >= PIECE_CHARS_MIN) {
            secrets.0.extend(pieces.iter().map(|piece| piece.as_bytes().to_vec()));
        }
        Ok(secrets)
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} live)", self.0.len())
    }
}

fn pieces(value: &str) -> impl Iterator<Item = &str> {
    value.split(|c: char| c == ',' || c.is_whitespace()).filter(|piece| !piece.is_empty())
}

/// HMAC-SHA256 over the parts, one after another.
fn hmac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_secrets_are_refused() {
        assert_eq!(Secrets::parse("").unwrap_err(), SecretError::Empty);
        assert_eq!(Secrets::parse(" , ").unwrap_err(), SecretError::Empty);
        assert_eq!(Secrets::new([""]).unwrap_err(), SecretError::Empty);
        assert_eq!(Secrets::parse_punctuated("  ").unwrap_err(), SecretError::Empty);
        assert_eq!(Secrets::parse("a b c").unwrap_err(), SecretError::TooMany);
    }

    #[test]
    fn a_punctuated_secret_is_one_secret_and_long_pieces_are_two() {
        let body = b"{}";
        let one = Secrets::parse_punctuated("x7, [Qe}!k").unwrap();
        assert!(verify_base64(&one, body, Some(&sign_base64(b"x7, [Qe}!k", body))).is_ok());
        assert_eq!(verify_base64(&one, body, Some(&sign_base64(b"x7", body))), Err(Refusal::Mismatch));
        let two = Secrets::parse_punctuated("0123456789abcdef0 fedcba98765432100").unwrap();
        assert!(verify_base64(&two, body, Some(&sign_base64(b"fedcba98765432100", body))).is_ok());
    }

    #[test]
    fn secrets_do_not_show_themselves() {
        assert_eq!(format!("{:?}", Secrets::parse("hush").unwrap()), "Secrets(1 live)");
    }
}
