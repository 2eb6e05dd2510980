//! The product's own template, and how the reader refuses others.

use std::collections::BTreeMap;
use std::path::Path;

use thang_hang::template::{Locality, Template};

fn locality() -> Locality {
    Locality {
        parameters: BTreeMap::from([("TablePrefix".to_owned(), "loyalty-".to_owned())]),
        mapped: BTreeMap::from([("SettleSeconds".to_owned(), "3".to_owned())]),
        stack_name: "loyalty".to_owned(),
        services_url: "http://127.0.0.1:1".to_owned(),
    }
}

#[test]
fn the_products_template_is_understood() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let template = Template::load(&file, locality()).unwrap_or_else(|error| panic!("{}", error.report()));
    let mut tables: Vec<&str> = template.tables.iter().map(|table| table.name.as_str()).collect();
    tables.sort_unstable();
    assert_eq!(
        tables,
        [
            "loyalty-contacts",
            "loyalty-members",
            "loyalty-messages",
            "loyalty-orders",
            "loyalty-participations",
            "loyalty-points-history",
            "loyalty-requests",
            "loyalty-senders",
            "loyalty-vouchers",
            "loyalty-zalo-users",
        ]
    );
    let orders = template.queues.iter().find(|queue| queue.name == "loyalty-Orders").unwrap();
    assert_eq!(orders.delay_seconds, 3);
    assert_eq!(orders.redrive.as_ref().unwrap().queue, "loyalty-OrdersDeadLetters");
    let webhook = template.functions.iter().find(|one| one.binary == "webhook").unwrap();
    let url = webhook.environment["ORDER_QUEUE_URL"].as_deref().unwrap();
    assert_eq!(url, "http://127.0.0.1:1/000000000000/loyalty-Orders");
    assert_eq!(webhook.environment["WEBHOOK_SECRET_SHOPIFY"], None, "a secret is not resolved");
    let asks = |one: &thang_hang::template::Function| one.environment.get("ACCESS") == Some(&Some("tokens".to_owned()));
    let asking: Vec<_> = template.functions.iter().filter(|one| asks(one)).map(|one| one.binary.as_str()).collect();
    assert_eq!(asking, ["member-api", "member-commands"], "in the cloud they ask for tokens");
    let followed: Vec<&str> = template.stream_sources.iter().map(|source| source.table.as_str()).collect();
    assert_eq!(followed, ["loyalty-points-history", "loyalty-vouchers", "loyalty-messages"]);
    let dead_letters = [
        "EventsDeadLetters",
        "LedgerStreamDeadLetters",
        "MessageStreamDeadLetters",
        "OrdersDeadLetters",
        "RunsDeadLetters",
        "SendsDeadLetters",
        "TierEventsDeadLetters",
        "VerifyNightDeadLetters",
        "VoucherStreamDeadLetters",
    ];
    assert_eq!(template.dead_letter_queues(), dead_letters.map(|name| format!("loyalty-{name}")));
    let mut schedules: Vec<&str> = template.schedules.iter().map(|schedule| schedule.name.as_str()).collect();
    schedules.sort_unstable();
    assert_eq!(schedules, ["daily", "send-due", "verify", "weekly-campaign", "yearly"]);
}

/// Reads a template with one change and returns the refusal.
fn refusal(resources: &str) -> String {
    let error = Template::parse(&format!("Resources:\n{resources}"), locality()).unwrap_err();
    error.report()
}

#[test]
fn what_is_not_understood_is_refused_with_its_path() {
    let cases = [
        ("  Q: {Type: AWS::SQS::Queue, Properties: {FifoQueue: true}}", "Resources.Q.Properties.FifoQueue"),
        ("  B: {Type: AWS::S3::Bucket}", "AWS::S3::Bucket"),
        ("  Q: {Type: AWS::SQS::Queue, Properties: {DelaySeconds: !Ref Missing}}", "Missing"),
        ("  Q: {Type: AWS::SQS::Queue, Properties: {DelaySeconds: soon}}", "Resources.Q.Properties.DelaySeconds"),
        ("  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: !Base64 x}}", "!Base64"),
        ("  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref Q}}", "itself"),
        ("  F: {Type: AWS::Serverless::Function}", "Metadata.BuildProperties.Binary"),
    ];
    for (resources, expected) in cases {
        let refusal = refusal(resources);
        assert!(refusal.contains(expected), "{resources}\n{refusal}");
    }
}

#[test]
fn events_that_are_not_understood_are_refused_with_their_path() {
    let function = |event: &str| {
        format!(
            "  F:\n    Type: AWS::Serverless::Function\n    Metadata: {{BuildProperties: {{Binary: f}}}}\n    \
             Properties: {{Events: {{E: {event}}}}}"
        )
    };
    let s3 = refusal(&function("{Type: S3, Properties: {}}"));
    assert!(s3.contains("Resources.F.Properties.Events.E") && s3.contains("S3"), "{s3}");
    let latest = refusal(&function("{Type: DynamoDB, Properties: {Stream: 'a/b/c', StartingPosition: LATEST}}"));
    assert!(latest.contains("StartingPosition"), "{latest}");
}
