//! The generic order webhook.

use loyalty_domain::money::Currency;
use loyalty_domain::order::{OrderStatus, PaymentStatus};
use serde_json::{Value, json};

use super::*;
use crate::amount::AmountError;
use crate::webhook::event::ShopEvent;

fn body() -> Value {
    json!({"type": "order.changed", "timestamp": "2026-11-23T08:15:00+07:00", "data": {
        "order_id": "DH-1001", "placed_at": "2026-11-23T08:00:00+07:00", "updated_at": "2026-11-23T08:15:00+07:00",
        "status": "delivered", "payment_status": "paid",
        "amount_due": "530000", "shipping_fee": "30000", "refunded": "0", "currency": "VND",
        "customer": {"id": "KH-7", "phone": "0901 234 567", "name": "Trần Thị Bình", "email": "binh@example.test",
            "birthday": "1990-05-20"},
        "items": [{"sku": "A1", "category": "shirts", "quantity": 2, "amount": "500000"}],
        "discount_codes": ["SILVER-8K2"], "paid_with_points": "0", "paid_with_wallet": "0", "store": "HN-01"}})
}

fn changed(field: &str, value: Value) -> Value {
    with(&body(), &[(&format!("data.{field}"), value)])
}

fn refused(body: &Value) -> ParseError {
    try_parse(Source::Standard, body).expect_err("refused")
}

#[test]
fn a_whole_order_is_read() {
    let order = order(Source::Standard, &body());
    assert_eq!(order.full_order_id().as_str(), "standard:DH-1001");
    assert_eq!((order.placed_at, order.updated_at), (at("2026-11-23T01:00:00Z"), at("2026-11-23T01:15:00Z")));
    assert_eq!((order.status, order.payment_status), (OrderStatus::Delivered, PaymentStatus::Paid));
    assert_eq!((order.due_minor, order.shipping_minor, order.refunded_minor), (530_000, 30_000, 0));
    assert_eq!((order.currency, order.items_minor), (Currency::VND, Some(500_000)));
    let customer = &order.customer;
    assert_eq!(customer.phone.as_ref().map(|p| p.digits()), Some("84901234567"));
    assert_eq!((customer.id.as_deref(), customer.name.as_deref()), (Some("KH-7"), Some("Trần Thị Bình")));
    assert_eq!(customer.birthday, "1990-05-20".parse().ok());
    assert_eq!((order.discount_codes.as_slice(), order.store.as_deref()), (&["SILVER-8K2".into()][..], Some("HN-01")));
}

/// X24: what came back is named line by line, at the line's price.
#[test]
fn returned_lines_are_summed_and_no_line_returns_more_than_it_is() {
    let lines = |lines: Value| with(&body(), &[("data.items", lines)]);
    let read = |body: &Value| order(Source::Standard, body).refunded_lines_minor;
    assert_eq!(read(&body()), None);
    let two = json!([{"sku": "A1", "amount": "300000", "returned": "100000"}, {"sku": "A2", "amount": "200000",
        "returned": "200000"}, {"sku": "A3", "amount": "50000", "returned": "0"}]);
    assert_eq!(read(&lines(two)), Some(300_000));
    assert_eq!(read(&lines(json!([{"sku": "A1", "amount": "300000", "returned": 0}]))), None);
    for wrong in [json!({"amount": "300000", "returned": "300001"}), json!({"returned": "1"})] {
        assert!(matches!(refused(&lines(json!([wrong]))), ParseError::Invalid { field: "items[].returned", .. }));
    }
    assert!(matches!(
        refused(&lines(json!([{"amount": "1", "returned": "-1"}]))),
        ParseError::Invalid { field: "items[].returned", .. }
    ));
}

#[test]
fn everything_after_the_currency_but_the_customer_is_optional() {
    let mut least = body();
    for optional in ["items", "discount_codes", "paid_with_points", "paid_with_wallet", "store"] {
        least["data"] = without(&least["data"], optional);
    }
    let read = order(Source::Standard, &with(&least, &[("data.customer", json!({}))]));
    assert_eq!((read.customer, read.items_minor), (crate::queue::Customer::default(), None));
    let guest = order(Source::Standard, &with(&least, &[("data.customer", Value::Null)]));
    assert_eq!(guest.customer.phone, None);

    for needed in [
        "order_id",
        "placed_at",
        "updated_at",
        "status",
        "payment_status",
        "amount_due",
        "shipping_fee",
        "refunded",
        "currency",
        "customer",
    ] {
        let mut lacking = body();
        lacking["data"] = without(&lacking["data"], needed);
        assert!(matches!(refused(&lacking), ParseError::Missing(name) if name.starts_with(needed)), "{needed}");
    }
}

