//! A member's tier changed: they get the tier's vouchers and are congratulated (S1: N1–N8, X34).
//!
//! Vouchers and message have ids that follow from the entry that changed the tier, so an event that comes again gives
//! nothing again. A tier that is lost because its order was undone takes its unused vouchers with it (X19). One flow serves
//! every tier (N5). The reminder after some days is the daily run's (N4).
//!
//! The shop's own system says by an event of its own which tier it gave. That is followed where the programme leaves tiers
//! to it, and refused where this engine decides (X47); what the new tier brings then comes from the ledger, as always.

use aws_lambda_events::eventbridge::EventBridgeEvent;
use loyalty_contract::events::{CustomerTierChanged as Outside, Direction, SOURCE, TierChanged, Why};
use loyalty_contract::identity::MemberKey;
use loyalty_contract::phone::normalise;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_contract::refusal::refusal;
use loyalty_domain::decision::Rejection;
use loyalty_domain::ids::{MemberId, TierId};
use loyalty_domain::member::Member;
use loyalty_domain::outside::Told;
use loyalty_domain::programme::{NotifyTier, Programme};
use loyalty_domain::time::Instant;
use loyalty_domain::voucher::{Grant, Voucher, VoucherState};
use loyalty_messaging::{Outbox, PutError, tier_lowered, tier_reached};
use loyalty_runtime::config::ConfigError;
use loyalty_runtime::secrets;
use loyalty_store::{Books, Coder, Consistency, StoreError};
use serde_json::Value;

/// What the function needs, made once and borrowed by every call.
pub struct CustomerTierChanged {
    pub books: Books,
    pub programmes: ProgrammeFile,
    pub key: MemberKey,
    pub outbox: Outbox,
}

