//! The handshake: Hello, Cookie, Open, then Accept or Deny.

use super::fields::{U32, U64, get_text, get_u32, get_u64, put_text, put_u32, put_u64};
use super::host_names::HostNames;
use super::{BODY, DecodeError, Kind, Nonce, SocketMark, Token, emit_prefix, flags, id};
use crate::printable::is_printable;
use crate::time::Duration;

/// The longest impairment line that a message carries.
pub const SPEC_MAX: usize = 240;

pub(super) const COOKIE: std::ops::Range<usize> = BODY..BODY + 16;
const COOKIE_LENGTH: usize = COOKIE.end;

/// Asks for a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Chosen by the client; the answer repeats it.
    pub nonce: Nonce,
}

impl Hello {
    /// Returns the length of the message.
    pub fn emit(&self, buffer: &mut [u8]) -> usize {
        buffer[..COOKIE_LENGTH].fill(0);
        emit_prefix(buffer, Kind::Hello, 0, self.nonce.0);
        COOKIE_LENGTH
    }

    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        (datagram.len() >= COOKIE_LENGTH).then(|| Self { nonce: Nonce(id(datagram)) })
    }
}

/// Sent back in `Open`, it proves that the client receives at its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// That of the `Hello`.
    pub nonce: Nonce,
    /// A MAC over the client's address and the time.
    pub cookie: [u8; 16],
}

impl Cookie {
    /// Returns the length of the message.
    pub fn emit(&self, buffer: &mut [u8]) -> usize {
        emit_prefix(buffer, Kind::Cookie, 0, self.nonce.0);
        buffer[COOKIE].copy_from_slice(&self.cookie);
        COOKIE_LENGTH
    }

    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        let cookie = datagram.get(COOKIE)?.try_into().ok()?;
        Some(Self { nonce: Nonce(id(datagram)), cookie })
    }
}

/// Asks for a session whose probes have this size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open<'a> {
    /// Chosen by the client; the answer repeats it.
    pub nonce: Nonce,
    /// That of the `Cookie`.
    pub cookie: [u8; 16],
    /// The UDP payload of every probe.
    pub size: u32,
    /// For how many of the newest probes the server shall keep the outcomes.
    pub remember: u32,
    /// How long the server shall keep the session without a probe.
    pub idle_secs: u32,
    /// The sequence number of the first probe.
    pub first_seq: u64,
    /// The impairment that the client asks for in its session; empty for the server's own.
    pub requested_impairment: &'a str,
}

impl<'a> Open<'a> {
    pub(super) const SIZE: U32 = COOKIE.end..COOKIE.end + 4;
    pub(super) const REMEMBER: U32 = Self::SIZE.end..Self::SIZE.end + 4;
    pub(super) const IDLE: U32 = Self::REMEMBER.end..Self::REMEMBER.end + 4;
    pub(super) const FIRST_SEQ: U64 = Self::IDLE.end..Self::IDLE.end + 8;
    pub(super) const REQUESTED: usize = Self::FIRST_SEQ.end;

    /// Padded to the size of the probes, which shows whether the path carries them.
    pub fn length(size: u32) -> usize {
        (size as usize).max(Self::REQUESTED + 2 + SPEC_MAX).max(Accept::LENGTH_MAX)
    }

    /// Returns the length of the message, at least the size of a probe.
    pub fn emit(&self, buffer: &mut [u8]) -> usize {
        let length = Self::length(self.size).max(Accept::HOST + HostNames::LENGTH);
        buffer[..length].fill(0);
        emit_prefix(buffer, Kind::Open, 0, self.nonce.0);
        buffer[COOKIE].copy_from_slice(&self.cookie);
        put_u32(buffer, Self::SIZE, self.size);
        put_u32(buffer, Self::REMEMBER, self.remember);
        put_u32(buffer, Self::IDLE, self.idle_secs);
        put_u64(buffer, Self::FIRST_SEQ, self.first_seq);
        put_text(&mut buffer[Self::REQUESTED..Self::REQUESTED + 2 + SPEC_MAX], self.requested_impairment);
        length
    }

