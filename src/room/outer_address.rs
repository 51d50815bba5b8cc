//! How a host is seen from outside: it asks two ports of the room's server by STUN. A NAT that shows each
//! of them another port of the host would show the other host of an order yet another.

use std::net::SocketAddr;

use crate::time::{Duration, Instant};
use crate::wire::stun::{LONGEST_RESPONSE, Transaction, parse_response, request};

/// The question, its repetitions, and the answers so far.
#[derive(Clone, Debug)]
pub struct OuterAddress {
    asked: Vec<Asked>,
    began: Instant,
    tries: u32,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    server: SocketAddr,
    transaction: Transaction,
    seen: Option<SocketAddr>,
}

/// A datagram, and where it goes.
pub type StunRequest = (SocketAddr, [u8; LONGEST_RESPONSE]);

impl OuterAddress {
    const TRIES: u32 = 3;
    const PERIOD: Duration = Duration::from_millis(250);

    /// Asks these ports of one server; the random bytes tell the answers from others.
    pub fn new(now: Instant, servers: &[SocketAddr], random: Transaction) -> Self {
        let asked = servers.iter().zip(0_u8..).map(|(server, number)| {
            let mut transaction = random;
            transaction[0] ^= number;
            Asked { server: *server, transaction, seen: None }
        });
        Self { asked: asked.collect(), began: now, tries: 0 }
    }

    /// The requests that are due.
    pub fn take_due(&mut self, now: Instant) -> Vec<StunRequest> {
        if self.tries >= Self::TRIES || now < self.began + Self::PERIOD * i64::from(self.tries) {
            return Vec::new();
        }
        self.tries += 1;
        let open = self.asked.iter().filter(|asked| asked.seen.is_none());
        open.map(|asked| (asked.server, request(asked.transaction))).collect()
    }

    /// A datagram that came to the socket.
    pub fn hear(&mut self, datagram: &[u8]) {
        for asked in &mut self.asked {
            asked.seen = asked.seen.or_else(|| parse_response(asked.transaction, datagram));
        }
    }

    /// Whether there is nothing more to wait for.
    pub fn is_over(&self, now: Instant) -> bool {
        self.asked.iter().all(|asked| asked.seen.is_some())
            || now >= self.began + Self::PERIOD * i64::from(Self::TRIES)
    }

    /// As the first port that answered sees this host.
    pub fn seen(&self) -> Option<SocketAddr> {
        self.asked.iter().find_map(|asked| asked.seen)
    }

    /// Whether two ports see this host at different ones.
    pub fn varies(&self) -> bool {
        self.asked.iter().filter_map(|asked| asked.seen).any(|seen| Some(seen) != self.seen())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::stun::{emit_response, parse_request};

    fn at(millis: i64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn asking() -> OuterAddress {
        OuterAddress::new(at(0), &[address(33_000), address(33_001)], [7; 12])
    }

    fn response((_, request): &StunRequest, seen: SocketAddr) -> Vec<u8> {
        let mut buffer = [0; LONGEST_RESPONSE];
        let length = emit_response(parse_request(request).unwrap(), seen, &mut buffer);
        buffer[..length].to_vec()
    }

    #[test]
    fn a_nat_that_keeps_ports_is_told_from_one_that_changes_them() {
        for (second, varies) in [(40_000, false), (40_001, true)] {
            let mut asking = asking();
            let due = asking.take_due(at(0));
            assert_eq!(due.iter().map(|(to, _)| to.port()).collect::<Vec<_>>(), [33_000, 33_001]);
            assert_eq!(asking.take_due(at(249)), []);
            asking.hear(&response(&due[0], address(40_000)));
            asking.hear(b"something else");
            assert!(!asking.is_over(at(100)) && !asking.varies());
            asking.hear(&response(&due[1], address(second)));
            assert!(asking.is_over(at(100)));
            assert_eq!((asking.seen(), asking.varies()), (Some(address(40_000)), varies));
        }
    }

    #[test]
    fn a_port_that_does_not_answer_is_asked_three_times_and_then_left() {
        let mut asking = asking();
        let due = asking.take_due(at(0));
        asking.hear(&response(&due[1], address(40_000)));
        for millis in [250, 500] {
            let due = asking.take_due(at(millis));
            assert_eq!(due.iter().map(|(to, _)| to.port()).collect::<Vec<_>>(), [33_000]);
        }
        assert!(!asking.is_over(at(749)) && asking.is_over(at(750)));
        assert_eq!(asking.take_due(at(750)), []);
        assert_eq!((asking.seen(), asking.varies()), (Some(address(40_000)), false));
    }
}
