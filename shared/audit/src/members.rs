//! Holds every member's row against the one rebuilt from their history and their orders.

use chrono::{DateTime, Days, NaiveDate, Utc};
use compact_str::CompactString;
use foldhash::HashMap;

use crate::Row;
use crate::cycles::begins;
use crate::fields::{
    Expiry, Legs, Lot, Problem, Read, count, day, flag_if_any, instant, list, lots_by_day, map_if_any, number,
    number_if_any, text, text_if_any,
};
use crate::history::{Histories, History};
use crate::merges::{Merges, Went};
use crate::orders::Orders;
use crate::report::{Findings, Standing};
use crate::requests::Hold;
use crate::value::Value;
use crate::welcome::Waiting;
use crate::{MemberSums, SumsByMember, Table};

/// A member's row, read.
#[derive(Debug)]
struct Member {
    last_seq: u64,
    activated_at: DateTime<Utc>,
    as_of: DateTime<Utc>,
    balance: Legs,
    lots: Vec<Lot>,
    pending_points: i128,
    spent_minor: i128,
    orders_count: i128,
    tier: CompactString,
    tier_since: DateTime<Utc>,
    tier_floor: CompactString,
    cycle_start: NaiveDate,
    /// Spent in the current cycle, and orders of it.
    cycle: (i128, i128),
    review_on: NaiveDate,
    noticed_to: NaiveDate,
    /// Where the index of what is due finds the row.
    due_on: Option<NaiveDate>,
    wallet_minor: i128,
    holds: Vec<Hold>,
    active_campaigns: Vec<CompactString>,
    waits_for: Vec<CompactString>,
    first_order: Option<CompactString>,
    welcome: Option<Waiting>,
    erased_at: Option<DateTime<Utc>>,
    went: Option<Went>,
    came: Vec<CompactString>,
}

/// All members' rows.
#[derive(Default)]
pub(crate) struct Members {
    by_id: HashMap<CompactString, Member>,
}

impl Members {
    pub fn row(&mut self, row: &Row, findings: &mut Findings) -> Result<(), Problem> {
        let member_id = text(row, "member_id")?;
        let member = Member::read(row)?;
        if self.by_id.insert(member_id.into(), member).is_some() {
            findings.add(Table::Members, member_id.to_owned(), "stands there twice".to_owned());
        }
        Ok(())
    }

    pub fn has(&self, member_id: &str) -> bool {
        self.by_id.contains_key(member_id)
    }

    pub fn holds(&self, member_id: &str) -> &[Hold] {
        self.by_id.get(member_id).map_or(&[], |member| &member.holds)
    }

    pub fn all_holds(&self) -> impl Iterator<Item = (&str, &[Hold])> {
        self.by_id.iter().map(|(member_id, member)| (member_id.as_str(), member.holds.as_slice()))
    }

    /// The campaigns a member is active in.
    pub fn campaigns(&self, member_id: &str) -> Option<&[CompactString]> {
        self.by_id.get(member_id).map(|member| member.active_campaigns.as_slice())
    }

    /// The campaigns that a member's orders wait for.
    pub fn waits_for(&self, member_id: &str) -> &[CompactString] {
        self.by_id.get(member_id).map_or(&[], |member| &member.waits_for)
    }

    pub fn all_campaigns(&self) -> impl Iterator<Item = (&str, &[CompactString])> {
        self.by_id.iter().map(|(member_id, member)| (member_id.as_str(), member.active_campaigns.as_slice()))
    }

    pub fn activated_at(&self, member_id: &str) -> Option<DateTime<Utc>> {
        self.by_id.get(member_id).map(|member| member.activated_at)
    }

    /// Where all members stand together.
    pub fn standing(&self) -> Standing {
        let mut standing = Standing::default();
        for member in self.by_id.values().filter(|member| member.went.is_none()) {
            let points = member.balance.redeemable;
            standing.members += 1;
            standing.outstanding_points += points.max(0);
            standing.owed_points -= points.min(0);
            *standing.tiers.entry(member.tier.to_string()).or_default() += 1;
        }
        standing
    }

