//! A text that the user named by its file: a key, a scenario, a trace. It may be a pipe, as in
//! `--key-file <(pass key)`, and it may be anything else: what is read is bounded, and so is the wait.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::mpsc::channel;

use crate::record::files::{open_regular, read_text};
use crate::time::Duration;

/// For what is no regular file to be opened and read.
const PATIENCE: Duration = Duration::from_secs(5);

/// The text, if it is no longer than this.
pub fn read(path: &Path, most: u64) -> io::Result<String> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => read_with_patience(path, most),
        _ => read_text(open_regular(path)?, most),
    }
}

/// A pipe with no writer cannot even be opened: the thread that tries ends with the process.
fn read_with_patience(path: &Path, most: u64) -> io::Result<String> {
    let (tell, told) = channel();
    let owned = path.to_owned();
    std::thread::Builder::new().name("input".into()).spawn(move || {
        let _ = tell.send(File::open(owned).and_then(|file| read_text(file, most)));
    })?;
    told.recv_timeout(PATIENCE.to_std()).unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("it had no end within {PATIENCE}")))
    })
}
