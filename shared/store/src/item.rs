//! Items as DynamoDB holds them: their digest and their size.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use sha2::{Digest, Sha256};

pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) const DIGEST: &str = "digest";
const DIGEST_BYTES: usize = 16;

/// The item of a record, sealed with the digest of everything else in it.
pub(crate) fn sealed<T: Serialize>(record: &T) -> Item {
    let mut item: Item =
        serde_dynamo::aws_sdk_dynamodb_1::to_item(record).expect("a record has only attributes that DynamoDB has");
    let digest = digest(&item);
    item.insert(DIGEST.to_owned(), AttributeValue::S(digest));
    item
}

/// The same item as nobody else writes it: two writers who decide the same at the same instant would put equal rows, and
/// each would take the other's for its own.
pub(crate) fn of_one_writer(mut item: Item) -> Item {
    item.insert("write_token".to_owned(), AttributeValue::S(format!("{:016x}", fastrand::u64(..))));
    let digest = digest(&item);
    item.insert(DIGEST.to_owned(), AttributeValue::S(digest));
    item
}

/// The first 16 bytes, in hex, of SHA-256 over the canonical text of all attributes but the digest.
pub(crate) fn digest(item: &Item) -> String {
    let mut text = String::new();
    canonical_map(item.iter().filter(|(name, _)| *name != DIGEST), &mut text);
    hex::encode(&Sha256::digest(text)[..DIGEST_BYTES])
}

/// Keys sorted bytewise, text as JSON strings, numbers bare, no white space.
fn canonical_map<'a>(attributes: impl Iterator<Item = (&'a String, &'a AttributeValue)>, text: &mut String) {
    let mut sorted: Vec<_> = attributes.collect();
    sorted.sort_by_key(|(name, _)| *name);
    text.push('{');
    for (at, (name, value)) in sorted.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        canonical_text(name, text);
        text.push(':');
        canonical(value, text);
    }
    text.push('}');
}

fn canonical(value: &AttributeValue, text: &mut String) {
    match value {
        AttributeValue::S(value) => canonical_text(value, text),
        AttributeValue::N(number) => text.push_str(number),
        AttributeValue::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        AttributeValue::M(map) => canonical_map(map.iter(), text),
        AttributeValue::L(list) => {
            text.push('[');
            for (at, value) in list.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                canonical(value, text);
            }
            text.push(']');
        }
        // Ours have text, numbers, booleans, maps and lists only; a row that is read may have been changed by hand.
        _ => text.push_str("null"),
    }
}

fn canonical_text(value: &str, text: &mut String) {
    text.push('"');
    // Next to no text has anything to escape, and copying one as a whole is far cheaper.
    if value.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        value.chars().for_each(|character| escaped(character, text));
    } else {
        text.push_str(value);
    }
    text.push('"');
}

fn escaped(character: char, text: &mut String) {
    match character {
        '"' => text.push_str("\\\""),
        '\\' => text.push_str("\\\\"),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        '\u{8}' => text.push_str("\\b"),
        '\u{c}' => text.push_str("\\f"),
        control if control < ' ' => text.push_str(&format!("\\u{:04x}", u32::from(control))),
        other => text.push(other),
    }
}

/// The bytes DynamoDB charges for: names and values, and 3 for each map or list with 1 more for each of its elements.
pub(crate) fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

const COLLECTION_BYTES: usize = 3;
const ELEMENT_BYTES: usize = 1;

fn value_size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number_size(number),
        AttributeValue::M(map) => COLLECTION_BYTES + size(map) + map.len() * ELEMENT_BYTES,
        AttributeValue::L(list) => {
            COLLECTION_BYTES + list.iter().map(|value| ELEMENT_BYTES + value_size(value)).sum::<usize>()
        }
        _ => 1,
    }
}

/// About one byte for two significant digits, one more, and one for the sign.
fn number_size(number: &str) -> usize {
    let digits = number.trim_start_matches('-').trim_matches('0').len();
    digits.div_ceil(2) + 1 + usize::from(number.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Record {
        b: Vec<Inner>,
        a: bool,
        #[serde(rename = "B")]
        upper: u64,
    }

    #[derive(Serialize)]
    struct Inner {
        y: i64,
        x: &'static str,
    }

    fn item() -> Item {
        sealed(&Record { b: vec![Inner { y: -1, x: "é\"\n\u{1}" }], a: true, upper: 10_000 })
    }

    #[test]
    fn the_text_under_the_digest_is_sorted_and_bare() {
        let mut text = String::new();
        canonical_map(item().iter().filter(|(name, _)| *name != DIGEST), &mut text);
        assert_eq!(text, r#"{"B":10000,"a":true,"b":[{"x":"é\"\n\u0001","y":-1}]}"#);
    }

    #[test]
    fn the_digest_is_half_a_sha256() {
        let one = HashMap::from([("a".to_owned(), AttributeValue::N("1".to_owned()))]);
        // printf '{"a":1}' | sha256sum
        assert_eq!(digest(&one), "015abd7f5cc57a2dd94b7590f04ad808");
        assert_eq!(item()[DIGEST], AttributeValue::S(digest(&item())));
    }

    #[test]
    fn sizes_count_names_values_and_overhead() {
        let mut item = item();
        item.remove(DIGEST);
        // a: 1+1. B: 1+2. b: 1 + 3 + 1 + (map: 3 + 2 + x: 1+5 + y: 1+3).
        assert_eq!(size(&item), 2 + 3 + 20);
    }
}
