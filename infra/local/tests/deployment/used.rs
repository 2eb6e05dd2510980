//! What the code of a function asks of AWS, read from its source.
//!
//! A right is an action on a resource of the template. What the functions call is found in `functions/*/src`; what the
//! store's and the bus's own methods call in turn is written down here once, with the request they make.

use std::collections::BTreeSet;
use std::path::Path;

use loyalty_audit::Table;
use serde_json::Value;

use crate::{binary, document, named, resources, workspace};

/// An action and a logical id, with what follows it: `("dynamodb:Query", "Members/due")`.
pub type Right = (String, String);

/// Actions, each with the resources it is used on.
type Uses = &'static [(&'static str, &'static [&'static str])];

/// What the books of `shared/store` do, by method.
const BOOKS: &[(&str, Uses)] = &[
    ("apply_orders", ORDERS),
    ("take_up", ORDERS),
    ("command", COMMAND),
    ("command_after", COMMAND),
    ("follow_tier", COMMAND),
    ("look", &[(BATCH, &["Members", "Participations"])]),
    ("member", &[(GET, &["Members"])]),
    ("member_now", &[(GET, &["Members"])]),
    ("order", &[(GET, &["OrdersTable"])]),
    ("participations", &[(GET, &["Participations"])]),
    ("history", &[(QUERY, &["PointsHistory"])]),
    ("audience", &[(QUERY, &["Members/audience"])]),
    ("members_due", &[(QUERY, &["Members/due"])]),
    ("members_in", &[(SCAN, &["Members"])]),
    ("known_to_runs", &[(GET, &["Requests"])]),
    ("tell_runs", &[(PUT, &["Requests"])]),
    ("marks", &[(GET, &["Requests"])]),
    ("voucher", &[(GET, &["Vouchers"])]),
    ("vouchers_of_member", &[(QUERY, &["Vouchers/by-member"])]),
    ("vouchers_due", &[(QUERY, &["Vouchers/due"])]),
    ("give_voucher", &[(PUT, &["Vouchers"])]),
    ("change_voucher", &[(GET, &["Vouchers"]), (PUT, &["Vouchers"])]),
    ("outgoing", &[(GET, &["Messages"])]),
    // A promotional message is counted in the contact of its reader, in the same transaction.
    ("claim", &[(PUT, &["Messages", "Contacts"])]),
    ("record", MOVE_ON),
    ("skip", MOVE_ON),
    ("give_up", MOVE_ON),
    ("begin_anew", MOVE_ON),
    ("postpone", MOVE_ON),
    ("messages_due", &[(QUERY, &["Messages/send"])]),
    ("delivered", &[(QUERY, &["Messages/receipt"]), (GET, &["Messages"]), (PUT, &["Messages"])]),
    ("contact", &[(GET, &["Contacts"])]),
    ("told_follows", CONTACT),
    ("wish", CONTACT),
    ("follow", ZALO_USER),
    ("interacted", ZALO_USER),
    ("link", ZALO_USER),
    ("sender", &[(GET, &["Senders"])]),
    ("put_sender", &[(PUT, &["Senders"])]),
    // These ask nothing of AWS.
    ("consumed", &[]),
    ("voucher_of", &[]),
];
const BATCH: &str = "dynamodb:BatchGetItem";
const GET: &str = "dynamodb:GetItem";
const PUT: &str = "dynamodb:PutItem";
const SCAN: &str = "dynamodb:Scan";
const QUERY: &str = "dynamodb:Query";

const ORDERS: Uses = &[
    (BATCH, &["Members", "OrdersTable"]),
    // An order that begins to wait for a paused campaign leaves a mark in the last; when the campaign goes on, it is read
    // again (X50).
    (GET, &["OrdersTable", "Participations", "Vouchers", "Requests"]),
    // Vouchers that a till used for an order come back with it.
    (QUERY, &["Vouchers/by-order"]),
    // Reversals after an expiry replay the member's history (X23).
    (QUERY, &["PointsHistory"]),
    (PUT, &["Members", "OrdersTable", "Participations", "Vouchers", "PointsHistory", "Requests"]),
];
/// A command reads its member and participations and writes what was decided in one transaction of puts. Orders that wait
/// for a campaign which has gone on are decided first (X50).
const COMMAND: Uses = &[
    (GET, &["Members", "OrdersTable", "Participations", "Vouchers", "Requests"]),
    (BATCH, &["Members", "OrdersTable"]),
    (QUERY, &["Vouchers/by-order", "PointsHistory"]),
    (PUT, &["Members", "OrdersTable", "Participations", "PointsHistory", "Vouchers", "Requests"]),
];
const MOVE_ON: Uses = &[(GET, &["Messages"]), (PUT, &["Messages"])];
// Whoever joined another is found at that one.
const CONTACT: Uses = &[(GET, &["Contacts", "Members"]), (PUT, &["Contacts"])];
const ZALO_USER: Uses = &[(GET, &["ZaloUsers", "Contacts", "Members"]), (PUT, &["ZaloUsers", "Contacts"])];

