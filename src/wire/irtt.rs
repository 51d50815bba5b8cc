//! The packets of irtt 0.9 (protocol version 1), little-endian.
//!
//! ```text
//!  at
//!   0  magic 14 A7 5B
//!   3  flags: open 1, reply 2, close 4, HMAC 8
//!   4  HMAC-MD5 of the whole packet with this field zero (16), if its flag is set
//!      connection token (8), not in a request to open
//!      a probe and its reply:            a request to open and its reply:
//!      sequence number (4)               parameters: number and value each,
//!      received count (4), if agreed     as variable-length integers
//!      received window (8), if agreed
//!      receive, then send time, each wall clock (8) and monotonic (8), as agreed
//!      payload
//! ```
//!
//! A request has zeros where its reply has figures, so both have the same length.

use std::ops::Range;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

/// The port of an irtt server.
pub const PORT: u16 = 2112;
pub(crate) const VERSION: i64 = 1;

const MAGIC: [u8; 3] = [0x14, 0xA7, 0x5B];
const FLAGS: usize = 3;
const HEADER: usize = 4;
const HMAC: Range<usize> = 4..20;

const OPEN: u8 = 1;
const REPLY: u8 = 2;
const CLOSE: u8 = 4;
const HAS_HMAC: u8 = 8;

/// Which times a reply carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StampAt {
    /// No times.
    None,
    /// When it was sent.
    Send,
    /// When the request was received.
    Receive,
    /// Both times.
    #[default]
    Both,
    /// One time between receiving and sending.
    Midpoint,
}

/// Which clocks they are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    pub(crate) wall: bool,
    pub(crate) monotonic: bool,
}

/// What a reply tells of the probes that arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceivedStats {
    pub(crate) count: bool,
    /// Bit k: the probe with this number less k arrived.
    pub window: bool,
}

/// What is agreed when a connection opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    pub(crate) version: i64,
    /// Nanoseconds.
    pub duration: i64,
    pub(crate) interval: i64,
    /// Bytes of a packet.
    pub length: i64,
    pub(crate) received: ReceivedStats,
    pub(crate) stamp_at: StampAt,
    pub(crate) clocks: Clocks,
    pub(crate) dscp: i64,
    /// What the server is asked to fill payloads with.
    pub fill: String,
}

/// A packet, taken apart; what it holds behind the token depends on what was agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    pub(crate) open: bool,
    pub(crate) reply: bool,
    pub(crate) close: bool,
    /// Behind the flags and the HMAC.
    body: &'a [u8],
}

/// What a reply to a probe tells. `None` is what was not agreed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Echo {
    pub(crate) token: u64,
    pub(crate) seq: u32,
    pub(crate) count: Option<u32>,
    pub(crate) window: Option<u64>,
    pub(crate) received: Times,
    /// The same as `received` at a midpoint.
    pub sent: Times,
}

/// Nanoseconds, of the Unix epoch and of the server's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    pub(crate) wall: Option<i64>,
    pub(crate) monotonic: Option<i64>,
}

/// The shared secret of both ends.
#[derive(Clone)]
pub struct HmacKey(Hmac<Md5>);

impl HmacKey {
    /// HMAC-MD5 with a secret of any length, as irtt uses it.
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("a key may have any length"))
    }

    fn hash(&self, packet: &[u8]) -> Hmac<Md5> {
        let mut keyed = self.0.clone();
        keyed.update(&packet[..HMAC.start]);
        keyed.update(&[0; 16]);
        keyed.update(&packet[HMAC.end..]);
        keyed
    }

    /// The last thing before a packet leaves.
    pub fn sign(&self, packet: &mut [u8]) {
        let tag = self.hash(packet).finalize().into_bytes();
        packet[HMAC].copy_from_slice(&tag);
    }
}

impl std::fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HmacKey(secret)")
    }
}

