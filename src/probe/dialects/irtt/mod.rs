//! irtt (protocol version 1): a session is opened with parameters, which the server may restrict; replies count the
//! probes that arrived and show the last 64 of them.

mod opening;

use super::super::dialect::{DialectClient, Heard};
use super::super::event::{Failure, Finding, SendError, ServerInfo};
use super::super::in_flight::{InFlight, ReplyFacts, ServerTimes};
use super::super::retry::Retry;
use super::super::settings::{Dialect, Settings, Transmit};
use super::gaps::{Gaps, Place};
use crate::rng::Stream;
use crate::time::{Duration, Instant};
use crate::wire::irtt::{Echo, HmacKey, Packet, Params, Unread};
use opening::{asked, findings, refusal};

#[derive(Debug)]
pub(crate) struct Irtt {
    key: Option<HmacKey>,
    asked: Params,
    /// As the server granted it.
    granted: Params,
    size: usize,
    payload: Vec<u8>,
    /// At the start, and while a session is silent.
    setup: Option<Retry>,
    refused: Option<Refused>,
    token: Option<u64>,
    /// The session before: its replies may still come.
    old_token: Option<u64>,
    /// A session that a repeated opening made, to be ended: an irtt server keeps it for good otherwise.
    stray: Option<u64>,
    /// When the session began, and whether the server ended it.
    begun: Instant,
    is_closed: bool,
    gaps: Gaps,
    findings: Vec<Finding>,
    told_short: bool,
    /// When the server last spoke, and probes sent since.
    heard: Instant,
    unanswered: u64,
}

/// A session with restrictions under which the run makes no sense. It is ended before the run is.
#[derive(Debug)]
struct Refused {
    token: u64,
    at: Instant,
    failure: Failure,
    is_ended: bool,
}

impl Irtt {
    const TRIES: u32 = 4;
    /// A session is silent after so long without an answer to so many probes: a server that was restarted does not
    /// answer those of an old session.
    const SILENCE: Duration = Duration::from_secs(5);
    const UNANSWERED: u64 = 10;
    /// A server that ends each session at once is asked for no more than one a second.
    const SHORTEST_SESSION: Duration = Duration::from_secs(1);

    pub(crate) fn new(settings: &Settings, now: Instant) -> Self {
        let asked = asked(settings);
        let key = settings.irtt.key.clone();
        let header = asked.header(key.is_some());
        let size = header.max(settings.size as usize);
        let mut payload = vec![0; size - header];
        rand::Rng::fill_bytes(&mut Stream::new(settings.seed, "irtt payload").at(0), &mut payload);
        Self {
            key,
            granted: asked.clone(),
            asked,
            size,
            payload,
            setup: Some(Retry::every_second(now)),
            refused: None,
            token: None,
            old_token: None,
            stray: None,
            begun: now,
            is_closed: false,
            gaps: Gaps::new(now),
            findings: Vec::new(),
            told_short: false,
            heard: now,
            unanswered: 0,
        }
    }

    fn emit(&self, seq: u64, buffer: &mut [u8]) -> usize {
        buffer[self.size - self.payload.len()..self.size].copy_from_slice(&self.payload);
        let header = self.granted.header(self.key.is_some());
        buffer[header..self.size - self.payload.len()].fill(0);
        let token = self.token.unwrap_or_default();
        Packet::emit_probe(token, seq as u32, &self.granted, self.key.is_some(), buffer);
        self.size
    }

    fn hear_opened(&mut self, received: Instant, packet: &Packet, probes: &mut InFlight) -> Heard {
        let Some((token, granted)) = packet.opened().filter(|(token, _)| *token != 0 || packet.close) else {
            return Heard::Junk;
        };
        if self.setup.is_none() || self.refused.is_some() {
            self.stray = Some(token).filter(|token| self.token != Some(*token) && !packet.close);
            return Heard::Understood;
        }
        if let Some(failure) = refusal(&self.asked, &granted, packet.close) {
            self.refused = Some(Refused { token, at: received, failure, is_ended: packet.close });
            return Heard::Understood;
        }
        self.begin(token, granted, received, probes)
    }

