//! The tier that the shop's own system decides (X47), whichever way it says so.

use loyalty_domain::decision::{Outcome, Rejection};
use loyalty_domain::ids::{MemberId, TierId};
use loyalty_domain::member::Member;
use loyalty_domain::outside::{Told, follow};
use loyalty_domain::programme::Programme;
use loyalty_domain::time::Instant;

use crate::{Books, Concerns, Loaded, StoreError};

/// What came of an outside system's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// `false` for a word that is no newer than the last one.
    pub new: bool,
    /// The tier that the member holds now.
    pub tier: TierId,
}

impl Books {
    /// Follows an outside system, in one command. `begins` makes the member of the row that was read, or of none.
    ///
    /// # Errors
    /// As [`Books::command`]: the domain refuses where the engine decides, and a tier that it does not know.
    pub async fn follow_tier(
        &self,
        programme: &Programme,
        member_id: MemberId,
        begins: impl Fn(Option<Member>) -> Result<Member, Rejection>,
        told: &Told,
        now: Instant,
    ) -> Result<Followed, StoreError> {
        let decide = |loaded: Loaded| {
            let member = begins(loaded.member)?;
            let held = member.tier.clone();
            let decision = follow(programme, member, told, now)?;
            let tier = decision.member.as_ref().map_or(held, |member| member.tier.clone());
            Ok((Followed { new: decision.outcome == Outcome::Posted, tier }, decision))
        };
        self.command(programme, &Concerns::member(member_id), now, decide).await
    }
}
