//! How a member can be reached, and what they want to be told.
//!
//! Apart from the member's row, which is the ledger's: an event of the official account says nothing of points and must
//! not wait for its lock. A follow carries only the account's own user id, so what is known of that user is kept under a
//! derived key of it until the user says which phone is theirs; linking then writes both rows in one transaction.
//!
//! Everything that arrives has a time, and the newest word wins however they arrive.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use loyalty_domain::ids::MemberId;
use loyalty_domain::sending::{Consent, MessageKind};
use loyalty_domain::time::Instant;
use serde::{Deserialize, Serialize};

use crate::apply::ATTEMPTS_MAX;
use crate::commit::{Condition, Failure, Write, pause};
use crate::item::{Item, of_one_writer, sealed};
use crate::read::readable;
use crate::records::is_default;
use crate::rows::Key;
use crate::words::Text;
use crate::{Books, Consistency, StoreError, Stored, Table};

/// A user of the official account, under a key derived from the account's user id: the id itself is in no key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ZaloKey(String);

impl ZaloKey {
    /// `derived` is a keyed hash of the user id, such as the contract's member key makes.
    pub fn new(derived: impl Into<String>) -> Self {
        Self(derived.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A row of `contacts`.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    pub member_id: MemberId,
    /// Who the member is to the official account. Personal: never logged.
    pub zalo_user_id: Option<String>,
    pub zalo_key: Option<ZaloKey>,
    /// Whether they follow the account; not known where no event has said.
    pub follows_oa: Option<bool>,
    /// When the newest follow or unfollow happened.
    pub follows_as_of: Option<Instant>,
    /// When they last wrote to the account or pressed something in it.
    pub interacted_at: Option<Instant>,
    /// What they said about each kind of message, and when.
    pub wishes: BTreeMap<MessageKind, Wish>,
    /// The Monday of the week of the last promotional message, and how many there were in that week.
    pub promotional: Option<(NaiveDate, u32)>,
    /// Since when the newest word holds about who they are at the account: that they are somebody, or, where there is no
    /// user id, that they are nobody.
    pub linked_at: Option<Instant>,
}

/// Whether a kind of message is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    pub allowed: bool,
    pub changed_at: Instant,
}

impl std::fmt::Debug for Contact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Contact({}, hidden)", self.member_id)
    }
}

impl Contact {
    /// Of a member of whom nothing is known yet.
    pub fn new(member_id: MemberId) -> Self {
        Self {
            member_id,
            zalo_user_id: None,
            zalo_key: None,
            follows_oa: None,
            follows_as_of: None,
            interacted_at: None,
            wishes: BTreeMap::new(),
            promotional: None,
            linked_at: None,
        }
    }

    pub fn consent(&self) -> Consent {
        let out = self.wishes.iter().filter(|(_, wish)| !wish.allowed);
        let opted_out: BTreeSet<_> = out.map(|(kind, _)| *kind).collect();
        Consent { opted_out, promotional: self.promotional }
    }

    /// The newest word about following wins.
    fn follow(&mut self, follows: Option<bool>, as_of: Option<Instant>) {
        if wins(as_of, follows, self.follows_as_of) {
            (self.follows_oa, self.follows_as_of) = (follows, as_of);
        }
    }

    /// A kind is wanted or not. What is not said later than what is known changes nothing, but of two wishes of the same
    /// instant the refusal stays, whichever comes first.
    fn wish(&mut self, kind: MessageKind, allowed: bool, changed_at: Instant) {
        let known = self.wishes.get(&kind).map(|wish| wish.changed_at);
        if wins(Some(changed_at), Some(allowed), known) {
            self.wishes.insert(kind, Wish { allowed, changed_at });
        }
    }

    /// Nobody at the account, and nothing that only such a user can have.
    fn unlink(&mut self) {
        (self.zalo_user_id, self.zalo_key) = (None, None);
        (self.follows_oa, self.follows_as_of, self.interacted_at) = (None, None, None);
    }
}

