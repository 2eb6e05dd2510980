//! What a shop's back end reports beside orders: behaviours that earn (P17), top-ups (B2–B4), registrations.
//!
//! The same envelope and the same signature as the generic order webhook, at an address of its own: an order waits until
//! the shop's systems agree, and these are answered at once with what they brought.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::context::{Context, not_negative};
use super::json::{Field, Read};
use super::settings::SourceSettings;
use super::standard::{Head, Person, customer};
use super::{ParseError, checked_text};
use crate::queue::{Customer, Source};

/// One event of `POST /events`.
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
    },
}

#[derive(Deserialize)]
struct Envelope<T> {
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

#[derive(Deserialize)]
struct Registered {
    #[serde(default)]
    customer: Option<Person>,
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
    let text = checked_text(body)?;
    let context = &Context { source: Source::Standard, settings, received_at };
    let head: Head = serde_json::from_str(text)?;
    match head.kind.text().as_deref() {
        Some("behaviour") => behaviour(context, data(text)?),
        Some("topup") => topup(context, data(text)?),
        Some("customer.registered") => {
            let Registered { customer } = data(text)?;
            Ok(ShopEvent::Registered { customer: person(context, "data.customer", customer)? })
        }
        Some(_) => Err(ParseError::UnknownEvent),
        None => Err(ParseError::Missing("type")),
    }
}

fn data<T: DeserializeOwned>(text: &str) -> Result<T, ParseError> {
    let Envelope { data } = serde_json::from_str(text)?;
    data.ok_or(ParseError::Missing("data"))
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
