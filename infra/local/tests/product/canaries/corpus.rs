//! Deliveries of every shop about people who do not exist, marked so that they can be found again.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use loyalty_contract::queue::Source;
use loyalty_signatures::sign_zalo;
use serde_json::{Value, json};
use thang_hang::sample::shops::{self, ShopOrder};
use thang_hang::zalo::DEVELOPMENT;

/// A customer. The same source and tag are the same person.
#[derive(Clone, Debug)]
pub struct Person {
    pub tag: String,
    pub phone: String,
    pub name: String,
    pub email: String,
    pub birthday: String,
}

const TAGS: [&str; 9] = ["good", "forged", "unsigned", "broken", "odd", "twice", "queued", "stranger", "zalo"];

impl Person {
    pub fn new(source: Source, tag: &str) -> Self {
        let at = |of: Option<usize>| of.expect("a known tag and source");
        let (door, way) = (at(Source::ALL.iter().position(|s| *s == source)), at(TAGS.iter().position(|t| *t == tag)));
        let word = format!("chimyen{tag}{source}");
        Self {
            tag: format!("{tag} {source}"),
            phone: format!("09654321{door}{way}"),
            name: format!("Trần {word}"),
            email: format!("thu.{word}@example.vn"),
            birthday: format!("19{way}3-0{}-17", door + 1),
        }
    }

    /// How they came to the door.
    pub fn way(&self) -> &str {
        self.tag.split(' ').next().unwrap_or_default()
    }

    /// The part of the name that is nobody else's.
    pub fn name_word(&self) -> String {
        self.name.trim_start_matches("Trần ").to_owned()
    }

    /// Shops send it; nothing of ours has a use for it.
    pub fn address(&self) -> String {
        format!("{} phố Hàng Bạc", self.phone.chars().rev().collect::<String>())
    }
}

/// Who the good customer of the generic door is to the official account at Zalo.
pub const ZALO_USER: &str = "2468458835291979246";

/// What the account tells: believed, forged and half. The person is followed, writes, and says whose the phone is.
pub fn from_zalo(person: &Person, stranger: &Person) -> Vec<(&'static str, BTreeMap<String, String>, String, u16)> {
    let time = Utc::now().timestamp_millis().to_string();
    let event = |name: &str, more: Value| {
        let mut event = json!({"event_name": name, "app_id": DEVELOPMENT.app_id, "timestamp": time});
        more.as_object().expect("fields").iter().for_each(|(field, value)| event[field] = value.clone());
        event.to_string()
    };
    let info = |one: &Person| json!({"phone": one.phone, "name": one.name, "address": one.address()});
    let text = format!("{} {} {}", person.name, person.phone, person.email);
    let user = json!({"id": ZALO_USER});
    let signed = |secret: &str, body: &str| {
        let mac = sign_zalo(secret.as_bytes(), DEVELOPMENT.app_id, &time, body.as_bytes());
        BTreeMap::from([("X-ZEvent-Signature".to_owned(), format!("mac={mac}"))])
    };
    let good = [
        event("follow", json!({"follower": user, "display_name": person.name})),
        event("user_submit_info", json!({"sender": user, "info": info(person)})),
        event("user_send_text", json!({"sender": user, "message": {"text": text, "msg_id": "1"}})),
        event(
            "user_received_message",
            json!({"sender": user, "recipient": {"id": person.phone},
            "message": {"msg_id": "m1", "tracking_id": "t1"}}),
        ),
        event("user_shared_secret", json!({"sender": user, "info": info(person)})),
        event("follow", json!({"user": user, "info": info(stranger)})),
    ];
    let mut all: Vec<_> =
        good.into_iter().map(|body| ("an event of Zalo", signed(DEVELOPMENT.oa_secret, &body), body, 200)).collect();
    let forged = event("user_submit_info", json!({"sender": {"id": "7"}, "info": info(stranger)}));
    all.push(("a forged event of Zalo", signed(super::GUESSED_TOKEN, &forged), forged.clone(), 503));
    all.push(("an unsigned event of Zalo", BTreeMap::new(), forged, 503));
    all
}

/// One request of a shop, or of someone who would be one.
pub struct Delivery {
    pub what: &'static str,
    pub person: Person,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// The answers it may get.
    pub statuses: &'static [u16],
}

pub fn secret_variable(source: Source) -> String {
    format!("WEBHOOK_SECRET_{}", source.as_str().to_uppercase())
}

pub fn secret(source: Source) -> String {
    match source {
        Source::Standard => format!("whsec_{}", STANDARD.encode("chimyen-secret-standard!")),
        _ => format!("chimyen-secret-{source}"),
    }
}

