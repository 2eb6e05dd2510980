//! Holds every order's row against the entries of its credits, and its credits against what its final facts deserve.

use chrono::{DateTime, Days, NaiveDate, Utc};
use compact_str::CompactString;
use foldhash::HashMap;

use crate::credits::{CreditSum, Dates, Held, InCycle, Posting, Settled};
use crate::facts::Facts;
use crate::fields::{
    Expiry, Legs, Problem, Read, count, day, expiry, flag, flag_if_any, instant, legs, legs_if_any, list, map,
    map_if_any, number, number_if_any, text, text_if_any,
};
use crate::history::Histories;
use crate::imported::Imported;
use crate::members::Members;
use crate::merges::Merges;
use crate::report::Findings;
use crate::terms::{NegativeBalance, Terms};
use crate::welcome::{WELCOME, Welcome};
use crate::{MemberSums, SumsByMember, Table};
use crate::{Row, Value};

/// The rule of an order's own points; the only one by whose terms its money counts as spent.
const BASE: &str = "base";

/// What a campaign credited to an order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CampaignCredit<'a> {
    pub campaign: &'a str,
    pub order_id: &'a str,
    pub member_id: &'a str,
    /// Redeemable points.
    pub posted: i128,
    /// Some of it was posted; a bonus may also wait until its order earns.
    pub has_entries: bool,
    pub waits: bool,
    /// Its participation may come back and no entry say so.
    pub unseen: bool,
    /// Its participation has come back.
    pub released: bool,
}

/// What stands on the order's row of one credit.
#[derive(Debug)]
struct CreditRow {
    rule: CompactString,
    posted: Legs,
    written_off: Legs,
    expired_written_off: i128,
    first_expiry: Option<Expiry>,
    pinned: u64,
    dates: Dates,
    in_cycle: InCycle,
    last_credit_seq: u64,
    generation: i128,
    /// What the row's facts deserve by the pinned terms.
    deserves: Legs,
    /// The literal filter of R2 keeps what it has (X11).
    keeps: bool,
    /// Redeemable points are written off only because they expired.
    only_expiry_writes_off: bool,
    takes_expired_too: bool,
    waits: bool,
    unseen: bool,
    released: bool,
}

#[derive(Debug)]
struct OrderRow {
    member_id: Option<CompactString>,
    /// The member it was with before they joined that one.
    from: Option<CompactString>,
    counted: bool,
    spent_minor: i128,
    /// The cycle in which its own points count.
    cycle_start: Option<NaiveDate>,
    pending_points: i128,
    /// Taken from the wallet, minor units.
    wallet_minor: i128,
    vouchers: Vec<CompactString>,
    imported: Option<Imported>,
    placed_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    credits: Vec<CreditRow>,
}

#[derive(Debug, Default)]
struct OrderBooks {
    row: Option<OrderRow>,
    sums: Vec<CreditSum>,
    /// What its entries moved wallets by, minor units, member by member.
    paid: Vec<(CompactString, i128)>,
}

/// All orders: their rows, and what the histories say of them.
#[derive(Default)]
pub(crate) struct Orders {
    by_id: HashMap<CompactString, OrderBooks>,
}

impl Orders {
    pub fn row(&mut self, row: &Row, findings: &mut Findings) -> Result<(), Problem> {
        let order_id = text(row, "order_id")?;
        let mut wrong = Vec::new();
        let order = OrderRow::read(row, &mut wrong)?;
        if self.by_id.entry(order_id.into()).or_default().row.replace(order).is_some() {
            wrong.push("stands there twice".to_owned());
        }
        for what in wrong {
            findings.add(Table::Orders, order_id.to_owned(), what);
        }
        Ok(())
    }

    /// Counts an entry for its credit. `welcomes`: what its member was given before they ordered.
    pub fn post(
        &mut self,
        posting: &Posting<'_>,
        welcomes: &[Welcome],
        merges: &Merges,
        wrong: &mut Vec<String>,
    ) -> Settled {
        let pinned = posting.terms.pinned();
        let books = match self.by_id.get_mut(posting.order_id) {
            Some(books) => books,
            None => self.by_id.entry(posting.order_id.into()).or_default(),
        };
        let sums = &mut books.sums;
        let at = match sums.iter().position(|sum| sum.rule == posting.rule) {
            Some(at) => at,
            None => {
                sums.push(CreditSum::begin(posting, pinned, welcomes));
                sums.len() - 1
            }
        };
        sums[at].post(posting, pinned, merges, wrong)
    }

