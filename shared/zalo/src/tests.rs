use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};

use super::*;

type Seen = Arc<Mutex<Vec<(String, HeaderMap, String)>>>;

/// Zalo, giving the same answer to everything.
async fn zalo(answer: &'static str) -> (Zalo, Seen) {
    let seen = Seen::default();
    let take = move |State(seen): State<Seen>, method: Method, uri: Uri, headers: HeaderMap, body: String| async move {
        seen.lock().unwrap().push((format!("{method} {uri}"), headers, body));
        ([("x-ratelimit-reset", "7")], answer)
    };
    let router = Router::new().fallback(take).with_state(seen.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let account = Account {
        openapi_url: url.clone(),
        business_url: url.clone(),
        oauth_url: url,
        app_id: "360".to_owned(),
        app_secret: "app secret".to_owned(),
    };
    (Zalo::new(Caller::new(None).unwrap(), account), seen)
}

fn data() -> BTreeMap<String, String> {
    BTreeMap::from([("customer".to_owned(), "Lan".to_owned())])
}

#[tokio::test]
async fn a_template_goes_to_a_phone() {
    let (zalo, seen) =
        zalo(r#"{"error":0,"message":"Success","data":{"msg_id":"a4","quota":{"remainingQuota":"499"}}}"#).await;
    let taken = zalo.template_to_phone("token", "84987654321", "78", &data(), &tracking_id("m:1:x")).await.unwrap();
    assert_eq!(taken, Taken { message_id: Some("a4".into()), quota_remaining: Some(499) });
    let (called, headers, body) = seen.lock().unwrap().remove(0);
    assert_eq!(called, "POST /message/template");
    assert_eq!(headers["access_token"], "token");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["phone"], "84987654321");
    assert_eq!(body["template_data"]["customer"], "Lan");
    let tracking = body["tracking_id"].as_str().unwrap();
    assert!(tracking.len() <= 48 && tracking.bytes().all(|byte| byte.is_ascii_alphanumeric()));
}

#[tokio::test]
async fn a_template_and_a_text_go_to_a_follower() {
    let (zalo, seen) = zalo(r#"{"error":0,"data":{"message_id":"b5","quota":{"remain":4821}}}"#).await;
    let taken = zalo.template_to_user("token", "2512", "78", &data()).await.unwrap();
    assert_eq!(taken, Taken { message_id: Some("b5".into()), quota_remaining: Some(4821) });
    zalo.text_to_user("token", "2512", &"ạ".repeat(3_000), None).await.unwrap();
    zalo.text_to_user("token", "2512", "Hạng Bạc", Some("https://cdn.vn/silver.jpg")).await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0].0, "POST /v3.0/oa/message/template");
    assert_eq!(seen[1].0, "POST /v3.0/oa/message/cs");
    let body: Value = serde_json::from_str(&seen[1].2).unwrap();
    assert_eq!(body["message"]["text"].as_str().unwrap().chars().count(), TEXT_CHARS_MAX);
    assert_eq!(body["message"].get("attachment"), None);
    let body: Value = serde_json::from_str(&seen[2].2).unwrap();
    let picture = serde_json::json!({"type": "template", "payload": {
        "template_type": "media", "elements": [{"media_type": "image", "url": "https://cdn.vn/silver.jpg"}]}});
    assert_eq!((&body["message"]["text"], &body["message"]["attachment"]), (&"Hạng Bạc".into(), &picture));
}

#[tokio::test]
async fn a_user_is_asked_about() {
    let (zalo, seen) = zalo(r#"{"error":0,"data":{"user_is_follower":true}}"#).await;
    assert_eq!(zalo.user_detail("token", "2512").await, Ok(UserDetail { follows: true }));
    assert_eq!(seen.lock().unwrap()[0].0, "GET /v3.0/oa/user/detail?data=%7B%22user_id%22%3A%222512%22%7D");
}

#[tokio::test]
async fn a_pair_of_tokens_is_read_as_it_is_written() {
    let (zalo, seen) = zalo(r#"{"access_token":"A2","refresh_token":"R2","expires_in":"90000"}"#).await;
    let tokens = zalo.refresh("R1+/").await.unwrap();
    assert_eq!((tokens.access_token.as_str(), tokens.refresh_token.as_str()), ("A2", "R2"));
    assert_eq!(tokens.lasts, TimeDelta::hours(25));
    assert_eq!(format!("{tokens:?}"), "Tokens(hidden)");
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0].0, "POST /v4/oa/access_token");
    assert_eq!(seen[0].1["secret_key"], "app secret");
    assert_eq!(seen[0].2, "refresh_token=R1%2B%2F&app_id=360&grant_type=refresh_token");
}

#[tokio::test]
async fn errors_come_with_their_class() {
    let (limited, _) = zalo(r#"{"error":-32,"message":"rate"}"#).await;
    let refused = limited.text_to_user("t", "1", "x", None).await.unwrap_err();
    let quiet = Some(TimeDelta::seconds(7));
    assert_eq!(refused, Refused::Code { number: -32, class: Class::Passing, quiet });
    let (unknown, _) = zalo(r#"{"error":"-118","message":"Zalo account not existed","data":null}"#).await;
    let refused = unknown.text_to_user("t", "1", "x", None).await.unwrap_err();
    assert_eq!(refused, Refused::Code { number: -118, class: Class::Recipient, quiet: None });
    for nonsense in ["<html>", "{}", r#"{"data":{}}"#] {
        let (zalo, _) = zalo(nonsense).await;
        assert_eq!(zalo.text_to_user("t", "1", "x", None).await.unwrap_err(), Refused::Lost, "{nonsense}");
    }
    let (dead, _) = zalo(r#"{"error":-14014,"error_name":"Invalid refresh token."}"#).await;
    assert!(matches!(dead.refresh("R1").await, Err(Refused::Code { number: -14014, .. })));
}
