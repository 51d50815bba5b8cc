//! A network in virtual time between clients (`probe`) and a server (`reflect`). Deterministic: the
//! same seed gives the same bytes, and a day of traffic passes in seconds.
//!
//! The network keeps a ledger of what it did to each probe and each reply, so that a test can hold
//! what a client concluded against what really happened.

mod ground_truth;
mod link;
mod socket;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub use ground_truth::{Ledger, Story};
pub use link::{Conditions, Link};
pub use socket::Overrun;

use crate::endpoints::Endpoints;
use crate::probe::{self, Client, Event, SendError};
use crate::reflect::{self, Incoming, Server};
use crate::rng::{Seed, Stream};
use crate::time::{Duration, Instant};
use socket::SimSocket;

const BUFFER: usize = 65_536;
const FIRST_PORT: u16 = 10_000;
/// By so much a translator's ports change at a time: more than a client has of its own.
const TRANSLATED: u16 = 1000;
/// What clients see as the server.
const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7);
/// What clients' datagrams have left when they arrive.
const TTL: Option<u8> = Some(60);

/// One server, its clients, and the paths between them.
pub struct Simulation {
    now: Instant,
    queue: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
    server: Option<Server>,
    /// How far its clock is ahead.
    server_lead: Duration,
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
}

/// Changes what is sent, at so long after the start.
type Alter = Box<dyn FnMut(Duration, &mut Vec<u8>)>;

/// The server's host does nothing for a part of each period, counted from the start; what comes
/// meanwhile waits in its socket.
#[derive(Clone, Copy)]
struct Freeze {
    period: Duration,
    length: Duration,
}

/// A client, its two links and what it told.
struct Host {
    client: Client,
    /// How far its clock is ahead.
    lead: Duration,
    /// The ports of the client's lanes.
    ports: Vec<u16>,
    next_port: u16,
    /// A translator on the way shows each port as one that is so much higher.
    translation: u16,
    socket: SimSocket,
    up: Link,
    down: Link,
    wake: Option<Instant>,
    ledger: Ledger,
    events: Vec<Event>,
    keeps_events: bool,
    /// It does nothing in this span; what comes meanwhile waits in its sockets.
    asleep: Option<(Instant, Instant)>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Scheduled {
    at: Instant,
    order: u64,
    what: What,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// The kernel's stamp is of the arrival, however late the server, or the client, reads it.
    ToServer {
        host: usize,
        port: u16,
        arrived: Instant,
        datagram: Vec<u8>,
    },
    ToClient {
        host: usize,
        port: u16,
        arrived: Instant,
        datagram: Vec<u8>,
    },
    WakeServer,
    WakeClient(usize),
    Stop(usize),
    Translate(usize),
    StepServer(Duration),
    StepClient(usize, Duration),
    Kill,
    Restart(Box<Restart>),
}

/// A server to come. It is never compared: no two events have the same order.
struct Restart(reflect::Settings, [u8; 32]);

/// It is told when each datagram came, as by a kernel.
fn server(settings: reflect::Settings, secret: [u8; 32], now: Instant) -> Server {
    let mut server = Server::new(settings, secret, now);
    server.set_kernel_stamps(true);
    server
}

impl Simulation {
    /// The clock starts away from zero, so that nothing relies on it.
    pub const START: Instant = Instant::from_nanos(1_000_000_000_000);

    pub fn new(settings: reflect::Settings, up: Conditions, down: Conditions, seed: Seed) -> Self {
        Self {
            now: Self::START,
            queue: BinaryHeap::new(),
            scheduled: 0,
            server: Some(server(settings, secret(seed, 0), Self::START)),
            server_lead: Duration::ZERO,
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
        }
    }

    /// The server has no stamps of the kernel's: what it receives came when it looked.
    pub fn without_server_stamps(mut self) -> Self {
        self.server.iter_mut().for_each(|server| server.set_kernel_stamps(false));
        self
    }

    /// Adds a client that starts now; returns its number.
    pub fn add_client(&mut self, settings: probe::Settings) -> usize {
        let index = self.hosts.len();
        let stream = |name: &str| Stream::new(self.seed, &format!("{name} {index}"));
        let next_port = FIRST_PORT + Client::channels(&settings) as u16;
        self.hosts.push(Host {
            client: Client::new(settings, self.now),
            lead: Duration::ZERO,
            ports: (FIRST_PORT..next_port).collect(),
            next_port,
            translation: 0,
            socket: SimSocket::default(),
            up: Link::new(self.up.clone(), stream("up")),
            down: Link::new(self.down.clone(), stream("down")),
            wake: None,
            ledger: Ledger::default(),
            events: Vec::new(),
            keeps_events: true,
            asleep: None,
        });
        self.serve_client(index);
        index
    }

