//! Tiers and cycles, walked through from the beginning: reviews on the right day of the programme's zone and by its rule,
//! upgrades at once, and what a reversal may undo (T7–T15, X6–X9, X20, X21, R5); by points or by rules, with rules of
//! their own for keeping a tier and for coming back to it (T16, T17).

use std::collections::{BTreeMap, HashMap};

use chrono::{Datelike, Days, Duration, Months, NaiveDate, NaiveTime};
use loyalty_domain::criteria::Criterion;
use loyalty_domain::ids::{OrderId, TierId};
use loyalty_domain::ledger::{Entry, EntryKind, Reason};
use loyalty_domain::member::Member;
use loyalty_domain::order::Order;
use loyalty_domain::points::Legs;
use loyalty_domain::programme::{Anchor, Cycle, Downgrade, Programme, ReversalDemotes, Tier};
use loyalty_domain::time::Instant;

use super::{Judgement, ZONE_HOURS, claim, counts_from, earns, local_day};
use crate::sim::scenario::Scenario;
use crate::sim::store::{Commit, Store};

struct Walk<'a> {
    scenario: &'a Scenario,
    cycle_start: NaiveDate,
    review_on: NaiveDate,
    in_grace: bool,
    tier: &'a str,
    /// Until when everything that fell due has been seen, and the day that conditions are judged on.
    walked: Instant,
    today: NaiveDate,
    /// A review was at this instant, and the membership may be long enough to come back at once.
    reviewed: Option<Instant>,
    /// The days on which the membership and the tier began.
    begun: [NaiveDate; 2],
    floor: &'a str,
    balance: Legs,
    credits: HashMap<(&'a str, &'a str), Credit>,
    /// The highest tier that was ever lost in a review.
    lost: Option<&'a str>,
    /// For how many points the held tier was reached in this cycle.
    asked: Option<i64>,
    /// What each of the member's orders adds to a cycle, and to which.
    parts: BTreeMap<OrderId, Part>,
    /// Behaviours rewarded in this cycle.
    behaviours: i64,
}

/// What was spent on an order, and the cycle in which it counts.
struct Part {
    cycle_start: NaiveDate,
    spent_minor: i64,
}

/// At what a rule settled for an order, and what of its qualifying points a cycle has seen posted: the newest that saw any.
struct Credit {
    settled: (i64, i64),
    cycle_start: NaiveDate,
    posted_in_it: i64,
}

/// What time brings by itself, in the order in which it comes where it comes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// Another version of the programme is in force, which may ask less.
    Version,
    Review,
    /// The membership is long enough for a tier.
    Membership,
}

/// What a review must post.
struct Due<'a> {
    legs: Legs,
    tier: &'a str,
}

