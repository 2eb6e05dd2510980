//! Rows of `points-history`. Written once, never changed.

use chrono::NaiveDate;
use loyalty_domain::campaign::{ParticipationNote, ParticipationState};
use loyalty_domain::ids::{MemberId, OrderId, ProgrammeVersion, RequestId, RuleId, TierId};
use loyalty_domain::ledger::{Entry, EntryKind, Explanation, MergeNote, Note, Opened, Reason, WalletMove};
use loyalty_domain::order::Terms;
use loyalty_domain::time::Instant;
use serde::{Deserialize, Serialize};

use super::order::ImportedRecord;
use super::terms::{FactsRecord, TermsRecord};
use super::{LegsRecord, LotRecord, Unreadable};
use crate::item::{Item, sealed};
use crate::words::Text;

#[derive(Serialize, Deserialize)]
struct EntryRecord {
    member_id: Text<MemberId>,
    seq: u64,
    kind: Text<EntryKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order_id: Option<Text<OrderId>>,
    redeemable: i64,
    qualifying: i64,
    balance_after: LegsRecord,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lots: Vec<LotRecord>,
    #[serde(default, skip_serializing_if = "LegsRecord::is_zero")]
    written_off: LegsRecord,
    tier_before: Text<TierId>,
    tier_after: Text<TierId>,
    rule: Text<RuleId>,
    reason: Text<Reason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reverses: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request_id: Option<Text<RequestId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<NoteRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wallet: Option<WalletRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opened: Option<OpenedRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    merge: Option<MergeRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    participations: Vec<NotedRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    terms: Option<TermsRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    facts: Option<FactsRecord>,
    /// What the items of each rule of the terms cost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    matched: Vec<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deserves: Option<LegsRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    imported: Option<ImportedRecord>,
    /// Left out when it is the cycle the terms name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cycle_start: Option<Text<NaiveDate>>,
    programme_version: Text<ProgrammeVersion>,
    occurred_at: Text<Instant>,
    recorded_at: Text<Instant>,
}

#[derive(Serialize, Deserialize)]
struct NoteRecord {
    operator: String,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
}

impl From<&Note> for NoteRecord {
    fn from(Note { operator, text, subject }: &Note) -> Self {
        Self { operator: operator.clone(), text: text.clone(), subject: subject.clone() }
    }
}

impl From<NoteRecord> for Note {
    fn from(NoteRecord { operator, text, subject }: NoteRecord) -> Self {
        Self { operator, text, subject }
    }
}

#[derive(Serialize, Deserialize)]
struct WalletRecord {
    moved_minor: i64,
    after_minor: i64,
}

#[derive(Serialize, Deserialize)]
struct OpenedRecord {
    tier_since: Text<Instant>,
    cycle_start: Text<NaiveDate>,
    spent_minor: i64,
    orders_count: i64,
    cycle_spent_minor: i64,
    cycle_orders: i64,
}

#[derive(Serialize, Deserialize)]
struct MergeRecord {
    member_id: Text<MemberId>,
    seq: u64,
    from_cycle: Text<NaiveDate>,
    into_cycle: Text<NaiveDate>,
}

#[derive(Serialize, Deserialize)]
struct NotedRecord {
    campaign: Text<RuleId>,
    granted: u32,
    used: u32,
    state: Text<ParticipationState>,
}

pub(crate) fn encode(entry: &Entry) -> Item {
    let Entry {
        member_id,
        seq,
        kind,
        legs,
        balance_after,
        lots,
        written_off,
        tier_before,
        tier_after,
        order_id,
        rule,
        reason,
        reverses,
        request_id,
        note,
        wallet,
        opened,
        merge,
        participations,
        explanation,
        programme_version,
        occurred_at,
        recorded_at,
    } = entry;
    sealed(&EntryRecord {
        member_id: Text(member_id.clone()),
        seq: *seq,
        kind: Text(*kind),
        order_id: order_id.clone().map(Text),
        redeemable: legs.redeemable.0,
        qualifying: legs.qualifying.0,
        balance_after: (*balance_after).into(),
        lots: lots.iter().map(LotRecord::from).collect(),
        written_off: (*written_off).into(),
        tier_before: Text(tier_before.clone()),
        tier_after: Text(tier_after.clone()),
        rule: Text(rule.clone()),
        reason: Text(*reason),
        reverses: *reverses,
        request_id: request_id.clone().map(Text),
        note: note.as_ref().map(NoteRecord::from),
        wallet: wallet.map(|WalletMove { moved_minor, after_minor }| WalletRecord { moved_minor, after_minor }),
        opened: opened.map(OpenedRecord::from),
        merge: merge.as_ref().map(MergeRecord::from),
        participations: participations.iter().map(NotedRecord::from).collect(),
        terms: explanation.as_ref().map(|explanation| (&explanation.terms).into()),
        facts: explanation.as_ref().map(|explanation| explanation.facts.into()),
        matched: explanation.as_ref().map(|explanation| explanation.matched.clone()).unwrap_or_default(),
        deserves: explanation.as_ref().map(|explanation| explanation.deserves.into()),
        imported: explanation.as_ref().and_then(|explanation| explanation.imported).map(ImportedRecord::from),
        cycle_start: explanation
            .as_ref()
            .filter(|explanation| explanation.cycle_start != explanation.terms.cycle_start)
            .map(|explanation| Text(explanation.cycle_start)),
        programme_version: Text(programme_version.clone()),
        occurred_at: Text(*occurred_at),
        recorded_at: Text(*recorded_at),
    })
}

