//! What a person sees while a run goes on: a line a probe, or a line a second when there are many,
//! or dots; on a terminal with a line under it that says how it goes.

use super::dots::Dots;
use super::lateness::Lateness;
use super::notes::{self, in_words};
use super::outstanding::Outstanding;
use super::places;
use super::plan::Peer;
use crate::cli::args::Ping;
use crate::cli::line_cap::LineCap;
use crate::cli::printer::{Printer, on_a_terminal};
use crate::live::{RunInfo, RunModel, status};
use crate::probe::Event;
use crate::record::{Folder, Stamps};
use crate::report::{self, milliseconds};
use crate::stats::Second;
use crate::time::{Duration, Instant};

/// What was asked to be seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    quiet: bool,
    /// Something else is shown until the end.
    hidden: bool,
    timestamps: bool,
    outstanding: bool,
    dots: bool,
    /// Where lines go is a terminal.
    terminal: bool,
    /// A line that stays under the others.
    pub status: bool,
}

impl Look {
    pub fn of(arguments: &Ping) -> Self {
        let terminal = on_a_terminal();
        Self {
            quiet: arguments.quiet,
            hidden: arguments.tui,
            timestamps: arguments.timestamps,
            outstanding: arguments.outstanding,
            dots: arguments.flood && !arguments.quiet,
            terminal,
            status: terminal && !arguments.quiet && !arguments.flood && !arguments.tui,
        }
    }
}

pub struct Screen {
    printer: Printer,
    address: std::net::SocketAddr,
    host: String,
    embedded: bool,
    /// Where the run is recorded, if it is.
    folder: Option<Folder>,
    size: u32,
    stamps: Stamps,
    look: Look,
    live: RunModel,
    outstanding: Outstanding,
    lateness: Lateness,
    dots: Dots,
    now: Instant,
    /// Lines since `window` began.
    lines: u32,
    window: Instant,
    /// Too many probes for a line each.
    crowded: bool,
    /// What others can cause by what they send.
    notices: LineCap,
}

impl Screen {
    /// More lines than this in a second are no use to anybody.
    const MOST_LINES: u32 = 50;
    /// Nor are more remarks than this on what is wrong.
    const MOST_NOTICES: u32 = 10;

    pub fn new(printer: Printer, peer: &Peer, about: RunInfo, stamps: &Stamps, look: Look) -> Self {
        Self {
            printer,
            address: peer.address,
            host: peer.host.clone(),
            embedded: peer.embedded,
            folder: None,
            size: about.size,
            stamps: stamps.clone(),
            look,
            live: RunModel::new(about),
            outstanding: Outstanding::default(),
            lateness: Lateness::default(),
            dots: Dots::default(),
            now: Instant::ZERO,
            lines: 0,
            window: Instant::ZERO,
            crowded: false,
            notices: LineCap::new(Self::MOST_NOTICES),
        }
    }

    /// The first line tells where the run is recorded.
    pub fn name_folder(&mut self, folder: Option<Folder>) {
        self.folder = folder;
    }

    fn header(&self) -> String {
        let header =
            report::header(&self.host, self.address.ip(), self.address.port(), self.size, &self.stamps);
        match &self.folder {
            Some(folder) => format!("{header}, recorded in {}", folder.path().display()),
            None => header,
        }
    }

    pub fn line(&self, line: impl Into<String>) {
        self.printer.line(line.into());
    }

    pub fn paragraph(&self, line: &str) {
        self.printer.paragraph(line);
    }

    /// The probes are over: what follows begins on a line of its own.
    pub fn end(&mut self) {
        if self.look.dots {
            self.show_dots();
            self.printer.text("\n".to_owned());
        }
    }

