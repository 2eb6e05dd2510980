//! The local stack as a whole, with a small function that does what its events tell it to.
//!
//! Cites: reliability F1, F13–F16 (kills, timeouts, partial batches, redelivery), P15 (settle).

mod crash;
mod fixture;
mod function;
mod http;
mod queues;
mod schedules;
mod starting;
mod streams;
mod templates;
mod zalo;
