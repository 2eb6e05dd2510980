//! What a shop owner should know before a programme goes live (X4).

use loyalty_domain::criteria::Criterion;
use loyalty_domain::points::{Ratio, Rounding};
use loyalty_domain::programme::{ExpiryRule, TierMultiplier, WelcomeWhen};

use super::Version;

/// So many orders to reach a tier, and more, is a tier hardly anybody will see (X4).
pub const ORDERS_MAX: i64 = 99;
/// E1 speaks of 6 to 12 months.
const MONTHS_USUAL: std::ops::RangeInclusive<u32> = 6..=12;
/// P15 speaks of 5 to 10 seconds.
const SETTLE_USUAL: std::ops::RangeInclusive<u32> = 5..=10;

/// How many average orders lead from nothing to a tier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrdersToTier {
    pub tier: String,
    /// Qualifying points.
    pub threshold: i64,
    /// What has to be spent, minor units of the programme's currency.
    pub spend_minor: i64,
    /// `None` when an average order earns no points at all, or rules ask for something else than orders too.
    pub orders: Option<i64>,
}

/// Allowed, but hardly meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub path: String,
    pub message: String,
}

/// The way to each tier at an average order value (minor units), and what looks like a mistake.
pub fn lint(version: &Version, average_order_minor: Option<i64>) -> (Vec<OrdersToTier>, Vec<Warning>) {
    let mut warnings = Vec::new();
    let mut warn = |path: &str, message: String| warnings.push(Warning { path: path.into(), message });
    let programme = &version.programme;
    let ways = average_order_minor.map(|average| ways(version, average)).unwrap_or_default();
    if !programme.tiers.by_rules() && ways.iter().any(|way| way.orders.is_none()) {
        warn("earning.vnd_per_point", "an average order earns no point".into());
    }
    for way in &ways {
        if let Some(orders) = way.orders.filter(|orders| *orders > ORDERS_MAX) {
            let lower = "lower its threshold or the price of a point (X4)";
            warn("tiers", format!("{} takes {orders} average orders: {lower}", way.tier));
        }
    }
    let tiers = programme.tiers.as_slice();
    for (below, above) in tiers.iter().zip(tiers.iter().skip(1)) {
        if factor(above.multiplier) < factor(below.multiplier) {
            warn("tiers", format!("{} earns more slowly than {} (X1)", above.name, below.name));
        }
    }
    if version.by_tier && tiers.iter().all(|tier| tier.multiplier == Ratio::ONE) {
        warn("earning.mechanism", "no tier has a multiplier: everybody earns alike, as with \"fixed\" (P7, P8)".into());
    }
    if programme.earning.tier_multiplier == TierMultiplier::Both {
        warn(
            "earning.tier_multiplier",
            "multiplied qualifying points make later tiers easier than the table says (X2)".into(),
        );
    }
    if !SETTLE_USUAL.contains(&version.settle_seconds) {
        warn("settle_seconds", "5 to 10 seconds let every channel finish its own changes first (P15)".into());
    }
    if let ExpiryRule::Months { months, .. } = programme.expiry
        && !MONTHS_USUAL.contains(&months)
    {
        warn("expiry.months", "points usually live 6 to 12 months (E1)".into());
    }
    if programme.reversal.requires_paid {
        warn(
            "reversal.reverse_requires_paid",
            "an order that is placed, credited and cancelled unpaid keeps its points (X11)".into(),
        );
    }
    if programme.welcome.is_some_and(|welcome| welcome.when == WelcomeWhen::Immediate) {
        warn(
            "welcome.when",
            "points given before the first order is delivered may be spent and then owed (X25)".into(),
        );
    }
    for campaign in &programme.campaigns {
        let (one, budget) = (campaign.cost_of_member(), campaign.budget_points);
        if let Some(budget) = budget.filter(|budget| *budget < one) {
            let message =
                format!("{}: {budget} points are less than the {one} of one member: nobody is enrolled", campaign.id);
            warn("campaigns.budget_points", message);
        }
    }
    (ways, warnings)
}

fn ways(version: &Version, average: i64) -> Vec<OrdersToTier> {
    let programme = &version.programme;
    let earned = programme.earning.rate.of(average, programme.earning.round).unwrap_or(0);
    let price = Ratio::new(programme.earning.rate.denominator.get(), programme.earning.rate.numerator);
    let tiers = programme.tiers.as_slice().iter().skip(1);
    tiers
        .map(|tier| OrdersToTier {
            tier: tier.name.clone(),
            threshold: tier.threshold,
            spend_minor: price.and_then(|price| price.of(tier.threshold, Rounding::Ceil).ok()).unwrap_or(i64::MAX),
            orders: match &tier.rules {
                Some(rules) => orders(&rules.enter, average, earned),
                None => Rounding::Ceil.divide(i128::from(tier.threshold), i128::from(earned)).ok(),
            },
        })
        .map(|way| {
            // Where rules decide, it is the orders that say what has to be spent.
            let spent = way.orders.and_then(|orders| orders.checked_mul(average)).unwrap_or(i64::MAX);
            if programme.tiers.by_rules() { OrdersToTier { spend_minor: spent, ..way } } else { way }
        })
        .collect()
}

/// The average orders that meet a tier's rules by themselves; `None` where it takes something else too.
fn orders(criterion: &Criterion, average: i64, earned: i64) -> Option<i64> {
    let divided = |wanted: i64, by: i64| Rounding::Ceil.divide(i128::from(wanted), i128::from(by)).ok();
    match criterion {
        Criterion::Spent { minor } => divided(*minor, average),
        Criterion::Orders { count } => Some(*count),
        Criterion::Points { points } => divided(*points, earned),
        Criterion::Behaviour { .. } | Criterion::MemberDays { .. } => None,
        Criterion::All(all) => all.iter().try_fold(0, |most, one| Some(orders(one, average, earned)?.max(most))),
        Criterion::Any(any) => any.iter().filter_map(|one| orders(one, average, earned)).min(),
    }
}

/// Numerator and denominator are at most 10⁹ each, so the products below stay in range.
fn factor(ratio: Ratio) -> u64 {
    ratio.numerator.saturating_mul(Ratio::PART_MAX) / ratio.denominator
}
