//! Commands of tills, the Mini App and operators: their bodies, and what they are answered.
//!
//! A field that is unknown, repeated or of the wrong type is refused: whoever spends points means every word of it.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, NaiveDate};
use loyalty_domain::money::Currency;
use loyalty_domain::points::Legs;
use loyalty_domain::programme::Programme;
use loyalty_domain::voucher::{self, VoucherState};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::amount::{Fraction, minor_units};
use crate::card::{Balance, in_zone};
use crate::webhook::json::{Field, Read, Scalar};
use crate::webhook::{ParseError, checked_object};

/// The longest body of a command, in bytes.
pub const COMMAND_BYTES_MAX: usize = 64 * 1024;
/// The longest id in a body.
const ID_CHARS_MAX: usize = 128;
const REASON_CHARS_MAX: usize = 500;
const OPERATOR_CHARS_MAX: usize = 100;
/// What a body may repeat of its address and of Idempotency-Key.
const BOUND_CHARS_MAX: usize = 200;
const BOUND_WRONG: &str = "is not a text of at most 200 characters";
/// No adjustment moves more points of a kind, either way.
const ADJUSTMENT_POINTS_MAX: i64 = 1_000_000_000;

/// `POST /members/{member_id}/redemptions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RedemptionBody {
    pub points: Option<i64>,
    pub reward: Option<String>,
    /// Minor units of the programme's currency.
    pub order_minor: Option<i64>,
    pub hold: bool,
}

impl RedemptionBody {
    /// # Errors
    /// [`ParseError`].
    pub fn parse(body: &[u8], currency: Currency) -> Result<Self, ParseError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Raw {
            points: Option<i64>,
            #[serde(default)]
            reward: Field,
            #[serde(default)]
            order_amount: Field,
            hold: Option<bool>,
        }
        let raw: Raw = read(body, "points, reward, order_amount and hold")?;
        Ok(Self {
            points: raw.points,
            reward: text("reward", &raw.reward, ID_CHARS_MAX, "is not a text of at most 128 characters")?,
            order_minor: amount("order_amount", &raw.order_amount, currency)?,
            hold: raw.hold.unwrap_or(false),
        })
    }
}

/// `POST /vouchers/{code}/use`. The body may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UseBody {
    /// Minor units of the programme's currency.
    pub order_minor: Option<i64>,
    pub order_id: Option<String>,
}

impl UseBody {
    /// # Errors
    /// [`ParseError`].
    pub fn parse(body: &[u8], currency: Currency) -> Result<Self, ParseError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Raw {
            #[serde(default)]
            order_amount: Field,
            #[serde(default)]
            order_id: Field,
        }
        if body.is_empty() {
            return Ok(Self::default());
        }
        let raw: Raw = read(body, "order_amount and order_id")?;
        Ok(Self {
            order_minor: amount("order_amount", &raw.order_amount, currency)?,
            order_id: text("order_id", &raw.order_id, ID_CHARS_MAX, "is not a text of at most 128 characters")?,
        })
    }
}

/// `POST /members/{member_id}/adjustments`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdjustmentBody {
    pub redeemable: i64,
    pub qualifying: i64,
    pub reason: String,
    pub operator: String,
    /// The member and the key it is meant for, where the operator signs them too: a signature covers the body and not the
    /// address or a header. They say nothing more about the command, so they are no part of its fingerprint.
    #[serde(skip)]
    pub member_id: Option<String>,
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

impl AdjustmentBody {
    /// # Errors
    /// [`ParseError`].
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Raw {
            redeemable: Option<i64>,
            qualifying: Option<i64>,
            #[serde(default)]
            reason: Field,
            #[serde(default)]
            operator: Field,
            #[serde(default)]
            member_id: Field,
            #[serde(default)]
            idempotency_key: Field,
        }
        let raw: Raw =
            read(body, "redeemable, qualifying, reason, operator, and for whom: member_id and idempotency_key")?;
        let points = |field, points: Option<i64>| match points.unwrap_or(0) {
            points if (-ADJUSTMENT_POINTS_MAX..=ADJUSTMENT_POINTS_MAX).contains(&points) => Ok(points),
            _ => Err(ParseError::Invalid { field, why: "is beyond 1000000000 points either way" }),
        };
        let (reason_wrong, operator_wrong) =
            ("is not a text of at most 500 characters", "is not a text of at most 100 characters");
        let reason = words("reason", &raw.reason, REASON_CHARS_MAX, reason_wrong)?;
        let operator = words("operator", &raw.operator, OPERATOR_CHARS_MAX, operator_wrong)?;
        Ok(Self {
            redeemable: points("redeemable", raw.redeemable)?,
            qualifying: points("qualifying", raw.qualifying)?,
            reason: reason.ok_or(ParseError::Missing("reason"))?,
            operator: operator.ok_or(ParseError::Missing("operator"))?,
            member_id: text("member_id", &raw.member_id, BOUND_CHARS_MAX, BOUND_WRONG)?,
            idempotency_key: text("idempotency_key", &raw.idempotency_key, BOUND_CHARS_MAX, BOUND_WRONG)?,
        })
    }
}

