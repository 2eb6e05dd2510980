//! A stand-in for Zalo, so that messages can be sent, seen and disturbed on this machine.
//!
//! An HTTP server of our own on loopback that answers the addresses of Zalo the product calls: templates to a phone and to a
//! follower, texts, who follows, tokens. It keeps what it was sent, plays every error by script, and signs and delivers
//! the events an Official Account would send (`_zalo/…`). It knows nothing about loyalty, never talks to the outside, and
//! is not started where the shop's own Zalo account is configured.

mod account;
mod answers;
mod control;
mod record;
mod script;
mod server;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::error::{Result, StackError};

pub use account::DEVELOPMENT;

/// What the functions are told of Zalo; the names are the same for the stand-in and for the shop's own account.
pub const VARIABLES: [&str; 7] = [
    "ZALO_OPENAPI_URL",
    "ZALO_BUSINESS_URL",
    "ZALO_OAUTH_URL",
    "ZALO_APP_ID",
    "ZALO_APP_SECRET",
    "ZALO_REFRESH_TOKEN",
    "ZALO_OA_SECRET",
];
/// How the shop's own account is called, where the environment says so: nothing that names an account.
const MANNERS: [&str; 2] = [PROXY, "ZALO_CALLS_PER_MINUTE"];
const PROXY: &str = "ZALO_EGRESS_PROXY";
/// Without these nobody is talked to.
const NEEDED: [&str; 3] = ["ZALO_APP_ID", "ZALO_APP_SECRET", "ZALO_REFRESH_TOKEN"];

/// Whom the functions talk to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Zalo {
    /// A stand-in of this stack.
    #[default]
    StandIn,
    /// The shop's own account, by the variables that were set.
    Own(BTreeMap<String, String>),
}

impl Zalo {
    /// The shop's own account where the environment names one, else a stand-in.
    ///
    /// # Errors
    /// When an account is named by half: it would be a surprise either way.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let set = |name: &str| Some((name.to_owned(), lookup(name).filter(|value| !value.trim().is_empty())?));
        let mut given: BTreeMap<String, String> = VARIABLES.into_iter().filter_map(set).collect();
        if given.is_empty() {
            return Ok(Self::StandIn);
        }
        given.extend(MANNERS.into_iter().filter_map(set));
        // Without the secret of the Official Account only the webhook's door is closed, and without a proxy none is asked.
        for optional in ["ZALO_OA_SECRET", PROXY] {
            given.entry(optional.to_owned()).or_default();
        }
        let missing: Vec<&str> = NEEDED.into_iter().filter(|name| !given.contains_key(*name)).collect();
        if missing.is_empty() {
            return Ok(Self::Own(given));
        }
        Err(StackError::new(format!(
            "the Zalo account is set up by half: set {} too, or unset the other ZALO_ variables to use the stand-in",
            missing.join(", ")
        )))
    }
}

/// A stand-in that answers.
#[derive(Debug)]
pub struct StandIn {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

/// What every request looks at.
#[derive(Debug)]
struct Shared {
    clock: Arc<Clock>,
    /// Where an Official Account's events are delivered to.
    door: String,
    http: reqwest::Client,
    account: Mutex<account::Account>,
}

impl StandIn {
    /// Starts to answer. Tokens that were handed out are kept in `file`, so that a stack that starts again is not locked
    /// out by its own stand-in. `door` is the address of the webhook's door.
    ///
    /// # Errors
    /// When the port or the file cannot be used.
    pub fn start(
        tasks: &mut JoinSet<()>,
        listener: TcpListener,
        clock: &Arc<Clock>,
        file: PathBuf,
        door: String,
    ) -> Result<Self> {
        let account = account::Account::open(file)?;
        let shared =
            Shared { clock: Arc::clone(clock), door, http: reqwest::Client::new(), account: Mutex::new(account) };
        let shared = Arc::new(shared);
        let address = server::spawn(tasks, listener, Arc::clone(&shared))?;
        Ok(Self { address, shared })
    }

    /// The variables by which the functions find it.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let url = format!("http://{}", self.address);
        let values = [
            url.clone(),
            url.clone(),
            url,
            DEVELOPMENT.app_id.to_owned(),
            DEVELOPMENT.app_secret.to_owned(),
            DEVELOPMENT.refresh_token.to_owned(),
            DEVELOPMENT.oa_secret.to_owned(),
        ];
        let variables = VARIABLES.into_iter().zip(values).chain([(PROXY, String::new())]);
        variables.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// How many calls of each kind were answered with each code, since the stack started.
    pub fn counts(&self) -> serde_json::Value {
        self.shared.account.lock().expect("not poisoned").records.counts()
    }
}
