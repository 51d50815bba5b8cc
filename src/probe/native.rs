//! The native protocol's client: the session, its probes, and the truth about them.

use super::event::Event;
use super::handshake::{Opened, Opening, Requested};
use super::in_flight::{Flight, ReplyFacts, ServerTimes};
use super::outcome_query::Truth;
use super::{AnyDialect, Client, Corruption, Phase, ServerInfo, Settings};
use crate::rng::{Seed, Stream};
use crate::time::{Duration, Instant};
use crate::wire::auth::{Key, Rest, TAG};
use crate::wire::native::{
    MIN_SIZE, Message, Outcomes, Probe, ProbeStatus, Reply, SocketMark, Token, UnknownSession, decode,
    emit_close, emit_stop,
};

#[derive(Debug)]
pub struct Native {
    seed: Seed,
    requested: Requested,
    /// Under way at the start, and again when the server has forgotten the session.
    pub opening: Option<Opening>,
    openings: u64,
    token: Option<Token>,
    /// The session before: its replies may still come.
    old_token: Option<Token>,
    /// The first probe of the session; those before it are strangers to it.
    pub first_seq: u64,
    truth: Truth,
    /// What every probe carries behind its header.
    payload: Vec<u8>,
    /// The hash of the payload, if there is a key.
    rest: Option<Rest>,
    /// The server's socket at the opening, and when it was last asked about probes.
    pub opened_at: SocketMark,
    pub told_at: SocketMark,
    /// A server that says it is clean has injected something, and that was told.
    told_unclean: bool,
    /// When the session was last heard, and probes sent since.
    heard: Instant,
    unanswered: u64,
}

impl Native {
    /// A session is silent after so long without an answer to so many probes.
    const SILENCE: Duration = Duration::from_secs(5);
    const UNANSWERED: u64 = 10;
    /// The server keeps fates this much longer than a reply may take.
    const REMEMBER_MARGIN: Duration = Duration::from_secs(10);
    /// A server, or a forger, cannot keep a run waiting for longer.
    const HOLD_BELIEVED: Duration = Duration::from_secs(60);
    const REMEMBER_LEAST: i64 = 4096;
    const REMEMBER_MOST: i64 = 1 << 22;

    pub fn new(settings: &Settings, now: Instant) -> Self {
        let requested = requested(settings);
        let mut payload = vec![0; settings.message_size().saturating_sub(MIN_SIZE) as usize];
        rand::Rng::fill_bytes(&mut Stream::new(settings.seed, "payload").at(0), &mut payload);
        Self {
            seed: settings.seed,
            opening: Some(Opening::new(requested.clone(), 0, settings.seed, 0, now)),
            openings: 1,
            requested,
            token: None,
            old_token: None,
            first_seq: 0,
            truth: Truth::new(settings.message_size()),
            rest: settings
                .key
                .as_ref()
                .map(|key| key.rest(&[&[0; MIN_SIZE as usize], &payload[..]].concat())),
            payload,
            opened_at: SocketMark::default(),
            told_at: SocketMark::default(),
            told_unclean: false,
            heard: now,
            unanswered: 0,
        }
    }

    /// A probe was sent. A session that is silent for long may be gone: a handshake beside the probes tells.
    pub fn probe_sent(&mut self, seq: u64, now: Instant, longest_hold: Duration) {
        self.unanswered += 1;
        match &mut self.opening {
            Some(opening) => opening.probe_sent(now),
            None => {
                let silent = now - self.heard >= Self::SILENCE + longest_hold;
                if silent && self.unanswered >= Self::UNANSWERED {
                    self.open_again(seq, now);
                    self.opening = self.opening.take().map(|opening| opening.beside(now));
                }
            }
        }
    }

    /// The session lives; a handshake beside it is not needed.
    fn heard_session(&mut self, token: Token, now: Instant) {
        if self.token == Some(token) {
            (self.heard, self.unanswered) = (now, 0);
            self.opening = self.opening.take().filter(|opening| !opening.is_beside());
        }
    }

    pub fn poll_timeout(&self, flight: &Flight, now: Instant) -> Option<Instant> {
        self.truth.poll_timeout(flight, now)
    }

    pub fn poll_question(&mut self, now: Instant, flight: &Flight, buffer: &mut [u8]) -> Option<usize> {
        self.truth.poll_transmit(now, flight, self.token?, buffer)
    }

    pub fn emit_probe(&self, seq: u64, now: Instant, buffer: &mut [u8]) {
        let token = self.token.expect("probes follow the opening");
        buffer[MIN_SIZE as usize..].copy_from_slice(&self.payload);
        buffer[..MIN_SIZE as usize].fill(0);
        Probe { token, seq, sent: now }.emit(buffer);
    }

