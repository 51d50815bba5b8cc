//! The arguments of `udpecho serve`.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::shared::Io;
#[cfg(feature = "control")]
use super::values::http_address;
use super::values::{LoadLimit, load, number};
use crate::time::Duration;
use crate::units::{ByteSize, parse_duration};

const LISTENING: &str = "Listening";
const IMPAIRMENTS: &str = "Impairments (udpecho help impairments has the whole grammar)";
const ACCESS: &str = "Access";
const LIMITS: &str = "Limits";
const RUNNING: &str = "Running";
const DISPLAY: &str = "Display";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TextFrom {
    /// Loopback, link-local and private addresses
    #[default]
    Private,
    Any,
}

/// What `--tcp` answers to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TcpKind {
    Echo,
    Arrow,
    Ack,
    Words,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  udpecho serve --clean
  udpecho serve --delay normal:50ms+-10ms --loss gilbert:p=1%,r=25%
  udpecho serve -p 9000 --profile wifi --http 8081

Loop guard: 256 datagrams in a row that repeat the last reply to their address,
in turn with the replies, are a loop between echo servers, and one reply is
withheld (loop_guard). A stop-and-wait client whose payload never changes loses
one reply in 256.")]
pub struct Serve {
    /// UDP port to listen on; 0 takes a free one, and the first line names it
    #[arg(help_heading = LISTENING, short, long, value_name = "PORT", default_value_t = 8080, allow_negative_numbers = true, value_parser = number::<u16>(0, 65_535, "8080"))]
    pub port: u16,
    /// Address to listen on [default: all addresses]
    #[arg(help_heading = LISTENING, short, long, value_name = "ADDRESS")]
    pub bind: Option<IpAddr>,
    /// IPv4 only
    #[arg(help_heading = LISTENING, short = '4', conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// IPv6 only
    #[arg(help_heading = LISTENING, short = '6')]
    pub ipv6: bool,
    /// Answer TCP, too, on the same port number: echo each message, arrow (with "echo -> " before it), ack
    /// (Acknowledgement; exit closes), or words (its distinct words and its length)
    #[cfg_attr(feature = "control", arg(help_heading = LISTENING, long, value_name = "KIND", num_args = 0..=1, require_equals = true, default_missing_value = "echo"))]
    #[cfg_attr(not(feature = "control"), arg(skip))]
    pub tcp: Option<TcpKind>,
    /// Answer STAMP and TWAMP-Light senders (RFC 8762, RFC 5357), such as routers, on a port of their own; with a key
    /// in authenticated mode [default port: 862]
    #[arg(help_heading = LISTENING, long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "862", value_parser = number::<u16>(0, 65_535, "862"))]
    pub stamp: Option<u16>,
    /// Answer irtt clients (irtt 0.9) on a port of their own, within --session-rate, --max-duration and --max-size;
    /// with a key, 32 bytes as udpecho keygen writes it, those with HMAC only: irtt client --hmac=0x$(cat FILE)
    /// [default port: 2112]
    #[arg(help_heading = LISTENING, long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "2112", value_parser = number::<u16>(0, 65_535, "2112"))]
    pub irtt: Option<u16>,
    #[command(flatten)]
    pub impair: Impair,
    /// Allow clients to request impairments for their own sessions (ping --impair)
    #[arg(help_heading = IMPAIRMENTS, long)]
    pub client_impair: bool,
    /// Seed of the impairments: every session gets the same ones
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "SEED")]
    pub impair_seed: Option<u64>,
    /// Allow clients to stop the server (ping --stop-server)
    #[arg(help_heading = ACCESS, long)]
    pub allow_stop: bool,
    /// Which addresses get replies that are longer than their requests, so that a forged source address is sent more
    /// than the attacker sends: text clients, TWAMP-Light senders of less than 41 bytes, and
    /// irtt clients, of which others get their answer at the second request
    #[arg(help_heading = ACCESS, long, value_name = "FROM", default_value = "private")]
    pub text_from: TextFrom,
    /// Answer datagrams from service ports too: those below 1024, mDNS, SSDP, SIP and the like
    #[arg(help_heading = ACCESS, long)]
    pub allow_low_ports: bool,
    /// File with a key, as udpecho keygen writes it: the server answers only clients with this key [default: the
    /// key in UDPECHO_KEY, if set]
    #[arg(help_heading = ACCESS, long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Largest probe to accept, in bytes of UDP payload
    #[arg(help_heading = LIMITS, long, value_name = "BYTES", default_value = "65527")]
    pub max_size: ByteSize,
    /// After a stop request, keep sending held replies for this long
    #[arg(help_heading = RUNNING, long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    pub drain: Duration,
    #[command(flatten)]
    pub limits: Limits,
    /// Server threads; each gets an equal share of the clients and of the limits: of --load, too, so N clients may have
    /// a load at once, each with the Nth part. Only the limits of one source, --source-rate and --max-source-sessions,
    /// hold for each thread by itself
    #[arg(help_heading = RUNNING, long, value_name = "N", default_value = "1")]
    pub threads: NonZero<usize>,
    /// Spin instead of sleeping: lower latency; uses a whole core
    #[arg(help_heading = RUNNING, long)]
    pub busy_poll: bool,
    /// Take no kernel receive timestamps unless replies are held: 3 % faster, but clients cannot tell the server's
    /// processing time from the network's delay
    #[arg(help_heading = RUNNING, long)]
    pub no_stamps: bool,
    /// The default now
    #[arg(help_heading = RUNNING, long, hide = true, conflicts_with = "no_stamps")]
    pub stamps: bool,
    /// Print nothing but errors
    #[arg(help_heading = DISPLAY, short, long)]
    pub quiet: bool,
    /// Show traffic and clients on a full screen; ? shows its keys
    #[cfg_attr(feature = "tui", arg(help_heading = DISPLAY, long))]
    #[cfg_attr(not(feature = "tui"), arg(skip))]
    pub tui: bool,
    /// Serve a web page that shows the same, and /metrics for Prometheus; a bare port binds to localhost
    #[cfg_attr(feature = "control", arg(help_heading = DISPLAY, long, value_name = "ADDRESS:PORT", value_parser = http_address))]
    #[cfg_attr(not(feature = "control"), arg(skip))]
    pub http: Option<SocketAddr>,
    /// Host name by which browsers may request the page, besides addresses, localhost and this host's own names;
    /// can be given several times
    #[cfg_attr(feature = "control", arg(help_heading = DISPLAY, long, value_name = "NAME", requires = "http"))]
    #[cfg_attr(not(feature = "control"), arg(skip))]
    pub http_host: Vec<String>,
    #[arg(long, hide = true, default_value = "native")]
    pub io: Io,
}

