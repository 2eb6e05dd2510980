//! What the engine tells the rest of the shop: the details of its events on the bus, source `loyalty`.
//!
//! An event is derived from one row that was written, most often a ledger entry, or from what a day's run tells. It
//! carries the member id and never a name, phone, e-mail address or the code of a voucher. Its id is derived too, so a
//! replay sends the same event again (I8). The JSON Schemas under `schemas/` are generated from these types; fields are
//! added freely, never renamed.

use chrono::NaiveDate;
use loyalty_domain::campaign::{ParticipationNote, ParticipationState};
use loyalty_domain::daily::{About, Notice};
use loyalty_domain::ids::{MemberId, VoucherId};
use loyalty_domain::ledger::{Entry, EntryKind};
use loyalty_domain::money::Currency;
use loyalty_domain::points::Legs;
use loyalty_domain::programme::Tiers;
use loyalty_domain::time::Instant;
use loyalty_domain::voucher::Grant;
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};

use crate::command::Worth;

mod words;

pub use words::{Kind, ParticipationWord, Why};

/// The `source` of every event the engine sends.
pub const SOURCE: &str = "loyalty";

/// The version of the details' shape; it rises only when a field changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// One event: what goes on the bus as `detail-type` and `detail`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusEvent {
    PointsPosted(PointsPosted),
    TierChanged(TierChanged),
    CampaignCompleted(CampaignEnded),
    CampaignExhausted(CampaignEnded),
    VoucherIssued(VoucherIssued),
    PointsExpiring(PointsExpiring),
}

impl BusEvent {
    /// What entries have to say, each event beside the place of its entry. Who climbs several tiers by one decision has
    /// climbed once, from the first to the last: the tiers between were never held (T7). Entries of a decision that come
    /// apart are told apart.
    pub fn of_entries<'a, 'p>(
        entries: &'a [&'a Entry],
        tiers: impl Fn(&Entry) -> &'p Tiers + 'a,
    ) -> impl Iterator<Item = (usize, Self)> + 'a {
        entries.iter().enumerate().flat_map(move |(at, entry)| {
            let tiers = tiers(entry);
            let climbs: Vec<_> = entries.iter().filter(|other| climbs_with(other, entry, tiers)).collect();
            let goes_on = climbs.iter().any(|other| other.seq > entry.seq);
            let first = climbs.into_iter().min_by_key(|other| other.seq);
            let mut events = Self::of(entry, tiers);
            events.retain(|event| !goes_on || !matches!(event, Self::TierChanged(_)));
            for event in &mut events {
                if let (Self::TierChanged(changed), Some(first)) = (event, first) {
                    changed.tier_before = first.tier_before.to_string();
                }
            }
            events.into_iter().map(move |event| (at, event))
        })
    }

    /// Everything one entry has to say: that points were posted, that the tier changed when it did (T7, R5), and which
    /// participations it brought to their end (C3). An opening says nothing: it is where a member stood before.
    pub fn of(entry: &Entry, tiers: &Tiers) -> Vec<Self> {
        if entry.kind == EntryKind::Opening {
            return Vec::new();
        }
        let mut events = vec![Self::PointsPosted(PointsPosted::of(entry))];
        events.extend(TierChanged::of(entry, tiers).map(Self::TierChanged));
        // What a reversal says of a participation that was over is that it gave one back: nothing ends by it (X18).
        let notes = entry.participations.iter().filter(|_| entry.kind != EntryKind::Reversal);
        events.extend(notes.filter_map(|note| match note.state {
            ParticipationState::Active => None,
            ParticipationState::Completed => {
                Some(Self::CampaignCompleted(CampaignEnded::of(entry, note, CampaignEnded::COMPLETED)))
            }
            ParticipationState::Exhausted => {
                Some(Self::CampaignExhausted(CampaignEnded::of(entry, note, CampaignEnded::EXHAUSTED)))
            }
        }));
        events
    }

    pub fn detail_type(&self) -> &'static str {
        match self {
            Self::PointsPosted(_) => PointsPosted::DETAIL_TYPE,
            Self::TierChanged(_) => TierChanged::DETAIL_TYPE,
            Self::CampaignCompleted(_) => CampaignEnded::COMPLETED,
            Self::CampaignExhausted(_) => CampaignEnded::EXHAUSTED,
            Self::VoucherIssued(_) => VoucherIssued::DETAIL_TYPE,
            Self::PointsExpiring(_) => PointsExpiring::DETAIL_TYPE,
        }
    }

    pub fn event_id(&self) -> &str {
        match self {
            Self::PointsPosted(detail) => &detail.event_id,
            Self::TierChanged(detail) => &detail.event_id,
            Self::CampaignCompleted(detail) | Self::CampaignExhausted(detail) => &detail.event_id,
            Self::VoucherIssued(detail) => &detail.event_id,
            Self::PointsExpiring(detail) => &detail.event_id,
        }
    }

    /// When the row behind it was written, or the day's run was due.
    pub fn recorded_at(&self) -> Instant {
        match self {
            Self::PointsPosted(detail) => detail.recorded_at,
            Self::TierChanged(detail) => detail.recorded_at,
            Self::CampaignCompleted(detail) | Self::CampaignExhausted(detail) => detail.recorded_at,
            Self::VoucherIssued(detail) => detail.issued_at,
            Self::PointsExpiring(detail) => detail.recorded_at,
        }
    }

    /// The detail as JSON text: the same bytes for the same row (I8).
    ///
    /// # Errors
    /// None that these types can cause: their keys are text and their numbers whole.
    pub fn detail(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::PointsPosted(detail) => serde_json::to_string(detail),
            Self::TierChanged(detail) => serde_json::to_string(detail),
            Self::CampaignCompleted(detail) | Self::CampaignExhausted(detail) => serde_json::to_string(detail),
            Self::VoucherIssued(detail) => serde_json::to_string(detail),
            Self::PointsExpiring(detail) => serde_json::to_string(detail),
        }
    }
}

