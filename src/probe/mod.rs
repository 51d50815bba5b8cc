//! The client without a socket. Deterministic; no clock, no socket: `now` is an argument, datagrams to send
//! and deadlines are return values.
//!
//! `poll_transmit` gives datagrams to send, `handle` takes those received, `poll_timeout` says when
//! to call `handle_timeout` next, `poll_event` says what happened. A new dialect is a file in `dialects`.

mod absence;
mod cause;
mod dialect;
mod dialects;
mod event;
mod flows;
mod in_flight;
mod irtt;
mod knows;
mod load;
mod loss_attribution;
mod other_dialects;
mod outcome;
mod path_mtu;
pub mod rate_search;
mod resolve;
mod retry;
mod send;
mod send_plan;
mod settings;
mod socket_error;
mod suspended;
mod tlv_answers;
mod twamp;
mod unexpected;

use std::collections::VecDeque;
use std::net::SocketAddr;

pub use cause::{Cause, Group, NotOnTime};
pub use event::{Event, Failure, Finding, SendError, ServerInfo};
pub use flows::{FlowChange, Reroll};
pub use irtt::IrttOptions;
pub use knows::{Knows, Losses, ServerTime};
pub(crate) use load::Differences;
pub use load::{
    CutShort, Found, LoadMachine, LoadSettings, LoadTest, LoadTransmit, RateRow, SteadyLoad, SteadyResult,
    SteadySettings, Way,
};
pub use other_dialects::{Opening, OtherDialect};
pub use outcome::{Corruption, Outcome, Resolved};
pub use path_mtu::{Down, PathSize, SizeFinder, Sizing};
pub use settings::{Counters, Dialect, Settings, StampOptions, Transmit};
pub use socket_error::{SocketError, SocketErrorKind, SocketOperation};
pub use tlv_answers::{ClassCount, ClassSeen, ClockSeen, LeftLater, PacketsSeen, TlvAnswers};
pub use twamp::{Denied as TwampDenied, TwampControl};

pub use crate::wire::native::HostNames;

use crate::time::{Duration, Instant};
use crate::wire::native::SocketMark;

use absence::Absence;
use dialect::{DialectClient, Heard};
use dialects::AnyDialect;
use flows::Flows;
use in_flight::{Arrival, InFlight, ReplyFacts, Timeouts};
use retry::Retry;
use send_plan::SendPlan;
use suspended::Suspended;
use unexpected::Unexpected;

/// One run against one server.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    plan: SendPlan,
    in_flight: InFlight,
    dialect: AnyDialect,
    phase: Phase,
    events: VecDeque<Event>,
    counters: Counters,
    unexpected: Unexpected,
    suspended: Suspended,
    /// None where all probes leave by one socket.
    flows: Option<Flows>,
    server: Option<ServerInfo>,
    /// The first probe of the session.
    first_seq: u64,
    /// No ICMP error since the last reply.
    reachable: bool,
    /// Events that are reported once.
    told: Told,
    last_heard: Instant,
    absence: Absence,
    /// The client's socket, as far as it was read. With several channels there is no query that needs it.
    socket: SocketMark,
}

#[derive(Debug, Default)]
struct Told {
    waiting: bool,
    asking: bool,
    not_clean: bool,
    at_floor: bool,
}

#[derive(Debug)]
enum Phase {
    SetUp,
    Running,
    /// All probes are resolved; the client asks the server to stop.
    Stopping(Retry),
    Closing,
    Done,
}

impl Client {
    const STOP_TRIES: u32 = 4;
    /// After a stop the client waits at most this long for replies that the server may hold.
    const HOLD_AFTER_STOP: Duration = Duration::from_secs(10);

