//! Commands about one member: read what they concern, decide, write it in one transaction, and decide again after a lost
//! race.

use std::pin::Pin;

use loyalty_domain::campaign::Participation;
use loyalty_domain::decision::{Decision, Rejection};
use loyalty_domain::ids::{MemberId, RequestId, RuleId};
use loyalty_domain::ledger::Entry;
use loyalty_domain::member::Member;
use loyalty_domain::programme::Programme;
use loyalty_domain::request::Request;
use loyalty_domain::time::Instant;
use loyalty_domain::voucher::Grant;

use crate::apply::ATTEMPTS_MAX;
use crate::budget::Budget;
use crate::commit::{Condition, Failure, Write, pause};
use crate::read::readable;
use crate::records::{
    decode_member, decode_participation, decode_request, encode_entry, encode_member, encode_participation,
    encode_request, encode_voucher,
};
use crate::rows::{Key, Slot, slot_of};
use crate::{Books, Consistency, StoreError, Table};

/// Something that is being done: boxed, so that whoever awaits it can be moved between threads.
pub type Pending = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// Which rows a command concerns.
#[derive(Clone, Debug)]
pub struct Concerns {
    pub member_id: MemberId,
    pub request_id: Option<RequestId>,
    /// Read the whole history, for limits that count it.
    pub history: bool,
    /// Read the member's participation in this campaign, active or not.
    pub campaign: Option<RuleId>,
    /// And what is set aside of the campaign's budget, unless the member has a participation already.
    pub budget: bool,
    /// The command is only tried: nothing is written.
    pub tries: bool,
    /// What was seen of the rows before; the command begins with it.
    pub seen: Option<Seen>,
}

/// The rows of a member as they were seen with others' ([`Books::look`]).
#[derive(Clone, Debug)]
pub struct Seen {
    loaded: Loaded,
    revisions: Revisions,
}

impl Seen {
    /// That no row is there.
    pub(crate) fn nothing() -> Self {
        Self { loaded: Loaded::default(), revisions: Revisions::default() }
    }
}

impl Concerns {
    pub fn member(member_id: MemberId) -> Self {
        Self { member_id, request_id: None, history: false, campaign: None, budget: false, tries: false, seen: None }
    }

    /// The member, as far as was seen.
    pub fn member_seen(&self) -> Option<&Member> {
        self.seen.as_ref()?.loaded.member.as_ref()
    }

    pub fn request(member_id: MemberId, request_id: RequestId) -> Self {
        Self { request_id: Some(request_id), ..Self::member(member_id) }
    }
}

/// The rows as they were read.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    pub member: Option<Member>,
    pub request: Option<Request>,
    /// The entry that the request posted; only for a request that is there.
    pub entry: Option<Entry>,
    /// By rising `seq`; empty unless it was asked for.
    pub history: Vec<Entry>,
    /// Those in the campaigns the member is active in.
    pub participations: Vec<Participation>,
    /// The one in the campaign that was asked for.
    pub participation: Option<Participation>,
    /// Redeemable points set aside so far from the budget of the campaign that was asked for, where it has one.
    pub reserved_points: i64,
}

/// Revisions of what was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Revisions {
    pub member: u64,
    request: u64,
    participations: Vec<(RuleId, u64)>,
    budget: Budget,
}

impl Revisions {
    fn participation(&self, campaign: &RuleId) -> u64 {
        self.participations.iter().find(|(known, _)| known == campaign).map_or(0, |(_, revision)| *revision)
    }
}

impl Books {
    /// Carries out a command at an instant, by the programme in force then: `decide` is asked with the rows it concerns,
    /// until what it decided has been written. Orders of the member that wait for a campaign which has gone on are decided
    /// first (X50).
    ///
    /// # Errors
    /// [`StoreError::Rejected`] with the domain's refusal; otherwise nothing is written, and the command can come again.
    pub async fn command<T>(
        &self,
        programme: &Programme,
        concerns: &Concerns,
        now: Instant,
        decide: impl Fn(Loaded) -> Result<(T, Decision), Rejection>,
    ) -> Result<T, StoreError> {
        self.command_after(programme, concerns, now, decide, |_: &T| Box::pin(async { Ok(()) })).await
    }

