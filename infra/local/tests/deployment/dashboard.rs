//! What an operator looks at is there: every metric of a dashboard or an alarm is one that the code writes or AWS itself,
//! and a dashboard is JSON once CloudFormation has put the names in.

use std::collections::{BTreeMap, BTreeSet};

use loyalty_metrics::{METRICS_NAMESPACE, Metric, TIER};
use serde_json::{Value, json};
use thang_hang::cost::{Prices, Stack};

use crate::delivery::dead_letters;
use crate::{document, functions, named, names, none, resources, with, without, workspace};

const DASHBOARD: &str = "AWS::CloudWatch::Dashboard";
const ALARM: &str = "AWS::CloudWatch::Alarm";
const FILTER: &str = "AWS::Logs::MetricFilter";
const OURS: &str = "AWS::StackName";

/// AWS's own metrics that are looked at, each with its dimensions.
const OF_AWS: [(&str, &str, &[&str]); 13] = [
    ("AWS/ApiGateway", "5xx", &["ApiId"]),
    ("AWS/ApiGateway", "4xx", &["ApiId"]),
    ("AWS/ApiGateway", "Count", &["ApiId"]),
    ("AWS/DynamoDB", "ConsumedReadCapacityUnits", &["TableName"]),
    ("AWS/DynamoDB", "ConsumedWriteCapacityUnits", &["TableName"]),
    ("AWS/DynamoDB", "ConsumedWriteCapacityUnits", &["TableName", "GlobalSecondaryIndexName"]),
    ("AWS/Lambda", "Duration", &["FunctionName"]),
    ("AWS/Lambda", "Errors", &["FunctionName"]),
    ("AWS/Lambda", "Invocations", &["FunctionName"]),
    ("AWS/Lambda", "IteratorAge", &["FunctionName"]),
    ("AWS/Lambda", "Throttles", &["FunctionName"]),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage", &["QueueName"]),
    ("AWS/SQS", "NumberOfMessagesSent", &["QueueName"]),
];
const WAITING: (&str, &str, &[&str]) = ("AWS/SQS", "ApproximateNumberOfMessagesVisible", &["QueueName"]);

/// AWS gives three dashboards of so many metrics for nothing.
const METRICS_MAX: usize = 50;

/// A metric as it is named: namespace, name, dimensions with what they stand for.
type Named = (String, String, Vec<(String, String)>);

struct Board {
    id: String,
    body: Value,
    metrics: Vec<Named>,
}

/// Puts in what `${…}` stands for, each as itself between `<` and `>`; says what the template does not have.
fn substituted(document: &Value, text: &str, found: &mut Vec<String>) -> String {
    let (mut put_in, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        put_in.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            found.push(format!("${{ without }} before {after:.40}"));
            return put_in;
        };
        if let Some(literal) = name.strip_prefix('!') {
            put_in.push_str(&format!("${{{literal}}}"));
        } else {
            let id = name.split('.').next().unwrap_or_default();
            let known = name.starts_with("AWS::")
                || !document["Resources"][id].is_null()
                || !document["Parameters"][id].is_null();
            if !known {
                found.push(format!("there is no {name} in the template"));
            }
            let number = document["Parameters"][name]["Default"].as_u64().map(|number| number.to_string());
            put_in.push_str(&number.unwrap_or_else(|| format!("<{name}>")));
        }
        rest = after;
    }
    put_in.push_str(rest);
    put_in
}

fn boards(document: &Value, found: &mut Vec<String>) -> Vec<Board> {
    let mut boards = Vec::new();
    for (id, dashboard) in resources(document, DASHBOARD) {
        let text = dashboard["Properties"]["DashboardBody"]["Fn::Sub"].as_str().unwrap_or_default();
        let text = substituted(document, text, found);
        match serde_json::from_str::<Value>(&text) {
            Ok(body) => {
                let metrics = body["widgets"].as_array().into_iter().flatten().flat_map(of_widget).collect();
                boards.push(Board { id: id.to_owned(), body, metrics });
            }
            Err(error) => found.push(format!("{id} is no JSON: {error}")),
        }
    }
    boards
}

fn rows(widget: &Value) -> impl Iterator<Item = &Vec<Value>> {
    widget["properties"]["metrics"].as_array().into_iter().flatten().filter_map(Value::as_array)
}

