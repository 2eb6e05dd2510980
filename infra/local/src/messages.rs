//! `messages preview`: what members are told, with sample data, before anybody is: every message in each language, how
//! long it is, and what its template at Zalo is filled with.
//!
//! It is made by the code that sends.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use loyalty_contract::programme::Version;
use loyalty_messaging::{
    Extent, Filling, Language, SAMPLE_NAME, TEXT_CHARS_MAX, Template, Worded, campaigns_wording, faults, language_of,
    parameters, picture, sample, tag, wording,
};

use crate::cli::serve::workspace;
use crate::clock::{instant, machine_ms, parse_instant};
use crate::error::{Context, Result, StackError};
use crate::stack::{default_programme, read_programme};

/// What to show.
#[derive(Clone, Debug, clap::Args)]
pub struct PreviewArgs {
    /// The programme file [default: the cnv-retail preset]
    #[arg(long, value_name = "FILE")]
    pub programme: Option<PathBuf>,
    /// Only this language, vi or en [default: both]
    #[arg(long, value_name = "LANGUAGE")]
    pub language: Option<String>,
    /// Only this message, such as order_points_credited [default: all]
    #[arg(value_name = "MESSAGE")]
    pub message: Option<String>,
    /// Only what every such message says, instead of everything it may say
    #[arg(long)]
    pub least: bool,
    /// The programme as it is at an instant [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_instant)]
    pub at: Option<i64>,
}

