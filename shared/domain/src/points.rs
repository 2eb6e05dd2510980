//! The two kinds of points (P1), exact ratios and the one place where a division is rounded (I7).

use std::num::NonZeroU64;

/// A checked operation left the range of a 64-bit integer. The command is refused; nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the figure does not fit: more than {} points or minor units", i64::MAX)]
pub struct Overflow;

macro_rules! points {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl $name {
            pub const ZERO: Self = Self(0);

            /// # Errors
            /// [`Overflow`] beyond 64 bits.
            pub fn plus(self, other: Self) -> Result<Self, Overflow> {
                self.0.checked_add(other.0).map(Self).ok_or(Overflow)
            }

            /// # Errors
            /// [`Overflow`] beyond 64 bits.
            pub fn minus(self, other: Self) -> Result<Self, Overflow> {
                self.0.checked_sub(other.0).map(Self).ok_or(Overflow)
            }
        }
    };
}

points!(
    /// *Điểm xét hạng*: they decide the tier and are never spent. Signed: a movement or a balance.
    QualifyingPoints
);
points!(
    /// *Điểm tích lũy*: they are spent. Signed: a movement, or a balance that may be a debt (X22).
    RedeemablePoints
);

/// One movement, or one balance, of both kinds of points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Legs {
    pub redeemable: RedeemablePoints,
    pub qualifying: QualifyingPoints,
}

impl Legs {
    pub const ZERO: Self = Self { redeemable: RedeemablePoints::ZERO, qualifying: QualifyingPoints::ZERO };

    pub fn new(redeemable: i64, qualifying: i64) -> Self {
        Self { redeemable: RedeemablePoints(redeemable), qualifying: QualifyingPoints(qualifying) }
    }

    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// # Errors
    /// [`Overflow`] beyond 64 bits in either leg.
    pub fn plus(self, other: Self) -> Result<Self, Overflow> {
        Ok(Self {
            redeemable: self.redeemable.plus(other.redeemable)?,
            qualifying: self.qualifying.plus(other.qualifying)?,
        })
    }

    /// # Errors
    /// [`Overflow`] beyond 64 bits in either leg.
    pub fn minus(self, other: Self) -> Result<Self, Overflow> {
        Ok(Self {
            redeemable: self.redeemable.minus(other.redeemable)?,
            qualifying: self.qualifying.minus(other.qualifying)?,
        })
    }
}

/// An exact non-negative ratio: a rate, a multiplier (X1). Never a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    pub numerator: u64,
    pub denominator: NonZeroU64,
}

impl Ratio {
    pub const ONE: Self = Self { numerator: 1, denominator: NonZeroU64::MIN };
    /// The largest numerator and denominator a programme may use: with it no intermediate product leaves 128 bits.
    pub const PART_MAX: u64 = 1_000_000_000;

    /// `None` when the denominator is zero or a part is above [`Ratio::PART_MAX`] after reduction.
    pub fn new(numerator: u64, denominator: u64) -> Option<Self> {
        let divisor = greatest_common_divisor(numerator, denominator);
        let numerator = numerator.checked_div(divisor)?;
        let denominator = NonZeroU64::new(denominator.checked_div(divisor)?)?;
        (numerator <= Self::PART_MAX && denominator.get() <= Self::PART_MAX).then_some(Self { numerator, denominator })
    }

    /// The ratio plus one: how an additive multiplier ("+0,2") becomes a factor ("×1,2", X1).
    pub fn plus_one(self) -> Option<Self> {
        Self::new(self.numerator.checked_add(self.denominator.get())?, self.denominator.get())
    }

    /// # Errors
    /// [`Overflow`] when the result does not fit 64 bits.
    pub fn of(self, amount: i64, rounding: Rounding) -> Result<i64, Overflow> {
        self.times(Self::ONE, amount, rounding)
    }

    /// `amount × self × other`, rounded once, at the end (X31).
    ///
    /// # Errors
    /// [`Overflow`] when the result does not fit 64 bits.
    pub fn times(self, other: Self, amount: i64, rounding: Rounding) -> Result<i64, Overflow> {
        let above = i128::from(amount)
            .checked_mul(i128::from(self.numerator))
            .and_then(|value| value.checked_mul(i128::from(other.numerator)))
            .ok_or(Overflow)?;
        let below =
            i128::from(self.denominator.get()).checked_mul(i128::from(other.denominator.get())).ok_or(Overflow)?;
        rounding.divide(above, below)
    }
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a.checked_rem(b).unwrap_or(0));
    }
    a
}

/// How a fraction of a point becomes whole points (X31).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// Towards minus infinity; the default.
    #[default]
    Floor,
    /// To the nearest whole point, a half upwards.
    HalfUp,
    /// Towards plus infinity.
    Ceil,
}

impl Rounding {
    /// # Errors
    /// [`Overflow`] when the divisor is not positive or the result does not fit 64 bits.
    pub fn divide(self, above: i128, below: i128) -> Result<i64, Overflow> {
        if below <= 0 {
            return Err(Overflow);
        }
        let shifted = match self {
            Self::Floor => Some(above),
            Self::HalfUp => below.checked_div(2).and_then(|half| above.checked_add(half)),
            Self::Ceil => below.checked_sub(1).and_then(|rest| above.checked_add(rest)),
        };
        let quotient = shifted.and_then(|value| value.checked_div_euclid(below)).ok_or(Overflow)?;
        i64::try_from(quotient).map_err(|_| Overflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(numerator: u64, denominator: u64) -> Ratio {
        Ratio::new(numerator, denominator).unwrap()
    }

    #[test]
    fn st11_nineteen_points_times_one_and_a_half() {
        let rounded = |rounding| ratio(3, 2).of(19, rounding).unwrap();
        assert_eq!(rounded(Rounding::Floor), 28);
        assert_eq!(rounded(Rounding::HalfUp), 29);
        assert_eq!(rounded(Rounding::Ceil), 29);
    }

    #[test]
    fn ha1_one_and_a_half_points() {
        assert_eq!(Rounding::Floor.divide(3, 2), Ok(1));
        assert_eq!(Rounding::HalfUp.divide(3, 2), Ok(2));
    }

    #[test]
    fn half_up_of_an_odd_divisor_rounds_to_the_nearest() {
        assert_eq!(Rounding::HalfUp.divide(4, 3), Ok(1));
        assert_eq!(Rounding::HalfUp.divide(5, 3), Ok(2));
    }

    #[test]
    fn an_additive_multiplier_becomes_a_factor() {
        assert_eq!(ratio(2, 10).plus_one(), Some(ratio(12, 10)));
    }

    #[test]
    fn figures_out_of_range_are_refused() {
        assert_eq!(Ratio::new(1, 0), None);
        assert_eq!(Ratio::new(Ratio::PART_MAX + 1, 1), None);
        assert_eq!(ratio(3, 1).of(i64::MAX, Rounding::Floor), Err(Overflow));
        assert_eq!(Rounding::Floor.divide(1, 0), Err(Overflow));
        assert_eq!(RedeemablePoints(i64::MAX).plus(RedeemablePoints(1)), Err(Overflow));
    }
}
