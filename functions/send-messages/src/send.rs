//! One message: looked at, claimed, sent, recorded.

use std::time::Instant as Machine;

use chrono::TimeDelta;
use loyalty_contract::programme::Version;
use loyalty_domain::member::Member;
use loyalty_domain::sending::{Channel, Gate, MessageKind, Skip, backoff, gate, next_day, next_morning, one_more};
use loyalty_domain::time::Instant;
use loyalty_messaging::{Template, Variables};
use loyalty_runtime::chain;
use loyalty_runtime::metrics::{self, Metric};
use loyalty_store::{Claim, Consistency, Contact, Ending, MessageState, Note, Outgoing, Stored};
use loyalty_zalo::{Class, NOT_FOLLOWING, RATE_LIMIT, Refused, Taken, tracking_id};

use crate::facts::{Told, consent, counted, outdated, told};
use crate::queue::DELAY_SECONDS_MAX;
use crate::shop::{Delivery, ForShop};
use crate::token::{ALARM, NoToken, PAUSE_MINUTES};
use crate::way::{Choice, Way, rounded_up};
use crate::{Job, SendError, SendMessages, ZaloSender};

/// A claim older than this is nobody's any more: the function's timeout, and some.
pub const CLAIM_LAPSES_SECONDS: i64 = 90;
/// How often a message is tried against failures that pass, half an hour in all, before another way is looked for.
const ATTEMPTS_MAX: u32 = 8;
/// On how many mornings a message begins anew whose ways did not answer.
const MORNINGS_MAX: u32 = 7;
/// Why such a message waits, and why it is given up in the end.
const NO_ANSWER: &str = "no_answer";
/// How long this process is quiet when Zalo says that calls come too fast, and not how long that lasts.
const TOO_FAST_SECONDS: u64 = 5;
/// How often one look may end in another: each channel once, and races.
const LOOKS_MAX: usize = 8;
/// When somebody else is refreshing the token, or it cannot be refreshed now.
pub const BUSY_SECONDS: i64 = 20;
/// How long a turn to call is waited for; what would wait longer goes back to the queue, because the function may not
/// live as long.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
/// How long one waits that is claimed already.
const PATIENCE_CLAIMED: std::time::Duration = std::time::Duration::from_secs(1);
/// A message is not claimed after so long a look: with [`crate::BEGIN_WITHIN`] before it, and a call, a refresh and another
/// call after it, the function lives to record what came of it.
const CLAIM_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);
/// Before a message of unknown fate is sent once more: its receipt may still come.
const UNKNOWN_SECONDS: i64 = 120;

/// How a look at a message ended.
enum Look {
    Done,
    /// Its row has moved on: look again.
    Again,
}

/// What a call brought.
enum Outcome {
    Taken(Taken),
    Passing {
        code: Option<i64>,
        reason: &'static str,
        pause: Option<TimeDelta>,
    },
    NextDay(i64),
    NextMorning(i64),
    Refused {
        code: i64,
        reason: &'static str,
    },
    /// A human has to look; nothing is sent this way until then.
    Human {
        code: i64,
        until: Instant,
    },
    Lost,
}

impl SendMessages {
    /// Sends a message, if it is to be sent now.
    ///
    /// # Errors
    /// [`SendError`]; the same again does what is missing.
    pub async fn send(&self, message_id: &str) -> Result<(), SendError> {
        let begun = Machine::now();
        for _ in 0..LOOKS_MAX {
            match self.look(message_id, begun).await? {
                Look::Done => return Ok(()),
                Look::Again => {}
            }
        }
        // Too lively to be decided now.
        self.again(message_id, TimeDelta::seconds(BUSY_SECONDS)).await
    }

    async fn again(&self, message_id: &str, pause: TimeDelta) -> Result<(), SendError> {
        self.later(&Job::Message { message_id: message_id.to_owned() }, pause).await
    }

    async fn look(&self, message_id: &str, begun: Machine) -> Result<Look, SendError> {
        let Some(message) = self.books.outgoing(message_id).await? else {
            tracing::warn!(message_id, "there is no such message");
            return Ok(Look::Done);
        };
        let now = self.clock.now().await?;
        let version = self.programmes.at(now);
        match message.state {
            MessageState::Sent | MessageState::Failed | MessageState::Skipped | MessageState::Unknown => Ok(Look::Done),
            MessageState::Sending => self.claimed(message, version, now).await,
            MessageState::Pending => self.pending(message, version, now, begun).await,
        }
    }

