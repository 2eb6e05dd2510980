//! Participations that go on after all: an order that is undone gives back the one it used (X18), and a member whom a
//! reversal drops back to the campaign goes on with those that are left (X19). Both only where the campaign says so.

use crate::campaign::{Campaign, Participation, ParticipationState};
use crate::ids::{RuleId, TierId};
use crate::member::Member;
use crate::order::{Credit, Order};
use crate::points::Overflow;
use crate::programme::Programme;

/// The campaigns whose participations an order may change: those the member is active in, where the order may join one
/// or has changed the tier, and those it gives back or that begin again.
///
/// # Errors
/// [`Overflow`] beyond 64 bits.
pub(crate) fn concerned(
    programme: &Programme,
    order: &Order,
    member: &Member,
    tier_before: &TierId,
    joins: bool,
) -> Result<Vec<RuleId>, Overflow> {
    let moved = joins || member.tier != *tier_before;
    let mut concerned = if moved { member.active_campaigns.clone() } else { Vec::new() };
    let mut add = |campaign: &RuleId| {
        if !concerned.contains(campaign) {
            concerned.push(campaign.clone());
        }
    };
    for credit in &order.credits {
        if gives_back(order, credit)? {
            add(&credit.rule);
        }
    }
    reopening(programme, member, tier_before).for_each(|campaign| add(&campaign.id));
    Ok(concerned)
}

/// Whether the order gives back the participation that one of its credits used (X18): it is undone, the terms of the
/// credit say so, and nothing of the bonus stays with the member. What was spent or has expired used it up (X22, X23).
///
/// # Errors
/// [`Overflow`] beyond 64 bits.
pub(crate) fn gives_back(order: &Order, credit: &Credit) -> Result<bool, Overflow> {
    // What was used before its member joined another stays used: those participations are over.
    let own = order.from.is_none();
    let may = own && credit.terms.reversal.restores_participation && !credit.released && order.facts.undone();
    Ok(may && credit.posted.redeemable.0 == 0 && credit.settled()?.is_zero())
}

/// Gives back what the order used, where it does. Its credits stay, worth nothing until the order uses one again (X46).
///
/// # Errors
/// [`Overflow`] beyond 64 bits.
pub(crate) fn give_back(
    order: &mut Order,
    member: &mut Member,
    participations: &mut [Participation],
) -> Result<(), Overflow> {
    for participation in participations {
        let Some(credit) = order.credit(&participation.campaign) else { continue };
        if gives_back(order, credit)? {
            participation.orders.retain(|used| *used != order.order_id);
            if participation.state == ParticipationState::Exhausted {
                begin_again(participation, member);
            }
            let credit = Credit { released: true, ..credit.clone() };
            order.put_credit(credit);
        }
    }
    Ok(())
}

/// Begins completed participations again, where the order has dropped the member back and any are left (X19).
pub(crate) fn reopen(
    programme: &Programme,
    member: &mut Member,
    tier_before: &TierId,
    participations: &mut [Participation],
) {
    let reopening: Vec<&Campaign> = reopening(programme, member, tier_before).collect();
    for participation in participations {
        let completed = participation.state == ParticipationState::Completed && participation.remaining() > 0;
        if completed && reopening.iter().any(|campaign| campaign.id == participation.campaign) {
            begin_again(participation, member);
        }
    }
}

/// The campaigns that go on with a member who held `tier_before` and was dropped back to them.
fn reopening<'a>(
    programme: &'a Programme,
    member: &Member,
    tier_before: &TierId,
) -> impl Iterator<Item = &'a Campaign> {
    let rank = |tier: &TierId| programme.tiers.rank(tier);
    let dropped_to = Some(member.tier.clone()).filter(|tier| rank(tier) < rank(tier_before));
    let goes_on = move |campaign: &&Campaign| {
        campaign.reopens_on_demotion && dropped_to.as_ref().is_some_and(|tier| campaign.addresses(tier))
    };
    programme.campaigns.iter().filter(goes_on)
}

fn begin_again(participation: &mut Participation, member: &mut Member) {
    participation.state = ParticipationState::Active;
    if !member.active_campaigns.contains(&participation.campaign) {
        member.active_campaigns.push(participation.campaign.clone());
    }
}
