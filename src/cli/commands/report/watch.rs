//! The record of a watch, as metrics with timestamps.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::cli::output::Output;
use crate::cli::printer::{print_path, stderr_line};
use crate::fleet::{is_record, read_rows};
use crate::live::RecordedMetrics;
use crate::record::files::open_regular;

/// The files of a record: those of a folder, or the file itself. None if it is something else.
pub(super) fn files(path: &Path) -> Vec<PathBuf> {
    let is_named_so = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).is_some_and(is_record);
    let mut files: Vec<PathBuf> = match fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).filter(is_named_so).collect(),
        Err(_) => Some(path.to_owned()).filter(is_named_so).into_iter().collect(),
    };
    files.sort();
    files
}

/// One text of all files.
pub(super) fn open_metrics(paths: &[PathBuf], output: &Output) -> anyhow::Result<()> {
    let mut metrics = RecordedMetrics::default();
    for path in paths {
        // A file that is named may have any name.
        let found = if path.is_dir() { files(path) } else { vec![path.clone()] };
        if found.is_empty() {
            bail!("{} has no file of a record; watch --record writes them", path.display());
        }
        for file in found {
            let cannot = || format!("cannot read {}", file.display());
            let mut text = Vec::new();
            open_regular(&file).and_then(|mut file| file.read_to_end(&mut text)).with_context(cannot)?;
            if read_rows(&text, |row| metrics.push(row)).with_context(cannot)? {
                stderr_line(format_args!(
                    "note: the last row of {} is incomplete and left out",
                    file.display()
                ));
            }
        }
    }
    output.stream(|out| metrics.write(out))?;
    if let Output::File(path) = output {
        print_path(path);
    }
    Ok(())
}
