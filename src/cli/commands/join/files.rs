//! Files of a member: `/send` puts one on the shelf of the room, `/get` takes one into the inbox. Each
//! travels on a connection of its own, so that talk never waits for it.

use std::collections::BTreeSet;
use std::fs::{File, metadata};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, bail};

use super::lock;

use crate::net::{Inbox, RoomAddress, hash_of, pack_run, unpack_run};
use crate::room::{
    Command, ContentHash, Event, FileKind, FileName, Message, Name, Offer, OrderNumber, ShelfFile, Transfer,
};

/// The files of one member on their way.
pub(super) struct Files {
    room: RoomAddress,
    inbox: PathBuf,
    offered: Mutex<Vec<Offered>>,
    /// Numbers of the files that this member asked for: no room sends another one.
    wanted: Mutex<BTreeSet<u32>>,
}

/// A file that the room was told of.
pub(super) struct Offered {
    offer: Offer,
    file: File,
    /// To be offered in the clear once it is on the shelf.
    plain: bool,
}

impl Files {
    pub(super) fn new(room: RoomAddress, inbox: &Path) -> Self {
        Self { room, inbox: inbox.to_owned(), offered: Mutex::default(), wanted: Mutex::default() }
    }

    /// The address of the room.
    pub(super) fn room(&self) -> SocketAddr {
        self.room.address
    }

    /// The message to the room for a line that begins with `/send`; none for other lines. Of `/get` it keeps the
    /// number.
    pub(super) fn typed(&self, line: &str) -> anyhow::Result<Option<Message>> {
        if let Ok(Command::Get { number }) = Command::parse(line) {
            lock(&self.wanted).insert(number);
        }
        let Some(words) = line.strip_prefix("/send").filter(|rest| rest.is_empty() || rest.starts_with(' '))
        else {
            return Ok(None);
        };
        Offered::typed(words.trim()).map(|offered| Some(self.offer(offered)))
    }

    /// The message that offers the run of an order.
    pub(super) fn run_of(&self, order: OrderNumber, folder: &Path) -> anyhow::Result<Message> {
        let mut offered = Offered::of(folder, None, false)?;
        offered.offer.order = Some(order);
        Ok(self.offer(offered))
    }

    fn offer(&self, offered: Offered) -> Message {
        let offer = offered.offer.clone();
        lock(&self.offered).push(offered);
        Message::Offer(offer)
    }

    /// The transfer that this event asks for, to be run where it may take its time; none for other events.
    pub(super) fn asked(&self, event: &Event) -> Option<Asked> {
        match event {
            Event::Put { transfer } => {
                let file = &transfer.file;
                Some(Asked::Send(transfer.clone(), self.take_offered(file.hash, file.bytes)?))
            }
            Event::Get { transfer } => {
                let is_wanted = lock(&self.wanted).remove(&transfer.file.number);
                is_wanted.then(|| Asked::Fetch(transfer.clone()))
            }
            // The room has it already.
            Event::Shelved { file } => {
                let own = self.take_offered(file.hash, file.bytes)?;
                let recorded = own.offer.order.map(Asked::Recorded);
                recorded.or(own.plain.then_some(Asked::Plain(file.number)))
            }
            Event::NotShelved { hash, .. } => {
                let mut offered = lock(&self.offered);
                let place = offered.iter().position(|own| own.offer.hash == *hash)?;
                offered.remove(place).offer.order.map(Asked::Recorded)
            }
            _ => None,
        }
    }

    /// Does it; the answer is a message to the room or a line for the person.
    pub(super) fn run(&self, asked: Asked) -> anyhow::Result<Done> {
        match asked {
            Asked::Send(transfer, mut own) => {
                let file = self.room.send_file(&transfer, &mut own.file)?;
                let plain = own.plain.then(|| plainly(file.number));
                Ok(Done { file: Some(file), saved: None, message: plain })
            }
            Asked::Fetch(transfer) => {
                let saved = self.fetch(&transfer)?;
                Ok(Done { file: Some(transfer.file), saved: Some(saved), message: None })
            }
            Asked::Recorded(_) => Ok(Done { file: None, saved: None, message: None }),
            Asked::Plain(number) => Ok(Done { file: None, saved: None, message: Some(plainly(number)) }),
        }
    }

    /// A run becomes a folder again.
    fn fetch(&self, transfer: &Transfer) -> anyhow::Result<PathBuf> {
        let path = self.room.fetch_file(transfer, &Inbox::new(&self.inbox))?;
        if transfer.file.kind == FileKind::File {
            return Ok(path);
        }
        let archive = File::open(&path)?;
        std::fs::remove_file(&path)?;
        unpack_run(archive, &self.inbox, &transfer.file.name).context("cannot unpack the run")
    }

