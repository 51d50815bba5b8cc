//! The knocking host: 64 ports at once, 200 a second.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream::{self, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::runtime;
use tokio::time::{sleep, timeout};

use crate::net::clock::Clock;
use crate::room::{Knocked, Pace, PortCheck, PortFate, PortKnock, PortProtocol, PortSet};

/// The host to knock at, and the pace that all knocks share.
#[derive(Clone, Copy, Debug)]
struct Knocker<'a> {
    at: IpAddr,
    protocol: PortProtocol,
    key: [u8; 32],
    over: &'a AtomicBool,
    clock: Clock,
    pace: &'a RefCell<Pace>,
}

/// Knocks at ports of the other host of an order. Where the address has not yet proven to be its own, no
/// more than `PortCheck::UNPROVEN` ports are asked until one answers. Ends early when `over` is set.
pub fn knock_ports(
    at: IpAddr,
    ports: &PortSet,
    protocol: PortProtocol,
    key: [u8; 32],
    is_proven: bool,
    over: &AtomicBool,
) -> io::Result<Knocked> {
    let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let clock = Clock::start();
    let pace = RefCell::new(Pace::new(clock.now()));
    let knocker = Knocker { at, protocol, key, over, clock, pace: &pace };
    let (first, rest) = divided(ports, is_proven);
    runtime.block_on(async {
        let mut knocked = Knocked::new();
        knocker.ask_all(&first, &mut knocked).await;
        if knocked.contains_key(&PortFate::Open) {
            knocker.ask_all(&rest, &mut knocked).await;
        }
        Ok(knocked)
    })
}

/// All ports, or a few from all over the range and the others.
fn divided(ports: &PortSet, is_proven: bool) -> (Vec<u16>, Vec<u16>) {
    if is_proven || ports.len() <= PortCheck::UNPROVEN {
        return (ports.iter().collect(), Vec::new());
    }
    let step = ports.len().div_ceil(PortCheck::UNPROVEN);
    let (first, rest): (Vec<_>, Vec<_>) = ports.iter().enumerate().partition(|(index, _)| index % step == 0);
    let without_index = |of: Vec<(usize, u16)>| of.into_iter().map(|(_, port)| port).collect();
    (without_index(first), without_index(rest))
}

impl Knocker<'_> {
    /// Ports that were not asked before the end are left out.
    async fn ask_all(self, ports: &[u16], knocked: &mut Knocked) {
        let each = stream::iter(ports).map(|port| async move { (*port, self.ask(*port).await) });
        let mut asked = pin!(each.buffer_unordered(PortCheck::AT_ONCE));
        while let Some((port, fate)) = asked.next().await {
            if let Some(fate) = fate {
                knocked.entry(fate).or_default().insert(port);
            }
        }
    }

    async fn ask(self, port: u16) -> Option<PortFate> {
        let mut fate = None;
        for _ in 0..PortCheck::TRIES {
            self.turn().await;
            if self.over.load(Ordering::Acquire) {
                return fate;
            }
            let found = match self.protocol {
                PortProtocol::Tcp => self.by_connection(port).await,
                PortProtocol::Udp => self.by_datagram(port).await,
            };
            if matches!(found, PortFate::Open | PortFate::Refused) {
                return Some(found);
            }
            fate = Some(found);
        }
        fate
    }

    /// Until the next knock may leave.
    async fn turn(self) {
        let now = self.clock.now();
        let turn = self.pace.borrow_mut().turn(now);
        sleep((turn - now).to_std()).await;
    }

    async fn by_connection(self, port: u16) -> PortFate {
        let connecting = TcpStream::connect(SocketAddr::new(self.at, port));
        let mut stream = match timeout(PortCheck::PATIENCE.to_std(), connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return fate_of(&error),
            Err(_) => return PortFate::Filtered,
        };
        let knock = PortKnock { port, is_answer: false };
        let mut answer = [0; PortKnock::LENGTH];
        let exchange = async {
            stream.write_all(&knock.emit(&self.key)).await?;
            stream.read_exact(&mut answer).await
        };
        let read = timeout(PortCheck::PATIENCE.to_std(), exchange).await;
        let is_answered = matches!(read, Ok(Ok(_))) && self.is_answer(port, &answer);
        if is_answered { PortFate::Open } else { PortFate::Foreign }
    }

    async fn by_datagram(self, port: u16) -> PortFate {
        let any: IpAddr = match self.at {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let exchange = async {
            let socket = UdpSocket::bind((any, 0)).await?;
            socket.connect((self.at, port)).await?;
            socket.send(&PortKnock { port, is_answer: false }.emit(&self.key)).await?;
            let mut answer = [0; PortKnock::LENGTH + 1];
            loop {
                let length = socket.recv(&mut answer).await?;
                if self.is_answer(port, &answer[..length]) {
                    return io::Result::Ok(());
                }
            }
        };
        match timeout(PortCheck::PATIENCE.to_std(), exchange).await {
            Ok(Ok(())) => PortFate::Open,
            Ok(Err(error)) => fate_of(&error),
            Err(_) => PortFate::Filtered,
        }
    }

    fn is_answer(self, port: u16, bytes: &[u8]) -> bool {
        PortKnock::parse(&self.key, bytes) == Some(PortKnock { port, is_answer: true })
    }
}

/// The other host listens there: a refusal is of a filter, on the way or on one of the two hosts. An error of this
/// host, as for want of a socket, tells nothing of the port.
fn fate_of(error: &io::Error) -> PortFate {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => PortFate::Filtered,
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::PermissionDenied => PortFate::Refused,
        _ => PortFate::NotAsked,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_this_host_is_no_verdict_about_the_port() {
        for (error, fate) in [
            (libc::ECONNREFUSED, PortFate::Refused),
            (libc::EHOSTUNREACH, PortFate::Refused),
            (libc::EPERM, PortFate::Refused),
            (libc::ETIMEDOUT, PortFate::Filtered),
            (libc::EMFILE, PortFate::NotAsked),
            (libc::EADDRNOTAVAIL, PortFate::NotAsked),
        ] {
            assert_eq!(fate_of(&io::Error::from_raw_os_error(error)), fate, "{error}");
        }
    }
}
