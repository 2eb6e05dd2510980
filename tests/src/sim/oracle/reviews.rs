//! Tiers and cycles, walked through from the beginning: reviews on the right day of the programme's zone and by its rule,
//! upgrades at once, and what a reversal may undo (T7–T15, X6–X9, X20, X21, R5).

use std::collections::HashMap;

use chrono::{Datelike, Days, Duration, Months, NaiveDate, NaiveTime};
use loyalty_domain::ledger::{Entry, EntryKind, Reason};
use loyalty_domain::member::Member;
use loyalty_domain::points::Legs;
use loyalty_domain::programme::{Anchor, Cycle, Downgrade, Programme, ReversalDemotes};
use loyalty_domain::time::Instant;

use super::{Judgement, ZONE_HOURS, claim, counts_from, local_day};
use crate::sim::scenario::Scenario;

struct Walk<'a> {
    scenario: &'a Scenario,
    cycle_start: NaiveDate,
    review_on: NaiveDate,
    in_grace: bool,
    tier: &'a str,
    floor: &'a str,
    balance: Legs,
    credits: HashMap<(&'a str, &'a str), Credit>,
}

/// At what a rule settled for an order, and what of its qualifying points a cycle has seen posted: the newest that saw any.
struct Credit {
    settled: (i64, i64),
    cycle_start: NaiveDate,
    posted_in_it: i64,
}

/// What a review must post.
struct Due<'a> {
    legs: Legs,
    tier: &'a str,
}

pub(super) fn judge(scenario: &Scenario, history: &[Entry], member: &Member) -> Judgement {
    let begun = local_day(member.activated_at);
    let first = &scenario.programme_at(member.activated_at);
    let base = first.tiers.as_slice()[0].id.as_str();
    let mut walk = Walk {
        scenario,
        cycle_start: begun,
        review_on: end(first.cycle, begun),
        in_grace: false,
        tier: base,
        floor: base,
        balance: Legs::ZERO,
        credits: HashMap::new(),
    };
    for entry in history {
        let wrong = |what: String| format!("entry {}/{}: {what}; {}", entry.member_id, entry.seq, told(history));
        walk.entry(entry).map_err(wrong)?;
    }
    walk.judge_end(member).map_err(|what| format!("member {}: {what}; {}", member.member_id, told(history)))
}

/// A history in a line, for whoever has to find out why.
fn told(history: &[Entry]) -> String {
    let entry = |entry: &Entry| {
        let Entry { seq, kind, legs, tier_after, occurred_at, recorded_at, .. } = entry;
        let (redeemable, qualifying) = (legs.redeemable.0, legs.qualifying.0);
        format!("{seq} {kind:?} {redeemable}/{qualifying} {tier_after} of {occurred_at} at {recorded_at}")
    };
    history.iter().map(entry).collect::<Vec<_>>().join(", ")
}

impl<'a> Walk<'a> {
    fn entry(&mut self, entry: &'a Entry) -> Judgement {
        let programme = self.scenario.programme(&entry.programme_version).ok_or("is of an unknown programme")?;
        let at = counts_from(entry);
        // What falls due with a review comes before it.
        let with_it = entry.kind == EntryKind::Expiration || entry.reason == Reason::HoldLapsed;
        loop {
            let midnight = midnight(self.review_on);
            if midnight > at || (with_it && midnight == at) {
                break;
            }
            let Some(due) = self.review(programme) else { continue };
            claim(entry.kind == EntryKind::Reset, || format!("the review of {midnight} is missing"))?;
            claim(entry.occurred_at == midnight, || format!("is the review of another day than {midnight}"))?;
            let found = (entry.legs, entry.tier_after.as_str());
            claim(found == (due.legs, due.tier), || format!("reviews to {found:?}, not {:?}", (due.legs, due.tier)))?;
            self.tier = due.tier;
            self.floor = due.tier;
            self.balance = entry.balance_after;
            return Ok(());
        }
        claim(entry.kind != EntryKind::Reset, || "reviews a tier that was not due".to_owned())?;
        self.credit(entry)?;
        self.balance = entry.balance_after;
        let tier = self.right_tier(programme, entry);
        claim(tier == entry.tier_after.as_str(), || format!("leaves tier {}, not {tier}", entry.tier_after))?;
        if rank(programme, tier) > rank(programme, self.tier) {
            self.in_grace = false;
            if programme.review.anchor == Anchor::TierStart {
                self.review_on = end(programme.cycle, local_day(entry.recorded_at));
            }
        }
        self.tier = tier;
        Ok(())
    }

