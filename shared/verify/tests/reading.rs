//! The verifier reads whole tables, however they are cut, and tells books that move from books that are broken.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::types::AttributeValue;
use loyalty_audit::{DIGEST, Row, Table, Value, digest_of};
use loyalty_domain::ids::MemberId;
use loyalty_store::ZaloKey;
use loyalty_store::engine::{Engine, Fault};
use loyalty_verify::{Watch, prove, scan};

type Item = HashMap<String, AttributeValue>;

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// Puts a row as whoever knows how rows are sealed would.
async fn put(engine: &Engine, table: &str, mut item: Item) {
    item.remove(DIGEST);
    let digest = digest_of(&item.iter().map(|(name, attribute)| (name.as_str(), value(attribute))).collect());
    item.insert(DIGEST.to_owned(), text(&digest));
    let put = engine.client().put_item().table_name(format!("{}{table}", engine.prefix()));
    put.set_item(Some(item)).send().await.expect("a put");
}

fn value(attribute: &AttributeValue) -> Value {
    match attribute {
        AttributeValue::S(text) => Value::S(text.into()),
        AttributeValue::N(number) => Value::N(number.into()),
        AttributeValue::Bool(flag) => Value::Bool(*flag),
        AttributeValue::L(values) => Value::L(values.iter().map(value).collect()),
        AttributeValue::M(values) => {
            Value::M(values.iter().map(|(name, inner)| (name.as_str(), value(inner))).collect())
        }
        _ => Value::Foreign,
    }
}

async fn get(engine: &Engine, table: &str, key: (&str, &str)) -> Item {
    let get = engine.client().get_item().table_name(format!("{}{table}", engine.prefix()));
    get.key(key.0, text(key.1)).send().await.expect("an answer").item.expect("a row")
}

fn user(number: u32) -> Item {
    HashMap::from([
        ("user_id".to_owned(), text(&format!("u_{number:04}"))),
        ("revision".to_owned(), AttributeValue::N("1".to_owned())),
        ("interacted_at".to_owned(), text("2026-11-23T01:00:00Z")),
    ])
}

#[derive(Default)]
struct Seen {
    rows: usize,
    again: u64,
}

impl Watch for Seen {
    fn rows(&mut self, _: Table, rows: usize) {
        self.rows += rows;
    }

    fn again(&mut self, findings: u64) {
        self.again = findings;
    }
}

async fn broken(engine: &Engine) -> Vec<String> {
    let report = prove(&engine.client(), engine.prefix(), &mut ()).await.expect("read");
    report.findings.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn every_row_is_read_once_however_a_table_is_cut() {
    let engine = Engine::new();
    for number in 0..300 {
        // A page is 1 MB: together they are several in each segment.
        let mut item = user(number);
        item.insert("padding".to_owned(), text(&"x".repeat(30_000)));
        put(&engine, "zalo-users", item).await;
    }
    let mut seen = Seen::default();
    let report = prove(&engine.client(), engine.prefix(), &mut seen).await.expect("read");
    assert_eq!((report.counts.zalo_users, seen.rows, seen.again), (300, 300, 0));
    assert!(report.clean(), "{:?}", report.findings);
    let mut ids = Vec::new();
    let each = |row: Row| ids.push(row["user_id"].clone());
    scan(&engine.client(), engine.prefix(), Table::ZaloUsers, each).await.expect("read");
    ids.sort_by_key(|id| format!("{id:?}"));
    ids.dedup();
    assert_eq!(ids.len(), 300);
}

#[tokio::test]
async fn a_page_that_cannot_be_read_is_no_proof() {
    for table in Table::ALL {
        let engine = Engine::new();
        let name = format!("{}{}", engine.prefix(), table.name());
        engine.inject(move |call| if call.body["TableName"] == name.as_str() { Fault::Invalid } else { Fault::None });
        let error = prove(&engine.client(), engine.prefix(), &mut ()).await.expect_err("no proof");
        assert_eq!(error.to_string(), format!("the table {}{} cannot be read", engine.prefix(), table.name()));
    }
}

/// The first reading is the cheaper one, and what it finds is only believed of the second.
#[tokio::test]
async fn what_two_readings_do_not_share_was_in_motion() {
    let engine = Engine::new();
    let mut item = user(1);
    item.insert(DIGEST.to_owned(), text("of another row"));
    let put = engine.client().put_item().table_name(format!("{}zalo-users", engine.prefix()));
    put.set_item(Some(item)).send().await.expect("a put");
    let consistent = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&consistent);
    engine.inject(move |call| {
        asked.lock().unwrap().push(call.body["ConsistentRead"] == true);
        Fault::None
    });
    assert_eq!(broken(&engine).await, ["zalo-users u_0001: the digest does not match the row"]);
    let asked = consistent.lock().unwrap().clone();
    let half = asked.len() / 2;
    assert!(asked[..half].iter().all(|consistent| !consistent) && asked[half..].iter().all(|consistent| *consistent));

    // Between the two readings the row becomes what it should be.
    let mended = engine.clone();
    struct Mend(Engine, AtomicU32);
    impl Watch for Mend {
        fn again(&mut self, _: u64) {
            self.1.fetch_add(1, Ordering::Relaxed);
            let engine = self.0.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(self::put(&engine, "zalo-users", user(1)));
            })
            .join()
            .unwrap();
        }
    }
    let mut mend = Mend(mended, AtomicU32::new(0));
    let report = prove(&engine.client(), engine.prefix(), &mut mend).await.expect("read");
    assert_eq!((report.findings, mend.1.load(Ordering::Relaxed)), (Vec::new(), 1));
}

