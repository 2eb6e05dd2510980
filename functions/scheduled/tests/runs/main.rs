//! Scheduled runs over the tables, their queue in memory: what they do, what they cost, and that nothing that happens to
//! them on the way changes what comes of them.

mod campaign;
mod cost;
mod daily;
mod disturbed;
mod support;
mod vouchers;
