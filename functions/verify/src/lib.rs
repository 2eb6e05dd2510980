//! Every night the books are proved: the same verifier as on the command line, over the tables as they are.
//!
//! It writes nothing and its role may write nothing. What it finds broken is logged by table and key, never by content, and
//! counted in a metric that an alarm watches; so is that it ran. A proof that is not finished is an error, whatever it
//! had found by then: what was not read is not proved, and is never said to be.

use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::Client;
use loyalty_audit::{Counts, Report, Table};
use loyalty_runtime::config::{ConfigError, Environment};
use loyalty_runtime::metrics::{Metric, Metrics, TIERS_MAX};
use loyalty_verify::{ReadError, Watch, prove};
use serde::Serialize;

/// Broken rows that are named in the log; all of them are counted.
const FINDINGS_LOGGED_MAX: usize = 100;
/// What is left of the invocation's time when it gives up by itself, so that the log says why.
const GIVE_UP_BEFORE: Duration = Duration::from_secs(10);
/// A page is 1 MB and nobody waits for it: each is tried longer and more often than a call of another function.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const ATTEMPTS_MAX: u32 = 8;

/// What the function needs, made once and borrowed by every call.
#[derive(Clone, Debug)]
pub struct Verify {
    pub client: Client,
    pub table_prefix: String,
    pub metrics: Metrics,
}

/// Why the books are not proved.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("the tables cannot be read, after {rows} rows")]
    Read {
        rows: u64,
        #[source]
        source: ReadError,
    },
    /// What a first reading found is not confirmed, and not dismissed either.
    #[error(
        "the proof is not finished within the function's time: {rows} rows were read up to {table}, and {unconfirmed} \
         looked broken at a first reading; run `verify` from a machine"
    )]
    OutOfTime { rows: u64, table: &'static str, unconfirmed: u64 },
}

/// What a night's proof came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proved {
    pub findings: u64,
    pub rows: u64,
}

#[derive(Default)]
struct Progress {
    rows: u64,
    table: &'static str,
    unconfirmed: u64,
}

impl Watch for Progress {
    fn rows(&mut self, table: Table, rows: usize) {
        self.rows += rows as u64;
        self.table = table.name();
    }

    fn again(&mut self, findings: u64) {
        tracing::warn!(findings, "rows look broken; everything is read again");
        self.unconfirmed = findings;
    }
}

impl Verify {
    /// Reads the environment and builds the client.
    ///
    /// # Errors
    /// [`ConfigError`] naming what is missing or wrong.
    pub async fn from_environment() -> Result<Self, ConfigError> {
        let environment = Environment::of_process();
        let sdk = loyalty_runtime::aws::sdk_config().await;
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
        let config = aws_sdk_dynamodb::config::Builder::from(&sdk)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX));
        Ok(Self {
            client: Client::from_conf(config.build()),
            table_prefix: environment.table_prefix()?,
            metrics: Metrics::of_process(),
        })
    }

    /// Proves the books and says what is broken. Findings are an answer and no error: trying again would find them again.
    ///
    /// # Errors
    /// [`VerifyError`] when they could not be read to the end in time.
    pub async fn answer(&self, deadline: SystemTime) -> Result<Proved, VerifyError> {
        let left = deadline.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO);
        let mut progress = Progress::default();
        let proving = prove(&self.client, &self.table_prefix, &mut progress);
        let proved = tokio::time::timeout(left.saturating_sub(GIVE_UP_BEFORE), proving).await;
        let Progress { rows, table, unconfirmed } = progress;
        match proved {
            Ok(Ok(report)) => Ok(self.report(&report)),
            Ok(Err(source)) => Err(VerifyError::Read { rows, source }),
            Err(_) => Err(VerifyError::OutOfTime { rows, table, unconfirmed }),
        }
    }

    fn report(&self, report: &Report) -> Proved {
        let findings = report.found();
        let Counts { members, entries, orders, participations, requests, vouchers, messages, contacts, zalo_users } =
            report.counts;
        let rows = members + entries + orders + participations + requests + vouchers + messages + contacts + zalo_users;
        tracing::info!(
            findings,
            members,
            entries,
            orders,
            participations,
            requests,
            vouchers,
            messages,
            contacts,
            zalo_users,
            "the books are read"
        );
        if !report.unproved.is_empty() {
            let members = report.unproved.len();
            tracing::warn!(members, "members were written during every reading, and are not proved");
        }
        let mut broken: Vec<_> = report.findings.iter().map(|found| (found.table.name(), found.key.as_str())).collect();
        broken.dedup();
        for (table, key) in broken.iter().take(FINDINGS_LOGGED_MAX) {
            tracing::error!(table, key, "a row is broken; `verify` says how");
        }
        for (figures, tier) in figures(report) {
            self.metrics.say(&figures, tier);
        }
        Proved { findings, rows }
    }
}

/// Figures, and the tier that they are of.
pub type Figures<'a> = (Vec<(Metric, i64)>, Option<&'a str>);

/// The figures of a night: of all members together, then of each tier. Zero findings is a figure too: it says that the
/// proof ran.
pub fn figures(report: &Report) -> Vec<Figures<'_>> {
    fn most<N: TryInto<i64>>(number: N) -> i64 {
        number.try_into().unwrap_or(i64::MAX)
    }
    let outstanding = most(report.standing.outstanding_points);
    let all = vec![(Metric::VerifyFindings, most(report.found())), (Metric::PointsOutstanding, outstanding)];
    let mut figures = vec![(all, None)];
    for (tier, members) in report.standing.tiers.iter().take(TIERS_MAX) {
        figures.push((vec![(Metric::MembersInTier, most(*members))], Some(tier.as_str())));
    }
    figures
}
