//! Who gets in, what is kept, and what is never shown.

use serde_json::{Value, json};

use crate::{binary, document, events, functions, named, names, none, resources, with, without};

/// Routes that a signature over the body guards.
const SIGNED: [&str; 1] = ["/events"];
const SIGNED_BELOW: &str = "/webhooks/";

fn problems(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    routes(document, &mut found);
    tables(document, &mut found);
    secrets(document, &mut found);
    logs(document, &mut found);
    rules("Rules", &document["Rules"], &mut found);
    found
}

/// CloudFormation refuses a whole template in whose rules anything but their own functions is called, and no linter says so.
fn rules(path: &str, value: &Value, found: &mut Vec<String>) {
    const KNOWN: [&str; 10] = [
        "And",
        "Contains",
        "EachMemberEquals",
        "EachMemberIn",
        "Equals",
        "Not",
        "Or",
        "RefAll",
        "ValueOf",
        "ValueOfAll",
    ];
    for (key, value) in value.as_object().into_iter().flatten() {
        if key.strip_prefix("Fn::").is_some_and(|name| !KNOWN.contains(&name)) {
            found.push(format!("{path}: {key} is no function of rules"));
        }
        rules(&format!("{path}.{key}"), value, found);
    }
    value.as_array().into_iter().flatten().for_each(|value| rules(path, value, found));
}

fn routes(document: &Value, found: &mut Vec<String>) {
    for (id, api) in resources(document, "AWS::Serverless::HttpApi") {
        let properties = &api["Properties"];
        let asked = properties["Auth"]["DefaultAuthorizer"].as_str().unwrap_or_default();
        let authorizer = &properties["Auth"]["Authorizers"][asked];
        for key in ["issuer", "audience"] {
            if authorizer["JwtConfiguration"][key].is_null() {
                found.push(format!("{id}.Auth: no default authorizer asks for the {key} of a token"));
            }
        }
        for key in ["ThrottlingBurstLimit", "ThrottlingRateLimit"] {
            if properties["DefaultRouteSettings"][key].as_u64().is_none() {
                found.push(format!("{id}.DefaultRouteSettings.{key} is not set"));
            }
        }
        let format = properties["AccessLogSettings"]["Format"].as_str().unwrap_or_default();
        if format.is_empty() {
            found.push(format!("{id}.AccessLogSettings is not set"));
        }
        for personal in ["identity", "path", "$context.routeKey}", "claims", "queryString", "userAgent", "$request"] {
            if format.contains(personal) {
                found.push(format!("{id}.AccessLogSettings writes {personal}, which tells of a person"));
            }
        }
    }
    for (path, (_, function), _, route) in events(document, "HttpApi") {
        let address = route["Path"].as_str().unwrap_or_default();
        let signed = SIGNED.contains(&address) || address.starts_with(SIGNED_BELOW);
        let authorizer = route["Auth"]["Authorizer"].as_str();
        match (signed, authorizer) {
            (true, Some("NONE")) | (false, None) => {}
            (true, _) => found.push(format!("{path}: shops have signatures and no token; {address} would refuse them")),
            (false, _) => found.push(format!("{path}: {address} is open to everybody")),
        }
        // The gateway verifies a token; whose it is, the function asks.
        if !signed && function["Properties"]["Environment"]["Variables"]["ACCESS"] != "tokens" {
            found.push(format!("{} is not told to ask for tokens", binary(function)));
        }
    }
}

fn tables(document: &Value, found: &mut Vec<String>) {
    for (id, table) in resources(document, "AWS::DynamoDB::Table") {
        let properties = &table["Properties"];
        for (key, set) in [
            ("BillingMode", properties["BillingMode"] == "PAY_PER_REQUEST"),
            ("DeletionProtectionEnabled", properties["DeletionProtectionEnabled"] == true),
            (
                "PointInTimeRecoverySpecification",
                properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] == true,
            ),
            ("SSESpecification", properties["SSESpecification"]["SSEEnabled"] == true),
        ] {
            if !set {
                found.push(format!("{id}.{key} is not set"));
            }
        }
        kept(id, table, found);
    }
    for (id, pool) in resources(document, "AWS::Cognito::UserPool") {
        kept(id, pool, found);
        if pool["Properties"]["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] != true {
            found.push(format!("{id} lets anybody make themselves a user"));
        }
    }
    for (id, client) in resources(document, "AWS::Cognito::UserPoolClient") {
        if client["Properties"]["WriteAttributes"] != json!(["name"]) {
            found.push(format!("{id}.WriteAttributes: a user could say that they are somebody else"));
        }
    }
}

