//! The server's engine: feeds the machine what its socket receives, sends what it returns.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::clock::Clock;
use super::control::Control;
use super::sys::{self, Arrival, Backend, Batch, Options, Socket, Woken};
use super::trouble::{Patience, Trouble};
use super::vigil::Vigil;
use crate::reflect::{ANSWER_HOPS, Counters, Incoming, Path, Server, stays_whole};
use crate::time::{Duration, Instant};

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bind {
    /// Every address of the host, IPv4 and IPv6 alike where there is IPv6.
    Any(u16),
    AnyV4(u16),
    AnyV6(u16),
    At(SocketAddr),
}

/// How a server moves its datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Serving {
    pub backend: Backend,
    /// Look for datagrams without pause instead of sleeping: a core for a few microseconds.
    pub busy_poll: bool,
    /// Other servers share the port; the system gives each client to one of them.
    pub share_port: bool,
    /// The kernel stamps what is received, so that waiting in the socket counts as the server's time.
    pub stamps: bool,
}

/// What a look at the sockets brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Haul {
    Nothing,
    Some,
    /// And there is likely to be more.
    More,
}

/// A server on its sockets.
pub struct ServerEngine {
    clock: Clock,
    serving: Serving,
    /// One, or one for each family of addresses.
    sockets: Vec<Socket>,
    server: Server,
    inbox: Batch,
    outbox: Batch,
    /// One for each socket, so that none speaks for another, and one for waiting.
    patience: Vec<Patience>,
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
    const LONGEST: usize = 65_536;
    const RECEIVE_BUFFER: usize = 4 << 20;
    /// To sleep for less takes longer than that.
    const NAP: Duration = Duration::from_micros(10);
    /// No datagram waits longer in a socket that is looked at all the time.
    const LONGEST_WAIT: Duration = Duration::from_secs(1);

    pub fn bind(bind: Bind, serving: Serving, mut server: Server, clock: Clock) -> io::Result<Self> {
        let open = |address: SocketAddr, dual_stack| {
            let options = Options {
                backend: serving.backend,
                dual_stack,
                ttl: Some(u32::from(ANSWER_HOPS)),
                hops: true,
                local_address: address.ip().is_unspecified(),
                receive_buffer: Some(Self::RECEIVE_BUFFER),
                trains: true,
                share_port: serving.share_port,
                busy_poll: serving.busy_poll,
                stamps: serving.stamps,
                ..Options::default()
            };
            Socket::bind(address, &options)
        };
        let any_v4 = |port| open((Ipv4Addr::UNSPECIFIED, port).into(), false);
        let any_v6 = |port, dual_stack| open((Ipv6Addr::UNSPECIFIED, port).into(), dual_stack);
        // One socket for both families is simpler to wait for, but slower.
        let apart = serving.backend == Backend::Native;
        let sockets = match bind {
            Bind::At(address) => vec![open(address, false)?],
            Bind::AnyV4(port) => vec![any_v4(port)?],
            Bind::AnyV6(port) => vec![any_v6(port, false)?],
            Bind::Any(port) => match any_v6(port, !apart) {
                Ok(v6) if apart => vec![v6, any_v4(port)?],
                Ok(both) => vec![both],
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
                // A host without IPv6.
                Err(_) => vec![any_v4(port)?],
            },
        };
        server.set_own_port(sockets[0].local_addr()?.port());
        Ok(Self {
            clock,
            serving,
            patience: vec![Patience::default(); sockets.len() + 1],
            sockets,
            server,
            inbox: Batch::new(Self::BATCH, Self::LONGEST),
            outbox: Batch::new(Self::BATCH, Self::LONGEST),
            complain: Arc::new(|_| ()),
        })
    }