    /// Ends a cycle, or puts its end off for the days of grace. `None` where no entry says so.
    fn review(&mut self, programme: &'a Programme) -> Option<Due<'a>> {
        let ladder = programme.tiers.as_slice();
        let held = rank(programme, self.tier);
        let (points, spendable) = (self.balance.qualifying.0, self.balance.redeemable.0.max(0));
        let next = match programme.review.downgrade {
            _ if points >= ladder[held].threshold => held,
            Downgrade::None => held,
            Downgrade::OneLevel => held.saturating_sub(1),
            Downgrade::ToBase => 0,
            Downgrade::BalanceBased => ladder.iter().rposition(|tier| tier.threshold <= points).unwrap_or(0),
        };
        let missed = next < held;
        if missed && programme.review.grace_days > 0 && !self.in_grace {
            self.in_grace = true;
            self.review_on = self.review_on + Days::new(u64::from(programme.review.grace_days));
            return None;
        }
        self.in_grace = false;
        self.cycle_start = self.review_on;
        self.review_on = end(programme.cycle, self.cycle_start);
        let taken = if programme.review.reset_redeemable { spendable } else { 0 };
        if held == 0 && points == 0 && taken == 0 {
            self.floor = self.tier;
            return None;
        }
        Some(Due { legs: Legs::new(-taken, -points), tier: ladder[next].id.as_str() })
    }

    /// Qualifying points of a cycle that is over are gone already: a reversal takes only what the current cycle has seen,
    /// the newest first, unless the programme debits the current cycle for all of it (X21).
    fn credit(&mut self, entry: &'a Entry) -> Judgement {
        let (Some(order_id), Some(explained)) = (&entry.order_id, &entry.explanation) else { return Ok(()) };
        let now = self.cycle_start;
        let new = || Credit { settled: (0, 0), cycle_start: now, posted_in_it: 0 };
        let credit = self.credits.entry((order_id.as_str(), entry.rule.as_str())).or_insert_with(new);
        if entry.kind == EntryKind::Reversal {
            let wanted = credit.settled.1 - explained.deserves.qualifying.0;
            let here = if credit.cycle_start == now { credit.posted_in_it.min(wanted) } else { 0 };
            let taken = if explained.terms.reversal.late_debits_current { wanted } else { here };
            let found = -entry.legs.qualifying.0;
            claim(found == taken, || format!("takes {found} qualifying points back, not {taken}"))?;
            credit.posted_in_it -= here;
        } else {
            let before = if credit.cycle_start == now { credit.posted_in_it } else { 0 };
            (credit.cycle_start, credit.posted_in_it) = (now, before + entry.legs.qualifying.0);
        }
        credit.settled = (explained.deserves.redeemable.0, explained.deserves.qualifying.0);
        Ok(())
    }

    fn right_tier(&self, programme: &'a Programme, entry: &Entry) -> &'a str {
        let ladder = programme.tiers.as_slice();
        let points = entry.balance_after.qualifying.0;
        let reached = ladder.iter().rposition(|tier| tier.threshold <= points).unwrap_or(0);
        let (held, floor) = (rank(programme, self.tier), rank(programme, self.floor));
        let taken = entry.legs.qualifying.0 < 0;
        let right = match programme.reversal_demotes {
            _ if reached >= held => reached,
            ReversalDemotes::ToFloor if taken => reached.max(floor).min(held),
            ReversalDemotes::ByBalance if taken => reached,
            _ => held,
        };
        ladder[right].id.as_str()
    }

    fn judge_end(&mut self, member: &Member) -> Judgement {
        let programme = self.scenario.programme_at(member.as_of);
        while midnight(self.review_on) <= member.as_of {
            let on = self.review_on;
            claim(self.review(programme).is_none(), || format!("the review of {on} is missing"))?;
        }
        let found = (member.cycle_start, member.review_on, member.in_grace, member.tier_floor.as_str());
        let right = (self.cycle_start, self.review_on, self.in_grace, self.floor);
        claim(found == right, || format!("cycle, review, grace and floor are {found:?}, not {right:?}"))
    }
}

fn rank(programme: &Programme, tier: &str) -> usize {
    programme.tiers.as_slice().iter().position(|known| known.id.as_str() == tier).unwrap_or(0)
}

fn midnight(day: NaiveDate) -> Instant {
    day.and_time(NaiveTime::MIN).and_utc() - Duration::hours(i64::from(ZONE_HOURS))
}

fn end(cycle: Cycle, start: NaiveDate) -> NaiveDate {
    match cycle {
        Cycle::RollingDays(days) => start + Days::new(u64::from(days)),
        Cycle::AnniversaryMonths(months) => start + Months::new(months),
        Cycle::CalendarYear => NaiveDate::from_ymd_opt(start.year() + 1, 1, 1).unwrap_or(start),
    }
}
