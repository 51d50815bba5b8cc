//! What a person sees while a run goes on: a line a probe, or a line a second when there are many.

use super::notes::{self, in_words};
use super::places;
use super::plan::Peer;
use crate::cli::printer::{Printer, remark};
use crate::probe::Event;
use crate::record::Summary;
use crate::report::{self, milliseconds};
use crate::stats::Second;
use crate::time::{Duration, Instant};

pub struct Screen {
    printer: Printer,
    address: std::net::SocketAddr,
    host: String,
    embedded: bool,
    size: u32,
    quiet: bool,
    /// Lines since `window` began.
    lines: u32,
    window: Instant,
    /// Too many probes for a line each.
    crowded: bool,
}

impl Screen {
    /// More lines than this in a second are no use to anybody.
    const MOST_LINES: u32 = 50;

    pub fn new(printer: Printer, peer: &Peer, size: u32, quiet: bool) -> Self {
        Self {
            printer,
            address: peer.address,
            host: peer.host.clone(),
            embedded: peer.embedded,
            size,
            quiet,
            lines: 0,
            window: Instant::ZERO,
            crowded: false,
        }
    }

    pub fn line(&self, line: impl Into<String>) {
        self.printer.line(line);
    }

    pub fn event(&mut self, event: &Event, ttl: Option<u8>) {
        match event {
            Event::Opened { server, .. } => {
                let (ip, port) = (self.address.ip(), self.address.port());
                if self.embedded {
                    self.line("no host given: measuring a server started here, inside this process");
                }
                self.line(report::header(&self.host, ip, port, self.size));
                if let Some(rate) = server.as_ref().and_then(|server| server.session_rate) {
                    self.line(format!(
                        "the server answers {rate} probes a second at most and refuses the rest"
                    ));
                }
                match server {
                    Some(server) if server.is_clean() => self.line("the server injects nothing"),
                    Some(server) => {
                        let injects = report::injection(&server.injects, Some(server.seed));
                        let line = format!("the server injects, {injects}");
                        report::wrapped(&line, 79).into_iter().for_each(|line| self.line(line));
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
            Event::Forgotten { .. } => {
                self.notice("the server has forgotten us, so it was restarted: opening again")
            }
            Event::Reopened { first_seq, .. } => self.notice(format!("open again from seq={first_seq} on")),
            Event::Unreachable { .. } => self.notice("nobody listens there any more (ICMP); going on"),
            Event::StopAnswered { obeyed: true } => self.notice("the server stops"),
            Event::StopAnswered { obeyed: false } => {
                self.notice("the server does not let itself be stopped; it would with --allow-stop");
            }
            Event::Strays { counters, .. } => {
                self.notice(format!("stray datagrams: {}", notes::strays(counters)))
            }
            Event::Started { .. } | Event::Resolved(_) | Event::Failed(_) | Event::Finished => {}
        }
    }

    pub fn second(&self, second: &Second) {
        if self.crowded && !self.quiet {
            self.line(report::second_line(second));
        }
    }

    pub fn clock_step(&self, by: Duration) {
        self.notice(format!(
            "the clock of this host was set by {}; no delay is taken from it",
            milliseconds(by)
        ));
    }

    pub fn tick(&mut self, now: Instant) {
        if now - self.window >= Duration::from_secs(1) {
            self.window = now;
            self.lines = 0;
        }
    }

    pub fn interim(&self, summary: &Summary) {
        remark(report::interim(summary));
    }

    /// Everything is printed by then.
    pub fn finish(self) -> anyhow::Result<()> {
        places::finish(self.printer)
    }

    /// Prints what it can at once.
    pub fn leave(self, patience: Duration) {
        self.printer.leave(patience);
    }

    fn notice(&self, text: impl Into<String>) {
        if !self.quiet {
            self.line(text);
        }
    }

    fn probe_line(&mut self, line: impl FnOnce() -> String) {
        if self.quiet || self.crowded {
            return;
        }
        self.lines += 1;
        if self.lines > Self::MOST_LINES {
            self.crowded = true;
            self.line("more than 50 lines a second: a line a second from here on");
            return;
        }
        self.line(line());
    }
}
