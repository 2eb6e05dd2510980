//! The order of Shopify's REST format, which Haravan and Sapo took over with differences in detail.

use std::collections::HashMap;

use loyalty_domain::money::Currency;
use loyalty_domain::order::{OrderStatus, PaymentStatus};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::ParseError;
use super::context::{Contact, Context, bounded, line, sum};
use super::json::{Field, Read, list, object};
use crate::queue::Line;

/// The fields that matter, under every name they have.
#[derive(Deserialize)]
pub(super) struct RestOrder {
    #[serde(default)]
    pub id: Field,
    #[serde(default)]
    pub created_at: Field,
    #[serde(default)]
    pub created_on: Field,
    #[serde(default)]
    pub updated_at: Field,
    #[serde(default)]
    pub modified_on: Field,
    #[serde(default)]
    pub cancelled_at: Field,
    #[serde(default)]
    pub cancelled_on: Field,
    #[serde(default)]
    pub cancelled_status: Field,
    #[serde(default)]
    pub status: Field,
    #[serde(default)]
    pub financial_status: Field,
    #[serde(default)]
    pub payment_status: Field,
    #[serde(default)]
    pub fulfillment_status: Field,
    #[serde(default)]
    pub return_status: Field,
    #[serde(default)]
    pub currency: Field,
    #[serde(default)]
    pub total_price: Field,
    #[serde(default)]
    pub subtotal_price: Field,
    #[serde(default)]
    pub total: Field,
    #[serde(default)]
    pub taxes_included: Field,
    #[serde(default, deserialize_with = "object")]
    pub total_shipping_price_set: Option<MoneySet>,
    #[serde(default, deserialize_with = "object")]
    pub delivery_fee: Option<DeliveryFee>,
    #[serde(default, deserialize_with = "list")]
    pub shipping_lines: Vec<ShippingLine>,
    #[serde(default)]
    pub phone: Field,
    #[serde(default)]
    pub phone_number: Field,
    #[serde(default)]
    pub email: Field,
    #[serde(default)]
    pub customer_id: Field,
    #[serde(default, deserialize_with = "object")]
    pub customer: Option<Person>,
    #[serde(default, deserialize_with = "object")]
    pub customer_data: Option<Person>,
    #[serde(default, deserialize_with = "object")]
    pub shipping_address: Option<Person>,
    #[serde(default, deserialize_with = "object")]
    pub billing_address: Option<Person>,
    #[serde(default, deserialize_with = "list")]
    pub line_items: Vec<LineItem>,
    #[serde(default, deserialize_with = "list")]
    pub discount_codes: Vec<DiscountCode>,
    #[serde(default, deserialize_with = "list")]
    pub refunds: Vec<Refund>,
    #[serde(default, deserialize_with = "list")]
    pub order_returns: Vec<OrderReturn>,
    #[serde(default, deserialize_with = "list")]
    pub fulfillments: Vec<Fulfillment>,
    #[serde(default)]
    pub test: Field,
    #[serde(default)]
    pub location_id: Field,
}

#[derive(Deserialize)]
pub(super) struct MoneySet {
    #[serde(default, deserialize_with = "object")]
    shop_money: Option<Money>,
}

#[derive(Deserialize)]
struct Money {
    #[serde(default)]
    amount: Field,
}

#[derive(Deserialize)]
pub(super) struct DeliveryFee {
    #[serde(default)]
    pub fee: Field,
}

#[derive(Deserialize)]
pub(super) struct ShippingLine {
    #[serde(default)]
    price: Field,
    #[serde(default)]
    discounted_price: Field,
}

/// A customer or an address.
#[derive(Default, Deserialize)]
pub(super) struct Person {
    #[serde(default)]
    pub id: Field,
    #[serde(default)]
    pub phone: Field,
    #[serde(default)]
    pub phone_number: Field,
    #[serde(default)]
    pub email: Field,
    #[serde(default)]
    pub name: Field,
    #[serde(default)]
    pub first_name: Field,
    #[serde(default)]
    pub last_name: Field,
}

#[derive(Deserialize)]
pub(super) struct DiscountCode {
    #[serde(default)]
    pub code: Field,
}

