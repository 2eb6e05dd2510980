//! The signature vectors that others have published, when they lie beside the project. The unit tests stand without them.

use std::path::Path;

use loyalty_signatures::{
    Refusal, Secrets, StandardDelivery, StandardSecrets, sign_base64, sign_standard, verify_base64,
};
use serde_json::Value;

fn vectors() -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/integrations/vectors.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("no published vectors beside the project: only our own were checked");
        return None;
    };
    Some(serde_json::from_str(&text).expect("the vectors are JSON"))
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap_or_else(|| panic!("{field} is text"))
}

#[test]
fn base64_of_the_raw_body() {
    let Some(vectors) = vectors() else { return };
    let list = vectors["hmac_sha256_base64_raw_body"].as_array().expect("a list");
    assert!(!list.is_empty());
    for vector in list {
        let (secret, body) = (text(vector, "secret"), text(vector, "body"));
        assert_eq!(sign_base64(secret.as_bytes(), body.as_bytes()), text(vector, "signature"));
        let secrets = Secrets::parse(secret).unwrap();
        assert_eq!(verify_base64(&secrets, body.as_bytes(), Some(text(vector, "signature"))), Ok(()));
        assert_eq!(
            verify_base64(&secrets, format!("{body} ").as_bytes(), Some(text(vector, "signature"))),
            Err(Refusal::Mismatch)
        );
    }
}

#[test]
fn standard_webhooks() {
    let Some(vectors) = vectors() else { return };
    let list = vectors["standard_webhooks"].as_array().expect("a list");
    assert!(!list.is_empty());
    for vector in list {
        let (secret, id, body) = (text(vector, "secret"), text(vector, "id"), text(vector, "body"));
        let at = vector["timestamp"].as_i64().expect("a number");
        assert_eq!(sign_standard(secret, id, at, body.as_bytes()).unwrap(), text(vector, "signature"));
        let secrets = StandardSecrets::parse(secret).unwrap();
        let timestamp = at.to_string();
        let verify = |signature: &str| {
            let delivery = StandardDelivery {
                id: Some(id),
                timestamp: Some(&timestamp),
                signature: Some(signature),
                body: body.as_bytes(),
            };
            secrets.verify(delivery, at)
        };
        assert_eq!(verify(text(vector, "signature")), Ok(()));
        for negative in vectors["negatives"].as_array().expect("a list") {
            if negative["kind"] == "standard_webhooks" {
                let wrong = text(negative, "signature");
                assert_eq!(verify(wrong), Err(Refusal::Mismatch));
                assert_eq!(verify(&format!("{wrong} {}", text(vector, "signature"))), Ok(()));
            }
        }
    }
}
