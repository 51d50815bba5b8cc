//! The native protocol's server: handshake, sessions, probes, outcomes, path-MTU tests.

mod cookies;
mod farewell;
mod loads;
mod outcomes;
mod replay_window;
mod sessions;
mod tokens;
mod unknown_session;
mod used_openings;

use crate::endpoints::Endpoints;
use crate::impair::{Impairment, SessionLinks};
use crate::meter::Meter;
use crate::reflect::client_table::ClientFigures;
use crate::reflect::core::Core;
use crate::reflect::counters::DialectCounters;
use crate::reflect::dialect::{Action, Copies, Dialect, Probe};
use crate::reflect::held_replies::Held;
use crate::reflect::incoming::Incoming;
use crate::reflect::injection::ImpairNotice;
use crate::time::{Duration, Instant};
use crate::wire::native::{
    self as wire, Accept, Cookie, Deny, DenyReason, Hello, MIN_SIZE, Message, Open, OutcomeQuery, Outcomes,
    PathMtuReply, ProbeStatus, Reply, SocketMark, Token, decode, emit_stopped,
};

use cookies::Cookies;
use farewell::Farewell;
use loads::Loads;
use outcomes::{MaxJump, Noted, OutcomeHistory};
use replay_window::ReplayWindow;
use sessions::{OpeningId, Session, SessionLimits, Sessions, Slot};
use tokens::unused_token;
use unknown_session::unknown_session;
use used_openings::UsedOpenings;

pub(crate) struct Native {
    cookies: Cookies,
    sessions: Sessions,
    used_openings: UsedOpenings,
    loads: Loads,
    farewell: Farewell,
    /// Sessions refused because there was no room for them.
    denied: u64,
    next_sweep: Instant,
}

impl Native {
    /// Every session is examined for silence once in this time.
    const SWEEP: Duration = Duration::from_secs(1);
    const MIN_IDLE: Duration = Duration::from_secs(30);
    /// Outcomes kept for one session.
    const MIN_HISTORY: u32 = 64;
    const MAX_HISTORY: u32 = 1 << 22;

    pub(crate) fn new(core: &Core) -> Self {
        Self {
            cookies: Cookies::new(core.secret.clone()),
            sessions: Sessions::new(SessionLimits {
                sessions: core.settings.max_sessions,
                sessions_of_one_source: core.settings.max_source_sessions,
                history_bytes: core.settings.max_history_bytes,
            }),
            used_openings: UsedOpenings::new(core.settings.max_sessions),
            loads: Loads::new(),
            farewell: Farewell::default(),
            denied: 0,
            next_sweep: Instant::ZERO,
        }
    }

    /// With a key, a repeated open is answered until a probe uses its session, and not once that is over.
    fn open(&mut self, core: &mut Core, packet: &Incoming, open: &Open) -> Result<Slot, Refusal> {
        let &Incoming { now, ref path, .. } = packet;
        let deny = |reason, limit| Refusal::Deny(Deny { nonce: open.nonce, reason, limit });
        if !self.cookies.check(now, path.remote, open.nonce, &open.cookie) {
            return Err(deny(DenyReason::BadCookie, 0));
        }
        if open.size > core.largest_message() {
            return Err(deny(DenyReason::TooLarge, core.largest_message()));
        }
        if open.size < MIN_SIZE {
            return Err(deny(DenyReason::TooSmall, MIN_SIZE));
        }
        let Ok(requested) = requested_impairment(core, open) else {
            return Err(deny(DenyReason::ImpairDenied, 0));
        };
        let opening = OpeningId { nonce: open.nonce, remote: path.remote, size: open.size };
        let known = self.sessions.opened_by(&opening);
        let is_used = |at| self.sessions.at(at).used;
        if core.is_keyed() && known.map_or_else(|| self.used_openings.contains(now, &opening), is_used) {
            core.counters.replayed += 1;
            return Err(Refusal::Silence);
        }
        if let Some(known) = known {
            self.sessions.at_mut(known).proven = now;
            return Ok(known);
        }
        let Some(evicted) = self.sessions.make_room(path.remote.ip(), now) else {
            self.denied += 1;
            return Err(deny(DenyReason::Full, self.sessions.len() as u32));
        };
        core.counters.evicted += evicted;
        if core.is_keyed() {
            self.used_openings.insert(now, opening);
        }
        Ok(self.start_session(core, packet, opening, open, requested))
    }

