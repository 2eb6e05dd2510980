//! One role for each function, with exactly what its code uses; and nobody may change history (I4).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::used::{Right, by_code};
use crate::{binary, document, events, functions, named, names, none, resources, with, without};

const ROLE: &str = "AWS::IAM::Role";
const APPEND_ONLY: &str = "HistoryIsAppendOnly";
/// What would change or lose an entry.
const CHANGING: [&str; 7] = [
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteItem",
    "dynamodb:DeleteTable",
    "dynamodb:PartiQLDelete",
    "dynamodb:PartiQLUpdate",
    "dynamodb:UpdateItem",
    "dynamodb:UpdateTable",
];

fn problems(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    wildcards(document, &mut found);
    append_only(document, &mut found);
    let mut taken = BTreeSet::new();
    for (id, function) in functions(document) {
        for key in ["Policies", "Connectors"] {
            if !function["Properties"][key].is_null() {
                found.push(format!("{id}.{key}: rights stand in the role of the function, where they are exact"));
            }
        }
        let Some(role) = named(&function["Properties"]["Role"]) else {
            found.push(format!("{id}.Role is not set"));
            continue;
        };
        if !taken.insert(role.to_owned()) {
            found.push(format!("{role} is the role of two functions"));
        }
        let used = by_code(function).map(|by_code| by_code.into_iter().chain(by_wiring(function)).collect());
        match used {
            Ok(used) => compare(document, role, binary(function), &used, &mut found),
            Err(unknown) => found.push(unknown),
        }
    }
    let fired: BTreeSet<String> = events(document, "ScheduleV2")
        .iter()
        .filter_map(|(.., schedule)| Some(named(&schedule["RoleArn"])?.into()))
        .collect();
    for role in fired {
        compare(document, &role, "the scheduler", &by_schedules(document, &role), &mut found);
        taken.insert(role);
    }
    for (id, _) in resources(document, ROLE) {
        if !taken.contains(id) {
            found.push(format!("{id} is nobody's role"));
        }
    }
    found
}

fn right(action: &str, on: impl Into<String>) -> Right {
    (action.to_owned(), on.into())
}

/// What Lambda needs on a function's behalf: its sources, its reports of failure, its logs, its secrets.
fn by_wiring(function: &Value) -> Vec<Right> {
    let properties = &function["Properties"];
    let mut rights = Vec::new();
    for event in properties["Events"].as_object().into_iter().flatten().map(|(_, event)| event) {
        let source = &event["Properties"];
        match event["Type"].as_str() {
            Some("SQS") => {
                for action in ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"] {
                    rights.push(right(&format!("sqs:{action}"), named(&source["Queue"]).unwrap_or_default()));
                }
            }
            Some("DynamoDB") => {
                let stream = format!("{}.StreamArn", named(&source["Stream"]).unwrap_or_default());
                for action in ["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"] {
                    rights.push(right(&format!("dynamodb:{action}"), stream.clone()));
                }
                let letters = named(&source["DestinationConfig"]["OnFailure"]["Destination"]);
                rights.extend(letters.map(|queue| right("sqs:SendMessage", queue)));
            }
            _ => {}
        }
    }
    let letters = named(&properties["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]["Destination"]);
    rights.extend(letters.map(|queue| right("sqs:SendMessage", queue)));
    let logs = named(&properties["LoggingConfig"]["LogGroup"]).unwrap_or_default();
    rights.extend(["logs:CreateLogStream", "logs:PutLogEvents"].map(|action| right(action, logs)));
    for (_, value) in properties["Environment"]["Variables"].as_object().into_iter().flatten() {
        let named = value["Fn::Sub"].as_str().and_then(|text| text.strip_prefix("secretsmanager:${"));
        let secret = named.and_then(|rest| rest.split('}').next());
        rights.extend(secret.map(|secret| right("secretsmanager:GetSecretValue", secret)));
    }
    rights
}

fn by_schedules(document: &Value, role: &str) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for (_, (function, _), _, schedule) in events(document, "ScheduleV2") {
        if named(&schedule["RoleArn"]) == Some(role) {
            rights.insert(right("lambda:InvokeFunction", function));
            let letters = named(&schedule["DeadLetterConfig"]["Arn"]);
            rights.extend(letters.map(|queue| right("sqs:SendMessage", queue)));
        }
    }
    rights
}

fn compare(document: &Value, role: &str, whose: &str, used: &BTreeSet<Right>, found: &mut Vec<String>) {
    let allowed = allowed(&document["Resources"][role]["Properties"]);
    for (action, on) in used.difference(&allowed) {
        found.push(format!("{role} lacks {action} on {on}, which {whose} uses"));
    }
    for (action, on) in allowed.difference(used) {
        found.push(format!("{role} allows {action} on {on}, which {whose} does not use"));
    }
}

/// A text, or each of a list.
fn each(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |list| list.iter().collect())
}

fn statements(properties: &Value) -> Vec<&Value> {
    let policies = properties["Policies"].as_array().into_iter().flatten();
    let documents = policies.map(|policy| &policy["PolicyDocument"]).chain([&properties["PolicyDocument"]]);
    documents.filter_map(|document| document["Statement"].as_array()).flatten().collect()
}

fn allowed(properties: &Value) -> BTreeSet<Right> {
    let allowing = statements(properties).into_iter().filter(|statement| statement["Effect"] == "Allow");
    let pairs = allowing.flat_map(|statement| {
        let resources = each(&statement["Resource"]);
        each(&statement["Action"]).into_iter().flat_map(move |action| {
            resources.clone().into_iter().map(move |on| right(action.as_str().unwrap_or_default(), short(on)))
        })
    });
    pairs.collect()
}

