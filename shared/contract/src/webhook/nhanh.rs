//! Nhanh.vn: `orderAdd` carries the order, `orderUpdate` only what changed, `orderDelete` only ids. Half an order is not
//! a snapshot, so an update is put aside until a connector fetches the order.

use loyalty_domain::order::{OrderStatus, PaymentStatus};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::context::{Contact, Context, bounded, full_name};
use super::json::{Field, Read};
use super::{Delivery, ParseError};
use crate::queue::{CanonicalOrder, Deletion, Quarantined};

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(default)]
    event: Field,
    #[serde(default, borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Order {
    #[serde(default, rename = "orderId")]
    order_id: Field,
    #[serde(default, rename = "createdDateTime")]
    created: Field,
    #[serde(default, rename = "updatedDateTime")]
    updated: Field,
    #[serde(default)]
    status: Field,
    #[serde(default, rename = "calcTotalMoney")]
    total: Field,
    #[serde(default, rename = "customerShipFee")]
    ship_fee: Field,
    #[serde(default, rename = "moneyDeposit")]
    deposit: Field,
    #[serde(default, rename = "moneyTransfer")]
    transfer: Field,
    #[serde(default, rename = "customerId")]
    customer_id: Field,
    #[serde(default, rename = "customerName")]
    customer_name: Field,
    #[serde(default, rename = "customerMobile")]
    customer_mobile: Field,
    #[serde(default, rename = "customerEmail")]
    customer_email: Field,
    #[serde(default, rename = "depotId")]
    depot_id: Field,
}

pub(super) fn parse(context: &Context<'_>, text: &str) -> Result<Delivery, ParseError> {
    let call: Call<'_> = serde_json::from_str(text)?;
    let data = call.data.map_or("null", RawValue::get);
    Ok(match call.event.word().as_deref() {
        Some("orderadd") => match order(context, data) {
            Ok(order) => Delivery::order(order),
            Err(error) => set_aside(context, "orderAdd", data, error.to_string()),
        },
        Some("orderupdate") => {
            let reason = "orderUpdate names only what changed: the order has to be fetched";
            set_aside(context, "orderUpdate", data, reason.into())
        }
        Some("orderdelete") => match deletions(context, data) {
            Ok(deletions) => Delivery { deletions, ..Delivery::default() },
            Err(error) => set_aside(context, "orderDelete", data, error.to_string()),
        },
        Some(_) => Delivery::ignored("not an order"),
        None => set_aside(context, "", data, ParseError::Missing("event").to_string()),
    })
}

/// The token that came in the body is a secret, so the body is written anew without it.
fn set_aside(context: &Context<'_>, event: &str, data: &str, reason: String) -> Delivery {
    let body = format!(r#"{{"event":"{event}","data":{data}}}"#);
    let aside = Quarantined { source: context.source, reason, body, base64: false };
    Delivery { quarantined: vec![aside], ..Delivery::default() }
}

fn deletions(context: &Context<'_>, text: &str) -> Result<Vec<Deletion>, ParseError> {
    let ids: Vec<Field> = serde_json::from_str(text)?;
    bounded(&ids)?.iter().map(|id| context.deletion("data[]", id)).collect()
}

fn order(context: &Context<'_>, text: &str) -> Result<CanonicalOrder, ParseError> {
    let order: Order = serde_json::from_str(text)?;
    let currency = context.settings.currency();
    let due = context.positive_amount("calcTotalMoney", &order.total, currency)?;
    let deposit = context.amount_or_zero("moneyDeposit", &order.deposit, currency)?;
    let transfer = context.amount_or_zero("moneyTransfer", &order.transfer, currency)?;
    let paid = deposit.saturating_add(transfer);
    // The published fields of `orderAdd` name no time at all; then the order is as of when it arrived.
    let placed_at = context.optional_time("createdDateTime", &order.created)?.unwrap_or(context.received_at);
    let contact = Contact {
        id: Some(&order.customer_id),
        name: full_name([&order.customer_name]),
        emails: [Some(&order.customer_email), None],
        customer_phone: Some(&order.customer_mobile),
        ..Contact::default()
    };
    Ok(CanonicalOrder {
        source: context.source,
        order_id: context.order_id("orderId", &order.order_id)?,
        placed_at,
        updated_at: context.optional_time("updatedDateTime", &order.updated)?.unwrap_or(placed_at),
        status: status(&order.status),
        payment_status: match paid {
            1.. if paid >= due => PaymentStatus::Paid,
            1.. => PaymentStatus::PartiallyPaid,
            _ => PaymentStatus::Unpaid,
        },
        currency,
        due_minor: due,
        shipping_minor: context.amount_or_zero("customerShipFee", &order.ship_fee, currency)?,
        refunded_minor: 0,
        refunded_lines_minor: None,
        items_minor: None,
        items: Vec::new(),
        paid_with_points_minor: 0,
        paid_with_wallet_minor: 0,
        customer: context.customer(contact),
        discount_codes: Vec::new(),
        store: order.depot_id.short_text(64),
    })
}

/// Words of Nhanh's order status; others are "not yet" (X49).
fn status(field: &Field) -> OrderStatus {
    match field.word().as_deref() {
        Some("success") => OrderStatus::Delivered,
        Some("shipping" | "pickup") => OrderStatus::Shipping,
        Some("returned") => OrderStatus::Returned,
        Some("canceled" | "aborted" | "carriercanceled" | "soldout") => OrderStatus::Cancelled,
        Some("confirmed" | "packing" | "packed") => OrderStatus::Confirmed,
        _ => OrderStatus::Pending,
    }
}
