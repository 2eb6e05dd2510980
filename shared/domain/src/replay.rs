//! Follows single credits through a member's history.
//!
//! Lots are joined by expiry date, so a member's row cannot say whose points of a lot were spent and whose expired. The
//! history can: it is read again, credit by credit. Only a reversal of points whose day has passed needs it (X23).

use crate::ids::{OrderId, RuleId};
use crate::ledger::Entry;
use crate::lots::Expiry;

struct Part<'a> {
    order_id: Option<&'a OrderId>,
    rule: &'a RuleId,
    expiry: Expiry,
    left: i64,
    expired: i64,
}

/// How many redeemable points that a rule credited to an order have expired. Within one lot the oldest points are used
/// first (X40), save that a reversal takes its own first.
pub fn expired_of<'a>(history: impl Iterator<Item = &'a Entry>, order_id: &OrderId, rule: &RuleId) -> i64 {
    let mut parts: Vec<Part<'a>> = Vec::new();
    for entry in history {
        for lot in &entry.lots {
            if lot.points > 0 {
                parts.push(Part {
                    order_id: entry.order_id.as_ref(),
                    rule: &entry.rule,
                    expiry: lot.expiry,
                    left: lot.points,
                    expired: 0,
                });
            } else {
                take(&mut parts, entry, lot.expiry, lot.points.saturating_neg());
            }
        }
    }
    parts
        .iter()
        .filter(|part| part.order_id == Some(order_id) && part.rule == rule)
        .fold(0, |sum, part| sum.saturating_add(part.expired))
}

fn take(parts: &mut [Part<'_>], entry: &Entry, expiry: Expiry, mut points: i64) {
    let expires = entry.kind == crate::ledger::EntryKind::Expiration;
    for own_only in [true, false] {
        for part in parts.iter_mut().filter(|part| part.expiry == expiry) {
            let own = entry.order_id.is_some() && part.order_id == entry.order_id.as_ref() && *part.rule == entry.rule;
            if own_only && !own {
                continue;
            }
            let taken = part.left.min(points);
            part.left = part.left.saturating_sub(taken);
            points = points.saturating_sub(taken);
            if expires {
                part.expired = part.expired.saturating_add(taken);
            }
        }
    }
}