#[derive(Deserialize)]
pub(super) struct LineItem {
    #[serde(default)]
    id: Field,
    #[serde(default)]
    sku: Field,
    #[serde(default)]
    price: Field,
    #[serde(default)]
    quantity: Field,
}

#[derive(Deserialize)]
pub(super) struct OrderReturn {
    #[serde(default, alias = "total_price")]
    pub total_amount: Field,
}

#[derive(Deserialize)]
pub(super) struct Fulfillment {
    #[serde(default)]
    status: Field,
    #[serde(default)]
    shipment_status: Field,
    #[serde(default)]
    carrier_status_code: Field,
}

#[derive(Deserialize)]
pub(super) struct Refund {
    #[serde(default, deserialize_with = "list")]
    refund_line_items: Vec<RefundLine>,
    #[serde(default, deserialize_with = "list")]
    order_adjustments: Vec<Adjustment>,
    #[serde(default, deserialize_with = "list")]
    transactions: Vec<Transaction>,
}

#[derive(Deserialize)]
struct RefundLine {
    #[serde(default)]
    line_item_id: Field,
    #[serde(default)]
    quantity: Field,
    #[serde(default)]
    subtotal: Field,
    #[serde(default)]
    total_tax: Field,
}

#[derive(Deserialize)]
struct Adjustment {
    #[serde(default)]
    kind: Field,
    #[serde(default)]
    amount: Field,
    #[serde(default)]
    tax_amount: Field,
}

#[derive(Deserialize)]
struct Transaction {
    #[serde(default)]
    kind: Field,
    #[serde(default)]
    status: Field,
    #[serde(default)]
    amount: Field,
}

/// What is in a body: the order itself, bare or wrapped, the id of one that was deleted, or something that is not an order.
pub(super) enum Body<'a> {
    Order(&'a str),
    Deleted(Field),
    Ignored(&'static str),
}

#[derive(Deserialize)]
struct Shape<'a> {
    #[serde(default, borrow)]
    order: Option<&'a RawValue>,
    #[serde(default)]
    refund: Field,
    #[serde(default)]
    order_edit: Field,
    #[serde(default)]
    order_id: Field,
    #[serde(default)]
    total_price: Field,
    #[serde(default)]
    total: Field,
    #[serde(default)]
    id: Field,
    #[serde(default)]
    financial_status: Field,
    #[serde(default)]
    created_at: Field,
    #[serde(default)]
    created_on: Field,
}

/// Refunds and edits name an order without saying what it is now: hints, which move nothing. A deletion has no more than
/// an id, as other bodies may, so its topic has to say that it is one of an order.
pub(super) fn body<'a>(topic: Option<&str>, text: &'a str) -> Result<Body<'a>, ParseError> {
    let shape: Shape<'a> = serde_json::from_str(text)?;
    if let Some(order) = shape.order.filter(|order| order.get().starts_with('{')) {
        return Ok(Body::Order(order.get()));
    }
    let no_amount = shape.total_price.is_none() && shape.total.is_none();
    let no_order = no_amount && shape.financial_status.is_none();
    let undated = shape.created_at.is_none() && shape.created_on.is_none();
    let only_an_id = shape.id.is_some() && no_order && undated;
    let topic = topic.map(|topic| topic.trim().to_ascii_lowercase());
    let deletion = topic.as_ref().is_some_and(|topic| topic.starts_with("order") && topic.contains("delete"));
    Ok(match shape {
        Shape { refund: Some(_), .. } => Body::Ignored("a refund is a hint: the order itself follows"),
        Shape { order_edit: Some(_), .. } => Body::Ignored("an edit is a hint: the order itself follows"),
        Shape { order_id: Some(_), .. } if no_order => Body::Ignored("a refund is a hint: the order itself follows"),
        Shape { id, .. } if only_an_id && deletion => Body::Deleted(id),
        _ if only_an_id && topic.is_none() => Body::Ignored("a deletion without its topic"),
        _ => Body::Order(text),
    })
}

/// Of what one refund gave back, what was for goods (X24).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RefundRule {
    /// The returned lines with their tax, when they have a price; else the money, less what was for shipping.
    LinesThenMoney,
    /// The money, less what was for shipping.
    Money,
}

