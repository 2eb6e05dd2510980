//! Scenarios: what happens in the world, and which faults befall its events. Drawn from a seed, and plain data.

use chrono::{Duration, NaiveDate};
use loyalty_domain::ids::{MemberId, OrderId, ProgrammeVersion, RequestId};
use loyalty_domain::lots::Expiry;
use loyalty_domain::member::Profile;
use loyalty_domain::money::Currency;
use loyalty_domain::order::{OrderFacts, OrderSnapshot, OrderStatus, PaymentStatus};
use loyalty_domain::points::Rounding;
use loyalty_domain::programme::{
    Basis, EarnWhen, ExpiryRule, NegativeBalance, Programme, RefundRule, ReversalDemotes, RoundStage, RoundTo,
    TierMultiplier, Welcome, WelcomeWhen,
};
use loyalty_domain::time::Instant;
use loyalty_domain::voucher::Voucher;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::build::{ladder, programme, ratio};

mod living;
mod paying;
mod rules;

/// A run of the world.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Versions of the programme and the instants they take effect at; the first holds from the beginning.
    pub programmes: Vec<(Instant, Programme)>,
    /// Given before anything else happens.
    pub vouchers: Vec<Voucher>,
    pub snapshots: Vec<OrderSnapshot>,
    pub events: Vec<Event>,
}

/// Something that reaches a handler, and what befalls it there.
#[derive(Clone, Debug)]
pub struct Event {
    /// When the queue accepted it: the decision's now.
    pub now: Instant,
    pub what: What,
    pub fault: Fault,
    /// How many writes behind each row is read the first time: order, member, member left, history (F12).
    pub lag: [u8; 4],
    /// How many later events begin before this one is committed (F6, F7, F14).
    pub hold: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The snapshot of this index is delivered.
    Order(usize),
    /// The member of this number spends points, under this key; held until the till confirms.
    Redeem { key: u32, member: u8, points: i64, hold: bool },
    /// The redemption of this key is confirmed.
    Confirm { key: u32 },
    /// The redemption of this key is undone, or its hold released.
    Undo { key: u32 },
    /// An operator gives or takes points.
    Adjust { key: u32, member: u8, redeemable: i64, qualifying: i64 },
    /// Money is paid into the wallet.
    TopUp { key: u32, member: u8, amount_minor: i64 },
    /// The shop reports that the member has registered.
    Register { member: u8 },
    /// The member shares something.
    Behave { key: u32, member: u8 },
    /// The weekly run of the campaign comes to the member.
    Enrol { member: u8 },
    /// The daily run comes to the member.
    RunDay { member: u8 },
}

/// What goes wrong with one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Nothing was written: the request is lost, throttled, or the handler killed before it (F8, F11, F13).
    LostBefore,
    /// Everything was written, and nobody learns: the answer is lost, or the handler killed after it (F9, F13).
    LostAfter,
    /// The queue gives up waiting and delivers again while the first attempt is still going to commit (F14).
    Zombie,
}

/// The request of a key.
pub fn request_id(key: u32) -> RequestId {
    RequestId::new(format!("r_{key}"))
}

/// The member of a number.
pub fn member(number: u8) -> MemberId {
    MemberId::new(format!("m_{number}"))
}

/// Who was given the scenario's vouchers; any customer may show a code.
pub fn holder() -> MemberId {
    MemberId::new("m_holder")
}

/// The phone of a member; a profile must only ever hold its own member's (F23).
pub fn phone(member_id: &MemberId) -> String {
    format!("84{member_id}")
}

/// Members are numbered from 0.
pub const MEMBERS_MAX: u8 = 3;
const ORDERS_MAX: usize = 4;
const SNAPSHOTS_MAX: usize = 6;
/// Orders of 10^18 in one scenario: more of them would not fit a member's figures together (F26).
const HUGE_ORDERS_MAX: usize = 4;
const HUGE_MINOR: i64 = 1_000_000_000_000_000_000;

