//! The tier that the shop's own system decides (X47).

use crate::advance::advance;
use crate::decision::{Decision, Outcome, Rejection};
use crate::ids::RuleId;
use crate::ledger::{Ledger, Reason, TierCause};
use crate::member::Member;
use crate::programme::{Programme, TierAuthority};
use crate::time::Instant;

/// What an outside system says of a member's tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its name for the tier: an id, a name or an alias (X37).
    pub tier: String,
    /// Since when, by that system: an older word than the last one changes nothing.
    pub changed_at: Instant,
}

/// Follows an outside system, where the programme says that one decides. What the tier brings comes as with any other
/// change of tier: from the entry.
///
/// # Errors
/// [`Rejection::TiersAreOurs`] where the engine decides (the default), [`Rejection::UnknownTier`] for a name that no tier
/// has; nothing changes then.
pub fn follow(programme: &Programme, mut member: Member, told: &Told, now: Instant) -> Result<Decision, Rejection> {
    if programme.tier_authority == TierAuthority::Engine {
        return Err(Rejection::TiersAreOurs);
    }
    let tier = programme.tiers.called(&told.tier).ok_or_else(|| Rejection::UnknownTier(told.tier.clone()))?;
    // A clock that is ahead must not make true words stale for as long.
    let changed_at = told.changed_at.min(now);
    let mut entries = Vec::new();
    advance(programme, &mut member, now, &mut entries)?;
    if member.tier_told_at.is_some_and(|last| last >= changed_at) {
        return Ok(Decision::nothing(Outcome::Stale));
    }
    member.tier_told_at = Some(changed_at);
    if member.tier != tier.id {
        let rule = RuleId::new("tier-told");
        let mut ledger = Ledger::new(programme, &mut member, &mut entries);
        ledger.change_tier(rule, Reason::TierTold, tier.id.clone(), &TierCause::at(changed_at))?;
    }
    Ok(Decision::posted(member, entries))
}
