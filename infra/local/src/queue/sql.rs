//! The statements of the queue file. Runs inside the store's transaction; never commits.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Lying, Receipt, Received};
use crate::clock;

/// Tables of the queue file: messages, and small facts the stack keeps (clock, checkpoints).
pub const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS messages (
        row INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        message_id TEXT NOT NULL,
        body TEXT NOT NULL,
        sent_ms INTEGER NOT NULL,
        visible_ms INTEGER NOT NULL,
        first_received_ms INTEGER NOT NULL DEFAULT 0,
        receives INTEGER NOT NULL DEFAULT 0,
        in_flight INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX IF NOT EXISTS messages_by_visibility ON messages (queue, visible_ms, row);
    CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
";

pub fn insert(
    sql: &Connection,
    queue: &str,
    message_id: &str,
    body: &str,
    sent_ms: i64,
    visible_ms: i64,
) -> rusqlite::Result<()> {
    sql.prepare_cached("INSERT INTO messages (queue, message_id, body, sent_ms, visible_ms) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![queue, message_id, body, sent_ms, visible_ms])?;
    Ok(())
}

/// Visible messages, oldest first.
pub fn visible(sql: &Connection, queue: &str, now_ms: i64, limit: u32) -> rusqlite::Result<Vec<Received>> {
    sql.prepare_cached(
        "SELECT row, message_id, body, sent_ms, first_received_ms, receives FROM messages
         WHERE queue = ? AND visible_ms <= ? ORDER BY visible_ms, row LIMIT ?",
    )?
    .query_map(params![queue, now_ms, limit], received)?
    .collect()
}

fn received(row: &Row) -> rusqlite::Result<Received> {
    let receives: u32 = row.get(5)?;
    Ok(Received {
        receipt: Receipt { row: row.get(0)?, receive: receives },
        message_id: row.get(1)?,
        body: row.get(2)?,
        sent_ms: row.get(3)?,
        first_received_ms: row.get(4)?,
        receives,
    })
}

pub fn take(sql: &Connection, message: &Received, visible_ms: i64) -> rusqlite::Result<()> {
    sql.prepare_cached(
        "UPDATE messages SET receives = ?, first_received_ms = ?, visible_ms = ?, in_flight = 1
         WHERE row = ?",
    )?
    .execute(params![message.receives, message.first_received_ms, visible_ms, message.receipt.row])?;
    Ok(())
}

/// Whether the receipt still counted.
pub fn delete(sql: &Connection, receipt: Receipt) -> rusqlite::Result<bool> {
    let changed = sql
        .prepare_cached("DELETE FROM messages WHERE row = ? AND receives = ? AND in_flight = 1")?
        .execute(params![receipt.row, receipt.receive])?;
    Ok(changed > 0)
}

/// Whether the receipt still counted.
pub fn put_back(sql: &Connection, receipt: Receipt, visible_ms: i64) -> rusqlite::Result<bool> {
    let changed = sql
        .prepare_cached(
            "UPDATE messages SET visible_ms = ?, in_flight = 0
             WHERE row = ? AND receives = ? AND in_flight = 1",
        )?
        .execute(params![visible_ms, receipt.row, receipt.receive])?;
    Ok(changed > 0)
}

/// Keeps a message in flight until later.
pub fn extend(sql: &Connection, receipt: Receipt, visible_ms: i64) -> rusqlite::Result<bool> {
    let changed = sql
        .prepare_cached("UPDATE messages SET visible_ms = ? WHERE row = ? AND receives = ?")?
        .execute(params![visible_ms, receipt.row, receipt.receive])?;
    Ok(changed > 0)
}

/// Moves a message to another queue, where it starts anew but keeps its id and sending time.
pub fn move_to(sql: &Connection, row: i64, queue: &str, visible_ms: i64) -> rusqlite::Result<()> {
    sql.prepare_cached(
        "UPDATE messages SET queue = ?, visible_ms = ?, receives = 0, first_received_ms = 0,
         in_flight = 0 WHERE row = ?",
    )?
    .execute(params![queue, visible_ms, row])?;
    Ok(())
}

/// A message that an operator sends again counts as sent now, as with SQS: a pause that kept it is over by then (X50).
pub fn send_anew(sql: &Connection, row: i64, queue: &str, now_ms: i64) -> rusqlite::Result<()> {
    move_to(sql, row, queue, now_ms)?;
    sql.prepare_cached("UPDATE messages SET sent_ms = ? WHERE row = ?")?.execute(params![now_ms, row])?;
    Ok(())
}

/// When the next message of a queue becomes visible.
pub fn next_visible(sql: &Connection, queue: &str) -> rusqlite::Result<Option<i64>> {
    sql.prepare_cached("SELECT min(visible_ms) FROM messages WHERE queue = ?")?.query_row([queue], |row| row.get(0))
}

/// The latest moment, up to a limit, at which a message that nobody holds becomes visible.
pub fn last_visible_until(sql: &Connection, queue: &str, limit_ms: i64) -> rusqlite::Result<Option<i64>> {
    sql.prepare_cached("SELECT max(visible_ms) FROM messages WHERE queue = ? AND visible_ms <= ? AND in_flight = 0")?
        .query_row(params![queue, limit_ms], |row| row.get(0))
}

pub fn counts(sql: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    sql.prepare_cached("SELECT queue, count(*) FROM messages GROUP BY queue")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Messages, delayed ones included, that nobody holds and that could be handed out later.
pub fn delayed(sql: &Connection, queue: &str, now_ms: i64) -> rusqlite::Result<(u64, u64)> {
    sql.prepare_cached(
        "SELECT coalesce(sum(in_flight = 0 AND visible_ms > ?2), 0), coalesce(sum(in_flight), 0)
         FROM messages WHERE queue = ?1",
    )?
    .query_row(params![queue, now_ms], |row| Ok((row.get(0)?, row.get(1)?)))
}

pub fn lying(sql: &Connection, queue: &str, limit: u32) -> rusqlite::Result<Vec<(i64, Lying)>> {
    sql.prepare_cached(
        "SELECT row, message_id, queue, body, sent_ms, receives FROM messages
         WHERE queue = ? ORDER BY row LIMIT ?",
    )?
    .query_map(params![queue, limit], |row| {
        let sent_ms: i64 = row.get(4)?;
        Ok((
            row.get(0)?,
            Lying {
                message_id: row.get(1)?,
                queue: row.get(2)?,
                body: row.get(3)?,
                sent_at: clock::iso(sent_ms),
                receives: row.get(5)?,
            },
        ))
    })?
    .collect()
}

pub fn remove_row(sql: &Connection, row: i64) -> rusqlite::Result<()> {
    sql.prepare_cached("DELETE FROM messages WHERE row = ?")?.execute([row])?;
    Ok(())
}

/// After a crash nobody holds anything: what was in flight can be handed out at once, wherever the clock is set.
pub fn release_all(sql: &Connection) -> rusqlite::Result<usize> {
    sql.execute("UPDATE messages SET in_flight = 0, visible_ms = sent_ms WHERE in_flight = 1", [])
}

pub fn fact(sql: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    sql.prepare_cached("SELECT value FROM facts WHERE name = ?")?.query_row([name], |row| row.get(0)).optional()
}

pub fn set_fact(sql: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    sql.prepare_cached(
        "INSERT INTO facts (name, value) VALUES (?, ?)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )?
    .execute([name, value])?;
    Ok(())
}
