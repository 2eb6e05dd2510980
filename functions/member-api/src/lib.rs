//! Members' cards, histories and vouchers, for the Mini App and the till (D1, N7).
//!
//! A member sees their own points and nobody else's, a till everybody's; whom a token is of, the gateway has verified. Who
//! joined another is shown whom they joined: it is the same person. A till may ask what became of the old member.
//!
//! It only reads. A member is shown as of now: what fell due since their last event, such as points whose last day has
//! passed, is applied in memory and left for the next event to write, so nobody is shown points that can no longer be
//! spent. Reads are eventually consistent: an order is on its way for seconds (P15), so the last milliseconds are not
//! worth twice the price, and nothing is decided on what is shown.

mod request;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use chrono::DateTime;
use loyalty_contract::card::{Card, History, HistoryEntry};
use loyalty_contract::command::{Voucher, Vouchers};
use loyalty_contract::identity::MemberKey;
use loyalty_contract::problem::Problem;
use loyalty_contract::programme::ProgrammeFile;
use loyalty_domain::advance::advance;
use loyalty_domain::campaign::Participation;
use loyalty_domain::decision::Decision;
use loyalty_domain::ids::MemberId;
use loyalty_domain::ledger::Entry;
use loyalty_domain::member::Member;
use loyalty_domain::programme::Programme;
use loyalty_domain::time::Instant;
use loyalty_messaging::Language;
use loyalty_runtime::access::{Bearer, Gate};
use loyalty_runtime::config::ConfigError;
use loyalty_runtime::{chain, http, secrets};
use loyalty_store::words::Word;
use loyalty_store::{Books, Consistency, StoreError, Stored};

use request::{Asked, Refused};

/// What the function needs, made once and borrowed by every call.
pub struct MemberApi {
    pub books: Books,
    pub programmes: ProgrammeFile,
    pub key: MemberKey,
    pub gate: Gate,
}

impl MemberApi {
    /// Reads the environment and builds the client.
    ///
    /// # Errors
    /// [`ConfigError`] naming what is missing or wrong.
    pub async fn from_environment() -> Result<Self, ConfigError> {
        let environment = secrets::environment().await?;
        let (programmes, key) = (environment.programmes()?, environment.member_key()?);
        let (table_prefix, gate) = (environment.table_prefix()?, Gate::of(&environment)?);
        let client = aws_sdk_dynamodb::Client::new(&loyalty_runtime::aws::sdk_config().await);
        Ok(Self { books: Books::new(client, &table_prefix), programmes, key, gate })
    }

    /// Answers a request; whatever goes wrong is an answer too.
    pub async fn answer(&self, request: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
        let before = self.books.consumed();
        let asked = request::read(&request, &self.key).and_then(|asked| {
            let bearer = self.gate.admit(&request, asked.needs(), &self.key);
            let bearer = bearer.map_err(|problem| Refused::Problem(*problem))?;
            Ok(if bearer == Bearer::Member { asked.by_the_person() } else { asked })
        });
        let answered = match asked {
            Ok(Asked::Card(member_id)) => {
                let stored = self.books.member(&member_id, Consistency::Eventual).await;
                self.card(&member_id, stored, now(&request)).await.map(|card| http::json(200, &card))
            }
            Ok(Asked::Found(member_id)) => {
                let stored = self.books.member_now(&member_id, Consistency::Eventual).await;
                self.card(&member_id, stored, now(&request)).await.map(|card| http::json(200, &card))
            }
            Ok(Asked::Vouchers(member_id)) => {
                self.vouchers(&member_id, now(&request)).await.map(|vouchers| http::json(200, &vouchers))
            }
            Ok(Asked::History { member_id, now, limit, before }) => {
                let page = Page { now, limit, before, language: request::language(&request) };
                self.history(member_id, page).await.map(|history| http::json(200, &history))
            }
            Err(Refused::Problem(problem)) => Err(problem),
            Err(Refused::Method) => Ok(http::method_not_allowed("GET")),
        };
        let answer = answered.unwrap_or_else(|problem| http::problem(&problem));
        let consumed = self.books.consumed() - before;
        tracing::info!(status = answer.status_code, read_units = consumed.read_units, "answered");
        answer
    }

