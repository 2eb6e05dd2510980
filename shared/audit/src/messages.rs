//! Messages: each held against the member and the entry it names.

use foldhash::HashSet;

use crate::Row;
use crate::Table;
use crate::fields::{Problem, count, instant, map, map_if_any, text};
use crate::history::Histories;
use crate::members::Members;
use crate::report::Findings;

#[derive(Debug)]
struct Message {
    key: String,
    member_id: String,
    source_entry: Option<(String, i128)>,
}

/// All rows of `messages`.
#[derive(Default)]
pub(crate) struct Messages {
    seen: HashSet<String>,
    rows: Vec<Message>,
}

impl Messages {
    pub fn row(&mut self, row: &Row, findings: &mut Findings) -> Result<(), Problem> {
        let key = text(row, "message_id")?;
        if !self.seen.insert(key.to_owned()) {
            findings.add(Table::Messages, key.to_owned(), "stands there twice".to_owned());
        }
        text(row, "template")?;
        text(row, "state")?;
        map(row, "variables")?;
        instant(row, "created_at")?;
        let source_entry = match map_if_any(row, "source_entry")? {
            Some(source) => Some((text(source, "member_id")?.to_owned(), count(source, "seq", 1)?)),
            None => None,
        };
        self.rows.push(Message { key: key.to_owned(), member_id: text(row, "member_id")?.to_owned(), source_entry });
        Ok(())
    }

    pub fn finish(&self, members: &Members, histories: &Histories, findings: &mut Findings) {
        for Message { key, member_id, source_entry } in &self.rows {
            if !members.has(member_id) {
                findings.add(Table::Messages, key.clone(), format!("its member {member_id} does not exist"));
            }
            let Some((member_id, seq)) = source_entry else { continue };
            let exists = histories.get(member_id).is_some_and(|history| *seq <= i128::from(history.last_seq));
            if !exists {
                findings.add(Table::Messages, key.clone(), format!("its entry {seq} of {member_id} does not exist"));
            }
        }
    }
}
