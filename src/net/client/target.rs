//! One target of an engine: a client with its sockets.

use std::io;
use std::net::SocketAddr;

use super::events::{Observation, Observer};
use super::foreign_listener::ForeignListener;
use super::pool_ports::PoolPorts;
use super::shared::{Place, Shared};
use super::sockets::{Endpoint, Outgoing};
use super::target_queue::{Moments, TargetId};
use crate::net::clock::Clock;
use crate::net::kernel_timestamps::StampMapper;
use crate::net::socket_errors::ErrorBudget;
use crate::net::sys::Socket;
use crate::probe::{Client, Counters, Event, Settings};
use crate::time::{Duration, Instant};

/// One run against one server, on its sockets.
pub struct Target {
    pub(super) id: TargetId,
    pub(super) endpoint: Endpoint,
    pub(super) sockets: Vec<Socket>,
    pub(super) foreign: ForeignListener,
    pub(super) client: Client,
    pub(super) stamps: StampMapper,
    /// None where the kernel does not stamp what is sent.
    pub(super) tx_stamps: Option<TxStampCount>,
    /// One for each socket.
    pub(super) errors: Vec<ErrorBudget>,
    /// Of a target without sockets of its own.
    pub(super) pooled: Option<PoolPorts>,
    channels: usize,
    /// Bytes of the longest datagram.
    longest: usize,
}

/// The probes that left, and those whose transmit timestamp has been read.
#[derive(Clone, Copy, Default)]
pub(super) struct TxStampCount {
    pub sent: u64,
    pub stamped: u64,
}

/// The sockets of a target that may have something to read.
#[derive(Clone, Copy)]
pub(super) enum Readable<'a> {
    /// All, as far as is known.
    Any,
    /// The sockets at these places alone; no other was readable at that time.
    At(&'a [Place], Instant),
}

/// A target's share of its engine's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub in_flight: usize,
    /// 1 if its replies cannot wait until the next probe: it has no kernel timestamps, or a handshake is under way.
    pub urgent: usize,
}

impl Target {
    /// If the next send is within 10 ms, replies are read then: kernel timestamps make the delay harmless, and
    /// it saves a wake-up.
    pub(super) const LAZY: Duration = Duration::from_millis(10);
    /// The same if the replies are not shown. A lost session is then noticed a probe later.
    pub(super) const LAZY_UNSEEN: Duration = Duration::from_secs(2);
    /// Within this time before the next probe only a reply ends the wait.
    const NEAR: Duration = Duration::from_millis(250);
    /// Calls for one purpose before the others have their turn.
    pub(super) const BATCHES: usize = 4;

    /// Opens the sockets.
    pub fn connect(
        remote: SocketAddr,
        settings: Settings,
        outgoing: &Outgoing,
        clock: Clock,
    ) -> io::Result<Self> {
        let endpoint = Endpoint::of_run(remote, outgoing, &settings);
        let sockets =
            (0..Client::channels(&settings)).map(|_| endpoint.open()).collect::<io::Result<Vec<_>>>()?;
        let mut target = Self::without_sockets(endpoint, settings, clock.now());
        target.foreign = ForeignListener::new(target.endpoint.open_foreign(&sockets[0]), clock.now());
        target.errors = vec![ErrorBudget::default(); sockets.len()];
        target.tx_stamps = sockets[0].has_tx_stamps().then(TxStampCount::default);
        target.stamps = StampMapper::new(clock.wall_offset(), clock.now());
        target.sockets = sockets;
        Ok(target)
    }

    /// Sends and receives by the engine's shared sockets, which stay few however many targets there are. The session
    /// is opened from `opens` on.
    pub fn pooled(remote: SocketAddr, settings: Settings, dscp: Option<u8>, opens: Instant) -> Self {
        let endpoint = Endpoint::of_run(remote, &Outgoing::default(), &settings);
        let pooled = Some(PoolPorts::new(remote, dscp));
        Self { pooled, ..Self::without_sockets(endpoint, settings, opens) }
    }

    fn without_sockets(endpoint: Endpoint, settings: Settings, opens: Instant) -> Self {
        Self {
            id: TargetId::default(),
            foreign: ForeignListener::new(None, opens),
            endpoint,
            sockets: Vec::new(),
            errors: Vec::new(),
            tx_stamps: None,
            pooled: None,
            channels: Client::channels(&settings),
            longest: (settings.size as usize).max(2048),
            client: Client::new(settings, opens),
            stamps: StampMapper::new(Duration::ZERO, opens),
        }
    }

    /// Of a target that shares them.
    pub(super) fn take_ports(&mut self, shared: &mut Shared) -> io::Result<()> {
        let Self { pooled, id, channels, .. } = self;
        let Some(pooled) = pooled else { return Ok(()) };
        pooled.take_ports(*id, *channels, shared)?;
        self.tx_stamps = shared.pool.has_tx_stamps().then(TxStampCount::default);
        Ok(())
    }

