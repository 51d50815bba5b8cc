//! Opening a session: hello, cookie, open, accept or deny.
//!
//! ```text
//! Hello    nonce, padding to the length of a cookie
//! Cookie   nonce | cookie (16)
//! Open     nonce | cookie (16) | size (4) | remember (4) | idle seconds (4) | first seq (8)
//!          | padding to the size, or to the longest accept
//! Accept   nonce | token (8) | size (4) | largest size (4) | remember (4) | seed (8)
//!          | longest hold (8) | socket: drops, turns (4), 0 (4) | probes a second (4) | length (2) and text of what is injected, padded to 240
//!          | idle seconds (4) | padding to the open
//! Deny     nonce | reason (1) | limit (4)
//! ```

use super::fields::{U16, U32, U64, get_u16, get_u32, get_u64, put_u16, put_u32, put_u64};
use super::{BODY, Kind, Nonce, SocketMark, Token, emit_prefix, flags, id};
use crate::printable::is_printable;
use crate::time::Duration;

/// The longest specification of an injection that an accept carries.
pub const SPEC_MAX: usize = 240;

const COOKIE: std::ops::Range<usize> = BODY..BODY + 16;
const COOKIE_LENGTH: usize = COOKIE.end;

/// The client wants a cookie for its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    pub nonce: Nonce,
}

impl Hello {
    pub fn emit(&self, buffer: &mut [u8]) -> usize {
        buffer[..COOKIE_LENGTH].fill(0);
        emit_prefix(buffer, Kind::Hello, 0, self.nonce.0);
        COOKIE_LENGTH
    }

    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        (datagram.len() >= COOKIE_LENGTH).then(|| Self { nonce: Nonce(id(datagram)) })
    }
}

/// Proof, to be shown by `Open`, that the client receives at its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie {
    pub nonce: Nonce,
    pub cookie: [u8; 16],
}

impl Cookie {
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

/// The client asks for a session whose probes have this size: the calibration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open<'a> {
    pub nonce: Nonce,
    pub cookie: [u8; 16],
    /// UDP payload of every probe.
    pub size: u32,
    /// For how many of the newest probes the server should know what became of them.
    pub remember: u32,
    /// How long the session should survive without a probe.
    pub idle_secs: u32,
    /// The number of the first probe to come.
    pub first_seq: u64,
    /// What the client would like to be injected into its own session; empty for the server's own.
    pub requested_impairment: &'a str,
}

impl<'a> Open<'a> {
    const SIZE: U32 = COOKIE.end..COOKIE.end + 4;
    const REMEMBER: U32 = Self::SIZE.end..Self::SIZE.end + 4;
    const IDLE: U32 = Self::REMEMBER.end..Self::REMEMBER.end + 4;
    const FIRST: U64 = Self::IDLE.end..Self::IDLE.end + 8;
    const WANTS: usize = Self::FIRST.end;

    /// Padded to the size it calibrates, so that it shows whether the path carries it.
    pub fn length(size: u32) -> usize {
        (size as usize).max(Self::WANTS + 2 + SPEC_MAX).max(Accept::LENGTH_MAX)
    }

    pub fn emit(&self, buffer: &mut [u8]) -> usize {
        let length = Self::length(self.size).max(Accept::IDLE.end);
        buffer[..length].fill(0);
        emit_prefix(buffer, Kind::Open, 0, self.nonce.0);
        buffer[COOKIE].copy_from_slice(&self.cookie);
        put_u32(buffer, Self::SIZE, self.size);
        put_u32(buffer, Self::REMEMBER, self.remember);
        put_u32(buffer, Self::IDLE, self.idle_secs);
        put_u64(buffer, Self::FIRST, self.first_seq);
        put_text(&mut buffer[Self::WANTS..], self.requested_impairment);
        length
    }

    pub(super) fn parse(datagram: &'a [u8]) -> Option<Self> {
        if datagram.len() < Self::WANTS {
            return None;
        }
        let open = Self {
            nonce: Nonce(id(datagram)),
            cookie: datagram[COOKIE].try_into().ok()?,
            size: get_u32(datagram, Self::SIZE),
            remember: get_u32(datagram, Self::REMEMBER),
            idle_secs: get_u32(datagram, Self::IDLE),
            first_seq: get_u64(datagram, Self::FIRST),
            requested_impairment: get_text(&datagram[Self::WANTS..])?,
        };
        (datagram.len() >= Self::length(open.size)).then_some(open)
    }
}

/// The session is open; what the server agreed to, and what it is going to inject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept<'a> {
    pub nonce: Nonce,
    pub token: Token,
    pub size: u32,
    /// The largest size it would agree to.
    pub max_size: u32,
    /// For how many of the newest probes it will know what became of them.
    pub remember: u32,
    /// The seed of what it injects.
    pub seed: u64,
    /// The longest hold to be expected.
    pub longest_hold: Duration,
    /// The server's socket, when the open came.
    pub socket: SocketMark,
    /// Probes a second that it answers to this session; zero for no limit.
    pub session_rate: u32,
    /// What it injects, in the form that `serve` takes.
    pub injects: &'a str,
    /// Whether it stamps what it receives in the kernel.
    pub kernel_stamps: bool,
    /// How long it keeps the session without a probe; zero where that is not told.
    pub idle_secs: u32,
}

