//! Reads attributes out of a row, each with its type; says in words what is not as it should be.
//!
//! All of it is inlined into whoever reads a row: a name that is known there is then found without a call (see `Row::get`).

use chrono::{DateTime, NaiveDate, Utc};

use crate::{Row, Value};

/// Why a row cannot be read.
pub(crate) type Problem = String;
pub(crate) type Read<T> = Result<T, Problem>;

/// A movement or a balance of both kinds of points. Sums of 64-bit figures cannot leave it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Legs {
    pub redeemable: i128,
    pub qualifying: i128,
}

impl Legs {
    pub const ZERO: Self = Self { redeemable: 0, qualifying: 0 };

    pub fn plus(self, other: Self) -> Self {
        Self { redeemable: self.redeemable + other.redeemable, qualifying: self.qualifying + other.qualifying }
    }

    pub fn minus(self, other: Self) -> Self {
        Self { redeemable: self.redeemable - other.redeemable, qualifying: self.qualifying - other.qualifying }
    }

    /// The lesser of two of each kind.
    pub fn lesser(self, other: Self) -> Self {
        Self { redeemable: self.redeemable.min(other.redeemable), qualifying: self.qualifying.min(other.qualifying) }
    }

    pub fn any_below_zero(self) -> bool {
        self.redeemable < 0 || self.qualifying < 0
    }

    pub fn any_above_zero(self) -> bool {
        self.redeemable > 0 || self.qualifying > 0
    }
}

impl std::fmt::Display for Legs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} redeemable and {} qualifying points", self.redeemable, self.qualifying)
    }
}

/// Until when points are good; orders as they are used, never-expiring last (X40).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Expiry {
    On(NaiveDate),
    Never,
}

impl std::fmt::Display for Expiry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::On(day) => day.fmt(f),
            Self::Never => f.write_str("never"),
        }
    }
}

/// A lot, or how one moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lot {
    pub expiry: Expiry,
    pub points: i128,
}

#[cold]
fn wrong(name: &str, expected: &str) -> Problem {
    format!("`{name}` is missing or is not {expected}")
}

#[inline(always)]
pub(crate) fn text<'a>(row: &'a Row, name: &str) -> Read<&'a str> {
    text_if_any(row, name)?.filter(|text| !text.is_empty()).ok_or_else(|| wrong(name, "a text"))
}

#[inline(always)]
pub(crate) fn text_if_any<'a>(row: &'a Row, name: &str) -> Read<Option<&'a str>> {
    match row.get(name) {
        None => Ok(None),
        Some(Value::S(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(name, "a text")),
    }
}

#[inline(always)]
pub(crate) fn number(row: &Row, name: &str) -> Read<i128> {
    number_if_any(row, name)?.ok_or_else(|| wrong(name, "a whole number"))
}

#[inline(always)]
pub(crate) fn number_if_any(row: &Row, name: &str) -> Read<Option<i128>> {
    match row.get(name) {
        None => Ok(None),
        Some(Value::N(text)) => match text.parse::<i64>() {
            Ok(number) => Ok(Some(i128::from(number))),
            Err(_) => Err(wrong(name, "a whole number of 64 bits")),
        },
        Some(_) => Err(wrong(name, "a whole number")),
    }
}

/// A number that counts: not below `least`.
#[inline(always)]
pub(crate) fn count(row: &Row, name: &str, least: i128) -> Read<i128> {
    let number = number(row, name)?;
    if number < least { Err(format!("`{name}` is {number}, below {least}")) } else { Ok(number) }
}

#[inline(always)]
pub(crate) fn flag(row: &Row, name: &str) -> Read<bool> {
    flag_if_any(row, name)?.ok_or_else(|| wrong(name, "true or false"))
}

#[inline(always)]
pub(crate) fn flag_if_any(row: &Row, name: &str) -> Read<Option<bool>> {
    match row.get(name) {
        None => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(_) => Err(wrong(name, "true or false")),
    }
}

#[inline(always)]
pub(crate) fn map<'a>(row: &'a Row, name: &str) -> Read<&'a Row> {
    map_if_any(row, name)?.ok_or_else(|| wrong(name, "a map"))
}

