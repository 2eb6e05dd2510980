//! Spending points: at once, or held until the till confirms; and undoing it, when points return to the lots they came
//! from.
//!
//! The entry is posted when the redemption is asked for, held or not, so that no other one can spend the same points.
//! A hold that is not confirmed in time lapses by itself (`advance`).

use chrono::NaiveDate;

use crate::advance::advance;
use crate::decision::{Decision, Outcome, Rejection};
use crate::ids::RuleId;
use crate::ledger::{Entry, EntryKind, Ledger, Posting, Reason};
use crate::member::{Hold, Member};
use crate::points::{Legs, Overflow, Ratio, Rounding};
use crate::programme::Programme;
use crate::request::{Asked, Request, RequestKind, RequestState};
use crate::time::{Instant, plus_minutes};
use crate::voucher::{Grant, Offer};

/// Redemptions of one member that may wait for confirmation at a time, so that the member's row stays small.
pub const HOLDS_MAX: usize = 5;

/// Something points can be spent on: the programme's catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reward {
    pub id: RuleId,
    /// The name customers see.
    pub name: String,
    pub kind: RewardKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RewardKind {
    /// A voucher for so many points, above zero.
    Voucher { points: i64, offer: Offer },
    /// Money off an order.
    Discount(Discount),
}

/// Money off an order: so much for each step of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discount {
    /// Points are spent in multiples of this, above zero.
    pub step_points: i64,
    /// What a step takes off, minor units of the programme's currency, above zero.
    pub step_minor: i64,
    /// The fewest and the most points for one order.
    pub points_min: i64,
    pub points_max: Option<i64>,
    /// The smallest order, minor units of the programme's currency.
    pub order_min_minor: i64,
    /// At most so many per cent of the order, 1 to 100.
    pub order_percent_max: u32,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redemption {
    pub asked: Asked,
    /// What the points are for; a plain redemption when `None`.
    pub reward: Option<RuleId>,
    /// Above zero; `None` where the reward says it.
    pub points: Option<i64>,
    /// The order they pay for, minor units of the programme's currency; only for a discount.
    pub order_minor: Option<i64>,
    /// Whether the till confirms it later.
    pub hold: bool,
}

/// What a redemption costs, and what it takes off an order or buys.
struct Price {
    points: i64,
    worth_minor: i64,
    buys: Option<Offer>,
}

/// Spends redeemable points, soonest-expiring first (X40). The balance never goes below zero.
///
/// # Errors
/// A [`Rejection`] changes nothing.
pub fn redeem(
    programme: &Programme,
    mut member: Member,
    known: Option<&Request>,
    redemption: Redemption,
    now: Instant,
) -> Result<(Request, Decision), Rejection> {
    if let Some(request) = redemption.asked.answered(known)? {
        return Ok((request, Decision::nothing(Outcome::Duplicate)));
    }
    let price = price(programme, &redemption)?;
    let mut entries = Vec::new();
    advance(programme, &mut member, now, &mut entries)?;
    let available = member.redeemable_points();
    if available < price.points {
        return Err(Rejection::NotEnoughPoints { available, wanted: price.points });
    }
    if redemption.hold && member.holds.len() >= HOLDS_MAX {
        return Err(Rejection::TooManyHolds(HOLDS_MAX));
    }
    let Redemption { asked, reward, hold, .. } = redemption;
    let rule = reward.unwrap_or_else(|| RuleId::new("points"));
    let posting = Posting::new(EntryKind::Redemption, rule.clone(), Reason::PointsSpent, now).asked_by(&asked);
    let legs = Legs::new(price.points.saturating_neg(), 0);
    Ledger::new(programme, &mut member, &mut entries).debit(posting, legs, Legs::ZERO, None)?;
    let hold_until = hold.then(|| plus_minutes(member.as_of, programme.hold_minutes));
    if let (Some(until), Some(entry)) = (hold_until, entries.last()) {
        let (request_id, seq, lots) = (asked.request_id.clone(), entry.seq, entry.lots.clone());
        member.holds.push(Hold { request_id, seq, lots, until });
    }
    let request = Request {
        state: if hold { RequestState::Held } else { RequestState::Confirmed },
        points: legs.redeemable.0,
        worth_minor: price.worth_minor,
        hold_until,
        buys: price.buys,
        ..asked.accepted(RequestKind::Redemption, rule, &member)
    };
    let voucher = if hold { None } else { voucher_bought(&request, programme.day(member.as_of)) };
    let grants = voucher.into_iter().collect();
    let decision = Decision { request: Some(request.clone()), grants, ..Decision::posted(member, entries) };
    Ok((request, decision))
}

/// Makes a held redemption final. Confirming it again changes nothing.
///
/// # Errors
/// [`Rejection::RedemptionOver`] when it was released or has lapsed, [`Rejection::NotARedemption`] when the request is
/// none of this member's redemptions.
pub fn confirm(
    programme: &Programme,
    mut member: Member,
    mut request: Request,
    now: Instant,
) -> Result<(Request, Decision), Rejection> {
    own_redemption(&member, &request)?;
    let mut entries = Vec::new();
    advance(programme, &mut member, now, &mut entries)?;
    match request.state_at(member.as_of) {
        RequestState::Undone => return Err(Rejection::RedemptionOver),
        RequestState::Confirmed => return Ok((request, Decision::nothing(Outcome::Duplicate))),
        RequestState::Held => {}
    }
    member.holds.retain(|hold| hold.request_id != request.request_id);
    request.state = RequestState::Confirmed;
    let grants = voucher_bought(&request, programme.day(member.as_of)).into_iter().collect();
    let decision = Decision { request: Some(request.clone()), grants, ..Decision::posted(member, entries) };
    Ok((request, decision))
}

