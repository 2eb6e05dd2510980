//! What travels from the shop's door to the ledger: one order as it is now, in one shape for all shops, or that one was
//! deleted.
//!
//! A message lies in the queue for seconds, and in the dead letters for days, so newer code must read what older code
//! wrote: fields are only added, and what may be missing has a default. It carries the customer's phone and name, which
//! rest nowhere else but on the member's row; `Debug` shows neither.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use loyalty_domain::ids::{MemberId, OrderId};
use loyalty_domain::item_rules::{Item, gathered};
use loyalty_domain::member::Profile;
use loyalty_domain::money::Currency;
use loyalty_domain::order::{Order, OrderFacts, OrderSnapshot, OrderStatus, PaymentStatus};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::identity::MemberKey;
use crate::phone::Phone;

/// A shop system that has a door of its own: `POST /webhooks/{source}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Standard,
    Shopify,
    WooCommerce,
    Haravan,
    Sapo,
    KiotViet,
    Pancake,
    Nhanh,
}

impl Source {
    pub const ALL: [Self; 8] = [
        Self::Standard,
        Self::Shopify,
        Self::WooCommerce,
        Self::Haravan,
        Self::Sapo,
        Self::KiotViet,
        Self::Pancake,
        Self::Nhanh,
    ];

    /// The name in the route, in order ids and in configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Shopify => "shopify",
            Self::WooCommerce => "woocommerce",
            Self::Haravan => "haravan",
            Self::Sapo => "sapo",
            Self::KiotViet => "kiotviet",
            Self::Pancake => "pancake",
            Self::Nhanh => "nhanh",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == name)
    }

    fn full_order_id(self, order_id: &str) -> OrderId {
        OrderId::new(format!("{self}:{order_id}"))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One message of the order queue or its dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum QueueMessage {
    Order { order: Box<CanonicalOrder> },
    Deleted(Deletion),
    Quarantined(Quarantined),
}

/// An order that its shop has deleted. The shop says which one, and nothing else of it: no version, no customer. What it
/// was is in the books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    pub source: Source,
    /// The shop's own id, as text, exactly.
    pub order_id: String,
    /// When the door received it: it stands in for the version (X29), and stays the same however often the message comes.
    pub deleted_at: DateTime<Utc>,
}

impl Deletion {
    /// The id over all shops: `source:id`.
    pub fn full_order_id(&self) -> OrderId {
        self.source.full_order_id(&self.order_id)
    }

    /// What the domain decides about; `known` is the order in the books, and `currency` that of an unknown one.
    pub fn into_snapshot(self, known: Option<&Order>, currency: Currency) -> OrderSnapshot {
        OrderSnapshot::deleted(self.full_order_id(), known, self.deleted_at, currency)
    }
}

/// A delivery that certainly comes from the shop but cannot be read, kept for a person to look at and replay: these
/// shops stop calling for ever, or soon, when they are told so. When it is replayed it is parsed again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    pub source: Source,
    /// Why, in words that repeat nothing of the body.
    pub reason: String,
    pub body: String,
    /// The body is base64, because it is not UTF-8.
    #[serde(default)]
    pub base64: bool,
}

impl fmt::Debug for Quarantined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, reason, body, base64 } = self;
        let bytes = body.len();
        write!(f, "Quarantined {{ source: {source}, reason: {reason:?}, bytes: {bytes}, base64: {base64} }}")
    }
}

/// A whole order as its shop says it is at `updated_at`. Amounts are minor units of `currency`; `due_minor` is gross of
/// later refunds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanonicalOrder {
    pub source: Source,
    /// The shop's own id, as text, exactly.
    pub order_id: String,
    pub placed_at: DateTime<Utc>,
    /// The shop's version of the order (X29).
    pub updated_at: DateTime<Utc>,
    #[serde(with = "StatusWord")]
    pub status: OrderStatus,
    #[serde(with = "PaymentWord")]
    pub payment_status: PaymentStatus,
    #[serde(serialize_with = "currency_code", deserialize_with = "currency_of_code")]
    pub currency: Currency,
    /// The whole amount to be paid, shipping included.
    pub due_minor: i64,
    pub shipping_minor: i64,
    /// Goods money given back so far; shipping given back is not in it (X24).
    pub refunded_minor: i64,
    /// The price of the returned lines, where the shop names them (X24).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refunded_lines_minor: Option<i64>,
    /// The sum of the order's lines, where the shop sends them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_minor: Option<i64>,
    /// The lines, alike ones together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Line>,
    #[serde(default)]
    pub paid_with_points_minor: i64,
    #[serde(default)]
    pub paid_with_wallet_minor: i64,
    #[serde(default)]
    pub customer: Customer,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub discount_codes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
}

