//! The books over an embedded engine: what an order costs, and that no fault leaves anything half-written or doubled.

mod batches;
mod budget;
mod faults;
mod reading;
mod support;
