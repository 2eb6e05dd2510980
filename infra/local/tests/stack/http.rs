//! The HTTP door and the bus.

use serde_json::{Value, json};

use crate::fixture::Fixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_reaches_the_function_with_the_stacks_time() {
    let fixture = Fixture::start().await;
    let running = fixture.stack.running();
    running.clock.set_ms(1_700_000_000_000);
    let response = fixture
        .client
        .post(format!("{}/web/ok?a=b", running.url()))
        .header("X-Custom", "Value")
        .header("content-type", "application/json")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let event: Value = response.json().await.unwrap();
    assert_eq!(event["rawPath"], "/web/ok");
    assert_eq!(event["headers"]["x-custom"], "Value");
    assert_eq!(event["routeKey"], "ANY /web/{order}");
    let time = event["requestContext"]["timeEpoch"].as_i64().unwrap();
    assert!((1_700_000_000_000..1_700_000_060_000).contains(&time), "{time}");
    fixture.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_problems_a_person_can_read() {
    let fixture = Fixture::start().await;
    let url = fixture.stack.running().url();
    for (path, status) in [("/nowhere", 404), ("/web/error", 502), ("/web/crash", 502), ("/web/sleep", 504)] {
        let response = fixture.client.get(format!("{url}{path}")).send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["status"], status, "{path}");
        assert!(problem["detail"].as_str().is_some_and(|text| !text.is_empty()));
    }
    let large = fixture.client.post(format!("{url}/web/ok")).body(vec![b'a'; 11 * 1024 * 1024]);
    assert_eq!(large.send().await.unwrap().status(), 413);
    let fine = fixture.client.get(format!("{url}/web/ok")).send().await.unwrap();
    assert_eq!(fine.status(), 200, "and it goes on");
    fixture.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_controls_answer_only_to_loopback_names() {
    let fixture = Fixture::start().await;
    let url = format!("{}/_local/health", fixture.stack.running().url());
    let direct = fixture.client.get(&url).send().await.unwrap();
    assert_eq!(direct.status(), 200);
    let tunnel = fixture.client.get(&url).header("host", "shop.example.com").send().await.unwrap();
    assert_eq!(tunnel.status(), 403);
    fixture.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bus_delivers_what_a_rule_wants_and_counts_what_it_refuses() {
    let fixture = Fixture::start().await;
    let entry = |kind: &str, detail: &str| json!({"EventBusName": "fixture-bus", "Source": "loyalty", "DetailType": kind, "Detail": detail});
    let request = json!({"Entries": [
        entry("PointsPosted", "{\"points\":1}"),
        entry("TierChanged", "{}"),
        entry("PointsPosted", "not json"),
    ]});
    let answer = fixture.aws("AWSEvents.PutEvents", &request).await;
    assert_eq!(answer["FailedEntryCount"], 1);
    assert_eq!(answer["Entries"][2]["ErrorCode"], "MalformedDetail");
    fixture.drain().await;
    let seen = fixture.seen("listener");
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0]["event"]["detail"], json!({"points": 1}));
    assert_eq!(fixture.stack.running().bus.recent(10).len(), 2);
    fixture.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_this_machine_alone_may_call_and_only_as_the_template_says() {
    let fixture = Fixture::start().await;
    let url = format!("{}/web/ok", fixture.stack.running().url());
    let asked = async |origin: &str| {
        let question = fixture.client.request(reqwest::Method::OPTIONS, &url).header("origin", origin);
        let answer = question.header("access-control-request-method", "GET").send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        (
            answer.status().as_u16(),
            header("access-control-allow-origin"),
            header("access-control-allow-headers"),
            header("access-control-allow-methods"),
        )
    };
    let page = "http://localhost:5173";
    let allowed = (200, Some(page.to_owned()), Some("idempotency-key".to_owned()), Some("GET".to_owned()));
    assert_eq!(asked(page).await, allowed);
    for stranger in ["https://shop.example.com", "http://localhost.example.com", "null"] {
        assert_eq!(asked(stranger).await.1, None, "{stranger}");
    }
    let answer = fixture.client.get(&url).header("origin", page).send().await.unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], page);
    fixture.stack.stop().await;
}
