//! Campaigns: a bonus for a few orders of members who are asked to come back (S0: C1–C8).
//!
//! A member is enrolled by a scheduled run, with a number of participations. Each of the next orders uses one and is
//! credited the bonus, in the same decision as everything else about that order. Promotion completes a participation,
//! using up the last one exhausts it, and both end it for good (C3, C4, X48), unless the campaign lets it go on (X18, X19:
//! `again`).

use chrono::NaiveDate;

use crate::advance::advance;
use crate::decision::{Decision, Outcome, Rejection};
use crate::ids::{MemberId, OrderId, RuleId, TierId};
use crate::ledger::{Entry, EntryKind};
use crate::member::Member;
use crate::order::{Credit, Order};
use crate::points::{Legs, Overflow};
use crate::programme::Programme;
use crate::standing::orders_to_next;
use crate::time::{Instant, days_between, just_before};

/// Orders of one member that wait for a paused campaign; a participation credits ten at the most.
const WAITING_MAX: usize = 100;

/// A campaign of the programme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    pub id: RuleId,
    /// The name customers and operators see.
    pub name: String,
    pub audience: Audience,
    /// It enrols, credits and writes from the first of these instants on, and before the second.
    pub from: Option<Instant>,
    pub until: Option<Instant>,
    /// Orders that may be credited for one member (C4, X14); at least 1.
    pub participations: u32,
    /// What one order is credited (C6, X13). Neither leg is below zero, and not both are zero.
    pub bonus: Legs,
    pub bonus_when: BonusWhen,
    pub count_orders: CountOrders,
    pub tier_snapshot: TierSnapshot,
    /// Redeemable points that all its bonuses together never exceed. They are set aside when a member is enrolled.
    pub budget_points: Option<i64>,
    /// Weekly messages one member may get; without a limit when `None` (X14).
    pub messages_max: Option<u32>,
    /// An order that is undone gives its participation back (X18). Pinned on the order when it uses one (I9).
    pub restores_on_reversal: bool,
    /// A completed participation with any left goes on when a reversal drops the member back to a tier of the audience
    /// (X19).
    pub reopens_on_demotion: bool,
    /// X50: it neither enrols nor credits nor writes. Orders that come meanwhile wait for their bonus.
    pub paused: bool,
}

/// Whom a campaign addresses (C1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// The tiers it addresses; leaving them upwards completes it.
    pub tiers: Vec<TierId>,
    /// Orders seen and not undone (X44).
    pub orders_min: i64,
    /// Only members whose last order was placed at least so many days ago ("not bought recently").
    pub quiet_days_min: Option<u32>,
    /// Only members who have been silent for longer than twice their usual time between orders ("buying less often").
    pub buying_less_often: bool,
    /// Only members whom one more order of the usual size would carry to the next tier (X33).
    pub near_tier_only: bool,
}

/// When an order of a campaign is credited (X10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BonusWhen {
    /// The first time it is seen and not undone.
    #[default]
    Placed,
    /// Once it earns.
    Earned,
}

/// Which orders count (X16).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CountOrders {
    /// Placed after the member was enrolled.
    #[default]
    AfterEnrolment,
    Any,
}

/// Which tier an order is judged by (X17).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TierSnapshot {
    /// The one before the order's own entries.
    #[default]
    Before,
    /// The one after its own points.
    After,
}

/// One member's part in one campaign: one row of `participations`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participation {
    pub campaign: RuleId,
    pub member_id: MemberId,
    pub granted: u32,
    pub state: ParticipationState,
    pub enrolled_at: Instant,
    /// The distinct orders that used it, at most `granted` (X14, X15).
    pub orders: Vec<OrderId>,
    /// Orders that came while the campaign was paused, to be decided again when it goes on (X50).
    pub waiting: Vec<OrderId>,
    /// Redeemable points set aside for it from the campaign's budget.
    pub reserved_points: i64,
    /// Weekly messages written; counted only where the campaign limits them.
    pub messages: u32,
    /// The day of the run that wrote the last one that counts: who comes again that day writes the same, and counts it once
    /// (F21).
    pub invited_on: Option<NaiveDate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParticipationState {
    Active,
    /// The member was promoted (C3).
    Completed,
    /// All participations are used and the member was not promoted (C3, X48).
    Exhausted,
}

impl Participation {
    pub fn used(&self) -> u32 {
        u32::try_from(self.orders.len()).unwrap_or(u32::MAX)
    }