fn kept(id: &str, resource: &Value, found: &mut Vec<String>) {
    for key in ["DeletionPolicy", "UpdateReplacePolicy"] {
        if resource[key] != "Retain" {
            found.push(format!("{id}.{key} is not Retain"));
        }
    }
}

fn secrets(document: &Value, found: &mut Vec<String>) {
    for (id, secret) in resources(document, "AWS::SecretsManager::Secret") {
        kept(id, secret, found);
        let properties = &secret["Properties"];
        // A deployment that finds another text here overwrites what the operator put in.
        if properties["GenerateSecretString"].is_null() && properties["SecretString"] != "{}" {
            found.push(format!("{id}.SecretString is not {{}}: a deployment would overwrite what was filled in"));
        }
    }
    if document.to_string().contains("{{resolve:") {
        found.push("a value is resolved when it is deployed: the secret lies in a configuration".to_owned());
    }
}

fn logs(document: &Value, found: &mut Vec<String>) {
    for (id, group) in resources(document, "AWS::Logs::LogGroup") {
        if named(&group["Properties"]["RetentionInDays"]) != Some("LogRetentionDays") {
            found.push(format!("{id}.RetentionInDays is not the one that was chosen"));
        }
    }
    for (id, function) in functions(document) {
        let properties = &function["Properties"];
        let group = named(&properties["LoggingConfig"]["LogGroup"]).unwrap_or_default();
        if document["Resources"][group]["Type"] != "AWS::Logs::LogGroup" {
            found.push(format!("{id}.LoggingConfig names no log group of its own"));
        }
        if properties["Timeout"].as_u64().is_none() {
            found.push(format!("{id}.Timeout is not set"));
        }
    }
}

#[test]
fn doors_tables_secrets_and_logs_are_as_they_should_be() {
    none(&problems(&document()));
}

#[test]
fn an_omission_is_named() {
    let document = document();
    let http = "/Resources/HttpApi/Properties";
    for (pointer, expected) in [
        (format!("{http}/Auth/DefaultAuthorizer"), "HttpApi.Auth"),
        (format!("{http}/Auth/Authorizers/Tokens/JwtConfiguration/audience"), "the audience of a token"),
        (format!("{http}/DefaultRouteSettings/ThrottlingRateLimit"), "ThrottlingRateLimit"),
        (format!("{http}/AccessLogSettings"), "AccessLogSettings"),
        ("/Resources/Webhook/Properties/Events/Deliver/Properties/Auth".into(), "/webhooks/{source} would refuse"),
        ("/Resources/MemberApi/Properties/Environment/Variables/ACCESS".into(), "member-api is not told"),
        ("/Resources/MemberIdKey/DeletionPolicy".into(), "MemberIdKey.DeletionPolicy"),
        ("/Resources/UsersClient/Properties/WriteAttributes".into(), "somebody else"),
        ("/Resources/WebhookLogs/Properties/RetentionInDays".into(), "WebhookLogs.RetentionInDays"),
    ] {
        names(&problems(&without(&document, &pointer)), expected);
    }
    let of_tables =
        ["DeletionProtectionEnabled", "PointInTimeRecoverySpecification", "SSESpecification", "BillingMode"];
    for (id, _) in resources(&document, "AWS::DynamoDB::Table") {
        for key in of_tables {
            names(&problems(&without(&document, &format!("/Resources/{id}/Properties/{key}"))), &format!("{id}.{key}"));
        }
    }
    for (pointer, value, expected) in [
        (
            "/Resources/MemberCommands/Properties/Events/Adjust/Properties/Auth",
            json!({"Authorizer": "NONE"}),
            "adjustments is open to everybody",
        ),
        ("/Resources/MemberApi/Properties/Environment/Variables/ACCESS", json!("open"), "member-api is not told"),
        (
            "/Resources/WebhookSecrets/Properties/SecretString",
            json!("{\"SHOPIFY\":\"\"}"),
            "WebhookSecrets.SecretString",
        ),
        (
            "/Resources/HttpApi/Properties/AccessLogSettings/Format",
            json!("$context.identity.sourceIp"),
            "tells of a person",
        ),
        (
            "/Rules/IssuerNeedsAudience/Assertions/0/Assert",
            json!({"Fn::Equals": [{"Fn::Join": ["", {"Ref": "TokenAudience"}]}, ""]}),
            "Fn::Join is no function of rules",
        ),
        (
            "/Resources/Webhook/Properties/Environment/Variables/SECRET",
            json!("{{resolve:secretsmanager:x}}"),
            "lies in a configuration",
        ),
    ] {
        names(&problems(&with(&document, pointer, value)), expected);
    }
}
