//! What falls due on a day: told before it happens, and given when it is time (D3, E5, B1, N4).
//!
//! The books themselves need no daily run: `advance` catches up whenever somebody looks. The run makes it happen without
//! anybody looking, and it is the only one that tells. Each day is told once: `noticed_to` is the last one told, so a run
//! that is late tells what is still true, and one that comes twice tells nothing.

use chrono::{Datelike, NaiveDate};

use crate::advance::advance;
use crate::criteria::{Criterion, Missing};
use crate::decision::{Decision, Outcome, Rejection};
use crate::ledger::{EntryKind, Ledger, TierCause};
use crate::lots::Expiry;
use crate::member::Member;
use crate::programme::{Programme, Tier, TierAuthority};
use crate::standing::missing_to_keep;
use crate::time::{Instant, minus_days, month_start, plus_days, plus_months};
use crate::voucher::{Grant, Offer};

/// A birthday or a month's first that a run finds is still worth giving for so many days.
const GIVEN_LATE_DAYS_MAX: u32 = 31;

/// Something to tell a member. `on` is the day it fell due and part of what makes it the same notice again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub on: NaiveDate,
    pub about: About,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Redeemable points that are good until that day, that day included (E5).
    PointsExpiring { points: i64, last_day: NaiveDate },
    /// What is missing to keep the tier at its review (D3).
    TierAtRisk { missing: Missing, review_on: NaiveDate },
    /// The vouchers of a birthday (B1).
    Birthday,
    /// The vouchers of a month.
    Monthly,
}

/// What a day's run does about one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// The rows to write, if any; the vouchers to give stand in it.
    pub decision: Decision,
    pub notices: Vec<Notice>,
}

/// Brings a member to a day and tells what is due (D3). Running it again the same day changes nothing.
///
/// # Errors
/// A [`Rejection`] changes nothing.
pub fn run_day(programme: &Programme, mut member: Member, now: Instant) -> Result<Day, Rejection> {
    let mut entries = Vec::new();
    advance(programme, &mut member, now, &mut entries)?;
    let today = programme.day(member.as_of);
    if member.noticed_to >= today && entries.is_empty() {
        return Ok(Day { decision: Decision::nothing(Outcome::Duplicate), notices: Vec::new() });
    }
    let since = plus_days(member.noticed_to, 1);
    let mut notices = Vec::new();
    let mut grants = Vec::new();
    expiring(programme, &mut member, today, &mut notices);
    at_risk(programme, &mut member, today, &mut notices);
    given(programme, &member, since, today, &mut notices, &mut grants);
    member.noticed_to = member.noticed_to.max(today);
    if month_start(programme.day(member.tier_since)) <= member.noticed_to {
        member.month_tier = None;
    }
    Ok(Day { decision: Decision { grants, ..Decision::posted(member, entries) }, notices })
}

/// Raises a member who has enough for a tier since a later version of the programme asks less for it (T7). For whom nothing
/// changes nothing is written.
///
/// # Errors
/// A [`Rejection`] changes nothing.
pub fn raise(programme: &Programme, mut member: Member, now: Instant) -> Result<Decision, Rejection> {
    let mut entries = Vec::new();
    advance(programme, &mut member, now, &mut entries)?;
    let cause = TierCause::at(member.as_of);
    Ledger::new(programme, &mut member, &mut entries).raise(&cause)?;
    // Where nothing but that fell due, it is the daily run's.
    if entries.iter().all(|entry| entry.kind != EntryKind::Tier) {
        return Ok(Decision::nothing(Outcome::Duplicate));
    }
    Ok(Decision::posted(member, entries))
}

/// The first day after `noticed_to` on which something is due for the member, by itself or to be told; `None` when
/// nothing is. The daily run finds members by it.
pub fn due_on(programme: &Programme, member: &Member) -> Option<NaiveDate> {
    let told = member.noticed_to;
    let base = programme.tiers.base().is_some_and(|base| base.id == member.tier);
    let lots = member.lots.as_slice().iter().filter_map(|lot| lot.expiry.day());
    let expiries = lots.clone().map(|last| plus_days(last, 1));
    let notice_days = programme.notices.expiring_days;
    let untold = lots.filter(|last| Some(*last) > member.expiring_told_to);
    // Of points that came when their day of notice was over, the next run tells.
    let notices = untold.filter_map(|last| Some(minus_days(last, notice_days?).max(plus_days(told, 1))));
    let in_doubt = !base || member.balance.qualifying.0 != 0;
    let review = in_doubt.then_some(member.review_on);
    // Who is safe when the day of notice has come may be at risk later, by an order that is undone.
    let risk = risk_day(programme, member).map(|on| (on, plus_days(told, 1)));
    let risk = risk.filter(|(on, next)| on >= next || !missing_to_keep(programme, member).is_nothing());
    let risk = risk.map(|(on, next)| on.max(next));
    let holds = member.holds.iter().map(|hold| plus_days(programme.day(hold.until), 1));
    let tier = programme.tiers.get(&member.tier);
    let birthday = tier.filter(|tier| !tier.birthday.is_empty()).and(member.profile.birthday);
    let birthday = birthday.map(|born| next_birthday(born, told));
    let monthly = tier.filter(|tier| !tier.monthly.is_empty());
    let monthly = monthly.map(|_| plus_months(month_start(told), 1));
    let began = began_with(programme, member).filter(|(month, tier)| *month > told && !tier.monthly.is_empty());
    let began = began.map(|(month, _)| month);
    let told_later = notices.chain(risk).chain(belonging_days(programme, member)).filter(|day| *day > told);
    // What moves the books is due until it is done, however late.
    let done_later = expiries.chain(review).chain(holds);
    done_later.chain(told_later).chain(birthday).chain(monthly).chain(began).min()
}

