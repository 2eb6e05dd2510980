//! Somebody is told: an alarm for every function, stream and queue of dead letters, and each of them reaches the topic.

use serde_json::{Value, json};

use crate::delivery::dead_letters;
use crate::{document, events, functions, named, names, none, resources, with, without, workspace};

const ALARM: &str = "AWS::CloudWatch::Alarm";

fn problems(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut ask = |namespace: &str, metric: &str, dimension: Value, whom: &str| {
        let watches = |alarm: &Value| {
            alarm["Namespace"] == namespace
                && alarm["MetricName"] == metric
                && alarm["Dimensions"] == json!([dimension])
        };
        if !resources(document, ALARM).iter().any(|(_, alarm)| watches(&alarm["Properties"])) {
            found.push(format!("no alarm watches {metric} of {whom}"));
        }
    };
    for (id, _) in functions(document) {
        for metric in ["Errors", "Throttles"] {
            ask("AWS/Lambda", metric, json!({"Name": "FunctionName", "Value": {"Ref": id}}), id);
        }
    }
    for (_, (id, _), ..) in events(document, "DynamoDB") {
        ask("AWS/Lambda", "IteratorAge", json!({"Name": "FunctionName", "Value": {"Ref": id}}), id);
    }
    for queue in dead_letters(document).keys() {
        let value = json!({"Fn::GetAtt": [queue, "QueueName"]});
        ask("AWS/SQS", "ApproximateNumberOfMessagesVisible", json!({"Name": "QueueName", "Value": value}), queue);
    }
    for (id, alarm) in resources(document, ALARM) {
        let properties = &alarm["Properties"];
        let told = properties["AlarmActions"].as_array().into_iter().flatten().any(|one| named(one) == Some("Alarms"));
        if !told {
            found.push(format!("{id} tells nobody"));
        }
        if properties["AlarmDescription"].as_str().is_none_or(|text| text.len() < 20) {
            found.push(format!("{id} does not say what it means"));
        }
        if properties["TreatMissingData"].is_null() {
            found.push(format!("{id} does not say what no data means"));
        }
    }
    found
}

#[test]
fn whatever_can_fail_has_an_alarm_that_reaches_somebody() {
    none(&problems(&document()));
}

#[test]
fn a_missing_alarm_is_named() {
    let document = document();
    let mut missed = 0;
    for (id, alarm) in resources(&document, ALARM) {
        let watched = named(&alarm["Properties"]["Dimensions"][0]["Value"]).unwrap_or_default();
        let of_all = functions(&document).iter().any(|(function, _)| *function == watched)
            || dead_letters(&document).contains_key(watched);
        if of_all {
            names(&problems(&without(&document, &format!("/Resources/{id}"))), watched);
            missed += 1;
        }
    }
    assert!(missed >= 2 * functions(&document).len() + dead_letters(&document).len(), "{missed}");
    let function = json!({"Type": "AWS::Serverless::Function", "Metadata": {"BuildProperties": {"Binary": "new"}}, "Properties": {}});
    names(&problems(&with(&document, "/Resources/New", function)), "Errors of New");
    let silent = with(&document, "/Resources/WebhookErrors/Properties/AlarmActions", json!([]));
    names(&problems(&silent), "WebhookErrors tells nobody");
}

/// Broken books at once and until they are mended, and a night without a proof.
fn proof_problems(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let alarms = resources(document, ALARM);
    let of_findings: Vec<_> = alarms
        .iter()
        .map(|(_, alarm)| &alarm["Properties"])
        .filter(|alarm| alarm["MetricName"] == "VerifyFindings")
        .collect();
    let rings = |alarm: &Value| alarm["ComparisonOperator"] == "GreaterThanThreshold" && alarm["Threshold"] == 0;
    if !of_findings.iter().any(|alarm| {
        alarm["Statistic"] == "Maximum"
            && rings(alarm)
            && alarm["EvaluationPeriods"] == 1
            && alarm["TreatMissingData"] == "ignore"
    }) {
        found.push("no alarm rings at the first broken row and stays".to_owned());
    }
    let hours =
        |alarm: &Value| alarm["Period"].as_u64().unwrap_or(0) * alarm["DatapointsToAlarm"].as_u64().unwrap_or(0);
    if !of_findings.iter().any(|alarm| {
        alarm["Statistic"] == "SampleCount"
            && alarm["ComparisonOperator"] == "LessThanThreshold"
            && alarm["Threshold"] == 1
            && alarm["TreatMissingData"] == "breaching"
            && (25 * 3_600..=48 * 3_600).contains(&hours(alarm))
            && alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"]
    }) {
        found.push("no alarm rings after a day without a proof".to_owned());
    }
    let errors = alarms
        .iter()
        .map(|(_, alarm)| &alarm["Properties"])
        .find(|alarm| alarm["MetricName"] == "Errors" && named(&alarm["Dimensions"][0]["Value"]) == Some("Verify"));
    if !errors.is_some_and(|alarm| rings(alarm) && alarm["DatapointsToAlarm"] == 1) {
        found.push("one failure of a night's proof does not ring".to_owned());
    }
    found
}

#[test]
fn a_proof_that_finds_something_fails_or_is_not_made_rings() {
    let document = document();
    none(&proof_problems(&document));
    for (pointer, value, expected) in [
        ("BooksBroken/Properties/TreatMissingData", json!("notBreaching"), "stays"),
        ("BooksBroken/Properties/Threshold", json!(1), "first broken row"),
        ("BooksNotProved/Properties/TreatMissingData", json!("missing"), "a day without"),
        ("BooksNotProved/Properties/EvaluationPeriods", json!(25), "a day without"),
        ("BooksNotProved/Properties/Period", json!(60), "a day without"),
        ("VerifyErrors/Properties/DatapointsToAlarm", json!(2), "one failure"),
    ] {
        names(&proof_problems(&with(&document, &format!("/Resources/{pointer}"), value)), expected);
    }
}

/// Filters look for a word of the log: the code has to write it, and the alarm has to count it.
#[test]
fn what_the_log_is_searched_for_is_written_there() {
    let document = document();
    let word = |filter: &str| {
        let pattern = document["Resources"][filter]["Properties"]["FilterPattern"].as_str().expect("a pattern");
        let (_, word) = pattern.split_once(r#"$.alarm = ""#).expect("a field");
        word.split('"').next().expect("a word").to_owned()
    };
    let code = |path: &str| std::fs::read_to_string(workspace().join("functions").join(path)).expect("readable");
    let token = code("send-messages/src/token.rs");
    assert!(token.contains(&format!(r#"ALARM: &str = "{}";"#, word("ZaloPausedLines"))));
    assert_eq!(token.matches("alarm = ALARM").count(), 2, "both when it pauses and when it stops");
    assert_eq!(code("send-messages/src/send.rs").matches("alarm = ALARM").count(), 1, "when nobody answers");
    let (door, zalo) = (code("webhook/src/door.rs"), code("webhook/src/zalo.rs"));
    assert!(door.contains(&format!(r#"then_some("{}")"#, word("NotBelievedLines"))));
    for way in [door, zalo] {
        assert_eq!(way.matches("alarm = alarm(refusal)").count(), 1, "whoever is not believed");
    }
    for (_, filter) in resources(&document, "AWS::Logs::MetricFilter") {
        let metric = &filter["Properties"]["MetricTransformations"][0]["MetricName"];
        let counted = resources(&document, ALARM).iter().any(|(_, alarm)| alarm["Properties"]["MetricName"] == *metric);
        assert!(counted, "nobody is told of {metric}");
    }
}
