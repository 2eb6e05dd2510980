//! What `infra/template.yaml` says, as the local stack needs it.
//!
//! The template is the only source of tables, queues, wiring and schedules, so the stack on this
//! machine and the one in the cloud cannot drift apart. Anything in it that the local stack does
//! not understand is an error naming its path: nothing is skipped in silence.

mod events;
mod read;
mod resolve;
mod yaml;

use std::collections::BTreeMap;
use std::path::Path;

pub use resolve::{ACCOUNT, Locality, REGION};

use crate::error::{Context, Result};

/// Everything the template deploys that has a counterpart on this machine.
#[derive(Debug, Clone, Default)]
pub struct Template {
    pub tables: Vec<Table>,
    pub queues: Vec<Queue>,
    pub buses: Vec<String>,
    pub functions: Vec<Function>,
    pub routes: Vec<Route>,
    pub cors: Option<Cors>,
    pub queue_sources: Vec<QueueSource>,
    pub stream_sources: Vec<StreamSource>,
    pub rules: Vec<Rule>,
    pub schedules: Vec<Schedule>,
}

/// What web pages of other origins may do at the HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    pub methods: Vec<String>,
    pub headers: Vec<String>,
    pub max_age_seconds: u32,
}

/// A DynamoDB table.
#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    /// The body of the `CreateTable` request.
    pub create: serde_json::Value,
    /// The attribute TTL looks at, if any.
    pub time_to_live: Option<String>,
}

/// An SQS queue; times in seconds as in the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    pub name: String,
    pub delay_seconds: u32,
    pub visibility_seconds: u32,
    pub redrive: Option<Redrive>,
}

/// Where a message goes after it was received `receives_max` times in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    pub queue: String,
    pub receives_max: u32,
}

/// A Lambda function built from a binary of this workspace.
#[derive(Debug, Clone)]
pub struct Function {
    /// The cargo binary, which is also what the local stack calls the function.
    pub binary: String,
    pub timeout_seconds: u32,
    pub memory_mb: u32,
    /// The value is `None` where it comes from a secret store that only exists in the cloud:
    /// the local stack has to supply it.
    pub environment: BTreeMap<String, Option<String>>,
}

/// A route of the HTTP API.
#[derive(Debug, Clone)]
pub struct Route {
    /// Upper case, or `ANY`.
    pub method: String,
    /// As in the template: `/members/{member_id}`.
    pub path: String,
    pub function: String,
}

/// A queue that invokes a function.
#[derive(Debug, Clone)]
pub struct QueueSource {
    pub queue: String,
    pub function: String,
    pub batch_size: u32,
    pub partial_responses: bool,
    /// How many batches may be under way at once.
    pub concurrency_max: Option<u32>,
}

/// A table's stream that invokes a function.
#[derive(Debug, Clone)]
pub struct StreamSource {
    pub table: String,
    pub function: String,
    /// Patterns of records that the function is given; all of them where there is none.
    pub filters: Vec<serde_json::Value>,
    pub batch_size: u32,
    pub partial_responses: bool,
    pub bisect: bool,
    /// Retries after the first attempt; `None` means for as long as the records live.
    pub retries_max: Option<u32>,
    pub record_age_seconds_max: Option<u32>,
    /// The queue that is told about records that were given up.
    pub on_failure: Option<String>,
}

/// Where a rule or a schedule delivers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Function(String),
    Queue(String),
}

/// A delivery with its retries, as EventBridge and its scheduler describe them.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub target: Target,
    pub retries_max: u32,
    pub dead_letters: Option<String>,
}

/// A rule of the bus.
#[derive(Debug, Clone)]
pub struct Rule {
    pub name: String,
    pub bus: String,
    pub pattern: serde_json::Value,
    pub deliveries: Vec<Delivery>,
}

/// A schedule.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub name: String,
    /// `cron(…)`, `rate(…)` or `at(…)`.
    pub expression: String,
    /// IANA name.
    pub time_zone: String,
    /// The payload, with the scheduler's `<aws.scheduler.…>` placeholders still in it.
    pub input: Option<String>,
    pub enabled: bool,
    pub delivery: Delivery,
}

/// A template as plain JSON, with every short tag (`!Ref`) in its long form and nothing resolved.
///
/// # Errors
/// For what is no YAML, and for a tag that is not known.
pub fn document(text: &str) -> Result<serde_json::Value> {
    let document: serde_yaml_ng::Value = serde_yaml_ng::from_str(text).context(|| "not readable as YAML".to_owned())?;
    yaml::normalise(document, "")
}

impl Template {
    /// Reads a template file.
    ///
    /// # Errors
    /// Names the file, and the path inside it, of the first thing that cannot be understood.
    pub fn load(file: &Path, locality: Locality) -> Result<Self> {
        let text = std::fs::read_to_string(file).context(|| format!("cannot read the template {}", file.display()))?;
        Self::parse(&text, locality).context(|| format!("in the template {}", file.display()))
    }

    /// The cargo binaries of all functions of a template file.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn binaries(file: &Path) -> Result<Vec<String>> {
        // No name that depends on the place is asked for.
        let locality = Locality {
            parameters: BTreeMap::new(),
            mapped: BTreeMap::new(),
            stack_name: "loyalty".to_owned(),
            services_url: String::new(),
        };
        Ok(Self::load(file, locality)?.functions.into_iter().map(|function| function.binary).collect())
    }

    /// [`Self::load`] of text that is already in memory.
    pub fn parse(text: &str, locality: Locality) -> Result<Self> {
        Self::of(document(text)?, locality)
    }

    /// [`Self::parse`] of a [`document`].
    ///
    /// # Errors
    /// Names the path of the first thing that cannot be understood.
    pub fn of(document: serde_json::Value, locality: Locality) -> Result<Self> {
        read::template(&resolve::Resolver::new(document, locality))
    }

    /// The queues that dead letters end in: every redrive target and on-failure destination.
    pub fn dead_letter_queues(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .queues
            .iter()
            .filter_map(|queue| Some(queue.redrive.as_ref()?.queue.clone()))
            .chain(self.stream_sources.iter().filter_map(|source| source.on_failure.clone()))
            .chain(self.deliveries().filter_map(|delivery| delivery.dead_letters.clone()))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        let rules = self.rules.iter().flat_map(|rule| &rule.deliveries);
        rules.chain(self.schedules.iter().map(|schedule| &schedule.delivery))
    }
}
