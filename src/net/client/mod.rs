//! The client's engine: sends each probe when it is due, takes the receive time of each reply, and passes on the
//! machine's events.

mod events;
mod foreign_listener;
mod path_mtu;
mod receive;
mod send;
mod sockets;
mod tx_stamps;
mod wait;

use std::io;
use std::net::SocketAddr;

use super::clock::Clock;
use super::kernel_timestamps::StampMapper;
use super::sleep::Policy;
use super::socket_errors::ErrorBudget;
use super::stop_signal::Control;
use super::sys::{self, Batch, Socket};
use crate::probe::{Client, Counters, Settings, Transmit};
use crate::time::Duration;
use foreign_listener::ForeignListener;
use sockets::Endpoint;
use tx_stamps::Unstamped;

pub use events::{Observation, Observer};
pub use path_mtu::find_size;
pub use sockets::{Outgoing, TxStamps};

/// One run against one server, on its sockets.
pub struct ClientEngine {
    clock: Clock,
    endpoint: Endpoint,
    sockets: Vec<Socket>,
    foreign: ForeignListener,
    client: Client,
    policy: Policy,
    inbox: Batch,
    outbox: Batch,
    /// The probes in the outbox.
    departing: Vec<Transmit>,
    stamps: StampMapper,
    /// None where the kernel does not stamp what is sent.
    unstamped: Option<Unstamped>,
    /// The last wait found no socket readable.
    nothing_there: bool,
    /// This program has one processor, and the server most likely runs on it too.
    shares_processor: bool,
    /// Something was sent since the last datagram came.
    awaiting: bool,
    /// One for each socket, and one for waiting.
    errors: Vec<ErrorBudget>,
}

impl ClientEngine {
    pub const TICK: Duration = Duration::from_millis(100);
    const BATCH: usize = 64;
    /// Calls for one purpose before the others have their turn.
    const BATCHES: usize = 4;

    pub fn connect(
        remote: SocketAddr,
        settings: Settings,
        outgoing: &Outgoing,
        clock: Clock,
    ) -> io::Result<Self> {
        let endpoint = Endpoint::of_run(remote, outgoing, &settings);
        let sockets =
            (0..Client::channels(&settings)).map(|_| endpoint.open()).collect::<io::Result<Vec<_>>>()?;
        let foreign = ForeignListener::new(endpoint.open_foreign(&sockets[0]), clock.now());
        let longest = (settings.size as usize).max(2048);
        let client = Client::new(settings, clock.now());
        let longest_in = if endpoint.offloads() { 65_536 } else { longest };
        Ok(Self {
            endpoint,
            errors: vec![ErrorBudget::default(); sockets.len() + 1],
            unstamped: sockets[0].has_tx_stamps().then(Unstamped::default),
            sockets,
            foreign,
            client,
            policy: Policy::of_client(outgoing.timer),
            inbox: Batch::new(Self::BATCH, longest_in),
            outbox: Batch::new(Self::BATCH, longest),
            departing: Vec::with_capacity(Self::BATCH),
            stamps: StampMapper::new(clock.wall_offset(), clock.now()),
            nothing_there: false,
            shares_processor: remote.ip().to_canonical().is_loopback()
                && std::thread::available_parallelism().is_ok_and(|count| count.get() == 1),
            awaiting: false,
            clock,
        })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.sockets[0].local_addr()
    }

    /// Bytes of receive buffer, granted and asked for.
    pub fn receive_buffer(&self) -> Option<(usize, usize)> {
        Some((self.sockets[0].receive_buffer()?, self.endpoint.receive_buffer()))
    }

    pub fn has_kernel_stamps(&self) -> bool {
        self.sockets[0].has_stamps()
    }

    pub fn has_tx_stamps(&self) -> bool {
        self.unstamped.is_some()
    }

    pub fn counters(&self) -> Counters {
        self.client.counters()
    }

    /// Runs until the run is over, or until it is told to stop at once.
    pub fn run(&mut self, control: &Control, observer: &mut impl Observer) -> io::Result<()> {
        let ran = self.run_until_the_end(control, observer);
        let datagrams = self.sockets.iter().map(|socket| socket.truncated()).sum();
        if datagrams > 0 {
            observer.observe(Observation::TruncatedMetadata { at: self.clock.now(), datagrams });
        }
        if let Some(Unstamped { sent, stamped, .. }) = self.unstamped {
            observer.observe(Observation::TxStamps { sent, stamped });
        }
        if let Err(error) = &ran {
            observer.observe(Observation::SocketFailed { at: self.clock.now(), why: error.to_string() });
        }
        observer.idle();
        ran
    }

    fn run_until_the_end(&mut self, control: &Control, observer: &mut impl Observer) -> io::Result<()> {
        sys::set_min_timer_slack();
        sys::request_short_timeslice();
        self.policy.set_realtime(sys::is_realtime(), self.clock.now());
        let mut stopping = false;
        let mut next_tick = self.clock.now();
        while !control.abort_asked() {
            if !std::mem::take(&mut self.nothing_there) {
                self.receive(observer)?;
            }
            if control.stop_asked() && !std::mem::replace(&mut stopping, true) {
                self.client.stop(self.clock.now());
            }
            let now = self.clock.now();
            self.client.handle_timeout(now);
            self.send(now);
            self.pass_on(observer, None);
            if self.client.is_done() {
                break;
            }
            if now >= next_tick {
                self.foreign.tick(&mut self.inbox, &mut self.client, &self.clock);
                if self.client.next_due().is_none() {
                    // Perhaps no datagram comes any more that says how many were dropped.
                    self.sockets.iter_mut().for_each(|socket| socket.count_drops());
                }
                observer.observe(Observation::Tick { now, in_flight: self.client.in_flight() });
                observer.idle();
                next_tick = now + Self::TICK;
            }
            if self.wait(control, observer)? {
                control.clear();
            }
        }
        Ok(())
    }

    fn pass_on(&mut self, observer: &mut impl Observer, ttl: Option<u8>) {
        while let Some(event) = self.client.poll_event() {
            observer.observe(Observation::Event(event, ttl));
        }
    }
}
