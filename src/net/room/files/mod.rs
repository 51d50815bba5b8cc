//! Files of the room on their way: uploads and downloads by ticket, whatever connection carries them.

mod client;
mod inbox;
mod plain;
mod run_archive;
mod sealed;
mod store;

pub use client::{RoomAddress, TransferError};
pub use inbox::{Inbox, InboxError, Partial, hash_of};
pub(super) use plain::{said_before_greeting, serve_word};
pub use run_archive::{pack_run, unpack_run};
pub(super) use sealed::{give_file, take_file};

use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use store::FileStore;
use tokio::time::timeout;

use super::service::RoomService;
use crate::room::{Direction, Shelf, ShelfError, ShelfFile, Transfer};
use crate::time::Duration;

/// For a block of a file; the peer that sends or takes nothing for longer is dropped.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// The files of a room; clones are handles to the same ones.
#[derive(Clone, Debug)]
pub struct RoomFiles {
    room: RoomService,
    store: Arc<FileStore>,
}

/// Why an upload did not reach the shelf, in one line.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The shelf does not take it.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// No space is left where the room keeps files.
    #[error("the room's disk is full; the file was dropped")]
    DiskFull,
    /// Any other error of the disk.
    #[error("the room cannot write the file: {0}; it was dropped")]
    Disk(io::Error),
    /// More bytes came than the offer told.
    #[error("more bytes came than were told; the file was dropped")]
    TooLong,
    /// The connection ended before the file did.
    #[error("{received} of {bytes} bytes came; send it again to go on")]
    Cut {
        /// Bytes that are here.
        received: u64,
        /// Bytes of the whole.
        bytes: u64,
    },
}

impl RoomFiles {
    /// Without a folder nothing is left when the process ends.
    pub fn new(room: RoomService, keep: Option<&Path>) -> io::Result<Self> {
        let store = match keep {
            Some(folder) => FileStore::kept(folder.to_owned())?,
            None => FileStore::temporary(),
        };
        Ok(Self { room, store: Arc::new(store) })
    }

    /// Deletes partial files that nobody goes on with, for as long as it is polled.
    pub async fn expire(self) {
        const EVERY: Duration = Duration::from_secs(60);
        loop {
            tokio::time::sleep(EVERY.to_std()).await;
            let over = self.room.with(|state, clock| state.room.expire_files(clock.now()));
            over.into_iter().for_each(|number| self.store.remove(number));
        }
    }

    /// A connection shows its ticket for an upload.
    pub(super) async fn upload(&self, ticket: &str) -> Result<Upload, UploadError> {
        let begun =
            self.room.with(|state, clock| state.room.begin_transfer(clock.now(), ticket, Direction::Put));
        let transfer = begun?;
        let upload = Upload { files: self.clone(), received: transfer.offset, transfer, is_over: false };
        match self.store.create(upload.number()).await {
            Ok(()) => Ok(upload),
            Err(error) => Err(upload.drop_for(error)),
        }
    }

    /// A connection shows its ticket for a download.
    pub(super) fn download(&self, ticket: &str) -> Result<Transfer, ShelfError> {
        self.room.with(|state, clock| state.room.begin_transfer(clock.now(), ticket, Direction::Get))
    }

    /// Reads a whole file, on a thread that may block.
    pub(super) fn reader(&self, file: &ShelfFile) -> io::Result<store::StoreReader> {
        self.store.reader(file.number)
    }

    /// A part of a file; empty at its end.
    pub(super) async fn read(&self, file: &ShelfFile, offset: u64) -> io::Result<Vec<u8>> {
        const PART: u64 = 64 << 10;
        let left = file.bytes.saturating_sub(offset);
        if left == 0 {
            return Ok(Vec::new());
        }
        self.store.read(file.number, offset, left.min(PART)).await
    }
}

/// An upload on its way. Dropped before its end, it can go on later.
#[derive(Debug)]
pub(super) struct Upload {
    files: RoomFiles,
    transfer: Transfer,
    received: u64,
    is_over: bool,
}

impl Upload {
    pub(super) fn transfer(&self) -> &Transfer {
        &self.transfer
    }

    /// The file must come from this byte on.
    pub(super) fn offset(&self) -> u64 {
        self.transfer.offset
    }

    async fn take(&mut self, bytes: Vec<u8>) -> Result<(), UploadError> {
        let length = bytes.len() as u64;
        if self.received + length > self.transfer.file.bytes {
            self.discard();
            return Err(UploadError::TooLong);
        }
        let written = self.files.store.write(self.number(), self.received, bytes).await;
        if let Err(error) = written {
            self.discard();
            return Err(UploadError::from_disk(error));
        }
        self.received += length;
        Ok(())
    }

    /// Takes parts up to the last. A block must come within this time: a slower upload ends, and can go on later.
    pub(super) async fn receive(
        mut self,
        parts: impl Stream<Item = Vec<u8>>,
        patience: Duration,
    ) -> Result<ShelfFile, UploadError> {
        let mut parts = pin!(parts);
        loop {
            let mut block = Vec::new();
            let read = timeout(patience.to_std(), async {
                while (block.len() as u64) < Shelf::BLOCK {
                    match parts.next().await {
                        Some(part) => block.extend(part),
                        None => return true,
                    }
                }
                false
            });
            let is_last = read.await.unwrap_or(true);
            self.take(block).await?;
            if is_last {
                return self.end().await;
            }
        }
    }

    /// No more bytes come.
    async fn end(mut self) -> Result<ShelfFile, UploadError> {
        let bytes = self.transfer.file.bytes;
        if self.received < bytes {
            return Err(UploadError::Cut { received: self.received, bytes });
        }
        let number = self.number();
        let store = Arc::clone(&self.files.store);
        let hash = match store.hash(number).await {
            Ok(hash) => hash,
            Err(error) => return Err(self.drop_for(error)),
        };
        let is_told = self.transfer.file.hash.is_none_or(|told| told == hash);
        if is_told && let Err(error) = store.complete(number, hash).await {
            return Err(self.drop_for(error));
        }
        self.is_over = true;
        let finished = self.files.room.with(|state, _| state.room.finish_upload(number, hash));
        if finished.is_err() {
            store.remove(number);
        }
        Ok(finished?)
    }

    fn number(&self) -> u32 {
        self.transfer.file.number
    }

    fn drop_for(mut self, error: io::Error) -> UploadError {
        self.discard();
        UploadError::from_disk(error)
    }

    fn discard(&mut self) {
        let number = self.number();
        self.is_over = true;
        self.files.room.with(|state, _| state.room.discard_upload(number));
        self.files.store.remove(number);
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.is_over {
            let (number, received) = (self.number(), self.received);
            self.files.room.with(|state, clock| state.room.pause_upload(clock.now(), number, received));
        }
    }
}

impl UploadError {
    fn from_disk(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Disk(error),
        }
    }
}

#[cfg(test)]
mod tests;
