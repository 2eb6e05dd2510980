//! No person and no secret leaves by a side door.
//!
//! Marked phones, names, e-mails, birthdays, secrets and keys go in through every shop's door: believed, forged, broken,
//! unreadable and given up on. Then everything that comes out is searched for them: what the stack and its functions log
//! at the level where they say most, every answer, every event, every row. A person may stand on their own member row
//! and card, and in the body of a dead letter, which an operator has to mend; a secret nowhere at all.

mod corpus;
mod search;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loyalty_contract::queue::Source;
use reqwest::Method;
use serde_json::{Value, json};
use thang_hang::cli::serve::workspace;
use thang_hang::tables::{TablesArgs, client};
use thang_hang::zalo::DEVELOPMENT;

use corpus::{Delivery, Person, ZALO_USER, deliveries, from_zalo, secret, secret_variable};
use search::{Canary, hits};

/// Everything the product says below `info`, and the libraries as much as `LogLevel` of the template allows.
const LOG: &str = "debug,thang_hang=trace,webhook=trace,order_changed=trace,ledger_stream=trace,member_api=trace,member_commands=trace,\
    send_messages=trace,loyalty_zalo=trace,loyalty_store=trace,loyalty_contract=trace,loyalty_runtime=trace,\
    loyalty_signatures=trace,loyalty_messaging=trace";
const MEMBER_ID_KEY: &str = "chimyen-member-id-key-0123456789abcdef";
const VERIFY_TOKEN: &str = "chimyen-verify-token-haravan";
const GUESSED_TOKEN: &str = "chimyen-guessed-token";
const TABLES: [&str; 9] = [
    "members",
    "points-history",
    "orders",
    "participations",
    "requests",
    "vouchers",
    "messages",
    "contacts",
    "zalo-users",
];
const PERSONAL: [&str; 4] = ["name", "phone", "email", "birthday"];

/// The stack as an operator runs it, with everything it prints.
struct Running {
    child: Child,
    url: String,
    printed: Arc<Mutex<String>>,
    http: reqwest::Client,
}

impl Running {
    fn start(data: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thang-hang"));
        command
            .args(["--port", "0", "--dynamodb-port", "0", "--settle-seconds", "0", "--data"])
            .arg(data)
            .current_dir(workspace())
            .env("RUST_LOG", LOG)
            .env("WEBHOOK_VERIFY_TOKEN_HARAVAN", VERIFY_TOKEN)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for source in Source::ALL {
            command.env(secret_variable(source), secret(source));
        }
        let mut child = command.spawn().expect("the stack can be started");
        let printed = Arc::new(Mutex::new(String::new()));
        keep(child.stderr.take().expect("piped"), &printed);
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut url = None;
        while url.is_none() {
            let mut line = String::new();
            let read = lines.read_line(&mut line).expect("readable");
            assert!(read > 0, "the stack ended: {}", printed.lock().expect("not poisoned"));
            url = line.trim().strip_prefix("HTTP API").map(|url| url.trim().to_owned());
            printed.lock().expect("not poisoned").push_str(&line);
        }
        keep(lines, &printed);
        Self { child, url: url.expect("found"), printed, http: reqwest::Client::new() }
    }

    /// Sends a request; what came back, status and headers included, is one text to search.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &BTreeMap<String, String>,
        body: Vec<u8>,
    ) -> (u16, String) {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = request.send().await.expect("the stack answers");
        let (status, headers) = (answer.status().as_u16(), format!("{:?}", answer.headers()));
        (status, format!("{status} {headers}\n{}", answer.text().await.expect("text")))
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.ask(Method::GET, path, &BTreeMap::new(), Vec::new()).await
    }

    async fn local(&self, method: Method, path: &str) -> Value {
        let (status, answer) = self.ask(method, &format!("/_local/{path}"), &BTreeMap::new(), b"{}".to_vec()).await;
        assert_eq!(status, 200, "{path}: {answer}");
        serde_json::from_str(answer.split_once('\n').expect("a body").1).expect("JSON")
    }

    async fn drain(&self) {
        self.local(Method::POST, "drain?timeout_seconds=120").await;
    }

    /// Calls a service of the stack as the SDK would.
    async fn call(&self, url: &str, target: &str, request: &Value) -> Value {
        let request = self.http.post(url).header("x-amz-target", target).body(request.to_string());
        let request = request.header("content-type", "application/x-amz-json-1.0");
        let answer = request.send().await.expect("it answers");
        assert!(answer.status().is_success(), "{target}: {:?}", answer.text().await);
        answer.json().await.expect("JSON")
    }

    fn stop(mut self) -> String {
        let stopped = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(stopped.is_ok_and(|status| status.success()), "kill can be run");
        self.child.wait().expect("the stack ends");
        // The last lines are on their way through the pipes.
        std::thread::sleep(Duration::from_millis(300));
        self.printed.lock().expect("not poisoned").clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keep(mut from: impl Read + Send + 'static, printed: &Arc<Mutex<String>>) {
    let printed = Arc::clone(printed);
    std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            printed.lock().expect("not poisoned").push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    });
}

