//! Steers a running relay from other threads: each order runs on the relay's thread between two batches. Its sender
//! may wait for the answer; the relay waits for nobody.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use super::{Listener, Place, RelayEngine, RelayMapping, RelayObservation, Socket};
use crate::impair::{Direction, Impairment};
use crate::net::stop_signal::Control;
use crate::relay::{
    FlowFigures, FlowId, Happening, MappingFigures, MappingId, MappingSettings, RelayFigures, ReleaseError,
};
use crate::time::Duration;

pub(super) type Order = Box<dyn FnOnce(&mut RelayEngine) + Send>;

/// Sends orders to a relay.
#[derive(Clone)]
pub struct RelayHandle {
    pub(super) orders: Sender<Order>,
    pub(super) control: Arc<Control>,
}

impl RelayHandle {
    /// Runs this on the relay's thread, soon. A relay that has ended drops it.
    pub fn send(&self, order: impl FnOnce(&mut RelayEngine) + Send + 'static) {
        let _ = self.orders.send(Box::new(order));
        self.control.wake();
    }

    /// The same, and waits for the answer; `None` if the relay has ended.
    pub fn ask<T: Send + 'static>(
        &self,
        order: impl FnOnce(&mut RelayEngine) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = channel();
        self.send(move |engine| drop(answer.send(order(engine))));
        answered.recv().ok()
    }
}

impl RelayEngine {
    /// Orders to this relay, as long as it runs under this control.
    pub fn handle(&self, control: &Arc<Control>) -> RelayHandle {
        RelayHandle { orders: self.order_sender.clone(), control: Arc::clone(control) }
    }

