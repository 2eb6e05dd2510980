//! The digest that every row carries over all of its other attributes: a row changed by hand no longer matches it.
//!
//! It is the first 16 bytes, in hex, of SHA-256 over one canonical text: maps with their keys sorted by bytes, numbers
//! bare, text as JSON, no white space.

use sha2::{Digest, Sha256};

use crate::value::{Row, Value};

/// The attribute that holds the digest.
pub const DIGEST: &str = "digest";

const DIGEST_BYTES: usize = 16;

/// The canonical text of a row, without its digest.
pub fn canonical(row: &Row) -> String {
    let mut text = Vec::new();
    write_row(row, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The digest that the row should carry.
pub fn digest_of(row: &Row) -> String {
    let mut text = Vec::new();
    write_row(row, &mut text);
    digest_of_text(&text)
}

pub(crate) fn digest_of_text(text: &[u8]) -> String {
    let hash = Sha256::digest(text);
    hex::encode(hash.get(..DIGEST_BYTES).unwrap_or(&hash))
}

pub(crate) fn write_row(row: &Row, text: &mut Vec<u8>) {
    write_map(row.iter().filter(|(name, _)| *name != DIGEST), text);
}

fn write_map<'a>(attributes: impl Iterator<Item = (&'a String, &'a Value)>, text: &mut Vec<u8>) {
    text.push(b'{');
    for (at, (name, value)) in attributes.enumerate() {
        if at > 0 {
            text.push(b',');
        }
        write_text(name, text);
        text.push(b':');
        write_value(value, text);
    }
    text.push(b'}');
}

fn write_value(value: &Value, text: &mut Vec<u8>) {
    match value {
        Value::S(value) => write_text(value, text),
        Value::N(number) => text.extend_from_slice(number.as_bytes()),
        Value::Bool(value) => text.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::M(row) => write_map(row.iter(), text),
        Value::L(values) => {
            text.push(b'[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    text.push(b',');
                }
                write_value(value, text);
            }
            text.push(b']');
        }
        Value::Foreign => text.extend_from_slice(b"null"),
    }
}

/// Text as a JSON string: quotes, backslashes and control characters escaped, everything else as it is.
fn write_text(value: &str, text: &mut Vec<u8>) {
    text.push(b'"');
    // All bytes are looked at, which the compiler does many at a time; stopping at the first would be slower.
    if value.bytes().fold(false, |found, byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\')) {
        for byte in value.bytes() {
            write_escaped(byte, text);
        }
    } else {
        text.extend_from_slice(value.as_bytes());
    }
    text.push(b'"');
}

fn write_escaped(byte: u8, text: &mut Vec<u8>) {
    match byte {
        b'"' => text.extend_from_slice(b"\\\""),
        b'\\' => text.extend_from_slice(b"\\\\"),
        b'\n' => text.extend_from_slice(b"\\n"),
        b'\r' => text.extend_from_slice(b"\\r"),
        b'\t' => text.extend_from_slice(b"\\t"),
        0x08 => text.extend_from_slice(b"\\b"),
        0x0c => text.extend_from_slice(b"\\f"),
        0x00..0x20 => text.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        _ => text.push(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(json: &str) -> Row {
        Value::from(serde_json::from_str::<serde_json::Value>(json).unwrap()).into_row().unwrap()
    }

    #[test]
    fn the_text_is_sorted_bare_and_without_the_digest() {
        let row = row(r#"{"b":[{"y":-1,"x":"é\"\n\u0001"}],"digest":"00","a":true,"B":10000000000000000000}"#);
        assert_eq!(canonical(&row), r#"{"B":10000000000000000000,"a":true,"b":[{"x":"é\"\n\u0001","y":-1}]}"#);
    }

    #[test]
    fn the_digest_is_half_a_sha256() {
        // `printf '{"a":1}' | sha256sum`
        assert_eq!(digest_of(&row(r#"{"a":1}"#)), "015abd7f5cc57a2dd94b7590f04ad808");
    }
}
