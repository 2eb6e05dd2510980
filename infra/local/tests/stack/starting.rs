//! What a person hears when a stack cannot start, and what a second start finds.

use std::net::TcpListener;
use std::path::Path;

use thang_hang::clock::parse_instant;
use thang_hang::queue::Outgoing;
use thang_hang::{Data, Options, Stack};

use crate::fixture::{options, orders, until};

async fn refusal(options: Options) -> String {
    match Stack::start(options).await {
        Ok(_) => panic!("the stack started"),
        Err(error) => error.report(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_and_a_directory_in_use_say_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let busy = refusal(Options { port, ..options(directory.path()) }).await;
    assert!(busy.contains(&port.to_string()) && busy.contains("--port"), "{busy}");

    let data = directory.path().join("data");
    let kept = |path: &Path| Options { data: Data::Directory(path.to_owned()), ..options(directory.path()) };
    let first = Stack::start(kept(&data)).await.unwrap();
    let second = refusal(kept(&data)).await;
    assert!(second.contains("another stack") && second.contains("--data"), "{second}");
    first.stop().await;
    Stack::start(kept(&data)).await.expect("the directory is free again").stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_programme_that_cannot_go_live_is_refused_with_every_problem() {
    let directory = tempfile::tempdir().unwrap();
    let programme = directory.path().join("programme.toml");
    std::fs::write(&programme, "settle_seconds = \"soon\"\nunknown_key = 1\n").unwrap();
    let refusal = refusal(Options { programme, ..options(directory.path()) }).await;
    assert!(refusal.contains("settle_seconds") && refusal.contains("unknown_key"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn templates_that_no_message_can_fill_are_refused_with_their_paths() {
    let directory = tempfile::tempdir().unwrap();
    let programme = directory.path().join("programme.toml");
    let preset = std::fs::read_to_string(thang_hang::cli::serve::workspace().join("infra/programmes/cnv-retail.toml"));
    let template = "[zalo.templates.order_points_credited]\nid = \"1\"\nparams = { a = \"pionts\" }\n";
    std::fs::write(&programme, format!("{}\n{template}", preset.unwrap())).unwrap();
    let refusal = refusal(Options { programme, ..options(directory.path()) }).await;
    assert!(refusal.contains("zalo.templates.order_points_credited.params.a: there is no variable"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let monday = parse_instant("2031-01-06T08:00:00+07:00").unwrap();
    let data = Data::Directory(directory.path().join("data"));
    let first = Options { data: data.clone(), clock_ms: Some(monday), ..options(directory.path()) };
    Stack::start(first).await.unwrap().stop().await;
    let second = Stack::start(Options { data, ..options(directory.path()) }).await.unwrap();
    let now = second.running().clock.now_ms();
    assert!((monday..monday + 600_000).contains(&now), "{now}");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_uses_up_no_attempts_of_what_waits() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let stack =
        Stack::start(Options { data: Data::Directory(data.clone()), ..options(directory.path()) }).await.unwrap();
    let waiting = vec![Outgoing::new("sleep"); 60];
    stack.running().store.send("loyalty-Work", waiting).await.unwrap();
    let log = directory.path().join("seen.jsonl");
    until("the function to hang", || orders(&log, "worker").contains(&"sleep".to_owned())).await;
    stack.stop().await;
    let file = rusqlite::Connection::open(data.join("queues.sqlite")).unwrap();
    let query = "SELECT count(*), max(receives), sum(receives) FROM messages WHERE queue = 'loyalty-Work'";
    let (count, most, all): (u32, u32, u32) =
        file.query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    assert_eq!((count, most), (60, 1), "what was under way comes back, what was not is untouched");
    assert!(all <= 20, "two batches were under way, {all} messages were touched");
}
