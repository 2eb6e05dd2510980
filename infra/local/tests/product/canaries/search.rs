//! Finds a text however it is spelt.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// How much of what is around a hit is shown.
const SHOWN_BYTES: usize = 160;

/// Something marked that must not come out.
#[derive(Clone, Debug)]
pub struct Canary {
    what: String,
    /// Any case.
    plain: Vec<String>,
    /// Digits, whatever separates them.
    digits: Option<String>,
    /// As it stands.
    encoded: Vec<String>,
}

impl Canary {
    pub fn text(what: &str, text: &str) -> Self {
        Self {
            what: what.to_owned(),
            plain: vec![text.to_lowercase()],
            digits: None,
            encoded: encodings(text.as_bytes()),
        }
    }

    /// `0901234567`, whose last nine digits are those of every other way to write it.
    pub fn phone(phone: &str) -> Self {
        let digits = phone.trim_start_matches('0').to_owned();
        Self { plain: Vec::new(), digits: Some(digits.clone()), ..Self::text(&format!("the phone {phone}"), &digits) }
    }

    /// `1953-04-17`.
    pub fn birthday(day: &str) -> Self {
        let turned: Vec<_> = day.split('-').rev().collect();
        let plain = vec![day.to_owned(), turned.join("/"), turned.join("-"), turned.join(".")];
        Self { plain, ..Self::text(&format!("the birthday {day}"), day) }
    }

    /// A secret, and what a secret of Standard Webhooks is the base64 of.
    pub fn secret(what: &str, secret: &str) -> Self {
        let mut canary = Self::text(what, secret.trim_start_matches("whsec_"));
        if let Some(inner) = secret.strip_prefix("whsec_") {
            let key = STANDARD.decode(inner).expect("base64");
            canary.plain.push(String::from_utf8(key.clone()).expect("text").to_lowercase());
            canary.encoded.extend(encodings(&key));
        }
        canary
    }
}

/// Hex, bytes in decimal, and base64 wherever in a longer text it begins.
fn encodings(bytes: &[u8]) -> Vec<String> {
    let decimal = bytes.iter().map(u8::to_string).collect::<Vec<_>>();
    let mut encodings = vec![hex::encode(bytes), hex::encode_upper(bytes), decimal.join(", "), decimal.join(",")];
    for before in 0..3_usize {
        let padded = [&[0; 2][..before], bytes].concat();
        // Characters that also depend on what stands before or after are left out.
        let (first, last) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        encodings.push(STANDARD.encode(&padded)[first..last].to_owned());
        encodings.push(URL_SAFE.encode(&padded)[first..last].to_owned());
    }
    encodings
}

/// Each canary that is in the text, with what stands around it.
pub fn hits(place: &str, text: &str, canaries: &[Canary]) -> Vec<String> {
    let lower = text.to_lowercase();
    let squeezed: String = text.chars().filter(|c| !" .-()\u{a0}".contains(*c)).collect();
    let mut found = Vec::new();
    for canary in canaries {
        let plain = canary.plain.iter().find_map(|spelling| around(&lower, spelling));
        let digits = canary.digits.as_ref().and_then(|digits| around(&squeezed, digits));
        let encoded = canary.encoded.iter().find_map(|spelling| around(text, spelling));
        if let Some(around) = plain.or(digits).or(encoded) {
            found.push(format!("{place}: {}: …{around}…", canary.what));
        }
    }
    found
}

fn around(text: &str, wanted: &str) -> Option<String> {
    let at = text.find(wanted)?;
    let (start, end) = (at.saturating_sub(SHOWN_BYTES), (at + wanted.len() + SHOWN_BYTES).min(text.len()));
    Some(String::from_utf8_lossy(&text.as_bytes()[start..end]).replace('\n', " "))
}

#[test]
fn every_spelling_is_found() {
    let phone = [Canary::phone("0965432101")];
    for text in ["0965432101", "+84965432101", "84 965 432 101", "(0965) 432-101", "0965.432.101"] {
        assert_eq!(hits("here", text, &phone).len(), 1, "{text}");
    }
    let secret = Canary::secret("a secret", "whsec_Y2hpbXllbi1zZWNyZXQtc3RhbmRhcmQh");
    let raw = "chimyen-secret-standard!";
    let mut spelt = vec!["Y2hpbXllbi1zZWNyZXQtc3RhbmRhcmQh".to_owned(), raw.to_uppercase(), hex::encode(raw)];
    spelt.push(format!("{:?}", raw.as_bytes()));
    for (before, after) in [("", ""), ("a", "b"), ("ab", ""), ("abc", "xyz"), ("abcd", "x")] {
        spelt.push(STANDARD.encode(format!("{before}{raw}{after}")));
    }
    for text in spelt {
        assert_eq!(hits("here", &format!("x {text} y"), std::slice::from_ref(&secret)).len(), 1, "{text}");
    }
    assert_eq!(hits("here", "17/04/1953", &[Canary::birthday("1953-04-17")]).len(), 1);
    assert_eq!(hits("here", "0965432102 chimyen 1953-04-18", &phone), [""; 0]);
}