    /// Whom each member joined, who joined them, and the cycle they are in.
    pub fn merges(&self) -> impl Iterator<Item = (&str, Option<&Went>, &[CompactString], NaiveDate)> {
        self.by_id.iter().map(|(member_id, member)| {
            (member_id.as_str(), member.went.as_ref(), member.came.as_slice(), member.cycle_start)
        })
    }

    pub fn finish(
        &self,
        (histories, merges): (&Histories, &Merges),
        orders: &Orders,
        sums: &SumsByMember<'_>,
        findings: &mut Findings,
    ) {
        let none = MemberSums::default();
        for (member_id, member) in &self.by_id {
            let mut wrong = Vec::new();
            let opened = |member_id: &str| histories.get(member_id).and_then(|history| history.opened);
            let sum = |member_id: &str| sums.get(member_id).unwrap_or(&none);
            let with_opening = |member_id: &str| {
                opened(member_id).map_or_else(|| sum(member_id).clone(), |it| sum(member_id).with(&it))
            };
            let joined = merges.joined(member_id);
            if !joined.is_empty() || merges.joined_another(member_id) {
                member.prove_orders(&merges.sums(member_id, with_opening), &mut wrong);
            } else if opened(member_id).is_some() {
                member.prove_orders(&with_opening(member_id), &mut wrong);
            } else {
                member.prove_orders(sum(member_id), &mut wrong);
            }
            let was_there = opened(member_id).is_some() || joined.iter().any(|from| opened(from).is_some());
            member.prove_first_order(was_there, orders, &mut wrong);
            let alone = joined.is_empty() && !merges.joined_another(member_id) && !was_there;
            let welcomed = histories.get(member_id).is_some_and(|history| !history.welcomes.is_empty());
            if welcomed && alone && member.first_order.as_ref().is_some_and(|first| !orders.took_welcome(first)) {
                wrong.push("its first order has not taken over what it was welcomed with".to_owned());
            }
            match histories.get(member_id) {
                Some(history) => member.prove_history(history, &mut wrong),
                None => member.prove_history(&History::none(&member.tier), &mut wrong),
            }
            for what in wrong {
                findings.add(Table::Members, member_id.to_string(), what);
            }
        }
    }
}

impl Member {
    fn read(row: &Row) -> Read<Self> {
        count(row, "revision", 1)?;
        text(row, "currency")?;
        flag_if_any(row, "in_grace")?;
        if row.contains_key("due_on") != row.contains_key("due_shard") {
            return Err("`due_on` and `due_shard` go together".to_owned());
        }
        Ok(Self {
            last_seq: u64::try_from(count(row, "last_seq", 0)?).unwrap_or(0),
            activated_at: instant(row, "activated_at")?,
            as_of: instant(row, "as_of")?,
            balance: Legs {
                redeemable: number(row, "redeemable_points")?,
                qualifying: number(row, "qualifying_points")?,
            },
            lots: lots_by_day(row, "lots")?,
            pending_points: number(row, "pending_points")?,
            spent_minor: number(row, "spent_minor")?,
            orders_count: number(row, "orders_count")?,
            tier: text(row, "tier")?.into(),
            tier_since: instant(row, "tier_since")?,
            tier_floor: text(row, "tier_floor")?.into(),
            cycle_start: day(row, "cycle_start")?,
            cycle: (
                number_if_any(row, "cycle_spent_minor")?.unwrap_or(0),
                number_if_any(row, "cycle_orders")?.unwrap_or(0),
            ),
            review_on: day(row, "review_on")?,
            noticed_to: day(row, "noticed_to")?,
            due_on: if row.contains_key("due_on") { Some(day(row, "due_on")?) } else { None },
            wallet_minor: number_if_any(row, "wallet_minor")?.unwrap_or(0),
            holds: Hold::read_all(row)?,
            active_campaigns: names(row, "active_campaigns", "campaigns")?,
            waits_for: names(row, "waits_for", "campaigns")?,
            first_order: text_if_any(row, "first_order")?.map(CompactString::from),
            welcome: map_if_any(row, "welcome")?.map(Waiting::read).transpose()?,
            erased_at: if row.contains_key("erased_at") { Some(instant(row, "erased_at")?) } else { None },
            went: map_if_any(row, "merged")?.map(Went::read).transpose()?,
            came: names(row, "merged_from", "members")?,
        })
    }

