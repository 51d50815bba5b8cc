//! A room on sockets: the machine of `room` behind handles that connections of any kind share.

mod service;

pub use service::{RoomService, Seat};
