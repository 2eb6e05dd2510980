//! Plays every member's history again, entry by entry, and proves each entry where it stands.

use chrono::{DateTime, Days, NaiveDate, Utc};
use compact_str::CompactString;
use foldhash::HashMap;

use crate::Row;
use crate::Table;
use crate::credits::{Posting, Settled, Use};
use crate::cycles::{Standing, Standings};
use crate::entry::{Entry, Explained, Kind};
use crate::fields::{Expiry, Legs, Lot, Problem};
use crate::merges::{Merges, Side};
use crate::opening::Opened;
use crate::orders::{Orders, passed};
use crate::participations::Told;
use crate::report::Findings;
use crate::requests::Asked;
use crate::terms::Terms;
use crate::welcome::Welcome;

/// A member, rebuilt from their entries.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub last_seq: u64,
    pub balance: Legs,
    /// Open lots, in the order they are used.
    pub lots: Vec<Lot>,
    pub first_tier: CompactString,
    pub tier: CompactString,
    pub first_recorded_at: Option<DateTime<Utc>>,
    pub last_recorded_at: Option<DateTime<Utc>>,
    /// When the tier last changed; `None` while it has not.
    pub tier_since: Option<DateTime<Utc>>,
    /// The newest cycle that anything was posted in for an order (X21).
    pub newest_cycle: Option<NaiveDate>,
    /// Where the member stood, and when that changed.
    pub standings: Standings,
    /// A review took redeemable points (X42).
    pub rewards_reset: bool,
    /// What the wallet holds, minor units.
    pub wallet_minor: i128,
    /// Where the member stood before these books, if they were there.
    pub opened: Option<Opened>,
    /// Who joined them, in that order.
    pub joined: Vec<Side>,
    /// Whom they joined; nothing follows.
    pub out: Option<Side>,
    /// What they were welcomed with before they ordered; behind it what those were who joined them (X25).
    pub welcomes: Vec<Welcome>,
    /// What commands posted, by `seq`.
    pub asked: HashMap<u64, Asked>,
    /// What the entries say of campaigns.
    pub campaigns: HashMap<CompactString, Told>,
    /// When an order last took a tier, and which one (R5).
    tier_taken: Option<(DateTime<Utc>, CompactString)>,
}

/// The histories of all members.
#[derive(Default)]
pub(crate) struct Histories {
    by_member: HashMap<CompactString, History>,
    /// Entries of members whom others joined, from then on: an order of who joined may be behind them, and its own entries
    /// come first.
    waiting: Vec<Row>,
}

impl Histories {
    pub fn get(&self, member_id: &str) -> Option<&History> {
        self.by_member.get(member_id)
    }

    pub fn all(&self) -> impl Iterator<Item = (&str, &History)> {
        self.by_member.iter().map(|(member_id, history)| (member_id.as_str(), history))
    }

    pub fn row(&mut self, row: &Row, orders: &mut Orders, findings: &mut Findings) -> Result<(), Problem> {
        let entry = Entry::read(row)?;
        let history = match self.by_member.get_mut(entry.member_id) {
            Some(history) => history,
            None => self.by_member.entry(entry.member_id.into()).or_default(),
        };
        if !history.joined.is_empty() {
            self.waiting.push(row.clone());
            return Ok(());
        }
        history.take(&entry, (orders, &Merges::default()), findings);
        Ok(())
    }

    /// Plays what had to wait, and answers who joined whom.
    pub fn finish(&mut self, orders: &mut Orders, findings: &mut Findings) -> Merges {
        let merges = Merges::of(self);
        let brought = |history: &History| {
            let joined = history.joined.iter().filter_map(|side| self.get(&side.note.member_id));
            joined.flat_map(|from| from.welcomes.clone()).collect::<Vec<_>>()
        };
        let joined = self.all().filter(|(_, history)| !history.joined.is_empty());
        let brought: Vec<_> = joined.map(|(member_id, history)| (member_id.to_owned(), brought(history))).collect();
        for (member_id, welcomes) in brought {
            self.by_member.entry(member_id.into()).or_default().welcomes.extend(welcomes);
        }
        for row in std::mem::take(&mut self.waiting) {
            let Ok(entry) = Entry::read(&row) else { continue };
            if let Some(history) = self.by_member.get_mut(entry.member_id) {
                history.take(&entry, (orders, &merges), findings);
            }
        }
        merges
    }
}

