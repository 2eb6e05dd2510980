//! The real SQS client against a stand-in on this machine: the answer is 2xx only when everything is stored.

use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use loyalty_contract::queue::{QueueMessage, Source};
use serde_json::{Value, json};

use super::*;
use crate::config::Queues;
use crate::queue::Queue;

/// How the stand-in behaves.
#[derive(Clone, Copy, PartialEq)]
pub enum Mood {
    Takes,
    /// Refuses the last entry of each call.
    TakesAllButOne,
    Fails,
}

#[derive(Clone)]
struct Sqs {
    mood: Mood,
    /// Address and message of everything that was sent.
    seen: Arc<Mutex<Vec<(String, String)>>>,
}

async fn take(State(sqs): State<Sqs>, body: String) -> Response {
    let call: Value = serde_json::from_str(&body).expect("the AWS JSON protocol");
    let url = call["QueueUrl"].as_str().expect("a queue").to_owned();
    let entries = call["Entries"].as_array().expect("a batch");
    assert!((1..=10).contains(&entries.len()));
    let taken = match sqs.mood {
        Mood::Takes => entries.len(),
        Mood::TakesAllButOne => entries.len() - 1,
        Mood::Fails => return (axum::http::StatusCode::INTERNAL_SERVER_ERROR, "{}").into_response(),
    };
    let mut seen = sqs.seen.lock().unwrap();
    seen.extend(entries[..taken].iter().map(|e| (url.clone(), e["MessageBody"].as_str().expect("text").to_owned())));
    let successful: Vec<Value> =
        entries[..taken].iter().map(|e| json!({"Id": e["Id"], "MessageId": "m", "MD5OfMessageBody": "0"})).collect();
    let failed: Vec<Value> = entries[taken..]
        .iter()
        .map(|e| json!({"Id": e["Id"], "Code": "InternalError", "SenderFault": false, "Message": "try again"}))
        .collect();
    let answer = json!({"Successful": successful, "Failed": failed}).to_string();
    ([("content-type", "application/x-amz-json-1.0")], answer).into_response()
}

/// What is answered to a delivery, and which orders lie in the queues then.
async fn deliver(mood: Mood, post: &Post) -> (ApiGatewayV2httpResponse, Vec<(String, QueueMessage)>) {
    let (response, queued) = deliver_to(&door(), mood, post).await;
    let message = |(url, body): (String, String)| (url, serde_json::from_str(&body).expect("a message"));
    (response, queued.into_iter().map(message).collect())
}

/// What is answered to a delivery, and what lies in the queues then.
pub async fn deliver_to(door: &Door, mood: Mood, post: &Post) -> (ApiGatewayV2httpResponse, Vec<(String, String)>) {
    let sqs = Sqs { mood, seen: Arc::default() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let app = axum::Router::new().fallback(take).with_state(sqs.clone());
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("ap-southeast-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("local", "local", None, None, "tests")))
        .endpoint_url(&endpoint)
        .retry_config(RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let queues = Queues {
        orders: "http://queue/orders".into(),
        dead_letters: "http://queue/dead".into(),
        events: "http://queue/events".into(),
    };
    let queue = Queue::new(&sdk, queues);
    let response = crate::handle(door, &queue, post.event("POST", false, &json!({}))).await.expect("an answer");
    server.abort();
    let seen = std::mem::take(&mut *sqs.seen.lock().unwrap());
    (response, seen)
}

#[tokio::test]
async fn an_order_lies_in_the_queue_when_the_shop_is_thanked() {
    let (response, queued) =
        deliver(Mood::Takes, &Post::signed(Source::Standard, body(Source::Standard).to_string())).await;
    assert_eq!(response.status_code, 202);
    assert_eq!(response.headers["content-type"], "application/json");
    let [(url, QueueMessage::Order { order })] = &queued[..] else { panic!("{queued:?}") };
    assert_eq!((url.as_str(), order.full_order_id().as_str()), ("http://queue/orders", "standard:DH-1"));
}

#[tokio::test]
async fn many_invoices_are_many_messages_and_bad_ones_lie_aside() {
    let mut call = body(Source::KiotViet);
    let invoice = call["Notifications"][0]["Data"][0].clone();
    let data: Vec<Value> = (1..=23)
        .map(|id| {
            let mut invoice = invoice.clone();
            invoice["Id"] = json!(id);
            invoice
        })
        .chain([json!({"Id": 99})])
        .collect();
    call["Notifications"][0]["Data"] = json!(data);
    let (response, queued) = deliver(Mood::Takes, &Post::signed(Source::KiotViet, call.to_string())).await;
    assert_eq!(response.status_code, 200);
    assert_eq!(response.body, Some(Body::Text(r#"{"ignored":[],"queued":23,"set_aside":1}"#.into())));
    let aside: Vec<_> = queued.iter().filter(|(_, m)| matches!(m, QueueMessage::Quarantined(_))).collect();
    assert_eq!((queued.len(), aside.len(), aside[0].0.as_str()), (24, 1, "http://queue/dead"));
    assert!(queued[..23].iter().all(|(url, _)| url == "http://queue/orders"));
}

#[tokio::test]
async fn what_is_not_stored_is_to_be_sent_again() {
    for mood in [Mood::Fails, Mood::TakesAllButOne] {
        for source in Source::ALL {
            let (response, _) = deliver(mood, &Post::signed(source, body(source).to_string())).await;
            assert_eq!(response.status_code, 503, "{source}");
            assert_eq!(response.headers["content-type"], "application/problem+json");
            assert_eq!(response.headers["retry-after"], "30");
        }
    }
}

#[tokio::test]
async fn a_refused_delivery_never_reaches_the_queue() {
    let (response, queued) =
        deliver(Mood::Takes, &Post::unsigned(Source::Shopify, body(Source::Shopify).to_string())).await;
    assert_eq!((response.status_code, queued.len()), (401, 0));
}