    /// Counts what an order's entry moved its member's wallet by.
    pub fn pay(&mut self, order_id: &str, member_id: &str, moved_minor: i128) {
        let paid = &mut self.by_id.entry(order_id.into()).or_default().paid;
        match paid.iter_mut().find(|(known, _)| known == member_id) {
            Some((_, sum)) => *sum += moved_minor,
            None => paid.push((member_id.into(), moved_minor)),
        }
    }

    /// The vouchers that an order says it used.
    pub fn vouchers(&self) -> impl Iterator<Item = (&str, &str)> {
        let rows = self.by_id.iter().filter_map(|(order_id, books)| Some((order_id, books.row.as_ref()?)));
        rows.flat_map(|(order_id, row)| row.vouchers.iter().map(|voucher| (order_id.as_str(), voucher.as_str())))
    }

    /// What campaigns credited to orders of members.
    pub fn campaign_credits(&self) -> impl Iterator<Item = CampaignCredit<'_>> {
        self.by_id.iter().flat_map(|(order_id, books)| {
            let row = books.row.as_ref().and_then(|row| Some((row, row.member_id.as_ref()?)));
            let credits =
                row.into_iter().flat_map(|(row, member_id)| row.credits.iter().map(move |it| (it, row, member_id)));
            let of_campaigns = credits.filter(|(credit, ..)| ![BASE, WELCOME].contains(&credit.rule.as_str()));
            of_campaigns.map(move |(credit, row, member_id)| CampaignCredit {
                campaign: &credit.rule,
                order_id,
                member_id: row.from.as_ref().unwrap_or(member_id),
                posted: credit.posted.redeemable,
                has_entries: credit.generation > 0,
                waits: credit.waits,
                unseen: credit.unseen,
                released: credit.released,
            })
        })
    }

    pub fn has(&self, order_id: &str) -> bool {
        self.by_id.get(order_id).is_some_and(|books| books.row.is_some())
    }

    /// Whose an order is.
    pub fn member_of(&self, order_id: &str) -> Option<&str> {
        self.by_id.get(order_id)?.row.as_ref()?.member_id.as_deref()
    }

    /// Whether an order may be the first of a member who was welcomed before it: it has taken that over, or was there
    /// before these books.
    pub fn took_welcome(&self, order_id: &str) -> bool {
        let row = self.by_id.get(order_id).and_then(|books| books.row.as_ref());
        row.is_none_or(|row| row.imported.is_some() || row.credits.iter().any(|credit| credit.rule == WELCOME))
    }

    /// Holds rows against entries; answers what each member's orders add up to.
    pub fn finish(
        &self,
        members: &Members,
        (histories, merges): (&Histories, &Merges),
        findings: &mut Findings,
    ) -> SumsByMember<'_> {
        let mut sums = SumsByMember::default();
        for (order_id, books) in &self.by_id {
            let mut wrong = Vec::new();
            match &books.row {
                Some(row) => {
                    row.prove(&books.sums, members, (histories, merges), &mut wrong);
                    row.prove_imported((histories, merges), &mut wrong);
                    row.add_to(&mut sums);
                    row.prove_paid(&books.paid, &mut wrong);
                }
                None => wrong.push("has entries but no row".to_owned()),
            }
            for what in wrong {
                findings.add(Table::Orders, order_id.to_string(), what);
            }
        }
        sums
    }
}

