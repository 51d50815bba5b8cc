//! The standard library's sockets: one datagram a call, stamped by whoever receives it.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, UdpSocket};

use super::{Arrival, Batch};
use crate::endpoints::Endpoints;
use crate::reflect::SocketMark;
use crate::time::Duration;

pub struct Socket {
    socket: UdpSocket,
    /// An error that showed while waiting: the system tells it once, and it is `receive` that reports it.
    pending: Cell<Option<io::Error>>,
}

impl Socket {
    pub fn new(socket: socket2::Socket) -> io::Result<Self> {
        Ok(Self { socket: socket.into(), pending: Cell::new(None) })
    }

    pub fn connect(&self, remote: SocketAddr) -> io::Result<()> {
        self.socket.connect(remote)
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub fn receive(&mut self, batch: &mut Batch) -> io::Result<()> {
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

    pub fn send(
        &mut self,
        batch: &Batch,
        take: impl Fn(Endpoints) -> bool,
        mut failed: impl FnMut(usize, &io::Error) -> bool,
    ) {
        let connected = self.socket.peer_addr().is_ok();
        let mut ordinal = 0;
        for (index, letter) in batch.letters.iter().enumerate() {
            if !take(letter.path) {
                ordinal += letter.segments;
                continue;
            }
            for place in batch.segments_of(index) {
                let datagram = batch.bytes(place);
                let send = || match connected {
                    true => self.socket.send(datagram),
                    false => self.socket.send_to(datagram, letter.path.remote),
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

    pub fn send_one(&self, datagram: &[u8]) -> io::Result<()> {
        self.socket.send(datagram).map(drop)
    }

    /// Waits until a datagram is there, or about so long.
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

/// Waits for a while, at most until the time is over: whoever waits looks at the clock and at what
/// is asked of him, and waits again. There is no waiting for two things at once here.
pub fn wait(sockets: &[super::Socket], timeout: Option<Duration>) -> io::Result<()> {
    const SLICE: Duration = Duration::from_millis(2);
    /// A read's timeout may be so late: the system counts it in ticks of its own.
    const TICKS: Duration = Duration::from_millis(20);
    /// Close to the end nothing but short sleeps is punctual; with many sockets each costs a look.
    const NAP: Duration = Duration::from_micros(50);
    let left = timeout.unwrap_or(Duration::MAX);
    match sockets {
        #[allow(unreachable_patterns, reason = "reachable on Linux")]
        [super::Socket::Portable(socket)] if left > TICKS => socket.wait_readable(SLICE),
        _ => {
            std::thread::sleep(left.min(NAP * sockets.len() as i64).to_std());
            Ok(())
        }
    }
}