    /// Whether an order that is judged by `tier` uses one of it (X16, X17).
    fn takes(&self, campaign: &Campaign, order: &Order, tier: &TierId) -> bool {
        let counts = match campaign.count_orders {
            CountOrders::AfterEnrolment => order.facts.placed_at > self.enrolled_at,
            CountOrders::Any => true,
        };
        self.state == ParticipationState::Active
            && self.remaining() > 0
            && counts
            && !self.bonus(campaign).is_zero()
            && campaign.addresses(tier)
    }

    pub fn remaining(&self) -> u32 {
        self.granted.saturating_sub(self.used())
    }

    /// What an order that uses one is credited: the campaign's bonus, and where a budget pays for it no more than was set
    /// aside for one when the member was enrolled, whatever the programme says since (F24). Nothing was set aside for who
    /// was enrolled before there was a budget.
    pub fn bonus(&self, campaign: &Campaign) -> Legs {
        if campaign.budget_points.is_none() && self.reserved_points == 0 {
            return campaign.bonus;
        }
        let each = self.reserved_points.checked_div(i64::from(self.granted)).unwrap_or(0);
        Legs::new(campaign.bonus.redeemable.0.min(each), campaign.bonus.qualifying.0.min(each))
    }

    /// What an entry says of it.
    pub fn note(&self) -> ParticipationNote {
        ParticipationNote {
            campaign: self.campaign.clone(),
            granted: self.granted,
            used: self.used(),
            state: self.state,
        }
    }
}

/// A participation as an entry has left it. Stands on the entry, so that events and messages can be derived from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipationNote {
    pub campaign: RuleId,
    pub granted: u32,
    pub used: u32,
    pub state: ParticipationState,
}

impl Campaign {
    /// Whether it enrols, credits and writes at an instant.
    pub fn live(&self, now: Instant) -> bool {
        !self.paused && self.runs(now)
    }

    /// Whether it has begun and is not paused, be it over or not.
    pub fn has_gone_on(&self, now: Instant) -> bool {
        !self.paused && self.from.is_none_or(|from| from <= now)
    }

    /// Whether an instant is between its beginning and its end, paused or not.
    fn runs(&self, now: Instant) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }

    pub fn addresses(&self, tier: &TierId) -> bool {
        self.audience.tiers.contains(tier)
    }

    /// Whether it may address the member, now or later: by tier and orders alone (C1).
    pub fn may_address(&self, member: &Member) -> bool {
        self.addresses(&member.tier) && member.orders_count >= self.audience.orders_min
    }

    /// The redeemable points one enrolled member may cost.
    pub fn cost_of_member(&self) -> i64 {
        self.bonus.redeemable.0.saturating_mul(i64::from(self.participations))
    }
}

/// Whether what was read of a participation is older than the rows of its member and of an order: it is not active though
/// the member is, has no orders that wait though the member has, or does not hold the order though the order does. What is
/// not written is not checked by any condition, so it has to be read again before it decides anything.
pub fn read_too_early(
    known: Option<&Participation>,
    campaign: &RuleId,
    member: Option<&Member>,
    order: Option<&Order>,
) -> bool {
    let active = member.is_some_and(|member| member.active_campaigns.contains(campaign));
    let ended = known.is_none_or(|known| known.state != ParticipationState::Active);
    let own = order.filter(|order| order.from.is_none());
    let used_by = own.filter(|order| order.credit(campaign).is_some_and(|credit| !credit.released));
    let holds = |order: &Order| known.is_some_and(|known| known.orders.contains(&order.order_id));
    let waits = member.is_some_and(|member| member.waits_for.contains(campaign));
    let waited = known.is_some_and(|known| !known.waiting.is_empty());
    (active && ended) || (waits && !waited) || used_by.is_some_and(|order| !holds(order))
}

/// Whether some campaign of the programme may address the member.
pub fn in_an_audience(programme: &Programme, member: &Member) -> bool {
    programme.campaigns.iter().any(|campaign| campaign.may_address(member))
}

/// Whether the order could use a participation of the campaign, as far as the member's and the order's rows tell. One
/// that never earns again uses up none (X28).
pub(crate) fn may_join(programme: &Programme, campaign: &Campaign, order: &Order, member: &Member) -> bool {
    campaign.live(member.as_of) && fits(programme, campaign, order, member)
}

/// Whether the order could use one if the campaign were not paused, and so waits until it goes on (X50).
pub(crate) fn may_wait(programme: &Programme, campaign: &Campaign, order: &Order, member: &Member) -> bool {
    campaign.paused && campaign.runs(member.as_of) && fits(programme, campaign, order, member)
}

