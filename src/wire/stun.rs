//! STUN's binding request (RFC 8489): a host behind a NAT asks how others see its address.
//!
//! ```text
//! request   00 01 | length | 21 12 A4 42 | transaction (12) | SOFTWARE: padding
//! response  01 01 | length | 21 12 A4 42 | transaction (12) | XOR-MAPPED-ADDRESS
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Tells requests apart.
pub type Transaction = [u8; 12];

const REQUEST: [u8; 2] = [0, 1];
const RESPONSE: [u8; 2] = [1, 1];
const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const HEADER: usize = 20;
const XOR_MAPPED_ADDRESS: [u8; 2] = [0, 0x20];
const SOFTWARE: [u8; 2] = [0x80, 0x22];
const V4: u8 = 1;
const V6: u8 = 2;
/// The longest response: with an IPv6 address.
pub const LONGEST_RESPONSE: usize = HEADER + 24;

/// A request as long as the longest response, so that the server sends no more than it was sent.
pub fn request(transaction: Transaction) -> [u8; LONGEST_RESPONSE] {
    let mut datagram = [b' '; LONGEST_RESPONSE];
    put_header(&mut datagram, REQUEST, transaction);
    datagram[HEADER..HEADER + 2].copy_from_slice(&SOFTWARE);
    datagram[HEADER + 2..HEADER + 4].copy_from_slice(&[0, 20]);
    datagram
}

/// The transaction of a request.
pub fn parse_request(datagram: &[u8]) -> Option<Transaction> {
    parse_header(datagram, REQUEST).map(|(transaction, _)| transaction)
}

/// Writes the response to a request that came from this address; returns its length.
pub fn emit_response(
    transaction: Transaction,
    from: SocketAddr,
    buffer: &mut [u8; LONGEST_RESPONSE],
) -> usize {
    let mut octets = [0; 16];
    let (family, octets_length) = match from.ip().to_canonical() {
        IpAddr::V4(ip) => {
            octets[..4].copy_from_slice(&ip.octets());
            (V4, 4_u8)
        }
        IpAddr::V6(ip) => {
            octets = ip.octets();
            (V6, 16)
        }
    };
    let length = HEADER + 8 + usize::from(octets_length);
    put_header(&mut buffer[..length], RESPONSE, transaction);
    buffer[HEADER..HEADER + 2].copy_from_slice(&XOR_MAPPED_ADDRESS);
    buffer[HEADER + 2..HEADER + 6].copy_from_slice(&[0, 4 + octets_length, 0, family]);
    let mask = mask(transaction);
    let port = from.port().to_be_bytes();
    let masked = port.iter().zip(mask).chain(octets.iter().zip(mask)).map(|(byte, mask)| byte ^ mask);
    for (at, byte) in buffer[HEADER + 6..length].iter_mut().zip(masked) {
        *at = byte;
    }
    length
}

/// The address in the response to this request.
pub fn parse_response(transaction: Transaction, datagram: &[u8]) -> Option<SocketAddr> {
    let (of, mut attributes) = parse_header(datagram, RESPONSE)?;
    if of != transaction {
        return None;
    }
    while let [kind_high, kind_low, length_high, length_low, rest @ ..] = attributes {
        let length = usize::from(u16::from_be_bytes([*length_high, *length_low]));
        let value = rest.get(..length)?;
        if [*kind_high, *kind_low] == XOR_MAPPED_ADDRESS {
            return parse_address(transaction, value);
        }
        attributes = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    None
}

fn parse_address(transaction: Transaction, value: &[u8]) -> Option<SocketAddr> {
    let ([_, family, port @ ..], masked) = value.split_first_chunk::<4>()?;
    let mask = mask(transaction);
    let port = u16::from_be_bytes([port[0] ^ mask[0], port[1] ^ mask[1]]);
    let mut octets = [0; 16];
    for (octet, (byte, mask)) in octets.iter_mut().zip(masked.iter().zip(mask)) {
        *octet = byte ^ mask;
    }
    let ip: IpAddr = match (*family, masked.len()) {
        (V4, 4) => Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]).into(),
        (V6, 16) => Ipv6Addr::from(octets).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn mask(transaction: Transaction) -> [u8; 16] {
    let mut mask = [0; 16];
    mask[..4].copy_from_slice(&COOKIE);
    mask[4..].copy_from_slice(&transaction);
    mask
}

/// Writes the header of a message that fills the buffer, which has at most `LONGEST_RESPONSE` bytes.
fn put_header(datagram: &mut [u8], kind: [u8; 2], transaction: Transaction) {
    let length = u16::try_from(datagram.len() - HEADER).unwrap_or(u16::MAX);
    datagram[..2].copy_from_slice(&kind);
    datagram[2..4].copy_from_slice(&length.to_be_bytes());
    datagram[4..8].copy_from_slice(&COOKIE);
    datagram[8..HEADER].copy_from_slice(&transaction);
}

fn parse_header(datagram: &[u8], kind: [u8; 2]) -> Option<(Transaction, &[u8])> {
    let (header, attributes) = datagram.split_first_chunk::<HEADER>()?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let fits = header[..2] == kind && header[4..8] == COOKIE && length == attributes.len();
    let transaction = header[8..].first_chunk()?;
    fits.then_some((*transaction, attributes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The addresses and the transaction of RFC 5769, sections 2.2 and 2.3.
    const TRANSACTION: Transaction = [0xB7, 0xE7, 0xA7, 0x01, 0xBC, 0x34, 0xD6, 0x86, 0xFA, 0x87, 0xDF, 0xAE];

    #[test]
    fn addresses_are_masked_as_in_the_samples_of_rfc_5769() {
        let samples: [(&str, &[u8]); 2] = [
            ("192.0.2.1:32853", &[0, 0x20, 0, 8, 0, 1, 0xA1, 0x47, 0xE1, 0x12, 0xA6, 0x43]),
            (
                "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
                &[
                    0, 0x20, 0, 0x14, 0, 2, 0xA1, 0x47, 0x01, 0x13, 0xA9, 0xFA, 0xA5, 0xD3, 0xF1, 0x79, 0xBC,
                    0x25, 0xF4, 0xB5, 0xBE, 0xD2, 0xB9, 0xD9,
                ],
            ),
        ];
        for (address, attribute) in samples {
            let address: SocketAddr = address.parse().unwrap();
            let mut buffer = [0; LONGEST_RESPONSE];
            let length = emit_response(TRANSACTION, address, &mut buffer);
            assert_eq!(&buffer[HEADER..length], attribute);
            assert_eq!(parse_response(TRANSACTION, &buffer[..length]), Some(address));
            assert_eq!(parse_response([0; 12], &buffer[..length]), None);
        }
    }

    #[test]
    fn a_request_is_read_and_no_shorter_than_its_response() {
        assert_eq!(parse_request(&request(TRANSACTION)), Some(TRANSACTION));
        assert_eq!(parse_request(&request(TRANSACTION)[..43]), None);
        let mut buffer = [0; LONGEST_RESPONSE];
        let v6 = "[2001:db8::1]:9".parse().unwrap();
        assert!(emit_response(TRANSACTION, v6, &mut buffer) <= request(TRANSACTION).len());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(mut datagram in proptest::collection::vec(any::<u8>(), 0..80), keep: bool) {
            if keep && datagram.len() >= HEADER {
                let length = datagram.len();
                put_header(&mut datagram[..length], RESPONSE, TRANSACTION);
            }
            let _ = parse_request(&datagram);
            let _ = parse_response(TRANSACTION, &datagram);
        }
    }
}
