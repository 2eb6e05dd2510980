//! What shops really do to an order, made of real purchases: seen early, late, twice, in the wrong order, cancelled or
//! partly returned.
//!
//! The same seed tells the same story. The shares are those of the `…_PERCENT` constants below.

use chrono::{DateTime, Days, Duration, NaiveTime, TimeZone, Utc};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::purchases::Purchase;

/// Đồng for one US cent: dollars × 25,000.
const DONG_PER_CENT: i64 = 250;
/// Đồng of shipping on every order; shipping earns nothing (P2).
const SHIPPING: i64 = 30_000;

/// Orders whose placement is reported too, not only their delivery.
const SEEN_EARLY_PERCENT: u32 = 25;
/// Of those, how many are reported as placed only after they were reported as delivered.
const OUT_OF_ORDER_PERCENT: u32 = 20;
/// Deliveries that arrive days late.
const LATE_PERCENT: u32 = 8;
/// Deliveries that arrive again, half under the same id and half under a new one.
const DUPLICATE_PERCENT: u32 = 10;
/// Orders cancelled after they were delivered and paid.
const CANCELLED_PERCENT: u32 = 4;
/// Orders of which a part is returned.
const PARTLY_RETURNED_PERCENT: u32 = 4;
/// Orders whose cancellation overtakes their delivery.
const CANCEL_FIRST_PERCENT: u32 = 1;

/// One webhook: when it arrives, by the shop's clock, and what it says.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub at: DateTime<Utc>,
    pub webhook_id: String,
    pub body: String,
}

/// All webhooks of the purchases, and what they must come to.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// By time of arrival.
    pub deliveries: Vec<Delivery>,
    pub orders: usize,
    pub late: usize,
    pub duplicated: usize,
    pub out_of_order: usize,
    pub cancelled: usize,
    pub partly_returned: usize,
    /// The goods each order is worth in the end, đồng: what its points must follow from.
    pub goods_in_the_end: Vec<i64>,
}

/// The rate of the default programme, đồng for one point (P3).
const DONG_PER_POINT: i64 = 10_000;

impl Story {
    /// What all orders must have earned in the end: rounded down order by order (X31).
    pub fn points_in_the_end(&self) -> i64 {
        self.goods_in_the_end.iter().map(|goods| goods.div_euclid(DONG_PER_POINT)).sum()
    }
}

/// Tells the story of the purchases, so many days later than they happened.
pub fn tell(purchases: &[Purchase], seed: u64, days_later: u64) -> Story {
    let mut story = Story { orders: purchases.len(), ..Story::default() };
    for (number, purchase) in purchases.iter().enumerate() {
        // Each order has its own chance, so that a shorter demo is the beginning of the longer one.
        let chance = ChaCha8Rng::seed_from_u64(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(number as u64));
        let day = purchase.on.checked_add_days(Days::new(days_later)).unwrap_or(purchase.on);
        let midnight = chrono_tz::Asia::Ho_Chi_Minh.from_local_datetime(&day.and_time(NaiveTime::MIN)).earliest();
        let placed_at = midnight.map(|at| at.to_utc()).unwrap_or_default();
        // Told again later, it is another story: its orders are others.
        let order_id =
            if days_later == 0 { format!("CD-{:05}", number + 1) } else { format!("CD{days_later}-{:05}", number + 1) };
        Teller { chance, order_id, purchase, story: &mut story, placed_at, reports: 0 }.tell();
    }
    story.deliveries.sort_by(|a, b| (a.at, &a.webhook_id).cmp(&(b.at, &b.webhook_id)));
    story
}

struct Teller<'a> {
    chance: ChaCha8Rng,
    order_id: String,
    purchase: &'a Purchase,
    story: &'a mut Story,
    placed_at: DateTime<Utc>,
    reports: u32,
}

