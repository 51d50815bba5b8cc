//! The relay's engine, of Linux: feeds the machine what clients and servers send, and sends what it lets pass when it
//! is due, with the traffic class that it came with and a time to live that is one less.

mod notes;
mod overflows;
mod populate;
mod receive;
mod send;
mod steer;
#[cfg(all(test, target_os = "linux"))]
mod tests;
mod upstreams;

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};

use hdrhistogram::Histogram;

use super::clock::Clock;
use super::kernel_timestamps::StampMapper;
use super::sleep::{Next, Policy, Situation};
use super::socket_errors::ErrorBudget;
use super::stop_signal::Control;
use super::sys::{self, Batch, Options, ReadySet, Socket, bind_socket};
use crate::endpoints::Endpoints;
use crate::relay::{
    Counters, DropCause, Dropped, Event, Fate, FlowId, Happening, Header, Journal, Leaving, Limits,
    MappingId, MappingSettings, Relay,
};
use crate::time::{Duration, Instant};
pub use populate::WantedMapping;
use send::Outbox;
use steer::Order;
pub use steer::RelayHandle;
use upstreams::Upstreams;

/// An address to listen at, and the server behind it.
#[derive(Clone, Debug)]
pub struct RelayMapping {
    /// Where clients send; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where their datagrams go.
    pub upstream: SocketAddr,
    /// As it was named.
    pub server: String,
    /// Its impairments, and the seed of their draws.
    pub settings: MappingSettings,
}

/// A step in the life of a datagram or a flow.
#[derive(Clone, Debug)]
pub enum RelayObservation {
    /// A datagram is to leave; its fate follows.
    Arrived {
        /// The datagram, and what the impairment decided.
        leaving: Leaving,
    },
    /// A datagram left at `released`, could not be sent, or was dropped because it was still held when the relay
    /// stopped. A copy made by the impairment is one of its own.
    Sent {
        /// The datagram as it was to leave.
        leaving: Leaving,
        /// Whether it was sent.
        fate: Fate,
        /// When it was handed to the socket.
        released: Instant,
    },
    /// A datagram goes no further.
    Dropped {
        /// Why, and of which flow.
        dropped: Dropped,
        /// When it was received.
        arrived: Instant,
        /// Its sender, and the address that it was sent to.
        from: Endpoints,
        /// Bytes of UDP payload.
        size: usize,
        /// Its TTL and traffic class.
        header: Header,
    },
    /// The flow has its own socket towards the server, bound to `upstream`.
    FlowOpened {
        /// The new flow.
        flow: FlowId,
        /// Its mapping.
        mapping: MappingId,
        /// Bound to this address; `None`: its socket could not be opened.
        upstream: Option<SocketAddr>,
    },
    /// The NAT gave the flow another port: it has another socket, bound to `upstream`.
    Rebound {
        /// The flow that goes on.
        flow: FlowId,
        /// Its mapping.
        mapping: MappingId,
        /// Bound to this address; `None`: its socket could not be opened.
        upstream: Option<SocketAddr>,
    },
    /// The flow's socket is closed.
    FlowClosed {
        /// The flow that ended.
        flow: FlowId,
        /// Its mapping.
        mapping: MappingId,
    },
    /// A mapping was added while the relay runs.
    MappingAdded {
        /// Its number.
        mapping: MappingId,
        /// Its name.
        name: String,
        /// The address that it is bound to.
        listen: SocketAddr,
        /// Where its datagrams go.
        upstream: SocketAddr,
    },
    /// ICMP port unreachable from the server's host: a datagram of the flow that was sent before did not arrive.
    Refused {
        /// The flow whose server refused.
        flow: FlowId,
        /// Its mapping.
        mapping: MappingId,
        /// When the error was read.
        at: Instant,
    },
    /// A socket could not be opened, read or written.
    SocketError {
        /// The mapping whose socket it was.
        mapping: MappingId,
        /// The flow, if it was a flow's socket.
        flow: Option<FlowId>,
        /// When the error was read.
        at: Instant,
        /// In the words of the system.
        why: String,
    },
}

/// Gets what happens as it happens, on the thread that relays: what is due waits for it.
pub trait RelayObserver {
    /// `payload` is that of the datagram: as it arrived, or as it left.
    fn observe(&mut self, observation: RelayObservation, payload: &[u8]);

