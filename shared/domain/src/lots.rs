//! Lots: the redeemable points a member can spend, by the day they expire.
//!
//! Points with the same last valid day share one lot, so a member row stays small. They are used soonest-expiring first,
//! never-expiring last (X40). The sum of the lots is always max(balance, 0) (I6); keeping it so is the member's work.

use chrono::NaiveDate;

use crate::points::Overflow;

/// Until when the points of a lot are good. Orders as they are used: by day, never-expiring last (X40).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expiry {
    /// The last day, in the programme's time zone, on which the points are good (X39).
    On(NaiveDate),
    Never,
}

impl Expiry {
    /// The last day on which the points are good; `None` for those that never expire.
    pub fn day(self) -> Option<NaiveDate> {
        match self {
            Self::On(day) => Some(day),
            Self::Never => None,
        }
    }
}

/// Points that share an expiry. In a member's lots `points` is positive; in a movement it is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lot {
    pub expiry: Expiry,
    pub points: i64,
}

/// Open lots: in the order they are used, at most one for each expiry, none empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lots(Vec<Lot>);

impl Lots {
    /// Puts rows read from storage in order; lots of the same expiry are joined and empty ones dropped.
    ///
    /// # Errors
    /// [`Overflow`] when joined lots do not fit 64 bits.
    pub fn from_rows(rows: impl IntoIterator<Item = Lot>) -> Result<Self, Overflow> {
        let mut lots = Self::default();
        for lot in rows {
            lots.put(lot)?;
        }
        Ok(lots)
    }

    pub fn as_slice(&self) -> &[Lot] {
        &self.0
    }

    /// The points in all open lots.
    pub fn total(&self) -> i64 {
        self.0.iter().fold(0, |sum, lot| sum.saturating_add(lot.points))
    }

    /// Adds points to the lot of their expiry. Nothing happens for zero or fewer points.
    ///
    /// # Errors
    /// [`Overflow`] beyond 64 bits.
    pub fn put(&mut self, lot: Lot) -> Result<(), Overflow> {
        if lot.points <= 0 {
            return Ok(());
        }
        match self.0.binary_search_by_key(&lot.expiry, |open| open.expiry) {
            Ok(at) => {
                if let Some(open) = self.0.get_mut(at) {
                    open.points = open.points.checked_add(lot.points).ok_or(Overflow)?;
                }
            }
            Err(at) => self.0.insert(at, lot),
        }
        Ok(())
    }

    /// Takes up to `points`: from the lot of `own` first, when there is one (a reversal takes back what its credit put
    /// there), then soonest-expiring first (X40). Returns what left each lot, as negative movements; when they add up to
    /// less than asked, the lots are empty.
    pub fn take(&mut self, points: i64, own: Option<Expiry>) -> Vec<Lot> {
        let mut left = points.max(0);
        let mut moved = Vec::new();
        if let Some(own) = own {
            left = self.take_where(left, &mut moved, |expiry| expiry == own);
        }
        self.take_where(left, &mut moved, |_| true);
        moved
    }

    /// Empties the lots whose last valid day is before `today`. Returns what left them, as negative movements.
    pub fn take_expired(&mut self, today: NaiveDate) -> Vec<Lot> {
        let mut moved = Vec::new();
        self.take_where(i64::MAX, &mut moved, |expiry| matches!(expiry, Expiry::On(day) if day < today));
        moved
    }

    fn take_where(&mut self, mut left: i64, moved: &mut Vec<Lot>, chosen: impl Fn(Expiry) -> bool) -> i64 {
        for lot in &mut self.0 {
            if left == 0 {
                break;
            }
            if !chosen(lot.expiry) {
                continue;
            }
            let taken = lot.points.min(left);
            lot.points = lot.points.saturating_sub(taken);
            left = left.saturating_sub(taken);
            moved.push(Lot { expiry: lot.expiry, points: taken.saturating_neg() });
        }
        self.0.retain(|lot| lot.points > 0);
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(day: &str, points: i64) -> Lot {
        Lot { expiry: Expiry::On(day.parse().unwrap()), points }
    }

    fn never(points: i64) -> Lot {
        Lot { expiry: Expiry::Never, points }
    }

    fn lots(rows: &[Lot]) -> Lots {
        Lots::from_rows(rows.iter().copied()).unwrap()
    }

    #[test]
    fn st2_the_soonest_expiring_lot_is_used_first() {
        let mut open = lots(&[on("2027-06-30", 100), on("2027-01-31", 100)]);
        open.take(100, None);
        assert_eq!(open.as_slice(), [on("2027-06-30", 100)]);
    }

    #[test]
    fn st3_never_expiring_points_are_used_last() {
        let mut open = lots(&[never(100), on("2027-01-31", 100)]);
        open.take(100, None);
        assert_eq!(open.as_slice(), [never(100)]);
    }

    #[test]
    fn a_reversal_takes_from_its_own_lot_first() {
        let mut open = lots(&[on("2027-01-31", 10), on("2027-06-30", 10)]);
        let expiry = on("2027-06-30", 0).expiry;
        assert_eq!(open.take(15, Some(expiry)), [on("2027-06-30", -10), on("2027-01-31", -5)]);
    }

    #[test]
    fn the_last_valid_day_is_inclusive() {
        let mut open = lots(&[on("2027-01-31", 400)]);
        assert_eq!(open.take_expired("2027-01-31".parse().unwrap()), []);
        assert_eq!(open.take_expired("2027-02-01".parse().unwrap()), [on("2027-01-31", -400)]);
        assert_eq!(open.total(), 0);
    }
}
