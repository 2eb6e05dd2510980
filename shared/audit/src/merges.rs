//! Merges: two members who are one person. What one entry takes away the other brings, both rows say so, and what belonged
//! to who joined belongs to who goes on from then on: orders, sums, participations that are over (X43).

use chrono::{DateTime, NaiveDate, Utc};
use compact_str::CompactString;
use foldhash::HashMap;

use crate::entry::{Entry, Kind};
use crate::fields::{Legs, Lot, Read, count, day, instant, text};
use crate::history::{Histories, History};
use crate::members::Members;
use crate::report::Findings;
use crate::{MemberSums, Row, Table};

/// The other side of a merge, as an entry names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub member_id: CompactString,
    seq: u64,
    pub from_cycle: NaiveDate,
    pub into_cycle: NaiveDate,
}

/// One side of a merge.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub note: Note,
    seq: u64,
    legs: Legs,
    lots: Vec<Lot>,
    wallet_minor: i128,
    /// What the member owed before it.
    debt: i128,
    recorded_at: DateTime<Utc>,
}

/// Where a member went, as their row says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Went {
    into: CompactString,
    at: DateTime<Utc>,
    cycle_start: NaiveDate,
}

/// In which cycles two members were when one joined the other.
#[derive(Clone, Debug)]
pub(crate) struct Cycles {
    into: CompactString,
    from_cycle: NaiveDate,
    into_cycle: NaiveDate,
}

/// Who joined whom, by who joined.
#[derive(Default)]
pub(crate) struct Merges {
    by_member: HashMap<CompactString, Cycles>,
    joined: HashMap<CompactString, Vec<CompactString>>,
}

impl Note {
    pub fn read(row: &Row) -> Read<Self> {
        Ok(Self {
            member_id: text(row, "member_id")?.into(),
            seq: u64::try_from(count(row, "seq", 1)?).unwrap_or(0),
            from_cycle: day(row, "from_cycle")?,
            into_cycle: day(row, "into_cycle")?,
        })
    }
}

impl Side {
    /// What a merge's entry says; `balance` is what the member had before it.
    pub fn of(entry: &Entry<'_>, balance: Legs) -> Option<Self> {
        Some(Self {
            note: entry.merge.clone()?,
            seq: entry.seq,
            legs: entry.legs,
            lots: entry.lots.clone(),
            wallet_minor: entry.wallet.map_or(0, |wallet| wallet.moved_minor),
            debt: (-balance.redeemable).max(0),
            recorded_at: entry.recorded_at,
        })
    }

    /// Each entry is the other's mirror, and the lots that who joins gives up are those that who goes on gets, less what
    /// they owed, soonest-expiring first (X22, X40).
    fn prove_brings(&self, out: &Self, wrong: &mut Vec<String>) {
        if self.legs != Legs::ZERO.minus(out.legs) || self.wallet_minor != -out.wallet_minor {
            wrong.push("brings something else than who joined had".to_owned());
        }
        if self.recorded_at != out.recorded_at
            || self.seq != out.note.seq
            || out.seq != self.note.seq
            || (self.note.from_cycle, self.note.into_cycle) != (out.note.from_cycle, out.note.into_cycle)
        {
            wrong.push("says otherwise than the entry of who joined when it was, or in which cycles".to_owned());
        }
        if self.legs.redeemable >= 0 {
            let mut debt = self.debt;
            let mut due = Vec::new();
            for lot in &out.lots {
                let paid = debt.min(-lot.points);
                debt -= paid;
                due.push(Lot { expiry: lot.expiry, points: -lot.points - paid });
            }
            due.retain(|lot| lot.points != 0);
            if due != self.lots {
                wrong.push("brings points that expire on other days than those of who joined".to_owned());
            }
        }
    }
}

impl Went {
    pub fn read(row: &Row) -> Read<Self> {
        Ok(Self { into: text(row, "into")?.into(), at: instant(row, "at")?, cycle_start: day(row, "cycle_start")? })
    }
}

impl Cycles {
    /// The cycle of who goes on that one of who joined is: the running one is the running one, and what was over is over.
    pub fn after(&self, cycle_start: NaiveDate) -> NaiveDate {
        if cycle_start >= self.from_cycle {
            self.into_cycle
        } else {
            cycle_start.min(self.into_cycle.pred_opt().unwrap_or(self.into_cycle))
        }
    }
}

impl Merges {
    pub fn of(histories: &Histories) -> Self {
        let mut merges = Self::default();
        for (member_id, history) in histories.all() {
            let Some(out) = &history.out else { continue };
            let Note { member_id: into, from_cycle, into_cycle, .. } = out.note.clone();
            merges.joined.entry(into.clone()).or_default().push(member_id.into());
            merges.by_member.insert(member_id.into(), Cycles { into, from_cycle, into_cycle });
        }
        merges
    }

    /// The cycles of a merge of one member into another, if there was one.
    pub fn cycles(&self, from: &str, into: &str) -> Option<&Cycles> {
        self.by_member.get(from).filter(|cycles| cycles.into == into)
    }

