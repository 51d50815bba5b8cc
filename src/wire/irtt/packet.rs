//! The packets.

use super::hmac::HmacKey;
use super::layout::{CLOSE, FLAGS, HAS_HMAC, HMAC, MAGIC, OPEN, REPLY, agreed, body};
use super::params::{Params, StampAt};

/// A packet, taken apart; what it holds behind the token depends on what was agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// It opens a connection, or answers that.
    pub open: bool,
    /// It is a server's.
    pub reply: bool,
    /// It ends the connection.
    pub close: bool,
    /// Behind the flags and the HMAC.
    body: &'a [u8],
}

/// The fields of a reply to a probe; `None` for those that were not agreed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Echo {
    /// The session's.
    pub token: u64,
    /// The probe's.
    pub seq: u32,
    /// Probes of the connection that arrived so far, duplicates included.
    pub count: Option<u32>,
    /// Bit k: the probe with this number less k arrived.
    pub window: Option<u64>,
    /// When the probe arrived.
    pub received: Times,
    /// When the reply left. The same as `received` at a midpoint.
    pub sent: Times,
}

/// Nanoseconds, of the Unix epoch and of the server's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Since 1970.
    pub wall: Option<i64>,
    /// Since a start of the server's own.
    pub monotonic: Option<i64>,
}

/// Why a datagram is no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is none of irtt.
    Foreign,
    /// Its HMAC is missing, wrong or not asked for.
    Unauthentic,
}

impl<'a> Packet<'a> {
    /// For the token of the reply, 8 bytes, and for values that grow when the server restricts them.
    const PADDING: usize = 16;

    /// A request to open, as irtt sends it; `close` with it ends the connection at once.
    pub fn emit_open(params: &Params, close: bool, key: Option<&HmacKey>) -> Vec<u8> {
        Self::emit_padded(params, close, key, 0)
    }

    /// A request to open that is no shorter than its reply, so that a server that sends an unknown address no more
    /// than that sent answers at once.
    pub fn emit_long_open(params: &Params, close: bool, key: Option<&HmacKey>) -> Vec<u8> {
        Self::emit_padded(params, close, key, Self::PADDING)
    }

    fn emit_padded(params: &Params, close: bool, key: Option<&HmacKey>, padding: usize) -> Vec<u8> {
        let mut packet = begin(OPEN | if close { CLOSE } else { 0 }, key.is_some());
        params.pad(&mut packet, padding / 2);
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
        buffer[..params.header(has_hmac)].fill(0);
        buffer[..MAGIC.len()].copy_from_slice(&MAGIC);
        buffer[FLAGS] = if has_hmac { HAS_HMAC } else { 0 };
        let at = body(has_hmac);
        buffer[at..at + 8].copy_from_slice(&token.to_le_bytes());
        buffer[at + 8..at + 12].copy_from_slice(&seq.to_le_bytes());
    }

    /// Rewrites a probe's header into its reply's; the payload stays. The HMAC is signed last.
    pub fn emit_echo(echo: &Echo, close: bool, params: &Params, has_hmac: bool, buffer: &mut [u8]) {
        Self::emit_probe(echo.token, echo.seq, params, has_hmac, buffer);
        buffer[FLAGS] |= REPLY | if close { CLOSE } else { 0 };
        let mut rest = &mut buffer[agreed(has_hmac)..];
        if params.received.count {
            put(&mut rest, &echo.count.unwrap_or(0).to_le_bytes());
        }
        if params.received.window {
            put(&mut rest, &echo.window.unwrap_or(0).to_le_bytes());
        }
        Self::put_times([echo.received, echo.sent], params, has_hmac, buffer);
    }

    /// Writes when a probe arrived and when its reply leaves, as far as it tells.
    pub fn put_times(times: [Times; 2], params: &Params, has_hmac: bool, buffer: &mut [u8]) {
        let [received, sent] = times;
        let mut rest = &mut buffer[agreed(has_hmac) + params.received.bytes()..];
        let mut put_time = |time: Times| {
            if params.clocks.wall {
                put(&mut rest, &time.wall.unwrap_or(0).to_le_bytes());
            }
            if params.clocks.monotonic {
                put(&mut rest, &time.monotonic.unwrap_or(0).to_le_bytes());
            }
        };
        match params.stamp_at {
            StampAt::None => {}
            StampAt::Send => put_time(sent),
            StampAt::Receive => put_time(received),
            StampAt::Midpoint => put_time(received.midpoint(sent)),
            StampAt::Both => {
                put_time(received);
                put_time(sent);
            }
        }
    }

