//! Who a member is: derived, never looked up (X43).
//!
//! The id is a keyed hash of the normalised phone, else of the shop and its customer id. The same person has the same
//! id in every shop, two first orders cannot race for one, and the id tells nothing about the person to anyone without
//! the key. The key is made once for an installation and never changed: another key is another set of members.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use loyalty_domain::ids::{MemberId, RequestId, VoucherId};
use sha2::Sha256;

use crate::phone::Phone;
use crate::queue::Source;

const KEY_BYTES_MIN: usize = 32;
/// 130 bits: no two members will meet by chance.
const ID_CHARS: usize = 26;
/// 60 bits: nobody guesses a voucher, and a till can still type it.
const CODE_CHARS: usize = 12;

/// The key of the hash, one for an installation.
#[derive(Clone)]
pub struct MemberKey(Vec<u8>);

/// The key is shorter than 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the member id key must have at least {KEY_BYTES_MIN} bytes")]
pub struct KeyTooShort;

impl MemberKey {
    /// # Errors
    /// [`KeyTooShort`] below 32 bytes.
    pub fn new(secret: &str) -> Result<Self, KeyTooShort> {
        if secret.len() < KEY_BYTES_MIN { Err(KeyTooShort) } else { Ok(Self(secret.as_bytes().to_vec())) }
    }

    /// The member with this phone.
    pub fn by_phone(&self, phone: &Phone) -> MemberId {
        self.id(&format!("phone:{}", phone.digits()))
    }

    /// The member known only as a customer of one shop.
    pub fn by_customer(&self, source: Source, customer_id: &str) -> MemberId {
        self.id(&format!("source:{}:{customer_id}", source.as_str()))
    }

    fn id(&self, person: &str) -> MemberId {
        MemberId::new(format!("m_{}", self.hash(person, ID_CHARS)))
    }

    /// The code of the voucher of a grant: the same for the same grant, and nobody without the key can guess it.
    pub fn voucher_code(&self, grant_id: &str) -> String {
        self.hash(&format!("voucher:{grant_id}"), CODE_CHARS).to_uppercase()
    }

    /// The row of the voucher with a code, however it is spelled. The id does not tell the code.
    pub fn voucher_id(&self, code: &str) -> VoucherId {
        let code: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
        VoucherId::new(format!("v_{}", self.hash(&format!("code:{}", code.to_ascii_uppercase()), ID_CHARS)))
    }

    /// The row of the voucher with a code that somebody typed, where it can be one of ours at all: shops have codes of
    /// their own, and nobody pays for looking those up.
    pub fn voucher_id_of(&self, code: &str) -> Option<VoucherId> {
        let mut characters = code.chars().filter(char::is_ascii_alphanumeric);
        let ours = characters.clone().count() == CODE_CHARS
            && characters.all(|c| matches!(c.to_ascii_uppercase(), 'A'..='Z' | '2'..='7'));
        ours.then(|| self.voucher_id(code))
    }

    /// The code and the row of the voucher of a grant.
    pub fn voucher(&self, grant_id: &str) -> (String, VoucherId) {
        let code = self.voucher_code(grant_id);
        let voucher_id = self.voucher_id(&code);
        (code, voucher_id)
    }

    /// The key of a user of the official account, whose id at Zalo is personal and stands in no key.
    pub fn zalo_user(&self, user_id: &str) -> String {
        format!("z_{}", self.hash(&format!("zalo:{user_id}"), ID_CHARS))
    }

    /// The row of a request: one for each key of each member and kind of command.
    pub fn request_id(&self, kind: &str, member_id: &MemberId, idempotency_key: &str) -> RequestId {
        RequestId::new(format!("r_{}", self.hash(&format!("{kind}:{member_id}:{idempotency_key}"), ID_CHARS)))
    }

    fn hash(&self, text: &str, chars: usize) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(text.as_bytes());
        base32(&mac.finalize().into_bytes(), chars)
    }
}

impl fmt::Debug for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemberKey(hidden)")
    }
}

/// The first characters of the RFC 4648 base32 of the bytes, in lower case.
fn base32(bytes: &[u8], chars: usize) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bit = |at: usize| (bytes[at / 8] >> (7 - at % 8)) & 1;
    (0..chars)
        .map(|at| (0..5).fold(0, |value: u8, offset| value << 1 | bit(at * 5 + offset)))
        .map(|value| char::from(ALPHABET[usize::from(value)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::normalise;

    const KEY: &str = "an installation's key of 32 bytes";

    #[test]
    fn one_person_is_one_id_under_one_key() {
        let key = MemberKey::new(KEY).unwrap();
        let id = key.by_phone(&normalise("0987654321").unwrap());
        assert_eq!(key.by_phone(&normalise("(+84) 987-654-321").unwrap()), id);
        assert_ne!(key.by_phone(&normalise("0987654322").unwrap()), id);
        let other = MemberKey::new("another installation's key, as long").unwrap();
        assert_ne!(other.by_phone(&normalise("0987654321").unwrap()), id);
        assert_ne!(key.by_customer(Source::Shopify, "7"), key.by_customer(Source::Haravan, "7"));
    }

    /// The id outlives every release: should this fail, every member would start again from nothing.
    #[test]
    fn the_id_never_changes() {
        let key = MemberKey::new(KEY).unwrap();
        assert_eq!(key.by_phone(&normalise("0987654321").unwrap()).as_str(), "m_mqnvnqzgplencyw4wnacqowt52");
        assert_eq!(key.by_customer(Source::Shopify, "207119551").as_str(), "m_becmf5pecmi6gf3evnsiid6o4x");
    }

    #[test]
    fn a_short_key_is_refused_and_a_key_is_hidden() {
        assert_eq!(MemberKey::new("short").unwrap_err(), KeyTooShort);
        assert_eq!(format!("{:?}", MemberKey::new(KEY).unwrap()), "MemberKey(hidden)");
    }
}