impl History {
    fn take(&mut self, entry: &Entry<'_>, (orders, merges): (&mut Orders, &Merges), findings: &mut Findings) {
        let history = self;
        let mut wrong = Vec::new();
        history.play(entry, &mut wrong);
        if let (Kind::Payment, Some(order_id), Some(wallet)) = (entry.kind, entry.order_id, entry.wallet) {
            orders.pay(order_id, entry.member_id, wallet.moved_minor);
        }
        let used = match &entry.explained {
            Some(explained) => prove_order_entry(entry, explained, (orders, merges), history, &mut wrong),
            None => Use::Unchanged,
        };
        history.take_notes(entry, used, &mut wrong);
        for what in wrong {
            findings.add(Table::PointsHistory, format!("{}/{}", entry.member_id, entry.seq), what);
        }
    }

    /// The history of somebody who never moved a point.
    pub fn none(tier: &str) -> Self {
        Self { tier: tier.into(), first_tier: tier.into(), ..Self::default() }
    }

    /// Plays one entry and says what does not fit. What follows is proved against what the entry itself states, so that
    /// one broken entry is one finding and not one for every later entry.
    fn play(&mut self, entry: &Entry<'_>, wrong: &mut Vec<String>) {
        let due = self.last_seq + 1;
        if entry.seq != due {
            wrong.push(format!("seq is {} where {due} is due: rows are missing or twice", entry.seq));
        }
        self.last_seq = entry.seq.max(self.last_seq);
        entry.prove(wrong);
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
        self.move_wallet(entry, wrong);
        self.merge(entry, before, wrong);
        self.welcome(entry, wrong);
        if let Some(opened) = entry.opened {
            self.tier_since = Some(opened.tier_since);
            self.opened = Some(opened);
        }
        if let Some(explained) = &entry.explained {
            if self.newest_cycle.is_some_and(|newest| explained.cycle_start < newest) {
                wrong.push("is of an earlier cycle than the entry in front of it".to_owned());
            }
            self.newest_cycle = self.newest_cycle.max(Some(explained.cycle_start));
        }
    }

    /// Who is new is welcomed once: with their first order, or before it (X25, X26).
    fn welcome(&mut self, entry: &Entry<'_>, wrong: &mut Vec<String>) {
        if entry.kind != Kind::Welcome || entry.order_id.is_some() {
            return;
        }
        if !self.welcomes.is_empty() {
            wrong.push("welcomes a member a second time".to_owned());
        }
        self.welcomes.push(Welcome { seq: entry.seq, points: entry.legs.redeemable });
    }

    /// Who joined another has no later entry; either side says in which cycle its member is.
    fn merge(&mut self, entry: &Entry<'_>, before: Legs, wrong: &mut Vec<String>) {
        if self.out.is_some() {
            wrong.push("was posted after the member had joined another".to_owned());
        }
        let Some(side) = Side::of(entry, before) else { return };
        let own = if entry.kind == Kind::MergeOut { side.note.from_cycle } else { side.note.into_cycle };
        if self.newest_cycle.is_some_and(|newest| own < newest) {
            wrong.push("is of an earlier cycle than the entry in front of it".to_owned());
        }
        self.newest_cycle = self.newest_cycle.max(Some(own));
        if entry.kind == Kind::MergeOut {
            self.out = Some(side);
        } else {
            self.joined.push(side);
        }
    }

