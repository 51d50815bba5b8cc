//! Where a run goes: each place that was asked for, opened before the first probe.
//!
//! Standard output carries one thing: the lines for people, or what a program reads.

use std::path::Path;

use anyhow::{Context, bail};

use super::plan;
use super::screen::Look;
use crate::cli::args::Ping;
use crate::cli::printer::{Printer, remark};
use crate::cli::recorder::{CsvRows, EventLines, FolderFiles, Recorder, RunObject};
use crate::record::Folder;
use crate::time::Instant;

pub struct Places {
    pub recorder: Recorder,
    /// Carries the lines for people.
    pub lines: Printer,
    /// Carries what a program reads, if one does.
    pub data: Option<Printer>,
}

/// What may be written to standard output instead of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    Object,
    Events,
    Rows,
}

impl Places {
    /// For a run against this host that begins now. `on_closed` is called when nobody reads standard
    /// output any more.
    pub fn open(
        arguments: &Ping,
        host: &str,
        now: Instant,
        on_closed: impl FnOnce() + Send + 'static,
    ) -> anyhow::Result<Self> {
        let claim = claim(arguments)?;
        let mut recorder = Recorder::new();
        if let Some(folder) = folder(arguments, host, now)? {
            recorder.write_to(FolderFiles::new(folder, arguments.record_limit));
        }
        if let Some(path) = arguments.export.csv.as_deref().filter(|_| claim != Some(Claim::Rows)) {
            match CsvRows::to_file(path, arguments.force) {
                Ok(file) => recorder.write_to(file),
                Err(error) => {
                    recorder.discard();
                    return Err(error);
                }
            }
        }
        let status = claim.is_none() && Look::of(arguments).status;
        let stdout = if status { Printer::with_status(on_closed) } else { Printer::start(on_closed) }?;
        let out = || Box::new(stdout.writer());
        match claim {
            None => return Ok(Self { recorder, lines: stdout, data: None }),
            Some(Claim::Object) => recorder.write_to(RunObject::new(out())),
            Some(Claim::Events) => recorder.write_to(EventLines::new(out())),
            Some(Claim::Rows) => recorder.write_to(CsvRows::to(out(), "standard output")?),
        }
        let lines = if arguments.verbose { Printer::stderr()? } else { Printer::silent() };
        Ok(Self { recorder, lines, data: Some(stdout) })
    }
}

/// Everything is printed by then.
pub fn finish(printer: Printer) -> anyhow::Result<()> {
    printer.finish().context("cannot write to standard output")
}

fn claim(arguments: &Ping) -> anyhow::Result<Option<Claim>> {
    let rows = arguments.export.csv.as_deref() == Some(Path::new("-"));
    let asked = [
        (arguments.export.json, Claim::Object, "--json"),
        (arguments.export.json_stream, Claim::Events, "--json-stream"),
        (rows, Claim::Rows, "--csv -"),
    ];
    let mut claims = asked.into_iter().filter(|(asked, ..)| *asked);
    match (claims.next(), claims.next()) {
        (Some((_, _, one)), Some((_, _, other))) => {
            bail!(
                "{one} and {other} both write to standard output: give one of them; rows can go to a file, as in --csv probes.csv"
            )
        }
        (claim, _) => Ok(claim.map(|(_, claim, _)| claim)),
    }
}

fn folder(arguments: &Ping, host: &str, now: Instant) -> anyhow::Result<Option<Folder>> {
    if arguments.no_record {
        return Ok(None);
    }
    let folder = match &arguments.output {
        Some(path) => Folder::create(path, arguments.force)?,
        None => {
            let name = format!("{}-{}", plan::compact_time(now), file_name(host));
            match Folder::create_new(Path::new("results"), &name) {
                Ok(folder) => folder,
                // Nobody asked for this place.
                Err(error) => {
                    let error = anyhow::Error::new(error);
                    remark(format_args!(
                        "udpecho: warning: nothing is recorded: {error:#}, or --no-record for no folder"
                    ));
                    return Ok(None);
                }
            }
        }
    };
    Ok(Some(folder))
}

/// The host with what no file name should have replaced.
fn file_name(host: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    host.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}