    fn start_session(
        &mut self,
        core: &mut Core,
        packet: &Incoming,
        opening: OpeningId,
        open: &Open,
        requested: Option<Impairment>,
    ) -> Slot {
        let seed = core.count_opened();
        let history = open.remember.clamp(Self::MIN_HISTORY, Self::MAX_HISTORY).next_power_of_two();
        let idle = Duration::from_secs(i64::from(open.idle_secs)).min(core.settings.max_idle);
        self.sessions.insert(Session {
            token: unused_token(core, &self.sessions),
            outcomes: OutcomeHistory::new(open.first_seq, history),
            size: opening.size,
            used: false,
            last_seen: packet.now,
            proven: packet.now,
            remote: opening.remote,
            local: packet.path.local,
            meter: Meter::default(),
            queries: ReplayWindow::default(),
            stops: 0,
            pulled: (0, 0),
            opening,
            history,
            seed,
            requested: requested.as_ref().map(ImpairNotice::of),
            links: requested.map_or_else(|| core.links(seed), |own| SessionLinks::new(own, seed)),
            idle: idle.max(Self::MIN_IDLE),
        })
    }

    fn accept<'a>(&'a self, core: &'a Core, at: Slot, socket: SocketMark) -> Accept<'a> {
        let session = self.sessions.at(at);
        let notice = session.requested.as_ref().unwrap_or(&core.notice);
        Accept {
            nonce: session.opening.nonce,
            token: session.token,
            size: session.opening.size,
            max_size: core.largest_message(),
            remember: session.history,
            seed: session.seed,
            socket,
            longest_hold: notice.longest_hold,
            injects: &notice.line,
            kernel_stamps: core.kernel_stamps,
            grants_load: core.load_for(session.opening.remote.ip()).is_some(),
            idle_secs: (session.idle.as_nanos() / 1_000_000_000) as u32,
            session_rate: core.settings.session_rate.unwrap_or(0),
            host: core.settings.host.map(String::as_str),
        }
    }

    fn probe(&mut self, core: &mut Core, packet: &mut Incoming, probe: wire::Probe) -> Action<'_> {
        let &mut Incoming { now, ref path, length, .. } = packet;
        let Some(at) = self.sessions.find(probe.token) else {
            return unknown_session(core, packet, probe.token, Some(probe.seq));
        };
        let session = self.sessions.at(at);
        if length != session.size as usize {
            core.counters.malformed += 1;
            return Action::Drop;
        }
        let max_jump =
            if core.is_keyed() { MaxJump::Unlimited } else { MaxJump::Probes(session.probes_possible(now)) };
        let noted = self.sessions.arrive(at, probe.seq, max_jump, now);
        if core.is_keyed() && noted != Noted::Known(ProbeStatus::NotSeen) {
            // The network's duplicate and an eavesdropper's copy look the same.
            core.counters.replayed += 1;
            return Action::Drop;
        }
        core.counters.implausible += u64::from(noted == Noted::Outlier);
        let session = self.sessions.at_mut(at);
        core.counters.moved += u64::from(session.remote != path.remote);
        session.remote = path.remote;
        session.last_seen = now;
        session.used = true;
        if !core.admit_probe(now, &mut session.meter) {
            session.outcomes.set(probe.seq, ProbeStatus::Refused);
            return Action::Drop;
        }
        // A holder of the token may send probes from any address; the handshake proved this one only.
        let is_proven = path.remote == session.opening.remote;
        wire::Probe::keep_socket(packet.socket, packet.buffer);
        let probe = Probe {
            slot: at.0,
            seq: probe.seq,
            header: MIN_SIZE as usize,
            copies: if is_proven { Copies::All } else { Copies::None },
        };
        Action::Probe(&mut session.links, probe)
    }

    fn outcomes(&mut self, core: &mut Core, packet: &mut Incoming, query: &OutcomeQuery) -> Action<'_> {
        let Some(at) = self.sessions.find(query.token) else {
            return unknown_session(core, packet, query.token, None);
        };
        let session = self.sessions.at_mut(at);
        if core.is_keyed() && !(session.is_at(packet) && session.queries.admits(query.question)) {
            core.counters.replayed += 1;
            return Action::Drop;
        }
        if !core.is_keyed() {
            // With a key an eavesdropper's copies must not keep a session alive; without one a query may be the
            // client's only sign of life.
            session.last_seen = packet.now;
        }
        let status = |seq| session.outcomes.nibble(seq);
        Action::Reply(Outcomes::emit(query, packet.socket, packet.buffer, status))
    }

    fn stop(&mut self, core: &mut Core, packet: &mut Incoming, token: Token) -> Action<'_> {
        let Some(at) = self.sessions.find(token) else { return Action::Drop };
        let session = self.sessions.at_mut(at);
        session.stops += u8::from(session.stops < u8::MAX);
        if core.is_keyed() && !(session.is_at(packet) && session.stops <= Session::STOP_TRIES) {
            core.counters.replayed += 1;
            return Action::Drop;
        }
        let obeyed = core.settings.allow_stop;
        core.stop_asked |= obeyed;
        Action::Reply(emit_stopped(token, obeyed, packet.buffer))
    }
}

