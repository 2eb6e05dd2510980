//! The official account's door: believed by its own signature, thanked for all that is its own.

use loyalty_contract::zalo::{FromZalo, ZaloEvent};
use loyalty_signatures::sign_zalo;

use super::queued::{Mood, deliver_to};
use super::*;

pub const APP_ID: &str = "1000000000000000001";
pub const SECRET: &str = "secret-of-the-account";
const PHONE: &str = "0901234567";
const USER: &str = "24684588352919792";

fn stamp() -> String {
    (NOW_MS - 2_000).to_string()
}

fn event(name: &str, fields: Value) -> Value {
    let mut event = json!({"event_name": name, "app_id": APP_ID, "oa_id": "2", "timestamp": stamp()});
    for (field, value) in fields.as_object().expect("fields") {
        event[field] = value.clone();
    }
    event
}

fn follow() -> String {
    event("follow", json!({"follower": {"id": USER}})).to_string()
}

fn unsigned(body: impl AsRef<[u8]>) -> Post {
    Post { source: "zalo".into(), ..Post::unsigned(Source::Standard, body) }
}

/// As Zalo signs: with the time that the body names.
fn signed(body: impl AsRef<[u8]>) -> Post {
    signed_with(SECRET, &stamp(), body)
}

fn signed_with(secret: &str, time: &str, body: impl AsRef<[u8]>) -> Post {
    let post = unsigned(body);
    let mac = sign_zalo(secret.as_bytes(), APP_ID, time, &post.body);
    post.header("X-ZEvent-Signature", &format!("mac={mac}"))
}

/// Deliveries that name a person, believed and not, readable and not.
pub fn about_a_person(user_id: &str, phone: &str, name: &str) -> Vec<Post> {
    let info = json!({"phone": phone, "name": name});
    let whole = event("user_submit_info", json!({"sender": {"id": user_id}, "info": info})).to_string();
    let half = event("follow", json!({"follower": {"name": name, "phone": phone}, "user": user_id})).to_string();
    let broken = whole.replace(':', phone);
    vec![signed(&whole), unsigned(&whole), signed_with("another", &stamp(), &whole), signed(half), signed(broken)]
}

/// The event that was queued, if one was, and after how many seconds it is handed out.
fn queued(verdict: &Verdict) -> Option<(FromZalo, i32)> {
    let Verdict::Queue { event: Some(event), orders, quarantined, .. } = verdict else { return None };
    assert!(orders.is_empty() && quarantined.is_empty());
    Some((FromZalo::of(&event.body).expect("a message of the queue"), event.delay_seconds))
}

fn told(post: &Post) -> ZaloEvent {
    let verdict = post.to(&door());
    assert_eq!(answer(&verdict).status, 200, "{verdict:?}");
    match queued(&verdict) {
        Some((FromZalo::Event(event), _)) => event,
        _ => panic!("{verdict:?}"),
    }
}

#[track_caller]
fn assert_not_believed(door: &Door, post: &Post) {
    let verdict = post.to(door);
    assert_refused(&verdict, 503);
}

#[tokio::test]
async fn an_event_lies_in_the_queue_when_zalo_is_thanked() {
    let (response, stored) = deliver_to(&door(), Mood::Takes, &signed(follow())).await;
    assert_eq!(response.status_code, 200);
    let [(url, message)] = &stored[..] else { panic!("{stored:?}") };
    assert_eq!(url, "http://queue/events");
    let at = chrono::DateTime::from_timestamp_millis(NOW_MS - 2_000).unwrap();
    let expected = FromZalo::Event(ZaloEvent::Follow { user_id: USER.into(), follows: true, at });
    assert!(FromZalo::of(message) == Some(expected), "{message}");
    for mood in [Mood::Fails, Mood::TakesAllButOne] {
        let (response, _) = deliver_to(&door(), mood, &signed(follow())).await;
        assert_eq!(response.status_code, 503, "what is not stored is not taken");
    }
}

/// The time that is signed is the body's, or that of a header.
#[test]
fn it_is_believed_by_either_time_and_either_live_secret() {
    let kind = |post: &Post| told(post).kind();
    assert_eq!(kind(&signed(follow())), "follow");
    let by_header = signed_with(SECRET, "1795396509999", follow());
    assert_not_believed(&door(), &by_header);
    assert_eq!(kind(&by_header.header("X-ZEvent-Timestamp", "1795396509999")), "follow");
    assert_eq!(kind(&signed(follow()).header("X-ZEvent-Timestamp", "1795396509999")), "follow");
    let both = door_with(&[("ZALO_OA_SECRET", "next-secret-of-the-account secret-of-the-account")], PROGRAMME);
    for secret in [SECRET, "next-secret-of-the-account"] {
        assert_eq!(signed_with(secret, &stamp(), follow()).status(&both), 200, "{secret}");
    }
    let spaced = format!(" {}\n", follow());
    assert_eq!(kind(&signed(&spaced)), "follow", "white space is signed too");
    let base64 = signed(follow()).event("POST", true, &json!({}));
    assert!(queued(&door().receive(&Request::of(&base64))).is_some());
}

