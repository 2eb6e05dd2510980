//! Openings: a member who was there before these books begins with what another system says of them.
//!
//! An opening is a member's first entry and stands for everything before it, so nothing is told of it: the member begins
//! in the tier that they hold, which is no change of tier, and nobody is congratulated, credited a bonus or welcomed.

use chrono::NaiveDate;

use crate::advance::advance;
use crate::decision::{Decision, Outcome, Rejection};
use crate::ids::{OrderId, RuleId};
use crate::ledger::{EntryKind, Ledger, Opened, Posting, Reason};
use crate::lots::{Expiry, Lot, Lots};
use crate::member::{Member, Profile};
use crate::points::Legs;
use crate::programme::{Anchor, Programme, TierAuthority};
use crate::request::{Asked, Request, RequestKind};
use crate::time::{Instant, day_start};

/// Cycles that may have passed since a member joined; with the shortest cycle there is, it is more than a century.
const CYCLES_MAX: usize = 128;

/// What another system says of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    pub asked: Asked,
    /// What is known of the person already stays.
    pub profile: Profile,
    /// Redeemable points are signed: below zero they are a debt (X22). Qualifying points are those of the current cycle.
    pub legs: Legs,
    pub expires: Expires,
    /// A name of the tier (X37); where it is left out, the tier follows from the figures.
    pub tier: Option<String>,
    /// Days of the programme's zone. Without `joined_on` the membership begins now, and without `tier_since` the tier
    /// does, save that the base tier is held from the beginning.
    pub joined_on: Option<NaiveDate>,
    pub tier_since: Option<NaiveDate>,
    pub last_ordered_on: Option<NaiveDate>,
    /// Minor units of the programme's currency, over all time and of the current cycle (X44, T17).
    pub spent_minor: i64,
    pub orders_count: i64,
    pub cycle_spent_minor: i64,
    pub cycle_orders: i64,
    /// What the wallet holds, minor units of the programme's currency (B2).
    pub wallet_minor: i64,
}

/// Until when the redeemable points are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expires {
    /// As if they were posted now (E1–E3).
    ByProgramme,
    /// All of them alike.
    Alike(Expiry),
    /// Lot by lot; together they are the redeemable points.
    Lots(Vec<Lot>),
}

