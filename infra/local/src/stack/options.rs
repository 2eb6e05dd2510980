//! What a stack is started with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use loyalty_contract::programme::ProgrammeFile;
use loyalty_messaging::faults;

use crate::error::{Context, Result, StackError};
use crate::zalo::Zalo;

/// Where the data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// Kept here between starts.
    Directory(PathBuf),
    /// In a temporary directory that is deleted at the end.
    Ephemeral,
}

/// What a stack is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// HTTP port; 0 takes a free one.
    pub port: u16,
    /// DynamoDB port; 0 takes a free one.
    pub dynamodb_port: u16,
    /// Port of SQS, EventBridge and the Runtime API; 0 takes a free one.
    pub services_port: u16,
    pub data: Data,
    pub programme: PathBuf,
    /// Begins every table's name.
    pub table_prefix: String,
    /// Overrides the programme's settle delay; 0 is allowed here.
    pub settle_seconds: Option<u32>,
    /// Where to set the stack's clock, in milliseconds since 1970.
    pub clock_ms: Option<i64>,
    pub template: PathBuf,
    /// The cargo workspace the functions are built in.
    pub workspace: PathBuf,
    /// Binaries that are built already, by name; any other is built with cargo.
    pub executables: BTreeMap<String, PathBuf>,
    /// Variables for every function, on top of the template's.
    pub environment: BTreeMap<String, String>,
    /// Whom messages are sent through.
    pub zalo: Zalo,
    /// Which of the template's schedules fire by themselves, by name; each can be fired by hand all the same.
    pub schedules: fn(&str) -> bool,
    /// Whether new messages are sent; otherwise they stay pending.
    pub sends: bool,
}

/// SQS's longest delay.
const SETTLE_SECONDS_MAX: u32 = 900;

impl Options {
    /// An ephemeral stack of a workspace on free ports.
    pub fn ephemeral(workspace: &Path) -> Self {
        Self {
            port: 0,
            dynamodb_port: 0,
            services_port: 0,
            data: Data::Ephemeral,
            programme: default_programme(workspace),
            table_prefix: "loyalty-".to_owned(),
            settle_seconds: None,
            clock_ms: None,
            template: workspace.join("infra/template.yaml"),
            workspace: workspace.to_owned(),
            executables: BTreeMap::new(),
            environment: BTreeMap::new(),
            zalo: Zalo::StandIn,
            schedules: |_| true,
            sends: true,
        }
    }

    /// The programme, whose messages can be sent as well.
    ///
    /// # Errors
    /// Every problem of its file: no function could start with it.
    pub fn programme(&self) -> Result<ProgrammeFile> {
        let programme = read_programme(&self.programme)?;
        let faults: Vec<String> =
            programme.versions().iter().flat_map(faults).map(|fault| format!("\n  {fault}")).collect();
        if !faults.is_empty() {
            let shown = self.programme.display();
            return Err(StackError::new(format!("the messages of {shown} cannot go live:{}", faults.concat())));
        }
        Ok(programme)
    }

    /// Refuses what the tables could not be named with, and what no queue can delay.
    pub fn check(&self) -> Result<()> {
        if let Some(seconds) = self.settle_seconds.filter(|seconds| *seconds > SETTLE_SECONDS_MAX) {
            return Err(StackError::new(format!(
                "a settle delay of {seconds} seconds is too long; SQS allows {SETTLE_SECONDS_MAX}"
            )));
        }
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if self.table_prefix.is_empty() || !self.table_prefix.chars().all(allowed) {
            return Err(StackError::new(format!(
                "the table prefix “{}” must be made of letters, digits, - _ and .",
                self.table_prefix
            )));
        }
        Ok(())
    }
}

/// The preset used when no programme is named.
pub fn default_programme(workspace: &Path) -> PathBuf {
    workspace.join("infra/programmes/cnv-retail.toml")
}

/// Reads a programme file.
///
/// # Errors
/// Every problem of it.
pub fn read_programme(file: &Path) -> Result<ProgrammeFile> {
    let text = std::fs::read_to_string(file)
        .context(|| format!("cannot read the programme {}; name another with --programme FILE", file.display()))?;
    ProgrammeFile::parse(&text).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(|problem| format!("\n  {problem}")).collect();
        StackError::new(format!("the programme {} cannot go live:{}", file.display(), problems.concat()))
    })
}