impl OrderRow {
    fn read(row: &Row, wrong: &mut Vec<String>) -> Read<Self> {
        count(row, "revision", 1)?;
        let member_id = text_if_any(row, "member_id")?;
        let facts = Facts::read(map(row, "facts")?)?;
        match (member_id, row.contains_key("named_at")) {
            (Some(_), true) => {
                instant(row, "named_at")?;
            }
            (None, false) => {}
            _ => return Err("`member_id` and `named_at` go together".to_owned()),
        }
        let ever_undone = flag(row, "ever_undone")?;
        let mut pending_points = 0;
        let mut spends = false;
        let mut cycle_start = None;
        let mut credits = Vec::new();
        for credit in list(row, "credits")? {
            let Value::M(credit) = credit else { return Err("`credits` is not a list of credits".to_owned()) };
            let terms = Terms::read(map(credit, "terms")?)?;
            let credit = CreditRow::read(credit, row, &terms, &facts, ever_undone)?;
            if !credit.released {
                pending_points += terms.pending(&facts, ever_undone);
            }
            if credit.rule == BASE {
                cycle_start = Some(terms.cycle_start);
            }
            spends |= credit.rule == BASE && terms.counts_spent(&facts, ever_undone);
            if credits.iter().any(|known: &CreditRow| known.rule == credit.rule) {
                wrong.push(format!("has two credits of {}", credit.rule));
            }
            credits.push(credit);
        }
        let order = Self {
            member_id: member_id.map(CompactString::from),
            from: text_if_any(row, "from_member")?.map(CompactString::from),
            counted: flag(row, "counted")?,
            spent_minor: number(row, "spent_minor")?,
            pending_points,
            cycle_start,
            wallet_minor: number_if_any(row, "wallet_minor")?.unwrap_or(0),
            vouchers: vouchers(row)?,
            imported: map_if_any(row, "imported")?.map(Imported::read).transpose()?,
            placed_at: facts.placed_at,
            updated_at: facts.updated_at,
            credits,
        };
        let counts = member_id.is_some() && facts.counts();
        if order.counted != counts {
            wrong.push(format!("counted is {}, but its facts say {counts}", order.counted));
        }
        if number_if_any(row, "pending_points")?.unwrap_or(0) != pending_points {
            wrong.push(format!("pending_points is not the {pending_points} that its credits promise"));
        }
        if order.wallet_minor != 0 && (facts.undone() || order.wallet_minor != facts.wallet_minor) {
            wrong.push("took from the wallet what its facts do not say".to_owned());
        }
        let spent = if spends { facts.spent_minor() } else { 0 };
        if order.spent_minor != spent {
            wrong.push(format!("spent_minor is {}, but its facts say {spent}", order.spent_minor));
        }
        Ok(order)
    }

    /// What it says it took left the wallet of its member, or of who joined them, and nobody else's (B2, F23).
    fn prove_paid(&self, paid: &[(CompactString, i128)], wrong: &mut Vec<String>) {
        let of_member = |paid: &&(CompactString, i128)| {
            let payer = Some(&paid.0);
            payer == self.member_id.as_ref() || payer == self.from.as_ref()
        };
        let found: i128 = paid.iter().filter(of_member).map(|(_, moved)| -moved).sum();
        if self.wallet_minor != found {
            let stated = self.wallet_minor;
            wrong.push(format!("took {stated} from the wallet, but its entries took {found}"));
        }
        for (member_id, moved) in paid.iter().filter(|paid| !of_member(paid) && paid.1 != 0) {
            wrong.push(format!("moved the wallet of {member_id} by {moved}, whose order it is not"));
        }
    }

    /// The sum as it is with the member the row names, where its own one joined that one.
    fn as_moved(&self, sum: &CreditSum, merges: &Merges) -> Option<CreditSum> {
        let (into, from) = (self.member_id.as_ref()?, self.from.as_ref()?);
        let cycles = merges.cycles(from, into).filter(|_| *from == sum.member_id)?;
        Some(sum.clone().moved(cycles, into))
    }

    fn prove(
        &self,
        sums: &[CreditSum],
        members: &Members,
        (histories, merges): (&Histories, &Merges),
        wrong: &mut Vec<String>,
    ) {
        if let Some(from) = &self.from {
            let joined = self.member_id.as_ref().is_some_and(|into| merges.cycles(from, into).is_some());
            if !joined {
                wrong.push(format!("comes from {from}, who did not join its member"));
            }
        }
        match &self.member_id {
            Some(member_id) if !members.has(member_id) => wrong.push(format!("its member {member_id} does not exist")),
            None if !self.credits.is_empty() => wrong.push("is credited to nobody".to_owned()),
            _ => {}
        }
        for credit in &self.credits {
            match sums.iter().find(|sum| sum.rule == credit.rule) {
                Some(sum) => {
                    let moved = self.as_moved(sum, merges);
                    let sum = moved.as_ref().unwrap_or(sum);
                    if sum.moved && self.from.is_none() {
                        wrong.push(format!("does not say whose it was before {}", sum.member_id));
                    }
                    if sum.imported != self.imported.filter(|_| credit.rule == BASE) {
                        wrong.push("says otherwise than its entries what an opening holds for it".to_owned());
                    }
                    credit.prove_against(sum, wrong);
                    if self.member_id.as_ref() != Some(&sum.member_id) {
                        wrong.push(format!("its {} points went to {}", credit.rule, sum.member_id));
                    }
                    if sum.updated_at > self.updated_at {
                        wrong.push("has older facts than its entries".to_owned());
                    }
                }
                None => {
                    let history = self.member_id.as_ref().and_then(|member_id| histories.get(member_id));
                    let welcomes = history.map_or(&[][..], |history| &history.welcomes);
                    credit.prove_unposted(self.imported.filter(|_| credit.rule == BASE), welcomes, wrong);
                }
            }
            credit.prove(wrong);
        }
        for sum in sums.iter().filter(|sum| !self.credits.iter().any(|credit| credit.rule == sum.rule)) {
            wrong.push(format!("has entries of {} but no such credit", sum.rule));
        }
    }

