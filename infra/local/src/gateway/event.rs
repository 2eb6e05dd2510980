//! The event of API Gateway's payload format 2.0, and the answer to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::routes::{Matched, decode};
use crate::clock;
use crate::template::ACCOUNT;

/// The event a function gets for a request, as JSON.
pub fn request(matched: &Matched, head: &Parts, body: &[u8], client: SocketAddr, now_ms: i64) -> Vec<u8> {
    let path = head.uri.path();
    let query = head.uri.query().unwrap_or_default();
    let host = text(&head.headers, header::HOST.as_str());
    let mut event = json!({
        "version": "2.0",
        "routeKey": matched.key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers(&head.headers, client),
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": host,
            "domainPrefix": host.split('.').next(),
            "http": {
                "method": head.method.as_str(),
                "path": path,
                "protocol": format!("{:?}", head.version),
                "sourceIp": client.ip().to_string(),
                "userAgent": text(&head.headers, "user-agent"),
            },
            "requestId": crate::queue::message_id(),
            "routeKey": matched.key,
            "stage": "$default",
            "time": clock::instant(now_ms).format("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "timeEpoch": now_ms,
        },
        "isBase64Encoded": false,
    });
    if !matched.parameters.is_empty() {
        event["pathParameters"] = json!(matched.parameters);
    }
    let parameters = query_parameters(query);
    if !parameters.is_empty() {
        event["queryStringParameters"] = json!(parameters);
    }
    let cookies = cookies(&head.headers);
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    if !body.is_empty() {
        let (body, encoded) = encode(&head.headers, body);
        event["body"] = Value::String(body);
        event["isBase64Encoded"] = Value::Bool(encoded);
    }
    event.to_string().into_bytes()
}

/// API Gateway hands text on as it is and everything else in base64.
fn encode(headers: &HeaderMap, body: &[u8]) -> (String, bool) {
    let content_type = text(headers, "content-type").to_ascii_lowercase();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let is_text = media_type.starts_with("text/")
        || matches!(media_type, "application/json" | "application/javascript" | "application/xml");
    match std::str::from_utf8(body) {
        Ok(body) if is_text => (body.to_owned(), false),
        _ => (STANDARD.encode(body), true),
    }
}

fn headers(headers: &HeaderMap, client: SocketAddr) -> Map<String, Value> {
    let mut joined: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in headers {
        if name == header::COOKIE {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        joined
            .entry(name.as_str())
            .and_modify(|all| {
                all.push(',');
                all.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    joined.entry("x-forwarded-for").or_insert_with(|| client.ip().to_string());
    joined.entry("x-forwarded-proto").or_insert_with(|| "http".to_owned());
    joined.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect()
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split("; "))
        .map(str::to_owned)
        .collect()
}

fn query_parameters(query: &str) -> BTreeMap<String, String> {
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(&name.replace('+', " "));
        let value = decode(&value.replace('+', " "));
        parameters
            .entry(name)
            .and_modify(|all| {
                all.push(',');
                all.push_str(&value);
            })
            .or_insert(value);
    }
    parameters
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The HTTP response a function's answer stands for; `None` when it stands for none.
pub fn response(answer: &[u8]) -> Option<Response> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let Some(status) = answer.get("statusCode") else {
        // Format 2.0: an answer without a status is the JSON body of a 200.
        return Response::builder()
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(answer.to_string()))
            .ok();
    };
    let status = status.as_u64().and_then(|code| u16::try_from(code).ok())?;
    let mut response = Response::new(Body::from(answer_body(&answer)?));
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    let single = answer["headers"].as_object().into_iter().flatten();
    let single = single.map(|(name, value)| (name.as_str(), value));
    let many = answer["multiValueHeaders"].as_object().into_iter().flatten();
    let many = many.flat_map(|(name, values)| {
        let values = values.as_array().into_iter().flatten();
        values.map(|value| (name.as_str(), value))
    });
    let cookies = answer["cookies"].as_array().into_iter().flatten();
    let cookies = cookies.map(|value| ("set-cookie", value));
    for (name, value) in single.chain(many).chain(cookies) {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let value = match value {
            Value::String(text) => HeaderValue::from_str(text).ok()?,
            other => HeaderValue::from_str(&other.to_string()).ok()?,
        };
        if name != header::CONTENT_LENGTH {
            response.headers_mut().append(name, value);
        }
    }
    response.headers_mut().entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("text/plain;charset=UTF-8"));
    Some(response)
}

fn answer_body(answer: &Value) -> Option<Vec<u8>> {
    match &answer["body"] {
        Value::String(body) if answer["isBase64Encoded"] == true => STANDARD.decode(body).ok(),
        Value::String(body) => Some(body.clone().into_bytes()),
        Value::Null => Some(Vec::new()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn event(request: Request<()>, body: &[u8]) -> Value {
        let (head, ()) = request.into_parts();
        let matched = Matched {
            key: "POST /webhooks/{source}".to_owned(),
            function: "webhook".to_owned(),
            parameters: BTreeMap::from([("source".to_owned(), "shopify".to_owned())]),
        };
        let client = "127.0.0.1:5".parse().unwrap();
        serde_json::from_slice(&super::request(&matched, &head, body, client, 1_587_481_701_067)).unwrap()
    }

    #[test]
    fn the_event_looks_like_the_gateways() {
        let request = Request::post("/webhooks/shopify?a=1&a=2&b=%C3%A9")
            .header("X-Topic", "orders/paid")
            .header("X-Topic", "again")
            .header("Cookie", "k=v; l=w")
            .header("content-type", "application/json; charset=utf-8")
            .body(())
            .unwrap();
        let event = event(request, b"{\"a\":1}");
        assert_eq!(event["headers"]["x-topic"], "orders/paid,again");
        assert_eq!(event["headers"].get("cookie"), None);
        assert_eq!(event["cookies"], json!(["k=v", "l=w"]));
        assert_eq!(event["queryStringParameters"], json!({"a": "1,2", "b": "é"}));
        assert_eq!(event["pathParameters"]["source"], "shopify");
        assert_eq!(event["body"], "{\"a\":1}");
        assert_eq!(event["isBase64Encoded"], false);
        assert_eq!(event["requestContext"]["timeEpoch"], 1_587_481_701_067_i64);
        assert_eq!(event["requestContext"]["time"], "21/Apr/2020:15:08:21 +0000");
        assert_eq!(event["requestContext"]["http"]["method"], "POST");
    }

    #[test]
    fn a_body_that_is_not_text_is_in_base64() {
        let form = Request::post("/").header("content-type", "application/x-www-form-urlencoded").body(()).unwrap();
        let form = event(form, b"a=1");
        assert_eq!(form["isBase64Encoded"], true);
        assert_eq!(form["body"], STANDARD.encode("a=1"));
        let broken = Request::post("/").header("content-type", "application/json").body(()).unwrap();
        assert_eq!(event(broken, b"\xff")["isBase64Encoded"], true);
    }

    #[test]
    fn answers_become_responses() {
        let answer = json!({"statusCode": 201, "headers": {"Content-Type": "text/html"},
            "cookies": ["a=b"], "body": "aGk=", "isBase64Encoded": true});
        let answer = response(answer.to_string().as_bytes()).unwrap();
        assert_eq!(answer.status(), 201);
        assert_eq!(answer.headers()["content-type"], "text/html");
        assert_eq!(answer.headers()["set-cookie"], "a=b");
        assert_eq!(response(b"{\"ok\":true}").unwrap().status(), 200);
        assert!(response(b"{\"statusCode\":\"x\"}").is_none());
    }
}
