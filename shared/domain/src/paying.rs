//! What an order is paid with beside money: vouchers whose codes it names, and the wallet (B2, B3).

use crate::ids::{OrderId, RuleId, VoucherId};
use crate::ledger::{Entry, EntryKind, Ledger, Posting, Reason};
use crate::member::Member;
use crate::order::{Order, OrderSnapshot};
use crate::points::Overflow;
use crate::programme::Programme;
use crate::time::Instant;
use crate::voucher::Voucher;

/// What becomes of vouchers.
pub(crate) enum Used {
    /// The vouchers that change.
    Is(Vec<Voucher>),
    Needs {
        named: Vec<VoucherId>,
        used_for: Option<OrderId>,
    },
}

/// Uses the vouchers whose codes the newest snapshot names, and gives back those it names no more; all of them when the
/// order is undone, those too that a till used for it. Where the programme keeps them used, an undone order keeps what it
/// has and uses what it names, so that it comes to the same whether or not it was seen before (I5). A voucher that
/// something else has used stays as it is. `was_undone` says how the order stood before.
pub(crate) fn use_vouchers(
    programme: &Programme,
    order: &mut Order,
    snapshot: &OrderSnapshot,
    was_undone: bool,
    known: Option<Vec<Voucher>>,
    now: Instant,
) -> Used {
    let undone = order.facts.undone();
    let give_back = undone && programme.vouchers_return;
    let wanted = if give_back {
        Vec::new()
    } else if undone {
        let named = snapshot.vouchers.iter().filter(|voucher| !order.vouchers.contains(voucher));
        order.vouchers.iter().chain(named).cloned().collect()
    } else {
        snapshot.vouchers.clone()
    };
    let used_for = (give_back && !was_undone).then(|| order.order_id.clone());
    if wanted == order.vouchers && used_for.is_none() {
        return Used::Is(Vec::new());
    }
    let Some(known) = known else {
        let more = order.vouchers.iter().filter(|voucher| !wanted.contains(voucher));
        return Used::Needs { named: wanted.iter().chain(more).cloned().collect(), used_for };
    };
    let placed_on = programme.day(order.facts.placed_at);
    let before = std::mem::take(&mut order.vouchers);
    let mut changed = Vec::new();
    for voucher in known {
        let next = if wanted.contains(&voucher.voucher_id) {
            let used = voucher.clone().used_by(&order.order_id, placed_on, now);
            order.vouchers.extend(used.as_ref().map(|used| used.voucher_id.clone()));
            used
        } else if give_back || before.contains(&voucher.voucher_id) {
            Some(voucher.clone().returned_by(&order.order_id))
        } else {
            None
        };
        changed.extend(next.filter(|next| *next != voucher));
    }
    Used::Is(changed)
}

/// What the order takes from its member's wallet; nothing where the programme has none (B2). An order that has taken from
/// it goes on to, though the shop has ended its top-ups meanwhile (I9).
pub(crate) fn wallet_due(programme: &Programme, order: &Order) -> i64 {
    // What was paid before these books has left the wallet before its opening.
    let not_ours = order.imported.is_some() || (programme.topups.is_empty() && order.wallet_minor == 0);
    let kept = not_ours || order.facts.undone() || order.facts.currency != programme.currency;
    if kept { 0 } else { order.facts.wallet_minor.max(0) }
}

/// Takes from the wallet what the order was paid with, or gives it back. The shop has taken the payment already, so a
/// wallet that did not hold as much goes below zero, where an operator sees it.
pub(crate) fn pay_with_wallet(
    programme: &Programme,
    order: &mut Order,
    member: &mut Member,
    entries: &mut Vec<Entry>,
) -> Result<(), Overflow> {
    let due = wallet_due(programme, order);
    let moved = order.wallet_minor.checked_sub(due).ok_or(Overflow)?;
    if moved == 0 {
        return Ok(());
    }
    let reason = if moved < 0 { Reason::WalletSpent } else { Reason::WalletReturned };
    let mut posting = Posting::new(EntryKind::Payment, RuleId::new("wallet"), reason, order.facts.updated_at);
    posting.order_id = Some(order.order_id.clone());
    Ledger::new(programme, member, entries).move_wallet(posting, moved)?;
    order.wallet_minor = due;
    Ok(())
}
