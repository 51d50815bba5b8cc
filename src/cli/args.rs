//! What can be typed. What it means is each command's own affair.

mod values;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

use crate::report::compare::MarginPart;
use crate::time::Duration;
use crate::units::{ByteSize, Interval, Probability, parse_duration};
use values::{decay, http_address, number, rate, source};

const LISTENING: &str = "Listening";
const IMPAIRMENTS: &str = "Impairments (udpecho help impairments has the whole grammar)";
const ACCESS: &str = "Who is answered";
const LIMITS: &str = "Limits";
const RUNNING: &str = "Running";
const DISPLAY: &str = "Display";
const SERVER: &str = "Server";
const PROBES: &str = "Probes";
const SOCKETS: &str = "Socket";
const RECORD: &str = "Record";

#[derive(Debug, Parser)]
#[command(name = "udpecho", version, about, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 at least one reply; 1 no reply, or no server answers; 2 usage, name, socket or\n\
                        file error; 3 a --fail threshold was not kept; 130 second interrupt."
)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer probes, with random delay and loss unless --clean
    Serve(Serve),
    /// Measure the path to a server; without a host, to one started here
    Ping(Ping),
    /// Make a key for serve and ping --key-file
    Keygen(Keygen),
    /// List the impairments that serve --profile knows, with their numbers
    Profiles,
    /// Print a sample scenario, for serve --scenario
    Scenario,
    /// Print the JSON schema of what ping writes: run.json, or a line of --json-stream
    Schema(Schema),
    /// Draw a recorded run again, and print its summary
    Report(Report),
    /// Show what changed between recorded runs
    Compare(Compare),
}

/// How datagrams are moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Io {
    #[default]
    Native,
    Portable,
}

/// What is paid for leaving on time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Timer {
    Sleep,
    #[default]
    Hybrid,
    Busy,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TextFrom {
    /// Loopback, link-local and private addresses
    #[default]
    Private,
    Any,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  udpecho serve --clean
  udpecho serve --delay normal:50ms+-10ms --loss gilbert:p=1%,r=25%
  udpecho serve -p 9000 --profile wifi --http 8081

Loop guard: 256 datagrams in a row that repeat the last reply to their address, in turn with the replies, are
a loop between echo servers, and one reply is withheld (loop_guard). A stop-and-wait client whose payload never
changes loses one reply in 256.")]
pub struct Serve {
    /// UDP port to listen on; 0 takes a free one, which the first line names
    #[arg(help_heading = LISTENING, short, long, value_name = "PORT", default_value_t = 8080, allow_negative_numbers = true, value_parser = number::<u16>(0, 65_535, "8080"))]
    pub port: u16,
    /// Address to listen on [default: all of this host]
    #[arg(help_heading = LISTENING, short, long, value_name = "ADDRESS")]
    pub bind: Option<IpAddr>,
    /// IPv4 only
    #[arg(help_heading = LISTENING, short = '4', conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// IPv6 only
    #[arg(help_heading = LISTENING, short = '6')]
    pub ipv6: bool,
    #[command(flatten)]
    pub impair: Impair,
    /// Let a client choose, with ping --impair, what is injected into its own session
    #[arg(help_heading = IMPAIRMENTS, long)]
    pub client_impair: bool,
    /// Seed of what is injected: every session meets the same fates
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "SEED")]
    pub impair_seed: Option<u64>,
    /// Let a client stop the server
    #[arg(help_heading = ACCESS, long)]
    pub allow_stop: bool,
    /// Whose text clients are answered: the text dialect's replies are longer than its requests
    #[arg(help_heading = ACCESS, long, value_name = "WHO", default_value = "private")]
    pub text_from: TextFrom,
    /// Answer services' ports too: those below 1024, and those of mDNS, SSDP, SIP and their like
    #[arg(help_heading = ACCESS, long)]
    pub allow_low_ports: bool,
    /// File with a key, as udpecho keygen writes it: only clients that have it are answered [default: the
    /// key in UDPECHO_KEY, if there is one]
    #[arg(help_heading = ACCESS, long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Largest probe to agree to, in bytes of UDP payload
    #[arg(help_heading = LIMITS, long, value_name = "BYTES", default_value = "65527")]
    pub max_size: ByteSize,
    /// When told to end, still send what is held for so long
    #[arg(help_heading = RUNNING, long, value_name = "TIME", default_value = "1s", value_parser = parse_duration)]
    pub drain: Duration,
    #[command(flatten)]
    pub limits: Limits,
    /// Threads that answer, each with its share of the clients and of what is limited
    #[arg(help_heading = RUNNING, long, value_name = "N", default_value = "1")]
    pub threads: NonZero<usize>,
    /// Spin instead of sleeping: lower latency; uses a whole core
    #[arg(help_heading = RUNNING, long)]
    pub busy_poll: bool,
    /// Take no kernel timestamps of what arrives unless replies are held: 3 % faster, but clients cannot tell
    /// the server's own time from the network's
    #[arg(help_heading = RUNNING, long)]
    pub no_stamps: bool,
    /// The default now
    #[arg(help_heading = RUNNING, long, hide = true, conflicts_with = "no_stamps")]
    pub stamps: bool,
    /// Print nothing but errors
    #[arg(help_heading = DISPLAY, short, long)]
    pub quiet: bool,
    /// Show the traffic and the clients on a full screen; ? there helps
    #[arg(help_heading = DISPLAY, long)]
    pub tui: bool,
    /// Serve a page that shows the same, with /metrics for Prometheus; a port alone is one of this host
    /// only
    #[arg(help_heading = DISPLAY, long, value_name = "ADDRESS:PORT", value_parser = http_address)]
    pub http: Option<SocketAddr>,
    /// Another name that browsers may ask for the page by, besides addresses, localhost and this host's own
    /// names; can be given several times
    #[arg(long, value_name = "NAME", requires = "http")]
    pub http_host: Vec<String>,
    #[arg(long, hide = true, default_value = "native")]
    pub io: Io,
}

