//! The meeting place of the two ends of a path, without a socket: members, what they say to whom, and
//! what each of them is shown. Deterministic: `now` is an argument.

mod access;
mod addressing;
mod command;
mod connection_id;
mod counters;
mod event;
mod first_bytes;
mod flood;
mod framing;
mod host_load;
mod message;
mod name;
mod order_event;
mod order_summary;
mod order_text;
mod orders;
mod outer_address;
mod ports;
mod shelf;
mod shown;
mod talk;
mod tcp_reply;
mod transcript;
mod way_probe;
mod wrong_words;

pub use access::{Access, Guests, NotAllowed};
pub use command::{Command, CommandError, OrderCommand};
pub use connection_id::ConnectionId;
pub use counters::RoomCounters;
pub use event::{Event, LeftReason, Presence, Role, Via};
pub use first_bytes::{FirstBytes, MAGIC};
pub use framing::{Framed, Framing};
pub use host_load::HostLoad;
pub use message::{Accepted, Message, ReportedSecond};
pub use name::{Name, NameError};
pub use order_event::{FoundWay, OrderEvent, OrderFigures, OrderTask, OrderTerms, Placed};
pub use order_summary::{HostBusy, HostResult, OrderSummary};
pub use orders::{
    Accept, Accepts, Addresses, Ending, News, OrderNumber, Orders, Parties, Refusal, Request, Step, Task,
    Terms, Way,
};
pub use outer_address::{OuterAddress, StunRequest};
pub use ports::{
    Knocked, Opened, Pace, PortCheck, PortCounts, PortFate, PortKnock, PortProtocol, PortRange, PortSet,
    PortState, PortsFound,
};
pub use shelf::{
    AUTH_ERROR, AUTH_SUCCESS, ContentHash, Direction, FileKind, FileName, NoHash, Offer, Offered,
    PlainAnswer, PlainOffer, Shelf, ShelfError, ShelfFile, Ticket, Transfer,
};
pub use shown::shown;
pub use talk::{Connecting, FileRefusal, NoRoom, Room};
pub use tcp_reply::TcpReply;
pub use transcript::{TranscriptLine, transcript_page};
pub use way_probe::{WayProbe, candidates_to_try};
pub use wrong_words::WrongWords;
