//! Shopify, Haravan, Sapo and WooCommerce.

use loyalty_domain::money::Currency;
use loyalty_domain::order::{OrderStatus, PaymentStatus};
use serde_json::{Value, json};

use super::*;

fn shopify() -> Value {
    json!({"id": 7_300_000_000_001_u64, "created_at": "2026-11-20T09:00:00+07:00",
        "updated_at": "2026-11-22T10:00:00+07:00", "cancelled_at": null, "currency": "VND", "test": false,
        "financial_status": "paid", "fulfillment_status": "fulfilled", "taxes_included": true,
        "total_price": "630000", "subtotal_price": "600000.00",
        "total_shipping_price_set": {"shop_money": {"amount": "30000.00", "currency_code": "VND"}},
        "shipping_lines": [{"price": "30000"}], "phone": "0912345678", "email": "lan@example.test",
        "customer": {"id": 5001, "phone": "+84 901 234 567", "first_name": "Lan", "last_name": "Phạm", "email": null},
        "shipping_address": {"phone": "0923456789", "name": "Phạm Lan"}, "billing_address": {"phone": "0934567890"},
        "discount_codes": [{"code": "TET"}], "refunds": [],
        "fulfillments": [{"status": "success", "shipment_status": null}]})
}

fn refund(lines: Value, adjustments: Value, transactions: Value) -> Value {
    json!([{"id": 1, "refund_line_items": lines, "order_adjustments": adjustments, "transactions": transactions}])
}

fn phone(order: &CanonicalOrder) -> Option<&str> {
    order.customer.phone.as_ref().map(|phone| phone.digits())
}

#[test]
fn a_shopify_order_is_read_bare_and_wrapped() {
    let read = order(Source::Shopify, &shopify());
    assert_eq!(read.full_order_id().as_str(), "shopify:7300000000001");
    assert_eq!(read.updated_at, at("2026-11-22T03:00:00Z"));
    assert_eq!((read.status, read.payment_status), (OrderStatus::Delivered, PaymentStatus::Paid));
    assert_eq!((read.due_minor, read.shipping_minor, read.refunded_minor), (630_000, 30_000, 0));
    assert_eq!((read.items_minor, read.discount_codes.clone()), (Some(600_000), vec!["TET".into()]));
    assert_eq!((read.customer.id.as_deref(), phone(&read)), (Some("5001"), Some("84901234567")));
    assert_eq!(read.customer.name.as_deref(), Some("Lan Phạm"));
    assert_eq!(read.customer.email.as_deref(), Some("lan@example.test"));
    assert_eq!(order(Source::Shopify, &json!({ "order": shopify() })), read);
}

#[test]
fn the_phone_is_the_first_that_is_one() {
    let mut body = shopify();
    for (path, expected) in [
        ("customer.phone", Some("84912345678")),
        ("phone", Some("84923456789")),
        ("shipping_address.phone", Some("84934567890")),
        ("billing_address.phone", None),
    ] {
        body = with(&body, &[(path, json!("(555) 555-5555"))]);
        assert_eq!(phone(&order(Source::Shopify, &body)), expected, "after {path}");
    }
    let own = order_with(Source::Shopify, "phone = ['billing', 'customer']", &shopify());
    assert_eq!(phone(&own), Some("84934567890"));
}

#[test]
fn guests_have_no_identity() {
    let guest = with(
        &shopify(),
        &[
            ("customer", Value::Null),
            ("phone", Value::Null),
            ("shipping_address", json!([])),
            ("billing_address", Value::Null),
        ],
    );
    let read = order(Source::Shopify, &guest);
    assert_eq!((read.customer.id, read.customer.phone), (None, None));
}

#[test]
fn shopify_statuses() {
    use OrderStatus::*;
    for (changes, status, payment) in [
        (vec![("financial_status", json!("pending"))], Delivered, PaymentStatus::Unpaid),
        (vec![("financial_status", json!("authorized"))], Delivered, PaymentStatus::Unpaid),
        (vec![("financial_status", json!("partially_paid"))], Delivered, PaymentStatus::PartiallyPaid),
        (vec![("financial_status", json!("partially_refunded"))], Delivered, PaymentStatus::PartiallyRefunded),
        (vec![("financial_status", json!("refunded"))], Delivered, PaymentStatus::Refunded),
        (vec![("financial_status", json!("voided"))], Cancelled, PaymentStatus::Voided),
        (vec![("financial_status", json!("of next year"))], Delivered, PaymentStatus::Unpaid),
        (vec![("fulfillment_status", Value::Null)], Confirmed, PaymentStatus::Paid),
        (vec![("fulfillment_status", json!("partial"))], Shipping, PaymentStatus::Paid),
        (vec![("fulfillment_status", json!("restocked"))], Returned, PaymentStatus::Paid),
        (vec![("fulfillment_status", json!("of next year"))], Confirmed, PaymentStatus::Paid),
        (vec![("cancelled_at", json!("2026-11-22T10:00:00+07:00"))], Cancelled, PaymentStatus::Paid),
    ] {
        let read = order(Source::Shopify, &with(&shopify(), &changes));
        assert_eq!((read.status, read.payment_status), (status, payment), "{changes:?}");
    }
}