#[derive(Debug, Args)]
pub struct Schema {
    /// Which: run for run.json and --json, events for a line of --json-stream
    #[arg(value_name = "WHICH", default_value = "run")]
    pub which: Which,
}

/// What a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Which {
    Run,
    Events,
}

#[derive(Debug, Args)]
pub struct Keygen {
    /// File to write, readable by its owner only; none that is there is replaced [default: print it]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What a server gives at most. The totals at its end tell what was refused.
#[derive(Debug, Args)]
#[command(next_help_heading = LIMITS)]
pub struct Limits {
    /// Memory for replies that are held, about 110 bytes each beside their own; probes beyond it are
    /// refused, and their clients told
    #[arg(long, value_name = "BYTES", default_value = "512Mi")]
    pub max_held: ByteSize,
    /// Memory for what became of probes; one source gets a quarter, then the least active give theirs back
    #[arg(long, value_name = "BYTES", default_value = "256Mi")]
    pub max_fates: ByteSize,
    /// Sessions at once
    #[arg(long, value_name = "N", default_value_t = 16_384)]
    pub max_sessions: usize,
    /// Sessions at once of one source: an IPv4 address, or a /64 network of IPv6
    #[arg(long, value_name = "N", default_value_t = 4096)]
    pub max_source_sessions: usize,
    /// Forget a session after so long without a probe, if its client asks for longer; clients are told
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_duration)]
    pub max_idle: Duration,
    /// Text clients at once
    #[arg(long, value_name = "N", default_value_t = 4096)]
    pub max_text_clients: usize,
    /// Probes a second of one session; clients are told, and which probes were refused [default: no limit]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = number::<u32>(1, 4_294_967_295, "1000"))]
    pub session_rate: Option<u32>,
    /// Datagrams a second of one source that has no session: openings, text, plain echo
    #[arg(long, value_name = "N", default_value_t = 20_000, allow_negative_numbers = true, value_parser = number::<u32>(1, 4_294_967_295, "1000"))]
    pub source_rate: u32,
    /// The same, of all sources together
    #[arg(long, value_name = "N", default_value_t = 200_000, allow_negative_numbers = true, value_parser = number::<u32>(1, 4_294_967_295, "1000"))]
    pub unverified_rate: u32,
    /// Datagrams a second of all clients, those of sessions included [default: no limit]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = number::<u32>(1, 4_294_967_295, "1000"))]
    pub max_rate: Option<u32>,
    /// Lines a second about errors, on stderr; then how many more there were
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub max_log_lines: u32,
}