    /// An opening holds the points of an order that was placed before it, and of no other.
    fn prove_imported(&self, (histories, merges): (&Histories, &Merges), wrong: &mut Vec<String>) {
        let Some(imported) = self.imported else { return };
        let Some(member_id) = &self.member_id else {
            wrong.push("was brought along for nobody".to_owned());
            return;
        };
        let persons = merges.person(member_id).chain([member_id.as_str()]);
        let mut opened = persons.filter_map(|one| histories.get(one)?.opened);
        if imported.legs != Legs::ZERO && !opened.any(|opened| self.placed_at <= opened.at) {
            wrong.push("holds points of an opening that there is not, or that it came after".to_owned());
        }
        if imported.legs != Legs::ZERO && !self.credits.iter().any(|credit| credit.rule == BASE) {
            wrong.push("holds points of an opening and no credit of them".to_owned());
        }
    }

    fn add_to<'a>(&'a self, sums: &mut SumsByMember<'a>) {
        let Some(member_id) = &self.member_id else { return };
        let sum: &mut MemberSums = sums.entry(member_id).or_default();
        sum.orders_count += i128::from(self.counted);
        sum.spent_minor += self.spent_minor;
        sum.pending_points += self.pending_points;
        if let Some(cycle_start) = self.cycle_start.filter(|_| self.spent_minor > 0) {
            let cycle = sum.cycles.entry(cycle_start).or_default();
            *cycle = (cycle.0 + self.spent_minor, cycle.1 + 1);
        }
        if let Some(imported) = &self.imported {
            imported.take_off(sum);
        }
    }
}

impl CreditRow {
    fn read(row: &Row, order: &Row, terms: &Terms<'_>, facts: &Facts<'_>, ever_undone: bool) -> Read<Self> {
        let released = flag_if_any(row, "released")?.unwrap_or(false);
        let deserves = terms.deserved_with(facts, &terms.matched(order)?, ever_undone)?;
        Ok(Self {
            rule: text(row, "rule")?.into(),
            posted: legs(row, "posted")?,
            written_off: legs_if_any(row, "written_off")?.unwrap_or_default(),
            expired_written_off: number_if_any(row, "expired_written_off")?.unwrap_or(0),
            first_expiry: if row.contains_key("first_expires_on") {
                Some(expiry(row, "first_expires_on")?)
            } else {
                None
            },
            pinned: terms.pinned(),
            dates: Dates::of(terms),
            in_cycle: match map_if_any(row, "in_cycle")? {
                Some(row) => InCycle { cycle_start: day(row, "cycle_start")?, qualifying: number(row, "qualifying")? },
                None => {
                    let qualifying = legs(row, "posted")?.qualifying;
                    InCycle { cycle_start: terms.cycle_start, qualifying }
                }
            },
            last_credit_seq: u64::try_from(count(row, "last_credit_seq", 0)?).unwrap_or(0),
            generation: count(row, "generation", 0)?,
            deserves: if released { Legs::ZERO } else { deserves },
            keeps: terms.keeps(facts),
            only_expiry_writes_off: terms.negative_balance == NegativeBalance::Allow,
            takes_expired_too: terms.reverse_expired,
            waits: terms.waits(),
            unseen: terms.may_give_back_unseen(),
            released,
        })
    }