fn of_widget(widget: &Value) -> Vec<Named> {
    let texts = |row: &Vec<Value>| row.iter().filter_map(Value::as_str).map(unwrapped).collect::<Vec<_>>();
    let mut named = Vec::new();
    for row in rows(widget) {
        let texts = texts(row);
        if let [namespace, name, dimensions @ ..] = texts.as_slice() {
            let pairs = dimensions.chunks(2).map(|pair| (pair[0].clone(), pair.get(1).cloned().unwrap_or_default()));
            named.push((namespace.clone(), name.clone(), pairs.collect()));
        }
        // A search names a metric of ours, too.
        for expression in row.iter().filter_map(|part| part["expression"].as_str()) {
            if let Some((schema, of)) = expression.split_once("MetricName=\"") {
                let name = of.split('"').next().unwrap_or_default().to_owned();
                let namespace = if schema.contains("<AWS::StackName>") { OURS } else { "?" };
                let dimensions = if schema.contains(&format!(",{TIER}}}")) {
                    vec![(TIER.to_owned(), "*".to_owned())]
                } else {
                    vec![]
                };
                named.push((namespace.to_owned(), name, dimensions));
            }
        }
    }
    named
}

/// `<Orders.QueueName>` is `Orders`.
fn unwrapped(text: &str) -> String {
    let inside = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    inside.map_or(text, |name| name.split('.').next().unwrap_or_default()).to_owned()
}

fn of_alarms(document: &Value) -> Vec<(String, Named)> {
    let of = |(id, alarm): (&str, &Value)| {
        let properties = &alarm["Properties"];
        let namespace =
            properties["Namespace"].as_str().or(properties["Namespace"]["Ref"].as_str()).unwrap_or_default();
        let name = properties["MetricName"].as_str().unwrap_or_default().to_owned();
        let dimensions = properties["Dimensions"].as_array().into_iter().flatten().map(|dimension| {
            let value = named(&dimension["Value"]).unwrap_or_default().to_owned();
            (dimension["Name"].as_str().unwrap_or_default().to_owned(), value)
        });
        (id.to_owned(), (namespace.to_owned(), name, dimensions.collect()))
    };
    resources(document, ALARM).into_iter().map(of).collect()
}

/// Whether somebody writes the metric.
fn written(document: &Value, (namespace, name, dimensions): &Named) -> bool {
    let keys: Vec<_> = dimensions.iter().map(|(key, _)| key.as_str()).collect();
    if namespace == OURS {
        let filters = resources(document, FILTER);
        let mut transformed = filters
            .iter()
            .flat_map(|(_, filter)| filter["Properties"]["MetricTransformations"].as_array().into_iter().flatten());
        let of_filter =
            transformed.any(|one| one["MetricName"] == name.as_str() && named(&one["MetricNamespace"]) == Some(OURS));
        let of_code = Metric::ALL.into_iter().any(|metric| {
            let tiers: &[&str] = if metric == Metric::MembersInTier { &[TIER] } else { &[] };
            metric.name() == name && keys == tiers
        });
        return of_code || (of_filter && keys.is_empty());
    }
    let kind = |id: &str| document["Resources"][id]["Type"].as_str().unwrap_or_default();
    let fits = dimensions.iter().all(|(key, value)| match key.as_str() {
        "FunctionName" => kind(value) == "AWS::Serverless::Function",
        "QueueName" => kind(value) == "AWS::SQS::Queue",
        "TableName" => kind(value) == "AWS::DynamoDB::Table",
        "ApiId" => kind(value) == "AWS::Serverless::HttpApi",
        "GlobalSecondaryIndexName" => {
            let table = &dimensions[0].1;
            let indexes = &document["Resources"][table]["Properties"]["GlobalSecondaryIndexes"];
            indexes.as_array().is_some_and(|all| all.iter().any(|index| index["IndexName"] == value.as_str()))
        }
        _ => false,
    });
    fits && OF_AWS
        .iter()
        .chain([&WAITING])
        .any(|known| (known.0, known.1, known.2) == (namespace, name, keys.as_slice()))
}

fn problems(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let boards = boards(document, &mut found);
    for Board { id, body, metrics } in &boards {
        let not_written = metrics.iter().filter(|metric| !written(document, metric));
        found.extend(not_written.map(|metric| format!("{id}: nobody writes {metric:?}")));
        if metrics.len() > METRICS_MAX {
            found.push(format!("{id} has {} metrics, and AWS asks for money beyond {METRICS_MAX}", metrics.len()));
        }
        for widget in body["widgets"].as_array().into_iter().flatten() {
            widget_problems(document, id, widget, &mut found);
        }
    }
    for (id, metric) in of_alarms(document) {
        if !written(document, &metric) {
            found.push(format!("{id}: nobody writes {metric:?}"));
        }
    }
    let looked_at: BTreeSet<_> = boards.iter().flat_map(|board| board.metrics.iter().cloned()).collect();
    let mut ask = |namespace: &str, name: &str, dimensions: Vec<(&str, &str)>| {
        let dimensions: Vec<_> =
            dimensions.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        if !looked_at.contains(&(namespace.to_owned(), name.to_owned(), dimensions.clone())) {
            found.push(format!("no dashboard shows {name} of {dimensions:?}"));
        }
    };
    for metric in Metric::ALL {
        ask(OURS, metric.name(), if metric == Metric::MembersInTier { vec![(TIER, "*")] } else { vec![] });
    }
    for queue in dead_letters(document).keys() {
        ask(WAITING.0, WAITING.1, vec![("QueueName", queue)]);
    }
    for (id, _) in functions(document) {
        ask("AWS/Lambda", "Duration", vec![("FunctionName", id)]);
        ask("AWS/Lambda", "Invocations", vec![("FunctionName", id)]);
    }
    for (id, table) in resources(document, "AWS::DynamoDB::Table") {
        ask("AWS/DynamoDB", "ConsumedReadCapacityUnits", vec![("TableName", id)]);
        ask("AWS/DynamoDB", "ConsumedWriteCapacityUnits", vec![("TableName", id)]);
        for index in table["Properties"]["GlobalSecondaryIndexes"].as_array().into_iter().flatten() {
            let index = index["IndexName"].as_str().unwrap_or_default();
            let dimensions = vec![("TableName", id), ("GlobalSecondaryIndexName", index)];
            ask("AWS/DynamoDB", "ConsumedWriteCapacityUnits", dimensions);
        }
    }
    found
}