impl Scenario {
    /// The scenario of a seed.
    pub fn of(seed: u64) -> Self {
        let mut draw = Draw(ChaCha8Rng::seed_from_u64(seed));
        let mut programmes = draw.programmes();
        draw.enliven(&mut programmes);
        let members = draw.0.random_range(1..=MEMBERS_MAX);
        let mut snapshots = Vec::new();
        for order in 0..draw.0.random_range(1..=ORDERS_MAX) {
            draw.order(order, members, &mut snapshots);
        }
        if draw.one_in(4) {
            draw.late_returns(&mut programmes, &mut snapshots);
        }
        draw.ways_to_pay(&mut programmes);
        draw.item_rules(&mut programmes);
        draw.tiers(&mut programmes);
        draw.pay(&mut snapshots);
        let vouchers = draw.vouchers(&programmes[0].1);
        let events = draw.events(&snapshots, members, &programmes);
        Self { programmes: in_a_row(programmes), vouchers, snapshots, events }
    }

    /// So many deliveries of orders, some with hostile amounts, and nothing else: what one function meets.
    pub fn of_orders(seed: u64, deliveries: usize) -> Self {
        let mut draw = Draw(ChaCha8Rng::seed_from_u64(seed));
        let programmes = draw.programmes();
        let members = draw.0.random_range(1..=MEMBERS_MAX);
        let (mut snapshots, mut events) = (Vec::new(), Vec::new());
        let mut huge = 0;
        for order in 0.. {
            let first = snapshots.len();
            draw.order(order, members, &mut snapshots);
            if draw.one_in(8) {
                huge += usize::from(draw.hostile(&mut snapshots[first..], huge < HUGE_ORDERS_MAX));
            }
            events.extend(draw.deliveries(&snapshots, first));
            if events.len() >= deliveries {
                break;
            }
        }
        events.truncate(deliveries);
        let events = draw.overtaken(events);
        Self { programmes: in_a_row(programmes), vouchers: Vec::new(), snapshots, events }
    }

    /// The version in force at an instant.
    ///
    /// # Panics
    /// Never: the first version holds from the beginning.
    pub fn programme_at(&self, now: Instant) -> &Programme {
        let in_force = self.programmes.iter().rev().find(|(from, _)| *from <= now);
        &in_force.unwrap_or(&self.programmes[0]).1
    }

    /// The version of a name.
    pub fn programme(&self, version: &ProgrammeVersion) -> Option<&Programme> {
        self.programmes.iter().map(|(_, programme)| programme).find(|programme| programme.version == *version)
    }
}

/// Each version as the one after that in front of it.
fn in_a_row(programmes: Vec<(Instant, Programme)>) -> Vec<(Instant, Programme)> {
    let mut linked: Vec<(Instant, Programme)> = Vec::new();
    for (from, programme) in programmes {
        let linked_to = linked.last().map(|(_, earlier)| programme.clone().after(earlier.clone(), from));
        linked.push((from, linked_to.unwrap_or(programme)));
    }
    linked
}

struct Draw(ChaCha8Rng);

fn start() -> Instant {
    NaiveDate::from_ymd_opt(2026, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0)).expect("a date").and_utc()
}

