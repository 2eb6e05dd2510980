//! Which way leads to a member now, in the programme's order (N3, X36).

use chrono::TimeDelta;
use loyalty_contract::programme::Version;
use loyalty_domain::member::Member;
use loyalty_domain::sending::{Channel, MessageKind};
use loyalty_domain::time::Instant;
use loyalty_store::{Contact, Outgoing};
use loyalty_zalo::{Class, Refused};

use crate::facts::{Told, free, parameters};
use crate::queue::DELAY_SECONDS_MAX;
use crate::send::{BUSY_SECONDS, PATIENCE};
use crate::token::NoToken;
use crate::{SendError, SendMessages, ZaloSender};

/// How old a message may get while Zalo cannot say whether its member follows.
const ASKING_SECONDS: i64 = 600;
/// How long what goes to the shop's own system waits while its secret is not set up.
const UNREADY_SECONDS: i64 = 300;

/// Which way was chosen, with everything the call needs.
pub enum Way {
    Text { user_id: String },
    ToUser { user_id: String, template_id: String, data: std::collections::BTreeMap<String, String> },
    ToPhone { phone: String, template_id: String, data: std::collections::BTreeMap<String, String> },
    Shop,
}

impl Way {
    pub fn channel(&self) -> Channel {
        match self {
            Self::Text { .. } | Self::ToUser { .. } => Channel::ZaloOa,
            Self::ToPhone { .. } => Channel::ZaloPhone,
            Self::Shop => Channel::Webhook,
        }
    }
}

/// Which way a message goes.
pub enum Choice {
    /// With a token where the way needs one.
    Way(Way, Option<String>),
    Nowhere,
    /// The way there is waits for a human.
    Wait(Instant),
    /// The day's quota of the way there is, is used up until then.
    Spent(Instant),
    /// It is not known now which, or nothing can be called.
    Later(TimeDelta),
}

/// Whether a member follows the account.
enum Follows {
    /// With the token that is good now.
    Yes(String),
    No,
    NotKnown(TimeDelta),
}

/// A wait in the whole seconds that a queue knows.
pub fn rounded_up(wait: std::time::Duration) -> TimeDelta {
    let seconds = i64::try_from(wait.as_secs()).unwrap_or(DELAY_SECONDS_MAX).saturating_add(1);
    TimeDelta::seconds(seconds.min(DELAY_SECONDS_MAX))
}

impl SendMessages {
    /// The first channel of the programme's order that leads to the member now.
    pub async fn way(
        &self,
        version: &Version,
        message: &Outgoing,
        told: &Told,
        member: &Member,
        contact: &Contact,
        now: Instant,
    ) -> Result<Choice, SendError> {
        let order = version.messaging.sending.channels(told.kind);
        for channel in order.iter().filter(|channel| !message.exhausted.contains(channel)) {
            let way = match channel {
                Channel::Webhook => match &self.shop {
                    Some(_) => return Ok(Choice::Way(Way::Shop, None)),
                    None if self.shop_unready => return Ok(Choice::Later(TimeDelta::seconds(UNREADY_SECONDS))),
                    None => continue,
                },
                Channel::ZaloOa => self.to_follower(version, told, member, contact, now),
                Channel::ZaloPhone => self.to_phone(version, told, member),
            };
            let (Some(way), Some(sender)) = (way, &self.zalo) else { continue };
            if let (Channel::ZaloPhone, Some(until)) = (channel, sender.spent(now).await) {
                return Ok(Choice::Spent(until));
            }
            let token = match sender.tokens.token(None).await {
                Ok(token) => token,
                Err(NoToken::Busy) => return Ok(Choice::Later(TimeDelta::seconds(BUSY_SECONDS))),
                Err(NoToken::Paused(until)) => return Ok(Choice::Wait(until)),
                Err(NoToken::Stopped(_)) => return Ok(Choice::Wait(now)),
                Err(error) => return Err(SendError::Token(error)),
            };
            if *channel != Channel::ZaloOa {
                return Ok(Choice::Way(way, Some(token)));
            }
            match self.follows(sender, token, contact, message.created_at, now).await? {
                Follows::Yes(token) => return Ok(Choice::Way(way, Some(token))),
                Follows::No => {}
                Follows::NotKnown(pause) => return Ok(Choice::Later(pause)),
            }
        }
        Ok(Choice::Nowhere)
    }

