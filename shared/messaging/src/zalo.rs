//! What fills the parameters of a template at Zalo, and what can be wrong with a programme's before anything is sent.
//!
//! What was approved at Zalo is not known here; what it can never take is.

use std::collections::BTreeMap;

use loyalty_contract::programme::Version;
use loyalty_contract::programme::messages::ZaloTemplate;
use loyalty_domain::sending::MessageKind;

use crate::catalogue::{Catalogue, Fault};
use crate::language::Language;
use crate::sample::{SAMPLE_NAME, is_exact, longest};
use crate::template::{Template, Value, ValueKind, Variable, Variables};
use crate::wording::{Worded, campaigns_wording, language_of, wording, wording_faults};

/// The most characters of a text of the official account.
pub const TEXT_CHARS_MAX: usize = 2_000;
/// A paragraph of a template at Zalo has no more characters, what fills its parameters included.
pub const PARAGRAPH_CHARS_MAX: usize = 400;
const PARAMETER_CHARS_MAX: usize = 100;
/// What stands where a template of the provider asks for a variable that does not apply.
const NOTHING: &str = "-";
/// What a parameter adds to a variable's name to have it as a bare number.
const BARE: &str = ".number";

/// A message in words: what a template at Zalo may be filled with.
#[derive(Clone, Copy, Debug)]
pub struct Filling<'a> {
    pub template: Template,
    pub language: Language,
    pub variables: &'a Variables,
    /// The whole message.
    pub text: &'a str,
    /// The member's name, where it is known.
    pub name: Option<&'a str>,
}

/// The parameters of a template at Zalo, each cut to what it takes.
///
/// # Errors
/// The first parameter that names no variable.
pub fn parameters(filling: Filling<'_>, zalo: &ZaloTemplate) -> Result<BTreeMap<String, String>, String> {
    let catalogue = Catalogue::shipped(filling.language);
    let written = catalogue.written(filling.template, filling.variables).unwrap_or_default();
    let fill = |(parameter, variable): (&String, &String)| {
        let text = match source(filling.template, variable).ok_or_else(|| parameter.clone())? {
            Source::Name => filling.name.unwrap_or_else(|| catalogue.customer()).to_owned(),
            Source::Text => filling.text.to_owned(),
            Source::Variable(variable) => written.get(variable.name).cloned().unwrap_or_else(|| NOTHING.to_owned()),
            Source::Bare(variable) => bare(filling.variables.get(variable.name)).unwrap_or_else(|| NOTHING.to_owned()),
        };
        let limit = zalo.max_chars.get(parameter).copied().unwrap_or(usize::MAX);
        Ok((parameter.clone(), cut(text, limit)))
    };
    zalo.params.iter().map(fill).collect()
}

/// The tag of the templates of a kind (N9).
pub fn tag(kind: MessageKind) -> u8 {
    match kind {
        MessageKind::Transactional => 1,
        MessageKind::Care => 2,
        MessageKind::Promotional => 3,
    }
}

/// What is wrong with the templates that a version of a programme names, and with its own words, by path; none when it
/// can go live.
pub fn faults(version: &Version) -> Vec<Fault> {
    let mut faults = wording_faults(version);
    let mut fault = |path: String, message: String| faults.push(Fault { path, message });
    let known = Template::ALL.map(Template::name).join(", ");
    for name in version.messaging.sending.kinds.keys().filter(|name| Template::from_name(name).is_none()) {
        fault(format!("messages.kinds.{name}"), format!("there is no such message; there are {known}"));
    }
    for (name, zalo) in &version.messaging.zalo {
        let path = format!("zalo.templates.{name}");
        match Template::from_name(name) {
            None => fault(path, format!("there is no such message; there are {known}")),
            Some(template) => template_faults(version, template, zalo, &path, &mut fault),
        }
    }
    let catalogue = Catalogue::shipped(language_of(version));
    for template in Template::ALL {
        let text = catalogue.render(template, &longest(template, &version.programme)).unwrap_or_default();
        let chars = text.chars().count();
        if chars > TEXT_CHARS_MAX {
            let about = format!("{} may have {chars} characters, more than {TEXT_CHARS_MAX}", template.name());
            fault("tiers".to_owned(), format!("{about}: say less in `benefits`"));
        }
    }
    faults.sort();
    faults
}

