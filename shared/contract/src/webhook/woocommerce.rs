//! WooCommerce's `order.*`: the REST v3 order, bare. There is no payment status and no delivery: paid is a date, and
//! completed is as far as an order goes. A cash-on-delivery order is "processing" before it is paid. `order.deleted` has
//! the id alone.

use loyalty_domain::money::Currency;
use loyalty_domain::order::{OrderStatus, PaymentStatus};
use serde::Deserialize;

use super::context::{Contact, Context, bounded, codes, full_name, line, other_topic, sum};
use super::json::{Field, Read, list, object};
use super::time::instant;
use super::{Delivery, ParseError};
use crate::queue::{self, CanonicalOrder};

#[derive(Deserialize)]
struct Wrapped {
    #[serde(default, deserialize_with = "object")]
    order: Option<Order>,
}

#[derive(Deserialize)]
struct Order {
    #[serde(default)]
    id: Field,
    #[serde(default)]
    parent_id: Field,
    #[serde(default)]
    status: Field,
    #[serde(default)]
    currency: Field,
    #[serde(default)]
    date_created: Field,
    #[serde(default)]
    date_created_gmt: Field,
    #[serde(default)]
    date_modified: Field,
    #[serde(default)]
    date_modified_gmt: Field,
    #[serde(default)]
    date_paid: Field,
    #[serde(default)]
    date_paid_gmt: Field,
    #[serde(default)]
    total: Field,
    #[serde(default)]
    shipping_total: Field,
    #[serde(default)]
    shipping_tax: Field,
    #[serde(default)]
    customer_id: Field,
    #[serde(default, deserialize_with = "object")]
    billing: Option<Address>,
    #[serde(default, deserialize_with = "object")]
    shipping: Option<Address>,
    #[serde(default, deserialize_with = "list")]
    line_items: Vec<Line>,
    #[serde(default, deserialize_with = "list")]
    coupon_lines: Vec<Coupon>,
    #[serde(default, deserialize_with = "list")]
    refunds: Vec<Refund>,
}

#[derive(Deserialize)]
struct Address {
    #[serde(default)]
    first_name: Field,
    #[serde(default)]
    last_name: Field,
    #[serde(default)]
    phone: Field,
    #[serde(default)]
    email: Field,
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    sku: Field,
    #[serde(default)]
    total: Field,
    #[serde(default)]
    total_tax: Field,
}

#[derive(Deserialize)]
struct Coupon {
    #[serde(default)]
    code: Field,
}

#[derive(Deserialize)]
struct Refund {
    #[serde(default)]
    total: Field,
}

pub(super) fn parse(context: &Context<'_>, topic: Option<&str>, text: &str) -> Result<Delivery, ParseError> {
    if other_topic(topic, &["order."]) {
        return Ok(Delivery::ignored("not an order"));
    }
    let order = match serde_json::from_str(text)? {
        Wrapped { order: Some(order) } => order,
        Wrapped { order: None } => serde_json::from_str::<Order>(text)?,
    };
    let only_an_id = order.id.is_some() && order.status.is_none() && order.total.is_none();
    match topic {
        Some(topic) if only_an_id && topic.trim().eq_ignore_ascii_case("order.deleted") => {
            return context.deletion("id", &order.id).map(Delivery::deletion);
        }
        None if only_an_id => return Ok(Delivery::ignored("a deletion without its topic")),
        _ => {}
    }
    if order.parent_id.id().is_some() {
        return Ok(Delivery::ignored("a refund is a hint: the order itself follows"));
    }
    canonical(context, &order).map(Delivery::order)
}

impl Line {
    /// By its SKU: an order of WooCommerce names no categories. One that cannot be read is one that no rule is about.
    fn told(&self, context: &Context<'_>, currency: Currency) -> Option<queue::Line> {
        let amount = |field| context.optional_amount("line_items[].total", field, currency).ok().flatten();
        let minor = amount(&self.total)?.saturating_add(amount(&self.total_tax).unwrap_or(0));
        line(&self.sku, &None, Some(minor), 0)
    }
}

