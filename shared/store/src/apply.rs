//! Order events: decided in memory, one member after another, and written in one transaction for each member's events.
//!
//! Events that share an order or a member form a group and are folded together, so k orders of one member
//! cost one member row and not k (I3). Groups are written one after another, in a fixed order. A refused or unreadable
//! order concerns nobody but itself.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Deref;

use loyalty_domain::campaign::gone_on;
use loyalty_domain::decision::{Decision, Outcome, Verdict};
use loyalty_domain::ids::{MemberId, RuleId};
use loyalty_domain::ledger::Entry;
use loyalty_domain::merge::follow;
use loyalty_domain::order::{Order, OrderSnapshot};
use loyalty_domain::programme::Programme;
use loyalty_domain::reconcile::{OrderRows, member_of, reconcile_order};
use loyalty_domain::time::Instant;

use crate::commit::{Failure, pause};
use crate::rows::Rows;
use crate::staged::{Addition, Staged};
use crate::{Books, Consistency, StoreError};

/// How often an event is decided before it is given back as contended.
pub(crate) const ATTEMPTS_MAX: u32 = 8;
/// How often one decision may ask for more rows: for vouchers, the member an order leaves, a history, and participations.
const QUESTIONS_MAX: usize = 5;

/// One delivery of an order and the instant to decide it at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderEvent {
    pub snapshot: OrderSnapshot,
    pub now: Instant,
}

/// What has been written for an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub outcome: Outcome,
    /// The member the order belongs to.
    pub member_id: Option<MemberId>,
    /// Ledger entries posted.
    pub entries: usize,
}

impl Books {
    /// Applies order events; the answers stand in the order of the events. `programme_at` gives the programme in force
    /// at an instant.
    ///
    /// Nothing of an event that failed is written, and applying it again later is always safe.
    pub async fn apply_orders<P>(
        &self,
        programme_at: impl Fn(Instant) -> P,
        events: Vec<OrderEvent>,
    ) -> Vec<Result<Applied, StoreError>>
    where
        P: Deref<Target = Programme>,
    {
        let mut batch = Batch {
            books: self,
            programme_at,
            results: events.iter().map(|_| None).collect(),
            open: (0..events.len()).collect(),
            apart: HashSet::new(),
            waits: BTreeMap::new(),
            taken_up: HashMap::new(),
            events,
        };
        for attempt in 0..ATTEMPTS_MAX {
            if batch.open.is_empty() {
                break;
            }
            pause(attempt).await;
            // Whoever was wrong once reads what is really there.
            let consistency = if attempt == 0 { Consistency::Eventual } else { Consistency::Strong };
            // Boxed, or the layout of a caller's future nests deeper than the compiler goes.
            Box::pin(batch.attempt(consistency)).await;
        }
        let contended = || Err(StoreError::Contended { attempts: ATTEMPTS_MAX });
        batch.results.into_iter().map(|result| result.unwrap_or_else(contended)).collect()
    }
}

struct Batch<'a, F> {
    books: &'a Books,
    programme_at: F,
    events: Vec<OrderEvent>,
    results: Vec<Option<Result<Applied, StoreError>>>,
    /// Events without a result, by index.
    open: Vec<usize>,
    /// Events whose transaction failed for another reason than a race: each is written without the others, so that the
    /// one at fault fails alone.
    apart: HashSet<usize>,
    /// Members whose orders wait for campaigns that have gone on, and when somebody first came: they are decided first (X50).
    waits: BTreeMap<MemberId, (Instant, Vec<(RuleId, Instant)>)>,
    /// For whom and which campaign that has been done, and what came of it.
    taken_up: HashMap<(MemberId, RuleId), Result<(), StoreError>>,
}

