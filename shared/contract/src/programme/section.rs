//! Reads one table into a typed section, reporting every key that is wrong instead of the first.
//!
//! Each key is read on its own, so one mistake does not hide the next. That is why every section has a default.

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::Problem;

pub fn read<T: DeserializeOwned + Default>(table: Table, path: &str, problems: &mut Vec<Problem>) -> T {
    let mut good = Table::new();
    for (key, value) in table {
        let alone = Table::from_iter([(key.clone(), value.clone())]);
        match Value::Table(alone).try_into::<T>() {
            Ok(_) => {
                good.insert(key, value);
            }
            Err(error) => problems.push(Problem { path: join(path, &key), message: plain(&error) }),
        }
    }
    Value::Table(good).try_into().unwrap_or_default()
}

/// The sub-table of a key; an empty one when it is missing.
pub fn table(parent: &mut Table, key: &str, path: &str, problems: &mut Vec<Problem>) -> Table {
    match parent.remove(key) {
        None => Table::new(),
        Some(Value::Table(table)) => table,
        Some(_) => {
            problems.push(Problem { path: join(path, key), message: format!("write it as a table: [{key}]") });
            Table::new()
        }
    }
}

/// The tables of a list: `[[tiers]]`.
pub fn tables(parent: &mut Table, key: &str, problems: &mut Vec<Problem>) -> Vec<Table> {
    let value = parent.remove(key);
    let items = match value {
        None => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(other) => vec![other],
    };
    let mut tables = Vec::new();
    for (at, item) in items.into_iter().enumerate() {
        match item {
            Value::Table(table) => tables.push(table),
            _ => problems.push(Problem { path: format!("{key}[{at}]"), message: format!("write it as [[{key}]]") }),
        }
    }
    tables
}

pub fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The first line of serde's message: the rest draws the source, which is not the user's file here.
fn plain(error: &toml::de::Error) -> String {
    error.message().lines().next().unwrap_or("not understood").to_owned()
}