    /// Completes a probe that `emit_probe` wrote. Its payload is that of all, and so is that part of its seal.
    pub fn finalize(&self, now: Instant, datagram: &mut [u8], length: usize) {
        Probe::set_sent(now, datagram);
        if let Some(rest) = &self.rest {
            rest.seal(datagram, length - TAG);
        }
    }

    /// The length of the message in a datagram, if its tag is right. Most bear our own payload.
    pub(super) fn opens(&self, key: &Key, datagram: &[u8]) -> Option<usize> {
        let message = &datagram[..datagram.len().checked_sub(TAG)?];
        match &self.rest {
            Some(rest) if message.get(MIN_SIZE as usize..) == Some(&self.payload[..]) => {
                rest.opens(datagram).then_some(message.len())
            }
            _ => key.open(datagram).map(|(length, _)| length),
        }
    }

    pub fn emit_stop(&self, buffer: &mut [u8]) -> usize {
        emit_stop(self.token.expect("probes follow the opening"), buffer)
    }

    /// Nothing is closed that was never open.
    pub fn emit_close(&self, buffer: &mut [u8]) -> Option<usize> {
        Some(emit_close(self.token?, buffer))
    }

    /// The number of the probe of this session that a frame carries.
    pub fn probe_in(&self, frame: &[u8]) -> Option<u64> {
        /// Link, network and transport headers are not longer.
        const HEADERS: usize = 96;
        (0..=frame.len().min(HEADERS)).find_map(|start| match decode(&frame[start..]) {
            Ok(Message::Probe(probe)) if self.knows(probe.token) => Some(probe.seq),
            _ => None,
        })
    }

    pub(super) fn knows(&self, token: Token) -> bool {
        self.token == Some(token) || self.old_token == Some(token)
    }

    fn begin_session(&mut self, opened: &Opened, first_seq: u64, now: Instant) {
        (self.heard, self.unanswered) = (now, 0);
        self.old_token = self.token.replace(opened.token);
        self.first_seq = first_seq;
        self.opening = None;
        self.truth.reset();
        self.opened_at = opened.socket;
        self.told_at = opened.socket;
    }

    fn open_again(&mut self, next_seq: u64, now: Instant) {
        self.opening = Some(Opening::new(self.requested.clone(), next_seq, self.seed, self.openings, now));
        self.openings += 1;
    }
}

impl Client {
    /// A datagram that was sealed by the other end, if there is a key.
    pub(super) fn handle_datagram(&mut self, received: Instant, datagram: &[u8]) {
        let (Some(key), AnyDialect::Native(native)) = (&self.settings.key, &self.dialect) else {
            return self.handle_native(received, datagram);
        };
        match native.opens(key, datagram) {
            Some(length) => self.handle_native(received, &datagram[..length]),
            None => self.counters.unauthentic += 1,
        }
    }

    fn handle_native(&mut self, received: Instant, datagram: &[u8]) {
        let AnyDialect::Native(native) = &mut self.dialect else { return };
        let Ok(message) = decode(datagram) else {
            self.counters.junk += 1;
            return;
        };
        if let Message::Reply(Reply { token, .. })
        | Message::Outcomes(Outcomes { token, .. })
        | Message::UnknownSession(UnknownSession { token, .. }) = message
        {
            native.heard_session(token, received);
        }
        match message {
            Message::Reply(reply) => self.handle_reply(received, &reply, datagram),
            Message::Cookie(cookie) => {
                if let Some(opening) = &mut native.opening {
                    opening.handle_cookie(received, &cookie);
                }
            }
            Message::Accept(accept) => {
                let opened = native.opening.as_ref().and_then(|opening| opening.handle_accept(&accept));
                if let Some(opened) = opened {
                    self.handle_opened(received, opened);
                }
            }
            Message::Deny(deny) => {
                let failure =
                    native.opening.as_mut().and_then(|opening| opening.handle_deny(received, &deny));
                // In the middle of a run a refusal is no end: the next try may do better.
                if let Some(failure) = failure
                    && matches!(self.phase, Phase::Opening)
                {
                    self.fail(failure.with_tag(self.settings.tag()));
                }
            }
            Message::UnknownSession(forgotten) => self.handle_forgotten(received, forgotten),
            Message::Outcomes(tell) => self.handle_tell(&tell),
            Message::Stopped(token, obeyed) if native.knows(token) => self.handle_stopped(obeyed),
            _ => self.counters.junk += 1,
        }
    }

