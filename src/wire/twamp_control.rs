//! TWAMP-Control in open mode, the client's part (RFC 5357 section 3, RFC 4656 section 3): it asks a server
//! for a test session over TCP port 862. Big-endian, messages of fixed length.
//!
//! ```text
//!   server                                  client
//!     Greeting (64)            ------------>
//!                              <------------  Set-Up-Response (164), mode 1
//!     Server-Start (48)        ------------>
//!                              <------------  Request-TW-Session (112)
//!     Accept-Session (48)      ------------>            the UDP port of the reflector
//!                              <------------  Start-Sessions (32)
//!     Start-Ack (32)           ------------>            now UDP test packets
//!                              <------------  Stop-Sessions (32)
//! ```

use std::net::{IpAddr, SocketAddr};

use super::fields::{get_u16, get_u32, put_u16, put_u32, put_u64};
use super::stamp::{Format, Timestamp};
use crate::time::Duration;

/// The TCP port of a server.
pub const PORT: u16 = 862;

const OPEN_MODE: u32 = 1;

/// Bytes of the server's first message.
pub const GREETING: usize = 64;
/// Bytes of the client's first message.
pub const SET_UP_RESPONSE: usize = 164;
/// Bytes of the server's answer to it.
pub const SERVER_START: usize = 48;
pub(crate) const REQUEST_SESSION: usize = 112;
pub(crate) const ACCEPT_SESSION: usize = 48;
/// Bytes of the message that starts the sessions.
pub const START_SESSIONS: usize = 32;
/// Bytes of the server's answer to it.
pub const START_ACK: usize = 32;
pub(crate) const STOP_SESSIONS: usize = 32;

const START: u8 = 2;
const STOP: u8 = 3;
const REQUEST_TW_SESSION: u8 = 5;

/// Why a server does not do what it was asked (RFC 4656 section 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Modes 0 in its greeting.
    #[error("the server is not willing to talk to this client (modes 0)")]
    Unwilling,
    #[error(
        "the server wants authentication or encryption (modes {modes:#x}), and this client speaks open mode only"
    )]
    /// It speaks no open mode.
    NeedsKey {
        /// The bits that it offers.
        modes: u32,
    },
    /// Code 1: no reason told.
    #[error("the server refuses")]
    Refused,
    /// Code 2.
    #[error("the server had an internal error")]
    InternalError,
    /// Code 3.
    #[error("the server does not support what was asked for")]
    NotSupported,
    /// Code 4 or 5: not now, or never.
    #[error("the server has not the resources now, or never for such a session")]
    NoResources,
    /// A code that no standard names.
    #[error("the server answers with code {0}, which no standard names")]
    Other(u8),
}

impl Denied {
    fn from_accept(code: u8) -> Result<(), Self> {
        Err(match code {
            0 => return Ok(()),
            1 => Self::Refused,
            2 => Self::InternalError,
            3 => Self::NotSupported,
            4 | 5 => Self::NoResources,
            other => Self::Other(other),
        })
    }
}

/// Whether the server offers open mode.
pub fn read_greeting(greeting: &[u8; GREETING]) -> Result<(), Denied> {
    match get_u32(greeting, 12..16) {
        0 => Err(Denied::Unwilling),
        modes if modes & OPEN_MODE == 0 => Err(Denied::NeedsKey { modes }),
        _ => Ok(()),
    }
}

/// Whether these can be a server's first octets: the unused ones are zero, and it offers modes that standards name.
pub fn is_greeting(octets: &[u8; GREETING]) -> bool {
    octets[..12].iter().all(|octet| *octet == 0) && (1..1 << 10).contains(&get_u32(octets, 12..16))
}

/// Chooses open mode.
pub fn set_up_response() -> [u8; SET_UP_RESPONSE] {
    let mut message = [0; SET_UP_RESPONSE];
    put_u32(&mut message, 0..4, OPEN_MODE);
    message
}

/// Says why the server will not go on.
pub fn read_server_start(message: &[u8; SERVER_START]) -> Result<(), Denied> {
    Denied::from_accept(message[15])
}

/// A test session as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRequest {
    pub(crate) sender: SocketAddr,
    /// The port is the one that the client would like.
    pub receiver: SocketAddr,
    /// Octets behind the 14 of a sender's header.
    pub padding: u32,
    pub(crate) timeout: Duration,
    pub(crate) dscp: u8,
    /// Nanoseconds since 1970: when packets begin.
    pub start: i64,
}

impl SessionRequest {
    /// The message that asks for a session.
    pub fn emit(&self) -> [u8; REQUEST_SESSION] {
        let mut message = [0; REQUEST_SESSION];
        message[0] = REQUEST_TW_SESSION;
        message[1] = if self.receiver.is_ipv4() { 4 } else { 6 };
        put_u16(&mut message, 12..14, self.sender.port());
        put_u16(&mut message, 14..16, self.receiver.port());
        put_address(&mut message[16..32], self.sender.ip());
        put_address(&mut message[32..48], self.receiver.ip());
        put_u32(&mut message, 64..68, self.padding);
        put_u64(&mut message, 68..76, Timestamp::from_unix(self.start, Format::Ntp).0);
        put_u64(&mut message, 76..84, ntp_interval(self.timeout));
        // Type-P with its two leading bits zero: the DSCP is in the next six.
        put_u32(&mut message, 84..88, u32::from(self.dscp & 0x3F) << 24);
        message
    }

