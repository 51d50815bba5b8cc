//! Probe, reply, and the reply to a message of a session that the server does not know.
//!
//! A reply is its probe with a longer header: same length, and the same payload behind the header.
//!
//! ```text
//!  0               1               2               3
//!  0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7
//! +---------------------------------------------------------------+
//! |                     prefix and token (12)                     |
//! +---------------------------------------------------------------+
//! |                          sequence (8)                         |
//! +---------------------------------------------------------------+
//! |              send time, client clock, ns (8)                  |
//! +---------------------------------------------------------------+  a probe's payload from here
//! |             receive time, server clock, ns (8)                |
//! +-------------------------------+-------------------------------+
//! |        residence, ns (6)      |          hold, ns (6)         |
//! +-------------------------------+-------------------------------+
//! |  socket: drops (2), turns (2) |           window (4)          |
//! +-------------------------------+-------------------------------+  a reply's payload from here
//! ```

use super::fields::{MAX_U48, U32, U48, U64, get_u32, get_u48, get_u64, put_u32, put_u48, put_u64};
use super::{BODY, Kind, SocketMark, Token, emit_prefix, flags, id};
use crate::time::{Duration, Instant};

pub(super) const SEQ: U64 = BODY..BODY + 8;
pub(super) const SENT: U64 = SEQ.end..SEQ.end + 8;
pub(super) const RECEIVED: U64 = SENT.end..SENT.end + 8;
pub(super) const RESIDENCE: U48 = RECEIVED.end..RECEIVED.end + 6;
pub(super) const HOLD: U48 = RESIDENCE.end..RESIDENCE.end + 6;
pub(super) const SOCKET: U32 = HOLD.end..HOLD.end + 4;
pub(super) const WINDOW: U32 = SOCKET.end..SOCKET.end + 4;
/// A reply's payload begins here.
pub(super) const REPLY_HEADER: usize = WINDOW.end;

const COPY: u8 = 1;
const CORRUPTED: u8 = 2;

/// A numbered datagram that the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The session's.
    pub token: Token,
    /// From 0, over all sessions of a run.
    pub seq: u64,
    /// On the client's clock.
    pub sent: Instant,
}

impl Probe {
    /// Writes the header and leaves the payload alone.
    pub fn emit(&self, buffer: &mut [u8]) {
        emit_prefix(buffer, Kind::Probe, 0, self.token.0);
        put_u64(buffer, SEQ, self.seq);
        Self::set_sent(self.sent, buffer);
    }

    /// Writes the send time alone.
    pub fn set_sent(sent: Instant, buffer: &mut [u8]) {
        put_u64(buffer, SENT, sent.as_nanos() as u64);
    }

    /// Stores the mark in a probe, at the place where its reply has it.
    pub fn keep_socket(socket: SocketMark, buffer: &mut [u8]) {
        socket.put(buffer, SOCKET);
    }

    pub(crate) fn kept_socket(buffer: &[u8]) -> SocketMark {
        SocketMark::get(buffer, SOCKET)
    }

    /// Reads the header of a datagram that is known to be a probe, if it is long enough.
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        (datagram.len() >= REPLY_HEADER).then(|| Self {
            token: Token(id(datagram)),
            seq: get_u64(datagram, SEQ),
            sent: Instant::from_nanos(get_u64(datagram, SENT) as i64),
        })
    }
}

/// The answer to a probe, of the same length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The session's.
    pub token: Token,
    /// That of the probe.
    pub seq: u64,
    /// That of the probe: T1, on the client's clock.
    pub sent: Instant,
    /// On the server's clock, which has an arbitrary zero.
    pub received: Instant,
    /// From arrival to departure at the server, hold included.
    pub residence: Duration,
    /// Time for which the server held the reply on purpose.
    pub hold: Duration,
    /// The server's socket when the probe arrived.
    pub socket: SocketMark,
    /// Bit k: the probe `seq - 1 - k` had arrived before this reply left.
    pub window: u32,
    /// An injected copy of the reply.
    pub copy: bool,
    /// The injection changed the payload.
    pub corrupted: bool,
}

