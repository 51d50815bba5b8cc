//! `run.json`: what was asked, where, of whom, what happened, and what it came to.
//!
//! A value that is not known is `null`. Times are microseconds with up to three decimals.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Deserialize, Deserializer, Serialize};

use super::load::Load;
use super::rate::Rate;
use crate::host;
use crate::probe::{Cause, Dialect, Knows, TlvAnswers};

/// The version of the record's form; a reader refuses a newer one.
pub const SCHEMA: u32 = 1;

/// The kind of the event that `probes.csv` stopped at its limit, while the run went on.
pub const RECORD_LIMIT: &str = "record_limit";

/// `run.json`: what was measured, from where, and what it came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The number of the schema, `SCHEMA` in this version.
    pub schema: u32,
    /// The version of the program.
    pub udpecho: String,
    /// The command line, the program's name first.
    pub argv: Vec<String>,
    /// RFC 3339, of time zero.
    pub started: String,
    /// The host of the client.
    pub environment: Environment,
    /// The settings, defaults filled in.
    pub config: Config,
    /// The server's description of itself; text and plain dialects have none.
    pub server: Option<Server>,
    /// The figures that the dialect can measure; others are null in the summary.
    #[serde(default)]
    pub knows: Option<Knows>,
    /// The answers of a STAMP reflector in TLVs; absent where none were sent.
    #[serde(default)]
    pub tlvs: Option<TlvAnswers>,
    /// Where each time stamp was taken.
    pub stamps: Stamps,
    /// The relation of the two clocks, where the server stamps.
    pub clock: Option<Clock>,
    /// The load of the hosts second by second; absent where it was not recorded.
    #[serde(default)]
    pub hosts: Option<Hosts>,
    /// The results of a rate search.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// The steady load beside the probes.
    #[serde(default)]
    pub load: Option<Load>,
    /// Events during the run, by time.
    pub events: Vec<Event>,
    /// Absent while the run goes on, and when it was killed.
    pub summary: Option<Summary>,
}

impl Run {
    /// Why `probes.csv` has not all of the run's rows, if it stopped at its limit.
    pub fn stopped_early(&self) -> Option<&str> {
        let stopped = self.events.iter().find(|event| event.kind == RECORD_LIMIT);
        stopped.map(|event| event.text.as_str())
    }

    /// The figures known of the run; older records have only their dialect.
    pub fn known(&self) -> Knows {
        self.knows.unwrap_or_else(|| self.config.dialect.knows())
    }

    /// The whole of `run.json`.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut out, self)?;
        out.write_all(b"\n")
    }
}

/// The client's host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Where the system tells.
    #[serde(default)]
    pub receive_buffer: Option<ReceiveBuffer>,
    /// Operating system, as Rust names it: `linux`.
    pub os: String,
    /// Release of the kernel, where the system tells.
    pub kernel: Option<String>,
    /// Processor architecture, as Rust names it: `x86_64`.
    pub arch: String,
    /// Processors that the program may use.
    pub cpus: usize,
}

/// Where replies wait until they are read; what finds no room is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiveBuffer {
    /// The size that the kernel granted.
    pub bytes: u64,
    /// The size that the program asked for.
    pub asked: u64,
}

/// The settings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// As the user named it.
    pub host: String,
    /// Address and port.
    pub address: String,
    /// The wire protocol.
    pub dialect: Dialect,
    /// Whether the server was started inside the same process.
    pub embedded: bool,
    /// Probes to send; `None` is until the run is stopped.
    pub count: Option<u64>,
    /// The first interval, or the mean of random ones.
    pub interval_us: f64,
    /// The share by which each interval is shorter than the one before.
    pub decay: Option<f64>,
    /// The shortest interval of `--decay` and `--poisson`.
    pub min_interval_us: Option<f64>,
    /// Intervals are random, a shifted exponential: `min_interval_us` plus an exponential time, with
    /// `interval_us` as the mean of both together; this seed gives them again.
    #[serde(default)]
    pub poisson_seed: Option<u64>,
    /// Bytes of UDP payload of each probe.
    pub size: u32,
    /// Absent when a probe's deadline is its interval.
    pub deadline_us: Option<f64>,
    /// Time after which no probe is sent.
    pub total_us: Option<f64>,
    /// The client's address, if it was chosen.
    pub source: Option<String>,
    /// DSCP of the probes, 0 to 63; `None` is the system's default.
    pub dscp: Option<u8>,
    /// TTL or hop limit of the probes; `None` is the system's default.
    pub ttl: Option<u8>,
    /// Whether probes were sent with don't-fragment.
    pub dont_fragment: bool,
}

/// The server's description of itself in the handshake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// The specification of what it injects, in the form `serve` takes; `clean` if nothing.
    pub injects: String,
    /// Of the draws of its impairments; 0 if it did not tell.
    pub seed: u64,
    /// The largest probe that it takes, in bytes.
    pub max_size: u32,
}

