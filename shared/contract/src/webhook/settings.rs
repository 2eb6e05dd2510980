//! What a shop's owner may decide about its webhook: `[sources.shopify]` in the programme file.
//!
//! The defaults are what the playbooks and the shops' documentation say; a setting exists only where shops differ.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono_tz::Tz;
use loyalty_domain::money::Currency;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::queue::Source;

/// Settings of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceSettings {
    /// What counts as delivered (P10, P11). Default: what the shop knows best; see [`SourceSettings::delivered`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_when: Option<DeliveredWhen>,
    /// Which of an order's phones is the customer's: the first that is a phone number. Default: see
    /// [`SourceSettings::phones`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<Vec<PhoneField>>,
    /// The currency of bodies that name none, and the only one the generic webhook takes. Default: the programme's.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "currency_code",
        deserialize_with = "currency_of_code"
    )]
    pub currency: Option<Currency>,
    /// Whether orders that the shop marks as a test are credited.
    pub accept_test_orders: bool,
    /// The zone of times that are sent without one, as an IANA name. Default: see [`SourceSettings::zone`].
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "zone_name", deserialize_with = "zone_of_name")]
    pub time_zone: Option<Tz>,
    /// E-mail addresses of customers that the shop shares between all guests: who they are is never believed.
    pub shared_customers: Vec<String>,
    /// X45: whether an order is asked for again before it is credited. There is no connector that could: webhooks carry the
    /// whole order.
    #[serde(skip_serializing, deserialize_with = "no_refetch")]
    pub refetch: (),
}

impl Default for SourceSettings {
    fn default() -> Self {
        Self {
            delivered_when: None,
            phone: None,
            currency: None,
            accept_test_orders: false,
            time_zone: None,
            shared_customers: vec!["guest@haravan.com".into()],
            refetch: (),
        }
    }
}

/// What counts as delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveredWhen {
    /// The shop marked the order as fulfilled or completed.
    Fulfilled,
    /// The carrier said so. What was handed over the counter without a carrier counts where the shop can tell.
    #[serde(alias = "shipment_delivered")]
    CarrierDelivered,
}

/// A place in an order where a phone may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneField {
    Customer,
    Order,
    Shipping,
    Billing,
}

impl SourceSettings {
    /// The settings of one source among those of a programme, in whose currency the source counts unless it says else.
    pub fn of(sources: &BTreeMap<Source, Self>, source: Source, programme: Currency) -> Self {
        let mut settings = sources.get(&source).cloned().unwrap_or_default();
        settings.currency.get_or_insert(programme);
        settings
    }

    /// The currency of bodies that name none.
    pub fn currency(&self) -> Currency {
        self.currency.unwrap_or(Currency::VND)
    }

    /// Haravan and Pancake report the carrier's word, and Pancake no other; elsewhere it is rarely there, so the shop's
    /// own mark counts.
    pub fn delivered(&self, source: Source) -> DeliveredWhen {
        self.delivered_when.unwrap_or(match source {
            Source::Haravan | Source::Pancake => DeliveredWhen::CarrierDelivered,
            _ => DeliveredWhen::Fulfilled,
        })
    }

    /// The customer's own phone before the order's and its addresses'. WooCommerce has addresses only, and there the
    /// one who pays comes first.
    pub fn phones(&self, source: Source) -> &[PhoneField] {
        use PhoneField::{Billing, Customer, Order, Shipping};
        match (&self.phone, source) {
            (Some(fields), _) => fields,
            (None, Source::WooCommerce) => &[Billing, Shipping],
            (None, _) => &[Customer, Order, Shipping, Billing],
        }
    }

    /// Shopify and the generic webhook always send an offset, so none is assumed; Haravan and Pancake write UTC, the
    /// other Vietnamese shops their wall clock. WooCommerce names UTC times as such; its others are the site's.
    pub fn zone(&self, source: Source) -> Option<Tz> {
        self.time_zone.or(match source {
            Source::Standard | Source::Shopify => None,
            Source::Haravan | Source::Pancake => Some(Tz::UTC),
            Source::WooCommerce | Source::Sapo | Source::KiotViet | Source::Nhanh => Some(Tz::Asia__Ho_Chi_Minh),
        })
    }

