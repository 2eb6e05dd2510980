//! Plays every member's history again, entry by entry, and proves each entry where it stands.

use std::collections::HashMap;

use chrono::{DateTime, Days, NaiveDate, Utc};

use crate::Row;
use crate::Table;
use crate::facts::Facts;
use crate::fields::{
    Expiry, Legs, Lot, Problem, Read, count, instant, legs, legs_if_any, legs_of, lots, map, number, text, text_if_any,
};
use crate::orders::{Orders, Posting, Settled, passed};
use crate::report::Findings;
use crate::terms::Terms;

/// What kind of movement an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Accrual,
    Bonus,
    Welcome,
    Reversal,
    Redemption,
    Restoration,
    Expiration,
    Reset,
    Adjustment,
    Topup,
}

/// One row of the history, read.
struct Entry<'a> {
    member_id: &'a str,
    seq: u64,
    kind: Kind,
    legs: Legs,
    balance_after: Legs,
    lots: Vec<Lot>,
    written_off: Legs,
    tier_before: &'a str,
    tier_after: &'a str,
    rule: &'a str,
    order_id: Option<&'a str>,
    reverses: Option<u64>,
    explained: Option<Explained<'a>>,
    occurred_at: DateTime<Utc>,
    recorded_at: DateTime<Utc>,
}

/// The figures an order's entry was computed from.
struct Explained<'a> {
    terms: Terms<'a>,
    facts: Facts<'a>,
    deserves: Legs,
}

/// A member, rebuilt from their entries.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub last_seq: u64,
    pub balance: Legs,
    /// Open lots, in the order they are used.
    pub lots: Vec<Lot>,
    pub first_tier: String,
    pub tier: String,
    pub first_recorded_at: Option<DateTime<Utc>>,
    pub last_recorded_at: Option<DateTime<Utc>>,
    /// When the tier last changed; `None` while it has not.
    pub tier_since: Option<DateTime<Utc>>,
    /// The newest cycle that any terms name.
    pub newest_cycle: Option<NaiveDate>,
    /// The newest cycle whose qualifying points were written off as being of the past (X21).
    pub past_cycle: Option<NaiveDate>,
    /// Reviews have moved the cycle, so floor and cycle are no longer those of the beginning.
    pub reviewed: bool,
    redemptions: HashMap<u64, Redemption>,
}

#[derive(Debug)]
struct Redemption {
    points: i128,
    restored: bool,
}

/// The histories of all members.
#[derive(Default)]
pub(crate) struct Histories {
    by_member: HashMap<String, History>,
}

impl Histories {
    pub fn get(&self, member_id: &str) -> Option<&History> {
        self.by_member.get(member_id)
    }

    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_member.keys().map(String::as_str)
    }

    pub fn row(&mut self, row: &Row, orders: &mut Orders, findings: &mut Findings) -> Result<(), Problem> {
        let entry = Entry::read(row)?;
        let history = match self.by_member.get_mut(entry.member_id) {
            Some(history) => history,
            None => self.by_member.entry(entry.member_id.to_owned()).or_default(),
        };
        let mut wrong = Vec::new();
        history.play(&entry, &mut wrong);
        if let Some(explained) = &entry.explained {
            prove_order_entry(&entry, explained, orders, history, &mut wrong);
        }
        for what in wrong {
            findings.add(Table::PointsHistory, format!("{}/{}", entry.member_id, entry.seq), what);
        }
        Ok(())
    }
}

impl<'a> Entry<'a> {
    fn read(row: &'a Row) -> Read<Self> {
        let kind = kind(text(row, "kind")?)?;
        let order_id = text_if_any(row, "order_id")?;
        let of_an_order = matches!(kind, Kind::Accrual | Kind::Bonus | Kind::Welcome)
            || (kind == Kind::Reversal && order_id.is_some());
        let explained = if of_an_order || row.contains_key("terms") { Some(Explained::read(row)?) } else { None };
        if explained.is_some() && order_id.is_none() {
            return Err("`order_id` is missing".to_owned());
        }
        text(row, "reason")?;
        text(row, "programme_version")?;
        Ok(Self {
            member_id: text(row, "member_id")?,
            seq: u64::try_from(count(row, "seq", 1)?).map_err(|_| "`seq` does not fit".to_owned())?,
            kind,
            legs: legs_of(row)?,
            balance_after: legs(row, "balance_after")?,
            lots: lots(row, "lots")?,
            written_off: legs_if_any(row, "written_off")?.unwrap_or_default(),
            tier_before: text(row, "tier_before")?,
            tier_after: text(row, "tier_after")?,
            rule: text(row, "rule")?,
            order_id,
            reverses: match row.get("reverses") {
                None => None,
                Some(_) => u64::try_from(number(row, "reverses")?).ok(),
            },
            explained,
            occurred_at: instant(row, "occurred_at")?,
            recorded_at: instant(row, "recorded_at")?,
        })
    }
}