fn fits(programme: &Programme, campaign: &Campaign, order: &Order, member: &Member) -> bool {
    let barred = order.ever_undone && programme.reversal.no_recredit_after_cancel;
    // An order that was seen before its member joined this one uses up none of theirs, and one from before these books none
    // at all.
    !barred
        && order.from.is_none()
        && order.imported.is_none()
        && member.active_campaigns.contains(&campaign.id)
        && !order.facts.undone()
        && order.credit(&campaign.id).is_none_or(|credit| credit.released)
        && match campaign.bonus_when {
            BonusWhen::Placed => true,
            // What was written off is still posted, of an order that no longer earns.
            BonusWhen::Earned => order.credit(&RuleId::base()).is_some_and(Credit::stands),
        }
}

/// Uses one participation of the campaign for the order, if it may (C5, X14–X17), and answers the bonus. `tier` is the one
/// the order is judged by.
pub(crate) fn join(
    campaign: &Campaign,
    order: &Order,
    tier: &TierId,
    participations: &mut [Participation],
) -> Option<Legs> {
    let participation = participations.iter_mut().find(|part| part.campaign == campaign.id)?;
    let joins = participation.takes(campaign, order, tier);
    if joins {
        participation.orders.push(order.order_id.clone());
    }
    joins.then(|| participation.bonus(campaign))
}

/// Keeps which order comes while the campaign is paused, if it would use a participation (X50). What was not credited by
/// then is, at the latest, when its shop reports it once more.
pub(crate) fn wait(campaign: &Campaign, order: &Order, tier: &TierId, participations: &mut [Participation]) {
    let Some(participation) = participations.iter_mut().find(|part| part.campaign == campaign.id) else { return };
    let new = !participation.waiting.contains(&order.order_id) && participation.waiting.len() < WAITING_MAX;
    if new && participation.takes(campaign, order, tier) {
        participation.waiting.push(order.order_id.clone());
    }
}

/// The campaigns for which orders of the member wait and that have gone on by `now`, each with the instant since when: as of
/// then those orders are decided, before anything else is about the member, so that they bring the same whenever somebody
/// comes (X50). Where no version of the programme has had the campaign paused since the member was last decided about, its
/// pause is over now.
pub fn gone_on(programme: &Programme, member: &Member, now: Instant) -> Vec<(RuleId, Instant)> {
    let (since, until) = (member.as_of, member.as_of.max(now));
    let one = |id: &RuleId| {
        let at = match was_paused(programme, id, since) {
            true => live_since(programme, id, since, until),
            // A version of before the member was last decided about knows nothing of a later pause.
            false => is_live(programme, id, now).then_some(now).filter(|now| since <= *now),
        };
        Some((id.clone(), at?))
    };
    let mut gone_on: Vec<_> = member.waits_for.iter().filter_map(one).collect();
    gone_on.sort_by_key(|(_, at)| *at);
    gone_on
}

/// Since when a campaign is live again: the oldest version of the programme says so that follows a pause and has it live
/// between two instants.
fn live_since(programme: &Programme, id: &RuleId, since: Instant, until: Instant) -> Option<Instant> {
    let earlier = programme.earlier.as_deref().filter(|earlier| since <= earlier.until)?;
    let before = live_since(&earlier.programme, id, since, until.min(just_before(earlier.until)));
    let here = || {
        let begun = earlier.until.max(since);
        let at = programme.campaign(id)?.from.map_or(begun, |from| from.max(begun));
        let follows = was_paused(&earlier.programme, id, since);
        (follows && at <= until && is_live(programme, id, at)).then_some(at)
    };
    before.or_else(here)
}

/// Whether a version of the programme that was in force at an instant or after it has the campaign paused.
fn was_paused(programme: &Programme, id: &RuleId, since: Instant) -> bool {
    let earlier = programme.earlier.as_deref().filter(|earlier| since <= earlier.until);
    let here = programme.campaign(id).is_some_and(|campaign| campaign.paused);
    here || earlier.is_some_and(|earlier| was_paused(&earlier.programme, id, since))
}

fn is_live(programme: &Programme, id: &RuleId, at: Instant) -> bool {
    !programme.paused && programme.campaign(id).is_some_and(|campaign| campaign.live(at))
}

/// Orders of a member wait no longer: they have gone to another member, or are not there.
pub fn wait_no_longer(mut member: Member, mut participation: Participation, gone: &[OrderId]) -> Decision {
    participation.waiting.retain(|waiting| !gone.contains(waiting));
    note_waits(&mut member, &participation);
    let participations = vec![participation];
    Decision { member: Some(member), participations, ..Decision::nothing(Outcome::Noted) }
}

