//! One flow of a load test: its session with the server, and the datagrams of it.

use crate::probe::dialects::{Accepted, Handshake, Requested};
use crate::probe::event::{Failure, ServerInfo};
use crate::probe::retry::Retry;
use crate::probe::settings::Dialect;
use crate::rng::{Seed, Stream};
use crate::time::{Duration, Instant};
use crate::wire::auth::{Key, TAG};
use crate::wire::native::{self as wire, Load, LoadReport, Message, Pull, Push, Token, decode, emit_close};

#[derive(Debug)]
pub(super) struct Lane {
    /// Bytes of UDP payload of each of its probes, the tag included.
    size: u32,
    key: Option<Key>,
    speech: Speech,
    next_seq: u64,
}

#[derive(Debug)]
enum Speech {
    Native { handshake: Box<Handshake>, session: Option<Accepted> },
    Plain { run: u64, retry: Retry, is_ready: bool },
}

/// The meaning of a datagram of the server for a flow.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    Ready,
    Reply {
        seq: u64,
        sent: Instant,
        server: Option<ServerTimes>,
    },
    /// Of the load up, or of what the server grants.
    Report(LoadReport),
    /// A packet of the load down, and its bytes of UDP payload.
    Push(Push, u64),
    Failed(Failure),
    /// The server does not know the session any more.
    Forgotten,
    Junk,
}

/// When a probe was at the server, by the server's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ServerTimes {
    pub received: Instant,
    pub residence: Duration,
    /// Packets that the server's socket has dropped, modulo 2^16.
    pub drops: u16,
}

impl Lane {
    const IDLE: Duration = Duration::from_secs(60);
    const REMEMBER: u32 = 64;
    const TRIES: u32 = 5;
    /// A server sends load down for 300 s after a handshake.
    const PROOF: Duration = Duration::from_secs(60);
    /// Of a plain echo: run, number, send time.
    const PLAIN_HEADER: usize = 24;

    pub(super) fn new(dialect: Dialect, size: u32, key: Option<Key>, seed: Seed, now: Instant) -> Self {
        let speech = if dialect == Dialect::Plain {
            // It begins as no message of another dialect does.
            let run = Stream::new(seed, "plain load").seed(0) >> 8 | 0xEC << 56;
            Speech::Plain { run, retry: Retry::new(now), is_ready: false }
        } else {
            let requested = Requested {
                impairment: String::new(),
                size: size - if key.is_some() { TAG as u32 } else { 0 },
                remember: Self::REMEMBER,
                idle: Self::IDLE,
            };
            let handshake = Box::new(Handshake::new(requested, 0, seed, 0, now));
            Speech::Native { handshake, session: None }
        };
        Self { size, key, speech, next_seq: 0 }
    }

    /// Bytes that sealing adds to a message.
    pub(super) fn tag(&self) -> u32 {
        if self.key.is_some() { TAG as u32 } else { 0 }
    }

    pub(super) fn is_ready(&self) -> bool {
        match &self.speech {
            Speech::Native { session, .. } => session.is_some(),
            Speech::Plain { is_ready, .. } => *is_ready,
        }
    }

    pub(super) fn server(&self) -> Option<&ServerInfo> {
        match &self.speech {
            Speech::Native { session, .. } => session.as_ref().map(|session| &session.server),
            Speech::Plain { .. } => None,
        }
    }

    pub(super) fn token(&self) -> Option<Token> {
        match &self.speech {
            Speech::Native { session, .. } => session.as_ref().map(|session| session.token),
            Speech::Plain { .. } => None,
        }
    }

    pub(super) fn setup_timeout(&self) -> Option<Instant> {
        match &self.speech {
            _ if self.is_ready() => None,
            Speech::Native { handshake, .. } => Some(handshake.poll_timeout()),
            Speech::Plain { retry, .. } => Some(retry.next()),
        }
    }

    pub(super) fn setup_failure(&self, now: Instant) -> Option<Failure> {
        match &self.speech {
            _ if self.is_ready() => None,
            Speech::Native { handshake, .. } => handshake.failure(now),
            Speech::Plain { retry, .. } => retry.failure(Self::TRIES, now),
        }
    }

    /// The next datagram of the handshake, if it is due.
    pub(super) fn setup(&mut self, now: Instant, buffer: &mut [u8]) -> Option<usize> {
        if self.is_ready() {
            return None;
        }
        match &mut self.speech {
            Speech::Native { handshake, .. } => {
                let length = handshake.poll_transmit(now, buffer)?;
                Some(self.seal(buffer, length))
            }
            Speech::Plain { retry, .. } => {
                if !retry.is_due(now) {
                    return None;
                }
                retry.tried(now);
                Some(self.probe(now, buffer))
            }
        }
    }

    /// When to prove the address again; never with a key, which proves more.
    pub(super) fn proof_timeout(&self) -> Option<Instant> {
        match &self.speech {
            Speech::Native { handshake, session: Some(_) } if self.key.is_none() => {
                Some(handshake.poll_timeout())
            }
            _ => None,
        }
    }

