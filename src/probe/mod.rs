//! The client without a socket. Deterministic; no clock, no socket: `now` is an argument, what is
//! to be sent and when are return values.
//!
//! `poll_transmit` gives datagrams to send, `handle` takes those received, `poll_timeout` says when
//! to call `handle_timeout` next, `poll_event` tells what happened. A new dialect is a file here
//! and an arm of `Dialect`.

mod blame;
mod event;
mod flight;
mod lanes;
mod native;
mod opening;
mod outcome;
mod outside;
mod path_size;
mod plan;
mod retry;
mod settings;
mod truth;

use std::collections::VecDeque;

pub use event::{Event, Failure, SendError, ServerInfo};
pub use outcome::{Cause, Corruption, Outcome, Resolved};
pub use path_size::{Down, PathSize, SizeFinder, Sizing};
pub use settings::{Counters, Language, Settings, Transmit};

use crate::time::{Duration, Instant};

use blame::Blame;
use flight::{Arrival, Flight, Patience, ServerTimes};
use lanes::{Heard, Lanes, Taken};
use native::Native;
use outside::Elsewhere;
use plan::{Plan, Planned};
use retry::Retry;

/// One run against one server.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    plan: Plan,
    flight: Flight,
    dialect: Dialect,
    phase: Phase,
    events: VecDeque<Event>,
    counters: Counters,
    /// How many of the strays were told, and from when on more are.
    strays_told: u64,
    strays_next: Instant,
    /// The server was heard from another address.
    elsewhere: Option<Elsewhere>,
    server: Option<ServerInfo>,
    reachable: bool,
    last_heard: Instant,
    /// How many drops of the client's own socket have no probe to account for them yet.
    own_overflows: u64,
    own_overflows_seen: u64,
    /// A socket that drops a train counts one; it may have been so many datagrams.
    train: u64,
    /// Probes in a row whose time went by unnoticed.
    overslept: Option<Overslept>,
}

#[derive(Clone, Copy, Debug)]
struct Overslept {
    first_seq: u64,
    probes: u64,
    late: Duration,
}

#[derive(Debug)]
enum Dialect {
    Native(Box<Native>),
    Text(Lanes),
}

#[derive(Debug)]
enum Phase {
    Opening,
    Running,
    /// All is resolved; the server is asked to stop.
    Stopping(Retry),
    Closing,
    Done,
}

impl Client {
    /// How long a probe waits for the server's word while probes are still being sent.
    const TRUTH_WHILE_RUNNING: Duration = Duration::from_secs(60);
    /// When all have been sent, a server that is silent for so long is not asked any more.
    const SILENCE_AT_THE_END: Duration = Duration::from_secs(3);
    const STOP_TRIES: u32 = 4;
    const LANES_MOST: i64 = 64;
    /// So many probes are given up before other things are looked after.
    const GIVEN_UP_AT_ONCE: usize = 4096;

    pub fn new(settings: Settings, now: Instant) -> Self {
        let truth = match settings.language {
            Language::Native => Self::TRUTH_WHILE_RUNNING,
            Language::Text => Duration::ZERO,
        };
        let patience = Patience {
            deadline: settings.deadline,
            longest_hold: Duration::ZERO,
            grace: settings.grace,
            truth,
        };
        let dialect = match settings.language {
            Language::Native => Dialect::Native(Box::new(Native::new(&settings, now))),
            Language::Text => Dialect::Text(Lanes::new(settings.size, lanes_needed(&settings), now)),
        };
        Self {
            plan: Plan::new(settings.schedule.clone(), settings.count, settings.total),
            flight: Flight::new(settings.size, patience, expected_in_flight(&settings)),
            dialect,
            phase: Phase::Opening,
            events: VecDeque::new(),
            counters: Counters::default(),
            strays_told: 0,
            strays_next: now,
            elsewhere: None,
            server: None,
            reachable: true,
            last_heard: now,
            own_overflows: 0,
            own_overflows_seen: 0,
            train: 1,
            overslept: None,
            settings,
        }
    }

    /// Sockets needed, numbered from 0.
    pub fn lanes(settings: &Settings) -> usize {
        match settings.language {
            Language::Native => 1,
            Language::Text => lanes_needed(settings),
        }
    }

    /// Takes a datagram that was received at `received` on one of the sockets.
    pub fn handle(&mut self, received: Instant, lane: usize, datagram: &[u8]) {
        self.last_heard = self.last_heard.max(received);
        match self.dialect {
            Dialect::Native(_) => self.handle_datagram(received, datagram),
            Dialect::Text(_) => self.handle_text(received, lane, datagram),
        }
        if received >= self.strays_next {
            self.tell_strays(received);
        }
    }