/// Whether a word replaces the known one: the newer does, and of two of the same instant a no.
fn wins(said_at: Option<Instant>, said: Option<bool>, known_at: Option<Instant>) -> bool {
    said_at > known_at || (said_at.is_some() && said_at == known_at && said == Some(false))
}

/// A row of `zalo-users`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ZaloUser {
    key: ZaloKey,
    follows_oa: Option<bool>,
    follows_as_of: Option<Instant>,
    interacted_at: Option<Instant>,
    member_id: Option<MemberId>,
    linked_at: Option<Instant>,
}

impl Books {
    /// How a member can be reached; as for one of whom nothing is known where there is no row. Strongly consistent.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], or [`StoreError::Corrupt`] for a row this version cannot read.
    pub async fn contact(&self, member_id: &MemberId) -> Result<Stored<Contact>, StoreError> {
        let item = self.get(Key::of(Table::Contacts, member_id.as_str()), Consistency::Strong).await?;
        let stored = item.map(|item| readable(Table::Contacts, member_id.as_str(), decode(item))).transpose()?;
        Ok(stored.unwrap_or_else(|| Stored { row: Contact::new(member_id.clone()), revision: 0 }))
    }

    /// A user of the account follows it, or no longer does. `false` when a newer word is known already.
    ///
    /// # Errors
    /// [`StoreError`] when it is not known whether it was written.
    pub async fn follow(&self, user: &ZaloKey, follows: bool, as_of: Instant) -> Result<bool, StoreError> {
        self.change_user(user, |user| {
            if wins(Some(as_of), Some(follows), user.follows_as_of) {
                (user.follows_oa, user.follows_as_of) = (Some(follows), Some(as_of));
            }
        })
        .await
    }

    /// A user of the account wrote to it, or pressed something in it. `false` when that is known already.
    ///
    /// # Errors
    /// [`StoreError`] when it is not known whether it was written.
    pub async fn interacted(&self, user: &ZaloKey, at: Instant) -> Result<bool, StoreError> {
        self.change_user(user, |user| user.interacted_at = user.interacted_at.max(Some(at))).await
    }

    /// A user of the account is a member, or whom that one has joined: `user_id` is what messages to them are addressed
    /// to. What was known of either before is brought together; whom either was linked to before no longer is. `false`
    /// when a newer link is known.
    ///
    /// # Errors
    /// [`StoreError`] when it is not known whether it was written.
    pub async fn link(
        &self,
        user: &ZaloKey,
        user_id: &str,
        member_id: &MemberId,
        at: Instant,
    ) -> Result<bool, StoreError> {
        let member_id = &self.person(member_id).await?;
        for attempt in 0..ATTEMPTS_MAX {
            pause(attempt).await;
            let (mut known, mut contact) = (self.zalo_user(user).await?, self.contact(member_id).await?);
            let newest = known.row.linked_at.max(contact.row.linked_at);
            if Some(at) <= newest {
                return Ok(false);
            }
            let mut writes = Vec::new();
            // The user was somebody else before, or the member had another user.
            if let Some(before) = known.row.member_id.as_ref().filter(|before| *before != member_id) {
                let Stored { mut row, revision } = self.contact(before).await?;
                if row.zalo_key.as_ref() == Some(user) {
                    row.unlink();
                    writes.push(write_contact(&row, revision));
                }
            }
            if let Some(before) = contact.row.zalo_key.take().filter(|before| before != user) {
                let Stored { mut row, revision } = self.zalo_user(&before).await?;
                row.member_id = None;
                writes.push(write_user(&row, revision));
                contact.row.unlink();
            }
            contact.row.follow(known.row.follows_oa, known.row.follows_as_of);
            contact.row.interacted_at = contact.row.interacted_at.max(known.row.interacted_at);
            (contact.row.zalo_user_id, contact.row.zalo_key) = (Some(user_id.to_owned()), Some(user.clone()));
            contact.row.linked_at = Some(at);
            (known.row.member_id, known.row.linked_at) = (Some(member_id.clone()), Some(at));
            writes.extend([write_user(&known.row, known.revision), write_contact(&contact.row, contact.revision)]);
            match self.transact(writes).await {
                Ok(()) => return Ok(true),
                Err(Failure::Lost) => {}
                Err(Failure::Fault(error)) => return Err(error),
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX })
    }