/// The digest of what a command says, however it was written: it tells whether a key comes with the same command again.
pub fn fingerprint(command: &impl Serialize) -> String {
    let canonical = serde_json::to_vec(command).expect("commands are plain data");
    hex::encode(Sha256::digest(canonical))
}

fn read<T: DeserializeOwned>(body: &[u8], fields: &'static str) -> Result<T, ParseError> {
    serde_json::from_str(checked_object(body)?).map_err(|error| match ParseError::from(error) {
        ParseError::WrongShape { line, column } => ParseError::WrongFields { line, column, fields },
        other => other,
    })
}

/// A text as it was written; `None` where it is absent, null or blank. Nothing is cut: half a reason is another reason.
fn text(name: &'static str, field: &Field, chars_max: usize, why: &'static str) -> Result<Option<String>, ParseError> {
    let text = written(name, field, why)?;
    match &text {
        Some(text) if text.chars().count() > chars_max => Err(ParseError::Invalid { field: name, why }),
        _ => Ok(text),
    }
}

/// As [`text`], where a number is a mistake too: nobody is called 7.
fn words(name: &'static str, field: &Field, chars_max: usize, why: &'static str) -> Result<Option<String>, ParseError> {
    match field {
        Some(Scalar::Number(_)) => Err(ParseError::Invalid { field: name, why }),
        _ => text(name, field, chars_max, why),
    }
}

/// The adapters of shops take a field of an odd type as absent; here it is a mistake.
fn written(name: &'static str, field: &Field, why: &'static str) -> Result<Option<String>, ParseError> {
    match field {
        None | Some(Scalar::Text(_) | Scalar::Number(_)) => Ok(field.text()),
        Some(Scalar::Bool(_) | Scalar::Other) => Err(ParseError::Invalid { field: name, why }),
    }
}

fn amount(name: &'static str, field: &Field, currency: Currency) -> Result<Option<i64>, ParseError> {
    let wrong = |why| ParseError::Amount { field: name, why };
    let text = written(name, field, "is not an amount")?;
    let minor = text.map(|text| minor_units(&text, currency, Fraction::Refuse)).transpose().map_err(wrong)?;
    match minor {
        Some(minor) if minor < 0 => Err(ParseError::Invalid { field: name, why: "is negative" }),
        minor => Ok(minor),
    }
}

/// What a redemption came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RedemptionAnswer {
    pub redemption_id: String,
    /// `held`, `confirmed` or `undone`.
    pub state: String,
    /// Points spent, above zero.
    pub points: i64,
    /// What it takes off the order.
    pub worth: Option<String>,
    pub currency: &'static str,
    /// Until when it can be confirmed; `null` when it need not be.
    pub hold_until: Option<DateTime<FixedOffset>>,
    pub voucher: Option<VoucherCode>,
    pub redeemable_points: i64,
}

/// A voucher that was just given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VoucherCode {
    pub code: String,
    pub voucher_id: String,
}

/// What an adjustment posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdjustmentAnswer {
    pub adjustment_id: String,
    pub seq: u64,
    pub redeemable: i64,
    pub qualifying: i64,
    pub balance_after: Balance,
}

/// What an event of the shop brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type")]
pub enum EventAnswer {
    #[serde(rename = "behaviour")]
    Behaviour {
        #[serde(flatten)]
        member: Rewarded,
        /// The other side of a referral, where it is rewarded.
        friend: Option<Rewarded>,
    },
    #[serde(rename = "topup")]
    Topup {
        member_id: String,
        /// What the wallet gained, the programme's part included.
        added: String,
        wallet: String,
        currency: &'static str,
        voucher: Option<VoucherCode>,
    },
    #[serde(rename = "customer.registered")]
    Registered { member_id: String },
    #[serde(rename = "customer.changed")]
    Changed { member_id: String },
    #[serde(rename = "customer.tier_changed")]
    TierChanged {
        member_id: String,
        /// The tier that the member holds now.
        tier: String,
    },
    #[serde(rename = "customer.consent")]
    Consent {
        member_id: String,
        /// The kinds of messages, and whether the member gets them now.
        messages: BTreeMap<&'static str, bool>,
    },
}

/// One member's reward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rewarded {
    pub member_id: String,
    pub redeemable: i64,
    pub qualifying: i64,
    pub balance_after: Balance,
}

impl Rewarded {
    pub fn new(member_id: &loyalty_domain::ids::MemberId, legs: Legs, balance_after: Legs) -> Self {
        Self {
            member_id: member_id.to_string(),
            redeemable: legs.redeemable.0,
            qualifying: legs.qualifying.0,
            balance_after: balance_after.into(),
        }
    }
}

/// `GET /members/{member_id}/vouchers`, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Vouchers {
    pub vouchers: Vec<Voucher>,
}

