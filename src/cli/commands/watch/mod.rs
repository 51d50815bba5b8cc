//! `udpecho watch`: many targets at once, for as long as it runs.

mod admin;
mod collector;
mod discovery;
mod document;
mod keys;
mod measuring;
mod peers;
mod probe;
mod probe_log;
mod recorder;
mod reflector;
mod table;
mod watching;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::cli::args::Watch;
use crate::cli::exit::Exit;
use crate::cli::key;
use crate::cli::printer::{Printer, stderr_line};
use crate::cli::text_file;
use crate::fleet::{Config, Forecast, Group, Wanted, days};
use crate::net::{Clock, host_name};
use discovery::Discovery;
pub(crate) use document::SCHEMA;
pub(super) use table::{NAME, cut, percent};
use watching::Watching;

const SAMPLE: &str = include_str!("../../../../contrib/watch.toml");
const LONGEST_FILE: u64 = 16 << 20;
const NOTHING: &str = "udpecho: no group has a target, so nothing is measured";

pub(crate) fn run(arguments: &Watch) -> anyhow::Result<Exit> {
    if arguments.sample {
        return print(SAMPLE.lines());
    }
    if arguments.targets.is_empty() && arguments.file.is_none() {
        bail!(
            "no target given: name servers, as in udpecho watch 192.0.2.7 example.net:9000, or a file with -f; \
             udpecho watch --sample prints one"
        );
    }
    let config = read_config(arguments)?;
    let source = config.name.clone().or_else(host_name).unwrap_or_else(|| "udpecho".to_owned());
    let (clock, key) = (Clock::start(), key::find(arguments.key_file.as_deref())?);
    let mut discovery = Discovery::new(arguments.file.as_deref(), source.clone(), key.clone(), clock);
    tell_foreign_groups(&config, &source);
    if arguments.check {
        let found = discovery.look_at_all(&config);
        let targets = found.targets.unwrap_or_default();
        let mut costs = costs(&config, &targets);
        if arguments.http.or(config.http).is_some() {
            costs.iter_mut().for_each(|(_, cost)| *cost = cost.with_page());
        }
        let record = record_line(arguments, &config, &costs);
        print(cost_lines(&costs).iter().chain(&record).map(String::as_str))?;
        affordable(&config, &targets)?;
        if targets.is_empty() {
            stderr_line(NOTHING);
        }
        let has_errors = found.failures.values().any(|failures| *failures > 0);
        return Ok(if has_errors { Exit::Error } else { Exit::Success });
    }
    Watching::start(arguments, config, source, key, discovery, clock)?.until_over()
}

fn print<'a>(lines: impl Iterator<Item = &'a str>) -> anyhow::Result<Exit> {
    let printer = Printer::start(|| {})?;
    lines.for_each(|line| printer.line(line));
    printer.finish_checked()?;
    Ok(Exit::Success)
}

fn read_config(arguments: &Watch) -> anyhow::Result<Config> {
    let mut config = match &arguments.file {
        Some(file) => read_file(file)?,
        None => Config::of_targets(arguments.targets.clone()),
    };
    for group in &mut config.groups {
        group.flows = arguments.flows.unwrap_or(group.flows);
        group.interval = arguments.interval.unwrap_or(group.interval);
        if let Some(size) = arguments.size {
            let fits = |size: &u32| (group.dialect.min_size()..=65_507).contains(size);
            let size = u32::try_from(size.get()).ok().filter(fits);
            group.size = size.context("-s: must be from 56 to 65507 bytes; for example 128")?;
        }
    }
    Ok(config)
}

fn read_file(file: &Path) -> anyhow::Result<Config> {
    let text = text_file::read(file, LONGEST_FILE);
    let text = text.with_context(|| format!("cannot read {}", file.display()))?;
    let variable = |name: &str| std::env::var(name).ok();
    let mut config = Config::from_toml(&text, &variable).with_context(|| file.display().to_string())?;
    if config.groups.is_empty() {
        bail!("{} has no [[group]]; udpecho watch --sample prints a file", file.display());
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    keys::read(&mut config, folder).with_context(|| file.display().to_string())?;
    Ok(config)
}

/// One file may serve all hosts, so a group of others is no error.
fn tell_foreign_groups(config: &Config, source: &str) {
    for group in config.groups.iter().filter(|group| !group.is_measured_by(source)) {
        let from = group.from.join(", ");
        stderr_line(format_args!(
            "udpecho: {}: not measured by this host: 'from' names {from}, and this is {source}",
            group.name
        ));
    }
}

/// Of each group, by name.
fn costs(config: &Config, targets: &[Wanted]) -> Vec<(String, Forecast)> {
    let cost = |group: &Group| {
        let targets = targets.iter().filter(|target| target.key.group == group.name).count();
        (group.name.clone(), Forecast::of(group, targets as u64))
    };
    config.groups.iter().map(cost).collect()
}

fn cost_lines(costs: &[(String, Forecast)]) -> Vec<String> {
    let all = costs.iter().fold(Forecast::default(), |sum, (_, cost)| sum.and(*cost));
    let line = |name: &str, cost: &Forecast| {
        format!(
            "{name:<20} {:>8} {:>10.1} {:>12.1} {:>9} {:>9.1}",
            cost.targets,
            cost.probes_per_second,
            cost.bits_per_second / 1e3,
            cost.series,
            cost.memory as f64 / 1e6,
        )
    };
    let header = format!(
        "{:<20} {:>8} {:>10} {:>12} {:>9} {:>9}",
        "group", "targets", "probes/s", "kbit/s up", "series", "MB"
    );
    let groups = costs.iter().map(|(name, cost)| line(name, cost));
    [header].into_iter().chain(groups).chain([line("all", &all)]).collect()
}

/// Nothing without a record.
fn record_line(arguments: &Watch, config: &Config, costs: &[(String, Forecast)]) -> Option<String> {
    let folder = record_folder(arguments, config)?;
    let megabytes = costs.iter().map(|(_, cost)| cost.record).sum::<u64>() as f64 / 1e6;
    let kept = days(config.record_keep);
    Some(format!(
        "record: {megabytes:.1} MB a day in {}, {:.1} MB with the {kept} days before",
        folder.display(),
        megabytes * (kept + 1) as f64
    ))
}

/// As the flag says, or else the file, to whose folder it is relative.
fn record_folder(arguments: &Watch, config: &Config) -> Option<PathBuf> {
    let of_file = || config.record.as_ref().map(|record| folder_of_file(arguments).join(record));
    arguments.record.clone().or_else(of_file)
}

/// Paths in the configuration are relative to it.
fn folder_of_file(arguments: &Watch) -> &Path {
    arguments.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""))
}

fn affordable(config: &Config, targets: &[Wanted]) -> anyhow::Result<()> {
    let series: u64 = costs(config, targets).iter().map(|(_, cost)| cost.series).sum();
    if series > config.max_series {
        bail!(
            "{series} series on /metrics are more than max-series = {}: set detail = \"counts\" for large groups",
            config.max_series
        );
    }
    Ok(())
}
