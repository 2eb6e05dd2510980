//! The simulation: seeded histories of orders and redemptions, delivered through a queue that loses, repeats, delays and
//! overtakes, to handlers that crash, read what is no longer true and race each other; one thread, no clock.
//!
//! A scenario is data: the snapshots, the events with the faults that befall them, the programme's versions. Running one
//! is a pure function, so a failing scenario is made smaller by leaving events out until every one of them matters.
//!
//! What a run must end with is judged twice: by the verifier over rows, and by an oracle that is told nothing but the
//! scenario and works out from the requirements what every order and member must have come to. For tiers by rules it also
//! walks through what was written, transaction after transaction.

pub mod mutant;
pub mod oracle;
pub mod scenario;
pub mod shrink;
pub mod store;
pub mod world;

use mutant::Mutant;
use scenario::Scenario;

/// Plays the scenario of a seed; what is wrong with the outcome.
///
/// # Errors
/// The first thing that is wrong.
pub fn play(scenario: &Scenario, mutant: Option<Mutant>) -> Result<(), String> {
    let store = world::run(scenario, mutant)?;
    oracle::judge(scenario, &store)
}
