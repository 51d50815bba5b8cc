//! A relay between the clients' paths and the server, as `proxy` stands there.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::action::Action;
use super::{BUFFER, Simulation};
use crate::endpoints::Endpoints;
use crate::impair::Direction;
use crate::relay::{
    Decision, DropCause, Event, FlowId, Header, Leaving, Limits, MappingSettings, Relay, Sender, Side,
};
use crate::sim::host::{address, host_at};
use crate::time::Instant;

const RELAY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// Of the relay toward the server: one of a service would get no answer.
const FIRST_PORT: u16 = 40_000;

/// The relay, and what it did with each datagram.
pub(super) struct Relayed {
    relay: Relay,
    wake: Option<Instant>,
    /// Toward the server, from `FIRST_PORT` on.
    ports: Vec<Port>,
    current: HashMap<FlowId, u16>,
    ledger: Vec<RelayedDatagram>,
}

/// A port toward the server.
#[derive(Clone, Copy)]
struct Port {
    flow: FlowId,
    /// The ordinal of the flow's upstream port.
    number: u32,
    client: Endpoints,
}

/// A datagram that arrived at the relay.
#[derive(Clone, Debug)]
pub struct RelayedDatagram {
    /// Up to the server, or down.
    pub direction: Direction,
    /// As it arrived.
    pub payload: Vec<u8>,
    /// `None`: it passed.
    pub dropped: Option<DropCause>,
    /// One of its bits was flipped.
    pub corrupted: bool,
}

impl Simulation {
    /// Puts a relay with one mapping before the server. Call it before the first client is added.
    pub fn behind_relay(mut self, settings: MappingSettings) -> Self {
        let relay = Relay::new(vec![settings], Limits::default(), Self::START);
        let (ports, current, ledger) = Default::default();
        self.relayed = Some(Relayed { relay, wake: None, ports, current, ledger });
        self
    }

    /// The relay's treatment of each datagram, in order of arrival.
    pub fn relayed(&self) -> &[RelayedDatagram] {
        self.relayed.as_ref().map_or(&[], |relayed| &relayed.ledger)
    }

    /// A datagram of a client has passed the client's own path.
    pub(super) fn arrive(&mut self, host: usize, port: u16, arrived: Instant, datagram: &[u8]) {
        let client = Endpoints { remote: address(host, port), local: None };
        match self.relayed.is_some() {
            true => self.relay_datagram(Side::Client(client), datagram),
            false => self.deliver_to_server(host, client.remote, arrived, datagram),
        }
    }

    /// A datagram of the server to this address, if that is a port of the relay.
    pub(super) fn relay_down(&mut self, to: SocketAddr, datagram: &[u8]) -> bool {
        let Some(relayed) = self.relayed.as_ref().filter(|_| to.ip() == RELAY) else { return false };
        let Port { flow, number, client } = relayed.port(to.port());
        let (host, _) = host_at(client.remote);
        self.hosts[host].ground_truth.reply_sent(datagram);
        self.relay_datagram(Side::Server { flow, port: number, sender: Sender::Server }, datagram);
        true
    }

    pub(super) fn wake_relay(&mut self) {
        let now = self.now;
        let mut buffer = vec![0; BUFFER];
        while let Some(relayed) = self.relayed.as_mut()
            && let Some(leaving) = relayed.relay.poll_transmit(now, &mut buffer)
        {
            self.leave_relay(&leaving, &buffer[..leaving.length]);
        }
        if let Some(relayed) = &mut self.relayed {
            relayed.wake = None;
            relayed.relay.handle_timeout(now);
            relayed.apply_events();
        }
        self.schedule_relay();
    }

    fn relay_datagram(&mut self, side: Side, datagram: &[u8]) {
        let Some(relayed) = &mut self.relayed else { return };
        let mut changed = datagram.to_vec();
        let decision = relayed.relay.handle(self.now, 0, side, Header::default(), &mut changed);
        relayed.apply_events();
        let (direction, dropped, corrupted) = match &decision {
            Decision::Forward(leaving) | Decision::Held(leaving) => {
                (leaving.direction, None, leaving.corrupted.is_some())
            }
            Decision::Dropped(dropped) => (dropped.direction, Some(dropped.cause), false),
        };
        relayed.ledger.push(RelayedDatagram { direction, payload: datagram.to_vec(), dropped, corrupted });
        if let Decision::Forward(leaving) = decision {
            self.leave_relay(&leaving, &changed);
        }
        self.schedule_relay();
    }

    fn leave_relay(&mut self, leaving: &Leaving, datagram: &[u8]) {
        let Some(relayed) = &mut self.relayed else { return };
        relayed.relay.sent(leaving, true);
        let (host, _) = host_at(leaving.client.remote);
        match leaving.direction {
            Direction::Up => {
                let from = SocketAddr::new(RELAY, relayed.current[&leaving.flow]);
                self.deliver_to_server(host, from, self.now, datagram);
            }
            Direction::Down => self.pass_down(leaving.client.remote, datagram),
        }
    }

    fn schedule_relay(&mut self) {
        let Some(relayed) = &mut self.relayed else { return };
        let due = relayed.relay.poll_timeout().map(|at| at.max(self.now));
        if let Some(at) = due.filter(|at| relayed.wake.is_none_or(|wake| wake > *at)) {
            relayed.wake = Some(at);
            self.schedule(at, Action::WakeRelay);
        }
    }
}

impl Relayed {
    /// Whether it is to do something now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.wake.is_some_and(|wake| wake <= now)
    }

    fn apply_events(&mut self) {
        for event in self.relay.take_events() {
            match event {
                Event::FlowOpened { flow, client, .. } => self.open(Port { flow, number: 0, client }),
                Event::Rebound { flow, port, .. } => {
                    let client = self.port(self.current[&flow]).client;
                    self.open(Port { flow, number: port, client });
                }
                Event::FlowClosed { .. } | Event::StateChanged { .. } => {}
            }
        }
    }

    fn open(&mut self, port: Port) {
        self.current.insert(port.flow, FIRST_PORT + self.ports.len() as u16);
        self.ports.push(port);
    }

    fn port(&self, number: u16) -> Port {
        self.ports[usize::from(number - FIRST_PORT)]
    }
}
