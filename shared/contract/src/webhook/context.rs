//! What every adapter needs: fields that must be there, in the words of the canonical order.

use chrono::{DateTime, Utc};
use loyalty_domain::money::Currency;

use super::ParseError;
use super::json::{Field, Read, Scalar};
use super::settings::{PhoneField, SourceSettings};
use super::time::instant;
use crate::amount::{AmountError, Fraction, minor_units};
use crate::phone::{Phone, normalise};
use crate::queue::{Customer, Deletion, Line, Source};

/// Longer ids are refused: they are part of a key.
const ID_CHARS_MAX: usize = 128;
const NAME_CHARS_MAX: usize = 100;
const EMAIL_CHARS_MAX: usize = 254;
const CODE_CHARS_MAX: usize = 64;
const CODES_MAX: usize = 20;
const ITEM_CHARS_MAX: usize = 64;

pub(super) struct Context<'a> {
    pub source: Source,
    pub settings: &'a SourceSettings,
    pub received_at: DateTime<Utc>,
}

/// What a shop says of a customer, before any of it is believed.
#[derive(Default)]
pub(super) struct Contact<'a> {
    pub id: Option<&'a Field>,
    pub name: Option<String>,
    /// E-mail addresses, the better one first.
    pub emails: [Option<&'a Field>; 2],
    pub customer_phone: Option<&'a Field>,
    pub order_phone: Option<&'a Field>,
    pub shipping_phone: Option<&'a Field>,
    pub billing_phone: Option<&'a Field>,
}

impl Context<'_> {
    /// The text of a field. The generic webhook guesses nothing: what is neither text nor a number is refused there, not
    /// taken for absent.
    pub fn given(&self, name: &'static str, field: &Field) -> Result<Option<String>, ParseError> {
        match field {
            Some(Scalar::Bool(_) | Scalar::Other) if self.source == Source::Standard => {
                Err(ParseError::Invalid { field: name, why: "is neither text nor a number" })
            }
            _ => Ok(field.text()),
        }
    }

    /// The order's id, exactly.
    pub fn order_id(&self, name: &'static str, field: &Field) -> Result<String, ParseError> {
        let id = self.given(name, field)?.filter(|id| id != "0").ok_or(ParseError::Missing(name))?;
        if id.chars().count() > ID_CHARS_MAX {
            return Err(ParseError::Invalid { field: name, why: "is longer than 128 characters" });
        }
        Ok(id)
    }

    /// A deletion, as of when it arrived: the shop sends no version with it.
    pub fn deletion(&self, name: &'static str, order_id: &Field) -> Result<Deletion, ParseError> {
        Ok(Deletion { source: self.source, order_id: self.order_id(name, order_id)?, deleted_at: self.received_at })
    }

    pub fn amount(&self, name: &'static str, field: &Field, currency: Currency) -> Result<i64, ParseError> {
        self.optional_amount(name, field, currency)?.ok_or(ParseError::Missing(name))
    }

    pub fn amount_or_zero(&self, name: &'static str, field: &Field, currency: Currency) -> Result<i64, ParseError> {
        Ok(self.optional_amount(name, field, currency)?.unwrap_or(0))
    }

    /// An amount in minor units; `None` when the field is absent, null or blank.
    pub fn optional_amount(
        &self,
        name: &'static str,
        field: &Field,
        currency: Currency,
    ) -> Result<Option<i64>, ParseError> {
        let fraction = if self.source == Source::Standard { Fraction::Refuse } else { Fraction::Drop };
        let Some(text) = self.given(name, field)? else { return Ok(None) };
        let read = match field {
            Some(Scalar::Text(_)) if fraction == Fraction::Refuse && text.contains(['e', 'E']) => {
                Err(AmountError::NotANumber)
            }
            _ => minor_units(&text, currency, fraction),
        };
        read.map(Some).map_err(|why| ParseError::Amount { field: name, why })
    }

    /// As [`Context::amount`], refused below zero.
    pub fn positive_amount(&self, name: &'static str, field: &Field, currency: Currency) -> Result<i64, ParseError> {
        not_negative(name, self.amount(name, field, currency)?)
    }

    pub fn time(&self, name: &'static str, field: &Field) -> Result<DateTime<Utc>, ParseError> {
        self.optional_time(name, field)?.ok_or(ParseError::Missing(name))
    }

    /// `None` when the field is absent, null or blank.
    pub fn optional_time(&self, name: &'static str, field: &Field) -> Result<Option<DateTime<Utc>>, ParseError> {
        let zone = self.settings.zone(self.source);
        let why = if zone.is_some() {
            "is not an ISO 8601 date and time of the years 1971 to 2199"
        } else {
            "is not an ISO 8601 date and time of the years 1971 to 2199 with an offset from UTC, such as 2026-11-23T08:15:00+07:00"
        };
        let text = self.given(name, field)?;
        text.map(|text| instant(&text, zone).ok_or(ParseError::Invalid { field: name, why })).transpose()
    }

    /// Whether a time is given that is not how shops write "never".
    pub fn happened(&self, field: &Field) -> bool {
        field.text().and_then(|text| instant(&text, self.settings.zone(self.source))).is_some()
    }

    /// The body's currency, else the one of the settings.
    pub fn currency(&self, field: &Field) -> Result<Currency, ParseError> {
        match self.given("currency", field)? {
            None => Ok(self.settings.currency()),
            Some(code) => Currency::from_code(&code.to_uppercase())
                .ok_or(ParseError::Invalid { field: "currency", why: "is not an ISO 4217 currency code" }),
        }
    }

    /// The person behind an order. What belongs to a customer whom all guests share identifies nobody.
    pub fn customer(&self, contact: Contact<'_>) -> Customer {
        let text = |field: Option<&Field>| field.and_then(Read::text);
        let shared = contact
            .emails
            .iter()
            .any(|email| text(*email).is_some_and(|email| self.settings.is_shared_customer(&email)));
        let phone_in = |field: &PhoneField| -> Option<Phone> {
            let field = match field {
                PhoneField::Customer if shared => None,
                PhoneField::Customer => contact.customer_phone,
                PhoneField::Order => contact.order_phone,
                PhoneField::Shipping => contact.shipping_phone,
                PhoneField::Billing => contact.billing_phone,
            };
            normalise(&text(field)?).ok()
        };
        let email = contact.emails.iter().find_map(|email| email.and_then(|e| e.short_text(EMAIL_CHARS_MAX)));
        Customer {
            id: contact.id.filter(|_| !shared).and_then(Read::id).filter(|id| id.chars().count() <= ID_CHARS_MAX),
            phone: self.settings.phones(self.source).iter().find_map(phone_in),
            name: contact.name.filter(|_| !shared),
            email: email.filter(|_| !shared),
            birthday: None,
        }
    }
}

