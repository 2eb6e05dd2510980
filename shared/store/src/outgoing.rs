//! Rows of `messages` on their way out: pending → sending → sent, failed, skipped or unknown, or back to pending.
//!
//! A message is claimed before it is sent, by a conditional write: of two who try, one sends. What is said was fixed
//! when the row was put; each transition checks the row's digest before it seals the row anew, so a row that was changed
//! by hand is neither sent nor made to look right. Attributes that this version does not know stay as they are.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use chrono::NaiveDate;
use loyalty_domain::ids::{MemberId, RuleId};
use loyalty_domain::sending::Channel;
use loyalty_domain::time::Instant;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::apply::ATTEMPTS_MAX;
use crate::commit::{Condition, Failure, Write, pause};
use crate::consumed::Consumed;
use crate::contacts::{Contact, write_contact};
use crate::index::shard_of;
use crate::item::{DIGEST, Item, digest, of_one_writer};
use crate::read::{readable, reading};
use crate::records::Unreadable;
use crate::rows::Key;
use crate::words::{Text, Word};
use crate::{Books, Consistency, StoreError, Stored, Table};

/// The sparse index of messages that wait for their time.
pub const SEND: &str = "send";
/// The sparse index of messages that were handed to a provider, by what its receipt will name.
pub const RECEIPT: &str = "receipt";

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MessageState {
    Pending,
    /// Claimed: somebody is sending it, or was killed while they did.
    Sending,
    /// The provider took it.
    Sent,
    /// The provider refused it on every channel.
    Failed,
    /// It was not to be sent.
    Skipped,
    /// The provider may have taken it, and it is not sent again (F18).
    Unknown,
}

/// A message as its row says it is.
#[derive(Clone)]
pub struct Outgoing {
    pub message_id: String,
    pub member_id: MemberId,
    pub template: String,
    /// The campaign that says it, where one does.
    pub campaign: Option<RuleId>,
    pub created_at: Instant,
    pub state: MessageState,
    /// How often it was claimed.
    pub attempt: u32,
    pub claimed_at: Option<Instant>,
    pub send_after: Option<Instant>,
    pub channel: Option<Channel>,
    /// It was sent again after its fate was unknown: that is done once.
    pub sent_again: bool,
    /// The week in which it was counted as promotional, by its Monday.
    pub counted_week: Option<NaiveDate>,
    /// Channels that led nowhere.
    pub exhausted: Vec<Channel>,
    /// One of them did not answer for long, and may yet.
    pub unanswered: bool,
    /// How often it began anew because of that.
    pub begun_anew: u32,
    revision: u64,
    item: Item,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outgoing({} {:?})", self.message_id, self.state)
    }
}

#[derive(Deserialize)]
struct Record {
    message_id: String,
    member_id: Text<MemberId>,
    template: String,
    campaign: Option<Text<RuleId>>,
    created_at: Text<Instant>,
    state: Text<MessageState>,
    /// Missing from a row that has never changed.
    #[serde(default)]
    revision: u64,
    #[serde(default)]
    attempt: u32,
    claimed_at: Option<Text<Instant>>,
    send_after: Option<Text<Instant>>,
    channel: Option<String>,
    #[serde(default)]
    sent_again: bool,
    counted_week: Option<Text<NaiveDate>>,
    #[serde(default)]
    exhausted: Vec<String>,
    #[serde(default)]
    unanswered: bool,
    #[serde(default)]
    begun_anew: u32,
}

/// What was tried, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// A word for why: `opted_out`, `rate_limited`, `reply_lost` …
    pub reason: Option<&'static str>,
    /// The provider's code.
    pub code: Option<i64>,
}

/// What a claim is for.
#[derive(Clone, Debug)]
pub struct Claim {
    pub channel: Channel,
    /// What a receipt will name, where that is known beforehand.
    pub receipt_key: Option<String>,
    pub now: Instant,
}

/// How a claimed message ended.
#[derive(Clone, Debug)]
pub enum Ending {
    Sent {
        /// The provider's id of the message.
        provider_message_id: Option<String>,
        /// What a receipt will name, where the provider decides.
        receipt_key: Option<String>,
    },
    Unknown,
    /// Back to pending: tried again at `after`. `listed` puts it where the daily run finds it.
    Again {
        after: Instant,
        listed: bool,
        sent_again: bool,
    },
    /// Back to pending, to be tried on another channel. `unanswered`: this one refused nothing, and gave no answer for long.
    Elsewhere {
        unanswered: bool,
    },
}

