//! What the command line does with a running stack, over its HTTP port.

mod client;
pub mod serve;

pub use client::{advance, invoke, list_dead_letters, replay_dead_letters};
