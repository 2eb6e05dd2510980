//! Spending points, at once or held until the till confirms, and giving them back.

use loyalty_contract::command::{RedemptionAnswer, RedemptionBody, VoucherCode, fingerprint};
use loyalty_contract::problem::Problem;
use loyalty_domain::advance::advance;
use loyalty_domain::decision::{Decision, Outcome, Rejection};
use loyalty_domain::ids::{MemberId, RequestId, RuleId};
use loyalty_domain::ledger::Entry;
use loyalty_domain::member::Member;
use loyalty_domain::programme::Programme;
use loyalty_domain::redeem::{Redemption, confirm, redeem, undo, voucher_bought};
use loyalty_domain::request::{Asked, Request, RequestState};
use loyalty_domain::time::Instant;
use loyalty_domain::voucher::{Grant, Voucher};
use loyalty_runtime::http;
use loyalty_store::words::Word;
use loyalty_store::{Concerns, Loaded};

use crate::{Answered, MemberCommands, done, no_member, problem};

/// How often a redemption is undone again because its voucher was given meanwhile: once is all there can be.
const UNDO_ATTEMPTS_MAX: usize = 2;

/// A redemption as it stands after a command.
struct Stands {
    request: Request,
    redeemable_points: i64,
    /// What was given with this very command.
    given: Option<Grant>,
    new: bool,
}

/// What undoing came to.
enum Undoing {
    Unknown,
    /// It bought a voucher, which has to be withdrawn before its points are given back.
    VoucherFirst(Box<Request>),
    Done(Box<Stands>),
}

impl MemberCommands {
    pub(crate) async fn redeem(&self, request: &crate::Request<'_>, member_id: MemberId) -> Answered {
        let key = request.idempotency_key()?;
        let now = request.now();
        let programme = self.programme(now);
        let body = RedemptionBody::parse(&request.body()?, programme.currency).map_err(problem::unreadable)?;
        let redemption = Redemption {
            asked: Asked {
                request_id: self.key.request_id("redemption", &member_id, key),
                fingerprint: fingerprint(&body),
            },
            reward: body.reward.map(RuleId::new),
            points: body.points,
            order_minor: body.order_minor,
            hold: body.hold,
        };
        let concerns = Concerns::request(member_id.clone(), redemption.asked.request_id.clone());
        let decide = |loaded: Loaded| {
            let Some(member) = loaded.member else { return Ok(nothing(None)) };
            let (request, decision) =
                redeem(programme, member.clone(), loaded.request.as_ref(), redemption.clone(), now)?;
            let stands = match &loaded.entry {
                // A repeated command is answered as it was, unless the redemption is over.
                Some(entry) if request.state_at(now) != RequestState::Undone => Stands::as_posted(request, entry),
                _ => Stands::after(programme, request, &member, &decision, now)?,
            };
            Ok((Some(stands), decision))
        };
        let stands = self.books.command(programme, &concerns, now, decide).await;
        let stands = stands.map_err(|error| problem::not_done(programme, &error))?;
        let stands = stands.ok_or_else(|| no_member(&member_id))?;
        let new = stands.new;
        Ok(done(new, &self.told(stands, now).await?))
    }

    pub(crate) async fn confirm(
        &self,
        request: &crate::Request<'_>,
        member_id: MemberId,
        request_id: RequestId,
    ) -> Answered {
        let now = request.now();
        let programme = self.programme(now);
        let concerns = Concerns::request(member_id.clone(), request_id);
        let decide = |loaded: Loaded| {
            let (Some(member), Some(known)) = (loaded.member, loaded.request) else { return Ok(nothing(None)) };
            let (request, decision) = confirm(programme, member.clone(), known, now)?;
            let stands = Stands::after(programme, request, &member, &decision, now)?;
            Ok((Some(stands), decision))
        };
        let stands = self.books.command(programme, &concerns, now, decide).await;
        let stands = stands.map_err(|error| problem::not_done(programme, &error))?;
        let stands = stands.ok_or_else(problem::unknown_redemption)?;
        Ok(http::json(200, &self.told(stands, now).await?))
    }

    /// The points of a redemption that bought a voucher return only when the voucher has been withdrawn: nobody keeps
    /// both, whatever fails in between, and the same request goes on where it stopped.
    pub(crate) async fn undo(
        &self,
        request: &crate::Request<'_>,
        member_id: MemberId,
        request_id: RequestId,
    ) -> Answered {
        let now = request.now();
        let programme = self.programme(now);
        let concerns = Concerns::request(member_id.clone(), request_id);
        let mut withdrawn = false;
        for _ in 0..UNDO_ATTEMPTS_MAX {
            let decide = |loaded: Loaded| self.undoing(programme, loaded, withdrawn, now);
            let undoing = self.books.command(programme, &concerns, now, decide).await;
            match undoing.map_err(|error| problem::not_done(programme, &error))? {
                Undoing::Unknown => return Err(problem::unknown_redemption()),
                Undoing::Done(stands) => return Ok(http::json(200, &self.told(*stands, now).await?)),
                Undoing::VoucherFirst(request) => self.withdraw_voucher(&request).await?,
            }
            withdrawn = true;
        }
        unreachable!("with its voucher withdrawn, a redemption is undone or refused")
    }

