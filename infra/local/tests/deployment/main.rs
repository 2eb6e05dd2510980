//! What the template deploys: every delivery setting written out, every role exact, every alarm there, and a local stack
//! that reads the same file.
//!
//! Each check is a function from the template to the problems it finds, so that it can be shown to find them: the tests
//! take something away, and the check has to name it.

mod alarms;
mod dashboard;
mod delivery;
mod doors;
mod programmes;
mod rights;
mod same_file;
mod used;

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Logical id, resource.
type Resource<'a> = (&'a str, &'a Value);

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The product's template as plain JSON.
fn document() -> Value {
    let text = std::fs::read_to_string(workspace().join("infra/template.yaml")).expect("the template can be read");
    thang_hang::template::document(&text).unwrap_or_else(|error| panic!("{}", error.report()))
}

fn resources<'a>(document: &'a Value, kind: &str) -> Vec<Resource<'a>> {
    let all = document["Resources"].as_object().expect("a template has resources");
    let of_kind = all.iter().filter(|(_, resource)| resource["Type"] == kind);
    of_kind.map(|(id, resource)| (id.as_str(), resource)).collect()
}

fn functions(document: &Value) -> Vec<Resource<'_>> {
    resources(document, "AWS::Serverless::Function")
}

fn binary(function: &Value) -> &str {
    function["Metadata"]["BuildProperties"]["Binary"].as_str().expect("a function has a binary")
}

/// Events of a type, of all functions: `Function.Properties.Events.Id`, the function, its properties.
fn events<'a>(document: &'a Value, kind: &str) -> Vec<(String, Resource<'a>, &'a str, &'a Value)> {
    let mut found = Vec::new();
    for (id, function) in functions(document) {
        for (event_id, event) in function["Properties"]["Events"].as_object().into_iter().flatten() {
            if event["Type"] == kind {
                let path = format!("{id}.Properties.Events.{event_id}");
                found.push((path, (id, function), event_id.as_str(), &event["Properties"]));
            }
        }
    }
    found
}

/// The logical id that `!Ref X` or `!GetAtt X.Arn` names.
fn named(value: &Value) -> Option<&str> {
    value["Ref"].as_str().or_else(|| value["Fn::GetAtt"][0].as_str())
}

/// Takes away what a pointer (`/Resources/Orders/Properties`) names.
fn without(document: &Value, pointer: &str) -> Value {
    let mut changed = document.clone();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = changed.pointer_mut(parent).unwrap_or_else(|| panic!("there is nothing at {pointer}"));
    let removed = match parent {
        Value::Object(object) => object.remove(key).is_some(),
        Value::Array(list) => {
            list.remove(key.parse().expect("an index"));
            true
        }
        _ => false,
    };
    assert!(removed, "there is nothing at {pointer}");
    changed
}

/// Sets what a pointer names.
fn with(document: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = document.clone();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = changed.pointer_mut(parent).unwrap_or_else(|| panic!("there is nothing at {pointer}"));
    match parent {
        Value::Object(object) => drop(object.insert(key.to_owned(), value)),
        Value::Array(list) if key == "-" => list.push(value),
        other => panic!("{other} cannot be changed at {pointer}"),
    }
    changed
}

fn none(problems: &[String]) {
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The check names what was taken away.
fn names(problems: &[String], expected: &str) {
    assert!(problems.iter().any(|problem| problem.contains(expected)), "“{expected}” is not named: {problems:#?}");
}
