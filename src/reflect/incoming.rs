//! A received datagram, and what the socket tells about it.

use super::server_port::ServerPort;
use crate::endpoints::Endpoints;
use crate::time::Instant;
use crate::wire::native::SocketMark;

/// A datagram to be handled. An immediate reply is written over it.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// When it arrived at the socket. The wait there is time at the server and counts towards the hold.
    pub received: Instant,
    /// When it is handled.
    pub now: Instant,
    /// Where it came from, and the address of this host that it was sent to.
    pub path: Endpoints,
    /// The port that it came to.
    pub server_port: ServerPort,
    /// Its TTL or hop limit on arrival, where the system tells.
    pub ttl: Option<u8>,
    /// Its traffic class on arrival (DSCP and ECN), where the system tells.
    pub traffic_class: Option<u8>,
    /// The socket's drop count when it arrived.
    pub socket: SocketMark,
    /// The datagram is the first `length` bytes; the buffer has at least `Server::ROOM`.
    pub buffer: &'a mut [u8],
    /// Bytes of the datagram, from the start of the buffer.
    pub length: usize,
}

impl<'a> Incoming<'a> {
    /// A datagram that is handled on arrival, of which the system tells nothing else.
    pub fn new(now: Instant, path: Endpoints, buffer: &'a mut [u8], length: usize) -> Self {
        Self {
            received: now,
            now,
            path,
            server_port: ServerPort::Main,
            ttl: None,
            traffic_class: None,
            socket: SocketMark::default(),
            buffer,
            length,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}