impl Dialect for Native {
    fn has_sessions(&self) -> bool {
        true
    }

    fn claims(&self, packet: &Incoming) -> bool {
        wire::is_native(packet.bytes())
    }

    fn handle(&mut self, core: &mut Core, packet: &mut Incoming) -> Action<'_> {
        let Ok(message) = decode(packet.bytes()) else {
            core.counters.malformed += 1;
            return Action::Drop;
        };
        let has_no_session =
            matches!(message, Message::Hello(_) | Message::Open(_) | Message::PathMtuProbe(_));
        if has_no_session && !core.admit_unverified(packet) {
            return Action::Drop;
        }
        if self.farewell.has_begun() && matches!(message, Message::Hello(_) | Message::Open(_)) {
            // Its successor may answer.
            return Action::Drop;
        }
        match message {
            Message::Probe(probe) => self.probe(core, packet, probe),
            Message::Hello(Hello { nonce }) => {
                core.counters.cookies += 1;
                let cookie = self.cookies.make(packet.now, packet.path.remote, nonce);
                Action::Reply(Cookie { nonce, cookie }.emit(packet.buffer))
            }
            Message::Open(open) => match self.open(core, packet, &open) {
                // As long as the open, which shows that the path carries the size both ways.
                Ok(at) => {
                    Action::Reply(self.accept(core, at, packet.socket).emit(packet.buffer, packet.length))
                }
                Err(Refusal::Deny(deny)) => Action::Reply(deny.emit(packet.buffer)),
                Err(Refusal::Silence) => Action::Drop,
            },
            Message::OutcomeQuery(query) => self.outcomes(core, packet, &query),
            Message::Stop(token) => self.stop(core, packet, token),
            Message::Load(load) => self.loads.count(core, &mut self.sessions, packet, &load),
            Message::Pull(pull) => self.loads.pull(core, &mut self.sessions, packet, &pull),
            Message::Close(token) => {
                self.sessions.remove(token);
                self.loads.end(token);
                Action::Drop
            }
            Message::PathMtuProbe(probe) => {
                let reply = PathMtuReply {
                    nonce: probe.nonce,
                    number: probe.number,
                    received: packet.length as u32,
                    max_size: core.largest_message(),
                    whole: core.settings.unfragmented_replies,
                };
                Action::Reply(reply.emit(probe.answer, packet.buffer))
            }
            // Messages that only a server sends: no reply, so that two servers do not keep each other busy.
            Message::Cookie(_)
            | Message::Accept(_)
            | Message::Deny(_)
            | Message::Reply(_)
            | Message::UnknownSession(_)
            | Message::Outcomes(_)
            | Message::Stopped(..)
            | Message::PathMtuReply(_)
            | Message::LoadReport(_)
            | Message::Push(_)
            | Message::Ending(_) => {
                core.counters.malformed += 1;
                Action::Drop
            }
        }
    }

    fn set_status(&mut self, slot: u32, seq: u64, status: ProbeStatus) {
        self.sessions.at_mut(Slot(slot)).outcomes.set(seq, status);
    }

    fn finish(&mut self, _: &Core, held: &Held, now: Instant, buffer: &mut [u8], length: usize) -> usize {
        let Some(probe) = wire::Probe::parse(&buffer[..length]) else { return length };
        let mut received_before = 0;
        // The session may be closed by now; the reply still tells its own times.
        if let Some(session) = self.sessions.get_mut(Slot(held.slot), probe.token) {
            session.outcomes.set(probe.seq, ProbeStatus::Answered);
            received_before = session.outcomes.received_before(probe.seq);
        }
        let reply = Reply {
            token: probe.token,
            seq: probe.seq,
            sent: probe.sent,
            received: held.received,
            residence: now - held.received,
            hold: held.hold,
            socket: wire::Probe::kept_socket(buffer),
            window: received_before,
            copy: held.is_copy,
            corrupted: held.corrupted,
        };
        reply.emit(buffer);
        length
    }

    fn next_send(&self) -> Option<Instant> {
        [self.loads.next_send(), self.farewell.next_send()].into_iter().flatten().min()
    }

    fn announce_end(&mut self, now: Instant) -> bool {
        self.farewell.begin(&self.sessions, now);
        !self.sessions.is_empty()
    }

    fn transmit(&mut self, core: &mut Core, now: Instant, buffer: &mut [u8]) -> Option<(Endpoints, usize)> {
        if let Some(told) = self.farewell.transmit(&self.sessions, now, buffer) {
            return Some(told);
        }
        let (path, length) = self.loads.transmit(core, &mut self.sessions, now, buffer)?;
        core.counters.load_sent_bytes += length as u64 + u64::from(core.tag());
        Some((path, length))
    }

    fn next_timeout(&self) -> Option<Instant> {
        (!self.sessions.is_empty()).then_some(self.next_sweep)
    }

    fn expire(&mut self, now: Instant) -> u64 {
        let expired = self.sessions.expire(now);
        self.next_sweep = now + Self::SWEEP / self.sessions.expire_calls() as i64;
        expired
    }

    fn clients(&self, now: Instant) -> Vec<ClientFigures> {
        let figures = |session: &Session| {
            let tally = session.outcomes.tally();
            let missing = |numbers: u64| (1.0 - tally.probes as f64 / numbers as f64).max(0.0);
            ClientFigures {
                remote: ClientFigures::canonical(session.opening.remote),
                dialect: "native",
                size: Some(session.opening.size),
                probes: tally.probes,
                missing: (tally.numbers > 0).then(|| missing(tally.numbers)),
                dropped: Some(tally.dropped),
                silent: now - session.last_seen,
            }
        };
        self.sessions.iter().map(figures).collect()
    }

    fn counters(&self) -> DialectCounters {
        DialectCounters {
            clients: self.sessions.len() as u64,
            denied: self.denied,
            history_bytes: self.sessions.history_bytes() as u64,
            ..DialectCounters::default()
        }
    }
}

/// Why an open gets no session.
enum Refusal {
    Deny(Deny),
    /// It is a copy.
    Silence,
}

/// The client may not choose this impairment.
struct NotAllowed;

/// The impairment that the client asks for, if it does not want the server's own.
fn requested_impairment(core: &Core, open: &Open) -> Result<Option<Impairment>, NotAllowed> {
    if open.requested_impairment.is_empty() {
        return Ok(None);
    }
    let impairment: Impairment = open.requested_impairment.parse().map_err(|_| NotAllowed)?;
    let allowed = core.settings.client_impair && impairment.servable().is_ok();
    if allowed { Ok(Some(impairment)) } else { Err(NotAllowed) }
}
