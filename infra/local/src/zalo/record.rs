//! What the stand-in was sent.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use serde_json::{Value, json};

/// Calls kept; of more, the oldest are forgotten and only counted.
pub const RECORDS_MAX: usize = 20_000;

/// What a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A template to a phone number.
    TemplatePhone,
    /// A template to a user of the Official Account.
    TemplateUser,
    /// A customer-service text.
    Text,
    /// Whether a user follows.
    UserDetail,
    /// New tokens for the refresh token.
    Token,
}

impl Kind {
    /// Whether it reaches a person.
    pub fn is_message(self) -> bool {
        matches!(self, Self::TemplatePhone | Self::TemplateUser | Self::Text)
    }
}

/// One call. It never keeps a token.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    pub number: u64,
    /// On the stack's clock, UTC.
    pub at: String,
    pub kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_id: Option<String>,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub template_data: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking_id: Option<String>,
    /// Zalo's code: 0 is accepted.
    pub error: i64,
    /// Of a message that was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msg_id: Option<String>,
    /// Whether the caller was told.
    pub answered: bool,
}

impl Record {
    pub fn new(kind: Kind) -> Self {
        Self {
            number: 0,
            at: String::new(),
            kind,
            phone: None,
            user_id: None,
            template_id: None,
            template_data: Value::Null,
            text: None,
            picture: None,
            tracking_id: None,
            error: 0,
            msg_id: None,
            answered: true,
        }
    }
}

/// The calls, oldest first.
#[derive(Debug, Default)]
pub struct Records {
    kept: VecDeque<Record>,
    counted: BTreeMap<(Kind, i64), u64>,
    last: u64,
}

impl Records {
    pub fn keep(&mut self, record: Record) {
        self.last += 1;
        *self.counted.entry((record.kind, record.error)).or_default() += 1;
        if self.kept.len() == RECORDS_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(Record { number: self.last, ..record });
    }

    /// The newest `limit` that are wanted, oldest first.
    pub fn list(&self, limit: usize, wanted: impl Fn(&Record) -> bool) -> Vec<&Record> {
        let mut list: Vec<&Record> = self.kept.iter().rev().filter(|record| wanted(record)).take(limit).collect();
        list.reverse();
        list
    }

    /// `{"template_phone": {"0": 12, "-118": 1}}`
    pub fn counts(&self) -> Value {
        let mut counts = json!({});
        for ((kind, error), count) in &self.counted {
            let kind = json!(kind);
            let kind = kind.as_str().unwrap_or_default();
            counts[kind][error.to_string()] = json!(count);
        }
        counts
    }

    /// Forgets every call, and begins to count again.
    pub fn clear(&mut self) {
        *self = Self { last: self.last, ..Self::default() };
    }
}