/// Lines of an order that are alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// What they cost together, minor units of the order's currency.
    pub minor: i64,
    /// What of them came back, at its price; minor units.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub returned_minor: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it may leave out by reference")]
fn is_zero(minor: &i64) -> bool {
    *minor == 0
}

impl From<Line> for Item {
    fn from(line: Line) -> Self {
        let Line { sku, category, minor, returned_minor } = line;
        Self { sku, category, minor, returned_minor }
    }
}

/// Who placed the order, as far as the shop says. Without phone and id the order waits (X43).
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Customer {
    /// The shop's id of the customer; never one that several people share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birthday: Option<NaiveDate>,
}

impl fmt::Debug for Customer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Customer")
            .field("has_id", &self.id.is_some())
            .field("has_phone", &self.phone.is_some())
            .finish_non_exhaustive()
    }
}

impl Customer {
    /// The member is the phone's, else the shop's customer's, else nobody yet (X43).
    pub fn member_id(&self, source: Source, key: &MemberKey) -> Option<MemberId> {
        match (&self.phone, &self.id) {
            (Some(phone), _) => Some(key.by_phone(phone)),
            (None, Some(id)) => Some(key.by_customer(source, id)),
            (None, None) => None,
        }
    }

    pub fn into_profile(self) -> Profile {
        let Self { id: _, phone, name, email, birthday } = self;
        Profile { name, phone: phone.map(String::from), email, birthday }
    }
}

impl CanonicalOrder {
    /// The id over all shops: `source:id`.
    pub fn full_order_id(&self) -> OrderId {
        self.source.full_order_id(&self.order_id)
    }

    /// What the domain decides about.
    pub fn into_snapshot(self, key: &MemberKey) -> OrderSnapshot {
        let order_id = self.full_order_id();
        let member_id = self.customer.member_id(self.source, key);
        let mut vouchers: Vec<_> = self.discount_codes.iter().filter_map(|code| key.voucher_id_of(code)).collect();
        vouchers.sort_unstable();
        vouchers.dedup();
        OrderSnapshot {
            order_id,
            facts: OrderFacts {
                updated_at: self.updated_at,
                status: self.status,
                payment: self.payment_status,
                refunded_minor: self.refunded_minor,
                refunded_lines_minor: self.refunded_lines_minor,
                due_minor: self.due_minor,
                shipping_minor: self.shipping_minor,
                items_minor: self.items_minor,
                currency: self.currency,
                placed_at: self.placed_at,
                wallet_minor: self.paid_with_wallet_minor,
            },
            member_id,
            profile: self.customer.into_profile(),
            items: gathered(self.items.into_iter().map(Item::from)),
            vouchers,
            again: false,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "OrderStatus", rename_all = "snake_case")]
enum StatusWord {
    Pending,
    Confirmed,
    Shipping,
    Delivered,
    Returned,
    Cancelled,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "PaymentStatus", rename_all = "snake_case")]
enum PaymentWord {
    Unpaid,
    PartiallyPaid,
    Paid,
    PartiallyRefunded,
    Refunded,
    Voided,
}

fn currency_code<S: Serializer>(currency: &Currency, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(currency.code())
}

