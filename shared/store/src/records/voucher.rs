//! Rows of `vouchers`.

use chrono::NaiveDate;
use loyalty_domain::ids::{MemberId, OrderId, RuleId, TierId, VoucherId};
use loyalty_domain::time::Instant;
use loyalty_domain::voucher::{Grant, Offer, Voucher, VoucherState, Worth};
use serde::{Deserialize, Serialize};

use super::{Unreadable, is_default};
use crate::Stored;
use crate::index::shard_of;
use crate::item::{Item, sealed};
use crate::words::Text;

#[derive(Serialize, Deserialize)]
struct VoucherRecord {
    voucher_id: Text<VoucherId>,
    revision: u64,
    code: String,
    member_id: Text<MemberId>,
    grant_id: String,
    offer: Text<RuleId>,
    name: String,
    worth: WorthRecord,
    valid_days: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    order_min_minor: i64,
    valid_from: Text<NaiveDate>,
    valid_until: Text<NaiveDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tier: Option<Text<TierId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remind_on: Option<Text<NaiveDate>>,
    #[serde(default, skip_serializing_if = "is_default")]
    reminded: bool,
    state: Text<VoucherState>,
    issued_at: Text<Instant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used_at: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    used_for: Option<Text<OrderId>>,
    /// Where the index finds the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_shard: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_on: Option<Text<NaiveDate>>,
}

/// A voucher as the programme describes it.
#[derive(Serialize, Deserialize)]
pub(super) struct OfferRecord {
    offer: Text<RuleId>,
    name: String,
    worth: WorthRecord,
    valid_days: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    order_min_minor: i64,
}

impl From<&Offer> for OfferRecord {
    fn from(offer: &Offer) -> Self {
        let Offer { id, name, worth, valid_days, order_min_minor } = offer;
        Self {
            offer: Text(id.clone()),
            name: name.clone(),
            worth: worth.into(),
            valid_days: *valid_days,
            order_min_minor: *order_min_minor,
        }
    }
}

impl From<OfferRecord> for Offer {
    fn from(record: OfferRecord) -> Self {
        let OfferRecord { offer, name, worth, valid_days, order_min_minor } = record;
        Self { id: offer.0, name, worth: worth.into(), valid_days, order_min_minor }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WorthRecord {
    Percent {
        percent: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most_minor: Option<i64>,
    },
    AmountMinor(i64),
    Gift(String),
    GameTurns(u32),
    Combo(String),
}

pub(crate) fn encode(voucher: &Voucher, revision: u64) -> Item {
    let Voucher { voucher_id, code, grant, state, issued_at, used_at, used_for, reminded } = voucher;
    let Grant { grant_id, member_id, offer, valid_from, valid_until, tier, remind_on } = grant;
    let Offer { id, name, worth, valid_days, order_min_minor } = offer;
    let due_on = voucher.due_on();
    sealed(&VoucherRecord {
        voucher_id: Text(voucher_id.clone()),
        revision,
        code: code.clone(),
        member_id: Text(member_id.clone()),
        grant_id: grant_id.clone(),
        offer: Text(id.clone()),
        name: name.clone(),
        worth: worth.into(),
        valid_days: *valid_days,
        order_min_minor: *order_min_minor,
        valid_from: Text(*valid_from),
        valid_until: Text(*valid_until),
        tier: tier.clone().map(Text),
        remind_on: remind_on.map(Text),
        reminded: *reminded,
        state: Text(*state),
        issued_at: Text(*issued_at),
        used_at: used_at.map(Text),
        used_for: used_for.clone().map(Text),
        due_shard: due_on.is_some().then(|| shard_of(member_id)),
        due_on: due_on.map(Text),
    })
}

pub(crate) fn decode(item: Item) -> Result<Stored<Voucher>, Unreadable> {
    let record: VoucherRecord = serde_dynamo::aws_sdk_dynamodb_1::from_item(item)?;
    let grant = Grant {
        grant_id: record.grant_id,
        member_id: record.member_id.0,
        offer: Offer {
            id: record.offer.0,
            name: record.name,
            worth: record.worth.into(),
            valid_days: record.valid_days,
            order_min_minor: record.order_min_minor,
        },
        valid_from: record.valid_from.0,
        valid_until: record.valid_until.0,
        tier: record.tier.map(|text| text.0),
        remind_on: record.remind_on.map(|text| text.0),
    };
    let voucher = Voucher {
        voucher_id: record.voucher_id.0,
        code: record.code,
        grant,
        state: record.state.0,
        issued_at: record.issued_at.0,
        used_at: record.used_at.map(|text| text.0),
        used_for: record.used_for.map(|text| text.0),
        reminded: record.reminded,
    };
    Ok(Stored { row: voucher, revision: record.revision })
}

impl From<&Worth> for WorthRecord {
    fn from(worth: &Worth) -> Self {
        match worth {
            Worth::Percent { percent, most_minor } => Self::Percent { percent: *percent, most_minor: *most_minor },
            Worth::Amount { minor } => Self::AmountMinor(*minor),
            Worth::Gift { what } => Self::Gift(what.clone()),
            Worth::GameTurn { turns } => Self::GameTurns(*turns),
            Worth::Combo { what } => Self::Combo(what.clone()),
        }
    }
}

impl From<WorthRecord> for Worth {
    fn from(record: WorthRecord) -> Self {
        match record {
            WorthRecord::Percent { percent, most_minor } => Self::Percent { percent, most_minor },
            WorthRecord::AmountMinor(minor) => Self::Amount { minor },
            WorthRecord::Gift(what) => Self::Gift { what },
            WorthRecord::GameTurns(turns) => Self::GameTurn { turns },
            WorthRecord::Combo(what) => Self::Combo { what },
        }
    }
}
