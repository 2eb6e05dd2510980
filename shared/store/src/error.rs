//! Why an order was not applied, or a row not read.

use std::error::Error;
use std::sync::Arc;

use loyalty_domain::decision::Rejection;

/// Nothing of the event was written. One fault may concern several events, so it can be cloned.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The domain refuses it: the same again will be refused again.
    #[error("the order is refused")]
    Rejected(#[source] Rejection),
    /// Other writers were faster every time. Delivered again later, it will go through.
    #[error("the rows were still contended after {attempts} attempts")]
    Contended { attempts: u32 },
    #[error("DynamoDB could not {action}")]
    Unavailable {
        action: &'static str,
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },
    /// A row this version cannot read. It names its key, which says nothing about a person.
    #[error("the row {key} of {table} cannot be read")]
    Corrupt {
        table: &'static str,
        key: String,
        #[source]
        source: Arc<dyn Error + Send + Sync>,
    },
    /// One decision alone exceeds what one transaction may hold.
    #[error("the decision needs {items} rows of {bytes} bytes in one transaction")]
    TooLarge { items: usize, bytes: usize },
}

impl StoreError {
    /// A fault of something the books rest on.
    pub fn unavailable(action: &'static str, source: impl Error + Send + Sync + 'static) -> Self {
        Self::Unavailable { action, source: Arc::new(source) }
    }
}