    fn begin(&mut self, token: u64, granted: Params, received: Instant, probes: &mut InFlight) -> Heard {
        let is_first = self.token.is_none();
        let silent = (!is_first && !self.is_closed).then(|| received - self.heard);
        if is_first {
            self.gaps.opened(0);
            self.findings.extend(findings(&self.asked, &granted));
        } else {
            self.gaps.restart();
        }
        if !granted.received.count {
            probes.timeouts_mut().query = Duration::ZERO;
        }
        self.gaps.space_closing(Duration::from_nanos(granted.interval));
        self.old_token = self.token.replace(token);
        (self.setup, self.is_closed, self.granted) = (None, false, granted);
        (self.begun, self.heard, self.unanswered) = (received, received, 0);
        Heard::SetUp { server: ServerInfo::silent(Dialect::Irtt), silent }
    }

    /// The probe with this number; closing requests follow the run's last.
    fn seq_of(number: u32, probes: &InFlight) -> Option<u64> {
        let next = probes.range().end;
        let ahead = number.wrapping_sub(next as u32).cast_signed();
        u64::try_from(next.cast_signed() + i64::from(ahead)).ok()
    }

    fn hear_reply(&mut self, received: Instant, packet: &Packet, probes: &mut InFlight) -> Heard {
        let is_current = self.token == packet.token();
        let Some(echo) =
            packet.echo(&self.granted).filter(|_| is_current || self.old_token == packet.token())
        else {
            return Heard::Junk;
        };
        let seq = Self::seq_of(echo.seq, probes);
        let place = seq.map_or(Place::Nowhere, |seq| self.gaps.place_of(seq, probes));
        let Some(seq) = seq.filter(|_| place != Place::Nowhere) else { return Heard::Forged };
        if is_current {
            (self.heard, self.unanswered) = (received, 0);
            // It lives; no other is needed.
            self.setup.take_if(|_| !self.is_closed);
        }
        let number = echo.count.filter(|_| is_current);
        match number {
            Some(number) => {
                self.gaps.replied(seq, number);
                if let Some(window) = echo.window.filter(|window| window & 1 == 1) {
                    self.gaps.window(seq, window, received, probes);
                }
            }
            None => self.gaps.not_sent(seq),
        }
        if packet.close && is_current && !self.is_closed {
            self.is_closed = true;
            self.setup = Some(Retry::slow(received.max(self.begun + Self::SHORTEST_SESSION)));
        }
        if place == Place::Closing {
            self.gaps.closed();
            return Heard::Understood;
        }
        let times = probes.sent_at(seq).and_then(|sent| times(&echo, sent, received));
        Heard::Reply { seq, facts: ReplyFacts { times, number, ..ReplyFacts::default() } }
    }

    fn note_length(&mut self, length: usize) {
        if length < self.size && !std::mem::replace(&mut self.told_short, true) {
            self.findings.push(Finding::ShortReplies);
        }
    }

    fn close_of(&self, token: u64, buffer: &mut [u8]) -> Transmit {
        transmit(&Packet::emit_close(token, self.key.as_ref()), buffer)
    }
}

/// A datagram that is no probe.
fn transmit(packet: &[u8], buffer: &mut [u8]) -> Transmit {
    buffer[..packet.len()].copy_from_slice(packet);
    Transmit { channel: 0, renew: false, length: packet.len(), seq: None }
}

/// The times of the reply to a probe that was sent at `sent`. The time at the server is of its monotonic clock, if the
/// reply has that.
fn times(echo: &Echo, sent: Instant, received: Instant) -> Option<ServerTimes> {
    let between = |from: Option<i64>, to: Option<i64>| {
        let [from, to] = [from?, to?].map(Instant::from_nanos);
        Some(to - from)
    };
    let (came, left) = (echo.received, echo.sent);
    let here = Instant::from_nanos(came.wall.or(left.wall).filter(|wall| *wall > 0)?);
    let residence = between(came.monotonic, left.monotonic).or(between(came.wall, left.wall));
    let residence = residence.unwrap_or(Duration::ZERO).max(Duration::ZERO);
    Some(ServerTimes {
        hold: None,
        residence,
        stamped: false,
        owd_up: here - sent,
        owd_down: received - (here + residence),
    })
}