/// Keeps on the member's row whether orders wait for a campaign.
fn note_waits(member: &mut Member, participation: &Participation) {
    member.waits_for.retain(|known| *known != participation.campaign);
    if participation.state == ParticipationState::Active && !participation.waiting.is_empty() {
        member.waits_for.push(participation.campaign.clone());
    }
}

/// Ends the participations that a decision's entries have brought to their end, and notes on the entries what became of
/// them. `before` is what they were. Returns those that changed. One that goes on again is told by the entry that lost the
/// tier or, if that came later, the one that took the bonus back (X19).
pub(crate) fn settle(
    programme: &Programme,
    member: &mut Member,
    entries: &mut [Entry],
    before: &[Participation],
    mut now: Vec<Participation>,
) -> Vec<Participation> {
    for participation in &mut now {
        if participation.state != ParticipationState::Active {
            continue;
        }
        if left_upwards(programme, member, entries, &participation.campaign) {
            participation.state = ParticipationState::Completed;
        } else if participation.remaining() == 0 {
            participation.state = ParticipationState::Exhausted;
            // What still waits has come too late.
            participation.waiting.clear();
        }
        if participation.state != ParticipationState::Active {
            member.active_campaigns.retain(|campaign| *campaign != participation.campaign);
        }
    }
    now.iter().for_each(|participation| note_waits(member, participation));
    now.retain(|participation| !before.contains(participation));
    for participation in &now {
        let bonus = entries.iter().rposition(|entry| entry.rule == participation.campaign);
        let completed = participation.state == ParticipationState::Completed;
        let raises = |entry: &Entry| programme.tiers.rank(&entry.tier_before) < programme.tiers.rank(&entry.tier_after);
        let moves = |entry: &Entry| entry.tier_before != entry.tier_after && (!completed || raises(entry));
        let moved = entries.iter().rposition(moves);
        let was = before.iter().find(|known| known.campaign == participation.campaign).map(|known| known.state);
        let goes_on = was == Some(ParticipationState::Completed) && participation.state == ParticipationState::Active;
        let told_by = if goes_on { bonus.max(moved) } else { bonus.or(moved) };
        if let Some(entry) = told_by.and_then(|at| entries.get_mut(at)) {
            entry.participations.push(participation.note());
        }
    }
    now
}

/// Whether the member holds a tier above all that the campaign addresses (C3, C4), or has held one since it fell due,
/// before anybody came, and lost it without going on with the campaign (X19).
fn left_upwards(programme: &Programme, member: &Member, entries: &[Entry], campaign: &RuleId) -> bool {
    let Some(campaign) = programme.campaign(campaign) else { return false };
    let rank = |tier: &TierId| programme.tiers.rank(tier);
    let top = campaign.audience.tiers.iter().filter_map(rank).max();
    let above = |tier: &TierId| rank(tier).zip(top).is_some_and(|(held, top)| held > top);
    let lowers = |entry: &Entry| rank(&entry.tier_after) < rank(&entry.tier_before) && entry.kind != EntryKind::Reset;
    let raised = |entry: &Entry| entry.raised_by_time() && above(&entry.tier_after);
    let reopened = campaign.reopens_on_demotion && entries.iter().any(lowers);
    above(&member.tier) || (entries.iter().any(raised) && !reopened)
}

/// What a run of a campaign does about one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// The rows to write, if any.
    pub decision: Decision,
    /// What to tell the member.
    pub invitation: Option<Invitation>,
}

/// What a campaign's weekly message says beside where the member stands (C9, C10, X33).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    pub campaign: RuleId,
    /// As they stand at the run, with all that fell due until then.
    pub member: Member,
    pub remaining: u32,
    /// Redeemable points one order brings.
    pub bonus_points: i64,
    /// Orders of the member's usual size still missing; `None` where nothing says how large they are.
    pub orders_to_next: Option<i64>,
}