    /// What the row says of itself: settled at what its facts deserve, and no more expired than was written off.
    fn prove(&self, wrong: &mut Vec<String>) {
        let settled = self.posted.minus(self.written_off);
        if settled != self.deserves && !self.keeps {
            wrong.push(format!("its {} settled at {settled}, but it deserves {}", self.rule, self.deserves));
        }
        if self.written_off.any_below_zero() {
            wrong.push(format!("its {} has written off less than nothing", self.rule));
        }
        let most = if self.takes_expired_too { 0 } else { self.written_off.redeemable };
        let least = if self.only_expiry_writes_off { self.written_off.redeemable } else { 0 };
        if !(least..=most).contains(&self.expired_written_off) {
            let expired = self.expired_written_off;
            wrong.push(format!("its {} has {expired} expired points written off, not {least} to {most}", self.rule));
        }
    }

    fn prove_against(&self, sum: &CreditSum, wrong: &mut Vec<String>) {
        let rule = &self.rule;
        if self.posted != sum.posted {
            wrong.push(format!("its {rule} says {} posted, its entries {}", self.posted, sum.posted));
        }
        if self.written_off != sum.written_off {
            wrong.push(format!("its {rule} says {} written off, its entries {}", self.written_off, sum.written_off));
        }
        if self.pinned != sum.pinned || self.dates != sum.dates {
            wrong.push(format!("its {rule} has other terms than its entries"));
        }
        if self.first_expiry.is_some_and(|first| first > sum.earliest_expiry) {
            wrong.push(format!("its {rule} has points that expire before its first_expires_on"));
        }
        if self.expired_written_off > 0 && sum.earliest_expiry == Expiry::Never && !sum.reviewed {
            wrong.push(format!("its {rule} has expired points written off, but none of them expire"));
        }
        if self.in_cycle != sum.in_cycle {
            wrong.push(format!("its {rule} says otherwise than its entries of which cycle its points are"));
        }
        if self.last_credit_seq != sum.last_credit_seq {
            let (stated, found) = (self.last_credit_seq, sum.last_credit_seq);
            wrong.push(format!("its {rule} says entry {stated} credited last, but that was {found}"));
        }
        if self.released != sum.released && !self.unseen {
            let (stated, found) = (self.released, sum.released);
            wrong.push(format!("its {rule} says {stated} where its entries say {found}: its participation came back"));
        }
        if self.generation != sum.generation {
            wrong.push(format!("its {rule} is of generation {}, its entries say {}", self.generation, sum.generation));
        }
    }

    /// A credit without entries is worth nothing so far: promised, or too little to earn. Or it holds what was there before
    /// the order.
    fn prove_unposted(&self, imported: Option<Imported>, welcomes: &[Welcome], wrong: &mut Vec<String>) {
        let welcome = Welcome { seq: self.last_credit_seq, points: self.posted.redeemable };
        let held = Held::of(imported, Some(welcome).filter(|it| self.rule == WELCOME && welcomes.contains(it)));
        let blank = self.posted == held.legs && self.written_off == Legs::ZERO;
        if imported.is_some_and(|imported| {
            let dates = Dates { expiry: imported.expiry, cycle_start: imported.cycle_start };
            self.dates != dates || self.in_cycle.cycle_start != imported.cycle_start
        }) {
            wrong.push(format!("its {} has other dates than what was brought along", self.rule));
        }
        if !blank || self.last_credit_seq != held.seq || self.generation != i128::from(held.seq > 0) {
            wrong.push(format!("its {} has no entries", self.rule));
        }
        if self.released && !self.unseen {
            wrong.push(format!("its {} gave a participation back that it never used", self.rule));
        }
    }
}

/// The last valid day may be over: anywhere on Earth it is at most one day later than in UTC.
fn vouchers(row: &Row) -> Read<Vec<CompactString>> {
    let voucher = |value: &Value| match value {
        Value::S(voucher_id) => Ok(voucher_id.clone()),
        _ => Err("`vouchers` is not a list of vouchers".to_owned()),
    };
    list(row, "vouchers")?.iter().map(voucher).collect()
}

pub(crate) fn passed(expiry: Expiry, at: DateTime<Utc>) -> bool {
    let latest_today = at.date_naive().checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX);
    matches!(expiry, Expiry::On(day) if day < latest_today)
}
