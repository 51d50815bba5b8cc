//! Our own client's connection to a room: encrypted, one thread may send while another receives.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::secure::{Frame, Opener, Opening, Sealer};
use crate::room::{Event, Message};
use crate::time::Duration;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The socket fails.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// It has another key, or is no room.
    #[error("it closed the connection: is it a room, and is the key the same?")]
    OtherKey,
    /// It sends something else, or nothing.
    #[error("it does not answer as a room: is the port right?")]
    NoRoom,
}

/// Sends to a room.
pub struct RoomSender {
    stream: TcpStream,
    sealer: Sealer,
}

/// Receives from a room.
pub struct RoomReceiver {
    stream: TcpStream,
    opener: Opener,
}

const PATIENCE: Duration = Duration::from_secs(10);

/// Connects, and proves that both have the same key.
pub fn join_room(address: SocketAddr, psk: &[u8; 32]) -> Result<(RoomSender, RoomReceiver), JoinError> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE.to_std())?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE.to_std()))?;
    stream.set_write_timeout(Some(PATIENCE.to_std()))?;
    let (opening, first) = Opening::begin(psk).map_err(|_| JoinError::OtherKey)?;
    stream.write_all(&first)?;
    let frame = read_frame(&mut stream).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => JoinError::OtherKey,
        ErrorKind::WouldBlock | ErrorKind::TimedOut => JoinError::NoRoom,
        _ => JoinError::Socket(error),
    })?;
    let (sealer, opener) = opening.finish(&frame).map_err(|_| JoinError::NoRoom)?;
    stream.set_read_timeout(None)?;
    Ok((RoomSender { stream: stream.try_clone()?, sealer }, RoomReceiver { stream, opener }))
}

impl RoomSender {
    /// Waits at most ten seconds for a room that does not read.
    pub fn send(&mut self, message: &Message) -> io::Result<()> {
        self.stream.write_all(&self.sealer.seal(&Frame::Json(message.line())))
    }

    /// Closes the connection for both directions.
    pub fn close(&self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }

    /// The address of this host that the room sees, unless it is translated on the way.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }
}

impl RoomReceiver {
    /// Waits for the next event; an error is the end. Events of a newer room are skipped.
    pub fn next(&mut self) -> io::Result<Event> {
        loop {
            let frame = read_frame(&mut self.stream)?;
            let Some(frame) = self.opener.open(&frame) else { return Err(ErrorKind::InvalidData.into()) };
            if let Frame::Json(line) = frame
                && let Ok(event) = serde_json::from_str(&line)
            {
                return Ok(event);
            }
        }
    }
}

fn read_frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut frame = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}
