//! The simulation: one server, its clients, the paths between them, and the events to come.

mod action;
mod faults;
mod relayed;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::endpoints::Endpoints;
use crate::impair::Direction;
use crate::probe::{self, Client, Dialect, Event, SendError};
use crate::reflect::{self, Departure, Incoming, Server, ServerPort};
use crate::rng::{Seed, Stream};
use crate::sim::ground_truth::GroundTruth;
use crate::sim::host::{Host, host_at};
use crate::sim::link::{Conditions, START, SimulatedLink};
use crate::sim::socket::SimSocket;
use crate::time::{Duration, Instant};
use action::{Action, Freeze, Scheduled};
use relayed::Relayed;
pub use relayed::RelayedDatagram;

const BUFFER: usize = 65_536;
/// The server's address, as clients see it.
const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7);
/// The TTL with which datagrams arrive at the server.
const TTL: Option<u8> = Some(60);

/// A server, its clients and the network between them, in virtual time.
pub struct Simulation {
    now: Instant,
    queue: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
    server: Option<Server>,
    server_clock_lead: Duration,
    server_wake: Option<Instant>,
    server_socket: SimSocket,
    freeze: Option<Freeze>,
    hosts: Vec<Host>,
    seed: Seed,
    up: Conditions,
    down: Conditions,
    buffer: Vec<u8>,
    alter_probe: Alter,
    alter_reply: Alter,
    relayed: Option<Relayed>,
}

/// Changes a datagram that is sent at this time after the start.
type Alter = Box<dyn FnMut(Duration, &mut Vec<u8>)>;

fn server(settings: reflect::Settings, secret: [u8; 32], now: Instant) -> Server {
    let mut server = Server::new(settings, secret, now);
    server.set_kernel_stamps(true);
    server
}

impl Simulation {
    /// The time at which every simulation starts.
    pub const START: Instant = START;

    /// A server that runs from the start; clients get paths with these conditions.
    pub fn new(settings: reflect::Settings, up: Conditions, down: Conditions, seed: Seed) -> Self {
        Self {
            now: Self::START,
            queue: BinaryHeap::new(),
            scheduled: 0,
            server: Some(server(settings, secret(seed, 0), Self::START)),
            server_clock_lead: Duration::ZERO,
            server_wake: None,
            server_socket: SimSocket::default(),
            freeze: None,
            hosts: Vec::new(),
            seed,
            up,
            down,
            buffer: vec![0; BUFFER],
            alter_probe: Box::new(|_, _| {}),
            alter_reply: Box::new(|_, _| {}),
            relayed: None,
        }
    }

    /// Without kernel timestamps the server takes the time at which it reads a datagram.
    pub fn without_server_stamps(mut self) -> Self {
        self.server.iter_mut().for_each(|server| server.set_kernel_stamps(false));
        self
    }

    /// Adds a client that starts now; returns its number.
    pub fn add_client(&mut self, settings: probe::Settings) -> usize {
        let index = self.hosts.len();
        let seed = Stream::new(self.seed, "path").seed(index as u64);
        let up = SimulatedLink::new(self.up.clone(), Direction::Up, seed);
        let down = SimulatedLink::new(self.down.clone(), Direction::Down, seed);
        let channels = Client::channels(&settings) as u16;
        let server_port = match settings.dialect {
            Dialect::Stamp => ServerPort::Stamp,
            Dialect::Irtt => ServerPort::Irtt,
            _ => ServerPort::Main,
        };
        self.hosts.push(Host::new(Client::new(settings, self.now), channels, server_port, up, down));
        self.serve_client(index);
        index
    }

    /// Runs until every client is done. Panics after `bound`: a deadlock.
    pub fn run(&mut self, bound: Duration) {
        while self.step(bound) {}
    }

    /// The same, but passes on each client's events at once and records nothing.
    pub fn run_streaming(&mut self, bound: Duration, mut on_event: impl FnMut(usize, Event)) {
        for host in &mut self.hosts {
            host.ground_truth.disable();
            host.keeps_events = true;
        }
        while self.step(bound) {
            for (index, host) in self.hosts.iter_mut().enumerate() {
                host.events.drain(..).for_each(|event| on_event(index, event));
            }
        }
    }

    /// Performs the next action; false if every client is done.
    fn step(&mut self, bound: Duration) -> bool {
        let goes_on = self.hosts.iter().any(|host| !host.client.is_done());
        if goes_on {
            let Some(Reverse(next)) = self.queue.pop() else { panic!("a client waits for nothing") };
            assert!(next.at - Self::START <= bound, "still running after {bound}");
            self.now = self.now.max(next.at);
            self.perform(next.action);
        }
        goes_on
    }