/// Points moved: one entry of the ledger was posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PointsPosted {
    /// The same for every delivery of this event: `member_id:seq:PointsPosted`.
    pub event_id: String,
    /// The version of this shape.
    pub schema_version: u32,
    pub member_id: String,
    /// The entry's number in the member's history: 1, 2, 3 … without gaps.
    pub seq: u64,
    pub kind: Kind,
    pub reason: Why,
    /// What made the points move: `base`, `welcome`, the id of a campaign.
    pub rule: String,
    /// The order behind the movement, as `source:id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The `seq` of the entry this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverses: Option<u64>,
    /// Redeemable points that moved; negative when taken.
    pub redeemable: i64,
    /// Qualifying points that moved; negative when taken.
    pub qualifying: i64,
    /// The member's balance of both kinds after the movement; a negative one is a debt.
    pub balance_after: Points,
    /// What a reversal should have taken but did not; absent when nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_off: Option<Points>,
    pub tier_before: String,
    pub tier_after: String,
    /// The programme the entry was posted under, with the hash of its content.
    pub programme_version: String,
    /// When it happened, by whoever reported it.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub occurred_at: Instant,
    /// When it was posted: points are earned then.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub recorded_at: Instant,
}

impl PointsPosted {
    pub const DETAIL_TYPE: &str = "PointsPosted";

    pub fn of(entry: &Entry) -> Self {
        Self {
            event_id: event_id(&entry.member_id, entry.seq, Self::DETAIL_TYPE),
            schema_version: SCHEMA_VERSION,
            member_id: entry.member_id.to_string(),
            seq: entry.seq,
            kind: entry.kind.into(),
            reason: entry.reason.into(),
            rule: entry.rule.to_string(),
            order_id: entry.order_id.as_ref().map(ToString::to_string),
            reverses: entry.reverses,
            redeemable: entry.legs.redeemable.0,
            qualifying: entry.legs.qualifying.0,
            balance_after: entry.balance_after.into(),
            written_off: (!entry.written_off.is_zero()).then(|| entry.written_off.into()),
            tier_before: entry.tier_before.to_string(),
            tier_after: entry.tier_after.to_string(),
            programme_version: entry.programme_version.to_string(),
            occurred_at: entry.occurred_at,
            recorded_at: entry.recorded_at,
        }
    }
}

/// The member's tier changed with an entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TierChanged {
    /// The same for every delivery of this event: `member_id:seq:TierChanged`.
    pub event_id: String,
    /// The version of this shape.
    pub schema_version: u32,
    pub member_id: String,
    /// The entry that changed the tier.
    pub seq: u64,
    pub tier_before: String,
    pub tier_after: String,
    pub direction: Direction,
    /// Why the points moved that changed it.
    pub reason: Why,
    /// The order behind the change, as `source:id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// The member's qualifying points after the change.
    pub qualifying: i64,
    /// The programme whose tiers are meant, with the hash of its content.
    pub programme_version: String,
    /// Since when the member holds the tier: before `recorded_at` where it fell due and nobody came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub since: Option<Instant>,
    /// When it was posted.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub recorded_at: Instant,
}

