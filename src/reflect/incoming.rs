//! A datagram that came in, and what is known of its coming.

use crate::endpoints::Endpoints;
use crate::time::Instant;
use crate::wire::native::SocketMark;

/// A datagram to be handled. Its answer, if one leaves at once, is written over it.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// When it came to the socket. What it waited there is time spent at the server, and counts
    /// towards its hold.
    pub received: Instant,
    /// When it is handled.
    pub now: Instant,
    pub path: Endpoints,
    /// How many hops it had left, where the system tells.
    pub ttl: Option<u8>,
    /// What the socket had dropped by then, and how often it had turned to another sender.
    pub socket: SocketMark,
    /// The datagram is its first `length` bytes; all of it is at least `Server::ROOM` long.
    pub buffer: &'a mut [u8],
    pub length: usize,
}

impl<'a> Incoming<'a> {
    /// One that is handled when it comes, with no word of its hops.
    pub fn new(now: Instant, path: Endpoints, buffer: &'a mut [u8], length: usize) -> Self {
        Self { received: now, now, path, ttl: None, socket: SocketMark::default(), buffer, length }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}