    /// Advances the time, whether or not any client is still measuring.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.queue.peek().is_some_and(|Reverse(next)| next.at <= end)
            && let Some(Reverse(next)) = self.queue.pop()
        {
            self.now = self.now.max(next.at);
            self.perform(next.action);
        }
        self.now = end;
    }

    /// The virtual time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// `None` while it is killed by `restart_server`.
    pub fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }

    /// The client with the number that `add_client` returned.
    pub fn client(&self, client: usize) -> &Client {
        &self.hosts[client].client
    }

    /// The true fates of the probes of this client.
    pub fn ground_truth(&self, client: usize) -> &GroundTruth {
        &self.hosts[client].ground_truth
    }

    /// The client's events since the last call.
    pub fn take_events(&mut self, client: usize) -> Vec<Event> {
        std::mem::take(&mut self.hosts[client].events)
    }

    /// Records neither events nor ground truth: for measuring speed.
    pub fn record_nothing(&mut self) {
        for host in &mut self.hosts {
            host.ground_truth.disable();
            host.keeps_events = false;
        }
    }

    fn perform(&mut self, action: Action) {
        if let Some(end) = self.paused_until(&action) {
            // A datagram in a socket is read before anything else is done.
            let is_datagram = matches!(action, Action::ToServer { .. } | Action::ToClient { .. });
            return self.schedule(end + Duration::from_nanos(i64::from(!is_datagram)), action);
        }
        match action {
            Action::ToServer { host, port, arrived, datagram } => {
                self.arrive(host, port, arrived, &datagram);
            }
            Action::ToClient { host, port, arrived, datagram } => {
                self.deliver_to_client(host, port, arrived, &datagram);
            }
            Action::WakeServer => {
                if self.server_wake.is_some_and(|wake| wake <= self.now) {
                    self.server_wake = None;
                    self.serve_server();
                }
            }
            Action::WakeRelay => {
                if self.relayed.as_ref().is_some_and(|relayed| relayed.is_due(self.now)) {
                    self.wake_relay();
                }
            }
            Action::WakeClient(host) => {
                if self.hosts[host].wake.is_some_and(|wake| wake <= self.now) {
                    self.hosts[host].wake = None;
                    self.serve_client(host);
                }
            }
            Action::StopClient(host) => {
                let now = self.now + self.hosts[host].clock_lead;
                self.hosts[host].client.stop(now);
                self.serve_client(host);
            }
            Action::RebindNat(host) => self.hosts[host].rebind_nat(),
            Action::StepServerClock(by) => {
                self.server_clock_lead += by;
                self.serve_server();
            }
            Action::StepClientClock(host, by) => {
                self.hosts[host].clock_lead += by;
                self.serve_client(host);
            }
            Action::AnnounceEnd => {
                let now = self.now + self.server_clock_lead;
                self.server.iter_mut().for_each(|server| _ = server.announce_end(now));
                self.serve_server();
            }
            Action::KillServer => {
                self.server = None;
                self.server_wake = None;
            }
            Action::StartServer(new) => {
                let now = self.now + self.server_clock_lead;
                self.server = Some(server(new.0, new.1, now));
            }
        }
    }

    /// When the host that acts resumes, if it is frozen or suspended now.
    fn paused_until(&self, action: &Action) -> Option<Instant> {
        match action {
            Action::ToServer { .. } | Action::WakeServer => self.server_thaws(),
            Action::ToClient { host, .. } | Action::WakeClient(host) | Action::StopClient(host) => {
                self.hosts[*host].resumes(self.now)
            }
            Action::RebindNat(_)
            | Action::WakeRelay
            | Action::AnnounceEnd
            | Action::KillServer
            | Action::StartServer(_)
            | Action::StepServerClock(_)
            | Action::StepClientClock(..) => None,
        }
    }

    fn server_thaws(&self) -> Option<Instant> {
        let Freeze { period, length } = self.freeze?;
        let into = (self.now - Self::START).as_nanos() % period.as_nanos();
        (into < length.as_nanos()).then(|| self.now + length - Duration::from_nanos(into))
    }

    fn deliver_to_server(&mut self, host: usize, from: SocketAddr, arrived: Instant, datagram: &[u8]) {
        let Some(server) = &mut self.server else {
            // Nothing listens: the client's host learns it by ICMP, here at once.
            let now = self.now + self.hosts[host].clock_lead;
            self.hosts[host].client.unreachable(now);
            self.serve_client(host);
            return;
        };
        if !self.server_socket.has_room(self.now - Self::START, from) {
            self.hosts[host].ground_truth.probe_dropped(datagram);
            return;
        }
        self.hosts[host].ground_truth.probe_delivered(datagram, self.now);
        let arrived = if server.has_kernel_stamps() { arrived } else { self.now };
        self.buffer[..datagram.len()].copy_from_slice(datagram);
        let path = Endpoints { remote: from, local: None };
        let server_port = self.hosts[host].server_port;
        let now = self.now + self.server_clock_lead;
        let incoming = Incoming::new(now, path, &mut self.buffer, datagram.len());
        let (received, socket) = (arrived + self.server_clock_lead, self.server_socket.mark());
        if let Some(length) = server.handle(Incoming { ttl: TTL, received, server_port, socket, ..incoming })
        {
            self.send_down(path, length);
        }
        self.serve_server();
    }

    fn deliver_to_client(&mut self, index: usize, port: u16, arrived: Instant, datagram: &[u8]) {
        let host = &mut self.hosts[index];
        let Some(channel) = host.channel_of(port) else { return };
        if !host.socket.has_room(arrived - Self::START, SERVER) {
            host.ground_truth.reply_dropped(datagram);
            return;
        }
        host.client.note_socket(host.socket.mark());
        host.ground_truth.reply_delivered(datagram, arrived);
        host.client.handle(arrived + host.clock_lead, channel, datagram);
        self.serve_client(index);
    }

    /// Lets the server do what is due, and schedules its next wake-up.
    fn serve_server(&mut self) {
        let Some(server) = &mut self.server else { return };
        let now = self.now + self.server_clock_lead;
        server.handle_timeout(now);
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(Departure { path, length, .. }) =
            self.server.as_mut().and_then(|server| server.poll_transmit(now, &mut buffer))
        {
            std::mem::swap(&mut self.buffer, &mut buffer);
            self.send_down(path, length);
            std::mem::swap(&mut self.buffer, &mut buffer);
        }
        self.buffer = buffer;
        let wake = self.server.as_ref().and_then(|server| server.poll_timeout());
        let wake = wake.map(|at| (at - self.server_clock_lead).max(self.now));
        if wake != self.server_wake
            && let Some(at) = wake
        {
            self.schedule(at, Action::WakeServer);
        }
        self.server_wake = wake;
    }

    /// Lets a client do what is due, and schedules its next wake-up.
    fn serve_client(&mut self, index: usize) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let now = self.now + self.hosts[index].clock_lead;
        loop {
            self.hosts[index].client.handle_timeout(now);
            while let Some(transmit) = self.hosts[index].client.poll_transmit(now, &mut buffer) {
                let host = &mut self.hosts[index];
                if transmit.length > host.up.conditions().send_limit {
                    host.client.send_failed(&transmit, SendError::TooLong);
                    continue;
                }
                if transmit.renew {
                    host.reopen(transmit.channel);
                }
                let port = host.public_port(transmit.channel);
                let datagram = &buffer[..transmit.length];
                host.ground_truth.probe_sent(transmit.seq, self.now);
                for (delay, mut datagram) in host.up.pass(self.now, datagram) {
                    (self.alter_probe)(self.now - Self::START, &mut datagram);
                    let arrived = self.now + delay;
                    self.schedule(arrived, Action::ToServer { host: index, port, arrived, datagram });
                }
            }
            let host = &mut self.hosts[index];
            while let Some(event) = host.client.poll_event() {
                if host.keeps_events {
                    host.events.push(event);
                }
            }
            // A probe just sent or resolved may make another due at this same time.
            if host.client.poll_timeout(now).is_none_or(|at| at > now) {
                break;
            }
        }
        self.buffer = buffer;
        let host = &mut self.hosts[index];
        let wake = host.client.poll_timeout(now).map(|at| (at - host.clock_lead).max(self.now));
        let is_new = wake != host.wake;
        host.wake = wake;
        if let Some(at) = wake.filter(|_| is_new) {
            self.schedule(at, Action::WakeClient(index));
        }
    }

    fn send_down(&mut self, path: Endpoints, length: usize) {
        let buffer = std::mem::take(&mut self.buffer);
        let datagram = &buffer[..length];
        if !self.relay_down(path.remote, datagram) {
            let (host, _) = host_at(path.remote);
            self.hosts[host].ground_truth.reply_sent(datagram);
            self.pass_down(path.remote, datagram);
        }
        self.buffer = buffer;
    }

    /// Sends a datagram along the path to a client.
    fn pass_down(&mut self, to: SocketAddr, datagram: &[u8]) {
        let (index, port) = host_at(to);
        for (delay, mut datagram) in self.hosts[index].down.pass(self.now, datagram) {
            let arrived = self.now + delay;
            (self.alter_reply)(self.now - Self::START, &mut datagram);
            self.schedule(arrived, Action::ToClient { host: index, port, arrived, datagram });
        }
    }

    fn schedule(&mut self, at: Instant, action: Action) {
        self.queue.push(Reverse(Scheduled { at, order: self.scheduled, action }));
        self.scheduled += 1;
    }
}

fn secret(seed: Seed, which: u64) -> [u8; 32] {
    let mut secret = [0; 32];
    rand::Rng::fill_bytes(&mut Stream::new(seed, "server secret").at(which), &mut secret);
    secret
}
