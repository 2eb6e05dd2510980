//! The two Data Hub sheets as files (C11): their columns, and members as another system writes them down.
//!
//! One list of columns serves reading and writing, so that what is exported can be imported. Every column has a name of
//! ours and a Vietnamese one; spreadsheets write either, in any case and any spelling of the accents.

mod opening;
mod past;
mod person;

use loyalty_domain::money::Currency;

pub use opening::{Brought, RowProblem, member_id, read_opening};
pub use past::{PastProblem, read_order};
pub use person::{safe_cell, typed_cell};

/// A column of a sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Column {
    pub name: &'static str,
    pub vietnamese: &'static str,
}

const fn column(name: &'static str, vietnamese: &'static str) -> Column {
    Column { name, vietnamese }
}

/// Bảng Thông tin tích điểm: where each member stands.
pub const MEMBERS: [Column; 24] = [
    column("member_id", "Mã thành viên"),
    column("phone", "Số điện thoại"),
    column("customer_id", "Mã khách hàng"),
    column("name", "Họ tên"),
    column("email", "Email"),
    column("birthday", "Ngày sinh"),
    column("tier", "Hạng"),
    column("tier_since", "Ngày lên hạng"),
    column("review_on", "Ngày xét hạng"),
    column("redeemable_points", "Điểm tích lũy"),
    column("points_expire_on", "Điểm hết hạn ngày"),
    column("lots", "Lô điểm"),
    column("qualifying_points", "Điểm xét hạng"),
    column("pending_points", "Điểm chờ"),
    column("spent", "Tổng chi tiêu"),
    column("orders_count", "Số đơn hàng"),
    column("cycle_spent", "Chi tiêu trong kỳ"),
    column("cycle_orders", "Số đơn trong kỳ"),
    column("wallet", "Ví"),
    column("currency", "Tiền tệ"),
    column("last_ordered_on", "Ngày mua gần nhất"),
    column("joined_on", "Ngày tham gia"),
    column("opted_out", "Không nhận tin"),
    column("updated_at", "Cập nhật lúc"),
];

/// Bảng Lịch sử tích điểm: every movement.
pub const POINTS_HISTORY: [Column; 23] = [
    column("member_id", "Mã thành viên"),
    column("seq", "Số thứ tự"),
    column("recorded_at", "Ghi nhận lúc"),
    column("occurred_at", "Xảy ra lúc"),
    column("kind", "Loại"),
    column("reason", "Lý do"),
    column("rule", "Quy tắc"),
    column("order_id", "Mã đơn hàng"),
    column("redeemable", "Điểm tích lũy"),
    column("qualifying", "Điểm xét hạng"),
    column("redeemable_after", "Điểm tích lũy sau"),
    column("qualifying_after", "Điểm xét hạng sau"),
    column("written_off_redeemable", "Điểm tích lũy xóa nợ"),
    column("written_off_qualifying", "Điểm xét hạng bỏ qua"),
    column("lots", "Lô điểm"),
    column("tier_before", "Hạng trước"),
    column("tier_after", "Hạng sau"),
    column("reverses", "Đảo dòng"),
    column("wallet_minor", "Ví thay đổi"),
    column("operator", "Người điều chỉnh"),
    column("operator_subject", "Tài khoản điều chỉnh"),
    column("note", "Ghi chú"),
    column("programme_version", "Phiên bản chương trình"),
];

/// Orders from before these books.
pub const ORDERS: [Column; 12] = [
    column("order_id", "Mã đơn hàng"),
    column("placed_at", "Ngày đặt"),
    column("updated_at", "Cập nhật lúc"),
    column("status", "Trạng thái"),
    column("payment_status", "Thanh toán"),
    column("amount_due", "Số tiền cần thanh toán"),
    column("shipping_fee", "Phí vận chuyển"),
    column("refunded", "Đã hoàn"),
    column("currency", "Tiền tệ"),
    column("phone", "Số điện thoại"),
    column("customer_id", "Mã khách hàng"),
    column("name", "Họ tên"),
];

/// The currency of a code on a row; `None` for one that there is not.
pub fn currency(code: &str) -> Option<Currency> {
    Currency::from_code(code)
}

/// Columns an import of members does not take over: pending points belong to an order, and the rest follows from other columns.
const NOT_TAKEN: [&str; 3] = ["review_on", "pending_points", "updated_at"];

/// Columns of the file of rejects, in front of the others.
const OF_REJECTS: [&str; 2] = ["line", "reason"];

/// Other names that spreadsheets give the columns of members.
const ALSO_CALLED: [(&str, &str); 14] = [
    ("sđt", "phone"),
    ("sdt", "phone"),
    ("điện thoại", "phone"),
    ("tên", "name"),
    ("tên khách hàng", "name"),
    ("họ và tên", "name"),
    ("hạng thành viên", "tier"),
    ("e-mail", "email"),
    ("điểm tích luỹ", "redeemable_points"),
    ("điểm thưởng", "redeemable_points"),
    ("điểm thành viên", "qualifying_points"),
    ("ngày hết hạn điểm", "points_expire_on"),
    ("chi tiêu", "spent"),
    ("số đơn", "orders_count"),
];