    /// As a server reads it.
    pub fn parse(message: &[u8; REQUEST_SESSION]) -> Option<Self> {
        if message[0] != REQUEST_TW_SESSION {
            return None;
        }
        let address = |bytes: &[u8]| match message[1] {
            4 => bytes.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
            6 => bytes.first_chunk::<16>().map(|octets| IpAddr::from(*octets)),
            _ => None,
        };
        let timeout = (u128::from(super::fields::get_u64(message, 76..84)) * 1_000_000_000) >> 32;
        Some(Self {
            sender: SocketAddr::new(address(&message[16..32])?, get_u16(message, 12..14)),
            receiver: SocketAddr::new(address(&message[32..48])?, get_u16(message, 14..16)),
            padding: get_u32(message, 64..68),
            timeout: Duration::from_nanos(i64::try_from(timeout).ok()?),
            dscp: message[84] & 0x3F,
            start: Timestamp(super::fields::get_u64(message, 68..76)).to_unix(Format::Ntp, 0)?,
        })
    }
}

/// The UDP port at which the reflector listens.
pub fn read_accept_session(message: &[u8; ACCEPT_SESSION]) -> Result<u16, Denied> {
    Denied::from_accept(message[0])?;
    Ok(get_u16(message, 2..4))
}

/// The message that starts all sessions.
pub fn start_sessions() -> [u8; START_SESSIONS] {
    let mut message = [0; START_SESSIONS];
    message[0] = START;
    message
}

/// Says why the sessions do not start.
pub fn read_start_ack(message: &[u8; START_ACK]) -> Result<(), Denied> {
    Denied::from_accept(message[0])
}

/// Ends so many sessions.
pub fn stop_sessions(sessions: u32) -> [u8; STOP_SESSIONS] {
    let mut message = [0; STOP_SESSIONS];
    message[0] = STOP;
    put_u32(&mut message, 4..8, sessions);
    message
}

fn put_address(field: &mut [u8], ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => field[..4].copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => field.copy_from_slice(&ip.octets()),
    }
}

/// Seconds and a binary fraction.
fn ntp_interval(duration: Duration) -> u64 {
    let nanos = u128::from(duration.as_nanos().max(0).cast_unsigned());
    u64::try_from((nanos << 32).div_ceil(1_000_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn greeting(modes: u32) -> [u8; GREETING] {
        let mut message = [0; GREETING];
        put_u32(&mut message, 12..16, modes);
        message
    }

    #[test]
    fn only_a_server_that_offers_open_mode_is_talked_to() {
        assert_eq!(read_greeting(&greeting(1)), Ok(()));
        assert_eq!(read_greeting(&greeting(7)), Ok(()));
        assert_eq!(read_greeting(&greeting(0)), Err(Denied::Unwilling));
        assert_eq!(read_greeting(&greeting(6)), Err(Denied::NeedsKey { modes: 6 }));
        assert_eq!(set_up_response()[..4], [0, 0, 0, 1]);
    }

    fn request() -> SessionRequest {
        SessionRequest {
            sender: SocketAddr::from(([192, 0, 2, 1], 40_000)),
            receiver: SocketAddr::from(([192, 0, 2, 2], 862)),
            padding: 27,
            timeout: Duration::from_millis(2_500),
            dscp: 46,
            start: 1_000_000_000,
        }
    }

    #[test]
    fn a_session_request_has_its_fields_where_the_rfc_puts_them() {
        let message = request().emit();
        assert_eq!(message[..2], [5, 4]);
        assert_eq!(message[12..16], [0x9C, 0x40, 0x03, 0x5E]);
        assert_eq!(message[16..20], [192, 0, 2, 1]);
        assert_eq!(message[32..36], [192, 0, 2, 2]);
        assert_eq!(message[64..68], [0, 0, 0, 27]);
        assert_eq!(message[68..76], [0x83, 0xAA, 0x7E, 0x81, 0, 0, 0, 0]);
        assert_eq!(message[76..84], [0, 0, 0, 2, 0x80, 0, 0, 0]);
        assert_eq!(message[84..88], [46, 0, 0, 0]);
        assert_eq!(SessionRequest::parse(&message), Some(request()));
        let v6 = SessionRequest {
            sender: "[2001:db8::1]:40000".parse().unwrap(),
            receiver: "[2001:db8::2]:862".parse().unwrap(),
            ..request()
        };
        assert_eq!(SessionRequest::parse(&v6.emit()), Some(v6));
    }

    #[test]
    fn each_refusal_has_its_words() {
        let accept = |code: u8| {
            let mut message = [0; ACCEPT_SESSION];
            message[0] = code;
            put_u16(&mut message, 2..4, 50_123);
            read_accept_session(&message)
        };
        assert_eq!(accept(0), Ok(50_123));
        for (code, denied) in [
            (1, Denied::Refused),
            (2, Denied::InternalError),
            (3, Denied::NotSupported),
            (4, Denied::NoResources),
            (5, Denied::NoResources),
            (9, Denied::Other(9)),
        ] {
            assert_eq!(accept(code), Err(denied));
        }
        assert_eq!(start_sessions()[0], 2);
        assert_eq!((stop_sessions(1)[0], stop_sessions(1)[7]), (3, 1));
    }

    proptest! {
        #[test]
        fn any_octets_are_survived(bytes: [u8; 32], more: [u8; 32]) {
            let mut message = [0; REQUEST_SESSION];
            message[..32].copy_from_slice(&bytes);
            message[64..96].copy_from_slice(&more);
            SessionRequest::parse(&message);
            message[0] = REQUEST_TW_SESSION;
            message[1] = if bytes[1] % 2 == 0 { 4 } else { 6 };
            SessionRequest::parse(&message);
        }
    }
}
