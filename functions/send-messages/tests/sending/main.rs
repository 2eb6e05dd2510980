//! Messages on their way out, against a provider on loopback: which way they go, what errors do to them, and that of any
//! number of tries, kills and lost answers comes one message, or a row that says why not.

mod codes;
mod gates;
mod kills;
mod provider;
mod rate;
mod support;
mod tokens;
mod ways;
