//! One row of members, as another system writes them down: who it is, and what they begin with.

use chrono::NaiveDate;
use loyalty_domain::ids::MemberId;
use loyalty_domain::lots::{Expiry, Lot};
use loyalty_domain::member::Profile;
use loyalty_domain::money::Currency;
use loyalty_domain::opening::{Expires, Opening};
use loyalty_domain::points::Legs;
use loyalty_domain::request::Asked;
use loyalty_domain::sending::MessageKind;
use serde::Serialize;

use super::{Cells, typed_cell};
use crate::amount::{AmountError, Fraction, minor_units};
use crate::command::fingerprint;
use crate::identity::MemberKey;
use crate::phone::normalise;
use crate::queue::Source;

/// No member has more points of either kind.
const POINTS_MAX: i64 = 1_000_000_000_000;
/// Lots of one member: more days than these are joined by no programme.
const LOTS_MAX: usize = 60;
/// Characters of a name or an e-mail address.
pub(super) const TEXT_CHARS_MAX: usize = 200;
/// Characters of a customer id.
pub(super) const ID_CHARS_MAX: usize = 100;
/// Characters of our own member ids.
const MEMBER_ID_CHARS: usize = 28;

/// Why a row cannot be taken. It names the column and never repeats what stands there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowProblem {
    #[error("nobody is named: phone, customer_id and member_id are empty")]
    Nobody,
    #[error("phone is no phone number, or not certainly one")]
    Phone,
    #[error("member_id is no id of a member: m_ and 26 letters and digits")]
    MemberId,
    #[error("{0} is no whole number, written without separators")]
    WholeNumber(&'static str),
    #[error("{0} is beyond {POINTS_MAX}")]
    TooLarge(&'static str),
    #[error("{0} {1}")]
    Amount(&'static str, AmountError),
    #[error("currency is not {0}, the programme's")]
    Currency(&'static str),
    #[error("{0} is no day: 2026-11-30 or 30/11/2026")]
    Day(&'static str),
    #[error("lots are days and points, such as 2027-01-31:50;never:10, and no more than {LOTS_MAX}")]
    Lots,
    #[error("points_expire_on and lots both say when points expire: fill in one of them")]
    LotsAndDay,
    #[error("{0} is longer than {1} characters")]
    TooLong(&'static str, usize),
    #[error("opted_out is kinds of messages: transactional, care, promotional, with a space or a comma between them")]
    Kinds,
}

/// A member as a row says them.
#[derive(Clone, Debug)]
pub struct Brought {
    pub member_id: MemberId,
    pub opening: Opening,
    /// The kinds of messages they do not want.
    pub opted_out: Vec<MessageKind>,
}

/// The figures of a row: what makes two rows of one member the same. Who the person is does not count among them.
#[derive(Serialize)]
struct Figures<'a> {
    redeemable: i64,
    qualifying: i64,
    lots: Vec<(String, i64)>,
    tier: Option<String>,
    days: [Option<NaiveDate>; 3],
    money: [i64; 3],
    orders: [i64; 2],
    member_id: &'a str,
}

/// Reads a row. `source` is the shop whose customer ids `customer_id` are; a phone number goes before it, as it does for
/// orders (X43).
///
/// # Errors
/// [`RowProblem`], naming the column.
pub fn read_opening(
    cells: &Cells<'_>,
    source: Source,
    key: &MemberKey,
    currency: Currency,
) -> Result<Brought, RowProblem> {
    let (member_id, phone) = whom(cells, source, key)?;
    if cells.get("currency").is_some_and(|code| !code.eq_ignore_ascii_case(currency.code())) {
        return Err(RowProblem::Currency(currency.code()));
    }
    let profile = Profile {
        name: text(cells, "name", TEXT_CHARS_MAX)?,
        phone,
        email: text(cells, "email", TEXT_CHARS_MAX)?,
        birthday: day(cells, "birthday")?,
    };
    let money = |name| amount(cells, name, currency);
    let legs = Legs::new(number(cells, "redeemable_points")?, number(cells, "qualifying_points")?);
    let mut opening = Opening {
        asked: Asked { request_id: key.request_id("opening", &member_id, ""), fingerprint: String::new() },
        profile,
        legs,
        expires: expires(cells)?,
        tier: cells.get("tier").map(str::to_owned),
        joined_on: day(cells, "joined_on")?,
        tier_since: day(cells, "tier_since")?,
        last_ordered_on: day(cells, "last_ordered_on")?,
        spent_minor: money("spent")?,
        orders_count: number(cells, "orders_count")?,
        cycle_spent_minor: money("cycle_spent")?,
        cycle_orders: number(cells, "cycle_orders")?,
        wallet_minor: money("wallet")?,
    };
    opening.asked.fingerprint = fingerprint(&figures(&member_id, &opening));
    Ok(Brought { member_id, opening, opted_out: opted_out(cells)? })
}

fn opted_out(cells: &Cells<'_>) -> Result<Vec<MessageKind>, RowProblem> {
    let words = cells.get("opted_out").unwrap_or_default().split([' ', ',', ';']).filter(|word| !word.is_empty());
    words.map(|word| MessageKind::from_word(&word.to_lowercase()).ok_or(RowProblem::Kinds)).collect()
}

fn figures<'a>(member_id: &'a MemberId, opening: &Opening) -> Figures<'a> {
    let written = |expiry: Expiry| match expiry {
        Expiry::On(day) => day.to_string(),
        Expiry::Never => "never".to_owned(),
    };
    let mut lots = match &opening.expires {
        Expires::ByProgramme => Vec::new(),
        Expires::Alike(expiry) => vec![(written(*expiry), opening.legs.redeemable.0)],
        Expires::Lots(lots) => lots.iter().map(|lot| (written(lot.expiry), lot.points)).collect(),
    };
    lots.sort_unstable();
    Figures {
        redeemable: opening.legs.redeemable.0,
        qualifying: opening.legs.qualifying.0,
        lots,
        tier: opening.tier.as_ref().map(|tier| tier.to_lowercase()),
        days: [opening.joined_on, opening.tier_since, opening.last_ordered_on],
        money: [opening.spent_minor, opening.cycle_spent_minor, opening.wallet_minor],
        orders: [opening.orders_count, opening.cycle_orders],
        member_id: member_id.as_str(),
    }
}

/// The member, and the digits of their phone number.
fn whom(cells: &Cells<'_>, source: Source, key: &MemberKey) -> Result<(MemberId, Option<String>), RowProblem> {
    if let Some(cell) = cells.get("phone") {
        let phone = normalise(typed_cell(cell)).map_err(|_| RowProblem::Phone)?;
        return Ok((key.by_phone(&phone), Some(phone.into())));
    }
    if let Some(id) = text(cells, "customer_id", ID_CHARS_MAX)? {
        return Ok((key.by_customer(source, &id), None));
    }
    let Some(id) = cells.get("member_id") else { return Err(RowProblem::Nobody) };
    Ok((member_id(id)?, None))
}

/// A member's id as somebody wrote it.
///
/// # Errors
/// [`RowProblem::MemberId`] for what no key makes.
pub fn member_id(text: &str) -> Result<MemberId, RowProblem> {
    let ours = text.strip_prefix("m_").is_some_and(|hash| hash.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')));
    if ours && text.len() == MEMBER_ID_CHARS { Ok(MemberId::new(text)) } else { Err(RowProblem::MemberId) }
}

pub(super) fn text(cells: &Cells<'_>, name: &'static str, chars_max: usize) -> Result<Option<String>, RowProblem> {
    match cells.get(name).map(typed_cell) {
        Some(text) if text.chars().count() > chars_max => Err(RowProblem::TooLong(name, chars_max)),
        text => Ok(text.map(str::to_owned)),
    }
}

/// 0 where nothing is said.
fn number(cells: &Cells<'_>, name: &'static str) -> Result<i64, RowProblem> {
    cells.get(name).map_or(Ok(0), |cell| whole(cell, name))
}

fn whole(text: &str, name: &'static str) -> Result<i64, RowProblem> {
    let points: i64 = text.parse().map_err(|_| RowProblem::WholeNumber(name))?;
    if points.unsigned_abs() > POINTS_MAX.unsigned_abs() { Err(RowProblem::TooLarge(name)) } else { Ok(points) }
}

/// 0 where nothing is said.
pub(super) fn amount(cells: &Cells<'_>, name: &'static str, currency: Currency) -> Result<i64, RowProblem> {
    // A spreadsheet that writes an exponent may have dropped digits.
    let read = |cell: &str| match cell.contains(['e', 'E']) {
        true => Err(AmountError::NotANumber),
        false => minor_units(cell, currency, Fraction::Refuse),
    };
    cells.get(name).map_or(Ok(0), |cell| read(cell).map_err(|error| RowProblem::Amount(name, error)))
}

fn day(cells: &Cells<'_>, name: &'static str) -> Result<Option<NaiveDate>, RowProblem> {
    cells.get(name).map(|cell| plain_day(cell).ok_or(RowProblem::Day(name))).transpose()
}

/// `2026-11-30`, or `30/11/2026` as it is written in Vietnam.
pub(super) fn plain_day(text: &str) -> Option<NaiveDate> {
    let vietnamese = || NaiveDate::parse_from_str(text, "%d/%m/%Y").ok();
    // A year of two digits is nobody's year for certain.
    let long = text.len() >= "1/1/2026".len();
    text.parse().ok().or_else(vietnamese).filter(|_| long)
}

fn expires(cells: &Cells<'_>) -> Result<Expires, RowProblem> {
    match (cells.get("points_expire_on"), cells.get("lots")) {
        (None, None) => Ok(Expires::ByProgramme),
        (Some(day), None) => Ok(Expires::Alike(expiry(day).ok_or(RowProblem::Day("points_expire_on"))?)),
        (None, Some(lots)) => lots_of(lots).map(Expires::Lots),
        (Some(_), Some(_)) => Err(RowProblem::LotsAndDay),
    }
}

fn expiry(text: &str) -> Option<Expiry> {
    if text.eq_ignore_ascii_case("never") { Some(Expiry::Never) } else { plain_day(text).map(Expiry::On) }
}

fn lots_of(text: &str) -> Result<Vec<Lot>, RowProblem> {
    let parts: Vec<&str> = text.split(';').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.len() > LOTS_MAX {
        return Err(RowProblem::Lots);
    }
    let lot = |part: &str| {
        let (until, points) = part.rsplit_once(':').ok_or(RowProblem::Lots)?;
        let expiry = expiry(until.trim()).ok_or(RowProblem::Lots)?;
        Ok(Lot { expiry, points: whole(points.trim(), "lots")? })
    };
    parts.into_iter().map(lot).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet::Header;

    fn read(columns: &[(&str, &str)]) -> Result<Brought, RowProblem> {
        let header = Header::of_members(columns.iter().map(|(name, _)| *name)).unwrap();
        let key = MemberKey::new("an installation's key of 32 bytes").unwrap();
        let cells = header.cells(columns.iter().map(|(_, cell)| *cell));
        read_opening(&cells, Source::Standard, &key, Currency::VND)
    }

    fn problem(column: &str, cell: &str) -> RowProblem {
        read(&[("phone", "0987654321"), (column, cell)]).unwrap_err()
    }

    #[test]
    fn a_row_is_a_member_and_what_they_begin_with() {
        let brought = read(&[
            ("Số điện thoại", "987654321"),
            ("Họ tên", "'=Lan"),
            ("Hạng", "Gold"),
            ("Điểm tích lũy", "150"),
            ("Lô điểm", "31/01/2027:50; never:100"),
            ("Điểm xét hạng", "800"),
            ("Tổng chi tiêu", "8000000"),
            ("Ngày tham gia", "05/03/2024"),
            ("Không nhận tin", "Promotional, care"),
        ]);
        let Brought { member_id, opening, opted_out } = brought.unwrap();
        assert_eq!(opted_out, [MessageKind::Promotional, MessageKind::Care]);
        assert_eq!(member_id.as_str(), "m_mqnvnqzgplencyw4wnacqowt52");
        assert_eq!(opening.profile.name.as_deref(), Some("=Lan"));
        assert_eq!(opening.legs, Legs::new(150, 800));
        assert_eq!(opening.joined_on, Some("2024-03-05".parse().unwrap()));
        let january = Lot { expiry: Expiry::On("2027-01-31".parse().unwrap()), points: 50 };
        assert_eq!(opening.expires, Expires::Lots(vec![january, Lot { expiry: Expiry::Never, points: 100 }]));
    }

    #[test]
    fn the_same_figures_have_the_same_fingerprint_whatever_the_person_is_called() {
        let one = read(&[("phone", "0987654321"), ("redeemable_points", "5"), ("name", "Lan")]).unwrap().opening.asked;
        let again =
            read(&[("phone", "+84987654321"), ("redeemable_points", "5"), ("name", "Hoa")]).unwrap().opening.asked;
        let other =
            read(&[("phone", "0987654321"), ("redeemable_points", "6"), ("name", "Lan")]).unwrap().opening.asked;
        assert_eq!(one, again);
        assert_eq!(one.request_id, other.request_id);
        assert_ne!(one.fingerprint, other.fingerprint);
    }

    #[test]
    fn what_is_not_certain_is_refused_and_not_repeated() {
        assert_eq!(read(&[("phone", ""), ("name", "Lan")]).unwrap_err(), RowProblem::Nobody);
        assert_eq!(read(&[("phone", "12")]).unwrap_err(), RowProblem::Phone);
        assert_eq!(read(&[("member_id", "m_x")]).unwrap_err(), RowProblem::MemberId);
        assert_eq!(problem("redeemable_points", "1.500"), RowProblem::WholeNumber("redeemable_points"));
        assert_eq!(problem("qualifying_points", "2000000000000"), RowProblem::TooLarge("qualifying_points"));
        assert_eq!(problem("joined_on", "05/13/2024"), RowProblem::Day("joined_on"));
        assert_eq!(problem("birthday", "1/1/90"), RowProblem::Day("birthday"));
        assert_eq!(problem("currency", "USD"), RowProblem::Currency("VND"));
        assert_eq!(problem("opted_out", "promotional, all"), RowProblem::Kinds);
        assert_eq!(problem("lots", "2027-01-31=5"), RowProblem::Lots);
        assert_eq!(problem("spent", "1.5E+06"), RowProblem::Amount("spent", AmountError::NotANumber));
        assert!(problem("spent", "530.000").to_string().starts_with("spent "));
        assert_eq!(problem("name", &"x".repeat(201)), RowProblem::TooLong("name", 200));
    }
}
