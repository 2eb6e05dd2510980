//! Refusals in words that whoever asked can act on.

use loyalty_contract::card::in_zone;
use loyalty_contract::problem::Problem;
use loyalty_contract::refusal::refusal;
pub use loyalty_contract::refusal::unknown_redemption;
use loyalty_contract::webhook::ParseError;
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
        StoreError::Rejected(rejection) => {
            let problem = refusal(programme, rejection);
            if problem.status == 503 {
                tracing::error!(error = chain(rejection), "a command cannot be decided");
            }
            problem
        }
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

/// Why a voucher is not used.
pub fn voucher(programme: &Programme, rejection: &VoucherRejection) -> Problem {
    let money = |minor: i64| format!("{} {}", programme.currency.decimal(minor), programme.currency.code());
    let (status, slug, title, detail) = match rejection {
        VoucherRejection::AlreadyUsed { at, order } => {
            let at = at.map_or_else(String::new, |at| format!(", at {}", in_zone(programme, at).to_rfc3339()));
            let order = order.as_ref().map_or_else(String::new, |order| format!(", for the order {order}"));
            (409, "voucher-used", "Voucher used", format!("This voucher has been used already{at}{order}."))
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
        VoucherRejection::OrderUnknown { least_minor } => {
            let least = money(*least_minor);
            let detail =
                format!("This voucher asks for an order of {least} or more: say what it is worth (order_amount).");
            (422, "order-amount-missing", "Order amount missing", detail)
        }
    };
    Problem::new(status, slug, title, detail)
}
