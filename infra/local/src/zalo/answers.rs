//! What Zalo answers: always HTTP 200, with a code in the body.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::account::{Account, DEVELOPMENT, TokenFault};
use super::record::{Kind, Record};
use super::script::{Drop, Rule};
use super::server::{Call, Reply};
use super::{Shared, control};
use crate::clock::iso;
use crate::problem::problem;

/// Characters of a text.
const TEXT_CHARS_MAX: usize = 2_000;
const TRACKING_CHARS_MAX: usize = 48;
/// Parameters of a template, and characters of one that the script says nothing of.
const PARAMETERS_MAX: usize = 50;
const PARAMETER_CHARS_MAX: usize = 200;

/// Codes the stand-in gives of itself; a script can give any.
mod code {
    pub const ACCEPTED: i64 = 0;
    pub const RATE: i64 = -32;
    pub const PHONE: i64 = -108;
    pub const TEMPLATE_BODY: i64 = -1121;
    pub const TEMPLATE_VALUE: i64 = -1122;
    pub const TOKEN_BUSINESS: i64 = -124;
    pub const NIGHT_BUSINESS: i64 = -133;
    pub const QUOTA: i64 = -144;
    pub const BODY: i64 = -201;
    pub const NOT_FOLLOWING: i64 = -213;
    pub const TOKEN: i64 = -216;
    pub const TOKEN_EXPIRED: i64 = -220;
    pub const WINDOW: i64 = -230;
    pub const NIGHT: i64 = -234;
    pub const REFRESH_TOKEN: i64 = -14014;
    pub const APP: i64 = -14002;
}

/// A code, and what comes with it.
type Coded = Result<Value, i64>;

pub async fn answer(shared: &Arc<Shared>, call: &Call) -> Reply {
    let kind = match (&call.method, call.path.as_str()) {
        (&Method::POST, "/message/template") => Kind::TemplatePhone,
        (&Method::POST, "/v3.0/oa/message/template") => Kind::TemplateUser,
        (&Method::POST, "/v3.0/oa/message/cs") => Kind::Text,
        (&Method::GET, "/v3.0/oa/user/detail") => Kind::UserDetail,
        (&Method::POST, "/v4/oa/access_token") => Kind::Token,
        _ => {
            let detail = format!("Zalo's {} {} is not played here.", call.method, call.path);
            return Reply::Answer(problem(StatusCode::NOT_FOUND, "not-played", &detail));
        }
    };
    let asked = asked(kind, call);
    let mut record = read(kind, &asked);
    let now_ms = shared.clock.now_ms();
    record.at = iso(now_ms);
    let (rule, body, rate, received) = {
        let mut account = shared.account.lock().expect("not poisoned");
        let rule = account.rules.take(&record);
        let rate = if kind == Kind::Token { Some(0) } else { account.rate(now_ms) };
        let done = decide(&mut account, &mut record, rule.as_ref(), rate, call, &asked, now_ms);
        record.error = done.as_ref().err().copied().unwrap_or(code::ACCEPTED);
        let dropped = rule.as_ref().and_then(|rule| rule.drop);
        record.answered = dropped.is_none();
        let received = account.receipts && kind.is_message() && record.msg_id.is_some();
        let body = written(kind, done);
        let received = received.then(|| record.clone());
        // A call that broke off before it was done is as if it had not come.
        if dropped != Some(Drop::Before) {
            account.records.keep(record);
        }
        (rule, body, (account.rate_per_minute, rate), received)
    };
    if let Some(record) = received {
        tokio::spawn(control::receipt(Arc::clone(shared), record));
    }
    if let Some(rule) = &rule {
        tokio::time::sleep(Duration::from_millis(rule.delay_ms)).await;
    }
    if rule.is_some_and(|rule| rule.drop.is_some()) {
        return Reply::Nothing;
    }
    let (limit, left) = (rate.0.to_string(), rate.1.unwrap_or(0).to_string());
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/json"),
        ("x-ratelimit-limit", limit.as_str()),
        ("x-ratelimit-remaining", left.as_str()),
    ];
    Reply::Answer((headers, body.to_string()).into_response())
}

fn decide(
    account: &mut Account,
    record: &mut Record,
    rule: Option<&Rule>,
    rate: Option<u64>,
    call: &Call,
    asked: &Value,
    now_ms: i64,
) -> Coded {
    if rule.is_some_and(|rule| rule.drop == Some(Drop::Before)) {
        return Ok(Value::Null);
    }
    if let Some(error) = rule.and_then(|rule| rule.error) {
        return Err(error);
    }
    if record.kind == Kind::Token {
        return token(account, call, asked, now_ms);
    }
    if rate.is_none() {
        return Err(code::RATE);
    }
    account.believe(call.header("access_token"), now_ms).map_err(|fault| match (record.kind, fault) {
        (Kind::TemplatePhone, _) => code::TOKEN_BUSINESS,
        (_, TokenFault::Unknown) => code::TOKEN,
        (_, TokenFault::Expired) => code::TOKEN_EXPIRED,
    })?;
    match record.kind {
        Kind::TemplatePhone => template_to_phone(account, record, now_ms),
        Kind::TemplateUser => template_to_user(account, record, now_ms),
        Kind::Text => text(account, record, now_ms),
        Kind::UserDetail => user_detail(account, record),
        Kind::Token => unreachable!("answered above"),
    }
}

