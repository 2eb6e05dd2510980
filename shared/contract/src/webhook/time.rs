//! Times as shops write them, to instants.
//!
//! A time with an offset is compared as the instant it is, never as text. A time without one is a wall clock somewhere;
//! it is read only where the shop's zone is known.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;

/// Years that an order can be of. `0001-01-01` is how some shops write "never", and 1970 how others do.
const YEARS: std::ops::RangeInclusive<i32> = 1971..=2199;

/// The instant of an ISO 8601 date and time, with an offset or else in `zone`; `None` when it is neither, or has no
/// offset and no zone is known, or lies outside the years 1971 to 2199. A wall clock that a zone shows twice is the
/// earlier instant.
pub fn instant(text: &str, zone: Option<Tz>) -> Option<DateTime<Utc>> {
    use chrono::Datelike;
    let at = with_offset(text).or_else(|| {
        let local = wall_clock(text)?.and_local_timezone(zone?);
        local.earliest().map(|at| at.with_timezone(&Utc))
    })?;
    YEARS.contains(&at.year()).then_some(at)
}

fn with_offset(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .ok()
        .map(|at| at.with_timezone(&Utc))
}

fn wall_clock(text: &str) -> Option<NaiveDateTime> {
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
}

/// The day of `1990-05-20`, also where a time follows it.
pub fn day(text: &str) -> Option<NaiveDate> {
    text.get(..10)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, zone: Option<Tz>, expected: Option<&str>) {
        assert_eq!(instant(text, zone), expected.map(|at| at.parse().unwrap()), "{text}");
    }

    #[test]
    fn offsets_are_instants() {
        check("2026-11-23T08:15:00+07:00", None, Some("2026-11-23T01:15:00Z"));
        check("2008-01-10T11:00:00-05:00", None, Some("2008-01-10T16:00:00Z"));
        check("2026-11-23T08:15:00.0230186Z", None, Some("2026-11-23T08:15:00.0230186Z"));
        check("2026-11-23T08:15:00+0700", None, Some("2026-11-23T01:15:00Z"));
        check("2026-11-23T08:15:00Z", Some(Tz::Asia__Ho_Chi_Minh), Some("2026-11-23T08:15:00Z"));
    }

    #[test]
    fn a_wall_clock_needs_a_zone() {
        let vietnam = Some(Tz::Asia__Ho_Chi_Minh);
        check("2026-11-23T08:15:00", None, None);
        check("2026-11-23T08:15:00", vietnam, Some("2026-11-23T01:15:00Z"));
        check("2026-11-23 08:15:00.123", vietnam, Some("2026-11-23T01:15:00.123Z"));
        check("2026-11-23T08:15:00", Some(Tz::UTC), Some("2026-11-23T08:15:00Z"));
        // Twice on the day the clocks go back, never on the day they go forward.
        check("2026-10-25T02:30:00", Some(Tz::Europe__Berlin), Some("2026-10-25T00:30:00Z"));
        check("2026-03-29T02:30:00", Some(Tz::Europe__Berlin), None);
    }

    #[test]
    fn nonsense_and_never_are_no_times() {
        for text in [
            "",
            "yesterday",
            "2026-11-23",
            "2026-13-01T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "1795000000",
        ] {
            check(text, Some(Tz::UTC), None);
        }
        assert_eq!(day("1990-05-20"), NaiveDate::from_ymd_opt(1990, 5, 20));
        assert_eq!(day("1990-05-20T00:00:00Z"), NaiveDate::from_ymd_opt(1990, 5, 20));
        assert_eq!(day("20/05/1990"), None);
        assert_eq!(day("1990-ờờ-20"), None);
    }
}