impl StampAt {
    fn bits(self) -> i64 {
        match self {
            Self::None => 0,
            Self::Send => 1,
            Self::Receive => 2,
            Self::Both => 3,
            Self::Midpoint => 4,
        }
    }

    fn from_bits(bits: i64) -> Option<Self> {
        [Self::None, Self::Send, Self::Receive, Self::Both, Self::Midpoint]
            .into_iter()
            .find(|at| at.bits() == bits)
    }

    /// How many times a reply carries.
    fn times(self) -> usize {
        match self {
            Self::None => 0,
            Self::Send | Self::Receive | Self::Midpoint => 1,
            Self::Both => 2,
        }
    }
}

impl Default for Clocks {
    fn default() -> Self {
        Self { wall: true, monotonic: true }
    }
}

impl Default for Params {
    fn default() -> Self {
        Self {
            version: VERSION,
            duration: 0,
            interval: 0,
            length: 0,
            received: ReceivedStats { count: true, window: true },
            stamp_at: StampAt::Both,
            clocks: Clocks::default(),
            dscp: 0,
            fill: String::new(),
        }
    }
}

impl Params {
    /// Longer than any that is written here.
    pub const LONGEST: usize = 128;
    const LONGEST_FILL: usize = 32;

    /// Zeros are not written.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let flags = |low: bool, high: bool| i64::from(low) | i64::from(high) << 1;
        let numbers = [
            self.version,
            self.duration,
            self.interval,
            self.length,
            flags(self.received.count, self.received.window),
            self.stamp_at.bits(),
            flags(self.clocks.wall, self.clocks.monotonic),
            self.dscp,
        ];
        for (number, value) in (1_u64..).zip(numbers).filter(|(_, value)| *value != 0) {
            put_varint(out, number);
            put_varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
        }
        if !self.fill.is_empty() {
            let fill = &self.fill.as_bytes()[..self.fill.len().min(Self::LONGEST_FILL)];
            put_varint(out, 9);
            put_varint(out, fill.len() as u64);
            out.extend_from_slice(fill);
        }
    }

    /// `None` if a value is impossible or cut short. Unknown parameters are ignored, as irtt does.
    pub fn parse(mut bytes: &[u8]) -> Option<Self> {
        let mut params = Self {
            version: 0,
            received: ReceivedStats::default(),
            stamp_at: StampAt::None,
            clocks: Clocks { wall: false, monotonic: false },
            ..Self::default()
        };
        let flags = |value: i64| (0..=3).contains(&value).then_some((value & 1 != 0, value & 2 != 0));
        while !bytes.is_empty() {
            let number = take_varint(&mut bytes)?;
            let value = take_varint(&mut bytes)?;
            if number == 9 {
                let length = usize::try_from(value).ok().filter(|length| *length <= Self::LONGEST_FILL)?;
                let (fill, rest) = bytes.split_at_checked(length)?;
                params.fill = String::from_utf8_lossy(fill).into_owned();
                bytes = rest;
                continue;
            }
            let value = (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
            match number {
                1 => params.version = value,
                2 => params.duration = Some(value).filter(|value| *value > 0)?,
                3 => params.interval = Some(value).filter(|value| *value > 0)?,
                4 => params.length = value,
                5 => {
                    let (count, window) = flags(value)?;
                    params.received = ReceivedStats { count, window };
                }
                6 => params.stamp_at = StampAt::from_bits(value)?,
                7 => {
                    let (wall, monotonic) = flags(value).filter(|flags| *flags != (false, false))?;
                    params.clocks = Clocks { wall, monotonic };
                }
                8 => params.dscp = value,
                _ => {}
            }
        }
        Some(params)
    }

    /// Bytes of a probe before its payload.
    pub fn header(&self, has_hmac: bool) -> usize {
        let per_time = 8 * (usize::from(self.clocks.wall) + usize::from(self.clocks.monotonic));
        HEADER
            + if has_hmac { HMAC.len() } else { 0 }
            + 12
            + if self.received.count { 4 } else { 0 }
            + if self.received.window { 8 } else { 0 }
            + self.stamp_at.times() * per_time
    }
}