    /// The relay is about to wait.
    fn idle(&mut self) {}
}

impl<F: FnMut(RelayObservation, &[u8])> RelayObserver for F {
    fn observe(&mut self, observation: RelayObservation, payload: &[u8]) {
        self(observation, payload);
    }
}

/// A relay on sockets: one thread that moves the datagrams of all mappings.
pub struct RelayEngine {
    clock: Clock,
    relay: Relay,
    listeners: Vec<Listener>,
    upstreams: Upstreams,
    ready_set: ReadySet,
    inbox: Batch,
    outbox: Outbox,
    stamps: StampMapper,
    policy: Policy,
    wait_errors: ErrorBudget,
    began: Instant,
    orders: Receiver<Order>,
    order_sender: Sender<Order>,
    /// Observed while an order ran.
    notes: Vec<RelayObservation>,
    journal: Journal,
    /// Nanoseconds, with two significant digits.
    release_errors: Histogram<u64>,
}

struct Listener {
    /// None while the mapping is down.
    socket: Option<Socket>,
    /// With its port.
    address: SocketAddr,
    upstream: SocketAddr,
    /// As it was named.
    server: String,
    is_removed: bool,
    /// Overflows of its socket that are counted.
    overflows: u64,
    errors: ErrorBudget,
}

impl Listener {
    fn new(socket: Option<Socket>, address: SocketAddr, upstream: SocketAddr, server: String) -> Self {
        let (overflows, errors) =
            (socket.as_ref().map_or(0, |socket| socket.overflows()), ErrorBudget::default());
        Self { socket, address, upstream, server, is_removed: false, overflows, errors }
    }
}

/// A socket of the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Listener(MappingId),
    Upstream(u64),
}

impl Place {
    const LISTENERS: u64 = 1 << 63;

    fn number(self) -> u64 {
        match self {
            Self::Listener(mapping) => Self::LISTENERS | mapping as u64,
            Self::Upstream(flow) => flow,
        }
    }

    fn of_number(number: u64) -> Self {
        match number & Self::LISTENERS {
            0 => Self::Upstream(number),
            _ => Self::Listener((number & !Self::LISTENERS) as MappingId),
        }
    }
}

impl RelayEngine {
    const BATCH: usize = 64;
    const MAX_DATAGRAM: usize = 65_536;
    const RECEIVE_BUFFER: usize = 4 << 20;
    /// An hour, in nanoseconds.
    const LONGEST_ERROR: u64 = 3_600_000_000_000;
    /// A datagram that is held when the relay stops still leaves if it is due within this time.
    const DRAIN: Duration = Duration::from_secs(1);

    /// Binds the sockets of all mappings; nothing is relayed before `run`.
    pub fn bind(mappings: Vec<RelayMapping>, limits: Limits, clock: Clock) -> io::Result<Self> {
        // A flow has a socket, and with a NAT several.
        sys::raise_open_files();
        let (order_sender, orders) = channel();
        let mut engine = Self {
            relay: Relay::new(Vec::new(), limits, clock.now()),
            listeners: Vec::new(),
            upstreams: Upstreams::default(),
            ready_set: ReadySet::new()?,
            inbox: Batch::new(Self::BATCH, Self::MAX_DATAGRAM),
            outbox: Outbox::new(Self::BATCH, Self::MAX_DATAGRAM),
            stamps: StampMapper::new(clock.wall_offset(), clock.now()),
            policy: Policy::of_server(false),
            wait_errors: ErrorBudget::default(),
            began: clock.now(),
            orders,
            order_sender,
            notes: Vec::new(),
            journal: Journal::default(),
            release_errors: Histogram::new_with_bounds(1, Self::LONGEST_ERROR, 2)
                .map_err(io::Error::other)?,
            clock,
        };
        mappings.into_iter().try_for_each(|mapping| engine.add_mapping(mapping).map(drop))?;
        Ok(engine)
    }

    /// Where it listens, its port included.
    pub fn local_addr(&self, mapping: MappingId) -> SocketAddr {
        self.listeners[mapping].address
    }

    /// The datagrams of a mapping so far, by fate.
    pub fn counters(&self, mapping: MappingId) -> Counters {
        self.relay.counters(mapping)
    }

