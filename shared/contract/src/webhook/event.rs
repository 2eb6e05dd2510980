//! What a shop reports beside orders: behaviours that earn (P17), top-ups (B2–B4), what is known of a customer, the tier
//! that its own system gave them (S1: N1, X47), and which messages they want.
//!
//! The envelope and the signature of the generic order webhook. `POST /events` answers at once with what an event brought;
//! the webhook's door answers once it is durably queued, and the queue's consumer reads it again.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use loyalty_domain::decision::Rejection;
use loyalty_domain::programme::{Programme, TierAuthority};
use loyalty_domain::sending::MessageKind;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::context::{Context, not_negative};
use super::json::{Field, Read, Scalar};
use super::settings::SourceSettings;
use super::standard::{Head, Person, customer};
use super::{ParseError, checked_object};
use crate::queue::{Customer, Source};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShopEvent {
    Behaviour {
        /// The shop's own id: the same event is rewarded once.
        event_id: String,
        behaviour: String,
        customer: Customer,
        occurred_at: DateTime<Utc>,
        /// The other side of a referral.
        friend: Option<Customer>,
    },
    Topup {
        event_id: String,
        customer: Customer,
        /// Minor units of the programme's currency.
        amount_minor: i64,
        paid_at: DateTime<Utc>,
    },
    Registered {
        customer: Customer,
        /// When the shop said so.
        said_at: DateTime<Utc>,
    },
    /// What the shop says of a customer, and since when: an older word replaces no newer one.
    Changed { customer: Customer, changed_at: DateTime<Utc> },
    TierChanged {
        customer: Customer,
        /// The shop's word for it: an id, a name or an alias (X37).
        tier: String,
        changed_at: DateTime<Utc>,
    },
    /// Which kinds of messages a customer wants, and since when: an older wish replaces no newer one. Kinds that are not
    /// named stay as they are.
    Consent { customer: Customer, wishes: BTreeMap<MessageKind, bool>, changed_at: DateTime<Utc> },
}

impl ShopEvent {
    /// Its `type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Behaviour { .. } => "behaviour",
            Self::Topup { .. } => "topup",
            Self::Registered { .. } => "customer.registered",
            Self::Changed { .. } => "customer.changed",
            Self::TierChanged { .. } => "customer.tier_changed",
            Self::Consent { .. } => "customer.consent",
        }
    }

    /// Whether the programme can do it for anybody at all. The door asks, so that the shop hears of its mistake and not
    /// only the log (X37, X47).
    ///
    /// # Errors
    /// The [`Rejection`] that every such event will meet.
    pub fn possible(&self, programme: &Programme) -> Result<(), Rejection> {
        match self {
            Self::Behaviour { behaviour, .. } => {
                let known = programme.behaviours.iter().any(|rule| rule.id.as_str() == behaviour);
                if known { Ok(()) } else { Err(Rejection::UnknownBehaviour(behaviour.clone())) }
            }
            Self::Topup { amount_minor: ..=0, .. } => Err(Rejection::NoAmount),
            Self::Topup { .. } if programme.topups.is_empty() => Err(Rejection::NoTopups),
            Self::TierChanged { .. } if programme.tier_authority == TierAuthority::Engine => {
                Err(Rejection::TiersAreOurs)
            }
            Self::TierChanged { tier, .. } if programme.tiers.called(tier).is_none() => {
                Err(Rejection::UnknownTier(tier.clone()))
            }
            Self::Topup { .. }
            | Self::Registered { .. }
            | Self::Changed { .. }
            | Self::TierChanged { .. }
            | Self::Consent { .. } => Ok(()),
        }
    }
}

#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(default)]
    timestamp: Field,
    #[serde(default = "Option::default")]
    data: Option<T>,
}