fn template_to_phone(account: &mut Account, record: &mut Record, now_ms: i64) -> Coded {
    let phone = record.phone.as_deref().unwrap_or_default();
    let digits = phone.strip_prefix('+').unwrap_or(phone);
    if !digits.starts_with("84") || digits.len() != 11 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(code::PHONE);
    }
    let tracking = record.tracking_id.as_deref().unwrap_or_default();
    let plain = tracking.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if tracking.is_empty() || tracking.len() > TRACKING_CHARS_MAX || !plain {
        return Err(code::TEMPLATE_BODY);
    }
    check_template(account, record)?;
    check_night(account, record, now_ms, code::NIGHT_BUSINESS)?;
    let left = account.spend_quota(now_ms).ok_or(code::QUOTA)?;
    let msg_id = msg_id();
    record.msg_id = Some(msg_id.clone());
    let quota = json!({"dailyQuota": account.daily_quota.to_string(), "remainingQuota": left.to_string()});
    Ok(json!({"msg_id": msg_id, "sent_time": now_ms.to_string(), "sending_mode": "1", "quota": quota}))
}

fn template_to_user(account: &mut Account, record: &mut Record, now_ms: i64) -> Coded {
    let user_id = follower(account, record)?;
    check_template(account, record)?;
    check_night(account, record, now_ms, code::NIGHT)?;
    let left = account.spend_quota(now_ms).ok_or(code::QUOTA)?;
    let message_id = msg_id();
    record.msg_id = Some(message_id.clone());
    let quota = json!({"quota_type": "purchase_quota", "remain": left});
    Ok(json!({"message_id": message_id, "user_id": user_id, "sent_time": now_ms.to_string(), "quota": quota}))
}

fn text(account: &mut Account, record: &mut Record, now_ms: i64) -> Coded {
    let user_id = follower(account, record)?;
    let length = record.text.as_deref().unwrap_or_default().chars().count();
    if length == 0 || length > TEXT_CHARS_MAX {
        return Err(code::BODY);
    }
    if !Account::within_window(&account.users[&user_id], now_ms) {
        return Err(code::WINDOW);
    }
    let message_id = msg_id();
    record.msg_id = Some(message_id.clone());
    Ok(json!({"message_id": message_id, "user_id": user_id}))
}

fn user_detail(account: &Account, record: &Record) -> Coded {
    let user_id = record.user_id.clone().ok_or(code::BODY)?;
    let user = account.users.get(&user_id).ok_or(code::BODY)?;
    let mut data = json!({
        "user_id": user_id, "user_id_by_app": format!("9{user_id}"), "user_is_follower": user.follows,
        "is_sensitive": false, "user_last_interaction_date": last_interaction(user.last_interaction_ms),
        "tags_and_notes_info": {"notes": [], "tag_names": []},
    });
    // Of somebody who does not follow, nothing is told; a phone that was not shared is the number 0.
    if user.follows {
        data["shared_info"] = match &user.phone {
            Some(phone) => json!({"phone": phone.parse::<u64>().unwrap_or(0)}),
            None => json!({"phone": 0}),
        };
    }
    Ok(data)
}

fn token(account: &mut Account, call: &Call, asked: &Value, now_ms: i64) -> Coded {
    let given = |name: &str| asked[name].as_str();
    if call.header("secret_key") != Some(DEVELOPMENT.app_secret) || given("app_id") != Some(DEVELOPMENT.app_id) {
        return Err(code::APP);
    }
    if given("grant_type") != Some("refresh_token") {
        return Err(code::APP);
    }
    let tokens = account.refresh(given("refresh_token").unwrap_or_default(), now_ms).ok_or(code::REFRESH_TOKEN)?;
    Ok(json!({"access_token": tokens.access, "refresh_token": tokens.refresh,
        "expires_in": tokens.seconds.to_string()}))
}

fn follower(account: &Account, record: &Record) -> Result<String, i64> {
    let user_id = record.user_id.clone().ok_or(code::BODY)?;
    match account.users.get(&user_id) {
        Some(user) if user.follows => Ok(user_id),
        _ => Err(code::NOT_FOLLOWING),
    }
}

