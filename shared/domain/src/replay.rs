//! Follows single credits through a member's history.
//!
//! Lots are joined by expiry date, so a member's row cannot say whose points of a lot were spent and whose expired. The
//! history can: it is read again, credit by credit. Only a reversal of points whose day has passed, or that a review may
//! have taken, needs it (X23, X42).

use crate::ids::{MemberId, OrderId, RuleId};
use crate::ledger::{Entry, EntryKind};
use crate::lots::{Expiry, Lot};
use crate::order::Order;

/// The points that one entry put into one lot.
struct Part<'a> {
    member_id: &'a MemberId,
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

struct Replay<'a> {
    member_id: &'a MemberId,
    parts: Vec<Part<'a>>,
    drawn: Vec<Drawn>,
}

impl Part<'_> {
    /// Credited by a rule for an order, or before there was one (X25).
    fn is_of(&self, order_id: Option<&OrderId>, rule: &RuleId) -> bool {
        *self.rule == *rule && (self.order_id == order_id || self.is_welcome())
    }

    /// Welcome points of who registered without an order.
    fn is_welcome(&self) -> bool {
        self.order_id.is_none() && *self.rule == RuleId::welcome()
    }
}

/// How many redeemable points that a rule credited to an order have expired, or were taken by a review (X42). Within one
/// lot the oldest points are used first (X40), save that a reversal takes its own first; what a redemption took returns to
/// where it came from.
///
/// The histories of members who joined this one stand in front of its own: what was left of their credits goes on in its
/// lots.
pub fn expired_of<'a>(history: impl Iterator<Item = &'a Entry>, order: &Order, rule: &RuleId) -> i64 {
    let mut replays: Vec<Replay<'a>> = Vec::new();
    for entry in history {
        if replays.last().is_none_or(|last| *last.member_id != entry.member_id) {
            replays.push(Replay { member_id: &entry.member_id, parts: Vec::new(), drawn: Vec::new() });
        }
        let joined = match (entry.kind, &entry.merge) {
            (EntryKind::MergeIn, Some(merge)) => replays.iter().position(|one| *one.member_id == merge.member_id),
            _ => None,
        };
        let joined = joined.map(|at| replays.remove(at));
        if let Some(replay) = replays.last_mut() {
            replay.play(entry, joined);
        }
    }
    let parts = || replays.iter().flat_map(|replay| &replay.parts);
    // Of several who joined and were welcomed, the order took over what it was first with.
    let with = order.from.as_ref().or(order.owner.as_ref().map(|owner| &owner.member_id));
    let welcomes = || parts().filter(|part| part.is_welcome()).map(|part| part.member_id);
    let welcomed = welcomes().find(|member_id| Some(*member_id) == with).or_else(|| welcomes().next());
    let own = parts().filter(|part| part.is_of(Some(&order.order_id), rule));
    let own = own.filter(|part| !part.is_welcome() || Some(part.member_id) == welcomed);
    own.fold(0, |sum, part| sum.saturating_add(part.expired))
}

impl<'a> Replay<'a> {
    fn play(&mut self, entry: &'a Entry, joined: Option<Replay<'a>>) {
        match (entry.kind, joined) {
            // What is left goes on with the member whom this one joins.
            (EntryKind::MergeOut, _) => {}
            (EntryKind::MergeIn, Some(joined)) => self.join(entry, joined),
            _ => {
                for lot in &entry.lots {
                    match (lot.points > 0, entry.kind) {
                        (true, EntryKind::Restoration) => self.restore(entry, *lot),
                        (true, _) => self.open(entry, *lot),
                        (false, _) => self.take(entry, *lot),
                    }
                }
            }
        }
    }

    /// Takes over what the lots of who joins still hold. Of that, what the entry did not bring paid a debt: in each lot
    /// the oldest points did.
    fn join(&mut self, entry: &'a Entry, joined: Replay<'a>) {
        let mut parts = joined.parts;
        let brought =
            |expiry: Expiry| entry.lots.iter().find(|lot| lot.expiry == expiry).map_or(0, |lot| lot.points.max(0));
        let mut days: Vec<Expiry> = parts.iter().map(|part| part.expiry).collect();
        days.sort_unstable();
        days.dedup();
        for day in days {
            let held =
                parts.iter().filter(|part| part.expiry == day).fold(0_i64, |sum, part| sum.saturating_add(part.left));
            let mut paid = held.saturating_sub(brought(day)).max(0);
            for part in parts.iter_mut().filter(|part| part.expiry == day) {
                let taken = part.left.min(paid);
                part.left = part.left.saturating_sub(taken);
                paid = paid.saturating_sub(taken);
            }
        }
        self.parts.append(&mut parts);
        for lot in entry.lots.iter().filter(|lot| lot.points < 0) {
            self.take(entry, *lot);
        }
    }

    fn open(&mut self, entry: &'a Entry, lot: Lot) {
        self.parts.push(Part {
            member_id: &entry.member_id,
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
                let own = entry.order_id.is_some() && part.is_of(entry.order_id.as_ref(), &entry.rule);
                if own_only && !own {
                    continue;
                }
                let taken = part.left.min(points);
                part.left = part.left.saturating_sub(taken);
                points = points.saturating_sub(taken);
                match entry.kind {
                    EntryKind::Expiration | EntryKind::Reset => part.expired = part.expired.saturating_add(taken),
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
