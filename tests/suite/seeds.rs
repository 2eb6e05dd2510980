//! Seeded schedules, over all cores.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number from the environment.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// The seed that fails first, if one does.
pub fn first_failing(seeds: u64, fails: impl Fn(u64) -> bool + Sync) -> Option<u64> {
    let (next, failed) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds || seed > failed.load(Ordering::Relaxed) {
                        break;
                    }
                    if fails(seed) {
                        failed.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    Some(failed.into_inner()).filter(|seed| *seed < u64::MAX)
}