impl<'a> Accept<'a> {
    const TOKEN: U64 = BODY..BODY + 8;
    const SIZE: U32 = Self::TOKEN.end..Self::TOKEN.end + 4;
    const MAX_SIZE: U32 = Self::SIZE.end..Self::SIZE.end + 4;
    const REMEMBER: U32 = Self::MAX_SIZE.end..Self::MAX_SIZE.end + 4;
    const SEED: U64 = Self::REMEMBER.end..Self::REMEMBER.end + 8;
    const LONGEST: U64 = Self::SEED.end..Self::SEED.end + 8;
    const SOCKET: U32 = Self::LONGEST.end..Self::LONGEST.end + 4;
    // The first releases had a count of eight bytes there.
    const RATE: U32 = Self::SOCKET.end + 4..Self::SOCKET.end + 8;
    const INJECTS: usize = Self::RATE.end;
    const LENGTH_MAX: usize = Self::INJECTS + 2 + SPEC_MAX;
    /// Not in the first releases, whose opens may end before it.
    const IDLE: U32 = Self::LENGTH_MAX..Self::LENGTH_MAX + 4;
    const KERNEL_STAMPS: u8 = 1;

    /// Writes an accept of exactly `length` bytes, the length of the open it answers.
    pub fn emit(&self, buffer: &mut [u8], length: usize) -> usize {
        buffer[..length].fill(0);
        let flags = if self.kernel_stamps { Self::KERNEL_STAMPS } else { 0 };
        emit_prefix(buffer, Kind::Accept, flags, self.nonce.0);
        put_u64(buffer, Self::TOKEN, self.token.0);
        put_u32(buffer, Self::SIZE, self.size);
        put_u32(buffer, Self::MAX_SIZE, self.max_size);
        put_u32(buffer, Self::REMEMBER, self.remember);
        put_u64(buffer, Self::SEED, self.seed);
        put_u64(buffer, Self::LONGEST, self.longest_hold.as_nanos().max(0) as u64);
        self.socket.put(buffer, Self::SOCKET);
        put_u32(buffer, Self::RATE, self.session_rate);
        put_text(&mut buffer[Self::INJECTS..], self.injects);
        if length >= Self::IDLE.end {
            put_u32(buffer, Self::IDLE, self.idle_secs);
        }
        length
    }

    pub(super) fn parse(datagram: &'a [u8]) -> Option<Self> {
        if datagram.len() < Self::INJECTS {
            return None;
        }
        let hold = i64::try_from(get_u64(datagram, Self::LONGEST)).unwrap_or(i64::MAX);
        Some(Self {
            nonce: Nonce(id(datagram)),
            token: Token(get_u64(datagram, Self::TOKEN)),
            size: get_u32(datagram, Self::SIZE),
            max_size: get_u32(datagram, Self::MAX_SIZE),
            remember: get_u32(datagram, Self::REMEMBER),
            seed: get_u64(datagram, Self::SEED),
            longest_hold: Duration::from_nanos(hold),
            socket: SocketMark::get(datagram, Self::SOCKET),
            session_rate: get_u32(datagram, Self::RATE),
            injects: get_text(&datagram[Self::INJECTS..])?,
            kernel_stamps: flags(datagram) & Self::KERNEL_STAMPS != 0,
            idle_secs: datagram.get(Self::IDLE).map_or(0, |_| get_u32(datagram, Self::IDLE)),
        })
    }
}

/// No session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deny {
    pub nonce: Nonce,
    pub reason: DenyReason,
    /// What would be allowed, where the reason is a limit.
    pub limit: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenyReason {
    /// The cookie is old or forged: say hello again.
    BadCookie,
    /// `limit` is the largest size.
    TooLarge,
    /// `limit` is the smallest size.
    TooSmall,
    /// `limit` sessions are open.
    Full,
    /// The server lets no client choose what is injected.
    ImpairDenied,
    /// A reason of a later version.
    Other(u8),
}

impl Deny {
    const REASON: usize = BODY;
    const LIMIT: U32 = BODY + 1..BODY + 5;
    const LENGTH: usize = Self::LIMIT.end;

    pub fn emit(&self, buffer: &mut [u8]) -> usize {
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

const TEXT_LENGTH: U16 = 0..2;

/// A text that is too long is cut: it is for people to read.
fn put_text(buffer: &mut [u8], text: &str) {
    let end = (0..=text.len().min(SPEC_MAX)).rfind(|&end| text.is_char_boundary(end)).unwrap_or(0);
    let text = &text[..end];
    put_u16(buffer, TEXT_LENGTH, text.len() as u16);
    buffer[2..2 + text.len()].copy_from_slice(text.as_bytes());
}

fn get_text(bytes: &[u8]) -> Option<&str> {
    if bytes.len() < TEXT_LENGTH.end {
        return None;
    }
    let length = usize::from(get_u16(bytes, TEXT_LENGTH));
    let text = std::str::from_utf8(bytes.get(2..2 + length)?).ok()?;
    // It is shown to people, and no text of ours has another.
    text.chars().all(is_printable).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Message, decode};
    use super::*;

    proptest! {
        #[test]
        fn what_is_emitted_is_read_back(
            nonce: u64, token: u64, cookie: [u8; 16], seed: u64, first_seq: u64, remember: u32, idle_secs: u32,
            size in 0_u32..65_528, hold in 0..i64::MAX, text in "[ -~]{0,240}", kernel_stamps: bool, limit: u32,
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
                idle_secs,
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
    fn a_text_that_a_terminal_would_obey_is_no_text() {
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
            idle_secs: 0,
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
            assert_eq!(decode(&buffer[..length]).is_ok(), good, "{text:?}");
        }
    }

    #[test]
    fn an_open_shorter_than_its_size_is_refused() {
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
