//! Pancake POS: the whole order as the body. It names no total, so the amount due is its lines less the discount plus the
//! shipping fee.

use loyalty_domain::money::Currency;
use loyalty_domain::order::{OrderStatus, PaymentStatus};
use serde::Deserialize;

use super::context::{Contact, Context, bounded, full_name, sum};
use super::json::{Field, Read, list, object};
use super::{Delivery, ParseError};
use crate::queue::CanonicalOrder;

#[derive(Deserialize)]
struct Order {
    #[serde(default)]
    id: Field,
    #[serde(default)]
    inserted_at: Field,
    #[serde(default)]
    updated_at: Field,
    #[serde(default)]
    status: Field,
    #[serde(default)]
    order_currency: Field,
    #[serde(default)]
    bill_phone_number: Field,
    #[serde(default)]
    bill_full_name: Field,
    #[serde(default)]
    bill_email: Field,
    #[serde(default)]
    shipping_fee: Field,
    #[serde(default)]
    total_discount: Field,
    #[serde(default, deserialize_with = "list")]
    items: Vec<Item>,
    #[serde(default, deserialize_with = "object")]
    partner: Option<Partner>,
    #[serde(default, deserialize_with = "object")]
    customer: Option<Person>,
    #[serde(default, deserialize_with = "object")]
    shipping_address: Option<Person>,
    #[serde(default)]
    warehouse_id: Field,
    #[serde(default)]
    prepaid: Field,
    #[serde(default)]
    cash: Field,
    #[serde(default)]
    transfer_money: Field,
    #[serde(default)]
    charged_by_card: Field,
    #[serde(default)]
    charged_by_momo: Field,
    #[serde(default)]
    charged_by_qrpay: Field,
    #[serde(default)]
    charged_by_vnpay: Field,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    quantity: Field,
    #[serde(default)]
    is_bonus_product: Field,
    #[serde(default)]
    returned_count: Field,
    #[serde(default, deserialize_with = "object")]
    variation_info: Option<Variation>,
}

#[derive(Deserialize)]
struct Variation {
    #[serde(default)]
    retail_price: Field,
}

#[derive(Deserialize)]
struct Partner {
    #[serde(default)]
    paid_at: Field,
}

#[derive(Deserialize)]
struct Person {
    #[serde(default)]
    id: Field,
    #[serde(default)]
    phone_number: Field,
}

pub(super) fn parse(context: &Context<'_>, text: &str) -> Result<Delivery, ParseError> {
    let order: Order = serde_json::from_str(text)?;
    if order.status.is_none() && order.items.is_empty() {
        return Ok(Delivery::ignored("not an order"));
    }
    canonical(context, &order).map(Delivery::order)
}

fn canonical(context: &Context<'_>, order: &Order) -> Result<CanonicalOrder, ParseError> {
    let currency = context.currency(&order.order_currency)?;
    let items = bounded(&order.items)?;
    let goods = sum(items.iter().map(|item| item.price(context, currency, &item.quantity)))?;
    let returned = sum(items.iter().map(|item| item.price(context, currency, &item.returned_count)))?;
    let discount = context.amount_or_zero("total_discount", &order.total_discount, currency)?;
    let shipping = context.amount_or_zero("shipping_fee", &order.shipping_fee, currency)?;
    let goods_due = goods.saturating_sub(discount).max(0);
    let due = goods_due.saturating_add(shipping);
    let status = status(&order.status);
    if order.status.code() == Some(PARTLY_RETURNED) && returned == 0 {
        return Err(ParseError::Missing("items[].returned_count of a partial return"));
    }
    let contact = Contact {
        id: order.customer.as_ref().map(|c| &c.id),
        name: full_name([&order.bill_full_name]),
        emails: [Some(&order.bill_email), None],
        order_phone: Some(&order.bill_phone_number),
        shipping_phone: order.shipping_address.as_ref().map(|a| &a.phone_number),
        ..Contact::default()
    };
    Ok(CanonicalOrder {
        source: context.source,
        order_id: context.order_id("id", &order.id)?,
        placed_at: context.time("inserted_at", &order.inserted_at)?,
        updated_at: context.time("updated_at", &order.updated_at)?,
        status,
        payment_status: order.payment(context, currency, due)?,
        currency,
        due_minor: due,
        shipping_minor: shipping,
        // Lines are at their full price; what was given back for them is never more than was due for all of them.
        refunded_minor: returned.min(goods_due),
        refunded_lines_minor: if returned > 0 { Some(returned) } else { None },
        items_minor: Some(goods),
        items: Vec::new(),
        paid_with_points_minor: 0,
        paid_with_wallet_minor: 0,
        customer: context.customer(contact),
        discount_codes: Vec::new(),
        store: order.warehouse_id.short_text(64),
    })
}

