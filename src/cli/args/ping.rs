//! The arguments of `udpecho ping`.

use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

use super::find_rate::FindRate;
use super::shared::{Destination, SERVER};
#[cfg(feature = "control")]
use super::values::http_address;
use super::values::{decay, number, whole_seconds};
use crate::probe::Dialect;
use crate::units::{ByteSize, Interval, Probability};

const PROBES: &str = "Probes";
const SOCKET: &str = "Socket";
const RECORD: &str = "Record";
const DISPLAY: &str = "Display";
const STAMP: &str = "STAMP";

/// How the client waits for the send time of a probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Timer {
    Sleep,
    #[default]
    Hybrid,
    Busy,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  udpecho ping -n 100 -i 10ms 192.0.2.7
  udpecho ping --rate 10k -w 30 -o results/evening 192.0.2.7
  udpecho ping -i 100ms --every 1m 192.0.2.7
  udpecho ping --find-rate 192.0.2.7
  udpecho ping --load 10Mbit,down 192.0.2.7
  udpecho ping --json --fail-loss 1% -n 1000 -i 5ms 192.0.2.7 > run.json")]
#[command(group = ArgGroup::new("written").args(["output", "csv"]).multiple(true))]
pub struct Ping {
    #[command(flatten)]
    pub destination: Destination,
    /// Number of probes [default: until interrupted]
    #[arg(help_heading = PROBES, short = 'n', short_alias = 'c', long, value_name = "N", allow_negative_numbers = true, value_parser = number::<u64>(1, u64::MAX, "100"))]
    pub count: Option<u64>,
    /// Time between probes, in seconds, or as in 500ms, 20us [default: 1, with -f 100us]
    #[arg(help_heading = PROBES, short, long, value_name = "TIME", allow_negative_numbers = true)]
    pub interval: Option<Interval>,
    /// Probes per second instead of -i, as in 200k; above 200k, sent in batches (GSO)
    #[arg(help_heading = PROBES, long, value_name = "N", conflicts_with_all = ["interval", "decay"], allow_negative_numbers = true, value_parser = Interval::of_rate)]
    pub rate: Option<Interval>,
    /// How to wait for send times: sleep is cheap and 10 to 150 us late, hybrid spins shortly before, busy never
    /// sleeps
    #[arg(help_heading = PROBES, long, value_name = "HOW", default_value = "hybrid")]
    pub timer: Timer,
    /// Bytes of UDP payload, as in 512, 1k, 1Ki [default: 512; with --find-rate 1200; with --stamp and
    /// --irtt as few as it takes, 44 and 60]
    #[arg(help_heading = PROBES, short, long, value_name = "BYTES", allow_negative_numbers = true)]
    pub size: Option<ByteSize>,
    /// Make each interval this much shorter than the one before, as in 5%, 0.05; 3 is 3% [default: 5%]
    #[arg(help_heading = PROBES, long, value_name = "SHARE", num_args = 0..=1, require_equals = true, default_missing_value = "5%", value_parser = decay)]
    pub decay: Option<Probability>,
    /// Make intervals random, so that periodic events cannot alias with fixed-interval probes: --min-interval
    /// plus an exponential time, with -i as the mean of both together
    #[arg(help_heading = PROBES, long, conflicts_with = "decay")]
    pub poisson: bool,
    /// Seed, for repeatable intervals [default: a random one; run.json has it]
    #[arg(help_heading = PROBES, long, value_name = "SEED", requires = "poisson")]
    pub poisson_seed: Option<u64>,
    /// Shortest interval of --decay and --poisson [default: 100us; with --poisson a tenth of -i at most]
    #[arg(help_heading = PROBES, long, value_name = "TIME")]
    pub min_interval: Option<Interval>,
    /// Take kernel transmit timestamps at any rate: more accurate; one extra syscall per probe [default: up to
    /// 10,000 probes per second]
    #[arg(help_heading = PROBES, long)]
    pub tx_stamps: bool,
    /// Take send times in user space, just before the send call
    #[arg(help_heading = PROBES, long, conflicts_with = "tx_stamps")]
    pub no_tx_stamps: bool,
    /// Time after which a reply is late [default: the interval, until the next probe is due]
    #[arg(help_heading = PROBES, short = 'W', long, value_name = "TIME", allow_negative_numbers = true)]
    pub deadline: Option<Interval>,
    /// Stop sending after this time
    #[arg(help_heading = PROBES, short = 'w', long, value_name = "TIME", allow_negative_numbers = true)]
    pub total: Option<Interval>,
    /// Path MTU discovery: do sets don't-fragment, dont allows fragments
    #[arg(help_heading = SOCKET, short = 'M', value_name = "do|dont")]
    pub fragment: Option<Fragment>,
    /// Dialect to speak. auto speaks the native one, and where no udpecho server answers it names the others that the
    /// host speaks: one datagram of each, to the port given, else to the usual ports. The others have options of their
    /// own, as in --stamp
    #[arg(help_heading = SERVER, long, value_name = "NAME", default_value = "auto", conflicts_with_all = ["text", "plain", "stamp", "twamp", "irtt"])]
    pub dialect: DialectName,
    /// Speak the text dialect, for servers that know no other
    #[arg(help_heading = SERVER, long, conflicts_with = "key_file")]
    pub text: bool,
    /// Measure any RFC 862 echo server, on port 7 by default: RTT, loss without direction, duplicates, reordering,
    /// changed bytes
    #[arg(help_heading = SERVER, long, conflicts_with_all = ["text", "key_file", "impair", "stop_server"])]
    pub plain: bool,
    /// Measure a STAMP or TWAMP-Light reflector, such as a router, on port 862 by default: RTT, the reflector's own
    /// time, one-way delays, and with one that numbers its replies losses by direction. More than 100 probes a second
    /// need --rate. With --key-file in authenticated mode
    #[arg(help_heading = SERVER, long, conflicts_with_all = ["text", "plain", "impair", "stop_server"])]
    pub stamp: bool,
    /// Measure a TWAMP server, such as Cisco IOS or perfSONAR: ask for a session in open mode on TCP port 862 (or the
    /// port given), then measure its reflector as with --stamp
    #[arg(help_heading = SERVER, long, conflicts_with_all = ["text", "plain", "stamp", "impair", "stop_server", "key_file", "wait"])]
    pub twamp: bool,
    /// Measure an irtt server, on port 2112 by default: RTT, the server's own time, one-way delays, losses by
    /// direction. With --key-file every packet is signed, and -Q marks replies too
    #[arg(help_heading = SERVER, long, conflicts_with_all = ["text", "plain", "stamp", "twamp", "impair", "stop_server"])]
    pub irtt: bool,
    #[command(flatten)]
    pub stamp_request: StampRequest,
    /// Request impairments for this session, as in "wifi loss=5%"; a server grants it with --client-impair, the one
    /// inside this process always
    #[arg(help_heading = SERVER, long, value_name = "SPEC", conflicts_with = "text")]
    pub impair: Option<String>,
    /// Wait until a server answers; implied by --tui and --http
    #[arg(help_heading = SERVER, long)]
    pub wait: bool,
    /// Stop when standard input ends: for a program that starts this one and may be killed
    #[arg(long, hide = true, conflicts_with = "find_rate")]
    pub until_stdin_ends: bool,
    /// Ask the server to stop at the end; serve --allow-stop obeys
    #[arg(help_heading = SERVER, long)]
    pub stop_server: bool,
    /// Folder for the record [default: results/START-HOST]
    #[arg(help_heading = RECORD, short, long, value_name = "DIR", conflicts_with = "no_record")]
    pub output: Option<PathBuf>,
    /// Replace an existing run in the folder, or the file of --csv
    #[arg(help_heading = RECORD, long, requires = "written")]
    pub force: bool,
    /// Record nothing
    #[arg(help_heading = RECORD, long)]
    pub no_record: bool,
    /// Largest size of probes.csv; beyond it rows are left out, while seconds.csv and the summary stay complete
    #[arg(help_heading = RECORD, long, value_name = "BYTES", default_value = "1Gi")]
    pub record_limit: ByteSize,
    /// Record no figures of this host: CPU steal, full socket buffers and the like, once a second
    #[arg(help_heading = RECORD, long)]
    pub no_host_figures: bool,
    /// Print the header and the summary only
    #[arg(help_heading = DISPLAY, short, long)]
    pub quiet: bool,
    /// Print all statistics
    #[arg(help_heading = DISPLAY, short, long)]
    pub verbose: bool,
    /// Report per TIME instead of per probe, as in 1m, in whole seconds: in the lines, the table, --json-stream and
    /// --csv
    #[arg(help_heading = DISPLAY, long, value_name = "TIME", value_parser = whole_seconds)]
    pub every: Option<NonZero<u64>>,
    /// Print the time before each line, in seconds since 1970
    #[arg(help_heading = DISPLAY, short = 'D', long)]
    pub timestamps: bool,
    /// Report probes that have no answer when the next one leaves
    #[arg(help_heading = DISPLAY, short = 'O', long)]
    pub outstanding: bool,
    /// Flood: print a dot per probe, erased by its reply, instead of lines
    #[arg(help_heading = DISPLAY, short = 'f', long)]
    pub flood: bool,
    /// Show the run on a full screen: chart, losses, histogram, percentiles; ? shows its keys
    #[cfg_attr(feature = "tui", arg(help_heading = DISPLAY, long, conflicts_with_all = ["flood", "json", "json_stream"]))]
    #[cfg_attr(not(feature = "tui"), arg(skip))]
    pub tui: bool,
    /// Serve a live web page, /metrics for Prometheus and /api/run.json; a bare port binds to localhost
    #[cfg_attr(feature = "control", arg(help_heading = DISPLAY, long, value_name = "ADDRESS:PORT", value_parser = http_address))]
    #[cfg_attr(not(feature = "control"), arg(skip))]
    pub http: Option<SocketAddr>,
    /// Host name by which browsers may request the page, besides addresses, localhost and this host's own names;
    /// can be given several times
    #[cfg_attr(feature = "control", arg(help_heading = DISPLAY, long, value_name = "NAME", requires = "http"))]
    #[cfg_attr(not(feature = "control"), arg(skip))]
    pub http_host: Vec<String>,
    #[command(flatten)]
    pub rate_search: FindRate,
    #[command(flatten)]
    pub export: Export,
    #[command(flatten)]
    pub fail: Fail,
}