/// A voucher as its member and the till see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Voucher {
    pub code: String,
    pub name: String,
    pub worth: Worth,
    /// The smallest order it can be used for; `null` when any will do.
    pub order_min: Option<String>,
    pub currency: &'static str,
    /// `issued`, `used`, `expired` or `voided`, as of today.
    pub state: &'static str,
    pub valid_from: NaiveDate,
    /// The last day it can be used.
    pub valid_until: NaiveDate,
    pub issued_at: DateTime<FixedOffset>,
    pub used_at: Option<DateTime<FixedOffset>>,
    pub used_for: Option<String>,
}

/// What a voucher is worth; amounts are decimals of the major unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Worth {
    Percent { percent: u32, up_to: Option<String> },
    Amount { amount: String },
    Gift { what: String },
    GameTurns { turns: u32 },
    Combo { what: String },
}

impl Voucher {
    /// The voucher as it stands on a day.
    pub fn of(programme: &Programme, voucher: &voucher::Voucher, today: NaiveDate) -> Self {
        let currency = programme.currency;
        let offer = &voucher.grant.offer;
        Self {
            code: voucher.code.clone(),
            name: offer.name.clone(),
            worth: Worth::of(currency, &offer.worth),
            order_min: (offer.order_min_minor > 0).then(|| currency.decimal(offer.order_min_minor)),
            currency: currency.code(),
            state: match voucher.state_on(today) {
                VoucherState::Issued => "issued",
                VoucherState::Used => "used",
                VoucherState::Expired => "expired",
                VoucherState::Voided => "voided",
            },
            valid_from: voucher.grant.valid_from,
            valid_until: voucher.grant.valid_until,
            issued_at: in_zone(programme, voucher.issued_at),
            used_at: voucher.used_at.map(|at| in_zone(programme, at)),
            used_for: voucher.used_for.as_ref().map(ToString::to_string),
        }
    }
}

impl Worth {
    pub fn of(currency: Currency, worth: &voucher::Worth) -> Self {
        match worth {
            voucher::Worth::Percent { percent, most_minor } => {
                Self::Percent { percent: *percent, up_to: most_minor.map(|most| currency.decimal(most)) }
            }
            voucher::Worth::Amount { minor } => Self::Amount { amount: currency.decimal(*minor) },
            voucher::Worth::Gift { what } => Self::Gift { what: what.clone() },
            voucher::Worth::GameTurn { turns } => Self::GameTurns { turns: *turns },
            voucher::Worth::Combo { what } => Self::Combo { what: what.clone() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redemption(body: &str) -> Result<RedemptionBody, ParseError> {
        RedemptionBody::parse(body.as_bytes(), Currency::VND)
    }

    #[test]
    fn one_command_has_one_fingerprint_however_it_is_written() {
        let of = |body| fingerprint(&redemption(body).unwrap());
        let one = of(r#"{"reward":"off","points":100,"order_amount":"500000"}"#);
        assert_eq!(of(" { \"order_amount\" : 500000, \"points\":100, \"hold\":false, \"reward\" : \"off\" } "), one);
        for other in [
            r#"{"reward":"off","points":100,"order_amount":"500001"}"#,
            r#"{"reward":"off","points":101,"order_amount":"500000"}"#,
            r#"{"reward":"off","points":100,"order_amount":"500000","hold":true}"#,
            r#"{"points":100,"order_amount":"500000"}"#,
        ] {
            assert_ne!(of(other), one, "{other}");
        }
    }

    #[test]
    fn what_is_not_meant_is_refused() {
        for body in [
            "",
            "[]",
            "null",
            r#"{"points":1.5}"#,
            r#"{"points":"100"}"#,
            r#"{"points":1,"points":2}"#,
            r#"{"points":1,"note":"x"}"#,
            r#"{"points":99999999999999999999}"#,
            r#"{"points":1,"order_amount":"500.000"}"#,
            r#"{"points":1,"order_amount":"-1"}"#,
            r#"{"points":1,"hold":"yes"}"#,
            r#"{"points":1,"reward":{}}"#,
            r#"{"points":1,"order_amount":[]}"#,
        ] {
            assert!(redemption(body).is_err(), "{body}");
        }
        assert!(UseBody::parse(b"", Currency::VND).is_ok());
        assert!(UseBody::parse(br#"{"order":"1"}"#, Currency::VND).is_err());
        let adjustment = |body: &str| AdjustmentBody::parse(body.as_bytes());
        assert!(adjustment(r#"{"redeemable":5,"reason":"sorry","operator":"Hoa"}"#).is_ok());
        for body in [
            r#"{"redeemable":5,"reason":" ","operator":"Hoa"}"#,
            r#"{"redeemable":5,"reason":"sorry"}"#,
            r#"{"redeemable":5,"reason":"sorry","operator":7}"#,
            r#"{"redeemable":5,"reason":5,"operator":"Hoa"}"#,
            r#"{"redeemable":1000000001,"reason":"sorry","operator":"Hoa"}"#,
            &format!(r#"{{"redeemable":5,"reason":"{}","operator":"Hoa"}}"#, "x".repeat(501)),
        ] {
            assert!(adjustment(body).is_err(), "{body}");
        }
    }
}