/// What a file's header says, column by column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The column of ours that each column of the file is; `None` for one that is not taken over.
    columns: Vec<Option<&'static str>>,
    /// Columns of the sheet that follow from others and are not taken over, as the file writes them.
    pub derived: Vec<String>,
    /// What no column is called, as the file writes it.
    pub unknown: Vec<String>,
}

/// A header nothing can be read by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error("two columns are called {0:?}")]
    Twice(&'static str),
    #[error("no column says who a row is about: phone, customer_id or member_id is needed")]
    Nobody,
    #[error("there is no column {0}")]
    Missing(&'static str),
}

impl Header {
    /// # Errors
    /// [`HeaderError`] when a column stands there twice or nothing names a member.
    pub fn of_members<'a>(cells: impl Iterator<Item = &'a str>) -> Result<Self, HeaderError> {
        Self::of(cells, &MEMBERS, &NOT_TAKEN)
    }

    /// # Errors
    /// [`HeaderError`] when a column stands there twice, nothing names a customer, or a figure is missing that every order
    /// has.
    pub fn of_orders<'a>(cells: impl Iterator<Item = &'a str>) -> Result<Self, HeaderError> {
        let header = Self::of(cells, &ORDERS, &[])?;
        let needed = ["order_id", "placed_at", "status", "payment_status", "amount_due"];
        match needed.into_iter().find(|name| !header.columns.contains(&Some(name))) {
            Some(missing) => Err(HeaderError::Missing(missing)),
            None => Ok(header),
        }
    }

    fn of<'a>(cells: impl Iterator<Item = &'a str>, sheet: &[Column], not_taken: &[&str]) -> Result<Self, HeaderError> {
        let (mut columns, mut derived, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for cell in cells {
            let known = called(cell, sheet);
            if let Some(name) = known
                && columns.contains(&Some(name))
            {
                return Err(HeaderError::Twice(name));
            }
            let taken = known.filter(|name| !not_taken.contains(name));
            let written = cell.trim();
            match known {
                Some(_) if taken.is_none() => derived.push(written.to_owned()),
                None if !written.is_empty() && !OF_REJECTS.contains(&written) => unknown.push(written.to_owned()),
                _ => {}
            }
            columns.push(taken);
        }
        let names = |name| columns.contains(&Some(name));
        if !names("phone") && !names("customer_id") && !names("member_id") {
            return Err(HeaderError::Nobody);
        }
        Ok(Self { columns, derived, unknown })
    }

    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// The cells of a row by the names of their columns; blank ones are left out.
    pub fn cells<'a>(&self, row: impl Iterator<Item = &'a str>) -> Cells<'a> {
        let named = self.columns.iter().zip(row);
        Cells(
            named
                .filter_map(|(name, cell)| Some(((*name)?, cell.trim())))
                .filter(|(_, cell)| !cell.is_empty())
                .collect(),
        )
    }
}

/// The cells of one row.
#[derive(Clone, Debug)]
pub struct Cells<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Cells<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, cell)| *cell)
    }
}

/// Which of the columns a header's cell is.
fn called(cell: &str, columns: &[Column]) -> Option<&'static str> {
    use unicode_normalization::UnicodeNormalization as _;
    let cell: String = cell.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').nfc().collect();
    let cell = cell.to_lowercase();
    let ours = columns.iter().find(|column| column.name == cell || column.vietnamese.to_lowercase() == cell);
    let named = |ours: &str| columns.iter().any(|column| column.name == ours);
    let other = || ALSO_CALLED.iter().find(|(name, ours)| *name == cell && named(ours)).map(|(_, ours)| *ours);
    ours.map(|column| column.name).or_else(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_in_both_languages_and_any_spelling() {
        let decomposed = "Số điê\u{323}n thoại";
        let cells = [decomposed, "ĐIỂM TÍCH LUỸ", "Họ tên", "Ghi chú", "", "Điểm chờ", "reason"];
        let header = Header::of_members(cells.into_iter()).unwrap();
        assert_eq!(header.columns[..4], [Some("phone"), Some("redeemable_points"), Some("name"), None]);
        assert_eq!(header.columns[4..], [None, None, None]);
        assert_eq!(
            (&header.unknown[..], &header.derived[..]),
            (&["Ghi chú".to_owned()][..], &["Điểm chờ".to_owned()][..])
        );
        let cells = header.cells(["0901234567", " 12 ", "", "x", ""].into_iter());
        assert_eq!(
            (cells.get("phone"), cells.get("redeemable_points"), cells.get("name")),
            (Some("0901234567"), Some("12"), None)
        );
    }

    #[test]
    fn a_header_that_names_nobody_or_a_column_twice_is_refused() {
        assert_eq!(Header::of_members(["name", "tier"].into_iter()), Err(HeaderError::Nobody));
        assert_eq!(Header::of_members(["phone", "SĐT"].into_iter()), Err(HeaderError::Twice("phone")));
    }

    #[test]
    fn every_column_has_two_names_of_its_own() {
        for sheet in [&MEMBERS[..], &POINTS_HISTORY[..], &ORDERS[..]] {
            for (at, column) in sheet.iter().enumerate() {
                let same = |other: &Column| other.name == column.name || other.vietnamese == column.vietnamese;
                assert!(!sheet[..at].iter().any(same), "{}", column.name);
            }
        }
    }
}