impl<'a> Explained<'a> {
    fn read(row: &'a Row) -> Read<Self> {
        Ok(Self {
            terms: Terms::read(map(row, "terms")?)?,
            facts: Facts::read(map(row, "facts")?)?,
            deserves: legs(row, "deserves")?,
        })
    }
}

fn kind(word: &str) -> Read<Kind> {
    Ok(match word {
        "accrual" => Kind::Accrual,
        "bonus" => Kind::Bonus,
        "welcome" => Kind::Welcome,
        "reversal" => Kind::Reversal,
        "redemption" => Kind::Redemption,
        "restoration" => Kind::Restoration,
        "expiration" => Kind::Expiration,
        "reset" => Kind::Reset,
        "adjustment" => Kind::Adjustment,
        "topup" => Kind::Topup,
        _ => return Err(format!("`kind` is {word:?}")),
    })
}

impl History {
    /// The history of somebody who never moved a point.
    pub fn none(tier: &str) -> Self {
        Self { tier: tier.to_owned(), first_tier: tier.to_owned(), ..Self::default() }
    }

    /// Plays one entry and says what does not fit. What follows is proved against what the entry itself states, so that
    /// one broken entry is one finding and not one for every later entry.
    fn play(&mut self, entry: &Entry<'_>, wrong: &mut Vec<String>) {
        let due = self.last_seq + 1;
        if entry.seq != due {
            wrong.push(format!("seq is {} where {due} is due: rows are missing or twice", entry.seq));
        }
        self.last_seq = entry.seq.max(self.last_seq);
        prove_sign(entry, wrong);
        let before = self.balance;
        let after = before.plus(entry.legs);
        if entry.balance_after != after {
            wrong.push(format!("balance_after is {}, but the running sum is {after}", entry.balance_after));
        }
        self.prove_times(entry, wrong);
        self.move_lots(entry, before.redeemable, after.redeemable, wrong);
        self.balance = entry.balance_after;
        self.chain_tier(entry, wrong);
        self.prove_counterpart(entry, wrong);
        self.reviewed |= entry.kind == Kind::Reset;
        if let Some(explained) = &entry.explained {
            self.newest_cycle = self.newest_cycle.max(Some(explained.terms.cycle_start));
        }
    }

    fn prove_times(&mut self, entry: &Entry<'_>, wrong: &mut Vec<String>) {
        self.first_recorded_at.get_or_insert(entry.recorded_at);
        let later = self.last_recorded_at.is_none_or(|last| entry.recorded_at > last);
        if self.last_recorded_at.is_some_and(|last| entry.recorded_at < last) {
            wrong.push("was recorded before the entry in front of it".to_owned());
        }
        self.last_recorded_at = self.last_recorded_at.max(Some(entry.recorded_at));
        // Points of an earlier decision that are overdue must have left before anything else was decided (E1). The
        // programme's zone is not known here; a day west of UTC is the earliest it can be.
        let earliest_today = entry.recorded_at.date_naive().checked_sub_days(Days::new(1)).unwrap_or(NaiveDate::MIN);
        if later && entry.kind != Kind::Expiration && self.overdue(earliest_today) {
            wrong.push("points whose last valid day has passed were still there".to_owned());
        }
    }

    fn overdue(&self, today: NaiveDate) -> bool {
        self.lots.first().is_some_and(|lot| matches!(lot.expiry, Expiry::On(day) if day < today))
    }

