//! From what was typed to what it means: whom to measure, with what settings, and how to record it.

use std::net::SocketAddr;

use anyhow::{Context, anyhow, bail};

use super::hints::meant_port;
use crate::cli::args::{self, Fragment, Ping};
use crate::cli::exit::Exit;
use crate::cli::impair::wanted;
use crate::cli::key;
use crate::cli::serve::backend;
use crate::cli::target::{Family, Target};
use crate::net::{ClientEngine, Outgoing, Timer, TxStamps, kernel_release, random_bytes};
use crate::probe::{Dialect, Failure, ServerInfo, Settings};
use crate::record::{self, Config, Environment, Run, SCHEMA, Stamps};
use crate::report::milliseconds;
use crate::rng::Seed;
use crate::schedule::{Decay, Poisson, Schedule};
use crate::time::{Duration, Instant};
use crate::units::Interval;
use crate::wire::auth::{Key, TAG};
use crate::wire::native::{MAX_SIZE_V4, MAX_SIZE_V6, MIN_SIZE};

/// A reply is waited for this much longer than there is a known reason for.
const GRACE: Duration = Duration::from_secs(1);
/// Unless another is given, no interval is shorter.
const MIN_INTERVAL: Duration = Duration::from_micros(100);

const USUAL_INTERVAL: Duration = Duration::from_secs(1);
const FLOOD_INTERVAL: Duration = Duration::from_micros(100);
/// The deadline of probes sent at a rate.
const FAST_DEADLINE: Duration = Duration::from_secs(1);

pub struct Plan<'a> {
    arguments: &'a Ping,
    pub server: Server,
    family: Family,
    pub outgoing: Outgoing,
    /// Of random intervals, where they are asked for.
    poisson_seed: Option<Seed>,
    pub key: Option<Key>,
}

/// Which server is measured.
pub enum Server {
    Embedded,
    At(Target),
}

/// The server, found.
pub struct Peer {
    /// As the user named it.
    pub host: String,
    pub address: SocketAddr,
    pub embedded: bool,
}

impl<'a> Plan<'a> {
    pub fn new(arguments: &'a Ping) -> anyhow::Result<Self> {
        let host = arguments.ip.as_ref().or(arguments.host.as_ref());
        let server = match host {
            Some(text) => Server::At(Target::parse(text, arguments.port)?),
            None if arguments.port.is_some() => bail!("-p needs a host; for example -ip 127.0.0.1 -p 8080"),
            None => Server::Embedded,
        };
        // Short enough to be typed again.
        let drawn = arguments.poisson.then(random_bytes).transpose()?.map(u32::from_ne_bytes);
        // The text dialect has no room for a tag.
        let key = if arguments.text { None } else { key::find(arguments.key_file.as_deref())? };
        Ok(Self {
            arguments,
            server,
            key,
            poisson_seed: arguments.poisson_seed.or(drawn.map(Seed::from)),
            family: Family { v4_only: arguments.ipv4, v6_only: arguments.ipv6 },
            outgoing: Outgoing {
                backend: backend(arguments.io),
                source: arguments.source,
                ttl: arguments.ttl,
                dscp: arguments.dscp,
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
            },
        })
    }

    pub fn peer(&self, embedded: Option<SocketAddr>) -> anyhow::Result<Peer> {
        match (&self.server, embedded) {
            (Server::At(target), _) => {
                let address = target.resolve(self.family)?;
                Ok(Peer { host: target.host.clone(), address, embedded: false })
            }
            (Server::Embedded, Some(address)) => {
                Ok(Peer { host: "localhost".into(), address, embedded: true })
            }
            (Server::Embedded, None) => bail!("the server inside this process did not start"),
        }
    }

