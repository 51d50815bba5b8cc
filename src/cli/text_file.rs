//! Reads a text file that the user named: a key, a scenario, a trace. It may be a pipe, as in
//! `--key-file <(pass key)`, or a device, so the length and the time are bounded.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::mpsc::channel;

use crate::record::files::{open_regular, read_text};
use crate::time::Duration;

/// For opening and reading a pipe or device.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The text, if it is at most this long.
pub(super) fn read(path: &Path, most: u64) -> io::Result<String> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => read_with_timeout(path, most),
        _ => read_text(open_regular(path)?, most),
    }
}

/// Opening a pipe without a writer blocks: the thread that tries it ends with the process.
fn read_with_timeout(path: &Path, most: u64) -> io::Result<String> {
    let (tell, told) = channel();
    let owned = path.to_owned();
    std::thread::Builder::new().name("input".into()).spawn(move || {
        let _ = tell.send(File::open(owned).and_then(|file| read_text(file, most)));
    })?;
    told.recv_timeout(TIMEOUT.to_std()).unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("it had no end within {TIMEOUT}")))
    })
}
