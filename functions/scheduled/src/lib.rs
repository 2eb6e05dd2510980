//! Scheduled runs: campaigns enrol and invite, and what falls due on a day is done and told (C2, D3, E5, T14).
//!
//! A schedule that fires is cut into pages, one for each shard of an index, and every page is a message of the function's
//! own queue. A page works a few members, each in a transaction of their own, and then queues the page after it; it is
//! done only when both are. So a run of any size goes on where it was killed, and one that is late, twice or overlaps
//! itself changes nothing twice (F21): a member is enrolled once, a day is told once, a message has the id of what it
//! tells. "Now" is the instant the schedule was due, never the machine's.
//!
//! A page's members are first looked at together, and those for whom there is nothing to do cost no more than that.

mod page;
mod queue;

use std::sync::Arc;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use loyalty_contract::events::{BusEvent, PointsExpiring};
use loyalty_contract::programme::ProgrammeFile;
use loyalty_domain::advance::advance;
use loyalty_domain::campaign::{Campaign, enrol, gone_on};
use loyalty_domain::daily::{Day, raise, run_day};
use loyalty_domain::decision::{Decision, Outcome, Rejection};
use loyalty_domain::ids::{MemberId, RuleId, VoucherId};
use loyalty_domain::member::Member;
use loyalty_domain::programme::Programme;
use loyalty_domain::time::Instant;
use loyalty_domain::voucher::{Voucher, VoucherState};
use loyalty_messaging::{BUS_NAME, Bus, Message, Outbox, invitation, notice, voucher_reminder};
use loyalty_runtime::config::ConfigError;
use loyalty_runtime::metrics::{self, Metric};
use loyalty_runtime::{chain, secrets};
use loyalty_store::index::DuePlace;
use loyalty_store::runs::{Found, Known};
use loyalty_store::{Books, Coder, Concerns, Consistency, Pending, StoreError, Stored};
use serde::Deserialize;
use serde_json::Value;
use tokio::task::JoinSet;

pub use page::{Fired, Page, Schedule, Work, first_pages};
pub use queue::{QueueError, Runs};

/// The variable that names the queue of pages.
pub const RUNS_QUEUE_URL: &str = "RUNS_QUEUE_URL";
/// Members or vouchers of one page: two rows of each are read in one request, and it takes 100.
pub const PAGE_MAX: i32 = 50;
/// How many of a page are worked at once.
const AT_ONCE_MAX: usize = 8;

/// What the function needs, made once and borrowed by every call.
#[derive(Clone)]
pub struct Scheduled {
    pub books: Books,
    pub programmes: Arc<ProgrammeFile>,
    pub outbox: Outbox,
    pub bus: Bus,
    pub runs: Runs,
    /// Members or vouchers of one page; [`PAGE_MAX`] unless somebody knows better.
    pub page_max: i32,
}

