//! What the entries of one credit of an order add up to, entry by entry.

use chrono::{DateTime, NaiveDate, Utc};
use compact_str::CompactString;

use crate::fields::{Expiry, Legs};
use crate::imported::Imported;
use crate::merges::{Cycles, Merges};
use crate::orders::passed;
use crate::terms::Terms;
use crate::welcome::{WELCOME, Welcome};

/// An entry that credited an order, or took from it.
pub(crate) struct Posting<'a> {
    pub order_id: &'a str,
    pub rule: &'a str,
    pub member_id: &'a str,
    pub seq: u64,
    pub takes: bool,
    /// The order was undone by then.
    pub undone: bool,
    pub legs: Legs,
    pub written_off: Legs,
    pub reverses: Option<u64>,
    pub terms: &'a Terms<'a>,
    /// The cycle that its qualifying points are of (X21).
    pub cycle_start: NaiveDate,
    /// A review has taken redeemable points of the member before (X42).
    pub rewards_reset: bool,
    pub imported: Option<Imported>,
    pub updated_at: DateTime<Utc>,
    pub recorded_at: DateTime<Utc>,
}

/// At what a credit had settled before an entry and after it.
pub(crate) struct Settled {
    pub before: Legs,
    pub after: Legs,
    /// Some of the credit's points may have expired by now (X23), or gone with a review (X42).
    pub may_have_expired: bool,
    /// Qualifying points that were of the entry's cycle before it (X21).
    pub in_cycle: i128,
    pub participation: Use,
    pub generation: i128,
}

/// What an entry of a credit that had a participation does about it (X18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Unchanged,
    GivesBack,
    Again,
}

/// What a credit has before its first entry, and by which entry of its member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub legs: Legs,
    pub seq: u64,
}

impl Held {
    /// An opening is its member's first entry.
    pub fn of(imported: Option<Imported>, welcome: Option<Welcome>) -> Self {
        match (imported, welcome) {
            (Some(imported), _) => Self { legs: imported.legs, seq: u64::from(imported.legs != Legs::ZERO) },
            (None, Some(Welcome { seq, points })) => Self { legs: Legs { redeemable: points, qualifying: 0 }, seq },
            (None, None) => Self { legs: Legs::ZERO, seq: 0 },
        }
    }
}

/// What the entries of one credit add up to.
#[derive(Clone, Debug)]
pub(crate) struct CreditSum {
    pub rule: CompactString,
    pub member_id: CompactString,
    pub posted: Legs,
    pub written_off: Legs,
    pub pinned: u64,
    pub dates: Dates,
    /// The earliest expiry that any of its points had.
    pub earliest_expiry: Expiry,
    pub last_credit_seq: u64,
    pub generation: i128,
    pub released: bool,
    /// A review took redeemable points since its cycle began (X42).
    pub reviewed: bool,
    /// The member it was credited to has joined the one it is with now.
    pub moved: bool,
    pub imported: Option<Imported>,
    pub in_cycle: InCycle,
    pub updated_at: DateTime<Utc>,
}

/// The newest cycle that qualifying points of a credit are of, and how many are (X21).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InCycle {
    pub cycle_start: NaiveDate,
    pub qualifying: i128,
}

/// The part of the terms that begins anew when an order comes back, or gets more points after the first expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dates {
    pub expiry: Expiry,
    pub cycle_start: NaiveDate,
}

impl Dates {
    pub fn of(terms: &Terms<'_>) -> Self {
        Self { expiry: terms.expiry, cycle_start: terms.cycle_start }
    }
}

impl CreditSum {
    pub fn begin(posting: &Posting<'_>, pinned: u64, welcomes: &[Welcome]) -> Self {
        let imported = posting.imported;
        // It took a welcome over without an entry; the first one takes it back, and in whole.
        let taken = posting.written_off.minus(posting.legs).redeemable;
        let welcome = posting.reverses.map(|seq| Welcome { seq, points: taken });
        let welcome = welcome.filter(|_| posting.rule == WELCOME && posting.takes);
        let held = Held::of(imported, welcome.filter(|welcome| welcomes.contains(welcome)));
        let begun = imported.map_or(posting.terms.cycle_start, |imported| imported.cycle_start);
        let dates = imported.map_or(Dates::of(posting.terms), |imported| Dates {
            expiry: imported.expiry,
            cycle_start: imported.cycle_start,
        });
        Self {
            rule: posting.rule.into(),
            member_id: posting.member_id.into(),
            posted: held.legs,
            written_off: Legs::ZERO,
            pinned,
            dates,
            earliest_expiry: dates.expiry,
            last_credit_seq: held.seq,
            generation: i128::from(held.seq > 0),
            released: false,
            reviewed: false,
            moved: false,
            imported,
            in_cycle: InCycle { cycle_start: begun, qualifying: held.legs.qualifying },
            updated_at: posting.updated_at,
        }
    }

