//! What an operator is shown of the ledger.

use ledger_stream::{figures_of, used, written};
use loyalty_contract::programme::ProgrammeFile;
use loyalty_runtime::metrics::{Metric, Tally};
use serde_json::{Value, json};

use crate::{read, record};

fn figures(attributes: Value) -> Tally {
    let programmes = ProgrammeFile::parse(include_str!("../../../../infra/programmes/cnv-retail.toml")).unwrap();
    let written = written(read(record(7, attributes))).unwrap().unwrap();
    figures_of(&written, &programmes.at(written.at()).programme.tiers)
}

fn tally(counts: &[(Metric, i64)]) -> Tally {
    let mut tally = Tally::default();
    counts.iter().for_each(|(metric, count)| tally.add(*metric, *count));
    tally
}

fn moved(kind: &str, redeemable: i64) -> Value {
    json!({"kind": {"S": kind}, "redeemable": {"N": redeemable.to_string()}, "tier_after": {"S": "member"},
        "reverses": if kind == "reversal" { json!({"N": "1"}) } else { Value::Null }})
}

#[test]
fn points_are_counted_by_what_moved_them() {
    for (kind, points, expected) in [
        ("accrual", 50, vec![(Metric::PointsOut, 50)]),
        ("welcome", 100, vec![(Metric::PointsOut, 100)]),
        ("behaviour", 20, vec![(Metric::PointsOut, 20)]),
        ("bonus", 150, vec![(Metric::PointsOut, 150), (Metric::CampaignCredited, 1)]),
        ("reversal", -50, vec![(Metric::PointsReversed, 50)]),
        ("adjustment", 5, vec![(Metric::PointsOut, 5)]),
        ("adjustment", -5, vec![(Metric::PointsReversed, 5)]),
        ("redemption", -40, vec![(Metric::PointsSpent, 40)]),
        ("restoration", 40, vec![(Metric::PointsSpent, -40)]),
        ("expiration", -7, vec![(Metric::PointsExpired, 7)]),
        ("reset", 0, vec![]),
        // Nothing that is new: they were there before, or another member had them.
        ("opening", 500, vec![]),
        ("merge_in", 500, vec![]),
        ("merge_out", -500, vec![]),
    ] {
        assert_eq!(figures(moved(kind, points)), tally(&expected), "{kind} {points}");
    }
}

#[test]
fn tiers_are_counted_by_their_rank() {
    let from = |before: &str, after: &str| {
        figures(json!({"redeemable": {"N": "0"}, "tier_before": {"S": before}, "tier_after": {"S": after}}))
    };
    assert_eq!(from("member", "silver"), tally(&[(Metric::TiersRaised, 1)]));
    assert_eq!(from("gold", "silver"), tally(&[(Metric::TiersLowered, 1)]));
    assert_eq!(from("silver", "silver"), Tally::default());
}

#[test]
fn a_participation_is_counted_when_it_ends() {
    let noted = |state: &str| {
        let note = json!({"M": {"campaign": {"S": "fast"}, "granted": {"N": "2"}, "used": {"N": "2"},
            "state": {"S": state}}});
        figures(json!({"redeemable": {"N": "0"}, "tier_after": {"S": "member"}, "participations": {"L": [note]}}))
    };
    assert_eq!(noted("active"), Tally::default());
    assert_eq!(noted("completed"), tally(&[(Metric::CampaignPromoted, 1)]));
    assert_eq!(noted("exhausted"), tally(&[(Metric::CampaignExhausted, 1)]));
}

#[test]
fn a_voucher_is_used_when_its_row_says_so() {
    let of = |event: &str, state: &str| {
        let mut record = record(7, json!({}));
        record["eventName"] = json!(event);
        record["dynamodb"]["Keys"] = json!({"voucher_id": {"S": "v_1"}});
        record["dynamodb"]["NewImage"] = json!({"voucher_id": {"S": "v_1"}, "state": {"S": state}});
        used(&read(record))
    };
    assert!(of("MODIFY", "used"));
    assert!(!of("MODIFY", "issued") && !of("MODIFY", "expired") && !of("INSERT", "used"));
    assert!(!used(&read(record(7, json!({"state": {"S": "used"}})))), "an entry is no voucher");
}
