//! Measures the rate of a path: two flows to one server, one that loads the path as a rate search says, and one
//! beside it whose delay shows what the load does to others.
//!
//! `Way::Echo` loads both directions with probes that the server sends back whole, so it finds the rate of the
//! slower one. `Way::Up` and `Way::Down` load one direction, with a server that grants it.

use super::lane::{Heard, Lane};
use super::pulls::Pulls;
use super::running::{Plan, Running};
use super::search::{Found, LoadSettings, RateRow, Way};
use super::{LoadMachine, LoadTransmit};
use crate::probe::event::{Failure, ServerInfo};
use crate::probe::rate_search::{LimitedBy, PhaseName, RateSearch, Report};
use crate::probe::retry::Retry;
use crate::rng::Stream;
use crate::time::{Duration, Instant};
use crate::wire::native::LoadReport;

/// A test of one server.
#[derive(Debug)]
pub struct LoadTest {
    settings: LoadSettings,
    started: Instant,
    own: Lane,
    other: Lane,
    stage: Stage,
    found: Vec<Found>,
    rows: Vec<RateRow>,
    idle_rtts: Vec<Duration>,
    cut_short: Option<CutShort>,
}

/// Why a test ended before all of it was measured.
#[derive(Clone, Debug, PartialEq)]
pub enum CutShort {
    /// It was stopped.
    Stopped,
    /// The server did not answer any more.
    Failed(Failure),
}

#[derive(Debug)]
enum Stage {
    SetUp,
    Asking(Box<Asking>),
    Running(Box<Running>),
    Closing { own: bool, other: bool },
    Done(Result<(), Failure>),
}

/// Asks the server for the load, and waits for as long as another client has it.
#[derive(Debug)]
struct Asking {
    since: Instant,
    pulls: Pulls,
    retry: Retry,
    /// The flow beside keeps its session meanwhile.
    next_other: Instant,
    is_busy: bool,
}

impl LoadTest {
    const TRIES: u32 = 5;
    const LONGEST_WAIT: Duration = Duration::from_secs(60);
    const KEEP: Duration = Duration::from_secs(5);
    /// Of the question for the load; the searches follow.
    const QUESTION: u32 = 1;

    /// Ready to begin.
    pub fn new(settings: LoadSettings, now: Instant) -> Self {
        let seeds = Stream::new(settings.seed, "lanes");
        let lane =
            |size, index| Lane::new(settings.dialect, size, settings.key.clone(), seeds.seed(index), now);
        Self {
            own: lane(settings.size, 0),
            other: lane(settings.other_size, 1),
            settings,
            started: now,
            stage: Stage::SetUp,
            found: Vec::new(),
            rows: Vec::new(),
            idle_rtts: Vec::new(),
            cut_short: None,
        }
    }

    /// The searches that are complete.
    pub fn found(&self) -> &[Found] {
        &self.found
    }