impl TierChanged {
    pub const DETAIL_TYPE: &str = "TierChanged";

    /// Since when the member holds the tier.
    pub fn held_since(&self) -> Instant {
        self.since.unwrap_or(self.recorded_at)
    }

    /// `None` when the entry left the tier as it was.
    pub fn of(entry: &Entry, tiers: &Tiers) -> Option<Self> {
        (entry.tier_before != entry.tier_after).then(|| Self {
            event_id: event_id(&entry.member_id, entry.seq, Self::DETAIL_TYPE),
            schema_version: SCHEMA_VERSION,
            member_id: entry.member_id.to_string(),
            seq: entry.seq,
            tier_before: entry.tier_before.to_string(),
            tier_after: entry.tier_after.to_string(),
            direction: match (tiers.rank(&entry.tier_before), tiers.rank(&entry.tier_after)) {
                (Some(before), Some(after)) if before < after => Direction::Upgrade,
                (Some(_), Some(_)) => Direction::Downgrade,
                _ => Direction::Replaced,
            },
            reason: entry.reason.into(),
            order_id: entry.order_id.as_ref().map(ToString::to_string),
            qualifying: entry.balance_after.qualifying.0,
            programme_version: entry.programme_version.to_string(),
            since: Some(entry.counts_from()),
            recorded_at: entry.recorded_at,
        })
    }
}

/// Whether two entries raise the tier by the same decision.
fn climbs_with(one: &Entry, other: &Entry, tiers: &Tiers) -> bool {
    let rises = |entry: &Entry| tiers.rank(&entry.tier_before) < tiers.rank(&entry.tier_after);
    let climb = [one, other].iter().all(|entry| rises(entry) && entry.kind != EntryKind::Reset);
    let same = |of: fn(&Entry) -> Instant| of(one) == of(other);
    climb && one.member_id == other.member_id && same(|entry| entry.recorded_at) && same(Entry::counts_from)
}

/// A member's participation in a campaign came to its end: promoted, or used up (C3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CampaignEnded {
    /// The same for every delivery of this event: `member_id:seq:CampaignCompleted:campaign`.
    pub event_id: String,
    /// The version of this shape.
    pub schema_version: u32,
    pub campaign: String,
    pub member_id: String,
    /// The entry that ended it.
    pub seq: u64,
    /// Orders that could be credited, and those that were.
    pub granted: u32,
    pub used: u32,
    pub tier_after: String,
    pub programme_version: String,
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub recorded_at: Instant,
}

impl CampaignEnded {
    pub const COMPLETED: &str = "CampaignCompleted";
    pub const EXHAUSTED: &str = "CampaignExhausted";

    fn of(entry: &Entry, note: &ParticipationNote, detail_type: &str) -> Self {
        Self {
            event_id: format!("{}:{}", event_id(&entry.member_id, entry.seq, detail_type), note.campaign),
            schema_version: SCHEMA_VERSION,
            campaign: note.campaign.to_string(),
            member_id: entry.member_id.to_string(),
            seq: entry.seq,
            granted: note.granted,
            used: note.used,
            tier_after: entry.tier_after.to_string(),
            programme_version: entry.programme_version.to_string(),
            recorded_at: entry.recorded_at,
        }
    }
}

/// A member was given a voucher (N2, B1): for a tier, a birthday, a month, points or a top-up.
///
/// Its code is not here: whoever shows the code uses the voucher, and everybody who may follow the bus would hold it. Who
/// has to show it to the member reads it from `GET /members/{member_id}/vouchers`, which asks who they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VoucherIssued {
    /// The same for every delivery of this event: `voucher_id:VoucherIssued`.
    pub event_id: String,
    /// The version of this shape.
    pub schema_version: u32,
    pub voucher_id: String,
    pub member_id: String,
    /// The programme's id of what was given.
    pub offer: String,
    /// The name customers see.
    pub name: String,
    pub worth: Worth,
    /// The smallest order it can be used for; absent when any will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_min: Option<String>,
    /// Of the amounts.
    pub currency: String,
    /// The tier it was given for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    #[schemars(with = "String", extend("format" = "date"))]
    pub valid_from: NaiveDate,
    /// The last day it can be used.
    #[schemars(with = "String", extend("format" = "date"))]
    pub valid_until: NaiveDate,
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub issued_at: Instant,
}

