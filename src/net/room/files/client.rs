//! Our own client's side of a transfer: a connection of its own, with the ticket that the room gave.

use std::io::{self, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Inbox, InboxError};
use crate::net::room::client::{JoinError, Received, join_room};
use crate::room::{Event, Message, ShelfFile, Transfer};

/// Bytes of a frame.
const PART: usize = 32 << 10;

/// Where a room is, and its key.
#[derive(Clone, Copy, Debug)]
pub struct RoomAddress {
    /// Its TCP port.
    pub address: SocketAddr,
    /// Derived from its key; zeros without one.
    pub psk: [u8; 32],
}

/// Why a file did not get through, in one line.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// No connection for the file.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The connection ended before the file did.
    #[error("the connection was lost: {0}; try again to go on")]
    Lost(io::Error),
    /// The file to be sent cannot be read.
    #[error("cannot read the file: {0}")]
    Read(io::Error),
    /// The room says why.
    #[error("the room refuses: {0}")]
    Refused(String),
    /// The fetched file was not saved.
    #[error(transparent)]
    Inbox(#[from] InboxError),
}

impl RoomAddress {
    /// Sends a file that was offered; what the room has of it already is not sent again.
    pub fn send_file(
        &self,
        ticket: &Transfer,
        file: &mut (impl Read + Seek),
    ) -> Result<ShelfFile, TransferError> {
        let (mut sender, mut receiver) = join_room(self.address, &self.psk)?;
        let put = Message::PutFile(ticket.ticket.clone());
        sender.send(&put).map_err(TransferError::Lost)?;
        let offset = match receiver.next_event().map_err(TransferError::Lost)? {
            Event::Put { transfer } => transfer.offset,
            event => return Err(refusal(&event)),
        };
        file.seek(SeekFrom::Start(offset)).map_err(TransferError::Read)?;
        let mut left = file.take(ticket.file.bytes.saturating_sub(offset));
        let mut part = vec![0; PART];
        loop {
            let length = left.read(&mut part).map_err(TransferError::Read)?;
            // The room may have refused meanwhile: it tells why.
            if sender.send_part(&part[..length]).is_err() || length == 0 {
                break;
            }
        }
        match receiver.next_event().map_err(TransferError::Lost)? {
            Event::Shelved { file } => Ok(file),
            event => Err(refusal(&event)),
        }
    }

    /// Fetches a file of the shelf into the inbox; what is there of it already is not fetched again.
    pub fn fetch_file(&self, ticket: &Transfer, inbox: &Inbox) -> Result<PathBuf, TransferError> {
        let (mut partial, offset) = inbox.receive(&ticket.file)?;
        let (mut sender, mut receiver) = join_room(self.address, &self.psk)?;
        let get = Message::GetFile { ticket: ticket.ticket.clone(), offset };
        sender.send(&get).map_err(TransferError::Lost)?;
        loop {
            match receiver.receive().map_err(TransferError::Lost)? {
                Received::Part(part) if part.is_empty() => return Ok(partial.finish()?),
                Received::Part(part) => partial.write(&part)?,
                Received::Event(event) => return Err(refusal(&event)),
            }
        }
    }
}

fn refusal(event: &Event) -> TransferError {
    match event {
        Event::Refused { why } => TransferError::Refused(why.clone()),
        event => TransferError::Refused(event.text()),
    }
}
