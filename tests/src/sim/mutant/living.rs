//! Seeded bugs of campaigns, reviews, holds and commands.

use chrono::{DateTime, Utc};
use loyalty_domain::campaign::{CountOrders, Participation, ParticipationState};
use loyalty_domain::ledger::{EntryKind, Reason};
use loyalty_domain::lots::{Expiry, Lot, Lots};
use loyalty_domain::member::Member;
use loyalty_domain::order::Order;
use loyalty_domain::points::Legs;
use loyalty_domain::programme::{Anchor, Downgrade, Programme};
use loyalty_domain::request::{Asked, Request, RequestState};

use super::{Mutant, change_legs};
use crate::sim::scenario::What;
use crate::sim::store::{Read, Store, Write};

impl Mutant {
    /// The programme that a run or a command goes by.
    pub(super) fn living_programme(self, changed: &mut Programme, what: What) {
        let all_tiers: Vec<_> = changed.tiers.as_slice().iter().map(|tier| tier.id.clone()).collect();
        let enrols = matches!(what, What::Enrol { .. });
        match self {
            Self::CountsOldOrders => {
                changed.campaigns.iter_mut().for_each(|campaign| campaign.count_orders = CountOrders::Any);
            }
            Self::PaysWhoWasPromoted if !enrols => {
                changed.campaigns.iter_mut().for_each(|campaign| campaign.audience.tiers.clone_from(&all_tiers));
            }
            Self::EnrolsASilver if enrols => {
                changed.campaigns.iter_mut().for_each(|campaign| campaign.audience.tiers.clone_from(&all_tiers));
            }
            Self::PaysWhilePaused => changed.campaigns.iter_mut().for_each(|campaign| campaign.paused = false),
            Self::NeverGivesAParticipationBack => {
                changed.campaigns.iter_mut().for_each(|campaign| campaign.restores_on_reversal = false);
            }
            Self::AlwaysGivesTheParticipationBack => {
                changed.campaigns.iter_mut().for_each(|campaign| campaign.restores_on_reversal = true);
            }
            Self::NeverReopensTheCampaign => {
                changed.campaigns.iter_mut().for_each(|campaign| campaign.reopens_on_demotion = false);
            }
            Self::AlwaysReopensTheCampaign => {
                changed.campaigns.iter_mut().for_each(|campaign| campaign.reopens_on_demotion = true);
            }
            Self::LosesAllLevels if changed.review.downgrade == Downgrade::OneLevel => {
                changed.review.downgrade = Downgrade::ToBase;
            }
            Self::ForgetsGrace => changed.review.grace_days = 0,
            Self::RestartsTheCycle => changed.review.anchor = Anchor::TierStart,
            Self::ResetsSpendablePoints => changed.review.reset_redeemable = true,
            Self::ReviewsInUtc if matches!(what, What::RunDay { .. }) => changed.zone = chrono_tz::UTC,
            Self::RewardsWithoutLimit => changed.behaviours.iter_mut().for_each(|rule| rule.limits.clear()),
            _ => {}
        }
    }

    /// The rows of an order event as its handler sees them.
    pub(super) fn living_rows(self, order: &mut Read<Order>, member: &mut Member) {
        match self {
            Self::PaysForEveryEvent => {
                let active = &member.active_campaigns;
                order.row.iter_mut().for_each(|order| order.credits.retain(|credit| !active.contains(&credit.rule)));
            }
            Self::HoldsForEver => member.holds.iter_mut().for_each(|hold| hold.until = DateTime::<Utc>::MAX_UTC),
            _ => {}
        }
    }

    /// A participation as the weekly run sees it.
    pub fn participation(self, known: &mut Read<Participation>) {
        if self == Self::EnrolsAgain {
            known.row = None;
        }
    }

    /// A redemption as who confirms or undoes it sees it.
    pub fn request(self, what: What, request: &mut Request) {
        match (self, what) {
            (Self::ConfirmsTooLate, What::Confirm { .. }) => request.hold_until = None,
            (Self::UndoesTwice, What::Undo { .. }) => {
                request.state = RequestState::Confirmed;
                request.hold_until = None;
            }
            _ => {}
        }
    }

    /// What is known of a key, as who asks under it sees it.
    pub fn known(self, asked: &Asked, what: What, known: &mut Read<Request>) {
        let other = known.row.as_ref().is_some_and(|request| request.fingerprint != asked.fingerprint);
        let forgets = match self {
            Self::RepeatsRedemptions => matches!(what, What::Redeem { .. }),
            Self::TopsUpTwice => matches!(what, What::TopUp { .. }),
            Self::TakesTheKeyForAnything => other,
            _ => false,
        };
        if forgets {
            known.row = None;
        }
    }