    fn prove_times(&mut self, entry: &Entry<'_>, wrong: &mut Vec<String>) {
        self.first_recorded_at.get_or_insert(entry.recorded_at);
        if self.last_recorded_at.is_some_and(|last| entry.recorded_at < last) {
            wrong.push("was recorded before the entry in front of it".to_owned());
        }
        self.last_recorded_at = self.last_recorded_at.max(Some(entry.recorded_at));
        if entry.fell_due() && entry.occurred_at > entry.recorded_at {
            wrong.push("was posted before it fell due".to_owned());
        }
        // What falls due is posted in the order it fell due, however late, so that a late run leaves the same books. An
        // expiration is always next: points may come back to a lot whose day has passed.
        if entry.kind == Kind::Expiration {
            return;
        }
        if self.standings.last().is_some_and(|last| last.at > entry.counts_from()) {
            wrong.push("fell due before the entry in front of it".to_owned());
        }
        // Points that are overdue must have left before anything else is decided (E1). The programme's zone is not known
        // here; a day west of UTC is the earliest it can be.
        let today = entry.counts_from().date_naive().checked_sub_days(Days::new(1)).unwrap_or(NaiveDate::MIN);
        if self.overdue(today) {
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
            self.first_tier = entry.tier_before.into();
            self.tier = self.first_tier.clone();
            let held = entry.explained.as_ref().map(|explained| explained.terms.tier);
            if entry.kind != Kind::Bonus && held.is_some_and(|held| held != entry.tier_before) {
                wrong.push("was not decided by the tier held before it".to_owned());
            }
        }
        if self.tier != entry.tier_before {
            wrong.push(format!("tier_before is {:?}, but the entry in front left {:?}", entry.tier_before, self.tier));
        }
        if entry.tier_before != entry.tier_after {
            self.tier_since = Some(entry.counts_from());
            if entry.takes_back() {
                self.tier_taken = Some((entry.recorded_at, entry.order_id.unwrap_or_default().into()));
            }
        }
        if self.tier != entry.tier_after {
            self.tier = entry.tier_after.into();
        }
        if entry.kind != Kind::Expiration {
            self.standings.add(Standing {
                at: entry.counts_from(),
                tier: entry.tier_after.into(),
                nothing_earned: entry.balance_after.qualifying == 0,
            });
        }
        if entry.kind == Kind::Reset {
            self.standings.reset(entry.occurred_at, entry.tier_after);
            self.rewards_reset |= entry.legs.redeemable < 0;
        }
    }

    /// A restoration names a redemption of this member, once, in full and by the same request; nothing but it and a
    /// reversal names any.
    fn prove_counterpart(&mut self, entry: &Entry<'_>, wrong: &mut Vec<String>) {
        if let Some(asked) = Asked::of(entry) {
            self.asked.insert(entry.seq, asked);
        }
        match (entry.kind, entry.reverses) {
            (Kind::Restoration, Some(seq)) => match self.asked.get_mut(&seq) {
                Some(redemption) if redemption.kind == Kind::Redemption => redemption.restore(entry, wrong),
                _ => wrong.push(format!("restores entry {seq}, which is no redemption of this member")),
            },
            (Kind::Restoration | Kind::Reversal, None) => wrong.push("does not name what it takes back".to_owned()),
            (Kind::Reversal, Some(_)) | (_, None) => {}
            (_, Some(seq)) => wrong.push(format!("names entry {seq} as taken back, but takes nothing back")),
        }
    }

    /// The wallet is the running sum of top-ups and payments (B2).
    fn move_wallet(&mut self, entry: &Entry<'_>, wrong: &mut Vec<String>) {
        let Some(wallet) = entry.wallet else { return };
        let after = self.wallet_minor + wallet.moved_minor;
        if wallet.after_minor != after {
            wrong.push(format!("leaves {} in the wallet, but the running sum is {after}", wallet.after_minor));
        }
        self.wallet_minor = wallet.after_minor;
    }

