//! Commands and what they posted: each accepted command has one entry, and each held redemption is waiting, confirmed or
//! given back.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::Row;
use crate::Table;
use crate::entry::{Entry, Kind};
use crate::fields::{Lot, Problem, Read, count, instant, list, lots, map_if_any, number, number_if_any, text};
use crate::history::{Histories, History};
use crate::members::Members;
use crate::report::Findings;
use crate::value::Value;

/// What a command posted.
#[derive(Debug)]
pub(crate) struct Asked {
    pub kind: Kind,
    request_id: String,
    rule: String,
    points: i128,
    worth_minor: Option<i128>,
    lots: Vec<Lot>,
    recorded_at: DateTime<Utc>,
    restored: Option<Restored>,
}

/// How the points of a redemption came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restored {
    Undone,
    Lapsed,
}

impl Asked {
    /// What a command's entry posted; `None` for what nobody asked for.
    pub fn of(entry: &Entry<'_>) -> Option<Self> {
        entry.kind.is_asked_for().then(|| Self {
            kind: entry.kind,
            request_id: entry.request_id.unwrap_or_default().to_owned(),
            rule: entry.rule.to_owned(),
            points: entry.legs.redeemable,
            worth_minor: entry.wallet.map(|wallet| wallet.moved_minor),
            lots: if entry.kind == Kind::Redemption { entry.lots.clone() } else { Vec::new() },
            recorded_at: entry.recorded_at,
            restored: None,
        })
    }

    /// A restoration gives back a redemption once and in full.
    pub fn restore(&mut self, entry: &Entry<'_>, wrong: &mut Vec<String>) {
        if self.restored.is_some() {
            wrong.push("restores its redemption a second time".to_owned());
        }
        self.restored = Some(if entry.lapsed() { Restored::Lapsed } else { Restored::Undone });
        if -self.points != entry.legs.redeemable {
            wrong.push(format!("restores other points than the {} of its redemption", -self.points));
        }
        if entry.request_id != Some(&self.request_id) {
            wrong.push("restores a redemption of another request".to_owned());
        }
        if entry.rule != if entry.lapsed() { "hold" } else { &self.rule } {
            wrong.push("restores a redemption under another rule".to_owned());
        }
    }
}

/// A redemption that waits to be confirmed, as it stands on its member's row.
#[derive(Debug)]
pub(crate) struct Hold {
    request_id: String,
    seq: u64,
    lots: Vec<Lot>,
    pub until: DateTime<Utc>,
}

impl Hold {
    pub fn read_all(row: &Row) -> Read<Vec<Self>> {
        let read = |value: &Value| {
            let Value::M(hold) = value else { return Err("`holds` is not a list of holds".to_owned()) };
            Ok(Self {
                request_id: text(hold, "request_id")?.to_owned(),
                seq: u64::try_from(count(hold, "seq", 1)?).unwrap_or(0),
                lots: lots(hold, "lots")?,
                until: instant(hold, "until")?,
            })
        };
        list(row, "holds")?.iter().map(read).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Held,
    Confirmed,
    Undone,
}

/// A row of `requests`, read.
#[derive(Debug)]
struct Request {
    member_id: String,
    kind: Kind,
    state: State,
    rule: String,
    points: i128,
    worth_minor: i128,
    seq: u64,
    hold_until: Option<DateTime<Utc>>,
    /// The id of the voucher's offer, where it buys one.
    buys: Option<String>,
    created_at: DateTime<Utc>,
}

/// All rows of `requests`.
#[derive(Default)]
pub(crate) struct Requests {
    by_id: BTreeMap<String, Request>,
}

/// Whether a row is a note of a run for the next one, and no request: nothing of the books follows from it.
pub(crate) fn is_note(row: &Row) -> bool {
    text(row, "request_id").is_ok_and(|id| id == "(runs)" || id.starts_with("(waiting)"))
}

impl Requests {
    /// Whose a request is.
    pub fn member_of(&self, request_id: &str) -> Option<&str> {
        self.by_id.get(request_id).map(|request| request.member_id.as_str())
    }

    /// The grant of the voucher that each redemption has paid for, by the request.
    pub fn grants_paid(&self) -> impl Iterator<Item = (&str, String)> {
        self.by_id.iter().filter_map(|(request_id, request)| {
            let offer = request.buys.as_ref().filter(|_| request.state == State::Confirmed)?;
            Some((request_id.as_str(), format!("{}/redemption/{request_id}/{offer}", request.member_id)))
        })
    }

    pub fn row(&mut self, row: &Row, findings: &mut Findings) -> Result<(), Problem> {
        let request_id = text(row, "request_id")?;
        let request = Request::read(row)?;
        if self.by_id.insert(request_id.to_owned(), request).is_some() {
            findings.add(Table::Requests, request_id.to_owned(), "stands there twice".to_owned());
        }
        Ok(())
    }

    pub fn finish(&self, members: &Members, histories: &Histories, findings: &mut Findings) {
        for (request_id, request) in &self.by_id {
            let mut wrong = Vec::new();
            let history = histories.get(&request.member_id);
            match history.and_then(|history| history.asked.get(&request.seq)) {
                Some(asked) if asked.request_id == *request_id => {
                    request.prove(asked, &mut wrong);
                    let holds = members.holds(&request.member_id).iter();
                    let held = holds.filter(|hold| hold.request_id == *request_id).count();
                    request.prove_state(asked, held, &mut wrong);
                }
                _ => wrong.push(format!("its entry {} of {} does not exist", request.seq, request.member_id)),
            }
            for what in wrong {
                findings.add(Table::Requests, request_id.clone(), what);
            }
        }
        for (member_id, history) in histories.all() {
            self.prove_asked(member_id, history, findings);
        }
        for (member_id, holds) in members.all_holds() {
            for hold in holds {
                for what in self.prove_hold(hold, histories.get(member_id)) {
                    findings.add(Table::Members, member_id.to_owned(), what);
                }
            }
        }
    }

