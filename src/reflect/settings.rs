//! The configuration of a server.

use std::net::IpAddr;

use super::admission::PerSecond;
use super::injection::Injection;
use super::load_grant::LoadGrant;
use crate::endpoints::is_private;
use crate::impair::Impairment;
use crate::rng::Seed;
use crate::time::Duration;
use crate::wire::auth::Key;
use crate::wire::native::{HostNames, MAX_SIZE_V6};

/// A server's injection, the peers that it answers, and its limits.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The impairments of every session that did not get its own.
    pub injection: Injection,
    /// Whether a client may choose the impairment of its own session.
    pub client_impair: bool,
    /// The seed of every session's injection; without one each session gets its own.
    pub impair_seed: Option<Seed>,
    /// The largest datagram of a session.
    pub max_size: u32,
    /// Whether STUN's binding requests are answered, with or without a key.
    pub stun: bool,
    /// Whether text messages are relayed between clients at private addresses that ask for it.
    pub message_relay: bool,
    /// Whether a client may stop the server.
    pub allow_stop: bool,
    /// The addresses that may use the text dialect.
    pub text_from: TextFrom,
    /// Whether to answer the ports of services, from which no client sends.
    pub allow_low_ports: bool,
    /// Sessions at once, in all and of one source.
    pub max_sessions: usize,
    /// Sessions at once of one source: an IPv4 address, or an IPv6 /64 network.
    pub max_source_sessions: usize,
    /// The longest time that a session is kept without a probe; told to clients.
    pub max_idle: Duration,
    /// The longest run of an irtt client; told to it.
    pub max_duration: Option<Duration>,
    /// Text clients at once.
    pub max_text_clients: usize,
    /// Bytes of memory for the outcomes of probes.
    pub max_history_bytes: usize,
    /// Probes per second of one session; told to clients.
    pub session_rate: PerSecond,
    /// Datagrams per second outside sessions: of one source, and of all.
    pub source_rate: PerSecond,
    /// Datagrams per second outside sessions, of all sources together.
    pub unverified_rate: PerSecond,
    /// Datagrams per second of all clients.
    pub max_rate: PerSecond,
    /// The load that clients may ask for.
    pub load: LoadGrant,
    /// Bytes of memory for held replies.
    pub max_held_bytes: usize,
    /// Whether the system sends a datagram for which `forbids_fragments` holds in one piece or not at
    /// all; sent to clients.
    pub unfragmented_replies: bool,
    /// The names of this host, sent to native clients.
    pub host: HostNames,
    /// With a key, datagrams that are not sealed with it are not answered.
    pub key: Option<Key>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            injection: Injection::steady(Impairment::classic()),
            client_impair: false,
            impair_seed: None,
            max_size: MAX_SIZE_V6,
            stun: false,
            message_relay: false,
            allow_stop: false,
            text_from: TextFrom::Private,
            allow_low_ports: false,
            max_sessions: 16_384,
            max_source_sessions: 4096,
            max_idle: Duration::from_secs(3600),
            max_duration: None,
            max_text_clients: 4096,
            max_history_bytes: 256 << 20,
            session_rate: None,
            source_rate: Some(20_000),
            unverified_rate: Some(200_000),
            max_rate: None,
            load: LoadGrant::default(),
            max_held_bytes: 512 << 20,
            unfragmented_replies: false,
            host: HostNames::default(),
            key: None,
        }
    }
}

/// The addresses that get replies longer than their requests, such as those of the text dialect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextFrom {
    /// Loopback, link-local and private addresses.
    #[default]
    Private,
    /// Every address, forged ones included: replies may be longer than their requests.
    Any,
}

impl TextFrom {
    pub(crate) fn allows(self, address: IpAddr) -> bool {
        self == Self::Any || is_private(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_allows_loopback_link_local_and_private_addresses_only() {
        for (address, allowed) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("192.168.1.1", true),
            ("169.254.1.1", true),
            ("192.0.2.1", false),
            ("8.8.8.8", false),
            ("::1", true),
            ("fe80::1", true),
            ("fd00::1", true),
            ("2001:db8::1", false),
            ("::ffff:127.0.0.1", true),
            ("::ffff:8.8.8.8", false),
        ] {
            assert_eq!(TextFrom::Private.allows(address.parse().unwrap()), allowed, "{address}");
            assert!(TextFrom::Any.allows(address.parse().unwrap()));
        }
    }
}
