//! A message file: read, checked against the templates, and filled in.
//!
//! A catalogue exists only for a file that fits the code exactly: every text that can be asked for is there and no
//! other, every variable it uses is declared, and every declared variable is used. So no reader of one language is told
//! less than a reader of the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use loyalty_contract::events::{Kind, Why};
use loyalty_domain::money::Currency;
use serde::Deserialize;

use crate::language::Language;
use crate::template::{Presence, Template, Value, ValueKind, Variable, Variables, is_cause};

/// What is wrong with a message file, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Fault {
    pub path: String,
    pub message: String,
}

/// Variables that do not fit their template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    #[error("{template}: the variable `{variable}` is missing")]
    Missing { template: &'static str, variable: String },
    #[error("{template}: there is no variable `{variable}`")]
    Unknown { template: &'static str, variable: String },
    #[error("{template}: the variable `{variable}` is not a {kind:?}")]
    WrongType { template: &'static str, variable: String, kind: ValueKind },
}

/// All texts of one language.
#[derive(Debug)]
pub struct Catalogue {
    language: Language,
    units: Units,
    /// Kinds and reasons of entries by their words; no word is both.
    texts: BTreeMap<String, String>,
    causes: BTreeMap<String, String>,
    parts: BTreeMap<String, Vec<String>>,
    templates: BTreeMap<Template, Vec<Line>>,
}

/// A line in pieces: text and variables by turns.
type Line = Vec<Piece>;

#[derive(Debug)]
enum Piece {
    Text(String),
    Variable(Variable),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    units: Units,
    kinds: BTreeMap<String, String>,
    reasons: BTreeMap<String, String>,
    causes: BTreeMap<String, String>,
    parts: BTreeMap<String, Vec<String>>,
    templates: BTreeMap<String, TemplateText>,
}

/// Words that stand in for, or beside, a variable: after a number of points, and for a name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Units {
    /// After 1.
    point: String,
    /// After any other number.
    points: String,
    /// A customer whose name is not known.
    customer: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TemplateText {
    lines: Vec<String>,
}

impl Catalogue {
    /// The texts the product comes with. The tests read both files, so a fault in one never reaches a running function.
    pub fn shipped(language: Language) -> &'static Self {
        static VIETNAMESE: LazyLock<Catalogue> =
            LazyLock::new(|| shipped(Language::Vietnamese, include_str!("../messages/vi.toml")));
        static ENGLISH: LazyLock<Catalogue> =
            LazyLock::new(|| shipped(Language::English, include_str!("../messages/en.toml")));
        match language {
            Language::Vietnamese => &VIETNAMESE,
            Language::English => &ENGLISH,
        }
    }

    /// Reads a message file.
    ///
    /// # Errors
    /// Every fault found, ordered by path; never an empty list.
    pub fn parse(language: Language, toml: &str) -> Result<Self, Vec<Fault>> {
        let file: File = toml::from_str(toml).map_err(|error| vec![fault("(file)", error.to_string())])?;
        let mut faults = Vec::new();
        compare("kinds", file.kinds.keys(), Kind::ALL.iter().map(|kind| kind.word()), &mut faults);
        compare("reasons", file.reasons.keys(), Why::ALL.iter().map(|why| why.word()), &mut faults);
        let causes = Why::ALL.iter().filter(|why| is_cause(**why)).map(|why| why.word());
        compare("causes", file.causes.keys(), causes, &mut faults);
        compare("templates", file.templates.keys(), Template::ALL.iter().map(|known| known.name()), &mut faults);
        for (table, texts) in [("kinds", &file.kinds), ("reasons", &file.reasons), ("causes", &file.causes)] {
            let empty = texts.iter().filter(|(_, text)| text.trim().is_empty());
            faults.extend(empty.map(|(key, _)| fault(format!("{table}.{key}"), "is empty")));
        }
        let mut templates = BTreeMap::new();
        for template in Template::ALL {
            let Some(text) = file.templates.get(template.name()) else { continue };
            let path = format!("templates.{}", template.name());
            let (lines, messages) = lines_of(template, &text.lines, &file.parts);
            faults.extend(messages.into_iter().map(|message| fault(&path, message)));
            let uses = |name| lines.iter().flatten().any(|piece| piece.is(name));
            let untold = template.variables().filter(|variable| !uses(variable.name));
            faults.extend(untold.map(|variable| fault(&path, format!("no line uses `{{{}}}`", variable.name))));
            templates.insert(template, lines);
        }
        let used = |part: &str| {
            let mut lines = file.templates.values().flat_map(|text| &text.lines);
            lines.any(|line| line.strip_prefix('@') == Some(part))
        };
        let unused = file.parts.keys().filter(|part| !used(part));
        faults.extend(unused.map(|part| fault(format!("parts.{part}"), "no template uses it")));
        faults.sort();
        if !faults.is_empty() {
            return Err(faults);
        }
        let texts = file.kinds.into_iter().chain(file.reasons).collect();
        Ok(Self { language, units: file.units, texts, causes: file.causes, parts: file.parts, templates })
    }

    /// What a reader is told for the word of an entry's kind or reason.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.texts.get(key).map(String::as_str)
    }

    /// The text of a message, one sentence a line. A line with a variable that does not apply is left out.
    ///
    /// # Errors
    /// [`RenderError`] when the variables are not those the template declares.
    pub fn render(&self, template: Template, variables: &Variables) -> Result<String, RenderError> {
        let lines = self.templates.get(&template).map_or(&[][..], Vec::as_slice);
        Ok(fill_all(lines, &self.written(template, variables)?))
    }

    /// [`Catalogue::render`] in a shop's own words: lines as in a message file, the shared parts of the file included. They
    /// need not use every variable. What [`Catalogue::check`] finds wrong with a line leaves it out.
    ///
    /// # Errors
    /// [`RenderError`] when the variables are not those the template declares.
    pub fn render_as(
        &self,
        template: Template,
        lines: &[String],
        variables: &Variables,
    ) -> Result<String, RenderError> {
        Ok(fill_all(&lines_of(template, lines, &self.parts).0, &self.written(template, variables)?))
    }

    /// What is wrong with a shop's own words for a message.
    pub fn check(&self, template: Template, lines: &[String]) -> Vec<String> {
        let (lines, mut messages) = lines_of(template, lines, &self.parts);
        let always = |piece: &Piece| match piece {
            Piece::Text(_) => true,
            Piece::Variable(variable) => variable.presence == Presence::Always,
        };
        if messages.is_empty() && !lines.iter().any(|line| line.iter().all(always)) {
            messages.push("may say nothing: one line at least needs no variable that may not apply".to_owned());
        }
        messages
    }

    /// The variables that a message has, each as its reader expects it.
    ///
    /// # Errors
    /// [`RenderError`] when the variables are not those the template declares.
    pub fn written(
        &self,
        template: Template,
        variables: &Variables,
    ) -> Result<BTreeMap<&'static str, String>, RenderError> {
        let name = template.name();
        for given in variables.keys() {
            if template.variable(given).is_none() {
                return Err(RenderError::Unknown { template: name, variable: given.clone() });
            }
        }
        let mut written = BTreeMap::new();
        for variable in template.variables() {
            match (variables.get(variable.name), variable.presence) {
                (None, Presence::Sometimes) => {}
                (None, Presence::Always) => {
                    return Err(RenderError::Missing { template: name, variable: variable.name.to_owned() });
                }
                (Some(value), _) => {
                    let text = self.write(variable.kind, value).ok_or_else(|| RenderError::WrongType {
                        template: name,
                        variable: variable.name.to_owned(),
                        kind: variable.kind,
                    })?;
                    written.insert(variable.name, text);
                }
            }
        }
        Ok(written)
    }

    /// How a customer is addressed whose name is not known.
    pub fn customer(&self) -> &str {
        &self.units.customer
    }

    /// A value as its reader expects it; `None` when it is not of the kind.
    fn write(&self, kind: ValueKind, value: &Value) -> Option<String> {
        match (kind, value) {
            (ValueKind::Points, Value::Number(points)) if *points >= 0 => {
                let unit = if *points == 1 { &self.units.point } else { &self.units.points };
                Some(format!("{} {unit}", self.language.number(*points)))
            }
            (ValueKind::Count, Value::Number(count)) if *count >= 0 => Some(self.language.number(*count)),
            (ValueKind::Money, Value::Money { amount_minor, currency }) => {
                Some(self.language.money(*amount_minor, Currency::from_code(currency)?))
            }
            (ValueKind::Date, Value::Text(date)) => Some(self.language.date(date.parse().ok()?)),
            (ValueKind::Text, Value::Text(text)) => Some(text.clone()),
            (ValueKind::List, Value::List(items)) => Some(items.join("; ")),
            (ValueKind::Cause, Value::Text(word)) => self.causes.get(word).cloned(),
            _ => None,
        }
    }
}

