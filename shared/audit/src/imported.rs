//! Orders from before these books: an opening holds what they were, and they count only by what changed since.

use chrono::NaiveDate;

use crate::fields::{Expiry, Legs, Read, count, day, expiry, flag, number};
use crate::{MemberSums, Row};

/// What an order was when it was brought along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Imported {
    pub legs: Legs,
    pub spent_minor: i128,
    counted: bool,
    pub cycle_start: NaiveDate,
    pub expiry: Expiry,
}

impl Imported {
    pub fn read(row: &Row) -> Read<Self> {
        let legs = Legs { redeemable: number(row, "redeemable")?, qualifying: number(row, "qualifying")? };
        if legs.any_below_zero() {
            return Err("`imported` takes points".to_owned());
        }
        Ok(Self {
            legs,
            spent_minor: count(row, "spent_minor", 0)?,
            counted: flag(row, "counted")?,
            cycle_start: day(row, "cycle_start")?,
            expiry: expiry(row, "expires_on")?,
        })
    }

    /// Takes off what figures of the member hold already.
    pub fn take_off(&self, sums: &mut MemberSums) {
        sums.orders_count -= i128::from(self.counted);
        sums.spent_minor -= self.spent_minor;
        if self.spent_minor > 0 {
            let cycle = sums.cycles.entry(self.cycle_start).or_default();
            *cycle = (cycle.0 - self.spent_minor, cycle.1 - 1);
        }
    }
}
