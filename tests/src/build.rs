//! Programmes and snapshots, built by hand with every choice at its decided default.

use loyalty_domain::campaign::{Audience, BonusWhen, Campaign, CountOrders, TierSnapshot};
use loyalty_domain::ids::{MemberId, OrderId, ProgrammeVersion, RuleId, TierId};
use loyalty_domain::member::{Member, Profile};
use loyalty_domain::money::Currency;
use loyalty_domain::order::{OrderFacts, OrderSnapshot, OrderStatus, PaymentStatus};
use loyalty_domain::points::{Legs, Ratio};
use loyalty_domain::programme::{Programme, Tier, Tiers};
use loyalty_domain::time::Instant;

/// An exact ratio.
///
/// # Panics
/// When it is none.
pub fn ratio(numerator: u64, denominator: u64) -> Ratio {
    Ratio::new(numerator, denominator).expect("a ratio of small parts")
}

/// A UTC instant from RFC 3339.
///
/// # Panics
/// When it is none.
pub fn at(text: &str) -> Instant {
    text.parse().expect("an instant of RFC 3339")
}

/// A ladder of four tiers with the ids of the playbooks (T1): thresholds of the upper three, factors of all four.
///
/// # Panics
/// When the thresholds do not rise.
pub fn ladder(thresholds: [i64; 3], multipliers: [Ratio; 4]) -> Tiers {
    let ids = ["member", "silver", "gold", "diamond"];
    let thresholds = std::iter::once(0).chain(thresholds);
    let tiers = ids.into_iter().zip(thresholds).zip(multipliers);
    let tiers = tiers.map(|((id, threshold), multiplier)| Tier::new(TierId::from(id), id, threshold, multiplier));
    Tiers::new(tiers.collect()).expect("a rising ladder")
}

/// A programme at the decided defaults: so many đồng for a point, and a ladder.
pub fn programme(name: &str, vnd_per_point: u64, tiers: Tiers) -> Programme {
    let zone = chrono_tz::Asia::Ho_Chi_Minh;
    Programme::new(ProgrammeVersion::from(name), Currency::VND, zone, ratio(1, vnd_per_point), tiers)
}

/// S3's mechanism 1: 10.000đ a point, the same for all tiers (P6).
pub fn cnv_retail() -> Programme {
    programme("cnv-retail@test", 10_000, ladder([200, 700, 1_800], [Ratio::ONE; 4]))
}

/// S3's mechanism 2: +0,2 +0,3 +0,5 on redeemable points (P7, X1).
pub fn cnv_retail_by_tier() -> Programme {
    let multipliers = [Ratio::ONE, ratio(12, 10), ratio(13, 10), ratio(15, 10)];
    programme("cnv-retail-by-tier@test", 10_000, ladder([200, 700, 1_800], multipliers))
}

/// S2's programme: 1.000đ a point, ×1,2 ×1,3 ×1,5 (P4).
pub fn cnv_miniapp() -> Programme {
    let multipliers = [Ratio::ONE, ratio(12, 10), ratio(13, 10), ratio(15, 10)];
    programme("cnv-miniapp@test", 1_000, ladder([1_000, 2_000, 3_000], multipliers))
}

/// A member who holds a tier and has earned nothing.
///
/// # Panics
/// When the programme does not have the tier.
pub fn member_in(programme: &Programme, tier: &str, now: Instant) -> Member {
    let mut member = Member::registered(programme, MemberId::from("m_test"), now).expect("a programme with tiers");
    member.tier = programme.tiers.get(&TierId::from(tier)).expect("a tier of the programme").id.clone();
    member.tier_floor = member.tier.clone();
    member
}

/// The fast promotion of S0: two orders of a Member who has ordered before bring a bonus each (C1, C4, C6).
pub fn fast_promotion(bonus: Legs) -> Campaign {
    Campaign {
        id: RuleId::from("fast-promotion"),
        name: "Thăng hạng nhanh".to_owned(),
        audience: Audience {
            tiers: vec![TierId::from("member")],
            orders_min: 1,
            quiet_days_min: None,
            buying_less_often: false,
            near_tier_only: false,
        },
        from: None,
        until: None,
        participations: 2,
        bonus,
        bonus_when: BonusWhen::Placed,
        count_orders: CountOrders::AfterEnrolment,
        tier_snapshot: TierSnapshot::Before,
        budget_points: None,
        messages_max: None,
        restores_on_reversal: false,
        reopens_on_demotion: false,
        paused: false,
    }
}

/// A delivered and paid order of a known customer.
pub fn delivered(order_id: &str, net_minor: i64, updated_at: Instant) -> OrderSnapshot {
    OrderSnapshot {
        order_id: OrderId::from(order_id),
        facts: OrderFacts {
            updated_at,
            status: OrderStatus::Delivered,
            payment: PaymentStatus::Paid,
            refunded_minor: 0,
            refunded_lines_minor: None,
            due_minor: net_minor,
            shipping_minor: 0,
            items_minor: None,
            currency: Currency::VND,
            placed_at: updated_at,
            wallet_minor: 0,
        },
        member_id: Some(MemberId::from("m_test")),
        items: Vec::new(),
        vouchers: Vec::new(),
        again: false,
        profile: Profile::default(),
    }
}