    /// The packet in a datagram.
    pub fn parse(datagram: &'a [u8], key: Option<&HmacKey>) -> Result<Self, Unread> {
        let flags = *datagram.get(FLAGS).ok_or(Unread::Foreign)?;
        if !datagram.starts_with(&MAGIC) || flags > OPEN | REPLY | CLOSE | HAS_HMAC {
            return Err(Unread::Foreign);
        }
        let has_hmac = flags & HAS_HMAC != 0;
        let body = datagram.get(body(has_hmac)..).ok_or(Unread::Foreign)?;
        let is_authentic = match key {
            None => !has_hmac,
            Some(key) => has_hmac && key.verifies(datagram),
        };
        let has = |flag| flags & flag != 0;
        let packet = Self { open: has(OPEN), reply: has(REPLY), close: has(CLOSE), body };
        is_authentic.then_some(packet).ok_or(Unread::Unauthentic)
    }

    /// The parameters of a request to open.
    pub fn open_params(&self) -> Option<Params> {
        Params::parse(self.body)
    }

    /// The token and the parameters in the answer to a request to open.
    pub fn opened(&self) -> Option<(u64, Params)> {
        let (token, rest) = self.body.split_first_chunk()?;
        Some((u64::from_le_bytes(*token), Params::parse(rest)?))
    }

    /// The session's, if the packet has one.
    pub fn token(&self) -> Option<u64> {
        self.body.first_chunk().map(|token| u64::from_le_bytes(*token))
    }

    /// The token and the number of a probe or its reply, whatever was agreed and whether or not its HMAC is right.
    pub(crate) fn number_in(datagram: &[u8]) -> Option<(u64, u32)> {
        let flags = *datagram.get(FLAGS).filter(|_| datagram.starts_with(&MAGIC))?;
        let (token, rest) = datagram.get(body(flags & HAS_HMAC != 0)..)?.split_first_chunk()?;
        let seq = rest.first_chunk().filter(|_| flags & (OPEN | CLOSE) == 0)?;
        Some((u64::from_le_bytes(*token), u32::from_le_bytes(*seq)))
    }

    /// The fields of a probe or its reply, as far as they were agreed.
    pub fn echo(&self, params: &Params) -> Option<Echo> {
        let mut rest = self.body;
        let mut echo = Echo { token: take_u64(&mut rest)?, seq: take_u32(&mut rest)?, ..Echo::default() };
        if params.received.count {
            echo.count = Some(take_u32(&mut rest)?);
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

impl Times {
    fn midpoint(self, other: Self) -> Self {
        let middle =
            |one: Option<i64>, other: Option<i64>| one.zip(other).map(|(one, other)| one.midpoint(other));
        Self { wall: middle(self.wall, other.wall), monotonic: middle(self.monotonic, other.monotonic) }
    }
}

fn begin(flags: u8, has_hmac: bool) -> Vec<u8> {
    let mut packet = Vec::with_capacity(Params::LONGEST + 32);
    packet.extend_from_slice(&MAGIC);
    packet.push(flags | if has_hmac { HAS_HMAC } else { 0 });
    if has_hmac {
        packet.extend_from_slice(&[0; HMAC.end - HMAC.start]);
    }
    packet
}

fn signed(mut packet: Vec<u8>, key: Option<&HmacKey>) -> Vec<u8> {
    if let Some(key) = key {
        key.sign(&mut packet);
    }
    packet
}

/// Writes these bytes and goes on behind them.
fn put(rest: &mut &mut [u8], bytes: &[u8]) {
    let (place, behind) = std::mem::take(rest).split_at_mut(bytes.len());
    place.copy_from_slice(bytes);
    *rest = behind;
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (value, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*value))
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
            Packet::emit_echo(&echo, false, &params(), key.is_some(), &mut buffer);
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
        assert!(Packet::parse(&open, Some(&key)).is_ok());
        assert_eq!(Packet::parse(&open, Some(&other)), Err(Unread::Unauthentic));
        assert_eq!(Packet::parse(&open, None), Err(Unread::Unauthentic));
        assert_eq!(
            Packet::parse(&Packet::emit_open(&params(), false, None), Some(&key)),
            Err(Unread::Unauthentic)
        );
        *open.last_mut().unwrap() ^= 1;
        assert_eq!(Packet::parse(&open, Some(&key)), Err(Unread::Unauthentic));
    }

    proptest! {
        #[test]
        fn any_octets_are_survived(datagram in proptest::collection::vec(any::<u8>(), 0..120), bits in 0..5_i64, keyed: bool) {
            let datagram = [&MAGIC[..], &datagram].concat();
            let key = HmacKey::new(b"secret");
            let params = Params { stamp_at: StampAt::from_bits(bits).unwrap(), ..params() };
            if let Ok(packet) = Packet::parse(&datagram, keyed.then_some(&key)) {
                packet.open_params();
                packet.opened();
                packet.token();
                packet.echo(&params);
            }
        }
    }
}
