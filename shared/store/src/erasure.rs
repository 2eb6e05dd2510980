//! Erasure of the person behind a member.

use loyalty_domain::decision::{Decision, Outcome};
use loyalty_domain::erasure::erase;
use loyalty_domain::ids::MemberId;
use loyalty_domain::programme::Programme;
use loyalty_domain::time::Instant;

use crate::{Books, Concerns, Loaded, StoreError};

impl Books {
    /// Forgets the person: `true` when they were known until now, `false` when they had been erased before, `None` where
    /// there is no such member.
    ///
    /// # Errors
    /// As [`Books::command`].
    pub async fn erase_member(
        &self,
        programme: &Programme,
        member_id: &MemberId,
        now: Instant,
    ) -> Result<Option<bool>, StoreError> {
        let decide = |loaded: Loaded| {
            let Some(member) = loaded.member else { return Ok((None, Decision::nothing(Outcome::Duplicate))) };
            let decision = erase(programme, member, now)?;
            Ok((Some(decision.outcome == Outcome::Posted), decision))
        };
        self.command(programme, &Concerns::member(member_id.clone()), decide).await
    }
}
