//! A room on sockets: the machine of `room` behind handles that connections of any kind share, and the
//! TCP port where they come in.

mod browsers;
mod client;
mod converse;
mod files;
mod members;
mod page;
mod plain;
mod port_check;
mod second_port;
mod secure;
mod server;
mod service;
mod sniff;
mod sockets;
mod way;

pub use client::{JoinError, RoomReceiver, RoomSender, join_room};
pub use files::{
    Inbox, InboxError, Partial, RoomAddress, RoomFiles, TransferError, UploadError, hash_of, pack_run,
    unpack_run,
};
pub use page::{RoomPage, RunReport};
pub use port_check::{PortListeners, knock_ports};
pub use secure::{Frame, Opener, Opening, OtherKey, Sealer, accept_handshake};
pub use server::{RoomOperator, RoomServer, RoomSettings};
pub use service::{RoomService, RoomView, Seat};
pub use way::{WayFinder, own_addresses};