/// What to inject. Naming any impairment starts from clean; with --profile it changes the profile.
#[derive(Debug, Args)]
#[command(next_help_heading = IMPAIRMENTS)]
pub struct Impair {
    /// Inject nothing: the same as --profile clean
    #[arg(long, conflicts_with = "profile")]
    pub clean: bool,
    /// Impairments by name, which the flags below change; udpecho profiles lists them [default: classic, or
    /// clean if any impairment is named below]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// How long a reply is held: uniform:0.1ms..500ms, normal:50ms+-10ms, exponential:20ms, empirical:FILE ...
    #[arg(long, value_name = "DELAY")]
    pub delay: Option<String>,
    /// What goes unanswered: 10%, gilbert:p=1%,r=25%, nth:10, bursts:..., trace:FILE
    #[arg(long, value_name = "LOSS")]
    pub loss: Option<String>,
    /// Share answered twice
    #[arg(long, value_name = "SHARE")]
    pub duplicate: Option<String>,
    /// Share of which one bit of the payload is changed
    #[arg(long, value_name = "SHARE")]
    pub corrupt: Option<String>,
    /// Share held back so that later ones overtake: 1%,by=10ms
    #[arg(long, value_name = "REORDER")]
    pub reorder: Option<String>,
    /// A bottleneck and its buffer: 2Mbit,queue=64k
    #[arg(long, value_name = "RATE")]
    pub rate: Option<String>,
    /// On the way up (before the server counts the probe), down (the reply), or both
    #[arg(long, value_name = "up|down|both")]
    pub direction: Option<String>,
    /// File of steps over time, as in contrib/scenario.toml
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "clean", "profile", "delay", "loss", "duplicate", "corrupt", "reorder", "rate", "direction",
    ])]
    pub scenario: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  udpecho ping -n 100 -i 10ms 192.0.2.7
  udpecho ping --rate 10k -w 30 -o results/evening 192.0.2.7
  udpecho ping --json --fail-loss 1% -n 1000 -i 5ms 192.0.2.7 > run.json")]
