//! Files in the form of Prometheus' file_sd, JSON or YAML, and answers in that of http_sd:
//! `[{"targets": ["h:p"], "labels": {"site": "x"}}]`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One target of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileTarget {
    /// `HOST` or `HOST:PORT`.
    pub target: String,
    /// Labels that begin with `__` and empty ones are dropped, as Prometheus does.
    pub labels: BTreeMap<String, String>,
}

/// Why a list of targets cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileSdError {
    /// It has another form.
    #[error(
        "line {line}: {why}; for example [{{\"targets\": [\"192.0.2.7:8080\"], \"labels\": {{\"site\": \"x\"}}}}]"
    )]
    Form {
        /// Of the first error, from 1.
        line: usize,
        /// In the parser's words.
        why: String,
    },
    /// Prometheus would refuse the page with it.
    #[error("'{0}' is no name for a label; for example site")]
    Label(String),
}

/// Labels of every series, or of `udpecho_target_info` itself.
const TAKEN: [&str; 8] =
    ["source", "group", "target", "address", "dialect", "target_name", "target_rack", "target_zone"];

/// The targets of a JSON text, in its order.
pub fn read_file_sd(text: &str) -> Result<Vec<FileTarget>, FileSdError> {
    let blocks = serde_json::from_str(text)
        .map_err(|error| FileSdError::Form { line: error.line(), why: without_place(&error.to_string()) })?;
    targets(blocks)
}

/// The same of a YAML text. One without a list is an error, since a file that is being written may be empty.
pub fn read_file_sd_yaml(text: &str) -> Result<Vec<FileTarget>, FileSdError> {
    let blocks: Option<Vec<Block>> = serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line() as usize);
        let why = error.without_snippet().to_string();
        FileSdError::Form { line, why: without_place(why.lines().next().unwrap_or_default()) }
    })?;
    targets(blocks.ok_or_else(|| FileSdError::Form { line: 1, why: "there is no list".to_owned() })?)
}

fn targets(blocks: Vec<Block>) -> Result<Vec<FileTarget>, FileSdError> {
    let mut found = Vec::new();
    for block in blocks {
        let set = block.labels.into_iter().flatten().filter_map(|(name, value)| Some((name, value?)));
        let labels = set.filter(|(name, value)| !name.starts_with("__") && !value.is_empty());
        let labels: BTreeMap<_, _> = labels.map(named).collect::<Result<_, _>>()?;
        let targets = block.targets.into_iter().flatten();
        found.extend(targets.map(|target| FileTarget { target, labels: labels.clone() }));
    }
    Ok(found)
}

/// Whether Prometheus takes a label of this name.
pub(super) fn is_label(name: &str) -> bool {
    let begins = name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
    begins && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// A label whose name is taken gets the prefix that Prometheus gives such labels.
fn named((name, value): (String, String)) -> Result<(String, String), FileSdError> {
    if !is_label(&name) {
        return Err(FileSdError::Label(name));
    }
    let is_taken = TAKEN.contains(&name.as_str());
    Ok((if is_taken { format!("exported_{name}") } else { name }, value))
}

/// Prometheus takes nothing or null for any of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    targets: Option<Vec<String>>,
    labels: Option<BTreeMap<String, Option<String>>>,
}

fn without_place(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_the_labels_of_its_block() {
        let text =
            r#"[{"targets": ["a:1", "b"], "labels": {"site": "x", "__size__": "512"}}, {"targets": []}]"#;
        let targets = read_file_sd(text).unwrap();
        assert_eq!(targets.iter().map(|t| t.target.as_str()).collect::<Vec<_>>(), ["a:1", "b"]);
        assert_eq!(targets[1].labels, BTreeMap::from([("site".to_owned(), "x".to_owned())]));
    }

    #[test]
    fn an_error_names_the_line_and_shows_a_file_that_works() {
        let error = read_file_sd("[\n{\"target\": []}]").unwrap_err().to_string();
        assert!(
            error.starts_with("line 2: unknown field `target`") && error.contains("for example [{"),
            "{error}"
        );
        assert!(read_file_sd("").is_err() && read_file_sd("{}").is_err());
    }

    #[test]
    fn yaml_and_json_read_alike() {
        let json = r#"[{"targets": ["a:1", "[2001:db8::1]:2"], "labels": {"site": "x", "rack": "12"}}, {"targets": ["b"]}]"#;
        let yaml = "# sites\n- targets: ['a:1', \"[2001:db8::1]:2\"]\n  labels:\n    site: x\n    rack: \"12\"\n- targets:\n  - b\n";
        assert_eq!(read_file_sd_yaml(yaml).unwrap(), read_file_sd(json).unwrap());
        assert_eq!(read_file_sd_yaml(json).unwrap(), read_file_sd(json).unwrap());
        let error = read_file_sd_yaml("- targets: [a]\n- target: [b]\n").unwrap_err().to_string();
        assert!(error.starts_with("line 2: ") && error.contains("target"), "{error}");
        assert!(read_file_sd_yaml("- targets: &a [*a]\n").is_err());
        for empty in ["", "\n", "# sites\n", "---\n", "~"] {
            assert!(read_file_sd_yaml(empty).is_err(), "{empty:?}");
        }
        assert_eq!(read_file_sd_yaml("[]"), Ok(Vec::new()));
    }

    #[test]
    fn nothing_and_null_are_read_as_prometheus_reads_them() {
        let yaml = "- targets: [a]\n  labels:\n- targets: [b]\n  labels: { site: ~, rack: '', zone: 1.50 }\n\
                    - targets:\n  labels: { site: x }\n- labels: { site: x }\n";
        let json = r#"[{"targets": ["a"], "labels": null},
            {"targets": ["b"], "labels": {"site": null, "rack": "", "zone": "1.50"}}, {"targets": null}, {}]"#;
        let targets = read_file_sd_yaml(yaml).unwrap();
        assert_eq!(targets, read_file_sd(json).unwrap());
        assert_eq!(targets.iter().map(|t| t.target.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(targets[1].labels, BTreeMap::from([("zone".to_owned(), "1.50".to_owned())]));
    }

    #[test]
    fn a_label_that_every_series_has_is_renamed_and_one_that_prometheus_refuses_is_an_error() {
        let targets = read_file_sd(r#"[{"targets": ["a"], "labels": {"group": "x", "site": "y"}}]"#).unwrap();
        assert!(targets[0].labels.keys().eq(["exported_group", "site"]));
        for name in ["site-a", "1st", "", "a b"] {
            let text = format!(r#"[{{"targets": ["a"], "labels": {{"{name}": "x"}}}}]"#);
            assert_eq!(read_file_sd(&text), Err(FileSdError::Label(name.into())));
        }
    }
}
