//! The server's engine: feeds the machine what its socket receives, sends what it returns.

mod receive;
mod send;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::attention::{Attention, Look};
use super::breath::Breath;
use super::clock::Clock;
use super::control::Control;
use super::doors::{Bind, Doors};
use super::stamps::Stamps;
use super::sys::{self, Backend, Batch, Socket};
use super::timer::Alarm;
use super::trouble::Patience;
use super::vigil::Vigil;
use crate::reflect::{Counters, Server};
use crate::time::{Duration, Instant};
use receive::Haul;

/// How a server moves its datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serving {
    pub backend: Backend,
    /// Look for datagrams without pause instead of sleeping: a core for a few microseconds.
    pub busy_poll: bool,
    /// Other servers share the port; the system gives each client to one of them.
    pub share_port: bool,
    /// The kernel stamps what is received, so that the time in the socket, while the server does not run,
    /// is the server's and not the network's. Costs an echo server 3 %.
    pub stamps: bool,
}

impl Default for Serving {
    fn default() -> Self {
        Self { backend: Backend::Native, busy_poll: false, share_port: false, stamps: true }
    }
}

/// A server on its sockets.
pub struct ServerEngine {
    clock: Clock,
    serving: Serving,
    doors: Doors,
    server: Server,
    inbox: Batch,
    outbox: Batch,
    /// One for waiting, and one for each socket, so that none speaks for another.
    patience: Vec<Patience>,
    attention: Attention,
    stamps: Stamps,
    /// For what is held.
    alarm: Alarm,
    /// An address of this host that an answer to the last batch has left from.
    answered_from: Option<IpAddr>,
    drops_counted: Instant,
    complain: Complain,
}

/// An error of a socket that did not end anything.
pub struct Complaint<'a> {
    /// To whom nothing could be sent; none while receiving.
    pub remote: Option<SocketAddr>,
    pub error: &'a io::Error,
}

/// Told of errors by the thread that serves: it must not wait.
pub type Complain = Arc<dyn Fn(&Complaint) + Send + Sync>;

impl ServerEngine {
    const BATCH: usize = 64;
    /// Received at once where replies are held: they wait meanwhile.
    const BATCH_WHERE_HELD: usize = 32;
    const LONGEST: usize = 65_536;
    /// To sleep for less takes longer than that.
    const NAP: Duration = Duration::from_micros(10);
    /// Who runs ahead of all wakes sooner, and owes the others what rest there is.
    const NAP_AHEAD: Duration = Duration::from_micros(2);
    const WAITING: usize = 0;

    pub fn bind(bind: Bind, serving: Serving, mut server: Server, clock: Clock) -> io::Result<Self> {
        // A hold counts from when a probe came, not from when somebody looked.
        let serving = Serving { stamps: serving.stamps || server.may_hold(), ..serving };
        let doors = Doors::listen(bind, serving)?;
        server.set_own_port(doors.sockets[0].local_addr()?.port());
        server.set_kernel_stamps(doors.sockets[0].has_stamps());
        let received_at_once = if server.may_hold() { Self::BATCH_WHERE_HELD } else { Self::BATCH };
        Ok(Self {
            clock,
            serving,
            patience: vec![Patience::default(); 1 + doors.sockets.len()],
            doors,
            server,
            inbox: Batch::new(received_at_once, Self::LONGEST),
            outbox: Batch::new(Self::BATCH, Self::LONGEST),
            attention: Attention::begin(clock.now()),
            stamps: Stamps::new(clock.wall_lead(), clock.now()),
            alarm: Alarm::sparing(),
            answered_from: None,
            drops_counted: clock.now(),
            complain: Arc::new(|_| ()),
        })
    }

    /// Who is told of errors from now on.
    pub fn complain_to(&mut self, complain: Complain) {
        self.complain = complain;
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.doors.sockets[0].local_addr()
    }

