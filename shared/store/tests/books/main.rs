//! The books over a DynamoDB: what an order costs, and that no fault leaves anything half-written or doubled.
//!
//! Over the embedded engine, or over the one at `LOYALTY_DYNAMODB_URL`: the same tests for both.

mod batches;
mod budget;
mod faults;
mod merge;
mod merge_campaigns;
mod opening;
mod past;
mod persons;
mod reading;
mod second_engine;
mod support;
mod waiting;