    fn undoing(
        &self,
        programme: &Programme,
        loaded: Loaded,
        withdrawn: bool,
        now: Instant,
    ) -> Result<(Undoing, Decision), Rejection> {
        let (Some(member), Some(known), Some(entry)) = (loaded.member, loaded.request, loaded.entry) else {
            return Ok(nothing(Undoing::Unknown));
        };
        let bought =
            known.member_id == member.member_id && known.state == RequestState::Confirmed && known.buys.is_some();
        if bought && !withdrawn {
            return Ok(nothing(Undoing::VoucherFirst(Box::new(known))));
        }
        let (request, decision) = undo(programme, member.clone(), known, &entry, now)?;
        let stands = Stands::after(programme, request, &member, &decision, now)?;
        Ok((Undoing::Done(Box::new(stands)), decision))
    }

    async fn withdraw_voucher(&self, request: &Request) -> Result<(), Problem> {
        let Some(voucher) = self.voucher_of(request).await? else { return Ok(()) };
        let changed = self.books.change_voucher(&voucher.voucher_id, Voucher::voided).await;
        match changed.map_err(|error| problem::unavailable(&error))? {
            None | Some(Ok(_)) => Ok(()),
            Some(Err(_)) => {
                let detail = "The voucher that these points bought has been used, so they cannot be given back.";
                Err(Problem::new(409, "voucher-used", "Voucher used", detail))
            }
        }
    }

    /// The voucher that a redemption bought, if it did. Its id does not depend on the day it was given.
    async fn voucher_of(&self, request: &Request) -> Result<Option<Voucher>, Problem> {
        let day = self.programme(request.created_at).day(request.created_at);
        let Some(grant) = voucher_bought(request, day) else { return Ok(None) };
        let (_, voucher_id) = self.key.voucher(&grant.grant_id);
        let stored = self.books.voucher(&voucher_id).await.map_err(|error| problem::unavailable(&error))?;
        Ok(stored.map(|stored| stored.row))
    }

    async fn told(&self, stands: Stands, now: Instant) -> Result<RedemptionAnswer, Problem> {
        let Stands { request, redeemable_points, given, .. } = stands;
        let state = request.state_at(now);
        let voucher = match given {
            Some(grant) => {
                let (code, voucher_id) = self.key.voucher(&grant.grant_id);
                Some(VoucherCode { code, voucher_id: voucher_id.to_string() })
            }
            None if state == RequestState::Confirmed => self
                .voucher_of(&request)
                .await?
                .map(|voucher| VoucherCode { code: voucher.code, voucher_id: voucher.voucher_id.to_string() }),
            None => None,
        };
        let programme = self.programme(now);
        Ok(RedemptionAnswer {
            redemption_id: request.request_id.to_string(),
            state: state.to_word().into_owned(),
            points: request.points.saturating_neg(),
            worth: (request.worth_minor > 0).then(|| programme.currency.decimal(request.worth_minor)),
            currency: programme.currency.code(),
            hold_until: request.hold_until.map(|until| loyalty_contract::card::in_zone(programme, until)),
            voucher,
            redeemable_points,
        })
    }
}

impl Stands {
    /// As it stands after a decision that may have written nothing.
    fn after(
        programme: &Programme,
        request: Request,
        member: &Member,
        decision: &Decision,
        now: Instant,
    ) -> Result<Self, Rejection> {
        let redeemable_points = match &decision.member {
            Some(member) => member.redeemable_points(),
            None => {
                let mut member = member.clone();
                advance(programme, &mut member, now, &mut Vec::new())?;
                member.redeemable_points()
            }
        };
        let new = decision.outcome == Outcome::Posted;
        Ok(Self { request, redeemable_points, given: decision.grants.first().cloned(), new })
    }

    /// As it stood when its entry was posted.
    fn as_posted(request: Request, entry: &Entry) -> Self {
        let redeemable_points = entry.balance_after.redeemable.0.max(0);
        Self { request, redeemable_points, given: None, new: false }
    }
}

/// An answer for which nothing is written.
fn nothing<T>(answer: T) -> (T, Decision) {
    (answer, Decision::nothing(Outcome::Duplicate))
}
