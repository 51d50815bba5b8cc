//! The client's engine: sends each probe when it is due, stamps what comes back, and passes on what
//! the machine tells.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::clock::Clock;
use super::control::Control;
use super::sys::{self, Backend, Batch, Options, Socket};
use crate::probe::{Client, Counters, Event, SendError, Settings, Transmit};
use crate::time::{Duration, Instant};

/// How datagrams leave.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outgoing {
    pub backend: Backend,
    pub source: Option<IpAddr>,
    pub ttl: Option<u8>,
    pub dscp: Option<u8>,
    pub dont_fragment: bool,
}

/// What the engine passes on.
#[derive(Clone, Debug)]
pub enum Observation {
    /// Something happened; with the time to live of the datagram that told it.
    Event(Event, Option<u8>),
    /// The time of day was set by so much while the run went on.
    ClockStep { at: Instant, by: Duration },
    /// The state of things, at most once every `ClientEngine::TICK`.
    Tick { now: Instant, in_flight: usize },
}

/// Takes observations, quickly: the measurement waits for it.
pub trait Observer {
    fn observe(&mut self, observation: Observation);
}

impl<F: FnMut(Observation)> Observer for F {
    fn observe(&mut self, observation: Observation) {
        self(observation);
    }
}

pub struct ClientEngine {
    clock: Clock,
    endpoint: Endpoint,
    sockets: Vec<Socket>,
    client: Client,
    inbox: Batch,
    outbox: Vec<u8>,
    wall_lead: Duration,
}

/// How a socket is made.
pub(super) struct Endpoint {
    source: SocketAddr,
    remote: SocketAddr,
    options: Options,
}

impl Endpoint {
    const RECEIVE_BUFFER: usize = 4 << 20;

    pub(super) fn new(remote: SocketAddr, outgoing: &Outgoing) -> Self {
        let options = Options {
            backend: outgoing.backend,
            dual_stack: false,
            ttl: outgoing.ttl.map(u32::from),
            traffic_class: outgoing.dscp.map(|dscp| u32::from(dscp) << 2),
            dont_fragment: outgoing.dont_fragment,
            local_address: false,
            receive_buffer: Some(Self::RECEIVE_BUFFER),
            stamps: true,
            hops: true,
            ..Options::default()
        };
        let any: IpAddr =
            if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let source = SocketAddr::new(outgoing.source.unwrap_or(any), 0);
        Self { source, remote, options }
    }

    pub(super) fn open(&self) -> io::Result<Socket> {
        let socket = Socket::bind(self.source, &self.options)?;
        socket.connect(self.remote)?;
        Ok(socket)
    }
}

impl ClientEngine {
    pub const TICK: Duration = Duration::from_millis(100);
    /// A wait ends this much before a probe is due; the rest is spent looking at the clock.
    const SPIN: Duration = Duration::from_micros(60);
    /// A change of the time of day by more than this between two datagrams is a step, not a drift.
    const STEP: Duration = Duration::from_millis(1);
    const BATCH: usize = 64;
    /// Taken from a socket before other things are looked after.
    const BATCHES: usize = 4;

    pub fn connect(
        remote: SocketAddr,
        settings: Settings,
        outgoing: &Outgoing,
        clock: Clock,
    ) -> io::Result<Self> {
        let endpoint = Endpoint::new(remote, outgoing);
        let sockets =
            (0..Client::lanes(&settings)).map(|_| endpoint.open()).collect::<io::Result<Vec<_>>>()?;
        let longest = (settings.size as usize).max(2048);
        Ok(Self {
            endpoint,
            sockets,
            client: Client::new(settings, clock.now()),
            inbox: Batch::new(Self::BATCH, longest),
            outbox: vec![0; longest],
            wall_lead: clock.wall_lead(),
            clock,
        })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.sockets[0].local_addr()
    }

    /// Bytes of receive buffer, given and asked for.
    pub fn receive_buffer(&self) -> Option<(usize, usize)> {
        Some((self.sockets[0].receive_buffer()?, Endpoint::RECEIVE_BUFFER))
    }

    pub fn has_kernel_stamps(&self) -> bool {
        self.sockets[0].has_stamps()
    }

    pub fn counters(&self) -> Counters {
        self.client.counters()
    }