/// Why a member cannot begin like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpeningProblem {
    #[error("the member has {entries} entries in the ledger already: correct what they have by adjustments")]
    HasHistory { entries: u64 },
    #[error("the member was opened before with other figures: correct what they have by adjustments")]
    OtherFigures,
    #[error("{0} is below zero")]
    BelowZero(&'static str),
    #[error("{0} of the cycle are more than {0} in all")]
    MoreInCycle(&'static str),
    #[error("{0} is in the future")]
    InFuture(&'static str),
    #[error("{0} is before joined_on")]
    BeforeJoining(&'static str),
    #[error("joined_on is too long ago")]
    TooLongAgo,
    #[error("the lots hold {lots} points, but redeemable_points are {redeemable}")]
    LotsAndPoints { lots: i64, redeemable: i64 },
    #[error("points that were good until {0} have expired: leave them out")]
    Expired(NaiveDate),
    #[error("the figures reach the tier {reached}, which is above {given}: leave the tier out, or correct the figures")]
    TierBelowFigures { reached: String, given: String },
}

impl From<OpeningProblem> for Rejection {
    fn from(problem: OpeningProblem) -> Self {
        Self::CannotOpen(problem)
    }
}

/// Posts a member's opening. `member` is their row as it was read, or as they would be registered now.
///
/// # Errors
/// A [`Rejection`] changes nothing.
pub fn open(
    programme: &Programme,
    mut member: Member,
    known: Option<&Request>,
    opening: Opening,
    now: Instant,
) -> Result<(Request, Decision), Rejection> {
    let answered = opening.asked.answered(known).map_err(|_| OpeningProblem::OtherFigures)?;
    if let Some(request) = answered {
        return Ok((request, Decision::nothing(Outcome::Duplicate)));
    }
    let mut entries = Vec::new();
    advance(programme, &mut member, now, &mut entries)?;
    if member.last_seq > 0 {
        return Err(OpeningProblem::HasHistory { entries: member.last_seq }.into());
    }
    check_figures(&opening)?;
    let today = programme.day(member.as_of);
    begin(programme, &mut member, &opening, today)?;
    let lots = lots_of(programme, &opening, today)?;
    hold_tier(programme, &mut member, &opening)?;
    begin_cycle(programme, &mut member, &opening, today)?;
    let rule = RuleId::new("opening");
    let posting = Posting::new(EntryKind::Opening, rule.clone(), Reason::OpeningBalance, now).asked_by(&opening.asked);
    let opened = Opened {
        tier_since: member.tier_since,
        cycle_start: member.cycle_start,
        spent_minor: opening.spent_minor,
        orders_count: opening.orders_count,
        cycle_spent_minor: opening.cycle_spent_minor,
        cycle_orders: opening.cycle_orders,
    };
    if member.erased_at.is_none() {
        member.profile = std::mem::take(&mut member.profile).or(opening.profile);
    }
    Ledger::new(programme, &mut member, &mut entries).open(
        posting,
        opening.legs,
        lots,
        opening.wallet_minor,
        opened,
    )?;
    let request = Request {
        points: opening.legs.redeemable.0,
        worth_minor: opening.wallet_minor,
        ..opening.asked.accepted(RequestKind::Opening, rule, &member)
    };
    let decision = Decision { request: Some(request.clone()), ..Decision::posted(member, entries) };
    Ok((request, decision))
}

fn check_figures(opening: &Opening) -> Result<(), OpeningProblem> {
    let figures = [
        ("qualifying_points", opening.legs.qualifying.0),
        ("spent", opening.spent_minor),
        ("orders_count", opening.orders_count),
        ("cycle_spent", opening.cycle_spent_minor),
        ("cycle_orders", opening.cycle_orders),
        ("wallet", opening.wallet_minor),
    ];
    if let Some((name, _)) = figures.into_iter().find(|(_, figure)| *figure < 0) {
        return Err(OpeningProblem::BelowZero(name));
    }
    if opening.cycle_spent_minor > opening.spent_minor {
        return Err(OpeningProblem::MoreInCycle("spent"));
    }
    if opening.cycle_orders > opening.orders_count {
        return Err(OpeningProblem::MoreInCycle("orders"));
    }
    Ok(())
}

/// When the membership began, and what was bought. The first order is not known by its id, but there is no other one to
/// come: who is brought along is no new customer, and is not welcomed as one (P14, X26).
fn begin(programme: &Programme, member: &mut Member, opening: &Opening, today: NaiveDate) -> Result<(), Rejection> {
    let joined_on = opening.joined_on.unwrap_or(today);
    let days = [
        ("joined_on", opening.joined_on),
        ("tier_since", opening.tier_since),
        ("last_ordered_on", opening.last_ordered_on),
    ];
    if opening.profile.birthday.is_some_and(|birthday| birthday > today) {
        return Err(OpeningProblem::InFuture("birthday").into());
    }
    for (name, day) in days.into_iter().filter_map(|(name, day)| Some((name, day?))) {
        if day > today {
            return Err(OpeningProblem::InFuture(name).into());
        }
        if day < joined_on {
            return Err(OpeningProblem::BeforeJoining(name).into());
        }
    }
    if let Some(joined_on) = opening.joined_on {
        member.activated_at = member.activated_at.min(day_start(programme.zone, joined_on));
    }
    let last_ordered_at = opening.last_ordered_on.map(|day| day_start(programme.zone, day));
    member.last_ordered_at = member.last_ordered_at.max(last_ordered_at);
    member.first_order.get_or_insert_with(OrderId::opening);
    crate::welcome::take(member);
    let overflow = || Rejection::from(crate::points::Overflow);
    member.spent_minor = member.spent_minor.checked_add(opening.spent_minor).ok_or_else(overflow)?;
    member.orders_count = member.orders_count.checked_add(opening.orders_count).ok_or_else(overflow)?;
    member.cycle.spent_minor = member.cycle.spent_minor.checked_add(opening.cycle_spent_minor).ok_or_else(overflow)?;
    member.cycle.orders = member.cycle.orders.checked_add(opening.cycle_orders).ok_or_else(overflow)?;
    Ok(())
}

/// The lots of the redeemable points; none for a debt.
fn lots_of(programme: &Programme, opening: &Opening, today: NaiveDate) -> Result<Lots, Rejection> {
    let redeemable = opening.legs.redeemable.0;
    let alike = |expiry| vec![Lot { expiry, points: redeemable }];
    let rows = match &opening.expires {
        Expires::ByProgramme => programme.expiry.lots(redeemable, programme.expiry.of(today)),
        Expires::Alike(expiry) => alike(*expiry),
        Expires::Lots(lots) => lots.clone(),
    };
    if matches!(opening.expires, Expires::Lots(_)) && rows.iter().any(|lot| lot.points < 0) {
        return Err(OpeningProblem::BelowZero("a lot").into());
    }
    let open = rows.iter().filter(|lot| lot.points > 0);
    let past = open.filter_map(|lot| if let Expiry::On(day) = lot.expiry { Some(day) } else { None });
    if let Some(day) = past.filter(|day| *day < today).min() {
        return Err(OpeningProblem::Expired(day).into());
    }
    let lots = Lots::from_rows(rows)?;
    if lots.total() != redeemable.max(0) {
        return Err(OpeningProblem::LotsAndPoints { lots: lots.total(), redeemable }.into());
    }
    Ok(lots)
}

/// The tier the member begins in, which no reversal takes away in this cycle (X20). One below what the figures reach
/// would be left with the next point, and is refused.
fn hold_tier(programme: &Programme, member: &mut Member, opening: &Opening) -> Result<(), Rejection> {
    let mut would_be = member.clone();
    would_be.balance = opening.legs;
    let reached = programme.reached(&would_be);
    let follows = programme.tier_authority == TierAuthority::Engine;
    let tier = match &opening.tier {
        Some(name) => programme.tiers.called(name).ok_or_else(|| Rejection::UnknownTier(name.clone()))?,
        None => programme.tiers.as_slice().get(if follows { reached } else { 0 }).ok_or(Rejection::NoTiers)?,
    };
    let rank = programme.tiers.rank(&tier.id).unwrap_or(0);
    if follows && reached > rank {
        let above = programme.tiers.as_slice().get(reached).map(|tier| tier.name.clone());
        let problem = OpeningProblem::TierBelowFigures { reached: above.unwrap_or_default(), given: tier.name.clone() };
        return Err(problem.into());
    }
    member.tier = tier.id.clone();
    member.tier_floor = tier.id.clone();
    member.tier_since = match opening.tier_since {
        Some(day) => day_start(programme.zone, day),
        None if rank == 0 => member.activated_at,
        None => member.as_of,
    };
    if !follows {
        member.tier_told_at = Some(member.tier_since);
    }
    Ok(())
}

/// The cycle that is running now, counted from the day the programme counts from (X7).
fn begin_cycle(
    programme: &Programme,
    member: &mut Member,
    opening: &Opening,
    today: NaiveDate,
) -> Result<(), Rejection> {
    let anchor = match programme.review.anchor {
        Anchor::TierStart => opening.tier_since.or(opening.joined_on),
        Anchor::Activation => opening.joined_on,
    };
    let anchor = anchor.unwrap_or(today);
    let mut start = anchor;
    for _ in 0..CYCLES_MAX {
        let end = programme.cycle.end_since(anchor, start);
        if end > today {
            member.cycle_start = start;
            member.review_on = end;
            return Ok(());
        }
        start = end;
    }
    Err(OpeningProblem::TooLongAgo.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;
    use crate::points::Ratio;
    use crate::programme::{Tier, Tiers};

    fn programme() -> Programme {
        let tier = |id: &str, name: &str, threshold| Tier::new(id.into(), name, threshold, Ratio::ONE);
        let ladder = vec![tier("member", "Member", 0), tier("silver", "Silver", 200), tier("gold", "Gold", 700)];
        let rate = Ratio::new(1, 10_000).unwrap();
        let zone = chrono_tz::Asia::Ho_Chi_Minh;
        Programme::new("test@1".into(), Currency::VND, zone, rate, Tiers::new(ladder).unwrap())
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// The shop's 25 November 2026.
    fn now() -> Instant {
        "2026-11-24T18:00:00Z".parse().unwrap()
    }

    fn opening(redeemable: i64, qualifying: i64) -> Opening {
        Opening {
            asked: Asked { request_id: "r_1".into(), fingerprint: "one".to_owned() },
            profile: Profile::default(),
            legs: Legs::new(redeemable, qualifying),
            expires: Expires::ByProgramme,
            tier: None,
            joined_on: None,
            tier_since: None,
            last_ordered_on: None,
            spent_minor: 0,
            orders_count: 0,
            cycle_spent_minor: 0,
            cycle_orders: 0,
            wallet_minor: 0,
        }
    }

    fn opened(opening: Opening) -> Result<(Request, Decision), Rejection> {
        let member = Member::registered(&programme(), "m_1".into(), now()).unwrap();
        open(&programme(), member, None, opening, now())
    }

    fn member(opening: Opening) -> Member {
        opened(opening).unwrap().1.member.unwrap()
    }

    fn problem(opening: Opening) -> OpeningProblem {
        match opened(opening).unwrap_err() {
            Rejection::CannotOpen(problem) => problem,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn t7_the_tier_follows_from_the_figures_where_it_is_left_out_and_is_no_change() {
        let (_, decision) = opened(opening(50, 250)).unwrap();
        let [entry] = decision.entries.as_slice() else { panic!("one entry") };
        assert_eq!((entry.seq, entry.kind), (1, EntryKind::Opening));
        assert_eq!((entry.tier_before.as_str(), entry.tier_after.as_str()), ("silver", "silver"));
        assert_eq!(entry.lots, [Lot { expiry: programme().expiry.of(day("2026-11-25")), points: 50 }]);
    }

    #[test]
    fn x20_a_tier_that_is_brought_along_is_the_floor_though_its_points_are_not_there() {
        let member = member(Opening { tier: Some("GOLD".to_owned()), ..opening(0, 10) });
        assert_eq!((member.tier.as_str(), member.tier_floor.as_str()), ("gold", "gold"));
        let given = Opening { tier: Some("Member".to_owned()), ..opening(0, 250) };
        let above = OpeningProblem::TierBelowFigures { reached: "Silver".to_owned(), given: "Member".to_owned() };
        assert_eq!(problem(given), above);
    }

    #[test]
    fn x7_the_cycle_is_the_one_that_is_running_since_the_member_joined() {
        let joined = Opening { joined_on: Some(day("2024-03-05")), ..opening(0, 0) };
        let member = member(joined);
        // 365 days twice, across 29 February 2024's end: 5 March 2026.
        assert_eq!((member.cycle_start, member.review_on), (day("2026-03-05"), day("2027-03-05")));
        assert_eq!(member.activated_at, "2024-03-04T17:00:00Z".parse::<Instant>().unwrap());
        assert_eq!(
            problem(Opening { joined_on: Some(day("1890-01-01")), ..opening(0, 0) }),
            OpeningProblem::TooLongAgo
        );
    }

    #[test]
    fn lots_are_the_points_and_none_of_them_has_expired() {
        let lots = |days: &[(&str, i64)]| {
            Expires::Lots(
                days.iter().map(|(on, points)| Lot { expiry: Expiry::On(day(on)), points: *points }).collect(),
            )
        };
        let brought = member(Opening { expires: lots(&[("2027-01-31", 20), ("2026-11-25", 30)]), ..opening(50, 0) });
        assert_eq!(brought.lots.total(), 50);
        let short = Opening { expires: lots(&[("2027-01-31", 20)]), ..opening(50, 0) };
        assert_eq!(problem(short), OpeningProblem::LotsAndPoints { lots: 20, redeemable: 50 });
        let late = Opening { expires: lots(&[("2026-11-24", 50)]), ..opening(50, 0) };
        assert_eq!(problem(late), OpeningProblem::Expired(day("2026-11-24")));
        let owing = Opening { expires: lots(&[("2027-01-31", 5), ("2027-02-28", -5)]), ..opening(0, 0) };
        assert_eq!(problem(owing), OpeningProblem::BelowZero("a lot"));
    }

    #[test]
    fn x22_a_debt_is_brought_along_without_lots() {
        let member = member(opening(-40, 0));
        assert_eq!((member.debt(), member.lots.total()), (40, 0));
    }

    #[test]
    fn the_same_opening_changes_nothing_and_another_one_is_refused() {
        let (request, decision) = opened(opening(50, 0)).unwrap();
        let member = decision.member.unwrap();
        let again = open(&programme(), member.clone(), Some(&request), opening(50, 0), now()).unwrap();
        assert_eq!(again.1, Decision::nothing(Outcome::Duplicate));
        let asked = Asked { fingerprint: "another".to_owned(), ..opening(0, 0).asked };
        let other = open(&programme(), member.clone(), Some(&request), Opening { asked, ..opening(60, 0) }, now());
        assert_eq!(other.unwrap_err(), OpeningProblem::OtherFigures.into());
        let late = open(&programme(), member, None, opening(50, 0), now()).unwrap_err();
        assert_eq!(late, OpeningProblem::HasHistory { entries: 1 }.into());
    }

    #[test]
    fn figures_that_cannot_be_are_refused_by_name() {
        let tomorrow = Some(day("2026-11-26"));
        assert_eq!(problem(opening(0, -1)), OpeningProblem::BelowZero("qualifying_points"));
        assert_eq!(problem(Opening { wallet_minor: -1, ..opening(0, 0) }), OpeningProblem::BelowZero("wallet"));
        assert_eq!(problem(Opening { cycle_orders: 1, ..opening(0, 0) }), OpeningProblem::MoreInCycle("orders"));
        assert_eq!(problem(Opening { joined_on: tomorrow, ..opening(0, 0) }), OpeningProblem::InFuture("joined_on"));
        let mut unborn = opening(0, 0);
        unborn.profile.birthday = tomorrow;
        assert_eq!(problem(unborn), OpeningProblem::InFuture("birthday"));
        let since =
            Opening { joined_on: Some(day("2026-11-02")), tier_since: Some(day("2026-11-01")), ..opening(0, 0) };
        assert_eq!(problem(since), OpeningProblem::BeforeJoining("tier_since"));
        let unknown = Opening { tier: Some("Platinum".to_owned()), ..opening(0, 0) };
        assert_eq!(opened(unknown).unwrap_err(), Rejection::UnknownTier("Platinum".to_owned()));
    }
}
