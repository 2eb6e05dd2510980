//! A sample order with a correct signature, for a first try with nothing but `curl`.
//!
//! The answer is a `curl` configuration rather than a signature printed at start, because a
//! signature is good for five minutes and a first try may come later.

use loyalty_signatures::sign_standard;
use serde_json::json;

use crate::clock;

/// What the sample order says; the defaults are those of the printed line.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct SampleOrder {
    /// A new id each time unless one is given.
    pub order_id: Option<String>,
    #[serde(default = "default_phone")]
    pub phone: String,
    /// Amount due in đồng, the shipping fee of 30000 included.
    #[serde(default = "default_amount")]
    pub amount: u64,
    #[serde(default = "default_status")]
    pub status: String,
    #[serde(default = "default_payment_status")]
    pub payment_status: String,
}

fn default_phone() -> String {
    "0901234567".to_owned()
}

fn default_amount() -> u64 {
    530_000
}

fn default_status() -> String {
    "delivered".to_owned()
}

fn default_payment_status() -> String {
    "paid".to_owned()
}

/// A request as a shop would send it.
#[derive(Debug, Clone)]
pub struct SignedRequest {
    pub webhook_id: String,
    pub timestamp: i64,
    pub signature: String,
    pub body: String,
}

/// Builds and signs an order; `None` when the secret is not one of Standard Webhooks.
pub fn signed_order(order: &SampleOrder, now_ms: i64, secret: &str) -> Option<SignedRequest> {
    let id = crate::queue::message_id();
    let order_id = order.order_id.clone().unwrap_or_else(|| format!("DH-{}", &id[..8]));
    let now = clock::iso(now_ms);
    let body = json!({
        "type": "order.changed",
        "timestamp": now,
        "data": {
            "order_id": order_id,
            "placed_at": now,
            "updated_at": now,
            "status": order.status,
            "payment_status": order.payment_status,
            "amount_due": order.amount.to_string(),
            "shipping_fee": "30000",
            "refunded": "0",
            "currency": "VND",
            "customer": {"phone": order.phone},
        },
    });
    sign(body.to_string(), format!("msg_{id}"), now_ms / 1_000, secret)
}

/// Signs a body by Standard Webhooks with the first of the secrets given.
pub fn sign(body: String, webhook_id: String, timestamp: i64, secrets: &str) -> Option<SignedRequest> {
    let secret = secrets.split([' ', ',']).next().filter(|secret| secret.starts_with("whsec_"))?;
    let signature = sign_standard(secret, &webhook_id, timestamp, body.as_bytes()).ok()?;
    Some(SignedRequest { webhook_id, timestamp, signature, body })
}

impl SignedRequest {
    /// The request as a configuration file of `curl` (`curl -K -`).
    pub fn to_curl_config(&self, url: &str) -> String {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        format!(
            "url = \"{url}/webhooks/standard\"\n\
             header = \"content-type: application/json\"\n\
             header = \"webhook-id: {}\"\n\
             header = \"webhook-timestamp: {}\"\n\
             header = \"webhook-signature: {}\"\n\
             data-binary = \"{}\"\n\
             write-out = \"HTTP %{{http_code}}\\n\"\n",
            self.webhook_id,
            self.timestamp,
            self.signature,
            quoted(&self.body),
        )
    }
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
        let request = SignedRequest {
            webhook_id: "msg_1".to_owned(),
            timestamp: 5,
            signature: "v1,x".to_owned(),
            body: r#"{"a":"b\\c"}"#.to_owned(),
        };
        let config = request.to_curl_config("http://127.0.0.1:3000");
        assert!(config.contains(r#"data-binary = "{\"a\":\"b\\\\c\"}""#), "{config}");
    }
}