impl DialectClient for Irtt {
    fn setup(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        match &mut self.refused {
            Some(refused) if !refused.is_ended => {
                refused.is_ended = true;
                let token = refused.token;
                return Some(self.close_of(token, buffer));
            }
            Some(_) if self.token.is_none() => return None,
            _ => {}
        }
        self.setup.as_mut().filter(|retry| retry.is_due(now))?.tried(now);
        // In the middle of a run the next try may do better.
        self.refused = None;
        Some(transmit(&Packet::emit_long_open(&self.asked, false, self.key.as_ref()), buffer))
    }

    fn setup_timeout(&self) -> Option<Instant> {
        let retry = self.setup.as_ref().map(Retry::next);
        let is_first = self.token.is_none();
        self.refused
            .as_ref()
            .filter(|refused| is_first || !refused.is_ended)
            .map(|refused| refused.at)
            .or(retry)
    }

    fn setup_failure(&self, now: Instant) -> Option<Failure> {
        if let Some(refused) = self.refused.as_ref().filter(|refused| refused.is_ended) {
            return Some(refused.failure.clone());
        }
        self.setup.as_ref()?.failure(Self::TRIES, now)
    }

    fn build(
        &mut self,
        seq: u64,
        now: Instant,
        _: Instant,
        buffer: &mut [u8],
    ) -> Result<Transmit, SendError> {
        self.unanswered += 1;
        let is_silent = self.unanswered > Self::UNANSWERED && now - self.heard >= Self::SILENCE;
        if is_silent && self.setup.is_none() {
            self.setup = Some(Retry::slow(now));
        }
        if self.granted.received.count {
            self.gaps.sent(seq);
        }
        let length = self.emit(seq, buffer);
        Ok(Transmit { channel: 0, renew: false, length, seq: Some(seq) })
    }

    fn finalize(&self, transmit: &Transmit, _: Instant, datagram: &mut [u8]) {
        if let Some(key) = &self.key {
            key.sign(&mut datagram[..transmit.length]);
        }
    }

    fn hear(&mut self, received: Instant, _: usize, datagram: &[u8], probes: &mut InFlight) -> Heard {
        match Packet::parse(datagram, self.key.as_ref()) {
            Err(Unread::Foreign) => Heard::Junk,
            Err(Unread::Unauthentic) => Heard::Unauthentic,
            Ok(packet) if !packet.reply => Heard::Junk,
            Ok(packet) if packet.open => self.hear_opened(received, &packet, probes),
            Ok(packet) => {
                let heard = self.hear_reply(received, &packet, probes);
                if matches!(heard, Heard::Reply { .. }) {
                    self.note_length(datagram.len());
                }
                heard
            }
        }
    }

    fn finding(&mut self) -> Option<Finding> {
        self.findings.pop()
    }

    fn claims(&self, datagram: &[u8]) -> bool {
        let packet = Packet::parse(datagram, self.key.as_ref());
        packet.is_ok_and(|packet| packet.reply && packet.token().is_some() && packet.token() == self.token)
    }

    fn probe_in(&self, frame: &[u8]) -> Option<u64> {
        // Behind the headers of other layers; the kernel's copy of the frame ends with the datagram.
        let start = frame.len().checked_sub(self.size)?;
        let (token, number) = Packet::number_in(&frame[start..])?;
        (self.token == Some(token)).then_some(u64::from(number))
    }

    fn not_sent(&mut self, seq: u64) {
        self.gaps.not_sent(seq);
    }

    fn query(&mut self, now: Instant, probes: &mut InFlight, buffer: &mut [u8]) -> Option<Transmit> {
        if let Some(stray) = self.stray.take() {
            return Some(self.close_of(stray, buffer));
        }
        if !self.granted.received.count {
            return None;
        }
        self.gaps.judge(now, probes);
        let seq = self.gaps.next_closing(now, probes)?;
        let length = self.emit(seq, buffer);
        Some(Transmit { channel: 0, renew: false, length, seq: None })
    }

    fn query_timeout(&self, now: Instant, probes: &InFlight) -> Option<Instant> {
        let gaps = if self.granted.received.count { self.gaps.timeout(probes) } else { None };
        self.stray.map(|_| now).or(gaps)
    }

    fn longest_query(&self) -> Duration {
        Gaps::LONGEST_WAIT
    }

    fn close(&mut self, buffer: &mut [u8]) -> Option<Transmit> {
        let token = self.token.filter(|_| !self.is_closed)?;
        Some(self.close_of(token, buffer))
    }
}
