//! A sheet as Parquet: the columns of the CSV with their types, for whoever reads with DuckDB, pandas or Athena.
//!
//! A group of rows at a time is held in memory. The file gets its name when it is whole: what broke off leaves none.

use std::io::Write;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate};
use loyalty_contract::sheet::Column;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use crate::error::{Context, Result, StackError};

/// Rows of a group: some megabytes of memory.
const GROUP_ROWS: usize = 8_192;

/// Decimals of an amount of money: the most that a currency has.
const SCALE: usize = 4;

/// Digits of an amount of money: what 16 bytes hold, so that every sum of minor units fits.
const PRECISION: i32 = 38;

/// What stands in the cells of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    /// Points, counts and minor units: 64 bits.
    Number,
    /// A decimal of the row's currency.
    Money,
    Day,
    /// Microseconds, UTC.
    Instant,
}

/// The kind of a column, and whether every row has it.
fn kind(column: &str) -> (Kind, bool) {
    match column {
        "member_id" | "tier" | "currency" | "kind" | "reason" | "rule" | "tier_before" | "tier_after"
        | "programme_version" => (Kind::Text, true),
        "redeemable_points" | "qualifying_points" | "pending_points" | "orders_count" | "seq" | "redeemable"
        | "qualifying" | "redeemable_after" | "qualifying_after" => (Kind::Number, true),
        "cycle_orders" | "written_off_redeemable" | "written_off_qualifying" | "reverses" | "wallet_minor" => {
            (Kind::Number, false)
        }
        "spent" | "cycle_spent" | "wallet" => (Kind::Money, true),
        "tier_since" | "review_on" | "joined_on" => (Kind::Day, true),
        "birthday" | "points_expire_on" | "last_ordered_on" => (Kind::Day, false),
        "updated_at" | "recorded_at" | "occurred_at" => (Kind::Instant, true),
        _ => (Kind::Text, false),
    }
}

/// The cells of a column that wait for their group to be full.
enum Cells {
    Texts(Vec<ByteArray>),
    Numbers(Vec<i64>),
    Money(Vec<FixedLenByteArray>),
    Days(Vec<i32>),
}

struct Waiting {
    name: &'static str,
    kind: Kind,
    needed: bool,
    cells: Cells,
    /// 1 for a row that has a cell here, 0 for one that has none.
    present: Vec<i16>,
}

impl Waiting {
    fn of(column: &Column) -> Self {
        let (kind, needed) = kind(column.name);
        let cells = match kind {
            Kind::Text => Cells::Texts(Vec::new()),
            Kind::Number | Kind::Instant => Cells::Numbers(Vec::new()),
            Kind::Money => Cells::Money(Vec::new()),
            Kind::Day => Cells::Days(Vec::new()),
        };
        Self { name: column.name, kind, needed, cells, present: Vec::new() }
    }

    /// `None` when the text is not of the column's kind.
    fn push(&mut self, text: String) -> Option<()> {
        if text.is_empty() {
            self.present.push(0);
            return (!self.needed).then_some(());
        }
        match &mut self.cells {
            Cells::Texts(cells) => cells.push(text.into_bytes().into()),
            Cells::Numbers(cells) if self.kind == Kind::Instant => {
                cells.push(DateTime::parse_from_rfc3339(&text).ok()?.timestamp_micros());
            }
            Cells::Numbers(cells) => cells.push(text.parse().ok()?),
            Cells::Money(cells) => cells.push(unscaled(&text)?.to_be_bytes().to_vec().into()),
            Cells::Days(cells) => {
                let day: NaiveDate = text.parse().ok()?;
                cells.push(i32::try_from(day.signed_duration_since(NaiveDate::default()).num_days()).ok()?);
            }
        }
        self.present.push(1);
        Some(())
    }

    fn write(&mut self, mut to: SerializedColumnWriter<'_>) -> std::result::Result<(), ParquetError> {
        let present = (!self.needed).then_some(self.present.as_slice());
        match &mut self.cells {
            Cells::Texts(cells) => {
                to.typed::<ByteArrayType>().write_batch(cells, present, None)?;
                cells.clear();
            }
            Cells::Numbers(cells) => {
                to.typed::<Int64Type>().write_batch(cells, present, None)?;
                cells.clear();
            }
            Cells::Money(cells) => {
                to.typed::<FixedLenByteArrayType>().write_batch(cells, present, None)?;
                cells.clear();
            }
            Cells::Days(cells) => {
                to.typed::<Int32Type>().write_batch(cells, present, None)?;
                cells.clear();
            }
        }
        self.present.clear();
        to.close()
    }
}

/// A decimal as a number of its smallest parts: `-0.05` is -500 of them.
fn unscaled(decimal: &str) -> Option<i128> {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    if fraction.len() > SCALE { None } else { format!("{whole}{fraction:0<SCALE$}").parse().ok() }
}

fn field(title: &str, column: &Column) -> std::result::Result<TypePtr, ParquetError> {
    let (kind, needed) = kind(column.name);
    let (physical, logical) = match kind {
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Number => (Physical::INT64, None),
        Kind::Money => (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::decimal(SCALE as i32, PRECISION))),
        Kind::Day => (Physical::INT32, Some(LogicalType::Date)),
        Kind::Instant => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
    };
    let field = Type::primitive_type_builder(title, physical)
        .with_repetition(if needed { Repetition::REQUIRED } else { Repetition::OPTIONAL })
        .with_logical_type(logical);
    let field = if kind == Kind::Money {
        field.with_length(16).with_precision(PRECISION).with_scale(SCALE as i32)
    } else {
        field
    };
    field.build().map(Arc::new)
}

