//! What orders are paid with beside money: the wallet, and vouchers whose codes they name.

use chrono::Duration;
use loyalty_domain::ids::VoucherId;
use loyalty_domain::item_rules::Item;
use loyalty_domain::order::OrderSnapshot;
use loyalty_domain::programme::Programme;
use loyalty_domain::time::Instant;
use loyalty_domain::voucher::{Grant, Offer, Voucher, VoucherState, Worth};

use super::{Draw, start};
use crate::sim::scenario::holder;

/// Vouchers that orders may name.
const VOUCHERS: usize = 3;

fn voucher_id(number: usize) -> VoucherId {
    VoucherId::new(format!("v_{number}"))
}

impl Draw {
    /// Vouchers that were given before anything else happens, each good for a while of the time in which orders come.
    pub(super) fn vouchers(&mut self, programme: &Programme) -> Vec<Voucher> {
        let mut voucher = |number: usize| {
            let offer = Offer {
                id: "code".into(),
                name: "Mã giảm giá".to_owned(),
                worth: Worth::Percent { percent: 10, most_minor: None },
                valid_days: if number == 0 { 700 } else { self.pick(&[30, 200, 700]) },
                order_min_minor: 0,
            };
            let from = programme.day(start()) + Duration::days(if number == 0 { 0 } else { self.pick(&[0, 0, 100]) });
            Voucher {
                voucher_id: voucher_id(number),
                code: format!("CODE{number}"),
                grant: Grant::new(&holder(), &format!("gift/{number}"), &offer, from),
                state: VoucherState::Issued,
                issued_at: start() - Duration::days(1),
                used_at: None,
                used_for: None,
                reminded: false,
            }
        };
        (0..VOUCHERS).map(&mut voucher).collect()
    }

    /// The shop's lasting choices about wallets change rarely; what happens to vouchers of undone orders may change.
    pub(super) fn ways_to_pay(&mut self, versions: &mut [(Instant, Programme)]) {
        for (_, programme) in versions {
            programme.vouchers_return = !self.one_in(4);
            if self.one_in(6) {
                programme.topups.clear();
            }
        }
    }

    /// Says of every order what it was paid with and what is in it. What a shop says twice of one version is the same, save
    /// at times for its lines.
    pub(super) fn pay(&mut self, snapshots: &mut [OrderSnapshot]) {
        let (mut wallet_minor, mut codes, mut items) = (0, Vec::new(), Vec::new());
        // A code that goes from hand to hand.
        let popular = self.one_in(3);
        for at in 0..snapshots.len() {
            let (before, rest) = snapshots.split_at_mut(at);
            let snapshot = &mut rest[0];
            let mut same_order = before.iter().rev().take_while(|known| known.order_id == snapshot.order_id);
            if same_order.next().is_none() {
                wallet_minor = if self.one_in(3) { self.pick(&[50_000, 95_000, 300_000]) } else { 0 };
                (codes, items) = (self.codes(popular), self.items());
            } else {
                if self.one_in(5) {
                    wallet_minor = self.pick(&[0, 20_000, 300_000]);
                }
                if self.one_in(5) {
                    codes = self.codes(popular);
                }
                if self.one_in(6) {
                    items = self.items();
                }
            }
            snapshot.facts.wallet_minor = wallet_minor;
            snapshot.items = self.returned(&items, snapshot.facts.refunded_lines_minor.is_some());
            let mut same_order = before.iter().rev().take_while(|known| known.order_id == snapshot.order_id);
            match same_order.find(|known| known.facts == snapshot.facts) {
                Some(known) => {
                    snapshot.vouchers.clone_from(&known.vouchers);
                    if !self.one_in(3) {
                        snapshot.items.clone_from(&known.items);
                    }
                }
                None => snapshot.vouchers.clone_from(&codes),
            }
        }
    }

    /// The vouchers an order names, at times one that nobody was given.
    fn codes(&mut self, popular: bool) -> Vec<VoucherId> {
        let mut codes = Vec::new();
        for number in 0..=VOUCHERS {
            if self.one_in(6) || (popular && number == 0) {
                codes.push(voucher_id(number));
            }
        }
        codes
    }

    /// The lines with what came back of each, where the shop says it by lines.
    fn returned(&mut self, items: &[Item], by_lines: bool) -> Vec<Item> {
        let mut items = items.to_vec();
        for item in items.iter_mut().filter(|_| by_lines) {
            item.returned_minor = self.pick(&[0, 19_000, item.minor]);
        }
        items
    }

    fn items(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        for (sku, category) in [(Some("A"), Some("tea")), (Some("B"), Some("cake")), (Some("C"), None), (None, None)] {
            if !self.one_in(2) {
                let minor = self.pick(&[19_000, 60_000, 333_333]);
                items.push(Item {
                    sku: sku.map(str::to_owned),
                    category: category.map(str::to_owned),
                    minor,
                    returned_minor: 0,
                });
            }
        }
        items
    }
}
