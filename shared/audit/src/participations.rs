//! Campaigns: participations used are the distinct orders credited that did not give theirs back, never more than were
//! granted, and what the entries tell of them is what became of them (C3, C4, X14, X15, X18, X19).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use compact_str::CompactString;

use crate::Row;
use crate::Table;
use crate::fields::{Problem, Read, count, instant, list, number_if_any, text};
use crate::history::Histories;
use crate::members::Members;
use crate::merges::Merges;
use crate::orders::{CampaignCredit, Orders};
use crate::report::Findings;
use crate::value::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Active,
    Completed,
    Exhausted,
}

impl State {
    pub fn read(word: &str) -> Read<Self> {
        match word {
            "active" => Ok(Self::Active),
            "completed" => Ok(Self::Completed),
            "exhausted" => Ok(Self::Exhausted),
            _ => Err(format!("`state` is {word:?}")),
        }
    }
}

/// A participation as an entry left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub granted: i128,
    pub used: i128,
    pub state: State,
}

/// What a member's entries say of a campaign.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Orders whose bonus was posted.
    pub bonuses: i128,
    /// Orders that hold a participation: with a bonus that was posted and not given back.
    pub using: i128,
    /// A participation may have been given back of which nothing had been posted.
    pub unseen: bool,
    /// One was given back since the last note.
    given_back: bool,
    last: Option<Noted>,
    /// Some entry counts other orders than had their bonus posted by then.
    counts_others: bool,
}

impl Told {
    /// An order has given its participation back (X18).
    pub fn give_back(&mut self) {
        self.using -= 1;
        self.given_back = true;
    }

    /// A participation is used up one order at a time, and its end is for good (X48): unless one was given back (X18), or
    /// an order has `dropped` the member back (X19).
    pub fn note(&mut self, noted: Noted, dropped: bool, wrong: &mut Vec<String>) {
        // An order that had used one before it earned anything may have given it back.
        let given_back = std::mem::take(&mut self.given_back) || self.unseen || self.counts_others;
        let goes_on = |last: Noted| match last.state {
            State::Active => true,
            State::Exhausted => given_back,
            State::Completed => (dropped && noted.state == State::Active) || (given_back && noted.state == last.state),
        };
        let fewer = |last: Noted| noted.used < last.used && !given_back;
        let follows = |last: Noted| last.granted == noted.granted && !fewer(last) && goes_on(last);
        if noted.used > noted.granted || !self.last.is_none_or(follows) {
            wrong.push("says of a participation what cannot follow from the entries before it".to_owned());
        }
        self.counts_others |= noted.used != self.using;
        self.last = Some(noted);
    }
}

/// A row of `participations`, read.
#[derive(Debug)]
struct Participation {
    granted: i128,
    used: i128,
    remaining: i128,
    state: State,
    enrolled_at: DateTime<Utc>,
    orders: BTreeSet<CompactString>,
    /// Orders wait for it until its campaign goes on (X50).
    waits: bool,
    reserved_points: i128,
}

/// All rows of `participations`, by campaign and member.
#[derive(Default)]
pub(crate) struct Participations {
    by_key: BTreeMap<(String, String), Participation>,
    /// What each campaign's budget row says is set aside.
    budgets: BTreeMap<String, i128>,
}

/// Stands for a member on the row that says what is set aside of a campaign's budget.
const BUDGET: &str = "(budget)";

type CreditsByKey<'a> = BTreeMap<(&'a str, &'a str), Vec<CampaignCredit<'a>>>;

impl Participations {
    pub fn row(&mut self, row: &Row, findings: &mut Findings) -> Result<(), Problem> {
        let key = (text(row, "campaign")?.to_owned(), text(row, "member_id")?.to_owned());
        let told = format!("{}/{}", key.0, key.1);
        if key.1 == BUDGET {
            count(row, "revision", 1)?;
            if self.budgets.insert(key.0, count(row, "reserved_points", 1)?).is_some() {
                findings.add(Table::Participations, told, "stands there twice".to_owned());
            }
            return Ok(());
        }
        let mut wrong = Vec::new();
        let participation = Participation::read(row, &mut wrong)?;
        if self.by_key.insert(key, participation).is_some() {
            wrong.push("stands there twice".to_owned());
        }
        for what in wrong {
            findings.add(Table::Participations, told.clone(), what);
        }
        Ok(())
    }