fn canonical(context: &Context<'_>, order: &Order) -> Result<CanonicalOrder, ParseError> {
    let currency = context.currency(&order.currency)?;
    let shipping = context.amount_or_zero("shipping_total", &order.shipping_total, currency)?;
    let shipping_tax = context.amount_or_zero("shipping_tax", &order.shipping_tax, currency)?;
    // The order shows each refund's total only, goods and shipping together.
    let refunded = sum(bounded(&order.refunds)?
        .iter()
        .map(|r| Ok(context.amount_or_zero("refunds[].total", &r.total, currency)?.saturating_abs())))?;
    let lines = sum(bounded(&order.line_items)?
        .iter()
        .flat_map(|line| [&line.total, &line.total_tax])
        .map(|amount| context.amount_or_zero("line_items[].total", amount, currency)))?;
    let (billing, delivery) = (order.billing.as_ref(), order.shipping.as_ref());
    let contact = Contact {
        id: Some(&order.customer_id),
        name: [billing, delivery].into_iter().flatten().find_map(|a| full_name([&a.first_name, &a.last_name])),
        emails: [billing.map(|a| &a.email), None],
        shipping_phone: delivery.map(|a| &a.phone),
        billing_phone: billing.map(|a| &a.phone),
        ..Contact::default()
    };
    let status = status(&order.status);
    Ok(CanonicalOrder {
        source: context.source,
        order_id: context.order_id("id", &order.id)?,
        placed_at: time(context, "date_created_gmt", &order.date_created_gmt, &order.date_created)?,
        updated_at: time(context, "date_modified_gmt", &order.date_modified_gmt, &order.date_modified)?,
        status,
        payment_status: payment(context, order, status, refunded),
        currency,
        due_minor: context.positive_amount("total", &order.total, currency)?,
        shipping_minor: shipping.saturating_add(shipping_tax),
        refunded_minor: refunded,
        refunded_lines_minor: None,
        items_minor: if order.line_items.is_empty() { None } else { Some(lines) },
        items: order.line_items.iter().filter_map(|line| line.told(context, currency)).collect(),
        paid_with_points_minor: 0,
        paid_with_wallet_minor: 0,
        customer: context.customer(contact),
        discount_codes: codes(order.coupon_lines.iter().map(|c| &c.code)),
        store: None,
    })
}

/// `…_gmt` is UTC, though it does not say so; the field without it is the site's wall clock.
fn time(
    context: &Context<'_>,
    name: &'static str,
    gmt: &Field,
    local: &Field,
) -> Result<chrono::DateTime<chrono::Utc>, ParseError> {
    match gmt.text() {
        Some(text) => instant(&text, Some(chrono_tz::UTC))
            .ok_or(ParseError::Invalid { field: name, why: "is not an ISO 8601 date and time" }),
        None => context.time(name, local),
    }
}

/// Plugins add statuses of their own: "not yet" (X49).
fn status(field: &Field) -> OrderStatus {
    let word = field.word().unwrap_or_default();
    match word.strip_prefix("wc-").unwrap_or(&word) {
        "completed" => OrderStatus::Delivered,
        "processing" => OrderStatus::Confirmed,
        "refunded" => OrderStatus::Returned,
        "cancelled" | "failed" | "trash" => OrderStatus::Cancelled,
        _ => OrderStatus::Pending,
    }
}

fn payment(context: &Context<'_>, order: &Order, status: OrderStatus, refunded_minor: i64) -> PaymentStatus {
    let dated = context.happened(&order.date_paid_gmt) || context.happened(&order.date_paid);
    match status {
        OrderStatus::Returned => PaymentStatus::Refunded,
        _ if !dated && status != OrderStatus::Delivered => PaymentStatus::Unpaid,
        _ if refunded_minor > 0 => PaymentStatus::PartiallyRefunded,
        _ => PaymentStatus::Paid,
    }
}
