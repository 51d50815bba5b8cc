//! Measures the rate of a path without a socket: two flows to one server, one that loads the path as a
//! rate search says, and one beside it whose delay shows what the load does to others. Deterministic.
//!
//! `Way::Echo` loads both directions with probes that the server sends back whole, so it finds the rate
//! of the slower one.

mod arrivals;
mod lane;

use super::event::{Failure, ServerInfo};
use super::rate_search::{self, Command, LimitedBy, PhaseName, RateResult, RateSearch, Report};
use super::settings::Dialect;
use crate::rng::{Seed, Stream};
use crate::schedule::Pacer;
use crate::time::{Duration, Instant};
use crate::wire::auth::Key;
use arrivals::Arrivals;
use lane::{Heard, Lane, ServerTimes};

/// What is to be measured, and how.
#[derive(Clone, Debug)]
pub struct LoadSettings {
    /// Native, or plain for any echo.
    pub dialect: Dialect,
    /// What each search is asked for.
    pub search: rate_search::Settings,
    /// Bytes of UDP payload of a packet of the load, and of a probe beside it.
    pub size: u32,
    /// The same of a probe of the other flow.
    pub other_size: u32,
    /// Of nonces and tokens.
    pub seed: Seed,
    /// Seals every datagram.
    pub key: Option<Key>,
}

/// The directions that one search loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Both at once.
    Echo,
}

impl Way {
    /// As files and lines name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Echo => "echo",
        }
    }
}

/// A datagram to be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadTransmit {
    /// 0: the flow that loads the path; 1: the one beside it.
    pub channel: usize,
    /// Bytes in the buffer.
    pub length: usize,
}

/// One report, as `rate.csv` has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateRow {
    /// From the start of the test.
    pub at: Duration,
    /// Of which search.
    pub way: Way,
    /// The phase in which the packets were sent.
    pub phase: PhaseName,
    /// Bits a second that were asked for until this report.
    pub asked: f64,
    /// What arrived.
    pub report: Report,
    /// The delay of the idle path, which has the same unknown offset as those of the report.
    pub base: Duration,
    /// The median delay of the other flow since the row before, above the idle path's.
    pub other_p50: Option<Duration>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Of which search.
    pub way: Way,
    /// What it came to.
    pub result: RateResult,
    /// The search's own settings, whose rate the server may have limited.
    pub settings: rate_search::Settings,
}

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
    junk: u64,
}

#[derive(Debug)]
enum Stage {
    SetUp,
    Running(Box<Running>),
    Closing { own: bool, other: bool },
    Done(Result<(), Failure>),
}

/// A search under way.
#[derive(Debug)]
struct Running {
    way: Way,
    search: RateSearch,
    settings: rate_search::Settings,
    grant: bool,
    arrivals: Arrivals,
    pacer: Pacer,
    /// Packets of the present train that are still to leave.
    train: u64,
    next_idle: Instant,
    next_other: Instant,
    next_report: Instant,
    rtt: Duration,
    others: Vec<Duration>,
    drops: Drops,
}

/// What sockets have dropped, as far as it is known.
#[derive(Debug, Default)]
struct Drops {
    client: Option<u64>,
    server: Option<u16>,
}

impl LoadTest {
    /// Sockets needed.
    pub const CHANNELS: usize = 2;
    const OTHER_INTERVAL: Duration = Duration::from_millis(20);

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
            junk: 0,
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

    /// The server, once it has accepted a session; a plain echo says nothing of itself.
    pub fn server(&self) -> Option<&ServerInfo> {
        self.own.server()
    }

