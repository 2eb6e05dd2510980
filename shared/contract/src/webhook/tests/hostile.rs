//! Bodies that mean harm, or were mangled on the way.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::webhook::{BODY_BYTES_MAX, DEPTH_MAX};

fn parse_bytes(source: Source, body: &[u8]) -> Result<Delivery, ParseError> {
    parse(source, None, body, &SourceSettings::default(), received_at())
}

#[test]
fn no_door_reads_what_is_too_long_too_deep_or_not_text() {
    let long = format!("{{\"id\": \"{}\"}}", "x".repeat(10 * 1024 * 1024));
    let deep = "[".repeat(100_000);
    let hidden = format!("{{\"id\": 1, \"note\": {}{}}}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
    for source in Source::ALL {
        assert_eq!(parse_bytes(source, long.as_bytes()), Err(ParseError::TooLong), "{source}");
        assert_eq!(parse_bytes(source, deep.as_bytes()), Err(ParseError::TooDeep), "{source}");
        assert_eq!(parse_bytes(source, hidden.as_bytes()), Err(ParseError::TooDeep), "{source}");
        assert_eq!(parse_bytes(source, b"{\"id\": \"\xff\"}"), Err(ParseError::NotUtf8), "{source}");
        for text in ["", " ", "nonsense", "{", "{\"id\": 01}", "{\"id\": NaN}"] {
            assert!(matches!(parse_bytes(source, text.as_bytes()), Err(ParseError::NotJson { .. })), "{source} {text}");
        }
        for text in ["null", "[]", "1", "\"text\"", "{\"id\": 1} {}"] {
            assert!(parse_bytes(source, text.as_bytes()).is_err(), "{source} {text}");
        }
    }
    let exactly = format!("{{}}{}", " ".repeat(BODY_BYTES_MAX - 2));
    assert_eq!(parse_bytes(Source::Standard, exactly.as_bytes()), Err(ParseError::Missing("type")));
}

#[test]
fn a_body_that_is_no_object_is_called_that() {
    for body in ["[]", "null", "1", "\"x\"", r#"["behaviour"]"#] {
        for source in [Source::Standard, Source::Shopify, Source::KiotViet] {
            assert_eq!(parse_bytes(source, body.as_bytes()), Err(ParseError::NoObject), "{body}");
        }
        let event = crate::webhook::event::parse_event(body.as_bytes(), &SourceSettings::default(), received_at());
        assert_eq!(event, Err(ParseError::NoObject), "{body}");
    }
}

#[test]
fn a_field_said_twice_is_refused() {
    for (source, body) in [
        (Source::Standard, r#"{"type":"order.changed","type":"order.changed","data":{}}"#),
        (Source::Standard, r#"{"type":"order.changed","data":{"amount_due":"1","amount_due":"1000000"}}"#),
        (Source::Shopify, r#"{"id":1,"total_price":"1","total_price":"1000000"}"#),
        (Source::KiotViet, r#"{"Notifications":[],"notifications":[]}"#),
    ] {
        assert!(matches!(parse_bytes(source, body.as_bytes()), Err(ParseError::WrongShape { .. })), "{body}");
    }
}

#[test]
fn a_byte_order_mark_and_white_space_are_no_part_of_the_body() {
    let body = "\u{feff}\r\n {\"event\": \"orderDelete\", \"data\": [1]} \n";
    assert!(parse_bytes(Source::Nhanh, body.as_bytes()).is_ok());
}

#[test]
fn errors_repeat_nothing_of_the_body() {
    let mark = "0901234567";
    for body in [
        json!({"type": mark}),
        json!({"type": "order.changed", "data": mark}),
        json!({"type": "order.changed", "data": {"currency": mark}}),
        json!({"type": "order.changed", "data": {"currency": "VND", "order_id": "1", "placed_at": mark}}),
    ] {
        let error = try_parse(Source::Standard, &body).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(mark), "{error:?}");
    }
}

#[test]
fn a_list_without_end_is_refused() {
    let refunds: Vec<_> = (0..2_001).map(|_| json!({"transactions": []})).collect();
    let body = json!({"id": 1, "created_at": "2026-11-20T09:00:00+07:00", "updated_at": "2026-11-20T09:00:00+07:00",
        "total_price": "1", "refunds": refunds});
    assert_eq!(try_parse(Source::Shopify, &body), Err(ParseError::TooMany));
}

/// JSON whose keys are those that the adapters look for, so that random bodies get past the first field.
fn almost_an_order() -> impl Strategy<Value = Value> {
    const KEYS: &[&str] = &[
        "type",
        "data",
        "id",
        "Id",
        "order",
        "order_id",
        "orderId",
        "event",
        "Notifications",
        "Action",
        "Data",
        "status",
        "Status",
        "total",
        "Total",
        "total_price",
        "amount_due",
        "refunds",
        "transactions",
        "refund_line_items",
        "created_at",
        "updated_at",
        "PurchaseDate",
        "date_created_gmt",
        "date_modified_gmt",
        "inserted_at",
        "currency",
        "customer",
        "billing",
        "phone",
        "items",
        "quantity",
        "variation_info",
        "retail_price",
        "calcTotalMoney",
        "fulfillments",
        "InvoiceDelivery",
        "shipping_lines",
        "placed_at",
        "shipping_fee",
        "refunded",
        "payment_status",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "order.changed",
            "orderAdd",
            "orderUpdate",
            "invoice.update.1",
            "VND",
            "USD",
            "delivered",
            "paid",
            "completed",
            "2026-11-22T10:00:00+07:00",
            "2026-11-22T10:00:00",
            "-1e15",
            "0901234567",
            "1e400",
            "99999999999999999999",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 12, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(prop::sample::select(KEYS), inner, 0..12)
                .prop_map(|map| Value::Object(map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_break_a_door(body in prop::collection::vec(any::<u8>(), 0..200)) {
        for source in Source::ALL {
            let _ = parse_bytes(source, &body);
        }
    }

    #[test]
    fn no_json_breaks_a_door(body in almost_an_order(), topic in prop::option::of("(orders/|order\\.)?[a-z]{0,8}")) {
        for source in Source::ALL {
            let _ = try_with(source, "", topic.as_deref(), &body);
        }
    }
}
