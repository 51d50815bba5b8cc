//! The standard library's sockets: one datagram a call, receive times read in user space.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, UdpSocket};

use super::{Arrival, Batch, DatagramSocket};
use crate::endpoints::Endpoints;
use crate::reflect::SocketMark;
use crate::time::Duration;

pub(super) struct Socket {
    socket: UdpSocket,
    /// An error that a wait got: the kernel reports it once, and `receive` passes it on.
    pending: Cell<Option<io::Error>>,
}

impl Socket {
    pub(super) fn new(socket: socket2::Socket) -> Self {
        Self { socket: socket.into(), pending: Cell::new(None) }
    }
}

impl DatagramSocket for Socket {
    fn connect(&mut self, remote: SocketAddr) -> io::Result<()> {
        self.socket.connect(remote)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn receive(&mut self, batch: &mut Batch) -> io::Result<()> {
        batch.arrived = 0;
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        let Self { socket, .. } = self;
        let mut arrivals = Vec::new();
        for buffer in batch.buffers() {
            match socket.recv_from(buffer) {
                Ok((length, remote)) => {
                    let path = Endpoints { remote, local: None };
                    arrivals.push(Arrival {
                        path,
                        length,
                        segment: length,
                        stamp: None,
                        ttl: None,
                        tos: None,
                        icmp_error: None,
                        socket: SocketMark::default(),
                    });
                }
                Err(_) if !arrivals.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        batch.arrived = arrivals.len();
        batch.filled = arrivals.len() == batch.capacity();
        batch.arrivals[..arrivals.len()].copy_from_slice(&arrivals);
        Ok(())
    }

    fn send_those(
        &mut self,
        batch: &Batch,
        take: &dyn Fn(Endpoints) -> bool,
        failed: &mut dyn FnMut(usize, &io::Error) -> bool,
    ) {
        let connected = self.socket.peer_addr().is_ok();
        let mut ordinal = 0;
        for (index, outgoing) in batch.outgoing.iter().enumerate() {
            if !take(outgoing.path) {
                ordinal += outgoing.segments;
                continue;
            }
            for place in batch.segments_of(index) {
                let datagram = batch.bytes(place);
                let send = || match connected {
                    true => self.socket.send(datagram),
                    false => self.socket.send_to(datagram, outgoing.path.remote),
                };
                while let Err(error) = send() {
                    if !failed(ordinal, &error) {
                        break;
                    }
                }
                ordinal += 1;
            }
        }
    }

    fn send_one(&self, datagram: &[u8]) -> io::Result<()> {
        self.socket.send(datagram).map(drop)
    }

    fn wait_readable(&self, timeout: Duration) -> io::Result<()> {
        self.socket.set_nonblocking(false)?;
        self.socket.set_read_timeout(Some(timeout.to_std()))?;
        let peeked = self.socket.peek_from(&mut [0; 1]);
        self.socket.set_nonblocking(true)?;
        if let Err(error) = peeked
            && !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
        {
            self.pending.set(Some(error));
        }
        Ok(())
    }
}

/// Waits for a short while, at most until the time is over: the engine then reads its clock and its requests, and waits
/// again. The standard library cannot wait for two things at once.
pub(super) fn wait<'a>(
    mut sockets: impl Iterator<Item = &'a super::Socket> + Clone,
    timeout: Option<Duration>,
) -> io::Result<()> {
    const SLICE: Duration = Duration::from_millis(2);
    /// A read times out so late: the kernel counts it in ticks.
    const TICKS: Duration = Duration::from_millis(20);
    /// Close to the end only short sleeps are punctual; each costs a look at every socket.
    const NAP: Duration = Duration::from_micros(50);
    let left = timeout.unwrap_or(Duration::MAX);
    let count = sockets.clone().count();
    match sockets.next() {
        Some(socket) if count == 1 && left > TICKS => socket.wait_readable(SLICE),
        _ => {
            std::thread::sleep(left.min(NAP * count as i64).to_std());
            Ok(())
        }
    }
}
