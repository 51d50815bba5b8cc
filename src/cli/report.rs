//! `udpecho report`: a recorded run, drawn and summed up again from its files alone.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::args::Report;
use super::exit::Exit;
use super::printer::{Printer, remark};
use crate::record::{Fold, Folder, PICTURE, Run};
use crate::report::{self, Detail, Digest, Theme, chart, png};
use crate::stats::Second;

pub fn run(arguments: &Report) -> anyhow::Result<Exit> {
    let theme = if arguments.dark { Theme::Dark } else { Theme::Light };
    if arguments.output.is_some() && arguments.runs.len() > 1 {
        bail!("-o names one picture, and {} runs are given", arguments.runs.len());
    }
    for path in &arguments.runs {
        let folder = Folder::open(path)?;
        let drawn = Drawn::read(&folder)?;
        let to_stdout = arguments.output.as_deref() == Some(Path::new("-"));
        let picture = drawn.picture(theme)?;
        match &arguments.output {
            Some(_) if to_stdout => write_stdout(&picture)?,
            Some(file) => {
                std::fs::write(file, &picture).with_context(|| format!("cannot write {}", file.display()))?;
            }
            None => drop(folder.write(PICTURE, &picture)?),
        }
        if !to_stdout {
            drawn.print()?;
            say_where(&arguments.output.clone().unwrap_or_else(|| folder.file(PICTURE)));
        }
    }
    Ok(Exit::Success)
}

/// Draws the picture of a run into its folder.
pub fn draw(folder: &Folder, theme: Theme) -> anyhow::Result<PathBuf> {
    let picture = Drawn::read(folder)?.picture(theme)?;
    Ok(folder.write(PICTURE, &picture)?)
}

/// On stderr, as it is no result.
pub fn say_where(picture: &Path) {
    remark(picture.display());
}

/// A run, read whole.
struct Drawn {
    run: Run,
    digest: Digest,
    seconds: Vec<Second>,
    /// The run was ended in order, and not killed.
    complete: bool,
    truncated: bool,
}

impl Drawn {
    fn read(folder: &Folder) -> anyhow::Result<Self> {
        let mut run = folder.read_run()?;
        let complete = run.summary.is_some();
        let mut digest = Digest::new(&run);
        let mut fold = Fold::new();
        let mut seconds = Vec::new();
        let mut rows = folder.probe_reader()?;
        for row in rows.by_ref() {
            let probe = row.map_err(|error| folder.row_error(error))?;
            digest.push(&probe);
            fold.push(&probe, |second| seconds.push(*second));
        }
        run.clock = fold.clock();
        run.summary = Some(fold.summary());
        seconds.extend(fold.last_second());
        Ok(Self { run, digest, seconds, complete, truncated: rows.truncated() })
    }

    fn picture(&self, theme: Theme) -> anyhow::Result<Vec<u8>> {
        Ok(png::rasterise(&chart::svg(&self.run, &self.digest, theme))?)
    }

    fn print(&self) -> anyhow::Result<()> {
        let printer = Printer::start(|| {})?;
        if !self.complete {
            printer.line("note: the run was not ended in order; this is what it had written by then");
        }
        if self.truncated {
            printer.line("note: the last row of probes.csv was cut short and is left out");
        }
        if let Some(summary) = &self.run.summary {
            let lines = report::summary(&self.run, summary, &self.seconds, Detail::All);
            lines.into_iter().for_each(|line| printer.line(line));
        }
        Ok(())
    }
}

fn write_stdout(bytes: &[u8]) -> anyhow::Result<()> {
    use std::io::Write;
    match std::io::stdout().write_all(bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}
