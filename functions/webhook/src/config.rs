//! What the door reads from its environment, once, before the first delivery.
//!
//! `ORDER_QUEUE_URL`, `ORDER_DEAD_LETTER_QUEUE_URL`, `PROGRAMME_FILE`, and for each shop that is connected
//! `WEBHOOK_SECRET_…`: one secret, or two separated by a space or a comma while they are changed over.

use std::collections::BTreeMap;

use loyalty_contract::programme::ProgrammeFile;
use loyalty_contract::queue::Source;
use loyalty_signatures::Secrets;

use crate::door::Door;
use crate::keys::Key;

/// The addresses of the two queues.
#[derive(Clone, Debug)]
pub struct Queues {
    pub orders: String,
    pub dead_letters: String,
}

/// Everything the function needs.
pub struct Config {
    pub door: Door,
    pub queues: Queues,
}

/// Why the function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{0} is not set")]
    Missing(&'static str),
    #[error("{path} cannot be read")]
    File { path: String, source: std::io::Error },
    #[error("{path}: {problems}")]
    Programme { path: String, problems: String },
}

impl Config {
    /// # Errors
    /// [`ConfigError`]; never for a shop's secret: one bad secret must not close the other shops' doors.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var(name).ok(), |path| std::fs::read_to_string(path))
    }

    /// # Errors
    /// As [`Config::from_env`].
    pub fn from_lookup(
        variable: impl Fn(&str) -> Option<String>,
        read: impl Fn(&str) -> std::io::Result<String>,
    ) -> Result<Self, ConfigError> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let needed = |name: &'static str| variable(name).ok_or(ConfigError::Missing(name));
        let queues =
            Queues { orders: needed("ORDER_QUEUE_URL")?, dead_letters: needed("ORDER_DEAD_LETTER_QUEUE_URL")? };
        let path = needed("PROGRAMME_FILE")?;
        let text = read(&path).map_err(|source| ConfigError::File { path: path.clone(), source })?;
        let programme = ProgrammeFile::parse(&text).map_err(|problems| ConfigError::Programme {
            path,
            problems: problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        })?;

        let mut keys = BTreeMap::new();
        for source in Source::ALL {
            let Some(value) = variable(&format!("WEBHOOK_SECRET_{}", source.as_str().to_uppercase())) else {
                continue;
            };
            let key = Key::parse(source, &value);
            if let Err(error) = &key {
                tracing::error!(%source, %error, "the secret of this source cannot be used: its deliveries are refused");
            }
            keys.insert(source, key);
        }
        let haravan_verify = variable("WEBHOOK_VERIFY_TOKEN_HARAVAN").and_then(|value| Secrets::parse(&value).ok());
        Ok(Self { door: Door::new(keys, haravan_verify, programme), queues })
    }
}

/// Log lines as JSON, as much as `RUST_LOG` asks for, `info` by default.
pub fn start_tracing() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).with_current_span(false).without_time().init();
}
