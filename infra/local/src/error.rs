//! One error type for the local stack: a sentence a person can act on, and the chain below it.
//!
//! `Display` is the sentence alone; the chain is printed once, at the edge, by [`StackError::report`].

use std::error::Error;
use std::fmt;

/// What went wrong and what to do about it, with the cause underneath.
#[derive(Debug)]
pub struct StackError {
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Result of everything in the local stack that can fail.
pub type Result<T> = std::result::Result<T, StackError>;

impl StackError {
    /// An error that is its own cause.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    /// The message and every cause below it, one per line.
    pub fn report(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str("\n  because: ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for StackError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// Says what was being done when a lower error happened.
pub trait Context<T> {
    /// Wraps the error under a sentence made only when it is needed.
    fn context(self, message: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Error + Send + Sync + 'static> Context<T> for std::result::Result<T, E> {
    fn context(self, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| StackError { message: message(), source: Some(Box::new(source)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_lists_the_chain_and_display_does_not() {
        let error = "x".parse::<u8>().context(|| "the port must be a number".to_owned()).unwrap_err();
        assert_eq!(error.to_string(), "the port must be a number");
        assert_eq!(error.report(), "the port must be a number\n  because: invalid digit found in string");
    }
}