impl<F, P> Batch<'_, F>
where
    F: Fn(Instant) -> P,
    P: Deref<Target = Programme>,
{
    /// Reads, decides and writes all open events once. What lost a race is open again afterwards.
    async fn attempt(&mut self, consistency: Consistency) {
        for (member_id, (now, gone_on)) in std::mem::take(&mut self.waits) {
            let done = self.books.take_up(&(self.programme_at)(now), &member_id, &gone_on).await;
            let key = |(campaign, _)| ((member_id.clone(), campaign), done.clone());
            self.taken_up.extend(gone_on.into_iter().map(key));
        }
        let open = std::mem::take(&mut self.open);
        let snapshots = open.iter().map(|event| &self.events[*event].snapshot);
        match self.books.load(snapshots, consistency).await {
            Ok(mut rows) => {
                for group in self.groups(&open, &rows) {
                    self.fold(group, &mut rows, consistency).await;
                }
            }
            Err(error) => open.into_iter().for_each(|event| self.results[event] = Some(Err(error.clone()))),
        }
        self.open.sort_unstable();
    }

    /// Events that share an order, or a member that one of them may write, belong together. Each group oldest order first;
    /// of one order the newest version first, so that what came with it earns nothing that is taken back again (X27, I5).
    fn groups(&self, open: &[usize], rows: &Rows) -> Vec<Vec<usize>> {
        let mut groups = Groups::default();
        for &event in open {
            let snapshot = &self.events[event].snapshot;
            let group = groups.of(&format!("order {}", snapshot.order_id));
            for member_id in snapshot.member_id.iter().chain(rows.owner(&snapshot.order_id)) {
                groups.join(group, &format!("member {}", rows.now(member_id)));
            }
        }
        let mut together: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for &event in open {
            let group = groups.of(&format!("order {}", self.events[event].snapshot.order_id));
            together.entry(group).or_default().push(event);
        }
        let mut groups: Vec<_> = together.into_values().collect();
        let snapshot = |event: &usize| &self.events[*event].snapshot;
        for group in &mut groups {
            let mut newest = HashMap::new();
            for event in group.iter() {
                let known = newest.entry(&snapshot(event).order_id).or_insert(snapshot(event).facts);
                *known = (*known).max(snapshot(event).facts);
            }
            let order = |event: &usize| (newest[&snapshot(event).order_id], &snapshot(event).order_id);
            group.sort_by_key(|event| (order(event), Reverse(snapshot(event).facts), *event));
        }
        groups
    }

    async fn fold(&mut self, group: Vec<usize>, rows: &mut Rows, consistency: Consistency) {
        let apart = group.iter().any(|event| self.apart.contains(event));
        let mut staged = Staged::default();
        for (at, &event) in group.iter().enumerate() {
            let decision = match self.waits(event, rows) {
                Ok(true) => Ok(None),
                Ok(false) => self.decide(event, rows, &staged.entries, consistency).await,
                Err(error) => Err(error),
            };
            let decision = match decision {
                Ok(Some(decision)) => decision,
                Ok(None) => {
                    self.open.push(event);
                    continue;
                }
                Err(error) => {
                    self.results[event] = Some(Err(error));
                    continue;
                }
            };
            if let Err(error) = self.mark(event, &decision).await {
                self.results[event] = Some(Err(error));
                continue;
            }
            let applied = self.applied(event, &decision, rows);
            if decision.order.is_none() && decision.member.is_none() {
                if !staged.follow(&self.events[event].snapshot.order_id, event, applied.clone()) {
                    self.results[event] = Some(Ok(applied));
                }
                continue;
            }
            let programme = (self.programme_at)(self.events[event].now);
            let added = match Addition::new(&decision, rows, &programme) {
                Ok(addition) if staged.is_empty() || (!apart && staged.has_room_for(&addition)) => Ok(addition),
                Ok(_) => {
                    if !self.flush(std::mem::take(&mut staged), rows).await {
                        self.open.extend(&group[at..]);
                        return;
                    }
                    Addition::new(&decision, rows, &programme)
                }
                Err(error) => Err(error),
            };
            match added {
                Ok(addition) => staged.add(addition, decision, event, applied, rows),
                Err(error) => self.results[event] = Some(Err(error)),
            }
        }
        self.flush(staged, rows).await;
    }

    /// Whether other orders of a member it concerns are decided first, because a campaign has gone on for which they waited.
    fn waits(&mut self, event: usize, rows: &Rows) -> Result<bool, StoreError> {
        let OrderEvent { snapshot, now } = &self.events[event];
        let concerned = snapshot.member_id.iter().chain(rows.owner(&snapshot.order_id)).map(|id| rows.now(id));
        let members = concerned.filter(|_| !snapshot.again).filter_map(|id| rows.member(id).ok()?.row.as_ref());
        let mut waits = false;
        for member in members {
            let mut open = Vec::new();
            let now = (*now).max(member.as_of);
            for (campaign, at) in gone_on(&(self.programme_at)(now), member, now) {
                match self.taken_up.get(&(member.member_id.clone(), campaign.clone())) {
                    Some(done) => done.clone()?,
                    None => open.push((campaign, at)),
                }
            }
            if !open.is_empty() {
                waits = true;
                if self.waits.get(&member.member_id).is_none_or(|(first, _)| now < *first) {
                    self.waits.insert(member.member_id.clone(), (now, open));
                }
            }
        }
        Ok(waits)
    }

    /// Asks the domain until it has what it needs. `None` when only a consistent read can tell.
    async fn decide(
        &self,
        event: usize,
        rows: &mut Rows,
        staged: &[Entry],
        consistency: Consistency,
    ) -> Result<Option<Decision>, StoreError> {
        let OrderEvent { snapshot, now } = &self.events[event];
        let order = rows.order(&snapshot.order_id)?.row.clone();
        let (order, snapshot) = &follow(order, snapshot.clone(), &rows.merged());
        let member = match member_of(order.as_ref(), snapshot) {
            Some(member_id) => rows.member(member_id)?.row.clone(),
            None => None,
        };
        let (mut left_member, mut history, mut participations, mut vouchers) = (None, None, None, None);
        for _ in 0..QUESTIONS_MAX {
            let asked = OrderRows {
                order: order.clone(),
                member: member.clone(),
                left_member: left_member.clone(),
                history: history.as_deref(),
                participations: participations.clone(),
                vouchers: vouchers.clone(),
            };
            let verdict = reconcile_order(&(self.programme_at)(*now), asked, snapshot.clone(), *now);
            match verdict.map_err(StoreError::Rejected)? {
                Verdict::Decided(decision) => {
                    let uncertain = consistency == Consistency::Eventual
                        && may_rest_on_a_stale_read(&decision, snapshot, order.as_ref());
                    return Ok((!uncertain).then_some(decision));
                }
                Verdict::NeedsMember(member_id) => {
                    left_member = rows.member(&member_id)?.row.clone();
                    if left_member.is_none() && consistency == Consistency::Eventual {
                        return Ok(None);
                    }
                }
                Verdict::NeedsVouchers { named, used_for } => {
                    vouchers = Some(self.books.load_vouchers(rows, named, used_for.as_ref()).await?);
                }
                Verdict::NeedsHistory(member_id) => {
                    let joined = member.as_ref().map_or(&[][..], |member| &member.merged_from);
                    let mut entries = self.books.whole_histories(joined, &member_id).await?;
                    entries.extend(staged.iter().filter(|entry| entry.member_id == member_id).cloned());
                    history = Some(entries);
                }
                Verdict::NeedsParticipations(member_id, campaigns) => {
                    let of = (&member_id, member.as_ref(), order.as_ref());
                    if !self.books.load_participations(rows, of, &campaigns, consistency).await? {
                        return Ok(None);
                    }
                    let key = |campaign: &RuleId| (campaign.clone(), member_id.clone());
                    let known = campaigns.iter().filter_map(|campaign| rows.participation(&key(campaign)).row.clone());
                    participations = Some(known.collect());
                }
            }
        }
        Err(StoreError::Corrupt {
            table: "orders",
            key: snapshot.order_id.to_string(),
            source: std::sync::Arc::new(OwnerMissing),
        })
    }

    /// Before an order is kept that waits for a paused campaign, a mark says so (X50).
    async fn mark(&mut self, event: usize, decision: &Decision) -> Result<(), StoreError> {
        let order_id = &self.events[event].snapshot.order_id;
        for participation in decision.participations.iter().filter(|part| part.waiting.contains(order_id)) {
            self.books.mark(&participation.campaign).await?;
            // It has not been taken up yet, whatever was before.
            self.taken_up.remove(&(participation.member_id.clone(), participation.campaign.clone()));
        }
        Ok(())
    }

    fn applied(&self, event: usize, decision: &Decision, rows: &Rows) -> Applied {
        let order_id = &self.events[event].snapshot.order_id;
        let next = decision.order.as_ref().and_then(|order| order.owner.as_ref()).map(|owner| &owner.member_id);
        Applied {
            outcome: decision.outcome,
            member_id: next.or(rows.owner(order_id)).cloned(),
            entries: decision.entries.len(),
        }
    }

    /// Writes what is staged. `false` when some of it was not written: then the rows are no longer what they were, and
    /// the events concerned are open again or have failed.
    async fn flush(&mut self, mut staged: Staged, rows: &mut Rows) -> bool {
        let mut all = true;
        for order in staged.alone() {
            let written = self.books.put(&order.write).await;
            all &= self.settle(order.events.clone(), written);
        }
        let together = staged.take_together();
        if !together.is_empty() {
            let written = self.books.transact(together).await;
            all &= self.settle(staged.events_together(), written);
        }
        if all {
            staged.written(rows);
        }
        all
    }

    fn settle(&mut self, events: Vec<(usize, Applied)>, written: Result<(), Failure>) -> bool {
        let several = events.len() > 1;
        let done = written.is_ok();
        for (event, applied) in events {
            match &written {
                Ok(()) => self.results[event] = Some(Ok(applied)),
                Err(Failure::Lost) => self.open.push(event),
                Err(Failure::Fault(_)) if several => {
                    self.apart.insert(event);
                    self.open.push(event);
                }
                Err(Failure::Fault(error)) => self.results[event] = Some(Err(error.clone())),
            }
        }
        done
    }
}

