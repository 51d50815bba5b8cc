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

/// A frame from a room.
pub(super) enum Received {
    Event(Event),
    /// Of a file; empty at its end.
    Part(Vec<u8>),
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

    /// A part of a file; an empty one is its end.
    pub(super) fn send_part(&mut self, part: &[u8]) -> io::Result<()> {
        self.stream.write_all(&self.sealer.seal(&Frame::Data(part.to_vec())))
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
    pub fn next_event(&mut self) -> io::Result<Event> {
        loop {
            if let Received::Event(event) = self.receive()? {
                return Ok(event);
            }
        }
    }

    /// The same on a connection that brings a file.
    pub(super) fn receive(&mut self) -> io::Result<Received> {
        loop {
            let frame = read_frame(&mut self.stream)?;
            match self.opener.open(&frame) {
                None => return Err(ErrorKind::InvalidData.into()),
                Some(Frame::Begun) => {}
                Some(Frame::Data(part)) => return Ok(Received::Part(part)),
                Some(Frame::Json(line)) => {
                    if let Ok(event) = serde_json::from_str(&line) {
                        return Ok(Received::Event(event));
                    }
                }
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
