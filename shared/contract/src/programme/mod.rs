//! Programme files: what a shop chooses, as it writes it down.
//!
//! A file is TOML. Reading one reports *every* problem with its path, refuses unknown keys, and resolves each version to
//! an exact [`loyalty_domain::programme::Programme`]. A file may hold later versions as `[[changes]]`, each a partial
//! file with the instant it takes effect; everything it does not say stays as it was before.

mod file;
mod lint;
mod living;
pub mod messages;
mod numbers;
mod resolve;
mod section;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeZone, Utc};
use loyalty_domain::programme::Programme;
use toml::{Table, Value};

pub use lint::{OrdersToTier, Warning, lint};

use crate::queue::Source;
use crate::webhook::settings::SourceSettings;

/// The largest file that is read, bytes.
pub const FILE_BYTES_MAX: usize = 256 * 1024;
/// The most `[[changes]]` one file may hold.
pub const CHANGES_MAX: usize = 100;

/// One thing wrong with a file: where, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Problem {
    /// `earning.vnd_per_point`, `tiers[2].threshold`, `changes[0].expiry.months`.
    pub path: String,
    pub message: String,
}

/// A programme file that can go live: its versions, oldest first, never empty.
#[derive(Clone, Debug)]
pub struct ProgrammeFile {
    versions: Vec<Version>,
}

/// One version and since when it is in force.
#[derive(Clone, Debug)]
pub struct Version {
    /// The first instant it holds; the first version of a file has always held.
    pub effective_from: DateTime<Utc>,
    pub programme: Programme,
    /// The programme's name as customers know it.
    pub name: String,
    /// How long a delivery waits before it is decided, seconds: 5 to 10, 0 on a laptop only (P15, X29).
    pub settle_seconds: u32,
    /// What the shop says an average order is worth, minor units of the programme's currency (X4, D4).
    pub average_order_minor: Option<i64>,
    /// Whether the file says that higher tiers earn faster (P7), whatever the multipliers of its tiers come to.
    pub by_tier: bool,
    /// How each shop system's orders are read.
    pub sources: BTreeMap<Source, SourceSettings>,
    /// How messages reach members.
    pub messaging: messages::Messaging,
}

impl ProgrammeFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Every problem found, ordered by path; never an empty list.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let whole = |message: String| vec![Problem { path: "(file)".into(), message }];
        if text.len() > FILE_BYTES_MAX {
            return Err(whole(format!("larger than {FILE_BYTES_MAX} bytes")));
        }
        let mut base: Table = text.parse().map_err(|error: toml::de::Error| whole(error.to_string()))?;
        let mut problems = Vec::new();
        let changes = take_changes(&mut base, &mut problems);
        let mut versions = Vec::new();
        match resolve::version(base.clone(), DateTime::<Utc>::MIN_UTC) {
            Ok(version) => versions.push(version),
            Err(found) => problems.extend(found),
        }
        let known = problems.clone();
        let mut so_far = base;
        for (at, mut change) in changes.into_iter().enumerate() {
            let path = format!("changes[{at}]");
            let from = take_effective_from(&mut change, &so_far, &path, &mut problems);
            merge(&mut so_far, change);
            let resolved = resolve::version(so_far.clone(), from.unwrap_or(DateTime::<Utc>::MIN_UTC));
            match resolved {
                Err(found) => problems.extend(
                    found
                        .into_iter()
                        .filter(|problem| !known.contains(problem))
                        .map(|problem| Problem { path: format!("{path}.{}", problem.path), message: problem.message }),
                ),
                Ok(version) => {
                    if from
                        .is_some_and(|from| versions.last().is_some_and(|last: &Version| last.effective_from >= from))
                    {
                        let message = "must be later than the version before it".into();
                        problems.push(Problem { path: format!("{path}.effective_from"), message });
                    }
                    if let Some(first) = versions.first() {
                        problems.extend(moved(first, &version, &path));
                    }
                    versions.push(version);
                }
            }
        }
        // A key that cannot be read counts as left out as well: what is said first of a path is what is wrong with it.
        problems.sort_by(|a, b| a.path.cmp(&b.path));
        problems.dedup_by(|later, first| later.path == first.path);
        if !problems.is_empty() || versions.is_empty() {
            return Err(problems);
        }
        let mut earlier: Option<Programme> = None;
        for version in &mut versions {
            if let Some(earlier) = earlier {
                version.programme = version.programme.clone().after(earlier, version.effective_from);
            }
            earlier = Some(version.programme.clone());
        }
        Ok(Self { versions })
    }

    /// The version in force at an instant.
    pub fn at(&self, now: DateTime<Utc>) -> &Version {
        let in_force = self.versions.iter().rev().find(|version| version.effective_from <= now);
        in_force.unwrap_or(&self.versions[0])
    }

    /// The programme's time zone, in which its days begin and its schedules run (X7); the same in all versions.
    pub fn zone(&self) -> chrono_tz::Tz {
        self.versions[0].programme.zone
    }

    /// How long an order waits before it is credited, in seconds (P15); the same in all versions.
    pub fn settle_seconds(&self) -> u32 {
        self.versions[0].settle_seconds
    }

    /// All versions, oldest first.
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }
}

