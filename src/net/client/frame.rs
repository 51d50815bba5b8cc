//! The destination of a frame that the kernel stamped when it left. The header of the link comes first, whose length
//! depends on the link.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// No link's header is longer, tags included.
const LONGEST_LINK_HEADER: usize = 40;
const UDP: u8 = 17;

/// The addresses that this may be a frame to: each place at which an IP header of a UDP datagram can begin.
pub(super) fn destinations(frame: &[u8]) -> impl Iterator<Item = SocketAddr> {
    (0..=LONGEST_LINK_HEADER).filter_map(|start| {
        let packet = frame.get(start..)?;
        match packet.first()? >> 4 {
            4 => of_v4(packet),
            6 => of_v6(packet),
            _ => None,
        }
    })
}

fn of_v4(packet: &[u8]) -> Option<SocketAddr> {
    let header = usize::from(packet[0] & 15) * 4;
    let [address, port] = [packet.get(16..20)?, packet.get(header + 2..header + 4)?];
    let is_udp = header >= 20 && packet[9] == UDP;
    let address = Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?);
    is_udp.then(|| (address, u16::from_be_bytes([port[0], port[1]])).into())
}

fn of_v6(packet: &[u8]) -> Option<SocketAddr> {
    let [address, port] = [packet.get(24..40)?, packet.get(42..44)?];
    let address = Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?);
    (packet[6] == UDP).then(|| (address, u16::from_be_bytes([port[0], port[1]])).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(options: usize) -> Vec<u8> {
        let mut packet = vec![0; 20 + 4 * options + 8];
        packet[0] = 0x45 + options as u8;
        packet[9] = UDP;
        packet[16..20].copy_from_slice(&[127, 0, 3, 4]);
        packet[20 + 4 * options + 2..][..2].copy_from_slice(&8080_u16.to_be_bytes());
        packet
    }

    fn v6() -> Vec<u8> {
        let mut packet = vec![0; 48];
        (packet[0], packet[6], packet[39]) = (0x60, UDP, 1);
        packet[42..44].copy_from_slice(&9_u16.to_be_bytes());
        packet
    }

    #[test]
    fn a_destination_is_found_behind_any_link_s_header() {
        for link in [0, 14, 18, 22] {
            let framed = |packet: Vec<u8>| [vec![0; link], packet].concat();
            for options in [0, 3] {
                let found: Vec<_> = destinations(&framed(v4(options))).collect();
                assert!(found.contains(&"127.0.3.4:8080".parse().unwrap()), "{link} {options}: {found:?}");
            }
            let found: Vec<_> = destinations(&framed(v6())).collect();
            assert!(found.contains(&"[::1]:9".parse().unwrap()), "{link}: {found:?}");
        }
    }

    #[test]
    fn a_frame_that_is_cut_off_has_no_destination() {
        let frame = v4(0);
        assert!((0..frame.len() - 4).all(|length| destinations(&frame[..length.min(19)]).count() == 0));
        assert_eq!(destinations(&[]).count(), 0);
    }
}