/// Of what a client of the store is made, and not a request.
const NO_REQUEST: [&str; 2] = ["clone", "with_coder"];

/// Other words of the source, and what they ask for.
const WORDS: [(&str, Uses); 3] = [
    // A command that comes with a key reads and writes its request, and answers a repeated one from its entry.
    ("Concerns::request(", &[(GET, &["Requests", "PointsHistory"]), (PUT, &["Requests"])]),
    ("history:true", &[(QUERY, &["PointsHistory"])]),
    ("Outbox::new(", &[(PUT, &["Messages"])]),
];

/// Everything below `functions/BINARY/src` but its tests, without spaces.
pub fn source(directory: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            if !path.ends_with("tests") {
                all.push_str(&source(&path));
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).expect("readable");
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            all.extend(code.flat_map(|line| line.chars().filter(|c| !c.is_whitespace())));
        }
    }
    all
}

/// The rights a function's code uses; or what this check does not know.
pub fn by_code(function: &Value) -> Result<BTreeSet<Right>, String> {
    let binary = binary(function);
    let code = source(&workspace().join("functions").join(binary).join("src"));
    let mut rights = BTreeSet::new();
    let mut add = |uses: &[(&str, &[&str])]| {
        for (action, on) in uses {
            rights.extend(on.iter().map(|on| ((*action).to_owned(), (*on).to_owned())));
        }
    };
    for (at, _) in code.match_indices("books.") {
        let rest = &code[at + "books.".len()..];
        let method: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        if !rest[method.len()..].starts_with(['(', ':']) || NO_REQUEST.contains(&method.as_str()) {
            continue;
        }
        let known = BOOKS.iter().find(|(name, _)| *name == method);
        let (_, uses) = known.ok_or_else(|| format!("it is not known what books.{method} of {binary} asks of AWS"))?;
        add(uses);
    }
    for (word, uses) in WORDS {
        if code.contains(word) {
            add(uses);
        }
    }
    if code.contains("loyalty_verify::") {
        rights.extend(proved().into_iter().map(|table| ("dynamodb:Scan".to_owned(), table)));
    }
    // Queues and the bus are named by variables.
    let variables = function["Properties"]["Environment"]["Variables"].as_object();
    let names: Vec<_> = variables.into_iter().flatten().collect();
    let of = |ending: &str| {
        let of_ending = names.iter().filter(|(name, _)| name.ends_with(ending));
        of_ending.filter_map(|(_, value)| named(value).map(str::to_owned)).collect::<Vec<_>>()
    };
    if code.contains(".send_message_batch()") {
        rights.extend(of("QUEUE_URL").into_iter().map(|queue| ("sqs:SendMessage".to_owned(), queue)));
    }
    if code.contains("Bus::new(") {
        rights.extend(of("BUS_NAME").into_iter().map(|bus| ("events:PutEvents".to_owned(), bus)));
    }
    Ok(rights)
}

/// The tables that the verifier reads, by their logical ids.
fn proved() -> Vec<String> {
    let document = document();
    let tables = resources(&document, "AWS::DynamoDB::Table");
    let named = |name: &str| {
        let pattern = format!("${{Prefix}}{name}");
        let found = tables.iter().find(|(_, table)| table["Properties"]["TableName"]["Fn::Sub"][0] == pattern.as_str());
        found.unwrap_or_else(|| panic!("no table of the template is {name}")).0.to_owned()
    };
    Table::ALL.iter().map(|table| named(table.name())).collect()
}

/// The table above is of methods that exist, and the store makes no request that it leaves out.
#[test]
fn the_store_asks_what_is_written_here() {
    let store = source(&workspace().join("shared/store/src"));
    for (method, _) in BOOKS {
        let known = ["pubasyncfn", "pubfn"].iter().any(|begin| {
            [format!("{begin}{method}("), format!("{begin}{method}<")].iter().any(|declared| store.contains(declared))
        });
        assert!(known, "the books have no {method}");
    }
    let engine = workspace().join("shared/store/src/engine");
    assert!(engine.is_dir(), "what only tests use is apart");
    let product = store.replace(&source(&engine), "");
    for request in
        ["update_item()", "delete_item()", "batch_write_item()", "execute_statement()", "transact_get_items()"]
    {
        assert!(!product.contains(request), "the store asks for {request}, which no role allows");
    }
}
