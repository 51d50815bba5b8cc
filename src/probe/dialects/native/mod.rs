//! The native dialect: the session, its probes, and what the server tells of them.

mod handshake;
mod outcome_query;

use super::super::dialect::{DialectClient, Heard};
use super::super::event::{Failure, SendError, ServerInfo};
use super::super::in_flight::{InFlight, ReplyFacts, ServerTimes};
use super::super::outcome::Corruption;
use super::super::settings::{Settings, Transmit};
use crate::rng::{Seed, Stream};
use crate::time::{Duration, Instant};
use crate::wire::auth::{Key, Rest, TAG};
use crate::wire::native::{
    DecodeError, MIN_SIZE, Message, Outcomes, Probe, ProbeStatus, Reply, SocketMark, Token, UnknownSession,
    decode, emit_close, emit_stop,
};
pub(crate) use handshake::{Accepted, Handshake, Requested};
use outcome_query::OutcomeQueries;

#[derive(Debug)]
pub(crate) struct Native {
    seed: Seed,
    requested: Requested,
    /// At the start, after the server forgot the session, and beside a silent session.
    handshake: Option<Handshake>,
    handshakes: u64,
    /// Bounds the rate of handshakes: each moves it on by `HANDSHAKES_APART`.
    handshakes_until: Instant,
    session: Option<Session>,
    /// The session before: its replies may still come.
    old_token: Option<Token>,
    queries: OutcomeQueries,
    /// Every probe carries it behind its header.
    payload: Vec<u8>,
    key: Option<Key>,
    /// The hash of the payload, if there is a key.
    rest: Option<Rest>,
}

#[derive(Debug)]
struct Session {
    token: Token,
    /// The server knows nothing of probes before it.
    first_seq: u64,
    kernel_stamps: bool,
    longest_hold: Duration,
    /// The server's socket at the handshake, and when it last told of probes.
    socket: [SocketMark; 2],
    /// When the server last spoke, and probes sent since.
    heard: Instant,
    unanswered: u64,
}

impl Native {
    /// A session is silent after so long without an answer to so many probes.
    const SILENCE: Duration = Duration::from_secs(5);
    const UNANSWERED: u64 = 10;
    /// Between two handshakes, on average: a server may end each session as soon as it is open.
    const HANDSHAKES_APART: Duration = Duration::from_secs(1);
    /// Handshakes that may follow one another at once, so that a moved server is found while two ports are compared.
    const HANDSHAKES_AT_ONCE: i64 = 3;
    /// A probe waits this long for the server's status of it while others are still being sent.
    const LONGEST_QUERY: Duration = Duration::from_secs(60);
    /// The server keeps statuses for this much longer than a reply may take.
    const REMEMBER_MARGIN: Duration = Duration::from_secs(10);
    const MIN_REMEMBERED: i64 = 4096;
    const MAX_REMEMBERED: i64 = 1 << 22;

    pub(crate) fn new(settings: &Settings, now: Instant) -> Self {
        let requested = requested(settings);
        let mut payload = vec![0; requested.size.saturating_sub(MIN_SIZE) as usize];
        rand::Rng::fill_bytes(&mut Stream::new(settings.seed, "payload").at(0), &mut payload);
        let rest = |key: &Key| key.rest(&[&[0; MIN_SIZE as usize], &payload[..]].concat());
        Self {
            seed: settings.seed,
            handshake: Some(Handshake::new(requested.clone(), 0, settings.seed, 0, now)),
            handshakes: 1,
            handshakes_until: now + Self::HANDSHAKES_APART,
            session: None,
            old_token: None,
            queries: OutcomeQueries::new(requested.size),
            rest: settings.key.as_ref().map(rest),
            key: settings.key.clone(),
            requested,
            payload,
        }
    }

    fn tag(&self) -> usize {
        if self.key.is_some() { TAG } else { 0 }
    }

    fn transmit(&self, length: usize, seq: Option<u64>) -> Transmit {
        Transmit { channel: 0, renew: false, length: length + self.tag(), seq }
    }