    /// Like [`Books::command`], but `first` is done, with the answer, before what was decided is written: for what must
    /// not be forgotten once the rows say that it has been done. It may be done again, and for a decision that then
    /// loses its race.
    ///
    /// # Errors
    /// As [`Books::command`], and what `first` fails with.
    pub async fn command_after<T>(
        &self,
        programme: &Programme,
        concerns: &Concerns,
        now: Instant,
        decide: impl Fn(Loaded) -> Result<(T, Decision), Rejection>,
        first: impl Fn(&T) -> Pending,
    ) -> Result<T, StoreError> {
        let (mut seen, mut left) = (concerns.seen.clone(), None);
        for attempt in 0..ATTEMPTS_MAX {
            pause(attempt).await;
            let looked = seen.is_some();
            let Seen { mut loaded, mut revisions } = match seen.take() {
                Some(seen) => seen,
                None => self.load_for(concerns).await?,
            };
            // Whoever has joined another is that one from then on.
            if let Some(merged) = loaded.member.take_if(|member| member.merged.is_some()).and_then(|it| it.merged) {
                let concerns = Concerns { member_id: merged.into, ..concerns.clone() };
                Seen { loaded, revisions } = self.load_for(&concerns).await?;
            }
            if let Some(member) = loaded.member.as_ref().filter(|_| !concerns.tries)
                && self.takes_up(programme, (member, revisions.member), now, &mut left).await?
            {
                continue;
            }
            if let Some(campaign) = &concerns.campaign
                && concerns.budget
                && loaded.participation.is_none()
            {
                revisions.budget = self.budget(campaign).await?;
                loaded.reserved_points = revisions.budget.reserved_points;
            }
            let active = loaded.participations.clone();
            let takes_part = loaded.member.as_ref().is_some_and(|member| !member.active_campaigns.is_empty());
            let (answer, decision) = decide(loaded).map_err(StoreError::Rejected)?;
            if concerns.tries {
                return Ok(answer);
            }
            // A look leaves out the participations that a promotion ends: they are read first.
            if looked && takes_part && decision.raises_the_tier(programme) {
                continue;
            }
            let decision = decision.ending(programme, &active);
            let mut writes = self.writes_of(programme, &decision, &revisions);
            writes.extend(revisions.budget.write(&decision));
            self.give(&decision).await?;
            first(&answer).await?;
            let written = match writes.as_slice() {
                [] => Ok(()),
                [one] => self.put(one).await,
                _ => self.transact(writes).await,
            };
            match written {
                Ok(()) => return Ok(answer),
                Err(Failure::Lost) => {}
                Err(Failure::Fault(error)) => return Err(error),
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX })
    }

