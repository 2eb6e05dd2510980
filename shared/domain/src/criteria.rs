//! What a tier asks for where points alone do not decide: spending, orders, behaviours, the length of a membership, in
//! any combination (T17, T18).

use std::collections::BTreeMap;

use crate::ids::RuleId;
use crate::member::Member;
use crate::programme::Programme;
use crate::time::days_between;

/// What a member has done in the running cycle. Every sum begins again with the cycle, as qualifying points do (T12).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CycleSums {
    /// Spent on orders that earned in this cycle, minor units of the programme's currency; less what was given back.
    pub spent_minor: i64,
    /// Orders that earned in this cycle and on which something was spent.
    pub orders: i64,
    /// How often each behaviour was rewarded in this cycle.
    pub behaviours: BTreeMap<RuleId, u32>,
}

impl CycleSums {
    /// How often a behaviour was rewarded.
    pub fn times(&self, behaviour: &RuleId) -> u32 {
        self.behaviours.get(behaviour).copied().unwrap_or(0)
    }

    /// Counts a rewarded behaviour.
    pub(crate) fn count(&mut self, behaviour: &RuleId) {
        let times = self.behaviours.entry(behaviour.clone()).or_default();
        *times = times.saturating_add(1);
    }
}

/// One condition, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// Spent in the cycle, minor units of the programme's currency.
    Spent { minor: i64 },
    /// Orders of the cycle.
    Orders { count: i64 },
    /// Qualifying points of the cycle.
    Points { points: i64 },
    /// A behaviour, so many times in the cycle.
    Behaviour { rule: RuleId, times: u32 },
    /// Days since the member was first seen.
    MemberDays { days: u32 },
    /// Every one of them (and).
    All(Vec<Criterion>),
    /// At least one of them (or).
    Any(Vec<Criterion>),
}

/// What is still missing for a criterion; each is 0 when nothing of it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    pub points: i64,
    /// Minor units of the programme's currency.
    pub spent_minor: i64,
    pub orders: i64,
    /// Behaviours, counted each time.
    pub behaviours: i64,
    /// Days of membership.
    pub days: i64,
}

impl Missing {
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// The larger of two of each: both have to be met.
    fn and(self, other: Self) -> Self {
        Self {
            points: self.points.max(other.points),
            spent_minor: self.spent_minor.max(other.spent_minor),
            orders: self.orders.max(other.orders),
            behaviours: self.behaviours.saturating_add(other.behaviours),
            days: self.days.max(other.days),
        }
    }
}

impl Criterion {
    /// Whether the member meets it.
    pub fn met(&self, programme: &Programme, member: &Member) -> bool {
        self.missing(programme, member).is_nothing()
    }

    /// What the member still misses. Of alternatives it is the one of which the least part is missing.
    pub fn missing(&self, programme: &Programme, member: &Member) -> Missing {
        let short = |wanted: i64, has: i64| wanted.saturating_sub(has).max(0);
        let nothing = Missing::default();
        match self {
            Self::Spent { minor } => Missing { spent_minor: short(*minor, member.cycle.spent_minor), ..nothing },
            Self::Orders { count } => Missing { orders: short(*count, member.cycle.orders), ..nothing },
            Self::Points { points } => Missing { points: short(*points, member.balance.qualifying.0), ..nothing },
            Self::Behaviour { rule, times } => {
                Missing { behaviours: short(i64::from(*times), i64::from(member.cycle.times(rule))), ..nothing }
            }
            Self::MemberDays { days } => {
                let been = days_between(programme.day(member.activated_at), programme.day(member.as_of));
                Missing { days: short(i64::from(*days), been), ..nothing }
            }
            Self::All(all) => all.iter().fold(nothing, |sum, one| sum.and(one.missing(programme, member))),
            Self::Any(any) => any
                .iter()
                .map(|one| (one.part_missing(programme, member), one.missing(programme, member)))
                .min_by_key(|(part, _)| *part)
                .map_or(nothing, |(_, missing)| missing),
        }
    }

    /// Which part of it is missing, millionths: what makes alternatives of different kinds comparable.
    fn part_missing(&self, programme: &Programme, member: &Member) -> i64 {
        const WHOLE: i128 = 1_000_000;
        let part = |missing: i64, wanted: i64| {
            let part = i128::from(missing).saturating_mul(WHOLE).checked_div(i128::from(wanted)).unwrap_or(0);
            // However little is missing, it is more than nothing.
            i64::try_from(part).unwrap_or(i64::MAX).max(i64::from(missing > 0))
        };
        let missing = self.missing(programme, member);
        match self {
            Self::Spent { minor } => part(missing.spent_minor, *minor),
            Self::Orders { count } => part(missing.orders, *count),
            Self::Points { points } => part(missing.points, *points),
            Self::Behaviour { times, .. } => part(missing.behaviours, i64::from(*times)),
            Self::MemberDays { days } => part(missing.days, i64::from(*days)),
            Self::All(all) => all.iter().map(|one| one.part_missing(programme, member)).max().unwrap_or(0),
            Self::Any(any) => any.iter().map(|one| one.part_missing(programme, member)).min().unwrap_or(0),
        }
    }

    /// The lengths of membership it names, in days: the one condition that time alone can meet.
    pub fn member_days(&self) -> Vec<u32> {
        match self {
            Self::MemberDays { days } => vec![*days],
            Self::All(several) | Self::Any(several) => several.iter().flat_map(Self::member_days).collect(),
            Self::Spent { .. } | Self::Orders { .. } | Self::Points { .. } | Self::Behaviour { .. } => Vec::new(),
        }
    }
}