    /// What becomes of a decision about what goes on beside orders.
    pub(super) fn living_decision(self, store: &Store, write: &mut Write) {
        let Some(member_id) = write.decision.member.as_ref().map(|member| member.member_id.clone()) else { return };
        let known = store.member(&member_id, 0).row;
        let reviews = write.decision.entries.iter().any(|entry| entry.kind == EntryKind::Reset);
        let lapses = write.decision.entries.iter().any(|entry| entry.reason == Reason::HoldLapsed);
        match (self, &mut write.decision.member, known) {
            (Self::UsesNothingUp, _, _) => write.decision.participations.retain(|row| row.orders.is_empty()),
            (Self::GivesBackOnTheOrderAlone, _, _) => write.decision.participations.retain(|row| {
                let known = store.participation(&row.campaign, &row.member_id, 0).row;
                known.is_none_or(|known| known.orders.len() <= row.orders.len())
            }),
            (Self::HoldsForEver, Some(member), _) => {
                for hold in &mut member.holds {
                    let request = store.request(&hold.request_id, 0).row.and_then(|request| request.hold_until);
                    hold.until = request.unwrap_or(hold.until.min(member.as_of + chrono::Duration::minutes(30)));
                }
            }
            (Self::LapsesTwice, Some(member), Some(known)) if lapses => {
                for hold in known.holds {
                    if !member.holds.contains(&hold) {
                        member.holds.push(hold);
                    }
                }
            }
            (Self::KeepsTheFloor, Some(member), Some(known)) if reviews => member.tier_floor = known.tier_floor,
            (Self::BeginsTheCycleToday, Some(member), _) if reviews => {
                member.cycle_start = member.as_of.date_naive();
            }
            (Self::WritesTheWalletAnew, Some(member), Some(known)) => member.wallet_minor -= known.wallet_minor,
            (Self::ForgetsToReset, _, _) => {
                for at in 0..write.decision.entries.len() {
                    let entry = &write.decision.entries[at];
                    if entry.kind == EntryKind::Reset {
                        let back = -entry.legs.qualifying.0;
                        change_legs(write, at, Legs::new(0, back));
                    }
                }
            }
            (Self::BonusIsOnlySpendable, _, _) => {
                for at in 0..write.decision.entries.len() {
                    let entry = &write.decision.entries[at];
                    if entry.kind == EntryKind::Bonus {
                        let less = -entry.legs.qualifying.0;
                        change_legs(write, at, Legs::new(0, less));
                    }
                }
            }
            (Self::ExpiresTheNeverExpiring, _, _) => expire_the_never_expiring(write),
            (Self::GivesTheParticipationBack, _, _) => give_participation_back(store, write),
            (Self::ReopensTheCampaign, _, _) => reopen(store, write),
            _ => {}
        }
    }
}

/// The points are taken from the lot that never expires, and what should have expired stays.
fn expire_the_never_expiring(write: &mut Write) {
    let Some(member) = &mut write.decision.member else { return };
    for entry in write.decision.entries.iter_mut().filter(|entry| entry.kind == EntryKind::Expiration) {
        let points = -entry.legs.redeemable.0;
        let lasting =
            member.lots.as_slice().last().is_some_and(|lot| lot.expiry == Expiry::Never && lot.points >= points);
        if lasting {
            let stays = entry.lots.iter().map(|lot| Lot { points: -lot.points, ..*lot });
            let open: Vec<_> = member.lots.as_slice().iter().copied().chain(stays).collect();
            member.lots = Lots::from_rows(open).unwrap_or_default();
            entry.lots = member.lots.take(points, Some(Expiry::Never));
        }
    }
}

/// A cancelled order gives its participation back, against X18.
fn give_participation_back(store: &Store, write: &mut Write) {
    let taken = write.decision.entries.iter().filter(|entry| entry.kind == EntryKind::Reversal);
    let rules: Vec<_> = taken.filter_map(|entry| Some((entry.rule.clone(), entry.order_id.clone()?))).collect();
    let Some(member) = &mut write.decision.member else { return };
    for (campaign, order_id) in rules {
        let read = store.participation(&campaign, &member.member_id, 0);
        let Some(mut participation) = read.row else { continue };
        participation.orders.retain(|used| *used != order_id);
        participation.state = ParticipationState::Active;
        if !member.active_campaigns.contains(&campaign) {
            member.active_campaigns.push(campaign.clone());
        }
        write.decision.participations.retain(|row| row.campaign != campaign);
        write.participation_revisions.retain(|(known, _)| *known != campaign);
        write.participation_revisions.push((campaign, read.revision));
        write.decision.participations.push(participation);
    }
}

/// Who loses the tier begins the campaign again, against X19.
fn reopen(store: &Store, write: &mut Write) {
    let lost = write.decision.entries.iter().any(|entry| entry.tier_before != entry.tier_after);
    let Some(member) = write.decision.member.as_mut().filter(|member| lost && member.tier.as_str() == "member") else {
        return;
    };
    for (row, revision) in store.participations().filter(|(row, _)| row.member_id == member.member_id) {
        if row.state == ParticipationState::Completed && row.remaining() > 0 {
            let mut row = row.clone();
            row.state = ParticipationState::Active;
            member.active_campaigns.push(row.campaign.clone());
            write.participation_revisions.push((row.campaign.clone(), revision));
            write.decision.participations.push(row);
        }
    }
}
