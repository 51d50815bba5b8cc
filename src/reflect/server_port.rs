//! The ports of a server. Each speaks dialects of its own, and its replies leave with a time to live of their own.

use crate::endpoints::Endpoints;

/// The TTL or hop limit of the main port's replies, by which another server knows them.
pub const REPLY_TTL: u8 = 180;

/// A port of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerPort {
    /// The native protocol, text and plain echo.
    #[default]
    Main,
    /// STAMP and TWAMP-Light.
    Stamp,
    /// irtt.
    Irtt,
}

impl ServerPort {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Main, Self::Stamp, Self::Irtt];

    /// The time to live of its replies. RFC 8762 has its senders count the hops from 255 down.
    pub const fn reply_ttl(self) -> u8 {
        match self {
            Self::Main | Self::Irtt => REPLY_TTL,
            Self::Stamp => u8::MAX,
        }
    }

    /// Whether a reply leaves with the traffic class of its request.
    pub const fn replies_in_kind(self) -> bool {
        !matches!(self, Self::Main)
    }
}

/// A held reply that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Where it goes, and the address that it leaves from.
    pub path: Endpoints,
    /// The port that it leaves from.
    pub server_port: ServerPort,
    /// The traffic class of its request, where it leaves with the same.
    pub traffic_class: Option<u8>,
    /// Bytes in the caller's buffer.
    pub length: usize,
}
