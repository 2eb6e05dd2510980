//! A row as any store would give it: a tree of attributes, not yet understood.

use compact_str::{CompactString, ToCompactString};

use crate::row::Row;

/// One attribute, in DynamoDB's terms. Most texts of the books are short, and a short one stands in the value itself: a
/// row is then read in one piece of memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    S(CompactString),
    /// A number as its text, so that nothing is rounded on the way.
    N(CompactString),
    Bool(bool),
    M(Row),
    L(Vec<Value>),
    /// A type that the books never use: NULL, a set, bytes. Every rule that meets it reports it.
    Foreign,
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Foreign,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => Self::N(number.to_compact_string()),
            serde_json::Value::String(text) => Self::S(text.into()),
            serde_json::Value::Array(values) => Self::L(values.into_iter().map(Self::from).collect()),
            serde_json::Value::Object(values) => Self::M(row_from_json(values)),
        }
    }
}

impl Value {
    /// The row, when the value is a map; for a whole row read from JSON.
    pub fn into_row(self) -> Option<Row> {
        match self {
            Self::M(row) => Some(row),
            _ => None,
        }
    }
}

fn row_from_json(values: serde_json::Map<String, serde_json::Value>) -> Row {
    values.into_iter().map(|(name, value)| (name, Value::from(value))).collect()
}