    pub(super) fn obey(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            order(self);
        }
    }

    /// The mapping of this name, unless it was removed.
    pub fn mapping_named(&self, name: &str) -> Option<MappingId> {
        let is_it = |&mapping: &MappingId| {
            !self.listeners[mapping].is_removed && self.relay.settings(mapping).name == name
        };
        (0..self.listeners.len()).find(is_it)
    }

    /// The mappings that were not removed.
    pub fn mapping_numbers(&self) -> Vec<MappingId> {
        (0..self.listeners.len()).filter(|&mapping| !self.listeners[mapping].is_removed).collect()
    }

    /// How many mappings it has had, those that were removed among them.
    pub fn mappings_made(&self) -> usize {
        self.listeners.len()
    }

    /// The name of a mapping.
    pub fn mapping_name(&self, mapping: MappingId) -> &str {
        &self.relay.settings(mapping).name
    }

    /// Whether this is the address of one of its listening sockets.
    pub fn listens_at(&self, address: SocketAddr) -> bool {
        self.listeners.iter().any(|listener| !listener.is_removed && listener.address == address)
    }

    /// Everything that it shows of itself.
    pub fn figures(&self) -> RelayFigures {
        RelayFigures {
            elapsed: self.clock.now() - self.began,
            mappings: (0..self.listeners.len()).map(|mapping| self.mapping(mapping)).collect(),
            held_bytes: self.relay.held_bytes(),
            release_error: self.release_error(),
        }
    }

    /// One mapping as it is now.
    pub fn mapping(&self, mapping: MappingId) -> MappingFigures {
        let Listener { address, upstream, server, is_removed, .. } = &self.listeners[mapping];
        MappingFigures {
            settings: self.relay.settings(mapping).clone(),
            listen: *address,
            server: server.clone(),
            upstream: *upstream,
            is_down: self.relay.is_down(mapping),
            is_removed: *is_removed,
            counters: self.relay.counters(mapping),
            queues: self.relay.queues(mapping, self.clock.now()),
        }
    }

    /// The open flow with this number.
    pub fn flow_numbered(&self, number: u64) -> Option<FlowId> {
        self.relay.flow_numbered(number)
    }

    /// Flows from this number on, at most so many, each with its port toward the server.
    pub fn flows(&self, from: u64, at_most: usize) -> Vec<(FlowFigures, Option<u16>)> {
        let flows = self.relay.flows(self.clock.now(), from, at_most);
        let with_port = |flow: FlowFigures| {
            let port = self.upstreams.of_flow(flow.id).map(|upstream| upstream.local.port());
            (flow, port)
        };
        flows.into_iter().map(with_port).collect()
    }

    /// Changes a mapping; its flows follow.
    pub fn change(&mut self, mapping: MappingId, change: impl FnOnce(&mut MappingSettings)) {
        let now = self.clock.now();
        self.relay.change(now, mapping, change);
        let MappingSettings { up, down, nat, .. } = self.relay.settings(mapping);
        let (up, down, nat) = (up.to_string(), down.to_string(), nat.to_string());
        self.note(mapping, Happening::Changed { up, down, nat });
    }

    /// The NAT forgets the ports of all flows of a mapping: their next datagrams leave from others.
    pub fn rebind(&mut self, mapping: MappingId) {
        self.relay.rebind(mapping);
    }

    /// The same for one flow. Whether there is such a flow.
    pub fn rebind_flow(&mut self, flow: FlowId) -> bool {
        self.relay.rebind_flow(flow)
    }

    /// The line of one flow; `None` gives it that of its mapping again. Whether there is such a flow.
    pub fn set_flow_line(
        &mut self,
        flow: FlowId,
        direction: Direction,
        own: Option<Arc<Impairment>>,
    ) -> bool {
        let now = self.clock.now();
        self.relay.set_flow_line(now, flow, direction, own)
    }

    /// Its client's next datagram opens a new flow. Whether there was such a flow.
    pub fn close_flow(&mut self, flow: FlowId) -> bool {
        self.relay.close_flow(flow)
    }

    /// Loses everything that arrives in this direction for so long.
    pub fn black_out(&mut self, mapping: MappingId, direction: Direction, length: Duration) {
        let until = self.clock.now() + length;
        self.relay.black_out(mapping, direction, until);
        self.note(mapping, Happening::blackhole(direction, length));
    }

    /// Closes the listening socket, so that the kernel refuses what clients send, or opens it again.
    pub fn set_down(&mut self, mapping: MappingId, down: bool) -> io::Result<()> {
        let before = self.relay.is_down(mapping);
        if down {
            self.close_listener(mapping);
        } else if self.listeners[mapping].socket.is_none() {
            let address = self.listeners[mapping].address;
            self.listeners[mapping].socket = Some(self.listen(address, mapping)?);
        }
        self.relay.set_down(mapping, down);
        if down != before {
            self.note(mapping, Happening::state(down));
        }
        Ok(())
    }

    /// Listens from now on; the address has its port then.
    pub fn add_mapping(&mut self, mapping: RelayMapping) -> io::Result<MappingId> {
        let socket = self.listen(mapping.listen, self.listeners.len())?;
        let address = socket.local_addr()?;
        Ok(self.add_listener(mapping, Some(socket), address))
    }

    /// The socket stands in the ready set under the number that this returns.
    pub(super) fn add_listener(
        &mut self,
        mapping: RelayMapping,
        socket: Option<Socket>,
        address: SocketAddr,
    ) -> MappingId {
        let RelayMapping { upstream, server, settings, .. } = mapping;
        let number = self.listeners.len();
        self.listeners.push(Listener::new(socket, address, upstream, server));
        self.notes.push(RelayObservation::MappingAdded {
            mapping: number,
            name: settings.name.clone(),
            listen: address,
            upstream,
        });
        let number = self.relay.add_mapping(settings);
        self.note(number, Happening::MappingAdded { listen: address, to: upstream });
        number
    }

    /// Relays to another server; the flows to the one before are closed.
    pub fn set_server(&mut self, mapping: MappingId, upstream: SocketAddr, server: String) {
        self.relay.close_flows(mapping);
        let listener = &mut self.listeners[mapping];
        (listener.upstream, listener.server) = (upstream, server);
    }

    /// Listens at another address.
    pub fn set_listen(&mut self, mapping: MappingId, address: SocketAddr) -> io::Result<()> {
        let socket = self.listen(address, mapping)?;
        let (address, is_open) = (socket.local_addr()?, self.listeners[mapping].socket.is_some());
        self.close_listener(mapping);
        let listener = &mut self.listeners[mapping];
        (listener.address, listener.socket) = (address, is_open.then_some(socket));
        Ok(())
    }

    /// Closes its sockets and its flows; its counters stay.
    pub fn remove_mapping(&mut self, mapping: MappingId) {
        self.close_listener(mapping);
        self.listeners[mapping].is_removed = true;
        self.relay.remove_mapping(mapping);
        self.note(mapping, Happening::MappingRemoved);
    }

    pub(super) fn listen(&self, address: SocketAddr, mapping: MappingId) -> io::Result<Socket> {
        let socket = super::bind_socket(address, &super::options(address.ip().is_unspecified()))?;
        self.ready_set.add(&socket, Place::Listener(mapping).number(), false)?;
        Ok(socket)
    }

    fn release_error(&self) -> ReleaseError {
        let errors = &self.release_errors;
        if errors.is_empty() {
            return ReleaseError::default();
        }
        let nanos = |value: u64| Duration::from_nanos(i64::try_from(value).unwrap_or(i64::MAX));
        ReleaseError {
            count: errors.len(),
            p50: nanos(errors.value_at_quantile(0.5)),
            p99: nanos(errors.value_at_quantile(0.99)),
            max: nanos(errors.max()),
        }
    }
}
