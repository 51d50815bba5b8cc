//! The meeting place of the two ends of a path, without a socket: members, what they say to whom, and
//! what each of them is shown. Deterministic: `now` is an argument.

mod access;
mod addressing;
mod command;
mod counters;
mod event;
mod flood;
mod framing;
mod message;
mod name;
mod orders;
mod ports;
mod shown;
mod talk;
mod tcp_reply;

pub use access::{Access, Guests, NotAllowed};
pub use command::{Command, CommandError, OrderCommand};
pub use counters::RoomCounters;
pub use event::{Event, HostLoad, LeftReason, Presence, Role, Via};
pub use framing::{Framed, Framing};
pub use message::Message;
pub use name::{Name, NameError};
pub use orders::{Accept, Addresses, Ending, News, OrderNumber, Orders, Parties, Refusal, Step, Terms, Way};
pub use ports::{PortCounts, PortRange, PortState};
pub use shown::shown;
pub use talk::{Connecting, ConnectionId, NoRoom, Room};
pub use tcp_reply::TcpReply;