    /// Looks at several members, each with their participation in a campaign if one is named, in as few requests as
    /// there can be. What is seen may be out of date: a write asks that it is not, and where it is, the command reads
    /// what is really there. A row that cannot be read is not seen, and is the trouble of its own member's command.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn look(&self, members: Vec<MemberId>, campaign: Option<&RuleId>) -> Result<Vec<Concerns>, StoreError> {
        let rows = members.iter().map(|member_id| Key::of(Table::Members, member_id.as_str()));
        let participations = campaign
            .into_iter()
            .flat_map(|campaign| members.iter().map(move |member_id| Key::participation(campaign, member_id)));
        let keys: Vec<_> = rows.chain(participations).collect();
        let mut found = self.batch_get(&keys, Consistency::Eventual).await?;
        let mut seen = |member_id: &MemberId| -> Result<Seen, StoreError> {
            let mut seen = Seen { loaded: Loaded::default(), revisions: Revisions::default() };
            let member = slot_of(&mut found, Key::of(Table::Members, member_id.as_str()), decode_member)?;
            (seen.loaded.member, seen.revisions.member) = (member.row, member.revision);
            if let Some(campaign) = campaign {
                let slot = slot_of(&mut found, Key::participation(campaign, member_id), decode_participation)?;
                seen.revisions.participations.push((campaign.clone(), slot.revision));
                seen.loaded.participation = slot.row;
            }
            Ok(seen)
        };
        let concerns = |member_id: MemberId| Concerns {
            seen: seen(&member_id).ok().filter(|seen| seen.loaded.member.is_some()),
            campaign: campaign.cloned(),
            ..Concerns::member(member_id)
        };
        Ok(members.into_iter().map(concerns).collect())
    }

    /// The rows that a command concerns, whatever they say, as they really are.
    pub(crate) async fn load_rows(&self, concerns: &Concerns) -> Result<(Loaded, Revisions), StoreError> {
        let Seen { loaded, revisions } = self.load_for(concerns).await?;
        Ok((loaded, revisions))
    }

    /// Commands are rare and answer a person who waits, so they read what is really there.
    async fn load_for(&self, concerns: &Concerns) -> Result<Seen, StoreError> {
        let (mut loaded, mut revisions) = (Loaded::default(), Revisions::default());
        let member_id = &concerns.member_id;
        if let Some(stored) = self.member(member_id, Consistency::Strong).await? {
            revisions.member = stored.revision;
            loaded.member = Some(stored.row);
        }
        if let Some(request_id) = &concerns.request_id
            && let Some(slot) = self.request(request_id).await?
        {
            revisions.request = slot.revision;
            if let Some(request) = &slot.row {
                loaded.entry = self.entry(&request.member_id, request.seq).await?;
            }
            loaded.request = slot.row;
        }
        if concerns.history {
            let joined = loaded.member.as_ref().map_or(&[][..], |member| &member.merged_from);
            loaded.history = self.whole_histories(joined, member_id).await?;
        }
        let active = loaded.member.as_ref().map(|member| member.active_campaigns.clone()).unwrap_or_default();
        for campaign in active.iter().chain(concerns.campaign.iter().filter(|asked| !active.contains(asked))) {
            let Some(slot) = self.participation(campaign, member_id, Consistency::Strong).await? else { continue };
            revisions.participations.push((campaign.clone(), slot.revision));
            if concerns.campaign.as_ref() == Some(campaign) {
                loaded.participation.clone_from(&slot.row);
            }
            loaded.participations.extend(slot.row.filter(|_| active.contains(campaign)));
        }
        Ok(Seen { loaded, revisions })
    }

    async fn request(&self, request_id: &RequestId) -> Result<Option<Slot<Request>>, StoreError> {
        let item = self.get(Key::of(Table::Requests, request_id.as_str()), Consistency::Strong).await?;
        let stored = item.map(|item| readable(Table::Requests, request_id.as_str(), decode_request(item)));
        Ok(stored.transpose()?.map(Slot::from))
    }

    /// A member's participation in a campaign, if there is one.
    pub(crate) async fn participation(
        &self,
        campaign: &RuleId,
        member_id: &MemberId,
        consistency: Consistency,
    ) -> Result<Option<Slot<Participation>>, StoreError> {
        let item = self.get(Key::participation(campaign, member_id), consistency).await?;
        let stored = item.map(|item| readable(Table::Participations, campaign.as_str(), decode_participation(item)));
        Ok(stored.transpose()?.map(Slot::from))
    }

    /// A member's participations in the given campaigns, those that exist. Eventually consistent: they are shown, and
    /// nothing is decided on them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], or [`StoreError::Corrupt`] for a row this version cannot read.
    pub async fn participations(
        &self,
        campaigns: &[RuleId],
        member_id: &MemberId,
    ) -> Result<Vec<Participation>, StoreError> {
        let mut found = Vec::new();
        for campaign in campaigns {
            found.extend(
                self.participation(campaign, member_id, Consistency::Eventual).await?.and_then(|slot| slot.row),
            );
        }
        Ok(found)
    }

    pub(crate) fn writes_of(&self, programme: &Programme, decision: &Decision, revisions: &Revisions) -> Vec<Write> {
        let mut writes = Vec::new();
        if let Some(member) = &decision.member {
            let item = encode_member(member, revisions.member + 1, programme);
            writes.push(Write { table: Table::Members, item, condition: Condition::as_read(revisions.member) });
        }
        for participation in &decision.participations {
            let revision = revisions.participation(&participation.campaign);
            let item = encode_participation(participation, revision + 1);
            writes.push(Write { table: Table::Participations, item, condition: Condition::as_read(revision) });
        }
        if let Some(request) = &decision.request {
            let item = encode_request(request, revisions.request + 1);
            writes.push(Write { table: Table::Requests, item, condition: Condition::as_read(revisions.request) });
        }
        let entry =
            |entry| Write { table: Table::PointsHistory, item: encode_entry(entry), condition: Condition::Absent };
        writes.extend(decision.entries.iter().map(entry));
        if decision.request.is_some() {
            writes.extend(self.vouchers_of(decision));
        }
        writes
    }

    fn vouchers_of(&self, decision: &Decision) -> Vec<Write> {
        let Some(given_at) = decision.member.as_ref().map(|member| member.as_of) else { return Vec::new() };
        let write = |grant: &Grant| {
            let item = encode_voucher(&self.voucher_of(grant, given_at), 1);
            Write { table: Table::Vouchers, item, condition: Condition::Absent }
        };
        decision.grants.iter().map(write).collect()
    }

    /// Puts the vouchers that nobody paid for, before it is written down that they were given: each once, and one that is
    /// there already stays as it is. What a request pays for is part of its transaction.
    async fn give(&self, decision: &Decision) -> Result<(), StoreError> {
        if decision.request.is_some() {
            return Ok(());
        }
        for write in self.vouchers_of(decision) {
            self.put_once(&write).await?;
        }
        Ok(())
    }

    /// Puts a row unless it is there: `false` when it was.
    pub(crate) async fn put_once(&self, write: &Write) -> Result<bool, StoreError> {
        match self.put(write).await {
            Ok(()) => Ok(true),
            Err(Failure::Lost) => Ok(false),
            Err(Failure::Fault(error)) => Err(error),
        }
    }
}
