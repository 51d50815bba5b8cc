//! The shelf of a room, without the bytes: its files, the rights of members, and its quota.
//!
//! A transfer has a ticket, so that it can run on a connection of its own and never delays talk. A cut
//! upload goes on where it stopped, if its hash was told; a partial file stays for an hour.

mod content;
mod file_name;
mod plain;

pub use content::{ContentHash, NoHash, Ticket};
pub use file_name::FileName;
pub use plain::{AUTH_ERROR, AUTH_SUCCESS, PlainAnswer, PlainOffer};

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::name::Name;
use super::orders::OrderNumber;
use crate::time::{Duration, Instant};

/// A file on the shelf, or one that is coming.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShelfFile {
    /// From 1, in the order of the offers.
    pub number: u32,
    /// As it was offered, made safe.
    pub name: FileName,
    /// Its length.
    pub bytes: u64,
    /// The member who offered it.
    pub from: Name,
    /// Only for this member; `None`: for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Name>,
    /// A file or a run.
    #[serde(default)]
    pub kind: FileKind,
    /// The run of this order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderNumber>,
    /// `None` until it is whole, where the sender could not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<ContentHash>,
}

impl std::fmt::Display for ShelfFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.kind == FileKind::Run { "run" } else { "file" };
        write!(f, "{kind} {}: {}, {}", self.number, self.name, size(self.bytes))?;
        self.to.iter().try_for_each(|to| write!(f, ", for {to}"))
    }
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = "B";
    for larger in UNITS {
        if value < 1_000.0 {
            break;
        }
        (value, unit) = (value / 1_000.0, larger);
    }
    if unit == "B" || value >= 100.0 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

impl ShelfFile {
    /// Whether this member may see it.
    pub fn is_for(&self, member: &Name) -> bool {
        let is = |name: &Name| name.is(member.as_str());
        self.to.as_ref().is_none_or(|to| is(to) || is(&self.from))
    }
}

/// Kinds of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// Anything.
    #[default]
    File,
    /// The folder of a run as a tar archive.
    Run,
}

/// A file that a member wants to put on the shelf.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// To be shown and saved under.
    pub name: FileName,
    /// Its length.
    pub bytes: u64,
    /// Only for this member; `None`: for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Name>,
    /// A file or a run.
    #[serde(default)]
    pub kind: FileKind,
    /// The run of this order, in which the member takes part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderNumber>,
    /// Lets a cut upload go on, and a known file not be sent at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<ContentHash>,
}

/// The answer to an offer.
#[derive(Clone, Debug, PartialEq)]
pub enum Offered {
    /// The same content lies there already.
    Known(ShelfFile),
    /// To be sent from this byte on.
    Upload(Transfer),
}

/// One way of one file: from this byte on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// To be shown by the connection that carries it.
    pub ticket: Ticket,
    /// The file.
    pub file: ShelfFile,
    /// The first byte to send: the bytes before it are there already.
    pub offset: u64,
}

/// The direction that a ticket is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the shelf.
    Put,
    /// From the shelf.
    Get,
}

/// A refusal of the shelf, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShelfError {
    /// The quota is used up.
    #[error("the shelf has room for {free} more of its {quota} bytes; this file takes {bytes}")]
    Full {
        /// That the file would take.
        bytes: u64,
        /// Left on the shelf.
        free: u64,
        /// Of the shelf.
        quota: u64,
    },
    /// The shelf has the most files that it may have.
    #[error("the shelf holds {0} files already")]
    TooMany(usize),
    /// A member sends two files at once and no more.
    #[error("two files of yours are on their way already; wait for one of them")]
    Busy,
    /// It is not there, or not for this member.
    #[error("no file {0} on the shelf; /files lists them")]
    NoSuchFile(u32),
    /// The bytes have another hash or length than the offer.
    #[error("the file changed on its way: its hash is another; send it again")]
    WrongHash,
    /// Unknown, expired, or for the other direction.
    #[error("this ticket is not good, or not any more")]
    NoTicket,
    /// Another connection brings it.
    #[error("the file is on its way already")]
    OnItsWay,
}

/// The files of the shelf and those on their way, without their bytes.
#[derive(Debug)]
pub struct Shelf {
    secret: [u8; 32],
    quota: u64,
    /// The folder of a run lies beside its archive.
    unpacks: bool,
    files: BTreeMap<u32, Entry>,
    next: u32,
    tickets: HashMap<Ticket, Permit>,
    drawn: u64,
}

