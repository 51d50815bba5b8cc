//! Refuses datagrams whose reply could start an exchange between two machines.
//!
//! Native replies need no filter: a server ignores messages that only servers send. Plain echo needs
//! one, since the bytes of an echo server look like those of a client that repeats itself (RFC 862 has
//! nothing else). So every reply is marked where RFC 862 leaves room and routers only count down: it
//! leaves with TTL 180. Systems start with 64, 128 or 255, so a datagram that arrives with 141 to 180 is
//! another server's reply. `loop_guard` ends loops with other echo servers, and those that lose the mark.

use std::net::{IpAddr, SocketAddr};

use crate::endpoints::Endpoints;
use crate::reflect::server_port::{REPLY_TTL, ServerPort};
use crate::wire::{native, stamp, text};

/// No path has more hops.
const LONGEST_PATH: u8 = 40;

/// Privileged ports belong to services, not to clients.
const LOW_PORTS: std::ops::Range<u16> = 1..1024;
/// Services on higher ports that answer any datagram: SSDP, WS-Discovery, SIP, mDNS, CoAP, memcached,
/// game servers.
const SERVICE_PORTS: [u16; 7] = [1900, 3702, 5060, 5353, 5683, 11_211, 27_015];
/// STAMP senders may use the port of their reflectors, or the one above it.
const STAMP_PORTS: std::ops::RangeInclusive<u16> = stamp::PORT..=stamp::PORT + 1;

#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerFilter {
    /// The ports that the server itself listens on, once they are known.
    pub own_ports: [Option<u16>; ServerPort::ALL.len()],
    /// Whether the ports of services are answered, too.
    pub allow_low_ports: bool,
}

impl PeerFilter {
    /// Whether a datagram that came to this port with this TTL may be answered.
    pub(crate) fn admits(
        &self,
        server_port: ServerPort,
        path: &Endpoints,
        ttl: Option<u8>,
        datagram: &[u8],
    ) -> bool {
        let is_native = server_port == ServerPort::Main && native::is_native(datagram);
        self.may_be_a_client(server_port, path, ttl) && (is_native || !is_reply(ttl, datagram))
    }

    fn may_be_a_client(&self, server_port: ServerPort, path: &Endpoints, ttl: Option<u8>) -> bool {
        let port = path.remote.port();
        let is_service = LOW_PORTS.contains(&port) || SERVICE_PORTS.contains(&port);
        let is_service = is_service && !(server_port == ServerPort::Stamp && STAMP_PORTS.contains(&port));
        port != 0
            && is_unicast(path.remote.ip())
            && path.local.is_none_or(is_unicast)
            && (self.allow_low_ports || !is_service)
            && !self.may_be_own(path, ttl)
    }

    /// Whether this server's sockets sent it; without a TTL any datagram from a port of theirs may be.
    fn may_be_own(&self, path: &Endpoints, ttl: Option<u8>) -> bool {
        self.own_ports.contains(&Some(path.remote.port()))
            && (ttl.is_none() || path.local.is_none_or(|local| same(local, path.remote)))
    }
}

fn same(local: IpAddr, remote: SocketAddr) -> bool {
    local.to_canonical() == remote.ip().to_canonical()
}

fn is_unicast(address: IpAddr) -> bool {
    match address.to_canonical() {
        // Class E, with the broadcast address, has no hosts.
        IpAddr::V4(ip) => !ip.is_unspecified() && ip.octets()[0] < 224,
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    }
}

/// Whether the TTL or the text shows a reply of a udpecho server.
fn is_reply(ttl: Option<u8>, datagram: &[u8]) -> bool {
    let marked = ttl.is_some_and(|ttl| (REPLY_TTL - LONGEST_PATH + 1..=REPLY_TTL).contains(&ttl));
    marked || [text::CALIBRATED, text::ACKNOWLEDGED, text::STOPPING].contains(&datagram)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILTER: PeerFilter =
        PeerFilter { own_ports: [Some(8080), Some(862), None], allow_low_ports: false };

    fn admits(filter: PeerFilter, remote: &str, ttl: Option<u8>, datagram: &[u8]) -> bool {
        let path = Endpoints { remote: remote.parse().unwrap(), local: Some("192.0.2.1".parse().unwrap()) };
        filter.admits(ServerPort::Main, &path, ttl, datagram)
    }

    #[test]
    fn ports_of_services_and_addresses_that_are_no_hosts_are_not_answered() {
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
            assert_eq!(admits(FILTER, remote, Some(64), b"hello"), answered, "{remote}");
        }
    }

    #[test]
    fn allow_low_ports_answers_services_but_not_port_zero() {
        let open = PeerFilter { allow_low_ports: true, ..FILTER };
        assert!(admits(open, "192.0.2.7:7", Some(64), b"hello"));
        assert!(admits(open, "192.0.2.7:5353", Some(64), b"hello"));
        assert!(!admits(open, "192.0.2.7:0", Some(64), b"hello"));
    }

    #[test]
    fn replies_of_a_server_are_known_by_their_ttl_and_their_text() {
        let answered = |ttl, datagram: &[u8]| admits(FILTER, "192.0.2.7:40000", ttl, datagram);
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
    fn stamp_senders_may_use_the_port_of_reflectors_and_no_other_service_may() {
        for (remote, ttl, answered) in [
            ("192.0.2.7:862", 255, true),
            ("192.0.2.7:863", 64, true),
            ("192.0.2.7:7", 64, false),
            ("192.0.2.7:53", 64, false),
            ("192.0.2.7:40000", 255, true),
            ("192.0.2.7:40000", 180, false),
            ("192.0.2.1:862", 255, false),
            ("192.0.2.1:8080", 64, false),
        ] {
            let local = Some("192.0.2.1".parse().unwrap());
            let path = Endpoints { remote: remote.parse().unwrap(), local };
            let datagram = [0xF5, 0x75, 0x10, 0];
            assert_eq!(
                FILTER.admits(ServerPort::Stamp, &path, Some(ttl), &datagram),
                answered,
                "{remote} {ttl}"
            );
        }
    }

    #[test]
    fn without_a_ttl_the_servers_own_port_is_not_answered() {
        assert!(!admits(FILTER, "192.0.2.7:8080", None, b"hello"));
        assert!(admits(FILTER, "192.0.2.7:8081", None, b"hello"));
    }
}
