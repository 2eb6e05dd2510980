//! The Official Account of the stand-in: its tokens, users, quota and rate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use chrono::{DateTime, Timelike};
use serde::{Deserialize, Serialize};

use super::record::Records;
use super::script::{Registered, Rules, Script};
use crate::error::{Context, Result};

/// What a development stack is set up with. Public on purpose and good for nothing but the stand-in.
pub const DEVELOPMENT: Development = Development {
    app_id: "1000000000000000001",
    app_secret: "development-zalo-app-secret",
    refresh_token: "development-zalo-refresh-token",
    oa_secret: "development-zalo-oa-secret",
    oa_id: "2000000000000000002",
};

/// See [`DEVELOPMENT`].
#[derive(Debug)]
pub struct Development {
    pub app_id: &'static str,
    pub app_secret: &'static str,
    pub refresh_token: &'static str,
    pub oa_secret: &'static str,
    pub oa_id: &'static str,
}

/// 25 hours, as Zalo answers.
const TOKEN_SECONDS: i64 = 90_000;
const RATE_PER_MINUTE: u64 = 4_000;
const DAILY_QUOTA: u64 = 50_000;
/// Refresh tokens that were used are remembered: a second use is what locks a shop out.
const USED_MAX: usize = 1_000;
const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;
/// Zalo counts days in Vietnam, which is 7 hours ahead of UTC and has no summer time.
const VIETNAM_MS: i64 = 7 * 3_600_000;
/// A text may follow an interaction for seven days (the first two are free).
const TEXT_WINDOW_MS: i64 = 7 * DAY_MS;
/// Promotion is sent from 06:00 to 21:59.
const PROMOTION_HOURS: std::ops::RangeInclusive<u32> = 6..=21;

/// Why a call's token is no good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    Unknown,
    Expired,
}

/// A person who has met the Official Account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct User {
    pub follows: bool,
    /// `84…`, once they have told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Milliseconds since 1970 on the stack's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_interaction_ms: Option<i64>,
}

/// The chain of tokens. It is written down before it is answered, as Zalo would know it.
#[derive(Debug, Serialize, Deserialize)]
struct Chain {
    /// `None` once the chain is revoked: then only a person helps, with a new refresh token.
    refresh: Option<String>,
    used: BTreeSet<String>,
    /// When each access token ends, milliseconds since 1970 on the stack's clock.
    access: BTreeMap<String, i64>,
}

