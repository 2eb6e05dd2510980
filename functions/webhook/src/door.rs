//! The decision about one request, without any I/O.
//!
//! In this order: is the source known (404); is it a challenge, a ping or another method; does the source have a secret
//! here (404, or 503 when the secret is no good); is there a body of sensible size (413); is it the shop's (401); can it
//! be read (400, 422); is it something this programme does (409, 422). Only then is anything handed to the queue.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use loyalty_contract::problem::Problem;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_contract::queue::{Quarantined, QueueMessage, Source};
use loyalty_contract::refusal::refusal;
use loyalty_contract::webhook::settings::SourceSettings;
use loyalty_contract::webhook::{Delivery, ParseError, parse};
use loyalty_contract::zalo::ZALO;
use loyalty_signatures::{Refusal, Secrets, verify_token};

use crate::answer::{self, Answer};
use crate::keys::{Keys, without_token};
use crate::queue::EventBody;
use crate::request::{NoBody, Request};
use crate::zalo::ZaloKey;

/// A longer challenge is not echoed.
const CHALLENGE_CHARS_MAX: usize = 256;

/// What is to be done with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Answer(Answer),
    /// Store all of it, and only then answer.
    Queue {
        /// For logs.
        source: &'static str,
        orders: Vec<QueueMessage>,
        quarantined: Vec<QueueMessage>,
        event: Option<EventBody>,
        then: Answer,
    },
}

/// Everything the door knows: the shops' secrets and Zalo's, and how orders are read.
pub struct Door {
    keys: Keys,
    haravan_verify: Option<Secrets>,
    zalo: ZaloKey,
    programme: ProgrammeFile,
}

impl Door {
    /// A source without an entry in `keys` has no door here.
    pub fn new(keys: Keys, haravan_verify: Option<Secrets>, zalo: ZaloKey, programme: ProgrammeFile) -> Self {
        Self { keys, haravan_verify, zalo, programme }
    }

    /// The same door under another programme.
    #[cfg(test)]
    pub fn with_programme(self, programme: ProgrammeFile) -> Self {
        Self { programme, ..self }
    }

    /// Never panics, whatever is sent.
    pub fn receive(&self, request: &Request<'_>) -> Verdict {
        if request.source_name() == ZALO {
            return self.zalo.receive(request);
        }
        let Some(source) = Source::from_name(request.source_name()) else {
            return Verdict::Answer(answer::unknown_source());
        };
        match request.method() {
            "POST" => self.delivery(source, request),
            "GET" if source == Source::Haravan => Verdict::Answer(self.challenge(request)),
            // Nobody is told to stop over a method that the shop would not deliver by.
            _ if source == Source::KiotViet => Verdict::Answer(answer::nothing()),
            _ => refuse(source, &Problem::new(405, "method", "Method not allowed", "Deliver by POST.")),
        }
    }

    fn delivery(&self, source: Source, request: &Request<'_>) -> Verdict {
        let body = match request.body() {
            Ok(body) => body,
            Err(NoBody::TooLong) => return refuse(source, &answer::unreadable(ParseError::TooLong)),
            Err(NoBody::NotBase64) => {
                let problem = Problem::new(400, "unreadable", "Body not readable", "The body is not base64.");
                return refuse(source, &problem);
            }
        };
        if source == Source::WooCommerce && is_ping(request, &body) {
            return Verdict::Answer(answer::nothing());
        }
        if let Err(problem) = self.verify(source, request, &body) {
            return refuse(source, &problem);
        }
        let received_at = request.received_at();
        let version = self.programme.at(received_at);
        let settings = SourceSettings::of(&version.sources, source, version.programme.currency);
        if is_test(source, request) && !settings.accept_test_orders {
            return queue(source, Delivery { ignored: vec!["a test notification"], ..Delivery::default() }, &body);
        }
        match parse(source, topic(source, request), &body, &settings, received_at) {
            Ok(delivery) => match delivery.event.as_ref().map(|event| event.possible(&version.programme)) {
                Some(Err(rejection)) => {
                    let problem = refusal(&version.programme, &rejection);
                    tracing::warn!(%source, refused = problem.kind, "an event is refused");
                    refuse(source, &problem)
                }
                Some(Ok(())) | None => queue(source, delivery, &body),
            },
            Err(error) => unreadable(source, &body, error),
        }
    }

    fn verify(&self, source: Source, request: &Request<'_>, body: &[u8]) -> Result<(), Problem> {
        let key = match self.keys.get(&source) {
            Some(Ok(key)) => key,
            Some(Err(error)) => {
                tracing::error!(%source, %error, "the secret of this source cannot be used");
                let detail = "The secret of this source is not set up as it should be; its operator has to mend it.";
                return Err(Problem::new(503, "not-configured", "Source not ready", detail));
            }
            None => {
                tracing::warn!(%source, "a delivery to a source without a secret");
                return Err(Problem::new(404, "no-secret", "Source not set up", "This source has no secret here."));
            }
        };
        match key.verify(request, body) {
            Ok(None) => Ok(()),
            Ok(Some(variant)) => {
                tracing::info!(%source, prefix = ?variant.prefix, key = ?variant.key, "signature form");
                Ok(())
            }
            Err(refusal) => {
                tracing::warn!(%source, %refusal, alarm = alarm(refusal), "a delivery was not believed");
                Err(Problem::new(401, slug(refusal), "Not authenticated", format!("For this source, {refusal}.")))
            }
        }
    }