/// A title in both languages, a place within the page, and expressions of metrics that are there.
fn widget_problems(document: &Value, id: &str, widget: &Value, found: &mut Vec<String>) {
    let properties = &widget["properties"];
    if widget["type"] != "text" {
        let title = properties["title"].as_str().unwrap_or_default();
        if !title.split_once(" / ").is_some_and(|(vi, en)| !vi.is_ascii() && en.is_ascii()) {
            found.push(format!("{id}: the title {title:?} is not Vietnamese and English"));
        }
    }
    let number = |key: &str| widget[key].as_u64().unwrap_or(u64::from(u16::MAX));
    if number("x") + number("width") > 24 || number("height") > 100 {
        found.push(format!("{id}: a widget stands outside the page: {}", properties["title"]));
    }
    for alarm in properties["alarms"].as_array().into_iter().flatten() {
        let alarm = unwrapped(alarm.as_str().unwrap_or_default());
        if document["Resources"][alarm.as_str()]["Type"] != ALARM {
            found.push(format!("{id}: {alarm} is no alarm"));
        }
    }
    let options: Vec<_> = rows(widget).filter_map(|row| row.last().filter(|last| last.is_object())).collect();
    let ids: BTreeSet<_> = options.iter().filter_map(|options| options["id"].as_str()).collect();
    for expression in options.iter().filter_map(|options| options["expression"].as_str()) {
        if expression.starts_with("SEARCH(") {
            continue;
        }
        for group in expression.split("METRICS(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            if !ids.iter().any(|id| id.contains(group)) {
                found.push(format!("{id}: {expression} sums no metric"));
            }
        }
        let bare = expression.split('"').step_by(2).collect::<String>();
        let words = bare
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
        for word in words.filter(|word| !ids.contains(word)) {
            found.push(format!("{id}: {expression} names {word}, which is not there"));
        }
    }
}

#[test]
fn every_metric_that_is_looked_at_is_written_and_shown() {
    none(&problems(&document()));
}

/// The functions are told the namespace, and each of our metrics is counted by one of them.
#[test]
fn every_metric_of_ours_is_counted_somewhere() {
    let document = document();
    let namespace = &document["Globals"]["Function"]["Environment"]["Variables"][METRICS_NAMESPACE];
    assert_eq!(named(namespace), Some(OURS));
    let mut code = String::new();
    for (_, function) in functions(&document) {
        code.push_str(&crate::used::source(&workspace().join("functions").join(crate::binary(function)).join("src")));
    }
    for metric in Metric::ALL {
        assert!(code.contains(&format!("Metric::{}", metric.name())), "no function counts {}", metric.name());
    }
    for (id, function) in functions(&document) {
        let main =
            std::fs::read_to_string(workspace().join("functions").join(crate::binary(function)).join("src/main.rs"));
        let library = crate::used::source(&workspace().join("functions").join(crate::binary(function)).join("src"));
        let counts = library.contains("metrics::count");
        assert_eq!(counts, main.expect("readable").contains("metrics::flush()"), "{id} writes what it counts");
    }
}

