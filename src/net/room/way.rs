//! Looks for a direct way between the two hosts of an order: both send small signed datagrams to every
//! address of the other, so that each NAT on the way sees traffic from inside first.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::net::clock::Clock;
use crate::room::WayProbe;
use crate::time::Duration;

/// A UDP socket of an order, until the measurement takes over its port.
#[derive(Debug)]
pub struct WayFinder {
    socket: UdpSocket,
    takes_v6: bool,
}

impl WayFinder {
    const PERIOD: Duration = Duration::from_millis(100);
    const PATIENCE: Duration = Duration::from_millis(20);
    /// Longer than the room waits.
    const LONGEST: Duration = Duration::from_secs(5);

    /// A free port, of IPv6 and IPv4 where there are both.
    pub fn open() -> io::Result<Self> {
        let both = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0));
        let takes_v6 = both.is_ok();
        let socket = both.or_else(|_| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)))?;
        socket.set_read_timeout(Some(Self::PATIENCE.to_std()))?;
        Ok(Self { socket, takes_v6 })
    }

    /// The port that the measurement will use.
    pub fn port(&self) -> io::Result<u16> {
        self.socket.local_addr().map(|address| address.port())
    }

    /// The address of the other that hears this host, as soon as one does. Ends when `over` is set.
    pub fn find(
        &self,
        key: &[u8; 32],
        answers: bool,
        candidates: &[SocketAddr],
        over: &AtomicBool,
    ) -> io::Result<Option<SocketAddr>> {
        let clock = Clock::start();
        let began = clock.now();
        let mut known: Vec<SocketAddr> = candidates.to_vec();
        let mut heard = false;
        let mut next = began;
        while !over.load(Ordering::Acquire) && clock.now() - began < Self::LONGEST {
            if clock.now() >= next {
                next = clock.now() + Self::PERIOD;
                known.iter().for_each(|to| self.send(key, answers, heard, *to));
            }
            let Some((from, probe)) = self.receive(key)?.filter(|(_, probe)| probe.by_answering != answers)
            else {
                continue;
            };
            heard = true;
            if !known.contains(&from) {
                known.push(from);
            }
            // At once: the other may wait for nothing else.
            self.send(key, answers, heard, from);
            if probe.heard && !answers {
                return Ok(Some(from));
            }
        }
        Ok(None)
    }

    /// Where a candidate is not reachable, another may be.
    fn send(&self, key: &[u8; 32], by_answering: bool, heard: bool, to: SocketAddr) {
        let to = match to.ip() {
            IpAddr::V4(ip) if self.takes_v6 => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
            _ => to,
        };
        let _ = self.socket.send_to(&WayProbe { by_answering, heard }.emit(key), to);
    }

    fn receive(&self, key: &[u8; 32]) -> io::Result<Option<(SocketAddr, WayProbe)>> {
        let mut datagram = [0; WayProbe::LENGTH + 1];
        match self.socket.recv_from(&mut datagram) {
            Ok((length, from)) => {
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                Ok(WayProbe::parse(key, &datagram[..length]).map(|probe| (from, probe)))
            }
            // An ICMP error is about one candidate.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn here(finder: &WayFinder) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], finder.port().unwrap()))
    }

    #[test]
    fn two_hosts_find_each_other_and_a_third_with_another_key_is_not_taken_for_one() {
        let [measuring, answering, stranger] = [(); 3].map(|()| WayFinder::open().unwrap());
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let all = [here(&stranger), here(&answering)];
            scope.spawn(|| stranger.find(&[8; 32], true, &[here(&measuring)], &over));
            // The measuring host is found by its own datagrams alone.
            scope.spawn(|| answering.find(&KEY, true, &[], &over));
            let found = measuring.find(&KEY, false, &all, &over).unwrap();
            over.store(true, Ordering::Release);
            assert_eq!(found, Some(here(&answering)));
        });
    }

    #[test]
    fn an_echo_of_ones_own_datagrams_is_no_other_host() {
        let finder = WayFinder::open().unwrap();
        let over = AtomicBool::new(false);
        let own = here(&finder);
        std::thread::scope(|scope| {
            let found = scope.spawn(|| finder.find(&KEY, false, &[own], &over));
            std::thread::sleep(Duration::from_millis(250).to_std());
            over.store(true, Ordering::Release);
            assert_eq!(found.join().unwrap().unwrap(), None);
        });
    }
}