    /// Who is told of errors from now on.
    pub fn complain_to(&mut self, complain: Complain) {
        self.complain = complain;
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.sockets[0].local_addr()
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
        let mut readable = Woken::LOOK.readable;
        let mut vigil = Vigil::begin(next_watch);
        while !control.stop_asked() && !self.server.stop_asked() {
            let haul = self.receive(readable)?;
            self.release();
            let now = self.clock.now();
            self.server.handle_timeout(now);
            if now >= next_watch {
                watch(&self.server, now);
                next_watch = now + WATCH;
            }
            if haul > Haul::Nothing {
                vigil.heard(now);
            }
            let timeout = self.server.poll_timeout().map(|at| at - self.clock.now());
            let soon = haul == Haul::More || timeout.is_some_and(|left| left < Self::NAP);
            // While replies are held their times decide when to sleep.
            let awake = vigil.lasts(now) && self.server.next_release().is_none();
            readable = if soon || self.serving.busy_poll || awake {
                Woken::LOOK.readable
            } else {
                let readable = self.wait(control, timeout)?;
                vigil.slept(self.clock.now() - now);
                readable
            };
        }
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
            let Some(next) = next.filter(|_| !control.abort_asked()) else { return self.server.counters() };
            std::thread::sleep((next - self.clock.now()).min(SLICE).to_std());
        }
    }

    /// At which sockets there may be something.
    fn wait(&mut self, control: &Control, timeout: Option<Duration>) -> io::Result<u64> {
        match sys::wait(&self.sockets, true, None, control, timeout) {
            Ok(woken) => {
                self.patience[self.sockets.len()].renew();
                Ok(woken.readable)
            }
            Err(error) => self.bear(self.sockets.len(), error).map(|()| Woken::LOOK.readable),
        }
    }

    /// An error of a socket, or of waiting: counted and survived, unless no call will succeed any more.
    fn bear(&mut self, whose: usize, error: io::Error) -> io::Result<()> {
        self.server.receive_failed();
        (self.complain)(&Complaint { remote: None, error: &error });
        self.patience[whose].after(&error).obey(error)
    }

    /// Handles a batch of what has arrived at each of these sockets.
    fn receive(&mut self, readable: u64) -> io::Result<Haul> {
        let mut most = Haul::Nothing;
        for index in (0..self.sockets.len()).filter(|index| readable >> index & 1 == 1) {
            match self.sockets[index].receive(&mut self.inbox) {
                Ok(()) => {
                    self.patience[index].renew();
                    most = most.max(self.handle_batch(index));
                }
                Err(error) if Trouble::of(&error) == Trouble::None => self.patience[index].renew(),
                Err(error) => {
                    self.bear(index, error)?;
                    most = Haul::More;
                }
            }
        }
        Ok(most)
    }

    /// Answers what one socket received.
    fn handle_batch(&mut self, index: usize) -> Haul {
        let Self { sockets, server, inbox, outbox, clock, serving, complain, .. } = self;
        let socket = &mut sockets[index];
        let now = clock.now();
        let lead = if serving.stamps { clock.wall_lead() } else { Duration::ZERO };
        for index in 0..inbox.arrived() {
            let Arrival { path, stamp, ttl: hops, .. } = *inbox.arrival(index);
            // A stamp is of the time of day; one from before a step of it is of no use.
            let waited = stamp.map_or(Duration::ZERO, |stamp| now - (stamp - lead));
            let waited =
                if (Duration::ZERO..Self::LONGEST_WAIT).contains(&waited) { waited } else { Duration::ZERO };
            let received = now - waited;
            for place in inbox.datagrams(index) {
                let length = place.len();
                let buffer = inbox.room(index, &place);
                if buffer.len() >= Server::ROOM {
                    let incoming = Incoming { received, now, path, hops, buffer, length };
                    if let Some(answer) = server.handle(incoming) {
                        let place = place.start..place.start + answer;
                        if stays_whole(inbox.bytes(place.clone())) {
                            send_whole(socket, inbox.bytes(place), path, outbox, server, complain);
                        } else {
                            inbox.post(path, place);
                        }
                    }
                    continue;
                }
                // A short one in a train: its answer may need more room than it had.
                if outbox.is_full() {
                    post(socket, outbox, server, complain);
                    outbox.clear_letters();
                }
                let spare = outbox.spare();
                spare[..length].copy_from_slice(&buffer[..length]);
                let incoming = Incoming { received, now, path, hops, buffer: spare, length };
                if let Some(answer) = server.handle(incoming) {
                    outbox.commit(path, answer);
                }
            }
        }
        let haul = if inbox.was_filled() { Haul::More } else { Haul::Some };
        for batch in [inbox, outbox] {
            if batch.has_letters() {
                post(socket, batch, server, complain);
                batch.clear_letters();
            }
        }
        server.set_overflows(sockets.iter().map(Socket::overflows).sum());
        server.set_truncated(sockets.iter().map(Socket::truncated).sum());
        haul
    }

    /// Sends what was held and is due.
    fn release(&mut self) {
        let Self { sockets, server, outbox, clock, complain, .. } = self;
        loop {
            let now = clock.now();
            while !outbox.is_full()
                && let Some((path, length)) = server.poll_transmit(now, outbox.spare())
            {
                outbox.commit(path, length);
            }
            if !outbox.has_letters() {
                return;
            }
            for socket in &mut *sockets {
                post(socket, outbox, server, complain);
            }
            outbox.clear_letters();
        }
    }
}

/// Sends what is in the batch; what cannot be sent is counted, told, and not tried again.
fn post(socket: &mut Socket, batch: &Batch, server: &mut Server, complain: &Complain) {
    socket.send(batch, |ordinal, error| {
        complain(&Complaint { remote: batch.remote_of(ordinal), error });
        server.send_failed()
    });
}

/// Sends a datagram by itself, in one piece or not at all.
fn send_whole(
    socket: &mut Socket,
    datagram: &[u8],
    path: Path,
    outbox: &mut Batch,
    server: &mut Server,
    complain: &Complain,
) {
    if outbox.has_letters() {
        post(socket, outbox, server, complain);
        outbox.clear_letters();
    }
    outbox.spare()[..datagram.len()].copy_from_slice(datagram);
    outbox.commit(path, datagram.len());
    // A system where this cannot be said is known to those who look at the answer.
    let _ = socket.set_whole(true);
    post(socket, outbox, server, complain);
    outbox.clear_letters();
    let _ = socket.set_whole(false);
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::reflect::Settings;

    /// It neither goes round and round nor goes silent: whoever started it is told why it ended.
    #[test]
    fn a_server_whose_socket_is_useless_ends_with_the_reason() {
        let clock = Clock::start();
        let server = Server::new(Settings::default(), [1; 32], clock.now());
        let at = Bind::At((Ipv4Addr::LOCALHOST, 0).into());
        let mut engine = ServerEngine::bind(at, Serving::default(), server, clock).unwrap();
        engine.sockets = vec![Socket::useless()];
        let error = engine.run(&Control::new().unwrap(), |_, _| {}).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{error}");
        assert_eq!(engine.server.counters().receive_errors, 100);
    }
}
