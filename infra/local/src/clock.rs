//! The stack's clock: the machine's clock plus an offset, so a year can pass in a second.
//!
//! Functions never read it; they take "now" from their events, which this clock stamps.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};

/// A clock that runs at normal speed from wherever it was set.
#[derive(Debug, Default)]
pub struct Clock {
    offset_ms: AtomicI64,
}

impl Clock {
    /// A clock `offset_ms` milliseconds ahead of the machine's.
    pub fn with_offset_ms(offset_ms: i64) -> Self {
        Self { offset_ms: AtomicI64::new(offset_ms) }
    }

    /// Milliseconds since 1970 in UTC, on the stack's clock.
    pub fn now_ms(&self) -> i64 {
        machine_ms() + self.offset_ms()
    }

    /// How far ahead of the machine's clock this one is, in milliseconds.
    pub fn offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::SeqCst)
    }

    /// Moves the clock to an instant, forwards or backwards; returns the new offset.
    pub fn set_ms(&self, instant_ms: i64) -> i64 {
        let offset = instant_ms - machine_ms();
        self.offset_ms.store(offset, Ordering::SeqCst);
        offset
    }

    /// Moves the clock forwards to an instant; an earlier one leaves it alone.
    pub fn advance_ms(&self, instant_ms: i64) -> i64 {
        if instant_ms > self.now_ms() { self.set_ms(instant_ms) } else { self.offset_ms() }
    }
}

/// Milliseconds since 1970 in UTC, on the machine's clock.
pub fn machine_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// An instant as RFC 3339 in UTC with seconds, the way AWS writes times in events.
pub fn iso(instant_ms: i64) -> String {
    instant(instant_ms).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// An instant as a `chrono` value; out of chrono's range it is 1970.
pub fn instant(instant_ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(instant_ms).unwrap_or_default()
}

/// Reads an RFC 3339 instant such as `2026-11-23T08:00:00+07:00`.
pub fn parse_instant(text: &str) -> Result<i64, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.timestamp_millis())
        .map_err(|_| format!("“{text}” is not a time; write it as 2026-11-23T08:00:00+07:00 (RFC 3339)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_runs_on_from_where_it_was_set() {
        let clock = Clock::default();
        let monday = parse_instant("2026-11-23T08:00:00+07:00").unwrap();
        clock.set_ms(monday);
        let now = clock.now_ms();
        assert!(now >= monday && now < monday + 60_000, "{now}");
        assert_eq!(iso(monday), "2026-11-23T01:00:00Z");
    }

    #[test]
    fn advancing_never_goes_back() {
        let clock = Clock::with_offset_ms(1_000_000);
        let before = clock.offset_ms();
        assert_eq!(clock.advance_ms(0), before);
    }
}
