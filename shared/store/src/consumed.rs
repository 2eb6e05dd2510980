//! What DynamoDB charged, as it says itself.

use std::ops::{Add, AddAssign, Mul, Sub};

use aws_sdk_dynamodb::types::ConsumedCapacity;

/// Requests made and capacity units consumed. The SDK's own retries of a request are not counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Consumed {
    pub requests: u64,
    pub read_units: f64,
    pub write_units: f64,
}

impl Consumed {
    pub(crate) fn request() -> Self {
        Self { requests: 1, ..Self::default() }
    }

    pub(crate) fn read(capacities: &[ConsumedCapacity]) -> Self {
        let read_units = capacities.iter().filter_map(ConsumedCapacity::capacity_units).sum();
        Self { read_units, ..Self::default() }
    }

    /// What a write consumed. A transaction that had already been carried out is charged as a read.
    pub(crate) fn write(capacities: &[ConsumedCapacity]) -> Self {
        let mut sum = Self::default();
        for capacity in capacities {
            let read = capacity.read_capacity_units().unwrap_or(0.0);
            sum.read_units += read;
            sum.write_units += capacity.capacity_units().unwrap_or(0.0) - read;
        }
        sum
    }
}

impl Add for Consumed {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

/// So many times as much.
impl Mul<f64> for Consumed {
    type Output = Self;

    fn mul(self, times: f64) -> Self {
        // Requests of averages are no whole numbers; nothing is charged for them.
        let requests = (self.requests as f64 * times).round() as u64;
        Self { requests, read_units: self.read_units * times, write_units: self.write_units * times }
    }
}

impl AddAssign for Consumed {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.read_units += other.read_units;
        self.write_units += other.write_units;
    }
}

impl Sub for Consumed {
    type Output = Self;

    /// What was consumed since `earlier`.
    fn sub(self, earlier: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            read_units: self.read_units - earlier.read_units,
            write_units: self.write_units - earlier.write_units,
        }
    }
}
