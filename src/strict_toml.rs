//! TOML files of users: an error is one line that says where, and names the key that was meant.

use serde::de::DeserializeOwned;

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct TomlError {
    /// From 1.
    pub line: usize,
    /// Without the quoted part of the file.
    pub why: String,
}

/// Reads a file into a type that denies unknown fields.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, TomlError> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..before].iter().filter(|byte| **byte == b'\n').count() + 1;
        TomlError { line, why: with_hint(error.message()) }
    })
}

/// Adds how the value is written, or the nearest of the known keys, which the message lists in backquotes.
fn with_hint(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field `") else {
        let hint = match message {
            "invalid type: map, expected a sequence" => "; a list of tables has its name in [[ ]]",
            _ if message.ends_with(", expected a sequence") => "; a list is in [ ]",
            _ if message.ends_with(", expected a string") => "; a text is in quotes",
            _ => "",
        };
        return format!("{message}{hint}");
    };
    let mut quoted = rest.split('`').step_by(2);
    let key = quoted.next().unwrap_or_default();
    match quoted.min_by_key(|known| distance(key, known)) {
        Some(nearest) if distance(key, nearest) <= 2.max(key.len() / 3) => {
            format!("unknown key '{key}'; did you mean '{nearest}'?")
        }
        _ => message.replace("unknown field", "unknown key"),
    }
}

/// Letters to insert, remove or replace (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for column in 0..to.len() {
            let replaced = diagonal + usize::from(to[column] != letter);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only its names are read")]
    struct File {
        interval: Option<String>,
        size: Option<u32>,
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_line_and_the_nearest_known_key() {
        let error = |text| read::<File>(text).unwrap_err().to_string();
        assert_eq!(
            error("size = 1\nintervall = 's'\n"),
            "line 2: unknown key 'intervall'; did you mean 'interval'?"
        );
        assert_eq!(error("siez = 1"), "line 1: unknown key 'siez'; did you mean 'size'?");
        assert!(error("colour = 1").starts_with("line 1: unknown key `colour`, expected"));
    }

    #[test]
    fn a_value_of_another_type_is_an_error_that_tells_how_it_is_written() {
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code, reason = "only its types are read")]
        struct Lists {
            #[serde(default)]
            names: Vec<String>,
            #[serde(default)]
            group: Vec<File>,
        }
        let error = |text| read::<Lists>(text).unwrap_err().to_string();
        assert!(
            error("[group]\nsize = 1")
                .ends_with("expected a sequence; a list of tables has its name in [[ ]]")
        );
        assert!(error("names = 'a'").ends_with("expected a sequence; a list is in [ ]"));
        assert!(error("names = [1]").ends_with("expected a string; a text is in quotes"));
    }

    #[test]
    fn letters_differ_by_as_many_edits() {
        assert_eq!([distance("", "abc"), distance("kitten", "sitting"), distance("a", "a")], [3, 3, 0]);
    }
}
