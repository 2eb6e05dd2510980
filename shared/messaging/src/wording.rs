//! The words and the picture of a message: the campaign's own, else the programme's, else the product's (C9, C12).

use loyalty_contract::programme::Version;
use loyalty_contract::programme::messages::{Language as Chosen, Messaging, Pictures, Texts};
use loyalty_domain::campaign::Campaign;
use loyalty_domain::ids::RuleId;

use crate::catalogue::{Catalogue, Fault, RenderError};
use crate::language::Language;
use crate::sample::longest;
use crate::template::{Template, Variables};
use crate::zalo::TEXT_CHARS_MAX;

/// A message that is to be worded.
#[derive(Clone, Copy, Debug)]
pub struct Worded<'a> {
    pub template: Template,
    /// The id of the campaign that says it.
    pub campaign: Option<&'a str>,
    pub language: Language,
    pub variables: &'a Variables,
}

/// The text of a message as a version of the programme words it, one sentence a line.
///
/// # Errors
/// [`RenderError`] when the variables are not those the template declares.
pub fn wording(version: &Version, message: Worded<'_>) -> Result<String, RenderError> {
    let Worded { template, campaign, language, variables } = message;
    let messaging = &version.messaging;
    let of_campaign = campaign.and_then(|id| messaging.campaign_texts.get(id));
    let mut texts = of_campaign.into_iter().chain([&messaging.texts]);
    let own = texts.find_map(|texts| texts.get(template.name())?.get(&chosen(language)));
    let catalogue = Catalogue::shipped(language);
    match own {
        Some(lines) => catalogue.render_as(template, lines, variables),
        None => catalogue.render(template, variables),
    }
}

/// The address of the picture that a message is shown with: the campaign's own, else the programme's (C9). A template at
/// Zalo has the picture that was approved with it.
pub fn picture<'a>(version: &'a Version, template: Template, campaign: Option<&str>) -> Option<&'a str> {
    let messaging = &version.messaging;
    let of_campaign = campaign.and_then(|id| messaging.campaign_pictures.get(id));
    let mut pictures = of_campaign.into_iter().chain([&messaging.pictures]);
    pictures.find_map(|pictures| pictures.get(template.name())).map(String::as_str)
}

/// The campaigns of a version that say a message in words of their own, by id.
pub fn campaigns_wording(version: &Version, template: Template) -> impl Iterator<Item = &str> {
    let Messaging { campaign_texts, campaign_pictures, .. } = &version.messaging;
    let has = move |id: &RuleId| {
        campaign_texts.get(id.as_str()).is_some_and(|texts| texts.contains_key(template.name()))
            || campaign_pictures.get(id.as_str()).is_some_and(|pictures| pictures.contains_key(template.name()))
    };
    version.programme.campaigns.iter().map(|campaign| &campaign.id).filter(move |id| has(id)).map(RuleId::as_str)
}

/// What is wrong with the words and pictures of a version, by path.
pub fn wording_faults(version: &Version) -> Vec<Fault> {
    let messaging = &version.messaging;
    let campaigns = version.programme.campaigns.iter().enumerate();
    let texts_of = |(at, campaign): (usize, &Campaign)| {
        let texts = messaging.campaign_texts.get(campaign.id.as_str())?;
        Some((format!("campaigns[{at}].texts"), texts, &OF_CAMPAIGNS[..]))
    };
    let texts = std::iter::once(("messages.texts".to_owned(), &messaging.texts, &Template::ALL[..]));
    let texts = texts.chain(campaigns.clone().filter_map(texts_of));
    let pictures_of = |(at, campaign): (usize, &Campaign)| {
        let pictures = messaging.campaign_pictures.get(campaign.id.as_str())?;
        Some((format!("campaigns[{at}].pictures"), pictures, &OF_CAMPAIGNS[..]))
    };
    let pictures = std::iter::once(("messages.pictures".to_owned(), &messaging.pictures, &Template::ALL[..]));
    let pictures = pictures.chain(campaigns.filter_map(pictures_of));
    let faults = texts.flat_map(|(path, texts, known)| texts_faults(version, &path, texts, known));
    faults.chain(pictures.flat_map(|(path, pictures, known)| pictures_faults(&path, pictures, known))).collect()
}

/// Characters of the address of a picture.
const ADDRESS_CHARS_MAX: usize = 1_000;

fn pictures_faults(path: &str, pictures: &Pictures, known: &[Template]) -> Vec<Fault> {
    let fault = |(name, address): (&String, &String)| {
        let path = format!("{path}.{name}");
        if named(name, known).is_none() {
            return Some(Fault { path, message: no_message_here(known) });
        }
        let plain = address.chars().all(|letter| letter.is_ascii_graphic()) && address.len() <= ADDRESS_CHARS_MAX;
        let host = address.strip_prefix("https://").and_then(|rest| rest.split('/').next());
        let host = host.is_some_and(|host| !host.is_empty() && !host.contains('@'));
        let message = "the address of a picture, https://…, which Zalo can read without a password".to_owned();
        (!(plain && host)).then_some(Fault { path, message })
    };
    pictures.iter().filter_map(fault).collect()
}

fn named(name: &str, known: &[Template]) -> Option<Template> {
    Template::from_name(name).filter(|template| known.contains(template))
}

fn no_message_here(known: &[Template]) -> String {
    let names: Vec<_> = known.iter().map(|template| template.name()).collect();
    format!("there is no such message here; there are {}", names.join(", "))
}

/// What a campaign says itself.
const OF_CAMPAIGNS: [Template; 2] = [Template::CampaignInvitation, Template::CampaignBonusCredited];

fn texts_faults(version: &Version, path: &str, texts: &Texts, known: &[Template]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |path: String, message: String| faults.push(Fault { path, message });
    for (name, languages) in texts {
        let path = format!("{path}.{name}");
        let Some(template) = named(name, known) else {
            fault(path, no_message_here(known));
            continue;
        };
        for (language, lines) in languages {
            let language = written(*language);
            let (path, catalogue) = (format!("{path}.{}", language.code()), Catalogue::shipped(language));
            for message in catalogue.check(template, lines) {
                fault(path.clone(), message);
            }
            let text = catalogue.render_as(template, lines, &longest(template, &version.programme));
            let chars = text.unwrap_or_default().chars().count();
            if chars > TEXT_CHARS_MAX {
                fault(path, format!("may have {chars} characters, more than {TEXT_CHARS_MAX}"));
            }
        }
    }
    faults
}

/// The language that a programme's customers are written to in.
pub fn language_of(version: &Version) -> Language {
    written(version.messaging.language)
}

fn written(language: Chosen) -> Language {
    match language {
        Chosen::Vietnamese => Language::Vietnamese,
        Chosen::English => Language::English,
    }
}

fn chosen(language: Language) -> Chosen {
    match language {
        Language::Vietnamese => Chosen::Vietnamese,
        Language::English => Chosen::English,
    }
}
