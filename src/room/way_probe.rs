//! The datagrams with which two hosts look for a direct way: signed with the key of their order, so that
//! nothing but the other host is taken for it.

use std::net::{IpAddr, SocketAddr};

/// Chooses the addresses to send to from those that the other host claims. It may claim anything:
/// no host and no service that did not ask for them is to get more than a few.
pub fn candidates_to_try(claimed: &[SocketAddr], own: IpAddr) -> Vec<SocketAddr> {
    const MOST: usize = 8;
    let mut tried: Vec<SocketAddr> = Vec::new();
    for address in claimed {
        let ip = address.ip().to_canonical();
        let address = SocketAddr::new(ip, address.port());
        if has_one_host(ip)
            && (!ip.is_loopback() || own.to_canonical().is_loopback())
            && address.port() >= 1_024
            && !tried.contains(&address)
            && tried.len() < MOST
        {
            tried.push(address);
        }
    }
    tried
}

fn has_one_host(ip: IpAddr) -> bool {
    let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast() || ip.octets()[0] == 0);
    !ip.is_unspecified() && !ip.is_multicast() && !is_broadcast
}

/// From one host of an order to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WayProbe {
    /// The sender is the host that answers; without it an echo of one's own would count.
    pub by_answering: bool,
    /// The sender has heard the other.
    pub heard: bool,
}

impl WayProbe {
    /// Bytes of a datagram.
    pub const LENGTH: usize = 24;
    const MAGIC: [u8; 7] = *b"udpeway";
    const TAG: usize = 16;

    /// The datagram.
    pub fn emit(self, key: &[u8; 32]) -> [u8; Self::LENGTH] {
        let mut datagram = [0; Self::LENGTH];
        datagram[..7].copy_from_slice(&Self::MAGIC);
        datagram[7] = u8::from(self.by_answering) | u8::from(self.heard) << 1;
        let tag = blake3::keyed_hash(key, &datagram[..8]);
        datagram[8..].copy_from_slice(&tag.as_bytes()[..Self::TAG]);
        datagram
    }

    /// None if it is not of this order.
    pub fn parse(key: &[u8; 32], datagram: &[u8]) -> Option<Self> {
        let flags = *datagram.get(7)?;
        let probe = Self { by_answering: flags & 1 != 0, heard: flags & 2 != 0 };
        (datagram == probe.emit(key)).then_some(probe)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_ports_of_single_hosts_are_tried_and_few_of_them() {
        let addresses =
            |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let own = IpAddr::from([10, 0, 0, 1]);
        let claimed = addresses(&[
            "224.0.0.1:4000",
            "255.255.255.255:4000",
            "0.0.0.0:4000",
            "127.0.0.1:4000",
            "[::1]:4000",
            "[ff02::1]:4000",
            "192.0.2.7:53",
            "[::ffff:192.0.2.7]:4000",
            "192.0.2.7:4000",
        ]);
        assert_eq!(candidates_to_try(&claimed, own), addresses(&["192.0.2.7:4000"]));
        let loopback = addresses(&["127.0.0.1:4000"]);
        assert_eq!(candidates_to_try(&loopback, loopback[0].ip()), loopback);
        let many: Vec<SocketAddr> =
            (2_000..2_100).map(|port| SocketAddr::from(([192, 0, 2, 7], port))).collect();
        assert_eq!(candidates_to_try(&many, own).len(), 8);
    }

    #[test]
    fn a_probe_is_read_with_its_key_alone() {
        for (by_answering, heard) in [(false, false), (false, true), (true, false), (true, true)] {
            let probe = WayProbe { by_answering, heard };
            let datagram = probe.emit(&[7; 32]);
            assert_eq!(WayProbe::parse(&[7; 32], &datagram), Some(probe));
            assert_eq!(WayProbe::parse(&[8; 32], &datagram), None);
        }
    }

    proptest! {
        #[test]
        fn no_other_datagram_is_one(datagram in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(WayProbe::parse(&[7; 32], &datagram), None);
        }
    }
}