/// What the refunds of an order come to, minor units.
pub(super) struct Refunded {
    pub goods_minor: i64,
    pub lines_minor: Option<i64>,
}

impl RestOrder {
    /// Its lines by their SKU, at their full price: how they stand to each other is what counts. One that cannot be read
    /// is one that no rule is about.
    pub fn items(&self, context: &Context<'_>, currency: Currency) -> Vec<Line> {
        let returned = self.returned();
        let told = |item: &LineItem| {
            let price = context.optional_amount("line_items[].price", &item.price, currency).ok().flatten()?;
            let quantity = item.quantity.code().filter(|quantity| *quantity > 0)?;
            let returned = item.id.id().and_then(|id| returned.get(&id)).map_or(0, |returned| *returned.min(&quantity));
            line(&item.sku, &None, Some(price.saturating_mul(quantity)), price.saturating_mul(returned))
        };
        self.line_items.iter().take(super::LIST_MAX).filter_map(told).collect()
    }

    /// How many of each line came back, as far as refunds name lines.
    fn returned(&self) -> HashMap<String, i64> {
        let mut returned = HashMap::<_, i64>::new();
        for line in self.refunds.iter().flat_map(|refund| &refund.refund_line_items).take(super::LIST_MAX) {
            if let (Some(id), Some(quantity)) = (line.line_item_id.id(), line.quantity.code()) {
                let sum = returned.entry(id).or_default();
                *sum = sum.saturating_add(quantity.max(0));
            }
        }
        returned
    }

    pub fn refunded(
        &self,
        context: &Context<'_>,
        currency: Currency,
        rule: RefundRule,
    ) -> Result<Refunded, ParseError> {
        let mut refunded = Refunded { goods_minor: 0, lines_minor: None };
        for refund in bounded(&self.refunds)? {
            let lines = self.refunded_lines(context, refund, currency)?;
            let money = refund.goods_money(context, currency)?;
            let goods = match (rule, lines) {
                (RefundRule::LinesThenMoney, Some(lines)) if lines > 0 => lines,
                _ => money,
            };
            refunded.goods_minor = refunded.goods_minor.saturating_add(goods);
            if let Some(lines) = lines {
                refunded.lines_minor = Some(refunded.lines_minor.unwrap_or(0).saturating_add(lines));
            }
        }
        Ok(refunded)
    }

    /// The price of the lines one refund returned, with their tax where prices are without it.
    fn refunded_lines(
        &self,
        context: &Context<'_>,
        refund: &Refund,
        currency: Currency,
    ) -> Result<Option<i64>, ParseError> {
        let lines = bounded(&refund.refund_line_items)?;
        if lines.is_empty() {
            return Ok(None);
        }
        let price = |line: &RefundLine| {
            let subtotal =
                context.amount_or_zero("refunds[].refund_line_items[].subtotal", &line.subtotal, currency)?;
            let tax = context.amount_or_zero("refunds[].refund_line_items[].total_tax", &line.total_tax, currency)?;
            Ok(if self.taxes_included.is_true() { subtotal } else { subtotal.saturating_add(tax) })
        };
        sum(lines.iter().map(price)).map(Some)
    }

    /// What the order's shipping costs the customer: what is left of it after discounts, else its full price.
    pub fn shipping_minor(&self, context: &Context<'_>, currency: Currency) -> Result<i64, ParseError> {
        let lines = bounded(&self.shipping_lines)?;
        let total = self.total_shipping_price_set.as_ref().and_then(|set| set.shop_money.as_ref());
        let discounted = lines.iter().any(|line| line.discounted_price.text().is_some());
        match total {
            Some(money) if !discounted => {
                context.amount_or_zero("total_shipping_price_set.shop_money.amount", &money.amount, currency)
            }
            _ => sum(lines.iter().map(|line| {
                let left = if line.discounted_price.text().is_some() { &line.discounted_price } else { &line.price };
                context.amount_or_zero("shipping_lines[].price", left, currency)
            })),
        }
    }

