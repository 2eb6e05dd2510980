//! What the shop reports beside orders: behaviours that earn (P17), top-ups (B2–B4), what is known of a customer, tiers of
//! its own system (X47). One code decides, whether an event waits for its answer at `POST /events` or comes from the queue
//! of the webhook's door.
//!
//! An event's id is the shop's, and one event is rewarded once, whomever it names. A customer who was never seen before
//! is registered with what they are rewarded, in one transaction.

use std::collections::BTreeMap;

use loyalty_contract::command::{EventAnswer, Rewarded, VoucherCode, fingerprint};
use loyalty_contract::problem::Problem;
use loyalty_contract::queue::{Customer, Source};
use loyalty_contract::webhook::ParseError;
use loyalty_contract::webhook::event::{ShopEvent, parse_event};
use loyalty_contract::webhook::settings::SourceSettings;
use loyalty_domain::behaviour::{Behaved, BehaviourRows, behave, other_side_of};
use loyalty_domain::decision::{Decision, Outcome, Rejection};
use loyalty_domain::ids::{MemberId, RuleId};
use loyalty_domain::ledger::Entry;
use loyalty_domain::member::{Member, Profile};
use loyalty_domain::outside::Told;
use loyalty_domain::programme::Programme;
use loyalty_domain::request::Asked;
use loyalty_domain::sending::MessageKind;
use loyalty_domain::time::{Instant, believed};
use loyalty_domain::topup::{top_up, voucher_brought};
use loyalty_domain::welcome::welcome;
use loyalty_store::{Concerns, Consistency, Loaded};

use crate::request::Request;
use crate::{Answered, MemberCommands, done, posted_by, problem};

/// Whom an event names.
#[derive(Clone)]
struct Person {
    member_id: MemberId,
    profile: Profile,
    /// When what it tells of them was so.
    said_at: Instant,
}

/// Whether a decision is to be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Only see whether it would be refused.
    Try,
    Do,
}

impl MemberCommands {
    pub(crate) async fn event(&self, request: &Request<'_>) -> Answered {
        let body = request.body()?;
        self.signer.verify(request, &body)?;
        let now = request.now();
        let event = self.read_event(&body, now).map_err(problem::unreadable)?;
        self.take(event, now).await
    }

    /// The event in a body, under the programme in force.
    pub(crate) fn read_event(&self, body: &[u8], now: Instant) -> Result<ShopEvent, ParseError> {
        let version = self.programmes.at(now);
        let settings = SourceSettings::of(&version.sources, Source::Standard, version.programme.currency);
        parse_event(body, &settings, now)
    }

    /// Does what an event asks for.
    pub(crate) async fn take(&self, event: ShopEvent, now: Instant) -> Answered {
        match event {
            ShopEvent::Behaviour { event_id, behaviour, customer, occurred_at, friend } => {
                let said_at = occurred_at.min(now);
                let member = self.person(customer, said_at)?;
                let friend = friend.map(|friend| self.person(friend, said_at)).transpose()?;
                let names = (member.member_id.as_str(), friend.as_ref().map(|friend| friend.member_id.as_str()));
                let asked = self.asked(&event_id, &("behaviour", &behaviour, names, occurred_at.timestamp_millis()));
                let behaved = Behaved { asked, behaviour: RuleId::new(behaviour), other_side: false, occurred_at };
                self.behaviour(behaved, member, friend, now).await
            }
            ShopEvent::Topup { event_id, customer, amount_minor, paid_at } => {
                let member = self.person(customer, paid_at.min(now))?;
                let says = ("topup", member.member_id.as_str(), amount_minor, paid_at.timestamp_millis());
                let asked = self.asked(&event_id, &says);
                self.top_up(asked, member, amount_minor, now).await
            }
            ShopEvent::Registered { customer, said_at } => {
                let person = self.person(customer, said_at.min(now))?;
                let told = |programme: &Programme, known| {
                    let mut member = person.member(programme, known, now)?;
                    let entries = welcome(programme, &mut member, person.said_at, now)?;
                    Ok((member, entries))
                };
                let (member_id, new) = self.keep(&person.member_id, told, now).await?;
                Ok(done(new, &EventAnswer::Registered { member_id }))
            }
            ShopEvent::Changed { customer, changed_at } => {
                let person = self.person(customer, changed_at.min(now))?;
                let told = |programme: &Programme, known| {
                    let mut member = person.member(programme, known, now)?;
                    member.tell(person.told_of(&member), changed_at, now);
                    Ok((member, Vec::new()))
                };
                let (member_id, new) = self.keep(&person.member_id, told, now).await?;
                Ok(done(new, &EventAnswer::Changed { member_id }))
            }
            ShopEvent::TierChanged { customer, tier, changed_at } => {
                let person = self.person(customer, changed_at.min(now))?;
                self.tier_changed(person, &Told { tier, changed_at }, now).await
            }
            ShopEvent::Consent { customer, wishes, changed_at } => {
                let changed_at = believed(changed_at, now);
                self.consent(&self.person(customer, changed_at)?.member_id, &wishes, changed_at).await
            }
        }
    }

