//! `kill -9` of the stack itself: nothing is lost, no function is left running (F13, F16).

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use thang_hang::{Data, Stack};

use crate::fixture::{call, options, orders, put, seen, until};

struct Process {
    child: Child,
    http: String,
    dynamodb: String,
}

/// Not a test: a stack in a process of its own, so that it can be killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn role() {
    if std::env::var("FIXTURE_ROLE").as_deref() != Ok("stack") {
        return;
    }
    let directory = PathBuf::from(std::env::var("FIXTURE_DIRECTORY").expect("a directory"));
    let mut options = options(&directory);
    options.data = Data::Directory(directory.join("data"));
    // Not the machine's time: what the last stack held must be free by any clock.
    options.clock_ms = Some(1_767_225_600_000);
    let stack = Stack::start(options).await.expect("the stack starts");
    println!("at {} {}", stack.running().url(), stack.running().dynamodb_url());
    std::future::pending::<()>().await;
}

fn start(directory: &Path) -> Process {
    let mut child = Command::new(std::env::current_exe().expect("the test has a path"))
        .args(["--exact", "crash::role", "--nocapture"])
        .env("FIXTURE_ROLE", "stack")
        .env("FIXTURE_DIRECTORY", directory)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the stack can be started");
    let output = child.stdout.take().expect("stdout is piped");
    let line = BufReader::new(output)
        .lines()
        .map(|line| line.expect("readable"))
        .find(|line| line.contains("at http"))
        .expect("the stack says where it listens");
    let mut words = line.split("at ").last().expect("addresses").split(' ').map(str::to_owned);
    let mut next = || words.next().expect("an address");
    Process { http: next(), dynamodb: next(), child }
}

impl Process {
    /// `kill -9`.
    fn kill(self) {}

    async fn services(&self, client: &reqwest::Client) -> String {
        let health = client.get(format!("{}/_local/health", self.http)).send().await.unwrap();
        let health: serde_json::Value = health.json().await.unwrap();
        health["services"].as_str().unwrap().to_owned()
    }
}

impl Drop for Process {
    /// Also when the test fails: a stack must not outlive it.
    fn drop(&mut self) {
        self.child.kill().expect("the stack can be killed");
        self.child.wait().expect("the stack is gone");
    }
}

fn alive(pid: u64) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_accepted_is_lost_and_nobody_is_left_behind() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("seen.jsonl");
    let client = reqwest::Client::new();
    let first = start(directory.path());
    let services = first.services(&client).await;
    // One message is being worked on (the function hangs), the others are only accepted.
    let send =
        |body: &str, delay: u32| json!({"QueueUrl": "local/loyalty-Work", "MessageBody": body, "DelaySeconds": delay});
    call(&client, &services, "AmazonSQS.SendMessage", &send("sleep", 0)).await;
    until("the worker to start", || orders(&log, "worker") == ["sleep"]).await;
    call(&client, &services, "AmazonSQS.SendMessage", &send("ok later", 1)).await;
    put(&client, &first.dynamodb, "a", "ok a").await;
    put(&client, &first.dynamodb, "b", "ok b").await;
    until("the follower", || orders(&log, "follower").len() == 2).await;
    let worker = std::fs::read_to_string(&log).unwrap();
    let worker: serde_json::Value = serde_json::from_str(worker.lines().next().unwrap()).unwrap();
    let worker = worker["pid"].as_u64().unwrap();
    assert!(alive(worker));
    first.kill();
    until("the busy function to die with its stack", || !alive(worker)).await;

    let second = start(directory.path());
    put(&client, &second.dynamodb, "c", "ok c").await;
    until("the accepted message", || orders(&log, "worker").contains(&"ok later".to_owned())).await;
    until("the record after the crash", || orders(&log, "follower").contains(&"ok c".to_owned())).await;
    let sleeps = || orders(&log, "worker").iter().filter(|one| *one == "sleep").count();
    until("the message that was being worked on", || sleeps() >= 2).await;
    let key = json!({"TableName": "loyalty-things", "Key": {"id": {"S": "a"}}});
    let item = call(&client, &second.dynamodb, "DynamoDB_20120810.GetItem", &key).await;
    assert_eq!(item["Item"]["order"]["S"], "ok a");
    let follower = seen(&log, "follower");
    let of = |order: &str| follower.iter().filter(|saw| saw["order"] == order).count();
    assert!(of("ok a") <= 2 && of("ok b") <= 2, "the checkpoint holds but for the last batch");
    second.kill();
}
