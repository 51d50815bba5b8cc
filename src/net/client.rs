//! The client's engine: sends each probe when it is due, stamps what comes back, and passes on what
//! the machine tells.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::clock::Clock;
use super::control::Control;
use super::stamps::Stamps;
use super::sys::{self, Backend, Batch, Options, Socket};
use super::timer::{Alarm, Timer};
use super::trouble::{Patience, Trouble};
use crate::probe::{Client, Counters, Event, Language, SendError, Settings, Transmit};
use crate::reflect::Path;
use crate::time::{Duration, Instant};

/// How datagrams leave.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outgoing {
    pub backend: Backend,
    pub source: Option<IpAddr>,
    pub ttl: Option<u8>,
    pub dscp: Option<u8>,
    pub dont_fragment: bool,
    pub timer: Timer,
    /// Have the kernel stamp what is sent: the program's own time between the two is no part of the path.
    pub sent_stamps: bool,
}

/// What the engine passes on.
#[derive(Clone, Debug)]
pub enum Observation {
    /// Something happened; with the time to live of the datagram that told it.
    Event(Event, Option<u8>),
    /// The time of day was set by so much while the run went on.
    ClockStep { at: Instant, by: Duration },
    /// Of so many datagrams the kernel told less than it was asked to. At the end, if at all.
    ToldLess { at: Instant, datagrams: u64 },
    /// The sockets can be used no longer; nothing follows.
    SocketFailed { at: Instant, why: String },
    /// The state of things, at most once every `ClientEngine::TICK`.
    Tick { now: Instant, in_flight: usize },
}

/// Takes observations, quickly: the measurement waits for it.
pub trait Observer {
    fn observe(&mut self, observation: Observation);
    /// There is time now to pass on what was observed.
    fn idle(&mut self) {}
    /// Whether somebody looks at each reply as it comes.
    fn is_watched(&self) -> bool {
        true
    }
}

impl<F: FnMut(Observation)> Observer for F {
    fn observe(&mut self, observation: Observation) {
        self(observation);
    }
}

pub struct ClientEngine {
    clock: Clock,
    outgoing: Outgoing,
    endpoint: Endpoint,
    sockets: Vec<Socket>,
    /// Hears what others than the server send to the port.
    bystander: Option<Socket>,
    client: Client,
    alarm: Alarm,
    inbox: Batch,
    outbox: Batch,
    /// What stands in the outbox.
    departing: Vec<Transmit>,
    stamps: Stamps,
    /// The last wait told that nothing is at the sockets.
    nothing_there: bool,
    /// When the bystander may be heard again: strangers wake nobody more often.
    next_hearing: Instant,
    /// A wait would have told of strangers since the last tick.
    listened: bool,
    /// There is but one processor for this program, and the server most likely runs on it too.
    shares_processor: bool,
    /// Something was sent since something came.
    awaiting: bool,
    /// One for each socket, so that none speaks for another, and one for waiting.
    patience: Vec<Patience>,
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
            ttl: outgoing.ttl.map(u32::from),
            traffic_class: outgoing.dscp.map(|dscp| u32::from(dscp) << 2),
            dont_fragment: outgoing.dont_fragment,
            receive_buffer: Some(Self::RECEIVE_BUFFER),
            stamps: true,
            sent_stamps: outgoing.sent_stamps,
            hops: true,
            ..Options::default()
        };
        let any: IpAddr =
            if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let source = SocketAddr::new(outgoing.source.unwrap_or(any), 0);
        Self { source, remote, options }
    }

    fn path(&self) -> Path {
        Path { remote: self.remote, local: None }
    }

    pub(super) fn open(&self) -> io::Result<Socket> {
        let mut socket = Socket::bind(self.source, &self.options)?;
        socket.connect(self.remote)?;
        Ok(socket)
    }

    /// A second socket at the port of one that lends it. To a connected socket nobody else's datagrams
    /// come; without this one they would vanish uncounted. Where that cannot be had, they do.
    fn open_beside(&self, socket: &Socket) -> Option<Socket> {
        let port = socket.local_addr().ok()?.port();
        let options =
            Options { backend: self.options.backend, share_port: true, stamps: true, ..Options::default() };
        Socket::bind(SocketAddr::new(self.source.ip(), port), &options).ok()
    }
}

