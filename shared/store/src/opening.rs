//! Members who were there before these books: each opened in one transaction, and once.

use std::collections::HashSet;

use loyalty_domain::decision::{Outcome, Rejection};
use loyalty_domain::ids::MemberId;
use loyalty_domain::member::Member;
use loyalty_domain::opening::{Opening, open};
use loyalty_domain::programme::Programme;
use loyalty_domain::time::Instant;

use crate::commands::Seen;
use crate::rows::Key;
use crate::{Books, Concerns, Consistency, Loaded, StoreError, Table};

/// Whether what is decided is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only see whether it would be refused.
    Try,
    Write,
}

impl Books {
    /// Those of the members who have a row, in as few requests as there can be. Eventually consistent: a hint that saves
    /// reads, and nothing to rely on.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn known_members(&self, members: &[MemberId]) -> Result<HashSet<MemberId>, StoreError> {
        // A key may stand in one request only once.
        let distinct: HashSet<&MemberId> = members.iter().collect();
        let keys: Vec<_> = distinct.into_iter().map(|id| Key::of(Table::Members, id.as_str())).collect();
        let found = self.batch_get(&keys, Consistency::Eventual).await?;
        Ok(found.into_keys().map(|(_, member_id, _)| MemberId::new(member_id)).collect())
    }

    /// Opens a member, in one transaction: `true` when the opening is new, `false` when it was posted before. Whoever is
    /// `new_here` is not read first; if they have a row after all, the write finds it, and it is read then.
    ///
    /// # Errors
    /// As [`Books::command`]: the domain refuses figures that do not fit, and other figures than those of before.
    pub async fn open_member(
        &self,
        programme: &Programme,
        member_id: &MemberId,
        opening: &Opening,
        new_here: bool,
        mode: Mode,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let request = Concerns::request(member_id.clone(), opening.asked.request_id.clone());
        let concerns = Concerns { seen: new_here.then(Seen::nothing), tries: mode == Mode::Try, ..request };
        let decide = |loaded: Loaded| {
            let registered = || Member::registered(programme, member_id.clone(), now).ok_or(Rejection::NoTiers);
            let member = loaded.member.map_or_else(registered, Ok)?;
            let (_, decision) = open(programme, member, loaded.request.as_ref(), opening.clone(), now)?;
            let new = decision.outcome == Outcome::Posted;
            Ok((new, decision))
        };
        self.command(programme, &concerns, now, decide).await
    }
}
