//! What an operator watches: figures that the log service turns into metrics (CloudWatch's embedded metric format). A
//! figure is a line of the log and no call, and no line says whom it counts.
//!
//! Every metric here costs the shop money each month it is written in, so there are few of them, and one dimension: the
//! tier, of which a programme has few. What a function does again is counted again: these are figures to watch, the books
//! are what is true.

use std::io::Write;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

/// The variable that names the namespace of the metrics; without it none are written.
pub const METRICS_NAMESPACE: &str = "METRICS_NAMESPACE";

/// The dimension of [`Metric::MembersInTier`].
pub const TIER: &str = "Tier";

/// Tiers of which a figure is written; a programme has no more.
pub const TIERS_MAX: usize = 20;

/// Declares the metrics, each with what it counts.
macro_rules! metrics {
    ($($(#[doc = $doc:literal])* $name:ident,)+) => {
        /// A metric. All are counts; those of points count points.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric {
            $($(#[doc = $doc])* $name,)+
        }

        impl Metric {
            pub const ALL: [Self; [$(stringify!($name)),+].len()] = [$(Self::$name),+];

            /// As CloudWatch knows it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }
        }
    };
}

metrics! {
    /// Versions of orders that said something new.
    OrdersIn,
    /// Redeemable points that members were given, for whatever reason.
    PointsOut,
    /// Redeemable points that were taken back: an order was undone, or an operator took them.
    PointsReversed,
    /// Redeemable points that members spent, less what came back.
    PointsSpent,
    /// Redeemable points that expired.
    PointsExpired,
    TiersRaised,
    TiersLowered,
    /// Members newly enrolled in a campaign.
    CampaignEnrolled,
    /// Orders that a campaign credited.
    CampaignCredited,
    /// Participations that ended in the tier that the campaign helps to reach.
    CampaignPromoted,
    /// Participations that were used up before.
    CampaignExhausted,
    VouchersIssued,
    VouchersUsed,
    MessagesSent,
    MessagesFailed,
    MessagesSkipped,
    /// Messages of which nobody knows whether they arrived.
    MessagesUnknown,
    /// Rows that the nightly proof found broken; zero says that it ran and found none.
    VerifyFindings,
    /// Redeemable points that members may still spend: what the shop owes them.
    PointsOutstanding,
    /// Members, by tier.
    MembersInTier,
}

/// Counts of one invocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally([i64; Metric::ALL.len()]);

impl Tally {
    /// What is beyond 64 bits is counted as their greatest number: a figure must not stop what it counts.
    pub fn add(&mut self, metric: Metric, count: impl TryInto<i64>) {
        let known = &mut self.0[metric as usize];
        *known = known.saturating_add(count.try_into().unwrap_or(i64::MAX));
    }

    pub fn of(&self, metric: Metric) -> i64 {
        self.0[metric as usize]
    }

    pub fn merge(&mut self, other: &Self) {
        Metric::ALL.into_iter().for_each(|metric| self.add(metric, other.of(metric)));
    }

    /// What was counted: no metric stands here with nothing.
    fn counted(&self) -> Vec<(Metric, i64)> {
        Metric::ALL.into_iter().map(|metric| (metric, self.of(metric))).filter(|(_, count)| *count != 0).collect()
    }
}

/// What this process has counted and not written yet. An instance of a function works one invocation at a time.
static COUNTED: Mutex<Tally> = Mutex::new(Tally([0; Metric::ALL.len()]));
static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::of_process);

/// Counts something that is done.
pub fn count(metric: Metric, count: impl TryInto<i64>) {
    COUNTED.lock().unwrap_or_else(PoisonError::into_inner).add(metric, count);
}

/// Counts all of a tally.
pub fn count_all(tally: &Tally) {
    COUNTED.lock().unwrap_or_else(PoisonError::into_inner).merge(tally);
}

/// What was counted since it was last asked.
pub fn take() -> Tally {
    std::mem::take(&mut COUNTED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// At the end of an invocation: writes what it counted, in one line, to where the environment of the process says.
pub fn flush() {
    METRICS.count(&take());
}

/// Where a function's metrics go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    namespace: Option<String>,
}

impl Metrics {
    /// To a namespace; nowhere without one, or with a blank one.
    pub fn to(namespace: Option<String>) -> Self {
        Self { namespace: namespace.filter(|namespace| !namespace.trim().is_empty()) }
    }

    /// To the namespace that the environment of the process names.
    pub fn of_process() -> Self {
        Self::to(std::env::var(METRICS_NAMESPACE).ok())
    }

    /// Writes what was counted, in one line; nothing where there is nothing.
    pub fn count(&self, tally: &Tally) {
        let counted = tally.counted();
        if !counted.is_empty() {
            self.say(&counted, None);
        }
    }

    /// Writes figures as they are, zeros too.
    pub fn say(&self, figures: &[(Metric, i64)], tier: Option<&str>) {
        let Some(namespace) = &self.namespace else { return };
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let mut line = line(namespace, since, figures, tier).to_string();
        line.push('\n');
        // One write, so that no other line comes between. A figure that cannot be written is lost: the work is done.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}

/// A line of the format: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.
pub fn line(namespace: &str, since_epoch: Duration, figures: &[(Metric, i64)], tier: Option<&str>) -> Value {
    let metrics: Vec<_> = figures.iter().map(|(metric, _)| json!({"Name": metric.name(), "Unit": "Count"})).collect();
    let dimensions: Vec<_> = tier.map(|_| TIER).into_iter().collect();
    let mut line = Map::new();
    let directive = json!({"Namespace": namespace, "Dimensions": [dimensions], "Metrics": metrics});
    let timestamp = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
    line.insert("_aws".to_owned(), json!({"Timestamp": timestamp, "CloudWatchMetrics": [directive]}));
    line.extend(tier.map(|tier| (TIER.to_owned(), tier.into())));
    line.extend(figures.iter().map(|(metric, figure)| (metric.name().to_owned(), (*figure).into())));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_millis(1_764_115_200_123);

    /// What the specification asks of a line, read from the specification and not from the code above.
    fn valid(line: &str) -> Result<(), String> {
        let root: Map<String, Value> = serde_json::from_str(line).map_err(|error| error.to_string())?;
        if line.contains('\n') || line.len() > 1_000_000 {
            return Err("not one line of a log event".to_owned());
        }
        let aws = root.get("_aws").and_then(Value::as_object).ok_or("no _aws")?;
        if aws
            .get("Timestamp")
            .and_then(Value::as_u64)
            .is_none_or(|at| !(1_000_000_000_000..10_000_000_000_000).contains(&at))
        {
            return Err("Timestamp is no instant in milliseconds".to_owned());
        }
        let directives = aws.get("CloudWatchMetrics").and_then(Value::as_array).ok_or("no CloudWatchMetrics")?;
        for directive in directives {
            let namespace = directive["Namespace"].as_str().unwrap_or_default();
            let plain = |c: char| c.is_ascii_alphanumeric() || ".-_/#:".contains(c);
            if namespace.is_empty() || namespace.len() > 255 || !namespace.chars().all(plain) {
                return Err(format!("Namespace {namespace:?}"));
            }
            let sets = directive["Dimensions"].as_array().ok_or("no Dimensions")?;
            if sets.is_empty() {
                return Err("no set of dimensions".to_owned());
            }
            for key in sets.iter().flat_map(|set| set.as_array().into_iter().flatten()) {
                let key = key.as_str().ok_or("a dimension is no text")?;
                let value = root.get(key).and_then(Value::as_str).ok_or_else(|| format!("no value of {key}"))?;
                if value.trim().is_empty() || value.len() > 1024 || !value.is_ascii() {
                    return Err(format!("the value of {key}"));
                }
            }
            if sets.iter().any(|set| set.as_array().is_none_or(|set| set.len() > 30)) {
                return Err("a set of dimensions is no list of at most 30".to_owned());
            }
            let metrics = directive["Metrics"].as_array().ok_or("no Metrics")?;
            if metrics.is_empty() || metrics.len() > 100 {
                return Err("between one and 100 metrics".to_owned());
            }
            for metric in metrics {
                let name = metric["Name"].as_str().filter(|name| !name.is_empty() && name.len() <= 1024);
                let name = name.ok_or("a metric without a name")?;
                if metric["Unit"] != "Count" {
                    return Err(format!("the unit of {name}"));
                }
                root.get(name).filter(|value| value.is_number()).ok_or_else(|| format!("no figure of {name}"))?;
            }
        }
        Ok(())
    }

    #[test]
    fn every_metric_makes_a_valid_line() {
        for metric in Metric::ALL {
            let tier = (metric == Metric::MembersInTier).then_some("gold");
            for figure in [0, 1, i64::MAX, i64::MIN] {
                let line = line("loyalty", NOW, &[(metric, figure)], tier).to_string();
                valid(&line).unwrap_or_else(|problem| panic!("{problem}: {line}"));
            }
        }
        let all: Vec<_> = Metric::ALL.into_iter().map(|metric| (metric, 7)).collect();
        valid(&line("loyalty", NOW, &all, None).to_string()).unwrap();
    }

    /// The check above finds what is wrong.
    #[test]
    fn a_line_that_is_not_valid_is_noticed() {
        let good = line("loyalty", NOW, &[(Metric::MembersInTier, 3)], Some("gold"));
        for (pointer, wrong) in [
            ("/_aws/Timestamp", json!(1_764_115_200)),
            ("/_aws/Timestamp", json!("2026-11-26")),
            ("/_aws/CloudWatchMetrics/0/Namespace", json!("")),
            ("/_aws/CloudWatchMetrics/0/Namespace", json!("a shop's")),
            ("/_aws/CloudWatchMetrics/0/Dimensions", json!([])),
            ("/_aws/CloudWatchMetrics/0/Dimensions", json!([["Member"]])),
            ("/_aws/CloudWatchMetrics/0/Metrics", json!([])),
            ("/_aws/CloudWatchMetrics/0/Metrics/0/Name", json!("Other")),
            ("/_aws/CloudWatchMetrics/0/Metrics/0/Unit", json!("Points")),
            ("/Tier", json!(" ")),
            ("/MembersInTier", json!("3")),
        ] {
            let mut line = good.clone();
            *line.pointer_mut(pointer).unwrap() = wrong.clone();
            assert!(valid(&line.to_string()).is_err(), "{pointer} = {wrong}");
        }
    }

    #[test]
    fn a_tally_says_what_was_counted_and_never_overflows() {
        let mut tally = Tally::default();
        assert_eq!(tally.counted(), []);
        tally.add(Metric::OrdersIn, 2);
        tally.add(Metric::OrdersIn, 1_usize);
        tally.add(Metric::PointsOut, i64::MAX);
        tally.add(Metric::PointsOut, u64::MAX);
        assert_eq!(tally.counted(), [(Metric::OrdersIn, 3), (Metric::PointsOut, i64::MAX)]);
    }

    /// $0.30 a month each: the figures of all functions, and four tiers.
    #[test]
    fn there_are_few_of_them() {
        assert!(Metric::ALL.len() - 1 + 4 <= 25);
        let mut names = Metric::ALL.map(Metric::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Metric::ALL.len());
    }

    #[test]
    fn without_a_namespace_nothing_is_written() {
        assert_eq!(Metrics::to(Some(" ".to_owned())), Metrics::default());
        assert_eq!(Metrics::to(Some("loyalty".to_owned())).namespace.as_deref(), Some("loyalty"));
    }
}
