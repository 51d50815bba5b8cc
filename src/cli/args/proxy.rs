//! The arguments of `udpecho proxy`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

#[cfg(feature = "control")]
use super::values::http_address;
use super::values::number;
use crate::relay::{Expectations, Nat, Network};
use crate::time::Duration;
use crate::units::{ByteSize, parse_duration};

const MAPPINGS: &str = "Mappings";
const IMPAIRMENTS: &str = "Impairments of both directions (udpecho help impairments has the whole grammar)";
const LIMITS: &str = "Limits";
const RUNNING: &str = "Running";

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  udpecho proxy -l 5300 -t 192.0.2.53:53 --profile lte
  udpecho proxy -l 4433 -t 127.0.0.1:443 --up loss=1% --down 'rate=20Mbit'
  udpecho proxy -l 0 -t [::1]:9 --loss nth:4 --expect 'up.lost>=1' -- ./test
  udpecho proxy -l 5201 -t 192.0.2.9:5201 --tcp --rate 1Mbit --api 8474

A flow is one client address. Its fates depend on --seed, the mapping's name,
the number of the flow and of the datagram alone. The flows of a mapping share
the queue of rate= and the counts of nth:, bursts: and trace:.

A command gets the proxy's address in UDPECHO_PROXY, and those of further
mappings in UDPECHO_PROXY_NAME; its exit code is passed on. Exit codes
otherwise: 0 stopped; 2 usage, name, socket or file error; 3 an expectation
was not met.")]
pub struct Proxy {
    /// Address to listen on; a bare port binds to localhost, port 0 takes a free one
    #[arg(help_heading = MAPPINGS, short, long, value_name = "ADDRESS", requires = "to")]
    pub listen: Option<String>,
    /// Server to relay to, as HOST:PORT
    #[arg(help_heading = MAPPINGS, short, long, value_name = "SERVER", requires = "listen")]
    pub to: Option<String>,
    /// A further mapping; can be given several times
    #[arg(help_heading = MAPPINGS, long, value_name = "NAME:ADDRESS=SERVER")]
    pub map: Vec<String>,
    /// File with mappings, as in contrib/proxy.toml; HUP reads it again
    #[arg(help_heading = MAPPINGS, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Pass TCP on the same ports through as it is, 256 connections at once
    #[cfg_attr(feature = "control", arg(help_heading = MAPPINGS, long))]
    #[cfg_attr(not(feature = "control"), arg(skip))]
    pub tcp: bool,
    /// Relay for the clients of this network only, as 192.0.2.0/24 or an address; can be given several times, and
    /// allows addresses other than localhost
    #[arg(help_heading = MAPPINGS, long, value_name = "NETWORK")]
    pub allow: Vec<Network>,
    /// Relay for everybody; clients that --allow does not name are sent no more than they sent themselves before
    /// they have replied to something
    #[arg(help_heading = MAPPINGS, long)]
    pub public: bool,
    /// Named impairments, which the flags below change; udpecho profiles lists them [default: none]
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Delay: constant:20ms, uniform:0.1ms..500ms, normal:50ms+-10ms, exponential:20ms ...
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "DELAY")]
    pub delay: Option<String>,
    /// Loss: 10%, gilbert:p=1%,r=25%, nth:10, bursts:..., trace:FILE
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "LOSS")]
    pub loss: Option<String>,
    /// Share of datagrams to send twice, the copy later if wanted: 1%,after=5s
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "DUPLICATE")]
    pub duplicate: Option<String>,
    /// Probability of flipping one bit of a datagram
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "SHARE")]
    pub corrupt: Option<String>,
    /// Share to hold back so that later ones overtake: 1%,by=10ms
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "REORDER")]
    pub reorder: Option<String>,
    /// Rate of a bottleneck, IP and UDP headers included, and its queue: 2Mbit,queue=64k
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "RATE")]
    pub rate: Option<String>,
    /// Longest IP packet, headers included; longer ones vanish
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "BYTES")]
    pub mtu: Option<String>,
    /// The path is gone at times: fixed:on=5s,off=2s or exponential:on=5s,off=2s
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "OUTAGE")]
    pub outage: Option<String>,
    /// ECN field: bleach, mangle or mark:SHARE
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "ECN")]
    pub ecn: Option<String>,
    /// DSCP: bleach
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "DSCP")]
    pub dscp: Option<String>,
    /// Datagrams that loss, duplicate, corrupt, reorder, ecn and dscp act on: size:1201- or byte:0=c0/f0
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "TESTS")]
    pub only: Option<String>,
    /// NAT before the server: rebind=FIRST+EVERY gives a flow another port, old=pass still takes answers to the
    /// old one, expire=TIME without datagrams toward the server forgets it, filter=address or any lets in others
    /// than the server, follow=port goes on with the port of the server that answered, as TFTP needs,
    /// via=ADDRESS+ADDRESS are own addresses to send from
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "NAT")]
    pub nat: Option<Nat>,
    /// Impairments toward the server, instead of those above: 'delay=20ms loss=1%'
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "LINE")]
    pub up: Option<String>,
    /// Impairments toward the client, instead of those above
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "LINE")]
    pub down: Option<String>,
    /// Other impairments in both directions for the clients of a network, as in 10.0.0.0/8 'loss=5%'; can be given
    /// several times, the first network that contains a client decides
    #[arg(help_heading = IMPAIRMENTS, long, num_args = 2, value_names = ["NETWORK", "LINE"])]
    pub client: Vec<String>,
    /// File with impairments that change over time, as in contrib/proxy-scenario.toml
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Have the fates of an earlier run again, from the folder of its -o: by mapping, flow, direction and number of
    /// the datagram; what that run did not have meets the impairments
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "RUN")]
    pub replay: Option<PathBuf>,
    /// Seed of the impairments: the same seed gives the same fates [default: a random one]
    #[arg(help_heading = IMPAIRMENTS, long, value_name = "SEED")]
    pub seed: Option<u64>,
    /// Give each flow a queue and counts of its own
    #[arg(help_heading = IMPAIRMENTS, long)]
    pub per_flow: bool,
    /// Flows at once
    #[arg(help_heading = LIMITS, long, value_name = "N", default_value_t = 1024, value_parser = number::<usize>(1, 1_000_000, "1024"))]
    pub max_flows: usize,
    /// Close a flow after this long without a datagram
    #[arg(help_heading = LIMITS, long, value_name = "TIME", default_value = "300s", value_parser = parse_duration)]
    pub idle: Duration,
    /// Memory for held datagrams; further ones are dropped and counted
    #[arg(help_heading = LIMITS, long, value_name = "BYTES", default_value = "64Mi")]
    pub max_held: ByteSize,
    /// Folder for a record: datagrams.csv with the fate of each datagram, seconds.csv, run.json, report.png
    #[arg(help_heading = RUNNING, short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Capture for Wireshark: each datagram as it arrived and as it left, its fate in a comment
    #[arg(help_heading = RUNNING, long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,
    /// Bytes of each packet in the capture
    #[arg(help_heading = RUNNING, long, value_name = "BYTES", requires = "pcap", default_value_t = 65_535, value_parser = number::<usize>(1, 65_535, "128"))]
    pub snaplen: usize,
    /// Replace existing files
    #[arg(help_heading = RUNNING, long)]
    pub force: bool,
    /// Steer and follow the proxy over HTTP at this port of localhost: its own interface and that of Toxiproxy
    #[cfg_attr(feature = "control", arg(help_heading = RUNNING, long, value_name = "PORT", value_parser = http_address))]
    #[cfg_attr(not(feature = "control"), arg(skip))]
    pub api: Option<SocketAddr>,
    /// What must have happened in the end: DIRECTION.NAME OP N, several separated by blanks; NAME is arrived,
    /// passed, dropped, flows, send_error, copies, marked, rebound, refused, overflows or a cause: lost, queue, mtu,
    /// outage, nat, down, limit
    #[arg(help_heading = RUNNING, long, value_name = "LIST")]
    pub expect: Option<Expectations>,
    /// Show traffic, losses, queues and flows on the full screen
    #[cfg_attr(feature = "tui", arg(help_heading = RUNNING, long, conflicts_with_all = ["quiet", "json", "command"]))]
    #[cfg_attr(not(feature = "tui"), arg(skip))]
    pub tui: bool,
    /// Serve a web page that shows the same, and /metrics for Prometheus; a bare port binds to localhost
    #[cfg_attr(feature = "control", arg(help_heading = RUNNING, long, value_name = "ADDRESS:PORT", value_parser = http_address))]
    #[cfg_attr(not(feature = "control"), arg(skip))]
    pub http: Option<SocketAddr>,
    /// Host name by which browsers may request the page, besides addresses, localhost and this host's own names;
    /// can be given several times
    #[cfg_attr(feature = "control", arg(help_heading = RUNNING, long, value_name = "NAME", requires = "http"))]
    #[cfg_attr(not(feature = "control"), arg(skip))]
    pub http_host: Vec<String>,
    /// Print one JSON object at the end instead of lines, which go to stderr; udpecho schema proxy describes it
    #[arg(help_heading = RUNNING, long)]
    pub json: bool,
    /// Print nothing but errors
    #[arg(help_heading = RUNNING, short, long)]
    pub quiet: bool,
    /// Command to run behind the proxy; the proxy ends with it
    #[arg(value_name = "COMMAND", last = true)]
    pub command: Vec<OsString>,
}
