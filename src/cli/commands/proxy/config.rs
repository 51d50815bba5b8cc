//! `--config`: mappings and their impairments from a file in TOML. Every mistake is named with its line.

use std::path::Path;

use anyhow::{Context, anyhow};
use serde::Deserialize;

use crate::cli::text_file;

/// The longest file in bytes.
const LONGEST: u64 = 1 << 20;

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    pub(super) seed: Option<u64>,
    #[serde(default)]
    pub(super) mapping: Vec<ConfigMapping>,
    #[serde(default)]
    pub(super) client: Vec<ConfigClient>,
}

/// One `[[mapping]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigMapping {
    pub(super) name: Option<String>,
    pub(super) listen: String,
    pub(super) to: String,
    /// Both directions, and what replaces it for one.
    pub(super) line: Option<String>,
    pub(super) up: Option<String>,
    pub(super) down: Option<String>,
    pub(super) nat: Option<String>,
}

/// One `[[client]]`, for all mappings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigClient {
    pub(super) network: String,
    pub(super) line: Option<String>,
    pub(super) up: Option<String>,
    pub(super) down: Option<String>,
}

impl Config {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            text_file::read(path, LONGEST).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let before = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..before].iter().filter(|byte| **byte == b'\n').count() + 1;
            anyhow!("line {line}: {}", explained(error.message()))
        })
    }
}

/// Of an unknown key the nearest known one is named.
fn explained(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(unknown) = quoted.next().filter(|_| message.starts_with("unknown field")) else {
        return message.lines().collect::<Vec<_>>().join(" ");
    };
    let nearest = quoted.min_by_key(|known| strsim::damerau_levenshtein(known, unknown));
    format!("unknown key '{unknown}'; did you mean '{}'?", nearest.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WORDS: [&str; 16] = [
        "[[mapping]]\n",
        "[[client]]\n",
        "seed = 7\n",
        "listen = '0'\n",
        "to = 'x:1'\n",
        "nat = ''\n",
        "line = 5\n",
        "network = '::/0'\n",
        "up = \"\u{1F600}\"\n",
        "name = '\n",
        "= ",
        "[",
        "\"\"\"",
        "\u{0}",
        "é",
        "\n",
    ];

    proptest! {
        /// Whatever stands in the file: it is read, or the mistake is one line that names its line.
        #[test]
        fn any_text_is_read_or_refused_in_one_line(picks in proptest::collection::vec(0..WORDS.len(), 0..12)) {
            let text: String = picks.iter().map(|pick| WORDS[*pick]).collect();
            if let Err(error) = Config::parse(&text) {
                let error = error.to_string();
                prop_assert!(error.starts_with("line ") && error.lines().count() == 1, "{text:?}: {error:?}");
            }
        }
    }

    #[test]
    fn the_sample_is_read() {
        let config = Config::parse(include_str!("../../../../contrib/proxy.toml")).unwrap();
        assert_eq!(config.seed, Some(7));
        let names: Vec<_> = config.mapping.iter().map(|mapping| mapping.name.as_deref()).collect();
        assert_eq!((names, config.client.len()), (vec![Some("dns"), Some("quic")], 1));
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_the_nearest_key() {
        for (text, why) in [
            ("sed = 7\n", "line 1: unknown key 'sed'; did you mean 'seed'?"),
            (
                "seed = 7\n[[mapping]]\nlistn = '5300'\nto = 'x:1'\n",
                "line 3: unknown key 'listn'; did you mean 'listen'?",
            ),
            ("[[client]]\nnetwork = '::/0'\nupp = ''\n", "line 3: unknown key 'upp'; did you mean 'up'?"),
            ("[[mapping]]\nlisten = '5300'\n", "line 1: missing field `to`"),
            ("seed = 'x'\n", "line 1: invalid type: string \"x\", expected u64"),
        ] {
            assert_eq!(Config::parse(text).unwrap_err().to_string(), why);
        }
    }
}
