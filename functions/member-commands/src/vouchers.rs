//! Using a voucher, once.

use std::convert::Infallible;

use loyalty_contract::command::{self, UseBody};
use loyalty_contract::problem::Problem;
use loyalty_contract::queue::Source;
use loyalty_domain::ids::{OrderId, VoucherId};
use loyalty_domain::programme::Programme;
use loyalty_domain::voucher::Voucher;
use loyalty_runtime::http;
use loyalty_store::Consistency;

use crate::request::Request;
use crate::{Answered, MemberCommands, problem};

impl MemberCommands {
    /// A code nobody was given is looked up like any other: there is one row to ask for, under an id that the code only
    /// leads to through the key.
    pub(crate) async fn use_voucher(&self, request: &Request<'_>, code: &str) -> Answered {
        let now = request.now();
        let programme = self.programme(now);
        let today = programme.day(now);
        let used = UseBody::parse(&request.body()?, programme.currency).map_err(problem::unreadable)?;
        let order = used.order_id.as_deref().map(full_order_id);
        let voucher_id = self.key.voucher_id(code);
        self.refuse_undone(programme, &voucher_id, order.as_ref()).await?;
        let changed = self
            .books
            .change_voucher(&voucher_id, |voucher| voucher.used(order.clone(), used.order_minor, today, now))
            .await;
        match changed.map_err(|error| problem::unavailable(&error))? {
            Some(Ok(voucher)) => {
                // Again: an order that is undone meanwhile either sees the voucher or is seen here.
                self.refuse_undone(programme, &voucher_id, order.as_ref()).await?;
                Ok(http::json(200, &command::Voucher::of(programme, &voucher, today)))
            }
            Some(Err(rejection)) => Err(problem::voucher(programme, &rejection)),
            None => Err(unknown_voucher()),
        }
    }

    /// Refuses to use a voucher for an order that is undone, and gives it back if it was used for it.
    async fn refuse_undone(
        &self,
        programme: &Programme,
        voucher_id: &VoucherId,
        order: Option<&OrderId>,
    ) -> Result<(), Problem> {
        let Some(order_id) = order.filter(|_| programme.vouchers_return) else { return Ok(()) };
        let known = self.books.order(order_id, Consistency::Strong).await;
        let known = known.map_err(|error| problem::unavailable(&error))?;
        if !known.is_some_and(|order| order.row.facts.undone()) {
            return Ok(());
        }
        let back = |voucher: Voucher| Ok::<_, Infallible>(voucher.returned_by(order_id));
        self.books.change_voucher(voucher_id, back).await.map_err(|error| problem::unavailable(&error))?;
        Err(order_undone())
    }
}

/// The order's id over all shops. One without its source is an order of the generic webhook.
fn full_order_id(id: &str) -> OrderId {
    let has_source = id.split_once(':').is_some_and(|(source, _)| Source::from_name(source).is_some());
    OrderId::new(if has_source { id.to_owned() } else { format!("{}:{id}", Source::Standard) })
}

fn order_undone() -> Problem {
    Problem::new(
        409,
        "order-undone",
        "Order undone",
        "This order was cancelled or returned. The voucher was not used: use it for another order.",
    )
}

fn unknown_voucher() -> Problem {
    Problem::new(
        404,
        "unknown-voucher",
        "Unknown voucher",
        "There is no voucher with this code. Check it and type it again.",
    )
}
