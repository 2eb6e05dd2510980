//! The scenarios of `tests/scenarios`, played.
//!
//! A scenario is written for the person who runs a shop's programme. The same file is played twice: in process, through
//! the webhook reader and the domain, and through the local stack with the real binaries. What a step means is in
//! [`steps`]; who plays it is a [`Player`].
//!
//! `SCENARIOS=decided,options` in the environment plays the files of these names alone:
//!
//! ```sh
//! SCENARIOS=decided cargo test -p loyalty-tests --test suite every_scenario
//! SCENARIOS=decided cargo test -p thang-hang --test product every_scenario
//! ```

mod in_process;
mod steps;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use gherkin::{Background, Feature, GherkinEnv, Step};

pub use in_process::InProcess;

/// Where a member stands, as far as scenarios ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub redeemable: i64,
    pub qualifying: i64,
    pub pending: i64,
    /// The name customers see.
    pub tier: String,
    pub orders: i64,
    /// Đồng.
    pub spent: i64,
    /// Name of the next tier, qualifying points and đồng to it.
    pub next: Option<(String, i64, i64)>,
    /// Campaign, orders credited, orders granted, and how it stands.
    pub participations: Vec<(String, i64, i64, String)>,
    /// Đồng.
    pub wallet: i64,
}

/// One movement, as far as scenarios ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    pub kind: String,
    pub redeemable: i64,
    pub qualifying: i64,
    pub order_id: Option<String>,
    pub rule: String,
    pub programme_version: String,
}

/// Somebody who can play a scenario: an installation of the product with one programme. Its schedules run as time passes
/// from one step to the next.
pub trait Player: Sized {
    /// An empty installation running the programme.
    fn start(programme: &str, now: DateTime<Utc>) -> impl Future<Output = Self>;

    /// Delivers a webhook of the generic shop and waits until it is decided, or kept where the programme is paused.
    fn deliver(&mut self, webhook_id: &str, body: &str, now: DateTime<Utc>) -> impl Future<Output = ()>;

    /// Decides what a pause has kept.
    fn take_up(&mut self, now: DateTime<Utc>) -> impl Future<Output = ()>;

    /// Whether the generic door takes a webhook. What it refuses leaves nothing behind.
    fn offer(&mut self, webhook_id: &str, body: &str, now: DateTime<Utc>) -> impl Future<Output = bool>;

    /// A member spends points at once; whether they had enough.
    fn spend(&mut self, phone: &str, points: i64, now: DateTime<Utc>) -> impl Future<Output = bool>;

    /// A member pays đồng into the wallet.
    fn top_up(&mut self, phone: &str, amount: i64, now: DateTime<Utc>) -> impl Future<Output = ()>;

    /// The vouchers a member was given: of each its name and its state.
    fn vouchers(&mut self, phone: &str, now: DateTime<Utc>) -> impl Future<Output = Vec<(String, String)>>;

    /// Uses a member's voucher of this name.
    fn use_voucher(&mut self, phone: &str, name: &str, now: DateTime<Utc>) -> impl Future<Output = ()>;

    /// The templates of the messages that were written to a member, one for each message, in any order.
    fn told(&mut self, phone: &str, now: DateTime<Utc>) -> impl Future<Output = Vec<String>>;

    /// `None` when there is no such member.
    fn standing(&mut self, phone: &str, now: DateTime<Utc>) -> impl Future<Output = Option<Standing>>;

    /// Oldest first.
    fn history(&mut self, phone: &str, now: DateTime<Utc>) -> impl Future<Output = Vec<Movement>>;

    /// The scenario is over.
    fn end(self) -> impl Future<Output = ()>;
}

/// Plays every scenario of every file with a fresh installation each and returns their names.
///
/// # Panics
/// When a step does not hold or cannot be understood: the message names file, scenario, line and step. When scenarios went
/// missing.
pub async fn play_all<P: Player>() -> Vec<String> {
    let mut played = Vec::new();
    let only = std::env::var("SCENARIOS").ok();
    for file in files(only.as_deref()) {
        let feature = Feature::parse_path(&file, GherkinEnv::default())
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for scenario in feature.scenarios.iter().chain(feature.rules.iter().flat_map(|rule| &rule.scenarios)) {
            for row in examples(scenario) {
                let name = format!("{}: {}{row:?}", feature.name, scenario.name);
                let mut stage = steps::Stage::<P>::new();
                let background = feature.background.iter().flat_map(|Background { steps, .. }| steps);
                for step in background.chain(&scenario.steps) {
                    let step = filled(step, &row);
                    let line = step.position.line;
                    if let Err(why) = stage.play(&step).await {
                        panic!("{}:{line}: {name}\n  {} {}\n  {why}", file.display(), step.keyword.trim(), step.value);
                    }
                }
                stage.end().await;
                played.push(name);
            }
        }
    }
    let least = if only.is_some() { 1 } else { SCENARIOS_MIN };
    assert!(played.len() >= least, "scenarios went missing: {played:#?}");
    played
}

/// There are more; fewer are a mistake of whoever looks for them.
const SCENARIOS_MIN: usize = 120;

/// The feature files, or those of the names in a list with commas.
fn files(only: Option<&str>) -> Vec<PathBuf> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(directory).expect("tests/scenarios is there").map(|file| file.unwrap().path()).collect();
    let named = |file: &PathBuf| {
        let name = file.file_stem().and_then(|name| name.to_str());
        only.is_none_or(|only| only.split(',').any(|wanted| Some(wanted.trim()) == name))
    };
    files.retain(named);
    files.sort();
    files
}

type Row = Vec<(String, String)>;

/// The rows of a scenario's examples, or one empty row where it has none.
fn examples(scenario: &gherkin::Scenario) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in scenario.examples.iter().filter_map(|examples| examples.table.as_ref()) {
        let (names, values) = table.rows.split_first().expect("examples have a header");
        for row in values {
            rows.push(names.iter().cloned().zip(row.iter().cloned()).collect());
        }
    }
    if rows.is_empty() { vec![Row::new()] } else { rows }
}

fn filled(step: &Step, row: &Row) -> Step {
    let mut step = step.clone();
    for (name, value) in row {
        let name = format!("<{name}>");
        step.value = step.value.replace(&name, value);
        step.docstring = step.docstring.map(|text| text.replace(&name, value));
    }
    step
}
