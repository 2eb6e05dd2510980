//! The local stack is made of the template that is deployed, all of it that can run here.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use thang_hang::stack::Options;
use thang_hang::template::{Locality, Template};

use crate::{binary, document, events, functions, resources, with, without, workspace};

fn local(document: Value) -> Result<Template, String> {
    let locality = Locality {
        parameters: BTreeMap::from([("TablePrefix".to_owned(), "loyalty-".to_owned())]),
        mapped: BTreeMap::new(),
        stack_name: "loyalty".to_owned(),
        services_url: "http://127.0.0.1:1".to_owned(),
    };
    Template::of(document, locality).map_err(|error| error.report())
}

/// How many of each kind there are, as the template says it.
fn counts(document: &Value) -> [usize; 9] {
    [
        resources(document, "AWS::DynamoDB::Table").len(),
        resources(document, "AWS::SQS::Queue").len(),
        resources(document, "AWS::Events::EventBus").len(),
        functions(document).len(),
        events(document, "HttpApi").len(),
        events(document, "SQS").len(),
        events(document, "DynamoDB").len(),
        events(document, "EventBridgeRule").len(),
        events(document, "ScheduleV2").len(),
    ]
}

/// The same, as the local stack runs it.
fn run(template: &Template) -> [usize; 9] {
    [
        template.tables.len(),
        template.queues.len(),
        template.buses.len(),
        template.functions.len(),
        template.routes.len(),
        template.queue_sources.len(),
        template.stream_sources.len(),
        template.rules.len(),
        template.schedules.len(),
    ]
}

#[test]
fn whatever_is_deployed_runs_here_too() {
    let options = Options::ephemeral(&workspace());
    let text = std::fs::read_to_string(&options.template).expect("the stack has a template");
    let started_with = thang_hang::template::document(&text).expect("readable");
    assert_eq!(started_with, document(), "the stack starts with another file than is deployed");
    let template = local(document()).expect("understood");
    assert_eq!(run(&template), counts(&document()));
    for function in &template.functions {
        let package = workspace().join("functions").join(&function.binary);
        assert!(package.join("src/main.rs").is_file(), "{} has no binary", function.binary);
    }
}

/// `sam build` runs cargo-lambda in the directory that is named, and cargo builds there what is the default of that
/// directory: in the workspace's own that is the command line, in a function's it is the function.
#[test]
fn every_function_is_built_in_its_own_directory() {
    let document = document();
    assert_eq!(document["Globals"]["Function"]["CodeUri"], Value::Null);
    for (id, function) in functions(&document) {
        let code = function["Properties"]["CodeUri"].as_str().unwrap_or_default();
        assert_eq!(code, format!("../functions/{}", binary(function)), "{id}");
        let manifest = workspace().join("infra").join(code).join("Cargo.toml");
        let manifest = std::fs::read_to_string(manifest).expect("a package");
        assert!(manifest.contains(&format!("name = \"{}\"\n", binary(function))), "{id}");
    }
}

/// What is taken out of the file is gone here; what is put in and not understood is refused and not passed over.
#[test]
fn the_stack_follows_the_file() {
    let document = document();
    for (id, function) in functions(&document) {
        let smaller = local(without(&document, &format!("/Resources/{id}"))).expect("understood");
        assert!(!smaller.functions.iter().any(|one| one.binary == binary(function)), "{id} still runs");
        for event in function["Properties"]["Events"].as_object().into_iter().flatten().map(|(event, _)| event) {
            let pointer = format!("/Resources/{id}/Properties/Events/{event}");
            let changed = without(&document, &pointer);
            let template = local(changed.clone()).expect("understood");
            assert_eq!(run(&template), counts(&changed), "{pointer}");
            assert_ne!(run(&template), counts(&document), "{pointer} still runs");
        }
    }
    let delayed = with(&document, "/Resources/Orders/Properties/DelaySeconds", json!(11));
    let orders = local(delayed).expect("understood").queues.into_iter().find(|queue| queue.name == "loyalty-Orders");
    assert_eq!(orders.expect("a queue").delay_seconds, 11);
    let unknown = with(&document, "/Resources/Orders/Properties/FifoQueue", json!(true));
    assert!(local(unknown).unwrap_err().contains("Resources.Orders.Properties.FifoQueue"));
    let bucket = with(&document, "/Resources/Bucket", json!({"Type": "AWS::S3::Bucket"}));
    assert!(local(bucket).unwrap_err().contains("AWS::S3::Bucket"));
}