/// `Orders` for `!GetAtt Orders.Arn`, `Members/due` for an index; what is no exact resource of the template as it stands.
fn short(on: &Value) -> String {
    if let (Some(id), Some(attribute)) = (on["Fn::GetAtt"][0].as_str(), on["Fn::GetAtt"][1].as_str()) {
        return if attribute == "Arn" { id.to_owned() } else { format!("{id}.{attribute}") };
    }
    if let Some((table, index)) = on["Fn::Sub"].as_str().and_then(|text| text.split_once(".Arn}/index/")) {
        return format!("{}/{index}", table.trim_start_matches("${"));
    }
    on["Ref"].as_str().map_or_else(|| on.to_string(), str::to_owned)
}

/// Common scanners miss these inside SAM.
fn wildcards(document: &Value, found: &mut Vec<String>) {
    for kind in [ROLE, "AWS::IAM::ManagedPolicy", "AWS::SQS::QueuePolicy"] {
        for (id, resource) in resources(document, kind) {
            for statement in statements(&resource["Properties"]) {
                let mut parts = each(&statement["Action"]);
                parts.extend(each(&statement["Resource"]));
                parts.extend([&statement["NotAction"], &statement["NotResource"], &statement["Principal"]]);
                let wild = parts.iter().filter(|part| part.to_string().contains('*') || part.to_string().contains('?'));
                found.extend(wild.map(|part| format!("{id} has a wildcard: {part}")));
                if !statement["NotAction"].is_null() || !statement["NotResource"].is_null() {
                    found.push(format!("{id} allows all but something"));
                }
            }
        }
    }
}

fn append_only(document: &Value, found: &mut Vec<String>) {
    let policy = &document["Resources"][APPEND_ONLY]["Properties"];
    let denied: BTreeSet<_> = statements(policy)
        .into_iter()
        .filter(|statement| statement["Effect"] == "Deny" && statement["Condition"].is_null())
        .filter(|statement| each(&statement["Resource"]).iter().any(|on| short(on) == "PointsHistory"))
        .flat_map(|statement| each(&statement["Action"]))
        .filter_map(Value::as_str)
        .collect();
    for action in CHANGING {
        if !denied.contains(action) {
            found.push(format!("{APPEND_ONLY} does not deny {action} on the history"));
        }
    }
    for (id, function) in functions(document) {
        let role = named(&function["Properties"]["Role"]).unwrap_or_default();
        let mut managed =
            document["Resources"][role]["Properties"]["ManagedPolicyArns"].as_array().into_iter().flatten();
        if !managed.any(|policy| named(policy) == Some(APPEND_ONLY)) {
            found.push(format!("{role} of {id} does not have {APPEND_ONLY}"));
        }
    }
}

#[test]
fn every_role_allows_what_its_code_uses_and_no_more() {
    none(&problems(&document()));
}

/// Whatever statement is taken from whatever role, the check names the role.
#[test]
fn a_missing_right_is_named() {
    let document = document();
    let mut taken = 0;
    for (id, role) in resources(&document, ROLE) {
        let statements = statements(&role["Properties"]).len();
        for at in 0..statements {
            let pointer = format!("/Resources/{id}/Properties/Policies/0/PolicyDocument/Statement/{at}");
            names(&problems(&without(&document, &pointer)), &format!("{id} lacks "));
            taken += 1;
        }
    }
    assert!(taken > 30, "{taken}");
}

#[test]
fn a_right_too_many_is_named() {
    let document = document();
    for (id, _) in resources(&document, ROLE) {
        let add = |action: &str, on: Value| {
            let statement = json!({"Effect": "Allow", "Action": action, "Resource": on});
            with(&document, &format!("/Resources/{id}/Properties/Policies/0/PolicyDocument/Statement/-"), statement)
        };
        let history = json!({"Fn::GetAtt": ["PointsHistory", "Arn"]});
        names(&problems(&add("dynamodb:DeleteItem", history)), &format!("{id} allows dynamodb:DeleteItem"));
        names(&problems(&add("sqs:PurgeQueue", json!("*"))), &format!("{id} has a wildcard"));
        names(&problems(&add("dynamodb:*", json!({"Ref": "X"}))), &format!("{id} has a wildcard"));
    }
    for (id, function) in functions(&document) {
        let role = named(&function["Properties"]["Role"]).expect("a role");
        let bare = without(&document, &format!("/Resources/{role}/Properties/ManagedPolicyArns"));
        names(&problems(&bare), &format!("{role} of {id} does not have"));
        let inline = with(&document, &format!("/Resources/{id}/Properties/Policies"), json!(["AmazonSQSFullAccess"]));
        names(&problems(&inline), &format!("{id}.Policies"));
    }
    let denied = &document["Resources"][APPEND_ONLY]["Properties"]["PolicyDocument"]["Statement"][0]["Action"];
    for action in CHANGING {
        let at = each(denied).iter().position(|one| *one == action).expect("denied");
        let pointer = format!("/Resources/{APPEND_ONLY}/Properties/PolicyDocument/Statement/0/Action/{at}");
        names(&problems(&without(&document, &pointer)), "does not deny");
    }
    let shared = with(&document, "/Resources/Webhook/Properties/Role", json!({"Fn::GetAtt": ["MemberApiRole", "Arn"]}));
    names(&problems(&shared), "two functions");
}