#[command(group = ArgGroup::new("written").args(["output", "csv"]).multiple(true))]
pub struct Ping {
    /// Server to measure, as HOST or HOST:PORT; an IPv6 address with a port in brackets
    #[arg(help_heading = SERVER, value_name = "HOST", conflicts_with = "ip")]
    pub host: Option<String>,
    /// The same, as -ip HOST
    #[arg(help_heading = SERVER, long, value_name = "HOST")]
    pub ip: Option<String>,
    /// The server's port [default: 8080]
    #[arg(help_heading = SERVER, short, long, value_name = "PORT", allow_negative_numbers = true, value_parser = number::<u16>(1, 65_535, "8080"))]
    pub port: Option<u16>,
    /// Number of probes [default: until interrupted]
    #[arg(help_heading = PROBES, short = 'n', short_alias = 'c', long, value_name = "N", allow_negative_numbers = true, value_parser = number::<u64>(1, u64::MAX, "100"))]
    pub count: Option<u64>,
    /// Time from one probe to the next, in seconds, or as in 500ms, 20us [default: 1, with -f 100us]
    #[arg(help_heading = PROBES, short, long, value_name = "TIME", allow_negative_numbers = true)]
    pub interval: Option<Interval>,
    /// Probes a second instead of -i, as in 200k; above 200k they leave in trains
    #[arg(help_heading = PROBES, long, value_name = "N", conflicts_with_all = ["interval", "decay"], allow_negative_numbers = true, value_parser = rate)]
    pub rate: Option<Interval>,
    /// How probes are made to leave on time: sleep is cheap and 10 to 150 us late, hybrid looks at the clock
    /// shortly before, busy never sleeps
    #[arg(help_heading = PROBES, long, value_name = "HOW", default_value = "hybrid")]
    pub timer: Timer,
    /// Bytes of UDP payload, as in 512, 1k, 1Ki
    #[arg(help_heading = PROBES, short, long, value_name = "BYTES", default_value = "512", allow_negative_numbers = true)]
    pub size: ByteSize,
    /// Make each interval this much shorter than the one before, as in 5%, 0.05; 3 is 3% [default: 5%]
    #[arg(help_heading = PROBES, long, value_name = "SHARE", num_args = 0..=1, require_equals = true, default_missing_value = "5%", value_parser = decay)]
    pub decay: Option<Probability>,
    /// Make intervals random, so that periodic events cannot alias with fixed-interval probes: --min-interval
    /// plus an exponential time, with -i as the mean of both together
    #[arg(help_heading = PROBES, long, conflicts_with = "decay")]
    pub poisson: bool,
    /// Seed of the random intervals, to have them again [default: another each time; run.json has it]
    #[arg(help_heading = PROBES, long, value_name = "SEED", requires = "poisson")]
    pub poisson_seed: Option<u64>,
    /// No interval gets shorter than this by --decay or --poisson [default: 100us; with --poisson a tenth of -i at most]
    #[arg(help_heading = PROBES, long, value_name = "TIME")]
    pub min_interval: Option<Interval>,
    /// Kernel timestamps of the probes that leave at any rate: more accurate; one extra syscall per probe
    /// [default: up to 10,000 probes a second]
    #[arg(help_heading = PROBES, long)]
    pub tx_stamps: bool,
    /// Take send times in user space, just before the send call
    #[arg(help_heading = PROBES, long, conflicts_with = "tx_stamps")]
    pub no_tx_stamps: bool,
    /// Time after which a reply is late [default: the interval, until the next probe is due]
    #[arg(help_heading = PROBES, short = 'W', long, value_name = "TIME", allow_negative_numbers = true)]
    pub deadline: Option<Interval>,
    /// Send no probe after this time
    #[arg(help_heading = PROBES, short = 'w', long, value_name = "TIME", allow_negative_numbers = true)]
    pub total: Option<Interval>,
    /// IPv4 only
    #[arg(help_heading = SOCKETS, short = '4', conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// IPv6 only
    #[arg(help_heading = SOCKETS, short = '6')]
    pub ipv6: bool,
    /// Source address: one of this host's, not the name of an interface
    #[arg(help_heading = SOCKETS, short = 'I', long, value_name = "ADDRESS", value_parser = source)]
    pub source: Option<IpAddr>,
    /// Differentiated services code point, 0 to 63
    #[arg(help_heading = SOCKETS, short = 'Q', long, value_name = "DSCP", allow_negative_numbers = true, value_parser = number::<u8>(0, 63, "46"))]
    pub dscp: Option<u8>,
    /// Time to live of what is sent
    #[arg(help_heading = SOCKETS, short = 't', long, value_name = "HOPS", allow_negative_numbers = true, value_parser = number::<u8>(1, 255, "64"))]
    pub ttl: Option<u8>,
    /// Whether routers may fragment: do forbids it, dont allows it
    #[arg(help_heading = SOCKETS, short = 'M', value_name = "do|dont")]
    pub fragment: Option<Fragment>,
    /// Find the largest payload that the path carries in one piece, each way, print it, and end
    #[arg(help_heading = SERVER, long, conflicts_with_all = [
        "count", "interval", "size", "decay", "poisson", "deadline", "total", "text", "impair", "stop_server",
        "output", "no_record", "csv", "json", "json_stream",
    ])]
    pub find_size: bool,
    /// Speak the text dialect, to servers that know nothing else
    #[arg(help_heading = SERVER, long)]
    pub text: bool,
    /// File with the server's key, as udpecho keygen writes it [default: the key in UDPECHO_KEY, if there
    /// is one]
    #[arg(help_heading = SERVER, long, value_name = "FILE", conflicts_with = "text")]
    pub key_file: Option<PathBuf>,
    /// Ask for an injection of one's own, as in "wifi loss=5%"; the server grants it with --client-impair,
    /// the one inside this process always
    #[arg(help_heading = SERVER, long, value_name = "SPEC", conflicts_with = "text")]
    pub impair: Option<String>,
    /// While no server answers, ask until one does; --tui and --http do so anyway
    #[arg(help_heading = SERVER, long, conflicts_with = "find_size")]
    pub wait: bool,
    /// Ask the server to stop at the end; it does if it was started with --allow-stop
    #[arg(help_heading = SERVER, long)]
    pub stop_server: bool,
    /// Folder to write to [default: results/START-HOST]
    #[arg(help_heading = RECORD, short, long, value_name = "DIR", conflicts_with = "no_record")]
    pub output: Option<PathBuf>,
    /// Replace what is there already: a run in the folder, the file of --csv
    #[arg(help_heading = RECORD, long, requires = "written")]
    pub force: bool,
    /// Write no folder
    #[arg(help_heading = RECORD, long)]
    pub no_record: bool,
    /// Write no more rows to probes.csv when it has this size; measuring, seconds.csv and the summary go on
    #[arg(long, value_name = "BYTES", default_value = "1Gi")]
    pub record_limit: ByteSize,
    /// Print the header and the summary only
    #[arg(help_heading = DISPLAY, short, long)]
    pub quiet: bool,
    /// Print all statistics
    #[arg(help_heading = DISPLAY, short, long)]
    pub verbose: bool,
    /// Print the time before each probe's line, in seconds since 1970
    #[arg(help_heading = DISPLAY, short = 'D', long)]
    pub timestamps: bool,
    /// Say so when a probe has no answer yet and the next one leaves
    #[arg(help_heading = DISPLAY, short = 'O', long)]
    pub outstanding: bool,
    /// Flood: print a dot for each probe, erased when it is answered, instead of lines
    #[arg(help_heading = DISPLAY, short = 'f', long)]
    pub flood: bool,
    /// Show the run on a full screen as it goes: chart, losses, histogram, percentiles; ? there helps
    #[arg(help_heading = DISPLAY, long, conflicts_with_all = ["flood", "json", "json_stream"])]
    pub tui: bool,
    /// Serve a page that shows the run as it goes, with /metrics for Prometheus and /api/run.json; a port
    /// alone is one of this host only
    #[arg(help_heading = DISPLAY, long, value_name = "ADDRESS:PORT", value_parser = http_address)]
    pub http: Option<SocketAddr>,
    /// Another name that browsers may ask for the page by, besides addresses, localhost and this host's own
    /// names; can be given several times
    #[arg(long, value_name = "NAME", requires = "http")]
    pub http_host: Vec<String>,
    #[command(flatten)]
    pub export: Export,
    #[command(flatten)]
    pub fail: Fail,
    #[arg(long, hide = true, default_value = "native")]
    pub io: Io,
}