#[derive(Debug)]
struct Entry {
    file: ShelfFile,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// The bytes that are here; `idle` since then, or being written.
    Partial {
        received: u64,
        idle: Option<Instant>,
    },
    Whole,
}

#[derive(Clone, Copy, Debug)]
struct Permit {
    file: u32,
    direction: Direction,
    until: Instant,
}

impl Shelf {
    /// A transfer goes on at a multiple of this.
    pub const BLOCK: u64 = 64 << 10;
    /// A report of more bytes would keep the room's host busy for long.
    pub const LARGEST_REPORTED: u64 = 64 << 20;
    const FILES: usize = 256;
    const UPLOADS_OF_ONE: usize = 2;
    const PARTIAL_STAYS: Duration = Duration::from_secs(3600);
    const TICKET_IS_GOOD: Duration = Duration::from_secs(600);
    const TICKETS: usize = 1_024;

    /// An empty shelf for this many bytes; tickets cannot be guessed as long as the secret is random.
    pub fn new(secret: [u8; 32], quota: u64) -> Self {
        let (files, tickets) = (BTreeMap::new(), HashMap::new());
        Self { secret, quota, unpacks: false, files, next: 1, tickets, drawn: 0 }
    }

    /// The same, for a room that unpacks each run: its files lie on the disk twice, and count twice.
    pub fn unpacking(self, unpacks: bool) -> Self {
        Self { unpacks, ..self }
    }

    /// The whole files that this member sees; `None` stands for the room itself.
    pub fn files(&self, of: Option<&Name>) -> Vec<ShelfFile> {
        let whole = self.files.values().filter(|entry| entry.state == State::Whole);
        whole
            .filter(|entry| of.is_none_or(|of| entry.file.is_for(of)))
            .map(|entry| entry.file.clone())
            .collect()
    }

    /// A member wants to put something there.
    pub fn offer(&mut self, now: Instant, from: &Name, offer: Offer) -> Result<Offered, ShelfError> {
        if let Some(number) = self.same(from, &offer) {
            let Some(entry) = self.files.get(&number) else { return Err(ShelfError::NoSuchFile(number)) };
            let file = entry.file.clone();
            return match entry.state {
                State::Whole => Ok(Offered::Known(file)),
                State::Partial { idle: None, .. } => Err(ShelfError::OnItsWay),
                State::Partial { received, .. } => {
                    let ticket = self.ticket(now, number, Direction::Put);
                    Ok(Offered::Upload(Transfer {
                        ticket,
                        file,
                        offset: received / Self::BLOCK * Self::BLOCK,
                    }))
                }
            };
        }
        self.has_room(from, &offer)?;
        let number = self.next;
        self.next += 1;
        let Offer { name, bytes, to, kind, order, hash } = offer;
        let file = ShelfFile { number, name, bytes, from: from.clone(), to, kind, order, hash };
        let state = State::Partial { received: 0, idle: Some(now) };
        self.files.insert(number, Entry { file: file.clone(), state });
        let ticket = self.ticket(now, number, Direction::Put);
        Ok(Offered::Upload(Transfer { ticket, file, offset: 0 }))
    }

    /// A member wants to have something.
    pub fn ask(&mut self, now: Instant, of: &Name, number: u32) -> Result<Transfer, ShelfError> {
        let found = self.files.get(&number).filter(|entry| entry.state == State::Whole);
        let file = found.filter(|entry| entry.file.is_for(of)).map(|entry| entry.file.clone());
        let file = file.ok_or(ShelfError::NoSuchFile(number))?;
        let ticket = self.ticket(now, number, Direction::Get);
        Ok(Transfer { ticket, file, offset: 0 })
    }

    /// A connection shows its ticket: the transfer begins. An upload ends with `finish`, `pause` or `discard`.
    pub fn begin(
        &mut self,
        now: Instant,
        ticket: &str,
        direction: Direction,
    ) -> Result<Transfer, ShelfError> {
        let ticket = Ticket::shown(ticket);
        let permit =
            self.tickets.get(&ticket).filter(|permit| permit.direction == direction && now < permit.until);
        let number = permit.ok_or(ShelfError::NoTicket)?.file;
        let entry = self.files.get_mut(&number).ok_or(ShelfError::NoSuchFile(number))?;
        let offset = match (direction, &mut entry.state) {
            (Direction::Put, State::Partial { idle: None, .. }) => return Err(ShelfError::OnItsWay),
            (Direction::Put, State::Partial { received, idle }) => {
                *idle = None;
                *received / Self::BLOCK * Self::BLOCK
            }
            (Direction::Get, State::Whole) => 0,
            (Direction::Put, State::Whole) | (Direction::Get, State::Partial { .. }) => {
                return Err(ShelfError::NoTicket);
            }
        };
        Ok(Transfer { ticket, file: entry.file.clone(), offset })
    }

