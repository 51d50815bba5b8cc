//! The server without a socket. Deterministic, without a clock: `now` is an argument, the replies and
//! their times are return values.
//!
//! `Server::handle` takes a datagram in the buffer that it was received into and writes an immediate
//! reply over it. A held reply comes out of `poll_transmit` when it is due.
//!
//! The centre (`Server` and `Core`) admits peers, injects impairments, holds, duplicates, counts and
//! seals. A dialect (`dialects/`) only reads requests and writes replies.

mod admission;
mod client_table;
mod core;
mod counters;
mod dialect;
mod dialects;
mod held_replies;
mod incoming;
mod injection;
mod load_grant;
mod message_relay;
mod secret;
mod server_port;
mod settings;
mod slots;
mod stun;
mod wall_clock;

pub use crate::wire::native::{HostNames, Place, SocketMark, forbids_fragments};
pub use admission::PerSecond;
pub use client_table::ClientFigures;
pub use counters::{Counter, Counters, DIALECTS, DialectCounters, Metric};
pub use incoming::Incoming;
pub use injection::Injection;
pub use load_grant::LoadGrant;
pub use server_port::{Departure, REPLY_TTL, ServerPort};
pub use settings::{Settings, TextFrom};
pub use stun::answer_stun;
pub use wall_clock::WallClock;

use std::collections::VecDeque;

use crate::endpoints::{Endpoints, is_private};
use crate::impair::{Direction, Treatment};
use crate::time::{Duration, Instant};
use crate::wire::auth::Key;
use crate::wire::native::{ProbeStatus, keeps_payload};
use crate::wire::stun::parse_request;

use self::core::Core;
use dialect::{Action, Copies, Dialect, Probe};
use dialects::AnyDialect;
use held_replies::Held;
use message_relay::{MessageRelay, RelayAnswer};

/// The server: its centre and its dialects, in the order of `DIALECTS`.
pub struct Server {
    core: Core,
    dialects: [AnyDialect; DIALECTS.len()],
    /// Messages are sealed with it. Dialects without sessions are then not spoken.
    key: Option<Key>,
    relay: Option<MessageRelay>,
    /// Messages that the relay delivers, from when they came.
    relayed: VecDeque<(Instant, Endpoints, String)>,
}

impl Server {
    /// The least buffer for a datagram. No reply is longer than its datagram, except those of the text
    /// dialect, which are shorter than this.
    pub const ROOM: usize = 48;

    /// Every cookie, token and seed of this server derives from the secret, which comes from the
    /// operating system's random source.
    pub fn new(settings: Settings, secret: [u8; 32], now: Instant) -> Self {
        let key = settings.key.clone();
        let relay = settings.message_relay.then(MessageRelay::default);
        let core = Core::new(settings, secret, now);
        Self { dialects: AnyDialect::all(&core), core, key, relay, relayed: VecDeque::new() }
    }

    /// The number of a port that it listens on: datagrams from this server itself are ignored.
    pub fn set_own_port(&mut self, server_port: ServerPort, port: u16) {
        self.core.filter.own_ports[server_port as usize] = Some(port);
    }

    /// The index of this server among those that share its port. Set before it opens a session, since tokens carry it.
    pub fn set_place(&mut self, place: Place) {
        self.core.place = place;
    }

    /// The host's wall clock from now on.
    pub fn set_wall_clock(&mut self, clock: WallClock) {
        self.core.clock = clock;
    }

    /// Whether some replies may be held.
    pub fn may_hold(&self) -> bool {
        self.core.settings.client_impair || self.core.notice.longest_hold > Duration::ZERO
    }

    /// Whether `Incoming::received` is the kernel's timestamp.
    pub fn set_kernel_stamps(&mut self, stamps: bool) {
        self.core.kernel_stamps = stamps;
    }

    pub(crate) fn has_kernel_stamps(&self) -> bool {
        self.core.kernel_stamps
    }

