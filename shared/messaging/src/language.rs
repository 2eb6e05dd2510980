//! How a reader of each language expects numbers, money and dates.

use chrono::NaiveDate;
use loyalty_domain::money::Currency;

/// A language the product speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    #[default]
    Vietnamese,
    English,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::Vietnamese, Self::English];

    /// The ISO 639 code: the name of the message file.
    pub fn code(self) -> &'static str {
        match self {
            Self::Vietnamese => "vi",
            Self::English => "en",
        }
    }

    /// The language of an ISO 639 code, a region after it ignored (`vi-VN`); `None` for one the product does not speak.
    pub fn from_code(code: &str) -> Option<Self> {
        let language = code.split(['-', '_']).next()?;
        Self::ALL.into_iter().find(|known| known.code().eq_ignore_ascii_case(language))
    }

    /// A whole number in groups of three: `1.234` or `1,234`.
    pub fn number(self, number: i64) -> String {
        let sign = if number < 0 { "-" } else { "" };
        format!("{sign}{}", self.grouped(&number.unsigned_abs().to_string()))
    }

    /// An amount of minor units with its currency: `3.380.000đ`, `29,35 USD`; in English `3,380,000 VND`, `29.35 USD`.
    pub fn money(self, minor: i64, currency: Currency) -> String {
        let decimal = currency.decimal(minor);
        let (sign, decimal) = decimal.strip_prefix('-').map_or(("", decimal.as_str()), |rest| ("-", rest));
        let amount = match decimal.split_once('.') {
            None => self.grouped(decimal),
            Some((major, fraction)) => format!("{}{}{fraction}", self.grouped(major), self.decimal_mark()),
        };
        match (self, currency == Currency::VND) {
            (Self::Vietnamese, true) => format!("{sign}{amount}đ"),
            _ => format!("{sign}{amount} {currency}"),
        }
    }

    /// `23/11/2026`; in English `23 November 2026`, which no reader takes for another day.
    pub fn date(self, date: NaiveDate) -> String {
        match self {
            Self::Vietnamese => date.format("%d/%m/%Y").to_string(),
            Self::English => date.format("%-d %B %Y").to_string(),
        }
    }

    fn grouped(self, digits: &str) -> String {
        let mark = match self {
            Self::Vietnamese => '.',
            Self::English => ',',
        };
        let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                grouped.push(mark);
            }
            grouped.push(digit);
        }
        grouped
    }

    fn decimal_mark(self) -> char {
        match self {
            Self::Vietnamese => ',',
            Self::English => '.',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Language::{English, Vietnamese};
    use super::*;

    #[test]
    fn numbers_are_grouped_as_the_reader_expects() {
        for (number, vietnamese, english) in
            [(0, "0", "0"), (999, "999", "999"), (1_234, "1.234", "1,234"), (-1_234_567, "-1.234.567", "-1,234,567")]
        {
            assert_eq!(Vietnamese.number(number), vietnamese);
            assert_eq!(English.number(number), english);
        }
        assert_eq!(Vietnamese.number(i64::MIN), "-9.223.372.036.854.775.808");
    }

    #[test]
    fn money_names_its_currency() {
        let usd = Currency::from_code("USD").unwrap();
        assert_eq!(Vietnamese.money(3_380_000, Currency::VND), "3.380.000đ");
        assert_eq!(English.money(3_380_000, Currency::VND), "3,380,000 VND");
        assert_eq!(Vietnamese.money(12_345_605, usd), "123.456,05 USD");
        assert_eq!(English.money(-5, usd), "-0.05 USD");
    }

    #[test]
    fn dates_are_written_as_the_reader_expects() {
        let day = "2026-11-03".parse().unwrap();
        assert_eq!(Vietnamese.date(day), "03/11/2026");
        assert_eq!(English.date(day), "3 November 2026");
    }

    #[test]
    fn languages_are_found_by_their_code() {
        assert_eq!(Language::from_code("vi-VN"), Some(Vietnamese));
        assert_eq!(Language::from_code("EN_gb"), Some(English));
        assert_eq!(Language::from_code("fr"), None);
        assert_eq!(Language::default(), Vietnamese);
    }
}