#[test]
fn amounts_may_be_text_or_numbers() {
    for amount in [json!("530000"), json!(530_000), json!("530000.00"), json!(530_000.0)] {
        assert_eq!(order(Source::Standard, &changed("amount_due", amount)).due_minor, 530_000);
    }
}

#[test]
fn hostile_amounts_are_refused() {
    for (amount, why) in [
        (json!("-1"), None),
        (json!(-530_000), None),
        (json!("10000000000001"), Some(AmountError::TooLarge)),
        (json!(1_000_000_000_000_000_000_u64), Some(AmountError::TooLarge)),
        (json!("1e400"), Some(AmountError::NotANumber)),
        (json!("1e9"), Some(AmountError::NotANumber)),
        (json!(1e30), Some(AmountError::TooLarge)),
        (json!("530000.5"), Some(AmountError::Fraction)),
        (json!("530.000"), Some(AmountError::Ambiguous)),
        (json!("530,000"), Some(AmountError::NotANumber)),
        (json!("NaN"), Some(AmountError::NotANumber)),
    ] {
        for field in ["amount_due", "shipping_fee", "refunded", "paid_with_points", "items.0.amount"] {
            match (refused(&changed(field, amount.clone())), why) {
                (ParseError::Amount { why: found, .. }, Some(why)) => assert_eq!(found, why, "{field} {amount}"),
                (ParseError::Invalid { .. }, None) => {}
                (other, _) => panic!("{field} {amount}: {other:?}"),
            }
        }
    }
    assert_eq!(refused(&changed("amount_due", Value::Null)), ParseError::Missing("amount_due"));
}

#[test]
fn what_is_neither_text_nor_a_number_is_called_that_and_never_taken_for_absent() {
    let fields = [
        "order_id",
        "placed_at",
        "updated_at",
        "status",
        "payment_status",
        "amount_due",
        "paid_with_wallet",
        "items.0.amount",
        "currency",
    ];
    for field in fields {
        for other in [json!({}), json!([1]), json!(true)] {
            let error = refused(&changed(field, other.clone()));
            let called = matches!(error, ParseError::Invalid { why: "is neither text nor a number", .. });
            assert!(called, "{field} {other}: {error}");
        }
    }
    for other in [json!([]), json!(["KH-7", "0901234567"]), json!("KH-7"), json!(1), json!(false)] {
        let error = refused(&changed("customer", other.clone()));
        assert!(error.to_string().starts_with("customer is not an object"), "{other}: {error}");
    }
    for (field, other) in ["items", "discount_codes"].into_iter().zip([json!("x"), json!({"0": {}})]) {
        assert_eq!(refused(&changed(field, other)).to_string(), format!("{field} is not a list"));
        assert!(try_parse(Source::Standard, &changed(field, Value::Null)).is_ok());
    }
    for other in [json!("x"), json!(["AO-1", "ao", "100000"]), Value::Null] {
        assert_eq!(refused(&changed("items.0", other)).to_string(), "items[] is not an object");
    }
}

#[test]
fn another_currency_is_refused_unless_it_is_the_programmes() {
    assert_eq!(refused(&changed("currency", json!("EUR"))), ParseError::OtherCurrency { expected: "VND" });
    assert!(matches!(refused(&changed("currency", json!("đồng"))), ParseError::Invalid { field: "currency", .. }));
    let euros = with(&body(), &[("data.currency", json!("EUR")), ("data.amount_due", json!("29.35"))]);
    assert_eq!(order_with(Source::Standard, "currency = 'EUR'", &euros).due_minor, 2935);
}

#[test]
fn an_unknown_word_is_refused_with_the_known_ones() {
    let status = refused(&changed("status", json!("đã giao")));
    assert!(status.to_string().contains("pending, confirmed, shipping, delivered, cancelled, returned"), "{status}");
    let payment = refused(&changed("payment_status", json!("Paid")));
    assert!(payment.to_string().contains("partially_refunded"), "{payment}");
    for word in ["pending", "confirmed", "shipping", "delivered", "cancelled", "returned"] {
        order(Source::Standard, &changed("status", json!(word)));
    }
    for word in ["unpaid", "partially_paid", "paid", "partially_refunded", "refunded", "voided"] {
        order(Source::Standard, &changed("payment_status", json!(word)));
    }
}

