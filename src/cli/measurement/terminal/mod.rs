//! Text about a run as it goes: a line per probe, or a row per second when there are many probes, or dots; on a
//! terminal with a status line below. At the end the summary.

mod dots;
mod lateness;
mod outstanding;

use super::config::{Connection, Peer};
use super::run_events::{describe, unexpected};
use super::view::View;
use crate::cli::args::Ping;
use crate::cli::log_limit::LogLimit;
use crate::cli::output::Recorder;
use crate::cli::printer::{Printer, on_a_terminal};
use crate::live::{RunInfo, RunModel, status};
use crate::net::describe_client_error;
use crate::probe::{Event, Failure, ServerInfo};
use crate::record::{Folder, Load, Run, Stamps};
use crate::report::{self, Detail, milliseconds};
use crate::stats::Second;
use crate::time::{Duration, Instant};
use dots::Dots;
use lateness::Lateness;
use outstanding::Outstanding;

/// The lines that the user wants.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Display {
    quiet: bool,
    verbose: bool,
    /// A full screen shows the run; only the summary is printed.
    hidden: bool,
    timestamps: bool,
    outstanding: bool,
    dots: bool,
    /// Rows of `--every` instead of probes.
    by_interval: bool,
    /// Standard output is a terminal.
    terminal: bool,
    /// A status line stays below the text.
    pub status: bool,
}

impl Display {
    pub(super) fn of(arguments: &Ping) -> Self {
        let terminal = on_a_terminal();
        Self {
            quiet: arguments.quiet,
            verbose: arguments.verbose,
            hidden: arguments.tui,
            timestamps: arguments.timestamps,
            outstanding: arguments.outstanding,
            dots: arguments.flood && !arguments.quiet,
            by_interval: arguments.every.is_some(),
            terminal,
            status: terminal && !arguments.quiet && !arguments.flood && !arguments.tui,
        }
    }
}

pub(super) struct Terminal {
    printer: Printer,
    address: std::net::SocketAddr,
    host: String,
    is_local: bool,
    folder: Option<Folder>,
    size: u32,
    stamps: Stamps,
    /// The load beside the probes.
    load: Option<Load>,
    display: Display,
    live: RunModel,
    outstanding: Outstanding,
    lateness: Lateness,
    dots: Dots,
    now: Instant,
    /// Lines since `window` began.
    lines: u32,
    window: Instant,
    /// Rows are shown instead of probes.
    rows: bool,
    /// Peers cause notices by what they send.
    notices: LogLimit,
}

impl Terminal {
    /// More lines per second than this cannot be read.
    const MAX_LINES: u32 = 50;
    const MAX_NOTICES: u32 = 10;
    /// How long a second interrupt waits for a reader that has stopped reading.
    const ABORT_TIMEOUT: Duration = Duration::from_millis(200);

    pub(super) fn new(
        printer: Printer,
        connection: &Connection,
        run: &Run,
        folder: Option<Folder>,
        display: Display,
    ) -> Self {
        let Peer { host, address, .. } = &connection.peer;
        Self {
            printer,
            address: *address,
            host: host.clone(),
            is_local: connection.is_local(),
            folder,
            size: run.config.size,
            stamps: run.stamps.clone(),
            load: run.load.clone(),
            display,
            live: RunModel::new(RunInfo::of(&run.config)),
            outstanding: Outstanding::default(),
            lateness: Lateness::default(),
            dots: Dots::default(),
            now: Instant::ZERO,
            lines: 0,
            window: Instant::ZERO,
            rows: display.by_interval,
            notices: LogLimit::new(Self::MAX_NOTICES),
        }
    }

    fn opened(&self, server: &ServerInfo) {
        self.line(report::header(&self.host, self.address.ip(), self.address.port(), self.size));
        let stamps = report::timestamps(&self.stamps);
        self.printer.paragraph(&match &self.folder {
            Some(folder) => format!("{stamps}; recorded in {}", folder.path().display()),
            None => stamps,
        });
        if let Some(load) = &self.load {
            self.printer.paragraph(&report::load_header(load));
        }
        if self.is_local {
            self.line("no host given: measuring a server started here, inside this process");
        }
        if let Some(rate) = server.session_rate {
            self.line(format!("the server answers at most {rate} probes per second and refuses the rest"));
        }
        match &server.injects {
            Some(_) if server.is_clean() => self.line("the server injects nothing"),
            Some(injects) => {
                let injects = report::injection(injects, Some(server.seed));
                self.printer.paragraph(&format!("the server injects, {injects}"));
            }
            None => self.printer.paragraph(&report::unknown(server.dialect, server.dialect.knows())),
        }
    }

    fn line(&self, line: impl AsRef<str>) {
        self.printer.line(line);
    }

    fn show_dots(&mut self) {
        let now = self.live.now();
        // Without a terminal dots cannot be erased, so only lost probes get one.
        let wanted = if self.display.terminal { now.sent.saturating_sub(now.received()) } else { now.missed };
        let dots = self.dots.show(wanted);
        self.printer.text(dots);
    }

    fn print_notice(&mut self, text: impl AsRef<str>) {
        if self.display.quiet || self.display.hidden {
            return;
        }
        self.report_suppressed();
        if self.notices.admits(self.now) {
            self.own_line(text);
        }
    }

    fn report_suppressed(&mut self) {
        if let Some(count) = self.notices.take_suppressed(self.now) {
            self.own_line(format!("{count} more notices within that second"));
        }
    }

    /// A line that may interrupt the dots.
    fn own_line(&mut self, text: impl AsRef<str>) {
        if self.dots.interrupt() {
            self.printer.text("\n".to_owned());
        }
        self.line(text);
    }

