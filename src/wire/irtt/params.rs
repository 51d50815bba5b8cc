//! The parameters that client and server agree on when a session opens.

use super::VERSION;
use super::layout::agreed;
use super::varint::{put_varint, take_varint};

/// The times in a reply.
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

/// The clocks of these times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// Since 1970.
    pub wall: bool,
    /// The server's, from a start of its own.
    pub monotonic: bool,
}

/// The figures in a reply about the probes that arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceivedStats {
    /// How many there were, duplicates included.
    pub count: bool,
    /// Bit k: the probe with this number less k arrived.
    pub window: bool,
}

/// The parameters of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// The protocol's.
    pub version: i64,
    /// Nanoseconds; zero if it is not told.
    pub duration: i64,
    /// Nanoseconds between probes; zero if it is not told.
    pub interval: i64,
    /// Bytes of a packet.
    pub length: i64,
    /// The figures about probes that arrived.
    pub received: ReceivedStats,
    /// The times in replies.
    pub stamp_at: StampAt,
    /// The clocks of these times.
    pub clocks: Clocks,
    /// The traffic class of replies: a DSCP in its upper six bits.
    pub dscp: i64,
    /// The filling that the server is asked for.
    pub fill: String,
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

    pub(super) fn from_bits(bits: i64) -> Option<Self> {
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

impl ReceivedStats {
    /// The length of both fields in a packet.
    pub(super) fn bytes(self) -> usize {
        usize::from(self.count) * 4 + usize::from(self.window) * 8
    }
}

impl Clocks {
    /// The length of one time in a packet.
    pub(super) fn bytes(self) -> usize {
        8 * (usize::from(self.wall) + usize::from(self.monotonic))
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
            put_number(out, number, value);
        }
        if !self.fill.is_empty() {
            let fill = &self.fill.as_bytes()[..self.fill.len().min(Self::LONGEST_FILL)];
            put_varint(out, 9);
            put_varint(out, fill.len() as u64);
            out.extend_from_slice(fill);
        }
    }

    /// Writes the version this many times, which changes nothing and takes two bytes each.
    pub(super) fn pad(&self, out: &mut Vec<u8>, times: usize) {
        (0..times).for_each(|_| put_number(out, 1, self.version));
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
        agreed(has_hmac) + self.received.bytes() + self.stamp_at.times() * self.clocks.bytes()
    }

    /// Bytes of a reply: as long as agreed, and never shorter than its header.
    pub fn reply_length(&self, has_hmac: bool) -> usize {
        usize::try_from(self.length).unwrap_or(0).max(self.header(has_hmac))
    }
}

fn put_number(out: &mut Vec<u8>, number: u64, value: i64) {
    put_varint(out, number);
    put_varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
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
        assert_eq!(
            (params().reply_length(false), Params { length: -9, ..params() }.reply_length(true)),
            (172, 76)
        );
        let none = Params { received: ReceivedStats::default(), stamp_at: StampAt::None, ..params() };
        assert_eq!(none.header(false), 16);
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
        fn parameters_come_back(duration in 1..i64::MAX, length: i64, dscp: i64, fill in "[ -~]{0,32}") {
            let params = Params { duration, length, dscp, fill, interval: 1, ..Params::default() };
            let mut bytes = Vec::new();
            params.emit(&mut bytes);
            prop_assert!(bytes.len() <= Params::LONGEST);
            prop_assert_eq!(Params::parse(&bytes), Some(params));
        }
    }
}