impl VoucherIssued {
    pub const DETAIL_TYPE: &str = "VoucherIssued";

    pub fn of(voucher_id: &VoucherId, grant: &Grant, issued_at: Instant, currency: Currency) -> Self {
        let offer = &grant.offer;
        Self {
            event_id: format!("{voucher_id}:{}", Self::DETAIL_TYPE),
            schema_version: SCHEMA_VERSION,
            voucher_id: voucher_id.to_string(),
            member_id: grant.member_id.to_string(),
            offer: offer.id.to_string(),
            name: offer.name.clone(),
            worth: Worth::of(currency, &offer.worth),
            order_min: (offer.order_min_minor > 0).then(|| currency.decimal(offer.order_min_minor)),
            currency: currency.code().to_owned(),
            tier: grant.tier.as_ref().map(ToString::to_string),
            valid_from: grant.valid_from,
            valid_until: grant.valid_until,
            issued_at,
        }
    }
}

/// Points of a member will be gone soon (E5). Told once for each last valid day, as a day's run finds them; they may be
/// spent meanwhile, so this is a reason to speak and no statement of account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PointsExpiring {
    /// The same for every delivery of this event: `member_id:last_day:PointsExpiring`.
    pub event_id: String,
    /// The version of this shape.
    pub schema_version: u32,
    pub member_id: String,
    /// Redeemable points that are good until then.
    pub points: i64,
    /// The last day they are good, that day included.
    #[schemars(with = "String", extend("format" = "date"))]
    pub last_day: NaiveDate,
    /// When the run that found them was due.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub recorded_at: Instant,
}

impl PointsExpiring {
    pub const DETAIL_TYPE: &str = "PointsExpiring";

    /// `None` for a notice about anything else.
    pub fn of(member_id: &MemberId, notice: &Notice, run: Instant) -> Option<Self> {
        let About::PointsExpiring { points, last_day } = notice.about else { return None };
        Some(Self {
            event_id: format!("{member_id}:{last_day}:{}", Self::DETAIL_TYPE),
            schema_version: SCHEMA_VERSION,
            member_id: member_id.to_string(),
            points,
            last_day,
            recorded_at: run,
        })
    }
}

/// The other way round: what the shop's own system tells the engine, under a `source` of its own, where the programme
/// leaves tiers to it (N1, X47). It names the member by id or by phone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CustomerTierChanged {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
    /// In any usual form: 0901234567, +84901234567.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The id, the name or an alias of a tier.
    pub tier: String,
    /// Since when; without it, since the event was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub changed_at: Option<Instant>,
}

impl CustomerTierChanged {
    pub const DETAIL_TYPE: &str = "CustomerTierChanged";
}

/// Which way a tier changed. Only an upgrade is a reason to congratulate (X34).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To a higher tier.
    Upgrade,
    /// To a lower tier.
    Downgrade,
    /// The programme no longer has one of the two tiers, so neither is the higher one.
    Replaced,
}

/// Both kinds of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Points {
    /// *Điểm tích lũy*: they are spent.
    pub redeemable: i64,
    /// *Điểm xét hạng*: they decide the tier.
    pub qualifying: i64,
}

impl From<Legs> for Points {
    fn from(legs: Legs) -> Self {
        Self { redeemable: legs.redeemable.0, qualifying: legs.qualifying.0 }
    }
}

/// The JSON Schema of every event's detail, by file name.
pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![
        ("points-posted.schema.json", schema_for!(PointsPosted)),
        ("tier-changed.schema.json", schema_for!(TierChanged)),
        ("campaign-ended.schema.json", schema_for!(CampaignEnded)),
        ("voucher-issued.schema.json", schema_for!(VoucherIssued)),
        ("points-expiring.schema.json", schema_for!(PointsExpiring)),
        ("customer-tier-changed.schema.json", schema_for!(CustomerTierChanged)),
    ]
}

/// Readable on purpose: whoever holds an event finds the entry behind it without a lookup.
fn event_id(member_id: &MemberId, seq: u64, detail_type: &str) -> String {
    format!("{member_id}:{seq}:{detail_type}")
}
