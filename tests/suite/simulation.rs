//! L1 and L1m: seeded schedules of faults, and the same with seeded bugs.
//!
//! `LOYALTY_SEEDS` sets how many schedules run (`LOYALTY_SEEDS=10000000` on demand), `LOYALTY_SEED` runs one and tells it.

use loyalty_tests::sim::mutant::Mutant;
use loyalty_tests::sim::scenario::Scenario;
use loyalty_tests::sim::{play, shrink};

use crate::seeds::{self, number};

/// Schedules of a usual run.
const SEEDS: u64 = 200_000;
/// Within how many schedules every seeded bug must show.
const SEEDS_FOR_A_BUG: u64 = 3_000;

fn first_failing(seeds: u64, mutant: Option<Mutant>) -> Option<u64> {
    seeds::first_failing(seeds, |seed| play(&Scenario::of(seed), mutant).is_err())
}

fn tell(seed: u64, mutant: Option<Mutant>) -> String {
    let smallest = shrink::smallest(Scenario::of(seed), mutant);
    let why = play(&smallest, mutant).err().unwrap_or_default();
    format!("seed {seed}: {why}\n{}", shrink::told(&smallest))
}

/// L1: whatever the queue, the network and the handlers do, every order and member ends as they should.
#[test]
fn the_books_survive_every_fault() {
    if let Some(seed) = number("LOYALTY_SEED") {
        assert!(play(&Scenario::of(seed), None).is_ok(), "{}", tell(seed, None));
        return;
    }
    let failing = first_failing(number("LOYALTY_SEEDS").unwrap_or(SEEDS), None);
    assert!(failing.is_none(), "{}", failing.map(|seed| tell(seed, None)).unwrap_or_default());
}

/// L1m: every seeded bug is noticed.
#[test]
fn every_seeded_bug_is_noticed() {
    let mut alive = Vec::new();
    for mutant in Mutant::ALL {
        match first_failing(SEEDS_FOR_A_BUG, Some(*mutant)) {
            Some(seed) => println!("{mutant:?} shows after {} schedules", seed + 1),
            None => alive.push(*mutant),
        }
    }
    assert!(alive.is_empty(), "not noticed within {SEEDS_FOR_A_BUG} schedules: {alive:?}");
}
