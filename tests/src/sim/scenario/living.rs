//! What goes on beside orders: campaigns and tier reviews in the programme, commands of tills and operators, scheduled
//! runs that come late, twice or over each other.

use chrono::{Datelike, Duration, NaiveDate, NaiveTime};
use loyalty_domain::behaviour::{Behaviour, Limit, Per};
use loyalty_domain::campaign::{BonusWhen, Campaign, CountOrders, TierSnapshot};
use loyalty_domain::points::Legs;
use loyalty_domain::programme::{Anchor, Cycle, Downgrade, Programme, ReviewRules};
use loyalty_domain::time::Instant;
use loyalty_domain::topup::{Brings, TopupStep};
use rand::RngExt;

use super::{Draw, Event, What, start};
use crate::build::fast_promotion;

const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

/// What a till, an operator or a customer may ask for in one scenario.
const COMMANDS_MAX: u32 = 6;

impl Draw {
    /// Puts a campaign, reviews, holds, top-ups and behaviours into the versions of a programme. Cycles and reviews are
    /// the shop's lasting policy here: which version ends a cycle in which nothing happened stands nowhere.
    pub(super) fn enliven(&mut self, versions: &mut [(Instant, Programme)]) {
        let cycle = self.pick(&[
            Cycle::RollingDays(365),
            Cycle::RollingDays(365),
            Cycle::RollingDays(90),
            Cycle::AnniversaryMonths(12),
            Cycle::CalendarYear,
        ]);
        let one_version = versions.len() == 1;
        let review = ReviewRules {
            downgrade: self.pick(&[
                Downgrade::OneLevel,
                Downgrade::OneLevel,
                Downgrade::OneLevel,
                Downgrade::BalanceBased,
                Downgrade::ToBase,
                Downgrade::None,
            ]),
            grace_days: if one_version { self.pick(&[0, 0, 0, 30]) } else { 0 },
            anchor: if one_version { self.pick(&[Anchor::Activation, Anchor::TierStart]) } else { Anchor::Activation },
            reset_redeemable: self.one_in(6),
        };
        let late_debits_current = self.one_in(8);
        let hold_minutes = self.pick(&[30, 30, 7 * 24 * 60]);
        let promoting = !self.one_in(3);
        let bonus = self.pick(&[Legs::new(150, 150), Legs::new(150, 150), Legs::new(20, 20), Legs::new(100, 0)]);
        let budgeted = self.one_in(4);
        for (_, programme) in versions {
            programme.cycle = cycle;
            programme.review = review;
            programme.reversal.late_debits_current = late_debits_current;
            programme.hold_minutes = hold_minutes;
            programme.topups = [(1_000_000, 30_000), (3_000_000, 100_000)]
                .map(|(amount_minor, minor)| TopupStep { amount_minor, brings: Brings::Money { minor } })
                .into();
            programme.behaviours = vec![Behaviour {
                id: "share".into(),
                name: "Chia sẻ".to_owned(),
                legs: Legs::new(15, 5),
                other_side: None,
                limits: vec![Limit { times: 1, per: Per::Day }, Limit { times: 3, per: Per::Ever }],
            }];
            if promoting {
                let campaign = self.campaign(bonus, budgeted);
                programme.campaigns = vec![campaign];
            }
        }
    }

    fn campaign(&mut self, bonus: Legs, budgeted: bool) -> Campaign {
        let mut campaign = fast_promotion(bonus);
        campaign.participations = self.pick(&[1, 2, 2, 3]);
        campaign.bonus_when = self.pick(&[BonusWhen::Placed, BonusWhen::Placed, BonusWhen::Earned]);
        campaign.count_orders =
            self.pick(&[CountOrders::AfterEnrolment, CountOrders::AfterEnrolment, CountOrders::Any]);
        campaign.tier_snapshot = self.pick(&[TierSnapshot::Before, TierSnapshot::Before, TierSnapshot::After]);
        campaign.budget_points = budgeted.then_some(1_000_000);
        campaign.paused = self.one_in(12);
        campaign.messages_max = self.one_in(4).then_some(2);
        campaign.restores_on_reversal = self.one_in(2);
        campaign.reopens_on_demotion = self.one_in(2);
        campaign
    }

    /// Runs and commands, before anything overtakes anything.
    pub(super) fn life(&mut self, events: &mut Vec<Event>, members: u8, programmes: &[(Instant, Programme)]) {
        let orders = events.len();
        let Some(last) = events.iter().map(|event| event.now).max() else { return };
        if programmes.iter().any(|(_, programme)| !programme.campaigns.is_empty()) {
            self.mondays(events, orders, members);
        }
        self.days(events, orders, members, programmes);
        let span = (last - start()).num_seconds().max(1);
        self.registrations(events, members, span);
        for key in 100..100 + self.0.random_range(0..COMMANDS_MAX) {
            let member = self.0.random_range(0..members);
            let now = start() + Duration::seconds(self.0.random_range(0..span));
            self.command(events, key, member, now);
        }
    }

