//! How the stand-in misbehaves when it is told to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::record::{Kind, Record};

/// Rules at once.
pub const RULES_MAX: usize = 1_000;
/// Longer than any caller waits.
pub const DELAY_MS_MAX: u64 = 120_000;

/// What happens to a call. The first rule that fits is taken.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// To what kind of calls; all unless it is named.
    #[serde(default)]
    pub on: Option<Kind>,
    /// For one phone number, `84…`.
    #[serde(default)]
    pub phone: Option<String>,
    #[serde(default)]
    pub user_id: Option<String>,
    /// Passes over this many calls first.
    #[serde(default)]
    pub after: u64,
    /// For how many calls; for good unless it is said.
    #[serde(default)]
    pub calls: Option<u64>,
    /// Zalo's code instead of what it would have answered; nothing is done then.
    #[serde(default)]
    pub error: Option<i64>,
    /// Answers this much later, machine time.
    #[serde(default)]
    pub delay_ms: u64,
    /// Closes the connection without an answer.
    #[serde(default)]
    pub drop: Option<Drop>,
}

/// When the connection is closed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Drop {
    /// Nothing was done.
    Before,
    /// It was done: the message is on its way, the token is used.
    After,
}

impl Rule {
    fn fits(&self, record: &Record) -> bool {
        let same = |wanted: &Option<String>, given: &Option<String>| wanted.is_none() || wanted == given;
        self.on.is_none_or(|kind| kind == record.kind)
            && same(&self.phone, &record.phone)
            && same(&self.user_id, &record.user_id)
    }
}

/// A template as it was registered with Zalo: what it refuses.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Registered {
    /// 1 transaction, 2 customer care, 3 promotion (N9).
    pub tag: u8,
    /// Its parameters, and how many characters each may have.
    #[serde(default)]
    pub parameters: BTreeMap<String, usize>,
}

/// What is to be changed; what is left out stays.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Forgets every rule and setting first.
    #[serde(default)]
    pub clear: bool,
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Seconds for which access tokens handed out from now on are good.
    pub token_seconds: Option<i64>,
    /// Every access token handed out so far is worth nothing.
    #[serde(default)]
    pub expire_tokens: bool,
    /// Begins a new chain of tokens with this refresh token, as a person does who was locked out.
    pub refresh_token: Option<String>,
    pub rate_per_minute: Option<u64>,
    pub daily_quota: Option<u64>,
    pub templates: Option<BTreeMap<String, Registered>>,
    /// Tells the door of every message that was accepted that it was received.
    pub receipts: Option<bool>,
}

/// The rules in force.
#[derive(Debug, Default)]
pub struct Rules(Vec<Rule>);

impl Rules {
    /// # Errors
    /// In words, when there would be too many or one waits too long.
    pub fn add(&mut self, rules: Vec<Rule>) -> Result<(), String> {
        if self.0.len() + rules.len() > RULES_MAX {
            return Err(format!("There are at most {RULES_MAX} rules; send \"clear\": true first."));
        }
        if rules.iter().any(|rule| rule.delay_ms > DELAY_MS_MAX) {
            return Err(format!("delay_ms is at most {DELAY_MS_MAX}."));
        }
        self.0.extend(rules);
        Ok(())
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn list(&self) -> &[Rule] {
        &self.0
    }

    /// The rule for a call, which is then used up by one.
    pub fn take(&mut self, record: &Record) -> Option<Rule> {
        let mut found = None;
        for (at, rule) in self.0.iter_mut().enumerate().filter(|(_, rule)| rule.fits(record)) {
            if rule.after > 0 {
                rule.after -= 1;
                continue;
            }
            found = Some(at);
            break;
        }
        let at = found?;
        let taken = self.0[at].clone();
        match &mut self.0[at].calls {
            Some(calls) if *calls > 1 => *calls -= 1,
            Some(_) => {
                self.0.remove(at);
            }
            None => {}
        }
        Some(taken)
    }
}