/// A name of its parts, in the order they are given.
pub(super) fn full_name<'a>(parts: impl IntoIterator<Item = &'a Field>) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().filter_map(Read::text).collect();
    let name: String = parts.join(" ").chars().take(NAME_CHARS_MAX).collect();
    if name.is_empty() { None } else { Some(name) }
}

/// A line by which a rule about items can tell what was bought and what of it came back; `None` without a name or an amount.
pub(super) fn line(sku: &Field, category: &Field, minor: Option<i64>, returned_minor: i64) -> Option<Line> {
    let (sku, category) = (sku.short_text(ITEM_CHARS_MAX), category.short_text(ITEM_CHARS_MAX));
    minor.filter(|_| sku.is_some() || category.is_some()).map(|minor| Line { sku, category, minor, returned_minor })
}

/// The codes a customer entered.
pub(super) fn codes<'a>(fields: impl IntoIterator<Item = &'a Field>) -> Vec<String> {
    fields.into_iter().filter_map(|code| code.short_text(CODE_CHARS_MAX)).take(CODES_MAX).collect()
}

pub(super) fn not_negative(name: &'static str, minor: i64) -> Result<i64, ParseError> {
    if minor < 0 { Err(ParseError::Invalid { field: name, why: "is negative" }) } else { Ok(minor) }
}

/// The sum of amounts; each is far below 64 bits, and so are as many of them as a body may hold.
pub(super) fn sum(amounts: impl IntoIterator<Item = Result<i64, ParseError>>) -> Result<i64, ParseError> {
    amounts.into_iter().try_fold(0_i64, |total, amount| Ok(total.saturating_add(amount?)))
}

pub(super) fn bounded<T>(list: &[T]) -> Result<&[T], ParseError> {
    if list.len() > super::LIST_MAX { Err(ParseError::TooMany) } else { Ok(list) }
}

/// Whether a topic header says that the body is none of the given kinds: `orders/`, `order.`. Without a header, it
/// may be.
pub(super) fn other_topic(topic: Option<&str>, kinds: &[&str]) -> bool {
    topic
        .map(|topic| topic.trim().to_ascii_lowercase())
        .is_some_and(|topic| !topic.is_empty() && !kinds.iter().any(|kind| topic.starts_with(kind)))
}