/// The reader of the clock: `kernel` is more accurate than `program`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamps {
    /// `kernel`, `program`, or `mixed` where the kernel stamped some probes only.
    pub client_send: String,
    /// `kernel`, `program` or `mixed`.
    pub client_receive: String,
    /// `kernel` or `program`; `None` of a server that stamps nothing.
    pub server: Option<String>,
}

/// The server's clock minus the client's lies within `offset_us` plus or minus `bound_us`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    /// The estimate in the middle of the run.
    pub offset_us: f64,
    /// The true offset is no further from the estimate.
    pub bound_us: f64,
    /// How fast the server's clock gains on the client's, within plus or minus the bound.
    pub skew_ppm: Option<f64>,
    /// Bound of `skew_ppm`.
    pub skew_bound_ppm: Option<f64>,
    /// How often one of the clocks was set or bent; all of the above is from the last time on.
    #[serde(default)]
    pub steps: u64,
}

/// The seconds of each host that were sampled: all of the first hour, then busy ones only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hosts {
    /// The client's own host.
    pub client: Vec<host::Figures>,
    /// Absent where the server does not share its figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Vec<host::Figures>>,
}

impl Hosts {
    /// The hosts of which seconds were recorded, with the role of each.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&'static str, &[host::Figures])> {
        let server = self.server.as_deref().unwrap_or_default();
        [("client", self.client.as_slice()), ("server", server)]
            .into_iter()
            .filter(|(_, all)| !all.is_empty())
    }
}

/// Something that happened during the run besides its probes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// From time zero; negative before it.
    pub at_us: f64,
    /// A word for programs, such as `suspended`.
    #[serde(deserialize_with = "kind")]
    pub kind: String,
    /// A sentence for people.
    pub text: String,
}

/// The kind of an event; older records used other names.
fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    const RENAMED: [(&str, &str); 7] = [
        ("overslept", "suspended"),
        ("elsewhere", "server_moved"),
        ("strays", "unexpected"),
        ("told_less", "truncated_metadata"),
        ("obstructed", "path_error"),
        ("forgotten", "session_lost"),
        ("reopened", "session_reopened"),
    ];
    let kind = String::deserialize(deserializer)?;
    let renamed = RENAMED.iter().find(|(old, _)| *old == kind);
    Ok(renamed.map_or(kind, |(_, new)| (*new).to_owned()))
}

/// The figures of a run; all of them follow from the rows of `probes.csv`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// From time zero to the end of the last probe's story.
    pub duration_us: f64,
    /// Probes that left: on time, late and lost together.
    pub sent: u64,
    /// With a reply within the deadline.
    pub ok: u64,
    /// With a reply after the deadline.
    pub late: u64,
    /// Without any reply.
    pub lost: u64,
    /// Probes that the socket refused; they count in nothing else.
    pub send_errors: u64,
    /// Of these, due while this host was suspended or stalled.
    #[serde(default)]
    pub skipped: u64,
    /// Lost or late, over sent.
    pub loss_share: Option<f64>,
    /// The 95 % Wilson interval of `loss_share`.
    pub loss_interval: Option<[f64; 2]>,
    /// Lost, over sent: what ping calls packet loss.
    #[serde(default)]
    pub lost_share: Option<f64>,
    /// Lost probes by cause; causes that did not occur are absent.
    pub causes: BTreeMap<Cause, u64>,
    /// How losses, late replies among them, follow one another.
    pub loss_runs: LossRuns,
    /// Replies beyond the first, to probes whose story was not over.
    pub duplicates: u64,
    /// Replies beyond the first, for each probe that was answered (RFC 5560).
    pub duplicate_share: Option<f64>,
    /// The share of the answered probes that were answered more than once (RFC 5560).
    pub replicated_share: Option<f64>,
    /// By the network, by direction (RFC 5560): up, a probe that the server saw again; down, a reply that
    /// came again. Absent where the server does not tell.
    #[serde(default)]
    pub duplication_up: Option<Duplicated>,
    /// Toward the client.
    #[serde(default)]
    pub duplication_down: Option<Duplicated>,
    /// Of the duplicates, sent on purpose by the server.
    pub injected_duplicates: Option<u64>,
    /// Replies whose payload was changed by the network; by whomever where the server does not tell.
    pub corrupted: Option<u64>,
    /// Replies whose payload the server changed on purpose.
    pub injected_corrupted: Option<u64>,
    /// Replies whose server times are impossible and count in no figure.
    #[serde(default)]
    pub impossible_times: u64,
    /// By the NextExp rule of RFC 4737.
    pub reordered: u64,
    /// `reordered` over the replies received.
    pub reordered_share: Option<f64>,
    /// By how many arrivals the worst came too late, and the mean (RFC 4737).
    pub reordering_extent: Option<u64>,
    /// Mean of the extents of the reordered replies.
    pub reordering_extent_mean: Option<f64>,
    /// The shares that came behind 1 and behind 3 sent later (n-reordering).
    pub reordering_1_share: Option<f64>,
    /// The share behind 3 that were sent later.
    pub reordering_3_share: Option<f64>,
    /// Of replies on time, as are all the delays below but `rtt_all_us`.
    pub rtt_us: Option<Distribution>,
    /// Of all replies, late ones too: what ping's last line shows.
    #[serde(default)]
    pub rtt_all_us: Option<Distribution>,
    /// Of an even number the mean of the middle two, which the 50th percentile is not.
    pub rtt_median_us: Option<f64>,
    /// Without the time spent at the server.
    pub net_rtt_us: Option<Distribution>,
    /// How long the server held replies on purpose.
    pub hold_us: Option<Distribution>,
    /// The rest of the server's time; all of it where `knows` says whole.
    pub server_own_us: Option<Distribution>,
    /// One way, with the offset of the run's `clock` taken off: no truer than its bound. From the
    /// last step of a clock on.
    pub owd_up_us: Option<Distribution>,
    /// From the server to the client.
    pub owd_down_us: Option<Distribution>,
    /// From when the probe was due: free of coordinated omission.
    pub due_rtt_us: Option<Distribution>,
    /// Differences of consecutive RTTs (RFC 3393), signed.
    pub ipdv_us: Option<Distribution>,
    /// The mean of their absolute values.
    #[serde(default)]
    pub mean_abs_ipdv_us: Option<f64>,
    /// The 99.9th percentile of the RTT above its minimum (RFC 5481).
    pub pdv_us: Option<f64>,
    /// Interarrival jitter of RFC 3550 A.8 of replies on time, at the end of the run.
    pub rtp_jitter_us: Option<f64>,
    /// How much later than due probes left.
    pub schedule_error_us: Option<Distribution>,
    /// Probes that left more than one interval late.
    pub missed: u64,
    /// Where a run with a shrinking interval left its plateau.
    pub knee: Option<Knee>,
    /// The relative resolution of percentiles; 0 where they are exact.
    pub percentile_resolution: f64,
}

