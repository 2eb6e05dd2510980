//! What is counted. Alone in its process: a function counts for one invocation at a time.

use aws_lambda_events::sqs::SqsEvent;
use loyalty_contract::identity::MemberKey;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_runtime::metrics::{self, Metric, Tally};
use loyalty_store::engine::Engine;
use order_changed::OrderChanged;
use serde_json::{Value, json};

fn order(id: &str, updated_at: &str) -> String {
    json!({"kind": "order", "order": {
        "source": "standard", "order_id": id, "placed_at": "2026-11-23T01:00:00Z", "updated_at": updated_at,
        "status": "delivered", "payment_status": "paid", "currency": "VND",
        "due_minor": 530_000, "shipping_minor": 30_000, "refunded_minor": 0,
        "customer": {"phone": "84901234567", "name": "Nguyễn Văn An"}}})
    .to_string()
}

fn batch(bodies: &[String]) -> SqsEvent {
    let message = |(at, body): (usize, &String)| -> Value {
        json!({"messageId": format!("message-{at}"), "body": body, "attributes": {"SentTimestamp": "1795396507000"}})
    };
    let records: Vec<_> = bodies.iter().enumerate().map(message).collect();
    serde_json::from_value(json!({"Records": records})).unwrap()
}

#[tokio::test]
async fn orders_that_say_something_new_are_counted_once() {
    let programmes = ProgrammeFile::parse(include_str!("../../../infra/programmes/cnv-retail.toml")).unwrap();
    let key = MemberKey::new("an installation's key of 32 bytes").unwrap();
    let function = OrderChanged { books: Engine::new().books(), programmes, key };
    let (first, later, earlier) = ("2026-11-23T01:15:00Z", "2026-11-23T01:16:00Z", "2026-11-23T01:14:00Z");
    function.answer(batch(&[order("1", first), order("2", first), "no order".to_owned()])).await;
    let mut expected = Tally::default();
    expected.add(Metric::OrdersIn, 2);
    assert_eq!(metrics::take(), expected);
    function.answer(batch(&[order("1", first), order("1", earlier), order("2", later)])).await;
    assert_eq!(metrics::take().of(Metric::OrdersIn), 1, "neither the same again nor an older one");
    assert_eq!(metrics::take(), Tally::default());
}
