//! `udpecho compare`: compares recorded runs with the first of them, in a table and a picture.

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::cli::args::{Compare, Format};
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::printer::{Printer, print_path, stderr_line};
use crate::printable::printable;
use crate::record::Folder;
use crate::report::compare::{
    Changes, Document, Margin, RateSample, Sample, changes, letter, rate_changes, rate_comparison,
    regression, table,
};
use crate::report::{Theme, chart, png};

const PICTURE: &str = "compare.png";

pub(crate) fn run(arguments: &Compare) -> anyhow::Result<Exit> {
    let rates = rates(arguments)?;
    if !rates.is_empty() {
        return compare_rates(arguments, &rates);
    }
    let picture = picture(arguments)?;
    if arguments.json && matches!(&picture, Some((Output::Stdout, _))) {
        bail!("--json and -o - both write to standard output; write the picture to a file");
    }
    let mut notes = Vec::new();
    let samples = arguments.runs.iter().map(|path| read(path, &mut notes));
    let samples = samples.collect::<anyhow::Result<Vec<Sample>>>()?;
    let margin = Margin::with(&arguments.margin);
    let changes = changes(&samples, margin);
    if arguments.json {
        notes.iter().for_each(stderr_line);
        let text = Document::new(&samples, &changes, margin).text();
        print(&text.lines().map(str::to_owned).collect::<Vec<_>>())?;
    } else if !matches!(&picture, Some((Output::Stdout, _))) {
        notes.extend(table(&samples, &changes, margin));
        print(&notes)?;
    }
    if let Some((output, format)) = picture {
        let theme = if arguments.dark { Theme::Dark } else { Theme::Light };
        let svg = chart::overlay(&samples, &changes, margin, theme);
        output.write(&match format {
            Format::Png => png::rasterise(&svg)?,
            _ => svg.into_bytes(),
        })?;
        if let Output::File(path) = &output {
            print_path(path);
        }
    }
    Ok(if arguments.fail_regression { verdict(&changes) } else { Exit::Success })
}

/// The runs, if all of them are rate searches.
fn rates(arguments: &Compare) -> anyhow::Result<Vec<RateSample>> {
    let read = |path: &PathBuf| -> anyhow::Result<Option<RateSample>> {
        Ok(RateSample::new(printable(&path.display().to_string()), Folder::open(path)?.read_run()?))
    };
    let samples = arguments.runs.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    let searches = samples.iter().flatten().count();
    if 0 < searches && searches < samples.len() {
        bail!("some of these runs are rate searches (--find-rate) and some are not: compare like with like");
    }
    Ok(samples.into_iter().flatten().collect())
}

fn compare_rates(arguments: &Compare, samples: &[RateSample]) -> anyhow::Result<Exit> {
    if arguments.output.is_some() {
        bail!("a comparison of rates has no picture: leave out -o");
    }
    let margin = Margin::with(&arguments.margin);
    let changes = rate_changes(samples, margin);
    if arguments.json {
        let text = Document::of_rates(samples, &changes, margin).text();
        print(&text.lines().map(str::to_owned).collect::<Vec<_>>())?;
    } else {
        print(&rate_comparison(samples, &changes, margin))?;
    }
    let mut exit = Exit::Success;
    for (k, change) in changes.iter().enumerate().flat_map(|(k, all)| all.iter().map(move |c| (k, c))) {
        if arguments.fail_regression && change.is_regression() {
            let letter = letter(k + 1);
            stderr_line(format_args!("udpecho: regression: {letter} is worse than A: {}", change.from_to()));
            exit = Exit::Failed;
        }
    }
    Ok(exit)
}

/// The picture's file. With --json there is none unless -o names it.
fn picture(arguments: &Compare) -> anyhow::Result<Option<(Output, Format)>> {
    let path = match &arguments.output {
        None if arguments.json => return Ok(None),
        None => Path::new(PICTURE),
        Some(path) => path,
    };
    let output = Output::new_file(path, arguments.force)?;
    let format = format(&output)?;
    Ok(Some((output, format)))
}

fn print(lines: &[String]) -> anyhow::Result<()> {
    let printer = Printer::start(|| {})?;
    lines.iter().for_each(|line| printer.line(line.clone()));
    printer.finish_checked()
}

/// A comparison has no HTML form.
fn format(output: &Output) -> anyhow::Result<Format> {
    match output.ending().as_deref() {
        Some("svg") => Ok(Format::Svg),
        Some("png") | None => Ok(Format::Png),
        Some(other) => bail!("a picture is .png or .svg, not .{other}; for example -o compare.png"),
    }
}

fn read(path: &Path, notes: &mut Vec<String>) -> anyhow::Result<Sample> {
    let folder = Folder::open(path)?;
    let run = folder.read_run()?;
    if run.stopped_early().is_some() {
        notes.push(format!(
            "note: probes.csv in {} stopped at its record limit; only its first probes are compared",
            folder.path().display()
        ));
    }
    let mut sample = Sample::new(printable(&path.display().to_string()).into_owned(), run);
    let mut rows = folder.probe_reader()?;
    for row in rows.by_ref() {
        sample.push(&row.map_err(|error| folder.row_error(error))?);
    }
    if rows.truncated() {
        let file = folder.path().display();
        notes.push(format!("note: the last row of probes.csv in {file} is incomplete and left out"));
    }
    Ok(sample)
}

/// Prints each regression on stderr, as the reason for the exit code.
fn verdict(changes: &[Changes]) -> Exit {
    let mut exit = Exit::Success;
    for (k, changes) in changes.iter().enumerate() {
        for change in changes.regressions() {
            stderr_line(format_args!("udpecho: regression: {}", regression(letter(k + 1), change)));
            exit = Exit::Failed;
        }
    }
    exit
}
