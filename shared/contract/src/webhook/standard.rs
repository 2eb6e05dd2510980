//! The generic webhook: our own format, for any shop that can be taught it. Orders are read here; what else a shop reports
//! comes in the same envelope and is read as at `POST /events`.
//!
//! Everything is said in full and nothing is guessed: an unknown word, an amount below the smallest unit, a time without
//! an offset or another currency is refused with what would be right.

use loyalty_domain::order::{OrderStatus, PaymentStatus};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::context::{Contact, Context, bounded, codes, full_name, line, not_negative};
use super::event::event;
use super::json::{Field, Read, list};
use super::time::day;
use super::{Delivery, ParseError};
use crate::queue::{CanonicalOrder, Customer, Line};

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    data: Option<Order>,
}

/// What holds other fields, so that one of another kind is refused by its name.
#[derive(Deserialize)]
struct Shapes<'a> {
    #[serde(default, borrow)]
    data: Option<Containers<'a>>,
}

#[derive(Deserialize)]
struct Containers<'a> {
    #[serde(default, borrow)]
    customer: Option<&'a RawValue>,
    #[serde(default, borrow)]
    items: Option<&'a RawValue>,
    #[serde(default, borrow)]
    discount_codes: Option<&'a RawValue>,
}

/// Only the type, so that a body of another type is refused as that and not for its shape.
#[derive(Deserialize)]
pub(super) struct Head {
    #[serde(default, rename = "type")]
    pub kind: Field,
}

#[derive(Deserialize)]
struct Order {
    #[serde(default)]
    order_id: Field,
    #[serde(default)]
    placed_at: Field,
    #[serde(default)]
    updated_at: Field,
    #[serde(default)]
    status: Field,
    #[serde(default)]
    payment_status: Field,
    #[serde(default)]
    amount_due: Field,
    #[serde(default)]
    shipping_fee: Field,
    #[serde(default)]
    refunded: Field,
    #[serde(default)]
    currency: Field,
    /// `Some(None)` is an explicit null: a guest.
    #[serde(default, deserialize_with = "present")]
    customer: Option<Option<Person>>,
    #[serde(default, deserialize_with = "list")]
    items: Vec<Item>,
    #[serde(default, deserialize_with = "list")]
    discount_codes: Vec<Field>,
    #[serde(default)]
    paid_with_points: Field,
    #[serde(default)]
    paid_with_wallet: Field,
    #[serde(default)]
    store: Field,
}

#[derive(Deserialize)]
pub(super) struct Person {
    #[serde(default)]
    id: Field,
    #[serde(default)]
    phone: Field,
    #[serde(default)]
    name: Field,
    #[serde(default)]
    email: Field,
    #[serde(default)]
    birthday: Field,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    sku: Field,
    #[serde(default)]
    category: Field,
    #[serde(default)]
    amount: Field,
    /// What came back of the line, at its price (X24).
    #[serde(default)]
    returned: Field,
}

impl Containers<'_> {
    fn check(&self) -> Result<(), ParseError> {
        let not_a_list = "is not a list";
        for (field, raw, begins, why) in [
            // A list would be read as the fields one after the other, and an empty one as a guest.
            ("customer", self.customer, '{', "is not an object, or null for a guest"),
            ("items", self.items, '[', not_a_list),
            ("discount_codes", self.discount_codes, '[', not_a_list),
        ] {
            if raw.is_some_and(|raw| !raw.get().starts_with(begins)) {
                return Err(ParseError::Invalid { field, why });
            }
        }
        let items = self.items.map_or(Ok(Vec::new()), |raw| serde_json::from_str::<Vec<&RawValue>>(raw.get()))?;
        if items.iter().any(|item| !item.get().starts_with('{')) {
            return Err(ParseError::Invalid { field: "items[]", why: "is not an object" });
        }
        Ok(())
    }
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Person>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

pub(super) fn parse(context: &Context<'_>, text: &str) -> Result<Delivery, ParseError> {
    let head: Head = serde_json::from_str(text)?;
    let kind = head.kind.text().ok_or(ParseError::Missing("type"))?;
    if kind != "order.changed" {
        return event(context, &kind, text)?.map(Delivery::event).ok_or(ParseError::UnsupportedType);
    }
    let Shapes { data } = serde_json::from_str(text)?;
    data.map_or(Ok(()), |data| data.check())?;
    let Envelope { data } = serde_json::from_str(text)?;
    order(context, data.ok_or(ParseError::Missing("data"))?).map(Delivery::order)
}

