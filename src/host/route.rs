//! The network interface towards an address, by the kernel's main routing table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// From `/proc/net/route` for IPv4 and `/proc/net/ipv6_route` for IPv6: the longest prefix wins.
pub fn interface_for(remote: IpAddr, ipv4_routes: &str, ipv6_routes: &str) -> Option<String> {
    let longest_prefix = match remote.to_canonical() {
        ip if ip.is_loopback() => return Some("lo".to_owned()),
        IpAddr::V4(ip) => ipv4_routes.lines().filter_map(|line| ipv4(line, ip)).max_by_key(|route| route.0),
        IpAddr::V6(ip) => ipv6_routes.lines().filter_map(|line| ipv6(line, ip)).max_by_key(|route| route.0),
    };
    longest_prefix.map(|(_, name)| name)
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask ...`; addresses as the machine stores them.
fn ipv4(line: &str, remote: Ipv4Addr) -> Option<(u32, String)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let &[name, destination, _, _, _, _, _, mask, ..] = &fields[..] else { return None };
    // The kernel prints the four bytes of an address as one number of the machine's byte order.
    let address = |hex| Some(u32::from_be(u32::from_str_radix(hex, 16).ok()?));
    let (destination, mask): (u32, u32) = (address(destination)?, address(mask)?);
    (remote.to_bits() & mask == destination).then(|| (mask.count_ones(), name.to_owned()))
}

/// `destination length source length gateway metric refcount use flags name`, all hexadecimal.
fn ipv6(line: &str, remote: Ipv6Addr) -> Option<(u32, String)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let &[destination, length, _, _, _, _, _, _, _, name] = &fields[..] else { return None };
    let destination = u128::from_str_radix(destination, 16).ok()?;
    let length = u32::from_str_radix(length, 16).ok()?.min(128);
    let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
    let covers = name != "lo" && remote.to_bits() & mask == destination & mask;
    covers.then(|| (length, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_endian = "little")]
    const V4: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        eth0\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
        eth1\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
    const V6: &str = "20010db8000000000000000000000000 20 00000000000000000000000000000000 00 \
        00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth1\n\
        00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
        fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n\
        20010db8000000000000000000000001 80 00000000000000000000000000000000 00 \
        00000000000000000000000000000000 00000000 00000001 00000000 80200001     lo\n";

    #[cfg(target_endian = "little")]
    #[test]
    fn the_longest_prefix_names_the_interface() {
        let of = |remote: &str| interface_for(remote.parse().unwrap(), V4, V6);
        for (remote, name) in [
            ("10.0.2.7", "eth1"),
            ("10.0.3.7", "eth0"),
            ("127.0.0.9", "lo"),
            ("::ffff:10.0.2.7", "eth1"),
            ("2001:db8::7", "eth1"),
            ("2001:db9::7", "eth0"),
            ("::1", "lo"),
        ] {
            assert_eq!(of(remote).as_deref(), Some(name), "{remote}");
        }
        assert_eq!(interface_for("192.0.2.1".parse().unwrap(), "", ""), None);
    }
}
