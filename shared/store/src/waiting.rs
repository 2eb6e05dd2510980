//! Orders that came while their campaign was paused: decided when it has gone on, before anything else is about their
//! member (X50).

use std::pin::Pin;

use loyalty_domain::campaign::{ParticipationState, gone_on, wait_no_longer};
use loyalty_domain::ids::{MemberId, OrderId, RuleId};
use loyalty_domain::member::Member;
use loyalty_domain::order::{Order, OrderSnapshot};
use loyalty_domain::programme::Programme;
use loyalty_domain::time::Instant;

use crate::commit::Failure;
use crate::{Books, Concerns, Consistency, OrderEvent, StoreError};

impl Books {
    /// Decides the orders of a member that wait for campaigns which have gone on, each as of the instant since when
    /// ([`gone_on`]). It may come again. One that has gone to another member waits no longer; one that cannot be decided goes
    /// on waiting, and stops nothing else.
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
                let known = stands_over(self.participation(campaign, member_id, Consistency::Strong).await)?.flatten();
                let active = known.and_then(|slot| slot.row).filter(|row| row.state == ParticipationState::Active);
                let (mut again, mut gone) = (Vec::new(), Vec::new());
                for order_id in active.map(|active| active.waiting).unwrap_or_default() {
                    let Some(order) = stands_over(self.order(&order_id, Consistency::Strong).await)? else { continue };
                    let own = |order: &Order| order.owner.as_ref().is_some_and(|owner| owner.member_id == *member_id);
                    match order.filter(|order| own(&order.row)) {
                        Some(order) => again.push(OrderEvent { snapshot: OrderSnapshot::again(&order.row), now: *at }),
                        None => gone.push(order_id),
                    }
                }
                for decided in self.apply_orders(|at| programme.in_force(at), again).await {
                    stands_over(decided)?;
                }
                if !gone.is_empty() {
                    self.wait_no_longer(programme, member_id, campaign, &gone).await?;
                }
            }
            Ok(())
        })
    }

    /// Takes up what waits for a member as they were read. `false` where there is nothing, or nothing but what could not be
    /// decided before: `left` is the revision of the row since then.
    pub(crate) async fn takes_up(
        &self,
        programme: &Programme,
        (member, revision): (&Member, u64),
        now: Instant,
        left: &mut Option<u64>,
    ) -> Result<bool, StoreError> {
        let gone_on = gone_on(programme, member, now);
        if gone_on.is_empty() || *left == Some(revision) {
            return Ok(false);
        }
        self.take_up(programme, &member.member_id, &gone_on).await?;
        let after = self.member(&member.member_id, Consistency::Strong).await?;
        *left = after.map(|after| after.revision);
        Ok(true)
    }

    /// Where another writer was faster, whoever comes next does it.
    async fn wait_no_longer(
        &self,
        programme: &Programme,
        member_id: &MemberId,
        campaign: &RuleId,
        gone: &[OrderId],
    ) -> Result<(), StoreError> {
        let concerns = Concerns { campaign: Some(campaign.clone()), ..Concerns::member(member_id.clone()) };
        let (loaded, revisions) = self.load_rows(&concerns).await?;
        let (Some(member), Some(participation)) = (loaded.member, loaded.participation) else { return Ok(()) };
        let decision = wait_no_longer(member, participation, gone);
        match self.transact(self.writes_of(programme, &decision, &revisions)).await {
            Ok(()) | Err(Failure::Lost) => Ok(()),
            Err(Failure::Fault(error)) => Err(error),
        }
    }
}

/// What is refused or cannot be read concerns nobody but itself.
fn stands_over<T>(done: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error @ (StoreError::Rejected(_) | StoreError::Corrupt { .. } | StoreError::TooLarge { .. })) => {
            tracing::error!(%error, "an order that waited for a paused campaign is not decided");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