    /// Takes a datagram. An immediate reply is written over it; returns its length.
    /// Every reply must leave with the `reply_ttl` of its port.
    pub fn handle(&mut self, mut packet: Incoming) -> Option<usize> {
        let packet = &mut packet;
        let counters = &mut self.core.counters;
        counters.received += 1;
        counters.received_bytes += packet.length as u64;
        if !self.core.filter.admits(packet.server_port, &packet.path, packet.ttl, packet.bytes()) {
            counters.ignored += 1;
            return None;
        }
        if let Some(length) = self.answer_stun(packet) {
            self.core.counters.stun += 1;
            self.core.counters.count_sent(length);
            return Some(length);
        }
        if let Some(answer) = self.relay(packet) {
            let length = self.answer_relayed(packet, answer)?;
            self.core.counters.relay_messages += 1;
            self.core.counters.count_sent(length);
            return Some(length);
        }
        let is_sealed = self.key.is_some() && packet.server_port == ServerPort::Main;
        let length = if is_sealed { self.open_and_seal(packet) } else { self.dispatch(packet) }?;
        self.core.counters.count_sent(length);
        Some(length)
    }

    /// Writes the next held reply that is due by `now` to `buffer`.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Departure> {
        if let Some((_, path, text)) = self.relayed.pop_front() {
            let length = put(&text, buffer);
            self.core.counters.count_sent(length);
            return Some(Departure { path, server_port: ServerPort::Main, traffic_class: None, length });
        }
        let Some((held, length)) = self.core.held.pop_due(now, buffer) else {
            return self.transmit_unasked(now, buffer);
        };
        let dialect = &mut self.dialects[usize::from(held.dialect)];
        let mut length = dialect.finish(&self.core, &held, now, buffer, length);
        if !dialect.has_sessions() {
            self.core.unverified.replied(held.path.remote, now, &buffer[..length]);
        }
        let server_port = dialect.server_port();
        if let Some(key) = self.key.as_ref().filter(|_| server_port == ServerPort::Main) {
            length = key.seal(buffer, length);
        }
        self.core.counters.count_sent(length);
        Some(Departure { path: held.path, server_port, traffic_class: held.traffic_class, length })
    }

    /// The next packet of a load, or word of the server's end: no request waits for them.
    fn transmit_unasked(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Departure> {
        let Self { core, dialects, key, .. } = self;
        let (path, mut length) =
            dialects.iter_mut().find_map(|dialect| dialect.transmit(core, now, buffer))?;
        if let Some(key) = key {
            length = key.seal(buffer, length);
        }
        core.counters.count_sent(length);
        Some(Departure { path, server_port: ServerPort::Main, traffic_class: None, length })
    }

    /// When `poll_transmit` or `handle_timeout` next has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let dialects = self.dialects.iter().map(Dialect::next_timeout);
        let centre = [self.next_release(), self.core.unverified.next_timeout()];
        centre.into_iter().chain(dialects).flatten().min()
    }

    /// When the next held reply or packet of a load is due.
    pub fn next_release(&self) -> Option<Instant> {
        let relayed = self.relayed.front().map(|(came, ..)| *came);
        let loads = self.dialects.iter().filter_map(Dialect::next_send);
        relayed.or(loads.chain(self.core.held.next_due()).min())
    }

    /// Drops silent clients, and the suspended replies of echo loops.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.core.counters.loop_guard += self.core.unverified.withhold(now);
        for dialect in &mut self.dialects {
            if dialect.next_timeout().is_some_and(|at| at <= now) {
                self.core.counters.expired += dialect.expire(now);
            }
        }
    }

    /// Opens no session any more, and tells the clients of open sessions three times in a second that the server ends.
    /// Returns whether there are any.
    pub fn announce_end(&mut self, now: Instant) -> bool {
        self.dialects.iter_mut().fold(false, |any, dialect| dialect.announce_end(now) | any)
    }

    /// Whether a client asked the server to stop and `Settings::allow_stop` allows it.
    pub fn stop_asked(&self) -> bool {
        self.core.stop_asked
    }

    /// Datagrams that the sockets have dropped so far because their receive buffers were full.
    pub fn set_overflows(&mut self, total: u64) {
        self.core.counters.overflows = total;
    }

    /// Datagrams so far whose control messages the kernel truncated.
    pub fn set_truncated(&mut self, total: u64) {
        self.core.counters.truncated = total;
    }

    /// A reply could not be sent; it is not tried again.
    pub fn send_failed(&mut self) -> bool {
        self.core.counters.send_errors += 1;
        false
    }

    /// A socket gave an error instead of a datagram.
    pub fn receive_failed(&mut self) {
        self.core.counters.receive_errors += 1;
    }

    /// The totals since the start, and the replies that are held now.
    pub fn counters(&self) -> Counters {
        let Core { counters, held, .. } = &self.core;
        let mut counters = Counters { held: held.len() as u64, held_bytes: held.bytes() as u64, ..*counters };
        for (of, dialect) in counters.dialects.iter_mut().zip(&self.dialects) {
            *of = DialectCounters { probes: of.probes, ..dialect.counters() };
        }
        counters
    }

    /// As they were given to `new`.
    pub fn settings(&self) -> &Settings {
        &self.core.settings
    }

    /// At most `most` clients, those that were heard last.
    pub fn clients(&self, now: Instant, most: usize) -> Vec<ClientFigures> {
        let all = self.dialects.iter().flat_map(|dialect| dialect.clients(now));
        client_table::newest(all.collect(), most)
    }

    /// Handles a sealed datagram and seals the reply. A datagram without the right tag is not answered.
    fn open_and_seal(&mut self, packet: &mut Incoming) -> Option<usize> {
        let Some((asked, rest)) = self.key.as_ref()?.open(packet.bytes()) else {
            self.core.counters.unauthentic += 1;
            return None;
        };
        packet.length = asked;
        let length = self.dispatch(packet)?;
        let buffer = &mut *packet.buffer;
        // A reply with the payload of its probe needs no second hash of it.
        let same_rest = length == asked && keeps_payload(&buffer[..length]);
        Some(if same_rest { rest.seal(buffer, length) } else { self.key.as_ref()?.seal(buffer, length) })
    }

    /// Without a key: the request of any host is answered, at the rate of unverified datagrams.
    fn answer_stun(&mut self, packet: &mut Incoming) -> Option<usize> {
        if !self.core.settings.stun || packet.server_port != ServerPort::Main {
            return None;
        }
        parse_request(packet.bytes())?;
        if !self.core.admit_unverified(packet) {
            return None;
        }
        answer_stun(packet.path.remote, packet.buffer, packet.length)
    }

    /// Text of a relay client at a private address: the key of the server is not asked for.
    fn relay(&mut self, packet: &Incoming) -> Option<RelayAnswer> {
        let remote = packet.path.remote;
        let relay = self
            .relay
            .as_mut()
            .filter(|_| packet.server_port == ServerPort::Main && is_private(remote.ip()))?;
        relay
            .claims(packet.now, remote, packet.bytes())
            .then(|| relay.handle(packet.now, remote, packet.bytes()))
    }

    /// Writes the sender's reply over the message, and keeps what is for another.
    fn answer_relayed(&mut self, packet: &mut Incoming, answer: RelayAnswer) -> Option<usize> {
        match answer {
            RelayAnswer::Reply(text) => Some(put(&text, packet.buffer)),
            RelayAnswer::Deliver { to, text, reply } => {
                let path = Endpoints { remote: to, local: packet.path.local };
                self.relayed.push_back((packet.received, path, text));
                Some(put(&reply, packet.buffer))
            }
            RelayAnswer::Stop if self.core.settings.allow_stop => {
                self.core.stop_asked = true;
                None
            }
            RelayAnswer::Stop => Some(put(MessageRelay::NO_MESSAGE, packet.buffer)),
            RelayAnswer::Silence => {
                self.core.counters.unverified_refused += 1;
                None
            }
        }
    }

    /// Offers the datagram to the dialects in turn; returns the length of the immediate reply.
    fn dispatch(&mut self, packet: &mut Incoming) -> Option<usize> {
        let Self { core, dialects, key, .. } = self;
        let keyed = key.is_some() && packet.server_port == ServerPort::Main;
        let mut suspect = None;
        for (index, dialect) in dialects.iter_mut().enumerate() {
            let has_sessions = dialect.has_sessions();
            if dialect.server_port() != packet.server_port
                || keyed && !has_sessions
                || !dialect.claims(packet)
            {
                continue;
            }
            if !has_sessions && suspect.is_none() {
                suspect = Some(core.admit_peer(packet)?);
            }
            let received = packet.length;
            let length = match dialect.handle(core, packet) {
                Action::Decline => continue,
                Action::Drop => return None,
                Action::Reply(length) => length,
                Action::Probe(links, probe) => {
                    let treatment = links.admit(packet.received, probe.seq, received);
                    let probe = Treated { dialect: index, probe, treatment, suspect: suspect == Some(true) };
                    reply_as_treated(core, dialect, packet, probe)?
                }
            };
            if !has_sessions {
                core.unverified.replied(packet.path.remote, packet.now, &packet.buffer[..length]);
            }
            return Some(length);
        }
        core.counters.malformed += 1;
        None
    }
}