    /// Somebody has claimed it. A claim that has lapsed was never recorded: nobody knows whether it was sent (F18).
    async fn claimed(&self, message: Outgoing, version: &Version, now: Instant) -> Result<Look, SendError> {
        let lapses = message.claimed_at.unwrap_or(now) + TimeDelta::seconds(CLAIM_LAPSES_SECONDS);
        if now < lapses {
            self.again(&message.message_id, lapses - now + TimeDelta::seconds(1)).await?;
            return Ok(Look::Done);
        }
        let template = Template::from_name(&message.template);
        let kind = template
            .map_or(MessageKind::Promotional, |known| version.messaging.sending.kind(known.name(), known.kind()));
        self.unknown(message, version, kind, "claim_lapsed", now).await
    }

    /// It is not known whether it was sent. Once, and where its kind asks for it, it is sent again; else it stays so.
    async fn unknown(
        &self,
        message: Outgoing,
        version: &Version,
        kind: MessageKind,
        reason: &'static str,
        now: Instant,
    ) -> Result<Look, SendError> {
        let resend = !message.sent_again && version.messaging.sending.resend_unknown.contains(&kind);
        let after = now + TimeDelta::seconds(UNKNOWN_SECONDS);
        let ending = match resend {
            true => Ending::Again { after, listed: false, sent_again: true },
            false => Ending::Unknown,
        };
        let (id, recorded) = (message.message_id.clone(), self.record(message, ending, reason, None, now).await?);
        if resend && recorded {
            self.again(&id, TimeDelta::seconds(UNKNOWN_SECONDS)).await?;
        }
        Ok(Look::Done)
    }

    async fn pending(
        &self,
        message: Outgoing,
        version: &Version,
        now: Instant,
        begun: Machine,
    ) -> Result<Look, SendError> {
        let sending = &version.messaging.sending;
        if sending.paused || version.programme.paused {
            return self.wait(message, now, "paused").await;
        }
        if let Some(wait) = message.send_after.map(|after| after - now).filter(|wait| *wait > TimeDelta::zero()) {
            // What waits for longer is in the index, where the schedule finds it.
            if wait <= TimeDelta::seconds(DELAY_SECONDS_MAX) {
                self.again(&message.message_id, wait + TimeDelta::seconds(1)).await?;
            }
            return Ok(Look::Done);
        }
        let Some(template) = Template::from_name(&message.template) else {
            return self.give_up(message, "unknown_template").await;
        };
        let Ok(told) = told(version, template, &message, message.variables::<Variables>()?) else {
            return self.give_up(message, "wrong_variables").await;
        };
        let programme = &version.programme;
        // What was written for who has joined another since goes to that one.
        let member = self.books.member_now(&message.member_id, Consistency::Strong).await?;
        let Some(Stored { row: member, .. }) = member else { return self.skip(message, Skip::NoMember).await };
        if let Some(why) = outdated(&self.books, programme, &message, (template, &told.variables), &member, now).await?
        {
            return self.skip(message, why).await;
        }
        let contact = self.books.contact(&member.member_id).await?;
        match gate(sending, programme.zone, told.kind, &consent(&contact.row, &message), now) {
            Gate::Open => {}
            Gate::Later(at) => return self.wait(message, at, "quiet_hours").await,
            Gate::Never(why) => return self.skip(message, why).await,
        }
        let (way, token) = match self.way(version, &message, &told, &member, &contact.row, now).await? {
            Choice::Way(way, token) => (way, token),
            Choice::Nowhere if message.exhausted.is_empty() => return self.skip(message, Skip::NoChannel).await,
            Choice::Nowhere if message.unanswered && message.begun_anew < MORNINGS_MAX => {
                return self.begin_anew(message, next_morning(programme.zone, now)).await;
            }
            Choice::Nowhere if message.unanswered => return self.give_up(message, NO_ANSWER).await,
            Choice::Nowhere => return self.give_up(message, "every_channel_refused").await,
            Choice::Wait(until) => {
                self.resume(until, now).await?;
                return self.wait(message, until, "sender_paused").await;
            }
            Choice::Spent(until) => return self.wait(message, until, "daily_quota").await,
            Choice::Later(pause) => {
                self.again(&message.message_id, pause).await?;
                return Ok(Look::Done);
            }
        };
        // Nothing is claimed while it waits: a claim whose function ends would leave nobody knowing (F18).
        if let (true, Some(sender)) = (token.is_some(), &self.zalo)
            && let Err(wait) = sender.pace.turn(PATIENCE).await
        {
            self.again(&message.message_id, rounded_up(wait)).await?;
            return Ok(Look::Done);
        }
        // The evening's last promotions may have waited for their turn until the hours of rest.
        let turn = self.clock.now().await?;
        if let Gate::Later(at) = gate(sending, programme.zone, told.kind, &consent(&contact.row, &message), turn) {
            return self.wait(message, at, "quiet_hours").await;
        }
        if begun.elapsed() > CLAIM_WITHIN {
            self.again(&message.message_id, TimeDelta::zero()).await?;
            return Ok(Look::Done);
        }
        let counting = told.kind == MessageKind::Promotional && !counted(&message, programme, now);
        let counting = counting.then(|| {
            let promotional = one_more(programme.zone, &contact.row.consent(), now);
            let row = Contact { promotional: Some(promotional), ..contact.row };
            (Stored { row, revision: contact.revision }, promotional.0)
        });
        let receipt_key = (way.channel() == Channel::ZaloPhone).then(|| tracking_id(&message.message_id));
        let claim = Claim { channel: way.channel(), receipt_key, now };
        let Some(claimed) = self.books.claim(message, claim, counting).await? else { return Ok(Look::Again) };
        let outcome = self.call(&way, token, &claimed, &told, &member, now).await;
        self.settle(claimed, outcome, version, told.kind).await
    }

