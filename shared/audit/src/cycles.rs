//! Where a member stood when a cycle began: what the tier floor is held against (X20).
//!
//! Most cycles end with an entry. One in which nothing was earned and no tier was at stake ends without one, so the
//! member's row alone says that it has ended; then the history must say that there was nothing to post.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Timelike, Utc};
use compact_str::CompactString;

/// How a member stands from an instant on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub at: DateTime<Utc>,
    pub tier: CompactString,
    /// There were no qualifying points.
    pub nothing_earned: bool,
}

/// How a member stood, from the beginning on. One for each change of tier and for each time the first qualifying points
/// came or the last went, not one for each entry.
#[derive(Debug, Default)]
pub(crate) struct Standings {
    changes: Vec<Standing>,
    last: Option<Standing>,
    last_reset: Option<(DateTime<Utc>, CompactString)>,
}

impl Standings {
    /// The newest entry's.
    pub fn last(&self) -> Option<&Standing> {
        self.last.as_ref()
    }

    pub fn add(&mut self, standing: Standing) {
        let same = |known: &Standing| known.tier == standing.tier && known.nothing_earned == standing.nothing_earned;
        if !self.changes.last().is_some_and(same) {
            self.changes.push(standing.clone());
        }
        self.last = Some(standing);
    }

    /// A review that fell due at this instant, midnight where the programme is, left the tier.
    pub fn reset(&mut self, midnight: DateTime<Utc>, tier: &str) {
        self.last_reset = Some((midnight, tier.into()));
    }

    pub fn last_reset(&self) -> Option<DateTime<Utc>> {
        self.last_reset.as_ref().map(|(midnight, _)| *midnight)
    }

    pub fn tier_at_reset(&self) -> Option<CompactString> {
        self.last_reset.as_ref().map(|(_, tier)| tier.clone())
    }

    /// How the member may have stood when a day began, wherever the programme is; `first_tier` before the first entry.
    pub fn when_began(&self, day: NaiveDate, first_tier: &str) -> Vec<Standing> {
        let (from, to) = midnight_anywhere(day);
        let before = self.changes.iter().rev().find(|standing| standing.at < from).cloned();
        let beginning = || Standing { at: from, tier: first_tier.into(), nothing_earned: true };
        let during = self.changes.iter().filter(|standing| (from..=to).contains(&standing.at)).cloned();
        std::iter::once(before.unwrap_or_else(beginning)).chain(during).collect()
    }
}

/// Between which instants a day begins somewhere on Earth.
fn midnight_anywhere(day: NaiveDate) -> (DateTime<Utc>, DateTime<Utc>) {
    let midnight = day.and_time(chrono::NaiveTime::MIN).and_utc();
    let moved = |hours: i64| midnight.checked_add_signed(TimeDelta::hours(hours)).unwrap_or(midnight);
    (moved(-14), moved(12))
}

/// Whether an instant is the midnight with which a day begins, in some zone.
pub(crate) fn begins(midnight: DateTime<Utc>, day: NaiveDate) -> bool {
    let date = midnight.date_naive();
    let next = date.checked_add_days(Days::new(1)).unwrap_or(date);
    // East of Greenwich it is still the day before in UTC; few zones are more than ten hours ahead.
    match midnight.hour() {
        0..=9 => day == date,
        10..=12 => day == date || day == next,
        _ => day == next,
    }
}
