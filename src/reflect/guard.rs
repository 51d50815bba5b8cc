//! Who is never answered, so that no answer of ours starts a conversation between machines.
//!
//! Native answers need no guard: a server ignores what only servers send. Plain echo does: that two
//! echo servers send each other the same bytes for ever cannot be told, by the bytes, from a client
//! that repeats itself (RFC 862 has nothing else). So every answer bears a mark where RFC 862 leaves
//! room and routers keep it, since all they do is count it down: it leaves with 180 hops to live.
//! Systems begin with 64, 128 or 255; what arrives with 141 to 180 left is another server's answer.
//! `loop_guard` ends a loop with any other echo server, and where the mark is lost, if later.

use std::net::{IpAddr, SocketAddr};

use crate::endpoints::Endpoints;
use crate::wire::{native, text};

/// The time to live, or hop limit, that every answer leaves with.
pub const REPLY_TTL: u8 = 180;
/// No path is longer.
const LONGEST_PATH: u8 = 40;

/// Privileged ports belong to services, not to clients.
const LOW_PORTS: std::ops::Range<u16> = 1..1024;
/// Services above these that answer whatever they are sent: SSDP, WS-Discovery, SIP, mDNS, CoAP,
/// memcached, game servers.
const TALKATIVE_PORTS: [u16; 7] = [1900, 3702, 5060, 5353, 5683, 11_211, 27_015];

#[derive(Clone, Copy, Debug)]
pub struct Guard {
    /// The port that the server itself listens on, once that is known.
    pub own_port: Option<u16>,
    /// Whether services' ports are answered like any other.
    pub allow_low_ports: bool,
}

impl Guard {
    /// Whether a datagram from there that arrived with so many hops left may be answered.
    pub fn admits(&self, path: &Endpoints, ttl: Option<u8>, datagram: &[u8]) -> bool {
        self.may_be_a_client(path, ttl) && (native::is_native(datagram) || !is_answer(ttl, datagram))
    }

    fn may_be_a_client(&self, path: &Endpoints, ttl: Option<u8>) -> bool {
        let port = path.remote.port();
        let is_service = LOW_PORTS.contains(&port) || TALKATIVE_PORTS.contains(&port);
        port != 0
            && is_unicast(path.remote.ip())
            && path.local.is_none_or(is_unicast)
            && (self.allow_low_ports || !is_service)
            && !self.is_own(path, ttl)
    }

    /// Whether it is from this very socket, or may be as far as one can see.
    fn is_own(&self, path: &Endpoints, ttl: Option<u8>) -> bool {
        self.own_port == Some(path.remote.port())
            && (ttl.is_none() || path.local.is_none_or(|local| same(local, path.remote)))
    }
}

fn same(local: IpAddr, remote: SocketAddr) -> bool {
    local.to_canonical() == remote.ip().to_canonical()
}

fn is_unicast(address: IpAddr) -> bool {
    match address.to_canonical() {
        // Class E, in which the broadcast address is, has no hosts.
        IpAddr::V4(ip) => !ip.is_unspecified() && ip.octets()[0] < 224,
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    }
}

/// Whether it is an answer of a server of our kind, by its mark or by its words.
fn is_answer(ttl: Option<u8>, datagram: &[u8]) -> bool {
    let marked = ttl.is_some_and(|ttl| (REPLY_TTL - LONGEST_PATH + 1..=REPLY_TTL).contains(&ttl));
    marked || [text::CALIBRATED, text::ACKNOWLEDGED, text::STOPPING].contains(&datagram)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUARD: Guard = Guard { own_port: Some(8080), allow_low_ports: false };

    fn admits(guard: Guard, remote: &str, ttl: Option<u8>, datagram: &[u8]) -> bool {
        let path = Endpoints { remote: remote.parse().unwrap(), local: Some("192.0.2.1".parse().unwrap()) };
        guard.admits(&path, ttl, datagram)
    }

    #[test]
    fn only_what_may_be_a_client_is_answered() {
        for (remote, answered) in [
            ("192.0.2.7:40000", true),
            ("192.0.2.7:8080", true),
            ("192.0.2.1:8080", false),
            ("[::ffff:192.0.2.1]:8080", false),
            ("192.0.2.7:0", false),
            ("192.0.2.7:7", false),
            ("192.0.2.7:19", false),
            ("192.0.2.7:53", false),
            ("192.0.2.7:123", false),
            ("192.0.2.7:1023", false),
            ("192.0.2.7:1024", true),
            ("192.0.2.7:5353", false),
            ("0.0.0.0:40000", false),
            ("224.0.0.1:40000", false),
            ("239.255.255.250:40000", false),
            ("255.255.255.255:40000", false),
            ("[::ffff:224.0.0.1]:40000", false),
            ("[2001:db8::7]:40000", true),
            ("[::1]:40000", true),
            ("[::]:40000", false),
            ("[ff02::1]:40000", false),
        ] {
            assert_eq!(admits(GUARD, remote, Some(64), b"hello"), answered, "{remote}");
        }
    }

    #[test]
    fn services_are_answered_on_request_but_nobody_at_port_zero() {
        let open = Guard { allow_low_ports: true, ..GUARD };
        assert!(admits(open, "192.0.2.7:7", Some(64), b"hello"));
        assert!(admits(open, "192.0.2.7:5353", Some(64), b"hello"));
        assert!(!admits(open, "192.0.2.7:0", Some(64), b"hello"));
    }

    #[test]
    fn answers_are_known_by_their_mark_and_by_their_words() {
        let answered = |ttl, datagram: &[u8]| admits(GUARD, "192.0.2.7:40000", ttl, datagram);
        for (ttl, expected) in
            [(64, true), (128, true), (140, true), (141, false), (180, false), (181, true), (255, true)]
        {
            assert_eq!(answered(Some(ttl), b"hello"), expected, "{ttl}");
        }
        assert!(answered(None, b"hello"));
        assert!(!answered(Some(64), text::ACKNOWLEDGED));
        assert!(!answered(None, text::CALIBRATED));
        assert!(!answered(None, text::STOPPING));
    }

    #[test]
    fn where_hops_are_not_told_a_port_like_ones_own_is_suspect() {
        assert!(!admits(GUARD, "192.0.2.7:8080", None, b"hello"));
        assert!(admits(GUARD, "192.0.2.7:8081", None, b"hello"));
    }
}