    /// A member, or whom they have joined, wants messages of these kinds, or does not. `false` when a newer wish about each
    /// of them is known.
    ///
    /// # Errors
    /// [`StoreError`] when it is not known whether it was written.
    pub async fn wish(
        &self,
        member_id: &MemberId,
        wishes: &BTreeMap<MessageKind, bool>,
        changed_at: Instant,
    ) -> Result<bool, StoreError> {
        self.change_contact(member_id, |contact| {
            for (kind, allowed) in wishes {
                contact.wish(*kind, *allowed, changed_at);
            }
        })
        .await
    }

    /// Forgets who a member is at the account, and what that user did there. A link that was said until `at` comes too
    /// late from now on; one that is said later links again. What the member does not want to be told stays: it says
    /// nothing of who they are. `false` when they were forgotten before, or were nobody and are not `known` either.
    ///
    /// # Errors
    /// [`StoreError`] when it is not known whether it was written.
    pub async fn forget_contact(&self, member_id: &MemberId, at: Instant, known: bool) -> Result<bool, StoreError> {
        for attempt in 0..ATTEMPTS_MAX {
            pause(attempt).await;
            let Stored { mut row, revision } = self.contact(member_id).await?;
            let linked = row.zalo_key.clone();
            let nobody = linked.is_none() && row.zalo_user_id.is_none();
            if nobody && (row.linked_at >= Some(at) || (revision == 0 && !known)) {
                return Ok(false);
            }
            row.unlink();
            row.linked_at = row.linked_at.max(Some(at));
            let mut writes = vec![write_contact(&row, revision)];
            if let Some(key) = linked {
                let Stored { row: mut user, revision } = self.zalo_user(&key).await?;
                if user.member_id.as_ref() == Some(member_id) {
                    (user.member_id, user.linked_at) = (None, user.linked_at.max(Some(at)));
                    writes.push(write_user(&user, revision));
                }
            }
            match self.transact(writes).await {
                Ok(()) => return Ok(!nobody),
                Err(Failure::Lost) => {}
                Err(Failure::Fault(error)) => return Err(error),
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX })
    }

    /// What the account itself says of a member when it is asked: they follow, or a message to them was refused because
    /// they do not.
    ///
    /// # Errors
    /// [`StoreError`] when it is not known whether it was written.
    pub async fn told_follows(&self, member_id: &MemberId, follows: bool, as_of: Instant) -> Result<bool, StoreError> {
        self.change_contact(member_id, |contact| contact.follow(Some(follows), Some(as_of))).await
    }

    /// The rows by which one member can be reached as the other could.
    pub(crate) async fn joined_contacts(
        &self,
        from: Stored<Contact>,
        into: Stored<Contact>,
    ) -> Result<Vec<Write>, StoreError> {
        let (gone, mut goes_on) = (from.row, into.row);
        let mut writes = Vec::new();
        if let Some(key) = &gone.zalo_key {
            let Stored { row: mut user, revision } = self.zalo_user(key).await?;
            if user.member_id.as_ref() == Some(&gone.member_id) {
                // A member has one user of the account; a second one is nobody until they say who they are, and so is who
                // was forgotten since.
                let linked = goes_on.zalo_key.is_none() && gone.linked_at > goes_on.linked_at;
                user.member_id = linked.then(|| goes_on.member_id.clone());
                writes.push(write_user(&user, revision));
                if linked {
                    (goes_on.zalo_user_id, goes_on.zalo_key) = (gone.zalo_user_id.clone(), gone.zalo_key.clone());
                    goes_on.follow(gone.follows_oa, gone.follows_as_of);
                    goes_on.interacted_at = goes_on.interacted_at.max(gone.interacted_at);
                }
            }
        }
        goes_on.linked_at = goes_on.linked_at.max(gone.linked_at);
        for (kind, wish) in gone.wishes {
            goes_on.wish(kind, wish.allowed, wish.changed_at);
        }
        goes_on.promotional = match (goes_on.promotional, gone.promotional) {
            (Some((week, sent)), Some((other, more))) if week == other => Some((week, sent.saturating_add(more))),
            (known, other) => known.max(other),
        };
        writes.push(write_contact(&Contact::new(gone.member_id), from.revision));
        writes.push(write_contact(&goes_on, into.revision));
        Ok(writes)
    }