impl Outgoing {
    /// The variables, as their own type.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when they are not of that type.
    pub fn variables<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        let variables = self.item.get("variables").cloned().unwrap_or(AttributeValue::M(Item::new()));
        let read = serde_dynamo::aws_sdk_dynamodb_1::from_attribute_value(variables).map_err(Unreadable::from);
        readable(Table::Messages, &self.message_id, read)
    }

    /// What the message is about, between the member and the template in its id: a voucher, for one.
    pub fn about(&self) -> Option<&str> {
        let rest = self.message_id.strip_prefix(self.member_id.as_str())?.strip_prefix(':')?;
        rest.strip_suffix(self.template.as_str())?.strip_suffix(':')
    }

    fn read(item: Item) -> Result<Self, Unreadable> {
        if item.get(DIGEST) != Some(&AttributeValue::S(digest(&item))) {
            return Err(Unreadable::Digest);
        }
        let record: Record = serde_dynamo::aws_sdk_dynamodb_1::from_item(item.clone())?;
        Ok(Self {
            message_id: record.message_id,
            member_id: record.member_id.0,
            template: record.template,
            campaign: record.campaign.map(|text| text.0),
            created_at: record.created_at.0,
            state: record.state.0,
            attempt: record.attempt,
            claimed_at: record.claimed_at.map(|text| text.0),
            send_after: record.send_after.map(|text| text.0),
            channel: record.channel.as_deref().and_then(Channel::from_word),
            sent_again: record.sent_again,
            counted_week: record.counted_week.map(|text| text.0),
            exhausted: record.exhausted.iter().filter_map(|word| Channel::from_word(word)).collect(),
            unanswered: record.unanswered,
            begun_anew: record.begun_anew,
            revision: record.revision,
            item,
        })
    }

    /// What the provider said last.
    pub fn code(&self) -> Option<i64> {
        self.item.get("code")?.as_n().ok()?.parse().ok()
    }

    fn set(&mut self, name: &str, value: AttributeValue) {
        self.item.insert(name.to_owned(), value);
    }

    fn word(&mut self, name: &str, value: &impl Word) {
        self.set(name, AttributeValue::S(value.to_word().into_owned()));
    }

    fn remove(&mut self, names: &[&str]) {
        for name in names {
            self.item.remove(*name);
        }
    }

    fn become_(&mut self, state: MessageState, note: &Note) {
        self.state = state;
        self.word("state", &state);
        self.remove(&["send_after", "send_shard", "reason", "code"]);
        if let Some(reason) = note.reason {
            self.set("reason", AttributeValue::S(reason.to_owned()));
        }
        if let Some(code) = note.code {
            self.set("code", AttributeValue::N(code.to_string()));
        }
    }

    fn wait(&mut self, after: Instant, listed: bool) {
        self.send_after = Some(after);
        self.word("send_after", &after);
        if listed {
            let shard = shard_of(&self.member_id);
            self.set("send_shard", AttributeValue::S(shard));
        }
    }

    /// The write of the row as it is now, and the row as it will be then.
    fn write(mut self) -> (Self, Write) {
        let condition = match self.revision {
            0 => Condition::Unrevised,
            revision => Condition::Revision(revision),
        };
        self.revision += 1;
        self.set("revision", AttributeValue::N(self.revision.to_string()));
        self.item.remove(DIGEST);
        self.item = of_one_writer(self.item);
        let write = Write { table: Table::Messages, item: self.item.clone(), condition };
        (self, write)
    }
}

impl Books {
    /// A message, strongly consistent.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], or [`StoreError::Corrupt`] for a row that this version cannot read or that somebody
    /// has changed by hand.
    pub async fn outgoing(&self, message_id: &str) -> Result<Option<Outgoing>, StoreError> {
        let item = self.get(Key::of(Table::Messages, message_id), Consistency::Strong).await?;
        item.map(|item| readable(Table::Messages, message_id, Outgoing::read(item))).transpose()
    }

