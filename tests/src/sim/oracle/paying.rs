//! What orders took from wallets and which vouchers they used, by what the shop says of them last (B2, B3, X30).

use std::collections::{BTreeMap, BTreeSet};

use loyalty_domain::ids::{OrderId, VoucherId};
use loyalty_domain::ledger::EntryKind;
use loyalty_domain::member::Member;
use loyalty_domain::order::Order;
use loyalty_domain::request::RequestKind;
use loyalty_domain::time::Instant;
use loyalty_domain::voucher::{Voucher, VoucherState};

use super::{Judgement, Seen, claim, local_day, owns, precedence, undone};
use crate::sim::scenario::Scenario;
use crate::sim::store::Store;

type SeenByOrder<'a> = BTreeMap<OrderId, Vec<Seen<'a>>>;

pub(super) fn judge(scenario: &Scenario, store: &Store, seen: &SeenByOrder<'_>) -> Judgement {
    for (order, _) in store.orders() {
        let wrong = |what: String| format!("order {}: {what}", order.order_id);
        judge_wallet(scenario, seen, order).map_err(wrong)?;
        judge_codes(scenario, seen, order).map_err(wrong)?;
    }
    store.members().try_for_each(|(member, _)| judge_member(store, member))?;
    store.vouchers().try_for_each(|(voucher, _)| judge_voucher(scenario, store, voucher))
}

/// What its newest snapshot says, where the shop has a wallet here and the order stands.
fn judge_wallet(scenario: &Scenario, seen: &SeenByOrder<'_>, order: &Order) -> Judgement {
    let facts = &order.facts;
    let ours = facts.currency == scenario.programmes[0].1.currency && order.owner.is_some();
    let due = if ours && !undone(facts) { facts.wallet_minor } else { 0 };
    // Whoever decides while the shop takes no top-ups takes nothing.
    let decided = seen[&order.order_id].iter().flat_map(|seen| &seen.decided_at);
    let mut without = decided.filter(|now| scenario.programme_at(**now).topups.is_empty());
    let may_be_nothing = order.wallet_minor == 0 && without.next().is_some();
    let taken = order.wallet_minor;
    claim(taken == due || may_be_nothing, || format!("took {taken} from the wallet, not {due}"))
}

/// The wallet holds what was paid in, less what the member's orders took; each of them from it alone.
fn judge_member(store: &Store, member: &Member) -> Judgement {
    let own = store.requests().filter(|(row, _)| row.member_id == member.member_id && row.kind == RequestKind::Topup);
    let paid_in: i64 = own.map(|(request, _)| request.worth_minor).sum();
    let taken: i64 = store.orders().filter(|(order, _)| owns(member, order)).map(|(order, _)| order.wallet_minor).sum();
    claim(member.wallet_minor == paid_in - taken, || {
        let (id, holds) = (&member.member_id, member.wallet_minor);
        format!("member {id}: has {holds} in the wallet, and not the {paid_in} paid in less the {taken} taken")
    })?;
    let mut moved: BTreeMap<&OrderId, i64> = BTreeMap::new();
    for entry in store.history(&member.member_id, 0).iter().filter(|entry| entry.kind == EntryKind::Payment) {
        let (Some(order_id), Some(wallet)) = (&entry.order_id, entry.wallet) else {
            return Err(format!("entry {}: pays for nothing", entry.seq));
        };
        claim(entry.legs.is_zero(), || format!("entry {}: a payment moves points", entry.seq))?;
        *moved.entry(order_id).or_default() -= wallet.moved_minor;
    }
    for (order_id, taken) in moved {
        let order = store.order(order_id, 0).row.ok_or("a payment for an order that does not exist")?;
        let due = if owns(member, &order) { order.wallet_minor } else { 0 };
        claim(taken == due, || format!("order {order_id}: took {taken} of {}, not {due}", member.member_id))?;
    }
    Ok(())
}

/// The codes an order may use: of vouchers that exist and were good on the day it was placed.
fn good<'a>(scenario: &'a Scenario, order: &Order, named: &'a [VoucherId]) -> impl Iterator<Item = &'a VoucherId> {
    let placed_on = local_day(order.facts.placed_at);
    let good = move |id: &VoucherId| {
        let voucher = scenario.vouchers.iter().find(|voucher| voucher.voucher_id == *id);
        voucher.is_some_and(|it| (it.grant.valid_from..=it.grant.valid_until).contains(&placed_on))
    };
    named.iter().filter(move |id| good(id))
}

/// An order that stands uses the codes that it names last, as far as no other order may have been faster. One that is
/// undone gives them back, unless the programme keeps them used.
fn judge_codes(scenario: &Scenario, seen: &SeenByOrder<'_>, order: &Order) -> Judgement {
    let snapshots = &seen[&order.order_id];
    let newest = snapshots.iter().max_by_key(|seen| precedence(&seen.snapshot.facts)).expect("it was seen");
    let used: BTreeSet<_> = order.vouchers.iter().collect();
    let named: BTreeSet<_> = good(scenario, order, &newest.snapshot.vouchers).collect();
    let (mut most, mut least) = (named.clone(), named);
    if undone(&order.facts) {
        let decided: Vec<_> = snapshots.iter().flat_map(|seen| seen.decided_at.iter().copied()).collect();
        let returns = |now: Instant| scenario.programme_at(now).vouchers_return;
        if decided.iter().all(|now| returns(*now)) {
            most.clear();
        } else {
            most.extend(snapshots.iter().flat_map(|seen| good(scenario, order, &seen.snapshot.vouchers)));
        }
        if decided.iter().any(|now| returns(*now)) {
            least.clear();
        }
    }
    let others = seen.iter().filter(|(order_id, _)| **order_id != order.order_id);
    let wanted_by_others: BTreeSet<_> =
        others.flat_map(|(_, seen)| seen.iter().flat_map(|seen| &seen.snapshot.vouchers)).collect();
    claim(used.is_subset(&most), || format!("uses {used:?}, and may use {most:?}"))?;
    let missing = least.iter().find(|id| !used.contains(*id) && !wanted_by_others.contains(*id));
    claim(missing.is_none(), || format!("does not use {missing:?}, which nobody else wants"))
}

/// A voucher is used for the one order that says so, and is otherwise as it was given.
fn judge_voucher(scenario: &Scenario, store: &Store, voucher: &Voucher) -> Judgement {
    let id = &voucher.voucher_id;
    let users = store.orders().map(|(order, _)| order).filter(|order| order.vouchers.contains(id));
    let users: Vec<_> = users.map(|order| &order.order_id).collect();
    let stated: Vec<_> = voucher.used_for.iter().collect();
    claim(users == stated, || format!("voucher {id}: is used for {stated:?}, and orders say {users:?}"))?;
    let state = if stated.is_empty() { VoucherState::Issued } else { VoucherState::Used };
    claim(voucher.state == state, || format!("voucher {id}: is {:?}", voucher.state))?;
    let given = scenario.vouchers.iter().find(|given| given.voucher_id == *id);
    claim(given.is_some_and(|given| given.grant == voucher.grant), || format!("voucher {id}: is another one"))
}