impl ClientEngine {
    pub const TICK: Duration = Duration::from_millis(100);
    /// With the next probe due sooner than this a reply waits for it, under the kernel's stamp: it
    /// saves a wake-up.
    const LAZY: Duration = Duration::from_millis(10);
    /// The same if nobody looks at it.
    const LAZY_UNSEEN: Duration = Duration::from_millis(250);
    /// With the next probe due sooner than this nothing but a reply is worth a wake-up before.
    const NEAR: Duration = Duration::from_millis(250);
    const NEAR_UNSEEN: Duration = Duration::from_millis(1_250);
    /// So long before the next probe nothing is waited for by whoever never sleeps.
    const READY: Duration = Duration::from_micros(50);
    /// With more probes a second than this those that are due together leave in a train: a call for
    /// each takes too long.
    const TRAINS_ABOVE: i64 = 200_000;
    /// What a datagram takes of a receive buffer besides its bytes.
    const BUFFER_OVERHEAD: i64 = 768;
    const BUFFER_MOST: usize = 64 << 20;
    const BATCH: usize = 64;
    const ICMP_TRIES: u32 = 3;
    /// Taken from a socket before other things are looked after.
    const BATCHES: usize = 4;

    pub fn connect(
        remote: SocketAddr,
        settings: Settings,
        outgoing: &Outgoing,
        clock: Clock,
    ) -> io::Result<Self> {
        let mut endpoint = Endpoint::new(remote, outgoing);
        endpoint.options.trains = settings.schedule.most_within(Duration::from_secs(1)) > Self::TRAINS_ABOVE;
        endpoint.options.receive_buffer = Some(receive_buffer(&settings));
        let watches_port = settings.language == Language::Native && outgoing.backend.has_bystanders();
        endpoint.options.lends_port = watches_port;
        let sockets =
            (0..Client::lanes(&settings)).map(|_| endpoint.open()).collect::<io::Result<Vec<_>>>()?;
        let bystander = if watches_port { endpoint.open_beside(&sockets[0]) } else { None };
        let longest = (settings.size as usize).max(2048);
        let client = Client::new(settings, clock.now());
        let longest_in = if endpoint.options.trains { 65_536 } else { longest };
        Ok(Self {
            outgoing: *outgoing,
            endpoint,
            patience: vec![Patience::default(); sockets.len() + 1],
            sockets,
            bystander,
            client,
            alarm: Alarm::new(outgoing.timer),
            inbox: Batch::new(Self::BATCH, longest_in),
            outbox: Batch::new(Self::BATCH, longest),
            departing: Vec::with_capacity(Self::BATCH),
            stamps: Stamps::new(clock.wall_lead(), clock.now()),
            nothing_there: false,
            next_hearing: clock.now(),
            listened: false,
            shares_processor: remote.ip().to_canonical().is_loopback()
                && std::thread::available_parallelism().is_ok_and(|count| count.get() == 1),
            awaiting: false,
            clock,
        })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.sockets[0].local_addr()
    }

    /// Bytes of receive buffer, given and asked for.
    pub fn receive_buffer(&self) -> Option<(usize, usize)> {
        let asked = self.endpoint.options.receive_buffer.unwrap_or(Endpoint::RECEIVE_BUFFER);
        Some((self.sockets[0].receive_buffer()?, asked))
    }

    pub fn has_kernel_stamps(&self) -> bool {
        self.sockets[0].has_stamps()
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
        if let Err(error) = &ran {
            observer.observe(Observation::SocketFailed { at: self.clock.now(), why: error.to_string() });
        }
        observer.idle();
        ran
    }

