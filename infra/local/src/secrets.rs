//! The secrets functions need on this machine, where the cloud has a secret store.
//!
//! Development secrets are public on purpose and good for nothing but this machine; one set in the
//! environment always wins.

use std::collections::BTreeMap;

/// A webhook secret with the value used when the environment has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DevelopmentSecret {
    pub variable: &'static str,
    pub value: &'static str,
}

/// `whsec_` and the base64 of 24 bytes, as the Standard Webhooks specification asks.
pub const STANDARD_SECRET: &str = "whsec_dGhhbmctaGFuZy1kZXZlbG9wbWVudC1zZWNyZXQ=";

const fn secret(variable: &'static str, value: &'static str) -> DevelopmentSecret {
    DevelopmentSecret { variable, value }
}

/// Every secret a shop's webhooks may need.
pub const DEVELOPMENT_SECRETS: [DevelopmentSecret; 9] = [
    secret("WEBHOOK_SECRET_STANDARD", STANDARD_SECRET),
    secret("WEBHOOK_SECRET_SHOPIFY", "development-secret-shopify"),
    secret("WEBHOOK_SECRET_WOOCOMMERCE", "development-secret-woocommerce"),
    secret("WEBHOOK_SECRET_HARAVAN", "development-secret-haravan"),
    secret("WEBHOOK_SECRET_SAPO", "development-secret-sapo"),
    secret("WEBHOOK_SECRET_KIOTVIET", "development-secret-kiotviet"),
    secret("WEBHOOK_SECRET_PANCAKE", "development-secret-pancake"),
    secret("WEBHOOK_SECRET_NHANH", "development-secret-nhanh"),
    secret("WEBHOOK_VERIFY_TOKEN_HARAVAN", "development-token-haravan"),
];

/// The secrets in use.
#[derive(Debug, Clone)]
pub struct Secrets {
    values: BTreeMap<&'static str, String>,
    /// Those that fell back to the development value.
    pub defaults: Vec<DevelopmentSecret>,
}

impl Secrets {
    /// Takes each secret from `lookup` (the environment), or its development value.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let mut values = BTreeMap::new();
        let mut defaults = Vec::new();
        for development in DEVELOPMENT_SECRETS {
            let given = lookup(development.variable).filter(|value| !value.is_empty());
            let value = given.unwrap_or_else(|| {
                defaults.push(development);
                development.value.to_owned()
            });
            values.insert(development.variable, value);
        }
        Self { values, defaults }
    }

    /// A secret by the name of its variable.
    pub fn get(&self, variable: &str) -> Option<&str> {
        self.values.get(variable).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;

    #[test]
    fn the_environment_wins_and_the_rest_is_reported() {
        let secrets = Secrets::from_lookup(|name| (name == "WEBHOOK_SECRET_SHOPIFY").then(|| "mine".to_owned()));
        assert_eq!(secrets.get("WEBHOOK_SECRET_SHOPIFY"), Some("mine"));
        assert_eq!(secrets.get("WEBHOOK_SECRET_STANDARD"), Some(STANDARD_SECRET));
        assert_eq!(secrets.defaults.len(), DEVELOPMENT_SECRETS.len() - 1);
    }

    #[test]
    fn the_standard_secret_is_one_the_specification_allows() {
        let key = STANDARD_SECRET.strip_prefix("whsec_").unwrap();
        let key = base64::engine::general_purpose::STANDARD.decode(key).unwrap();
        assert!((24..=64).contains(&key.len()), "{}", key.len());
    }
}
