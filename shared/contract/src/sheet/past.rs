//! One row of orders from before these books, as another system writes them down.

use chrono::{DateTime, NaiveDateTime, NaiveTime, Utc};
use chrono_tz::Tz;
use loyalty_domain::money::Currency;
use loyalty_domain::order::{OrderStatus, PaymentStatus};

use super::opening::{ID_CHARS_MAX, RowProblem, TEXT_CHARS_MAX, amount, text};
use super::{Cells, typed_cell};
use crate::phone::normalise;
use crate::queue::{CanonicalOrder, Customer, Source};

/// Why a row cannot be taken. It names the column and never repeats what stands there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PastProblem {
    #[error("{0}")]
    Row(#[from] RowProblem),
    #[error("{0} is empty")]
    Missing(&'static str),
    #[error("{0} is no time: 2026-11-30T08:15:00+07:00, 2026-11-30 08:15 or 30/11/2026")]
    Time(&'static str),
    #[error("status is one of pending, confirmed, shipping, delivered, cancelled, returned")]
    Status,
    #[error("payment_status is one of unpaid, partially_paid, paid, partially_refunded, refunded, voided")]
    Payment,
    #[error("{0} is below zero")]
    BelowZero(&'static str),
    #[error("order_id has another source in front")]
    OtherSource,
}

/// Reads a row. Times without an offset are of `zone`; a day alone is its beginning.
///
/// # Errors
/// [`PastProblem`], naming the column.
pub fn read_order(
    cells: &Cells<'_>,
    source: Source,
    currency: Currency,
    zone: Tz,
) -> Result<CanonicalOrder, PastProblem> {
    if cells.get("currency").is_some_and(|code| !code.eq_ignore_ascii_case(currency.code())) {
        return Err(RowProblem::Currency(currency.code()).into());
    }
    let order_id = text(cells, "order_id", ID_CHARS_MAX)?.ok_or(PastProblem::Missing("order_id"))?;
    let placed_at = time(cells, "placed_at", zone)?.ok_or(PastProblem::Missing("placed_at"))?;
    let phone =
        cells.get("phone").map(|cell| normalise(typed_cell(cell)).map_err(|_| RowProblem::Phone)).transpose()?;
    let id = text(cells, "customer_id", ID_CHARS_MAX)?;
    if phone.is_none() && id.is_none() {
        return Err(RowProblem::Nobody.into());
    }
    cells.get("amount_due").ok_or(PastProblem::Missing("amount_due"))?;
    let money = |name| match amount(cells, name, currency)? {
        minor if minor < 0 => Err(PastProblem::BelowZero(name)),
        minor => Ok(minor),
    };
    Ok(CanonicalOrder {
        source,
        order_id: own_id(order_id, source)?,
        placed_at,
        updated_at: time(cells, "updated_at", zone)?.unwrap_or(placed_at).max(placed_at),
        status: status(cells)?,
        payment_status: payment(cells)?,
        currency,
        due_minor: money("amount_due")?,
        shipping_minor: money("shipping_fee")?,
        refunded_minor: money("refunded")?,
        refunded_lines_minor: None,
        items_minor: None,
        items: Vec::new(),
        paid_with_points_minor: 0,
        paid_with_wallet_minor: 0,
        customer: Customer { id, phone, name: text(cells, "name", TEXT_CHARS_MAX)?, email: None, birthday: None },
        discount_codes: Vec::new(),
        store: None,
    })
}

/// The shop's own id, also where it is written as these books do: `standard:DH-1`.
fn own_id(order_id: String, source: Source) -> Result<String, PastProblem> {
    match order_id.split_once(':') {
        Some((prefix, own)) if prefix == source.as_str() => Ok(own.to_owned()),
        Some((prefix, _)) if Source::from_name(prefix).is_some() => Err(PastProblem::OtherSource),
        _ => Ok(order_id),
    }
}

fn status(cells: &Cells<'_>) -> Result<OrderStatus, PastProblem> {
    Ok(match cells.get("status").ok_or(PastProblem::Missing("status"))?.to_lowercase().as_str() {
        "pending" => OrderStatus::Pending,
        "confirmed" => OrderStatus::Confirmed,
        "shipping" => OrderStatus::Shipping,
        "delivered" | "đã giao" => OrderStatus::Delivered,
        "cancelled" | "đã hủy" | "đã huỷ" => OrderStatus::Cancelled,
        "returned" => OrderStatus::Returned,
        _ => return Err(PastProblem::Status),
    })
}

fn payment(cells: &Cells<'_>) -> Result<PaymentStatus, PastProblem> {
    Ok(match cells.get("payment_status").ok_or(PastProblem::Missing("payment_status"))?.to_lowercase().as_str() {
        "unpaid" => PaymentStatus::Unpaid,
        "partially_paid" => PaymentStatus::PartiallyPaid,
        "paid" | "đã thanh toán" => PaymentStatus::Paid,
        "partially_refunded" => PaymentStatus::PartiallyRefunded,
        "refunded" => PaymentStatus::Refunded,
        "voided" => PaymentStatus::Voided,
        _ => return Err(PastProblem::Payment),
    })
}

fn time(cells: &Cells<'_>, name: &'static str, zone: Tz) -> Result<Option<DateTime<Utc>>, PastProblem> {
    cells.get(name).map(|cell| instant(cell, zone).ok_or(PastProblem::Time(name))).transpose()
}

fn instant(cell: &str, zone: Tz) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(cell) {
        return Some(at.with_timezone(&Utc));
    }
    let clocks = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M"];
    let clock = clocks.iter().find_map(|format| NaiveDateTime::parse_from_str(cell, format).ok());
    let day = || super::opening::plain_day(cell).map(|day| day.and_time(NaiveTime::MIN));
    let local = clock.or_else(day)?.and_local_timezone(zone);
    local.earliest().map(|at| at.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet::{Header, HeaderError};

    fn read(columns: &[(&str, &str)]) -> Result<CanonicalOrder, PastProblem> {
        let usual = [
            ("order_id", "DH-1"),
            ("placed_at", "30/11/2026 08:15"),
            ("status", "delivered"),
            ("payment_status", "paid"),
            ("amount_due", "530000"),
            ("phone", "0901234567"),
        ];
        let changed = |name: &str| columns.iter().find(|(known, _)| *known == name).map(|(_, cell)| *cell);
        let rest = columns.iter().filter(|(name, _)| usual.iter().all(|(known, _)| known != name));
        let all: Vec<_> =
            usual.iter().map(|(name, cell)| (*name, changed(name).unwrap_or(cell))).chain(rest.copied()).collect();
        let header = Header::of_orders(all.iter().map(|(name, _)| *name)).unwrap();
        let cells = header.cells(all.iter().map(|(_, cell)| *cell));
        read_order(&cells, Source::Standard, Currency::VND, chrono_tz::Asia::Ho_Chi_Minh)
    }

    #[test]
    fn a_row_is_an_order_at_its_own_time() {
        let order = read(&[("shipping_fee", "30000"), ("status", "Đã giao")]).unwrap();
        assert_eq!(order.placed_at, "2026-11-30T01:15:00Z".parse::<DateTime<Utc>>().unwrap());
        assert_eq!((order.updated_at, order.due_minor, order.shipping_minor), (order.placed_at, 530_000, 30_000));
        assert_eq!(order.status, OrderStatus::Delivered);
        assert_eq!(read(&[("order_id", "standard:DH-1")]).unwrap().order_id, "DH-1");
    }

    #[test]
    fn what_is_not_certain_is_refused_by_name() {
        assert_eq!(read(&[("placed_at", "1795000000")]).unwrap_err(), PastProblem::Time("placed_at"));
        assert_eq!(read(&[("status", "done")]).unwrap_err(), PastProblem::Status);
        assert_eq!(read(&[("payment_status", "")]).unwrap_err(), PastProblem::Missing("payment_status"));
        assert_eq!(read(&[("phone", "")]).unwrap_err(), RowProblem::Nobody.into());
        assert_eq!(read(&[("refunded", "-1")]).unwrap_err(), PastProblem::BelowZero("refunded"));
        assert_eq!(read(&[("order_id", "haravan:1")]).unwrap_err(), PastProblem::OtherSource);
        assert_eq!(Header::of_orders(["order_id", "phone"].into_iter()), Err(HeaderError::Missing("placed_at")));
    }
}