    /// `GET ?hub.mode=subscribe&hub.verify_token=…&hub.challenge=…`: Haravan asks whether the address is ours.
    fn challenge(&self, request: &Request<'_>) -> Answer {
        let refuse = |status, detail: &str| {
            answer::refusal(Source::Haravan, &Problem::new(status, "challenge", "Challenge refused", detail))
        };
        let (Some("subscribe"), Some(challenge)) = (request.query("hub.mode"), request.query("hub.challenge")) else {
            return refuse(400, "A challenge has hub.mode=subscribe, hub.verify_token and hub.challenge.");
        };
        if challenge.chars().count() > CHALLENGE_CHARS_MAX {
            return refuse(400, "hub.challenge is longer than 256 characters.");
        }
        let Some(expected) = &self.haravan_verify else {
            return refuse(404, "This source has no verify token here.");
        };
        match verify_token(expected, request.query("hub.verify_token")) {
            Ok(()) => answer::challenge(challenge),
            Err(_) => refuse(403, "hub.verify_token is not the one that was agreed."),
        }
    }
}

fn refuse(source: Source, problem: &Problem) -> Verdict {
    Verdict::Answer(answer::refusal(source, problem))
}

/// The word that the template's metric filter counts. Whoever signs has a secret: a shop's that was set up wrong or
/// replaced looks like this, and the shops stop calling after a few refusals. What bears no signature is anybody's.
pub(crate) fn alarm(refusal: Refusal) -> Option<&'static str> {
    (refusal != Refusal::Missing).then_some("not-believed")
}

pub(crate) fn slug(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Missing => "no-signature",
        Refusal::Malformed | Refusal::Mismatch => "bad-signature",
        Refusal::Stale => "stale-timestamp",
    }
}

/// WooCommerce's ping when a webhook is saved: `webhook_id=7` as a form, unsigned, and it must get exactly 200.
fn is_ping(request: &Request<'_>, body: &[u8]) -> bool {
    request.header("x-wc-webhook-signature").is_none()
        && std::str::from_utf8(body)
            .ok()
            .and_then(|text| text.trim().strip_prefix("webhook_id="))
            .is_some_and(|id| !id.is_empty() && id.len() <= 20 && id.bytes().all(|b| b.is_ascii_digit()))
}

fn topic<'a>(source: Source, request: &Request<'a>) -> Option<&'a str> {
    let names: &[&str] = match source {
        Source::Shopify => &["x-shopify-topic", "shopify-topic"],
        Source::WooCommerce => &["x-wc-webhook-topic"],
        Source::Haravan => &["x-haravan-topic"],
        Source::Sapo => &["x-sapo-topic"],
        Source::Standard | Source::KiotViet | Source::Pancake | Source::Nhanh => &[],
    };
    names.iter().find_map(|name| request.header(name))
}

/// Whether the shop says that it only tries the address; what is in the body need not be an order of anybody's.
fn is_test(source: Source, request: &Request<'_>) -> bool {
    let names: &[&str] = match source {
        Source::Shopify => &["x-shopify-test", "shopify-test"],
        Source::Sapo => &["x-sapo-test"],
        _ => &[],
    };
    let marks = names.iter().filter_map(|name| request.header(name));
    marks.into_iter().any(|mark| mark.trim().eq_ignore_ascii_case("true"))
}

fn queue(source: Source, delivery: Delivery, body: &[u8]) -> Verdict {
    let Delivery { orders, deletions, quarantined, event, ignored } = delivery;
    let event = event.map(|_| EventBody::now(String::from_utf8_lossy(body).into_owned()));
    let orders = orders.into_iter().map(|order| QueueMessage::Order { order: Box::new(order) });
    let orders: Vec<_> = orders.chain(deletions.into_iter().map(QueueMessage::Deleted)).collect();
    let queued = orders.len() + usize::from(event.is_some());
    let then = answer::accepted(source, queued, quarantined.len(), &ignored);
    if queued == 0 && quarantined.is_empty() {
        tracing::info!(%source, reason = ignored.first().unwrap_or(&"nothing in it"), "acknowledged without effect");
        return Verdict::Answer(then);
    }
    for part in &quarantined {
        tracing::error!(%source, reason = part.reason, "a part of a delivery is put aside");
    }
    Verdict::Queue {
        source: source.as_str(),
        orders,
        quarantined: quarantined.into_iter().map(QueueMessage::Quarantined).collect(),
        event,
        then,
    }
}

/// The delivery is the shop's, but unreadable. KiotViet stops for ever when told so, and Nhanh when it is told too
/// often: they are thanked, and the body is put aside for a person. The others are told what is wrong.
fn unreadable(source: Source, body: &[u8], error: ParseError) -> Verdict {
    tracing::error!(%source, %error, "a delivery cannot be read");
    match source {
        Source::KiotViet | Source::Nhanh => {
            // What is kept for a person must not keep the key to the door as well.
            let kept = if source == Source::Nhanh { without_token(body) } else { body.to_vec() };
            let (body, base64) = match String::from_utf8(kept) {
                Ok(text) => (text, false),
                Err(error) => (STANDARD.encode(error.as_bytes()), true),
            };
            let aside = Quarantined { source, reason: error.to_string(), body, base64 };
            Verdict::Queue {
                source: source.as_str(),
                orders: Vec::new(),
                quarantined: vec![QueueMessage::Quarantined(aside)],
                event: None,
                then: answer::accepted(source, 0, 1, &[]),
            }
        }
        _ => refuse(source, &answer::unreadable(error)),
    }
}
