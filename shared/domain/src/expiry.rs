//! Until when redeemable points are good: the choices of a programme, and the lots that points go to (E1–E4, X38, X39).

use chrono::NaiveDate;

use crate::lots::{Expiry, Lot};
use crate::time::{month_end, plus_months, quarter_end, year_end};

/// Until when redeemable points are good (E1–E4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryRule {
    /// E2.
    Never,
    /// So many months after the day they were posted, then up to the end of the unit (E1, X39).
    Months { months: u32, round_to: RoundTo },
    /// At the end of the n-th quarter after the one they were posted in (E3, X38).
    Quarters { quarters: u32 },
    /// So many hundredths of what was posted in a quarter at the end of the next one, as much again at the end of each
    /// quarter after it, and the last at the most what is left (E3, X38). 1 to 100.
    QuarterParts { percent: u32 },
}

/// X39.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoundTo {
    Day,
    #[default]
    MonthEnd,
    QuarterEnd,
    YearEnd,
}

impl ExpiryRule {
    /// The expiry of points posted on a day of the programme's zone: of the first of them, where they go in parts.
    pub fn of(self, posted_on: NaiveDate) -> Expiry {
        match self {
            Self::Never => Expiry::Never,
            Self::Months { months, round_to } => {
                let day = plus_months(posted_on, months);
                Expiry::On(match round_to {
                    RoundTo::Day => day,
                    RoundTo::MonthEnd => month_end(day),
                    RoundTo::QuarterEnd => quarter_end(day),
                    RoundTo::YearEnd => year_end(day),
                })
            }
            Self::Quarters { quarters } => {
                Expiry::On(quarter_end(plus_months(quarter_end(posted_on), quarters.saturating_mul(3))))
            }
            Self::QuarterParts { .. } => Self::Quarters { quarters: 1 }.of(posted_on),
        }
    }

    /// The lots of points above zero, the first of which is good until `first`. Parts are rounded down together, so that
    /// never more has expired than the percentage says.
    pub fn lots(self, points: i64, first: Expiry) -> Vec<Lot> {
        let (Self::QuarterParts { percent }, Expiry::On(first)) = (self, first) else {
            return vec![Lot { expiry: first, points }];
        };
        let mut lots = Vec::new();
        let mut before = 0;
        for part in 1_u32..=100 {
            let share = i128::from(percent.max(1).saturating_mul(part)).min(100);
            let until = i64::try_from(i128::from(points).saturating_mul(share) / 100).unwrap_or(points);
            let last = quarter_end(plus_months(first, part.saturating_sub(1).saturating_mul(3)));
            let expiry = Expiry::On(if part == 1 { first } else { last });
            lots.push(Lot { expiry, points: until.saturating_sub(before) });
            before = until;
            if share == 100 {
                break;
            }
        }
        lots.retain(|lot| lot.points > 0);
        lots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn months(months: u32, round_to: RoundTo) -> ExpiryRule {
        ExpiryRule::Months { months, round_to }
    }

    #[test]
    fn sd14_twelve_months_to_the_end_of_the_month() {
        assert_eq!(months(12, RoundTo::MonthEnd).of(day("2026-01-15")), Expiry::On(day("2027-01-31")));
    }

    #[test]
    fn x38_a_part_of_what_a_quarter_brought_goes_at_each_end_of_a_quarter() {
        let thirds = ExpiryRule::QuarterParts { percent: 30 };
        let first = thirds.of(day("2026-12-31"));
        assert_eq!(first, Expiry::On(day("2027-03-31")));
        let parts: Vec<(Expiry, i64)> = thirds.lots(11, first).iter().map(|lot| (lot.expiry, lot.points)).collect();
        let on = |text: &str| Expiry::On(day(text));
        let ends = [on("2027-03-31"), on("2027-06-30"), on("2027-09-30"), on("2027-12-31")];
        assert_eq!(parts, ends.into_iter().zip([3, 3, 3, 2]).collect::<Vec<_>>(), "3.3, 6.6, 9.9, 11");
        assert_eq!(thirds.lots(1, first), [Lot { expiry: ends[3], points: 1 }], "an empty part is no lot");
        for percent in 0..=101 {
            let lots = ExpiryRule::QuarterParts { percent }.lots(i64::MAX, first);
            assert_eq!(lots.iter().map(|lot| i128::from(lot.points)).sum::<i128>(), i128::from(i64::MAX));
        }
        let whole = ExpiryRule::Quarters { quarters: 1 };
        assert_eq!(
            ExpiryRule::QuarterParts { percent: 100 }.lots(7, first),
            whole.lots(7, whole.of(day("2026-12-31")))
        );
    }

    #[test]
    fn sd15_the_end_of_the_next_quarter() {
        assert_eq!(ExpiryRule::Quarters { quarters: 1 }.of(day("2026-02-10")), Expiry::On(day("2026-06-30")));
        assert_eq!(ExpiryRule::Quarters { quarters: 1 }.of(day("2026-12-31")), Expiry::On(day("2027-03-31")));
    }

    #[test]
    fn vo1_one_month_by_the_day() {
        assert_eq!(months(1, RoundTo::Day).of(day("2026-01-25")), Expiry::On(day("2026-02-25")));
        assert_eq!(months(1, RoundTo::Day).of(day("2026-01-31")), Expiry::On(day("2026-02-28")));
    }
}