    /// Whether this e-mail address belongs to all guests together.
    pub fn is_shared_customer(&self, email: &str) -> bool {
        self.shared_customers.iter().any(|shared| shared.trim().eq_ignore_ascii_case(email.trim()))
    }
}

fn no_refetch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    let why = "no source is asked for an order again: its webhooks carry the whole order, and the settle delay lets it \
               finish (X45); leave it out";
    if bool::deserialize(deserializer)? { Err(serde::de::Error::custom(why)) } else { Ok(()) }
}

fn currency_code<S: Serializer>(currency: &Option<Currency>, serializer: S) -> Result<S::Ok, S::Error> {
    currency.map(Currency::code).serialize(serializer)
}

fn currency_of_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Currency>, D::Error> {
    let code = String::deserialize(deserializer)?;
    Currency::from_code(&code)
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom(format!("{code:?} is not an ISO 4217 currency code, such as VND")))
}

fn zone_name<S: Serializer>(zone: &Option<Tz>, serializer: S) -> Result<S::Ok, S::Error> {
    zone.map(Tz::name).serialize(serializer)
}

fn zone_of_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Tz>, D::Error> {
    let name = String::deserialize(deserializer)?;
    Tz::from_str(&name)
        .map(Some)
        .map_err(|_| serde::de::Error::custom(format!("{name:?} is not a time zone, such as Asia/Ho_Chi_Minh")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_default_and_a_name() {
        assert_eq!(toml::from_str::<SourceSettings>("").unwrap(), SourceSettings::default());
        let text = r#"
            delivered_when = "shipment_delivered"
            phone = ["billing", "order"]
            currency = "USD"
            accept_test_orders = true
            time_zone = "Asia/Bangkok"
            shared_customers = []
        "#;
        let settings: SourceSettings = toml::from_str(text).unwrap();
        assert_eq!(settings.delivered(Source::Shopify), DeliveredWhen::CarrierDelivered);
        assert_eq!(settings.phones(Source::WooCommerce), [PhoneField::Billing, PhoneField::Order]);
        assert_eq!(settings.zone(Source::Standard), Some(Tz::Asia__Bangkok));
        assert!(!settings.is_shared_customer("guest@haravan.com"));
        assert_eq!(toml::from_str::<SourceSettings>(&toml::to_string(&settings).unwrap()).unwrap(), settings);
    }

    #[test]
    fn what_is_misspelt_is_refused() {
        for text in [
            "deliverd_when = 'fulfilled'",
            "delivered_when = 'arrived'",
            "currency = 'dong'",
            "time_zone = 'Hanoi'",
            "phone = ['mobile']",
        ] {
            assert!(toml::from_str::<SourceSettings>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_source_counts_in_the_programmes_currency_unless_it_says_else() {
        let euro = Currency::from_code("EUR").unwrap();
        let mut sources = BTreeMap::new();
        assert_eq!(SourceSettings::of(&sources, Source::KiotViet, euro).currency(), euro);
        sources.insert(Source::KiotViet, toml::from_str("currency = 'VND'").unwrap());
        assert_eq!(SourceSettings::of(&sources, Source::KiotViet, euro).currency(), Currency::VND);
    }

    #[test]
    fn the_decided_defaults() {
        let settings = SourceSettings::default();
        assert_eq!(settings.delivered(Source::Haravan), DeliveredWhen::CarrierDelivered);
        assert_eq!(settings.delivered(Source::Shopify), DeliveredWhen::Fulfilled);
        assert_eq!(settings.zone(Source::KiotViet), Some(Tz::Asia__Ho_Chi_Minh));
        assert_eq!(settings.zone(Source::Pancake), Some(Tz::UTC));
        assert_eq!(settings.zone(Source::Shopify), None);
        assert!(settings.is_shared_customer(" Guest@Haravan.com"));
    }
}
