//! The packets of irtt 0.9 (protocol version 1), little-endian.
//!
//! ```text
//!  at
//!   0  magic 14 A7 5B
//!   3  flags: open 1, reply 2, close 4, HMAC 8
//!   4  HMAC-MD5 of the whole packet with this field zero (16), if its flag is set
//!      connection token (8), not in a request to open
//!      a probe and its reply:            a request to open and its reply:
//!      sequence number (4)               parameters: number and value each,
//!      received count (4), if agreed     as variable-length integers
//!      received window (8), if agreed
//!      receive, then send time, each wall clock (8) and monotonic (8), as agreed
//!      payload
//! ```
//!
//! A request has zeros where its reply has figures, so both have the same length.

mod hmac;
mod layout;
mod packet;
mod params;
mod varint;

pub use hmac::HmacKey;
pub use packet::{Echo, Packet, Times, Unread};
pub use params::{Clocks, Params, ReceivedStats, StampAt};

/// The port of an irtt server.
pub const PORT: u16 = 2112;
/// The only version there is.
pub const VERSION: i64 = 1;
