//! Event patterns: which events a rule wants. An operator that is not understood is an error when
//! the template is read, never a rule that silently matches nothing.

use serde_json::Value;

/// A pattern that was understood.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// Every field must match.
    Fields(Vec<(String, Pattern)>),
    /// One of these must match.
    Any(Vec<Test>),
}

/// One entry of a pattern's list.
#[derive(Debug, Clone)]
pub enum Test {
    Equal(Value),
    Prefix(String),
    Suffix(String),
    AnythingBut(Vec<Value>),
    Exists(bool),
    Numeric(Vec<(Comparison, f64)>),
}

/// A comparison of `numeric`.
#[derive(Debug, Clone, Copy)]
pub enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Pattern {
    /// Reads a pattern as EventBridge writes it.
    pub fn read(pattern: &Value) -> Result<Self, String> {
        match pattern {
            Value::Object(fields) => fields
                .iter()
                .map(|(name, inner)| match name.strip_prefix('$') {
                    Some(operator) => Err(format!("the pattern ${operator} is not understood")),
                    None => Ok((name.clone(), Self::read(inner)?)),
                })
                .collect::<Result<_, _>>()
                .map(Self::Fields),
            Value::Array(tests) => tests.iter().map(Test::read).collect::<Result<_, _>>().map(Self::Any),
            other => Err(format!("a pattern must be a list or a mapping, not {other}")),
        }
    }

    /// Whether an event has what the pattern asks for.
    pub fn matches(&self, event: &Value) -> bool {
        self.holds(Some(event))
    }

    fn holds(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Fields(fields) => {
                fields.iter().all(|(name, inner)| inner.holds(value.and_then(|value| value.get(name))))
            }
            Self::Any(tests) => match value {
                // Of a list, one element has to match.
                Some(Value::Array(items)) => items.iter().any(|item| tests.iter().any(|test| test.holds(Some(item)))),
                value => tests.iter().any(|test| test.holds(value)),
            },
        }
    }
}

impl Test {
    fn read(test: &Value) -> Result<Self, String> {
        let Value::Object(operator) = test else {
            return Ok(Self::Equal(test.clone()));
        };
        let unknown = || format!("the pattern {test} is not understood");
        let (name, argument) = operator.iter().next().filter(|_| operator.len() == 1).ok_or_else(unknown)?;
        let text = || argument.as_str().map(str::to_owned).ok_or_else(unknown);
        match name.as_str() {
            "prefix" => Ok(Self::Prefix(text()?)),
            "suffix" => Ok(Self::Suffix(text()?)),
            "exists" => argument.as_bool().map(Self::Exists).ok_or_else(unknown),
            "anything-but" => match argument {
                Value::Array(values) => Ok(Self::AnythingBut(values.clone())),
                Value::Object(_) => Err(unknown()),
                value => Ok(Self::AnythingBut(vec![value.clone()])),
            },
            "numeric" => {
                let parts = argument.as_array().ok_or_else(unknown)?;
                parts
                    .chunks(2)
                    .map(|pair| match pair {
                        [sign, limit] => Comparison::read(sign).zip(limit.as_f64()).ok_or_else(unknown),
                        _ => Err(unknown()),
                    })
                    .collect::<Result<_, _>>()
                    .map(Self::Numeric)
            }
            _ => Err(unknown()),
        }
    }

    fn holds(&self, value: Option<&Value>) -> bool {
        let text = || value.and_then(Value::as_str);
        match self {
            Self::Equal(wanted) => value == Some(wanted),
            Self::Prefix(prefix) => text().is_some_and(|text| text.starts_with(prefix)),
            Self::Suffix(suffix) => text().is_some_and(|text| text.ends_with(suffix)),
            Self::AnythingBut(refused) => value.is_some_and(|value| !refused.contains(value)),
            Self::Exists(wanted) => value.is_some() == *wanted,
            Self::Numeric(comparisons) => value
                .and_then(Value::as_f64)
                .is_some_and(|number| comparisons.iter().all(|(comparison, limit)| comparison.holds(number, *limit))),
        }
    }
}

impl Comparison {
    fn read(sign: &Value) -> Option<Self> {
        Some(match sign.as_str()? {
            "=" => Self::Equal,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    fn holds(self, number: f64, limit: f64) -> bool {
        match self {
            Self::Equal => (number - limit).abs() < f64::EPSILON,
            Self::Less => number < limit,
            Self::LessOrEqual => number <= limit,
            Self::Greater => number > limit,
            Self::GreaterOrEqual => number >= limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(pattern: Value, event: Value, expected: bool) {
        let read = Pattern::read(&pattern).unwrap();
        assert_eq!(read.matches(&event), expected, "{pattern} on {event}");
    }

    #[test]
    fn every_field_must_match_one_of_its_list() {
        let pattern = json!({"source": ["loyalty"], "detail-type": ["TierChanged", "PointsPosted"]});
        check(pattern.clone(), json!({"source": "loyalty", "detail-type": "PointsPosted"}), true);
        check(pattern.clone(), json!({"source": "shop", "detail-type": "PointsPosted"}), false);
        check(pattern, json!({"source": "loyalty"}), false);
    }

    #[test]
    fn operators() {
        check(json!({"a": [{"prefix": "x"}]}), json!({"a": "xy"}), true);
        check(json!({"a": [{"suffix": "x"}]}), json!({"a": "xy"}), false);
        check(json!({"a": [{"exists": false}]}), json!({}), true);
        check(json!({"a": [{"anything-but": ["x"]}]}), json!({"a": "x"}), false);
        check(json!({"a": [{"anything-but": "x"}]}), json!({"a": "y"}), true);
        check(json!({"d": {"n": [{"numeric": [">", 0, "<=", 5]}]}}), json!({"d": {"n": 5}}), true);
        check(json!({"d": {"n": [{"numeric": [">", 0, "<=", 5]}]}}), json!({"d": {"n": 6}}), false);
        check(json!({"a": ["x"]}), json!({"a": ["y", "x"]}), true);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        assert!(Pattern::read(&json!({"a": [{"wildcard": "*"}]})).is_err());
        assert!(Pattern::read(&json!({"$or": [{"a": ["x"]}]})).is_err());
        assert!(Pattern::read(&json!({"a": "x"})).is_err());
    }
}
