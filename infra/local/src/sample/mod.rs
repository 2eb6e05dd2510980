//! A sample order with a correct signature, for a first try with nothing but `curl`.
//!
//! The answer is a `curl` configuration rather than a signature printed at start, because a
//! signature is good for five minutes and a first try may come later.

pub mod shops;

use chrono::DateTime;
use loyalty_contract::queue::Source;
use loyalty_signatures::sign_standard;

use self::shops::ShopOrder;

/// What the sample order says; the defaults are those of the printed line.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleOrder {
    /// In whose words, and signed as they sign.
    #[serde(default = "default_source")]
    pub source: Source,
    /// A new id each time unless one is given.
    pub order_id: Option<String>,
    #[serde(default = "default_phone")]
    pub phone: String,
    /// Amount due in đồng, the shipping fee of 30000 included.
    #[serde(default = "default_amount")]
    pub amount: u64,
    /// Whether it is cancelled, or else delivered and paid.
    #[serde(default)]
    pub cancelled: bool,
}

fn default_source() -> Source {
    Source::Standard
}

fn default_phone() -> String {
    "0901234567".to_owned()
}

fn default_amount() -> u64 {
    530_000
}

/// A request to the generic door as a shop would send it.
#[derive(Debug, Clone)]
pub struct SignedRequest {
    pub webhook_id: String,
    pub timestamp: i64,
    pub signature: String,
    pub body: String,
}

/// The secret to sign with, of two while one replaces the other.
fn first(secrets: &str) -> Option<&str> {
    secrets.split([' ', ',']).next()
}

/// Signs a body by Standard Webhooks with the first of the secrets given.
pub fn sign(body: String, webhook_id: String, timestamp: i64, secrets: &str) -> Option<SignedRequest> {
    let secret = first(secrets).filter(|secret| secret.starts_with("whsec_"))?;
    let signature = sign_standard(secret, &webhook_id, timestamp, body.as_bytes()).ok()?;
    Some(SignedRequest { webhook_id, timestamp, signature, body })
}

/// The sample order as a configuration of `curl` (`curl -K -`) that sends it as its shop would, with the first of the
/// secrets; `None` when that is not one of the source's kind.
pub fn curl_config(order: &SampleOrder, url: &str, now_ms: i64, secrets: &str) -> Option<String> {
    let id = crate::queue::message_id();
    let number = order.order_id.clone().unwrap_or_else(|| format!("DH-{}", &id[..8]));
    let body = shops::order(
        order.source,
        &ShopOrder {
            number: &number,
            phone: &order.phone,
            name: "Nguyễn Lan",
            email: "",
            address: "",
            amount: order.amount,
            updated_at: DateTime::from_timestamp_millis(now_ms)?,
            cancelled: order.cancelled,
        },
    )
    .to_string();
    let secret = first(secrets)?;
    let headers = shops::signature(order.source, secret, &format!("msg_{id}"), now_ms / 1_000, body.as_bytes())?;
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut config =
        format!("url = \"{url}/webhooks/{}\"\nheader = \"content-type: application/json\"\n", order.source);
    for (name, value) in headers {
        config += &format!("header = \"{name}: {value}\"\n");
    }
    config += &format!("data-binary = \"{}\"\nwrite-out = \"HTTP %{{http_code}}\\n\"\n", quoted(&body));
    Some(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_agree_with_the_published_vectors() {
        // Both are in the reference libraries of standard-webhooks.
        let signed = sign(
            r#"{"test": 2432232314}"#.to_owned(),
            "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(),
            1_614_265_330,
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        )
        .unwrap();
        assert_eq!(signed.signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_of_another_kind_cannot_sign() {
        assert!(sign("{}".to_owned(), "m".to_owned(), 0, "plain").is_none());
    }

    #[test]
    fn the_curl_configuration_survives_quotes() {
        let order = SampleOrder { phone: r#"a"b\c"#.to_owned(), ..sample(Source::Sapo) };
        let config = curl_config(&order, "http://127.0.0.1:3000", 0, "secret").unwrap();
        assert!(config.contains(r#"\"phone_number\":\"a\\\"b\\\\c\""#), "{config}");
    }

    fn sample(source: Source) -> SampleOrder {
        SampleOrder { source, order_id: None, phone: default_phone(), amount: default_amount(), cancelled: false }
    }
}