#[test]
fn delivered_may_mean_the_carriers_word() {
    let setting = "delivered_when = 'shipment_delivered'";
    assert_eq!(order_with(Source::Shopify, setting, &shopify()).status, OrderStatus::Shipping);
    let delivered = with(&shopify(), &[("fulfillments.0.shipment_status", json!("delivered"))]);
    assert_eq!(order_with(Source::Shopify, setting, &delivered).status, OrderStatus::Delivered);
    let second = json!([{"status": "success", "shipment_status": "delivered"}, {"status": "success", "shipment_status": "in_transit"}]);
    let half = with(&shopify(), &[("fulfillments", second)]);
    assert_eq!(order_with(Source::Shopify, setting, &half).status, OrderStatus::Shipping);
    let called_off = json!([{"status": "cancelled"}, {"status": "success", "shipment_status": "delivered"}]);
    let whole = with(&shopify(), &[("fulfillments", called_off)]);
    assert_eq!(order_with(Source::Shopify, setting, &whole).status, OrderStatus::Delivered);
}

#[test]
fn refunded_lines_count_with_their_tax_and_shipping_takes_nothing() {
    let line = json!([{"quantity": 1, "subtotal": 195_660.0, "total_tax": "3980"}]);
    let money = json!([{"kind": "refund", "status": "success", "amount": "209000"}]);
    let shipping = json!([{"kind": "shipping_refund", "amount": "-30000", "tax_amount": "0"}]);
    let cases = [
        // What came back has a price: that counts, not the money, which may be less or more.
        (refund(line.clone(), json!([]), money.clone()), true, 195_660, Some(195_660)),
        (refund(line.clone(), json!([]), money.clone()), false, 199_640, Some(199_640)),
        // Money without goods counts, less what was for shipping.
        (refund(json!([]), json!([]), money.clone()), true, 209_000, None),
        (refund(json!([]), shipping.clone(), money.clone()), true, 179_000, None),
        (
            refund(Value::Null, shipping.clone(), json!([{"kind": "refund", "status": "success", "amount": "30000"}])),
            true,
            0,
            None,
        ),
        (refund(json!([]), shipping, json!([])), true, 0, None),
        // What did not happen does not count.
        (
            refund(json!([]), json!([]), json!([{"kind": "refund", "status": "failure", "amount": "209000"}])),
            true,
            0,
            None,
        ),
        (
            refund(json!([]), json!([]), json!([{"kind": "sale", "status": "success", "amount": "209000"}])),
            true,
            0,
            None,
        ),
        (refund(json!([{"subtotal": 0.0, "total_tax": 0.0}]), json!([]), money), true, 209_000, Some(0)),
    ];
    for (refunds, included, goods, lines) in cases {
        let body = with(&shopify(), &[("refunds", refunds.clone()), ("taxes_included", json!(included))]);
        let read = order(Source::Shopify, &body);
        assert_eq!((read.refunded_minor, read.refunded_lines_minor), (goods, lines), "{refunds}");
    }
    let twice = json!([refund(line.clone(), json!([]), json!([]))[0], refund(line, json!([]), json!([]))[0]]);
    let read = order(Source::Shopify, &with(&shopify(), &[("refunds", twice)]));
    assert_eq!((read.refunded_minor, read.refunded_lines_minor), (391_320, Some(391_320)));
}

#[test]
fn free_shipping_by_discount_is_free() {
    let lines = json!([{"price": "30000", "discounted_price": "0"}]);
    assert_eq!(order(Source::Shopify, &with(&shopify(), &[("shipping_lines", lines)])).shipping_minor, 0);
    assert_eq!(order(Source::Shopify, &without(&shopify(), "total_shipping_price_set")).shipping_minor, 30_000);
}