    /// Σ lots moved = what the part of the balance above zero moved by; lots are used in their order (I6, X40).
    fn move_lots(&mut self, entry: &Entry<'_>, before: i128, after: i128, wrong: &mut Vec<String>) {
        let moved: i128 = entry.lots.iter().map(|lot| lot.points).sum();
        let due = after.max(0) - before.max(0);
        if moved != due {
            wrong.push(format!("moves lots by {moved} points where balance and debt ask for {due}"));
        }
        for lot in &entry.lots {
            let along = if entry.legs.redeemable < 0 { lot.points < 0 } else { lot.points > 0 };
            if !along {
                wrong.push(format!("moves the lot of {} by {} points, against its leg", lot.expiry, lot.points));
            }
            if !self.move_lot(*lot) {
                wrong.push(format!("takes more from the lot of {} than it holds", lot.expiry));
            }
        }
        self.prove_order_of_use(entry, wrong);
    }

    /// Moves one lot; `false` when it does not hold so much, and it is then empty.
    fn move_lot(&mut self, moved: Lot) -> bool {
        match self.lots.binary_search_by_key(&moved.expiry, |lot| lot.expiry) {
            Ok(at) => {
                let points = self.lots[at].points + moved.points;
                if points > 0 {
                    self.lots[at].points = points;
                } else {
                    self.lots.remove(at);
                }
                points >= 0
            }
            Err(at) if moved.points > 0 => {
                self.lots.insert(at, moved);
                true
            }
            Err(_) => false,
        }
    }

    /// Spending takes soonest-expiring points first, a reversal its own first, an expiration whole lots whose day has
    /// passed (X23, X39, X40).
    fn prove_order_of_use(&self, entry: &Entry<'_>, wrong: &mut Vec<String>) {
        let own = match (&entry.explained, entry.kind) {
            (Some(explained), Kind::Reversal) => Some(explained.terms.expiry),
            _ => None,
        };
        let taken = entry.lots.iter().filter(|lot| lot.points < 0).map(|lot| lot.expiry);
        let last_taken = taken.filter(|expiry| Some(*expiry) != own).max();
        let Some(last_taken) = last_taken else { return };
        if self.lots.first().is_some_and(|open| open.expiry < last_taken) {
            wrong.push(format!("takes points of {last_taken} while sooner ones are left"));
        }
        if own.is_some_and(|own| self.lots.iter().any(|open| open.expiry == own)) {
            wrong.push("takes other points while its own lot is not empty".to_owned());
        }
        if entry.kind == Kind::Expiration {
            if entry.lots.iter().any(|lot| !passed(lot.expiry, entry.recorded_at)) {
                wrong.push("expires points whose last valid day has not passed".to_owned());
            }
            if self.lots.iter().any(|open| entry.lots.iter().any(|lot| lot.expiry == open.expiry)) {
                wrong.push("expires a lot in part".to_owned());
            }
        }
    }

    fn chain_tier(&mut self, entry: &Entry<'_>, wrong: &mut Vec<String>) {
        if self.first_tier.is_empty() {
            entry.tier_before.clone_into(&mut self.first_tier);
            entry.tier_before.clone_into(&mut self.tier);
        }
        if self.tier != entry.tier_before {
            wrong.push(format!("tier_before is {:?}, but the entry in front left {:?}", entry.tier_before, self.tier));
        }
        if entry.tier_before != entry.tier_after {
            self.tier_since = Some(entry.recorded_at);
        }
        if self.tier != entry.tier_after {
            entry.tier_after.clone_into(&mut self.tier);
        }
    }

    /// A restoration names a redemption of this member, once and in full; nothing but it and a reversal names any.
    fn prove_counterpart(&mut self, entry: &Entry<'_>, wrong: &mut Vec<String>) {
        match (entry.kind, entry.reverses) {
            (Kind::Redemption, None) => {
                let redemption = Redemption { points: -entry.legs.redeemable, restored: false };
                self.redemptions.insert(entry.seq, redemption);
            }
            (Kind::Restoration, Some(seq)) => match self.redemptions.get_mut(&seq) {
                Some(redemption) if redemption.restored => wrong.push(format!("restores entry {seq} a second time")),
                Some(redemption) => {
                    redemption.restored = true;
                    if redemption.points != entry.legs.redeemable {
                        wrong.push(format!("restores other points than the {} of entry {seq}", redemption.points));
                    }
                }
                None => wrong.push(format!("restores entry {seq}, which is no redemption of this member")),
            },
            (Kind::Reversal, Some(_)) | (Kind::Adjustment, _) => {}
            (Kind::Restoration | Kind::Reversal, None) => wrong.push("does not name what it takes back".to_owned()),
            (_, Some(seq)) => wrong.push(format!("names entry {seq} as taken back, but takes nothing back")),
            (_, None) => {}
        }
    }
}

