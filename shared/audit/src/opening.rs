//! Openings: what a member was before these books, as their first entry says it, held against their row.

use chrono::{DateTime, NaiveDate, Utc};

use crate::Row;
use crate::entry::{Entry, Kind};
use crate::fields::{Read, count, day, instant};

/// What an opening says beside points: it counts as orders would that nobody can read any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    pub tier_since: DateTime<Utc>,
    pub cycle_start: NaiveDate,
    pub spent_minor: i128,
    pub orders_count: i128,
    /// Spent in the cycle that was running, and orders of it.
    pub cycle: (i128, i128),
    /// When it was posted.
    pub at: DateTime<Utc>,
}

impl Opened {
    pub fn read(row: &Row, at: DateTime<Utc>) -> Read<Self> {
        Ok(Self {
            tier_since: instant(row, "tier_since")?,
            cycle_start: day(row, "cycle_start")?,
            spent_minor: count(row, "spent_minor", 0)?,
            orders_count: count(row, "orders_count", 0)?,
            cycle: (count(row, "cycle_spent_minor", 0)?, count(row, "cycle_orders", 0)?),
            at,
        })
    }

    /// A member is opened once, before anything else, and in the tier that they hold: it is no change of tier.
    pub fn prove(entry: &Entry<'_>, wrong: &mut Vec<String>) {
        let opening = entry.kind == Kind::Opening;
        if opening != entry.opened.is_some() {
            wrong.push("an opening, and nothing else, says what was before these books".to_owned());
        }
        if opening && entry.seq != 1 {
            wrong.push("opens a member who had begun already".to_owned());
        }
        if opening && entry.tier_before != entry.tier_after {
            wrong.push("changes the tier, which an opening does not".to_owned());
        }
        let Some(opened) = &entry.opened else { return };
        if opened.tier_since > entry.recorded_at {
            wrong.push("opens a member in a tier that is not held yet".to_owned());
        }
        if opened.cycle.0 > opened.spent_minor || opened.cycle.1 > opened.orders_count {
            wrong.push("says that more was done in a cycle than in all".to_owned());
        }
    }

    /// The cycle on the member's row: the one that was running, or one that began later.
    pub fn prove_cycle(&self, cycle_start: NaiveDate, wrong: &mut Vec<String>) {
        let began_before = cycle_start < self.at.date_naive();
        if cycle_start != self.cycle_start && began_before {
            wrong.push(format!("cycle_start is not {}, as its opening says", self.cycle_start));
        }
    }
}
