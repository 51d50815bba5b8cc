//! The server without a socket. Deterministic; no clock, no socket: `now` is an argument, what is
//! to be sent and when are return values.
//!
//! A datagram goes in where it was received, and the answer that leaves at once stands in the same
//! buffer (`Server::handle`); an answer that is held comes out when it is due (`poll_transmit`,
//! `poll_timeout`). A new dialect is a file here and an arm in `Server::handle`.

mod blocks;
mod client_table;
mod cookies;
mod counters;
mod fates;
mod guard;
mod held_replies;
mod incoming;
mod limits;
mod loop_guard;
mod native;
mod plain;
mod sessions;
mod spent;
mod text;
mod unverified;

use std::sync::Arc;

pub use crate::wire::native::SocketMark;
pub use client_table::ClientFigures;
pub use counters::Counters;
pub use guard::REPLY_TTL;
pub use incoming::Incoming;
pub use limits::PerSecond;
pub use text::TextFrom;

pub use crate::wire::native::forbids_fragments;

use crate::endpoints::Endpoints;
use crate::impair::{Impairment, Scenario, SessionLinks};
use crate::printable::printable;
use crate::rng::Seed;
use crate::time::{Duration, Instant};
use crate::wire::auth::{Key, TAG};
use crate::wire::native as wire;

use cookies::Cookies;
use guard::Guard;
use held_replies::{Held, HeldReplies};
use limits::{Meter, Sources};
use loop_guard::Suspects;
use sessions::{Caps, Sessions};
use spent::Spent;
use text::TextClients;
use unverified::Unverified;

/// What a server injects.
#[derive(Clone, Debug)]
pub enum Injection {
    Steady(Arc<Impairment>),
    /// It changes over time, counted from the server's start.
    Scenario(Scenario),
}

impl Injection {
    pub fn steady(impairment: Impairment) -> Self {
        Self::Steady(impairment.into())
    }

    /// Of one's own: who shares it with other threads shares the count of its users, too.
    fn unshared(self) -> Self {
        match self {
            Self::Steady(impairment) => Self::steady(Impairment::clone(&impairment)),
            scenario @ Self::Scenario(_) => scenario,
        }
    }

    /// What clients are told.
    fn notice(&self) -> Impairment {
        match self {
            Self::Steady(impairment) => Impairment::clone(impairment),
            Self::Scenario(scenario) => scenario.notice(),
        }
    }

    fn links(&self, start: Instant, seed: Seed) -> SessionLinks {
        match self {
            Self::Steady(impairment) => SessionLinks::new(Arc::clone(impairment), seed),
            Self::Scenario(scenario) => SessionLinks::under_scenario(scenario, start, seed),
        }
    }
}

/// What a server is told to do.
#[derive(Clone, Debug)]
pub struct Settings {
    pub injection: Injection,
    /// Whether a client may choose what is injected into its own session.
    pub client_impair: bool,
    /// The seed of every session's fates; without one each session gets its own.
    pub impair_seed: Option<Seed>,
    /// The largest size it agrees to.
    pub max_size: u32,
    /// Whether a client may end it.
    pub allow_stop: bool,
    /// Who gets the text dialect's longer replies.
    pub text_from: TextFrom,
    /// Whether services' ports are answered, from which no client sends.
    pub allow_low_ports: bool,
    /// Sessions at once, of all and of one source.
    pub max_sessions: usize,
    pub max_source_sessions: usize,
    /// No session is kept for longer without a probe; told to clients.
    pub max_idle: Duration,
    /// Text clients at once.
    pub max_text_clients: usize,
    /// Bytes to remember what became of probes.
    pub max_history_bytes: usize,
    /// Probes a second of one session; told to clients.
    pub session_rate: PerSecond,
    /// Datagrams a second of one source outside a session, of all such sources, and of all clients.
    pub source_rate: PerSecond,
    pub unverified_rate: PerSecond,
    pub max_rate: PerSecond,
    /// Bytes of memory for replies held at once.
    pub max_held_bytes: usize,
    /// Whether an answer for which `stays_whole` holds is sent in one piece or not at all; told to
    /// clients.
    pub unfragmented_replies: bool,
    /// With a key, nobody is answered but those who have it.
    pub key: Option<Key>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            injection: Injection::steady(Impairment::classic()),
            client_impair: false,
            impair_seed: None,
            max_size: wire::MAX_SIZE_V6,
            allow_stop: false,
            text_from: TextFrom::Private,
            allow_low_ports: false,
            max_sessions: 16_384,
            max_source_sessions: 4096,
            max_idle: Duration::from_secs(3600),
            max_text_clients: 4096,
            max_history_bytes: 256 << 20,
            session_rate: None,
            source_rate: Some(20_000),
            unverified_rate: Some(200_000),
            max_rate: None,
            max_held_bytes: 512 << 20,
            unfragmented_replies: false,
            key: None,
        }
    }
}