/// Why an event is not done. It comes again, and then ends in the dead letters.
#[derive(Debug, thiserror::Error)]
pub enum TierError {
    #[error("{detail_type} from {source_name} is no event that is known here")]
    Unknown { source_name: String, detail_type: String },
    #[error("the event is no TierChanged of ours")]
    NotOurs(#[source] serde_json::Error),
    /// Whoever wrote it may have put a customer where something else should be: nothing of it is repeated.
    #[error("the event cannot be read: {0}")]
    Unreadable(&'static str),
    #[error("the programme is paused: the event is kept, and replayed from the dead letters afterwards (X50)")]
    Paused,
    #[error("the event is refused: {0}")]
    Refused(String),
    #[error("the member {0} has no row")]
    NoMember(MemberId),
    #[error("the books cannot be read or written")]
    Books(#[from] StoreError),
    #[error("the message is not kept")]
    Message(#[source] PutError),
}

impl CustomerTierChanged {
    /// Reads the environment and builds the client.
    ///
    /// # Errors
    /// [`ConfigError`] naming what is missing or wrong.
    pub async fn from_environment() -> Result<Self, ConfigError> {
        let environment = secrets::environment().await?;
        let (programmes, key) = (environment.programmes()?, environment.member_key()?);
        let table_prefix = environment.table_prefix()?;
        let client = aws_sdk_dynamodb::Client::new(&loyalty_runtime::aws::sdk_config().await);
        let coding = key.clone();
        let coder = Coder::new(move |grant_id| coding.voucher(grant_id));
        let books = Books::new(client.clone(), &table_prefix).with_coder(coder);
        Ok(Self { books, programmes, key, outbox: Outbox::new(client, &table_prefix) })
    }

    /// Does what an event of the bus asks for.
    ///
    /// # Errors
    /// [`TierError`]; the same event again does what is missing.
    pub async fn answer(&self, event: EventBridgeEvent<Value>) -> Result<(), TierError> {
        let EventBridgeEvent { source: source_name, detail_type, detail, time, .. } = event;
        match (source_name == SOURCE, detail_type.as_str()) {
            (true, TierChanged::DETAIL_TYPE) => self.tell(detail).await,
            (false, Outside::DETAIL_TYPE) => {
                let now = time.ok_or(TierError::Unreadable("it has no time"))?;
                self.follow(detail, now).await
            }
            _ => Err(TierError::Unknown { source_name, detail_type }),
        }
    }

    /// Follows the shop's system. "Now" is when it sent the event. That the engine decides is a refusal which stays one, so
    /// it is said and the event is done; an unknown tier may become known, so that event is kept (X37).
    async fn follow(&self, detail: Value, now: Instant) -> Result<(), TierError> {
        let unreadable = |_| TierError::Unreadable("its detail is no CustomerTierChanged");
        let Outside { member_id, phone, tier, changed_at } = serde_json::from_value(detail).map_err(unreadable)?;
        let programme = &self.programmes.at(now).programme;
        if programme.paused {
            return Err(TierError::Paused);
        }
        let (member_id, phone) = match (member_id, phone) {
            (Some(id), _) => (self.known(MemberId::new(id)).await?, None),
            (None, Some(phone)) => {
                let phone = normalise(&phone).map_err(|_| TierError::Unreadable("phone is no phone number"))?;
                (self.key.by_phone(&phone), Some(phone))
            }
            (None, None) => return Err(TierError::Unreadable("it names no member_id and no phone")),
        };
        let begins = |known: Option<Member>| match known {
            Some(member) => Ok(member),
            None => {
                let mut member = Member::registered(programme, member_id.clone(), now).ok_or(Rejection::NoTiers)?;
                member.profile.phone = phone.clone().map(String::from);
                Ok(member)
            }
        };
        let told = Told { tier, changed_at: changed_at.unwrap_or(now) };
        let followed = self.books.follow_tier(programme, member_id.clone(), begins, &told, now).await;
        match followed {
            Ok(followed) => {
                let (member_id, tier) = (member_id.as_str(), followed.tier.as_str());
                tracing::info!(member_id, tier, new = followed.new, "an outside tier is followed");
                Ok(())
            }
            Err(StoreError::Rejected(rejection)) => {
                let problem = refusal(programme, &rejection);
                tracing::warn!(refused = problem.kind, reason = problem.detail, "an outside tier is refused");
                if rejection == Rejection::TiersAreOurs { Ok(()) } else { Err(TierError::Refused(problem.detail)) }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// An id says nothing of a person, so nobody is registered by it.
    async fn known(&self, member_id: MemberId) -> Result<MemberId, TierError> {
        let stored = self.books.member(&member_id, Consistency::Eventual).await?;
        stored.map(|_| member_id).ok_or(TierError::Unreadable("nobody is known by its member_id"))
    }

    /// Gives what the new tier brings, and tells the member.
    async fn tell(&self, detail: Value) -> Result<(), TierError> {
        let changed: TierChanged = serde_json::from_value(detail).map_err(TierError::NotOurs)?;
        let programme = &self.programmes.at(changed.recorded_at).programme;
        let member_id = MemberId::new(changed.member_id.as_str());
        let tier = TierId::new(changed.tier_after.as_str());
        let mut member = self.member(&member_id).await?;
        let vouchers = match changed.direction {
            Direction::Upgrade => self.give(programme, &member, &tier, &changed).await?,
            Direction::Downgrade if undoes(changed.reason) => {
                self.withdraw(programme, &member).await?;
                Vec::new()
            }
            Direction::Downgrade | Direction::Replaced => Vec::new(),
        };
        if !tells(programme, &changed) {
            return Ok(());
        }
        // As the member was right after the entry, where they have moved on since.
        if member.tier != tier {
            member.tier = tier;
            member.balance.qualifying.0 = changed.qualifying;
        }
        let (seq, now) = (changed.seq, changed.recorded_at);
        let message = match changed.direction {
            Direction::Downgrade => {
                tier_lowered(&member, seq, &TierId::new(changed.tier_before.as_str()), programme, now)
            }
            Direction::Upgrade | Direction::Replaced => tier_reached(&member, seq, &vouchers, programme, now),
        };
        self.outbox.put(&[message]).await.map_err(|(_, error)| TierError::Message(error))?;
        tracing::info!(
            member_id = member_id.as_str(),
            tier = member.tier.as_str(),
            given = vouchers.len(),
            "a new tier is told"
        );
        Ok(())
    }

    async fn member(&self, member_id: &MemberId) -> Result<Member, TierError> {
        let stored = self.books.member(member_id, Consistency::Strong).await?;
        stored.map(|stored| stored.row).ok_or_else(|| TierError::NoMember(member_id.clone()))
    }

    /// Gives the vouchers of a tier that was reached: each once in a cycle, however often an order that is undone has the
    /// tier reached again, or whoever has joined the member had reached it. Who has fallen back by now gets none; the event
    /// of the fall may have come before this one, so that is looked at again once they are given.
    async fn give(
        &self,
        programme: &Programme,
        member: &Member,
        tier: &TierId,
        changed: &TierChanged,
    ) -> Result<Vec<Voucher>, TierError> {
        let since = changed.held_since();
        let (then, today) = (&self.programmes.at(since).programme, programme.day(changed.recorded_at));
        let mut grants = Grant::of_tier(then, (&member.member_id, changed.seq), tier, since, today);
        if grants.is_empty() || has_fallen(programme, member, tier, changed) {
            return Ok(Vec::new());
        }
        let known = self.books.vouchers_of_member(member).await?;
        grants.retain(|grant| !known.iter().any(|voucher| voucher.stands_for(grant, member.cycle_start)));
        let mut vouchers = Vec::new();
        for grant in grants {
            self.books.give_voucher(&grant, changed.recorded_at).await?;
            vouchers.push(self.books.voucher_of(&grant, changed.recorded_at));
        }
        let member = self.member(&member.member_id).await?;
        if has_fallen(programme, &member, tier, changed) {
            for voucher in vouchers.drain(..) {
                self.void(&voucher).await?;
            }
        }
        Ok(vouchers)
    }

    /// Takes back what was given for tiers above the one that is held now, as far as it is unused (X19).
    async fn withdraw(&self, programme: &Programme, member: &Member) -> Result<(), TierError> {
        let vouchers = self.books.vouchers_of_member(member).await?;
        let above = |voucher: &&Voucher| voucher.is_above(&programme.tiers, &member.tier);
        for voucher in vouchers.iter().filter(above).filter(|voucher| voucher.state == VoucherState::Issued) {
            self.void(voucher).await?;
        }
        Ok(())
    }

    /// One that is used meanwhile stays used.
    async fn void(&self, voucher: &Voucher) -> Result<(), TierError> {
        _ = self.books.change_voucher(&voucher.voucher_id, Voucher::voided).await?;
        Ok(())
    }
}

/// Whether a fall undoes the promotion, other than a review or the shop's own word, which end a tier that was held.
fn undoes(reason: Why) -> bool {
    !matches!(reason, Why::TierMissed | Why::TierTold)
}

/// Whether a tier that was reached in the running cycle is no longer held.
fn has_fallen(programme: &Programme, member: &Member, tier: &TierId, changed: &TierChanged) -> bool {
    let below = programme.tiers.rank(&member.tier) < programme.tiers.rank(tier);
    below && member.cycle_start <= programme.day(changed.held_since())
}

/// X34: only upgrades, unless the programme says otherwise. That a review lowered the tier is told with its entry (T14).
fn tells(programme: &Programme, changed: &TierChanged) -> bool {
    match programme.notices.tier_changed {
        NotifyTier::None => false,
        NotifyTier::Both => changed.reason != Why::TierMissed,
        NotifyTier::Upgrade => changed.direction == Direction::Upgrade,
    }
}
