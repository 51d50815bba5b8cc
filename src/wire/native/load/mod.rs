//! Load in one direction, to measure what a path carries. Up: the client sends `Load`, the server counts it and
//! now and then says in a `LoadReport` what has arrived. Down: the client asks by `Pull`, again and again, and
//! the server sends `Push` within the budget of the last `Pull`, which lasts 150 ms.
//!
//! `Load` is at least as long as a whole `LoadReport`, and `Pull` as a short one. `Push` goes only to the address
//! that opened the session, which the handshake proved.

mod arrivals;

pub use arrivals::{Arrivals, Sums};

use super::fields::{U32, U64, get_u32, get_u64, put_u32, put_u64};
use super::{BODY, Kind, SocketMark, Token, emit_prefix, flags, id};
use crate::time::{Duration, Instant};

/// The number of the load in its session.
pub(super) const PHASE: U32 = BODY..BODY + 4;
pub(super) const SEQ: U64 = PHASE.end..PHASE.end + 8;
pub(super) const SENT: U64 = SEQ.end..SEQ.end + 8;
/// A last field, of another meaning in each direction.
pub(super) const LAST: U32 = SENT.end..SENT.end + 4;

/// The fields of a packet of a load, up or down.
struct Packet {
    token: Token,
    phase: u32,
    seq: u64,
    sent: Instant,
    last: u32,
}

impl Packet {
    /// Writes a message of this length, padded with zeros.
    fn emit(&self, kind: Kind, buffer: &mut [u8], length: usize) -> usize {
        buffer[..length].fill(0);
        emit_prefix(buffer, kind, 0, self.token.0);
        put_u32(buffer, PHASE, self.phase);
        put_u64(buffer, SEQ, self.seq);
        put_u64(buffer, SENT, self.sent.as_nanos() as u64);
        put_u32(buffer, LAST, self.last);
        length
    }

    /// None if the message is shorter than `least`.
    fn parse(datagram: &[u8], least: usize) -> Option<Self> {
        (datagram.len() >= least).then(|| Self {
            token: Token(id(datagram)),
            phase: get_u32(datagram, PHASE),
            seq: get_u64(datagram, SEQ),
            sent: Instant::from_nanos(get_u64(datagram, SENT) as i64),
            last: get_u32(datagram, LAST),
        })
    }
}

/// A packet of the load up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Of the session.
    pub token: Token,
    /// Chosen by the client, from 1; the server counts from the beginning when it grows.
    pub phase: u32,
    /// Counts up from 0 in each phase.
    pub seq: u64,
    /// By the client's clock.
    pub sent: Instant,
    /// Asks for a report if the last one is as old as this, in microseconds; 0 for none.
    pub report_every: u32,
}

impl Load {
    /// The shortest: that of its report.
    pub const MIN: usize = LoadReport::LENGTH;

    /// Writes a message of this length, padded with zeros.
    pub fn emit(&self, buffer: &mut [u8], length: usize) -> usize {
        let Self { token, phase, seq, sent, report_every: last } = *self;
        Packet { token, phase, seq, sent, last }.emit(Kind::Load, buffer, length)
    }

    /// None if it is shorter than its report.
    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        let Packet { token, phase, seq, sent, last } = Packet::parse(datagram, Self::MIN)?;
        Some(Self { token, phase, seq, sent, report_every: last })
    }
}

/// The arrivals of a load up. A short report, without the sums, says how much load the server grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadReport {
    /// Of the session.
    pub token: Token,
    /// From the message that asked.
    pub phase: u32,
    /// The most that the server grants this address, in bits a second of UDP payload; 0 if it grants none.
    pub limit: u64,
    /// Another client has the load now: ask again later.
    pub busy: bool,
    /// The server's socket when the message that asked arrived.
    pub socket: SocketMark,
    /// The arrivals in this phase.
    pub sums: Option<Sums>,
}

