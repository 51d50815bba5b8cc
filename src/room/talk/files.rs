//! Files in the room: members put them on the shelf and take them from it, guests see the list.

use std::net::IpAddr;

use super::{ConnectionId, Room};
use crate::room::event::{Event, Role};
use crate::room::shelf::{
    ContentHash, Direction, Offer, Offered, PlainAnswer, PlainOffer, Shelf, ShelfError, ShelfFile, Transfer,
};
use crate::time::Instant;

/// Why a file is not given or taken, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileRefusal {
    /// Guests look at the list and no more.
    #[error("only members can do this: join with udpecho join and the room's key")]
    Guest,
    /// The shelf does not do it.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
}

impl Room {
    /// From now on files go here.
    pub fn set_shelf(&mut self, shelf: Shelf) {
        self.shelf = shelf;
    }

    /// The files of the shelf that this member sees.
    pub fn files_for(&self, id: ConnectionId) -> Vec<ShelfFile> {
        self.shelf.files(self.name(id))
    }

    pub(super) fn list_files(&mut self, id: ConnectionId) {
        let files = self.files_for(id);
        self.tell(id, Event::Files { files });
    }

    pub(super) fn get_file(&mut self, id: ConnectionId, number: u32) {
        let event = match self.ask_file(self.now, id, number) {
            Ok(transfer) => Event::Get { transfer },
            Err(why) => Event::Refused { why: why.to_string() },
        };
        self.tell(id, event);
    }

    pub(super) fn put_file(&mut self, id: ConnectionId, offer: Offer) {
        let (name, hash) = (offer.name.clone(), offer.hash);
        let event = match self.offer_file(self.now, id, offer) {
            Ok(Offered::Upload(transfer)) => Event::Put { transfer },
            Ok(Offered::Known(file)) => Event::Shelved { file },
            Err(why) => Event::NotShelved { name, hash, why: why.to_string() },
        };
        self.tell(id, event);
    }

    /// Offers a file of the shelf to clients that know nothing but a word.
    pub(super) fn offer_plainly(&mut self, id: ConnectionId, number: u32, word: Option<String>) {
        let event = match self.member(id).and_then(|name| Ok(self.shelf.ask(self.now, &name, number)?)) {
            Ok(transfer) => {
                let word = word.unwrap_or_else(|| transfer.ticket.as_str()[..8].to_owned());
                let file = transfer.file;
                self.plain = Some(PlainOffer::new(self.now, file.clone(), word.clone()));
                Event::PlainOffer { file, word }
            }
            Err(why) => Event::Refused { why: why.to_string() },
        };
        self.tell(id, event);
    }

    /// Whether a word may come instead of a name.
    pub fn has_plain_offer(&self, now: Instant) -> bool {
        self.plain.as_ref().is_some_and(|offer| offer.is_open(now))
    }

    /// A client said this word instead of a name; `None`: nothing is on offer.
    pub fn hear_word(&mut self, now: Instant, source: IpAddr, word: &[u8]) -> Option<PlainAnswer> {
        Some(self.plain.as_mut()?.hear(now, source, word))
    }

    /// A member wants to put a file on the shelf.
    pub fn offer_file(
        &mut self,
        now: Instant,
        id: ConnectionId,
        mut offer: Offer,
    ) -> Result<Offered, FileRefusal> {
        let name = self.member(id)?;
        offer.order = offer.order.filter(|order| self.is_host_of(id, *order));
        Ok(self.shelf.offer(now, &name, offer)?)
    }

    /// A member wants to have a file.
    pub fn ask_file(&mut self, now: Instant, id: ConnectionId, number: u32) -> Result<Transfer, FileRefusal> {
        let name = self.member(id)?;
        Ok(self.shelf.ask(now, &name, number)?)
    }

    /// A connection shows its ticket.
    pub fn begin_transfer(
        &mut self,
        now: Instant,
        ticket: &str,
        direction: Direction,
    ) -> Result<Transfer, ShelfError> {
        self.shelf.begin(now, ticket, direction)
    }

    /// An upload was cut after these bytes.
    pub fn pause_upload(&mut self, now: Instant, number: u32, received: u64) {
        self.shelf.pause(now, number, received);
    }

    /// An upload cannot be completed.
    pub fn discard_upload(&mut self, number: u32) {
        self.shelf.discard(number);
    }

    /// Ends an upload, and tells the members that may fetch the file.
    pub fn finish_upload(&mut self, number: u32, hash: ContentHash) -> Result<ShelfFile, ShelfError> {
        let file = self.shelf.finish(number, hash)?;
        let seen_by: Vec<ConnectionId> =
            self.named().filter(|(_, who)| file.is_for(&who.name)).map(|(id, _)| id).collect();
        if let Some(order) = file.order {
            self.keep_run(order, file.number);
        }
        let event = std::sync::Arc::new(Event::Shelved { file: file.clone() });
        seen_by.into_iter().for_each(|id| self.queue(id, &event));
        self.log(&event);
        Ok(file)
    }

    /// Partial files that nobody went on with.
    pub fn expire_files(&mut self, now: Instant) -> Vec<u32> {
        self.shelf.expire(now)
    }

    fn member(&self, id: ConnectionId) -> Result<crate::room::Name, FileRefusal> {
        let connection = self.connections.get(&id).filter(|one| one.as_connected.role == Role::Member);
        connection.and_then(|one| one.name.clone()).ok_or(FileRefusal::Guest)
    }
}
