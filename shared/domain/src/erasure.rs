//! Erasure: the person behind a member is forgotten, and the books stay as they are.
//!
//! A member is a keyed hash and figures; the person stands on the member's row alone. What was bought, earned and spent
//! is kept, because other people's figures rest on it and the shop has to answer for it.

use crate::advance::advance;
use crate::decision::{Decision, Outcome, Rejection};
use crate::member::{Member, Profile};
use crate::programme::Programme;
use crate::time::Instant;

/// Forgets a member's name, phone, e-mail address and birthday, and remembers when: an order placed before then tells
/// nothing of the person any more, however late it comes. Who orders again is known again, by that order.
///
/// # Errors
/// A [`Rejection`] changes nothing.
pub fn erase(programme: &Programme, mut member: Member, now: Instant) -> Result<Decision, Rejection> {
    if member.erased_at.is_some() && member.profile == Profile::default() {
        return Ok(Decision::nothing(Outcome::Duplicate));
    }
    let mut entries = Vec::new();
    advance(programme, &mut member, now, &mut entries)?;
    member.profile = Profile::default();
    member.erased_at = Some(member.as_of);
    Ok(Decision::posted(member, entries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;
    use crate::points::Ratio;
    use crate::programme::{Tier, Tiers};

    #[test]
    fn the_person_is_gone_and_the_figures_stay() {
        let tiers = Tiers::new(vec![Tier::new("member".into(), "Member", 0, Ratio::ONE)]).unwrap();
        let zone = chrono_tz::Asia::Ho_Chi_Minh;
        let programme = Programme::new("test@1".into(), Currency::VND, zone, Ratio::ONE, tiers);
        let now: Instant = "2026-11-25T01:00:00Z".parse().unwrap();
        let mut member = Member::registered(&programme, "m_1".into(), now).unwrap();
        member.spent_minor = 500_000;
        member.profile =
            Profile { name: Some("Lan".to_owned()), phone: Some("84901234567".to_owned()), ..Profile::default() };
        let erased = erase(&programme, member.clone(), now).unwrap().member.unwrap();
        assert_eq!(erased, Member { profile: Profile::default(), erased_at: Some(now), ..member });
        assert_eq!(erase(&programme, erased.clone(), now).unwrap().outcome, Outcome::Duplicate);
        assert!(!erased.is_known_by(now), "an order of the erased person");
        assert!(erased.is_known_by(now + chrono::TimeDelta::seconds(1)), "a later one");
    }
}
