//! Adjustments: an operator gives or takes points, and says why.

use loyalty_contract::card::Balance;
use loyalty_contract::command::{AdjustmentAnswer, AdjustmentBody, fingerprint};
use loyalty_contract::problem::Problem;
use loyalty_domain::adjust::{Adjustment, adjust};
use loyalty_domain::decision::{Decision, Outcome};
use loyalty_domain::ids::MemberId;
use loyalty_domain::ledger::Note;
use loyalty_domain::points::Legs;
use loyalty_domain::request::Asked;
use loyalty_runtime::access::Gate;
use loyalty_store::{Concerns, Loaded};

use crate::request::Request;
use crate::{Answered, MemberCommands, done, no_member, posted_by, problem};

impl MemberCommands {
    pub(crate) async fn adjust(&self, request: &Request<'_>, member_id: MemberId) -> Answered {
        let body = request.body()?;
        // An operator's token proves as much as a signature; one that is sent all the same has to be right.
        if self.gate == Gate::Open || request.header("webhook-signature").is_some() {
            self.signer.verify(request, &body)?;
        }
        let key = request.idempotency_key()?;
        let now = request.now();
        let programme = self.programme(now);
        let body = AdjustmentBody::parse(&body).map_err(problem::unreadable)?;
        meant_for(&body, &member_id, key)?;
        let asked =
            Asked { request_id: self.key.request_id("adjustment", &member_id, key), fingerprint: fingerprint(&body) };
        let concerns = Concerns::request(member_id.clone(), asked.request_id.clone());
        let adjustment = Adjustment {
            asked,
            legs: Legs::new(body.redeemable, body.qualifying),
            note: Note {
                operator: body.operator,
                text: body.reason,
                subject: request.subject(&self.gate).map(str::to_owned),
            },
        };
        let decide = |loaded: Loaded| {
            let Some(member) = loaded.member else { return Ok((None, Decision::nothing(Outcome::Duplicate))) };
            let known = loaded.request.as_ref();
            let (request, decision) = adjust(programme, member, known, adjustment.clone(), now)?;
            let new = decision.outcome == Outcome::Posted;
            let posted = posted_by(&request, &decision, loaded.entry.as_ref()).cloned();
            Ok((posted.map(|entry| (request, entry, new)), decision))
        };
        let adjusted = self.books.command(programme, &concerns, now, decide).await;
        let adjusted = adjusted.map_err(|error| problem::not_done(programme, &error))?;
        let (request, entry, new) = adjusted.ok_or_else(|| no_member(&member_id))?;
        let answer = AdjustmentAnswer {
            adjustment_id: request.request_id.to_string(),
            seq: entry.seq,
            redeemable: entry.legs.redeemable.0,
            qualifying: entry.legs.qualifying.0,
            balance_after: Balance::from(entry.balance_after),
        };
        Ok(done(new, &answer))
    }
}

/// A body that was signed for one member or under one key is not carried out for another.
fn meant_for(body: &AdjustmentBody, member_id: &MemberId, key: &str) -> Result<(), Problem> {
    let differs = |signed: &Option<String>, asked: &str| signed.as_deref().is_some_and(|signed| signed != asked);
    let other = |slug, what: &str| {
        let detail = format!("The signed body names another {what} than this request: sign the one that is meant.");
        Err(Problem::new(400, slug, "Signed for something else", detail))
    };
    if differs(&body.member_id, member_id.as_str()) {
        return other("other-member", "member_id");
    }
    if differs(&body.idempotency_key, key) {
        return other("other-key", "idempotency_key");
    }
    Ok(())
}
