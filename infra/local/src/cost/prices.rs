//! What AWS asks for, as `infra/prices.toml` says it.

use serde::Deserialize;

/// One price.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    pub usd: f64,
    /// Of so many units.
    pub per: u64,
    pub unit: String,
    /// When the source said so, `YYYY-MM-DD`, and which source; both or neither.
    pub read: Option<String>,
    pub source: Option<String>,
    /// Where to look it up.
    #[serde(default)]
    pub note: String,
}

impl Price {
    pub fn possible(&self) -> bool {
        self.usd.is_finite() && self.usd >= 0.0 && self.per > 0
    }

    /// What so many units cost.
    pub fn of(&self, units: f64) -> f64 {
        units * self.usd / self.per as f64
    }
}

macro_rules! prices {
    ($($name:ident,)+) => {
        /// The prices of one region.
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Prices {
            pub region: String,
            $(pub $name: Price,)+
        }

        impl Prices {
            pub fn all(&self) -> Vec<(&'static str, &Price)> {
                vec![$((stringify!($name), &self.$name),)+]
            }
        }
    };
}

prices! {
    dynamodb_write,
    dynamodb_read,
    dynamodb_storage,
    dynamodb_backup,
    lambda_gb_second,
    lambda_request,
    http_request,
    sqs_request,
    bus_event,
    log_ingest,
    log_storage,
    metric,
    alarm,
    secret,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_costs_less_than_nothing() {
        let price = |usd, per| Price { usd, per, unit: String::new(), read: None, source: None, note: String::new() };
        assert!(price(0.0, 1).possible() && price(1.25, 1_000_000).possible());
        assert!(!price(-1.0, 1).possible() && !price(f64::NAN, 1).possible() && !price(1.0, 0).possible());
    }
}