    /// Records what a call brought, and sees to what comes next.
    async fn settle(
        &self,
        message: Outgoing,
        outcome: Outcome,
        version: &Version,
        kind: MessageKind,
    ) -> Result<Look, SendError> {
        let now = self.clock.now().await?;
        let zone = version.programme.zone;
        let id = message.message_id.clone();
        let listed = |after| Ending::Again { after, listed: true, sent_again: false };
        let tired = message.attempt >= ATTEMPTS_MAX;
        match outcome {
            Outcome::Taken(taken) => {
                let receipt_key = taken.message_id.clone().filter(|_| message.channel == Some(Channel::ZaloOa));
                let ending = Ending::Sent { provider_message_id: taken.message_id, receipt_key };
                if let Some(quota) = taken.quota_remaining {
                    tracing::info!(quota_remaining = quota, "what Zalo says is left of the quota");
                    if quota <= 0 {
                        self.spent(message.channel, next_day(zone, now)).await;
                    }
                }
                self.record(message, ending, "", None, now).await?;
            }
            Outcome::Lost => return self.unknown(message, version, kind, "reply_lost", now).await,
            // Whom only the rate holds up waits for their turn.
            Outcome::Passing { code, reason, .. } if tired && code != Some(RATE_LIMIT) => {
                let channel = message.channel.map(Channel::word);
                tracing::error!(
                    channel,
                    reason,
                    code,
                    alarm = ALARM,
                    "a way to members has not answered for half an hour"
                );
                // What may have arrived by this channel already is not told by another.
                let ending = if message.sent_again { Ending::Unknown } else { Ending::Elsewhere { unanswered: true } };
                self.record(message, ending, reason, code, now).await?;
                return Ok(Look::Again);
            }
            Outcome::Passing { code, reason, pause } => {
                // No queue holds it for longer, and no index finds it.
                let pause = pause.unwrap_or_default().max(backoff(message.attempt));
                let pause = pause.min(TimeDelta::seconds(DELAY_SECONDS_MAX));
                let ending = Ending::Again { after: now + pause, listed: false, sent_again: false };
                if self.record(message, ending, reason, code, now).await? {
                    self.again(&id, pause).await?;
                }
            }
            Outcome::NextDay(code) => {
                let after = next_day(zone, now);
                self.spent(message.channel, after).await;
                self.record(message, listed(after), "daily_quota", Some(code), now).await?;
            }
            Outcome::NextMorning(code) => {
                self.record(message, listed(next_morning(zone, now)), "night", Some(code), now).await?;
            }
            Outcome::Human { code, until } => {
                self.record(message, listed(until), "sender_paused", Some(code), now).await?;
                self.resume(until, now).await?;
            }
            Outcome::Refused { code, reason } => {
                self.record(message, Ending::Elsewhere { unanswered: false }, reason, Some(code), now).await?;
                return Ok(Look::Again);
            }
        }
        Ok(Look::Done)
    }