fn shipped(language: Language, toml: &str) -> Catalogue {
    Catalogue::parse(language, toml).unwrap_or_else(|faults| {
        let list: Vec<_> = faults.iter().map(ToString::to_string).collect();
        panic!("messages/{}.toml: {}", language.code(), list.join("; "))
    })
}

fn fill_all(lines: &[Line], written: &BTreeMap<&str, String>) -> String {
    lines.iter().filter_map(|line| fill(line, written)).collect::<Vec<_>>().join("\n")
}

/// The line with its variables; `None` when one does not apply.
fn fill(line: &Line, written: &BTreeMap<&str, String>) -> Option<String> {
    line.iter()
        .map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Variable(variable) => written.get(variable.name).map(String::as_str),
        })
        .collect()
}

impl Piece {
    fn is(&self, name: &str) -> bool {
        matches!(self, Self::Variable(variable) if variable.name == name)
    }
}

/// The lines of a template with the shared parts put in, every variable known; and what is wrong with those left out.
fn lines_of(template: Template, lines: &[String], parts: &BTreeMap<String, Vec<String>>) -> (Vec<Line>, Vec<String>) {
    let (mut read, mut messages) = (Vec::new(), Vec::new());
    let mut take = |line: &str| match pieces(template, line) {
        Ok(line) => read.push(line),
        Err(message) => messages.push(message),
    };
    let mut unknown = Vec::new();
    for line in lines {
        match line.strip_prefix('@').map(|name| (name, parts.get(name))) {
            None => take(line),
            Some((_, Some(shared))) => shared.iter().for_each(|line| take(line)),
            Some((name, None)) => unknown.push(format!("there is no part `{name}`")),
        }
    }
    messages.extend(unknown);
    (read, messages)
}