fn secrets() -> Vec<Canary> {
    let mut canaries: Vec<_> = Source::ALL
        .into_iter()
        .map(|source| Canary::secret(&format!("the secret of {source}"), &secret(source)))
        .collect();
    canaries.push(Canary::secret("the member id key", MEMBER_ID_KEY));
    canaries.push(Canary::secret("the verify token", VERIFY_TOKEN));
    canaries.push(Canary::secret("a guessed token", GUESSED_TOKEN));
    for (what, secret) in [
        ("the secret of Zalo's application", DEVELOPMENT.app_secret),
        ("the secret of the official account", DEVELOPMENT.oa_secret),
    ] {
        canaries.push(Canary::secret(what, secret));
    }
    canaries
}

fn of_person(person: &Person) -> Vec<Canary> {
    vec![
        Canary::phone(&person.phone),
        Canary::text(&format!("the name of {}", person.tag), &person.name_word()),
        Canary::text(&format!("the e-mail of {}", person.tag), &person.email),
        Canary::text(&format!("the address of {}", person.tag), &person.address()),
        Canary::birthday(&person.birthday),
    ]
}

/// Things of the members that were really made, as a shop sees them.
fn as_on_row(person: &Person, source: Source) -> Vec<String> {
    let mut own = vec![format!("84{}", &person.phone[1..]), person.name_word()];
    if source != Source::KiotViet && source != Source::Sapo {
        own.push(person.email.clone());
    }
    if source == Source::Standard {
        own.push(person.birthday.clone());
    }
    own
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_people_nor_secrets_come_out_anywhere_else() {
    let _turn = crate::TURN.lock().await;
    let data = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(data.path().join("member-id-key"), MEMBER_ID_KEY).expect("written");
    let stack = Running::start(data.path());
    let health = stack.local(Method::GET, "health").await;
    let address = |name: &str| health[name].as_str().expect("an address").to_owned();
    let mut outputs: Vec<(String, String)> = Vec::new();
    let mut people = Vec::new();

    // The official account: the good customer of the generic door follows it, so their messages go there.
    let (follower, unread) = (Person::new(Source::Standard, "good"), Person::new(Source::Standard, "zalo"));
    for (what, headers, body, status) in from_zalo(&follower, &unread) {
        let (answered, answer) = stack.ask(Method::POST, "/webhooks/zalo", &headers, body.into_bytes()).await;
        assert_eq!(answered, status, "{what}: {answer}");
        outputs.push((format!("the answer to {what}"), answer));
    }
    people.push(unread);
    stack.drain().await;

    // Every door, every way in.
    for source in Source::ALL {
        for Delivery { what, person, headers, body, statuses } in deliveries(source) {
            let path = format!("/webhooks/{source}");
            let (status, answer) = stack.ask(Method::POST, &path, &headers, body).await;
            assert!(statuses.contains(&status), "{source}, {what}: {answer}");
            outputs.push((format!("the answer to {source}, {what}"), answer));
            people.push(person);
        }
        // A later version of an order is not to be folded into the first one.
        stack.drain().await;
    }
    for token in [VERIFY_TOKEN, GUESSED_TOKEN] {
        let path = format!("/webhooks/haravan?hub.mode=subscribe&hub.verify_token={token}&hub.challenge=1");
        outputs.push(("the answer to a challenge".to_owned(), stack.get(&path).await.1));
    }

    // Messages nobody can read, and dead letters that stay dead.
    let odd = Person::new(Source::Standard, "queued");
    let broken = json!({"kind": "order", "order": {"source": "standard", "order_id": "DH-9", "updated_at": odd.phone,
        "status": odd.name, "currency": odd.email, "customer": {"phone": odd.phone, "name": odd.name}}});
    for body in [broken.to_string(), format!("{} {}", odd.phone, odd.name)] {
        for queue in ["local/loyalty-Orders", "local/loyalty-Events"] {
            let message = json!({"QueueUrl": queue, "MessageBody": body});
            stack.call(&address("services"), "AmazonSQS.SendMessage", &message).await;
        }
    }
    people.push(odd);
    stack.drain().await;
    stack.local(Method::POST, "dead-letters/replay").await;
    stack.drain().await;

    people.sort_by(|one: &Person, other| one.tag.cmp(&other.tag));
    people.dedup_by(|one, other| one.tag == other.tag);

    // What members and tills ask.
    let stranger = Person::new(Source::Standard, "stranger");
    let (phone, name) = (&stranger.phone[1..], stranger.name_word());
    for (query, status) in [
        (format!("phone=0{phone}"), 404),
        (format!("phone=%2B84{phone}"), 404),
        (format!("phone={phone}{phone}"), 400),
        (format!("phone={name}"), 400),
    ] {
        let (answered, answer) = stack.get(&format!("/members?{query}")).await;
        assert_eq!(answered, status, "{query}: {answer}");
        outputs.push((format!("the answer to {query}"), answer));
    }
    outputs.push(("a card by phone as id".to_owned(), stack.get(&format!("/members/0{phone}")).await.1));
    people.push(stranger);
    for source in Source::ALL {
        let person = Person::new(source, "good");
        let digits = &person.phone[1..];
        let (status, card) = stack.get(&format!("/members?phone=%2B84{digits}")).await;
        assert_eq!(status, 200, "{source}: {card}");
        // The search finds what it looks for: the person, on their own card, and nobody else.
        let own = [Canary::phone(&person.phone), Canary::text("their name", &person.name_word())];
        assert_eq!(hits("a card", &card, &own).len(), 2, "{source}: {card}");
        let body: Value = serde_json::from_str(card.split_once('\n').expect("a body").1).expect("JSON");
        let member_id = body["member_id"].as_str().expect("an id");
        let (_, by_id) = stack.get(&format!("/members/{member_id}")).await;
        assert_eq!(hits("a card", &by_id, &own).len(), 2, "{source}: {by_id}");
        let others = people.iter().filter(|other| other.phone != person.phone).flat_map(of_person);
        assert_eq!(hits("a card", &format!("{card}{by_id}"), &others.chain(secrets()).collect::<Vec<_>>()), [""; 0]);
        let (_, history) = stack.get(&format!("/members/{member_id}/history")).await;
        assert!(history.contains("accrual") && history.contains("reversal"), "{source}: {history}");
        outputs.push((format!("the history of {source}'s member"), history));
    }

    // What the sender was given goes to Zalo and into its own table, and no further.
    let user = Canary::text("who they are at Zalo", ZALO_USER);
    let zalo = health["zalo"].as_str().map_or_else(String::new, str::to_owned);
    assert!(!zalo.is_empty(), "{health}");
    let told = stack.http.get(format!("{zalo}/_zalo/messages?limit=1000")).send().await.expect("it answers");
    let told = told.text().await.expect("text");
    assert!(!hits("Zalo", &told, std::slice::from_ref(&user)).is_empty(), "nothing was sent to the follower: {told}");

    // The tables. Persons stand on their own row only, and there the search finds them.
    let tables = TablesArgs { endpoint_url: address("dynamodb"), region: None, table_prefix: "loyalty-".to_owned() };
    let client = client(&tables).await;
    let senders = client.scan().table_name("loyalty-senders").send().await.expect("a table").items.unwrap_or_default();
    let mut tokens = vec![user.clone(), Canary::secret("the first refresh token", DEVELOPMENT.refresh_token)];
    for name in ["access_token", "refresh_token"] {
        let token = senders[0][name].as_s().expect("a token");
        tokens.push(Canary::secret(name, token));
    }
    for table in TABLES {
        let answer = client.scan().table_name(format!("loyalty-{table}")).send().await.expect("a table");
        assert!(answer.last_evaluated_key.is_none(), "{table} fits one page");
        let mut rows = answer.items.unwrap_or_default();
        if table == "members" {
            let all = format!("{rows:?}");
            for source in Source::ALL {
                for own in as_on_row(&Person::new(source, "good"), source) {
                    assert!(!hits("members", &all, &[Canary::text("own", &own)]).is_empty(), "{source}: {own}: {all}");
                }
            }
            let refused = people.iter().filter(|person| !["good", "odd"].contains(&person.way()));
            let refused: Vec<_> = refused.flat_map(of_person).collect();
            assert_eq!(hits("members", &all, &refused), [""; 0], "nobody unbelieved or unread was made a member");
            for row in &mut rows {
                PERSONAL.iter().for_each(|attribute| drop(row.remove(*attribute)));
            }
        }
        if table == "contacts" {
            // Messages are addressed to it; it stands nowhere else.
            let all = format!("{rows:?}");
            assert!(!hits("contacts", &all, std::slice::from_ref(&user)).is_empty(), "{all}");
            rows.iter_mut().for_each(|row| drop(row.remove("zalo_user_id")));
        }
        assert!(!rows.is_empty() || ["participations", "requests", "vouchers"].contains(&table), "{table} is empty");
        outputs.push((format!("the table {table}"), format!("{rows:?}")));
    }

    let events = stack.local(Method::GET, "events?limit=1000").await;
    assert!(events["events"].as_array().is_some_and(|events| events.len() >= 2 * Source::ALL.len()), "{events}");
    outputs.push(("the events".to_owned(), events.to_string()));
    outputs.push(("the counters".to_owned(), stack.local(Method::GET, "stats").await.to_string()));
    let mut letters = stack.local(Method::GET, "dead-letters").await["dead_letters"].take();
    let all_letters = letters.to_string();
    for letter in letters.as_array_mut().expect("a list") {
        letter.as_object_mut().expect("a letter").remove("body");
    }
    outputs.push(("the dead letters but for their bodies".to_owned(), letters.to_string()));
    let verified = Command::new(env!("CARGO_BIN_EXE_thang-hang"))
        .args(["verify", "--endpoint-url", &address("dynamodb")])
        .env("RUST_LOG", LOG)
        .output()
        .expect("verify runs");
    assert!(verified.status.success(), "{verified:?}");
    outputs.push((
        "verify".to_owned(),
        String::from_utf8_lossy(&[verified.stdout, verified.stderr].concat()).into_owned(),
    ));

    let logs = stack.stop();
    for said in [
        "was not believed",
        "cannot be read",
        "is put aside",
        "an order is applied",
        "a batch is done",
        "an event is done",
        "an event is not done",
        "an event of the official account is kept",
        "zalo_oa",
        "DEBUG",
        "\"OrdersIn\":",
        "\"PointsOut\":",
        "\"MessagesFailed\":",
    ] {
        assert!(logs.contains(said), "the logs do not say “{said}”, so the search proves nothing");
    }
    // A metric is a line of its own, or the log service does not see it.
    for line in logs.lines().filter(|line| line.contains("CloudWatchMetrics")) {
        let (_, metric) = line.split_once("| ").expect("a line of a function");
        let metric: Value = serde_json::from_str(metric).unwrap_or_else(|error| panic!("{error}: {metric}"));
        assert_eq!(metric["_aws"]["CloudWatchMetrics"][0]["Namespace"], "loyalty");
    }
    for function in
        ["webhook |", "order-changed |", "ledger-stream |", "member-api |", "member-commands |", "send-messages |"]
    {
        assert!(logs.contains(function), "no log of {function}");
    }
    outputs.push(("the logs".to_owned(), logs));

    let wanted: Vec<_> = people.iter().flat_map(of_person).chain(secrets()).chain(tokens).collect();
    let mut found: Vec<_> = outputs.iter().flat_map(|(place, text)| hits(place, text, &wanted)).collect();
    // The bodies of dead letters are for an operator: they hold a person, or there is nothing to mend, but no secret.
    let set_aside = of_person(&Person::new(Source::KiotViet, "broken"));
    assert!(!hits("the dead letters", &all_letters, &set_aside).is_empty(), "{all_letters}");
    found.extend(hits("the dead letters", &all_letters, &secrets()));
    // Nor is there one in a file, not even in what was deleted from it.
    for file in std::fs::read_dir(data.path()).expect("readable").map(|entry| entry.expect("an entry").path()) {
        if file.is_file() && !file.ends_with("member-id-key") {
            let text = String::from_utf8_lossy(&std::fs::read(&file).expect("readable")).into_owned();
            found.extend(hits(&file.display().to_string(), &text, &secrets()));
        }
    }
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{} leaks:\n{}", found.len(), found.join("\n"));
}