    pub(super) fn parse(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        if datagram.len() < Self::REQUESTED {
            return Err(DecodeError::Malformed);
        }
        let open = Self {
            nonce: Nonce(id(datagram)),
            cookie: datagram[COOKIE].try_into().expect("16 bytes"),
            size: get_u32(datagram, Self::SIZE),
            remember: get_u32(datagram, Self::REMEMBER),
            idle_secs: get_u32(datagram, Self::IDLE),
            first_seq: get_u64(datagram, Self::FIRST_SEQ),
            requested_impairment: get_printable(datagram, Self::REQUESTED)?,
        };
        if datagram.len() >= Self::length(open.size) { Ok(open) } else { Err(DecodeError::Malformed) }
    }
}

/// The session is open. Says what the server agreed to and what it injects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept<'a> {
    /// That of the `Open`.
    pub nonce: Nonce,
    /// Names the session in every later message.
    pub token: Token,
    /// Bytes of UDP payload of each probe.
    pub size: u32,
    /// The largest size that it accepts.
    pub max_size: u32,
    /// For how many of the newest probes it keeps the outcomes.
    pub remember: u32,
    /// The seed of the injection.
    pub seed: u64,
    /// The longest hold that the injection can cause.
    pub longest_hold: Duration,
    /// The server's socket when the open arrived.
    pub socket: SocketMark,
    /// Probes per second that it answers in this session; zero for no limit.
    pub session_rate: u32,
    /// The impairment line, in the form that `serve` takes.
    pub injects: &'a str,
    /// Whether the server's kernel stamps incoming datagrams.
    pub kernel_stamps: bool,
    /// Whether the client may load the path, up by `Load` and down by `Pull`.
    pub grants_load: bool,
    /// How long it keeps the session without a probe; zero if the server does not say.
    pub idle_secs: u32,
    /// Of the server's host.
    pub host: HostNames<&'a str>,
}

impl<'a> Accept<'a> {
    pub(super) const TOKEN: U64 = BODY..BODY + 8;
    pub(super) const SIZE: U32 = Self::TOKEN.end..Self::TOKEN.end + 4;
    pub(super) const MAX_SIZE: U32 = Self::SIZE.end..Self::SIZE.end + 4;
    pub(super) const REMEMBER: U32 = Self::MAX_SIZE.end..Self::MAX_SIZE.end + 4;
    pub(super) const SEED: U64 = Self::REMEMBER.end..Self::REMEMBER.end + 8;
    pub(super) const LONGEST_HOLD: U64 = Self::SEED.end..Self::SEED.end + 8;
    pub(super) const SOCKET: U32 = Self::LONGEST_HOLD.end..Self::LONGEST_HOLD.end + 4;
    // The first releases had a field of eight bytes at `SOCKET`.
    pub(super) const RATE: U32 = Self::SOCKET.end + 4..Self::SOCKET.end + 8;
    pub(super) const INJECTS: usize = Self::RATE.end;
    pub(super) const LENGTH_MAX: usize = Self::INJECTS + 2 + SPEC_MAX;
    /// Not in the first releases, whose opens may end before this field.
    pub(super) const IDLE: U32 = Self::LENGTH_MAX..Self::LENGTH_MAX + 4;
    pub(super) const HOST: usize = Self::IDLE.end;
    const KERNEL_STAMPS: u8 = 1;
    const GRANTS_LOAD: u8 = 2;