/// Each kind moves points one way. Only a reversal writes anything off, and only what an order gets uses that up again.
fn prove_sign(entry: &Entry<'_>, wrong: &mut Vec<String>) {
    let (legs, written_off) = (entry.legs, entry.written_off);
    let right = match entry.kind {
        Kind::Accrual | Kind::Bonus | Kind::Topup => !legs.any_below_zero(),
        Kind::Welcome | Kind::Restoration => legs.redeemable >= 0 && legs.qualifying == 0,
        Kind::Reversal | Kind::Reset => !legs.any_above_zero(),
        Kind::Redemption | Kind::Expiration => legs.redeemable < 0 && legs.qualifying == 0,
        Kind::Adjustment => true,
    };
    if !right {
        wrong.push(format!("moves {legs}, which its kind does not"));
    }
    let right = match entry.kind {
        Kind::Reversal => !written_off.any_below_zero(),
        Kind::Accrual | Kind::Bonus | Kind::Welcome => !written_off.any_above_zero(),
        _ => written_off == Legs::ZERO,
    };
    if !right {
        wrong.push(format!("writes off {written_off}, which its kind does not"));
    }
    if legs == Legs::ZERO && written_off == Legs::ZERO && entry.kind != Kind::Reset {
        wrong.push("moves nothing".to_owned());
    }
}

/// Holds an order's entry against its own terms and facts, and counts it for the order.
fn prove_order_entry(
    entry: &Entry<'_>,
    explained: &Explained<'_>,
    orders: &mut Orders,
    history: &mut History,
    wrong: &mut Vec<String>,
) {
    let Explained { terms, facts, deserves } = explained;
    let barred = terms.may_be_barred() && *deserves == Legs::ZERO;
    match terms.deserved(facts) {
        Ok(computed) if computed == *deserves || barred => {}
        Ok(computed) => wrong.push(format!("deserves {deserves}, but its terms and facts give {computed}")),
        Err(problem) => wrong.push(problem),
    }
    if entry.occurred_at != facts.updated_at {
        wrong.push("did not happen when its facts say".to_owned());
    }
    let posting = Posting {
        order_id: entry.order_id.unwrap_or_default(),
        rule: entry.rule,
        member_id: entry.member_id,
        seq: entry.seq,
        takes: entry.kind == Kind::Reversal,
        legs: entry.legs,
        written_off: entry.written_off,
        reverses: entry.reverses,
        terms,
        updated_at: facts.updated_at,
        recorded_at: entry.recorded_at,
    };
    let Settled { before, after, may_have_expired } = orders.post(&posting, wrong);
    if after != *deserves {
        wrong.push(format!("leaves the order settled at {after}, but it deserves {deserves}"));
    }
    if entry.kind == Kind::Reversal {
        prove_written_off(entry, terms, before.minus(*deserves), may_have_expired, history, wrong);
    }
}

/// Points are written off only as the terms allow: what the balance may not bear (X22), what has expired (X23), what
/// belongs to a cycle that is over (X21).
fn prove_written_off(
    entry: &Entry<'_>,
    terms: &Terms<'_>,
    wanted: Legs,
    may_have_expired: bool,
    history: &mut History,
    wrong: &mut Vec<String>,
) {
    let taken = -entry.legs.redeemable;
    let before = history.balance.redeemable - entry.legs.redeemable;
    let most = terms.negative_balance.most(before, wanted.redeemable.max(0));
    if taken > most || (taken < most && (terms.reverse_expired || !may_have_expired)) {
        wrong.push(format!("takes {taken} redeemable points where its terms take {most}"));
    }
    if entry.written_off.qualifying > 0 {
        history.past_cycle = history.past_cycle.max(Some(terms.cycle_start));
        if terms.late_debits_current || entry.legs.qualifying != 0 {
            wrong.push("writes qualifying points off that its terms take".to_owned());
        }
    }
}
