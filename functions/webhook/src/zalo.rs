//! The door of the official account at Zalo.
//!
//! Its signature is a plain hash over application, raw body, a time and the account's secret key. The time stands in the
//! body or in a header, depending on who tells it, so it is tried both ways; nothing else of a body is looked at before it
//! is believed. It is no proof of freshness: what Zalo delivers again may be hours old, and every event has its own time
//! by which an older word changes nothing, so a delivery that is played again does no harm.
//!
//! Zalo stops calling for ever when five repetitions fail, so whatever is its own gets 200: what follows from it is queued,
//! what cannot be read is queued too and ends in the dead letters, and what means nothing here is left.

use chrono::{DateTime, Utc};
use loyalty_contract::problem::Problem;
use loyalty_contract::webhook::ParseError;
use loyalty_contract::zalo::{FromZalo, ZALO, ZaloEvent, parse, signed_timestamp};
use loyalty_runtime::config::Environment;
use loyalty_signatures::{Refusal, SecretError, Secrets, verify_zalo};

use crate::answer;
use crate::door::{Verdict, alarm, slug};
use crate::queue::EventBody;
use crate::request::{NoBody, Request};

/// A receipt may be faster than the sender's own note of what it has sent, which it is about.
const RECEIPT_DELAY_SECONDS: i32 = 15;
/// Longer times are none; a bound on what an unbelieved body may name.
const TIMESTAMP_CHARS_MAX: usize = 20;

/// The application and the secret key of the account, or why there is no door.
#[derive(Clone, Debug)]
pub enum ZaloKey {
    NotSetUp,
    Unusable(SecretError),
    Live { app_id: String, secrets: Secrets },
}

impl ZaloKey {
    pub fn read<F: Fn(&str) -> Option<String>>(environment: &Environment<F>) -> Self {
        let given = |name| environment.required(name).ok();
        let (Some(app_id), Some(secret)) = (given("ZALO_APP_ID"), given("ZALO_OA_SECRET")) else {
            return Self::NotSetUp;
        };
        match Secrets::parse(&secret) {
            Ok(secrets) => Self::Live { app_id: app_id.trim().to_owned(), secrets },
            Err(error) => {
                tracing::error!(%error, "ZALO_OA_SECRET cannot be used: events of the official account are refused");
                Self::Unusable(error)
            }
        }
    }

    pub(crate) fn receive(&self, request: &Request<'_>) -> Verdict {
        if request.method() != "POST" {
            return Verdict::Answer(answer::wrong_method());
        }
        let body = match request.body() {
            Ok(body) => body,
            Err(NoBody::TooLong) => return refuse(&answer::unreadable(ParseError::TooLong)),
            Err(NoBody::NotBase64) => {
                return refuse(&Problem::new(400, "unreadable", "Body not readable", "The body is not base64."));
            }
        };
        if is_probe(request, &body) {
            return Verdict::Answer(answer::nothing());
        }
        match self.verify(request, &body) {
            Ok(()) => believed(&body, request.received_at()),
            Err(problem) => refuse(&problem),
        }
    }

    fn verify(&self, request: &Request<'_>, body: &[u8]) -> Result<(), Problem> {
        let (app_id, secrets) = match self {
            Self::Live { app_id, secrets } => (app_id, secrets),
            Self::Unusable(error) => {
                tracing::error!(source = ZALO, %error, "the secret of this source cannot be used");
                let detail = "The secret of this source is not set up as it should be; its operator has to mend it.";
                return Err(Problem::new(503, "not-configured", "Source not ready", detail));
            }
            Self::NotSetUp => {
                tracing::warn!(source = ZALO, "a delivery to a source without a secret");
                return Err(Problem::new(404, "no-secret", "Source not set up", "This source has no secret here."));
            }
        };
        let signature = request.header("x-zevent-signature");
        let in_header = request.header("x-zevent-timestamp").map(|time| time.trim().to_owned());
        let times = [("header", in_header), ("body", signed_timestamp(body))];
        let mut refusal = if signature.is_some() { Refusal::Malformed } else { Refusal::Missing };
        for (place, time) in times {
            let Some(time) = time.filter(|time| is_time(time)) else { continue };
            match verify_zalo(secrets, app_id, &time, body, signature) {
                Ok(()) => {
                    tracing::debug!(source = ZALO, place, "the time that was signed");
                    return Ok(());
                }
                Err(error) => refusal = error,
            }
        }
        // A secret that was set up wrong looks the same: a person has to look before Zalo gives up.
        tracing::error!(source = ZALO, %refusal, alarm = alarm(refusal), "a delivery was not believed");
        Err(Problem::new(401, slug(refusal), "Not authenticated", format!("For this source, {refusal}.")))
    }
}

/// Only digits: so no part of a body can stand in a header's time, or the other way round.
fn is_time(time: &str) -> bool {
    !time.is_empty() && time.len() <= TIMESTAMP_CHARS_MAX && time.bytes().all(|byte| byte.is_ascii_digit())
}

/// Zalo's console asks with `{}`, unsigned, whether somebody is there.
fn is_probe(request: &Request<'_>, body: &[u8]) -> bool {
    let empty = std::str::from_utf8(body).is_ok_and(|text| {
        let inside = text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        text.trim().is_empty() || inside.is_some_and(|inside| inside.trim().is_empty())
    });
    empty && request.header("x-zevent-signature").is_none()
}

fn refuse(problem: &Problem) -> Verdict {
    Verdict::Answer(answer::zalo_refusal(problem))
}

fn believed(body: &[u8], received_at: DateTime<Utc>) -> Verdict {
    let (message, delay_seconds) = match parse(body, received_at) {
        Ok(Some(event)) => {
            tracing::info!(source = ZALO, event = event.kind(), "an event of the official account");
            let delay = if matches!(event, ZaloEvent::Received { .. }) { RECEIPT_DELAY_SECONDS } else { 0 };
            (FromZalo::Event(event), delay)
        }
        Ok(None) => {
            tracing::info!(source = ZALO, "acknowledged without effect");
            return Verdict::Answer(answer::zalo_accepted(0, &["an event that nothing here follows from"]));
        }
        Err(error) => {
            tracing::error!(source = ZALO, %error, "a delivery cannot be read");
            (FromZalo::Unread { body: String::from_utf8_lossy(body).into_owned() }, 0)
        }
    };
    let event = EventBody { body: message.to_json(), delay_seconds };
    Verdict::Queue {
        source: ZALO,
        orders: Vec::new(),
        quarantined: Vec::new(),
        event: Some(event),
        then: answer::zalo_accepted(1, &[]),
    }
}
