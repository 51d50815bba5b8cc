//! The key, from a file or from the environment, never from an argument: other users can see those.

use std::path::Path;

use anyhow::{Context, anyhow};

use super::printer::stderr_line;
use super::text_file;
use crate::wire::auth::Key;

const VARIABLE: &str = "UDPECHO_KEY";
const LONGEST: u64 = 64 << 10;

/// The key in this file, or else in the environment, if it has one.
pub(super) fn find(file: Option<&Path>) -> anyhow::Result<Option<Key>> {
    let (text, place) = match file {
        Some(file) => {
            let text = text_file::read(file, LONGEST);
            warn_if_readable_by_others(file);
            (
                text.with_context(|| format!("cannot read the key in {}", file.display()))?,
                file.display().to_string(),
            )
        }
        None => match std::env::var(VARIABLE) {
            Ok(text) => (text, VARIABLE.to_owned()),
            Err(std::env::VarError::NotPresent) => return Ok(None),
            Err(error) => return Err(anyhow!(error).context(VARIABLE)),
        },
    };
    Key::parse(&text).map(Some).with_context(|| format!("no key in {place}"))
}

/// A key that other users of this host can read is no secret.
fn warn_if_readable_by_others(file: &Path) {
    #[cfg(unix)]
    if let Ok(metadata) = std::fs::metadata(file)
        && metadata.is_file()
        && std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o044 != 0
    {
        let name = file.display();
        stderr_line(format_args!("udpecho: warning: others can read the key in {name}; chmod 600 {name}"));
    }
}