#[test]
fn what_zalo_has_not_signed_leaves_nothing_behind() {
    let forged = Post { body: follow().replace(USER, "7").into_bytes(), ..signed(follow()) };
    let hmac = {
        let digits =
            loyalty_signatures::sign_kiotviet(SECRET.as_bytes(), format!("{APP_ID}{}{}", follow(), stamp()).as_bytes());
        unsigned(follow()).header("X-ZEvent-Signature", &digits.replace("sha1=", "mac="))
    };
    for post in [
        unsigned(follow()),
        forged,
        hmac,
        signed_with("another secret", &stamp(), follow()),
        unsigned(follow()).header("X-ZEvent-Signature", "mac=zz"),
        signed("{}").header("X-ZEvent-Timestamp", "12a"),
        signed_with(SECRET, "", r#"{"event_name":"follow","follower":{"id":"7"}}"#),
        // Digits of the body in the header's time.
        signed_with(SECRET, "", r#"{"event_name":"follow","follower":{"id":"7"}}"#).header("X-ZEvent-Timestamp", "}"),
    ] {
        assert_not_believed(&door(), &post);
    }
    for closed in [[("ZALO_OA_SECRET", "")], [("ZALO_APP_ID", "")], [("ZALO_OA_SECRET", "a b c")]] {
        assert_not_believed(&door_with(&closed, PROGRAMME), &signed(follow()));
        assert_eq!(
            unsigned("{}").status(&door_with(&closed, PROGRAMME)),
            200,
            "the console asks before a secret is set"
        );
    }
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(256 * 1024));
    assert_not_believed(&door(), &signed(long));
}

#[test]
fn the_consoles_question_gets_200_and_does_nothing() {
    for body in ["{}", " { } ", ""] {
        let verdict = unsigned(body).to(&door());
        assert!(matches!(&verdict, Verdict::Answer(answer) if answer.status == 200), "{body}: {verdict:?}");
    }
    assert_not_believed(&door(), &unsigned("{}").header("X-ZEvent-Signature", "mac=00"));
    let get = door().receive(&Request::of(&unsigned("").event("GET", false, &json!({}))));
    assert_eq!(answer(&get).status, 405);
}

/// Zalo stops calling when it is told of a fault too often.
#[test]
fn all_that_is_zalos_own_gets_200() {
    let nothing = signed(event("oa_send_text", json!({"sender": {"id": "2"}})).to_string()).to(&door());
    assert!(matches!(&nothing, Verdict::Answer(answer) if answer.status == 200), "{nothing:?}");
    for odd in [event("follow", json!({})), json!({"timestamp": stamp()}), event("user_received_message", json!({}))] {
        let verdict = signed(odd.to_string()).to(&door());
        assert_eq!(answer(&verdict).status, 200, "{verdict:?}");
        let Some((FromZalo::Unread { body }, 0)) = queued(&verdict) else { panic!("{verdict:?}") };
        assert_eq!(body, odd.to_string(), "kept as it came");
    }
    let broken = signed_with(SECRET, "1795396509999", "follow").header("X-ZEvent-Timestamp", "1795396509999");
    assert!(matches!(queued(&broken.to(&door())), Some((FromZalo::Unread { .. }, 0))));
}

/// What people write to the account, and who they are beside their number, stays outside.
#[test]
fn only_what_is_used_is_queued() {
    let written = json!({"sender": {"id": USER}, "message": {"text": "con mèo của tôi", "msg_id": "m"}});
    let verdict = signed(event("user_send_text", written).to_string()).to(&door());
    let info =
        json!({"sender": {"id": USER}, "info": {"name": "Trần Thị Bình", "address": "12 Hàng Bông", "phone": PHONE}});
    let submitted = signed(event("user_submit_info", info).to_string()).to(&door());
    for verdict in [verdict, submitted] {
        let Verdict::Queue { event: Some(body), .. } = &verdict else { panic!("{verdict:?}") };
        for personal in ["mèo", "Bình", "Hàng"] {
            assert!(!body.body.contains(personal), "{personal}");
        }
        let shown = format!("{verdict:?}");
        assert!(!shown.contains(USER) && !shown.contains("901234567"), "{shown}");
    }
}

/// The sender notes what Zalo answered a moment after it did, and a receipt must find the note.
#[test]
fn a_receipt_waits_for_what_it_is_about() {
    let message = json!({"msg_id": "15a0", "tracking_id": "t7", "delivery_time": stamp()});
    let receipt = event("user_received_message", json!({"recipient": {"id": "84901234567"}, "message": message}));
    let verdict = signed(receipt.to_string()).to(&door());
    let Some((FromZalo::Event(ZaloEvent::Received { keys, .. }), delay)) = queued(&verdict) else {
        panic!("{verdict:?}")
    };
    assert_eq!((keys, delay), (vec!["t7".to_owned(), "15a0".to_owned()], 15));
}

/// A shop signs for itself alone.
#[test]
fn no_shop_speaks_for_zalo() {
    let at = chrono::DateTime::from_timestamp_millis(NOW_MS).unwrap();
    let message = FromZalo::Event(ZaloEvent::Follow { user_id: USER.into(), follows: false, at }).to_json();
    for source in Source::ALL {
        let verdict = Post::signed(source, &message).to(&door());
        assert!(!matches!(verdict, Verdict::Queue { event: Some(_), .. }), "{source}: {verdict:?}");
    }
}
