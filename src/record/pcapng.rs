//! Datagrams as a capture that Wireshark reads: pcapng, with IP and UDP headers rebuilt and a comment on
//! each packet.
//!
//! Format: draft-ietf-opsawg-pcapng. One section; an interface per side; times in nanoseconds.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

/// A packet begins with its IP header.
const LINKTYPE_RAW: u16 = 101;
const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1A2B_3C4D;
const COMMENT: u16 = 1;
const INTERFACE_NAME: u16 = 2;
const TIME_RESOLUTION: u16 = 9;
const UDP: u8 = 17;
const UDP_HEADER: usize = 8;

/// Writes packets as they come.
#[derive(Debug)]
pub struct Capture<W> {
    out: W,
    snap_length: usize,
    /// The block being written; its memory is reused.
    block: Vec<u8>,
}

/// A datagram with what its headers said.
#[derive(Clone, Copy, Debug)]
pub struct Captured<'a> {
    /// The interface, by its place in the list.
    pub interface: u32,
    /// Nanoseconds since 1970.
    pub at: i64,
    /// Address and port of the sender.
    pub from: SocketAddr,
    /// Address and port of the receiver, of the same family.
    pub to: SocketAddr,
    /// Traffic class: DSCP and ECN.
    pub tos: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// UDP payload.
    pub payload: &'a [u8],
    /// Shown by Wireshark beside the packet; may be empty.
    pub comment: &'a str,
}

impl<W: Write> Capture<W> {
    /// With so many bytes of each packet at most. The first interface is number 0.
    pub fn new(mut out: W, snap_length: usize) -> io::Result<Self> {
        let mut block = Vec::new();
        block.extend(BYTE_ORDER.to_le_bytes());
        block.extend([1_u16, 0].map(u16::to_le_bytes).concat());
        // The section's length is not known before its end.
        block.extend(u64::MAX.to_le_bytes());
        write_block(&mut out, SECTION_HEADER, &block)?;
        Ok(Self { out, snap_length, block })
    }

    /// The next interface.
    pub fn add_interface(&mut self, name: &str) -> io::Result<()> {
        let block = &mut self.block;
        block.clear();
        block.extend([LINKTYPE_RAW, 0].map(u16::to_le_bytes).concat());
        block.extend(u32::try_from(self.snap_length).unwrap_or(u32::MAX).to_le_bytes());
        put_option(block, INTERFACE_NAME, name.as_bytes());
        put_option(block, TIME_RESOLUTION, &[9]);
        put_option(block, 0, &[]);
        write_block(&mut self.out, INTERFACE_DESCRIPTION, block)
    }

