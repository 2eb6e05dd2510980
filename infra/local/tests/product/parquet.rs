//! The sheets as Parquet: cell by cell what the CSV says, with types.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::path::Path;

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::{DateTime, Duration, NaiveDate};
use loyalty_contract::sheet::typed_cell;
use parquet::basic::Repetition;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Value, json};
use thang_hang::Stack;
use thang_hang::books::export::{ExportArgs, Format, Headers, Sheet, run};
use thang_hang::tables::client;

use crate::books::{books, exported, imported, stack};

const MEMBERS: &str = "\
phone,name,email,birthday,tier,redeemable_points,lots,qualifying_points,spent,orders_count,wallet,joined_on,last_ordered_on,opted_out
0901234567,=Lan,lan@example.com,1990-05-20,Gold,150,2027-01-31:50;never:100,800,8000000,12,40000,2025-03-05,2026-10-01,Promotional care
+6591234567,'@Tan,,,,-20,,10,100000,1,,2026-10-20,,
";

/// What rows may say, and these members' do not: an amount with decimals, below zero; an adjustment of an operator.
fn odd_rows() -> [(&'static str, Value); 2] {
    let member = json!({"member_id": "m-usd", "tier": "member", "tier_since": "2026-11-01T16:59:59.999Z",
        "activated_at": "2026-11-01T17:00:00.000Z", "review_on": "2027-11-01", "redeemable_points": 0,
        "qualifying_points": 0, "pending_points": 7, "spent_minor": 2_935, "cycle_spent_minor": 1, "wallet_minor": -5,
        "cycle_orders": 1, "orders_count": 1, "currency": "USD", "as_of": "2026-11-23T01:15:10.123Z", "lots": {},
        "points_expire_on": "2027-10-31", "customer_id": "KH-7"});
    let entry = json!({"member_id": "m-usd", "seq": 9_007_199_254_740_993_i64, "kind": "reversal", "reason": "adjusted_by_operator",
        "rule": "manual", "order_id": "-1001", "redeemable": -3, "qualifying": -2,
        "balance_after": {"redeemable": -3, "qualifying": 0}, "written_off": {"redeemable": 1, "qualifying": 2},
        "lots": [{"expires_on": "never", "points": -3}], "tier_before": "gold", "tier_after": "member", "reverses": 1,
        "wallet": {"moved_minor": -5, "after_minor": -5}, "programme_version": "v1",
        "note": {"operator": "+Hoa", "subject": "@sub", "text": "'=đổi trả"},
        "occurred_at": "2026-11-23T01:15:10.123Z", "recorded_at": "2026-11-23T01:15:11.200Z"});
    [("members", member), ("points-history", entry)]
}

fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Array(values) => AttributeValue::L(values.iter().map(attribute).collect()),
        Value::Object(values) => AttributeValue::M(attributes(values.iter())),
        number => AttributeValue::N(number.to_string()),
    }
}

fn attributes<'a>(values: impl Iterator<Item = (&'a String, &'a Value)>) -> HashMap<String, AttributeValue> {
    values.map(|(name, value)| (name.clone(), attribute(value))).collect()
}

async fn put(stack: &Stack, table: &str, row: &Value) {
    let tables = books(stack).tables;
    let put = client(&tables).await.put_item().table_name(format!("{}{table}", tables.table_prefix));
    put.set_item(Some(attributes(row.as_object().expect("a row").iter()))).send().await.expect("it is put");
}

fn arguments(stack: &Stack, sheet: Sheet, headers: Headers, path: &Path) -> ExportArgs {
    ExportArgs {
        sheet,
        headers,
        format: None,
        output: Some(path.to_owned()),
        time_zone: chrono_tz::Asia::Ho_Chi_Minh,
        tables: books(stack).tables,
    }
}

/// A cell of the Parquet file as the CSV writes it.
fn as_text(field: &Field) -> String {
    match field {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        Field::Long(number) => number.to_string(),
        Field::Date(days) => (NaiveDate::default() + Duration::days((*days).into())).to_string(),
        Field::TimestampMicros(at) => {
            let at = DateTime::from_timestamp_micros(*at).expect("a time");
            at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
        }
        decimal @ Field::Decimal(_) => {
            let text = decimal.to_string();
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        other => panic!("{other:?}"),
    }
}

/// The decimals that a currency has and this amount does not need are no difference.
fn amount(text: &str) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
}

const MONEY: [&str; 3] = ["spent", "cycle_spent", "wallet"];

/// Exports a sheet both ways and compares; how many rows there are, and which columns no row fills.
async fn alike(stack: &Stack, sheet: Sheet, headers: Headers, path: &Path) -> (usize, BTreeSet<String>) {
    let csv = exported(stack, sheet, headers).await;
    run(&arguments(stack, sheet, headers, path)).await.unwrap_or_else(|error| panic!("{}", error.report()));
    let file = SerializedFileReader::new(File::open(path).expect("a file")).expect("a Parquet file");
    let titles: Vec<String> =
        file.metadata().file_metadata().schema().get_fields().iter().map(|field| field.name().to_owned()).collect();
    let mut csv = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(csv.headers().expect("a header").iter().collect::<Vec<_>>(), titles);
    let columns: &[_] = match sheet {
        Sheet::Members => &loyalty_contract::sheet::MEMBERS,
        Sheet::PointsHistory => &loyalty_contract::sheet::POINTS_HISTORY,
    };
    let people = ["phone", "name", "email", "operator", "operator_subject", "note", "order_id"];
    let wanted: Vec<Vec<String>> = csv
        .records()
        .map(|row| {
            let row = row.expect("a row");
            let cells = row.iter().zip(columns).map(|(cell, column)| match column.name {
                name if people.contains(&name) => typed_cell(cell).to_owned(),
                name if MONEY.contains(&name) => amount(cell),
                _ => cell.to_owned(),
            });
            cells.collect()
        })
        .collect();
    let rows = file.get_row_iter(None).expect("rows").map(|row| row.expect("a row"));
    let read: Vec<Vec<String>> =
        rows.map(|row| row.get_column_iter().map(|(_, field)| as_text(field)).collect()).collect();
    assert_eq!(read, wanted);
    let unfilled = |at: &usize| read.iter().all(|row| row[*at].is_empty());
    let empty = (0..columns.len()).filter(unfilled).map(|at| columns[at].name.to_owned()).collect();
    (read.len(), empty)
}

