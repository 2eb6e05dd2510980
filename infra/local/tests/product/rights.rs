//! What the functions really ask of the tables is what their roles allow: the local stack would let them, AWS would not.

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex};

use serde_json::Value;
use thang_hang::cli::serve::workspace;
use thang_hang::engine::Asked;
use thang_hang::stack::Running;

/// What the roles of the template allow, with the names of the local tables.
static ALLOWED: LazyLock<BTreeSet<Asked>> = LazyLock::new(|| {
    let text = std::fs::read_to_string(workspace().join("infra/template.yaml")).expect("readable");
    allowed(&thang_hang::template::document(&text).expect("understood"))
});

/// How many different rights the scenarios use at least, of some ninety.
const USED_MIN: usize = 25;

/// Everything asked so far.
static SEEN: Mutex<BTreeSet<Asked>> = Mutex::new(BTreeSet::new());

fn each(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |list| list.iter().collect())
}

fn allowed(document: &Value) -> BTreeSet<Asked> {
    let resources = &document["Resources"];
    let table = |id: &str| {
        let name = resources[id]["Properties"]["TableName"]["Fn::Sub"][0].as_str()?;
        Some(name.replace("${Prefix}", "loyalty-"))
    };
    let on = |resource: &Value| match resource["Fn::Sub"].as_str().and_then(|text| text.split_once(".Arn}/index/")) {
        Some((id, index)) => table(id.trim_start_matches("${")).map(|table| format!("{table}/{index}")),
        // Streams are read by Lambda itself, and not by the functions.
        None => table(resource["Fn::GetAtt"][0].as_str().filter(|_| resource["Fn::GetAtt"][1] == "Arn")?),
    };
    let mut found = BTreeSet::new();
    for function in resources.as_object().expect("resources").values() {
        let Some(caller) = function["Metadata"]["BuildProperties"]["Binary"].as_str() else { continue };
        let role = function["Properties"]["Role"]["Fn::GetAtt"][0].as_str().expect("a role");
        let policies = resources[role]["Properties"]["Policies"].as_array().expect("policies");
        for statement in policies.iter().flat_map(|policy| each(&policy["PolicyDocument"]["Statement"])) {
            for action in each(&statement["Action"]) {
                for on in each(&statement["Resource"]).into_iter().filter_map(on) {
                    let action = action.as_str().expect("an action").to_owned();
                    found.insert(Asked { caller: caller.to_owned(), action, on });
                }
            }
        }
    }
    found
}

/// # Panics
/// Where a function has asked for what its role does not allow.
pub fn check(running: &Running) {
    let asked = running.engine.asked();
    let refused: Vec<_> = asked.iter().filter(|one| one.caller != "other" && !ALLOWED.contains(one)).collect();
    assert!(refused.is_empty(), "in the cloud this would be refused: {refused:#?}");
    SEEN.lock().expect("not poisoned").extend(asked);
}

/// # Panics
/// Where so little was looked into that nothing follows from it.
pub fn check_coverage() {
    let seen = SEEN.lock().expect("not poisoned");
    let used = ALLOWED.intersection(&seen).count();
    assert!(used >= USED_MIN, "only {used} of {} rights were used: {seen:#?}", ALLOWED.len());
}