    pub fn finish(
        &self,
        members: &Members,
        (histories, merges): (&Histories, &Merges),
        orders: &Orders,
        findings: &mut Findings,
    ) {
        let mut credits = CreditsByKey::new();
        for credit in orders.campaign_credits() {
            credits.entry((credit.campaign, credit.member_id)).or_default().push(credit);
        }
        prove_persons(&credits, histories, merges, findings);
        for ((campaign, member_id), participation) in &self.by_key {
            let credits = credits.remove(&(campaign.as_str(), member_id.as_str())).unwrap_or_default();
            let told = histories.get(member_id).and_then(|history| history.campaigns.get(campaign.as_str()));
            let mut wrong = Vec::new();
            participation.prove_credits(&credits, &mut wrong);
            let one_of_several = merges.person(member_id).next().is_some();
            participation.prove_told(told, &credits, one_of_several, &mut wrong);
            match members.campaigns(member_id) {
                Some(active) => participation.prove_member(campaign, active, members.waits_for(member_id), &mut wrong),
                None => wrong.push(format!("its member {member_id} does not exist")),
            }
            if members.activated_at(member_id).is_some_and(|at| participation.enrolled_at < at) {
                wrong.push("was enrolled before becoming a member".to_owned());
            }
            for what in wrong {
                findings.add(Table::Participations, format!("{campaign}/{member_id}"), what);
            }
        }
        self.prove_budgets(findings);
        for credit in credits.into_values().flatten() {
            let what = format!("was credited by {}, in which {} has no part", credit.campaign, credit.member_id);
            findings.add(Table::Orders, credit.order_id.to_owned(), what);
        }
        for (member_id, active) in members.all_campaigns() {
            for campaign in active.iter().filter(|campaign| !self.has(campaign, member_id)) {
                let what = format!("is active in {campaign}, in which they have no part");
                findings.add(Table::Members, member_id.to_owned(), what);
            }
        }
        for (member_id, history) in histories.all() {
            let any = |campaign: &str| merges.person(member_id).any(|one| self.has(campaign, one));
            let others = history.campaigns.keys().filter(|campaign| !self.has(campaign, member_id));
            for campaign in others.filter(|campaign| !any(campaign)) {
                let what = format!("entries tell of {campaign}, in which they have no part");
                findings.add(Table::PointsHistory, member_id.to_owned(), what);
            }
        }
    }

    /// What a campaign has promised its members is what its budget says is set aside.
    fn prove_budgets(&self, findings: &mut Findings) {
        let mut promised: BTreeMap<&str, i128> = BTreeMap::new();
        for ((campaign, _), participation) in &self.by_key {
            *promised.entry(campaign).or_default() += participation.reserved_points;
        }
        for campaign in promised.keys().copied().chain(self.budgets.keys().map(String::as_str)).collect::<BTreeSet<_>>()
        {
            let promised = promised.get(campaign).copied().unwrap_or(0);
            let stated = self.budgets.get(campaign).copied().unwrap_or(0);
            if promised != stated {
                let what = format!("sets {stated} points aside, but its participations were promised {promised}");
                findings.add(Table::Participations, format!("{campaign}/{BUDGET}"), what);
            }
        }
    }

    fn has(&self, campaign: &str, member_id: &str) -> bool {
        self.by_key.contains_key(&(campaign.to_owned(), member_id.to_owned()))
    }
}

/// A bonus that was promised to who joined another may be posted to that one: whoever is one person was credited as many
/// orders as their entries say.
fn prove_persons(credits: &CreditsByKey<'_>, histories: &Histories, merges: &Merges, findings: &mut Findings) {
    let mut counts: BTreeMap<(&str, &str), (i128, i128)> = BTreeMap::new();
    let joined = |member_id: &str| merges.person(member_id).next().is_some();
    for ((campaign, member_id), credits) in credits.iter().filter(|((_, member_id), _)| joined(member_id)) {
        let posted = credits.iter().filter(|credit| credit.has_entries).count() as i128;
        counts.entry((campaign, merges.now(member_id))).or_default().0 += posted;
    }
    for (member_id, history) in histories.all().filter(|(member_id, _)| joined(member_id)) {
        for (campaign, told) in &history.campaigns {
            counts.entry((campaign, merges.now(member_id))).or_default().1 += told.bonuses;
        }
    }
    for ((campaign, member_id), (posted, told)) in counts.into_iter().filter(|(_, (posted, told))| posted != told) {
        let what = format!("credited {posted} orders of one person, but the entries credit {told}");
        findings.add(Table::Participations, format!("{campaign}/{member_id}"), what);
    }
}