    /// The next datagram to send now, written to `buffer`.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        let transmit = self.poll_message(now, buffer)?;
        let Some(key) = &self.settings.key else { return Some(transmit) };
        let length = match &self.dialect {
            Dialect::Native(native) if transmit.seq.is_some() => native.seal_probe(buffer, transmit.length),
            _ => key.seal(buffer, transmit.length),
        };
        Some(Transmit { length, ..transmit })
    }

    fn poll_message(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        let control = |length| Transmit { lane: 0, renew: false, length, seq: None };
        match &mut self.phase {
            Phase::Opening => self.transmit_opening(now, buffer),
            Phase::Running => self
                .transmit_probe(now, buffer)
                .or_else(|| self.transmit_opening(now, buffer))
                .or_else(|| self.transmit_question(now, buffer).map(control)),
            Phase::Stopping(retry) => {
                if !retry.is_due(now) {
                    return None;
                }
                retry.tried(now);
                Some(match &self.dialect {
                    Dialect::Native(native) => control(native.emit_stop(buffer)),
                    Dialect::Text(lanes) => {
                        Transmit { lane: lanes.calibrated(), ..control(lanes::emit_exit(buffer)) }
                    }
                })
            }
            Phase::Closing => {
                self.finish();
                match &self.dialect {
                    Dialect::Native(native) => native.emit_close(buffer).map(control),
                    Dialect::Text(_) => None,
                }
            }
            Phase::Done => None,
        }
    }

    /// The kernel stamped what it sent, at `at`; the frame has headers of other layers before ours.
    pub fn left(&mut self, at: Instant, frame: &[u8]) {
        if let Dialect::Native(native) = &self.dialect
            && let Some(seq) = native.probe_in(frame)
        {
            self.flight.leave(seq, at);
        }
    }

    /// The datagram did not leave after all.
    pub fn send_failed(&mut self, transmit: &Transmit, why: SendError) {
        if let Some(seq) = transmit.seq {
            self.flight.fail(seq);
            if let Dialect::Text(lanes) = &mut self.dialect {
                lanes.release(seq);
            }
            self.events.push_back(Event::NotSent { seq, why });
        } else if matches!(self.phase, Phase::Opening) {
            self.fail(match why {
                SendError::TooLong => Failure::SizeNotSent { size: self.settings.size },
                SendError::NoLane => return,
                SendError::Other(why) => Failure::Socket { why },
            });
        }
    }

    /// An ICMP message said that nobody listens at the server's port.
    pub fn unreachable(&mut self, now: Instant) {
        self.counters.unreachable += 1;
        if matches!(self.phase, Phase::Opening) {
            self.fail(Failure::Unreachable);
        } else if !self.is_done() && std::mem::take(&mut self.reachable) {
            self.events.push_back(Event::Unreachable { at: now });
        }
    }

    /// From now on up to so many probes leave, and replies come, as one train.
    pub fn couple(&mut self, most: u64) {
        self.train = most;
    }

    /// The client's own sockets dropped so many datagrams in all for want of room.
    pub fn set_own_overflows(&mut self, total: u64) {
        self.own_overflows += total.saturating_sub(self.own_overflows_seen) * self.train;
        self.own_overflows_seen = total;
    }

    /// Ends the run as if all probes had been sent: the tail is still awaited.
    pub fn stop(&mut self, now: Instant) {
        self.plan.stop();
        if matches!(self.phase, Phase::Opening) {
            self.finish();
        }
        self.handle_timeout(now);
    }

    /// When something is to be done next without a datagram having come.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        match &self.phase {
            Phase::Opening => self.opening_timeout(),
            Phase::Running => {
                let truth = match &self.dialect {
                    Dialect::Native(native) => native.poll_timeout(&self.flight, now),
                    Dialect::Text(_) => None,
                };
                let give_up = self.plan.is_finished().then(|| self.gives_up_at());
                let times = [
                    give_up.filter(|at| *at > now),
                    self.plan.next_due(),
                    self.flight.next_overdue_at(),
                    self.flight.next_pop(),
                    self.opening_timeout(),
                    truth,
                ];
                times.into_iter().flatten().min()
            }
            Phase::Stopping(retry) => Some(retry.next()),
            Phase::Closing => Some(now),
            Phase::Done => None,
        }
    }

    /// The next due time of a probe: the one moment that a caller should not miss.
    pub fn next_due(&self) -> Option<Instant> {
        if matches!(self.phase, Phase::Running) { self.plan.next_due() } else { None }
    }

    /// Looks at what is over by now. Datagrams received before `now` should be handled first.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Opening => self.check_opening(now),
            Phase::Running => self.settle(now),
            Phase::Stopping(retry) => {
                if retry.tries() >= Self::STOP_TRIES && retry.is_due(now) {
                    self.phase = Phase::Closing;
                }
            }
            Phase::Closing | Phase::Done => {}
        }
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Probes without a reply whose story is not over.
    pub fn in_flight(&self) -> usize {
        (self.flight.range().end - self.flight.range().start) as usize
    }

    fn transmit_probe(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        let planned = self.next_planned(now)?;
        let length = self.settings.message_size() as usize;
        let seq = planned.seq;
        let transmit = Transmit { lane: 0, renew: false, length, seq: Some(seq) };
        let settles = self.flight.last_settles();
        match &mut self.dialect {
            Dialect::Native(native) => {
                native.emit_probe(seq, now, &mut buffer[..length]);
                Some(transmit)
            }
            Dialect::Text(lanes) => {
                let Some(Taken { lane, renew }) = lanes.take(seq, now, settles) else {
                    self.send_failed(&transmit, SendError::NoLane);
                    return self.transmit_probe(now, buffer);
                };
                lanes::fill(seq, &mut buffer[..length]);
                Some(Transmit { lane, renew, ..transmit })
            }
        }
    }

    /// The next probe that is to be sent; those overslept are accounted for, not sent.
    fn next_planned(&mut self, now: Instant) -> Option<Planned> {
        for _ in 0..Self::GIVEN_UP_AT_ONCE {
            let planned = self.plan.take(now)?;
            self.flight.launch(&planned, now);
            self.note_floor(&planned);
            if !planned.overslept {
                self.tell_overslept();
                return Some(planned);
            }
            self.flight.fail(planned.seq);
            let begun = Overslept { first_seq: planned.seq, probes: 0, late: now - planned.due };
            self.overslept.get_or_insert(begun).probes += 1;
        }
        None
    }

    fn tell_overslept(&mut self) {
        if let Some(Overslept { first_seq, probes, late }) = self.overslept.take() {
            self.events.push_back(Event::Overslept { first_seq, probes, late });
        }
    }

    fn note_floor(&mut self, planned: &Planned) {
        if planned.at_floor && !std::mem::replace(&mut self.plan.floor_noted, true) {
            self.events.push_back(Event::AtFloor { seq: planned.seq, interval: planned.interval });
        }
    }

    fn transmit_opening(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        match &mut self.dialect {
            Dialect::Native(native) => {
                let length = native.opening.as_mut()?.poll_transmit(now, buffer)?;
                Some(Transmit { lane: 0, renew: false, length, seq: None })
            }
            Dialect::Text(lanes) => {
                let (Taken { lane, renew }, length) = lanes.poll_transmit(now, buffer)?;
                Some(Transmit { lane, renew, length, seq: None })
            }
        }
    }

    fn transmit_question(&mut self, now: Instant, buffer: &mut [u8]) -> Option<usize> {
        match &mut self.dialect {
            Dialect::Native(native) => native.poll_question(now, &self.flight, buffer),
            Dialect::Text(_) => None,
        }
    }

    fn opening_timeout(&self) -> Option<Instant> {
        match &self.dialect {
            Dialect::Native(native) => native.opening.as_ref().map(|opening| opening.poll_timeout()),
            Dialect::Text(lanes) => lanes.poll_timeout(),
        }
    }

    fn check_opening(&mut self, now: Instant) {
        let failure = match &self.dialect {
            Dialect::Native(native) => native.opening.as_ref().and_then(|opening| opening.failure(now)),
            Dialect::Text(lanes) => {
                lanes.exhausted(now).map(|(tries, since)| Failure::Silent { tries, after: now - since })
            }
        };
        if let Some(failure) = failure {
            self.fail(failure.with_tag(self.settings.tag()));
        }
    }

    /// Calibrated: time zero is now.
    fn start(&mut self, now: Instant) {
        self.events.push_back(Event::Opened { at: now, server: self.server.clone() });
        self.events.push_back(Event::Started { zero: now });
        self.plan.start(now);
        self.flight.start(now);
        self.phase = Phase::Running;
    }

    /// Reports what is overdue and takes out what is over; ends the run after the last probe.
    fn settle(&mut self, now: Instant) {
        while let Some(seq) = self.flight.next_overdue(now) {
            self.events.push_back(Event::Overdue { seq });
        }
        if self.plan.is_finished() && now >= self.gives_up_at() {
            self.flight.patience_mut().truth = Duration::ZERO;
        }
        loop {
            let mut blame = Blame {
                own_overflows: &mut self.own_overflows,
                dialect: &mut self.dialect,
                clean: self.server.as_ref().is_some_and(ServerInfo::is_clean),
            };
            let Some(resolved) = self.flight.pop(now, |fate, seen| blame.cause(fate, seen)) else { break };
            if let Dialect::Text(lanes) = &mut self.dialect
                && !self.plan.is_finished()
            {
                lanes.give_up(resolved.seq, now);
            }
            self.events.push_back(Event::Resolved(resolved));
        }
        if self.plan.is_finished() && self.flight.is_empty() {
            self.tell_overslept();
            self.phase =
                if self.settings.stop_server { Phase::Stopping(Retry::new(now)) } else { Phase::Closing };
        }
    }

    /// When all have been sent and the server stays silent.
    fn gives_up_at(&self) -> Instant {
        self.last_heard.max(self.flight.last_settles()) + Self::SILENCE_AT_THE_END
    }

    fn note_arrival(&mut self, seq: u64, arrival: Arrival, hold: Option<Duration>) {
        match arrival {
            Arrival::First { rtt, late_by } => {
                self.reachable = true;
                self.events.push_back(Event::Reply { seq, rtt, hold, late_by, copy: 1 });
            }
            Arrival::Copy { rtt, copy } => {
                self.events.push_back(Event::Reply { seq, rtt, hold, late_by: None, copy });
            }
            Arrival::CopyAfterClose => self.counters.copies_after_close += 1,
            Arrival::Straggler => self.counters.stragglers += 1,
            Arrival::Forged => self.counters.forged += 1,
        }
    }

    fn handle_text(&mut self, received: Instant, lane: usize, datagram: &[u8]) {
        let Dialect::Text(lanes) = &mut self.dialect else { return };
        match lanes.handle(lane, datagram) {
            Heard::Calibrated => {
                if lanes.is_calibrated() && matches!(self.phase, Phase::Opening) {
                    self.start(received);
                }
            }
            Heard::Reply(seq) => {
                let arrival = self.flight.arrive(seq, received, None::<ServerTimes>);
                self.note_arrival(seq, arrival, None);
            }
            Heard::Stopping => self.handle_stopped(true),
            Heard::Junk => self.counters.junk += 1,
        }
    }

    fn handle_stopped(&mut self, obeyed: bool) {
        if matches!(self.phase, Phase::Stopping(_)) {
            self.events.push_back(Event::StopAnswered { obeyed });
            self.phase = Phase::Closing;
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.events.push_back(Event::Failed(failure));
        self.finish();
    }

    fn tell_strays(&mut self, now: Instant) {
        const PAUSE: Duration = Duration::from_secs(1);
        let strays = self.counters.strays();
        // Before the first probe there is no time to tell it by; after the end nothing is told.
        if strays > self.strays_told && !matches!(self.phase, Phase::Opening | Phase::Done) {
            self.strays_told = strays;
            self.strays_next = now + PAUSE;
            self.events.push_back(Event::Strays { at: now, counters: self.counters });
        }
    }

    fn finish(&mut self) {
        self.tell_strays(self.last_heard);
        if let Dialect::Native(native) = &mut self.dialect {
            native.opening = None;
        }
        self.phase = Phase::Done;
        self.events.push_back(Event::Finished);
    }
}

/// One lane for each probe that may be waiting at once.
/// Where nothing goes wrong; of a few more the room is no matter.
fn expected_in_flight(settings: &Settings) -> usize {
    let wait = settings.deadline.unwrap_or_else(|| settings.schedule.longest_interval()) + settings.grace;
    let expected = settings.schedule.most_within(wait);
    let expected =
        settings.count.map_or(expected, |count| expected.min(i64::try_from(count).unwrap_or(i64::MAX)));
    usize::try_from(expected).unwrap_or(0)
}

fn lanes_needed(settings: &Settings) -> usize {
    let longest_wait =
        settings.deadline.unwrap_or_else(|| settings.schedule.longest_interval()) + settings.grace;
    (settings.schedule.most_within(longest_wait) + 1).clamp(1, Client::LANES_MOST) as usize
}
