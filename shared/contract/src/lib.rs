//! Everything that crosses the product's edge, as serde types: programme files, shops' webhooks, queue messages, bus
//! events, HTTP answers. It converts to and from the domain and decides nothing about points.

pub mod amount;
pub mod card;
pub mod command;
pub mod events;
pub mod identity;
pub mod phone;
pub mod problem;
pub mod programme;
pub mod queue;
pub mod refusal;
pub mod sheet;
pub mod webhook;
pub mod zalo;