pub(crate) fn decode(item: Item) -> Result<Entry, Unreadable> {
    let record: EntryRecord = serde_dynamo::aws_sdk_dynamodb_1::from_item(item)?;
    let explanation = match (record.terms, record.facts, record.deserves) {
        (Some(terms), Some(facts), Some(deserves)) => {
            let terms = Terms::try_from(terms)?;
            let cycle_start = record.cycle_start.map_or(terms.cycle_start, |text| text.0);
            let (matched, deserves) = (record.matched, deserves.into());
            let imported = record.imported.map(Into::into);
            Some(Explanation { terms, facts: facts.into(), matched, deserves, imported, cycle_start })
        }
        (None, None, None) => None,
        _ => return Err(Unreadable::Pair("terms", "facts and deserves")),
    };
    Ok(Entry {
        member_id: record.member_id.0,
        seq: record.seq,
        kind: record.kind.0,
        legs: loyalty_domain::points::Legs::new(record.redeemable, record.qualifying),
        balance_after: record.balance_after.into(),
        lots: record.lots.into_iter().map(Into::into).collect(),
        written_off: record.written_off.into(),
        tier_before: record.tier_before.0,
        tier_after: record.tier_after.0,
        order_id: record.order_id.map(|text| text.0),
        rule: record.rule.0,
        reason: record.reason.0,
        reverses: record.reverses,
        request_id: record.request_id.map(|text| text.0),
        note: record.note.map(Note::from),
        wallet: record.wallet.map(|WalletRecord { moved_minor, after_minor }| WalletMove { moved_minor, after_minor }),
        opened: record.opened.map(Opened::from),
        merge: record.merge.map(MergeNote::from),
        participations: record.participations.into_iter().map(Into::into).collect(),
        explanation,
        programme_version: record.programme_version.0,
        occurred_at: record.occurred_at.0,
        recorded_at: record.recorded_at.0,
    })
}

impl From<Opened> for OpenedRecord {
    fn from(opened: Opened) -> Self {
        let Opened { tier_since, cycle_start, spent_minor, orders_count, cycle_spent_minor, cycle_orders } = opened;
        let (tier_since, cycle_start) = (Text(tier_since), Text(cycle_start));
        Self { tier_since, cycle_start, spent_minor, orders_count, cycle_spent_minor, cycle_orders }
    }
}

impl From<OpenedRecord> for Opened {
    fn from(record: OpenedRecord) -> Self {
        let OpenedRecord { spent_minor, orders_count, cycle_spent_minor, cycle_orders, .. } = record;
        let (tier_since, cycle_start) = (record.tier_since.0, record.cycle_start.0);
        Self { tier_since, cycle_start, spent_minor, orders_count, cycle_spent_minor, cycle_orders }
    }
}

impl From<&MergeNote> for MergeRecord {
    fn from(note: &MergeNote) -> Self {
        let MergeNote { member_id, seq, from_cycle, into_cycle } = note;
        let (from_cycle, into_cycle) = (Text(*from_cycle), Text(*into_cycle));
        Self { member_id: Text(member_id.clone()), seq: *seq, from_cycle, into_cycle }
    }
}

impl From<MergeRecord> for MergeNote {
    fn from(record: MergeRecord) -> Self {
        let MergeRecord { member_id, seq, from_cycle, into_cycle } = record;
        Self { member_id: member_id.0, seq, from_cycle: from_cycle.0, into_cycle: into_cycle.0 }
    }
}

impl From<&ParticipationNote> for NotedRecord {
    fn from(note: &ParticipationNote) -> Self {
        let ParticipationNote { campaign, granted, used, state } = note;
        Self { campaign: Text(campaign.clone()), granted: *granted, used: *used, state: Text(*state) }
    }
}

impl From<NotedRecord> for ParticipationNote {
    fn from(record: NotedRecord) -> Self {
        let NotedRecord { campaign, granted, used, state } = record;
        Self { campaign: campaign.0, granted, used, state: state.0 }
    }
}
