//! `udpecho watch`: many targets at once, for as long as it runs.

mod collector;
mod discovery;
mod document;
mod measuring;
mod table;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::{Context, bail};

use crate::cli::args::Watch;
use crate::cli::exit::Exit;
use crate::cli::key;
use crate::cli::printer::{Printer, on_a_terminal, stderr_line, terminal_width};
use crate::cli::signals;
use crate::cli::text_file;
use crate::cli::web::FleetPage;
use crate::fleet::{Config, Forecast, Group, Snapshot};
use crate::net::{Clock, Control, host_name};
use crate::time::{Duration, Instant};
use discovery::{Discovered, Discovery};
pub(crate) use document::SCHEMA;
use measuring::Measuring;

const SAMPLE: &str = include_str!("../../../../contrib/watch.toml");
const LONGEST_FILE: u64 = 16 << 20;

pub(crate) fn run(arguments: &Watch) -> anyhow::Result<Exit> {
    if arguments.sample {
        return print(SAMPLE.lines());
    }
    let config = read_config(arguments)?;
    let source = config.name.clone().or_else(host_name).unwrap_or_else(|| "udpecho".to_owned());
    let mut discovery = Discovery::new(arguments.file.as_deref());
    let found = discovery.look(&config, &source);
    let cost = costs(&config, &found);
    if arguments.check {
        return print(cost_lines(&cost).iter().map(String::as_str));
    }
    affordable(&config, &cost)?;
    Watching::start(arguments, config, source, discovery, found)?.until_over()
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
    let config = Config::from_toml(&text, &variable).with_context(|| file.display().to_string())?;
    if config.groups.is_empty() {
        bail!("{} has no [[group]]; udpecho watch --sample prints a file", file.display());
    }
    Ok(config)
}

