//! The stream records in the engine's file, over a second connection on the engine's thread.
//!
//! The engine numbers a record by scanning all earlier ones and never deletes any; the index here
//! makes numbering cheap and [`trim`] keeps what nobody needs any more from piling up. Never
//! deletes the newest record of a table: numbering starts from it.

use rusqlite::{Connection, params};

/// One record of a table's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRecord {
    pub sequence: i64,
    pub event_id: String,
    pub event_name: String,
    /// DynamoDB JSON, as text.
    pub keys: String,
    pub new_image: Option<String>,
    pub old_image: Option<String>,
}

/// Sequence numbers of AWS have 21 digits or more; text order and number order then agree.
const SEQUENCE_OFFSET: u128 = 100_000_000_000_000_000_000;

impl StreamRecord {
    /// The number as it is shown outside.
    pub fn public_sequence(&self) -> String {
        public(self.sequence)
    }
}

/// A stored sequence number as it is shown outside.
pub fn public(sequence: i64) -> String {
    (SEQUENCE_OFFSET + u128::from(sequence.unsigned_abs())).to_string()
}

/// The stored sequence number behind one shown outside.
pub fn stored(public: &str) -> Option<i64> {
    let number: u128 = public.parse().ok()?;
    i64::try_from(number.checked_sub(SEQUENCE_OFFSET)?).ok()
}

/// Adds the index that keeps writes to tables with streams flat.
pub fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.execute_batch(
        "CREATE INDEX IF NOT EXISTS stream_records_by_number
         ON _stream_records (table_name, CAST(sequence_number AS INTEGER))",
    )
}

/// Records of a table after a number, oldest first.
pub fn read(connection: &Connection, table: &str, after: i64, limit: u32) -> rusqlite::Result<Vec<StreamRecord>> {
    connection
        .prepare_cached(
            "SELECT CAST(sequence_number AS INTEGER), event_id, event_name, keys_json, new_image,
                    old_image
             FROM _stream_records
             WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) > ?2
             ORDER BY CAST(sequence_number AS INTEGER) LIMIT ?3",
        )?
        .query_map(params![table, after, limit], |row| {
            Ok(StreamRecord {
                sequence: row.get(0)?,
                event_id: row.get::<_, Option<String>>(1)?.unwrap_or_default(),
                event_name: row.get(2)?,
                keys: row.get(3)?,
                new_image: row.get(4)?,
                old_image: row.get(5)?,
            })
        })?
        .collect()
}

/// The number of the newest record, 0 when there is none.
pub fn newest(connection: &Connection, table: &str) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "SELECT coalesce(max(CAST(sequence_number AS INTEGER)), 0) FROM _stream_records
             WHERE table_name = ?",
        )?
        .query_row([table], |row| row.get(0))
}

/// Deletes the records up to a number, but for the newest and those in the `kept` ranges (both
/// ends included), which dead letters still point to. Returns how many.
pub fn trim(connection: &Connection, table: &str, through: i64, kept: &[(i64, i64)]) -> rusqlite::Result<usize> {
    let through = through.min(newest(connection, table)? - 1);
    let mut from = i64::MIN;
    let mut deleted = 0;
    let mut ranges = kept.to_vec();
    ranges.sort_unstable();
    ranges.push((i64::MAX, i64::MAX));
    for (start, end) in ranges {
        deleted += connection
            .prepare_cached(
                "DELETE FROM _stream_records WHERE table_name = ?1
                 AND CAST(sequence_number AS INTEGER) BETWEEN ?2 AND ?3",
            )?
            .execute(params![table, from, through.min(start.saturating_sub(1))])?;
        from = from.max(end.saturating_add(1));
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_with(numbers: std::ops::RangeInclusive<i64>) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE _stream_records (table_name TEXT, event_name TEXT, keys_json TEXT,
                 new_image TEXT, old_image TEXT, sequence_number TEXT, event_id TEXT)",
            )
            .unwrap();
        prepare(&connection).unwrap();
        for number in numbers {
            connection
                .execute(
                    "INSERT INTO _stream_records VALUES ('t', 'INSERT', '{}', '{}', NULL, ?, 'e')",
                    [number.to_string()],
                )
                .unwrap();
        }
        connection
    }

    fn left(connection: &Connection) -> Vec<i64> {
        let records = read(connection, "t", 0, 100).unwrap();
        records.iter().map(|record| record.sequence).collect()
    }

    #[test]
    fn trimming_keeps_the_newest_and_what_dead_letters_point_to() {
        let connection = file_with(8..=12);
        assert_eq!(trim(&connection, "t", 12, &[(9, 10)]).unwrap(), 2);
        assert_eq!(left(&connection), [9, 10, 12]);
    }

    #[test]
    fn trimming_stops_at_the_number_given() {
        let connection = file_with(8..=12);
        assert_eq!(trim(&connection, "t", 9, &[]).unwrap(), 2);
        assert_eq!(left(&connection), [10, 11, 12]);
    }

    #[test]
    fn reading_uses_the_index() {
        let connection = file_with(1..=2);
        let plan: String = connection
            .query_row(
                "EXPLAIN QUERY PLAN SELECT max(CAST(sequence_number AS INTEGER))
                 FROM _stream_records WHERE table_name = 't'",
                [],
                |row| row.get(3),
            )
            .unwrap();
        assert!(plan.contains("stream_records_by_number"), "{plan}");
    }

    #[test]
    fn public_numbers_come_back() {
        assert_eq!(public(7).len(), 21);
        assert_eq!(stored(&public(7)), Some(7));
        assert_eq!(stored("7"), None);
    }
}
