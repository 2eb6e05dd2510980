//! What the door reads from its environment, once, before the first delivery.
//!
//! `ORDER_QUEUE_URL`, `ORDER_DEAD_LETTER_QUEUE_URL`, `EVENT_QUEUE_URL`, `PROGRAMME_FILE`, and for each shop that is
//! connected `WEBHOOK_SECRET_…`: one secret, or two separated by a space or a comma while they are changed over. For the
//! official account at Zalo `ZALO_APP_ID` and, in the same way, `ZALO_OA_SECRET`.

use std::collections::BTreeMap;

use loyalty_contract::queue::Source;
use loyalty_runtime::config::{ConfigError, Environment};
use loyalty_signatures::Secrets;

use crate::door::Door;
use crate::keys::{Key, Keys};
use crate::zalo::ZaloKey;

/// The addresses of the queues.
#[derive(Clone, Debug)]
pub struct Queues {
    pub orders: String,
    pub dead_letters: String,
    pub events: String,
}

/// Everything the function needs.
pub struct Config {
    pub door: Door,
    pub queues: Queues,
}

impl Config {
    /// # Errors
    /// [`ConfigError`]; never for a shop's secret: one bad secret must not close the other shops' doors.
    pub fn read<F: Fn(&str) -> Option<String>>(environment: &Environment<F>) -> Result<Self, ConfigError> {
        let queues = Queues {
            orders: environment.required("ORDER_QUEUE_URL")?,
            dead_letters: environment.required("ORDER_DEAD_LETTER_QUEUE_URL")?,
            events: environment.required("EVENT_QUEUE_URL")?,
        };
        let programme = environment.programmes()?;
        let haravan_verify = environment.required("WEBHOOK_VERIFY_TOKEN_HARAVAN").ok();
        let haravan_verify = haravan_verify.and_then(|value| Secrets::parse(&value).ok());
        let zalo = ZaloKey::read(environment);
        Ok(Self { door: Door::new(keys(environment), haravan_verify, zalo, programme), queues })
    }
}

/// The keys of the shops that have a secret here.
fn keys<F: Fn(&str) -> Option<String>>(environment: &Environment<F>) -> Keys {
    let mut keys = BTreeMap::new();
    for source in Source::ALL {
        let Ok(value) = environment.required(secret_variable(source)) else { continue };
        let key = Key::parse(source, &value);
        if let Err(error) = &key {
            tracing::error!(%source, %error, "the secret of this source cannot be used: its deliveries are refused");
        }
        keys.insert(source, key);
    }
    keys
}

/// The variable that holds a source's secret.
pub fn secret_variable(source: Source) -> &'static str {
    match source {
        Source::Standard => "WEBHOOK_SECRET_STANDARD",
        Source::Shopify => "WEBHOOK_SECRET_SHOPIFY",
        Source::WooCommerce => "WEBHOOK_SECRET_WOOCOMMERCE",
        Source::Haravan => "WEBHOOK_SECRET_HARAVAN",
        Source::Sapo => "WEBHOOK_SECRET_SAPO",
        Source::KiotViet => "WEBHOOK_SECRET_KIOTVIET",
        Source::Pancake => "WEBHOOK_SECRET_PANCAKE",
        Source::Nhanh => "WEBHOOK_SECRET_NHANH",
    }
}