#[test]
fn hints_tests_and_other_topics_move_nothing() {
    assert_ignored(Source::Shopify, Some("orders/updated"), &with(&shopify(), &[("test", json!(true))]));
    let refund = json!({"id": 9, "order_id": 7, "created_at": "2026-11-22T10:00:00+07:00", "refund_line_items": []});
    assert_ignored(Source::Shopify, Some("refunds/create"), &refund);
    assert_ignored(Source::Shopify, None, &refund);
    assert_ignored(Source::Shopify, None, &json!({ "refund": refund }));
    assert_ignored(Source::Shopify, Some("orders/edited"), &json!({"order_edit": {"order_id": 7}}));
    assert_ignored(Source::Shopify, Some("customers/update"), &json!({"id": 7, "phone": "0901234567"}));
    assert_ignored(Source::WooCommerce, Some("product.updated"), &json!({"id": 7}));
    let tests = order_with(Source::Shopify, "accept_test_orders = true", &with(&shopify(), &[("test", json!(true))]));
    assert_eq!(tests.due_minor, 630_000);
    assert!(try_with(Source::Shopify, "", Some("orders/updated"), &json!({"id": 7})).is_err());
    assert!(try_with(Source::WooCommerce, "", Some("order.updated"), &json!({"id": 7})).is_err());
}

#[test]
fn a_deletion_names_its_order_and_when_it_was_heard_of() {
    for (source, topic) in [
        (Source::Shopify, "orders/delete"),
        (Source::Haravan, "orders/delete"),
        (Source::Sapo, "orders/delete"),
        (Source::WooCommerce, "order.deleted"),
    ] {
        let delivery = try_with(source, "", Some(topic), &json!({"id": 7})).unwrap();
        let deletion = Deletion { source, order_id: "7".into(), deleted_at: received_at() };
        assert_eq!(delivery, Delivery { deletions: vec![deletion], ..Delivery::default() });
        assert!(try_with(source, "", Some(topic), &json!({"id": 0})).is_err());
        let kind = topic.get("order".len()..).unwrap_or_default();
        for other in ["products", "customer"].map(|thing| format!("{thing}{kind}")) {
            assert_ignored(source, Some(&other), &json!({"id": 7}));
        }
        assert_ignored(source, None, &json!({"id": 7}));
    }
    assert_ignored(Source::Shopify, Some("refunds/create"), &json!({"id": 9, "order_id": 7}));
}

#[test]
fn a_foreign_currency_is_kept_as_it_is() {
    let euros = with(&shopify(), &[("currency", json!("EUR")), ("total_price", json!("238.47"))]);
    let read = order(Source::Shopify, &euros);
    assert_eq!((read.due_minor, read.currency.code()), (23_847, "EUR"));
    assert!(try_parse(Source::Shopify, &with(&shopify(), &[("currency", json!("XXQ"))])).is_err());
}

fn haravan() -> Value {
    json!({"id": 1_176_000_001, "created_at": "2026-11-20T02:00:00.0230186Z", "updated_at": "2026-11-22T03:00:00.5Z",
        "cancelled_at": null, "cancelled_status": "uncancelled", "currency": "VND",
        "financial_status": "paid", "fulfillment_status": "fulfilled", "total_price": 13_200_000.0,
        "shipping_lines": [{"price": 35_000.0}], "email": "an@example.test",
        "customer": {"id": 1001, "phone": "0901234567", "first_name": "An", "last_name": "Nguyễn", "email": "an@example.test"},
        "billing_address": {"phone": "0934567890"}, "shipping_address": {"phone": null}, "refunds": [],
        "fulfillments": [{"status": "success", "carrier_status_code": "delivered", "carrier_cod_status_code": "codreceipt"}]})
}

#[test]
fn haravan_says_when_the_carrier_delivered() {
    let read = order(Source::Haravan, &haravan());
    assert_eq!((read.due_minor, read.shipping_minor), (13_200_000, 35_000));
    assert_eq!((read.status, read.payment_status), (OrderStatus::Delivered, PaymentStatus::Paid));
    assert_eq!((phone(&read), read.customer.name.as_deref()), (Some("84901234567"), Some("Nguyễn An")));
    for (code, status) in
        [("delivering", OrderStatus::Shipping), ("return", OrderStatus::Returned), ("?", OrderStatus::Shipping)]
    {
        let body = with(&haravan(), &[("fulfillments.0.carrier_status_code", json!(code))]);
        assert_eq!(order(Source::Haravan, &body).status, status, "{code}");
    }
    let counter = with(&haravan(), &[("fulfillments", json!([]))]);
    assert_eq!(order(Source::Haravan, &counter).status, OrderStatus::Shipping);
    assert_eq!(order_with(Source::Haravan, "delivered_when = 'fulfilled'", &counter).status, OrderStatus::Delivered);
    let not_yet = with(&haravan(), &[("fulfillment_status", json!("notfulfilled"))]);
    assert_eq!(order_with(Source::Haravan, "delivered_when = 'fulfilled'", &not_yet).status, OrderStatus::Confirmed);
    let cancelled = with(&haravan(), &[("cancelled_status", json!("cancelled"))]);
    assert_eq!(order(Source::Haravan, &cancelled).status, OrderStatus::Cancelled);
    assert_eq!(order(Source::Haravan, &with(&haravan(), &[("total_price", json!(0.0))])).due_minor, 0);
    let never = with(&haravan(), &[("cancelled_at", json!("0001-01-01T00:00:00Z"))]);
    assert_eq!(order(Source::Haravan, &never).status, OrderStatus::Delivered);
}

