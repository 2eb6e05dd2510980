//! Existing members through the local stack: imported without a word to anybody, proved, exported, and imported again
//! somewhere else with the same standings; one of them erased.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use thang_hang::books::BooksArgs;
use thang_hang::books::erase::{self, EraseArgs};
use thang_hang::books::export::{ExportArgs, Headers, Sheet, export};
use thang_hang::books::import::members::Members;
use thang_hang::books::import::{ImportArgs, Imported, import};
use thang_hang::cli::serve::workspace;
use thang_hang::stack::Drained;
use thang_hang::tables::{TablesArgs, client, scan};
use thang_hang::{Options, Stack, verify};

const FILE: &str = "\
Số điện thoại;Họ tên;Hạng;Ngày lên hạng;Điểm tích lũy;Lô điểm;Điểm xét hạng;Tổng chi tiêu;Số đơn hàng;Ví;Ngày tham gia
0901234567;=Lan;Gold;01/06/2026;150;\"31/01/2027:50;never:100\";800;8000000;12;40000;05/03/2025
0907654321;Hoa;Member;;-20;;10;100000;1;;20/10/2026
12;Nobody;Member;;;;;;;;
0907654321;Hoa;Member;;99;;10;100000;1;;20/10/2026
";

/// The programme's 23 November 2026.
pub const NOW_MS: i64 = 1_795_396_510_000;

pub async fn stack() -> Stack {
    let options = Options {
        settle_seconds: Some(0),
        environment: crate::quiet(),
        clock_ms: Some(NOW_MS),
        ..Options::ephemeral(&workspace())
    };
    Stack::start(options).await.unwrap_or_else(|error| panic!("{}", error.report()))
}

pub fn books(stack: &Stack) -> BooksArgs {
    let tables = TablesArgs {
        endpoint_url: stack.running().dynamodb_url(),
        region: None,
        table_prefix: stack.running().options.table_prefix.clone(),
    };
    BooksArgs { tables, programme: None, data: Some(stack.data().path().to_owned()) }
}

pub fn arguments(stack: &Stack, dry_run: bool) -> ImportArgs {
    ImportArgs {
        dry_run,
        leave_out: Vec::new(),
        rejects: None,
        source: loyalty_contract::queue::Source::Standard,
        at: Some(NOW_MS),
        parallel: 8,
        books: books(stack),
    }
}

pub async fn imported(stack: &Stack, file: &Path, dry_run: bool) -> (u64, u64, u64) {
    told(import(Members::default(), file, &arguments(stack, dry_run)).await)
}

pub fn told(done: thang_hang::error::Result<Imported>) -> (u64, u64, u64) {
    let Imported { new, known, rejected } = done.unwrap_or_else(|error| panic!("{}", error.report()));
    (new, known, rejected)
}

pub async fn exported(stack: &Stack, sheet: Sheet, headers: Headers) -> String {
    let args = ExportArgs {
        sheet,
        headers,
        format: None,
        output: None,
        time_zone: chrono_tz::Asia::Ho_Chi_Minh,
        tables: books(stack).tables,
    };
    let mut written = Vec::new();
    export(&args, &mut written).await.unwrap_or_else(|error| panic!("{}", error.report()));
    String::from_utf8(written).expect("UTF-8")
}

/// The rows of members without what an import cannot know: which shop's clock wrote them.
fn standings(csv: &str) -> Vec<String> {
    let mut rows: Vec<_> = csv.lines().skip(1).map(|row| row.rsplit_once(',').expect("columns").0.to_owned()).collect();
    rows.sort();
    rows
}

async fn prove(stack: &Stack, entries: u64) {
    let args = books(stack).tables;
    let report = verify::prove(&client(&args).await, &args).await.expect("the tables are read");
    assert!(report.clean(), "{:#?}", report.findings);
    assert_eq!((report.counts.entries, report.counts.messages, report.counts.vouchers), (entries, 0, 0));
    // The nightly function is the same proof, over the same tables.
    let night = stack.running().invoke("verify", stack.running().clock.now_ms(), None).await.expect("it is a schedule");
    let counts = report.counts;
    let rows =
        counts.members + counts.entries + counts.orders + counts.participations + counts.requests + counts.contacts;
    assert_eq!(serde_json::to_value(night).expect("JSON")["answer"], json!({"findings": 0, "rows": rows}));
}

