//! The control connection of a TWAMP session, over TCP.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};

use super::clock::Clock;
use super::tcp;
use crate::probe::{TwampControl, TwampDenied};
use crate::time::Duration;

/// A test session at a TWAMP server, which runs until this is dropped.
pub struct TwampSession {
    control: TwampControl,
    connection: TcpStream,
    /// The UDP address that its packets are sent from.
    pub sender: SocketAddr,
    /// The UDP address of the reflector.
    pub reflector: SocketAddr,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum TwampError {
    /// No connection, or it broke.
    #[error("{0}")]
    Connection(#[from] io::Error),
    /// The server's word.
    #[error("{0}")]
    Denied(#[from] TwampDenied),
}

impl TwampSession {
    const TIMEOUT: Duration = Duration::from_secs(5);

    /// Asks the server at this TCP address for a session of packets of this size, from this address and port of the
    /// host if they are given.
    pub fn open(
        server: SocketAddr,
        source: Option<IpAddr>,
        source_port: Option<u16>,
        size: u32,
        dscp: u8,
        clock: Clock,
    ) -> Result<Self, TwampError> {
        let mut connection = tcp::connect(server, source, Self::TIMEOUT)?;
        let host = connection.local_addr()?.ip();
        let sender = SocketAddr::new(host, source_port.map_or_else(|| free_port(host), Ok)?);
        let start = (clock.now() + clock.wall_offset()).as_nanos();
        let mut control = TwampControl::new(sender, server, size, dscp, start);
        while let Some(length) = control.awaits() {
            let mut message = vec![0; length];
            connection.read_exact(&mut message)?;
            connection.write_all(&control.hear(&message)?)?;
        }
        let port = control.port().unwrap_or(server.port());
        Ok(Self { control, connection, sender, reflector: SocketAddr::new(server.ip(), port) })
    }
}

impl Drop for TwampSession {
    fn drop(&mut self) {
        // A server that is gone needs no word.
        let _ = self.connection.write_all(&self.control.stop());
    }
}

/// A UDP port that the run binds to a moment later.
fn free_port(host: IpAddr) -> io::Result<u16> {
    Ok(UdpSocket::bind(SocketAddr::new(host, 0))?.local_addr()?.port())
}
