//! A search under way: what the loaded flow sends and hears in one direction, or in both at once.

use super::differences::Differences;
use super::lane::{Lane, ServerTimes};
use super::pulls::Pulls;
use super::search::Way;
use crate::probe::rate_search::{self, Command, PhaseName, RateSearch, Report};
use crate::schedule::Pacer;
use crate::time::{Duration, Instant};
use crate::wire::native::{Arrivals, Load, LoadReport, Push};

#[derive(Debug)]
pub(super) struct Running {
    pub way: Way,
    /// The number of this load in the session.
    phase: u32,
    pub search: RateSearch,
    pub settings: rate_search::Settings,
    /// Whether the server's limit is below what the client would try.
    pub is_limited: bool,
    /// Bytes of UDP payload of a packet, the tag included.
    size: u32,
    tag: u32,
    /// The packets that arrive at this host.
    arrivals: Arrivals,
    /// Of the reports of the server or of `arrivals`.
    differences: Differences,
    pulls: Pulls,
    pacer: Pacer,
    next_seq: u64,
    next_idle: Instant,
    next_other: Instant,
    next_report: Instant,
    rtt: Duration,
    others: Vec<Duration>,
    missed: Missed,
}

/// The plan of one search.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub way: Way,
    /// The number of this load in the session, from 1.
    pub phase: u32,
    pub settings: rate_search::Settings,
    /// Whether the server's limit is below what the client would try.
    pub is_limited: bool,
    pub size: u32,
    pub tag: u32,
}

/// Counters of packets that a host did not send or take, as the last message had them.
#[derive(Debug, Default)]
struct Missed {
    client: Option<u64>,
    server_socket: Option<u16>,
    server_sender: Option<u32>,
}

impl Running {
    const OTHER_INTERVAL: Duration = Duration::from_millis(20);
    /// Bytes of UDP payload of a packet while the path is idle, in one direction.
    const IDLE_SIZE: u32 = 128;

    pub(super) fn new(plan: Plan, now: Instant) -> Self {
        let Plan { way, phase, settings, is_limited, size, tag } = plan;
        Self {
            way,
            phase,
            search: RateSearch::new(settings, now),
            settings,
            is_limited,
            size,
            tag,
            arrivals: Arrivals::new(now),
            differences: Differences::default(),
            pulls: Pulls::new(now),
            pacer: Pacer::new(now),
            next_seq: 0,
            next_idle: now,
            next_other: now,
            next_report: now,
            rtt: Duration::ZERO,
            others: Vec::new(),
            missed: Missed::default(),
        }
    }

    pub(super) fn asked(&self) -> f64 {
        match self.search.command() {
            Command::Load { rate } => rate,
            _ => 0.0,
        }
    }

    /// Seconds from packet to packet.
    fn gap(&self) -> f64 {
        f64::from(self.settings.packet) * 8.0 / self.asked()
    }

    /// Bytes of a packet that its UDP payload does not count.
    fn headers(&self) -> u64 {
        u64::from(self.settings.packet.saturating_sub(self.size))
    }

    /// A reply to a probe of the loaded flow: both directions at once.
    pub(super) fn hear_echo(&mut self, now: Instant, seq: u64, sent: Instant, server: Option<ServerTimes>) {
        if self.way != Way::Echo || !self.arrivals.add(seq, now, now - sent, u64::from(self.size)) {
            return;
        }
        if let Some(server) = server {
            self.note_server_socket(server.drops);
        }
        self.hear_idle(now, now - sent);
    }

    /// A packet of the load down.
    pub(super) fn hear_push(&mut self, now: Instant, push: &Push, bytes: u64) {
        let delay = now - push.sent;
        if self.way != Way::Down
            || push.phase != self.phase
            || !self.arrivals.add(push.seq, now, delay, bytes)
        {
            return;
        }
        let before = self.missed.server_sender.replace(push.missed).unwrap_or(push.missed);
        // A packet that was overtaken says less than the one before it.
        let missed = push.missed.wrapping_sub(before);
        if missed <= u32::MAX / 2 {
            self.search.server_missed(u64::from(missed));
        }
        self.hear_idle(now, delay);
    }

    /// Of the idle path each packet counts by itself.
    fn hear_idle(&mut self, now: Instant, delay: Duration) {
        if matches!(self.search.command(), Command::Idle { .. }) {
            if let Some(sums) = self.arrivals.report() {
                self.differences.of(sums, self.headers());
            }
            if self.way == Way::Echo {
                self.note_rtt(delay);
            }
            self.search.idle_delay(now, delay);
        }
    }

    fn note_rtt(&mut self, rtt: Duration) {
        self.rtt = if self.rtt == Duration::ZERO { rtt } else { self.rtt.min(rtt) };
    }

    /// Takes a report of the load up. Returns it with the phase to which it belongs.
    pub(super) fn hear_report(&mut self, now: Instant, report: &LoadReport) -> Option<(PhaseName, Report)> {
        let sums = report.sums.filter(|_| self.way == Way::Up && report.phase == self.phase)?;
        self.note_server_socket(report.socket.drops);
        // The server counts what is within the seal.
        let report = self.differences.of(sums, self.headers() + u64::from(self.tag))?;
        match self.search.command() {
            Command::Idle { .. } => {
                self.search.idle_delay(now, report.delay_p50);
                None
            }
            Command::Load { .. } => Some(self.tell(now, report)),
            Command::Done => None,
        }
    }

