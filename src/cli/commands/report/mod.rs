//! `udpecho report`: draws and summarises a recorded run again, from its files alone.

mod proxy;
mod rate;
mod targets;
mod watch;

use std::path::PathBuf;

use anyhow::bail;

use crate::cli::args::{Format, Report, ReportFormat};
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::printer::{Printer, print_path};
use crate::record::{Clock, Folder, PICTURE, Run, Summary};
use crate::report::{self, ChartData, Detail, Theme, chart, png};
use crate::stats::Second;
use proxy::ProxyRecord;
use rate::RateRecord;

pub(crate) fn run(arguments: &Report) -> anyhow::Result<Exit> {
    let is_of_watch = |path: &PathBuf| !watch::files(path).is_empty();
    if arguments.format.is_none() && arguments.output.is_none() && arguments.runs.iter().any(is_of_watch) {
        watch::print_targets(&arguments.runs)?;
        return Ok(Exit::Success);
    }
    let theme = if arguments.dark { Theme::Dark } else { Theme::Light };
    let output =
        arguments.output.as_deref().map(|path| Output::new_file(path, arguments.force)).transpose()?;
    let format = match arguments.format.map_or_else(|| by_ending(output.as_ref()), Ok)? {
        ReportFormat::Openmetrics => {
            watch::open_metrics(&arguments.runs, &output.unwrap_or(Output::Stdout))?;
            return Ok(Exit::Success);
        }
        ReportFormat::Png => Format::Png,
        ReportFormat::Svg => Format::Svg,
        ReportFormat::Html => Format::Html,
    };
    if output.is_some() && arguments.runs.len() > 1 {
        bail!("-o names one report, and {} runs are given", arguments.runs.len());
    }
    for path in &arguments.runs {
        if is_of_watch(path) {
            bail!("{} is a record of watch, which has no picture; give --format openmetrics", path.display());
        }
        let folder = Folder::open(path)?;
        let run = Recorded::read(&folder)?;
        let report = run.report(format, theme)?;
        let written = match &output {
            Some(Output::Stdout) => {
                Output::Stdout.write(&report)?;
                continue;
            }
            Some(Output::File(file)) => {
                Output::File(file.clone()).write(&report)?;
                file.clone()
            }
            None => folder.write(&format!("report.{}", format.name()), &report)?,
        };
        run.print()?;
        print_path(&written);
    }
    Ok(Exit::Success)
}

/// A name without an ending gets a picture.
fn by_ending(output: Option<&Output>) -> anyhow::Result<ReportFormat> {
    match output.and_then(Output::ending).as_deref() {
        Some("svg") => Ok(ReportFormat::Svg),
        Some("html" | "htm") => Ok(ReportFormat::Html),
        Some("om") => Ok(ReportFormat::Openmetrics),
        Some("png") | None => Ok(ReportFormat::Png),
        Some(other) => {
            bail!(
                "a report is .png, .svg, .html or .om, not .{other}; for example -o report.png, or --format"
            )
        }
    }
}

/// Draws the picture of a run into its folder.
pub(crate) fn draw(folder: &Folder, theme: Theme) -> anyhow::Result<PathBuf> {
    let picture = RecordedRun::read(folder)?.report(Format::Png, theme)?;
    Ok(folder.write(PICTURE, &picture)?)
}

/// The same for a proxy's folder.
pub(crate) fn draw_proxy(folder: &Folder, theme: Theme) -> anyhow::Result<PathBuf> {
    let picture = ProxyRecord::read(folder)?.report(Format::Png, theme)?;
    Ok(folder.write(PICTURE, &picture)?)
}

/// The same for the folder of a rate search.
pub(crate) fn draw_rate(folder: &Folder, theme: Theme) -> anyhow::Result<PathBuf> {
    let picture = RateRecord::read(folder, folder.read_run()?)?.report(Format::Png, theme)?;
    Ok(folder.write(PICTURE, &picture)?)
}

/// The kind of record in a folder.
enum Recorded {
    Rate(Box<RateRecord>),
    Ping(Box<RecordedRun>),
    Proxy(Box<ProxyRecord>),
}

impl Recorded {
    fn read(folder: &Folder) -> anyhow::Result<Self> {
        if folder.holds_proxy()? {
            return Ok(Self::Proxy(Box::new(ProxyRecord::read(folder)?)));
        }
        let run = folder.read_run()?;
        Ok(match run.rate {
            Some(_) => Self::Rate(Box::new(RateRecord::read(folder, run)?)),
            None => Self::Ping(Box::new(RecordedRun::read(folder)?)),
        })
    }

    fn report(&self, format: Format, theme: Theme) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Ping(run) => run.report(format, theme),
            Self::Proxy(run) => run.report(format, theme),
            Self::Rate(run) => run.report(format, theme),
        }
    }

    fn print(&self) -> anyhow::Result<()> {
        match self {
            Self::Ping(run) => run.print(),
            Self::Proxy(run) => run.print(),
            Self::Rate(run) => run.print(),
        }
    }
}

/// The page of a run.
pub(crate) fn page(folder: &Folder, theme: Theme) -> anyhow::Result<String> {
    Ok(String::from_utf8(Recorded::read(folder)?.report(Format::Html, theme)?)?)
}

/// A run, read from its folder.
struct RecordedRun {
    run: Run,
    data: ChartData,
    seconds: Vec<Second>,
    /// The last row of `probes.csv` was incomplete.
    truncated: bool,
}

impl RecordedRun {
    fn read(folder: &Folder) -> anyhow::Result<Self> {
        let mut run = folder.read_run()?;
        let mut data = ChartData::new(&run);
        let mut seconds = Vec::new();
        let truncated = folder.each_probe(|probe| {
            data.push(probe, |second| {
                // One more than the table shows tells that it would be too long.
                if seconds.len() <= report::SECONDS_IN_TABLE {
                    seconds.push(*second);
                }
            });
        })?;
        run.clock = Clock::of(&data.statistics);
        seconds.extend(data.statistics.last_second());
        Ok(Self { run, data, seconds, truncated })
    }

    fn report(&self, format: Format, theme: Theme) -> anyhow::Result<Vec<u8>> {
        let (run, data) = (&self.run, &self.data);
        Ok(match format {
            Format::Png => png::rasterise(&chart::svg(run, data, theme))?,
            Format::Svg => chart::svg(run, data, theme).into_bytes(),
            Format::Html => report::html(run, data, theme).into_bytes(),
        })
    }

    fn print(&self) -> anyhow::Result<()> {
        let printer = Printer::start(|| {})?;
        self.notes().into_iter().for_each(|note| printer.line(format!("note: {note}")));
        let summary = Summary::of(&self.data.statistics).narrowed_to(self.run.known());
        let lines = report::summary(&self.run, &summary, &self.seconds, Detail::All);
        lines.iter().for_each(|line| printer.paragraph(line));
        printer.finish_checked()
    }

    /// Notes on missing parts of the record.
    fn notes(&self) -> Vec<String> {
        let rows = self.data.statistics.outcomes.probes();
        let recorded = self.run.summary.as_ref().map(|summary| summary.sent + summary.send_errors);
        let mut notes = Vec::new();
        if self.truncated {
            notes.push("the last row of probes.csv is incomplete and left out".to_owned());
        }
        match recorded {
            None => notes.push("the run was killed; this is what it had written by then".to_owned()),
            Some(recorded) if recorded != rows => {
                notes.push(format!(
                    "probes.csv holds {rows} of the run's {recorded} probes; the figures are of these"
                ));
            }
            Some(_) => {}
        }
        notes
    }
}
