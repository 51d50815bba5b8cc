//! The configuration of a run: the server and how to reach it, the settings of the client, the head of the record.

use std::io;
use std::net::SocketAddr;

use anyhow::{Context, anyhow, bail};

use super::{irtt, stamp, timestamps};
use crate::cli::args::{self, Destination, Fragment, Ping};
use crate::cli::exit::NoServer;
use crate::cli::impair::requested;
use crate::cli::key;
use crate::cli::local_server::LocalServer;
use crate::cli::target::{Family, Target};
use crate::net::{
    self, Clock, Outgoing, Timer, TwampError, TwampSession, TxStamps, kernel_release, random_bytes,
};
use crate::probe::{Dialect, IrttOptions, ServerInfo, Settings, StampOptions};
use crate::record::{self, Config as RecordedConfig, Environment, ReceiveBuffer, Run, SCHEMA, Stamps};
use crate::rng::Seed;
use crate::schedule::{Decay, Poisson, Schedule};
use crate::time::{Duration, Instant};
use crate::units::Interval;
use crate::wire::auth::{Key, TAG};
use crate::wire::native::{MAX_SIZE_V4, MAX_SIZE_V6};

/// How much longer than the known delays the client waits for a reply.
const GRACE: Duration = Duration::from_secs(1);
const MIN_INTERVAL: Duration = Duration::from_micros(100);
const USUAL_INTERVAL: Duration = Duration::from_secs(1);
const FLOOD_INTERVAL: Duration = Duration::from_micros(100);
/// The deadline with --rate or -f, where the interval is shorter than any path's RTT.
const FAST_DEADLINE: Duration = Duration::from_secs(1);

/// The server, resolved.
pub(crate) struct Peer {
    /// As the user typed it.
    pub host: String,
    pub address: SocketAddr,
    /// The port, if the user named one.
    pub given_port: Option<u16>,
}

/// The server of a measurement, and how to reach it.
pub(crate) struct Connection {
    pub peer: Peer,
    pub outgoing: Outgoing,
    pub key: Option<Key>,
    pub dialect: Dialect,
    /// If no native server answers, the host is asked for other dialects.
    pub asks_others: bool,
    /// Answers as long as the measurement lasts, where no host was given.
    local_server: Option<LocalServer>,
    /// The control connection of the reflector, which lasts as long.
    twamp: Option<TwampSession>,
}

impl Connection {
    /// Resolves the host; without one, starts a server on loopback.
    pub(crate) fn open(
        destination: &Destination,
        dialect: Dialect,
        outgoing: Outgoing,
        key: Option<Key>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let host = destination.ip.as_ref().or(destination.host.as_ref());
        let (peer, local_server) = match host {
            Some(text) => {
                let target = Target::parse(text, destination.port, dialect.default_port())?;
                let family = Family { v4_only: destination.ipv4, v6_only: destination.ipv6 };
                let address = target.resolve(family)?;
                (Peer { host: target.host, address, given_port: target.given_port }, None)
            }
            None if destination.port.is_some() => {
                bail!("-p needs a host; for example -ip 127.0.0.1 -p 8080")
            }
            None if !dialect.is_spoken_at_the_main_port() => {
                bail!("this dialect needs a host; for example --{} 192.0.2.1", dialect.name())
            }
            None => {
                let server = LocalServer::start(outgoing.backend, key.clone(), clock)?;
                (
                    Peer { host: "localhost".to_owned(), address: server.address(), given_port: None },
                    Some(server),
                )
            }
        };
        Ok(Self { peer, outgoing, key, dialect, asks_others: false, local_server, twamp: None })
    }

    /// Asks a TWAMP server for a session; from now on its reflector is the peer.
    fn start_twamp(&mut self, size: u32, clock: Clock) -> anyhow::Result<()> {
        let server = self.peer.address;
        let Outgoing { source, source_port, dscp, .. } = self.outgoing;
        let session = TwampSession::open(server, source, source_port, size, dscp.unwrap_or(0), clock)
            .map_err(|error| refused_by_twamp(&error, server))?;
        self.peer.address = session.reflector;
        self.outgoing.source_port = Some(session.sender.port());
        self.twamp = Some(session);
        Ok(())
    }

    pub(crate) fn is_local(&self) -> bool {
        self.local_server.is_some()
    }
}

/// A run of `ping` as it was asked for.
pub(crate) struct Config<'a> {
    pub arguments: &'a Ping,
    argv: Vec<String>,
    pub clock: Clock,
    pub connection: Connection,
    pub settings: Settings,
    /// Of random intervals.
    poisson_seed: Option<Seed>,
}