/// Undoes a redemption, or releases a held one: its points go back to the lots they came from; debt takes its part
/// first. Undoing it again changes nothing. `entry` is the one the redemption posted.
///
/// # Errors
/// [`Rejection::NotARedemption`] when request and entry are not one redemption of this member.
pub fn undo(
    programme: &Programme,
    mut member: Member,
    mut request: Request,
    entry: &Entry,
    now: Instant,
) -> Result<(Request, Decision), Rejection> {
    own_redemption(&member, &request)?;
    if entry.kind != EntryKind::Redemption || entry.member_id != member.member_id || entry.seq != request.seq {
        return Err(Rejection::NotARedemption(request.request_id));
    }
    let mut entries = Vec::new();
    advance(programme, &mut member, now, &mut entries)?;
    if request.state_at(member.as_of) == RequestState::Undone {
        request.state = RequestState::Undone;
        return Ok((request, Decision::nothing(Outcome::Duplicate)));
    }
    member.holds.retain(|hold| hold.request_id != request.request_id);
    request.state = RequestState::Undone;
    let mut ledger = Ledger::new(programme, &mut member, &mut entries);
    give_back(&mut ledger, &request.rule, Reason::RedemptionUndone, Returned::of(entry, now))?;
    // What returns to a lot whose last day is over goes with it.
    advance(programme, &mut member, now, &mut entries)?;
    let decision = Decision { request: Some(request.clone()), ..Decision::posted(member, entries) };
    Ok((request, decision))
}

/// The voucher that a redemption brings when it is made final on `today`; none where its reward is no voucher.
pub fn voucher_bought(request: &Request, today: NaiveDate) -> Option<Grant> {
    let offer = request.buys.as_ref()?;
    Some(Grant::new(&request.member_id, &format!("redemption/{}", request.request_id), offer, today))
}

/// What returns, and of which redemption.
pub(crate) struct Returned<'a> {
    pub request_id: Option<crate::ids::RequestId>,
    pub seq: u64,
    pub points: i64,
    pub lots: &'a [crate::lots::Lot],
    pub at: Instant,
}

impl<'a> Returned<'a> {
    fn of(entry: &'a Entry, at: Instant) -> Self {
        Self {
            request_id: entry.request_id.clone(),
            seq: entry.seq,
            points: entry.legs.redeemable.0.saturating_neg(),
            lots: &entry.lots,
            at,
        }
    }
}

/// Posts the restoration of a redemption.
pub(crate) fn give_back(
    ledger: &mut Ledger<'_>,
    rule: &RuleId,
    reason: Reason,
    returned: Returned<'_>,
) -> Result<(), Overflow> {
    let mut posting = Posting::new(EntryKind::Restoration, rule.clone(), reason, returned.at);
    posting.reverses = Some(returned.seq);
    posting.request_id = returned.request_id;
    ledger.put_back(posting, returned.points, returned.lots)
}

fn own_redemption(member: &Member, request: &Request) -> Result<(), Rejection> {
    let own = request.kind == RequestKind::Redemption && request.member_id == member.member_id;
    if own { Ok(()) } else { Err(Rejection::NotARedemption(request.request_id.clone())) }
}

fn price(programme: &Programme, redemption: &Redemption) -> Result<Price, Rejection> {
    let Some(id) = &redemption.reward else {
        let points = redemption.points.filter(|points| *points > 0).ok_or(Rejection::NothingToSpend)?;
        return Ok(Price { points, worth_minor: 0, buys: None });
    };
    let unknown = || Rejection::UnknownReward(id.to_string());
    let reward = programme.rewards.iter().find(|reward| reward.id == *id).ok_or_else(unknown)?;
    match &reward.kind {
        RewardKind::Voucher { points, offer } => {
            if redemption.points.is_some_and(|asked| asked != *points) {
                return Err(Rejection::NotAStep { least: *points, step: *points, most: *points });
            }
            Ok(Price { points: *points, worth_minor: 0, buys: Some(offer.clone()) })
        }
        RewardKind::Discount(discount) => {
            let points = redemption.points.filter(|points| *points > 0).ok_or(Rejection::NothingToSpend)?;
            let worth_minor = discount.worth(points, redemption.order_minor)?;
            Ok(Price { points, worth_minor, buys: None })
        }
    }
}

impl Discount {
    /// What so many points take off an order, minor units; the order's own limits are checked where it is named.
    fn worth(&self, points: i64, order_minor: Option<i64>) -> Result<i64, Rejection> {
        let most = self.points_max.unwrap_or(i64::MAX);
        let whole_steps = points.checked_rem(self.step_points) == Some(0);
        if points < self.points_min || points > most || !whole_steps {
            return Err(Rejection::NotAStep { least: self.points_min, step: self.step_points, most });
        }
        let steps = points.checked_div(self.step_points).ok_or(Overflow)?;
        let worth = steps.checked_mul(self.step_minor).ok_or(Overflow)?;
        let order_minor = order_minor.unwrap_or(0);
        if order_minor < self.order_min_minor.max(1) {
            return Err(Rejection::OrderTooSmall { order_minor, least_minor: self.order_min_minor.max(1) });
        }
        let percent = Ratio::new(u64::from(self.order_percent_max), 100).ok_or(Overflow)?;
        let cap = percent.of(order_minor, Rounding::Floor)?;
        if worth > cap {
            let steps = cap.checked_div(self.step_minor).ok_or(Overflow)?;
            return Err(Rejection::OverCap { most: steps.saturating_mul(self.step_points) });
        }
        Ok(worth)
    }
}
