//! What is true when a message is sent, beside what it says: whether it still should be said, and by which ways.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use loyalty_contract::programme::Version;
use loyalty_contract::programme::messages::ZaloTemplate;
use loyalty_domain::campaign::ParticipationState;
use loyalty_domain::ids::{RuleId, VoucherId};
use loyalty_domain::member::Member;
use loyalty_domain::programme::{Programme, Tier};
use loyalty_domain::sending::{Consent, MessageKind, Skip};
use loyalty_domain::time::{Instant, week_start};
use loyalty_domain::voucher::VoucherState;
use loyalty_messaging::{
    Filling, Language, RenderError, Template, Value, Variables, Worded, language_of, picture, wording,
};
use loyalty_store::{Books, Contact, Outgoing, StoreError};

/// A text to a follower costs nothing, and is allowed, within two days of what they last did in the account.
const FREE_HOURS: i64 = 48;
/// What is checked before a programme goes live is what is sent.
const _: () = assert!(loyalty_messaging::TEXT_CHARS_MAX == loyalty_zalo::TEXT_CHARS_MAX);

/// A message with its words.
pub struct Told {
    pub template: Template,
    pub kind: MessageKind,
    pub language: Language,
    pub variables: Variables,
    pub text: String,
    /// The address of the picture beside it.
    pub picture: Option<String>,
}

/// The words of a message.
///
/// # Errors
/// [`RenderError`] when its variables are not those of its template.
pub fn told(
    version: &Version,
    template: Template,
    message: &Outgoing,
    variables: Variables,
) -> Result<Told, RenderError> {
    let language = language_of(version);
    let kind = version.messaging.sending.kind(template.name(), template.kind());
    let campaign = message.campaign.as_ref().map(RuleId::as_str);
    let text = wording(version, Worded { template, campaign, language, variables: &variables })?;
    let picture = picture(version, template, campaign).map(str::to_owned);
    Ok(Told { template, kind, language, variables, text, picture })
}

/// The parameters of a provider's template.
///
/// # Errors
/// The first parameter that names no variable.
pub fn parameters(told: &Told, zalo: &ZaloTemplate, member: &Member) -> Result<BTreeMap<String, String>, String> {
    let Told { template, language, variables, text, .. } = told;
    let name = member.profile.name.as_deref();
    loyalty_messaging::parameters(Filling { template: *template, language: *language, variables, text, name }, zalo)
}

/// Whether a text to them is free of charge now.
pub fn free(contact: &Contact, now: Instant) -> bool {
    contact.interacted_at.is_some_and(|at| now - at < TimeDelta::hours(FREE_HOURS))
}

/// The member's wishes, and what they were sent; this message itself does not count against it.
pub fn consent(contact: &Contact, message: &Outgoing) -> Consent {
    let mut consent = contact.consent();
    if let Some((week, sent)) = &mut consent.promotional
        && message.counted_week == Some(*week)
    {
        *sent = sent.saturating_sub(1);
    }
    consent
}

/// Whether the message is already counted in the week of an instant.
pub fn counted(message: &Outgoing, programme: &Programme, now: Instant) -> bool {
    message.counted_week == Some(week_start(programme.day(now)))
}

/// Why the message is no longer worth sending, if it is not.
///
/// # Errors
/// [`StoreError`] when that cannot be found out.
pub async fn outdated(
    books: &Books,
    programme: &Programme,
    message: &Outgoing,
    (template, variables): (Template, &Variables),
    member: &Member,
    now: Instant,
) -> Result<Option<Skip>, StoreError> {
    match template {
        Template::TierReached => {
            let name = variables.get("tier");
            let told = |tier: &Tier| name == Some(&Value::Text(tier.name.clone()));
            let reached = programme.tiers.as_slice().iter().position(told);
            let held = programme.tiers.rank(&member.tier);
            Ok((held.is_some() && held < reached).then_some(Skip::TierGone))
        }
        Template::VoucherReminder => {
            let stored = match message.about() {
                Some(voucher_id) => books.voucher(&VoucherId::new(voucher_id)).await?,
                None => None,
            };
            let good = stored.is_some_and(|stored| {
                let rank = |tier| programme.tiers.rank(tier);
                let asked = stored.row.grant.tier.as_ref().and_then(rank);
                let holds = asked.is_none_or(|asked| rank(&member.tier).is_some_and(|held| held >= asked));
                holds && stored.row.state_on(programme.day(now)) == VoucherState::Issued
            });
            Ok((!good).then_some(Skip::VoucherGone))
        }
        Template::CampaignInvitation => {
            let campaign =
                message.campaign.as_ref().and_then(|id| programme.campaign(id)).filter(|campaign| campaign.live(now));
            let Some(campaign) = campaign else { return Ok(Some(Skip::CampaignStopped)) };
            let found = books.participations(std::slice::from_ref(&campaign.id), &member.member_id).await?;
            let active = found.first().is_some_and(|one| one.state == ParticipationState::Active);
            Ok((!active).then_some(Skip::CampaignStopped))
        }
        _ => Ok(None),
    }
}
