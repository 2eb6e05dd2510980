//! What the official account at Zalo tells: who follows it, who did something in it, which phone a user has, and which
//! messages arrived.
//!
//! Only what is used of an event travels on: what people write to the account is read by nobody here. Ids and times come
//! as text or as numbers; an event that is none of ours is no error, because Zalo sends many and adds to them.

use std::fmt;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use loyalty_domain::time::believed;
use serde::{Deserialize, Serialize};

use crate::phone::{Phone, normalise};
use crate::webhook::json::{Field, Read, list, object};
use crate::webhook::{ParseError, checked_object};

/// The name in the route.
pub const ZALO: &str = "zalo";
/// Longer ids are none of Zalo's.
const ID_CHARS_MAX: usize = 64;
/// Receipts of one event.
const RECEIPTS_MAX: usize = 50;
/// Zalo's own samples have times with a digit missing. A time this long ago and from before [`FIRST_MS`] is one.
const BROKEN_AFTER_DAYS: i64 = 60;
/// 2015: there were no official accounts before.
const FIRST_MS: i64 = 1_420_070_400_000;

/// An event of the account. `Debug` shows nobody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ZaloEvent {
    /// A user follows the account, or no longer does.
    Follow { user_id: String, follows: bool, at: DateTime<Utc> },
    /// A user wrote to the account or pressed something in it: texts to them are allowed for seven days from here.
    Interacted { user_id: String, at: DateTime<Utc> },
    /// A user told their phone number, which is also something done in the account.
    Submitted { user_id: String, phone: Phone, at: DateTime<Utc> },
    /// Messages reached their reader. The keys are what they may be known by: our own tracking id, or Zalo's id.
    Received { keys: Vec<String>, at: DateTime<Utc> },
}

impl ZaloEvent {
    /// For logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Follow { follows: true, .. } => "follow",
            Self::Follow { follows: false, .. } => "unfollow",
            Self::Interacted { .. } => "interaction",
            Self::Submitted { .. } => "user_submit_info",
            Self::Received { .. } => "user_received_message",
        }
    }
}

impl fmt::Debug for ZaloEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ZaloEvent({}, hidden)", self.kind())
    }
}

/// What lies in the queue of events, beside what shops have signed: written by the door alone, after it believed the
/// delivery. The door takes no event of a shop with such a type.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum FromZalo {
    #[serde(rename = "zalo.event")]
    Event(ZaloEvent),
    /// It is Zalo's, but could not be read: kept, because Zalo stops calling when it is told so. It is read again each
    /// time it comes, and so ends in the dead letters until there is code that can.
    #[serde(rename = "zalo.unread")]
    Unread { body: String },
}

impl FromZalo {
    /// What a message of the queue holds, if it is of this kind at all.
    pub fn of(message: &str) -> Option<Self> {
        serde_json::from_str(message).ok()
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data")
    }
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    event_name: Field,
    #[serde(default)]
    timestamp: Field,
    #[serde(default, deserialize_with = "object")]
    follower: Option<Party>,
    #[serde(default, deserialize_with = "object")]
    sender: Option<Party>,
    #[serde(default, deserialize_with = "object")]
    info: Option<Info>,
    #[serde(default, deserialize_with = "object")]
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Party {
    #[serde(default)]
    id: Field,
}

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    phone: Field,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    msg_id: Field,
    #[serde(default, deserialize_with = "list")]
    msg_ids: Vec<Field>,
    #[serde(default)]
    tracking_id: Field,
    #[serde(default)]
    delivery_time: Field,
}

#[derive(Deserialize)]
struct Stamp {
    #[serde(default)]
    timestamp: Field,
}

/// The time that a body names, as it was signed: needed before the body is believed, and nothing else of it is.
pub fn signed_timestamp(body: &[u8]) -> Option<String> {
    let stamp: Stamp = serde_json::from_str(checked_object(body).ok()?).ok()?;
    stamp.timestamp.text()
}

