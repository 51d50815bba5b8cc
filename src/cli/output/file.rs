//! A file that a command writes whole, or standard output.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::record::files::stream_atomically;

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
        self.stream(|out| out.write_all(bytes))
    }

    /// The same for what is written piece by piece.
    pub(crate) fn stream(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
        match self {
            Self::Stdout => stream_to_stdout(write),
            Self::File(path) => {
                stream_to(path, write).with_context(|| format!("cannot write {}", path.display()))
            }
        }
    }
}

/// A device or a pipe is written to, not replaced.
fn stream_to(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let buffered = |file: &mut File| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()
    };
    if path.exists() && !path.is_file() {
        buffered(&mut File::create(path)?)
    } else {
        stream_atomically(path, buffered)
    }
}

/// A closed pipe ends quietly.
fn stream_to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}
