//! The native protocol's server: cookies, sessions, probes, the truth.

use super::fates::{Arrival, Fates, Trust};
use super::held_replies::{Held, HeldKind};
use super::limits::Meter;
use super::sessions::{Index, Opening, Session};
use super::{Incoming, Notice, Server};
use crate::endpoints::Endpoints;
use crate::impair::{Direction, Impairment, SessionLinks};
use crate::time::{Duration, Instant};
use crate::wire::native::{
    Accept, Cookie, Deny, DenyReason, Hello, MIN_SIZE, Message, Open, OutcomeQuery, Outcomes, PathMtuReply,
    Probe, ProbeStatus, Reply, SocketMark, Token, UnknownSession, decode, emit_stopped,
};

const IDLE_MIN: Duration = Duration::from_secs(30);
/// Fates kept for one session at most.
const REMEMBER_MAX: u32 = 1 << 22;
const REMEMBER_MIN: u32 = 64;

impl Server {
    pub(super) fn handle_native(&mut self, incoming: &mut Incoming) -> Option<usize> {
        let Ok(message) = decode(incoming.bytes()) else {
            self.counters.malformed += 1;
            return None;
        };
        if matches!(message, Message::Hello(_) | Message::Open(_) | Message::PathMtuProbe(_))
            && !self.admit_unverified(incoming)
        {
            return None;
        }
        match message {
            Message::Probe(probe) => self.handle_probe(incoming, probe),
            Message::Hello(Hello { nonce }) => {
                self.counters.cookies += 1;
                let cookie = self.cookies.make(incoming.now, incoming.path.remote, nonce);
                Some(Cookie { nonce, cookie }.emit(incoming.buffer))
            }
            Message::Open(open) => {
                let answer = self.open(incoming, &open)?;
                Some(answer.emit(incoming.buffer, incoming.length))
            }
            Message::OutcomeQuery(ask) => self.tell(incoming, &ask),
            Message::Stop(token) => {
                let at = self.sessions.find(token)?;
                if self.is_copied(incoming, at) {
                    return None;
                }
                self.stop_asked |= self.settings.allow_stop;
                Some(emit_stopped(token, self.settings.allow_stop, incoming.buffer))
            }
            Message::Close(token) => {
                self.sessions.remove(token);
                None
            }
            Message::PathMtuProbe(fit) => {
                let fits = PathMtuReply {
                    nonce: fit.nonce,
                    number: fit.number,
                    received: incoming.length as u32,
                    max_size: self.largest_message(),
                    whole: self.settings.unfragmented_replies,
                };
                Some(fits.emit(fit.answer, incoming.buffer))
            }
            // What only a server sends is never answered, so two servers cannot keep each other busy.
            Message::Cookie(_)
            | Message::Accept(_)
            | Message::Deny(_)
            | Message::Reply(_)
            | Message::UnknownSession(_)
            | Message::Outcomes(_)
            | Message::Stopped(..)
            | Message::PathMtuReply(_) => {
                self.counters.malformed += 1;
                None
            }
        }
    }