    /// Runs until the run is over, or until it is told to leave at once.
    pub fn run(&mut self, control: &Control, observer: &mut impl Observer) -> io::Result<()> {
        sys::sharpen_timers();
        let mut stopping = false;
        let mut next_tick = self.clock.now();
        while !control.abort_asked() {
            if control.stop_asked() && !std::mem::replace(&mut stopping, true) {
                self.client.stop(self.clock.now());
            }
            self.receive(observer);
            let now = self.clock.now();
            self.client.handle_timeout(now);
            self.send();
            self.pass_on(observer, None);
            if self.client.is_done() {
                break;
            }
            if now >= next_tick {
                observer.observe(Observation::Tick { now, in_flight: self.client.in_flight() });
                next_tick = now + Self::TICK;
            }
            if self.wait(control)? {
                control.clear();
            }
        }
        Ok(())
    }

    /// Waits for a datagram, a request, or the next deadline. Before a probe is due it looks at the
    /// clock instead of sleeping: a wake-up takes longer than the precision that is wanted.
    fn wait(&self, control: &Control) -> io::Result<bool> {
        let now = self.clock.now();
        let Some(timeout) = self.client.poll_timeout(now).map(|at| at - now) else {
            return sys::wait(&self.sockets, control, None);
        };
        let until_due = self.client.next_due().map(|due| due - now);
        match until_due {
            Some(left) if left <= Self::SPIN => {
                while self.client.next_due().is_some_and(|due| self.clock.now() < due) {
                    std::hint::spin_loop();
                }
                Ok(false)
            }
            Some(left) => sys::wait(&self.sockets, control, Some(timeout.min(left - Self::SPIN))),
            None => sys::wait(&self.sockets, control, Some(timeout)),
        }
    }

    fn receive(&mut self, observer: &mut impl Observer) {
        for lane in 0..self.sockets.len() {
            // A flood of replies must not keep the next probe from leaving.
            for _ in 0..Self::BATCHES {
                match self.sockets[lane].receive(&mut self.inbox) {
                    Ok(()) => self.handle_batch(lane, observer),
                    // An ICMP error; there may be datagrams behind it.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                        self.client.unreachable(self.clock.now());
                    }
                    // Nothing is there, or nothing that can be mended here.
                    Err(_) => break,
                }
            }
        }
        let overflows = self.sockets.iter().map(Socket::overflows).sum();
        self.client.set_own_overflows(overflows);
    }

    fn handle_batch(&mut self, lane: usize, observer: &mut impl Observer) {
        let now = self.clock.now();
        let lead = self.clock.wall_lead();
        let step = lead - self.wall_lead;
        self.wall_lead = lead;
        let stepped = step.abs() > Self::STEP;
        if stepped {
            observer.observe(Observation::ClockStep { at: now, by: step });
        }
        for index in 0..self.inbox.len() {
            let arrival = *self.inbox.arrival(index);
            // Kernel stamps are of the time of day; across a step they mean nothing.
            let stamp = arrival.stamp.filter(|_| !stepped).map_or(now, |stamp| (stamp - lead).min(now));
            for place in self.inbox.datagrams(index) {
                self.client.handle(stamp, lane, self.inbox.bytes(place));
            }
            self.pass_on(observer, arrival.ttl);
        }
    }

    fn send(&mut self) {
        while let Some(transmit) = self.client.poll_transmit(self.clock.now(), &mut self.outbox) {
            if let Err(error) = self.send_one(&transmit) {
                let why = match error.raw_os_error() {
                    Some(code) if is_too_long(code) => SendError::TooLong,
                    _ => SendError::Other(error.to_string()),
                };
                self.client.send_failed(&transmit, why);
            }
        }
    }

    /// A pending ICMP error is reported instead of sending; then the datagram is still to be sent.
    fn send_one(&mut self, transmit: &Transmit) -> io::Result<()> {
        const TRIES: u32 = 3;
        if transmit.renew {
            self.sockets[transmit.lane] = self.endpoint.open()?;
        }
        let datagram = &self.outbox[..transmit.length];
        let mut result = self.sockets[transmit.lane].send_one(datagram);
        for _ in 1..TRIES {
            match &result {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    self.client.unreachable(self.clock.now());
                    result = self.sockets[transmit.lane].send_one(datagram);
                }
                _ => break,
            }
        }
        result
    }

    fn pass_on(&mut self, observer: &mut impl Observer, ttl: Option<u8>) {
        while let Some(event) = self.client.poll_event() {
            observer.observe(Observation::Event(event, ttl));
        }
    }
}

pub(super) fn is_too_long(code: i32) -> bool {
    #[cfg(unix)]
    return code == libc::EMSGSIZE;
    #[cfg(not(unix))]
    return code == 10_040;
}