impl LoadReport {
    const BUSY: u8 = 1;
    pub(super) const LIMIT: U64 = PHASE.end..PHASE.end + 8;
    pub(super) const SOCKET: U32 = Self::LIMIT.end..Self::LIMIT.end + 4;
    /// Of a short one.
    pub(super) const SHORT: usize = Self::SOCKET.end;
    pub(super) const NUMBER: U32 = Self::SOCKET.end..Self::SOCKET.end + 4;
    pub(super) const NEWEST: U64 = Self::NUMBER.end..Self::NUMBER.end + 8;
    pub(super) const ARRIVED: U64 = Self::NEWEST.end..Self::NEWEST.end + 8;
    pub(super) const BYTES: U64 = Self::ARRIVED.end..Self::ARRIVED.end + 8;
    pub(super) const FIRST: U64 = Self::BYTES.end..Self::BYTES.end + 8;
    pub(super) const LAST: U64 = Self::FIRST.end..Self::FIRST.end + 8;
    /// Four of them.
    pub(super) const DELAYS: std::ops::Range<usize> = Self::LAST.end..Self::LAST.end + 32;
    const LENGTH: usize = Self::DELAYS.end;

    fn delay(index: usize) -> U64 {
        Self::DELAYS.start + 8 * index..Self::DELAYS.start + 8 * (index + 1)
    }

    /// Returns the length of the message.
    pub fn emit(&self, buffer: &mut [u8]) -> usize {
        emit_prefix(buffer, Kind::LoadReport, if self.busy { Self::BUSY } else { 0 }, self.token.0);
        put_u32(buffer, PHASE, self.phase);
        put_u64(buffer, Self::LIMIT, self.limit);
        self.socket.put(buffer, Self::SOCKET);
        let Some(sums) = self.sums else { return Self::SHORT };
        put_u32(buffer, Self::NUMBER, sums.number);
        for (place, value) in [
            (Self::NEWEST, sums.newest),
            (Self::ARRIVED, sums.arrived),
            (Self::BYTES, sums.bytes),
            (Self::FIRST, sums.first.as_nanos() as u64),
            (Self::LAST, sums.last.as_nanos() as u64),
        ] {
            put_u64(buffer, place, value);
        }
        for (index, delay) in sums.delays.into_iter().enumerate() {
            put_u64(buffer, Self::delay(index), delay.as_nanos() as u64);
        }
        Self::LENGTH
    }

    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        let instant = |place| Instant::from_nanos(get_u64(datagram, place) as i64);
        let sums = || Sums {
            number: get_u32(datagram, Self::NUMBER),
            newest: get_u64(datagram, Self::NEWEST),
            arrived: get_u64(datagram, Self::ARRIVED),
            bytes: get_u64(datagram, Self::BYTES),
            first: instant(Self::FIRST),
            last: instant(Self::LAST),
            delays: std::array::from_fn(|index| {
                Duration::from_nanos(get_u64(datagram, Self::delay(index)) as i64)
            }),
        };
        (datagram.len() >= Self::SHORT).then(|| Self {
            token: Token(id(datagram)),
            phase: get_u32(datagram, PHASE),
            limit: get_u64(datagram, Self::LIMIT),
            busy: flags(datagram) & Self::BUSY != 0,
            socket: SocketMark::get(datagram, Self::SOCKET),
            sums: (datagram.len() >= Self::LENGTH).then(sums),
        })
    }
}

/// Asks for a load down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pull {
    /// Of the session.
    pub token: Token,
    /// Chosen by the client, from 1; the numbers of `Push` begin anew when it grows.
    pub phase: u32,
    /// Counts up in each phase; one that is not newer than the last is ignored.
    pub number: u32,
    /// Bits a second of UDP payload; 0 asks for a short `LoadReport` instead, which tells what the server grants.
    pub rate: u64,
    /// Bytes of UDP payload of each `Push`, the tag included; no more than the session's size is sent.
    pub size: u32,
    /// Bytes that may be sent on account of this message, at most; the server sends no more than `rate` gives in
    /// 150 ms.
    pub budget: u32,
}

impl Pull {
    pub(super) const NUMBER: U32 = PHASE.end..PHASE.end + 4;
    pub(super) const RATE: U64 = Self::NUMBER.end..Self::NUMBER.end + 8;
    pub(super) const SIZE: U32 = Self::RATE.end..Self::RATE.end + 4;
    pub(super) const BUDGET: U32 = Self::SIZE.end..Self::SIZE.end + 4;
    const LENGTH: usize = Self::BUDGET.end;
    /// How long a budget lasts.
    pub const LASTS: Duration = Duration::from_millis(150);

