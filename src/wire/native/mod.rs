//! The native protocol, version 1: big-endian, one message per datagram. `docs/protocol.md` describes
//! it on one page; the fields of each message are documented in its struct.
//!
//! ```text
//!   client                                       server
//!     Hello (nonce)               ------------>           stores nothing
//!                                 <------------  Cookie (nonce, cookie)
//!     Open (nonce, cookie, size)  ------------>           the address is proven: opens a session
//!                                 <------------  Accept (nonce, token, injection)
//!                                 <------------  or Deny (nonce, reason)
//!     Probe (token, seq)          ------------>
//!                                 <------------  Reply (token, seq, times, hold, window)
//!                                 <------------  or UnknownSession (token, seq): open again
//!     OutcomeQuery (first, count) ------------>
//!                                 <------------  Outcomes (a status for each probe)
//!     Stop (token)                ------------>
//!                                 <------------  Stopped (token, obeyed or not)
//!     Close (token)               ------------>           frees the session, no reply
//!     PathMtuProbe (nonce)        ------------>           without a session
//!                                 <------------  PathMtuReply (nonce), unfragmented
//!     Load (token, seq)           ------------>           counted, not answered
//!                                 <------------  LoadReport (sums), now and then
//!     Pull (token, rate, budget)  ------------>           each 50 ms
//!                                 <------------  Push (token, seq), within the budget
//!                                 <------------  Ending (token): the server ends soon, no reply
//! ```
//!
//! No reply is longer than its request: `Hello` and `OutcomeQuery` are padded to the length of their
//! replies, `Open` and `Accept` to the size of the session's probes. Only `Push`, which the client's proven address
//! pulls, and the three `Ending` of a session are more than what asked for them.
//!
//! ```text
//!  0               1               2               3
//!  0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7
//! +---------------+---------------+-------+-------+---------------+
//! |     0xF5      |     0x75      |version| flags |     kind      |
//! +---------------+---------------+-------+-------+---------------+
//! |                        nonce or token                         |
//! |                                                               |
//! +---------------------------------------------------------------+
//! ```

mod handshake;
mod host_names;
mod layout;
mod load;
mod outcome_query;
mod path_mtu;
mod place;
mod probe;
mod socket;

pub use handshake::{Accept, Cookie, Deny, DenyReason, Hello, Open, SPEC_MAX};
pub use host_names::HostNames;
pub use layout::{Layout, layouts};
pub use load::{Arrivals, Load, LoadReport, Pull, Push, Sums};
pub use outcome_query::{OutcomeQuery, Outcomes, ProbeStatus, statuses_that_fit};
pub use path_mtu::{PathMtuProbe, PathMtuReply};
pub use place::Place;
pub use probe::{Probe, Reply, UnknownSession};
pub use socket::SocketMark;

use super::fields::{self, U64, get_u64, put_u64};

/// The version of the protocol; messages of another one are ignored.
pub const VERSION: u8 = 1;
/// The smallest probe: it has room for the header of its reply.
pub const MIN_SIZE: u32 = 56;
const _: () = assert!(MIN_SIZE as usize == probe::REPLY_HEADER);
/// The largest UDP payload over IPv4 and over IPv6.
pub const MAX_SIZE_V4: u32 = 65_507;
/// The largest UDP payload of IPv6: 65,535 bytes less the UDP header.
pub const MAX_SIZE_V6: u32 = 65_527;

const MAGIC: [u8; 2] = [0xF5, 0x75];
const VERSION_AND_FLAGS: usize = 2;
const KIND: usize = 3;
const ID: U64 = 4..12;
/// Where the fields of a kind begin.
const BODY: usize = 12;

/// Names a session; unguessable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(pub u64);

/// Chosen by the client for one handshake or path-MTU test; the server copies it into its replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nonce(pub u64);