impl<'a> Packet<'a> {
    /// A request to open; `close` with it ends the connection at once.
    pub fn emit_open(params: &Params, close: bool, key: Option<&HmacKey>) -> Vec<u8> {
        let mut packet = begin(OPEN | if close { CLOSE } else { 0 }, key.is_some());
        params.emit(&mut packet);
        signed(packet, key)
    }

    /// A server's answer to it.
    pub fn emit_open_reply(token: u64, params: &Params, close: bool, key: Option<&HmacKey>) -> Vec<u8> {
        let mut packet = begin(OPEN | REPLY | if close { CLOSE } else { 0 }, key.is_some());
        packet.extend_from_slice(&token.to_le_bytes());
        params.emit(&mut packet);
        signed(packet, key)
    }

    /// The datagram by which a client ends its session.
    pub fn emit_close(token: u64, key: Option<&HmacKey>) -> Vec<u8> {
        let mut packet = begin(CLOSE, key.is_some());
        packet.extend_from_slice(&token.to_le_bytes());
        signed(packet, key)
    }

    /// Writes the header of a probe; the payload is the caller's. The HMAC is signed last, by the caller.
    pub fn emit_probe(token: u64, seq: u32, params: &Params, has_hmac: bool, buffer: &mut [u8]) {
        let header = params.header(has_hmac);
        buffer[..header].fill(0);
        buffer[..MAGIC.len()].copy_from_slice(&MAGIC);
        buffer[FLAGS] = if has_hmac { HAS_HMAC } else { 0 };
        let at = HEADER + if has_hmac { HMAC.len() } else { 0 };
        buffer[at..at + 8].copy_from_slice(&token.to_le_bytes());
        buffer[at + 8..at + 12].copy_from_slice(&seq.to_le_bytes());
    }