/// What a client is told of an injection.
#[derive(Clone, Debug)]
struct Notice {
    line: String,
    longest_hold: Duration,
}

impl Notice {
    fn of(impairment: &Impairment) -> Self {
        Self {
            line: printable(&impairment.to_string()).into_owned(),
            longest_hold: impairment.longest_hold(),
        }
    }
}

/// The server: everything it knows, and what it holds.
pub struct Server {
    settings: Settings,
    /// What it injects, as clients are told it.
    notice: Notice,
    started: Instant,
    guard: Guard,
    cookies: Cookies,
    sessions: Sessions,
    spent: Spent,
    text: TextClients,
    unverified: Unverified,
    suspects: Suspects,
    /// What was let through: of each source and of all outside sessions, and of everybody.
    sources: Sources,
    outside: Meter,
    all: Meter,
    plain: SessionLinks,
    plain_seen: u64,
    held: HeldReplies,
    counters: Counters,
    /// Whether what comes is stamped by the kernel; told to clients.
    kernel_stamps: bool,
    stop_asked: bool,
    next_sweep: Instant,
}

impl Server {
    /// Within so long everybody is looked at.
    const SWEEP: Duration = Duration::from_secs(1);
    /// The least room that a datagram needs. No answer is longer than its datagram but those of the text
    /// dialect, which are shorter than this.
    pub const ROOM: usize = 48;

    /// The secret, from the operating system's random source, is behind every cookie, token and
    /// seed of this server.
    pub fn new(settings: Settings, secret: [u8; 32], now: Instant) -> Self {
        let settings = Settings { injection: settings.injection.unshared(), ..settings };
        let cookies = Cookies::new(secret);
        let seed = settings.impair_seed.unwrap_or_else(|| cookies.derive("plain echo", 0));
        Self {
            plain: settings.injection.links(now, seed),
            plain_seen: 0,
            guard: Guard { own_port: None, allow_low_ports: settings.allow_low_ports },
            unverified: Unverified::new(cookies.derive("unverified peers", 0)),
            suspects: Suspects::default(),
            sources: Sources::new(cookies.derive("sources", 0)),
            outside: Meter::default(),
            all: Meter::default(),
            sessions: Sessions::new(Caps {
                sessions: settings.max_sessions,
                of_one_source: settings.max_source_sessions,
                fates: settings.max_history_bytes,
            }),
            spent: Spent::new(settings.max_sessions),
            text: TextClients::new(settings.max_text_clients, cookies.derive("text clients", 0)),
            held: HeldReplies::new(settings.max_held_bytes),
            counters: Counters::default(),
            kernel_stamps: false,
            stop_asked: false,
            next_sweep: Instant::ZERO,
            notice: Notice::of(&settings.injection.notice()),
            started: now,
            cookies,
            settings,
        }
    }

    /// The port that its socket listens on: nobody is answered there.
    pub fn set_own_port(&mut self, port: u16) {
        self.guard.own_port = Some(port);
    }

    /// Whether there may be replies that wait.
    pub fn may_hold(&self) -> bool {
        self.settings.client_impair || self.notice.longest_hold > Duration::ZERO
    }

    /// Whether `Incoming::received` is the kernel's word.
    pub fn set_kernel_stamps(&mut self, stamps: bool) {
        self.kernel_stamps = stamps;
    }

    pub fn has_kernel_stamps(&self) -> bool {
        self.kernel_stamps
    }

    /// Takes a datagram. If an answer leaves at once, it is written over it and its length returned.
    /// Every answer is to be sent with `ANSWER_HOPS`.
    pub fn handle(&mut self, mut incoming: Incoming) -> Option<usize> {
        let incoming = &mut incoming;
        self.counters.received += 1;
        self.counters.received_bytes += incoming.length as u64;
        if !self.guard.admits(&incoming.path, incoming.ttl, incoming.bytes()) {
            self.counters.ignored += 1;
            return None;
        }
        let answer = if let Some(key) = &self.settings.key {
            let key = key.clone();
            self.handle_sealed(incoming, &key)
        } else if wire::is_native(incoming.bytes()) {
            self.handle_native(incoming)
        } else {
            self.handle_unverified(incoming)
        };
        if let Some(length) = answer {
            self.counters.count_sent(length);
        }
        answer
    }

    /// The next held answer that is due by `now`, written to `buffer`.
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<(Endpoints, usize)> {
        let (path, mut length) = self.release(now, buffer)?;
        if let Some(key) = &self.settings.key {
            length = key.seal(buffer, length);
        }
        self.counters.count_sent(length);
        Some((path, length))
    }