/// Any message, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// From a client that has no cookie.
    Hello(Hello),
    /// The answer to `Hello`.
    Cookie(Cookie),
    /// From a client that has shown its address.
    Open(Open<'a>),
    /// The answer to `Open`: the session begins.
    Accept(Accept<'a>),
    /// The answer to `Open`: there will be no session.
    Deny(Deny),
    /// From the client.
    Probe(Probe),
    /// The answer to `Probe`.
    Reply(Reply),
    /// The answer to a token that the server does not know.
    UnknownSession(UnknownSession),
    /// Asks what became of probes.
    OutcomeQuery(OutcomeQuery),
    /// The answer to `OutcomeQuery`.
    Outcomes(Outcomes<'a>),
    /// Asks the server to end.
    Stop(Token),
    /// The answer to `Stop`: whether the server obeys.
    Stopped(Token, bool),
    /// The client ends its session.
    Close(Token),
    /// Asks for a datagram of a given size.
    PathMtuProbe(PathMtuProbe),
    /// The answer to `PathMtuProbe`.
    PathMtuReply(PathMtuReply),
    /// A packet of a load up.
    Load(Load),
    /// The arrivals of a load up, or the rate that the server grants.
    LoadReport(LoadReport),
    /// Asks for a load down.
    Pull(Pull),
    /// A packet of a load down.
    Push(Push),
    /// The server ends soon: a client that waits for its successor sends nothing until then.
    Ending(Token),
}

/// Why a datagram with the magic number is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A version other than `VERSION`.
    #[error("a message of version {0}")]
    Version(u8),
    /// A kind of message that this version does not have.
    #[error("a message of unknown kind {0}")]
    Kind(u8),
    /// Too short, or with a field out of its range.
    #[error("a message that is cut short or contradicts itself")]
    Malformed,
    /// A text with control characters, in the handshake with this nonce.
    #[error("a text with control characters")]
    Text(Nonce),
}

/// Whether the datagram has the magic number of native messages, of any version.
pub fn is_native(datagram: &[u8]) -> bool {
    datagram.starts_with(&MAGIC)
}

/// Whether this is a reply with the unchanged payload of its probe.
pub fn keeps_payload(message: &[u8]) -> bool {
    matches!(decode(message), Ok(Message::Reply(Reply { corrupted: false, .. })))
}

/// Decodes a datagram for which `is_native` holds.
pub fn decode(datagram: &[u8]) -> Result<Message<'_>, DecodeError> {
    if datagram.len() < BODY || !is_native(datagram) {
        return Err(DecodeError::Malformed);
    }
    let version = datagram[VERSION_AND_FLAGS] >> 4;
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let kind = Kind::from_byte(datagram[KIND]).ok_or(DecodeError::Kind(datagram[KIND]))?;
    let id = get_u64(datagram, ID);
    let message = match kind {
        Kind::Hello => Hello::parse(datagram).map(Message::Hello),
        Kind::Cookie => Cookie::parse(datagram).map(Message::Cookie),
        Kind::Open => return Open::parse(datagram).map(Message::Open),
        Kind::Accept => return Accept::parse(datagram).map(Message::Accept),
        Kind::Deny => Deny::parse(datagram).map(Message::Deny),
        Kind::Probe => Probe::parse(datagram).map(Message::Probe),
        Kind::Reply => Reply::parse(datagram).map(Message::Reply),
        Kind::UnknownSession => UnknownSession::parse(datagram).map(Message::UnknownSession),
        Kind::OutcomeQuery => OutcomeQuery::parse(datagram).map(Message::OutcomeQuery),
        Kind::Outcomes => Outcomes::parse(datagram).map(Message::Outcomes),
        // As long as its reply.
        Kind::Stop => (datagram.len() > BODY).then_some(Message::Stop(Token(id))),
        Kind::Stopped => datagram.get(BODY).map(|&obeyed| Message::Stopped(Token(id), obeyed != 0)),
        Kind::Close => Some(Message::Close(Token(id))),
        Kind::PathMtuProbe => PathMtuProbe::parse(datagram).map(Message::PathMtuProbe),
        Kind::PathMtuReply => PathMtuReply::parse(datagram).map(Message::PathMtuReply),
        Kind::Load => Load::parse(datagram).map(Message::Load),
        Kind::LoadReport => LoadReport::parse(datagram).map(Message::LoadReport),
        Kind::Pull => Pull::parse(datagram).map(Message::Pull),
        Kind::Push => Push::parse(datagram).map(Message::Push),
        Kind::Ending => Some(Message::Ending(Token(id))),
    };
    message.ok_or(DecodeError::Malformed)
}

