//! The clients that a server has, as they are shown to whoever runs it.

use std::net::SocketAddr;

use super::Server;
use crate::time::{Duration, Instant};

/// What is known of a client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClientFigures {
    pub remote: SocketAddr,
    pub dialect: &'static str,
    /// As agreed; the text dialect agrees to nothing.
    pub size: Option<u32>,
    /// Different probes received.
    pub probes: u64,
    /// The share of the numbers so far that never came: lost on the way up, or still on it.
    pub missing: Option<f64>,
    /// On purpose, of a session.
    pub dropped: Option<u64>,
    /// Since its last probe.
    pub silent: Duration,
}

impl Server {
    /// Those that were heard of last, at most so many.
    pub fn clients(&self, now: Instant, most: usize) -> Vec<ClientFigures> {
        let native = self.sessions.iter().map(|session| {
            let tally = session.fates.tally();
            ClientFigures {
                remote: canonical(session.opening.remote),
                dialect: "native",
                size: Some(session.opening.size),
                probes: tally.probes,
                missing: (tally.numbers > 0)
                    .then(|| (1.0 - tally.probes as f64 / tally.numbers as f64).max(0.0)),
                dropped: Some(tally.dropped),
                silent: now - session.last_seen,
            }
        });
        let mut clients: Vec<_> = native.chain(self.text.figures(now)).collect();
        if clients.len() > most {
            clients.select_nth_unstable_by_key(most, |client| client.silent);
            clients.truncate(most);
        }
        clients.sort_by_key(|client| client.remote);
        clients
    }
}

/// A socket for both families sees an IPv4 address within one of IPv6.
pub(super) fn canonical(remote: SocketAddr) -> SocketAddr {
    SocketAddr::new(remote.ip().to_canonical(), remote.port())
}
