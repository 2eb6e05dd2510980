//! Queue semantics: delay, batches, partial failures, redrive, replay.

use serde_json::json;

use crate::fixture::Fixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_handled_once_and_deleted() {
    let fixture = Fixture::start().await;
    let bodies: Vec<String> = (0..50).map(|number| format!("ok {number}")).collect();
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    fixture.send(&bodies).await;
    fixture.drain().await;
    let mut seen = fixture.orders("worker");
    seen.sort();
    let mut expected: Vec<String> = bodies.iter().map(|body| (*body).to_owned()).collect();
    expected.sort();
    assert_eq!(seen, expected);
    let counts = fixture.stack.running().store.counts()["loyalty-Work"].clone();
    assert_eq!((counts.sent, counts.deleted, counts.present), (50, 50, 0));
    fixture.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_failed_part_of_a_batch_comes_back_and_ends_in_the_dead_letters() {
    let fixture = Fixture::start().await;
    let ids = fixture.send(&["ok 1", "fail 2", "ok 3"]).await;
    fixture.drain().await;
    let seen = fixture.orders("worker");
    let times = |order: &str| seen.iter().filter(|one| *one == order).count();
    assert_eq!((times("ok 1"), times("fail 2"), times("ok 3")), (1, 3, 1), "{seen:?}");
    let letters = fixture.stack.running().dead_letters().await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((&letters[0].message_id, letters[0].body.as_str()), (&ids[1], "fail 2"));

    let replayed = fixture.stack.running().replay(Some(&ids[1])).await.unwrap();
    assert_eq!(replayed, 1);
    fixture.drain().await;
    let seen = fixture.orders("worker");
    assert_eq!(seen.iter().filter(|one| *one == "fail 2").count(), 6, "{seen:?}");
    fixture.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_crashes_or_hangs_fails_its_batch_and_is_replaced() {
    let fixture = Fixture::start().await;
    fixture.send(&["crash"]).await;
    fixture.drain().await;
    fixture.send(&["sleep"]).await;
    fixture.drain().await;
    fixture.send(&["ok after"]).await;
    fixture.drain().await;
    let seen = fixture.orders("worker");
    let times = |order: &str| seen.iter().filter(|one| *one == order).count();
    assert_eq!((times("crash"), times("sleep"), times("ok after")), (3, 3, 1), "{seen:?}");
    let counts = fixture.stack.running().functions["worker"].counts();
    assert_eq!(counts.timeouts, 3);
    assert_eq!(fixture.stack.running().dead_letters().await.unwrap().len(), 2);
    fixture.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delayed_messages_wait_for_the_stacks_clock() {
    let fixture = Fixture::start_with(|options| options.settle_seconds = Some(600)).await;
    let running = fixture.stack.running();
    fixture.send(&["ok"]).await;
    let sent_ms = running.clock.now_ms();
    let url = json!({"QueueUrl": "local/loyalty-Work"});
    let attributes = fixture.aws("AmazonSQS.GetQueueAttributes", &url).await;
    assert_eq!(attributes["Attributes"]["ApproximateNumberOfMessagesDelayed"], "1");
    assert_eq!(fixture.orders("worker"), [""; 0]);

    running.advance(running.clock.now_ms() + 700_000).await.unwrap();
    assert_eq!(fixture.orders("worker"), ["ok"]);
    let record = &fixture.seen("worker")[0]["record"];
    let stamped: i64 = record["attributes"]["SentTimestamp"].as_str().unwrap().parse().unwrap();
    assert!((stamped - sent_ms).abs() < 60_000, "the message keeps its sending time");
    fixture.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_endpoint_speaks_sqs() {
    let fixture = Fixture::start().await;
    let dead = json!({"QueueUrl": "local/loyalty-WorkDead", "MessageBody": "hello"});
    let sent = fixture.aws("AmazonSQS.SendMessage", &dead).await;
    assert_eq!(sent["MD5OfMessageBody"], "5d41402abc4b2a76b9719d911017c592");
    let url = json!({"QueueUrl": "local/loyalty-WorkDead"});
    let received = fixture.aws("AmazonSQS.ReceiveMessage", &url).await;
    let message = &received["Messages"][0];
    assert_eq!((&message["Body"], &message["MessageId"]), (&json!("hello"), &sent["MessageId"]));
    let again = fixture.aws("AmazonSQS.ReceiveMessage", &url).await;
    assert_eq!(again["Messages"], json!([]), "in flight until its visibility timeout");
    let delete = json!({"QueueUrl": "local/loyalty-WorkDead", "ReceiptHandle": message["ReceiptHandle"]});
    fixture.aws("AmazonSQS.DeleteMessage", &delete).await;
    assert_eq!(fixture.stack.running().store.present("loyalty-WorkDead"), Some(0));

    let missing = fixture.aws("AmazonSQS.SendMessage", &json!({"QueueUrl": "x/none", "MessageBody": "a"})).await;
    assert_eq!(missing["__type"], "com.amazonaws.sqs#QueueDoesNotExist");
    fixture.stack.stop().await;
}
