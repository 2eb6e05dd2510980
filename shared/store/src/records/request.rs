//! Rows of `requests`.

use loyalty_domain::ids::{MemberId, RequestId, RuleId};
use loyalty_domain::request::{Request, RequestKind, RequestState};
use loyalty_domain::time::Instant;
use serde::{Deserialize, Serialize};

use super::voucher::OfferRecord;
use super::{Unreadable, is_default};
use crate::Stored;
use crate::item::{Item, sealed};
use crate::words::Text;

#[derive(Serialize, Deserialize)]
struct RequestRecord {
    request_id: Text<RequestId>,
    member_id: Text<MemberId>,
    revision: u64,
    kind: Text<RequestKind>,
    fingerprint: String,
    state: Text<RequestState>,
    rule: Text<RuleId>,
    points: i64,
    #[serde(default, skip_serializing_if = "is_default")]
    worth_minor: i64,
    seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hold_until: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    buys: Option<OfferRecord>,
    created_at: Text<Instant>,
}

pub(crate) fn encode(request: &Request, revision: u64) -> Item {
    let Request {
        request_id,
        member_id,
        kind,
        fingerprint,
        state,
        rule,
        points,
        worth_minor,
        seq,
        hold_until,
        buys,
        created_at,
    } = request;
    sealed(&RequestRecord {
        request_id: Text(request_id.clone()),
        member_id: Text(member_id.clone()),
        revision,
        kind: Text(*kind),
        fingerprint: fingerprint.clone(),
        state: Text(*state),
        rule: Text(rule.clone()),
        points: *points,
        worth_minor: *worth_minor,
        seq: *seq,
        hold_until: hold_until.map(Text),
        buys: buys.as_ref().map(OfferRecord::from),
        created_at: Text(*created_at),
    })
}

pub(crate) fn decode(item: Item) -> Result<Stored<Request>, Unreadable> {
    let record: RequestRecord = serde_dynamo::aws_sdk_dynamodb_1::from_item(item)?;
    let request = Request {
        request_id: record.request_id.0,
        member_id: record.member_id.0,
        kind: record.kind.0,
        fingerprint: record.fingerprint,
        state: record.state.0,
        rule: record.rule.0,
        points: record.points,
        worth_minor: record.worth_minor,
        seq: record.seq,
        hold_until: record.hold_until.map(|text| text.0),
        buys: record.buys.map(Into::into),
        created_at: record.created_at.0,
    };
    Ok(Stored { row: request, revision: record.revision })
}
