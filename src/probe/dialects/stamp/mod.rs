//! STAMP and TWAMP-Light (RFC 8762, RFC 8972, RFC 5357): what routers answer.
//!
//! The opening is a request with number 0; the first probe has number 2. A reflector that counts its replies has
//! numbered that one 1, one that copies numbers has not, so they are told apart without a loss.

mod clock;
mod tlvs;

use super::super::dialect::{DialectClient, Heard};
use super::super::event::{Failure, Finding, SendError, ServerInfo};
use super::super::in_flight::{InFlight, ReplyFacts, ServerTimes};
use super::super::retry::Retry;
use super::super::settings::{Dialect, Settings, StampOptions, Transmit};
use super::super::tlv_answers::TlvAnswers;
use super::gaps::{Gaps, Noted, Place};
use crate::rng::Stream;
use crate::time::{Duration, Instant};
use crate::wire::stamp::{
    ClassOfService, DirectMeasurement, ErrorEstimate, Mode, Reply, Request, Timestamp, TlvKind, TlvWriter,
    verifies_tlvs,
};
use clock::ReflectorClock;
use tlvs::Answers;

#[derive(Debug)]
pub(crate) struct Stamp {
    options: StampOptions,
    size: usize,
    ssid: u16,
    error: ErrorEstimate,
    /// Until the reflector has answered the opening.
    setup: Option<Retry>,
    /// Requests sent, as Direct Measurement tells them.
    sent: u32,
    gaps: Gaps,
    counting: Counting,
    clock: ReflectorClock,
    answers: Answers,
    findings: Vec<Finding>,
    /// It is said that replies have no receive time.
    told_no_times: bool,
}

/// Whether the reflector counts its replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counting {
    /// Its numbers were those of the requests so far.
    NotShown,
    /// So was the number of a probe.
    Copies,
    Counts,
}

impl Stamp {
    const TRIES: u32 = 3;
    /// The number of the first probe: that of the opening is 0, and 1 is skipped.
    const FIRST: u64 = 2;

    pub(crate) fn new(settings: &Settings, now: Instant) -> Self {
        let options = settings.stamp.clone();
        let mut draws = Stream::new(settings.seed, "stamp").at(0);
        let drawn = (rand::Rng::next_u32(&mut draws) % u32::from(u16::MAX)) as u16 + 1;
        Self {
            size: settings.size as usize,
            ssid: options.ssid.unwrap_or(drawn),
            error: ErrorEstimate::new(options.synchronized, options.format, options.clock_error),
            options,
            setup: Some(Retry::every_second(now)),
            sent: 0,
            gaps: Gaps::new(now),
            counting: Counting::NotShown,
            clock: ReflectorClock::default(),
            answers: Answers::default(),
            findings: Vec::new(),
            told_no_times: false,
        }
    }

    fn mode(&self) -> Mode {
        if self.options.key.is_some() { Mode::Authenticated } else { Mode::Open }
    }

    /// The number that a probe bears, or a closing request after the last.
    fn number_of(seq: u64) -> u32 {
        (seq + Self::FIRST) as u32
    }

    /// Writes a request but for its send time; returns its length.
    fn emit(&mut self, number: u32, buffer: &mut [u8]) -> usize {
        let mode = self.mode();
        let request = Request { seq: number, sent: Timestamp::default(), error: self.error, ssid: self.ssid };
        request.emit(mode, buffer);
        self.sent = self.sent.wrapping_add(1);
        let mut writer = TlvWriter::new(&mut buffer[..self.size], mode.base());
        for tlv in &self.options.tlvs {
            let dscp_back = self.options.dscp;
            let class = ClassOfService { dscp_back, dscp_received: 0, ecn_received: 0, refused: 0 };
            let counted = DirectMeasurement { sent: self.sent, ..DirectMeasurement::default() };
            match tlv {
                TlvKind::ClassOfService => writer.push(*tlv, &class.emit()),
                TlvKind::DirectMeasurement => writer.push(*tlv, &counted.emit()),
                TlvKind::TimestampInfo => writer.push(*tlv, &[0; 4]),
                _ => writer.push(*tlv, &[0; 16]),
            };
        }
        // In authenticated mode the HMAC covers all TLVs but the padding, which may follow it.
        if let Some(key) = self.options.key.as_ref().filter(|_| !self.options.tlvs.is_empty()) {
            writer.sign(key);
        }
        writer.pad_to(self.size, 0);
        writer.length()
    }

