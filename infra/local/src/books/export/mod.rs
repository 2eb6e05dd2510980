//! `export`: the two Data Hub sheets as CSV (C11) or Parquet, page by page, in whatever memory there is.
//!
//! What is written is what stands on the rows, in the columns that an import reads. It holds personal data: a file is
//! made for its owner alone.

mod parquet;

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aws_sdk_dynamodb::Client;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::ValueEnum;
use loyalty_audit::{Row, Table, Value};
use loyalty_contract::sheet::{Column, MEMBERS, POINTS_HISTORY, safe_cell};
use tempfile::NamedTempFile;

use crate::error::{Context, Result, StackError};
use crate::progress;
use crate::tables::{TablesArgs, client, scan};

/// What to export, and how.
#[derive(Clone, Debug, clap::Args)]
pub struct ExportArgs {
    #[arg(value_enum)]
    pub sheet: Sheet,
    /// Names of the columns: vi as in the Data Hub sheets, or en; `import members` reads both
    #[arg(long, value_enum, default_value_t = Headers::En)]
    pub headers: Headers,
    /// csv or parquet; without it, parquet where the output's name ends so, and else csv
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Where to write; without it, to the terminal, which takes no Parquet
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Csv,
    /// With types, and without the apostrophes that keep a spreadsheet from running a cell as a formula
    Parquet,
}

impl ExportArgs {
    fn format(&self) -> Format {
        let ending = self.output.as_ref().and_then(|path| path.extension());
        let parquet = ending.is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"));
        self.format.unwrap_or(if parquet { Format::Parquet } else { Format::Csv })
    }

    fn title(&self, column: &Column) -> &'static str {
        if self.headers == Headers::Vi { column.vietnamese } else { column.name }
    }
}

impl Sheet {
    fn columns(self) -> &'static [Column] {
        match self {
            Self::Members => &MEMBERS,
            Self::PointsHistory => &POINTS_HISTORY,
        }
    }
}

fn zone(name: &str) -> std::result::Result<Tz, String> {
    name.parse().map_err(|_| "a time zone, such as Asia/Ho_Chi_Minh".to_owned())
}

/// Exports, and says how many rows there were.
///
/// # Errors
/// When the table cannot be read or the file not be written.
pub async fn run(args: &ExportArgs) -> Result<ExitCode> {
    let rows = match (args.format(), &args.output) {
        (Format::Parquet, Some(path)) => export_parquet(args, path).await?,
        (Format::Parquet, None) => return Err(StackError::new("say with --output where the Parquet file is to be")),
        (Format::Csv, Some(path)) => export_csv(args, path).await?,
        (Format::Csv, None) => export(args, std::io::stdout().lock()).await?,
    };
    eprintln!("{rows} rows");
    Ok(ExitCode::SUCCESS)
}

/// Writes a sheet as CSV; how many rows it has.
///
/// # Errors
/// As [`run`].
pub async fn export(args: &ExportArgs, output: impl Write) -> Result<u64> {
    let about = || "cannot write the sheet".to_owned();
    let columns = args.sheet.columns();
    let mut writer = csv::Writer::from_writer(output);
    writer.write_record(columns.iter().map(|column| args.title(column))).context(about)?;
    let guarded = |column: &Column, row: &Row| {
        let text = cell(column.name, row, args.time_zone);
        if of_people(column.name) { safe_cell(&text).into_owned() } else { text }
    };
    let rows =
        each_row(args, |row| writer.write_record(columns.iter().map(|column| guarded(column, row))).context(about));
    let rows = rows.await?;
    writer.flush().context(about)?;
    Ok(rows)
}

async fn export_csv(args: &ExportArgs, path: &Path) -> Result<u64> {
    let file = beside(path)?;
    let mut writer = std::io::BufWriter::new(file.as_file());
    // Spreadsheets take a file without this mark for one of the machine's old code page.
    writer.write_all("\u{feff}".as_bytes()).context(|| format!("cannot write {}", path.display()))?;
    let rows = export(args, writer).await?;
    whole(file, path)?;
    Ok(rows)
}

async fn export_parquet(args: &ExportArgs, path: &Path) -> Result<u64> {
    let columns = args.sheet.columns();
    let mut writer = parquet::Writer::new(beside(path)?, columns, |column| args.title(column))?;
    let rows = each_row(args, |row| writer.row(columns.iter().map(|column| cell(column.name, row, args.time_zone))));
    let rows = rows.await?;
    whole(writer.finish()?, path)?;
    Ok(rows)
}

