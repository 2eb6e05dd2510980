//! Two members become one: the ledger's side in one transaction, then how the person can be reached in another.
//!
//! Each of the two is done once and can be given again; whoever is killed in between goes on with the second.

use loyalty_domain::decision::Outcome;
use loyalty_domain::ids::MemberId;
use loyalty_domain::merge::{MergeRows, merge};
use loyalty_domain::programme::Programme;
use loyalty_domain::request::{Asked, Request};
use loyalty_domain::time::Instant;

use crate::apply::ATTEMPTS_MAX;
use crate::commit::{Condition, Failure, Write, pause};
use crate::contacts::Contact;
use crate::records::encode_member;
use crate::{Books, Concerns, StoreError, Table};

/// What came of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merging {
    /// The ledger's side is done now.
    Done(Request),
    /// It had been done before.
    Before(Request),
    /// Nobody is known by this id.
    Unknown(MemberId),
}

impl Books {
    /// Merges one member into another, in one transaction, once ([`merge`]).
    ///
    /// # Errors
    /// As [`Books::command`].
    pub async fn merge_members(
        &self,
        programme: &Programme,
        (from_id, into_id): (&MemberId, &MemberId),
        asked: &Asked,
        now: Instant,
    ) -> Result<Merging, StoreError> {
        let concerns = Concerns::request(into_id.clone(), asked.request_id.clone());
        let mut left = (None, None);
        for attempt in 0..ATTEMPTS_MAX {
            pause(attempt).await;
            let (loaded, revisions) = self.load_rows(&concerns).await?;
            let (joining, from_revisions) = self.load_rows(&Concerns::member(from_id.clone())).await?;
            let Some(from) = joining.member else { return Ok(Merging::Unknown(from_id.clone())) };
            let Some(into) = loaded.member else { return Ok(Merging::Unknown(into_id.clone())) };
            let into_waits = self.takes_up(programme, (&into, revisions.member), now, &mut left.0).await?;
            let from_waits = self.takes_up(programme, (&from, from_revisions.member), now, &mut left.1).await?;
            if into_waits || from_waits {
                continue;
            }
            let rows = MergeRows {
                into,
                from,
                known: loaded.request.as_ref(),
                participations: loaded.participations,
                ends: &joining.participations,
            };
            let (request, decision) = merge(programme, rows, asked.clone(), now).map_err(StoreError::Rejected)?;
            if decision.outcome == Outcome::Duplicate {
                return Ok(Merging::Before(request));
            }
            let mut writes = self.writes_of(programme, &decision, &revisions);
            if let Some(from_now) = &decision.left_member {
                let item = encode_member(from_now, from_revisions.member + 1, programme);
                writes.push(Write {
                    table: Table::Members,
                    item,
                    condition: Condition::as_read(from_revisions.member),
                });
            }
            match self.transact(writes).await {
                Ok(()) => return Ok(Merging::Done(request)),
                Err(Failure::Lost) => {}
                Err(Failure::Fault(error)) => return Err(error),
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX })
    }

    /// How a member who joined another can be reached is how that one can, where nothing else is known; the newest wish
    /// about each kind of message holds. `false` when there is nothing left to move.
    ///
    /// # Errors
    /// [`StoreError`] when it is not known whether it was written.
    pub async fn merge_contacts(&self, from_id: &MemberId, into_id: &MemberId) -> Result<bool, StoreError> {
        for attempt in 0..ATTEMPTS_MAX {
            pause(attempt).await;
            let (from, into) = (self.contact(from_id).await?, self.contact(into_id).await?);
            if from.row == Contact::new(from_id.clone()) {
                return Ok(false);
            }
            match self.transact(self.joined_contacts(from, into).await?).await {
                Ok(()) => return Ok(true),
                Err(Failure::Lost) => {}
                Err(Failure::Fault(error)) => return Err(error),
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX })
    }
}
