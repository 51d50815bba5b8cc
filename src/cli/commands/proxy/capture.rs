//! `--pcap`: each datagram as it arrived and as it left, with its fate in the comment of one of the two.

use std::fs::File;
use std::io::{self, BufWriter};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::ledger::as_it_arrived;
use super::recorder::{Sink, Upstreams, create};
use crate::impair::Direction;
use crate::net::RelayObservation;
use crate::record::pcapng::{Capture as Writer, Captured};
use crate::relay::{Dropped, Fate, FlowId, Header, Leaving};
use crate::time::Instant;

pub(super) struct Capture {
    path: PathBuf,
    writer: Writer<BufWriter<File>>,
    mappings: Vec<Addresses>,
    /// Of the packet that is being written; kept so that its memory is reused.
    comment: String,
}

/// Of a mapping.
struct Addresses {
    listener: SocketAddr,
    server: SocketAddr,
}

/// A side of a mapping: an interface of the capture.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Client,
    Server,
}

impl Capture {
    pub(super) fn create(path: &Path, force: bool, snap_length: usize) -> anyhow::Result<Self> {
        let out = create(path, force, "give --pcap another file")?;
        let writer = Writer::new(out, snap_length)?;
        Ok(Self { path: path.to_owned(), writer, mappings: Vec::new(), comment: String::new() })
    }

    fn add_mapping(&mut self, name: &str, listener: SocketAddr, server: SocketAddr) -> io::Result<()> {
        self.mappings.push(Addresses { listener, server });
        ["client", "server"]
            .into_iter()
            .try_for_each(|side| self.writer.add_interface(&format!("{name}/{side}")))
    }

    /// A packet on one side of a mapping, toward the server or from it, with the comment that was made for it.
    fn packet(&mut self, packet: &Packet, payload: &[u8]) -> io::Result<()> {
        let Addresses { listener, server } = self.mappings[packet.mapping];
        let near = packet.local.unwrap_or(match packet.side {
            At::Client => listener,
            At::Server => {
                SocketAddr::new(if server.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() }, 0)
            }
        });
        let far = packet.peer.unwrap_or(server);
        let arrives = (packet.side == At::Client) == (packet.direction == Direction::Up);
        let (from, to) = if arrives { (far, near) } else { (near, far) };
        let side = u32::from(packet.side == At::Server);
        self.writer.write(&Captured {
            interface: u32::try_from(packet.mapping * 2).unwrap_or(u32::MAX) + side,
            at: packet.at.as_nanos(),
            from,
            to,
            tos: packet.header.tos.unwrap_or(0),
            // Of a socket that tells none, as many as most systems begin with.
            ttl: packet.header.ttl.unwrap_or(64),
            payload,
            comment: &self.comment,
        })
    }

    fn arrived(&mut self, leaving: &Leaving, payload: &[u8], upstreams: &Upstreams) -> io::Result<()> {
        let side = match leaving.direction {
            Direction::Up => At::Client,
            Direction::Down => At::Server,
        };
        let packet = Packet::of(leaving, side, leaving.arrived, leaving.header, upstreams);
        let payload = as_it_arrived(leaving.corrupted, payload);
        self.begin_comment(Some(leaving.flow), leaving.direction, Some(leaving.seq));
        self.packet(&packet, &payload)
    }

    fn sent(
        &mut self,
        leaving: &Leaving,
        fate: Fate,
        released: Instant,
        payload: &[u8],
        upstreams: &Upstreams,
    ) -> io::Result<()> {
        let side = match leaving.direction {
            Direction::Up => At::Server,
            Direction::Down => At::Client,
        };
        let header = Header { ttl: leaving.header.ttl.map(|ttl| ttl.saturating_sub(1)), tos: leaving.tos };
        let packet = Packet::of(leaving, side, released, header, upstreams);
        self.begin_comment(Some(leaving.flow), leaving.direction, Some(leaving.seq));
        if leaving.is_copy {
            self.comment.push_str(" copy");
        } else {
            self.add_fate(fate);
        }
        self.comment.push_str(" hold_us=");
        self.add_number(u64::try_from((released - leaving.arrived).as_nanos() / 1_000).ok());
        if leaving.corrupted.is_some() {
            self.comment.push_str(" corrupted");
        }
        self.packet(&packet, payload)
    }

    fn begin_comment(&mut self, flow: Option<FlowId>, direction: Direction, seq: Option<u64>) {
        self.comment.clear();
        self.comment.push_str("flow=");
        self.add_number(flow.map(FlowId::ordinal));
        self.comment.push_str(" dir=");
        self.comment.push_str(direction.name());
        self.comment.push_str(" seq=");
        self.add_number(seq);
    }

    fn add_number(&mut self, number: Option<u64>) {
        match number {
            Some(number) => self.comment.push_str(itoa::Buffer::new().format(number)),
            None => self.comment.push('-'),
        }
    }

    fn add_fate(&mut self, fate: Fate) {
        let (fate, cause) = match fate {
            Fate::Passed => (" fate=passed", ""),
            Fate::SendError => (" fate=send_error", ""),
            Fate::Dropped(cause) => (" fate=dropped cause=", cause.label()),
        };
        self.comment.push_str(fate);
        self.comment.push_str(cause);
    }
}

impl Sink for Capture {
    fn path(&self) -> &Path {
        &self.path
    }

    fn write(
        &mut self,
        observation: &RelayObservation,
        payload: &[u8],
        upstreams: &Upstreams,
    ) -> io::Result<()> {
        match observation {
            RelayObservation::Arrived { leaving } => self.arrived(leaving, payload, upstreams),
            RelayObservation::Sent { leaving, fate, released } => {
                self.sent(leaving, *fate, *released, payload, upstreams)
            }
            RelayObservation::Dropped { dropped, arrived, from, header, .. } => {
                let Dropped { mapping, flow, direction, seq, cause } = *dropped;
                let (side, local) = match direction {
                    Direction::Up => (At::Client, None),
                    Direction::Down => (At::Server, flow.and_then(|flow| upstreams.get(&flow).copied())),
                };
                let (peer, at, header) = (Some(from.remote), *arrived, *header);
                let packet = Packet { mapping, side, direction, at, header, local, peer };
                self.begin_comment(flow, direction, seq);
                self.add_fate(Fate::Dropped(cause));
                self.packet(&packet, payload)
            }
            RelayObservation::MappingAdded { name, listen, upstream, .. } => {
                self.add_mapping(name, *listen, *upstream)
            }
            RelayObservation::FlowOpened { .. }
            | RelayObservation::Rebound { .. }
            | RelayObservation::FlowClosed { .. }
            | RelayObservation::Refused { .. }
            | RelayObservation::SocketError { .. } => Ok(()),
        }
    }

    fn wants_arrivals(&self) -> bool {
        true
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// A packet where it was seen.
struct Packet {
    mapping: usize,
    side: At,
    direction: Direction,
    at: Instant,
    header: Header,
    /// The proxy's own address, if it is not the listener's.
    local: Option<SocketAddr>,
    /// The other end, if it is not the server.
    peer: Option<SocketAddr>,
}

impl Packet {
    fn of(leaving: &Leaving, side: At, at: Instant, header: Header, upstreams: &Upstreams) -> Self {
        let Leaving { mapping, flow, direction, client, .. } = *leaving;
        let (local, peer) = match side {
            At::Client => (None, Some(client.remote)),
            At::Server => (upstreams.get(&flow).copied(), None),
        };
        Self { mapping, side, direction, at, header, local, peer }
    }
}
