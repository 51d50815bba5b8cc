//! An irtt server (protocol version 1): sessions with parameters, which are restricted to the limits of this server.
//!
//! The token of a session goes to the address that asked for it, so a probe with that token proves the address. The
//! reply to an opening is eight octets longer than its request: private addresses get it at once, others once they
//! have sent as many octets as they get, which is with their second request.

mod params;
mod received;
mod sessions;

use crate::reflect::client_table::ClientFigures;
use crate::reflect::core::Core;
use crate::reflect::counters::DialectCounters;
use crate::reflect::dialect::{Action, Copies, Dialect, Probe};
use crate::reflect::held_replies::Held;
use crate::reflect::incoming::Incoming;
use crate::reflect::server_port::ServerPort;
use crate::rng::Stream;
use crate::time::{Duration, Instant};
use crate::wire::irtt::{Echo, HmacKey, Packet, Params, Times, Unread, VERSION};
use crate::wire::native::ProbeStatus;
use params::{PATTERN, RANDOM, restricted};
use sessions::{Session, Sessions};

pub(crate) struct Irtt {
    /// With it only signed packets are answered, without it only others.
    key: Option<HmacKey>,
    sessions: Sessions,
    fill: Stream,
}

/// A packet to be answered.
struct Request {
    open: bool,
    close: bool,
    params: Option<Params>,
    token: Option<u64>,
}

impl Irtt {
    /// A run may take this much longer than agreed: its last probes are on the way.
    const GRACE: Duration = Duration::from_secs(2);

    pub(crate) fn new(core: &Core) -> Self {
        Self {
            key: core.settings.key.as_ref().map(|key| HmacKey::new(key.secret())),
            sessions: Sessions::new(core),
            fill: Stream::new(core.secret.derive("irtt fill", 0), "irtt fill"),
        }
    }

    fn request(&self, core: &mut Core, packet: &Incoming) -> Option<Request> {
        match Packet::parse(packet.bytes(), self.key.as_ref()) {
            Err(Unread::Unauthentic) => core.counters.unauthentic += 1,
            // Replies are not answered, so that two servers do not keep each other busy.
            Ok(read) if !read.reply => {
                let params = if read.open { read.open_params() } else { None };
                return Some(Request { open: read.open, close: read.close, params, token: read.token() });
            }
            Ok(_) | Err(Unread::Foreign) => core.counters.malformed += 1,
        }
        None
    }

    /// Opens a session and writes the answer. A request that closes it at once only asks for the parameters.
    fn open(&mut self, core: &mut Core, packet: &mut Incoming, asked: &Params, close: bool) -> Action<'_> {
        let granted = restricted(core, packet, asked);
        let key = self.key.as_ref();
        let is_refused = asked.version != VERSION;
        let length = Packet::emit_open_reply(0, &granted, close, key).len();
        if length > packet.buffer.len() {
            core.counters.malformed += 1;
            return Action::Drop;
        }
        let remote = packet.path.remote;
        let is_paid = core.settings.text_from.allows(remote.ip())
            || core.unverified.pays_for(remote, packet.length, length);
        if !is_paid {
            core.counters.unverified_refused += 1;
            return Action::Drop;
        }
        let token = if is_refused || close { Some(0) } else { self.sessions.open(core, packet, &granted) };
        let Some(token) = token else { return Action::Drop };
        let reply = Packet::emit_open_reply(token, &granted, close || is_refused, key);
        packet.buffer[..length].copy_from_slice(&reply);
        Action::Reply(length)
    }

    fn probe(&mut self, core: &mut Core, packet: &mut Incoming, token: u64) -> Action<'_> {
        let has_hmac = self.key.is_some();
        let Some((slot, session)) = self.sessions.of_token(token) else {
            core.counters.unknown_session += 1;
            return Action::Drop;
        };
        let length = session.params.reply_length(has_hmac);
        let (_, seq) = Packet::number_in(packet.bytes()).unwrap_or_default();
        // A reply longer than its probe would overwrite what came with that.
        if packet.length < length || packet.length > core.settings.max_size as usize {
            core.counters.malformed += 1;
            return Action::Drop;
        }
        if !core.admit_probe(packet.now, &mut session.meter) {
            return Action::Drop;
        }
        // The handshake proved one address; a holder of the token may send from any.
        let remote = packet.path.remote;
        core.counters.moved += u64::from(session.last_remote != remote);
        session.last_remote = remote;
        session.last_seen = packet.now;
        let first = *session.first_seen.get_or_insert(packet.now);
        let longest = core.settings.max_duration.map(|longest| longest + Self::GRACE);
        session.is_closed = longest.is_some_and(|longest| packet.now - first > longest);
        session.note(seq);
        let (count, window) = session.received.told(seq);
        let echo = Echo { token, seq, count: Some(count), window: Some(window), ..Echo::default() };
        let header = session.params.header(has_hmac);
        Packet::emit_echo(&echo, session.is_closed, &session.params, has_hmac, packet.buffer);
        fill(&mut packet.buffer[header..length], &session.params, &self.fill, session.seen);
        packet.length = length;
        let copies = if remote == session.remote { Copies::All } else { Copies::None };
        let seq = session.seen;
        session.seen += 1;
        Action::Probe(&mut session.links, Probe { slot, seq, header, copies })
    }
}