pub(super) fn judge(scenario: &Scenario, store: &Store, history: &[Entry], member: &Member) -> Judgement {
    let begun = local_day(member.activated_at);
    let first = &scenario.programme_at(member.activated_at);
    let base = first.tiers.as_slice()[0].id.as_str();
    let mut walk = Walk {
        scenario,
        cycle_start: begun,
        review_on: end(first.cycle, begun),
        in_grace: false,
        walked: member.activated_at,
        today: begun,
        reviewed: None,
        tier: base,
        begun: [begun; 2],
        floor: base,
        balance: Legs::ZERO,
        credits: HashMap::new(),
        lost: None,
        asked: None,
        parts: BTreeMap::new(),
        behaviours: 0,
    };
    let own = |commit: &&Commit| commit.member.as_ref().is_some_and(|(member_id, _)| *member_id == member.member_id);
    if store.keeps_log {
        for commit in store.log().iter().filter(own) {
            let posted = history.get(commit.entries.clone()).unwrap_or_default();
            let order = commit.order.as_ref().and_then(|order| store.order_at(order));
            let row = commit.member.as_ref().and_then(|member| store.member_at(member)).ok_or("a row is missing")?;
            walk.decision(posted, row, order).map_err(|what| format!("{what}; {}", told(history)))?;
        }
        walk.judge_sums(member).map_err(|what| format!("member {}: {what}; {}", member.member_id, told(history)))?;
    } else {
        history.iter().try_for_each(|entry| walk.checked(entry))?;
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
    fn checked(&mut self, entry: &'a Entry) -> Judgement {
        self.entry(entry).map_err(|what| format!("entry {}/{}: {what}", entry.member_id, entry.seq))
    }

    /// One decision about the member: its entries, and where tiers are by rules the tier it leaves them in (T17, R5).
    fn decision(&mut self, posted: &'a [Entry], row: &Member, order: Option<&Order>) -> Judgement {
        let by_time = |entry: &Entry| {
            entry.kind == EntryKind::Reset || (entry.kind == EntryKind::Tier && step_of(entry).is_some())
        };
        let first_other = posted.iter().rposition(by_time).map_or(0, |at| at + 1);
        let (due, decided) = posted.split_at(first_other);
        due.iter().try_for_each(|entry| self.checked(entry))?;
        let mut held = self.tier;
        for entry in decided {
            if entry.kind == EntryKind::Tier && held == self.tier {
                self.catch_up(row.as_of)?;
                held = self.tier;
            }
            self.checked(entry)?;
        }
        self.catch_up(row.as_of)?;
        let before = self.spent();
        if let Some(order) = order {
            self.count(order);
        }
        if !by_rules(&self.scenario.programmes[0].1) {
            return Ok(());
        }
        self.today = local_day(row.as_of);
        let took = decided.iter().any(|entry| entry.legs.qualifying.0 < 0) || self.spent() < before;
        // Without an entry nothing says which version decided: then some version must come to the same.
        let stated = decided.last().map(|entry| &entry.programme_version);
        let versions = self.scenario.programmes.iter().map(|(_, programme)| programme);
        let mut versions = versions.filter(|programme| stated.is_none_or(|stated| *stated == programme.version));
        let right = |programme: &Programme| self.tier_by_rules(programme, held, took) == row.tier.as_str();
        claim(versions.any(right), || format!("is in tier {} as of {}, against its rules", row.tier, row.as_of))
    }

    /// The tier that rules say after a decision: `took` says that something that counted is gone (R5, X20).
    fn tier_by_rules<'p>(&self, programme: &'p Programme, held: &str, took: bool) -> &'p str {
        let reached = self.reached(programme);
        let (held, floor) = (rank(programme, held), rank(programme, self.floor));
        let right = match programme.reversal_demotes {
            _ if reached >= held => reached,
            ReversalDemotes::ToFloor if took => reached.max(floor).min(held),
            ReversalDemotes::ByBalance if took => reached,
            _ => held,
        };
        programme.tiers.as_slice()[right].id.as_str()
    }

    /// What fell due without an entry.
    fn catch_up(&mut self, as_of: Instant) -> Judgement {
        loop {
            let (at, step) = self.next_due();
            if at > as_of {
                break;
            }
            claim(self.take_step(at, step).is_none(), || format!("the {step:?} of {at} is missing"))?;
        }
        self.walked = self.walked.max(as_of);
        Ok(())
    }

    /// What time brings next.
    fn next_due(&self) -> (Instant, Step) {
        if let Some(at) = self.reviewed {
            return (at, Step::Membership);
        }
        let review = (midnight(self.review_on), Step::Review);
        let versions = self.scenario.programmes.iter().skip(1).map(|(from, _)| (*from, Step::Version));
        let tiers = self.scenario.programmes.iter().flat_map(|(_, programme)| programme.tiers.as_slice());
        let rules = tiers.filter_map(|tier| tier.rules.as_ref());
        let days = rules.flat_map(|rules| [lengths(&rules.enter), lengths(&rules.reenter)]).flatten();
        let long_enough = days.map(|days| (midnight(self.begun[0] + Days::new(u64::from(days))), Step::Membership));
        let to_come = versions.chain(long_enough).filter(|(at, _)| self.walked < *at);
        to_come.chain([review]).min().unwrap_or(review)
    }

    /// Takes a step: what an entry must then say, if one must.
    fn take_step(&mut self, at: Instant, step: Step) -> Option<Due<'a>> {
        self.today = local_day(at);
        self.reviewed = None;
        // By the version that was in force when it fell due, however late (F24).
        let programme = self.scenario.programme_at(at);
        if step == Step::Review {
            self.reviewed = by_rules(programme).then_some(at);
            return self.review(programme);
        }
        self.walked = self.walked.max(at);
        let reached = self.reached(programme);
        let raised = reached > rank(programme, self.tier);
        raised.then(|| Due { legs: Legs::ZERO, tier: programme.tiers.as_slice()[reached].id.as_str() })
    }

    /// What the order adds to the cycle in which it counts (X44): that in which it was first, or last from nothing,
    /// credited its own points.
    fn count(&mut self, order: &Order) {
        let Some(base) = order.credit(&"base".into()) else { return };
        let Some(programme) = self.scenario.programme(&base.terms.programme_version) else { return };
        let barred = order.ever_undone && programme.reversal.no_recredit_after_cancel;
        let earned = earns(&order.facts, programme.earning.earn_when) && order.facts.currency == programme.currency;
        let facts = &order.facts;
        let goods = (facts.due_minor - facts.shipping_minor - facts.refunded_minor.max(0)).max(0);
        let now = self.cycle_start;
        let part = self.parts.entry(order.order_id.clone()).or_insert(Part { cycle_start: now, spent_minor: 0 });
        part.spent_minor = if earned && !barred { goods } else { 0 };
    }

    /// What was spent in this cycle, and on how many orders.
    fn spent(&self) -> (i64, i64) {
        let here = self.parts.values().filter(|part| part.cycle_start == self.cycle_start && part.spent_minor > 0);
        here.fold((0, 0), |(spent, orders), part| (spent + part.spent_minor, orders + 1))
    }

    /// The highest rung whose rule is met: that for coming back up to the one that was once lost.
    fn reached(&self, programme: &Programme) -> usize {
        let lost = self.lost.map(|lost| rank(programme, lost));
        let meets = |(at, tier): &(usize, &Tier)| {
            let again = Some(*at) <= lost;
            match &tier.rules {
                Some(rules) => self.meets(if again { &rules.reenter } else { &rules.enter }),
                None => self.balance.qualifying.0 >= if again { tier.reenter } else { tier.threshold },
            }
        };
        programme.tiers.as_slice().iter().enumerate().filter(meets).map(|(at, _)| at).max().unwrap_or(0)
    }

    /// The points for which a tier is reached, or reached again after it was lost; `None` for tiers by rules.
    fn asks(&self, programme: &Programme, tier: &str) -> Option<i64> {
        let at = rank(programme, tier);
        let lost = self.lost.is_some_and(|lost| rank(programme, lost) >= at);
        let tier = &programme.tiers.as_slice()[at];
        let points = if lost { tier.reenter } else { tier.threshold };
        tier.rules.is_none().then_some(points)
    }

    fn meets(&self, criterion: &Criterion) -> bool {
        match criterion {
            Criterion::Spent { minor } => self.spent().0 >= *minor,
            Criterion::Orders { count } => self.spent().1 >= *count,
            Criterion::Points { points } => self.balance.qualifying.0 >= *points,
            Criterion::Behaviour { times, .. } => self.behaviours >= i64::from(*times),
            Criterion::MemberDays { days } => (self.today - self.begun[0]).num_days() >= i64::from(*days),
            Criterion::All(all) => all.iter().all(|one| self.meets(one)),
            Criterion::Any(any) => any.iter().any(|one| self.meets(one)),
        }
    }

    fn keeps(&self, tier: &Tier) -> bool {
        match &tier.rules {
            Some(rules) => self.meets(&rules.keep),
            None => self.balance.qualifying.0 >= tier.keep,
        }
    }

    /// The member's row says what was done in the cycle, and what was lost.
    fn judge_sums(&self, member: &Member) -> Judgement {
        let cycle = &member.cycle;
        let found = (cycle.spent_minor, cycle.orders, cycle.behaviours.values().map(|times| i64::from(*times)).sum());
        let right = (self.spent().0, self.spent().1, self.behaviours);
        claim(found == right, || format!("has spent, ordered and done {found:?} in the cycle, not {right:?}"))?;
        let lost = member.lost_tier.as_ref().map(TierId::as_str);
        claim(lost == self.lost, || format!("has lost {lost:?}, not {:?}", self.lost))
    }

    fn entry(&mut self, entry: &'a Entry) -> Judgement {
        let programme = self.scenario.programme(&entry.programme_version).ok_or("is of an unknown programme")?;
        let at = counts_from(entry);
        // What expires or lapses at the same time comes before all else.
        let with_it = entry.kind == EntryKind::Expiration || entry.reason == Reason::HoldLapsed;
        loop {
            let (when, step) = self.next_due();
            if when > at || (with_it && when == at) {
                break;
            }
            let in_force = self.scenario.programme_at(when);
            let Some(due) = self.take_step(when, step) else { continue };
            claim(step_of(entry) == Some(step), || format!("the {step:?} of {when} is missing"))?;
            let (by, right) = (&entry.programme_version, &in_force.version);
            claim(by == right, || format!("the {step:?} of {when} is by {by} and not by {right}"))?;
            claim(entry.occurred_at == when, || format!("is the {step:?} of another time than {when}"))?;
            let found = (entry.legs, entry.tier_after.as_str());
            claim(found == (due.legs, due.tier), || format!("comes to {found:?}, not {:?}", (due.legs, due.tier)))?;
            if step != Step::Review {
                self.hold(programme, due.tier, when);
                return Ok(());
            }
            if rank(programme, self.tier) > rank(programme, due.tier)
                && self.lost.is_none_or(|lost| rank(programme, self.tier) > rank(programme, lost))
            {
                self.lost = Some(self.tier);
            }
            if self.tier != due.tier {
                self.begun[1] = self.cycle_start;
            }
            self.tier = due.tier;
            self.asked = None;
            self.floor = due.tier;
            self.balance = entry.balance_after;
            return Ok(());
        }
        claim(step_of(entry).is_none(), || "was not due".to_owned())?;
        if !with_it {
            self.walked = self.walked.max(at);
        }
        self.today = local_day(at);
        self.credit(entry)?;
        self.balance = entry.balance_after;
        self.behaviours += i64::from(entry.kind == EntryKind::Behaviour);
        let tier = self.right_tier(programme, entry);
        claim(tier == entry.tier_after.as_str(), || format!("leaves tier {}, not {tier}", entry.tier_after))?;
        self.hold(programme, tier, at);
        Ok(())
    }

    /// Holds a tier from an instant on.
    fn hold(&mut self, programme: &Programme, tier: &'a str, since: Instant) {
        let rises = rank(programme, tier) > rank(programme, self.tier);
        if rises {
            self.in_grace = false;
            if programme.review.anchor == Anchor::TierStart {
                self.review_on = end(programme.cycle, local_day(since));
            }
        }
        if self.tier != tier {
            self.begun[1] = local_day(since);
            self.asked = self.asks(programme, tier).filter(|_| rises);
        }
        self.tier = tier;
    }

    /// Ends a cycle, or puts its end off for the days of grace. `None` where no entry says so.
    fn review(&mut self, programme: &'a Programme) -> Option<Due<'a>> {
        let ladder = programme.tiers.as_slice();
        let held = rank(programme, self.tier);
        let (points, spendable) = (self.balance.qualifying.0, self.balance.redeemable.0.max(0));
        let kept = held == 0 || programme.review.downgrade == Downgrade::None || self.keeps(&ladder[held]);
        let next = match programme.review.downgrade {
            _ if kept => held,
            Downgrade::None => held,
            Downgrade::OneLevel => held.saturating_sub(1),
            Downgrade::ToBase => 0,
            Downgrade::BalanceBased => self.reached(programme),
        };
        if !kept && programme.review.grace_days > 0 && !self.in_grace {
            self.in_grace = true;
            self.review_on = self.review_on + Days::new(u64::from(programme.review.grace_days));
            return None;
        }
        self.in_grace = false;
        self.behaviours = 0;
        self.asked = None;
        self.cycle_start = self.review_on;
        let counted_from = self.begun[usize::from(programme.review.anchor == Anchor::TierStart)];
        self.review_on = anniversary(programme.cycle, counted_from, self.cycle_start)
            .unwrap_or_else(|| end(programme.cycle, self.cycle_start));
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
        let comes_back = entry.kind != EntryKind::Reversal && credit.settled == (0, 0);
        if comes_back && entry.rule.as_str() == "base" {
            // In the same cycle it keeps what was spent on it, so that less of it is seen to be less.
            if self.parts.get(order_id).is_none_or(|part| part.cycle_start != now) {
                self.parts.insert(order_id.clone(), Part { cycle_start: now, spent_minor: 0 });
            }
        }
        if entry.kind == EntryKind::Reversal {
            let wanted = (credit.settled.1 - explained.deserves.qualifying.0).max(0);
            let here = if credit.cycle_start == now { credit.posted_in_it.min(wanted) } else { 0 };
            let taken = if explained.terms.reversal.late_debits_current { wanted } else { here };
            let found = -entry.legs.qualifying.0;
            claim(found == taken, || format!("takes {found} qualifying points back, not {taken}"))?;
            credit.posted_in_it -= here;
        } else {
            let before = if credit.cycle_start == now { credit.posted_in_it } else { 0 };
            (credit.cycle_start, credit.posted_in_it) = (now, before + entry.legs.qualifying.0);
        }
        let deserves = (explained.deserves.redeemable.0, explained.deserves.qualifying.0);
        credit.settled = match entry.kind {
            // What rises while the other kind falls is given by the next entry.
            EntryKind::Reversal => (credit.settled.0.min(deserves.0), credit.settled.1.min(deserves.1)),
            _ => deserves,
        };
        Ok(())
    }

    fn right_tier(&self, programme: &'a Programme, entry: &'a Entry) -> &'a str {
        if by_rules(programme) {
            // What the rules say is judged decision by decision; only entries of their own change the tier.
            return if entry.kind == EntryKind::Tier { entry.tier_after.as_str() } else { self.tier };
        }
        let ladder = programme.tiers.as_slice();
        let reached = self.reached(programme);
        let (held, floor) = (rank(programme, self.tier), rank(programme, self.floor));
        let taken = entry.legs.qualifying.0 < 0;
        let right = match programme.reversal_demotes {
            _ if reached >= held => reached,
            _ if self.asked.is_some_and(|asked| self.balance.qualifying.0 >= asked) => held,
            ReversalDemotes::ToFloor if taken => reached.max(floor).min(held),
            ReversalDemotes::ByBalance if taken => reached,
            _ => held,
        };
        ladder[right].id.as_str()
    }

    fn judge_end(&mut self, member: &Member) -> Judgement {
        self.catch_up(member.as_of)?;
        let found = (member.cycle_start, member.review_on, member.in_grace, member.tier_floor.as_str());
        let right = (self.cycle_start, self.review_on, self.in_grace, self.floor);
        claim(found == right, || format!("cycle, review, grace and floor are {found:?}, not {right:?}"))
    }
}

