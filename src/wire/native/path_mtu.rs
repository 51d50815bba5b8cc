//! Tests whether a datagram of a given length crosses the path, for each direction. Needs no session:
//! the server stores nothing and sends no more bytes than it received.
//!
//! The reply leaves unfragmented or not at all, where the server's system can do that; a flag says so.

use super::fields::{U32, get_u32, put_u32};
use super::{BODY, Kind, Nonce, emit_prefix, flags, id};

pub(super) const NUMBER: U32 = BODY..BODY + 4;

/// Asks for a reply of the length `answer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMtuProbe {
    pub(crate) nonce: Nonce,
    pub(crate) number: u32,
    pub(crate) answer: u32,
}

impl PathMtuProbe {
    pub(super) const ANSWER: U32 = NUMBER.end..NUMBER.end + 4;

    /// Writes a test datagram of exactly `length` bytes.
    pub fn emit(&self, buffer: &mut [u8], length: usize) -> usize {
        buffer[..length].fill(0);
        emit_prefix(buffer, Kind::PathMtuProbe, 0, self.nonce.0);
        put_u32(buffer, NUMBER, self.number);
        put_u32(buffer, Self::ANSWER, self.answer);
        length
    }

    /// None if it is shorter than the shortest reply.
    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        (datagram.len() >= PathMtuReply::LENGTH_MIN).then(|| Self {
            nonce: Nonce(id(datagram)),
            number: get_u32(datagram, NUMBER),
            answer: get_u32(datagram, Self::ANSWER),
        })
    }
}

/// The test datagram arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMtuReply {
    pub(crate) nonce: Nonce,
    pub(crate) number: u32,
    /// The length of the test datagram on arrival.
    pub received: u32,
    /// The largest probe that the server accepts.
    pub max_size: u32,
    /// This reply was sent with fragmentation forbidden.
    pub whole: bool,
}

impl PathMtuReply {
    pub(super) const RECEIVED: U32 = NUMBER.end..NUMBER.end + 4;
    pub(super) const MAX_SIZE: U32 = Self::RECEIVED.end..Self::RECEIVED.end + 4;
    pub(super) const LENGTH_MIN: usize = Self::MAX_SIZE.end;
    const WHOLE: u8 = 1;

    /// Writes the reply over the test datagram: as long as asked for, but not longer than it.
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
        fn path_mtu_messages_are_parsed_back(
            nonce: u64, number: u32, answer: u32, max_size: u32, whole: bool, length in PathMtuReply::LENGTH_MIN..2000,
        ) {
            let mut buffer = vec![0xAA; 4096];
            let test = PathMtuProbe { nonce: Nonce(nonce), number, answer };
            let asked = test.emit(&mut buffer, length);
            prop_assert_eq!(asked, length);
            prop_assert_eq!(decode(&buffer[..asked]), Ok(Message::PathMtuProbe(test)));
            let reply = PathMtuReply { nonce: Nonce(nonce), number, received: asked as u32, max_size, whole };
            let answered = reply.emit(answer, &mut buffer);
            prop_assert!(answered <= asked);
            prop_assert!(answered == answer as usize || answered == asked || answered == PathMtuReply::LENGTH_MIN);
            prop_assert_eq!(decode(&buffer[..answered]), Ok(Message::PathMtuReply(reply)));
        }
    }

    #[test]
    fn a_test_shorter_than_the_shortest_reply_is_malformed() {
        let mut buffer = [0; 64];
        let test = PathMtuProbe { nonce: Nonce(1), number: 2, answer: 3 };
        assert!(decode(&buffer[..0]).is_err());
        test.emit(&mut buffer, PathMtuReply::LENGTH_MIN);
        assert!(decode(&buffer[..PathMtuReply::LENGTH_MIN]).is_ok());
        assert!(decode(&buffer[..PathMtuReply::LENGTH_MIN - 1]).is_err());
    }
}