    /// What a command posted, its request remembers, so that it is never posted again.
    fn prove_asked(&self, member_id: &str, history: &History, findings: &mut Findings) {
        for (seq, asked) in &history.asked {
            let known = self.by_id.get(&asked.request_id);
            if known.is_none_or(|known| known.member_id != member_id || known.seq != *seq) {
                let what = format!("no row of requests remembers {:?}", asked.request_id);
                findings.add(Table::PointsHistory, format!("{member_id}/{seq}"), what);
            }
        }
    }

    fn prove_hold(&self, hold: &Hold, history: Option<&History>) -> Vec<String> {
        let mut wrong = Vec::new();
        let Hold { request_id, seq, lots, until } = hold;
        match history.and_then(|history| history.asked.get(seq)) {
            Some(asked) if asked.kind == Kind::Redemption && asked.request_id == *request_id => {
                if asked.lots != *lots {
                    wrong.push(format!("holds other points than entry {seq} took"));
                }
                if asked.restored.is_some() {
                    wrong.push(format!("still holds the points of entry {seq}, which came back"));
                }
            }
            _ => wrong.push(format!("holds entry {seq}, which is no redemption by {request_id:?}")),
        }
        let request = self.by_id.get(request_id);
        if request.is_none_or(|request| request.state != State::Held || request.hold_until != Some(*until)) {
            wrong.push(format!("holds {request_id:?} until {until}, but its request does not"));
        }
        wrong
    }
}

impl Request {
    fn read(row: &Row) -> Read<Self> {
        count(row, "revision", 1)?;
        if !row.contains_key("fingerprint") {
            return Err("`fingerprint` is missing".to_owned());
        }
        Ok(Self {
            member_id: text(row, "member_id")?.to_owned(),
            kind: match text(row, "kind")? {
                "redemption" => Kind::Redemption,
                "adjustment" => Kind::Adjustment,
                "behaviour" => Kind::Behaviour,
                "topup" => Kind::Topup,
                "opening" => Kind::Opening,
                "merge" => Kind::MergeIn,
                word => return Err(format!("`kind` is {word:?}")),
            },
            state: match text(row, "state")? {
                "held" => State::Held,
                "confirmed" => State::Confirmed,
                "undone" => State::Undone,
                word => return Err(format!("`state` is {word:?}")),
            },
            rule: text(row, "rule")?.to_owned(),
            points: number(row, "points")?,
            worth_minor: number_if_any(row, "worth_minor")?.unwrap_or(0),
            seq: u64::try_from(count(row, "seq", 1)?).unwrap_or(0),
            buys: match map_if_any(row, "buys")? {
                Some(offer) => Some(text(offer, "offer")?.to_owned()),
                None => None,
            },
            hold_until: if row.contains_key("hold_until") { Some(instant(row, "hold_until")?) } else { None },
            created_at: instant(row, "created_at")?,
        })
    }

    fn prove(&self, asked: &Asked, wrong: &mut Vec<String>) {
        if self.kind != asked.kind || self.rule != asked.rule {
            wrong.push("asked for something else than its entry posted".to_owned());
        }
        if self.points != asked.points {
            wrong.push(format!("moved {} points, but its entry {}", self.points, asked.points));
        }
        // What a discount is worth stands nowhere else.
        let worth_minor = asked.worth_minor.or((self.kind != Kind::Redemption).then_some(0));
        if worth_minor.is_some_and(|worth| worth != self.worth_minor)
            || (self.worth_minor < 0 && self.kind != Kind::MergeIn)
        {
            wrong.push("is worth another amount than its entry moved".to_owned());
        }
        if self.created_at != asked.recorded_at {
            wrong.push("was not made when its entry was recorded".to_owned());
        }
        if self.kind != Kind::Redemption && (self.hold_until.is_some() || self.state != State::Confirmed) {
            wrong.push("is no redemption, yet was held or undone".to_owned());
        }
        if self.hold_until.is_some_and(|until| until < self.created_at) {
            wrong.push("was held until before it was made".to_owned());
        }
    }

    /// Confirmed: the points stay away. Undone: they came back. Held: they wait on the member's row, or the hold has
    /// lapsed and they came back by themselves.
    fn prove_state(&self, asked: &Asked, held: usize, wrong: &mut Vec<String>) {
        let right = match (self.state, asked.restored) {
            (State::Held, None) => held == 1 && self.hold_until.is_some(),
            (State::Held, Some(restored)) => held == 0 && restored == Restored::Lapsed && self.hold_until.is_some(),
            (State::Confirmed, restored) => held == 0 && restored.is_none(),
            (State::Undone, restored) => held == 0 && restored == Some(Restored::Undone),
        };
        if !right {
            let came_back = if asked.restored.is_some() { "came back" } else { "did not come back" };
            wrong.push(format!("is {:?}, but its points {came_back} and its member holds it {held} times", self.state));
        }
    }
}