/// Writes a member's row anew whenever the orders are read, so many readings long.
struct Writing {
    engine: Engine,
    revision: u32,
    readings: u32,
}

impl Writing {
    fn put(&mut self) {
        self.revision += 1;
        let (engine, revision) = (self.engine.clone(), self.revision.to_string());
        let row = HashMap::from([
            ("member_id".to_owned(), text("m_an")),
            ("revision".to_owned(), AttributeValue::N(revision)),
        ]);
        let put = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(self::put(&engine, "members", row));
        };
        std::thread::spawn(put).join().unwrap();
    }
}

impl Watch for Writing {
    fn rows(&mut self, table: Table, _: usize) {
        if table == Table::Orders && self.readings > 0 {
            self.put();
        }
    }

    fn again(&mut self, _: u64) {
        self.readings = self.readings.saturating_sub(1);
    }
}

#[tokio::test]
async fn of_a_member_who_is_written_during_every_reading_nothing_is_said() {
    let engine = Engine::new();
    for (readings, findings, unproved) in [(0, 1, 0), (3, 1, 0), (100, 0, 1)] {
        let mut writing = Writing { engine: engine.clone(), revision: 0, readings };
        writing.put();
        let report = prove(&engine.client(), engine.prefix(), &mut writing).await.expect("read");
        assert_eq!((report.findings.len(), report.unproved.len()), (findings, unproved), "{report:?}");
        assert_eq!(report.clean(), findings == 0);
    }
}

#[tokio::test]
async fn contacts_and_users_of_the_account_agree_on_who_is_who() {
    let engine = Engine::new();
    let books = engine.books();
    let (an, binh) = (MemberId::new("m_an"), MemberId::new("m_binh"));
    let at = "2026-11-23T01:00:00Z".parse().unwrap();
    books.link(&ZaloKey::new("u_1"), "246", &an, at).await.expect("linked");
    books.wish(&an, &[(loyalty_domain::sending::MessageKind::Promotional, false)].into(), at).await.expect("wished");
    books.follow(&ZaloKey::new("u_1"), true, at).await.expect("followed");
    books.link(&ZaloKey::new("u_2"), "357", &binh, at).await.expect("linked");
    assert_eq!(broken(&engine).await, Vec::<String>::new());

    let contact = get(&engine, "contacts", ("member_id", "m_an")).await;
    let user = get(&engine, "zalo-users", ("user_id", "u_1")).await;
    let with = |item: &Item, name: &str, value: Option<AttributeValue>| {
        let mut item = item.clone();
        match value {
            Some(value) => drop(item.insert(name.to_owned(), value)),
            None => drop(item.remove(name)),
        }
        item
    };
    let no = AttributeValue::L(Vec::new());
    for (table, item, expected) in [
        ("contacts", with(&contact, "zalo_key", Some(text("u_2"))), "contacts m_an: its user is not this member"),
        ("contacts", with(&contact, "zalo_key", None), "go together"),
        ("contacts", with(&contact, "opted_out", Some(no)), "`opted_out` is not what the wishes say"),
        ("contacts", with(&contact, "linked_at", Some(text("yesterday"))), "`linked_at` is missing or is not a time"),
        ("contacts", with(&contact, "follows_as_of", None), "go together"),
        ("zalo-users", with(&user, "member_id", None), "contacts m_an: its user is not this member"),
        ("zalo-users", with(&user, "member_id", Some(text("m_binh"))), "zalo-users u_1: its member is not this user"),
        ("zalo-users", with(&user, "revision", None), "cannot be read"),
    ] {
        put(&engine, table, item).await;
        let found = broken(&engine).await;
        assert!(found.iter().any(|found| found.contains(expected)), "{expected}: {found:?}");
        put(&engine, "contacts", contact.clone()).await;
        put(&engine, "zalo-users", user.clone()).await;
        assert_eq!(broken(&engine).await, Vec::<String>::new(), "after {expected}");
    }
    assert!(!broken(&engine).await.iter().any(|found| found.contains("246")), "no user id is told");
}