/// The days on which the membership is old enough for a tier above the one that is held, as far as that is asked (T18).
pub(crate) fn belonging_days(programme: &Programme, member: &Member) -> impl Iterator<Item = NaiveDate> {
    let begun = programme.day(member.activated_at);
    let above = programme.tiers.rank(&member.tier).map_or(0, |rank| rank.saturating_add(1));
    let rules = programme.tiers.as_slice().iter().skip(above).filter_map(|tier| tier.rules.as_ref());
    let days = rules.flat_map(|rules| [&rules.enter, &rules.reenter]).flat_map(Criterion::member_days);
    days.map(move |days| plus_days(begun, days))
}

/// Points that will be gone soon, each last valid day told once, while they are still there (E5): also those that came when
/// their day of notice was over, as an opening's may.
fn expiring(programme: &Programme, member: &mut Member, today: NaiveDate, notices: &mut Vec<Notice>) {
    let Some(days) = programme.notices.expiring_days else { return };
    let told_to = member.expiring_told_to;
    for lot in member.lots.as_slice() {
        let Expiry::On(last_day) = lot.expiry else { continue };
        let on = minus_days(last_day, days);
        if on <= today && Some(last_day) > told_to {
            member.expiring_told_to = member.expiring_told_to.max(Some(last_day));
            notices.push(Notice { on, about: About::PointsExpiring { points: lot.points, last_day } });
        }
    }
}

/// From which day on a member is told that their tier would be missed if nothing more was earned; `None` where it cannot
/// be, or where they were told for this review (D3).
fn risk_day(programme: &Programme, member: &Member) -> Option<NaiveDate> {
    let days = programme.notices.keep_tier_days?;
    let ours = programme.tier_authority == TierAuthority::Engine;
    let above_base = programme.tiers.rank(&member.tier).is_some_and(|rank| rank > 0);
    let untold = member.risk_told_for != Some(member.review_on);
    (ours && above_base && untold && !member.in_grace).then(|| minus_days(member.review_on, days))
}

/// A tier that would be missed if nothing more was earned, told once for each review (D3).
fn at_risk(programme: &Programme, member: &mut Member, today: NaiveDate, notices: &mut Vec<Notice>) {
    let missing = missing_to_keep(programme, member);
    let Some(on) = risk_day(programme, member).filter(|on| *on <= today && !missing.is_nothing()) else { return };
    member.risk_told_for = Some(member.review_on);
    notices.push(Notice { on, about: About::TierAtRisk { missing, review_on: member.review_on } });
}

/// The vouchers of birthdays and months. A voucher's grant names the year or the month, so an edited birthday gives
/// nothing twice in a year.
fn given(
    programme: &Programme,
    member: &Member,
    since: NaiveDate,
    today: NaiveDate,
    notices: &mut Vec<Notice>,
    grants: &mut Vec<Grant>,
) {
    let Some(tier) = programme.tiers.get(&member.tier) else { return };
    let since = since.max(minus_days(today, GIVEN_LATE_DAYS_MAX));
    let mut give = |offers: &[Offer], why: String, on: NaiveDate, about: About| {
        if !offers.is_empty() {
            grants.extend(offers.iter().map(|offer| Grant::new(&member.member_id, &why, offer, on)));
            notices.push(Notice { on, about });
        }
    };
    if let Some(born) = member.profile.birthday {
        let on = next_birthday(born, minus_days(since, 1));
        if on <= today {
            give(&tier.birthday, format!("birthday/{}", on.year()), on, About::Birthday);
        }
    }
    // A month's vouchers are of the tier that was held when the month began, whenever the run finds the member.
    if let Some((month, tier)) = began_with(programme, member).filter(|(month, _)| (since..=today).contains(month)) {
        give(&tier.monthly, format!("month/{}", month.format("%Y-%m")), month, About::Monthly);
    }
    let held = programme.day(member.tier_since);
    let mut on = plus_months(month_start(minus_days(since, 1).max(held)), 1);
    while on <= today {
        give(&tier.monthly, format!("month/{}", on.format("%Y-%m")), on, About::Monthly);
        on = plus_months(on, 1);
    }
}

/// The first day of the month in which the member's tier changed last, and the tier that they held then, while it is kept.
fn began_with<'a>(programme: &'a Programme, member: &Member) -> Option<(NaiveDate, &'a Tier)> {
    let tier = programme.tiers.get(member.month_tier.as_ref()?)?;
    Some((month_start(programme.day(member.tier_since)), tier))
}

/// The first birthday after a day. Who was born on 29 February has it on the 28th in other years (B1).
fn next_birthday(born: NaiveDate, after: NaiveDate) -> NaiveDate {
    let in_year = |year: i32| {
        NaiveDate::from_ymd_opt(year, born.month(), born.day()).or_else(|| NaiveDate::from_ymd_opt(year, 2, 28))
    };
    let this_year = in_year(after.year()).filter(|day| *day > after);
    this_year.or_else(|| in_year(after.year().saturating_add(1))).unwrap_or(NaiveDate::MAX)
}