fn order(context: &Context<'_>, order: Order) -> Result<CanonicalOrder, ParseError> {
    let currency = context.currency(&order.currency)?;
    order.currency.text().ok_or(ParseError::Missing("currency"))?;
    if currency != context.settings.currency() {
        return Err(ParseError::OtherCurrency { expected: context.settings.currency().code() });
    }
    let optional = |name, field: &Field| not_negative(name, context.amount_or_zero(name, field, currency)?);
    Ok(CanonicalOrder {
        source: context.source,
        order_id: context.order_id("order_id", &order.order_id)?,
        placed_at: context.time("placed_at", &order.placed_at)?,
        updated_at: context.time("updated_at", &order.updated_at)?,
        status: status(context, &order.status)?,
        payment_status: payment_status(context, &order.payment_status)?,
        currency,
        due_minor: context.positive_amount("amount_due", &order.amount_due, currency)?,
        shipping_minor: context.positive_amount("shipping_fee", &order.shipping_fee, currency)?,
        refunded_minor: context.positive_amount("refunded", &order.refunded, currency)?,
        refunded_lines_minor: returned_minor(context, &order.items, currency)?,
        items_minor: items_minor(context, &order.items, currency)?,
        items: lines(context, &order.items, currency)?,
        paid_with_points_minor: optional("paid_with_points", &order.paid_with_points)?,
        paid_with_wallet_minor: optional("paid_with_wallet", &order.paid_with_wallet)?,
        customer: match order.customer {
            None => return Err(ParseError::Missing("customer (null for a guest)")),
            Some(None) => Customer::default(),
            Some(Some(person)) => customer(context, &person)?,
        },
        discount_codes: codes(&order.discount_codes),
        store: order.store.short_text(64),
    })
}

/// The price of what came back, when any line says that something did (X24).
fn returned_minor(
    context: &Context<'_>,
    items: &[Item],
    currency: loyalty_domain::money::Currency,
) -> Result<Option<i64>, ParseError> {
    let mut total = None;
    for item in bounded(items)? {
        let Some(returned) = context.optional_amount("items[].returned", &item.returned, currency)? else { continue };
        let returned = not_negative("items[].returned", returned)?;
        let amount = context.optional_amount("items[].amount", &item.amount, currency)?;
        if amount.is_none_or(|amount| returned > amount) {
            return Err(ParseError::Invalid { field: "items[].returned", why: "is more than the amount of the line" });
        }
        total = Some(returned.saturating_add(total.unwrap_or(0)));
    }
    Ok(total.filter(|returned| *returned > 0))
}

/// The sum of the lines, when every line names its amount.
fn items_minor(
    context: &Context<'_>,
    items: &[Item],
    currency: loyalty_domain::money::Currency,
) -> Result<Option<i64>, ParseError> {
    let mut total = None;
    for item in bounded(items)? {
        match context.optional_amount("items[].amount", &item.amount, currency)? {
            None => return Ok(None),
            Some(amount) => total = Some(not_negative("items[].amount", amount)?.saturating_add(total.unwrap_or(0))),
        }
    }
    Ok(total)
}

fn lines(
    context: &Context<'_>,
    items: &[Item],
    currency: loyalty_domain::money::Currency,
) -> Result<Vec<Line>, ParseError> {
    let read = |item: &Item| {
        let minor = context.optional_amount("items[].amount", &item.amount, currency)?;
        let returned_minor = context.amount_or_zero("items[].returned", &item.returned, currency)?;
        Ok(line(&item.sku, &item.category, minor, returned_minor))
    };
    bounded(items)?.iter().filter_map(|item| read(item).transpose()).collect()
}

/// A phone that cannot be read is no phone: the order is kept and waits for a better one (X43).
pub(super) fn customer(context: &Context<'_>, person: &Person) -> Result<Customer, ParseError> {
    let birthday = person
        .birthday
        .text()
        .map(|text| day(&text).ok_or(ParseError::Invalid { field: "customer.birthday", why: "is not a date" }))
        .transpose()?;
    let contact = Contact {
        id: Some(&person.id),
        name: full_name([&person.name]),
        emails: [Some(&person.email), None],
        customer_phone: Some(&person.phone),
        ..Contact::default()
    };
    Ok(Customer { birthday, ..context.customer(contact) })
}

fn status(context: &Context<'_>, field: &Field) -> Result<OrderStatus, ParseError> {
    let word = context.given("status", field)?.ok_or(ParseError::Missing("status"))?;
    Ok(match word.as_str() {
        "pending" => OrderStatus::Pending,
        "confirmed" => OrderStatus::Confirmed,
        "shipping" => OrderStatus::Shipping,
        "delivered" => OrderStatus::Delivered,
        "cancelled" => OrderStatus::Cancelled,
        "returned" => OrderStatus::Returned,
        _ => {
            return Err(ParseError::UnknownWord {
                field: "status",
                known: "pending, confirmed, shipping, delivered, cancelled, returned",
            });
        }
    })
}

fn payment_status(context: &Context<'_>, field: &Field) -> Result<PaymentStatus, ParseError> {
    let word = context.given("payment_status", field)?.ok_or(ParseError::Missing("payment_status"))?;
    Ok(match word.as_str() {
        "unpaid" => PaymentStatus::Unpaid,
        "partially_paid" => PaymentStatus::PartiallyPaid,
        "paid" => PaymentStatus::Paid,
        "partially_refunded" => PaymentStatus::PartiallyRefunded,
        "refunded" => PaymentStatus::Refunded,
        "voided" => PaymentStatus::Voided,
        _ => {
            return Err(ParseError::UnknownWord {
                field: "payment_status",
                known: "unpaid, partially_paid, paid, partially_refunded, refunded, voided",
            });
        }
    })
}
