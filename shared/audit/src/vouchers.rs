//! Vouchers: each says itself whether it was used and until when it can be; its member and the order it was used for
//! exist.

use chrono::{DateTime, Days, NaiveDate, Utc};
use foldhash::{HashMap, HashSet};

use crate::Row;
use crate::Table;
use crate::fields::{Problem, Read, count, day, flag_if_any, instant, map, number_if_any, text, text_if_any};
use crate::members::Members;
use crate::orders::Orders;
use crate::report::Findings;
use crate::requests::Requests;

#[derive(Debug)]
struct Voucher {
    key: String,
    member_id: String,
    used_for: Option<String>,
}

impl Voucher {
    /// Its id, and the order it was used for.
    fn used(&self) -> Option<(&str, &str)> {
        Some((&self.key, self.used_for.as_deref()?))
    }
}

/// All rows of `vouchers`.
#[derive(Default)]
pub(crate) struct Vouchers {
    rows: Vec<Voucher>,
    ids: HashSet<String>,
    codes: HashSet<String>,
    grants: HashSet<String>,
}

impl Vouchers {
    /// Whose a voucher is.
    pub fn member_of(&self, voucher_id: &str) -> Option<&str> {
        self.rows.iter().find(|voucher| voucher.key == voucher_id).map(|voucher| voucher.member_id.as_str())
    }

    pub fn row(&mut self, row: &Row, findings: &mut Findings) -> Result<(), Problem> {
        let key = text(row, "voucher_id")?;
        let mut wrong = Vec::new();
        prove_dates(row, &mut wrong)?;
        prove_use(row, &mut wrong)?;
        prove_worth(row)?;
        count(row, "revision", 1)?;
        text(row, "offer")?;
        text(row, "name")?;
        let member_id = text(row, "member_id")?.to_owned();
        let grant_id = text(row, "grant_id")?;
        if !grant_id.starts_with(&format!("{member_id}/")) {
            wrong.push("was given to somebody else than its grant says".to_owned());
        }
        if !self.ids.insert(key.to_owned()) {
            wrong.push("stands there twice".to_owned());
        }
        if !self.grants.insert(grant_id.to_owned()) {
            wrong.push("was given twice for the same reason".to_owned());
        }
        if !self.codes.insert(text(row, "code")?.to_owned()) {
            wrong.push("has the code of another one".to_owned());
        }
        let used_for = text_if_any(row, "used_for")?.map(str::to_owned);
        self.rows.push(Voucher { key: key.to_owned(), member_id, used_for });
        for what in wrong {
            findings.add(Table::Vouchers, key.to_owned(), what);
        }
        Ok(())
    }

    pub fn finish(&self, members: &Members, orders: &Orders, requests: &Requests, findings: &mut Findings) {
        for (request_id, _) in requests.grants_paid().filter(|(_, grant_id)| !self.grants.contains(grant_id)) {
            let what = "the voucher that it has paid for is not there".to_owned();
            findings.add(Table::Requests, request_id.to_owned(), what);
        }
        let used: HashMap<&str, &str> = self.rows.iter().filter_map(Voucher::used).collect();
        for (order_id, voucher_id) in orders.vouchers().filter(|(order_id, id)| used.get(id) != Some(order_id)) {
            let what = format!("says that it used {voucher_id}, which says otherwise");
            findings.add(Table::Orders, order_id.to_owned(), what);
        }
        // The order that a till used it for need not have been reported yet, or ever.
        for Voucher { key, member_id, .. } in &self.rows {
            if !members.has(member_id) {
                findings.add(Table::Vouchers, key.clone(), format!("its member {member_id} does not exist"));
            }
        }
    }
}

