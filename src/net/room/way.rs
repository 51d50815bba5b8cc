//! Looks for a direct way between the two hosts of an order: both send small signed datagrams to every
//! address of the other, so that each NAT on the way sees traffic from inside first.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::net::clock::Clock;
use crate::net::random_bytes;
use crate::room::{OuterAddress, WayProbe, candidates_to_try};
use crate::time::{Duration, Instant};

/// A UDP socket of an order, until the measurement takes over its port.
#[derive(Debug)]
pub struct WayFinder {
    socket: UdpSocket,
    takes_v6: bool,
}

impl WayFinder {
    const PERIOD: Duration = Duration::from_millis(100);
    const PATIENCE: Duration = Duration::from_millis(20);
    /// For an address that the other named before: that of the same network, not of the NAT before it.
    const GRACE: Duration = Duration::from_millis(60);
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

    /// Asks these ports of the room's server how they see this socket; less than a second.
    pub fn ask_outside(&self, servers: &[SocketAddr], over: &AtomicBool) -> io::Result<OuterAddress> {
        let clock = Clock::start();
        let mut asking = OuterAddress::new(clock.now(), servers, random_bytes()?);
        while !over.load(Ordering::Acquire) && !asking.is_over(clock.now()) {
            for (server, request) in asking.take_due(clock.now()) {
                let _ = self.socket.send_to(&request, self.reachable(server));
            }
            if let Some((_, datagram)) = self.next_datagram()? {
                asking.hear(&datagram);
            }
        }
        Ok(asking)
    }

    /// The address of the other that hears this host, as soon as one does; of several the one that it named first. Of those that the other claims to
    /// have, `own`, by which this host reaches the room, tells which to try. Ends when `over` is set.
    pub fn find(
        &self,
        key: &[u8; 32],
        answers: bool,
        (claimed, own): (&[SocketAddr], IpAddr),
        over: &AtomicBool,
    ) -> io::Result<Option<SocketAddr>> {
        const MOST: usize = 16;
        let clock = Clock::start();
        let began = clock.now();
        let mut known = candidates_to_try(claimed, own);
        let mut heard = false;
        let mut next = began;
        // The place of the best address so far, and when the first was found.
        let mut best: Option<(usize, Instant)> = None;
        while !over.load(Ordering::Acquire) && clock.now() - began < Self::LONGEST {
            if let Some((place, since)) = best
                && (place == 0 || clock.now() - since >= Self::GRACE)
            {
                return Ok(known.get(place).copied());
            }
            if clock.now() >= next {
                next = clock.now() + Self::PERIOD;
                known.iter().for_each(|to| self.send(key, answers, heard, *to));
            }
            let Some((from, probe)) = self.receive(key)?.filter(|(_, probe)| probe.by_answering != answers)
            else {
                continue;
            };
            heard = true;
            if !known.contains(&from) && known.len() < MOST {
                known.push(from);
            }
            // At once: the other may wait for nothing else.
            self.send(key, answers, heard, from);
            let place = known.iter().position(|known| *known == from);
            if let Some(place) = place.filter(|_| probe.heard && !answers) {
                let (before, since) = best.unwrap_or((place, clock.now()));
                best = Some((place.min(before), since));
            }
        }
        Ok(None)
    }

    /// Where a candidate is not reachable, another may be.
    fn send(&self, key: &[u8; 32], by_answering: bool, heard: bool, to: SocketAddr) {
        let _ = self.socket.send_to(&WayProbe { by_answering, heard }.emit(key), self.reachable(to));
    }

    /// An address as this socket sends to it.
    fn reachable(&self, to: SocketAddr) -> SocketAddr {
        match to.ip() {
            IpAddr::V4(ip) if self.takes_v6 => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
            _ => to,
        }
    }

    fn receive(&self, key: &[u8; 32]) -> io::Result<Option<(SocketAddr, WayProbe)>> {
        let came = self.next_datagram()?;
        Ok(came.and_then(|(from, datagram)| Some((from, WayProbe::parse(key, &datagram)?))))
    }

    /// None if nothing comes for a moment.
    fn next_datagram(&self) -> io::Result<Option<(SocketAddr, Vec<u8>)>> {
        let mut datagram = [0; 128];
        match self.socket.recv_from(&mut datagram) {
            Ok((length, from)) => {
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                Ok(Some((from, datagram[..length].to_vec())))
            }
            // An ICMP error is about one candidate.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock
                        | ErrorKind::TimedOut
                        | ErrorKind::ConnectionRefused
                        | ErrorKind::HostUnreachable
                        | ErrorKind::NetworkUnreachable
                        | ErrorKind::PermissionDenied
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// The addresses of this host towards the rest of the world, one of each family. Nothing is sent.
pub fn own_addresses() -> Vec<IpAddr> {
    /// Of networks for documentation: only the route to them counts.
    const FAR: [(IpAddr, IpAddr); 2] = [
        (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))),
    ];
    let own = FAR.into_iter().filter_map(|(any, far)| {
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect((far, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    });
    own.filter(|ip| !ip.is_loopback() && !ip.is_unspecified()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_port_of_a_server_tells_how_it_sees_this_one_and_the_other_may_be_silent() {
        let [server, silent] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let finder = WayFinder::open().unwrap();
        let servers = [silent.local_addr().unwrap(), server.local_addr().unwrap()];
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut buffer = [0; 128];
                let (length, from) = server.recv_from(&mut buffer).unwrap();
                let length = crate::reflect::answer_stun(from, &mut buffer, length).unwrap();
                server.send_to(&buffer[..length], from).unwrap();
            });
            let outside = finder.ask_outside(&servers, &AtomicBool::new(false)).unwrap();
            assert_eq!((outside.seen(), outside.varies()), (Some(here(&finder)), false));
        });
    }

    fn here(finder: &WayFinder) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], finder.port().unwrap()))
    }

    #[test]
    fn two_hosts_find_each_other_and_a_third_with_another_key_is_not_taken_for_one() {
        let [measuring, answering, stranger] = [(); 3].map(|()| WayFinder::open().unwrap());
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let all = [here(&stranger), here(&answering)];
            scope.spawn(|| stranger.find(&[8; 32], true, (&[here(&measuring)], LOOPBACK), &over));
            // The measuring host is found by its own datagrams alone.
            scope.spawn(|| answering.find(&KEY, true, (&[], LOOPBACK), &over));
            let found = measuring.find(&KEY, false, (&all, LOOPBACK), &over).unwrap();
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
            let found = scope.spawn(|| finder.find(&KEY, false, (&[own], LOOPBACK), &over));
            std::thread::sleep(Duration::from_millis(250).to_std());
            over.store(true, Ordering::Release);
            assert_eq!(found.join().unwrap().unwrap(), None);
        });
    }
}
