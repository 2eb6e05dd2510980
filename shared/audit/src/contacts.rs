//! Contacts of members, and users of the official account: what stands on each follows from itself, and the two agree on
//! who is who. Both rows of a link are written in one transaction, and so are those of its end.

use std::collections::BTreeSet;

use compact_str::CompactString;
use foldhash::HashMap;

use crate::fields::{
    Problem, Read, count, day, flag, flag_if_any, instant, list, map_if_any, number_if_any, text, text_if_any,
};
use crate::report::Findings;
use crate::value::Value;
use crate::{Row, Table};

/// All rows of `contacts` and `zalo-users`.
#[derive(Default)]
pub(crate) struct Contacts {
    /// By member, the user they are.
    contacts: HashMap<CompactString, Option<CompactString>>,
    /// By user, the member they are.
    users: HashMap<CompactString, Option<CompactString>>,
}

impl Contacts {
    pub fn contact(&mut self, row: &Row, findings: &mut Findings) -> Result<(), Problem> {
        let member_id = text(row, "member_id")?;
        count(row, "revision", 1)?;
        said(row, ("follows_oa", "follows_as_of"))?;
        times(row, ["interacted_at", "linked_at"])?;
        refused(row)?;
        if row.contains_key("promotional_week") {
            day(row, "promotional_week")?;
        }
        if number_if_any(row, "promotional_sent")?.is_some_and(|sent| sent < 1 || !row.contains_key("promotional_week"))
        {
            return Err("`promotional_sent` counts no week".to_owned());
        }
        let key = text_if_any(row, "zalo_key")?;
        if key.is_some() != text_if_any(row, "zalo_user_id")?.is_some() {
            return Err("`zalo_key` and `zalo_user_id` go together".to_owned());
        }
        if self.contacts.insert(member_id.into(), key.map(Into::into)).is_some() {
            findings.add(Table::Contacts, member_id.to_owned(), "stands there twice".to_owned());
        }
        Ok(())
    }

    pub fn user(&mut self, row: &Row, findings: &mut Findings) -> Result<(), Problem> {
        let user_id = text(row, "user_id")?;
        count(row, "revision", 1)?;
        said(row, ("follows_oa", "as_of"))?;
        times(row, ["interacted_at", "linked_at"])?;
        let member_id = text_if_any(row, "member_id")?;
        if self.users.insert(user_id.into(), member_id.map(Into::into)).is_some() {
            findings.add(Table::ZaloUsers, user_id.to_owned(), "stands there twice".to_owned());
        }
        Ok(())
    }

    pub fn finish(&self, findings: &mut Findings) {
        for (member_id, user) in &self.contacts {
            let Some(user) = user else { continue };
            if self.users.get(user).and_then(Option::as_ref) != Some(member_id) {
                findings.add(Table::Contacts, member_id.to_string(), "its user is not this member".to_owned());
            }
        }
        for (user, member_id) in &self.users {
            let Some(member_id) = member_id else { continue };
            if self.contacts.get(member_id).and_then(Option::as_ref) != Some(user) {
                findings.add(Table::ZaloUsers, user.to_string(), "its member is not this user".to_owned());
            }
        }
    }
}

/// A word and its time go together.
fn said(row: &Row, (word, time): (&str, &str)) -> Read<()> {
    flag_if_any(row, word)?;
    if row.contains_key(word) != row.contains_key(time) {
        return Err(format!("`{word}` and `{time}` go together"));
    }
    times(row, [time])
}

fn times<const N: usize>(row: &Row, names: [&str; N]) -> Read<()> {
    for name in names.into_iter().filter(|name| row.contains_key(name)) {
        instant(row, name)?;
    }
    Ok(())
}

/// The kinds that are not wanted are those that the wishes say no to.
fn refused(row: &Row) -> Read<()> {
    let mut said = BTreeSet::new();
    for (kind, wish) in map_if_any(row, "wishes")?.into_iter().flat_map(Row::iter) {
        let Value::M(wish) = wish else { return Err(format!("the wish about {kind} is no map")) };
        instant(wish, "changed_at")?;
        if !flag(wish, "allowed")? {
            said.insert(kind);
        }
    }
    let mut stated = BTreeSet::new();
    for kind in list(row, "opted_out")? {
        let Value::S(kind) = kind else { return Err("`opted_out` is not a list of kinds".to_owned()) };
        stated.insert(kind.as_str());
    }
    if said == stated { Ok(()) } else { Err("`opted_out` is not what the wishes say".to_owned()) }
}