    /// Claims a pending message for sending; `None` when somebody else was faster. A contact that is given is written
    /// in the same transaction: it counts a promotional message of `week`.
    ///
    /// # Errors
    /// [`StoreError`] when it is not known whether it was claimed.
    pub async fn claim(
        &self,
        message: Outgoing,
        claim: Claim,
        counting: Option<(Stored<Contact>, NaiveDate)>,
    ) -> Result<Option<Outgoing>, StoreError> {
        let Claim { channel, receipt_key, now } = claim;
        let mut message = message;
        message.become_(MessageState::Sending, &Note::default());
        message.send_after = None;
        (message.attempt, message.claimed_at, message.channel) = (message.attempt + 1, Some(now), Some(channel));
        message.set("attempt", AttributeValue::N(message.attempt.to_string()));
        message.word("claimed_at", &now);
        message.set("channel", AttributeValue::S(channel.word().to_owned()));
        match receipt_key {
            Some(key) => message.set("receipt_key", AttributeValue::S(key)),
            None => message.remove(&["receipt_key"]),
        }
        let counted = counting.map(|(contact, week)| {
            message.counted_week = Some(week);
            message.word("counted_week", &week);
            write_contact(&contact.row, contact.revision)
        });
        let (message, write) = message.write();
        let written = match counted {
            Some(counted) => self.transact(vec![write, counted]).await,
            None => self.put(&write).await,
        };
        match written {
            Ok(()) => Ok(Some(message)),
            Err(Failure::Lost) => Ok(None),
            Err(Failure::Fault(error)) => Err(error),
        }
    }

    /// Records what came of a claimed message. `None` when the row is no longer as the claim left it, and then stays as
    /// it is: a receipt has come, or somebody took the claim for lapsed.
    ///
    /// # Errors
    /// [`StoreError`] when it is not known whether it was recorded.
    pub async fn record(
        &self,
        claimed: Outgoing,
        ending: Ending,
        note: Note,
        now: Instant,
    ) -> Result<Option<Outgoing>, StoreError> {
        let mut message = claimed;
        match ending {
            Ending::Sent { provider_message_id, receipt_key } => {
                message.become_(MessageState::Sent, &note);
                message.word("sent_at", &now);
                if let Some(id) = provider_message_id {
                    message.set("provider_message_id", AttributeValue::S(id));
                }
                if let Some(key) = receipt_key {
                    message.set("receipt_key", AttributeValue::S(key));
                }
            }
            Ending::Unknown => message.become_(MessageState::Unknown, &note),
            Ending::Again { after, listed, sent_again } => {
                message.become_(MessageState::Pending, &note);
                message.wait(after, listed);
                if sent_again {
                    message.sent_again = true;
                    message.set("sent_again", AttributeValue::Bool(true));
                }
            }
            Ending::Elsewhere { unanswered } => {
                message.become_(MessageState::Pending, &note);
                if unanswered {
                    message.unanswered = true;
                    message.set("unanswered", AttributeValue::Bool(true));
                }
                message.exhausted.extend(message.channel);
                let words = message.exhausted.iter().map(|one| AttributeValue::S(one.word().to_owned())).collect();
                message.set("exhausted", AttributeValue::L(words));
            }
        }
        self.move_on(message).await
    }

    /// A pending message is not to be sent. `None` when it is no longer pending as it was.
    ///
    /// # Errors
    /// [`StoreError`] when it is not known whether it was recorded.
    pub async fn skip(&self, pending: Outgoing, reason: &'static str) -> Result<Option<Outgoing>, StoreError> {
        let mut message = pending;
        message.become_(MessageState::Skipped, &Note { reason: Some(reason), code: None });
        self.move_on(message).await
    }

    /// A pending message has been refused on every channel there is. The code that was said last stays on its row.
    ///
    /// # Errors
    /// [`StoreError`] when it is not known whether it was recorded.
    pub async fn give_up(&self, pending: Outgoing, reason: &'static str) -> Result<Option<Outgoing>, StoreError> {
        let mut message = pending;
        let note = Note { reason: Some(reason), code: message.code() };
        message.become_(MessageState::Failed, &note);
        self.move_on(message).await
    }

    /// A pending message begins anew at `after`, with every channel: one of them gave no answer for long.
    ///
    /// # Errors
    /// [`StoreError`] when it is not known whether it was recorded.
    pub async fn begin_anew(
        &self,
        pending: Outgoing,
        after: Instant,
        reason: &'static str,
    ) -> Result<Option<Outgoing>, StoreError> {
        let mut message = pending;
        let note = Note { reason: Some(reason), code: message.code() };
        message.become_(MessageState::Pending, &note);
        message.remove(&["exhausted", "unanswered"]);
        message.set("attempt", AttributeValue::N("0".to_owned()));
        message.begun_anew += 1;
        message.set("begun_anew", AttributeValue::N(message.begun_anew.to_string()));
        message.wait(after, true);
        self.move_on(message).await
    }

