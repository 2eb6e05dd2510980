//! `export`: the two Data Hub sheets as CSV (C11), page by page, in whatever memory there is.
//!
//! What is written is what stands on the rows, in the columns that an import reads. It holds personal data: a file is
//! made for its owner alone.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use loyalty_audit::{Row, Table, Value};
use loyalty_contract::sheet::{Column, MEMBERS, POINTS_HISTORY, safe_cell};

use crate::error::{Context, Result};
use crate::tables::{TablesArgs, client, scan};

/// What to export, and how.
#[derive(Clone, Debug, clap::Args)]
pub struct ExportArgs {
    #[arg(value_enum)]
    pub sheet: Sheet,
    /// Names of the columns: vi as in the Data Hub sheets, or en; `import members` reads both
    #[arg(long, value_enum, default_value_t = Headers::En)]
    pub headers: Headers,
    /// Where to write; without it, to the terminal
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Whose days the columns of days are
    #[arg(long, value_name = "ZONE", default_value = "Asia/Ho_Chi_Minh", value_parser = zone)]
    pub time_zone: Tz,
    #[command(flatten)]
    pub tables: TablesArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sheet {
    /// Bảng Thông tin tích điểm: one row for each member
    Members,
    /// Bảng Lịch sử tích điểm: one row for each movement
    PointsHistory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Headers {
    En,
    Vi,
}

fn zone(name: &str) -> std::result::Result<Tz, String> {
    name.parse().map_err(|_| "a time zone, such as Asia/Ho_Chi_Minh".to_owned())
}

/// Exports, and says how many rows there were.
///
/// # Errors
/// When the table cannot be read or the file not be written.
pub async fn run(args: &ExportArgs) -> Result<ExitCode> {
    let rows = match &args.output {
        Some(path) => {
            let about = || format!("cannot write {}", path.display());
            let file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).context(about)?;
            // Spreadsheets take a file without this mark for one of the machine's old code page.
            let mut file = std::io::BufWriter::new(file);
            file.write_all("\u{feff}".as_bytes()).context(about)?;
            export(args, file).await?
        }
        None => export(args, std::io::stdout().lock()).await?,
    };
    eprintln!("{rows} rows");
    Ok(ExitCode::SUCCESS)
}

/// Writes a sheet; how many rows it has.
///
/// # Errors
/// As [`run`].
pub async fn export(args: &ExportArgs, output: impl Write) -> Result<u64> {
    let (table, columns): (_, &[Column]) = match args.sheet {
        Sheet::Members => (Table::Members, &MEMBERS),
        Sheet::PointsHistory => (Table::PointsHistory, &POINTS_HISTORY),
    };
    let about = || "cannot write the sheet".to_owned();
    let mut writer = csv::Writer::from_writer(output);
    let title = |column: &Column| if args.headers == Headers::Vi { column.vietnamese } else { column.name };
    writer.write_record(columns.iter().map(title)).context(about)?;
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} rows, {per_sec}") {
        bar.set_style(style);
    }
    let mut written = Ok(());
    scan(&client(&args.tables).await, &args.tables, table, |row| {
        // Whoever has joined another stands where that one does.
        let stands = args.sheet != Sheet::Members || !row.contains_key("merged");
        if written.is_ok() && stands {
            written = writer.write_record(columns.iter().map(|column| cell(column.name, &row, args.time_zone)));
            bar.inc(1);
        }
    })
    .await?;
    written.context(about)?;
    writer.flush().context(about)?;
    let rows = bar.position();
    bar.finish_and_clear();
    Ok(rows)
}

/// What stands in a column of a row; nothing where the row says nothing.
fn cell(column: &str, row: &Row, zone: Tz) -> String {
    match column {
        "phone" => text(row, "phone").map_or_else(String::new, |digits| phone(&digits)),
        "name" | "email" => text(row, column).map_or_else(String::new, |text| safe_cell(&text).into_owned()),
        "tier_since" | "joined_on" | "last_ordered_on" => day(row, column, zone),
        "spent" | "cycle_spent" | "wallet" => money(row, column),
        "updated_at" => text(row, "as_of").unwrap_or_default(),
        "lots" => lots(row),
        "redeemable_after" | "qualifying_after" => part(row, "balance_after", column),
        "written_off_redeemable" | "written_off_qualifying" => part(row, "written_off", column),
        "wallet_minor" => inner(row, "wallet", "moved_minor").unwrap_or_default(),
        "operator" => inner(row, "note", "operator").map_or_else(String::new, |text| safe_cell(&text).into_owned()),
        "operator_subject" => {
            inner(row, "note", "subject").map_or_else(String::new, |text| safe_cell(&text).into_owned())
        }
        "note" => inner(row, "note", "text").map_or_else(String::new, |text| safe_cell(&text).into_owned()),
        "order_id" => text(row, column).map_or_else(String::new, |text| safe_cell(&text).into_owned()),
        _ => text(row, column).unwrap_or_default(),
    }
}

fn text(row: &Row, name: &str) -> Option<String> {
    match row.get(name)? {
        Value::S(text) | Value::N(text) => Some(text.to_string()),
        _ => None,
    }
}

/// As people write it: `0901234567`, and with its plus sign where it is of another country.
fn phone(digits: &str) -> String {
    match digits.strip_prefix("84") {
        Some(national) => format!("0{national}"),
        None => safe_cell(&format!("+{digits}")).into_owned(),
    }
}

fn day(row: &Row, column: &str, zone: Tz) -> String {
    let name = match column {
        "joined_on" => "activated_at",
        "last_ordered_on" => "last_ordered_at",
        same => same,
    };
    let at = text(row, name).and_then(|at| DateTime::parse_from_rfc3339(&at).ok());
    at.map_or_else(String::new, |at| at.with_timezone(&Utc).with_timezone(&zone).date_naive().to_string())
}

/// A decimal of the row's currency.
fn money(row: &Row, column: &str) -> String {
    let minor = text(row, &format!("{column}_minor")).and_then(|minor| minor.parse().ok()).unwrap_or(0);
    let currency = text(row, "currency").and_then(|code| loyalty_contract::sheet::currency(&code));
    currency.map_or_else(String::new, |currency| currency.decimal(minor))
}

/// `2027-01-31:50;never:10`: a member's row has its lots by day, an entry's as it moved them.
fn lots(row: &Row) -> String {
    let lots: Vec<String> = match row.get("lots") {
        Some(Value::M(days)) => {
            days.iter().filter_map(|(day, _)| Some(format!("{day}:{}", text(days, day)?))).collect()
        }
        Some(Value::L(lots)) => lots.iter().filter_map(moved_lot).collect(),
        _ => Vec::new(),
    };
    lots.join(";")
}

fn moved_lot(lot: &Value) -> Option<String> {
    let Value::M(lot) = lot else { return None };
    Some(format!("{}:{}", text(lot, "expires_on")?, text(lot, "points")?))
}

/// One leg of a pair of points.
fn part(row: &Row, pair: &str, column: &str) -> String {
    let leg = if column.contains("redeemable") { "redeemable" } else { "qualifying" };
    inner(row, pair, leg).unwrap_or_default()
}

fn inner(row: &Row, map: &str, name: &str) -> Option<String> {
    match row.get(map)? {
        Value::M(inner) => text(inner, name),
        _ => None,
    }
}
