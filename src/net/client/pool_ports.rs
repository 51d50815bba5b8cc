//! The shared sockets that one target uses, one for each of its channels.

use std::io;
use std::net::SocketAddr;

use super::pool::{Owner, PortNumber};
use super::shared::Shared;
use super::target_queue::TargetId;
use crate::relay::Header;

/// The shared sockets that a target sends by.
#[derive(Debug)]
pub(super) struct PoolPorts {
    remote: SocketAddr,
    /// The header fields that differ from the sockets' own.
    pub header: Header,
    /// One for each channel; none before the target is an engine's.
    pub ports: Vec<PortNumber>,
    /// Their numbers in datagrams.
    sources: Vec<u16>,
    /// Above all that the target has used.
    next: PortNumber,
    pub has_stamps: bool,
}

impl PoolPorts {
    /// Limits the sockets that renewing ports may open.
    const MOST: PortNumber = 256;

    pub(super) fn new(remote: SocketAddr, dscp: Option<u8>) -> Self {
        let header = Header { tos: dscp.map(|dscp| dscp << 2), ttl: None };
        Self { remote, header, ports: Vec::new(), sources: Vec::new(), next: 0, has_stamps: false }
    }

    pub(super) fn take_ports(
        &mut self,
        target: TargetId,
        channels: usize,
        shared: &mut Shared,
    ) -> io::Result<()> {
        for channel in 0..channels {
            let port = shared.port_for(self.remote, Owner { target, channel }, 0)?;
            self.ports.push(port);
            self.sources.push(shared.pool.source_port(port));
            self.next = self.next.max(port + 1);
        }
        self.has_stamps = shared.pool.has_stamps();
        Ok(())
    }

    pub(super) fn leave_ports(&mut self, shared: &mut Shared) {
        for port in self.ports.drain(..) {
            shared.pool.leave(port, self.remote);
        }
    }

    /// The number that a channel's datagrams leave from.
    pub(super) fn source_port(&self, channel: usize) -> Option<u16> {
        self.sources.get(channel).copied()
    }

    /// Another socket for a channel, of those that the target has not used yet while there are such.
    pub(super) fn renew(&mut self, target: TargetId, channel: usize, shared: &mut Shared) -> io::Result<()> {
        let from = if self.next < Self::MOST { self.next } else { 0 };
        let port = shared.port_for(self.remote, Owner { target, channel }, from)?;
        self.next = self.next.max(port + 1);
        self.sources[channel] = shared.pool.source_port(port);
        let before = std::mem::replace(&mut self.ports[channel], port);
        shared.pool.leave(before, self.remote);
        Ok(())
    }
}
