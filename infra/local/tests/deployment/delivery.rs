//! Nothing accepted is lost: every asynchronous resource says how often, for how long and where to in the end.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{document, events, functions, named, names, none, resources, with, without};

const DAYS_14: u64 = 14 * 86_400;
const RECEIVES_MAX: u64 = 5;
/// A stream keeps a record for 24 hours.
const STREAM_AGE_MAX: u64 = 86_399;
const STREAM_RETRIES: u64 = 10;

const QUEUE: &str = "AWS::SQS::Queue";

/// What is missing or wrong.
fn problems(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    queues(document, &mut found);
    queue_sources(document, &mut found);
    streams(document, &mut found);
    for kind in ["EventBridgeRule", "ScheduleV2"] {
        deliveries(document, kind, &mut found);
    }
    invocations(document, &mut found);
    found
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

/// The queues that something gives up to, with what does.
pub fn dead_letters(document: &Value) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut add = |target: &Value, from: String| {
        if let Some(queue) = named(target) {
            found.entry(queue.to_owned()).or_default().push(from);
        }
    };
    for (id, queue) in resources(document, QUEUE) {
        add(&queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"], id.to_owned());
    }
    for (path, .., stream) in events(document, "DynamoDB") {
        add(&stream["DestinationConfig"]["OnFailure"]["Destination"], path);
    }
    for kind in ["EventBridgeRule", "ScheduleV2"] {
        for (path, .., delivery) in events(document, kind) {
            add(&delivery["DeadLetterConfig"]["Arn"], path);
        }
    }
    for (id, function) in functions(document) {
        add(
            &function["Properties"]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"],
            id.to_owned(),
        );
    }
    found
}

fn queues(document: &Value, found: &mut Vec<String>) {
    let letters = dead_letters(document);
    for (id, queue) in resources(document, QUEUE) {
        let properties = &queue["Properties"];
        for key in ["VisibilityTimeout", "MessageRetentionPeriod"] {
            if properties[key].as_u64().is_none() {
                found.push(format!("{id}.{key} is not set"));
            }
        }
        if properties["SqsManagedSseEnabled"] != true {
            found.push(format!("{id}.SqsManagedSseEnabled is not set"));
        }
        if letters.contains_key(id) {
            if number(&properties["MessageRetentionPeriod"]) != DAYS_14 {
                found.push(format!("{id}.MessageRetentionPeriod keeps dead letters for less than 14 days"));
            }
        } else if number(&properties["RedrivePolicy"]["maxReceiveCount"]) != RECEIVES_MAX
            || named(&properties["RedrivePolicy"]["deadLetterTargetArn"]).is_none()
        {
            found.push(format!("{id}.RedrivePolicy does not give up after {RECEIVES_MAX} receives"));
        }
    }
}

fn partial(path: &str, source: &Value, found: &mut Vec<String>) {
    if source["FunctionResponseTypes"] != json!(["ReportBatchItemFailures"]) {
        found.push(format!("{path}.FunctionResponseTypes: one failure would bring back the whole batch"));
    }
    if source["BatchSize"].as_u64().is_none() {
        found.push(format!("{path}.BatchSize is not set"));
    }
}

fn queue_sources(document: &Value, found: &mut Vec<String>) {
    for (path, (_, function), _, source) in events(document, "SQS") {
        partial(&path, source, found);
        if source["ScalingConfig"]["MaximumConcurrency"].as_u64().is_none() {
            found.push(format!("{path}.ScalingConfig.MaximumConcurrency is not set"));
        }
        let queue = named(&source["Queue"]).unwrap_or_default();
        let visible = number(&document["Resources"][queue]["Properties"]["VisibilityTimeout"]);
        if visible < 6 * number(&function["Properties"]["Timeout"]) {
            found.push(format!("{queue}.VisibilityTimeout is less than six times the timeout of {path}"));
        }
    }
}

fn streams(document: &Value, found: &mut Vec<String>) {
    for (path, .., source) in events(document, "DynamoDB") {
        partial(&path, source, found);
        if source["BisectBatchOnFunctionError"] != true {
            found.push(format!("{path}.BisectBatchOnFunctionError: a bad record would take others with it"));
        }
        if number(&source["MaximumRetryAttempts"]) != STREAM_RETRIES {
            found.push(format!("{path}.MaximumRetryAttempts is not {STREAM_RETRIES}"));
        }
        if !(1..=STREAM_AGE_MAX).contains(&number(&source["MaximumRecordAgeInSeconds"])) {
            found.push(format!("{path}.MaximumRecordAgeInSeconds: records would be lost rather than reported"));
        }
        if source["StartingPosition"] != "TRIM_HORIZON" {
            found.push(format!("{path}.StartingPosition is not TRIM_HORIZON"));
        }
        if source["ParallelizationFactor"].as_u64().is_none() {
            found.push(format!("{path}.ParallelizationFactor is not set"));
        }
        let letters = named(&source["DestinationConfig"]["OnFailure"]["Destination"]).unwrap_or_default();
        match dead_letters(document).get(letters) {
            None => found.push(format!("{path}.DestinationConfig: records that are given up are reported to nobody")),
            Some(from) if from.len() > 1 => found.push(format!("{path}.DestinationConfig shares {letters}: {from:?}")),
            Some(_) => {}
        }
    }
}

fn retries(path: &str, settings: &Value, found: &mut Vec<String>) {
    for key in ["MaximumRetryAttempts", "MaximumEventAgeInSeconds"] {
        if settings[key].as_u64().is_none() {
            found.push(format!("{path}.{key} is not set"));
        }
    }
}

fn deliveries(document: &Value, kind: &str, found: &mut Vec<String>) {
    for (path, (function, _), event_id, delivery) in events(document, kind) {
        retries(&format!("{path}.RetryPolicy"), &delivery["RetryPolicy"], found);
        let Some(letters) = named(&delivery["DeadLetterConfig"]["Arn"]) else {
            found.push(format!("{path}.DeadLetterConfig is not set"));
            continue;
        };
        let needed: &[&str] = if kind == "ScheduleV2" {
            &["Name", "GroupName", "RoleArn", "ScheduleExpressionTimezone", "Input"]
        } else {
            &[]
        };
        for key in needed {
            if delivery[*key].is_null() {
                found.push(format!("{path}.{key} is not set"));
            }
        }
        if kind == "EventBridgeRule" && !rule_may_write(document, letters, &format!("{function}{event_id}")) {
            found.push(format!("{path}.DeadLetterConfig: no policy lets this rule write to {letters}"));
        }
    }
}

/// EventBridge writes dead letters without a role: the queue's own policy lets it. `rule` is the id that SAM gives it.
fn rule_may_write(document: &Value, letters: &str, rule: &str) -> bool {
    let lets = |policy: &Value| {
        let of_queue = policy["Queues"].as_array().into_iter().flatten().any(|queue| named(queue) == Some(letters));
        let statements = policy["PolicyDocument"]["Statement"].as_array();
        of_queue
            && statements.into_iter().flatten().any(|one| {
                one["Effect"] == "Allow"
                    && one["Principal"] == json!({"Service": "events.amazonaws.com"})
                    && one["Action"] == "sqs:SendMessage"
                    && named(&one["Resource"]) == Some(letters)
                    && named(&one["Condition"]["ArnEquals"]["aws:SourceArn"]) == Some(rule)
            })
    };
    resources(document, "AWS::SQS::QueuePolicy").iter().any(|(_, policy)| lets(&policy["Properties"]))
}

/// Rules and schedules invoke and do not wait: what the function then fails at is the function's to keep.
fn invocations(document: &Value, found: &mut Vec<String>) {
    for (id, function) in functions(document) {
        let mut sources = function["Properties"]["Events"].as_object().into_iter().flatten();
        let asynchronous =
            sources.any(|(_, event)| event["Type"] == "EventBridgeRule" || event["Type"] == "ScheduleV2");
        if !asynchronous {
            continue;
        }
        let path = format!("{id}.EventInvokeConfig");
        let config = &function["Properties"]["EventInvokeConfig"];
        retries(&path, config, found);
        let letters = named(&config["DestinationConfig"]["OnFailure"]["Destination"]).unwrap_or_default();
        match dead_letters(document).get(letters) {
            None => found.push(format!("{path}.DestinationConfig: what fails three times is gone")),
            Some(from) if from.len() > 1 => found.push(format!("{path}.DestinationConfig shares {letters}: {from:?}")),
            Some(_) => {}
        }
        let calls = function["Properties"]["Environment"]["Variables"]["ZALO_CALLS_PER_MINUTE"].as_str();
        let calls: u64 = calls.and_then(|calls| calls.parse().ok()).unwrap_or_default();
        let at_once = number(&function["Properties"]["ReservedConcurrentExecutions"]);
        if calls > 0 && !(1..=4_000).contains(&(at_once * calls)) {
            found.push(format!(
                "{id}.ReservedConcurrentExecutions lets all instances make more than 4,000 calls a minute"
            ));
        }
    }
}

#[test]
fn every_asynchronous_resource_says_how_it_delivers() {
    none(&problems(&document()));
}

/// Whatever of these settings is taken away from whatever has it, the check names both.
#[test]
fn an_omission_is_named() {
    let document = document();
    let mut taken = 0;
    let mut take = |pointer: String, expected: String| {
        names(&problems(&without(&document, &pointer)), &expected);
        taken += 1;
    };
    let letters = dead_letters(&document);
    for (id, _) in resources(&document, QUEUE) {
        let mut keys = vec!["VisibilityTimeout", "MessageRetentionPeriod", "SqsManagedSseEnabled"];
        if !letters.contains_key(id) {
            keys.push("RedrivePolicy");
        }
        for key in keys {
            take(format!("/Resources/{id}/Properties/{key}"), format!("{id}.{key}"));
        }
    }
    let of_events: [(&str, &[&str]); 4] = [
        ("SQS", &["FunctionResponseTypes", "BatchSize", "ScalingConfig"]),
        (
            "DynamoDB",
            &[
                "FunctionResponseTypes",
                "BatchSize",
                "BisectBatchOnFunctionError",
                "MaximumRetryAttempts",
                "MaximumRecordAgeInSeconds",
                "StartingPosition",
                "ParallelizationFactor",
                "DestinationConfig",
            ],
        ),
        ("EventBridgeRule", &["RetryPolicy", "DeadLetterConfig"]),
        (
            "ScheduleV2",
            &["RetryPolicy", "DeadLetterConfig", "RoleArn", "GroupName", "ScheduleExpressionTimezone", "Input"],
        ),
    ];
    for (kind, keys) in of_events {
        let of_kind = events(&document, kind);
        assert!(!of_kind.is_empty(), "the template has {kind}");
        for (path, ..) in of_kind {
            for key in keys {
                let pointer = format!("/Resources/{}/Properties/{key}", path.replace('.', "/"));
                take(pointer, format!("{path}.{key}"));
            }
        }
    }
    for (id, function) in functions(&document) {
        if function["Properties"].get("EventInvokeConfig").is_some() {
            take(format!("/Resources/{id}/Properties/EventInvokeConfig"), format!("{id}.EventInvokeConfig"));
        }
    }
    take(
        "/Resources/SendMessages/Properties/ReservedConcurrentExecutions".into(),
        "ReservedConcurrentExecutions".into(),
    );
    take("/Resources/TierEventsDeadLettersPolicy".into(), "no policy lets this rule write".into());
    assert!(taken > 90, "{taken}");
}

#[test]
fn a_setting_that_loses_is_named() {
    let document = document();
    for (pointer, value, expected) in [
        ("/Resources/Orders/Properties/VisibilityTimeout", json!(179), "Orders.VisibilityTimeout"),
        ("/Resources/OrdersDeadLetters/Properties/MessageRetentionPeriod", json!(345_600), "less than 14 days"),
        ("/Resources/Runs/Properties/RedrivePolicy/maxReceiveCount", json!(1), "Runs.RedrivePolicy"),
        (
            "/Resources/LedgerStream/Properties/Events/Entries/Properties/MaximumRecordAgeInSeconds",
            json!(86_400),
            "Entries.MaximumRecordAgeInSeconds",
        ),
        (
            "/Resources/LedgerStream/Properties/Events/Vouchers/Properties/DestinationConfig/OnFailure/Destination",
            json!({"Fn::GetAtt": ["LedgerStreamDeadLetters", "Arn"]}),
            "shares LedgerStreamDeadLetters",
        ),
        ("/Resources/SendMessages/Properties/ReservedConcurrentExecutions", json!(5), "more than 4,000 calls"),
    ] {
        names(&problems(&with(&document, pointer, value)), expected);
    }
}