fn template_faults(
    version: &Version,
    template: Template,
    zalo: &ZaloTemplate,
    path: &str,
    fault: &mut impl FnMut(String, String),
) {
    let language = language_of(version);
    let variables = longest(template, &version.programme);
    let worded = |campaign| Worded { template, campaign, language, variables: &variables };
    // The longest, because any of them may fill a parameter.
    let campaigns = campaigns_wording(version, template).map(Some).chain([None]);
    let texts = campaigns.map(|campaign| wording(version, worded(campaign)).unwrap_or_default());
    let text = texts.max_by_key(|text| text.chars().count()).unwrap_or_default();
    if zalo.params.is_empty() {
        let message = "is missing: Zalo approves no template without parameters; name what fills each";
        fault(format!("{path}.params"), message.to_owned());
    }
    for (parameter, variable) in &zalo.params {
        let path = format!("{path}.params.{parameter}");
        let plain = parameter.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !plain || parameter.is_empty() || parameter.len() > PARAMETER_CHARS_MAX {
            fault(path.clone(), "parameters at Zalo have letters, digits and underscores".to_owned());
        }
        let Some(source) = source(template, variable) else {
            let names: Vec<_> = template.variables().map(|variable| variable.name).collect();
            let there = format!("there are name, text, {}, and those that are figures with {BARE}", names.join(", "));
            fault(path, format!("there is no variable `{variable}`; {there}"));
            continue;
        };
        let whole = ZaloTemplate { max_chars: BTreeMap::new(), ..zalo.clone() };
        let filling = Filling { template, language, variables: &variables, text: &text, name: Some(SAMPLE_NAME) };
        let filled = parameters(filling, &whole).ok().and_then(|filled| filled.get(parameter).cloned());
        let filled = filled.unwrap_or_default();
        let chars = filled.chars().count();
        match zalo.max_chars.get(parameter) {
            Some(limit) if source.is_exact() && *limit < chars => {
                let about = format!("`{filled}` has {chars} characters, and {limit} are allowed");
                fault(path, format!("{about}: what is cut says something else"));
            }
            Some(limit) if *limit > PARAGRAPH_CHARS_MAX => {
                fault(path, format!("max_chars is above {PARAGRAPH_CHARS_MAX}, the most of a paragraph at Zalo"));
            }
            None if chars > PARAGRAPH_CHARS_MAX => {
                let about =
                    format!("may have {chars} characters; a paragraph at Zalo has at most {PARAGRAPH_CHARS_MAX}");
                let remedy = if source.is_exact() { "give it less to say, or take `text`" } else { "say max_chars" };
                fault(path, format!("{about}: {remedy}"));
            }
            Some(_) | None => {}
        }
    }
}

/// What fills a parameter.
enum Source {
    Name,
    Text,
    Variable(Variable),
    Bare(Variable),
}

impl Source {
    fn is_exact(&self) -> bool {
        match self {
            Self::Name | Self::Text => false,
            Self::Variable(variable) => is_exact(*variable),
            Self::Bare(_) => true,
        }
    }
}

fn source(template: Template, variable: &str) -> Option<Source> {
    let figure = |variable: &Variable| matches!(variable.kind, ValueKind::Points | ValueKind::Count | ValueKind::Money);
    match variable {
        "name" => Some(Source::Name),
        "text" => Some(Source::Text),
        _ => match variable.strip_suffix(BARE) {
            Some(name) => template.variable(name).filter(figure).map(Source::Bare),
            None => template.variable(variable).map(Source::Variable),
        },
    }
}

fn bare(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Number(number) => Some(number.to_string()),
        Value::Money { amount_minor, .. } => Some(amount_minor.to_string()),
        Value::Text(_) | Value::List(_) => None,
    }
}

fn cut(text: String, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text;
    }
    text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}