    /// A client that opens its session from `now` on.
    pub fn new(settings: Settings, now: Instant) -> Self {
        let dialect = AnyDialect::new(&settings, now);
        let timeouts = Timeouts {
            deadline: settings.deadline,
            longest_hold: Duration::ZERO,
            grace: settings.grace,
            query: settings.query.unwrap_or(Duration::MAX).min(dialect.longest_query()),
        };
        Self {
            plan: SendPlan::new(settings.schedule.clone(), settings.count, settings.total),
            in_flight: InFlight::new(
                settings.size,
                timeouts,
                settings.dialect.knows().injection,
                settings.expected_in_flight(),
            ),
            dialect,
            phase: Phase::SetUp,
            events: VecDeque::new(),
            counters: Counters::default(),
            unexpected: Unexpected::new(now),
            suspended: Suspended::default(),
            flows: settings.flow_count().map(Flows::new),
            server: None,
            first_seq: 0,
            reachable: true,
            told: Told::default(),
            last_heard: now,
            absence: Absence::default(),
            socket: SocketMark::default(),
            settings,
        }
    }

    /// Sockets needed, numbered from 0.
    pub fn channels(settings: &Settings) -> usize {
        // A fresh port beside those of the flows.
        settings.flow_count().map_or_else(|| AnyDialect::channels(settings), |count| usize::from(count) + 1)
    }

    /// The channel of each flow, if probes take turns by several.
    pub fn flow_channels(&self) -> impl Iterator<Item = usize> {
        self.flows.iter().flat_map(Flows::channels)
    }

    /// Takes a datagram that was received at `received` on one of the sockets.
    pub fn handle(&mut self, received: Instant, channel: usize, datagram: &[u8]) {
        let heard = self.dialect.hear(received, channel, datagram, &mut self.in_flight);
        if !matches!(heard, Heard::Forged | Heard::Unauthentic | Heard::Junk) {
            self.last_heard = self.last_heard.max(received);
        }
        match heard {
            Heard::SetUp { server, silent } => self.set_up(received, server, silent),
            Heard::Reply { seq, facts } => self.handle_reply(received, seq, facts),
            Heard::UnknownSession if matches!(self.phase, Phase::Running) => {
                self.dialect.set_up_again(self.plan.next_seq(), received);
                self.events.push_back(Event::Forgotten { at: received });
            }
            Heard::Ending if matches!(self.phase, Phase::Running) => self.server_ends(received),
            Heard::Stopped { obeyed } if matches!(self.phase, Phase::Stopping(_)) => {
                self.events.push_back(Event::StopAnswered { obeyed });
                self.phase = Phase::Closing;
            }
            // In the middle of a run the next try may do better.
            Heard::Failed(failure) if matches!(self.phase, Phase::SetUp) => self.fail(failure),
            Heard::UnknownSession
            | Heard::Ending
            | Heard::Stopped { .. }
            | Heard::Failed(_)
            | Heard::Understood => {}
            Heard::Forged => self.counters.forged += 1,
            Heard::Unauthentic => self.counters.unauthentic += 1,
            Heard::Junk => self.counters.junk += 1,
        }
        while let Some(finding) = self.dialect.finding() {
            self.events.push_back(Event::Found { at: received, finding });
        }
        self.mark_socket();
        self.report_unexpected(received);
    }

    /// Takes a datagram that came to the client's port from another address than the server's. It never counts as
    /// an answer: an eavesdropper on the session could have sent it.
    pub fn handle_foreign(&mut self, received: Instant, remote: SocketAddr, datagram: &[u8]) {
        if self.is_done() {
            return;
        }
        if !self.dialect.claims(datagram) {
            self.counters.foreign += 1;
        } else {
            self.counters.elsewhere += 1;
            if !matches!(self.phase, Phase::SetUp) {
                self.events.extend(self.unexpected.server_moved(received, remote));
            }
        }
        self.report_unexpected(received);
    }

    /// ICMP: the server's port is unreachable.
    pub fn unreachable(&mut self, now: Instant) {
        self.path_error(Event::Unreachable { at: now }, Failure::Unreachable);
    }

    /// The system, or an ICMP message, says why datagrams do not reach the server.
    pub fn obstructed(&mut self, now: Instant, why: SocketError) {
        self.path_error(Event::PathError { at: now, why }, Failure::Socket(why));
    }