#[test]
fn what_is_not_there_or_not_written_is_named() {
    let document = document();
    let body = |id: &str| {
        document["Resources"][id]["Properties"]["DashboardBody"]["Fn::Sub"].as_str().expect("a body").to_owned()
    };
    let pointer = |id: &str| format!("/Resources/{id}/Properties/DashboardBody/Fn::Sub");
    for (id, from, to, expected) in [
        ("Dashboard", "\"OrdersIn\"", "\"OrdersInn\"", "nobody writes (\"AWS::StackName\", \"OrdersInn\""),
        ("Dashboard", "\"PointsOutstanding\"", "\"PointsOut\"", "no dashboard shows PointsOutstanding"),
        ("Dashboard", "MetricName=\\\"MembersInTier\\\"", "MetricName=\\\"Members\\\"", "\"Members\", [(\"Tier\""),
        ("Dashboard", "\\\",Tier}", "\\\"}", "nobody writes (\"AWS::StackName\", \"MembersInTier\", [])"),
        (
            "Dashboard",
            "${RunsDeadLetters.QueueName}",
            "${Runs.QueueName}",
            "shows ApproximateNumberOfMessagesVisible of [(\"QueueName\", \"RunsDeadLetters\")",
        ),
        ("Dashboard", "${BooksBroken.Arn}", "${Books.Arn}", "there is no Books.Arn in the template"),
        ("Dashboard", "${BooksBroken.Arn}", "${Orders.Arn}", "Orders is no alarm"),
        ("Dashboard", "Cơ cấu hạng / Tier mix", "Tier mix", "is not Vietnamese and English"),
        ("Dashboard", "}]\n", "},]\n", "Dashboard is no JSON"),
        ("Dashboard", "\"x\": 16", "\"x\": 20", "outside the page"),
        ("CostDashboard", "METRICS(\\\"write\\\")", "METRICS(\\\"wrote\\\")", "sums no metric"),
        ("CostDashboard", "dynamodb+lambda", "dynamo+lambda", "names dynamo, which is not there"),
        ("CostDashboard", "${Senders}", "${Members}", "ConsumedReadCapacityUnits of [(\"TableName\", \"Senders\")"),
        ("CostDashboard", "\"by-order\"", "\"by-orders\"", "by-orders"),
        ("CostDashboard", "\"ApiId\", \"${HttpApi}\"", "\"ApiId\", \"${Orders}\"", "nobody writes (\"AWS/ApiGateway\""),
    ] {
        let changed = body(id).replace(from, to);
        assert_ne!(changed, body(id), "{from} is not there");
        names(&problems(&with(&document, &pointer(id), json!(changed))), expected);
    }
    for (alarm, key, value) in [
        ("BooksBroken", "MetricName", json!("VerifyFinding")),
        ("BooksBroken", "Namespace", json!("loyalty")),
        ("OrdersAge", "MetricName", json!("ApproximateAge")),
        ("WebhookErrors", "Dimensions", json!([{"Name": "FunctionName", "Value": {"Ref": "Orders"}}])),
        ("ZaloPaused", "MetricName", json!("ZaloPause")),
    ] {
        let changed = with(&document, &format!("/Resources/{alarm}/Properties/{key}"), value);
        names(&problems(&changed), &format!("{alarm}: nobody writes"));
    }
    names(&problems(&without(&document, "/Resources/ZaloPausedLines")), "ZaloPaused: nobody writes");
    let many: BTreeMap<_, _> = (0..51).map(|at| (at, json!([format!("${{{OURS}}}"), "OrdersIn"]))).collect();
    let widget = json!({"widgets": [{"type": "metric", "x": 0, "y": 0, "width": 8, "height": 6,
        "properties": {"title": "Đơn / Orders", "metrics": many.into_values().collect::<Vec<_>>()}}]});
    names(&problems(&with(&document, &pointer("Dashboard"), json!(widget.to_string()))), "51 metrics");
}

/// Another price in the file, another alarm, another memory: the dashboard would tell yesterday's.
#[test]
fn the_cost_of_a_day_is_computed_from_the_prices_of_the_file() {
    let text = std::fs::read_to_string(workspace().join("infra/prices.toml")).expect("readable");
    let prices: Prices = toml::from_str(&text).expect("prices");
    let document = document();
    let body =
        document["Resources"]["CostDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str().expect("a body");
    for (price, per) in [
        (&prices.dynamodb_write, 1_000_000),
        (&prices.dynamodb_read, 1_000_000),
        (&prices.lambda_gb_second, 1),
        (&prices.lambda_request, 1_000_000),
        (&prices.http_request, 1_000_000),
        (&prices.sqs_request, 1_000_000),
    ] {
        assert_eq!(price.per, per, "{}", price.unit);
        assert!(
            body.contains(&format!("*{}", price.usd)),
            "the dashboard does not ask {} for a {}",
            price.usd,
            price.unit
        );
    }
    let stack = Stack::of(&document);
    let fixed = format!("dynamodb*0+{:.3}\"", stack.fixed_a_day(&prices));
    assert!(body.contains(&fixed), "what is fixed is {fixed}");
    // 256 MB of every function but the proof.
    assert_eq!(stack.function_gb, 0.25);
    let others =
        functions(&document).into_iter().filter(|(_, function)| !function["Properties"]["MemorySize"].is_null());
    assert_eq!(others.map(|(id, _)| id).collect::<Vec<_>>(), ["Verify"]);
}