    /// Both sides of a referral are rewarded or neither is refused: it is seen first whether the member's side would be.
    async fn behaviour(&self, behaved: Behaved, member: Person, friend: Option<Person>, now: Instant) -> Answered {
        let programme = self.programme(now);
        let rule = programme.behaviours.iter().find(|rule| rule.id == behaved.behaviour);
        // A friend whom the programme gives nothing is no part of it.
        let friend = friend.filter(|_| rule.is_none_or(|rule| rule.other_side.is_some()));
        let mut rewarded_friend = None;
        let mut any_new = false;
        if let Some(friend) = friend {
            if self.who_goes_on(&friend.member_id).await? == self.who_goes_on(&member.member_id).await? {
                let detail = "customer and friend are the same member: nobody refers themselves.";
                return Err(Problem::new(422, "same-person", "Same person", detail));
            }
            self.reward(&behaved, &member, Mode::Try, now).await?;
            let asked = other_side_of(&behaved.asked, &friend.member_id);
            let other = Behaved { asked, other_side: true, ..behaved.clone() };
            let (rewarded, new) = self.reward(&other, &friend, Mode::Do, now).await?;
            rewarded_friend = Some(rewarded);
            any_new |= new;
        }
        let (rewarded, new) = self.reward(&behaved, &member, Mode::Do, now).await?;
        any_new |= new;
        Ok(done(any_new, &EventAnswer::Behaviour { member: rewarded, friend: rewarded_friend }))
    }

    /// Whom they are by now, where they have joined another.
    async fn who_goes_on(&self, member_id: &MemberId) -> Result<MemberId, Problem> {
        let stored = self.books.member_now(member_id, Consistency::Strong).await;
        let stored = stored.map_err(|error| problem::unavailable(&error))?;
        Ok(stored.map_or_else(|| member_id.clone(), |stored| stored.row.member_id))
    }

    async fn reward(
        &self,
        behaved: &Behaved,
        person: &Person,
        mode: Mode,
        now: Instant,
    ) -> Result<(Rewarded, bool), Problem> {
        let programme = self.programme(now);
        let request_id = behaved.asked.request_id.clone();
        let request = Concerns::request(person.member_id.clone(), request_id);
        let concerns = Concerns { history: true, tries: mode == Mode::Try, ..request };
        let decide = |loaded: Loaded| {
            let Loaded { member, request: known, entry, history, .. } = loaded;
            let member = person.member(programme, member, now)?;
            let rows = BehaviourRows { member, known: known.as_ref(), history: &history };
            let (request, decision) = behave(programme, rows, behaved.clone(), now)?;
            let new = decision.outcome == Outcome::Posted;
            let rewarded = posted_by(&request, &decision, entry.as_ref())
                .map(|entry| Rewarded::new(&request.member_id, entry.legs, entry.balance_after));
            Ok((rewarded.map(|rewarded| (rewarded, new)), decision))
        };
        let rewarded = self.books.command(programme, &concerns, now, decide).await;
        let rewarded = rewarded.map_err(|error| problem::not_done(programme, &error))?;
        Ok(rewarded.expect("what is accepted has posted its entry"))
    }

    async fn top_up(&self, asked: Asked, person: Person, amount_minor: i64, now: Instant) -> Answered {
        let programme = self.programme(now);
        let concerns = Concerns::request(person.member_id.clone(), asked.request_id.clone());
        let decide = |loaded: Loaded| {
            let member = person.member(programme, loaded.member, now)?;
            let (request, decision) =
                top_up(programme, member, loaded.request.as_ref(), asked.clone(), amount_minor, now)?;
            let new = decision.outcome == Outcome::Posted;
            let wallet = posted_by(&request, &decision, loaded.entry.as_ref()).and_then(|entry| entry.wallet);
            let grant = decision.grants.first().cloned();
            Ok(((request, wallet, grant, new), decision))
        };
        let posted = self.books.command(programme, &concerns, now, decide).await;
        let (request, wallet, grant, new) = posted.map_err(|error| problem::not_done(programme, &error))?;
        let wallet = wallet.expect("what is accepted has moved the wallet");
        let voucher = match grant {
            Some(grant) => Some(self.key.voucher(&grant.grant_id)),
            None => self.topup_voucher(&request, amount_minor).await?,
        };
        let answer = EventAnswer::Topup {
            member_id: request.member_id.to_string(),
            added: programme.currency.decimal(wallet.moved_minor),
            wallet: programme.currency.decimal(wallet.after_minor),
            currency: programme.currency.code(),
            voucher: voucher.map(|(code, voucher_id)| VoucherCode { code, voucher_id: voucher_id.to_string() }),
        };
        Ok(done(new, &answer))
    }