    fn path_error(&mut self, event: Event, failure: Failure) {
        self.counters.unreachable += 1;
        if matches!(self.phase, Phase::SetUp) {
            self.fail(failure);
        } else if !self.is_done()
            && !matches!(self.absence, Absence::Until(_))
            && std::mem::take(&mut self.reachable)
        {
            self.events.push_back(event);
        }
    }

    /// The probe left with others in one GSO batch.
    pub fn sent_offloaded(&mut self, seq: u64) {
        self.in_flight.sent_offloaded(seq);
    }

    /// The client's socket when the next datagram was queued there, or now.
    pub fn note_socket(&mut self, socket: SocketMark) {
        self.socket = socket;
        self.mark_socket();
    }

    /// The traffic class with which the next datagram that is handled came, where the system tells.
    pub fn note_traffic_class(&mut self, class: Option<u8>) {
        self.dialect.note_traffic_class(class);
    }

    /// A forged datagram bears the server's address, but it is another sender's.
    fn mark_socket(&mut self) {
        let Counters { junk, forged, unauthentic, .. } = self.counters;
        let turns = self.socket.turns.wrapping_add((junk + forged + unauthentic) as u16);
        self.in_flight.note_socket(SocketMark { turns, ..self.socket });
    }

    /// Ends the run as if all probes had been sent: replies still count. When all have been sent, the client does
    /// not ask the server any more.
    pub fn stop(&mut self, now: Instant) {
        if self.plan.is_finished() {
            self.in_flight.timeouts_mut().query = Duration::ZERO;
        }
        self.plan.stop();
        self.in_flight.expect_holds_until(now + Self::HOLD_AFTER_STOP);
        if matches!(self.phase, Phase::SetUp) {
            self.finish();
        }
        self.handle_timeout(now);
    }

