//! A second UDP port of the room that answers STUN alone: a NAT that shows it another port of a host than
//! the first one will show every host another.

use std::net::SocketAddr;

use tokio::net::UdpSocket;
use tokio::time::sleep;

use crate::meter::Meter;
use crate::net::clock::Clock;
use crate::reflect::answer_stun;
use crate::time::Duration;

/// Bound to the port behind this one, or to any free one where that is taken; none if there is no port.
pub(super) fn bind(first: SocketAddr) -> Option<std::net::UdpSocket> {
    let next = first.port().checked_add(1).into_iter().chain([0]);
    let mut bound = next.filter_map(|port| udp_socket(SocketAddr::new(first.ip(), port)).ok());
    bound.next()
}

fn udp_socket(address: SocketAddr) -> std::io::Result<std::net::UdpSocket> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Answers until it is dropped: each datagram with one that is no longer.
pub(super) async fn serve(socket: std::net::UdpSocket) {
    const EACH: Duration = Duration::from_millis(1);
    const BURST: Duration = Duration::from_millis(100);
    /// After an error, which is about a datagram of before.
    const PAUSE: Duration = Duration::from_millis(100);
    let Ok(socket) = UdpSocket::from_std(socket) else { return };
    let clock = Clock::start();
    let mut rate = Meter::default();
    let mut buffer = [0; 128];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            sleep(PAUSE.to_std()).await;
            continue;
        };
        if let Some(answered) = answer_stun(from, &mut buffer, length)
            && rate.admits(clock.now(), EACH, BURST)
        {
            let _ = socket.try_send_to(&buffer[..answered], from);
        }
    }
}
