//! `[messages]` and `[zalo]`: how messages reach members. They decide nothing about points, so no programme version
//! depends on them, and whether the names of templates and variables are right is for who knows the templates.

use std::collections::{BTreeMap, BTreeSet};

use loyalty_domain::sending::{Channel, MessageKind, Sending};
use serde::Deserialize;
use toml::Table;

use super::{Problem, section};

const PER_WEEK_MAX: u32 = 100;
/// Templates of the provider that a file may name.
const TEMPLATES_MAX: usize = 100;
/// Parameters of one template of the provider.
const PARAMETERS_MAX: usize = 50;

/// A shop's own words, by the message and the language: lines as in the message files.
pub type Texts = BTreeMap<String, BTreeMap<Language, Vec<String>>>;

/// A shop's own pictures, by the message: the address of each.
pub type Pictures = BTreeMap<String, String>;

/// How messages are sent in one version of the programme.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Messaging {
    pub sending: Sending,
    pub language: Language,
    /// The provider's templates by the names of ours.
    pub zalo: BTreeMap<String, ZaloTemplate>,
    /// What is said in other words than the product's.
    pub texts: Texts,
    /// The same for the messages of one campaign, by its id.
    pub campaign_texts: BTreeMap<String, Texts>,
    /// What is shown with a message (C9).
    pub pictures: Pictures,
    /// The same for the messages of one campaign, by its id.
    pub campaign_pictures: BTreeMap<String, Pictures>,
}

/// The language that customers are written to in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Language {
    #[default]
    #[serde(rename = "vi")]
    Vietnamese,
    #[serde(rename = "en")]
    English,
}

/// A template that was approved at Zalo, and what fills its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ZaloTemplate {
    /// For messages to a phone number.
    pub id: Option<String>,
    /// For messages to a follower of the official account; `id` when left out.
    pub oa_id: Option<String>,
    /// By the template's parameter: the variable of ours that fills it. Beside the template's own variables there are
    /// `name`, the member's name, and `text`, the whole message.
    pub params: BTreeMap<String, String>,
    /// By the template's parameter: the most characters it takes; what is longer is cut.
    pub max_chars: BTreeMap<String, usize>,
}

