//! The meeting place of the two ends of a path, without a socket: members, what they say to whom, and
//! what each of them is shown. Deterministic: `now` is an argument.

mod addressing;
mod command;
mod event;
mod flood;
mod name;
mod orders;
mod ports;
mod relay;
mod shown;
mod talk;
mod tcp_reply;

pub use command::{Command, CommandError, OrderCommand};
pub use event::{Event, HostLoad, LeftReason, Presence, Role, Via};
pub use name::{Name, NameError};
pub use orders::{Accept, Addresses, Ending, News, OrderNumber, Orders, Parties, Refusal, Step, Terms, Way};
pub use ports::{PortCounts, PortRange, PortState};
pub use relay::{Relay, RelayAnswer};
pub use shown::shown;
pub use talk::{Connecting, ConnectionId, NoRoom, Request, Room};
pub use tcp_reply::TcpReply;