#[derive(Deserialize)]
struct Behaviour {
    #[serde(default)]
    event_id: Field,
    #[serde(default)]
    behaviour: Field,
    #[serde(default)]
    customer: Option<Person>,
    #[serde(default)]
    occurred_at: Field,
    #[serde(default)]
    friend: Option<Person>,
}

#[derive(Deserialize)]
struct Topup {
    #[serde(default)]
    event_id: Field,
    #[serde(default)]
    customer: Option<Person>,
    #[serde(default)]
    amount: Field,
    #[serde(default)]
    currency: Field,
    #[serde(default)]
    paid_at: Field,
}

/// Data that is about a customer and nothing else.
#[derive(Deserialize)]
struct About {
    #[serde(default)]
    customer: Option<Person>,
}

/// A customer's version beside them, or among their fields.
#[derive(Deserialize)]
struct Version {
    #[serde(default)]
    updated_at: Field,
}

#[derive(Deserialize)]
struct Consent {
    #[serde(default)]
    customer: Option<Person>,
    #[serde(default)]
    messages: BTreeMap<String, Field>,
    #[serde(default)]
    changed_at: Field,
}

#[derive(Deserialize)]
struct TierChanged {
    #[serde(default)]
    customer: Option<Person>,
    #[serde(default)]
    tier: Field,
    #[serde(default)]
    changed_at: Field,
}

/// The event in a body. Settings are those of the generic webhook.
///
/// # Errors
/// [`ParseError`]; nothing of the body has been taken then.
pub fn parse_event(
    body: &[u8],
    settings: &SourceSettings,
    received_at: DateTime<Utc>,
) -> Result<ShopEvent, ParseError> {
    let text = checked_object(body)?;
    let context = &Context { source: Source::Standard, settings, received_at };
    let head: Head = serde_json::from_str(text)?;
    let kind = head.kind.text().ok_or(ParseError::Missing("type"))?;
    event(context, &kind, text)?.ok_or(ParseError::UnknownEvent)
}

/// The event of a type; `None` for a type that is none of them.
pub(super) fn event(context: &Context<'_>, kind: &str, text: &str) -> Result<Option<ShopEvent>, ParseError> {
    Ok(Some(match kind {
        "behaviour" => behaviour(context, data(text)?)?,
        "topup" => topup(context, data(text)?)?,
        "customer.registered" => {
            let Envelope::<About> { timestamp, data } = serde_json::from_str(text)?;
            let About { customer } = data.ok_or(ParseError::Missing("data"))?;
            let said_at = context.optional_time("timestamp", &timestamp)?.unwrap_or(context.received_at);
            ShopEvent::Registered { customer: person(context, "data.customer", customer)?, said_at }
        }
        "customer.changed" => changed(context, text)?,
        "customer.tier_changed" => tier_changed(context, text)?,
        "customer.consent" => consent(context, text)?,
        _ => return Ok(None),
    }))
}

fn data<T: DeserializeOwned>(text: &str) -> Result<T, ParseError> {
    let Envelope { timestamp: _, data } = serde_json::from_str(text)?;
    data.ok_or(ParseError::Missing("data"))
}

/// The customer, or their fields where a shop's system sends them as the data itself. Where the shop does not say since
/// when, it is since it said so.
fn changed(context: &Context<'_>, text: &str) -> Result<ShopEvent, ParseError> {
    let About { customer } = data(text)?;
    let customer = customer.map_or_else(|| data(text), Ok)?;
    let Envelope::<Version> { timestamp, data: version } = serde_json::from_str(text)?;
    let said_at = context.optional_time("timestamp", &timestamp)?;
    let updated_at = version.and_then(|version| version.updated_at);
    let changed_at = context.optional_time("data.updated_at", &updated_at)?.or(said_at);
    Ok(ShopEvent::Changed {
        customer: person(context, "data.customer", Some(customer))?,
        changed_at: changed_at.unwrap_or(context.received_at),
    })
}