impl Draw {
    fn one_in(&mut self, many: u32) -> bool {
        self.0.random_ratio(1, many)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.0.random_range(0..from.len())]
    }

    fn programmes(&mut self) -> Vec<(Instant, Programme)> {
        let first = self.programme();
        let mut versions = vec![(start(), first)];
        for _ in 0..self.pick(&[0, 0, 0, 1, 2]) {
            // At seven in the morning, or with the day.
            let from = start() + Duration::days(self.0.random_range(1..500)) + Duration::hours(self.pick(&[0, 17]));
            let mut next = self.programme();
            // What a reversal may do is the shop's lasting policy here; everything else may change under way (F24).
            next.reversal.no_recredit_after_cancel = versions[0].1.reversal.no_recredit_after_cancel;
            versions.push((from, next));
        }
        versions.sort_by_key(|(from, _)| *from);
        versions.dedup_by_key(|(from, _)| *from);
        for (at, (_, version)) in versions.iter_mut().enumerate() {
            version.version = ProgrammeVersion::new(format!("v{at}"));
        }
        versions
    }

    fn programme(&mut self) -> Programme {
        let thresholds = self.pick(&[[200, 700, 1_800], [1_000, 2_000, 3_000], [50, 100, 150]]);
        let rate = self.pick(&[1_000, 10_000, 10_000, 7_000]);
        let multipliers =
            if self.one_in(3) { [ratio(1, 1); 4] } else { [ratio(1, 1), ratio(12, 10), ratio(13, 10), ratio(3, 2)] };
        let mut drawn = programme("drawn", rate, ladder(thresholds, multipliers));
        drawn.earning.tier_multiplier = self.pick(&[TierMultiplier::RedeemableOnly, TierMultiplier::Both]);
        drawn.earning.round = self.pick(&[Rounding::Floor, Rounding::Floor, Rounding::HalfUp, Rounding::Ceil]);
        drawn.earning.round_stage = self.pick(&[RoundStage::End, RoundStage::End, RoundStage::BaseThenEnd]);
        drawn.earning.basis = self.pick(&[Basis::DueMinusShipping, Basis::DueMinusShipping, Basis::Paid, Basis::Items]);
        drawn.earning.earn_when =
            self.pick(&[EarnWhen::DeliveredAndPaid, EarnWhen::DeliveredAndPaid, EarnWhen::Delivered, EarnWhen::Placed]);
        drawn.reversal.requires_paid = self.one_in(8);
        drawn.reversal.refund = self.pick(&[RefundRule::AmountProrata, RefundRule::LineExact]);
        drawn.reversal.negative_balance = self.pick(&[
            NegativeBalance::Allow,
            NegativeBalance::Allow,
            NegativeBalance::Allow,
            NegativeBalance::Clamp,
            NegativeBalance::PendingOnly,
            NegativeBalance::Limit(30),
        ]);
        drawn.reversal.reverse_expired = self.one_in(6);
        drawn.reversal.no_recredit_after_cancel = self.one_in(8);
        drawn.welcome = self.one_in(2).then(|| Welcome {
            points: 100,
            when: self.pick(&[WelcomeWhen::Immediate, WelcomeWhen::PendingUntilFirstDelivery]),
            regrant: self.one_in(3),
        });
        drawn.expiry = self.pick(&[
            ExpiryRule::Months { months: 12, round_to: RoundTo::MonthEnd },
            ExpiryRule::Months { months: 1, round_to: RoundTo::Day },
            ExpiryRule::Months { months: 6, round_to: RoundTo::Day },
            ExpiryRule::Months { months: 2, round_to: RoundTo::QuarterEnd },
            ExpiryRule::Quarters { quarters: 1 },
            ExpiryRule::Never,
        ]);
        drawn.reversal_demotes =
            self.pick(&[ReversalDemotes::ToFloor, ReversalDemotes::ToFloor, ReversalDemotes::ByBalance]);
        drawn
    }

    /// An order's life, snapshot by snapshot.
    fn order(&mut self, order: usize, members: u8, snapshots: &mut Vec<OrderSnapshot>) {
        let placed_at = start() + Duration::seconds(self.0.random_range(0..400 * 86_400));
        let goods = self.pick(&[95_000, 129_900, 500_000, 1_000_000, 2_345_678, 5_000]);
        let shipping = self.pick(&[0, 30_000]);
        let mut facts = OrderFacts {
            updated_at: placed_at,
            status: OrderStatus::Pending,
            payment: PaymentStatus::Unpaid,
            refunded_minor: 0,
            refunded_lines_minor: None,
            due_minor: goods + shipping,
            shipping_minor: shipping,
            items_minor: self.one_in(2).then_some(goods),
            currency: if self.one_in(12) { Currency::from_code("USD").unwrap_or(Currency::VND) } else { Currency::VND },
            placed_at,
            wallet_minor: 0,
        };
        let mut named = (!self.one_in(6)).then(|| self.0.random_range(0..members));
        for _ in 0..self.0.random_range(1..=SNAPSHOTS_MAX) {
            let member_id = named.map(member);
            let profile = Profile { phone: member_id.as_ref().map(phone), ..Profile::default() };
            let order_id = OrderId::new(format!("standard:{order}"));
            snapshots.push(OrderSnapshot {
                order_id,
                facts,
                member_id,
                profile,
                items: Vec::new(),
                vouchers: Vec::new(),
                again: false,
            });
            self.next(&mut facts);
            if self.one_in(6) {
                named = (!self.one_in(3)).then(|| self.0.random_range(0..members));
            }
        }
    }

    fn next(&mut self, facts: &mut OrderFacts) {
        let seconds = self.pick(&[0, 1, 60, 3_600, 86_400, 20 * 86_400, 400 * 86_400]);
        facts.updated_at += Duration::seconds(seconds);
        match self.0.random_range(0..12) {
            0..5 => {
                facts.status = OrderStatus::Delivered;
                facts.payment = PaymentStatus::Paid;
            }
            5 => facts.status = OrderStatus::Delivered,
            6 => facts.payment = self.pick(&[PaymentStatus::Paid, PaymentStatus::PartiallyPaid]),
            7 | 8 => facts.status = self.pick(&[OrderStatus::Cancelled, OrderStatus::Returned]),
            9 => {
                facts.refunded_minor += self.pick(&[19_000, 40_000, 250_000]);
                facts.refunded_lines_minor = self.one_in(2).then_some(facts.refunded_minor);
                facts.payment = self.pick(&[PaymentStatus::PartiallyRefunded, PaymentStatus::Paid]);
            }
            10 => facts.due_minor += self.pick(&[-20_000, 10_000, 700_000]),
            _ => {
                facts.status = self.pick(&[OrderStatus::Shipping, OrderStatus::Pending]);
                facts.payment = self.pick(&[PaymentStatus::Refunded, PaymentStatus::Voided, PaymentStatus::Unpaid]);
            }
        }
    }

    /// Points that do not live long, and orders that come back when they are gone (X23).
    fn late_returns(&mut self, programmes: &mut [(Instant, Programme)], snapshots: &mut [OrderSnapshot]) {
        for (_, programme) in programmes {
            programme.expiry = ExpiryRule::Months { months: 1, round_to: RoundTo::Day };
        }
        for at in 1..snapshots.len() {
            let (before, rest) = snapshots.split_at_mut(at);
            let last_of_order = rest.get(1).is_none_or(|next| next.order_id != rest[0].order_id);
            if last_of_order && before[at - 1].order_id == rest[0].order_id && self.one_in(2) {
                rest[0].facts.updated_at += Duration::days(self.pick(&[35, 70, 120]));
                rest[0].facts.status = OrderStatus::Returned;
            }
        }
    }

    /// From one of its snapshots on, an order says what no shop should (F26). Whether it is a huge one.
    fn hostile(&mut self, snapshots: &mut [OrderSnapshot], may_be_huge: bool) -> bool {
        let from = self.0.random_range(0..snapshots.len());
        let what = self.0.random_range(if may_be_huge { 0..8 } else { 2..8 });
        for OrderSnapshot { facts, .. } in &mut snapshots[from..] {
            match what {
                0 | 1 => facts.due_minor = HUGE_MINOR,
                2 => facts.due_minor = -500_000,
                3 => facts.shipping_minor = HUGE_MINOR,
                4 => facts.refunded_minor = HUGE_MINOR,
                5 => facts.refunded_minor = -40_000,
                6 => facts.items_minor = Some(-1),
                _ => {
                    facts.due_minor = HUGE_MINOR;
                    facts.currency = Currency::from_code("USD").unwrap_or(Currency::VND);
                }
            }
        }
        what < 2
    }

    /// Every snapshot is delivered at least once, some again and again; members spend in between.
    fn events(&mut self, snapshots: &[OrderSnapshot], members: u8, programmes: &[(Instant, Programme)]) -> Vec<Event> {
        let mut events = self.deliveries(snapshots, 0);
        self.commands(&mut events, members, programmes);
        self.life(&mut events, members, programmes);
        self.overtaken(events)
    }

    fn deliveries(&mut self, snapshots: &[OrderSnapshot], first: usize) -> Vec<Event> {
        let mut events = Vec::new();
        for (at, snapshot) in snapshots.iter().enumerate().skip(first) {
            for _ in 0..self.pick(&[1, 1, 1, 2, 3]) {
                let late = self.pick(&[7, 7, 7, 60, 65 * 60, 25 * 3_600, 14 * 86_400, 365 * 86_400]);
                let skew = self.0.random_range(-300..=300);
                let now = snapshot.facts.updated_at + Duration::seconds(late + if self.one_in(4) { skew } else { 0 });
                events.push(self.event(now, What::Order(at)));
            }
        }
        events
    }

    fn commands(&mut self, events: &mut Vec<Event>, members: u8, programmes: &[(Instant, Programme)]) {
        let Some(last) = events.iter().map(|event| event.now).max() else { return };
        let span = (last - start()).num_seconds().max(1);
        for key in 0..self.0.random_range(0..5) {
            let now = if self.one_in(2) {
                start() + Duration::seconds(self.0.random_range(0..span))
            } else {
                let earned = self.0.random_range(0..events.len());
                self.around_expiry(events[earned].now, programmes)
            };
            let points = self.pick(&[1, 10, 40, 100]);
            let member = self.0.random_range(0..members);
            let hold = self.one_in(2);
            for _ in 0..self.pick(&[1, 1, 2]) {
                let event = self.event(now, What::Redeem { key, member, points, hold });
                events.push(event);
            }
            self.after_redemption(events, key, now);
        }
    }

    /// Roughly in the order of time: what is delivered later may still be overtaken (F3, F4).
    fn overtaken(&mut self, events: Vec<Event>) -> Vec<Event> {
        let jitter = self.pick(&[0, 0, 3_600, 40 * 86_400]);
        let mut keyed: Vec<_> = events
            .into_iter()
            .map(|event| {
                (event.now + Duration::seconds(if jitter == 0 { 0 } else { self.0.random_range(0..jitter) }), event)
            })
            .collect();
        keyed.sort_by_key(|(key, _)| *key);
        keyed.into_iter().map(|(_, event)| event).collect()
    }

    /// Noon of the last valid day of points posted at an instant, or of the day after: where mistakes by a day show.
    fn around_expiry(&mut self, posted_at: Instant, programmes: &[(Instant, Programme)]) -> Instant {
        let programme = &programmes[self.0.random_range(0..programmes.len())].1;
        match programme.expiry.of(programme.day(posted_at)) {
            Expiry::Never => posted_at,
            Expiry::On(day) => {
                let noon = day.and_hms_opt(5, 0, 0).map_or(posted_at, |noon| noon.and_utc());
                noon + Duration::days(self.0.random_range(0..=1))
            }
        }
    }

    fn event(&mut self, now: Instant, what: What) -> Event {
        let calm = self.one_in(2);
        let fault = if calm {
            Fault::None
        } else {
            self.pick(&[Fault::None, Fault::None, Fault::LostBefore, Fault::LostAfter, Fault::Zombie])
        };
        let mut lag = [0; 4];
        if !calm {
            for behind in &mut lag {
                *behind = self.pick(&[0, 0, 1, 1, 2, 9]);
            }
        }
        let hold = if calm { 0 } else { self.pick(&[0, 0, 1, 2, 3]) };
        Event { now, what, fault, lag, hold }
    }
}