impl Reply {
    /// Rewrites a probe's header into its reply's; the payload beyond stays as it is.
    pub fn emit(&self, buffer: &mut [u8]) {
        let flags = if self.copy { COPY } else { 0 } | if self.corrupted { CORRUPTED } else { 0 };
        emit_prefix(buffer, Kind::Reply, flags, self.token.0);
        put_u64(buffer, SEQ, self.seq);
        put_u64(buffer, SENT, self.sent.as_nanos() as u64);
        put_u64(buffer, RECEIVED, self.received.as_nanos() as u64);
        put_u48(buffer, RESIDENCE, self.residence.as_nanos().max(0) as u64);
        put_u48(buffer, HOLD, self.hold.as_nanos().max(0) as u64);
        self.socket.put(buffer, SOCKET);
        put_u32(buffer, WINDOW, self.window);
    }

    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        if datagram.len() < REPLY_HEADER {
            return None;
        }
        debug_assert!(MAX_U48 < i64::MAX as u64);
        Some(Self {
            token: Token(id(datagram)),
            seq: get_u64(datagram, SEQ),
            sent: Instant::from_nanos(get_u64(datagram, SENT) as i64),
            received: Instant::from_nanos(get_u64(datagram, RECEIVED) as i64),
            residence: Duration::from_nanos(get_u48(datagram, RESIDENCE) as i64),
            hold: Duration::from_nanos(get_u48(datagram, HOLD) as i64),
            socket: SocketMark::get(datagram, SOCKET),
            window: get_u32(datagram, WINDOW),
            copy: flags(datagram) & COPY != 0,
            corrupted: flags(datagram) & CORRUPTED != 0,
        })
    }
}

/// The server does not know the session: it was restarted, or the session expired or was evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSession {
    /// That of the message that the server could not assign.
    pub token: Token,
    /// The probe that is answered; none if the request was a query. On the wire none is all ones, which no
    /// probe has.
    pub seq: Option<u64>,
}

impl UnknownSession {
    const NO_PROBE: u64 = u64::MAX;

    /// Returns the length of the message.
    pub fn emit(&self, buffer: &mut [u8]) -> usize {
        emit_prefix(buffer, Kind::UnknownSession, 0, self.token.0);
        put_u64(buffer, SEQ, self.seq.unwrap_or(Self::NO_PROBE));
        SEQ.end
    }

    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        (datagram.len() >= SEQ.end).then(|| {
            let seq = get_u64(datagram, SEQ);
            Self { token: Token(id(datagram)), seq: (seq != Self::NO_PROBE).then_some(seq) }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{MIN_SIZE, Message, decode};
    use super::*;

    proptest! {
        #[test]
        fn probes_and_replies_are_parsed_back(
            token: u64, seq: u64, sent: i64, received: i64, drops: u16, turns: u16, window: u32, copy: bool, corrupted: bool,
            residence in 0..(1_i64 << 48), hold in 0..(1_i64 << 48), payload in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let mut buffer = vec![0; MIN_SIZE as usize];
            buffer.extend(&payload);
            let probe = Probe { token: Token(token), seq, sent: Instant::from_nanos(sent) };
            probe.emit(&mut buffer);
            prop_assert_eq!(decode(&buffer), Ok(Message::Probe(probe)));
            let reply = Reply {
                token: Token(token), seq, sent: Instant::from_nanos(sent), received: Instant::from_nanos(received),
                residence: Duration::from_nanos(residence), hold: Duration::from_nanos(hold),
                socket: SocketMark { drops, turns }, window, copy, corrupted,
            };
            reply.emit(&mut buffer);
            prop_assert_eq!(decode(&buffer), Ok(Message::Reply(reply)));
            prop_assert_eq!(&buffer[MIN_SIZE as usize..], &payload[..]);
            for seq in [Some(seq).filter(|seq| *seq != u64::MAX), None] {
                let unknown = UnknownSession { token: Token(token), seq };
                let length = unknown.emit(&mut buffer);
                prop_assert_eq!(decode(&buffer[..length]), Ok(Message::UnknownSession(unknown)));
                prop_assert!(length <= MIN_SIZE as usize);
            }
        }
    }

    #[test]
    fn a_duration_too_long_for_its_field_becomes_the_longest() {
        let mut buffer = [0; REPLY_HEADER];
        let reply = Reply {
            token: Token(1),
            seq: 2,
            sent: Instant::ZERO,
            received: Instant::ZERO,
            residence: Duration::MAX,
            hold: Duration::from_nanos(-1),
            socket: SocketMark::default(),
            window: 0,
            copy: false,
            corrupted: false,
        };
        reply.emit(&mut buffer);
        let Ok(Message::Reply(read)) = decode(&buffer) else { panic!("no reply") };
        assert_eq!(read.residence.as_nanos(), MAX_U48 as i64);
        assert_eq!(read.hold, Duration::ZERO);
    }
}