    /// Writes an accept of exactly `length` bytes, the length of its open.
    pub fn emit(&self, buffer: &mut [u8], length: usize) -> usize {
        buffer[..length].fill(0);
        let stamps = if self.kernel_stamps { Self::KERNEL_STAMPS } else { 0 };
        let flags = stamps | if self.grants_load { Self::GRANTS_LOAD } else { 0 };
        emit_prefix(buffer, Kind::Accept, flags, self.nonce.0);
        put_u64(buffer, Self::TOKEN, self.token.0);
        put_u32(buffer, Self::SIZE, self.size);
        put_u32(buffer, Self::MAX_SIZE, self.max_size);
        put_u32(buffer, Self::REMEMBER, self.remember);
        put_u64(buffer, Self::SEED, self.seed);
        put_u64(buffer, Self::LONGEST_HOLD, self.longest_hold.as_nanos().max(0) as u64);
        self.socket.put(buffer, Self::SOCKET);
        put_u32(buffer, Self::RATE, self.session_rate);
        put_text(&mut buffer[Self::INJECTS..Self::LENGTH_MAX], self.injects);
        if length >= Self::IDLE.end {
            put_u32(buffer, Self::IDLE, self.idle_secs);
        }
        self.host.put(&mut buffer[..length], Self::HOST);
        length
    }

    pub(super) fn parse(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        if datagram.len() < Self::INJECTS {
            return Err(DecodeError::Malformed);
        }
        let hold = i64::try_from(get_u64(datagram, Self::LONGEST_HOLD)).unwrap_or(i64::MAX);
        Ok(Self {
            nonce: Nonce(id(datagram)),
            token: Token(get_u64(datagram, Self::TOKEN)),
            size: get_u32(datagram, Self::SIZE),
            max_size: get_u32(datagram, Self::MAX_SIZE),
            remember: get_u32(datagram, Self::REMEMBER),
            seed: get_u64(datagram, Self::SEED),
            longest_hold: Duration::from_nanos(hold),
            socket: SocketMark::get(datagram, Self::SOCKET),
            session_rate: get_u32(datagram, Self::RATE),
            injects: get_printable(datagram, Self::INJECTS)?,
            kernel_stamps: flags(datagram) & Self::KERNEL_STAMPS != 0,
            grants_load: flags(datagram) & Self::GRANTS_LOAD != 0,
            idle_secs: datagram.get(Self::IDLE).map_or(0, |_| get_u32(datagram, Self::IDLE)),
            host: HostNames::get(datagram, Self::HOST),
        })
    }
}

/// Refuses the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deny {
    /// That of the `Open`.
    pub nonce: Nonce,
    /// Why, with what the server would take.
    pub reason: DenyReason,
    /// The limit, where the reason is one.
    pub limit: u32,
}

/// Why a server opens no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenyReason {
    /// The cookie is too old or forged: start again with Hello.
    BadCookie,
    /// `limit` is the largest size.
    TooLarge,
    /// `limit` is the smallest size.
    TooSmall,
    /// `limit` sessions are open.
    Full,
    /// The client may not choose this impairment.
    ImpairDenied,
    /// A reason of a later release.
    Other(u8),
}

impl Deny {
    pub(super) const REASON: usize = BODY;
    pub(super) const LIMIT: U32 = BODY + 1..BODY + 5;
    pub(super) const LENGTH: usize = Self::LIMIT.end;

    pub(crate) fn emit(&self, buffer: &mut [u8]) -> usize {
        emit_prefix(buffer, Kind::Deny, 0, self.nonce.0);
        buffer[Self::REASON] = match self.reason {
            DenyReason::BadCookie => 1,
            DenyReason::TooLarge => 2,
            DenyReason::TooSmall => 3,
            DenyReason::Full => 4,
            DenyReason::ImpairDenied => 5,
            DenyReason::Other(code) => code,
        };
        put_u32(buffer, Self::LIMIT, self.limit);
        Self::LENGTH
    }

    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        if datagram.len() < Self::LENGTH {
            return None;
        }
        let reason = match datagram[Self::REASON] {
            1 => DenyReason::BadCookie,
            2 => DenyReason::TooLarge,
            3 => DenyReason::TooSmall,
            4 => DenyReason::Full,
            5 => DenyReason::ImpairDenied,
            code => DenyReason::Other(code),
        };
        Some(Self { nonce: Nonce(id(datagram)), reason, limit: get_u32(datagram, Self::LIMIT) })
    }
}