impl Default for Chain {
    fn default() -> Self {
        let refresh = Some(DEVELOPMENT.refresh_token.to_owned());
        Self { refresh, used: BTreeSet::new(), access: BTreeMap::new() }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Account {
    file: PathBuf,
    chain: Chain,
    pub records: Records,
    pub rules: Rules,
    pub users: BTreeMap<String, User>,
    pub templates: BTreeMap<String, Registered>,
    pub receipts: bool,
    pub token_seconds: i64,
    pub rate_per_minute: u64,
    pub daily_quota: u64,
    /// The minute and what was asked in it; the day and what was sent on it.
    minute: (i64, u64),
    day: (i64, u64),
}

/// New tokens.
#[derive(Debug, PartialEq, Eq)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
    pub seconds: i64,
}

impl Account {
    /// With the tokens that were handed out before, where there are any.
    pub fn open(file: PathBuf) -> Result<Self> {
        let about = || format!("cannot read the tokens of the Zalo stand-in in {}", file.display());
        let chain = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).context(about)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Chain::default(),
            Err(error) => return Err(error).context(about),
        };
        Ok(Self {
            file,
            chain,
            records: Records::default(),
            rules: Rules::default(),
            users: BTreeMap::new(),
            templates: BTreeMap::new(),
            receipts: false,
            token_seconds: TOKEN_SECONDS,
            rate_per_minute: RATE_PER_MINUTE,
            daily_quota: DAILY_QUOTA,
            minute: (0, 0),
            day: (0, 0),
        })
    }

    /// Does what a script says.
    ///
    /// # Errors
    /// In words, when there are too many rules; nothing has changed then.
    pub fn follow_script(&mut self, script: Script) -> std::result::Result<(), String> {
        if script.clear {
            self.rules.clear();
            self.templates.clear();
            self.receipts = false;
            (self.token_seconds, self.rate_per_minute, self.daily_quota) =
                (TOKEN_SECONDS, RATE_PER_MINUTE, DAILY_QUOTA);
        }
        self.rules.add(script.rules)?;
        self.token_seconds = script.token_seconds.unwrap_or(self.token_seconds);
        self.rate_per_minute = script.rate_per_minute.unwrap_or(self.rate_per_minute);
        self.daily_quota = script.daily_quota.unwrap_or(self.daily_quota);
        self.receipts = script.receipts.unwrap_or(self.receipts);
        if let Some(templates) = script.templates {
            self.templates = templates;
        }
        if script.expire_tokens {
            self.chain.access.values_mut().for_each(|ends| *ends = 0);
        }
        if let Some(refresh) = script.refresh_token {
            self.chain = Chain { refresh: Some(refresh), ..Chain::default() };
        }
        self.keep().map_err(|error| error.report())
    }

    /// Uses a refresh token. It works once; a second use revokes the whole chain, the pair that the first use brought
    /// included, because Zalo cannot tell which of two callers is the thief.
    pub fn refresh(&mut self, token: &str, now_ms: i64) -> Option<Tokens> {
        if self.chain.used.contains(token) {
            self.chain.refresh = None;
            self.chain.access.clear();
        }
        if self.chain.refresh.as_deref() != Some(token) {
            let _ = self.keep();
            return None;
        }
        self.chain.access.retain(|_, ends| *ends > now_ms);
        let tokens = Tokens {
            access: format!("local-access-{}", hex::encode(rand::random::<[u8; 12]>())),
            refresh: format!("local-refresh-{}", hex::encode(rand::random::<[u8; 12]>())),
            seconds: self.token_seconds,
        };
        if self.chain.used.len() >= USED_MAX {
            self.chain.used.clear();
        }
        self.chain.used.insert(token.to_owned());
        self.chain.refresh = Some(tokens.refresh.clone());
        self.chain.access.insert(tokens.access.clone(), now_ms + tokens.seconds * 1_000);
        self.keep().ok()?;
        Some(tokens)
    }

    /// # Errors
    /// [`TokenFault`] for a token that was not handed out, or has ended.
    pub fn believe(&self, access: Option<&str>, now_ms: i64) -> std::result::Result<(), TokenFault> {
        match access.and_then(|token| self.chain.access.get(token)) {
            None => Err(TokenFault::Unknown),
            Some(ends) if *ends <= now_ms => Err(TokenFault::Expired),
            Some(_) => Ok(()),
        }
    }

    /// Counts a call against the minute's rate; how many more there may be, or `None` when it is too much.
    pub fn rate(&mut self, now_ms: i64) -> Option<u64> {
        let minute = now_ms.div_euclid(MINUTE_MS);
        let asked = if self.minute.0 == minute { self.minute.1 } else { 0 };
        let left = self.rate_per_minute.checked_sub(asked + 1)?;
        self.minute = (minute, asked + 1);
        Some(left)
    }

    /// Counts a template against the day's quota; how many are left after it, or `None` when there is none for it.
    pub fn spend_quota(&mut self, now_ms: i64) -> Option<u64> {
        let day = (now_ms + VIETNAM_MS).div_euclid(DAY_MS);
        let sent = if self.day.0 == day { self.day.1 } else { 0 };
        let left = self.daily_quota.checked_sub(sent + 1)?;
        self.day = (day, sent + 1);
        Some(left)
    }

    /// Whether a text may be sent to a user now.
    pub fn within_window(user: &User, now_ms: i64) -> bool {
        user.last_interaction_ms.is_some_and(|last| now_ms - last <= TEXT_WINDOW_MS)
    }

    /// Whether promotion is allowed at this time of day.
    pub fn promotion_hours(now_ms: i64) -> bool {
        let local = DateTime::from_timestamp_millis(now_ms + VIETNAM_MS).unwrap_or_default();
        PROMOTION_HOURS.contains(&local.hour())
    }

    fn keep(&self) -> Result<()> {
        let about = || format!("cannot write the tokens of the Zalo stand-in to {}", self.file.display());
        let bytes = serde_json::to_vec(&self.chain).context(about)?;
        let next = self.file.with_extension("next");
        fs::write(&next, bytes).and_then(|()| fs::rename(&next, &self.file)).context(about)
    }
}