fn put(text: &str, buffer: &mut [u8]) -> usize {
    let length = text.len().min(buffer.len());
    buffer[..length].copy_from_slice(&text.as_bytes()[..length]);
    length
}

/// A probe, and what the injection of its session does to it.
struct Treated {
    dialect: usize,
    probe: Probe,
    treatment: Treatment,
    /// Its reply may keep an echo loop going.
    suspect: bool,
}

/// Drops the probe, holds its reply, or finishes the reply now and returns its length.
fn reply_as_treated(
    core: &mut Core,
    dialect: &mut AnyDialect,
    packet: &mut Incoming,
    treated: Treated,
) -> Option<usize> {
    let Treated { dialect: index, probe, treatment, suspect } = treated;
    let Probe { slot, seq, header, copies } = probe;
    let extra_copies = match copies {
        Copies::All => treatment.extra_copies,
        Copies::None => 0,
        Copies::FromCredit => core.unverified.copies(packet.path.remote, &treatment, packet.length),
    };
    if let Some(dropped) = treatment.dropped {
        core.counters.dropped += 1;
        let status = match dropped.direction {
            Direction::Up => ProbeStatus::DroppedUp,
            Direction::Down => ProbeStatus::DroppedDown,
        };
        dialect.set_status(slot, seq, status);
        return None;
    }
    core.counters.dialects[index].probes += 1;
    treatment.corrupt(&mut packet.buffer[header..packet.length]);
    let held = Held {
        path: packet.path,
        received: packet.received,
        hold: treatment.hold,
        dialect: index as u8,
        slot,
        corrupted: treatment.corrupted.is_some(),
        extra_copies,
        is_copy: false,
        traffic_class: packet.traffic_class,
    };
    if suspect {
        let suspended = core.unverified.suspend(packet.now, held, packet.bytes());
        core.counters.loop_guard += u64::from(!suspended);
        return None;
    }
    if held.hold == Duration::ZERO && extra_copies == 0 {
        return Some(dialect.finish(core, &held, packet.now, packet.buffer, packet.length));
    }
    let is_held = core.hold(held, packet.bytes());
    dialect.set_status(slot, seq, if is_held { ProbeStatus::Held } else { ProbeStatus::Refused });
    None
}