/// Everything that arrives at a shop's door, in this order.
pub fn deliveries(source: Source) -> Vec<Delivery> {
    let now = Utc::now();
    let (first, later) = (now - TimeDelta::minutes(30), now - TimeDelta::minutes(20));
    let person = |tag| Person::new(source, tag);
    let good = person("good");
    let credited = order(source, &good, "1", first, false).to_string();
    let mut all = Vec::new();
    let mut add = |what, person: &Person, headers, body: &str, statuses| {
        let (person, body) = (person.clone(), body.as_bytes().to_vec());
        all.push(Delivery { what, person, headers, body, statuses });
    };
    add("an order", &good, signed(source, &credited), &credited, &[200, 202]);
    add("the order again", &good, signed(source, &credited), &credited, &[200, 202]);
    let cancelled = order(source, &good, "1", later, true).to_string();
    add("a cancel", &good, signed(source, &cancelled), &cancelled, &[200, 202]);
    let second = order(source, &good, "2", later, false).to_string();
    add("a second order", &good, signed(source, &second), &second, &[200, 202]);

    if source == Source::Standard {
        for event in events(&good, first) {
            // The preset decides tiers itself: 409.
            let text = event.to_string();
            add("an event", &good, signed(source, &text), &text, &[202, 409]);
        }
    }

    let forged = person("forged");
    let text = order(source, &forged, "3", first, false).to_string();
    let mut headers = signed(source, &text);
    for name in ["Authorization", "X-Hub-Signature", "webhook-signature", "X-Shopify-Hmac-Sha256"] {
        headers.entry(name.to_owned()).and_modify(|value| *value = super::GUESSED_TOKEN.to_owned());
    }
    let body = text.replacen(':', ": ", 1);
    add("a forged order", &forged, headers, &body, &[401, 503]);
    let unsigned = person("unsigned");
    let text = order(source, &unsigned, "4", first, false).to_string();
    add("an unsigned order", &unsigned, BTreeMap::new(), &text, &[401, 503]);

    let broken = person("broken");
    let text = order(source, &broken, "5", first, false).to_string();
    let text = &text[..text.len() - 2];
    add("half an order", &broken, signed(source, text), text, &[200, 400]);
    // Where a time, an amount, an id or a word should be, there is a person; never one that is a good amount.
    let odd = person("odd");
    for field in [
        "updated_at",
        "modified_on",
        "date_modified_gmt",
        "ModifiedDate",
        "updatedDateTime",
        "status",
        "Status",
        "total",
        "total_price",
        "amount_due",
        "Total",
        "calcTotalMoney",
        "currency",
        "id",
        "Id",
        "order_id",
        "orderId",
        "type",
        "event",
        "Action",
        "shipping_fee",
        "placed_at",
        "timestamp",
        "birthday",
    ] {
        for value in [
            json!(format!("{} gọi lại", odd.phone)),
            json!(odd.name),
            json!({"email": odd.email}),
            json!(format!("+{}", odd.email)),
        ] {
            let mut changed = order(source, &odd, &format!("6-{field}"), first, false);
            // An id is shown as an id: a shop that makes it of a phone number cannot be helped.
            let id = ["id", "Id", "order_id", "orderId"].contains(&field);
            if replace(&mut changed, field, &value) && !(id && value.is_string()) {
                let text = changed.to_string();
                add("an odd order", &odd, signed(source, &text), &text, &[200, 202, 400, 422]);
            }
        }
    }
    if source == Source::Standard {
        let fields = [
            "type",
            "timestamp",
            "event_id",
            "behaviour",
            "occurred_at",
            "amount",
            "currency",
            "paid_at",
            "tier",
            "changed_at",
            "birthday",
        ];
        for (event, field) in events(&odd, first).iter().flat_map(|event| fields.map(|field| (event, field))) {
            for value in [json!(format!("{} gọi lại", odd.phone)), json!({"email": odd.email})] {
                let mut changed = event.clone();
                if replace(&mut changed, field, &value) {
                    let text = changed.to_string();
                    add("an odd event", &odd, signed(source, &text), &text, &[202, 400, 409, 422]);
                }
            }
        }
    }
    if source == Source::Nhanh {
        // The token comes in the body, which cannot be read, but is the shop's.
        let twice = person("twice");
        let mut call = order(source, &twice, "7", first, false);
        call["webhooksVerifyToken"] = json!(secret(source));
        let text = call.to_string().replacen('{', r#"{"event":"orderAdd","#, 1);
        add("an order twice over", &twice, BTreeMap::new(), &text, &[200]);
        call["event"] = json!("orderUpdate");
        add("half an update", &twice, BTreeMap::new(), &call.to_string(), &[200]);
    }
    all
}

/// What a shop reports of a customer beside orders.
fn events(person: &Person, at: DateTime<Utc>) -> Vec<Value> {
    let Person { tag, phone, name, email, birthday } = person;
    let who = json!({"phone": phone, "name": name, "email": email, "birthday": birthday});
    let event = |kind: &str, data: Value| json!({"type": kind, "timestamp": at, "data": data});
    vec![
        event("behaviour", json!({"event_id": tag, "behaviour": "review", "customer": who, "occurred_at": at})),
        event(
            "topup",
            json!({"event_id": tag.len(), "customer": who, "amount": "1000000", "currency": "VND", "paid_at": at}),
        ),
        event("customer.registered", json!({"customer": who})),
        event("customer.changed", json!({"customer": who})),
        event("customer.tier_changed", json!({"customer": who, "tier": "gold", "changed_at": at})),
    ]
}

/// Whether there was such a field somewhere.
fn replace(json: &mut Value, field: &str, value: &Value) -> bool {
    match json {
        Value::Object(fields) => {
            if let Some(old) = fields.get_mut(field) {
                *old = value.clone();
                return true;
            }
            fields.values_mut().any(|inner| replace(inner, field, value))
        }
        Value::Array(values) => values.iter_mut().any(|inner| replace(inner, field, value)),
        _ => false,
    }
}

fn signed(source: Source, body: &str) -> BTreeMap<String, String> {
    let headers = shops::signature(source, &secret(source), "msg_1", Utc::now().timestamp(), body.as_bytes());
    headers.expect("a good secret").into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A paid order of 530.000đ in the shop's own words, delivered or cancelled.
fn order(source: Source, person: &Person, number: &str, at: DateTime<Utc>, cancelled: bool) -> Value {
    let mut order = shops::order(
        source,
        &ShopOrder {
            number,
            phone: &person.phone,
            name: &person.name,
            email: &person.email,
            address: &person.address(),
            amount: 530_000,
            updated_at: at,
            cancelled,
        },
    );
    if source == Source::Standard {
        order["data"]["customer"]["birthday"] = json!(person.birthday);
    }
    order
}