    /// An ended target has no sockets any more.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.sockets.first().ok_or(io::ErrorKind::NotConnected)?.local_addr()
    }

    /// Bytes of receive buffer, granted and asked for.
    pub fn receive_buffer(&self) -> Option<(usize, usize)> {
        Some((self.sockets.first()?.receive_buffer()?, self.endpoint.receive_buffer()))
    }

    pub(crate) fn has_kernel_stamps(&self) -> bool {
        match &self.pooled {
            Some(pooled) => pooled.has_stamps,
            None => self.sockets.first().is_some_and(|socket| socket.has_stamps()),
        }
    }

    /// Whether the kernel stamps probes of this target now.
    pub fn has_tx_stamps(&self) -> bool {
        self.tx_stamps.is_some()
    }

    /// Datagrams so far that count for no probe.
    pub fn counters(&self) -> Counters {
        self.client.counters()
    }

    pub(super) fn make_room(&self, shared: &mut Shared) {
        shared.make_room(if self.endpoint.offloads() { 65_536 } else { self.longest }, self.longest);
        shared.shares_processor |= self.endpoint.path().remote.ip().to_canonical().is_loopback()
            && std::thread::available_parallelism().is_ok_and(|count| count.get() == 1);
    }

    /// Its sockets with their places, the foreign listener last if it may wake the target now.
    pub(super) fn places(&self, now: Instant) -> impl Iterator<Item = (Place, &Socket)> + Clone {
        let place = |channel| Place { target: self.id, channel };
        let sockets = (0..).zip(&self.sockets).map(move |(channel, socket)| (place(channel), socket));
        sockets.chain(self.foreign.socket(now).map(|socket| (place(Place::FOREIGN), socket)))
    }

    pub(super) fn socket_count(&self) -> usize {
        self.sockets.len() + usize::from(self.foreign.is_open())
    }

    /// From now on the set of all sockets reports this target's.
    pub(super) fn watch_sockets(&self, shared: &Shared) -> io::Result<()> {
        self.places(Instant::FAR_FUTURE).try_for_each(|(place, socket)| shared.watch(socket, place))
    }

    /// Receives, then looks at what is over and sends what is due.
    pub(super) fn serve(
        &mut self,
        readable: Readable,
        shared: &mut Shared,
        observer: &mut impl Observer,
    ) -> io::Result<()> {
        if self.pooled.is_none() {
            self.foreign.listen_again(shared, self.id)?;
            self.receive(readable, shared, observer)?;
        }
        let now = shared.clock.now();
        self.client.handle_timeout(now);
        self.send(now, shared);
        self.pass_on(observer, None);
        Ok(())
    }

    pub(super) fn stop(&mut self, now: Instant) {
        self.client.stop(now);
    }

    pub(super) fn is_over(&self) -> bool {
        self.client.is_done()
    }

    /// When to serve it next.
    pub(super) fn moments(&self, now: Instant, lazy: Duration) -> Moments {
        let due = self.client.next_due();
        let within = |length| due.is_some_and(|due| due - now <= length);
        let opening = self.client.is_opening();
        let near = within(Self::NEAR) && !opening;
        let lazy = within(lazy) && !opening && self.has_kernel_stamps();
        let timeout = if near || lazy { None } else { self.client.poll_timeout(now) };
        Moments { due, timeout }
    }

    pub(super) fn load(&self) -> Load {
        let urgent = self.client.is_opening() || !self.has_kernel_stamps();
        Load { in_flight: self.client.in_flight(), urgent: usize::from(urgent) }
    }

    pub(super) fn pass_on(&mut self, observer: &mut impl Observer, ttl: Option<u8>) {
        while let Some(event) = self.client.poll_event() {
            let is_of_flow = matches!(event, Event::Flow { .. });
            observer.observe(Observation::Event { target: self.id, event, ttl });
            if let Some(pooled) = self.pooled.as_ref().filter(|_| is_of_flow) {
                let channels = self.client.flow_channels();
                let ports = channels.filter_map(|channel| pooled.source_port(channel)).collect();
                observer.observe(Observation::FlowPorts { target: self.id, ports });
            }
        }
    }

    /// Reports what is known at the end only, and the error that ended the target, if one did.
    pub(super) fn report_end(
        &mut self,
        at: Instant,
        error: Option<&io::Error>,
        observer: &mut impl Observer,
    ) {
        self.pass_on(observer, None);
        let target = self.id;
        let datagrams = self.sockets.iter().map(|socket| socket.truncated()).sum();
        if datagrams > 0 {
            observer.observe(Observation::TruncatedMetadata { target, at, datagrams });
        }
        if let Some(TxStampCount { sent, stamped }) = self.tx_stamps {
            observer.observe(Observation::TxStamps { target, sent, stamped });
        }
        if let Some(error) = error {
            observer.observe(Observation::SocketFailed { target, at, why: error.to_string() });
        }
    }

    pub(super) fn close(&mut self, shared: &mut Shared) {
        if let Some(pooled) = &mut self.pooled {
            pooled.leave_ports(shared);
        }
        self.sockets.clear();
        self.foreign.close();
    }
}

impl Load {
    /// A target counted for `before` counts for `after` now.
    pub(super) fn replace(&mut self, before: Self, after: Self) {
        self.in_flight = self.in_flight - before.in_flight + after.in_flight;
        self.urgent = self.urgent - before.urgent + after.urgent;
    }
}