    /// The probe with this number; negative for the opening, beyond the run's last for a closing request.
    fn seq_of(number: u32, probes: &InFlight) -> i64 {
        let next = probes.range().end;
        let ahead = number.wrapping_sub(Self::number_of(next)).cast_signed();
        next.cast_signed() + i64::from(ahead)
    }

    /// The times of the reply to a request that was sent at `sent`.
    fn times(&mut self, reply: &Reply, sent: Instant, received: Instant) -> Option<ServerTimes> {
        let Some(arrived) = reply.received.filter(|stamp| *stamp != Timestamp::default()) else {
            let first = !std::mem::replace(&mut self.told_no_times, true);
            self.findings.extend(first.then_some(Finding::NoReceiveTime));
            return None;
        };
        self.findings.extend(self.clock.note(arrived, reply.error, received));
        let here = self.clock.read(arrived, reply.error, received)?;
        let left = self.clock.read(reply.sent, reply.error, received)?;
        let [here, left] = [here, left].map(Instant::from_nanos);
        Some(ServerTimes {
            hold: None,
            residence: left - here,
            stamped: false,
            owd_up: here - sent,
            owd_down: received - left,
        })
    }

    /// The reflector's own number of a reply: its counter of requests where the reply has that, else the number of the
    /// reply if it is no copy of the request's.
    fn own_number(&mut self, reply: &Reply, number: u32, tail: &[u8], is_probe: bool) -> Option<u32> {
        let own = tlvs::requests_counted(tail).map_or(reply.seq, |counted| counted.wrapping_sub(1));
        if own != number && self.counting != Counting::Counts {
            self.counting = Counting::Counts;
            self.findings.push(Finding::Stateful);
        } else if is_probe && self.counting == Counting::NotShown {
            self.counting = Counting::Copies;
            self.findings.push(Finding::Stateless);
        }
        (self.counting == Counting::Counts).then_some(own)
    }

    /// The TLVs of a reply; none if there is a key and their HMAC is wrong.
    fn tlv_tail<'a>(&self, datagram: &'a [u8]) -> &'a [u8] {
        let base = self.mode().base();
        let is_genuine = self.options.key.as_ref().is_none_or(|key| verifies_tlvs(key, datagram, base));
        datagram.get(base..).filter(|_| is_genuine).unwrap_or_default()
    }

    fn note_tlvs(&mut self, reply: &Reply, tail: &[u8], received: Instant) {
        let Self { clock, answers, .. } = self;
        let read = |stamp| clock.read(stamp, reply.error, received);
        answers.take(tail, (reply.seq, read(reply.sent)), read);
    }
}

impl DialectClient for Stamp {
    fn setup(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        self.setup.as_mut().filter(|retry| retry.is_due(now))?.tried(now);
        let length = self.emit(0, buffer);
        Some(Transmit { channel: 0, renew: false, length, seq: None })
    }

    fn setup_timeout(&self) -> Option<Instant> {
        self.setup.as_ref().map(Retry::next)
    }

    fn setup_failure(&self, now: Instant) -> Option<Failure> {
        self.setup.as_ref()?.failure(Self::TRIES, now)
    }

    fn build(&mut self, seq: u64, _: Instant, _: Instant, buffer: &mut [u8]) -> Result<Transmit, SendError> {
        let length = self.emit(Self::number_of(seq), buffer);
        if self.counting != Counting::Copies {
            self.gaps.sent(seq);
        }
        Ok(Transmit { channel: 0, renew: false, length, seq: Some(seq) })
    }

    fn finalize(&self, _: &Transmit, now: Instant, datagram: &mut [u8]) {
        let mode = self.mode();
        Timestamp::from_unix(now.as_nanos(), self.options.format).emit(mode, datagram);
        if let Some(key) = &self.options.key {
            key.sign(datagram);
        }
    }

