//! The purchases the demo replays: facts of a real shop, 1997–98. The data file's header says whose they are.

use chrono::NaiveDate;

use crate::error::{Result, StackError};

const CDNOW_TENTH: &str = include_str!("../../data/cdnow-tenth.csv");

/// How many customers the data file has.
pub const CUSTOMERS: usize = 2_357;

/// One purchase of one customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    pub customer: u32,
    pub on: NaiveDate,
    pub quantity: u32,
    /// US cents.
    pub cents: i64,
}

/// The purchases of the first `customers` customers, in the order of the file.
///
/// # Errors
/// When the data file is not what it should be.
pub fn of_first(customers: usize) -> Result<Vec<Purchase>> {
    let mut purchases = Vec::new();
    let mut seen = 0;
    let mut last = None;
    for line in CDNOW_TENTH.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit())) {
        let purchase = read(line).ok_or_else(|| StackError::new(format!("not a purchase: {line:?}")))?;
        if last != Some(purchase.customer) {
            seen += 1;
            last = Some(purchase.customer);
        }
        if seen > customers {
            break;
        }
        purchases.push(purchase);
    }
    Ok(purchases)
}

fn read(line: &str) -> Option<Purchase> {
    let mut fields = line.split(',');
    let customer = fields.next()?.parse().ok()?;
    let on = fields.next()?.parse().ok()?;
    let quantity = fields.next()?.parse().ok()?;
    let (dollars, cents) = fields.next()?.split_once('.')?;
    let cents = dollars.parse::<i64>().ok()?.checked_mul(100)?.checked_add(cents.parse().ok()?)?;
    Some(Purchase { customer, on, quantity, cents })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_tenth_is_there() {
        let all = of_first(usize::MAX).unwrap();
        let mut customers: Vec<u32> = all.iter().map(|purchase| purchase.customer).collect();
        customers.dedup();
        assert_eq!((customers.len(), all.len()), (CUSTOMERS, 6_937));
        assert_eq!(all.iter().map(|purchase| purchase.on).min(), NaiveDate::from_ymd_opt(1997, 1, 1));
        assert_eq!(of_first(1).unwrap(), [Purchase { customer: 1, on: all[0].on, quantity: 1, cents: 1_177 }]);
    }
}