    /// When `poll_transmit` or `handle_timeout` next has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let idle = self.sessions.is_empty() && self.text.is_empty();
        let sweep = (!idle).then_some(self.next_sweep);
        [self.held.next_due(), self.suspects.next_timeout(), sweep].into_iter().flatten().min()
    }

    /// When the next held answer is due.
    pub fn next_release(&self) -> Option<Instant> {
        self.held.next_due()
    }

    /// Forgets who has been silent for too long, and the answers of loops.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(remote) = self.suspects.withhold(now) {
            self.unverified.laps(remote).resume();
            self.counters.loop_guard += 1;
        }
        if now >= self.next_sweep {
            self.counters.expired += self.sessions.expire(now);
            if self.sessions.is_swept() {
                self.counters.expired += self.text.expire(now);
            }
            self.next_sweep = now + Self::SWEEP / self.sessions.sweep_turns() as i64;
        }
    }

    /// Whether a client asked the server to stop and was allowed to.
    pub fn stop_asked(&self) -> bool {
        self.stop_asked
    }

    /// The sockets dropped so many datagrams, of all that whoever is answered next may have sent, for want of
    /// room.
    pub fn set_overflows(&mut self, total: u64) {
        self.counters.overflows = total;
    }

    /// Of so many datagrams, of all, the sockets told less than they were asked to.
    pub fn set_truncated(&mut self, total: u64) {
        self.counters.truncated = total;
    }

    /// An answer could not be sent; it is not tried again.
    pub fn send_failed(&mut self) -> bool {
        self.counters.send_errors += 1;
        false
    }

    /// A socket told of an error instead of giving a datagram.
    pub fn receive_failed(&mut self) {
        self.counters.receive_errors += 1;
    }

    pub fn counters(&self) -> Counters {
        Counters {
            sessions: self.sessions.len() as u64,
            text_clients: self.text.len() as u64,
            held: self.held.len() as u64,
            held_bytes: self.held.bytes() as u64,
            history_bytes: self.sessions.history_bytes() as u64,
            ..self.counters
        }
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A sealed datagram is a native message; whatever else comes meets with silence.
    fn handle_sealed(&mut self, incoming: &mut Incoming, key: &Key) -> Option<usize> {
        let Some((asked, rest)) = key.open(incoming.bytes()) else {
            self.counters.unauthentic += 1;
            return None;
        };
        incoming.length = asked;
        let answered = self.handle_native(incoming)?;
        let buffer = &mut *incoming.buffer;
        let same_rest = answered == asked && wire::keeps_payload(&buffer[..answered]);
        Some(if same_rest { rest.seal(buffer, answered) } else { key.seal(buffer, answered) })
    }

    /// Plain echo and the text dialect, whose clients never show that they receive.
    fn handle_unverified(&mut self, incoming: &mut Incoming) -> Option<usize> {
        if !self.admit_unverified(incoming) {
            return None;
        }
        let remote = incoming.path.remote;
        let suspicious = self.unverified.received(remote, incoming.received, incoming.bytes());
        if let Some((held, answer)) = self.suspects.release(remote) {
            self.unverified.laps(remote).resume();
            self.hold(held, &answer);
        }
        let answer = if self.text_speaks(remote, incoming.bytes()) {
            self.handle_text(incoming, suspicious)
        } else {
            self.handle_plain(incoming, suspicious)
        }?;
        self.unverified.answered(remote, incoming.now, &incoming.buffer[..answer]);
        Some(answer)
    }

    /// The largest message that fits the largest datagram.
    fn largest_message(&self) -> u32 {
        let tag = if self.settings.key.is_some() { TAG as u32 } else { 0 };
        self.settings.max_size.saturating_sub(tag)
    }

    /// Whether the limits let through what belongs to no session.
    fn admit_unverified(&mut self, incoming: &Incoming) -> bool {
        let now = incoming.now;
        let Settings { source_rate, unverified_rate, max_rate, .. } = self.settings;
        let admitted = self.sources.admits(now, incoming.path.remote.ip(), source_rate)
            && self.outside.admits(now, unverified_rate)
            && self.all.admits(now, max_rate);
        self.counters.unverified_refused += u64::from(!admitted);
        admitted
    }

    /// The seed of the next session's fates.
    fn session_seed(&self, opened: u64) -> Seed {
        // Short enough to be typed again.
        self.settings.impair_seed.unwrap_or_else(|| self.cookies.derive("fates", opened) >> 32)
    }

    /// Holds a reply until it is due; false if there is no room for it, so that it is refused.
    fn hold(&mut self, held: Held, datagram: &[u8]) -> bool {
        let is_held = self.held.offer(held, datagram);
        self.counters.refused += u64::from(!is_held);
        is_held
    }
}
