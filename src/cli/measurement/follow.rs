//! Follows a run on the recording thread: from the event queue into the record and to the views, until it is over.

use std::sync::atomic::{AtomicBool, Ordering};

use super::config::{add_server, tx_stamps};
use super::event_queue::{EventQueue, Taken};
use super::host_figures::HostFigures;
use super::run_events::RunEvents;
use super::timestamps::rfc3339;
use super::views::Views;
use crate::cli::output::{Completed, Recorder};
use crate::net::{Clock, Observation};
use crate::probe::{Event, Failure};
use crate::record::{self, Run, Summary};
use crate::report;
use crate::time::{Duration, Instant};

/// How the client's work ended.
pub(super) enum Ended {
    Over,
    Failed(Failure),
    /// Stopped before the first probe.
    NotStarted,
}

/// A run, its record and its views.
pub(super) struct Follower<'a> {
    run: &'a mut Run,
    recorder: &'a mut Recorder,
    views: &'a mut Views,
    clock: Clock,
    /// Set by a signal that asks for an interim line.
    interim: &'a AtomicBool,
    host: Option<HostFigures>,
    events: RunEvents,
    /// No row waits in a buffer.
    flushed: bool,
    /// Why the run ended early.
    pub socket_failure: Option<String>,
}

impl<'a> Follower<'a> {
    /// Rows are flushed this often.
    const FLUSH: Duration = Duration::from_millis(500);
    /// And after so long without an observation: there may be no tick between probes far apart.
    const IDLE: Duration = Duration::from_millis(50);
    /// The record keeps this many events.
    const MAX_EVENTS: usize = 1000;

    pub(super) fn new(
        run: &'a mut Run,
        recorder: &'a mut Recorder,
        views: &'a mut Views,
        clock: Clock,
        interim: &'a AtomicBool,
        host: Option<HostFigures>,
    ) -> Self {
        let events = RunEvents::default();
        Self { run, recorder, views, clock, interim, host, events, flushed: true, socket_failure: None }
    }

    pub(super) fn until_the_end(&mut self, queue: &EventQueue) -> Ended {
        let mut next_flush = Instant::ZERO;
        while let Some(observations) = self.next(queue) {
            for observation in observations.into_iter().flatten() {
                match observation {
                    Observation::Event { event: Event::Failed(failure), .. } => {
                        return Ended::Failed(failure);
                    }
                    Observation::Event { event, ttl, .. } => self.event(&event, ttl),
                    Observation::ClockStep { at, by, .. } => {
                        self.note(self.events.clock_step(at, by));
                        let by = report::milliseconds(by);
                        self.notice(&format!(
                            "the clock of this host was set by {by}; delays are taken from a steady clock"
                        ));
                    }
                    Observation::TruncatedMetadata { at, datagrams, .. } => {
                        let event = self.events.truncated_metadata(at, datagrams);
                        self.notice(&event.text);
                        self.note(event);
                    }
                    Observation::TxStamps { sent, stamped, .. } => {
                        self.run.stamps.client_send = tx_stamps(sent, stamped);
                    }
                    Observation::SocketFailed { at, why, .. } => {
                        self.note(self.events.socket_failed(at, &why));
                        self.socket_failure = Some(why);
                    }
                    // A run has sockets of its own, and one flow.
                    Observation::FlowPorts { .. } | Observation::SharedSockets { .. } => {}
                    Observation::Tick { now, in_flight } => {
                        if now >= next_flush {
                            self.recorder.flush();
                            next_flush = now + Self::FLUSH;
                        }
                        self.tick(now, Some(in_flight));
                    }
                }
            }
        }
        self.run.hosts = self.host.take().and_then(HostFigures::finish);
        if self.run.started.is_empty() { Ended::NotStarted } else { Ended::Over }
    }

    /// When the first probe was due.
    pub(super) fn zero(&self) -> Instant {
        self.events.zero()
    }

    fn next(&mut self, queue: &EventQueue) -> Option<Vec<Vec<Observation>>> {
        loop {
            let soon = !self.flushed && queue.is_watched();
            let timeout = if soon { Self::IDLE } else { Self::FLUSH };
            let sample = self.host.as_ref().and_then(|host| host.due_in(self.clock.now()));
            match queue.take(sample.map_or(timeout, |sample| timeout.min(sample))) {
                Taken::Some(observations) => {
                    self.flushed = false;
                    self.sample_host();
                    return Some(observations);
                }
                Taken::Nothing => {
                    self.recorder.flush();
                    self.flushed = true;
                    self.sample_host();
                    self.tick(self.clock.now(), None);
                }
                Taken::Over => return None,
            }
        }
    }

    fn sample_host(&mut self) {
        if let Some(host) = &mut self.host {
            host.sample(self.clock.now());
        }
    }

    fn tick(&mut self, now: Instant, in_flight: Option<usize>) {
        if self.interim.swap(false, Ordering::AcqRel) {
            self.views.message(&report::interim(&Summary::of(self.recorder.statistics())));
        }
        let Self { run, recorder, views, .. } = self;
        views.each(|view| view.tick(now, in_flight, run, recorder));
    }

    fn event(&mut self, event: &Event, ttl: Option<u8>) {
        let Self { run, recorder, views, host, clock, .. } = self;
        match event {
            Event::Opened { server, .. } => add_server(run, server),
            Event::Found { finding, .. } => run.knows = run.knows.map(|knows| knows.after(*finding)),
            Event::TlvAnswers(answers) => run.tlvs = Some((**answers).clone()),
            Event::Started { zero } => {
                run.started = rfc3339(*zero);
                recorder.start(run);
                if let Some(host) = host {
                    host.start(*zero);
                }
            }
            Event::Resolved(probe) => {
                if let Some(host) = host {
                    host.probe(probe);
                }
                recorder.probe(probe, |completed| {
                    views.each(|view| match completed {
                        Completed::Second(second) => view.second(second),
                        Completed::Row(row) => view.row(row),
                    });
                });
            }
            Event::Suspended { late, .. } => {
                if let Some(host) = host {
                    host.stalled(clock.now(), *late);
                }
            }
            _ => {}
        }
        self.report_full_record();
        self.events.of(event).into_iter().for_each(|event| self.note(event));
        let now = self.clock.now();
        self.views.each(|view| view.event(event, ttl, now));
    }

    fn notice(&mut self, text: &str) {
        self.views.each(|view| view.notice(text));
    }

    fn note(&mut self, event: record::Event) {
        self.recorder.note(&event);
        if self.run.events.len() < Self::MAX_EVENTS {
            self.run.events.push(event);
        }
    }

    /// Warns once where `probes.csv` stops while the run goes on.
    fn report_full_record(&mut self) {
        if let Some(event) = self.recorder.take_note() {
            self.views.message(&format!("udpecho: warning: {}; the run goes on", event.text));
            self.note(event);
        }
    }
}