    /// The voucher that a top-up brought when it was posted, if it did.
    async fn topup_voucher(
        &self,
        request: &loyalty_domain::request::Request,
        amount_minor: i64,
    ) -> Result<Option<(String, loyalty_domain::ids::VoucherId)>, Problem> {
        let at = request.created_at;
        let programme = self.programme(at);
        let Some(grant) = voucher_brought(programme, request, amount_minor, programme.day(at)) else { return Ok(None) };
        let (code, voucher_id) = self.key.voucher(&grant.grant_id);
        let stored = self.books.voucher(&voucher_id).await.map_err(|error| problem::unavailable(&error))?;
        Ok(stored.map(|_| (code, voucher_id)))
    }

    /// Keeps what is said of a person and what is posted for them, and registers whoever is new. The member's id, and
    /// whether they are new.
    async fn keep(
        &self,
        member_id: &MemberId,
        told: impl Fn(&Programme, Option<Member>) -> Result<(Member, Vec<Entry>), Rejection>,
        now: Instant,
    ) -> Result<(String, bool), Problem> {
        let programme = self.programme(now);
        let decide = |loaded: Loaded| {
            let before = loaded.member.clone();
            let (member, entries) = told(programme, loaded.member)?;
            let (new, changed) = (before.is_none(), before.as_ref() != Some(&member));
            let decision =
                if changed { Decision::posted(member, entries) } else { Decision::nothing(Outcome::Duplicate) };
            Ok((new, decision))
        };
        let new = self.books.command(programme, &Concerns::member(member_id.clone()), now, decide).await;
        let new = new.map_err(|error| problem::not_done(programme, &error))?;
        Ok((member_id.to_string(), new))
    }

    async fn tier_changed(&self, person: Person, told: &Told, now: Instant) -> Answered {
        let programme = self.programme(now);
        let begins = |known| person.member(programme, known, now);
        let followed = self.books.follow_tier(programme, person.member_id.clone(), begins, told, now).await;
        let followed = followed.map_err(|error| problem::not_done(programme, &error))?;
        let (member_id, tier) = (person.member_id.to_string(), followed.tier.to_string());
        Ok(done(followed.new, &EventAnswer::TierChanged { member_id, tier }))
    }

    /// Wishes are kept with the member's contact: they are no part of the ledger, and whoever says no need not be a member
    /// yet.
    async fn consent(
        &self,
        member_id: &MemberId,
        wishes: &BTreeMap<MessageKind, bool>,
        changed_at: Instant,
    ) -> Answered {
        let unavailable = |error| problem::unavailable(&error);
        let new = self.books.wish(member_id, wishes, changed_at).await.map_err(unavailable)?;
        // The answer is about whoever the person is by now.
        let person = self.who_goes_on(member_id).await?;
        let consent = self.books.contact(&person).await.map_err(unavailable)?.row.consent();
        let messages = MessageKind::ALL.map(|kind| (kind.word(), !consent.opted_out.contains(&kind))).into();
        Ok(done(new, &EventAnswer::Consent { member_id: member_id.to_string(), messages }))
    }

    fn person(&self, customer: Customer, said_at: Instant) -> Result<Person, Problem> {
        let member_id = customer.member_id(Source::Standard, &self.key).ok_or_else(|| {
            let detail = "The customer has neither an id nor a phone number that can be read.";
            Problem::new(400, "unreadable", "Body not readable", detail)
        })?;
        Ok(Person { member_id, profile: customer.into_profile(), said_at })
    }

    /// The request of an event. Its id is the shop's and not the member's: an event that comes again for somebody else is
    /// another content under the same key.
    fn asked(&self, event_id: &str, says: &impl serde::Serialize) -> Asked {
        let shop = MemberId::new(Source::Standard.as_str());
        Asked { request_id: self.key.request_id("event", &shop, event_id), fingerprint: fingerprint(says) }
    }
}

impl Person {
    /// The member as they are, or as they begin. What is known of them already stays, and nothing is learned from what
    /// was said before they were forgotten.
    fn member(&self, programme: &Programme, known: Option<Member>, now: Instant) -> Result<Member, Rejection> {
        let registered = || Member::registered(programme, self.member_id.clone(), now).ok_or(Rejection::NoTiers);
        let mut member = known.map_or_else(registered, Ok)?;
        if member.is_known_by(self.said_at) {
            let told = self.told_of(&member);
            member.profile = std::mem::take(&mut member.profile).or(told);
        }
        Ok(member)
    }

    /// What is told of a member. Under the number of who has joined them, nothing of the number: it is not theirs now.
    fn told_of(&self, member: &Member) -> Profile {
        let mut profile = self.profile.clone();
        if member.member_id != self.member_id {
            profile.phone = None;
        }
        profile
    }
}