    /// The upload stopped after these bytes; it may go on later.
    pub fn pause(&mut self, now: Instant, number: u32, received: u64) {
        if let Some(Entry { state: state @ State::Partial { .. }, .. }) = self.files.get_mut(&number) {
            *state = State::Partial { received, idle: Some(now) };
        }
    }

    /// All bytes are there. With another hash than was told, the file is gone.
    pub fn finish(&mut self, number: u32, hash: ContentHash) -> Result<ShelfFile, ShelfError> {
        let entry = self.files.get_mut(&number).ok_or(ShelfError::NoSuchFile(number))?;
        if entry.file.hash.is_some_and(|told| told != hash) {
            self.discard(number);
            return Err(ShelfError::WrongHash);
        }
        entry.file.hash = Some(hash);
        entry.state = State::Whole;
        Ok(entry.file.clone())
    }

    /// The file is gone.
    pub fn discard(&mut self, number: u32) {
        self.files.remove(&number);
        self.tickets.retain(|_, permit| permit.file != number);
    }

    /// When `expire` has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.files.values().filter_map(Entry::expires).min()
    }

    /// Drops partial files that nobody went on with; their bytes can be deleted.
    pub fn expire(&mut self, now: Instant) -> Vec<u32> {
        let is_over = |entry: &Entry| entry.expires().is_some_and(|expires| now >= expires);
        let over: Vec<u32> =
            self.files.iter().filter(|(_, e)| is_over(e)).map(|(number, _)| *number).collect();
        over.iter().for_each(|number| self.discard(*number));
        over
    }

    /// The same content from the same member for the same ones; only a hash tells.
    fn same(&self, from: &Name, offer: &Offer) -> Option<u32> {
        let hash = offer.hash?;
        let is_same = |entry: &&Entry| {
            let file = &entry.file;
            let known = file.hash == Some(hash) && file.bytes == offer.bytes && file.to == offer.to;
            known && (entry.state == State::Whole || file.from == *from)
        };
        self.files.values().find(is_same).map(|entry| entry.file.number)
    }

    fn has_room(&self, from: &Name, offer: &Offer) -> Result<(), ShelfError> {
        let used: u64 = self.files.values().map(|entry| self.takes(entry.file.kind, entry.file.bytes)).sum();
        let (free, bytes) = (self.quota.saturating_sub(used), self.takes(offer.kind, offer.bytes));
        let coming =
            self.files.values().filter(|entry| entry.state != State::Whole && entry.file.from == *from);
        if bytes > free {
            return Err(ShelfError::Full { bytes, free, quota: self.quota });
        }
        if self.files.len() >= Self::FILES {
            return Err(ShelfError::TooMany(Self::FILES));
        }
        if coming.count() >= Self::UPLOADS_OF_ONE { Err(ShelfError::Busy) } else { Ok(()) }
    }

    /// Bytes of the quota; the archive of a run is not compressed.
    fn takes(&self, kind: FileKind, bytes: u64) -> u64 {
        let is_twice = self.unpacks && kind == FileKind::Run;
        bytes.saturating_mul(if is_twice { 2 } else { 1 })
    }

    fn ticket(&mut self, now: Instant, file: u32, direction: Direction) -> Ticket {
        self.tickets.retain(|_, permit| now < permit.until);
        if self.tickets.len() >= Self::TICKETS {
            let oldest = self.tickets.iter().min_by_key(|(_, permit)| permit.until);
            if let Some(oldest) = oldest.map(|(ticket, _)| ticket.clone()) {
                self.tickets.remove(&oldest);
            }
        }
        self.drawn += 1;
        let ticket = Ticket::draw(&self.secret, self.drawn);
        self.tickets.insert(ticket.clone(), Permit { file, direction, until: now + Self::TICKET_IS_GOOD });
        ticket
    }
}

impl Entry {
    fn expires(&self) -> Option<Instant> {
        match self.state {
            State::Partial { idle, .. } => idle.map(|idle| idle + Shelf::PARTIAL_STAYS),
            State::Whole => None,
        }
    }
}

#[cfg(test)]
mod tests;