    /// Adds one packet with made-up IP and UDP headers.
    pub fn write(&mut self, datagram: &Captured) -> io::Result<()> {
        let nanos = datagram.at.max(0).cast_unsigned();
        let block = &mut self.block;
        block.clear();
        // The two lengths follow.
        let words = [datagram.interface, (nanos >> 32) as u32, (nanos & 0xFFFF_FFFF) as u32, 0, 0];
        words.into_iter().for_each(|word| block.extend_from_slice(&word.to_le_bytes()));
        let start = block.len();
        put_headers(block, datagram);
        let headers = block.len() - start;
        let payload = &datagram.payload[..datagram.payload.len().min(self.snap_length)];
        block.extend_from_slice(payload);
        block.truncate(start + self.snap_length);
        let lengths = [block.len() - start, headers + datagram.payload.len()];
        let lengths = lengths.map(|length| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        block[start - 8..start].copy_from_slice(lengths.as_flattened());
        pad(block);
        if !datagram.comment.is_empty() {
            put_option(block, COMMENT, datagram.comment.as_bytes());
            put_option(block, 0, &[]);
        }
        write_block(&mut self.out, ENHANCED_PACKET, block)
    }

    /// Passes on what is buffered.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Its length stands at both ends.
fn write_block(out: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len() + 12).map_err(|_| io::ErrorKind::InvalidInput)?;
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(body)?;
    out.write_all(&length.to_le_bytes())
}

fn put_option(block: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    block.extend(code.to_le_bytes());
    block.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    block.extend_from_slice(value);
    pad(block);
}

/// Everything is a multiple of four octets long.
fn pad(block: &mut Vec<u8>) {
    block.resize(block.len().next_multiple_of(4), 0);
}

/// IP and UDP headers with right lengths and checksums. A pair of both families is written as IPv6.
fn put_headers(packet: &mut Vec<u8>, datagram: &Captured) {
    let udp_length = u16::try_from(UDP_HEADER + datagram.payload.len()).unwrap_or(u16::MAX);
    let sum = match (datagram.from.ip().to_canonical(), datagram.to.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let start = packet.len();
            packet.extend([0x45, datagram.tos]);
            packet.extend((udp_length.saturating_add(20)).to_be_bytes());
            packet.extend([0, 0, 0, 0, datagram.ttl, UDP, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            let checksum = !ones_sum(0, &packet[start..]);
            packet[start + 10..start + 12].copy_from_slice(&checksum.to_be_bytes());
            ones_sum(ones_sum(0, &from.octets()), &to.octets())
        }
        (from, to) => {
            let octets = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                IpAddr::V6(ip) => ip.octets(),
            };
            let flow = 0x6000_0000 | u32::from(datagram.tos) << 20;
            packet.extend(flow.to_be_bytes());
            packet.extend(udp_length.to_be_bytes());
            packet.extend([UDP, datagram.ttl]);
            packet.extend(octets(from));
            packet.extend(octets(to));
            ones_sum(ones_sum(0, &octets(from)), &octets(to))
        }
    };
    let udp = [datagram.from.port(), datagram.to.port(), udp_length].map(u16::to_be_bytes);
    let pseudo = [u16::from(UDP), udp_length].map(u16::to_be_bytes);
    let sum = ones_sum(ones_sum(sum, pseudo.as_flattened()), udp.as_flattened());
    // Zero would say that there is no checksum.
    let checksum = match !ones_sum(sum, datagram.payload) {
        0 => u16::MAX,
        checksum => checksum,
    };
    packet.extend_from_slice(udp.as_flattened());
    packet.extend(checksum.to_be_bytes());
}

/// The ones' complement sum of RFC 1071, goes on from `sum`. Words of four bytes and in the machine's order give the
/// same sum, its bytes swapped.
fn ones_sum(sum: u16, bytes: &[u8]) -> u16 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().chain([&last]).map(|word| u64::from(u32::from_ne_bytes(*word)));
    folded(u64::from(sum) + u64::from(folded(words.sum()).to_be()))
}