    fn prove_orders(&self, orders: &MemberSums, wrong: &mut Vec<String>) {
        let cycle = orders.cycles.get(&self.cycle_start).copied().unwrap_or_default();
        let waits = self.welcome.map_or(0, Waiting::pending);
        let figures = [
            ("cycle_spent_minor", self.cycle.0, cycle.0),
            ("cycle_orders", self.cycle.1, cycle.1),
            ("orders_count", self.orders_count, orders.orders_count),
            ("spent_minor", self.spent_minor, orders.spent_minor),
            ("pending_points", self.pending_points, orders.pending_points + waits),
        ];
        for (name, stated, found) in figures.into_iter().filter(|(_, stated, found)| stated != found) {
            wrong.push(format!("{name} is {stated}, but the orders say {found}"));
        }
    }

    /// Who was there before these books had their first order before (X26).
    fn prove_first_order(&self, opened: bool, orders: &Orders, wrong: &mut Vec<String>) {
        match self.first_order.as_deref() {
            Some("opening") if opened => {}
            Some(first) if !orders.has(first) => wrong.push(format!("its first order {first} does not exist")),
            None if opened => wrong.push("was opened, and may still be welcomed as new".to_owned()),
            Some(_) | None => {}
        }
    }

    fn prove_history(&self, history: &History, wrong: &mut Vec<String>) {
        if self.last_seq != history.last_seq {
            wrong.push(format!("last_seq is {}, but the history ends at {}", self.last_seq, history.last_seq));
        }
        if self.balance != history.balance {
            wrong.push(format!("has {}, but the history ends at {}", self.balance, history.balance));
        }
        if self.lots != history.lots {
            wrong.push("its lots are not those that the history leaves open".to_owned());
        }
        let open: i128 = self.lots.iter().map(|lot| lot.points).sum();
        if open != self.balance.redeemable.max(0) {
            wrong.push(format!("its lots hold {open} points, its balance is {}", self.balance.redeemable));
        }
        if self.wallet_minor != history.wallet_minor {
            let (stated, found) = (self.wallet_minor, history.wallet_minor);
            wrong.push(format!("its wallet holds {stated}, but the history ends at {found}"));
        }
        if self.tier != history.tier {
            wrong.push(format!("tier is {:?}, but the history ends at {:?}", self.tier, history.tier));
        }
        if self.tier_since != history.tier_since.unwrap_or(self.activated_at) {
            wrong.push("tier_since is not when the tier last changed".to_owned());
        }
        let may_wait = self.first_order.is_none() && self.went.is_none();
        Waiting::prove(self.welcome, may_wait, history, wrong);
        self.prove_times(history, wrong);
        self.prove_cycle(history, wrong);
        self.prove_due(wrong);
    }

    fn prove_times(&self, history: &History, wrong: &mut Vec<String>) {
        if self.as_of < self.activated_at || history.last_recorded_at.is_some_and(|last| self.as_of < last) {
            wrong.push("as_of is earlier than something that has happened".to_owned());
        }
        // Whoever has joined may have been erased before this member began.
        let began = |erased_at| erased_at >= self.activated_at || !self.came.is_empty();
        if self.erased_at.is_some_and(|erased_at| erased_at > self.as_of || !began(erased_at)) {
            wrong.push("was erased before it began or after it was last decided about".to_owned());
        }
        if history.first_recorded_at.is_some_and(|first| first < self.activated_at) {
            wrong.push("was activated after their first entry".to_owned());
        }
    }

