//! The client without a socket. Deterministic; no clock, no socket: `now` is an argument, what is
//! to be sent and when are return values.
//!
//! `poll_transmit` gives datagrams to send, `handle` takes those received, `poll_timeout` says when
//! to call `handle_timeout` next, `poll_event` tells what happened. A new dialect is a file here
//! and an arm of `Dialect`.

mod cause;
mod channels;
mod event;
mod handshake;
mod in_flight;
mod loss_attribution;
mod native;
mod outcome;
mod outcome_query;
mod outside;
mod overflow;
mod path_mtu;
pub mod rate_search;
mod resolve;
mod retry;
mod send_plan;
mod settings;
mod strays;
mod suspended;
mod text;
mod transmit;

use std::collections::VecDeque;

pub use cause::{Cause, Group, NotOnTime};
pub use event::{Event, Failure, SendError, ServerInfo};
pub use outcome::{Corruption, Outcome, Resolved};
pub use path_mtu::{Down, PathSize, SizeFinder, Sizing};
pub use settings::{Counters, Dialect, Settings, Transmit};

use crate::time::{Duration, Instant};
use crate::wire::native::SocketMark;

use channels::Channels;
use in_flight::{Arrival, Flight, Patience};
use native::Native;
use outside::Elsewhere;
use retry::Retry;
use send_plan::Plan;
use strays::Strays;
use suspended::Oversleeping;

/// One run against one server.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    plan: Plan,
    flight: Flight,
    dialect: AnyDialect,
    phase: Phase,
    events: VecDeque<Event>,
    counters: Counters,
    strays: Strays,
    /// The server was heard from another address.
    elsewhere: Option<Elsewhere>,
    server: Option<ServerInfo>,
    reachable: bool,
    /// It was told that no server answers yet.
    waiting: bool,
    /// It was told that the server is asked what became of the last probes.
    asking: bool,
    last_heard: Instant,
    /// The client's socket, as far as it was read; of one that carries more than one lane nothing is asked.
    socket: SocketMark,
    oversleeping: Oversleeping,
}

#[derive(Debug)]
enum AnyDialect {
    Native(Box<Native>),
    Text(Channels),
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
    const STOP_TRIES: u32 = 4;
    /// A run that is stopped waits no longer for a reply only because the server says that it holds it.
    const HOLD_AFTER_STOP: Duration = Duration::from_secs(10);

    pub fn new(settings: Settings, now: Instant) -> Self {
        let truth = match settings.dialect {
            Dialect::Native => Self::TRUTH_WHILE_RUNNING,
            Dialect::Text => Duration::ZERO,
        };
        let patience = Patience {
            deadline: settings.deadline,
            longest_hold: Duration::ZERO,
            grace: settings.grace,
            truth,
        };
        let dialect = match settings.dialect {
            Dialect::Native => AnyDialect::Native(Box::new(Native::new(&settings, now))),
            Dialect::Text => {
                AnyDialect::Text(Channels::new(settings.size, text::channels_needed(&settings), now))
            }
        };
        Self {
            plan: Plan::new(settings.schedule.clone(), settings.count, settings.total),
            flight: Flight::new(settings.size, patience, settings.expected_in_flight()),
            dialect,
            phase: Phase::Opening,
            events: VecDeque::new(),
            counters: Counters::default(),
            strays: Strays::new(now),
            elsewhere: None,
            server: None,
            reachable: true,
            waiting: false,
            asking: false,
            last_heard: now,
            socket: SocketMark::default(),
            oversleeping: Oversleeping::default(),
            settings,
        }
    }

    /// Sockets needed, numbered from 0.
    pub fn channels(settings: &Settings) -> usize {
        match settings.dialect {
            Dialect::Native => 1,
            Dialect::Text => text::channels_needed(settings),
        }
    }

    /// Takes a datagram that was received at `received` on one of the sockets.
    pub fn handle(&mut self, received: Instant, channel: usize, datagram: &[u8]) {
        self.last_heard = self.last_heard.max(received);
        match self.dialect {
            AnyDialect::Native(_) => self.handle_datagram(received, datagram),
            AnyDialect::Text(_) => self.handle_text(received, channel, datagram),
        }
        self.mark_socket();
        if self.strays.is_due(received) {
            self.tell_strays(received);
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

    /// The probe left with others as one train.
    pub fn sent_offloaded(&mut self, seq: u64) {
        self.flight.sent_offloaded(seq);
    }

    /// The client's socket, as what is handled next was queued there, or by now.
    pub fn note_socket(&mut self, socket: SocketMark) {
        self.socket = socket;
        self.mark_socket();
    }

    /// What is not the server's counts as another sender's, though it bears the server's address.
    fn mark_socket(&mut self) {
        let Counters { junk, forged, unauthentic, .. } = self.counters;
        let turns = self.socket.turns.wrapping_add((junk + forged + unauthentic) as u16);
        self.flight.note_socket(SocketMark { turns, ..self.socket });
    }

    /// Ends the run as if all probes had been sent: the tail is still awaited. When all have been sent,
    /// the server is not asked any more.
    pub fn stop(&mut self, now: Instant) {
        if self.plan.is_finished() {
            self.flight.patience_mut().truth = Duration::ZERO;
        }
        self.plan.stop();
        self.flight.expect_holds_until(now + Self::HOLD_AFTER_STOP);
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
                    AnyDialect::Native(native) => native.poll_timeout(&self.flight, now),
                    AnyDialect::Text(_) => None,
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

    /// Whether an opening is under way, in the middle of a run too.
    pub fn is_opening(&self) -> bool {
        self.opening_timeout().is_some()
    }

    /// Probes without a reply whose story is not over.
    pub fn in_flight(&self) -> usize {
        (self.flight.range().end - self.flight.range().start) as usize
    }

    fn opening_timeout(&self) -> Option<Instant> {
        match &self.dialect {
            AnyDialect::Native(native) => native.opening.as_ref().map(|opening| opening.poll_timeout()),
            AnyDialect::Text(channels) => channels.poll_timeout(),
        }
    }

    fn check_opening(&mut self, now: Instant) {
        let failure = match &self.dialect {
            AnyDialect::Native(native) => native.opening.as_ref().and_then(|opening| opening.failure(now)),
            AnyDialect::Text(channels) => {
                channels.exhausted(now).map(|(tries, since)| Failure::Silent { tries, after: now - since })
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

    fn handle_stopped(&mut self, obeyed: bool) {
        if matches!(self.phase, Phase::Stopping(_)) {
            self.events.push_back(Event::StopAnswered { obeyed });
            self.phase = Phase::Closing;
        }
    }

    fn fail(&mut self, failure: Failure) {
        if self.settings.wait_for_server && failure.is_silence() {
            if !std::mem::replace(&mut self.waiting, true) {
                self.events.push_back(Event::Waiting(failure));
            }
            return;
        }
        self.events.push_back(Event::Failed(failure));
        self.finish();
    }

    fn finish(&mut self) {
        self.tell_strays(self.last_heard);
        if let AnyDialect::Native(native) = &mut self.dialect {
            native.opening = None;
        }
        self.phase = Phase::Done;
        self.events.push_back(Event::Finished);
    }
}