/// The types of a file's columns, with a question mark where there may be nothing.
fn types(path: &Path) -> BTreeMap<String, String> {
    let file = SerializedFileReader::new(File::open(path).expect("a file")).expect("a Parquet file");
    let mut types: BTreeMap<String, String> = BTreeMap::new();
    for field in file.metadata().file_metadata().schema().get_fields() {
        let info = field.get_basic_info();
        let kind = match format!("{} {:?}", field.get_physical_type(), info.logical_type_ref()).as_str() {
            "BYTE_ARRAY Some(String)" => "text",
            "INT64 None" => "number",
            "INT32 Some(Date)" => "day",
            "INT64 Some(Timestamp(TimestampType { is_adjusted_to_u_t_c: true, unit: MICROS }))" => "instant",
            "FIXED_LEN_BYTE_ARRAY Some(Decimal(DecimalType { scale: 4, precision: 38 }))" => "money",
            other => panic!("{} is {other}", field.name()),
        };
        let maybe = if info.repetition() == Repetition::OPTIONAL { "?" } else { "" };
        let names = types.entry(format!("{kind}{maybe}")).or_default();
        *names = format!("{names} {}", field.name()).trim_start().to_owned();
    }
    types
}

const TYPES_OF_MEMBERS: [(&str, &str); 8] = [
    ("day", "tier_since review_on joined_on"),
    ("day?", "birthday points_expire_on last_ordered_on"),
    ("instant", "updated_at"),
    ("money", "spent cycle_spent wallet"),
    ("number", "redeemable_points qualifying_points pending_points orders_count"),
    ("number?", "cycle_orders"),
    ("text", "member_id tier currency"),
    ("text?", "phone customer_id name email lots opted_out"),
];

const TYPES_OF_HISTORY: [(&str, &str); 5] = [
    ("instant", "recorded_at occurred_at"),
    ("number", "seq redeemable qualifying redeemable_after qualifying_after"),
    ("number?", "written_off_redeemable written_off_qualifying reverses wallet_minor"),
    ("text", "member_id kind reason rule tier_before tier_after programme_version"),
    ("text?", "order_id lots operator operator_subject note"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parquet_says_what_the_csv_says_cell_by_cell() {
    let _turn = crate::TURN.lock().await;
    let directory = tempfile::tempdir().expect("a directory");
    let stack = stack().await;
    let sheets = [Sheet::Members, Sheet::PointsHistory];
    let path = directory.path().join("sheet.Parquet");
    let wanted: [&[(&str, &str)]; 2] = [&TYPES_OF_MEMBERS, &TYPES_OF_HISTORY];
    for (sheet, wanted) in sheets.into_iter().zip(wanted) {
        let (rows, _) = alike(&stack, sheet, Headers::En, &path).await;
        assert_eq!(rows, 0, "a shop without members has a file that can be read");
        let types = types(&path);
        assert_eq!(types.iter().map(|(kind, names)| (kind.as_str(), names.as_str())).collect::<Vec<_>>(), wanted);
    }
    let file = directory.path().join("members.csv");
    std::fs::write(&file, MEMBERS).expect("it is written");
    assert_eq!(imported(&stack, &file, false).await, (2, 0, 0));
    for (table, row) in odd_rows() {
        put(&stack, table, &row).await;
    }
    for headers in [Headers::En, Headers::Vi] {
        for sheet in sheets {
            assert_eq!(alike(&stack, sheet, headers, &path).await, (3, BTreeSet::new()));
        }
    }
    // What breaks off leaves what was there, and nothing else.
    let before = std::fs::read(&path).expect("the file");
    let (table, mut odd) = odd_rows()[1].clone();
    odd["seq"] = json!(2);
    odd["recorded_at"] = json!("once");
    put(&stack, table, &odd).await;
    let args = arguments(&stack, Sheet::PointsHistory, Headers::En, &path);
    let broken = run(&args).await.unwrap_err().to_string();
    assert!(broken.contains("recorded_at"), "{broken}");
    assert_eq!(std::fs::read(&path).expect("the file"), before);
    let mut names: Vec<_> = std::fs::read_dir(directory.path())
        .expect("a directory")
        .map(|there| there.expect("a file").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["members.csv", "sheet.Parquet"]);

    let nowhere = ExportArgs { output: None, format: Some(Format::Parquet), ..args.clone() };
    assert!(run(&nowhere).await.unwrap_err().to_string().contains("--output"));
    let no_file = ExportArgs { output: Some(directory.path().to_owned()), format: Some(Format::Parquet), ..args };
    assert!(run(&no_file).await.unwrap_err().to_string().contains("no file"));
    stack.stop().await;
}