fn currency_of_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
    let code = String::deserialize(deserializer)?;
    Currency::from_code(&code).ok_or_else(|| serde::de::Error::custom("unknown currency"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::normalise;

    fn order() -> CanonicalOrder {
        CanonicalOrder {
            source: Source::Shopify,
            order_id: "450789469".into(),
            placed_at: "2026-11-23T01:00:00Z".parse().unwrap(),
            updated_at: "2026-11-23T01:15:00Z".parse().unwrap(),
            status: OrderStatus::Delivered,
            payment_status: PaymentStatus::PartiallyRefunded,
            currency: Currency::VND,
            due_minor: 530_000,
            shipping_minor: 30_000,
            refunded_minor: 100_000,
            refunded_lines_minor: Some(100_000),
            items_minor: None,
            items: Vec::new(),
            paid_with_points_minor: 0,
            paid_with_wallet_minor: 0,
            customer: Customer {
                id: Some("7".into()),
                phone: normalise("0901234567").ok(),
                name: Some("Nguyễn Văn An".into()),
                email: None,
                birthday: None,
            },
            discount_codes: vec![],
            store: None,
        }
    }

    /// The message may be read by another version of the code than the one that wrote it.
    #[test]
    fn the_words_on_the_wire_are_fixed() {
        let json = serde_json::to_value(QueueMessage::Order { order: Box::new(order()) }).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"kind": "order", "order": {
                "source": "shopify", "order_id": "450789469",
                "placed_at": "2026-11-23T01:00:00Z", "updated_at": "2026-11-23T01:15:00Z",
                "status": "delivered", "payment_status": "partially_refunded", "currency": "VND",
                "due_minor": 530_000, "shipping_minor": 30_000, "refunded_minor": 100_000,
                "refunded_lines_minor": 100_000, "paid_with_points_minor": 0, "paid_with_wallet_minor": 0,
                "customer": {"id": "7", "phone": "84901234567", "name": "Nguyễn Văn An"}}})
        );
        let quarantined =
            r#"{"kind":"quarantined","source":"kiotviet","reason":"not JSON","body":"AA==","base64":true}"#;
        let message: QueueMessage = serde_json::from_str(quarantined).unwrap();
        assert_eq!(serde_json::to_string(&message).unwrap(), quarantined);
        let deleted = r#"{"kind":"deleted","source":"woocommerce","order_id":"7","deleted_at":"2026-11-23T01:15:00Z"}"#;
        let message: QueueMessage = serde_json::from_str(deleted).unwrap();
        assert_eq!(serde_json::to_string(&message).unwrap(), deleted);
    }

    #[test]
    fn what_older_code_wrote_is_read() {
        let mut json = serde_json::to_value(QueueMessage::Order { order: Box::new(order()) }).unwrap();
        let fields = json["order"].as_object_mut().unwrap();
        for optional in ["refunded_lines_minor", "paid_with_points_minor", "paid_with_wallet_minor", "customer"] {
            fields.remove(optional);
        }
        fields.insert("of_a_later_version".into(), true.into());
        let QueueMessage::Order { order: read } = serde_json::from_value(json).unwrap() else {
            panic!("an order was written")
        };
        assert_eq!(read.due_minor, 530_000);
        assert_eq!(read.customer, Customer::default());
    }

    #[test]
    fn the_member_is_the_phones_then_the_customers_then_nobody() {
        let key = MemberKey::new("an installation's key of 32 bytes").unwrap();
        let by_phone = order().into_snapshot(&key);
        assert_eq!(by_phone.order_id.as_str(), "shopify:450789469");
        assert_eq!(by_phone.member_id, Some(key.by_phone(&normalise("0901234567").unwrap())));
        assert_eq!(by_phone.profile.phone.as_deref(), Some("84901234567"));
        assert_eq!(by_phone.facts.refunded_lines_minor, Some(100_000));

        let mut order = order();
        order.customer.phone = None;
        let by_customer = order.clone().into_snapshot(&key);
        assert_eq!(by_customer.member_id, Some(key.by_customer(Source::Shopify, "7")));
        order.customer.id = None;
        assert_eq!(order.into_snapshot(&key).member_id, None);
    }

    #[test]
    fn debug_shows_no_person_and_no_body() {
        let message = QueueMessage::Quarantined(Quarantined {
            source: Source::KiotViet,
            reason: "not JSON".into(),
            body: "0901234567".into(),
            base64: false,
        });
        let shown = format!("{:?} {message:?}", order());
        assert!(!shown.contains("901234567") && !shown.contains("Nguyễn"), "{shown}");
    }

    #[test]
    fn every_source_is_found_by_its_name() {
        for source in Source::ALL {
            assert_eq!(Source::from_name(source.as_str()), Some(source));
            assert_eq!(serde_json::to_value(source).unwrap(), source.as_str());
        }
        assert_eq!(Source::from_name("Shopify"), None);
    }
}
