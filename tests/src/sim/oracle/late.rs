//! What a late reversal may still take (X22, X23), followed point by point through a member's whole history.
//!
//! Every credit's points are followed on their own: which of them were spent, taken back, given back, or expired. Within
//! a lot the oldest are used first; a reversal takes its own first; what a redemption used comes back to where it was.

use std::collections::HashMap;

use loyalty_domain::ids::OrderId;
use loyalty_domain::ledger::{Entry, EntryKind};
use loyalty_domain::lots::{Expiry, Lot};
use loyalty_domain::member::Member;
use loyalty_domain::programme::NegativeBalance;

use super::{Judgement, claim};

/// Whose points: an order and a rule, or nobody's in particular.
type Whose<'a> = Option<(&'a str, &'a str)>;

/// Points that one entry put into one lot.
struct Grain<'a> {
    whose: Whose<'a>,
    expiry: Expiry,
    left: i64,
}

/// One credit: what it has settled at, how many of its points have expired, and how many of those a reversal has
/// already reckoned with.
#[derive(Default)]
struct Account {
    settled: i64,
    written_off: i64,
    expired: i64,
    reckoned: i64,
}

#[derive(Default)]
struct Walk<'a> {
    grains: Vec<Grain<'a>>,
    used: HashMap<u64, Vec<(usize, i64)>>,
    accounts: HashMap<(&'a str, &'a str), Account>,
    /// The member's first order: what they were welcomed with before it is its own (X25).
    first_order: Option<&'a str>,
}

pub(super) fn judge(history: &[Entry], member: &Member) -> Judgement {
    let first_order = member.first_order.as_ref().map(OrderId::as_str);
    let mut walk = Walk { first_order, ..Walk::default() };
    for entry in history {
        walk.prove(entry)?;
        for lot in &entry.lots {
            walk.move_lot(entry, *lot);
        }
    }
    Ok(())
}

impl<'a> Walk<'a> {
    fn whose(&self, entry: &'a Entry) -> Whose<'a> {
        let first = self.first_order.filter(|_| entry.kind == EntryKind::Welcome);
        let order_id = entry.order_id.as_ref().map(OrderId::as_str).or(first);
        order_id.map(|order_id| (order_id, entry.rule.as_str()))
    }

    fn prove(&mut self, entry: &'a Entry) -> Judgement {
        let (Some(whose), Some(explained)) = (self.whose(entry), &entry.explanation) else { return Ok(()) };
        let account = self.accounts.entry(whose).or_default();
        let moved = entry.legs.redeemable.0 - entry.written_off.redeemable.0;
        if entry.kind == EntryKind::Reversal {
            let wanted = -moved;
            let lapsed = match explained.terms.reversal.reverse_expired {
                true => 0,
                false => wanted.min(account.expired - account.reckoned),
            };
            let before = entry.balance_after.redeemable.0 - entry.legs.redeemable.0;
            let owed = wanted - lapsed;
            let taken = match explained.terms.reversal.negative_balance {
                NegativeBalance::Allow => owed,
                NegativeBalance::Clamp => owed.min(before.max(0)),
                NegativeBalance::PendingOnly => 0,
                NegativeBalance::Limit(limit) => owed.min((before + i64::from(limit)).max(0)),
            };
            claim(entry.legs.redeemable.0 == -taken, || {
                let (seq, took) = (entry.seq, -entry.legs.redeemable.0);
                format!("entry {seq}: took {took} redeemable points where {taken} were owed, {lapsed} having expired")
            })?;
            account.reckoned += lapsed;
        }
        account.settled += moved;
        account.written_off += entry.written_off.redeemable.0;
        account.reckoned = account.reckoned.min(account.written_off);
        Ok(())
    }

    fn move_lot(&mut self, entry: &'a Entry, lot: Lot) {
        match entry.kind {
            EntryKind::Restoration => self.give_back(entry, lot),
            _ if lot.points > 0 => {
                self.grains.push(Grain { whose: self.whose(entry), expiry: lot.expiry, left: lot.points });
            }
            _ => self.take(entry, lot),
        }
    }

    fn take(&mut self, entry: &'a Entry, lot: Lot) {
        let mut wanted = -lot.points;
        let own = self.whose(entry).filter(|_| entry.kind == EntryKind::Reversal);
        let mut order: Vec<usize> = (0..self.grains.len()).filter(|at| self.grains[*at].expiry == lot.expiry).collect();
        order.sort_by_key(|at| (own.is_none() || self.grains[*at].whose != own, *at));
        for at in order {
            let grain = &mut self.grains[at];
            let taken = grain.left.min(wanted);
            if taken == 0 {
                continue;
            }
            grain.left -= taken;
            wanted -= taken;
            match entry.kind {
                EntryKind::Redemption => self.used.entry(entry.seq).or_default().push((at, taken)),
                EntryKind::Expiration | EntryKind::Reset => {
                    if let Some(whose) = self.grains[at].whose {
                        self.accounts.entry(whose).or_default().expired += taken;
                    }
                }
                _ => {}
            }
        }
    }

    fn give_back(&mut self, entry: &Entry, lot: Lot) {
        let mut back = lot.points;
        let used = entry.reverses.and_then(|seq| self.used.get_mut(&seq));
        for (at, points) in used.into_iter().flatten().rev() {
            let grain = &mut self.grains[*at];
            if grain.expiry == lot.expiry {
                let given = back.min(*points);
                grain.left += given;
                *points -= given;
                back -= given;
            }
        }
    }
}