impl<'a> Config<'a> {
    pub(crate) fn new(arguments: &'a Ping, argv: Vec<String>) -> anyhow::Result<Self> {
        let clock = Clock::start();
        let dialect = arguments.dialect();
        // The other dialects have no room for a tag.
        let key = (dialect == Dialect::Native).then(|| key::find(arguments.destination.key_file.as_deref()));
        let key = key.transpose()?.flatten();
        let mut connection =
            Connection::open(&arguments.destination, dialect, outgoing(arguments), key, clock)?;
        connection.asks_others = arguments.asks_other_dialects();
        // Short enough to type again.
        let drawn = arguments.poisson.then(random_bytes).transpose()?.map(u32::from_ne_bytes);
        let poisson_seed = arguments.poisson_seed.or(drawn.map(Seed::from));
        let mut settings = settings(arguments, &connection, poisson_seed)?;
        if arguments.twamp {
            // TWAMP has no session identifier: padding stands there.
            settings.stamp.ssid = Some(0);
            connection.start_twamp(settings.size, clock)?;
        }
        Ok(Self { arguments, argv, clock, connection, settings, poisson_seed })
    }

    /// The record of a run that is about to start.
    pub(crate) fn record(&self, target: &net::Target) -> Run {
        let stamps = Stamps {
            client_send: stamp(target.has_tx_stamps()),
            client_receive: stamp(target.has_kernel_stamps()),
            server: None,
        };
        self.head(target.receive_buffer(), stamps)
    }

    /// The record of a rate search that began at `zero`.
    pub(crate) fn rate_record(&self, zero: Instant, server: Option<&ServerInfo>) -> Run {
        let stamps = Stamps {
            client_send: stamp(false),
            client_receive: stamp(cfg!(target_os = "linux")),
            server: None,
        };
        let mut run = self.head(None, stamps);
        run.started = timestamps::rfc3339(zero + self.clock.wall_offset());
        server.into_iter().for_each(|server| add_server(&mut run, server));
        run
    }

    fn head(&self, receive_buffer: Option<(usize, usize)>, stamps: Stamps) -> Run {
        let micros = |time: Duration| time.as_micros_f64();
        let Self { arguments, connection, settings, .. } = self;
        Run {
            schema: SCHEMA,
            udpecho: env!("CARGO_PKG_VERSION").to_owned(),
            argv: self.argv.clone(),
            started: String::new(),
            environment: Environment {
                os: std::env::consts::OS.to_owned(),
                kernel: kernel_release(),
                arch: std::env::consts::ARCH.to_owned(),
                cpus: std::thread::available_parallelism().map_or(1, usize::from),
                receive_buffer: receive_buffer
                    .map(|(bytes, asked)| ReceiveBuffer { bytes: bytes as u64, asked: asked as u64 }),
            },
            config: RecordedConfig {
                host: connection.peer.host.clone(),
                address: connection.peer.address.to_string(),
                dialect: settings.dialect,
                embedded: connection.is_local(),
                count: settings.count,
                interval_us: micros(interval(arguments).get()),
                decay: arguments.decay.map(f64::from),
                min_interval_us: (arguments.decay.is_some() || arguments.poisson)
                    .then(|| micros(min_interval(arguments).get())),
                poisson_seed: self.poisson_seed,
                size: settings.size,
                deadline_us: settings.deadline.map(micros),
                total_us: settings.total.map(micros),
                source: arguments.destination.source.map(|source| source.to_string()),
                dscp: arguments.destination.dscp,
                ttl: arguments.destination.ttl,
                dont_fragment: connection.outgoing.dont_fragment,
            },
            server: None,
            knows: Some(settings.dialect.knows()),
            stamps,
            clock: None,
            tlvs: None,
            hosts: None,
            rate: None,
            load: None,
            events: Vec::new(),
            summary: None,
        }
    }
}

fn refused_by_twamp(error: &TwampError, server: SocketAddr) -> anyhow::Error {
    let (ip, port) = (server.ip(), server.port());
    match error {
        TwampError::Connection(why) => {
            let text = format!(
                "no TWAMP control connection to {ip} TCP port {port}: {why}; a reflector without one is measured with --stamp"
            );
            if is_of_this_host(why) { anyhow!(text) } else { NoServer(text).into() }
        }
        TwampError::Denied(why) => anyhow!("the TWAMP server at {ip} gives no session: {why}"),
    }
}

/// The source address, port or route is wrong: no server was asked.
fn is_of_this_host(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrInUse, AddrNotAvailable, InvalidInput, NetworkUnreachable, PermissionDenied};
    matches!(
        error.kind(),
        AddrInUse | AddrNotAvailable | InvalidInput | NetworkUnreachable | PermissionDenied
    )
}

fn outgoing(arguments: &Ping) -> Outgoing {
    Outgoing {
        dont_fragment: arguments.fragment == Some(Fragment::Do),
        tx_stamps: match (arguments.tx_stamps, arguments.no_tx_stamps) {
            (true, _) => TxStamps::On,
            (_, true) => TxStamps::Off,
            _ => TxStamps::Auto,
        },
        timer: match arguments.timer {
            args::Timer::Sleep => Timer::Sleep,
            args::Timer::Hybrid => Timer::Hybrid,
            args::Timer::Busy => Timer::Busy,
        },
        ..arguments.destination.outgoing()
    }
}