/// Limits of memory and rate. The totals at the end say how often each one was hit.
#[derive(Debug, Args)]
#[command(next_help_heading = LIMITS)]
pub struct Limits {
    /// Memory for held replies, about 110 bytes each besides their payload; further probes are refused, and the
    /// server tells their clients
    #[arg(long, value_name = "BYTES", default_value = "512Mi")]
    pub max_held: ByteSize,
    /// Memory for probe history, from which clients learn the causes of losses; a source gets a quarter at most,
    /// and the least active sessions lose theirs first
    #[arg(long, alias = "max-fates", value_name = "BYTES", default_value = "256Mi")]
    pub max_history: ByteSize,
    /// Sessions at once
    #[arg(long, value_name = "N", default_value_t = 16_384)]
    pub max_sessions: usize,
    /// Sessions at once per thread and source: an IPv4 address, or an IPv6 /64 network
    #[arg(long, value_name = "N", default_value_t = 4096)]
    pub max_source_sessions: usize,
    /// Longest idle time of a session, even if its client asks for more; the server tells its clients
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_duration)]
    pub max_idle: Duration,
    /// Longest run of an irtt client; the server tells it, and ends a longer one [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub max_duration: Option<Duration>,
    /// Text clients at once
    #[arg(long, value_name = "N", default_value_t = 4096)]
    pub max_text_clients: usize,
    /// Probes per second and session; the server tells its clients, and which probes it refused [default: no
    /// limit]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = number::<u32>(1, 4_294_967_295, "1000"))]
    pub session_rate: Option<u32>,
    /// Datagrams per second and thread from one source outside of sessions: handshakes, text, plain echo
    #[arg(long, value_name = "N", default_value_t = 20_000, allow_negative_numbers = true, value_parser = number::<u32>(1, 4_294_967_295, "1000"))]
    pub source_rate: u32,
    /// The same from all sources to all threads together: the rate limit of unverified peers
    #[arg(long, alias = "stranger-rate", value_name = "N", default_value_t = 200_000, allow_negative_numbers = true, value_parser = number::<u32>(1, 4_294_967_295, "1000"))]
    pub unverified_rate: u32,
    /// Most load that clients may send and ask for (ping --find-rate, --load), one client at a time, in UDP payload;
    /// any address that a handshake has proven then gets it, and none refuses it [default: 1Gbit for loopback,
    /// link-local and private addresses, and with a key]
    #[arg(long, value_name = "RATE|none", value_parser = load)]
    pub load: Option<LoadLimit>,
    /// Datagrams per second from all clients, those with sessions included [default: no limit]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = number::<u32>(1, 4_294_967_295, "1000"))]
    pub max_rate: Option<u32>,
    /// Error lines per second on stderr; further errors are counted
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub max_log_lines: u32,
}

