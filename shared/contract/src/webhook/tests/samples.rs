//! Sample bodies that others have published, when they lie beside the project: every one is read or refused with a
//! reason, and the telling ones say what they should. The other tests stand without them.

use std::path::{Path, PathBuf};

use loyalty_domain::order::{OrderStatus, PaymentStatus};

use super::*;

fn folder(shop: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/integrations/payloads").join(shop);
    if path.is_dir() {
        return Some(path);
    }
    println!("no published {shop} bodies beside the project: only our own were checked");
    None
}

fn sample(source: Source, path: &Path) -> Option<Delivery> {
    let body = std::fs::read(path).ok()?;
    Some(
        parse(source, None, &body, &SourceSettings::default(), received_at())
            .unwrap_or_else(|e| panic!("{path:?}: {e}")),
    )
}

#[test]
fn every_published_body_is_read() {
    for source in [Source::Shopify, Source::WooCommerce, Source::Haravan, Source::KiotViet, Source::Pancake] {
        let Some(folder) = folder(source.as_str()) else { continue };
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if !name.ends_with(".json") {
                continue;
            }
            // A list of orders is an answer of the shop's interface, not a webhook; a refund of WooCommerce's is neither.
            let text = std::fs::read_to_string(&path).expect("text");
            if text.contains("\"orders\":") || name.starts_with("refund_create") && source == Source::WooCommerce {
                continue;
            }
            let delivery = sample(source, &path).expect("a file");
            assert_eq!(delivery.orders.len() + delivery.ignored.len(), 1, "{name}");
        }
    }
}

#[test]
fn the_telling_ones_say_what_they_should() {
    let Some(shopify) = folder("shopify") else { return };
    let one = |name: &str| sample(Source::Shopify, &shopify.join(name)).map(|mut delivery| delivery.orders.remove(0));
    if let Some(order) = one("order_updated_phone.json") {
        // 195.66 + 195.67 and 7.96 of tax: what the shop's own current total says, not the 209.00 of the transaction.
        assert_eq!((order.due_minor, order.refunded_minor, order.shipping_minor), (59_894, 39_929, 0));
        assert_eq!(order.payment_status, PaymentStatus::PartiallyRefunded);
        assert_eq!(order.customer.phone.as_ref().map(|p| p.digits()), Some("16136120707"));
        assert_eq!(order.placed_at, at("2008-01-10T16:00:00Z"));
    }
    if let Some(order) = one("order_cancelled_partially_refunded.json") {
        assert_eq!(order.status, OrderStatus::Cancelled);
    }
    if let Some(order) = one("order_paid_guest.json") {
        assert_eq!((order.customer.id, order.customer.phone, order.customer.email), (None, None, None));
    }
    if let Some(order) = one("order_paid_fulfilled.json") {
        assert_eq!((order.status, order.payment_status), (OrderStatus::Delivered, PaymentStatus::Paid));
    }
    if let Some(delivery) = sample(Source::Shopify, &shopify.join("refund_create_a.json")) {
        assert!(delivery.orders.is_empty());
    }
}
