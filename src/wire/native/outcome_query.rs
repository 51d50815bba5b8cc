//! The truth: the client asks what became of its probes, the server tells, a nibble each.
//!
//! ```text
//! Ask    token | question (4) | first seq (8) | count (2) | padding to the length of the tell
//! Tell   token | question (4) | first seq (8) | count (2) | socket: drops, turns (4), 0 (4)
//!        | fates, two a byte, the first in the high half
//! ```

use super::fields::{U16, U32, U64, get_u16, get_u32, get_u64, put_u16, put_u32, put_u64};
use super::{BODY, Kind, SocketMark, Token, emit_prefix, id};

const QUESTION: U32 = BODY..BODY + 4;
const FIRST: U64 = QUESTION.end..QUESTION.end + 8;
const COUNT: U16 = FIRST.end..FIRST.end + 2;
const SOCKET: U32 = COUNT.end..COUNT.end + 4;
/// The first releases had a count of eight bytes there.
const FATES: usize = SOCKET.end + 4;

/// What the server knows of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum ProbeStatus {
    /// It has not arrived.
    #[default]
    NotSeen = 0,
    /// Its reply was sent.
    Answered = 1,
    /// Dropped on purpose before it counted.
    DroppedUp = 2,
    /// Its reply was withheld on purpose.
    DroppedDown = 3,
    /// A limit refused it.
    Refused = 4,
    /// Its reply is being held.
    Held = 5,
    /// Its reply could not be sent.
    SendFailed = 6,
    /// Too long ago, or before the server's time.
    Forgotten = 7,
}

impl ProbeStatus {
    const ALL: [Self; 8] = [
        Self::NotSeen,
        Self::Answered,
        Self::DroppedUp,
        Self::DroppedDown,
        Self::Refused,
        Self::Held,
        Self::SendFailed,
        Self::Forgotten,
    ];

    /// Of the low three bits; the fourth tells whether the probe came more than once.
    pub fn from_nibble(nibble: u8) -> Self {
        Self::ALL[usize::from(nibble & 7)]
    }
}

/// How many fates an answer of so many bytes carries.
pub fn statuses_that_fit(length: usize) -> u16 {
    u16::try_from(length.saturating_sub(FATES) * 2).unwrap_or(u16::MAX)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutcomeQuery {
    pub token: Token,
    /// Tells the answers apart.
    pub question: u32,
    pub first: u64,
    pub count: u16,
}

impl OutcomeQuery {
    /// Padded to the length of its answer.
    pub fn emit(&self, buffer: &mut [u8]) -> usize {
        let length = Outcomes::length(self.count);
        buffer[..length].fill(0);
        emit_prefix(buffer, Kind::OutcomeQuery, 0, self.token.0);
        put_u32(buffer, QUESTION, self.question);
        put_u64(buffer, FIRST, self.first);
        put_u16(buffer, COUNT, self.count);
        length
    }

    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        if datagram.len() < FATES {
            return None;
        }
        let count = get_u16(datagram, COUNT);
        (datagram.len() >= Outcomes::length(count)).then(|| Self {
            token: Token(id(datagram)),
            question: get_u32(datagram, QUESTION),
            first: get_u64(datagram, FIRST),
            count,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcomes<'a> {
    pub token: Token,
    pub question: u32,
    pub first: u64,
    pub count: u16,
    /// The server's socket, when the question came.
    pub socket: SocketMark,
    fates: &'a [u8],
}

impl<'a> Outcomes<'a> {
    const fn length(count: u16) -> usize {
        FATES + (count as usize).div_ceil(2)
    }

    /// Writes the answer to `ask` over it; `fate` gives a nibble for each of the probes asked for.
    pub fn emit(
        ask: &OutcomeQuery,
        socket: SocketMark,
        buffer: &mut [u8],
        mut fate: impl FnMut(u64) -> u8,
    ) -> usize {
        emit_prefix(buffer, Kind::Outcomes, 0, ask.token.0);
        put_u32(buffer, QUESTION, ask.question);
        put_u64(buffer, FIRST, ask.first);
        put_u16(buffer, COUNT, ask.count);
        buffer[SOCKET.start..FATES].fill(0);
        socket.put(buffer, SOCKET);
        let length = Self::length(ask.count);
        buffer[FATES..length].fill(0);
        for offset in 0..ask.count {
            let nibble = fate(ask.first.saturating_add(u64::from(offset))) & 0x0F;
            let shift = if offset % 2 == 0 { 4 } else { 0 };
            buffer[FATES + usize::from(offset / 2)] |= nibble << shift;
        }
        length
    }

    /// What became of the probe `first + offset`, and whether it came more than once.
    pub fn status(&self, offset: u16) -> (ProbeStatus, bool) {
        let byte = self.fates[usize::from(offset / 2)];
        let nibble = if offset.is_multiple_of(2) { byte >> 4 } else { byte & 0x0F };
        (ProbeStatus::from_nibble(nibble), nibble & 8 != 0)
    }

    pub(super) fn parse(datagram: &'a [u8]) -> Option<Self> {
        if datagram.len() < FATES {
            return None;
        }
        let count = get_u16(datagram, COUNT);
        Some(Self {
            token: Token(id(datagram)),
            question: get_u32(datagram, QUESTION),
            first: get_u64(datagram, FIRST),
            count,
            socket: SocketMark::get(datagram, SOCKET),
            fates: datagram.get(FATES..Self::length(count))?,
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
        fn what_is_emitted_is_read_back(token: u64, question: u32, first: u64, drops: u16, turns: u16,
                                        nibbles in proptest::collection::vec(0_u8..16, 0..300)) {
            let mut buffer = vec![0xAA; 1024];
            let ask = OutcomeQuery { token: Token(token), question, first, count: nibbles.len() as u16 };
            let asked = ask.emit(&mut buffer);
            prop_assert_eq!(decode(&buffer[..asked]), Ok(Message::OutcomeQuery(ask)));
            let socket = SocketMark { drops, turns };
            let mut next = nibbles.iter();
            let told = Outcomes::emit(&ask, socket, &mut buffer, |_| *next.next().unwrap());
            prop_assert_eq!(told, asked);
            prop_assert!(statuses_that_fit(told) >= ask.count);
            let Ok(Message::Outcomes(tell)) = decode(&buffer[..told]) else { panic!("no tell") };
            prop_assert_eq!((tell.question, tell.first, tell.socket), (question, first, socket));
            for (offset, nibble) in nibbles.iter().enumerate() {
                prop_assert_eq!(tell.status(offset as u16), (ProbeStatus::from_nibble(*nibble), nibble & 8 != 0));
            }
        }
    }
}
