//! Currencies. An amount is a whole number of minor units of one of them; amounts of different currencies never meet.

use std::fmt;

/// An ISO 4217 currency that has a fixed number of decimals.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Vietnamese đồng, which has no decimals.
    pub const VND: Self = Self(iso_currency::Currency::VND);

    /// The currency of an upper-case ISO 4217 code; `None` for an unknown one.
    pub fn from_code(code: &str) -> Option<Self> {
        iso_currency::Currency::from_code(code).filter(|currency| currency.exponent().is_some()).map(Self)
    }

    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many decimals the currency has: 0 for VND, 2 for USD.
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }

    /// How many minor units one major unit has: 1 for VND, 100 for USD.
    pub fn minor_per_major(self) -> i64 {
        10_i64.saturating_pow(self.exponent())
    }

    /// An amount of minor units as a decimal of major units, without needless zeros after the point in VND: `2120000`.
    pub fn decimal(self, minor: i64) -> String {
        let exponent = self.exponent() as usize;
        if exponent == 0 {
            return minor.to_string();
        }
        let digits = format!("{:0>width$}", minor.unsigned_abs(), width = exponent.saturating_add(1));
        let (major, fraction) = digits.split_at(digits.len().saturating_sub(exponent));
        format!("{}{major}.{fraction}", if minor < 0 { "-" } else { "" })
    }
}

impl PartialOrd for Currency {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Currency {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.code().cmp(other.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_follow_the_currency() {
        let usd = Currency::from_code("USD").unwrap();
        assert_eq!(Currency::VND.decimal(2_120_000), "2120000");
        assert_eq!(usd.decimal(2935), "29.35");
        assert_eq!(usd.decimal(-5), "-0.05");
        assert_eq!(usd.minor_per_major(), 100);
        assert_eq!(Currency::from_code("ZZZ"), None);
    }
}
