//! One way to start a stack, talk to it and see what its functions saw.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thang_hang::stack::Drained;
use thang_hang::{Options, Stack};

/// Nothing in a test takes this long unless it hangs.
pub const LIMIT: Duration = Duration::from_secs(30);
pub const FUNCTIONS: [&str; 5] = ["worker", "follower", "web", "listener", "nightly"];

/// A stack of the fixture template and what its functions wrote down.
pub struct Fixture {
    pub stack: Stack,
    pub client: reqwest::Client,
    pub log: PathBuf,
    _directory: tempfile::TempDir,
}

/// The fixture template.
pub fn template() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack/template.yaml")
}

/// A program that runs this test binary in a role (its path is in `FIXTURE_PROGRAM`).
///
/// The function under test must be a process of its own. Being the test binary, it is never older
/// than the tests. The script is never written by a test: a file that is open for writing, be it
/// in a process another test has just forked, cannot be executed.
pub fn function() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack/function.sh")
}

/// Options of a stack of the fixture template without a settle delay.
pub fn options(directory: &Path) -> Options {
    let log = directory.join("seen.jsonl");
    let program = std::env::current_exe().expect("the test has a path");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut options = Options::ephemeral(&workspace);
    options.template = template();
    options.settle_seconds = Some(0);
    for name in FUNCTIONS {
        options.executables.insert(name.to_owned(), function());
    }
    let log = log.display().to_string();
    options.environment.insert("FIXTURE_LOG".to_owned(), log);
    options.environment.insert("FIXTURE_PROGRAM".to_owned(), program.display().to_string());
    options
}

impl Fixture {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut options = options(directory.path());
        change(&mut options);
        Self {
            stack: Stack::start(options).await.expect("the stack starts"),
            client: reqwest::Client::new(),
            log: directory.path().join("seen.jsonl"),
            _directory: directory,
        }
    }

    /// Waits until nothing is left to do.
    pub async fn drain(&self) {
        let drained = self.stack.running().drain(LIMIT).await.expect("drains");
        assert_eq!(drained, Drained::Empty);
    }

    /// Puts messages into the queue of the worker; their ids.
    pub async fn send(&self, bodies: &[&str]) -> Vec<String> {
        let mut ids = Vec::new();
        for chunk in bodies.chunks(10) {
            let entries: Vec<Value> = chunk
                .iter()
                .enumerate()
                .map(|(index, body)| json!({"Id": index.to_string(), "MessageBody": body}))
                .collect();
            let request = json!({"QueueUrl": "local/loyalty-Work", "Entries": entries});
            let answer = self.aws("AmazonSQS.SendMessageBatch", &request).await;
            let sent = answer["Successful"].as_array().expect("an answer");
            ids.extend(sent.iter().map(|one| one["MessageId"].as_str().unwrap().to_owned()));
        }
        ids
    }

    /// Calls SQS or EventBridge.
    pub async fn aws(&self, target: &str, request: &Value) -> Value {
        let url = format!("http://{}/", self.stack.running().services);
        call(&self.client, &url, target, request).await
    }

    /// Puts a thing into the table with the stream.
    pub async fn put(&self, id: &str, order: &str) {
        let url = self.stack.running().dynamodb_url();
        put(&self.client, &url, id, order).await;
    }

    /// Everything a function saw, oldest first.
    pub fn seen(&self, function: &str) -> Vec<Value> {
        seen(&self.log, function)
    }

    /// The orders a function was given, oldest first.
    pub fn orders(&self, function: &str) -> Vec<String> {
        orders(&self.log, function)
    }
}

pub async fn call(client: &reqwest::Client, url: &str, target: &str, request: &Value) -> Value {
    let answer = client
        .post(url)
        .header("x-amz-target", target)
        .header("content-type", "application/x-amz-json-1.0")
        .body(request.to_string())
        .send()
        .await
        .expect("the endpoint answers");
    answer.json().await.expect("the answer is JSON")
}

pub async fn put(client: &reqwest::Client, url: &str, id: &str, order: &str) {
    let item = json!({"id": {"S": id}, "order": {"S": order}});
    let request = json!({"TableName": "loyalty-things", "Item": item});
    let answer = call(client, url, "DynamoDB_20120810.PutItem", &request).await;
    assert_eq!(answer, json!({}), "the put is accepted");
}

pub fn seen(log: &Path, function: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines()
        // A killed function may leave half a line.
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["function"] == function)
        .map(|line| line["saw"].clone())
        .collect()
}

pub fn orders(log: &Path, function: &str) -> Vec<String> {
    seen(log, function).iter().map(|saw| saw["order"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Waits for a condition that something else brings about.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