    /// The message in a datagram, if its tag is right. Most messages bear our own payload.
    fn opened<'a>(&self, datagram: &'a [u8]) -> Option<&'a [u8]> {
        let Some(key) = &self.key else { return Some(datagram) };
        let message = &datagram[..datagram.len().checked_sub(TAG)?];
        match &self.rest {
            Some(rest) if message.get(MIN_SIZE as usize..) == Some(&self.payload[..]) => {
                rest.opens(datagram).then_some(message)
            }
            _ => key.open(datagram).map(|(length, _)| &datagram[..length]),
        }
    }

    fn knows(&self, token: Token) -> bool {
        self.token() == Some(token) || self.old_token == Some(token)
    }

    fn token(&self) -> Option<Token> {
        self.session.as_ref().map(|session| session.token)
    }

    fn begin_handshake(&mut self, next_seq: u64, now: Instant) -> &mut Handshake {
        let ahead = Self::HANDSHAKES_APART * (Self::HANDSHAKES_AT_ONCE - 1);
        let at = now.max(self.handshakes_until - ahead);
        let handshake = Handshake::new(self.requested.clone(), next_seq, self.seed, self.handshakes, at);
        self.handshakes += 1;
        self.handshakes_until = self.handshakes_until.max(at) + Self::HANDSHAKES_APART;
        self.handshake.insert(handshake)
    }

    /// A session that is silent for long may be gone: a handshake beside the probes tells.
    fn count_unanswered(&mut self, seq: u64, now: Instant) {
        let Some(session) = &mut self.session else { return };
        session.unanswered += 1;
        let silent = now - session.heard >= Self::SILENCE + session.longest_hold
            && session.unanswered >= Self::UNANSWERED;
        match &mut self.handshake {
            Some(handshake) => handshake.probe_sent(now),
            None if silent => self.begin_handshake(seq + 1, now).run_beside(now),
            None => {}
        }
    }

    /// The session lives; a handshake beside it is not needed.
    fn note_heard(&mut self, token: Token, now: Instant) {
        if let Some(session) = self.session.as_mut().filter(|session| session.token == token) {
            (session.heard, session.unanswered) = (now, 0);
            self.handshake.take_if(|handshake| handshake.is_beside());
        }
    }

    fn begin_session(&mut self, accepted: Accepted, first_seq: u64, now: Instant) -> Heard {
        let beside = self.handshake.take().is_some_and(|handshake| handshake.is_beside());
        let silent = self.session.as_ref().filter(|_| beside).map(|session| now - session.heard);
        self.old_token = self.token();
        let max_size = accepted.server.max_size.saturating_add(self.tag() as u32);
        let server = ServerInfo { max_size, ..accepted.server };
        self.session = Some(Session {
            token: accepted.token,
            first_seq,
            kernel_stamps: server.kernel_stamps,
            longest_hold: server.longest_hold(),
            socket: [accepted.socket; 2],
            heard: now,
            unanswered: 0,
        });
        self.queries.reset();
        Heard::SetUp { server, silent }
    }

    fn hear_message(&mut self, received: Instant, message: &[u8], probes: &mut InFlight) -> Heard {
        let decoded = match decode(message) {
            Ok(decoded) => decoded,
            Err(DecodeError::Text(nonce)) if self.handshake.as_ref().is_some_and(|own| own.is(nonce)) => {
                return Heard::Failed(Failure::ControlCharacters);
            }
            Err(_) => return Heard::Junk,
        };
        if let Message::Reply(Reply { token, .. })
        | Message::Outcomes(Outcomes { token, .. })
        | Message::UnknownSession(UnknownSession { token, .. }) = decoded
        {
            self.note_heard(token, received);
        }
        match decoded {
            Message::Reply(reply) => self.hear_reply(received, &reply, message, probes),
            Message::Cookie(_) | Message::Accept(_) | Message::Deny(_) => {
                self.hear_handshake(received, decoded, probes.range().end)
            }
            Message::UnknownSession(unknown) => self.hear_unknown(received, unknown, probes),
            Message::Outcomes(outcomes) => self.hear_outcomes(&outcomes, probes),
            Message::Stopped(token, obeyed) if self.knows(token) => Heard::Stopped { obeyed },
            Message::Ending(token) if self.token() == Some(token) => Heard::Ending,
            Message::Ending(token) if self.knows(token) => Heard::Understood,
            _ => Heard::Junk,
        }
    }

    fn hear_handshake(&mut self, received: Instant, message: Message, next_seq: u64) -> Heard {
        let Some(handshake) = &mut self.handshake else { return Heard::Understood };
        match message {
            Message::Cookie(cookie) => handshake.hear_cookie(received, &cookie),
            Message::Accept(accept) => {
                if let Some(accepted) = handshake.hear_accept(&accept) {
                    return self.begin_session(accepted, next_seq, received);
                }
            }
            Message::Deny(deny) => {
                if let Some(failure) = handshake.hear_deny(received, &deny) {
                    return Heard::Failed(self.with_tag(failure));
                }
            }
            _ => {}
        }
        Heard::Understood
    }

    fn hear_reply(&self, received: Instant, reply: &Reply, message: &[u8], probes: &mut InFlight) -> Heard {
        if !self.knows(reply.token) || message.len() != self.requested.size as usize {
            return Heard::Junk;
        }
        let sent = probes.sent_at(reply.seq);
        if sent.is_some_and(|sent| sent != reply.sent) {
            return Heard::Forged;
        }
        let corrupted = match (reply.corrupted, message[MIN_SIZE as usize..] == self.payload) {
            (true, _) => Some(Corruption::Injected),
            (false, false) => Some(Corruption::Network),
            (false, true) => None,
        };
        // The window counts from the number, which only a probe still in flight proves.
        for k in (0..u64::from(u32::BITS)).filter(|_| sent.is_some()) {
            if reply.window >> k & 1 == 1
                && let Some(seq) = reply.seq.checked_sub(k + 1)
            {
                probes.seen_in_window(seq);
            }
        }
        let times = ServerTimes {
            hold: Some(reply.hold),
            residence: reply.residence,
            stamped: self.session.as_ref().is_some_and(|session| session.kernel_stamps),
            owd_up: reply.received - reply.sent,
            owd_down: received - (reply.received + reply.residence),
        };
        let (injected_copy, socket) = (reply.copy, reply.socket);
        Heard::Reply {
            seq: reply.seq,
            facts: ReplyFacts { times: Some(times), injected_copy, corrupted, socket, number: None },
        }
    }

    fn hear_unknown(&self, received: Instant, unknown: UnknownSession, probes: &mut InFlight) -> Heard {
        if !self.knows(unknown.token) {
            return Heard::Junk;
        }
        if let Some(seq) = unknown.seq {
            probes.set_status(seq, ProbeStatus::Forgotten, received);
        }
        let is_current = self.token() == Some(unknown.token);
        if is_current && self.handshake.is_none() { Heard::UnknownSession } else { Heard::Understood }
    }

    fn hear_outcomes(&mut self, outcomes: &Outcomes, probes: &mut InFlight) -> Heard {
        if !self.knows(outcomes.token) {
            return Heard::Junk;
        }
        // A second copy of an answer changes nothing, nor does an answer of the session before.
        if let Some(session) = self.session.as_mut().filter(|session| session.token == outcomes.token)
            && self.queries.hear(outcomes, session.first_seq, probes)
        {
            session.socket[1] = outcomes.socket;
        }
        Heard::Understood
    }

    /// As the user counts sizes: the tag is part of a datagram.
    fn with_tag(&self, failure: Failure) -> Failure {
        let tag = self.tag() as u32;
        match failure {
            Failure::SizeLost { size } => Failure::SizeLost { size: size + tag },
            Failure::TooLarge { limit } => Failure::TooLarge { limit: limit.saturating_add(tag) },
            Failure::TooSmall { limit } => Failure::TooSmall { limit: limit.saturating_add(tag) },
            other => other,
        }
    }
}

