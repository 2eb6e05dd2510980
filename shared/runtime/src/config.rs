//! The environment. What is missing or wrong is said by name, so that whoever deploys can put it right; the values of
//! secrets are never repeated.

use loyalty_contract::identity::{KeyTooShort, MemberKey};
use loyalty_contract::programme::ProgrammeFile;

use crate::secrets::SecretError;

pub const TABLE_PREFIX: &str = "TABLE_PREFIX";
pub const PROGRAMME_FILE: &str = "PROGRAMME_FILE";
pub const MEMBER_ID_KEY: &str = "MEMBER_ID_KEY";

/// Why a function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    #[error("the file {path} that {variable} names cannot be read")]
    File {
        variable: &'static str,
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the programme {path} has problems: {problems}")]
    Programme { path: String, problems: String },
    /// Its value may be a secret and is not repeated.
    #[error("{0} cannot be used")]
    Unusable(&'static str),
    #[error("the secret that {variable} names cannot be read")]
    Secret {
        variable: String,
        #[source]
        source: SecretError,
    },
    #[error("{MEMBER_ID_KEY} cannot be used")]
    MemberKey(#[source] KeyTooShort),
}

/// Where variables come from: the process, or a test.
pub struct Environment<F>(F);

impl Environment<fn(&str) -> Option<String>> {
    /// The environment of the process.
    pub fn of_process() -> Self {
        Self(|name| std::env::var(name).ok())
    }
}

impl<F: Fn(&str) -> Option<String>> Environment<F> {
    pub fn new(variable: F) -> Self {
        Self(variable)
    }

    /// A variable that must be there. One that is empty or blank counts as missing.
    ///
    /// # Errors
    /// [`ConfigError::Missing`].
    pub fn required(&self, name: &'static str) -> Result<String, ConfigError> {
        (self.0)(name).filter(|value| !value.trim().is_empty()).ok_or(ConfigError::Missing(name))
    }

    /// What stands before the name of every table.
    ///
    /// # Errors
    /// [`ConfigError::Missing`].
    pub fn table_prefix(&self) -> Result<String, ConfigError> {
        self.required(TABLE_PREFIX)
    }

    /// The programme file.
    ///
    /// # Errors
    /// [`ConfigError::Missing`], [`ConfigError::File`], or every problem of the file in one [`ConfigError::Programme`].
    pub fn programmes(&self) -> Result<ProgrammeFile, ConfigError> {
        let path = self.required(PROGRAMME_FILE)?;
        let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::File {
            variable: PROGRAMME_FILE,
            path: path.clone(),
            source,
        })?;
        ProgrammeFile::parse(&text).map_err(|problems| {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            ConfigError::Programme { path, problems: problems.join("; ") }
        })
    }

    /// The key that member ids are made with.
    ///
    /// # Errors
    /// [`ConfigError::Missing`], or [`ConfigError::MemberKey`] for one that is too short.
    pub fn member_key(&self) -> Result<MemberKey, ConfigError> {
        MemberKey::new(&self.required(MEMBER_ID_KEY)?).map_err(ConfigError::MemberKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain;

    fn environment(variables: &'static [(&str, &str)]) -> Environment<impl Fn(&str) -> Option<String>> {
        Environment::new(|name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_is_missing_is_named() {
        let blank = environment(&[("TABLE_PREFIX", " ")]);
        assert_eq!(blank.table_prefix().unwrap_err().to_string(), "the environment variable TABLE_PREFIX is not set");
        assert_eq!(environment(&[("TABLE_PREFIX", "loyalty-")]).table_prefix().unwrap(), "loyalty-");
    }

    #[test]
    fn a_file_that_is_not_there_is_named_with_its_variable() {
        let error = environment(&[("PROGRAMME_FILE", "no/such.toml")]).programmes().unwrap_err();
        let said = chain(&error);
        assert!(said.starts_with("the file no/such.toml that PROGRAMME_FILE names cannot be read: "), "{said}");
    }

    #[test]
    fn a_secret_is_never_repeated() {
        let error = environment(&[("MEMBER_ID_KEY", "short-secret")]).member_key().unwrap_err();
        let said = format!("{error:?} {}", chain(&error));
        assert!(!said.contains("short-secret") && said.contains("MEMBER_ID_KEY"), "{said}");
    }
}