async fn card(stack: &Stack) -> Value {
    let url = format!("{}/members?phone=0901234567", stack.running().url());
    reqwest::get(url).await.expect("the stack answers").json().await.expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_come_along_silently_and_go_anywhere_else_as_they_are() {
    let _turn = crate::TURN.lock().await;
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| -> PathBuf {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("it is written");
        path
    };
    let file = write("members.csv", FILE);
    let first = stack().await;
    assert_eq!(imported(&first, &file, true).await, (2, 0, 2));
    prove(&first, 0).await;
    assert_eq!(imported(&first, &file, false).await, (2, 0, 2));
    assert_eq!(imported(&first, &file, false).await, (0, 2, 2), "a second time changes nothing");
    let rejects = std::fs::read_to_string(directory.path().join("members.rejects.csv")).expect("the rejects");
    assert!(rejects.contains("4,\"phone is no phone number, or not certainly one\",12,Nobody"), "{rejects}");
    assert!(rejects.contains("5,line 3 has the same member with other figures,0907654321"), "{rejects}");
    let refused = "phone,redeemable_points,points_expire_on,opted_out\n0931000005,5,2020-01-01,promotional\n";
    assert_eq!(imported(&first, &write("late.csv", refused), false).await, (0, 0, 1));
    let tables = books(&first).tables;
    let mut wishes = 0;
    let contacts = scan(&client(&tables).await, &tables, loyalty_audit::Table::Contacts, |_| wishes += 1).await;
    contacts.expect("a table");
    assert_eq!(wishes, 0, "a row that is refused says nothing of a member's wishes either");
    let drained = first.running().drain(Duration::from_secs(60)).await.expect("drained");
    assert_eq!(drained, Drained::Empty);
    prove(&first, 2).await;
    let lan = card(&first).await;
    assert_eq!((&lan["tier"]["id"], &lan["redeemable_points"]), (&json!("gold"), &json!(150)), "{lan}");
    assert_eq!(
        (&lan["spent"], &lan["wallet"], &lan["name"]),
        (&json!("8000000"), &json!("40000"), &json!("=Lan")),
        "{lan}"
    );

    let sheet = exported(&first, Sheet::Members, Headers::Vi).await;
    assert!(sheet.starts_with("Mã thành viên,Số điện thoại,"), "{sheet}");
    assert!(sheet.contains(",'=Lan,"), "{sheet}");
    let history = exported(&first, Sheet::PointsHistory, Headers::En).await;
    assert_eq!(history.lines().filter(|row| row.contains(",opening,opening_balance,")).count(), 2, "{history}");

    let second = stack().await;
    assert_eq!(imported(&second, &write("sheet.csv", &sheet), false).await, (2, 0, 0));
    prove(&second, 2).await;
    let again = exported(&second, Sheet::Members, Headers::Vi).await;
    // The ids are of another installation's key.
    let without_ids = |sheet: &str| -> Vec<String> {
        let mut rows: Vec<_> =
            standings(sheet).iter().map(|row| row.split_once(',').expect("an id").1.to_owned()).collect();
        rows.sort();
        rows
    };
    assert_eq!(without_ids(&again), without_ids(&sheet));
    let other_key = BooksArgs { data: books(&second).data, ..books(&first) };
    let wrong_key = ImportArgs { books: other_key, ..arguments(&first, false) };
    let refused = import(Members::default(), &file, &wrong_key).await.unwrap_err().to_string();
    assert!(refused.contains("another key"), "{refused}");
    second.stop().await;

    let erased = EraseArgs {
        member: None,
        phone: Some("0901234567".to_owned()),
        yes: true,
        at: Some(NOW_MS),
        books: books(&first),
    };
    for _ in 0..2 {
        erase::run(&erased).await.unwrap_or_else(|error| panic!("{}", error.report()));
    }
    prove(&first, 2).await;
    let args = books(&first).tables;
    scan(&client(&args).await, &args, loyalty_audit::Table::Members, |row| {
        assert!(!format!("{row:?}").contains("84901234567") && !format!("{row:?}").contains("Lan"));
    })
    .await
    .expect("the table is read");
    let forgotten = card(&first).await;
    assert_eq!((&forgotten["redeemable_points"], &forgotten["name"]), (&json!(150), &Value::Null), "{forgotten}");
    first.stop().await;
}

/// How many members make the round trip.
const ROUND_TRIP: u64 = 100_000;

/// A file of members, no two alike: some with debts, some with lots, in every tier that the figures reach.
fn many(members: u64) -> String {
    let mut text =
        "phone,name,redeemable_points,lots,qualifying_points,spent,orders_count,wallet,joined_on\n".to_owned();
    for number in 0..members {
        let (points, lots) = match number % 3 {
            0 => (i64::try_from(number % 900).expect("small") - 30, String::new()),
            1 => (150, "2027-01-31:50;never:100".to_owned()),
            _ => (40, "2027-10-31:40".to_owned()),
        };
        let row = format!(
            "09{:08},Khách {number},{points},{lots},{},{}000,{},{},2026-{:02}-01\n",
            10_000_000 + number,
            number % 2_500,
            number % 9_000,
            number % 40,
            number % 7 * 10_000,
            1 + number % 11
        );
        text.push_str(&row);
    }
    text
}

/// In, out, in somewhere else and out again: the same standings, at a size that a shop has. Minutes long:
/// `cargo test --release -p thang-hang --test product -- --ignored --nocapture round_trip`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; measured by hand"]
async fn round_trip_of_100_000_members() {
    let _turn = crate::TURN.lock().await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("members.csv");
    std::fs::write(&file, many(ROUND_TRIP)).expect("it is written");
    let mut sheets = Vec::new();
    let mut from = file;
    for turn in ["first", "second"] {
        let stack = stack().await;
        let begun = std::time::Instant::now();
        assert_eq!(imported(&stack, &from, false).await, (ROUND_TRIP, 0, 0));
        let in_seconds = begun.elapsed().as_secs_f64();
        let begun = std::time::Instant::now();
        let sheet = exported(&stack, Sheet::Members, Headers::Vi).await;
        let out_seconds = begun.elapsed().as_secs_f64();
        println!("{turn}: {ROUND_TRIP} members imported in {in_seconds:.0} s, exported in {out_seconds:.0} s");
        prove(&stack, ROUND_TRIP).await;
        from = directory.path().join(format!("{turn}.csv"));
        std::fs::write(&from, &sheet).expect("it is written");
        // The ids are of another installation's key.
        let rows = standings(&sheet);
        let mut rows: Vec<String> = rows.iter().map(|row| row.split_once(',').expect("an id").1.to_owned()).collect();
        rows.sort();
        sheets.push(rows);
        stack.stop().await;
    }
    assert_eq!(sheets[0].len() as u64, ROUND_TRIP);
    assert!(sheets[0] == sheets[1], "both installations hold the same standings");
}
