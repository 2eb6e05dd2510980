//! Follows single credits through a member's history.
//!
//! Lots are joined by expiry date, so a member's row cannot say whose points of a lot were spent and whose expired. The
//! history can: it is read again, credit by credit. Only a reversal of points whose day has passed needs it (X23).

use crate::ids::{OrderId, RuleId};
use crate::ledger::{Entry, EntryKind};
use crate::lots::{Expiry, Lot};

/// The points that one entry put into one lot.
struct Part<'a> {
    order_id: Option<&'a OrderId>,
    rule: &'a RuleId,
    expiry: Expiry,
    left: i64,
    expired: i64,
}

/// Points that a redemption took from a part.
struct Drawn {
    redemption: u64,
    part: usize,
    points: i64,
}

#[derive(Default)]
struct Replay<'a> {
    parts: Vec<Part<'a>>,
    drawn: Vec<Drawn>,
}

/// How many redeemable points that a rule credited to an order have expired. Within one lot the oldest points are used
/// first (X40), save that a reversal takes its own first; what a redemption took returns to where it came from.
pub fn expired_of<'a>(history: impl Iterator<Item = &'a Entry>, order_id: &OrderId, rule: &RuleId) -> i64 {
    let mut replay = Replay::default();
    for entry in history {
        for lot in &entry.lots {
            match (lot.points > 0, entry.kind) {
                (true, EntryKind::Restoration) => replay.restore(entry, *lot),
                (true, _) => replay.open(entry, *lot),
                (false, _) => replay.take(entry, *lot),
            }
        }
    }
    let own = replay.parts.iter().filter(|part| part.order_id == Some(order_id) && part.rule == rule);
    own.fold(0, |sum, part| sum.saturating_add(part.expired))
}

impl<'a> Replay<'a> {
    fn open(&mut self, entry: &'a Entry, lot: Lot) {
        self.parts.push(Part {
            order_id: entry.order_id.as_ref(),
            rule: &entry.rule,
            expiry: lot.expiry,
            left: lot.points,
            expired: 0,
        });
    }

    fn take(&mut self, entry: &Entry, lot: Lot) {
        let mut points = lot.points.saturating_neg();
        for own_only in [true, false] {
            for (at, part) in self.parts.iter_mut().enumerate().filter(|(_, part)| part.expiry == lot.expiry) {
                let own = entry.order_id.is_some() && part.order_id == entry.order_id.as_ref();
                if own_only && !(own && *part.rule == entry.rule) {
                    continue;
                }
                let taken = part.left.min(points);
                part.left = part.left.saturating_sub(taken);
                points = points.saturating_sub(taken);
                match entry.kind {
                    EntryKind::Expiration => part.expired = part.expired.saturating_add(taken),
                    EntryKind::Redemption if taken > 0 => {
                        self.drawn.push(Drawn { redemption: entry.seq, part: at, points: taken });
                    }
                    _ => {}
                }
            }
        }
    }

    /// What was drawn last goes back first.
    fn restore(&mut self, entry: &Entry, lot: Lot) {
        let mut points = lot.points;
        for drawn in self.drawn.iter_mut().rev().filter(|drawn| Some(drawn.redemption) == entry.reverses) {
            let Some(part) = self.parts.get_mut(drawn.part).filter(|part| part.expiry == lot.expiry) else { continue };
            let back = drawn.points.min(points);
            drawn.points = drawn.points.saturating_sub(back);
            points = points.saturating_sub(back);
            part.left = part.left.saturating_add(back);
        }
    }
}
