//! Proves the digests of many rows on as many threads as there are processors, beside everything else that is proved.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;

use crate::Table;
use crate::digest;
use crate::row::Row;

/// How many rows a thread takes at a time: enough that taking them costs nothing, few enough that all end together.
const ROWS_TAKEN: usize = 64;

/// The most threads of one batch; more than this cannot be fed.
const THREADS_MAX: usize = 16;

/// Asking the system takes as long as proving twenty rows.
static PROCESSORS: LazyLock<usize> = LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));

/// A batch of rows whose digests are proved by whoever has the time.
pub(crate) struct Digests<'a> {
    rows: &'a [(Table, Row)],
    next: AtomicUsize,
    /// By position in the batch.
    wrong: Mutex<Vec<(usize, &'static str)>>,
}

impl<'a> Digests<'a> {
    pub fn of(rows: &'a [(Table, Row)]) -> Self {
        Self { rows, next: AtomicUsize::new(0), wrong: Mutex::default() }
    }

    /// How many threads have something to do.
    pub fn shares(&self) -> usize {
        self.rows.len().div_ceil(ROWS_TAKEN).min(*PROCESSORS).min(THREADS_MAX)
    }

    /// Proves rows that nobody else has taken until none are left.
    pub fn prove(&self) {
        let mut text = Vec::new();
        let mut wrong = Vec::new();
        loop {
            let first = self.next.fetch_add(ROWS_TAKEN, Ordering::Relaxed);
            let Some(rows) = self.rows.get(first..).filter(|rows| !rows.is_empty()) else { break };
            for (at, (_, row)) in rows.iter().take(ROWS_TAKEN).enumerate() {
                wrong.extend(digest::prove(row, &mut text).map(|what| (first + at, what)));
            }
        }
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).append(&mut wrong);
    }

    /// What is wrong, by position, in the order of the rows: who proved which does not show.
    pub fn wrong(self) -> Vec<(usize, &'static str)> {
        let mut wrong = self.wrong.into_inner().unwrap_or_else(PoisonError::into_inner);
        wrong.sort_unstable();
        wrong
    }
}

#[cfg(test)]
mod tests {
    use crate::{Audit, DIGEST, Row, Table, Value, digest_of};

    #[test]
    fn many_rows_are_found_as_wrong_as_one_after_the_other() {
        for count in [0, 1, 63, 64, 65, 1_000] {
            let rows: Vec<(Table, Row)> = (0..count)
                .map(|at| {
                    let mut row: Row = [("voucher_id", Value::S(format!("v{at}").into()))].into_iter().collect();
                    match at % 7 {
                        0 => None,
                        1 => row.insert(DIGEST, Value::S("00".into())),
                        _ => row.insert(DIGEST, Value::S(digest_of(&row).into())),
                    };
                    (Table::Vouchers, row)
                })
                .collect();
            let (mut one_by_one, mut together) = (Audit::new(), Audit::new());
            rows.iter().for_each(|(table, row)| one_by_one.row(*table, row));
            together.rows(&rows);
            let report = together.finish();
            assert_eq!(report, one_by_one.finish());
            // None of them can be read, and some have a wrong digest on top of that.
            assert_eq!(report.findings.len(), count + (0..count).filter(|at| at % 7 < 2).count());
        }
    }
}