/// It can be used on so many days, and the index finds it on the next day on which anything is due for it.
fn prove_dates(row: &Row, wrong: &mut Vec<String>) -> Read<()> {
    let (from, until) = (day(row, "valid_from")?, day(row, "valid_until")?);
    let days = u64::try_from(count(row, "valid_days", 1)?).unwrap_or(1);
    if from.checked_add_days(Days::new(days - 1)).unwrap_or(NaiveDate::MAX) != until {
        wrong.push(format!("is good from {from} to {until}, which is not {days} days"));
    }
    let remind_on = if row.contains_key("remind_on") { Some(day(row, "remind_on")?) } else { None };
    if remind_on.is_some_and(|remind_on| remind_on < from || remind_on > until) {
        wrong.push("is reminded of while it cannot be used".to_owned());
    }
    let reminded = flag_if_any(row, "reminded")?.unwrap_or(false);
    if reminded && remind_on.is_none() {
        wrong.push("was reminded of without being due".to_owned());
    }
    let issued = text(row, "state")? == "issued";
    let over = until.succ_opt().unwrap_or(NaiveDate::MAX);
    let due = remind_on.filter(|_| !reminded).map_or(over, |remind_on| remind_on.min(over));
    let stated = if row.contains_key("due_on") { Some(day(row, "due_on")?) } else { None };
    if stated != issued.then_some(due) || row.contains_key("due_shard") != issued {
        wrong.push("is not in the index under the day on which something is due".to_owned());
    }
    Ok(())
}

fn prove_use(row: &Row, wrong: &mut Vec<String>) -> Read<()> {
    let issued_at = instant(row, "issued_at")?;
    let used_at: Option<DateTime<Utc>> =
        if row.contains_key("used_at") { Some(instant(row, "used_at")?) } else { None };
    let used = match text(row, "state")? {
        "used" => true,
        "issued" | "expired" | "voided" => false,
        word => return Err(format!("`state` is {word:?}")),
    };
    if used_at.is_some() != used || (row.contains_key("used_for") && !used) {
        wrong.push("says when or for what it was used, and that it was not; or the reverse".to_owned());
    }
    if used_at.is_some_and(|used_at| used_at < issued_at) {
        wrong.push("was used before it was given".to_owned());
    }
    Ok(())
}

fn prove_worth(row: &Row) -> Read<()> {
    if number_if_any(row, "order_min_minor")?.is_some_and(|least| least < 0) {
        return Err("`order_min_minor` is below zero".to_owned());
    }
    let worth = map(row, "worth")?;
    if worth.contains_key("percent") {
        let percent = map(worth, "percent")?;
        let within = (1..=100).contains(&count(percent, "percent", 1)?);
        let most = number_if_any(percent, "most_minor")?;
        return if within && most.is_none_or(|most| most > 0) { Ok(()) } else { Err("`worth` is no part".to_owned()) };
    }
    let amounts = ["amount_minor", "game_turns"].into_iter().filter(|name| worth.contains_key(name));
    let things = ["gift", "combo"].into_iter().filter(|name| worth.contains_key(name));
    let mut known = 0;
    for name in amounts {
        count(worth, name, 1)?;
        known += 1;
    }
    for name in things {
        text(worth, name)?;
        known += 1;
    }
    if known == 1 { Ok(()) } else { Err("`worth` is none that is known".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn texts(pairs: &[(&'static str, &str)]) -> Row {
        pairs.iter().map(|(name, text)| (*name, Value::S((*text).into()))).collect()
    }

    #[test]
    fn a_voucher_that_points_were_spent_on_is_missed() {
        let gone = |state: &str, grants: &[&str]| {
            let mut row = texts(&[
                ("request_id", "r_1"),
                ("member_id", "m_1"),
                ("kind", "redemption"),
                ("state", state),
                ("fingerprint", "-"),
                ("rule", "voucher-10"),
                ("created_at", "2026-11-23T01:15:07Z"),
            ]);
            for (name, number) in [("revision", "1"), ("points", "-100"), ("seq", "2")] {
                row.insert(name, Value::N(number.into()));
            }
            row.insert("buys", Value::M(texts(&[("offer", "ten")])));
            let (mut requests, mut findings) = (Requests::default(), Findings::default());
            requests.row(&row, &mut findings).expect("a request");
            let vouchers =
                Vouchers { grants: grants.iter().map(|grant| (*grant).to_owned()).collect(), ..Vouchers::default() };
            vouchers.finish(&Members::default(), &Orders::default(), &requests, &mut findings);
            !findings.is_empty()
        };
        assert!(gone("confirmed", &[]));
        assert!(gone("confirmed", &["m_1/redemption/r_2/ten", "m_1/redemption/r_1/twenty"]));
        assert!(!gone("confirmed", &["m_1/redemption/r_1/ten"]));
        assert!(!gone("held", &[]) && !gone("undone", &[]));
    }
}