/// Where the shop does not say since when, it is since it said so.
fn tier_changed(context: &Context<'_>, text: &str) -> Result<ShopEvent, ParseError> {
    let Envelope { timestamp, data } = serde_json::from_str(text)?;
    let TierChanged { customer, tier, changed_at } = data.ok_or(ParseError::Missing("data"))?;
    let said_at = context.optional_time("timestamp", &timestamp)?;
    let changed_at = context.optional_time("data.changed_at", &changed_at)?.or(said_at);
    Ok(ShopEvent::TierChanged {
        customer: person(context, "data.customer", customer)?,
        tier: tier.short_text(128).ok_or(ParseError::Missing("data.tier"))?,
        changed_at: changed_at.unwrap_or(context.received_at),
    })
}

/// Where the shop does not say since when, it is since it said so. A wish that is not understood is refused: a "no" must
/// never be taken for nothing.
fn consent(context: &Context<'_>, text: &str) -> Result<ShopEvent, ParseError> {
    const FIELD: &str = "data.messages";
    let Envelope { timestamp, data } = serde_json::from_str(text)?;
    let Consent { customer, messages, changed_at } = data.ok_or(ParseError::Missing("data"))?;
    let said_at = context.optional_time("timestamp", &timestamp)?;
    let changed_at = context.optional_time("data.changed_at", &changed_at)?.or(said_at);
    if messages.is_empty() {
        return Err(ParseError::Missing(FIELD));
    }
    let wish = |(kind, allowed): (String, Field)| {
        let unknown = ParseError::UnknownWord { field: FIELD, known: "transactional, care, promotional" };
        let kind = MessageKind::from_word(&kind).ok_or(unknown)?;
        let Some(Scalar::Bool(allowed)) = allowed else {
            return Err(ParseError::Invalid { field: FIELD, why: "says true or false of each kind" });
        };
        Ok((kind, allowed))
    };
    Ok(ShopEvent::Consent {
        customer: person(context, "data.customer", customer)?,
        wishes: messages.into_iter().map(wish).collect::<Result<_, _>>()?,
        changed_at: changed_at.unwrap_or(context.received_at),
    })
}

fn behaviour(context: &Context<'_>, event: Behaviour) -> Result<ShopEvent, ParseError> {
    Ok(ShopEvent::Behaviour {
        event_id: context.order_id("data.event_id", &event.event_id)?,
        behaviour: event.behaviour.short_text(128).ok_or(ParseError::Missing("data.behaviour"))?,
        customer: person(context, "data.customer", event.customer)?,
        occurred_at: context.time("data.occurred_at", &event.occurred_at)?,
        friend: event.friend.map(|friend| person(context, "data.friend", Some(friend))).transpose()?,
    })
}

fn topup(context: &Context<'_>, event: Topup) -> Result<ShopEvent, ParseError> {
    let currency = context.currency(&event.currency)?;
    event.currency.text().ok_or(ParseError::Missing("data.currency"))?;
    if currency != context.settings.currency() {
        return Err(ParseError::OtherCurrency { expected: context.settings.currency().code() });
    }
    let amount = context.amount("data.amount", &event.amount, currency)?;
    Ok(ShopEvent::Topup {
        event_id: context.order_id("data.event_id", &event.event_id)?,
        customer: person(context, "data.customer", event.customer)?,
        amount_minor: not_negative("data.amount", amount)?,
        paid_at: context.time("data.paid_at", &event.paid_at)?,
    })
}

/// Somebody who can be told apart: an order may wait for a phone, but what is rewarded at once cannot (X43).
fn person(context: &Context<'_>, field: &'static str, person: Option<Person>) -> Result<Customer, ParseError> {
    let known = customer(context, &person.ok_or(ParseError::Missing(field))?)?;
    if known.phone.is_none() && known.id.is_none() {
        return Err(ParseError::Invalid { field, why: "has neither an id nor a phone number that can be read" });
    }
    Ok(known)
}