    /// A pending message waits, where the daily run finds it. Nothing is written for one that waits there already.
    ///
    /// # Errors
    /// [`StoreError`] when it is not known whether it was recorded.
    pub async fn postpone(
        &self,
        pending: Outgoing,
        after: Instant,
        reason: &'static str,
    ) -> Result<Option<Outgoing>, StoreError> {
        if pending.item.contains_key("send_shard") && pending.send_after.is_some_and(|waits| waits >= after) {
            return Ok(Some(pending));
        }
        let mut message = pending;
        message.become_(MessageState::Pending, &Note { reason: Some(reason), code: None });
        message.wait(after, true);
        self.move_on(message).await
    }

    async fn move_on(&self, message: Outgoing) -> Result<Option<Outgoing>, StoreError> {
        let (message, write) = message.write();
        for attempt in 0..ATTEMPTS_MAX {
            pause(attempt).await;
            match self.put(&write).await {
                Ok(()) => return Ok(Some(message)),
                // Busy or changed: only a look tells which.
                Err(Failure::Lost) => {
                    let there = self.outgoing(&message.message_id).await?;
                    if there.is_none_or(|there| there.revision + 1 != message.revision) {
                        return Ok(None);
                    }
                }
                Err(Failure::Fault(error)) => return Err(error),
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX })
    }

    /// A provider's receipt: the message that it names reached its reader at `at`. A message whose fate was unknown was
    /// sent, then; one that waits to be sent again is not. `false` when no message is named so, or it is known already.
    ///
    /// # Errors
    /// [`StoreError`] when it is not known whether it was recorded.
    pub async fn delivered(&self, receipt_key: &str, at: Instant) -> Result<bool, StoreError> {
        let Some(message_id) = self.by_receipt(receipt_key).await? else { return Ok(false) };
        for attempt in 0..ATTEMPTS_MAX {
            pause(attempt).await;
            let Some(mut message) = self.outgoing(&message_id).await? else { return Ok(false) };
            if message.item.contains_key("delivered_at") {
                return Ok(false);
            }
            if message.state != MessageState::Sent {
                message.become_(MessageState::Sent, &Note { reason: Some("receipt"), code: None });
                message.word("sent_at", &at);
            }
            message.word("delivered_at", &at);
            let (_, write) = message.write();
            match self.put(&write).await {
                Ok(()) => return Ok(true),
                Err(Failure::Lost) => {}
                Err(Failure::Fault(error)) => return Err(error),
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX })
    }

    async fn by_receipt(&self, receipt_key: &str) -> Result<Option<String>, StoreError> {
        let key = AttributeValue::S(receipt_key.to_owned());
        Ok(self.messages_in(RECEIPT, "receipt_key = :key", vec![(":key", key)], 1).await?.pop())
    }

    /// Messages that wait until an instant, that instant included, of one shard: their ids, those that wait longest
    /// first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn messages_due(&self, shard: &str, until: Instant, limit: i32) -> Result<Vec<String>, StoreError> {
        let condition = "send_shard = :shard and send_after <= :until";
        let values = vec![
            (":shard", AttributeValue::S(shard.to_owned())),
            (":until", AttributeValue::S(until.to_word().into_owned())),
        ];
        self.messages_in(SEND, condition, values, limit).await
    }

    async fn messages_in(
        &self,
        index: &str,
        condition: &str,
        values: Vec<(&str, AttributeValue)>,
        limit: i32,
    ) -> Result<Vec<String>, StoreError> {
        *self.meter() += Consumed::request();
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let answer = self
            .client
            .query()
            .table_name(self.table(Table::Messages))
            .index_name(index)
            .key_condition_expression(condition)
            .set_expression_attribute_values(Some(values))
            .limit(limit)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(reading)?;
        *self.meter() += Consumed::read(answer.consumed_capacity.as_slice());
        let id = |item: Item| item.get("message_id").and_then(|value| value.as_s().ok()).cloned();
        Ok(answer.items.unwrap_or_default().into_iter().filter_map(id).collect())
    }
}
