//! A book in memory without faults: what a decision says is applied at once. For golden and property tests.

use std::collections::BTreeMap;

use loyalty_audit::{Audit, Report, Table};
use loyalty_domain::campaign::Participation;
use loyalty_domain::decision::{Decision, Outcome, Rejection, Verdict};
use loyalty_domain::ids::{MemberId, OrderId, RequestId, RuleId, VoucherId};
use loyalty_domain::ledger::Entry;
use loyalty_domain::member::Member;
use loyalty_domain::order::{Order, OrderSnapshot};
use loyalty_domain::points::Legs;
use loyalty_domain::programme::Programme;
use loyalty_domain::reconcile::{OrderRows, member_of, reconcile_order};
use loyalty_domain::redeem::{Redemption, redeem, undo};
use loyalty_domain::request::{Asked, Request};
use loyalty_domain::time::Instant;
use loyalty_domain::voucher::Voucher;

use crate::rows;

/// Members, orders and histories.
#[derive(Clone, Debug, Default)]
pub struct Book {
    pub members: BTreeMap<MemberId, Member>,
    pub orders: BTreeMap<OrderId, Order>,
    pub histories: BTreeMap<MemberId, Vec<Entry>>,
    pub participations: BTreeMap<(RuleId, MemberId), Participation>,
    pub requests: BTreeMap<RequestId, Request>,
    pub vouchers: BTreeMap<VoucherId, Voucher>,
}

/// How often a verdict may ask for more rows.
const QUESTIONS_MAX: usize = 5;

impl Book {
    /// A book with one member in it.
    pub fn of(member: Member) -> Self {
        Self { members: BTreeMap::from([(member.member_id.clone(), member)]), ..Self::default() }
    }

    /// Delivers a snapshot; answers the entries it posted.
    ///
    /// # Panics
    /// When the domain refuses it or keeps asking.
    pub fn deliver(&mut self, programme: &Programme, snapshot: &OrderSnapshot, now: Instant) -> Vec<Entry> {
        self.try_deliver(programme, snapshot, now).expect("a decision").entries
    }

    /// Delivers a snapshot.
    ///
    /// # Errors
    /// What the domain refuses.
    ///
    /// # Panics
    /// When the domain keeps asking for rows.
    pub fn try_deliver(
        &mut self,
        programme: &Programme,
        snapshot: &OrderSnapshot,
        now: Instant,
    ) -> Result<Decision, Rejection> {
        let order = self.orders.get(&snapshot.order_id).cloned();
        let member_id = member_of(order.as_ref(), snapshot).cloned();
        let member = member_id.and_then(|id| self.members.get(&id).cloned());
        let (mut left_member, mut history, mut participations, mut vouchers) = (None, None, None, None);
        for _ in 0..QUESTIONS_MAX {
            let rows = OrderRows {
                order: order.clone(),
                member: member.clone(),
                left_member: left_member.clone(),
                history: history.as_deref(),
                participations: participations.clone(),
                vouchers: vouchers.clone(),
            };
            match reconcile_order(programme, rows, snapshot.clone(), now)? {
                Verdict::Decided(decision) => {
                    self.apply(&decision);
                    return Ok(decision);
                }
                Verdict::NeedsMember(id) => left_member = self.members.get(&id).cloned(),
                Verdict::NeedsVouchers { named, used_for } => {
                    let asked = |voucher: &&Voucher| {
                        let used = used_for.is_some() && voucher.used_for == used_for;
                        used || named.contains(&voucher.voucher_id)
                    };
                    vouchers = Some(self.vouchers.values().filter(asked).cloned().collect());
                }
                Verdict::NeedsParticipations(id, campaigns) => participations = Some(self.part(&id, &campaigns)),
                Verdict::NeedsHistory(id) => history = Some(self.histories.get(&id).cloned().unwrap_or_default()),
            }
        }
        panic!("the domain keeps asking for rows");
    }