/// Wall clock, and monotonic from the start of the server.
fn times(core: &Core, at: Instant) -> Times {
    Times { wall: Some(core.clock.unix_nanos(at)), monotonic: Some((at - core.started).as_nanos()) }
}

/// Fills a payload as irtt's server does: with its pattern, or with random octets on request, never with those of the
/// client.
fn fill(payload: &mut [u8], params: &Params, random: &Stream, seq: u64) {
    if params.fill == RANDOM {
        rand::Rng::fill_bytes(&mut random.at(seq), payload);
    } else {
        payload.chunks_mut(PATTERN.len()).for_each(|part| part.copy_from_slice(&PATTERN[..part.len()]));
    }
}

impl Dialect for Irtt {
    fn server_port(&self) -> ServerPort {
        ServerPort::Irtt
    }

    fn has_sessions(&self) -> bool {
        true
    }

    fn claims(&self, _packet: &Incoming) -> bool {
        true
    }

    fn handle(&mut self, core: &mut Core, packet: &mut Incoming) -> Action<'_> {
        let Some(request) = self.request(core, packet) else { return Action::Drop };
        match request {
            Request { open: true, params: Some(params), close, .. } => match core.admit_unverified(packet) {
                true => self.open(core, packet, &params, close),
                false => Action::Drop,
            },
            Request { open: false, close: false, token: Some(token), .. } => self.probe(core, packet, token),
            Request { open: false, close: true, token: Some(token), .. } => {
                self.sessions.close(token);
                Action::Drop
            }
            Request { .. } => {
                core.counters.malformed += 1;
                Action::Drop
            }
        }
    }

    /// Called before another probe is read: one that the injection dropped on its way up never came.
    fn set_status(&mut self, slot: u32, _seq: u64, status: ProbeStatus) {
        if status == ProbeStatus::DroppedUp
            && let Some(session) = self.sessions.at_mut(slot)
        {
            session.forget_last();
        }
    }

    fn finish(&mut self, core: &Core, held: &Held, now: Instant, buffer: &mut [u8], length: usize) -> usize {
        let times = [held.received, now].map(|at| times(core, at));
        let token = Packet::number_in(&buffer[..length]).map(|(token, _)| token);
        // The session may be gone, and another in its place.
        if let Some(session) = self.sessions.at_mut(held.slot).filter(|session| token == Some(session.token))
        {
            Packet::put_times(times, &session.params, self.key.is_some(), buffer);
        }
        if let Some(key) = &self.key {
            key.sign(&mut buffer[..length]);
        }
        length
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.sessions.next_timeout()
    }

    fn expire(&mut self, now: Instant) -> u64 {
        self.sessions.expire(now)
    }

    fn clients(&self, now: Instant) -> Vec<ClientFigures> {
        let figures = |session: &Session| ClientFigures {
            remote: ClientFigures::canonical(session.last_remote),
            dialect: "irtt",
            size: u32::try_from(session.params.reply_length(self.key.is_some())).ok(),
            probes: u64::from(session.received.count()),
            missing: session.received.missing(),
            dropped: None,
            silent: now - session.last_seen,
        };
        self.sessions.iter().filter(|session| session.is_used()).map(figures).collect()
    }

    fn counters(&self) -> DialectCounters {
        DialectCounters {
            clients: self.sessions.len() as u64,
            denied: self.sessions.denied(),
            ..DialectCounters::default()
        }
    }
}