/// Some goods came back: the order stands with the rest.
const PARTLY_RETURNED: i64 = 15;

/// 3 received, 16 money collected, 15 partly returned; 2 sent, 4 coming back; 5 returned; 6 cancelled, 7 deleted; the
/// rest is on its way out of the shop, and numbers not known are "not yet" (X49).
fn status(field: &Field) -> OrderStatus {
    match field.code() {
        Some(3 | 16 | PARTLY_RETURNED) => OrderStatus::Delivered,
        Some(2 | 4) => OrderStatus::Shipping,
        Some(5) => OrderStatus::Returned,
        Some(6 | 7) => OrderStatus::Cancelled,
        Some(1 | 8 | 9 | 11 | 12 | 13 | 20) => OrderStatus::Confirmed,
        _ => OrderStatus::Pending,
    }
}

impl Order {
    /// Paid when the carrier handed the money over or the shop collected it, or when the customer paid all of it before.
    fn payment(&self, context: &Context<'_>, currency: Currency, due: i64) -> Result<PaymentStatus, ParseError> {
        let parts = [
            &self.cash,
            &self.transfer_money,
            &self.charged_by_card,
            &self.charged_by_momo,
            &self.charged_by_qrpay,
            &self.charged_by_vnpay,
        ];
        let paid = sum(parts.into_iter().map(|part| context.amount_or_zero("transfer_money", part, currency)))?;
        // Whether `prepaid` counts the others is not documented, so they are not added up.
        let paid = paid.max(context.amount_or_zero("prepaid", &self.prepaid, currency)?);
        let collected = self.status.code() == Some(16)
            || self.partner.as_ref().is_some_and(|partner| context.happened(&partner.paid_at));
        Ok(match paid {
            _ if collected => PaymentStatus::Paid,
            1.. if paid >= due => PaymentStatus::Paid,
            1.. => PaymentStatus::PartiallyPaid,
            _ => PaymentStatus::Unpaid,
        })
    }
}

impl Item {
    /// The full price of so many of the item; gifts cost nothing.
    fn price(&self, context: &Context<'_>, currency: Currency, count: &Field) -> Result<i64, ParseError> {
        const COUNT_MAX: i64 = 1_000_000;
        let count = count.code().unwrap_or(0);
        if self.is_bonus_product.is_true() || count == 0 {
            return Ok(0);
        }
        if !(0..=COUNT_MAX).contains(&count) {
            return Err(ParseError::Invalid { field: "items[].quantity", why: "is not a sensible number" });
        }
        let price = self.variation_info.as_ref().map(|v| &v.retail_price).unwrap_or(&None);
        let price = context.positive_amount("items[].variation_info.retail_price", price, currency)?;
        let total = price.saturating_mul(count);
        if total > crate::amount::AMOUNT_MINOR_MAX {
            return Err(ParseError::Amount {
                field: "items[].variation_info.retail_price",
                why: crate::amount::AmountError::TooLarge,
            });
        }
        Ok(total)
    }
}
