//! Sapo, two products under one door: Sapo Web, which writes Shopify's fields with `…_on` for times, and Sapo Omni, which
//! writes `status`, `payment_status`, `total` and `customer_data`. Neither has an official page; both were seen live, so
//! either name of a field is taken.

use loyalty_domain::money::Currency;
use loyalty_domain::order::{OrderStatus, PaymentStatus};

use super::context::{Context, bounded, codes, full_name, other_topic, sum};
use super::json::{Field, Read};
use super::rest_order::{Body, RefundRule, RestOrder, body};
use super::settings::DeliveredWhen;
use super::{Delivery, ParseError};
use crate::queue::CanonicalOrder;

pub(super) fn parse(context: &Context<'_>, topic: Option<&str>, text: &str) -> Result<Delivery, ParseError> {
    let text = match body(topic, text)? {
        _ if other_topic(topic, &["order", "refund"]) => return Ok(Delivery::ignored("not an order")),
        Body::Ignored(reason) => return Ok(Delivery::ignored(reason)),
        Body::Deleted(id) => return context.deletion("id", &id).map(Delivery::deletion),
        Body::Order(text) => text,
    };
    let order: RestOrder = serde_json::from_str(text)?;
    if order.test.is_true() && !context.settings.accept_test_orders {
        return Ok(Delivery::ignored("a test order"));
    }
    canonical(context, &order).map(Delivery::order)
}

fn canonical(context: &Context<'_>, order: &RestOrder) -> Result<CanonicalOrder, ParseError> {
    let currency = context.currency(&order.currency)?;
    let refunded = order.refunded(context, currency, RefundRule::LinesThenMoney)?;
    let returns = sum(bounded(&order.order_returns)?
        .iter()
        .map(|r| context.amount_or_zero("order_returns[].total_amount", &r.total_amount, currency)))?;
    let mut contact = order.contact();
    let customer = order.customer.as_ref().or(order.customer_data.as_ref());
    contact.name = customer.and_then(|c| full_name([&c.last_name, &c.first_name]).or_else(|| full_name([&c.name])));
    Ok(CanonicalOrder {
        source: context.source,
        order_id: context.order_id("id", &order.id)?,
        placed_at: context.time("created_on", either(&order.created_on, &order.created_at))?,
        updated_at: context.time("modified_on", either(&order.modified_on, &order.updated_at))?,
        status: status(context, order),
        payment_status: payment(order),
        currency,
        due_minor: context.positive_amount("total_price", either(&order.total_price, &order.total), currency)?,
        shipping_minor: shipping_minor(context, order, currency)?,
        refunded_minor: refunded.goods_minor.saturating_add(returns.max(0)),
        refunded_lines_minor: refunded.lines_minor,
        items_minor: context.optional_amount("subtotal_price", &order.subtotal_price, currency)?,
        items: order.items(context, currency),
        paid_with_points_minor: 0,
        paid_with_wallet_minor: 0,
        customer: context.customer(contact),
        discount_codes: codes(order.discount_codes.iter().map(|d| &d.code)),
        store: order.location_id.short_text(64),
    })
}

fn either<'a>(one: &'a Field, other: &'a Field) -> &'a Field {
    if one.text().is_some() { one } else { other }
}

fn shipping_minor(context: &Context<'_>, order: &RestOrder, currency: Currency) -> Result<i64, ParseError> {
    match &order.delivery_fee {
        Some(delivery) => context.amount_or_zero("delivery_fee.fee", &delivery.fee, currency),
        None => order.shipping_minor(context, currency),
    }
}

/// Omni's words first, which Web does not send.
fn payment(order: &RestOrder) -> PaymentStatus {
    match order.payment_status.word().as_deref() {
        Some("paid") => PaymentStatus::Paid,
        Some("partial" | "partially_paid") => PaymentStatus::PartiallyPaid,
        _ => order.payment(),
    }
}

fn status(context: &Context<'_>, order: &RestOrder) -> OrderStatus {
    let word = order.status.word();
    if order.is_cancelled(context) || matches!(word.as_deref(), Some("cancelled" | "canceled")) {
        return OrderStatus::Cancelled;
    }
    if order.return_status.word().as_deref() == Some("returned") {
        return OrderStatus::Returned;
    }
    let fulfilled = matches!(order.fulfillment_status.word().as_deref(), Some("fulfilled" | "received"))
        || matches!(word.as_deref(), Some("completed" | "finished"));
    let delivered = match context.settings.delivered(context.source) {
        DeliveredWhen::Fulfilled => fulfilled,
        DeliveredWhen::CarrierDelivered => fulfilled && order.all_shipments(&["delivered", "received"]),
    };
    if delivered { OrderStatus::Delivered } else { order.on_the_way() }
}
