//! Campaigns of members who join one another: participations stay with who had them (C4, X18, X50).

use loyalty_domain::campaign::{Audience, BonusWhen, Campaign, CountOrders, ParticipationState, TierSnapshot, enrol};
use loyalty_domain::ids::RuleId;
use loyalty_domain::merge::MergeProblem;
use loyalty_domain::order::{OrderSnapshot, OrderStatus};
use loyalty_domain::points::Legs;
use loyalty_domain::programme::Programme;
use loyalty_domain::time::Instant;
use loyalty_store::{Concerns, Consistency, Loaded};

use crate::merge::{by, merged, refusal};
use crate::support::{AN, BINH, Shop, at, check, order, programme, version};
pub fn campaign(restores: bool, bonus_when: BonusWhen) -> Campaign {
    Campaign {
        id: "fast-promotion".into(),
        name: "Fast promotion".to_owned(),
        audience: Audience {
            tiers: vec!["member".into()],
            orders_min: 0,
            quiet_days_min: None,
            buying_less_often: false,
            near_tier_only: false,
        },
        from: None,
        until: None,
        participations: 2,
        bonus: Legs::new(20, 20),
        bonus_when,
        count_orders: CountOrders::Any,
        tier_snapshot: TierSnapshot::Before,
        budget_points: None,
        messages_max: None,
        restores_on_reversal: restores,
        reopens_on_demotion: false,
        paused: false,
    }
}

pub async fn enrolled(shop: &Shop, member_id: &str, now: Instant) {
    let campaign = shop.programme.campaigns[0].clone();
    let concerns = Concerns { campaign: Some(campaign.id.clone()), ..Concerns::member(member_id.into()) };
    let decide = |rows: Loaded| {
        let member = rows.member.expect("a member");
        let enrolment = enrol(&shop.programme, &campaign, member, rows.participation, 0, now)?;
        Ok(((), enrolment.decision))
    };
    shop.books.command(&shop.programme, &concerns, now, decide).await.unwrap();
}

#[tokio::test]
async fn t7_the_tier_follows_the_points_and_completes_what_it_ends() {
    let shop = Shop::new(Programme { campaigns: vec![campaign(false, BonusWhen::Placed)], ..programme() });
    shop.one(order("1")).await;
    enrolled(&shop, AN, at(10)).await;
    for number in 2..5 {
        shop.one(by(BINH, order(&number.to_string()))).await;
    }
    merged(&shop, BINH, AN, at(200)).await;
    let an = shop.member(AN).await;
    assert_eq!((an.tier.as_str(), an.active_campaigns.len()), ("silver", 0));
    let found = shop.books.participations(&["fast-promotion".into()], &AN.into()).await.unwrap();
    assert_eq!(found[0].state, ParticipationState::Completed);
    // A reversal undoes what it had earned (R5).
    shop.one(by(BINH, version("2", 300, OrderStatus::Cancelled))).await;
    check(&shop);
    assert_eq!(shop.member(AN).await.tier.as_str(), "member");
}

#[tokio::test]
async fn participations_stay_with_who_had_them() {
    for restores in [false, true] {
        for bonus_when in [BonusWhen::Placed, BonusWhen::Earned] {
            let shop = Shop::new(Programme { campaigns: vec![campaign(restores, bonus_when)], ..programme() });
            shop.one(small("1", 0, OrderStatus::Delivered)).await;
            shop.one(by(BINH, small("2", 0, OrderStatus::Delivered))).await;
            enrolled(&shop, AN, at(10)).await;
            enrolled(&shop, BINH, at(10)).await;
            shop.one(by(BINH, small("3", 60, OrderStatus::Confirmed))).await;
            shop.one(by(BINH, small("4", 60, OrderStatus::Delivered))).await;
            check(&shop);
            merged(&shop, BINH, AN, at(200)).await;
            for (number, status) in [("4", OrderStatus::Cancelled), ("3", OrderStatus::Delivered)] {
                shop.one(by(BINH, small(number, 300, status))).await;
                check(&shop);
            }
            shop.one(by(BINH, small("4", 400, OrderStatus::Delivered))).await;
            check(&shop);
            assert_eq!(used(&shop, AN).await, 0, "{restores} {bonus_when:?}");
            assert!(used(&shop, BINH).await > 0);
            // A new order uses who goes on's own, under whatever name it comes.
            shop.one(by(BINH, small("5", 500, OrderStatus::Delivered))).await;
            check(&shop);
            assert_eq!(used(&shop, AN).await, 1);
        }
    }
}

/// X50: who joins has orders that get their bonus once the campaign goes on, so they wait, or go on themselves.
#[tokio::test]
async fn x50_who_has_orders_that_wait_for_a_campaign_joins_nobody() {
    let mut shop = Shop::new(Programme { campaigns: vec![campaign(false, BonusWhen::Placed)], ..programme() });
    shop.one(small("1", 0, OrderStatus::Delivered)).await;
    shop.one(by(BINH, small("2", 0, OrderStatus::Delivered))).await;
    enrolled(&shop, BINH, at(10)).await;
    std::sync::Arc::make_mut(&mut shop.programme).campaigns[0].paused = true;
    shop.one(by(BINH, small("3", 60, OrderStatus::Delivered))).await;
    let waits = MergeProblem::OrdersWait { member: BINH.into(), campaign: RuleId::new("fast-promotion") };
    assert_eq!(refusal(&shop, BINH, AN).await, waits);
    check(&shop);
    merged(&shop, AN, BINH, at(200)).await;
    std::sync::Arc::make_mut(&mut shop.programme).campaigns[0].paused = false;
    let order = shop.books.order(&small("3", 0, OrderStatus::Delivered).order_id, Consistency::Strong).await.unwrap();
    shop.one(OrderSnapshot::again(&order.expect("an order").row)).await;
    shop.check_orders(BINH, 50, 50).await;
}

/// An order of 10 points.
pub fn small(id: &str, seconds: i64, status: OrderStatus) -> OrderSnapshot {
    let mut snapshot = version(id, seconds, status);
    snapshot.facts.due_minor = 130_000;
    snapshot
}

async fn used(shop: &Shop, member_id: &str) -> u32 {
    let campaigns = [RuleId::new("fast-promotion")];
    shop.books.participations(&campaigns, &member_id.into()).await.unwrap()[0].used()
}
