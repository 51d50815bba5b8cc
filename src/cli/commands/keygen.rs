//! `udpecho keygen`: a new key, in a file or on standard output.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::{Context, anyhow};

use crate::cli::args::Keygen;
use crate::cli::exit::Exit;
use crate::cli::printer::Printer;
use crate::net::random_bytes;

pub(crate) fn run(arguments: &Keygen) -> anyhow::Result<Exit> {
    let secret: [u8; 32] = random_bytes().context("no randomness from the operating system")?;
    let mut key = String::new();
    for byte in secret {
        write!(key, "{byte:02x}").context("cannot format the key")?;
    }
    match &arguments.output {
        Some(file) => write(file, &key).map_err(|error| explain(error, file))?,
        None => Printer::start(|| {})?.line(key),
    }
    Ok(Exit::Success)
}

/// A key that exists may be in use, so it is never replaced.
fn explain(error: std::io::Error, file: &Path) -> anyhow::Error {
    let name = file.display();
    if file.is_symlink() {
        anyhow!("{name} is a link; name the file itself")
    } else if error.kind() == ErrorKind::AlreadyExists {
        anyhow!("{name} exists, and keygen replaces no key; give -o another name, or remove it first")
    } else {
        anyhow!(error).context(format!("cannot write {name}"))
    }
}

fn write(file: &Path, key: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    writeln!(options.open(file)?, "{key}")
}