    /// A member, or whom they have joined.
    async fn person(&self, member_id: &MemberId) -> Result<MemberId, StoreError> {
        let stored = self.member_now(member_id, Consistency::Strong).await?;
        Ok(stored.map_or_else(|| member_id.clone(), |stored| stored.row.member_id))
    }

    /// Changes how a member, or whom they have joined, can be reached.
    async fn change_contact(&self, member_id: &MemberId, change: impl Fn(&mut Contact)) -> Result<bool, StoreError> {
        let member_id = &self.person(member_id).await?;
        for attempt in 0..ATTEMPTS_MAX {
            pause(attempt).await;
            let Stored { mut row, revision } = self.contact(member_id).await?;
            let before = row.clone();
            change(&mut row);
            if row == before {
                return Ok(false);
            }
            match self.put(&write_contact(&row, revision)).await {
                Ok(()) => return Ok(true),
                Err(Failure::Lost) => {}
                Err(Failure::Fault(error)) => return Err(error),
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX })
    }

    /// Changes what is known of a user, and of the member they are.
    async fn change_user(&self, key: &ZaloKey, change: impl Fn(&mut ZaloUser)) -> Result<bool, StoreError> {
        for attempt in 0..ATTEMPTS_MAX {
            pause(attempt).await;
            let Stored { mut row, revision } = self.zalo_user(key).await?;
            let before = row.clone();
            change(&mut row);
            if row == before {
                return Ok(false);
            }
            let mut writes = vec![write_user(&row, revision)];
            if let Some(member_id) = &row.member_id {
                let Stored { row: mut contact, revision } = self.contact(member_id).await?;
                if contact.zalo_key.as_ref() == Some(key) {
                    contact.follow(row.follows_oa, row.follows_as_of);
                    contact.interacted_at = contact.interacted_at.max(row.interacted_at);
                    writes.push(write_contact(&contact, revision));
                }
            }
            match self.transact(writes).await {
                Ok(()) => return Ok(true),
                Err(Failure::Lost) => {}
                Err(Failure::Fault(error)) => return Err(error),
            }
        }
        Err(StoreError::Contended { attempts: ATTEMPTS_MAX })
    }

    async fn zalo_user(&self, key: &ZaloKey) -> Result<Stored<ZaloUser>, StoreError> {
        let item = self.get(Key::of(Table::ZaloUsers, key.as_str()), Consistency::Strong).await?;
        let stored = item.map(|item| readable(Table::ZaloUsers, key.as_str(), decode_user(item))).transpose()?;
        let nobody = || ZaloUser {
            key: key.clone(),
            follows_oa: None,
            follows_as_of: None,
            interacted_at: None,
            member_id: None,
            linked_at: None,
        };
        Ok(stored.unwrap_or_else(|| Stored { row: nobody(), revision: 0 }))
    }
}

/// The write of a contact that was read with `revision`.
pub(crate) fn write_contact(contact: &Contact, revision: u64) -> Write {
    let item = of_one_writer(encode(contact, revision + 1));
    Write { table: Table::Contacts, item, condition: Condition::as_read(revision) }
}

fn write_user(user: &ZaloUser, revision: u64) -> Write {
    let item = of_one_writer(encode_user(user, revision + 1));
    Write { table: Table::ZaloUsers, item, condition: Condition::as_read(revision) }
}

