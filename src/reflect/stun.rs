//! STUN on a server's port: a host behind a NAT asks how it is seen from outside.

use std::net::SocketAddr;

use crate::wire::stun::{LONGEST_RESPONSE, emit_response, parse_request};

/// Writes the response over a binding request of `length` bytes from this address. None for anything
/// else, and where the response would be longer than its request: the address may be forged.
pub fn answer_stun(from: SocketAddr, buffer: &mut [u8], length: usize) -> Option<usize> {
    let transaction = parse_request(buffer.get(..length)?)?;
    let mut response = [0; LONGEST_RESPONSE];
    let answered = emit_response(transaction, from, &mut response);
    if answered > length {
        return None;
    }
    buffer[..answered].copy_from_slice(&response[..answered]);
    Some(answered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::stun::{parse_response, request};

    const TRANSACTION: [u8; 12] = *b"transaction!";

    #[test]
    fn a_host_is_told_how_it_is_seen() {
        for from in ["192.0.2.7:4000", "[2001:db8::7]:4000"] {
            let from = from.parse().unwrap();
            let mut buffer = request(TRANSACTION);
            let length = buffer.len();
            let answered = answer_stun(from, &mut buffer, length).unwrap();
            assert_eq!(parse_response(TRANSACTION, &buffer[..answered]), Some(from));
        }
    }

    #[test]
    fn a_request_shorter_than_its_response_is_not_answered() {
        let from = "192.0.2.7:4000".parse().unwrap();
        let mut bare = [0; 20];
        bare.copy_from_slice(&request(TRANSACTION)[..20]);
        bare[2..4].copy_from_slice(&[0, 0]);
        assert_eq!(crate::wire::stun::parse_request(&bare), Some(TRANSACTION));
        assert_eq!(answer_stun(from, &mut bare, 20), None);
        assert_eq!(answer_stun(from, &mut b"hello".to_owned(), 5), None);
    }
}
