//! Refusals of the domain in words that whoever asked can act on: the same at every door. They repeat nothing of what was
//! sent.

use loyalty_domain::decision::Rejection;
use loyalty_domain::programme::{Programme, Tier};

use crate::problem::Problem;

/// No redemption of this member is known by this id.
pub fn unknown_redemption() -> Problem {
    let detail = "This member has no redemption of this id. It is the redemption_id of the answer to the redemption.";
    Problem::new(404, "unknown-redemption", "Unknown redemption", detail)
}

/// Why the programme refuses it.
pub fn refusal(programme: &Programme, rejection: &Rejection) -> Problem {
    let money = |minor: i64| format!("{} {}", programme.currency.decimal(minor), programme.currency.code());
    let (status, slug, title, detail) = match rejection {
        Rejection::OutOfRange(_) => {
            (422, "out-of-range", "Out of range", "A figure is larger than points and money can be.".to_owned())
        }
        Rejection::NoTiers | Rejection::WrongMember(_) => {
            (503, "not-configured", "Not ready", "The programme is not set up as it should be.".to_owned())
        }
        Rejection::TiersAreOurs => {
            let detail =
                "This programme decides tiers itself: change the points, or set tier_authority to \"outside\".";
            (409, "tiers-are-ours", "Tiers are decided here", detail.to_owned())
        }
        Rejection::UnknownTier(_) => (
            422,
            "unknown-tier",
            "Unknown tier",
            format!("No tier is called so. The programme's are: {}.", tiers(programme)),
        ),
        Rejection::NothingToSpend => {
            let detail = "Say how many points to spend: a whole number above zero.";
            (422, "nothing-to-spend", "Nothing to spend", detail.to_owned())
        }
        Rejection::NotEnoughPoints { available, wanted } => {
            let detail = format!("{available} points are available and {wanted} are wanted. Nothing was taken.");
            (409, "not-enough-points", "Not enough points", detail)
        }
        Rejection::NotARedemption(_) => return unknown_redemption(),
        Rejection::RedemptionOver => {
            let detail = "It was released, undone or has lapsed, and its points are back. Redeem again with a new key.";
            (409, "redemption-over", "Redemption is over", detail.to_owned())
        }
        Rejection::KeyUsedOtherwise => {
            let detail = "This key came with another command before. A new command needs a new key; a repeated one, the \
                          same content.";
            (409, "key-used-otherwise", "Key used otherwise", detail.to_owned())
        }
        Rejection::TooManyHolds(most) => {
            let detail =
                format!("{most} redemptions of this member wait to be confirmed. Confirm or release one first.");
            (409, "too-many-holds", "Too many held redemptions", detail)
        }
        Rejection::UnknownReward(_) => {
            let known = list(programme.rewards.iter().map(|reward| reward.id.as_str()));
            (422, "unknown-reward", "Unknown reward", format!("The programme's rewards: {known}."))
        }
        Rejection::NotAStep { least, step, most } => {
            let up_to = if *most == i64::MAX { String::new() } else { format!(", up to {most}") };
            let detail = format!("This reward takes {least} points or more, in steps of {step}{up_to}.");
            (422, "not-a-step", "Points do not fit the reward", detail)
        }
        Rejection::OrderTooSmall { order_minor, least_minor } => {
            let (order, least) = (money(*order_minor), money(*least_minor));
            let detail = format!("The order is worth {order} (order_amount); this reward asks for {least} or more.");
            (422, "order-too-small", "Order too small", detail)
        }
        Rejection::OverCap { most } => {
            (422, "over-cap", "More than the order allows", format!("This order takes at most {most} points."))
        }
        Rejection::UnknownBehaviour(_) => {
            let known = list(programme.behaviours.iter().map(|behaviour| behaviour.id.as_str()));
            (422, "unknown-behaviour", "Unknown behaviour", format!("The programme's behaviours: {known}."))
        }
        Rejection::LimitReached => {
            let detail = "It has been rewarded as often as the programme allows for now.";
            (409, "limit-reached", "Limit reached", detail.to_owned())
        }
        Rejection::NothingToAdjust => {
            let detail =
                "An adjustment gives points or takes points, at least one of either kind, and never both at once.";
            (422, "nothing-to-adjust", "Nothing to adjust", detail.to_owned())
        }
        Rejection::CannotOpen(problem) => (422, "cannot-open", "Cannot be opened", format!("{problem}.")),
        Rejection::CannotMerge(problem) => (422, "cannot-merge", "Cannot be merged", format!("{problem}.")),
        Rejection::CannotBring(problem) => (422, "cannot-bring", "Cannot be brought along", format!("{problem}.")),
        Rejection::NoAmount => (422, "no-amount", "No amount", "amount must be above zero.".to_owned()),
        Rejection::NoTopups => (422, "no-topups", "No top-ups", "The programme takes no top-ups.".to_owned()),
    };
    Problem::new(status, slug, title, detail)
}

/// Every word that a tier is known by (X37): `diamond (Kim Cương, platinum)`.
fn tiers(programme: &Programme) -> String {
    let words = |tier: &Tier| {
        let others: Vec<&str> = std::iter::once(&tier.name).chain(&tier.aliases).map(String::as_str).collect();
        format!("{} ({})", tier.id, others.join(", "))
    };
    programme.tiers.as_slice().iter().map(words).collect::<Vec<_>>().join("; ")
}

fn list<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let ids: Vec<&str> = ids.collect();
    if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
}
