//! The server's engine: feeds the machine what its socket receives, sends what it returns.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::attention::Attention;
use super::clock::Clock;
use super::control::Control;
use super::doors::{Bind, Doors};
use super::sys::{self, Arrival, Backend, Batch, Socket};
use super::trouble::{Patience, Trouble};
use super::vigil::Vigil;
use crate::reflect::{Counters, Incoming, Path, Server, stays_whole};
use crate::time::{Duration, Instant};

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
    doors: Doors,
    server: Server,
    inbox: Batch,
    outbox: Batch,
    /// One for waiting, and one for each socket, so that none speaks for another.
    patience: Vec<Patience>,
    attention: Attention,
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
    const LONGEST: usize = 65_536;
    /// To sleep for less takes longer than that.
    const NAP: Duration = Duration::from_micros(10);
    /// No datagram waits longer in a socket that is looked at all the time.
    const LONGEST_WAIT: Duration = Duration::from_secs(1);
    /// No answer tells of what was dropped as of longer ago; where more waits than a call takes, of now.
    const DROPS_KNOWN_FOR: Duration = Duration::from_millis(10);
    const WAITING: usize = 0;
    /// So many batches may be left for a socket when a door is opened beside it; then they wait in turn.
    const LEFT_BEHIND: usize = 256;

    pub fn bind(bind: Bind, serving: Serving, mut server: Server, clock: Clock) -> io::Result<Self> {
        let doors = Doors::listen(bind, serving)?;
        server.set_own_port(doors.sockets[0].local_addr()?.port());
        Ok(Self {
            clock,
            serving,
            patience: vec![Patience::default(); 1 + doors.sockets.len()],
            doors,
            server,
            inbox: Batch::new(Self::BATCH, Self::LONGEST),
            outbox: Batch::new(Self::BATCH, Self::LONGEST),
            attention: Attention::begin(clock.now()),
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
        let mut readable = Attention::ALL;
        let mut vigil = Vigil::begin(next_watch);
        while !control.stop_asked() && !self.server.stop_asked() {
            let haul = self.receive(readable)?;
            self.release();
            let now = self.clock.now();
            self.server.handle_timeout(now);
            if now >= next_watch {
                self.count_drops();
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
                self.attention.look(now)
            } else {
                let readable = self.wait(control, timeout)?;
                vigil.slept(self.clock.now() - now);
                readable
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
    fn wait(&mut self, control: &Control, timeout: Option<Duration>) -> io::Result<u64> {
        match sys::wait(&self.doors.sockets, true, None, control, timeout) {
            Ok(woken) => {
                self.patience[Self::WAITING].renew();
                Ok(woken.readable)
            }
            Err(error) => self.bear(Self::WAITING, error).map(|()| Attention::ALL),
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
        let sockets = self.doors.sockets.len();
        for index in bits(readable).take_while(|index| *index < sockets) {
            most = most.max(self.receive_at(index)?);
            if let Some(address) = self.answered_from.take()
                && self.doors.open(index, address)
            {
                self.patience.push(Patience::default());
                self.empty(index)?;
            }
        }
        Ok(most)
    }

    /// What comes through a door that was just opened is not to overtake what came before, or meanwhile.
    fn empty(&mut self, index: usize) -> io::Result<()> {
        for _ in 0..Self::LEFT_BEHIND {
            if self.receive_at(index)? < Haul::More {
                break;
            }
        }
        Ok(())
    }

    fn receive_at(&mut self, index: usize) -> io::Result<Haul> {
        let patience = 1 + index;
        self.answered_from = None;
        match self.doors.sockets[index].receive(&mut self.inbox) {
            Ok(()) => {
                self.patience[patience].renew();
                self.attention.gave(1 << index);
                Ok(self.handle_batch(index))
            }
            Err(error) if Trouble::of(&error) == Trouble::None => {
                self.patience[patience].renew();
                Ok(Haul::Nothing)
            }
            Err(error) => self.bear(patience, error).map(|()| Haul::More),
        }
    }

    /// Answers what one socket received.
    fn handle_batch(&mut self, index: usize) -> Haul {
        let now = self.clock.now();
        // Before anything is answered that asks for them.
        if now - self.drops_counted > Self::DROPS_KNOWN_FOR {
            self.count_drops();
        } else if self.inbox.was_filled() {
            self.doors.sockets[index].count_drops();
        }
        let Self { doors, server, inbox, outbox, clock, serving, complain, .. } = self;
        server.set_overflows(doors.overflows());
        server.set_truncated(doors.truncated());
        let door = doors.ways.address(index);
        let socket = &mut doors.sockets[index];
        let lead = if serving.stamps { clock.wall_lead() } else { Duration::ZERO };
        for index in 0..inbox.arrived() {
            let Arrival { path, stamp, ttl: hops, .. } = *inbox.arrival(index);
            let path = Path { local: path.local.or(door), ..path };
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
            if let Some(path) = batch.first_path() {
                if post(socket, batch, server, complain) {
                    self.answered_from = path.local;
                }
                batch.clear_letters();
            }
        }
        haul
    }

    /// Sends what was held and is due.
    fn release(&mut self) {
        let Self { doors, server, outbox, clock, complain, .. } = self;
        loop {
            let now = clock.now();
            let mut through = 0;
            while !outbox.is_full()
                && let Some((path, length)) = server.poll_transmit(now, outbox.spare())
            {
                outbox.commit(path, length);
                through |= 1 << doors.ways.of(path);
            }
            if !outbox.has_letters() {
                return;
            }
            for index in bits(through) {
                let take = |path| doors.ways.of(path) == index;
                post_those(&mut doors.sockets[index], outbox, take, server, complain);
            }
            outbox.clear_letters();
        }
    }
}

/// The places of the ones, from the lowest.
fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = (set != 0).then(|| set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(lowest)
    })
}

/// Sends what is in the batch; what cannot be sent is counted, told, and not tried again. Whether all
/// of it was sent.
fn post(socket: &mut Socket, batch: &Batch, server: &mut Server, complain: &Complain) -> bool {
    post_those(socket, batch, |_| true, server, complain)
}

/// The same of those letters that take such a path.
fn post_those(
    socket: &mut Socket,
    batch: &Batch,
    take: impl Fn(Path) -> bool,
    server: &mut Server,
    complain: &Complain,
) -> bool {
    let mut all = true;
    socket.send_those(batch, take, |ordinal, error| {
        all = false;
        complain(&Complaint { remote: batch.remote_of(ordinal), error });
        server.send_failed()
    });
    all
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
    use crate::reflect::{Injection, Settings};

    #[cfg(target_os = "linux")]
    mod doors {
        use std::net::{Ipv6Addr, UdpSocket};

        use super::*;

        fn bind(bind: Bind, serving: Serving) -> io::Result<ServerEngine> {
            let clock = Clock::start();
            let settings =
                Settings { injection: Injection::steady("clean".parse().unwrap()), ..Settings::default() };
            ServerEngine::bind(bind, serving, Server::new(settings, [1; 32], clock.now()), clock)
        }

        fn engine(at: Bind, serving: Serving) -> ServerEngine {
            bind(at, serving).unwrap()
        }

        fn is_echoed(engine: &mut ServerEngine, from: &UdpSocket) {
            from.send(b"hello").unwrap();
            engine.receive(u64::MAX).unwrap();
            from.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
            let mut answer = [0; 16];
            let length = from.recv(&mut answer).unwrap();
            assert_eq!(&answer[..length], b"hello");
        }

        /// Its socket hears nothing from another address than that which it asks.
        fn client(ip: IpAddr, port: u16) -> UdpSocket {
            let any: IpAddr = if ip.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
            let client = UdpSocket::bind((any, 0)).unwrap();
            client.connect((ip, port)).unwrap();
            client
        }

        #[test]
        fn each_address_that_was_asked_gets_one_and_answers_as_before() {
            let v4 = [[127, 0, 0, 1], [127, 0, 0, 2]].map(IpAddr::from);
            let v6 = [Ipv6Addr::LOCALHOST.into()];
            for (at, asked) in [(Bind::AnyV4(0), &v4[..]), (Bind::AnyV6(0), &v6[..])] {
                let mut engine = engine(at, Serving::default());
                let port = engine.local_addr().unwrap().port();
                assert_eq!(engine.doors.ways.address(0), None);
                for (door, ip) in (1..).zip(asked) {
                    for _ in 0..3 {
                        is_echoed(&mut engine, &client(*ip, port));
                        assert_eq!(engine.doors.sockets.len(), 1 + door);
                        assert_eq!(engine.doors.ways.address(door), Some(*ip));
                    }
                }
            }
        }

        #[test]
        fn what_was_dropped_is_known_before_anything_is_answered() {
            const SENT: u64 = 300;
            let mut engine = engine(Bind::AnyV4(0), Serving::default());
            let client = client([127, 0, 0, 1].into(), engine.local_addr().unwrap().port());
            for _ in 0..SENT {
                client.send(&[7; 60_000]).unwrap();
            }
            std::thread::sleep(ServerEngine::DROPS_KNOWN_FOR.to_std());
            engine.receive(u64::MAX).unwrap();
            let dropped = engine.server.counters().overflows;
            assert!(dropped > 0, "there is room for fewer");
            while engine.receive(u64::MAX).unwrap() > Haul::Nothing {}
            assert_eq!(engine.server.counters().received + dropped, SENT);
        }

        #[test]
        fn what_came_before_is_answered_before_what_comes_through_it() {
            const BEFORE: u8 = 200;
            let mut engine = engine(Bind::AnyV4(0), Serving::default());
            let client = client([127, 0, 0, 1].into(), engine.local_addr().unwrap().port());
            for number in 0..BEFORE {
                client.send(&[number]).unwrap();
            }
            engine.receive(u64::MAX).unwrap();
            client.send(&[BEFORE]).unwrap();
            engine.receive(u64::MAX).unwrap();
            client.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
            let answers = (0..=BEFORE).map(|_| {
                let mut answer = [0];
                client.recv(&mut answer).unwrap();
                answer[0]
            });
            assert_eq!(answers.collect::<Vec<_>>(), (0..=BEFORE).collect::<Vec<_>>());
        }

        #[test]
        fn their_number_is_bounded_and_the_rest_is_answered_without() {
            let mut engine = engine(Bind::AnyV4(0), Serving::default());
            let port = engine.local_addr().unwrap().port();
            for host in 1..=20 {
                is_echoed(&mut engine, &client([127, 0, 0, host].into(), port));
            }
            assert_eq!(engine.doors.sockets.len(), 1 + Doors::MOST);
        }

        #[test]
        fn nobody_else_is_let_in_by_one() {
            let mut first = engine(Bind::AnyV4(0), Serving::default());
            let port = first.local_addr().unwrap().port();
            is_echoed(&mut first, &client([127, 0, 0, 1].into(), port));
            for (at, share_port) in [
                (Bind::AnyV4(port), true),
                (Bind::AnyV4(port), false),
                (Bind::At(([127, 0, 0, 1], port).into()), true),
            ] {
                let refused = bind(at, Serving { share_port, ..Serving::default() }).err().unwrap();
                assert_eq!(refused.kind(), io::ErrorKind::AddrInUse, "{at:?}");
            }
        }

        #[test]
        fn servers_that_share_a_port_have_none() {
            let mut engine = engine(Bind::AnyV4(0), Serving { share_port: true, ..Serving::default() });
            let port = engine.local_addr().unwrap().port();
            is_echoed(&mut engine, &client([127, 0, 0, 1].into(), port));
            assert_eq!(engine.doors.sockets.len(), 1);
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
