//! Phone numbers: the key by which shops, tills and Zalo mean the same person (X43, R8).
//!
//! A number is kept as E.164 digits without the plus sign (`84901234567`), which is what Zalo's interfaces take.
//! Vietnamese numbers are recognised in every usual spelling, foreign ones only with an explicit plus sign; whatever
//! could be two numbers is refused.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longer input is not a phone number, however it is spelt.
const INPUT_CHARS_MAX: usize = 40;

/// Digits of a foreign number in E.164, country code included.
const FOREIGN_DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

/// A normalised number. `Debug` hides it, so that it cannot slip into a log.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Phone(String);

impl Phone {
    /// E.164 digits without the plus sign.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(hidden)")
    }
}

/// The text is not a phone number, or not certainly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a phone number")]
pub struct NotAPhone;

impl TryFrom<String> for Phone {
    type Error = NotAPhone;

    /// Takes normalised digits only, as [`Phone::digits`] gives them.
    fn try_from(digits: String) -> Result<Self, NotAPhone> {
        let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        if plain && FOREIGN_DIGITS.contains(&digits.len()) { Ok(Self(digits)) } else { Err(NotAPhone) }
    }
}

impl From<Phone> for String {
    fn from(phone: Phone) -> Self {
        phone.0
    }
}

/// The number in `text`, in any usual spelling: `0987 654 321`, `(+84) 987-654-321`, `987654321`, `024 3825 1234`.
///
/// # Errors
/// [`NotAPhone`] for anything else, and for a foreign number without its plus sign.
pub fn normalise(text: &str) -> Result<Phone, NotAPhone> {
    if text.chars().count() > INPUT_CHARS_MAX {
        return Err(NotAPhone);
    }
    let mut digits = String::with_capacity(text.len());
    let mut plus = false;
    for c in text.chars() {
        match c {
            '0'..='9' => digits.push(c),
            '+' if digits.is_empty() && !plus => plus = true,
            '(' | ')' | '-' | '.' | '/' | '\u{2010}'..='\u{2013}' => {}
            c if c.is_whitespace() => {}
            // Bidirectional marks and the byte order mark come along when numbers are pasted.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}' | '\u{200b}' => {}
            _ => return Err(NotAPhone),
        }
    }
    if let Some(rest) = digits.strip_prefix("00").filter(|_| !plus) {
        return international(rest);
    }
    if plus {
        return international(&digits);
    }
    match digits.strip_prefix('0') {
        Some(national) => vietnamese(national),
        None if digits.len() == MOBILE_DIGITS => vietnamese_mobile(&digits),
        None => digits.strip_prefix("84").ok_or(NotAPhone).and_then(after_country_code),
    }
}

/// Digits of a Vietnamese mobile number after the trunk zero.
const MOBILE_DIGITS: usize = 9;
/// Digits of a Vietnamese landline after the trunk zero: the area code, with its 2, and the subscriber.
const LANDLINE_DIGITS: usize = 10;

fn international(digits: &str) -> Result<Phone, NotAPhone> {
    match digits.strip_prefix("84") {
        Some(rest) => after_country_code(rest),
        None if digits.starts_with('0') || !FOREIGN_DIGITS.contains(&digits.len()) => Err(NotAPhone),
        None => Ok(Phone(digits.to_owned())),
    }
}

/// What follows 84; many write the trunk zero all the same.
fn after_country_code(rest: &str) -> Result<Phone, NotAPhone> {
    vietnamese(rest.strip_prefix('0').unwrap_or(rest))
}

fn vietnamese(national: &str) -> Result<Phone, NotAPhone> {
    if national.starts_with('2') && national.len() == LANDLINE_DIGITS {
        return Ok(Phone(format!("84{national}")));
    }
    vietnamese_mobile(national)
}

fn vietnamese_mobile(national: &str) -> Result<Phone, NotAPhone> {
    let mobile = national.len() == MOBILE_DIGITS && national.starts_with(['3', '5', '7', '8', '9']);
    if mobile { Ok(Phone(format!("84{national}"))) } else { Err(NotAPhone) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, digits: &str) {
        assert_eq!(normalise(text).as_ref().map(Phone::digits), Ok(digits), "{text}");
    }

    #[test]
    fn usual_spellings_of_one_number_are_one_number() {
        for text in [
            "0987654321",
            "84987654321",
            "+84987654321",
            "+84 987 654 321",
            "(+84) 987-654-321",
            "0987 654 321",
            "987654321",
            "+84 0987654321",
            "0084987654321",
            "840987654321",
            " 0987.654.321 ",
            "\u{feff}0987\u{a0}654\u{a0}321",
            "\u{202d}+84 (0) 987/654/321\u{202c}",
        ] {
            check(text, "84987654321");
        }
    }

    #[test]
    fn what_is_not_certainly_a_number_is_refused() {
        for text in [
            "",
            " ",
            "abc",
            "12",
            "098765432",
            "09876543210",
            "8498765432100",
            "(555) 555-5555",
            "0123456789",
            "0000000000",
            "15145556677",
            "+1",
            "+0987654321",
            "+8412345",
            "0987654321 x12",
            "0987654321, 0912345678",
            "０９８７６５４３２１",
            "--",
            "++84987654321",
            "84+987654321",
            "1e9",
        ] {
            assert_eq!(normalise(text), Err(NotAPhone), "{text}");
        }
        assert_eq!(normalise(&"0987654321 ".repeat(1000)), Err(NotAPhone));
    }

    #[test]
    fn landlines_and_foreign_numbers() {
        check("024 3825 1234", "842438251234");
        check("(0203) 3825 123", "842033825123");
        check("+84 28 3829 5730", "842838295730");
        check("+1 (514) 555-6677", "15145556677");
        check("+65 6123 4567", "6561234567");
        check("00 44 20 7946 0958", "442079460958");
        assert_eq!(normalise("02438251"), Err(NotAPhone));
    }

    #[test]
    fn it_hides_itself_and_keeps_its_shape_in_json() {
        let phone = normalise("0987654321").unwrap();
        assert_eq!(format!("{phone:?}"), "Phone(hidden)");
        assert_eq!(serde_json::to_string(&phone).unwrap(), "\"84987654321\"");
        assert_eq!(serde_json::from_str::<Phone>("\"84987654321\"").unwrap(), phone);
        assert!(serde_json::from_str::<Phone>("\"0987654321\"").is_err());
    }
}