/// How losses follow one another; late replies count as losses here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossRuns {
    /// Runs of consecutive losses (RFC 3357).
    pub count: u64,
    /// The longest, in probes.
    pub longest: u64,
    /// The longest in time: from the first probe lost until the probe after the last one lost.
    pub longest_outage: Option<Outage>,
    /// How often each length of a run occurred.
    #[serde(default)]
    pub lengths: Vec<LengthCount>,
    /// How often each distance from one lost probe to the next occurred.
    #[serde(default)]
    pub distances: Vec<LengthCount>,
    /// The simple Gilbert model: the chance to fall into loss, and to get out of it, resting on so
    /// many losses.
    pub gilbert_p: Option<f64>,
    /// The chance to get out of loss.
    pub gilbert_r: Option<f64>,
    /// The losses that both chances rest on.
    #[serde(default)]
    pub gilbert_losses: u64,
    /// Bursts (RFC 3611, Gmin 16), and their mean length in probes.
    #[serde(default)]
    pub bursts: u64,
    /// In probes, from the first loss of a burst to its last.
    pub burst_length_mean: Option<f64>,
    /// Share of losses within bursts and within gaps.
    pub burst_density: Option<f64>,
    /// Within gaps, the time between bursts.
    pub gap_density: Option<f64>,
}

/// Of the packets that arrived in one direction (RFC 5560).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Duplicated {
    /// Copies beyond the first.
    pub duplicates: u64,
    /// These, for each packet that arrived.
    pub duplicate_share: f64,
    /// The share of the packets that arrived more than once.
    pub replicated_share: f64,
}

/// Of lengths from one number to another, both included, so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LengthCount {
    /// The shortest length.
    pub from: u64,
    /// The longest length.
    pub to: u64,
    /// How often such a length occurred.
    pub count: u64,
}

/// A time without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outage {
    /// From time zero.
    pub from_us: f64,
    /// From the first probe lost until the probe after the last one lost.
    pub length_us: f64,
    /// Probes lost in a row.
    pub probes: u64,
}

/// Where a run with a shrinking interval began to suffer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Knee {
    /// The interval at which it began.
    pub interval_us: f64,
    /// There and back, at that interval.
    pub throughput_bps: f64,
    /// Losses became more frequent.
    pub by_loss: bool,
    /// The RTT rose.
    pub by_rtt: bool,
}

/// Percentiles are conditional on arrival.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// The smallest value.
    pub min: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The 99.9th percentile.
    pub p999: f64,
    /// The largest value.
    pub max: f64,
    /// Standard deviation; `None` of fewer than two values.
    pub stddev: Option<f64>,
    /// How many values it rests on.
    pub n: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_older_records_get_todays_kinds() {
        for (old, new) in
            [("overslept", "suspended"), ("told_less", "truncated_metadata"), ("not_sent", "not_sent")]
        {
            let text = format!(r#"{{ "at_us": 1.5, "kind": "{old}", "text": "why" }}"#);
            assert_eq!(serde_json::from_str::<Event>(&text).unwrap().kind, new);
        }
    }
}