    fn run_until_the_end(&mut self, control: &Control, observer: &mut impl Observer) -> io::Result<()> {
        sys::sharpen_timers();
        sys::ask_for_short_slices();
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
            self.send();
            self.pass_on(observer, None);
            if self.client.is_done() {
                break;
            }
            if now >= next_tick {
                if !std::mem::take(&mut self.listened) {
                    self.hear_bystanders();
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

    /// Sends the next probe in the moment it is due, if there is no time to sleep before.
    fn meet_next_due(&mut self) {
        let Some(due) = self.client.next_due() else { return };
        if self.alarm.sleep_until(due, self.clock.now()).is_some() {
            return;
        }
        if self.outgoing.timer != Timer::Busy {
            while self.clock.now() < due {
                std::hint::spin_loop();
            }
        }
        if due <= self.clock.now() {
            self.send();
        }
    }

    /// Waits for a datagram, a request, or the next deadline; until a probe is due with the precision
    /// that the timer gives. Whether there was a request.
    fn wait(&mut self, control: &Control, observer: &mut impl Observer) -> io::Result<bool> {
        let now = self.clock.now();
        let timeout = self.client.poll_timeout(now);
        let Some(due) = self.client.next_due() else {
            observer.idle();
            return self.rest(true, control, timeout.map(|at| at - now));
        };
        let Some(wake) = self.alarm.sleep_until(due, now) else {
            // Whoever spins where the server is to run keeps the reply from being made.
            if self.shares_processor && self.awaiting && due - now > Self::READY {
                let until = timeout.map_or(due - Self::READY, |at| at.min(due - Self::READY));
                return self.rest(true, control, Some(until - now));
            }
            return Ok(false);
        };
        let (lazy, near) = match observer.is_watched() {
            true => (Self::LAZY, Self::NEAR),
            false => (Self::LAZY_UNSEEN, Self::NEAR_UNSEEN),
        };
        // Who opens anew in the middle of a run is waiting for each answer.
        let opens = self.client.is_opening();
        let near = if opens { Duration::ZERO } else { near };
        let lazy = !opens && due - now <= lazy && self.sockets[0].has_stamps();
        if lazy {
            let asked = self.rest(false, control, Some(wake - now))?;
            self.alarm.learn(wake, self.clock.now());
            return Ok(asked);
        }
        observer.idle();
        let until = timeout.filter(|_| wake - now > near).map_or(wake, |timeout| timeout.min(wake));
        let asked = self.rest(true, control, Some(until - now))?;
        if until == wake {
            self.alarm.learn(wake, self.clock.now());
        }
        Ok(asked)
    }

    /// Whether there was a request.
    fn rest(&mut self, listen: bool, control: &Control, timeout: Option<Duration>) -> io::Result<bool> {
        let now = self.clock.now();
        let bystander = self.bystander.as_ref().filter(|_| now >= self.next_hearing);
        match sys::wait(&self.sockets, listen, bystander, control, timeout) {
            Ok(woken) => {
                self.nothing_there =
                    listen && woken.readable == 0 && self.sockets.len() <= u64::BITS as usize;
                self.patience[self.sockets.len()].renew();
                self.listened |= bystander.is_some();
                if woken.beside && bystander.is_some() {
                    self.hear_bystanders();
                }
                Ok(woken.asked)
            }
            Err(error) => self.bear(self.sockets.len(), error).map(|()| false),
        }
    }

    /// An error of the sockets is no reason to end a run, unless no call will succeed any more.
    fn bear(&mut self, whose: usize, error: io::Error) -> io::Result<()> {
        self.patience[whose].after(&error).obey(error)
    }

    fn receive(&mut self, observer: &mut impl Observer) -> io::Result<()> {
        self.stamps.begin_look(self.clock.now());
        if self.outgoing.sent_stamps {
            self.note_departures(observer);
        }
        let mut all = true;
        for lane in 0..self.sockets.len() {
            // A flood of replies must not keep the next probe from leaving.
            for batch in 1..=Self::BATCHES {
                match self.sockets[lane].receive(&mut self.inbox) {
                    Ok(()) => {
                        self.patience[lane].renew();
                        self.handle_batch(lane, observer);
                        if !self.inbox.was_filled() {
                            break;
                        }
                        all &= batch < Self::BATCHES;
                    }
                    Err(error) if Trouble::of(&error) == Trouble::None => {
                        self.patience[lane].renew();
                        break;
                    }
                    // Perhaps an ICMP error; there may be datagrams behind it.
                    Err(error) => {
                        if Trouble::of(&error) == Trouble::Passing {
                            tell_obstruction(&mut self.client, self.clock.now(), &error);
                        }
                        self.bear(lane, error)?;
                    }
                }
            }
        }
        if all {
            self.stamps.end_look();
        }
        let overflows = self.sockets.iter().map(Socket::overflows).sum();
        self.client.set_own_overflows(overflows);
        Ok(())
    }

    /// What came from others than the server.
    fn hear_bystanders(&mut self) {
        let Self { bystander: Some(socket), inbox, client, clock, next_hearing, .. } = self else { return };
        let (now, lead) = (clock.now(), clock.wall_lead());
        *next_hearing = now + Self::TICK;
        for _ in 0..Self::BATCHES {
            // An error is of no interest here, and the next look is soon.
            if socket.receive(inbox).is_err() {
                return;
            }
            for index in 0..inbox.arrived() {
                let arrival = *inbox.arrival(index);
                let received = arrival.stamp.map_or(now, |stamp| (stamp - lead).min(now));
                for place in inbox.datagrams(index) {
                    client.handle_foreign(received, arrival.path.remote, inbox.bytes(place));
                }
            }
            if !inbox.was_filled() {
                return;
            }
        }
    }

    fn note_departures(&mut self, observer: &mut impl Observer) {
        self.note_lead(observer);
        let Self { sockets, inbox, client, stamps, clock, .. } = self;
        for socket in sockets {
            socket.sent_stamps(inbox, |stamp, frame| {
                if let Some(moment) = stamps.moment(stamp, clock.now()) {
                    client.left(moment, frame);
                }
            });
        }
    }

    /// Before stamps are read, and not before they were made.
    fn note_lead(&mut self, observer: &mut impl Observer) -> Instant {
        let now = self.clock.now();
        if let Some(by) = self.stamps.note(self.clock.wall_lead()) {
            observer.observe(Observation::ClockStep { at: now, by });
        }
        now
    }

    fn handle_batch(&mut self, lane: usize, observer: &mut impl Observer) {
        let now = self.note_lead(observer);
        self.awaiting = false;
        for index in 0..self.inbox.arrived() {
            let arrival = *self.inbox.arrival(index);
            let received = arrival.stamp.and_then(|stamp| self.stamps.moment(stamp, now)).unwrap_or(now);
            self.client.came_coupled(arrival.datagrams());
            for place in self.inbox.datagrams(index) {
                self.client.handle(received, lane, self.inbox.bytes(place));
            }
            self.pass_on(observer, arrival.ttl);
        }
    }

    /// Sends what the machine has to send: several datagrams in one call where several are due. Whoever
    /// is behind looks for replies in between.
    fn send(&mut self) {
        for _ in 0..Self::BATCHES {
            self.outbox.clear_letters();
            self.departing.clear();
            while !self.outbox.is_full()
                && let Some(transmit) = self.client.poll_transmit(self.clock.now(), self.outbox.spare())
            {
                self.outbox.commit(self.endpoint.path(), transmit.length);
                self.departing.push(transmit);
                // On another socket each leaves by itself.
                if transmit.lane != 0 || transmit.renew {
                    break;
                }
            }
            self.awaiting |= !self.departing.is_empty();
            match self.departing[..] {
                [] => return,
                [transmit] => self.send_one(&transmit),
                _ => self.send_all(),
            }
            if self.shares_processor {
                // What this thread does next can wait; the reply cannot.
                std::thread::yield_now();
            }
        }
    }

    fn send_one(&mut self, transmit: &Transmit) {
        if transmit.renew {
            match self.endpoint.open() {
                Ok(socket) => self.sockets[transmit.lane] = socket,
                Err(error) => return self.client.send_failed(transmit, send_error(&error)),
            }
        }
        // Alone in the outbox, so at its beginning.
        let datagram = self.outbox.bytes(0..transmit.length);
        let mut patience = Self::ICMP_TRIES;
        while let Err(error) = self.sockets[transmit.lane].send_one(datagram) {
            if !told_instead(&error, &mut patience) {
                // Whatever is no probe is sent again by and by.
                let passing = matches!(Trouble::of(&error), Trouble::Shortage | Trouble::None);
                let again = transmit.seq.is_none() && passing;
                if !again {
                    self.client.send_failed(transmit, send_error(&error));
                }
                return;
            }
            tell_obstruction(&mut self.client, self.clock.now(), &error);
        }
    }

    fn send_all(&mut self) {
        let Self { sockets, client, outbox, departing, clock, endpoint, .. } = self;
        let lane = departing[0].lane;
        if endpoint.options.trains {
            client.coupled(outbox.longest_train());
        }
        let mut patience = Self::ICMP_TRIES;
        sockets[lane].send(outbox, |index, error| {
            let again = told_instead(error, &mut patience);
            if again {
                tell_obstruction(client, clock.now(), error);
            } else {
                client.send_failed(&departing[index], send_error(error));
            }
            again
        });
    }

    fn pass_on(&mut self, observer: &mut impl Observer, ttl: Option<u8>) {
        while let Some(event) = self.client.poll_event() {
            observer.observe(Observation::Event(event, ttl));
        }
    }
}

/// Room for what may come while nobody looks: all that is awaited at once.
fn receive_buffer(settings: &Settings) -> usize {
    let wait = settings.deadline.unwrap_or_else(|| settings.schedule.longest_interval());
    let awaited = settings.schedule.most_within(wait);
    let each = i64::from(settings.size) + ClientEngine::BUFFER_OVERHEAD;
    let bytes = usize::try_from(awaited.saturating_mul(each)).unwrap_or(0);
    bytes.clamp(Endpoint::RECEIVE_BUFFER, ClientEngine::BUFFER_MOST)
}

/// A pending ICMP error is told instead of sending; then the datagram is still to be sent. A missing
/// route has the same names, and stays.
fn told_instead(error: &io::Error, patience: &mut u32) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    let icmp = matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable);
    let told = icmp && *patience > 0;
    *patience -= u32::from(told);
    told
}

fn tell_obstruction(client: &mut Client, now: Instant, error: &io::Error) {
    if error.kind() == io::ErrorKind::ConnectionRefused {
        client.unreachable(now);
    } else if error.raw_os_error().is_none_or(|code| !is_too_long(code)) {
        client.obstructed(now, &error.to_string());
    }
}

fn send_error(error: &io::Error) -> SendError {
    match error.raw_os_error() {
        Some(code) if is_too_long(code) => SendError::TooLong,
        _ => SendError::Other(error.to_string()),
    }
}

pub(super) fn is_too_long(code: i32) -> bool {
    #[cfg(unix)]
    return code == libc::EMSGSIZE;
    #[cfg(not(unix))]
    return code == 10_040;
}
