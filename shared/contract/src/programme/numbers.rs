//! Exact numbers as people write them: `1.2`, `"12/10"`, `10000`.

use loyalty_domain::points::Ratio;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A non-negative decimal or fraction, kept exact (X1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exact(pub Ratio);

impl Exact {
    /// Reads `12`, `1.2` or `12/10`; `None` for anything else, negative numbers included.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some((above, below)) = text.split_once('/') {
            return Ratio::new(above.trim().parse().ok()?, below.trim().parse().ok()?).map(Self);
        }
        let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
            return None;
        }
        let numerator = format!("{whole}{fraction}").parse().ok()?;
        Ratio::new(numerator, 10_u64.pow(fraction.len() as u32)).map(Self)
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.denominator.get() {
            1 => write!(f, "{}", self.0.numerator),
            below => write!(f, "{}/{below}", self.0.numerator),
        }
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl Visitor<'_> for Written {
            type Value = Exact;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number that is not negative, like 10000, 1.2 or \"12/10\"")
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Exact, E> {
                self.visit_str(&value.to_string())
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Exact, E> {
                self.visit_str(&value.to_string())
            }

            // The shortest text that reads back as the same float is what the person wrote: 1.2 is "1.2".
            fn visit_f64<E: Error>(self, value: f64) -> Result<Exact, E> {
                self.visit_str(&value.to_string())
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Exact, E> {
                Exact::parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(Written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_kept_exactly() {
        let exact = |text| Exact::parse(text).map(|exact| (exact.0.numerator, exact.0.denominator.get()));
        assert_eq!(exact("1.2"), Some((6, 5)));
        assert_eq!(exact("12/10"), Some((6, 5)));
        assert_eq!(exact("0.3"), Some((3, 10)));
        assert_eq!(exact("10000"), Some((10000, 1)));
        for wrong in ["", "-1", "1,2", "1/0", ".5", "1e3", "NaN", "1.0000000001", "99999999999"] {
            assert_eq!(exact(wrong), None, "{wrong}");
        }
    }
}