/// X24: a line of which some came back is told by its number.
#[test]
fn what_came_back_of_a_line_stands_with_it() {
    let lines = json!([{"id": 11, "sku": "AO", "price": "200000", "quantity": 2}, {"sku": "MU", "price": 200_000, "quantity": 1}]);
    let back = json!([{"line_item_id": 11, "quantity": 1, "subtotal": "200000"}, {"line_item_id": 12, "quantity": 1}]);
    let body = with(&shopify(), &[("line_items", lines), ("refunds", refund(back, json!([]), json!([])))]);
    let line = |sku: &str, minor, returned_minor| crate::queue::Line {
        sku: Some(sku.into()),
        category: None,
        minor,
        returned_minor,
    };
    assert_eq!(order(Source::Shopify, &body).items, [line("AO", 400_000, 200_000), line("MU", 200_000, 0)]);
}

#[test]
fn haravan_refunds_are_below_zero() {
    let given_back = json!([{"refund_line_items": null, "transactions": [
        {"kind": "refund", "status": "Thành công", "amount": -100_000.0}, {"kind": "capture", "amount": 13_200_000.0}]},
        {"refund_line_items": [], "transactions": []}]);
    let read = order(Source::Haravan, &with(&haravan(), &[("refunds", given_back)]));
    assert_eq!((read.refunded_minor, read.refunded_lines_minor), (100_000, None));
    // The money counts, not the price of what came back.
    let cheaper = json!([{"refund_line_items": [{"subtotal": 150_000.0}],
        "transactions": [{"kind": "refund", "status": "Thành công", "amount": -100_000.0}]}]);
    let read = order(Source::Haravan, &with(&haravan(), &[("refunds", cheaper)]));
    assert_eq!((read.refunded_minor, read.refunded_lines_minor), (100_000, Some(150_000)));
}

/// All walk-in customers are one customer there: whoever believed it would pool their points.
#[test]
fn haravans_shared_guest_is_nobody() {
    let guest =
        with(&haravan(), &[("email", json!("guest@haravan.com")), ("customer.email", json!("guest@haravan.com"))]);
    let read = order(Source::Haravan, &guest);
    assert_eq!((read.customer.id.as_deref(), read.customer.email.as_deref()), (None, None));
    assert_eq!((phone(&read), read.customer.name.as_deref()), (Some("84934567890"), None));
    let by_customer = with(&haravan(), &[("customer.email", json!("Guest@Haravan.com"))]);
    assert_eq!(order(Source::Haravan, &by_customer).customer.id, None);
    let without_phone = with(&guest, &[("billing_address", Value::Null)]);
    assert_eq!(order(Source::Haravan, &without_phone).customer, crate::queue::Customer::default());
}

#[test]
fn both_sapo_products_are_read() {
    let web = json!({"order": {"id": 901, "created_on": "2026-11-20T02:00:00Z", "modified_on": "2026-11-22T03:00:00Z",
        "financial_status": "paid", "fulfillment_status": "fulfilled", "total_price": 430_000.0, "currency": "VND",
        "shipping_lines": [{"price": 30_000}], "customer": {"id": 3, "phone": "0901234567", "first_name": "An", "last_name": "Lê"}}});
    let read = order(Source::Sapo, &web);
    assert_eq!((read.due_minor, read.shipping_minor, read.status), (430_000, 30_000, OrderStatus::Delivered));
    assert_eq!((read.payment_status, phone(&read)), (PaymentStatus::Paid, Some("84901234567")));

    let omni = json!({"id": 902, "code": "SON00012", "created_on": "2026-11-20T02:00:00Z",
        "modified_on": "2026-11-22T10:00:00", "status": "completed", "payment_status": "paid",
        "fulfillment_status": "shipped", "total": 250_000, "delivery_fee": {"fee": 20_000}, "customer_id": 44,
        "customer_data": {"name": "Lê An", "phone_number": "0907654321"}});
    let read = order(Source::Sapo, &omni);
    assert_eq!((read.due_minor, read.shipping_minor, read.status), (250_000, 20_000, OrderStatus::Delivered));
    assert_eq!((read.payment_status, phone(&read)), (PaymentStatus::Paid, Some("84907654321")));
    assert_eq!((read.customer.id.as_deref(), read.customer.name.as_deref()), (Some("44"), Some("Lê An")));
    assert_eq!((read.updated_at, read.currency), (at("2026-11-22T03:00:00Z"), Currency::VND));
    let open = with(&omni, &[("status", json!("finalized")), ("payment_status", json!("unpaid"))]);
    let read = order(Source::Sapo, &open);
    assert_eq!((read.status, read.payment_status), (OrderStatus::Shipping, PaymentStatus::Unpaid));
    let cancelled = with(&omni, &[("status", json!("cancelled"))]);
    assert_eq!(order(Source::Sapo, &cancelled).status, OrderStatus::Cancelled);
}