/// The dialects by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DialectName {
    Auto,
    Native,
    Text,
    Plain,
    Stamp,
    Twamp,
    Irtt,
}

impl DialectName {
    /// The option that means this dialect, if it has one of its own.
    pub fn option(text: &str) -> Option<String> {
        let name = Self::from_str(text, false).ok()?;
        (!matches!(name, Self::Auto | Self::Native)).then(|| format!("--{text}"))
    }
}

/// What a STAMP request carries.
#[derive(Debug, Args)]
#[command(next_help_heading = STAMP)]
pub struct StampRequest {
    /// Session identifier, 0 for none [default: a random one]
    #[arg(long, value_name = "N", requires = "stamp", conflicts_with_all = ["text", "plain"], value_parser = number::<u16>(0, 65_535, "7"))]
    pub ssid: Option<u16>,
    /// Format of the timestamps that are sent
    #[arg(long, value_name = "FORMAT", requires = "stamp", conflicts_with_all = ["text", "plain"], default_value = "ntp")]
    pub stamp_time: StampTime,
    /// TLVs to send, as in cos,direct: class of service, direct measurement (losses by direction also where replies
    /// are not numbered), timestamp information, follow-up telemetry
    #[arg(long, value_name = "TLV,...", requires = "stamp", conflicts_with_all = ["text", "plain"], value_delimiter = ',')]
    pub tlv: Vec<StampTlv>,
}