impl Teller<'_> {
    fn percent(&mut self, share: u32) -> bool {
        self.chance.next_u32() % 100 < share
    }

    fn hours(&mut self, range: std::ops::Range<i64>) -> Duration {
        Duration::minutes(self.chance.random_range(range.start * 60..range.end * 60))
    }

    fn tell(mut self) {
        let goods = self.purchase.cents * DONG_PER_CENT;
        let placed = self.placed_at + self.hours(8..20);
        self.placed_at = placed;
        let delivered = placed + self.hours(24..96);
        let cancelled_first = self.percent(CANCEL_FIRST_PERCENT);
        let arrives = if self.percent(LATE_PERCENT) {
            self.story.late += 1;
            delivered + self.hours(24..240)
        } else {
            delivered
        };
        if self.percent(SEEN_EARLY_PERCENT) {
            let arrival = if self.percent(OUT_OF_ORDER_PERCENT) {
                self.story.out_of_order += 1;
                arrives + self.hours(1..24)
            } else {
                placed
            };
            self.report(arrival, placed, "pending", "unpaid", 0);
        }
        self.report(arrives, delivered, "delivered", "paid", 0);
        let after = delivered + self.hours(24..168);
        let mut left = goods;
        if cancelled_first {
            self.story.out_of_order += 1;
            self.story.cancelled += 1;
            self.report(arrives - Duration::hours(1), after, "cancelled", "refunded", goods);
            left = 0;
        } else if self.percent(CANCELLED_PERCENT) {
            self.story.cancelled += 1;
            self.report(after.max(arrives) + Duration::hours(1), after, "cancelled", "refunded", goods);
            left = 0;
        } else if self.percent(PARTLY_RETURNED_PERCENT) {
            self.story.partly_returned += 1;
            let refunded = goods / 2;
            self.report(after.max(arrives) + Duration::hours(1), after, "delivered", "partially_refunded", refunded);
            left = goods - refunded;
        }
        self.story.goods_in_the_end.push(left);
    }

    /// The whole order as it is at `updated_at`, arriving when it arrives, and perhaps once more.
    fn report(&mut self, at: DateTime<Utc>, updated_at: DateTime<Utc>, status: &str, payment: &str, refunded: i64) {
        let Purchase { customer, quantity, cents, .. } = self.purchase;
        let goods = cents * DONG_PER_CENT;
        let body = json!({
            "type": "order.changed",
            "timestamp": updated_at,
            "data": {
                "order_id": self.order_id,
                "placed_at": self.placed_at,
                "updated_at": updated_at,
                "status": status,
                "payment_status": payment,
                "amount_due": (goods + SHIPPING).to_string(),
                "shipping_fee": SHIPPING.to_string(),
                "refunded": refunded.to_string(),
                "currency": "VND",
                "customer": {
                    "id": format!("CDNOW-{customer:05}"),
                    "phone": format!("09{customer:08}"),
                    "name": format!("Khách {customer:05}"),
                },
                "items": [{"sku": "CD", "category": "music", "quantity": quantity, "amount": goods.to_string()}],
            },
        })
        .to_string();
        self.reports += 1;
        let webhook_id = format!("{}-{}", self.order_id, self.reports);
        if self.percent(DUPLICATE_PERCENT) {
            self.story.duplicated += 1;
            let again = if self.percent(50) { webhook_id.clone() } else { format!("{webhook_id}-again") };
            let later = at + self.hours(0..48);
            self.story.deliveries.push(Delivery { at: later, webhook_id: again, body: body.clone() });
        }
        self.story.deliveries.push(Delivery { at, webhook_id, body });
    }
}

#[cfg(test)]
mod tests {
    use super::super::purchases;
    use super::*;

    #[test]
    fn the_same_seed_tells_the_same_story_and_another_another() {
        let purchases = purchases::of_first(50).unwrap();
        let bodies = |seed| tell(&purchases, seed, 0).deliveries.into_iter().map(|one| one.body).collect::<Vec<_>>();
        assert_eq!(bodies(1), bodies(1));
        assert_ne!(bodies(1), bodies(2));
    }

    #[test]
    fn everything_that_shops_do_happens() {
        let story = tell(&purchases::of_first(usize::MAX).unwrap(), 1, 0);
        let Story { late, duplicated, out_of_order, cancelled, partly_returned, .. } = story;
        for (what, times) in [
            ("late", late),
            ("duplicated", duplicated),
            ("out of order", out_of_order),
            ("cancelled", cancelled),
            ("partly returned", partly_returned),
        ] {
            assert!(times > story.orders / 50, "{what}: {times} of {}", story.orders);
        }
        assert!(story.deliveries.windows(2).all(|pair| pair[0].at <= pair[1].at));
        assert_eq!(story.goods_in_the_end.len(), story.orders);
    }
}
