//! The clients of a server, as its views show them.

use std::net::SocketAddr;

use crate::time::Duration;

/// The server's figures of one client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClientFigures {
    /// Where its last datagram came from.
    pub remote: SocketAddr,
    /// One of `DIALECTS`.
    pub dialect: &'static str,
    /// The agreed size; the text dialect agrees on none.
    pub size: Option<u32>,
    /// Different probes received.
    pub probes: u64,
    /// The share of the sequence numbers so far that did not arrive: lost up, or still on the way.
    pub missing: Option<f64>,
    /// Probes of the session that the injection dropped.
    pub dropped: Option<u64>,
    /// Time since its last probe.
    pub silent: Duration,
}

impl ClientFigures {
    /// A socket for both families shows an IPv4 address within an IPv6 address.
    pub fn canonical(remote: SocketAddr) -> SocketAddr {
        SocketAddr::new(remote.ip().to_canonical(), remote.port())
    }
}

/// The `most` clients that were heard last, by address.
pub(super) fn newest(mut clients: Vec<ClientFigures>, most: usize) -> Vec<ClientFigures> {
    if clients.len() > most {
        clients.select_nth_unstable_by_key(most, |client| client.silent);
        clients.truncate(most);
    }
    clients.sort_by_key(|client| client.remote);
    clients
}
