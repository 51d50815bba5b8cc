//! The client's engine: sends each probe when it is due, stamps what comes back, and passes on what
//! the machine tells.

mod receive;
mod send;
mod tx_stamps;
mod wait;

use std::io;
use std::net::SocketAddr;

use super::breath::Breath;
use super::bystander::Bystander;
use super::clock::Clock;
use super::control::Control;
use super::endpoint::{Endpoint, Outgoing};
use super::observer::{Observation, Observer};
use super::stamps::Stamps;
use super::sys::{self, Batch, Socket};
use super::timer::Alarm;
use super::trouble::Patience;
use crate::probe::{Client, Counters, Settings, Transmit};
use crate::time::Duration;
use tx_stamps::Unstamped;

/// One run against one server, on its sockets.
pub struct ClientEngine {
    clock: Clock,
    outgoing: Outgoing,
    endpoint: Endpoint,
    sockets: Vec<Socket>,
    bystander: Bystander,
    client: Client,
    alarm: Alarm,
    inbox: Batch,
    outbox: Batch,
    /// What stands in the outbox.
    departing: Vec<Transmit>,
    stamps: Stamps,
    /// None where the kernel does not stamp what is sent.
    unstamped: Option<Unstamped>,
    /// The last wait told that nothing is at the sockets.
    nothing_there: bool,
    /// There is but one processor for this program, and the server most likely runs on it too.
    shares_processor: bool,
    /// Something was sent since something came.
    awaiting: bool,
    /// Of who runs ahead of all.
    breath: Option<Breath>,
    /// One for each socket, so that none speaks for another, and one for waiting.
    patience: Vec<Patience>,
}

impl ClientEngine {
    pub const TICK: Duration = Duration::from_millis(100);
    const BATCH: usize = 64;
    /// Calls for one purpose before other things are looked after.
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
        let bystander = Bystander::new(endpoint.open_beside(&sockets[0]), clock.now());
        let longest = (settings.size as usize).max(2048);
        let client = Client::new(settings, clock.now());
        let longest_in = if endpoint.has_trains() { 65_536 } else { longest };
        Ok(Self {
            outgoing: *outgoing,
            endpoint,
            patience: vec![Patience::default(); sockets.len() + 1],
            unstamped: sockets[0].has_tx_stamps().then(Unstamped::default),
            sockets,
            bystander,
            client,
            alarm: Alarm::new(outgoing.timer),
            inbox: Batch::new(Self::BATCH, longest_in),
            outbox: Batch::new(Self::BATCH, longest),
            departing: Vec::with_capacity(Self::BATCH),
            stamps: Stamps::new(clock.wall_lead(), clock.now()),
            nothing_there: false,
            shares_processor: remote.ip().to_canonical().is_loopback()
                && std::thread::available_parallelism().is_ok_and(|count| count.get() == 1),
            awaiting: false,
            breath: None,
            clock,
        })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.sockets[0].local_addr()
    }

    /// Bytes of receive buffer, given and asked for.
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

    /// Runs until the run is over, or until it is told to leave at once.
    pub fn run(&mut self, control: &Control, observer: &mut impl Observer) -> io::Result<()> {
        let ran = self.run_until_the_end(control, observer);
        let datagrams = self.sockets.iter().map(Socket::truncated).sum();
        if datagrams > 0 {
            observer.observe(Observation::ToldLess { at: self.clock.now(), datagrams });
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
        sys::sharpen_timers();
        sys::ask_for_short_slices();
        self.breath = sys::runs_ahead_of_all().then(|| Breath::begin(self.clock.now()));
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
                self.bystander.tick(&mut self.inbox, &mut self.client, &self.clock);
                if self.client.next_due().is_none() {
                    // Nothing may come any more that tells of them.
                    self.sockets.iter_mut().for_each(Socket::count_drops);
                }
                observer.observe(Observation::Tick { now, in_flight: self.client.in_flight() });
                observer.idle();
                next_tick = now + Self::TICK;
            }
            // Whatever there is to do is done by now: from its moment on a probe waits for nothing.
            self.meet_next_due();
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
