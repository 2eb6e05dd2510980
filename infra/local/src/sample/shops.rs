//! One order in the words of each shop system, and its signature: the way in which that system would send it.

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use loyalty_contract::queue::Source;
use loyalty_signatures::{sign_base64, sign_kiotviet, sign_standard};
use serde_json::{Value, json};

/// What the sample says it costs to deliver, in đồng.
pub const SHIPPING_FEE: u64 = 30_000;

/// An order that was placed nine minutes before its last change, paid, and delivered or cancelled.
#[derive(Clone, Copy, Debug)]
pub struct ShopOrder<'a> {
    pub number: &'a str,
    pub phone: &'a str,
    pub name: &'a str,
    pub email: &'a str,
    /// What nothing of ours has a use for, but shops send.
    pub address: &'a str,
    /// Amount due in đồng, [`SHIPPING_FEE`] included.
    pub amount: u64,
    pub updated_at: DateTime<Utc>,
    pub cancelled: bool,
}

/// The headers that sign a body; `None` when the secret is not of the source's kind.
pub fn signature(
    source: Source,
    secret: &str,
    webhook_id: &str,
    timestamp: i64,
    body: &[u8],
) -> Option<Vec<(&'static str, String)>> {
    let base64 = || sign_base64(secret.as_bytes(), body);
    Some(match source {
        Source::Standard => vec![
            ("webhook-id", webhook_id.to_owned()),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-signature", sign_standard(secret, webhook_id, timestamp, body).ok()?),
        ],
        Source::Shopify => vec![("X-Shopify-Hmac-Sha256", base64())],
        Source::WooCommerce => vec![("X-WC-Webhook-Signature", base64())],
        Source::Haravan => vec![("X-Haravan-HmacSha256", base64())],
        Source::Sapo => vec![("X-Sapo-Hmac-SHA256", base64())],
        Source::KiotViet => vec![("X-Hub-Signature", sign_kiotviet(secret.as_bytes(), body))],
        Source::Pancake | Source::Nhanh => vec![("Authorization", format!("Bearer {secret}"))],
    })
}

/// The body that the shop system would send.
pub fn order(source: Source, order: &ShopOrder<'_>) -> Value {
    let ShopOrder { number, phone, name, email, address, amount, updated_at, cancelled } = *order;
    let goods = amount.saturating_sub(SHIPPING_FEE);
    let (placed, updated) = ((updated_at - TimeDelta::minutes(9)).to_rfc3339(), updated_at.to_rfc3339());
    let utc = updated_at.format("%Y-%m-%dT%H:%M:%S").to_string();
    let there = updated_at.with_timezone(&FixedOffset::east_opt(7 * 3600).expect("a zone"));
    let (naive, spaced) =
        (there.format("%Y-%m-%dT%H:%M:%S").to_string(), there.format("%Y-%m-%d %H:%M:%S").to_string());
    let word =
        |when_cancelled: &'static str, otherwise: &'static str| if cancelled { when_cancelled } else { otherwise };
    match source {
        Source::Standard => json!({"type": "order.changed", "timestamp": updated, "data": {
            "order_id": number, "placed_at": placed, "updated_at": updated,
            "status": word("cancelled", "delivered"), "payment_status": "paid",
            "amount_due": amount.to_string(), "shipping_fee": SHIPPING_FEE.to_string(), "refunded": "0",
            "currency": "VND", "note": address,
            "customer": {"phone": phone, "name": name, "email": email}}}),
        Source::Shopify | Source::Haravan => json!({"id": number, "created_at": placed, "updated_at": updated,
            "cancelled_at": cancelled.then_some(&updated), "cancelled_status": word("cancelled", "uncancelled"),
            "currency": "VND", "financial_status": "paid", "fulfillment_status": "fulfilled", "note": address,
            "total_price": amount.to_string(), "shipping_lines": [{"price": SHIPPING_FEE.to_string()}], "email": email,
            "shipping_address": {"address1": address, "phone": phone},
            "fulfillments": [{"status": "success", "carrier_status_code": "delivered"}],
            "customer": {"phone": phone, "first_name": name, "email": email}}),
        Source::Sapo => json!({"id": number, "created_on": placed, "modified_on": updated,
            "status": word("cancelled", "completed"), "cancelled_on": cancelled.then_some(&updated),
            "payment_status": "paid", "total": amount, "delivery_fee": {"fee": SHIPPING_FEE}, "note": address,
            "customer_data": {"phone_number": phone, "name": name, "email": email}}),
        Source::WooCommerce => json!({"id": number, "status": word("cancelled", "completed"),
            "currency": "VND", "total": format!("{amount}.00"), "shipping_total": format!("{SHIPPING_FEE}.00"),
            "customer_id": 0, "date_created_gmt": utc, "date_modified_gmt": utc, "date_paid_gmt": utc, "refunds": [],
            "billing": {"phone": phone, "first_name": name, "email": email, "address_1": address}}),
        Source::KiotViet => json!({"Id": "n1", "Attempt": 1, "Notifications": [{"Action": "invoice.update.1",
            "Data": [{"Id": number, "PurchaseDate": naive, "ModifiedDate": naive, "Total": amount,
                "TotalPayment": amount, "Status": if cancelled { 2 } else { 1 }, "CustomerName": name,
                "Description": address,
                "InvoiceDelivery": {"Status": 3, "Price": SHIPPING_FEE, "ContactNumber": phone, "Address": address}}]}]}),
        Source::Pancake => json!({"id": number, "inserted_at": utc, "updated_at": utc,
            "status": if cancelled { 6 } else { 16 }, "bill_phone_number": phone, "bill_full_name": name,
            "bill_email": email, "shipping_fee": SHIPPING_FEE, "shipping_address": {"full_address": address},
            "items": [{"quantity": 1, "variation_info": {"retail_price": goods}}]}),
        Source::Nhanh => json!({"event": "orderAdd", "businessId": 10, "data": {"orderId": number,
            "createdDateTime": spaced, "updatedDateTime": spaced, "status": word("Canceled", "Success"),
            "calcTotalMoney": amount, "customerShipFee": SHIPPING_FEE, "moneyTransfer": amount,
            "customerAddress": address, "customerMobile": phone, "customerName": name, "customerEmail": email}}),
    }
}