    /// It was heard of now.
    pub fn event(&mut self, event: &Event, ttl: Option<u8>, now: Instant) {
        if self.look.hidden {
            return;
        }
        self.now = now;
        if self.look.status || self.look.dots || self.look.outstanding {
            self.live.event(event);
        }
        if self.look.outstanding {
            self.outstanding.event(event);
        }
        if let Some(warning) = self.lateness.event(event, now) {
            self.notice(warning);
        }
        match event {
            Event::Opened { server, .. } => {
                self.line(self.header());
                if self.embedded {
                    self.line("no host given: measuring a server started here, inside this process");
                }
                if let Some(rate) = server.as_ref().and_then(|server| server.session_rate) {
                    self.line(format!(
                        "the server answers {rate} probes a second at most and refuses the rest"
                    ));
                }
                match server {
                    Some(server) if server.is_clean() => self.line("the server injects nothing"),
                    Some(server) => {
                        let injects = report::injection(&server.injects, Some(server.seed));
                        self.paragraph(&format!("the server injects, {injects}"));
                    }
                    None => self.line(
                        "text dialect: the server does not say what it injects, nor where losses happen",
                    ),
                }
            }
            Event::Reply { seq, rtt, hold, late_by, copy } => {
                let from = self.address.ip();
                let (seq, rtt, hold, late_by, copy) = (*seq, *rtt, *hold, *late_by, *copy);
                let reply = report::Reply { seq, size: self.size, from, ttl, rtt, hold, late_by, copy };
                self.probe_line(|| report::reply(&reply));
            }
            Event::Overdue { seq } => self.probe_line(|| report::overdue(*seq)),
            Event::NotSent { seq, why } => self.probe_line(|| report::not_sent(*seq, &in_words(why))),
            Event::AtFloor { seq, interval } => {
                self.notice(format!("from seq={seq} on the interval stays at its floor, {interval}"));
            }
            Event::Suspended { first_seq, probes, late } => self.notice(format!(
                "this host stood still for {}: {probes} probes from seq={first_seq} on were not sent",
                milliseconds(*late)
            )),
            Event::Forgotten { .. } => self.notice("session lost (server restarted?); reconnecting"),
            Event::Reopened { first_seq, .. } => self.notice(format!("open again from seq={first_seq} on")),
            Event::Unreachable { .. } => self.notice("ICMP port unreachable; continuing"),
            Event::PathError { why, .. } => self.notice(format!("no way to the server: {why}; going on")),
            Event::ServerMoved { remote, .. } => self.notice(format!(
                "the server sends from {remote} now, which is not the address that is measured"
            )),
            Event::NotClean { seq, .. } => self.notice(format!(
                "the server says that it injects nothing, but dropped or held seq={seq} on purpose"
            )),
            Event::ImpossibleTimes { seq, .. } => self.notice(format!(
                "the server's times in the reply to seq={seq} are impossible (damaged on the way?); left out of all figures"
            )),
            Event::StopAnswered { obeyed: true } => self.notice("the server stops"),
            Event::StopAnswered { obeyed: false } => {
                self.notice("the server does not let itself be stopped; it would with --allow-stop");
            }
            Event::Unexpected { counters, .. } => {
                self.notice(format!("stray datagrams: {}", notes::strays(counters)))
            }
            Event::Asking { probes, skippable, .. } => {
                let skip = if *skippable { "; Ctrl-C skips this" } else { "" };
                self.notice(format!("asking the server what became of {probes} probes, for up to 3 s{skip}"));
            }
            Event::Waiting(why) => {
                self.notice(format!("no answer from {} yet ({why}); asking until there is one", self.address))
            }
            Event::Started { .. } | Event::Resolved(_) | Event::Failed(_) | Event::Finished => {}
        }
    }

    pub fn second(&self, second: &Second) {
        if self.crowded && !self.look.quiet && !self.look.hidden {
            self.line(report::second_line(second));
        }
    }

    pub fn clock_step(&mut self, by: Duration) {
        self.notice(format!(
            "the clock of this host was set by {}; no delay is taken from it",
            milliseconds(by)
        ));
    }

    pub fn told_less(&mut self, what: &str) {
        self.notice(what);
    }

    /// Time has passed; so many probes are in the engine, if it said so.
    pub fn tick(&mut self, now: Instant, in_engine: Option<usize>) {
        if self.look.hidden {
            return;
        }
        self.now = now;
        if now - self.window >= Duration::from_secs(1) {
            self.window = now;
            self.lines = 0;
        }
        self.tell_left_out();
        self.live.tick(now, in_engine);
        if self.look.outstanding {
            for seq in self.outstanding.launched(self.live.launched()) {
                self.probe_line(|| report::outstanding(seq));
            }
        }
        if self.look.dots {
            self.show_dots();
        } else if self.look.status && self.live.now().elapsed.is_some() {
            self.printer.status(status(self.live.now()));
        }
    }

    /// Everything is printed by then.
    pub fn finish(self) -> anyhow::Result<()> {
        places::finish(self.printer)
    }

    /// Prints what it can at once.
    pub fn leave(self, patience: Duration) {
        self.printer.leave(patience);
    }

    fn show_dots(&mut self) {
        let now = self.live.now();
        // What cannot be erased is printed when it is certain.
        let wanted = if self.look.terminal { now.sent.saturating_sub(now.received()) } else { now.missed };
        let dots = self.dots.show(wanted);
        self.printer.text(dots);
    }

    fn notice(&mut self, text: impl Into<String>) {
        if self.look.quiet || self.look.hidden {
            return;
        }
        self.tell_left_out();
        if self.notices.admits(self.now) {
            self.remark(text);
        }
    }

    fn tell_left_out(&mut self) {
        if let Some(count) = self.notices.tell(self.now) {
            self.remark(format!("{count} more remarks within that second"));
        }
    }

    fn remark(&mut self, text: impl Into<String>) {
        if self.dots.interrupt() {
            self.printer.text("\n".to_owned());
        }
        self.line(text);
    }

    fn probe_line(&mut self, line: impl FnOnce() -> String) {
        if self.look.quiet || self.look.dots || self.crowded {
            return;
        }
        self.lines += 1;
        if self.lines > Self::MOST_LINES {
            self.crowded = true;
            self.line("more than 50 lines a second: a line a second from here on");
            return;
        }
        let at = if self.look.timestamps { stamp(self.now) } else { String::new() };
        self.line(at + &line());
    }
}

/// As `ping -D` has it.
fn stamp(now: Instant) -> String {
    let micros = now.as_nanos() / 1000;
    format!("[{}.{:06}] ", micros / 1_000_000, micros % 1_000_000)
}
