//! KiotViet, Pancake and Nhanh.

use loyalty_domain::order::{OrderStatus, PaymentStatus};
use serde_json::{Value, json};

use super::*;

fn invoice() -> Value {
    json!({"Id": 88_001, "Code": "HD000123", "PurchaseDate": "2026-11-22T09:30:00.0000000",
        "ModifiedDate": "2026-11-22T10:00:00.1230000", "BranchId": 12, "CustomerId": 700, "CustomerCode": "KH000700",
        "CustomerName": "Lê Thị Cúc", "Total": 420_000.0, "TotalPayment": 420_000.0, "Discount": 0, "Status": 1,
        "UsingCod": true, "InvoiceDelivery": {"Status": 3, "Price": 20_000.0, "ContactNumber": "0901234567"},
        "Payments": [{"Amount": 420_000}]})
}

fn call(action: &str, data: Value) -> Value {
    json!({"Id": "a1", "Attempt": 1, "Notifications": [{"Action": action, "Data": data}]})
}

fn kiotviet(changes: &[(&str, Value)]) -> CanonicalOrder {
    order(Source::KiotViet, &call("invoice.update.500", json!([with(&invoice(), changes)])))
}

#[test]
fn an_invoice_is_what_counts() {
    let read = kiotviet(&[]);
    assert_eq!(read.full_order_id().as_str(), "kiotviet:88001");
    // Vietnam's wall clock, without a zone.
    assert_eq!(read.updated_at, at("2026-11-22T03:00:00.123Z"));
    assert_eq!((read.due_minor, read.shipping_minor), (420_000, 20_000));
    assert_eq!((read.status, read.payment_status), (OrderStatus::Delivered, PaymentStatus::Paid));
    assert_eq!(read.customer.phone.as_ref().map(|p| p.digits()), Some("84901234567"));
    assert_eq!((read.customer.id.as_deref(), read.store.as_deref()), (Some("700"), Some("12")));
    let plain = order(Source::KiotViet, &call("invoice.update", json!(invoice())));
    assert_eq!(plain, read);
    let untouched = kiotviet(&[("ModifiedDate", Value::Null)]);
    assert_eq!(untouched.updated_at, at("2026-11-22T02:30:00Z"));
    let counter = kiotviet(&[("InvoiceDelivery", Value::Null), ("CustomerId", Value::Null)]);
    assert_eq!((counter.shipping_minor, counter.customer.id, counter.customer.phone), (0, None, None));
}

#[test]
fn kiotviet_statuses() {
    use OrderStatus::*;
    for (invoice_status, carrier, status) in [
        (1, 1, Delivered),
        (3, 3, Delivered),
        (3, 2, Shipping),
        (3, 1, Confirmed),
        (2, 3, Cancelled),
        (5, 2, Cancelled),
        (1, 5, Returned),
        (99, 99, Pending),
    ] {
        let changes = [("Status", json!(invoice_status)), ("InvoiceDelivery.Status", json!(carrier))];
        assert_eq!(kiotviet(&changes).status, status, "{invoice_status} {carrier}");
    }
    let carrier = |changes: &[(&str, Value)]| {
        let body = call("invoice.update", json!([with(&invoice(), changes)]));
        order_with(Source::KiotViet, "delivered_when = 'carrier_delivered'", &body).status
    };
    assert_eq!(carrier(&[("InvoiceDelivery.Status", json!(1))]), Confirmed);
    assert_eq!(carrier(&[]), Delivered);
    assert_eq!(carrier(&[("InvoiceDelivery", Value::Null)]), Delivered);
    for (paid, payment) in
        [(0, PaymentStatus::Unpaid), (1, PaymentStatus::PartiallyPaid), (500_000, PaymentStatus::Paid)]
    {
        assert_eq!(kiotviet(&[("TotalPayment", json!(paid))]).payment_status, payment);
    }
}

