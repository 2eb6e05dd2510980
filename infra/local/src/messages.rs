//! `messages preview`: what members are told, with sample data, before anybody is: every message in each language, how
//! long it is, and what its template at Zalo is filled with.
//!
//! It is made by the code that sends.

use std::path::PathBuf;
use std::process::ExitCode;

use loyalty_contract::programme::Version;
use loyalty_messaging::{
    Extent, Filling, Language, SAMPLE_NAME, TEXT_CHARS_MAX, Template, faults, language_of, parameters, render, sample,
    tag,
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
    for template in templates {
        for language in &languages {
            println!("{}", preview(version, template, *language, args.least)?);
        }
    }
    let faults = faults(version);
    for fault in &faults {
        println!("problem: {fault}");
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn no_message(name: &str) -> StackError {
    StackError::new(format!("there is no message {name}; there are {}", Template::ALL.map(Template::name).join(", ")))
}

/// One message in one language.
///
/// # Errors
/// When the example does not fit its template: a fault of ours.
pub fn preview(version: &Version, template: Template, language: Language, least: bool) -> Result<String> {
    let extent = if least { Extent::Least } else { Extent::Everything };
    let variables = sample(template, &version.programme, extent);
    let text = render(language, template, &variables).context(|| "an example does not fit".to_owned())?;
    let kind = version.messaging.sending.kind(template.name(), template.kind());
    let ways: Vec<_> = version.messaging.sending.channels(kind).iter().map(|channel| channel.word()).collect();
    let mut lines = vec![
        format!("── {} · {} ──", template.name(), language.code()),
        format!(
            "{} (tag {}) by {}; {} of {TEXT_CHARS_MAX} characters",
            kind.word(),
            tag(kind),
            if ways.is_empty() { "no way".to_owned() } else { ways.join(", ") },
            text.chars().count()
        ),
    ];
    lines.extend(text.lines().map(|line| format!("    {line}")));
    // Templates were approved in the language that customers are written to in.
    if language == language_of(version) {
        lines.extend(at_zalo(version, Filling { template, language, variables: &variables, text: &text, name: None }));
    }
    Ok(lines.join("\n") + "\n")
}

fn at_zalo(version: &Version, filling: Filling<'_>) -> Vec<String> {
    let Some(zalo) = version.messaging.zalo.get(filling.template.name()) else {
        return vec!["Zalo: no template; only as a text to who wrote to the account in the last two days".to_owned()];
    };
    let id = |id: Option<&str>| id.unwrap_or("none").to_owned();
    let mut lines =
        vec![format!("Zalo: template {} to a phone, {} to a follower", id(zalo.id.as_deref()), id(zalo.oa_id()))];
    match parameters(Filling { name: Some(SAMPLE_NAME), ..filling }, zalo) {
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