    async fn card(
        &self,
        member_id: &MemberId,
        stored: Result<Option<Stored<Member>>, StoreError>,
        now: Instant,
    ) -> Result<Card, Problem> {
        let mut member = stored.map_err(|error| unavailable(member_id, &error))?.ok_or_else(no_member)?.row;
        let programme = &self.programmes.at(now).programme;
        // Whoever has joined another stands still.
        let mut fell_due = Vec::new();
        if member.merged.is_none() {
            advance(programme, &mut member, now, &mut fell_due).map_err(|error| unavailable(member_id, &error))?;
        }
        let campaigns: Vec<_> = programme.campaigns.iter().map(|campaign| campaign.id.clone()).collect();
        let participations = self.books.participations(&campaigns, &member.member_id).await;
        let participations = participations.map_err(|error| unavailable(member_id, &error))?;
        let looked = Decision::posted(member.clone(), fell_due).ending(programme, &participations);
        let ended =
            |one: &Participation| looked.participations.iter().find(|ended| ended.campaign == one.campaign).cloned();
        let participations: Vec<_> = participations.into_iter().map(|one| ended(&one).unwrap_or(one)).collect();
        Ok(Card::of(programme, &member, &participations))
    }

    async fn history(&self, member_id: MemberId, page: Page) -> Result<History, Problem> {
        let Page { now, limit, before, language } = page;
        let member_id = if now { self.who_goes_on(member_id).await? } else { member_id };
        let page = self.books.history(&member_id, limit, before).await;
        let page = page.map_err(|error| unavailable(&member_id, &error))?;
        if page.entries.is_empty() && before.is_none() {
            // A member whose orders have not earned yet has no entries; nobody has neither.
            let stored = self.books.member(&member_id, Consistency::Eventual).await;
            stored.map_err(|error| unavailable(&member_id, &error))?.ok_or_else(no_member)?;
        }
        let shown = |entry: &Entry| shown(&self.programmes.at(entry.recorded_at).programme, entry, language);
        Ok(History {
            entries: page.entries.iter().map(shown).collect(),
            next_cursor: page.next_before.map(request::cursor_of),
        })
    }

    /// The member whom this one has joined, else this one.
    async fn who_goes_on(&self, member_id: MemberId) -> Result<MemberId, Problem> {
        let stored = self.books.member_now(&member_id, Consistency::Eventual).await;
        let stored = stored.map_err(|error| unavailable(&member_id, &error))?.ok_or_else(no_member)?;
        Ok(stored.row.member_id)
    }

    async fn vouchers(&self, member_id: &MemberId, now: Instant) -> Result<Vouchers, Problem> {
        let stored = self.books.member_now(member_id, Consistency::Eventual).await;
        let member = stored.map_err(|error| unavailable(member_id, &error))?.ok_or_else(no_member)?.row;
        let vouchers = self.books.vouchers_of_member(&member).await;
        let vouchers = vouchers.map_err(|error| unavailable(&member.member_id, &error))?;
        let programme = &self.programmes.at(now).programme;
        let shown = |voucher| Voucher::of(programme, voucher, programme.day(now));
        Ok(Vouchers { vouchers: vouchers.iter().map(shown).collect() })
    }
}

/// Which entries of a history, and in whose language.
struct Page {
    /// Of whoever goes on, where the member has joined another.
    now: bool,
    limit: u32,
    before: Option<u64>,
    language: Language,
}

/// When the request was made.
fn now(request: &ApiGatewayV2httpRequest) -> Instant {
    DateTime::from_timestamp_millis(request.request_context.time_epoch).unwrap_or_default()
}

fn shown(programme: &Programme, entry: &Entry, language: Language) -> HistoryEntry {
    let reason = entry.reason.to_word();
    let text = loyalty_messaging::text(language, &reason).unwrap_or(&reason);
    // What the operator has said of it, and not who they are.
    let said = entry.note.as_ref().map(|note| format!("{text}: {}", note.text));
    HistoryEntry::of(programme, entry, said.unwrap_or_else(|| text.to_owned()))
}

fn no_member() -> Problem {
    let detail = "Nobody with an order is known by this id or phone. A card exists from a customer's first order.";
    Problem::new(404, "unknown-member", "Unknown member", detail)
}

fn unavailable(member_id: &MemberId, error: &dyn std::error::Error) -> Problem {
    let member_id = member_id.as_str();
    tracing::error!(member_id, error = chain(error), "a member cannot be read");
    Problem::new(503, "not-readable", "Not readable now", "The member could not be read just now. Try again.")
}
