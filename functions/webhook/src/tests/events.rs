//! What shops report beside orders: believed, possible under the programme, and queued as it was signed.

use super::queued::{Mood, deliver_to};
use super::*;

/// The preset without top-ups.
fn without_topups() -> Door {
    let (before, rest) = PROGRAMME.split_once("[[topups]]").expect("a preset with top-ups");
    let (_, after) = rest.split_once("[[tiers]]").expect("tiers after them");
    door_with(&[], &format!("{before}[[tiers]]{after}"))
}

/// A programme that leaves tiers to the shop's system, which calls gold something else.
fn outside() -> Door {
    let aliased = PROGRAMME.replacen("id = \"gold\"", "id = \"gold\"\naliases = [\"Vàng\"]", 1);
    door_with(&[], &format!("tier_authority = \"outside\"\n{aliased}"))
}

fn who() -> Value {
    json!({"id": "KH-7", "phone": "0901234567", "name": "Trần Thị Bình"})
}

/// One of each type, good under a programme that takes it.
fn all() -> Vec<(&'static str, Value)> {
    let at = "2026-11-23T08:00:00+07:00";
    let body = |kind, data: Value| (kind, json!({"type": kind, "timestamp": at, "data": data}));
    vec![
        body("behaviour", json!({"event_id": "e1", "behaviour": "review", "customer": who(), "occurred_at": at})),
        body(
            "topup",
            json!({"event_id": "t1", "customer": who(), "amount": "1000000", "currency": "VND", "paid_at": at}),
        ),
        body("customer.registered", json!({"customer": who()})),
        body("customer.changed", json!({"customer": who()})),
        body("customer.changed", who()),
        body("customer.tier_changed", json!({"customer": who(), "tier": "gold", "changed_at": at})),
        body("customer.consent", json!({"customer": who(), "messages": {"promotional": false}, "changed_at": at})),
    ]
}

fn changed(kind: &str, path: &str, value: Value) -> String {
    let (_, mut body) = all().into_iter().find(|(known, _)| *known == kind).expect("a known type");
    *body.pointer_mut(path).expect(path) = value;
    body.to_string()
}

#[track_caller]
fn assert_refused_with(door: &Door, body: impl AsRef<[u8]>, status: u16, slug: &str, says: &str) {
    let verdict = Post::signed(Source::Standard, body).to(door);
    assert_refused(&verdict, status);
    let told = &answer(&verdict).body;
    assert!(told.contains(&format!("problem:{slug}\"")) && told.contains(says), "{slug}, {says}: {told}");
}

#[tokio::test]
async fn every_type_lies_in_its_queue_as_it_was_signed() {
    for (kind, body) in all() {
        // White space is part of what was signed.
        let body = format!(" {body}\n");
        let (response, queued) = deliver_to(&outside(), Mood::Takes, &Post::signed(Source::Standard, &body)).await;
        assert_eq!(response.status_code, 202, "{kind}");
        let Some(aws_lambda_events::encodings::Body::Text(told)) = response.body else { panic!("a text") };
        assert_eq!(told, r#"{"ignored":[],"queued":1,"set_aside":0}"#, "{kind}");
        assert_eq!(queued, [("http://queue/events".to_owned(), body)], "{kind}");
    }
}

#[tokio::test]
async fn what_is_not_stored_is_not_taken() {
    for mood in [Mood::Fails, Mood::TakesAllButOne] {
        let (_, body) = all().remove(0);
        let (response, _) = deliver_to(&door(), mood, &Post::signed(Source::Standard, body.to_string())).await;
        assert_eq!(response.status_code, 503);
    }
}

#[test]
fn only_the_generic_door_takes_them_and_only_when_they_are_signed() {
    for (kind, body) in all() {
        let text = body.to_string();
        assert_refused(&Post::unsigned(Source::Standard, &text).to(&outside()), 401);
        let forged = Post { body: text.replace("KH-7", "KH-8").into_bytes(), ..Post::signed(Source::Standard, &text) };
        assert_refused(&forged.to(&outside()), 401);
        for source in Source::ALL.into_iter().filter(|source| *source != Source::Standard) {
            let verdict = Post::signed(source, &text).to(&outside());
            let event = matches!(verdict, Verdict::Queue { event: Some(_), .. });
            assert!(!event && orders(&verdict).is_empty(), "{kind} by {source}: {verdict:?}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_said() {
    let nobody = json!({"name": "Trần Thị Bình"});
    for kind in
        ["behaviour", "topup", "customer.registered", "customer.changed", "customer.tier_changed", "customer.consent"]
    {
        let door = outside();
        let says = "neither an id nor a phone";
        assert_refused_with(&door, changed(kind, "/data/customer", nobody.clone()), 400, "unreadable", says);
        assert_refused_with(&door, changed(kind, "/data", json!(null)), 400, "unreadable", "data is missing");
        assert_refused_with(&door, changed(kind, "/data", json!("x")), 400, "unreadable", "wrong type");
        assert_refused_with(&door, changed(kind, "/type", json!(null)), 400, "unreadable", "type is missing");
        let half = changed(kind, "/type", json!(kind));
        assert_refused_with(&door, &half[..half.len() - 1], 400, "unreadable", "not JSON");
    }
    let odd = changed("customer.tier_changed", "/data/changed_at", json!("yesterday"));
    assert_refused_with(&outside(), odd, 400, "unreadable", "data.changed_at");
    // A "no" is never taken for nothing.
    for (wishes, says) in [
        (json!({}), "data.messages is missing"),
        (json!({"ads": false}), "transactional, care, promotional"),
        (json!({"care": "no"}), "true or false"),
        (json!({"care": null}), "true or false"),
        (json!([]), "wrong type"),
    ] {
        let odd = changed("customer.consent", "/data/messages", wishes);
        assert_refused_with(&outside(), odd, 400, "unreadable", says);
    }
    let odd = changed("topup", "/data/currency", json!("EUR"));
    assert_refused_with(&outside(), odd, 400, "unreadable", "VND");
}

#[test]
fn what_this_programme_does_not_do_is_refused() {
    let dance = changed("behaviour", "/data/behaviour", json!("dance"));
    assert_refused_with(&door(), dance, 422, "unknown-behaviour", "behaviours: review, share");
    assert_refused_with(&without_topups(), changed("topup", "/type", json!("topup")), 422, "no-topups", "no top-ups");
    assert_refused_with(&door(), changed("topup", "/data/amount", json!("0")), 422, "no-amount", "above zero");
}

/// X47: one of the two decides, and the other is told so. X37: a name that no tier has is no silent skip.
#[test]
fn a_tier_is_followed_only_where_the_programme_leaves_it_to_the_shop() {
    let gold = changed("customer.tier_changed", "/data/tier", json!("gold"));
    assert_refused_with(&door(), &gold, 409, "tiers-are-ours", "tier_authority");
    for name in ["gold", "GOLD", "Vàng", " vàng "] {
        let body = changed("customer.tier_changed", "/data/tier", json!(name));
        assert_eq!(Post::signed(Source::Standard, body).status(&outside()), 202, "{name}");
    }
    let unknown = changed("customer.tier_changed", "/data/tier", json!("0901234567"));
    assert_refused_with(&outside(), &unknown, 422, "unknown-tier", "gold (Gold, Vàng)");
    let told = Post::signed(Source::Standard, &unknown).to(&outside());
    assert!(!answer(&told).body.contains("0901234567"), "{told:?}");
}