impl Participation {
    fn read(row: &Row, wrong: &mut Vec<String>) -> Read<Self> {
        count(row, "revision", 1)?;
        if number_if_any(row, "messages")?.is_some_and(|messages| messages < 0) {
            return Err("`messages` is below zero".to_owned());
        }
        let mut orders = BTreeSet::new();
        for order in list(row, "orders")? {
            let Value::S(order_id) = order else { return Err("`orders` is not a list of order ids".to_owned()) };
            if !orders.insert(order_id.clone()) {
                wrong.push(format!("order {order_id} used it twice"));
            }
        }
        let participation = Self {
            granted: count(row, "granted", 1)?,
            used: count(row, "used", 0)?,
            remaining: count(row, "remaining", 0)?,
            state: State::read(text(row, "state")?)?,
            enrolled_at: instant(row, "enrolled_at")?,
            orders,
            waits: !list(row, "waiting")?.is_empty(),
            reserved_points: number_if_any(row, "reserved_points")?.unwrap_or(0),
        };
        let Self { granted, used, remaining, .. } = participation;
        if used + remaining != granted {
            wrong.push(format!("{used} used and {remaining} remaining are not the {granted} granted"));
        }
        if used != participation.orders.len() as i128 {
            wrong.push(format!("{used} used, but {} orders used it", participation.orders.len()));
        }
        match participation.state {
            State::Active if remaining == 0 => wrong.push("is active with nothing remaining".to_owned()),
            State::Exhausted if remaining != 0 => wrong.push(format!("is exhausted with {remaining} remaining")),
            _ => {}
        }
        // So many points for each order were set aside when the member was enrolled.
        if participation.reserved_points < 0 || participation.reserved_points % granted != 0 {
            wrong.push(format!("has set {} points aside for {granted} orders", participation.reserved_points));
        }
        Ok(participation)
    }

    /// The orders that used it are those it has credited and that did not give theirs back, and they cost no more than
    /// was set aside.
    fn prove_credits(&self, credits: &[CampaignCredit<'_>], wrong: &mut Vec<String>) {
        let in_use = || credits.iter().filter(|credit| !credit.released);
        for order_id in &self.orders {
            if !in_use().any(|credit| credit.order_id == order_id) {
                wrong.push(format!("its order {order_id} was not credited"));
            }
        }
        for credit in in_use().filter(|credit| !self.orders.contains(credit.order_id)) {
            wrong.push(format!("credited order {}, which did not use it", credit.order_id));
        }
        let cost: i128 = credits.iter().map(|credit| credit.posted).sum();
        if self.reserved_points > 0 && cost > self.reserved_points {
            wrong.push(format!("cost {cost} points where {} were set aside", self.reserved_points));
        }
    }

    /// Each use and each end stands on the entry that brought it about; only a bonus that has not been posted yet, or an
    /// end that a changed programme brought, has no entry to stand on.
    /// Of members who are one person the entries of one may tell of the other's: they are counted together.
    fn prove_told(
        &self,
        told: Option<&Told>,
        credits: &[CampaignCredit<'_>],
        one_of_several: bool,
        wrong: &mut Vec<String>,
    ) {
        let posted = credits.iter().filter(|credit| credit.has_entries).count() as i128;
        let none = Told::default();
        let told = told.unwrap_or(&none);
        if told.bonuses != posted && !one_of_several {
            wrong.push(format!("credited {posted} orders, but the entries credit {}", told.bonuses));
        }
        if told.counts_others && !one_of_several && !credits.iter().any(|credit| credit.waits || credit.unseen) {
            wrong.push("was used by other orders than the entries say".to_owned());
        }
        let Some(noted) = told.last else { return };
        let over = noted.state != State::Active;
        let unseen = credits.iter().any(|credit| credit.unseen);
        let same_end = !over || unseen || (noted.state == self.state && noted.used == self.used);
        let fewer = noted.used > self.used && !unseen;
        if noted.granted != self.granted || fewer || !same_end {
            wrong.push(format!(
                "is {:?} with {} of {} used, but the entries say {:?} with {} of {}",
                self.state, self.used, self.granted, noted.state, noted.used, noted.granted
            ));
        }
    }

    fn prove_member(
        &self,
        campaign: &str,
        active: &[CompactString],
        waits_for: &[CompactString],
        wrong: &mut Vec<String>,
    ) {
        let listed = |campaigns: &[CompactString]| campaigns.iter().any(|listed| listed == campaign);
        let is_active = self.state == State::Active;
        if listed(active) != is_active {
            wrong.push(format!("is {:?}, but the member's row says otherwise", self.state));
        }
        if listed(waits_for) != (is_active && self.waits) {
            wrong.push("orders wait for it, or none do, but the member's row says otherwise".to_owned());
        }
    }
}