/// A file for its owner alone, beside the place where it is to be.
///
/// # Errors
/// When there cannot be one, or something stands there that is no file.
fn beside(path: &Path) -> Result<NamedTempFile> {
    let about = || format!("cannot write {}", path.display());
    if std::fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(StackError::new(format!("{}: something is there that is no file", about())));
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::Builder::new().prefix(".export-").suffix(".part").tempfile_in(directory).context(about)
}

/// Gives a whole file its name, in place of what had it.
///
/// # Errors
/// When the disk does not take it.
fn whole(file: NamedTempFile, path: &Path) -> Result<File> {
    let about = || format!("cannot write {}", path.display());
    file.as_file().sync_all().context(about)?;
    file.persist(path).context(about)
}

/// Which kinds of messages members do not want, by their ids: it stands with how they are reached, and few say it.
async fn opted_out(client: &Client, args: &ExportArgs) -> Result<HashMap<String, String>> {
    let mut all = HashMap::new();
    scan(client, &args.tables, Table::Contacts, |row| {
        let kinds = match row.get("opted_out") {
            Some(Value::L(kinds)) => kinds.iter().filter_map(written).collect::<Vec<_>>().join(" "),
            _ => String::new(),
        };
        if let Some(member_id) = text(&row, "member_id").filter(|_| !kinds.is_empty()) {
            all.insert(member_id, kinds);
        }
    })
    .await?;
    Ok(all)
}

/// Goes through the rows of a sheet; how many there are.
async fn each_row(args: &ExportArgs, mut write: impl FnMut(&Row) -> Result<()>) -> Result<u64> {
    let table = match args.sheet {
        Sheet::Members => Table::Members,
        Sheet::PointsHistory => Table::PointsHistory,
    };
    let bar = progress::bar("export", None, "{spinner} {pos} rows, {per_sec}");
    let client = client(&args.tables).await;
    let mut opted_out = match args.sheet {
        Sheet::Members => opted_out(&client, args).await?,
        Sheet::PointsHistory => HashMap::new(),
    };
    let mut written = Ok(());
    scan(&client, &args.tables, table, |mut row| {
        if let Some(kinds) = text(&row, "member_id").and_then(|member_id| opted_out.remove(&member_id)) {
            row.insert("opted_out", Value::S(kinds.into()));
        }
        // Whoever has joined another stands where that one does.
        let stands = args.sheet != Sheet::Members || !row.contains_key("merged");
        if written.is_ok() && stands {
            written = write(&row);
            bar.inc(1);
        }
    })
    .await?;
    written?;
    let rows = bar.position();
    bar.finish_and_clear();
    Ok(rows)
}

/// Whether people write what stands in a column: a spreadsheet might run it.
fn of_people(column: &str) -> bool {
    matches!(column, "phone" | "name" | "email" | "operator" | "operator_subject" | "note" | "order_id")
}

/// What stands in a column of a row; nothing where the row says nothing.
fn cell(column: &str, row: &Row, zone: Tz) -> String {
    match column {
        "phone" => text(row, "phone").map_or_else(String::new, |digits| phone(&digits)),
        "tier_since" | "joined_on" | "last_ordered_on" => day(row, column, zone),
        "spent" | "cycle_spent" | "wallet" => money(row, column),
        "updated_at" => text(row, "as_of").unwrap_or_default(),
        "lots" => lots(row),
        "redeemable_after" | "qualifying_after" => part(row, "balance_after", column),
        "written_off_redeemable" | "written_off_qualifying" => part(row, "written_off", column),
        "wallet_minor" => inner(row, "wallet", "moved_minor").unwrap_or_default(),
        "operator" => inner(row, "note", "operator").unwrap_or_default(),
        "operator_subject" => inner(row, "note", "subject").unwrap_or_default(),
        "note" => inner(row, "note", "text").unwrap_or_default(),
        _ => text(row, column).unwrap_or_default(),
    }
}

fn text(row: &Row, name: &str) -> Option<String> {
    written(row.get(name)?)
}

fn written(value: &Value) -> Option<String> {
    match value {
        Value::S(text) | Value::N(text) => Some(text.to_string()),
        _ => None,
    }
}

/// As people write it: `0901234567`, and with its plus sign where it is of another country.
fn phone(digits: &str) -> String {
    match digits.strip_prefix("84") {
        Some(national) => format!("0{national}"),
        None => format!("+{digits}"),
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