    /// Every shipment that was not called off, if there is one, has the carrier's word for it.
    pub fn all_shipments(&self, carrier_says: &[&str]) -> bool {
        const CALLED_OFF: [&str; 4] = ["cancelled", "canceled", "failure", "error"];
        let mut live = self
            .fulfillments
            .iter()
            .filter(|f| !f.status.word().is_some_and(|status| CALLED_OFF.contains(&status.as_str())))
            .peekable();
        live.peek().is_some()
            && live.all(|f| {
                [&f.carrier_status_code, &f.shipment_status]
                    .into_iter()
                    .any(|field| field.word().is_some_and(|word| carrier_says.contains(&word.as_str())))
            })
    }

    /// Unknown words are "not yet" (X49).
    pub fn payment(&self) -> PaymentStatus {
        match self.financial_status.word().as_deref() {
            Some("paid") => PaymentStatus::Paid,
            Some("partially_paid" | "partially-paid") => PaymentStatus::PartiallyPaid,
            Some("partially_refunded" | "partially-refunded") => PaymentStatus::PartiallyRefunded,
            Some("refunded") => PaymentStatus::Refunded,
            Some("voided") => PaymentStatus::Voided,
            _ => PaymentStatus::Unpaid,
        }
    }

    /// Cancelled by any of the marks these shops set.
    pub fn is_cancelled(&self, context: &Context<'_>) -> bool {
        context.happened(&self.cancelled_at)
            || context.happened(&self.cancelled_on)
            || self.cancelled_status.word().is_some_and(|word| word == "cancelled" || word == "canceled")
            || self.payment() == PaymentStatus::Voided
    }

    /// How far the order is when it is neither cancelled nor delivered.
    pub fn on_the_way(&self) -> OrderStatus {
        match self.fulfillment_status.word().as_deref() {
            Some("fulfilled" | "partial" | "shipped") => OrderStatus::Shipping,
            Some("restocked") => OrderStatus::Returned,
            _ if self.payment() == PaymentStatus::Paid => OrderStatus::Confirmed,
            _ => OrderStatus::Pending,
        }
    }

    /// What the order says about its customer, under the names of all three shops.
    pub fn contact(&self) -> Contact<'_> {
        let customer = self.customer.as_ref().or(self.customer_data.as_ref());
        Contact {
            id: customer.map(|c| &c.id).filter(|id| id.id().is_some()).or(Some(&self.customer_id)),
            name: None,
            emails: [Some(&self.email), customer.map(|c| &c.email)],
            customer_phone: customer.map(Person::any_phone),
            order_phone: Some(if self.phone.text().is_some() { &self.phone } else { &self.phone_number }),
            shipping_phone: self.shipping_address.as_ref().map(Person::any_phone),
            billing_phone: self.billing_address.as_ref().map(Person::any_phone),
        }
    }
}

impl Person {
    /// `phone`, else Sapo Omni's name for it.
    fn any_phone(&self) -> &Field {
        if self.phone.text().is_some() { &self.phone } else { &self.phone_number }
    }
}

impl Refund {
    /// The money one refund gave back for goods; what was for shipping never earned anything.
    fn goods_money(&self, context: &Context<'_>, currency: Currency) -> Result<i64, ParseError> {
        const NOT_DONE: [&str; 3] = ["failure", "error", "pending"];
        let money = sum(bounded(&self.transactions)?
            .iter()
            .filter(|t| t.kind.word().as_deref() == Some("refund"))
            .filter(|t| !t.status.word().is_some_and(|status| NOT_DONE.contains(&status.as_str())))
            .map(|t| magnitude(context, "refunds[].transactions[].amount", &t.amount, currency)))?;
        let shipping = sum(bounded(&self.order_adjustments)?
            .iter()
            .filter(|a| a.kind.word().as_deref() == Some("shipping_refund"))
            .flat_map(|a| [&a.amount, &a.tax_amount])
            .map(|amount| magnitude(context, "refunds[].order_adjustments[].amount", amount, currency)))?;
        Ok(money.saturating_sub(shipping).max(0))
    }
}

/// Haravan writes refunds below zero, Shopify its adjustments.
fn magnitude(context: &Context<'_>, name: &'static str, field: &Field, currency: Currency) -> Result<i64, ParseError> {
    Ok(context.amount_or_zero(name, field, currency)?.saturating_abs())
}