impl DialectClient for Native {
    fn setup(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        let length = self.handshake.as_mut()?.poll_transmit(now, buffer)?;
        Some(self.transmit(length, None))
    }

    fn setup_timeout(&self) -> Option<Instant> {
        self.handshake.as_ref().map(Handshake::poll_timeout)
    }

    fn setup_failure(&self, now: Instant) -> Option<Failure> {
        self.handshake.as_ref()?.failure(now).map(|failure| self.with_tag(failure))
    }

    fn set_up_again(&mut self, next_seq: u64, now: Instant) {
        self.begin_handshake(next_seq, now);
    }

    fn end_setup(&mut self) {
        self.handshake = None;
    }

    /// The send time is written by `finalize`.
    fn build(
        &mut self,
        seq: u64,
        now: Instant,
        _: Instant,
        buffer: &mut [u8],
    ) -> Result<Transmit, SendError> {
        let token = self.token().expect("probes follow the handshake");
        let message = &mut buffer[..self.requested.size as usize];
        message[MIN_SIZE as usize..].copy_from_slice(&self.payload);
        message[..MIN_SIZE as usize].fill(0);
        Probe { token, seq, sent: now }.emit(message);
        self.count_unanswered(seq, now);
        Ok(self.transmit(self.requested.size as usize, Some(seq)))
    }

