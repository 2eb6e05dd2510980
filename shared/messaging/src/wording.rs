//! The words of a message: the campaign's own, else the programme's, else the product's (C9, C12).

use loyalty_contract::programme::Version;
use loyalty_contract::programme::messages::{Language as Chosen, Texts};

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

/// The campaigns of a version that say a message in words of their own, by id.
pub fn campaigns_wording(version: &Version, template: Template) -> impl Iterator<Item = &str> {
    let texts = version.messaging.campaign_texts.iter();
    texts.filter(move |(_, texts)| texts.contains_key(template.name())).map(|(id, _)| id.as_str())
}

/// What is wrong with the words of a version, by path.
pub fn wording_faults(version: &Version) -> Vec<Fault> {
    let messaging = &version.messaging;
    let of_campaigns = messaging.campaign_texts.iter().map(|(id, texts)| {
        let at = version.programme.campaigns.iter().position(|campaign| campaign.id.as_str() == id);
        (format!("campaigns[{}].texts", at.unwrap_or_default()), texts, &OF_CAMPAIGNS[..])
    });
    let all = std::iter::once(("messages.texts".to_owned(), &messaging.texts, &Template::ALL[..]));
    all.chain(of_campaigns).flat_map(|(path, texts, known)| texts_faults(version, &path, texts, known)).collect()
}

/// What a campaign says itself.
const OF_CAMPAIGNS: [Template; 2] = [Template::CampaignInvitation, Template::CampaignBonusCredited];

fn texts_faults(version: &Version, path: &str, texts: &Texts, known: &[Template]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |path: String, message: String| faults.push(Fault { path, message });
    for (name, languages) in texts {
        let path = format!("{path}.{name}");
        let Some(template) = Template::from_name(name).filter(|template| known.contains(template)) else {
            let names: Vec<_> = known.iter().map(|template| template.name()).collect();
            fault(path, format!("there is no such message here; there are {}", names.join(", ")));
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