#[test]
fn a_time_needs_its_offset() {
    for time in ["2026-11-23T08:15:00", "2026-11-23", "yesterday", "0001-01-01T00:00:00Z"] {
        for field in ["placed_at", "updated_at"] {
            let error = refused(&changed(field, json!(time)));
            assert!(error.to_string().contains("offset from UTC"), "{time}: {error}");
        }
    }
    assert!(matches!(refused(&changed("customer.birthday", json!("20/05/1990"))), ParseError::Invalid { .. }));
}

#[test]
fn what_is_reported_beside_orders_comes_by_the_same_door() {
    let event = |body: &Value| {
        let delivery = try_parse(Source::Standard, body).unwrap_or_else(|error| panic!("{error}: {body}"));
        assert_eq!(delivery.orders, [], "an event is no order");
        delivery.event.expect("an event")
    };
    let (at, said_at) = ("2026-11-20T10:00:00+07:00", "2026-11-23T08:15:00+07:00");
    let who = json!({"id": "KH-7", "phone": "0901234567", "name": "Lan", "birthday": "1990-05-20"});
    for (kind, data) in [
        ("behaviour", json!({"event_id": "e", "behaviour": "review", "customer": who, "occurred_at": at})),
        ("topup", json!({"event_id": "e", "customer": who, "amount": "1", "currency": "VND", "paid_at": at})),
        ("customer.registered", json!({"customer": who})),
        ("customer.changed", json!({"customer": who})),
        ("customer.tier_changed", json!({"customer": who, "tier": "gold", "changed_at": at})),
    ] {
        assert_eq!(event(&json!({"type": kind, "timestamp": said_at, "data": data})).kind(), kind);
        let error = refused(&json!({"type": kind, "timestamp": said_at, "data": {"customer": {"name": "Lan"}}}));
        let known = matches!(error, ParseError::Missing(_) | ParseError::Invalid { .. });
        assert!(known, "{kind}: {error}");
    }
    let flat = event(&json!({"type": "customer.changed", "data": who}));
    assert_eq!(flat, event(&json!({"type": "customer.changed", "data": {"customer": who}})));

    let since = |data: Value, timestamp: Value| {
        let body = json!({"type": "customer.tier_changed", "timestamp": timestamp, "data": data});
        match event(&body) {
            ShopEvent::TierChanged { changed_at, .. } => changed_at.to_rfc3339(),
            other => panic!("{other:?}"),
        }
    };
    let unsaid = json!({"customer": who, "tier": "gold"});
    let said = json!({"customer": who, "tier": "gold", "changed_at": at});
    assert_eq!(since(said, json!(said_at)), "2026-11-20T03:00:00+00:00");
    assert_eq!(since(unsaid.clone(), json!(said_at)), "2026-11-23T01:15:00+00:00");
    assert_eq!(since(unsaid, json!(null)), received_at().to_rfc3339());
}

#[test]
fn other_types_are_refused_by_name() {
    let error = refused(&json!({"type": "order.updated"}));
    assert_eq!(error, ParseError::UnsupportedType);
    for kind in
        ["order.changed", "behaviour", "topup", "customer.registered", "customer.changed", "customer.tier_changed"]
    {
        assert!(error.to_string().contains(kind), "{error}");
    }
    assert_eq!(refused(&json!({"data": {}})), ParseError::Missing("type"));
    assert_eq!(refused(&json!({"type": "order.changed"})), ParseError::Missing("data"));
}

#[test]
fn a_phone_that_cannot_be_read_is_no_phone_and_ids_are_exact() {
    let read = order(Source::Standard, &changed("customer.phone", json!("ask the shop")));
    assert_eq!((read.customer.phone, read.customer.id.as_deref()), (None, Some("KH-7")));
    let number = order(Source::Standard, &changed("customer.phone", json!(901_234_567)));
    assert_eq!(number.customer.phone.as_ref().map(|p| p.digits()), Some("84901234567"));
    let big = order(Source::Standard, &changed("order_id", json!(12_345_678_901_234_567_890_u64)));
    assert_eq!(big.order_id, "12345678901234567890");
    assert!(matches!(refused(&changed("order_id", json!("x".repeat(129)))), ParseError::Invalid { .. }));
    let decomposed = order(Source::Standard, &changed("customer.name", json!("Nguye\u{302}\u{303}n")));
    assert_eq!(decomposed.customer.name.as_deref(), Some("Nguyễn"));
}
