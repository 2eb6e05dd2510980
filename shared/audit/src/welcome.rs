//! Welcome points of who registered before they ordered: an entry without an order, and a credit on the member's row until
//! the first order takes it over without another entry (X25, X26).

use crate::Row;
use crate::fields::{Legs, Read, count, flag_if_any, legs, legs_if_any, map, map_if_any, number, number_if_any, text};
use crate::history::History;
use crate::terms::Terms;

/// The rule of welcome points. Every other rule of an order but its own points is a campaign.
pub(crate) const WELCOME: &str = "welcome";

/// Points with which a member was welcomed before they ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Welcome {
    pub seq: u64,
    pub points: i128,
}

/// The welcome that waits on a member's row for their first order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Waiting {
    Given(Welcome),
    /// Until the first delivery.
    Promised(i128),
}

impl Waiting {
    pub fn read(credit: &Row) -> Read<Self> {
        let terms = Terms::read(map(credit, "terms")?)?;
        let (rule, posted) = (text(credit, "rule")?, legs(credit, "posted")?);
        let in_cycle = map_if_any(credit, "in_cycle")?.map_or(Ok(0), |in_cycle| number(in_cycle, "qualifying"))?;
        let blank = legs_if_any(credit, "written_off")?.unwrap_or_default() == Legs::ZERO
            && number_if_any(credit, "expired_written_off")?.unwrap_or(0) == 0
            && !flag_if_any(credit, "released")?.unwrap_or(false)
            && in_cycle == 0;
        let (seq, generation) = (count(credit, "last_credit_seq", 0)?, count(credit, "generation", 0)?);
        match (rule, terms.fixed()) {
            (WELCOME, Some(due)) if blank && terms.waits() && (posted, seq, generation) == (Legs::ZERO, 0, 0) => {
                Ok(Self::Promised(due.redeemable))
            }
            (WELCOME, Some(due)) if blank && !terms.waits() && posted == due && generation == 1 => {
                let seq = u64::try_from(seq).map_err(|_| "`last_credit_seq` does not fit".to_owned())?;
                Ok(Self::Given(Welcome { seq, points: posted.redeemable }))
            }
            _ => Err("`welcome` is no credit that waits for a first order".to_owned()),
        }
    }

    /// What it adds to its member's pending points.
    pub fn pending(self) -> i128 {
        if let Self::Promised(points) = self { points } else { 0 }
    }

    /// What was given before the first order waits for it, and is what the history says was given.
    pub fn prove(waiting: Option<Self>, may_wait: bool, history: &History, wrong: &mut Vec<String>) {
        let right = match waiting {
            Some(Self::Given(welcome)) => may_wait && history.welcomes.contains(&welcome),
            Some(Self::Promised(_)) => may_wait && history.welcomes.is_empty(),
            None => !may_wait || history.welcomes.is_empty(),
        };
        if !right {
            wrong.push("keeps another welcome for its first order than the history says".to_owned());
        }
    }
}
