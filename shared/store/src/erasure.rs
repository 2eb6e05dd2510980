//! Erasure of the person behind a member.

use loyalty_domain::decision::{Decision, Outcome};
use loyalty_domain::erasure::erase;
use loyalty_domain::ids::MemberId;
use loyalty_domain::programme::Programme;
use loyalty_domain::time::Instant;

use crate::{Books, Concerns, Loaded, StoreError};

impl Books {
    /// Forgets the person, on the member's row and at the official account: `true` when they were known until now, `false`
    /// when they had been erased before, `None` where nothing is known of such a member. Given again it does what is
    /// missing.
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
            let joined = member.merged_from.clone();
            let decision = erase(programme, member, now)?;
            Ok((Some((decision.outcome == Outcome::Posted, joined)), decision))
        };
        let (erased, joined) =
            self.command(programme, &Concerns::member(member_id.clone()), now, decide).await?.unzip();
        // Somebody may be known at the account who has never ordered.
        let mut forgotten = self.forget_contact(member_id, now, erased.is_some()).await?;
        // A merge that was killed half way has left them where they were.
        for other in joined.unwrap_or_default() {
            forgotten |= self.forget_contact(&other, now, false).await?;
        }
        Ok(match (erased, forgotten) {
            (None, false) => None,
            (Some(erased), forgotten) => Some(erased || forgotten),
            (None, true) => Some(true),
        })
    }
}