/// Of each group, by name.
fn costs(config: &Config, found: &Discovered) -> Vec<(String, Forecast)> {
    let cost = |group: &Group| {
        let targets = found.targets.iter().filter(|target| target.key.group == group.name).count();
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

fn affordable(config: &Config, costs: &[(String, Forecast)]) -> anyhow::Result<()> {
    let series: u64 = costs.iter().map(|(_, cost)| cost.series).sum();
    if series > config.max_series {
        bail!(
            "{series} series on /metrics are more than max-series = {}: set detail = \"counts\" for large groups",
            config.max_series
        );
    }
    Ok(())
}

/// A running watch: the thread that measures, the one that discovers, and the views.
struct Watching<'a> {
    arguments: &'a Watch,
    measuring: Measuring,
    printer: Printer,
    page: Option<FleetPage>,
    control: Arc<Control>,
    clock: Clock,
    began: Instant,
    configs: Sender<Config>,
    found: Receiver<Discovered>,
    reload: Arc<AtomicBool>,
    /// The configuration that runs, as it was read.
    config: Config,
    now: Snapshot,
    /// Rows on the screen, above which the next table is drawn.
    drawn: usize,
}

impl<'a> Watching<'a> {
    const PERIOD: Duration = Duration::from_secs(1);
    /// How soon it is noticed that all targets have had their probes.
    const WAIT: Duration = Duration::from_millis(200);
    /// How often the file is read again.
    const FILE_PERIOD: Duration = Duration::from_secs(10);

    fn start(
        arguments: &'a Watch,
        config: Config,
        source: String,
        discovery: Discovery,
        found: Discovered,
    ) -> anyhow::Result<Self> {
        let key = key::find(arguments.key_file.as_deref())?;
        let control = Arc::new(Control::new().context("cannot make a pipe")?);
        let reload = Arc::new(AtomicBool::new(false));
        watch_signals(arguments, &control, &reload).context("cannot watch for signals")?;
        let clock = Clock::start();
        let mut measuring = Measuring::start(source.clone(), key, arguments.count, clock, &control)?;
        let failures = found.failures.clone();
        measuring.set(found.targets);
        let now = Snapshot {
            source: source.clone(),
            labels: config.labels.clone(),
            targets: measuring.views(),
            is_configured: true,
            discovery_failures: failures,
            ..Snapshot::default()
        };
        let http = arguments.http.or(config.http);
        let page = http.map(|at| FleetPage::start(at, &arguments.http_host, now.clone())).transpose()?;
        let (configs, to_discover) = channel();
        let (tell, found) = channel();
        let first = config.clone();
        std::thread::Builder::new()
            .name("discovery".into())
            .spawn(move || discovery.run(first, &source, &to_discover, &tell))
            .context("cannot start a thread")?;
        let closed = Arc::clone(&control);
        let printer = Printer::start(move || closed.stop())?;
        let began = clock.now();
        Ok(Self {
            arguments,
            measuring,
            printer,
            page,
            control,
            clock,
            began,
            configs,
            found,
            reload,
            config,
            now,
            drawn: 0,
        })
    }

    fn until_over(mut self) -> anyhow::Result<Exit> {
        let mut next_file = self.began + Self::FILE_PERIOD;
        let mut next_table = self.began;
        if self.arguments.count.is_some() {
            self.measuring.takes_no_more();
        }
        while !self.control.stop_asked() && !self.measuring.is_over() {
            if let Ok(found) = self.found.recv_timeout(Self::WAIT.to_std()) {
                self.take(found);
            }
            let now = self.clock.now();
            let hup = self.reload.swap(false, Ordering::AcqRel);
            if hup || now >= next_file {
                self.reload(hup);
                next_file = now + Self::FILE_PERIOD;
            }
            if now >= next_table {
                self.show();
                next_table = now + Self::PERIOD;
            }
        }
        self.finish()
    }

    fn take(&mut self, found: Discovered) {
        if let Err(error) = affordable(&self.config, &costs(&self.config, &found)) {
            stderr_line(format_args!("udpecho: {error:#}; the targets stay as they were"));
            return;
        }
        self.now.discovery_failures = found.failures;
        self.measuring.set(found.targets);
        if self.arguments.count.is_none() {
            self.measuring.retry_denied();
        }
    }

    /// A file with an error changes nothing.
    fn reload(&mut self, asked: bool) {
        let Some(file) = &self.arguments.file else { return };
        match read_file(file) {
            Ok(config) if config != self.config => {
                self.now.labels = config.labels.clone();
                self.config = config.clone();
                let _ = self.configs.send(config);
                stderr_line(format_args!("udpecho: {} is loaded", file.display()));
                self.now.is_configured = true;
            }
            Ok(_) => self.now.is_configured = true,
            Err(error) if asked || self.now.is_configured => {
                stderr_line(format_args!("udpecho: {error:#}; the targets stay as they were"));
                self.now.is_configured = false;
            }
            Err(_) => {}
        }
    }

    fn show(&mut self) {
        self.now.elapsed = self.clock.now() - self.began;
        self.now.targets = self.measuring.views();
        if let Some(page) = &self.page {
            page.show(self.now.clone());
        }
        let Some(width) = terminal_width().filter(|_| self.draws()) else { return };
        let height = ratatui::crossterm::terminal::size().map_or(24, |(_, rows)| usize::from(rows));
        let most = self.arguments.rows.map_or(height.saturating_sub(4).max(1), |rows| rows.get());
        let lines = table::rows(&self.now, most, width.saturating_sub(1));
        let up = if self.drawn > 0 { format!("\x1b[{}A", self.drawn) } else { String::new() };
        self.drawn = lines.len();
        let text: String =
            lines.iter().map(|line| format!("\x1b[2K{}\n", crate::printable::printable(line))).collect();
        self.printer.text(format!("{up}{text}\x1b[0J"));
    }

    fn draws(&self) -> bool {
        on_a_terminal() && !self.arguments.quiet && !self.arguments.json
    }

    fn finish(mut self) -> anyhow::Result<Exit> {
        self.now.targets = self.measuring.finish()?;
        self.now.elapsed = self.clock.now() - self.began;
        if self.arguments.json {
            document::json(&self.now)?.lines().for_each(|line| self.printer.line(line));
        } else if !self.arguments.quiet {
            table::summary(&self.now).iter().for_each(|line| self.printer.line(line));
        }
        let answered = self.now.targets.iter().any(|target| target.figures.replies() > 0);
        if let Some(page) = self.page {
            page.finish(self.now);
        }
        self.printer.finish_checked()?;
        Ok(if answered { Exit::Success } else { Exit::NoReply })
    }
}

fn watch_signals(arguments: &Watch, control: &Arc<Control>, reload: &Arc<AtomicBool>) -> std::io::Result<()> {
    let reload = Arc::clone(reload);
    match arguments.file {
        Some(_) => signals::watch_and_reload(control, || {}, move || reload.store(true, Ordering::Release)),
        None => signals::watch(control, || {}),
    }
}
