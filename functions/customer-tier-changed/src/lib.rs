//! A member's tier changed: they get the tier's vouchers and are congratulated (S1: N1–N8, X34).
//!
//! Vouchers and message have ids that follow from the entry that changed the tier, so an event that comes again gives
//! nothing again. The reminder after some days is the daily run's (N4). An event from outside is refused: this engine
//! decides tiers itself (X47).

use aws_lambda_events::eventbridge::EventBridgeEvent;
use loyalty_contract::events::{Direction, SOURCE, TierChanged};
use loyalty_contract::programme::ProgrammeFile;
use loyalty_domain::ids::{MemberId, TierId};
use loyalty_domain::programme::{NotifyTier, Programme};
use loyalty_domain::voucher::Grant;
use loyalty_messaging::{Outbox, PutError, tier_reached};
use loyalty_runtime::config::{ConfigError, Environment};
use loyalty_store::{Books, Coder, Consistency, StoreError};
use serde_json::Value;

/// What the function needs, made once and borrowed by every call.
pub struct CustomerTierChanged {
    pub books: Books,
    pub programmes: ProgrammeFile,
    pub outbox: Outbox,
}

/// Why an event is not done. It comes again, and then ends in the dead letters.
#[derive(Debug, thiserror::Error)]
pub enum TierError {
    #[error("the event is no TierChanged of ours")]
    NotOurs(#[source] serde_json::Error),
    #[error("{detail_type} from {source_name} is refused: this programme decides tiers itself (X47)")]
    Outside { source_name: String, detail_type: String },
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
        let environment = Environment::of_process();
        let (programmes, key) = (environment.programmes()?, environment.member_key()?);
        let table_prefix = environment.table_prefix()?;
        let client = aws_sdk_dynamodb::Client::new(&loyalty_runtime::aws::sdk_config().await);
        let coder = Coder::new(move |grant_id| key.voucher(grant_id));
        let books = Books::new(client.clone(), &table_prefix).with_coder(coder);
        Ok(Self { books, programmes, outbox: Outbox::new(client, &table_prefix) })
    }

    /// Gives what the new tier brings, and tells the member.
    ///
    /// # Errors
    /// [`TierError`]; the same event again does what is missing.
    pub async fn answer(&self, event: EventBridgeEvent<Value>) -> Result<(), TierError> {
        if event.source != SOURCE || event.detail_type != TierChanged::DETAIL_TYPE {
            let (source_name, detail_type) = (event.source, event.detail_type);
            return Err(TierError::Outside { source_name, detail_type });
        }
        let changed: TierChanged = serde_json::from_value(event.detail).map_err(TierError::NotOurs)?;
        let programme = &self.programmes.at(changed.recorded_at).programme;
        if !tells(programme, changed.direction) {
            return Ok(());
        }
        let member_id = MemberId::new(changed.member_id.as_str());
        let tier = TierId::new(changed.tier_after.as_str());
        let stored = self.books.member(&member_id, Consistency::Eventual).await?;
        let Some(stored) = stored else { return Err(TierError::NoMember(member_id)) };
        let mut vouchers = Vec::new();
        for grant in grants(programme, &member_id, &tier, &changed) {
            self.books.give_voucher(&grant, changed.recorded_at).await?;
            vouchers.push(self.books.voucher_of(&grant, changed.recorded_at));
        }
        // As the member was right after the entry, whatever has happened since.
        let mut member = stored.row;
        member.tier = tier;
        member.balance.qualifying.0 = changed.qualifying;
        let message = tier_reached(&member, changed.seq, &vouchers, programme, changed.recorded_at);
        self.outbox.put(&[message]).await.map_err(|(_, error)| TierError::Message(error))?;
        tracing::info!(
            member_id = member_id.as_str(),
            tier = member.tier.as_str(),
            given = vouchers.len(),
            "a new tier is told"
        );
        Ok(())
    }
}

/// X34: only upgrades, unless the programme says otherwise.
fn tells(programme: &Programme, direction: Direction) -> bool {
    match programme.notices.tier_changed {
        NotifyTier::None => false,
        NotifyTier::Both => true,
        NotifyTier::Upgrade => direction == Direction::Upgrade,
    }
}

/// The vouchers of a tier that was reached; falling to a tier brings none.
fn grants(programme: &Programme, member_id: &MemberId, tier: &TierId, changed: &TierChanged) -> Vec<Grant> {
    let offers = programme.tiers.get(tier).filter(|_| changed.direction == Direction::Upgrade);
    let why = format!("tier/{}", changed.seq);
    let today = programme.day(changed.recorded_at);
    let grant = |offer| Grant::new(member_id, &why, offer, today).for_tier(tier, programme.notices.voucher_days);
    offers.map(|tier| tier.on_reaching.iter().map(grant).collect()).unwrap_or_default()
}