    /// Who a member is by now.
    pub fn now<'a>(&'a self, member_id: &'a str) -> &'a str {
        self.by_member.get(member_id).map_or(member_id, |cycles| &cycles.into)
    }

    /// Whether they joined another.
    pub fn joined_another(&self, member_id: &str) -> bool {
        self.by_member.contains_key(member_id)
    }

    /// Who joined a member.
    pub fn joined(&self, member_id: &str) -> &[CompactString] {
        self.joined.get(member_id).map_or(&[], Vec::as_slice)
    }

    /// A member and everybody who is the same person; empty where nobody else is.
    pub fn person<'a>(&'a self, member_id: &'a str) -> impl Iterator<Item = &'a str> {
        let now = self.now(member_id);
        let others = self.joined(now);
        others.iter().map(CompactString::as_str).chain((!others.is_empty()).then_some(now))
    }

    /// What the orders of a member add up to by now, of everybody who is them.
    pub fn sums(&self, member_id: &str, own: impl Fn(&str) -> MemberSums) -> MemberSums {
        if self.joined_another(member_id) {
            return MemberSums::default();
        }
        let mut sums = own(member_id);
        for from in self.joined(member_id) {
            let Some(cycles) = self.cycles(from, member_id) else { continue };
            let other = own(from);
            sums.orders_count += other.orders_count;
            sums.spent_minor += other.spent_minor;
            sums.pending_points += other.pending_points;
            for (cycle_start, (spent, orders)) in other.cycles {
                let cycle = sums.cycles.entry(cycles.after(cycle_start)).or_default();
                *cycle = (cycle.0 + spent, cycle.1 + orders);
            }
        }
        sums
    }

    /// Holds the two entries of every merge against each other, and both rows against them.
    pub fn prove(&self, histories: &Histories, members: &Members, findings: &mut Findings) {
        for (member_id, history) in histories.all() {
            let key = |side: &Side| format!("{member_id}/{}", side.seq);
            let mut add = |key: String, what: String| findings.add(Table::PointsHistory, key, what);
            if let Some(out) = &history.out {
                let other = histories.get(&out.note.member_id);
                let names = |side: &&Side| side.note.member_id == member_id && side.seq == out.note.seq;
                if other.is_none_or(|other| !other.joined.iter().any(|side| names(&side))) {
                    add(key(out), format!("joins {}, whose history does not say so", out.note.member_id));
                }
                if !history.joined.is_empty() {
                    add(key(out), "joins another after taking somebody in".to_owned());
                }
            }
            for side in &history.joined {
                let mut wrong = Vec::new();
                match histories.get(&side.note.member_id).and_then(|from| from.out.as_ref()) {
                    Some(out) if out.note.member_id == member_id => side.prove_brings(out, &mut wrong),
                    _ => wrong.push(format!("takes in {}, whose history does not say so", side.note.member_id)),
                }
                wrong.into_iter().for_each(|what| add(key(side), what));
            }
        }
        for (member_id, went, came, cycle_start) in members.merges() {
            for what in prove_row(histories.get(member_id), went, came, cycle_start) {
                findings.add(Table::Members, member_id.to_owned(), what);
            }
        }
    }
}

/// A row says where its member went, and who came, as the history does.
fn prove_row(
    history: Option<&History>,
    went: Option<&Went>,
    came: &[CompactString],
    cycle_start: NaiveDate,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let out = history.and_then(|history| history.out.as_ref());
    let due =
        out.map(|out| Went { into: out.note.member_id.clone(), at: out.recorded_at, cycle_start: out.note.into_cycle });
    if went != due.as_ref() {
        wrong.push("says otherwise than the history whom they joined, and when".to_owned());
    }
    if out.is_some_and(|out| out.note.from_cycle != cycle_start) {
        wrong.push("has gone on to another cycle after joining another".to_owned());
    }
    let joined = history.map_or(&[][..], |history| &history.joined);
    if !joined.iter().map(|side| &side.note.member_id).eq(came) {
        wrong.push("says otherwise than the history who joined them".to_owned());
    }
    if joined.iter().any(|side| side.note.into_cycle > cycle_start) {
        wrong.push("is in a cycle before one that somebody joined them in".to_owned());
    }
    wrong
}

/// A merge's entry names its other side, and nothing else does; who joins another keeps the tier.
pub(crate) fn prove(entry: &Entry<'_>, wrong: &mut Vec<String>) {
    let merges = matches!(entry.kind, Kind::MergeIn | Kind::MergeOut);
    if merges != entry.merge.is_some() {
        wrong.push("a merge, and nothing else, names another member".to_owned());
    }
    if entry.merge.as_ref().is_some_and(|note| note.member_id == entry.member_id) {
        wrong.push("merges a member with themselves".to_owned());
    }
    if entry.kind == Kind::MergeOut {
        if entry.tier_before != entry.tier_after {
            wrong.push("changes the tier of who joins another".to_owned());
        }
        if entry.balance_after != Legs::ZERO {
            wrong.push("leaves points with who joined another".to_owned());
        }
    }
}
