//! EventBridge Scheduler: when schedules are due, and firing them.

mod expression;
mod scheduler;

pub use scheduler::{Fired, Scheduler, Settle, keep_clock, kept_clock};