    /// A reply to a probe of the flow beside.
    pub(super) fn hear_other(&mut self, now: Instant, sent: Instant, server: Option<ServerTimes>) {
        let rtt = now - sent;
        if self.way != Way::Echo && self.search.phase() == PhaseName::Idle {
            self.note_rtt(rtt);
        }
        let delay = match (self.way, server) {
            (Way::Up, Some(server)) => server.received - sent,
            (Way::Down, Some(server)) => now - (server.received + server.residence),
            _ => rtt,
        };
        if let Some(queue) = self.search.other_delay(now, delay) {
            self.others.push(queue);
        }
    }

    pub(super) fn take_other_p50(&mut self) -> Option<Duration> {
        self.others.sort_unstable();
        let median = self.others.get(self.others.len() / 2).copied();
        self.others.clear();
        median
    }

    fn note_server_socket(&mut self, drops: u16) {
        let before = self.missed.server_socket.replace(drops).unwrap_or(drops);
        self.search.server_missed(u64::from(drops.wrapping_sub(before)));
    }

    /// Takes the count of packets that this host's socket has dropped so far.
    pub(super) fn note_drops(&mut self, drops: u64) {
        let before = self.missed.client.replace(drops).unwrap_or(drops);
        self.search.missed(drops.saturating_sub(before), Duration::ZERO);
    }

    /// Tells the search what has arrived here; the phase is the one that it belongs to.
    pub(super) fn report_if_due(&mut self, now: Instant) -> Option<(PhaseName, Report)> {
        if self.way == Way::Up || now < self.next_report || self.arrivals.is_empty() || self.asked() == 0.0 {
            return None;
        }
        let sums = self.arrivals.report()?;
        let report = self.differences.of(sums, self.headers())?;
        let told = self.tell(now, report);
        self.next_report = now + self.search.report_interval(self.rtt);
        Some(told)
    }

    fn tell(&mut self, now: Instant, report: Report) -> (PhaseName, Report) {
        let (phase, gap) = (self.search.phase(), self.gap());
        self.search.report(now, &report);
        if self.asked() > 0.0 && self.gap() < gap {
            self.pacer.hurry(now, self.gap());
        }
        (phase, report)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let counts_here = self.way != Way::Up && !self.arrivals.is_empty() && self.asked() > 0.0;
        let report = counts_here.then_some(self.next_report);
        let own = match self.search.command() {
            Command::Done => None,
            _ if self.way == Way::Down => {
                let (rate, size) = self.pulled();
                Some(self.pulls.next_due(rate, size))
            }
            Command::Idle { .. } => Some(self.next_idle),
            Command::Load { .. } => Some(self.pacer.next_due()),
        };
        let other = self.search.wants_other().then_some(self.next_other);
        [report, own, other, self.search.poll_timeout()].into_iter().flatten().min()
    }

    pub(super) fn other_is_due(&mut self, now: Instant) -> bool {
        let is_due = self.search.wants_other() && now >= self.next_other;
        if is_due {
            self.next_other = now + Self::OTHER_INTERVAL;
        }
        is_due
    }

    /// The next datagram of the loaded flow, if one is due.
    pub(super) fn own(&mut self, now: Instant, lane: &mut Lane, buffer: &mut [u8]) -> Option<usize> {
        match self.way {
            Way::Echo => self.is_due(now).then(|| lane.probe(now, buffer)),
            Way::Up => self.is_due(now).then(|| self.load(now, lane, buffer)),
            Way::Down => self.pull(now, lane, buffer),
        }
    }

    fn load(&mut self, now: Instant, lane: &Lane, buffer: &mut [u8]) -> usize {
        let is_idle = self.asked() == 0.0;
        let every = if is_idle { 1 } else { self.search.report_interval(self.rtt).as_nanos() / 1_000 };
        let load = Load {
            token: lane.token().expect("a load follows the handshake"),
            phase: self.phase,
            seq: self.next_seq,
            sent: now,
            report_every: u32::try_from(every).unwrap_or(u32::MAX),
        };
        self.next_seq += 1;
        lane.load(&load, if is_idle { Self::IDLE_SIZE.min(self.size) } else { self.size }, buffer)
    }

    /// The rate that the server is asked for, in bits a second of UDP payload, and the bytes of a packet.
    fn pulled(&self) -> (f64, u32) {
        match self.search.command() {
            Command::Load { rate } => {
                (rate * f64::from(self.size) / f64::from(self.settings.packet), self.size)
            }
            Command::Idle { interval } => {
                let size = Self::IDLE_SIZE.min(self.size);
                (f64::from(size) * 8.0 / interval.as_secs_f64(), size)
            }
            Command::Done => (0.0, self.size),
        }
    }

    fn pull(&mut self, now: Instant, lane: &Lane, buffer: &mut [u8]) -> Option<usize> {
        let (rate, size) = self.pulled();
        if rate == 0.0 {
            return None;
        }
        let (pull, late) = self.pulls.take(now, lane.token()?, self.phase, rate, size)?;
        let missed = rate / 8.0 / f64::from(size) * late.as_secs_f64();
        if missed >= 1.0 {
            self.search.missed(missed as u64, late);
        }
        Some(lane.pull(&pull, buffer))
    }

    fn is_due(&mut self, now: Instant) -> bool {
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
                let (missed, late_by) = (self.pacer.missed(), now - self.pacer.next_due());
                let is_due = self.pacer.take(now, self.gap(), self.size);
                let missed = self.pacer.missed() - missed;
                if missed > 0 {
                    self.search.missed(missed, late_by);
                }
                is_due
            }
        }
    }
}