    /// With a key a repeated opening is answered until its session is used, and not once that is over.
    fn open(&mut self, incoming: &Incoming, open: &Open) -> Option<Opened<'_>> {
        let &Incoming { now, ref path, .. } = incoming;
        let nonce = open.nonce;
        let deny = |reason, limit| Some(Opened::Denied(Deny { nonce, reason, limit }));
        if !self.cookies.check(now, path.remote, nonce, &open.cookie) {
            return deny(DenyReason::BadCookie, 0);
        }
        if open.size > self.largest_message() {
            return deny(DenyReason::TooLarge, self.largest_message());
        }
        if open.size < MIN_SIZE {
            return deny(DenyReason::TooSmall, MIN_SIZE);
        }
        let Ok(wanted) = self.wanted(open.requested_impairment) else {
            return deny(DenyReason::ImpairDenied, 0);
        };
        let opening = Opening { nonce, remote: path.remote, size: open.size };
        let sealed = self.settings.key.is_some();
        let known = self.sessions.opened_by(&opening).map(|session| (session.token, session.used));
        if sealed && known.map_or(self.spent.contains(now, &opening), |(_, used)| used) {
            self.counters.replayed += 1;
            return None;
        }
        if let Some((token, _)) = known {
            return Some(Opened::Accepted(self.accept(token, incoming.socket)));
        }
        let Some(evicted) = self.sessions.make_room(path.remote.ip(), now) else {
            self.counters.sessions_denied += 1;
            return deny(DenyReason::Full, self.sessions.len() as u32);
        };
        self.counters.evicted += evicted;
        let token = self.start_session(now, opening, open, wanted);
        if sealed {
            self.spent.insert(now, opening);
        }
        Some(Opened::Accepted(self.accept(token, incoming.socket)))
    }

    /// What the client would have injected into its session; none for the server's own.
    fn wanted(&self, requested: &str) -> Result<Option<Impairment>, NotAllowed> {
        if requested.is_empty() {
            return Ok(None);
        }
        let impairment: Impairment = requested.parse().map_err(|_| NotAllowed)?;
        let allowed = self.settings.client_impair && impairment.runnable().is_ok();
        if allowed { Ok(Some(impairment)) } else { Err(NotAllowed) }
    }

    fn start_session(
        &mut self,
        now: Instant,
        opening: Opening,
        open: &Open,
        wanted: Option<Impairment>,
    ) -> Token {
        self.counters.opened += 1;
        let seed = self.session_seed(self.counters.opened);
        let token = self.unused_token();
        let remember = open.remember.clamp(REMEMBER_MIN, REMEMBER_MAX).next_power_of_two();
        let idle = Duration::from_secs(i64::from(open.idle_secs)).min(self.settings.max_idle).max(IDLE_MIN);
        let own = wanted.as_ref().map(Notice::of);
        let links = match wanted {
            Some(impairment) => SessionLinks::new(impairment, seed),
            None => self.settings.injection.links(self.started, seed),
        };
        let session = self.sessions.insert(Session {
            token,
            links,
            fates: Fates::new(open.first_seq, remember),
            size: opening.size,
            used: false,
            last_seen: now,
            remote: opening.remote,
            meter: Meter::default(),
            opening,
            remember,
            seed,
            own,
            idle,
        });
        session.token
    }

    fn unused_token(&self) -> Token {
        let of_the_opening = u128::from(self.counters.opened) << 32;
        let tokens = (of_the_opening..).map(|count| self.cookies.token(count));
        tokens.into_iter().find(|token| self.sessions.find(*token).is_none()).expect("one of many")
    }

    fn accept(&self, token: Token, socket: SocketMark) -> Accept<'_> {
        let session = self.sessions.get(token).expect("a session just found or started");
        let notice = session.own.as_ref().unwrap_or(&self.notice);
        Accept {
            nonce: session.opening.nonce,
            token,
            size: session.opening.size,
            max_size: self.largest_message(),
            remember: session.remember,
            seed: session.seed,
            socket,
            longest_hold: notice.longest_hold,
            injects: &notice.line,
            kernel_stamps: self.has_kernel_stamps(),
            idle_secs: (session.idle.as_nanos() / 1_000_000_000) as u32,
            session_rate: self.settings.session_rate.unwrap_or(0),
        }
    }

    fn handle_probe(&mut self, incoming: &mut Incoming, probe: Probe) -> Option<usize> {
        let &mut Incoming { received, now, ref path, ref mut buffer, length, socket, .. } = incoming;
        let Some(at) = self.sessions.find(probe.token) else {
            let forgotten = UnknownSession { token: probe.token, seq: Some(probe.seq) };
            return self.forgotten(incoming, forgotten);
        };
        let session = self.sessions.at(at);
        if length != session.size as usize {
            self.counters.malformed += 1;
            return None;
        }
        let sealed = self.settings.key.is_some();
        let trust = if sealed { Trust::Sealed } else { Trust::Within(session.reach(now)) };
        let arrival = self.sessions.arrive(at, probe.seq, trust, now);
        if sealed && arrival != Arrival::Known(ProbeStatus::NotSeen) {
            // The network's copy and an eavesdropper's replay look the same.
            self.counters.replayed += 1;
            return None;
        }
        self.counters.implausible += u64::from(arrival == Arrival::Outlier);
        let session = self.sessions.at_mut(at);
        self.counters.moved += u64::from(session.remote != path.remote);
        session.remote = path.remote;
        session.last_seen = now;
        session.used = true;
        if !session.meter.admits(now, self.settings.session_rate)
            || !self.all.admits(now, self.settings.max_rate)
        {
            session.fates.set(probe.seq, ProbeStatus::Refused);
            self.counters.refused += 1;
            return None;
        }
        let mut fate = session.links.admit(received, probe.seq, length);
        if fate.extra_copies > 0 && path.remote != session.opening.remote {
            // Whoever holds the token may write any address into a probe; only this one is proven.
            fate.extra_copies = 0;
        }
        if let Some(dropped) = fate.dropped {
            let dropped = match dropped.direction {
                Direction::Up => ProbeStatus::DroppedUp,
                Direction::Down => ProbeStatus::DroppedDown,
            };
            session.fates.set(probe.seq, dropped);
            self.counters.dropped += 1;
            return None;
        }
        self.counters.probes += 1;
        fate.corrupt(&mut buffer[MIN_SIZE as usize..length]);
        let corrupted = fate.corrupted.is_some();
        if fate.hold == Duration::ZERO && fate.extra_copies == 0 {
            session.fates.set(probe.seq, ProbeStatus::Answered);
            let residence = now - received;
            Reply { corrupted, residence, ..reply_to(Some(session), probe, received, socket) }.emit(buffer);
            return Some(length);
        }
        Probe::keep_socket(socket, buffer);
        let held = Held {
            path: *path,
            received,
            hold: fate.hold,
            kind: HeldKind::Native { corrupted },
            extra_copies: fate.extra_copies,
            is_copy: false,
        };
        let fate = if self.hold(held, &buffer[..length]) { ProbeStatus::Held } else { ProbeStatus::Refused };
        self.set_fate(probe.token, probe.seq, fate);
        None
    }

    /// Takes the next held reply that is due and finishes it: its header tells how long it was here.
    pub(super) fn release(&mut self, now: Instant, buffer: &mut [u8]) -> Option<(Endpoints, usize)> {
        let (held, length) = self.held.pop_due(now, buffer)?;
        if held.kind == HeldKind::Verbatim {
            self.unverified.answered(held.path.remote, now, &buffer[..length]);
        }
        if let (HeldKind::Native { corrupted }, Ok(Message::Probe(probe))) =
            (held.kind, decode(&buffer[..length]))
        {
            self.set_fate(probe.token, probe.seq, ProbeStatus::Answered);
            // The session may be closed by now; the reply still tells its own times.
            let session = self.sessions.get(probe.token);
            let reply = Reply {
                residence: now - held.received,
                hold: held.hold,
                corrupted,
                copy: held.is_copy,
                ..reply_to(session, probe, held.received, Probe::kept_socket(buffer))
            };
            reply.emit(buffer);
        }
        Some((held.path, length))
    }

    /// The answer to what belongs to no session.
    fn forgotten(&mut self, incoming: &mut Incoming, forgotten: UnknownSession) -> Option<usize> {
        self.counters.forgotten += 1;
        self.admit_unverified(incoming).then(|| forgotten.emit(incoming.buffer))
    }

    fn set_fate(&mut self, token: Token, seq: u64, fate: ProbeStatus) {
        if let Some(session) = self.sessions.get_mut(token) {
            session.fates.set(seq, fate);
        }
    }

    /// Whether a sealed message of this session is somebody else's copy: a client that moves sends a
    /// new probe from there first.
    fn is_copied(&mut self, incoming: &Incoming, at: Index) -> bool {
        let elsewhere = self.sessions.at(at).remote != incoming.path.remote;
        let copied = self.settings.key.is_some() && elsewhere;
        self.counters.replayed += u64::from(copied);
        copied
    }

    fn tell(&mut self, incoming: &mut Incoming, ask: &OutcomeQuery) -> Option<usize> {
        let Some(at) = self.sessions.find(ask.token) else {
            return self.forgotten(incoming, UnknownSession { token: ask.token, seq: None });
        };
        if self.is_copied(incoming, at) {
            return None;
        }
        let session = self.sessions.at_mut(at);
        if self.settings.key.is_none() {
            // A question that is repeated keeps no session; without a key it may be a client's only sign of life.
            session.last_seen = incoming.now;
        }
        Some(Outcomes::emit(ask, incoming.socket, incoming.buffer, |seq| session.fates.nibble(seq)))
    }
}

fn reply_to(session: Option<&Session>, probe: Probe, received: Instant, socket: SocketMark) -> Reply {
    Reply {
        token: probe.token,
        seq: probe.seq,
        sent: probe.sent,
        received,
        residence: Duration::ZERO,
        hold: Duration::ZERO,
        socket,
        window: session.map_or(0, |session| session.fates.window(probe.seq)),
        copy: false,
        corrupted: false,
    }
}

/// The client's wish cannot be met.
struct NotAllowed;

/// The answer to an open.
enum Opened<'a> {
    Accepted(Accept<'a>),
    Denied(Deny),
}

impl Opened<'_> {
    /// An accept is as long as the open, which shows that the path carries the size both ways.
    fn emit(&self, buffer: &mut [u8], length: usize) -> usize {
        match self {
            Self::Accepted(accept) => accept.emit(buffer, length),
            Self::Denied(deny) => deny.emit(buffer),
        }
    }
}