/// Prints the messages; 1 where something is wrong with their templates.
///
/// # Errors
/// When the programme cannot be read, or there is no such language or message.
pub fn run(args: &PreviewArgs) -> Result<ExitCode> {
    let file = args.programme.clone().unwrap_or_else(|| default_programme(&workspace()));
    let programmes = read_programme(&file)?;
    let version = programmes.at(instant(args.at.unwrap_or_else(machine_ms)));
    let languages = match args.language.as_deref() {
        None => Language::ALL.to_vec(),
        Some(code) => vec![Language::from_code(code).ok_or_else(|| StackError::new("say --language vi or en"))?],
    };
    let templates = match args.message.as_deref() {
        None => Template::ALL.to_vec(),
        Some(name) => vec![Template::from_name(name).ok_or_else(|| no_message(name))?],
    };
    let mut shown = Vec::new();
    for template in templates {
        for language in &languages {
            for campaign in campaigns_wording(version, template).map(Some).chain([None]) {
                shown.push(preview(version, template, campaign, *language, args.least)?);
            }
        }
    }
    let faults = faults(version);
    shown.extend(faults.iter().map(|fault| format!("problem: {fault}")));
    // Whoever reads the first messages only, as `head` does, closes the rest: that is no failure.
    let text = shown.join("\n") + "\n";
    _ = std::io::stdout().write_all(text.as_bytes());
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn no_message(name: &str) -> StackError {
    StackError::new(format!("there is no message {name}; there are {}", Template::ALL.map(Template::name).join(", ")))
}

/// One message in one language, as a campaign says it or as any other does.
///
/// # Errors
/// When the example does not fit its template: a fault of ours.
pub fn preview(
    version: &Version,
    template: Template,
    campaign: Option<&str>,
    language: Language,
    least: bool,
) -> Result<String> {
    let extent = if least { Extent::Least } else { Extent::Everything };
    let variables = sample(template, &version.programme, extent);
    let worded = Worded { template, campaign, language, variables: &variables };
    let text = wording(version, worded).context(|| "an example does not fit".to_owned())?;
    let kind = version.messaging.sending.kind(template.name(), template.kind());
    let ways: Vec<_> = version.messaging.sending.channels(kind).iter().map(|channel| channel.word()).collect();
    let of = campaign.map_or(String::new(), |campaign| format!(" · {campaign}"));
    let mut lines = vec![
        format!("── {} · {}{of} ──", template.name(), language.code()),
        format!(
            "{} (tag {}) by {}; {} of {TEXT_CHARS_MAX} characters",
            kind.word(),
            tag(kind),
            if ways.is_empty() { "no way".to_owned() } else { ways.join(", ") },
            text.chars().count()
        ),
    ];
    lines.extend(text.lines().map(|line| format!("    {line}")));
    lines.extend(picture(version, template, campaign).map(|picture| format!("with the picture {picture}")));
    // Templates were approved in the language that customers are written to in.
    if language == language_of(version) {
        let filling = Filling { template, language, variables: &variables, text: &text, name: Some(SAMPLE_NAME) };
        lines.extend(at_zalo(version, filling, tag(kind)));
    }
    Ok(lines.join("\n") + "\n")
}

fn at_zalo(version: &Version, filling: Filling<'_>, tag: u8) -> Vec<String> {
    let Some(zalo) = version.messaging.zalo.get(filling.template.name()) else {
        let without = match tag {
            3 => "no template, and no promotion goes there without one",
            _ => "no template; only as a text to who did something in the account in the last two days",
        };
        return vec![format!("Zalo: {without}")];
    };
    let id = |id: Option<&str>| id.unwrap_or("none").to_owned();
    let mut lines =
        vec![format!("Zalo: template {} to a phone, {} to a follower", id(zalo.id.as_deref()), id(zalo.oa_id()))];
    match parameters(filling, zalo) {
        Err(parameter) => lines.push(format!("    {parameter}: no variable fills it")),
        Ok(filled) => lines.extend(filled.iter().map(|(parameter, value)| {
            let chars = value.chars().count();
            let limit = zalo.max_chars.get(parameter).map_or(String::new(), |limit| format!(" of {limit}"));
            let variable = zalo.params.get(parameter).map_or("", String::as_str);
            format!("    {parameter} = {variable}: {value:?} ({chars}{limit} characters)")
        })),
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use loyalty_contract::programme::ProgrammeFile;

    const PRESET: &str = include_str!("../../programmes/cnv-retail.toml");
    const TEMPLATE: &str = r#"
[zalo.templates.order_points_credited]
id = "412345"
params = { customer_name = "name", points = "points", bare = "points.number" }
max_chars = { customer_name = 10 }
"#;

    fn shown(more: &str, template: Template, language: Language, least: bool) -> String {
        let file = ProgrammeFile::parse(&format!("{PRESET}\n{more}")).unwrap_or_else(|problems| panic!("{problems:?}"));
        preview(&file.versions()[0], template, None, language, least).unwrap()
    }

    #[test]
    fn a_message_is_shown_with_its_length_its_ways_and_its_parameters() {
        let shown = shown(TEMPLATE, Template::OrderPointsCredited, Language::Vietnamese, false);
        for says in [
            "order_points_credited · vi",
            "care (tag 2) by zalo_oa, zalo_phone, webhook; ",
            " of 2000 characters",
            "    • 1.150 điểm tích lũy để đổi quà và ưu đãi",
            "template 412345 to a phone, 412345 to a follower",
            "    bare = points.number: \"1150\" (4 characters)",
            "    customer_name = name: \"Nguyễn Th…\" (10 of 10 characters)",
            "    points = points: \"1.150 điểm\" (10 characters)",
        ] {
            assert!(shown.contains(says), "{says}: {shown}");
        }
    }

    #[test]
    fn the_least_says_less_and_zalo_is_told_of_in_the_shops_language_only() {
        let all = shown(TEMPLATE, Template::OrderPointsCredited, Language::English, false);
        let least = shown(TEMPLATE, Template::OrderPointsCredited, Language::English, true);
        assert!(all.contains("1,150 points") && !least.contains("1,150 points"), "{least}");
        assert!(!all.contains("412345"));
        let english = format!("[messages]\nlanguage = \"en\"\n{TEMPLATE}");
        assert!(
            shown(&english, Template::OrderPointsCredited, Language::English, true).contains("points = points: \"-\"")
        );
    }

    #[test]
    fn without_a_template_a_promotion_has_no_way_at_zalo_and_a_notice_has_a_text() {
        let notice = shown("", Template::TierKept, Language::Vietnamese, true);
        assert!(notice.contains("care (tag 2)") && notice.contains("only as a text"), "{notice}");
        let promotion = shown("", Template::BirthdayVouchers, Language::Vietnamese, true);
        assert!(
            promotion.contains("promotional (tag 3)") && promotion.contains("no promotion goes there"),
            "{promotion}"
        );
        let silent = shown("[messages.channels]\ncare = []\n", Template::TierKept, Language::Vietnamese, true);
        assert!(silent.contains("by no way"), "{silent}");
    }

    #[test]
    fn a_shops_own_words_are_shown_as_they_are_sent() {
        let more = "[messages.texts.tier_kept]\nvi = [\"Giữ hạng {tier} đến {keep_until}.\"]\n";
        let kept = shown(more, Template::TierKept, Language::Vietnamese, true);
        assert!(kept.contains("\n    Giữ hạng Silver đến 30/11/2027.\n"), "{kept}");
        assert!(shown(more, Template::TierKept, Language::English, true).contains("until"));
        let more = "[messages.pictures]\ntier_kept = \"https://cdn.example.vn/bac.jpg\"\n";
        let kept = shown(more, Template::TierKept, Language::Vietnamese, true);
        assert!(kept.contains("\nwith the picture https://cdn.example.vn/bac.jpg\n"), "{kept}");
    }
}