    /// As it is with the member whom its own one joined.
    pub fn moved(mut self, cycles: &Cycles, into: &str) -> Self {
        self.member_id = into.into();
        self.moved = true;
        self.dates.cycle_start = cycles.after(self.dates.cycle_start);
        self.in_cycle.cycle_start = cycles.after(self.in_cycle.cycle_start);
        if let Some(imported) = &mut self.imported {
            imported.cycle_start = cycles.after(imported.cycle_start);
        }
        self
    }

    pub fn post(&mut self, posting: &Posting<'_>, pinned: u64, merges: &Merges, wrong: &mut Vec<String>) -> Settled {
        if self.member_id != posting.member_id {
            match merges.cycles(&self.member_id, posting.member_id) {
                Some(cycles) => *self = self.clone().moved(cycles, posting.member_id),
                None => wrong.push(format!("credits order {} to a second member", posting.order_id)),
            }
        }
        if self.imported != posting.imported {
            wrong.push("says otherwise than the order's first entry what an opening holds for it".to_owned());
        }
        if self.pinned != pinned {
            wrong.push("has other terms than the order's first entry".to_owned());
        }
        if posting.updated_at < self.updated_at {
            wrong.push("has older facts than the order's entry before it".to_owned());
        }
        self.updated_at = posting.updated_at;
        let before = self.posted.minus(self.written_off);
        self.reviewed |= posting.rewards_reset && self.dates.cycle_start < posting.cycle_start;
        let may_have_expired = self.reviewed || passed(self.earliest_expiry, posting.recorded_at);
        self.date(posting, before, wrong);
        if !posting.takes && before == Legs::ZERO && posting.terms.cycle_start != posting.cycle_start {
            wrong.push("counts in another cycle than it was posted in".to_owned());
        }
        if posting.takes {
            if posting.reverses != Some(self.last_credit_seq) {
                wrong.push(format!("does not name entry {}, the order's last credit", self.last_credit_seq));
            }
        } else {
            if before == Legs::ZERO {
                self.generation += 1;
            }
            self.last_credit_seq = posting.seq;
            self.prove_kept(posting, wrong);
        }
        let in_cycle = self.count_in_cycle(posting);
        self.posted = self.posted.plus(posting.legs);
        if posting.takes {
            self.in_cycle.qualifying = self.in_cycle.qualifying.min(self.posted.qualifying);
        }
        self.written_off = self.written_off.plus(posting.written_off);
        let after = self.posted.minus(self.written_off);
        Settled {
            before,
            after,
            may_have_expired,
            in_cycle,
            participation: self.use_of(posting, after),
            generation: self.generation,
        }
    }

    /// What is credited is of the cycle it is posted in; what is taken back is of the entry's own cycle first. Answers how
    /// many points were of that cycle before.
    fn count_in_cycle(&mut self, posting: &Posting<'_>) -> i128 {
        let same = self.in_cycle.cycle_start == posting.cycle_start;
        let there = if same { self.in_cycle.qualifying } else { 0 };
        if !posting.takes {
            let qualifying = there + posting.legs.qualifying;
            self.in_cycle = InCycle { cycle_start: posting.cycle_start, qualifying };
        } else if same {
            let wanted = posting.written_off.qualifying - posting.legs.qualifying;
            self.in_cycle.qualifying -= wanted.min(there);
        }
        there
    }

    /// An undone order whose terms say so gives its participation back once nothing of the bonus is left with the member;
    /// what it is credited afterwards it has used one again for (X18).
    fn use_of(&mut self, posting: &Posting<'_>, after: Legs) -> Use {
        let nothing_left = self.posted.redeemable == 0 && after == Legs::ZERO;
        if self.moved {
            // The participations of who joined another are over.
            Use::Unchanged
        } else if posting.takes && posting.undone && posting.terms.restores_participation && nothing_left {
            self.released = true;
            Use::GivesBack
        } else if !posting.takes && self.released {
            self.released = false;
            Use::Again
        } else {
            Use::Unchanged
        }
    }

    /// What was written off the order never lost: it is used up before anything is credited again.
    fn prove_kept(&self, posting: &Posting<'_>, wrong: &mut Vec<String>) {
        let due = posting.legs.minus(posting.written_off);
        let kept = Legs {
            redeemable: due.redeemable.min(self.written_off.redeemable),
            qualifying: due.qualifying.min(self.written_off.qualifying),
        };
        if Legs::ZERO.minus(posting.written_off) != kept {
            wrong.push(format!("does not use up the {kept} that were written off"));
        }
    }

    /// Only points that are posted anew get new dates: those of an order that comes back, or that come after the first
    /// have expired.
    fn date(&mut self, posting: &Posting<'_>, before: Legs, wrong: &mut Vec<String>) {
        let dates = Dates::of(posting.terms);
        if dates == self.dates {
            return;
        }
        let comes_back = before == Legs::ZERO;
        let lives_on = passed(self.dates.expiry, posting.recorded_at) && dates.cycle_start == self.dates.cycle_start;
        if posting.takes || !(comes_back || lives_on) {
            wrong.push("changes when the order's points expire or in which cycle they count".to_owned());
        }
        self.dates = dates;
        self.earliest_expiry = self.earliest_expiry.min(dates.expiry);
    }
}
