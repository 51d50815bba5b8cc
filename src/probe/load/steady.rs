//! A steady load, up, down or both at once, beside other measurements of the same path.

use super::differences::Differences;
use super::lane::{Heard, Lane};
use super::pulls::Pulls;
use super::{LoadMachine, LoadTransmit};
use crate::probe::event::Failure;
use crate::probe::rate_search::Report;
use crate::probe::retry::Retry;
use crate::probe::settings::Dialect;
use crate::rng::Seed;
use crate::schedule::Pacer;
use crate::time::{Duration, Instant};
use crate::wire::auth::Key;
use crate::wire::native::{Arrivals, Load, LoadReport, Push};

/// The load that a user asks for.
#[derive(Clone, Debug)]
pub struct SteadySettings {
    /// Bits a second in each direction, headers of UDP and IP included.
    pub rate: f64,
    /// Client to server.
    pub up: bool,
    /// Server to client.
    pub down: bool,
    /// Bytes of UDP payload of a packet.
    pub size: u32,
    /// The same with the headers.
    pub packet: u32,
    /// How long after the server's grant the load begins.
    pub after: Duration,
    /// How long it lasts; None: until it is stopped.
    pub length: Option<Duration>,
    /// Of nonces and tokens.
    pub seed: Seed,
    /// Seals every datagram.
    pub key: Option<Key>,
}

/// The packets of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SteadyResult {
    /// Packets sent, as far as it is known.
    pub sent: u64,
    /// Packets that arrived.
    pub arrived: u64,
    /// From the first to the last arrival.
    pub span: Duration,
}

/// A load under way.
#[derive(Debug)]
pub struct SteadyLoad {
    settings: SteadySettings,
    lane: Lane,
    stage: Stage,
    arrivals: Arrivals,
    pulls: Pulls,
    pacer: Pacer,
    next_seq: u64,
    next_report: Instant,
    heard: Instant,
    /// When the load began, and when it ended.
    began: Option<Instant>,
    ended: Option<Instant>,
    reports: [Differences; 2],
    results: [Option<(Instant, SteadyResult)>; 2],
}

#[derive(Debug)]
enum Stage {
    SetUp,
    Asking(Retry),
    /// The server keeps the load for this client until then.
    Waiting {
        until: Instant,
        next_question: Instant,
    },
    Loading,
    Closing,
    Done(Result<(), Failure>),
}

impl SteadyLoad {
    const QUESTION: u32 = 1;
    const PHASE: u32 = 2;
    const TRIES: u32 = 5;
    const REPORTS: Duration = Duration::from_millis(100);
    /// A server gives the load to another client after 2 s of silence.
    const KEEP: Duration = Duration::from_millis(500);
    /// Without a word of the server for so long the load ends.
    const SILENCE: Duration = Duration::from_secs(5);

    /// Ready to begin.
    pub fn new(settings: SteadySettings, now: Instant) -> Self {
        Self {
            lane: Lane::new(Dialect::Native, settings.size, settings.key.clone(), settings.seed, now),
            settings,
            stage: Stage::SetUp,
            arrivals: Arrivals::new(now),
            pulls: Pulls::new(now),
            pacer: Pacer::new(now),
            next_seq: 0,
            next_report: now,
            heard: now,
            began: None,
            ended: None,
            reports: Default::default(),
            results: Default::default(),
        }
    }

    /// Whether the server has granted the load, which flows or will.
    pub fn is_granted(&self) -> bool {
        matches!(self.stage, Stage::Waiting { .. } | Stage::Loading)
    }

    /// Whether the load flows.
    pub fn is_loading(&self) -> bool {
        matches!(self.stage, Stage::Loading)
    }

    /// When the load began, and when it ended; None if it never began, or has not ended.
    pub fn period(&self) -> Option<(Instant, Instant)> {
        self.began.zip(self.ended)
    }