    fn hear(&mut self, received: Instant, _: usize, datagram: &[u8], probes: &mut InFlight) -> Heard {
        if self.options.key.as_ref().is_some_and(|key| !key.verifies(datagram)) {
            return Heard::Unauthentic;
        }
        let Some(reply) = Reply::parse(self.mode(), datagram) else { return Heard::Junk };
        // One without RFC 8972 leaves zero.
        if reply.ssid != self.ssid && reply.ssid != 0 {
            return Heard::Junk;
        }
        let number = reply.echoed.map_or(reply.seq, |echoed| echoed.seq);
        let is_first = self.setup.is_some();
        let seq = if is_first && number == 0 { -2 } else { Self::seq_of(number, probes) };
        let Ok(seq) = u64::try_from(seq) else {
            if number != 0 {
                return Heard::Forged;
            }
            let own = self.own_number(&reply, 0, self.tlv_tail(datagram), false).unwrap_or(0);
            self.gaps.opened(own);
            return match self.setup.take() {
                Some(_) => Heard::SetUp { server: ServerInfo::silent(Dialect::Stamp), silent: None },
                None => Heard::Understood,
            };
        };
        let place = self.gaps.place_of(seq, probes);
        if place == Place::Nowhere {
            return Heard::Forged;
        }
        let sent = probes.sent_at(seq);
        let expected = sent.map(|sent| Timestamp::from_unix(sent.as_nanos(), self.options.format));
        if let (Some(echoed), Some(expected)) = (reply.echoed, expected)
            && echoed.sent != expected
        {
            return Heard::Forged;
        }
        let tail = self.tlv_tail(datagram);
        self.note_tlvs(&reply, tail, received);
        let own = self.own_number(&reply, number, tail, place == Place::Probe);
        if self.counting == Counting::Copies {
            probes.timeouts_mut().query = Duration::ZERO;
        }
        if let Some(own) = own
            && self.gaps.replied(seq, own) == Noted::Restart
        {
            self.findings.push(Finding::CountsAnew);
        }
        if own.is_none() {
            self.gaps.not_sent(seq);
        }
        if place == Place::Closing {
            self.gaps.closed();
            return Heard::Understood;
        }
        let times = sent.and_then(|sent| self.times(&reply, sent, received));
        Heard::Reply { seq, facts: ReplyFacts { times, number: own, ..ReplyFacts::default() } }
    }

    fn finding(&mut self) -> Option<Finding> {
        self.findings.pop()
    }

    fn note_traffic_class(&mut self, class: Option<u8>) {
        self.answers.class = class;
    }

    fn tlv_answers(&mut self) -> Option<TlvAnswers> {
        self.answers.finish(&self.options.tlvs)
    }

    fn probe_in(&self, frame: &[u8]) -> Option<u64> {
        // Behind the headers of other layers; the kernel's copy of the frame ends with the datagram.
        let start = frame.len().checked_sub(self.size)?;
        let request = Request::parse(self.mode(), &frame[start..])?;
        let number = request.seq.wrapping_sub(Self::FIRST as u32);
        (request.ssid == self.ssid).then_some(u64::from(number))
    }

    fn not_sent(&mut self, seq: u64) {
        self.gaps.not_sent(seq);
        self.sent = self.sent.wrapping_sub(1);
    }

    fn query(&mut self, now: Instant, probes: &mut InFlight, buffer: &mut [u8]) -> Option<Transmit> {
        if self.counting != Counting::Counts {
            return None;
        }
        self.gaps.judge(now, probes);
        let seq = self.gaps.next_closing(now, probes)?;
        let length = self.emit(Self::number_of(seq), buffer);
        Some(Transmit { channel: 0, renew: false, length, seq: None })
    }

    fn query_timeout(&self, _: Instant, probes: &InFlight) -> Option<Instant> {
        if self.counting == Counting::Counts { self.gaps.timeout(probes) } else { None }
    }

    fn longest_query(&self) -> Duration {
        Gaps::LONGEST_WAIT
    }
}
