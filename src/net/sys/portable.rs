//! The standard library's sockets: one datagram a call, stamped by whoever receives it.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use super::{Batch, Control};
use crate::reflect::Path;
use crate::time::Duration;

pub struct Socket {
    socket: UdpSocket,
}

impl Socket {
    pub fn new(socket: socket2::Socket) -> io::Result<Self> {
        Ok(Self { socket: socket.into() })
    }

    pub fn connect(&self, remote: SocketAddr) -> io::Result<()> {
        self.socket.connect(remote)
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub fn receive(&mut self, batch: &mut Batch) -> io::Result<()> {
        while !batch.is_full() {
            match self.socket.recv_from(batch.spare()) {
                Ok((length, remote)) => batch.commit(Path { remote, local: None }, length),
                Err(_) if batch.len() > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub fn send(&mut self, batch: &Batch, mut failed: impl FnMut(Path, io::Error)) {
        for index in 0..batch.len() {
            let slot = batch.slot(index);
            let path = slot.path;
            if slot.leaves
                && let Err(error) = self.socket.send_to(batch.datagram(index), path.remote)
            {
                failed(path, error);
            }
        }
    }

    pub fn send_one(&self, datagram: &[u8]) -> io::Result<()> {
        self.socket.send(datagram).map(drop)
    }

    /// Whether a datagram is there, or comes within the time.
    fn wait_readable(&self, timeout: Duration) -> io::Result<bool> {
        self.socket.set_nonblocking(false)?;
        self.socket.set_read_timeout(Some(timeout.to_std()))?;
        let peeked = self.socket.peek_from(&mut [0; 1]);
        self.socket.set_nonblocking(true)?;
        // An error is for the next receive to report.
        Ok(
            !matches!(&peeked, Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)),
        )
    }
}

/// There is no waiting for two things at once here, so requests and further sockets are looked at
/// every so often.
pub fn wait(sockets: &[super::Socket], control: &Control, timeout: Option<Duration>) -> io::Result<()> {
    const SLICE: Duration = Duration::from_millis(2);
    let mut left = timeout.unwrap_or(Duration::MAX);
    while left > Duration::ZERO && !control.stop_asked() {
        let slice = left.min(SLICE);
        for socket in sockets {
            #[allow(irrefutable_let_patterns, reason = "refutable on Linux")]
            let super::Socket::Portable(socket) = socket else { continue };
            if socket.wait_readable(slice.max(Duration::from_micros(1)) / sockets.len() as i64)? {
                return Ok(());
            }
        }
        left -= slice;
    }
    Ok(())
}