    /// The end, once it has come.
    pub fn outcome(&self) -> Option<&Result<(), Failure>> {
        match &self.stage {
            Stage::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// The packets of the load up, and of the load down.
    pub fn results(&self) -> [Option<SteadyResult>; 2] {
        self.results.map(|result| result.map(|(_, result)| result))
    }

    /// The load that was asked for.
    pub fn settings(&self) -> &SteadySettings {
        &self.settings
    }

    fn gap(&self) -> f64 {
        f64::from(self.settings.packet) * 8.0 / self.settings.rate
    }

    fn hear(&mut self, now: Instant, heard: Heard) {
        match (heard, &mut self.stage) {
            (Heard::Failed(failure), Stage::SetUp) => self.stage = Stage::Done(Err(failure)),
            (Heard::Ready, Stage::SetUp) => {
                let grants_load = self.lane.server().is_some_and(|server| server.grants_load);
                self.stage = if grants_load {
                    Stage::Asking(Retry::new(now))
                } else {
                    Stage::Done(Err(Failure::LoadRefused))
                };
            }
            (Heard::Report(report), Stage::Asking(_) | Stage::Waiting { .. } | Stage::Loading) => {
                self.hear_report(now, &report);
            }
            (Heard::Push(push, bytes), Stage::Loading) => self.hear_push(now, &push, bytes),
            (Heard::Forgotten, Stage::Asking(_) | Stage::Waiting { .. } | Stage::Loading) => {
                self.fail(now, Failure::Silent { tries: 1, after: now - self.heard });
            }
            _ => {}
        }
    }

    fn hear_report(&mut self, now: Instant, report: &LoadReport) {
        self.heard = now;
        if report.limit == 0 {
            self.fail(now, Failure::LoadRefused);
        } else if report.busy {
            self.fail(now, Failure::LoadBusy { after: Duration::ZERO });
        } else if matches!(self.stage, Stage::Asking(_)) {
            self.stage = Stage::Waiting { until: now + self.settings.after, next_question: now + Self::KEEP };
        } else if let Some(sums) = report.sums.filter(|_| report.phase == Self::PHASE)
            && let Some(report) = self.reports[0].of(sums, 0)
        {
            self.note(0, &report);
        }
    }

    fn begin(&mut self, now: Instant) {
        self.pacer = Pacer::new(now);
        (self.began, self.heard) = (Some(now), now);
        self.stage = Stage::Loading;
    }

    fn fail(&mut self, now: Instant, failure: Failure) {
        self.ended = self.ended.or(Some(now));
        self.stage = Stage::Done(Err(failure));
    }

    fn hear_push(&mut self, now: Instant, push: &Push, bytes: u64) {
        self.heard = now;
        if push.phase == Self::PHASE {
            self.arrivals.add(push.seq, now, now - push.sent, bytes);
        }
    }

    /// A report of one direction; the first only begins the time.
    fn note(&mut self, direction: usize, report: &Report) {
        let (since, result) =
            self.results[direction].get_or_insert((report.last_arrival, SteadyResult::default()));
        if report.last_arrival > *since {
            result.sent += report.sent;
            result.arrived += report.arrived;
            result.span = report.last_arrival - *since;
        }
    }

    fn note_arrivals(&mut self, now: Instant) {
        self.next_report = now + Self::REPORTS;
        if let Some(sums) = self.arrivals.report()
            && let Some(report) = self.reports[1].of(sums, 0)
        {
            self.note(1, &report);
        }
    }

    /// When the load is to end by itself.
    fn end(&self) -> Option<Instant> {
        Some(self.began? + self.settings.length?)
    }

    fn load(&mut self, now: Instant, buffer: &mut [u8]) -> Option<usize> {
        if !self.pacer.take(now, self.gap(), self.settings.size) {
            return None;
        }
        let load = Load {
            token: self.lane.token()?,
            phase: Self::PHASE,
            seq: self.next_seq,
            sent: now,
            report_every: u32::try_from(Self::REPORTS.as_nanos() / 1_000).unwrap_or(u32::MAX),
        };
        self.next_seq += 1;
        Some(self.lane.load(&load, self.settings.size, buffer))
    }

    /// The rate that the server is asked for, in bits a second of UDP payload.
    fn pulled(&self) -> f64 {
        self.settings.rate * f64::from(self.settings.size) / f64::from(self.settings.packet)
    }

    fn question(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let question = self.pulls.question(self.lane.token()?, Self::QUESTION);
        Some(self.lane.pull(&question, buffer))
    }

    fn pull(&mut self, now: Instant, buffer: &mut [u8]) -> Option<usize> {
        let (rate, size) = (self.pulled(), self.settings.size);
        let (pull, _) = self.pulls.take(now, self.lane.token()?, Self::PHASE, rate, size)?;
        Some(self.lane.pull(&pull, buffer))
    }
}

impl LoadMachine for SteadyLoad {
    const CHANNELS: usize = 1;

    fn is_done(&self) -> bool {
        self.outcome().is_some()
    }

    fn stop(&mut self, now: Instant) {
        if !self.is_done() {
            self.note_arrivals(now);
            self.ended = self.ended.or(Some(now));
            self.stage = if self.lane.is_ready() { Stage::Closing } else { Stage::Done(Ok(())) };
        }
    }

    fn failed(&mut self, now: Instant, failure: Failure) {
        if !self.is_done() {
            self.fail(now, failure);
        }
    }

    fn send_failed(&mut self, _transmit: &LoadTransmit) {}

    fn note_drops(&mut self, _drops: u64) {}

    fn handle(&mut self, received: Instant, _channel: usize, datagram: &[u8]) {
        let heard = self.lane.hear(received, datagram);
        self.hear(received, heard);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let silence = Some(self.heard + Self::SILENCE);
        match &self.stage {
            Stage::SetUp => self.lane.setup_timeout(),
            Stage::Asking(retry) => Some(retry.next()),
            Stage::Waiting { until, next_question } => {
                [Some(*until), Some(*next_question), self.lane.proof_timeout(), silence]
                    .into_iter()
                    .flatten()
                    .min()
            }
            Stage::Loading => {
                let up = self.settings.up.then(|| self.pacer.next_due());
                let down = self.settings.down.then(|| self.pulls.next_due(self.pulled(), self.settings.size));
                [up, down, self.end(), self.lane.proof_timeout(), silence].into_iter().flatten().min()
            }
            Stage::Closing => Some(Instant::ZERO),
            Stage::Done(_) => None,
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match &self.stage {
            Stage::SetUp => {
                if let Some(failure) = self.lane.setup_failure(now) {
                    self.fail(now, failure);
                }
            }
            Stage::Asking(retry) => {
                if let Some(failure) = retry.failure(Self::TRIES, now) {
                    self.fail(now, failure);
                }
            }
            Stage::Waiting { .. } | Stage::Loading if now - self.heard >= Self::SILENCE => {
                self.fail(now, Failure::Silent { tries: 1, after: now - self.heard });
            }
            Stage::Waiting { until, .. } if now >= *until => self.begin(now),
            Stage::Loading if self.end().is_some_and(|end| now >= end) => self.stop(now),
            Stage::Loading if now >= self.next_report => self.note_arrivals(now),
            _ => {}
        }
    }

    fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<LoadTransmit> {
        let transmit = |length| Some(LoadTransmit { channel: 0, length });
        if self.is_granted()
            && let Some(length) = self.lane.prove(now, buffer)
        {
            return transmit(length);
        }
        match &mut self.stage {
            Stage::SetUp => transmit(self.lane.setup(now, buffer)?),
            Stage::Asking(retry) => {
                if !retry.is_due(now) {
                    return None;
                }
                retry.tried(now);
                transmit(self.question(buffer)?)
            }
            Stage::Waiting { next_question, .. } => {
                if now < *next_question {
                    return None;
                }
                *next_question = now + Self::KEEP;
                transmit(self.question(buffer)?)
            }
            Stage::Loading => {
                if self.settings.down
                    && let Some(length) = self.pull(now, buffer)
                {
                    return transmit(length);
                }
                if self.settings.up { transmit(self.load(now, buffer)?) } else { None }
            }
            Stage::Closing => {
                self.stage = Stage::Done(Ok(()));
                transmit(self.lane.close(buffer)?)
            }
            Stage::Done(_) => None,
        }
    }
}
