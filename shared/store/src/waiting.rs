//! Orders that came while their campaign was paused: decided when it has gone on, before anything else is about their
//! member (X50).

use std::pin::Pin;

use loyalty_domain::campaign::ParticipationState;
use loyalty_domain::ids::{MemberId, RuleId};
use loyalty_domain::order::OrderSnapshot;
use loyalty_domain::programme::Programme;
use loyalty_domain::time::Instant;

use crate::{Books, Consistency, OrderEvent, StoreError};

impl Books {
    /// Decides the orders of a member that wait for campaigns which have gone on, each as of the instant since when
    /// ([`gone_on`](loyalty_domain::campaign::gone_on)). It may come again. One that cannot be decided goes on waiting, and
    /// stops nothing else.
    ///
    /// Boxed, because deciding orders may lead here.
    pub fn take_up<'a>(
        &'a self,
        programme: &'a Programme,
        member_id: &'a MemberId,
        gone_on: &'a [(RuleId, Instant)],
    ) -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>> {
        Box::pin(async move {
            for (campaign, at) in gone_on {
                let known = self.participation(campaign, member_id, Consistency::Strong).await?;
                let active = known.and_then(|slot| slot.row).filter(|row| row.state == ParticipationState::Active);
                let mut again = Vec::new();
                for order_id in active.map(|active| active.waiting).unwrap_or_default() {
                    let order = stands_over(self.order(&order_id, Consistency::Strong).await)?.flatten();
                    // One that has gone to another member since is theirs.
                    let own =
                        order.filter(|order| order.row.owner.as_ref().is_some_and(|it| it.member_id == *member_id));
                    again.extend(own.map(|order| OrderEvent { snapshot: OrderSnapshot::again(&order.row), now: *at }));
                }
                for decided in self.apply_orders(|at| programme.in_force(at), again).await {
                    stands_over(decided)?;
                }
            }
            Ok(())
        })
    }
}

/// What is refused or cannot be read concerns nobody but itself.
fn stands_over<T>(done: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error @ (StoreError::Rejected(_) | StoreError::Corrupt { .. })) => {
            tracing::error!(%error, "an order that waited for a paused campaign is not decided");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