fn pieces(template: Template, line: &str) -> Result<Line, String> {
    if line.trim().is_empty() {
        return Err("a line is empty".to_owned());
    }
    let stray = || format!("a brace without its other half: {line}");
    let mut pieces = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(stray)?;
        if before.contains('}') || name.contains('{') {
            return Err(stray());
        }
        let variable = template.variable(name).ok_or_else(|| format!("there is no variable `{name}`: {line}"))?;
        pieces.push(Piece::Text(before.to_owned()));
        pieces.push(Piece::Variable(variable));
        rest = after;
    }
    if rest.contains('}') {
        return Err(stray());
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Ok(pieces)
}

/// Notes every key of a table that is missing or not known.
fn compare<'a>(
    table: &str,
    found: impl Iterator<Item = &'a String>,
    wanted: impl Iterator<Item = &'static str>,
    faults: &mut Vec<Fault>,
) {
    let found: BTreeSet<&str> = found.map(String::as_str).collect();
    let wanted: BTreeSet<&str> = wanted.collect();
    let missing = wanted.difference(&found).map(|key| fault(format!("{table}.{key}"), "is missing"));
    let unknown = found.difference(&wanted).map(|key| fault(format!("{table}.{key}"), "is not known"));
    faults.extend(missing.chain(unknown));
}

fn fault(path: impl Into<String>, message: impl Into<String>) -> Fault {
    Fault { path: path.into(), message: message.into() }
}
