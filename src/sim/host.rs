//! A simulated client's host: its ports, its two links, the NAT in between.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::ground_truth::GroundTruth;
use super::link::SimulatedLink;
use super::socket::SimSocket;
use crate::probe::{Client, Event};
use crate::reflect::ServerPort;
use crate::time::{Duration, Instant};

pub(super) const FIRST_PORT: u16 = 10_000;

/// The step by which a NAT's rebinding changes the ports: more than a client has of its own.
const REBINDING_STEP: u16 = 1000;

pub(super) struct Host {
    pub(super) client: Client,
    /// The server's port that it sends to.
    pub(super) server_port: ServerPort,
    pub(super) clock_lead: Duration,
    /// The port of each of the client's channels.
    pub(super) ports: Vec<u16>,
    pub(super) next_port: u16,
    /// The server sees each port as one that is higher by this.
    pub(super) nat_offset: u16,
    pub(super) socket: SimSocket,
    pub(super) up: SimulatedLink,
    pub(super) down: SimulatedLink,
    pub(super) wake: Option<Instant>,
    pub(super) ground_truth: GroundTruth,
    pub(super) events: Vec<Event>,
    pub(super) keeps_events: bool,
    /// The host does nothing in this span; datagrams wait in its sockets.
    pub(super) suspended: Option<(Instant, Instant)>,
}

impl Host {
    pub(super) fn new(
        client: Client,
        channels: u16,
        server_port: ServerPort,
        up: SimulatedLink,
        down: SimulatedLink,
    ) -> Self {
        let next_port = FIRST_PORT + channels;
        Self {
            client,
            server_port,
            clock_lead: Duration::ZERO,
            ports: (FIRST_PORT..next_port).collect(),
            next_port,
            nat_offset: 0,
            socket: SimSocket::default(),
            up,
            down,
            wake: None,
            ground_truth: GroundTruth::at(server_port),
            events: Vec::new(),
            keeps_events: true,
            suspended: None,
        }
    }

    pub(super) fn rebind_nat(&mut self) {
        self.nat_offset = self.nat_offset.wrapping_add(REBINDING_STEP);
    }

    pub(super) fn reopen(&mut self, channel: usize) {
        self.ports[channel] = self.next_port;
        self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_PORT);
    }

    /// The port of a channel as the server sees it.
    pub(super) fn public_port(&self, channel: usize) -> u16 {
        self.ports[channel].wrapping_add(self.nat_offset)
    }

    /// None for a port that the client or the NAT has given up.
    pub(super) fn channel_of(&self, public_port: u16) -> Option<usize> {
        (0..self.ports.len()).find(|&channel| self.public_port(channel) == public_port)
    }

    /// When the host resumes, if it is suspended now.
    pub(super) fn resumes(&self, now: Instant) -> Option<Instant> {
        self.suspended.filter(|(from, end)| (*from..*end).contains(&now)).map(|(_, end)| end)
    }
}

/// The address of a host contains its number.
pub(super) fn address(host: usize, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + host as u32)), port)
}

pub(super) fn host_at(address: SocketAddr) -> (usize, u16) {
    let IpAddr::V4(ip) = address.ip() else { unreachable!("hosts have IPv4 addresses") };
    ((ip.to_bits() - 0x0A00_0000) as usize, address.port())
}
