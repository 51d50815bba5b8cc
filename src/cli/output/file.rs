//! A file that a command writes whole, or standard output.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::record::files::write_atomically;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Stdout,
    File(PathBuf),
}

impl Output {
    /// `-` is standard output.
    pub(crate) fn named(path: &Path) -> Self {
        if path == Path::new("-") { Self::Stdout } else { Self::File(path.to_owned()) }
    }

    /// The same, but an existing file is replaced only if `force`; a device or pipe is always written to.
    pub(crate) fn new_file(path: &Path, force: bool) -> anyhow::Result<Self> {
        if !force && path != Path::new("-") && (path.is_file() || path.is_symlink() && !path.exists()) {
            bail!("{} exists; give -o another name, or --force to replace it", path.display());
        }
        Ok(Self::named(path))
    }

    /// The extension of the file name, in lower case.
    pub(crate) fn ending(&self) -> Option<String> {
        match self {
            Self::Stdout => None,
            Self::File(path) => path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase),
        }
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Stdout => write_stdout(bytes),
            Self::File(path) => {
                write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
            }
        }
    }
}

/// A device or a pipe is written to, not replaced.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.exists() && !path.is_file() { std::fs::write(path, bytes) } else { write_atomically(path, bytes) }
}

/// A closed pipe ends quietly.
fn write_stdout(bytes: &[u8]) -> anyhow::Result<()> {
    match io::stdout().write_all(bytes) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}
