//! The client asks for the outcomes of its probes; the server sends a status of four bits for each.

use super::fields::{U16, U32, U64, get_u16, get_u32, get_u64, put_u16, put_u32, put_u64};
use super::{BODY, Kind, SocketMark, Token, emit_prefix, id};

pub(super) const QUESTION: U32 = BODY..BODY + 4;
pub(super) const FIRST: U64 = QUESTION.end..QUESTION.end + 8;
pub(super) const COUNT: U16 = FIRST.end..FIRST.end + 2;
pub(super) const SOCKET: U32 = COUNT.end..COUNT.end + 4;
/// The first releases had a field of eight bytes at `SOCKET`.
pub(super) const STATUSES: usize = SOCKET.end + 4;

/// The server's word on a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum ProbeStatus {
    /// It has not arrived.
    #[default]
    NotSeen = 0,
    /// Its reply was sent.
    Answered = 1,
    /// The injection dropped it on the up direction.
    DroppedUp = 2,
    /// The injection dropped its reply.
    DroppedDown = 3,
    /// A rate limit or a memory limit refused it.
    Refused = 4,
    /// Its reply is being held.
    Held = 5,
    /// Its reply could not be sent.
    SendFailed = 6,
    /// Too old, or from before the session.
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

    /// From the low three bits; the fourth says whether a duplicate of the probe arrived.
    pub fn from_nibble(nibble: u8) -> Self {
        Self::ALL[usize::from(nibble & 7)]
    }
}

/// How many statuses a reply of this length carries.
pub fn statuses_that_fit(length: usize) -> u16 {
    u16::try_from(length.saturating_sub(STATUSES) * 2).unwrap_or(u16::MAX)
}

/// Asks what became of consecutive probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutcomeQuery {
    /// The session's.
    pub token: Token,
    /// Distinguishes the replies.
    pub question: u32,
    /// The first probe that is asked for.
    pub first: u64,
    /// How many probes from there on.
    pub count: u16,
}

impl OutcomeQuery {
    /// Padded to the length of its reply.
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
        if datagram.len() < STATUSES {
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

/// The statuses of the probes that were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcomes<'a> {
    pub(crate) token: Token,
    pub(crate) question: u32,
    pub(crate) first: u64,
    /// How many probes from the first on; fewer than asked for if no more fit.
    pub count: u16,
    /// The server's socket when the query arrived.
    pub socket: SocketMark,
    statuses: &'a [u8],
}

impl<'a> Outcomes<'a> {
    const fn length(count: u16) -> usize {
        STATUSES + (count as usize).div_ceil(2)
    }

    /// Writes the reply over the query; `status` gives the four bits of each probe.
    pub fn emit(
        query: &OutcomeQuery,
        socket: SocketMark,
        buffer: &mut [u8],
        mut status: impl FnMut(u64) -> u8,
    ) -> usize {
        emit_prefix(buffer, Kind::Outcomes, 0, query.token.0);
        put_u32(buffer, QUESTION, query.question);
        put_u64(buffer, FIRST, query.first);
        put_u16(buffer, COUNT, query.count);
        buffer[SOCKET.start..STATUSES].fill(0);
        socket.put(buffer, SOCKET);
        let length = Self::length(query.count);
        buffer[STATUSES..length].fill(0);
        for offset in 0..query.count {
            let nibble = status(query.first.saturating_add(u64::from(offset))) & 0x0F;
            let shift = if offset % 2 == 0 { 4 } else { 0 };
            buffer[STATUSES + usize::from(offset / 2)] |= nibble << shift;
        }
        length
    }

    /// The status of the probe `first + offset`, and whether a duplicate arrived.
    pub fn status(&self, offset: u16) -> (ProbeStatus, bool) {
        let byte = self.statuses[usize::from(offset / 2)];
        let nibble = if offset.is_multiple_of(2) { byte >> 4 } else { byte & 0x0F };
        (ProbeStatus::from_nibble(nibble), nibble & 8 != 0)
    }

    pub(super) fn parse(datagram: &'a [u8]) -> Option<Self> {
        if datagram.len() < STATUSES {
            return None;
        }
        let count = get_u16(datagram, COUNT);
        Some(Self {
            token: Token(id(datagram)),
            question: get_u32(datagram, QUESTION),
            first: get_u64(datagram, FIRST),
            count,
            socket: SocketMark::get(datagram, SOCKET),
            statuses: datagram.get(STATUSES..Self::length(count))?,
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
        fn queries_and_outcomes_are_parsed_back(token: u64, question: u32, first: u64, drops: u16, turns: u16,
                                        nibbles in proptest::collection::vec(0_u8..16, 0..300)) {
            let mut buffer = vec![0xAA; 1024];
            let query = OutcomeQuery { token: Token(token), question, first, count: nibbles.len() as u16 };
            let asked = query.emit(&mut buffer);
            prop_assert_eq!(decode(&buffer[..asked]), Ok(Message::OutcomeQuery(query)));
            let socket = SocketMark { drops, turns };
            let mut next = nibbles.iter();
            let length = Outcomes::emit(&query, socket, &mut buffer, |_| *next.next().unwrap());
            prop_assert_eq!(length, asked);
            prop_assert!(statuses_that_fit(length) >= query.count);
            let Ok(Message::Outcomes(outcomes)) = decode(&buffer[..length]) else { panic!("no outcomes") };
            prop_assert_eq!((outcomes.question, outcomes.first, outcomes.socket), (question, first, socket));
            for (offset, nibble) in nibbles.iter().enumerate() {
                prop_assert_eq!(outcomes.status(offset as u16), (ProbeStatus::from_nibble(*nibble), nibble & 8 != 0));
            }
        }
    }
}