    /// Returns the length of the message.
    pub fn emit(&self, buffer: &mut [u8]) -> usize {
        emit_prefix(buffer, Kind::Pull, 0, self.token.0);
        for (place, value) in [
            (PHASE, self.phase),
            (Self::NUMBER, self.number),
            (Self::SIZE, self.size),
            (Self::BUDGET, self.budget),
        ] {
            put_u32(buffer, place, value);
        }
        put_u64(buffer, Self::RATE, self.rate);
        Self::LENGTH
    }

    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        (datagram.len() >= Self::LENGTH).then(|| Self {
            token: Token(id(datagram)),
            phase: get_u32(datagram, PHASE),
            number: get_u32(datagram, Self::NUMBER),
            rate: get_u64(datagram, Self::RATE),
            size: get_u32(datagram, Self::SIZE),
            budget: get_u32(datagram, Self::BUDGET),
        })
    }
}

const _: () = assert!(Pull::LENGTH >= LoadReport::SHORT, "no reply is longer than its request");

/// A packet of the load down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Push {
    /// Of the session.
    pub token: Token,
    /// From the `Pull`.
    pub phase: u32,
    /// Counts up from 0 in each phase.
    pub seq: u64,
    /// By the server's clock.
    pub sent: Instant,
    /// Packets of the load that were due and did not leave, since the server was late; it starts anywhere and
    /// wraps around.
    pub missed: u32,
}

impl Push {
    /// The shortest.
    pub const MIN: usize = LAST.end;

    /// Writes a message of this length, padded with zeros.
    pub fn emit(&self, buffer: &mut [u8], length: usize) -> usize {
        let Self { token, phase, seq, sent, missed: last } = *self;
        Packet { token, phase, seq, sent, last }.emit(Kind::Push, buffer, length)
    }

    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        let Packet { token, phase, seq, sent, last } = Packet::parse(datagram, Self::MIN)?;
        Some(Self { token, phase, seq, sent, missed: last })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Message, decode};
    use super::*;

    proptest! {
        #[test]
        fn messages_of_a_load_are_parsed_back(
            token: u64, phase: u32, number: u32, a: u64, b: u64, c: u64, sent: i64, d: i64, small: u32, flag: bool,
            extra in 0_usize..200,
        ) {
            let (token, sent) = (Token(token), Instant::from_nanos(sent));
            let mut buffer = vec![7; 512];
            let load = Load { token, phase, seq: a, sent, report_every: small };
            let asked = load.emit(&mut buffer, Load::MIN + extra);
            prop_assert_eq!(decode(&buffer[..asked]), Ok(Message::Load(load)));
            let sums = Sums {
                number, newest: a, arrived: b, bytes: c, first: sent, last: sent,
                delays: [d, d, sent.as_nanos(), 0].map(Duration::from_nanos),
            };
            let socket = SocketMark { drops: small as u16, turns: number as u16 };
            let report = LoadReport { token, phase, limit: c, busy: flag, socket, sums: Some(sums) };
            let answered = report.emit(&mut buffer);
            prop_assert!(answered <= asked);
            prop_assert_eq!(decode(&buffer[..answered]), Ok(Message::LoadReport(report)));
            let pull = Pull { token, phase, number, rate: a, size: small, budget: number };
            let asked = pull.emit(&mut buffer);
            prop_assert_eq!(decode(&buffer[..asked]), Ok(Message::Pull(pull)));
            let short = LoadReport { sums: None, ..report };
            let answered = short.emit(&mut buffer);
            prop_assert!(answered <= asked);
            prop_assert_eq!(decode(&buffer[..answered]), Ok(Message::LoadReport(short)));
            let push = Push { token, phase, seq: b, sent, missed: small };
            let length = push.emit(&mut buffer, Push::MIN + extra);
            prop_assert_eq!(decode(&buffer[..length]), Ok(Message::Push(push)));
        }
    }

    #[test]
    fn a_load_shorter_than_its_report_is_malformed() {
        let mut buffer = [0; 256];
        let load = Load { token: Token(1), phase: 1, seq: 2, sent: Instant::ZERO, report_every: 1 };
        load.emit(&mut buffer, Load::MIN);
        assert!(decode(&buffer[..Load::MIN]).is_ok());
        assert!(decode(&buffer[..Load::MIN - 1]).is_err());
    }
}