    /// The client's run is ended at this time, counted from the start.
    pub fn stop_client_at(&mut self, after: Duration, client: usize) {
        self.schedule(Self::START + after, What::Stop(client));
    }

    /// The server's clock jumps: ahead, as on a host that was suspended, or back.
    pub fn step_server_clock(&mut self, after: Duration, by: Duration) {
        self.schedule(Self::START + after, What::StepServer(by));
    }

    /// A client's clock jumps.
    pub fn step_client_clock(&mut self, after: Duration, client: usize, by: Duration) {
        self.schedule(Self::START + after, What::StepClient(client, by));
    }

    /// A translator of addresses on a client's way forgets it and shows it with other ports from now on.
    /// What is sent to those before finds nobody.
    pub fn translate_anew(&mut self, after: Duration, client: usize) {
        self.schedule(Self::START + after, What::Translate(client));
    }

    /// Somebody sends this to the first port of a client, as if from the server.
    pub fn forge_to_client(&mut self, after: Duration, client: usize, datagram: Vec<u8>) {
        let arrived = Self::START + after;
        let what = What::ToClient { host: client, port: FIRST_PORT, arrived, datagram };
        self.schedule(arrived, what);
    }

    /// Somebody sends this to the server, as if from the first port of a client.
    pub fn forge_to_server(&mut self, after: Duration, client: usize, datagram: Vec<u8>) {
        let arrived = Self::START + after;
        let what = What::ToServer { host: client, port: FIRST_PORT, arrived, datagram };
        self.schedule(arrived, what);
    }

    /// The buffer of the server's socket is too small for a while.
    pub fn overrun_server(&mut self, overrun: Overrun) {
        self.server_socket.overrun(overrun);
    }

    /// The buffer of a client's first socket is too small for a while.
    pub fn overrun_client(&mut self, client: usize, overrun: Overrun) {
        self.hosts[client].socket.overrun(overrun);
    }

    /// Something on the way changes what clients send.
    pub fn alter_probes(&mut self, alter: impl FnMut(Duration, &mut Vec<u8>) + 'static) {
        self.alter_probe = Box::new(alter);
    }

    /// Something on the way, or the server itself, changes what the server sends.
    pub fn alter_replies(&mut self, alter: impl FnMut(Duration, &mut Vec<u8>) + 'static) {
        self.alter_reply = Box::new(alter);
    }

    /// The server is gone from one time on, and another is there from another time on.
    pub fn restart_server(&mut self, gone: Duration, back: Duration, settings: reflect::Settings) {
        self.schedule(Self::START + gone, What::Kill);
        let restart = Restart(settings, secret(self.seed, back.as_nanos() as u64));
        self.schedule(Self::START + back, What::Restart(Box::new(restart)));
    }

    /// From the start of each period on, the server stands still for so long.
    pub fn freeze_server(&mut self, period: Duration, length: Duration) {
        self.freeze = Some(Freeze { period, length });
    }

    /// From this time on, counted from the start, the client's host stands still for so long.
    pub fn put_client_to_sleep(&mut self, after: Duration, length: Duration, client: usize) {
        let from = Self::START + after;
        self.hosts[client].asleep = Some((from, from + length));
    }

    /// Runs until every client is done. Panics if that takes longer than `bound`: a deadlock.
    pub fn run(&mut self, bound: Duration) {
        while self.step(bound) {}
    }

    /// The same, but passes on what each client tells as it goes, and keeps nothing.
    pub fn run_telling(&mut self, bound: Duration, mut tell: impl FnMut(usize, Event)) {
        for host in &mut self.hosts {
            host.ledger.disable();
            host.keeps_events = true;
        }
        while self.step(bound) {
            for (index, host) in self.hosts.iter_mut().enumerate() {
                host.events.drain(..).for_each(|event| tell(index, event));
            }
        }
    }

    /// Lets the next thing happen; false if every client is done.
    fn step(&mut self, bound: Duration) -> bool {
        let goes_on = self.hosts.iter().any(|host| !host.client.is_done());
        if goes_on {
            let Some(Reverse(next)) = self.queue.pop() else { panic!("a client waits for nothing") };
            assert!(next.at - Self::START <= bound, "still running after {bound}");
            self.now = self.now.max(next.at);
            self.happen(next.what);
        }
        goes_on
    }

    /// Lets so much time pass, whether anybody is still measuring or not.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.queue.peek().is_some_and(|Reverse(next)| next.at <= end)
            && let Some(Reverse(next)) = self.queue.pop()
        {
            self.now = self.now.max(next.at);
            self.happen(next.what);
        }
        self.now = end;
    }