    /// Some members register, before their first order or at any time, and the shop says so once or more often.
    fn registrations(&mut self, events: &mut Vec<Event>, members: u8, span: i64) {
        for member in 0..members {
            if self.one_in(3) {
                let after = if self.one_in(2) { self.0.random_range(0..DAY) } else { self.0.random_range(0..span) };
                for _ in 0..self.pick(&[1, 1, 2]) {
                    let again = self.pick(&[0, 0, MINUTE, 100 * DAY]);
                    let now = start() + Duration::seconds(after + again);
                    let event = self.event(now, What::Register { member });
                    events.push(event);
                }
            }
        }
    }

    /// A till asks again when it hears nothing, sometimes for something else under the same key.
    fn command(&mut self, events: &mut Vec<Event>, key: u32, member: u8, now: Instant) {
        let what = match self.0.random_range(0..4) {
            0 => What::TopUp { key, member, amount_minor: self.pick(&[50_000, 1_000_000, 3_500_000]) },
            1 => What::Behave { key, member },
            2 => {
                let (redeemable, qualifying) =
                    self.pick(&[(40, 0), (250, 250), (0, 600), (-15, 0), (-30, -10), (5, -5), (0, 0)]);
                What::Adjust { key, member, redeemable, qualifying }
            }
            _ => What::Redeem { key, member, points: self.pick(&[5, 30]), hold: true },
        };
        for _ in 0..self.pick(&[1, 1, 2]) {
            let event = self.event(now, what);
            events.push(event);
        }
        if matches!(what, What::Behave { .. }) {
            let soon = self.pick(&[MINUTE, DAY, 2 * DAY]);
            let event = self.event(now + Duration::seconds(soon), What::Behave { key: key + 1_000, member });
            events.push(event);
        }
        if self.one_in(6) {
            let other = What::Adjust { key, member, redeemable: 7, qualifying: 0 };
            let event = self.event(now + Duration::seconds(DAY), other);
            events.push(event);
        }
    }

    /// What becomes of a redemption: confirmed in time or too late, undone, or left alone.
    pub(super) fn after_redemption(&mut self, events: &mut Vec<Event>, key: u32, now: Instant) {
        for what in [What::Confirm { key }, What::Undo { key }] {
            if self.one_in(2) {
                let later = self.pick(&[MINUTE, 29 * MINUTE, 31 * MINUTE, DAY, 100 * DAY]);
                for _ in 0..self.pick(&[1, 1, 2]) {
                    let event = self.event(now + Duration::seconds(later), what);
                    events.push(event);
                }
            }
        }
    }

    /// Mondays 08:00, not long after some order: every member's page is delivered, some twice (C2, F21).
    fn mondays(&mut self, events: &mut Vec<Event>, orders: usize, members: u8) {
        let first = events[..orders].iter().map(|event| event.now).min();
        for run in 0..self.0.random_range(1..4) {
            // The first one soon after the first order: who is enrolled early has most before them.
            let near = first.filter(|_| run == 0).unwrap_or_else(|| events[self.0.random_range(0..orders)].now);
            let near = near.date_naive();
            let monday = near + Duration::days(i64::from(7 - near.weekday().num_days_from_monday()));
            let now = monday.and_time(NaiveTime::MIN).and_utc() + Duration::hours(1);
            for member in 0..members {
                for _ in 0..self.pick(&[1, 1, 2]) {
                    let event = self.event(now, What::Enrol { member });
                    events.push(event);
                }
            }
        }
    }

    /// Daily runs: around the day a cycle may end, or any day; some twice (F19, F21).
    fn days(&mut self, events: &mut Vec<Event>, orders: usize, members: u8, programmes: &[(Instant, Programme)]) {
        for _ in 0..self.0.random_range(0..4) {
            let first = events[self.0.random_range(0..orders)].now;
            let programme = &programmes[0].1;
            let mut day: NaiveDate = programme.day(first);
            for _ in 0..self.pick(&[0, 1, 1, 1, 2]) {
                day = programme.cycle.end(day);
            }
            // 00:05, 06:00 or 23:55 of the programme's day: in UTC the first two are still the day before.
            let minutes = self.pick(&[5, 5, 6 * 60, 24 * 60 - 5]) - 7 * 60;
            let days = self.pick(&[0, 0, 0, -1, 40]);
            let now = day.and_time(NaiveTime::MIN).and_utc() + Duration::minutes(minutes) + Duration::days(days);
            let member = self.0.random_range(0..members);
            for _ in 0..self.pick(&[1, 1, 2]) {
                let event = self.event(now, What::RunDay { member });
                events.push(event);
            }
        }
    }
}
