//! The committed JSON Schemas and examples are what the code says. `UPDATE_SCHEMAS=1 cargo test -p loyalty-contract`
//! writes the schemas anew.

use std::path::{Path, PathBuf};

use loyalty_contract::events::{
    BusEvent, CustomerTierChanged, Direction, Kind, PointsExpiring, PointsPosted, TierChanged, VoucherIssued, Why,
    schemas,
};
use loyalty_domain::ids::{OrderId, RuleId, TierId};
use loyalty_domain::ledger::{Entry, EntryKind, Reason};
use loyalty_domain::points::{Legs, Ratio};
use loyalty_domain::programme::{Tier, Tiers};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

fn file(folder: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(name)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn entry() -> Entry {
    Entry {
        member_id: "m_4f0c2d9e8b7a6153".into(),
        seq: 4,
        kind: EntryKind::Accrual,
        legs: Legs::new(60, 50),
        balance_after: Legs::new(262, 212),
        lots: Vec::new(),
        written_off: Legs::ZERO,
        tier_before: "member".into(),
        tier_after: "silver".into(),
        order_id: Some(OrderId::from("standard:DH-1004")),
        rule: RuleId::base(),
        reason: Reason::OrderEarned,
        reverses: None,
        request_id: None,
        note: None,
        wallet: None,
        opened: None,
        merge: None,
        participations: Vec::new(),
        explanation: None,
        programme_version: "cnv-retail@6f1c".into(),
        occurred_at: "2026-11-30T02:59:53Z".parse().unwrap(),
        recorded_at: "2026-11-30T03:00:00Z".parse().unwrap(),
    }
}

fn tiers() -> Tiers {
    let tier = |(id, threshold): (&str, i64)| Tier::new(id.into(), &id.to_uppercase(), threshold, Ratio::ONE);
    Tiers::new([("member", 0), ("silver", 200), ("gold", 700)].map(tier).to_vec()).unwrap()
}

#[test]
fn the_committed_schemas_are_what_the_code_generates() {
    for (name, schema) in schemas() {
        let path = file("schemas", name);
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, format!("{}\n", serde_json::to_string_pretty(&schema).unwrap())).unwrap();
        }
        // As values: the order of keys depends on what else is built, because features of one build unify.
        let committed: Value = serde_json::from_str(&read(&path)).unwrap();
        assert_eq!(committed, schema.to_value(), "{name} is out of date: run the tests once with UPDATE_SCHEMAS=1");
    }
}

/// The example, read into the type and written again, says the same; and it names no property the schema lacks.
fn check_example<T: Serialize + DeserializeOwned>(example: &str, schema: &str) {
    let text = read(&file("examples", example));
    let written: Value = serde_json::from_str(&text).unwrap();
    let detail: T = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_value(&detail).unwrap(), written, "{example}");
    let (_, schema) = schemas().into_iter().find(|(name, _)| *name == schema).unwrap();
    let schema = schema.to_value();
    for name in schema["required"].as_array().unwrap() {
        assert!(written.get(name.as_str().unwrap()).is_some(), "{example} lacks {name}");
    }
    for name in written.as_object().unwrap().keys() {
        assert!(schema["properties"].get(name).is_some(), "the schema of {example} lacks {name}");
    }
}

#[test]
fn the_examples_follow_the_schemas() {
    check_example::<PointsPosted>("points-posted.json", "points-posted.schema.json");
    check_example::<TierChanged>("tier-changed.json", "tier-changed.schema.json");
    check_example::<VoucherIssued>("voucher-issued.json", "voucher-issued.schema.json");
    check_example::<PointsExpiring>("points-expiring.json", "points-expiring.schema.json");
    check_example::<CustomerTierChanged>("customer-tier-changed.json", "customer-tier-changed.schema.json");
}