    /// All probes have one payload, so that part of the tag is known.
    fn finalize(&self, transmit: &Transmit, now: Instant, datagram: &mut [u8]) {
        let end = transmit.length - self.tag();
        if transmit.seq.is_some() {
            Probe::set_sent(now, datagram);
        }
        match (&self.key, &self.rest) {
            (Some(_), Some(rest)) if transmit.seq.is_some() => drop(rest.seal(datagram, end)),
            (Some(key), _) => drop(key.seal(datagram, end)),
            (None, _) => {}
        }
    }

    fn hear(&mut self, received: Instant, _: usize, datagram: &[u8], probes: &mut InFlight) -> Heard {
        match self.opened(datagram) {
            Some(message) => self.hear_message(received, message, probes),
            None => Heard::Unauthentic,
        }
    }

    fn claims(&self, datagram: &[u8]) -> bool {
        match self.opened(datagram).map(decode) {
            Some(Ok(
                Message::Reply(Reply { token, .. })
                | Message::Outcomes(Outcomes { token, .. })
                | Message::UnknownSession(UnknownSession { token, .. })
                | Message::Stopped(token, _),
            )) => self.knows(token),
            _ => false,
        }
    }

    fn probe_in(&self, frame: &[u8]) -> Option<u64> {
        /// Link, network and transport headers are not longer.
        const HEADERS: usize = 96;
        (0..=frame.len().min(HEADERS)).find_map(|start| match decode(&frame[start..]) {
            Ok(Message::Probe(probe)) if self.knows(probe.token) => Some(probe.seq),
            _ => None,
        })
    }

    fn query(&mut self, now: Instant, probes: &mut InFlight, buffer: &mut [u8]) -> Option<Transmit> {
        let length = self.queries.poll_transmit(now, probes, self.token()?, buffer)?;
        Some(self.transmit(length, None))
    }

    fn query_timeout(&self, now: Instant, probes: &InFlight) -> Option<Instant> {
        self.queries.poll_timeout(probes, now)
    }

    fn longest_query(&self) -> Duration {
        Self::LONGEST_QUERY
    }

    fn server_socket(&self) -> Option<[SocketMark; 2]> {
        self.session.as_ref().map(|session| session.socket)
    }

    fn stop_server(&mut self, buffer: &mut [u8]) -> Option<Transmit> {
        let length = emit_stop(self.token()?, buffer);
        Some(self.transmit(length, None))
    }

    fn close(&mut self, buffer: &mut [u8]) -> Option<Transmit> {
        let length = emit_close(self.token()?, buffer);
        Some(self.transmit(length, None))
    }
}

fn requested(settings: &Settings) -> Requested {
    let wait = settings.longest_wait();
    let probes = settings.schedule.most_within(wait + Native::REMEMBER_MARGIN);
    let tag = if settings.key.is_some() { TAG as u32 } else { 0 };
    Requested {
        impairment: settings.requested_impairment.as_ref().map_or(String::new(), ToString::to_string),
        size: settings.size.saturating_sub(tag),
        remember: probes.clamp(Native::MIN_REMEMBERED, Native::MAX_REMEMBERED) as u32,
        idle: settings.schedule.longest_interval() * 3 + wait + Duration::from_secs(60),
    }
}
