//! The digest that every row carries over all of its other attributes: a row changed by hand no longer matches it.
//!
//! It is the first 16 bytes, in hex, of SHA-256 over one canonical text: maps with their keys sorted by bytes, numbers
//! bare, text as JSON, no white space.

use sha2::{Digest, Sha256};

use crate::row::{Name, Row};
use crate::value::Value;

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
    String::from_utf8_lossy(&digest_of_text(&text)).into_owned()
}

/// What is wrong with the digest that the row carries. The text is only lent, so that a caller with many rows needs one.
pub(crate) fn prove(row: &Row, text: &mut Vec<u8>) -> Option<&'static str> {
    text.clear();
    write_row(row, text);
    match row.get(DIGEST) {
        Some(Value::S(stated)) if *stated.as_bytes() == digest_of_text(text) => None,
        Some(Value::S(_)) => Some("the digest does not match the row"),
        _ => Some("has no digest"),
    }
}

fn digest_of_text(text: &[u8]) -> [u8; 2 * DIGEST_BYTES] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let hash = Sha256::digest(text);
    std::array::from_fn(|at| DIGITS[usize::from(if at % 2 == 0 { hash[at / 2] >> 4 } else { hash[at / 2] & 0xf })])
}

fn write_row(row: &Row, text: &mut Vec<u8>) {
    write_map(row.attributes().iter().filter(|(name, _)| name.as_bytes() != DIGEST.as_bytes()), text);
}

fn write_map<'a>(attributes: impl Iterator<Item = &'a (Name, Value)>, text: &mut Vec<u8>) {
    let mut before = b'{';
    for (name, value) in attributes {
        write_name(before, name, text);
        write_value(value, text);
        before = b',';
    }
    text.extend_from_slice(if before == b'{' { b"{}" } else { b"}" });
}

/// The name with what stands before and after it.
#[inline]
fn write_name(before: u8, name: &Name, text: &mut Vec<u8>) {
    match name {
        Name::Word(word) => {
            text.extend_from_slice(&[before, b'"']);
            // Written with the blanks that fill it up: a copy of a known size is a few instructions, any other is a call.
            let end = text.len() + word.written_length();
            text.extend_from_slice(word.written());
            text.truncate(end);
        }
        Name::Other(name) => {
            text.push(before);
            write_text(name, text);
            text.push(b':');
        }
    }
}

fn write_value(value: &Value, text: &mut Vec<u8>) {
    match value {
        Value::S(value) => write_text(value, text),
        Value::N(number) => text.extend_from_slice(number.as_bytes()),
        Value::Bool(value) => text.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::M(row) => write_map(row.attributes().iter(), text),
        Value::L(values) => {
            let mut before = b'[';
            for value in values {
                text.push(before);
                write_value(value, text);
                before = b',';
            }
            text.extend_from_slice(if before == b'[' { b"[]" } else { b"]" });
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
