//! What is set aside of a campaign's budget: one row beside its participations.
//!
//! It grows in the transaction that enrols a member, so that no two runs can promise the same points. Orders never touch
//! it: what they may be credited was set aside before.

use loyalty_domain::decision::Decision;
use loyalty_domain::ids::{MemberId, RuleId};
use serde::{Deserialize, Serialize};

use crate::commit::{Condition, Write};
use crate::item::sealed;
use crate::read::readable;
use crate::rows::Key;
use crate::words::Text;
use crate::{Books, Consistency, StoreError, Table};

/// Stands where a member's id stands on the other rows of the table; no member has it.
const BUDGET: &str = "(budget)";

/// A campaign's budget as it was read; nothing is set aside where there is no row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budget {
    campaign: Option<RuleId>,
    pub reserved_points: i64,
    revision: u64,
}

#[derive(Serialize, Deserialize)]
struct BudgetRecord {
    campaign: Text<RuleId>,
    member_id: Text<MemberId>,
    revision: u64,
    reserved_points: i64,
}

impl Books {
    pub(crate) async fn budget(&self, campaign: &RuleId) -> Result<Budget, StoreError> {
        let item = self.get(Key::participation(campaign, &MemberId::new(BUDGET)), Consistency::Strong).await?;
        let Some(item) = item else { return Ok(Budget { campaign: Some(campaign.clone()), ..Budget::default() }) };
        let record = serde_dynamo::aws_sdk_dynamodb_1::from_item(item).map_err(Into::into);
        let record: BudgetRecord = readable(Table::Participations, campaign.as_str(), record)?;
        Ok(Budget {
            campaign: Some(campaign.clone()),
            reserved_points: record.reserved_points,
            revision: record.revision,
        })
    }
}

impl Budget {
    /// The row after a decision that sets points aside; `None` for any other.
    pub fn write(&self, decision: &Decision) -> Option<Write> {
        let campaign = self.campaign.as_ref()?;
        let added = decision.reserved_points;
        (added > 0).then(|| Write {
            table: Table::Participations,
            item: sealed(&BudgetRecord {
                campaign: Text(campaign.clone()),
                member_id: Text(MemberId::new(BUDGET)),
                revision: self.revision + 1,
                reserved_points: self.reserved_points.saturating_add(added),
            }),
            condition: Condition::as_read(self.revision),
        })
    }
}