/// Impairments. Naming any starts from clean; with --profile it changes the profile.
#[derive(Debug, Args)]
#[command(next_help_heading = IMPAIRMENTS)]
pub struct Impair {
    /// Inject nothing: the same as --profile clean
    #[arg(long, conflicts_with = "profile")]
    pub clean: bool,
    /// Named impairments, which the flags below change; udpecho profiles lists them [default: classic, or clean if
    /// an impairment is named below]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Delay of each reply: uniform:0.1ms..500ms, normal:50ms+-10ms, exponential:20ms, empirical:FILE ...
    #[arg(long, value_name = "DELAY")]
    pub delay: Option<String>,
    /// Loss: 10%, gilbert:p=1%,r=25%, nth:10, bursts:..., trace:FILE
    #[arg(long, value_name = "LOSS")]
    pub loss: Option<String>,
    /// Share of probes to answer twice
    #[arg(long, value_name = "SHARE")]
    pub duplicate: Option<String>,
    /// Probability of flipping one payload bit
    #[arg(long, value_name = "SHARE")]
    pub corrupt: Option<String>,
    /// Share to hold back so that later ones overtake: 1%,by=10ms
    #[arg(long, value_name = "REORDER")]
    pub reorder: Option<String>,
    /// Rate of a bottleneck, and its queue: 2Mbit,queue=64k
    #[arg(long, value_name = "RATE")]
    pub rate: Option<String>,
    /// Longest IP packet, headers included; longer probes and replies vanish
    #[arg(long, value_name = "BYTES")]
    pub mtu: Option<String>,
    /// The path is gone at times: fixed:on=5s,off=2s or exponential:on=5s,off=2s
    #[arg(long, value_name = "OUTAGE")]
    pub outage: Option<String>,
    /// Direction to impair: up (before the server counts the probe), down (the reply), or both
    #[arg(long, value_name = "up|down|both")]
    pub direction: Option<String>,
    /// File with impairments that change over time, as udpecho scenario prints one
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "clean", "profile", "delay", "loss", "duplicate", "corrupt", "reorder", "rate", "mtu",
        "outage", "direction",
    ])]
    pub scenario: Option<PathBuf>,
}