    /// A participation is used up one order at a time and, once it is over, stays so, unless an order gives one back or
    /// drops the member back (C3, C4, X18, X19, X48). The entry of a bonus for which one was used says what it left.
    fn take_notes(&mut self, entry: &Entry<'_>, used: Use, wrong: &mut Vec<String>) {
        let begins = entry.kind == Kind::Bonus && entry.reason == "campaign_bonus";
        if begins || used != Use::Unchanged {
            let terms = entry.explained.as_ref().map(|explained| explained.terms);
            let waited = terms.is_some_and(|terms| terms.waits());
            let told = self.told(entry.rule);
            told.bonuses += i128::from(begins);
            told.unseen |= terms.is_some_and(|terms| terms.may_give_back_unseen());
            match used {
                Use::GivesBack => told.give_back(),
                Use::Again => told.using += 1,
                Use::Unchanged => told.using += i128::from(begins),
            }
            let uses = used != Use::GivesBack && !waited;
            if uses && !entry.notes.iter().any(|(campaign, _)| *campaign == entry.rule) {
                wrong.push(format!("uses a participation of {} and does not say so", entry.rule));
            }
        }
        let taken = self.tier_taken.as_ref().map(|(at, order_id)| (*at, order_id.as_str()));
        let dropped = taken.is_some_and(|taken| taken == (entry.recorded_at, entry.order_id.unwrap_or_default()));
        for (at, (campaign, noted)) in entry.notes.iter().enumerate() {
            if entry.rule != *campaign && entry.tier_before == entry.tier_after {
                wrong.push(format!("says what became of {campaign}, with which it has nothing to do"));
            }
            if entry.notes.iter().skip(at + 1).any(|(other, _)| other == campaign) {
                wrong.push(format!("says twice what became of {campaign}"));
            }
            self.told(campaign).note(*noted, dropped, wrong);
        }
    }

    fn told(&mut self, campaign: &str) -> &mut Told {
        self.campaigns.entry(campaign.into()).or_default()
    }
}

/// Holds an order's entry against its own terms and facts, and counts it for the order.
fn prove_order_entry(
    entry: &Entry<'_>,
    explained: &Explained<'_>,
    (orders, merges): (&mut Orders, &Merges),
    history: &mut History,
    wrong: &mut Vec<String>,
) -> Use {
    let Explained { terms, facts, matched, deserves, imported, cycle_start } = explained;
    let barred = terms.may_be_barred() && *deserves == Legs::ZERO;
    match terms.deserved(facts, matched) {
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
        undone: facts.undone(),
        legs: entry.legs,
        written_off: entry.written_off,
        reverses: entry.reverses,
        terms,
        cycle_start: *cycle_start,
        rewards_reset: history.rewards_reset,
        imported: *imported,
        updated_at: facts.updated_at,
        recorded_at: entry.recorded_at,
    };
    let settled = orders.post(&posting, &history.welcomes, merges, wrong);
    let Settled { before, after, participation, .. } = settled;
    let begins = entry.kind == Kind::Welcome && settled.generation == 1;
    if begins && history.joined.is_empty() && !history.welcomes.is_empty() {
        wrong.push("welcomes a member a second time".to_owned());
    }
    // Where one kind of points rises while the other falls, the reversal takes what falls and the next entry gives.
    let due = if entry.kind == Kind::Reversal { before.lesser(*deserves) } else { *deserves };
    if after != due {
        wrong.push(format!("leaves the order settled at {after}, but it deserves {due}"));
    }
    if entry.kind == Kind::Reversal {
        prove_written_off(entry, terms, before.minus(due), &settled, history, wrong);
    }
    participation
}

/// Points are written off only as the terms allow: what the balance may not bear (X22), what has expired (X23), what
/// belongs to a cycle that is over (X21).
fn prove_written_off(
    entry: &Entry<'_>,
    terms: &Terms<'_>,
    wanted: Legs,
    settled: &Settled,
    history: &History,
    wrong: &mut Vec<String>,
) {
    let taken = -entry.legs.redeemable;
    let before = history.balance.redeemable - entry.legs.redeemable;
    let most = terms.negative_balance.most(before, wanted.redeemable.max(0));
    if taken > most || (taken < most && (terms.reverse_expired || !settled.may_have_expired)) {
        wrong.push(format!("takes {taken} redeemable points where its terms take {most}"));
    }
    let taken = -entry.legs.qualifying;
    let late = if terms.late_debits_current { wanted.qualifying } else { settled.in_cycle };
    let most = wanted.qualifying.min(late);
    if taken != most {
        wrong.push(format!("takes {taken} qualifying points where {most} are of its cycle or its terms take them"));
    }
}