/// What of that which time brings an entry tells.
fn step_of(entry: &Entry) -> Option<Step> {
    match (entry.kind, entry.rule.as_str()) {
        (EntryKind::Reset, _) => Some(Step::Review),
        (EntryKind::Tier, "tier-programme") => Some(Step::Version),
        (EntryKind::Tier, "tier-membership") => Some(Step::Membership),
        _ => None,
    }
}

/// The lengths of membership that are asked for, days.
fn lengths(criterion: &Criterion) -> Vec<u32> {
    match criterion {
        Criterion::MemberDays { days } => vec![*days],
        Criterion::All(several) | Criterion::Any(several) => several.iter().flat_map(lengths).collect(),
        _ => Vec::new(),
    }
}

fn by_rules(programme: &Programme) -> bool {
    programme.tiers.as_slice().iter().any(|tier| tier.rules.is_some())
}

fn rank(programme: &Programme, tier: &str) -> usize {
    programme.tiers.as_slice().iter().position(|known| known.id.as_str() == tier).unwrap_or(0)
}

fn midnight(day: NaiveDate) -> Instant {
    day.and_time(NaiveTime::MIN).and_utc() - Duration::hours(i64::from(ZONE_HOURS))
}

/// The anniversary after one of a day; `None` for a day that is none (X7).
fn anniversary(cycle: Cycle, of: NaiveDate, one: NaiveDate) -> Option<NaiveDate> {
    let Cycle::AnniversaryMonths(months) = cycle else { return None };
    let all = (0..).map(|cycles| of + Months::new(months * cycles));
    let mut rest = all.skip_while(|day| *day < one);
    rest.next().filter(|day| *day == one).and_then(|_| rest.next())
}

fn end(cycle: Cycle, start: NaiveDate) -> NaiveDate {
    match cycle {
        Cycle::RollingDays(days) => start + Days::new(u64::from(days)),
        Cycle::AnniversaryMonths(months) => start + Months::new(months),
        Cycle::CalendarYear => NaiveDate::from_ymd_opt(start.year() + 1, 1, 1).unwrap_or(start),
    }
}