#[test]
fn one_call_may_hold_many_things() {
    let second = with(&invoice(), &[("Id", json!(88_002))]);
    let bad = with(&invoice(), &[("Id", json!(88_003)), ("Total", json!("a lot"))]);
    let body = json!({"Id": "a2", "Attempt": 1, "Notifications": [
        {"Action": "order.update.500", "Data": [{"Id": 1}]},
        {"Action": "customer.update.500", "Data": [{"Id": 700, "ContactNumber": "0901234567"}]},
        {"Action": "stock.update", "Data": []},
        {"Action": "invoice.update.500", "Data": [invoice(), second, bad]}]});
    let delivery = try_parse(Source::KiotViet, &body).unwrap();
    let ids: Vec<&str> = delivery.orders.iter().map(|order| order.order_id.as_str()).collect();
    assert_eq!((ids, delivery.ignored.len()), (vec!["88001", "88002"], 3));

    // What was put aside parses by the same adapter once somebody has mended it, and only it.
    let [aside] = delivery.quarantined.as_slice() else { panic!("one invoice is unreadable") };
    assert!(aside.reason.contains("Total") && !aside.reason.contains("a lot"), "{}", aside.reason);
    let mended: Value = serde_json::from_str(&aside.body.replace("\"a lot\"", "420000")).unwrap();
    assert_eq!(order(Source::KiotViet, &mended).order_id, "88003");
    assert!(try_parse(Source::KiotViet, &json!({"Id": "a3"})).is_err());
}

fn pancake() -> Value {
    json!({"id": 1418, "inserted_at": "2026-11-20T02:00:00", "updated_at": "2026-11-22T03:00:00.661282", "status": 3,
        "order_currency": "VND", "bill_full_name": "Hoàng Anh ", "bill_phone_number": "0901234567",
        "shipping_fee": 30_000, "total_discount": 40_000, "customer_pay_fee": true,
        "items": [
            {"quantity": 2, "returned_count": 0, "variation_info": {"retail_price": 200_000}},
            {"quantity": 1, "is_bonus_product": true, "variation_info": {"retail_price": 50_000}}],
        "partner": {"partner_id": 5, "paid_at": "2026-11-22T03:00:00"}, "customer": {"id": "c-1"}, "cash": 0})
}

#[test]
fn a_pancake_order_has_the_total_of_its_lines() {
    let read = order(Source::Pancake, &pancake());
    assert_eq!((read.due_minor, read.shipping_minor), (390_000, 30_000));
    assert_eq!((read.items_minor, read.refunded_minor), (Some(400_000), 0));
    assert_eq!((read.status, read.payment_status), (OrderStatus::Delivered, PaymentStatus::Paid));
    assert_eq!((read.placed_at, read.customer.name.as_deref()), (at("2026-11-20T02:00:00Z"), Some("Hoàng Anh")));
    assert_eq!(read.customer.phone.as_ref().map(|p| p.digits()), Some("84901234567"));
    let named = order(Source::Pancake, &with(&pancake(), &[("id", json!("DH-A/7"))]));
    assert_eq!(named.order_id, "DH-A/7");
}

#[test]
fn pancake_statuses() {
    use OrderStatus::*;
    for (code, status) in [
        (0, Pending),
        (17, Pending),
        (1, Confirmed),
        (8, Confirmed),
        (20, Confirmed),
        (2, Shipping),
        (3, Delivered),
        (16, Delivered),
        (4, Shipping),
        (5, Returned),
        (6, Cancelled),
        (7, Cancelled),
        (99, Pending),
    ] {
        assert_eq!(order(Source::Pancake, &with(&pancake(), &[("status", json!(code))])).status, status, "{code}");
    }
    let unpaid = with(&pancake(), &[("partner.paid_at", Value::Null)]);
    assert_eq!(order(Source::Pancake, &unpaid).payment_status, PaymentStatus::Unpaid);
    let collected = with(&unpaid, &[("status", json!(16))]);
    assert_eq!(order(Source::Pancake, &collected).payment_status, PaymentStatus::Paid);
    for (cash, payment) in [(390_000, PaymentStatus::Paid), (100_000, PaymentStatus::PartiallyPaid)] {
        assert_eq!(order(Source::Pancake, &with(&unpaid, &[("cash", json!(cash))])).payment_status, payment);
    }
}

