//! Refusals in words that whoever asked can act on.

use loyalty_contract::problem::Problem;
use loyalty_contract::webhook::ParseError;
use loyalty_domain::decision::Rejection;
use loyalty_domain::programme::Programme;
use loyalty_domain::voucher::VoucherRejection;
use loyalty_runtime::chain;
use loyalty_store::StoreError;

/// The problem of a body that cannot be taken.
pub fn unreadable(error: ParseError) -> Problem {
    let detail = format!("{error}.");
    match error {
        ParseError::UnknownEvent => Problem::new(422, "unsupported-type", "Type not supported", detail),
        _ => Problem::new(400, "unreadable", "Body not readable", detail),
    }
}

/// Why a command was not carried out. What is not a refusal is logged here and told as a reason to try again.
pub fn not_done(programme: &Programme, error: &StoreError) -> Problem {
    match error {
        StoreError::Rejected(rejection) => rejected(programme, rejection),
        error => unavailable(error),
    }
}

/// The books could not be read or written. Nothing was done, or nothing is known of it: the same command again will tell.
pub fn unavailable(error: &StoreError) -> Problem {
    tracing::error!(error = chain(error), "a command is not carried out");
    let detail = "The command could not be carried out just now. Send it again, with the same key: it is done once.";
    Problem::new(503, "not-available", "Try again", detail)
}

/// X50.
pub fn paused() -> Problem {
    let detail = "The programme is paused. Nothing was changed: send the same again when it goes on.";
    Problem::new(503, "paused", "Paused", detail)
}

/// No redemption of this member is known by this id.
pub fn unknown_redemption() -> Problem {
    let detail = "This member has no redemption of this id. It is the redemption_id of the answer to the redemption.";
    Problem::new(404, "unknown-redemption", "Unknown redemption", detail)
}

fn rejected(programme: &Programme, rejection: &Rejection) -> Problem {
    let money = |minor: i64| format!("{} {}", programme.currency.decimal(minor), programme.currency.code());
    let (status, slug, title, detail) = match rejection {
        Rejection::OutOfRange(_) => {
            (422, "out-of-range", "Out of range", "A figure is larger than points and money can be.".to_owned())
        }
        Rejection::NoTiers | Rejection::WrongMember(_) => {
            tracing::error!(error = chain(rejection), "a command cannot be decided");
            (503, "not-configured", "Not ready", "The programme is not set up as it should be.".to_owned())
        }
        Rejection::TiersAreOurs => {
            let detail =
                "This programme decides tiers itself: change the points, or set tier_authority to \"outside\".";
            (409, "tiers-are-ours", "Tiers are decided here", detail.to_owned())
        }
        Rejection::UnknownTier(_) => {
            let known = list(programme.tiers.as_slice().iter().map(|tier| tier.id.as_str()));
            (422, "unknown-tier", "Unknown tier", format!("The programme has the tiers {known}."))
        }
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
        Rejection::NoAmount => (422, "no-amount", "No amount", "amount must be above zero.".to_owned()),
        Rejection::NoTopups => (422, "no-topups", "No top-ups", "The programme takes no top-ups.".to_owned()),
    };
    Problem::new(status, slug, title, detail)
}

/// Why a voucher is not used.
pub fn voucher(programme: &Programme, rejection: &VoucherRejection) -> Problem {
    let money = |minor: i64| format!("{} {}", programme.currency.decimal(minor), programme.currency.code());
    let (status, slug, title, detail) = match rejection {
        VoucherRejection::AlreadyUsed => {
            (409, "voucher-used", "Voucher used", "This voucher has been used already.".to_owned())
        }
        VoucherRejection::Expired(last) => {
            (409, "voucher-expired", "Voucher expired", format!("This voucher was good until {last}."))
        }
        VoucherRejection::NotYet(first) => {
            (409, "voucher-not-yet", "Voucher not valid yet", format!("This voucher is good from {first} on."))
        }
        VoucherRejection::Voided => {
            (409, "voucher-voided", "Voucher withdrawn", "This voucher was withdrawn.".to_owned())
        }
        VoucherRejection::OrderTooSmall { order_minor, least_minor } => {
            let (order, least) = (money(*order_minor), money(*least_minor));
            let detail = format!("The order is worth {order} (order_amount); this voucher asks for {least} or more.");
            (422, "order-too-small", "Order too small", detail)
        }
    };
    Problem::new(status, slug, title, detail)
}

fn list<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let ids: Vec<&str> = ids.collect();
    if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
}