    fn take_offered(&self, hash: Option<ContentHash>, bytes: u64) -> Option<Offered> {
        let mut offered = lock(&self.offered);
        let is_it = |own: &Offered| own.offer.hash == hash && own.offer.bytes == bytes;
        let place = offered.iter().position(is_it)?;
        Some(offered.remove(place))
    }
}

/// A transfer with its ticket, or a file that needs none.
pub(super) enum Asked {
    Send(Transfer, Offered),
    Fetch(Transfer),
    Plain(u32),
    /// The run of an order lies there, or will not.
    Recorded(OrderNumber),
}

impl Asked {
    /// Of a run of this host; the room waits until it lies on the shelf.
    pub(super) fn order(&self) -> Option<OrderNumber> {
        match self {
            Self::Send(_, own) => own.offer.order,
            Self::Recorded(order) => Some(*order),
            Self::Fetch(_) | Self::Plain(_) => None,
        }
    }
}

/// The outcome of a transfer.
pub(super) struct Done {
    pub file: Option<ShelfFile>,
    /// Where a fetched file lies.
    pub saved: Option<PathBuf>,
    pub message: Option<Message>,
}

fn plainly(number: u32) -> Message {
    Message::Say(format!("/plain {number}"))
}

impl Offered {
    /// From `FILE [@NAME] [--plain]`; the file may have blanks in its name.
    fn typed(words: &str) -> anyhow::Result<Self> {
        const USAGE: &str = "/send FILE [@NAME] [--plain]; for example /send capture.pcap";
        let (words, plain) = match words.strip_suffix("--plain") {
            Some(words) => (words.trim_end(), true),
            None => (words, false),
        };
        let (path, to) = match words.rsplit_once(" @") {
            Some((path, name)) => (path.trim_end(), Some(Name::new(name)?)),
            None => (words, None),
        };
        if path.is_empty() {
            bail!("{USAGE}");
        }
        Self::of(Path::new(path), to, plain)
    }

    /// A file, or the folder of a run.
    fn of(path: &Path, to: Option<Name>, plain: bool) -> anyhow::Result<Self> {
        let cannot = || format!("cannot send {}", path.display());
        let meta = metadata(path).with_context(cannot)?;
        let (mut file, kind) = match meta.is_dir() {
            true => (pack_run(path).with_context(cannot)?, FileKind::Run),
            false if meta.is_file() => (File::open(path).with_context(cannot)?, FileKind::File),
            false => bail!("{} is no regular file and no folder of a run", path.display()),
        };
        let hash = hash_of(&mut file).with_context(cannot)?;
        let absolute = path.canonicalize().with_context(cannot)?;
        let name = FileName::nearest(&absolute.file_name().unwrap_or_default().to_string_lossy());
        let bytes = file.metadata().with_context(cannot)?.len();
        let offer = Offer { name, bytes, to, kind, order: None, hash: Some(hash) };
        Ok(Self { offer, file, plain })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_comes_that_was_not_asked_for() {
        let room = RoomAddress { address: ([127, 0, 0, 1], 9).into(), psk: [0; 32] };
        let files = Files::new(room, Path::new("inbox"));
        let get = |number: u32| {
            let transfer = serde_json::json!({"event": "get", "transfer": {"ticket": "0", "offset": 0,
                "file": {"number": number, "name": "a", "bytes": 1, "from": "eve"}}});
            serde_json::from_value::<Event>(transfer).unwrap()
        };
        assert!(files.asked(&get(3)).is_none());
        assert!(files.typed("/get 3").unwrap().is_none());
        assert!(files.asked(&get(4)).is_none());
        assert!(files.asked(&get(3)).is_some_and(|asked| matches!(asked, Asked::Fetch(_))));
        assert!(files.asked(&get(3)).is_none());
    }

    #[test]
    fn a_file_with_blanks_a_name_and_a_wish_are_told_apart() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a b.txt");
        std::fs::write(&path, "content").unwrap();
        let typed = |more: &str| Offered::typed(&format!("{}{more}", path.display())).unwrap();
        for (more, to, plain) in [
            ("", None, false),
            (" @bea", Some("bea"), false),
            (" --plain", None, true),
            (" @bea --plain", Some("bea"), true),
        ] {
            let offered = typed(more);
            assert_eq!((offered.offer.to.as_ref().map(Name::as_str), offered.plain), (to, plain), "{more}");
            assert_eq!((offered.offer.name.as_str(), offered.offer.bytes), ("a b.txt", 7));
        }
        assert!(Offered::typed("").is_err() && Offered::typed("nothing-here").is_err());
        // A folder is that of a run or nothing.
        assert!(Offered::typed(&place.path().display().to_string()).is_err());
        std::fs::write(place.path().join("run.json"), "{}").unwrap();
        assert_eq!(Offered::typed(&place.path().display().to_string()).unwrap().offer.kind, FileKind::Run);
    }
}
