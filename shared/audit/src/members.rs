//! Holds every member's row against the one rebuilt from their history and their orders.

use std::collections::HashMap;

use chrono::{DateTime, Days, NaiveDate, Utc};

use crate::Row;
use crate::fields::{Legs, Lot, Problem, Read, count, day, instant, lots, number, text, text_if_any};
use crate::history::{Histories, History};
use crate::orders::Orders;
use crate::report::Findings;
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
    tier: String,
    tier_since: DateTime<Utc>,
    tier_floor: String,
    cycle_start: NaiveDate,
    first_order: Option<String>,
}

/// All members' rows.
#[derive(Default)]
pub(crate) struct Members {
    by_id: HashMap<String, Member>,
}

impl Members {
    pub fn row(&mut self, row: &Row, findings: &mut Findings) -> Result<(), Problem> {
        let member_id = text(row, "member_id")?;
        let member = Member::read(row)?;
        if self.by_id.insert(member_id.to_owned(), member).is_some() {
            findings.add(Table::Members, member_id.to_owned(), "stands there twice".to_owned());
        }
        Ok(())
    }

    pub fn has(&self, member_id: &str) -> bool {
        self.by_id.contains_key(member_id)
    }

    pub fn finish(&self, histories: &Histories, orders: &Orders, sums: &SumsByMember, findings: &mut Findings) {
        for (member_id, member) in &self.by_id {
            let mut wrong = Vec::new();
            member.prove_orders(sums.get(member_id).copied().unwrap_or_default(), &mut wrong);
            if let Some(first) = member.first_order.as_ref().filter(|first| !orders.has(first)) {
                wrong.push(format!("its first order {first} does not exist"));
            }
            match histories.get(member_id) {
                Some(history) => member.prove_history(history, &mut wrong),
                None => member.prove_history(&History::none(&member.tier), &mut wrong),
            }
            for what in wrong {
                findings.add(Table::Members, member_id.clone(), what);
            }
        }
    }
}

impl Member {
    fn read(row: &Row) -> Read<Self> {
        count(row, "revision", 1)?;
        text(row, "currency")?;
        Ok(Self {
            last_seq: u64::try_from(count(row, "last_seq", 0)?).unwrap_or(0),
            activated_at: instant(row, "activated_at")?,
            as_of: instant(row, "as_of")?,
            balance: Legs {
                redeemable: number(row, "redeemable_points")?,
                qualifying: number(row, "qualifying_points")?,
            },
            lots: lots(row, "lots")?,
            pending_points: number(row, "pending_points")?,
            spent_minor: number(row, "spent_minor")?,
            orders_count: number(row, "orders_count")?,
            tier: text(row, "tier")?.to_owned(),
            tier_since: instant(row, "tier_since")?,
            tier_floor: text(row, "tier_floor")?.to_owned(),
            cycle_start: day(row, "cycle_start")?,
            first_order: text_if_any(row, "first_order")?.map(str::to_owned),
        })
    }

    fn prove_orders(&self, orders: MemberSums, wrong: &mut Vec<String>) {
        let figures = [
            ("orders_count", self.orders_count, orders.orders_count),
            ("spent_minor", self.spent_minor, orders.spent_minor),
            ("pending_points", self.pending_points, orders.pending_points),
        ];
        for (name, stated, found) in figures.into_iter().filter(|(_, stated, found)| stated != found) {
            wrong.push(format!("{name} is {stated}, but the orders say {found}"));
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
        if self.tier != history.tier {
            wrong.push(format!("tier is {:?}, but the history ends at {:?}", self.tier, history.tier));
        }
        if self.tier_since != history.tier_since.unwrap_or(self.activated_at) {
            wrong.push("tier_since is not when the tier last changed".to_owned());
        }
        self.prove_times(history, wrong);
        self.prove_cycle(history, wrong);
    }

    fn prove_times(&self, history: &History, wrong: &mut Vec<String>) {
        if self.as_of < self.activated_at || history.last_recorded_at.is_some_and(|last| self.as_of < last) {
            wrong.push("as_of is earlier than something that has happened".to_owned());
        }
        if history.first_recorded_at.is_some_and(|first| first < self.activated_at) {
            wrong.push("was activated after their first entry".to_owned());
        }
    }

    /// Floor and cycle are those of the beginning until a review moves them (X20, X21).
    fn prove_cycle(&self, history: &History, wrong: &mut Vec<String>) {
        if history.newest_cycle.is_some_and(|newest| self.cycle_start < newest) {
            wrong.push("cycle_start is before a cycle that points were earned in".to_owned());
        }
        if history.past_cycle.is_some_and(|past| self.cycle_start <= past) {
            wrong.push("qualifying points of the current cycle were written off as late".to_owned());
        }
        if history.reviewed {
            return;
        }
        let begun = self.activated_at.date_naive();
        let around = |day: NaiveDate| {
            let (least, most) = (begun.checked_sub_days(Days::new(1)), begun.checked_add_days(Days::new(1)));
            least.is_none_or(|least| day >= least) && most.is_none_or(|most| day <= most)
        };
        if !around(self.cycle_start) || history.newest_cycle.is_some_and(|newest| newest != self.cycle_start) {
            wrong.push("cycle_start is not the day of activation, and no review has moved it".to_owned());
        }
        if self.tier_floor != history.first_tier {
            wrong.push(format!("tier_floor is {:?}, but it began as {:?}", self.tier_floor, history.first_tier));
        }
    }
}