    pub fn now(&self) -> Instant {
        self.now
    }

    pub fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }

    pub fn client(&self, client: usize) -> &Client {
        &self.hosts[client].client
    }

    pub fn ledger(&self, client: usize) -> &Ledger {
        &self.hosts[client].ledger
    }

    /// What the client told so far; it is told once.
    pub fn take_events(&mut self, client: usize) -> Vec<Event> {
        std::mem::take(&mut self.hosts[client].events)
    }

    /// Keeps nothing of what clients tell and of what the network does: for measuring speed.
    pub fn forget_as_you_go(&mut self) {
        for host in &mut self.hosts {
            host.ledger.disable();
            host.keeps_events = false;
        }
    }

    fn happen(&mut self, what: What) {
        let standing_still_until = match &what {
            What::ToServer { .. } | What::WakeServer => self.thaw(),
            What::ToClient { host, .. } | What::WakeClient(host) | What::Stop(host) => self.awakes(*host),
            What::Translate(_)
            | What::Kill
            | What::Restart(_)
            | What::StepServer(_)
            | What::StepClient(..) => None,
        };
        if let Some(end) = standing_still_until {
            // What waits in a socket is read before anything else is done.
            let waits = matches!(what, What::ToServer { .. } | What::ToClient { .. });
            let behind = Duration::from_nanos(i64::from(!waits));
            return self.schedule(end + behind, what);
        }
        match what {
            What::ToServer { host, port, arrived, datagram } => {
                self.deliver_to_server(host, port, arrived, &datagram);
            }
            What::ToClient { host, port, arrived, datagram } => {
                // Nobody is at a port that the client, or the translator, has given up.
                let Host { ports, translation, .. } = &self.hosts[host];
                let Some(channel) = ports.iter().position(|known| known.wrapping_add(*translation) == port)
                else {
                    return;
                };
                let Host { socket, ledger, client, .. } = &mut self.hosts[host];
                if !socket.takes(arrived - Self::START, SERVER) {
                    ledger.reply_dropped(&datagram);
                    return;
                }
                client.note_socket(socket.mark());
                ledger.reply_delivered(&datagram, arrived);
                let received = arrived + self.hosts[host].lead;
                self.hosts[host].client.handle(received, channel, &datagram);
                self.serve_client(host);
            }
            What::WakeServer => {
                if self.server_wake.is_some_and(|wake| wake <= self.now) {
                    self.server_wake = None;
                    self.serve_server();
                }
            }
            What::WakeClient(host) => {
                if self.hosts[host].wake.is_some_and(|wake| wake <= self.now) {
                    self.hosts[host].wake = None;
                    self.serve_client(host);
                }
            }
            What::Stop(host) => {
                let now = self.now + self.hosts[host].lead;
                self.hosts[host].client.stop(now);
                self.serve_client(host);
            }
            What::Translate(host) => {
                let translation = &mut self.hosts[host].translation;
                *translation = translation.wrapping_add(TRANSLATED);
            }
            What::StepServer(by) => {
                self.server_lead += by;
                self.serve_server();
            }
            What::StepClient(host, by) => {
                self.hosts[host].lead += by;
                self.serve_client(host);
            }
            What::Kill => {
                self.server = None;
                self.server_wake = None;
            }
            What::Restart(restart) => {
                let now = self.now + self.server_lead;
                self.server = Some(server(restart.0, restart.1, now));
            }
        }
    }

    /// When the server goes on, if it stands still now.
    fn thaw(&self) -> Option<Instant> {
        let Freeze { period, length } = self.freeze?;
        let into = (self.now - Self::START).as_nanos() % period.as_nanos();
        (into < length.as_nanos()).then(|| self.now + length - Duration::from_nanos(into))
    }

    /// When a client's host goes on, if it stands still now.
    fn awakes(&self, host: usize) -> Option<Instant> {
        self.hosts[host].asleep.filter(|(from, end)| (*from..*end).contains(&self.now)).map(|(_, end)| end)
    }

    fn deliver_to_server(&mut self, host: usize, port: u16, arrived: Instant, datagram: &[u8]) {
        let Some(server) = &mut self.server else {
            // Nobody listens: the client's host hears so, one network delay later or not at all.
            let now = self.now + self.hosts[host].lead;
            self.hosts[host].client.unreachable(now);
            self.serve_client(host);
            return;
        };
        if !self.server_socket.takes(self.now - Self::START, address(host, port)) {
            self.hosts[host].ledger.probe_dropped(datagram);
            return;
        }
        self.hosts[host].ledger.probe_delivered(datagram, self.now);
        let arrived = if server.has_kernel_stamps() { arrived } else { self.now };
        self.buffer[..datagram.len()].copy_from_slice(datagram);
        let path = Endpoints { remote: address(host, port), local: None };
        let now = self.now + self.server_lead;
        let incoming = Incoming::new(now, path, &mut self.buffer, datagram.len());
        let (received, socket) = (arrived + self.server_lead, self.server_socket.mark());
        if let Some(length) = server.handle(Incoming { ttl: TTL, received, socket, ..incoming }) {
            self.send_down(path, length);
        }
        self.serve_server();
    }

    /// Lets the server do what it is due to do, and finds out when to come again.
    fn serve_server(&mut self) {
        let Some(server) = &mut self.server else { return };
        let now = self.now + self.server_lead;
        server.handle_timeout(now);
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some((path, length)) = self.server.as_mut().and_then(|s| s.poll_transmit(now, &mut buffer))
        {
            std::mem::swap(&mut self.buffer, &mut buffer);
            self.send_down(path, length);
            std::mem::swap(&mut self.buffer, &mut buffer);
        }
        self.buffer = buffer;
        let wake = self.server.as_ref().and_then(|server| server.poll_timeout());
        let wake = wake.map(|at| (at - self.server_lead).max(self.now));
        if wake != self.server_wake
            && let Some(at) = wake
        {
            self.schedule(at, What::WakeServer);
        }
        self.server_wake = wake;
    }

    fn serve_client(&mut self, index: usize) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let now = self.now + self.hosts[index].lead;
        loop {
            let host = &mut self.hosts[index];
            host.client.handle_timeout(now);
            while let Some(transmit) = host.client.poll_transmit(now, &mut buffer) {
                if transmit.length > host.up.conditions().longest {
                    host.client.send_failed(&transmit, SendError::TooLong);
                    continue;
                }
                if transmit.renew {
                    host.ports[transmit.channel] = host.next_port;
                    host.next_port = host.next_port.checked_add(1).unwrap_or(FIRST_PORT);
                }
                let port = host.ports[transmit.channel].wrapping_add(host.translation);
                let datagram = &buffer[..transmit.length];
                host.ledger.probe_sent(transmit.seq, self.now);
                for delay in host.up.pass(self.now, datagram) {
                    let mut datagram = datagram.to_vec();
                    (self.alter_probe)(self.now - Self::START, &mut datagram);
                    let arrived = self.now + delay;
                    let what = What::ToServer { host: index, port, arrived, datagram };
                    self.queue.push(Reverse(Scheduled { at: arrived, order: self.scheduled, what }));
                    self.scheduled += 1;
                }
            }
            while let Some(event) = host.client.poll_event() {
                if host.keeps_events {
                    host.events.push(event);
                }
            }
            // What was just sent or settled may leave more to do at this very moment.
            if host.client.poll_timeout(now).is_none_or(|at| at > now) {
                break;
            }
        }
        self.buffer = buffer;
        let lead = self.hosts[index].lead;
        let wake = self.hosts[index].client.poll_timeout(now).map(|at| (at - lead).max(self.now));
        if wake != self.hosts[index].wake
            && let Some(at) = wake
        {
            self.schedule(at, What::WakeClient(index));
        }
        self.hosts[index].wake = wake;
    }

    fn send_down(&mut self, path: Endpoints, length: usize) {
        let (index, port) = host_at(path.remote);
        let datagram = &self.buffer[..length];
        let host = &mut self.hosts[index];
        host.ledger.reply_sent(datagram);
        for delay in host.down.pass(self.now, datagram) {
            let arrived = self.now + delay;
            let mut datagram = datagram.to_vec();
            (self.alter_reply)(self.now - Self::START, &mut datagram);
            let what = What::ToClient { host: index, port, arrived, datagram };
            self.queue.push(Reverse(Scheduled { at: arrived, order: self.scheduled, what }));
            self.scheduled += 1;
        }
    }

    fn schedule(&mut self, at: Instant, what: What) {
        self.queue.push(Reverse(Scheduled { at, order: self.scheduled, what }));
        self.scheduled += 1;
    }
}

fn secret(seed: Seed, which: u64) -> [u8; 32] {
    let mut secret = [0; 32];
    rand::Rng::fill_bytes(&mut Stream::new(seed, "server secret").at(which), &mut secret);
    secret
}

/// A host's address tells its number.
fn address(host: usize, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + host as u32)), port)
}

fn host_at(address: SocketAddr) -> (usize, u16) {
    let IpAddr::V4(ip) = address.ip() else { unreachable!("hosts have IPv4 addresses") };
    ((ip.to_bits() - 0x0A00_0000) as usize, address.port())
}

impl PartialEq for Restart {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Restart {}

impl PartialOrd for Restart {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Restart {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}