#[inline(always)]
pub(crate) fn map_if_any<'a>(row: &'a Row, name: &str) -> Read<Option<&'a Row>> {
    match row.get(name) {
        None => Ok(None),
        Some(Value::M(map)) => Ok(Some(map)),
        Some(_) => Err(wrong(name, "a map")),
    }
}

/// A list; one that is absent is empty.
#[inline(always)]
pub(crate) fn list<'a>(row: &'a Row, name: &str) -> Read<&'a [Value]> {
    match row.get(name) {
        None => Ok(&[]),
        Some(Value::L(values)) => Ok(values),
        Some(_) => Err(wrong(name, "a list")),
    }
}

#[inline(always)]
pub(crate) fn legs(row: &Row, name: &str) -> Read<Legs> {
    legs_of(map(row, name)?).map_err(|problem| format!("`{name}`: {problem}"))
}

#[inline(always)]
pub(crate) fn legs_if_any(row: &Row, name: &str) -> Read<Option<Legs>> {
    if row.contains_key(name) { legs(row, name).map(Some) } else { Ok(None) }
}

#[inline(always)]
pub(crate) fn legs_of(row: &Row) -> Read<Legs> {
    Ok(Legs { redeemable: number(row, "redeemable")?, qualifying: number(row, "qualifying")? })
}

#[inline(always)]
pub(crate) fn instant(row: &Row, name: &str) -> Read<DateTime<Utc>> {
    let text = text(row, name)?;
    whole_second(text).or_else(|| any_instant(text)).ok_or_else(|| wrong(name, "a time of RFC 3339 in UTC"))
}

/// `YYYY-MM-DDThh:mm:ssZ`, which is what nearly all rows hold; read here because reading any RFC 3339 takes ten times as
/// long.
fn whole_second(text: &str) -> Option<DateTime<Utc>> {
    let bytes = text.as_bytes();
    let marked = bytes.len() == 20 && bytes[10] == b'T' && bytes[13] == b':' && bytes[16] == b':' && bytes[19] == b'Z';
    let part = |at: usize| marked.then(|| digits(&bytes[at..at + 2])).flatten();
    let time = plain_day(text.get(..10)?)?.and_hms_opt(part(11)?, part(14)?, part(17)?)?;
    Some(time.and_utc())
}

fn any_instant(text: &str) -> Option<DateTime<Utc>> {
    let zulu = text.ends_with('Z');
    DateTime::parse_from_rfc3339(text).ok().filter(|_| zulu).map(|time| time.to_utc())
}

/// `YYYY-MM-DD`, the only way a row writes a day.
fn plain_day(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = i32::try_from(digits(&bytes[..4])?).ok()?;
    NaiveDate::from_ymd_opt(year, digits(&bytes[5..7])?, digits(&bytes[8..])?)
}

fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}

#[inline(always)]
pub(crate) fn day(row: &Row, name: &str) -> Read<NaiveDate> {
    plain_day(text(row, name)?).ok_or_else(|| wrong(name, "a date"))
}

#[inline(always)]
pub(crate) fn expiry(row: &Row, name: &str) -> Read<Expiry> {
    expiry_of(text(row, name)?, name)
}

fn expiry_of(text: &str, name: &str) -> Read<Expiry> {
    match text {
        "never" => Ok(Expiry::Never),
        text => plain_day(text).map(Expiry::On).ok_or_else(|| wrong(name, "a date or \"never\"")),
    }
}

/// Open lots, each an attribute named by its last valid day, in the order they are used.
pub(crate) fn lots_by_day(row: &Row, name: &str) -> Read<Vec<Lot>> {
    let days = map(row, name)?;
    let lot = |day: &str| -> Read<Lot> { Ok(Lot { expiry: expiry_of(day, name)?, points: number(days, day)? }) };
    let mut lots = days.iter().map(|(day, _)| lot(day)).collect::<Read<Vec<_>>>()?;
    lots.sort_by_key(|lot| lot.expiry);
    Ok(lots)
}

pub(crate) fn lots(row: &Row, name: &str) -> Read<Vec<Lot>> {
    list(row, name)?
        .iter()
        .map(|value| match value {
            Value::M(lot) => Ok(Lot { expiry: expiry(lot, "expires_on")?, points: number(lot, "points")? }),
            _ => Err(wrong(name, "a list of lots")),
        })
        .collect()
}
