//! The server's engine: feeds the machine what its sockets receive, sends what it returns.

mod config;
mod peer_sockets;
mod receive;
mod send;
mod sockets;
#[cfg(all(test, target_os = "linux"))]
mod tests;
mod threads;

use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;

use super::clock::Clock;
use super::kernel_timestamps::StampMapper;
use super::sleep::{Next, Policy, Situation};
use super::socket_errors::ErrorBudget;
use super::stop_signal::Control;
use super::sys::{self, Batch};
use crate::reflect::{Counters, Server, ServerPort, WallClock};
use crate::time::{Duration, Instant};
use peer_sockets::HeavySenders;
use receive::Received;
use sockets::Listeners;

pub(crate) use config::PortShare;
pub use config::{Bind, OnError, OtherPorts, PortClosed, Serving, SocketErrorReport};
pub use threads::ServerThreads;

/// A server on its sockets.
pub struct ServerEngine {
    clock: Clock,
    listeners: Listeners,
    heavy: HeavySenders,
    server: Server,
    inbox: Batch,
    outbox: Batch,
    stamps: StampMapper,
    policy: Policy,
    wait_errors: ErrorBudget,
    next_watch: Instant,
    drops_counted: Instant,
    on_error: OnError,
    /// The system's state of the wall clock, but for its offset.
    wall_clock: WallClock,
}

impl ServerEngine {
    const BATCH: usize = 64;
    /// Received at once where replies are held: they wait meanwhile.
    const BATCH_WHERE_HELD: usize = 32;
    const MAX_DATAGRAM: usize = 65_536;
    /// From the first word of its end the server answers for this long, so that probes on their way get a reply.
    const FAREWELL: Duration = Duration::from_secs(2);
    /// How often `watch` is called, and idle peer sockets are looked for.
    const WATCH: Duration = Duration::from_millis(200);

    /// Binds the sockets; nothing is answered before `run`.
    pub fn bind(bind: Bind, serving: Serving, mut server: Server, clock: Clock) -> io::Result<Self> {
        // A hold counts from when the probe came, not from when it was read.
        let serving = Serving { stamps: serving.stamps || server.may_hold(), ..serving };
        let listeners = Listeners::open(bind, serving)?;
        for server_port in ServerPort::ALL {
            if let Some(socket) = listeners.of_port(server_port) {
                server.set_own_port(server_port, socket.local_addr()?.port());
            }
        }
        server.set_kernel_stamps(listeners.first().has_stamps());
        let received_at_once = if server.may_hold() { Self::BATCH_WHERE_HELD } else { Self::BATCH };
        Ok(Self {
            listeners,
            heavy: HeavySenders::default(),
            server,
            inbox: Batch::new(received_at_once, Self::MAX_DATAGRAM),
            outbox: Batch::new(Self::BATCH, Self::MAX_DATAGRAM),
            stamps: StampMapper::new(clock.wall_offset(), clock.now()),
            policy: Policy::of_server(serving.busy_poll),
            wait_errors: ErrorBudget::default(),
            next_watch: clock.now(),
            drops_counted: clock.now(),
            on_error: Arc::new(|_| ()),
            wall_clock: wall_clock(),
            clock,
        })
    }

    /// Called with each socket error from now on.
    pub fn on_error(&mut self, on_error: OnError) {
        self.on_error = on_error;
    }

