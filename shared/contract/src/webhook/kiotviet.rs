//! KiotViet's notifications: several objects of several kinds in one call. The invoice is what a customer paid and took
//! home; an order there is a reservation without a phone, so it is acknowledged and nothing more.
//!
//! KiotViet stops calling for ever when told that a body is bad, so an invoice that cannot be read is put aside with the
//! rest of the call taken. It has no webhook for returns.

use loyalty_domain::order::{OrderStatus, PaymentStatus};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::context::{Contact, Context, bounded, full_name};
use super::json::{Field, Read, object};
use super::settings::DeliveredWhen;
use super::{Delivery, ParseError};
use crate::queue::{CanonicalOrder, Quarantined};

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, alias = "notifications")]
    #[serde(rename = "Notifications")]
    notifications: Vec<Notification<'a>>,
}

#[derive(Deserialize)]
struct Notification<'a> {
    #[serde(default, rename = "Action", alias = "action")]
    action: Field,
    #[serde(default, borrow, rename = "Data", alias = "data")]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Invoice {
    #[serde(default, rename = "Id", alias = "id")]
    id: Field,
    #[serde(default, rename = "PurchaseDate", alias = "purchaseDate")]
    purchase_date: Field,
    #[serde(default, rename = "CreatedDate", alias = "createdDate")]
    created_date: Field,
    #[serde(default, rename = "ModifiedDate", alias = "modifiedDate")]
    modified_date: Field,
    #[serde(default, rename = "BranchId", alias = "branchId")]
    branch_id: Field,
    #[serde(default, rename = "CustomerId", alias = "customerId")]
    customer_id: Field,
    #[serde(default, rename = "CustomerName", alias = "customerName")]
    customer_name: Field,
    #[serde(default, rename = "Total", alias = "total")]
    total: Field,
    #[serde(default, rename = "TotalPayment", alias = "totalPayment")]
    total_payment: Field,
    #[serde(default, rename = "Status", alias = "status")]
    status: Field,
    #[serde(default, rename = "InvoiceDelivery", alias = "invoiceDelivery", deserialize_with = "object")]
    delivery: Option<InvoiceDelivery>,
}

#[derive(Deserialize)]
struct InvoiceDelivery {
    #[serde(default, rename = "Status", alias = "status")]
    status: Field,
    #[serde(default, rename = "Price", alias = "price")]
    price: Field,
    #[serde(default, rename = "ContactNumber", alias = "contactNumber")]
    contact_number: Field,
    #[serde(default, rename = "Receiver", alias = "receiver")]
    receiver: Field,
}

pub(super) fn parse(context: &Context<'_>, text: &str) -> Result<Delivery, ParseError> {
    let call: Call<'_> = serde_json::from_str(text)?;
    let mut delivery = Delivery::default();
    for notification in bounded(&call.notifications)? {
        let action = notification.action.word().unwrap_or_default();
        if action.starts_with("invoice.update") {
            invoices(context, notification.data, &mut delivery)?;
        } else if action.starts_with("order.") {
            delivery.ignored.push("an order: the invoice is what counts");
        } else if action.starts_with("customer.") {
            delivery.ignored.push("a customer");
        } else {
            delivery.ignored.push("not an invoice");
        }
    }
    let taken = delivery.orders.len() + delivery.quarantined.len();
    if taken > super::LIST_MAX { Err(ParseError::TooMany) } else { Ok(delivery) }
}

/// `Data` is a list of invoices; a single one is taken as well.
fn invoices(context: &Context<'_>, data: Option<&RawValue>, delivery: &mut Delivery) -> Result<(), ParseError> {
    let raw = data.ok_or(ParseError::Missing("Notifications[].Data"))?;
    let list: Vec<&RawValue> = if raw.get().starts_with('[') { serde_json::from_str(raw.get())? } else { vec![raw] };
    for raw in list {
        match invoice(context, raw.get()) {
            Ok(order) => delivery.orders.push(order),
            Err(error) => delivery.quarantined.push(Quarantined {
                source: context.source,
                reason: error.to_string(),
                body: format!(r#"{{"Notifications":[{{"Action":"invoice.update","Data":[{}]}}]}}"#, raw.get()),
                base64: false,
            }),
        }
    }
    Ok(())
}

fn invoice(context: &Context<'_>, text: &str) -> Result<CanonicalOrder, ParseError> {
    let invoice: Invoice = serde_json::from_str(text)?;
    let currency = context.settings.currency();
    let due = context.positive_amount("Total", &invoice.total, currency)?;
    let paid = context.amount_or_zero("TotalPayment", &invoice.total_payment, currency)?;
    let delivery = invoice.delivery.as_ref();
    let shipping = delivery.map_or(Ok(0), |d| context.amount_or_zero("InvoiceDelivery.Price", &d.price, currency))?;
    let placed_at = context.time("PurchaseDate", &invoice.purchase_date)?;
    let modified_at = context.optional_time("ModifiedDate", &invoice.modified_date)?;
    let created_at = context.optional_time("CreatedDate", &invoice.created_date)?;
    let contact = Contact {
        id: Some(&invoice.customer_id),
        name: full_name([&invoice.customer_name]).or_else(|| delivery.and_then(|d| full_name([&d.receiver]))),
        shipping_phone: delivery.map(|d| &d.contact_number),
        ..Contact::default()
    };
    Ok(CanonicalOrder {
        source: context.source,
        order_id: context.order_id("Id", &invoice.id)?,
        placed_at,
        updated_at: modified_at.or(created_at).unwrap_or(placed_at),
        status: status(context, &invoice),
        payment_status: match paid {
            _ if paid >= due => PaymentStatus::Paid,
            1.. => PaymentStatus::PartiallyPaid,
            _ => PaymentStatus::Unpaid,
        },
        currency,
        due_minor: due,
        shipping_minor: shipping,
        refunded_minor: 0,
        refunded_lines_minor: None,
        items_minor: None,
        items: Vec::new(),
        paid_with_points_minor: 0,
        paid_with_wallet_minor: 0,
        customer: context.customer(contact),
        discount_codes: Vec::new(),
        store: invoice.branch_id.short_text(64),
    })
}

/// `Status`: 1 done, 2 cancelled, 3 in work, 5 undeliverable. `InvoiceDelivery.Status`: 1 waiting, 2 on the way,
/// 3 delivered, 4 coming back, 5 returned, 6 called off. Other numbers are "not yet" (X49).
fn status(context: &Context<'_>, invoice: &Invoice) -> OrderStatus {
    let carrier = invoice.delivery.as_ref().and_then(|d| d.status.code());
    let done = invoice.status.code() == Some(1);
    let delivered = match context.settings.delivered(context.source) {
        DeliveredWhen::Fulfilled => done || carrier == Some(3),
        DeliveredWhen::CarrierDelivered => carrier == Some(3) || done && invoice.delivery.is_none(),
    };
    match (invoice.status.code(), carrier) {
        (Some(2 | 5), _) => OrderStatus::Cancelled,
        (_, Some(5)) => OrderStatus::Returned,
        _ if delivered => OrderStatus::Delivered,
        (_, Some(2 | 4)) => OrderStatus::Shipping,
        (Some(1 | 3), _) => OrderStatus::Confirmed,
        _ => OrderStatus::Pending,
    }
}