fn woo() -> Value {
    json!({"id": 1500, "parent_id": 0, "status": "completed", "currency": "VND", "total": "290000.00",
        "shipping_total": "20000.00", "shipping_tax": "1000", "customer_id": 0,
        "date_created": "2026-11-20T09:00:00", "date_created_gmt": "2026-11-20T02:00:00",
        "date_modified": "2026-11-22T10:00:00", "date_modified_gmt": "2026-11-22T03:00:00",
        "date_paid_gmt": "2026-11-20T02:01:00", "date_paid": "2026-11-20T09:01:00",
        "billing": {"first_name": "Bình", "last_name": "Trần", "phone": "0901 234 567", "email": "b@example.test"},
        "shipping": {"phone": "0912345678"}, "line_items": [{"total": "260000", "total_tax": "9000"}],
        "coupon_lines": [{"code": "tet2026"}], "refunds": []})
}

#[test]
fn a_woocommerce_order_is_read() {
    let read = order(Source::WooCommerce, &woo());
    assert_eq!((read.order_id.as_str(), read.placed_at), ("1500", at("2026-11-20T02:00:00Z")));
    assert_eq!(read.updated_at, at("2026-11-22T03:00:00Z"));
    assert_eq!((read.due_minor, read.shipping_minor, read.items_minor), (290_000, 21_000, Some(269_000)));
    assert_eq!((read.status, read.payment_status), (OrderStatus::Delivered, PaymentStatus::Paid));
    assert_eq!((phone(&read), read.customer.id.as_deref()), (Some("84901234567"), None));
    assert_eq!((read.customer.name.as_deref(), read.discount_codes), (Some("Bình Trần"), vec!["tet2026".into()]));
    let known = order(Source::WooCommerce, &with(&woo(), &[("customer_id", json!(25)), ("billing", json!([]))]));
    assert_eq!((known.customer.id.as_deref(), phone(&known)), (Some("25"), Some("84912345678")));
    let local = with(&woo(), &[("date_modified_gmt", Value::Null)]);
    assert_eq!(order(Source::WooCommerce, &local).updated_at, at("2026-11-22T03:00:00Z"));
}

#[test]
fn woocommerce_statuses() {
    use OrderStatus::*;
    use PaymentStatus::*;
    for (word, dated, status, payment) in [
        ("processing", false, Confirmed, Unpaid),
        ("processing", true, Confirmed, Paid),
        ("wc-completed", false, Delivered, Paid),
        ("on-hold", false, Pending, Unpaid),
        ("refunded", true, Returned, Refunded),
        ("cancelled", true, Cancelled, Paid),
        ("failed", false, Cancelled, Unpaid),
        ("trash", false, Cancelled, Unpaid),
        ("awaiting-pickup", true, Pending, Paid),
    ] {
        let dated = if dated { json!("2026-11-20T02:01:00") } else { Value::Null };
        let changes = [("status", json!(word)), ("date_paid_gmt", dated), ("date_paid", Value::Null)];
        let read = order(Source::WooCommerce, &with(&woo(), &changes));
        assert_eq!((read.status, read.payment_status), (status, payment), "{word}");
    }
    let refunds = json!([{"id": 1, "reason": "", "total": "-10000.00"}, {"id": 2, "total": "-5000"}]);
    let read = order(Source::WooCommerce, &with(&woo(), &[("refunds", refunds)]));
    assert_eq!((read.refunded_minor, read.payment_status), (15_000, PartiallyRefunded));
    assert_eq!(read.due_minor, 290_000);
}
