//! Asks ports of a host whether they are open: at most 32 at once and 200 a second, so that no host or
//! filter takes it for a flood.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};

use super::clock::Clock;
use super::stop_signal::Control;
use crate::room::{Pace, PortProtocol, PortRange, PortState};
use crate::time::Duration;

const AT_ONCE: usize = 32;
/// Filtered is said after this many tries.
const TRIES: u32 = 2;

/// The ports to ask, and how.
#[derive(Clone, Copy, Debug)]
pub struct PortScan {
    /// The host that is scanned.
    pub host: IpAddr,
    /// All of them are asked.
    pub range: PortRange,
    /// By a connection or by a datagram.
    pub protocol: PortProtocol,
    /// For the answer to one try.
    pub patience: Duration,
}

/// Tells `found` each port as it is known, in no order, until all are or the control asks to stop.
pub fn scan_ports(
    scan: PortScan,
    control: &Control,
    mut found: impl FnMut(u16, PortState),
) -> io::Result<()> {
    let range = scan.range;
    let scan = Scan::new(scan, control);
    let queue = Mutex::new(range.ports());
    let next = || queue.lock().ok()?.next();
    let (tell, told): (_, Receiver<(u16, io::Result<PortState>)>) = channel();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(range.len()) {
            let tell = tell.clone();
            scope.spawn(|| {
                let tell = tell;
                while let Some(port) = next().filter(|_| !control.stop_asked()) {
                    let Some(state) = scan.ask(port).transpose() else { return };
                    if tell.send((port, state)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(tell);
        for (port, state) in told {
            found(port, state?);
        }
        Ok(())
    })
}

/// Shared by all threads.
struct Scan<'a> {
    asked: PortScan,
    control: &'a Control,
    clock: Clock,
    pace: Mutex<Pace>,
}

impl<'a> Scan<'a> {
    fn new(asked: PortScan, control: &'a Control) -> Self {
        let clock = Clock::start();
        Self { asked, control, clock, pace: Mutex::new(Pace::new(clock.now())) }
    }

    /// None if a stop came before the port was known.
    fn ask(&self, port: u16) -> io::Result<Option<PortState>> {
        let PortScan { host, protocol, patience, .. } = self.asked;
        let address = SocketAddr::new(host, port);
        for last in [false, true].into_iter().take(TRIES as usize) {
            self.wait_for_turn();
            if self.control.stop_asked() {
                return Ok(None);
            }
            let answer = match protocol {
                PortProtocol::Tcp => TcpStream::connect_timeout(&address, patience.to_std()).map(drop),
                PortProtocol::Udp => knock(address, patience),
            };
            let error = match answer {
                Ok(()) => return Ok(Some(PortState::Open)),
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => {
                    return Ok(Some(PortState::Closed));
                }
                ErrorKind::TimedOut | ErrorKind::WouldBlock if protocol == PortProtocol::Udp && last => {
                    return Ok(Some(PortState::Silent));
                }
                ErrorKind::TimedOut
                | ErrorKind::WouldBlock
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable
                | ErrorKind::PermissionDenied => {}
                _ => return Err(error),
            }
        }
        Ok(Some(PortState::Filtered))
    }

    fn wait_for_turn(&self) {
        let now = self.clock.now();
        let turn = self.pace.lock().unwrap_or_else(PoisonError::into_inner).turn(now);
        std::thread::sleep((turn - now).to_std());
    }
}

/// One datagram; an answer or an ICMP error says what is there.
fn knock(address: SocketAddr, patience: Duration) -> io::Result<()> {
    let any = match address {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(patience.to_std()))?;
    socket.send(b"\n")?;
    socket.recv(&mut [0; 64]).map(drop)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(300);

    fn scan(protocol: PortProtocol, range: PortRange) -> PortScan {
        PortScan { host: IpAddr::from([127, 0, 0, 1]), range, protocol, patience: PATIENCE }
    }

    fn states(protocol: PortProtocol, port: u16) -> Vec<(u16, PortState)> {
        let range = PortRange::new(port, port).unwrap();
        let mut states = Vec::new();
        scan_ports(scan(protocol, range), &Control::new().unwrap(), |port, state| states.push((port, state)))
            .unwrap();
        states
    }

    #[test]
    fn a_listener_is_open_and_its_port_closed_when_it_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(states(PortProtocol::Tcp, port), [(port, PortState::Open)]);
        drop(listener);
        assert_eq!(states(PortProtocol::Tcp, port), [(port, PortState::Closed)]);
    }

    #[test]
    fn a_silent_udp_socket_and_a_filter_look_alike() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(states(PortProtocol::Udp, port), [(port, PortState::Silent)]);
        drop(socket);
        assert_eq!(states(PortProtocol::Udp, port), [(port, PortState::Closed)]);
    }

    /// Sockets that answer nothing, on ports without a gap.
    fn silent(count: u16) -> (Vec<UdpSocket>, PortRange) {
        loop {
            let first = UdpSocket::bind("127.0.0.1:0").unwrap();
            let from = first.local_addr().unwrap().port();
            let Some(to) = from.checked_add(count - 1) else { continue };
            let others = (from + 1..=to).map(|port| UdpSocket::bind(("127.0.0.1", port)));
            if let Ok(sockets) = std::iter::once(Ok(first)).chain(others).collect::<io::Result<_>>() {
                return (sockets, PortRange::new(from, to).unwrap());
            }
        }
    }

    #[test]
    fn no_more_than_32_ports_wait_for_an_answer_at_once() {
        let (_sockets, range) = silent(33);
        let clock = Clock::start();
        let began = clock.now();
        let mut states = Vec::new();
        let control = Control::new().unwrap();
        scan_ports(scan(PortProtocol::Udp, range), &control, |_, state| states.push(state)).unwrap();
        assert_eq!(states, [PortState::Silent; 33]);
        // The last one begins when one of the others has been asked twice.
        assert!(clock.now() - began >= PATIENCE * i64::from(2 * TRIES));
    }

    #[test]
    fn no_more_than_200_ports_a_second_are_asked() {
        let clock = Clock::start();
        let began = clock.now();
        let control = Control::new().unwrap();
        let range = PortRange::new(1, 101).unwrap();
        scan_ports(scan(PortProtocol::Tcp, range), &control, |_, _| {}).unwrap();
        assert!(clock.now() - began >= Duration::from_millis(500));
    }

    #[test]
    fn a_stop_ends_the_scan_with_what_is_known() {
        let control = Control::new().unwrap();
        control.stop();
        let mut asked = 0;
        let range = PortRange::new(1, 1_000).unwrap();
        scan_ports(scan(PortProtocol::Tcp, range), &control, |_, _| asked += 1).unwrap();
        assert_eq!(asked, 0);
    }

    #[test]
    fn a_port_is_not_asked_again_after_a_stop() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let control = Control::new().unwrap();
        let patience = Duration::from_secs(2);
        let scan = PortScan { patience, ..scan(PortProtocol::Udp, PortRange::new(port, port).unwrap()) };
        let mut known = 0;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                socket.recv(&mut [0; 8]).unwrap();
                control.stop();
            });
            scan_ports(scan, &control, |_, _| known += 1).unwrap();
        });
        socket.set_nonblocking(true).unwrap();
        assert_eq!((known, socket.recv(&mut [0; 8]).unwrap_err().kind()), (0, ErrorKind::WouldBlock));
    }
}