fn folded(mut total: u64) -> u16 {
    loop {
        match u16::try_from(total) {
            Ok(sum) => return sum,
            Err(_) => total = (total & 0xFFFF) + (total >> 16),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn datagram<'a>(payload: &'a [u8], comment: &'a str) -> Captured<'a> {
        Captured {
            interface: 1,
            at: 1_795_831_200_000_000_007,
            from: SocketAddr::from(([10, 0, 0, 1], 1234)),
            to: SocketAddr::from(([10, 0, 0, 2], 53)),
            tos: 0xB8,
            ttl: 63,
            payload,
            comment,
        }
    }

    fn capture(datagram: &Captured, snap_length: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut capture = Capture::new(&mut out, snap_length).unwrap();
        ["m1/client", "m1/server"].iter().for_each(|name| capture.add_interface(name).unwrap());
        capture.write(datagram).unwrap();
        out
    }

    /// The blocks of a capture: kind and body.
    fn blocks(mut bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let word = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().unwrap());
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let length = word(&bytes[4..]) as usize;
            assert_eq!(length % 4, 0);
            assert_eq!(word(&bytes[length - 4..]) as usize, length);
            found.push((word(bytes), bytes[8..length - 4].to_vec()));
            bytes = &bytes[length..];
        }
        found
    }

    #[test]
    fn a_packet_has_its_headers_its_time_and_its_comment() {
        let out = capture(&datagram(b"hello", "flow=3 dir=up fate=dropped cause=lost"), 65_535);
        let blocks = blocks(&out);
        let kinds: Vec<u32> = blocks.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [SECTION_HEADER, INTERFACE_DESCRIPTION, INTERFACE_DESCRIPTION, ENHANCED_PACKET]);
        let packet = &blocks[3].1;
        let nanos = 1_795_831_200_000_000_007_u64;
        assert_eq!(packet[..4], [1, 0, 0, 0]);
        assert_eq!(packet[4..8], ((nanos >> 32) as u32).to_le_bytes());
        assert_eq!(packet[8..12], (nanos as u32).to_le_bytes());
        assert_eq!(packet[12..20], [33_u32.to_le_bytes(), 33_u32.to_le_bytes()].concat());
        let ip = &packet[20..53];
        assert_eq!(ip[..4], [0x45, 0xB8, 0, 33]);
        assert_eq!((ip[8], ip[9]), (63, UDP));
        assert_eq!(ones_sum(0, &ip[..20]), 0xFFFF, "the checksum of the header");
        assert_eq!(ip[20..26], [0x04, 0xD2, 0, 53, 0, 13]);
        assert_eq!(&ip[28..], b"hello");
        let comment = &packet[56..];
        assert_eq!(comment[..2], COMMENT.to_le_bytes());
        assert!(comment[4..].starts_with(b"flow=3 dir=up fate=dropped cause=lost"));
    }

    /// Worked out by hand: RFC 1071's example.
    #[test]
    fn the_sum_is_that_of_rfc_1071() {
        assert_eq!(ones_sum(0, &[0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7]), 0xDDF2);
    }

    #[test]
    fn a_long_packet_is_cut_and_says_how_long_it_was() {
        let payload = [7; 1_000];
        let out = capture(&datagram(&payload, ""), 100);
        let blocks = blocks(&out);
        assert_eq!(blocks[3].1[12..20], [100_u32.to_le_bytes(), 1_028_u32.to_le_bytes()].concat());
        assert_eq!(blocks[3].1.len(), 20 + 100);
    }

    /// As RFC 1071 words it.
    fn sum_by_pairs(bytes: &[u8]) -> u64 {
        let pairs = bytes.chunks(2).map(|pair| [pair[0], *pair.get(1).unwrap_or(&0)]);
        pairs.map(|pair| u64::from(u16::from_be_bytes(pair))).fold(0, |sum, word| {
            let sum = sum + word;
            (sum & 0xFFFF) + (sum >> 16)
        })
    }

    proptest! {
        #[test]
        fn every_checksum_is_right(payload in proptest::collection::vec(any::<u8>(), 0..1_600), v6: bool, from: u16, to: u16) {
            let ip = |last| if v6 { IpAddr::from([0x2001, 0xDB8, 0, 0, 0, 0, 0, last]) } else { IpAddr::from([10, 0, 0, last as u8]) };
            let datagram = Captured {
                from: SocketAddr::new(ip(1), from), to: SocketAddr::new(ip(2), to), ..datagram(&payload, "x")
            };
            let mut packet = Vec::new();
            put_headers(&mut packet, &datagram);
            packet.extend(&payload);
            let (addresses, udp) = if v6 { (&packet[8..40], &packet[40..]) } else { (&packet[12..20], &packet[20..]) };
            prop_assert_eq!(udp.len(), 8 + payload.len());
            let pseudo = [0, UDP, (udp.len() >> 8) as u8, udp.len() as u8];
            prop_assert_eq!(sum_by_pairs(&[addresses, &pseudo, udp].concat()), 0xFFFF);
            blocks(&capture(&datagram, 65_535));
        }
    }
}