    /// The end, once it has come.
    pub fn outcome(&self) -> Option<&Result<(), Failure>> {
        match &self.stage {
            Stage::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Why it ended before all of it was measured.
    pub fn cut_short(&self) -> Option<&CutShort> {
        self.cut_short.as_ref()
    }

    /// The server, once it has accepted a session; a plain echo says nothing of itself.
    pub fn server(&self) -> Option<&ServerInfo> {
        self.own.server()
    }

    /// Direction, phase and rate of the search under way, for a status line.
    pub fn progress(&self) -> Option<(Way, PhaseName, f64)> {
        let Stage::Running(running) = &self.stage else { return None };
        Some((running.way, running.search.phase(), running.asked()))
    }

    /// Whether another client has the server's load.
    pub fn is_waiting(&self) -> bool {
        matches!(&self.stage, Stage::Asking(asking) if asking.is_busy)
    }

    /// A row for each report so far.
    pub fn rows(&self) -> &[RateRow] {
        &self.rows
    }

    /// The 50th and 95th percentile of the idle path, by both flows.
    pub fn idle_rtt(&self) -> Option<[Duration; 2]> {
        let mut sorted = self.idle_rtts.clone();
        sorted.sort_unstable();
        let at = |percent: usize| sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied();
        Some([at(50)?, at(95)?])
    }

    fn begin_if_ready(&mut self, now: Instant) {
        if !self.own.is_ready() || !self.other.is_ready() {
            return;
        }
        if self.settings.ways == [Way::Echo] {
            let packets = self.own.server().and_then(|server| server.session_rate);
            let packet = f64::from(self.settings.search.packet);
            let granted = packets.map_or(f64::INFINITY, |packets| f64::from(packets) * packet * 8.0);
            return self.begin(granted, now);
        }
        if self.own.server().is_some_and(|server| server.grants_load) {
            let (pulls, retry) = (Pulls::new(now), Retry::new(now));
            let asking = Asking { since: now, pulls, retry, next_other: now, is_busy: false };
            self.stage = Stage::Asking(Box::new(asking));
        } else {
            self.stage = Stage::Done(Err(Failure::LoadRefused));
        }
    }

    /// Begins the next search; `granted` is the most that the server allows, in bits a second on the path.
    fn begin(&mut self, granted: f64, now: Instant) {
        let LoadSettings { ways, mut search, size, .. } = self.settings.clone();
        let done = self.found.len();
        let Some(way) = ways.get(done).copied() else {
            self.stage = Stage::Closing { own: true, other: true };
            return;
        };
        let is_limited = granted < search.max_rate;
        search.max_rate = search.max_rate.min(granted);
        let spent = self.found.iter().map(|found| found.result.bytes).sum();
        search.max_bytes = search.max_bytes.saturating_sub(spent) / (ways.len() - done) as u64;
        let phase = Self::QUESTION + 1 + done as u32;
        let plan = Plan { way, phase, settings: search, is_limited, size, tag: self.own.tag() };
        self.stage = Stage::Running(Box::new(Running::new(plan, now)));
    }

    /// The server says what it grants.
    fn hear_grant(&mut self, now: Instant, report: &LoadReport) {
        let Stage::Asking(asking) = &mut self.stage else { return };
        if report.limit == 0 {
            self.stage = Stage::Done(Err(Failure::LoadRefused));
        } else if !report.busy {
            let LoadSettings { search, size, .. } = &self.settings;
            let granted = report.limit as f64 * f64::from(search.packet) / f64::from(*size);
            if granted < RateSearch::LEAST_RATE {
                self.stage = Stage::Done(Err(Failure::LoadRefused));
            } else {
                self.begin(granted, now);
            }
        } else if now - asking.since > Self::LONGEST_WAIT {
            self.stage = Stage::Done(Err(Failure::LoadBusy { after: now - asking.since }));
        } else {
            asking.is_busy = true;
            asking.retry = Retry::every_second(now);
            asking.retry.tried(now);
        }
    }

    fn hear_own(&mut self, now: Instant, heard: Heard) {
        let Stage::Running(running) = &mut self.stage else { return };
        match heard {
            Heard::Reply { seq, sent, server } if now >= sent => {
                if running.search.phase() == PhaseName::Idle {
                    self.idle_rtts.push(now - sent);
                }
                running.hear_echo(now, seq, sent, server);
            }
            Heard::Push(push, bytes) => running.hear_push(now, &push, bytes),
            Heard::Report(report) if report.limit == 0 => {
                return self.end(now, CutShort::Failed(Failure::LoadRefused));
            }
            Heard::Report(report) if report.busy => {
                return self.end(now, CutShort::Failed(Failure::LoadBusy { after: Duration::ZERO }));
            }
            Heard::Report(report) => {
                let asked = running.asked();
                let told = running.hear_report(now, &report);
                self.note_row(now, asked, told);
            }
            _ => {}
        }
        self.note_end(now);
    }

    fn hear_other(&mut self, now: Instant, heard: &Heard) {
        let (Stage::Running(running), Heard::Reply { sent, server, .. }) = (&mut self.stage, heard) else {
            return;
        };
        if now >= *sent {
            if running.search.phase() == PhaseName::Idle {
                self.idle_rtts.push(now - *sent);
            }
            running.hear_other(now, *sent, *server);
            self.note_end(now);
        }
    }

    fn note_row(&mut self, now: Instant, asked: f64, told: Option<(PhaseName, Report)>) {
        if let (Stage::Running(running), Some((phase, report))) = (&mut self.stage, told) {
            let (way, base, other_p50) = (running.way, running.search.base(), running.take_other_p50());
            self.rows.push(RateRow { at: now - self.started, way, phase, asked, report, base, other_p50 });
        }
    }

    /// Keeps the result of a search that is done, and begins the next one.
    fn note_end(&mut self, now: Instant) {
        let Stage::Running(running) = &self.stage else { return };
        let Some(result) = running.search.result() else { return };
        let mut result = result.clone();
        if running.is_limited && result.limited_by == Some(LimitedBy::MaxRate) {
            result.limited_by = Some(LimitedBy::Grant);
        }
        let granted = if running.is_limited { running.settings.max_rate } else { f64::INFINITY };
        let is_known = result.rate > 0.0 || result.limited_by.is_some();
        if result.silent || !is_known {
            let after = RateSearch::LONGEST_SILENCE;
            self.cut_short.get_or_insert(CutShort::Failed(Failure::Silent { tries: 1, after }));
        }
        if is_known {
            self.found.push(Found { way: running.way, result, settings: running.settings });
        }
        if self.cut_short.is_some() {
            self.settings.ways.truncate(self.found.len());
        }
        self.begin(granted, now);
    }

    /// Ends it with what is known.
    fn end(&mut self, now: Instant, why: CutShort) {
        if let Stage::Running(running) = &mut self.stage {
            running.search.stop();
            self.cut_short = Some(why);
            self.note_end(now);
        } else if matches!(self.stage, Stage::SetUp | Stage::Asking(_)) {
            self.cut_short = Some(why);
            self.stage = Stage::Closing { own: self.own.is_ready(), other: self.other.is_ready() };
        }
    }
}

impl LoadMachine for LoadTest {
    const CHANNELS: usize = 2;

    fn is_done(&self) -> bool {
        self.outcome().is_some()
    }

    fn stop(&mut self, now: Instant) {
        self.end(now, CutShort::Stopped);
    }

    fn failed(&mut self, now: Instant, failure: Failure) {
        match self.stage {
            Stage::SetUp | Stage::Asking(_) => self.stage = Stage::Done(Err(failure)),
            Stage::Running(_) => self.end(now, CutShort::Failed(failure)),
            _ => {}
        }
    }

    fn send_failed(&mut self, transmit: &LoadTransmit) {
        if let (Stage::Running(running), 0) = (&mut self.stage, transmit.channel) {
            running.search.missed(1, Duration::ZERO);
        }
    }

    fn note_drops(&mut self, drops: u64) {
        if let Stage::Running(running) = &mut self.stage {
            running.note_drops(drops);
        }
    }

    fn handle(&mut self, received: Instant, channel: usize, datagram: &[u8]) {
        let lane = if channel == 0 { &mut self.own } else { &mut self.other };
        match lane.hear(received, datagram) {
            Heard::Failed(failure) if matches!(self.stage, Stage::SetUp) => {
                self.stage = Stage::Done(Err(failure));
            }
            Heard::Ready if matches!(self.stage, Stage::SetUp) => self.begin_if_ready(received),
            Heard::Report(report) if matches!(self.stage, Stage::Asking(_)) => {
                self.hear_grant(received, &report)
            }
            Heard::Forgotten => {
                self.end(received, CutShort::Failed(Failure::Silent { tries: 1, after: Duration::ZERO }));
            }
            heard if channel == 0 => self.hear_own(received, heard),
            heard => self.hear_other(received, &heard),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match &self.stage {
            Stage::SetUp => [&self.own, &self.other].into_iter().filter_map(Lane::setup_timeout).min(),
            Stage::Asking(asking) => Some(asking.retry.next().min(asking.next_other)),
            Stage::Running(running) => running.poll_timeout(),
            Stage::Closing { .. } => Some(self.started),
            Stage::Done(_) => None,
        }
    }

    /// Tells the search what has arrived, and ends what is over.
    fn handle_timeout(&mut self, now: Instant) {
        match &mut self.stage {
            Stage::SetUp => {
                if let Some(failure) = self.own.setup_failure(now).or(self.other.setup_failure(now)) {
                    self.stage = Stage::Done(Err(failure));
                }
            }
            Stage::Asking(asking) => {
                if let Some(failure) = asking.retry.failure(Self::TRIES, now) {
                    self.stage = Stage::Done(Err(failure));
                }
            }
            Stage::Running(running) => {
                let asked = running.asked();
                let told = running.report_if_due(now);
                running.search.handle_timeout(now);
                self.note_row(now, asked, told);
                self.note_end(now);
            }
            _ => {}
        }
    }

    fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<LoadTransmit> {
        let transmit = |channel, length| Some(LoadTransmit { channel, length });
        match &mut self.stage {
            Stage::SetUp => {
                if let Some(length) = self.own.setup(now, buffer) {
                    return transmit(0, length);
                }
                transmit(1, self.other.setup(now, buffer)?)
            }
            Stage::Asking(asking) => {
                if now >= asking.next_other {
                    asking.next_other = now + Self::KEEP;
                    return transmit(1, self.other.probe(now, buffer));
                }
                if !asking.retry.is_due(now) {
                    return None;
                }
                asking.retry.tried(now);
                let question = asking.pulls.question(self.own.token()?, Self::QUESTION);
                transmit(0, self.own.pull(&question, buffer))
            }
            Stage::Running(running) => {
                if running.other_is_due(now) {
                    return transmit(1, self.other.probe(now, buffer));
                }
                transmit(0, running.own(now, &mut self.own, buffer)?)
            }
            Stage::Closing { own, other } => {
                let closes = [(own, &self.own), (other, &self.other)];
                for (channel, (is_open, lane)) in closes.into_iter().enumerate() {
                    if std::mem::take(is_open)
                        && let Some(length) = lane.close(buffer)
                    {
                        return transmit(channel, length);
                    }
                }
                self.stage = Stage::Done(Ok(()));
                None
            }
            Stage::Done(_) => None,
        }
    }
}
