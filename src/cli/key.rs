//! The key, from a file or from the environment, never from an argument: other users can see those.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, anyhow};

use super::printer::stderr_line;
use super::text_file;
use crate::wire::auth::Key;

const VARIABLE: &str = "UDPECHO_KEY";
const LONGEST: u64 = 64 << 10;
const KEYGEN_DIGITS: usize = 64;

/// The key in this file, or else in the environment, if it has one.
pub(super) fn find(file: Option<&Path>) -> anyhow::Result<Option<Key>> {
    let Some((text, place)) = text_of(file)? else { return Ok(None) };
    Key::parse(&text).map(Some).with_context(|| format!("no key in {place}"))
}

/// The bytes of a secret that servers of others share, from the same places: hexadecimal digits as udpecho keygen
/// writes them or behind 0x, or else the text itself.
pub(super) fn secret(file: Option<&Path>) -> anyhow::Result<Option<Vec<u8>>> {
    let Some((text, place)) = text_of(file)? else { return Ok(None) };
    let text = text.trim();
    if text.is_empty() {
        anyhow::bail!("no key in {place}: it is empty");
    }
    let digits = text.strip_prefix("0x").or((text.len() == KEYGEN_DIGITS).then_some(text));
    Ok(Some(digits.and_then(from_hex).unwrap_or_else(|| text.as_bytes().to_vec())))
}

/// The text of a key, and where it stands.
fn text_of(file: Option<&Path>) -> anyhow::Result<Option<(String, String)>> {
    let Some(file) = file else {
        return match std::env::var(VARIABLE) {
            Ok(text) => Ok(Some((text, VARIABLE.to_owned()))),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(error) => Err(anyhow!(error).context(VARIABLE)),
        };
    };
    let place = file.display().to_string();
    if matches!(file.try_exists(), Ok(false)) {
        anyhow::bail!("there is no key in {place}; make one with: udpecho keygen -o {place}");
    }
    let text = text_file::read(file, LONGEST).with_context(|| format!("cannot read the key in {place}"))?;
    warn_if_readable_by_others(file);
    Ok(Some((text, place)))
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let value = |digit: &u8| char::from(*digit).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(value(high)? << 4 | value(low)?).ok(),
        _ => None,
    };
    digits.as_bytes().chunks(2).map(pair).collect()
}

/// A key that other users of this host can read is no secret. Once for each file: watch reads its own every 10 s.
fn warn_if_readable_by_others(file: &Path) {
    static WARNED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    #[cfg(unix)]
    if let Ok(metadata) = std::fs::metadata(file)
        && metadata.is_file()
        && std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o044 != 0
        && WARNED.lock().unwrap_or_else(PoisonError::into_inner).insert(file.to_owned())
    {
        let name = file.display();
        stderr_line(format_args!("udpecho: warning: others can read the key in {name}; chmod 600 {name}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hexadecimal_digits_or_text() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("key");
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            secret(Some(&file))
        };
        assert_eq!(read(&format!("{}\n", "0a".repeat(32))).unwrap().unwrap(), [10; 32]);
        assert_eq!(read("0x00ff").unwrap().unwrap(), [0, 255]);
        assert_eq!(read(" secret\n").unwrap().unwrap(), b"secret");
        assert_eq!(read("0xyz").unwrap().unwrap(), b"0xyz");
        assert!(read(" \n").is_err());
    }
}
