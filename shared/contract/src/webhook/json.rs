//! Reading shop bodies without losing or guessing anything.
//!
//! Ids and amounts come as strings from one shop and as numbers from the next, and both are kept as the text that was
//! sent: no number passes through a floating-point value. A field of an unexpected type is as good as absent, so that a
//! shop's odd contact field never costs a customer their points; amounts, ids and times are then refused by whoever
//! needs them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use unicode_normalization::UnicodeNormalization;

/// A string or a number, as text; anything else is [`Scalar::Other`].
#[derive(Clone, PartialEq, Eq)]
pub enum Scalar {
    Text(String),
    /// The digits as they were sent.
    Number(String),
    Bool(bool),
    Other,
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        Ok(match raw.as_bytes().first() {
            Some(b'"') => Self::Text(serde_json::from_str(raw).map_err(serde::de::Error::custom)?),
            Some(b'-' | b'0'..=b'9') => Self::Number(raw.to_owned()),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            _ => Self::Other,
        })
    }
}

/// A field that may be absent, null or anything.
pub type Field = Option<Scalar>;

/// What to read out of a [`Field`].
pub trait Read {
    /// The text of a string or number, trimmed, in Unicode normal form C, without control characters; `None` when there
    /// is nothing left.
    fn text(&self) -> Option<String>;

    /// As [`Read::text`], cut to so many characters.
    fn short_text(&self, chars_max: usize) -> Option<String>;

    /// A status word, in lower case.
    fn word(&self) -> Option<String> {
        self.text().map(|text| text.to_lowercase())
    }

    /// An id: text or number, but not the 0 that shops write for "none".
    fn id(&self) -> Option<String> {
        self.text().filter(|id| id != "0")
    }

    /// A small whole number: a status code or a count.
    fn code(&self) -> Option<i64>;

    fn is_true(&self) -> bool;
}

impl Read for Field {
    fn text(&self) -> Option<String> {
        let text = match self {
            Some(Scalar::Text(text) | Scalar::Number(text)) => text,
            _ => return None,
        };
        let clean: String = text.nfc().filter(|c| !c.is_control()).collect();
        let trimmed = clean.trim();
        if trimmed.is_empty() { None } else { Some(trimmed.to_owned()) }
    }

    fn short_text(&self, chars_max: usize) -> Option<String> {
        self.text().map(|text| text.chars().take(chars_max).collect())
    }

    fn code(&self) -> Option<i64> {
        let text = self.text()?;
        text.split_once('.')
            .filter(|(_, rest)| rest.bytes().all(|b| b == b'0'))
            .map_or(text.as_str(), |(n, _)| n)
            .parse()
            .ok()
    }

    fn is_true(&self) -> bool {
        matches!(self, Some(Scalar::Bool(true))) || matches!(self.word().as_deref(), Some("true" | "1"))
    }
}

/// An object, or nothing: shops written in PHP send `[]` for an empty one.
pub fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?.get();
    if raw.starts_with('{') { serde_json::from_str(raw).map(Some).map_err(serde::de::Error::custom) } else { Ok(None) }
}

/// A list, where null and absence are the empty one.
pub fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

/// How deep the arrays and objects of a JSON text are nested. It may be called on anything.
pub fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Sample {
        #[serde(default)]
        field: Field,
        #[serde(default, deserialize_with = "object")]
        inner: Option<Box<Sample>>,
        #[serde(default, deserialize_with = "list")]
        list: Vec<Sample>,
    }

    fn field(json: &str) -> Field {
        serde_json::from_str::<Sample>(&format!("{{\"field\": {json} }}")).unwrap().field
    }

    #[test]
    fn strings_and_numbers_are_the_text_that_was_sent() {
        assert_eq!(field("123456789012345678901234567890").text().as_deref(), Some("123456789012345678901234567890"));
        assert_eq!(field("13200000.0").text().as_deref(), Some("13200000.0"));
        assert_eq!(field("0.1000000000000000055511151231257827").text().unwrap().len(), 36);
        assert_eq!(field(r#"" DH-1 ""#).text().as_deref(), Some("DH-1"));
        assert_eq!(field(r#""Nguye\u0302\u0303n\u0000""#).text().as_deref(), Some("Nguyễn"));
        for nothing in ["null", "\"\"", "\" \"", "{}", "[1]", "true"] {
            assert_eq!(field(nothing).text(), None, "{nothing}");
        }
        assert_eq!(field("0").id(), None);
        assert_eq!(field("3.0").code(), Some(3));
        assert_eq!(field("\"16\"").code(), Some(16));
        assert_eq!(field("3.5").code(), None);
        assert!(field("true").is_true() && field("\"true\"").is_true() && !field("false").is_true());
    }

    #[test]
    fn empty_and_odd_containers_are_nothing() {
        let sample: Sample = serde_json::from_str(r#"{"inner": [], "list": null}"#).unwrap();
        assert!(sample.inner.is_none() && sample.list.is_empty() && sample.field.is_none());
        let sample: Sample = serde_json::from_str(r#"{"inner": {"field": 1}, "list": [{}, {}]}"#).unwrap();
        assert!(sample.inner.is_some() && sample.list.len() == 2);
        assert!(serde_json::from_str::<Sample>(r#"{"list": {"0": {}}}"#).is_err());
        assert!(serde_json::from_str::<Sample>(r#"{"field": 1, "field": 2}"#).is_err());
    }

    #[test]
    fn depth_counts_nesting_outside_strings() {
        assert_eq!(depth(r#"{"a": [{"b": "]}{[\"[["}]}"#), 3);
        assert_eq!(depth("]]]"), 0);
        assert_eq!(depth(&"[".repeat(100_000)), 100_000);
    }
}