    fn handle_opened(&mut self, now: Instant, opened: Opened) {
        let AnyDialect::Native(native) = &mut self.dialect else { return };
        if native.opening.as_ref().is_some_and(Opening::is_beside) {
            self.events.push_back(Event::SessionLost { at: now, silent: now - native.heard });
        }
        native.begin_session(&opened, self.plan.next_seq(), now);
        self.flight.patience_mut().longest_hold = if opened.server.is_clean() {
            Duration::ZERO
        } else {
            opened.server.longest_hold.min(Native::HOLD_BELIEVED)
        };
        let max_size = opened.server.max_size.saturating_add(self.settings.tag());
        self.server = Some(ServerInfo { max_size, ..opened.server });
        if matches!(self.phase, Phase::Opening) {
            self.start(now);
        } else {
            self.events.push_back(Event::Reopened { at: now, first_seq: self.plan.next_seq() });
        }
    }

    fn handle_reply(&mut self, received: Instant, reply: &Reply, datagram: &[u8]) {
        let AnyDialect::Native(native) = &mut self.dialect else { return };
        if !native.knows(reply.token) || datagram.len() != self.settings.message_size() as usize {
            self.counters.junk += 1;
            return;
        }
        let sent = self.flight.sent_at(reply.seq);
        if sent.is_some_and(|sent| sent != reply.sent) {
            self.counters.forged += 1;
            return;
        }
        let corrupted = match (reply.corrupted, datagram[MIN_SIZE as usize..] == native.payload) {
            (true, _) => Some(Corruption::Injected),
            (false, false) => Some(Corruption::Network),
            (false, true) => None,
        };
        // The window counts from the number, which only a probe still in flight proves.
        for k in (0..u64::from(u32::BITS)).filter(|_| sent.is_some()) {
            if reply.window >> k & 1 == 1
                && let Some(seq) = reply.seq.checked_sub(k + 1)
            {
                self.flight.seen_in_window(seq);
            }
        }
        let times = ServerTimes {
            hold: reply.hold,
            residence: reply.residence,
            stamped: self.server.as_ref().is_some_and(|server| server.kernel_stamps),
            owd_up: reply.received - reply.sent,
            owd_down: received - (reply.received + reply.residence),
        };
        let facts =
            ReplyFacts { times: Some(times), injected_copy: reply.copy, socket: reply.socket, corrupted };
        let arrival = self.flight.arrive(reply.seq, received, facts);
        let hold = arrival.rtt().filter(|rtt| times.are_possible(*rtt)).map(|_| reply.hold);
        if hold > Some(Duration::ZERO) {
            self.note_injection(reply.seq, received);
        }
        self.note_arrival(reply.seq, arrival, hold);
    }

    /// The server injected something into this probe, which a clean one does not.
    pub(super) fn note_injection(&mut self, seq: u64, at: Instant) {
        let clean = self.server.as_ref().is_some_and(ServerInfo::is_clean);
        if let AnyDialect::Native(native) = &mut self.dialect
            && clean
            && seq >= native.first_seq
            && !std::mem::replace(&mut native.told_unclean, true)
        {
            self.events.push_back(Event::NotClean { at, seq });
        }
    }

    fn handle_forgotten(&mut self, now: Instant, forgotten: UnknownSession) {
        let AnyDialect::Native(native) = &mut self.dialect else { return };
        if !native.knows(forgotten.token) {
            self.counters.junk += 1;
            return;
        }
        if let Some(seq) = forgotten.seq {
            self.flight.tell(seq, ProbeStatus::Forgotten, now);
        }
        let is_current = native.token == Some(forgotten.token);
        if is_current && native.opening.is_none() && matches!(self.phase, Phase::Running) {
            native.open_again(self.plan.next_seq(), now);
            self.events.push_back(Event::Forgotten { at: now });
        }
    }

    fn handle_tell(&mut self, tell: &Outcomes) {
        let AnyDialect::Native(native) = &mut self.dialect else { return };
        if native.token != Some(tell.token) {
            self.counters.junk += u64::from(!native.knows(tell.token));
            return;
        }
        // An answer that came before, by another copy, changes nothing.
        if native.truth.handle_tell(tell, native.first_seq, &mut self.flight) {
            native.told_at = tell.socket;
        }
    }
}

fn requested(settings: &Settings) -> Requested {
    let wait = settings.longest_wait();
    let probes = settings.schedule.most_within(wait + Native::REMEMBER_MARGIN);
    Requested {
        injection: settings.requested_impairment.as_ref().map_or(String::new(), ToString::to_string),
        size: settings.message_size(),
        remember: probes.clamp(Native::REMEMBER_LEAST, Native::REMEMBER_MOST) as u32,
        idle: settings.schedule.longest_interval() * 3 + wait + Duration::from_secs(60),
    }
}