fn settings(
    arguments: &Ping,
    connection: &Connection,
    poisson_seed: Option<Seed>,
) -> anyhow::Result<Settings> {
    let dialect = arguments.dialect();
    let Connection { peer, key, .. } = connection;
    let fast = arguments.rate.is_some() || arguments.flood;
    let asked = arguments.size.map(|size| size.get());
    let (mut stamp, mut irtt) = (StampOptions::default(), IrttOptions::default());
    let asked = match dialect {
        Dialect::Stamp => {
            stamp::check_pace(arguments, interval(arguments))?;
            stamp = stamp::options(arguments)?;
            stamp::size(asked, &stamp)?
        }
        Dialect::Irtt => {
            irtt = irtt::options(arguments)?;
            irtt::size(asked, &irtt)?
        }
        _ => arguments.size().get(),
    };
    Ok(Settings {
        dialect,
        size: size(asked, dialect, key.is_some(), peer.address)?,
        schedule: schedule(arguments, poisson_seed)?,
        count: arguments.count,
        total: arguments.total.map(|total| total.get()),
        deadline: arguments.deadline.map(|deadline| deadline.get()).or(fast.then_some(FAST_DEADLINE)),
        grace: GRACE,
        query: None,
        requested_impairment: arguments.impair.as_deref().map(requested).transpose()?,
        wait_for_server: arguments.wait || arguments.tui || arguments.http.is_some(),
        heed_ending: false,
        phase: None,
        flows: None,
        stop_server: arguments.stop_server,
        seed: u64::from_ne_bytes(random_bytes()?),
        key: key.clone(),
        stamp,
        irtt,
    })
}

fn schedule(arguments: &Ping, poisson_seed: Option<Seed>) -> anyhow::Result<Schedule> {
    let (interval, floor) = (interval(arguments), min_interval(arguments));
    Ok(match (arguments.decay, poisson_seed) {
        (Some(share), _) => Schedule::Decay(Decay::new(interval, share, floor)),
        (None, Some(seed)) => {
            let poisson = Poisson::new(interval, floor, seed);
            Schedule::Poisson(
                poisson.with_context(|| format!("-i {interval} --min-interval {floor} with --poisson"))?,
            )
        }
        (None, None) => Schedule::Fixed(interval),
    })
}

fn interval(arguments: &Ping) -> Interval {
    let usual = if arguments.flood { FLOOD_INTERVAL } else { USUAL_INTERVAL };
    let asked = arguments.rate.or(arguments.interval);
    asked.unwrap_or_else(|| Interval::new(usual).expect("neither is zero"))
}

/// At most a tenth of the mean with --poisson, so that most of each interval is random.
fn min_interval(arguments: &Ping) -> Interval {
    let interval = interval(arguments);
    let tenth = Duration::from_nanos(interval.get().as_nanos() / 10);
    let floor = if arguments.poisson { tenth.min(MIN_INTERVAL) } else { MIN_INTERVAL };
    arguments.min_interval.unwrap_or(Interval::new(floor).unwrap_or(interval))
}

fn size(bytes: u64, dialect: Dialect, keyed: bool, address: SocketAddr) -> anyhow::Result<u32> {
    let why = match dialect {
        _ if keyed => "for a reply's header and tag",
        Dialect::Text => "since an empty datagram is no probe",
        _ => "for a reply's header; --text takes less",
    };
    let smallest = dialect.min_size() + if keyed { TAG as u32 } else { 0 };
    let (largest, family) = if address.is_ipv4() { (MAX_SIZE_V4, "IPv4") } else { (MAX_SIZE_V6, "IPv6") };
    if bytes < u64::from(smallest) {
        bail!(
            "'{bytes}' for '--size' is too small: {smallest} bytes at least, {why}; for example -s {}",
            smallest.max(64)
        );
    }
    if bytes > u64::from(largest) {
        bail!(
            "'{bytes}' for '--size' is too large: UDP over {family} carries {largest} bytes; for example -s 1400"
        );
    }
    Ok(bytes as u32)
}

/// Adds the server's description of itself.
pub(super) fn add_server(run: &mut Run, server: &ServerInfo) {
    let Some(injects) = &server.injects else { return };
    run.stamps.server = Some(stamp(server.kernel_stamps));
    run.server =
        Some(record::Server { injects: injects.clone(), seed: server.seed, max_size: server.max_size });
}

/// The source of the send times, known at the end: some network devices stamp no probe, or only some.
pub(super) fn tx_stamps(sent: u64, stamped: u64) -> String {
    if 0 < stamped && stamped < sent { "mixed".to_owned() } else { stamp(stamped > 0) }
}

fn stamp(by_kernel: bool) -> String {
    if by_kernel { "kernel" } else { "program" }.to_owned()
}