    pub fn settings(&self, peer: &Peer) -> anyhow::Result<Settings> {
        let arguments = self.arguments;
        let dialect = if arguments.text { Dialect::Text } else { Dialect::Native };
        Ok(Settings {
            dialect,
            size: size(arguments.size.get(), dialect, self.key.is_some(), peer.address)?,
            schedule: self.schedule()?,
            count: arguments.count,
            total: arguments.total.map(|total| total.get()),
            deadline: self.deadline(),
            grace: GRACE,
            requested_impairment: arguments.impair.as_deref().map(wanted).transpose()?,
            wait_for_server: arguments.wait || arguments.tui || arguments.http.is_some(),
            stop_server: arguments.stop_server,
            seed: u64::from_ne_bytes(random_bytes()?),
            key: self.key.clone(),
        })
    }

    fn schedule(&self) -> anyhow::Result<Schedule> {
        let (interval, decay) = (self.interval(), self.arguments.decay);
        let floor = self.min_interval();
        Ok(match (decay, self.poisson_seed) {
            (Some(share), _) => Schedule::Decay(Decay::new(interval, share, floor)),
            (None, Some(seed)) => {
                let poisson = Poisson::new(interval, floor, seed);
                Schedule::Poisson(
                    poisson
                        .with_context(|| format!("-i {interval} --min-interval {floor} with --poisson"))?,
                )
            }
            (None, None) => Schedule::Fixed(interval),
        })
    }

    fn interval(&self) -> Interval {
        let usual = if self.arguments.flood { FLOOD_INTERVAL } else { USUAL_INTERVAL };
        let asked = self.arguments.rate.or(self.arguments.interval);
        asked.unwrap_or_else(|| Interval::new(usual).expect("neither is zero"))
    }

    /// None for the interval itself, which makes no sense when it is shorter than any path.
    fn deadline(&self) -> Option<Duration> {
        let Ping { deadline, rate, flood, .. } = self.arguments;
        let fast = rate.is_some() || *flood;
        deadline.map(|deadline| deadline.get()).or(fast.then_some(FAST_DEADLINE))
    }

    /// Of random intervals most must be free to be as short as they happen to be.
    fn min_interval(&self) -> Interval {
        let tenth = Duration::from_nanos(self.interval().get().as_nanos() / 10);
        let floor = if self.poisson_seed.is_some() { tenth.min(MIN_INTERVAL) } else { MIN_INTERVAL };
        let usual = Interval::new(floor).unwrap_or(self.interval());
        self.arguments.min_interval.unwrap_or(usual)
    }

    /// The record of a run that is about to begin.
    pub fn record(&self, peer: &Peer, settings: &Settings, argv: Vec<String>, engine: &ClientEngine) -> Run {
        let arguments = self.arguments;
        let micros = |time: Duration| time.as_micros_f64();
        Run {
            schema: SCHEMA,
            udpecho: env!("CARGO_PKG_VERSION").to_owned(),
            argv,
            started: String::new(),
            environment: environment(),
            config: Config {
                host: peer.host.clone(),
                address: peer.address.to_string(),
                dialect: if arguments.text { "text" } else { "native" }.to_owned(),
                embedded: peer.embedded,
                count: settings.count,
                interval_us: micros(self.interval().get()),
                decay: arguments.decay.map(f64::from),
                min_interval_us: (arguments.decay.is_some() || arguments.poisson)
                    .then(|| micros(self.min_interval().get())),
                poisson_seed: self.poisson_seed,
                size: settings.size,
                deadline_us: settings.deadline.map(micros),
                total_us: settings.total.map(micros),
                source: arguments.source.map(|source| source.to_string()),
                dscp: arguments.dscp,
                ttl: arguments.ttl,
                dont_fragment: self.outgoing.dont_fragment,
            },
            server: None,
            stamps: Stamps {
                client_send: stamp(engine.has_tx_stamps()),
                client_receive: stamp(engine.has_kernel_stamps()),
                server: None,
            },
            clock: None,
            events: Vec::new(),
            summary: None,
        }
    }
}