    /// One call by the chosen way. Whatever else fails, what came of it is answered, so that it is recorded.
    async fn call(
        &self,
        way: &Way,
        token: Option<String>,
        message: &Outgoing,
        told: &Told,
        member: &Member,
        now: Instant,
    ) -> Outcome {
        match (way, &self.zalo, token, &self.shop) {
            (Way::Shop, _, _, Some(shop)) => {
                let for_shop = ForShop {
                    message_id: &message.message_id,
                    member_id: message.member_id.as_str(),
                    phone: member.profile.phone.as_deref(),
                    name: member.profile.name.as_deref(),
                    template: told.template,
                    kind: told.kind.word(),
                    language: told.language,
                    text: &told.text,
                    picture: told.picture.as_deref(),
                    variables: &told.variables,
                };
                match shop.send(for_shop, now).await {
                    Delivery::Taken => Outcome::Taken(Taken::default()),
                    Delivery::Passing(status) => {
                        Outcome::Passing { code: Some(status.into()), reason: "shop_busy", pause: None }
                    }
                    Delivery::Refused(status) => Outcome::Refused { code: status.into(), reason: "shop_refused" },
                    Delivery::NotReached => Outcome::Passing { code: None, reason: "not_reached", pause: None },
                    Delivery::Lost => Outcome::Lost,
                }
            }
            (_, Some(zalo), Some(token), _) => self.call_zalo(zalo, way, token, message, told, now).await,
            _ => Outcome::Refused { code: 0, reason: "not_configured" },
        }
    }

    /// A call to Zalo, whose turn it is, and a second one when the first says that the token is no longer good.
    async fn call_zalo(
        &self,
        sender: &ZaloSender,
        way: &Way,
        token: String,
        message: &Outgoing,
        told: &Told,
        now: Instant,
    ) -> Outcome {
        let mut token = token;
        for last in [false, true] {
            let called = match way {
                Way::Text { user_id } => {
                    sender.zalo.text_to_user(&token, user_id, &told.text, told.picture.as_deref()).await
                }
                Way::ToUser { user_id, template_id, data } => {
                    sender.zalo.template_to_user(&token, user_id, template_id, data).await
                }
                Way::ToPhone { phone, template_id, data } => {
                    let tracking_id = tracking_id(&message.message_id);
                    sender.zalo.template_to_phone(&token, phone, template_id, data, &tracking_id).await
                }
                Way::Shop => Err(Refused::NotSent),
            };
            let (number, class, quiet) = match called {
                Ok(taken) => return Outcome::Taken(taken),
                Err(Refused::Lost) => return Outcome::Lost,
                Err(Refused::NotSent) => {
                    return Outcome::Passing { code: None, reason: "not_reached", pause: None };
                }
                Err(Refused::Code { number, class, quiet }) => (number, class, quiet),
            };
            if class == Class::Token && !last {
                token = match sender.tokens.token(Some(&token)).await {
                    Ok(token) => token,
                    Err(NoToken::Paused(until)) => return Outcome::Human { code: number, until },
                    Err(NoToken::Stopped(_)) => {
                        return Outcome::Human { code: number, until: sender.pause(number, now).await };
                    }
                    Err(error) => {
                        tracing::warn!(error = chain(&error), "the token cannot be refreshed now");
                        return Outcome::Passing { code: Some(number), reason: "token", pause: None };
                    }
                };
                if let Err(wait) = sender.pace.turn(PATIENCE_CLAIMED).await {
                    return Outcome::Passing { code: Some(number), reason: "token", pause: Some(rounded_up(wait)) };
                }
                continue;
            }
            let too_fast = (number == RATE_LIMIT).then_some(std::time::Duration::from_secs(TOO_FAST_SECONDS));
            if let Some(quiet) = quiet.and_then(|quiet| quiet.to_std().ok()).or(too_fast) {
                sender.pace.quiet(quiet).await;
            }
            if number == NOT_FOLLOWING
                && let Err(error) = self.books.told_follows(&message.member_id, false, now).await
            {
                let member_id = message.member_id.as_str();
                tracing::warn!(member_id, error = chain(&error), "that they do not follow could not be kept");
            }
            return match class {
                Class::Passing => Outcome::Passing { code: Some(number), reason: "zalo_busy", pause: quiet },
                Class::NextDay => Outcome::NextDay(number),
                Class::NextMorning => Outcome::NextMorning(number),
                Class::Recipient => Outcome::Refused { code: number, reason: "recipient" },
                Class::Token | Class::Human => Outcome::Human { code: number, until: sender.pause(number, now).await },
            };
        }
        Outcome::Passing { code: None, reason: "token", pause: None }
    }