/// Formats of RFC 8877.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StampTime {
    Ntp,
    Ptp,
}

/// TLVs of RFC 8972.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StampTlv {
    Cos,
    Direct,
    Time,
    FollowUp,
}

/// Output for programs.
#[derive(Debug, Args)]
#[command(next_help_heading = "For programs")]
pub struct Export {
    /// Print one JSON object at the end, the same as run.json, and no text; with -v the text goes to stderr
    #[arg(long)]
    pub json: bool,
    /// Print a JSON object per line as things happen: start, probe, interval (a second, or --every), note, end
    #[arg(long)]
    pub json_stream: bool,
    /// Write the rows of probes.csv to this file too, or with --every a row per interval; - is standard output
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
}

impl Ping {
    const SIZE: ByteSize = ByteSize::new(512);

    /// Bytes of UDP payload of a probe, or of a packet of the load.
    pub fn size(&self) -> ByteSize {
        let usual =
            if self.rate_search.find_rate.is_some() { ByteSize::new(FindRate::SIZE) } else { Self::SIZE };
        self.size.unwrap_or(usual)
    }

    /// Whether other dialects are looked for where no native server answers.
    pub fn asks_other_dialects(&self) -> bool {
        self.dialect == DialectName::Auto && self.dialect() == Dialect::Native
    }

    pub fn dialect(&self) -> Dialect {
        match () {
            () if self.text => Dialect::Text,
            () if self.plain => Dialect::Plain,
            () if self.stamp || self.twamp => Dialect::Stamp,
            () if self.irtt => Dialect::Irtt,
            () => Dialect::Native,
        }
    }
}

/// Thresholds.
#[derive(Debug, Args)]
#[command(next_help_heading = "Thresholds: exit code 3 if one is not kept")]
pub struct Fail {
    /// Fail if a larger share is lost or late
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub fail_loss: Option<Probability>,
    /// Fail if the 99th percentile of the RTT is longer
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub fail_p99: Option<Interval>,
    /// Fail if the jitter (RFC 3550) at the end is longer
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub fail_jitter: Option<Interval>,
    /// Fail if a larger share of the replies is reordered (RFC 4737)
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub fail_reorder: Option<Probability>,
}

/// Whether a datagram that is longer than a link carries is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fragment {
    Do,
    Dont,
}