/// Whether the datagram must not be fragmented: its length tests the path MTU.
pub fn forbids_fragments(datagram: &[u8]) -> bool {
    is_native(datagram) && datagram.get(KIND) == Some(&(Kind::PathMtuReply as u8))
}

/// Writes a `Stop`, as long as its reply.
pub fn emit_stop(token: Token, buffer: &mut [u8]) -> usize {
    emit_prefix(buffer, Kind::Stop, 0, token.0);
    buffer[BODY] = 0;
    BODY + 1
}

/// Returns the length of the message.
pub fn emit_stopped(token: Token, obeyed: bool, buffer: &mut [u8]) -> usize {
    emit_prefix(buffer, Kind::Stopped, 0, token.0);
    buffer[BODY] = u8::from(obeyed);
    BODY + 1
}

/// Returns the length of the message.
pub fn emit_close(token: Token, buffer: &mut [u8]) -> usize {
    emit_prefix(buffer, Kind::Close, 0, token.0);
    BODY
}

/// Returns the length of the message.
pub fn emit_ending(token: Token, buffer: &mut [u8]) -> usize {
    emit_prefix(buffer, Kind::Ending, 0, token.0);
    BODY
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Hello = 1,
    Cookie = 2,
    Open = 3,
    Accept = 4,
    Deny = 5,
    Probe = 6,
    Reply = 7,
    UnknownSession = 8,
    OutcomeQuery = 9,
    Outcomes = 10,
    Stop = 11,
    Stopped = 12,
    Close = 13,
    PathMtuProbe = 14,
    PathMtuReply = 15,
    Load = 16,
    LoadReport = 17,
    Pull = 18,
    Push = 19,
    Ending = 20,
}

impl Kind {
    const ALL: [Self; 20] = [
        Self::Hello,
        Self::Cookie,
        Self::Open,
        Self::Accept,
        Self::Deny,
        Self::Probe,
        Self::Reply,
        Self::UnknownSession,
        Self::OutcomeQuery,
        Self::Outcomes,
        Self::Stop,
        Self::Stopped,
        Self::Close,
        Self::PathMtuProbe,
        Self::PathMtuReply,
        Self::Load,
        Self::LoadReport,
        Self::Pull,
        Self::Push,
        Self::Ending,
    ];

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte).checked_sub(1)?).copied()
    }
}

fn emit_prefix(buffer: &mut [u8], kind: Kind, flags: u8, id: u64) {
    buffer[..2].copy_from_slice(&MAGIC);
    buffer[VERSION_AND_FLAGS] = VERSION << 4 | flags;
    buffer[KIND] = kind as u8;
    put_u64(buffer, ID, id);
}

fn flags(datagram: &[u8]) -> u8 {
    datagram[VERSION_AND_FLAGS] & 0x0F
}

fn id(datagram: &[u8]) -> u64 {
    get_u64(datagram, ID)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn another_version_or_an_unknown_kind_is_an_error_with_its_number() {
        let mut bytes = [0; 32];
        emit_close(Token(7), &mut bytes);
        assert_eq!(decode(&bytes), Ok(Message::Close(Token(7))));
        emit_ending(Token(7), &mut bytes);
        assert_eq!(decode(&bytes), Ok(Message::Ending(Token(7))));
        bytes[KIND] = 99;
        assert_eq!(decode(&bytes), Err(DecodeError::Kind(99)));
        bytes[VERSION_AND_FLAGS] = 0x20;
        assert_eq!(decode(&bytes), Err(DecodeError::Version(2)));
        assert_eq!(decode(&bytes[..11]), Err(DecodeError::Malformed));
        assert!(!is_native(b"hello"));
    }

    #[test]
    fn kinds_are_numbered_without_gaps() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index + 1);
            assert_eq!(Kind::from_byte(kind as u8), Some(kind));
        }
        assert_eq!(Kind::from_byte(0), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(kind in 0_u8..22, rest in proptest::collection::vec(any::<u8>(), 0..700)) {
            let _ = decode(&rest);
            let mut bytes = MAGIC.to_vec();
            bytes.extend([VERSION << 4, kind]);
            bytes.extend(rest);
            let _ = decode(&bytes);
        }
    }
}