/// A sheet that is being written.
pub(super) struct Writer<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<Waiting>,
    rows: usize,
}

impl<W: Write + Send> Writer<W> {
    /// # Errors
    /// When nothing can be written.
    pub(super) fn new(to: W, columns: &[Column], title: impl Fn(&Column) -> &'static str) -> Result<Self> {
        let fields = columns.iter().map(|column| field(title(column), column)).collect::<std::result::Result<_, _>>();
        let schema = fields.and_then(|fields| Type::group_type_builder("sheet").with_fields(fields).build());
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let file = schema.and_then(|schema| SerializedFileWriter::new(to, Arc::new(schema), Arc::new(properties)));
        let file = file.context(|| "cannot begin the sheet".to_owned())?;
        Ok(Self { file, columns: columns.iter().map(Waiting::of).collect(), rows: 0 })
    }

    /// Takes a row, cell by cell as the CSV has them, but for apostrophes.
    ///
    /// # Errors
    /// When a cell is not what its column holds, or nothing can be written.
    pub(super) fn row(&mut self, cells: impl Iterator<Item = String>) -> Result<()> {
        for (column, text) in self.columns.iter_mut().zip(cells) {
            // What stands there may be personal.
            column.push(text).ok_or_else(|| {
                let (name, kind) = (column.name, column.kind);
                StackError::new(format!(
                    "the {name} of a row is missing or no {kind:?}: see `verify`, or export as CSV"
                ))
            })?;
        }
        self.rows += 1;
        if self.rows == GROUP_ROWS { self.group() } else { Ok(()) }
    }

    fn group(&mut self) -> Result<()> {
        let Self { file, columns, rows } = self;
        let write = || -> std::result::Result<(), ParquetError> {
            let mut group = file.next_row_group()?;
            for column in columns {
                let to = group.next_column()?;
                column.write(to.ok_or_else(|| ParquetError::General("there are too few columns".to_owned()))?)?;
            }
            group.close().map(|_| ())
        };
        *rows = 0;
        write().context(|| "cannot write the sheet".to_owned())
    }

    /// Writes what waits, and the end, without which nothing reads the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn finish(mut self) -> Result<W> {
        if self.rows > 0 {
            self.group()?;
        }
        self.file.into_inner().context(|| "cannot end the sheet".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use loyalty_contract::sheet::{MEMBERS, POINTS_HISTORY};
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    use std::fs::File;

    use super::*;

    fn number_of(field: &Field) -> Option<i64> {
        match field {
            Field::Long(number) => Some(*number),
            Field::Null => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rows_come_back_group_by_group_in_their_order() {
        let columns: Vec<Column> =
            POINTS_HISTORY.iter().filter(|column| ["seq", "reverses"].contains(&column.name)).copied().collect();
        let mut writer = Writer::new(Vec::new(), &columns, |column| column.name).unwrap();
        let rows = 2 * GROUP_ROWS + 1;
        for row in 0..rows {
            let reverses = if row % 3 == 0 { String::new() } else { (row * 7).to_string() };
            writer.row([row.to_string(), reverses].into_iter()).unwrap();
            // No more than a group waits.
            assert!(writer.rows < GROUP_ROWS && writer.columns[0].present.len() == writer.rows);
        }
        let file = SerializedFileReader::new(bytes_of(writer.finish().unwrap())).unwrap();
        assert_eq!(file.num_row_groups(), 3);
        let read: Vec<_> = file
            .get_row_iter(None)
            .unwrap()
            .map(|row| row.unwrap().get_column_iter().map(|(_, field)| number_of(field)).collect::<Vec<_>>())
            .collect();
        assert_eq!(read.len(), rows);
        for (row, read) in (0_i64..).zip(read) {
            assert_eq!(read, [Some(row), (row % 3 != 0).then_some(row * 7)]);
        }
    }

    fn bytes_of(written: Vec<u8>) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&written).unwrap();
        file
    }

    #[test]
    fn money_of_any_currency_is_exact() {
        assert_eq!(unscaled("8000000"), Some(80_000_000_000));
        assert_eq!(unscaled("-0.05"), Some(-500));
        assert_eq!(unscaled("1.2345"), Some(12_345));
        assert_eq!(unscaled("9223372036854775807"), Some(i128::from(i64::MAX) * 10_000));
        assert_eq!((unscaled("1.23456"), unscaled("many")), (None, None));
    }

    #[test]
    fn a_cell_that_is_not_what_its_column_holds_is_named_and_not_shown() {
        for (name, text) in [("joined_on", "31/01/2026"), ("orders_count", "x1"), ("spent", ""), ("updated_at", "noon")]
        {
            let column: Vec<Column> = MEMBERS.iter().filter(|column| column.name == name).copied().collect();
            let mut writer = Writer::new(Vec::new(), &column, |column| column.name).unwrap();
            let error = writer.row([text.to_owned()].into_iter()).unwrap_err().report();
            assert!(error.contains(name) && (text.is_empty() || !error.contains(text)), "{error}");
        }
    }
}
