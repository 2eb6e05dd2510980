//! The rules of the loyalty programme, and nothing else.
//!
//! A decision is a pure function of the programme, the rows it concerns, the command and the instant it is taken at:
//! no I/O, clock, environment, randomness, `async` or serde, and no panic on any input (I1). What is to be written comes
//! back as data, complete (I2); whoever called writes it as one transaction (I3).
//!
//! Units: points are whole points, money is whole minor units of the named currency (đồng has none smaller, so one
//! minor unit is one đồng), instants are UTC, days are days of the programme's time zone (X7).
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::float_arithmetic
    )
)]

pub mod adjust;
pub mod advance;
mod again;
pub mod behaviour;
pub mod campaign;
pub mod criteria;
pub mod daily;
pub mod decision;
mod dues;
pub mod erasure;
mod expiry;
pub mod ids;
pub mod item_rules;
pub mod ledger;
pub mod lots;
pub mod member;
pub mod merge;
pub mod money;
pub mod opening;
pub mod order;
pub mod outside;
pub mod past;
mod paying;
pub mod points;
pub mod programme;
pub mod reconcile;
pub mod redeem;
mod replay;
pub mod request;
pub mod sending;
pub mod standing;
mod tiering;
pub mod time;
pub mod topup;
pub mod voucher;
pub mod welcome;
