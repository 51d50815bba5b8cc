//! A room on sockets: the machine of `room` behind handles that connections of any kind share, and the
//! TCP port where they come in.

mod client;
mod converse;
mod members;
mod plain;
mod secure;
mod server;
mod service;
mod sniff;
mod sockets;
mod way;

pub use client::{JoinError, RoomReceiver, RoomSender, join_room};
pub use server::{RoomOperator, RoomServer, RoomSettings};
pub use service::{RoomService, Seat};
pub use way::WayFinder;