/// What programs read.
#[derive(Debug, Args)]
#[command(next_help_heading = "For programs")]
pub struct Export {
    /// Print one JSON object at the end, what run.json holds, and no lines for people; with -v those
    /// go to stderr
    #[arg(long)]
    pub json: bool,
    /// Print instead a JSON object a line as things happen: start, probe, interval (a second), note,
    /// end
    #[arg(long)]
    pub json_stream: bool,
    /// Write the rows of probes.csv to this file too; - prints them instead of lines for people
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
}

/// Thresholds.
#[derive(Debug, Args)]
#[command(next_help_heading = "Thresholds: exit code 3 if one is not kept")]
pub struct Fail {
    /// Fail if a larger share is not answered in time
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub fail_loss: Option<Probability>,
    /// Fail if the 99th percentile of the RTT is longer
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub fail_p99: Option<Interval>,
    /// Fail if the jitter (RFC 3550) at the end is longer
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub fail_jitter: Option<Interval>,
    /// Fail if a larger share of the replies came out of order (RFC 4737)
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub fail_reorder: Option<Probability>,
}

/// What is to be done with a datagram that is longer than a link carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fragment {
    Do,
    Dont,
}

#[derive(Debug, Args)]
pub struct Report {
    /// Folders of recorded runs
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Where to write the report; - is standard output [default: report.png in the folder]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file that -o names, if it is there already
    #[arg(long, requires = "output")]
    pub force: bool,
    /// A picture, a drawing, or a page with tables [default: what FILE ends with, else png]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Dark background; a page is otherwise light or dark as its reader prefers
    #[arg(long)]
    pub dark: bool,
}

/// The forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Png,
    Svg,
    Html,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Svg => "svg",
            Self::Html => "html",
        }
    }
}

#[derive(Debug, Args)]
pub struct Compare {
    /// Folders of recorded runs; each is compared with the first
    #[arg(value_name = "RUN", required = true, num_args = 2..=8)]
    pub runs: Vec<PathBuf>,
    /// Where to write the picture, as .png or .svg; - is standard output [default: compare.png; none with --json]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print the comparison as JSON instead of the table
    #[arg(long)]
    pub json: bool,
    /// Replace the picture if it exists
    #[arg(long)]
    pub force: bool,
    /// Dark background
    #[arg(long)]
    pub dark: bool,
    /// Least change that counts: a share of the first run's value, a time for delays, or both, each with its own --margin [default: 5% and 50us]
    #[arg(long, value_name = "MARGIN")]
    pub margin: Vec<MarginPart>,
    /// Exit with 3 if loss or RTT is worse by the margin
    #[arg(long)]
    pub fail_regression: bool,
}