    /// Runs until it is told to stop, by its controller or by a client that may. `watch` sees the
    /// server as often as something happens, at most once a `WATCH`.
    pub fn run(
        &mut self,
        control: &Control,
        mut watch: impl FnMut(&Server, Instant),
    ) -> io::Result<Counters> {
        const WATCH: Duration = Duration::from_millis(200);
        sys::sharpen_timers();
        let mut next_watch = self.clock.now();
        let mut look = Look::ALL;
        let mut ahead = false;
        let mut vigil = Vigil::begin(next_watch);
        let mut breath = Breath::begin(next_watch);
        while !control.stop_asked() && !self.server.stop_asked() {
            // First what is late already; what just came was stamped then.
            self.release();
            let haul = self.receive(look)?;
            let now = self.clock.now();
            self.server.handle_timeout(now);
            if now >= next_watch {
                self.count_drops();
                if let Some(index) = self.doors.close_gate(now) {
                    self.patience.swap_remove(1 + index);
                }
                watch(&self.server, now);
                next_watch = now + WATCH;
                ahead = sys::runs_ahead_of_all();
            }
            if haul > Haul::Nothing {
                vigil.heard(now, haul == Haul::Many);
            }
            // What is held leaves in its moment; nothing else has one.
            let release = self.server.next_release();
            let ready = self.clock.now();
            let sleep = release.and_then(|due| self.alarm.sleep_until(due, ready));
            let wake = sleep.map(|sleep| sleep.end).into_iter().chain(self.server.poll_timeout()).min();
            let timeout = wake.map(|at| at - ready);
            let nap = if ahead { Self::NAP_AHEAD } else { Self::NAP };
            let at_hand = timeout.is_some_and(|left| left < nap) || release.is_some() && sleep.is_none();
            let soon = haul == Haul::More || at_hand;
            // While replies are held their times decide when to sleep.
            let next_look = vigil.next_look(now).filter(|_| release.is_none());
            look = if soon || self.serving.busy_poll || next_look.is_some() {
                if let Some(length) = breath.due(now).filter(|_| ahead) {
                    std::thread::sleep(length.to_std());
                    breath.slept(self.clock.now() - now);
                }
                if let Some(at) = next_look {
                    self.clock.watch_until(at);
                }
                self.attention.look(now)
            } else {
                let look = self.wait(control, timeout)?;
                let woke = self.clock.now();
                if let Some(sleep) = sleep {
                    self.alarm.learn(sleep, woke);
                }
                let slept = woke - now;
                vigil.slept(slept);
                breath.slept(slept);
                look
            };
        }
        self.count_drops();
        Ok(self.server.counters())
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
        self.doors.sockets.iter_mut().for_each(Socket::count_drops);
        self.server.set_overflows(self.doors.overflows());
    }

    /// At which sockets there may be something.
    fn wait(&mut self, control: &Control, timeout: Option<Duration>) -> io::Result<Look> {
        match sys::wait(&self.doors.sockets, true, None, control, timeout) {
            Ok(woken) => {
                self.patience[Self::WAITING].renew();
                Ok(Look::where_readable(woken.readable))
            }
            Err(error) => self.bear(Self::WAITING, error).map(|()| Look::ALL),
        }
    }

    /// An error of a socket, or of waiting: counted and survived, unless no call will succeed any more.
    fn bear(&mut self, whose: usize, error: io::Error) -> io::Result<()> {
        self.server.receive_failed();
        (self.complain)(&Complaint { remote: None, error: &error });
        self.patience[whose].after(&error).obey(error)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::reflect::{Injection, Settings};

    /// Its clients are told whether it does.
    #[test]
    fn the_kernel_stamps_what_a_server_receives_unless_it_is_told_not_to_and_holds_nothing() {
        let stamps = |line: &str, stamps, backend| {
            let clock = Clock::start();
            let injection = Injection::steady(line.parse().unwrap());
            let server = Server::new(Settings { injection, ..Settings::default() }, [1; 32], clock.now());
            let at = Bind::At((std::net::Ipv4Addr::LOCALHOST, 0).into());
            let serving = Serving { stamps, backend, ..Serving::default() };
            ServerEngine::bind(at, serving, server, clock).unwrap().server.has_kernel_stamps()
        };
        let native = cfg!(target_os = "linux");
        for (line, asked, stamped) in
            [("clean", false, false), ("clean", true, native), ("classic", false, native)]
        {
            assert_eq!(stamps(line, asked, Backend::Native), stamped, "{line}");
            assert!(!stamps(line, asked, Backend::Portable), "{line}");
        }
    }

    /// It neither goes round and round nor goes silent: whoever started it is told why it ended.
    #[test]
    fn a_server_whose_socket_is_useless_ends_with_the_reason() {
        let clock = Clock::start();
        let server = Server::new(Settings::default(), [1; 32], clock.now());
        let at = Bind::At((std::net::Ipv4Addr::LOCALHOST, 0).into());
        let mut engine = ServerEngine::bind(at, Serving::default(), server, clock).unwrap();
        engine.doors.sockets = vec![Socket::useless()];
        let error = engine.run(&Control::new().unwrap(), |_, _| {}).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{error}");
        assert_eq!(engine.server.counters().receive_errors, 100);
    }
}