impl ZaloTemplate {
    /// The id for a message to a follower.
    pub fn oa_id(&self) -> Option<&str> {
        self.oa_id.as_deref().or(self.id.as_deref())
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Messages {
    paused: bool,
    language: Language,
    promotional_per_week: u32,
    resend_unknown: Vec<String>,
    channels: BTreeMap<String, Vec<String>>,
    kinds: BTreeMap<String, String>,
    texts: Texts,
    pictures: Pictures,
}

impl Default for Messages {
    fn default() -> Self {
        let Sending { paused, promotional_per_week, resend_unknown, .. } = Sending::default();
        Self {
            paused,
            language: Language::default(),
            promotional_per_week,
            resend_unknown: resend_unknown.into_iter().map(|kind| kind.word().to_owned()).collect(),
            channels: BTreeMap::new(),
            kinds: BTreeMap::new(),
            texts: Texts::new(),
            pictures: Pictures::new(),
        }
    }
}

/// Reads both sections.
pub fn messaging(messages: Table, zalo: Table, problems: &mut Vec<Problem>) -> Messaging {
    let section: Messages = section::read(messages, "messages", problems);
    let mut problem = |path: String, message: String| problems.push(Problem { path, message });
    if section.promotional_per_week > PER_WEEK_MAX {
        problem("messages.promotional_per_week".into(), format!("at most {PER_WEEK_MAX}"));
    }
    let kinds_known = MessageKind::ALL.map(MessageKind::word).join(", ");
    let channels_known = Channel::ALL.map(Channel::word).join(", ");
    let mut resend_unknown = BTreeSet::new();
    for (at, word) in section.resend_unknown.iter().enumerate() {
        match MessageKind::from_word(word) {
            Some(kind) => _ = resend_unknown.insert(kind),
            None => problem(format!("messages.resend_unknown[{at}]"), format!("one of {kinds_known}")),
        }
    }
    let mut channels = BTreeMap::new();
    for (word, listed) in &section.channels {
        let path = format!("messages.channels.{word}");
        let Some(kind) = MessageKind::from_word(word) else {
            problem(path, format!("unknown kind; known are {kinds_known}"));
            continue;
        };
        let known: Vec<_> = listed.iter().filter_map(|word| Channel::from_word(word)).collect();
        let once = known.iter().collect::<BTreeSet<_>>().len() == listed.len();
        if !once {
            problem(path, format!("each at most once of {channels_known}"));
        }
        channels.insert(kind, known);
    }
    let mut kinds = BTreeMap::new();
    for (template, word) in &section.kinds {
        match MessageKind::from_word(word) {
            Some(kind) => _ = kinds.insert(template.clone(), kind),
            None => problem(format!("messages.kinds.{template}"), format!("one of {kinds_known}")),
        }
    }
    let sending = Sending {
        paused: section.paused,
        promotional_per_week: section.promotional_per_week,
        channels,
        kinds,
        resend_unknown,
    };
    Messaging {
        sending,
        language: section.language,
        zalo: templates(zalo, problems),
        texts: section.texts,
        campaign_texts: BTreeMap::new(),
        pictures: section.pictures,
        campaign_pictures: BTreeMap::new(),
    }
}

fn templates(mut zalo: Table, problems: &mut Vec<Problem>) -> BTreeMap<String, ZaloTemplate> {
    let listed = section::table(&mut zalo, "templates", "zalo", problems);
    for key in zalo.keys() {
        problems.push(Problem { path: format!("zalo.{key}"), message: "unknown; there is [zalo.templates]".into() });
    }
    if listed.len() > TEMPLATES_MAX {
        problems.push(Problem { path: "zalo.templates".into(), message: format!("more than {TEMPLATES_MAX}") });
    }
    let mut templates = BTreeMap::new();
    for (name, value) in listed {
        let path = format!("zalo.templates.{name}");
        let toml::Value::Table(table) = value else {
            problems.push(Problem { message: format!("write it as a table: [{path}]"), path });
            continue;
        };
        let template: ZaloTemplate = section::read(table, &path, problems);
        let mut require = |holds: bool, key: &str, message: &str| {
            if !holds {
                problems.push(Problem { path: format!("{path}.{key}"), message: message.to_owned() });
            }
        };
        let ids = [&template.id, &template.oa_id];
        let named = ids.iter().any(|id| id.is_some());
        let plain = ids.iter().copied().flatten().all(|id| {
            !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        });
        require(named && plain, "id", "missing or not the id that Zalo gave the template");
        require(template.params.len() <= PARAMETERS_MAX, "params", "more than 50");
        let limits = template.max_chars.iter();
        let meant = limits.clone().all(|(key, chars)| template.params.contains_key(key) && *chars > 0);
        require(meant, "max_chars", "each names one of params, and a number above 0");
        templates.insert(name, template);
    }
    templates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Messaging, Vec<String>> {
        let mut whole: Table = text.parse().unwrap();
        let mut problems = Vec::new();
        let messages = section::table(&mut whole, "messages", "", &mut problems);
        let zalo = section::table(&mut whole, "zalo", "", &mut problems);
        let read = messaging(messages, zalo, &mut problems);
        if problems.is_empty() { Ok(read) } else { Err(problems.into_iter().map(|problem| problem.path).collect()) }
    }

    #[test]
    fn nothing_said_is_the_default() {
        assert_eq!(read("").unwrap(), Messaging::default());
        assert_eq!(read("[messages]").unwrap().sending, Sending::default());
    }

    #[test]
    fn everything_can_be_said() {
        let read = read(
            r#"
            [messages]
            paused = true
            language = "en"
            promotional_per_week = 1
            resend_unknown = []
            channels.care = ["webhook", "zalo_phone"]
            kinds.tier_reached = "promotional"
            texts.tier_kept.en = ["You keep {tier}."]
            [zalo.templates.order_points_credited]
            id = "7895417a7d3f"
            params = { customer = "name", total = "points" }
            max_chars = { customer = 30 }
            "#,
        )
        .unwrap();
        assert!(read.sending.paused && read.sending.resend_unknown.is_empty());
        assert_eq!(read.language, Language::English);
        assert_eq!(read.sending.channels(MessageKind::Care), [Channel::Webhook, Channel::ZaloPhone]);
        assert_eq!(read.sending.channels(MessageKind::Promotional), Channel::ALL);
        assert_eq!(read.sending.kind("tier_reached", MessageKind::Care), MessageKind::Promotional);
        assert_eq!(read.texts["tier_kept"][&Language::English], ["You keep {tier}."]);
        let template = &read.zalo["order_points_credited"];
        assert_eq!((template.oa_id(), template.params["customer"].as_str()), (Some("7895417a7d3f"), "name"));
    }

    #[test]
    fn every_problem_has_its_path() {
        let problems = read(
            r#"
            [messages]
            promotional_per_week = 1000
            resend_unknown = ["some"]
            channels = { care = ["zalo_oa", "zalo_oa"], other = [], promotional = ["pigeon"] }
            kinds.tier_reached = "nice"
            texts.tier_kept.fr = ["Vous gardez {tier}."]
            [zalo]
            app = "1"
            [zalo.templates.a]
            params = { x = "points" }
            [zalo.templates.b]
            id = "two words"
            max_chars = { y = 3 }
            "#,
        )
        .unwrap_err();
        let expected = [
            "messages.texts",
            "messages.promotional_per_week",
            "messages.resend_unknown[0]",
            "messages.channels.care",
            "messages.channels.other",
            "messages.channels.promotional",
            "messages.kinds.tier_reached",
            "zalo.app",
            "zalo.templates.a.id",
            "zalo.templates.b.id",
            "zalo.templates.b.max_chars",
        ];
        assert_eq!(problems, expected);
    }
}
