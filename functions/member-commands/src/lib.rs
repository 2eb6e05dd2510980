//! What tills, the Mini App, operators and the shop's back end ask for: points spent and given back, vouchers used,
//! adjustments, and what a shop reports beside orders, over HTTP or from the queue of the webhook's door, where what the
//! official account at Zalo tells lies too.
//!
//! Every command comes with a key of its own and is carried out once: what it posts, the vouchers it buys and the answer
//! to its repetition are one transaction. A refusal writes nothing. No log line carries a name, a phone, a voucher's code,
//! an idempotency key or a body.

mod adjustments;
mod events;
mod problem;
mod queue;
mod redemptions;
mod request;
mod signed;
mod vouchers;
mod zalo;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use loyalty_contract::identity::MemberKey;
use loyalty_contract::problem::Problem;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_domain::decision::Decision;
use loyalty_domain::ids::MemberId;
use loyalty_domain::ledger::Entry;
use loyalty_domain::programme::Programme;
use loyalty_domain::time::Instant;
use loyalty_runtime::access::Gate;
use loyalty_runtime::config::ConfigError;
use loyalty_runtime::{http, secrets};
use loyalty_store::{Books, Code, Coder};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use request::{Asked, Refused, Request};
use signed::Signer;

/// What the function needs, made once and borrowed by every call.
pub struct MemberCommands {
    pub books: Books,
    pub programmes: ProgrammeFile,
    pub key: MemberKey,
    pub gate: Gate,
    signer: Signer,
}

/// What invokes the function.
#[derive(Deserialize)]
#[serde(untagged)]
enum Invocation {
    Events(SqsEvent),
    Request(Box<ApiGatewayV2httpRequest>),
}

/// What it is answered.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    Events(SqsBatchResponse),
    Request(Box<ApiGatewayV2httpResponse>),
}

/// An answer that is no problem: its status and body.
type Answered = Result<ApiGatewayV2httpResponse, Problem>;

impl MemberCommands {
    /// `secret` is the one that operators and the shop's back end sign with, or two of them while it is changed. Without
    /// one, or with one that cannot be used, their commands are refused and all others are answered.
    pub fn new(books: Books, programmes: ProgrammeFile, key: MemberKey, gate: Gate, secret: Option<&str>) -> Self {
        let coding = key.clone();
        let coder = Coder::new(move |grant_id| {
            let (code, voucher_id) = coding.voucher(grant_id);
            Code { code, voucher_id }
        });
        Self { books: books.with_coder(coder), programmes, key, gate, signer: Signer::new(secret) }
    }

    /// Reads the environment and builds the client.
    ///
    /// # Errors
    /// [`ConfigError`] naming what is missing or wrong.
    pub async fn from_environment() -> Result<Self, ConfigError> {
        let environment = secrets::environment().await?;
        let (programmes, key) = (environment.programmes()?, environment.member_key()?);
        let (table_prefix, gate) = (environment.table_prefix()?, Gate::of(&environment)?);
        let secret = environment.required("WEBHOOK_SECRET_STANDARD").ok();
        let client = aws_sdk_dynamodb::Client::new(&loyalty_runtime::aws::sdk_config().await);
        Ok(Self::new(Books::new(client, &table_prefix), programmes, key, gate, secret.as_deref()))
    }

    /// Does what the function is invoked for.
    ///
    /// # Errors
    /// For an invocation that is neither a request nor a batch of the queue.
    pub async fn invoke(&self, event: Value) -> Result<Answer, serde_json::Error> {
        Ok(match serde_json::from_value(event)? {
            Invocation::Events(batch) => Answer::Events(self.work(batch).await),
            Invocation::Request(request) => Answer::Request(Box::new(self.answer(*request).await)),
        })
    }

    /// Answers a request; whatever goes wrong is an answer too.
    pub async fn answer(&self, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        let before = self.books.consumed();
        let request = Request::of(&event);
        let (command, answered) = match request.asked() {
            Ok(asked) => match asked.needs().map(|needs| self.gate.admit(&event, needs, &self.key)) {
                Some(Err(problem)) => (asked.name(), Err(*problem)),
                Some(Ok(_)) | None => (asked.name(), self.carry_out(&request, asked).await),
            },
            Err(Refused::Problem(problem)) => ("none", Err(problem)),
            Err(Refused::Method(allowed)) => ("none", Ok(http::method_not_allowed(allowed))),
        };
        let refused = answered.as_ref().err().map(|problem| problem.kind.clone());
        let answer = answered.unwrap_or_else(|problem| http::problem(&problem));
        let consumed = self.books.consumed() - before;
        tracing::info!(
            command,
            status = answer.status_code,
            refused,
            read_units = consumed.read_units,
            write_units = consumed.write_units,
            "answered"
        );
        answer
    }

    async fn carry_out(&self, request: &Request<'_>, asked: Asked) -> Answered {
        if self.programme(request.now()).paused {
            return Err(problem::paused());
        }
        // Boxed: the futures of all commands within each other are deeper than the compiler looks.
        match asked {
            Asked::Redeem(member_id) => Box::pin(self.redeem(request, member_id)).await,
            Asked::Confirm(member_id, request_id) => Box::pin(self.confirm(request, member_id, request_id)).await,
            Asked::Undo(member_id, request_id) => Box::pin(self.undo(request, member_id, request_id)).await,
            Asked::UseVoucher(code) => Box::pin(self.use_voucher(request, &code)).await,
            Asked::Adjust(member_id) => Box::pin(self.adjust(request, member_id)).await,
            Asked::Event => Box::pin(self.event(request)).await,
        }
    }

    /// The programme in force.
    fn programme(&self, now: Instant) -> &Programme {
        &self.programmes.at(now).programme
    }
}

/// 201 for what was done, 200 for what had been done before.
fn done<T: Serialize>(new: bool, body: &T) -> ApiGatewayV2httpResponse {
    http::json(if new { 201 } else { 200 }, body)
}

/// Nobody is known by this id.
fn no_member(_: &MemberId) -> Problem {
    let detail = "Nobody is known by this id. Find a member by phone with GET /members?phone=0901234567.";
    Problem::new(404, "unknown-member", "Unknown member", detail)
}

/// The entry that a request posted: with this decision, or, for a repeated one, when it first came.
fn posted_by<'a>(
    request: &loyalty_domain::request::Request,
    decision: &'a Decision,
    known: Option<&'a Entry>,
) -> Option<&'a Entry> {
    decision.entries.iter().chain(known).find(|entry| entry.seq == request.seq)
}
