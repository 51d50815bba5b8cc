//! How long a datagram the path carries, each way by itself. Needs no session: whoever answers
//! keeps nothing, and never sends more bytes than it was sent.
//!
//! ```text
//! PathMtuProbe      nonce | number (4) | length of the answer (4) | padding to the length under test
//! PathMtuReply     nonce | number (4) | length of the fit (4) | largest size (4)
//!          | padding to the length asked for, at most that of the fit
//! ```
//!
//! A fits is sent unfragmented or not at all, where the server's system can do that: a flag says so.

use super::fields::{U32, get_u32, put_u32};
use super::{BODY, Kind, Nonce, emit_prefix, flags, id};

const NUMBER: U32 = BODY..BODY + 4;

/// The client asks whether this datagram comes through, and an answer of that length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMtuProbe {
    pub nonce: Nonce,
    pub number: u32,
    pub answer: u32,
}

impl PathMtuProbe {
    const ANSWER: U32 = NUMBER.end..NUMBER.end + 4;

    /// Writes a fit of exactly `length` bytes.
    pub fn emit(&self, buffer: &mut [u8], length: usize) -> usize {
        buffer[..length].fill(0);
        emit_prefix(buffer, Kind::PathMtuProbe, 0, self.nonce.0);
        put_u32(buffer, NUMBER, self.number);
        put_u32(buffer, Self::ANSWER, self.answer);
        length
    }

    /// One with no room for any answer is none.
    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        (datagram.len() >= PathMtuReply::LENGTH_MIN).then(|| Self {
            nonce: Nonce(id(datagram)),
            number: get_u32(datagram, NUMBER),
            answer: get_u32(datagram, Self::ANSWER),
        })
    }
}

/// It came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMtuReply {
    pub nonce: Nonce,
    pub number: u32,
    /// How long the fit was when it arrived.
    pub received: u32,
    /// The largest probe that the server agrees to.
    pub max_size: u32,
    /// This answer came in one piece.
    pub whole: bool,
}

impl PathMtuReply {
    const RECEIVED: U32 = NUMBER.end..NUMBER.end + 4;
    const MAX_SIZE: U32 = Self::RECEIVED.end..Self::RECEIVED.end + 4;
    const LENGTH_MIN: usize = Self::MAX_SIZE.end;
    const WHOLE: u8 = 1;

    /// Writes the answer to a fit over it, as long as was asked for and as may be.
    pub fn emit(&self, asked: u32, buffer: &mut [u8]) -> usize {
        let length = (asked as usize).min(self.received as usize).max(Self::LENGTH_MIN);
        buffer[..length].fill(0);
        emit_prefix(buffer, Kind::PathMtuReply, if self.whole { Self::WHOLE } else { 0 }, self.nonce.0);
        put_u32(buffer, NUMBER, self.number);
        put_u32(buffer, Self::RECEIVED, self.received);
        put_u32(buffer, Self::MAX_SIZE, self.max_size);
        length
    }

    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        (datagram.len() >= Self::LENGTH_MIN).then(|| Self {
            nonce: Nonce(id(datagram)),
            number: get_u32(datagram, NUMBER),
            received: get_u32(datagram, Self::RECEIVED),
            max_size: get_u32(datagram, Self::MAX_SIZE),
            whole: flags(datagram) & Self::WHOLE != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Message, decode};
    use super::*;

    proptest! {
        #[test]
        fn what_is_emitted_is_read_back(
            nonce: u64, number: u32, answer: u32, max_size: u32, whole: bool, length in PathMtuReply::LENGTH_MIN..2000,
        ) {
            let mut buffer = vec![0xAA; 4096];
            let fit = PathMtuProbe { nonce: Nonce(nonce), number, answer };
            let asked = fit.emit(&mut buffer, length);
            prop_assert_eq!(asked, length);
            prop_assert_eq!(decode(&buffer[..asked]), Ok(Message::PathMtuProbe(fit)));
            let fits = PathMtuReply { nonce: Nonce(nonce), number, received: asked as u32, max_size, whole };
            let answered = fits.emit(answer, &mut buffer);
            prop_assert!(answered <= asked);
            prop_assert!(answered == answer as usize || answered == asked || answered == PathMtuReply::LENGTH_MIN);
            prop_assert_eq!(decode(&buffer[..answered]), Ok(Message::PathMtuReply(fits)));
        }
    }

    #[test]
    fn a_fit_that_is_shorter_than_any_answer_is_none() {
        let mut buffer = [0; 64];
        let fit = PathMtuProbe { nonce: Nonce(1), number: 2, answer: 3 };
        assert!(decode(&buffer[..0]).is_err());
        fit.emit(&mut buffer, PathMtuReply::LENGTH_MIN);
        assert!(decode(&buffer[..PathMtuReply::LENGTH_MIN]).is_ok());
        assert!(decode(&buffer[..PathMtuReply::LENGTH_MIN - 1]).is_err());
    }
}
