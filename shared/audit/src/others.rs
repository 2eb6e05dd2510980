//! Participations, vouchers and messages: each held against the members, orders and entries it names.

use std::collections::HashSet;

use crate::Table;
use crate::fields::{Problem, count, instant, list, map, map_if_any, text, text_if_any};
use crate::history::Histories;
use crate::members::Members;
use crate::orders::Orders;
use crate::report::Findings;
use crate::{Row, Value};

/// A key of a row that must exist somewhere else.
enum Names {
    Member(String),
    Order { order_id: String, campaign: String },
    Entry { member_id: String, seq: i128 },
}

/// What these rows name, until everything has been read.
#[derive(Default)]
pub(crate) struct Others {
    seen: HashSet<(Table, String)>,
    names: Vec<(Table, String, Names)>,
}

impl Others {
    /// Participations used are the distinct orders credited, and never more than were granted (C4, X14).
    pub fn participation(&mut self, row: &Row, findings: &mut Findings) -> Result<(), Problem> {
        let (campaign, member_id) = (text(row, "campaign")?, text(row, "member_id")?);
        let key = format!("{campaign}/{member_id}");
        self.once(Table::Participations, &key, findings);
        let (granted, used) = (count(row, "granted", 0)?, count(row, "used", 0)?);
        let remaining = count(row, "remaining", 0)?;
        text(row, "state")?;
        let mut orders = HashSet::new();
        for order in list(row, "orders")? {
            let Value::S(order_id) = order else { return Err("`orders` is not a list of order ids".to_owned()) };
            if !orders.insert(order_id) {
                findings.add(Table::Participations, key.clone(), format!("order {order_id} used it twice"));
            }
            let names = Names::Order { order_id: order_id.clone(), campaign: campaign.to_owned() };
            self.names.push((Table::Participations, key.clone(), names));
        }
        if used + remaining != granted {
            let what = format!("{used} used and {remaining} remaining are not the {granted} granted");
            findings.add(Table::Participations, key.clone(), what);
        }
        if used != orders.len() as i128 {
            let what = format!("{used} used, but {} orders used it", orders.len());
            findings.add(Table::Participations, key.clone(), what);
        }
        self.names.push((Table::Participations, key, Names::Member(member_id.to_owned())));
        Ok(())
    }

    pub fn voucher(&mut self, row: &Row, findings: &mut Findings) -> Result<(), Problem> {
        let key = text(row, "voucher_id")?;
        self.once(Table::Vouchers, key, findings);
        if let Some(member_id) = text_if_any(row, "member_id")? {
            self.names.push((Table::Vouchers, key.to_owned(), Names::Member(member_id.to_owned())));
        }
        Ok(())
    }

    pub fn message(&mut self, row: &Row, findings: &mut Findings) -> Result<(), Problem> {
        let key = text(row, "message_id")?;
        self.once(Table::Messages, key, findings);
        text(row, "template")?;
        text(row, "state")?;
        map(row, "variables")?;
        instant(row, "created_at")?;
        let member_id = text(row, "member_id")?.to_owned();
        self.names.push((Table::Messages, key.to_owned(), Names::Member(member_id)));
        if let Some(source) = map_if_any(row, "source_entry")? {
            let (member_id, seq) = (text(source, "member_id")?.to_owned(), count(source, "seq", 1)?);
            self.names.push((Table::Messages, key.to_owned(), Names::Entry { member_id, seq }));
        }
        Ok(())
    }

    fn once(&mut self, table: Table, key: &str, findings: &mut Findings) {
        if !self.seen.insert((table, key.to_owned())) {
            findings.add(table, key.to_owned(), "stands there twice".to_owned());
        }
    }

    pub fn finish(&self, members: &Members, histories: &Histories, orders: &Orders, findings: &mut Findings) {
        for (table, key, names) in &self.names {
            let missing = match names {
                Names::Member(member_id) if !members.has(member_id) => format!("its member {member_id} does not exist"),
                Names::Order { order_id, .. } if !orders.has(order_id) => {
                    format!("its order {order_id} does not exist")
                }
                Names::Order { order_id, campaign } if !orders.credited(order_id, campaign) => {
                    format!("its order {order_id} has no entry of {campaign}")
                }
                Names::Entry { member_id, seq } if !has_entry(histories, member_id, *seq) => {
                    format!("its entry {seq} of {member_id} does not exist")
                }
                _ => continue,
            };
            findings.add(*table, key.clone(), missing);
        }
    }
}

fn has_entry(histories: &Histories, member_id: &str, seq: i128) -> bool {
    histories.get(member_id).is_some_and(|history| seq <= i128::from(history.last_seq))
}