/// The event in a body; `None` for one that nothing here follows from.
///
/// # Errors
/// [`ParseError`]; nothing of the body has been taken then.
pub fn parse(body: &[u8], received_at: DateTime<Utc>) -> Result<Option<ZaloEvent>, ParseError> {
    let body: Body = serde_json::from_str(checked_object(body)?)?;
    let name = body.event_name.text().ok_or(ParseError::Missing("event_name"))?;
    let at = time(&body.timestamp, received_at).unwrap_or(received_at);
    let sender = || id("sender.id", body.sender.as_ref());
    Ok(Some(match name.as_str() {
        "follow" | "unfollow" => {
            let user_id = id("follower.id", body.follower.as_ref())?;
            ZaloEvent::Follow { user_id, follows: name == "follow", at }
        }
        "user_submit_info" => {
            let told = body.info.as_ref().and_then(|info| info.phone.id());
            match told.and_then(|phone| normalise(&phone).ok()) {
                Some(phone) => ZaloEvent::Submitted { user_id: sender()?, phone, at },
                None => ZaloEvent::Interacted { user_id: sender()?, at },
            }
        }
        "user_received_message" => {
            let message = body.message.as_ref().ok_or(ParseError::Missing("message"))?;
            let keys = receipts(message);
            if keys.is_empty() {
                return Err(ParseError::Missing("message.msg_id"));
            }
            // The time of an event may be earlier than what it tells.
            ZaloEvent::Received { keys, at: time(&message.delivery_time, received_at).unwrap_or(at) }
        }
        // Texts, pictures, stickers, places …; buttons and "chat now".
        name if name.starts_with("user_send_") || name.starts_with("user_click_") => {
            ZaloEvent::Interacted { user_id: sender()?, at }
        }
        _ => return Ok(None),
    }))
}

fn id(name: &'static str, party: Option<&Party>) -> Result<String, ParseError> {
    let id = party.and_then(|party| party.id.id()).ok_or(ParseError::Missing(name))?;
    if id.chars().count() > ID_CHARS_MAX {
        return Err(ParseError::Invalid { field: name, why: "is longer than 64 characters" });
    }
    Ok(id)
}

fn receipts(message: &Message) -> Vec<String> {
    let named = [&message.tracking_id, &message.msg_id].into_iter().chain(&message.msg_ids);
    let mut keys = Vec::new();
    for key in named.filter_map(|field| field.id()).filter(|key| key.len() <= ID_CHARS_MAX) {
        if !keys.contains(&key) && keys.len() < RECEIPTS_MAX {
            keys.push(key);
        }
    }
    keys
}