    /// Rewrites a probe's header into its reply's; the payload stays. The HMAC is signed last.
    pub fn emit_echo(echo: &Echo, params: &Params, has_hmac: bool, buffer: &mut [u8]) {
        Self::emit_probe(echo.token, echo.seq, params, has_hmac, buffer);
        buffer[FLAGS] |= REPLY;
        let mut at = HEADER + if has_hmac { HMAC.len() } else { 0 } + 12;
        let mut put = |bytes: &[u8]| {
            buffer[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        if params.received.count {
            put(&echo.count.unwrap_or(0).to_le_bytes());
        }
        if params.received.window {
            put(&echo.window.unwrap_or(0).to_le_bytes());
        }
        let mut put_times = |times: Times| {
            if params.clocks.wall {
                put(&times.wall.unwrap_or(0).to_le_bytes());
            }
            if params.clocks.monotonic {
                put(&times.monotonic.unwrap_or(0).to_le_bytes());
            }
        };
        match params.stamp_at {
            StampAt::None => {}
            StampAt::Send => put_times(echo.sent),
            StampAt::Receive | StampAt::Midpoint => put_times(echo.received),
            StampAt::Both => {
                put_times(echo.received);
                put_times(echo.sent);
            }
        }
    }

    /// `None` if it is none of irtt, or its HMAC is missing, wrong or not asked for.
    pub fn parse(datagram: &'a [u8], key: Option<&HmacKey>) -> Option<Self> {
        let (header, rest) = datagram.split_at_checked(HEADER)?;
        let flags = header[FLAGS];
        if header[..MAGIC.len()] != MAGIC || flags > OPEN | REPLY | CLOSE | HAS_HMAC {
            return None;
        }
        let body = match (key, flags & HAS_HMAC != 0) {
            (None, false) => rest,
            (Some(key), true) => {
                let (tag, body) = rest.split_at_checked(HMAC.len())?;
                key.hash(datagram).verify_slice(tag).ok()?;
                body
            }
            _ => return None,
        };
        let has = |flag| flags & flag != 0;
        Some(Self { open: has(OPEN), reply: has(REPLY), close: has(CLOSE), body })
    }

    /// Of a request to open.
    pub fn open_params(&self) -> Option<Params> {
        Params::parse(self.body)
    }

    /// Of a server's answer to a request to open.
    pub fn opened(&self) -> Option<(u64, Params)> {
        let (token, rest) = self.body.split_first_chunk()?;
        Some((u64::from_le_bytes(*token), Params::parse(rest)?))
    }

    /// The session's, if the packet has one.
    pub fn token(&self) -> Option<u64> {
        self.body.first_chunk().map(|token| u64::from_le_bytes(*token))
    }

    /// Of a probe or its reply, by what was agreed.
    pub fn echo(&self, params: &Params) -> Option<Echo> {
        let mut rest = self.body;
        let mut echo = Echo { token: take_u64(&mut rest)?, ..Echo::default() };
        let (seq, behind) = rest.split_first_chunk()?;
        echo.seq = u32::from_le_bytes(*seq);
        rest = behind;
        if params.received.count {
            let (count, behind) = rest.split_first_chunk()?;
            echo.count = Some(u32::from_le_bytes(*count));
            rest = behind;
        }
        if params.received.window {
            echo.window = Some(take_u64(&mut rest)?);
        }
        let mut times = || {
            let mut clock = |agreed: bool| match agreed {
                true => take_u64(&mut rest).map(|nanos| Some(nanos.cast_signed())),
                false => Some(None),
            };
            Some(Times { wall: clock(params.clocks.wall)?, monotonic: clock(params.clocks.monotonic)? })
        };
        match params.stamp_at {
            StampAt::None => {}
            StampAt::Send => echo.sent = times()?,
            StampAt::Receive => echo.received = times()?,
            StampAt::Both => {
                echo.received = times()?;
                echo.sent = times()?;
            }
            StampAt::Midpoint => {
                echo.received = times()?;
                echo.sent = echo.received;
            }
        }
        Some(echo)
    }
}

fn begin(flags: u8, has_hmac: bool) -> Vec<u8> {
    let mut packet = Vec::with_capacity(Params::LONGEST + 32);
    packet.extend_from_slice(&MAGIC);
    packet.push(flags | if has_hmac { HAS_HMAC } else { 0 });
    if has_hmac {
        packet.extend_from_slice(&[0; 16]);
    }
    packet
}

fn signed(mut packet: Vec<u8>, key: Option<&HmacKey>) -> Vec<u8> {
    if let Some(key) = key {
        key.sign(&mut packet);
    }
    packet
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7F) as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7F);
        if part << shift >> shift != part {
            return None;
        }
        value |= part << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take_u64(bytes: &mut &[u8]) -> Option<u64> {
    let (value, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn params() -> Params {
        Params { duration: 60_000_000_000, interval: 20_000_000, length: 172, ..Params::default() }
    }

    /// Worked out by hand from irtt's encoding: zigzag, seven bits a byte, the lowest first.
    #[test]
    fn parameters_have_the_octets_of_irtt() {
        let mut bytes = Vec::new();
        Params { interval: 20_000_000, length: 60, ..Params::default() }.emit(&mut bytes);
        assert_eq!(bytes, [1, 2, 3, 0x80, 0xB4, 0x89, 0x13, 4, 120, 5, 6, 6, 6, 7, 6]);
    }

    #[test]
    fn a_probe_of_the_default_form_has_sixty_octets() {
        assert_eq!(params().header(false), 60);
        assert_eq!(params().header(true), 76);
        let none = Params { received: ReceivedStats::default(), stamp_at: StampAt::None, ..params() };
        assert_eq!(none.header(false), 16);
    }

    #[test]
    fn a_conversation_is_read_as_it_was_written_with_and_without_a_key() {
        let secret = HmacKey::new(b"secret");
        for key in [None, Some(&secret)] {
            let open = Packet::emit_open(&params(), false, key);
            let read = Packet::parse(&open, key).unwrap();
            assert!((read.open, read.reply, read.close) == (true, false, false));
            assert_eq!(read.open_params(), Some(params()));

            let reply = Packet::emit_open_reply(0x0123_4567_89AB_CDEF, &params(), false, key);
            let read = Packet::parse(&reply, key).unwrap();
            assert_eq!(read.opened(), Some((0x0123_4567_89AB_CDEF, params())));

            let mut buffer = [7; 172];
            Packet::emit_probe(9, 3, &params(), key.is_some(), &mut buffer);
            key.inspect(|key| key.sign(&mut buffer));
            let read = Packet::parse(&buffer, key).unwrap();
            assert!(!read.open && !read.reply);
            assert_eq!((read.token(), read.echo(&params()).map(|echo| echo.seq)), (Some(9), Some(3)));

            let times = |from| Times { wall: Some(from), monotonic: Some(from + 1) };
            let echo = Echo {
                token: 9,
                seq: 3,
                count: Some(4),
                window: Some(0b1011),
                received: times(-5),
                sent: times(70),
            };
            Packet::emit_echo(&echo, &params(), key.is_some(), &mut buffer);
            key.inspect(|key| key.sign(&mut buffer));
            let read = Packet::parse(&buffer, key).unwrap();
            assert!(read.reply);
            assert_eq!(read.echo(&params()), Some(echo));
            assert_eq!(
                buffer[params().header(key.is_some())..],
                vec![7; 172 - params().header(key.is_some())]
            );

            let close = Packet::emit_close(9, key);
            let read = Packet::parse(&close, key).unwrap();
            assert_eq!((read.close, read.token()), (true, Some(9)));
        }
    }

    #[test]
    fn an_hmac_must_be_there_if_and_only_if_there_is_a_key_and_right() {
        let (key, other) = (HmacKey::new(b"secret"), HmacKey::new(b"other"));
        let mut open = Packet::emit_open(&params(), false, Some(&key));
        assert!(Packet::parse(&open, Some(&key)).is_some());
        assert!(Packet::parse(&open, Some(&other)).is_none());
        assert!(Packet::parse(&open, None).is_none());
        assert!(Packet::parse(&Packet::emit_open(&params(), false, None), Some(&key)).is_none());
        *open.last_mut().unwrap() ^= 1;
        assert!(Packet::parse(&open, Some(&key)).is_none());
    }

    #[test]
    fn what_cannot_be_is_refused_and_what_is_unknown_ignored() {
        for bad in
            [&[2, 1][..], &[3, 0], &[6, 20], &[7, 0], &[5, 9], &[1], &[9, 33], &[9, 3, b'a'], &[0xFF; 11]]
        {
            assert_eq!(Params::parse(bad), None, "{bad:?}");
        }
        assert_eq!(Params::parse(&[200, 1, 4, 1, 2]).map(|params| params.version), Some(1));
    }

    proptest! {
        #[test]
        fn any_octets_are_survived(datagram in proptest::collection::vec(any::<u8>(), 0..120), bits in 0..5_i64, keyed: bool) {
            let datagram = [&MAGIC[..], &datagram].concat();
            let key = HmacKey::new(b"secret");
            let params = Params { stamp_at: StampAt::from_bits(bits).unwrap(), ..params() };
            if let Some(packet) = Packet::parse(&datagram, keyed.then_some(&key)) {
                packet.open_params();
                packet.opened();
                packet.token();
                packet.echo(&params);
            }
        }

        #[test]
        fn parameters_come_back(duration in 1..i64::MAX, length: i64, dscp: i64, fill in "[ -~]{0,32}") {
            let params = Params { duration, length, dscp, fill, interval: 1, ..Params::default() };
            let mut bytes = Vec::new();
            params.emit(&mut bytes);
            prop_assert!(bytes.len() <= Params::LONGEST);
            prop_assert_eq!(Params::parse(&bytes), Some(params));
        }
    }
}
