//! Commands as API Gateway hands them on, over the tables.

mod access;
mod events;
mod queue;
mod redemptions;
mod signed;
mod support;
mod vouchers;
mod zalo;