#[test]
fn a_partial_return_at_pancake_needs_its_counts() {
    let part = with(&pancake(), &[("status", json!(15)), ("items.0.returned_count", json!(1))]);
    let read = order(Source::Pancake, &part);
    assert_eq!(
        (read.status, read.refunded_minor, read.refunded_lines_minor),
        (OrderStatus::Delivered, 200_000, Some(200_000))
    );
    let all = with(&pancake(), &[("items.0.returned_count", json!(2))]);
    assert_eq!(order(Source::Pancake, &all).refunded_minor, 360_000);
    assert!(try_parse(Source::Pancake, &with(&pancake(), &[("status", json!(15))])).is_err());
    assert!(try_parse(Source::Pancake, &with(&pancake(), &[("items.0.quantity", json!(i64::MAX))])).is_err());
    assert!(try_parse(Source::Pancake, &with(&pancake(), &[("items.0.quantity", json!(-1))])).is_err());
    assert_ignored(Source::Pancake, None, &json!({"id": "c-1", "name": "a customer"}));
}

fn nhanh() -> Value {
    json!({"event": "orderAdd", "businessId": 10, "webhooksVerifyToken": "s3cret-token", "data": {
        "orderId": 5_001, "shopOrderId": "W-1", "moneyDiscount": 0, "moneyDeposit": 0, "moneyTransfer": 250_000.0,
        "shipFee": 18_000, "customerShipFee": 20_000, "calcTotalMoney": 250_000.0, "customerId": 31,
        "customerName": "Đỗ Dung", "customerMobile": "0901234567", "customerEmail": "d@example.test"}})
}

#[test]
fn nhanh_names_the_orders_it_deletes() {
    let deleted = |data: Value| with(&nhanh(), &[("event", json!("orderDelete")), ("data", data)]);
    let delivery = try_parse(Source::Nhanh, &deleted(json!([5_001, "5002"]))).unwrap();
    let deletion = |id: &str| Deletion { source: Source::Nhanh, order_id: id.into(), deleted_at: received_at() };
    let deletions = vec![deletion("5001"), deletion("5002")];
    assert_eq!(delivery, Delivery { deletions, ..Delivery::default() });
    for unreadable in [json!(null), json!([5_001, {}]), json!({"orderId": 5_001})] {
        let delivery = try_parse(Source::Nhanh, &deleted(unreadable)).unwrap();
        assert!(delivery.deletions.is_empty());
        assert!(delivery.quarantined[0].body.contains("orderDelete"));
        assert!(!delivery.quarantined[0].body.contains("s3cret-token"));
    }
}

#[test]
fn nhanhs_new_order_is_whole_and_its_updates_are_put_aside() {
    let read = order(Source::Nhanh, &nhanh());
    assert_eq!((read.order_id.as_str(), read.due_minor, read.shipping_minor), ("5001", 250_000, 20_000));
    assert_eq!((read.status, read.payment_status), (OrderStatus::Pending, PaymentStatus::Paid));
    assert_eq!((read.placed_at, read.updated_at), (received_at(), received_at()));
    let dated =
        with(&nhanh(), &[("data.createdDateTime", json!("2026-11-22 10:00:00")), ("data.status", json!("Success"))]);
    let read = order(Source::Nhanh, &dated);
    assert_eq!((read.updated_at, read.status), (at("2026-11-22T03:00:00Z"), OrderStatus::Delivered));

    let update = with(&nhanh(), &[("event", json!("orderUpdate"))]);
    let delivery = try_parse(Source::Nhanh, &update).unwrap();
    assert!(delivery.orders.is_empty());
    assert!(delivery.quarantined[0].body.contains("5001"));
    assert!(!delivery.quarantined[0].body.contains("s3cret-token"));
    assert_ignored(Source::Nhanh, None, &with(&nhanh(), &[("event", json!("productAdd"))]));
    let nameless = json!({"webhooksVerifyToken": "s3cret-token", "data": {"orderId": 7}});
    for unreadable in [nameless, with(&nhanh(), &[("data.calcTotalMoney", json!("a lot"))])] {
        let delivery = try_parse(Source::Nhanh, &unreadable).unwrap();
        assert!(delivery.orders.is_empty() && delivery.ignored.is_empty());
        assert!(!delivery.quarantined[0].body.contains("s3cret-token"));
    }
}
