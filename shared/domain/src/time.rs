//! Instants, and the days of the programme's time zone.
//!
//! A day boundary is always local midnight of the programme, never UTC's (X7). Month arithmetic clamps at the end of the
//! month: 31 January + 1 month is the last day of February (X39).

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone, Utc};
pub use chrono_tz::Tz;

/// A point in time, UTC.
pub type Instant = DateTime<Utc>;

/// The day an instant falls on in a time zone.
pub fn day_in(zone: Tz, at: Instant) -> NaiveDate {
    let utc = at.naive_utc();
    // Unlike `with_timezone`, this cannot panic at the ends of the calendar.
    utc.checked_add_offset(zone.offset_from_utc_datetime(&utc).fix()).unwrap_or(utc).date()
}

/// `days` later; the last representable day when the calendar ends.
pub fn plus_days(day: NaiveDate, days: u32) -> NaiveDate {
    day.checked_add_days(Days::new(u64::from(days))).unwrap_or(NaiveDate::MAX)
}

/// `months` later, clamped to the end of the month (X39).
pub fn plus_months(day: NaiveDate, months: u32) -> NaiveDate {
    day.checked_add_months(Months::new(months)).unwrap_or(NaiveDate::MAX)
}

/// From the month of the first day to that of the second; 0 when that is earlier.
pub fn months_between(from: NaiveDate, to: NaiveDate) -> u32 {
    let months = |day: NaiveDate| i64::from(day.year()).saturating_mul(12).saturating_add(i64::from(day.month0()));
    u32::try_from(months(to).saturating_sub(months(from))).unwrap_or(0)
}

/// `days` earlier; the first representable day when the calendar begins.
pub fn minus_days(day: NaiveDate, days: u32) -> NaiveDate {
    day.checked_sub_days(Days::new(u64::from(days))).unwrap_or(NaiveDate::MIN)
}

/// How many days the second day is after the first; below zero when it is before.
pub fn days_between(from: NaiveDate, to: NaiveDate) -> i64 {
    to.signed_duration_since(from).num_days()
}

/// How far the clocks of who tells something may be ahead.
const SKEW_MINUTES: u32 = 5;

/// `minutes` later; the last representable instant when the calendar ends.
pub fn plus_minutes(at: Instant, minutes: u32) -> Instant {
    at.checked_add_signed(TimeDelta::minutes(i64::from(minutes))).unwrap_or(Instant::MAX_UTC)
}

/// The last instant before one.
pub fn just_before(at: Instant) -> Instant {
    at.checked_sub_signed(TimeDelta::nanoseconds(1)).unwrap_or(at)
}

/// When a word that arrives now was said. The clocks of those who tell are minutes apart, and two words of one of them keep
/// their order; what claims to be later than that is of now, lest a wrong clock make true words old for as long (F19).
pub fn believed(said: Instant, now: Instant) -> Instant {
    if said > plus_minutes(now, SKEW_MINUTES) { now } else { said }
}

/// The Monday of the day's week.
pub fn week_start(day: NaiveDate) -> NaiveDate {
    minus_days(day, day.weekday().num_days_from_monday())
}

/// The first of the day's month.
pub fn month_start(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

/// The first instant of a day in a time zone; where clocks skip midnight, the first one there is.
pub fn day_start(zone: Tz, day: NaiveDate) -> Instant {
    let midnight = day.and_time(NaiveTime::MIN);
    let local = zone.from_local_datetime(&midnight).earliest();
    let local =
        local.or_else(|| zone.from_local_datetime(&midnight.checked_add_signed(TimeDelta::hours(1))?).earliest());
    local.map_or_else(|| midnight.and_utc(), |at| at.to_utc())
}

/// The last day of the month that the day is in.
pub fn month_end(day: NaiveDate) -> NaiveDate {
    last_day(day.year(), day.month())
}

/// The last day of the calendar quarter that the day is in.
pub fn quarter_end(day: NaiveDate) -> NaiveDate {
    last_day(day.year(), day.month0().checked_div(3).unwrap_or(0).saturating_add(1).saturating_mul(3))
}

/// 31 December of the day's year.
pub fn year_end(day: NaiveDate) -> NaiveDate {
    last_day(day.year(), 12)
}

fn last_day(year: i32, month: u32) -> NaiveDate {
    let (year, month) = if month >= 12 { (year.saturating_add(1), 1) } else { (year, month.saturating_add(1)) };
    NaiveDate::from_ymd_opt(year, month, 1).and_then(|first| first.pred_opt()).unwrap_or(NaiveDate::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn months_clamp_and_ends_are_ends() {
        assert_eq!(plus_months(day("2026-01-31"), 1), day("2026-02-28"));
        assert_eq!(plus_months(day("2028-01-31"), 1), day("2028-02-29"));
        assert_eq!(month_end(day("2028-02-03")), day("2028-02-29"));
        assert_eq!(month_end(day("2026-12-03")), day("2026-12-31"));
        assert_eq!(quarter_end(day("2026-02-10")), day("2026-03-31"));
        assert_eq!(quarter_end(day("2026-12-31")), day("2026-12-31"));
        assert_eq!(year_end(day("2026-02-10")), day("2026-12-31"));
    }

    #[test]
    fn a_day_changes_at_local_midnight() {
        let zone = chrono_tz::Asia::Ho_Chi_Minh;
        assert_eq!(day_in(zone, "2026-12-31T16:59:59Z".parse().unwrap()), day("2026-12-31"));
        assert_eq!(day_in(zone, "2026-12-31T17:00:00Z".parse().unwrap()), day("2027-01-01"));
    }
}
