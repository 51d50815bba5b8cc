//! Keys: made by `udpecho keygen`, read from a file or from the environment, never from an argument.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, anyhow};

use super::args::Keygen;
use super::exit::Exit;
use super::input;
use super::printer::{Printer, remark};
use crate::net::random_bytes;
use crate::wire::auth::Key;

const VARIABLE: &str = "UDPECHO_KEY";
const LONGEST: u64 = 64 << 10;

/// The key in this file, or else in the environment, if there is one.
pub fn find(file: Option<&Path>) -> anyhow::Result<Option<Key>> {
    let (text, place) = match file {
        Some(file) => {
            let text = input::read(file, LONGEST);
            warn_of_readers(file);
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
fn warn_of_readers(file: &Path) {
    #[cfg(unix)]
    if let Ok(metadata) = std::fs::metadata(file)
        && metadata.is_file()
        && std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o044 != 0
    {
        let name = file.display();
        remark(format_args!("udpecho: warning: others can read the key in {name}; chmod 600 {name}"));
    }
}

pub fn generate(arguments: &Keygen) -> anyhow::Result<Exit> {
    let secret: [u8; 32] = random_bytes().context("no randomness from the operating system")?;
    let mut key = String::new();
    for byte in secret {
        write!(key, "{byte:02x}").context("a text takes all")?;
    }
    match &arguments.output {
        Some(file) => write(file, &key).with_context(|| format!("cannot write {}", file.display()))?,
        None => Printer::start(|| {})?.line(key),
    }
    Ok(Exit::Success)
}

fn write(file: &Path, key: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    writeln!(options.open(file)?, "{key}")
}
