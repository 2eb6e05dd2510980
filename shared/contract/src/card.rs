//! What a member is shown: their card and their history (D1, N7), as the Mini App and the till read them.
//!
//! A card says where the member stands; it holds no rule. Points on it are never below zero: what is owed is `debt`.
//! Amounts are decimal strings of the major unit, times carry the programme's offset.

use chrono::{DateTime, FixedOffset, NaiveDate, Offset};
use loyalty_domain::campaign;
use loyalty_domain::ledger::Entry;
use loyalty_domain::member::Member;
use loyalty_domain::points::Legs;
use loyalty_domain::programme::{Programme, Tier};
use loyalty_domain::standing::{keep_until, next_of_member};
use loyalty_domain::time::Instant;
use schemars::JsonSchema;
use serde::Serialize;

use crate::events::{Kind, ParticipationWord};

/// `GET /members/{member_id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Card {
    pub member_id: String,
    /// Whom the member has joined: that card says where the person stands. Absent where they have joined nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<String>,
    pub name: Option<String>,
    /// With its plus sign: `+84901234567`.
    pub phone: Option<String>,
    pub tier: CardTier,
    pub redeemable_points: i64,
    pub qualifying_points: i64,
    pub pending_points: i64,
    /// Points owed: the next credits pay them first.
    pub debt: i64,
    pub spent: String,
    pub currency: String,
    pub orders_count: i64,
    /// What top-ups have left in the wallet; absent where there never was any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wallet: Option<String>,
    /// `null` at the top.
    pub next_tier: Option<NextTier>,
    pub benefits: Vec<String>,
    /// Points with a last valid day, the soonest first.
    pub expiring: Vec<Expiring>,
    pub participations: Vec<Participation>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CardTier {
    pub id: String,
    pub name: String,
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: DateTime<FixedOffset>,
    /// Until which day the tier is safe; `null` in the base tier, which cannot be lost.
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub keep_until: Option<NaiveDate>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NextTier {
    pub id: String,
    pub name: String,
    pub points_needed: i64,
    /// What is to be spent for them at today's rate, or as the tier's rules say; `null` when spending does not lead there.
    pub spend_needed: Option<String>,
    /// Orders, rewarded behaviours and days of membership that the tier's rules still ask for (T17).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orders_needed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behaviours_needed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_needed: Option<i64>,
    pub benefits: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Expiring {
    pub points: i64,
    /// The last day on which they are good.
    #[schemars(with = "String", extend("format" = "date"))]
    pub on: NaiveDate,
}

/// The member's part in a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Participation {
    pub campaign: String,
    pub granted: u32,
    pub used: u32,
    pub remaining: u32,
    pub state: String,
}

impl Card {
    /// The card of a member who has been brought up to now, and their participations.
    pub fn of(programme: &Programme, member: &Member, participations: &[campaign::Participation]) -> Self {
        let currency = programme.currency;
        let tier = programme.tiers.get(&member.tier);
        let next = next_of_member(programme, member);
        let dated = |lot: &loyalty_domain::lots::Lot| Some(Expiring { points: lot.points, on: lot.expiry.day()? });
        Self {
            member_id: member.member_id.to_string(),
            merged_into: member.merged.as_ref().map(|merged| merged.into.to_string()),
            name: member.profile.name.clone(),
            phone: member.profile.phone.as_ref().map(|digits| format!("+{digits}")),
            tier: CardTier {
                id: member.tier.to_string(),
                name: tier.map_or_else(|| member.tier.to_string(), |tier| tier.name.clone()),
                since: in_zone(programme, member.tier_since),
                keep_until: keep_until(programme, member),
            },
            redeemable_points: member.redeemable_points(),
            qualifying_points: member.balance.qualifying.0,
            pending_points: member.pending_points,
            debt: member.debt(),
            spent: currency.decimal(member.spent_minor),
            currency: currency.code().to_owned(),
            orders_count: member.orders_count,
            wallet: (member.wallet_minor != 0).then(|| currency.decimal(member.wallet_minor)),
            next_tier: next.map(|next| NextTier {
                id: next.tier.id.to_string(),
                name: next.tier.name.clone(),
                points_needed: next.missing.points,
                orders_needed: (next.missing.orders > 0).then_some(next.missing.orders),
                behaviours_needed: (next.missing.behaviours > 0).then_some(next.missing.behaviours),
                days_needed: (next.missing.days > 0).then_some(next.missing.days),
                spend_needed: next.spend_needed_minor.map(|minor| currency.decimal(minor)),
                benefits: next.tier.benefits.clone(),
            }),
            benefits: tier.map_or_else(Vec::new, |tier: &Tier| tier.benefits.clone()),
            expiring: member.lots.as_slice().iter().filter_map(dated).collect(),
            participations: participations.iter().map(Participation::of).collect(),
        }
    }
}

impl Participation {
    fn of(participation: &campaign::Participation) -> Self {
        Self {
            campaign: participation.campaign.to_string(),
            granted: participation.granted,
            used: participation.used(),
            remaining: participation.remaining(),
            state: ParticipationWord::from(participation.state).word().to_owned(),
        }
    }
}

/// `GET /members/{member_id}/history`, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct History {
    pub entries: Vec<HistoryEntry>,
    /// Give it back as `cursor` for the entries before these; `null` when there are none.
    pub next_cursor: Option<String>,
}

/// One movement. Both legs and balances are signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HistoryEntry {
    pub seq: u64,
    pub kind: Kind,
    pub order_id: Option<String>,
    pub redeemable: i64,
    pub qualifying: i64,
    pub balance_after: Balance,
    /// In the reader's language.
    pub reason: String,
    pub rule: String,
    pub programme_version: String,
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub occurred_at: DateTime<FixedOffset>,
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub recorded_at: DateTime<FixedOffset>,
    /// `seq` of the entry this one takes back.
    pub reverses: Option<u64>,
    /// How the wallet moved; `null` where it did not (B2).
    pub wallet: Option<WalletMoved>,
}

/// A movement of the wallet: signed decimals of the programme's currency, in its major unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WalletMoved {
    pub amount: String,
    pub balance_after: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Balance {
    pub redeemable: i64,
    pub qualifying: i64,
}

impl From<Legs> for Balance {
    fn from(legs: Legs) -> Self {
        Self { redeemable: legs.redeemable.0, qualifying: legs.qualifying.0 }
    }
}

impl HistoryEntry {
    /// `reason` is what the reader is told.
    pub fn of(programme: &Programme, entry: &Entry, reason: String) -> Self {
        Self {
            seq: entry.seq,
            kind: entry.kind.into(),
            order_id: entry.order_id.as_ref().map(ToString::to_string),
            redeemable: entry.legs.redeemable.0,
            qualifying: entry.legs.qualifying.0,
            balance_after: entry.balance_after.into(),
            reason,
            rule: entry.rule.to_string(),
            programme_version: entry.programme_version.to_string(),
            occurred_at: in_zone(programme, entry.occurred_at),
            recorded_at: in_zone(programme, entry.recorded_at),
            reverses: entry.reverses,
            wallet: entry.wallet.map(|wallet| WalletMoved {
                amount: programme.currency.decimal(wallet.moved_minor),
                balance_after: programme.currency.decimal(wallet.after_minor),
            }),
        }
    }
}

/// An instant with the offset of the programme's zone.
pub fn in_zone(programme: &Programme, at: Instant) -> DateTime<FixedOffset> {
    let local = at.with_timezone(&programme.zone);
    at.with_timezone(&local.offset().fix())
}