    /// Keeps in mind that nothing more goes to phones until then: their quota is one for all messages.
    async fn spent(&self, channel: Option<Channel>, until: Instant) {
        if let (Some(Channel::ZaloPhone), Some(sender)) = (channel, &self.zalo) {
            *sender.spent_until.lock().await = Some(until);
        }
    }

    /// Has the queue look for what waits when a pause of the sender is over; the schedule would find it in the morning.
    async fn resume(&self, until: Instant, now: Instant) -> Result<(), SendError> {
        let Some(sender) = self.zalo.as_ref().filter(|_| until > now) else { return Ok(()) };
        let mut resumes = sender.resumes.lock().await;
        if *resumes != Some(until) {
            self.later(&Job::Resume { at: until }, until - now).await?;
            *resumes = Some(until);
        }
        Ok(())
    }

    async fn wait(&self, message: Outgoing, until: Instant, reason: &'static str) -> Result<Look, SendError> {
        let listed = message.clone();
        match self.books.postpone(message, until, reason).await? {
            Some(_) => told_outcome(&listed, "pending", reason, None),
            None => return Ok(Look::Again),
        }
        Ok(Look::Done)
    }

    async fn skip(&self, message: Outgoing, why: Skip) -> Result<Look, SendError> {
        let before = message.clone();
        match self.books.skip(message, why.word()).await? {
            Some(_) => told_outcome(&before, "skipped", why.word(), None),
            None => return Ok(Look::Again),
        }
        Ok(Look::Done)
    }

    async fn begin_anew(&self, message: Outgoing, after: Instant) -> Result<Look, SendError> {
        let before = message.clone();
        match self.books.begin_anew(message, after, NO_ANSWER).await? {
            Some(_) => told_outcome(&before, "pending", NO_ANSWER, before.code()),
            None => return Ok(Look::Again),
        }
        Ok(Look::Done)
    }

    async fn give_up(&self, message: Outgoing, reason: &'static str) -> Result<Look, SendError> {
        let before = message.clone();
        match self.books.give_up(message, reason).await? {
            Some(_) => told_outcome(&before, "failed", reason, before.code()),
            None => return Ok(Look::Again),
        }
        Ok(Look::Done)
    }

    /// Records an ending, and says it; `false` when the row had moved on.
    async fn record(
        &self,
        message: Outgoing,
        ending: Ending,
        reason: &'static str,
        code: Option<i64>,
        now: Instant,
    ) -> Result<bool, SendError> {
        let state = match &ending {
            Ending::Sent { .. } => "sent",
            Ending::Unknown => "unknown",
            Ending::Again { .. } | Ending::Elsewhere { .. } => "pending",
        };
        let before = message.clone();
        let note = Note { reason: Some(reason).filter(|reason| !reason.is_empty()), code };
        let recorded = self.books.record(message, ending, note, now).await?.is_some();
        if recorded {
            told_outcome(&before, state, reason, code);
        } else {
            tracing::warn!(message_id = before.message_id, state, "the row has moved on before this was recorded");
        }
        Ok(recorded)
    }
}

/// One line for each outcome, and its figure. It says nothing of a person.
fn told_outcome(message: &Outgoing, state: &'static str, reason: &'static str, code: Option<i64>) {
    let ended = match state {
        "sent" => Some(Metric::MessagesSent),
        "failed" => Some(Metric::MessagesFailed),
        "skipped" => Some(Metric::MessagesSkipped),
        "unknown" => Some(Metric::MessagesUnknown),
        // It goes on waiting, or comes again.
        _ => None,
    };
    ended.into_iter().for_each(|metric| metrics::count(metric, 1));
    tracing::info!(
        member_id = message.member_id.as_str(),
        template = message.template,
        channel = message.channel.map(Channel::word),
        attempt = message.attempt,
        state,
        reason,
        code,
        "message"
    );
}

impl ZaloSender {
    /// Until when the quota of templates to phones is used up, if it is.
    pub async fn spent(&self, now: Instant) -> Option<Instant> {
        self.spent_until.lock().await.filter(|until| *until > now)
    }

    /// Until when nothing is sent, which is so for this message even where it cannot be written down for the others.
    async fn pause(&self, code: i64, now: Instant) -> Instant {
        self.tokens.pause(&format!("Zalo refused with {code}")).await.unwrap_or_else(|error| {
            tracing::error!(error = chain(&error), "the pause could not be kept: the next message tries again");
            now + TimeDelta::minutes(PAUSE_MINUTES)
        })
    }
}