    /// Spends points of a member.
    ///
    /// # Panics
    /// When the domain refuses.
    pub fn spend(&mut self, programme: &Programme, member_id: &str, points: i64, now: Instant) -> Entry {
        let member = self.members[&MemberId::from(member_id)].clone();
        let key = RequestId::new(format!("r_{}", self.requests.len()));
        let redemption = Redemption {
            asked: Asked { request_id: key, fingerprint: String::new() },
            reward: None,
            points: Some(points),
            order_minor: None,
            hold: false,
        };
        let (_, decision) = redeem(programme, member, None, redemption, now).expect("enough points");
        self.apply(&decision);
        decision.entries.last().expect("an entry").clone()
    }

    /// Undoes a redemption.
    ///
    /// # Panics
    /// When the domain refuses.
    pub fn undo(&mut self, programme: &Programme, redemption: &Entry, now: Instant) -> Vec<Entry> {
        let member = self.members[&redemption.member_id].clone();
        let request = self.requests[redemption.request_id.as_ref().expect("the request behind it")].clone();
        let (_, decision) = undo(programme, member, request, redemption, now).expect("a redemption of the member");
        self.apply(&decision);
        decision.entries
    }

    /// The member's participations in campaigns, those that exist.
    fn part(&self, member_id: &MemberId, campaigns: &[RuleId]) -> Vec<Participation> {
        let key = |campaign: &RuleId| (campaign.clone(), member_id.clone());
        campaigns.iter().filter_map(|campaign| self.participations.get(&key(campaign)).cloned()).collect()
    }

    /// Writes a decision.
    ///
    /// # Panics
    /// When a duplicate writes something.
    pub fn apply(&mut self, decision: &Decision) {
        for member in decision.member.iter().chain(&decision.left_member) {
            self.members.insert(member.member_id.clone(), member.clone());
        }
        if let Some(order) = &decision.order {
            self.orders.insert(order.order_id.clone(), order.clone());
        }
        for participation in &decision.participations {
            let key = (participation.campaign.clone(), participation.member_id.clone());
            self.participations.insert(key, participation.clone());
        }
        for voucher in &decision.vouchers {
            self.vouchers.insert(voucher.voucher_id.clone(), voucher.clone());
        }
        if let Some(request) = &decision.request {
            self.requests.insert(request.request_id.clone(), request.clone());
        }
        for entry in &decision.entries {
            self.histories.entry(entry.member_id.clone()).or_default().push(entry.clone());
        }
        if decision.outcome == Outcome::Duplicate {
            assert!(decision.entries.is_empty() && decision.member.is_none(), "a duplicate writes");
        }
    }

    /// The member of the tests.
    ///
    /// # Panics
    /// When they do not exist.
    pub fn member(&self) -> &Member {
        &self.members[&MemberId::from("m_test")]
    }

    /// What an order has been posted, over all rules.
    pub fn posted(&self, order_id: &str) -> Legs {
        let order = &self.orders[&OrderId::from(order_id)];
        order.credits.iter().fold(Legs::ZERO, |sum, credit| sum.plus(credit.posted).expect("small figures"))
    }

    /// All rows, table by table, with revisions that a real book could have.
    pub fn rows(&self) -> Vec<(Table, loyalty_audit::Row)> {
        let members = self.members.values().map(|member| (Table::Members, rows::member(member, 1)));
        let orders = self.orders.values().map(|order| (Table::Orders, rows::order(order, 1)));
        let entries = self.histories.values().flatten().map(|entry| (Table::PointsHistory, rows::entry(entry)));
        let participations = self.participations.values();
        let participations = participations.map(|row| (Table::Participations, rows::participation(row, 1)));
        let requests = self.requests.values().map(|row| (Table::Requests, rows::request(row, 1)));
        let budgets = rows::budgets(self.participations.values()).into_iter();
        let budgets = budgets.map(|row| (Table::Participations, row));
        let vouchers = self.vouchers.values().map(|row| (Table::Vouchers, rows::voucher(row, 1)));
        let more = participations.chain(requests).chain(vouchers);
        members.chain(orders).chain(entries).chain(budgets).chain(more).collect()
    }

    /// Proves the book by the independent verifier.
    pub fn audit(&self) -> Report {
        let mut audit = Audit::new();
        for (table, row) in self.rows() {
            audit.row(table, &row);
        }
        audit.finish()
    }
}
