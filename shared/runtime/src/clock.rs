//! The one clock. Everything else takes "now" from its event; only what happens at the moment of sending – hours of rest,
//! a token that is about to end – has to ask what time it is. The local stack's clock can be shifted, so it is asked.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::calls::{Call, CallError, Caller};
use crate::config::Environment;

/// The variable that names where the local stack tells the time.
pub const CLOCK_URL: &str = "LOYALTY_CLOCK_URL";

/// What tells the time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's.
    System,
    /// The local stack's.
    Stack { url: String, caller: Caller },
    /// A test's.
    Fixed(std::sync::Arc<std::sync::Mutex<DateTime<Utc>>>),
}

/// The time is not known.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    #[error("the stack's clock cannot be asked")]
    Call(#[from] CallError),
    #[error("the stack's clock gave no time")]
    Answer(#[from] serde_json::Error),
}

#[derive(Deserialize)]
struct Told {
    now: DateTime<Utc>,
}

impl Clock {
    /// The stack's clock where the environment names one, else the machine's.
    pub fn of<F: Fn(&str) -> Option<String>>(environment: &Environment<F>, caller: &Caller) -> Self {
        match environment.required(CLOCK_URL) {
            Ok(url) => Self::Stack { url, caller: caller.clone() },
            Err(_) => Self::System,
        }
    }

    /// # Errors
    /// [`ClockError`] when the stack does not say; the machine always does.
    pub async fn now(&self) -> Result<DateTime<Utc>, ClockError> {
        match self {
            Self::System => Ok(DateTime::<Utc>::from(SystemTime::now())),
            Self::Fixed(now) => Ok(*now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)),
            Self::Stack { url, caller } => {
                let call = Call { method: "GET", url: url.clone(), headers: Vec::new(), body: String::new() };
                let reply = caller.call(call).await?;
                Ok(serde_json::from_slice::<Told>(&reply.body)?.now)
            }
        }
    }
}