    /// Cycle and floor are those of the beginning until a review moves them; from then on the floor is the tier held
    /// when the cycle began (X20, X21).
    fn prove_cycle(&self, history: &History, wrong: &mut Vec<String>) {
        if history.newest_cycle.is_some_and(|newest| self.cycle_start < newest) {
            wrong.push("cycle_start is before a cycle that points were earned in".to_owned());
        }
        if self.cycle_start > day_after(self.as_of.date_naive()) {
            wrong.push("cycle_start has not come yet".to_owned());
        }
        if let Some(opened) = &history.opened {
            opened.prove_cycle(self.cycle_start, wrong);
        }
        let begun = self.activated_at.date_naive();
        let first_cycle = (day_before(begun)..=day_after(begun)).contains(&self.cycle_start);
        let floors: Vec<CompactString> = match history.standings.last_reset() {
            Some(reset) if begins(reset, self.cycle_start) => history.standings.tier_at_reset().into_iter().collect(),
            None if first_cycle && history.newest_cycle.is_none_or(|newest| newest == self.cycle_start) => {
                vec![history.first_tier.clone()]
            }
            reset => {
                if self.cycle_start < reset.map_or(begun, |reset| reset.date_naive()) {
                    wrong.push("cycle_start is before the last review".to_owned());
                }
                let stood = history.standings.when_began(self.cycle_start, &history.first_tier);
                if !stood.iter().any(|standing| standing.nothing_earned) {
                    wrong.push("a cycle with qualifying points ended, and no entry says so".to_owned());
                }
                stood.into_iter().map(|standing| standing.tier).collect()
            }
        };
        if !floors.contains(&self.tier_floor) {
            wrong.push(format!("tier_floor is {:?}, but the cycle began in {floors:?}", self.tier_floor));
        }
    }

    /// What falls due is done before anything else, so nothing that stands on the row is overdue (T8, E1), and the index
    /// finds the row no later than the first of it.
    fn prove_due(&self, wrong: &mut Vec<String>) {
        let today = self.as_of.date_naive();
        if self.review_on <= self.cycle_start || self.review_on < today {
            wrong.push("the review was due before the member was last decided about, or before its cycle".to_owned());
        }
        // Told until the day before they began, which may be another day in UTC.
        let begun = day_before(day_before(self.activated_at.date_naive()));
        if self.noticed_to > day_after(today) || self.noticed_to < begun {
            wrong.push("was told of days that have not come, or that were before the member".to_owned());
        }
        if self.holds.iter().any(|hold| hold.until <= self.as_of) {
            wrong.push("holds points that have lapsed".to_owned());
        }
        let expires =
            self.lots.iter().filter_map(|lot| if let Expiry::On(day) = lot.expiry { Some(day) } else { None });
        let expires = expires.map(day_after).min();
        if self.due_on.is_some_and(|due_on| expires.is_some_and(|expires| due_on > expires)) {
            wrong.push("due_on is later than the day on which points expire".to_owned());
        }
        let mut campaigns = self.active_campaigns.clone();
        campaigns.sort_unstable();
        if campaigns.windows(2).any(|two| two[0] == two[1]) {
            wrong.push("is active twice in a campaign".to_owned());
        }
        if !self.waits_for.iter().all(|campaign| self.active_campaigns.contains(campaign)) {
            wrong.push("has orders that wait for a campaign without being active in it".to_owned());
        }
    }
}

fn names(row: &Row, name: &str, of: &str) -> Read<Vec<CompactString>> {
    let one = |value: &Value| match value {
        Value::S(text) => Ok(text.clone()),
        _ => Err(format!("`{name}` is not a list of {of}")),
    };
    list(row, name)?.iter().map(one).collect()
}

fn day_after(day: NaiveDate) -> NaiveDate {
    day.checked_add_days(Days::new(1)).unwrap_or(day)
}

fn day_before(day: NaiveDate) -> NaiveDate {
    day.checked_sub_days(Days::new(1)).unwrap_or(day)
}