    /// The address and port of the first socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listeners.first().local_addr()
    }

    /// The address at which one of its ports is, if it has it.
    pub fn port_addr(&self, server_port: ServerPort) -> Option<SocketAddr> {
        self.listeners.of_port(server_port)?.local_addr().ok()
    }

    /// Steers native messages at the main port by their `Place` to one of these servers, which were bound in the order of
    /// their indices. If the system cannot do that, it steers by the sender's address.
    fn place_messages(&mut self, servers: NonZero<u32>) {
        for listener in self.listeners.listening(ServerPort::Main) {
            let _ = listener.socket.place_messages(servers);
        }
    }

    /// Runs until it is told to stop, by its controller or by a client that may. `watch` sees the
    /// server as often as something happens, at most once a `WATCH`.
    pub fn run(
        &mut self,
        control: &Control,
        mut watch: impl FnMut(&Server, Instant),
    ) -> io::Result<Counters> {
        sys::set_min_timer_slack();
        let mut readable = sys::Woken::ALL.readable;
        while !control.stop_asked() && !self.server.stop_asked() {
            let received = self.turn(readable, &mut watch)?;
            // A client's request to stop is no reason to wait for the next datagram.
            if self.server.stop_asked() {
                break;
            }
            readable = self.wait(control, received, None)?;
        }
        if control.is_gentle() && self.server.announce_end(self.clock.now()) {
            self.say_farewell(control, &mut watch)?;
        }
        self.count_drops();
        Ok(self.server.counters())
    }

    /// Sends what is due, and answers what has come.
    fn turn(&mut self, readable: u64, watch: &mut impl FnMut(&Server, Instant)) -> io::Result<Received> {
        // Due replies first: new datagrams carry the kernel's stamp and can wait.
        self.release();
        let received = self.receive(readable)?;
        let now = self.clock.now();
        self.server.handle_timeout(now);
        if now >= self.next_watch {
            self.count_drops();
            self.listeners.close_idle_peer(now);
            self.wall_clock = wall_clock();
            self.policy.set_realtime(sys::is_realtime(), now);
            watch(&self.server, now);
            self.next_watch = now + Self::WATCH;
        }
        Ok(received)
    }

    fn say_farewell(
        &mut self,
        control: &Control,
        watch: &mut impl FnMut(&Server, Instant),
    ) -> io::Result<()> {
        /// How soon an abort is noticed.
        const LOOK: Duration = Duration::from_millis(50);
        // The request to stop would end each wait at once.
        let quiet = Control::new()?;
        let end = self.clock.now() + Self::FAREWELL;
        let mut readable = sys::Woken::ALL.readable;
        while self.clock.now() < end && !control.abort_asked() {
            let received = self.turn(readable, watch)?;
            readable = self.wait(&quiet, received, Some(self.clock.now() + LOOK))?;
        }
        Ok(())
    }

    /// At which sockets there may be something, a bit for each. Waits until then at most.
    fn wait(&mut self, control: &Control, received: Received, until: Option<Instant>) -> io::Result<u64> {
        let situation = Situation {
            now: self.clock.now(),
            due: self.server.next_release(),
            timeout: self.server.poll_timeout().into_iter().chain(until).min(),
            backlog: received == Received::BatchFull,
        };
        let readable = match self.policy.next(&situation) {
            Next::Poll | Next::SpinUntil(_) => return Ok(sys::Woken::ALL.readable),
            Next::Rest(length) => {
                std::thread::sleep(length.to_std());
                sys::Woken::ALL.readable
            }
            Next::SleepUntil(end) => self.sleep(control, end.map(|end| end - situation.now))?,
        };
        self.policy.woke(self.clock.now());
        Ok(readable)
    }

    fn sleep(&mut self, control: &Control, timeout: Option<Duration>) -> io::Result<u64> {
        match sys::wait(self.listeners.sockets(), control, timeout) {
            Ok(woken) => {
                self.wait_errors.reset();
                Ok(woken.readable)
            }
            Err(error) => {
                self.report(&error);
                self.wait_errors.on_error(&error).apply(error).map(|()| sys::Woken::ALL.readable)
            }
        }
    }

    /// Sends what is held when its time comes, for so long at most; nothing new is answered. What is
    /// then left is in the counters.
    pub fn drain(&mut self, control: &Control, longest: Duration) -> Counters {
        const SLICE: Duration = Duration::from_millis(50);
        let end = self.clock.now() + longest;
        loop {
            self.release();
            let next = self.server.next_release().filter(|at| *at <= end);
            let Some(next) = next.filter(|_| !control.abort_asked()) else { break };
            std::thread::sleep((next - self.clock.now()).min(SLICE).to_std());
        }
        self.count_drops();
        self.server.counters()
    }

    fn count_drops(&mut self) {
        self.drops_counted = self.clock.now();
        self.listeners.count_drops();
        self.server.set_overflows(self.listeners.overflows());
    }

    fn report(&mut self, error: &io::Error) {
        self.server.receive_failed();
        (self.on_error)(&SocketErrorReport { remote: None, error });
    }
}

fn wall_clock() -> WallClock {
    let told = sys::wall_clock_error();
    told.map_or(WallClock::default(), |(synchronized, error)| WallClock {
        synchronized,
        error,
        ..WallClock::default()
    })
}