    fn to_follower(
        &self,
        version: &Version,
        told: &Told,
        member: &Member,
        contact: &Contact,
        now: Instant,
    ) -> Option<Way> {
        let user_id = contact.zalo_user_id.clone().filter(|_| contact.follows_oa != Some(false))?;
        // A text costs nothing, but is no promotion.
        if free(contact, now) && told.kind != MessageKind::Promotional {
            return Some(Way::Text { user_id });
        }
        let zalo = version.messaging.zalo.get(told.template.name())?;
        let template_id = zalo.oa_id()?.to_owned();
        Some(Way::ToUser { user_id, template_id, data: filled(told, zalo, member)? })
    }

    fn to_phone(&self, version: &Version, told: &Told, member: &Member) -> Option<Way> {
        let phone = member.profile.phone.clone()?;
        let zalo = version.messaging.zalo.get(told.template.name())?;
        let template_id = zalo.id.clone()?;
        Some(Way::ToPhone { phone, template_id, data: filled(told, zalo, member)? })
    }

    /// Whether they follow the account: as the last event said, else as Zalo says now (N3). Where Zalo cannot say it now it
    /// is asked again, for some minutes; then, and where it will not say it at all, the phone is the surer way.
    async fn follows(
        &self,
        sender: &ZaloSender,
        mut token: String,
        contact: &Contact,
        written_at: Instant,
        now: Instant,
    ) -> Result<Follows, SendError> {
        let user_id = match (contact.follows_oa, contact.zalo_user_id.as_deref()) {
            (Some(true), _) => return Ok(Follows::Yes(token)),
            (Some(false), _) | (None, None) => return Ok(Follows::No),
            (None, Some(user_id)) => user_id,
        };
        let mut pause = TimeDelta::seconds(BUSY_SECONDS);
        for last in [false, true] {
            if let Err(wait) = sender.pace.turn(PATIENCE).await {
                return Ok(Follows::NotKnown(rounded_up(wait)));
            }
            match sender.zalo.user_detail(&token, user_id).await {
                Ok(detail) => {
                    self.books.told_follows(&contact.member_id, detail.follows, now).await?;
                    return Ok(if detail.follows { Follows::Yes(token) } else { Follows::No });
                }
                Err(Refused::Code { class: Class::Token, .. }) if !last => {
                    token = match sender.tokens.token(Some(&token)).await {
                        Ok(token) => token,
                        Err(NoToken::Books(error)) => return Err(SendError::Token(error.into())),
                        Err(_) => break,
                    };
                }
                Err(Refused::Code { class: Class::Passing, quiet, .. }) => {
                    if let Some(quiet) = quiet {
                        sender.pace.quiet(quiet.to_std().unwrap_or_default()).await;
                        pause = pause.max(quiet);
                    }
                    break;
                }
                Err(Refused::NotSent | Refused::Lost) => break,
                Err(Refused::Code { class: Class::Token | Class::NextDay | Class::NextMorning, .. }) => break,
                // Where a human is needed for more than this question, the phone's way finds out.
                Err(Refused::Code { class: Class::Recipient | Class::Human, .. }) => return Ok(Follows::No),
            }
        }
        let asking = now - written_at < TimeDelta::seconds(ASKING_SECONDS);
        Ok(if asking { Follows::NotKnown(pause) } else { Follows::No })
    }
}

fn filled(
    told: &Told,
    zalo: &loyalty_contract::programme::messages::ZaloTemplate,
    member: &Member,
) -> Option<std::collections::BTreeMap<String, String>> {
    let filled = parameters(told, zalo, member);
    filled
        .inspect_err(|parameter| {
            tracing::error!(template = told.template.name(), parameter, "no variable fills the parameter");
        })
        .ok()
}
