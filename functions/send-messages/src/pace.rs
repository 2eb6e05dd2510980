//! Not faster than the provider allows: calls start at even distances, and none during a pause that it asked for.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// The pace of one process.
#[derive(Debug)]
pub struct Pace {
    distance: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    /// So many calls a minute, at least one.
    pub fn per_minute(calls: u32) -> Self {
        Self { distance: Duration::from_secs(60) / calls.max(1), next: Mutex::new(Instant::now()) }
    }

    /// Waits for its turn.
    ///
    /// # Errors
    /// How long it would take, when that is longer than `patience`; then no turn is taken.
    pub async fn turn(&self, patience: Duration) -> Result<(), Duration> {
        let mut next = self.next.lock().await;
        let now = Instant::now();
        let turn = (*next).max(now);
        if turn - now > patience {
            return Err(turn - now);
        }
        *next = turn + self.distance;
        drop(next);
        tokio::time::sleep_until(turn).await;
        Ok(())
    }

    /// Nobody's turn comes before the pause is over.
    pub async fn quiet(&self, pause: Duration) {
        let mut next = self.next.lock().await;
        *next = (*next).max(Instant::now() + pause);
    }
}
