//! Orders from before these books: each kept in one write, and once.

use loyalty_domain::ids::MemberId;
use loyalty_domain::ledger::EntryKind;
use loyalty_domain::order::OrderSnapshot;
use loyalty_domain::past::{PastRows, bring_order};
use loyalty_domain::programme::Programme;
use loyalty_domain::time::Instant;

use crate::apply::ATTEMPTS_MAX;
use crate::commit::{Condition, Failure, Write, pause};
use crate::records::{encode_member, encode_order};
use crate::{Books, Consistency, Mode, StoreError, Table};

/// `seq` of an opening.
const OPENING_SEQ: u64 = 1;

impl Books {
    /// Keeps an order from before: `true` when it is new here, `false` when it is known already.
    ///
    /// # Errors
    /// [`StoreError::Rejected`] with the domain's refusal; otherwise it is not known whether it was written, and it can come
    /// again.
    pub async fn bring_order(
        &self,
        programme: &Programme,
        snapshot: &OrderSnapshot,
        mode: Mode,
        now: Instant,
    ) -> Result<bool, StoreError> {
        for attempt in 0..ATTEMPTS_MAX {
            pause(attempt).await;
            let order = self.order(&snapshot.order_id, Consistency::Strong).await?;
            if let Some(order) = order {
                let rows = PastRows { order: Some(order.row), ..PastRows::default() };
                // It says the same as before, or is refused.
                bring_order(programme, rows, snapshot.clone(), now).map_err(StoreError::Rejected)?;
                return Ok(false);
            }
            let mut snapshot = snapshot.clone();
            let (mut opened_at, mut member) = (None, None);
            if let Some(member_id) = &snapshot.member_id {
                opened_at = self.opened_at(member_id).await?;
                member = self.member_now(member_id, Consistency::Strong).await?;
            }
            // Of who has joined another, it is the other's.
            if let Some(member) = &member {
                snapshot.member_id = Some(member.row.member_id.clone());
            }
            let revision = member.as_ref().map_or(0, |member| member.revision);
            let rows = PastRows { order: None, member: member.map(|member| member.row), opened_at };
            let decision = bring_order(programme, rows, snapshot, now).map_err(StoreError::Rejected)?;
            if mode == Mode::Try {
                return Ok(true);
            }
            let mut writes = Vec::new();
            if let Some(member) = &decision.member {
                let item = encode_member(member, revision + 1, programme);
                writes.push(Write { table: Table::Members, item, condition: Condition::as_read(revision) });
            }
            let order = decision.order.iter().map(|order| encode_order(order, 1));
            writes.extend(order.map(|item| Write { table: Table::Orders, item, condition: Condition::Absent }));
            let written = match writes.as_slice() {
                [one] => self.put(one).await,
                _ => self.transact(writes).await,
            };
            match written {
                Ok(()) => return Ok(true),
                Err(Failure::Lost) => {}
                Err(Failure::Fault(error)) => return Err(error),
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX })
    }

    /// When a member was opened, if they were: an opening is a first entry.
    async fn opened_at(&self, member_id: &MemberId) -> Result<Option<Instant>, StoreError> {
        let first = self.entry(member_id, OPENING_SEQ).await?;
        Ok(first.filter(|entry| entry.kind == EntryKind::Opening).map(|entry| entry.recorded_at))
    }
}
