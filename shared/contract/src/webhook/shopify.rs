//! Shopify's `orders/*`: the whole order, bare. Retries carry the original body, hours late, so `updated_at` decides.

use loyalty_domain::order::OrderStatus;

use super::context::{Context, codes, full_name, other_topic};
use super::json::Read;
use super::rest_order::{Body, Person, RefundRule, RestOrder, body};
use super::settings::DeliveredWhen;
use super::{Delivery, ParseError};
use crate::queue::CanonicalOrder;

pub(super) fn parse(context: &Context<'_>, topic: Option<&str>, text: &str) -> Result<Delivery, ParseError> {
    let text = match body(topic, text)? {
        _ if other_topic(topic, &["orders/", "refunds/"]) => return Ok(Delivery::ignored("not an order")),
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
    let mut contact = order.contact();
    contact.name = order.customer.as_ref().and_then(|c| full_name([&c.first_name, &c.last_name])).or_else(|| {
        let address: Option<&Person> = order.shipping_address.as_ref().or(order.billing_address.as_ref());
        address.and_then(|a| full_name([&a.name]))
    });
    Ok(CanonicalOrder {
        source: context.source,
        order_id: context.order_id("id", &order.id)?,
        placed_at: context.time("created_at", &order.created_at)?,
        updated_at: context.time("updated_at", &order.updated_at)?,
        status: status(context, order),
        payment_status: order.payment(),
        currency,
        due_minor: context.positive_amount("total_price", &order.total_price, currency)?,
        shipping_minor: order.shipping_minor(context, currency)?,
        refunded_minor: refunded.goods_minor,
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

fn status(context: &Context<'_>, order: &RestOrder) -> OrderStatus {
    if order.is_cancelled(context) {
        return OrderStatus::Cancelled;
    }
    let fulfilled = order.fulfillment_status.word().as_deref() == Some("fulfilled");
    let delivered = match context.settings.delivered(context.source) {
        DeliveredWhen::Fulfilled => fulfilled,
        DeliveredWhen::CarrierDelivered => fulfilled && order.all_shipments(&["delivered"]),
    };
    if delivered { OrderStatus::Delivered } else { order.on_the_way() }
}