#[derive(Serialize, Deserialize)]
struct ContactRecord {
    member_id: Text<MemberId>,
    revision: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zalo_user_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zalo_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    follows_oa: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    follows_as_of: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interacted_at: Option<Text<Instant>>,
    /// For who reads the table: the kinds that `wishes` says no to.
    #[serde(default, skip_serializing_if = "is_default")]
    opted_out: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    wishes: BTreeMap<String, WishRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    promotional_week: Option<Text<NaiveDate>>,
    #[serde(default, skip_serializing_if = "is_default")]
    promotional_sent: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    linked_at: Option<Text<Instant>>,
}

#[derive(PartialEq, Serialize, Deserialize)]
struct WishRecord {
    allowed: bool,
    changed_at: Text<Instant>,
}

#[derive(Serialize, Deserialize)]
struct ZaloUserRecord {
    /// Derived from the account's user id.
    user_id: String,
    revision: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    follows_oa: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    as_of: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interacted_at: Option<Text<Instant>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    member_id: Option<Text<MemberId>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    linked_at: Option<Text<Instant>>,
}

fn encode(contact: &Contact, revision: u64) -> Item {
    let wish = |(kind, wish): (&MessageKind, &Wish)| {
        let record = WishRecord { allowed: wish.allowed, changed_at: Text(wish.changed_at) };
        (kind.word().to_owned(), record)
    };
    sealed(&ContactRecord {
        member_id: Text(contact.member_id.clone()),
        revision,
        zalo_user_id: contact.zalo_user_id.clone(),
        zalo_key: contact.zalo_key.clone().map(|key| key.0),
        follows_oa: contact.follows_oa,
        follows_as_of: contact.follows_as_of.map(Text),
        interacted_at: contact.interacted_at.map(Text),
        opted_out: contact.consent().opted_out.iter().map(|kind| kind.word().to_owned()).collect(),
        wishes: contact.wishes.iter().map(wish).collect(),
        promotional_week: contact.promotional.map(|(week, _)| Text(week)),
        promotional_sent: contact.promotional.map_or(0, |(_, sent)| sent),
        linked_at: contact.linked_at.map(Text),
    })
}

fn decode(item: Item) -> Result<Stored<Contact>, crate::records::Unreadable> {
    let record: ContactRecord = serde_dynamo::aws_sdk_dynamodb_1::from_item(item)?;
    let wish = |(kind, wish): (String, WishRecord)| {
        let wish = Wish { allowed: wish.allowed, changed_at: wish.changed_at.0 };
        MessageKind::from_word(&kind).map(|kind| (kind, wish))
    };
    let contact = Contact {
        member_id: record.member_id.0,
        zalo_user_id: record.zalo_user_id,
        zalo_key: record.zalo_key.map(ZaloKey),
        follows_oa: record.follows_oa,
        follows_as_of: record.follows_as_of.map(|text| text.0),
        interacted_at: record.interacted_at.map(|text| text.0),
        wishes: record.wishes.into_iter().filter_map(wish).collect(),
        promotional: record.promotional_week.map(|week| (week.0, record.promotional_sent)),
        linked_at: record.linked_at.map(|text| text.0),
    };
    Ok(Stored { row: contact, revision: record.revision })
}

fn encode_user(user: &ZaloUser, revision: u64) -> Item {
    sealed(&ZaloUserRecord {
        user_id: user.key.0.clone(),
        revision,
        follows_oa: user.follows_oa,
        as_of: user.follows_as_of.map(Text),
        interacted_at: user.interacted_at.map(Text),
        member_id: user.member_id.clone().map(Text),
        linked_at: user.linked_at.map(Text),
    })
}

fn decode_user(item: Item) -> Result<Stored<ZaloUser>, crate::records::Unreadable> {
    let record: ZaloUserRecord = serde_dynamo::aws_sdk_dynamodb_1::from_item(item)?;
    let user = ZaloUser {
        key: ZaloKey(record.user_id),
        follows_oa: record.follows_oa,
        follows_as_of: record.as_of.map(|text| text.0),
        interacted_at: record.interacted_at.map(|text| text.0),
        member_id: record.member_id.map(|text| text.0),
        linked_at: record.linked_at.map(|text| text.0),
    };
    Ok(Stored { row: user, revision: record.revision })
}
