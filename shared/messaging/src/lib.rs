//! What the programme says to its members: message templates in Vietnamese and English, and the data they are filled
//! with.
//!
//! A message is decided here, most often from one ledger entry ([`messages_of`]), and kept in the [`Outbox`] as a
//! template's name and typed variables; its text is made when it is sent or shown ([`wording`]). A message never holds a name, a phone or an e-mail address:
//! those rest on the member's row and are joined at the last moment. Texts live in `messages/*.toml`, and a
//! programme may say any of them in its own words; a file whose variables or keys do not fit the code fails the tests.
//!
//! What the rest of the shop is told instead of its members goes on the [`Bus`].
//!
//! The texts know one thing, `{variable}`, and a line that needs a variable which does not apply is left out. A template
//! language was weighed and not taken: with conditions and loops in the texts, what a message says could no longer be
//! checked by comparing two sets of names, and formatting must follow the reader's language anyway.

mod bus;
mod catalogue;
mod compose;
mod language;
mod outbox;
mod sample;
mod template;
mod wording;
mod zalo;

pub use bus::{BUS_NAME, Bus, EVENTS_PER_CALL_MAX, PUBLISH_ATTEMPTS_MAX, PublishError};
pub use catalogue::{Catalogue, Fault, RenderError};
pub use compose::{
    LIST_ITEMS_MAX, Message, invitation, messages_of, notice, tier_lowered, tier_reached, voucher_reminder,
};
pub use language::Language;
pub use outbox::{Outbox, PUTS_AT_ONCE_MAX, PutError};
pub use sample::{Extent, SAMPLE_NAME, sample};
pub use template::{Presence, Template, Value, ValueKind, Variable, Variables};
pub use wording::{Worded, campaigns_wording, language_of, picture, wording};
pub use zalo::{Filling, PARAGRAPH_CHARS_MAX, TEXT_CHARS_MAX, faults, parameters, tag};

/// The text of a message, filled with its variables; one sentence a line.
///
/// # Errors
/// [`RenderError`] when a variable that is always there is missing, one is unknown to the template, or one has not the
/// type that was declared.
pub fn render(language: Language, template: Template, variables: &Variables) -> Result<String, RenderError> {
    Catalogue::shipped(language).render(template, variables)
}

/// What a reader is told for a word of the ledger: an entry's kind or its reason, as `points-history` names them
/// (`accrual`, `order_cancelled` …). `None` for a word that is neither.
pub fn text(language: Language, key: &str) -> Option<&'static str> {
    Catalogue::shipped(language).text(key)
}
