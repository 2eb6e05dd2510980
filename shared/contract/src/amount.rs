//! Amounts as shops write them, to whole minor units, exactly.
//!
//! Shops send money as decimal strings, as integers and as JSON numbers with a fraction; none of it ever passes through
//! a floating-point number. A fraction of the smallest unit (half a đồng) is money nobody can pay: a shop's own webhook
//! drops it, towards zero, which never earns a point the exact amount would not; the generic webhook refuses it.

use loyalty_domain::money::Currency;

/// No amount may be larger, in minor units, either way: 10,000 billion đồng.
pub const AMOUNT_MINOR_MAX: i64 = 10_000_000_000_000;

/// Longer text is not an amount, however many zeros it has.
const TEXT_CHARS_MAX: usize = 64;

/// What to do with a part smaller than the currency's smallest unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fraction {
    /// Towards zero.
    Drop,
    Refuse,
}

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("is not a decimal number")]
    NotANumber,
    #[error("has a part smaller than the currency's smallest unit")]
    Fraction,
    #[error("may be a thousands separator or a decimal point: write it without")]
    Ambiguous,
    #[error("is beyond {AMOUNT_MINOR_MAX} minor units")]
    TooLarge,
}

/// The minor units of a decimal in major units: `"29.35"` USD is 2935, `"250000.00"` VND is 250000. A JSON number may
/// carry an exponent, so one is accepted.
///
/// # Errors
/// [`AmountError`]. With [`Fraction::Refuse`], `530.000` in a currency without decimals is refused as well: in Vietnam
/// that is how five hundred and thirty thousand is written.
pub fn minor_units(text: &str, currency: Currency, fraction: Fraction) -> Result<i64, AmountError> {
    let text = text.trim();
    if text.is_empty() || text.len() > TEXT_CHARS_MAX {
        return Err(AmountError::NotANumber);
    }
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let decimal = Decimal::parse(unsigned)?;
    if fraction == Fraction::Refuse && currency.exponent() == 0 && decimal.looks_grouped() {
        return Err(AmountError::Ambiguous);
    }
    let magnitude = decimal.scaled(currency.exponent(), fraction)?;
    Ok(if negative { -magnitude } else { magnitude })
}

/// A number without sign: its digits, and how many of them stand before the point.
struct Decimal {
    digits: String,
    point: i64,
    fraction_digits: usize,
}

impl Decimal {
    fn parse(text: &str) -> Result<Self, AmountError> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().map_err(|_| AmountError::NotANumber)?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if whole.is_empty() || mantissa.ends_with('.') || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(AmountError::NotANumber);
        }
        let point = whole.len() as i64 + i64::from(exponent);
        Ok(Self { digits, point, fraction_digits: fraction.len() })
    }

    /// One to three digits, a point and three digits.
    fn looks_grouped(&self) -> bool {
        self.fraction_digits == 3 && self.digits.len() <= 6 && !self.digits.starts_with('0')
    }

    /// The whole number of units of 10^-`exponent`.
    fn scaled(&self, exponent: u32, fraction: Fraction) -> Result<i64, AmountError> {
        const DIGITS_MAX: usize = 18;
        let significant = self.digits.trim_start_matches('0');
        if significant.is_empty() {
            return Ok(0);
        }
        let leading = (self.digits.len() - significant.len()) as i64;
        let kept = self.point - leading + i64::from(exponent);
        let kept = usize::try_from(kept.max(0)).map_err(|_| AmountError::TooLarge)?;
        if kept > DIGITS_MAX {
            return Err(AmountError::TooLarge);
        }
        let (whole, rest) = significant.split_at(kept.min(significant.len()));
        if fraction == Fraction::Refuse && rest.bytes().any(|b| b != b'0') {
            return Err(AmountError::Fraction);
        }
        let value: i64 = format!("{whole:0<kept$}").parse().unwrap_or(0);
        if value > AMOUNT_MINOR_MAX { Err(AmountError::TooLarge) } else { Ok(value) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vnd(text: &str) -> Result<i64, AmountError> {
        minor_units(text, Currency::VND, Fraction::Refuse)
    }

    fn usd(text: &str) -> Result<i64, AmountError> {
        minor_units(text, Currency::from_code("USD").unwrap(), Fraction::Drop)
    }

    #[test]
    fn decimals_become_minor_units() {
        for (text, minor) in [
            ("530000", 530_000),
            ("250000.00", 250_000),
            ("13200000.0", 13_200_000),
            ("1.32e7", 13_200_000),
            ("1E+3", 1_000),
            ("25000000e-2", 250_000),
            ("0", 0),
            ("0.00", 0),
            ("0e9999", 0),
            ("-100000.0", -100_000),
            (" 7 ", 7),
            ("10000000000000", AMOUNT_MINOR_MAX),
        ] {
            assert_eq!(vnd(text), Ok(minor), "{text}");
        }
        for (text, minor) in [("29.35", 2935), ("29.3", 2930), ("-5.00", -500), ("195.66", 19_566), ("0.07", 7)] {
            assert_eq!(usd(text), Ok(minor), "{text}");
        }
        assert_eq!(minor_units("1.234", Currency::from_code("KWD").unwrap(), Fraction::Refuse), Ok(1234));
    }

    #[test]
    fn a_part_of_a_dong_is_dropped_or_refused() {
        assert_eq!(vnd("9999.5"), Err(AmountError::Fraction));
        assert_eq!(minor_units("9999.99", Currency::VND, Fraction::Drop), Ok(9999));
        assert_eq!(minor_units("-9999.99", Currency::VND, Fraction::Drop), Ok(-9999));
        assert_eq!(minor_units("0.9", Currency::VND, Fraction::Drop), Ok(0));
        assert_eq!(minor_units("5e-40", Currency::VND, Fraction::Drop), Ok(0));
        assert_eq!(usd("0.005"), Ok(0));
    }

    #[test]
    fn a_vietnamese_thousands_point_is_not_guessed_at() {
        assert_eq!(vnd("530.000"), Err(AmountError::Ambiguous));
        assert_eq!(vnd("0.000"), Ok(0));
        assert_eq!(vnd("1.530.000"), Err(AmountError::NotANumber));
        assert_eq!(vnd("530,000"), Err(AmountError::NotANumber));
    }

    #[test]
    fn nonsense_and_absurd_amounts_are_refused() {
        for text in ["", "-", ".", "1.", ".5", "+1", "1e", "1e99999999", "NaN", "Infinity", "0x10", "1 000", "--1", "٣"]
        {
            assert_eq!(vnd(text), Err(AmountError::NotANumber), "{text}");
        }
        for text in ["10000000000001", "1e18", "-1e18", "9223372036854775808", "1e9999", "99999999999999999999999"] {
            assert_eq!(vnd(text), Err(AmountError::TooLarge), "{text}");
        }
        assert_eq!(vnd(&"0".repeat(1_000_000)), Err(AmountError::NotANumber));
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(minor in -AMOUNT_MINOR_MAX..=AMOUNT_MINOR_MAX) {
            for code in ["VND", "USD", "KWD"] {
                let currency = Currency::from_code(code).unwrap();
                prop_assert_eq!(minor_units(&currency.decimal(minor), currency, Fraction::Refuse).or_else(|e|
                    if e == AmountError::Ambiguous { Ok(minor) } else { Err(e) }), Ok(minor));
            }
        }

        #[test]
        fn no_text_breaks_it(text in ".{0,70}") {
            let _ = minor_units(&text, Currency::VND, Fraction::Drop);
            let _ = minor_units(&text, Currency::VND, Fraction::Refuse);
        }
    }
}
