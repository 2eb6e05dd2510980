//! Rows of `participations`.

use chrono::NaiveDate;
use loyalty_domain::campaign::{Participation, ParticipationState};
use loyalty_domain::ids::{MemberId, OrderId, RuleId};
use loyalty_domain::time::Instant;
use serde::{Deserialize, Serialize};

use super::{Unreadable, is_default};
use crate::Stored;
use crate::item::{Item, sealed};
use crate::words::Text;

#[derive(Serialize, Deserialize)]
struct ParticipationRecord {
    campaign: Text<RuleId>,
    member_id: Text<MemberId>,
    revision: u64,
    granted: u32,
    used: u32,
    remaining: u32,
    state: Text<ParticipationState>,
    enrolled_at: Text<Instant>,
    orders: Vec<Text<OrderId>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<Text<OrderId>>,
    #[serde(default, skip_serializing_if = "is_default")]
    reserved_points: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    messages: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    invited_on: Option<Text<NaiveDate>>,
}

pub(crate) fn encode(participation: &Participation, revision: u64) -> Item {
    let Participation {
        campaign,
        member_id,
        granted,
        state,
        enrolled_at,
        orders,
        waiting,
        reserved_points,
        messages,
        invited_on,
    } = participation;
    sealed(&ParticipationRecord {
        campaign: Text(campaign.clone()),
        member_id: Text(member_id.clone()),
        revision,
        granted: *granted,
        used: participation.used(),
        remaining: participation.remaining(),
        state: Text(*state),
        enrolled_at: Text(*enrolled_at),
        orders: orders.iter().cloned().map(Text).collect(),
        waiting: waiting.iter().cloned().map(Text).collect(),
        reserved_points: *reserved_points,
        messages: *messages,
        invited_on: invited_on.map(Text),
    })
}

pub(crate) fn decode(item: Item) -> Result<Stored<Participation>, Unreadable> {
    let record: ParticipationRecord = serde_dynamo::aws_sdk_dynamodb_1::from_item(item)?;
    let participation = Participation {
        campaign: record.campaign.0,
        member_id: record.member_id.0,
        granted: record.granted,
        state: record.state.0,
        enrolled_at: record.enrolled_at.0,
        orders: record.orders.into_iter().map(|text| text.0).collect(),
        waiting: record.waiting.into_iter().map(|text| text.0).collect(),
        reserved_points: record.reserved_points,
        messages: record.messages,
        invited_on: record.invited_on.map(|text| text.0),
    };
    Ok(Stored { row: participation, revision: record.revision })
}