#[test]
fn an_entry_that_changes_the_tier_says_so_with_ids_of_its_own() {
    let events = BusEvent::of(&entry(), &tiers());
    let ids: Vec<_> = events.iter().map(BusEvent::event_id).collect();
    assert_eq!(ids, ["m_4f0c2d9e8b7a6153:4:PointsPosted", "m_4f0c2d9e8b7a6153:4:TierChanged"]);
    let example: TierChanged = serde_json::from_str(&read(&file("examples", "tier-changed.json"))).unwrap();
    assert_eq!(events[1], BusEvent::TierChanged(example));
    assert_eq!(events, BusEvent::of(&entry(), &tiers()));
}

/// T7: the tiers between were never held.
#[test]
fn who_climbs_two_tiers_by_one_decision_has_climbed_once() {
    let tier = |before: &str, after: &str, seq: u64, at: &str| Entry {
        tier_before: TierId::from(before),
        tier_after: TierId::from(after),
        seq,
        recorded_at: at.parse().unwrap(),
        ..entry()
    };
    let (now, later) = ("2026-11-23T01:15:07Z", "2026-11-23T01:15:08Z");
    let changes = |entries: &[Entry]| -> Vec<(usize, String, String)> {
        let (entries, tiers): (Vec<&Entry>, _) = (entries.iter().collect(), tiers());
        let events = BusEvent::of_entries(&entries, |_| &tiers).filter_map(|(at, event)| match event {
            BusEvent::TierChanged(changed) => Some((at, changed.tier_before, changed.tier_after)),
            _ => None,
        });
        events.collect()
    };
    let told = |at: usize, before: &str, after: &str| (at, before.to_owned(), after.to_owned());
    let climb = [tier("member", "silver", 1, now), tier("silver", "silver", 2, now), tier("silver", "gold", 3, now)];
    assert_eq!(changes(&climb), [told(2, "member", "gold")]);
    let apart = [tier("member", "silver", 1, now), tier("silver", "gold", 2, later)];
    assert_eq!(changes(&apart), [told(0, "member", "silver"), told(1, "silver", "gold")]);
    // A review that comes late with the order after it is a fall and a climb.
    let review = Entry { kind: EntryKind::Reset, reason: Reason::TierMissed, ..tier("gold", "silver", 1, now) };
    let back = [review, tier("silver", "gold", 2, now)];
    assert_eq!(changes(&back), [told(0, "gold", "silver"), told(1, "silver", "gold")]);
    // Everything else is told of each entry.
    let (entries, tiers): (Vec<&Entry>, _) = (climb.iter().collect(), tiers());
    let posted =
        BusEvent::of_entries(&entries, |_| &tiers).filter(|(_, event)| matches!(event, BusEvent::PointsPosted(_)));
    assert_eq!(posted.count(), 3);
}

#[test]
fn an_opening_says_nothing_whatever_it_says_of_tiers() {
    let opening = Entry { kind: EntryKind::Opening, reason: Reason::OpeningBalance, order_id: None, ..entry() };
    assert_eq!(BusEvent::of(&opening, &tiers()), []);
}

#[test]
fn the_direction_follows_the_ladder() {
    let direction = |before: &str, after: &str| {
        let entry = Entry { tier_before: TierId::from(before), tier_after: TierId::from(after), ..entry() };
        TierChanged::of(&entry, &tiers()).map(|changed| changed.direction)
    };
    assert_eq!(direction("member", "silver"), Some(Direction::Upgrade));
    assert_eq!(direction("silver", "member"), Some(Direction::Downgrade));
    assert_eq!(direction("platinum", "silver"), Some(Direction::Replaced));
    assert_eq!(direction("silver", "silver"), None);
}

#[test]
fn the_words_are_those_serde_writes() {
    for kind in Kind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        assert_eq!(Kind::from(EntryKind::from(*kind)), *kind);
    }
    for why in Why::ALL {
        assert_eq!(serde_json::to_value(why).unwrap(), why.word());
        assert_eq!(Why::from(Reason::from(*why)), *why);
    }
}
