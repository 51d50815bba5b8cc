//! Why a configuration is refused, with the place and a value that works.

use std::str::FromStr;

use crate::strict_toml::TomlError;
use crate::time::Duration;
use crate::units::parse_duration;

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file is no valid TOML, or has an unknown key.
    #[error(transparent)]
    Toml(#[from] TomlError),
    /// A value is invalid.
    #[error("{place}: {why}")]
    Value {
        /// Group and key.
        place: String,
        /// With an example.
        why: String,
    },
}

impl ConfigError {
    /// Without the place.
    pub(super) fn why(self) -> String {
        match self {
            Self::Toml(error) => error.to_string(),
            Self::Value { why, .. } => why,
        }
    }
}

/// Replaces the variables of the text at a place.
pub(super) type Expand<'a> = &'a dyn Fn(&str, &str) -> Result<String, ConfigError>;

pub(super) fn duration(place: &str, text: &str) -> Result<Duration, ConfigError> {
    parse_duration(text).map_err(|error| invalid(place, error.to_string()))
}

pub(super) fn parsed<T: FromStr<Err: ToString>>(
    place: &str,
    text: &str,
    example: &str,
) -> Result<T, ConfigError> {
    text.parse().map_err(|error: T::Err| {
        let why = error.to_string();
        let named = why.contains("for example");
        invalid(place, if named { why } else { format!("'{text}': {why}; for example {example}") })
    })
}

pub(super) fn invalid(place: &str, why: impl Into<String>) -> ConfigError {
    ConfigError::Value { place: place.to_owned(), why: why.into() }
}
