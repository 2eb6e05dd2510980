//! What befalls requests and handlers, drawn from a seed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use loyalty_store::engine::{Call, Fault};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

/// Longer than the SDK tries: whoever meets an outage at its beginning finds every retry spent (F11).
const OUTAGE_REQUESTS_MAX: u32 = 8;
/// Longer than a message stays hidden, so that a handler may go on after its messages were delivered again (F14).
const SLOW_MS_MAX: u64 = 4_000;

/// What happened, for whoever has to find out why: nothing is written down unless it will be read.
#[derive(Clone)]
pub struct Trace(Option<Arc<Mutex<Vec<String>>>>, Instant);

impl Trace {
    pub fn new(kept: bool) -> Self {
        Self(kept.then(Arc::default), Instant::now())
    }

    pub fn note(&self, what: impl FnOnce() -> String) {
        if let Self(Some(lines), start) = self {
            let line = format!("{:>7} ms  {}", start.elapsed().as_millis(), what());
            lines.lock().expect("no one panics while noting").push(line);
        }
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.as_ref().map(|lines| lines.lock().expect("no one panics while noting").clone()).unwrap_or_default()
    }
}

/// How rough a schedule is.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// How many of a hundred requests meet a fault.
    pub faults_percent: u32,
    /// One of so many requests is slow, and one of so many attempts is killed.
    pub one_in: u32,
}

impl Weather {
    pub fn of(draw: &mut ChaCha8Rng) -> Self {
        let all = [(0, 40), (5, 20), (15, 10), (35, 8)];
        let (faults_percent, one_in) = all[draw.random_range(0..all.len())];
        Self { faults_percent, one_in }
    }

    /// The faults of requests.
    pub fn faults(self, seed: u64, trace: Trace) -> impl FnMut(&Call<'_>) -> Fault + Send + 'static {
        let mut draw = ChaCha8Rng::seed_from_u64(seed);
        let mut outage = 0_u32;
        move |call| {
            let fault = if outage > 0 {
                outage -= 1;
                Fault::RequestLost
            } else if !draw.random_ratio(self.faults_percent, 100) {
                Fault::None
            } else if draw.random_ratio(1, 20) {
                outage = draw.random_range(2..OUTAGE_REQUESTS_MAX);
                Fault::RequestLost
            } else {
                fault_of(call.operation, &mut draw)
            };
            if fault == Fault::None {
                trace.note(|| format!("        {}", call.operation));
            } else {
                trace.note(|| format!("        {} meets {fault:?}", call.operation));
            }
            fault
        }
    }

    /// How long requests and answers are on their way.
    pub fn pace(self, seed: u64) -> impl FnMut() -> Duration + Send + 'static {
        let mut draw = ChaCha8Rng::seed_from_u64(seed);
        move || {
            let slow = draw.random_ratio(1, 4 * self.one_in);
            Duration::from_millis(draw.random_range(0..if slow { SLOW_MS_MAX } else { 30 }))
        }
    }
}

fn fault_of(operation: &str, draw: &mut ChaCha8Rng) -> Fault {
    use Fault::{Conflict, Invalid, RequestLost, ResponseLost, Throttled};
    let stale = Fault::Stale { keys: draw.random() };
    let faults = match operation {
        "BatchGetItem" => [stale, stale, stale, stale, RequestLost, ResponseLost, Throttled, Throttled],
        "Query" => [RequestLost, RequestLost, ResponseLost, ResponseLost, Throttled, Throttled, Throttled, Invalid],
        _ => [RequestLost, RequestLost, ResponseLost, ResponseLost, Conflict, Conflict, Throttled, Invalid],
    };
    faults[draw.random_range(0..faults.len())]
}