    fn probe_line(&mut self, line: impl FnOnce() -> String) {
        if self.display.quiet || self.display.dots || self.rows {
            return;
        }
        self.lines += 1;
        if self.lines > Self::MAX_LINES {
            self.rows = true;
            self.line("more than 50 lines per second: from here on one line per second");
            return;
        }
        let at = if self.display.timestamps { seconds_since_1970(self.now) } else { String::new() };
        self.line(at + &line());
    }
}

impl View for Terminal {
    fn event(&mut self, event: &Event, ttl: Option<u8>, now: Instant) {
        if self.display.hidden {
            return;
        }
        self.now = now;
        if self.display.status || self.display.dots || self.display.outstanding {
            self.live.event(event);
        }
        if self.display.outstanding {
            self.outstanding.event(event);
        }
        if let Some(warning) = self.lateness.event(event, now) {
            self.print_notice(warning);
        }
        match event {
            Event::Opened { server, .. } => self.opened(server),
            Event::Reply { seq, rtt, hold, late_by, copy } => {
                let from = self.address.ip();
                let (seq, rtt, hold, late_by, copy) = (*seq, *rtt, *hold, *late_by, *copy);
                let reply = report::Reply { seq, size: self.size, from, ttl, rtt, hold, late_by, copy };
                self.probe_line(|| report::reply(&reply));
            }
            Event::Overdue { seq } => self.probe_line(|| report::overdue(*seq)),
            Event::NotSent { seq, why } => self.probe_line(|| report::not_sent(*seq, &describe(*why))),
            event => {
                if let Some(notice) = self.notice_of(event) {
                    self.print_notice(notice);
                }
            }
        }
    }

    fn row(&mut self, row: &Second) {
        if self.rows && !self.display.quiet && !self.display.hidden {
            self.line(report::second_line(row));
        }
    }

    fn notice(&mut self, text: &str) {
        self.print_notice(text);
    }

    fn tick(&mut self, now: Instant, in_flight: Option<usize>, _run: &Run, _recorder: &mut Recorder) {
        if self.display.hidden {
            return;
        }
        self.now = now;
        if now - self.window >= Duration::from_secs(1) {
            self.window = now;
            self.lines = 0;
        }
        self.report_suppressed();
        self.live.tick(now, in_flight);
        if self.display.outstanding {
            for seq in self.outstanding.launched(self.live.launched()) {
                self.probe_line(|| report::outstanding(seq));
            }
        }
        if self.display.dots {
            self.show_dots();
        } else if self.display.status && self.live.now().elapsed.is_some() {
            self.printer.status(status(self.live.now()));
        }
    }

    fn finish(mut self: Box<Self>, run: &Run, rows: &[Second]) -> anyhow::Result<()> {
        if self.display.dots {
            self.show_dots();
            self.printer.text("\n".to_owned());
        }
        let detail = if self.display.verbose { Detail::All } else { Detail::Usual };
        if let Some(summary) = &run.summary {
            let lines = report::summary(run, summary, rows, detail);
            lines.iter().for_each(|line| self.printer.paragraph(line));
        }
        self.printer.finish_checked()
    }

    fn abort(self: Box<Self>) {
        self.printer.leave(Self::ABORT_TIMEOUT);
    }
}

impl Terminal {
    /// The line of an event that is not about one probe.
    fn notice_of(&self, event: &Event) -> Option<String> {
        Some(match event {
            Event::AtFloor { seq, interval } => {
                format!("from seq={seq} on the interval stays at its floor, {interval}")
            }
            Event::Suspended { first_seq, probes, late } => format!(
                "this host was suspended or stalled for {}: {probes} probes from seq={first_seq} on were skipped",
                milliseconds(*late)
            ),
            Event::Forgotten { .. } => "session lost (server restarted?); reconnecting".to_owned(),
            Event::SessionLost { silent, .. } => {
                format!("session lost (no answer for {}); reconnecting", milliseconds(*silent))
            }
            Event::Reopened { first_seq, .. } => format!("connected again from seq={first_seq} on"),
            Event::Unreachable { .. } => "ICMP port unreachable; continuing".to_owned(),
            Event::PathError { why, .. } => {
                format!("cannot reach the server: {}; continuing", describe_client_error(*why))
            }
            Event::ServerMoved { remote, .. } => {
                format!("the server sends from {remote} now, not from the address that was asked")
            }
            Event::NotClean { seq, .. } => {
                format!("the server claims to inject nothing, but dropped or held seq={seq}")
            }
            Event::ImpossibleTimes { seq, .. } => format!(
                "the server's times in the reply to seq={seq} are impossible (damaged on the way?); left out of all \
                 figures"
            ),
            Event::StopAnswered { obeyed: true } => "the server stops".to_owned(),
            Event::StopAnswered { obeyed: false } => {
                "the server refuses to stop; serve --allow-stop would obey".to_owned()
            }
            Event::Found { finding, .. } => finding.words().to_owned(),
            Event::Unexpected { counters, .. } => format!("ignored datagrams: {}", unexpected(counters)),
            Event::Asking { probes, skippable, .. } => {
                let skip = if *skippable { "; Ctrl-C skips this" } else { "" };
                format!("asking the server for the outcome of {probes} probes, for up to 3 s{skip}")
            }
            Event::Waiting(why) => {
                let why = match why {
                    Failure::Socket(error) => describe_client_error(*error),
                    why => why.to_string(),
                };
                format!("no answer from {} yet ({why}); asking until there is one", self.address)
            }
            _ => return None,
        })
    }
}

/// As `ping -D` prints it.
fn seconds_since_1970(now: Instant) -> String {
    let micros = now.as_nanos() / 1000;
    format!("[{}.{:06}] ", micros / 1_000_000, micros % 1_000_000)
}