    /// What is going on, for a status line.
    pub fn progress(&self) -> Option<(Way, PhaseName, f64)> {
        let Stage::Running(running) = &self.stage else { return None };
        let rate = match running.search.command() {
            Command::Load { rate } => rate,
            _ => 0.0,
        };
        Some((running.way, running.search.phase(), rate))
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

    /// Ends the test with what is known.
    pub fn stop(&mut self) {
        if let Stage::Running(running) = &mut self.stage {
            running.search.stop();
            self.note_end();
        } else if matches!(self.stage, Stage::SetUp) {
            self.stage = Stage::Done(Ok(()));
        }
    }

    /// ICMP says that nobody listens, or the system that it cannot send.
    pub fn failed(&mut self, failure: Failure) {
        match self.stage {
            Stage::SetUp => self.stage = Stage::Done(Err(failure)),
            Stage::Running(_) => self.stop(),
            _ => {}
        }
    }

    /// A packet of the load could not be sent.
    pub fn send_failed(&mut self, transmit: &LoadTransmit) {
        if let (Stage::Running(running), 0) = (&mut self.stage, transmit.channel) {
            running.search.missed(1, Duration::ZERO);
        }
    }

    /// What the socket of the load has dropped so far because its buffer was full.
    pub fn note_drops(&mut self, drops: u64) {
        if let Stage::Running(running) = &mut self.stage {
            let before = running.drops.client.replace(drops).unwrap_or(drops);
            running.search.missed(drops.saturating_sub(before), Duration::ZERO);
        }
    }

    /// Takes a datagram that was received on one of the sockets.
    pub fn handle(&mut self, received: Instant, channel: usize, datagram: &[u8]) {
        let lane = if channel == 0 { &mut self.own } else { &mut self.other };
        let heard = lane.hear(received, datagram);
        match (heard, &mut self.stage) {
            (Heard::Failed(failure), Stage::SetUp) => self.stage = Stage::Done(Err(failure)),
            (Heard::Ready, Stage::SetUp) => self.begin_if_ready(received),
            (Heard::Reply { seq, sent, server }, Stage::Running(running)) if received >= sent => {
                if running.search.phase() == PhaseName::Idle {
                    self.idle_rtts.push(received - sent);
                }
                if channel == 0 {
                    running.hear_own(received, seq, sent, server);
                } else {
                    running.hear_other(received, received - sent);
                }
                self.note_end();
            }
            (Heard::Forgotten, Stage::Running(_)) => self.stop(),
            (Heard::Junk, _) => self.junk += 1,
            _ => {}
        }
    }

    fn begin_if_ready(&mut self, now: Instant) {
        if !self.own.is_ready() || !self.other.is_ready() {
            return;
        }
        let mut settings = self.settings.search;
        let granted = self.own.server().and_then(|server| server.session_rate);
        let granted = granted.map(|packets| f64::from(packets) * f64::from(settings.packet) * 8.0);
        let grant = granted.is_some_and(|granted| granted < settings.max_rate);
        settings.max_rate = settings.max_rate.min(granted.unwrap_or(f64::INFINITY));
        self.stage = Stage::Running(Box::new(Running::new(Way::Echo, settings, grant, now)));
    }

    /// When to call `handle_timeout` and `poll_transmit` next, unless a datagram comes first.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.stage {
            Stage::SetUp => [&self.own, &self.other].into_iter().filter_map(Lane::setup_timeout).min(),
            Stage::Running(running) => running.poll_timeout(),
            Stage::Closing { .. } => Some(self.started),
            Stage::Done(_) => None,
        }
    }

    /// Tells the search what has arrived, and ends what is over.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.stage {
            Stage::SetUp => {
                if let Some(failure) = self.own.setup_failure(now).or(self.other.setup_failure(now)) {
                    self.stage = Stage::Done(Err(failure));
                }
            }
            Stage::Running(running) => {
                let asked = running.asked();
                if let Some((phase, report)) = running.report_if_due(now) {
                    let (way, other_p50) = (running.way, running.take_other_p50());
                    let at = now - self.started;
                    let base = running.search.base();
                    self.rows.push(RateRow { at, way, phase, asked, report, base, other_p50 });
                }
                running.search.handle_timeout(now);
                self.note_end();
            }
            _ => {}
        }
    }

    /// The next datagram that is due.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<LoadTransmit> {
        let transmit = |channel, length| Some(LoadTransmit { channel, length });
        match &mut self.stage {
            Stage::SetUp => {
                if let Some(length) = self.own.setup(now, buffer) {
                    return transmit(0, length);
                }
                transmit(1, self.other.setup(now, buffer)?)
            }
            Stage::Running(running) => {
                if running.other_is_due(now) {
                    return transmit(1, self.other.probe(now, buffer));
                }
                if running.own_is_due(now, self.own.size()) {
                    return transmit(0, self.own.probe(now, buffer));
                }
                None
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

    /// Keeps the result of a search that is done.
    fn note_end(&mut self) {
        let Stage::Running(running) = &self.stage else { return };
        let Some(result) = running.search.result() else { return };
        let mut result = result.clone();
        if running.grant && result.limited_by == Some(LimitedBy::MaxRate) {
            result.limited_by = Some(LimitedBy::Grant);
        }
        self.found.push(Found { way: running.way, result, settings: running.settings });
        self.stage = Stage::Closing { own: true, other: true };
    }
}

impl Running {
    const TRAIN_BYTES: u64 = 8_000;

    fn new(way: Way, settings: rate_search::Settings, grant: bool, now: Instant) -> Self {
        Self {
            way,
            search: RateSearch::new(settings, now),
            settings,
            grant,
            arrivals: Arrivals::new(now),
            pacer: Pacer::new(now),
            train: 0,
            next_idle: now,
            next_other: now,
            next_report: now,
            rtt: Duration::ZERO,
            others: Vec::new(),
            drops: Drops::default(),
        }
    }

    fn asked(&self) -> f64 {
        match self.search.command() {
            Command::Load { rate } => rate,
            _ => 0.0,
        }
    }

    /// Seconds from packet to packet.
    fn gap(&self) -> f64 {
        f64::from(self.settings.packet) * 8.0 / self.asked()
    }

    fn hear_own(&mut self, now: Instant, seq: u64, sent: Instant, server: Option<ServerTimes>) {
        let delay = now - sent;
        if !self.arrivals.add(seq, now, delay, u64::from(self.settings.packet)) {
            return;
        }
        if let Some(server) = server {
            let before = self.drops.server.replace(server.drops).unwrap_or(server.drops);
            self.search.server_missed(u64::from(server.drops.wrapping_sub(before)));
        }
        if matches!(self.search.command(), Command::Idle { .. }) {
            self.arrivals.take();
            self.rtt = if self.rtt == Duration::ZERO { delay } else { self.rtt.min(delay) };
            self.search.idle_delay(now, delay);
        }
    }

    fn hear_other(&mut self, now: Instant, delay: Duration) {
        if let Some(queue) = self.search.other_delay(now, delay) {
            self.others.push(queue);
        }
    }

    fn take_other_p50(&mut self) -> Option<Duration> {
        self.others.sort_unstable();
        let median = self.others.get(self.others.len() / 2).copied();
        self.others.clear();
        median
    }

    /// Tells the search what has arrived; the phase is the one that it belongs to.
    fn report_if_due(&mut self, now: Instant) -> Option<(PhaseName, Report)> {
        if now < self.next_report || self.arrivals.is_empty() || self.asked() == 0.0 {
            return None;
        }
        let phase = self.search.phase();
        let gap = self.gap();
        let report = self.arrivals.take()?;
        self.search.report(now, &report);
        self.next_report = now + self.search.report_interval(self.rtt);
        if self.asked() > 0.0 && self.gap() < gap {
            self.pacer.hurry(now, self.gap());
        }
        Some((phase, report))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let report = (!self.arrivals.is_empty() && self.asked() > 0.0).then_some(self.next_report);
        let own = match self.search.command() {
            Command::Idle { .. } => Some(self.next_idle),
            Command::Load { .. } => Some(self.pacer.next_due()),
            Command::Done => None,
        };
        let other = self.search.wants_other().then_some(self.next_other);
        [report, own, other, self.search.poll_timeout()].into_iter().flatten().min()
    }

    fn other_is_due(&mut self, now: Instant) -> bool {
        let is_due = self.search.wants_other() && now >= self.next_other;
        if is_due {
            self.next_other = now + LoadTest::OTHER_INTERVAL;
        }
        is_due
    }

    fn own_is_due(&mut self, now: Instant, size: u32) -> bool {
        match self.search.command() {
            Command::Done => false,
            Command::Idle { interval } => {
                let is_due = now >= self.next_idle;
                if is_due {
                    self.next_idle = now + interval;
                    self.pacer = Pacer::new(self.next_idle);
                }
                is_due
            }
            Command::Load { .. } => {
                if self.train == 0 {
                    self.train = self.next_train(now, size);
                }
                let is_due = self.train > 0;
                self.train -= u64::from(is_due);
                is_due
            }
        }
    }

    fn next_train(&mut self, now: Instant, size: u32) -> u64 {
        let (missed, late_by) = (self.pacer.missed(), now - self.pacer.next_due());
        let train = self.pacer.take(now, self.gap(), Self::TRAIN_BYTES / u64::from(size));
        let missed = self.pacer.missed() - missed;
        if missed > 0 {
            self.search.missed(missed, late_by);
        }
        train
    }
}