    /// Runs until `control` asks it to stop; every datagram has had its fate then.
    pub fn run(&mut self, control: &Control, observer: &mut impl RelayObserver) -> io::Result<()> {
        sys::set_min_timer_slack();
        self.policy.set_realtime(sys::is_realtime(), self.clock.now());
        let mut readable = Vec::new();
        while !control.stop_asked() {
            self.release(observer);
            let backlog = self.receive(&readable, observer)?;
            self.relay.handle_timeout(self.clock.now());
            self.obey();
            self.apply_events(observer);
            readable.clear();
            observer.idle();
            self.wait(control, backlog, &mut readable)?;
        }
        // Drops the orders that wait: `ask` returns `None`.
        self.orders = channel().1;
        self.count_all_overflows();
        self.drain(observer);
        Ok(())
    }

    /// Nothing is received any more. Datagrams that are due soon leave when they are due, the rest is dropped.
    fn drain(&mut self, observer: &mut impl RelayObserver) {
        let end = self.clock.now() + Self::DRAIN;
        while let Some(due) = self.relay.next_release().filter(|due| *due <= end) {
            std::thread::sleep((due - self.clock.now()).max(Duration::ZERO).to_std());
            self.release(observer);
        }
        while let Some(leaving) = self.relay.poll_transmit(Instant::FAR_FUTURE, self.outbox.next_buffer()) {
            self.discard(leaving, DropCause::Down, observer);
        }
        observer.idle();
    }

    /// Adds the numbers of the sockets that are readable then.
    fn wait(&mut self, control: &Control, backlog: bool, readable: &mut Vec<u64>) -> io::Result<()> {
        let now = self.clock.now();
        self.stamps.begin_poll(now);
        let (due, timeout) = (self.relay.next_release(), self.relay.poll_timeout());
        let looked = match self.policy.next(&Situation { now, due, timeout, backlog }) {
            Next::Poll | Next::SpinUntil(_) => return self.ready_set.look(readable),
            Next::Rest(length) => {
                std::thread::sleep(length.to_std());
                self.ready_set.look(readable)
            }
            Next::SleepUntil(end) => {
                let woken = self.ready_set.wait(true, control, end.map(|end| end - now), readable);
                // An order waits.
                woken.map(|woken| {
                    if woken && !control.stop_asked() {
                        control.clear()
                    }
                })
            }
        };
        self.policy.woke(self.clock.now());
        match looked {
            Ok(()) => {
                self.wait_errors.reset();
                Ok(())
            }
            Err(error) => self.wait_errors.on_error(&error).apply(error),
        }
    }

    /// Opens and closes the sockets of flows.
    fn apply_events(&mut self, observer: &mut impl RelayObserver) {
        self.notes.drain(..).for_each(|note| observer.observe(note, &[]));
        for event in self.relay.take_events() {
            match event {
                Event::StateChanged { mapping, down } => {
                    if let Err(error) = self.set_down(mapping, down) {
                        self.tell_error(mapping, None, &error, observer);
                    }
                }
                Event::FlowClosed { flow, mapping } => {
                    if self.outbox.holds_for_server(flow) {
                        self.flush(observer);
                    }
                    self.upstreams.take(flow).into_iter().for_each(|upstream| self.close_upstream(upstream));
                    self.note_flow(flow, mapping, |id, flow| Happening::FlowClosed { id, flow });
                    observer.observe(RelayObservation::FlowClosed { flow, mapping }, &[]);
                }
                Event::FlowOpened { flow, mapping, client } => {
                    let (upstream, client) = (self.open_upstream(flow, mapping, 0, observer), client.remote);
                    let opened = |id, flow| Happening::FlowOpened { id, flow, client, upstream };
                    self.note_flow(flow, mapping, opened);
                    observer.observe(RelayObservation::FlowOpened { flow, mapping, upstream }, &[]);
                }
                Event::Rebound { flow, mapping, port } => self.rebind_to(flow, mapping, port, observer),
            }
        }
    }
}

fn options(local_address: bool) -> Options {
    Options {
        local_address,
        report_ttl: true,
        report_tos: true,
        offload: true,
        stamps: true,
        receive_buffer: Some(RelayEngine::RECEIVE_BUFFER),
        ..Options::default()
    }
}
