//! A STAMP and TWAMP-Light reflector (RFC 8762, RFC 8972, RFC 5357). It numbers the replies of each session, so that
//! a sender can tell losses on the way up from those on the way down.
//!
//! A reply is as long as its request, but for requests of 14 to 40 octets, into which no reply fits: private addresses
//! get one of 44 octets, others none unless the text dialect is for any address, too.

mod sessions;
mod tlvs;

use crate::impair::SessionLinks;
use crate::reflect::client_table::ClientFigures;
use crate::reflect::core::Core;
use crate::reflect::counters::DialectCounters;
use crate::reflect::dialect::{Action, Copies, Dialect, Probe};
use crate::reflect::held_replies::Held;
use crate::reflect::incoming::Incoming;
use crate::reflect::server_port::ServerPort;
use crate::time::Instant;
use crate::wire::native::ProbeStatus;
use crate::wire::stamp::{
    Echoed, ErrorEstimate, FollowUp, HmacKey, Mode, Reply, Request, TWAMP_REPLY_MIN, Timestamp,
};
use sessions::Sessions;
use tlvs::{Answers, FOLLOW_UP_METHOD, OfSession, timestamp_info};

pub(crate) struct Stamp {
    /// With it only authenticated requests are answered, without it only open ones.
    key: Option<HmacKey>,
    sessions: Sessions,
    /// The injection for senders without a session.
    links: SessionLinks,
    seen: u64,
}

/// The slot of a sender without a session.
const NO_SESSION: u32 = u32::MAX;

impl Stamp {
    pub(crate) fn new(core: &Core) -> Self {
        let seed = core.settings.impair_seed.unwrap_or_else(|| core.secret.derive("stamp", 0));
        Self {
            key: core.settings.key.as_ref().map(|key| HmacKey::new(key.secret())),
            sessions: Sessions::new(core),
            links: core.links(seed),
            seen: 0,
        }
    }

    fn mode(&self) -> Mode {
        if self.key.is_some() { Mode::Authenticated } else { Mode::Open }
    }

    /// The request in this datagram, if it is to be answered.
    fn request(&self, core: &mut Core, packet: &Incoming) -> Option<Request> {
        let (mode, datagram) = (self.mode(), packet.bytes());
        let Some(request) = Request::parse(mode, datagram) else {
            core.counters.malformed += 1;
            return None;
        };
        if self.key.as_ref().is_some_and(|key| !key.verifies(datagram)) {
            core.counters.unauthentic += 1;
            return None;
        }
        if Request::resembles_reply(mode, datagram) {
            core.counters.loop_guard += 1;
            return None;
        }
        Some(request)
    }

    /// Writes the reply over its request, but for the time at which it leaves. Returns its own number, which a
    /// reply without a session copies.
    fn write_reply(&mut self, core: &Core, packet: &mut Incoming, request: &Request, slot: Option<u32>) {
        let (mode, clock) = (self.mode(), core.clock);
        let base = mode.base();
        let has_tlvs = packet.length > base;
        let answers_tlvs = has_tlvs
            && self
                .key
                .as_ref()
                .is_none_or(|key| tlvs::verify(&mut packet.buffer[..packet.length], base, key));
        let session = slot.and_then(|slot| self.sessions.at_mut(slot));
        let number = session.as_ref().map_or(request.seq, |session| session.received);
        // Some senders claim one format and stamp in the other.
        let near = clock.unix_nanos(packet.now);
        let claimed = request.error.format;
        let format = request.sent.read(claimed, near).map_or(claimed, |(_, format)| format);
        let reply = Reply {
            seq: number,
            sent: Timestamp::default(),
            error: ErrorEstimate::new(clock.synchronized, format, clock.error),
            ssid: request.ssid,
            received: Some(Timestamp::from_unix(clock.unix_nanos(packet.received), format)),
            echoed: Some(Echoed { seq: request.seq, sent: request.sent, error: request.error }),
            ttl: packet.ttl,
            tos: packet.traffic_class,
        };
        reply.emit(mode, packet.buffer);
        let session = session.map(|session| {
            session.received = session.received.wrapping_add(1);
            let (seq, sent) = session.last_reply.unwrap_or_default();
            let method = if session.last_reply.is_some() { FOLLOW_UP_METHOD } else { 0 };
            let count = session.received;
            OfSession { received: count, reflected: count, last_reply: FollowUp { seq, sent, method } }
        });
        if answers_tlvs {
            let answers =
                Answers { traffic_class: packet.traffic_class, info: timestamp_info(&clock), session };
            tlvs::answer(packet, base, &answers, self.key.as_ref());
        }
    }
}

/// The length of the reply to a request of this length; none if it would be longer, and the address is not trusted.
fn reply_length(core: &Core, packet: &Incoming) -> Option<usize> {
    match packet.length {
        length if length >= TWAMP_REPLY_MIN => Some(length),
        _ => core.settings.text_from.allows(packet.path.remote.ip()).then_some(Mode::Open.base()),
    }
}

impl Dialect for Stamp {
    fn server_port(&self) -> ServerPort {
        ServerPort::Stamp
    }

    fn claims(&self, _packet: &Incoming) -> bool {
        true
    }

    fn handle(&mut self, core: &mut Core, packet: &mut Incoming) -> Action<'_> {
        let Some(request) = self.request(core, packet) else { return Action::Drop };
        let Some(length) = reply_length(core, packet) else {
            core.counters.malformed += 1;
            return Action::Drop;
        };
        let slot = self.sessions.of_request(core, packet, request.ssid, request.seq);
        self.write_reply(core, packet, &request, slot);
        packet.length = length;
        let header = self.mode().base().min(length);
        let (links, seen) = match slot.and_then(|slot| self.sessions.at_mut(slot)) {
            Some(session) => (&mut session.links, &mut session.seen),
            None => (&mut self.links, &mut self.seen),
        };
        let seq = *seen;
        *seen += 1;
        Action::Probe(
            links,
            Probe { slot: slot.unwrap_or(NO_SESSION), seq, header, copies: Copies::FromCredit },
        )
    }

    /// Called before another request is read: a request that the injection dropped on its way up never came.
    fn set_status(&mut self, slot: u32, _seq: u64, status: ProbeStatus) {
        if status == ProbeStatus::DroppedUp
            && let Some(session) = self.sessions.at_mut(slot)
        {
            session.received = session.received.wrapping_sub(1);
        }
    }

    fn finish(&mut self, core: &Core, held: &Held, now: Instant, buffer: &mut [u8], length: usize) -> usize {
        let mode = self.mode();
        let Some(reply) = Reply::parse(mode, &buffer[..length]) else { return length };
        let sent = Timestamp::from_unix(core.clock.unix_nanos(now), reply.error.format);
        sent.emit(mode, buffer);
        if let Some(session) = self.sessions.at_mut(held.slot) {
            session.last_reply = Some((reply.seq, sent));
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
        let figures = |session: &sessions::Session| ClientFigures {
            remote: ClientFigures::canonical(session.remote()),
            dialect: "stamp",
            size: None,
            probes: u64::from(session.received),
            missing: None,
            dropped: None,
            silent: now - session.last_seen,
        };
        self.sessions.iter().map(figures).collect()
    }

    fn counters(&self) -> DialectCounters {
        DialectCounters { clients: self.sessions.len() as u64, ..DialectCounters::default() }
    }
}
