//! Orders with the most extreme figures there are (F26): refused or not, they must harm nobody else.

use loyalty_domain::ids::OrderId;
use loyalty_domain::order::OrderSnapshot;
use loyalty_domain::time::Instant;
use loyalty_tests::build::delivered;
use loyalty_tests::sim::scenario::{member, phone};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

const EXTREMES: [i64; 4] = [i64::MIN, i64::MAX, -1, 1_000_000_000_000_000_000];
const VERSIONS_MAX: i64 = 3;

/// Some versions of some orders of a member.
pub fn orders(draw: &mut ChaCha8Rng, number: u8, now: Instant) -> Vec<OrderSnapshot> {
    let mut orders = Vec::new();
    for order in 0..draw.random_range(0..3) {
        for version in 0..draw.random_range(1..=VERSIONS_MAX) {
            let mut extreme = || EXTREMES[draw.random_range(0..EXTREMES.len())];
            let mut snapshot = delivered("", extreme(), now + chrono::Duration::seconds(version));
            snapshot.order_id = OrderId::new(format!("standard:hostile-{order}"));
            snapshot.profile.phone = Some(phone(&member(number)));
            snapshot.member_id = Some(member(number));
            snapshot.facts.shipping_minor = extreme();
            snapshot.facts.refunded_minor = extreme();
            snapshot.facts.items_minor = Some(extreme());
            orders.push(snapshot);
        }
    }
    orders
}
