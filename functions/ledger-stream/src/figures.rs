//! What an operator watches of the ledger: points out and back, tiers, campaigns, vouchers.

use aws_lambda_events::dynamodb::EventRecord;
use loyalty_domain::campaign::ParticipationState;
use loyalty_domain::ledger::{Entry, EntryKind};
use loyalty_domain::programme::Tiers;
use loyalty_runtime::metrics::{Metric, Tally};
use serde_dynamo::AttributeValue;

use crate::Written;

/// The figures of one row.
pub fn figures_of(written: &Written, tiers: &Tiers) -> Tally {
    let mut tally = Tally::default();
    match written {
        Written::Entry(entry) => of_entry(entry, tiers, &mut tally),
        Written::Voucher(_) => tally.add(Metric::VouchersIssued, 1),
    }
    tally
}

fn of_entry(entry: &Entry, tiers: &Tiers, tally: &mut Tally) {
    let points = entry.legs.redeemable.0;
    let (given, taken) = (points.max(0), points.min(0).saturating_neg());
    match entry.kind {
        EntryKind::Accrual
        | EntryKind::Bonus
        | EntryKind::Welcome
        | EntryKind::Behaviour
        | EntryKind::Reversal
        | EntryKind::Adjustment
        | EntryKind::Topup
        | EntryKind::Payment => {
            tally.add(Metric::PointsOut, given);
            tally.add(Metric::PointsReversed, taken);
        }
        EntryKind::Redemption | EntryKind::Restoration => tally.add(Metric::PointsSpent, points.saturating_neg()),
        EntryKind::Expiration => tally.add(Metric::PointsExpired, taken),
        // Points that were there before, or that another member had.
        EntryKind::Opening | EntryKind::MergeIn | EntryKind::MergeOut => return,
        EntryKind::Reset | EntryKind::Tier => {}
    }
    let rank = |tier| tiers.rank(tier);
    match rank(&entry.tier_after).cmp(&rank(&entry.tier_before)) {
        std::cmp::Ordering::Greater => tally.add(Metric::TiersRaised, 1),
        std::cmp::Ordering::Less => tally.add(Metric::TiersLowered, 1),
        std::cmp::Ordering::Equal => {}
    }
    if entry.kind == EntryKind::Bonus && given > 0 {
        tally.add(Metric::CampaignCredited, 1);
    }
    if entry.kind != EntryKind::Reversal {
        for note in &entry.participations {
            match note.state {
                ParticipationState::Active => {}
                ParticipationState::Completed => tally.add(Metric::CampaignPromoted, 1),
                ParticipationState::Exhausted => tally.add(Metric::CampaignExhausted, 1),
            }
        }
    }
}

/// Whether a record says that a voucher was used.
pub fn used(record: &EventRecord) -> bool {
    let state = record.change.new_image.get("state");
    record.event_name == "MODIFY"
        && record.change.keys.contains_key("voucher_id")
        && matches!(state, Some(AttributeValue::S(state)) if state == "used")
}
