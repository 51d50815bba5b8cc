//! The outputs of a run, opened before the first probe. Dropped before the run starts, they remove what they created.
//!
//! Standard output carries one thing: text, or data for a program.

use std::path::Path;

use anyhow::bail;

use super::timestamps;
use crate::cli::args::Ping;
use crate::cli::output::{CsvRows, EventLines, FolderFiles, Recorder, RunObject};
use crate::cli::printer::{Printer, stderr_line};
use crate::record::Folder;
use crate::time::Instant;

pub(super) struct Outputs {
    pub recorder: Recorder,
    /// Prints text.
    pub lines: Printer,
    /// Prints data for a program, if the user asked for it.
    pub data: Option<Printer>,
}

/// Data that takes standard output instead of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    Object,
    Events,
    Rows,
}

impl Outputs {
    /// For a run against this host that begins now. `status`: a status line below the text. `on_closed` is called
    /// when the reader of standard output closes it.
    pub(super) fn open(
        arguments: &Ping,
        host: &str,
        now: Instant,
        status: bool,
        on_closed: impl FnOnce() + Send + 'static,
    ) -> anyhow::Result<Self> {
        let data = data(arguments)?;
        let by_interval = arguments.every.is_some();
        let mut recorder = Recorder::new(arguments.every);
        if let Some(folder) = folder(arguments, host, now)? {
            recorder.write_to(FolderFiles::new(folder, arguments.record_limit));
        }
        if let Some(path) = arguments.export.csv.as_deref().filter(|_| data != Some(Data::Rows)) {
            recorder.write_to(CsvRows::to_file(path, arguments.force, by_interval)?);
        }
        let status = status && data.is_none();
        let stdout = if status { Printer::with_status(on_closed) } else { Printer::start(on_closed) }?;
        let out = || Box::new(stdout.writer());
        match data {
            None => return Ok(Self { recorder, lines: stdout, data: None }),
            Some(Data::Object) => recorder.write_to(RunObject::new(out())),
            Some(Data::Events) => recorder.write_to(EventLines::new(out(), by_interval)),
            Some(Data::Rows) => recorder.write_to(CsvRows::to(out(), "standard output", by_interval)?),
        }
        let lines = if arguments.verbose { Printer::stderr()? } else { Printer::silent() };
        Ok(Self { recorder, lines, data: Some(stdout) })
    }
}

fn data(arguments: &Ping) -> anyhow::Result<Option<Data>> {
    let rows = arguments.export.csv.as_deref() == Some(Path::new("-"));
    let asked = [
        (arguments.export.json, Data::Object, "--json"),
        (arguments.export.json_stream, Data::Events, "--json-stream"),
        (rows, Data::Rows, "--csv -"),
    ];
    let mut claimed = asked.into_iter().filter(|(asked, ..)| *asked);
    match (claimed.next(), claimed.next()) {
        (Some((_, _, one)), Some((_, _, other))) => {
            bail!(
                "{one} and {other} both write to standard output: give one of them; rows can go to a file, as in --csv probes.csv"
            )
        }
        (data, _) => Ok(data.map(|(_, data, _)| data)),
    }
}

/// The folder for a run that begins now, if it is recorded.
pub(crate) fn folder(arguments: &Ping, host: &str, now: Instant) -> anyhow::Result<Option<Folder>> {
    if arguments.no_record {
        return Ok(None);
    }
    let folder = match &arguments.output {
        Some(path) => Folder::create(path, arguments.force)?,
        None => {
            let name = format!("{}-{}", timestamps::compact(now), file_name(host));
            match Folder::create_new(Path::new("results"), &name) {
                Ok(folder) => folder,
                // Only a folder that the user named is worth an error.
                Err(error) => {
                    let error = anyhow::Error::new(error);
                    stderr_line(format_args!(
                        "udpecho: warning: nothing is recorded: {error:#}, or --no-record for no folder"
                    ));
                    return Ok(None);
                }
            }
        }
    };
    Ok(Some(folder))
}

/// The host with characters replaced that a file name should not have.
fn file_name(host: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    host.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}