/// Milliseconds since 1970, as far as they are believed; `None` for what is no time, or a broken one.
fn time(field: &Field, received_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let ms = field.code()?;
    let said = Utc.timestamp_millis_opt(ms).single()?;
    let broken = ms < FIRST_MS && received_at - said > TimeDelta::days(BROKEN_AFTER_DAYS);
    (!broken).then(|| believed(said, received_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW_MS: i64 = 1_795_396_510_000;

    fn at(ms: i64) -> DateTime<Utc> {
        Utc.timestamp_millis_opt(ms).unwrap()
    }

    fn read(body: &Value) -> Result<Option<ZaloEvent>, ParseError> {
        parse(body.to_string().as_bytes(), at(NOW_MS))
    }

    fn good(body: &Value) -> ZaloEvent {
        read(body).unwrap().unwrap_or_else(|| panic!("{body}"))
    }

    #[test]
    fn every_event_is_read_with_ids_as_text_or_number() {
        for id in [json!("24684588352919792"), json!(24_684_588_352_919_792_u64)] {
            let user_id = || "24684588352919792".to_owned();
            let stamp = (NOW_MS - 5_000).to_string();
            let follow = json!({"event_name": "follow", "follower": {"id": id}, "timestamp": stamp});
            let then = at(NOW_MS - 5_000);
            assert!(good(&follow) == ZaloEvent::Follow { user_id: user_id(), follows: true, at: then });
            let unfollow = json!({"event_name": "unfollow", "follower": {"id": id}, "timestamp": NOW_MS - 5_000});
            assert!(good(&unfollow) == ZaloEvent::Follow { user_id: user_id(), follows: false, at: then });
            for name in ["user_send_text", "user_send_image", "user_click_chatnow"] {
                let told = json!({"event_name": name, "sender": {"id": id}, "timestamp": stamp,
                    "message": {"text": "xin chào", "msg_id": "m"}});
                assert!(good(&told) == ZaloEvent::Interacted { user_id: user_id(), at: then }, "{name}");
            }
            for phone in [json!("0901234567"), json!("+84 901 234 567"), json!(84_901_234_567_u64)] {
                let told = json!({"event_name": "user_submit_info", "sender": {"id": id}, "timestamp": stamp,
                    "info": {"name": "Lan", "phone": phone, "address": "Hà Nội"}});
                let phone = normalise("0901234567").unwrap();
                assert!(good(&told) == ZaloEvent::Submitted { user_id: user_id(), phone, at: then });
            }
        }
    }

    /// A number that was not shared is 0, and one that cannot be read links nobody.
    #[test]
    fn without_a_phone_it_is_an_interaction() {
        for info in [json!({"phone": 0}), json!({"phone": "abc"}), json!({}), json!(null), json!([])] {
            let told = json!({"event_name": "user_submit_info", "sender": {"id": "7"}, "info": info});
            assert!(good(&told) == ZaloEvent::Interacted { user_id: "7".into(), at: at(NOW_MS) }, "{told}");
        }
    }

    /// The true time of a receipt is its own; the event's may be earlier.
    #[test]
    fn a_receipt_names_what_arrived_and_when() {
        let zns = json!({"event_name": "user_received_message", "sender": {"id": "1"}, "recipient": {"id": "84901234567"},
            "timestamp": (NOW_MS - 90_000).to_string(), "message": {"delivery_time": (NOW_MS - 10_000).to_string(),
            "msg_id": "15a0", "tracking_id": "t7"}});
        let keys = vec!["t7".to_owned(), "15a0".to_owned()];
        assert!(good(&zns) == ZaloEvent::Received { keys, at: at(NOW_MS - 10_000) });
        let oa = json!({"event_name": "user_received_message", "timestamp": NOW_MS - 90_000,
            "message": {"msg_ids": ["a", "b", "a", 7]}});
        let keys = ["a", "b", "7"].map(str::to_owned).to_vec();
        assert!(good(&oa) == ZaloEvent::Received { keys, at: at(NOW_MS - 90_000) });
    }

    #[test]
    fn a_broken_time_is_when_it_came_and_so_is_one_far_ahead() {
        for (stamp, then) in [
            (json!("154397978274"), NOW_MS),
            (json!(""), NOW_MS),
            (json!(null), NOW_MS),
            (json!("soon"), NOW_MS),
            (json!("99999999999999999999"), NOW_MS),
            (json!((NOW_MS + 3_600_000).to_string()), NOW_MS),
            (json!((NOW_MS + 60_000).to_string()), NOW_MS + 60_000),
            (json!("1602960467432"), 1_602_960_467_432),
        ] {
            let told = json!({"event_name": "follow", "follower": {"id": "7"}, "timestamp": stamp});
            assert!(good(&told) == ZaloEvent::Follow { user_id: "7".into(), follows: true, at: at(then) }, "{stamp}");
        }
        // A stack whose clock was set to 1997 hears of 1997.
        let past = at(860_000_000_000);
        let told = br#"{"event_name":"follow","follower":{"id":"7"},"timestamp":"859999999000"}"#;
        assert!(
            parse(told, past).unwrap().unwrap()
                == ZaloEvent::Follow { user_id: "7".into(), follows: true, at: at(859_999_999_000) }
        );
    }

    #[test]
    fn what_is_not_ours_is_nothing_and_what_lacks_something_is_an_error() {
        for name in
            ["oa_send_text", "user_seen_message", "add_user_to_tag", "change_oa_daily_quota", "anonymous_send_text"]
        {
            assert_eq!(read(&json!({"event_name": name, "sender": {"id": "1"}})), Ok(None), "{name}");
        }
        assert_eq!(read(&json!({})), Err(ParseError::Missing("event_name")));
        assert_eq!(read(&json!({"event_name": "follow"})), Err(ParseError::Missing("follower.id")));
        assert_eq!(
            read(&json!({"event_name": "follow", "follower": {"id": "0"}})),
            Err(ParseError::Missing("follower.id"))
        );
        assert_eq!(read(&json!({"event_name": "user_send_text", "sender": {}})), Err(ParseError::Missing("sender.id")));
        let long = json!({"event_name": "follow", "follower": {"id": "7".repeat(65)}});
        assert!(matches!(read(&long), Err(ParseError::Invalid { field: "follower.id", .. })));
        let nothing = json!({"event_name": "user_received_message", "message": {}});
        assert_eq!(read(&nothing), Err(ParseError::Missing("message.msg_id")));
        assert!(read(&json!([])).is_err() && read(&json!("follow")).is_err());
    }

    #[test]
    fn the_queue_knows_them_from_what_shops_have_signed() {
        let event = good(&json!({"event_name": "follow", "follower": {"id": "7"}}));
        let message = FromZalo::Event(event).to_json();
        assert!(FromZalo::of(&message).is_some_and(|read| read.to_json() == message));
        let unread = FromZalo::Unread { body: "{\"a\":".to_owned() }.to_json();
        assert!(FromZalo::of(&unread).is_some_and(|read| read.to_json() == unread));
        for other in [r#"{"type":"behaviour","data":{}}"#, r#"{"type":"zalo.event","data":{}}"#, "", "x"] {
            assert!(FromZalo::of(other).is_none(), "{other}");
        }
    }

    #[test]
    fn nobody_shows() {
        let phone = normalise("0901234567").unwrap();
        let event = ZaloEvent::Submitted { user_id: "24684588352919792".into(), phone, at: at(NOW_MS) };
        let shown = format!("{event:?}");
        assert!(!shown.contains("2468") && !shown.contains("901234567"), "{shown}");
    }
}