/// What a later version says otherwise and cannot: it belongs to all that was written, or to the stack itself.
fn moved(first: &Version, later: &Version, path: &str) -> Vec<Problem> {
    let (was, is) = (&first.programme, &later.programme);
    let fixed = [
        (
            "currency",
            was.currency == is.currency,
            "the currency of a programme cannot change: balances are counted in it",
        ),
        ("time_zone", was.zone == is.zone, "the time zone of a programme cannot change: its schedules run in it"),
        (
            "settle_seconds",
            first.settle_seconds == later.settle_seconds,
            "cannot change with a version: it is the delay of the queue; change it at the head of the file",
        ),
    ];
    let moved = fixed.into_iter().filter(|(_, same, _)| !same);
    moved.map(|(key, _, why)| Problem { path: format!("{path}.{key}"), message: why.into() }).collect()
}

fn take_changes(base: &mut Table, problems: &mut Vec<Problem>) -> Vec<Table> {
    let mut problem = |message: &str| problems.push(Problem { path: "changes".into(), message: message.into() });
    match base.remove("changes") {
        None => Vec::new(),
        Some(Value::Array(items)) if items.len() > CHANGES_MAX => {
            problem(&format!("more than {CHANGES_MAX} versions"));
            Vec::new()
        }
        Some(Value::Array(items)) => {
            let tables: Vec<Table> = items.iter().filter_map(|item| item.as_table().cloned()).collect();
            if tables.len() != items.len() {
                problem("write each later version as a table: [[changes]]");
            }
            tables
        }
        Some(_) => {
            problem("write each later version as a table: [[changes]]");
            Vec::new()
        }
    }
}

/// An instant with its offset, or a day: local midnight of the programme's time zone, never UTC's (X7).
fn take_effective_from(
    change: &mut Table,
    so_far: &Table,
    path: &str,
    problems: &mut Vec<Problem>,
) -> Option<DateTime<Utc>> {
    let written = change.remove("effective_from").map(|value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    });
    let zone = change.get("time_zone").or(so_far.get("time_zone")).and_then(Value::as_str);
    let zone: chrono_tz::Tz = zone.unwrap_or(file::DEFAULT_ZONE).parse().unwrap_or(chrono_tz::Asia::Ho_Chi_Minh);
    let instant = written.as_deref().and_then(|text| {
        let midnight = |day: NaiveDate| zone.from_local_datetime(&day.and_time(NaiveTime::MIN)).earliest();
        let exact = DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
        exact.or_else(|| midnight(text.parse().ok()?).map(|at| at.to_utc()))
    });
    if instant.is_none() {
        problems.push(Problem {
            path: format!("{path}.effective_from"),
            message:
                "say since when it holds: a day like \"2027-01-01\" (midnight in the programme's time zone) or an \
                      instant like \"2027-01-01T08:00:00+07:00\""
                    .into(),
        });
    }
    instant
}

/// Tables are merged key by key; everything else, lists included, is replaced.
fn merge(base: &mut Table, change: Table) {
    for (key, value) in change {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