/// Whether nothing is written although the row, if it is not the newest, might have said otherwise. Versions only rise,
/// so what is old for an old row is old for the newest. But whether the order was ever undone may have come to matter
/// since (X25, X28).
fn may_rest_on_a_stale_read(decision: &Decision, snapshot: &OrderSnapshot, order: Option<&Order>) -> bool {
    let nothing = matches!(decision.outcome, Outcome::Duplicate | Outcome::Stale);
    nothing && snapshot.facts.undone() && order.is_some_and(|order| !order.ever_undone)
}

#[derive(Debug, thiserror::Error)]
#[error("the member it belongs to has no row")]
struct OwnerMissing;

/// Which of the things seen belong together (union-find).
#[derive(Default)]
struct Groups {
    parent: Vec<usize>,
    of: HashMap<String, usize>,
}

impl Groups {
    /// The group of a thing: a new one when it was not seen before.
    fn of(&mut self, thing: &str) -> usize {
        if let Some(&known) = self.of.get(thing) {
            return self.root(known);
        }
        let new = self.parent.len();
        self.parent.push(new);
        self.of.insert(thing.to_owned(), new);
        new
    }

    /// The thing belongs to the group from now on, with all that it belonged with.
    fn join(&mut self, group: usize, thing: &str) {
        let (one, other) = (self.root(group), self.of(thing));
        self.parent[one.max(other)] = one.min(other);
    }

    fn root(&self, mut at: usize) -> usize {
        while self.parent[at] != at {
            at = self.parent[at];
        }
        at
    }
}