/// Every value is text that is not too long, and none that the template has is missing.
fn check_template(account: &Account, record: &Record) -> Result<(), i64> {
    let id = record.template_id.as_deref().filter(|id| !id.is_empty()).ok_or(code::TEMPLATE_BODY)?;
    let data: &Map<String, Value> = record.template_data.as_object().ok_or(code::TEMPLATE_BODY)?;
    let registered = account.templates.get(id);
    let limit = |name: &str| match registered {
        Some(template) => template.parameters.get(name).copied(),
        None => Some(PARAMETER_CHARS_MAX),
    };
    let fits = |name: &str, value: &Value| {
        let length = value.as_str().map(|text| text.chars().count());
        matches!((length, limit(name)), (Some(1..), Some(limit)) if length <= Some(limit))
    };
    if data.len() > PARAMETERS_MAX || !data.iter().all(|(name, value)| fits(name, value)) {
        return Err(code::TEMPLATE_VALUE);
    }
    let missing = registered.is_some_and(|template| template.parameters.keys().any(|name| !data.contains_key(name)));
    if missing { Err(code::TEMPLATE_BODY) } else { Ok(()) }
}

fn check_night(account: &Account, record: &Record, now_ms: i64, at_night: i64) -> Result<(), i64> {
    let tag = record.template_id.as_ref().and_then(|id| account.templates.get(id)).map_or(0, |template| template.tag);
    if tag == 3 && !Account::promotion_hours(now_ms) { Err(at_night) } else { Ok(()) }
}

/// The body or the query as one JSON object.
fn asked(kind: Kind, call: &Call) -> Value {
    match kind {
        Kind::TemplatePhone | Kind::TemplateUser | Kind::Text => serde_json::from_slice(&call.body).unwrap_or_default(),
        Kind::UserDetail => {
            Call::form(&call.query, "data").and_then(|data| serde_json::from_str(&data).ok()).unwrap_or_default()
        }
        Kind::Token => {
            let form = String::from_utf8_lossy(&call.body).into_owned();
            let fields = ["refresh_token", "app_id", "grant_type"];
            fields
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), Value::String(Call::form(&form, name)?))))
                .collect()
        }
    }
}

/// What of a call is kept. Never a token.
fn read(kind: Kind, asked: &Value) -> Record {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut record = Record::new(kind);
    match kind {
        Kind::TemplatePhone => record.phone = text(&asked["phone"]),
        Kind::TemplateUser | Kind::UserDetail => record.user_id = text(&asked["user_id"]),
        Kind::Text => {
            record.user_id = text(&asked["recipient"]["user_id"]);
            record.text = text(&asked["message"]["text"]);
            record.picture = text(&asked["message"]["attachment"]["payload"]["elements"][0]["url"]);
        }
        Kind::Token => {}
    }
    if matches!(kind, Kind::TemplatePhone | Kind::TemplateUser) {
        record.template_id = text(&asked["template_id"]);
        record.template_data = asked["template_data"].clone();
        record.tracking_id = text(&asked["tracking_id"]);
    }
    record
}

/// The body of an answer. The token's address has a form of its own.
fn written(kind: Kind, done: Coded) -> Value {
    match (kind, done) {
        (Kind::Token, Ok(tokens)) => tokens,
        (Kind::Token, Err(error)) => {
            json!({"error": error, "error_name": "Refused", "error_reason": "", "error_description": words(error)})
        }
        (_, Ok(data)) => json!({"error": code::ACCEPTED, "message": "Success", "data": data}),
        (_, Err(error)) => json!({"error": error, "message": words(error), "data": null}),
    }
}

fn words(error: i64) -> &'static str {
    match error {
        code::RATE => "Out of rate limit",
        code::PHONE => "Phone number is invalid",
        code::TEMPLATE_BODY => "Template data is missing something",
        code::TEMPLATE_VALUE => "A value of the template data is invalid",
        code::TOKEN | code::TOKEN_BUSINESS => "Access token is invalid",
        code::TOKEN_EXPIRED => "Access token has expired",
        code::NIGHT | code::NIGHT_BUSINESS => "Not allowed at this time of day",
        code::QUOTA => "Out of daily quota",
        code::BODY => "Params is invalid",
        code::NOT_FOLLOWING => "User has not followed OA",
        code::WINDOW => "User has not interacted with the OA in the past 7 days",
        code::REFRESH_TOKEN => "Invalid refresh token",
        code::APP => "Invalid app id or secret key",
        -118 => "Zalo account not existed",
        _ => "As the script says",
    }
}

fn msg_id() -> String {
    hex::encode(rand::random::<[u8; 10]>())
}

/// `23/11/2026` in Vietnam, or nothing.
fn last_interaction(last_ms: Option<i64>) -> String {
    let local = last_ms.map(|last| crate::clock::instant(last).with_timezone(&chrono_tz::Asia::Ho_Chi_Minh));
    local.map_or(String::new(), |local| local.format("%d/%m/%Y").to_string())
}

/// A JSON answer of the stand-in's own controls.
pub fn json_response(body: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], format!("{body:#}\n")).into_response()
}