    /// The next datagram that proves the address again, if it is due.
    pub(super) fn prove(&mut self, now: Instant, buffer: &mut [u8]) -> Option<usize> {
        self.proof_timeout()?;
        let Speech::Native { handshake, .. } = &mut self.speech else { return None };
        handshake.poll_transmit(now, buffer)
    }

    /// Writes the next probe.
    pub(super) fn probe(&mut self, now: Instant, buffer: &mut [u8]) -> usize {
        let seq = self.next_seq;
        self.next_seq += 1;
        let length = self.size as usize;
        match (&self.speech, self.token()) {
            (Speech::Plain { run, .. }, _) => {
                buffer[..length].fill(0);
                for (place, word) in buffer.chunks_exact_mut(8).zip([*run, seq, now.as_nanos() as u64]) {
                    place.copy_from_slice(&word.to_be_bytes());
                }
                length
            }
            (Speech::Native { .. }, token) => {
                let length = length - if self.key.is_some() { TAG } else { 0 };
                buffer[..length].fill(0);
                let token = token.expect("probes follow the handshake");
                wire::Probe { token, seq, sent: now }.emit(&mut buffer[..length]);
                self.seal(buffer, length)
            }
        }
    }

    /// Writes a packet of the load up, of so many bytes of UDP payload with the tag.
    pub(super) fn load(&self, load: &Load, size: u32, buffer: &mut [u8]) -> usize {
        let length = load.emit(buffer, ((size - self.tag()) as usize).max(Load::MIN));
        self.seal(buffer, length)
    }

    /// Writes a request for load down.
    pub(super) fn pull(&self, pull: &Pull, buffer: &mut [u8]) -> usize {
        let length = pull.emit(buffer);
        self.seal(buffer, length)
    }

    /// Ends the session.
    pub(super) fn close(&self, buffer: &mut [u8]) -> Option<usize> {
        let length = emit_close(self.token()?, buffer);
        Some(self.seal(buffer, length))
    }

    fn seal(&self, buffer: &mut [u8], length: usize) -> usize {
        match &self.key {
            Some(key) => key.seal(buffer, length),
            None => length,
        }
    }

    pub(super) fn hear(&mut self, now: Instant, datagram: &[u8]) -> Heard {
        match &mut self.speech {
            Speech::Plain { run, is_ready, .. } => {
                let Some((seq, sent)) = plain_reply(*run, datagram) else { return Heard::Junk };
                if !std::mem::replace(is_ready, true) {
                    return Heard::Ready;
                }
                Heard::Reply { seq, sent, server: None }
            }
            Speech::Native { handshake, session } => {
                let message = match &self.key {
                    Some(key) => key.open(datagram).map(|(length, _)| &datagram[..length]),
                    None => Some(datagram),
                };
                let Some(Ok(message)) = message.map(decode) else { return Heard::Junk };
                hear_native(now, message, datagram.len() as u64, handshake, session)
            }
        }
    }
}

fn plain_reply(run: u64, datagram: &[u8]) -> Option<(u64, Instant)> {
    let header = datagram.get(..Lane::PLAIN_HEADER)?;
    let word = |index: usize| u64::from_be_bytes(header[index * 8..][..8].try_into().expect("eight bytes"));
    (word(0) == run).then(|| (word(1), Instant::from_nanos(word(2) as i64)))
}

fn hear_native(
    now: Instant,
    message: Message<'_>,
    bytes: u64,
    handshake: &mut Handshake,
    session: &mut Option<Accepted>,
) -> Heard {
    let is_ours = |token: Token| session.as_ref().is_some_and(|session| session.token == token);
    match message {
        Message::Cookie(cookie) => handshake.hear_cookie(now, &cookie),
        Message::Accept(accept) => {
            let Some(accepted) = handshake.hear_accept(&accept) else { return Heard::Junk };
            handshake.repeat(now + Lane::PROOF);
            if session.is_none() {
                *session = Some(accepted);
                return Heard::Ready;
            }
        }
        Message::Deny(deny) => {
            if let Some(failure) = handshake.hear_deny(now, &deny) {
                return Heard::Failed(failure);
            }
        }
        Message::Reply(reply) if is_ours(reply.token) => {
            let server = ServerTimes {
                received: reply.received,
                residence: reply.residence,
                drops: reply.socket.drops,
            };
            return Heard::Reply { seq: reply.seq, sent: reply.sent, server: Some(server) };
        }
        Message::LoadReport(report) if is_ours(report.token) => return Heard::Report(report),
        Message::Push(push) if is_ours(push.token) => return Heard::Push(push, bytes),
        Message::UnknownSession(unknown) if is_ours(unknown.token) => return Heard::Forgotten,
        _ => {}
    }
    Heard::Junk
}