    /// When to call `handle_timeout` and `poll_transmit` next, unless a datagram comes first.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        match &self.phase {
            Phase::SetUp => self.dialect.setup_timeout(),
            Phase::Running => {
                let give_up = self.plan.is_finished().then(|| self.gives_up_at());
                let times = [
                    give_up.filter(|at| *at > now),
                    self.plan.next_due(),
                    self.in_flight.next_overdue_at(),
                    self.in_flight.next_resolved_at(),
                    self.dialect.setup_timeout(),
                    self.dialect.query_timeout(now, &self.in_flight),
                ];
                times.into_iter().flatten().min()
            }
            Phase::Stopping(retry) => Some(retry.next()),
            Phase::Closing => Some(now),
            Phase::Done => None,
        }
    }

    /// The due time of the next probe: the one deadline that a caller should not miss.
    pub fn next_due(&self) -> Option<Instant> {
        if matches!(self.phase, Phase::Running) { self.plan.next_due() } else { None }
    }

    /// Applies the deadlines that have passed. Datagrams received before `now` should be handled first.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::SetUp => {
                if let Some(failure) = self.dialect.setup_failure(now) {
                    self.fail(failure);
                }
            }
            Phase::Running => self.resolve(now),
            Phase::Stopping(retry) => {
                if retry.tries() >= Self::STOP_TRIES && retry.is_due(now) {
                    self.phase = Phase::Closing;
                }
            }
            Phase::Closing | Phase::Done => {}
        }
    }

    /// The oldest event that was not yet taken.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether the run is over: nothing more is sent or awaited.
    pub fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// Datagrams so far that count for no probe.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Whether a handshake is under way, in the middle of a run too.
    pub fn is_opening(&self) -> bool {
        !self.is_done() && self.dialect.setup_timeout().is_some()
    }

    /// Probes that are not resolved.
    pub fn in_flight(&self) -> usize {
        (self.in_flight.range().end - self.in_flight.range().start) as usize
    }

    /// At the first session time zero is set.
    fn set_up(&mut self, now: Instant, server: ServerInfo, silent: Option<Duration>) {
        if self.is_done() {
            return;
        }
        self.in_flight.timeouts_mut().longest_hold = server.longest_hold();
        self.absence.session_opened();
        let before = self.server.replace(server.clone());
        self.first_seq = self.plan.next_seq();
        if !matches!(self.phase, Phase::SetUp) {
            self.events.extend(silent.map(|silent| Event::SessionLost { at: now, silent }));
            self.events.push_back(Event::Reopened { at: now, first_seq: self.first_seq });
            let is_renamed = before.is_some_and(|before| before.host != server.host);
            self.events.extend(is_renamed.then_some(Event::Renamed(server.host)));
            return;
        }
        self.events.push_back(Event::Opened { at: now, server });
        let zero = self.settings.zero(now);
        self.events.push_back(Event::Started { zero });
        self.plan.start(zero);
        self.in_flight.start(zero);
        self.phase = Phase::Running;
    }

    /// The client seeks its successor from now on.
    fn server_ends(&mut self, now: Instant) {
        if self.settings.heed_ending && self.absence.announce(now) {
            let next_seq = self.plan.next_seq();
            self.dialect.set_up_again(next_seq, now);
            self.events.push_back(Event::Ending { at: now, next_seq });
        }
    }

    fn handle_reply(&mut self, received: Instant, seq: u64, facts: ReplyFacts) {
        let arrival = self.in_flight.arrive(seq, received, facts);
        if let Arrival::First { hold, .. } | Arrival::Copy { hold, .. } = arrival
            && hold > Some(Duration::ZERO)
        {
            self.note_injection(seq, received);
        }
        match arrival {
            Arrival::First { rtt, hold, late_by } => {
                self.reachable = true;
                if seq >= self.first_seq {
                    self.absence.probe_answered();
                }
                self.events.push_back(Event::Reply { seq, rtt, hold, late_by, copy: 1 });
                match late_by {
                    None => self.note_flow(seq, false, received),
                    Some(_) => self.flows.iter_mut().for_each(|flows| flows.note_late(seq)),
                }
            }
            Arrival::Copy { rtt, hold, copy } => {
                self.events.push_back(Event::Reply { seq, rtt, hold, late_by: None, copy });
            }
            Arrival::CopyAfterClose => self.counters.copies_after_close += 1,
            Arrival::TooLate => self.counters.stragglers += 1,
            Arrival::Forged => self.counters.forged += 1,
        }
    }

    fn note_flow(&mut self, seq: u64, is_lost: bool, at: Instant) {
        if let Some(flows) = &mut self.flows {
            let changes = flows.note(seq, is_lost, at);
            self.events.extend(changes.into_iter().map(|change| Event::Flow { at, change }));
        }
    }

    /// The server injected into this probe, which a clean one does not. Reported once.
    fn note_injection(&mut self, seq: u64, at: Instant) {
        let clean = self.server.as_ref().is_some_and(ServerInfo::is_clean);
        if clean && seq >= self.first_seq && !std::mem::replace(&mut self.told.not_clean, true) {
            self.events.push_back(Event::NotClean { at, seq });
        }
    }

    /// Before the first probe there is no time zero to report it by.
    fn report_unexpected(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::SetUp | Phase::Done) {
            self.events.extend(self.unexpected.poll(now, self.counters));
        }
    }

    fn fail(&mut self, failure: Failure) {
        if self.settings.wait_for_server && failure.is_silence() {
            if !std::mem::replace(&mut self.told.waiting, true) {
                self.events.push_back(Event::Waiting(failure));
            }
            return;
        }
        self.events.push_back(Event::Failed(failure));
        self.finish();
    }

    fn finish(&mut self) {
        if !matches!(self.phase, Phase::SetUp | Phase::Done) {
            self.events.extend(self.unexpected.report(self.last_heard, self.counters));
            self.events
                .extend(self.dialect.tlv_answers().map(|answers| Event::TlvAnswers(Box::new(answers))));
        }
        self.phase = Phase::Done;
        self.events.push_back(Event::Finished);
    }
}
