//! `cron(…)`, `rate(…)` and `at(…)` as EventBridge Scheduler reads them.
//!
//! Times are those of the schedule's zone: a local time that a spring change skips never comes,
//! and one that an autumn change repeats comes once.

use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// When a schedule is due.
#[derive(Debug, Clone)]
pub struct Expression {
    kind: Kind,
    zone: Tz,
}

#[derive(Debug, Clone)]
enum Kind {
    Cron(Box<Cron>),
    /// Every so many milliseconds, counted from 1970.
    Rate(i64),
    At(NaiveDateTime),
}

/// Local times tried before a schedule is taken never to come again.
const SKIPPED_MAX: usize = 16;

impl Expression {
    /// Reads an expression and the name of its time zone.
    pub fn read(expression: &str, zone: &str) -> Result<Self, String> {
        let zone: Tz = zone.parse().map_err(|_| format!("“{zone}” is not the name of a time zone"))?;
        let (kind, fields) = expression
            .strip_suffix(')')
            .and_then(|text| text.split_once('('))
            .ok_or_else(|| format!("“{expression}” is not cron(…), rate(…) or at(…)"))?;
        let kind = match kind {
            "cron" => Kind::Cron(Box::new(cron(fields)?)),
            "rate" => Kind::Rate(rate(fields)?),
            "at" => Kind::At(fields.parse().map_err(|_| format!("at({fields}) should be at(2026-01-26T08:00:00)"))?),
            other => return Err(format!("“{other}(…)” is not a schedule expression")),
        };
        Ok(Self { kind, zone })
    }

    /// The first moment after an instant at which the schedule is due; milliseconds since 1970.
    pub fn next_after(&self, instant_ms: i64) -> Option<i64> {
        let after = DateTime::from_timestamp_millis(instant_ms)?;
        match &self.kind {
            Kind::Rate(every) => Some((instant_ms.div_euclid(*every) + 1) * every),
            Kind::At(local) => self.instant(*local).filter(|due| *due > after).map(|due| due.timestamp_millis()),
            Kind::Cron(cron) => {
                // The engine walks over local times, which know no changes of the clock.
                let mut local = after.with_timezone(&self.zone).naive_local().and_utc();
                for _ in 0..SKIPPED_MAX {
                    local = cron.find_next_occurrence(&local, false).ok()?;
                    let due = self.instant(local.naive_utc());
                    if let Some(due) = due.filter(|due| *due > after) {
                        return Some(due.timestamp_millis());
                    }
                }
                None
            }
        }
    }

    fn instant(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        let instant = self.zone.from_local_datetime(&local).earliest()?;
        Some(instant.with_timezone(&Utc))
    }
}

fn cron(fields: &str) -> Result<Cron, String> {
    let parts: Vec<&str> = fields.split_whitespace().collect();
    let [_, _, day, _, weekday, _] = parts[..] else {
        return Err(format!("cron({fields}) needs six fields: minutes hours day-of-month month day-of-week year"));
    };
    // The engine accepts both days at once; AWS refuses it.
    if (day == "?") == (weekday == "?") {
        return Err(format!("cron({fields}) needs a ? for exactly one of day-of-month and day-of-week"));
    }
    CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Required)
        .alternative_weekdays(true)
        .sloppy_ranges(true)
        .build()
        .parse(&format!("0 {fields}"))
        .map_err(|error| format!("cron({fields}): {error}"))
}

fn rate(fields: &str) -> Result<i64, String> {
    let wrong = || format!("rate({fields}) should be like rate(5 minutes)");
    let (count, unit) = fields.split_once(' ').ok_or_else(wrong)?;
    let count: i64 = count.parse().ok().filter(|count| *count > 0).ok_or_else(wrong)?;
    let unit_ms = match unit.trim_end_matches('s') {
        "minute" => 60_000,
        "hour" => 3_600_000,
        "day" => 86_400_000,
        _ => return Err(wrong()),
    };
    count.checked_mul(unit_ms).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{iso, parse_instant};

    #[track_caller]
    fn next(expression: &str, zone: &str, after: &str) -> Option<String> {
        let expression = Expression::read(expression, zone).unwrap();
        expression.next_after(parse_instant(after).unwrap()).map(iso)
    }

    const VIETNAM: &str = "Asia/Ho_Chi_Minh";

    #[test]
    fn monday_at_eight_is_vietnams_monday() {
        let weekly = "cron(0 8 ? * MON *)";
        let monday = Some("2026-11-23T01:00:00Z".to_owned());
        assert_eq!(next(weekly, VIETNAM, "2026-11-22T12:00:00+07:00"), monday);
        assert_eq!(next(weekly, VIETNAM, "2026-11-23T07:59:59+07:00"), monday);
        let following = Some("2026-11-30T01:00:00Z".to_owned());
        assert_eq!(next(weekly, VIETNAM, "2026-11-23T08:00:00+07:00"), following);
    }

    #[test]
    fn weekdays_count_from_sunday_as_on_aws() {
        let sunday = next("cron(0 0 ? * 1 *)", "UTC", "2026-11-20T00:00:00Z");
        assert_eq!(sunday.as_deref(), Some("2026-11-22T00:00:00Z"));
    }

    #[test]
    fn the_year_turns_in_vietnam_before_it_turns_in_utc() {
        let new_year = next("cron(0 0 1 1 ? *)", VIETNAM, "2026-06-01T00:00:00Z");
        assert_eq!(new_year.as_deref(), Some("2026-12-31T17:00:00Z"));
    }

    #[test]
    fn a_skipped_local_time_never_comes_and_a_repeated_one_comes_once() {
        // New York skipped 02:30 on 8 March 2026 and repeated 01:30 on 1 November 2026.
        let skipped = next("cron(30 2 * * ? *)", "America/New_York", "2026-03-08T06:00:00Z");
        assert_eq!(skipped.as_deref(), Some("2026-03-09T06:30:00Z"));
        let once = "cron(30 1 * * ? *)";
        let first = next(once, "America/New_York", "2026-11-01T05:00:00Z");
        assert_eq!(first.as_deref(), Some("2026-11-01T05:30:00Z"));
        let second = next(once, "America/New_York", "2026-11-01T05:30:00Z");
        assert_eq!(second.as_deref(), Some("2026-11-02T06:30:00Z"));
    }

    #[test]
    fn at_comes_once_and_rate_keeps_coming() {
        let at = "at(2026-01-26T08:00:00)";
        let due = next(at, VIETNAM, "2026-01-01T00:00:00Z");
        assert_eq!(due.as_deref(), Some("2026-01-26T01:00:00Z"));
        assert_eq!(next(at, VIETNAM, "2026-01-26T01:00:00Z"), None);
        let rate = next("rate(5 minutes)", "UTC", "2026-01-01T00:03:00Z");
        assert_eq!(rate.as_deref(), Some("2026-01-01T00:05:00Z"));
    }

    #[test]
    fn what_aws_refuses_is_refused() {
        for wrong in [
            "cron(0 8 * * MON *)",
            "cron(0 8 ? * ? *)",
            "cron(0 8 * * MON)",
            "cron(61 8 ? * MON *)",
            "rate(0 minutes)",
            "rate(5 weeks)",
            "every monday",
        ] {
            assert!(Expression::read(wrong, VIETNAM).is_err(), "{wrong}");
        }
        assert!(Expression::read("rate(1 day)", "Asia/Saigonn").is_err());
    }
}
