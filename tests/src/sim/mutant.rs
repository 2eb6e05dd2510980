//! Seeded bugs: each a change to what goes into a decision, to what comes out of it, or to what the store checks.
//!
//! The code under test is never touched. A simulation that does not notice one of these would not notice the same
//! mistake in the product either.

use chrono::{DateTime, Days, Utc};
use loyalty_domain::ids::RuleId;
use loyalty_domain::ledger::{Entry, EntryKind, Reason};
use loyalty_domain::lots::{Expiry, Lot, Lots};
use loyalty_domain::member::Member;
use loyalty_domain::order::{Order, OrderSnapshot, TermsAmount};
use loyalty_domain::points::{Legs, RedeemablePoints, Rounding};
use loyalty_domain::programme::{Programme, ReversalDemotes, TierMultiplier};
use loyalty_domain::time::Instant;
use loyalty_domain::voucher::Voucher;

use super::scenario::{Fault, What};
use super::store::{Conditions, Read, Store, Write};

macro_rules! mutants {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// A mistake somebody could make.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutant { $($(#[$doc])* $name),+ }

        impl Mutant {
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

mutants! {
    /// Two handlers of one order both win (F6).
    DropsTheOrderCondition,
    /// Two handlers of one member both win (F7).
    DropsTheMemberCondition,
    /// A row of the ledger is written over (I4).
    DropsTheLedgerConditions,
    /// A redemption is done once for each delivery (F1).
    RepeatsRedemptions,
    /// Two orders at once use the same participation (F7).
    DropsTheParticipationCondition,
    /// A command is done again by a handler that has not seen it done (F12).
    DropsTheRequestCondition,
    /// A history that misses its last rows decides what has expired (F12, X23).
    TrustsAStaleHistory,
    /// The queue is told before the tables are (F8).
    AcknowledgesBeforeCommit,
    /// A lost race is taken for success (F10).
    GivesUpAfterAConflict,
    /// A lost race is repeated without deciding again (F10).
    WritesOverAConflict,
    /// The order's row is left to a second transaction that a crash prevents (F13, I3).
    WritesInTwoTransactions,
    /// The last snapshot to arrive counts (X29).
    AcceptsStaleSnapshots,
    /// A correction is computed by today's programme (X12).
    RecomputesReversals,
    /// What fell due before a change of the programme is decided by the version of today (F24).
    ForgetsEarlierVersions,
    /// Points that expire last are spent first (X40).
    SpendsNewestFirst,
    /// Every order is somebody's first (X26).
    WelcomesTwice,
    /// Who was welcomed on registering is welcomed again (X25).
    ForgetsTheWelcome,
    /// The first order does not take over what its member was welcomed with, and gives nothing back (R6, X25).
    UntiesTheWelcome,
    /// Points given pay no debt (X22).
    ForgetsDebt,
    /// An order that came back looks as if it had never been away (X28).
    ResetsGeneration,
    /// Only redeemable points are credited (X13).
    LosesALeg,
    /// Each return is rounded for itself (X24).
    RoundsEachReturn,
    /// The tier's factor reaches qualifying points (X2).
    MultipliesQualifying,
    /// Points are gone on their last valid day (X39).
    ExpiresADayEarly,
    /// Points are good on the day after their last (X39).
    ExpiresADayLate,
    /// Days begin at midnight in Greenwich (X7).
    UtcMidnight,
    /// Dollars earn like đồng.
    AcceptsOtherCurrency,
    /// An order that changes hands is paid to both (F23).
    CreditsAMovedOrderTwice,
    /// The member an order leaves keeps it in their figures (F23).
    ForgetsWhoLeft,
    /// What was not taken back is not written down (X22).
    HidesWriteOffs,
    /// A late event is posted in the past.
    LetsTimeGoBack,
    /// A reversal never costs a tier (R5).
    NeverDemotes,
    /// An order of nobody is forgotten (X43).
    DropsWaitingOrders,
    /// A cancel leaves no trace once the order is back (X25, X28).
    ForgetsCancellations,
    /// One order moving through its states uses a participation each time (X15).
    PaysForEveryEvent,
    /// An order is credited and its participation is not used up (C7).
    UsesNothingUp,
    /// The order that made the member eligible is paid (X16).
    CountsOldOrders,
    /// A member who has been promoted is credited on (C4).
    PaysWhoWasPromoted,
    /// A run takes everybody who has ordered (C1).
    EnrolsASilver,
    /// A run enrols who was enrolled, with all participations anew (C2).
    EnrolsAgain,
    /// A campaign that is paused goes on (X50).
    PaysWhilePaused,
    /// The bonus is given to be spent only (X13).
    BonusIsOnlySpendable,
    /// A cancelled order may be followed by another one under the same participation (X18).
    GivesTheParticipationBack,
    /// Whoever loses the tier begins the campaign again (X19).
    ReopensTheCampaign,
    /// A review leaves the qualifying points where they are (T12).
    ForgetsToReset,
    /// A missed tier costs everything (T10).
    LosesAllLevels,
    /// A missed tier is lost at once (X6).
    ForgetsGrace,
    /// A promotion begins a new cycle (X9).
    RestartsTheCycle,
    /// A review takes the redeemable points too (T11).
    ResetsSpendablePoints,
    /// The daily run's days begin at midnight in Greenwich (X7).
    ReviewsInUtc,
    /// The tier floor stays that of the first cycle (X20).
    KeepsTheFloor,
    /// A run that is late begins the cycle on its own day (X8).
    BeginsTheCycleToday,
    /// What expires is taken from the points that never do (X40).
    ExpiresTheNeverExpiring,
    /// A hold that nobody confirms never lapses.
    HoldsForEver,
    /// A hold that has lapsed stays on the member's row.
    LapsesTwice,
    /// A redemption that has lapsed is confirmed.
    ConfirmsTooLate,
    /// A redemption is undone once for each delivery (F1).
    UndoesTwice,
    /// A top-up is done once for each delivery (F1).
    TopsUpTwice,
    /// A top-up is all there is in the wallet (B2).
    WritesTheWalletAnew,
    /// A key that was used is used again for something else.
    TakesTheKeyForAnything,
    /// A behaviour is rewarded as often as it is told (P17).
    RewardsWithoutLimit,
    /// An order that a wallet has paid moves to another member, who pays again (F23).
    LetsAPaidOrderMove,
    /// What an undone order took from the wallet stays taken (B2).
    KeepsTheMoneyOfUndoneOrders,
    /// Every newer snapshot takes from the wallet again (X15).
    TakesFromTheWalletAgain,
    /// An order that takes less after all gives nothing back (B2).
    ReturnsNoPartOfTheMoney,
    /// The wallet is not asked for what an order was paid with (B2).
    PaysNothingByWallet,
    /// Two orders at once use the same voucher (F7).
    DropsTheVoucherCondition,
    /// Vouchers of undone orders stay used where the programme gives them back.
    KeepsVouchersOfUndoneOrders,
    /// Vouchers of undone orders come back where the programme keeps them used.
    ReturnsVouchersAgainstTheProgramme,
    /// A code that the shop has taken off an order stays used for it.
    KeepsCodesTakenOff,
    /// Codes that an order names later are not used.
    UsesVouchersOnlyAtFirstSight,
    /// A code is used by every order that names it.
    UsesAVoucherTwice,
    /// A voucher is used by an order that was placed before it was good, or after.
    UsesAVoucherThatIsOver,
    /// An order gives its vouchers back on its own row alone (I3).
    ForgetsToReturnVouchers,
    /// An undone order keeps its participation where the campaign takes it back (X18).
    NeverGivesAParticipationBack,
    /// An undone order gives its participation back where the campaign keeps it used (X18).
    AlwaysGivesTheParticipationBack,
    /// An order gives its participation back on its own row alone (X18, I3).
    GivesBackOnTheOrderAlone,
    /// A campaign never goes on after a demotion, though it should (X19).
    NeverReopensTheCampaign,
    /// A campaign goes on after every demotion by an order, though it should not (X19).
    AlwaysReopensTheCampaign,
    /// Items that a rule excludes earn.
    EarnsOnExcludedItems,
    /// A rule holds for orders that are too small for it.
    ForgetsTheSmallestOrder,
    /// A rule for first orders holds for all (X26).
    TakesEveryOrderForTheFirst,
    /// A rule holds at any time and on any day.
    ForgetsTheWindow,
    /// Of several rules all count, where the best or the first should.
    AppliesAllRules,
    /// Of several rules the first counts, where others should too.
    AppliesTheFirstRule,
    /// The factor of a rule reaches qualifying points (X2).
    RulesReachQualifying,
    /// A rule by category holds for nothing.
    ForgetsCategories,
    /// Whichever line came back, all of them bear it (X24).
    SharesWhatCameBack,
    /// An order is corrected by today's rules about items (I9).
    RepricesItemsByTodaysRules,
    /// An order is corrected by the lines it had first.
    KeepsTheFirstLines,
    /// What was spent in a cycle counts in the next (T12).
    CarriesSpendingOver,
    /// A tier is kept by the rule that reaches it (T17).
    KeepsByTheRuleOfEntering,
    /// A tier is reached by the rule that keeps it (T17).
    EntersByTheRuleOfKeeping,
    /// Who comes back to a tier is asked for what they were at first (T17).
    ReentersByTheRuleOfEntering,
    /// A review takes a tier and does not remember that it did (T17).
    ForgetsTheLostTier,
    /// Of several conditions one is enough where all are asked for (T17).
    TakesAnyForAll,
    /// A behaviour counts twice for a tier (T17).
    CountsBehavioursTwice,
    /// An order that is undone goes on counting for a tier by rules (R5).
    CountsUndoneOrders,
    /// A tier that time alone brings is held from whenever somebody looks (T7, T18).
    DatesTiersByTheLook,
    /// A tier that time alone brings goes by without an entry (T7, T18).
    MissesTiersOfTime,
    /// A tier that time alone brings ends no campaign (C4).
    GoesOnAfterATierOfTime,
}

mod living;
mod paying;
mod rules;

impl Mutant {
    /// What the store no longer checks.
    pub fn conditions(self, conditions: &mut Conditions) {
        match self {
            Self::DropsTheOrderCondition => conditions.order_revision = false,
            Self::DropsTheMemberCondition => conditions.member_revision = false,
            Self::DropsTheLedgerConditions => {
                conditions.member_revision = false;
                conditions.order_revision = false;
                conditions.entry_absent = false;
            }
            Self::DropsTheParticipationCondition => conditions.participation_revision = false,
            Self::DropsTheVoucherCondition => conditions.voucher_revision = false,
            Self::DropsTheRequestCondition => conditions.request_revision = false,
            _ => {}
        }
    }

    /// The programme the handler goes by.
    pub fn programme(self, programme: &Programme, what: What) -> Programme {
        let mut changed = programme.clone();
        self.living_programme(&mut changed, what);
        self.paying_programme(&mut changed, what);
        self.rules_programme(&mut changed);
        match self {
            Self::MultipliesQualifying => changed.earning.tier_multiplier = TierMultiplier::Both,
            Self::UtcMidnight => changed.zone = chrono_tz::UTC,
            Self::NeverDemotes => changed.reversal_demotes = ReversalDemotes::Never,
            Self::ForgetsEarlierVersions => changed.earlier = None,
            _ => {}
        }
        changed
    }

    /// The snapshot and the order's row as the handler sees them.
    pub fn snapshot(self, programme: &Programme, snapshot: &mut OrderSnapshot, order: &mut Read<Order>) {
        match self {
            Self::AcceptsOtherCurrency => snapshot.facts.currency = programme.currency,
            Self::AcceptsStaleSnapshots => {
                if let Some(known) = order.row.as_mut().filter(|known| snapshot.facts < known.facts) {
                    known.facts.updated_at = DateTime::<Utc>::MIN_UTC;
                }
            }
            Self::CreditsAMovedOrderTwice => {
                let Some(known) = &mut order.row else { return };
                let owner = known.owner.as_ref().map(|owner| &owner.member_id);
                let moved = snapshot.member_id.is_some() && owner != snapshot.member_id.as_ref();
                if moved && snapshot.facts > known.facts && !known.credits.is_empty() {
                    *known = Order { facts: known.facts, ..Order::unseen(known.order_id.clone(), known.facts) };
                }
            }
            _ => {}
        }
    }

    /// The rows as the handler sees them.
    pub fn rows(self, programme: &Programme, order: &mut Read<Order>, member: &mut Read<Member>, now: Instant) {
        let Some(row) = &mut member.row else { return };
        self.living_rows(order, row);
        self.rules_rows(programme, order, row);
        match self {
            Self::WelcomesTwice if order.row.is_none() => row.first_order = None,
            Self::ForgetsTheWelcome => row.welcome = None,
            Self::ForgetsDebt => row.balance.redeemable = row.balance.redeemable.max(RedeemablePoints::ZERO),
            Self::LetsTimeGoBack => row.as_of = DateTime::<Utc>::MIN_UTC,
            Self::ExpiresADayEarly => shift_lots(programme, row, now, 0, -1),
            Self::ExpiresADayLate => shift_lots(programme, row, now, -1, 1),
            Self::RecomputesReversals => {
                let multiplier = programme.multiplier(&row.tier);
                for credit in order.row.iter_mut().flat_map(|order| &mut order.credits) {
                    if let TermsAmount::Earned { qualifying_multiplier, .. } = credit.terms.amount {
                        let amount = TermsAmount::earned(&programme.earning, multiplier, qualifying_multiplier);
                        credit.terms.amount = amount;
                    }
                }
            }
            _ => {}
        }
    }

    /// What the handler makes of a decision.
    pub fn decision(
        self,
        programme: &Programme,
        store: &Store,
        given: &[Voucher],
        snapshot: Option<&OrderSnapshot>,
        mut write: Write,
    ) -> Write {
        self.living_decision(store, &mut write);
        self.paying_decision(given, &mut write);
        self.rules_decision(store, &mut write);
        let decision = &mut write.decision;
        match self {
            Self::ResetsGeneration => {
                decision.order.iter_mut().flat_map(|order| &mut order.credits).for_each(|credit| {
                    credit.generation = credit.generation.min(1);
                });
            }
            Self::ForgetsWhoLeft => decision.left_member = None,
            Self::HidesWriteOffs => decision.entries.iter_mut().for_each(|entry| entry.written_off = Legs::ZERO),
            Self::DropsWaitingOrders if decision.member.is_none() && decision.entries.is_empty() => {
                decision.order = decision.order.take().filter(|order| order.owner.is_some());
            }
            Self::UntiesTheWelcome => untie_the_welcome(store, &mut write),
            Self::ForgetsCancellations => {
                decision.order.iter_mut().for_each(|order| order.ever_undone = false);
            }
            Self::AcceptsOtherCurrency => restore_currency(snapshot, &mut write),
            Self::SpendsNewestFirst => spend_newest_first(&mut write),
            Self::LosesALeg => {
                for at in 0..write.decision.entries.len() {
                    let Entry { kind, legs, .. } = write.decision.entries[at];
                    if kind == EntryKind::Accrual {
                        change_legs(&mut write, at, Legs::new(0, -legs.qualifying.0));
                    }
                }
            }
            Self::RoundsEachReturn => round_each_return(store, &mut write),
            Self::ExpiresADayEarly => name_lots_again(programme, store, &mut write, 1),
            Self::ExpiresADayLate => name_lots_again(programme, store, &mut write, -1),
            _ => {}
        }
        write
    }

    /// What reaches the store.
    pub fn write(self, fault: Fault, write: &mut Write) {
        if self == Self::WritesInTwoTransactions && fault == Fault::LostAfter && write.decision.member.is_some() {
            write.decision.order = None;
        }
    }

    /// What becomes of a lost race; `true` when it counts as done.
    pub fn gives_up(self, store: &mut Store, write: Write) -> bool {
        match self {
            Self::GivesUpAfterAConflict => true,
            Self::WritesOverAConflict => {
                let conditions = store.conditions;
                store.conditions =
                    Conditions { order_revision: false, member_revision: false, entry_absent: false, ..conditions };
                let done = store.commit(write).is_ok();
                store.conditions = conditions;
                done
            }
            _ => false,
        }
    }
}

/// The first order stands without the welcome that its member's row kept for it.
fn untie_the_welcome(store: &Store, write: &mut Write) {
    let decision = &mut write.decision;
    let (Some(order), Some(member)) = (&mut decision.order, &decision.member) else { return };
    let kept = store.member(&member.member_id, 0).row.and_then(|known| known.welcome);
    let given = kept.is_some_and(|credit| !credit.posted.is_zero());
    if given && decision.entries.iter().all(|entry| entry.reason != Reason::FirstOrderUndone) {
        order.credits.retain(|credit| credit.rule != RuleId::welcome());
    }
}

fn later(expiry: Expiry, days: i64) -> Expiry {
    let Expiry::On(day) = expiry else { return expiry };
    let count = Days::new(days.unsigned_abs());
    let moved = if days < 0 { day.checked_sub_days(count) } else { day.checked_add_days(count) };
    Expiry::On(moved.unwrap_or(day))
}

/// Lots whose last valid day is so many days from today are read as `by` days later.
fn shift_lots(programme: &Programme, member: &mut Member, now: Instant, from_today: i64, by: i64) {
    let today = Expiry::On(programme.day(member.as_of.max(now)));
    let of = later(today, from_today);
    let shifted = member
        .lots
        .as_slice()
        .iter()
        .map(|lot| Lot { expiry: if lot.expiry == of { later(lot.expiry, by) } else { lot.expiry }, ..*lot });
    member.lots = Lots::from_rows(shifted.collect::<Vec<_>>()).unwrap_or_default();
}

/// Gives lots that were read under another day their own day again, in the ledger and on the member's row.
fn name_lots_again(programme: &Programme, store: &Store, write: &mut Write, by: i64) {
    let Some(member) = &mut write.decision.member else { return };
    let known = store.member(&member.member_id, 0).row.map(|known| known.lots).unwrap_or_default();
    let held = |expiry: Expiry| known.as_slice().iter().any(|lot| lot.expiry == expiry);
    let today = Expiry::On(programme.day(member.as_of));
    let shifted = later(today, if by > 0 { -1 } else { 0 });
    let own = |expiry: Expiry| {
        let back = later(expiry, by);
        if expiry == shifted && !held(expiry) && held(back) { back } else { expiry }
    };
    for lot in write.decision.entries.iter_mut().flat_map(|entry| &mut entry.lots).filter(|lot| lot.points < 0) {
        lot.expiry = own(lot.expiry);
    }
    let lots = member.lots.as_slice().iter().map(|lot| Lot { expiry: own(lot.expiry), ..*lot }).collect::<Vec<_>>();
    member.lots = Lots::from_rows(lots).unwrap_or_default();
}

/// The order keeps its own currency; only its points were computed in the programme's.
fn restore_currency(snapshot: Option<&OrderSnapshot>, write: &mut Write) {
    let Some(snapshot) = snapshot else { return };
    let decision = &mut write.decision;
    let explained = decision.entries.iter_mut().filter_map(|entry| entry.explanation.as_mut());
    let facts = explained.map(|explained| &mut explained.facts);
    for facts in facts.chain(decision.order.iter_mut().map(|order| &mut order.facts)) {
        if facts.updated_at == snapshot.facts.updated_at {
            facts.currency = snapshot.facts.currency;
        }
    }
}

/// Takes the points of a redemption from the other end.
fn spend_newest_first(write: &mut Write) {
    let decision = &mut write.decision;
    let Some(member) = &mut decision.member else { return };
    let Some(entry) = decision.entries.last_mut().filter(|entry| entry.kind == EntryKind::Redemption) else { return };
    let given_back = entry.lots.iter().map(|lot| Lot { points: -lot.points, ..*lot });
    let open: Vec<Lot> = member.lots.as_slice().iter().copied().chain(given_back).collect();
    let mut open = Lots::from_rows(open).unwrap_or_default();
    let mut left = -entry.legs.redeemable.0;
    let mut moved = Vec::new();
    while let (true, Some(last)) = (left > 0, open.as_slice().last().copied()) {
        let taken = last.points.min(left);
        moved.extend(open.take(taken, Some(last.expiry)));
        left -= taken;
    }
    entry.lots = moved;
    member.lots = open;
}

/// Changes the legs of one entry, and everything that follows from them, so that only the figure itself is wrong.
fn change_legs(write: &mut Write, at: usize, by: Legs) {
    let decision = &mut write.decision;
    let add = |legs: &mut Legs| *legs = legs.plus(by).unwrap_or(*legs);
    let Some(Entry { legs, rule, order_id, .. }) = decision.entries.get_mut(at) else { return };
    add(legs);
    for credit in decision.order.iter_mut().filter(|order| Some(&order.order_id) == order_id.as_ref()) {
        credit.credits.iter_mut().filter(|credit| credit.rule == *rule).for_each(|credit| add(&mut credit.posted));
    }
    decision.entries.iter_mut().skip(at).for_each(|entry| add(&mut entry.balance_after));
    decision.member.iter_mut().for_each(|member| add(&mut member.balance));
}

/// Takes back the rounded-down points of what was returned this time, not what the order deserves less.
fn round_each_return(store: &Store, write: &mut Write) {
    let Some(order) = write.decision.order.clone() else { return };
    let Some(known) = store.order(&order.order_id, 0).row else { return };
    for at in 0..write.decision.entries.len() {
        let entry = &write.decision.entries[at];
        let Some(explained) = entry.explanation.as_ref().filter(|_| entry.reason == Reason::OrderPartlyReturned) else {
            continue;
        };
        let TermsAmount::Earned { rate, qualifying_multiplier, basis, .. } = explained.terms.amount else { continue };
        let refund = explained.terms.reversal.refund;
        let part = known.facts.net_minor(basis, refund) - order.facts.net_minor(basis, refund);
        let Ok(points) = rate.times(qualifying_multiplier, part.max(0), Rounding::Floor) else { continue };
        let less = -entry.legs.qualifying.0 - points;
        change_legs(write, at, Legs::new(0, less));
    }
}