/// Enrols a member who has no participation yet, and says whether to write to one who has some left (C2, C4). Running it
/// again changes nothing. `reserved_points` are set aside from the campaign's budget already; who would exceed it is not
/// enrolled.
///
/// # Errors
/// A [`Rejection`] changes nothing.
pub fn enrol(
    programme: &Programme,
    campaign: &Campaign,
    mut member: Member,
    known: Option<Participation>,
    reserved_points: i64,
    now: Instant,
) -> Result<Enrolment, Rejection> {
    let nothing = || Enrolment { decision: Decision::nothing(Outcome::Duplicate), invitation: None };
    if !campaign.live(now) {
        return Ok(nothing());
    }
    let mut entries = Vec::new();
    advance(programme, &mut member, now, &mut entries)?;
    let fits = campaign.addresses(&member.tier);
    let new = known.is_none();
    let mut participation = match known {
        Some(known) => known,
        None if fits && affords(campaign, reserved_points) && chosen(programme, campaign, &member)? => Participation {
            campaign: campaign.id.clone(),
            member_id: member.member_id.clone(),
            granted: campaign.participations,
            state: ParticipationState::Active,
            // A run that comes late finds members who ordered after it had begun: those orders are not paid (X16).
            enrolled_at: member.as_of,
            orders: Vec::new(),
            waiting: Vec::new(),
            reserved_points: campaign.budget_points.map_or(0, |_| campaign.cost_of_member()),
            messages: 0,
            invited_on: None,
        },
        None => return Ok(nothing()),
    };
    if new && !member.active_campaigns.contains(&campaign.id) {
        member.active_campaigns.push(campaign.id.clone());
    }
    let (today, invited_on) = (programme.day(now), participation.invited_on);
    let again = invited_on == Some(today);
    let writes = fits
        && participation.state == ParticipationState::Active
        && participation.remaining() > 0
        && !participation.bonus(campaign).is_zero()
        && campaign
            .messages_max
            .is_none_or(|most| again || (participation.messages < most && invited_on < Some(today)));
    let invitation = if writes { invitation(programme, campaign, &member, &participation) } else { None };
    let counted = invitation.is_some() && campaign.messages_max.is_some() && !again;
    if counted {
        participation.invited_on = Some(today);
        participation.messages = participation.messages.saturating_add(1);
    }
    if !new && !counted {
        // A tier that time has brought meanwhile ends the campaign. What else fell due is posted by whoever moves points
        // next.
        let decision = match entries.iter().any(Entry::raised_by_time) {
            true => Decision::posted(member, entries),
            false => Decision::nothing(Outcome::Duplicate),
        };
        return Ok(Enrolment { decision, invitation });
    }
    let moved = new || !entries.is_empty();
    let decision = Decision {
        reserved_points: if new { participation.reserved_points } else { 0 },
        member: moved.then_some(member),
        participations: vec![participation],
        entries,
        ..Decision::nothing(Outcome::Posted)
    };
    Ok(Enrolment { decision, invitation })
}

fn affords(campaign: &Campaign, reserved_points: i64) -> bool {
    let needed = reserved_points.saturating_add(campaign.cost_of_member());
    campaign.budget_points.is_none_or(|budget| needed <= budget)
}

/// Whether the campaign's filters choose the member (C1, X33).
fn chosen(programme: &Programme, campaign: &Campaign, member: &Member) -> Result<bool, Overflow> {
    let audience = &campaign.audience;
    let today = programme.day(member.as_of);
    let quiet = member.last_ordered_at.map(|last| days_between(programme.day(last), today));
    let long_quiet = audience.quiet_days_min.is_none_or(|least| quiet.is_some_and(|days| days >= i64::from(least)));
    let less_often = !audience.buying_less_often || buys_less_often(programme, member, quiet.unwrap_or(0));
    let near = !audience.near_tier_only || orders_to_next(programme, member).is_some_and(|orders| orders <= 1);
    Ok(member.orders_count >= audience.orders_min && long_quiet && less_often && near)
}

/// Silent for more than twice the usual time between two orders, which takes two orders to know. The time is counted from
/// the beginning of the membership, or from an order that is older.
fn buys_less_often(programme: &Programme, member: &Member, quiet_days: i64) -> bool {
    let gaps = member.orders_count.saturating_sub(1);
    let Some(last) = member.last_ordered_at.filter(|_| gaps > 0) else { return false };
    let begun = member.first_ordered_at.unwrap_or(member.activated_at);
    let days = days_between(programme.day(begun), programme.day(last));
    quiet_days.saturating_mul(gaps) > days.saturating_mul(2)
}

fn invitation(
    programme: &Programme,
    campaign: &Campaign,
    member: &Member,
    participation: &Participation,
) -> Option<Invitation> {
    // At the top of the ladder there is nothing to invite to.
    programme.tiers.above(&member.tier)?;
    Some(Invitation {
        campaign: campaign.id.clone(),
        member: member.clone(),
        remaining: participation.remaining(),
        bonus_points: participation.bonus(campaign).redeemable.0,
        // Where another system decides, there may be enough already (X47).
        orders_to_next: orders_to_next(programme, member).filter(|orders| *orders > 0),
    })
}
