//! The page of `/probe?debug=true`, in the order of blackbox_exporter: a log of the probe, its metrics, and the module.

use std::fmt::Display;

use crate::fleet::Group;
use crate::live::SingleProbing;
use crate::net::Clock;
use crate::probe::{Event, Outcome};
use crate::time::Instant;

/// Lines of one probe in logfmt, with their time from its begin.
pub(super) struct ProbeLog {
    clock: Clock,
    began: Instant,
    lines: Vec<String>,
}

impl ProbeLog {
    pub(super) fn new(clock: Clock, began: Instant) -> Self {
        Self { clock, began, lines: Vec::new() }
    }

    /// Fields are `name=value`, each behind a space.
    pub(super) fn info(&mut self, message: &str, fields: impl Display) {
        self.line("info", message, fields);
    }

    pub(super) fn error(&mut self, message: &str, fields: impl Display) {
        self.line("error", message, fields);
    }

    /// Text of other hosts is in quotes, with control characters escaped.
    fn line(&mut self, level: &str, message: &str, fields: impl Display) {
        let seconds = (self.clock.now() - self.began).as_secs_f64();
        self.lines.push(format!("seconds={seconds:.6} level={level} msg={message:?}{fields}"));
    }

    pub(super) fn observe(&mut self, event: &Event) {
        match event {
            Event::Opened { server, .. } => {
                let injects = server.injects.as_deref().unwrap_or("unknown");
                let fields = format!(
                    " dialect={} injects={injects:?} name={:?}",
                    server.dialect.name(),
                    server.host.name
                );
                self.info("Session opened", fields);
            }
            Event::Reply { seq, rtt, copy, .. } => {
                let fields = format!(" seq={seq} rtt_seconds={} copy={copy}", rtt.as_secs_f64());
                self.info("Reply", fields);
            }
            Event::Resolved(probe) if probe.outcome == Outcome::Lost => {
                let cause = probe.cause.map_or("unknown", |cause| cause.label());
                self.error("Probe lost", format!(" seq={} cause={cause}", probe.seq));
            }
            Event::NotSent { seq, .. } => self.error("Probe not sent", format!(" seq={seq}")),
            Event::Unreachable { .. } => self.error("ICMP port unreachable", ""),
            Event::Failed(failure) => self.error(&failure.to_string(), ""),
            _ => {}
        }
    }

    pub(super) fn end(&mut self, probing: &SingleProbing) {
        let fields = format!(" duration_seconds={}", probing.duration.as_secs_f64());
        match probing.has_succeeded() {
            true => self.info("Probe succeeded", fields),
            false => self.error("Probe failed", fields),
        }
    }

    /// The answer to the request.
    pub(super) fn page(&self, metrics: &str, group: &Group) -> String {
        let dscp = group.dscp.map_or(String::new(), |dscp| format!("dscp = {dscp}\n"));
        let module = format!(
            "name = {:?}\ndialect = \"{}\"\nsize = {}\n{dscp}deadline = \"{}\"\n",
            group.name,
            group.dialect.name(),
            group.size,
            group.deadline
        );
        format!(
            "Logs for the probe:\n{}\n\n\n\nMetrics that would have been returned:\n{metrics}\n\n\nModule configuration:\n{module}",
            self.lines.join("\n")
        )
    }
}