/// Why a run did not go on. It comes again.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the event is neither a schedule that fired nor pages of a run")]
    NotOurs(#[source] serde_json::Error),
    #[error("the pages of a run cannot be queued")]
    Queue(#[from] QueueError),
    #[error("the books cannot be read or written")]
    Books(#[from] StoreError),
    #[error("the programme has no campaign {0}")]
    NoCampaign(String),
    #[error("{0} of a page are not done")]
    Unfinished(usize),
}

/// What invokes the function.
#[derive(Deserialize)]
#[serde(untagged)]
enum Invocation {
    Fired(Fired),
    Pages(SqsEvent),
}

impl Scheduled {
    /// Reads the environment and builds the clients.
    ///
    /// # Errors
    /// [`ConfigError`] naming what is missing or wrong.
    pub async fn from_environment() -> Result<Self, ConfigError> {
        let environment = secrets::environment().await?;
        let (programmes, key) = (environment.programmes()?, environment.member_key()?);
        let table_prefix = environment.table_prefix()?;
        let (bus_name, queue_url) = (environment.required(BUS_NAME)?, environment.required(RUNS_QUEUE_URL)?);
        let sdk = loyalty_runtime::aws::sdk_config().await;
        let client = aws_sdk_dynamodb::Client::new(&sdk);
        let coder = Coder::new(move |grant_id| key.voucher(grant_id));
        Ok(Self {
            books: Books::new(client.clone(), &table_prefix).with_coder(coder),
            programmes: Arc::new(programmes),
            outbox: Outbox::new(client, &table_prefix),
            bus: Bus::new(aws_sdk_eventbridge::Client::new(&sdk), bus_name),
            runs: Runs::new(aws_sdk_sqs::Client::new(&sdk), queue_url),
            page_max: PAGE_MAX,
        })
    }

    /// Answers a schedule with its first pages in the queue, and pages with those that are not done.
    ///
    /// # Errors
    /// [`RunError`] when nothing of it is done.
    pub async fn answer(&self, event: Value) -> Result<SqsBatchResponse, RunError> {
        let mut answer = SqsBatchResponse::default();
        match serde_json::from_value(event).map_err(RunError::NotOurs)? {
            Invocation::Fired(fired) => {
                let (pages, known) = self.first_pages(fired).await?;
                self.runs.queue(&pages).await?;
                if let Some(known) = known {
                    self.books.tell_runs(known).await?;
                }
                tracing::info!(schedule = ?fired.schedule, at = %fired.at, pages = pages.len(), "a run begins");
            }
            Invocation::Pages(batch) => {
                for message in batch.records {
                    let body = message.body.as_deref().unwrap_or_default();
                    let worked = match serde_json::from_str(body) {
                        Ok(page) => self.work(page).await,
                        Err(error) => Err(RunError::NotOurs(error)),
                    };
                    if let Err(error) = worked {
                        tracing::error!(error = chain(&error), "a page of a run is not done");
                        answer.add_failure(message.message_id.unwrap_or_default());
                    }
                }
            }
        }
        Ok(answer)
    }

    /// The first pages of a run, of those shards where there is somebody (looking is cheaper than a message each), and what
    /// the next run is to know once they are queued.
    async fn first_pages(&self, fired: Fired) -> Result<(Vec<Page>, Option<Known>), StoreError> {
        let programme = &self.programmes.at(fired.at).programme;
        // What fell due meanwhile is done by the first run after the pause (X50).
        if programme.paused {
            return Ok((Vec::new(), None));
        }
        let before = self.books.known_to_runs().await?;
        let version = programme.version.as_str();
        let mut known = before.clone();
        version.clone_into(&mut known.programme_version);
        let changed = before.programme_version != version;
        let live = programme.campaigns.iter().filter(|campaign| campaign.live(fired.at));
        let gone_on = programme.campaigns.iter().filter(|campaign| campaign.has_gone_on(fired.at));
        let works = match fired.schedule {
            Schedule::WeeklyCampaign if changed => {
                let campaigns = live.map(|campaign| campaign.id.to_string()).collect();
                vec![Work::Changed { campaigns, after: None }]
            }
            Schedule::WeeklyCampaign => {
                live.map(|campaign| Work::Overdue { campaign: campaign.id.to_string(), after: None }).collect()
            }
            Schedule::Daily | Schedule::Yearly => {
                let mut works = Vec::new();
                for campaign in gone_on {
                    let marks = self.books.marks(&campaign.id).await?;
                    if known.taken_up.insert(campaign.id.to_string(), marks).unwrap_or(0) != marks {
                        works.push(Work::Resumed { campaign: campaign.id.to_string(), after: None });
                    }
                }
                works.extend(changed.then(|| Work::Changed { campaigns: Vec::new(), after: None }));
                works.extend([Work::Members, Work::Vouchers]);
                works
            }
        };
        let mut pages = Vec::new();
        for page in first_pages(fired.at, &works) {
            pages.extend(self.begun(page).await?);
        }
        Ok((pages, (known != before).then_some(known)))
    }

    /// A first page, if there is anybody whom it concerns.
    async fn begun(&self, page: Page) -> Result<Option<Page>, StoreError> {
        if self.somebody(&page).await? {
            return Ok(Some(page));
        }
        let Work::Overdue { campaign, .. } = &page.work else { return Ok(None) };
        let page = Page { work: Work::Campaign { campaign: campaign.clone(), after: None }, ..page };
        Ok(self.somebody(&page).await?.then_some(page))
    }

    async fn somebody(&self, page: &Page) -> Result<bool, StoreError> {
        let programme = &self.programmes.at(page.at).programme;
        let today = programme.day(page.at);
        Ok(match page.work {
            Work::Campaign { .. } | Work::Resumed { .. } => {
                !self.books.audience(&page.shard, None, 1).await?.0.is_empty()
            }
            Work::Overdue { .. } | Work::Members => {
                !self.books.members_due(&page.shard, today, None, 1).await?.0.is_empty()
            }
            Work::Changed { .. } => !self.books.members_in(&page.shard, None, 1, programme).await?.0.is_empty(),
            Work::Vouchers => !self.books.vouchers_due(&page.shard, today, 1).await?.is_empty(),
        })
    }

    /// Works one page and queues the one after it.
    ///
    /// # Errors
    /// [`RunError`] when some of it is not done; the same page again does the rest.
    pub async fn work(&self, page: Page) -> Result<(), RunError> {
        let before = self.books.consumed();
        let (worked, next) = match &page.work {
            Work::Campaign { campaign, after } => self.campaign(&page, campaign, after.as_deref()).await?,
            Work::Overdue { campaign, after } => self.overdue(&page, campaign, after.as_ref()).await?,
            Work::Resumed { campaign, after } => self.resumed(&page, campaign, after.as_deref()).await?,
            Work::Changed { campaigns, after } => self.changed(&page, campaigns, after.as_deref()).await?,
            Work::Members => self.members(&page).await?,
            Work::Vouchers => self.vouchers(&page).await?,
        };
        if let Some(next) = next {
            self.runs.queue(&[next]).await?;
        }
        let consumed = self.books.consumed() - before;
        let (requests, read_units, write_units) = (consumed.requests, consumed.read_units, consumed.write_units);
        tracing::info!(shard = page.shard, worked, requests, read_units, write_units, "a page is done");
        Ok(())
    }

    async fn campaign(
        &self,
        page: &Page,
        campaign: &str,
        after: Option<&str>,
    ) -> Result<(usize, Option<Page>), RunError> {
        let known = self.known(page, campaign)?;
        let (members, more) =
            self.books.audience(&page.shard, after.map(MemberId::new).as_ref(), self.page_max).await?;
        let last = members.last().filter(|_| more).map(ToString::to_string);
        let count = members.len();
        self.enrol_all(known, members, page.at).await?;
        let work = |after| Work::Campaign { campaign: campaign.to_owned(), after: Some(after) };
        Ok((count, last.map(|after| Page { work: work(after), ..page.clone() })))
    }

    fn known(&self, page: &Page, campaign: &str) -> Result<&Campaign, RunError> {
        let known = self.programmes.at(page.at).programme.campaign(&RuleId::new(campaign));
        known.ok_or_else(|| RunError::NoCampaign(campaign.to_owned()))
    }

    /// Enrols whom the campaign addresses now though their rows do not say so, because the daily run is late. Whom the rows
    /// say it addresses come after them: whoever leaves the one list meanwhile is in the other by the time it is read.
    async fn overdue(
        &self,
        page: &Page,
        campaign: &str,
        after: Option<&DuePlace>,
    ) -> Result<(usize, Option<Page>), RunError> {
        let known = self.known(page, campaign)?;
        let programme = &self.programmes.at(page.at).programme;
        let today = programme.day(page.at);
        let (members, last) = self.books.members_due(&page.shard, today, after, self.page_max).await?;
        let count = members.len();
        let seen = self.books.look(members, None).await?;
        let fallen = seen
            .iter()
            .filter_map(Concerns::member_seen)
            .filter(|member| !known.may_address(member) && addresses_by_now(programme, known, member, page.at));
        let fallen = fallen.map(|member| member.member_id.clone()).collect();
        self.enrol_all(known, fallen, page.at).await?;
        let campaign = campaign.to_owned();
        let work = match last {
            Some(after) => Work::Overdue { campaign, after: Some(after) },
            None => Work::Campaign { campaign, after: None },
        };
        Ok((count, Some(Page { work, ..page.clone() })))
    }

    async fn enrol_all(&self, campaign: &Campaign, members: Vec<MemberId>, at: Instant) -> Result<(), RunError> {
        let budget = campaign.budget_points.is_some();
        // Everybody who is enrolled writes the budget's row: several at once would only lose races against each other.
        let at_once = if budget { 1 } else { AT_ONCE_MAX };
        let concerns = self.books.look(members, Some(&campaign.id)).await?;
        let concerns = concerns.into_iter().map(|concerns| Concerns { budget, ..concerns });
        let enrol = move |scheduled: Self, concerns: Concerns| async move { scheduled.enrol(&concerns, at).await };
        self.each(at_once, concerns, enrol).await.map(drop)
    }

    /// Decides what waited for a campaign, without enrolling or inviting anybody (X50).
    async fn resumed(
        &self,
        page: &Page,
        campaign: &str,
        after: Option<&str>,
    ) -> Result<(usize, Option<Page>), RunError> {
        let (members, more) =
            self.books.audience(&page.shard, after.map(MemberId::new).as_ref(), self.page_max).await?;
        let last = members.last().filter(|_| more).map(ToString::to_string);
        let (at, count) = (page.at, members.len());
        let concerns = self.books.look(members, None).await?.into_iter();
        let take_up = move |scheduled: Self, concerns: Concerns| async move { scheduled.take_up(&concerns, at).await };
        self.each(AT_ONCE_MAX, concerns, take_up).await?;
        let work = |after| Work::Resumed { campaign: campaign.to_owned(), after: Some(after) };
        Ok((count, last.map(|after| Page { work: work(after), ..page.clone() })))
    }

    /// Decides a member's orders that came while a campaign was paused that has gone on (X50). Whether there were any.
    async fn take_up(&self, concerns: &Concerns, at: Instant) -> Result<bool, StoreError> {
        let Some(member) = concerns.member_seen() else { return Ok(false) };
        let now = at.max(member.as_of);
        let programme = &self.programmes.at(now).programme;
        let gone_on = gone_on(programme, member, now);
        self.books.take_up(programme, &member.member_id, &gone_on).await?;
        Ok(!gone_on.is_empty())
    }

    /// Goes through everybody once after a change of the programme.
    async fn changed(
        &self,
        page: &Page,
        campaigns: &[String],
        after: Option<&str>,
    ) -> Result<(usize, Option<Page>), RunError> {
        let programme = &self.programmes.at(page.at).programme;
        let after = after.map(MemberId::new);
        let (found, last) = self.books.members_in(&page.shard, after.as_ref(), self.page_max, programme).await?;
        let (at, count) = (page.at, found.len());
        let rises = |member: &Member| {
            let raised = raise(programme, member.clone(), at);
            member.merged.is_none() && raised.is_ok_and(|raised| raised.outcome == Outcome::Posted)
        };
        let risen: Vec<bool> = found.iter().map(|found| rises(&found.member)).collect();
        let moves = found.iter().zip(&risen).filter(|(found, risen)| **risen || !found.in_place);
        let moves: Vec<Concerns> = moves.map(|(found, _)| Concerns::member(found.member.member_id.clone())).collect();
        let follow = move |scheduled: Self, concerns: Concerns| async move { scheduled.follow(&concerns, at).await };
        self.each(AT_ONCE_MAX, moves.into_iter(), follow).await?;
        let wanted = |campaign: &&Campaign| campaigns.iter().any(|id| id == campaign.id.as_str());
        for campaign in programme.campaigns.iter().filter(wanted) {
            // Who has risen or fallen is looked at as they are now.
            let addressed = found.iter().zip(&risen).filter(|(Found { member, .. }, risen)| {
                let may = campaign.may_address(member) || addresses_by_now(programme, campaign, member, at);
                member.merged.is_none() && (**risen || may)
            });
            let members = addressed.map(|(found, _)| found.member.member_id.clone()).collect();
            self.enrol_all(campaign, members, at).await?;
        }
        let work = |after: MemberId| Work::Changed { campaigns: campaigns.to_vec(), after: Some(after.to_string()) };
        Ok((count, last.map(|after| Page { work: work(after), ..page.clone() })))
    }

    /// Raises a member who has enough for a tier that asks less than before (T7), and writes their row as the programme sees
    /// it now.
    async fn follow(&self, concerns: &Concerns, at: Instant) -> Result<bool, StoreError> {
        let programme = &self.programmes.at(at).programme;
        let decide = |rows: loyalty_store::Loaded| {
            let Some(member) = rows.member else { return Err(Rejection::NoTiers) };
            let raised = raise(programme, member.clone(), at)?;
            let rises = raised.outcome == Outcome::Posted;
            let rewritten = Decision { member: Some(member), ..Decision::nothing(Outcome::Duplicate) };
            Ok((true, if rises { raised } else { rewritten }))
        };
        self.books.command(programme, concerns, at, decide).await
    }

    /// Members leave the list as they are done, so the next page asks the same again.
    async fn members(&self, page: &Page) -> Result<(usize, Option<Page>), RunError> {
        let today = self.programmes.at(page.at).programme.day(page.at);
        let (members, _) = self.books.members_due(&page.shard, today, None, self.page_max).await?;
        let (at, count) = (page.at, members.len());
        let concerns = self.books.look(members, None).await?.into_iter();
        let day = move |scheduled: Self, concerns: Concerns| async move { scheduled.day(&concerns, at).await };
        let changed = self.each(AT_ONCE_MAX, concerns, day).await?;
        Ok((count, self.next(page, count, changed)))
    }

    async fn vouchers(&self, page: &Page) -> Result<(usize, Option<Page>), RunError> {
        let today = self.programmes.at(page.at).programme.day(page.at);
        let vouchers = self.books.vouchers_due(&page.shard, today, self.page_max).await?;
        let (at, count) = (page.at, vouchers.len());
        let vouchers = vouchers.into_iter();
        let voucher = move |scheduled: Self, id| async move { scheduled.voucher(id, at).await };
        let changed = self.each(AT_ONCE_MAX, vouchers, voucher).await?;
        Ok((count, self.next(page, count, changed)))
    }

    /// The same question again, as long as asking it changes anything: a row that stays listed although nothing is due for
    /// it must not keep a run going for ever.
    fn next(&self, page: &Page, listed: usize, changed: usize) -> Option<Page> {
        if listed > 0 && changed == 0 {
            tracing::warn!(shard = page.shard, listed, "rows are listed as due, and nothing is due for them");
        }
        (changed > 0).then(|| page.clone())
    }

    /// Works several at once and says how many changed. All are tried, so that one that cannot be done stops nobody else.
    async fn each<T, F>(
        &self,
        at_once: usize,
        mut all: impl Iterator<Item = T>,
        work: impl Fn(Self, T) -> F,
    ) -> Result<usize, RunError>
    where
        F: Future<Output = Result<bool, StoreError>> + Send + 'static,
    {
        let (mut running, mut failed, mut changed) = (JoinSet::new(), 0, 0);
        loop {
            while running.len() < at_once
                && let Some(one) = all.next()
            {
                running.spawn(work(self.clone(), one));
            }
            match running.join_next().await {
                None if failed == 0 => return Ok(changed),
                None => return Err(RunError::Unfinished(failed)),
                Some(Ok(Ok(one))) => changed += usize::from(one),
                Some(Ok(Err(error))) => {
                    tracing::error!(error = chain(&error), "one of a page is not done");
                    failed += 1;
                }
                Some(Err(_)) => failed += 1,
            }
        }
    }

    /// Enrols one member, and invites them where they have participations left (C2, C9).
    async fn enrol(&self, concerns: &Concerns, at: Instant) -> Result<bool, StoreError> {
        let programme = &self.programmes.at(at).programme;
        let campaign = concerns.campaign.as_ref().and_then(|campaign| programme.campaign(campaign));
        let Some(campaign) = campaign else { return Ok(false) };
        let decide = |rows: loyalty_store::Loaded| {
            let Some(member) = rows.member else { return Err(Rejection::NoTiers) };
            let new = rows.participation.is_none();
            let enrolment = enrol(programme, campaign, member, rows.participation, rows.reserved_points, at)?;
            let invited = enrolment.invitation.map(|invited| invitation(&invited, programme, at));
            let changes = enrolment.decision.outcome == Outcome::Posted;
            Ok(((invited, changes, new && changes), enrolment.decision))
        };
        let (invited, changes, new): (Option<Message>, _, _) =
            self.books.command(programme, concerns, at, decide).await?;
        metrics::count(Metric::CampaignEnrolled, i64::from(new));
        self.put(invited.as_slice()).await?;
        Ok(changes)
    }

    /// Brings one member to the day and tells what is due (D3). What is told is on the bus and kept before the row says
    /// that it was: whoever is killed between the two tells it again, under the same ids.
    async fn day(&self, concerns: &Concerns, at: Instant) -> Result<bool, StoreError> {
        let programme = &self.programmes.at(at).programme;
        let decide = |rows: loyalty_store::Loaded| {
            let Some(member) = rows.member else { return Err(Rejection::NoTiers) };
            let day = run_day(programme, member, at)?;
            let changes = day.decision.outcome == Outcome::Posted;
            Ok(((self.told(programme, &day, at), changes), day.decision))
        };
        let keep = |((events, messages), _): &((Vec<BusEvent>, Vec<Message>), bool)| -> Pending {
            let (scheduled, events, messages) = (self.clone(), events.clone(), messages.clone());
            Box::pin(async move {
                scheduled.publish(&events).await?;
                scheduled.put(&messages).await
            })
        };
        let (_, changes) = self.books.command_after(programme, concerns, at, decide, keep).await?;
        Ok(changes)
    }

    fn told(&self, programme: &Programme, day: &Day, at: Instant) -> (Vec<BusEvent>, Vec<Message>) {
        let Some(member) = &day.decision.member else { return Default::default() };
        let vouchers = |on| -> Vec<Voucher> {
            let of_day = day.decision.grants.iter().filter(|grant| grant.valid_from == on);
            of_day.map(|grant| self.books.voucher_of(grant, at)).collect()
        };
        let expiring = day.notices.iter().filter_map(|due| PointsExpiring::of(&member.member_id, due, at));
        let messages = day.notices.iter().map(|due| notice(member, due, &vouchers(due.on), programme, at));
        (expiring.map(BusEvent::PointsExpiring).collect(), messages.collect())
    }

    /// Reminds of a voucher, once, while it is unused and its tier is still held (N4, X35); and writes down when it is
    /// over.
    async fn voucher(&self, voucher_id: VoucherId, at: Instant) -> Result<bool, StoreError> {
        let programme = &self.programmes.at(at).programme;
        let today = programme.day(at);
        let Some(stored) = self.books.voucher(&voucher_id).await? else { return Ok(false) };
        let voucher = stored.row;
        let before = voucher.clone();
        let reminds = voucher.state_on(today) == VoucherState::Issued
            && !voucher.reminded
            && voucher.grant.remind_on.is_some_and(|day| day <= today);
        if reminds {
            let stored = self.books.member_now(&voucher.grant.member_id, Consistency::Strong).await?;
            if let Some(Stored { row: mut member, .. }) = stored {
                // As they stand on this day, whether or not their own page has been worked by now.
                let fell_due = advance(programme, &mut member, at, &mut Vec::new());
                fell_due.map_err(|overflow| StoreError::Rejected(overflow.into()))?;
                if holds(programme, &member, &voucher) {
                    self.put(&[voucher_reminder(&member, &voucher, programme, at)]).await?;
                }
            }
        }
        let changed = |mut voucher: Voucher| {
            voucher.reminded |= reminds;
            voucher.state = voucher.state_on(today);
            Ok::<_, std::convert::Infallible>(voucher)
        };
        let changed = self.books.change_voucher(&voucher_id, changed).await?;
        Ok(changed.and_then(Result::ok).is_some_and(|now| now != before))
    }

    async fn publish(&self, events: &[BusEvent]) -> Result<(), StoreError> {
        let published = self.bus.publish(events).await;
        published.map_err(|(_, error)| StoreError::unavailable("publish an event", error))
    }

    async fn put(&self, messages: &[Message]) -> Result<(), StoreError> {
        let put = self.outbox.put(messages).await;
        put.map_err(|(_, error)| StoreError::unavailable("keep a message", error))
    }
}

/// Whether a campaign may address the member as they stand at an instant, whatever of it has been written.
fn addresses_by_now(programme: &Programme, campaign: &Campaign, member: &Member, at: Instant) -> bool {
    let mut member = member.clone();
    advance(programme, &mut member, at, &mut Vec::new()).is_ok() && campaign.may_address(&member)
}

/// Whether the member still holds the tier that the voucher was given for, or a higher one (X35).
fn holds(programme: &Programme, member: &Member, voucher: &Voucher) -> bool {
    let rank = |tier| programme.tiers.rank(tier);
    let asked = voucher.grant.tier.as_ref().and_then(rank);
    asked.is_none_or(|asked| rank(&member.tier).is_some_and(|held| held >= asked))
}
