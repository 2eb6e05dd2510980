//! From SAM's YAML to plain JSON: short tags (`!Ref`, `!Sub`) become their long forms.
//!
//! Never resolves anything: it only makes both spellings look the same to [`super::resolve`].

use serde_json::{Map, Value as Json};
use serde_yaml_ng::Value as Yaml;

use crate::error::{Result, StackError};

/// CloudFormation's functions that have a short tag, as the tag is written after `!`.
const SHORT_TAGS: [&str; 12] =
    ["Ref", "Condition", "And", "Equals", "FindInMap", "GetAtt", "If", "Join", "Not", "Or", "Select", "Sub"];

/// The document with every tag replaced by `{"Fn::Tag": …}` (`{"Ref": …}` for `!Ref`).
pub fn normalise(value: Yaml, path: &str) -> Result<Json> {
    Ok(match value {
        Yaml::Null => Json::Null,
        Yaml::Bool(flag) => Json::Bool(flag),
        Yaml::Number(number) => number_to_json(&number, path)?,
        Yaml::String(text) => Json::String(text),
        Yaml::Sequence(items) => Json::Array(
            items
                .into_iter()
                .enumerate()
                .map(|(index, item)| normalise(item, &format!("{path}[{index}]")))
                .collect::<Result<_>>()?,
        ),
        Yaml::Mapping(mapping) => {
            let mut object = Map::new();
            for (key, item) in mapping {
                let key = key_to_string(key, path)?;
                let item = normalise(item, &join(path, &key))?;
                object.insert(key, item);
            }
            Json::Object(object)
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let name = tag.trim_start_matches('!');
            if !SHORT_TAGS.contains(&name) {
                return Err(StackError::new(format!("{path}: the local stack does not understand the tag {tag}")));
            }
            let argument = normalise(tagged.value, path)?;
            function(name, argument)
        }
    })
}

/// `path.key`, or just the key at the top of the document.
pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn function(name: &str, argument: Json) -> Json {
    let (key, argument) = match (name, argument) {
        ("Ref" | "Condition", argument) => (name.to_owned(), argument),
        ("GetAtt", Json::String(dotted)) => {
            let (resource, attribute) = dotted.split_once('.').unwrap_or((&dotted, ""));
            ("Fn::GetAtt".to_owned(), Json::Array(vec![resource.into(), attribute.into()]))
        }
        (_, argument) => (format!("Fn::{name}"), argument),
    };
    Json::Object(Map::from_iter([(key, argument)]))
}

fn key_to_string(key: Yaml, path: &str) -> Result<String> {
    match key {
        Yaml::String(text) => Ok(text),
        Yaml::Number(number) => Ok(number.to_string()),
        Yaml::Bool(flag) => Ok(flag.to_string()),
        _ => Err(StackError::new(format!("{path}: a key must be text"))),
    }
}

fn number_to_json(number: &serde_yaml_ng::Number, path: &str) -> Result<Json> {
    if let Some(integer) = number.as_i64() {
        return Ok(Json::from(integer));
    }
    number
        .as_f64()
        .and_then(serde_json::Number::from_f64)
        .map(Json::Number)
        .ok_or_else(|| StackError::new(format!("{path}: not a number JSON can hold")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Result<Json> {
        normalise(serde_yaml_ng::from_str(text).unwrap(), "")
    }

    #[test]
    fn short_and_long_forms_become_the_same() {
        let short = read("a: !Ref X\nb: !GetAtt X.Arn\nc: !Sub 'y-${X}'\nd: !If [C, 1, 2]").unwrap();
        let long = read("a: {Ref: X}\nb: {'Fn::GetAtt': [X, Arn]}\nc: {'Fn::Sub': 'y-${X}'}\nd: {'Fn::If': [C, 1, 2]}")
            .unwrap();
        assert_eq!(short, long);
        assert_eq!(short["a"], json!({"Ref": "X"}));
    }

    #[test]
    fn an_unknown_tag_names_its_path() {
        let error = read("Resources:\n  Q:\n    Name: !Transform {a: b}").unwrap_err();
        assert!(error.to_string().contains("Resources.Q.Name"), "{error}");
        assert!(error.to_string().contains("!Transform"), "{error}");
    }
}
