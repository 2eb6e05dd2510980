//! Seeded bugs of wallets and vouchers.

use loyalty_domain::order::{Order, OrderSnapshot};
use loyalty_domain::programme::Programme;
use loyalty_domain::voucher::{Voucher, VoucherState};

use super::Mutant;
use crate::sim::scenario::What;
use crate::sim::store::{Read, Write};

impl Mutant {
    pub(super) fn paying_programme(self, changed: &mut Programme, what: What) {
        match self {
            Self::PaysNothingByWallet if matches!(what, What::Order(_)) => changed.topups.clear(),
            Self::KeepsVouchersOfUndoneOrders => changed.vouchers_return = false,
            Self::ReturnsVouchersAgainstTheProgramme => changed.vouchers_return = true,
            _ => {}
        }
    }

    /// The snapshot and the order's row as who decides about its payment sees them.
    pub fn paying_snapshot(self, snapshot: &mut OrderSnapshot, order: &mut Read<Order>) {
        if self == Self::SharesWhatCameBack {
            snapshot.items.iter_mut().for_each(|item| item.returned_minor = 0);
        }
        let Some(known) = order.row.as_mut().filter(|known| snapshot.facts > known.facts) else { return };
        let undone = snapshot.facts.undone();
        let owner = known.owner.as_ref().map(|owner| &owner.member_id);
        let moves = snapshot.member_id.is_some() && owner != snapshot.member_id.as_ref() && known.credits.is_empty();
        match self {
            Self::KeepsTheFirstLines => snapshot.items.clone_from(&known.items),
            Self::LetsAPaidOrderMove if moves => known.wallet_minor = 0,
            Self::KeepsTheMoneyOfUndoneOrders if undone => known.wallet_minor = 0,
            Self::TakesFromTheWalletAgain if !undone => known.wallet_minor = 0,
            Self::ReturnsNoPartOfTheMoney if !undone && snapshot.facts.wallet_minor < known.wallet_minor => {
                known.wallet_minor = snapshot.facts.wallet_minor;
            }
            Self::KeepsCodesTakenOff if !undone => {
                for voucher_id in &known.vouchers {
                    if !snapshot.vouchers.contains(voucher_id) {
                        snapshot.vouchers.push(voucher_id.clone());
                    }
                }
            }
            Self::UsesVouchersOnlyAtFirstSight => snapshot.vouchers.clone_from(&known.vouchers),
            _ => {}
        }
    }

    /// A voucher as an order that names it sees it.
    pub fn voucher(self, snapshot: &OrderSnapshot, voucher: &mut Read<Voucher>) {
        let Some(row) = &mut voucher.row else { return };
        let of_other = row.used_for.as_ref().is_some_and(|user| *user != snapshot.order_id);
        match self {
            Self::UsesAVoucherTwice if of_other => {
                (row.state, row.used_at, row.used_for) = (VoucherState::Issued, None, None);
            }
            Self::UsesAVoucherThatIsOver => {
                row.grant.valid_from = chrono::NaiveDate::MIN;
                row.grant.valid_until = chrono::NaiveDate::MAX;
            }
            _ => {}
        }
    }

    pub(super) fn paying_decision(self, given: &[Voucher], write: &mut Write) {
        let vouchers = &mut write.decision.vouchers;
        match self {
            Self::ForgetsToReturnVouchers => vouchers.retain(|voucher| voucher.state == VoucherState::Used),
            // The grant stays what it was; only who may use it was seen wrongly.
            Self::UsesAVoucherThatIsOver => {
                for voucher in vouchers {
                    let own = given.iter().find(|given| given.voucher_id == voucher.voucher_id);
                    voucher.grant = own.map_or_else(|| voucher.grant.clone(), |own| own.grant.clone());
                }
            }
            _ => {}
        }
    }
}
