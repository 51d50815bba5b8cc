//! Errors of the proxy's sockets on stderr, printed by a thread of its own: ten lines a second, and how many more.

use crate::cli::log_limit::LogLimit;
use crate::cli::printer::Printer;
use crate::net::RelayObservation;
use crate::time::{Duration, Instant};

pub(super) struct ErrorLog {
    printer: Printer,
    limit: LogLimit,
    /// Of the mappings.
    names: Vec<String>,
}

impl ErrorLog {
    const LINES: u32 = 10;
    /// For a reader that has stopped reading.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// With a full screen errors are only counted.
    pub(super) fn start(full_screen: bool) -> std::io::Result<Self> {
        let printer = if full_screen { Printer::silent() } else { Printer::stderr()? };
        Ok(Self { printer, limit: LogLimit::new(Self::LINES), names: Vec::new() })
    }

    pub(super) fn note(&mut self, observation: &RelayObservation) {
        match observation {
            RelayObservation::MappingAdded { name, .. } => self.names.push(name.clone()),
            RelayObservation::SocketError { mapping, flow, at, why } => {
                self.tell_suppressed(*at);
                if self.limit.admits(*at) {
                    let name = self.names.get(*mapping).map_or("", String::as_str);
                    let flow = flow.map_or(String::new(), |flow| format!(", flow {}", flow.ordinal()));
                    self.printer.line(format!("udpecho: {name}{flow}: {why}"));
                }
            }
            _ => {}
        }
    }

    pub(super) fn finish(mut self) {
        self.tell_suppressed(Instant::FAR_FUTURE);
        self.printer.leave(Self::PATIENCE);
    }

    fn tell_suppressed(&mut self, now: Instant) {
        if let Some(count) = self.limit.take_suppressed(now) {
            self.printer.line(format!("udpecho: {count} more socket errors within that second"));
        }
    }
}
