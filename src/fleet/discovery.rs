//! Files in the form of Prometheus' file_sd: `[{"targets": ["h:p"], "labels": {"site": "x"}}]`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One target of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileTarget {
    /// `HOST` or `HOST:PORT`.
    pub target: String,
    /// Those that begin with `__` are dropped, as Prometheus does.
    pub labels: BTreeMap<String, String>,
}

/// Why a file of targets cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line}: {why}; for example [{{\"targets\": [\"192.0.2.7:8080\"], \"labels\": {{\"site\": \"x\"}}}}]"
)]
pub struct FileSdError {
    line: usize,
    why: String,
}

/// The targets of a JSON file, in its order.
pub fn read_file_sd(text: &str) -> Result<Vec<FileTarget>, FileSdError> {
    let blocks: Vec<Block> = serde_json::from_str(text)
        .map_err(|error| FileSdError { line: error.line(), why: without_place(&error.to_string()) })?;
    let targets = blocks.into_iter().flat_map(|block| {
        let labels: BTreeMap<_, _> =
            block.labels.into_iter().filter(|(name, _)| !name.starts_with("__")).collect();
        block.targets.into_iter().map(move |target| FileTarget { target, labels: labels.clone() })
    });
    Ok(targets.collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    targets: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
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
}