/// A text that begins at `at` with its length. Texts are shown on terminals, so all of it must be printable.
fn get_printable(datagram: &[u8], at: usize) -> Result<&str, DecodeError> {
    let text = get_text(&datagram[at..]).ok_or(DecodeError::Malformed)?;
    if text.chars().all(is_printable) { Ok(text) } else { Err(DecodeError::Text(Nonce(id(datagram)))) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Message, decode};
    use super::*;

    proptest! {
        #[test]
        fn handshake_messages_are_parsed_back(
            nonce: u64, token: u64, cookie: [u8; 16], seed: u64, first_seq: u64, remember: u32, idle_secs: u32,
            size in 0_u32..65_528, hold in 0..i64::MAX, text in "[ -~]{0,240}", host in "[ -~]{0,64}",
            kernel_stamps: bool, limit: u32,
        ) {
            let mut buffer = vec![0xAA; 65_536];
            let nonce = Nonce(nonce);

            let hello = Hello { nonce };
            let asked = hello.emit(&mut buffer);
            prop_assert_eq!(decode(&buffer[..asked]), Ok(Message::Hello(hello)));
            let answer = Cookie { nonce, cookie };
            let answered = answer.emit(&mut buffer);
            prop_assert_eq!(decode(&buffer[..answered]), Ok(Message::Cookie(answer)));
            prop_assert!(answered <= asked);

            let open = Open { nonce, cookie, size, remember, idle_secs, first_seq, requested_impairment: &text };
            let asked = open.emit(&mut buffer);
            prop_assert_eq!(decode(&buffer[..asked]), Ok(Message::Open(open)));
            prop_assert!(asked >= size as usize);
            let accept = Accept {
                nonce, token: Token(token), size, max_size: limit, remember, seed,
                longest_hold: Duration::from_nanos(hold), socket: SocketMark { drops: remember as u16, turns: 9 }, session_rate: remember, injects: &text, kernel_stamps,
                grants_load: limit % 2 == 1, idle_secs, host: HostNames { name: &host, rack: "r", zone: "" },
            };
            let answered = accept.emit(&mut buffer, asked);
            prop_assert_eq!(answered, asked);
            prop_assert_eq!(decode(&buffer[..answered]), Ok(Message::Accept(accept)));
            let deny = Deny { nonce, reason: DenyReason::TooLarge, limit };
            let answered = deny.emit(&mut buffer);
            prop_assert_eq!(decode(&buffer[..answered]), Ok(Message::Deny(deny)));
            prop_assert!(answered <= asked);
        }
    }

    #[test]
    fn a_text_with_control_characters_is_refused_as_such() {
        let mut buffer = vec![0; 2048];
        let accept = |injects| Accept {
            nonce: Nonce(1),
            token: Token(2),
            size: 64,
            max_size: 64,
            remember: 0,
            seed: 0,
            longest_hold: Duration::ZERO,
            socket: SocketMark::default(),
            session_rate: 0,
            injects,
            kernel_stamps: false,
            grants_load: false,
            idle_secs: 0,
            host: HostNames::default(),
        };
        for (text, good) in [
            ("loss=10% ±", true),
            ("\x1b[2J", false),
            ("\u{9b}2J", false),
            ("clean\x7f", false),
            ("clean\u{202e}", false),
            ("clean\u{200b}", false),
            ("clean\n", false),
        ] {
            let length = accept(text).emit(&mut buffer, 1024);
            let refusal = decode(&buffer[..length]).err();
            assert_eq!(refusal, (!good).then_some(DecodeError::Text(Nonce(1))), "{text:?}");
        }
    }

    #[test]
    fn an_open_shorter_than_its_size_is_malformed() {
        let mut buffer = vec![0; 2048];
        let open = Open {
            nonce: Nonce(1),
            cookie: [0; 16],
            size: 1400,
            remember: 0,
            idle_secs: 0,
            first_seq: 0,
            requested_impairment: "",
        };
        let length = open.emit(&mut buffer);
        assert!(decode(&buffer[..length]).is_ok());
        assert!(decode(&buffer[..length - 1]).is_err());
    }
}