fn size(bytes: u64, dialect: Dialect, keyed: bool, address: SocketAddr) -> anyhow::Result<u32> {
    let (smallest, why) = match dialect {
        Dialect::Native if keyed => (MIN_SIZE + TAG as u32, "a reply's header and tag need them"),
        Dialect::Native => (MIN_SIZE, "a reply's header needs them; --text takes less"),
        Dialect::Text => (1, "there must be something to send"),
    };
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

/// What a run that could not begin exits with: a server that is down is no error of the user's.
pub fn exit_of(failure: &Failure) -> Exit {
    if failure.is_silence() { Exit::NoReply } else { Exit::Error }
}

/// Why there was no run, and what would help.
pub fn explain(failure: &Failure, peer: &Peer) -> anyhow::Error {
    let hint = meant_port(&peer.host);
    let (ip, port) = (peer.address.ip(), peer.address.port());
    match failure {
        Failure::Unreachable => anyhow!(
            "{ip} port {port} is closed (ICMP port unreachable); start a server there with: udpecho serve -p {port}{hint}"
        ),
        Failure::Silent { tries, after } => anyhow!(
            "no answer from {ip} port {port} after {tries} tries in {}: is a udpecho server on port {port} (if it is \
             another: --text), with the same key, and does a firewall drop UDP on the path?{hint}",
            milliseconds(*after)
        ),
        Failure::SizeLost { size } => anyhow!(
            "the server at {ip} answers, but {size} bytes do not come through: try a smaller size, as in -s 1200"
        ),
        Failure::SizeNotSent { size } => {
            anyhow!("{size} bytes are too long for the path to {ip}: try a smaller size, as in -s 1200")
        }
        Failure::TooLarge { limit } => anyhow!("the server at {ip} takes {limit} bytes at most: -s {limit}"),
        Failure::TooSmall { limit } => anyhow!("the server at {ip} takes {limit} bytes at least: -s {limit}"),
        Failure::ImpairDenied => {
            anyhow!(
                "the server at {ip} injects what it was told to; started with --client-impair it would let us choose"
            )
        }
        Failure::Full { .. } | Failure::Denied { .. } | Failure::Socket { .. } => {
            anyhow!("cannot measure {ip} port {port}: {failure}{hint}")
        }
    }
}

/// Adds what the server said of itself.
pub fn note_server(run: &mut Run, server: &ServerInfo) {
    run.stamps.server = Some(stamp(server.kernel_stamps));
    run.server = Some(record::Server {
        injects: server.injects.clone(),
        seed: server.seed,
        max_size: server.max_size,
    });
}

/// Which clock the send times are of in the end: some network devices stamp nothing, or not everything.
pub fn stamped(sent: u64, stamped: u64) -> String {
    if 0 < stamped && stamped < sent { "mixed".to_owned() } else { stamp(stamped > 0) }
}

fn stamp(by_kernel: bool) -> String {
    if by_kernel { "kernel" } else { "program" }.to_owned()
}

/// Adds an event to the record, up to a number that no reader wants more of.
pub fn note(run: &mut Run, event: record::Event) {
    const MOST: usize = 1000;
    if run.events.len() < MOST {
        run.events.push(event);
    }
}

/// RFC 3339, to the microsecond.
pub fn rfc3339(at: Instant) -> String {
    format!("{:.6}", timestamp(at))
}

/// As `20261120T174501Z`, for names.
pub fn compact_time(at: Instant) -> String {
    let whole = format!("{:.0}", timestamp(at));
    whole.replace(['-', ':'], "")
}

fn timestamp(at: Instant) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(i128::from(at.as_nanos())).unwrap_or_default()
}

fn environment() -> Environment {
    Environment {
        os: std::env::consts::OS.to_owned(),
        kernel: kernel_release(),
        arch: std::env::consts::ARCH.to_owned(),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        receive_buffer: None,
    }
}
