//! The record of a watch: a table of its targets, or metrics with timestamps.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::targets::Targets;
use crate::cli::output::Output;
use crate::cli::printer::{Printer, print_path, stderr_line};
use crate::fleet::{MinuteRow, is_record, read_rows};
use crate::live::RecordedMetrics;
use crate::printable::printable;
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
    each_row(paths, |row| metrics.push(row))?;
    output.stream(|out| metrics.write(out))?;
    if let Output::File(path) = output {
        print_path(path);
    }
    Ok(())
}

/// A line for each target.
pub(super) fn print_targets(paths: &[PathBuf]) -> anyhow::Result<()> {
    let mut targets = Targets::default();
    each_row(paths, |row| targets.push(&row))?;
    if targets.is_empty() {
        bail!("the record has no row yet; watch --record writes them at the end of each minute");
    }
    let printer = Printer::start(|| {})?;
    targets.lines().iter().for_each(|line| printer.line(printable(line)));
    printer.finish_checked()
}

/// Of a file that is named twice, or by its folder too, once.
fn each_row(paths: &[PathBuf], mut take: impl FnMut(MinuteRow)) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for path in paths {
        // A file that is named may have any name.
        let found = if path.is_dir() { files(path) } else { vec![path.clone()] };
        if found.is_empty() {
            bail!("{} has no file of a record; watch --record writes them", path.display());
        }
        for file in found {
            let cannot = || format!("cannot read {}", file.display());
            if !seen.insert(file.canonicalize().with_context(cannot)?) {
                continue;
            }
            let opened = open_regular(&file).with_context(cannot)?;
            if read_rows(opened, &mut take).with_context(cannot)? {
                stderr_line(format_args!(
                    "note: the last row of {} is incomplete and left out",
                    file.display()
                ));
            }
        }
    }
    Ok(())
}
